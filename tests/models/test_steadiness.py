"""Multipath that wanders for minutes is found, does not bend the filter, and costs no integers."""

from dataclasses import replace

import numpy as np
import pytest

from models import network, steadiness
from models.network_state import NetworkPolicy, init
from models.validity import Flag

POLICY = NetworkPolicy()
STATION, SATELLITE = 2, 3


def _reflection_m(time_s, period_s, amplitude_m):
    """Return phase errors of two carriers, of one reflector a quarter turn apart, shape ``(2,)``."""
    turn = 2 * np.pi * time_s / period_s
    return amplitude_m * np.array([np.sin(turn), np.cos(turn) - 1.0])


def _run(world, seconds, state=None, error_of=None, policy=POLICY):
    """Run the filter; yield state, info and flags of the arc under test after every epoch."""
    state = init(policy, world.names, world.station_m) if state is None else state
    for k in range(round(seconds / world.epoch_s)):
        if error_of is not None:
            world.extra_phase_m[:, STATION, SATELLITE] = error_of(k * world.epoch_s)
        time_ns, epochs = world.epoch()
        state, info = network.step(policy, state, epochs, time_ns)
        yield state, info, _flags(world, state, info)
    world.extra_phase_m[:] = 0.0


def _flags(world, state, info):
    arc = info.observed.arc
    mine = (state.arc_station[arc] == STATION) & (state.arc_satellite[arc] == world.satellites[SATELLITE])
    return int(info.observed.flags[mine][0])


def _wrong(world, state, info):
    """Return how many cycles are held as other integers than the true ones."""
    first = state.ionosphere_index(np.arange(len(state.arc_station)))
    estimate = np.stack([state.mean[first + 1], state.mean[first + 2]])
    error = (estimate - world.true_integers(state)) @ info.basis.T
    return int(np.sum(np.abs(error[:, info.fixed]) > 0.5))


def test_the_combination_is_free_of_the_ionosphere_and_keeps_the_range():
    wavelength_m = np.array([[0.190293673, 0.190293673], [0.244210213, 0.254828049]])
    mu = (wavelength_m / wavelength_m[0]) ** 2
    change_m = 1.5 - mu * np.array([0.7, -3.0])
    assert steadiness.ionosphere_free(change_m, wavelength_m) == pytest.approx(1.5, abs=1e-12)


@pytest.mark.parametrize("interval_s", [1.0, 5.0, 30.0])
def test_what_is_followed_does_not_depend_on_the_rate_of_the_data(interval_s):
    """A wave of four minutes and 10 cm has the same size whether it is seen every second or every half minute."""
    walk, rough = np.zeros(1), np.zeros(1)
    sizes = []
    for k in range(round(1800 / interval_s)):
        now, before = (0.1 * np.sin(2 * np.pi * t * interval_s / 240.0) for t in (k + 1, k))
        walk, rough = steadiness.step(walk, rough, np.array([now - before]), np.array([interval_s]))
        sizes.append(float(np.sqrt(rough[0])))
    assert 0.04 < np.mean(sizes[len(sizes) // 2 :]) < 0.08


def test_sound_phases_are_steady(make_world):
    """Not one alarm in 20 minutes of five stations with the noise of a geodetic receiver."""
    world = make_world(4, epoch_s=5.0, phase_sd_m=0.002)
    for _, info, _ in _run(world, 1200.0):
        assert not (info.observed.flags & Flag.UNSTEADY).any()


@pytest.mark.parametrize("period_s", [120.0, 300.0, 500.0])
def test_multipath_of_minutes_is_found_and_costs_no_integers(make_world, period_s):
    """A reflection of 5 cm on a station that is fixed: found within two minutes, nothing wrong is held afterwards."""
    world = make_world(5, epoch_s=5.0)
    *_, (state, info, flags) = _run(world, 400.0)
    assert info.fixed_share > 0.9
    assert not flags & Flag.UNSTEADY
    found = []
    before = state
    for state, info, flags in _run(world, 600.0, before, lambda t: _reflection_m(t, period_s, 0.05)):
        found.append(bool(flags & Flag.UNSTEADY))
        assert _wrong(world, state, info) == 0
    assert found.index(True) * world.epoch_s < 120.0
    assert np.mean(found) > 0.5
    *_, (state, info, flags) = _run(world, 400.0, state)
    assert not flags & Flag.UNSTEADY
    assert _wrong(world, state, info) == 0
    assert info.fixed_share > 0.9


def test_an_arc_that_wanders_from_the_start_is_not_fixed_before_it_stops(make_world):
    """And then it is fixed to the true integers, its age counted from when it became sound."""
    world = make_world(6, epoch_s=5.0)
    wandering = _run(world, 400.0, error_of=lambda t: _reflection_m(t, 200.0, 0.05))
    for k, (state, info, flags) in enumerate(wandering):
        assert _wrong(world, state, info) == 0
        if k > 20:
            assert flags & Flag.UNSTEADY
            arc = (state.arc_station == STATION) & (state.arc_satellite == world.satellites[SATELLITE])
            assert state.arc_epochs[arc][0] <= 1
    *_, (state, info, flags) = _run(world, 600.0, state)
    assert not flags & Flag.UNSTEADY
    assert info.fixed_share == 1.0
    assert _wrong(world, state, info) == 0


def test_without_the_test_the_same_multipath_bends_the_filter(make_world):
    """What the flag is good for: the delay that neighbours are given, with and without it."""
    worst_m = {}
    for floor_m in (POLICY.unsteady_floor_m, 1e9):
        world = make_world(7, epoch_s=5.0)
        policy = replace(POLICY, unsteady_floor_m=floor_m)
        *_, (state, _, _) = _run(world, 400.0, policy=policy)
        steps = list(_run(world, 300.0, state, lambda t: _reflection_m(t, 200.0, 0.05), policy=policy))
        zwd_m = np.array([state.mean[1 + STATION] for state, _, _ in steps])
        worst_m[floor_m] = np.ptp(zwd_m)
    assert worst_m[POLICY.unsteady_floor_m] < worst_m[1e9]
