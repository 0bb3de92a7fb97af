"""A stuck receiver, or whatever stands between it and us: the same observations again under a new time tag.

Satellites move by hundreds of metres a second, and even a geostationary one is measured with noise, so no phase comes
twice to the last bit. A station that repeats itself is left out as a whole: nothing in its epoch is of that time.
"""

import numpy as np

from stations.arrays import IntArray
from stations.epoch import StationEpoch

SHARE = 0.5
_SIGNALS = 1000  # signal integers are below


def repeats(before: StationEpoch, now: StationEpoch) -> bool:
    """Return whether a station sent old observations as new ones.

    Args:
        before: Its epoch before.
        now: Its present epoch.

    Returns:
        True where the tags differ, and code and phase are equal to the bit in more than half of the common rows.
    """
    if now.time_ns == before.time_ns or not len(now):
        return False
    first, second = _keys(before), _keys(now)
    if np.array_equal(first, second):
        old = new = np.arange(len(second))
    else:
        _, old, new = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    phase, code = now.phase_cyc[new], now.pseudorange_m[new]
    there = np.isfinite(phase) & np.isfinite(code)
    same = there & (phase == before.phase_cyc[old]) & (code == before.pseudorange_m[old])
    return bool(int(same.sum()) > SHARE * max(int(there.sum()), 1))


def _keys(epoch: StationEpoch) -> IntArray:
    keys: IntArray = epoch.satellite * _SIGNALS + epoch.signal
    return keys
