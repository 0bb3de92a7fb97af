"""The network filter: ambiguities, ionosphere and troposphere of all stations at known coordinates.

``step`` takes one network epoch of reduced observations and returns the next state and a solution.
The measurement update is in ``models.network_update``; here are the arcs, the slips, the integers and
the de-validation.

The filter's noise model is pessimistic on purpose (``NetworkPolicy``): it decides integers. The
product that the error field is trained on has its own noise model, in ``models.atmosphere``.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.ambiguity_graph import cycle_basis
from models.devalidation import (
    Cycles,
    contradiction_epochs,
    drop_odd_satellites,
    lasting_epochs,
    misfitting_stations,
    odd_epochs,
    start_anew_if_contradicted,
)
from models.fix import FixPolicy, partial_fix
from models.network_state import NetworkPolicy, NetworkState, add_arc, drop_arcs, predict, reset_arc
from models.network_update import Observed, start_cyc, update
from models.reduction import Reduced
from models.validity import SLIP, Flag, PhaseChange, test_changes
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S

_FIXED_SD_CYC = 0.02  # a cycle known better than this, and at an integer, is held
_FIXED_CYC = 0.05
_TICK_S = 0.02  # time tags are rounded
_LONGEST_STEP_S = 60.0  # one long gap does not make an arc old
# White noise is a fiction over an hour: orbits and calibrations bend the float solution by centimetres, so its
# distance to the integers says nothing after long averaging; the ratio and the success rate decide.
_NO_FIT_TEST = 1e9


@dataclass(frozen=True)
class NetworkInfo:
    """What happened in one step; nothing of it is carried.

    Attributes:
        observed: The observations with their flags, arcs as in the returned state.
        basis: Integer cycles, shape ``(cycle, arc)``, of the arcs observed at this epoch.
        closing: The arc that closes each cycle, shape ``(cycle,)``.
        fixed: Whether both ambiguities of a closing arc are held as integers, shape ``(cycle,)``.
        float_sd_m: Standard deviation of ``lambda1 N1 - lambda2 N2`` of each cycle, metres, shape ``(cycle,)``.
        resets: Arcs restarted in this epoch.
        station_restarts: Stations that started anew because they misfitted, or all because of a contradiction.
    """

    observed: Observed
    basis: FloatArray
    closing: IntArray
    fixed: BoolArray
    float_sd_m: FloatArray
    resets: int
    station_restarts: tuple[str, ...]

    @property
    def fixed_share(self) -> float:
        """Share of the independent double differences that are fixed, 0 when there are none."""
        return float(np.mean(self.fixed)) if len(self.fixed) else 0.0


def step(
    policy: NetworkPolicy,
    state: NetworkState,
    epochs: Mapping[str, Reduced],
    time_ns: int,
    doubted: Collection[tuple[int, int]] = (),
) -> tuple[NetworkState, NetworkInfo]:
    """Take in one network epoch.

    Args:
        policy: Constants.
        state: From :func:`models.network_state.init` or the step before.
        epochs: Reduced observations by station; absent stations are simply not there.
        time_ns: Epoch of the network.
        doubted: Stations (index) and satellites whose delay the error field did not believe at the last epoch.

    Returns:
        The new state and what happened.
    """
    dt_s = (time_ns - state.time_ns) / NS_PER_S if state.time_ns >= 0 else policy.correlation_s
    lasting = lasting_epochs(policy, dt_s)
    anew = state.conflict_epochs >= lasting
    state, odd = drop_odd_satellites(policy, start_anew_if_contradicted(policy, state, lasting), lasting)
    state = predict(policy, state, time_ns)
    state = drop_arcs(state, (time_ns - state.arc_seen_ns) > policy.maximum_gap_s * NS_PER_S)
    state, observed, resets = _take_in(policy, state, epochs, time_ns)
    more = 0
    restarted: list[int] = []
    since_s = (time_ns - state.updated_ns) / NS_PER_S if state.updated_ns >= 0 else policy.correlation_s
    if since_s >= policy.update_interval_s - _TICK_S:
        inflation = max(1.0, policy.correlation_s / max(since_s, 1e-3))
        state, observed, more, nis = update(policy, replace(state, updated_ns=time_ns), observed, inflation)
        state = _fix(policy, state, observed, dt_s)
        state, restarted = misfitting_stations(policy, state, nis, since_s)
    basis, closing = _all_cycles(policy, state, observed, dt_s)
    fixed, float_sd_m, cycles = _judge(state, basis, closing, dt_s)
    state = replace(
        state,
        arc_odd=odd_epochs(policy, state, observed, doubted),
        conflict_epochs=contradiction_epochs(policy, state, cycles),
    )
    names = state.stations if anew else tuple(state.stations[k] for k in restarted)
    return state, NetworkInfo(observed, basis, closing, fixed, float_sd_m, resets + more + odd, names)


def _take_in(
    policy: NetworkPolicy, state: NetworkState, epochs: Mapping[str, Reduced], time_ns: int
) -> tuple[NetworkState, Observed, int]:
    """Match observations with arcs, add new arcs, find slips and restart what slipped."""
    columns: dict[tuple[int, int], tuple[Reduced, int]] = {}
    for index, name in enumerate(state.stations):
        reduced = epochs.get(name)
        if reduced is None:
            continue
        ours = np.isin(reduced.satellite // 100, policy.systems)
        for row in np.flatnonzero(ours & (reduced.elevation_rad > policy.minimum_elevation_rad)):
            columns[index, int(reduced.satellite[row])] = (reduced, int(row))
    known = {(int(r), int(s)): k for k, (r, s) in enumerate(zip(state.arc_station, state.arc_satellite, strict=True))}
    fresh = [key for key in columns if key not in known]
    for station, satellite in fresh:
        known[station, satellite] = len(state.arc_station)
        state = add_arc(policy, state, station, satellite)

    keys = sorted(columns, key=lambda key: known[key])
    arc = np.array([known[key] for key in keys], dtype=np.int64)
    cells = [columns[key] for key in keys]

    def column(name: str) -> FloatArray:
        return np.array([getattr(reduced, name)[row] for reduced, row in cells])

    def pair(values_of: Callable[[Reduced], FloatArray]) -> FloatArray:
        pairs = {id(reduced): reduced.of_pair(values_of(reduced)) for reduced in epochs.values()}
        return np.array([pairs[id(reduced)][:, row] for reduced, row in cells]).reshape(-1, 2).T

    code_m = pair(lambda reduced: reduced.code_m)
    phase_m = pair(lambda reduced: reduced.phase_m)
    wavelength_m = pair(lambda reduced: reduced.raw.wavelength_m)
    signal = pair(lambda reduced: reduced.raw.signal.astype(np.float64)).astype(np.int64)
    lock_ms = np.array([reduced.raw.lock_ms[row] for reduced, row in cells], dtype=np.int64)
    change = PhaseChange(
        # Every system has a receiver clock of its own, as in the update: a jump of all its phases is no slip.
        state.arc_station[arc] * 10 + state.arc_satellite[arc] // 100,
        state.arc_satellite[arc],
        (time_ns - state.arc_seen_ns[arc]) // NS_PER_MS,
        state.arc_lock_ms[arc],
        lock_ms,
        np.array([reduced.raw.half_cycle[row] for reduced, row in cells], dtype=np.bool_),
        phase_m - state.arc_phase_m[:, arc],
        column("elevation_rad"),
    )
    fresh_arcs = np.isin(arc, [known[key] for key in fresh])
    # Other carriers than before have other ambiguities.
    new = fresh_arcs | (wavelength_m != state.arc_wavelength_m[:, arc]).any(axis=0)
    flags = np.zeros(len(arc), dtype=np.int64)
    old = np.flatnonzero(~new)
    if len(old):
        flags[old] = test_changes(_rows(change, old), policy.slip_floor_m, policy.slip_slope_m)
    observed = Observed(
        arc,
        code_m,
        phase_m,
        wavelength_m,
        signal,
        column("elevation_rad"),
        column("slant_factor"),
        column("wet_mapping"),
        np.ones(len(arc), dtype=np.bool_),
        flags,
    )
    slipped = (flags & SLIP) != 0
    for row in np.flatnonzero(new | slipped):
        state = reset_arc(policy, state, int(arc[row]), start_cyc(state, observed, int(row)))
    seen, lock, phase = state.arc_seen_ns.copy(), state.arc_lock_ms.copy(), state.arc_phase_m.copy()
    seen[arc], lock[arc] = time_ns, lock_ms
    phase[:, arc] = phase_m
    wavelength = state.arc_wavelength_m.copy()
    wavelength[:, arc] = wavelength_m
    epochs_seen = state.arc_epochs.copy()
    epochs_seen[arc] += 1
    state = replace(state, arc_seen_ns=seen, arc_lock_ms=lock, arc_phase_m=phase, arc_epochs=epochs_seen)
    state = replace(state, arc_wavelength_m=wavelength)
    return state, observed, int(np.count_nonzero(slipped))


def _rows(change: PhaseChange, rows: IntArray) -> PhaseChange:
    return PhaseChange(
        change.station[rows],
        change.satellite[rows],
        change.elapsed_ms[rows],
        change.lock_before_ms[rows],
        change.lock_now_ms[rows],
        change.half_cycle[rows],
        change.change_m[:, rows],
        change.elevation_rad[rows],
    )


def _fix(policy: NetworkPolicy, state: NetworkState, observed: Observed, dt_s: float) -> NetworkState:
    """Fix what can be fixed, and hold it."""
    mature = _mature(policy, state, observed, dt_s)
    closing, basis = cycle_basis(*_nodes(state, observed), _priority(state, observed, mature), mature)
    return _fix_cycles(policy, state, basis, state.arc_satellite[closing])


def _all_cycles(
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
        & ((observed.flags & Flag.HALF_CYCLE) == 0)
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
    rows, mean, covariance = _cycle_moments(state, basis)
    owner = np.concatenate([satellite, satellite])
    open_ = ~_held(mean, np.diagonal(covariance))
    accepted: list[FloatArray] = []
    integers: list[IntArray] = []
    for group in _groups(owner, open_, np.diagonal(covariance)):
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


def _groups(owner: IntArray, open_: BoolArray, variance: FloatArray) -> list[IntArray]:
    """Return the open cycles to try together, as indexes: all, each system, each satellite."""
    systems = [np.flatnonzero(open_ & (owner // 100 == one)) for one in np.unique(owner[open_] // 100)]
    singles = [np.flatnonzero(open_ & (owner == one)) for one in np.unique(owner[open_])]
    return [np.flatnonzero(open_), *systems, *sorted(singles, key=lambda group: float(variance[group].max()))]


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


def _cycle_moments(state: NetworkState, basis: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return rows over the state, mean and covariance of both bands of integer cycles (band-major)."""
    rows = np.zeros((2 * len(basis), len(state.mean)))
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    rows[: len(basis), index + 1] = basis
    rows[len(basis) :, index + 2] = basis
    return rows, rows @ state.mean, rows @ state.covariance @ rows.T


