"""The examples of ``docs/api.md`` are run as printed: commands in a shell, Python as a program."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gpsgrid.answer_json import AnswerJson
from gpsgrid.edge import http_examples
from gpsgrid.edge.http import create_app
from gpsgrid.edge.http_reference import POSITION
from gpsgrid.edge.web_server import WebServer
from gpsgrid.epoch_json import decode_epochs
from gpsgrid.explanation import Cause
from gpsgrid.explanation_json import ExplanationJson
from gpsgrid.problem import DoorReason
from gpsgrid.rehearsal import START_NS, rover_body, station_payloads
from stations.constants import NS_PER_S
from stations.feed import EphemerisReceived, EpochReceived, Feed
from stations.rinex_nav_writer import write_navigation
from tests.gpsgrid.small_network import (
    CONFIG,
    EPOCHS,
    SOON_S,
    epoch_json,
    fed_engine,
    rawx,
    rinex,
    rover_epoch,
    running,
)

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text()
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [
    line[2:]
    for language, block in _FENCE.findall(TEXT)
    if language == "console"
    for line in block.splitlines()
    if line.startswith("$ ")
]
PROGRAMS = [block for language, block in _FENCE.findall(TEXT) if language == "python"]
DOCUMENTS = [block for language, block in _FENCE.findall(TEXT) if language == "json"]
_SERVER = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A service that has the time of the examples, at a URL of its own."""
    ready, found = threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        async with running(fed_engine(), streams=True) as service, WebServer(create_app(service)) as web:
            found.extend([web.url, asyncio.get_running_loop(), stop])
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(SOON_S)
    yield found[0]
    found[1].call_soon_threadsafe(found[2].set)
    thread.join(SOON_S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The files that the examples name, and ``gpsgrid`` as a command."""
    place = tmp_path_factory.mktemp("examples")
    epochs = [rover_epoch(START_NS + k * NS_PER_S) for k in range(EPOCHS)]
    (place / "epoch.rtcm3").write_bytes(rover_body(epochs[-1].time_ns))
    (place / "epoch.json").write_bytes(epoch_json(epochs[-1]))
    (place / "epoch.ubx").write_bytes(rawx(epochs[-1]))
    (place / "rover.obs").write_bytes(rinex(*epochs, antenna_height_m=1.8))
    (place / "one.obs").write_bytes(rinex(epochs[-1]))
    _write_network(place)
    # An answer that is a refusal is a failure of the example, and the progress bar is noise.
    (place / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    program = place / "gpsgrid"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gpsgrid.edge.cli "$@"\n')
    program.chmod(0o755)
    return place


def _write_network(place: Path) -> None:
    """Write ``network.toml`` with recordings of the made-up stations."""
    feeds = {station.id: Feed(station.id) for station in CONFIG.network.stations}
    epochs, ephemerides = {station.id: [] for station in CONFIG.network.stations}, {}
    for k in range(EPOCHS):
        for station, payload in station_payloads(CONFIG.network, START_NS + k * NS_PER_S):
            for event in feeds[station].push(payload, START_NS):
                if isinstance(event, EpochReceived):
                    epochs[station].append(event.epoch)
                elif isinstance(event, EphemerisReceived):
                    ephemerides[event.ephemeris.satellite] = event.ephemeris
    (place / "network.nav").write_text(write_navigation(ephemerides.values()))
    lines = ["[network]", 'name = "example"', 'frame = "ITRF2014"', "epoch = 2021.0", 'navigation = ["network.nav"]']
    for station in CONFIG.network.stations:
        (place / f"{station.id}.obs").write_bytes(rinex(*epochs[station.id]))
        lines += ["[[station]]", f'id = "{station.id}"', f"position = {list(station.position_m)}"]
        lines += [f'observations = "{station.id}.obs"']
    (place / "network.toml").write_text("\n".join(lines) + "\n")


def _environment(folder: Path) -> dict[str, str]:
    paths = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": paths, "CURL_HOME": str(folder), "PYTHONPATH": str(ROOT)}


def test_there_are_examples_of_every_kind():
    assert sum(command.startswith("curl") for command in COMMANDS) >= 8
    assert sum(command.startswith("gpsgrid query") for command in COMMANDS) >= 2
    assert len(PROGRAMS) >= 3


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_do_what_is_said(command, folder, url):
    if "curl" in command and shutil.which("curl") is None:
        pytest.skip("curl is not there")
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command.replace(_SERVER, url)],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    if "vrs.rtcm3" in command:
        assert (folder / "vrs.rtcm3").read_bytes().startswith(b"\xd3")
    elif "nmea" in command:
        assert done.stdout.startswith(b"$GPGGA,")
    elif command.startswith("curl") and "position" in command and "rover.obs" not in command:
        assert msgspec.json.decode(done.stdout, type=AnswerJson).status in {"fixed", "partial", "float"}
    else:
        assert len(done.stdout.splitlines()) >= 1


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_run(program, folder, url):
    done = subprocess.run(
        [sys.executable, "-c", program.replace(_SERVER, url)],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "float" in done.stdout or "fixed" in done.stdout


def test_documents_are_of_their_schemas():
    epoch, explanation = (block.encode() for block in DOCUMENTS)
    ((document, observations),) = decode_epochs(epoch)
    assert document.antenna_height_m == 1.8
    assert len(observations) == 4
    assert msgspec.json.decode(explanation, type=ExplanationJson).satellites[0].cause == "ionosphere"


def test_tables_are_complete():
    for cause in Cause:
        assert f"`{cause}`" in TEXT
    for reason in set(DoorReason) - {DoorReason.HTTP, DoorReason.INTERNAL}:
        assert f"`{reason}`" in TEXT
    for media_type in POSITION["requestBody"]["content"]:
        assert media_type in TEXT
    for key in http_examples.ANSWER:
        assert f"`{key}`" in TEXT or key in {"request", "time_gpst", "refusal"}
