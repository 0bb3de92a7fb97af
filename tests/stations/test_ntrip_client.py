"""The clients against servers on loopback: casters of both versions with every fault, str2str, TCP, serial lines."""

import asyncio
import base64
import contextlib
import importlib.util
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from stations.edge.backoff import Backoff
from stations.edge.ntrip import NtripSource
from stations.edge.serial_port import SerialSource
from stations.edge.stream import Stream
from stations.edge.tcp import TcpSource
from stations.errors import GpsgridError, Reason
from stations.stream_address import parse_ntrip_url, parse_stream_url
from stations.wire.framing import FrameBuffer, encode_frame

SOON_S = 20.0
QUICK = Backoff(0.01, 0.05)
POSITION_M = np.array([3924687.2159, 301133.2568, 5001911.1479])
FRAMES = [encode_frame(bytes([0x43, 0x50, number]) * 10) for number in range(50)]

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


@dataclass
class Caster:
    """A test caster: keeps the requests and answers with what it is told."""

    port: int
    requests: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    def url(self, options: str = "", user: str = "me:hunter2@", scheme: str = "ntrip", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{user}{host}:{self.port}/MOUNT{options}"


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close, and wait until the transport is really gone: one that is left makes a later test fail."""
    writer.close()
    with contextlib.suppress(OSError, asyncio.CancelledError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    writer.transport.abort()


@asynccontextmanager
async def serving(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve until the context is left and give the port; connections are closed when their handler returns."""
    handlers: set[asyncio.Task] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        await closed(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # A client may just have connected once more: its handler has to start to be ended, and Python 3.11 leaves a
        # connection open whose server is closed between accept and start.
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(0.05)
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


@asynccontextmanager
async def caster(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[Caster]:
    """Serve whoever has said what he wants."""
    running = Caster(0)

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        running.requests.append(head)
        await serve(reader, writer, head)

    async with serving(ask, tls) as running.port:
        yield running


async def send_v1(reader, writer, head) -> None:
    writer.write(b"ICY 200 OK\r\n")
    for frame in FRAMES:
        writer.write(frame)
        await writer.drain()
    await reader.read()


async def send_v2(reader, writer, head) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: gnss/data\r\nTransfer-Encoding: chunked\r\n\r\n")
    for frame in FRAMES:
        for part in (frame[:7], frame[7:]):
            writer.write(b"%X\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(0)
    await reader.read()


async def take(stream: Stream, size: int) -> bytes:
    """Return the first bytes of a stream."""
    data = b""
    async with asyncio.timeout(SOON_S), aclosing(stream.arrivals()) as arrivals:
        async for arrival in arrivals:
            data += arrival.data
            assert arrival.arrived_host_ns > 0
            if len(data) >= size:
                break
    return data


async def problems(stream: Stream, count: int) -> list[str]:
    """Return what is wrong in the first attempts of a stream that never gets a byte."""
    found: list[str] = []

    async def watch() -> None:
        async for _ in stream.arrivals():
            pytest.fail("there are bytes")

    task = asyncio.create_task(watch())
    async with asyncio.timeout(SOON_S):
        while stream.failures < count:
            await asyncio.sleep(0.005)
            if stream.problem and stream.problem not in found:
                found.append(stream.problem)
    if stream.problem not in found:
        found.append(stream.problem)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return found


def stream_of(url: str, **options) -> Stream:
    return Stream(NtripSource(parse_ntrip_url(url), **options), backoff=QUICK, after_refusal=QUICK)


@pytest.mark.parametrize("serve", [send_v1, send_v2], ids=["v1", "v2"])
async def test_the_stream_comes_whole(serve: Serve):
    async with caster(serve) as running:
        stream = stream_of(running.url())
        assert await take(stream, sum(map(len, FRAMES))) == b"".join(FRAMES)
    assert (stream.connections, stream.reconnects, stream.failures) == (1, 0, 0)
    assert stream.received_bytes == sum(map(len, FRAMES))
    (request,) = running.requests
    assert request.startswith("GET /MOUNT HTTP/1.1\r\n")
    assert f"Authorization: Basic {base64.b64encode(b'me:hunter2').decode()}\r\n" in request
    assert "hunter2" not in stream.shown


async def test_a_refusal_is_counted_and_tried_again_later():
    async def refuse(reader, writer, head) -> None:
        writer.write(b"HTTP/1.0 401 Unauthorized\r\n\r\n")

    async with caster(refuse) as running:
        stream = stream_of(running.url())
        (problem,) = await problems(stream, 3)
    assert "user name and password are missing or wrong" in problem
    assert "hunter2" not in problem
    assert (stream.refusals >= 3, stream.connections) == (True, 0)
    slow = Stream(NtripSource(parse_ntrip_url("ntrip://127.0.0.1/M")))
    assert slow._after_refusal.delay_s(1) >= 1.0  # casters lock out who knocks faster


async def test_a_sourcetable_instead_of_the_stream_names_the_mountpoint_that_was_meant():
    async def table(reader, writer, head) -> None:
        writer.write(b"SOURCETABLE 200 OK\r\n\r\nSTR;MOUNT1;x;RTCM 3.2\r\nENDSOURCETABLE\r\n")
        await reader.read()  # some casters never close

    async with caster(table) as running:
        stream = stream_of(running.url())
        assert await problems(stream, 1) == [
            "the caster has no mountpoint 'MOUNT' (it sent its sourcetable); did you mean 'MOUNT1'?"
        ]
        source = NtripSource(parse_ntrip_url(running.url()))
        found = await source.sourcetable()
    assert [record.mountpoint for record in found.streams] == ["MOUNT1"]
    assert running.requests[-1].startswith("GET / HTTP/1.1")


async def test_a_stream_that_drops_is_taken_up_again():
    async def drop(reader, writer, head) -> None:
        writer.write(b"ICY 200 OK\r\n" + b"".join(FRAMES[:10]))
        await writer.drain()

    async with caster(drop) as running:
        stream = stream_of(running.url())
        once = b"".join(FRAMES[:10])
        assert await take(stream, 3 * len(once)) == 3 * once
    assert (stream.connections, stream.reconnects, stream.failures) == (3, 2, 0)


async def test_a_silent_caster_is_left_and_the_reason_guessed():
    async def silent(reader, writer, head) -> None:
        writer.write(b"ICY 200 OK\r\n")
        await reader.read()

    async with caster(silent) as running:
        stream = stream_of(running.url("?timeout=1"))
        (problem,) = await problems(stream, 1)
    assert "no byte for 1 s; if the mountpoint needs to know where you are, add ?gga=10" in problem
    assert stream.connections >= 1


async def test_a_port_that_says_nothing_is_no_caster():
    async def mute(reader, writer, head) -> None:
        await reader.read()

    async with caster(mute) as running:
        stream = stream_of(running.url(), connect_timeout_s=0.2)
        (problem,) = await problems(stream, 1)
    assert "no answer within 0.2 s; is this a caster?" in problem


async def test_a_caster_of_version_1_only_is_asked_again_in_its_words():
    async def old(reader, writer, head) -> None:
        if "HTTP/1.0" in head:
            await send_v1(reader, writer, head)
        else:
            writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    async with caster(old) as running:
        stream = stream_of(running.url())
        assert await take(stream, 100) in b"".join(FRAMES)
        assert [request.split()[2] for request in running.requests] == ["HTTP/1.1", "HTTP/1.0"]
        fixed = stream_of(running.url("?version=2"))
        (problem,) = await problems(fixed, 2)
    assert "it does not understand the request" in problem
    assert {request.split()[2] for request in running.requests[2:]} == {"HTTP/1.1"}


@pytest.mark.parametrize("version", [1, 2])
async def test_the_position_is_sent_at_once_and_again(version: int):
    """A virtual station or the nearest one: nothing comes before the caster knows where we are."""
    said: list[str] = []

    async def virtual(reader, writer, head) -> None:
        writer.write(b"ICY 200 OK\r\n" if version == 1 else b"HTTP/1.1 200 OK\r\n\r\n")
        said.extend([(await reader.readline()).decode() for _ in range(2)])
        writer.write(FRAMES[0])
        await reader.read()

    async with caster(virtual) as running:
        stream = stream_of(running.url(f"?gga=1&version={version}"), position_m=POSITION_M, now_ns=lambda: 0)
        assert await take(stream, 10) == FRAMES[0]
    assert len(said) == 2
    assert all(line.startswith("$GPGGA,") and ",N,00423." in line for line in said)
    assert ("Ntrip-GGA: $GPGGA," in running.requests[0]) == (version == 2)


def test_a_position_that_is_asked_for_must_be_given():
    with pytest.raises(ValueError, match="no position"):
        NtripSource(parse_ntrip_url("ntrip://host/M?gga=5"))


async def test_nobody_there(unused_tcp_port: int):
    stream = stream_of(f"ntrip://me:hunter2@127.0.0.1:{unused_tcp_port}/M")
    (problem,) = await problems(stream, 2)
    assert f"cannot connect to 127.0.0.1:{unused_tcp_port}: nobody listens on this port" in problem
    assert "hunter2" not in problem


# ---- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("the command openssl is not on PATH, so there is no certificate to test with")
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


async def test_tls_with_a_trusted_and_an_unknown_certificate(certificate: Path):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=f"{certificate}.crt")
    async with caster(send_v2, server) as running:
        url = running.url(scheme="ntrips", host="localhost")
        stream = stream_of(url, tls=trusting)
        assert await take(stream, sum(map(len, FRAMES))) == b"".join(FRAMES)
        (problem,) = await problems(stream_of(url), 1)
        assert "its certificate cannot be trusted (self-signed certificate)" in problem
        (problem,) = await problems(stream_of(running.url(host="localhost", options="?version=1")), 1)
        assert "closed the connection" in problem or "TLS" in problem


async def test_a_plain_port_does_not_speak_tls():
    async def plain(reader, writer) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with serving(plain) as port:
        (problem,) = await problems(stream_of(f"ntrips://127.0.0.1:{port}/M"), 1)
    assert "it does not speak TLS (WRONG_VERSION_NUMBER); is this its port for TLS?" in problem


# ---- an independent caster


@asynccontextmanager
async def _str2str(source: str, port: int) -> AsyncIterator[None]:
    """Run RTKLIB's caster on what it gets from a source."""
    if shutil.which("str2str") is None:
        pytest.skip("RTKLIB's str2str is not on PATH")
    process = await asyncio.create_subprocess_exec(
        "str2str",
        "-in",
        source,
        "-out",
        f"ntripc://me:hunter2@:{port}/MOUNT:Delft;RTCM 3.2;1077(1);2;GPS;NET;NLD;52.0;4.4;0;0;x;none;B;N;9600;",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.data
@pytest.mark.parametrize("version", [1, 2])
async def test_str2str_serves_the_bytes_of_its_file(shared_data: Path, unused_tcp_port: int, version: int):
    data = (shared_data / "rtcm3" / "sept.rtcm").read_bytes()
    writers: list[asyncio.StreamWriter] = []

    async def opened(reader, writer) -> None:
        writers.append(writer)
        await reader.read()

    url = f"ntrip://me:hunter2@127.0.0.1:{unused_tcp_port}/MOUNT?version={version}"
    async with serving(opened) as port, _str2str(f"tcpcli://127.0.0.1:{port}", unused_tcp_port):
        stream = stream_of(url)
        receiving = asyncio.create_task(take(stream, len(data)))
        async with asyncio.timeout(SOON_S):
            while not (stream.connected and writers):  # noqa: ASYNC110 - two programs start
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)  # str2str takes the client in at its next round
            for start in range(0, len(data), 4096):
                writers[0].write(data[start : start + 4096])
                await asyncio.sleep(0.02)
        assert await receiving == data
        table = await NtripSource(parse_ntrip_url(url)).sourcetable()
        assert [(record.mountpoint, record.latitude_deg) for record in table.streams] == [("MOUNT", 52.0)]
        (problem,) = await problems(stream_of(url.replace("hunter2", "wrong")), 1)
        assert "(401 Unauthorized)" in problem
        (problem,) = await problems(stream_of(url.replace("MOUNT", "MUONT")), 1)
        assert "did you mean 'MOUNT'?" in problem


# ---- other sources


def tcp(port: int, options: str = "") -> Stream:
    return Stream(TcpSource(parse_stream_url(f"tcp://127.0.0.1:{port}{options}")), backoff=QUICK)


async def test_a_tcp_port_is_taken_up_again():
    async def send(reader, writer) -> None:
        writer.write(b"".join(FRAMES))
        await writer.drain()

    async with serving(send) as port:
        stream = tcp(port)
        whole = b"".join(FRAMES)
        assert await take(stream, 2 * len(whole)) == 2 * whole
    assert stream.reconnects == 1


async def test_a_silent_tcp_port_is_left():
    async with serving(lambda reader, _: reader.read()) as port:
        (problem,) = await problems(tcp(port, "?timeout=1"), 1)
    assert "no byte for 1 s; is the receiver configured to send?" in problem


async def test_a_broken_connection_is_an_error_with_words():
    async def reset(reader, writer) -> None:
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with serving(reset) as port:
        (problem,) = await problems(tcp(port), 1)
    assert "broke: " in problem


@pytest.mark.skipif(importlib.util.find_spec("serial") is None, reason="pyserial is not installed")
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo terminals here")
async def test_a_serial_line_is_read_as_it_comes():
    ours, theirs = os.openpty()
    stream = Stream(SerialSource(parse_stream_url(f"serial://{os.ttyname(theirs)}?baud=9600")), backoff=QUICK)
    receiving = asyncio.create_task(take(stream, sum(map(len, FRAMES))))
    async with asyncio.timeout(SOON_S):
        while not stream.connected:  # noqa: ASYNC110 - the stream offers no event for it
            await asyncio.sleep(0.01)
    for frame in FRAMES:
        os.write(ours, frame)
        await asyncio.sleep(0.002)
    data = await receiving
    os.close(ours)
    os.close(theirs)
    assert FrameBuffer().push(data) == FrameBuffer().push(b"".join(FRAMES))


@pytest.mark.skipif(importlib.util.find_spec("serial") is None, reason="pyserial is not installed")
async def test_a_serial_line_that_is_not_there():
    stream = Stream(SerialSource(parse_stream_url("serial:///dev/gpsgrid-none")), backoff=QUICK)
    (problem,) = await problems(stream, 2)
    assert "cannot open serial:///dev/gpsgrid-none" in problem
    assert "group dialout" in problem


def test_without_pyserial_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(GpsgridError, match="pip install 'gpsgrid\\[serial\\]'") as caught:
        SerialSource(parse_stream_url("serial:///dev/ttyUSB0"))
    assert caught.value.reason is Reason.BAD_CONFIG
