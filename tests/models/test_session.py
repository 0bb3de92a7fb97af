"""Sessions of a simulated rover: integers found, kept, lost and doubted, with the truth beside."""

from dataclasses import replace

import numpy as np
import pytest

from models.rover import RoverSolution, RoverStatus
from models.session_noise import noise_scale
from models.session_state import Motion, SessionPolicy, ambiguity_index
from tests.models.conftest import local_axes
from tests.models.session_scene import CLAIMED, POLICY, drive

WRONG_H_M, WRONG_V_M = 0.05, 0.15


def nothing(epoch):
    """Return a single epoch that has nothing to say, so that a session is alone."""
    none = np.zeros(0, dtype=int)
    return RoverSolution(
        RoverStatus.NONE, epoch.reference_m, np.full((3, 3), np.nan), none, none, float("nan"), None, "none"
    )


def wrong(scene, info):
    """Return whether an answer is a wrong fix."""
    if info.solution.status not in CLAIMED:
        return False
    east, north, up = local_axes(scene.world.station_m[1]) @ scene.error_m(info.solution)
    return np.hypot(east, north) > WRONG_H_M or abs(up) > WRONG_V_M


def run(scene, epochs, policy=POLICY, *, alone=False):
    """Take epochs in; return what happened, asserting that nothing wrong is claimed."""
    infos = []
    for _ in range(epochs):
        epoch = scene.epoch()
        info = scene.step(policy, epoch, nothing(epoch) if alone else None)
        assert not wrong(scene, info)
        infos.append(info)
    return infos


# ---------------------------------------------------------------------------------- fixing and holding


def test_a_session_fixes_by_itself_holds_and_is_honest(make_world):
    """Without help from single epochs: fixed within ten seconds, most integers held, errors as large as stated."""
    squares = []
    for seed in range(12):
        scene = drive(make_world, 100 + seed, satellites=14)
        infos = run(scene, 40, alone=True)
        assert all(info.solution.status in CLAIMED for info in infos[10:])
        assert infos[-1].held >= 0.6 * infos[-1].double_differences
        error, spread = scene.error_m(infos[-1].solution), infos[-1].solution.covariance_m2
        squares.append(float(error @ np.linalg.solve(spread, error)))
        assert not any(info.restarted for info in infos)
    # 12 draws of chi-square with three degrees of freedom: 99 % of means are between 1.4 and 5.1. Larger sigmas than
    # white noise needs are wanted: a rover is taken for half as noisy again until it has shown what it is.
    assert 0.5 < np.mean(squares) < 5.1


def test_the_session_and_the_single_epoch_make_each_other_surer(make_world):
    """Where both agree, the probability of a wrong fix is the product, and no less than what data can support."""
    scene = drive(make_world, 5)
    infos = run(scene, 6)
    assert infos[-1].agrees
    assert infos[-1].solution.wrong_fix_probability == pytest.approx(1e-4)


# ---------------------------------------------------------------------------------- slips, outages, satellites


@pytest.mark.parametrize("cycles", [(1, 1), (1, 0), (0, 1), (9, 7), (4, 3), (-50, 20)])
@pytest.mark.parametrize("reported", [True, False])
def test_slips_are_found_and_do_no_harm(make_world, cycles, reported):
    """A slip of whole cycles is found in its epoch, and no position is wrong, then or later."""
    scene = drive(make_world, 11)
    held = run(scene, 20, alone=True)[-1].held
    scene.world.slip(1, 3, cycles, reported=reported)
    info = run(scene, 1, alone=True)[0]
    assert scene.world.satellites[3] in (info.slips if reported else np.union1d(info.slips, info.resets))
    assert info.solution.status in CLAIMED
    infos = run(scene, 20, alone=True)
    assert all(one.solution.status in CLAIMED for one in infos)
    assert infos[-1].held >= held


def test_slips_of_most_satellites_start_the_session_anew(make_world):
    """A jolt that nobody reported, on seven of nine satellites: nothing wrong is claimed, and it fixes again."""
    scene = drive(make_world, 12)
    run(scene, 20, alone=True)
    for satellite in range(7):
        scene.world.slip(1, satellite, (3 + satellite, -2 * satellite - 1))
    infos = run(scene, 25, alone=True)
    assert infos[-1].solution.status in CLAIMED


