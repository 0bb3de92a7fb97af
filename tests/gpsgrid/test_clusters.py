"""A recorded network as two overlapping filters: integers, answers, restart, and stations that come and go."""

from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.events import NetworkChanged, NetworkTaken
from gpsgrid.saved_state import decode_state, encode_state
from models.clusters import ClusterPolicy
from stations.errors import GpsgridError
from stations.gpstime import from_calendar

pytestmark = pytest.mark.data

SIZES = ClusterPolicy(alone=2, core=2, overlap=1)
CALENDAR_NS = from_calendar(2026, 1, 1)
FROM = 26


@pytest.fixture(scope="module")
def settled(night):
    """An engine of two clusters after 13 minutes; only to be looked at."""
    engine = night.engine(clusters=SIZES)
    night.feed(engine, 0, FROM)
    return engine


def _names(engine):
    return sorted(station.id for station in engine.config.network.stations)


def test_every_station_is_in_one_core_and_in_the_picture(settled):
    snapshot = settled.snapshot
    assert len(snapshot.clusters) == 2
    assert sorted(name for part in snapshot.parts for name in part.core) == _names(settled)
    assert sorted(snapshot.reduced) == sorted(snapshot.coordinates.judgements) == _names(settled)
    assert all(len(part.state.stations) == 3 for part in snapshot.parts)
    assert snapshot.fixed_share > 0.9


def test_the_clusters_hold_the_same_integers(settled):
    """At the two stations that both hold, real data, filters that know nothing of each other."""
    levels = settled.snapshot.levels
    assert levels.compared >= 6
    assert levels.contradictions == ()


def test_a_place_is_served_by_the_cluster_of_its_nearest_station(night, settled):
    snapshot = settled.snapshot
    for station in night.network.stations:
        assert station.id in snapshot.near(station.marker_m).core
    answer = night.ask(settled, FROM - 1)
    part = snapshot.near(night.rover_m)
    assert answer.refusal is None
    assert answer.master in part.core
    # Code alone is metres off; a wrong integer decimetres.
    assert np.linalg.norm(answer.position_m - night.rover_m) < 0.1


def test_a_restart_goes_on_bit_for_bit(night, settled):
    """All clusters are in the file; the next epoch is what it would have been."""
    state = decode_state(encode_state(settled.saved_state(CALENDAR_NS)))
    assert len(state.solvers) == 2
    engine, other = (night.engine(clusters=SIZES, near_ns=CALENDAR_NS) for _ in range(2))
    restored = engine.restore(state)
    assert restored.arcs == sum(len(part.state.arc_station) for part in settled.snapshot.parts)
    night.feed(engine, FROM, FROM + 1)
    night.feed(other, 0, FROM + 1)
    for one, two in zip(engine.snapshot.parts, other.snapshot.parts, strict=True):
        assert one.core == two.core
        # The ephemerides of the file come in another order; nothing else may differ.
        np.testing.assert_allclose(one.state.mean, two.state.mean, rtol=0.0, atol=1e-6)
        assert one.info.fixed_share == two.info.fixed_share


@pytest.mark.parametrize("forged", ["missing", "twice", "stranger"])
def test_clusters_that_are_no_partition_are_refused(settled, forged):
    state = settled.saved_state(CALENDAR_NS)
    if forged == "missing":
        state = replace(state, others=())
    elif forged == "twice":
        state = replace(state, others=(state.solver,))
    else:
        core = state.others[0].core
        outside = next(name for name in _names(settled) if name not in state.others[0].network.stations)
        swapped = replace(state.others[0], core=(outside, *core[1:]))
        first = replace(state.solver, core=tuple({*state.solver.core, core[0]} - {outside}))
        state = replace(state, solver=first, others=(swapped,))
    with pytest.raises(GpsgridError, match="contradicts itself"):
        decode_state(encode_state(state))


def test_a_state_of_one_filter_goes_on_as_two_and_back(night):
    """An operator may change the sizes; stations keep their integers in the cluster that holds them."""
    one = night.engine()
    night.feed(one, 0, FROM)
    two = night.engine(clusters=SIZES, near_ns=CALENDAR_NS)
    two.restore(decode_state(encode_state(one.saved_state(CALENDAR_NS))))
    night.feed(two, FROM, FROM + 1)
    assert len(two.snapshot.clusters) == 2
    assert two.snapshot.fixed_share > 0.9
    assert two.snapshot.levels.contradictions == ()
    back = night.engine(near_ns=CALENDAR_NS)
    back.restore(decode_state(encode_state(two.saved_state(CALENDAR_NS))))
    night.feed(back, FROM + 1, FROM + 2)
    assert back.snapshot.clusters == ()
    assert sorted(back.snapshot.reduced) == _names(back)


def test_a_station_that_leaves_does_not_disturb_the_others(night):
    engine = night.engine(clusters=SIZES)
    night.feed(engine, 0, FROM)
    leaving = engine.snapshot.parts[1].core[0]
    outputs = engine.handle(NetworkChanged(night.network.without(leaving), night.antennas))
    assert any(isinstance(output, NetworkTaken) for output in outputs)
    night.feed(engine, FROM, FROM + 1, without=(leaving,))
    snapshot = engine.snapshot
    assert sorted(name for part in snapshot.parts for name in part.core) == sorted(set(_names(engine)))
    assert leaving not in snapshot.reduced
    assert max(part.state.arc_epochs.max() for part in snapshot.parts) > FROM - 4
