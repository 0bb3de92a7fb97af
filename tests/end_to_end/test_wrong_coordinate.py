"""A station whose declared coordinate is off by a decimetre: the engine stops claiming, names it, and goes on without.

Before there was a watch over coordinates, 227 of 228 fixes of this case were wrong: the integers agree with the error.
"""

import dataclasses
from pathlib import Path

import pytest

from gpsgrid.edge.learner import learn_now
from gpsgrid.engine import Engine
from gpsgrid.status_json import station_status
from models.coordinates_monitor import Verdict
from replay.edge.prepare import ReplayRequest, prepare
from replay.edge.run import ReplayReport
from replay.player import play
from replay.score import score
from replay.track import row_of
from replay.truth import fixed_truth
from stations import gpstime
from stations.constants import NS_PER_S
from stations.errors import Reason

pytestmark = pytest.mark.data

INTERVAL_NS = 30 * NS_PER_S
EPOCHS = 126
START_UP_EPOCHS = 20  # while the network starts it cannot know yet: ten minutes
RIGHT_AGAIN_EPOCH = 116  # excluded after 49 minutes; the field is learned anew


@pytest.mark.timeout(240)
def test_a_station_that_is_off_by_10_cm_is_excluded_and_fixes_are_right_again(shared_data: Path):
    to_ns = int(gpstime.from_calendar(2021, 1, 1)) + (EPOCHS - 1) * INTERVAL_NS
    prepared = prepare(ReplayRequest(shared_data / "nl-2021-001" / "night.toml", "ZEGV", to_ns=to_ns))
    network = prepared.config.network
    x_m, y_m, z_m = network.station("DELF").position_m
    stations = tuple(
        dataclasses.replace(one, position_m=(x_m + 0.1, y_m, z_m)) if one.id == "DELF" else one
        for one in network.stations
    )
    config = dataclasses.replace(prepared.config, network=dataclasses.replace(network, stations=stations))
    prepared = dataclasses.replace(prepared, config=config)

    report = ReplayReport()
    engine = Engine(prepared.engine_config())
    played = play(engine, prepared.recording, prepared.rover, learn_now, report.observe)
    rows = [row_of(answer, time_ns) for time_ns, answer in played]

    truth = fixed_truth(*prepared.marker_m)
    assert score(rows[START_UP_EPOCHS:], truth).wrong_fixes == 0
    assert score(rows[RIGHT_AGAIN_EPOCH:], truth).fixed_centimetre_percent >= 80.0
    assert {text.split()[1] for text in report.coordinates} == {"DELF:"}
    assert engine.health.refusals[Reason.WRONG_COORDINATE] == 1
    assert "DELF" not in engine.snapshot.reduced
    judgement = engine.health.stations["DELF"].coordinate
    assert judgement.verdict is Verdict.WRONG
    # 0.1 m of X is 6 cm up and 8 cm south at this place.
    assert judgement.offset_m == pytest.approx((-0.008, -0.079, 0.061), abs=0.05)
    status = station_status("DELF", engine.health.stations["DELF"], None)
    assert status.coordinate.verdict == "wrong"
    assert "DELF: coordinate is off by" in status.coordinate.text
    assert "excluded" in status.coordinate.text
    assert all(
        engine.health.stations[name].coordinate.verdict is not Verdict.WRONG for name in ("EIJS", "ROVN", "WSRA")
    )
