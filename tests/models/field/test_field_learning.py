"""Learning the hyperparameters: same objective as the online solver, recovery, determinism."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.field.kernels import Hyperparameters
from models.field.learning import Learned, LearningPolicy, LearningStatus, _Objective, learn, objective_slow, usable

TRUE = Hyperparameters(vtec_sd_m=0.25, residual_sd_m=0.05, residual_length_m=100_000.0, noise_floor_m=0.005)
START = Hyperparameters()
POLICY = LearningPolicy()


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(name="window", scope="module")
def _window(draw_scene):
    """Twelve independent epochs of ragged length, some with satellites rougher than others."""
    scales = [np.where(np.arange(10) == seed % 10, 4.0, 1.0) for seed in range(12)]
    scenes = [
        draw_scene(100 + seed, stations=6, satellites=10, missing=0.15, hyper=TRUE, scales=scales[seed])
        for seed in range(12)
    ]
    return [scene.observations for scene in scenes], scales


@pytest.fixture(name="learned", scope="module")
def _learned(window) -> Learned:
    return learn(window[0], START, window[1])


def test_objective_equals_the_online_solver(window):
    epochs = usable(*window, None, POLICY)
    objective = _Objective(epochs, START, POLICY)
    for hyper in (START, TRUE, replace(TRUE, vtec_length_m=800_000.0)):
        loss, _ = objective(objective.at(hyper))
        # Log likelihoods are of order 1e3 here: 1e-6 is the ninth digit, after systems of condition 1e8.
        assert -loss == pytest.approx(objective_slow(epochs, hyper, POLICY), abs=1e-6)


def test_gradient_equals_differences(window):
    objective = _Objective(usable(*window, None, POLICY), START, POLICY)
    logs = objective.at(TRUE)
    _, gradient = objective(logs)
    for i in range(len(logs)):
        step = np.zeros(len(logs))
        step[i] = 1e-5
        numeric = (objective(logs + step)[0] - objective(logs - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


def test_recovers_what_was_simulated(learned):
    assert learned.status is LearningStatus.CONVERGED
    assert learned.hyper.vtec_sd_m == pytest.approx(TRUE.vtec_sd_m, rel=0.5)
    assert learned.hyper.residual_sd_m == pytest.approx(TRUE.residual_sd_m, rel=0.25)
    assert learned.hyper.residual_length_m == pytest.approx(TRUE.residual_length_m, rel=0.35)
    # The gradient sd / length is what a network of this size determines.
    gradient = learned.hyper.residual_sd_m / learned.hyper.residual_length_m
    assert gradient == pytest.approx(TRUE.residual_sd_m / TRUE.residual_length_m, rel=0.2)
    assert 0.001 <= learned.hyper.noise_floor_m <= 0.010
    assert learned.hyper.vtec_length_m == pytest.approx(START.vtec_length_m, rel=0.2)
    assert learned.hyper.station_offset_sd_m == START.station_offset_sd_m


def test_explains_the_window_better_than_start_and_as_well_as_the_truth(window, learned):
    assert learned.log_likelihood_per_row > learned.start_log_likelihood_per_row + 0.5
    epochs = usable(*window, None, POLICY)
    assert objective_slow(epochs, learned.hyper, POLICY) >= objective_slow(epochs, TRUE, POLICY)


def test_is_deterministic_and_at_home_where_it_ended(window, learned):
    assert learn(window[0], START, window[1]) == learned
    again = learn(window[0], learned.hyper, window[1])
    assert again.iterations <= 5
    assert again.hyper.residual_sd_m == pytest.approx(learned.hyper.residual_sd_m, rel=0.02)


def test_dirty_and_rejected_rows_are_not_learned_from(window, learned, replaced):
    spoiled, weights = [], []
    for k, observations in enumerate(window[0]):
        bad = np.arange(len(observations)) % 11 == k % 11
        flagged = bad & (np.arange(len(observations)) % 2 == 0)
        spoiled.append(replaced(observations, value_m=observations.value_m + 3.0 * bad, clean=~flagged))
        weights.append(np.where(bad & ~flagged, 0.0, 1.0))
    robust = learn(spoiled, START, window[1], weights)
    assert robust.rows < learned.rows
    assert robust.hyper.residual_sd_m == pytest.approx(learned.hyper.residual_sd_m, rel=0.3)


def test_too_little_to_learn_from_leaves_the_start(window):
    tiny = [observations.take(np.arange(5)) for observations in window[0]]
    result = learn(tiny, START, window[1])
    assert result.status is LearningStatus.TOO_FEW_ROWS
    assert result.hyper == START
    with pytest.raises(ValueError, match="one per epoch"):
        learn(window[0], START, window[1][:-1])


def test_bounds_hold(window):
    policy = replace(POLICY, beliefs={**POLICY.beliefs, "residual_sd_m": replace(
        POLICY.beliefs["residual_sd_m"], highest=0.03)})  # fmt: skip
    assert learn(window[0], START, window[1], policy=policy).hyper.residual_sd_m <= 0.03
