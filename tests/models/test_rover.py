"""The single-epoch rover on simulated observations with known position, integers and ionosphere."""

import numpy as np
import pytest

from models.fix import FixPolicy
from models.rover import (
    MIN_SATELLITES,
    Corrections,
    RoverPolicy,
    RoverStatus,
    _solve_float,
    cautious,
    common_rows,
    solve,
)

POLICY = RoverPolicy()
WAVELENGTH_M = np.array([0.190293672798365, 0.244210213424568])
MOVED_M = np.array([0.8, -1.1, 0.6])  # rover against the point that it is reduced at: code accuracy
IONO_SD_M = 0.012  # network interpolation at some 35 km


def local_axes(position_m):
    """Return the rows east, north and up on a sphere."""
    up = position_m / np.linalg.norm(position_m)
    east = np.cross([0.0, 0.0, 1.0], up)
    east /= np.linalg.norm(east)
    return np.stack([east, np.cross(up, east), up])


class Scene:
    """Rover and master in one epoch of a world, and honest corrections drawn around the truth."""

    def __init__(self, world, *, iono_sd_m=IONO_SD_M, moved_m=MOVED_M, seed=0):
        rng = np.random.default_rng(1000 + seed)
        world.moved_m["S01"] = np.asarray(moved_m, dtype=float)
        _, reduced = world.epoch()
        rover, master = reduced["S01"], reduced["S00"]
        rows, base_rows = common_rows(POLICY, rover, master)
        self.rover, self.master = rover.rows(rows), master.rows(base_rows)
        column = np.searchsorted(world.satellites, self.rover.satellite)
        count = len(column)
        slant_m = [
            world.zenith_ionosphere_m[k, column] * one.slant_factor for k, one in ((1, self.rover), (0, self.master))
        ]
        self.true_iono_m = slant_m[0] - slant_m[1]
        # Errors of neighbouring satellites are alike: half of the variance is common.
        covariance = (
            iono_sd_m**2 * (0.5 * np.eye(count) + 0.5) * np.outer(self.rover.slant_factor, self.rover.slant_factor)
        )
        error_m = np.linalg.cholesky(covariance) @ rng.normal(size=count) if iono_sd_m else np.zeros(count)
        zwd_covariance = np.diag([0.004, 0.002]) ** 2
        zwd_m = world.zwd_m[[1, 0]] + np.diag([0.004, 0.002]) @ rng.normal(size=2)
        self.corrections = Corrections(self.true_iono_m + error_m, covariance, zwd_m, zwd_covariance)
        self.reference_m = world.station_m[1]
        self.truth_m = self.reference_m + moved_m

    def solve(self, policy=POLICY):
        return solve(policy, self.rover, self.master, self.corrections, self.reference_m)

    def order(self, rows):
        """Return the same scene with its satellites in another order."""
        other = object.__new__(Scene)
        c = self.corrections
        other.rover, other.master = self.rover.rows(rows), self.master.rows(rows)
        other.corrections = Corrections(
            c.ionosphere_m[rows], c.ionosphere_covariance_m2[np.ix_(rows, rows)], c.zwd_m, c.zwd_covariance_m2
        )
        other.reference_m, other.truth_m = self.reference_m, self.truth_m
        return other


def _world(make_world, seed, satellites=9, **options):
    options = {"code_sd_m": POLICY.code_sd_m, "phase_sd_m": POLICY.phase_sd_m, "radius_m": 35_000.0, **options}
    return make_world(seed, stations=3, satellites=satellites, **options)


def _with(scene, **changes):
    c = scene.corrections
    values = {
        "ionosphere_m": c.ionosphere_m,
        "ionosphere_covariance_m2": c.ionosphere_covariance_m2,
        "zwd_m": c.zwd_m,
        "zwd_covariance_m2": c.zwd_covariance_m2,
    }
    scene.corrections = Corrections(**{**values, **changes})
    return scene


def _normalised(solution, truth_m):
    error = solution.position_m - truth_m
    return float(error @ np.linalg.solve(solution.covariance_m2, error))


# ------------------------------------------------------------------------------------------------------------ accuracy


