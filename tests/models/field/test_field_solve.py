"""The online posterior: equal to GPyTorch's, to refitting without a row, and to what conditioning must do."""

import numpy as np
import pytest

from models.field.cell import difference
from models.field.centre import centre, group_median, group_median_slow
from models.field.definition import reference_posterior
from models.field.kernels import Hyperparameters, covariance, stack
from models.field.solve import FieldObservations, condition, leave_one_out, predict, prepare, residuals, solve

HYPER = Hyperparameters(vtec_sd_m=0.2, residual_sd_m=0.05)
# The field is 0.1 m, its variances 1e-2 m^2: 1e-8 is 10 nm, and six digits below anything that matters.
PARITY = {"rtol": 0.0, "atol": 1e-8}


def centre_of(observations):
    return centre(observations.value_m, observations.points.satellite, observations.station, observations.clean)


def check_against_definition(solver, draw_scene):
    """The conformance suite: a solver gives mean, covariance and log likelihood of the definition."""
    for seed, (stations, satellites, missing) in enumerate([(3, 4, 0.0), (4, 9, 0.5), (9, 12, 0.2), (6, 10, 0.35)]):
        rng = np.random.default_rng(seed)
        scales = rng.uniform(0.2, 10, satellites)
        scene = draw_scene(seed, stations=stations, satellites=satellites, missing=missing, scales=scales, hyper=HYPER)
        observations = scene.observations
        points = stack(scene.rover, scene.master)
        for weights in (np.ones(len(observations)), rng.uniform(0.01, 1, len(observations))):
            mean, covariance_m2, evidence = solver(HYPER, observations, scales, points, weights)
            expected = reference_posterior(HYPER, observations, scales, points, centre_of(observations), weights)
            np.testing.assert_allclose(mean, expected[0], **PARITY)
            np.testing.assert_allclose(covariance_m2, expected[1], **PARITY)
            np.testing.assert_allclose(evidence, expected[2], **PARITY)


def online(hyper, observations, scales, points, weights):
    posterior = condition(hyper, observations, scales, weights)
    return *predict(posterior, points), posterior.log_likelihood


def leaky(hyper, observations, scales, points, weights):
    """Wrong on purpose: the noise of the measurement appears in the prediction of the field."""
    mean, covariance_m2, evidence = online(hyper, observations, scales, points, weights)
    return mean, covariance_m2 + hyper.noise_floor_m**2 * np.eye(len(mean)), evidence


def floorless(hyper, observations, scales, points, weights):
    """Wrong on purpose: the weight divides the formal noise, but not the floor."""
    floor = hyper.noise_floor_m**2
    noise = np.maximum((observations.noise_var_m2 + floor) / weights - floor * (1 / weights - 1) - floor, 0.0)
    changed = FieldObservations(
        observations.points, observations.station, observations.value_m, noise, observations.clean
    )
    return online(hyper, changed, scales, points, np.ones(len(weights)))


def test_online_solver_equals_gpytorch(draw_scene):
    check_against_definition(online, draw_scene)


@pytest.mark.parametrize("broken", [leaky, floorless])
def test_a_broken_solver_fails_the_conformance_suite(draw_scene, broken):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_against_definition(broken, draw_scene)


def test_leave_one_out_equals_refitting_without_the_row(draw_scene):
    scene = draw_scene(5, stations=5, satellites=8, missing=0.3)
    observations, rows = scene.observations, len(scene.observations)
    weights = np.random.default_rng(5).uniform(0.1, 1, rows)
    problem = prepare(HYPER, observations, scene.scales)
    residual_m, variance_m2 = leave_one_out(solve(problem, weights))
    for i in range(rows):
        others = np.where(np.arange(rows) == i, 0.0, weights)
        without, without_variance = residuals(problem, solve(problem, others))
        np.testing.assert_allclose(residual_m[i], without[i], rtol=1e-8, atol=1e-9)
        own_noise = problem.noise_m2[i] * (1 / weights[i] - 1)
        np.testing.assert_allclose(variance_m2[i], without_variance[i] + own_noise, rtol=1e-8)


def test_residuals_do_not_hold_the_weight_of_a_row_in_its_favour(draw_scene):
    scene = draw_scene(6, stations=4, satellites=6)
    problem = prepare(HYPER, scene.observations, scene.scales)
    weights = np.ones(len(scene.observations))
    weights[3] = 0.05
    inside = residuals(problem, solve(problem, weights))
    weights[3] = 0.0
    outside = residuals(problem, solve(problem, weights))
    np.testing.assert_allclose(inside[0][3], outside[0][3], rtol=1e-7)
    np.testing.assert_allclose(inside[1][3], outside[1][3], rtol=1e-7)


