"""The lines of satellites in a RINEX 3 observation file, printed fast; the tests have a twin that uses ``format``.

Numbers are rounded exactly, from the bits of the double: a value is a whole number of 2^-n, and so is a thousandth of
it after multiplication, within 64 bits. Multiplying doubles would print one value in thousands differently.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS
from stations.signals import LETTERS

NEVER_NS = -(1 << 62)
_LARGEST = 9_999_999_999.999  # F14.3 with a sign or one digit more
_DB_PER_STRENGTH_DIGIT = 6.0  # RINEX 3.04 table 9: strength digit n covers 6n to 6n + 5 dBHz
_FIELD = 16
_ROW = 4 * _FIELD
_NAME = 3
_SPACE, _ZERO, _MINUS, _DOT, _END = b" 0-.\n"
_LETTERS: IntArray = np.array([ord(letter) for letter in LETTERS], dtype=np.int64)
_MANTISSA_BITS = 53

Text = npt.NDArray[np.uint8]


def line_width(slots: int) -> int:
    """Return the bytes that a line takes at most, its end included."""
    return _NAME + _ROW * slots + 1


@njit(cache=True, nogil=True)
def fits(value: float) -> bool:
    """Return whether F14.3 holds a value."""
    return -0.1 * _LARGEST < value < _LARGEST


@njit(cache=True, nogil=True)
def _thousandths(value: float) -> np.uint64:
    # Of a value below 2^34 that is not negative; halves go to the even one, as in Python's formats.
    fraction, exponent = math.frexp(value)
    shift = _MANTISSA_BITS - exponent
    if shift > 63:  # below half a thousandth
        return np.uint64(0)
    product = np.uint64(fraction * 2.0**_MANTISSA_BITS) * np.uint64(1000)
    whole = product >> np.uint64(shift)
    rest = product - (whole << np.uint64(shift))
    half = np.uint64(1) << np.uint64(shift - 1)
    if rest > half or (rest == half and whole & np.uint64(1)):
        whole += np.uint64(1)
    return whole


@njit(cache=True, nogil=True)
def _print_inplace(text: Text, at: int, value: float, indicator: int, digit: int) -> None:
    # Where there are only spaces so far.
    left = _thousandths(abs(value))  # without a sign: dividing by ten is then a multiplication
    place = np.uintp(at + 13)
    one, ten = np.uintp(1), np.uint64(10)
    for printed in range(14):
        if printed == 3:
            text[place] = _DOT
        else:
            rest = left // ten
            text[place] = np.uint8(_ZERO) + np.uint8(left - rest * ten)
            left = rest
        place -= one
        if printed > 3 and left == 0:
            break
    if math.copysign(1.0, value) < 0.0:
        text[place] = _MINUS
    if indicator:
        text[at + 14] = _ZERO + indicator
    if digit:
        text[at + 15] = _ZERO + digit


@njit(cache=True, nogil=True)
def print_lines_inplace(  # noqa: PLR0913 - one argument a column
    text: Text,
    slot: IntArray,
    slots: IntArray,
    seen_ns: IntArray,
    time_ns: int,
    satellite: IntArray,
    signal: IntArray,
    values: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    lock_ms: IntArray,
    half_cycle: BoolArray,
) -> int:
    """Print the lines of one epoch.

    Args:
        text: Receives the bytes, with room for :func:`line_width` each, shape ``(byte,)``.
        slot: Place of a signal among those of its system, -1 for those without, shape ``(1000,)``.
        slots: Number of signals of every system, shape ``(system,)``.
        seen_ns: When a phase was last seen, by satellite and signal number, ``NEVER_NS`` at first; is updated, shape
            ``(1000, 100)``.
        time_ns: Epoch.
        satellite: Sorted, shape ``(row,)``.
        signal: Shape ``(row,)``.
        values: Code m, phase cycles, Doppler Hz and C/N0 dB-Hz, NaN for none, shape ``(row,)`` each.
        lock_ms: Shape ``(row,)``.
        half_cycle: Shape ``(row,)``.

    Returns:
        Bytes printed, or ``-1 - row`` for a row that cannot be.
    """
    start = end = 0
    for row in range(satellite.size):
        system = satellite[row] // 100
        if slot[signal[row]] < 0 or signal[row] // 100 != system:
            return -1 - row
        if row == 0 or satellite[row] != satellite[row - 1]:
            start = end
            end = start + _NAME + _ROW * slots[system]
            text[start:end] = _SPACE
            text[start] = _LETTERS[system]
            text[start + 1] = _ZERO + satellite[row] % 100 // 10
            text[start + 2] = _ZERO + satellite[row] % 10
        at = start + _NAME + _ROW * slot[signal[row]]
        text[at : at + _ROW] = _SPACE
        code, phase, doppler, strength = values[0][row], values[1][row], values[2][row], values[3][row]
        digit = 0 if np.isnan(strength) else min(max(int(strength / _DB_PER_STRENGTH_DIGIT), 1), 9)
        indicator = 2 * int(half_cycle[row])
        if not np.isnan(phase):
            before_ns = seen_ns[satellite[row], signal[row] % 100]
            seen_ns[satellite[row], signal[row] % 100] = time_ns
            # Rounded to milliseconds like lock_ms itself: an arc that goes on is as old as the time since, or older.
            indicator += before_ns == NEVER_NS or lock_ms[row] < (time_ns - before_ns) // NS_PER_MS
        for kind, value in enumerate((code, phase, doppler, strength)):
            if np.isnan(value):
                continue
            if not fits(value):
                return -1 - row
            _print_inplace(text, at + _FIELD * kind, value, indicator if kind == 1 else 0, digit if kind <= 1 else 0)
        if row + 1 == satellite.size or satellite[row + 1] != satellite[row]:
            while text[end - 1] == _SPACE:
                end -= 1
            text[end] = _END
            end += 1
    return end
