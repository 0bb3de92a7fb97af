"""``POST /v1/position``: raw observations in, positions out. Nothing is computed here.

A body with one epoch is answered with one answer or one problem; a body with several with a list, in which an epoch
that was refused stands with its reason.
"""

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Query, Request, Response

from gpsgrid import answer_geojson
from gpsgrid.answer import Answer
from gpsgrid.answer_json import answer_document
from gpsgrid.answer_nmea import write_answers
from gpsgrid.body_kind import kind_of_body
from gpsgrid.client_position import HIGHEST_M, LOWEST_M
from gpsgrid.edge.http_body import Workbench, decompressed, read_body
from gpsgrid.edge.http_problems import REQUEST_HEADER, BadParameterError, chosen_type, refused, request_name
from gpsgrid.edge.http_reference import POSITION, POSITION_PROBLEMS
from gpsgrid.edge.http_service import PositionService
from gpsgrid.edge.output_frame import LONGEST_NAME, OutputFrame, output_frame
from gpsgrid.events import PositionAsked
from gpsgrid.rover_formats import RoverEpoch, read_rover_epochs, stated
from stations.constants import NS_PER_MS, NS_PER_S
from stations.frames import ecef_from_geodetic
from stations.wire.framing import PREAMBLE

JSON, NMEA, TEXT = "application/json", "application/nmea", "text/plain"
OFFERED = (JSON, answer_geojson.MEDIA_TYPE, NMEA, TEXT)
LONGEST_WAIT_S = 4.0
_TALLEST_M = 100.0
_SMALL_BYTES = 4096
_AT_ONCE = 8  # epochs of one body in the engine's queue, so that the stations and other askers get their turn

Antenna = Annotated[str, Query(max_length=20, description="IGS type; overrides the body's")]
Serial = Annotated[str, Query(max_length=32, description="for an individual calibration")]
Height = Annotated[float | None, Query(ge=-_TALLEST_M, le=_TALLEST_M, description="marker to reference point, metres")]
Latitude = Annotated[
    float | None, Query(ge=-90.0, le=90.0, description="approximate latitude, degrees; used if the codes give none")
]
Longitude = Annotated[float | None, Query(ge=-180.0, le=180.0, description="approximate longitude, degrees")]
Ellipsoidal = Annotated[float, Query(ge=LOWEST_M, le=HIGHEST_M, description="approximate ellipsoidal height, metres")]
Frame = Annotated[
    str, Query(max_length=LONGEST_NAME, description="EPSG code or name of a CRS that the position is wanted in, too")
]
FrameEpoch = Annotated[
    float | None, Query(ge=1980.0, le=2100.0, description="epoch of the transformation, decimal year")
]
Wait = Annotated[
    float | None,
    Query(ge=0.0, le=LONGEST_WAIT_S, description="seconds to wait for the network epoch of the same time"),
]
Explain = Annotated[bool, Query(description="say of every satellite what became of it, and why")]


@dataclass(frozen=True)
class Wanted:
    """What the parameters of a query say.

    Attributes:
        antenna, antenna_serial, antenna_height_m: Go before what the body says.
        approximate_m: Where the rover roughly is, ECEF metres.
        frame: Empty for the network's only.
        frame_epoch: ``None`` for the network's.
        wait_ns: ``None`` for what the service is configured with.
        explain: Whether every satellite is explained.
    """

    antenna: str
    antenna_serial: str
    antenna_height_m: float | None
    approximate_m: tuple[float, float, float] | None
    frame: str
    frame_epoch: float | None
    wait_ns: int | None
    explain: bool


