"""RINEX navigation files of all systems: equal to RTKLIB's reader, written and read back, damaged."""

import datetime as dt
from collections import Counter

import numpy as np
import pyrtklib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations import gpstime
from stations.edge.files import read_text
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.navigation import GalileoEphemeris, GalileoMessage, NavicEphemeris
from stations.navigation_kinds import upload_key
from stations.navigation_vector import GlonassEphemeris, GlonassService, SbasEphemeris
from stations.rinex_nav import read_navigation, read_navigation_file
from stations.rinex_nav_fields import regular_records
from stations.rinex_nav_writer import write_navigation
from stations.signals import satellite_name
from stations.wire.broadcast_ephemeris import EPHEMERIS_DECODERS, encode_broadcast
from stations.wire.framing import FrameBuffer, message_number

FILES = {
    "nl-2021-001/CBW100NLD_R_20210010000_01D_MN.rnx.gz": "GREC",
    "nl-2021-001/AMEL00NLD_R_20210010000_01D_MN.rnx.gz": "GRECJ",
    "sim-city/brdc.rnx.gz": "GREC",
    "short-baseline-2024/base.nav": "GRECJ",
    "geonet-2005-092/07590920.05n": "G",
}

JUNK = b"0123456789 .-+DEGRCJIS>_\n\t\x00\xb2"


def header(version, kind="N: GNSS NAV DATA    M: MIXED"):
    return f"{f'     {version}           {kind}':<60}RINEX VERSION / TYPE\n{'':60}END OF HEADER\n"


def lines(start, values, indent=4, exponent="e"):
    fields = [" " * 19 if value is None else f"{value:19.12e}".replace("e", exponent) for value in values]
    rows = [start + "".join(fields[:3])]
    rows += [" " * indent + "".join(fields[at : at + 4]) for at in range(3, len(fields), 4)]
    return "".join(row.rstrip() + "\n" for row in rows)


GLONASS = [
    7.282663136721e-05, 9.094947017729e-13, 432000.0,
    -5823.143066406, -2.584109306335, 1.862645149231e-09, 0.0,
    9438.300292969, -1.792398452759, 0.0, 1.0,
    22966.19091797, 0.08235454559326, -1.862645149231e-09, 2.0,
]  # fmt: skip


# ------------------------------------------------------------------------------------------------ RTKLIB's reader


def from_rtklib(path):
    nav = pyrtklib.nav_t()
    assert pyrtklib.readrnx(str(path), 1, "", pyrtklib.obs_t(), nav, pyrtklib.sta_t()) == 1
    return nav


@pytest.fixture(scope="module")
def satellites():
    return satellites_by_number()


def satellites_by_number():
    """Return our satellite by number of RTKLIB."""
    names = {
        pyrtklib.satid2no(f"{letter}{number:02d}"): (letter, number) for letter in "GREJCI" for number in range(64)
    }
    return {number: 100 * "GRESJCI".index(letter) + place for number, (letter, place) in names.items() if number > 0}


def compare(path, ephemerides, satellites, kepler_oracle, glonass_oracle):
    """Compare every ephemeris that RTKLIB has kept (it removes repetitions) with the one of ours that it is."""
    nav = from_rtklib(path)
    kepler, glonass = {}, {}
    for ours in ephemerides:
        if isinstance(ours, GlonassEphemeris):
            glonass.setdefault((ours.satellite, ours.toe_ns), []).append(ours)
        else:
            key = (ours.satellite, ours.toe_ns, upload_key(ours)[2])
            kepler.setdefault(key, []).append(ours)
    compared, seen = 0, set()
    for place in range(nav.n):
        eph = nav.eph[place]
        satellite = satellites[eph.sat]
        fnav = satellite // 100 == 2 and not eph.code & 0x200 and bool(eph.code & 0x102)
        key = (satellite, (eph.toe.time - 315_964_800) * 10**9, fnav)
        seen.add(key)
        results = [kepler_oracle(ours, eph, rounds_sisa=True) for ours in kepler[key]]
        assert any(not wrong for _, wrong in results), (satellite, results)
        compared += results[0][0]
    for place in range(nav.ng):
        geph = nav.geph[place]
        key = (satellites[geph.sat], (geph.toe.time - 315_964_800) * 10**9)
        seen.add(key)
        results = [glonass_oracle(ours, geph) for ours in glonass[key]]
        assert any(not wrong for _, wrong in results), (key, results)
        compared += results[0][0]
    assert seen == kepler.keys() | glonass.keys()
    return compared