def _held(mean_cyc: FloatArray, variance_cyc2: FloatArray) -> BoolArray:
    """Return which cycles are integers that are held; a float cycle may be as well known, but not at an integer."""
    held: BoolArray = (variance_cyc2 < _FIXED_SD_CYC**2) & (np.abs(mean_cyc - np.rint(mean_cyc)) < _FIXED_CYC)
    return held


def _judge(
    state: NetworkState, basis: FloatArray, closing: IntArray, dt_s: float
) -> tuple[BoolArray, FloatArray, Cycles]:
    """Return which cycles are fixed on both bands, how uncertain their ionosphere is, and the cycles themselves."""
    count = len(closing)
    _, mean, covariance = _cycle_moments(state, basis)
    variance = np.maximum(np.diagonal(covariance), 0.0)
    held = _held(mean, variance)
    one, two = state.arc_wavelength_m[:, closing]
    cross = np.diagonal(covariance[:count, count:])
    spread = one**2 * variance[:count] + two**2 * variance[count:] - 2.0 * one * two * cross
    age = np.tile(state.arc_epochs[closing], 2)
    age_s: FloatArray = age.astype(np.float64) * min(dt_s, _LONGEST_STEP_S)
    cycles = Cycles(mean, np.sqrt(variance), held, age, age_s)
    return held[:count] & held[count:], np.sqrt(np.maximum(spread, 0.0)), cycles
