"""Codes at known coordinates: what is left when the clocks of receivers and satellites are taken out by medians.

Alternating medians instead of `models.two_way`: a code is doubted by metres, and half a metre of the effects does not
matter. A satellite that fewer than three stations see on a signal cannot be judged: of two, nobody knows which is off.
"""

import numpy as np

from models.medians import groups_of, median_by_group
from stations.arrays import BoolArray, FloatArray, IntArray

FEWEST = 3


def code_residual_m(code_m: FloatArray, receiver: IntArray, transmitter: IntArray) -> FloatArray:
    """Return the residuals of codes against receiver and satellite clocks, shape ``(n,)``.

    Args:
        code_m: Observed minus computed, shape ``(n,)``.
        receiver: Receiver clock of each: one per station, system and signal, shape ``(n,)``.
        transmitter: Satellite clock of each: one per satellite and signal, shape ``(n,)``.

    Returns:
        Metres; zero where fewer than ``FEWEST`` stations see the satellite, or a station fewer satellites than that.

    Source:
        Median polish: Tukey (1977), Exploratory Data Analysis, ch. 11; residuals at a known position: section 3a.5 of
        the literature note.
    """
    row, rows = groups_of(receiver)
    column, columns = groups_of(transmitter)
    residual = code_m - median_by_group(code_m, row, rows)[row]
    residual -= median_by_group(residual, column, columns)[column]
    residual -= median_by_group(residual, row, rows)[row]
    enough = (np.bincount(column)[column] >= FEWEST) & (np.bincount(row)[row] >= FEWEST)
    return np.where(enough, residual, 0.0)


def is_outlier(residual_m: FloatArray, elevation_rad: FloatArray, floor_m: float, slope_m: float) -> BoolArray:
    """Return which codes are off by more than noise, multipath and ionosphere, shape ``(n,)``.

    Args:
        residual_m: From :func:`code_residual_m`, shape ``(n,)``.
        elevation_rad: Shape ``(n,)``.
        floor_m: Beyond ``floor_m + slope_m / sin(elevation)`` it is.
        slope_m: See ``floor_m``.
    """
    outlier: BoolArray = np.abs(residual_m) > floor_m + slope_m / np.sin(elevation_rad)
    return outlier
