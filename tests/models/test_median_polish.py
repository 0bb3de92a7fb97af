"""The compiled median polish against its obvious twin."""

import numpy as np

from models.median_polish import polish, polish_slow


def test_fast_equals_slow_on_ragged_tables(rng):
    """Same medians, same order, same bits, whatever is missing or not to be used."""
    for _ in range(200):
        count = int(rng.integers(1, 60))
        value = rng.normal(size=count)
        row, column = rng.integers(0, 5, count), rng.integers(0, 40, count)
        use = rng.random(count) > 0.2
        assert np.array_equal(polish(value, row, column, use), polish_slow(value, row, column, use))


def test_a_slip_stands_out():
    """One jump of a cycle in a table of clocks is left at its place, to the millimetre of the noise."""
    row, column = np.divmod(np.arange(40), 10)
    value = np.array([3.0, -7.0, 0.5, 11.0])[row] + np.linspace(-2.0, 2.0, 10)[column]
    value[17] += 0.19
    residual = polish(value, row, column, np.ones(40, dtype=bool))
    assert abs(residual[17] - 0.19) < 1e-9
    assert np.abs(np.delete(residual, 17)).max() < 1e-9
