"""The robust two-way table against linear programming and against what it must not do."""

import numpy as np
from scipy.optimize import linprog

from models.two_way import two_way_residual
from models.two_way_slow import two_way_residual_slow


def _least_absolute(value, row, column, use):
    """Return the smallest possible sum of absolute residuals, by linear programming."""
    rows, columns = row.max() + 1, column.max() + 1
    design = np.zeros((len(value), rows + columns))
    design[np.arange(len(value)), row] = 1.0
    design[np.arange(len(value)), rows + column] = 1.0
    design, value = design[use], value[use]
    count = len(value)
    cost = np.concatenate([np.zeros(2 * (rows + columns)), np.ones(count)])
    block = np.hstack([design, -design])
    upper = np.vstack([np.hstack([block, -np.eye(count)]), np.hstack([-block, -np.eye(count)])])
    found = linprog(cost, A_ub=upper, b_ub=np.concatenate([value, -value]), bounds=(0, None))
    return float(found.fun)


def test_sum_of_absolute_residuals_is_the_smallest(rng):
    """Ragged tables with large effects, noise and outliers: within a fraction of a millimetre per entry."""
    for _ in range(20):
        count = int(rng.integers(25, 50))
        cells = rng.choice(54, count, replace=False)
        row, column = np.divmod(cells, 9)
        value = rng.normal(0, 30, 6)[row] + rng.normal(0, 1, 9)[column] + rng.normal(0, 0.002, count)
        value[rng.integers(0, count, 2)] += 0.19
        use = np.ones(count, dtype=bool)
        residual = two_way_residual(value, row, column, use)
        # Weights are bounded at 0.1 mm, which is what an entry can lose.
        assert np.abs(residual).sum() < _least_absolute(value, row, column, use) + 2e-4 * count


def test_a_slip_stands_out():
    """One jump of a cycle in a table of clocks is left at its place and nowhere else."""
    row, column = np.divmod(np.arange(40), 10)
    value = np.array([3.0, -7.0, 0.5, 11.0])[row] + np.linspace(-2.0, 2.0, 10)[column]
    value[17] += 0.19
    residual = two_way_residual(value, row, column, np.ones(40, dtype=bool))
    # A hundredth of the slip: the bounded weights let the outlier pull that much.
    assert abs(residual[17] - 0.19) < 2e-3
    assert np.abs(np.delete(residual, 17)).max() < 2e-3


def test_equals_the_whole_design_matrix(rng):
    """Ragged tables of several parts that share nothing, some entries unusable: the residuals of the slow twin."""
    for _ in range(20):
        count = int(rng.integers(30, 90))
        cells = rng.choice(160, count, replace=False)
        row, column = np.divmod(cells, 16)
        column = column + 100 * (row % 2)  # two parts
        value = rng.normal(0, 30, 10)[row] + rng.normal(0, 1, 200)[column] + rng.normal(0, 0.002, count)
        value[rng.integers(0, count, 3)] += rng.normal(0, 1000, 3)
        use = rng.random(count) < 0.9
        fast, slow = two_way_residual(value, row, column, use), two_way_residual_slow(value, row, column, use)
        # A hundredth of the phase noise: weights of 1e4 and 1e-3 leave that much open where parts hardly hang together.
        assert np.abs(fast - slow).max() < 1e-5
        assert not np.array_equal(fast, value)
