"""What finds bad rows: weights from studentised residuals, backward elimination, and tests of whole groups.

Arrays in, arrays out; what they mean for the field is decided in `models.field.robust`.
"""

from math import pi, sqrt
from typing import Final

import numba
import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray

_NEGLIGIBLE_WEIGHT: Final = 1e-3  # below it a row only costs time
_MEDIAN_OF_ABSOLUTE_NORMAL: Final = 0.6744897501960817  # median of |z| for standard normal z
_SQRT_2PI: Final = sqrt(2.0 * pi)
_IMPOSSIBLE: Final = 1e-200  # odds against it are still a number
_LATTICE_PLACES: Final = 4.0  # one and two steps, either way
_GROSS_RANGE_M: Final = 1.0  # gross errors beyond half a metre need no odds
_MODERATE_SD_M: Final = 0.05  # multipath and noise of a bad arc: centimetres
_KIND_SHARES: Final = (0.5, 0.25, 0.25)  # wrong fixes, gross, moderate: no kind is rare
_SHARE_ROUNDS: Final = 20
_FEWEST_FOR_SPREAD: Final = 8  # a median over fewer rows says little about the model


def igg3_weights(z: FloatArray, accept: float, reject: float) -> FloatArray:
    """Weigh rows by studentised residual: 1, then falling, then 0.

    Args:
        z: Studentised residuals, (n,), dimensionless.
        accept: Full weight up to here (k0).
        reject: No weight from here (k1).

    Returns:
        Weights, (n,), 0 to 1.

    Source:
        Yang, Song, Xu (2002), J. Geodesy 76:353-358, the IGG III scheme.
    """
    size = np.abs(z)
    falling = accept / np.maximum(size, accept) * (np.maximum(reject - size, 0.0) / (reject - accept)) ** 2
    weight = np.where(size <= accept, 1.0, falling)
    return np.where(weight < _NEGLIGIBLE_WEIGHT, 0.0, weight)


def wrong_fix_odds(residual_m: FloatArray, sigma_m: FloatArray, bad_share: float, lattice_m: float) -> FloatArray:
    """Weigh a wrong integer fix or a gross error against a good row.

    Args:
        residual_m: Measured minus predicted, (n,), metres.
        sigma_m: Standard deviation of the residual of a good row, (n,), metres.
        bad_share: Prior probability that such a row is bad.
        lattice_m: Step of the delay after wrong integers, metres; 0 for no such step.

    Returns:
        Odds of bad against good, (n,).

    Source:
        Ours. Steps for L1/L2: one cycle on each shifts the geometry-free delay by 83.3 mm, and other small combinations
        betray themselves in the geometry. A bad row is a wrong fix as often as not, one or two steps either way; else
        anywhere within half a metre, or off by centimetres as with multipath.
    """
    if lattice_m <= 0.0:
        return np.zeros(len(residual_m))
    size_m = np.abs(residual_m)
    steps = np.maximum(np.round(size_m / lattice_m), 1.0)
    # Both densities times sqrt(2 pi) sigma.
    on_lattice = np.exp(-0.5 * ((size_m - steps * lattice_m) / sigma_m) ** 2) / _LATTICE_PLACES
    anywhere = _SQRT_2PI * sigma_m / _GROSS_RANGE_M
    wider_m = np.hypot(sigma_m, _MODERATE_SD_M)
    moderate = sigma_m / wider_m * np.exp(-0.5 * (size_m / wider_m) ** 2)
    bad = _KIND_SHARES[0] * on_lattice + _KIND_SHARES[1] * anywhere + _KIND_SHARES[2] * moderate
    good = np.exp(-0.5 * (size_m / sigma_m) ** 2)
    return np.asarray(bad_share * bad / ((1.0 - bad_share) * np.maximum(good, _IMPOSSIBLE)))


def bad_share_of(residual_m: FloatArray, sigma_m: FloatArray, lattice_m: float) -> float:
    """Estimate which share of rows is bad, from the mixture of good and bad residuals that `wrong_fix_odds` assumes.

    Counting rows that are refused outright is not enough: where the field is rough, most wrong fixes pass a test of
    four standard deviations, and what is left then looks trustworthy.

    Args:
        residual_m: Measured minus predicted, (n,), metres.
        sigma_m: Standard deviation of the residual of a good row, (n,), metres.
        lattice_m: As in `wrong_fix_odds`.

    Returns:
        Share, above 0 and below 1; a half when there are no rows.

    Source:
        Expectation maximisation, Dempster, Laird, Rubin (1977), J. R. Stat. Soc. B 39:1-38, with half a bad row in one
        as the prior.
    """
    share = 0.5
    for _ in range(_SHARE_ROUNDS):
        odds = wrong_fix_odds(residual_m, sigma_m, share, lattice_m)
        share = (0.5 + float(np.sum(1.0 - 1.0 / (1.0 + odds)))) / (len(residual_m) + 1.0)
    return share


@numba.njit(cache=True)
def spread_of(z: FloatArray) -> float:
    """Estimate by how much residuals exceed their standard deviations, never less than 1.

    Args:
        z: Studentised residuals of rows believed good, (k,).

    Returns:
        Factor from the median; 1 for a handful of rows.
    """
    if len(z) < _FEWEST_FOR_SPREAD:
        return 1.0
    return max(1.0, float(np.median(np.abs(z))) / _MEDIAN_OF_ABSOLUTE_NORMAL)