@pytest.mark.data
@pytest.mark.parametrize("name", list(FILES))
def test_files_equal_rtklib(shared_data, tmp_path, satellites, kepler_oracle, glonass_oracle, name):
    text = read_text(shared_data / name)
    copy = tmp_path / ("copy.05n" if name.endswith("05n") else "copy.rnx")
    copy.write_text(text, encoding="latin-1")
    read = read_navigation_file(text, name)
    assert not read.skipped
    assert {satellite_name(ephemeris.satellite)[0] for ephemeris in read.ephemerides} == set(FILES[name])
    assert compare(copy, read.ephemerides, satellites, kepler_oracle, glonass_oracle) > 2000
    assert read_navigation(text, name) == [e for e in read.ephemerides if satellite_name(e.satellite)[0] == "G"]


@pytest.mark.data
@pytest.mark.parametrize("name", list(FILES))
def test_what_is_written_equals_in_rtklib_and_comes_back(
    shared_data, tmp_path, satellites, kepler_oracle, glonass_oracle, name
):
    ephemerides = read_navigation_file(read_text(shared_data / name), name).ephemerides
    text = write_navigation(ephemerides)
    assert read_navigation_file(text, "written").ephemerides == ephemerides
    copy = tmp_path / "copy.rnx"
    copy.write_text(text, encoding="ascii")
    assert compare(copy, ephemerides, satellites, kepler_oracle, glonass_oracle) > 2000


@pytest.mark.data
def test_recorded_messages_survive_a_file_to_the_bit(shared_data):
    near_ns = gpstime.from_calendar(2018, 8, 3, 15)
    count = Counter()
    for payload in FrameBuffer().push((shared_data / "rtcm3" / "eph.rtcm").read_bytes()):
        number = message_number(payload)
        sent = EPHEMERIS_DECODERS[number](payload, near_ns)
        (read,) = read_navigation_file(write_navigation([sent]), "written").ephemerides
        if number == 1020:
            # RINEX 3.04 has no place for the service part; orbit, clock and times are all there.
            names = ("satellite", "toe_ns", "frame_ns", "channel", "health", "age_days", "tau_s", "gamma")
            assert [getattr(read, name) for name in names] == pytest.approx([getattr(sent, name) for name in names])
            for name in ("position_m", "velocity_m_s", "acceleration_m_s2"):
                assert getattr(read, name) == pytest.approx(getattr(sent, name), rel=1e-12, abs=0.0)
        else:
            assert encode_broadcast(read) == payload
        count[number] += 1
    assert set(count) == {1019, 1020, 1042, 1044, 1045, 1046}


# ---------------------------------------------------------------------------------------------- versions and systems


def test_glonass_of_version_2():
    old = [*GLONASS]
    old[2] = 900.0
    text = header("2.11", "G: GLONASS NAV DATA") + lines(" 3 21  1  1  0 15  0.0", old, 3, "D")
    (found,) = read_navigation_file(text, "x").ephemerides
    (new,) = read_navigation_file(header("3.04") + lines("R03 2021 01 01 00 15 00", GLONASS), "x").ephemerides
    assert found.toe_ns == new.toe_ns == gpstime.from_calendar(2021, 1, 1, 0, 15, 18 * 10**9)
    assert (found.frame_ns - new.frame_ns) == 900 * 10**9
    assert (found.satellite, found.channel, found.age_days, found.issue) == (103, 1, 2, 13)
    assert found.position_m == new.position_m == pytest.approx((-5823143.066406, 9438300.292969, 22966190.91797))
    assert found.tau_s == -7.282663136721e-05


def test_glonass_of_version_305_has_a_fifth_line():
    status = (1 << 7) | (1 << 6) | (3 << 2) | 1
    five = [*GLONASS, float(status), 1.862645149231e-09, 4.0, 7.0]
    text = header("3.05") + lines("R03 2021 01 01 00 15 00", five) * 2
    first, second = read_navigation_file(text, "x").ephemerides
    assert first == second
    assert (first.delta_tau_s, first.accuracy_index) == (1.862645149231e-09, 4)
    assert first.service == GlonassService(
        satellite_type=1, p4=True, p1=3, p=1, almanac_health=True, almanac_health_known=True, unhealthy_3=True
    )
    assert first.healthy
    four = header("3.05") + lines("R03 2021 01 01 00 15 00", GLONASS) * 2
    assert len(read_navigation_file(four, "x").ephemerides) == 2


