"""uvicorn inside our own event loop: it neither takes the signals nor ends the program."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from stations.errors import GpsgridError, Reason

_BACKLOG = 512
_POLL_S = 0.005
_GRACE_S = 2  # for requests under way when the server stops


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[explicit-override]  # typing has it from Python 3.12 on
        yield  # signals are handled by whoever runs the program (gpsgrid.edge.stopping)


class WebServer:
    """A web application that is served for as long as the context is open.

    Attributes:
        host: Address that it listens on.
        port: TCP port, the chosen one when 0 was asked for.
    """

    def __init__(self, app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> None:
        """Prepare; nothing is bound before the context is entered."""
        self.host = host
        self.port = port
        self._app = app
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        """Listen, and return when requests are answered.

        Raises:
            GpsgridError: ``BAD_CONFIG``, the address cannot be used.
        """
        listener = self._listen()
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve([listener]), name="http.server")
        while not self._server.started and not self._task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(_POLL_S)
        if self._task.done():
            await self._task
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, let requests under way finish."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        # With the protocol named, asyncio turns Nagle's algorithm off; otherwise every answer waits 40 ms for an ACK.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, self.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            message = (
                f"HTTP cannot listen on {self.host}:{self.port} ({error.strerror}); choose another --host or --port"
            )
            raise GpsgridError(Reason.BAD_CONFIG, message, host=self.host, port=self.port) from error
        self.port = listener.getsockname()[1]
        return listener
