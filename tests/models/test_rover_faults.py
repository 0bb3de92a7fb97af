"""The rover with geometry or corrections that numbers cannot cope with, and fixes that know the height badly."""

from dataclasses import replace

import numpy as np
import pytest

from models.rover import Corrections, RoverPolicy, RoverStatus, common_rows, solve

POLICY = RoverPolicy()
CLAIMS = {RoverStatus.FIXED, RoverStatus.PARTIAL}


def _scene(make_world, seed, satellites=9, iono_sd_m=0.012, *, steep=False):
    """Return rover, master and honest corrections of one epoch, with the rover's true position."""
    world = make_world(seed, stations=3, satellites=satellites, code_sd_m=0.1, phase_sd_m=0.001, radius_m=35_000.0)
    rng = np.random.default_rng(1000 + seed)
    if steep:
        world.elevation = rng.uniform(np.radians(60), np.radians(80), satellites)
    world.moved_m["S01"] = np.array([0.8, -1.1, 0.6])
    _, reduced = world.epoch()
    rows, base_rows = common_rows(POLICY, reduced["S01"], reduced["S00"])
    rover, master = reduced["S01"].rows(rows), reduced["S00"].rows(base_rows)
    column = np.searchsorted(world.satellites, rover.satellite)
    delay = [world.zenith_ionosphere_m[k, column] * one.slant_factor for k, one in ((1, rover), (0, master))]
    covariance = iono_sd_m**2 * (0.5 * np.eye(len(column)) + 0.5) * np.outer(rover.slant_factor, rover.slant_factor)
    error_m = np.linalg.cholesky(covariance) @ rng.normal(size=len(column))
    zwd_m = world.zwd_m[[1, 0]] + np.array([0.004, 0.002]) * rng.normal(size=2)
    corrections = Corrections(delay[0] - delay[1] + error_m, covariance, zwd_m, np.diag([0.004, 0.002]) ** 2)
    return rover, master, corrections, world.station_m[1], world.station_m[1] + world.moved_m["S01"]


@pytest.mark.parametrize("spread", [1e-3, 1e-5, 1e-7, 0.0])
def test_satellites_in_nearly_the_same_direction_do_not_raise(make_world, spread):
    """A geometry that cannot tell directions apart is a refusal or a wide covariance, never an exception."""
    rover, master, corrections, reference_m, _ = _scene(make_world, 11)
    unit = rover.unit.mean(axis=0) + spread * (rover.unit - rover.unit.mean(axis=0))
    rover = replace(rover, unit=unit / np.linalg.norm(unit, axis=1, keepdims=True))
    assert solve(POLICY, rover, master, corrections, reference_m).status not in CLAIMS


@pytest.mark.parametrize("scale_m2", [1e8, 1e12, np.nan])
def test_useless_corrections_do_not_raise(make_world, scale_m2):
    """A covariance that says nothing, or is no number, is a status and never an exception."""
    rover, master, corrections, reference_m, _ = _scene(make_world, 9)
    count = len(rover.satellite)
    corrections = replace(corrections, ionosphere_covariance_m2=np.full((count, count), scale_m2) + np.eye(count))
    assert solve(POLICY, rover, master, corrections, reference_m).status not in CLAIMS


def test_a_fix_knows_the_height_too(make_world):
    """Fixed and partial claim centimetres: a height known to 10 cm or worse must not be called that (DESIGN 6)."""
    widest_m, claimed = 0.0, 0
    for seed in range(40):
        rover, master, corrections, reference_m, truth_m = _scene(make_world, seed, steep=True)
        solution = solve(POLICY, rover, master, corrections, reference_m)
        if solution.status in CLAIMS:
            up = truth_m / np.linalg.norm(truth_m)
            widest_m = max(widest_m, float(np.sqrt(up @ solution.covariance_m2 @ up)))
            claimed += 1
    assert claimed > 0
    # A wrong fix is 15 cm in height; at 7.5 cm sigma one in twenty right fixes would be counted as wrong.
    assert widest_m < 0.075
