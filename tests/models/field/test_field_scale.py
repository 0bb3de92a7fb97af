"""The live variance scale of a satellite."""

import numpy as np
import pytest

from models.field.scale import ScalePolicy, init, step


def run(ratio, *, dt_s, seconds, start=None, seed=0):
    """Feed residuals of a field whose variance is `ratio` times the model's, satellite 1 of 3, seven stations."""
    rng = np.random.default_rng(seed)
    state = init(3) if start is None else start
    for _ in range(int(seconds / dt_s)):
        z = rng.normal(size=7) * np.sqrt(ratio / state.scale[1])
        state = step(state, np.ones(7, dtype=np.int64), z, dt_s)
    return state


def test_starts_at_one_and_stays_there_when_the_model_is_right():
    assert np.array_equal(init(4).scale, np.ones(4))
    state = run(1.0, dt_s=1.0, seconds=3600)
    assert state.scale[1] == pytest.approx(1.0, abs=0.25)
    assert state.scale[0] == state.scale[2] == 1.0


@pytest.mark.parametrize("dt_s", [1.0, 30.0])
def test_follows_a_rougher_field_at_any_rate(dt_s):
    state = run(9.0, dt_s=dt_s, seconds=1800)
    # 25 effective observations and the prior of 3 at scale 1: 0.3 of relative spread about 8.
    assert 5.0 < state.scale[1] < 12.0


def test_forgets_within_minutes():
    rough = run(9.0, dt_s=10.0, seconds=1800)
    assert run(1.0, dt_s=10.0, seconds=1500, start=rough).scale[1] < 2.0


def test_unseen_satellite_drifts_back_to_one():
    state = run(9.0, dt_s=10.0, seconds=1800)
    for _ in range(60):
        state = step(state, np.zeros(0, dtype=np.int64), np.zeros(0), 60.0)
    assert state.scale[1] == pytest.approx(1.0, abs=0.05)


def test_limits_and_outliers():
    state = init(1)
    once = step(state, np.zeros(1, dtype=np.int64), np.array([1e6]), 30.0)
    assert once.scale[0] < 2.0
    for _ in range(1000):
        state = step(state, np.zeros(9, dtype=np.int64), np.full(9, 50.0), 30.0)
    assert state.scale[0] == ScalePolicy().highest
    for _ in range(1000):
        state = step(state, np.zeros(9, dtype=np.int64), np.zeros(9), 30.0)
    assert state.scale[0] == pytest.approx(0.2, abs=0.1)


def test_is_pure_and_refuses_time_running_backwards():
    state = run(4.0, dt_s=30.0, seconds=300)
    before = state.square.copy()
    step(state, np.ones(7, dtype=np.int64), np.ones(7), 30.0)
    assert np.array_equal(state.square, before)
    with pytest.raises(ValueError, match="dt_s"):
        step(state, np.ones(7, dtype=np.int64), np.ones(7), -1.0)
