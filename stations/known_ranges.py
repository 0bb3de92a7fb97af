"""The last complete ranges of a stream, to complete those of messages that leave out whole milliseconds.

A satellite and a receiver clock together change a range by a kilometre a second or so; a light-millisecond is 300 km.
Rule: only what came complete is remembered, so that a guess never confirms itself.
"""

import numpy as np
from numba import njit

from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch

_VALID_NS = 60 * NS_PER_S
_SATELLITES = 700  # satellite integers are below


class KnownRanges:
    """Pseudoranges by satellite with the time when they were seen."""

    def __init__(self) -> None:
        """Start without any."""
        self._range_m: FloatArray = np.full(_SATELLITES, np.nan)
        self._time_ns: IntArray = np.zeros(_SATELLITES, dtype=np.int64)

    def learn(self, epoch: StationEpoch) -> None:
        """Remember the codes of an epoch, which have to have come complete."""
        _learn_inplace(self._range_m, self._time_ns, epoch.satellite, epoch.pseudorange_m, epoch.time_ns)

    def near_m(self, satellite: IntArray, time_ns: int) -> FloatArray:
        """Return ranges right within 100 km at a time, metres, NaN where unknown, shape ``(row,)``."""
        recent = np.abs(self._time_ns[satellite] - time_ns) <= _VALID_NS
        return np.where(recent, self._range_m[satellite], np.nan)


@njit(cache=True, nogil=True)
def _learn_inplace(
    range_m: FloatArray, time_ns: IntArray, satellite: IntArray, pseudorange_m: FloatArray, epoch_ns: int
) -> None:
    for row in range(satellite.size):
        if np.isfinite(pseudorange_m[row]):
            range_m[satellite[row]] = pseudorange_m[row]
            time_ns[satellite[row]] = epoch_ns
