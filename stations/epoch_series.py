"""Epochs as they arrive made a series in time order: parts of one epoch joined, what comes late or again left out.

Systems of one receiver may be tagged apart: some receivers send BeiDou in GPS time, which is 14 s off. So epochs are
held back for :data:`PATIENCE_NS` of stream time, and every observation comes out under the tag that it was sent with.
"""

import bisect
from collections.abc import Iterator

import numpy as np

from stations.constants import NS_PER_S
from stations.epoch import StationEpoch, make_epoch

PATIENCE_NS = 20 * NS_PER_S
_MOST_HELD = 1000  # 20 s at 50 Hz
_KEY = 1000  # a signal integer is below
_COLUMNS = (
    "satellite",
    "signal",
    "pseudorange_m",
    "phase_cyc",
    "cn0_dbhz",
    "lock_ms",
    "half_cycle",
    "doppler_hz",
    "frequency_hz",
)


class EpochSeries:
    """Holds the last epochs back, because more of them may come.

    Attributes:
        late: Epochs left out because a later one had been given before.
        empty: Epochs left out because they had no observation.
        repeated: Observations left out because their epoch had them already.
    """

    def __init__(self) -> None:
        """Start without an epoch."""
        self.late = 0
        self.empty = 0
        self.repeated = 0
        self._held: dict[int, StationEpoch] = {}
        self._times_ns: list[int] = []  # of what is held, rising
        self._given_ns: int | None = None

    def push(self, epoch: StationEpoch) -> Iterator[StationEpoch]:
        """Take in an epoch and yield those that nothing more can belong to, in time order."""
        time_ns = epoch.time_ns
        if self._given_ns is not None and time_ns <= self._given_ns:
            self.late += 1
            return
        if time_ns in self._held:
            self._held[time_ns] = self._joined(self._held[time_ns], epoch)
            return
        self._held[time_ns] = epoch
        bisect.insort(self._times_ns, time_ns)
        while self._times_ns[-1] - self._times_ns[0] > PATIENCE_NS or len(self._times_ns) > _MOST_HELD:
            yield from self._give()

    def finish(self) -> Iterator[StationEpoch]:
        """Yield what is still held."""
        while self._times_ns:
            yield from self._give()

    def _give(self) -> Iterator[StationEpoch]:
        self._given_ns = self._times_ns.pop(0)
        epoch = self._held.pop(self._given_ns)
        if len(epoch):
            yield epoch
        else:
            self.empty += 1

    def _joined(self, first: StationEpoch, second: StationEpoch) -> StationEpoch:
        fresh = ~np.isin(second.satellite * _KEY + second.signal, first.satellite * _KEY + first.signal)
        self.repeated += int(np.sum(~fresh))
        parts = (first, second.rows(fresh))
        return make_epoch(
            first.time_ns, *(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS)
        )