@pytest.mark.parametrize(("minute", "second", "quarter"), [(15, 18, 15), (14, 42, 15), (0, 0, 0)])
def test_glonass_epochs_are_quarters_of_an_hour(minute, second, quarter):
    text = header("3.04") + lines(f"R03 2021 01 01 00 {minute:02d} {second:02d}", GLONASS)
    (found,) = read_navigation_file(text, "x").ephemerides
    assert found.toe_ns == gpstime.from_calendar(2021, 1, 1, 0, quarter, 18 * 10**9)


def test_a_receiver_that_writes_channels_as_bytes():
    values = [*GLONASS]
    values[10] = 250.0
    (found,) = read_navigation_file(header("3.04") + lines("R03 2021 01 01 00 15 00", values), "x").ephemerides
    assert found.channel == -6


def test_sbas():
    values = [1e-7, 2e-12, 432100.0, 40000.0, 0.1, 1e-8, 0.0, 12000.0, 0.2, 2e-8, 4.0, 100.0, 0.3, 3e-8, 7.0]
    text = header("3.04") + lines("S20 2021 01 01 00 02 24", values)
    (found,) = read_navigation_file(text, "x").ephemerides
    assert isinstance(found, SbasEphemeris)
    assert (found.satellite, to_iso(found.toe_ns), found.issue) == (320, "2021-01-01T00:02:24.000", 7)
    assert (found.accuracy_m, found.velocity_m_s) == (4.0, (100.0, 200.0, 300.0))
    assert read_navigation_file(write_navigation([found]), "x").ephemerides == (found,)


def kepler(**changes):
    values = [1e-4, 1e-12, 0.0, 9.0, 10.0, 4e-9, 1.0, 1e-6, 0.002, 2e-6, 6493.0, 439200.0, 1e-8, 2.0, 2e-8, 0.5, 300.0,
              1.5, -3e-9, 1e-10, 0.0, 2138.0, 0.0, 2.0, 1.0, -1e-9, 0.0, 432000.0, 0.0, 0.0, 0.0]  # fmt: skip
    for name, value in changes.items():
        values[int(name[1:])] = value
    return values


def test_navic():
    text = header("3.04") + lines("I02 2021 01 01 02 00 00", kepler(_26=None))
    (found,) = read_navigation_file(text, "x").ephemerides
    assert isinstance(found, NavicEphemeris)
    assert (found.satellite, found.iodec, found.health, found.tgd_s) == (602, 9, 1, -1e-9)
    assert to_iso(found.toe_ns) == "2021-01-01T02:00:00.000"
    assert read_navigation_file(write_navigation([found]), "x").ephemerides == (found,)


def test_beidou_epochs_are_beidou_time():
    text = header("3.04") + lines("C07 2021 01 01 02 00 00", kepler(_21=782.0, _24=0.0, _28=3.0))
    (found,) = read_navigation_file(text, "x").ephemerides
    assert to_iso(found.toe_ns) == to_iso(found.toc_ns) == "2021-01-01T02:00:14.000"
    assert to_iso(found.transmitted_ns) == "2021-01-01T00:00:14.000"
    assert (found.aode, found.aodc, found.complete) == (9, 3, True)


def test_version_4_reads_ephemerides_and_counts_the_rest():
    galileo = kepler(_3=80.0, _20=258.0, _23=3.12, _24=0.0)
    text = (
        header("4.00")
        + "> STO G01 LNAV\n    2021 01 01 00 00 00 GPUT\n    0.0 0.0 0.0\n"
        + "> EPH E11 FNAV\n"
        + lines("E11 2021 01 01 02 00 00", galileo)
        + "> EPH E11 INAV\n"
        + lines("E11 2021 01 01 02 00 00", [*galileo[:20], 517.0, *galileo[21:]])
        + "> EPH C30 CNV1\n"
        + lines("C30 2021 01 01 02 00 00", kepler()) * 2
        + "> EPH R03 FDMA\n"
        + lines("R03 2021 01 01 00 15 00", [*GLONASS, 0.0, 0.999999999999e09, 15.0, 0.0])
        + "> EOP G20 CNVX\n    2021 01 01 00 00 00\n"
        + "> EPH I02 LNAV\n"
        + lines("I02 2021 01 01 02 00 00", kepler())
        + "> ION G20 LNAV\n    2021 01 01 00 00 00\n> EPH\n"
    )
    read = read_navigation_file(text, "x")
    assert [satellite_name(e.satellite) for e in read.ephemerides] == ["E11", "E11", "R03", "I02"]
    assert [e.message for e in read.ephemerides if isinstance(e, GalileoEphemeris)] == list(reversed(GalileoMessage))
    assert read.skipped == {"STO": 1, "EPH CNV1": 1, "EOP": 1, "ION": 1, "EPH": 1}
    assert read.ephemerides[2].delta_tau_s == 0.0


