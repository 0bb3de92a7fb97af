"""``gpsgrid convert``: RTKLIB's convbin and pyrtcm are the oracles, round trips must come back equal.

Tolerances come from printing: RINEX has three decimals, and where a value lies on the edge of two of them, the two
programs may round it to different sides (0.001). Streams are those of ``shared/data/rtcm3``.
"""

import errno
import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pyrtcm import RTCMReader

from gpsgrid.edge import cli
from stations.edge.files import load_navigation, load_observations, read_data, read_text
from stations.file_kind import FileKind, kind_of
from stations.rinex_nav import read_navigation_file
from stations.rinex_obs import RinexObservations, read_observations
from stations.signals import satellite_name
from stations.wire.framing import FrameBuffer, message_number

LAST_DIGIT = 0.00101  # the printed digit, and the binary fraction of two doubles
COLUMNS = ("pseudorange_m", "phase_cyc", "doppler_hz", "cn0_dbhz", "half_cycle")


def converted(*arguments: object, status: int = 0) -> None:
    assert cli.run(["convert", *(str(argument) for argument in arguments)]) == status


def columns_of(read: RinexObservations) -> dict[tuple[int, int, int], tuple[float, ...]]:
    """Return all observations by time, satellite and signal, but those without code and phase."""
    found = {}
    for epoch in read.epochs:
        columns = [getattr(epoch, name).tolist() for name in COLUMNS]
        for satellite, signal, *values in zip(epoch.satellite.tolist(), epoch.signal.tolist(), *columns, strict=True):
            if np.isfinite(values[:2]).any():
                found[epoch.time_ns, satellite, signal] = tuple(values)
    return found


def with_convbin(stream: Path, when: str, folder: Path) -> tuple[Path, Path]:
    if shutil.which("convbin") is None:
        pytest.skip("convbin is not there: apt-get install rtklib")
    obs, nav = folder / "convbin.obs", folder / "convbin.nav"
    command = ["convbin", "-r", "rtcm3", "-v", "3.04", "-od", "-os", "-f", "5", "-tr", *when.split()]
    subprocess.run([*command, "-o", str(obs), "-n", str(nav), str(stream)], check=True, capture_output=True, timeout=60)
    return obs, nav


# What convbin 2.4.3 leaves out: the last epoch where no later message completes it (sept, dropped), of a stream that
# begins with GLONASS alone its first seconds (dropped); of GMSD7 all systems but the last one of each epoch, because
# BeiDou is tagged 14 s apart and every system replaces the one before. And what it has and we have not: in testglo R08
# has zero in all L2 fields of 1012, which we take for "not tracked" and RTKLIB for a code that equals that of L1.
STREAMS = [
    ("week-rollover-STR24.rtcm3", "2018/07/14 23:50:00", "", 157_004, 0),
    ("dropped-packets-STR24.rtcm3", "2018/07/12 23:37:00", "", 34_420, 360),
    ("piksi-5Hz.rtcm3", "2026/11/24 08:00:00", "2026-11-24", 2052, 0),
    ("testglo.rtcm3", "2009/12/18 23:00:00", "", 5889, 0),
    ("sept.rtcm", "2018/01/02 19:58:00", "", 7731, 66),
    ("GMSD7_20121014.rtcm3", "2012/10/13 23:58:00", "", 6198, 13_103),
]


