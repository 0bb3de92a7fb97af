"""Ephemerides as values: issues, health, which message; accuracy indices; time scales of the systems."""

import datetime as dt
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import gpstime
from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GalileoMessage, GpsEphemeris, NavicEphemeris
from stations.navigation_accuracy import sisa_index, sisa_m, ura_index, ura_m
from stations.navigation_kinds import upload_key
from stations.navigation_vector import GlonassEphemeris, GlonassService
from stations.rinex_nav import merge_ephemerides

TOE_NS = gpstime.from_calendar(2021, 1, 1, 2)


def made(kind, **values):
    return kind(**({field.name: 0 for field in fields(kind)} | {"toe_ns": TOE_NS, "toc_ns": TOE_NS} | values))


def glonass(**values):
    zero = (0.0, 0.0, 0.0)
    start = {"satellite": 103, "toe_ns": TOE_NS, "transmitted_ns": TOE_NS, "frame_ns": TOE_NS, "channel": 5}
    rest = dict.fromkeys(("health", "age_days", "accuracy_index", "tau_s", "delta_tau_s", "gamma"), 0)
    return GlonassEphemeris(
        **(start | rest | {"position_m": zero, "velocity_m_s": zero, "acceleration_m_s2": zero} | values)
    )


@pytest.mark.parametrize(
    ("ephemeris", "healthy"),
    [
        (made(GpsEphemeris, satellite=7), True),
        (made(GpsEphemeris, satellite=7, health=1), False),
        (made(GpsEphemeris, satellite=402, health=1), True),
        (made(GpsEphemeris, satellite=402, health=0b100000), False),
        (made(GalileoEphemeris, data_sources=517, health=0b000_111_000), True),
        (made(GalileoEphemeris, data_sources=517, health=0b001_000_000), False),
        (made(GalileoEphemeris, data_sources=517, health=0b000_000_100), False),
        (made(GalileoEphemeris, data_sources=258, health=0b111_000_111), True),
        (made(GalileoEphemeris, data_sources=258, health=0b000_001_000), False),
        (made(GalileoEphemeris, data_sources=258, sisa_index=255), False),
        (made(GalileoEphemeris, data_sources=258, sisa_index=156), False),
        (made(GalileoEphemeris, data_sources=258, sisa_index=125), True),
        (made(BeiDouEphemeris, satellite=506), True),
        (made(BeiDouEphemeris, satellite=506, health=1), False),
        (made(NavicEphemeris, satellite=602, health=1), True),
        (made(NavicEphemeris, satellite=602, health=2), False),
        (glonass(), True),
        (glonass(health=1), False),
        (glonass(health=4), False),
        (glonass(service=GlonassService(unhealthy_3=True)), True),
        (glonass(service=GlonassService(unhealthy_5=True)), True),
    ],
)
def test_health(ephemeris, healthy):
    assert ephemeris.healthy is healthy


def test_issues():
    assert made(GpsEphemeris, iode=52, iodc=52 + 256).issue == 52
    assert made(GpsEphemeris, iode=52, iodc=52 + 256).complete
    assert not made(GpsEphemeris, iode=52, iodc=53).complete
    assert made(GalileoEphemeris, iod_nav=100).issue == 100
    # BeiDou: an age is no issue; the reference time in BeiDou time is.
    toe_ns = gpstime.from_beidou_week(782, 439_200 * 10**9)
    assert made(BeiDouEphemeris, aode=1, toe_ns=toe_ns).issue == 439_200 // 720 % 240
    assert not made(BeiDouEphemeris, toe_ns=toe_ns).complete
    assert made(BeiDouEphemeris, toe_ns=toe_ns, toc_ns=toe_ns).complete
    assert made(NavicEphemeris, iodec=9).issue == 9
    # GLONASS: quarters of an hour of the day of Moscow, 03:15 there.
    assert glonass(toe_ns=gpstime.from_calendar(2021, 1, 1, 0, 15, 18 * 10**9)).issue == 13


