"""Overlapping clusters of one made-up world: the same integers, one level, and what a wrong integer shows."""

from dataclasses import replace

import numpy as np
import pytest

from models import network
from models.cluster_level import level_clusters, transmitters
from models.clusters import ClusterPolicy, clusters_of
from models.network_state import NetworkPolicy, init

POLICY = NetworkPolicy()
SIZES = ClusterPolicy(alone=4, core=4, overlap=3)


@pytest.fixture(scope="module")
def solved(make_worlds):
    """Eleven stations and two systems in three clusters after ten minutes, all fixed."""
    worlds = make_worlds(3, stations=11)
    clusters = clusters_of(SIZES, worlds.station_m)
    assert len(clusters) == 3
    states = [
        init(POLICY, tuple(worlds.names[k] for k in one.members), worlds.station_m[list(one.members)])
        for one in clusters
    ]
    infos = [None] * len(states)
    for _ in range(20):
        time_ns, reduced = worlds.epoch()
        for k, state in enumerate(states):
            mine = {name: reduced[name] for name in state.stations}
            states[k], infos[k] = network.step(POLICY, state, mine, time_ns)
    assert all(info.fixed_share == 1.0 for info in infos)
    return worlds, list(zip(states, infos, strict=True))


def _moved(part, station, satellite, cycles):
    """Return a cluster with the ambiguities of one arc off by whole cycles."""
    state, info = part
    arc = np.flatnonzero((state.arc_station == state.stations.index(station)) & (state.arc_satellite == satellite))
    mean = state.mean.copy()
    mean[state.ionosphere_index(arc)[0] + 1 :][:2] += cycles
    return replace(state, mean=mean), info


def test_clusters_with_true_integers_agree(solved):
    """Every shared double difference and every closed chain."""
    _, parts = solved
    levels = level_clusters(parts)
    assert levels.contradictions == ()
    assert levels.compared > 50
    assert levels.closed > 20
    assert np.isfinite(levels.level_cyc).all()


def test_levelled_ambiguities_are_integers_across_clusters(solved):
    """Double differences between stations that no cluster has in common are the true ones."""
    worlds, parts = solved
    levels = level_clusters(parts)
    rows = []
    for number, (state, _) in enumerate(parts):
        index = state.ionosphere_index(np.arange(len(state.arc_station)))
        column = np.searchsorted(levels.transmitter, transmitters(state.arc_satellite, state.arc_wavelength_m))
        levelled = np.stack([state.mean[index + 1], state.mean[index + 2]]) + levels.level_cyc[number][:, column]
        names = [worlds.names.index(name) for name in state.stations]
        truth = worlds.true_integers(replace(state, arc_station=np.array(names)[state.arc_station]))
        error = levelled - truth
        for station in np.unique(state.arc_station):
            for system in (1, 2, 3):
                mine = (state.arc_station == station) & (state.arc_satellite // 100 == system - 1)
                if mine.any():
                    # Less a receiver term: what is left is the datum of the satellites, the same everywhere.
                    order = np.argsort(state.arc_satellite[mine])
                    values = error[:, mine][:, order]
                    rows.append(((system, tuple(np.sort(state.arc_satellite[mine]))), values - values[:, :1]))
    groups = {}
    for key, values in rows:
        groups.setdefault(key, []).append(values)
    assert sum(map(len, groups.values())) > 20
    for values in groups.values():
        # Held with a thousandth of a cycle; a wrong level would be off by one.
        assert np.ptp(np.stack(values), axis=0).max() < 0.05


@pytest.mark.parametrize("cycles", [(1.0, 0.0), (1.0, 1.0), (-4.0, -3.0)])
def test_a_wrong_integer_at_a_shared_station_is_named(solved, cycles):
    """One arc of one cluster, off on one carrier or both."""
    _, parts = solved
    shared = sorted(set(parts[0][0].stations) & set(parts[1][0].stations))
    satellite = int(parts[0][0].arc_satellite[4])
    levels = level_clusters([parts[0], _moved(parts[1], shared[0], satellite, cycles), parts[2]])
    named = {(one.station, one.satellite) for one in levels.contradictions if 1 in one.clusters}
    assert (shared[0], satellite) in named
    assert {one.satellite for one in levels.contradictions} == {satellite}


def test_levels_stand_for_some_seconds(solved):
    """Between two updates of the filters nothing is compared again."""
    _, parts = solved
    levels = level_clusters(parts)
    assert level_clusters(parts, levels) is levels
    later = [(replace(state, time_ns=state.time_ns + 5_000_000_000), info) for state, info in parts]
    assert level_clusters(later, levels) is not levels
