"""NMEA GGA and RMC: every field, every odd but legal sentence, what is refused, and two independent programs."""

import datetime as dt
import math
import time

import pyrtklib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stations import gpstime
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.frames import ecef_from_geodetic
from stations.nmea import Gga, Rmc, checksum, parse_sentence, write_gga, write_rmc

LEAP_S = 18
NOON = gpstime.from_calendar(2021, 1, 1, 12)
GGA = "$GNGGA,092725.00,4717.11399,N,00833.91590,E,4,08,1.01,499.6,M,48.0,M,1.5,0123"
RMC = "$GPRMC,083559.00,A,4717.11437,N,00833.91522,E,0.004,77.52,091202,,,A"


def whole(body: str) -> str:
    return f"{body}*{checksum(body[1:]):02X}\r\n"


def test_gga():
    read = parse_sentence(whole(GGA), NOON)
    assert isinstance(read, Gga)
    assert read.time_ns == gpstime.from_calendar(2021, 1, 1, 9, 27, (25 + LEAP_S) * NS_PER_S)
    assert math.degrees(read.latitude_rad) == pytest.approx(47 + 17.11399 / 60, abs=1e-12)
    assert math.degrees(read.longitude_rad) == pytest.approx(8 + 33.9159 / 60, abs=1e-12)
    assert (read.altitude_m, read.geoid_separation_m, read.height_m) == (499.6, 48.0, 547.6)
    assert (read.quality, read.satellites, read.hdop, read.age_s, read.station) == (4, 8, 1.01, 1.5, "0123")
    assert read.talker == "GN"


def test_rmc():
    read = parse_sentence(whole(RMC).encode(), NOON)
    assert isinstance(read, Rmc)
    assert read.time_ns == gpstime.from_calendar(2002, 12, 9, 8, 35, (59 + 13) * NS_PER_S)
    assert read.valid
    assert read.speed_m_s == pytest.approx(0.004 * 1852 / 3600)
    assert math.degrees(read.course_rad) == pytest.approx(77.52)
    assert read.mode == "A"


def test_empty_fields_are_unknown():
    read = parse_sentence(whole("$GPGGA,,,,,,0,,,,M,,M,,"), NOON)
    assert (read.time_ns, read.quality, read.satellites, read.station) == (None, 0, 0, "")
    assert all(math.isnan(value) for value in (read.latitude_rad, read.longitude_rad, read.height_m, read.hdop))
    read = parse_sentence(whole("$GPRMC,,V,,,,,,,,,,N"), NOON)
    assert (read.time_ns, read.valid, read.mode) == (None, False, "N")
    assert math.isnan(read.speed_m_s)


@pytest.mark.parametrize("talker", ["GP", "GN", "GA", "GL", "BD", "GB", "GQ", "GI", "P", ""])
def test_any_talker(talker):
    assert parse_sentence(whole(GGA.replace("GN", talker, 1)), NOON).talker == talker


@pytest.mark.parametrize(
    "sentence", ["$GPGSV,3,1,11,03,03,111,00*74", "!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C", "$PUBX,00,x*00"]
)
def test_other_sentences_are_none(sentence):
    assert parse_sentence(sentence, NOON) is None


@pytest.mark.parametrize(
    ("time", "near", "day"),
    [
        ("235950", gpstime.from_calendar(2021, 1, 2), 1),  # received just after midnight
        ("000010", gpstime.from_calendar(2021, 1, 1, 23, 59), 2),
        ("235950", gpstime.from_calendar(2021, 1, 1, 23), 1),
        ("000010", gpstime.from_calendar(2021, 1, 2), 2),
    ],
)
def test_day_of_gga_is_the_nearest(time, near, day):
    read = parse_sentence(whole(f"$GPGGA,{time},,,,,0,,,,M,,M,,"), near)
    expected = dt.datetime(2021, 1, day, int(time[:2]), int(time[2:4]), int(time[4:]), tzinfo=dt.UTC)
    assert read.time_ns == gpstime.from_utc(expected)