@pytest.mark.data
@pytest.mark.parametrize(("name", "when", "date", "count", "more"), STREAMS, ids=[row[0] for row in STREAMS])
def test_observations_equal_those_of_convbin(shared_data, tmp_path, name, when, date, count, more):
    stream, ours = tmp_path / "stream.rtcm3", tmp_path / "ours.rnx"
    whole = (shared_data / "rtcm3" / name).read_bytes()
    stream.write_bytes(whole[:300_000] if name.startswith("dropped") else whole)
    their_obs, _ = with_convbin(stream, when, tmp_path)
    converted(stream, ours, *(("--date", date) if date else ()))
    theirs, mine = columns_of(load_observations([their_obs])), columns_of(load_observations([ours]))
    for time_ns, satellite, signal in theirs.keys() - mine.keys():
        code, _, _, strength, _ = theirs.pop((time_ns, satellite, signal))
        assert (satellite, signal) == (108, 108)
        assert code == theirs[time_ns, 108, 102][0]
        assert np.isnan(strength)
    assert len(theirs) == count
    assert len(mine) - len(theirs) == more
    if name != "GMSD7_20121014.rtcm3":
        times = sorted({key[0] for key in mine})
        assert {key[0] for key in mine.keys() - theirs.keys()} <= {*times[:3], times[-1]}
    keys = sorted(theirs)
    one, other = np.array([theirs[key] for key in keys]), np.array([mine[key] for key in keys])
    np.testing.assert_array_equal(np.isnan(one[:, :2]), np.isnan(other[:, :2]))
    np.testing.assert_allclose(one, other, rtol=0.0, atol=LAST_DIGIT)
    # Rounding to different sides happens to one value in thousands; anything else is a fault.
    assert np.nanmean(np.abs(one[:, :2] - other[:, :2]) > 0.0001) < 1e-3


@pytest.mark.data
def test_ephemerides_equal_those_of_convbin(shared_data, tmp_path):
    stream = shared_data / "rtcm3" / "week-rollover-STR24.rtcm3"
    _, theirs = with_convbin(stream, "2018/07/14 23:50:00", tmp_path)
    ours = tmp_path / "ours.nav"
    converted(stream, ours)
    mine = {(one.satellite, one.toe_ns, one.iode): one for one in load_navigation([ours], systems="G")}
    gps = {(one.satellite, one.toe_ns, one.iode): one for one in load_navigation([theirs], systems="G")}
    assert len(gps) >= 25
    assert gps.keys() <= mine.keys()
    for key, other in gps.items():
        # Twelve digits in both files.
        for field in ("sqrt_a", "eccentricity", "m0_rad", "omega0_rad", "i0_rad", "omega_rad", "af0_s", "crs_m"):
            assert getattr(mine[key], field) == pytest.approx(getattr(other, field), rel=1e-11, abs=1e-18)
    letters = {satellite_name(one.satellite)[0] for one in read_navigation_file(read_text(ours), "ours").ephemerides}
    assert letters == set("GREJC")


ROUND = ["sept.rtcm", "GMSD7_20121014.rtcm3", "piksi-5Hz.rtcm3", "javad.rtcm", "leica.rtcm", "testglo.rtcm3"]


@pytest.mark.data
@pytest.mark.parametrize("name", ROUND)
def test_from_rtcm_to_rinex_and_back_and_again(shared_data, tmp_path, name):
    dates = {"piksi-5Hz.rtcm3": "2026-11-24", "javad.rtcm": "2018-01-02"}
    first, back, second = tmp_path / "first.rnx", tmp_path / "back.rtcm3", tmp_path / "second.rnx"
    date = dates.get(name)
    converted(shared_data / "rtcm3" / name, first, *(("--date", date) if date else ()))
    one = load_observations([first])
    day = date or f"{np.datetime64('1980-01-06') + np.timedelta64(one.epochs[0].time_ns // 10**9, 's')}"[:10]
    number = int(one.marker)
    converted(first, back, "--station", number)
    converted(back, second, "--date", day)
    other = load_observations([second])
    given, came = columns_of(one), columns_of(other)
    assert given.keys() == came.keys()
    np.testing.assert_array_equal([given[key] for key in given], [came[key] for key in given])
    for before, after in zip(one.epochs, other.epochs, strict=True):
        np.testing.assert_array_equal(before.lock_ms, after.lock_ms)
    assert other.glonass_channels == one.glonass_channels
    assert other.glonass_bias_m == one.glonass_bias_m
    for field in ("marker", "antenna", "antenna_serial", "receiver", "receiver_version", "antenna_height_m"):
        assert getattr(other, field) == getattr(one, field), field
    if one.approx_position_m is not None:
        # 1006 and the header have 0.1 mm each, the height is subtracted in between.
        np.testing.assert_allclose(one.approx_position_m, other.approx_position_m, rtol=0.0, atol=2e-4)