def test_an_outage_forgets_what_cannot_be_known(make_world):
    """After two minutes without a rover all ambiguities start anew."""
    scene = drive(make_world, 13)
    run(scene, 20)
    held = scene.state.satellite
    for _ in range(120):
        scene.epoch()
    scene.world.lock_ms[1] = 0
    info = run(scene, 1, alone=True)[0]
    assert len(held)
    assert info.held == 0
    assert run(scene, 20)[-1].solution.status in CLAIMED


def test_satellites_set_and_rise(make_world):
    """One sets, another rises: neither moves the position, and as many integers are held soon after."""
    scene = drive(make_world, 14, satellites=14)
    scene.world.visible[:, 8] = False
    held = run(scene, 20)[-1].held
    scene.world.visible[:, 8] = True
    scene.world.visible[:, 2] = False
    scene.world.lock_ms[:, 8] = 0
    infos = run(scene, 20)
    assert all(info.solution.status in CLAIMED for info in infos)
    assert infos[-1].held >= 0.8 * held
    assert scene.world.satellites[8] in infos[-1].solution.satellites
    assert scene.world.satellites[2] not in infos[-1].solution.satellites


def test_a_satellite_that_drifts_is_weighed_down_and_leaves_the_position_alone(make_world):
    """Multipath that moves both phases of a satellite alike, a millimetre a second, up to 6 cm."""
    scene = drive(make_world, 16, satellites=12)
    run(scene, 20)
    for _ in range(60):
        scene.world.extra_phase_m[:, 1, 4] += 0.001
        info = run(scene, 1)[0]
    assert info.solution.status in CLAIMED
    assert np.linalg.norm(scene.error_m(info.solution)) < 4.0 * np.sqrt(np.trace(info.solution.covariance_m2))
    scale = noise_scale(POLICY, scene.state.noise)[1]
    arc = np.searchsorted(scene.state.satellite, scene.world.satellites[4])
    assert scale[arc] > 2.0 * np.median(scale) or scene.world.satellites[4] in info.resets


def test_what_the_network_finds_at_the_master_counts(make_world):
    """A slip that the network saw loses the ambiguities; what it doubts makes the position less certain."""
    scene = drive(make_world, 17)
    run(scene, 15)
    epoch = scene.epoch()
    bad = epoch.rover.satellite == scene.world.satellites[2]
    before = scene.state
    slipped = scene.step(epoch=replace(epoch, findings=replace(epoch.findings, slipped=bad)))
    assert slipped.slips.tolist() == [scene.world.satellites[2]]
    spreads = []
    for doubtful in (~bad, bad & False):
        scene.state = before
        findings = replace(epoch.findings, doubtful=doubtful)
        info = scene.step(epoch=replace(epoch, findings=findings), single=nothing(epoch))
        spreads.append(np.trace(info.solution.covariance_m2))
    assert spreads[0] > spreads[1]


def test_satellites_that_the_network_began_anew_unseen_start_anew(make_world):
    """The rover has not asked for some network epochs: what began anew at the master in between has perhaps slipped."""
    scene = drive(make_world, 18)
    run(scene, 15)
    epoch = scene.epoch()
    followed = epoch.findings.followed + 10
    followed[3] = 4
    info = scene.step(epoch=replace(epoch, findings=replace(epoch.findings, followed=followed)))
    assert info.slips.tolist() == [epoch.rover.satellite[3]]


def test_a_half_cycle_is_never_held(make_world):
    """A satellite that may be half a cycle off is left out, and starts anew when the half cycle is resolved."""
    scene = drive(make_world, 15)
    run(scene, 15)
    scene.world.half_cycle[1, 4] = True
    info = run(scene, 3)[-1]
    assert scene.world.satellites[4] not in info.solution.satellites
    scene.world.half_cycle[1, 4] = False
    scene.world.extra_phase_m[0, 1, 4] += 0.5 * 0.190293672798365
    run(scene, 20)


# ---------------------------------------------------------------------------------- wrong fixes


