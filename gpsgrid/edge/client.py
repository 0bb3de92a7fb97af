"""The Python client of the HTTP door: :class:`Client`, and :class:`AsyncClient` for asyncio; both on httpx.

A refusal is a :class:`~gpsgrid.client_requests.RefusedError` with the server's problem document; a server that cannot
be reached is a :class:`~stations.errors.GpsgridError`. With ``patience_s`` a 503 is asked again, when the server says.
"""

import asyncio
import gzip
import time
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from gpsgrid.answer_json import AnswerJson
from gpsgrid.cell_json import CellJson, CellsJson
from gpsgrid.client_requests import (
    ClientRequest,
    Observations,
    PositionOptions,
    RefusedError,
    check_status,
    position_request,
    read_answers,
    read_document,
)
from gpsgrid.point_corrections import CorrectionsJson
from gpsgrid.status_json import HealthJson, StationsJson
from stations.errors import GpsgridError, Reason

DEFAULT_SERVER = "http://127.0.0.1:8080"
_TIMEOUT_S = 10.0
_SMALL_BYTES = 1400  # what fits into a packet is not worth compressing
_RETRY_S = 1.0

Document = TypeVar("Document")


class Client:
    """Asks a gpsgrid service; a context manager, and usable from one thread at a time."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        timeout_s: float = _TIMEOUT_S,
        patience_s: float = 0.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            server: URL of the service.
            timeout_s: How long to wait for a response.
            patience_s: How long to ask again while the server says 503.
            transport: Of httpx, for tests and proxies.
        """
        self._http = httpx.Client(base_url=server, timeout=timeout_s, transport=transport)
        self._server, self._patience_s = server, patience_s

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def position(self, observations: Observations, **options: Unpack[PositionOptions]) -> AnswerJson:
        """Return the answer to one epoch.

        Args:
            observations: Bytes in any format of the door, or an epoch.
            **options: Beside them, see :class:`~gpsgrid.client_requests.PositionOptions`.

        Raises:
            RefusedError: The server gives no position; its ``problem`` says why.
            GpsgridError: ``SERVER_UNREACHABLE`` or ``MALFORMED`` (no gpsgrid).
            ValueError: The bytes hold several epochs; see :meth:`positions`.
        """
        return _single(self.positions(observations, **options))

    def positions(self, observations: Observations, **options: Unpack[PositionOptions]) -> list[AnswerJson]:
        """Return the answers to all epochs of a body; of several, a refused one has its reason in ``refusal``."""
        response = self._send(position_request(observations, options))
        return read_answers(response.status_code, response.headers, response.content)

    def corrections(self, lat: float, lon: float, height: float = 0.0) -> CorrectionsJson:
        """Return the corrections for a point; degrees and metres above the ellipsoid."""
        return self._document(_corrections(lat, lon, height), CorrectionsJson)

    def corrections_rtcm3(self, lat: float, lon: float, height: float = 0.0) -> bytes:
        """Return the newest epoch of a virtual station at a point as RTCM 3."""
        response = self._send(_corrections(lat, lon, height, "application/rtcm3"))
        check_status(response.status_code, response.headers, response.content)
        return response.content

    def cells(self) -> CellsJson:
        """Return the cells whose virtual stations are made all the time."""
        return self._document(ClientRequest("GET", "/v1/cells"), CellsJson)

    def cell(self, cell: str) -> CellJson:
        """Return one of them."""
        return self._document(ClientRequest("GET", f"/v1/cells/{cell}"), CellJson)

    def stations(self) -> StationsJson:
        """Return the stations of the network."""
        return self._document(ClientRequest("GET", "/v1/stations"), StationsJson)

    def health(self) -> HealthJson:
        """Return the health of the service, also when it cannot serve."""
        return _health(self._send(ClientRequest("GET", "/v1/health"), patient=False))

    def _document(self, request: ClientRequest, kind: type[Document]) -> Document:
        response = self._send(request)
        return read_document(response.status_code, response.headers, response.content, kind)

    def _send(self, request: ClientRequest, *, patient: bool = True) -> httpx.Response:
        until_s = time.monotonic() + self._patience_s
        while True:
            try:
                response = self._http.send(_built(self._http, request))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _unreachable(self._server, error) from error
            pause_s = _pause_s(response)
            if not patient or pause_s is None or time.monotonic() + pause_s > until_s:
                return response
            time.sleep(pause_s)


