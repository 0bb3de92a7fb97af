"""The command line: what goes wrong is one paragraph and a status, and Ctrl-C ends everything in good order."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import httpx
import pytest
import typer
from rich.console import Console

from gpsgrid.edge import cli
from gpsgrid.edge.broker import EmbeddedBroker
from gpsgrid.edge.publish import publish_network
from gpsgrid.rehearsal import START_NS, rehearsal_network, station_payloads
from stations.constants import NS_PER_S
from stations.edge.mqtt import MqttLink
from stations.errors import GpsgridError, Reason

ROOT = Path(__file__).parents[2]
SOON_S = 30.0
PROGRAM = [sys.executable, "-m", "gpsgrid.edge.cli"]


@pytest.fixture
def network_toml(tmp_path: Path) -> Path:
    """The network of the rehearsal as a file."""
    network = rehearsal_network()
    lines = ["[network]", f'name = "{network.name}"', f'frame = "{network.frame}"', f"epoch = {network.epoch}"]
    for station in network.stations:
        lines += ["[[station]]", f'id = "{station.id}"', f"position = {list(station.position_m)}"]
    path = tmp_path / "network.toml"
    path.write_text("\n".join(lines))
    return path


@contextmanager
def _program(*arguments: str) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen([*PROGRAM, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _line_with(process: subprocess.Popen, text: str) -> str:
    for line in process.stderr:
        if text in line:
            return line
    pytest.fail(f"the program ended without saying {text!r}")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--help"], 0, "serve"),
        (["warmup"], 0, "kernels ready"),
        (["serve", "absent.toml"], 2, "absent.toml does not exist"),
        (["publish", "absent.toml"], 2, "absent.toml does not exist"),
        (["publish", "absent.toml", "--speed", "fast"], 2, "max"),
        (["broker", "--port", "70000"], 2, "65535"),
        (["--log-level", "loud", "warmup"], 2, "loud"),
        (["dance"], 2, "dance"),
    ],
)
def test_statuses_and_words(arguments: list[str], status: int, said: str, capfd):
    assert cli.run(arguments) == status
    out, err = capfd.readouterr()
    assert said in (out if status == 0 else err)
    assert "Traceback" not in out + err


def test_all_mistakes_of_a_network_file_are_told_at_once(network_toml: Path, capfd):
    network_toml.write_text(network_toml.read_text().replace("position", "positoin").replace("epoch", "epoche"))
    assert cli.run(["serve", str(network_toml)]) == 2
    err = capfd.readouterr().err
    assert err.startswith("gpsgrid: ")
    assert err.count("positoin") == 4
    assert "epoche" in err


@pytest.mark.broker
def test_a_broker_that_does_not_answer_is_named(network_toml: Path, capfd, unused_tcp_port: int):
    url = f"mqtt://me:secret@127.0.0.1:{unused_tcp_port}"
    assert cli.run(["serve", str(network_toml), "--broker", url, "--port", "0"]) == 2
    err = capfd.readouterr().err
    assert f"mqtt://127.0.0.1:{unused_tcp_port}" in err
    assert "`gpsgrid broker`" in err
    assert "secret" not in err


def test_an_interrupt_is_130(monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert cli.run([]) == 130


def test_an_interrupt_inside_a_command_is_130(monkeypatch, capfd):
    def interrupted(work):
        work.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.run(["broker"]) == 130


# ---- commands of others


def _register(target: typer.Typer) -> None:
    @target.command("extra")
    def extra() -> None:
        typer.echo("from elsewhere")


_SUB = typer.Typer()


@_SUB.command("inner")
def _inner() -> None:
    typer.echo("inside")


@_SUB.command("other")
def _other() -> None:
    typer.echo("other")


def test_other_packages_add_commands_and_a_broken_one_costs_only_itself(monkeypatch, capfd):
    offered = {"a-function": _register, "group": _SUB}

    class Offered(EntryPoint):
        def load(self):
            return offered[self.name]

    def found(*, group):
        assert group == "gpsgrid.commands"
        names = ["a-function", "group", "broken"]
        return [Offered(name, f"there:{name}", group) for name in names]

    monkeypatch.setattr(cli, "entry_points", found)
    monkeypatch.setattr(cli, "app", typer.Typer())
    cli.load_commands(cli.app)
    assert cli.run(["extra"]) == 0
    assert cli.run(["group", "inner"]) == 0
    out, err = capfd.readouterr()
    assert out.split("\n")[:2] == ["from elsewhere", "inside"]
    assert "commands of broken (there:broken) are not available" in err


def test_numpy_gets_one_thread():
    program = (
        "import os, sys\n"
        "from gpsgrid.edge import cli\n"
        "def show(arguments=None):\n"
        "    print(*(os.environ.get(name) for name in cli._THREAD_VARIABLES))\n"
        "    return 0\n"
        "cli.run = show\n"
        "cli.main()\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["1", "1", "1"]


# ---- running programs


@pytest.mark.broker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_broker_command_ends_with_a_signal(number: signal.Signals):
    with _program("--log-json", "broker", "--port", "0") as process:
        url = json.loads(_line_with(process, "broker.started"))["url"]
        asyncio.run(_publish_and_receive(url))
        process.send_signal(number)
        assert process.wait(SOON_S) == 0
        assert "Traceback" not in process.stderr.read()


async def _publish_and_receive(url: str) -> None:
    async with asyncio.timeout(SOON_S), MqttLink(url, "test") as link:
        await link.subscribe("t")
        await link.publish("t", b"x")
        assert (await anext(link.messages())).payload == b"x"


@pytest.mark.broker
async def test_serve_takes_stations_in_and_ends_with_a_farewell(network_toml: Path):
    async with EmbeddedBroker() as broker, MqttLink(broker.url, "stations") as link:
        await link.subscribe("gpsgrid/v1/status")
        arguments = ["serve", str(network_toml), "--broker", broker.url, "--port", "0", "--learning", "off"]
        with _program("--log-json", *arguments) as process:
            ready = json.loads(await asyncio.to_thread(_line_with, process, "serve.listening"))
            await asyncio.to_thread(_line_with, process, "mqtt.connected")
            async with httpx.AsyncClient(base_url=ready["url"]) as client, asyncio.timeout(SOON_S):
                epoch = 0
                while (await client.get("/v1/health")).status_code != 200:
                    # The service subscribes just after it has connected; what came before is not heard.
                    for station, payload in station_payloads(rehearsal_network(), START_NS + epoch * NS_PER_S):
                        await link.publish(f"gpsgrid/v1/stations/{station}/rtcm3", payload)
                    await asyncio.sleep(0.2)
                stations = (await client.get("/v1/stations")).json()["stations"]
            process.send_signal(signal.SIGINT)
            assert await asyncio.to_thread(process.wait, SOON_S) == 0
            assert "Traceback" not in process.stderr.read()
        states = []
        async with asyncio.timeout(SOON_S):
            async for message in link.messages():
                states.append(json.loads(message.payload)["state"])
                if states[-1] == "offline":
                    break
    assert [station["state"] for station in stations] == ["streaming"] * 4
    assert states[0] == "online"


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.1)


@pytest.mark.broker
@pytest.mark.slow
async def test_a_killed_service_goes_on_from_its_file_and_takes_a_changed_network(network_toml: Path):
    """SIGKILL, a new process with the arcs of the old one, then a SIGHUP with a mistake and one without."""
    arguments = ["serve", str(network_toml), "--port", "0", "--learning", "off"]
    state, good = network_toml.with_suffix(".state"), await asyncio.to_thread(network_toml.read_text)
    async with EmbeddedBroker() as broker, MqttLink(broker.url, "stations") as link:
        arguments += ["--broker", broker.url]

        async def feed(process, epoch):
            await asyncio.to_thread(_line_with, process, "mqtt.connected")
            await asyncio.sleep(0.3)  # the service subscribes just after it has connected
            for station, payload in station_payloads(rehearsal_network(), START_NS + epoch * NS_PER_S):
                await link.publish(f"gpsgrid/v1/stations/{station}/rtcm3", payload)

        async with asyncio.timeout(2 * SOON_S):
            with _program("--log-json", *arguments) as process:
                await feed(process, 0)
                await asyncio.to_thread(_wait_for, state)
                process.kill()
                process.wait()
            with _program("--log-json", *arguments) as process:
                restored = json.loads(await asyncio.to_thread(_line_with, process, "state.restored"))
                await feed(process, 1)
                await asyncio.to_thread(network_toml.write_text, good.replace("[network]", "[nonsense]"))
                process.send_signal(signal.SIGHUP)
                refused = json.loads(await asyncio.to_thread(_line_with, process, "network.refused"))
                await asyncio.to_thread(network_toml.write_text, good.replace('id = "D"', 'id = "E"'))
                process.send_signal(signal.SIGHUP)
                changed = json.loads(await asyncio.to_thread(_line_with, process, "network.changed"))
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, SOON_S) == 0
                assert "Traceback" not in process.stderr.read()
    assert (restored["stations"], restored["ephemerides"]) == (4, 30)
    assert restored["arcs"] > 20
    assert refused["reason"] == "bad_config"
    assert (changed["kept"], changed["joined"], changed["left"], changed["moved"]) == (3, ["E"], ["D"], [])


# ---- publishing recorded files


def _minutes_of_night(shared_data: Path, folder: Path) -> Path:
    source = shared_data / "nl-2021-001" / "night.toml"
    if not source.exists():
        pytest.skip(f"{source} is not there")
    path = folder / "night.toml"
    text = source.read_text()
    for name in sorted(source.parent.iterdir(), key=lambda one: -len(one.name)):
        text = text.replace(f'"{name.name}"', f'"{name}"')
    path.write_text(text)
    return path


@pytest.mark.broker
@pytest.mark.data
async def test_a_recorded_network_is_published_until_told_to_stop(shared_data: Path, tmp_path: Path):
    path = _minutes_of_night(shared_data, tmp_path)
    screen = Console(file=io.StringIO())
    async with EmbeddedBroker() as broker, MqttLink(broker.url, "listener") as link:
        await link.subscribe("gpsgrid/v1/stations/+/rtcm3")
        publishing = asyncio.create_task(publish_network(path, broker.url, 600.0, screen))
        async with asyncio.timeout(SOON_S):
            topics = [(await anext(link.messages())).topic for _ in range(20)]
        os.kill(os.getpid(), signal.SIGINT)
        async with asyncio.timeout(SOON_S):
            count = await publishing
    assert count >= 10
    assert len(set(topics)) >= 4
    assert "publishing" in screen.file.getvalue()


@pytest.mark.data
async def test_publishing_without_a_broker_says_so(shared_data: Path, tmp_path: Path, unused_tcp_port: int):
    path = _minutes_of_night(shared_data, tmp_path)
    url = f"mqtt://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(GpsgridError, match=url) as caught:
        await publish_network(path, url, 1.0, Console(file=io.StringIO()))
    assert caught.value.reason is Reason.BROKER_UNREACHABLE
