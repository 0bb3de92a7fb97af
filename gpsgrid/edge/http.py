"""The HTTP door: one epoch of raw observations in, one position out; stations, health and metrics beside it.

The bodies are public contracts and live in the core (``answer_json``, ``status_json``, ``problem``). Nothing is
computed here.
"""

import time
from collections.abc import Mapping
from typing import Annotated, Protocol

import msgspec
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from gpsgrid.answer import Answer
from gpsgrid.answer_json import encode_answer
from gpsgrid.config import NetworkConfig
from gpsgrid.edge.http_reference import DESCRIPTION, HEALTH, POSITION, PROBLEMS, STATIONS
from gpsgrid.edge.metrics import Metrics
from gpsgrid.edge.questions import EngineFailedError
from gpsgrid.edge.service_health import ServiceHealth, ServiceState
from gpsgrid.events import PositionAsked
from gpsgrid.problem import MEDIA_TYPE, RETRY_AFTER_S, ProblemJson, problem_type, refusal_of
from gpsgrid.rover_body import MAX_BODY_BYTES
from gpsgrid.status_json import HealthJson, station_document
from stations.constants import NS_PER_MS
from stations.errors import Reason
from stations.gpstime import to_iso

REQUEST_HEADER = "X-Request-ID"

_LONGEST_REQUEST_NAME = 128
_TALLEST_M = 100.0


class PositionService(Protocol):
    """What the door needs of :class:`gpsgrid.edge.service.Service`."""

    config: NetworkConfig
    metrics: Metrics

    async def ask(self, asked: PositionAsked) -> Answer:
        """Return the answer to a query."""

    async def health(self) -> ServiceHealth:
        """Return a picture of all counters."""


