"""URLs of live sources taken apart: NTRIP casters, TCP ports, serial lines. What is shown holds no password.

The parser is our own because the core does not know the network (docs/adr/002); credentials may be percent-encoded.
"""

import re
from dataclasses import dataclass, field
from typing import NoReturn

from stations.errors import GpsgridError, Reason

PORT_NTRIP = 2101  # IANA, rtcm-sc104
PORT_NTRIP_TLS = 443  # what casters with TLS use; none is registered
SILENT_AFTER_S = 30.0
DEFAULT_BAUD = 115_200

NTRIP_FORM = "expected ntrip://user:password@host:2101/MOUNT or ntrips://..."
STREAM_FORM = "expected tcp://host:port or serial:///dev/ttyUSB0?baud=115200"

_ENCODE = "write '@', ':', '/', '?' and '%' inside a user name or password as %40, %3A, %2F, %3F and %25"
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_PRINTABLE = re.compile(r"[!-~]*")
_DIGITS = re.compile(r"[0-9]{1,9}")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LONGEST_S = 3600


@dataclass(frozen=True)
class NtripAddress:
    """A mountpoint of a caster and who we are to it.

    Attributes:
        host: Name or address, IPv6 without brackets.
        port: TCP port.
        mountpoint: As it stands in the request, without the slash; empty for the sourcetable.
        username: Empty for an anonymous request.
        password: Not part of the representation.
        tls: Whether the connection is encrypted.
        version: 1 or 2; 0 tries 2 first and 1 when the caster does not understand that.
        gga_s: Seconds between the positions that we send; 0 sends none.
        silent_after_s: Seconds without a byte after which the connection counts as dead.
    """

    host: str
    port: int
    mountpoint: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    version: int = 0
    gga_s: int = 0
    silent_after_s: float = SILENT_AFTER_S

    @property
    def shown(self) -> str:
        """URL without credentials, for messages and logs."""
        return f"{'ntrips' if self.tls else 'ntrip'}://{bracketed(self.host)}:{self.port}/{self.mountpoint}"


@dataclass(frozen=True)
class TcpAddress:
    """A TCP port that sends a station's bytes to whoever connects; attributes as in :class:`NtripAddress`."""

    host: str
    port: int
    silent_after_s: float = SILENT_AFTER_S

    @property
    def shown(self) -> str:
        """The URL."""
        return f"tcp://{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True)
class SerialAddress:
    """A serial line at this machine, 8 data bits, no parity, one stop bit.

    Attributes:
        device: ``/dev/ttyUSB0`` or ``COM3``.
        baud: Symbols per second.
        silent_after_s: As in :class:`NtripAddress`.
    """

    device: str
    baud: int = DEFAULT_BAUD
    silent_after_s: float = SILENT_AFTER_S

    @property
    def shown(self) -> str:
        """The URL."""
        return f"serial://{self.device}?baud={self.baud}"


