"""Precise orbits and clocks: SP3 and RINEX CLK by hand-written texts, and what RTKLIB reads from them."""

import math
from pathlib import Path

import numpy as np
import pyrtklib
import pytest

from models.orbit_precise import precise_states
from stations import gpstime
from stations.constants import NS_PER_S
from stations.edge.files import load_clocks, load_orbits
from stations.errors import GpsgridError, Reason
from stations.rinex_clock import read_clocks
from stations.signals import satellite_number
from stations.sp3 import PreciseOrbits, read_sp3

START = gpstime.from_calendar(2021, 1, 1)
STEP_S = 900
UNIX_OF_GPS_S = 315_964_800
NAMES = ["G01", "G32", "R05", "E11", "C21", "J01"]
RTKLIB_NUMBERS = {"G01": 1, "G32": 32}


def header(version: str = "d", names: list[str] | None = None, system: str = "GPS", epochs: int = 20) -> str:
    names = names or NAMES
    text = f"#{version}P2021  1  1  0  0  0.00000000 {epochs:7d} ORBIT IGS14 HLM  IGS\n"
    text += f"## 2138 432000.00000000 {STEP_S:14.8f} 59215 0.0000000000000\n"
    padded = names + ["  0"] * (85 - len(names))
    for start in range(0, 85, 17):
        text += f"+  {len(names) if not start else '':>3}   " + "".join(padded[start : start + 17]) + "\n"
    for start in range(0, 85, 17):
        numbers = [7 if start + place < len(names) else 0 for place in range(17)]
        text += "++       " + "".join(f"{number:3d}" for number in numbers) + "\n"
    text += f"%c M  cc {system} ccc cccc cccc cccc cccc ccccc ccccc ccccc ccccc\n%c cc cc ccc ccc cccc cccc cccc\n"
    text += "%f  1.2500000  1.025000000  0.00000000000  0.000000000000000\n%f  0.0000000  0.000000000  0.0 0.0\n"
    return text + "%i    0    0\n%i    0    0\n/* comment\n"


def circle(place: int, satellite: int) -> tuple[float, float, float]:
    """Return a position in kilometres on a circle of GPS's radius and speed, turned with the Earth."""
    angle = 1.4585e-4 * STEP_S * place + satellite
    turn = -7.2921151467e-5 * STEP_S * place
    x, y, z = 26560.0 * math.cos(angle), 15000.0 * math.sin(angle), 21918.0 * math.sin(angle)
    return x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn), z


def body(epochs: int = 20, names: list[str] | None = None, *, velocities: bool = False) -> str:
    text = ""
    for place in range(epochs):
        minutes = place * STEP_S // 60
        text += f"*  2021  1  1 {minutes // 60:2d} {minutes % 60:2d}  0.00000000\n"
        for number, name in enumerate(names or NAMES):
            x, y, z = circle(place, number)
            text += f"P{name}{x:14.6f}{y:14.6f}{z:14.6f}{100.0 + number + 0.001 * place:14.6f} 10  9 11 102\n"
            if velocities:
                text += f"V{name}{1000.0:14.6f}{-2000.0:14.6f}{3000.0:14.6f}{0.5:14.6f}\n"
    return text


WHOLE = header() + body() + "EOF\n"


def rtklib_orbits(path: Path) -> pyrtklib.nav_t:
    nav = pyrtklib.nav_t()
    pyrtklib.readsp3(str(path), nav, 0)
    return nav


def test_values_units_and_accuracies():
    read = read_sp3(header() + body(2, velocities=True) + "EOF\n", "some.sp3")
    assert (read.frame, read.agency, read.interval_s) == ("IGS14", "IGS", 900.0)
    assert read.time_ns.tolist() == [START, START + STEP_S * NS_PER_S]
    assert read.satellite.tolist() == sorted(map(satellite_number, NAMES))
    np.testing.assert_allclose(read.position_m[1, 0], np.array(circle(1, 0)) * 1e3, atol=5.1e-4, rtol=0)
    assert read.clock_s[1, 0] == pytest.approx(100.001e-6, abs=1e-15)
    np.testing.assert_allclose(read.velocity_m_s[0, 0], [100.0, -200.0, 300.0])
    assert read.clock_rate[0, 0] == pytest.approx(0.5e-10)
    np.testing.assert_allclose(read.accuracy_m, 0.128)
    np.testing.assert_allclose(read.position_sd_m[0, 0], np.array([1.25**10, 1.25**9, 1.25**11]) * 1e-3)
    assert read.clock_sd_s[0, 0] == pytest.approx(1.025**102 * 1e-12)
    assert read.problems == []


