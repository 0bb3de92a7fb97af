"""What leaves a cell: differences with a covariance that means what it says."""

import numpy as np
import pytest

from models.field.cell import difference, fit_cell
from models.field.kernels import Hyperparameters, stack
from models.field.solve import condition, predict


def test_difference_is_the_difference_of_the_joint_prediction(draw_scene):
    scene = draw_scene(1)
    cell = fit_cell("cell", 0, Hyperparameters(), scene.observations, scene.scales)
    mean, matrix = cell.difference(scene.rover, scene.master)
    joint_mean, joint = predict(cell.posterior, stack(scene.rover, scene.master))
    operator = np.hstack([np.eye(12), -np.eye(12)])
    np.testing.assert_allclose(mean, operator @ joint_mean, atol=1e-12)
    np.testing.assert_allclose(matrix, operator @ joint @ operator.T, atol=1e-14)
    assert np.array_equal(matrix, matrix.T)


def test_nothing_lies_between_a_point_and_itself(draw_scene):
    scene = draw_scene(2)
    posterior = condition(Hyperparameters(), scene.observations, scene.scales)
    mean, matrix = difference(posterior, scene.rover, scene.rover)
    np.testing.assert_array_equal(mean, 0.0)
    np.testing.assert_allclose(matrix, 0.0, atol=1e-16)


def test_different_satellites_are_refused(draw_scene):
    scene = draw_scene(3)
    posterior = condition(Hyperparameters(), scene.observations, scene.scales)
    with pytest.raises(ValueError, match="same order"):
        difference(posterior, scene.rover, scene.master.take(np.arange(11, -1, -1)))


def test_sigma_is_honest_at_a_place_without_station(draw_scene):
    square = []
    for seed in range(60):
        scene = draw_scene(seed, stations=6, satellites=8, missing=0.1)
        mean, matrix = difference(
            condition(Hyperparameters(), scene.observations, scene.scales), scene.rover, scene.master
        )
        square.append(np.mean(np.linalg.solve(np.linalg.cholesky(matrix), scene.difference_m - mean) ** 2))
    # 480 whitened errors: the root mean square of right ones stays within 1 +- 0.1 at three sigma.
    assert np.sqrt(np.mean(square)) == pytest.approx(1.0, abs=0.1)
