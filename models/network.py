"""The network filter: ambiguities, ionosphere and troposphere of all stations at known coordinates.

``step`` takes one network epoch of reduced observations and returns the next state and a solution.
Receiver and satellite clocks, and every bias that is common to a receiver or a satellite at an epoch,
are eliminated exactly by projecting onto the null space of their design; what remains is the
information of all double differences with their full covariance, for any pattern of visibility.

The filter's noise model is pessimistic on purpose (``NetworkPolicy``): it decides integers. The
product that the error field is trained on has its own noise model, in ``models.atmosphere``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.ambiguity_graph import cycle_basis
from models.fix import FixPolicy, condition_on_integers, partial_fix
from models.network_state import (
    PER_ARC,
    NetworkPolicy,
    NetworkState,
    add_arc,
    drop_arcs,
    predict,
    reset_arc,
)
from models.reduction import MU, WAVELENGTHS_M, Reduced
from models.validity import SLIP, Flag, PhaseChange, test_changes
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S

_TYPES = ((0, True), (1, True), (0, False), (1, False))  # band and is-code of the four observation types
_FIXED_SD_CYC = 0.05  # a cycle known better than this is an integer that is held
# White noise is a fiction over an hour: orbits and calibrations bend the float solution by centimetres, so its
# distance to the integers says nothing after long averaging; the ratio and the success rate decide.
_NO_FIT_TEST = 1e9
_MAX_RESETS = 6  # observations rejected in one epoch before the epoch is taken as it is


@dataclass(frozen=True)
class Observed:
    """The observations of one network epoch, one row an arc of the state (in the order of the arcs).

    Attributes:
        arc: Index of the arc in the state, shape ``(n,)``.
        code_m, phase_m: Observed minus computed, shape ``(2, n)``.
        elevation_rad, slant_factor, wet_mapping: Shape ``(n,)``.
        use_code: Whether the codes take part, shape ``(n,)``.
        flags: Findings so far, ``validity.Flag``, shape ``(n,)``.
    """

    arc: IntArray
    code_m: FloatArray
    phase_m: FloatArray
    elevation_rad: FloatArray
    slant_factor: FloatArray
    wet_mapping: FloatArray
    use_code: BoolArray
    flags: IntArray


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
        station_restarts: Stations restarted because they misfit for long.
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
    policy: NetworkPolicy, state: NetworkState, epochs: Mapping[str, Reduced], time_ns: int
) -> tuple[NetworkState, NetworkInfo]:
    """Take in one network epoch.

    Args:
        policy: Constants.
        state: From :func:`models.network_state.init` or the step before.
        epochs: Reduced observations by station; absent stations are simply not there.
        time_ns: Epoch of the network.

    Returns:
        The new state and what happened.
    """
    dt_s = (time_ns - state.time_ns) / NS_PER_S if state.time_ns >= 0 else policy.correlation_s
    state = predict(policy, state, time_ns)
    state = drop_arcs(state, (time_ns - state.arc_seen_ns) > policy.maximum_gap_s * NS_PER_S)
    state, observed, resets = _take_in(policy, state, epochs, time_ns)
    inflation = max(1.0, policy.correlation_s / max(dt_s, 1e-3))
    state, observed, more, nis = _update(policy, state, observed, inflation)
    state, basis, closing = _fix(policy, state, observed)
    fixed, float_sd_m = _judge(state, basis, closing)
    state, restarted = _restart_stations(policy, state, observed, nis)
    return state, NetworkInfo(observed, basis, closing, fixed, float_sd_m, resets + more, restarted)


def _take_in(
    policy: NetworkPolicy, state: NetworkState, epochs: Mapping[str, Reduced], time_ns: int
) -> tuple[NetworkState, Observed, int]:
    """Match observations with arcs, add new arcs, find slips and restart what slipped."""
    columns: dict[tuple[int, int], tuple[Reduced, int]] = {}
    for index, name in enumerate(state.stations):
        reduced = epochs.get(name)
        if reduced is None:
            continue
        for row in np.flatnonzero(reduced.elevation_rad > policy.minimum_elevation_rad):
            columns[index, int(reduced.satellite[row])] = (reduced, int(row))
    known = {
        (int(r), int(s)): k for k, (r, s) in enumerate(zip(state.arc_station, state.arc_satellite, strict=True))
    }
    fresh = [key for key in columns if key not in known]
    for station, satellite in fresh:
        known[station, satellite] = len(state.arc_station)
        state = add_arc(policy, state, station, satellite)

    keys = sorted(columns, key=lambda key: known[key])
    arc = np.array([known[key] for key in keys], dtype=np.int64)
    cells = [columns[key] for key in keys]

    def column(name: str) -> FloatArray:
        return np.array([getattr(reduced, name)[row] for reduced, row in cells])

    code_m = np.array([reduced.code_m[:, row] for reduced, row in cells]).reshape(-1, 2).T
    phase_m = np.array([reduced.phase_m[:, row] for reduced, row in cells]).reshape(-1, 2).T
    lock_ms = np.array([reduced.raw.lock_ms[row] for reduced, row in cells], dtype=np.int64)
    change = PhaseChange(
        state.arc_station[arc],
        state.arc_satellite[arc],
        (time_ns - state.arc_seen_ns[arc]) // NS_PER_MS,
        state.arc_lock_ms[arc],
        lock_ms,
        np.array([reduced.raw.half_cycle[row] for reduced, row in cells], dtype=np.bool_),
        phase_m - state.arc_phase_m[:, arc],
        column("elevation_rad"),
    )
    new = np.isin(arc, [known[key] for key in fresh])
    flags = np.zeros(len(arc), dtype=np.int64)
    old = np.flatnonzero(~new)
    if len(old):
        flags[old] = test_changes(_rows(change, old), policy.slip_floor_m, policy.slip_slope_m)
    observed = Observed(
        arc,
        code_m,
        phase_m,
        column("elevation_rad"),
        column("slant_factor"),
        column("wet_mapping"),
        np.ones(len(arc), dtype=np.bool_),
        flags,
    )
    slipped = (flags & SLIP) != 0
    for row in np.flatnonzero(new | slipped):
        state = reset_arc(policy, state, int(arc[row]), _start_cyc(state, observed, int(row)))
    seen, lock, phase = state.arc_seen_ns.copy(), state.arc_lock_ms.copy(), state.arc_phase_m.copy()
    seen[arc], lock[arc] = time_ns, lock_ms
    phase[:, arc] = phase_m
    epochs_seen = state.arc_epochs.copy()
    epochs_seen[arc] += 1
    state = replace(state, arc_seen_ns=seen, arc_lock_ms=lock, arc_phase_m=phase, arc_epochs=epochs_seen)
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


def _start_cyc(state: NetworkState, observed: Observed, row: int) -> FloatArray:
    """Return the ambiguities that code and the predicted ionosphere suggest, shape ``(2,)``."""
    vertical = state.mean[state.ionosphere_index(observed.arc[row : row + 1])[0]]
    delay = MU * observed.slant_factor[row] * vertical
    return (observed.phase_m[:, row] - observed.code_m[:, row] + 2.0 * delay) / WAVELENGTHS_M


def design(state: NetworkState, observed: Observed) -> FloatArray:
    """Return the partial derivatives of the four observation types, shape ``(4, n, state)``.

    Types in the order code L1, code L2, phase L1, phase L2; clocks are not part of the state.
    """
    rows = np.arange(len(observed.arc))
    matrix = np.zeros((4, len(rows), len(state.mean)))
    ionosphere = state.ionosphere_index(observed.arc)
    matrix[:, :, 0] = observed.wet_mapping
    matrix[:, rows, 1 + state.arc_station[observed.arc]] = observed.wet_mapping
    for kind, (band, is_code) in enumerate(_TYPES):
        delay = MU[band] * observed.slant_factor
        matrix[kind, rows, ionosphere] = delay if is_code else -delay
        if not is_code:
            matrix[kind, rows, ionosphere + 1 + band] = WAVELENGTHS_M[band]
    return matrix


def clock_free_basis(station: IntArray, satellite: IntArray, weight: FloatArray) -> FloatArray:
    """Return an orthonormal basis of what receiver and satellite clocks cannot explain.

    Args:
        station, satellite: Of each observation of one type, shape ``(n,)``.
        weight: One over the standard deviations, shape ``(n,)``.

    Returns:
        Columns orthogonal to all weighted clock columns, shape ``(n, k)``; applied to whitened observations
        they leave white noise. With complete visibility ``k = (stations - 1) (satellites - 1)``.
    """
    receivers = (station[:, None] == np.unique(station)[None, :]).astype(np.float64)
    transmitters = (satellite[:, None] == np.unique(satellite)[None, :]).astype(np.float64)
    clocks = np.hstack([receivers, transmitters]) * weight[:, None]
    left, singular, _ = np.linalg.svd(clocks, full_matrices=True)
    rank = int(np.count_nonzero(singular > 1e-9 * singular[0])) if len(singular) else 0
    return left[:, rank:]


def _update(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float
) -> tuple[NetworkState, Observed, int, FloatArray]:
    """Update with all observations; the worst surprise is rejected and the update repeated.

    Returns:
        State, observations with new flags, number of restarted arcs, mean squared surprise of the phases
        per station (NaN where it has none).
    """
    resets = 0
    while True:
        bases, mean, covariance, surprise = _try_update(policy, state, observed, inflation)
        worst = np.unravel_index(int(np.argmax(np.abs(surprise))), surprise.shape) if surprise.size else (0, 0)
        value = abs(float(surprise[worst])) if surprise.size else 0.0
        if value <= policy.innovation_limit or resets >= _MAX_RESETS:
            break
        resets += 1
        row = int(worst[1])
        flags = observed.flags.copy()
        flags[row] |= Flag.INNOVATION
        if _TYPES[int(worst[0])][1]:
            use_code = observed.use_code.copy()
            use_code[row] = False
            observed = replace(observed, flags=flags, use_code=use_code)
        else:
            # An unknown ambiguity takes the surprise, whatever its cause; a wrong fix of the past ends here too.
            observed = replace(observed, flags=flags)
            state = reset_arc(policy, state, int(observed.arc[row]), _start_cyc(state, observed, row))
    del bases
    nis = np.full(len(state.stations), np.nan)
    for index in range(len(state.stations)):
        rows = state.arc_station[observed.arc] == index
        if rows.any():
            nis[index] = float(np.median(surprise[2:, rows] ** 2)) / 0.455  # median of chi-square with one degree
    return replace(state, mean=mean, covariance=covariance), observed, resets, nis


def _try_update(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, inflation: float
) -> tuple[list[FloatArray], FloatArray, FloatArray, FloatArray]:
    """Return the bases, the updated mean and covariance, and the normalised surprise, shape ``(4, n)``.

    Source:
        Kalman update on observations whitened and freed of clocks; surprise as in data snooping, Baarda
        (1968): ``[S^-1 v]_i / sqrt([S^-1]_ii)``.
    """
    station, satellite = state.arc_station[observed.arc], state.arc_satellite[observed.arc]
    matrix = design(state, observed)
    values = np.concatenate([observed.code_m, observed.phase_m])
    bases: list[FloatArray] = []
    blocks, innovations = [], []
    for kind, (_, is_code) in enumerate(_TYPES):
        sd = policy.code_sd_m if is_code else policy.phase_sd_m
        weight = 1.0 / np.sqrt(inflation * elevation_variance_m2(sd, observed.elevation_rad))
        used = observed.use_code if is_code else np.ones(len(station), dtype=np.bool_)
        basis = np.zeros((len(station), 0))
        if used.any():
            small = clock_free_basis(station[used], satellite[used], weight[used])
            basis = np.zeros((len(station), small.shape[1]))
            basis[used] = small * weight[used, None]
        bases.append(basis)
        blocks.append(basis.T @ matrix[kind])
        innovations.append(basis.T @ values[kind])
    h = np.vstack(blocks)
    v = np.concatenate(innovations) - h @ state.mean
    if not len(v):
        return bases, state.mean, state.covariance, np.zeros((4, len(station)))
    cross = state.covariance @ h.T
    s = h @ cross
    s.flat[:: len(s) + 1] += 1.0
    factor = cho_factor(s, lower=True, check_finite=False)
    gain = cho_solve(factor, cross.T, check_finite=False).T
    mean = state.mean + gain @ v
    covariance = state.covariance - gain @ cross.T
    covariance = 0.5 * (covariance + covariance.T)
    solved = cho_solve(factor, v, check_finite=False)
    surprise = np.zeros((4, len(station)))
    start = 0
    inverse = cho_solve(factor, np.eye(len(s)), check_finite=False)
    for kind, basis in enumerate(bases):
        part = slice(start, start + basis.shape[1])
        start += basis.shape[1]
        top = basis @ solved[part]
        variance = np.einsum("ij,jk,ik->i", basis, inverse[part, part], basis)
        safe = variance > 1e-12 * max(float(variance.max(initial=0.0)), 1e-300)
        surprise[kind, safe] = top[safe] / np.sqrt(variance[safe])
    return bases, mean, covariance, surprise


def _fix(
    policy: NetworkPolicy, state: NetworkState, observed: Observed
) -> tuple[NetworkState, FloatArray, IntArray]:
    """Fix what can be fixed, hold it, and return the integer cycles of all observed arcs."""
    mature = np.zeros(len(state.arc_station), dtype=np.bool_)
    mature[observed.arc] = (observed.elevation_rad > policy.ar_elevation_rad) & (
        state.arc_epochs[observed.arc] >= policy.ar_minimum_epochs
    )
    seen = np.zeros(len(state.arc_station), dtype=np.bool_)
    seen[observed.arc] = True
    priority = np.zeros(len(state.arc_station))
    priority[observed.arc] = observed.elevation_rad
    priority += np.minimum(state.arc_epochs, 1000) + 1000.0 * mature
    closing, basis = cycle_basis(state.arc_station, state.arc_satellite, priority, mature)
    if len(closing):
        rows, mean, covariance = _cycle_moments(state, basis)
        open_ = np.diagonal(covariance) > _FIXED_SD_CYC**2
        if open_.any():
            chosen = np.flatnonzero(open_)
            fix = partial_fix(
                mean[chosen],
                covariance[np.ix_(chosen, chosen)],
                FixPolicy(min_success_rate=policy.ar_success_rate, min_integers=1, max_fit_per_integer=_NO_FIT_TEST),
            )
            if fix.accepted:
                new_mean, new_covariance = condition_on_integers(
                    state.mean,
                    state.covariance,
                    fix.transform @ rows[chosen],
                    fix.integers,
                    policy.hold_sd_cyc**2,
                )
                state = replace(state, mean=new_mean, covariance=new_covariance)
    closing, basis = cycle_basis(state.arc_station, state.arc_satellite, priority, seen)
    return state, basis, closing


def _cycle_moments(state: NetworkState, basis: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return rows over the state, mean and covariance of both bands of integer cycles (band-major)."""
    rows = np.zeros((2 * len(basis), len(state.mean)))
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    rows[: len(basis), index + 1] = basis
    rows[len(basis) :, index + 2] = basis
    return rows, rows @ state.mean, rows @ state.covariance @ rows.T


