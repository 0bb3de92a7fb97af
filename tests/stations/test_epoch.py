"""Station epochs: sorted, equally long, without repetition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.epoch import make_epoch

cells = st.sets(st.tuples(st.integers(1, 32), st.sampled_from([2, 4, 10, 16])), max_size=30)


def _epoch(pairs, time_ns=5):
    count = len(pairs)
    satellite = np.array([pair[0] for pair in pairs], dtype=np.int32)
    signal = np.array([pair[1] for pair in pairs], dtype=np.int16)
    tag = 1000.0 * satellite + signal  # tells which row a value belongs to
    return make_epoch(
        time_ns,
        satellite,
        signal,
        tag,
        tag + 0.25,
        tag.astype(np.float32),
        np.arange(count),
        [k % 2 == 0 for k in range(count)],
    )


@given(data=st.data(), pairs=cells)
def test_rows_are_sorted_and_stay_together(data, pairs):
    """Whatever the order of the rows, they come out by satellite and signal with their own values."""
    epoch = _epoch(data.draw(st.permutations(sorted(pairs))))
    assert list(zip(epoch.satellite.tolist(), epoch.signal.tolist(), strict=True)) == sorted(pairs)
    np.testing.assert_array_equal(epoch.pseudorange_m, 1000.0 * epoch.satellite + epoch.signal)
    np.testing.assert_array_equal(epoch.phase_cyc, epoch.pseudorange_m + 0.25)
    assert len(epoch) == len(pairs)
    assert epoch.satellite.dtype == epoch.signal.dtype == epoch.lock_ms.dtype == np.int64
    assert epoch.cn0_dbhz.dtype == np.float64
    assert epoch.half_cycle.dtype == np.bool_


@given(pairs=cells, data=st.data())
def test_rows_selects_every_column(pairs, data):
    """A mask keeps the same rows of all columns and the time."""
    epoch = _epoch(sorted(pairs))
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs))), dtype=bool)
    part = epoch.rows(keep)
    assert part.time_ns == epoch.time_ns
    for name in ("satellite", "signal", "pseudorange_m", "phase_cyc", "cn0_dbhz", "lock_ms", "half_cycle"):
        np.testing.assert_array_equal(getattr(part, name), getattr(epoch, name)[keep])


def test_a_pair_that_comes_twice_is_refused():
    """The same signal of the same satellite cannot be observed twice at one instant."""
    with pytest.raises(ValueError, match="twice"):
        _epoch([(7, 2), (8, 2), (7, 2)])


def test_columns_of_unequal_length_are_refused():
    """Columns belong together row by row."""
    three, two = np.arange(3), np.arange(2)
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        make_epoch(0, three, three, three * 1.0, two * 1.0, three * 1.0, three, three > 1)


def test_frozen():
    """An epoch is a value: its fields cannot be exchanged."""
    epoch = _epoch([(1, 2)])
    with pytest.raises(AttributeError):
        epoch.time_ns = 6
