"""The posterior of the field given one epoch of measurements: conditioning, prediction, leave-one-out, likelihood.

Nothing here is robust and nothing is learned; `models.field.robust` chooses weights and calls `solve` again. The
posterior is that of `models.field.definition`, to 1e-8, which the tests check on random networks.

Values are centred first (`models.field.centre`): the offsets are given medians as prior means, so that neither a datum
nor a receiver bias of any size costs digits. Centring is part of the model, hence the same for every weighting of an
epoch.

The rule to keep: solve, never invert. A row is left out by the diagonal of the inverse, which is the squared column
norms of the inverse triangular factor.
"""

from dataclasses import dataclass
from math import log, pi
from typing import Final

import numpy as np
from scipy.linalg import blas, lapack

from models.field.centre import centre
from models.field.kernels import FieldPoints, Hyperparameters, covariance, measurement_covariance
from stations.arrays import BoolArray, FloatArray, IntArray

_LOG_2PI: Final = log(2.0 * pi)


@dataclass(frozen=True, eq=False)
class FieldObservations:
    """One epoch of slant ionosphere at the stations, one row per station and satellite.

    Attributes:
        points: Lines of sight, n rows.
        station: Station of the row, (n,), any integers.
        value_m: Measured slant delay on L1, (n,), metres; any datum per satellite.
        noise_var_m2: Variance of the measurement, independent between rows, (n,), square metres.
        clean: Whether the row passed every signal validity test, (n,).
    """

    points: FieldPoints
    station: IntArray
    value_m: FloatArray
    noise_var_m2: FloatArray
    clean: BoolArray

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.value_m)

    def take(self, rows: IntArray) -> "FieldObservations":
        """Return the given rows, in the given order.

        Args:
            rows: Indices, (k,).
        """
        return FieldObservations(
            self.points.take(rows), self.station[rows], self.value_m[rows], self.noise_var_m2[rows], self.clean[rows]
        )


@dataclass(frozen=True, eq=False)
class Problem:
    """One epoch made ready to be conditioned with any weights.

    Attributes:
        hyper: Kernel parameters.
        scales: Variance scale of each satellite, (satellites,).
        observations: The epoch, n rows.
        covariance_m2: Of the measurements without noise, (n, n).
        noise_m2: Noise variance at weight 1, floor included, (n,).
        centred_m: Values less the prior means of the offsets, (n,).
    """

    hyper: Hyperparameters
    scales: FloatArray
    observations: FieldObservations
    covariance_m2: FloatArray
    noise_m2: FloatArray
    centred_m: FloatArray


@dataclass(frozen=True, eq=False)
class Posterior:
    """The field given the rows of positive weight.

    Attributes:
        hyper: Kernel parameters.
        scales: Variance scale of each satellite, (satellites,).
        row: Which rows of the observations are in it, (k,).
        points: Their lines of sight, k rows.
        weight: Their weights, (k,).
        factor: Lower Cholesky factor of their covariance with noise, (k, k), Fortran order.
        solution: That covariance solved for the centred values, (k,).
        log_likelihood: Log density of the k centred values.
    """

    hyper: Hyperparameters
    scales: FloatArray
    row: IntArray
    points: FieldPoints
    weight: FloatArray
    factor: FloatArray
    solution: FloatArray
    log_likelihood: float


def prepare(
    hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray, centre_m: FloatArray | None = None
) -> Problem:
    """Compute what does not depend on the weights.

    Args:
        hyper: Kernel parameters.
        observations: The epoch, n rows.
        scales: Variance scale of each satellite, (satellites,), dimensionless, positive.
        centre_m: Prior mean of the offsets of each row, (n,), metres; by default that of `models.field.centre`.

    Returns:
        The problem, for `solve`.

    Raises:
        ValueError: Arrays disagree in length, a value is not finite, a variance is negative, or a satellite has no
            scale.
    """
    _check(observations, scales)
    if centre_m is None:
        centre_m = centre(observations.value_m, observations.points.satellite, observations.station, observations.clean)
    return Problem(
        hyper,
        scales,
        observations,
        measurement_covariance(hyper, observations.points, observations.station, scales),
        observations.noise_var_m2 + hyper.noise_floor_m**2,
        observations.value_m - centre_m,
    )