@pytest.mark.parametrize(
    ("date", "day"),
    [("290220", (2020, 2, 29)), ("290200", (2000, 2, 29)), ("311299", (1999, 12, 31)), ("060180", (1980, 1, 6))],
)
def test_dates_of_rmc(date, day):
    read = parse_sentence(whole(f"$GPRMC,120000,A,,,,,,,{date},,"), NOON)
    assert read.time_ns == gpstime.from_utc(dt.datetime(*day, 12, tzinfo=dt.UTC))


def test_leap_second_has_a_number():
    read = parse_sentence(whole("$GPRMC,235960.50,A,,,,,,,311216,,"), NOON)
    assert read.time_ns == gpstime.from_utc(dt.datetime(2017, 1, 1, tzinfo=dt.UTC)) - NS_PER_S // 2


@pytest.mark.parametrize(
    ("sentence", "reason", "what"),
    [
        (GGA + "*00", Reason.BAD_CRC, "checksum 00 came"),
        (GGA, Reason.MALFORMED, "no NMEA sentence"),
        ("", Reason.MALFORMED, "no NMEA sentence"),
        ("GET / HTTP/1.1", Reason.MALFORMED, "no NMEA sentence"),
        (whole("$GPGGA,1,2"), Reason.MALFORMED, "2 fields"),
        (whole("$GPRMC,1,2"), Reason.MALFORMED, "2 fields"),
        (whole(GGA.replace("4717.1", "9917.1")), Reason.MALFORMED, "at most 90"),
        (whole(GGA.replace("4717.1", "4777.1")), Reason.MALFORMED, "degrees, minutes"),
        (whole(GGA.replace(",N,", ",X,")), Reason.MALFORMED, "N or S"),
        (whole(GGA.replace("092725.00", "992725.00")), Reason.MALFORMED, "hhmmss"),
        (whole(GGA.replace("499.6", "4x9.6")), Reason.MALFORMED, "where a number"),
        (whole(GGA.replace("499.6", "nan")), Reason.MALFORMED, "where a number"),
        (whole(GGA.replace(",08,", ",0.5,")), Reason.MALFORMED, "whole number"),
        (whole(RMC.replace("091202", "310202")), Reason.MALFORMED, "day"),
        (whole(RMC.replace("091202", "9120")), Reason.MALFORMED, "ddmmyy"),
        (whole(RMC.replace(",A,4", ",Q,4")), Reason.MALFORMED, "status"),
        (whole("$GPGGA," + "1" * 300), Reason.MALFORMED, "at most 256"),
    ],
)
def test_what_is_refused(sentence, reason, what):
    with pytest.raises(GpsgridError) as raised:
        parse_sentence(sentence, NOON)
    assert raised.value.reason is reason
    assert what in str(raised.value)


@given(text=st.one_of(st.text(max_size=120), st.text("$GPARMC0123456789,.*-NSEW\r\n", max_size=120)))
@example("$GPGGA,*56")
def test_any_text_is_an_answer_or_a_refusal(text):
    for body in (text, whole("$GPGGA," + text.replace("*", "")), whole("$GPRMC," + text.replace("*", ""))):
        try:
            parse_sentence(body, NOON)
        except GpsgridError as error:
            assert error.reason in {Reason.BAD_CRC, Reason.MALFORMED}


angles = st.floats(-1.0, 1.0)


@given(
    milliseconds=st.integers(0, 86_399_999), latitude=angles, longitude=angles, altitude=st.floats(-500.0, 9000.0),
    quality=st.integers(0, 8), satellites=st.integers(0, 99),
)  # fmt: skip
def test_round_trip_of_gga(milliseconds, latitude, longitude, altitude, quality, satellites):
    time_ns = gpstime.from_calendar(2021, 1, 1) + milliseconds * 1_000_000
    gga = Gga(
        time_ns, 0.5 * math.pi * latitude, math.pi * longitude, altitude, quality, satellites, 1.2, 45.5, 2.0, "7"
    )
    sentence = write_gga(gga)
    read = parse_sentence(sentence, NOON)
    assert read.time_ns == time_ns
    # Seven decimals of a minute are 0.2 mm.
    assert read.latitude_rad == pytest.approx(gga.latitude_rad, abs=2e-11)
    assert read.longitude_rad == pytest.approx(gga.longitude_rad, abs=2e-11)
    assert read.height_m == pytest.approx(gga.height_m, abs=1.1e-4)
    assert (read.quality, read.satellites, read.hdop, read.age_s, read.station) == (quality, satellites, 1.2, 2.0, "7")
    assert write_gga(read) == sentence


