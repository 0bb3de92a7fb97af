"""Station offsets from ionosphere-free phases: a float filter that knows nothing of anybody's integers.

State vector, in this order: per station the offset of its declared coordinate from where its antenna is (east, north,
up) and its zenith wet delay, in metres; then one float ambiguity in metres per arc. Clocks are eliminated exactly. What
determines the offsets is that the satellites move: half an hour gives decimetres, an hour some centimetres. An offset
that all stations share is not observed; it stays at zero within its prior, with the covariance that says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.network_update import clock_free_basis
from models.reduction import Reduced
from models.validity import lock_lost
from models.weights import elevation_variance_m2
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S
from stations.frames import enu_rotation_at
from stations.signals import Constellation

PER_STATION = 4
_FEWEST_SATELLITES = 4  # of a station: fewer only determine their own ambiguities
_MAX_RESETS = 8
_LONGEST_STEP_S = 3600.0


@dataclass(frozen=True)
class OffsetPolicy:
    """Constants of the offset filter. Noise is pessimistic: orbits and multipath are coloured.

    Attributes:
        interval_s: Epochs closer together than this are passed over.
        minimum_elevation_rad: Observations below are not used.
        phase_sd_m: Ionosphere-free phase at zenith, everything coloured included.
        start_sd_m: Of a new ambiguity about phase minus code.
        offset_sd_m, offset_walk_m_per_sqrt_h: Of a station's coordinate; the walk bounds the memory.
        zwd_sd_m, zwd_walk_m_per_sqrt_h: Zenith wet delay against the model's.
        ambiguity_walk_m_per_sqrt_h: Slow errors of orbits seen from different stations.
        surprise_limit: Data-snooping limit of the normalised innovation.
        jump_m: Change of L1 minus L2 between two epochs, against the station's median, that is a slip.
        maximum_gap_s: An arc not seen for longer is forgotten.
        systems: Constellations in use. The limits of the verdicts were measured with GPS; with four systems the slips
            of a network with a fifth of its arcs dirty made half of the stations suspicious.
    """

    interval_s: float = 60.0
    minimum_elevation_rad: float = float(np.radians(10.0))
    phase_sd_m: float = 0.004
    start_sd_m: float = 5.0
    offset_sd_m: float = 1.0
    offset_walk_m_per_sqrt_h: float = 0.005
    zwd_sd_m: float = 0.1
    zwd_walk_m_per_sqrt_h: float = 0.007
    ambiguity_walk_m_per_sqrt_h: float = 0.003
    surprise_limit: float = 3.5
    jump_m: float = 0.15
    maximum_gap_s: float = 300.0
    systems: tuple[int, ...] = (Constellation.GPS,)


@dataclass(frozen=True)
class OffsetState:
    """What the offset filter carries.

    Attributes:
        time_ns: Epoch of the state; -1 before the first.
        stations: Names in the order of all station indexes.
        enu: Rotations from ECEF to east, north, up, shape ``(station, 3, 3)``.
        mean, covariance: Shapes ``(state,)`` and ``(state, state)``.
        arc_station, arc_satellite, arc_seen_ns, arc_lock_ms: Shape ``(arc,)``.
        arc_difference_m: L1 minus L2 phase when last seen, shape ``(arc,)``.
    """

    time_ns: int
    stations: tuple[str, ...]
    enu: FloatArray
    mean: FloatArray
    covariance: FloatArray
    arc_station: IntArray
    arc_satellite: IntArray
    arc_seen_ns: IntArray
    arc_lock_ms: IntArray
    arc_difference_m: FloatArray

    def offsets(self) -> tuple[FloatArray, FloatArray]:
        """Return all offsets, east, north, up by station, shape ``(3 * station,)``, and their covariance."""
        index = (PER_STATION * np.arange(len(self.stations))[:, None] + np.arange(3)).ravel()
        return self.mean[index], self.covariance[np.ix_(index, index)]


@dataclass(frozen=True)
class _Rows:
    """Observations of an epoch, one row a station and satellite, shape ``(n,)`` unless said otherwise.

    Attributes:
        partials: Derivatives with respect to east, north, up and the zenith wet delay, shape ``(n, 4)``.
    """

    station: IntArray
    satellite: IntArray
    phase_m: FloatArray
    start_m: FloatArray
    difference_m: FloatArray
    lock_ms: IntArray
    elevation_rad: FloatArray
    partials: FloatArray


def ionosphere_free(reduced: Reduced) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return phase and code free of the ionosphere, and the phases' difference; NaN where a band is missing.

    Returns:
        Shape ``(n,)`` each, metres.
    """
    one, two = reduced.of_pair(reduced.raw.mu)
    phases_m, codes_m = reduced.of_pair(reduced.phase_m), reduced.of_pair(reduced.code_m)
    phase_m = (two * phases_m[0] - one * phases_m[1]) / (two - one)
    code_m = (two * codes_m[0] - one * codes_m[1]) / (two - one)
    return phase_m, code_m, phases_m[0] - phases_m[1]


