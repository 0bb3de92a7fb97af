"""The embedded broker: both programs start, serve, stop, and are gone when whoever wanted them is gone."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpsgrid.edge.broker import EmbeddedBroker
from stations.edge.mqtt import MqttLink
from stations.errors import GpsgridError, Reason

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
SOON_S = 20.0


@pytest.fixture(params=["mosquitto", "amqtt"])
def program(request) -> str:
    if request.param == "mosquitto" and shutil.which("mosquitto") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("mosquitto is not on PATH")
    return request.param


def _program(text: str) -> subprocess.Popen:
    command = [sys.executable, "-c", text]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


async def _refuses_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    return False


async def test_it_serves_and_is_gone_afterwards(program: str):
    async with EmbeddedBroker(program=program) as broker:
        assert broker.program == program
        assert broker.url == f"mqtt://127.0.0.1:{broker.port}"
        async with MqttLink(broker.url, "one") as link:
            await link.subscribe("t")
            await link.publish("t", b"x" * 20_000)
            async with asyncio.timeout(SOON_S):
                message = await anext(link.messages())
            assert message.payload == b"x" * 20_000
    assert await _refuses_connections(broker.port)


async def test_retained_messages_reach_who_comes_later(program: str):
    async with EmbeddedBroker(program=program) as broker:
        async with MqttLink(broker.url, "early") as link:
            await link.publish("status", b"online", retain=True)
        async with MqttLink(broker.url, "late") as link:
            await link.subscribe("status")
            async with asyncio.timeout(SOON_S):
                assert (await anext(link.messages())).payload == b"online"


async def test_two_brokers_do_not_meet():
    async with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.port != other.port


async def test_it_is_mosquitto_when_that_is_on_path_and_amqtt_otherwise(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    async with EmbeddedBroker() as broker:
        assert broker.program == "amqtt"
    with pytest.raises(GpsgridError, match="not on PATH"):
        async with EmbeddedBroker(program="mosquitto"):
            pass


async def test_a_port_in_use_is_an_error_that_names_it(program: str):
    async with EmbeddedBroker(program=program) as broker:
        with pytest.raises(GpsgridError, match=f"127.0.0.1:{broker.port}.*--port") as caught:
            async with EmbeddedBroker(program=program, port=broker.port):
                pass
    assert caught.value.reason is Reason.BROKER_UNREACHABLE


async def test_a_broker_that_dies_is_noticed(program: str):
    async with EmbeddedBroker(program=program) as broker:
        os.killpg(broker._process.pid, signal.SIGKILL)
        async with asyncio.timeout(SOON_S):
            with pytest.raises(GpsgridError, match="has ended"):
                await broker.wait()


async def test_nothing_is_left_when_the_parent_is_killed(program: str):
    text = (
        "import asyncio\n"
        "from gpsgrid.edge.broker import EmbeddedBroker\n"
        "from gpsgrid.edge.log import configure_log\n"
        "configure_log()\n"
        "async def main():\n"
        f"    async with EmbeddedBroker(program={program!r}) as broker:\n"
        "        print(broker.port, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = _program(text)
    try:
        port = int(parent.stdout.readline())
        assert not await _refuses_connections(port)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    until = time.monotonic() + SOON_S
    while not await _refuses_connections(port):
        assert time.monotonic() < until, "the broker outlived its parent"
        await asyncio.sleep(0.05)