def bracketed(host: str) -> str:
    """Return a host as it stands in a URL: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_ntrip_url(url: str, *, mountpoint_needed: bool = True) -> NtripAddress:
    """Take ``ntrip://user:password@host:port/MOUNT`` or ``ntrips://...`` apart.

    Options follow a question mark: ``gga=10`` sends a position every 10 s, ``version=1`` or ``version=2`` fixes the
    protocol, ``timeout=60`` is how long the caster may be silent, in seconds.

    Raises:
        GpsgridError: ``BAD_CONFIG``; the message repeats no part of the URL that could be a password.
    """
    scheme, rest, options = _split(url, NTRIP_FORM)
    if scheme not in {"ntrip", "ntrips"}:
        _refuse("does not start with 'ntrip://' or 'ntrips://'", NTRIP_FORM)
    tls = scheme == "ntrips"
    authority, _, mountpoint = rest.partition("/")
    credentials, _, place = authority.rpartition("@")
    username, _, password = credentials.partition(":")
    if _BROKEN_PERCENT.search(credentials):
        _refuse("has a '%' in its user name or password that starts no character", f"{NTRIP_FORM}; {_ENCODE}")
    host, port = _place(place, f"{NTRIP_FORM}; {_ENCODE}")
    if mountpoint_needed and not mountpoint:
        _refuse("names no mountpoint", NTRIP_FORM)
    if not _PRINTABLE.fullmatch(mountpoint) or any(character in mountpoint for character in '"#/@'):
        _refuse("has a mountpoint that is none", f"{NTRIP_FORM}; {_ENCODE}")
    username = _unquote(username)
    if ":" in username:
        _refuse("has a user name with a colon, which basic authentication cannot carry", NTRIP_FORM)
    numbers = _options(options, {"gga": (1, _LONGEST_S), "version": (1, 2), "timeout": (1, _LONGEST_S)}, NTRIP_FORM)
    return NtripAddress(
        host,
        port if port is not None else (PORT_NTRIP_TLS if tls else PORT_NTRIP),
        mountpoint,
        username,
        _unquote(password),
        tls,
        numbers.get("version", 0),
        numbers.get("gga", 0),
        float(numbers.get("timeout", SILENT_AFTER_S)),
    )


def parse_stream_url(url: str) -> TcpAddress | SerialAddress:
    """Take ``tcp://host:port`` or ``serial:///dev/ttyUSB0?baud=115200`` apart; both know ``timeout=``.

    Raises:
        GpsgridError: ``BAD_CONFIG``.
    """
    scheme, rest, options = _split(url, STREAM_FORM)
    timeout = (1, _LONGEST_S)
    if scheme == "tcp":
        numbers = _options(options, {"timeout": timeout}, STREAM_FORM)
        if "@" in rest or rest.rstrip("/").count("/"):
            _refuse("has more than host and port; a TCP port knows no users and mountpoints", STREAM_FORM)
        host, port = _place(rest.rstrip("/"), STREAM_FORM)
        if port is None:
            _refuse("names no port", STREAM_FORM)
        return TcpAddress(host, port, float(numbers.get("timeout", SILENT_AFTER_S)))
    if scheme != "serial":
        _refuse("does not start with 'tcp://' or 'serial://'", STREAM_FORM)
    numbers = _options(options, {"timeout": timeout, "baud": (50, 10_000_000)}, STREAM_FORM)
    if not rest.strip("/"):
        _refuse("names no device", STREAM_FORM)
    if not rest.isprintable():
        _refuse("names a device with control characters", STREAM_FORM)
    return SerialAddress(rest, numbers.get("baud", DEFAULT_BAUD), float(numbers.get("timeout", SILENT_AFTER_S)))


def _split(url: str, form: str) -> tuple[str, str, str]:
    """Return scheme, what follows it, and the options."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        _refuse("has no '://'", form)
    rest, _, options = rest.partition("?")
    return scheme.lower(), rest, options


def _place(place: str, form: str) -> tuple[str, int | None]:
    host, separator, port = place, "", ""
    if not place.endswith("]"):
        host, separator, port = place.rpartition(":")
        if not separator:
            host, port = port, ""
    if not host:
        _refuse("names no host", form)
    if not _HOST.fullmatch(host):
        _refuse("names a host that is none", form)
    if separator and not (_DIGITS.fullmatch(port) and 0 < int(port) < 65536):
        _refuse("has a port that is not a number from 1 to 65535", form)
    return host.strip("[]"), int(port) if separator else None


def _options(text: str, known: dict[str, tuple[int, int]], form: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in filter(None, text.split("&")):
        key, _, value = part.partition("=")
        if key not in known:
            # The key is not repeated: behind a '?' inside a password it would be a part of that.
            _refuse(f"has an option that is not known; known are {', '.join(known)}", f"{form}; {_ENCODE}")
        low, high = known[key]
        if not (_DIGITS.fullmatch(value) and low <= int(value) <= high):
            _refuse(f"has an option {key} that is not a whole number from {low} to {high}", form)
        found[key] = int(value)
    return found


def _unquote(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return _PERCENT.sub(lambda match: bytes((int(match[1], 16),)), encoded).decode("utf-8", "replace")


def _refuse(found: str, form: str) -> NoReturn:
    raise GpsgridError(Reason.BAD_CONFIG, f"the URL {found}; {form}")
