"""RINEX navigation files: versions, weeks, transmission times, repetitions, damage."""

import dataclasses

import pytest

from stations import gpstime
from stations.errors import GpsgridError, Reason
from stations.navigation import GpsEphemeris
from stations.rinex_nav import merge_ephemerides, read_navigation, read_navigation_file

HOUR_NS = 3600 * 10**9
TOE = gpstime.from_calendar(2021, 1, 1, 2)  # Friday of week 2138, second 439200
HEADER_3 = f"{'     3.04           N: GNSS NAV DATA    M: MIXED':<60}RINEX VERSION / TYPE\n{'':60}END OF HEADER\n"
HEADER_2 = f"{'     2.11           N: GPS NAV DATA':<60}RINEX VERSION / TYPE\n{'':60}END OF HEADER\n"
VALUES = [
    7.874774746597e-04, -5.911715561524e-12, 0.0,
    52.0, -73.625, 4.318037006431e-09, 2.893520298163e-02,
    -3.784894943237e-06, 1.022444642149e-02, 1.076608896255e-06, 5.153693731308e03,
    439200.0, -2.048909664154e-08, -8.087355908093e-01, 1.639127731323e-07,
    9.827409334588e-01, 367.375, 8.219747770631e-01, -8.439637259053e-09,
    -3.007268121931e-10, 1.0, 2138.0, 0.0,
    2.0, 0.0, 5.122274160385e-09, 52.0,
    432000.0, 4.0,
]  # fmt: skip
TOE_FIELD, SENT_FIELD, FIT_FIELD, ACCURACY_FIELD = 11, 27, 28, 23


def record(
    start: str = "G07 2021 01 01 02 00 00", indent: int = 4, exponent: str = "e", **changes: float | None
) -> str:
    values: list[float | None] = [*VALUES]
    for name, value in changes.items():
        values[int(name[1:])] = value
    fields = [" " * 19 if value is None else f"{value:19.12e}".replace("e", exponent) for value in values]
    lines = [start + "".join(fields[:3])]
    lines += [" " * indent + "".join(fields[place : place + 4]) for place in range(3, len(fields), 4)]
    return "".join(line.rstrip() + "\n" for line in lines)


def one(text: str) -> GpsEphemeris:
    (found,) = read_navigation(text, "some.rnx")
    return found


def test_version_3_record():
    found = one(HEADER_3 + record())
    assert (found.satellite, found.iode, found.iodc, found.health, found.ura_index) == (7, 52, 52, 0, 0)
    assert (found.toe_ns, found.toc_ns, found.transmitted_ns) == (TOE, TOE, TOE - 2 * HOUR_NS)
    assert (found.fit_interval_flag, found.l2_code, found.l2p_data_off) == (False, 1, False)
    assert (found.sqrt_a, found.crs_m, found.crc_m) == (5153.693731308, -73.625, 367.375)
    assert found.idot_rad_s == -3.007268121931e-10


def test_version_2_record_holds_the_same():
    text = HEADER_2 + record(" 7 21  1  1  2  0  0.0", 3, "D")
    assert one(text) == one(HEADER_3 + record())


def test_version_2_of_the_last_century():
    text = HEADER_2 + record(" 7 99 12 31  2  0  0.0", 3, "D")
    assert gpstime.to_iso(one(text).toc_ns).startswith("1999-12-31T02")


def test_glonass_file_of_version_2_holds_no_gps():
    text = HEADER_2.replace("N: GPS NAV DATA    ", "GLONASS NAV DATA   ").replace("           N", "           G")
    assert read_navigation(text + " 1 21  1  1  2  0  0.0 1.0D-4 0.0D+0 0.0D+0\n", "x") == []


def test_other_systems_are_passed_over():
    other = "R01 2021 01 01 02 15 00 1.0e-05 0.0e+00 0.0e+00\n" + "     1.0e+03\n" * 3
    assert len(read_navigation(HEADER_3 + other + record() + other, "x")) == 1


def test_version_4_takes_only_lnav_ephemerides():
    header = HEADER_3.replace("3.04", "4.00")
    other = "> STO G01 LNAV\n    2021 01 01 00 00 00 GPUT\n    0.0 0.0 0.0\n"
    civil = "> EPH G07 CNAV\n" + record()
    assert len(read_navigation(header + other + "> EPH G07 LNAV\n" + record() + civil, "x")) == 1