def force(scene, wrong_cyc):
    """Make a session hold other integers: ambiguities of satellites moved by whole cycles on both carriers."""
    mean = scene.state.mean.copy()
    for satellite, cycles in wrong_cyc.items():
        arc = np.searchsorted(scene.state.satellite, satellite)
        mean[ambiguity_index(np.array([arc, arc]), np.array([0, 1]))] += cycles
    scene.state = replace(scene.state, mean=mean)


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("wrong_cyc", [{1: (1, 1)}, {2: (1, 0), 5: (1, 0)}, {1: (4, 3), 4: (1, 1), 7: (-1, -1)}])
def test_a_session_recovers_from_wrong_integers_within_seconds(make_world, wrong_cyc, alone):
    """Integers that are held and wrong are let go of; ten seconds later the position is right and fixed again."""
    scene = drive(make_world, 21)
    run(scene, 20, alone=alone)
    force(scene, wrong_cyc)
    for _ in range(10):
        epoch = scene.epoch()
        scene.step(epoch=epoch, single=nothing(epoch) if alone else None)
    infos = run(scene, 10, alone=alone)
    assert infos[-1].solution.status in CLAIMED


def test_a_position_that_fits_its_own_wrong_integers_is_contradicted_by_single_epochs(make_world):
    """All ambiguities moved as a rover 25 cm away would have them: its own data cannot tell, single epochs can."""
    policy = replace(POLICY, outlier_limit=1e9, ionosphere_limit=1e9)  # as if innovations saw nothing
    scene = drive(make_world, 22, satellites=14)
    run(scene, 20, policy)
    epoch = scene.epoch()
    scene.step(policy, epoch)
    shift_m = -epoch.rover.unit @ np.array([0.2, -0.1, 0.12])
    wavelength_m = epoch.rover.raw.wavelength_m[:2]
    force(scene, dict(zip(epoch.rover.satellite.tolist(), np.rint(shift_m / wavelength_m).T, strict=True)))
    for _ in range(4):
        assert not wrong(scene, scene.step(policy))
    assert scene.state.restarts == 1
    assert run(scene, 5, policy)[-1].solution.status in CLAIMED


# ---------------------------------------------------------------------------------- models of motion


def test_a_moving_rover_needs_no_model(make_world):
    """A rover that jumps by metres every second is as right as one at rest."""
    scene = drive(make_world, 31)
    rng = np.random.default_rng(1)
    for _ in range(30):
        scene.moved_m = rng.normal(0, 5.0, 3)
        run(scene, 1)
    assert scene.state.wrong_probability <= 1e-3


def test_constant_velocity_carries_a_rover_through_a_loss_of_all_phases(make_world):
    """All satellites slip at once: with a motion model the position stays known, without one it is that of codes."""
    spreads = []
    for chosen in (POLICY, replace(POLICY, motion=Motion.VELOCITY, acceleration_m_s15=0.01)):
        scene = drive(make_world, 32)
        for k in range(20):
            scene.moved_m = np.array([1.0, 0.5, 0.1]) * k * 0.2
            scene.step(chosen)
        scene.world.lock_ms[1] = 0
        scene.moved_m = np.array([1.0, 0.5, 0.1]) * 4.0
        epoch = scene.epoch()
        info = scene.step(chosen, epoch, nothing(epoch), may_fix=False)
        spreads.append(np.sqrt(np.trace(info.solution.covariance_m2)))
        assert np.linalg.norm(scene.error_m(info.solution)) < 4 * spreads[-1]
    assert spreads[1] < 0.1 < spreads[0]


def test_a_static_coordinate_knows_that_multipath_lasts(make_world):
    """Under multipath of 2.5 mm that lasts half a minute, errors after 10 s and 1 min are as large as stated."""
    policy = replace(SessionPolicy(), motion=Motion.STATIC)
    z = {10: [], 60: []}
    sizes = {10: [], 60: []}
    for seed in range(24):
        scene = drive(make_world, 500 + seed, coloured_s=30.0, multipath_m=0.0025)
        infos = run(scene, 61, policy)
        for second, found in z.items():
            solution = infos[second].solution
            if solution.status not in CLAIMED:
                continue
            sd = np.sqrt(np.diagonal(solution.covariance_m2))
            found.extend(scene.error_m(solution) / sd)
            sizes[second].append(np.linalg.norm(sd))
    for found in z.values():
        # 72 normalised errors, in threes correlated: the RMS of honest ones is within a quarter of one.
        assert len(found) > 50
        assert 0.6 < np.sqrt(np.mean(np.square(found))) < 1.3
    # Five independent epochs in a minute at most, not sixty: sqrt(60) would be 0.13.
    assert 0.4 < np.mean(sizes[60]) / np.mean(sizes[10]) < 1.0
