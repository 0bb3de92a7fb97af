"""The whole chain on a real network: accuracy that must not get worse, and the same positions whichever way they come.

Five stations in the Netherlands on 2021-01-01, 30 s, GPS L1/L2, every rover epoch from scratch. Thresholds are what the
project promises for single epochs; what is reached is in the closing notes and in ``docs/``.
"""

import asyncio
import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pytest

from gpsgrid.edge.broker import EmbeddedBroker
from replay.edge.prepare import Prepared, ReplayRequest, prepare
from replay.edge.run import ReplayReport, replay_offline
from replay.edge.through_mqtt import replay_through_mqtt, run_through_mqtt
from replay.score import Score, score
from replay.track import TrackRow, write_track
from replay.truth import fixed_truth
from stations import gpstime
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason

pytestmark = pytest.mark.data

START_NS = int(gpstime.from_calendar(2021, 1, 1))
INTERVAL_NS = 30 * NS_PER_S
MAX_WRONG_PERCENT = 0.2


@pytest.fixture(scope="session")
def folder(shared_data: Path) -> Path:
    return shared_data / "nl-2021-001"


def request(folder: Path, block: str, station: str, epochs: int | None = None, **others: object) -> ReplayRequest:
    """Return the replay of the first epochs of a block; both blocks start at full hours."""
    start_ns = START_NS + {"night": 0, "evening": 15 * 3600}[block] * NS_PER_S
    to_ns = None if epochs is None else start_ns + (epochs - 1) * INTERVAL_NS
    return ReplayRequest(folder / f"{block}.toml", station, to_ns=to_ns, **others)


def offline(prepared: Prepared) -> tuple[list[TrackRow], ReplayReport]:
    rows: list[TrackRow] = []
    report = ReplayReport()
    replay_offline(prepared.rewound(), rows.append, report)
    return rows, report


def held_out(folder: Path, block: str, station: str, epochs: int | None = None) -> Score:
    prepared = prepare(request(folder, block, station, epochs))
    rows, report = offline(prepared)
    assert not report.refused, report.first_refusals
    assert len(rows) == len(prepared.rover.times_ns)
    return score(rows, fixed_truth(*prepared.marker_m))


def without_latency(rows: list[TrackRow]) -> str:
    return write_track(dataclasses.replace(row, latency_ms=math.nan) for row in rows)


def test_two_hours_of_a_held_out_station(folder):
    result = held_out(folder, "night", "ZEGV", 240)
    assert result.epochs == 240
    assert result.centimetre_percent >= 92.0
    assert result.wrong_fixes_percent <= MAX_WRONG_PERCENT


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("block", "station", "epochs", "centimetre_percent"),
    [
        ("night", "ROVN", 1080, 92.0),
        ("evening", "ZEGV", 720, 80.0),
    ],
)
def test_whole_block_of_a_held_out_station(folder, block, station, epochs, centimetre_percent):
    result = held_out(folder, block, station)
    assert result.epochs == epochs
    assert result.centimetre_percent >= centimetre_percent
    assert result.wrong_fixes_percent <= MAX_WRONG_PERCENT


def test_replay_gives_the_same_bytes_every_time(folder):
    prepared = prepare(request(folder, "night", "DELF", 10))
    first, second = offline(prepared)[0], offline(prepared)[0]
    assert write_track(first) == write_track(second)


def test_held_out_station_leaves_no_trace_in_the_network(folder, tmp_path):
    """A network file that never had the station gives the same positions for a rover that is only a file."""
    epochs = 40  # the learner has its first turn after 30
    expected, report = offline(prepare(request(folder, "night", "ROVN", epochs)))
    assert report.learned > 0
    text = (folder / "night.toml").read_text()
    blocks = re.split(r"(?=^\[\[station\]\])", text, flags=re.MULTILINE)
    kept = "".join(block for block in blocks if 'id = "ROVN"' not in block)
    kept = re.sub(r'(?<=")(?=[^"\n]+\.(?:gz|atx)")', f"{folder}/", kept)
    network = tmp_path / "without.toml"
    network.write_text(kept)
    to_ns = START_NS + (epochs - 1) * INTERVAL_NS
    alone = ReplayRequest(
        network,
        rover_files=(folder / "rovn0010a.21d.gz",),
        to_ns=to_ns,
        antenna="SEPCHOKE_B3E6   SPKE",
        antenna_serial="5681",
        antenna_height_m=0.0,
    )
    assert write_track(offline(prepare(alone))[0]) == write_track(expected)


@pytest.mark.broker
def test_positions_through_a_broker_are_those_of_the_offline_replay(folder):
    prepared = prepare(request(folder, "night", "ZEGV", 20))
    expected, _ = offline(prepared)
    rows: list[TrackRow] = []
    report = ReplayReport()
    run_through_mqtt(prepared.rewound(), rows.append, report)
    assert without_latency(rows) == without_latency(expected)
    assert all(a.position_m == b.position_m for a, b in zip(rows, expected, strict=True))
    assert not report.refused, report.first_refusals
    assert len(report.latency_ms) + len(report.learning_latency_ms) == 20
    assert np.all(np.isfinite([row.latency_ms for row in rows]))


@pytest.mark.broker
async def test_learning_comes_at_the_same_epoch_through_a_broker_that_needs_no_installation(folder):
    prepared = prepare(request(folder, "night", "ZEGV", 36))
    expected, offline_report = offline(prepared)
    rows: list[TrackRow] = []
    report = ReplayReport()
    async with EmbeddedBroker(program="amqtt") as broker:
        await replay_through_mqtt(prepared.rewound(), rows.append, report, broker.url)
    assert report.learned == offline_report.learned > 0
    assert len(report.learning_latency_ms) == report.learned
    assert without_latency(rows) == without_latency(expected)


@pytest.mark.broker
def test_broker_that_is_not_there_is_named(folder):
    prepared = prepare(request(folder, "night", "ZEGV", 2))
    with pytest.raises(GpsgridError, match=r"no MQTT broker answers at mqtt://127\.0\.0\.1:1 ") as caught:
        asyncio.run(replay_through_mqtt(prepared, lambda _: None, ReplayReport(), "mqtt://127.0.0.1:1"))
    assert caught.value.reason is Reason.BROKER_UNREACHABLE


def test_nearest_base_is_one_station(folder):
    prepared = prepare(request(folder, "night", "ZEGV", 4, nearest_base=True))
    assert prepared.recording.station_ids == ("DELF",)
    rows, _ = offline(prepared)
    assert len(rows) == 4
    assert all(row.positioned for row in rows)


def test_too_few_stations_are_refused_with_a_way_out(folder, tmp_path):
    text = (folder / "night.toml").read_text()
    head, first, second, *_ = re.split(r"(?=^\[\[station\]\])", text, flags=re.MULTILINE)
    network = tmp_path / "two.toml"
    network.write_text(re.sub(r'(?<=")(?=[^"\n]+\.(?:gz|atx)")', f"{folder}/", head + first + second))
    with pytest.raises(GpsgridError, match=r"has 1 stations to work with \(EIJS\); at least 2 are needed"):
        prepare(ReplayRequest(network, "DELF"))