@pytest.mark.parametrize(
    ("sources", "message"),
    [(517, "I/NAV"), (516, "I/NAV"), (513, "I/NAV"), (258, "F/NAV"), (2, "F/NAV"), (0, "I/NAV"), (519, "I/NAV")],
)
def test_galileo_message(sources, message):
    assert made(GalileoEphemeris, data_sources=sources).message is GalileoMessage(message)


@pytest.mark.parametrize(("number", "geo"), [(1, True), (5, True), (6, False), (58, False), (59, True), (63, True)])
def test_geostationary(number, geo):
    assert made(BeiDouEphemeris, satellite=500 + number).geostationary is geo


def test_both_galileo_messages_of_one_issue_are_kept():
    inav = made(GalileoEphemeris, satellite=211, data_sources=517)
    fnav = replace(inav, data_sources=258)
    assert upload_key(inav) != upload_key(fnav)
    assert merge_ephemerides([[inav, fnav], [fnav]]) == [inav, fnav]


@pytest.mark.parametrize("index", range(16))
def test_range_accuracy_comes_back(index):
    assert ura_index(ura_m(index)) == index


@given(st.integers(0, 255))
def test_signal_accuracy_comes_back(index):
    assert sisa_index(sisa_m(index)) == (index if index <= 125 else 255)


@pytest.mark.parametrize(
    ("metres", "index"), [(0.0, 0), (0.5, 50), (0.505, 51), (1.0, 75), (3.12, 107), (6.0, 125), (6.1, 255), (-1.0, 255)]
)
def test_signal_accuracy(metres, index):
    assert sisa_index(metres) == index


# ------------------------------------------------------------------------------------------------------- time scales

TIMES = st.integers(0, gpstime.from_calendar(2100, 1, 1))


@given(TIMES)
def test_scales_come_back(time_ns):
    assert gpstime.from_beidou_week(*gpstime.to_beidou_week(time_ns)) == time_ns
    # An inserted second has the label of the one after it.
    utc_ns = gpstime.to_utc_nanos(time_ns)
    assert gpstime.from_utc_nanos(utc_ns) - time_ns in {0, 10**9}
    assert gpstime.from_glonass_day(*gpstime.to_glonass_day(time_ns)) - time_ns in {0, 10**9}


@given(TIMES, st.integers(0, gpstime.NS_PER_DAY - 1))
def test_the_nearest_day(near_ns, nanos_of_day):
    found = gpstime.nearest_glonass_day(nanos_of_day, near_ns)
    assert gpstime.to_glonass_day(found)[1] == nanos_of_day
    assert abs(found - near_ns) <= gpstime.NS_PER_DAY // 2 + 10**9


@given(TIMES, st.integers(0, gpstime.NS_PER_WEEK - 1))
def test_the_nearest_week(near_ns, nanos_of_week):
    found = gpstime.nearest_week(nanos_of_week, near_ns)
    assert gpstime.to_week(found)[1] == nanos_of_week
    assert abs(found - near_ns) <= gpstime.NS_PER_WEEK // 2


@pytest.mark.parametrize(("year", "leap"), [(1981, 1), (1999, 13), (2017, 18)])
def test_leap_seconds_begin_at_their_instant(year, leap):
    month = 7 if year == 1981 else 1
    after_ns = gpstime.from_utc(dt.datetime(year, month, 1, tzinfo=dt.UTC))
    assert gpstime.gps_minus_utc_ns(after_ns) == leap * 10**9
    assert gpstime.gps_minus_utc_ns(after_ns - 1) == (leap - 1) * 10**9
    assert gpstime.to_utc_nanos(after_ns) == gpstime.from_calendar(year, month, 1)


def test_beidou_time_started_in_2006():
    assert gpstime.to_beidou_week(gpstime.from_calendar(2006, 1, 1, 0, 0, 14 * 10**9)) == (0, 0)


def test_glonass_day_begins_three_hours_before_that_of_utc():
    midnight_ns = gpstime.from_utc(dt.datetime(2021, 1, 1, 21, tzinfo=dt.UTC))
    assert gpstime.to_glonass_day(midnight_ns)[1] == 0
    assert gpstime.to_glonass_day(midnight_ns - 1)[1] == gpstime.NS_PER_DAY - 1
