"""The network solution at 1 Hz with four systems, from RTCM bytes to the field: stations per core, clusters or not.

Times are those of the processor. Large networks are copies of the recorded stations of sim-city, moved over the
country: what the models compute at the new place less what they compute at the old one is added to the observations,
so noise, delays and slips are those that were recorded (the same in every copy, which costs the same).

``python -m pytest tests/bench/bench_network.py -o python_files='bench_*.py' -s -q`` (some minutes; one size:
``-k 203``).
"""

import os
import time
from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.edge.settings import load_network
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import NetworkSolved, PayloadArrived
from models.clusters import ClusterPolicy
from models.ephemeris import EphemerisStore
from models.observables import observables
from models.reduction import reduce_epoch
from stations.catalog import Station
from stations.constants import NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.edge.files import load_observations
from stations.edge.recordings import load_ephemerides
from stations.epoch import make_epoch
from stations.frames import ecef_from_geodetic, geodetic_from_ecef
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch

pytestmark = pytest.mark.data

WARM_S, WARM_STEP_S = 180, 10  # until integers are held, at a rate that costs less
MEASURED_S = 20  # at 1 Hz: four updates of every filter
SPACING_DEG = (0.7, 1.15)  # of the copies: 78 km
NEAR_S = 5400
ONE_FILTER = ClusterPolicy(alone=1000)


def recorded(shared_data):
    """Return the network of sim-city, its ephemerides and its station epochs by second."""
    folder = shared_data / "sim-city"
    network = load_network(folder / "network.toml").network
    epochs = {}
    for station in network.stations:
        paths = [path for pattern in station.observations for path in sorted(folder.glob(pattern))]
        for epoch in load_observations(paths).epochs:
            epochs.setdefault(epoch.time_ns, {})[station.id] = epoch
    start_ns = min(epochs)
    # A store keeps the newest of a satellite, and those of the evening are of no use in the morning.
    near = [one for one in load_ephemerides(network) if abs(one.toe_ns - start_ns) <= NEAR_S * NS_PER_S]
    return network, near, epochs


def moved_point(position_m, number):
    """Return a station's position in a copy of the network; the copies fill a grid from its south-west on."""
    latitude, longitude, height = geodetic_from_ecef(np.array(position_m)).tolist()
    row, column = divmod(number, 6)
    degrees = np.array([row, column]) * SPACING_DEG
    return ecef_from_geodetic(latitude + np.radians(degrees[0]), longitude + np.radians(degrees[1]), height)


def moved_epoch(epoch, ephemerides, from_m, to_m):
    """Return what a station would have observed elsewhere, of satellites that have an orbit."""
    raw = observables(epoch)
    here, there = (reduce_epoch(raw, ephemerides, point, None) for point in (from_m, to_m))
    satellites = np.intersect1d(here.satellite, there.satellite)
    # Less computed at the old place, plus computed at the new one: raw minus (raw minus computed).
    change_m = here.rows(np.isin(here.satellite, satellites)).code_m[0]
    change_m = change_m - there.rows(np.isin(there.satellite, satellites)).code_m[0]
    kept = epoch.rows(np.isin(epoch.satellite, satellites))
    shift_m = change_m[np.searchsorted(satellites, kept.satellite)]
    return make_epoch(
        kept.time_ns,
        kept.satellite,
        kept.signal,
        kept.pseudorange_m + shift_m,
        kept.phase_cyc + shift_m * kept.frequency_hz / SPEED_OF_LIGHT_M_S,
        kept.cn0_dbhz,
        kept.lock_ms,
        kept.half_cycle,
    )


def payloads(network, copies, ephemerides, epochs):
    """Return the large network and its bytes: a list of ``(time_ns, [(station, payload)])``."""
    store = EphemerisStore()
    for one in ephemerides:
        store.add(one)
    stations = [
        Station(f"{station.id}-{number:02d}", tuple(moved_point(station.position_m, number).tolist()))
        for number in range(copies)
        for station in network.stations
    ]
    large = replace(network, stations=tuple(stations), antennas="", navigation=())
    start_ns = min(epochs)
    seconds = [*range(0, WARM_S, WARM_STEP_S), *range(WARM_S, WARM_S + MEASURED_S)]
    # What RTCM carries is the phase near the pseudorange.
    aligners = {station.id: PhaseAligner() for station in stations}
    result = []
    for second in seconds:
        time_ns = start_ns + second * NS_PER_S
        used = store.selection(time_ns)
        moment = []
        for number in range(copies):
            for station in network.stations:
                epoch = epochs.get(time_ns, {}).get(station.id)
                if epoch is None:
                    continue
                new_m = moved_point(station.position_m, number)
                there = moved_epoch(epoch, used, station.marker_m, new_m)
                first = ephemerides if not result and not moment else ()
                name = f"{station.id}-{number:02d}"
                moment.append((name, encode_station_epoch(1, aligners[name].align(there), ephemerides=first)))
        result.append((time_ns, moment))
    return large, result


def measure(network, moments, clusters):
    """Return seconds of processor per measured epoch, their largest, and the last snapshot."""
    engine = Engine(EngineConfig(network, None, moments[0][0], clusters=clusters))
    spent = []
    for time_ns, moment in moments:
        begin = time.process_time()
        outputs = [one for name, data in moment for one in engine.handle(PayloadArrived(name, data, time_ns))]
        spent.append(time.process_time() - begin)
        assert len(engine.snapshot.observations)
        assert any(isinstance(one, NetworkSolved) for one in outputs)
    return np.array(spent[-MEASURED_S:]), engine.snapshot


@pytest.fixture(scope="module")
def city(shared_data):
    return recorded(shared_data)


LARGE = pytest.param(29, marks=pytest.mark.skipif("CI" in os.environ, reason="takes minutes; run it by hand"))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("copies", [1, 2, LARGE], ids=lambda copies: f"{7 * copies}")
def test_stations_per_core(city, copies):
    network, moments = payloads(city[0], copies, city[1], city[2])
    sizes = {"clusters": ClusterPolicy()}
    if copies == 2:
        sizes["one filter"] = ONE_FILTER
    mean_s = {}
    for name, clusters in sizes.items():
        spent_s, snapshot = measure(network, moments, clusters)
        mean_s[name] = spent_s.mean()
        count = len(network.stations)
        members = sum(len(part.state.stations) for part in snapshot.parts)
        rows = sum(len(part.observations) for part in snapshot.parts)
        agreed = f", {len(snapshot.levels.contradictions)} contradictions" if snapshot.levels else ""
        print(
            f"\n{count} stations, {len(snapshot.parts)} {name} ({members} memberships, {rows} rows, "
            f"{snapshot.fixed_share:.1%} fixed{agreed}): {1e3 * mean_s[name]:.0f} ms a network epoch "
            f"(largest {1e3 * spent_s.max():.0f}), {1 / mean_s[name]:.1f} epochs/s, "
            f"{count / mean_s[name]:.0f} stations on a core at 1 Hz"
        )
    if len(mean_s) > 1:
        print(f"one filter over clusters: {mean_s['one filter'] / mean_s['clusters']:.1f} times")
