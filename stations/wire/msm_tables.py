"""The tables of ``msm_fields`` as arrays that the MSM kernels look up themselves.

An argument of a kernel costs as much as unpacking a cell, a table that is compiled in costs nothing. A message number
says what to look up: there are ten numbers a system, and the last digit is the level.
"""

import numpy as np
from numba import njit

from stations.arrays import FloatArray, IntArray
from stations.wire.msm_fields import CARRIERS_HZ, GROUPS, LAYOUT_ROWS, SATELLITE_OFFSETS

_FIRST = min(GROUPS.values())
_SYSTEMS = sorted(GROUPS, key=lambda system: GROUPS[system])
_NO_LAYOUT = np.zeros(12, dtype=np.int64)

# Carrier frequency and channel step in Hz by system and MSM signal number, shape (system, 2, 33).
CARRIERS_BY_INDEX_HZ: FloatArray = np.array([CARRIERS_HZ[system] for system in _SYSTEMS])
# What is added to satellite and signal numbers, shape (system, 2).
OFFSETS_BY_INDEX: IntArray = np.array([(SATELLITE_OFFSETS[one], 100 * one) for one in _SYSTEMS], dtype=np.int64)
# Rows of LAYOUT_ROWS, shape (8, 12).
LAYOUT_BY_LEVEL: IntArray = np.array([LAYOUT_ROWS.get(level, _NO_LAYOUT) for level in range(8)])


@njit(cache=True, nogil=True)
def index_of(number: int) -> int:
    """Return the place of a system in the tables by the number of one of its MSM."""
    return (number - _FIRST) // 10