def test_an_unknown_system_is_counted():
    text = header("3.04") + lines("L02 2021 01 01 02 00 00", kepler()) + lines("C07 2021 01 01 02 00 00", kepler())
    read = read_navigation_file(text, "x")
    assert (len(read.ephemerides), read.skipped) == (1, {"L": 1})
    assert read_navigation_file(text, "x", systems="GE").ephemerides == ()


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (lines("R03 2021 01 01 00 22 00", GLONASS), "expected a quarter of an hour"),
        (
            lines("R03 2021 01 01 00 15 00", [*GLONASS[:3], 58.0, *GLONASS[4:7], 9.0, *GLONASS[8:11], 20.0, 0, 0, 0]),
            "km",
        ),
        (lines("R03 2021 01 01 00 15 00", [*GLONASS[:4], 12.0, *GLONASS[5:]]), "speed is 12"),
        (lines("R03 2021 01 01 00 15 00", [*GLONASS[:10], None, *GLONASS[11:]]), "is missing"),
        (lines("R03 2021 01 01 00 15 00", GLONASS[:11]), "cut off"),
        (lines("R00 2021 01 01 00 15 00", GLONASS), "satellite"),
        (lines("E11 2021 01 01 02 00 00", kepler(_24=600.0)), "health is 600"),
        (lines("E11 2021 01 01 02 00 00", kepler(_3=1024.0)), "IODnav is 1024"),
        (lines("C07 2021 01 01 02 00 00", kepler(_3=256.0)), "AODE is 256"),
        (lines("I02 2021 01 01 02 00 00", kepler(_24=4.0)), "health is 4"),
        (lines("I02 2021 01 01 02 00 00", kepler()).replace("1.500000000000e+00", "1.5000_0000000e+00"), "number"),
        (lines("I02 2021 01 01 02 00 00", kepler()).replace("1.500000000000e+00", "               inf"), "number"),
        (lines("I02 2021 01 01 02 00 00", kepler()).replace("1.500000000000e+00", "1.50000000000e+999"), "number"),
    ],
)
def test_broken_records(record, what):
    with pytest.raises(GpsgridError, match=what) as raised:
        read_navigation_file(header("3.04") + record, "x")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert read_navigation(header("3.04") + record, "x") == []