class AsyncClient:
    """As :class:`Client`, for asyncio."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        *,
        timeout_s: float = _TIMEOUT_S,
        patience_s: float = 0.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Prepare, as :meth:`Client.__init__`."""
        self._http = httpx.AsyncClient(base_url=server, timeout=timeout_s, transport=transport)
        self._server, self._patience_s = server, patience_s

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def position(self, observations: Observations, **options: Unpack[PositionOptions]) -> AnswerJson:
        """Return the answer to one epoch, as :meth:`Client.position`."""
        return _single(await self.positions(observations, **options))

    async def positions(self, observations: Observations, **options: Unpack[PositionOptions]) -> list[AnswerJson]:
        """Return the answers to all epochs of a body, as :meth:`Client.positions`."""
        response = await self._send(position_request(observations, options))
        return read_answers(response.status_code, response.headers, response.content)

    async def corrections(self, lat: float, lon: float, height: float = 0.0) -> CorrectionsJson:
        """Return the corrections for a point."""
        return await self._document(_corrections(lat, lon, height), CorrectionsJson)

    async def corrections_rtcm3(self, lat: float, lon: float, height: float = 0.0) -> bytes:
        """Return the newest epoch of a virtual station at a point as RTCM 3."""
        response = await self._send(_corrections(lat, lon, height, "application/rtcm3"))
        check_status(response.status_code, response.headers, response.content)
        return response.content

    async def cells(self) -> CellsJson:
        """Return the cells whose virtual stations are made all the time."""
        return await self._document(ClientRequest("GET", "/v1/cells"), CellsJson)

    async def cell(self, cell: str) -> CellJson:
        """Return one of them."""
        return await self._document(ClientRequest("GET", f"/v1/cells/{cell}"), CellJson)

    async def stations(self) -> StationsJson:
        """Return the stations of the network."""
        return await self._document(ClientRequest("GET", "/v1/stations"), StationsJson)

    async def health(self) -> HealthJson:
        """Return the health of the service, also when it cannot serve."""
        return _health(await self._send(ClientRequest("GET", "/v1/health"), patient=False))

    async def _document(self, request: ClientRequest, kind: type[Document]) -> Document:
        response = await self._send(request)
        return read_document(response.status_code, response.headers, response.content, kind)

    async def _send(self, request: ClientRequest, *, patient: bool = True) -> httpx.Response:
        until_s = time.monotonic() + self._patience_s
        while True:
            try:
                response = await self._http.send(_built(self._http, request))
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise _unreachable(self._server, error) from error
            pause_s = _pause_s(response)
            if not patient or pause_s is None or time.monotonic() + pause_s > until_s:
                return response
            await asyncio.sleep(pause_s)


def _built(http: httpx.Client | httpx.AsyncClient, request: ClientRequest) -> httpx.Request:
    content, headers = request.content, dict(request.headers)
    if len(content) > _SMALL_BYTES:
        content, headers["Content-Encoding"] = gzip.compress(content, 6), "gzip"
    return http.build_request(
        request.method, request.path, params=dict(request.parameters), headers=headers, content=content or None
    )


def _corrections(lat: float, lon: float, height: float, accept: str = "application/json") -> ClientRequest:
    return ClientRequest("GET", "/v1/corrections", {"lat": lat, "lon": lon, "height": height}, {"Accept": accept})


def _pause_s(response: httpx.Response) -> float | None:
    """Return when to ask again, ``None`` when that makes no sense."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return None
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isdecimal() else _RETRY_S


def _health(response: httpx.Response) -> HealthJson:
    unavailable = response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    status = int(httpx.codes.OK) if unavailable else response.status_code
    return read_document(status, response.headers, response.content, HealthJson)


def _single(answers: list[AnswerJson]) -> AnswerJson:
    if len(answers) != 1:
        message = f"the body holds {len(answers)} epochs; positions() returns a list of answers"
        raise ValueError(message)
    return answers[0]


def _unreachable(server: str, error: Exception) -> GpsgridError:
    what = str(error) or type(error).__name__
    message = f"{server} cannot be reached ({what}); is gpsgrid serve running there?"
    return GpsgridError(Reason.SERVER_UNREACHABLE, message, server=server)


__all__ = ["DEFAULT_SERVER", "AsyncClient", "Client", "PositionOptions", "RefusedError"]
