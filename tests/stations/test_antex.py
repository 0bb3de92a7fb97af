"""ANTEX: which antenna is found, what is refused, and the numbers of an independent reader."""

import numpy as np
import pyrtklib
import pytest

from stations import gpstime
from stations.antenna_type import antenna_type
from stations.antex import AntennaTable, read_antex
from stations.edge.files import load_antex
from stations.errors import GpsgridError, Reason


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


def test_satellite_antennas_are_passed_over():
    satellite = antenna("BLOCK IIA", "G01").replace(
        f"{'BLOCK IIA':<20}{'G01':<20}", f"{'BLOCK IIA':<20}{'G01':<20}G032"
    )
    satellite = satellite.replace("G032" + " " * 20, "G032" + " " * 16)
    assert [entry.antenna for entry in table(satellite, antenna("TRM29659.00     NONE")).calibrations] == [
        "TRM29659.00     NONE"
    ]


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
