"""One connection of the caster: a request, an answer, then epochs out and positions in.

Whatever a client does, it costs a bounded number of bytes and ends by itself: a head that does not come, a position
that does not come, and epochs that are not taken each have a limit.
"""

import asyncio
import datetime as dt
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, cast

import structlog

from gpsgrid.caster_answer import chunk, refusal_answer, stream_head, table_answer
from gpsgrid.caster_request import CasterRequest, RequestReader
from gpsgrid.caster_table import MOUNTPOINTS, Mountpoint
from gpsgrid.client_position import SentenceBuffer, position_of
from gpsgrid.edge.streaming import spoken
from gpsgrid.problem import refusal_of
from stations.arrays import FloatArray
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_USER_TIMEOUT_MS = 30_000  # a host that has vanished without a word
_LINGER_S = 2.0  # a refused client has so long to take its answer
_MOST_IGNORED = 1 << 18  # and may send so much meanwhile
_MOST_EARLY = 4096  # bytes between request and answer
_POSITION_EVERY_S = 0.2  # positions that come faster are not looked at
_TEXT_EVERY_S = 10.0


@dataclass(frozen=True)
class CasterLimits:
    """What one client may cost.

    Attributes:
        head_s: Until its request is complete.
        position_s: From the request to the first position that can be served.
        waiting_bytes: Of epochs that it has not taken; one more and it is dropped.
        junk_bytes: That it may send beside positions.
        connections: Of all clients together.
    """

    head_s: float = 10.0
    position_s: float = 60.0
    waiting_bytes: int = 1 << 16
    junk_bytes: int = 1 << 16
    connections: int = 6000