@pytest.mark.parametrize(
    ("day", "hour", "toe_s", "expected"),
    [
        (gpstime.from_calendar(2021, 1, 3), 0, 0.0, gpstime.from_calendar(2021, 1, 3)),
        (gpstime.from_calendar(2021, 1, 2), 23, 604784.0, gpstime.from_calendar(2021, 1, 3) - 16 * 10**9),
        (gpstime.from_calendar(2021, 1, 2), 23, 0.0, gpstime.from_calendar(2021, 1, 3)),
        (gpstime.from_calendar(2021, 1, 3), 0, 604784.0, gpstime.from_calendar(2021, 1, 3) - 16 * 10**9),
    ],
)
def test_week_of_the_reference_time_comes_from_the_clock(day, hour, toe_s, expected):
    start = f"G07 {gpstime.to_iso(day)[:10].replace('-', ' ')} {hour:02d} 59 44"
    found = one(HEADER_3 + record(start, _11=toe_s, _21=90.0))
    assert found.toe_ns == expected


@pytest.mark.parametrize(
    ("sent_s", "hours_before"), [(0.9999e9, 2.0), (None, 2.0), (435600.0, 1.0), (439200.0 - 604800.0, 0.0)]
)
def test_transmission_time(sent_s, hours_before):
    assert TOE - one(HEADER_3 + record(_27=sent_s)).transmitted_ns == hours_before * HOUR_NS


def test_transmission_in_the_week_before():
    start = "G07 2021 01 03 00 00 00"
    midnight = gpstime.from_calendar(2021, 1, 3)
    for sent_s in (-7200.0, 604800.0 - 7200.0):
        assert one(HEADER_3 + record(start, _11=0.0, _27=sent_s)).transmitted_ns == midnight - 2 * HOUR_NS


@pytest.mark.parametrize(("fit", "longer"), [(None, False), (0.0, False), (4.0, False), (6.0, True), (1.0, True)])
def test_fit_interval(fit, longer):
    assert one(HEADER_3 + record(_28=fit)).fit_interval_flag is longer


@pytest.mark.parametrize(("metres", "index"), [(0.0, 0), (2.0, 0), (2.8, 1), (4.0, 2), (32.0, 7), (8192.0, 15)])
def test_accuracy_index(metres, index):
    assert one(HEADER_3 + record(_23=metres)).ura_index == index


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        (HEADER_3 + record().replace("-7.362500000000e+01", "-7.36250000x000e+01"), "where a number was expected", 4),
        (HEADER_3 + record(_10=None), "is missing", 5),
        (HEADER_3 + record(_8=0.7), "eccentricity is 0.7", 3),
        (HEADER_3 + record(_11=604801.0), "reference time", 3),
        (HEADER_3 + record(_3=1e300), "IODE", 3),
        (HEADER_3 + record("G07 2021 13 01 02 00 00"), "month must be", 3),
        (HEADER_3 + record("GXX 2021 01 01 02 00 00"), "satellite or epoch", 3),
        (HEADER_3 + "\n".join(record().split("\n")[:6]) + "\n", "cut off", 3),
        (HEADER_3 + record()[:-25], "cut off", 3),
        (HEADER_3 + "\n".join(record().split("\n")[:6]) + "\n" + record(), "starts inside", 9),
        (HEADER_3.replace("N: GNSS", "OBSERVA"), "expected navigation data", 1),
        ("", "expected a RINEX header", 1),
        (HEADER_3.split("\n", maxsplit=1)[0], "ends before 'END OF HEADER'", 1),
    ],
)
def test_broken_file(text, what, line):
    with pytest.raises(GpsgridError, match=r"some\.rnx, line") as raised:
        read_navigation(text, "some.rnx")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)
    assert raised.value.facts["line"] == line


@pytest.mark.parametrize("cut", [1 + 25, 60, 81, 500])
def test_a_last_record_that_is_half_written_is_left_out_and_counted(cut):
    read = read_navigation_file(HEADER_3 + record() + record("G08 2021 01 01 02 00 00")[:-cut], "some.rnx")
    assert [ephemeris.satellite for ephemeris in read.ephemerides] == [7]
    assert read.skipped == {"cut off at the end of the file": 1}


def test_a_number_that_is_half_written_is_no_number():
    """The fit interval is not needed; half of it, `4.0000` of `4.000000000000e+00`, would be taken for all of it."""
    whole = record("G08 2021 01 01 02 00 00").rstrip()
    assert len(read_navigation_file(HEADER_3 + record() + whole, "some.rnx").ephemerides) == 2
    read = read_navigation_file(HEADER_3 + record() + whole[:-8], "some.rnx")
    assert len(read.ephemerides) == 1
    assert sum(read.skipped.values()) == 1


def test_merging_keeps_the_earliest_transmission_and_sorts():
    first = one(HEADER_3 + record())
    later = dataclasses.replace(first, transmitted_ns=first.transmitted_ns + HOUR_NS)
    newer = dataclasses.replace(first, iode=53, toe_ns=first.toe_ns + 2 * HOUR_NS)
    other = dataclasses.replace(first, satellite=3)
    assert merge_ephemerides([[newer, later], [first, other], []]) == [other, first, newer]
