"""What the network hands on: rows that the field may trust, with variances that mean what they say."""

import numpy as np
import pytest

from models import network
from models.atmosphere import PRODUCT_PHASE_SD_M, station_delays, zwd_at
from models.network_state import NetworkPolicy, init, zwd_prior_m2
from models.validity import Flag

POLICY = NetworkPolicy()


def _run(world, epochs, state=None):
    state = init(POLICY, world.names, world.station_m) if state is None else state
    for _ in range(epochs):
        time_ns, reduced = world.epoch()
        state, info = network.step(POLICY, state, reduced, time_ns)
    return state, info


def _centred(world, delays, value):
    """Return values in a station-satellite table less free offsets per station and satellite."""
    table = np.full(world.visible.shape, np.nan)
    table[delays.station, np.searchsorted(world.satellites, delays.satellite)] = value
    for _ in range(30):
        table = table - np.nanmean(table, axis=0)
        table = table - np.nanmean(table, axis=1, keepdims=True)
    return table


def _truth(world, delays, info):
    column = np.searchsorted(world.satellites, delays.satellite)
    return info.observed.slant_factor * world.zenith_ionosphere_m[delays.station, column]


@pytest.mark.parametrize("seed", range(4))
def test_fixed_delays_are_the_true_ones_up_to_offsets(make_world, seed):
    """Once fixed, rows are the true slant delays up to an offset per station and satellite, to millimetres."""
    world = make_world(40 + seed)
    state, info = _run(world, 20)
    assert info.fixed_share == 1.0
    delays = station_delays(state, info)
    assert np.all(delays.fixed)
    error = _centred(world, delays, delays.ionosphere_m) - _centred(world, delays, _truth(world, delays, info))
    assert np.abs(error).max() < 0.025  # 1.55 times 1 mm of phase, times four at 15 degrees, four sigma


def test_variances_are_honest(make_world):
    """The scatter of fixed rows about the truth, in their own sigmas, is one."""
    squares, freedom = 0.0, 0
    for seed in range(6):
        world = make_world(50 + seed)
        state, info = _run(world, 14)
        for _ in range(10):
            state, info = _run(world, 1, state)
            delays = station_delays(state, info)
            if not delays.fixed.all():
                continue
            weight = 1 / delays.variance_m2
            design = np.hstack([np.eye(5)[delays.station], np.eye(9)[delays.satellite]])
            white = design * np.sqrt(weight)[:, None]
            value = (delays.ionosphere_m - _truth(world, delays, info)) * np.sqrt(weight)
            residual = value - white @ np.linalg.lstsq(white, value, rcond=None)[0]
            squares += float(residual @ residual)
            freedom += len(value) - np.linalg.matrix_rank(white)
    # The world has exactly PRODUCT_PHASE_SD_M of phase noise; more than a thousand degrees of freedom.
    assert PRODUCT_PHASE_SD_M == 0.001
    assert 0.9 < squares / freedom < 1.1


def test_float_rows_say_so(make_world):
    """Before the integers are fixed, rows outside the spanning tree carry their float variance and the flag."""
    world = make_world(60)
    state, info = _run(world, 3)
    delays = station_delays(state, info)
    position = {int(arc): row for row, arc in enumerate(info.observed.arc)}
    closing = [position[int(arc)] for arc in info.closing]
    assert not np.any(delays.fixed[closing])
    assert np.all(delays.flags[closing] & Flag.FLOAT)
    assert np.all(np.sqrt(delays.variance_m2[closing]) > 0.02)
    tree = np.setdiff1d(np.arange(len(delays.fixed)), closing)
    assert len(tree) == 5 + 8 - 1
    assert not np.any(delays.flags[tree] & Flag.FLOAT)