@pytest.mark.data
@pytest.mark.parametrize("suffix", [".crx", ".crx.gz", ".rnx.gz", ".18d"])
def test_compression_by_suffix(shared_data, tmp_path, suffix):
    stream, plain, packed = shared_data / "rtcm3" / "sept.rtcm", tmp_path / "a.rnx", tmp_path / f"b{suffix}"
    converted(stream, plain, "--marker", "SEPT")
    converted(stream, packed, "--marker", "SEPT")
    data = packed.read_bytes()
    assert data.startswith(b"\x1f\x8b") == suffix.endswith(".gz")
    inner = gzip.decompress(data) if suffix.endswith(".gz") else data
    assert (b"COMPACT RINEX" in inner[:80]) == ("crx" in suffix or suffix == ".18d")
    lines = [text.splitlines() for text in (read_text(packed), plain.read_text())]
    assert [line for line in lines[0] if "PGM / RUN" not in line] == [
        line for line in lines[1] if "PGM / RUN" not in line
    ]
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.data
@pytest.mark.parametrize("msm", ["4", "5", "7"])
def test_pyrtcm_reads_what_we_write(shared_data, tmp_path, msm):
    source, target = shared_data / "short-baseline-2024" / "base.obs.gz", tmp_path / "out.rtcm3"
    converted(source, target, "--msm", msm, "--station", 77)
    read = load_observations([source])
    cells, numbers = 0, set()
    with target.open("rb") as file:
        for _, message in RTCMReader(file, labelmsm=False):
            numbers.add(int(message.identity))
            assert message.DF003 == 77
            if int(message.identity) % 10 == int(msm):
                cells += message.NCell
    assert {1070 + int(msm), 1080 + int(msm), 1006} <= numbers
    left_out = sum(int(np.sum([_uncarried(number) for number in epoch.signal.tolist()])) for epoch in read.epochs)
    assert cells == sum(map(len, read.epochs)) - left_out


def _uncarried(signal: int) -> bool:
    return signal % 100 > 32


@pytest.mark.data
def test_ephemerides_come_when_they_were_sent(shared_data, tmp_path):
    folder = shared_data / "nl-2021-001"
    navigation = next(iter(sorted(folder.glob("*MN.rnx.gz"))))
    target = tmp_path / "delf.rtcm3"
    converted(folder / "delf0010a.21d.gz", target, "--navigation", navigation)
    numbers = [message_number(payload) for payload in FrameBuffer().push(target.read_bytes())]
    sent = {number: numbers.count(number) for number in (1006, 1019, 1077, 1087)}
    assert sent[1077] >= 1080
    assert sent[1006] == 540  # every minute of nine hours at 30 s
    assert sent[1019] > 60
    # Not all at once at the beginning.
    assert max(place for place, number in enumerate(numbers) if number == 1019) > 0.7 * len(numbers)


@pytest.mark.data
def test_rinex_2_becomes_3(shared_data, tmp_path):
    source, target = shared_data / "nl-2021-001" / "delf0010a.21d.gz", tmp_path / "delf.rnx"
    converted(source, target)
    one, other = load_observations([source]), load_observations([target])
    assert other.version == 3.04
    given, came = columns_of(one), columns_of(other)
    assert given.keys() == came.keys()
    np.testing.assert_array_equal([given[key] for key in given], [came[key] for key in given])
    for field in ("marker", "antenna", "antenna_serial", "receiver", "approx_position_m", "antenna_height_m"):
        assert getattr(one, field) == getattr(other, field)


@pytest.mark.data
def test_navigation_files_become_3_04_and_rtcm(shared_data, tmp_path):
    source = next(iter(sorted((shared_data / "nl-2021-001").glob("*MN.rnx.gz"))))
    target, stream, back = tmp_path / "a.nav", tmp_path / "a.rtcm3", tmp_path / "b.nav"
    converted(source, target)
    one = read_navigation_file(read_data(source).decode("latin-1"), "one")
    other = read_navigation_file(target.read_text(), "other")
    assert set(other.ephemerides) == set(one.ephemerides)
    converted(source, stream)
    converted(stream, back)
    again = {(item.satellite, item.toe_ns) for item in read_navigation_file(back.read_text(), "b").ephemerides}
    assert again >= {(i.satellite, i.toe_ns) for i in one.ephemerides if satellite_name(i.satellite)[0] in "GE"}