def position_router(service: PositionService, bench: Workbench) -> APIRouter:
    """Return the route of positions."""
    router = APIRouter()

    @router.post("/v1/position", openapi_extra=POSITION, responses=POSITION_PROBLEMS, response_class=Response)
    async def position(  # noqa: PLR0913 - one argument a parameter
        request: Request,
        antenna: Antenna = "",
        antenna_serial: Serial = "",
        antenna_height: Height = None,
        lat: Latitude = None,
        lon: Longitude = None,
        height: Ellipsoidal = 0.0,
        frame: Frame = "",
        frame_epoch: FrameEpoch = None,
        wait: Wait = None,
        explain: Explain = False,  # noqa: FBT002 - a parameter of a URL
    ) -> Response:
        """Return the position of a receiver from its raw observations, of one epoch or of several."""
        arrived_ns = time.monotonic_ns()
        name = request_name(request)
        media_type = chosen_type(request, OFFERED)
        wanted = Wanted(
            antenna,
            antenna_serial,
            antenna_height,
            _approximate(lat, lon, height),
            frame.strip(),
            frame_epoch,
            None if wait is None else round(wait * NS_PER_S),
            explain,
        )
        body = await read_body(request)
        headers = request.headers
        content_type, encoding = headers.get("Content-Type", ""), headers.get("Content-Encoding", "")
        take_apart = partial(_taken_apart, service, body, content_type, encoding, wanted)
        # A hop to a thread and back costs more than to cut an epoch of RTCM 3, which is 0.03 ms.
        light = len(body) <= _SMALL_BYTES and body[0] == PREAMBLE and not encoding and not wanted.frame
        epochs, transformation = take_apart() if light else await bench.run(take_apart)
        asked = [_asked(name, one, wanted, arrived_ns) for one in epochs]
        few = asyncio.Semaphore(_AT_ONCE)
        answers = await asyncio.gather(*(_timed(service, one, few) for one in asked))
        if len(answers) == 1 and answers[0][0].refusal is not None:
            response = refused(answers[0][0])
        elif media_type in {NMEA, TEXT}:
            response = Response(write_answers(answer for answer, _ in answers), media_type=media_type)
        else:
            encode = partial(_encoded, answers, transformation, media_type)
            light = len(answers) == 1 and transformation is None
            content = encode() if light else await bench.run(encode)
            response = Response(content, media_type=media_type)
        latency_ms = (time.monotonic_ns() - arrived_ns) / NS_PER_MS
        response.headers["Server-Timing"] = f"answer;dur={latency_ms:.2f}"
        response.headers["Vary"] = "Accept"
        if name:
            response.headers[REQUEST_HEADER] = name
        return response

    return router


def _taken_apart(
    service: PositionService, body: bytes, content_type: str, encoding: str, wanted: Wanted
) -> tuple[tuple[RoverEpoch, ...], OutputFrame | None]:
    """Return the epochs of a body and the transformation of their positions; runs in a thread."""
    transformation = None
    if wanted.frame:
        transformation = output_frame(service.config.network, wanted.frame, wanted.frame_epoch)
    elif wanted.frame_epoch is not None:
        message = f"frame_epoch {wanted.frame_epoch:g} without a frame; name the frame, or leave both out"
        raise BadParameterError(message)
    data = decompressed(body, encoding)
    epochs = read_rover_epochs(kind_of_body(content_type, data), data)
    return stated(epochs, wanted.antenna, wanted.antenna_serial, wanted.antenna_height_m), transformation


def _asked(name: str, one: RoverEpoch, wanted: Wanted, arrived_ns: int) -> PositionAsked:
    return PositionAsked(
        name,
        one.payload,
        arrived_ns,
        one.antenna,
        one.antenna_serial,
        one.antenna_height_m,
        one.epoch,
        wanted.approximate_m,
        wanted.wait_ns,
        wanted.explain,
        one.warnings,
    )


async def _timed(service: PositionService, asked: PositionAsked, few: asyncio.Semaphore) -> tuple[Answer, float]:
    """Return the answer to one epoch and what it took, milliseconds."""
    async with few:
        answer = await service.ask(asked)
    latency_ms = (time.monotonic_ns() - asked.host_ns) / NS_PER_MS
    service.metrics.answered("http", latency_ms / 1000.0)
    return answer, latency_ms


def _encoded(answers: list[tuple[Answer, float]], transformation: OutputFrame | None, media_type: str) -> bytes:
    """Return the documents of answers; runs in a thread."""
    documents = []
    for answer, latency_ms in answers:
        if transformation is None:
            documents.append(answer_document(answer, latency_ms))
            continue
        document = answer_document(answer, latency_ms, transformation.document(answer.position_m))
        said = (transformation.warning,) if transformation.warning else ()
        documents.append(msgspec.structs.replace(document, warnings=(*document.warnings, *said)))
    if media_type == answer_geojson.MEDIA_TYPE:
        return answer_geojson.encode_features(documents)
    return msgspec.json.encode(documents if len(documents) > 1 else documents[0])


def _approximate(lat: float | None, lon: float | None, height_m: float) -> tuple[float, float, float] | None:
    if lat is None and lon is None:
        return None
    if lat is None or lon is None:
        message = f"lat {lat}, lon {lon}: an approximate position needs both"
        raise BadParameterError(message)
    x, y, z = ecef_from_geodetic(float(np.radians(lat)), float(np.radians(lon)), height_m).tolist()
    return x, y, z