class Owner(Protocol):
    """The caster, as its connections see it."""

    limits: CasterLimits

    def opened(self, client: "CasterClient") -> bool:
        """Take note of a connection; false when there are too many."""

    def closed(self, client: "CasterClient", status: int, why: str) -> None:
        """Take note that a connection has ended."""

    def table(self) -> bytes:
        """Return the sourcetable."""

    def check(self, request: CasterRequest, address: str) -> Awaitable[None]:
        """Let a user in or raise."""

    def listen(self, client: "CasterClient", mountpoint: Mountpoint, position_m: FloatArray) -> None:
        """Give a client the stream for its position or raise."""

    def spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Do something beside."""


class _State(Enum):
    HEAD = 1
    CHECK = 2
    STREAM = 3
    DONE = 4


class CasterClient(asyncio.Protocol):
    """A connection.

    Attributes:
        name: Unique in this process.
        address: Of the other side.
        user: As whom it came.
        mountpoint: What it gets, empty before.
        sent_bytes, sent_epochs: So far.
        positions: That were taken.
        since_s: When it came, on the host's monotonic clock.
    """

    def __init__(self, owner: Owner, name: str) -> None:
        """Wait for the connection."""
        self.name = name
        self.address = ""
        self.user = ""
        self.mountpoint = ""
        self.sent_bytes = 0
        self.sent_epochs = 0
        self.positions = 0
        self.since_s = time.monotonic()
        self._owner = owner
        self._state = _State.HEAD
        self._reader = RequestReader()
        self._sentences = SentenceBuffer()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._point: Mountpoint | None = None
        self._version = 1
        self._early = b""
        self._ignored = 0
        self._status = 0
        self._why = ""
        self._placed = False
        self._looked_s = float("-inf")
        self._spoke_s = float("-inf")

    # ---- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # type: ignore[explicit-override]  # as of Python 3.12
        """Start the time for the request."""
        self._transport = cast("asyncio.Transport", transport)
        peer, plug = transport.get_extra_info("peername"), transport.get_extra_info("socket")
        if plug is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        self.address = str(peer[0]) if peer else ""
        if not self._owner.opened(self):
            self._refuse(503, "the caster is full; try again later")
            return
        self._after(self._owner.limits.head_s, self._no_head)

    def data_received(self, data: bytes) -> None:  # type: ignore[explicit-override]
        """Take in what came; a mistake of ours costs this connection only."""
        try:
            self._take(data)
        except GpsgridError as error:
            self._refuse_for(error)

    def connection_lost(self, exc: Exception | None) -> None:  # type: ignore[explicit-override]
        """Forget everything."""
        self._state = _State.DONE
        self._stop_timer()
        if self._task is not None:
            self._task.cancel()
        self._owner.closed(self, self._status, self._why or (str(exc) if exc else "the client left"))

    # ---- epochs

    def hear(self, payload: bytes) -> None:
        """Send an epoch, or drop a client that has not taken those before."""
        transport = self._transport
        if transport is None or self._state is not _State.STREAM or transport.is_closing():
            return
        waiting = transport.get_write_buffer_size()
        if waiting + len(payload) > max(self._owner.limits.waiting_bytes, len(payload)):
            self._why = f"too slow: {waiting} bytes were waiting"
            self._state = _State.DONE
            transport.abort()
            return
        self.sent_epochs += 1
        self._send(payload)

    def end(self, why: str) -> None:
        """Close in good order, at the end of the caster."""
        self._why = why
        self._state = _State.DONE
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self, payload: bytes) -> None:
        if self._transport is not None:
            data = payload if self._version == 1 else chunk(payload)
            self.sent_bytes += len(data)
            self._transport.write(data)

    # ---- requests and positions

    def _take(self, data: bytes) -> None:
        match self._state:
            case _State.HEAD:
                request = self._reader.push(data)
                if request is not None:
                    self._begin(request)
            case _State.CHECK:
                self._early = (self._early + data)[:_MOST_EARLY]
            case _State.STREAM:
                self._listen_to(data)
            case _State.DONE:
                self._ignored += len(data)
                if self._ignored > _MOST_IGNORED and self._transport is not None:
                    self._transport.abort()

    def _begin(self, request: CasterRequest) -> None:
        self._version, self._early = request.version, self._reader.rest[:_MOST_EARLY]
        self.user = request.user
        if request.method != "GET":
            message = f"{request.method} came; this caster takes no streams, only GET is answered"
            raise GpsgridError(Reason.STREAM_REFUSED, message, status=501)
        point = MOUNTPOINTS.get(request.mountpoint) or MOUNTPOINTS.get(request.mountpoint.upper())
        if point is None and request.mountpoint and request.version == 2:
            shown = request.mountpoint[:60]
            message = f"there is no mountpoint {shown!r}; there are {', '.join(MOUNTPOINTS)}"
            raise GpsgridError(Reason.STREAM_REFUSED, message, status=404)
        if point is None:
            # Version 1 knows no other answer to a name that is none.
            self._finish(200, table_answer(request.version, self._owner.table(), _now()), "sourcetable")
            return
        self._state, self._point = _State.CHECK, point
        self._stop_timer()
        self._task = self._owner.spawn(self._let_in(request, point))

    async def _let_in(self, request: CasterRequest, point: Mountpoint) -> None:
        try:
            await self._owner.check(request, self.address)
            if self._state is not _State.CHECK:
                return
            if request.gga:
                self._settle(request.gga, point)
        except GpsgridError as error:
            self._refuse_for(error)
            return
        if self._transport is None:
            return
        self._state, self._status, self.mountpoint = _State.STREAM, 200, point.name
        self._transport.write(stream_head(self._version, _now()))
        if not self._placed:
            self._after(self._owner.limits.position_s, self._no_position)
        early, self._early = self._early, b""
        self._listen_to(early)

    def _listen_to(self, data: bytes) -> None:
        lines = self._sentences.push(data)
        if self._sentences.junk > self._owner.limits.junk_bytes:
            self._drop(f"{self._sentences.junk} bytes that are no position")
            return
        now_s = time.monotonic()
        if not lines or self._point is None or now_s - self._looked_s < _POSITION_EVERY_S:
            return
        self._looked_s = now_s
        problem = ""
        for line in reversed(lines[-8:]):  # the newest that says something
            try:
                if self._settle(line, self._point):
                    return
            except GpsgridError as error:
                problem = str(error)
                if error.reason in {Reason.OUTSIDE_NETWORK, Reason.QUEUE_FULL}:
                    break
        if problem:
            self._say(problem)

    def _settle(self, sentence: str | bytes, point: Mountpoint) -> bool:
        """Tell the caster where this client is; return whether the sentence says so."""
        position_m = position_of(sentence, gps_now_ns())
        if position_m is None:
            return False
        self._owner.listen(self, point, position_m)
        self.positions += 1
        if not self._placed:
            self._placed = True
            self._stop_timer()
        return True

    def _say(self, words: str) -> None:
        """Tell a client in the stream, as there is no other way any more, that its position cannot be used."""
        if time.monotonic() - self._spoke_s >= _TEXT_EVERY_S:
            self._spoke_s = time.monotonic()
            self._send(spoken(words))

    # ---- the end

    def _no_head(self) -> None:
        self._refuse(408, f"no complete request within {self._owner.limits.head_s:g} s")

    def _no_position(self) -> None:
        self._spoke_s = float("-inf")
        self._say(f"no usable position (GGA) within {self._owner.limits.position_s:g} s: switch it on in the receiver")
        self._drop("no position")

    def _refuse_for(self, error: GpsgridError) -> None:
        status = error.facts.get("status")
        self._refuse(status if isinstance(status, int) else refusal_of(error.reason).status, str(error))

    def _refuse(self, status: int, words: str) -> None:
        self._finish(status, refusal_answer(self._version, status, words, _now()), words)

    def _finish(self, status: int, answer: bytes, why: str) -> None:
        """Answer, and close when the client has had time to read it: closed at once, its answer may be lost."""
        self._status, self._why, self._state = status, why, _State.DONE
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self.sent_bytes += len(answer)
        transport.write(answer)
        if transport.can_write_eof():
            transport.write_eof()
            self._after(_LINGER_S, transport.abort)
        else:
            transport.close()

    def _drop(self, why: str) -> None:
        self._why, self._state = why, _State.DONE
        if self._transport is not None:
            if self._version == 2:
                self._transport.write(chunk(b""))
            self._transport.close()

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, call)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
