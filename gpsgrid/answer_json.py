"""The JSON of an answer and of a question, the same over HTTP and MQTT; a public contract.

Keys may be added, never renamed. What is not known is null: JSON has no NaN.
"""

from math import isfinite

import msgspec

from gpsgrid.answer import Answer
from gpsgrid.explanation_json import ExplanationJson, explanation_document
from stations.gpstime import to_iso


class PositionJson(msgspec.Struct, frozen=True):
    """A position in its frame; the frame's epoch is a decimal year."""

    ecef_m: tuple[float, float, float]
    latitude_deg: float
    longitude_deg: float
    height_m: float
    frame: str
    epoch: float


class SatellitesJson(msgspec.Struct, frozen=True):
    """Names of the satellites used, and of those that were common but left out."""

    used: tuple[str, ...]
    dropped: tuple[str, ...]


class TimingJson(msgspec.Struct, frozen=True):
    """How long the answer took, from the arrival of the question."""

    latency_ms: float


class OutputJson(msgspec.Struct, frozen=True):
    """The position in a frame that was asked for; ``axes`` says what the coordinates are, in which unit.

    ``epoch`` is that of the transformation; ``accuracy_m`` what its makers say of it, null where they do not.
    """

    frame: str
    name: str
    epoch: float
    axes: tuple[str, ...]
    coordinates: tuple[float, ...]
    transformation: str
    accuracy_m: float | None


class AnswerJson(msgspec.Struct, frozen=True):
    """The answer to one epoch of rover observations.

    ``time_gpst`` is ISO 8601 in GPS time. ``sd_enu_m`` is east, north, up; ``covariance_m2`` is ECEF.
    ``output`` is there when a frame was asked for, ``explanation`` when one was.
    """

    request: str
    time_gpst: str | None
    status: str
    position: PositionJson | None
    covariance_m2: tuple[tuple[float, float, float], ...] | None
    sd_enu_m: tuple[float, float, float] | None
    wrong_fix_probability: float | None
    satellites: SatellitesJson
    age_s: float | None
    cell: str | None
    master: str | None
    warnings: tuple[str, ...]
    reason: str
    refusal: str | None
    timing: TimingJson
    output: OutputJson | None = None
    explanation: ExplanationJson | None = None


class QuestionJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question as JSON; ``rtcm3`` is base64, of RTCM 3, RINEX, a JSON epoch or UBX.

    The other keys are optional; those of the antenna override what the bytes say.
    """

    rtcm3: bytes
    request: str = ""
    antenna: str = ""
    antenna_serial: str = ""
    antenna_height: float | None = None
    explain: bool = False


def answer_document(answer: Answer, latency_ms: float, output: OutputJson | None = None) -> AnswerJson:
    """Return an answer in the shape of its JSON.

    Args:
        answer: From the engine.
        latency_ms: From the arrival of the question until now.
        output: The position in another frame, if one was asked for.
    """
    position = covariance_m2 = sd_enu_m = None
    latitude_deg, longitude_deg, height_m = answer.geodetic
    if isfinite(height_m):
        x_m, y_m, z_m = answer.position_m.tolist()
        position = PositionJson(
            (x_m, y_m, z_m), latitude_deg, longitude_deg, height_m, answer.frame, answer.frame_epoch
        )
        a, b, c = answer.covariance_m2.tolist()
        covariance_m2 = ((a[0], a[1], a[2]), (b[0], b[1], b[2]), (c[0], c[1], c[2]))
        east_m, north_m, up_m = answer.sd_enu_m.tolist()
        sd_enu_m = (east_m, north_m, up_m)
    return AnswerJson(
        answer.request,
        to_iso(answer.time_ns) if answer.time_ns else None,
        str(answer.status),
        position,
        covariance_m2,
        sd_enu_m,
        answer.wrong_fix_probability,
        SatellitesJson(answer.satellites, answer.dropped),
        answer.age_s,
        answer.cell or None,
        answer.master or None,
        answer.warnings,
        answer.reason,
        None if answer.refusal is None else str(answer.refusal),
        TimingJson(round(latency_ms, 3)),
        output,
        None if answer.explanation is None else explanation_document(answer.explanation),
    )


def encode_answer(answer: Answer, latency_ms: float) -> bytes:
    """Return an answer as JSON; NaN becomes null."""
    return msgspec.json.encode(answer_document(answer, latency_ms))


def decode_question(payload: bytes) -> QuestionJson:
    """Return a question: JSON when it starts with a brace, raw bytes otherwise (a frame of RTCM 3 starts with 0xD3).

    Raises:
        ValueError: It looks like JSON and is none, or has wrong keys; the message says where.
    """
    if payload.lstrip()[:1] != b"{":
        return QuestionJson(payload)
    try:
        return msgspec.json.decode(payload, type=QuestionJson)
    except msgspec.DecodeError as error:
        message = f"the question is no JSON object with rtcm3 (base64), antenna, ...: {error}"
        raise ValueError(message) from error