def solve(problem: Problem, weights: FloatArray) -> Posterior:
    """Condition the field on a prepared epoch.

    Args:
        problem: From `prepare`, n rows.
        weights: Of each row, (n,), 0 to 1; the noise variance is divided by it, and a row of weight 0 is left out.

    Returns:
        The posterior.

    Raises:
        numpy.linalg.LinAlgError: The covariance is not positive definite, which a positive noise floor excludes.

    Source:
        Rasmussen and Williams (2006), algorithm 2.1.
    """
    row = np.flatnonzero(weights > 0.0)
    kept = weights[row]
    whole = len(row) == len(weights)
    # Exactly the weight 1 must leave the noise untouched to the last bit: a clean epoch equals the plain process.
    system = problem.covariance_m2.copy() if whole else problem.covariance_m2[np.ix_(row, row)]
    system.flat[:: len(row) + 1] += problem.noise_m2[row] / kept
    centred = problem.centred_m[row]
    points = problem.observations.points if whole else problem.observations.points.take(row)
    if len(row) == 0:
        return Posterior(problem.hyper, problem.scales, row, points, kept, system, centred, 0.0)
    factor, failed = lapack.dpotrf(system.T, lower=1, clean=1, overwrite_a=1)
    if failed:
        msg = f"covariance of {len(row)} rows is not positive definite (leading minor {failed})"
        raise np.linalg.LinAlgError(msg)
    solution, _ = lapack.dpotrs(factor, centred, lower=1)
    log_determinant = 2.0 * float(np.sum(np.log(np.diagonal(factor))))
    log_likelihood = -0.5 * (float(centred @ solution) + log_determinant + len(row) * _LOG_2PI)
    return Posterior(problem.hyper, problem.scales, row, points, kept, factor, solution, log_likelihood)


def condition(
    hyper: Hyperparameters,
    observations: FieldObservations,
    scales: FloatArray,
    weights: FloatArray | None = None,
    centre_m: FloatArray | None = None,
) -> Posterior:
    """Condition the field on one epoch.

    Args:
        hyper: Kernel parameters.
        observations: The epoch, n rows; the flags are used for centring only.
        scales: Variance scale of each satellite, (satellites,), dimensionless.
        weights: Of each row, (n,), 0 to 1; by default all 1.
        centre_m: Prior mean of the offsets of each row, (n,), metres; by default that of `models.field.centre`.

    Returns:
        The posterior.

    Raises:
        ValueError: As `prepare`.
    """
    return solve(
        prepare(hyper, observations, scales, centre_m), np.ones(len(observations)) if weights is None else weights
    )


def predict(posterior: Posterior, points: FieldPoints) -> tuple[FloatArray, FloatArray]:
    """Predict the field, without offsets and noise.

    Args:
        posterior: What is known.
        points: Where, m rows.

    Returns:
        Mean, (m,), metres of slant delay on L1 (differences between points are what carries meaning), and joint
        covariance, (m, m), square metres, exactly symmetric.

    Source:
        Rasmussen and Williams (2006), equations 2.23 and 2.24.
    """
    prior = covariance(posterior.hyper, points, points, posterior.scales)
    if len(posterior.row) == 0 or len(points) == 0:
        return np.zeros(len(points)), prior
    cross = covariance(posterior.hyper, points, posterior.points, posterior.scales)
    explained = blas.dtrsm(1.0, posterior.factor, cross.T, lower=1)
    return cross @ posterior.solution, prior - explained.T @ explained


