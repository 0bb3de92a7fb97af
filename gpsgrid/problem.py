"""Refusals as RFC 9457 problem documents: which status code, which words; a public contract."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from gpsgrid.explanation_json import ExplanationJson
from stations.errors import Reason

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2  # network epochs come every second

_BODY = 400
_NOT_FOUND = 404
_TOO_LARGE = 413
_FORMAT = 415
_CONTENT = 422
_INTERNAL = 500
_UNAVAILABLE = 503

_STATUS_AND_TITLE: dict[Reason, tuple[int, str]] = {
    Reason.MALFORMED: (_BODY, "The body cannot be decoded"),
    Reason.BAD_CRC: (_BODY, "The body is damaged"),
    Reason.BROKEN_FILE: (_BODY, "The body is no valid RINEX"),
    Reason.TOO_MANY_EPOCHS: (_TOO_LARGE, "Too many epochs"),
    Reason.UNSUPPORTED_FORMAT: (_FORMAT, "The format is not supported"),
    Reason.UNKNOWN_FRAME: (_CONTENT, "The frame is not known"),
    Reason.UNKNOWN_CELL: (_NOT_FOUND, "There is no such cell"),
    Reason.OVERSIZED: (_TOO_LARGE, "The body is too large"),
    Reason.TOO_FEW_SATELLITES: (_CONTENT, "Too few satellites"),
    Reason.UNSUPPORTED_SIGNAL: (_CONTENT, "The signals are not supported"),
    Reason.UNKNOWN_ANTENNA: (_CONTENT, "The antenna is not known"),
    Reason.NO_OBSERVATIONS: (_CONTENT, "There are no observations"),
    Reason.NO_CODE_POSITION: (_CONTENT, "The pseudoranges give no position"),
    Reason.OUTSIDE_NETWORK: (_CONTENT, "The position is outside the network"),
    Reason.FUTURE_EPOCH: (_CONTENT, "The epoch lies in the future"),
    Reason.LATE_EPOCH: (_CONTENT, "The epoch is too old"),
    Reason.BAD_CONFIG: (_CONTENT, "A parameter is wrong"),
    Reason.NO_NETWORK: (_UNAVAILABLE, "There is no network solution yet"),
    Reason.STALE_NETWORK: (_UNAVAILABLE, "The network solution is not of this time"),
    Reason.NO_EPHEMERIS: (_UNAVAILABLE, "The orbits are not known yet"),
    Reason.NO_NAVIGATION: (_UNAVAILABLE, "The orbits are not known yet"),
    Reason.QUEUE_FULL: (_UNAVAILABLE, "The service is overloaded"),
}


class DoorReason(StrEnum):
    """Refusals of the HTTP door itself, which the engine never sees; as stable as :class:`stations.errors.Reason`."""

    BAD_PARAMETER = "bad_parameter"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    HTTP = "http"
    INTERNAL = "internal"


_DOOR: dict[DoorReason, tuple[int, str]] = {
    DoorReason.BAD_PARAMETER: (_CONTENT, "A parameter is wrong"),
    DoorReason.NOT_FOUND: (_NOT_FOUND, "There is nothing here"),
    DoorReason.METHOD_NOT_ALLOWED: (405, "The method is not allowed"),
    DoorReason.NOT_ACCEPTABLE: (406, "No representation is acceptable"),
    DoorReason.HTTP: (_BODY, "The request is not understood"),
    DoorReason.INTERNAL: (_INTERNAL, "Internal error"),
}


class ProblemJson(msgspec.Struct, frozen=True):
    """An RFC 9457 problem document; ``reason`` is the code that the counters use, ``request`` the caller's name."""

    type: str
    title: str
    status: int
    detail: str
    reason: str
    request: str = ""
    time_gpst: str | None = None
    age_s: float | None = None
    warnings: tuple[str, ...] = ()
    explanation: ExplanationJson | None = None


@dataclass(frozen=True)
class Refusal:
    """What a refused caller is told.

    Attributes:
        status: HTTP status code.
        title: The kind of problem; the same words for every case of it.
    """

    status: int
    title: str

    @property
    def retry(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.status == _UNAVAILABLE


def refusal_of(reason: Reason | DoorReason) -> Refusal:
    """Return what a reason means to a caller; 500 for one that a caller should never see."""
    if isinstance(reason, DoorReason):
        return Refusal(*_DOOR[reason])
    return Refusal(*_STATUS_AND_TITLE.get(reason, _DOOR[DoorReason.INTERNAL]))


def problem_type(reason: str) -> str:
    """Return the identifier of a kind of problem."""
    return f"urn:gpsgrid:problem:{reason}"
