"""Which station a virtual one is made from, and what is carried across a change of it."""

from dataclasses import dataclass, field, replace

import numpy as np

from gpsgrid.network_view import NetworkView
from gpsgrid.virtual_handover import carriers_of, hand_over, held_between, keys_of
from gpsgrid.virtual_place import VirtualPolicy, placed
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch

_ALWAYS_NS = -(2**62)


def _no_rows() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class VirtualState:
    """What the stream of a virtual station carries.

    Attributes:
        master: Station in use, empty before the first epoch.
        since_ns: From when on a row that was never sent is continuous on our account: a new master's phases are
            nobody's before.
        rival: Another station that would be better, and since when, ``rival_ns``.
        clock_m: Added to the ranges of the master, so that the receiver clock does not jump with it.
        key: Rows sent under this master, ascending, shape ``(row,)``.
        offset_cyc: What is added to their phases, shape ``(row,)``.
        begun_ns: Since when they go on without a slip, shape ``(row,)``.
        seen_ns: When the master was last seen with them, shape ``(row,)``.
        lock_ms: Its lock time then, shape ``(row,)``.
        carrier_offset_cyc: What new rows of a carrier get.
        satellite, correction_m: Satellites of the last epoch, and the atmosphere that they got, shape ``(n,)``.
        view: The last network epoch; a master that has vanished since is compared there.
    """

    master: str = ""
    since_ns: int = _ALWAYS_NS
    rival: str = ""
    rival_ns: int = 0
    clock_m: float = 0.0
    key: IntArray = field(default_factory=_no_rows)
    offset_cyc: FloatArray = field(default_factory=lambda: np.zeros(0))
    begun_ns: IntArray = field(default_factory=_no_rows)
    seen_ns: IntArray = field(default_factory=_no_rows)
    lock_ms: IntArray = field(default_factory=_no_rows)
    carrier_offset_cyc: dict[int, float] = field(default_factory=dict)
    satellite: IntArray = field(default_factory=_no_rows)
    correction_m: FloatArray = field(default_factory=lambda: np.zeros(0))
    view: NetworkView | None = None


def distances_of(policy: VirtualPolicy, view: NetworkView, position_m: FloatArray) -> dict[str, float]:
    """Return the stations that could be the master of a place with their distances, nearest first."""
    found = {}
    for name, reduced in view.snapshot.reduced.items():
        distance_m = float(np.linalg.norm(view.network.station(name).marker_m - position_m))
        seen = int(np.count_nonzero(reduced.elevation_rad >= policy.minimum_elevation_rad))
        if distance_m <= policy.maximum_distance_m and seen >= policy.minimum_satellites and name in view.raw:
            found[name] = distance_m
    return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))


def choose(
    policy: VirtualPolicy, state: VirtualState, distances_m: dict[str, float], view: NetworkView
) -> VirtualState:
    """Return the state with the master to use: the present one, until another has been better for a while.

    A station that comes back is not used before the network holds its integers: the change would be a slip of all
    satellites, which costs a rover more than a master that is farther away for some minutes.

    Args:
        policy: Limits.
        state: With the master so far.
        distances_m: From :func:`distances_of`, at least one.
        view: Network epoch.
    """
    time_ns = view.snapshot.time_ns
    nearest = next(iter(distances_m))
    mine = distances_m.get(state.master)
    if mine is None:
        return replace(state, master=nearest, rival="", rival_ns=0)
    if nearest == state.master or distances_m[nearest] >= policy.switch_ratio * mine:
        return replace(state, rival="", rival_ns=0)
    since_ns = state.rival_ns if state.rival == nearest else time_ns
    waited_s = (time_ns - since_ns) / NS_PER_S
    early = waited_s < policy.switch_s or not _ready(policy, state.master, nearest, view)
    if early and waited_s < policy.switch_latest_s:
        return replace(state, rival=nearest, rival_ns=since_ns)
    return replace(state, master=nearest, rival="", rival_ns=0)


