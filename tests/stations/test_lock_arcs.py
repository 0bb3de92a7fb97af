"""Lock times to arcs: a slip is seen in every table, and a coarse indicator is no slip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.epoch import StationEpoch, make_epoch
from stations.lock_arcs import LockArcs, LockTable, table_of
from stations.signals import GPS_L1CA
from stations.wire.legacy_fields import LOCK_MS
from stations.wire.msm_fields import lock_indicator_of, lock_ms_of

NUMBERS = {LockTable.DF013: 1004, LockTable.DF402: 1074, LockTable.DF407: 1077}


def sent(table: LockTable, lock_ms: int) -> int:
    """Return what is left of a lock time on the wire."""
    if table is LockTable.DF013:
        return max(value for value in LOCK_MS if value <= lock_ms)
    width = 4 if table is LockTable.DF402 else 10
    return lock_ms_of(lock_indicator_of(lock_ms, width), width)


def epoch(time_ms: int, lock_ms: int, phase: float = 1.0) -> StationEpoch:
    columns = [np.array([value]) for value in (7, GPS_L1CA, 2e7, phase, 45.0, lock_ms, False)]
    return make_epoch(time_ms * 1_000_000, *columns)


@pytest.mark.parametrize("table", NUMBERS)
@given(
    step_ms=st.sampled_from([100, 200, 1000, 5000, 30_000]), start_ms=st.integers(0, 10**6), count=st.integers(2, 40)
)
def test_an_arc_that_goes_on_is_no_slip(table, step_ms, start_ms, count):
    arcs = LockArcs()
    arcs.learn(NUMBERS[table])
    for place in range(count):
        settled = arcs.settle(epoch(10**9 + place * step_ms, sent(table, start_ms + place * step_ms)))
        assert settled.lock_ms[0] <= start_ms + place * step_ms  # a lower bound stays one
        assert settled.lock_ms[0] >= place * step_ms
    assert arcs.slips == 0


@pytest.mark.parametrize("table", NUMBERS)
@given(step_ms=st.sampled_from([200, 1000, 30_000]), before_ms=st.integers(0, 10**6), share=st.floats(0.0, 0.3))
def test_a_slip_is_seen(table, step_ms, before_ms, share):
    """A phase that slipped late in the interval: three times its lock time is still less than the interval."""
    arcs = LockArcs()
    arcs.learn(NUMBERS[table])
    arcs.settle(epoch(10**9, sent(table, before_ms)))
    since_ms = int(share * step_ms)
    settled = arcs.settle(epoch(10**9 + step_ms, sent(table, since_ms)))
    if table is LockTable.DF013 and since_ms >= 24 and step_ms < 72:
        return
    assert arcs.slips == 1 or table.end_ms(sent(table, since_ms)) > step_ms + sent(table, before_ms)
    assert arcs.slips == 0 or settled.lock_ms[0] < step_ms


def test_lock_times_that_are_always_zero_are_slips():
    arcs = LockArcs()
    arcs.learn(1074)
    for place in range(4):
        arcs.settle(epoch(1000 * place, 0))
    assert arcs.slips == 3


def test_rows_without_phase_and_epochs_that_come_again_change_nothing():
    arcs = LockArcs()
    arcs.learn(1077)
    arcs.settle(epoch(5000, 4000))
    arcs.settle(epoch(6000, 0, phase=float("nan")))
    arcs.settle(epoch(5000, 0))
    assert arcs.settle(epoch(7000, 5888)).lock_ms[0] == 6000
    assert arcs.slips == 0


def test_messages_know_their_table():
    assert table_of(1087)[1] is table_of(1086)[1] is LockTable.DF407
    assert table_of(1125)[1] is LockTable.DF402
    assert table_of(1012)[1] is LockTable.DF013
    assert table_of(1019) is None
