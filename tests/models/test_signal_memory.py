"""The tests of the signals inside the network filter: what they find, and what follows from it."""

from dataclasses import replace

import numpy as np
import pytest

from models import network, signal_memory
from models.clock_jumps import MILLISECOND_M
from models.network_state import NetworkPolicy, init
from models.signal_memory import contradiction, for_stations
from models.validity import SLIP, Flag

POLICY = NetworkPolicy()
STATION, SATELLITE = 2, 3
TELLING = SLIP | Flag.CODE | Flag.WEAK | Flag.INNOVATION | Flag.HALF_CYCLE


def _step(world, state, change=None, policy=POLICY):
    time_ns, epochs = world.epoch()
    if change is not None:
        name = world.names[STATION]
        epochs[name] = change(epochs[name])
    return network.step(policy, state, epochs, time_ns)


def _settled(world, epochs=25):
    state = init(POLICY, world.names, world.station_m)
    for _ in range(epochs):
        state, info = _step(world, state)
        assert not (info.observed.flags & TELLING).any()
    return state


def _row(world, state, info):
    arc = info.observed.arc
    mine = (state.arc_station[arc] == STATION) & (state.arc_satellite[arc] == world.satellites[SATELLITE])
    return int(np.flatnonzero(mine)[0])


def test_a_bad_code_is_not_used_and_costs_no_ambiguity(make_world):
    world = make_world(31)
    state = _settled(world)
    world.extra_code_m[0, STATION, SATELLITE] = 12.0
    state, info = _step(world, state)
    row = _row(world, state, info)
    assert info.observed.flags[row] & Flag.CODE
    assert not info.observed.flags[row] & SLIP
    assert not info.observed.use_code[row]
    assert state.arc_epochs[info.observed.arc[row]] > 20
    assert np.count_nonzero(info.observed.flags & TELLING) == 1


def test_a_weak_signal_is_side_information(make_world):
    world = make_world(32)
    state = _settled(world)

    def weaker(reduced):
        cn0_dbhz = reduced.raw.cn0_dbhz.copy()
        cn0_dbhz[1, reduced.satellite == world.satellites[SATELLITE]] -= 10.0
        return replace(reduced, raw=replace(reduced.raw, cn0_dbhz=cn0_dbhz))

    state, info = _step(world, state, weaker)
    row = _row(world, state, info)
    assert info.observed.flags[row] == Flag.WEAK
    assert np.count_nonzero(info.observed.flags & TELLING) == 1


@pytest.mark.parametrize("moved_cyc", [0.0, 0.5])
def test_a_half_cycle_is_not_fixed_and_the_arc_begins_anew_if_resolving_it_moves_the_phase(make_world, moved_cyc):
    world = make_world(33)
    state = _settled(world)
    world.half_cycle[STATION, SATELLITE] = True
    state, info = _step(world, state)
    row = _row(world, state, info)
    assert info.observed.flags[row] == Flag.HALF_CYCLE
    world.half_cycle[STATION, SATELLITE] = False
    world.extra_phase_m[0, STATION, SATELLITE] = moved_cyc * world.wavelength_m[0]
    state, info = _step(world, state)
    assert info.observed.flags[row] & Flag.HALF_CYCLE_RESOLVED
    assert (state.arc_epochs[info.observed.arc[row]] <= 1) == bool(moved_cyc)
    assert info.resets == bool(moved_cyc)
    state, info = _step(world, state)
    assert not info.observed.flags[row] & SLIP


def test_an_arc_whose_first_epoch_has_an_unresolved_half_cycle_says_so(make_world):
    world = make_world(33)
    world.half_cycle[STATION, SATELLITE] = True
    state, info = _step(world, init(POLICY, world.names, world.station_m))
    assert info.observed.flags[_row(world, state, info)] == Flag.HALF_CYCLE


def test_codes_find_a_slip_that_phases_hide_when_no_other_station_can_tell(make_world):
    """(9, 7) without the tests against other receivers: the wide lane moves by two cycles."""
    world = make_world(34)
    policy = replace(POLICY, slip_floor_m=1e9, innovation_limit=1e9, unsteady_floor_m=1e9)
    state = _settled(world)
    world.slip(STATION, SATELLITE, (9, 7))
    found = []
    for _ in range(4):
        state, info = _step(world, state, policy=policy)
        found.append(bool(info.observed.flags[_row(world, state, info)] & Flag.WIDE_LANE))
    assert found.index(True) == 1  # at the second surprise
    assert sum(found) == 1


@pytest.mark.parametrize("phases", [True, False])
def test_a_millisecond_is_no_slip_and_new_arcs_agree_with_old_ones(make_world, phases):
    """Codes alone, or codes and phases: no finding, no integer lost, and a satellite that rises later is fixed."""
    world = make_world(35)
    world.visible[STATION, SATELLITE] = False
    state = _settled(world)
    world.visible[STATION, SATELLITE] = True
    world.extra_code_m[:, STATION] += MILLISECOND_M
    world.extra_phase_m[:, STATION] += MILLISECOND_M * phases
    for _ in range(20):
        state, info = _step(world, state)
        assert not (info.observed.flags & TELLING).any()
    assert info.fixed_share == 1.0
    first = state.ionosphere_index(np.arange(len(state.arc_station)))
    error = (np.stack([state.mean[first + 1], state.mean[first + 2]]) - world.true_integers(state)) @ info.basis.T
    assert np.abs(error).max() < 0.5


def test_a_station_that_moves_in_the_list_takes_its_memory_along(make_world):
    world = make_world(36)
    memory = _settled(world, 6).signals
    turned = for_stations(memory, np.array([4, -1, 0, 1, 2]))
    assert not contradiction(turned)
    assert (np.diff(turned.key) > 0).all()
    old, new = memory.key // 1000 == 0, turned.key // 1000 == 4
    assert np.array_equal(memory.phase_m[:, old], turned.phase_m[:, new])
    assert not (signal_memory.stations_of(turned) == 3).any()


@pytest.mark.parametrize("name", ["key", "phase_m", "strength"])
def test_a_memory_that_was_damaged_is_recognised(make_world, name):
    memory = _settled(make_world(37), 6).signals
    assert not contradiction(memory)
    if name == "strength":
        broken = replace(memory, strength=replace(memory.strength, mean_dbhz=memory.strength.mean_dbhz[1:]))
    elif name == "key":
        broken = replace(memory, key=memory.key[::-1])
    else:
        broken = replace(memory, phase_m=memory.phase_m * np.nan)
    assert contradiction(broken)
