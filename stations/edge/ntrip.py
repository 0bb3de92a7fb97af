"""NTRIP casters as sources: the protocol of ``stations.ntrip`` and ``stations.ntrip_answer`` over a connection.

Passwords stand in the request and nowhere else.
"""

import ssl
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from stations.arrays import FloatArray
from stations.edge.connection import CONNECT_TIMEOUT_S, Connection
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason
from stations.ntrip import build_request, gga_sentence
from stations.ntrip_answer import NtripAnswer
from stations.sourcetable import Sourcetable
from stations.stream_address import NtripAddress


class NtripSource:
    """A mountpoint.

    Attributes:
        shown: URL without credentials.
        version: Version of the next request; changes when a caster does not understand it and none is fixed.
        sent_positions: GGA sentences so far.
    """

    def __init__(
        self,
        address: NtripAddress,
        *,
        position_m: FloatArray | None = None,
        tls: ssl.SSLContext | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        now_ns: Callable[[], int] = gps_now_ns,
    ) -> None:
        """Prepare.

        Args:
            address: The mountpoint; its ``gga_s`` says how often the position is sent.
            position_m: Where we are, ECEF metres, shape ``(3,)``.
            tls: How to encrypt an ``ntrips://`` connection; by default with the certificates of this machine.
            connect_timeout_s: For connection and answer, each.
            now_ns: Clock, ns of GPS time.

        Raises:
            ValueError: Positions are to be sent and there is none.
        """
        if address.gga_s and position_m is None:
            message = f"{address.shown} asks for a position every {address.gga_s} s, and no position is given"
            raise ValueError(message)
        self.shown = address.shown
        self.version = address.version or 2
        self.sent_positions = 0
        self._address = address
        self._position_m = position_m if address.gga_s else None
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._now_ns = now_ns

    async def once(self) -> AsyncGenerator[bytes, None]:
        """Connect, ask, and yield the stream; see :class:`stations.edge.stream.Source`."""
        address = self._address
        answer = NtripAnswer(address.mountpoint)
        connection = await self._connect()
        try:
            await connection.write(build_request(address, self.version, self._gga()))
            gga_due_s = float("inf")
            accepted = False
            heard_s = time.monotonic()
            while not answer.ended:
                if answer.accepted and not accepted:
                    accepted, heard_s = True, time.monotonic()
                    # Version 1 has no place for a position in its request, and some casters wait for one.
                    gga_due_s = heard_s if self._position_m is not None else gga_due_s
                    yield b""
                if time.monotonic() >= gga_due_s:
                    await connection.write(self._gga().encode("ascii"))
                    self.sent_positions += 1
                    gga_due_s = time.monotonic() + address.gga_s
                silent_at_s = heard_s + (address.silent_after_s if accepted else self._connect_timeout_s)
                try:
                    data = await connection.read(max(0.0, min(silent_at_s, gga_due_s) - time.monotonic()))
                except TimeoutError:
                    if time.monotonic() >= silent_at_s:
                        raise self._silent(accepted) from None
                    continue
                heard_s = time.monotonic()
                if not data:
                    break
                stream = answer.push(data)
                if stream:
                    yield stream
            answer.close()
        except GpsgridError as error:
            if error.facts.get("other_version") and not address.version:
                self.version = 3 - self.version
            raise
        finally:
            await connection.close()

    async def sourcetable(self) -> Sourcetable:
        """Fetch the table of the caster; its mountpoint is not asked for.

        Raises:
            GpsgridError: ``STREAM_UNREACHABLE``, ``STREAM_REFUSED``, ``MALFORMED`` or ``OVERSIZED``.
        """
        address = replace(self._address, mountpoint="")
        answer = NtripAnswer("")
        connection = await self._connect()
        try:
            await connection.write(build_request(address, self.version))
            while not answer.ended:
                data = await connection.read(self._connect_timeout_s)
                if not data:
                    break
                answer.push(data)
            answer.close()
        except TimeoutError:
            raise self._silent(accepted=False) from None
        finally:
            await connection.close()
        if answer.table is None:
            message = f"{self.shown}: the caster sent no sourcetable"
            raise GpsgridError(Reason.MALFORMED, message)
        return answer.table

    async def _connect(self) -> Connection:
        tls = self._tls
        if self._address.tls and tls is None:
            tls = ssl.create_default_context()
        return await Connection.open(
            self._address.host,
            self._address.port,
            tls=tls if self._address.tls else None,
            timeout_s=self._connect_timeout_s,
        )

    def _gga(self) -> str:
        return "" if self._position_m is None else gga_sentence(self._position_m, self._now_ns())

    def _silent(self, accepted: bool) -> GpsgridError:  # noqa: FBT001 - private, and named at both calls
        if not accepted:
            message = f"{self.shown}: connected, and no answer within {self._connect_timeout_s:g} s; is this a caster?"
        else:
            message = f"{self.shown}: no byte for {self._address.silent_after_s:g} s"
            if self._position_m is None:
                message += "; if the mountpoint needs to know where you are, add ?gga=10 to the URL"
        return GpsgridError(Reason.STREAM_UNREACHABLE, message)
