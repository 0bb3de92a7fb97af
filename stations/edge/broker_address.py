"""MQTT broker URLs: host, port, credentials, encryption. What is shown to people never holds a password."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from stations.errors import GpsgridError, Reason

PORT_PLAIN = 1883  # IANA, mqtt
PORT_TLS = 8883  # IANA, secure-mqtt


@dataclass(frozen=True)
class BrokerAddress:
    """Where a broker is and who we are to it.

    Attributes:
        host: Name or address.
        port: TCP port.
        username: Empty for an anonymous connection.
        password: Not part of the representation.
        tls: Whether the connection is encrypted.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False

    @property
    def shown(self) -> str:
        """URL without credentials, for messages and logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def parse_broker_url(url: str) -> BrokerAddress:
    """Take ``mqtt://user:password@host:port`` or ``mqtts://...`` apart; credentials may be percent-encoded.

    Raises:
        GpsgridError: ``BAD_CONFIG``; the message does not repeat the URL, which may hold a password.
    """
    expected = "expected mqtt://[user:password@]host[:port] or mqtts://..., for instance mqtt://127.0.0.1:1883"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        message = f"the broker URL cannot be read (wrong port or brackets); {expected}"
        raise GpsgridError(Reason.BAD_CONFIG, message) from error
    if parts.scheme not in {"mqtt", "mqtts"}:
        found = f"starts with {parts.scheme}://" if parts.scheme and parts.netloc else "has no mqtt:// in front"
        raise GpsgridError(Reason.BAD_CONFIG, f"the broker URL {found}; {expected}")
    if not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        found = "names no host" if not parts.hostname else "has something after the port"
        raise GpsgridError(Reason.BAD_CONFIG, f"the broker URL {found}; {expected}")
    tls = parts.scheme == "mqtts"
    return BrokerAddress(
        parts.hostname,
        port or (PORT_TLS if tls else PORT_PLAIN),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        tls,
    )
