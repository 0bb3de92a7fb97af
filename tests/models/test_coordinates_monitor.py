"""Wrong coordinates in a world with known truth: found, measured, blamed on the right station, and nobody else."""

from dataclasses import replace

import numpy as np
import pytest

from models import coordinates_filter
from models.coordinates_filter import OffsetPolicy
from models.coordinates_monitor import MonitorPolicy, Verdict, init, step

POLICY = MonitorPolicy()
MINUTES = 70
DIRECTIONS = {"east": 0, "north": 1, "up": 2}


@pytest.fixture(name="make_sky")
def _make_sky(make_world):
    """Return a maker of worlds whose satellites cross the sky as fast as real ones: that is what shows an offset."""

    def make_sky(seed, stations=5, epoch_s=60.0):
        world = make_world(seed, stations=stations, satellites=12, epoch_s=epoch_s)
        world.azimuth_rate *= 1.5
        world.elevation_rate *= 3.0
        return world

    return make_sky


def watch(world, minutes=MINUTES, policy=POLICY, event=lambda _world, _minute: None):
    """Run the monitor; return its last state and info, and every change of verdict by minute."""
    state = init(policy, world.names, world.station_m)
    info, changes = None, []
    for minute in range(minutes):
        event(world, minute)
        time_ns, epochs = world.epoch()
        state, info = step(policy, state, epochs, time_ns)
        changes += [(minute, name, info.judgements[name].verdict) for name in info.changed]
    return state, info, changes


def moved(world, name, east_north_up_m):
    """Let the antenna of a station be off its declared coordinate; return declared minus true in the monitor's axes."""
    index = world.names.index(name)
    up = world.station_m[index] / np.linalg.norm(world.station_m[index])
    east = np.cross([0.0, 0.0, 1.0], up) / np.hypot(up[0], up[1])
    ecef_m = np.array(east_north_up_m) @ np.stack([east, np.cross(up, east), up])
    world.moved_m[name] = ecef_m
    state = init(POLICY, world.names, world.station_m)
    return -state.filter.enu[index] @ ecef_m


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_right_coordinates_are_good_and_nobody_is_ever_blamed(make_sky, seed):
    world = make_sky(seed)
    _, info, changes = watch(world)
    assert {verdict for _, _, verdict in changes} <= {Verdict.GOOD}
    assert info.of(Verdict.GOOD)


@pytest.mark.parametrize("axis", DIRECTIONS)
@pytest.mark.parametrize("station", [0, 3])
def test_a_wrong_station_is_named_and_its_offset_measured(make_sky, axis, station):
    world = make_sky(5)
    size_m = 0.30 if axis == "up" else 0.15
    name = world.names[station]
    truth_m = moved(world, name, size_m * np.eye(3)[DIRECTIONS[axis]])
    _, info, changes = watch(world)
    assert info.of(Verdict.WRONG) == (name,)
    assert {who for _, who, verdict in changes if verdict is Verdict.WRONG} == {name}
    judgement = info.judgements[name]
    error = np.array(judgement.offset_m) - truth_m
    assert np.all(np.abs(error) < 4.0 * np.array(judgement.sd_m))
    assert np.linalg.norm(error[:2]) < 0.05
    assert judgement.since_ns > 0


def test_wrong_integers_cannot_hide_it(make_sky):
    """Whole cycles on every arc from the start change no verdict and no offset: ambiguities are free."""
    results = []
    for cycles in (0, 7):
        world = make_sky(6)
        world.integers += cycles * np.arange(world.integers.size).reshape(world.integers.shape)
        moved(world, "S01", (0.15, 0.0, 0.0))
        results.append(watch(world)[1].judgements["S01"])
    assert results[0].verdict is results[1].verdict is Verdict.WRONG
    np.testing.assert_allclose(results[0].offset_m, results[1].offset_m, atol=1e-6)


