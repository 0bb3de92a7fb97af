"""Stations in over MQTT, virtual stations out over MQTT and NTRIP: everything real but the sky."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from pyrtcm import RTCMReader

from gpsgrid.config import MqttConfig, NetworkConfig
from gpsgrid.edge.broker import EmbeddedBroker
from gpsgrid.edge.caster import Caster, CasterOptions
from gpsgrid.edge.service import Service, ServiceOptions
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import NetworkSolved
from gpsgrid.grid import cell_at
from gpsgrid.rehearsal import START_NS, STEP_NS, rehearsal_network, station_payloads
from gpsgrid.stream import PlaceStream
from gpsgrid.streams import StreamPolicy
from stations.edge.mqtt import MqttLink
from stations.edge.ntrip import NtripSource
from stations.feed import EpochReceived, Feed, PositionReceived, TextReceived
from stations.frames import ecef_from_geodetic
from stations.ntrip import gga_sentence
from stations.stream_address import parse_ntrip_url

pytestmark = pytest.mark.broker

SOON_S = 30.0
NETWORK = rehearsal_network()
PREFIX = "test/v1"
CONFIG = NetworkConfig(NETWORK, MqttConfig("", PREFIX))
POLICY = StreamPolicy(cell_reach_m=1000.0)
HERE = ecef_from_geodetic(float(np.radians(52.1)), float(np.radians(5.2)), 50.0)
MOON = ecef_from_geodetic(float(np.radians(52.1)), float(np.radians(5.2)), 384_400_000.0)


@dataclass
class Heard:
    """What came on the topics of cells and clients."""

    payloads: dict[str, list[bytes]] = field(default_factory=dict)

    def on(self, ending: str) -> list[bytes]:
        return [one for topic, some in self.payloads.items() if topic.endswith(ending) for one in some]


class Live:
    """A service with a caster, stations that send when told so, and a listener to everything that goes out."""

    def __init__(self, door: StreamingDoor, caster: Caster, link: MqttLink, service: Service) -> None:
        self.door, self.caster, self.link, self.service = door, caster, link, service
        self.heard = Heard()
        self.moment = 0

    async def send(self, epochs: int = 1) -> None:
        """Send epochs of all stations; each is waited for until all streams have it."""
        for _ in range(epochs):
            time_ns = START_NS + self.moment * STEP_NS
            self.moment += 1
            for station, payload in station_payloads(NETWORK, time_ns):
                await self.link.publish(f"{PREFIX}/stations/{station}/rtcm3", payload)
            await until(lambda time_ns=time_ns: self.door._time_ns == time_ns and not self.door.streams.due(time_ns))

    async def listen(self) -> None:
        async for message in self.link.messages():
            self.heard.payloads.setdefault(message.topic, []).append(message.payload)


async def until(condition) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another thread or process
            await asyncio.sleep(0.005)


@asynccontextmanager
async def live(policy: StreamPolicy = POLICY) -> AsyncIterator[Live]:
    engine = Engine(EngineConfig(NETWORK, None, START_NS))
    door = StreamingDoor(engine.view, CONFIG, policy)
    async with EmbeddedBroker() as broker, MqttLink(broker.url, "test") as link:
        service = Service(engine, CONFIG, broker.url, ServiceOptions(learning="off"), door)
        running = asyncio.create_task(service.run())
        await service.ready.wait()
        async with Caster(door, CasterOptions(port=0)) as caster:
            one = Live(door, caster, link, service)
            await link.subscribe(f"{PREFIX}/cells/#", f"{PREFIX}/clients/+/rtcm3", f"{PREFIX}/status")
            listening = asyncio.create_task(one.listen())
            try:
                yield one
            finally:
                service.stop()
                await running
                await asyncio.sleep(0.1)
                listening.cancel()


def epochs(payload: bytes):
    return [event.epoch for event in Feed("").push(payload, START_NS) if isinstance(event, EpochReceived)]


def ends(some, moment) -> bool:
    """Return whether all epochs to the last one are there; who joins may get the one before as well."""
    times = [epoch.time_ns for epoch in some]
    first = moment - len(times)
    return len(times) >= 3 and times == [START_NS + number * STEP_NS for number in range(first, moment)]


def positions(payload: bytes):
    events = Feed("").push(payload, START_NS)
    return [event.position for event in events if isinstance(event, PositionReceived)]


def by_pyrtcm(data: bytes) -> list[int]:
    """Return the message numbers that pyrtcm finds; it stops at nothing that is not a message."""
    found, at = [], 0
    while at < len(data):
        length = 6 + ((data[at + 1] & 3) << 8 | data[at + 2])
        found.append(int(RTCMReader.parse(data[at : at + length]).identity))
        at += length
    return found


async def test_cells_are_published_with_field_and_status_and_are_offline_afterwards():
    async with live() as one:
        await one.send(6)
        cells = one.door.streams.standing
        await until(lambda: all(len(one.heard.on(f"{cell}/rtcm3")) == 6 for cell in cells))
        await until(lambda: all(len(one.heard.on(f"{cell}/field")) == 6 for cell in cells))
    assert set(cells) == {cell_at(station.marker_m, 5) for station in NETWORK.stations}
    for cell in cells:
        payloads = one.heard.on(f"{cell}/rtcm3")
        times = [epochs(payload)[0].time_ns for payload in payloads]
        assert times == [START_NS + number * STEP_NS for number in range(6)]
        assert {1005, 1033, 1032, 1074 + 3} <= set(by_pyrtcm(payloads[0]))
        (position,) = positions(payloads[0])
        told = json.loads(one.heard.on(f"{cell}/field")[-1])
        assert np.allclose(position.position_m, told["position_m"], atol=1e-3)
        assert cell_at(np.array(told["position_m"]), 5) == cell
        assert told["frame"] == "ITRF2014"
        assert len(told["satellites"]) >= 5
        assert all(row["sd_m"] > 0.0 for row in told["satellites"])
        statuses = [json.loads(status) for status in one.heard.on(f"{cell}/status")]
        assert statuses[0]["state"] == "full"
        assert statuses[0]["satellites"] == len(json.loads(one.heard.on(f"{cell}/field")[0])["satellites"])
        assert statuses[-1]["state"] == "offline"


async def test_a_client_gets_its_own_virtual_station_over_mqtt_and_a_text_when_that_cannot_be():
    async with live() as one:
        await one.send(3)
        await one.link.publish(f"{PREFIX}/clients/rover-7/gga", gga_sentence(HERE, START_NS).encode())
        await one.link.publish(f"{PREFIX}/clients/moon/gga", gga_sentence(MOON, START_NS).encode())
        await one.link.publish(f"{PREFIX}/clients/junk/gga", b"x" * 100_000)
        await one.link.publish(f"{PREFIX}/clients/{'n' * 100}/gga", gga_sentence(HERE, START_NS).encode())
        refused = ("junk/rtcm3", "moon/rtcm3")
        await until(lambda: one.door.streams.clients == 1 and all(map(one.heard.on, refused)))
        await one.send(3)
        await until(lambda: ends(epochs(b"".join(one.heard.on("rover-7/rtcm3"))), one.moment))
    for payload in one.heard.on("rover-7/rtcm3"):
        assert len(epochs(payload)) == 1
    assert np.allclose(positions(one.heard.on("rover-7/rtcm3")[0])[0].position_m, HERE, atol=1e-3)
    for name in ("moon", "junk"):
        (payload,) = one.heard.on(f"{name}/rtcm3")
        (text,) = [event.text.text for event in Feed("").push(payload, START_NS) if isinstance(event, TextReceived)]
        assert "height of" in text or "characters" in text
    assert one.door.streams.counts.refused == 0  # neither came so far
    assert not one.heard.on(f"{'n' * 100}/rtcm3")


@pytest.mark.parametrize("mountpoint", ["VRS", "CELL", "NEAR"])
async def test_our_own_ntrip_client_gets_what_pyrtcm_decodes(mountpoint: str):
    async with live() as one:
        await one.send(3)
        address = parse_ntrip_url(f"ntrip://127.0.0.1:{one.caster.port}/{mountpoint}?gga=10")
        data = b""

        async def take() -> None:
            nonlocal data
            async with aclosing(NtripSource(address, position_m=HERE).once()) as pieces:
                async for piece in pieces:
                    data += piece

        taking = asyncio.create_task(take())
        await until(lambda: one.door.streams.clients == 1)
        await one.send(4)
        await until(lambda: ends(epochs(data), one.moment))
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        await until(lambda: one.door.streams.clients == 0)
    numbers = by_pyrtcm(data)
    assert numbers.count(1077) == len(epochs(data)) >= 4
    (position, *_) = positions(data)
    if mountpoint == "VRS":
        assert np.allclose(position.position_m, HERE, atol=1e-3)
    if mountpoint == "NEAR":
        distances = [np.linalg.norm(np.array(position.position_m) - station.marker_m) for station in NETWORK.stations]
        assert min(distances) < 1e-3
    assert position.virtual == (mountpoint != "NEAR")


@pytest.mark.skipif(shutil.which("str2str") is None, reason="RTKLIB is not installed")
@pytest.mark.parametrize("mountpoint", ["VRS", "CELL", "NEAR"])
async def test_rtklib_str2str_is_served(mountpoint: str, tmp_path: Path):
    out = tmp_path / "out.rtcm3"
    async with live() as one:
        await one.send(3)
        command = ["str2str", "-in", f"ntrip://127.0.0.1:{one.caster.port}/{mountpoint}", "-out", f"file://{out}"]
        command += ["-p", "52.1", "5.2", "50.0", "-n", "1000"]
        program = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path
        )
        try:
            await until(lambda: one.door.streams.clients == 1)
            await one.send(4)
            await until(lambda: out.exists() and ends(epochs(out.read_bytes()), one.moment))
        finally:
            program.terminate()
            await program.wait()
    # RTKLIB takes the line behind ICY 200 OK for data; everything after it are whole frames.
    assert by_pyrtcm(out.read_bytes().lstrip(b"\r\n")).count(1077) >= 4


async def test_a_stream_that_raises_costs_itself_an_epoch_and_the_others_nothing(monkeypatch):
    async with live() as one:
        await one.send(2)
        broken = one.door.streams.standing[0]
        step = PlaceStream.step

        def fail(self, policy, view):
            if self.name == f"cell/{broken}" and view.snapshot.time_ns == START_NS + 2 * STEP_NS:
                raise ZeroDivisionError
            return step(self, policy, view)

        monkeypatch.setattr(PlaceStream, "step", fail)
        await one.send(2)
        await until(lambda: all(len(one.heard.on(f"{c}/rtcm3")) == 4 for c in one.door.streams.standing[1:]))
        await until(lambda: len(one.heard.on(f"{broken}/rtcm3")) == 3)
        assert one.door.failures == 1
        (after,) = epochs(one.heard.on(f"{broken}/rtcm3")[-1])
        assert after.lock_ms.max() == 0 or after.lock_ms.min() >= 0  # decodable; its arcs begin anew


async def test_streams_take_turns_with_the_engine():
    """While twenty places are made the engine answers health between them, and the event loop goes on."""
    policy = replace(POLICY, share_m=1.0)
    async with live(policy) as one:
        await one.send(3)
        for number in range(20):
            place = ecef_from_geodetic(float(np.radians(52.0 + number * 0.01)), float(np.radians(5.2)), 50.0)
            await one.link.publish(f"{PREFIX}/clients/c{number}/gga", gga_sentence(place, START_NS).encode())
        await until(lambda: one.door.streams.clients == 20)
        order = []
        made = one.door._hand_on

        def note(stream, what):
            order.append("stream")
            made(stream, what)

        one.door._hand_on = note

        async def ask() -> None:
            while len(order) < 20:
                if order:
                    await one.service.health()
                    order.append("health")
                await asyncio.sleep(0)

        asking = asyncio.create_task(ask())
        await one.send(1)
        await asking
        first, last = order.index("health"), len(order) - 1 - order[::-1].index("stream")
        assert first < last


async def test_when_the_network_is_faster_than_the_streams_the_newest_epoch_is_made(monkeypatch):
    made = []

    def slow(self, policy, view):
        time.sleep(0.05)
        self.last_ns = view.snapshot.time_ns
        made.append((self.name, view.snapshot.time_ns))

    engine = Engine(EngineConfig(NETWORK, None, START_NS))
    door = StreamingDoor(engine.view, CONFIG, POLICY)
    monkeypatch.setattr(PlaceStream, "step", slow)

    class View:
        class snapshot:  # noqa: N801 - stands for an attribute
            time_ns = 1

    door._view = lambda _: View

    async def turns(function):
        return await asyncio.to_thread(function)

    running = asyncio.create_task(door.run(turns))
    for time_ns in range(1, 6):
        View.snapshot.time_ns = time_ns
        door.solved(NetworkSolved(time_ns, (), (), 9, 1.0, 1.0, 0, 0))
        await asyncio.sleep(0.06)
    await until(lambda: not door.streams.due(5))
    running.cancel()
    assert door.skipped > 0
    counts = {name: sum(one == name for one, _ in made) for name, _ in made}
    assert max(counts.values()) - min(counts.values()) <= 1  # nobody starves
    assert {time_ns for name, time_ns in made[-len(counts) :]} <= {4, 5}