@pytest.mark.data
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["1012_first.rtcm", "o.rnx"], "add --date"),
        (["1012_first.rtcm", "o.rnx", "--date", "2020-01-01"], "another day of the week"),
        (["1012_first.rtcm", "o.rnx", "--date", "yesterday"], "YYYY-MM-DD"),
        (["sept.rtcm", "o.rnx", "--date", "0001-01-01"], "expected 1980-01-06 (GPS time begins) to 2099-12-31"),
        (["sept.rtcm", "o.rnx", "--date", "9999-12-31"], "expected 1980-01-06 (GPS time begins) to 2099-12-31"),
        (["sept.rtcm", "o.rnx", "--date", "1980-01-06"], "another day of the week"),
        (["eph.rtcm", "o.rnx"], "no observations"),
        (["sept.rtcm", "o.txt"], "suffix"),
        (["absent.rtcm3", "o.rnx"], "does not exist"),
        (["../nl-2021-001/nl.atx", "o.rnx"], "neither RTCM 3 nor"),
        (["sept.rtcm", "no/such/folder/o.rnx"], "cannot be written"),
    ],
)
def test_what_cannot_be_converted_is_said(shared_data, tmp_path, capfd, arguments, said):
    source, target, *rest = arguments
    converted(shared_data / "rtcm3" / source, tmp_path / target, *rest, status=2)
    err = capfd.readouterr().err
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


OBSERVATIONS = b"""\
     3.04           OBSERVATION DATA    M                   RINEX VERSION / TYPE
G    2 C1C L1C                                              SYS / # / OBS TYPES
  2021    01    01    00    00    0.0000000     GPS         TIME OF FIRST OBS
                                                            END OF HEADER
"""
ONE_EPOCH = b"""\
> 2021 01 01 00 00  0.0000000  0  1
G07  20000000.000 8 105100000.000 8
"""
NAVIGATION = b"""\
     3.04           N: GNSS NAV DATA    M: MIXED            RINEX VERSION / TYPE
                                                            END OF HEADER
"""


def refusal(capfd, *arguments: object) -> str:
    converted(*arguments, status=2)
    err = capfd.readouterr().err
    assert "Traceback" not in err
    return " ".join(err.split())


@pytest.mark.parametrize("link", ["itself", "relative", "symbolic", "hard"])
def test_the_input_is_not_overwritten(tmp_path, monkeypatch, capfd, link):
    source, other = tmp_path / "x.rnx", tmp_path / "y.rnx"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    monkeypatch.chdir(tmp_path)
    if link == "symbolic":
        other.symlink_to(source)
    elif link == "hard":
        other.hardlink_to(source)
    target = {"itself": source, "relative": Path("../") / tmp_path.name / "x.rnx"}.get(link, other)
    assert "the same file; name another" in refusal(capfd, source, target)
    assert source.read_bytes() == OBSERVATIONS + ONE_EPOCH
    converted(source, tmp_path / "z.rnx")


def test_no_two_files_of_a_conversion_are_one(tmp_path, capfd):
    source = tmp_path / "x.rnx"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    new = tmp_path / "new.nav"
    assert "OUT" in refusal(capfd, source, new, "--navigation", tmp_path / "." / "new.nav")
    assert "IN" in refusal(capfd, source, tmp_path / "o.rtcm3", "--navigation", source)
    assert [path.name for path in tmp_path.iterdir()] == ["x.rnx"]


def test_a_temporary_file_is_nobody_elses(tmp_path):
    """IN may be called as OUT with ``.part``, as may files that have nothing to do with the conversion."""
    source, target, other = tmp_path / "v.rnx.part", tmp_path / "v.rnx", tmp_path / "z.crx.part"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    other.write_bytes(b"mine")
    converted(source, target)
    converted(source, tmp_path / "z.crx")
    converted(source, tmp_path / ("n" * 240 + ".rnx"))
    assert source.read_bytes() == OBSERVATIONS + ONE_EPOCH
    assert other.read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 5
    fresh = tmp_path / "fresh"
    fresh.touch()
    assert target.stat().st_mode == (tmp_path / "z.crx").stat().st_mode == fresh.stat().st_mode


