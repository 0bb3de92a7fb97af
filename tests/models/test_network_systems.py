"""The network filter on several systems and carriers: true integers, biases that must not matter, mixed tracking."""

from dataclasses import replace

import numpy as np
import pytest

from models import network
from models.atmosphere import station_delays
from models.network_state import NetworkPolicy, init
from stations.signals import Constellation

POLICY = NetworkPolicy()


def _run(policy, world, epochs, state=None, each=None):
    state = init(policy, world.names, world.station_m) if state is None else state
    info = None
    for _ in range(epochs):
        time_ns, reduced = world.epoch()
        state, info = network.step(policy, state, each(reduced) if each else reduced, time_ns)
    return state, info


def _ambiguities(state):
    index = state.ionosphere_index(np.arange(len(state.arc_station)))
    return np.stack([state.mean[index + 1], state.mean[index + 2]])


def _wrong(world, state, info):
    """Return by how much fixed cycles miss the true integers, cycles, shape ``(2, fixed)``."""
    return ((_ambiguities(state) - world.true_integers(state)) @ info.basis.T)[:, info.fixed]


def _all_right(world, state, info):
    # Held with 0.001 cycles; a wrong integer would be off by one.
    return info.fixed_share == 1.0 and np.abs(_wrong(world, state, info)).max() < 0.02


def _cycles_of(state, info, system):
    return state.arc_satellite[info.closing] // 100 == system


@pytest.mark.parametrize("seed", [1, 2])
def test_the_true_integers_of_all_systems_are_found(make_worlds, seed):
    """Three systems, receiver clocks of their own: the true cycles of each after ten minutes, none across systems."""
    worlds = make_worlds(seed)
    state, info = _run(POLICY, worlds, 20)
    assert _all_right(worlds, state, info)
    assert info.resets == 0
    systems = state.arc_satellite // 100
    for system in (Constellation.GPS, Constellation.GALILEO, Constellation.BEIDOU):
        cycles = _cycles_of(state, info, system)
        assert np.count_nonzero(cycles) == (4 - 1) * (6 - 1)
        assert not info.basis[np.ix_(cycles, systems != system)].any()


