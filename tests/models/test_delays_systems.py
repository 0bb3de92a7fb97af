"""What stations on other carriers than the rest hand to the field, which knows one offset per satellite."""

import numpy as np

from gpsgrid.solver import RECEIVERS, field_observations
from models import network
from models.atmosphere import station_delays
from models.network_state import NetworkPolicy, init

POLICY = NetworkPolicy()


def _observations(world, epochs=20):
    """Return delays and the field's observations of them, with the true slant delays of their rows."""
    state = init(POLICY, world.names, world.station_m)
    for _ in range(epochs):
        time_ns, reduced = world.epoch()
        state, info = network.step(POLICY, state, reduced, time_ns)
    delays = station_delays(state, info)
    observations = field_observations(state, delays, reduced)
    column = np.searchsorted(world.satellites, delays.satellite)
    truth_m = observations.points.slant_factor * world.zenith_ionosphere_m[delays.station, column]
    return delays, observations, truth_m


def _worst_sigma(observations, truth_m):
    """Return the largest residual in sigmas when one offset per satellite and receiver is fitted to the errors."""
    receivers, left = np.unique(observations.station, return_inverse=True)
    satellites, right = np.unique(observations.points.satellite, return_inverse=True)
    design = np.hstack([np.eye(len(receivers))[left], np.eye(len(satellites))[right]])
    white = 1 / np.sqrt(observations.noise_var_m2)
    error = (observations.value_m - truth_m) * white
    solution = np.linalg.lstsq(design * white[:, None], error, rcond=1e-12)[0]
    return np.abs(error - design @ solution * white).max()


def test_offsets_of_satellites_and_receivers_explain_all(make_worlds):
    """Three systems: what separates rows from the truth is one number per satellite and one per receiver."""
    worlds = make_worlds(5)
    state = init(POLICY, worlds.names, worlds.station_m)
    for _ in range(20):
        time_ns, reduced = worlds.epoch()
        state, info = network.step(POLICY, state, reduced, time_ns)
    delays = station_delays(state, info)
    observations = field_observations(state, delays, reduced)
    truth_m = np.zeros(len(delays.station))
    for part in worlds.parts:
        ours = np.isin(delays.satellite, part.satellites)
        column = np.searchsorted(part.satellites, delays.satellite[ours])
        truth_m[ours] = part.zenith_ionosphere_m[delays.station[ours], column]
    truth_m = truth_m * observations.points.slant_factor
    assert len(np.unique(observations.station)) == 4 * 3
    np.testing.assert_array_equal(observations.station // RECEIVERS, delays.station)
    assert _worst_sigma(observations, truth_m) < 5.0


def test_two_codes_of_one_station_are_two_receivers(make_world):
    """Half of the satellites on L2L: the datum of their integers is another, and has an offset of its own."""
    world = make_world(5, slots=3)
    world.track("2L", np.s_[4, ::2])
    delays, observations, truth_m = _observations(world)
    assert len(np.unique(observations.station[delays.station == 4])) == 2
    assert _worst_sigma(observations, truth_m) < 5.0
    observations.station[:] = delays.station
    assert _worst_sigma(observations, truth_m) > 10.0  # the offsets are needed


def test_a_lone_station_on_l1_and_l5_does_not_mislead(make_world):
    """Nothing ties the datum of its satellites to that of the others: its rows are left out."""
    world = make_world(6, slots=3)
    world.track("5Q", np.s_[4, :])
    delays, observations, truth_m = _observations(world)
    assert _worst_sigma(observations, truth_m) < 5.0
    assert np.count_nonzero(delays.station != 4) == 4 * 8


def test_a_satellite_on_l1_and_l5_at_some_stations(make_world):
    """Two stations track one satellite on L5 only: as many rows as can be compared, none of them misleading."""
    world = make_world(8, slots=3)
    world.track("5Q", np.s_[3:, 4])
    delays, observations, truth_m = _observations(world)
    assert _worst_sigma(observations, truth_m) < 5.0
    changed = delays.satellite == world.satellites[4]
    assert set(delays.station[changed]) >= {0, 1, 2}
    assert np.count_nonzero(~changed) == 5 * 7
