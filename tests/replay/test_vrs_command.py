"""``gpsgrid vrs`` as somebody at a terminal sees it, and RTKLIB as the receiver that uses what it writes."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from replay.edge.commands import register
from stations.edge.files import load_observations
from stations.errors import GpsgridError, Reason
from stations.wire.framing import FrameBuffer, message_number
from tests.gpsgrid import vrs_proof

pytestmark = pytest.mark.data

ZEGV = ("3908912.9", "330929.3", "5012267.9")
SPAN = ("--from", "2021-01-01T02:00:00", "--to", "2021-01-01T02:04:00")


def run(*arguments):
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, ["vrs", *map(str, arguments)], env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.fixture(scope="module")
def network_file(shared_data):
    return shared_data / "nl-2021-001" / "night.toml"


@pytest.mark.parametrize("where", [ZEGV])
def test_rinex(network_file, tmp_path, where):
    out = tmp_path / "vrs.rnx"
    result = run(network_file, "--at", *where, "--exclude", "ZEGV", "--out", out, *SPAN)
    assert result.exit_code == 0, result.output
    assert "DELF (9)" in result.output
    read = load_observations([out])
    assert len(read.epochs) == 9
    assert read.approx_position_m == pytest.approx([float(x) for x in where], abs=1e-3)
    assert read.antenna.split() == ["ADVNULLANTENNA", "NONE"]
    assert min(len(np.unique(epoch.satellite)) for epoch in read.epochs) >= 12


def test_rtcm(network_file, tmp_path):
    out = tmp_path / "vrs.rtcm3"
    result = run(network_file, "--at", *ZEGV, "--exclude", "ZEGV", "--msm", "4", "--out", out, *SPAN)
    assert result.exit_code == 0, result.output
    numbers = [message_number(payload) for payload in FrameBuffer().push(out.read_bytes())]
    assert numbers.count(1074) == 9
    assert numbers.count(1019) >= 9
    assert run(network_file, "--at", *ZEGV, "--no-ephemerides", "--msm", "legacy", "--out", out, *SPAN).exit_code == 0
    numbers = [message_number(payload) for payload in FrameBuffer().push(out.read_bytes())]
    assert {1004, 1012, 1005, 1033, 1032, 1030, 1031} == set(numbers)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", "vrs.txt"), "expected .rnx, .obs or .rtcm3"),
        (("--out", "vrs.rnx", "--from", "yesterday"), "no ISO 8601 time"),
        (("--out", "vrs.rnx", "--msm", "9"), "'9' is not one of"),
    ],
)
def test_what_the_command_line_cannot_mean(network_file, options, words):
    result = run(network_file, "--at", *ZEGV, *options)
    assert result.exit_code == 2
    assert words in " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("at", "options", "reason", "words"),
    [
        (ZEGV, ("--exclude", "ZEVG"), Reason.UNKNOWN_STATION, "Did you mean ZEGV?"),
        (("52.1", "4.8", "40"), (), Reason.OUTSIDE_NETWORK, "Expected are ECEF metres"),
        (ZEGV, ("--exclude", "ZEGV", "--exclude", "DELF", "--to", "2021-01-01T00:01:00"), Reason.NO_NETWORK, "101 km"),
    ],
)
def test_refusals_say_what_to_do_and_leave_no_file(network_file, tmp_path, at, options, reason, words):
    out = tmp_path / "vrs.rtcm3"
    error = run(network_file, "--at", *at, "--out", out, *options).exception
    assert isinstance(error, GpsgridError)
    assert (error.reason, words in str(error)) == (reason, True), str(error)
    assert not list(tmp_path.iterdir())


def test_rtklib_fixes_more_with_it_than_with_the_nearest_station(shared_data, tmp_path):
    if shutil.which("rnx2rtkp") is None:
        pytest.skip("rnx2rtkp is not there: apt-get install rtklib")
    file, (rover,) = vrs_proof.rovers_of("night", ["ZEGV"], tmp_path)
    span = ("--from", "2021-01-01T01:30:00", "--to", "2021-01-01T02:00:00")
    base = vrs_proof.virtual(file, rover, "night", tmp_path, limits=span)
    begin, end = (epoch.time_ns for epoch in (load_observations([base]).epochs[k] for k in (0, -1)))
    rover = replace(rover, truth_m={t: where for t, where in rover.truth_m.items() if begin <= t <= end})
    found = vrs_proof.compare(file, rover, base, tmp_path, "1")
    ours, nearest = found["instantaneous virtual later"], found["instantaneous nearest DELF later"]
    assert ours.epochs == 51
    assert ours.wrong == 0.0
    assert ours.centimetre > nearest.centimetre + 10.0, found
    assert ours.centimetre > 70.0, found