def _ready(policy: VirtualPolicy, master: str, rival: str, view: NetworkView) -> bool:
    """Return whether the network holds the integers between two stations, of most satellites that both see."""
    network, reduced = view.snapshot.state, view.snapshot.reduced
    first, second = (
        one.satellite[one.elevation_rad >= policy.minimum_elevation_rad] for one in (reduced[master], reduced[rival])
    )
    both = np.intersect1d(first, second)
    both = both[np.isin(both // 100, view.snapshot.policy.systems)]
    held = held_between(network, network.stations.index(master), network.stations.index(rival), both)
    return bool(np.count_nonzero(held) >= policy.switch_held_share * len(both))


def change_master(
    policy: VirtualPolicy, before: VirtualState, state: VirtualState, view: NetworkView, position_m: FloatArray
) -> VirtualState:
    """Return the state with which the phases of the new master continue those of the old one.

    What the network does not know starts anew: its rows are not in the state, and ``since_ns`` is now.

    Args:
        policy: Limits.
        before: With the old master.
        state: With the new one.
        view: Network epoch.
        position_m: Of the virtual station, shape ``(3,)``.
    """
    time_ns = view.snapshot.time_ns
    fresh = VirtualState(master=state.master, since_ns=time_ns, view=before.view)
    common = _common_view(before, state.master, view)
    if common is None:
        return fresh
    old = placed(policy, common, before.master, position_m, corrected=True, clock_m=before.clock_m)
    new = placed(policy, common, state.master, position_m, corrected=True, clock_m=0.0)
    _, of_old, of_new = np.intersect1d(keys_of(old.epoch), keys_of(new.epoch), assume_unique=True, return_indices=True)
    apart_m = old.epoch.pseudorange_m[of_old] - new.epoch.pseudorange_m[of_new]
    if not np.isfinite(apart_m).any():
        return fresh
    clock_m = float(np.nanmedian(apart_m))
    new = placed(policy, common, state.master, position_m, corrected=True, clock_m=clock_m)
    known, place, offset_cyc = offsets_of(before, old.epoch)
    sent = replace(old.epoch, phase_cyc=old.epoch.phase_cyc + offset_cyc).rows(known)
    network = common.snapshot.state
    one, two = network.stations.index(before.master), network.stations.index(state.master)
    held = new.satellite[held_between(network, one, two, new.satellite)]
    handover = hand_over(sent, new.epoch, frozenset(held.tolist()), policy.residue_cyc)
    go_on = handover.continuous
    keys = keys_of(new.epoch)[go_on]
    begun_ns = before.begun_ns[place[known]][np.searchsorted(keys_of(sent), keys)]
    return replace(
        fresh,
        clock_m=clock_m,
        key=keys,
        offset_cyc=handover.offset_cyc[go_on],
        begun_ns=begun_ns,
        seen_ns=np.full(len(keys), new.epoch.time_ns, dtype=np.int64),
        lock_ms=new.epoch.lock_ms[go_on],
        carrier_offset_cyc=handover.carrier_offset_cyc,
    )


def _common_view(before: VirtualState, master: str, view: NetworkView) -> NetworkView | None:
    """Return the newest epoch in which both masters took part, ``None`` if that is neither this one nor the last."""
    for one in (view, before.view):
        if one is not None and all(
            name in one.snapshot.reduced and name in one.raw for name in (before.master, master)
        ):
            return one
    return None


def offsets_of(state: VirtualState, epoch: StationEpoch) -> tuple[BoolArray, IntArray, FloatArray]:
    """Return which rows were sent before under the present master, where they stand, and what is added to their phases.

    Args:
        state: Of the stream.
        epoch: Rows of the master.

    Returns:
        Shapes ``(row,)``; the place of a row that was not sent means nothing.
    """
    keys = keys_of(epoch)
    carriers = carriers_of(epoch.signal)
    offset_cyc = np.array([state.carrier_offset_cyc.get(carrier, 0.0) for carrier in carriers.tolist()])
    if not len(state.key):
        return np.zeros(len(keys), dtype=np.bool_), np.zeros(len(keys), dtype=np.int64), offset_cyc
    place = np.minimum(np.searchsorted(state.key, keys), len(state.key) - 1)
    known = state.key[place] == keys
    return known, place, np.where(known, state.offset_cyc[place], offset_cyc)
