"""What the header of an observation file says about the epochs behind it, gathered epoch by epoch.

A file can then be written in two passes without ever being in memory: the first gathers, the second writes.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.signals import channels_from


@dataclass
class ObservationContents:
    """Signals, times and GLONASS channels of the epochs so far.

    Attributes:
        first_ns, last_ns: Times of the first and the last epoch, ns of GPS time; 0 without epochs.
        epochs: How many.
        signals: Signal integers that occur.
        glonass_channels: By satellite integer, as far as the frequencies of the rows tell; of two the last one.
        spacings_ns: How often each time between two epochs occurred.
    """

    first_ns: int = 0
    last_ns: int = 0
    epochs: int = 0
    signals: set[int] = field(default_factory=set)
    glonass_channels: dict[int, int] = field(default_factory=dict)
    spacings_ns: Counter[int] = field(default_factory=Counter)

    def add(self, epoch: StationEpoch) -> None:
        """Take in the next epoch."""
        if self.epochs:
            self.spacings_ns[epoch.time_ns - self.last_ns] += 1
        else:
            self.first_ns = epoch.time_ns
        self.last_ns = epoch.time_ns
        self.epochs += 1
        self.signals.update(np.unique(epoch.signal).tolist())
        channel = channels_from(epoch.signal, epoch.frequency_hz)
        known = np.flatnonzero(~np.isnan(channel))
        numbers = channel[known].astype(np.int64).tolist()
        self.glonass_channels.update(zip(epoch.satellite[known].tolist(), numbers, strict=True))

    @property
    def interval_s(self) -> float | None:
        """Median time between epochs, seconds; ``None`` with fewer than two."""
        if not self.spacings_ns:
            return None
        spacing_ns, count = (np.array(column) for column in zip(*sorted(self.spacings_ns.items()), strict=True))
        before = np.cumsum(count)
        middle = np.searchsorted(before, [(before[-1] - 1) // 2, before[-1] // 2], side="right")
        return float(np.mean(spacing_ns[middle])) / NS_PER_S