def test_bad_values_are_missing():
    first = body(1, ["G01", "G32"])
    x, y, z = circle(0, 0)
    bad = first.replace(f"{x:14.6f}{y:14.6f}{z:14.6f}", f"{0:14.6f}" * 3).replace("    101.000000", " 999999.999999")
    read = read_sp3(header(names=["G01", "G32"]) + bad + "EOF\n", "some.sp3")
    assert np.isnan(read.position_m[0]).tolist() == [[True] * 3, [False] * 3]
    assert np.isnan(read.clock_s[0]).tolist() == [False, True]


def test_flags():
    epoch, record = body(1, ["G01"]).splitlines()
    read = read_sp3(f"{header(names=['G01'])}{epoch}\n{record:<74}EP  MP\nEOF\n", "x")
    assert [bool(column[0, 0]) for column in (read.clock_event, read.clock_predicted, read.maneuver)] == [True] * 3
    assert read.orbit_predicted[0, 0]


@pytest.mark.parametrize(("system", "seconds"), [("GPS", 0), ("UTC", 18), ("TAI", -19), ("BDT", 14), ("GAL", 0)])
def test_time_systems(system, seconds):
    read = read_sp3(header(system=system) + body(1) + "EOF\n", "x")
    assert read.time_ns[0] - START == seconds * NS_PER_S


def test_epochs_without_some_satellites_and_satellites_without_a_number():
    later = body(2, ["R05"])[len(body(1, ["R05"])) :]
    read = read_sp3(header(names=["G01", "L06"]) + body(1, ["G01", "L06"]) + later + "EOF\n", "x")
    assert read.satellite.tolist() == [1, 105]
    assert np.isnan(read.clock_s).tolist() == [[False, True], [True, False]]
    assert read.skipped == {"L06": 1}


@pytest.mark.parametrize("version", ["a", "c", "d"])
def test_versions(version):
    names = [" 1", "32"] if version == "a" else ["G01", "G32"]
    text = header(version, [f"{name:>3}" for name in names]) + body(2, [f"{name:>3}" for name in names]) + "EOF\n"
    assert read_sp3(text, "x").satellite.tolist() == [1, 32]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("#dP", "##P", 1, "expected an SP3 file"),
        ("%c M  cc GPS", "%c M  cc XYZ", 20, "time system 'XYZ'"),
        ("*  2021  1  1  0 15", "*  2021  1  1  0  0", 27, "not later"),
        ("*  2021  1  1  0 15", "*  2021  1 41  0 15", 27, "day"),
        ("PG01  26560.000000", "PG01  2656x.000000", 21, "where a number"),
        ("*  2021  1  1  0  0  0.00000000\n", "", 20, "before the first epoch"),
        (" 10  9 11 102", " 1x  9 11 102", 21, "whole number"),
    ],
)
def test_broken_files_name_line_and_cause(old, new, line, what):
    assert old in WHOLE
    with pytest.raises(GpsgridError, match=r"some\.sp3, line") as raised:
        read_sp3(WHOLE.replace(old, new, 1), "some.sp3")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)
    assert abs(raised.value.facts["line"] - line) <= 1


def test_file_that_was_cut_off_is_reported():
    assert "EOF" in read_sp3(WHOLE[:-4], "some.sp3").problems[0]


@pytest.mark.parametrize("kept", [1, 6, 25, 40, 52, 59])
def test_last_record_that_was_cut_off_has_no_half_number(kept):
    whole = header() + body(2)
    last = whole.splitlines()[-1]
    read = read_sp3(whole[: -len(last) - 1] + last[:kept], "some.sp3")
    assert "last line dropped" in read.problems[0]
    is_last = read.satellite == satellite_number(NAMES[-1])
    assert np.isnan(read.position_m[1, is_last]).all()
    assert np.isfinite(read.position_m[1, ~is_last]).all()


@pytest.mark.parametrize("kept", [20, 23, 30])
def test_last_epoch_line_that_was_cut_off_is_dropped(kept):
    text = header() + body(1) + "*  2021  1  1  0 15  0.00000000"[:kept]
    assert read_sp3(text, "some.sp3").time_ns.tolist() == [START]


def test_whole_last_record_without_a_line_end_is_read():
    assert np.isfinite(read_sp3((header() + body(2))[:-1], "some.sp3").position_m).all()


