"""What the learner gets to see: robustly cleaned field observations of the last hour, network stations only."""

from collections import deque
from dataclasses import dataclass, field
from typing import Self

from gpsgrid.events import LearningDue
from gpsgrid.snapshot import Snapshot
from models.field.solve import FieldObservations
from stations.arrays import FloatArray
from stations.constants import NS_PER_S

_SAMPLE_NS = 300 * NS_PER_S  # further apart than the residual field remembers
_EARLY_SAMPLE_NS = 60 * NS_PER_S  # until the first window is full: some knowledge soon beats independent samples
_SAMPLES = 12
_FEWEST = 3
_FIRST_NS = 300 * NS_PER_S
_EVERY_NS = 1800 * NS_PER_S
_SETTLED_SHARE = 0.5  # of the double differences; float ambiguities would teach the filter's own prior


@dataclass
class LearningWindow:
    """Collects samples and says when learning is due."""

    _samples: deque[tuple[int, FieldObservations, FloatArray, FloatArray]] = field(
        default_factory=lambda: deque(maxlen=_SAMPLES)
    )
    _start_ns: int = -1
    _due_ns: int = -1
    _taken: int = 0

    @classmethod
    def after(cls, time_ns: int) -> Self:
        """Return the window of an engine that has learned before: a full one comes before the next learning."""
        return cls(_start_ns=time_ns, _due_ns=time_ns + _EVERY_NS)

    def push(self, snapshot: Snapshot) -> LearningDue | None:
        """Take in a snapshot; return the window when somebody should learn from it now.

        The clusters of a large network take turns: the field of one day is rough everywhere or nowhere.
        """
        time_ns = snapshot.time_ns
        snapshot = snapshot.parts[self._taken % len(snapshot.parts)]
        if self._start_ns < 0:
            self._start_ns, self._due_ns = time_ns, time_ns + _FIRST_NS
        full = len(self._samples) == _SAMPLES
        last_ns = self._samples[-1][0] if self._samples else time_ns - _SAMPLE_NS
        if (
            time_ns - last_ns >= (_SAMPLE_NS if full else _EARLY_SAMPLE_NS)
            and snapshot.info.fixed_share >= _SETTLED_SHARE
        ):
            weights = snapshot.field.weight * snapshot.delays.fixed
            self._taken += 1
            self._samples.append((time_ns, snapshot.observations, snapshot.scales, weights))
        if time_ns < self._due_ns or len(self._samples) < _FEWEST:
            return None
        # 5, 10, 20, 40 minutes after the start, then every half hour.
        self._due_ns = time_ns + min(max(time_ns - self._start_ns, _FIRST_NS), _EVERY_NS)
        _, window, scales, weights_ = zip(*self._samples, strict=True)
        return LearningDue(time_ns, window, scales, weights_, snapshot.hyper)
