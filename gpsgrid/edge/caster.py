"""The NTRIP caster: listens, keeps count of its connections, and takes epochs from the streaming door."""

import asyncio
import itertools
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from gpsgrid.caster_request import CasterRequest
from gpsgrid.caster_table import Mountpoint, sourcetable
from gpsgrid.caster_users import HashedPassword, parse_users
from gpsgrid.edge.caster_client import CasterClient, CasterLimits
from gpsgrid.edge.caster_gate import Gate
from gpsgrid.edge.streaming import StreamingDoor
from stations.arrays import FloatArray
from stations.edge.files import read_bytes
from stations.errors import GpsgridError, Reason

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_BACKLOG = 1024
_HANDSHAKE_S = 10.0
_FAREWELL_S = 1.0


@dataclass(frozen=True)
class CasterOptions:
    """Where a caster listens and whom it lets in.

    Attributes:
        host, port: Address; port 0 for any free one.
        users: File of users; ``None`` lets everybody in.
        certificate, key: PEM files for TLS; ``None`` for plain connections.
        limits: What one client may cost.
    """

    host: str = "127.0.0.1"
    port: int = 2101
    users: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    limits: CasterLimits = CasterLimits()


class Caster:
    """A caster that serves for as long as the context is open.

    Attributes:
        limits: What one client may cost.
        port: The chosen one when 0 was asked for.
        answers: Connections that have ended by status; 0 for those without an answer.
        slow: Clients that were dropped because they did not take their epochs.
        sent_bytes, sent_epochs: Of connections that have ended.
    """

    def __init__(self, door: StreamingDoor, options: CasterOptions) -> None:
        """Read users and certificate; nothing is bound before the context is entered.

        Raises:
            GpsgridError: ``MISSING_FILE`` or ``BAD_CONFIG``.
        """
        self.limits = options.limits
        self.port = options.port
        self.answers: Counter[int] = Counter()
        self.slow = 0
        self.sent_bytes = 0
        self.sent_epochs = 0
        self._door = door
        self._options = options
        self._gate = Gate(None if options.users is None else load_users(options.users))
        self._tls = _tls(options)
        self._numbers = itertools.count(1)
        self._clients: dict[str, CasterClient] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def clients(self) -> tuple[CasterClient, ...]:
        """Connections at present, with their counters."""
        return tuple(self._clients.values())

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return f"{'ntrips' if self._tls else 'ntrip'}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            GpsgridError: ``BAD_CONFIG``, the address cannot be used.
        """
        options, loop = self._options, asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: CasterClient(self, f"ntrip/{next(self._numbers)}"),
                options.host,
                options.port,
                backlog=_BACKLOG,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_S if self._tls else None,
                ssl_shutdown_timeout=_FAREWELL_S if self._tls else None,
            )
        except OSError as error:
            message = (
                f"NTRIP cannot listen on {options.host}:{options.port} ({error.strerror}); choose another --ntrip-port"
            )
            raise GpsgridError(Reason.BAD_CONFIG, message, host=options.host, port=options.port) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end all connections."""
        if self._server is None:
            return
        for listening in self._server.sockets:  # Python 3.11 leaves a connection open that starts after the close
            asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(0)
        self._server.close()
        for client in self.clients:
            client.end("the caster ends")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        deadline_s = time.monotonic() + _FAREWELL_S
        while self._clients and time.monotonic() < deadline_s:  # noqa: ASYNC110 - connections end one by one
            await asyncio.sleep(0.01)
        for client in self.clients:
            client.cut()
        await asyncio.sleep(0)

    # ---- what connections ask

    def opened(self, client: CasterClient) -> bool:
        """Take note of a connection; false when there are too many."""
        full = len(self._clients) >= self.limits.connections
        self._clients[client.name] = client
        return not full

    def closed(self, client: CasterClient, status: int, why: str) -> None:
        """Take note that a connection has ended."""
        if self._clients.pop(client.name, None) is None:
            return
        self._door.leave(client.name)
        self.answers[status] += 1
        self.slow += why.startswith("too slow")
        self.sent_bytes += client.sent_bytes
        self.sent_epochs += client.sent_epochs
        seconds = time.monotonic() - client.since_s
        told = _log.info if client.mountpoint or status == 200 else _log.debug
        told(
            "caster.closed",
            client=client.name,
            address=client.address,
            user=client.user,
            mountpoint=client.mountpoint,
            status=status,
            why=why,
            seconds=round(seconds, 1),
            epochs=client.sent_epochs,
            bytes=client.sent_bytes,
            bytes_per_s=round(client.sent_bytes / max(seconds, 1.0)),
            positions=client.positions,
        )

    def table(self) -> bytes:
        """Return the sourcetable."""
        host = self._options.host
        return sourcetable(self._door.streams.network, host, self.port, passwords=self._gate.closed)

    def check(self, request: CasterRequest, address: str) -> Awaitable[None]:
        """Let a user in or raise."""
        return self._gate.check(request.user, request.password, address)

    def listen(self, client: CasterClient, mountpoint: Mountpoint, position_m: FloatArray) -> None:
        """Give a client the stream for its position or raise."""
        try:
            self._door.listen(client.name, mountpoint.kind, position_m, client.hear)
        except GpsgridError as error:
            self._door.count_refusal(client.name, error)
            raise

    def spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Do something beside; it ends with the caster."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def load_users(path: Path) -> Mapping[str, HashedPassword]:
    """Read a file of users.

    Raises:
        GpsgridError: ``MISSING_FILE`` or ``BAD_CONFIG``.
    """
    return parse_users(read_bytes(path).decode("utf-8", "replace"), str(path))


def _tls(options: CasterOptions) -> ssl.SSLContext | None:
    if options.certificate is None and options.key is None:
        return None
    if options.certificate is None or options.key is None:
        message = "TLS needs a certificate and its key; give --ntrip-cert and --ntrip-key"
        raise GpsgridError(Reason.BAD_CONFIG, message)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(options.certificate, options.key)
    except (OSError, ssl.SSLError) as error:
        message = (
            f"certificate {options.certificate} and key {options.key} cannot be used ({error}); expected PEM files"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message) from error
    return context
