"""The width of the ionosphere's prior follows what the ionosphere does, and only that."""

import numpy as np
import pytest

from models import ionosphere_activity as activity
from models import network
from models.network_state import NetworkPolicy, init, ionosphere_prior_m2, widened
from models.observables import ionosphere_factor

STATIONS, SATELLITES = 5, 8
COUNT = STATIONS * SATELLITES
STATION, SATELLITE = np.divmod(np.arange(COUNT), SATELLITES)
WAVELENGTH_M = np.repeat([[0.190293673], [0.244210213]], COUNT, axis=1)


def test_clocks_carrier_biases_and_what_all_stations_see_are_no_activity():
    rng = np.random.default_rng(1)
    mu = ionosphere_factor(WAVELENGTH_M)
    common = rng.normal(0.0, 5.0, SATELLITES)[SATELLITE]
    receiver = rng.normal(0.0, 1e4, (2, STATIONS))[:, STATION]  # of every carrier its own
    change = receiver - mu * common
    moved = activity.moved_m(change, WAVELENGTH_M, np.full(COUNT, 1.5), STATION, SATELLITE, np.ones(COUNT, bool))
    assert np.abs(moved).max() < 1e-8


def test_a_delay_of_one_arc_is_seen_in_zenith_metres_and_a_slip_is_not():
    mu = ionosphere_factor(WAVELENGTH_M)
    zenith, slant = np.zeros(COUNT), np.linspace(1.0, 3.0, COUNT)
    zenith[11], zenith[30] = 0.04, 2.0
    use = np.arange(COUNT) != 30
    moved = activity.moved_m(-mu * zenith * slant, WAVELENGTH_M, slant, STATION, SATELLITE, use)
    assert moved[11] == pytest.approx(0.04, abs=1e-4)
    assert moved[30] == 0.0


@pytest.mark.parametrize("interval_s", [1.0, 5.0, 30.0])
def test_the_expected_drift_is_that_of_a_simulated_ionosphere(interval_s):
    """A Gauss-Markov process with the prior drifts as much as `expected_m` says, whatever the rate of the data."""
    rng = np.random.default_rng(7)
    policy = NetworkPolicy()
    place = np.array([[0.0, 0, 0], [5e4, 0, 0], [0, 6e4, 0], [7e4, 7e4, 0], [-4e4, 2e4, 0]])
    prior = ionosphere_prior_m2(policy, place)
    root = np.linalg.cholesky(prior)
    decay = np.exp(-interval_s / policy.ionosphere_tau_s)
    arcs = 4000
    value, drift, squares = root @ rng.normal(size=(STATIONS, arcs)), np.zeros((STATIONS, arcs)), []
    for k in range(round(400 / interval_s)):
        last, value = value, decay * value + np.sqrt(1 - decay**2) * root @ rng.normal(size=(STATIONS, arcs))
        moved = value - last
        drift = activity.step(drift, moved - moved.mean(axis=0), np.full(arcs, interval_s))
        if k * interval_s > 250:
            squares.append(np.mean(drift**2))
    found = np.sqrt(np.mean(squares))
    # Of an epoch as long as the memory the discrete filter keeps less.
    keep = np.exp(-interval_s / activity.MEMORY_S)
    discrete = keep**2 / (1 - keep**2) * 2 * interval_s / activity.MEMORY_S
    expected = activity.expected_m(prior, policy.ionosphere_tau_s)
    assert found == pytest.approx(expected * np.sqrt(discrete), rel=0.05)
    assert 0.7 < found / expected < 1.05


def test_the_prior_widens_at_once_and_narrows_slowly():
    calm, storm = np.full(20, 0.002), np.tile([0.05, -0.05], 10)
    assert activity.scale(1.0, calm, 0.003, 5.0) == 1.0
    wide = activity.scale(1.0, storm, 0.003, 5.0)
    assert wide == pytest.approx(1.4826 * 0.05 / 0.009, rel=0.02)
    assert wide > activity.scale(wide, calm, 0.003, 60.0) > 0.9 * wide
    assert activity.scale(1.0, np.full(20, 100.0), 0.003, 5.0) == 10.0


def test_one_bad_satellite_or_too_few_arcs_say_nothing():
    drift = np.full(20, 0.002)
    drift[:4] = 1.0
    assert activity.scale(1.0, drift, 0.003, 5.0) == 1.0
    assert activity.scale(1.0, np.full(3, 1.0), 0.003, 5.0) == 1.0
    assert activity.scale(1.0, np.full(20, 1.0), 0.0, 5.0) == 1.0
    assert activity.expected_m(np.zeros((0, 0)), 7200.0) == 0.0


def test_a_wider_prior_doubts_what_was_learned_and_a_narrower_one_does_not(make_world):
    world, policy = make_world(3), NetworkPolicy()
    state = init(policy, world.names, world.station_m)
    for _ in range(3):
        time_ns, epochs = world.epoch()
        state, _ = network.step(policy, state, epochs, time_ns)
    wide = widened(policy, state, state.ionosphere_scale + 3.0)
    grown = np.diagonal(wide.covariance) - np.diagonal(state.covariance)
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    more = wide.ionosphere_scale**2 - state.ionosphere_scale**2
    np.testing.assert_allclose(grown[index], more * policy.ionosphere_sd_m**2, rtol=1e-9)
    assert not np.delete(grown, index).any()
    assert widened(policy, wide, 1.0).covariance is wide.covariance


def test_a_network_in_a_storm_finds_out_and_keeps_its_integers(make_world):
    """Ionospheres that drift apart by a millimetre a second neither surprise the filter nor cost it its integers."""
    world, policy = make_world(4, epoch_s=5.0), NetworkPolicy()
    away = world.station_m - world.station_m.mean(axis=0)
    gradients = np.random.default_rng(5).normal(size=(3, len(world.satellites)))
    rates = away @ gradients
    rates *= 1e-3 / rates.std()
    state, shares = init(policy, world.names, world.station_m), []
    for k in range(240):
        world.zenith_ionosphere_m = world.zenith_ionosphere_m + rates * world.epoch_s * (k > 60)
        time_ns, epochs = world.epoch()
        state, info = network.step(policy, state, epochs, time_ns)
        shares.append(info.fixed_share)
    assert state.ionosphere_scale > 2.0
    assert np.mean(shares[120:]) > 0.9
    estimate = np.stack([state.mean[state.ionosphere_index(np.arange(len(state.arc_station))) + b] for b in (1, 2)])
    wrong = ((estimate - world.true_integers(state)) @ info.basis.T)[:, info.fixed]
    assert np.abs(wrong).max() < 0.02
