"""The last complete ranges of a stream, to complete those of messages that leave out whole milliseconds.

A satellite and a receiver clock together change a range by a kilometre a second or so; a light-millisecond is 300 km.
Rule: only what came complete is remembered, so that a guess never confirms itself.
"""

import numpy as np

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

    def learned(self, epoch: StationEpoch, *, full: bool) -> StationEpoch:
        """Remember the codes of an epoch if they came complete; return the epoch."""
        if full:
            coded = np.isfinite(epoch.pseudorange_m)
            self._range_m[epoch.satellite[coded]] = epoch.pseudorange_m[coded]
            self._time_ns[epoch.satellite[coded]] = epoch.time_ns
        return epoch

    def near_m(self, satellite: IntArray, time_ns: int) -> FloatArray:
        """Return ranges right within 100 km at a time, metres, NaN where unknown, shape ``(row,)``."""
        recent = np.abs(self._time_ns[satellite] - time_ns) <= _VALID_NS
        return np.where(recent, self._range_m[satellite], np.nan)
