"""The stream of one virtual station: which master, which satellites, and phases that continue from epoch to epoch.

``init`` and ``step`` as every estimator. The rule that a receiver relies on, and that must be kept: a lock time that
grows means that double differences with this phase have kept their integer. Whatever might break that (a slip that the
network found, a change of master whose integers nobody knows, a correction that jumps) starts the lock time anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from gpsgrid.network_view import NetworkView
from gpsgrid.virtual_handover import SATELLITE_STEP, keys_of
from gpsgrid.virtual_master import VirtualState, change_master, choose, distances_of, offsets_of
from gpsgrid.virtual_place import Placed, VirtualPolicy, placed
from models.validity import HIDDEN_SLIP, lock_lost
from stations.arrays import FloatArray
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import StationEpoch


class Level(StrEnum):
    """How much stands behind a virtual station."""

    FULL = "full"
    FEWER = "fewer"
    NEAREST = "nearest"
    SILENT = "silent"


@dataclass(frozen=True)
class VirtualReport:
    """What was sent and why.

    Attributes:
        time_ns: Epoch.
        level: What stands behind it.
        reason: In words, empty for the full network.
        epoch: What to send, ``None`` when silent.
        master: Station it was made from, empty when silent.
        stations: How many stations the corrections come from.
        sd_m: Of the slant ionosphere of each satellite that is sent, metres.
        zwd_sd_m: Of the zenith wet delay against the master.
        left_out: Satellites that the master sees and that were not sent, with the reason.
        restarted: Rows whose lock time started anew for another reason than the master's own.
    """

    time_ns: int
    level: Level
    reason: str
    epoch: StationEpoch | None = None
    master: str = ""
    stations: int = 0
    sd_m: Mapping[int, float] = field(default_factory=dict)
    zwd_sd_m: float = float("nan")
    left_out: Mapping[int, str] = field(default_factory=dict)
    restarted: int = 0


def init() -> VirtualState:
    """Return the state before the first epoch."""
    return VirtualState()


def step(
    policy: VirtualPolicy, state: VirtualState, view: NetworkView, position_m: FloatArray
) -> tuple[VirtualState, VirtualReport]:
    """Make the observations of one epoch.

    Args:
        policy: Limits.
        state: From :func:`init` or the step before; of the same place.
        view: The network epoch.
        position_m: Antenna reference point of the virtual station, ECEF, shape ``(3,)``.
    """
    time_ns = view.snapshot.time_ns
    if state.view is not None:
        gap_s = (time_ns - state.view.snapshot.time_ns) / NS_PER_S
        if not 0.0 <= gap_s <= policy.longest_gap_s:
            state = VirtualState(since_ns=time_ns)
    distances_m = distances_of(policy, view, position_m)
    if not distances_m:
        far = f"no station with data within {policy.maximum_distance_m / 1000:.0f} km"
        return VirtualState(since_ns=time_ns), VirtualReport(time_ns, Level.SILENT, far)
    before, state = state, choose(policy, state, distances_m, view)
    whole = placed(policy, view, state.master, position_m, corrected=True, clock_m=state.clock_m)
    level, reason = _level(policy, view, whole, distances_m[state.master])
    if level is Level.SILENT:
        return VirtualState(since_ns=time_ns), VirtualReport(time_ns, level, reason)
    if before.master and before.master != state.master:
        state = change_master(policy, before, state, view, position_m)
    if before.master != state.master or level is Level.NEAREST:
        corrected = level is not Level.NEAREST
        whole = placed(policy, view, state.master, position_m, corrected=corrected, clock_m=state.clock_m)
    return _continued(policy, state, view, whole, (level, reason))


def _level(policy: VirtualPolicy, view: NetworkView, whole: Placed, distance_m: float) -> tuple[Level, str]:
    """Return what can be sent, and why it is not more."""
    snapshot = view.snapshot
    good = int(np.count_nonzero(whole.sd_m <= policy.maximum_sd_m))
    if snapshot.trusted and good >= policy.minimum_satellites:
        missing = [station.id for station in view.network.stations if station.id not in snapshot.reduced]
        return (Level.FEWER, f"without {', '.join(missing)}") if missing else (Level.FULL, "")
    why = "the network does not hold its own integers"
    if snapshot.trusted:
        why = f"the corrections of only {good} satellites are certain to {policy.maximum_sd_m * 100:.0f} cm"
    if distance_m <= policy.nearest_distance_m and len(whole.satellite) >= policy.minimum_satellites:
        return Level.NEAREST, f"{why}: nearest base, {distance_m / 1000:.0f} km away, without network corrections"
    return Level.SILENT, f"{why}, and the nearest base is {distance_m / 1000:.0f} km away"


def _continued(
    policy: VirtualPolicy, state: VirtualState, view: NetworkView, whole: Placed, level: tuple[Level, str]
) -> tuple[VirtualState, VirtualReport]:
    """Choose the satellites, continue phases and lock times, and say what was done."""
    time_ns = view.snapshot.time_ns
    left_out = _left_out(policy, view.raw[state.master], whole)
    epoch = whole.epoch.rows(~np.isin(whole.epoch.satellite, list(left_out)))
    keys = keys_of(epoch)
    known, place, offset_cyc = offsets_of(state, epoch)
    # A change of master may come with a shorter lock time of its own; the arc of the stream is as old as it was.
    begun_ns = np.maximum(time_ns - epoch.lock_ms * NS_PER_MS, state.since_ns)
    before = place[known]
    elapsed_ms = (time_ns - state.seen_ns[before]) // NS_PER_MS
    goes_on = ~lock_lost(elapsed_ms, state.lock_ms[before], epoch.lock_ms[known])
    begun_ns[known] = np.where(goes_on, state.begun_ns[before], begun_ns[known])
    doubtful = list(_slipped(state, view) | _jumped(policy, state, view, whole))
    restarted = np.isin(epoch.satellite, doubtful)
    begun_ns[restarted] = time_ns
    lock_ms = (time_ns - begun_ns) // NS_PER_MS
    sent = replace(epoch, phase_cyc=epoch.phase_cyc + offset_cyc, lock_ms=lock_ms)
    # Rows that are not in this epoch go on where they were, but for a slip that nobody will be told of later.
    absent = ~np.isin(state.key, keys)
    absent_ns = np.where(np.isin(state.key // SATELLITE_STEP, doubtful), time_ns, state.begun_ns)
    order = np.argsort(np.concatenate([state.key[absent], keys]))
    rows = (
        (state.key[absent], keys),
        (state.offset_cyc[absent], offset_cyc),
        (absent_ns[absent], begun_ns),
        (state.seen_ns[absent], np.full(len(keys), time_ns, dtype=np.int64)),
        (state.lock_ms[absent], epoch.lock_ms),
    )
    key, offset_cyc, begun_ns, seen_ns, master_lock_ms = (np.concatenate(pair)[order] for pair in rows)
    next_state = replace(
        state,
        key=key,
        offset_cyc=offset_cyc,
        begun_ns=begun_ns,
        seen_ns=seen_ns,
        lock_ms=master_lock_ms,
        satellite=whole.satellite,
        correction_m=whole.correction_m,
        view=view,
    )
    kept = [row for row, satellite in enumerate(whole.satellite.tolist()) if satellite not in left_out]
    report = VirtualReport(
        time_ns,
        *level,
        sent,
        state.master,
        len(view.snapshot.reduced),
        {int(whole.satellite[row]): float(whole.sd_m[row]) for row in kept},
        whole.zwd_sd_m,
        left_out,
        int(np.count_nonzero(restarted)),
    )
    return next_state, report


def _left_out(policy: VirtualPolicy, raw: StationEpoch, whole: Placed) -> dict[int, str]:
    """Return which satellites of the master are not sent, and why."""
    unknown = "too low, on one carrier only, or without a usable orbit"
    left_out = dict.fromkeys(np.setdiff1d(raw.satellite, whole.satellite).tolist(), unknown)
    if whole.corrected:
        for satellite, sd_m in zip(whole.satellite.tolist(), whole.sd_m.tolist(), strict=True):
            if sd_m > policy.maximum_sd_m:
                left_out[satellite] = f"its ionosphere is known to {sd_m * 100:.0f} cm only"
    return left_out


def _slipped(state: VirtualState, view: NetworkView) -> set[int]:
    """Return the satellites of which the network saw a slip at the master that the receiver did not report."""
    network, observed = view.snapshot.state, view.snapshot.info.observed
    mine = network.arc_station[observed.arc] == network.stations.index(state.master)
    hidden = (observed.flags & int(HIDDEN_SLIP)) != 0
    return set(network.arc_satellite[observed.arc[mine & hidden]].tolist())


def _jumped(policy: VirtualPolicy, state: VirtualState, view: NetworkView, whole: Placed) -> set[int]:
    """Return the satellites whose correction changed against the others' by more than an ionosphere can."""
    common, before, now = np.intersect1d(state.satellite, whole.satellite, assume_unique=True, return_indices=True)
    change_m = whole.correction_m[now] - state.correction_m[before]
    if not len(common) or state.view is None or not np.isfinite(change_m).all():
        return set()
    elapsed_s = (view.snapshot.time_ns - state.view.snapshot.time_ns) / NS_PER_S
    limit_m = policy.step_m + policy.step_m_per_s * elapsed_s
    return set(common[np.abs(change_m - np.median(change_m)) > limit_m].tolist())
