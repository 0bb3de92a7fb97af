"""Network messages that are a head and a row per satellite: read into raw integers and back."""

from collections.abc import Iterable, Mapping, Sequence

from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import Field, read_fields, write_fields


def read_rows(
    reader: BitReader, head: Iterable[Field], row: Sequence[Field], count_width: int
) -> tuple[dict[str, int], list[dict[str, int]]]:
    """Return the raw integers of the head, and of each row; the count of rows stands between them.

    Raises:
        NeedMoreBits: The payload is too short.
    """
    first = read_fields(reader, head)
    return first, [read_fields(reader, row) for _ in range(reader.unsigned(count_width))]


def write_rows(
    number: int,
    head: tuple[Iterable[Field], Mapping[str, int]],
    row: tuple[Sequence[Field], Sequence[Mapping[str, int]]],
    count_width: int,
) -> bytes:
    """Return the payload of a message; the inverse of :func:`read_rows`.

    Args:
        number: Message number.
        head: Fields and raw integers of the head.
        row: Fields of a row, and the raw integers of all rows.
        count_width: Bits of the count of rows.

    Raises:
        ValueError: A number does not fit its field, or there are too many rows.
    """
    writer = BitWriter()
    writer.unsigned(number, 12)
    write_fields(writer, *head)
    fields, rows = row
    writer.unsigned(len(rows), count_width)
    for values in rows:
        write_fields(writer, fields, values)
    return writer.to_bytes()