def init(policy: OffsetPolicy, stations: tuple[str, ...], station_m: FloatArray) -> OffsetState:
    """Return a state without knowledge; ``station_m`` are ECEF positions, shape ``(station, 3)``."""
    count = len(stations)
    variance = np.tile([policy.offset_sd_m**2] * 3 + [policy.zwd_sd_m**2], count)
    none = np.zeros(0, dtype=np.int64)
    return OffsetState(
        -1,
        stations,
        np.stack([enu_rotation_at(point) for point in station_m]) if count else np.zeros((0, 3, 3)),
        np.zeros(PER_STATION * count),
        np.diag(variance),
        none,
        none,
        none,
        none,
        np.zeros(0),
    )


def step(policy: OffsetPolicy, state: OffsetState, epochs: Mapping[str, Reduced], time_ns: int) -> OffsetState:
    """Take in an epoch that is due; stations that are absent keep what is known of them.

    Returns:
        The new state; ``time_ns`` is the epoch's.
    """
    elapsed_s = (time_ns - state.time_ns) / NS_PER_S if state.time_ns >= 0 else 0.0
    state = _predict(policy, state, time_ns, min(elapsed_s, _LONGEST_STEP_S))
    rows = _rows(policy, state, epochs)
    state, arc = _with_arcs(policy, state, rows, time_ns)
    if not len(arc):
        return state
    for _ in range(_MAX_RESETS):
        updated, surprise = _update(policy, state, rows, arc)
        worst = int(np.argmax(np.abs(surprise)))
        if abs(float(surprise[worst])) <= policy.surprise_limit:
            break
        # A free ambiguity takes the surprise, whatever its cause.
        state = _reset(policy, state, arc[worst : worst + 1], rows.start_m[worst : worst + 1])
    else:
        updated, _ = _update(policy, state, rows, arc)
    return updated


def _predict(policy: OffsetPolicy, state: OffsetState, time_ns: int, elapsed_s: float) -> OffsetState:
    """Let time pass: walks are added, arcs not seen for long are dropped."""
    count = PER_STATION * len(state.stations)
    hours = elapsed_s / 3600.0
    covariance = state.covariance.copy()
    walk = np.full(len(state.mean), policy.ambiguity_walk_m_per_sqrt_h**2 * hours)
    walk[:count] = policy.offset_walk_m_per_sqrt_h**2 * hours
    walk[3:count:PER_STATION] = policy.zwd_walk_m_per_sqrt_h**2 * hours
    covariance.flat[:: len(covariance) + 1] += walk
    # What grew beyond the prior (a station absent for days) says no more than the prior.
    limit = np.tile([policy.offset_sd_m] * 3 + [policy.zwd_sd_m], len(state.stations))
    scale = np.ones(len(state.mean))
    scale[:count] = np.minimum(1.0, limit / np.sqrt(np.diagonal(covariance)[:count]))
    covariance = covariance * scale[:, None] * scale[None, :]
    keep = time_ns - state.arc_seen_ns <= policy.maximum_gap_s * NS_PER_S
    index = np.concatenate([np.arange(count), count + np.flatnonzero(keep)])
    return replace(
        state,
        time_ns=time_ns,
        mean=state.mean[index],
        covariance=covariance[np.ix_(index, index)],
        arc_station=state.arc_station[keep],
        arc_satellite=state.arc_satellite[keep],
        arc_seen_ns=state.arc_seen_ns[keep],
        arc_lock_ms=state.arc_lock_ms[keep],
        arc_difference_m=state.arc_difference_m[keep],
    )


