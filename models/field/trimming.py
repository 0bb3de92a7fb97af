"""Hard decisions about rows, as the classics of robust regression take them: in, or out.

Least trimmed squares and RANSAC, adapted to the field as far as that helps them: residuals are studentised against a
fit without the row, and RANSAC works satellite by satellite, for a sample of all satellites at once would never be
free of bad rows. Baselines; the engine does not use them.
"""

from itertools import combinations
from math import ceil
from typing import Final

import numpy as np

from models.field.outliers import spread_of
from models.field.solve import Problem, residuals, solve
from stations.arrays import FloatArray, IntArray

TRIMMED_SHARE: Final = 0.5  # rows that carry the fit: the largest breakdown point there is
TRIMMED_REJECT: Final = 2.24  # normal quantile of 0.9875; at 3 a third of bad rows cost half as much error again
RANSAC_REJECT: Final = 3.0  # standard deviations that a row of the consensus may be off
RANSAC_ROWS: Final = 2  # of a sample: with the prior of the kernel, two rows of a satellite predict the others
RANSAC_OFFSET_SD_M: Final = 0.01  # what median centring leaves of the station offsets
_SHRINKING: Final = (0.9, 0.8, 0.7, 0.6)
_CONCENTRATIONS: Final = 10
_REWEIGHTINGS: Final = 5


def least_trimmed_weights(problem: Problem) -> FloatArray:
    """Find the half of the rows that agree best, and then all rows that agree with these.

    Args:
        problem: The epoch, n rows.

    Returns:
        Weights 0 or 1, (n,).

    Source:
        Concentration steps of Rousseeuw and Van Driessen (2006), Data Min. Knowl. Disc. 12:29-45; from the whole set
        downwards and with a last reweighting as for Gaussian processes in Li, Li, Shao (2021), Stat. Comput. 31:40.
    """
    rows = len(problem.noise_m2)
    weight = np.ones(rows)
    z = _studentised(problem, weight)
    for share in (*_SHRINKING, *(TRIMMED_SHARE,) * _CONCENTRATIONS):
        target = np.zeros(rows)
        target[np.argsort(np.abs(z), kind="stable")[: ceil(share * rows)]] = 1.0
        settled = np.array_equal(target, weight)
        weight = target
        if settled:
            break
        z = _studentised(problem, weight)
    for _ in range(_REWEIGHTINGS):
        target = np.asarray(np.abs(z) <= TRIMMED_REJECT * spread_of(z), dtype=np.float64)
        settled = np.array_equal(target, weight)
        weight = target
        if settled:
            break
        z = _studentised(problem, weight)
    return weight


def ransac_weights(problem: Problem) -> FloatArray:
    """Find for each satellite the most rows that two of its rows predict.

    All pairs are tried, so that there is no luck in it; among equally large sets the one with the smallest residuals
    wins. A satellite of fewer than three rows keeps what it has.

    Args:
        problem: The epoch, n rows.

    Returns:
        Weights 0 or 1, (n,).

    Source:
        Fischler and Bolles (1981), Commun. ACM 24:381-395; exhaustive, with the kernel in the place of the model.
    """
    weight = np.ones(len(problem.noise_m2))
    satellite = problem.observations.points.satellite
    offsets_m2 = problem.hyper.station_offset_sd_m**2 - RANSAC_OFFSET_SD_M**2
    for one in np.unique(satellite):
        row = np.flatnonzero(satellite == one)
        if len(row) <= RANSAC_ROWS:
            continue
        system = problem.covariance_m2[np.ix_(row, row)].copy()
        # Station offsets are shared by all satellites and known from them by now; the diagonal alone holds them here.
        system.flat[:: len(row) + 1] += problem.noise_m2[row] - offsets_m2
        weight[row] = _consensus(system, problem.centred_m[row])
    return weight


def _consensus(system_m2: FloatArray, value_m: FloatArray) -> FloatArray:
    rows = len(value_m)
    best, best_key = np.ones(rows), (-1, 0.0)
    for pair in combinations(range(rows), RANSAC_ROWS):
        chosen: IntArray = np.array(pair, dtype=np.int64)
        others = np.setdiff1d(np.arange(rows), chosen)
        gain = np.linalg.solve(system_m2[np.ix_(chosen, chosen)], system_m2[np.ix_(chosen, others)])
        residual_m = value_m[others] - value_m[chosen] @ gain
        variance_m2 = system_m2[others, others] - np.einsum("ij,ij->j", gain, system_m2[np.ix_(chosen, others)])
        z = residual_m / np.sqrt(variance_m2)
        agree = np.abs(z) <= RANSAC_REJECT
        key = (int(agree.sum()), -float(np.sum(z[agree] ** 2)))
        if key > best_key:
            best_key = key
            best = np.zeros(rows)
            best[chosen] = 1.0
            best[others[agree]] = 1.0
    return best


def _studentised(problem: Problem, weight: FloatArray) -> FloatArray:
    residual_m, variance_m2 = residuals(problem, solve(problem, weight))
    return np.asarray(residual_m / np.sqrt(variance_m2))
