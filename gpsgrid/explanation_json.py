"""The JSON of an explanation; a public contract. Keys may be added, never renamed; what is not known is null."""

import math

import msgspec
import numpy as np

from gpsgrid.explanation import Explanation, SatelliteFinding


class ResidualJson(msgspec.Struct, frozen=True):
    """What is left of one carrier of a satellite at the answered position, rover less master less corrections."""

    signal: str
    code_m: float | None
    phase_m: float | None


class SatelliteFindingJson(msgspec.Struct, frozen=True):
    """What became of a satellite, and why: ``cause`` is a stable code, ``text`` the same for people.

    ``ionosphere_m`` is the predicted slant delay on L1, rover less master; ``ionosphere_sd_m`` its standard deviation
    against the best known satellite of the system. ``disturbance`` is how much rougher than usual the ionosphere of the
    satellite is now, as a ratio of variances.
    """

    satellite: str
    used: bool
    cause: str
    text: str
    elevation_deg: float | None
    azimuth_deg: float | None
    residuals: tuple[ResidualJson, ...]
    ionosphere_m: float | None
    ionosphere_sd_m: float | None
    disturbance: float | None


class ExplanationJson(msgspec.Struct, frozen=True):
    """Why an answer is what it is; ``ratio`` of squared norms, second-best integers over best, and what it must be."""

    text: str
    integers: int
    ratio: float | None
    threshold: float | None
    satellites: tuple[SatelliteFindingJson, ...]


def explanation_document(explanation: Explanation) -> ExplanationJson:
    """Return an explanation in the shape of its JSON."""
    return ExplanationJson(
        explanation.text,
        explanation.integers,
        _rounded(explanation.ratio, 3),
        _rounded(explanation.threshold, 3),
        tuple(_finding(one) for one in explanation.satellites),
    )


def _finding(one: SatelliteFinding) -> SatelliteFindingJson:
    residuals = tuple(
        ResidualJson(signal, _rounded(code_m, 3), _rounded(phase_m, 4))
        for signal, code_m, phase_m in zip(one.carriers, one.code_residual_m, one.phase_residual_m, strict=True)
    )
    return SatelliteFindingJson(
        one.satellite,
        one.used,
        str(one.cause),
        one.text,
        _rounded(float(np.degrees(one.elevation_rad)), 1),
        _rounded(float(np.degrees(one.azimuth_rad)) % 360.0, 1),
        residuals,
        _rounded(one.ionosphere_m, 4),
        _rounded(one.ionosphere_sd_m, 4),
        _rounded(one.disturbance, 2),
    )


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
