"""The records of an observation file as rows, at full speed; the same as ``rinex_slow.slow_rows``.

The kernels work on the bytes of the text. They never guess: a field that is no plain fixed-point number is listed
in ``odd`` and read by :func:`stations.rinex_text.decimal`, which knows all that Fortran writes and what is wrong.

A number 0.000 means "not observed", as the format says. Bit 2 of the loss-of-lock indicator of RINEX 2
(anti-spoofing) means nothing for us.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.rinex_columns import CODE, DOPPLER, PHASE, STRENGTH, UNUSED, Layouts

Bytes = npt.NDArray[np.uint8]

BLANK, NUMBER, ODD = 0, 1, 2
VALUE_WIDTH = 14
SLIP_BIT, HALF_CYCLE_BIT = 1, 2
DB_PER_STRENGTH_DIGIT = 6.0  # RINEX 3.04, table 9: digit n covers 6n to 6n + 5 dBHz
_KINDS, _DIGITS, _INDICATOR = 4, 3, 2
_POINT = 10  # column of the point in F14.3
_LAST_WHOLE = 9  # column of a field in which every value has a digit
_ZERO, _SPACE, _MINUS, _PLUS, _DOT = 48, 32, 45, 43, 46
_POWERS = 10.0 ** np.arange(VALUE_WIDTH + 1)


class Text(NamedTuple):
    """A text as bytes, and where its lines begin and end, as in :class:`stations.rinex_text.LineTable`."""

    data: Bytes
    start: IntArray
    end: IntArray


class OddFields(NamedTuple):
    """Fields that only :func:`stations.rinex_text.decimal` can read, in the order in which they come.

    Attributes:
        value: Values of those that were found before, shape ``(known,)``.
        place: Line and column of the further ones, filled by the kernel, shape ``(new, 2)``.
        seen: How many there were, counted by the kernel, shape ``(1,)``.
    """

    value: FloatArray
    place: IntArray
    seen: IntArray


class RecordValues(NamedTuple):
    """Work space for one record.

    Attributes:
        values: By slot and kind, shape ``(slot, 4)``.
        digits: By slot: strength beside the code, strength beside the phase, loss of lock, shape ``(slot, 3)``.
        filled: As in :func:`scan_rows_inplace`.
    """

    values: FloatArray
    digits: IntArray
    filled: IntArray


class Records(NamedTuple):
    """Records of satellites, in the order of the rows that come out.

    Attributes:
        line: Index of the first line, shape ``(record,)``.
        satellite: Satellite integer, shape ``(record,)``.
        layout: Index of the layout, shape ``(record,)``.
        border: First record of every epoch and the number of records, shape ``(epoch + 1,)``.
    """

    line: IntArray
    satellite: IntArray
    layout: IntArray
    border: IntArray


class Rows(NamedTuple):
    """A long table, one row a signal of a satellite at an epoch.

    Attributes:
        satellite: Satellite integers, shape ``(row,)`` as all others but the last.
        signal: Signal integers.
        pseudorange_m: Code range, metres, NaN where not observed.
        phase_cyc: Carrier phase, cycles, NaN where not observed.
        cn0_dbhz: Carrier to noise density, NaN where unknown.
        doppler_hz: Doppler shift, NaN where not observed.
        slip: Whether lock was lost since the epoch before.
        half_cycle: Whether the phase may be off by half a cycle.
        border: First row of every epoch and the number of rows, shape ``(epoch + 1,)``.
    """

    satellite: IntArray
    signal: IntArray
    pseudorange_m: FloatArray
    phase_cyc: FloatArray
    cn0_dbhz: FloatArray
    doppler_hz: FloatArray
    slip: BoolArray
    half_cycle: BoolArray
    border: IntArray


def empty_rows(capacity: int, epochs: int) -> Rows:
    """Return a table with room for a number of rows; nothing in it is set."""
    return Rows(
        satellite=np.empty(capacity, dtype=np.int64),
        signal=np.empty(capacity, dtype=np.int64),
        pseudorange_m=np.empty(capacity),
        phase_cyc=np.empty(capacity),
        cn0_dbhz=np.empty(capacity),
        doppler_hz=np.empty(capacity),
        slip=np.empty(capacity, dtype=np.bool_),
        half_cycle=np.empty(capacity, dtype=np.bool_),
        border=np.zeros(epochs + 1, dtype=np.int64),
    )


def rows_at(rows: Rows, place: IntArray | slice, border: IntArray) -> Rows:
    """Return some of the rows, with other borders."""
    return Rows(
        rows.satellite[place],
        rows.signal[place],
        rows.pseudorange_m[place],
        rows.phase_cyc[place],
        rows.cn0_dbhz[place],
        rows.doppler_hz[place],
        rows.slip[place],
        rows.half_cycle[place],
        border,
    )


@njit(cache=True, nogil=True)
def _number(data: Bytes, at: int, stop: int) -> tuple[float, int]:
    """Return a fixed-point number between two bytes, and BLANK, NUMBER or ODD."""
    while at < stop and data[at] == _SPACE:
        at += 1
    if at >= stop:
        return math.nan, BLANK
    negative = data[at] == _MINUS
    if negative or data[at] == _PLUS:
        at += 1
    mantissa, digits, decimals, after_point = 0, 0, 0, 0
    while at < stop:
        digit = int(data[at]) - _ZERO
        if 0 <= digit <= 9:
            mantissa = 10 * mantissa + digit
            digits += 1
            decimals += after_point
        elif data[at] == _DOT and not after_point:
            after_point = 1
        else:
            break
        at += 1
    while at < stop and data[at] == _SPACE:
        at += 1
    if at < stop or not digits:
        return math.nan, ODD
    # At most 14 digits: the integer is exact in float64 and one division rounds as strtod does.
    value = mantissa / _POWERS[decimals]
    return (-value if negative else value), NUMBER


@njit(cache=True, nogil=True)
def _plain_number(data: Bytes, at: int) -> tuple[float, int]:
    """Return the F14.3 number at a byte, and NUMBER; anything else is BLANK or ODD, to be looked at again."""
    point = at + _POINT
    while at < point and data[at] == _SPACE:
        at += 1
    if data[point] != _DOT:
        return math.nan, ODD
    negative = data[at] == _MINUS
    at += negative
    if at == point:
        return math.nan, ODD
    # No branch a character: what is no digit is remembered, and seen once at the end.
    mantissa, worst = 0, 0
    for place in range(at, point):
        digit = int(data[place]) ^ _ZERO
        worst = max(worst, digit)
        mantissa = 10 * mantissa + digit
    for place in range(point + 1, point + 4):
        digit = int(data[place]) ^ _ZERO
        worst = max(worst, digit)
        mantissa = 10 * mantissa + digit
    if worst > 9:
        return math.nan, ODD
    return (-mantissa if negative else mantissa) / 1000.0, NUMBER


@njit(cache=True, nogil=True)
def digit_at(data: Bytes, at: int, stop: int) -> int:
    """Return a digit, 0 for a blank, -1 for anything else."""
    if at >= stop or data[at] == _SPACE:
        return 0
    digit = int(data[at]) - _ZERO
    return digit if 0 <= digit <= 9 else -1


@njit(cache=True, nogil=True)
def _read_record_inplace(
    text: Text, first_line: int, layouts: Layouts, layout: int, odd: OddFields, record: RecordValues
) -> tuple[int, int]:
    """Read the fields of one record; return line and column of a digit that is none, -1 if all are right."""
    record.values[: layouts.slots[layout]] = math.nan
    record.digits[: layouts.slots[layout]] = 0
    for place in range(layouts.places[layout]):
        line, column = first_line + layouts.line[layout, place], layouts.column[layout, place]
        at, stop = text.start[line] + column, text.end[line]
        if at >= stop:
            continue
        slot, kind = layouts.slot[layout, place], layouts.kind[layout, place]
        if slot == UNUSED:
            record.filled[layout, place] += at + _LAST_WHOLE < stop and text.data[at + _LAST_WHOLE] != _SPACE
            continue
        value, state = _plain_number(text.data, at) if at + VALUE_WIDTH <= stop else (math.nan, ODD)
        if state != NUMBER:
            value, state = _number(text.data, at, min(at + VALUE_WIDTH, stop))
        if state == ODD:
            seen = odd.seen[0]
            odd.seen[0] += 1
            if seen < len(odd.value):
                value = odd.value[seen]
            elif seen - len(odd.value) < len(odd.place):
                odd.place[seen - len(odd.value), 0] = line
                odd.place[seen - len(odd.value), 1] = column
        record.values[slot, kind] = math.nan if value == 0.0 else value / layouts.scale[layout, place]
        if kind > PHASE:
            continue
        strength = digit_at(text.data, at + VALUE_WIDTH + 1, stop)
        if strength < 0:
            return line, column + VALUE_WIDTH + 1
        record.digits[slot, kind] = strength
        if kind == PHASE:
            indicator = digit_at(text.data, at + VALUE_WIDTH, stop)
            if indicator < 0:
                return line, column + VALUE_WIDTH
            record.digits[slot, _INDICATOR] = indicator
    return -1, -1


@njit(cache=True, nogil=True)
def _append_rows_inplace(
    rows: Rows, row: int, satellite: int, layouts: Layouts, layout: int, record: RecordValues
) -> int:
    """Append the signals of one record to the rows; return the next free row."""
    for slot in range(layouts.slots[layout]):
        code, phase = record.values[slot, CODE], record.values[slot, PHASE]
        if math.isnan(code) and math.isnan(phase):
            continue
        strength = max(record.digits[slot, CODE], record.digits[slot, PHASE])
        cn0 = record.values[slot, STRENGTH]
        if math.isnan(cn0) and strength > 0:
            cn0 = DB_PER_STRENGTH_DIGIT * (strength + 0.5)
        rows.satellite[row], rows.signal[row] = satellite, layouts.signal[layout, slot]
        rows.pseudorange_m[row], rows.phase_cyc[row], rows.cn0_dbhz[row] = code, phase, cn0
        rows.doppler_hz[row] = record.values[slot, DOPPLER]
        indicator = record.digits[slot, _INDICATOR]
        rows.slip[row] = (indicator & SLIP_BIT) > 0
        half = ((indicator & HALF_CYCLE_BIT) > 0) != layouts.half[layout, slot]
        rows.half_cycle[row] = half and not math.isnan(phase)
        row += 1
    return row


@njit(cache=True, nogil=True)
def scan_rows_inplace(
    text: Text, records: Records, layouts: Layouts, odd: OddFields, rows: Rows, filled: IntArray
) -> tuple[int, int]:
    """Read all records into rows; those with neither code nor phase are left out.

    Args:
        text: The file.
        records: Where the records are.
        layouts: What is in them.
        odd: Values of the odd fields found before; filled with the further ones.
        rows: Filled; room for all signals of all records.
        filled: Filled with how often a value stands at every place without a signal, shape ``(layout, place)``.

    Returns:
        Line and column of a digit that is none, -1 if all are right.
    """
    slots = layouts.signal.shape[1]
    record = RecordValues(np.empty((slots, _KINDS)), np.zeros((slots, _DIGITS), dtype=np.int64), filled)
    row = 0
    for epoch in range(len(records.border) - 1):
        rows.border[epoch] = row
        for number in range(records.border[epoch], records.border[epoch + 1]):
            layout = records.layout[number]
            line, column = _read_record_inplace(text, records.line[number], layouts, layout, odd, record)
            if line >= 0:
                return line, column
            row = _append_rows_inplace(rows, row, records.satellite[number], layouts, layout, record)
    rows.border[-1] = row
    return -1, -1
