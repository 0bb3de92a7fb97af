r"""Covariance of the slant-ionosphere field, and of what the stations measure of it.

Here live the points at which the field is asked for, the hyperparameters, and the covariance of two sets of points.
Noise and conditioning are in `models.field.solve`; the same kernel written in GPyTorch, which is the definition the
tests hold this module to, is in `models.field.definition`.

One epoch, station r at x_r, satellite s with pierce point p and slant factor M, all in metres of delay on L1::

    field        I_r^s = M (V(p) + U^s(x_r))
    measurement  y_r^s = I_r^s + b^s + c_r + noise

    V   ~ GP(0, s_V^2 m(|p - p'| / l_V))           vertical delay, shared by all satellites
    U^s ~ GP(0, q_s s_U^2 m(|x - x'| / l_U))       what a thin shell cannot say, each satellite its own
    b^s ~ N(0, s_b^2),  c_r ~ N(0, s_c^2)          offsets of the measurement
    m(d) = (1 + sqrt(3) d) exp(-sqrt(3) d)         Matern 3/2 on chords

The rule to keep: the field and the measurement of the field are different things. An offset or a noise added to
`covariance` would leak into every correction that is broadcast.
"""

from dataclasses import dataclass, fields
from math import isfinite, sqrt
from typing import Final

import numba
import numpy as np

from stations.arrays import FloatArray, IntArray

_SQRT3: Final = sqrt(3.0)


@dataclass(frozen=True, eq=False)
class FieldPoints:
    """Lines of sight through the ionosphere, one row each.

    Attributes:
        satellite: Satellite of the row, (n,), an index into the array of scales.
        pierce_m: Where the line of sight crosses the shell, (n, 3), ECEF metres.
        position_m: Receiver, (n, 3), ECEF metres.
        slant_factor: Slant over vertical delay, (n,), 1 at the zenith and up to about 3 near the horizon.
    """

    satellite: IntArray
    pierce_m: FloatArray
    position_m: FloatArray
    slant_factor: FloatArray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.satellite)

    def take(self, rows: IntArray) -> "FieldPoints":
        """Return the given rows, in the given order.

        Args:
            rows: Indices, (k,).
        """
        return FieldPoints(self.satellite[rows], self.pierce_m[rows], self.position_m[rows], self.slant_factor[rows])


def stack(first: FieldPoints, second: FieldPoints) -> FieldPoints:
    """Put the rows of the second set below those of the first."""
    return FieldPoints(
        np.concatenate([first.satellite, second.satellite]),
        np.concatenate([first.pierce_m, second.pierce_m]),
        np.concatenate([first.position_m, second.position_m]),
        np.concatenate([first.slant_factor, second.slant_factor]),
    )


@dataclass(frozen=True)
class Hyperparameters:
    """The numbers of the kernel. Defaults: a quiet day at middle latitudes.

    Only the gradient ``sqrt(3) sd / length`` is well determined by a small network; sd and length trade against each
    other. Ranges are physical, not numerical: a value outside says that something else is wrong.

    Attributes:
        vtec_sd_m: Vertical delay shared by all satellites; 0.03 (night) to 2 m (storm); 1 TECU is 0.1624 m.
        vtec_length_m: Its correlation length on the shell; 300 to 3000 km.
        residual_sd_m: Zenith-equivalent residual of each satellite; 0.002 to 1 m.
        residual_length_m: Its correlation length on the ground; 30 to 1000 km.
        noise_floor_m: Added to every observation in quadrature: coloured noise that formal variances miss; 1 to 10 mm.
        station_offset_sd_m: Receiver terms left in the measurements; 0 to 10 m.
        satellite_offset_sd_m: Satellite terms and datum, wide enough to be free; 1 to 100 m.
    """

    vtec_sd_m: float = 0.12
    vtec_length_m: float = 1_000_000.0
    residual_sd_m: float = 0.02
    residual_length_m: float = 200_000.0
    noise_floor_m: float = 0.003
    station_offset_sd_m: float = 0.3
    satellite_offset_sd_m: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what is no number, or negative.

        Raises:
            ValueError: A value is not finite, negative, or zero where that leaves the covariance undefined.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            may_vanish = field.name.endswith("_sd_m")
            if not isfinite(value) or value < 0.0 or (value == 0.0 and not may_vanish):
                bound = "at least" if may_vanish else "above"
                msg = f"{field.name} is {value!r}; expected a finite number {bound} 0 metres"
                raise ValueError(msg)


def covariance(hyper: Hyperparameters, a: FieldPoints, b: FieldPoints, scales: FloatArray) -> FloatArray:
    """Compute the covariance of the field between two sets of points, without offsets and noise.

    Args:
        hyper: Kernel parameters.
        a: First points, na rows.
        b: Second points, nb rows.
        scales: Variance scale q_s of the residual of each satellite, (satellites,), dimensionless.

    Returns:
        Covariance, (na, nb), square metres of slant delay on L1.

    Source:
        Thin-shell plus satellite-specific kernel: ours, after Ouassou et al. (2015), IJNO 346498 (ordinary kriging
        with Matern covariance per satellite). `covariance_slow` is the same, one pair at a time.
    """
    return _field_fast(
        _scaled(hyper, a), _ids(a.satellite), _scaled(hyper, b), _ids(b.satellite),
        _residual_variance(hyper, a, scales), float(hyper.vtec_sd_m) ** 2,
    )  # fmt: skip