def _judge(state: NetworkState, basis: FloatArray, closing: IntArray) -> tuple[BoolArray, FloatArray]:
    """Return which cycles are fixed on both bands, and how uncertain their ionosphere is."""
    count = len(closing)
    if not count:
        return np.zeros(0, dtype=np.bool_), np.zeros(0)
    _, _, covariance = _cycle_moments(state, basis)
    variance = np.diagonal(covariance)
    fixed = (variance[:count] < _FIXED_SD_CYC**2) & (variance[count:] < _FIXED_SD_CYC**2)
    one, two = WAVELENGTHS_M
    cross = np.diagonal(covariance[:count, count:])
    spread = one**2 * variance[:count] + two**2 * variance[count:] - 2.0 * one * two * cross
    return fixed, np.sqrt(np.maximum(spread, 0.0))


def _restart_stations(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, nis: FloatArray
) -> tuple[NetworkState, tuple[str, ...]]:
    """De-validation: a station whose phases misfit for long loses all its arcs."""
    misfit = np.where(nis > policy.reset_nis, state.misfit_epochs + 1, 0)
    bad = np.flatnonzero(misfit > policy.reset_epochs)
    state = replace(state, misfit_epochs=misfit)
    if not len(bad):
        return state, ()
    del observed
    misfit[bad] = 0
    for arc in np.flatnonzero(np.isin(state.arc_station, bad)):
        state = reset_arc(policy, state, int(arc), state.mean[state.first_arc + PER_ARC * arc + np.array([1, 2])])
    return state, tuple(state.stations[k] for k in bad)
