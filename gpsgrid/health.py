"""Counters of the engine as data; logging and metrics are made from them at the edge."""

from collections import Counter
from dataclasses import dataclass, field

from models.coordinates_monitor import Judgement
from stations.constants import NS_PER_S
from stations.errors import Reason

_SHRINK_AFTER = 2  # equal steps in a row that make an interval the station's
_GROW_AFTER = 10  # more, because every other epoch lost looks like half the rate
_SAME_SHARE = 0.1  # of the interval: clocks are steered, and tags are rounded
_LONGEST_GAP_NS = 3600 * NS_PER_S  # a station that was off for longer has lost nothing on the way


@dataclass
class StationHealth:
    """What is known about one station's feed.

    Attributes:
        epochs: Epochs decoded.
        last_epoch_ns: Time of the newest one, ns of GPS time.
        refused: Refused inputs by reason.
        missed: Epochs that should have come between those that came, by the station's own interval.
        interval_ns: That interval; 0 until it has been learned.
        coordinate: What is known of its declared coordinate; ``None`` before the first network epoch.
        repeated: Epochs with the time of the newest one, as a broker sends them again after a connection broke.
        out_of_order: Epochs older than the newest one.
    """

    epochs: int = 0
    last_epoch_ns: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    missed: int = 0
    interval_ns: int = 0
    coordinate: Judgement | None = None
    repeated: int = 0
    out_of_order: int = 0
    _step_ns: int = 0
    _steps: int = 0

    def heard(self, time_ns: int) -> None:
        """Count an epoch and what is missing before it; one that comes late or twice is only counted as such."""
        self.epochs += 1
        step_ns = time_ns - self.last_epoch_ns
        if step_ns <= 0:
            self.repeated += step_ns == 0
            self.out_of_order += step_ns < 0
            return
        known, self.last_epoch_ns = self.last_epoch_ns > 0, time_ns
        if not known or step_ns > _LONGEST_GAP_NS:
            return
        alike = abs(step_ns - self._step_ns) <= _SAME_SHARE * self._step_ns
        self._step_ns, self._steps = step_ns, self._steps + 1 if alike else 1
        shorter = self.interval_ns == 0 or step_ns < self.interval_ns
        if self._steps >= (_SHRINK_AFTER if shorter else _GROW_AFTER):
            self.interval_ns = step_ns
        elif self.interval_ns:
            self.missed += max(0, round(step_ns / self.interval_ns) - 1)


@dataclass
class Health:
    """What the engine has done since it started.

    Attributes:
        network_epochs: Network epochs solved.
        stations: Per station.
        answers: Answers by status.
        refusals: Refused inputs by reason, stations and queries together.
        last_epoch_ns: Last network epoch.
        learned: Times that new hyperparameters came into force.
    """

    network_epochs: int = 0
    stations: dict[str, StationHealth] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    refusals: Counter[Reason] = field(default_factory=Counter)
    last_epoch_ns: int = 0
    learned: int = 0
