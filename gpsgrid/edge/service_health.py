"""A picture of the service at one moment, for health, metrics and logs."""

from dataclasses import dataclass
from enum import StrEnum

from gpsgrid.edge.streaming import StreamingHealth
from gpsgrid.events import NetworkSolved
from gpsgrid.health import Health

_STALE_S = 30.0  # as old as a network epoch may be for a query (gpsgrid.query)


class ServiceState(StrEnum):
    """Whether positions can be had."""

    OK = "ok"
    WAITING = "waiting"
    STALE = "stale"


@dataclass(frozen=True)
class ServiceHealth:
    """Counters of the service and a copy of the engine's.

    Attributes:
        engine: Copy of the engine's counters.
        solved: The last network epoch.
        solved_ago_s: How long ago it was solved, by the host's clock.
        queue_depth: Events that wait for the engine.
        engine_failures: Events that made the engine raise.
        learning_failures: Windows that the learner could not use.
        mqtt_connected: Whether the broker is connected; ``None`` without a broker.
        mqtt_dropped: Messages that fell out of full queues, in and out.
        mqtt_reconnects: Connections after the first one.
        streaming: Counters of the streaming doors; ``None`` without them.
        overtaken: Epochs of streams that the broker did not take before the next one.
    """

    engine: Health
    solved: NetworkSolved | None
    solved_ago_s: float | None
    queue_depth: int
    engine_failures: int
    learning_failures: int
    mqtt_connected: bool | None
    mqtt_dropped: int
    mqtt_reconnects: int
    streaming: StreamingHealth | None = None
    overtaken: int = 0

    @property
    def state(self) -> ServiceState:
        """``waiting`` for the first network epoch, ``stale`` when the last one is too long ago."""
        if self.solved_ago_s is None:
            return ServiceState.WAITING
        return ServiceState.OK if self.solved_ago_s <= _STALE_S else ServiceState.STALE
