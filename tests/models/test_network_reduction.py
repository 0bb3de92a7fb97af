"""All stations of a recorded epoch at once against one at a time."""

from dataclasses import fields, replace

import numpy as np
import pytest

from gpsgrid.edge.settings import load_network
from models.ephemeris import EphemerisStore
from models.network_reduction import reduce_stations, site
from models.observables import network_observables, observables
from models.reduction import reduce_epoch
from stations.edge.files import load_navigation, load_observations
from stations.edge.recordings import load_antennas

pytestmark = pytest.mark.data


@pytest.fixture(scope="module", params=["sim-city/network.toml", "nl-2021-001/night.toml"])
def world(request, shared_data):
    """Network, calibrations, ephemerides and a network epoch."""
    network = load_network(shared_data / request.param).network
    antennas = load_antennas(network)
    folder = shared_data / request.param.split("/")[0]
    sites, epochs = {}, {}
    for station in network.stations:
        found = antennas.find(station.antenna, station.antenna_serial) if antennas and station.antenna else None
        sites[station.id] = site(station.reference_point_m, found)
        paths = sorted(path for pattern in station.observations for path in folder.glob(pattern))
        epochs[station.id] = load_observations(paths[:1]).epochs[40]
    store = EphemerisStore()
    for pattern in network.navigation:
        for path in folder.glob(pattern):
            for ephemeris in load_navigation([path]):
                store.add(ephemeris)
    return sites, epochs, store.selection(epochs[network.stations[0].id].time_ns)


def _same(one, two, tolerance):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if field.name == "raw":
            _same(a, b, 0.0)
        else:
            np.testing.assert_allclose(a, b, rtol=0.0, atol=tolerance, err_msg=field.name)


def test_observables_of_all_stations_are_those_of_each(world):
    """One pass over all rows chooses the same carriers, bit for bit, time tags of their own included."""
    _, epochs, _ = world
    first, *others = epochs
    epochs = epochs | {first: replace(epochs[first], time_ns=epochs[first].time_ns + 3)}
    joint = network_observables(epochs)
    assert list(joint) == [first, *others]
    for name, epoch in epochs.items():
        _same(joint[name], observables(epoch), 0.0)


def test_reductions_of_all_stations_are_those_of_each(world):
    """The same rows and, to ten nanometres in ranges of 2e7 m, the same numbers."""
    sites, epochs, ephemerides = world
    late = next(iter(epochs))
    epochs = epochs | {late: replace(epochs[late], time_ns=epochs[late].time_ns + 400_000)}
    raws = network_observables(epochs)
    together = reduce_stations(raws, ephemerides, sites)
    assert list(together) == list(epochs)
    for name, raw in raws.items():
        alone = reduce_epoch(raw, ephemerides, sites[name].reference_point_m, sites[name].calibration)
        assert len(alone.satellite) > 5
        _same(together[name], alone, 1e-8)


def test_nothing_is_known(world):
    """Without ephemerides every station is there, without rows; without stations there is nothing."""
    sites, epochs, _ = world
    reduced = reduce_stations(network_observables(epochs), {}, sites)
    assert [len(one.satellite) for one in reduced.values()] == [0] * len(epochs)
    assert reduce_stations(network_observables({}), {}, sites) == {}
