"""Epochs made a series: nothing is lost when systems are tagged apart, and what comes too late is counted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import NS_PER_S
from stations.epoch import StationEpoch, make_epoch
from stations.epoch_series import PATIENCE_NS, EpochSeries
from stations.rinex_obs_contents import ObservationContents
from stations.signals import GPS_L1CA, Constellation, signal_of

B1I = signal_of(Constellation.BEIDOU, "2I").number


def epoch(second: float, *satellites: int) -> StationEpoch:
    count = len(satellites)
    signal = [B1I if satellite > 500 else GPS_L1CA for satellite in satellites]
    columns = (np.full(count, 2e7), np.full(count, 1e8), np.full(count, 45.0), np.zeros(count), np.zeros(count, bool))
    return make_epoch(
        int(second * NS_PER_S), np.array(satellites, dtype=np.int64), np.array(signal, dtype=np.int64), *columns
    )


def run(series: EpochSeries, epochs: list[StationEpoch]) -> list[StationEpoch]:
    found = [given for one in epochs for given in series.push(one)]
    return found + list(series.finish())


def test_a_system_that_is_14_s_ahead_costs_nothing():
    parts = [part for second in range(100) for part in (epoch(second, 1, 2), epoch(second + 14, 501))]
    series = EpochSeries()
    found = run(series, parts)
    assert [one.time_ns for one in found] == [second * NS_PER_S for second in range(114)]
    assert sum(map(len, found)) == 300
    assert series.late == series.repeated == 0


@given(st.permutations(list(range(15))))
def test_any_order_within_the_patience_comes_out_in_order(order):
    series = EpochSeries()
    found = run(series, [epoch(second, 1) for second in order])
    assert [one.time_ns // NS_PER_S for one in found] == sorted(order)


def test_what_is_late_empty_or_repeated_is_counted():
    series = EpochSeries()
    late_s = PATIENCE_NS // NS_PER_S + 5
    found = run(series, [epoch(0, 1), epoch(0, 1, 2), epoch(late_s, 1), epoch(0, 3), epoch(late_s + 1)])
    assert [len(one) for one in found] == [2, 1]
    assert (series.late, series.empty, series.repeated) == (1, 1, 1)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30))
def test_the_interval_is_the_median(steps):
    contents = ObservationContents()
    times = np.cumsum([0, *steps])
    for second in times.tolist():
        contents.add(epoch(second, 1))
    assert contents.interval_s == np.median(steps)
    assert (contents.first_ns, contents.last_ns) == (0, int(times[-1]) * NS_PER_S)