def leave_one_out(posterior: Posterior) -> tuple[FloatArray, FloatArray]:
    """Predict each row of the posterior from all the others.

    Args:
        posterior: With k rows.

    Returns:
        Residual, (k,), metres, measured minus predicted; and its variance, (k,), square metres, which holds the noise
        of the row at its own weight. Equal to conditioning k times without one row.

    Source:
        Rasmussen and Williams (2006), equations 5.10 to 5.12.
    """
    if len(posterior.row) == 0:
        return np.zeros(0), np.zeros(0)
    inverse_factor, _ = lapack.dtrtri(posterior.factor, lower=1)
    variance = 1.0 / np.einsum("ij,ij->j", inverse_factor, inverse_factor)
    return posterior.solution * variance, variance


def inverse(posterior: Posterior) -> FloatArray:
    """Return the precision of the rows of a posterior, for taking rows out one by one; never for solving.

    Args:
        posterior: With k rows.

    Returns:
        Inverse of their covariance with noise, (k, k), per square metre, exactly symmetric.
    """
    inverse_factor, _ = lapack.dtrtri(posterior.factor, lower=1)
    return np.asarray(inverse_factor.T @ inverse_factor)


def residuals(problem: Problem, posterior: Posterior) -> tuple[FloatArray, FloatArray]:
    """Compare every row of an epoch with what the other rows of the posterior say about it.

    Args:
        problem: The epoch, n rows.
        posterior: Of the same epoch with any weights.

    Returns:
        Residual, (n,), metres: leave-one-out for rows in the posterior, plain prediction for the others; and variance,
        (n,), square metres, with the noise of the row at weight 1 whatever its weight was.
    """
    rows = len(problem.centred_m)
    residual, variance = np.empty(rows), np.empty(rows)
    inside, inside_variance = leave_one_out(posterior)
    residual[posterior.row] = inside
    noise = problem.noise_m2[posterior.row]
    variance[posterior.row] = inside_variance - noise / posterior.weight + noise
    if len(posterior.row) < rows:
        outside = np.ones(rows, dtype=np.bool_)
        outside[posterior.row] = False
        new = np.flatnonzero(outside)
        residual[new] = problem.centred_m[new]
        variance[new] = problem.covariance_m2[new, new] + problem.noise_m2[new]
        if len(posterior.row):
            cross = problem.covariance_m2[np.ix_(new, posterior.row)]
            explained = blas.dtrsm(1.0, posterior.factor, cross.T, lower=1)
            residual[new] -= cross @ posterior.solution
            variance[new] -= np.einsum("ij,ij->j", explained, explained)
    # The offset of a satellite is a difference of 100 m^2: rounding must not go below what the noise alone is.
    return residual, np.maximum(variance, problem.noise_m2)


def _check(observations: FieldObservations, scales: FloatArray) -> None:
    rows = len(observations)
    points = observations.points
    lengths = {
        "satellite": points.satellite, "pierce_m": points.pierce_m, "position_m": points.position_m,
        "slant_factor": points.slant_factor, "station": observations.station,
        "noise_var_m2": observations.noise_var_m2, "clean": observations.clean,
    }  # fmt: skip
    for name, array in lengths.items():
        if len(array) != rows:
            msg = f"{name} has {len(array)} rows, value_m has {rows}; every array needs one row per observation"
            raise ValueError(msg)
    if not rows:
        return
    if points.satellite.min() < 0 or points.satellite.max() >= len(scales):
        msg = f"satellites {points.satellite.min()} to {points.satellite.max()}, but there are {len(scales)} scales"
        raise ValueError(msg)
    finite = np.isfinite(observations.value_m).all() and np.isfinite(points.pierce_m).all()
    finite = finite and np.isfinite(points.position_m).all() and np.isfinite(points.slant_factor).all()
    if not finite or not np.all(observations.noise_var_m2 >= 0.0) or not np.isfinite(observations.noise_var_m2).all():
        msg = "a value, point or variance is not finite, or a variance is negative; drop such rows before"
        raise ValueError(msg)
