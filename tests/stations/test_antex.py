"""ANTEX: which antenna is found, what is refused, and the numbers of an independent reader."""

import numpy as np
import pyrtklib
import pytest

from stations import gpstime
from stations.antenna_type import antenna_type
from stations.antex import AntennaTable, read_antex
from stations.edge.files import load_antex
from stations.errors import GpsgridError, Reason
from stations.signals import satellite_name


def label(text: str, name: str) -> str:
    return f"{text:<60}{name}\n"


HEADER = label("     1.4            M", "ANTEX VERSION / SYST") + label("", "END OF HEADER")


def antenna(kind: str, serial: str = "", *, step: float = 0.0, up_mm: float = 100.0, extra: str = "") -> str:
    zenith = np.arange(0.0, 91.0, 5.0)
    text = label("", "START OF ANTENNA") + label(f"{kind:<20}{serial:<20}", "TYPE / SERIAL NO")
    text += label(f"  {step:6.1f}", "DAZI") + label(f"  {0:6.1f}{90:6.1f}{5:6.1f}", "ZEN1 / ZEN2 / DZEN") + extra
    for frequency in ("G01", "G02"):
        text += label(f"   {frequency}", "START OF FREQUENCY")
        text += label(f"{1:10.2f}{2:10.2f}{up_mm:10.2f}", "NORTH / EAST / UP")
        text += "   NOAZI" + "".join(f"{-angle / 10:8.2f}" for angle in zenith) + "\n"
        for azimuth in np.arange(0.0, 361.0, step) if step else []:
            text += f"{azimuth:8.1f}" + "".join(f"{azimuth / 100 - angle / 10:8.2f}" for angle in zenith) + "\n"
        text += label(f"   {frequency}", "END OF FREQUENCY")
    text += label("   G01", "START OF FREQ RMS") + "   NOAZI    0.00\n" + label("   G01", "END OF FREQ RMS")
    return text + label("", "END OF ANTENNA")


def table(*antennas: str) -> AntennaTable:
    return read_antex(HEADER + "".join(antennas), "some.atx")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TRM29659.00     UNAV", "TRM29659.00     UNAV"),
        ("TRM29659.00 UNAV", "TRM29659.00     UNAV"),
        ("  TRM29659.00\tUNAV ", "TRM29659.00     UNAV"),
        ("TRM29659.00", "TRM29659.00         "),
        ("SPP571212238+GP NONE", "SPP571212238+GP NONE"),
        ("JAV_RINGANT_G3T_NONE", "JAV_RINGANT_G3T_NONE"),
        ("   ", ""),
    ],
)
def test_type_has_name_and_radome_in_their_columns(text, expected):
    assert antenna_type(text) == expected


def test_own_calibration_goes_before_that_of_the_type():
    known = table(antenna("LEIAR25.R4      LEIT", "726690", up_mm=1.0), antenna("LEIAR25.R4      LEIT", up_mm=2.0))
    assert known.find("LEIAR25.R4 LEIT", "726690").pattern("G01").offset_enu_m[2] == 0.001
    assert known.find("LEIAR25.R4 LEIT", "999").pattern("G01").offset_enu_m[2] == 0.002
    assert known.find("LEIAR25.R4      LEIT").pattern("G01").offset_enu_m[2] == 0.002


@pytest.mark.parametrize(
    ("kind", "serial", "nearest"),
    [
        ("TRM29659.00     UNAV", "", "'TRM29659.00     NONE'"),
        ("TRM29659.00", "", "'TRM29659.00     NONE'"),
        ("TRM29659.0O     NONE", "", "'TRM29659.00     NONE'"),
        ("LEIAR25.R4      LEIT", "1", "'LEIAR25.R4      LEIT' serial '726690'"),
        ("AOAD/M_T        NONE", "", "nearest are:"),
        ("", "", "nearest are: 'LEIAR25.R4      LEIT' serial '726690', 'TRM29659.00     NONE'"),
    ],
)
def test_nothing_is_taken_in_place_of_an_unknown_antenna(kind, serial, nearest):
    known = table(antenna("TRM29659.00     NONE"), antenna("LEIAR25.R4      LEIT", "726690"))
    with pytest.raises(GpsgridError, match="has no calibration") as raised:
        known.find(kind, serial)
    assert raised.value.reason is Reason.UNKNOWN_ANTENNA
    assert antenna_type(kind) in str(raised.value)
    assert nearest in str(raised.value)


