"""Filter-Reweight-Retrain: the field from observations of which many are bad.

1. *Filter.* Fit to the clean rows only; take out, worst first, clean rows that the others contradict, and whole
   stations or satellites when most of their clean rows are contradicted.
2. *Reweight.* Studentise every row against a fit that does not contain it: leave-one-out for rows in the fit, plain
   prediction for the others. IGG-III gives the weight. A dirty row is dropped too when a fault explains it better:
   wrong integers move the delay in steps, and the residuals of all dirty rows tell which share of them is at fault.
3. *Retrain* on the weighted rows; 2 and 3 are repeated until the weights stand, at most three times.

Two rules bound the bias at any share of bad rows, and must be kept:

- R1, bounded and redescending influence: the residual that decides on a row comes from a model without that row, and
  beyond `RobustPolicy.reject` standard deviations its weight is zero.
- R2, scale and mass control: the standard deviation is that of the prediction, never the spread of the dirty rows; and
  the dirty rows of a satellite weigh together at most as much as its clean ones. A satellite without clean rows is
  used with inflated variance, because nothing vouches for it.

Source: the three steps are those of Lin et al. (2019), "Robust Gaussian Process Regression for Real-Time High
Precision GPS Signal Enhancement", KDD, pp. 2838-2847; rules, thresholds, elimination and group tests are ours.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from models.field.kernels import Hyperparameters
from models.field.outliers import bad_share_of, igg3_weights, prune, spread_of, worst_group, wrong_fix_odds
from models.field.solve import FieldObservations, Posterior, Problem, inverse, leave_one_out, prepare, residuals, solve
from stations.arrays import BoolArray, FloatArray, IntArray

_SETTLED: Final = 0.05  # weights that moved by less do not change the field by a tenth of its sigma
_NOTABLE: Final = 1.2  # a spread of 50 good rows of a right model stays below
_TINY: Final = float(np.finfo(np.float64).tiny)
_SMALLEST_SIGMA_M: Final = 1e-6
_MAX_WIDENINGS: Final = 4  # each catches most of the remaining factor


class RobustStatus(StrEnum):
    """How the fit ended."""

    SETTLED = "settled"
    MAX_ROUNDS = "max_rounds"
    NO_OBSERVATIONS = "no_observations"


@dataclass(frozen=True)
class RobustPolicy:
    """Thresholds of the robust fit.

    Attributes:
        accept: Studentised residual up to which a row keeps its full weight (k0), 1.5 to 2.
        reject: From which it has none (k1), 3.5 to 5.
        group_reject: A station or satellite goes when the median of |z| over its clean rows is larger.
        group_rows: Groups with fewer clean rows are not judged.
        group_limit: At most so many stations and satellites are taken out of one epoch.
        orphan_weight: Weight of dirty rows of a satellite without a clean row.
        orphan_rows: Such a satellite is used when so many of its rows agree, and they are the majority.
        lattice_m: Smallest step of the slant delay after wrong integers, (1, 1) cycles on L1/L2, metres; 0: no test.
        wrong_fix_odds: A dirty row with higher odds of a wrong fix is dropped; below 1, for a wrong row does more harm
            than a right one does good (0.25 brought the error over its sigma at 40 % bad rows from 1.32 to 1.18).
        max_rounds: Of reweighting and retraining.
    """

    accept: float = 2.0
    reject: float = 4.0
    group_reject: float = 3.5
    group_rows: int = 4
    group_limit: int = 4
    orphan_weight: float = 0.25
    orphan_rows: int = 3
    lattice_m: float = 0.0833
    wrong_fix_odds: float = 0.25
    max_rounds: int = 3


@dataclass(frozen=True, eq=False)
class RobustInfo:
    """What the robust fit did.

    Attributes:
        status: How it ended.
        rounds: Of retraining; 0 when the first fit already was the last.
        spread: By how much good clean rows exceed the model, 1 or more; the thresholds were widened by it.
        pruned: Clean rows that the other clean rows contradicted in the filter step, (k,).
        lattice: Dirty rows that passed the weighting, but may well have wrong integers, (l,).
        stations: Stations taken out whole.
        satellites: Satellites taken out whole.
    """

    status: RobustStatus
    rounds: int
    spread: float
    pruned: IntArray
    lattice: IntArray
    stations: tuple[int, ...]
    satellites: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class RobustField:
    """Result of the robust fit of n rows.

    Attributes:
        posterior: The field.
        weight: Of each row, (n,), 0 to 1.
        loo_z: Each row against the field without it, at weight 1, in its standard deviations, (n,).
        info: What happened.
    """

    posterior: Posterior
    weight: FloatArray
    loo_z: FloatArray
    info: RobustInfo


@dataclass(frozen=True, eq=False)
class _Filtered:
    weight: FloatArray
    posterior: Posterior
    excluded: BoolArray
    pruned: IntArray
    spread: float
    stations: tuple[int, ...]
    satellites: tuple[int, ...]


def filter_reweight_retrain(
    hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray, policy: RobustPolicy
) -> RobustField:
    """Fit the field to one epoch of observations of which many may be bad.

    When no row is flagged and none surprises, the result is that of `models.field.solve.condition`, to the last bit.

    Args:
        hyper: Kernel parameters.
        observations: The epoch, n rows; ``clean`` is the side information that carries the fit beyond 50 % bad rows.
        scales: Variance scale of each satellite, (satellites,), dimensionless.
        policy: Thresholds.

    Returns:
        Posterior, weights, studentised residuals and report.

    Raises:
        ValueError: As `models.field.solve.prepare`.

    Source:
        Lin et al. (2019); see the module docstring for what is ours.
    """
    problem = prepare(hyper, observations, scales)
    if len(observations) == 0:
        empty, none = np.zeros(0), np.zeros(0, dtype=np.int64)
        info = RobustInfo(RobustStatus.NO_OBSERVATIONS, 0, 1.0, none, none, (), ())
        return RobustField(solve(problem, empty), empty, empty, info)
    filtered = _filter(problem, policy)
    weight, posterior = filtered.weight, filtered.posterior
    status, rounds = RobustStatus.MAX_ROUNDS, 0
    while True:
        residual_m, variance_m2 = residuals(problem, posterior)
        z = residual_m / np.sqrt(variance_m2)
        target, lattice = _reweight(problem, policy, filtered, (residual_m, z), weight)
        if float(np.max(np.abs(target - weight))) < _SETTLED:
            status = RobustStatus.SETTLED
            break
        if rounds == policy.max_rounds:
            break
        weight, rounds = target, rounds + 1
        posterior = solve(problem, weight)
    info = RobustInfo(status, rounds, filtered.spread, filtered.pruned, lattice, filtered.stations, filtered.satellites)
    return RobustField(posterior, weight, z, info)


def _filter(problem: Problem, policy: RobustPolicy) -> _Filtered:
    """Find clean rows that agree, and orphans that agree with each other."""
    observations = problem.observations
    satellite, station = observations.points.satellite.astype(np.int64), observations.station.astype(np.int64)
    excluded = np.zeros(len(observations), dtype=np.bool_)
    groups: dict[str, list[int]] = {"station": [], "satellite": []}
    while True:
        start = observations.clean & ~excluded
        weight, posterior, spread = _pruned(problem, start.astype(np.float64), start, policy.reject)
        pruned = np.flatnonzero(start & (weight == 0.0))
        if len(pruned) < policy.group_rows // 2 or sum(map(len, groups.values())) >= policy.group_limit:
            break
        residual_m, variance_m2 = residuals(problem, posterior)
        z = residual_m / np.sqrt(variance_m2)
        threshold = policy.group_reject * spread
        bad_station, by_station = worst_group(z, station, start, threshold, policy.group_rows)
        bad_satellite, by_satellite = worst_group(z, satellite, start, threshold, policy.group_rows)
        if by_station == 0.0 and by_satellite == 0.0:
            break
        if by_station >= by_satellite:
            groups["station"].append(int(bad_station))
            excluded |= station == bad_station
        else:
            groups["satellite"].append(int(bad_satellite))
            excluded |= satellite == bad_satellite
    weight, posterior = _adopt_orphans(problem, policy, posterior, excluded, policy.reject * spread)
    return _Filtered(weight, posterior, excluded, pruned, spread, tuple(groups["station"]), tuple(groups["satellite"]))


def _adopt_orphans(
    problem: Problem, policy: RobustPolicy, posterior: Posterior, excluded: BoolArray, reject: float
) -> tuple[FloatArray, Posterior]:
    """Give a little weight to dirty rows of satellites without clean ones, where most of them agree."""
    satellite, satellites = problem.observations.points.satellite, len(problem.scales)
    weight = np.zeros(len(satellite))
    weight[posterior.row] = posterior.weight
    vouched = np.bincount(satellite, weights=weight, minlength=satellites)[satellite] > 0.0
    orphan = ~problem.observations.clean & ~excluded & ~vouched
    asked = np.bincount(satellite, weights=orphan, minlength=satellites)[satellite]
    orphan &= asked >= policy.orphan_rows
    if not orphan.any():
        return weight, posterior
    weight[orphan] = policy.orphan_weight
    weight, _, _ = _pruned(problem, weight, orphan, reject, widen=False)
    agreeing = np.bincount(satellite, weights=weight > 0.0, minlength=satellites)[satellite]
    weight[orphan & ((agreeing < policy.orphan_rows) | (2 * agreeing <= asked))] = 0.0
    return weight, solve(problem, weight)


def _pruned(
    problem: Problem, weight: FloatArray, removable: BoolArray, reject: float, *, widen: bool = True
) -> tuple[FloatArray, Posterior, float]:
    """Set the weight of removable rows to zero that the others contradict.

    Returns:
        The weights, the posterior with them, and the spread of the rows that stay.
    """
    posterior = solve(problem, weight)
    row, spread = posterior.row, 1.0
    excess_m2 = problem.noise_m2[row] * (1.0 / posterior.weight - 1.0)
    residual_m, variance_m2 = leave_one_out(posterior)
    z = residual_m / np.sqrt(variance_m2 - excess_m2)
    if not np.any(removable[row] & (np.abs(z) > reject)):
        return weight, posterior, spread_of(z) if widen and spread_of(z) >= _NOTABLE else spread
    precision = inverse(posterior)
    satellite = problem.observations.points.satellite[row].astype(np.int64)
    stays = np.ones(len(row), dtype=np.bool_)
    for _ in range(_MAX_WIDENINGS):
        stays, z = prune(precision, posterior.solution, excess_m2, satellite, removable[row], reject * spread)
        # A rough ionosphere surprises a quiet model in every row: if what is left still exceeds the model, it is the
        # model that is too tight, and most of what was taken out was good.
        wider = spread_of(z[stays])
        if not widen or wider < _NOTABLE * spread:
            break
        spread = wider
    result = weight.copy()
    result[row[~stays]] = 0.0
    return result, solve(problem, result), spread


def _reweight(
    problem: Problem,
    policy: RobustPolicy,
    filtered: _Filtered,
    surprise: tuple[FloatArray, FloatArray],
    weight: FloatArray,
) -> tuple[FloatArray, IntArray]:
    """Return the weights that residuals and studentised residuals call for, and the lattice rows."""
    residual_m, z = surprise
    observations = problem.observations
    clean, satellite = observations.clean, observations.points.satellite
    target = igg3_weights(z / filtered.spread, policy.accept, policy.reject)
    target[filtered.excluded] = 0.0
    satellites = len(problem.scales)
    vouching = np.bincount(satellite, weights=clean & (weight > 0.0), minlength=satellites)[satellite]
    # With nothing of its satellite in the fit a row has no residual worth the name: it stays what the filter made it.
    alone = vouching == 0.0
    target[alone] = np.minimum(target[alone], filtered.weight[alone])
    asked = ~clean & ~filtered.excluded & ~alone
    sigma_m = filtered.spread * np.abs(residual_m[asked]) / np.maximum(np.abs(z[asked]), _TINY)
    # A residual of exactly zero has lost its sigma in the quotient; any positive one says "good".
    sigma_m = np.maximum(sigma_m, _SMALLEST_SIGMA_M)
    share = bad_share_of(residual_m[asked], sigma_m, policy.lattice_m)
    wrong_fix = asked & (target > 0.0)
    odds = wrong_fix_odds(residual_m[asked], sigma_m, share, policy.lattice_m)
    wrong_fix[asked] &= odds > policy.wrong_fix_odds
    target[wrong_fix] = 0.0
    mass = np.bincount(satellite, weights=np.where(asked, target, 0.0), minlength=satellites)[satellite]
    capped = asked & (mass > vouching)
    target[capped] *= vouching[capped] / mass[capped]
    return target, np.flatnonzero(wrong_fix)
