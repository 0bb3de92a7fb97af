"""A live source that is connected to again for as long as somebody listens, whatever the kind of connection.

A kind of source knows how to connect once; when to try again, what is counted and what is logged stands here. The
rule to keep: no failure of the source ends :meth:`Stream.arrivals`, and none is tried again without a pause.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple, Protocol

import structlog

from stations.edge.backoff import Backoff
from stations.errors import GpsgridError, Reason

# Casters lock out who keeps knocking with a wrong password, so a refusal makes the pauses long.
AFTER_REFUSAL = Backoff(10.0, 300.0)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Arrival(NamedTuple):
    """Bytes as they arrived; ``arrived_host_ns`` is on the host's monotonic clock."""

    data: bytes
    arrived_host_ns: int


class Source(Protocol):
    """One kind of source."""

    @property
    def shown(self) -> str:
        """URL without credentials."""
        ...

    def once(self) -> AsyncGenerator[bytes, None]:
        """Connect and yield what arrives: first nothing, when the connection stands; end when the peer closes.

        Raises:
            GpsgridError: Whatever goes wrong.
        """
        ...


class Stream:
    """The bytes of one source, over as many connections as it takes.

    Attributes:
        shown: URL of the source without credentials.
        connected: Whether there is a connection now.
        connections: How many there have been.
        received_bytes: Bytes so far.
        failures: Attempts and connections that ended with an error.
        refusals: Of these, those that the other side refused.
        problem: What was wrong last; empty while bytes arrive.
    """

    def __init__(
        self, source: Source, *, backoff: Backoff | None = None, after_refusal: Backoff = AFTER_REFUSAL
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            source: What to connect to.
            backoff: Pauses after failures.
            after_refusal: Pauses after refusals.
        """
        self.shown = source.shown
        self.connected = False
        self.connections = 0
        self.received_bytes = 0
        self.failures = 0
        self.refusals = 0
        self.problem = ""
        self._source = source
        self._backoff = backoff or Backoff()
        self._after_refusal = after_refusal

    @property
    def reconnects(self) -> int:
        """Connections after the first one."""
        return max(0, self.connections - 1)

    async def arrivals(self) -> AsyncGenerator[Arrival, None]:
        """Yield bytes as they arrive, for ever; close the generator to disconnect."""
        in_a_row = 0
        refused = False
        while True:
            try:
                async with aclosing(self._source.once()) as chunks:
                    async for data in chunks:
                        if not self.connected:
                            self.connected = True
                            self.connections += 1
                            _log.info("stream.connected", source=self.shown, connection=self.connections)
                        if data:
                            # Only bytes end a row of failures: a caster may accept everybody and then hang up.
                            in_a_row, self.problem = 0, ""
                            self.received_bytes += len(data)
                            yield Arrival(data, time.monotonic_ns())
                self.problem, refused = "the other side closed the connection", False
            except GpsgridError as error:
                self.failures += 1
                refused = error.reason is Reason.STREAM_REFUSED
                self.refusals += refused
                self.problem = str(error)
            finally:
                self.connected = False
            in_a_row += 1
            delay_s = (self._after_refusal if refused else self._backoff).delay_s(in_a_row)
            _log.warning("stream.ended", source=self.shown, problem=self.problem, again_in_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)
