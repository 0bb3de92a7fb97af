"""Medians of groups against one call of numpy per group."""

import numpy as np

from models.medians import groups_of, median_by_group


def test_equals_numpy_group_by_group(rng):
    """Groups of any size in any order; an empty one has no median."""
    for _ in range(20):
        value, group = rng.normal(size=60), rng.integers(0, 15, 60)
        median = median_by_group(value, group, 16)
        for one in range(16):
            assert np.array_equal(median[one], np.median(value[group == one]) if (group == one).any() else np.nan, True)


def test_without_values_all_groups_are_empty():
    """No row at all, as when no station delivers."""
    assert np.isnan(median_by_group(np.zeros(0), np.zeros(0, dtype=np.int64), 3)).all()


def test_groups_are_those_of_numpy(rng):
    """Numbers in the order of the keys, however large they are."""
    for size in (0, 1, 50):
        key = rng.integers(-(10**12), 10**12, 12)[rng.integers(0, 12, size)]
        names, expected = np.unique(key, return_inverse=True)
        group, count = groups_of(key)
        assert np.array_equal(group, expected)
        assert count == len(names)
