"""Wrong station coordinates: how often and how soon they are found, who is blamed, and false alarms.

``python -m pytest tests/bench/bench_coordinates.py -o python_files='bench_*.py' -s -q`` (ten minutes; one set:
``-k night``). Every set starts anew at each full hour; the declared coordinate of one station is off from the start.
"""

import os
import time
from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from gpsgrid.edge.settings import load_network
from gpsgrid.ingest import Ingest
from gpsgrid.solver import without_wrong_orbits
from models.coordinates_monitor import MonitorPolicy, Verdict, init, step
from models.observables import observables
from models.reduction import reduce_epoch
from stations.align import EpochAssembler
from stations.constants import NS_PER_S
from stations.edge.recordings import load_antennas, load_recording
from stations.frames import enu_rotation_at

pytestmark = pytest.mark.data

SETS = {
    "night": "nl-2021-001/night.toml",
    "evening": "nl-2021-001/evening.toml",
    "city": "sim-city/network.toml",
    "regional": "sim-regional/network.toml",
    "sparse": "sim-sparse/network.toml",
    "storm": "sim-storm/network.toml",
}
SIZES_M = (0.05, 0.10, 0.20, 0.30)
LONGEST_S = 2 * 3600  # a run: what has not been found by then counts as missed
FRESH_S = 3600  # a run starts this often


def reduced_epochs(file, interval_s=60.0):
    """Return the network and its reduced epochs, at most one per interval: ``(time_ns, {station: Reduced})``."""
    network = load_network(file).network
    antennas = load_antennas(network)
    recording = load_recording(network, antennas=antennas)
    calibration = {
        one.id: antennas.find(one.antenna, one.antenna_serial) if antennas is not None and one.antenna else None
        for one in network.stations
    }
    ingest = Ingest(recording.times_ns[0])
    assembler = EpochAssembler(frozenset(one.id for one in network.stations), 300_000_000)
    last_ns, epochs = 0, []
    for time_ns in recording.times_ns:
        closed = assembler.tick(time_ns)
        for name, payload in recording.payloads(time_ns):
            found, _ = ingest.push(name, payload, time_ns)
            for epoch in found:
                closed += assembler.push(name, epoch, time_ns)
        for one in closed:
            if one.time_ns - last_ns < interval_s * NS_PER_S:
                continue
            last_ns = one.time_ns
            ephemerides = ingest.ephemerides.selection(one.time_ns)
            reduced = {}
            for name, observations in one.stations.items():
                raw = observables(observations)
                if len(raw.satellite):
                    point_m = network.station(name).reference_point_m
                    reduced[name] = reduce_epoch(raw, ephemerides, point_m, calibration[name])
            epochs.append((one.time_ns, without_wrong_orbits(reduced)[0]))
    return network, epochs


def moved(reduced, shift_m):
    """Return the observations as if the declared coordinate were off by ``shift_m``, ECEF: linear to a micrometre."""
    change = reduced.unit @ shift_m
    return replace(reduced, code_m=reduced.code_m + change, phase_m=reduced.phase_m + change)


def watch(network, epochs, policy, wrong="", shift_m=None, until_found=True):
    """Run a fresh monitor; return seconds to the first wrong verdict, the stations so judged, and the last verdicts."""
    names = tuple(one.id for one in network.stations)
    state = init(policy, names, np.array([one.marker_m for one in network.stations]))
    start_ns = epochs[0][0]
    blamed, first_s, info = set(), None, None
    for time_ns, right in epochs:
        reduced = right | {wrong: moved(right[wrong], shift_m)} if wrong in right else right
        state, info = step(policy, state, reduced, time_ns)
        if info.of(Verdict.WRONG):
            blamed |= set(info.of(Verdict.WRONG))
            first_s = first_s if first_s is not None else (time_ns - start_ns) / NS_PER_S
            if until_found:
                break
    return first_s, blamed, info


def starts(epochs):
    """Return slices that begin every hour and last at most ``LONGEST_S``; the last may be as short as an hour."""
    begin_ns, end_ns = epochs[0][0], epochs[-1][0]
    result = []
    at_ns = begin_ns
    while at_ns == begin_ns or end_ns - at_ns >= FRESH_S * NS_PER_S:
        result.append([one for one in epochs if at_ns <= one[0] <= at_ns + LONGEST_S * NS_PER_S])
        at_ns += FRESH_S * NS_PER_S
    return result


def table(name, network, epochs, policy=None, stations=None):
    """Print detection by size and direction, and false alarms."""
    policy = policy or MonitorPolicy()
    parts = starts(epochs)
    started = time.perf_counter()
    alarms, hours, suspicious, steps = 0, 0.0, 0, 0
    for part in [epochs, *parts]:
        state = init(policy, tuple(s.id for s in network.stations), np.array([s.marker_m for s in network.stations]))
        for time_ns, reduced in part:
            state, info = step(policy, state, reduced, time_ns)
            alarms += sum(v.verdict is Verdict.WRONG for v in info.judgements.values())
            suspicious += sum(v.verdict is Verdict.SUSPICIOUS for v in info.judgements.values())
            steps += 1
        hours += len(network.stations) * (part[-1][0] - part[0][0]) / NS_PER_S / 3600
    ms = 1e3 * (time.perf_counter() - started) / steps
    print(f"\n{name}: right coordinates, {hours:.0f} station-hours: wrong {alarms / 60:.2f} h, ", end="")
    print(f"suspicious {suspicious / 60:.2f} h; {ms:.1f} ms a step of {len(network.stations)} stations")
    for size_m in SIZES_M:
        for axis in range(3):
            found, blamed_other, total, seconds = 0, 0, 0, []
            for station in network.stations[:: max(1, len(network.stations) // 5)]:
                shift_m = size_m * enu_rotation_at(station.marker_m)[axis]
                for part in parts:
                    first_s, blamed, _ = watch(network, part, policy, station.id, shift_m)
                    total += 1
                    found += station.id in blamed
                    blamed_other += bool(blamed - {station.id})
                    if station.id in blamed:
                        seconds.append(first_s)
            row = f"  {100 * size_m:3.0f} cm {'ENU'[axis]}: found {found:3d}/{total:3d}, other blamed {blamed_other}"
            if seconds:
                row += f", median {median(seconds) / 60:.0f} min, nine of ten {np.quantile(seconds, 0.9) / 60:.0f} min"
            print(row)


# All sets take five minutes; CI has the first, which must always run.
@pytest.mark.parametrize("name", ["night"] if "CI" in os.environ else SETS)
def test_detection(shared_data, name):
    network, epochs = reduced_epochs(shared_data / SETS[name])
    table(name, network, epochs)