def test_frequency_without_calibration():
    with pytest.raises(GpsgridError, match="no calibration on G05, only on G01, G02") as raised:
        table(antenna("TRM29659.00     NONE")).find("TRM29659.00 NONE").pattern("G05")
    assert raised.value.reason is Reason.UNKNOWN_ANTENNA


def test_validity():
    limits = label("  2020     1     1     0     0    0.0000000", "VALID FROM")
    limits += label("  2020    12    31    23    59   59.9999999", "VALID UNTIL")
    known = table(antenna("TRM29659.00     NONE", extra=limits))
    assert known.calibrations[0].valid_from_ns == gpstime.from_calendar(2020, 1, 1)
    assert known.calibrations[0].valid_until_ns == gpstime.from_calendar(2021, 1, 1) - 100
    assert known.find("TRM29659.00 NONE", time_ns=gpstime.from_calendar(2020, 6, 1))
    assert known.find("TRM29659.00 NONE")
    with pytest.raises(GpsgridError):
        known.find("TRM29659.00 NONE", time_ns=gpstime.from_calendar(2021, 6, 1))


def test_grids():
    pattern = table(antenna("TRM29659.00     NONE", step=30.0)).find("TRM29659.00 NONE").pattern("G02")
    np.testing.assert_allclose(pattern.offset_enu_m, [0.002, 0.001, 0.1], atol=1e-15)
    assert pattern.variation_m.shape == (19,)
    assert pattern.azimuth_variation_m.shape == (13, 19)
    assert pattern.azimuth_variation_m[3, 4] == pytest.approx((0.9 - 2.0) * 1e-3, abs=1e-12)
    np.testing.assert_allclose(np.degrees(pattern.azimuth_rad), np.arange(0, 361, 30), atol=1e-12)


def of_satellite(number: str, vehicle: str, since: int, until: int | None = None, *, step: float = 0.0) -> str:
    limits = label(f"{since:6d}{1:6d}{1:6d}{0:6d}{0:6d}{0:13.7f}", "VALID FROM")
    if until:
        limits += label(f"{until - 1:6d}{12:6d}{31:6d}{23:6d}{59:6d}{59.9999999:13.7f}", "VALID UNTIL")
    text = antenna("BLOCK IIA", number, step=step, extra=limits)
    found = f"{'BLOCK IIA':<20}{number:<20}"
    assert found in text
    return text.replace(f"{found:<60}", f"{found}{vehicle:<10}{'1992-079A':<10}")


def test_satellite_antennas():
    both = of_satellite("G01", "G032", 1992, 2009) + of_satellite("G01", "G049", 2009, 2011, step=60.0)
    known = table(both, of_satellite("E11", "E101", 2011), antenna("TRM29659.00     NONE"))
    assert [entry.antenna for entry in known.calibrations] == ["TRM29659.00     NONE"]
    found = known.satellite(1, gpstime.from_calendar(2008, 6, 1))
    assert (found.vehicle, found.cospar, found.antenna, found.satellite) == ("G032", "1992-079A", "BLOCK IIA", 1)
    pattern = found.frequencies["G01"]
    np.testing.assert_allclose(pattern.offset_xyz_m, [0.001, 0.002, 0.1], atol=1e-15)
    assert pattern.nadir_rad.shape == pattern.variation_m.shape == (19,)
    later = known.satellite(1, gpstime.from_calendar(2010, 1, 1))
    assert (later.vehicle, later.frequencies["G02"].azimuth_variation_m.shape) == ("G049", (7, 19))
    assert known.satellite(211, gpstime.from_calendar(2021, 1, 1)).vehicle == "E101"
    with pytest.raises(
        GpsgridError, match=r"no antenna of G01 at 2015-01-01T00:00:00.000; it has G032, G049"
    ) as raised:
        known.satellite(1, gpstime.from_calendar(2015, 1, 1))
    assert raised.value.reason is Reason.UNKNOWN_ANTENNA


