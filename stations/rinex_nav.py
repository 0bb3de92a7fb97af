"""RINEX navigation files, versions 2, 3 and 4: the broadcast ephemerides of all systems in them.

Of version 4 the messages LNAV, FDMA, INAV, FNAV, D1, D2 and SBAS are read, which are those of versions 2 and 3, too;
other messages and other kinds of records are passed over and counted. What a number means is in
:mod:`stations.rinex_nav_values`.

The numbers of all records are read at once (:mod:`stations.rinex_nav_fields`). What is unusual or wrong is read here
once more, plainly, line by line, so that the first fault of the file can be named.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from stations import gpstime
from stations.navigation import GpsEphemeris
from stations.navigation_kinds import AnyEphemeris, Ephemeris, UploadKey, upload_key
from stations.rinex_nav_fields import FIELD, FIELDS, READ_KINDS, regular_records
from stations.rinex_nav_values import KINDS, Kind, Record, check, nanos
from stations.rinex_text import LineTable, broken, decimal, integer
from stations.signals import satellite_number

_PIVOT_YEAR = 80
_CUT_OFF = "cut off at the end of the file"
_YEARS = range(1980, 2200)  # from the start of GPS time; nanoseconds in 64 bits end in 2272
_FIVE_LINES_OF_GLONASS = 3.05  # version
_LETTERS_OF_TYPE = {"N": "G", "G": "R", "H": "S"}  # file types of version 2
_MESSAGES = frozenset({"LNAV", "FDMA", "INAV", "FNAV", "D1", "D2", "SBAS"})
_KIND_OF = {letter: READ_KINDS.index(kind) for letter, kind in KINDS.items()}
_FIVE_LINES = len(READ_KINDS) - 1  # index of GLONASS records with a fifth line


@dataclass(frozen=True)
class NavigationFile:
    """What a navigation file holds.

    Attributes:
        version: RINEX version.
        ephemerides: In the order of the file, as they come (see :func:`merge_ephemerides`).
        skipped: Records that were passed over, by kind: ``EPH CNAV``, ``STO``, an unknown letter, and a last one that
            is not whole.
    """

    version: float
    ephemerides: tuple[Ephemeris, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)


class _Layout(NamedTuple):
    """Where things stand in the lines of one version."""

    version: float
    kind: str
    first_column: int
    satellite_width: int

    @property
    def old(self) -> bool:
        return self.first_column == 3


class _Start(NamedTuple):
    """The first line of a record: its index, the letter of its system, its text."""

    at: int
    letter: str
    line: str


def read_navigation_file(text: str, source: str, systems: str = "GREJCIS") -> NavigationFile:
    """Read a RINEX navigation file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.
        systems: Letters of the systems that are wanted; the others are not looked at.

    Returns:
        The ephemerides. A transmission time that is missing or impossible becomes two hours before the
        reference time.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        RINEX 2.11 tables A4, A11 and A15, RINEX 3.05 tables A6 to A21, RINEX 4.00 section 5.
    """
    table = LineTable(text, source)
    version, kind, first = _read_header(table)
    layout = _Layout(version, kind, 4, 3) if version >= 3.0 else _Layout(version, kind, 3, 2)  # noqa: PLR2004 - a version
    skipped: Counter[str] = Counter()
    records = [record for record in _records(table, first, layout, skipped) if record.letter in systems]
    kinds = [_kind_of(table, record, layout) for record in records]
    if len(records) > 1 and _is_cut_off(table, records[-1].at, READ_KINDS[kinds[-1]], layout):
        # Whoever writes a file is not done with its last record; that a file of one is not whole is an error.
        skipped[_CUT_OFF] += 1
        records, kinds = records[:-1], kinds[:-1]
    values, regular = regular_records(
        table,
        np.array([record.at for record in records], dtype=np.int64),
        np.array(kinds, dtype=np.int64),
        layout.first_column,
    )
    known: dict[str, int] = {}
    ephemerides = tuple(
        _ephemeris(table, record, READ_KINDS[kind], layout, numbers if good else None, known)
        for record, kind, numbers, good in zip(records, kinds, values.tolist(), regular.tolist(), strict=True)
    )
    return NavigationFile(version, ephemerides, dict(skipped))


def read_navigation(text: str, source: str) -> list[GpsEphemeris]:
    """Read only the GPS ephemerides of a RINEX navigation file; otherwise as :func:`read_navigation_file`."""
    found = read_navigation_file(text, source, "G").ephemerides
    return [ephemeris for ephemeris in found if isinstance(ephemeris, GpsEphemeris)]


def merge_ephemerides(lists: Iterable[Sequence[AnyEphemeris]]) -> list[AnyEphemeris]:
    """Join ephemerides of several files; the same satellite, issue and reference time count once.

    Returns:
        Sorted by satellite, reference time and transmission. Of equal ones the earliest transmission is
        kept: the message was known from then on.
    """
    best: dict[tuple[int, UploadKey], AnyEphemeris] = {}
    for ephemerides in lists:
        for ephemeris in ephemerides:
            key = (ephemeris.satellite, upload_key(ephemeris))
            if key not in best or ephemeris.transmitted_ns < best[key].transmitted_ns:
                best[key] = ephemeris
    return sorted(best.values(), key=lambda item: (item.satellite, item.toe_ns, item.transmitted_ns, item.issue))


def _read_header(table: LineTable) -> tuple[float, str, int]:
    """Return version, file type and the index of the first line behind the header."""
    first = table.line(0)
    if first[60:80].strip() != "RINEX VERSION / TYPE":
        message = f"expected a RINEX header ('RINEX VERSION / TYPE' in columns 61-80), got {first[:80]!r}"
        raise broken(table.source, 1, message)
    try:
        version = decimal(first[:9])
    except ValueError as error:
        raise broken(table.source, 1, f"RINEX version: {error}") from None
    kind = first[20:21]
    if not 2.0 <= version < 5.0 or kind not in "NGHEL" or not kind:  # noqa: PLR2004 - version numbers
        came = f"version {first[:9].strip()!r}, type {first[20:40].strip()!r}"
        message = f"{came}; expected navigation data of RINEX 2, 3 or 4"
        raise broken(table.source, 1, message)
    for index in range(len(table)):
        if table.line(index)[60:80].strip() == "END OF HEADER":
            return version, kind, index + 1
    raise broken(table.source, len(table), "the file ends before 'END OF HEADER'; is it cut off?")


def _records(table: LineTable, first: int, layout: _Layout, skipped: Counter[str]) -> Iterator[_Start]:
    """Yield the first lines of all records that can be read; count the others."""
    wanted = True
    letter_of_file = _LETTERS_OF_TYPE.get(layout.kind, "")
    for at, line in table.indented_less(layout.satellite_width, first):
        if line.startswith(">"):
            # RINEX 4: "> EPH G01 LNAV"; the lines of other messages must not be taken for ephemerides.
            words = line[1:].split()
            wanted = words[:1] == ["EPH"] and words[2:3] != [] and words[2] in _MESSAGES
            if not wanted:
                skipped[" ".join((*words[:1], *(words[2:3] if words[:1] == ["EPH"] else ())))] += 1
        elif wanted and line[: layout.satellite_width].strip():
            letter = letter_of_file if layout.old else line[0]
            if letter in KINDS:
                yield _Start(at, letter, line)
            else:
                skipped[letter] += 1


def _kind_of(table: LineTable, record: _Start, layout: _Layout) -> int:
    if record.letter == "R" and layout.version >= _FIVE_LINES_OF_GLONASS:
        fifth = record.at + 4
        if fifth < len(table) and table.line(fifth).startswith(" "):
            return _FIVE_LINES  # some writers leave it out
    return _KIND_OF[record.letter]


def _ephemeris(
    table: LineTable, record: _Start, kind: Kind, layout: _Layout, values: list[float] | None, known: dict[str, int]
) -> Ephemeris:
    # Without values they are read here. Satellites and epochs come many times; ``known`` has those read before.
    at, letter, line = record
    checked = values is not None
    if values is None:
        values = _fields(table, at, kind, layout)
    name = letter + line[: layout.satellite_width][-2:]
    epoch = line[layout.satellite_width : layout.first_column + FIELD]
    try:
        if name not in known:
            known[name] = satellite_number(letter + f"{integer(name[1:]) or _no_satellite():02d}")
        if epoch not in known:
            known[epoch] = _epoch_ns(line, layout)
    except ValueError as error:
        raise broken(table.source, at + 1, f"satellite or epoch in {line[:23]!r}: {error}") from None
    try:
        if not checked:
            check(kind, values)
        return kind.build(Record(known[name], known[epoch], values, layout.old))
    except ValueError as error:
        raise broken(table.source, at + 1, f"ephemeris of satellite {name}: {error}") from None


def _no_satellite() -> int:
    message = "satellites are numbered from 1"
    raise ValueError(message)


def _fields(table: LineTable, at: int, kind: Kind, layout: _Layout) -> list[float]:
    """Return the numbers of one record in the order of the tables, blank is NaN: the slow way, which names faults."""
    end = at + kind.lines
    if _is_cut_off(table, at, kind, layout):
        message = f"an ephemeris has {kind.lines} lines, the file ends in the middle of it; is it cut off?"
        raise broken(table.source, at + 1, message)
    first, last = layout.first_column, layout.first_column + FIELDS * FIELD
    values = []
    for number, line in enumerate(table.lines[at:end], at):
        if number > at and line[:first].strip():
            message = f"{line[:23]!r} starts inside the ephemeris of line {at + 1}"
            raise broken(table.source, number + 1, f"{message}, which has {kind.lines} lines")
    for number, line in enumerate(table.lines[at:end], at):
        for column in range(first + (FIELD if number == at else 0), last, FIELD):
            try:
                values.append(decimal(line[column : column + FIELD]))
            except ValueError as error:
                raise broken(table.source, number + 1, f"{error} (column {column + 1})") from None
    missing = [index for index in kind.required if math.isnan(values[index])]
    if missing:
        line_number = at + 1 + (missing[0] + 1) // FIELDS
        raise broken(table.source, line_number, "a number of the ephemeris is missing")
    return values


def _is_cut_off(table: LineTable, at: int, kind: Kind, layout: _Layout) -> bool:
    """Return whether the file ends inside the record whose first line is at an index."""
    end, last = at + kind.lines, len(table.lines[-1])
    needed = layout.first_column + FIELD * kind.needed_at_end
    # Numbers fill their fields to the end: half a field without a line end is half a number.
    inside = not table.complete and (last < needed or (last - layout.first_column) % FIELD != 0)
    return end > len(table) or (end == len(table) and inside)


def _epoch_ns(line: str, layout: _Layout) -> int:
    if layout.old:
        year, month, day, hour, minute = (integer(line[column : column + 2]) for column in (3, 6, 9, 12, 15))
        year += 1900 if year >= _PIVOT_YEAR else 2000
        second = decimal(line[17:22])
    else:
        parts = (line[4:8], line[9:11], line[12:14], line[15:17], line[18:20])
        year, month, day, hour, minute = map(integer, parts)
        second = decimal(line[21:23])
    if year not in _YEARS or not 0.0 <= second < 60.0:  # noqa: PLR2004 - seconds of a minute
        message = f"year {year}, second {second}"
        raise ValueError(message)
    return gpstime.from_calendar(year, month, day, hour, minute, nanos(second))
