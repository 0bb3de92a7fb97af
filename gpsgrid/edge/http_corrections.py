"""``GET /v1/corrections``: what the network knows for one point, as numbers or as RTCM 3."""

from functools import partial
from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Query, Request, Response

from gpsgrid.client_position import HIGHEST_M, LOWEST_M
from gpsgrid.edge.http_body import Workbench
from gpsgrid.edge.http_problems import REQUEST_HEADER, chosen_type, request_name
from gpsgrid.edge.http_reference import CORRECTIONS, CORRECTIONS_PROBLEMS
from gpsgrid.edge.http_service import PositionService
from gpsgrid.edge.service_health import ServiceState
from gpsgrid.point_corrections import corrections_at, virtual_epoch_at
from gpsgrid.virtual_place import VirtualPolicy
from stations.errors import GpsgridError, Reason
from stations.frames import ecef_from_geodetic

JSON, RTCM = "application/json", "application/rtcm3"
OFFERED = (JSON, RTCM, "application/octet-stream")

Latitude = Annotated[float, Query(ge=-90.0, le=90.0, description="degrees", examples=[52.1])]
Longitude = Annotated[float, Query(ge=-180.0, le=180.0, description="degrees", examples=[5.2])]
Height = Annotated[float, Query(ge=LOWEST_M, le=HIGHEST_M, description="above the ellipsoid, metres", examples=[50.0])]


def corrections_router(service: PositionService, bench: Workbench) -> APIRouter:
    """Return the route of corrections."""
    router = APIRouter()
    policy = VirtualPolicy()

    @router.get("/v1/corrections", openapi_extra=CORRECTIONS, responses=CORRECTIONS_PROBLEMS, response_class=Response)
    async def corrections(request: Request, lat: Latitude, lon: Longitude, height: Height = 0.0) -> Response:
        """Return the corrections of the newest network epoch for a point."""
        name = request_name(request)
        media_type = chosen_type(request, OFFERED)
        health = await service.health()
        position_m = ecef_from_geodetic(float(np.radians(lat)), float(np.radians(lon)), height)
        view = await service.view(position_m)
        if view is None:
            message = "no network epoch yet: no station has delivered observations; try again in some seconds"
            raise GpsgridError(Reason.NO_NETWORK, message)
        if health.state is ServiceState.STALE:
            message = (
                f"the last network epoch was solved {health.solved_ago_s:.0f} s ago; old corrections are worse than "
                "none: try again when the stations are back"
            )
            raise GpsgridError(Reason.STALE_NETWORK, message)
        if media_type == JSON:
            document = await bench.run(partial(corrections_at, policy, view, position_m))
            response = Response(msgspec.json.encode(document), media_type=JSON)
        else:
            made = await bench.run(partial(virtual_epoch_at, policy, view, position_m))
            response = Response(made.payload, media_type=media_type)
            response.headers["X-Level"] = str(made.level)
        response.headers["Vary"] = "Accept"
        if name:
            response.headers[REQUEST_HEADER] = name
        return response

    return router
