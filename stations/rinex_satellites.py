"""The records of satellites in a RINEX observation file: which satellite, and its first line.

In version 2 the names stand in the epoch line and its continuations, in versions 3 and 4 before the observations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from stations import signals
from stations.arrays import IntArray
from stations.rinex_columns import SYSTEMS, TYPES_A_LINE
from stations.rinex_header import ObservationHeader
from stations.rinex_scan import Text, digit_at
from stations.rinex_text import LineTable, broken, integer

_SATELLITES_A_LINE = 12
_FIRST_NAME_COLUMN = 32


@njit(cache=True, nogil=True)
def satellites_of(text: Text, line: IntArray, column: IntArray, system: IntArray) -> tuple[IntArray, int]:
    """Return the satellite integers of names such as ``G07``, and the first name that is none (-1 if all are right).

    Args:
        text: The file.
        line: Line of every name, shape ``(record,)``.
        column: Column of every name, shape ``(record,)``.
        system: Constellation of every character, -1 for none, shape ``(256,)``; that of a blank is what it stands for.
    """
    satellite = np.zeros(len(line), dtype=np.int64)
    for record in range(len(line)):
        at, stop = text.start[line[record]] + column[record], text.end[line[record]]
        if at + 3 > stop:
            return satellite, record
        tens, ones = digit_at(text.data, at + 1, stop), digit_at(text.data, at + 2, stop)
        letter = system[text.data[at]]
        if letter < 0 or tens < 0 or ones < 0 or tens + ones == 0:
            return satellite, record
        satellite[record] = 100 * letter + 10 * tens + ones
    return satellite, -1


@njit(cache=True, nogil=True)
def sort_satellites_inplace(satellite: IntArray, line: IntArray, border: IntArray) -> int:
    """Sort the records of every epoch by satellite; return the first epoch with one twice, -1 if there is none."""
    for epoch in range(len(border) - 1):
        for record in range(border[epoch] + 1, border[epoch + 1]):
            number, first = satellite[record], line[record]
            place = record
            # Insertion: receivers write few satellites, and most of them in order.
            while place > border[epoch] and satellite[place - 1] > number:
                satellite[place], line[place] = satellite[place - 1], line[place - 1]
                place -= 1
            satellite[place], line[place] = number, first
            if place > border[epoch] and satellite[place - 1] == number:
                return epoch
    return -1


@dataclass(frozen=True)
class RecordIndex:
    """Records of satellites, by epoch in the order of the file, in an epoch by satellite.

    Attributes:
        line: Index of the first line of the record, shape ``(record,)``.
        satellite: Satellite integer, shape ``(record,)``.
        border: First record of every epoch and the number of records, shape ``(epoch + 1,)``.
    """

    line: IntArray
    satellite: IntArray
    border: IntArray


def find_records(
    table: LineTable,
    headers: Sequence[ObservationHeader],
    epoch_line: Sequence[int],
    epoch_count: Sequence[int],
    epoch_header: Sequence[int],
) -> RecordIndex:
    """Return the records of epochs.

    Args:
        table: The file.
        headers: The headers that are valid in it.
        epoch_line: Index of every epoch line, shape ``(epoch,)``.
        epoch_count: Number of satellites, shape ``(epoch,)``.
        epoch_header: Index into ``headers``, shape ``(epoch,)``.

    Raises:
        GpsgridError: A name is no satellite, or a satellite comes twice in an epoch.
    """
    at, count, header = (np.array(values, dtype=np.int64) for values in (epoch_line, epoch_count, epoch_header))
    border = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(count)))
    number = np.arange(border[-1]) - np.repeat(border[:-1], count)  # place of the record in its epoch
    modern = np.array([item.modern for item in headers], dtype=np.bool_)[header]
    each = np.array([1 if item.modern else max(1, -(-len(item.types_of("G")) // TYPES_A_LINE)) for item in headers])
    names_lines = np.where(modern, 0, np.maximum(0, count - 1) // _SATELLITES_A_LINE)
    line = np.repeat(at + 1 + names_lines, count) + number * np.repeat(each[header], count)
    in_record = np.repeat(modern, count)
    name_line = np.where(in_record, line, np.repeat(at, count) + number // _SATELLITES_A_LINE)
    name_column = np.where(in_record, 0, _FIRST_NAME_COLUMN + 3 * (number % _SATELLITES_A_LINE))
    satellite = np.zeros(len(line), dtype=np.int64)
    record_header = np.repeat(header, count)
    text = Text(table.data, table.start, table.end)
    for index, item in enumerate(headers):
        here = slice(None) if len(headers) == 1 else np.flatnonzero(record_header == index)
        place, column = name_line[here], name_column[here]
        satellite[here], wrong = satellites_of(text, place, column, _letters(item))
        if wrong >= 0:
            raise _no_satellite(table, item, int(place[wrong]), int(column[wrong]))
    twice = sort_satellites_inplace(satellite, line, border)
    if twice >= 0:
        names = " ".join(map(signals.satellite_name, satellite[border[twice] : border[twice + 1]].tolist()))
        raise broken(table.source, int(at[twice]) + 1, f"a satellite comes twice in one epoch; some are {names}")
    return RecordIndex(line, satellite, border)


def _letters(header: ObservationHeader) -> IntArray:
    """Return the constellation of every character, -1 for none; a blank means the system of the file."""
    table = np.full(256, -1, dtype=np.int64)
    for number, letter in enumerate(SYSTEMS):
        table[ord(letter)] = number
    table[ord(" ")] = max(0, SYSTEMS.find(header.system))
    return table


def _no_satellite(table: LineTable, header: ObservationHeader, line: int, column: int) -> Exception:
    name = table.line(line)[column : column + 3]
    letter = header.system if header.system in SYSTEMS else "G"
    full = name if name[:1] != " " else letter + name[1:]
    try:
        signals.satellite_number(full)
        integer(full[1:].replace(" ", "0"))
    except (ValueError, IndexError) as error:
        return broken(table.source, line + 1, f"satellite {name!r}: {error}")
    return broken(table.source, line + 1, f"satellite {name!r}: numbers start at 1")
