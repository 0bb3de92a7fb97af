"""How soon which test finds an injected fault, and what the tests say of the data as they were recorded.

The network filter runs through the recorded epochs twice, without and with faults; what the second run says and the
first does not is due to the faults. It is an experiment, not part of the engine.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gpsgrid.solver import reduced_network
from models import network, network_state
from models.ephemeris import EphemerisStore
from models.network_reduction import Site
from models.network_state import NetworkPolicy
from models.repeated import repeats
from models.validity import SLIP, Flag
from replay.faults import EVERY, OF_STATIONS, Epochs, Fault, Kind
from stations.align import NetworkEpoch
from stations.arrays import FloatArray
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch

STUCK = "STUCK_RECEIVER"
"""Name of the one finding about a station as a whole, which is not among the flags of an arc."""

_WITHIN_S = 60.0
_LONGEST_GAP_S = 95.0
_HIGH_RAD = float(np.radians(15.0))
_ALARMS = int(SLIP | Flag.HALF_CYCLE | Flag.INNOVATION | Flag.UNSTEADY | Flag.CODE | Flag.WEAK)

Arc = tuple[int, int]


@dataclass(frozen=True)
class Spacing:
    """When faults come: the first after ``warm_s`` seconds, then one every ``every_s``, ``most`` at most."""

    warm_s: float
    every_s: float
    most: int


@dataclass
class Findings:
    """What a run of the filter said.

    Attributes:
        times_ns: Network epochs.
        flags: Of every epoch, by station index and satellite.
        stuck: Of every epoch, the stations that were left out.
        elevation_rad: Of every epoch, by station index and satellite.
    """

    times_ns: list[int] = field(default_factory=list)
    flags: list[dict[Arc, int]] = field(default_factory=list)
    stuck: list[frozenset[str]] = field(default_factory=list)
    elevation_rad: list[dict[Arc, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What became of one fault.

    Attributes:
        fault: Which.
        first_s: From its start until anything was said about it; NaN if nothing was.
        by: Everything that was said within a minute.
        slips: Arcs of which it was said that they slipped, within a minute.
    """

    fault: Fault
    first_s: float
    by: frozenset[str]
    slips: int


def run(
    policy: NetworkPolicy, sites: Mapping[str, Site], station_m: FloatArray, store: EphemerisStore, epochs: Epochs
) -> Findings:
    """Run the network filter over raw epochs; return what its tests say.

    Args:
        policy: Constants.
        sites: Of all stations, in the order of ``station_m``.
        station_m: Markers, ECEF, shape ``(station, 3)``.
        store: Ephemerides of the time.
        epochs: Raw observations.
    """
    state = network_state.init(policy, tuple(sites), station_m)
    findings, newest = Findings(), dict[str, StationEpoch]()
    for time_ns, stations in epochs:
        stuck = frozenset(name for name, one in stations.items() if name in newest and repeats(newest[name], one))
        newest |= stations
        moving = {name: one for name, one in stations.items() if name not in stuck}
        reduced, _ = reduced_network(NetworkEpoch(time_ns, moving), store.selection(time_ns), policy, sites)
        state, info = network.step(policy, state, reduced, time_ns)
        arc = info.observed.arc
        keys = list(zip(state.arc_station[arc].tolist(), state.arc_satellite[arc].tolist(), strict=True))
        findings.times_ns.append(time_ns)
        findings.flags.append(dict(zip(keys, info.observed.flags.tolist(), strict=True)))
        findings.elevation_rad.append(dict(zip(keys, info.observed.elevation_rad.tolist(), strict=True)))
        findings.stuck.append(stuck)
    return findings


def targets(findings: Findings, first_ns: int, last_ns: int) -> list[Arc]:
    """Return the arcs that are observed at all epochs of a span and were called clean at each."""
    span = [
        flags
        for time_ns, flags in zip(findings.times_ns, findings.flags, strict=True)
        if first_ns <= time_ns <= last_ns
    ]
    if not span:
        return []
    return [arc for arc in span[0] if all(arc in flags and not flags[arc] & _ALARMS for flags in span)]


