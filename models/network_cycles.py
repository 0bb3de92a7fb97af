"""Integer cycles of the network filter: which there are, which are held, and how the open ones are fixed.

A cycle is an alternating sum of the ambiguities of some arcs (`models.ambiguity_graph`); it has few arcs, whatever the
size of the network, so its moments are gathered and the big covariance is never multiplied.
"""

import math
from dataclasses import replace

import numba
import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.ambiguity_graph import cycle_basis
from models.devalidation import Cycles
from models.fix import FixPolicy, partial_fix
from models.network_state import NetworkPolicy, NetworkState
from models.network_update import Observed
from models.validity import Flag
from stations.arrays import BoolArray, FloatArray, IntArray

_FIXED_SD_CYC = 0.02  # a cycle known better than this, and at an integer, is held
_FIXED_CYC = 0.05
_LONGEST_STEP_S = 60.0  # one long gap does not make an arc old
# White noise is a fiction over an hour: orbits and calibrations bend the float solution by centimetres, so its
# distance to the integers says nothing after long averaging; the ratio and the success rate decide.
_NO_FIT_TEST = 1e9


def fix(policy: NetworkPolicy, state: NetworkState, observed: Observed, dt_s: float) -> NetworkState:
    """Fix what can be fixed, and hold it."""
    mature = _mature(policy, state, observed, dt_s)
    closing, basis = cycle_basis(*_nodes(state, observed), _priority(state, observed, mature), mature)
    return _fix_cycles(policy, state, basis, state.arc_satellite[closing])


def all_cycles(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, dt_s: float
) -> tuple[FloatArray, IntArray]:
    """Return the integer cycles of all observed arcs, and the arcs that close them."""
    seen = np.zeros(len(state.arc_station), dtype=np.bool_)
    seen[observed.arc] = True
    priority = _priority(state, observed, _mature(policy, state, observed, dt_s))
    closing, basis = cycle_basis(*_nodes(state, observed), priority, seen)
    return basis, closing


def _mature(policy: NetworkPolicy, state: NetworkState, observed: Observed, dt_s: float) -> BoolArray:
    """Return which arcs may be fixed, shape ``(arc,)``: multipath must have had time to change."""
    least = max(policy.ar_minimum_epochs, math.ceil(policy.ar_minimum_s / max(dt_s, 1e-3)))
    mature = np.zeros(len(state.arc_station), dtype=np.bool_)
    mature[observed.arc] = (
        (observed.elevation_rad > policy.ar_elevation_rad)
        & (state.arc_epochs[observed.arc] >= least)
        & ((observed.flags & (Flag.HALF_CYCLE | Flag.UNSTEADY)) == 0)
    )
    return mature


def _priority(state: NetworkState, observed: Observed, mature: BoolArray) -> FloatArray:
    """Return which arcs the spanning tree prefers: those that may be fixed, of these old ones, then high ones."""
    priority: FloatArray = np.minimum(state.arc_epochs, 1000) + 1000.0 * mature
    priority[observed.arc] += observed.elevation_rad
    return priority


def _nodes(state: NetworkState, observed: Observed) -> tuple[IntArray, IntArray]:
    """Return receiver and transmitter of each arc as the graph of integers knows them, shape ``(arc,)``.

    Receivers have a phase clock per signal, so a station is one node per pair of signals: a cycle across two of them
    would never be fixed, and would keep others open. A satellite that stations track on different carriers is one
    node per pair of carriers. Receivers of arcs that are not observed mean nothing.
    """
    _, carriers = np.unique(state.arc_wavelength_m, axis=1, return_inverse=True)
    receiver = np.full(len(state.arc_station), -1, dtype=np.int64)
    receiver[observed.arc] = (
        state.arc_station[observed.arc] * 1_000_000 + observed.signal[0] * 1000 + observed.signal[1]
    )
    return receiver, state.arc_satellite * 1000 + carriers.ravel()


def _fix_cycles(policy: NetworkPolicy, state: NetworkState, basis: FloatArray, satellite: IntArray) -> NetworkState:
    """Fix the open cycles: all together, then system by system, then satellite by satellite, surest first.

    One satellite with a biased float solution must not keep all others from being fixed. What is accepted on the way
    conditions what is tried next; the state is conditioned once, on everything.
    """
    fixing = FixPolicy(min_success_rate=policy.ar_success_rate, min_integers=1, max_fit_per_integer=_NO_FIT_TEST)
    mean, variance, _ = cycle_moments(state, basis)
    open_ = np.flatnonzero(~_held(mean, variance).ravel())
    if not len(open_):
        return state
    owner = np.concatenate([satellite, satellite])[open_]
    rows = _state_rows(state, basis, open_)
    mean, covariance = rows @ state.mean, rows @ state.covariance @ rows.T
    accepted: list[FloatArray] = []
    integers: list[IntArray] = []
    for group in _groups(owner, np.diagonal(covariance)):
        group = group[~_held(mean[group], np.diagonal(covariance)[group])]  # noqa: PLW2901 - may be held by now
        if not len(group):
            continue
        fix = partial_fix(mean[group], covariance[np.ix_(group, group)], fixing)
        if fix.accepted:
            combination = np.zeros((fix.fixed, len(mean)))
            combination[:, group] = fix.transform
            accepted.append(combination)
            integers.append(fix.integers)
            mean, covariance = _hold(mean, covariance, combination, fix.integers, policy.hold_sd_cyc**2)
    if not accepted:
        return state
    new_mean, new_covariance = _hold(
        state.mean, state.covariance, np.vstack(accepted) @ rows, np.concatenate(integers), policy.hold_sd_cyc**2
    )
    return replace(state, mean=new_mean, covariance=new_covariance)