@given(seconds=st.integers(0, 40 * 365 * 86_400), latitude=angles, longitude=angles, speed=st.floats(0.0, 300.0))
def test_round_trip_of_rmc(seconds, latitude, longitude, speed):
    utc = dt.datetime(1990, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    rmc = Rmc(gpstime.from_utc(utc), True, latitude, math.pi * longitude, speed, 1.5, "R", "GN")
    sentence = write_rmc(rmc)
    read = parse_sentence(sentence, NOON)
    assert (read.time_ns, read.valid, read.mode, read.talker) == (rmc.time_ns, True, "R", "GN")
    assert read.speed_m_s == pytest.approx(speed, abs=3e-4)
    assert write_rmc(read) == sentence


def test_unknown_values_stay_empty():
    gga = Gga(None, math.nan, math.nan, math.nan, quality=0, geoid_separation_m=math.nan)
    assert write_gga(gga) == whole("$GPGGA,,,,,,0,00,,,M,,M,,")
    assert write_rmc(Rmc(None, False, math.nan, math.nan)) == whole("$GPRMC,,V,,,,,,,,,")


def test_minutes_never_read_sixty():
    gga = Gga(NOON, math.radians(47.9999999999), math.radians(-8.9999999999), 0.0)
    assert ",4800.0000000,N,00900.0000000,W," in write_gga(gga)


def test_equal_to_pynmeagps():
    pynmeagps = pytest.importorskip("pynmeagps")
    for sentence in (whole(GGA), whole(RMC), write_gga(parse_sentence(whole(GGA), NOON))):
        theirs, ours = pynmeagps.NMEAReader.parse(sentence), parse_sentence(sentence, NOON)
        assert math.degrees(ours.latitude_rad) == pytest.approx(theirs.lat, abs=1e-8)
        assert math.degrees(ours.longitude_rad) == pytest.approx(theirs.lon, abs=1e-8)


PLACES = [(47.3, 8.5), (-33.7, 151.25), (0.001, -179.9)]


@pytest.mark.parametrize(("latitude", "longitude"), PLACES)
def test_sentences_of_rtklib(latitude, longitude):
    sol = pyrtklib.sol_t()
    position = ecef_from_geodetic(math.radians(latitude), math.radians(longitude), 123.0)
    sol.time = pyrtklib.gpst2time(2138, 475_200.0 + LEAP_S)
    sol.stat, sol.ns = 1, 9
    for axis in range(3):
        sol.rr[axis] = float(position[axis])
    for writer in (pyrtklib.outnmea_gga, pyrtklib.outnmea_rmc):
        buffer = getattr(pyrtklib, "Arr1Dunsigned char")(1024)
        size = writer(buffer, sol)
        sentence = bytes(buffer[place] for place in range(size))
        read = parse_sentence(sentence, NOON)
        assert read.time_ns == gpstime.from_week(2138, (475_200 + LEAP_S) * NS_PER_S)
        # RTKLIB writes seven decimals of a minute.
        assert math.degrees(read.latitude_rad) == pytest.approx(latitude, abs=2e-9)
        assert math.degrees(read.longitude_rad) == pytest.approx(longitude, abs=2e-9)


def test_an_hour_of_sentences_takes_far_less():
    sentences = [write_gga(Gga(NOON + place * NS_PER_S, 0.8, 0.1, 50.0)) for place in range(3600)]
    begin = time.perf_counter()
    assert len({parse_sentence(sentence, NOON).time_ns for sentence in sentences}) == 3600
    print(f"\n3600 GGA sentences in {time.perf_counter() - begin:.3f} s")
