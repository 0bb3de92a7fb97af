"""What our caster answers, byte by byte, in NTRIP 1 and 2.

Source: RTCM 10410.1 (NTRIP 2.0) section 3, and the NTRIP 1.0 documentation of BKG (2004) section 3.
"""

import datetime as dt
from email.utils import format_datetime

SERVER = "NTRIP gpsgrid/0.1"

_WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    414: "URI Too Long",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_RETRY = frozenset({429, 503})
_RETRY_AFTER_S = 10


def stream_head(version: int, now: dt.datetime) -> bytes:
    """Return what comes before a stream.

    Args:
        version: Of the request; 2 is chunked.
        now: UTC, aware.
    """
    if version == 1:
        return b"ICY 200 OK\r\n\r\n"
    lines = [*_head("HTTP/1.1 200 OK", now), "Content-Type: gnss/data", "Transfer-Encoding: chunked"]
    return _joined(lines)


def chunk(data: bytes) -> bytes:
    """Return data as one chunk of an NTRIP 2 stream."""
    return b"%X\r\n%s\r\n" % (len(data), data)


def table_answer(version: int, table: bytes, now: dt.datetime) -> bytes:
    """Return a whole answer with a sourcetable."""
    if version == 1:
        lines = [
            "SOURCETABLE 200 OK",
            f"Server: {SERVER}",
            f"Date: {_date(now)}",
            "Connection: close",
            "Content-Type: text/plain",
            f"Content-Length: {len(table)}",
        ]
    else:
        kind = f"Content-Length: {len(table)}"
        lines = [*_head("HTTP/1.1 200 OK", now), "Content-Type: gnss/sourcetable", kind]
    return _joined(lines) + table


def refusal_answer(version: int, status: int, words: str, now: dt.datetime, realm: str = "gpsgrid") -> bytes:
    """Return a whole answer that gives no stream.

    Args:
        version: Of the request; 1 where it could not be read.
        status: HTTP status code.
        words: What came, what was expected, what to do; the body.
        now: UTC, aware.
        realm: What a password is asked for.
    """
    body = (words.strip() + "\r\n").encode("utf-8")
    http = "HTTP/1.1" if version == 2 else "HTTP/1.0"
    lines = _head(f"{http} {status} {_WORDS.get(status, 'Refused')}", now)
    if status == 401:
        lines.append(f'WWW-Authenticate: Basic realm="{realm}"')
    if status in _RETRY:
        lines.append(f"Retry-After: {_RETRY_AFTER_S}")
    return _joined([*lines, "Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]) + body


def _head(first: str, now: dt.datetime) -> list[str]:
    return [
        first,
        "Ntrip-Version: Ntrip/2.0",
        f"Server: {SERVER}",
        f"Date: {_date(now)}",
        "Cache-Control: no-store, no-cache, max-age=0",
        "Pragma: no-cache",
        "Connection: close",
    ]


def _joined(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def _date(now: dt.datetime) -> str:
    return format_datetime(now, usegmt=True)