@pytest.mark.parametrize("name", ["o.rnx", "o.crx", "o.rtcm3"])
def test_a_pipe_is_not_replaced(tmp_path, capfd, name):
    source, pipe = tmp_path / "x.rnx", tmp_path / name
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    os.mkfifo(pipe)
    assert "it is a pipe" in refusal(capfd, source, pipe)
    assert pipe.is_fifo()
    assert len(list(tmp_path.iterdir())) == 2


def test_nothing_takes_the_place_of_something(tmp_path, capfd):
    source, target = tmp_path / "x.rnx", tmp_path / "o.rtcm3"
    target.write_bytes(b"before")
    for data, words in ((OBSERVATIONS, "a header and no observations"), (NAVIGATION, "no ephemerides")):
        source.write_bytes(data)
        assert words in refusal(capfd, source, target)
        assert target.read_bytes() == b"before"
        assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.data
@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("DELF\nX", "'\\n' is in it"),
        ("DELF\x07", "'\\x07' is in it"),
        ("Zürich", "'ü' is in it"),
        ("M" * 61, "it has 61 characters"),
        (" ", "it is blank"),
    ],
)
def test_a_marker_that_the_header_cannot_hold_is_refused(shared_data, tmp_path, capfd, marker, said):
    stream, target = shared_data / "rtcm3" / "sept.rtcm", tmp_path / "o.rnx"
    assert said in refusal(capfd, stream, target, "--marker", marker)
    assert not list(tmp_path.iterdir())


@pytest.mark.data
def test_the_longest_marker_comes_back(shared_data, tmp_path):
    converted(shared_data / "rtcm3" / "sept.rtcm", tmp_path / "o.rnx", "--marker", "M" * 60)
    assert load_observations([tmp_path / "o.rnx"]).marker == "M" * 60


@pytest.mark.data
@pytest.mark.parametrize(
    ("source", "target", "navigation", "said"),
    [
        ("o.rnx", "x.rnx", "x.nav", "is not used from RINEX observation to RINEX observation"),
        ("n.rnx", "x.rtcm3", "x.nav", "is not used from RINEX navigation to RTCM 3"),
        ("s.rtcm3", "x.nav", "y.nav", "is not used from RTCM 3 to RINEX navigation"),
        ("s.rtcm3", "x.rnx", "x.rtcm3", "expected .nav, .21n, ..._MN.rnx or .rnx"),
        ("s.rtcm3", "x.rnx", "x.crx", "expected .nav, .21n, ..._MN.rnx or .rnx"),
        ("s.rtcm3", "x.rnx", "x.rnx.crx.gz", "expected .nav, .21n, ..._MN.rnx or .rnx"),
        ("n.rnx", "x.rnx.crx", "", "which cannot become x.rnx.crx"),
    ],
)
def test_navigation_that_comes_to_nothing_is_refused(shared_data, tmp_path, capfd, source, target, navigation, said):
    (tmp_path / "o.rnx").write_bytes(OBSERVATIONS + ONE_EPOCH)
    (tmp_path / "n.rnx").write_bytes(NAVIGATION)
    (tmp_path / "s.rtcm3").symlink_to(shared_data / "rtcm3" / "sept.rtcm")
    option = ("--navigation", tmp_path / navigation) if navigation else ()
    assert said in refusal(capfd, tmp_path / source, tmp_path / target, *option)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.data
@pytest.mark.parametrize("name", ["a.nav", "a.21n.gz", "a_MN.rnx", "b.rnx.gz"])
def test_names_of_navigation_files(shared_data, tmp_path, name):
    stream, navigation = tmp_path / "s.rtcm3", tmp_path / name
    stream.write_bytes((shared_data / "rtcm3" / "week-rollover-STR24.rtcm3").read_bytes()[:200_000])
    converted(stream, tmp_path / "o.rnx", "--navigation", navigation, "--date", "2018-07-14")
    assert load_navigation([navigation])