def test_young_low_and_slipped_rows_are_not_clean(make_world):
    """Flags of the filter reach the rows; a low row is noted and stays clean, a slipped or young one does not."""
    world = make_world(61, lowest_rad=np.radians(9.0))
    world.elevation[2] = np.radians(12.0)
    world.elevation_rate[2] = 0.0
    state, info = _run(world, 1)
    assert not np.any(station_delays(state, info).clean)  # everything is young
    state, info = _run(world, 12, state)
    delays = station_delays(state, info)
    low = delays.flags & Flag.LOW != 0
    assert np.array_equal(low, info.observed.elevation_rad < np.radians(15.0))
    assert low.any()
    assert np.all(delays.clean)
    world.slip(1, 3, (4, 1))
    world.half_cycle[2, 4] = True
    state, info = _run(world, 1, state)
    delays = station_delays(state, info)
    dirty = {(int(r), int(np.searchsorted(world.satellites, s))) for r, s in
             zip(delays.station[~delays.clean], delays.satellite[~delays.clean], strict=True)}  # fmt: skip
    assert dirty == {(1, 3), (2, 4)}


def test_no_observation_gives_no_row(make_world):
    """An empty epoch hands on empty arrays and the zenith delays of the prediction."""
    world = make_world(62)
    state, _ = _run(world, 5)
    state, info = network.step(POLICY, state, {}, state.time_ns + 30_000_000_000)
    delays = station_delays(state, info)
    assert delays.ionosphere_m.shape == delays.variance_m2.shape == delays.clean.shape == (0,)
    assert delays.zwd_m.shape == (5,)
    assert np.all(np.linalg.eigvalsh(delays.zwd_covariance_m2) > 0.0)


def test_zenith_delay_at_a_station_is_that_of_the_station(make_world):
    """At a station's own position the prediction is the station's estimate with its covariance."""
    world = make_world(63)
    state, info = _run(world, 20)
    delays = station_delays(state, info)
    for station in range(5):
        mean, covariance = zwd_at(POLICY, state, world.station_m[station], 0)
        assert mean[0] == pytest.approx(delays.zwd_m[station], abs=1e-9)
        assert covariance[0, 0] == pytest.approx(delays.zwd_covariance_m2[station, station], abs=1e-9)
        assert mean[1] == pytest.approx(delays.zwd_m[0], abs=1e-12)


def test_zenith_delay_far_away_is_the_common_one(make_world):
    """Far from all stations only the common part and the full relative variance remain."""
    world = make_world(64)
    state, _ = _run(world, 20)
    mean, covariance = zwd_at(POLICY, state, world.station_m[0] + np.array([0.0, 5e6, 0.0]), 2)
    assert mean[0] == pytest.approx(state.mean[0], abs=1e-9)
    assert covariance[0, 0] == pytest.approx(state.covariance[0, 0] + POLICY.zwd_relative_sd_m**2, rel=1e-6)
    assert np.all(np.linalg.eigvalsh(covariance) > 0.0)


def test_zenith_delay_between_stations_is_the_gaussian_conditional(make_world):
    """Adding the point to the filter from the start as a station without data gives the same prediction."""
    world = make_world(65)
    point_m = world.station_m[0] + np.array([10_000.0, 20_000.0, -8_000.0])
    with_point = init(POLICY, (*world.names, "POINT"), np.vstack([world.station_m, point_m]))
    without = init(POLICY, world.names, world.station_m)
    for _ in range(12):
        time_ns, reduced = world.epoch()
        with_point, _ = network.step(POLICY, with_point, reduced, time_ns)
        without, _ = network.step(POLICY, without, reduced, time_ns)
    mean, covariance = zwd_at(POLICY, without, point_m, 1)
    rows = np.zeros((2, len(with_point.mean)))
    rows[:, 0] = 1.0
    rows[0, 1 + 5] = rows[1, 1 + 1] = 1.0
    # The conditional is exact for a prior that is separable in space and time.
    np.testing.assert_allclose(mean, rows @ with_point.mean, rtol=0, atol=1e-8)
    np.testing.assert_allclose(covariance, rows @ with_point.covariance @ rows.T, rtol=0, atol=1e-10)
    assert zwd_prior_m2(POLICY, world.station_m).shape == (5, 5)
