"""Serial lines as sources, through pyserial, which is an extra: ``pip install 'gpsgrid[serial]'``.

pyserial only blocks, so every line has a thread of its own that hands over what has arrived four times a second.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Protocol

from stations.errors import GpsgridError, Reason
from stations.stream_address import SerialAddress

_POLL_S = 0.25  # as long as one read may block, and so as long as closing may take
_CHUNK = 4096


class _Port(Protocol):
    """What is used of ``serial.Serial``."""

    in_waiting: int

    def read(self, size: int) -> bytes: ...

    def close(self) -> None: ...


class SerialSource:
    """A serial line; ``shown`` is its URL."""

    def __init__(self, address: SerialAddress) -> None:
        """Prepare.

        Raises:
            GpsgridError: ``BAD_CONFIG``, pyserial is not installed.
        """
        self.shown = address.shown
        self._address = address
        try:
            self._serial = import_module("serial")
        except ImportError as error:
            message = f"{self.shown} needs pyserial, which is not installed; run: pip install 'gpsgrid[serial]'"
            raise GpsgridError(Reason.BAD_CONFIG, message) from error

    async def once(self) -> AsyncGenerator[bytes, None]:
        """Open the line and yield what arrives; see :class:`stations.edge.stream.Source`."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="serial") as thread:
            port = await loop.run_in_executor(thread, self._open)
            try:
                yield b""
                heard_s = time.monotonic()
                while True:
                    data = await loop.run_in_executor(thread, self._read, port)
                    if data:
                        heard_s = time.monotonic()
                        yield data
                    elif time.monotonic() - heard_s > self._address.silent_after_s:
                        message = (
                            f"{self.shown}: no byte for {self._address.silent_after_s:g} s; "
                            f"check cable, baud rate and what the receiver sends"
                        )
                        raise GpsgridError(Reason.STREAM_UNREACHABLE, message)
            finally:
                # The only thread is still reading when we were cancelled; closing waits for its turn.
                thread.submit(port.close)

    def _open(self) -> _Port:
        try:
            port: _Port = self._serial.Serial(self._address.device, self._address.baud, timeout=_POLL_S)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            message = (
                f"cannot open {self.shown}: {error}; check the name of the device, "
                f"and that this user may read it (on Debian: group dialout)"
            )
            raise GpsgridError(Reason.STREAM_UNREACHABLE, message) from error
        return port

    def _read(self, port: _Port) -> bytes:
        try:
            # One byte is waited for; what has arrived with it is taken along.
            first = port.read(1)
            return first + port.read(min(port.in_waiting, _CHUNK)) if first else b""
        except (OSError, TypeError) as error:  # pyserial raises TypeError when the device vanishes while it reads
            message = f"{self.shown} broke: {error}; is the receiver still plugged in?"
            raise GpsgridError(Reason.STREAM_UNREACHABLE, message) from error
