"""What an epoch brings to the network filter: observations become rows of arcs, slips are found, arcs start anew.

One row is one arc that is observed, in the order of the arcs of the state. Nothing is estimated here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from models import ionosphere_activity, signal_memory, steadiness
from models.network_arcs import add_arc, renew_arc, reset_arc
from models.network_state import NetworkPolicy, NetworkState, ionosphere_prior_m2, widened
from models.network_update import Observed, start_cyc
from models.reduction import Reduced
from models.signal_memory import SignalRows
from models.slip_repair import whole_cycles
from models.validity import SLIP, Flag, PhaseChange, test_changes
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS

_SATELLITES = 1000  # satellite integers are below
_MS_PER_S = 1000.0
_TELLING_RAD = float(np.radians(20.0))  # lower arcs are noisy


@dataclass(frozen=True)
class _Columns:
    """The observations of all stations that the filter uses, one row each, shape ``(n,)`` or ``(2, n)``."""

    station: IntArray
    satellite: IntArray
    code_m: FloatArray
    phase_m: FloatArray
    wavelength_m: FloatArray
    signal: IntArray
    lock_ms: IntArray
    half_cycle: BoolArray
    elevation_rad: FloatArray
    slant_factor: FloatArray
    wet_mapping: FloatArray
    cn0_dbhz: FloatArray
    third_phase_m: FloatArray
    third_wavelength_m: FloatArray

    @property
    def key(self) -> IntArray:
        """Station and satellite in one integer, ascending."""
        return self.station * _SATELLITES + self.satellite

    def rows(self, order: IntArray) -> "_Columns":
        return _Columns(*(getattr(self, name)[..., order] for name in _NAMES))


def take_in(
    policy: NetworkPolicy, state: NetworkState, epochs: Mapping[str, Reduced], time_ns: int
) -> tuple[NetworkState, Observed, int]:
    """Match observations with arcs, add new arcs, find slips and restart what slipped.

    Returns:
        The state with an arc for every observation, the observations in the order of the arcs, and how many slipped.
    """
    columns = _columns(policy, state, epochs)
    known = state.arc_station * _SATELLITES + state.arc_satellite
    fresh = np.flatnonzero(~np.isin(columns.key, known))
    for row in fresh.tolist():
        state = add_arc(policy, state, int(columns.station[row]), int(columns.satellite[row]))
    known = state.arc_station * _SATELLITES + state.arc_satellite
    by_key = np.argsort(known)
    arc = by_key[np.searchsorted(known, columns.key, sorter=by_key)]
    order = np.argsort(arc)
    arc, columns = arc[order], columns.rows(order)

    # Other carriers than before have other ambiguities; a fresh arc has had none, which differs from everything.
    new = (columns.wavelength_m != state.arc_wavelength_m[:, arc]).any(axis=0)
    flags = np.where(columns.half_cycle, int(Flag.HALF_CYCLE), 0)
    change = _change(state, columns, arc, time_ns)
    old = np.flatnonzero(~new)
    if len(old):
        flags[old] |= test_changes(change.rows(old), policy.slip_floor_m, policy.slip_slope_m)
    memory, found = signal_memory.step(policy.signals, state.signals, _signals(columns, flags), time_ns)
    state, flags = replace(state, signals=memory), flags | found
    observed = Observed(
        arc,
        columns.code_m,
        columns.phase_m,
        columns.wavelength_m,
        columns.signal,
        columns.elevation_rad,
        columns.slant_factor,
        columns.wet_mapping,
        # Codes that are off or weak stay: the filter rejects what surprises it, and left out they cost more integers
        # than they bend (sim-regional: 10.4 instead of 8.9 % wrong). To the field they are side information.
        np.ones(len(arc), dtype=np.bool_),
        flags,
    )
    slipped = (flags & SLIP) != 0
    state, lost = _repaired(state, columns.wavelength_m, arc, change, flags, new)
    state, unsteady = _followed(policy, state, change, columns.wavelength_m, arc, ~(new | slipped))
    flags[unsteady] |= Flag.UNSTEADY
    state = _restless(policy, state, change, columns, arc, ~(new | slipped), (flags == 0) & ~new)
    # What a wandering arc has taught the filter of ambiguities that are not held is wrong.
    bent = unsteady & ~state.arc_unsteady[arc] & ~state.arc_held[arc]
    for row in np.flatnonzero(new | lost | bent).tolist():
        start_anew = renew_arc if bent[row] else reset_arc
        state = start_anew(policy, state, int(arc[row]), start_cyc(state, observed, row))
    return _remembered(state, arc, columns, unsteady, time_ns), observed, int(np.count_nonzero(lost))


def _repaired(
    state: NetworkState, wavelength_m: FloatArray, arc: IntArray, change: PhaseChange, flags: IntArray, new: BoolArray
) -> tuple[NetworkState, BoolArray]:
    """Return the state with ambiguities moved by slips of whole cycles, and which arcs slipped otherwise, ``(n,)``."""
    slipped = (flags & SLIP) != 0
    old = np.flatnonzero(~new)
    whole, cycles = whole_cycles(change.rows(old), wavelength_m[:, old], flags[old])
    repaired = old[whole]
    if not len(repaired):
        return state, slipped
    mean = state.mean.copy()
    mean[state.ionosphere_index(arc[repaired]) + np.array([[1], [2]])] += cycles[:, whole]
    slipped[repaired] = False
    return replace(state, mean=mean), slipped


def _columns(policy: NetworkPolicy, state: NetworkState, epochs: Mapping[str, Reduced]) -> _Columns:
    """Return what the filter uses of an epoch, by station and satellite."""
    parts: list[_Columns] = []
    for index, name in enumerate(state.stations):
        reduced = epochs.get(name)
        if reduced is None:
            continue
        ours = np.isin(reduced.satellite // 100, policy.systems)
        row = np.flatnonzero(ours & (reduced.elevation_rad > policy.minimum_elevation_rad))
        raw = reduced.raw
        pair = raw.pair[:, row]
        parts.append(
            _Columns(
                np.full(len(row), index, dtype=np.int64),
                reduced.satellite[row],
                reduced.code_m[pair, row],
                reduced.phase_m[pair, row],
                raw.wavelength_m[pair, row],
                raw.signal[pair, row],
                raw.lock_ms[row],
                raw.half_cycle[row],
                reduced.elevation_rad[row],
                reduced.slant_factor[row],
                reduced.wet_mapping[row],
                raw.cn0_dbhz[pair, row],
                *_third(reduced, row),
            )
        )
    if not parts:
        none, pairs = np.zeros(0, dtype=np.int64), np.zeros((2, 0))
        empty, no = np.zeros(0), np.zeros(0, dtype=np.bool_)
        numbers = np.zeros((2, 0), dtype=np.int64)
        return _Columns(none, none, pairs, pairs, pairs, numbers, none, no, empty, empty, empty, pairs, empty, empty)
    return _Columns(*(np.concatenate([getattr(one, name) for one in parts], axis=-1) for name in _NAMES))


_NAMES = tuple(_Columns.__dataclass_fields__)


def _third(reduced: Reduced, row: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return phase and wavelength of a carrier that the filter does not use, NaN where there is none, ``(n,)``."""
    raw = reduced.raw
    last = len(raw.signal) - 1
    spare = (raw.pair[1, row] < last) & (raw.signal[last, row] >= 0)
    phase_m = np.where(spare, reduced.phase_m[last, row], np.nan)
    return phase_m, np.where(spare, raw.wavelength_m[last, row], np.nan)