CONVERT = "import sys; from gpsgrid.edge.cli import run; sys.exit(run(['convert', *sys.argv[1:]]))"


def test_a_report_that_cannot_be_printed_is_one_line(tmp_path):
    source, target = tmp_path / "x.rnx", tmp_path / "o.rnx"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-c", CONVERT, str(source), str(target)]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, timeout=60)
    assert ended.returncode == os.EX_IOERR
    assert ended.stderr.startswith(b"gpsgrid: the output cannot be written: No space left")
    assert ended.stderr.count(b"\n") == 1
    assert len(load_observations([target]).epochs) == 1


def packed(folder: Path, mode: str) -> bytes:
    (folder / "inner.rnx").write_bytes(OBSERVATIONS + ONE_EPOCH)
    with tarfile.open(folder / "made", mode) as archive:
        archive.add(folder / "inner.rnx", "inner.rnx")
    return (folder / "made").read_bytes()


def zipped(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, OBSERVATIONS + ONE_EPOCH)
    return made.getvalue()


def test_a_zip_of_one_file_is_unpacked(tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped("one.rnx"))
    converted(tmp_path / "x.zip", tmp_path / "o.rnx")
    assert len(load_observations([tmp_path / "o.rnx"]).epochs) == 1


def test_each_refusal_says_what_to_do(tmp_path, capfd):
    source, target = tmp_path / "x.rnx", tmp_path / "o.rnx"
    for data, words in (
        (b"", ("empty file", "check the source and the disk")),
        (packed(tmp_path, "w"), ("archive", "unpack it first")),
        (packed(tmp_path, "w:gz"), ("archive", "unpack it first")),
        (gzip.compress(gzip.compress(OBSERVATIONS + ONE_EPOCH)), ("compressed twice", "undo one compression")),
        (gzip.compress(zipped("one.rnx")), ("archive", "unpack it first")),
        (zipped("one.rnx", "two.rnx"), ("an archive of 2 files", "unpack it and name the files")),
        (b"\xfd7zXZ\x00" + bytes(500), ("archive", "unpack it first")),
        (b"x" * 999, ("of no known kind", "expected RTCM 3, RINEX")),
        (b"%=SNX 2.02\n%ENDSNX\n", ("SINEX", "gpsgrid doctor says")),
        (OBSERVATIONS, ("a header and no observations", "Fetch or record it again")),
        (NAVIGATION, ("no ephemerides", "Fetch it again")),
    ):
        source.write_bytes(data)
        said = refusal(capfd, source, target)
        assert all(word in said for word in words), said
        assert not target.exists()


def test_places_that_cannot_be_read_or_written(tmp_path, capfd):
    source, folder = tmp_path / "x.rnx", tmp_path / "folder.rnx"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    folder.mkdir()
    assert "name a file in it" in refusal(capfd, folder, tmp_path / "o.rnx")
    assert "name a file in it" in refusal(capfd, source, folder)
    assert f"make the folder {tmp_path / 'absent'}" in refusal(capfd, source, tmp_path / "absent" / "o.rnx")
    assert "correct the path" in refusal(capfd, source, source / "o.rnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.rnx", "x.rnx"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_the_system_refuses_to_open_a_file(tmp_path, monkeypatch, capfd, number):
    """Whoever runs the tests as root may read everything, so the refusal is made up."""
    source = tmp_path / "x.rnx"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    opened = Path.open

    def refuse(path, mode="r", **rest):
        if path.name.startswith("x.rnx" if number == errno.EPERM else "o.rnx"):
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, mode, **rest)

    monkeypatch.setattr(Path, "open", refuse)
    said = refusal(capfd, source, tmp_path / "o.rnx")
    assert os.strerror(number) in said
    assert "name " in said.split(os.strerror(number))[1]


def test_one_is_not_many(tmp_path, capfd):
    source = tmp_path / "x.rnx"
    source.write_bytes(OBSERVATIONS + ONE_EPOCH)
    converted(source, tmp_path / "o.rnx")
    out = capfd.readouterr().out
    assert "1 epoch from" in out
    assert "1 observation\n" in out
    assert "GPS: 1 satellite (G07" in out


