"""What an NTRIP caster answers, from bytes cut anywhere: accepted and a stream, a sourcetable, or a refusal.

Both versions, whichever was asked for, because casters mix them: ``ICY 200 OK`` with and without head and blank line,
HTTP 1.0 and 1.1, chunked or not. The rule to keep: whatever the chunking, the same bytes come out and the same reason
is raised; an error waits until the bytes before it have been handed over.
"""

import re

from stations.errors import GpsgridError, Reason
from stations.ntrip_refusals import no_caster, not_offered, refusal, shown
from stations.sourcetable import LONGEST_TABLE, Sourcetable, parse_sourcetable

LONGEST_HEAD = 8192

_LONGEST_CHUNK_LINE = 256
_STARTS = (b"ICY ", b"HTTP/1.", b"SOURCETABLE ", b"ERROR")
_STATUS = re.compile(rb"(ICY|HTTP/1\.[0-9]|SOURCETABLE) ([0-9]{3})(?: (.*))?")
# What may follow the line ICY 200 OK: a head, a blank line, or the stream at once.
_HEAD_LINE = re.compile(rb"[A-Za-z0-9-]+:[\t -~\x80-\xff]*\r?\n")
_HEAD_LINE_BEGUN = re.compile(rb"(?:[A-Za-z0-9-]+(?::[\t -~\x80-\xff]*)?)?\r?")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[\t ]*(?:;.*)?")
_END_LINE = b"ENDSOURCETABLE"
_TABLE_TYPES = ("gnss/sourcetable", "text/plain")


