"""The numbers of all records of a navigation file at once, as far as the records are regular.

A record is regular if all its lines are there and blank up to their first field, and if all fields are blank or plain
numbers (:mod:`stations.fortran_numbers`). Whatever is not regular is read again, record by record, by
:mod:`stations.rinex_nav`, which knows what may be wrong with a record; the tests compare the two on the same files.
"""

import numpy as np
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.fortran_numbers import Bytes, number_in
from stations.rinex_nav_values import GLONASS_5_LINES, KINDS, Kind
from stations.rinex_text import LineTable

FIELD = 19
FIELDS = 4  # in a line
MOST_NUMBERS = 31  # of eight lines; the epoch has the place of the first field
READ_KINDS = (*KINDS.values(), GLONASS_5_LINES)
_LINES: IntArray = np.array([kind.lines for kind in READ_KINDS], dtype=np.int64)
_SPACE = ord(" ")


@njit(cache=True, nogil=True)
def _fields_inplace(
    data: Bytes, start: IntArray, end: IntArray, records: IntArray, first_column: int, values: FloatArray
) -> BoolArray:
    # Shapes: (byte,), (line,), (line,), (2, record) of first lines and numbers of lines, (record, 31); (record,).
    regular = np.ones(records.shape[1], dtype=np.bool_)
    for record in range(records.shape[1]):
        first, count = records[0, record], records[1, record]
        if first + count > start.size:
            regular[record] = False
            continue
        place = 0
        for line in range(first, first + count):
            if line > first:
                for at in range(start[line], min(start[line] + first_column, end[line])):
                    regular[record] &= data[at] == _SPACE
            for field in range(line == first, FIELDS):
                at = start[line] + first_column + field * FIELD
                known, values[record, place] = number_in(data, at, min(at + FIELD, end[line]))
                regular[record] &= known
                place += 1
    return regular


def regular_records(
    table: LineTable, first: IntArray, kinds: IntArray, first_column: int
) -> tuple[FloatArray, BoolArray]:
    """Read the numbers of records.

    Args:
        table: The lines of the file.
        first: The line of every record that has its epoch, from 0, shape ``(record,)``.
        kinds: What every record is, as an index of ``READ_KINDS``, shape ``(record,)``.
        first_column: Column of the first field, from 0.

    Returns:
        The numbers behind the epoch in the order of the file, NaN where blank and behind the last one of a kind, shape
        ``(record, 31)``; and which records are regular and within the limits of their kind, shape ``(record,)``. The
        numbers of the others are of no meaning.
    """
    count = _LINES[kinds]
    values: FloatArray = np.full((len(first), MOST_NUMBERS), np.nan)
    good = _fields_inplace(table.data, table.start, table.end, np.stack((first, count)), first_column, values)
    if not table.complete:
        good &= first + count < len(table)  # the last line may be cut off within a number
    for which, kind in enumerate(READ_KINDS):
        chosen = kinds == which
        good[chosen] &= _within(kind, values[chosen])
    return values, good


def _within(kind: Kind, values: FloatArray) -> BoolArray:
    blank: BoolArray = np.isnan(values[:, kind.required])
    good: BoolArray = np.logical_not(blank.any(axis=1))
    for place, _, low, high in kind.limits:
        good &= (values[:, place] >= low) & (values[:, place] <= high)
    return good
