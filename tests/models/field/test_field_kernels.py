"""The covariance of the field: fast equals slow, and it is a covariance."""

from dataclasses import replace

import numpy as np
import pytest

from models.field.kernels import (
    Hyperparameters,
    covariance,
    covariance_slow,
    matern32,
    measurement_covariance,
    measurement_covariance_slow,
    stack,
)


@pytest.mark.parametrize("seed", range(4))
def test_fast_equals_slow(draw_scene, seed):
    scales = np.random.default_rng(seed).uniform(0.2, 25, 7)
    scene = draw_scene(seed, stations=5, satellites=7, missing=0.3, scales=scales)
    points, station = scene.observations.points, scene.observations.station
    hyper = Hyperparameters(vtec_sd_m=0.5, residual_sd_m=0.1)
    # 1e-15 m^2 is (0.03 um)^2; the variances are 0.3 m^2, so this is the last digit.
    fast = covariance(hyper, points, scene.rover, scales)
    np.testing.assert_allclose(fast, covariance_slow(hyper, points, scene.rover, scales), rtol=1e-12, atol=1e-15)
    fast = measurement_covariance(hyper, points, station, scales)
    np.testing.assert_allclose(fast, measurement_covariance_slow(hyper, points, station, scales), rtol=1e-12)


def test_covariance_is_symmetric_and_positive_semidefinite(draw_scene):
    scene = draw_scene(1, missing=0.2)
    both = stack(scene.observations.points, scene.rover)
    field = covariance(Hyperparameters(), both, both, scene.scales)
    measured = measurement_covariance(
        Hyperparameters(), scene.observations.points, scene.observations.station, scene.scales
    )
    for matrix in (field, measured):
        assert np.array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix).min() > -1e-13 * np.linalg.eigvalsh(matrix).max()


def test_variance_at_a_point_is_the_sum_of_the_parts_mapped_to_the_slant(draw_scene):
    scales = np.array([1.0, 4.0, 0.25])
    points = draw_scene(2, satellites=3, scales=scales).rover
    hyper = Hyperparameters(vtec_sd_m=0.3, residual_sd_m=0.05)
    expected = points.slant_factor**2 * (0.3**2 + 0.05**2 * scales)
    np.testing.assert_allclose(np.diag(covariance(hyper, points, points, scales)), expected, rtol=1e-14)


def test_satellites_share_the_shell_and_nothing_else(draw_scene):
    points = draw_scene(3, satellites=2).rover
    scales = np.ones(2)
    without_shell = covariance(Hyperparameters(vtec_sd_m=0.0), points, points, scales)
    assert without_shell[0, 1] == 0.0
    assert covariance(Hyperparameters(), points, points, scales)[0, 1] > 0.0


def test_matern_falls_from_one_with_horizontal_tangent():
    value = matern32(np.array([0.0, 1e-4, 1.0, 50.0]))
    assert value[0] == 1.0
    assert 1.0 - value[1] < 2e-8  # 3/2 d^2
    np.testing.assert_allclose(value[2], (1 + 3**0.5) * np.exp(-(3**0.5)), rtol=1e-15)
    assert value[3] < 1e-35


@pytest.mark.parametrize(
    ("name", "value"), [("vtec_sd_m", -1.0), ("residual_length_m", 0.0), ("noise_floor_m", 0.0), ("vtec_sd_m", np.nan)]
)
def test_impossible_hyperparameters_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        replace(Hyperparameters(), **{name: value})
