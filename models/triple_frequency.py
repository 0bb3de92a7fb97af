"""Three carriers against each other: a combination of phases without range, clocks and ionosphere.

Only millimetres of noise are in it, so it finds a slip of one cycle at once and at any elevation. Who slipped is told
by the differences of the first carrier with the two others: the third carrier alone may slip without harm, for integers
are of the first two.
"""

import numpy as np

from stations.arrays import BoolArray, FloatArray


def coefficients(wavelength_m: FloatArray) -> FloatArray:
    """Return the weights of three phases in metres that cancel range and ionosphere, of unit length, shape ``(3, n)``.

    Args:
        wavelength_m: Of three different carriers, shape ``(3, n)``.

    Source:
        Simsky (2006), Three's the Charm: Triple-Frequency Combinations in Future GNSS, Inside GNSS 1(5), eq. 3.
    """
    square = wavelength_m**2
    weights = np.stack([square[1] - square[2], square[2] - square[0], square[0] - square[1]])
    unit: FloatArray = weights / np.sqrt((weights**2).sum(axis=0))
    return unit


def disagreement_m(change_m: FloatArray, wavelength_m: FloatArray) -> FloatArray:
    """Return by how much three changes contradict each other, as noise of one phase, metres, shape ``(n,)``.

    Args:
        change_m: Of the three phases since they were last seen, shape ``(3, n)``; of a receiver whose carriers have
            clocks of their own, less these.
        wavelength_m: Shape ``(3, n)``.
    """
    total: FloatArray = (coefficients(wavelength_m) * change_m).sum(axis=0)
    return total


def third_alone(first_second_m: FloatArray, first_third_m: FloatArray) -> BoolArray:
    """Return whether, if one of three carriers slipped, it was the third.

    Args:
        first_second_m: Change of the difference of the first two carriers against the receiver's other satellites,
            shape ``(n,)``.
        first_third_m: The same of the first and the third, shape ``(n,)``.
    """
    alone: BoolArray = np.abs(first_second_m) < 0.5 * np.abs(first_third_m)
    return alone