def _rows(policy: OffsetPolicy, state: OffsetState, epochs: Mapping[str, Reduced]) -> _Rows:
    """Return the observations of all stations that see enough."""
    parts: list[_Rows] = []
    for index, name in enumerate(state.stations):
        reduced = epochs.get(name)
        if reduced is None:
            continue
        phase_m, code_m, difference_m = ionosphere_free(reduced)
        use = np.flatnonzero(
            (reduced.elevation_rad > policy.minimum_elevation_rad)
            & np.isfinite(phase_m + code_m)
            & np.isin(reduced.satellite // 100, policy.systems)
            & ~reduced.raw.half_cycle
        )
        if len(use) < _FEWEST_SATELLITES:
            continue
        parts.append(
            _Rows(
                np.full(len(use), index, dtype=np.int64),
                reduced.satellite[use],
                phase_m[use],
                (phase_m - code_m)[use],
                difference_m[use],
                reduced.raw.lock_ms[use],
                reduced.elevation_rad[use],
                # A declared point that is off towards the satellite makes the computed range shorter.
                np.hstack([reduced.unit[use] @ state.enu[index].T, reduced.wet_mapping[use, None]]),
            )
        )
    names = ("station", "satellite", "phase_m", "start_m", "difference_m", "lock_ms", "elevation_rad", "partials")
    if not parts:
        none, empty = np.zeros(0, dtype=np.int64), np.zeros(0)
        return _Rows(none, none, empty, empty, empty, none, empty, np.zeros((0, PER_STATION)))
    return _Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _with_arcs(policy: OffsetPolicy, state: OffsetState, rows: _Rows, time_ns: int) -> tuple[OffsetState, IntArray]:
    """Return the state with an arc for every row, those that slipped restarted, and the arc of each row."""
    known = {key: k for k, key in enumerate(zip(state.arc_station.tolist(), state.arc_satellite.tolist(), strict=True))}
    keys = list(zip(rows.station.tolist(), rows.satellite.tolist(), strict=True))
    fresh = np.array([key not in known for key in keys], dtype=np.bool_)
    for key, new in zip(keys, fresh, strict=True):
        if new:
            known[key] = len(known)
    arc = np.array([known[key] for key in keys], dtype=np.int64)
    count = int(np.count_nonzero(fresh))
    size = len(state.mean)
    covariance = np.zeros((size + count, size + count))
    covariance[:size, :size] = state.covariance

    def extended(old: IntArray, new: IntArray) -> IntArray:
        return np.concatenate([old, new])

    seen = extended(state.arc_seen_ns, np.zeros(count, dtype=np.int64))
    lock = extended(state.arc_lock_ms, np.zeros(count, dtype=np.int64))
    difference = np.concatenate([state.arc_difference_m, np.zeros(count)])
    slipped = ~fresh & lock_lost((time_ns - seen[arc]) // NS_PER_MS, lock[arc], rows.lock_ms)
    jump = rows.difference_m - difference[arc]
    for station in np.unique(rows.station):
        here = (rows.station == station) & ~fresh
        quiet = here & ~slipped
        if quiet.any():
            slipped |= here & (np.abs(jump - np.median(jump[quiet])) > policy.jump_m)
    seen[arc], lock[arc], difference[arc] = time_ns, rows.lock_ms, rows.difference_m
    state = replace(
        state,
        mean=np.concatenate([state.mean, np.zeros(count)]),
        covariance=covariance,
        arc_station=extended(state.arc_station, rows.station[fresh]),
        arc_satellite=extended(state.arc_satellite, rows.satellite[fresh]),
        arc_seen_ns=seen,
        arc_lock_ms=lock,
        arc_difference_m=difference,
    )
    reset = fresh | slipped
    return _reset(policy, state, arc[reset], rows.start_m[reset]), arc


def _reset(policy: OffsetPolicy, state: OffsetState, arcs: IntArray, start_m: FloatArray) -> OffsetState:
    """Forget the ambiguities of some arcs."""
    index = PER_STATION * len(state.stations) + arcs
    mean, covariance = state.mean.copy(), state.covariance.copy()
    mean[index] = start_m
    covariance[index, :] = 0.0
    covariance[:, index] = 0.0
    covariance[index, index] = policy.start_sd_m**2
    return replace(state, mean=mean, covariance=covariance)


def _update(policy: OffsetPolicy, state: OffsetState, rows: _Rows, arc: IntArray) -> tuple[OffsetState, FloatArray]:
    """Return the state after a Kalman update freed of clocks, and the normalised surprises, shape ``(n,)``.

    Source:
        As :mod:`models.network_update`; surprise ``[S^-1 v]_i / sqrt([S^-1]_ii)``, Baarda (1968).
    """
    count = len(arc)
    design = np.zeros((count, len(state.mean)))
    each = np.arange(count)
    for column in range(PER_STATION):
        design[each, PER_STATION * rows.station + column] = rows.partials[:, column]
    design[each, PER_STATION * len(state.stations) + arc] = 1.0
    weight = 1.0 / np.sqrt(elevation_variance_m2(policy.phase_sd_m, rows.elevation_rad))
    # Every system has a receiver clock of its own, so the systems fall apart, which also makes the bases cheap.
    bases = []
    for system in np.unique(rows.satellite // 100):
        mine = np.flatnonzero(rows.satellite // 100 == system)
        small = clock_free_basis(rows.station[mine], rows.satellite[mine], weight[mine]) * weight[mine, None]
        bases.append(np.zeros((count, small.shape[1])))
        bases[-1][mine] = small
    basis = np.hstack(bases)
    if not basis.shape[1]:
        return state, np.zeros(count)
    h = basis.T @ design
    v = basis.T @ (rows.phase_m - design @ state.mean)
    cross = state.covariance @ h.T
    s = h @ cross
    s.flat[:: len(s) + 1] += 1.0
    factor = cho_factor(s, lower=True, check_finite=False)
    gain = cho_solve(factor, cross.T, check_finite=False).T
    covariance = state.covariance - gain @ cross.T
    top = basis @ cho_solve(factor, v, check_finite=False)
    variance = np.einsum("ij,ji->i", basis, cho_solve(factor, basis.T, check_finite=False))
    safe: BoolArray = variance > 1e-9 * weight**2 / 100.0
    surprise = np.where(safe, top / np.sqrt(np.where(safe, variance, 1.0)), 0.0)
    updated = replace(state, mean=state.mean + gain @ v, covariance=0.5 * (covariance + covariance.T))
    return updated, surprise
