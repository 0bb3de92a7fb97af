"""Position from pseudoranges alone, from scratch, with exclusion of bad ranges.

It only has to be good to some metres: it is where a rover's observations are linearised and which
grid cell is asked. Ionosphere-free code needs no model of the ionosphere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.ephemeris import satellite_states
from models.geometry import line_of_sight
from models.reduction import MU, DualFrequency
from models.troposphere import mapping_functions, zenith_hydrostatic_delay
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.frames import geodetic_from_ecef
from stations.navigation import GpsEphemeris

_CODE_SD_M = 0.5  # zenith, ionosphere-free combination of a modest receiver
_EXCLUDE_SIGMA = 6.0
_MAX_EXCLUDED = 3
_UNKNOWNS = 4
_GOOD_ELEVATION_RAD = float(np.radians(5.0))
_EARTH_SURFACE_M = (6_300_000.0, 6_500_000.0)


@dataclass(frozen=True)
class CodePosition:
    """A position from code.

    Attributes:
        position_m: ECEF, shape ``(3,)``.
        covariance_m2: ECEF, shape ``(3, 3)``, from the assumed noise; not scaled by the residuals.
        clock_m: Receiver clock times the speed of light.
        used: Which satellites took part, shape ``(n,)`` of the input rows.
        residual_m: Post-fit residuals, NaN where unused, shape ``(n,)``.
    """

    position_m: FloatArray
    covariance_m2: FloatArray
    clock_m: float
    used: BoolArray
    residual_m: FloatArray


def code_position(raw: DualFrequency, ephemerides: Mapping[int, GpsEphemeris]) -> CodePosition | None:
    """Return the position that code observations give, or ``None`` when they give none.

    Args:
        raw: Dual-frequency observations of one receiver.
        ephemerides: The ephemeris to use for each satellite.

    Returns:
        ``None`` with fewer than five usable satellites (four leave nothing to check), without
        convergence, or when the result is not near the Earth's surface.

    Source:
        Misra and Enge (2006), section 6.1; exclusion by the largest normalised residual.
    """
    rows = np.array([row for row, s in enumerate(raw.satellite) if int(s) in ephemerides], dtype=np.int64)
    if len(rows) <= _UNKNOWNS:
        return None
    used_ephemerides = [ephemerides[int(s)] for s in raw.satellite[rows]]
    states = satellite_states(
        used_ephemerides, np.arange(len(rows)), raw.time_ns, raw.code_m[0, rows] / SPEED_OF_LIGHT_M_S
    )
    range_m = (MU[1] * raw.code_m[0, rows] - raw.code_m[1, rows]) / (MU[1] - MU[0])
    range_m = range_m + SPEED_OF_LIGHT_M_S * states.clock_s
    keep = np.ones(len(rows), dtype=np.bool_)
    while True:
        fit = _least_squares(range_m[keep], states.position_m[keep], raw.time_ns)
        if fit is None:
            return None
        position, clock, covariance, residual, sigma = fit
        normalised = np.abs(residual) / sigma
        worst = int(np.argmax(normalised))
        if normalised[worst] <= _EXCLUDE_SIGMA:
            break
        keep[np.flatnonzero(keep)[worst]] = False
        if keep.sum() <= _UNKNOWNS or (~keep).sum() > _MAX_EXCLUDED:
            return None
    if not _EARTH_SURFACE_M[0] < float(np.linalg.norm(position)) < _EARTH_SURFACE_M[1]:
        return None
    used = np.zeros(len(raw.satellite), dtype=np.bool_)
    used[rows[keep]] = True
    residual_m = np.full(len(raw.satellite), np.nan)
    residual_m[rows[keep]] = residual
    return CodePosition(position, covariance, clock, used, residual_m)


def _least_squares(
    range_m: FloatArray, satellite_m: FloatArray, time_ns: int
) -> tuple[FloatArray, float, FloatArray, FloatArray, FloatArray] | None:
    """Iterate from the centre of the Earth; return position, clock, covariance, residuals and sigmas."""
    position = np.zeros(3)
    clock = 0.0
    for round_ in range(15):
        if round_ == 0:
            delta = satellite_m
            distance = np.linalg.norm(delta, axis=1)
            unit, model, elevation = delta / distance[:, None], distance, np.full(len(distance), np.pi / 2)
        else:
            los = line_of_sight(position, satellite_m)
            unit, model, elevation = los.unit, los.range_m, np.maximum(los.elevation_rad, _GOOD_ELEVATION_RAD)
            latitude, _, height = (float(value) for value in geodetic_from_ecef(position))
            if abs(height) < 20_000.0:  # noqa: PLR2004 - metres; the model is for the surface of the Earth
                dry, wet = mapping_functions(latitude, height, time_ns, elevation)
                model = model + dry * zenith_hydrostatic_delay(latitude, height) + 0.1 * wet
        sigma = np.sqrt(elevation_variance_m2(_CODE_SD_M * (1.0 + MU[1]), elevation))
        design = np.column_stack([-unit, np.ones(len(unit))]) / sigma[:, None]
        target = (range_m - model - clock) / sigma
        normal = design.T @ design
        if np.linalg.cond(normal) > 1e12:  # noqa: PLR2004 - directions cannot be told apart in float64
            return None
        update = np.linalg.solve(normal, design.T @ target)
        position = position + update[:3]
        clock += float(update[3])
        if round_ > 1 and float(np.linalg.norm(update[:3])) < 1e-3:  # noqa: PLR2004 - metres
            covariance = np.linalg.solve(normal, np.eye(_UNKNOWNS))[:3, :3]
            residual = (target - design @ update) * sigma
            return position, clock, _plain(covariance), _plain(residual), _plain(sigma)
    return None


def _plain(values: object) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
