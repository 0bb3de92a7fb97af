"""Partition of networks into overlapping clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clusters import ClusterPolicy, clusters_of

POLICY = ClusterPolicy()


def _network(count, seed=1):
    """Return stations scattered over 600 km on a sphere."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(-0.05, 0.05, (count, 2))
    up = np.stack([np.cos(angle[:, 0]) * np.cos(angle[:, 1]), np.sin(angle[:, 1]), np.sin(angle[:, 0])], axis=1)
    return 6_371_000.0 * up / np.linalg.norm(up, axis=1)[:, None]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 12])
def test_a_small_network_is_one_cluster(count):
    """What one filter carries is not cut."""
    clusters = clusters_of(POLICY, _network(count))
    assert [cluster.core for cluster in clusters] == ([tuple(range(count))] if count else [])
    assert all(cluster.members == cluster.core for cluster in clusters)


@settings(max_examples=40, deadline=None)
@given(st.integers(13, 220), st.integers(0, 1000))
def test_every_station_has_one_home(count, seed):
    """Cores are a partition, small enough; members are the core and its nearest neighbours."""
    station_m = _network(count, seed)
    clusters = clusters_of(POLICY, station_m)
    assert sorted(station for cluster in clusters for station in cluster.core) == list(range(count))
    for cluster in clusters:
        assert 3 <= len(cluster.core) <= POLICY.core
        assert len(cluster.members) == len(cluster.core) + POLICY.overlap
        outside = [k for k in range(count) if k not in cluster.members]
        neighbours = [k for k in cluster.members if k not in cluster.core]
        nearest = np.linalg.norm(station_m[:, None] - station_m[list(cluster.core)], axis=2).min(axis=1)
        assert nearest[neighbours].max() <= nearest[outside].min()


def test_two_hundred_stations_are_in_few_filters():
    """The copies that overlap makes stay below 60 %."""
    clusters = clusters_of(POLICY, _network(200))
    assert len(clusters) == 34
    assert sum(len(cluster.members) for cluster in clusters) < 1.6 * 200


def test_the_order_of_nothing_matters_twice():
    """The same network gives the same clusters."""
    assert clusters_of(POLICY, _network(50)) == clusters_of(POLICY, _network(50))


def test_leaving_and_joining_change_the_neighbourhood_only():
    """A station less or more: every core elsewhere is the same stations."""
    station_m = _network(60)
    before = [cluster.core for cluster in clusters_of(POLICY, station_m)]
    left = [tuple(k if k < 17 else k - 1 for k in core if k != 17) for core in before]
    after = [cluster.core for cluster in clusters_of(POLICY, np.delete(station_m, 17, axis=0), left)]
    assert sorted(after) == sorted(core for core in left if core)

    joined = [cluster.core for cluster in clusters_of(POLICY, np.vstack([station_m, _network(1, 5)]), before)]
    changed = set(before) - set(joined)
    assert len(changed) <= 1
    assert sorted(k for core in joined for k in core) == list(range(61))
    assert max(len(core) for core in joined) <= POLICY.core


def test_a_core_that_is_gone_leaves_nothing_behind():
    """Cores that lost all of their stations are no clusters."""
    station_m = _network(20)
    cores = [cluster.core for cluster in clusters_of(POLICY, station_m)]
    again = clusters_of(POLICY, station_m, [*cores, ()])
    assert [cluster.core for cluster in again] == cores
