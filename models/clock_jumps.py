"""Receiver clocks that are set back by whole milliseconds: no slip, however large.

Most receivers move codes, phases and time tags together, which is a receiver clock like any other. Some leave the
phases as they were; then all codes of a station jump by the same multiple of 300 km, and combinations of code and phase
have to be told so.
"""

import numpy as np

from models.medians import groups_of, median_by_group
from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S

MILLISECOND_M = SPEED_OF_LIGHT_M_S * 1e-3
_NEAR_M = 300.0  # a microsecond: codes of a satellite may be wrong, and clocks move in between


def code_jump_m(change_m: FloatArray, receiver: IntArray) -> FloatArray:
    """Return by how many whole milliseconds the codes of each row's receiver jumped against its phases, ``(n,)``.

    Args:
        change_m: Change of code minus phase since the last epoch, NaN where there was none, shape ``(n,)``.
        receiver: Shape ``(n,)``; half of its satellites must agree.

    Source:
        Repair of millisecond jumps: section 3a.1 of the literature note; Guo and Zhang (2014), GPS Solutions 18.
    """
    group, groups = groups_of(receiver)
    known = np.isfinite(change_m)
    median_m = median_by_group(change_m[known], group[known], groups)
    median_m[np.isnan(median_m)] = 0.0
    jump_m = np.rint(median_m / MILLISECOND_M) * MILLISECOND_M
    whole = np.abs(median_m - jump_m) < _NEAR_M
    return np.where(whole, jump_m, 0.0)[group]
