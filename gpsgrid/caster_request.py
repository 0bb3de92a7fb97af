"""What an NTRIP client asks of our caster, from bytes cut anywhere: a head first, then positions.

Nothing here costs more than the bytes that a sensible client needs: a first line, a head or a header that is too long
is refused as soon as that is certain, and what was kept of it is thrown away.
"""

import base64
import binascii
import re
from dataclasses import dataclass

from stations.errors import GpsgridError, Reason

LONGEST_LINE = 2048
LONGEST_HEAD = 8192

_REQUEST = re.compile(rb"([A-Z]{1,10}) (\S{1,1024}) HTTP/(1\.[01])")
_HEADER = re.compile(r"([A-Za-z0-9-]{1,64}):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_TEXT = re.compile(rb"[\t\r\n -~\x80-\xff]*")


@dataclass(frozen=True)
class CasterRequest:
    """A request.

    Attributes:
        method: ``GET`` for a client; ``POST`` and ``SOURCE`` are those of stations.
        mountpoint: Without the slash; empty for the sourcetable.
        version: Of NTRIP, 1 or 2.
        user, password: Empty where none came.
        gga: The position in the head, empty where none came.
        agent: Program that asks, for the log.
    """

    method: str
    mountpoint: str
    version: int
    user: str = ""
    password: str = ""
    gga: str = ""
    agent: str = ""


class RequestReader:
    """Reader of one client's head.

    Attributes:
        rest: What came behind the head.
    """

    def __init__(self) -> None:
        """Wait for the first byte."""
        self.rest = b""
        self._buffer = b""

    def push(self, data: bytes) -> CasterRequest | None:
        """Take in bytes; return the request once its head is complete.

        Raises:
            GpsgridError: ``OVERSIZED`` or ``MALFORMED``; its fact ``status`` is the HTTP status to answer with.
        """
        self._buffer += data[: LONGEST_HEAD + 1]
        try:
            return self._read(len(data) > LONGEST_HEAD + 1)
        except GpsgridError:
            self._buffer = b""
            raise

    def _read(self, cut: bool) -> CasterRequest | None:  # noqa: FBT001 - private, and named by its one call
        buffer = self._buffer
        if not _TEXT.fullmatch(buffer):
            # Behind the head anything may come, but before its end only text does.
            end = _end_of(buffer)
            if end < 0 or not _TEXT.fullmatch(buffer[:end]):
                raise _malformed(buffer)
        line_end = buffer.find(b"\n")
        if line_end > LONGEST_LINE or (line_end < 0 and len(buffer) > LONGEST_LINE):
            message = f"a request line of more than {LONGEST_LINE} bytes"
            raise GpsgridError(Reason.OVERSIZED, message, status=414)
        end = _end_of(buffer)
        if end > LONGEST_HEAD or (end < 0 and len(buffer) > LONGEST_HEAD):
            message = f"a request of more than {LONGEST_HEAD} bytes"
            raise GpsgridError(Reason.OVERSIZED, message, status=431)
        if end < 0:
            return None
        self.rest = b"" if cut else buffer[end:]
        self._buffer = b""
        return _request(buffer[:end])


def _end_of(buffer: bytes) -> int:
    """Return where what follows the head begins, -1 while the blank line has not come."""
    found = [at + len(blank) for blank in (b"\r\n\r\n", b"\n\n") if (at := buffer.find(blank)) >= 0]
    return min(found, default=-1)


def _request(head: bytes) -> CasterRequest:
    first, *lines = head.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    if first.startswith(b"SOURCE "):
        return CasterRequest("SOURCE", first.split(b" ")[-1].decode("latin-1").lstrip("/"), 1)
    match = _REQUEST.fullmatch(first)
    if match is None:
        raise _malformed(first)
    headers: dict[str, str] = {}
    for line in lines:
        found = _HEADER.fullmatch(line.decode("latin-1"))
        if found is None:
            raise _malformed(line)
        headers[found[1].lower()] = found[2].strip()
    user, password = _credentials(headers.get("authorization", ""))
    version = 2 if "ntrip/2" in headers.get("ntrip-version", "").lower() else 1
    path = match[2].decode("latin-1").split("?")[0]
    return CasterRequest(
        match[1].decode("ascii"),
        path.removeprefix("/"),
        version,
        user,
        password,
        headers.get("ntrip-gga", ""),
        headers.get("user-agent", "")[:100],
    )


def _credentials(text: str) -> tuple[str, str]:
    """Return user and password of an authorization; what cannot be read is as if it had not come."""
    kind, _, code = text.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(code.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _malformed(data: bytes) -> GpsgridError:
    shown = "".join(c if c.isprintable() else "." for c in data[:60].decode("latin-1"))
    message = f"{shown!r} came; expected GET /MOUNTPOINT HTTP/1.1 and header lines"
    return GpsgridError(Reason.MALFORMED, message, status=400)