def measurement_covariance(
    hyper: Hyperparameters, points: FieldPoints, station: IntArray, scales: FloatArray
) -> FloatArray:
    """Compute the covariance of measurements of the field: the field plus offsets, without noise.

    Args:
        hyper: Kernel parameters.
        points: Where it was measured, n rows.
        station: Which station measured, (n,), any integers.
        scales: Variance scale q_s of each satellite, (satellites,), dimensionless.

    Returns:
        Covariance, (n, n), square metres; exactly symmetric.
    """
    sds = (float(hyper.vtec_sd_m), float(hyper.satellite_offset_sd_m), float(hyper.station_offset_sd_m))
    return _measurement_fast(
        _scaled(hyper, points), _ids(points.satellite), _ids(station), _residual_variance(hyper, points, scales), sds
    )


def covariance_slow(hyper: Hyperparameters, a: FieldPoints, b: FieldPoints, scales: FloatArray) -> FloatArray:
    """Compute `covariance` in plain NumPy, formula by formula; for the tests."""
    shell_m = np.linalg.norm(a.pierce_m[:, None, :] - b.pierce_m[None, :, :], axis=2)
    ground_m = np.linalg.norm(a.position_m[:, None, :] - b.position_m[None, :, :], axis=2)
    same = a.satellite[:, None] == b.satellite[None, :]
    vtec = hyper.vtec_sd_m**2 * matern32(shell_m / hyper.vtec_length_m)
    residual = hyper.residual_sd_m**2 * scales[a.satellite][:, None] * matern32(ground_m / hyper.residual_length_m)
    slant = a.slant_factor[:, None] * b.slant_factor[None, :]
    return np.asarray(slant * (vtec + np.where(same, residual, 0.0)))


def measurement_covariance_slow(
    hyper: Hyperparameters, points: FieldPoints, station: IntArray, scales: FloatArray
) -> FloatArray:
    """Compute `measurement_covariance` in plain NumPy; for the tests."""
    same_satellite = points.satellite[:, None] == points.satellite[None, :]
    same_station = station[:, None] == station[None, :]
    offsets = hyper.satellite_offset_sd_m**2 * same_satellite + hyper.station_offset_sd_m**2 * same_station
    return np.asarray(covariance_slow(hyper, points, points, scales) + offsets)


def matern32(distance: FloatArray) -> FloatArray:
    """Correlate at a distance in units of the length: (1 + sqrt(3) d) exp(-sqrt(3) d).

    Source:
        Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, equation 4.17.
    """
    scaled = _SQRT3 * distance
    return np.asarray((1.0 + scaled) * np.exp(-scaled))


def _scaled(hyper: Hyperparameters, points: FieldPoints) -> FloatArray:
    """Return pierce point and position in units of length / sqrt(3), and the slant factor: (n, 7)."""
    packed = np.empty((len(points), 7))
    packed[:, 0:3] = points.pierce_m * (_SQRT3 / hyper.vtec_length_m)
    packed[:, 3:6] = points.position_m * (_SQRT3 / hyper.residual_length_m)
    packed[:, 6] = points.slant_factor
    return packed


def _ids(identifiers: IntArray) -> IntArray:
    """Copy: a strided, read-only or 32-bit array would make numba compile once more, for a second, in the hot path."""
    return identifiers.astype(np.int64)


def _residual_variance(hyper: Hyperparameters, points: FieldPoints, scales: FloatArray) -> FloatArray:
    return np.asarray(hyper.residual_sd_m**2 * scales[points.satellite])


@numba.njit(cache=True)
def _matern_scaled(a: FloatArray, b: FloatArray, i: int, j: int, column: int) -> float:
    x = a[i, column] - b[j, column]
    y = a[i, column + 1] - b[j, column + 1]
    z = a[i, column + 2] - b[j, column + 2]
    distance = sqrt(x * x + y * y + z * z)
    return (1.0 + distance) * np.exp(-distance)  # type: ignore[no-any-return]


@numba.njit(cache=True)
def _field_fast(
    a: FloatArray,
    satellite_a: IntArray,
    b: FloatArray,
    satellite_b: IntArray,
    residual_variance_a: FloatArray,
    vtec_variance: float,
) -> FloatArray:
    out = np.empty((a.shape[0], b.shape[0]))
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            value = vtec_variance * _matern_scaled(a, b, i, j, 0)
            if satellite_a[i] == satellite_b[j]:
                value += residual_variance_a[i] * _matern_scaled(a, b, i, j, 3)
            out[i, j] = a[i, 6] * b[j, 6] * value
    return out


@numba.njit(cache=True)
def _measurement_fast(
    a: FloatArray,
    satellite: IntArray,
    station: IntArray,
    residual_variance: FloatArray,
    sds: tuple[float, float, float],
) -> FloatArray:
    vtec_variance, satellite_variance, station_variance = sds[0] ** 2, sds[1] ** 2, sds[2] ** 2
    rows = a.shape[0]
    out = np.empty((rows, rows))
    for i in range(rows):
        for j in range(i + 1):
            value = vtec_variance * _matern_scaled(a, a, i, j, 0)
            if satellite[i] == satellite[j]:
                value += residual_variance[i] * _matern_scaled(a, a, i, j, 3)
            value *= a[i, 6] * a[j, 6]
            if satellite[i] == satellite[j]:
                value += satellite_variance
            if station[i] == station[j]:
                value += station_variance
            out[i, j] = value
            out[j, i] = value
    return out