@pytest.mark.data
def test_a_stream_without_ephemerides_makes_no_navigation_file(shared_data, tmp_path, capfd):
    stream, obs, nav = shared_data / "rtcm3" / "1012_first.rtcm", tmp_path / "o.rnx", tmp_path / "o.nav"
    assert "has no ephemerides" in refusal(capfd, stream, nav, "--date", "2018-07-24")
    converted(stream, obs, "--navigation", nav, "--date", "2018-07-24")
    assert f"{nav} was not written" in capfd.readouterr().out.replace("\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["o.rnx"]


@pytest.mark.data
def test_the_report_counts_what_was_left_out(shared_data, tmp_path, capfd):
    converted(shared_data / "rtcm3" / "trimble.rtcm", tmp_path / "o.rnx")
    out = capfd.readouterr().out
    assert "153 epochs" in out
    assert "GLONASS phases whose frequency channel nobody told: 1530" in out
    assert "messages 1013, for which RINEX has no place: 15" in out
    assert "bytes that are no RTCM 3 frame: 122" in out


@pytest.mark.data
def test_biases_and_clock_flag_are_in_the_header(shared_data, tmp_path):
    target = tmp_path / "o.rnx"
    converted(shared_data / "rtcm3" / "week-rollover-STR24.rtcm3", target)
    text = target.read_text()
    assert " C1C   19.060 C1P   19.060 C2C   19.060 C2P   19.060" in text
    assert read_observations(text, "o").glonass_bias_m == dict.fromkeys(("1C", "1P", "2C", "2P"), 19.06)
    assert kind_of(text.encode()) is FileKind.RINEX_OBSERVATION


@pytest.mark.data
def test_ephemerides_of_a_file_that_are_not_sent_are_counted(shared_data, tmp_path, capfd):
    source = tmp_path / "some.nav"
    text = (shared_data / "short-baseline-2024" / "base.nav").read_text()
    records = len(read_navigation_file(text, "base").ephemerides)
    first, behind = text.index("G05 2024"), text.index("G06 2024")
    strange = text[first:behind].replace("G05", "X05")
    source.write_text(text[:first] + strange + text[first:behind] * 2 + text[behind:])
    converted(source, tmp_path / "some.rtcm3")
    said = " ".join(capfd.readouterr().out.split())
    assert f"{records} ephemerides:" in said
    assert "ephemerides that come again with the same issue and reference time: 1" in said
    assert "records X: 1" in said


@pytest.mark.data
@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("o.rnx", ["--marker", "X"]),
        ("o.rnx", ["--date", "2021-01-01"]),
        ("o.rnx", ["--msm", "4"]),
        ("o.rnx", ["--station", "7"]),
        ("o.rtcm3", ["--marker", "X"]),
        ("o.rtcm3", ["--date", "2021-01-01"]),
    ],
)
def test_options_that_the_conversion_leaves_aside_are_refused(shared_data, tmp_path, capfd, target, given):
    source = shared_data / "nl-2021-001" / "delf0010a.21d.gz"
    assert f"{' '.join(given)}: not used from RINEX observation" in refusal(capfd, source, tmp_path / target, *given)
    assert not (tmp_path / target).exists()


@pytest.mark.data
def test_channels_of_glonass_come_from_the_navigation_file_where_the_header_has_none(shared_data, tmp_path, capfd):
    folder = shared_data / "nl-2021-001"
    navigation = tmp_path / "some.nav"
    navigation.write_bytes(gzip.decompress((folder / "CBW100NLD_R_20210010000_01D_MN.rnx.gz").read_bytes()))
    source, stream, back = folder / "delf0010a.21d.gz", tmp_path / "o.rtcm3", tmp_path / "o.rnx"
    converted(source, stream)
    assert "GLONASS phases whose frequency channel the header does not tell" in " ".join(capfd.readouterr().out.split())
    converted(source, stream, "--navigation", navigation)
    assert "GLONASS phases" not in " ".join(capfd.readouterr().out.split())
    converted(stream, back)
    channels = load_observations([back]).glonass_channels
    assert len(channels) == 22
    assert set(channels.values()) <= set(range(-7, 7))
