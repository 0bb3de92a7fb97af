"""From casters, TCP ports and files through ``gpsgrid publish`` to MQTT: all bytes, and one message an epoch."""

import asyncio
import contextlib
import io
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.broker import EmbeddedBroker
from gpsgrid.edge.publish import publish_network
from gpsgrid.edge.publish_board import cells, state
from gpsgrid.edge.station_publisher import MAX_WAITING, StationLine, publish_stream
from gpsgrid.edge.station_sources import sources_of
from gpsgrid.rehearsal import START_NS, rehearsal_network, station_payloads
from stations.constants import NS_PER_S
from stations.edge.backoff import Backoff
from stations.edge.mqtt import MqttLink
from stations.edge.stream import Stream
from stations.edge.tcp import TcpSource
from stations.epoch_payloads import EpochGatherer
from stations.errors import GpsgridError, Reason
from stations.stream_address import TcpAddress
from stations.wire.framing import encode_frame

SOON_S = 40.0
EPOCHS = 12
PATTERN = "rtcm/{id}/raw"
NETWORK = rehearsal_network()


def payloads(station: str) -> list[bytes]:
    """Return what a station of the rehearsal sends, epoch by epoch."""
    moments = (START_NS + second * NS_PER_S for second in range(EPOCHS))
    return [dict(station_payloads(NETWORK, time_ns))[station] for time_ns in moments]


def toml(path: Path, entries: dict[str, str], mqtt: str = f'[mqtt]\nstation_topic = "{PATTERN}"\n') -> Path:
    """Write a network.toml with the stations of the rehearsal and one more line each."""
    lines = ["[network]", f'name = "{NETWORK.name}"', f'frame = "{NETWORK.frame}"', f"epoch = {NETWORK.epoch}"]
    for station in NETWORK.stations:
        lines += ["[[station]]", f'id = "{station.id}"', f"position = {list(station.position_m)}"]
        lines.append(entries.get(station.id, ""))
    file = path / "network.toml"
    file.write_text("\n".join([*lines, mqtt]))
    return file


@asynccontextmanager
async def served(head: bytes, chunks: list[bytes], pause_s: float = 0.0) -> AsyncIterator[int]:
    """Send a head and chunks to whoever connects, then keep silent; give the port."""
    handlers: set[asyncio.Task] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            if head:
                await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            for chunk in chunks:
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(pause_s)
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.05)  # a client may just have connected once more; its handler has to start to be ended
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def collect(link: MqttLink, count: int) -> dict[str, list[bytes]]:
    """Return so many messages by topic."""
    found: dict[str, list[bytes]] = defaultdict(list)
    async with asyncio.timeout(SOON_S):
        async for message in link.messages():
            found[message.topic].append(message.payload)
            count -= 1
            if count == 0:
                break
    return found


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - counters offer no event
            await asyncio.sleep(0.01)


async def stopped(publishing: asyncio.Task[int]) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(SOON_S):
        return await publishing


@pytest.mark.broker
async def test_stations_of_every_kind_at_once_and_one_that_fails(tmp_path: Path, unused_tcp_port: int):
    ids = [station.id for station in NETWORK.stations]
    sent = {station: payloads(station) for station in ids[:3]}
    v2 = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = [b"%x\r\n%s\r\n" % (len(one), one) for one in sent[ids[0]]]
    (tmp_path / "recorded.rtcm3").write_bytes(b"junk" + b"".join(sent[ids[2]]) + b"\xd3\x00")
    console = Console(file=io.StringIO(), width=250)
    async with (
        served(v2, chunked, 0.02) as caster,
        served(b"", [b"".join(sent[ids[1]])]) as port,
        EmbeddedBroker() as broker,
        MqttLink(broker.url, "listener") as link,
    ):
        await link.subscribe("rtcm/+/raw")
        entries = {
            ids[0]: f'ntrip = "ntrip://me:hunter2@127.0.0.1:{caster}/MOUNT"',
            ids[1]: f'stream = "tcp://127.0.0.1:{port}"',
            ids[2]: 'observations = "recorded.rtcm3"',
            ids[3]: f'ntrip = "ntrip://me:hunter2@127.0.0.1:{unused_tcp_port}/GONE"',
        }
        publishing = asyncio.create_task(publish_network(toml(tmp_path, entries), broker.url, 20.0, console))
        found = await collect(link, 3 * EPOCHS)
        await asyncio.sleep(1.0)  # what else might come
        assert await stopped(publishing) == 3 * EPOCHS
        assert link.waiting == 0
    assert dict(found) == {PATTERN.replace("{id}", station): sent[station] for station in ids[:3]}
    shown = console.file.getvalue()
    assert "rtcm/{id}/raw" in shown
    assert "nobody listens on this port" in shown
    assert "hunter2" not in shown
    rows = {line.split()[0]: line for line in shown.splitlines() if line.split()[:1] and line.split()[0] in ids}
    assert [rows[one].split()[2] for one in ids] == ["stopped", "stopped", "done", "stopped"]
    assert f" {EPOCHS} " in rows[ids[0]]


