"""The baselines: each reproduces what it should on clean data, and each robust one survives what it promises to."""

from dataclasses import replace

import numpy as np
import pytest

from models.field.baselines import METHODS, MethodName
from models.field.definition import reference_posterior
from models.field.kernels import FieldPoints, Hyperparameters, covariance_slow, stack
from models.field.linear_rules import _inverse_distance, _nearest, _plane, fit_plane
from models.field.robust import RobustPolicy, filter_reweight_retrain
from models.field.solve import FieldObservations, condition, prepare
from models.field.trimming import least_trimmed_weights, ransac_weights
from stations.frames import enu_rotation_at

HYPER = Hyperparameters()
ROBUST = (
    MethodName.FRR, MethodName.HUBER, MethodName.STUDENT, MethodName.IGG3, MethodName.TRIMMED, MethodName.RANSAC,
)  # fmt: skip
LINEAR = tuple(name for name, method in METHODS.items() if method.linear)


def mean_error(scene, observations, name):
    mean_m, _ = METHODS[name].fit(HYPER, observations, scene.scales).difference(scene.rover, scene.master)
    error_m = mean_m - scene.difference_m
    return error_m - error_m.mean()


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


def with_values(observations, value_m):
    return FieldObservations(
        observations.points, observations.station, value_m, observations.noise_var_m2, observations.clean
    )


def planes(scene, rng):
    """Values that are a plane for every satellite plus offsets, and the true differences at the rover."""
    origin_m = scene.observations.points.position_m.mean(axis=0)
    axes = enu_rotation_at(origin_m)[:2].T
    gradient = rng.normal(0, 1e-6, (len(scene.scales), 2))
    satellite_m, station_m = rng.normal(0, 3, len(scene.scales)), rng.normal(0, 3, 20)

    def at(points):
        return np.einsum("ij,ij->i", (points.position_m - origin_m) @ axes, gradient[points.satellite])

    points = scene.observations.points
    value_m = at(points) + satellite_m[points.satellite] + station_m[scene.observations.station]
    return value_m, at(scene.rover) - at(scene.master)


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_answers_with_a_covariance_and_modifies_nothing(draw_scene, dirty, name):
    scene = draw_scene(1, missing=0.2)
    observations, _ = dirty(scene.observations, 1, 0.2)
    before = observations.value_m.copy(), observations.clean.copy()
    mean_m, covariance_m2 = METHODS[name].fit(HYPER, observations, scene.scales).difference(scene.rover, scene.master)
    assert mean_m.shape == (12,)
    assert covariance_m2.shape == (12, 12)
    np.testing.assert_allclose(covariance_m2, covariance_m2.T, atol=1e-12)
    assert np.linalg.eigvalsh(covariance_m2).min() > -1e-12
    assert np.array_equal(before[0], observations.value_m)
    assert np.array_equal(before[1], observations.clean)


def test_plain_process_is_the_definition(draw_scene):
    scene = draw_scene(2)
    mean_m, covariance_m2 = (
        METHODS[MethodName.PLAIN].fit(HYPER, scene.observations, scene.scales).difference(scene.rover, scene.master)
    )
    centre_m = scene.observations.value_m - prepare(HYPER, scene.observations, scene.scales).centred_m
    ends = stack(scene.rover, scene.master)
    joint_m, joint_m2, _ = reference_posterior(HYPER, scene.observations, scene.scales, ends, centre_m)
    operator = np.hstack([np.eye(12), -np.eye(12)])
    np.testing.assert_allclose(mean_m, operator @ joint_m, atol=1e-8)
    np.testing.assert_allclose(covariance_m2, operator @ joint_m2 @ operator.T, atol=1e-8)


def test_first_method_is_what_the_engine_does(draw_scene, dirty):
    scene = draw_scene(3)
    observations, _ = dirty(scene.observations, 3, 0.3)
    ours = METHODS[MethodName.FRR].fit(HYPER, observations, scene.scales)
    engine = filter_reweight_retrain(HYPER, observations, scene.scales, RobustPolicy())
    assert np.array_equal(ours.posterior.solution, engine.posterior.solution)