def test_inter_system_biases_change_nothing(make_worlds, reduced_with):
    """Any receiver bias of any system, carrier and type, a new one each epoch, leaves delays and cycles alone."""
    rng = np.random.default_rng(5)

    def shaken(reduced):
        moved = {}
        for name, one in reduced.items():
            code_m, phase_m = one.code_m.copy(), one.phase_m.copy()
            for system in np.unique(one.satellite // 100):
                ours = one.satellite // 100 == system
                code_m[:, ours] += rng.normal(0, 1e4, (3, 1))
                phase_m[:, ours] += rng.normal(0, 1e4, (3, 1))
            moved[name] = reduced_with(one, code_m=code_m, phase_m=phase_m)
        return moved

    one, info = _run(POLICY, make_worlds(3), 12)
    other, other_info = _run(POLICY, make_worlds(3), 12, each=shaken)
    np.testing.assert_array_equal(info.observed.flags, other_info.observed.flags)
    np.testing.assert_array_equal(info.fixed, other_info.fixed)
    assert info.fixed_share > 0.8
    first = one.first_arc
    # Biases of 1e4 m carry 1e-12 m of rounding each; gains of some hundred leave far less than 1e-6 m.
    np.testing.assert_allclose(one.mean[:first], other.mean[:first], rtol=0, atol=1e-6)
    np.testing.assert_allclose(one.mean[first::3], other.mean[first::3], rtol=0, atol=1e-6)
    cycles = [info.basis @ _ambiguities(state).T for state in (one, other)]
    np.testing.assert_allclose(cycles[0], cycles[1], rtol=0, atol=1e-5)  # cycles of 0.2 m


def test_a_system_alone_is_as_with_others(make_worlds):
    """Galileo gets the same integers alone as in company; company only makes the common zenith delay better."""
    together, alone = make_worlds(4), make_worlds(4, systems=(Constellation.GALILEO,))
    alone.parts[0].zwd_m = together.parts[0].zwd_m
    state, info = _run(POLICY, together, 20)
    lone, lone_info = _run(POLICY, alone, 20)
    assert _all_right(together, state, info)
    assert _all_right(alone, lone, lone_info)
    assert np.all(np.diagonal(state.covariance)[:5] < np.diagonal(lone.covariance)[:5])


# ------------------------------------------------------------------------------------------------------ mixed tracking


def _biased_l2(make_world, *, signal, bias_m=1.5):
    """Return a world whose last station has L2 codes that are plus or minus ``bias_m`` off, by satellite."""
    world = make_world(2, slots=3)
    world.track(signal, np.s_[4, :])
    world.extra_code_m[1, 4] = np.random.default_rng(0).choice([-bias_m, bias_m], len(world.satellites))
    return world


def test_a_station_with_another_l2_code_gets_its_integers(make_world):
    """L2L among L2W with code biases of each satellite: nobody's integers are wrong, and nothing is rejected."""
    world = _biased_l2(make_world, signal="2L")
    state = init(POLICY, world.names, world.station_m)
    for epoch in range(20):
        state, info = _run(POLICY, world, 1, state)
        assert info.resets == 0, epoch
        assert np.abs(_wrong(world, state, info)).max(initial=0.0) < 0.02
    assert _all_right(world, state, info)
    assert len(info.closing) == (5 - 1) * (8 - 1)


@pytest.mark.parametrize(("signal", "harm"), [("2L", False), ("2W", True)])
def test_biases_of_another_code_change_nothing(make_world, signal, harm):
    """The biases leave delays and cycles alone where the code has a name of its own, and would not under L2W."""
    plain, biased = (_biased_l2(make_world, signal=signal, bias_m=bias_m) for bias_m in (0.0, 1.5))
    (one, info), (other, _) = (_run(POLICY, world, 5) for world in (plain, biased))
    ionosphere_m = (one.mean - other.mean)[one.first_arc :: 3]
    cycles = info.basis @ (_ambiguities(one) - _ambiguities(other)).T
    if harm:
        assert np.abs(ionosphere_m).max() > 0.01
        assert np.abs(cycles).max() > 0.1
        return
    # Not zero: ambiguities start at code minus phase, with a prior of 15 cycles against the 6 of the bias.
    np.testing.assert_allclose(ionosphere_m, 0.0, atol=0.002)
    np.testing.assert_allclose(cycles, 0.0, atol=0.05)


def test_a_station_with_both_l2_codes(make_world):
    """Half of its satellites on L2L, half on L2W, as many receivers send: every cycle that there is, is right.

    Levels of the two L2 phases of one receiver are not assumed equal, so it is two receivers to the graph.
    """
    world = make_world(5, slots=3)
    world.track("2L", np.s_[4, ::2])
    world.extra_code_m[1, 4, ::2] = np.random.default_rng(0).choice([-1.5, 1.5], 4)
    state, info = _run(POLICY, world, 25)
    assert _all_right(world, state, info)
    assert len(info.closing) == (4 - 1) * (8 - 1) + 2 * (4 - 1)
    assert info.resets == 0


def test_a_station_on_l1_and_l5_joins_without_a_wrong_cycle(make_world):
    """Its ambiguities belong to other carriers: no cycle with L1/L2, none wrong, others untouched, none restarted."""
    world = make_world(6, slots=3)
    world.track("5Q", np.s_[4, :])
    state, info = _run(POLICY, world, 25)
    assert _all_right(world, state, info)
    assert len(info.closing) == (4 - 1) * (8 - 1)
    assert not info.basis[:, state.arc_station == 4].any()
    assert info.resets == 0
    # What it tells of the ionosphere is honest: within five sigma of the truth, in differences to the middle station.
    arcs = {(int(r), int(s)): k for k, (r, s) in enumerate(zip(state.arc_station, state.arc_satellite, strict=True))}
    errors, sds = [], []
    for column, satellite in enumerate(world.satellites):
        rows = state.ionosphere_index(np.array([arcs[4, satellite], arcs[0, satellite]]))
        truth_m = world.zenith_ionosphere_m[4, column] - world.zenith_ionosphere_m[0, column]
        errors.append(state.mean[rows[0]] - state.mean[rows[1]] - truth_m)
        block = state.covariance[np.ix_(rows, rows)]
        sds.append(np.sqrt(block[0, 0] + block[1, 1] - 2 * block[0, 1]))
    assert np.abs(np.array(errors) / np.array(sds)).max() < 5.0
    assert max(sds) < 0.17  # the prior of one station


def test_two_stations_on_l1_and_l5_fix_each_other(make_world):
    """Two of them form cycles of their own carriers, with the true integers of L5."""
    world = make_world(7, slots=3)
    world.track("5Q", np.s_[3:, :])
    state, info = _run(POLICY, world, 25)
    assert _all_right(world, state, info)
    assert len(info.closing) == (3 - 1) * (8 - 1) + (2 - 1) * (8 - 1)
    ours = state.arc_station >= 3
    assert not (info.basis[:, ours].any(axis=1) & info.basis[:, ~ours].any(axis=1)).any()


@pytest.mark.parametrize("stations", [slice(2, 3), slice(None)])
def test_a_change_of_carrier_in_mid_arc_is_a_restart(make_world, stations):
    """From L2 to L5 without loss of lock: a new ambiguity, young and float at once, and right in the end."""
    world = make_world(8, slots=3)
    state, info = _run(POLICY, world, 15)
    assert _all_right(world, state, info)
    world.track("5Q", np.s_[stations, 4])
    world.integers[1, stations, 4] += np.arange(7, 12)[stations]
    changed = np.isin(state.arc_station, np.arange(5)[stations]) & (state.arc_satellite == world.satellites[4])
    state, info = _run(POLICY, world, 1, state)
    assert np.all(state.arc_epochs[changed] <= 1)
    assert np.all(state.arc_epochs[~changed] == 16)
    assert not info.fixed[changed[info.closing]].any()
    for _ in range(20):
        state, info = _run(POLICY, world, 1, state)
        assert np.abs(_wrong(world, state, info)).max() < 0.02
    assert _all_right(world, state, info)
    assert np.all(state.arc_wavelength_m[1, changed] == world.wavelength[1, stations, 4])
    # The other satellites; of the changed one, the stations that still track L2. A lone L5 closes no cycle.
    assert len(info.closing) == 4 * 6 + (0 if stations == slice(None) else 3)


# ---------------------------------------------------------------------------------------------------------- decimation


def test_updates_each_second_or_each_five_are_the_same(make_world):
    """Five minutes of 1 Hz data: the same integers, and delays that differ by what their sigmas say or less."""
    results = []
    for interval_s in (1.0, 5.0):
        world = make_world(11, stations=3, satellites=5, epoch_s=1.0, code_sd_m=0.1)
        policy = replace(POLICY, update_interval_s=interval_s)
        state, info = _run(policy, world, 301)
        assert _all_right(world, state, info)
        results.append((state, info, station_delays(state, info)))
    (one, info, delays), (other, other_info, other_delays) = results
    np.testing.assert_array_equal(info.closing, other_info.closing)
    cycles = [np.rint(info.basis @ _ambiguities(state).T) for state in (one, other)]
    np.testing.assert_array_equal(cycles[0], cycles[1])
    # The phases of the last epoch less the same integers: what is left is 0.001 cycles of holding, 1.5 times 0.3 mm.
    apart_m = delays.ionosphere_m - other_delays.ionosphere_m
    table = np.zeros((3, 5))
    table[delays.station, delays.satellite - 1] = apart_m
    table = table - table.mean(axis=0)
    assert np.abs(table - table.mean(axis=1, keepdims=True)).max() < 0.001
    # Observations five seconds apart instead of one, both counted as one in thirty: the same information up to 5 s of
    # motion, so the same sigmas within a tenth, and estimates apart by a part of them.
    first = one.first_arc
    sds = [np.sqrt(np.diagonal(state.covariance)) for state in (one, other)]
    np.testing.assert_allclose(sds[0][:first], sds[1][:first], rtol=0.1)
    np.testing.assert_allclose(sds[0][first::3], sds[1][first::3], rtol=0.1)
    assert np.abs((one.mean - other.mean)[:first] / sds[0][:first]).max() < 1.0


def test_a_slip_between_updates_is_found_at_once(make_world):
    """Slips are looked for at every epoch, also where the filter takes none in."""
    world = make_world(12, stations=3, satellites=6, epoch_s=1.0)
    state, _ = _run(POLICY, world, 12)
    assert state.updated_ns == state.time_ns - 1_000_000_000
    world.extra_phase_m[:, 1, 3] = (0.064, 0.180)  # no whole cycles, which would be repaired
    state, info = _run(POLICY, world, 1, state)
    assert state.updated_ns == state.time_ns - 2_000_000_000
    arc = (state.arc_station == 1) & (state.arc_satellite == world.satellites[3])
    assert state.arc_epochs[arc].tolist() == [1]
    assert info.resets == 1
