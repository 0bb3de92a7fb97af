"""``gpsgrid replay`` and ``gpsgrid score`` as somebody at a terminal sees them; the work itself is tested elsewhere."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from models.rover import RoverStatus
from replay.edge.commands import register
from replay.track import TrackRow, read_track, write_track
from stations import gpstime
from stations.errors import GpsgridError, Reason

START_NS = int(gpstime.from_calendar(2021, 1, 1))
ZEGV = ("3908909.8758", "330933.2631", "5012262.9499")


def run(*arguments: object) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def refused(result: Result) -> GpsgridError:
    assert isinstance(result.exception, GpsgridError), result.output
    return result.exception


@pytest.fixture
def track(tmp_path: Path) -> Path:
    position_m = tuple(float(value) for value in ZEGV)
    rows = [
        TrackRow(START_NS, RoverStatus.FIXED, position_m, (0.01, 0.01, 0.02), 9),
        TrackRow(START_NS + 30_000_000_000, RoverStatus.NONE, reason="no_network: none yet"),
    ]
    path = tmp_path / "track.csv"
    path.write_text(write_track(rows))
    return path


def test_score_prints_shares_and_hours(track):
    result = run("score", track, "--position", *ZEGV)
    assert result.exit_code == 0, result.output
    assert "50.00 %" in result.stdout
    assert "2021-01-01T00:00" in result.stdout


def test_score_as_json_is_json_and_nothing_else(track, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("time_gpst,x_m,y_m,z_m\n2021-01-01T00:00:00.000," + ",".join(ZEGV) + "\n")
    document = json.loads(run("score", track, "--truth", truth, "--json").stdout)
    assert (document["epochs"], document["without_truth"], document["centimetre_percent"]) == (1, 1, 100.0)


@pytest.mark.parametrize("options", [(), ("--truth", "x.csv", "--position", *ZEGV)])
def test_score_needs_exactly_one_truth(track, options):
    result = run("score", track, *options)
    assert result.exit_code == 2
    assert "give either --truth FILE or --position X Y Z" in result.stderr


def test_score_of_a_missing_track_names_it(tmp_path):
    error = refused(run("score", tmp_path / "none.csv", "--position", *ZEGV))
    assert error.reason is Reason.MISSING_FILE
    assert "none.csv does not exist" in str(error)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--out", "t.csv"), "give either --rover FILE or --hold-out ID"),
        (("--out", "t.csv", "--hold-out", "A", "--rover", "r.obs"), "give either --rover FILE or --hold-out ID"),
        (("--hold-out", "A"), "name at least one file for the track, for instance --out track.csv"),
        (("--hold-out", "A", "--out", "t.csv", "--mode", "session", "--through-mqtt"), "asks for single epochs"),
        (("--hold-out", "A", "--out", "t.csv", "--broker", "mqtt://x"), "--broker is only used with --through-mqtt"),
        (("--hold-out", "A", "--out", "t.csv", "--from", "noon"), "'noon' is no ISO 8601 time"),
    ],
)
def test_replay_refuses_contradictory_options(options, expected):
    result = run("replay", "network.toml", *options)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("track.xlsx", "tracks are written as .csv, .pos, .geojson, not .xlsx"),
        ("nowhere/track.csv", "does not exist; create it, or write somewhere else"),
        (".", "not without a suffix"),
    ],
)
def test_outputs_are_checked_before_anything_is_read(tmp_path, name, expected):
    error = refused(run("replay", tmp_path / "none.toml", "--hold-out", "A", "--out", tmp_path / name))
    assert expected in str(error)


def test_missing_network_file_is_named(tmp_path):
    error = refused(run("replay", tmp_path / "none.toml", "--hold-out", "A", "--out", tmp_path / "t.csv"))
    assert error.reason is Reason.MISSING_FILE
    assert "none.toml does not exist" in str(error)


@pytest.mark.data
def test_replay_writes_every_format_and_a_summary(shared_data, tmp_path):
    outputs = [tmp_path / f"track{suffix}" for suffix in (".csv", ".pos", ".geojson")]
    result = run(
        *("replay", shared_data / "nl-2021-001" / "night.toml", "--hold-out", "ZEGV", "--to", "2021-01-01T00:02:00"),
        *(part for path in outputs for part in ("--out", path)),
        "--json",
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["epochs"] == len(read_track(outputs[0].read_text())) == 5
    assert document["stations"] == ["DELF", "EIJS", "ROVN", "WSRA"]
    assert document["score"]["epochs"] == 5
    assert document["latency_ms"] is None
    assert outputs[1].read_text().startswith("% program   : gpsgrid")
    assert json.loads(outputs[2].read_text())["frame"] == "ITRF2014"


@pytest.mark.data
def test_replay_tells_people_what_came_out(shared_data, tmp_path):
    network = shared_data / "nl-2021-001" / "night.toml"
    result = run("replay", network, "--hold-out", "ZEGV", "--to", "2021-01-01T00:00:30", "--out", tmp_path / "t.csv")
    assert result.exit_code == 0, result.output
    assert "DELF, EIJS, ROVN, WSRA" in result.stdout
    assert "centimetre (H <= 2 cm, V <= 5 cm)" in result.stdout
    assert "t.csv" in result.stdout


@pytest.mark.data
def test_unknown_station_is_answered_with_the_nearest_name(shared_data, tmp_path):
    network = shared_data / "nl-2021-001" / "night.toml"
    error = refused(run("replay", network, "--hold-out", "ZEVG", "--out", tmp_path / "t.csv"))
    assert str(error).endswith("it has DELF, EIJS, ROVN, WSRA, ZEGV. Did you mean ZEGV?")