@numba.njit(cache=True)
def prune(
    precision: FloatArray,
    solution: FloatArray,
    excess_m2: FloatArray,
    satellite: IntArray,
    removable: BoolArray,
    reject: float,
) -> tuple[BoolArray, FloatArray]:
    """Take out rows that the others contradict, the worst first, until none is left.

    One at a time, because one gross error makes the rows around it look bad too.

    Args:
        precision: Inverse of the covariance of the rows, (k, k).
        solution: Precision times the values, (k,).
        excess_m2: Noise of each row beyond that at weight 1, (k,), square metres; not held in its favour.
        satellite: Of each row, (k,).
        removable: Rows that may be taken out, (k,).
        reject: Largest tolerated studentised residual.

    Returns:
        Rows that stay, (k,), and their studentised residuals among themselves, (k,), 0 for rows taken out.

    Source:
        Downdate of an inverse by one row, e.g. Golub and Van Loan (2013), section 2.1.4; `prune_slow` refits instead.
    """
    rows = len(solution)
    precision = precision.copy()
    solution = solution.copy()
    stays = np.ones(rows, dtype=np.bool_)
    z = np.zeros(rows)
    for _ in range(rows):
        for i in range(rows):
            if stays[i]:
                variance = 1.0 / precision[i, i]
                z[i] = solution[i] * variance / np.sqrt(variance - excess_m2[i])
            else:
                z[i] = 0.0
        worst, largest = -1, reject
        for i in range(rows):
            if stays[i] and removable[i] and abs(z[i]) > largest:
                worst, largest = i, abs(z[i])
        if worst < 0:
            break
        pair = -1
        partners = 0
        for i in range(rows):
            if stays[i] and i != worst and satellite[i] == satellite[worst]:
                pair = i
                partners += 1
        _downdate(precision, solution, stays, worst)
        if partners == 1 and removable[pair]:
            # Of two rows that contradict each other nobody can say which is wrong.
            _downdate(precision, solution, stays, pair)
    return stays, z


@numba.njit(cache=True)
def _downdate(precision: FloatArray, solution: FloatArray, stays: BoolArray, out: int) -> None:
    stays[out] = False
    pivot = precision[out, out]
    for i in range(len(solution)):
        if stays[i]:
            factor = precision[i, out] / pivot
            solution[i] -= factor * solution[out]
            for j in range(len(solution)):
                if stays[j]:
                    precision[i, j] -= factor * precision[out, j]


def prune_slow(
    covariance_m2: FloatArray,
    value_m: FloatArray,
    excess_m2: FloatArray,
    satellite: IntArray,
    removable: BoolArray,
    reject: float,
) -> BoolArray:
    """Do as `prune`, refitting from scratch after each row; for the tests.

    Args:
        covariance_m2: Of the rows, noise included, (k, k).
        value_m: Values, (k,).
        excess_m2: As in `prune`.
        satellite: As in `prune`.
        removable: As in `prune`.
        reject: As in `prune`.

    Returns:
        Rows that stay, (k,).
    """
    stays = np.ones(len(value_m), dtype=np.bool_)
    while stays.any():
        row = np.flatnonzero(stays)
        identity = np.eye(len(row))
        precision = np.linalg.solve(covariance_m2[np.ix_(row, row)], identity)
        variance = 1.0 / np.diagonal(precision)
        z = (precision @ value_m[row]) * variance / np.sqrt(variance - excess_m2[row])
        size = np.where(removable[row], np.abs(z), 0.0)
        worst = int(np.argmax(size))
        if size[worst] <= reject:
            break
        stays[row[worst]] = False
        partners = np.flatnonzero(stays & (satellite == satellite[row[worst]]))
        if len(partners) == 1 and removable[partners[0]]:
            stays[partners[0]] = False
    return stays


@numba.njit(cache=True)
def worst_group(
    z: FloatArray, group: IntArray, counted: BoolArray, threshold: float, fewest_rows: int
) -> tuple[int, float]:
    """Find the station or satellite most of whose rows are contradicted.

    Args:
        z: Studentised residuals, (n,).
        group: Station or satellite of each row, (n,), any integers.
        counted: Rows to judge by, (n,).
        threshold: A group is bad when the median of |z| over its rows exceeds this.
        fewest_rows: Groups with fewer rows are not judged.

    Returns:
        The worst bad group and its median; (-1, 0) when there is none, or when half of the judged groups are bad, for
        then it is the model that is wrong.
    """
    rows = len(z)
    done = np.zeros(rows, dtype=np.bool_)
    members = np.empty(rows)
    judged, bad = 0, 0
    worst, largest = -1, 0.0
    for i in range(rows):
        if done[i]:
            continue
        count = 0
        for j in range(i, rows):
            if group[j] == group[i]:
                done[j] = True
                if counted[j]:
                    members[count] = abs(z[j])
                    count += 1
        if count < fewest_rows:
            continue
        judged += 1
        median = float(np.median(members[:count]))
        if median > threshold:
            bad += 1
            if median > largest:
                worst, largest = group[i], median
    if 2 * bad >= judged:
        return -1, 0.0
    return worst, largest