def outcome(clean: Findings, with_fault: Findings, names: Sequence[str], fault: Fault) -> Outcome:
    """Return what was said about a fault within a minute; ``names``: stations in the order of their indexes."""
    station = names.index(fault.station)
    first_s, by, slipped = np.nan, frozenset[str](), set[Arc]()
    for k, time_ns in enumerate(with_fault.times_ns):
        elapsed_s = (time_ns - fault.start_ns) / NS_PER_S
        if not 0.0 <= elapsed_s <= _WITHIN_S:
            continue
        said = {STUCK} if fault.station in with_fault.stuck[k] - clean.stuck[k] else set()
        for arc, flags in with_fault.flags[k].items():
            if arc[0] != station or fault.satellite not in {EVERY, arc[1]}:
                continue
            # What the run without the fault has restarted would be news only to it.
            news = flags & ~clean.flags[k].get(arc, 0) & _ALARMS
            said |= {str(one.name) for one in Flag if one & news}
            if news & SLIP:
                slipped.add(arc)
        if said and np.isnan(first_s):
            first_s = elapsed_s
        by |= said
    return Outcome(fault, first_s, by, len(slipped))


def collateral(clean: Findings, with_faults: Findings, names: Sequence[str], faults: Sequence[Fault]) -> int:
    """Return how many arcs without a fault were said to have slipped and, without the faults, were not."""
    hit = {(names.index(fault.station), fault.satellite) for fault in faults}
    accused = 0
    for before, flags in zip(clean.flags, with_faults.flags, strict=True):
        for arc, now in flags.items():
            innocent = arc not in hit and (arc[0], EVERY) not in hit
            accused += bool(innocent and now & ~before.get(arc, 0) & SLIP)
    return accused


def alarms(findings: Findings) -> tuple[float, Counter[str], Counter[str]]:
    """Return satellite hours at stations, and how often each finding began; the second counter above 15 degrees."""
    hours, every, high = 0.0, Counter[str](), Counter[str]()
    for k in range(1, len(findings.times_ns)):
        elapsed_s = (findings.times_ns[k] - findings.times_ns[k - 1]) / NS_PER_S
        hours += len(findings.flags[k]) * min(elapsed_s, _LONGEST_GAP_S) / 3600.0
        for arc, flags in findings.flags[k].items():
            began = flags & ~findings.flags[k - 1].get(arc, 0)
            names = [str(one.name) for one in Flag if one & began]
            every.update(names)
            if findings.elevation_rad[k][arc] > _HIGH_RAD:
                high.update(names)
        every[STUCK] += len(findings.stuck[k] - findings.stuck[k - 1])
    return hours, every, high


def planned(
    kind: Kind,
    size: tuple[float, ...],
    clean: Findings,
    names: Sequence[str],
    rng: np.random.Generator,
    spacing: Spacing,
    taken: set[Arc],
) -> list[Fault]:
    """Return faults of one kind spread over a run, none twice at the same arc.

    Args:
        kind: Of faults.
        size: See :class:`Kind`.
        clean: Run without faults; only arcs that are seen, and clean, a minute before and after are hit.
        names: Stations in the order of their indexes.
        rng: Chooses arcs, or stations for faults of stations.
        spacing: When.
        taken: Arcs that other faults of the run have hit; those of the result are added.
    """
    around_ns = round(_WITHIN_S * NS_PER_S)
    at_ns = clean.times_ns[0] + round(spacing.warm_s * NS_PER_S)
    faults: list[Fault] = []
    while at_ns + around_ns <= clean.times_ns[-1] and len(faults) < spacing.most:
        start_ns = min(time_ns for time_ns in clean.times_ns if time_ns >= at_ns)
        lately = {one.station for one in faults if kind in OF_STATIONS and start_ns - one.start_ns <= around_ns}
        free = [
            arc
            for arc in targets(clean, start_ns - around_ns, start_ns + around_ns)
            if arc not in taken and names[arc[0]] not in lately
        ]
        if free:
            station, satellite = free[int(rng.integers(len(free)))]
            taken.add((station, satellite))
            faults.append(Fault(kind, names[station], EVERY if kind in OF_STATIONS else satellite, start_ns, size))
        at_ns += round(spacing.every_s * NS_PER_S)
    return faults
