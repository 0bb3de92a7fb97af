"""The week of a stream: certain before ambiguous, never in the future, and nothing from broken messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.gpstime import NS_PER_DAY, NS_PER_WEEK, from_calendar
from stations.stream_date import StreamDate, better_date, date_of
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.service_messages import SystemParameters, encode_parameters

NOW = from_calendar(2026, 11, 25)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "day", "number"),
    [
        ("week-rollover-STR24.rtcm3", (2018, 7, 14), 1045),
        ("GMSD7_20121014.rtcm3", (2012, 10, 14), 1019),
        ("leica.rtcm", (2018, 1, 2), 1013),
        ("testglo.rtcm3", (2009, 12, 18), 1019),
    ],
)
@pytest.mark.parametrize("years", [0, 3, 6])
def test_recorded_streams_are_dated_whenever_they_are_read(shared_data, name, day, number, years):
    now_ns, found = NOW + years * 365 * NS_PER_DAY, None
    for payload in FrameBuffer().push((shared_data / "rtcm3" / name).read_bytes()):
        found = better_date(found, date_of(payload, now_ns))
    if number == 1019 and now_ns - from_calendar(*day) > 1024 * NS_PER_WEEK:
        assert found.near_ns - from_calendar(*day) > 1000 * NS_PER_WEEK  # nobody can know any more
        assert not found.certain
        return
    assert abs(found.near_ns - from_calendar(*day)) < 2 * NS_PER_DAY
    if number in (1019, 1013):
        assert found.source == number
    assert found.certain == (number != 1019)


def test_a_receiver_that_does_not_know_the_day_is_not_believed():
    assert date_of(encode_parameters(SystemParameters(1, 0, 0, None, ())), NOW) is None
    assert date_of(encode_parameters(SystemParameters(1, 65_000, 0, None, ())), NOW) is None  # of 2036
    known = date_of(encode_parameters(SystemParameters(1, 58_000, 3600, None, ())), NOW)
    assert known.certain
    assert known.near_ns == from_calendar(2017, 9, 4, 1) + 18 * 10**9


def test_certain_goes_before_ambiguous_and_early_before_late():
    gps, galileo, later = StreamDate(1, 1019), StreamDate(2, 1045), StreamDate(3, 1045)
    assert better_date(gps, galileo) is galileo
    assert better_date(galileo, gps) is galileo
    assert better_date(galileo, later) is galileo
    assert better_date(None, None) is None


@given(st.binary(max_size=70), st.sampled_from([1013, 1019, 1029, 1041, 1042, 1044, 1045, 1046]))
def test_any_bytes_are_a_date_or_none(data, number):
    payload = bytes((number >> 4, (number & 15) << 4)) + data
    assert message_number(payload) == number
    found = date_of(payload, NOW)
    assert found is None or found.source == number
