"""The Melbourne-Wuebbena test against a loop over scalars, and on arcs with known slips."""

import numpy as np
import pytest

from models import wide_lane
from models.wide_lane import follow, fresh, wide_lane_cyc

L1_M, L2_M = 0.190293673, 0.244210213
WAVELENGTH_M = np.array([[L1_M], [L2_M]])
SIGMAS = 5.0


def test_only_the_wide_lane_ambiguity_is_left():
    """Any range, clock and ionosphere: what remains is N1 - N2."""
    mu = (WAVELENGTH_M / L1_M) ** 2
    integers = np.array([[1234.0], [-777.0]])
    code_m = 2.2e7 + mu * 7.3
    phase_m = 2.2e7 - mu * 7.3 + WAVELENGTH_M * integers
    assert wide_lane_cyc(code_m, phase_m, WAVELENGTH_M) == pytest.approx(1234 + 777, abs=1e-6)


def _follow_slow(values, sigmas, least):
    """Do as a sequence of ``follow`` for one arc, as Blewitt wrote it down; return the indexes of slips."""
    mean, variance, count, doubts, slips = 0.0, 0.25, 0, 0, []
    for k, value in enumerate(values):
        far = count >= 10 and abs(value - mean) > max(sigmas * np.sqrt(variance), least)
        if far and doubts:
            slips.append(k)
            mean, count, doubts = 0.0, 0, 0
        elif far:
            doubts += 1
        else:
            doubts = 0
            count += 1
            square = (value - mean) ** 2 if count > 1 else 0.25
            mean += (value - mean) / min(count, 600)
            variance += (square - variance) / (min(count, 600) + 10)
    return slips, mean, variance


def test_all_arcs_at_once_are_as_one_after_the_other(rng):
    values = rng.normal(0, 0.3, (200, 8))
    values[60:, 2] += 4.0
    values[90:, 5] -= 3.0
    values[120, 6] += 30.0  # a spike, which is no slip
    least = np.full(8, 1.0)
    memory, slips = fresh(8), [[] for _ in range(8)]
    for k, row in enumerate(values):
        memory, slipped = follow(memory, row, np.ones(8, dtype=bool), SIGMAS, least)
        for arc in np.flatnonzero(slipped):
            slips[arc].append(k)
    for arc in range(8):
        expected, mean, variance = _follow_slow(values[:, arc], SIGMAS, 1.0)
        assert slips[arc] == expected
        assert memory.mean_cyc[arc] == pytest.approx(mean, abs=1e-12)
        assert memory.variance_cyc2[arc] == pytest.approx(variance, abs=1e-12)
    assert slips[2] == [61]  # the second observation after the slip
    assert slips[5] == [91]
    assert not slips[6]


def test_codes_that_are_not_believed_change_nothing():
    memory = fresh(1)
    for _ in range(20):
        memory, _ = follow(memory, np.array([5.0]), np.array([True]), SIGMAS, np.ones(1))
    for _ in range(5):
        memory, slipped = follow(memory, np.array([99.0]), np.array([False]), SIGMAS, np.ones(1))
        assert not slipped.any()
    assert memory.mean_cyc[0] == 5.0


def test_noisy_codes_are_given_more_room(rng):
    """Code noise of two cycles: a slip of four is within it, and is not called."""
    values = rng.normal(0, 2.0, 300)
    values[200:] += 4.0
    memory, called = fresh(1), 0
    for value in values:
        memory, slipped = follow(memory, np.array([value]), np.array([True]), SIGMAS, np.ones(1))
        called += int(slipped[0])
    assert called == 0
    assert wide_lane.restarted(memory, np.array([True])).variance_cyc2[0] > 3.0