@pytest.mark.broker
async def test_rtcm_files_alone_end_by_themselves(tmp_path: Path):
    ids = [station.id for station in NETWORK.stations]
    for station in ids[:2]:
        (tmp_path / f"{station}.rtcm3").write_bytes(b"".join(payloads(station)))
    entries = {station: f'observations = "{station}.rtcm3"' for station in ids[:2]}
    console = Console(file=io.StringIO(), width=200)
    async with EmbeddedBroker() as broker, MqttLink(broker.url, "listener") as link:
        await link.subscribe("gpsgrid/v1/stations/+/rtcm3")
        path = toml(tmp_path, entries, "")
        started_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(SOON_S):
            assert await publish_network(path, broker.url, 10.0, console) == 2 * EPOCHS
        # Eleven seconds of data at ten times their speed, and the time to start.
        assert 1.1 <= asyncio.get_running_loop().time() - started_s < 10.0
        found = await collect(link, 2 * EPOCHS)
    assert dict(found) == {f"gpsgrid/v1/stations/{station}/rtcm3": payloads(station) for station in ids[:2]}
    assert f"expected from elsewhere: {', '.join(ids[2:])}" in console.file.getvalue()


@pytest.mark.broker
@pytest.mark.data
@pytest.mark.parametrize("name", ["dropped-packets-STR24.rtcm3", "GMSD7_20121014.rtcm3"])
async def test_a_recorded_stream_passes_unchanged(shared_data: Path, tmp_path: Path, name: str):
    data = (shared_data / "rtcm3" / name).read_bytes()[:200_000]
    gatherer = EpochGatherer()
    expected = gatherer.push(data, START_NS)
    station = NETWORK.stations[0].id
    chunks = [data[start : start + 5000] for start in range(0, len(data), 5000)]
    async with (
        served(b"ICY 200 OK\r\n", chunks, 0.01) as caster,
        EmbeddedBroker() as broker,
        MqttLink(broker.url, "listener") as link,
    ):
        await link.subscribe("#")
        path = toml(tmp_path, {station: f'ntrip = "ntrip://127.0.0.1:{caster}/M"'}, "")
        publishing = asyncio.create_task(publish_network(path, broker.url, 1.0, Console(file=io.StringIO())))
        found = await collect(link, len(expected))
        await stopped(publishing)
    assert found == {f"gpsgrid/v1/stations/{station}/rtcm3": [epoch.data for epoch in expected]}