def test_single_epochs_fix_and_are_right(make_world):
    """With a good field nearly all single epochs are fixed, and every fix is within its own three sigma."""
    fixed = 0
    for seed in range(60):
        scene = Scene(_world(make_world, seed), seed=seed)
        solution = scene.solve()
        if solution.status not in {RoverStatus.FIXED, RoverStatus.PARTIAL}:
            continue
        fixed += 1
        error_m = local_axes(scene.truth_m) @ (solution.position_m - scene.truth_m)
        assert np.hypot(error_m[0], error_m[1]) < 0.05
        # Three degrees of freedom: 99.9 % of draws are below 16.3.
        assert _normalised(solution, scene.truth_m) < 20.0
        assert 0.0 <= solution.wrong_fix_probability < 0.05
        assert (solution.reason == "") == (solution.status is RoverStatus.FIXED)
    assert fixed >= 54


def test_the_float_covariance_is_honest(make_world):
    """Over 200 draws the normalised squared error of the float position has the mean of its three dimensions."""
    policy = RoverPolicy(fix=FixPolicy(min_success_rate=1.0), maximum_dropped=0)
    values = []
    for seed in range(200):
        scene = Scene(_world(make_world, 300 + seed), seed=seed)
        solution = scene.solve(policy)
        assert solution.status is RoverStatus.FLOAT
        values.append(_normalised(solution, scene.truth_m))
    # The mean of 200 draws of chi-square with three degrees of freedom has a sigma of 6 %.
    assert 0.8 < np.mean(values) / 3.0 < 1.2


def test_the_fixed_covariance_is_honest(make_world):
    """The same for the fixed position."""
    values = []
    for seed in range(120):
        scene = Scene(_world(make_world, 600 + seed), seed=seed)
        solution = scene.solve()
        if solution.status is RoverStatus.FIXED and not len(solution.dropped):
            values.append(_normalised(solution, scene.truth_m))
    assert len(values) > 90
    assert 0.75 < np.mean(values) / 3.0 < 1.25  # sigma 8 %


def test_float_equals_explicit_least_squares(make_world):
    """The float solution is that of a dense least squares with ionosphere, troposphere and clocks as parameters."""
    scene = Scene(_world(make_world, 3))
    part = _solve_float(POLICY, scene.rover, scene.master, scene.corrections)
    rover, master, c = scene.rover, scene.master, scene.corrections
    count = len(rover.satellite)
    mu = np.array([1.0, (1575.42 / 1227.60) ** 2])
    # Unknowns: position, ionosphere per satellite, two zenith delays, four clocks, two single-difference integers each.
    size = 3 + count + 2 + 4 + 2 * count
    rows, values = [], []
    for kind in range(4):
        band, is_code = kind % 2, kind < 2
        for s in range(count):
            row = np.zeros(size)
            row[:3] = -rover.unit[s]
            row[3 + s] = mu[band] * (1 if is_code else -1)
            row[3 + count], row[4 + count] = rover.wet_mapping[s], -master.wet_mapping[s]
            row[5 + count + kind] = 1.0
            if not is_code:
                row[9 + count + band * count + s] = WAVELENGTH_M[band]
            name = "code_m" if is_code else "phase_m"
            value = getattr(rover, name)[band, s] - getattr(master, name)[band, s]
            sd = POLICY.code_sd_m if is_code else POLICY.phase_sd_m
            spread = sum(1 + 1 / np.sin(one.elevation_rad[s]) ** 2 for one in (rover, master))
            rows.append(row / (sd * np.sqrt(spread)))
            values.append(value / (sd * np.sqrt(spread)))
    white = np.linalg.solve(np.linalg.cholesky(c.ionosphere_covariance_m2), np.eye(count))
    prior = np.zeros((count, size))
    prior[:, 3 : 3 + count] = white
    zwd = np.zeros((2, size))
    zwd[:, 3 + count : 5 + count] = np.linalg.solve(np.linalg.cholesky(c.zwd_covariance_m2), np.eye(2))
    matrix = np.vstack([np.array(rows), prior, zwd])
    right = np.concatenate([values, white @ c.ionosphere_m, zwd[:, 3 + count : 5 + count] @ c.zwd_m])
    solution = np.linalg.lstsq(matrix, right, rcond=1e-14)[0]
    # Minimum norm over the common level of clocks and integers; the position is unique. Clocks of 500 m: 1e-9 m.
    np.testing.assert_allclose(part.mean[:3], solution[:3], rtol=0, atol=1e-6)
    ambiguity = solution[9 + count :].reshape(2, count)
    (pivot,) = np.flatnonzero(part.model.pivots)
    others = np.delete(np.arange(count), pivot)
    expected = (ambiguity[:, others] - ambiguity[:, [pivot]]).ravel()
    np.testing.assert_allclose(part.mean[3:], expected, rtol=0, atol=1e-5)