def test_flags_method_leaves_flagged_rows_out_and_others_cannot_see_them(draw_scene, dirty):
    scene = draw_scene(4)
    observations, _ = dirty(scene.observations, 4, 0.3)
    flags = METHODS[MethodName.FLAGS].fit(HYPER, observations, scene.scales)
    assert np.array_equal(flags.posterior.row, np.flatnonzero(observations.clean))
    everything_flagged = replace(observations, clean=np.zeros(len(observations), dtype=bool))
    for name in set(METHODS) - {MethodName.FRR, MethodName.FLAGS}:
        one = METHODS[name].fit(HYPER, observations, scene.scales).difference(scene.rover, scene.master)
        two = METHODS[name].fit(HYPER, everything_flagged, scene.scales).difference(scene.rover, scene.master)
        assert np.array_equal(one[0], two[0]), name


@pytest.mark.parametrize(("name", "limit"), [(name, 1.3 if name is MethodName.TRIMMED else 1.1) for name in ROBUST])
def test_robust_methods_cost_little_on_clean_data(draw_scene, name, limit):
    scenes = [draw_scene(seed) for seed in range(20)]
    plain = [mean_error(scene, scene.observations, MethodName.PLAIN) for scene in scenes]
    robust = [mean_error(scene, scene.observations, name) for scene in scenes]
    assert rms(robust) < limit * rms(plain)  # trimming by half is known for its low efficiency


@pytest.mark.parametrize("name", ROBUST)
def test_robust_methods_survive_one_gross_outlier(draw_scene, name):
    kept, lost = [], []
    for seed in range(10):
        scene = draw_scene(seed)
        value_m = scene.observations.value_m.copy()
        value_m[13 + seed] += 0.5
        observations = with_values(scene.observations, value_m)
        kept.append(mean_error(scene, observations, name))
        lost.append(mean_error(scene, observations, MethodName.PLAIN))
    clean = [mean_error(draw_scene(seed), draw_scene(seed).observations, MethodName.PLAIN) for seed in range(10)]
    # Huber bounds the influence of a gross error, and keeps a part of it: measured 0.6 of the plain process.
    assert rms(kept) < (0.8 if name in (MethodName.HUBER, MethodName.TRIMMED) else 0.6) * rms(lost)
    assert rms(kept) < 1.5 * rms(clean)


def test_filter_reweight_retrain_beats_every_baseline_at_thirty_percent(draw_scene, dirty):
    errors = {name: [] for name in METHODS}
    for seed in range(12):
        scene = draw_scene(seed)
        observations, _ = dirty(scene.observations, seed, 0.3)
        for name in METHODS:
            errors[name].append(mean_error(scene, observations, name))
    best = min((rms(error), name) for name, error in errors.items())
    assert best[1] is MethodName.FRR, {str(name): round(rms(error), 4) for name, error in errors.items()}


def test_trimming_and_consensus_name_the_bad_rows(draw_scene):
    scene = draw_scene(5)
    rng = np.random.default_rng(5)
    bad = rng.uniform(size=len(scene.observations)) < 0.2
    value_m = scene.observations.value_m + bad * rng.choice([-1, 1], len(bad)) * rng.uniform(0.3, 0.6, len(bad))
    problem = prepare(HYPER, with_values(scene.observations, value_m), scene.scales)
    for weigh in (least_trimmed_weights, ransac_weights):
        weight = weigh(problem)
        assert set(np.unique(weight)) <= {0.0, 1.0}
        assert weight[bad].mean() < 0.15, weigh.__name__
        assert weight[~bad].mean() > 0.85, weigh.__name__


def test_consensus_keeps_satellites_of_two_rows(draw_scene):
    scene = draw_scene(6)
    row = np.flatnonzero((scene.observations.points.satellite > 0) | (scene.observations.station < 2))
    few = scene.observations.take(row)
    weight = ransac_weights(prepare(HYPER, few, scene.scales))
    assert weight[few.points.satellite == 0].tolist() == [1.0, 1.0]


def test_plane_is_exact_on_planes_with_any_offsets_and_missing_rows(draw_scene):
    for seed in range(5):
        scene = draw_scene(seed, missing=0.2)
        value_m, truth_m = planes(scene, np.random.default_rng(seed))
        estimate = fit_plane(HYPER, with_values(scene.observations, value_m), scene.scales)
        error_m = estimate.difference(scene.rover, scene.master)[0] - truth_m
        # Priors of 10 m offsets and 20 ppm gradients against 3 mm of noise leave less than a tenth of a millimetre.
        assert np.abs(error_m - error_m.mean()).max() < 1e-4


