"""How long every phase of a file has been tracked without a slip: the ages of arcs."""

import math

import numpy as np
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.rinex_scan import Rows

_SATELLITES, _SIGNALS = 1000, 100  # room for every satellite integer, and for every signal of a system
_GAP_INTERVALS = 1.5


@njit(cache=True, nogil=True)
def arc_ages_ms(rows: Rows, time_ns: IntArray, interval_ns: FloatArray, interrupted: BoolArray) -> IntArray:
    """Return the age of the arc of every row, ms; 0 where there is no phase.

    Args:
        rows: Sorted by epoch.
        time_ns: Time of every epoch, rising, shape ``(epoch,)``.
        interval_ns: Spacing of the epochs to be expected there, shape ``(epoch,)``.
        interrupted: Whether no arc comes from before the epoch, shape ``(epoch,)``.
    """
    age_ms = np.zeros(len(rows.satellite), dtype=np.int64)
    since_ns = np.zeros((_SATELLITES, _SIGNALS), dtype=np.int64)
    last = np.full((_SATELLITES, _SIGNALS), -1, dtype=np.int64)
    for epoch in range(len(time_ns)):
        now_ns = time_ns[epoch]
        for row in range(rows.border[epoch], rows.border[epoch + 1]):
            if math.isnan(rows.phase_cyc[row]):
                continue
            satellite, signal = rows.satellite[row], rows.signal[row] % _SIGNALS
            before = last[satellite, signal]
            begins = before < 0 or rows.slip[row] or interrupted[epoch]
            if not begins:
                begins = now_ns - time_ns[before] > _GAP_INTERVALS * max(interval_ns[epoch], interval_ns[before])
            if begins:
                since_ns[satellite, signal] = now_ns
            last[satellite, signal] = epoch
            age_ms[row] = (now_ns - since_ns[satellite, signal]) // 1_000_000
    return age_ms
