"""Tests of an arc's signals against what is remembered of them: codes, three carriers, strength, half cycles.

``step`` as every estimator; all arcs of an epoch are a few passes over arrays. It complements `models.validity`,
which compares phases with other receivers. The memory has rows of its own, one per station and satellite.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from models import signal_strength, wide_lane
from models.clock_jumps import code_jump_m
from models.code_residual import code_residual_m, is_outlier
from models.medians import groups_of, median_by_group
from models.signal_strength import StrengthTemplate
from models.triple_frequency import disagreement_m, third_alone
from models.validity import SLIP, Flag
from models.wide_lane import WideLane, wide_lane_cyc
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S

_SATELLITES = 1000  # satellite integers are below
_SIGNALS = 1000  # and signal integers
_FEWEST = 3  # satellites of a receiver with three carriers, for their common drift
_PER_METRE = 1e6  # wavelengths as whole micrometres, to be compared


@dataclass(frozen=True)
class SignalPolicy:
    """Limits of the tests; ``floor + slope / sin(elevation)`` where there are two.

    Attributes:
        code_floor_m, code_slope_m: Of a code against all other stations and satellites.
        wide_lane_sigmas, wide_lane_floor_cyc, wide_lane_slope_cyc: Of the Melbourne-Wuebbena combination.
        triple_floor_m, triple_slope_m: Of three carriers against each other.
        weak_db, weak_sigmas: Of C/N0 below the template; both must be exceeded.
        maximum_gap_s: What was not seen for longer is forgotten.
    """

    code_floor_m: float = 2.0
    code_slope_m: float = 0.75
    wide_lane_sigmas: float = 5.0
    wide_lane_floor_cyc: float = 0.5
    wide_lane_slope_cyc: float = 0.15
    triple_floor_m: float = 0.025
    triple_slope_m: float = 0.010
    weak_db: float = 6.0
    weak_sigmas: float = 4.0
    maximum_gap_s: float = 95.0


@dataclass(frozen=True, eq=False)
class SignalMemory:
    """What is remembered, one row per station and satellite.

    Attributes:
        key: Station and satellite in one integer, ascending, shape ``(m,)``.
        seen_ns: Shape ``(m,)``.
        half_cycle: Whether the half cycle was unresolved, shape ``(m,)``.
        phase_m, wavelength_m: Reduced phases of the two carriers in use and a third, shape ``(3, m)``; zero where there
            is no third.
        code_m: Reduced code of the first carrier, shape ``(m,)``.
        mean_cyc, variance_cyc2, count, doubts: See :class:`models.wide_lane.WideLane`.
        strength: Usual C/N0.
    """

    key: IntArray
    seen_ns: IntArray
    half_cycle: BoolArray
    phase_m: FloatArray
    wavelength_m: FloatArray
    code_m: FloatArray
    mean_cyc: FloatArray
    variance_cyc2: FloatArray
    count: IntArray
    doubts: IntArray
    strength: StrengthTemplate


_ROWS = tuple(field.name for field in fields(SignalMemory) if field.name != "strength")


@dataclass(frozen=True, eq=False)
class SignalRows:
    """The signals of one epoch, one row per station and satellite, stations and satellites ascending.

    Attributes:
        station, satellite: Shape ``(n,)``.
        code_m, wavelength_m, signal, cn0_dbhz: Of the two carriers in use, shape ``(2, n)``.
        phase_m: Reduced, shape ``(2, n)``.
        third_phase_m, third_wavelength_m: Of one more carrier, NaN where there is none, shape ``(n,)``.
        half_cycle: Shape ``(n,)``.
        elevation_rad: Shape ``(n,)``.
        flags: Findings so far, shape ``(n,)``.
    """

    station: IntArray
    satellite: IntArray
    code_m: FloatArray
    phase_m: FloatArray
    wavelength_m: FloatArray
    signal: IntArray
    cn0_dbhz: FloatArray
    third_phase_m: FloatArray
    third_wavelength_m: FloatArray
    half_cycle: BoolArray
    elevation_rad: FloatArray
    flags: IntArray


def empty() -> SignalMemory:
    """Return the memory of nothing."""
    none, floats = np.zeros(0, dtype=np.int64), np.zeros(0)
    three, no = np.zeros((3, 0)), np.zeros(0, dtype=np.bool_)
    return SignalMemory(none, none, no, three, three, floats, floats, floats, none, none, signal_strength.empty())


def for_stations(memory: SignalMemory, place: IntArray) -> SignalMemory:
    """Return the memory for another list of stations; ``place`` is the new index of every old one, -1 if it left."""
    station = place[memory.key // _SATELLITES] if len(memory.key) else memory.key
    key = station * _SATELLITES + memory.key % _SATELLITES
    rows = np.flatnonzero(station >= 0)
    rows = rows[np.argsort(key[rows])]
    kept = {name: getattr(memory, name)[..., rows] for name in _ROWS} | {"key": key[rows]}
    return SignalMemory(**kept, strength=signal_strength.moved(memory.strength, place))


def stations_of(memory: SignalMemory) -> IntArray:
    """Return the station index of everything that is remembered, any order."""
    stations: IntArray = np.concatenate([memory.key // _SATELLITES, signal_strength.station_of(memory.strength.key)])
    return stations


def contradiction(memory: SignalMemory) -> str:
    """Return in which respect a memory from outside cannot be one; empty when nothing is wrong."""
    strength = memory.strength
    tables = ((memory, _ROWS), (strength, tuple(field.name for field in fields(strength))))
    for table, names in tables:
        size = len(table.key)
        for name in names:
            value = getattr(table, name)
            shape = (3, size) if name in {"phase_m", "wavelength_m"} else (size,)
            if value.shape != shape:
                return f"{name} of the signals has the shape {value.shape}, expected {shape}"
            if not np.isfinite(value).all():
                return f"{name} of the signals holds what is no number"
        if (np.diff(table.key) <= 0).any() or (table.key < 0).any():
            return "the signals are not in order"
    return ""


def step(policy: SignalPolicy, memory: SignalMemory, rows: SignalRows, time_ns: int) -> tuple[SignalMemory, IntArray]:
    """Test the signals of one epoch; return the memory for the next one and the findings, shape ``(n,)``.

    Args:
        policy: Limits.
        memory: From :func:`empty` or the step before.
        rows: Observations.
        time_ns: Epoch.
    """
    found = np.zeros(len(rows.station), dtype=np.int64)
    if not len(found):
        return memory, found
    last_ns = int(memory.seen_ns.max(initial=-1))
    elapsed_s = (time_ns - last_ns) / NS_PER_S if last_ns >= 0 else 1.0
    known, before = _recalled(policy, memory, rows, time_ns)
    found[known & before.half_cycle & ~rows.half_cycle] |= Flag.HALF_CYCLE_RESOLVED
    found[_bad_codes(policy, rows)] |= Flag.CODE
    went_on = known & ((rows.flags & SLIP) == 0)
    found[_three_disagree(policy, before, rows, went_on)] |= Flag.TRIPLE

    # The memory of the codes follows a clock that was set back under their phases.
    change_m = np.where(went_on, rows.code_m[0] - rows.phase_m[0] - before.code_m + before.phase_m[0], np.nan)
    jump_m = code_jump_m(change_m, _receiver(rows))
    lane_m = 1.0 / (1.0 / rows.wavelength_m[0] - 1.0 / rows.wavelength_m[1])
    lane = WideLane(before.mean_cyc - jump_m / lane_m, before.variance_cyc2, before.count, before.doubts)
    lane = wide_lane.restarted(lane, ~known | (((rows.flags | found) & SLIP) != 0))
    value_cyc = wide_lane_cyc(rows.code_m, rows.phase_m, rows.wavelength_m)
    least_cyc = policy.wide_lane_floor_cyc + policy.wide_lane_slope_cyc / np.sin(rows.elevation_rad)
    lane, slipped = wide_lane.follow(lane, value_cyc, (found & Flag.CODE) == 0, policy.wide_lane_sigmas, least_cyc)
    found[slipped] |= Flag.WIDE_LANE

    strength, weak = _weak(policy, memory.strength, rows, elapsed_s)
    found[weak] |= Flag.WEAK
    third = np.isfinite(rows.third_phase_m)
    now = SignalMemory(
        _key(rows),
        np.full(len(found), time_ns, dtype=np.int64),
        rows.half_cycle,
        np.vstack([rows.phase_m, np.where(third, rows.third_phase_m, 0.0)]),
        np.vstack([rows.wavelength_m, np.where(third, rows.third_wavelength_m, 0.0)]),
        rows.code_m[0],
        lane.mean_cyc,
        lane.variance_cyc2,
        lane.count,
        lane.doubts,
        strength,
    )
    return _with_unseen(policy, memory, now, time_ns), found


def _key(rows: SignalRows) -> IntArray:
    key: IntArray = rows.station * _SATELLITES + rows.satellite
    return key


def _receiver(rows: SignalRows) -> IntArray:
    """Return station and system in one integer: what shares a receiver clock."""
    receiver: IntArray = rows.station * 10 + rows.satellite // 100
    return receiver


def _recalled(
    policy: SignalPolicy, memory: SignalMemory, rows: SignalRows, time_ns: int
) -> tuple[BoolArray, SignalMemory]:
    """Return which rows were there before on the same two carriers, and the memory of each, blank where it was not."""
    key = _key(rows)
    blank = replace(_blank(len(key)), key=key)
    if not len(memory.key):
        return np.zeros(len(key), dtype=np.bool_), blank
    place = np.minimum(np.searchsorted(memory.key, key), len(memory.key) - 1)
    recent = time_ns - memory.seen_ns[place] <= policy.maximum_gap_s * NS_PER_S
    same = (np.abs(memory.wavelength_m[:2, place] - rows.wavelength_m) * _PER_METRE < 1.0).all(axis=0)
    known = (memory.key[place] == key) & recent & same
    columns = {
        name: np.where(known, getattr(memory, name)[..., place], getattr(blank, name))
        for name in _ROWS
        if name != "key"
    }
    return known, replace(blank, **columns)


def _blank(count: int) -> SignalMemory:
    none, floats, lane = np.zeros(count, dtype=np.int64), np.zeros(count), wide_lane.fresh(count)
    three, no = np.zeros((3, count)), np.zeros(count, dtype=np.bool_)
    return SignalMemory(
        none,
        none,
        no,
        three,
        three,
        floats,
        lane.mean_cyc,
        lane.variance_cyc2,
        lane.count,
        lane.doubts,
        signal_strength.empty(),
    )


def _with_unseen(policy: SignalPolicy, memory: SignalMemory, now: SignalMemory, time_ns: int) -> SignalMemory:
    """Return the memory of this epoch, and of what was seen not long before."""
    unseen = time_ns - memory.seen_ns <= policy.maximum_gap_s * NS_PER_S
    order = np.argsort(now.key)
    place = np.minimum(np.searchsorted(now.key, memory.key, sorter=order), len(order) - 1)
    unseen &= now.key[order[place]] != memory.key
    if not unseen.any():
        columns = {name: getattr(now, name)[..., order] for name in _ROWS}
        return SignalMemory(**columns, strength=now.strength)
    order = np.argsort(np.concatenate([now.key, memory.key[unseen]]))
    columns = {
        name: np.concatenate([getattr(now, name), getattr(memory, name)[..., unseen]], axis=-1)[..., order]
        for name in _ROWS
    }
    return SignalMemory(**columns, strength=now.strength)


def _bad_codes(policy: SignalPolicy, rows: SignalRows) -> BoolArray:
    bad = np.zeros(len(rows.station), dtype=np.bool_)
    for band in range(2):
        residual_m = code_residual_m(
            rows.code_m[band],
            rows.station * _SIGNALS + rows.signal[band],
            rows.satellite * _SIGNALS + rows.signal[band],
        )
        bad |= is_outlier(residual_m, rows.elevation_rad, policy.code_floor_m, policy.code_slope_m)
    return bad


def _three_disagree(policy: SignalPolicy, before: SignalMemory, rows: SignalRows, went_on: BoolArray) -> BoolArray:
    """Return of which rows one of the two carriers in use slipped against a third."""
    slipped = np.zeros(len(went_on), dtype=np.bool_)
    # Where there is no third carrier, this compares with NaN, which is never true.
    same = np.abs(before.wavelength_m[2] - rows.third_wavelength_m) * _PER_METRE < 1.0
    use = np.flatnonzero(went_on & same)
    if not len(use):
        return slipped
    change_m = np.vstack([rows.phase_m, rows.third_phase_m])[:, use] - before.phase_m[:, use]
    wavelength_m = before.wavelength_m[:, use]
    group, groups = groups_of(_receiver(rows)[use])
    enough = np.bincount(group) >= _FEWEST

    def against_others(value_m: FloatArray) -> FloatArray:
        return value_m - np.where(enough, median_by_group(value_m, group, groups), 0.0)[group]

    apart_m = against_others(disagreement_m(change_m, wavelength_m))
    far = np.abs(apart_m) > policy.triple_floor_m + policy.triple_slope_m / np.sin(rows.elevation_rad[use])
    if far.any():
        first_second_m = against_others(change_m[0] - change_m[1])
        far &= ~third_alone(first_second_m, against_others(change_m[0] - change_m[2]))
    slipped[use] = far
    return slipped


def _weak(
    policy: SignalPolicy, strength: StrengthTemplate, rows: SignalRows, elapsed_s: float
) -> tuple[StrengthTemplate, BoolArray]:
    """Return the template after both carriers, and which rows are weak on either."""
    key = np.concatenate(
        [signal_strength.keys_of(rows.station, rows.signal[band], rows.elevation_rad) for band in range(2)]
    )
    source = (rows.satellite * _SIGNALS + rows.signal).ravel()
    strength, weak = signal_strength.step(
        strength, key, source, rows.cn0_dbhz.ravel(), elapsed_s, (policy.weak_db, policy.weak_sigmas)
    )
    either: BoolArray = weak[: len(rows.station)] | weak[len(rows.station) :]
    return strength, either
