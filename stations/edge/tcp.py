"""TCP ports that send a station's bytes to whoever connects, as most receivers can."""

from collections.abc import AsyncGenerator

from stations.edge.connection import Connection
from stations.errors import GpsgridError, Reason
from stations.stream_address import TcpAddress


class TcpSource:
    """A TCP port; ``shown`` is its URL."""

    def __init__(self, address: TcpAddress) -> None:
        """Prepare."""
        self.shown = address.shown
        self._address = address

    async def once(self) -> AsyncGenerator[bytes, None]:
        """Connect and yield what arrives; see :class:`stations.edge.stream.Source`."""
        address = self._address
        connection = await Connection.open(address.host, address.port)
        try:
            yield b""
            while data := await self._read(connection):
                yield data
        finally:
            await connection.close()

    async def _read(self, connection: Connection) -> bytes:
        try:
            return await connection.read(self._address.silent_after_s)
        except TimeoutError:
            message = (
                f"{self.shown}: no byte for {self._address.silent_after_s:g} s; is the receiver configured to send?"
            )
            raise GpsgridError(Reason.STREAM_UNREACHABLE, message) from None
