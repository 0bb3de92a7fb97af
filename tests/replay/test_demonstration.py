"""What the demonstration writes and reads, and the process that it runs commands in."""

import math
import tomllib

import msgspec
import numpy as np
import pytest

from gpsgrid.answer import Answer
from gpsgrid.answer_json import encode_answer
from gpsgrid.config import parse_config
from gpsgrid.problem import ProblemJson
from models.rover import RoverStatus
from replay.demonstration import (
    HEADER,
    Encoder,
    error_enu_m,
    first_fix_s,
    live_line,
    live_record,
    network_toml,
    row_of_response,
    summary_lines,
)
from replay.edge.demo_process import CommandProcess
from replay.scenario import Scenario
from replay.score import score
from replay.simulator import Simulator
from replay.track import TrackRow
from replay.truth import Truth
from stations import gpstime
from stations.constants import NS_PER_MS, NS_PER_S
from stations.errors import GpsgridError
from stations.feed import EphemerisReceived, EpochReceived, Feed, PositionReceived, Refused
from stations.frames import enu_rotation_at

START_NS = gpstime.from_calendar(2026, 5, 3, 10, 17)
TRUE_M = np.array([3_903_000.0, 532_000.0, 5_001_000.0])


@pytest.fixture
def simulator(rng: np.random.Generator) -> Simulator:
    return Simulator(Scenario(), START_NS, rng)


def _row(time_ns: int, enu_m: tuple[float, float, float], status: RoverStatus = RoverStatus.FIXED) -> TrackRow:
    x, y, z = (TRUE_M + np.array(enu_m) @ enu_rotation_at(TRUE_M)).tolist()
    return TrackRow(time_ns, status, (x, y, z), (0.003, 0.004, 0.012), 9, 0.001, 0.0, 23.0)


def test_the_network_file_is_one(simulator: Simulator):
    text = network_toml(simulator.network, "mqtt://127.0.0.1:12345")
    config = parse_config(tomllib.loads(text), ".")
    assert config.network == simulator.network
    assert config.mqtt.url == "mqtt://127.0.0.1:12345"


def test_stations_publish_what_a_service_understands(simulator: Simulator):
    encoder = Encoder(simulator)
    feeds = {station.id: Feed(station.id) for station in simulator.network.stations}
    for second in range(3):
        time_ns = START_NS + second * NS_PER_S
        payloads = encoder.stations(time_ns)
        assert set(payloads) == set(feeds)
        for name, payload in payloads.items():
            events = feeds[name].push(payload, time_ns)
            assert not any(isinstance(event, Refused) for event in events)
            assert isinstance(events[0], PositionReceived)
            assert isinstance(events[-1], EpochReceived)
            assert events[-1].epoch.time_ns == time_ns
            assert sum(isinstance(event, EphemerisReceived) for event in events) == (
                len(np.unique(events[-1].epoch.satellite)) if second == 0 else 0
            )
        body, one = encoder.rover(time_ns)
        (received,) = Feed("rover").push(body, time_ns)
        assert isinstance(received, EpochReceived)
        assert np.array_equal(received.epoch.satellite, one.epoch.satellite)


def test_an_answer_becomes_a_row():
    covariance_m2 = np.diag([1e-6, 4e-6, 9e-6])
    answer = Answer(
        "q", START_NS, RoverStatus.PARTIAL, TRUE_M, covariance_m2, "ITRF2020", 2026.3, ("G01", "G02"), age_s=0.0
    )
    row = row_of_response(200, encode_answer(answer, 5.0), START_NS, 20.0)
    assert row.status is RoverStatus.PARTIAL
    assert row.position_m == tuple(TRUE_M)
    assert row.satellites == 2
    assert row.latency_ms == 20.0
    np.testing.assert_allclose(row.sd_enu_m, answer.sd_enu_m, atol=1e-9)


def test_a_refusal_becomes_a_row():
    problem = ProblemJson("about:blank", "No network", 503, "no network epoch yet", "no_network")
    row = row_of_response(503, msgspec.json.encode(problem), START_NS, 20.0)
    assert row.status is RoverStatus.NONE
    assert row.reason == "no_network: no network epoch yet"
    assert not row.positioned
    assert row_of_response(502, b"<html>", START_NS, 20.0).reason == "HTTP status 502"
    assert live_line(row, TRUE_M, 3.0).endswith("no_network: no network epoch yet")
    assert live_record(row, TRUE_M)["error_enu_m"] == [None, None, None]


def test_a_line_fits_a_terminal():
    row = _row(START_NS, (0.0031, -0.0122, 0.0249))
    line = live_line(row, TRUE_M, 117.0)
    assert line.split() == ["117", "s", "fixed", "9", "+3", "-12", "+25", "3/4/12", "23", "ms", "0.0", "s"]
    assert len(line) == len(HEADER) <= 80
    np.testing.assert_allclose(error_enu_m(row, TRUE_M), [0.0031, -0.0122, 0.0249], atol=1e-8)


def test_the_summary_counts_every_answer():
    rows = [
        _row(START_NS, (0.3, 0.1, 0.4), RoverStatus.FLOAT),
        _row(START_NS + NS_PER_S, (0.006, 0.008, 0.02)),
        _row(START_NS + 2 * NS_PER_S, (0.006, 0.008, 0.02)),
        _row(START_NS + 3 * NS_PER_S, (0.06, 0.08, 0.02)),
    ]
    x, y, z = TRUE_M.tolist()
    truth = Truth(by_ms={row.time_ns // NS_PER_MS: (x, y, z) for row in rows})
    first = first_fix_s(rows, START_NS)
    assert first == 1.0
    lines = summary_lines(score(rows, truth), first)
    assert lines[0].startswith("4 answers")
    assert "first fix 1 s" in lines[0]
    assert lines[1] == "fixed 75.0 %   centimetre 50.0 %   wrong 1"
    assert "median 10 mm" in lines[2]
    assert "median 20 mm" in lines[3]
    assert "median 23 ms" in lines[4]


def test_a_summary_without_fixes_has_no_errors():
    rows = [_row(START_NS, (0.3, 0.1, 0.4), RoverStatus.FLOAT)]
    x, y, z = TRUE_M.tolist()
    first = first_fix_s(rows, START_NS)
    assert math.isnan(first)
    lines = summary_lines(score(rows, Truth(by_ms={START_NS // NS_PER_MS: (x, y, z)})), first)
    assert "no fix" in lines[0]
    assert not any("nan" in line for line in lines)


async def test_a_command_that_fails_is_quoted():
    async with CommandProcess("serve", "nowhere.toml") as process:
        with pytest.raises(GpsgridError, match=r"(?s)`gpsgrid serve` has ended with status 2;.*nowhere\.toml"):
            await process.logged("serve.listening", 60.0)
        with pytest.raises(GpsgridError, match="status 2"):
            await process.wait_done()


async def test_a_command_that_stays_silent_is_reported():
    async with CommandProcess("broker", "--port", "0") as process:
        with pytest.raises(GpsgridError, match=r"did not say 'nothing\.like.this' within 0 s"):
            await process.logged("nothing.like.this", 0.2)
