"""The streaming doors of a running service: what is due is made in the engine's thread, one stream at a time.

Between two streams the engine takes its turn, so that neither positions nor the next epoch wait for a hundred virtual
stations; the event loop only hands bytes on.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec
import structlog

from gpsgrid.cell_json import CellStatusJson, cell_field, cell_status
from gpsgrid.client_position import position_of
from gpsgrid.config import NetworkConfig
from gpsgrid.edge.outbox import Outbox
from gpsgrid.events import NetworkSolved
from gpsgrid.network_view import NetworkView
from gpsgrid.stream import Made, PlaceStream, Stream
from gpsgrid.streams import Kind, StreamPolicy, Streams
from gpsgrid.topics import Topics, topics_of
from gpsgrid.virtual_stream import Level
from gpsgrid.vrs_messages import text_payload
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason
from stations.wire.framing import encode_frame

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_STATUS_NS = 10 * NS_PER_S  # a cell whose state has not changed is reported this often
_LONGEST_CLIENT = 64
_LONGEST_GGA = 1024
_MOST_LEVELS = 1000
_MQTT = "mqtt/"
_CELL = "cell/"

View = Callable[[FloatArray], NetworkView | None]
Listener = Callable[[bytes], None]


class Turns(Protocol):
    """Where work is done that must not meet the engine; :meth:`gpsgrid.edge.driver.EngineDriver.between_events`."""

    async def __call__(self, function: Callable[[], Made | None]) -> Made | None:
        """Return what the function says."""


@dataclass(frozen=True)
class StreamingHealth:
    """Counters of the streaming doors.

    Attributes:
        cells: That are made all the time.
        places: Virtual stations that are made for clients.
        clients: Listeners beside those of the cells' topics.
        made, skipped, failures, latency_s: As of :class:`StreamingDoor`.
        moved, refused, expired: As of :class:`gpsgrid.streams.StreamCounts`.
    """

    cells: int
    places: int
    clients: int
    made: int
    skipped: int
    failures: int
    moved: int
    refused: int
    expired: int
    latency_s: float


class StreamingDoor:
    """Makes streams after every network epoch and hands them to MQTT topics and to listeners.

    Attributes:
        streams: Who gets what.
        made: Epochs of streams so far.
        skipped: Epochs of streams that were not made, because the next network epoch was there first.
        failures: Streams that raised; each starts anew.
        pass_s: How long the last round over all streams took.
        latency_s: From the solved network epoch to the last byte handed on, in the last round.
        cells: The newest epoch of every cell that is made all the time, by H3 index.
    """

    def __init__(self, view: View, config: NetworkConfig, policy: StreamPolicy | None = None) -> None:
        """Prepare.

        Args:
            view: :meth:`gpsgrid.engine.Engine.view`; called in the engine's thread only.
            config: The network.
            policy: Limits.
        """
        policy = policy or StreamPolicy(cell_reach_m=config.cell_reach_m)
        self.streams = Streams(config.network, config.grid_resolution, policy, config.cells)
        self.made = 0
        self.skipped = 0
        self.failures = 0
        self.pass_s = 0.0
        self.latency_s = 0.0
        self.cells: dict[str, Made] = {}
        self._view = view
        self._topics: Topics = topics_of(config)
        self._outbox: Outbox | None = None
        self._listeners: dict[str, Listener] = {}
        self._time_ns = 0
        self._solved_host_ns = 0
        self._solved = asyncio.Event()
        self._told: dict[str, tuple[Level, str, int]] = {}
        self._levels: dict[str, Level] = {}
        self._refusals = 0

    @property
    def health(self) -> StreamingHealth:
        """A picture of the counters."""
        streams, counts = self.streams, self.streams.counts
        return StreamingHealth(
            len(streams.standing),
            streams.places,
            streams.clients,
            self.made,
            self.skipped,
            self.failures,
            counts.moved,
            counts.refused,
            counts.expired,
            self.latency_s,
        )

    # ---- what the service tells

    def publish_to(self, outbox: Outbox) -> None:
        """Publish cells and MQTT clients through this outbox from now on."""
        self._outbox = outbox

    def solved(self, solved: NetworkSolved) -> None:
        """Take in that a network epoch is there."""
        host_ns = time.monotonic_ns()
        if solved.time_ns < self._time_ns:
            self.streams.go_back()
        self.skipped += len(self.streams.due(self._time_ns)) if self._time_ns else 0
        self._time_ns, self._solved_host_ns = solved.time_ns, host_ns
        self.streams.epoch(solved.stations, host_ns)
        self._solved.set()

    def change_network(self, network: Network) -> None:
        """Take a changed network over; statuses of cells that are no longer made are cleared."""
        before = set(self.streams.standing)
        self.streams.change_network(network)
        for cell in before - set(self.streams.standing):
            self._told.pop(cell, None)
            self.cells.pop(cell, None)
            if self._outbox is not None:
                self._outbox.retain(self._topics.cell_status(cell), b"")

    def farewell(self) -> list[tuple[str, bytes]]:
        """Return the retained messages to leave behind: every cell that was reported is offline."""
        return [
            (self._topics.cell_status(cell), msgspec.json.encode(CellStatusJson(cell, "offline")))
            for cell in self._told
        ]

    def take_position(self, client: str, payload: bytes, arrived_host_ns: int) -> None:
        """Take in a GGA sentence of an MQTT client; it is answered on its stream, be it with a refusal."""
        if len(client) > _LONGEST_CLIENT:
            message = f"a client name of {len(client)} characters; expected at most {_LONGEST_CLIENT}"
            self.count_refusal(client[:_LONGEST_CLIENT], GpsgridError(Reason.OVERSIZED, message))
            return
        try:
            position_m = position_of(payload[:_LONGEST_GGA], gps_now_ns())
            if position_m is not None:
                self.streams.settle(_MQTT + client, Kind.OWN, position_m, arrived_host_ns, expires=True)
        except GpsgridError as error:
            self.count_refusal(client, error)
            if self._outbox is not None:
                self._outbox.stream(self._topics.client_stream(client), spoken(str(error)))

    def count_refusal(self, client: str, error: GpsgridError) -> None:
        """Log the 1st, 2nd, 4th, 8th ... refusal."""
        self._refusals += 1
        if self._refusals & (self._refusals - 1) == 0:
            _log.warning("stream.refused", client=client, reason=str(error.reason), text=str(error), n=self._refusals)

    # ---- what listeners of other doors tell

    def listen(self, client: str, kind: Kind, position_m: FloatArray, hear: Listener) -> Stream:
        """Give a client the stream for where it is now; it hears every epoch from the next one on.

        Raises:
            GpsgridError: ``OUTSIDE_NETWORK`` or ``QUEUE_FULL``; it keeps what it had.
        """
        stream = self.streams.settle(client, kind, position_m, time.monotonic_ns(), expires=False)
        self._listeners[client] = hear
        return stream

    def leave(self, client: str) -> None:
        """Forget a client."""
        self._listeners.pop(client, None)
        self.streams.leave(client)

    # ---- the loop

    async def run(self, turns: Turns) -> None:
        """Make what is due until cancelled."""
        while True:
            await self._solved.wait()
            self._solved.clear()
            began_s = time.monotonic()
            # Asked anew after each: a client may have come, and a newer network epoch may be there.
            while due := self.streams.due(self._time_ns):
                await self._make(due[0], turns)
            self.pass_s = time.monotonic() - began_s
            self.latency_s = (time.monotonic_ns() - self._solved_host_ns) / NS_PER_S

    async def _make(self, stream: Stream, turns: Turns) -> None:
        wanted_ns = self._time_ns
        try:
            made = await turns(partial(self._step, stream))
        except Exception:  # noqa: BLE001 - a bug costs one stream an epoch, not the others theirs
            self.failures += 1
            _log.exception("stream.failed", stream=stream.name, failures=self.failures)
            stream.restart()
            made = None
        stream.last_ns = max(stream.last_ns, wanted_ns)  # what could not be made is not asked for again and again
        if made is not None:
            self.made += 1
            self._hand_on(stream, made)

    def _step(self, stream: Stream) -> Made | None:
        view = self._view(stream.position_m)
        return None if view is None else stream.step(self.streams.policy.virtual, view)

    def _hand_on(self, stream: Stream, made: Made) -> None:
        self._note_level(stream, made)
        if made.payload:
            for client in self.streams.listeners(stream.name):
                if client.startswith(_MQTT) and self._outbox is not None:
                    self._outbox.stream(self._topics.client_stream(client.removeprefix(_MQTT)), made.payload)
                elif client in self._listeners:
                    self._listeners[client](made.payload)
        cell = stream.name.removeprefix(_CELL)
        if not isinstance(stream, PlaceStream) or cell not in self.streams.standing:
            return
        self.cells[cell] = made
        if self._outbox is not None:
            self._publish_cell(self._outbox, cell, stream, made)

    def _publish_cell(self, outbox: Outbox, cell: str, stream: PlaceStream, made: Made) -> None:
        network, report = self.streams.network, made.report
        if made.payload:
            outbox.stream(self._topics.cell_stream(cell), made.payload)
        outbox.stream(
            self._topics.cell_field(cell), msgspec.json.encode(cell_field(cell, made, stream.position_m, network))
        )
        if report is None:
            return
        level, reason, told_ns = self._told.get(cell, (None, "", 0))
        if (report.level, report.reason) != (level, reason) or abs(made.time_ns - told_ns) >= _STATUS_NS:
            self._told[cell] = (report.level, report.reason, made.time_ns)
            status = cell_status(cell, made, stream.position_m, network, gps_now_ns())
            outbox.retain(self._topics.cell_status(cell), msgspec.json.encode(status))

    def _note_level(self, stream: Stream, made: Made) -> None:
        if made.report is None:
            return
        before = self._levels.get(stream.name)
        if before is not made.report.level:
            self._levels[stream.name] = made.report.level
            better = before is None or made.report.level is Level.FULL
            told = _log.info if better else _log.warning
            told("stream.level", stream=stream.name, level=str(made.report.level), reason=made.report.reason)
            if len(self._levels) > _MOST_LEVELS:
                del self._levels[next(iter(self._levels))]


def spoken(words: str) -> bytes:
    """Return a text for the person behind a receiver that gets no stream, as a frame of message 1029."""
    return encode_frame(text_payload(0, gps_now_ns(), words))
