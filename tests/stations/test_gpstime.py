"""GPS time in nanoseconds: calendar, weeks and UTC, around every place where such code goes wrong."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import gpstime
from stations.constants import NS_PER_MS, NS_PER_S
from stations.gpstime import NS_PER_WEEK

YEAR_2100_NS = 120 * 366 * 86_400 * NS_PER_S
times = st.integers(0, YEAR_2100_NS)


def test_known_epochs():
    """Week numbers and calendar dates that are written down elsewhere."""
    assert gpstime.from_calendar(1980, 1, 6) == 0
    # IGS: 2021-01-01 is day 5 of week 2138; week 1024 began on 1999-08-22, week 2048 on 2019-04-07.
    assert gpstime.to_week(gpstime.from_calendar(2021, 1, 1)) == (2138, 5 * 86_400 * NS_PER_S)
    assert gpstime.to_week(gpstime.from_calendar(1999, 8, 22)) == (1024, 0)
    assert gpstime.to_week(gpstime.from_calendar(2019, 4, 7)) == (2048, 0)
    assert gpstime.from_calendar(2021, 1, 1, 12, 34, 56 * NS_PER_S + 7) % NS_PER_S == 7


@given(time_ns=times)
def test_weeks_round_trip(time_ns):
    """Splitting into week and time of week and putting together again is exact."""
    week, rest = gpstime.to_week(time_ns)
    assert 0 <= rest < NS_PER_WEEK
    assert gpstime.from_week(week, rest) == time_ns


@given(time_ns=times, off_ns=st.integers(-NS_PER_WEEK // 2 + 1, NS_PER_WEEK // 2 - 1))
def test_the_nearest_week_is_found_from_half_a_week_away(time_ns, off_ns):
    """A clock that is wrong by less than half a week resolves the week of any time, roll-over included."""
    assert gpstime.nearest_week(time_ns % NS_PER_WEEK, time_ns + off_ns) == time_ns


@given(time_ns=times)
def test_iso_round_trip_to_the_millisecond(time_ns):
    """Text has milliseconds, rounded; reading it gives that millisecond."""
    rounded = (time_ns + NS_PER_MS // 2) // NS_PER_MS * NS_PER_MS
    assert gpstime.from_iso(gpstime.to_iso(time_ns)) == rounded


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "2021-01-01T00:00:00.000"),
        (499_999, "2021-01-01T00:00:00.000"),
        (500_000, "2021-01-01T00:00:00.001"),
        (59_999_500_000, "2021-01-01T00:01:00.000"),
    ],
)
def test_iso_rounds_and_carries(nanos, text):
    """Half a millisecond rounds up, through the minute if need be."""
    assert gpstime.to_iso(gpstime.from_calendar(2021, 1, 1, nanos=nanos)) == text


@pytest.mark.parametrize("text", ["2021-01-01", "2021-01-01T00:00:00", " 2021-01-01T00:00:00Z "])
def test_iso_texts_that_are_read(text):
    """A date alone, no fraction, or a Z are understood; all are GPS time."""
    assert gpstime.from_iso(text) == gpstime.from_calendar(2021, 1, 1)


@pytest.mark.parametrize("text", ["", "yesterday", "2021-13-01T00:00:00", "2021-01-01T25:00:00"])
def test_iso_texts_that_are_refused(text):
    """What is no date is a ValueError."""
    with pytest.raises(ValueError):
        gpstime.from_iso(text)


@pytest.mark.parametrize(
    ("utc", "leap"),
    [
        ((1980, 1, 6), 0),
        ((1981, 6, 30, 23, 59, 59), 0),
        ((1981, 7, 1), 1),
        ((2016, 12, 31, 23, 59, 59), 17),
        ((2017, 1, 1), 18),
        ((2026, 1, 1), 18),
    ],
)
def test_leap_seconds(utc, leap):
    """GPS minus UTC by IERS Bulletin C."""
    assert gpstime.leap_seconds(dt.datetime(*utc, tzinfo=dt.UTC)) == leap


@given(utc=st.datetimes(dt.datetime(1980, 1, 6), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)))  # noqa: DTZ001
def test_utc_round_trip(utc):
    """UTC to GPS time and back is exact to the microsecond."""
    assert gpstime.to_utc(gpstime.from_utc(utc)) == utc


@pytest.mark.parametrize("seconds", range(-20, 21))
def test_utc_round_trip_around_a_leap_second(seconds):
    """Also in the seconds before and after the leap second of 2017."""
    utc = dt.datetime(2017, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    assert gpstime.to_utc(gpstime.from_utc(utc)) == utc


def test_from_utc_takes_other_zones():
    """An aware time of any zone is the same instant."""
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    local = dt.datetime(2021, 1, 1, 5, 30, tzinfo=zone)
    assert gpstime.from_utc(local) == gpstime.from_utc(dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
    assert gpstime.from_utc(local) == gpstime.from_calendar(2021, 1, 1) + 18 * NS_PER_S