class NtripAnswer:
    """Reader of one caster's answer.

    Attributes:
        accepted: The caster has said yes; in version 1 it may now wait for a position.
        ended: Nothing more will come out; :meth:`close` says why.
        status: Code of the answer, 0 before it is known.
        table: The sourcetable, when that was asked for and is complete.
    """

    def __init__(self, mountpoint: str) -> None:
        """Wait for the first byte.

        Args:
            mountpoint: What was asked for; empty for the sourcetable.
        """
        self.accepted = False
        self.ended = False
        self.status = 0
        self.table: Sourcetable | None = None
        self._mountpoint = mountpoint
        self._headers: dict[str, str] = {}
        self._reason_text = ""
        self._failure: GpsgridError | None = None
        self._step = self._head
        self._buffer = b""
        self._out: list[bytes] = []
        self._table = bytearray()
        self._table_left = -1
        self._into_table = False
        self._chunked = False
        self._chunk_left = 0

    def push(self, data: bytes) -> bytes:
        """Take in the next bytes and return what they add to the stream; nothing while more is needed.

        Raises:
            GpsgridError: ``STREAM_REFUSED``, or ``MALFORMED`` or ``OVERSIZED`` for an answer that is none; again at
                every later call.
        """
        if self._failure is not None:
            raise self._failure
        self._buffer += data
        self._out = []
        try:
            while not self.ended and self._step():
                pass
        except GpsgridError as error:
            self._fail(error)
            if not self._out:
                raise
        if self.ended:
            self._buffer = b""
        return b"".join(self._out)

    def close(self) -> None:
        """Take in that the caster has closed the connection, or that enough was seen of an answer that has ended.

        Raises:
            GpsgridError: As :meth:`push`; also ``MALFORMED`` when the answer was not complete.
        """
        if self._failure is None and not self.ended:
            try:
                self._finish()
            except GpsgridError as error:
                self._fail(error)
        self.ended = True
        if self._failure is not None:
            raise self._failure

    # ---- the head

    def _head(self) -> bool:
        buffer = self._buffer[: LONGEST_HEAD + 1]  # what comes behind must not change the decision
        line_end = buffer.find(b"\n")
        start = buffer[: len(_STARTS[2])]
        if start and not any(start.startswith(word) or word.startswith(start) for word in _STARTS):
            raise no_caster(self._buffer)
        if line_end < 0:
            return self._wait_for_head()
        if buffer.startswith(b"ERROR"):
            # Version 1 casters say so in words, for instance ERROR - Bad Password.
            self._reason_text = shown(buffer[:line_end])
            raise self._refusal(401 if b"assword" in buffer[:line_end] else 0)
        match = _STATUS.fullmatch(buffer[:line_end].rstrip(b"\r"))
        if match is None:
            raise no_caster(self._buffer)
        self.status, self._reason_text = int(match[2]), shown(match[3] or b"")
        if match[1] == b"ICY" and self.status == 200:
            self.accepted = bool(self._mountpoint)
            end = _end_of_loose_head(buffer, line_end + 1)
        else:
            end = _end_of_head(buffer, line_end + 1)
        if end < 0:
            return self._wait_for_head()
        if end > LONGEST_HEAD:
            raise self._too_long()
        self._headers = _headers(buffer[line_end + 1 : end])
        self._buffer = self._buffer[end:]
        self._decide(match[1])
        return True

    def _wait_for_head(self) -> bool:
        if len(self._buffer) > LONGEST_HEAD:
            raise self._too_long()
        return False

    def _decide(self, protocol: bytes) -> None:
        if self.status != 200:
            raise self._refusal(self.status)
        kind = self._headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "text/html":
            message = "a web page came back instead of a stream; is this the port of an NTRIP caster?"
            raise GpsgridError(Reason.MALFORMED, message)
        coding = self._headers.get("transfer-encoding", "identity").strip().lower()
        if coding not in {"identity", "chunked"}:
            message = f"the caster sends its answer as {shown(coding.encode())!r}; expected chunked or nothing"
            raise GpsgridError(Reason.MALFORMED, message)
        self._chunked = coding == "chunked"
        self._into_table = protocol == b"SOURCETABLE" or (protocol != b"ICY" and kind in _TABLE_TYPES)
        if not self._into_table and not self._mountpoint:
            message = "the caster sent a stream, expected its sourcetable; name the mountpoint that you want"
            raise GpsgridError(Reason.MALFORMED, message)
        length = self._headers.get("content-length", "")
        if self._into_table and not self._chunked and re.fullmatch("[0-9]{1,9}", length):
            self._table_left = int(length)
        self.accepted = not self._into_table
        self._step = self._chunk_line if self._chunked else self._rest

    # ---- the body

    def _rest(self) -> bool:
        data, self._buffer = self._buffer, b""
        self._body(data)
        return False

    def _chunk_line(self) -> bool:
        line_end = self._buffer.find(b"\n", 0, _LONGEST_CHUNK_LINE)
        if line_end < 0:
            if len(self._buffer) >= _LONGEST_CHUNK_LINE:
                raise _bad_chunk(self._buffer)
            return False
        match = _CHUNK_LINE.fullmatch(self._buffer[:line_end].rstrip(b"\r"))
        if match is None:
            raise _bad_chunk(self._buffer[:line_end])
        self._chunk_left = int(match[1], 16)
        self._buffer = self._buffer[line_end + 1 :]
        if self._chunk_left == 0:
            self._finish()
            self.ended = True
        self._step = self._chunk_data
        return True

    def _chunk_data(self) -> bool:
        data = self._buffer[: self._chunk_left]
        self._buffer = self._buffer[len(data) :]
        self._chunk_left -= len(data)
        self._body(data)
        if self._chunk_left == 0:
            self._step = self._chunk_end
            return True
        return False

    def _chunk_end(self) -> bool:
        for line_end in (b"\r\n", b"\n"):
            if self._buffer.startswith(line_end):
                self._buffer = self._buffer[len(line_end) :]
                self._step = self._chunk_line
                return True
        if self._buffer in {b"", b"\r"}:
            return False
        raise _bad_chunk(self._buffer)

    def _body(self, data: bytes) -> None:
        if not self._into_table:
            if data:
                self._out.append(data)
            return
        if self._table_left >= 0:
            data = data[: self._table_left]
            self._table_left -= len(data)
        seen = len(self._table)
        self._table += data[: LONGEST_TABLE - seen]
        at = self._table.find(_END_LINE, max(0, seen - len(_END_LINE)))
        if at >= 0:
            del self._table[at + len(_END_LINE) :]
        if at >= 0 or len(self._table) == LONGEST_TABLE or self._table_left == 0:
            self._finish()
            self.ended = True

    # ---- the end

    def _finish(self) -> None:
        """Say what an answer means that ends here."""
        if self._into_table:
            table = parse_sourcetable(bytes(self._table))
            if self._mountpoint:
                raise not_offered(self._mountpoint, table)
            self.table = table
        elif self.status not in {0, 200}:
            raise self._refusal(self.status)
        elif self._step == self._head and not self.accepted:
            cut = f" after {shown(self._buffer)!r}" if self._buffer else " without an answer"
            message = (
                f"the caster closed the connection{cut}; is this the port of an NTRIP caster, with or without TLS?"
            )
            raise GpsgridError(Reason.MALFORMED, message, other_version=not self._buffer)

    def _fail(self, error: GpsgridError) -> None:
        self._failure, self.ended, self._buffer = error, True, b""
        self._table.clear()

    def _refusal(self, status: int) -> GpsgridError:
        return refusal(self._mountpoint, status, self._reason_text, self._headers)

    def _too_long(self) -> GpsgridError:
        message = f"the head of the answer is longer than {LONGEST_HEAD} bytes; is this an NTRIP caster?"
        return GpsgridError(Reason.OVERSIZED, message)


def _end_of_head(buffer: bytes, at: int) -> int:
    """Return where the body starts, behind a blank line, or -1."""
    while (line_end := buffer.find(b"\n", at)) >= 0:
        if buffer[at:line_end] in {b"", b"\r"}:
            return line_end + 1
        at = line_end + 1
    return -1


def _end_of_loose_head(buffer: bytes, at: int) -> int:
    """Return where the stream starts after ICY 200 OK, or -1 while that is open; a blank line need not come."""
    while True:
        for blank in (b"\r\n", b"\n"):
            if buffer.startswith(blank, at):
                return at + len(blank)
        match = _HEAD_LINE.match(buffer, at)
        if match is None:
            return -1 if _HEAD_LINE_BEGUN.fullmatch(buffer, at) else at
        at = match.end()


def _headers(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in head.decode("latin-1").splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found[name.strip().lower()] = value.strip()
    return found


def _bad_chunk(data: bytes) -> GpsgridError:
    message = f"the chunked stream is broken: {shown(data)!r} came, expected the length of a chunk or its end"
    return GpsgridError(Reason.MALFORMED, message)