def create_app(service: PositionService) -> FastAPI:
    """Return the web application of a service."""
    app = FastAPI(title="gpsgrid", description=DESCRIPTION, version="1", redoc_url=None)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _parameter_problem)
    app.add_exception_handler(EngineFailedError, _internal_problem)
    app.add_exception_handler(Exception, _internal_problem)

    @app.post("/v1/position", openapi_extra=POSITION, responses=PROBLEMS, response_class=Response)
    async def position(
        request: Request,
        antenna: Annotated[str, Query(max_length=20, description="IGS type; overrides the body's")] = "",
        antenna_serial: Annotated[str, Query(max_length=32, description="for an individual calibration")] = "",
        antenna_height: Annotated[
            float | None, Query(ge=-_TALLEST_M, le=_TALLEST_M, description="marker to reference point, metres")
        ] = None,
    ) -> Response:
        """Return the position of a receiver from one epoch of its raw observations."""
        arrived_ns = time.monotonic_ns()
        name = request.headers.get(REQUEST_HEADER, "")[:_LONGEST_REQUEST_NAME]
        body = await _body(request)
        if body is None:
            text = f"the body is larger than {MAX_BODY_BYTES} bytes; one epoch of observations has at most 5 kB"
            return _problem(Reason.OVERSIZED, text, request=name)
        if not body:
            text = "the body is empty; expected one epoch of observations as RTCM 3 MSM4 to MSM7"
            return _problem(Reason.MALFORMED, text, request=name)
        asked = PositionAsked(name, body, arrived_ns, antenna, antenna_serial, antenna_height)
        answer = await service.ask(asked)
        latency_ms = (time.monotonic_ns() - arrived_ns) / NS_PER_MS
        service.metrics.answered("http", latency_ms / 1000.0)
        response = _refused(answer) if answer.refusal is not None else _json(encode_answer(answer, latency_ms))
        response.headers["Server-Timing"] = f"answer;dur={latency_ms:.2f}"
        if name and name.isprintable() and name.isascii():
            response.headers[REQUEST_HEADER] = name
        return response

    @app.get("/v1/stations", openapi_extra=STATIONS, response_class=Response)
    async def stations() -> Response:
        """Return the stations of the network and how their streams are."""
        health = await service.health()
        network = service.config.network
        documents = [station_document(station, health.engine, health.solved) for station in network.stations]
        return _json(
            msgspec.json.encode(
                {
                    "network": network.name,
                    "frame": network.frame,
                    "epoch": network.epoch,
                    "stations": documents,
                }
            )
        )

    @app.get("/v1/health", openapi_extra=HEALTH, response_class=Response)
    async def health() -> Response:
        """Return whether positions can be had: 200, or 503 while waiting for the network or when it is stale."""
        found = await service.health()
        response = _json(msgspec.json.encode(_health_document(service.config, found)))
        if found.state is not ServiceState.OK:
            response.status_code = 503
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Return the metrics for Prometheus."""
        return Response(service.metrics.text(await service.health()), media_type=CONTENT_TYPE_LATEST)

    return app


async def _body(request: Request) -> bytes | None:
    """Return the body, or ``None`` as soon as it is too large."""
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        return None
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _json(content: bytes, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(content, status, media_type=media_type)


def _refused(answer: Answer) -> Response:
    reason = answer.refusal or Reason.QUEUE_FULL
    return _problem(
        reason,
        answer.reason,
        request=answer.request,
        time_gpst=to_iso(answer.time_ns) if answer.time_ns else None,
        age_s=answer.age_s,
        warnings=answer.warnings,
    )


def _problem(
    reason: Reason,
    detail: str,
    *,
    request: str = "",
    time_gpst: str | None = None,
    age_s: float | None = None,
    warnings: tuple[str, ...] = (),
) -> Response:
    kind = refusal_of(reason)
    document = ProblemJson(
        problem_type(reason), kind.title, kind.status, detail, str(reason), request, time_gpst, age_s, warnings
    )
    response = _json(msgspec.json.encode(document), kind.status, MEDIA_TYPE)
    if kind.retry:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _health_document(config: NetworkConfig, health: ServiceHealth) -> HealthJson:
    engine = health.engine
    return HealthJson(
        str(health.state),
        config.network.name,
        to_iso(engine.last_epoch_ns) if engine.last_epoch_ns else None,
        health.solved_ago_s,
        engine.network_epochs,
        () if health.solved is None else health.solved.stations,
        () if health.solved is None else health.solved.missing,
        None if health.solved is None else health.solved.fixed_share,
        {str(status): count for status, count in sorted(engine.answers.items())},
        {str(reason): count for reason, count in sorted(engine.refusals.items())},
        engine.learned,
        health.queue_depth,
        health.mqtt_connected,
        health.mqtt_dropped,
        health.engine_failures,
    )


def _plain_problem(status: int, reason: str, title: str, detail: str, headers: Mapping[str, str] | None) -> Response:
    document = ProblemJson(problem_type(reason), title, status, detail, reason)
    response = _json(msgspec.json.encode(document), status, MEDIA_TYPE)
    response.headers.update(headers or {})
    return response


async def _http_problem(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    title = str(error.detail) if isinstance(error, HTTPException) else "Internal error"
    detail = f"{request.method} {request.url.path}: {title}; what there is, is described at /docs"
    headers = error.headers if isinstance(error, HTTPException) else None
    return _plain_problem(status, "http", title, detail, headers)


async def _parameter_problem(request: Request, error: Exception) -> Response:
    del request
    found = error.errors() if isinstance(error, RequestValidationError) else []
    detail = "; ".join(f"{one['loc'][-1]}: {one['msg']} (got {str(one.get('input'))[:40]!r})" for one in found)
    return _plain_problem(422, "bad_parameter", "A parameter is wrong", detail, None)


async def _internal_problem(request: Request, error: Exception) -> Response:
    del request
    text = str(error) if isinstance(error, EngineFailedError) else "internal error; it is in the log of the service"
    return _plain_problem(500, "internal", "Internal error", text, None)