def test_equal_to_rtklib(tmp_path):
    path = tmp_path / "igs21385.sp3"
    path.write_text(WHOLE)
    ours, nav = load_orbits(path), rtklib_orbits(path)
    assert nav.ne == len(ours.time_ns) == 20
    for epoch in range(nav.ne):
        peph = nav.peph[epoch]
        assert (peph.time.time - UNIX_OF_GPS_S) * NS_PER_S == ours.time_ns[epoch]
        for column, satellite in enumerate(ours.satellite.tolist()):
            if satellite >= 100:
                continue
            for axis in range(3):
                assert ours.position_m[epoch, column, axis] == pytest.approx(peph.pos[satellite - 1, axis], abs=1e-8)
                assert ours.position_sd_m[epoch, column, axis] == pytest.approx(peph.std[satellite - 1, axis], rel=1e-6)
            assert ours.clock_s[epoch, column] == pytest.approx(peph.pos[satellite - 1, 3], abs=1e-18)


# ---------------------------------------------------------------------------------------------------- interpolation


def rtklib_state(nav: pyrtklib.nav_t, satellite: int, seconds: float) -> tuple[list[float], float] | None:
    time = pyrtklib.gpst2time(2138, 432000.0 + seconds)
    rs, dts, var = pyrtklib.Arr1Ddouble(6), pyrtklib.Arr1Ddouble(2), pyrtklib.Arr1Ddouble(1)
    if not pyrtklib.peph2pos(time, satellite, nav, 0, rs, dts, var):
        return None
    return [rs[axis] for axis in range(6)], dts[0]


@pytest.mark.parametrize("seconds", [4500.0, 8111.25, 8999.999, 9000.0, 12_345.678])
def test_interpolation_equals_rtklib(tmp_path, seconds):
    path = tmp_path / "igs21385.sp3"
    path.write_text(WHOLE)
    ours, nav = load_orbits(path), rtklib_orbits(path)
    whole = int(seconds)
    states = precise_states(ours, np.array([1, 32]), START + whole * NS_PER_S, np.full(2, seconds - whole))
    assert states.known.all()
    for row, satellite in enumerate((1, 32)):
        position, clock = rtklib_state(nav, satellite, seconds)
        # RTKLIB takes eleven nodes and we ten: the circle between them differs by less than a tenth of a millimetre.
        np.testing.assert_allclose(states.position_m[row], position[:3], atol=1e-3, rtol=0)
        np.testing.assert_allclose(states.velocity_m_s[row], position[3:], atol=5e-3, rtol=0)
        assert states.clock_s[row] == pytest.approx(clock, abs=1e-14)


def test_interpolation_is_exact_at_the_nodes_and_knows_its_limits():
    orbits = read_sp3(WHOLE, "x")
    at = precise_states(orbits, np.array([1, 105, 7]), START + 5 * STEP_S * NS_PER_S, np.zeros(3))
    np.testing.assert_allclose(at.position_m[0], orbits.position_m[5, 0], atol=1e-6, rtol=0)
    assert at.known.tolist() == [True, True, False]
    for outside_s in (-0.001, 19 * STEP_S + 0.001):
        assert not precise_states(orbits, np.array([1]), START, np.array([outside_s])).known.any()


def test_clock_that_jumped_is_not_interpolated():
    orbits = read_sp3(WHOLE, "x")
    events = orbits.clock_event.copy()
    events[5, 0] = True
    jumped = PreciseOrbits(**{**vars(orbits), "clock_event": events})
    state = precise_states(jumped, np.array([1]), START, np.array([4.5 * STEP_S]))
    assert np.isnan(state.clock_s[0])
    assert not np.isnan(state.position_m).any()


# ----------------------------------------------------------------------------------------------------------- clocks


def label(text: str, name: str, column: int = 60) -> str:
    return f"{text:<{column}}{name}\n"


CLOCK_HEADER = (
    label(f"{3.0:9.2f}{'':11}{'C':<20}{'M':<20}", "RINEX VERSION / TYPE")
    + label("   GPS", "TIME SYSTEM ID")
    + label("COD  some centre", "ANALYSIS CENTER")
    + label("", "END OF HEADER")
)
CLOCKS = (
    "AR ALGO 2021 01 01 00 00  0.000000  2    1.234567890123e-07  1.0e-11\n"
    "AS G01  2021 01 01 00 00  0.000000  2    1.234567890123E-04  1.000000000000E-11\n"
    "AS R05  2021 01 01 00 00  0.000000  1   -2.345678901234E-05\n"
    "AS G01  2021 01 01 00 00 30.000000  4    1.234567890555E-04  1.000000000000E-11\n"
    "    1.0E-12   2.0E-13\n"
    "AS L06  2021 01 01 00 00 30.000000  1    0.1\n"
    "DR ALGO 2021 01 01 00 00 30.000000  1    0.1\n"
    "AS G01  2021 01 01 00 01  0.000000  1    1.2345678909E-04\n"
)