def test_another_observation_never_increases_a_variance(draw_scene):
    scene = draw_scene(7, stations=5, satellites=6, missing=0.2)
    order = np.random.default_rng(7).permutation(len(scene.observations))
    points = stack(scene.rover, scene.master)
    before = np.diag(covariance(HYPER, points, points, scene.scales))
    for count in range(1, len(order) + 1, 3):
        posterior = condition(HYPER, scene.observations.take(order[:count]), scene.scales)
        after = np.diag(predict(posterior, points)[1])
        assert np.all(after <= before + 1e-14)  # square metres; (0.1 um)^2 of rounding
        before = after


def test_posterior_covariance_is_symmetric_and_positive_semidefinite(draw_scene):
    scene = draw_scene(8)
    _, matrix = predict(condition(HYPER, scene.observations, scene.scales), stack(scene.rover, scene.master))
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def test_offsets_of_any_size_change_nothing(draw_scene, replaced):
    scene = draw_scene(9, missing=0.3)
    observations = scene.observations
    shift_m = 1e4 * np.arange(12)[observations.points.satellite]
    shifted = replaced(observations, value_m=observations.value_m + shift_m)
    points = stack(scene.rover, scene.master)
    mean, _ = predict(condition(HYPER, observations, scene.scales), points)
    moved, _ = predict(condition(HYPER, shifted, scene.scales), points)
    np.testing.assert_allclose(moved, mean, atol=1e-9)


def test_station_offsets_cancel(draw_scene, replaced):
    scene = draw_scene(10, missing=0.2)
    observations = scene.observations
    shift_m = np.random.default_rng(10).normal(0, 5.0, 9)[observations.station]
    shifted = replaced(observations, value_m=observations.value_m + shift_m)
    mean, _ = difference(condition(HYPER, observations, scene.scales), scene.rover, scene.master)
    moved, _ = difference(condition(HYPER, shifted, scene.scales), scene.rover, scene.master)
    # Medians over different stations leave some of the 5 m to a prior of 0.3 m: 0.1 mm is a hundredth of a sigma.
    np.testing.assert_allclose(moved, mean, atol=1e-4)


def test_order_of_rows_does_not_matter(draw_scene):
    scene = draw_scene(11, missing=0.3)
    order = np.random.default_rng(11).permutation(len(scene.observations))
    one = condition(HYPER, scene.observations, scene.scales)
    other = condition(HYPER, scene.observations.take(order), scene.scales)
    np.testing.assert_allclose(other.log_likelihood, one.log_likelihood, rtol=1e-10)
    for a, b in zip(predict(one, scene.rover), predict(other, scene.rover), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-10)


def test_satellite_of_one_station_is_harmless(draw_scene, replaced):
    scene = draw_scene(12, satellites=8)
    alone = (scene.observations.points.satellite != 0) | (scene.observations.station == 4)
    lonely = scene.observations.take(np.flatnonzero(alone))
    others = scene.observations.take(np.flatnonzero(scene.observations.points.satellite != 0))
    wild = replaced(lonely, value_m=lonely.value_m + 5.0 * (lonely.points.satellite == 0))
    rover, master = (points.take(np.arange(1, 8)) for points in (scene.rover, scene.master))
    expected, _ = difference(condition(HYPER, others, scene.scales), rover, master)
    for observations in (lonely, wild):
        mean, _ = difference(condition(HYPER, observations, scene.scales), rover, master)
        np.testing.assert_allclose(mean, expected, atol=1e-5)  # 10 um: offsets have a prior of 10 m, not of infinity


def test_without_observations_the_prior_remains(draw_scene):
    scene = draw_scene(13)
    posterior = condition(HYPER, scene.observations.take(np.zeros(0, dtype=np.int64)), scene.scales)
    mean, matrix = predict(posterior, scene.rover)
    assert not mean.any()
    np.testing.assert_array_equal(matrix, covariance(HYPER, scene.rover, scene.rover, scene.scales))
    assert posterior.log_likelihood == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_fast_median_equals_slow(seed):
    rng = np.random.default_rng(seed)
    value, group, preferred = rng.normal(size=60), rng.integers(-3, 7, 60), rng.uniform(size=60) < 0.3
    np.testing.assert_array_equal(group_median(value, group, preferred), group_median_slow(value, group, preferred))


@pytest.mark.parametrize("broken", ["value_m", "noise_var_m2", "station", "scales"])
def test_nonsense_is_refused_before_it_is_solved(draw_scene, broken):
    scene = draw_scene(14)
    parts = {name: getattr(scene.observations, name).copy() for name in ("station", "value_m", "noise_var_m2", "clean")}
    scales = scene.scales
    if broken == "value_m":
        parts["value_m"][3] = np.nan
    elif broken == "noise_var_m2":
        parts["noise_var_m2"][3] = -1.0
    elif broken == "station":
        parts["station"] = parts["station"][:-1]
    else:
        scales = scales[:-1]
    with pytest.raises(ValueError, match=r"finite|rows|scales"):
        condition(HYPER, FieldObservations(scene.observations.points, **parts), scales)
