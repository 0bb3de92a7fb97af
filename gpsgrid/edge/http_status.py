"""``GET /v1/stations``, ``/v1/health`` and ``/metrics``: how the network and the service are."""

import msgspec
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.http_reference import HEALTH, METRICS, STATIONS
from gpsgrid.edge.http_service import PositionService
from gpsgrid.edge.service_health import ServiceHealth, ServiceState
from gpsgrid.problem import RETRY_AFTER_S
from gpsgrid.status_json import HealthJson, station_document
from stations.gpstime import to_iso

JSON = "application/json"


def status_router(service: PositionService) -> APIRouter:
    """Return the routes of stations, health and metrics."""
    router = APIRouter()

    @router.get("/v1/stations", openapi_extra=STATIONS, response_class=Response)
    async def stations() -> Response:
        """Return the stations of the network and how their streams are."""
        health = await service.health()
        network = service.config.network
        documents = [station_document(station, health.engine, health.solved) for station in network.stations]
        whole = {"network": network.name, "frame": network.frame, "epoch": network.epoch, "stations": documents}
        return Response(msgspec.json.encode(whole), media_type=JSON)

    @router.get("/v1/health", openapi_extra=HEALTH, response_class=Response)
    async def health() -> Response:
        """Return whether positions can be had: 200, or 503 while waiting for the network or when it is stale."""
        found = await service.health()
        response = Response(msgspec.json.encode(_health_document(service.config, found)), media_type=JSON)
        if found.state is not ServiceState.OK:
            response.status_code = 503
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    @router.get("/metrics", openapi_extra=METRICS, response_class=Response)
    async def metrics() -> Response:
        """Return the metrics for Prometheus."""
        return Response(service.metrics.text(await service.health()), media_type=CONTENT_TYPE_LATEST)

    return router


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
