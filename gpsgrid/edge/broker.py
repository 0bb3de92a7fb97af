"""A broker that needs no installation, for demonstrations, tests and small networks.

mosquitto where it is on PATH, amqtt otherwise, in a child process, on loopback, without passwords and without
persistence. Production has a broker of its own, with users and TLS (docs/adr/003).
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import structlog

from stations.errors import GpsgridError, Reason

LOOPBACK = "127.0.0.1"

Program = Literal["auto", "mosquitto", "amqtt"]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_CHILD = Path(__file__).with_name("broker_child.py")
_START_TIMEOUT_S = 20.0  # amqtt on a busy machine takes two
_STOP_TIMEOUT_S = 8.0  # the child has its own, shorter one
_POLL_S = 0.02
_ATTEMPTS = 3  # a free port may be taken by somebody else before the broker has it
_TAIL_LINES = 20


class EmbeddedBroker:
    """A broker that runs for as long as the context is open.

    Attributes:
        program: ``mosquitto`` or ``amqtt``, what is running.
        port: TCP port, the chosen one when 0 was asked for.
        bind: Address that it listens on.
    """

    def __init__(self, *, port: int = 0, bind: str = LOOPBACK, program: Program = "auto") -> None:
        """Prepare; nothing runs before the context is entered.

        Args:
            port: 0 for any free one.
            bind: Address to listen on. There are no passwords, so anything but loopback is open to its network.
            program: ``auto`` takes mosquitto when it is on PATH, amqtt otherwise.
        """
        self.port = port
        self.bind = bind
        self.program: str = program
        self._any_port = port == 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    @property
    def url(self) -> str:
        """URL for clients on this machine."""
        host = LOOPBACK if self.bind in {"0.0.0.0", ""} else self.bind  # noqa: S104 - compared, not bound
        return f"mqtt://[{host}]:{self.port}" if ":" in host else f"mqtt://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Start, and return when connections are accepted.

        Raises:
            GpsgridError: ``BROKER_UNREACHABLE``: port in use, program missing, or it does not start.
        """
        path = shutil.which("mosquitto")
        if self.program == "mosquitto" and path is None:
            message = "mosquitto is not on PATH; install it (Debian: apt-get install mosquitto), or use amqtt"
            raise GpsgridError(Reason.BROKER_UNREACHABLE, message)
        if self.program == "auto":
            self.program = "mosquitto" if path else "amqtt"
        for attempt in range(_ATTEMPTS):
            self._take_port()
            try:
                await self._start(path or "-")
                break
            except GpsgridError:
                await self._stop()
                if not self._any_port or attempt + 1 == _ATTEMPTS:
                    raise
            except BaseException:
                await self._stop()
                raise
        _log.info("broker.started", program=self.program, url=self.url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the broker and wait until it has gone."""
        await self._stop()

    async def wait(self) -> None:
        """Return when the broker has ended by itself.

        Raises:
            GpsgridError: ``BROKER_UNREACHABLE``, always: it should not have.
        """
        if self._process is not None:
            await self._process.wait()
        error = self._failed("has ended")
        raise error

    def _take_port(self) -> None:
        """Choose a port, or see that the wished one is free; otherwise we would talk to somebody else's broker."""
        family = socket.AF_INET6 if ":" in self.bind else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((self.bind, 0 if self._any_port else self.port))
            except OSError as error:
                message = (
                    f"the broker cannot listen on {self.bind}:{self.port} ({error.strerror});"
                    " choose another --port, or use the broker that is there with --broker"
                )
                raise GpsgridError(Reason.BROKER_UNREACHABLE, message, bind=self.bind, port=self.port) from error
            self.port = trial.getsockname()[1]

    async def _start(self, path: str) -> None:
        self._tail.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-W", "ignore"),  # -P: the modules beside the script must not hide those of the standard library
            *(str(_CHILD), self.program, path, self.bind, str(self.port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is for us; the broker ends after its clients
        )
        self._reader = asyncio.create_task(self._read_errors(self._process), name="broker.stderr")
        host = self.url.removeprefix("mqtt://").rpartition(":")[0].strip("[]")
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while self._process.returncode is None:
                    try:
                        _, writer = await asyncio.open_connection(host, self.port)
                    except OSError:
                        await asyncio.sleep(_POLL_S)
                        continue
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
                    return
        except TimeoutError:
            error = self._failed(f"did not accept connections within {_START_TIMEOUT_S:.0f} s")
            raise error from None
        await self._reader  # what it said before it ended
        error = self._failed("did not start")
        raise error

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        stream = process.stderr
        if stream is None:
            return
        while line := (await stream.readline()).decode(errors="replace").rstrip():
            self._tail.append(line)
            _log.debug("broker.says", program=self.program, line=line)

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            _log.warning("broker.killed", program=self.program, after_s=_STOP_TIMEOUT_S)
        finally:
            # The child leads a session of its own, so this reaches mosquitto under it too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._reader is not None:
            await self._reader

    def _failed(self, what: str) -> GpsgridError:
        said = f": {' | '.join(self._tail)}" if self._tail else ""
        message = f"the embedded broker ({self.program} on {self.bind}:{self.port}) {what}{said}"
        return GpsgridError(Reason.BROKER_UNREACHABLE, message, program=self.program, port=self.port)