# ----------------------------------------------------------------------------------------------------------- invariance


def test_the_order_of_satellites_does_not_matter(make_world, rng):
    """Any permutation of the satellites gives the same position, status and covariance."""
    scene = Scene(_world(make_world, 5))
    one = scene.solve()
    for _ in range(5):
        other = scene.order(rng.permutation(len(scene.rover.satellite))).solve()
        assert other.status is one.status
        # Equal in exact arithmetic; sums in another order round differently.
        np.testing.assert_allclose(other.position_m, one.position_m, rtol=0, atol=1e-7)
        np.testing.assert_allclose(other.covariance_m2, one.covariance_m2, rtol=1e-5, atol=1e-12)


def test_whole_cycles_do_not_matter(make_world, reduced_with, rng):
    """Adding any whole cycles to any phase moves the integers and nothing else."""
    scene = Scene(_world(make_world, 6))
    one = scene.solve()
    cycles = rng.integers(-100_000, 100_000, scene.rover.phase_m.shape)
    scene.rover = reduced_with(scene.rover, phase_m=scene.rover.phase_m + WAVELENGTH_M[:, None] * cycles)
    other = scene.solve()
    assert other.status is one.status
    # Wavelengths of this test and of the models agree to 1e-15 relative; 1e5 cycles carry 1e-11 m.
    np.testing.assert_allclose(other.position_m, one.position_m, rtol=0, atol=1e-6)


def test_clocks_of_rover_and_satellites_do_not_matter(make_world, reduced_with, rng):
    """A clock of each type of the rover, and any clock of a satellite, leave the position alone."""
    scene = Scene(_world(make_world, 7))
    one = scene.solve()
    count = len(scene.rover.satellite)
    satellite_m = rng.normal(0, 100.0, (2, count))
    for name in ("rover", "master"):
        r = getattr(scene, name)
        moved = reduced_with(
            r,
            code_m=r.code_m + rng.normal(0, 1e4, (2, 1)) + satellite_m,
            phase_m=r.phase_m + rng.normal(0, 1e4, (2, 1)) + satellite_m,
        )
        setattr(scene, name, moved)
    other = scene.solve()
    assert other.status is one.status
    np.testing.assert_allclose(other.position_m, one.position_m, rtol=0, atol=1e-6)


# --------------------------------------------------------------------------------------------------------------- faults


def _claims_centimetres(solution):
    return solution.status in {RoverStatus.FIXED, RoverStatus.PARTIAL}


def test_a_wrong_ionosphere_does_not_give_a_silent_wrong_fix(make_world):
    """20 cm on one satellite, far beyond its sigma: refused, dropped or harmless, but no wrong fix in centimetres."""
    wrong = 0
    for seed in range(60):
        scene = Scene(_world(make_world, 900 + seed), seed=seed)
        bias = np.zeros(len(scene.rover.satellite))
        bias[seed % len(bias)] = 0.20
        solution = _with(scene, ionosphere_m=scene.corrections.ionosphere_m + bias).solve()
        if _claims_centimetres(solution):
            wrong += np.linalg.norm(solution.position_m - scene.truth_m) > 0.15
    assert wrong == 0


def test_a_cautious_rover_claims_only_what_needs_no_search_and_is_beyond_doubt(make_world):
    """Against a network that is still fixing: a subset of the fixes, each without a search, none at bad odds."""
    cautious_fixes = fixes = refused = 0
    for seed in range(40):
        scene = Scene(_world(make_world, 900 + seed, satellites=7), seed=seed)
        bias = np.zeros(len(scene.rover.satellite))
        bias[seed % len(bias)] = 0.04 * (seed % 4)
        scene = _with(scene, ionosphere_m=scene.corrections.ionosphere_m + bias)
        usual, careful = scene.solve(), scene.solve(cautious(POLICY))
        fixes += _claims_centimetres(usual)
        cautious_fixes += _claims_centimetres(careful)
        refused += "still fixing its own" in careful.reason
        if _claims_centimetres(careful):
            assert careful.wrong_fix_probability <= 1e-3
            assert np.array_equal(careful.position_m, usual.position_m)
            assert len(careful.satellites) == len(scene.rover.satellite)
        else:
            assert careful.reason
            assert np.isnan(careful.wrong_fix_probability)
    assert 0 < cautious_fixes < fixes
    assert refused > 0


