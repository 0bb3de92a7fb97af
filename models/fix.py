"""Policy of ambiguity fixing: which integers are believed, and what follows from believing them or not.

Not here: the search itself (`models.integer`) and checks that need geometry or residuals of satellites. Rule for
maintainers: an answer that is not accepted carries no integers at all, so that applying it changes nothing.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from models.integer import (
    MAX_NODES,
    SearchStatus,
    decorrelate,
    has_fractions,
    search,
    split_integers,
    suffix_success_rates,
)
from stations.arrays import FloatArray, IntArray

RATIO_TABLE = np.array([[4.0, 5.3], [8.0, 3.0], [12.0, 2.3], [16.0, 1.95], [20.0, 1.7], [30.0, 1.4]])
"""Number of integers, ratio of squared norms at a failure rate of about 0.1 %, as fitted in RTKLIB-demo5."""

INTEGER_GAIN_LIMIT_CYC = 0.6
"""Conditional sd above which knowing that a number is an integer tells nothing: exp(-2 pi^2 0.6^2) = 0.0008."""


class FixStatus(StrEnum):
    """Outcome of an attempt to fix; only the first two carry integers."""

    FIXED_ALL = "fixed_all"
    FIXED_PARTIAL = "fixed_partial"
    RATIO = "ratio"
    FIT = "fit"
    TOO_FEW = "too_few"
    SEARCH_LIMIT = "search_limit"
    SINGULAR = "singular"


@dataclass(frozen=True, slots=True)
class FixPolicy:
    """When integers are believed.

    Attributes:
        min_success_rate: Bootstrapped success rate that the fixed subset must reach.
        ratio_scale: Factor on the ratio table; the scaled threshold is never below 1.
        max_fit_per_integer: Largest squared norm per integer; 1 is expected when the covariance is right.
        min_integers: Smallest subset worth testing. Network filters with held integers may set 1.
        max_nodes: Hard bound on visited nodes of the search tree.
    """

    min_success_rate: float = 0.99
    ratio_scale: float = 1.0
    max_fit_per_integer: float = 4.0
    min_integers: int = 4
    max_nodes: int = MAX_NODES


@dataclass(frozen=True, slots=True)
class PartialFix:
    """Result of `partial_fix`.

    Attributes:
        status: Outcome.
        transform: Integer rows (k, n) with `transform @ ambiguities = integers`; k = 0 unless accepted.
        integers: Fixed integers (k,).
        attempted: Size of the subset that was tested, also when it was refused.
        ratio: Second smallest over smallest squared norm; NaN when not searched.
        threshold: What the ratio had to reach; NaN when not searched.
        success_rate: Bootstrapped success rate of the tested subset; 0 when there was none.
        fit: Smallest squared norm per integer; NaN when not searched.
    """

    status: FixStatus
    transform: IntArray
    integers: IntArray
    attempted: int
    ratio: float
    threshold: float
    success_rate: float
    fit: float

    @property
    def fixed(self) -> int:
        """Number of fixed integers (rows of `transform`)."""
        return len(self.integers)

    @property
    def accepted(self) -> bool:
        """Whether the integers may be applied."""
        return self.status in {FixStatus.FIXED_ALL, FixStatus.FIXED_PARTIAL}


@dataclass(frozen=True, slots=True)
class EquivariantEstimate:
    """Best integer equivariant estimate of parameters that depend on ambiguities.

    Attributes:
        shift: What to add to the float parameters (m,), in their unit.
        covariance: Their covariance (m, m) given the float ambiguities.
        best_weight: Weight of the nearest integer vector: how close the estimate is to a fix.
        tail_weight: Weight of the farthest vector used over the nearest; unless small, too few were averaged.
        status: Of the search; SEARCH_LIMIT comes with what had been found by then, SINGULAR with a shift of zero.
    """

    shift: FloatArray
    covariance: FloatArray
    best_weight: float
    tail_weight: float
    status: SearchStatus


def ratio_threshold(n: int, policy: FixPolicy) -> float:
    """Look up the smallest acceptable ratio of squared norms.

    Args:
        n: Number of integers tested together, at least 1.
        policy: Supplies `ratio_scale`.

    Returns:
        Threshold, at least 1, decreasing with `n`.

    Raises:
        ValueError: `n` is below 1.

    Source:
        Fixed failure rate after Verhagen and Teunissen (2013), in the form of RTKLIB-demo5. Ours: between and beyond
        the entries `ratio - 1` is a power of n, which meets the 1.2 of RTKLIB-demo5 at n = 50.
    """
    if n < 1:
        message = f"expected at least 1 integer, got {n}"
        raise ValueError(message)
    x, y = np.log(RATIO_TABLE[:, 0]), np.log(RATIO_TABLE[:, 1] - 1.0)
    right = int(np.clip(np.searchsorted(x, math.log(n)), 1, len(x) - 1))
    slope = (y[right] - y[right - 1]) / (x[right] - x[right - 1])
    threshold = 1.0 + math.exp(y[right] + slope * (math.log(n) - x[right]))
    return max(1.0, policy.ratio_scale * threshold)


def partial_fix(float_cyc: FloatArray, covariance_cyc2: FloatArray, policy: FixPolicy) -> PartialFix:
    """Fix the largest precise subset of the decorrelated ambiguities, if it passes the tests.

    Args:
        float_cyc: Float ambiguities (n,), cycles, of any size.
        covariance_cyc2: Their covariance (n, n), cycles squared.
        policy: Limits of the tests.

    Returns:
        Integers of rows of the transform, or the reason why there are none. Numerical failure is a status.

    Raises:
        ValueError: Shapes that do not belong together.

    Source:
        Teunissen, Joosten and Tiberius (1999), ION GPS-99, for the subset; tests as in `ratio_threshold`, `FixPolicy`.
    """
    n = len(float_cyc)
    if covariance_cyc2.shape != (n, n):
        message = f"expected a covariance of shape {(n, n)}, got {covariance_cyc2.shape}"
        raise ValueError(message)
    if n == 0:
        return _refused(FixStatus.TOO_FEW, n)
    if not has_fractions(float_cyc):
        return _refused(FixStatus.SINGULAR, n)
    try:
        transform, factor, variances_cyc2 = decorrelate(covariance_cyc2)
    except np.linalg.LinAlgError:
        return _refused(FixStatus.SINGULAR, n)

    rates = suffix_success_rates(variances_cyc2)
    first = int(np.searchsorted(rates, policy.min_success_rate))  # the rates ascend
    attempted = n - first
    success_rate = float(rates[first]) if attempted > 0 else 0.0
    if attempted < max(policy.min_integers, 1):
        return _refused(FixStatus.TOO_FEW, n, attempted, success_rate)

    whole, remainder_cyc = split_integers(float_cyc)
    rows = np.ascontiguousarray(transform[:, first:].T)
    solution = search(rows @ remainder_cyc, factor[first:, first:], variances_cyc2[first:], 2, policy.max_nodes)
    if solution.status is not SearchStatus.COMPLETE:
        return _refused(FixStatus.SEARCH_LIMIT, n, attempted, success_rate)
    best, second = (float(norm) for norm in solution.squared_norms)
    ratio = second / best if best > 0.0 else math.inf
    threshold = ratio_threshold(attempted, policy)
    fit = best / attempted
    integers = solution.candidates[0] + rows @ whole
    if fit > policy.max_fit_per_integer:
        status = FixStatus.FIT
    elif ratio < threshold:
        status = FixStatus.RATIO
    else:
        status = FixStatus.FIXED_ALL if first == 0 else FixStatus.FIXED_PARTIAL
    kept = 0 if status in {FixStatus.FIT, FixStatus.RATIO} else attempted
    return PartialFix(status, rows[:kept], integers[:kept], attempted, ratio, threshold, success_rate, fit)


def condition_on_integers(
    state: FloatArray, covariance: FloatArray, rows: FloatArray | IntArray, integers: IntArray, variance: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Condition a Gaussian state on linear combinations that are known integers.

    Args:
        state: Mean (m,), any units.
        covariance: Covariance (m, m), symmetric.
        rows: Linear combinations (k, m) of the state that are the integers, independent.
        integers: Their values (k,), cycles.
        variance: Variance of the integers, cycles squared; 0 states that they are exact.

    Returns:
        Conditional mean and covariance; the arguments are not modified.

    Raises:
        numpy.linalg.LinAlgError: The combinations are dependent. Not possible for an accepted `PartialFix`.

    Source:
        Teunissen (1995), J. Geodesy 70:65, eq. 8, for some rows; Joseph form of Bucy and Joseph (1968), because the
        textbook difference loses the millimetres to the metres.
    """
    if rows.shape[0] == 0:
        return state.copy(), covariance.copy()
    design, whole = np.asarray(rows, dtype=np.float64), np.rint(state)
    # Integers are subtracted from integers: exact for integer rows, also for phases of 1e8 cycles.
    innovation = (integers - design @ whole) - design @ (state - whole)
    cross = covariance @ design.T
    innovation_covariance = design @ cross + variance * np.eye(len(design))
    gain = cho_solve(cho_factor(innovation_covariance, lower=True), cross.T).T
    keep = np.eye(state.shape[0]) - gain @ design
    updated = keep @ covariance @ keep.T + variance * (gain @ gain.T)
    return state + gain @ innovation, 0.5 * (updated + updated.T)