def _groups(owner: IntArray, variance: FloatArray) -> list[IntArray]:
    """Return the open cycles to try together, as indexes: all, each system, each satellite."""
    systems = [np.flatnonzero(owner // 100 == one) for one in np.unique(owner // 100)]
    singles = [np.flatnonzero(owner == one) for one in np.unique(owner)]
    return [np.arange(len(owner)), *systems, *sorted(singles, key=lambda group: float(variance[group].max()))]


def _hold(
    mean: FloatArray, covariance: FloatArray, rows: FloatArray, integers: IntArray, variance: float
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance given that combinations are integers, up to a small variance.

    The short form of the update: prior variances of some hundred square cycles against 1e-6 leave 1e-13, far below.
    """
    cross = covariance @ rows.T
    spread = rows @ cross
    spread.flat[:: len(rows) + 1] += variance
    gain = cho_solve(cho_factor(spread, lower=True, check_finite=False), cross.T, check_finite=False).T
    updated = covariance - gain @ cross.T
    return mean + gain @ (integers - rows @ mean), 0.5 * (updated + updated.T)


def _state_rows(state: NetworkState, basis: FloatArray, chosen: IntArray) -> FloatArray:
    """Return rows over the state of some cycles, numbered band-major, shape ``(chosen, state)``."""
    band, cycle = np.divmod(chosen, len(basis))
    rows = np.zeros((len(chosen), len(state.mean)))
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    for one in (0, 1):
        mine = np.flatnonzero(band == one)
        rows[np.ix_(mine, index + 1 + one)] = basis[cycle[mine]]
    return rows


def cycle_moments(state: NetworkState, basis: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return mean and variance of cycles on both bands, and the covariance of their bands.

    Args:
        state: Of the filter.
        basis: Integer cycles, shape ``(cycle, arc)``.

    Returns:
        Cycles and their squares, shapes ``(2, cycle)``, ``(2, cycle)``, ``(cycle,)``.
    """
    return _cycle_moments_fast(basis, state.mean, state.covariance, state.first_arc)


@numba.njit(cache=True)
def _cycle_moments_fast(
    basis: FloatArray, mean: FloatArray, covariance: FloatArray, first_arc: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    count, arcs = basis.shape
    means, variances, between = np.zeros((2, count)), np.zeros((2, count)), np.zeros(count)
    members = np.empty(arcs, dtype=np.int64)
    for cycle in range(count):
        size = 0
        for arc in range(arcs):
            if basis[cycle, arc] != 0.0:
                members[size] = arc
                size += 1
        for i in range(size):
            a = first_arc + 3 * members[i] + 1  # PER_ARC; the first ambiguity
            sign = basis[cycle, members[i]]
            means[0, cycle] += sign * mean[a]
            means[1, cycle] += sign * mean[a + 1]
            for j in range(size):
                b = first_arc + 3 * members[j] + 1
                factor = sign * basis[cycle, members[j]]
                variances[0, cycle] += factor * covariance[a, b]
                variances[1, cycle] += factor * covariance[a + 1, b + 1]
                between[cycle] += factor * covariance[a, b + 1]
    return means, variances, between


def cycle_moments_slow(state: NetworkState, basis: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Compute `cycle_moments` by matrix products; for the tests."""
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    rows = np.zeros((2, len(basis), len(state.mean)))
    rows[0][:, index + 1], rows[1][:, index + 2] = basis, basis
    variances = np.einsum("bki,ij,bkj->bk", rows, state.covariance, rows, optimize=True)
    between = np.einsum("ki,ij,kj->k", rows[0], state.covariance, rows[1], optimize=True)
    return rows @ state.mean, variances, between


def _held(mean_cyc: FloatArray, variance_cyc2: FloatArray) -> BoolArray:
    """Return which cycles are integers that are held; a float cycle may be as well known, but not at an integer."""
    held: BoolArray = (variance_cyc2 < _FIXED_SD_CYC**2) & (np.abs(mean_cyc - np.rint(mean_cyc)) < _FIXED_CYC)
    return held


def judge(
    state: NetworkState, basis: FloatArray, closing: IntArray, dt_s: float
) -> tuple[BoolArray, FloatArray, Cycles]:
    """Return which cycles are fixed on both bands, how uncertain their ionosphere is, and the cycles themselves."""
    mean, variance, between = cycle_moments(state, basis)
    variance = np.maximum(variance, 0.0)
    held = _held(mean, variance)
    one, two = state.arc_wavelength_m[:, closing]
    spread = one**2 * variance[0] + two**2 * variance[1] - 2.0 * one * two * between
    age = np.tile(state.arc_epochs[closing], 2)
    age_s: FloatArray = age.astype(np.float64) * min(dt_s, _LONGEST_STEP_S)
    cycles = Cycles(mean.ravel(), np.sqrt(variance.ravel()), held.ravel(), age, age_s)
    return held[0] & held[1], np.sqrt(np.maximum(spread, 0.0)), cycles