def test_a_code_outlier_is_dropped(make_world, reduced_with):
    """A code that is 5 m off (50 sigma) costs its satellite, and the rest fixes."""
    found = right = 0
    for seed in range(30):
        scene = Scene(_world(make_world, 1200 + seed), seed=seed)
        count = len(scene.rover.satellite)
        row = seed % count
        code_m = scene.rover.code_m.copy()
        code_m[seed % 2, row] += 5.0
        scene.rover = reduced_with(scene.rover, code_m=code_m)
        solution = scene.solve()
        found += scene.rover.satellite[row] in solution.dropped
        assert scene.rover.satellite[row] not in solution.satellites or not _claims_centimetres(solution)
        right += _claims_centimetres(solution) and np.linalg.norm(solution.position_m - scene.truth_m) < 0.06
    assert found >= 29
    assert right >= 24


def test_phase_cycles_of_a_third_do_not_fix_wrongly(make_world, reduced_with):
    """A phase that is a third of a cycle off (a half cycle slip halfway) gives no wrong centimetre position."""
    wrong = 0
    for seed in range(40):
        scene = Scene(_world(make_world, 1500 + seed), seed=seed)
        phase_m = scene.rover.phase_m.copy()
        phase_m[0, seed % phase_m.shape[1]] += 0.06
        scene.rover = reduced_with(scene.rover, phase_m=phase_m)
        solution = scene.solve()
        if _claims_centimetres(solution):
            wrong += np.linalg.norm(solution.position_m - scene.truth_m) > 0.15
    assert wrong == 0


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_too_few_satellites(make_world, count):
    """Fewer than five common satellites leave nothing to check: status none, with the number in the reason."""
    scene = Scene(_world(make_world, 8)).order(np.arange(count))
    solution = scene.solve()
    assert solution.status is RoverStatus.NONE
    assert str(count) in solution.reason
    assert str(MIN_SATELLITES) in solution.reason
    assert np.all(np.isnan(solution.covariance_m2))


def test_five_satellites_are_enough_for_something(make_world):
    """Five satellites give at least a float position with an honest covariance."""
    for seed in range(20):
        scene = Scene(_world(make_world, 1800 + seed, satellites=7), seed=seed).order(np.arange(5))
        solution = scene.solve()
        assert solution.status is not RoverStatus.NONE
        assert _normalised(solution, scene.truth_m) < 30.0


@pytest.mark.parametrize("scale", [0.0, 1e-18, 1.0, 1e4])
def test_singular_and_huge_corrections(make_world, scale):
    """A perfect, a nearly perfect and a useless ionosphere all give a position; the last one only a float."""
    scene = Scene(_world(make_world, 9), iono_sd_m=0.0)
    count = len(scene.rover.satellite)
    solution = _with(scene, ionosphere_covariance_m2=scale * np.ones((count, count)) + scale * np.eye(count)).solve()
    assert np.all(np.isfinite(solution.position_m))
    assert np.all(np.linalg.eigvalsh(solution.covariance_m2) > 0.0)
    if scale < 1.0:
        assert solution.status is RoverStatus.FIXED
    assert np.linalg.norm(solution.position_m - scene.truth_m) < 5 * np.sqrt(np.trace(solution.covariance_m2)) + 0.05


def test_exact_zenith_delays(make_world):
    """A covariance of zero for the zenith delays is allowed."""
    scene = _with(Scene(_world(make_world, 10)), zwd_covariance_m2=np.zeros((2, 2)))
    assert _claims_centimetres(scene.solve())


def test_a_rover_at_the_master(make_world):
    """A rover on the master's own antenna is at zero distance: all noise is still two receivers'."""
    world = _world(make_world, 12)
    world.station_m[1] = world.station_m[0]
    scene = Scene(world, iono_sd_m=0.0)
    solution = scene.solve()
    assert solution.status is RoverStatus.FIXED
    assert np.linalg.norm(solution.position_m - scene.truth_m) < 0.05
