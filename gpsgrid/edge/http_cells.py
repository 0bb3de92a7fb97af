"""``GET /v1/cells`` and ``/v1/cells/{cell}``: where virtual stations are made all the time, and how good they are."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request, Response

from gpsgrid import answer_geojson
from gpsgrid.cell_json import CellJson, CellStatusJson, CellTopicsJson, cell_field, cell_status, waiting_cell
from gpsgrid.edge.http_problems import chosen_type
from gpsgrid.edge.http_reference import CELL, CELL_PROBLEMS, CELLS, CELLS_PROBLEMS
from gpsgrid.edge.http_service import PositionService
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.grid import cell_boundary_deg
from gpsgrid.standing_cells import cell_place_m
from gpsgrid.topics import topics_of
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason

JSON = "application/json"
OFFERED = (JSON, answer_geojson.MEDIA_TYPE)
_SHOWN = 3


def cells_router(service: PositionService) -> APIRouter:
    """Return the routes of cells."""
    router = APIRouter()

    @router.get("/v1/cells", openapi_extra=CELLS, responses=CELLS_PROBLEMS, response_class=Response)
    async def cells(request: Request) -> Response:
        """Return the cells whose virtual stations are made all the time."""
        media_type = chosen_type(request, OFFERED)
        door = service.streaming
        statuses = [] if door is None else [_status(service, door, cell) for cell in door.streams.standing]
        network = service.config.network
        if media_type == JSON:
            document = {
                "network": network.name,
                "frame": network.frame,
                "epoch": network.epoch,
                "resolution": service.config.grid_resolution,
                "cells": statuses,
            }
            return _response(msgspec.json.encode(document), JSON)
        features = [_feature(status) for status in statuses]
        return _response(msgspec.json.encode({"type": "FeatureCollection", "features": features}), media_type)

    @router.get("/v1/cells/{cell}", openapi_extra=CELL, responses=CELL_PROBLEMS, response_class=Response)
    async def one_cell(
        request: Request, cell: Annotated[str, Path(max_length=32, description="H3 index, such as 85196943fffffff")]
    ) -> Response:
        """Return one cell with its corrections and topics."""
        chosen_type(request, (JSON,))
        door = service.streaming
        known = () if door is None else door.streams.standing
        if door is None or cell not in known:
            some = ", ".join(list(known)[:_SHOWN]) or "none"
            message = (
                f"cell {cell!r} is not one of the {len(known)} that are made all the time ({some} ...); /v1/cells "
                "lists them, and /v1/corrections serves any point"
            )
            raise GpsgridError(Reason.UNKNOWN_CELL, message)
        made, topics = door.cells.get(cell), topics_of(service.config)
        document = CellJson(
            _status(service, door, cell),
            cell_boundary_deg(cell),
            None
            if made is None
            else cell_field(cell, made, cell_place_m(cell, service.config.network), service.config.network),
            CellTopicsJson(topics.cell_stream(cell), topics.cell_field(cell), topics.cell_status(cell)),
        )
        return _response(msgspec.json.encode(document), JSON)

    return router


def _status(service: PositionService, door: StreamingDoor, cell: str) -> CellStatusJson:
    made, position_m = door.cells.get(cell), cell_place_m(cell, service.config.network)
    if made is None:
        return waiting_cell(cell, position_m, service.config.network)
    return cell_status(cell, made, position_m, service.config.network, gps_now_ns())


def _feature(status: CellStatusJson) -> dict[str, object]:
    outline = {"type": "Polygon", "coordinates": [cell_boundary_deg(status.cell)]}
    return {"type": "Feature", "id": status.cell, "geometry": outline, "properties": msgspec.to_builtins(status)}


def _response(content: bytes, media_type: str) -> Response:
    response = Response(content, media_type=media_type)
    response.headers["Vary"] = "Accept"
    return response