def _change(state: NetworkState, columns: _Columns, arc: IntArray, time_ns: int) -> PhaseChange:
    """Return what arcs that were there before did since they were last seen."""
    return PhaseChange(
        # Every system has a receiver clock of its own, as in the update: a jump of all its phases is no slip.
        columns.station * 10 + columns.satellite // 100,
        columns.satellite,
        (time_ns - state.arc_seen_ns[arc]) // NS_PER_MS,
        state.arc_lock_ms[arc],
        columns.lock_ms,
        columns.half_cycle,
        columns.phase_m - state.arc_phase_m[:, arc],
        columns.elevation_rad,
    )


def _signals(columns: _Columns, flags: IntArray) -> SignalRows:
    """Return what the tests of the signals look at, with what is known already."""
    return SignalRows(
        columns.station,
        columns.satellite,
        columns.code_m,
        columns.phase_m,
        columns.wavelength_m,
        columns.signal,
        columns.cn0_dbhz,
        columns.third_phase_m,
        columns.third_wavelength_m,
        columns.half_cycle,
        columns.elevation_rad,
        flags,
    )


def _followed(
    policy: NetworkPolicy,
    state: NetworkState,
    change: PhaseChange,
    wavelength_m: FloatArray,
    arc: IntArray,
    same: BoolArray,
) -> tuple[NetworkState, BoolArray]:
    """Return the state with the walk of every arc, and which arcs wander too far; ``same``: arcs that did not slip."""
    moved = np.zeros(len(arc))
    if same.any():
        kept = change.rows(same)
        moved[same] = steadiness.moved_m(
            kept.change_m, wavelength_m[:, same], kept.station, kept.satellite, ~kept.half_cycle
        )
    elapsed_s = change.elapsed_ms / _MS_PER_S
    walk, rough = state.arc_walk_m.copy(), state.arc_rough_m2.copy()
    walk[arc], squares = steadiness.step(walk[arc], rough[arc], moved, elapsed_s)
    walk[arc[~same]] = 0.0
    limit_m = steadiness.limit_m(change.elevation_rad, policy.unsteady_floor_m, policy.unsteady_slope_m)
    rough[arc] = steadiness.bounded_m2(squares, limit_m)
    unsteady = steadiness.is_unsteady(rough[arc], limit_m, state.arc_unsteady[arc])
    return replace(state, arc_walk_m=walk, arc_rough_m2=rough), unsteady