@pytest.mark.data
@pytest.mark.parametrize("version", ["3.04", "4.00"])
def test_damaged_files_are_read_or_refused(shared_data, rng, version):
    text = read_text(shared_data / "short-baseline-2024" / "base.nav").replace("3.04", version, 1)
    records = text.split("END OF HEADER       \n")[1].split("\n")
    starts = [at for at, line in enumerate(records) if line.strip() and line[0] != " "]
    picked = [
        line
        for at in starts[::14]
        for line in (f"> EPH {records[at][:3]} LNAV", *records[at : at + (4 if records[at][0] in "RS" else 8)])
    ]
    data = (
        header(version) + "\n".join(picked if version[0] == "4" else [line for line in picked if line[0] != ">"]) + "\n"
    ).encode("latin-1")
    accepted = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 8)):
            place = int(rng.integers(0, len(damaged)))
            kind = rng.integers(0, 4)
            if kind <= 1:
                damaged[place] = JUNK[rng.integers(len(JUNK))]
            elif kind == 2:
                del damaged[place : place + int(rng.integers(1, 30))]
            else:
                damaged[place:place] = damaged[place // 2 : place // 2 + int(rng.integers(1, 90))]
        assert outcome(damaged.decode("latin-1"), "damaged") == record_by_record(damaged.decode("latin-1"), "damaged")
        try:
            read = read_navigation_file(damaged.decode("latin-1"), "damaged")
        except GpsgridError as error:
            assert error.reason is Reason.BROKEN_FILE
            assert error.facts["line"] > 0
        else:
            accepted += 1
            assert all(isinstance(ephemeris.issue, int) for ephemeris in read.ephemerides)
    assert 0 < accepted < 400


# ------------------------------------------------------------------------------------------------------- slow twin


def record_by_record(text, source):
    """Read a file without the kernel that reads the numbers of all records at once."""

    def nothing_is_regular(table, first, kinds, first_column):
        values, regular = regular_records(table, first, kinds, first_column)
        return values, np.zeros_like(regular)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stations.rinex_nav.regular_records", nothing_is_regular)
        return outcome(text, source)


def outcome(text, source):
    """Return what is in a file, every float with all its bits, or what is said about it."""
    try:
        read = read_navigation_file(text, source)
    except GpsgridError as error:
        return str(error)
    return read.version, read.skipped, [repr(ephemeris) for ephemeris in read.ephemerides]


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_all_records_at_once_equal_one_at_a_time(shared_data, name):
    text = read_text(shared_data / name)
    _, _, found = outcome(text, name)
    assert len(found) > 100
    assert outcome(text, name) == record_by_record(text, name)


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_real_records_are_regular(shared_data, monkeypatch, name):
    text = read_text(shared_data / name)
    monkeypatch.setattr("stations.rinex_nav._fields", lambda *_: pytest.fail("a record was read the slow way"))
    assert read_navigation_file(text, name).ephemerides


@pytest.mark.data
@pytest.mark.parametrize("name", FILES)
def test_ephemerides_have_all_their_fields(shared_data, name):
    ephemerides = read_navigation_file(read_text(shared_data / name), name).ephemerides
    for ephemeris in ephemerides[::10]:
        assert type(ephemeris)(**vars(ephemeris)) == ephemeris


# ------------------------------------------------------------------------------------------------------------ writer


def test_header_of_a_written_file():
    (glonass,) = read_navigation_file(header("3.04") + lines("R03 2021 01 01 00 15 00", GLONASS), "x").ephemerides
    created = dt.datetime(2021, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    text = write_navigation([glonass], created, "some program", "somebody", ["a comment"])
    assert text.split("\n")[:5] == [
        "     3.04           N: GNSS NAV DATA    R: GLONASS          RINEX VERSION / TYPE",
        "some program        somebody            20210102 030405 UTC PGM / RUN BY / DATE ",
        "a comment                                                   COMMENT             ",
        "    18                                                      LEAP SECONDS        ",
        "                                                            END OF HEADER       ",
    ]
    assert read_navigation_file(write_navigation([]), "x").ephemerides == ()


@pytest.mark.parametrize("change", [{"tau_s": float("nan")}, {"gamma": -1e-120}, {"toe_ns": 1}])
def test_what_cannot_be_written(change):
    (glonass,) = read_navigation_file(header("3.04") + lines("R03 2021 01 01 00 15 00", GLONASS), "x").ephemerides
    with pytest.raises(ValueError, match="R03: an ephemeris has finite"):
        write_navigation([type(glonass)(**(vars(glonass) | change))])


NUMBERS = st.floats(-1e-3, 1e-3).map(lambda value: float(f"{value:.12e}") if abs(value) > 1e-90 else 0.0)


@given(
    letter=st.sampled_from("GEJCI"),
    number=st.integers(1, 63),
    numbers=st.lists(NUMBERS, min_size=20, max_size=20),
    sent_s=st.integers(-90_000, 604_799),
    issue=st.integers(0, 255),
    quarter=st.integers(0, 671),
)
def test_any_kepler_ephemeris_comes_back(letter, number, numbers, sent_s, issue, quarter):
    values = [*numbers, *kepler()[20:]]
    values[3], values[8], values[10], values[11] = issue, abs(values[8]), 5153.0, quarter * 900.0
    values[20], values[26], values[27] = 1.0, 0.0 if letter != "G" else float(issue), float(sent_s)
    at_ns = gpstime.from_week(2138, quarter * 900 * 10**9)
    start = f"{letter}{number:02d} {to_iso(at_ns)[:19].translate(str.maketrans('-:T', '   '))}"
    (found,) = read_navigation_file(header("3.04") + lines(start, values), "x").ephemerides
    assert read_navigation_file(write_navigation([found]), "x").ephemerides == (found,)
