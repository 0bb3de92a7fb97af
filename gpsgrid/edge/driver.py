"""The engine in the real world: one queue in front of it, one thread under it, the host's clock beside it.

The engine is touched by one thread only, in the order of the queue, so a result depends on the events and not on
scheduling. The loop never ends by itself: an event that makes the engine raise is logged, counted and dropped.
"""

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import structlog

from gpsgrid.events import Event, HyperparametersLearned, NetworkChanged, Output, PayloadArrived, PositionAsked, Tick
from gpsgrid.health import Health
from gpsgrid.network_view import NetworkView
from stations.arrays import FloatArray
from stations.constants import NS_PER_S

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Result = TypeVar("Result")

_SHORTEST_WAIT_S = 0.001  # a deadline that has passed already is not waited for in a busy loop


class EngineLike(Protocol):
    """What is driven: :class:`gpsgrid.engine.Engine`, or a stand-in of the same behaviour."""

    health: Health

    def handle(self, event: Event) -> list[Output]:
        """Take in one event; return what follows from it."""

    def deadline(self) -> int | None:
        """Return when a tick is due, on the host clock."""

    def view(self, position_m: FloatArray) -> NetworkView | None:
        """Return the newest network epoch as seen from a place."""


class EngineDriver:
    """Feeds an engine from a bounded queue and hands on what comes out.

    Attributes:
        failures: Events that made the engine raise.
    """

    def __init__(
        self,
        engine: EngineLike,
        on_output: Callable[[Output], Awaitable[Event | None]],
        on_failure: Callable[[Event, Exception], None],
        max_queue: int,
    ) -> None:
        """Prepare.

        Args:
            engine: Not touched by anybody else from now on.
            on_output: Called for every output, in order; an event that it returns is handled before the next one.
            on_failure: Told which event was dropped and why.
            max_queue: Events that may wait.
        """
        self.failures = 0
        self._engine = engine
        self._on_output = on_output
        self._on_failure = on_failure
        self._queue: asyncio.Queue[Event] = asyncio.Queue(max_queue)
        self._delayed: Event | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return self._queue.qsize()

    async def put(self, event: Event) -> None:
        """Add an event, waiting for room."""
        await self._queue.put(event)

    def offer(self, event: Event) -> bool:
        """Add an event if there is room; return whether there was."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            return False
        return True

    async def health(self) -> Health:
        """Return a copy of the engine's counters, taken between two events."""
        return await self.between_events(lambda: copy.deepcopy(self._engine.health))

    async def view(self, position_m: FloatArray) -> NetworkView | None:
        """Return the newest network epoch as seen from a place; nothing of it changes afterwards."""
        return await self.between_events(lambda: self._engine.view(position_m))

    async def between_events(self, function: Callable[[], Result]) -> Result:
        """Return what a function says that is called when the engine handles nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    async def run(self) -> None:
        """Handle events until cancelled."""
        try:
            while True:
                await self._handle(await self._next())
        finally:
            self._thread.shutdown(wait=True)

    async def _next(self) -> Event:
        if self._delayed is not None:
            event, self._delayed = self._delayed, None
            return event
        deadline_ns = self._engine.deadline()
        if deadline_ns is None:
            return await self._queue.get()
        if self._queue.empty():
            wait_s = (deadline_ns - time.monotonic_ns()) / NS_PER_S
            try:
                async with asyncio.timeout(max(wait_s, _SHORTEST_WAIT_S)):
                    event = await self._queue.get()
            except TimeoutError:
                return Tick(time.monotonic_ns())
        else:
            event = self._queue.get_nowait()
        arrived_ns = _arrived_ns(event)
        if arrived_ns is not None and arrived_ns >= deadline_ns:
            # In a backlog the order is that of arrival, as if we had been on time.
            self._delayed = event
            return Tick(arrived_ns)
        return event

    async def _handle(self, event: Event) -> None:
        events = [event]
        while events:
            current = events.pop(0)
            try:
                loop = asyncio.get_running_loop()
                outputs = await loop.run_in_executor(self._thread, self._engine.handle, current)
                for output in outputs:
                    following = await self._on_output(output)
                    if following is not None:
                        events.append(following)
            except Exception as error:  # noqa: BLE001 - a bug costs one event, not the service
                self.failures += 1
                _log.exception("engine.failed", event_kind=type(current).__name__, failures=self.failures)
                self._on_failure(current, error)


def _arrived_ns(event: Event) -> int | None:
    match event:
        case PayloadArrived() | PositionAsked() | Tick():
            return event.host_ns
        case HyperparametersLearned() | NetworkChanged():
            return None