def test_satellite_antennas_equal_rtklib(tmp_path):
    path = tmp_path / "some.atx"
    text = HEADER + of_satellite("G01", "G032", 1992, 2009) + of_satellite("R05", "R734", 2011)
    path.write_text(text)
    theirs = pyrtklib.pcvs_t()
    assert pyrtklib.readpcv(str(path), theirs) == 1
    ours = read_antex(text, "some.atx").satellites
    assert theirs.n == len(ours) == 2
    for place, entry in enumerate(ours):
        other = theirs.pcv[place]
        assert satellite_name(entry.satellite) == f"{'GR'[place]}{(1, 5)[place]:02d}"
        assert other.sat == (1, 32 + 5)[place]
        assert entry.valid_from_ns == (other.ts.time - 315_964_800) * 10**9
        for index, frequency in enumerate(("G01", "G02") if place == 0 else ()):
            for axis in range(3):
                assert entry.frequencies[frequency].offset_xyz_m[axis] == pytest.approx(
                    other.off[index, axis], abs=1e-12
                )
            for node in range(10):
                mine = entry.frequencies[frequency].variation_m[node]
                assert mine == pytest.approx(other.var[index, node], abs=1e-12)


@pytest.mark.parametrize(("kind", "absolute", "reference"), [("A", True, ""), ("R", False, "AOAD/M_T        NONE")])
def test_absolute_and_relative_calibrations(kind, absolute, reference):
    named = label(f"{kind:<20}{'AOAD/M_T        NONE' if kind == 'R' else '':<20}", "PCV TYPE / REFANT")
    known = read_antex(HEADER.replace(label("", "END OF HEADER"), named), "some.atx")
    assert (known.absolute, known.reference_antenna) == (absolute, reference)


def test_announced_frequencies_must_be_there():
    announced = label(f"{3:6d}", "# OF FREQUENCIES")
    with pytest.raises(GpsgridError, match="3 frequencies announced, 2 found"):
        table(antenna("TRM29659.00     NONE", extra=announced))


def test_number_of_a_satellite_that_is_none():
    with pytest.raises(GpsgridError, match="'G1234' as the number of a satellite"):
        table(of_satellite("G1234", "G032", 1992))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("   -0.50", "   -0.5x", "where a number"),
        ("   NOAZI", "     0.0", "needs a line"),
        ("NORTH / EAST / UP", "NORTH / WEST / UP", "where a number"),
        ("   5.0", "   0.0", "grid from"),
        ("END OF ANTENNA", "END OF ANTXNNA", "is it cut off"),
        ("ANTEX VERSION", "RINEX VERSION", "expected 'ANTEX VERSION"),
    ],
)
def test_broken_file(old, new, what):
    text = HEADER + antenna("TRM29659.00     NONE")
    assert old in text
    with pytest.raises(GpsgridError, match=r"some\.atx, line") as raised:
        read_antex(text.replace(old, new), "some.atx")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)


@pytest.mark.data
def test_equal_to_rtklib(shared_data):
    path = shared_data / "nl-2021-001" / "nl.atx"
    ours = load_antex(path)
    theirs = pyrtklib.pcvs_t()
    assert pyrtklib.readpcv(str(path), theirs) == 1
    assert theirs.n == len(ours.calibrations) == 5
    for place, calibration in enumerate(ours.calibrations):
        other = theirs.pcv[place]
        for index, frequency in enumerate(("G01", "G02")):
            pattern = calibration.pattern(frequency)
            # Both scale millimetres by 1e-3; a micrometre would be a wrong digit of the file.
            for node in range(19):
                assert pattern.variation_m[node] == pytest.approx(other.var[index, node], abs=1e-12)
            for axis in range(3):
                assert pattern.offset_enu_m[axis] == pytest.approx(other.off[index, axis], abs=1e-12)


@pytest.mark.data
def test_every_antenna_of_the_network_is_found(shared_data):
    known = load_antex(shared_data / "nl-2021-001" / "nl.atx")
    assert known.find("SEPCHOKE_B3E6 SPKE", "5461").serial == "5461"
    with pytest.raises(GpsgridError, match="serial '5681'"):
        known.find("SEPCHOKE_B3E6 SPKE")
