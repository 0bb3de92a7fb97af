"""The slow, obvious twin of `models.integer`, with the same conventions; for the tests, not for use.

After every elementary operation everything is computed again from ``Z^T Q Z``, so no update formula can be wrong
here, and the search visits the whole ellipsoid without ordering or shrinking it.
"""

import math
from collections.abc import Iterator

import numpy as np

from models.integer import IntegerSolution, SearchStatus
from stations.arrays import FloatArray, IntArray


def factorise(covariance_cyc2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factor a covariance as L^T diag(D) L.

    Args:
        covariance_cyc2: Covariance (n, n), cycles squared, positive definite.

    Returns:
        L (n, n) unit lower triangular and D (n,), cycles squared.

    Raises:
        numpy.linalg.LinAlgError: Not positive definite.

    Source:
        The Cholesky factor of the matrix in reversed order, reversed back.
    """
    upper = np.linalg.cholesky(covariance_cyc2[::-1, ::-1])[::-1, ::-1]  # Q = upper @ upper.T
    sd = np.diag(upper)
    return (upper / sd).T, sd**2


def decorrelate(covariance_cyc2: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Find the integer transformation that makes ambiguities nearly uncorrelated.

    Args:
        covariance_cyc2: Covariance (n, n) of the float ambiguities, cycles squared.

    Returns:
        Z (n, n), L (n, n) and D (n,) as `models.integer.decorrelate`.

    Raises:
        numpy.linalg.LinAlgError: Not positive definite.

    Source:
        As `models.integer.decorrelate`.
    """
    n = covariance_cyc2.shape[0]
    transform = np.eye(n, dtype=np.int64)[:, _most_precise_last(covariance_cyc2)]
    k = n - 2
    while k >= 0:
        factor, variances = factorise(transform.T @ covariance_cyc2 @ transform)
        slope = factor[k + 1, k] - np.rint(factor[k + 1, k])
        if variances[k] + slope**2 * variances[k + 1] < variances[k + 1] * (1.0 - 1e-9):
            transform = _size_reduce(transform, factor, k)
            transform[:, [k, k + 1]] = transform[:, [k + 1, k]]
            k = min(k + 1, n - 2)
        else:
            k -= 1
    for column in range(n - 2, -1, -1):
        factor, _ = factorise(transform.T @ covariance_cyc2 @ transform)
        transform = _size_reduce(transform, factor, column)
    return transform, *factorise(transform.T @ covariance_cyc2 @ transform)


def search(
    float_z_cyc: FloatArray, factor: FloatArray, variances_cyc2: FloatArray, candidates: int = 2
) -> IntegerSolution:
    """Find the integer vectors nearest to decorrelated floats by listing an ellipsoid that holds enough of them.

    Args:
        float_z_cyc: Decorrelated floats (n,), cycles.
        factor: Unit lower triangular L (n, n) of their covariance L^T D L.
        variances_cyc2: Diagonal D (n,), cycles squared.
        candidates: Number of vectors wanted.

    Returns:
        The nearest vectors; the status is always COMPLETE, however long it takes.

    Source:
        de Jonge and Tiberius (1996), LGR-Series 12, section 4.
    """
    n = float_z_cyc.shape[0]
    rounded = np.rint(float_z_cyc)
    trials = [rounded + jump * np.eye(n)[i] for i in range(n) for jump in range(-candidates, candidates + 1)]
    norms = sorted({_squared_norm(float_z_cyc - trial, factor, variances_cyc2) for trial in trials})
    radius = norms[candidates - 1] * (1.0 + 1e-9)
    inside = sorted(
        (_squared_norm(float_z_cyc - np.array(z), factor, variances_cyc2), z)
        for z in _ellipsoid((), float_z_cyc, factor, variances_cyc2, radius)
    )[:candidates]
    return IntegerSolution(
        np.array([z for _, z in inside], dtype=np.int64), np.array([norm for norm, _ in inside]), SearchStatus.COMPLETE
    )


def integer_least_squares(float_cyc: FloatArray, covariance_cyc2: FloatArray, candidates: int = 2) -> IntegerSolution:
    """Find the integer vectors nearest to a float vector in the metric of its covariance.

    Args:
        float_cyc: Float ambiguities (n,), cycles.
        covariance_cyc2: Their covariance (n, n), cycles squared.
        candidates: Number of vectors wanted.

    Returns:
        As `models.integer.integer_least_squares`.

    Raises:
        numpy.linalg.LinAlgError: Not positive definite.

    Source:
        Teunissen (1995), J. Geodesy 70:65, eq. 4.
    """
    transform, factor, variances = decorrelate(covariance_cyc2)
    whole = np.rint(float_cyc).astype(np.int64)
    solution = search(transform.T @ (float_cyc - whole), factor, variances, candidates)
    original = np.rint(np.linalg.solve(transform.T.astype(np.float64), solution.candidates.T)).T
    return IntegerSolution(original.astype(np.int64) + whole, solution.squared_norms, solution.status)


def _most_precise_last(covariance_cyc2: FloatArray) -> list[int]:
    """Order ambiguities: the last has the least variance, the one before it the least given the last, and so on."""
    remaining = list(range(covariance_cyc2.shape[0]))
    order: list[int] = []
    while remaining:
        cross = covariance_cyc2[np.ix_(order, remaining)]
        known = np.linalg.solve(covariance_cyc2[np.ix_(order, order)], cross)
        conditional = np.diag(covariance_cyc2)[remaining] - np.sum(cross * known, axis=0)
        order.insert(0, remaining.pop(int(np.argmin(conditional))))
    return order


def _size_reduce(transform: IntArray, factor: FloatArray, column: int) -> IntArray:
    """Subtract multiples of the later columns of Z from one, until they no longer explain half a cycle of it."""
    transform, slopes = transform.copy(), factor[:, column].copy()
    for i in range(column + 1, slopes.size):
        multiple = round(float(slopes[i]))
        slopes -= multiple * factor[:, i]
        transform[:, column] -= multiple * transform[:, i]
    return transform


def _squared_norm(residual_cyc: FloatArray, factor: FloatArray, variances_cyc2: FloatArray) -> float:
    """Squared norm of a residual in the metric of L^T D L."""
    conditional = np.linalg.solve(factor.T, residual_cyc)
    return float(np.sum(conditional**2 / variances_cyc2))


def _ellipsoid(
    later: tuple[int, ...], floats: FloatArray, factor: FloatArray, variances: FloatArray, radius: float
) -> Iterator[tuple[int, ...]]:
    """Yield every integer vector that ends with `later` and lies within `radius` (squared) of the floats."""
    k = len(floats) - len(later) - 1
    residuals = np.zeros(len(floats))
    for i in range(len(floats) - 1, k, -1):
        residuals[i] = floats[i] - later[i - k - 1] - factor[i + 1 :, i] @ residuals[i + 1 :]
    left = radius - float(np.sum(residuals**2 / variances))
    if left < 0.0:
        return
    if k < 0:
        yield later
        return
    centre = float(floats[k] - factor[k + 1 :, k] @ residuals[k + 1 :])
    reach = math.sqrt(left * variances[k])
    for integer in range(math.ceil(centre - reach), math.floor(centre + reach) + 1):
        yield from _ellipsoid((integer, *later), floats, factor, variances, radius)
