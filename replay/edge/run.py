"""Replays: the same stations and rover through the engine, offline or through a broker and the live service."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gpsgrid.edge.learner import learn_now
from gpsgrid.engine import Engine
from gpsgrid.events import CoordinateJudged, InputRefused, Output
from gpsgrid.health import Health
from models.session_state import Motion
from replay.edge.prepare import Prepared
from replay.player import play
from replay.track import TrackRow, row_of
from stations.constants import NS_PER_S
from stations.errors import Reason
from stations.gpstime import to_iso

RowSink = Callable[[TrackRow], None]
"""Is given every row as soon as it is known."""


@dataclass
class ReplayReport:
    """How a replay went, besides its track.

    Attributes:
        epochs: Rover epochs answered.
        wall_s: How long it took, loading not included.
        network_epochs: Network epochs solved.
        learned: Times that new hyperparameters came into force.
        coordinates: What was said about wrong coordinates, with the epoch.
        refused: Refused inputs by reason.
        first_refusals: What was said at the first refusal of each kind.
        latency_ms: From the first publication of an epoch to its answer, through a broker only, without the epochs in
            which the engine waited for the learner.
        learning_latency_ms: The same for those.
        broker: URL of the broker and the program, through a broker only.
    """

    epochs: int = 0
    wall_s: float = 0.0
    network_epochs: int = 0
    learned: int = 0
    coordinates: list[str] = field(default_factory=list)
    refused: Counter[Reason] = field(default_factory=Counter)
    first_refusals: dict[Reason, str] = field(default_factory=dict)
    latency_ms: list[float] = field(default_factory=list)
    learning_latency_ms: list[float] = field(default_factory=list)
    broker: str = ""

    def observe(self, output: Output) -> None:
        """Keep the first text of every kind of refusal."""
        if isinstance(output, CoordinateJudged):
            self.coordinates.append(f"{to_iso(output.time_ns)} {output.text}")
        if isinstance(output, InputRefused):
            self.first_refusals.setdefault(output.reason, output.text)

    def finish(self, health: Health, started_ns: int) -> None:
        """Take over the counters of the engine at the end."""
        self.wall_s = (time.perf_counter_ns() - started_ns) / NS_PER_S
        self.network_epochs = health.network_epochs
        self.learned = health.learned
        self.refused = Counter(health.refusals)


def replay_offline(prepared: Prepared, sink: RowSink, report: ReplayReport, motion: Motion | None = None) -> None:
    """Replay without a clock: as fast as possible and the same to the bit every time.

    Args:
        prepared: Used up.
        sink: Is given one row for every rover epoch, in the order of time; what it raises ends the replay.
        report: Is filled in, also when the replay is interrupted.
        motion: What a session assumes of the rover; ``None`` for single epochs.
    """
    started_ns = time.perf_counter_ns()
    engine = Engine(prepared.engine_config())
    try:
        for time_ns, answer in play(engine, prepared.recording, prepared.rover, learn_now, report.observe, motion):
            report.epochs += 1
            sink(row_of(answer, time_ns))
    finally:
        report.finish(engine.health, started_ns)
