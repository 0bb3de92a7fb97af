"""What is left of the observations of a rover at the position that was answered, satellite by satellite.

Rover minus master less the corrections, less what all satellites of a system have in common on a carrier; of a phase
the distance from the nearest whole cycle.
"""

from dataclasses import dataclass

import numpy as np

from models.reduction import Reduced
from models.rover import Corrections, RoverPolicy, RoverSolution, RoverStatus
from models.weights import elevation_variance_m2
from stations.arrays import FloatArray, IntArray
from stations.signals import SIGNALS

_SAME_WAVELENGTH = 1e-9  # relative, as in models.double_difference
_PER_METRE = 10_000


@dataclass(frozen=True, eq=False)
class Common:
    """What a position was computed from; rows are satellites that rover and master have in common.

    Attributes:
        master: Name of the station.
        rover: Reduced at the answered position, all satellites.
        base: Of the master, all satellites.
        rows, base_rows: The satellites in common that may be used.
        corrections: For these.
        sd_m: Of their ionosphere, against the best satellite of the system, shape ``(n,)``.
        screened: Satellites whose codes are kilometres off at the approximate position.
    """

    master: str
    rover: Reduced
    base: Reduced
    rows: IntArray
    base_rows: IntArray
    corrections: Corrections
    sd_m: FloatArray
    screened: tuple[int, ...] = ()


@dataclass(frozen=True)
class SatelliteResidual:
    """What is left of a satellite at the answered position.

    Attributes:
        elevation_rad, azimuth_rad: At the rover.
        carriers: RINEX codes of the rows below.
        code_m, phase_m: Residuals by carrier; phases NaN beside a position that is not known to centimetres.
        surprise: The largest code residual in its standard deviations.
        worst_m: That residual.
        worst_carrier: Of which signal it is.
        ionosphere_m: Predicted delay on L1, rover less master.
        ionosphere_sd_m: Of it, against the best satellite of the system.
    """

    elevation_rad: float
    azimuth_rad: float
    carriers: tuple[str, ...]
    code_m: tuple[float, ...]
    phase_m: tuple[float, ...]
    surprise: float
    worst_m: float
    worst_carrier: str
    ionosphere_m: float
    ionosphere_sd_m: float


def residuals_of(policy: RoverPolicy, common: Common, solution: RoverSolution) -> dict[int, SatelliteResidual]:
    """Return the residuals of the satellites in common at the answered position."""
    rover, base = common.rover.rows(common.rows), common.base.rows(common.base_rows)
    corrections = common.corrections
    used = np.isin(rover.satellite, solution.satellites)
    certain = solution.status in (RoverStatus.FIXED, RoverStatus.PARTIAL)
    slots = min(len(rover.code_m), len(base.code_m))
    wet_m = rover.wet_mapping * corrections.zwd_m[0] - base.wet_mapping * corrections.zwd_m[1]
    noise = elevation_variance_m2(1.0, rover.elevation_rad) + elevation_variance_m2(1.0, base.elevation_rad)
    code_m = np.full((slots, len(rover.satellite)), np.nan)
    phase_m, sigma_m = code_m.copy(), code_m.copy()
    for slot in range(slots):
        wavelength_m, mu = rover.raw.wavelength_m[slot], rover.raw.mu[slot]
        same = np.abs(wavelength_m - base.raw.wavelength_m[slot]) < _SAME_WAVELENGTH * wavelength_m
        code = rover.code_m[slot] - base.code_m[slot] - wet_m - mu * corrections.ionosphere_m
        phase = rover.phase_m[slot] - base.phase_m[slot] - wet_m + mu * corrections.ionosphere_m
        mixed = rover.raw.signal[slot] != base.raw.signal[slot]
        variance = policy.code_sd_m**2 * noise + np.where(mixed, policy.mixed_code_sd_m**2, 0.0)
        sigma_m[slot] = np.sqrt(variance + (mu * np.nan_to_num(common.sd_m, posinf=0.0)) ** 2)
        groups = rover.satellite // 100 * _PER_METRE + np.rint(np.nan_to_num(wavelength_m) * _PER_METRE).astype(
            np.int64
        )
        for group in np.unique(groups[same & used]):
            rows = np.flatnonzero(same & (groups == group))
            good = rows[used[rows]]
            code_m[slot, rows] = code[rows] - np.average(code[good], weights=1.0 / sigma_m[slot, good] ** 2)
            if certain:
                pivot = good[np.argmax(rover.elevation_rad[good])]
                length_m = wavelength_m[pivot]
                apart_m = phase[rows] - phase[pivot]
                apart_m = apart_m - np.rint(apart_m / length_m) * length_m
                phase_m[slot, rows] = apart_m - float(np.median(apart_m[used[rows]]))
    found = {}
    for k, satellite in enumerate(rover.satellite.tolist()):
        there = np.flatnonzero(np.isfinite(code_m[:, k]))
        scaled = np.abs(code_m[there, k]) / sigma_m[there, k]
        worst = int(there[np.argmax(scaled)]) if len(there) else 0
        found[satellite] = SatelliteResidual(
            float(rover.elevation_rad[k]),
            float(rover.azimuth_rad[k]),
            tuple(SIGNALS[int(rover.raw.signal[slot, k])].code for slot in there),
            tuple(code_m[there, k].tolist()),
            tuple(phase_m[there, k].tolist()),
            float(scaled.max()) if len(there) else 0.0,
            float(code_m[worst, k]),
            SIGNALS[int(rover.raw.signal[worst, k])].code,
            float(corrections.ionosphere_m[k]),
            float(common.sd_m[k]),
        )
    return found
