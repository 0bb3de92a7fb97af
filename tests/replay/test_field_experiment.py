"""The experiment on the field: what is scored, what is seen by whom, and the command on a recorded network."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from models.field.baselines import METHODS, MethodName
from replay.edge.commands import register
from replay.edge.field_runs import chosen_epochs, network_run, parse_set, rover_set, truth_run
from replay.field_experiment import campaign, scores
from replay.field_score import Outcome, field_errors, summary
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason

EPOCHS = 6
METHOD_NAMES = (MethodName.FRR, MethodName.PLAIN, MethodName.NEAREST)


def run(*arguments):
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "220", "TERM": "dumb"})


@pytest.fixture(scope="module")
def evening(shared_data):
    spec = parse_set(f"{shared_data / 'nl-2021-001' / 'evening.toml'}@ZEGV")
    return rover_set(spec).rover, network_run(spec, EPOCHS), truth_run(spec, EPOCHS)


def made(evening, shares=(0.0, 0.45), methods=METHOD_NAMES, seed=1):
    rover, networks, truths = evening
    return campaign(np.random.default_rng(seed), (networks, truths), rover, methods, shares)


@pytest.mark.data
@pytest.mark.slow
def test_rover_is_in_the_truth_and_nowhere_else(evening):
    rover, networks, truths = evening
    assert [one.time_ns for one in networks] == [one.time_ns for one in truths]
    for one in networks:
        assert one.stations == 4
        assert one.master == "DELF"
        distance_m = np.linalg.norm(one.observations.points.position_m - rover.marker_m, axis=1)
        assert distance_m.min() > 30_000.0
    assert all(rover.id in one.level_m for one in truths)


@pytest.mark.data
@pytest.mark.slow
def test_truth_is_the_measured_difference_within_noise_of_what_a_clean_field_predicts(evening):
    """Two solutions that share no integers of the rover agree to a centimetre or two at the zenith."""
    one = made(evening)
    clean = [one.epoch(index)[MethodName.FRR, 0.0] for index in range(len(one.scenes))]
    resolved = np.mean(np.concatenate([np.isfinite(scene.truth_m) for scene in one.scenes]))
    assert resolved > 0.8
    assert summary(clean).rms_mm < 20.0


@pytest.mark.data
@pytest.mark.slow
def test_dirt_hurts_the_plain_process_most_and_an_answer_of_no_correction_not_at_all(evening):
    one = made(evening)
    found = scores([one.epoch(index) for index in range(len(one.scenes))])
    assert found[MethodName.PLAIN, 0.45].rms_mm > 1.5 * found[MethodName.PLAIN, 0.0].rms_mm
    assert found[MethodName.FRR, 0.45].rms_mm < found[MethodName.PLAIN, 0.45].rms_mm
    assert found[MethodName.NEAREST, 0.45] == found[MethodName.NEAREST, 0.0]


@pytest.mark.data
@pytest.mark.slow
def test_same_seed_same_scores(evening):
    one, two, three = (
        scores([made(evening, (0.3,), METHOD_NAMES[:1], seed).epoch(2)])[MethodName.FRR, 0.3] for seed in (1, 1, 2)
    )
    assert one == two
    assert one != three


@pytest.mark.data
@pytest.mark.slow
def test_errors_are_those_put_in_and_constants_of_a_pair_of_signals_do_not_count(evening):
    scene = made(evening).scenes[2]
    count = len(scene.truth_m)
    known = np.isfinite(scene.truth_m)
    shift = np.where(known, 0.01 * np.arange(count), 0.0)
    constant = np.array([5.0 * (group % 7) for group in scene.group])
    mean_m = np.where(known, scene.truth_m, 0.0) + shift + constant
    error_m, z = field_errors(scene, mean_m, np.eye(count) * 1e-4)
    expected = []
    for group in np.unique(scene.group[known]):
        row = np.flatnonzero(known & (scene.group == group))
        if len(row) > 1:
            expected.append((shift[row] - shift[row].mean()) / scene.rover.slant_factor[row])
    np.testing.assert_allclose(error_m, np.concatenate(expected), atol=1e-9)
    assert np.array_equal(np.sign(z), np.sign(error_m))


def test_summary_counts_positions_as_the_score_of_tracks_does():
    none = np.zeros(0)
    seen = [
        Outcome(np.array([0.003, -0.004]), np.array([1.0, -1.0]), fix=True, horizontal_m=0.01, vertical_m=0.04),
        Outcome(none, none, fix=True, horizontal_m=0.06, vertical_m=0.01),
        Outcome(none, none, fix=False, horizontal_m=0.5, vertical_m=0.5),
        Outcome(none, none, fix=False, horizontal_m=float("nan"), vertical_m=float("nan")),
    ]
    score = summary(seen)
    assert (score.epochs, score.differences, score.wrong) == (4, 2, 1)
    assert (score.fixed_percent, score.centimetre_percent, score.wrong_percent) == (50.0, 25.0, 50.0)
    assert score.rms_mm == pytest.approx(np.sqrt(12.5))
    assert score.z_rms == 1.0
    assert summary([seen[3]]).as_dict()["rms_mm"] is None


def test_epochs_are_spread_after_the_start_up():
    times_ns = np.arange(0, 7200, 30) * NS_PER_S
    chosen = chosen_epochs(times_ns, 10)
    assert len(chosen) == 10
    assert chosen[0] == 1800 * NS_PER_S
    assert chosen[-1] == times_ns[-1]
    assert len(chosen_epochs(times_ns[:3], 10)) <= 3


@pytest.mark.data
def test_static_rover_becomes_a_station_and_a_moving_one_is_refused(shared_data):
    found = rover_set(parse_set(f"{shared_data / 'sim-sparse' / 'network.toml'}@SRA1.crx.gz"))
    assert found.rover.id == "SRA1"
    assert found.network.stations[-1] is found.rover
    assert 55.0 < found.nearest_km < 65.0
    with pytest.raises(GpsgridError, match="stood still") as moved:
        rover_set(parse_set(f"{shared_data / 'sim-sparse' / 'network.toml'}@SRM9.crx.gz"))
    assert moved.value.reason is Reason.BAD_CONFIG


def test_refuses_a_set_without_a_rover_and_figures_that_cannot_be_written(tmp_path):
    with pytest.raises(GpsgridError, match="names no rover"):
        parse_set("night.toml")
    for path, words in (("figure.txt", "are written as .png, .svg"), ("no/figure.png", "does not exist")):
        result = run("bench-field", "night.toml@ZEGV", "--out", tmp_path / path)
        assert isinstance(result.exception, GpsgridError)
        assert words in str(result.exception)


@pytest.mark.data
@pytest.mark.slow
def test_command_prints_a_table_or_json_and_draws(shared_data, tmp_path):
    figure = tmp_path / "field.svg"
    options = ("--epochs", 3, "--method", "frr", "--method", "plane", "--share", 0, "--share", 30, "--seed", 4)
    name = f"{shared_data / 'nl-2021-001' / 'evening.toml'}@ZEGV"
    result = run("bench-field", name, *options, "--json", "--out", figure)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["seed"], document["shares"]) == (4, [0.0, 0.3])
    (one,) = document["sets"]
    assert one["name"] == "evening ZEGV"
    assert one["epochs"] == 3
    assert set(one["methods"]) == {"frr", "plane"}
    assert [score["epochs"] for score in one["methods"]["frr"]] == [3, 3]
    # Text is drawn as paths, with the words in comments.
    drawn = figure.read_text()
    assert METHODS[MethodName.FRR].text in drawn
    assert METHODS[MethodName.PLANE].text in drawn
    assert METHODS[MethodName.RANSAC].text not in drawn
