"""One TCP connection, with or without TLS: a failure is an error that says what to do, and nothing waits for ever."""

import asyncio
import contextlib
import socket
import ssl
from typing import Self

from stations.errors import GpsgridError, Reason
from stations.stream_address import bracketed

CONNECT_TIMEOUT_S = 10.0

_CHUNK = 1 << 16
_FAREWELL_S = 1.0


class Connection:
    """An open connection; whoever opens one closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, shown: str) -> None:
        """Take over what :meth:`open` has made."""
        self._reader = reader
        self._writer = writer
        self._shown = shown

    @classmethod
    async def open(
        cls, host: str, port: int, *, tls: ssl.SSLContext | None = None, timeout_s: float = CONNECT_TIMEOUT_S
    ) -> Self:
        """Connect.

        Args:
            host: Name or address.
            port: TCP port.
            tls: How to encrypt; ``None`` for a plain connection.
            timeout_s: For name, connection and handshake together.

        Raises:
            GpsgridError: ``STREAM_UNREACHABLE``.
        """
        shown = f"{bracketed(host)}:{port}"
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=tls, server_hostname=host if tls is not None else None
                )
        except TimeoutError:
            problem = f"no answer within {timeout_s:g} s; check address, port and firewall"
        except ssl.SSLCertVerificationError as error:
            problem = (
                f"its certificate cannot be trusted ({error.verify_message}); for an authority of your own, "
                f"set SSL_CERT_FILE to its certificate"
            )
        except ssl.SSLError as error:
            problem = f"it does not speak TLS ({error.reason}); is this its port for TLS?"
        except socket.gaierror:
            problem = "there is no host of that name; check the spelling and the name server"
        except ConnectionRefusedError:
            problem = "nobody listens on this port; check port and whether the other side is running"
        except (OSError, UnicodeError) as error:  # a name with an overlong label cannot be encoded
            problem = f"{getattr(error, 'strerror', None) or error}; check address and network"
        else:
            _keep_alive(writer)
            return cls(reader, writer, shown)
        raise GpsgridError(Reason.STREAM_UNREACHABLE, f"cannot connect to {shown}: {problem}", host=host, port=port)

    async def read(self, timeout_s: float) -> bytes:
        """Return what has arrived, empty when the other side has closed.

        Raises:
            TimeoutError: Nothing came.
            GpsgridError: ``STREAM_UNREACHABLE``, the connection broke.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._reader.read(_CHUNK)
        except TimeoutError:
            raise
        except OSError as error:  # resets and TLS faults
            raise self._broken(error) from error

    async def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            GpsgridError: ``STREAM_UNREACHABLE``, the connection broke, or nobody reads at the other end.
        """
        try:
            self._writer.write(data)
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._writer.drain()
        except OSError as error:  # TimeoutError is one
            raise self._broken(error) from error

    async def close(self) -> None:
        """Close; a peer that does not answer the farewell of TLS is not waited for."""
        self._writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_FAREWELL_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()  # nothing to do where it is closed; a silent peer would keep the socket for 30 s

    def _broken(self, error: OSError) -> GpsgridError:
        message = f"the connection to {self._shown} broke: {error.strerror or str(error) or 'nobody reads there'}"
        return GpsgridError(Reason.STREAM_UNREACHABLE, message)


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    found = writer.get_extra_info("socket")
    if found is not None:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
