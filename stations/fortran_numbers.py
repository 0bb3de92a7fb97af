"""Numbers as Fortran writes them, read by a kernel and rounded as ``float`` rounds them, to the last bit.

The digits are an integer, which is exact, and are multiplied by a power of ten that has twice the usual precision.
Rule: the kernel never guesses. Whatever is unusual, too long, or so near the middle of two numbers that the precision
does not decide is "not regular", and is left to :func:`stations.rinex_text.decimal`, the slow twin.
"""

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from numba import njit

from stations.arrays import FloatArray

Bytes = npt.NDArray[np.uint8]

_SPACE, _PLUS, _MINUS, _DOT, _ZERO, _NINE = b" +-.09"
_EXPONENT_LETTERS = (ord("E"), ord("D"), ord("e"), ord("d"))
_MOST_DIGITS = 15  # without leading zeros; their integer is exact in float64
_LEAST_POWER, _GREATEST_POWER = -60, 60  # of ten; broadcast parameters have twelve decimals and exponents above -40
_LARGEST_EXPONENT = 1000  # more is not even added up
_DOUBT = 2.0**-98  # relative; the product of two pairs of float64 below is better than 2^-102
_SPLITTER = 134_217_729.0  # 2^27 + 1


def _powers() -> FloatArray:
    """Return the powers of ten as a float64 and what it lacks, shape ``(power, 2)``."""
    table = []
    for power in range(_LEAST_POWER, _GREATEST_POWER + 1):
        exact = Fraction(10) ** power
        table.append((float(exact), float(exact - Fraction(float(exact)))))
    return np.array(table)


_POWERS = _powers()


@njit(cache=True, nogil=True)
def _scaled(digits: int, power: int) -> tuple[bool, float]:
    """Return whether ``digits * 10**power`` is known to the last bit, and the product."""
    if digits == 0:
        return True, 0.0
    if not _LEAST_POWER <= power <= _GREATEST_POWER:
        return False, math.nan
    one, other = float(digits), _POWERS[power - _LEAST_POWER, 0]
    product = one * other
    # What the rounding of the product lost (Dekker 1971): both factors in halves, whose products are exact.
    one_high = _SPLITTER * one - (_SPLITTER * one - one)
    other_high = _SPLITTER * other - (_SPLITTER * other - other)
    one_low, other_low = one - one_high, other - other_high
    lost = ((one_high * other_high - product) + one_high * other_low + one_low * other_high) + one_low * other_low
    lost += one * _POWERS[power - _LEAST_POWER, 1]
    least, greatest = product + (lost - product * _DOUBT), product + (lost + product * _DOUBT)
    return least == greatest, least


@njit(cache=True, nogil=True)
def _exponent_in(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """Return the exponent that begins at ``at``, 0 for none, and where it ends: at its letter if no digit follows."""
    if at >= end or data[at] not in _EXPONENT_LETTERS:
        return 0, at
    first = at
    at += 1
    sign = 1
    if at < end and (data[at] == _MINUS or data[at] == _PLUS):
        sign = -1 if data[at] == _MINUS else 1
        at += 1
    exponent, digit = 0, at
    while at < end and _ZERO <= data[at] <= _NINE:
        exponent = min(exponent * 10 + (int(data[at]) - _ZERO), _LARGEST_EXPONENT)
        at += 1
    return (sign * exponent, at) if at > digit else (0, first)


@njit(cache=True, nogil=True)
def number_in(data: Bytes, at: int, end: int) -> tuple[bool, float]:
    """Read one field.

    Args:
        data: The text, shape ``(byte,)``.
        at: First byte of the field.
        end: The byte behind the field; a field without bytes is blank.

    Returns:
        Whether the field is regular, and its number: NaN if it is blank, without meaning if it is not regular. A
        regular number is what :func:`stations.rinex_text.decimal` returns.

    Source:
        T. J. Dekker, A floating-point technique for extending the available precision, 1971, for the product; the
        two ends of its error must round to the same number, as in W. D. Clinger, How to read floating point numbers
        accurately, 1990.
    """
    while at < end and data[at] == _SPACE:
        at += 1
    if at >= end:
        return True, math.nan
    negative = data[at] == _MINUS
    if negative or data[at] == _PLUS:
        at += 1
    digits, significant, seen, power, pointed = 0, 0, 0, 0, False
    while at < end:
        byte = data[at]
        if _ZERO <= byte <= _NINE:
            if significant < _MOST_DIGITS:
                digits = digits * 10 + (int(byte) - _ZERO)
            significant += significant > 0 or byte != _ZERO
            seen += 1
            power -= pointed
        elif byte == _DOT and not pointed:
            pointed = True
        else:
            break
        at += 1
    if seen == 0 or significant > _MOST_DIGITS:
        return False, math.nan
    exponent, at = _exponent_in(data, at, end)
    power += exponent
    while at < end and data[at] == _SPACE:
        at += 1
    known, value = _scaled(digits, power)
    return known and at == end, -value if negative else value
