"""The detection table: which test finds which injected fault how soon, and what the tests say of untouched data.

``python -m tests.models.detection_table [night|city] ...``, from the root of the repository with the recorded networks
in ``../shared/data``; some minutes a set. Both sets by default, and the watch over coordinates with the night.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.edge.settings import load_network
from gpsgrid.solver import reduced_network
from models.coordinates_monitor import MonitorPolicy, Verdict
from models.coordinates_monitor import init as watch_init
from models.coordinates_monitor import step as watch_step
from models.ephemeris import EphemerisStore
from models.network_reduction import site
from models.network_state import NetworkPolicy
from replay.detection import Spacing, alarms, collateral, outcome, planned, run
from replay.faults import OF_STATIONS, Kind, inject
from stations.align import NetworkEpoch
from stations.constants import NS_PER_S
from stations.edge.recordings import load_antennas, load_ephemerides, load_station
from stations.frames import enu_rotation_at
from stations.glonass_channels import channels_of
from tests.conftest import SHARED_DATA

POLICY = NetworkPolicy()
_TICK_NS = 10_000_000
_NEAR_S = 5400


@dataclass(frozen=True)
class Set:
    """A recorded network and how it is used: file, window, when faults come, how many kinds of faults share a run."""

    file: str
    from_s: float
    long_s: float
    of_arcs: Spacing
    of_stations: Spacing
    at_once: int


SETS = {
    "night": Set("nl-2021-001/night.toml", 7200.0, 3600.0, Spacing(600.0, 60.0, 45), Spacing(600.0, 180.0, 45), 1),
    "city": Set("sim-city/network.toml", 0.0, 330.0, Spacing(130.0, 4.0, 45), Spacing(130.0, 18.0, 45), 3),
}

FAULTS = (
    (Kind.REPORTED_SLIP, (1.0, 1.0)),
    (Kind.SLIP, (1.0, 0.0)),
    (Kind.SLIP, (0.0, 1.0)),
    (Kind.SLIP, (1.0, 1.0)),
    (Kind.SLIP, (4.0, 3.0)),
    (Kind.SLIP, (9.0, 7.0)),
    (Kind.SLIP, (50.0, -20.0)),
    (Kind.THIRD_SLIP, (1.0,)),
    (Kind.SLIP, (0.5, 0.0)),
    (Kind.HALF_CYCLE, (30.0, 0.0)),
    (Kind.HALF_CYCLE, (30.0, 0.5)),
    (Kind.PHASE_SPIKE, (0.05,)),
    (Kind.PHASE_SPIKE, (0.10,)),
    (Kind.PHASE_SPIKE, (0.30,)),
    (Kind.CODE_SPIKE, (3.0,)),
    (Kind.CODE_SPIKE, (5.0,)),
    (Kind.CODE_SPIKE, (10.0,)),
    (Kind.CODE_SPIKE, (30.0,)),
    (Kind.OBSTRUCTION, (7.0, 60.0)),
    (Kind.OBSTRUCTION, (10.0, 60.0)),
    (Kind.INTERFERENCE, (6.0, 20.0)),
    (Kind.INTERFERENCE, (10.0, 20.0)),
    (Kind.STUCK, (20.0,)),
    (Kind.CLOCK_JUMP, (1.0,)),
    (Kind.CODE_CLOCK_JUMP, (1.0,)),
)


@dataclass(frozen=True)
class Recorded:
    """A window of a recorded network, ready to run."""

    names: tuple
    sites: dict
    station_m: np.ndarray
    store: EphemerisStore
    epochs: list

    def run(self, epochs=None, policy=POLICY):
        return run(policy, self.sites, self.station_m, self.store, self.epochs if epochs is None else epochs)


def recorded(one, folder=SHARED_DATA):
    """Read a window of a recorded network."""
    net = load_network(folder / one.file).network
    antennas, ephemerides = load_antennas(net), load_ephemerides(net)
    channels = channels_of(ephemerides)
    calibration = {
        s.id: antennas.find(s.antenna, s.antenna_serial) if antennas is not None and s.antenna else None
        for s in net.stations
    }
    by_time = {}
    for station in net.stations:
        for epoch in load_station(net, station, channels).epochs:
            moment = round(epoch.time_ns / _TICK_NS) * _TICK_NS
            by_time.setdefault(moment, {})[station.id] = epoch
    first_ns = min(by_time) + round(one.from_s * NS_PER_S)
    last_ns = first_ns + round(one.long_s * NS_PER_S)
    store = EphemerisStore()
    for ephemeris in sorted(ephemerides, key=lambda e: e.toe_ns):
        if -_NEAR_S <= (ephemeris.toe_ns - first_ns) / NS_PER_S <= one.long_s + _NEAR_S:
            store.add(ephemeris)
    return Recorded(
        tuple(s.id for s in net.stations),
        {s.id: site(s.reference_point_m, calibration[s.id]) for s in net.stations},
        np.array([s.marker_m for s in net.stations]),
        store,
        [(t, by_time[t]) for t in sorted(by_time) if first_ns <= t <= last_ns],
    )


# Without what looks at other stations or at the filter: what the carriers and codes of an arc say by themselves.
ALONE = replace(
    POLICY, slip_floor_m=1e9, unsteady_floor_m=1e9, innovation_limit=1e9, reset_nis=1e9, odd_sigma=1e9, conflict_cyc=1e9
)
ALONE_FAULTS = (
    (Kind.SLIP, (1.0, 0.0)),
    (Kind.SLIP, (0.0, 1.0)),
    (Kind.SLIP, (1.0, 1.0)),
    (Kind.SLIP, (9.0, 7.0)),
    (Kind.SLIP, (50.0, -20.0)),
    (Kind.THIRD_SLIP, (1.0,)),
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    kind: Kind
    size: tuple
    outcomes: tuple

    @property
    def injected(self):
        return len(self.outcomes)

    def share(self, within_s, name=""):
        """Return how many of the faults were found within a time, by one finding or any."""
        found = [one for one in self.outcomes if one.first_s <= within_s and (not name or name in one.by)]
        return len(found) / max(self.injected, 1)

    def __str__(self):
        """Return the line."""
        by = Counter(name for one in self.outcomes for name in one.by)
        found = ", ".join(f"{name.lower()} {100 * count / self.injected:.0f}" for name, count in by.most_common(5))
        size = " ".join(f"{value:g}" for value in self.size)
        slips = sum(one.slips for one in self.outcomes)
        return (
            f"{self.kind:26s} {size:8s} {self.injected:3d} {100 * self.share(0.0):6.0f} {100 * self.share(60.0):6.0f} "
            f"{slips:6d}  {found}"
        )


def measured(one, data, clean, kinds, policy=POLICY, seed=20210101):
    """Inject faults of some kinds in one run; return a row each, and how many arcs without a fault were accused."""
    first, size = kinds[0]
    rng = np.random.default_rng([seed, list(Kind).index(first), *(round(10 * abs(value)) for value in size)])
    faults, taken = [], set()
    for kind, size in kinds:
        spacing = one.of_stations if kind in OF_STATIONS else one.of_arcs
        faults.append(planned(kind, size, clean, data.names, rng, spacing, taken))
    every = [fault for some in faults for fault in some]
    found = data.run(inject(data.epochs, every, rng), policy)
    rows = [
        Row(kind, size, tuple(outcome(clean, found, data.names, fault) for fault in some))
        for (kind, size), some in zip(kinds, faults, strict=True)
    ]
    return rows, collateral(clean, found, data.names, every)


def in_runs(kinds, at_once):
    """Return which kinds share a run: faults of stations have one of their own."""
    arcs = [one for one in kinds if one[0] not in OF_STATIONS]
    return [arcs[k : k + at_once] for k in range(0, len(arcs), at_once)] + [[o] for o in kinds if o[0] in OF_STATIONS]


def table(name, faults=FAULTS, alone=ALONE_FAULTS):
    """Print the table of one set."""
    one = SETS[name]
    data = recorded(one)
    for title, policy, kinds in (("all tests", POLICY, faults), ("the signals of an arc alone", ALONE, alone)):
        begin = time.perf_counter()
        clean = data.run(policy=policy)
        print(f"\n{name}, {title}: {one.file}, {len(data.names)} stations, {len(data.epochs)} epochs, ", end="")
        print(f"{1e3 * (time.perf_counter() - begin) / len(data.epochs):.0f} ms an epoch")
        hours, every, high = alarms(clean)
        print(f"as recorded, {hours:.1f} satellite hours at stations; findings that begin, an hour (above 15 degrees):")
        for flag in every:
            print(f"  {flag.lower():20s} {every[flag] / hours:7.3f} ({high[flag] / hours:.3f}), {every[flag]} in all")
        print(f"{'fault':26s} {'size':8s} {'n':>3s} {'1 ep.%':>6s} {'60 s%':>6s} {'slips':>6s}  found by, %")
        accused = 0
        for some in in_runs(kinds, one.at_once):
            rows, others = measured(one, data, clean, some, policy)
            accused += others
            for row in rows:
                print(row, flush=True)
        print(f"arcs without a fault that were said to have slipped in these runs: {accused}")


def coordinates(sizes_m=(0.05, 0.10, 0.20, 0.30), hours=2.0):
    """Print when a wrong coordinate is suspicious, and when it is called wrong; the first hours of the night."""
    one = replace(SETS["night"], from_s=0.0, long_s=3600.0 * hours)
    data = recorded(one)
    reduced = [
        (t, reduced_network(NetworkEpoch(t, stations), data.store.selection(t), POLICY, data.sites)[0])
        for t, stations in data.epochs
        if t % (60 * NS_PER_S) == 0
    ]
    print(f"\nwrong coordinates, {one.file}, first {hours:g} h, every station; minutes, median (90 %)")
    for size_m in sizes_m:
        for axes, direction in (((0, 1), "horizontal"), ((2,), "up")):
            times = {Verdict.SUSPICIOUS: [], Verdict.WRONG: []}
            others = 0
            for station, axis in ((k, axis) for k in range(len(data.names)) for axis in axes):
                first, blamed = _watched(data, reduced, station, size_m, axis)
                for verdict, minutes in times.items():
                    minutes.append(first.get(verdict, np.inf))
                others += bool(blamed - {data.names[station]})
            parts = [
                f"{verdict}: {np.isfinite(minutes).sum()}/{len(minutes)}, {np.median(minutes):.0f} "
                f"({np.sort(minutes)[int(0.9 * (len(minutes) - 1))]:.0f})"
                for verdict, minutes in times.items()
            ]
            print(
                f"  {100 * size_m:3.0f} cm {direction:10s} {'; '.join(parts)}; another station blamed: {others}",
                flush=True,
            )


def _watched(data, reduced, station, size_m, axis):
    """Return minutes until a station is suspicious and until it is wrong, and which stations were called wrong."""
    name = data.names[station]
    shift_m = size_m * enu_rotation_at(data.station_m[station])[axis]
    state = watch_init(MonitorPolicy(), data.names, data.station_m)
    first, blamed = {}, set()
    for time_ns, epoch in reduced:
        shifted = dict(epoch)
        if name in epoch:
            one = epoch[name]
            change = one.unit @ shift_m
            shifted[name] = replace(one, code_m=one.code_m + change, phase_m=one.phase_m + change)
        state, info = watch_step(MonitorPolicy(), state, shifted, time_ns)
        verdict = info.judgements[name].verdict
        blamed |= set(info.of(Verdict.WRONG))
        for said in (Verdict.SUSPICIOUS, Verdict.WRONG):
            if verdict in (said, Verdict.WRONG):
                first.setdefault(said, (time_ns - reduced[0][0]) / NS_PER_S / 60)
        if blamed:
            break
    return first, blamed


if __name__ == "__main__":
    chosen = sys.argv[1:] or [*SETS, "coordinates"]
    for chosen_set in chosen:
        if chosen_set == "coordinates":
            coordinates()
        else:
            table(chosen_set)