def test_nearest_is_the_nearest_station_that_sees_the_satellite(draw_scene):
    scene = draw_scene(7, missing=0.3)
    problem = prepare(HYPER, scene.observations, scene.scales)
    weights = _nearest(problem, scene.rover)
    for k, satellite in enumerate(scene.rover.satellite):
        rows = np.flatnonzero(scene.observations.points.satellite == satellite)
        distance_m = np.linalg.norm(scene.observations.points.position_m[rows] - scene.rover.position_m[k], axis=1)
        assert np.flatnonzero(weights[k]).tolist() == [rows[np.argmin(distance_m)]]
    at_master = METHODS[MethodName.NEAREST].fit(HYPER, scene.observations, scene.scales)
    assert not at_master.difference(scene.master, scene.master)[0].any()


def test_weights_of_averages_sum_to_one_and_follow_distance(draw_scene):
    scene = draw_scene(8)
    problem = prepare(HYPER, scene.observations, scene.scales)
    weights = _inverse_distance(problem, scene.rover)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    rows = np.flatnonzero(scene.observations.points.satellite == scene.rover.satellite[0])
    distance_m = np.linalg.norm(scene.observations.points.position_m[rows] - scene.rover.position_m[0], axis=1)
    np.testing.assert_allclose(weights[0, rows] * distance_m, (weights[0, rows] * distance_m)[0])
    own = _inverse_distance(problem, scene.master)[0]
    assert own[rows[np.argmax(own[rows])]] > 0.999


@pytest.mark.parametrize("name", LINEAR)
def test_rules_say_nothing_about_satellites_that_no_station_sees(draw_scene, name):
    scene = draw_scene(9)
    seen = scene.observations.take(np.flatnonzero(scene.observations.points.satellite != 3))
    mean_m, covariance_m2 = METHODS[name].fit(HYPER, seen, scene.scales).difference(scene.rover, scene.master)
    assert mean_m[3] == 0.0
    ends = stack(scene.rover, scene.master)
    operator = np.hstack([np.eye(12), -np.eye(12)])
    prior_m2 = operator @ covariance_slow(HYPER, ends, ends, scene.scales) @ operator.T
    assert covariance_m2[3, 3] == pytest.approx(prior_m2[3, 3])


@pytest.mark.parametrize("name", [*LINEAR, MethodName.PLAIN])
def test_stated_variance_holds_for_fields_drawn_from_the_model(draw_scene, name):
    difference = np.eye(12) - 1 / 12
    z = []
    for seed in range(60):
        scene = draw_scene(seed)
        mean_m, covariance_m2 = (
            METHODS[name].fit(HYPER, scene.observations, scene.scales).difference(scene.rover, scene.master)
        )
        error_m = difference @ (mean_m - scene.difference_m)
        z.append(error_m / np.sqrt(np.diag(difference @ covariance_m2 @ difference.T)))
    assert 0.9 < rms(z) < 1.1


def test_process_is_the_best_linear_rule_where_the_model_is_right(draw_scene):
    errors = {
        name: rms([mean_error(draw_scene(seed), draw_scene(seed).observations, name) for seed in range(30)])
        for name in (*LINEAR, MethodName.PLAIN)
    }
    assert errors[MethodName.PLAIN] == min(errors.values()), errors


@pytest.mark.parametrize("name", list(METHODS))
def test_no_observations_give_the_prior(draw_scene, name):
    scene = draw_scene(10)
    nothing = scene.observations.take(np.zeros(0, dtype=np.int64))
    mean_m, covariance_m2 = METHODS[name].fit(HYPER, nothing, scene.scales).difference(scene.rover, scene.master)
    assert not mean_m.any()
    assert np.diag(covariance_m2).min() > 0.0


def test_thin_shell_is_the_process_without_residual(draw_scene):
    scene = draw_scene(11)
    shell = replace(HYPER, residual_sd_m=0.0)
    ours = METHODS[MethodName.SHELL].fit(shell, scene.observations, scene.scales)
    assert METHODS[MethodName.SHELL].thin_shell
    assert np.array_equal(ours.posterior.solution, condition(shell, scene.observations, scene.scales).solution)


def test_plane_of_an_unknown_satellite_is_flat(draw_scene):
    scene = draw_scene(12)
    problem = prepare(HYPER, scene.observations, scene.scales)
    stranger = FieldPoints(
        np.array([99]), scene.rover.pierce_m[:1], scene.rover.position_m[:1], scene.rover.slant_factor[:1]
    )
    assert not _plane(problem, stranger).any()