def test_slips_blame_nobody(make_sky):
    """Slips with and without a word from the receiver restart arcs; no station is blamed for them."""
    world = make_sky(7)

    def slip(world, minute):
        if minute and minute % 4 == 0:
            world.slip(minute // 4 % 5, minute % 10, (1, 1) if minute % 8 else (5, -3), reported=minute % 12 == 0)

    _, _, changes = watch(world, event=slip)
    assert {verdict for _, _, verdict in changes} <= {Verdict.GOOD, Verdict.UNKNOWN}


def test_of_two_stations_nobody_can_say_which_is_wrong(make_sky):
    world = make_sky(8, stations=2)
    moved(world, "S00", (0.3, 0.3, 0.0))
    _, info, changes = watch(world)
    assert not [change for change in changes if change[2] is Verdict.WRONG]
    assert info.of(Verdict.SUSPICIOUS) == ("S00", "S01")


def test_two_wrong_stations_of_six_are_both_named(make_sky):
    world = make_sky(9, stations=6)
    moved(world, "S02", (0.2, 0.0, 0.0))
    moved(world, "S04", (0.0, -0.2, 0.0))
    _, info, changes = watch(world)
    assert info.of(Verdict.WRONG) == ("S02", "S04")
    assert {who for _, who, verdict in changes if verdict is Verdict.WRONG} == {"S02", "S04"}


def test_verdict_is_withdrawn_when_the_evidence_stays_away(make_sky):
    """Not at the first epoch that says nothing, but after some minutes."""
    world = make_sky(10)
    state = init(POLICY, world.names, world.station_m)
    wrong = replace(state.judgements[1], verdict=Verdict.WRONG)
    state = replace(state, judgements=(state.judgements[0], wrong, *state.judgements[2:]))
    verdicts = []
    for _ in range(10):
        time_ns, epochs = world.epoch()
        state, info = step(POLICY, state, epochs, time_ns)
        verdicts.append(info.judgements["S01"].verdict)
    assert verdicts[:5] == [Verdict.WRONG] * 5
    assert verdicts[-1] is Verdict.UNKNOWN


def test_epochs_between_are_passed_over_and_memory_is_bounded(make_sky):
    world = make_sky(11, epoch_s=1.0)
    state = init(POLICY, world.names, world.station_m)
    seen = []
    for _ in range(125):
        time_ns, epochs = world.epoch()
        new, _ = step(POLICY, state, epochs, time_ns)
        seen.append(new is not state)
        state = new
    assert sum(seen) == 3
    assert len(state.filter.mean) <= 4 * 5 + 5 * 12


def test_update_agrees_with_least_squares_with_clocks_as_unknowns(make_sky):
    """The slow twin: one epoch and the prior as one dense least-squares problem, clocks solved for."""
    world = make_sky(12)
    time_ns, epochs = world.epoch()
    policy = OffsetPolicy(surprise_limit=1e9)
    state = coordinates_filter.init(policy, world.names, world.station_m)
    fast = coordinates_filter.step(policy, state, epochs, time_ns)
    stations, arcs = len(world.names), len(fast.arc_station)
    size = 4 * stations + arcs
    unknowns = size + stations + len(world.satellites)
    design, values, row = [], [], 0
    prior_sd = np.concatenate([np.tile([1.0, 1.0, 1.0, 0.1], stations), np.full(arcs, policy.start_sd_m)])
    prior_mean = np.zeros(size)
    for k, name in enumerate(world.names):
        reduced = epochs[name]
        phase_m, code_m, _ = coordinates_filter.ionosphere_free(reduced)
        for j in range(len(reduced.satellite)):
            sd = policy.phase_sd_m * np.sqrt(1 + 1 / np.sin(reduced.elevation_rad[j]) ** 2)
            line = np.zeros(unknowns)
            line[4 * k : 4 * k + 3] = fast.enu[k] @ reduced.unit[j]
            line[4 * k + 3] = reduced.wet_mapping[j]
            line[4 * stations + row] = 1.0
            line[size + k] = 1.0
            line[size + stations + int(reduced.satellite[j]) - 1] = 1.0
            design.append(line / sd)
            values.append(phase_m[j] / sd)
            prior_mean[4 * stations + row] = phase_m[j] - code_m[j]
            row += 1
    assert row == arcs
    design.extend(np.hstack([np.diag(1 / prior_sd), np.zeros((size, unknowns - size))]))
    values.extend(prior_mean / prior_sd)
    slow = np.linalg.lstsq(np.array(design), np.array(values), rcond=None)[0][: 4 * stations]
    np.testing.assert_allclose(fast.mean[: 4 * stations], slow, atol=1e-6)
