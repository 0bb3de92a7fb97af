"""Requests to the HTTP door as values, and what its answers mean: the half of a client that needs no network.

:mod:`gpsgrid.edge.client` sends them, with and without asyncio.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict, TypeVar

import msgspec

from gpsgrid.answer_json import AnswerJson
from gpsgrid.epoch_json import EpochJson, epoch_document
from gpsgrid.problem import MEDIA_TYPE, ProblemJson
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason

Document = TypeVar("Document")
Observations = bytes | StationEpoch | EpochJson
"""What a client may ask with: bytes in any format of the door, or an epoch."""


class RefusedError(Exception):
    """A request that the server refused.

    Attributes:
        problem: What it said.
        retry_after_s: When to ask again; ``None`` when that makes no sense.
    """

    def __init__(self, problem: ProblemJson, retry_after_s: float | None = None) -> None:
        """Keep the problem; the message is its detail."""
        super().__init__(f"{problem.reason}: {problem.detail}")
        self.problem = problem
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class ClientRequest:
    """A request.

    Attributes:
        method, path: With a leading slash.
        parameters: Of the query.
        headers: Beside those of the library.
        content: Body; empty for none.
    """

    method: str
    path: str
    parameters: Mapping[str, str | float] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


class PositionOptions(TypedDict, total=False):
    """What may be said beside the observations; see ``docs/api.md``.

    Attributes:
        antenna, antenna_serial: Of the rover; they go before what the observations say.
        antenna_height_m: Marker to antenna reference point.
        approximate_deg: Latitude, longitude (degrees) and ellipsoidal height (metres).
        frame, frame_epoch: Another frame that the position is wanted in.
        wait_s: How long the server waits for the network epoch of the same time.
        explain: Whether every satellite is explained.
        request: Name of the request, repeated in the answer.
    """

    antenna: str
    antenna_serial: str
    antenna_height_m: float
    approximate_deg: tuple[float, float, float]
    frame: str
    frame_epoch: float
    wait_s: float
    explain: bool
    request: str


def position_request(observations: Observations, options: PositionOptions) -> ClientRequest:
    """Return the request for the position of one epoch or several.

    Args:
        observations: Bytes, whose content decides the format, or one epoch.
        options: Beside them.
    """
    content_type = "application/octet-stream"
    if isinstance(observations, StationEpoch):
        observations = epoch_document(observations)
    if isinstance(observations, EpochJson):
        content, content_type = msgspec.json.encode(observations), "application/json"
    else:
        content = observations
    lat, lon, height = options.get("approximate_deg", (None, None, None))
    named: dict[str, str | float | None] = {
        "antenna": options.get("antenna") or None,
        "antenna_serial": options.get("antenna_serial") or None,
        "antenna_height": options.get("antenna_height_m"),
        "lat": lat,
        "lon": lon,
        "height": height,
        "frame": options.get("frame") or None,
        "frame_epoch": options.get("frame_epoch"),
        "wait": options.get("wait_s"),
        "explain": 1 if options.get("explain") else None,
    }
    headers = {"Content-Type": content_type, "Accept": "application/json"}
    if options.get("request"):
        headers["X-Request-ID"] = options["request"]
    parameters = {name: value for name, value in named.items() if value is not None}
    return ClientRequest("POST", "/v1/position", parameters, headers, content)


def read_answers(status: int, headers: Mapping[str, str], content: bytes) -> list[AnswerJson]:
    """Return the answers to a position request, one for every epoch.

    Raises:
        RefusedError: The server refused.
        GpsgridError: ``MALFORMED``: that was no gpsgrid.
    """
    if content.lstrip()[:1] == b"[":
        return read_document(status, headers, content, list[AnswerJson])
    return [read_document(status, headers, content, AnswerJson)]


def read_document(status: int, headers: Mapping[str, str], content: bytes, kind: type[Document]) -> Document:
    """Return the document of an answer.

    Args:
        status: Of the response.
        headers: Of the response.
        content: Of the response.
        kind: Type of the document.

    Raises:
        RefusedError: As :func:`read_answers`.
        GpsgridError: As :func:`read_answers`.
    """
    check_status(status, headers, content)
    try:
        document: Document = msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise _strange(status, content, str(error)) from error
    return document


def check_status(status: int, headers: Mapping[str, str], content: bytes) -> None:
    """Return when a response is no refusal.

    Raises:
        RefusedError, GpsgridError: As :func:`read_answers`.
    """
    if 200 <= status < 300:
        return
    lowered = {name.lower(): value for name, value in headers.items()}
    if not lowered.get("content-type", "").startswith(MEDIA_TYPE):
        raise _strange(status, content, f"no {MEDIA_TYPE}")
    try:
        problem = msgspec.json.decode(content, type=ProblemJson)
    except msgspec.DecodeError as error:
        raise _strange(status, content, str(error)) from error
    after = lowered.get("retry-after", "")
    raise RefusedError(problem, float(after) if after.isdecimal() else None)


def _strange(status: int, content: bytes, what: str) -> GpsgridError:
    message = (
        f"status {status} with {content[:60]!r}, which is not what gpsgrid answers ({what}); is this the URL of a "
        "gpsgrid service?"
    )
    return GpsgridError(Reason.MALFORMED, message, status=status)
