"""``gpsgrid demo`` as a user runs it: it shows centimetres, ends by itself or by Ctrl-C, and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]

# The command is there also where the package is not installed with its entry points.
PROGRAM = """
from gpsgrid.edge import cli
from replay.edge.demo_command import register_demo
if "demo" not in {command.callback.__name__ for command in cli.app.registered_commands}:
    register_demo(cli.app)
cli.main()
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.broker,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc"),
]


class Demo:
    """A demonstration under test; all its processes carry a mark in their environment."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._mark = f"DEMO_MARK={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.folder = folder
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM, "demo", *arguments],
            cwd=ROOT,
            env={**os.environ, **one_thread, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1", name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def lines(self) -> Iterator[str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            yield line.rstrip("\n")

    def until(self, pattern: str) -> re.Match[str]:
        seen = []
        for line in self.lines():
            seen.append(line)
            found = re.search(pattern, line)
            if found:
                return found
        pytest.fail("\n".join([f"no line with {pattern!r} in:", *seen, self._errors()]))

    def end(self) -> tuple[int, str]:
        out, error = self.process.communicate(timeout=60)
        assert "Traceback" not in error
        return self.process.returncode, out

    def _errors(self) -> str:
        return self.process.communicate(timeout=60)[1]

    def alive(self) -> list[str]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (place / "environ").read_bytes():
                    found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[object]:
    started: list[Demo] = []

    def begin(*arguments: str) -> Demo:
        started.append(Demo(folder, *arguments))
        return started[-1]

    yield begin
    for demo in started:
        demo.kill()


def _nothing_left(demo: Demo) -> None:
    assert demo.alive() == []
    assert [path.name for path in demo.folder.glob("gpsgrid-*")] == []


def test_it_runs_to_its_end_and_reaches_centimetres(start):
    demo = start("--seconds", "20", "--json", "--seed", "2")
    records = [json.loads(line) for line in demo.lines()]
    status, _ = demo.end()
    assert status == 0
    *answers, last = records
    # One a second; a busy machine may skip some.
    assert 10 <= len(answers) <= 20
    assert last["summary"]["epochs"] == len(answers)
    assert last["summary"]["wrong_fixes"] == 0
    assert last["summary"]["centimetre_percent"] > 50.0
    assert last["summary"]["horizontal_m"]["p50"] < 0.02
    assert last["first_fix_s"] < 15.0
    _nothing_left(demo)


def test_ctrl_c_in_the_middle(start):
    demo = start()
    demo.until(r"^ +\d+ s +(fixed|partial|float) +\d+ ")
    assert len(demo.alive()) >= 3
    demo.process.send_signal(signal.SIGINT)
    status, out = demo.end()
    assert status == 130
    assert "stopped before the end" in out
    assert out.rstrip().endswith("stopped; nothing is left running")
    _nothing_left(demo)


@pytest.mark.parametrize("line", ["preparing numerical kernels", "starting MQTT broker", "streaming the last"])
def test_ctrl_c_while_it_starts(start, line: str):
    demo = start()
    demo.until(line + r".*\.\.\.$")
    demo.process.send_signal(signal.SIGINT)
    status, out = demo.end()
    assert status == 130
    assert out.rstrip().endswith("stopped; nothing is left running")
    _nothing_left(demo)


def test_keep_running_leaves_the_api_up_until_ctrl_c(start):
    demo = start("--seconds", "2", "--keep-running")
    docs = demo.until(r"still running, the API is documented at (http://127\.0\.0\.1:\d+/docs)")[1]
    assert httpx.get(docs, trust_env=False).status_code == 200
    demo.until(r"^ +\d+ s +(fixed|partial|float) +\d+ ")
    demo.process.send_signal(signal.SIGINT)
    status, _ = demo.end()
    assert status == 0
    _nothing_left(demo)


def test_its_children_follow_it_when_it_is_killed(start):
    demo = start()
    demo.until("streaming the last")
    demo.process.kill()
    demo.process.communicate()
    deadline_s = time.monotonic() + 20.0
    while demo.alive() and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert demo.alive() == []
