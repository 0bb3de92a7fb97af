"""The body of a request: read to a limit, and decompressed to the same limit, so that none becomes a large one.

Decompressing and decoding are done in threads, never in the event loop; how many at a time is bounded.
"""

import asyncio
import zlib
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request

from stations.errors import GpsgridError, Reason

MAX_REQUEST_BYTES = 2 << 20
"""Of a body, compressed or not: a hundred epochs of sixty satellites as text."""

ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip"})
_GZIP = 16 + zlib.MAX_WBITS
_MOST_AT_WORK = 64
_MOST_MEMBERS = 100  # each costs a copy of what follows it

Result = TypeVar("Result")


class Workbench:
    """Work in threads that is too much for the event loop, bounded."""

    def __init__(self, most: int = _MOST_AT_WORK) -> None:
        """Start idle."""
        self._most = most
        self._at_work = 0

    async def run(self, function: Callable[[], Result]) -> Result:
        """Return what a function says in a thread.

        Raises:
            GpsgridError: ``QUEUE_FULL``: too much is being worked on already; and whatever the function raises.
        """
        if self._at_work >= self._most:
            message = f"{self._at_work} requests are being decoded; try again in a second"
            raise GpsgridError(Reason.QUEUE_FULL, message)
        self._at_work += 1
        try:
            return await asyncio.to_thread(function)
        finally:
            self._at_work -= 1


async def read_body(request: Request) -> bytes:
    """Return the body as it came.

    Raises:
        GpsgridError: ``OVERSIZED``, as soon as it is; ``MALFORMED``: it is empty; ``UNSUPPORTED_FORMAT``: an encoding
            that we do not undo.
    """
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        message = f"Content-Encoding {encoding[:40]!r}; expected gzip, or none"
        raise GpsgridError(Reason.UNSUPPORTED_FORMAT, message)
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > MAX_REQUEST_BYTES:
        raise _oversized()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_REQUEST_BYTES:
            raise _oversized()
        parts.append(part)
    if not size:
        message = "the body is empty; expected raw observations: RTCM 3, RINEX, a JSON epoch or UBX RXM-RAWX"
        raise GpsgridError(Reason.MALFORMED, message)
    return b"".join(parts)


def decompressed(body: bytes, encoding: str) -> bytes:
    """Return a body without its encoding; several gzip members are one body.

    Args:
        body: As it came.
        encoding: ``Content-Encoding``, one of :data:`ENCODINGS` in any case.

    Raises:
        GpsgridError: ``MALFORMED``: it is no gzip, or cut; ``OVERSIZED``: it becomes too large, and is not undone
            further than that.
    """
    if encoding.strip().lower() in {"", "identity"}:
        return body
    parts: list[bytes] = []
    size, rest = 0, body
    while rest:
        if len(parts) >= _MOST_MEMBERS:
            message = f"the gzip body has more than {_MOST_MEMBERS} members; compress it in one go"
            raise GpsgridError(Reason.OVERSIZED, message)
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(rest, MAX_REQUEST_BYTES + 1 - size)
        except zlib.error as error:
            message = f"Content-Encoding is gzip, but the body of {len(body)} bytes is none: {error}"
            raise GpsgridError(Reason.MALFORMED, message) from error
        size += len(part)
        if size > MAX_REQUEST_BYTES:
            raise _oversized()
        if not member.eof:
            message = f"the gzip body ends in the middle, after {len(body)} bytes; was it cut?"
            raise GpsgridError(Reason.MALFORMED, message)
        parts.append(part)
        rest = member.unused_data
    whole = b"".join(parts)
    if not whole:
        message = "the gzip body holds nothing; expected raw observations"
        raise GpsgridError(Reason.MALFORMED, message)
    return whole


def _oversized() -> GpsgridError:
    message = f"the body is larger than {MAX_REQUEST_BYTES} bytes; one epoch of observations has 5 kB, send fewer"
    return GpsgridError(Reason.OVERSIZED, message)
