"""The state on disk: whole or not at all, refused with words, and read again by the next process."""

import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from gpsgrid.edge.state_file import (
    StateKeeper,
    default_state_file,
    read_state,
    restore_engine,
    write_state,
)
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import PayloadArrived
from gpsgrid.rehearsal import START_NS, STEP_NS, rehearsal_network, station_payloads
from gpsgrid.saved_state import encode_state
from stations.errors import GpsgridError, Reason

# A process that is killed at the three moments that matter; forked, because importing the package takes seconds.
KILLED = """
import io, os, signal, sys
from pathlib import Path
from gpsgrid.edge.state_file import write_state

target, content, real_fsync = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), os.fsync

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class HalfWay(io.FileIO):
    def write(self, data):
        super().write(data[: len(data) // 2])
        die()

def die_at_second(number, calls=[]):
    real_fsync(number)
    calls.append(number)
    if len(calls) == 2:
        die()

def half_written():
    Path.open = lambda path, mode: HalfWay(path, mode)

def before_renaming():
    os.fsync = die

def after_renaming():
    os.fsync = die_at_second

for moment in (half_written, before_renaming, after_renaming):
    child = os.fork()
    if child == 0:
        moment()
        write_state(target, content)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    part = target.with_name(target.name + ".part")
    size = part.stat().st_size if part.exists() else 0
    print(moment.__name__, os.WTERMSIG(status), size, target.read_bytes() == content, flush=True)
"""


def engine_of(network=None, now_ns=START_NS):
    return Engine(EngineConfig(network or rehearsal_network(), None, now_ns))


def state_after(epochs):
    engine = engine_of()
    for epoch in range(epochs):
        for station, payload in station_payloads(rehearsal_network(), START_NS + epoch * STEP_NS):
            engine.handle(PayloadArrived(station, payload, epoch * STEP_NS))
    return engine.saved_state(START_NS + epochs * STEP_NS)


@pytest.fixture(scope="module")
def states():
    return [state_after(epochs) for epochs in (1, 2, 12)]


def test_a_kill_while_writing_leaves_a_whole_file(tmp_path, states):
    before, after = encode_state(states[0]), encode_state(states[2])
    target, content = tmp_path / "network.state", tmp_path / "content"
    write_state(target, before)
    content.write_bytes(after)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(target), str(content)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["half_written", "9", str(len(after) // 2), "False"],
        ["before_renaming", "9", str(len(after)), "False"],
        ["after_renaming", "9", "0", "True"],
    ]
    assert read_state(target).calendar_ns == states[2].calendar_ns


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a device of Linux")
def test_a_full_disk_leaves_the_file_before(tmp_path, states):
    target = tmp_path / "network.state"
    write_state(target, encode_state(states[0]))
    target.with_name("network.state.part").symlink_to("/dev/full")
    with pytest.raises(GpsgridError, match="No space left"):
        write_state(target, encode_state(states[2]))
    assert read_state(target).calendar_ns == states[0].calendar_ns


def test_no_file_is_a_cold_start_without_a_warning(tmp_path):
    with structlog.testing.capture_logs() as logs:
        restore_engine(engine_of(), tmp_path / "absent.state")
    assert [entry["log_level"] for entry in logs] == ["info"]


def test_what_was_restored_is_in_the_log(tmp_path, states):
    path = tmp_path / "network.state"
    write_state(path, encode_state(states[2]))
    engine = engine_of(now_ns=states[2].calendar_ns + STEP_NS)
    with structlog.testing.capture_logs() as logs:
        restore_engine(engine, path)
    (entry,) = logs
    assert entry["event"] == "state.restored"
    assert (entry["stations"], entry["age_s"], entry["ephemerides"]) == (4, 30.0, 30)
    assert entry["arcs"] > 20
    assert entry["fixed_share"] == round(states[2].fixed_share, 3)


@pytest.mark.parametrize("content", [b"", b"gpsgrid\n", b"PK\x03\x04 something else", None])
def test_a_file_that_is_none_of_ours_costs_a_warning(tmp_path, states, content):
    path = tmp_path / "network.state"
    path.write_bytes(encode_state(states[0])[:-100] if content is None else content)
    with structlog.testing.capture_logs() as logs:
        restore_engine(engine_of(), path)
    assert [(entry["event"], entry["reason"]) for entry in logs] == [("state.refused", "broken_file")]


def test_a_folder_in_its_place_is_refused_both_ways(tmp_path):
    with pytest.raises(GpsgridError, match="no file"):
        read_state(tmp_path)
    with pytest.raises(GpsgridError, match="no file"):
        write_state(tmp_path, b"x")


async def test_a_disk_that_cannot_be_written_to_costs_a_warning_once(tmp_path, states):
    async def take():
        return states[0]

    keeper = StateKeeper(tmp_path / "absent" / "network.state", take)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await keeper.keep(states[0])
    assert (keeper.written, keeper.failures) == (0, 3)
    assert len(logs) == 2  # the first and the second time
    assert logs[0]["reason"] == str(Reason.MISSING_FILE)
    assert "--state" in logs[0]["text"]


async def test_a_state_is_written_once(tmp_path, states):
    async def take():
        return None

    keeper = StateKeeper(tmp_path / "network.state", take)
    for state in (None, states[0], states[0], states[1]):
        await keeper.keep(state)
    assert keeper.written == 2
    assert read_state(tmp_path / "network.state").calendar_ns == states[1].calendar_ns


def test_the_file_is_beside_the_network_or_where_systemd_says(tmp_path):
    assert default_state_file(tmp_path / "farm.toml", {}) == tmp_path / "farm.state"
    folder = {"STATE_DIRECTORY": "/var/lib/gpsgrid:/elsewhere"}
    assert default_state_file(tmp_path / "farm.toml", folder) == Path("/var/lib/gpsgrid/farm.state")
