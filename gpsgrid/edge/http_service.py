"""What the HTTP door needs of the service behind it."""

from typing import Protocol

from gpsgrid.answer import Answer
from gpsgrid.config import NetworkConfig
from gpsgrid.edge.metrics import Metrics
from gpsgrid.edge.service_health import ServiceHealth
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.events import PositionAsked
from gpsgrid.network_view import NetworkView
from stations.arrays import FloatArray


class PositionService(Protocol):
    """Of :class:`gpsgrid.edge.service.Service`."""

    config: NetworkConfig
    metrics: Metrics

    @property
    def streaming(self) -> StreamingDoor | None:
        """What makes the virtual stations; ``None`` without them."""

    async def ask(self, asked: PositionAsked) -> Answer:
        """Return the answer to a query."""

    async def health(self) -> ServiceHealth:
        """Return a picture of all counters."""

    async def view(self, position_m: FloatArray) -> NetworkView | None:
        """Return the newest network epoch as seen from a place."""
