"""RTKLIB's solution files: what RTKLIB reads from ours, what we read from RTKLIB's, and the round trip."""

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyrtklib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stations import gpstime
from stations.constants import NS_PER_S
from stations.edge.files import load_solutions, read_data
from stations.errors import GpsgridError, Reason
from stations.frames import ecef_from_geodetic, enu_rotation_at
from stations.solution_file import Solutions, read_solutions, write_solutions

START = gpstime.from_calendar(2021, 1, 1)
UNIX_OF_GPS_S = 315_964_800
BASE = ecef_from_geodetic(math.radians(52.0), math.radians(4.4), 74.0)


def solutions(count: int = 5) -> Solutions:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(count, 3, 3)) * 0.01 + np.eye(3) * 0.02
    return Solutions(
        START + np.arange(count) * NS_PER_S + 200_000_000,
        BASE + rng.normal(size=(count, 3)) * 100.0,
        np.arange(count) % 6 + 1,
        np.arange(count) + 5,
        root @ root.transpose(0, 2, 1),
        np.arange(count) * 0.5,
        np.arange(count) * 1.5,
    )


@pytest.mark.parametrize("cartesian", [False, True])
@pytest.mark.parametrize("weeks", [False, True])
def test_round_trip(cartesian, weeks):
    given_solutions = solutions()
    text = write_solutions(given_solutions, cartesian=cartesian, weeks=weeks, comments=("inp file  : a",))
    read = read_solutions(text, "some.pos")
    np.testing.assert_array_equal(read.time_ns, given_solutions.time_ns)
    # Nine decimals of a degree and four of a metre: a tenth of a millimetre.
    np.testing.assert_allclose(read.position_m, given_solutions.position_m, atol=1.5e-4, rtol=0)
    # Signed roots with four decimals: for centimetres that is about a square centimetre in ten thousand.
    np.testing.assert_allclose(read.cov_enu_m2, given_solutions.cov_enu_m2, atol=1e-5, rtol=0)
    for name in ("quality", "satellites", "age_s", "ratio"):
        np.testing.assert_allclose(getattr(read, name), getattr(given_solutions, name), atol=0.051, err_msg=name)


@given(lines=st.lists(st.text("0123456789./: -+,%Ee", max_size=100), max_size=6))
@settings(max_examples=100)
def test_any_text_is_read_or_refused(lines):
    text = "%  GPST latitude(deg) longitude(deg)\n" + "\n".join(lines)
    try:
        assert len(read_solutions(text, "x")) >= 0
    except GpsgridError as error:
        assert error.reason is Reason.BROKEN_FILE


@pytest.mark.parametrize("cartesian", [False, True])
def test_rtklib_reads_the_same(tmp_path, cartesian):
    path = tmp_path / "ours.pos"
    ours = solutions()
    path.write_text(write_solutions(ours, cartesian=cartesian))
    buffer = pyrtklib.solbuf_t()
    assert pyrtklib.readsol([str(path)], 1, buffer) == 1
    assert buffer.n == len(ours)
    for row in range(buffer.n):
        sol = buffer.data[row]
        moment = (sol.time.time - UNIX_OF_GPS_S) * NS_PER_S + round(sol.time.sec * NS_PER_S)
        assert abs(moment - ours.time_ns[row]) < 1_000_000
        np.testing.assert_allclose([sol.rr[axis] for axis in range(3)], ours.position_m[row], atol=1.5e-4, rtol=0)
        rotation = enu_rotation_at(ours.position_m[row])
        expected = rotation.T @ ours.cov_enu_m2[row] @ rotation
        xx, yy, zz, xy, yz, zx = (sol.qr[place] for place in range(6))
        np.testing.assert_allclose([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]], expected, atol=2e-5, rtol=0)
        assert (sol.stat, sol.ns) == (ours.quality[row], ours.satellites[row])
        assert (sol.age, sol.ratio) == (pytest.approx(ours.age_s[row]), pytest.approx(ours.ratio[row]))


@pytest.mark.data
@pytest.mark.parametrize("options", [[], ["-e"], ["-t"], ["-e", "-t"], ["-s", ","]])
def test_files_of_rnx2rtkp(shared_data, tmp_path, options):
    if shutil.which("rnx2rtkp") is None:
        pytest.skip("rnx2rtkp is not there: apt-get install rtklib")
    folder = shared_data / "geonet-2005-092"
    path = tmp_path / "rtklib.pos"
    names = [str(folder / f"07590920.05{kind}") for kind in "on"]
    command = ["rnx2rtkp", "-p", "0", "-ts", "2005/04/02", "00:00:00", "-te", "2005/04/02", "00:10:00"]
    subprocess.run([*command, *options, "-o", str(path), *names], check=True, capture_output=True, timeout=60)
    read = load_solutions(path)
    assert len(read) == 21
    assert read.time_ns[0] == gpstime.from_calendar(2005, 4, 2)
    assert set(read.quality.tolist()) == {5}
    header = np.array([-3976219.5082, 3382372.5671, 3652512.9849])
    assert np.abs(read.position_m - header).max() < 20.0
    assert (np.diagonal(read.cov_enu_m2, axis1=1, axis2=2) > 1.0).all()


def test_positions_without_a_position_are_left_out():
    some = solutions(2)
    some.position_m[0] = np.nan
    assert len(read_solutions(write_solutions(some), "x")) == 1


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("latitude(deg)", "latitude(d'\")", "expected latitude(deg)"),
        ("latitude(deg)", "e-baseline(m)", "expected latitude(deg)"),
        ("%  GPST", "%  JST ", "time system 'JST'"),
        ("latitude(deg)", "somewhere", "before the header line"),
        ("2021/01/01 00:00:01", "2021/13/01 00:00:01", "month"),
        (" 74.", " 7x.", "where a number"),
        (" 52.", " 152.", "latitude 152"),
    ],
)
def test_broken_files(old, new, what):
    flat = solutions()
    flat.position_m[:] = BASE
    text = write_solutions(flat)
    assert old in text
    with pytest.raises(GpsgridError, match=r"some\.pos, line") as raised:
        read_solutions(text.replace(old, new, 1), "some.pos")
    assert raised.value.reason is Reason.BROKEN_FILE
    assert what in str(raised.value)


def test_empty_file_has_no_positions(tmp_path):
    path = Path(tmp_path / "empty.pos")
    path.write_bytes(b"")
    assert read_data(path) == b""
    assert len(load_solutions(path)) == 0
