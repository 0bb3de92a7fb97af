"""Child processes of the demonstration: started in a session of their own, heard, and never left behind."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from types import TracebackType
from typing import Any, Self

from stations.errors import GpsgridError, Reason

_STOP_TIMEOUT_S = 8.0
_TAIL_LINES = 20
_BLOCK_BYTES = 65_536
# A second BLAS thread only slows small solves down, and the demonstration may have one core to share.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class CommandProcess:
    """A ``gpsgrid`` command that runs in a process of its own for as long as the context is open.

    Attributes:
        name: The command, for messages.
    """

    def __init__(self, name: str, *arguments: str) -> None:
        """Prepare ``gpsgrid NAME ARGUMENTS``; nothing runs before the context is entered."""
        self.name = name
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._awaited: dict[str, asyncio.Future[dict[str, object]]] = {}

    async def __aenter__(self) -> Self:
        """Start, without waiting for anything."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "replay.edge.demo_child", "--log-json", self.name, *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C in the terminal is for the demonstration, which ends its children in order
        )
        self._readers = [
            asyncio.create_task(self._read(stream), name=f"demo.{self.name}.output")
            for stream in (process.stdout, process.stderr)
            if stream is not None
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process and everything that it has started, and wait until it has gone."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            # Its session reaches what it has started too.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            await asyncio.gather(*self._readers)

    async def wait_done(self) -> None:
        """Return when the command has done its work.

        Raises:
            GpsgridError: It failed; the message holds what it said last.
        """
        code = await self._ended()
        if code != 0:
            raise self._failed(code)

    async def logged(self, event: str, timeout_s: float) -> dict[str, object]:
        """Return the values that come with the next log entry of a name.

        Raises:
            GpsgridError: The command has ended, or the time is up; the message holds what it said last.
        """
        entry: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()
        self._awaited[event] = entry
        watch = asyncio.create_task(self.watch(), name=f"demo.{self.name}.watch")
        try:
            waited: set[asyncio.Future[Any]] = {entry, watch}
            await asyncio.wait(waited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if entry.done():
                return entry.result()
            if watch.done():
                await watch
            message = f"`gpsgrid {self.name}` did not say {event!r} within {timeout_s:.0f} s; {self._last_words()}"
            raise GpsgridError(Reason.NO_NETWORK, message, command=self.name)
        finally:
            watch.cancel()
            await asyncio.wait({watch})

    async def watch(self) -> None:
        """Return never: raise when the command ends by itself.

        Raises:
            GpsgridError: It has ended; the message holds what it said last.
        """
        error = self._failed(await self._ended())
        raise error

    async def _ended(self) -> int | None:
        if self._process is None:
            return None
        code = await self._process.wait()
        await asyncio.wait(self._readers)  # what it said before it ended
        return code

    def _failed(self, code: int | None) -> GpsgridError:
        message = f"`gpsgrid {self.name}` has ended with status {code}; {self._last_words()}"
        return GpsgridError(Reason.NO_NETWORK, message, command=self.name, status=code)

    def _last_words(self) -> str:
        said = "\n  ".join(self._tail) or "nothing"
        return f"its last words:\n  {said}"

    async def _read(self, stream: asyncio.StreamReader) -> None:
        # In blocks: a line without an end must not fill the pipe and stop the process.
        rest = b""
        while block := await stream.read(_BLOCK_BYTES):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._hear(line.decode(errors="replace"))
            rest = rest[-_BLOCK_BYTES:]
        if rest:
            self._hear(rest.decode(errors="replace"))

    def _hear(self, line: str) -> None:
        self._tail.append(line)
        if not self._awaited or not line.startswith("{"):
            return
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            waiting = self._awaited.pop(str(entry.get("event")), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(entry)