def test_clock_file():
    read = read_clocks(CLOCK_HEADER + CLOCKS, "some.clk")
    assert (read.version, read.agency) == (3.0, "COD")
    assert read.skipped == {"L06": 1, "DR": 1}
    assert list(read.satellites) == [1, 105]
    series = read.satellites[1]
    assert series.time_ns.tolist() == [START, START + 30 * NS_PER_S, START + 60 * NS_PER_S]
    assert series.offset_s.tolist() == [1.234567890123e-4, 1.234567890555e-4, 1.2345678909e-4]
    assert series.offset_sd_s.tolist()[:2] == [1e-11, 1e-11]
    assert read.receivers["ALGO"].offset_s.tolist() == [1.234567890123e-7]
    assert np.isnan(read.satellites[105].offset_sd_s[0])


def test_clock_file_of_version_3_04_has_its_labels_elsewhere():
    text = (
        label(f"{3.04:9.2f}{'':12}{'C':<21}{'M':<20}", "RINEX VERSION / TYPE", 65)
        + label("   GAL", "TIME SYSTEM ID", 65)
        + label("", "END OF HEADER", 65)
        + "AR ALGO00CAN 2021 01 01 00 00  0.000000  2    1.2e-07  1.0e-11\n"
        + "AS E11       2021 01 01 00 00  0.000000  2    1.2e-04  1.0e-11\n"
    )
    read = read_clocks(text, "some.clk")
    assert read.satellites[211].offset_s.tolist() == [1.2e-4]
    assert list(read.receivers) == ["ALGO00CAN"]


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 10, 17, 25, 50])
def test_last_clock_that_was_cut_off_has_no_half_number(cut):
    whole = CLOCK_HEADER + CLOCKS
    assert read_clocks(whole[:-1], "some.clk").satellites[1].offset_s[-1] == 1.2345678909e-4
    read = read_clocks(whole[: -1 - cut], "some.clk")
    assert read.satellites[1].offset_s.tolist() == [1.234567890123e-4, 1.234567890555e-4]
    assert "cut off" in read.problems[-1]


def test_clocks_equal_rtklib(tmp_path):
    path = tmp_path / "cod.clk"
    kept = [line for line in CLOCKS.splitlines(keepends=True) if line[:4] in {"AS G", "    "}]
    path.write_text(CLOCK_HEADER + "".join(kept))
    nav = pyrtklib.nav_t()
    assert pyrtklib.readrnxc(str(path), nav) == 3
    ours = load_clocks(path)
    series = ours.satellites[1]
    assert nav.nc == len(series.time_ns) == 3
    for place in range(nav.nc):
        clock = nav.pclk[place]
        assert (clock.time.time - UNIX_OF_GPS_S) * NS_PER_S == series.time_ns[place]
        # RTKLIB multiplies by powers of ten, which may differ from strtod in the last bits of a double.
        assert series.offset_s[place] == pytest.approx(clock.clk[0, 0], rel=1e-15)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("AS R05", "XX R05", "record 'XX'"),
        ("AS R05  2021 01 01", "AS R05  2021 13 01", "month"),
        ("0.000000  1   -2.345", "0.000000  9   -2.345", "9 values announced"),
        ("0.000000  1   -2.345678901234E-05", "0.000000  1", "expected kind, name, date"),
        ("-2.345678901234E-05", "-2.345x78901234E-05", "where a number"),
        ("    1.0E-12   2.0E-13\n", "", "no second line of values"),
        ("END OF HEADER", "END OF HEADXX", "ends before"),
        ("RINEX VERSION / TYPE", "RINEX VERSION / TIPE", "expected a RINEX clock file"),
    ],
)
def test_broken_clock_files(old, new, what):
    text = CLOCK_HEADER + CLOCKS
    assert old in text
    with pytest.raises(GpsgridError, match=r"some\.clk, line") as raised:
        read_clocks(text.replace(old, new, 1), "some.clk")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)
