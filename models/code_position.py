"""Position from pseudoranges alone, from scratch, with exclusion of bad ranges.

It only has to be good to some metres: it is where a rover's observations are linearised and which
grid cell is asked. Ionosphere-free code needs no model of the ionosphere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.ephemeris import satellite_states
from models.geometry import line_of_sight
from models.observables import Observables
from models.troposphere import mapping_functions, zenith_hydrostatic_delay
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.frames import geodetic_from_ecef
from stations.navigation import BeiDouEphemeris
from stations.navigation_kinds import Ephemeris

_CODE_SD_M = 0.32  # zenith, one code of a modest receiver
_EXCLUDE_SIGMA = 6.0
_MAX_EXCLUDED = 3
_COORDINATES = 3
_GOOD_ELEVATION_RAD = float(np.radians(5.0))
_EARTH_SURFACE_M = (6_300_000.0, 6_500_000.0)


@dataclass(frozen=True)
class CodePosition:
    """A position from code.

    Attributes:
        position_m: ECEF, shape ``(3,)``.
        covariance_m2: ECEF, shape ``(3, 3)``, from the assumed noise; not scaled by the residuals.
        clock_m: Receiver clock times the speed of light, of the system with the lowest number.
        used: Which satellites took part, shape ``(n,)`` of the input rows.
        residual_m: Post-fit residuals, NaN where unused, shape ``(n,)``.
    """

    position_m: FloatArray
    covariance_m2: FloatArray
    clock_m: float
    used: BoolArray
    residual_m: FloatArray


def code_position(raw: Observables, ephemerides: Mapping[int, Ephemeris]) -> CodePosition | None:
    """Return the position that code observations give, or ``None`` when they give none.

    Args:
        raw: Observations of one receiver.
        ephemerides: The ephemeris to use for each satellite.

    Returns:
        ``None`` with fewer satellites than coordinates, one clock per system, and one more to check, without
        convergence, or when the result is not near the Earth's surface.

    Source:
        Misra and Enge (2006), section 6.1; exclusion by the largest normalised residual.
    """
    rows = np.array([row for row, s in enumerate(raw.satellite) if int(s) in ephemerides], dtype=np.int64)
    if len(rows) <= _unknowns(raw.satellite[rows]):
        return None
    part = raw.rows(rows)
    used_ephemerides = [ephemerides[int(s)] for s in part.satellite]
    states = satellite_states(used_ephemerides, np.arange(len(rows)), raw.time_ns, part.code_m[0] / SPEED_OF_LIGHT_M_S)
    range_m, noise_factor = _ionosphere_free(part, used_ephemerides)
    range_m = range_m + SPEED_OF_LIGHT_M_S * states.clock_s
    system = part.satellite // 100
    keep = np.ones(len(rows), dtype=np.bool_)
    while True:
        lines = _Lines(range_m[keep], noise_factor[keep], states.position_m[keep], system[keep])
        fit = _least_squares(lines, raw.time_ns)
        if fit is None:
            return None
        position, clock, covariance, residual, sigma = fit
        normalised = np.abs(residual) / sigma
        worst = int(np.argmax(normalised))
        if normalised[worst] <= _EXCLUDE_SIGMA:
            break
        keep[np.flatnonzero(keep)[worst]] = False
        if keep.sum() <= _unknowns(part.satellite[keep]) or (~keep).sum() > _MAX_EXCLUDED:
            return None
    if not _EARTH_SURFACE_M[0] < float(np.linalg.norm(position)) < _EARTH_SURFACE_M[1]:
        return None
    used = np.zeros(len(raw.satellite), dtype=np.bool_)
    used[rows[keep]] = True
    residual_m = np.full(len(raw.satellite), np.nan)
    residual_m[rows[keep]] = residual
    return CodePosition(position, covariance, clock, used, residual_m)


def _unknowns(satellite: IntArray) -> int:
    return _COORDINATES + len(np.unique(satellite // 100))


def _ionosphere_free(raw: Observables, ephemerides: Sequence[Ephemeris]) -> tuple[FloatArray, FloatArray]:
    """Return ionosphere-free pseudoranges, and by how much their noise exceeds that of one code; shape ``(n,)``.

    Source:
        IS-GPS-200 20.3.3.3.3.3. The clock of BeiDou is that of B3I, so B1I needs TGD1: BDS-SIS-ICD-B1I-3.0 5.2.4.10.
    """
    mu = np.take_along_axis(raw.mu, raw.pair, axis=0)
    code_m = np.take_along_axis(raw.code_m, raw.pair, axis=0)
    delays_s = [one.tgd1_s if isinstance(one, BeiDouEphemeris) else 0.0 for one in ephemerides]
    first_m = code_m[0] - SPEED_OF_LIGHT_M_S * np.array(delays_s)
    free_m: FloatArray = (mu[1] * first_m - mu[0] * code_m[1]) / (mu[1] - mu[0])
    factor: FloatArray = (mu[1] + mu[0]) / (mu[1] - mu[0])
    return free_m, factor


@dataclass(frozen=True)
class _Lines:
    """What is fitted: ranges, noise factors, satellites; shapes ``(n,)``, ``(n,)``, ``(n, 3)``, ``(n,)``."""

    range_m: FloatArray
    noise_factor: FloatArray
    satellite_m: FloatArray
    system: IntArray


def _least_squares(lines: _Lines, time_ns: int) -> tuple[FloatArray, float, FloatArray, FloatArray, FloatArray] | None:
    """Iterate from the centre of the Earth; return position, clock, covariance, residuals and sigmas."""
    satellite_m = lines.satellite_m
    clocks = (lines.system[:, None] == np.unique(lines.system)[None, :]).astype(np.float64)
    position = np.zeros(3)
    clock = np.zeros(clocks.shape[1])
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
        sigma = np.sqrt(elevation_variance_m2(_CODE_SD_M, elevation)) * lines.noise_factor
        design = np.column_stack([-unit, clocks]) / sigma[:, None]
        target = (lines.range_m - model - clocks @ clock) / sigma
        normal = design.T @ design
        if np.linalg.cond(normal) > 1e12:  # noqa: PLR2004 - directions cannot be told apart in float64
            return None
        update = np.linalg.solve(normal, design.T @ target)
        position = position + update[:3]
        clock = clock + update[3:]
        if round_ > 1 and float(np.linalg.norm(update[:3])) < 1e-3:  # noqa: PLR2004 - metres
            covariance = np.linalg.solve(normal, np.eye(len(normal)))[:3, :3]
            residual = (target - design @ update) * sigma
            return position, float(clock[0]), _plain(covariance), _plain(residual), _plain(sigma)
    return None


def _plain(values: object) -> FloatArray:
    return np.asarray(values, dtype=np.float64)