def _restless(
    policy: NetworkPolicy,
    state: NetworkState,
    change: PhaseChange,
    columns: _Columns,
    arc: IntArray,
    same: BoolArray,
    clean: BoolArray,
) -> NetworkState:
    """Return the state with the drift of every arc's ionosphere, and the prior as wide as that is usual."""
    moved = np.zeros(len(arc))
    if same.any():
        kept = change.rows(same)
        moved[same] = ionosphere_activity.moved_m(
            kept.change_m,
            columns.wavelength_m[:, same],
            columns.slant_factor[same],
            kept.station,
            kept.satellite,
            ~kept.half_cycle,
        )
    elapsed_s = change.elapsed_ms / _MS_PER_S
    drift = state.arc_drift_m.copy()
    drift[arc] = ionosphere_activity.step(drift[arc], moved, elapsed_s)
    drift[arc[~same]] = 0.0
    telling = clean & (change.elevation_rad > _TELLING_RAD)
    scale = ionosphere_activity.scale(
        state.ionosphere_scale,
        drift[arc[telling]],
        ionosphere_activity.expected_m(ionosphere_prior_m2(policy, state.station_m), policy.ionosphere_tau_s),
        float(np.median(elapsed_s[telling])) if telling.any() else 0.0,
    )
    return widened(policy, replace(state, arc_drift_m=drift), scale)


def _remembered(
    state: NetworkState, arc: IntArray, columns: _Columns, unsteady: BoolArray, time_ns: int
) -> NetworkState:
    """Return the state with what the next epoch is compared with."""
    seen, lock, epochs = state.arc_seen_ns.copy(), state.arc_lock_ms.copy(), state.arc_epochs.copy()
    phase, wavelength = state.arc_phase_m.copy(), state.arc_wavelength_m.copy()
    seen[arc], lock[arc] = time_ns, columns.lock_ms
    phase[:, arc], wavelength[:, arc] = columns.phase_m, columns.wavelength_m
    held, wandered = state.arc_held, state.arc_unsteady.copy()
    # Nothing is learned of ambiguities that wait, so they do not grow older.
    epochs[arc] += np.where(unsteady & ~held[arc], 0, 1)
    wandered[arc] = unsteady
    return replace(
        state,
        arc_seen_ns=seen,
        arc_lock_ms=lock,
        arc_phase_m=phase,
        arc_epochs=epochs,
        arc_unsteady=wandered,
        arc_wavelength_m=wavelength,
    )
