"""Receiver clocks that are set back by milliseconds under their phases."""

import numpy as np

from models.clock_jumps import MILLISECOND_M, code_jump_m


def test_whole_milliseconds_of_most_satellites_are_a_jump(rng):
    receiver = np.repeat([3, 9, 4], 8)
    change_m = rng.normal(0, 1.0, 24)
    change_m[receiver == 9] -= 2 * MILLISECOND_M
    change_m[[1, 10]] += 500.0  # single bad codes
    change_m[5] = np.nan
    jump_m = code_jump_m(change_m, receiver)
    assert np.array_equal(jump_m, np.where(receiver == 9, -2 * MILLISECOND_M, 0.0))


def test_what_is_no_multiple_is_no_jump():
    assert not code_jump_m(np.full(8, 0.4 * MILLISECOND_M), np.zeros(8, dtype=int)).any()
    assert not code_jump_m(np.full(8, np.nan), np.zeros(8, dtype=int)).any()