class _Slow:
    """A link whose broker confirms nothing until it is told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.sent: list[bytes] = []

    async def publish(self, topic: str, payload: bytes) -> None:
        await self.open.wait()
        self.sent.append(payload)


async def test_a_slow_broker_costs_the_oldest_epochs_and_they_are_counted():
    station = NETWORK.stations[0].id
    epochs = [dict(station_payloads(NETWORK, START_NS + second * NS_PER_S))[station] for second in range(130)]
    line = StationLine(station, "tcp", "t")
    link = _Slow()
    async with served(b"", epochs) as port:
        stream = Stream(TcpSource(TcpAddress("127.0.0.1", port)), backoff=Backoff(0.01, 0.1))
        task = asyncio.create_task(publish_stream(line, stream, link))
        await _until(lambda: line.dropped == 130 - MAX_WAITING - 1)
        link.open.set()
        await _until(lambda: line.messages == MAX_WAITING + 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert link.sent == [epochs[0], *epochs[-MAX_WAITING:]]
    assert "29 epochs dropped, the broker is too slow" in cells(line)[-1]


async def test_an_epoch_that_is_never_complete_is_sent_when_the_stream_pauses():
    header = 1077 << 52 | 1000 << 10 | 1 << 9  # more messages of this epoch follow
    epoch = encode_frame(header.to_bytes(8) + bytes(8))
    line, link = StationLine("A", "tcp", "t"), _Slow()
    link.open.set()
    async with served(b"", [epoch]) as port:
        task = asyncio.create_task(publish_stream(line, Stream(TcpSource(TcpAddress("127.0.0.1", port))), link))
        await _until(lambda: line.messages > 0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert link.sent == [epoch]


@pytest.mark.broker
async def test_a_fault_of_ours_in_one_station_does_not_stop_the_others(tmp_path: Path, monkeypatch):
    async def faulty(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gpsgrid.edge.publish.publish_stream", faulty)
    ids = [station.id for station in NETWORK.stations]
    (tmp_path / "b.rtcm3").write_bytes(b"".join(payloads(ids[1])))
    entries = {ids[0]: 'stream = "tcp://127.0.0.1:1"', ids[1]: 'observations = "b.rtcm3"'}
    console = Console(file=io.StringIO(), width=200)
    async with EmbeddedBroker() as broker, asyncio.timeout(SOON_S):
        assert await publish_network(toml(tmp_path, entries, ""), broker.url, None, console) == EPOCHS
    assert "failed" in console.file.getvalue()
    assert "ZeroDivisionError" in console.file.getvalue()


async def test_bytes_that_are_no_rtcm_are_remarked():
    line, link = StationLine("A", "tcp", "t"), _Slow()
    async with served(b"", [b"$GPGGA,nonsense\r\n" * 10]) as port:
        task = asyncio.create_task(publish_stream(line, Stream(TcpSource(TcpAddress("127.0.0.1", port))), link))
        await _until(lambda: line.stream is not None and line.stream.received_bytes == 170)
        assert (state(line), "170 bytes and no RTCM 3 frame among them" in cells(line)[-1]) == ("live", True)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("entries", "reason", "said"),
    [
        ({}, Reason.NO_OBSERVATIONS, "no station of"),
        ({"0": 'observations = "absent.rtcm3"'}, Reason.MISSING_FILE, "absent.rtcm3, needed by station"),
        ({"0": 'observations = ["a.rtcm3", "b.21o"]'}, Reason.BAD_CONFIG, "RTCM and RINEX"),
        ({"0": 'observations = "junk.rtcm3"'}, Reason.BROKEN_FILE, "8 bytes and no RTCM 3 frame"),
        ({"0": 'stream = "serial:///dev/gpsgrid-none"'}, Reason.BROKER_UNREACHABLE, ""),
    ],
)
async def test_what_cannot_work_is_said_before_anything_is_published(
    tmp_path: Path, unused_tcp_port: int, monkeypatch, entries: dict[str, str], reason: Reason, said: str
):
    monkeypatch.setattr("stations.edge.serial_port.import_module", lambda name: None)
    (tmp_path / "junk.rtcm3").write_bytes(b"no RTCM!")
    named = {NETWORK.stations[int(index)].id: entry for index, entry in entries.items()}
    url = f"mqtt://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(GpsgridError) as caught:
        await publish_network(toml(tmp_path, named), url, 1.0, Console(file=io.StringIO()))
    assert caught.value.reason is reason
    assert said in str(caught.value)


def test_a_live_source_goes_before_recorded_files():
    network = rehearsal_network()
    station = network.stations[0].id
    found = sources_of(NetworkConfig(network, ntrip_urls={station: "ntrip://h/M?gga=5"}))
    assert list(found.live) == [station]
    assert found.live[station].shown == "ntrip://h:2101/M"
    assert found.elsewhere == [one.id for one in network.stations[1:]]
