"""Station coordinates: SINEX positions and velocities, our TOML, and moving between epochs."""

import io
import math

import numpy as np
import pandas as pd
import pytest

from stations import gpstime
from stations.coordinates import ns_to_year, read_coordinates, write_coordinates, year_to_ns
from stations.edge.files import load_coordinates
from stations.errors import GpsgridError, Reason
from stations.sinex import read_sinex

REFERENCE = gpstime.from_calendar(2010, 1, 1)
VALUES = {
    "STAX": 3924687.6541, "STAY": 301132.8712, "STAZ": 5001910.9012, "VELX": -0.0145, "VELY": 0.0169, "VELZ": 0.0101,
}  # fmt: skip


def estimate(
    number: int, kind: str, value: float, site: str = "DELF", solution: str = "1", epoch: str = "10:001:00000"
) -> str:
    unit = "m/y" if kind.startswith("VEL") else "m"
    return f" {number:5d} {kind:<6} {site} {'A':>2} {solution:>4} {epoch} {unit:<4} 2 {value:21.14E} {0.001:11.5E}\n"


def sinex() -> str:
    text = "%=SNX 2.02 IGN 16:021:00000 IGN 79:003:00000 15:045:00000 C 00006 2 X V\n*comment\n"
    text += "+FILE/REFERENCE\n DESCRIPTION        anything + at - all\n-FILE/REFERENCE\n+SITE/ID\n"
    text += "*CODE PT __DOMES__ T _STATION DESCRIPTION__ APPROX_LON_ APPROX_LAT_ _APP_H_\n"
    text += " DELF  A 13502M004 P Delft, The Netherlands   4 23 15.2  51 59  9.8    74.3\n-SITE/ID\n+SOLUTION/EPOCHS\n"
    text += " DELF  A    1 C 96:001:00000 12:001:00000 04:001:00000\n"
    text += " DELF  A    2 C 12:001:00000 00:000:00000 14:001:00000\n-SOLUTION/EPOCHS\n+SOLUTION/ESTIMATE\n"
    text += "*INDEX TYPE__ CODE PT SOLN _REF_EPOCH__ UNIT S __ESTIMATED VALUE____ _STD_DEV___\n"
    for number, (kind, value) in enumerate(VALUES.items(), 1):
        text += estimate(number, kind, value)
    for number, (kind, value) in enumerate(VALUES.items(), 7):
        text += estimate(number, kind, value + 0.01 * kind.startswith("STA"), solution="2")
    for number, kind in enumerate(("STAX", "STAY", "STAZ"), 13):
        text += estimate(number, kind, VALUES[kind] + 1000.0, site="ZEGV")
    return text + estimate(16, "LOD", 0.1) + "-SOLUTION/ESTIMATE\n%ENDSNX\n"


def test_positions_velocities_and_validity():
    read = read_sinex(sinex(), "some.snx")
    assert [(entry.station, entry.solution) for entry in read.entries] == [("DELF", "1"), ("DELF", "2"), ("ZEGV", "1")]
    first = read.entries[0]
    assert first.position_m == (VALUES["STAX"], VALUES["STAY"], VALUES["STAZ"])
    assert first.velocity_m_a == (VALUES["VELX"], VALUES["VELY"], VALUES["VELZ"])
    assert first.position_sd_m == first.velocity_sd_m_a == (0.001, 0.001, 0.001)
    assert first.reference_ns == REFERENCE
    assert (first.point, first.domes, first.description) == ("A", "13502M004", "Delft, The Netherlands")
    assert (first.valid_from_ns, first.valid_until_ns) == (
        gpstime.from_calendar(1996, 1, 1),
        gpstime.from_calendar(2012, 1, 1),
    )
    assert read.entries[1].valid_until_ns is None
    assert math.isnan(read.entries[2].velocity_m_a[0])


def test_the_solution_that_holds_is_found_and_moved():
    read = read_sinex(sinex(), "some.snx")
    assert read.find("delf", gpstime.from_calendar(2011, 1, 1)).solution == "1"
    later = read.find("DELF", gpstime.from_calendar(2021, 1, 1))
    assert later.solution == "2"
    moved = later.at(gpstime.from_calendar(2021, 1, 1))
    expected = [VALUES[f"STA{axis}"] + 0.01 + VALUES[f"VEL{axis}"] * 4018 / 365.25 for axis in "XYZ"]
    np.testing.assert_allclose(moved, expected, atol=1e-8, rtol=0)
    np.testing.assert_array_equal(read.find("ZEGV").at(later.reference_ns + 10**18), read.find("ZEGV").position_m)
    for name, time_ns, what in (
        ("WSRA", None, "it has DELF, ZEGV"),
        ("DELF", gpstime.from_calendar(1990, 1, 1), "at 1990"),
    ):
        with pytest.raises(GpsgridError) as raised:
            read.find(name, time_ns)
        assert raised.value.reason is Reason.UNKNOWN_STATION
        assert what in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("%=SNX", "%=BIA", "expected a SINEX file"),
        ("-SITE/ID\n", "", "begins inside SITE/ID"),
        ("+SITE/ID\n", "", "block SITE/ID ends, but no block was open"),
        ("%ENDSNX", "", "cut off"),
        ("10:001:00000 m ", "10:001:0000x m ", "whole number"),
        ("10:001:00000 m ", "11:001:00000 m ", "another reference epoch"),
        ("10:001:00000 m ", "10:001:00000 ft", "unit 'ft' of STAX; expected m"),
        ("10:001:00000 m/y", "10:400:00000 m/y", "epoch '10:400:00000'"),
        ("STAY   DELF", "STAQ   DELF", "no estimate of STAY"),
        ("3.92468765410000E+06", "3.92468765410000E+0x", "where a number"),
    ],
)
def test_broken_sinex(old, new, what):
    assert old in sinex()
    with pytest.raises(GpsgridError, match=r"some\.snx, line") as raised:
        read_sinex(sinex().replace(old, new, 1), "some.snx")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)