def integer_equivariant_estimate(
    float_cyc: FloatArray,
    covariance_cyc2: FloatArray,
    cross_covariance: FloatArray,
    parameter_covariance: FloatArray,
    candidates: int = 256,
    max_nodes: int = MAX_NODES,
) -> EquivariantEstimate:
    """Average parameters over integer vectors, each weighted with its probability.

    Ambiguities too uncertain for their integer nature to matter are left float (`INTEGER_GAIN_LIMIT_CYC`).

    Args:
        float_cyc: Float ambiguities (n,), cycles.
        covariance_cyc2: Their covariance (n, n), cycles squared.
        cross_covariance: Covariance (m, n) of the parameters with the ambiguities.
        parameter_covariance: Covariance (m, m) of the float parameters.
        candidates: Number of integer vectors averaged.
        max_nodes: Hard bound on visited nodes of the search tree.

    Returns:
        Mean and spread of the posterior under a flat prior on the integers; float when nothing is averaged.

    Source:
        Teunissen (2003), J. Geodesy 77:402, eq. 27; finite sum as in Odolinski and Teunissen (2020), J. Geodesy 94:91.
    """
    unshifted = np.zeros(len(parameter_covariance))
    nothing = EquivariantEstimate(unshifted, parameter_covariance.copy(), 0.0, 0.0, SearchStatus.SINGULAR)
    if not has_fractions(float_cyc):
        return nothing
    try:
        transform, factor, variances_cyc2 = decorrelate(covariance_cyc2)
    except np.linalg.LinAlgError:
        return nothing
    uncertain = np.flatnonzero(variances_cyc2 > INTEGER_GAIN_LIMIT_CYC**2)
    first = int(uncertain[-1]) + 1 if uncertain.size else 0
    if first == len(float_cyc):
        return replace(nothing, status=SearchStatus.COMPLETE)

    rows, factor, variances_cyc2 = transform[:, first:].T, factor[first:, first:], variances_cyc2[first:]
    float_z_cyc = rows @ split_integers(float_cyc)[1]
    solution = search(float_z_cyc, factor, variances_cyc2, candidates, max_nodes)
    usable = np.isfinite(solution.squared_norms)
    if not np.any(usable):
        return replace(nothing, status=solution.status)
    relative = np.exp(-0.5 * (solution.squared_norms[usable] - solution.squared_norms[0]))
    weights = relative / np.sum(relative)

    # In terms of the conditional residuals e = L^-T (z - float) everything is diagonal: the gain on e is C D^-1 with
    # C L = Q_bz, and the covariance given the integers is Q_b - C D^-1 C^T.
    whitened = solve_triangular(factor, rows @ cross_covariance.T, trans="T", lower=True, unit_diagonal=True).T
    residuals = solution.candidates[usable] - float_z_cyc
    conditional = solve_triangular(factor, residuals.T, trans="T", lower=True, unit_diagonal=True)
    shifts = (whitened / variances_cyc2) @ conditional
    shift = shifts @ weights
    spread = (shifts - shift[:, None]) * np.sqrt(weights)
    scaled = whitened / np.sqrt(variances_cyc2)  # a matrix times its own transpose is exactly symmetric
    covariance = parameter_covariance - scaled @ scaled.T + spread @ spread.T
    return EquivariantEstimate(shift, covariance, float(weights[0]), float(relative[-1]), solution.status)


def _refused(status: FixStatus, n: int, attempted: int = 0, success_rate: float = 0.0) -> PartialFix:
    """Build the result of an attempt that ended before two candidates were compared."""
    rows, integers = np.zeros((0, n), np.int64), np.zeros(0, np.int64)
    return PartialFix(status, rows, integers, attempted, math.nan, math.nan, success_rate, math.nan)
