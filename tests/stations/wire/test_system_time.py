"""Time fields: weeks, BeiDou, the Moscow day with leap seconds and roll-overs."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.constants import NS_PER_MS, NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.gpstime import LAST_LEAP_NS, NS_PER_DAY, NS_PER_WEEK, from_calendar, from_utc, to_utc
from stations.signals import Constellation
from stations.wire.system_time import (
    UNKNOWN_DAY,
    glonass_time_field,
    glonass_time_ns,
    moscow_time_ns,
    msm_time_field,
    msm_time_ns,
)

# From before GLONASS had its time fields until a leap second table is likely to be old.
times = st.integers(from_calendar(2000, 1, 1) // NS_PER_MS, from_calendar(2040, 1, 1) // NS_PER_MS).map(
    lambda millis: millis * NS_PER_MS
)


@given(st.sampled_from(Constellation), times, st.integers(1 - NS_PER_WEEK // 2, NS_PER_WEEK // 2 - 1))
def test_times_come_back_from_anywhere_within_half_a_week(constellation, time_ns, away_ns):
    if constellation is Constellation.GLONASS:
        away_ns -= 2 * NS_PER_S * (away_ns > 0) - NS_PER_S  # a leap second may lie between
    field = msm_time_field(constellation, time_ns)
    assert 0 <= field < 2**30
    got_ns = msm_time_ns(1077, constellation, field, time_ns + away_ns)
    # The second that a leap second repeats may be taken for the other one.
    assert got_ns == time_ns or (constellation is Constellation.GLONASS and abs(got_ns - time_ns) == NS_PER_S)


@given(
    st.integers(LAST_LEAP_NS, from_calendar(2040, 1, 1)),
    st.integers(0, 86_400_999),
    st.sampled_from([0, 3, 6, UNKNOWN_DAY]),
)
def test_times_without_leap_seconds_are_a_short_cut(near_ns, millis, day):
    known = day != UNKNOWN_DAY
    nanos = millis * NS_PER_MS + (day * NS_PER_DAY if known else 0)
    expected_ns = moscow_time_ns(nanos, NS_PER_WEEK if known else NS_PER_DAY, near_ns)
    assert glonass_time_ns(1087, day, millis, near_ns) == expected_ns


@given(times, st.integers(2 * NS_PER_S - NS_PER_DAY // 2, NS_PER_DAY // 2 - 2 * NS_PER_S))
def test_the_time_of_day_alone_needs_the_day(time_ns, away_ns):
    got_ns = glonass_time_ns(1012, UNKNOWN_DAY, glonass_time_field(time_ns), time_ns + away_ns)
    assert abs(got_ns - time_ns) in {0, NS_PER_S}


def test_glonass_counts_in_moscow():
    time_ns = from_utc(dt.datetime(2021, 1, 2, 22, 30, tzinfo=dt.UTC))  # Sunday 01:30 in Moscow
    field = msm_time_field(Constellation.GLONASS, time_ns)
    assert (field >> 27, field & (2**27 - 1)) == (0, 5_400_000)


def test_beidou_is_fourteen_seconds_behind():
    sunday_ns = from_calendar(2021, 1, 3)
    assert msm_time_field(Constellation.BEIDOU, sunday_ns) == 604_786_000
    assert msm_time_field(Constellation.BEIDOU, sunday_ns + 14 * NS_PER_S) == 0
    assert msm_time_ns(1127, Constellation.BEIDOU, 604_786_000, sunday_ns) == sunday_ns


def test_a_leap_second_is_two_seconds_for_glonass():
    # 2016-12-31 23:59:60 UTC was 02:59:60 in Moscow; its end has the label 03:00:00, as the second after it.
    after_ns = from_utc(dt.datetime(2017, 1, 1, tzinfo=dt.UTC))
    during_ns = after_ns - NS_PER_S
    assert glonass_time_field(after_ns) == glonass_time_field(during_ns) == 10_800_000
    assert glonass_time_field(during_ns - NS_PER_MS) == 10_799_999
    for day in (0, UNKNOWN_DAY):
        assert glonass_time_ns(1087, day, 10_800_000, after_ns) == after_ns
        assert glonass_time_ns(1087, day, 10_800_000, during_ns) == during_ns
        assert glonass_time_ns(1087, day, 10_800_400, during_ns) == during_ns + 400 * NS_PER_MS
        assert glonass_time_ns(1087, day, 10_801_000, during_ns) == after_ns + NS_PER_S
    assert to_utc(after_ns).year == 2017


@pytest.mark.parametrize(
    ("constellation", "field"),
    [(Constellation.GPS, 604_800_000), (Constellation.GLONASS, 86_401_000), (Constellation.GLONASS, 2**30 - 1)],
)
def test_impossible_times_are_malformed(constellation, field):
    with pytest.raises(GpsgridError, match="is not below") as caught:
        msm_time_ns(1077, constellation, field, 0)
    assert caught.value.reason is Reason.MALFORMED


def test_fractions_of_a_millisecond_cannot_be_sent():
    for constellation in Constellation:
        with pytest.raises(ValueError, match="whole milliseconds"):
            msm_time_field(constellation, 1)