def test_toml_round_trip(tmp_path):
    known = read_sinex(sinex(), "some.snx").entries[1:]
    path = tmp_path / "coordinates.toml"
    path.write_text(write_coordinates("ITRF2014", known, 2021.0))
    read = load_coordinates(path)
    assert read.frame == "ITRF2014"
    for given_entry, entry in zip(known, read.entries, strict=True):
        assert entry.reference_ns == gpstime.from_calendar(2021, 1, 1)
        # Four decimals of a metre.
        np.testing.assert_allclose(entry.position_m, given_entry.at(entry.reference_ns), atol=5.1e-5, rtol=0)
        np.testing.assert_allclose(entry.velocity_m_a, given_entry.velocity_m_a, atol=5.1e-7, rtol=0)
    other = tmp_path / "some.snx"
    other.write_text(sinex())
    assert len(load_coordinates(other).entries) == 3


@pytest.mark.data
def test_network_file_is_a_coordinate_file(shared_data):
    read = load_coordinates(shared_data / "nl-2021-001" / "night.toml")
    assert (read.frame, len(read.entries)) == ("ITRF2014", 5)
    assert read.find("DELF").position_m[0] == pytest.approx(3924687.0, abs=5.0)


GOOD = '[network]\nframe = "ITRF2014"\nepoch = 2021.0\n[[station]]\nid = "A"\nposition = [1.0, 2.0, 3.0]\n'


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("[network]", "[network", "line 1"),
        ("[[station]]", "[station]", r"one \[\[station\]\] a station"),
        ("2021.0", '"2021"', "epoch '2021'"),
        ("2021.0", "1" + "0" * 400, "epoch 1000"),
        ('frame = "ITRF2014"\n', "", "frame None"),
        ('"A"', "7", "id 7"),
        ("3.0]", "nan]", "expected three numbers"),
        ("3.0]", '"3"]', "expected three numbers"),
        ("3.0]", "3.0, 4.0]", "expected three numbers"),
        ("3.0]", "3e9]", "expected three numbers"),
        ("3.0]\n", "3.0]\nvelocity = 1\n", "velocity 1; expected three numbers"),
    ],
)
def test_broken_toml(old, new, what):
    with pytest.raises(GpsgridError, match=what) as raised:
        read_coordinates(GOOD.replace(old, new, 1), "some.toml")
    assert raised.value.reason is Reason.BROKEN_FILE


def test_station_must_not_come_twice():
    with pytest.raises(GpsgridError, match="no other station has"):
        read_coordinates(GOOD + GOOD[GOOD.index("[[") :], "some.toml")


@pytest.mark.parametrize("year", [1980.5, 2000.0, 2020.25, 2021.0, 2023.999])
def test_decimal_years(year):
    assert ns_to_year(year_to_ns(year)) == pytest.approx(year, abs=1e-12)
    assert year_to_ns(2021.0) == gpstime.from_calendar(2021, 1, 1)


def test_equal_to_columns_cut_by_pandas():
    """The estimates of a made-up file, read by the columns of the SINEX 2.02 document (page 26) with ``read_fwf``."""
    assert compare_with_pandas(sinex()) == 30


def compare_with_pandas(text: str) -> int:
    """Return how many values are compared."""
    block = text.split("+SOLUTION/ESTIMATE\n")[1].split("-SOLUTION/ESTIMATE", maxsplit=1)[0]
    columns = {"kind": (7, 13), "site": (14, 18), "point": (19, 21), "solution": (22, 26)}
    columns |= {"value": (47, 68), "sd": (69, 80)}
    theirs = pd.read_fwf(io.StringIO(block), colspecs=list(columns.values()), names=list(columns), dtype=str)
    ours = {}
    for entry in read_sinex(text, "x").entries:
        for axis, letter in enumerate("XYZ"):
            key = entry.station, entry.point, entry.solution
            ours[f"STA{letter}", *key] = entry.position_m[axis], entry.position_sd_m[axis]
            if not math.isnan(entry.velocity_m_a[axis]):
                ours[f"VEL{letter}", *key] = entry.velocity_m_a[axis], entry.velocity_sd_m_a[axis]
    rows = [row for row in theirs.itertuples(index=False) if row.kind[:3] in {"STA", "VEL"}]
    assert {(row.kind, row.site, row.point, row.solution): (float(row.value), float(row.sd)) for row in rows} == ours
    return 2 * len(rows)
