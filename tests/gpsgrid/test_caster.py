"""The NTRIP caster on loopback: both versions, our own client, and clients that are slow, wrong or hostile."""

import asyncio
import base64
import contextlib
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from gpsgrid.caster_answer import chunk, refusal_answer, stream_head, table_answer
from gpsgrid.caster_request import LONGEST_HEAD, RequestReader
from gpsgrid.caster_table import sourcetable
from gpsgrid.caster_users import format_users, hash_password, parse_users
from gpsgrid.config import NetworkConfig
from gpsgrid.edge.caster import Caster, CasterOptions
from gpsgrid.edge.caster_client import CasterLimits
from gpsgrid.edge.caster_users_command import add_user, remove_user
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.rehearsal import START_NS, rehearsal_network
from stations.edge.ntrip import NtripSource
from stations.errors import GpsgridError, Reason
from stations.feed import Feed, TextReceived
from stations.frames import ecef_from_geodetic
from stations.gpstime import to_utc
from stations.nmea import Gga, write_gga
from stations.ntrip import build_request, gga_sentence
from stations.ntrip_answer import NtripAnswer
from stations.sourcetable import parse_sourcetable
from stations.stream_address import parse_ntrip_url
from stations.wire.framing import encode_frame

SOON_S = 10.0
NETWORK = rehearsal_network()
HERE = ecef_from_geodetic(float(np.radians(52.1)), float(np.radians(5.2)), 50.0)
MOON = ecef_from_geodetic(float(np.radians(52.1)), float(np.radians(5.2)), 384_400_000.0)
NOW = to_utc(START_NS)
FRAMES = [encode_frame(bytes([0x43, 0x50, number]) * 100) for number in range(20)]
GGA = gga_sentence(HERE, START_NS)


def gga_at(position_m) -> str:
    return gga_sentence(position_m, START_NS)


# ---- the protocol, without a connection


def pushed(data: bytes, size: int):
    reader = RequestReader()
    for start in range(0, len(data), size):
        request = reader.push(data[start : start + size])
        if request is not None:
            return request, reader.rest + data[start + size :]
    return None, b""


@pytest.mark.parametrize("size", [1, 3, 10_000])
@pytest.mark.parametrize("version", [1, 2])
def test_what_our_own_client_asks_is_understood_in_any_chunking(size, version):
    address = parse_ntrip_url("ntrip://me:p%3Aw@host:2101/VRS")
    request, rest = pushed(build_request(address, version, GGA) + b"$GPGGA", size)
    assert (request.method, request.mountpoint, request.version) == ("GET", "VRS", version)
    assert (request.user, request.password) == ("me", "p:w")
    assert request.gga == (GGA.strip() if version == 2 else "")
    assert request.agent.startswith("NTRIP gpsgrid")
    assert rest == b"$GPGGA"


def test_bare_line_feeds_and_sources_are_understood():
    request, rest = pushed(b"GET /NEAR HTTP/1.0\nUser-Agent: NTRIP x\n\n\xd3\x00", 100)
    assert (request.mountpoint, request.version, rest) == ("NEAR", 1, b"\xd3\x00")
    request, _ = pushed(b"SOURCE secret /MOUNT\r\nSource-Agent: NTRIP x\r\n\r\n", 7)
    assert (request.method, request.mountpoint, request.password) == ("SOURCE", "MOUNT", "")


@pytest.mark.parametrize("size", [1, 500, 1 << 20])
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"A" * 10_000_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"X-Long: y\r\n" * 100_000, 431),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400),
    ],
)
def test_bad_heads_are_refused_as_early_as_possible(data, status, size):
    reader, taken = RequestReader(), 0
    with pytest.raises(GpsgridError) as caught:  # noqa: PT012 - it may come at any of the pieces
        for start in range(0, min(len(data), 20_000 * size), size):
            taken = start + size
            reader.push(data[start : start + size])
    assert caught.value.facts["status"] == status
    assert taken <= LONGEST_HEAD + 1 + size
    assert len(reader._buffer) == 0


def test_credentials_that_cannot_be_read_are_none():
    for text in ("Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Digest x", "Basic"):
        request, _ = pushed(f"GET /VRS HTTP/1.1\r\nAuthorization: {text}\r\n\r\n".encode(), 100)
        assert (request.user, request.password) == ("", "")


@pytest.mark.parametrize("version", [1, 2])
def test_answers_are_read_by_our_own_client(version):
    stream = NtripAnswer("VRS")
    body = b"".join(frame if version == 1 else chunk(frame) for frame in FRAMES)
    assert stream.push(stream_head(version, NOW) + body) == b"".join(FRAMES)
    table = NtripAnswer("")
    table.push(table_answer(version, sourcetable(NETWORK, "localhost", 2101, passwords=True), NOW))
    assert [one.mountpoint for one in table.table.streams] == ["VRS", "CELL", "NEAR"]
    for status in (401, 404, 503):
        refused = NtripAnswer("VRS")
        with pytest.raises(GpsgridError) as caught:  # noqa: PT012 - the end of the answer may be needed
            refused.push(refusal_answer(version, status, "why", NOW))
            refused.close()
        assert caught.value.facts["status"] == status


def test_the_sourcetable_says_frame_network_and_position():
    table = parse_sourcetable(sourcetable(NETWORK, "::1", 2101, passwords=False))
    assert (table.complete, table.problems) == (True, ())
    assert [(one.solution, one.nmea, one.authentication) for one in table.streams] == [
        ("1", True, "N"),
        ("1", True, "N"),
        ("0", True, "N"),
    ]
    assert {one.misc for one in table.streams} == {"frame=ITRF2014@2021"}
    assert abs(table.streams[0].latitude_deg - 52.08) < 0.01
    assert table.casters[0].port == 2101


# ---- users


def test_users_are_kept_as_hashes(tmp_path: Path):
    file = tmp_path / "users"
    assert add_user(file, "me", "hunter2") is False
    assert add_user(file, "you", "x") is False
    assert add_user(file, "me", "hunter3") is True
    assert file.stat().st_mode & 0o077 == 0
    assert "hunter" not in file.read_text()
    users = parse_users(file.read_text(), "users")
    assert users["me"].fits("hunter3")
    assert not users["me"].fits("hunter2")
    assert format_users(users) == file.read_text()
    remove_user(file, "you")
    with pytest.raises(GpsgridError, match="no user 'you'"):
        remove_user(file, "you")
    for name, password in (("a b", "x"), ("a:b", "x"), ("", "x"), ("a", ""), ("a", "x" * 300)):
        with pytest.raises(GpsgridError):
            add_user(file, name, password)


def test_a_file_of_users_with_mistakes_is_refused_with_its_lines():
    good = format_users({"me": hash_password("x", b"0" * 16)})
    text = f"# mine\n{good}\nyou:secret\n{good}eve:{good.split(':')[1].replace('$16384$', '$16385$')}"
    with pytest.raises(GpsgridError) as caught:
        parse_users(text, "users")
    assert caught.value.facts["errors"] == [
        "line 4 is not name:scrypt$N$r$p$salt$hash",
        "line 5: user 'me' is there already",
        "line 6 is not name:scrypt$N$r$p$salt$hash",
    ]
    assert "secret" not in str(caught.value)


# ---- on loopback


class Door(StreamingDoor):
    """A door without an engine: what is said to it is heard by everybody."""

    def __init__(self) -> None:
        super().__init__(lambda _: None, NetworkConfig(NETWORK))

    def say(self, payload: bytes) -> None:
        for hear in list(self._listeners.values()):
            hear(payload)


@pytest.fixture
def door() -> Door:
    return Door()


@asynccontextmanager
async def running(door: Door, **options) -> AsyncIterator[Caster]:
    async with Caster(door, CasterOptions(port=0, **options)) as caster:
        yield caster
    assert caster.clients == ()
    assert door.streams.clients == 0
    assert not caster._tasks


async def until(condition) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in callbacks
            await asyncio.sleep(0.005)


@asynccontextmanager
async def raw(port: int, data: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(SOON_S):
        return await reader.read()


def get(mountpoint: str, version: int = 2, *, user: str = "", gga: str = "") -> bytes:
    address = parse_ntrip_url(f"ntrip://{user}host:2101/{mountpoint}")
    return build_request(address, version, gga)


async def take(source: NtripSource, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(SOON_S), aclosing(source.once()) as pieces:
        async for piece in pieces:
            data += piece
            if len(data) >= size:
                break
    return data


@pytest.mark.parametrize("mountpoint", ["VRS", "CELL", "NEAR"])
@pytest.mark.parametrize("version", [1, 2])
async def test_our_own_client_gets_the_stream_in_both_versions(door: Door, mountpoint: str, version: int):
    async with running(door) as caster:
        address = parse_ntrip_url(f"ntrip://127.0.0.1:{caster.port}/{mountpoint}?version={version}&gga=10")
        taking = asyncio.create_task(take(NtripSource(address, position_m=HERE), sum(map(len, FRAMES))))
        await until(lambda: door.streams.clients == 1 and caster.clients and caster.clients[0].mountpoint)
        for frame in FRAMES:
            door.say(frame)
            await asyncio.sleep(0)
        assert await taking == b"".join(FRAMES)
        await until(lambda: not caster.clients)
        assert door.streams.clients == 0
        assert (caster.sent_epochs, caster.answers[200]) == (len(FRAMES), 1)


async def test_the_sourcetable_is_fetched_without_a_password(door: Door, tmp_path: Path):
    add_user(tmp_path / "users", "me", "x")
    async with running(door, users=tmp_path / "users") as caster:
        for version in (1, 2):
            address = parse_ntrip_url(f"ntrip://127.0.0.1:{caster.port}/X?version={version}")
            table = await NtripSource(address).sourcetable()
            assert [one.authentication for one in table.streams] == ["B"] * 3


async def test_a_name_that_is_none_gets_the_table_or_404(door: Door):
    async with running(door) as caster:
        async with raw(caster.port, get("NOWHERE", 1)) as (reader, _):
            assert (await answer_of(reader)).startswith(b"SOURCETABLE 200 OK")
        async with raw(caster.port, get("NOWHERE", 2)) as (reader, _):
            answer = await answer_of(reader)
        assert answer.startswith(b"HTTP/1.1 404 Not Found")
        assert b"VRS, CELL, NEAR" in answer


@pytest.mark.parametrize("version", [1, 2])
async def test_passwords(door: Door, tmp_path: Path, version: int):
    add_user(tmp_path / "users", "me", "right")
    async with running(door, users=tmp_path / "users") as caster:
        for user in ("", "me:wrong@", "you:right@"):
            async with raw(caster.port, get("CELL", version, user=user, gga=GGA)) as (reader, _):
                answer = await answer_of(reader)
            assert answer.startswith(b"HTTP/1.%d 401 Unauthorized" % (version - 1))
            assert b"WWW-Authenticate: Basic" in answer
        async with raw(caster.port, get("CELL", version, user="me:right@", gga=GGA)) as (reader, _):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"ICY 200 OK" if version == 1 else b"HTTP/1.1 200 OK")
        assert door.streams.counts.refused == 0


async def test_guessing_ends_without_computing_anything_while_known_users_come_in(
    door: Door, tmp_path: Path, monkeypatch
):
    add_user(tmp_path / "users", "me", "right")
    async with running(door, users=tmp_path / "users") as caster:
        async with raw(caster.port, get("CELL", user="me:right@")) as (reader, _):
            await reader.readuntil(b"\r\n\r\n")
        seen = []
        for number in range(12):
            async with raw(caster.port, get("CELL", user=f"me:{number}@")) as (reader, _):
                seen.append((await answer_of(reader)).split()[1])
        assert seen == [b"401"] * 8 + [b"429"] * 4
        async with raw(caster.port, get("CELL", user="me:right@")) as (reader, _):
            assert b"200" in await reader.readuntil(b"\r\n")


async def test_sources_are_told_that_nothing_is_taken(door: Door):
    async with running(door) as caster, raw(caster.port, b"SOURCE pw /M\r\n\r\n") as (reader, _):
        assert b" 501 " in (await answer_of(reader)).split(b"\r\n")[0] + b" "


# ---- bad clients


async def test_a_request_line_of_10_mb_is_refused_after_the_first_kilobytes(door: Door):
    async with running(door) as caster, raw(caster.port) as (reader, writer):
        answer = asyncio.create_task(answer_of(reader))
        with contextlib.suppress(OSError):
            for _ in range(160):
                writer.write(b"A" * 65536 if _ else b"GET /" + b"A" * 65531)
                await writer.drain()
        assert (await answer).startswith(b"HTTP/1.0 414 URI Too Long")
        await until(lambda: not caster.clients)
        assert caster.answers[414] == 1


async def test_a_client_that_says_nothing_is_answered_and_gone(door: Door):
    async with running(door, limits=CasterLimits(head_s=0.05)) as caster:
        for begun in (b"", b"GET /VRS HT"):
            async with raw(caster.port, begun) as (reader, _):
                assert (await answer_of(reader)).startswith(b"HTTP/1.0 408 ")
        await until(lambda: not caster.clients)


@pytest.mark.parametrize("version", [1, 2])
async def test_without_a_position_there_is_no_stream_but_a_text_and_the_end(door: Door, version: int):
    limits = CasterLimits(position_s=0.1)
    async with running(door, limits=limits) as caster, raw(caster.port, get("VRS", version)) as (reader, _):
        answer = NtripAnswer("VRS")
        body = answer.push(await answer_of(reader))
    (text,) = [event for event in Feed("").push(body, START_NS) if isinstance(event, TextReceived)]
    assert "no usable position (GGA)" in text.text.text


@pytest.mark.parametrize(
    ("sentence", "status"),
    [(gga_at(MOON), 400), (gga_at(ecef_from_geodetic(0.0, 0.0, 0.0)), 422), ("$GPGGA,rubbish*00", 400)],
)
async def test_an_impossible_position_in_the_head_is_refused(door: Door, sentence: str, status: int):
    async with running(door) as caster:
        async with raw(caster.port, get("VRS", gga=sentence)) as (reader, _):
            assert (await answer_of(reader)).startswith(b"HTTP/1.1 %d " % status)
        assert door.streams.places == 0


async def test_a_position_on_the_moon_in_the_stream_gets_a_text_and_leaves_what_was_there(door: Door):
    async with running(door) as caster, raw(caster.port, get("VRS", 1) + GGA.encode()) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: door.streams.clients == 1)
        await asyncio.sleep(0.25)  # positions that come faster are not looked at
        writer.write(gga_at(MOON).encode())
        async with asyncio.timeout(SOON_S):
            data = await reader.read(1024)
        (text,) = [event for event in Feed("").push(data, START_NS) if isinstance(event, TextReceived)]
        assert "height of" in text.text.text
        assert door.streams.places == 1


async def test_junk_behind_the_request_ends_the_connection(door: Door):
    async with running(door) as caster, raw(caster.port, get("VRS", 1, gga=GGA)) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(20):
                writer.write(b"x" * 65536)
                await writer.drain()
        await until(lambda: not caster.clients)


async def test_a_slow_client_is_dropped_and_the_others_get_every_byte(door: Door):
    big = [encode_frame(bytes([0x43, 0x50, number % 256]) * 300) for number in range(10_000)]
    async with (
        running(door) as caster,
        raw(caster.port, get("CELL", 1, gga=GGA) + GGA.encode()) as (slow, _),
        raw(caster.port, get("CELL", 1) + GGA.encode()) as (quick, _),
    ):
        await slow.readuntil(b"\r\n\r\n")
        await quick.readuntil(b"\r\n\r\n")
        await until(lambda: door.streams.clients == 2)
        reading = asyncio.create_task(quick.readexactly(sum(map(len, big))))
        for frame in big:
            door.say(frame)
            await asyncio.sleep(0)
        async with asyncio.timeout(SOON_S):
            assert await reading == b"".join(big)
        assert caster.slow == 1
        assert len(caster.clients) == 1


async def test_there_is_a_limit_of_connections(door: Door):
    async with running(door, limits=CasterLimits(connections=1)) as caster, raw(caster.port):
        await until(lambda: len(caster.clients) == 1)
        async with raw(caster.port) as (reader, _):
            assert (await answer_of(reader)).startswith(b"HTTP/1.0 503 ")


async def test_positions_of_a_rover_without_a_fix_are_waited_for(door: Door):
    nothing = write_gga(Gga(START_NS, float("nan"), float("nan"), float("nan"), quality=0)).encode()
    async with running(door) as caster, raw(caster.port, get("VRS", 1) + nothing) as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.25)
        assert door.streams.clients == 0
        writer.write(b"$GPGSA,A,3,,,,,,,,,,,,,,,*12\r\n" + GGA.encode() + nothing[:10])
        await until(lambda: door.streams.clients == 1)


async def test_tls(door: Door, tmp_path: Path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    await asyncio.to_thread(
        subprocess.run, [*request, *names, "-out", certificate, "-keyout", key], check=True, capture_output=True
    )
    trust = ssl.create_default_context(cafile=certificate)
    async with running(door, certificate=certificate, key=key) as caster:
        address = parse_ntrip_url(f"ntrips://127.0.0.1:{caster.port}/VRS?gga=10")
        source = NtripSource(address, position_m=HERE, tls=trust)
        taking = asyncio.create_task(take(source, len(FRAMES[0])))
        await until(lambda: caster.clients and caster.clients[0].mountpoint)
        door.say(FRAMES[0])
        assert await taking == FRAMES[0]
    for wrong in ({"certificate": certificate}, {"certificate": key, "key": certificate}):
        with pytest.raises(GpsgridError) as caught:
            Caster(door, CasterOptions(**wrong))
        assert caught.value.reason is Reason.BAD_CONFIG


async def test_a_port_in_use_is_named(door: Door):
    async with running(door) as caster:
        with pytest.raises(GpsgridError, match="choose another --ntrip-port"):
            async with Caster(door, CasterOptions(port=caster.port)):
                pass


async def test_a_crowd_comes_and_goes(door: Door):
    async with running(door) as caster, contextlib.AsyncExitStack() as stack:
        readers = []
        for number in range(200):
            request = get(("VRS", "CELL", "NEAR")[number % 3], 1 + number % 2, gga=GGA if number % 2 else "")
            reader, _ = await stack.enter_async_context(raw(caster.port, request + GGA.encode()))
            readers.append(reader)
        await until(lambda: door.streams.clients == 200 and all(one.mountpoint for one in caster.clients))
        began_s = time.perf_counter()
        for frame in FRAMES:
            door.say(frame)
        print(f"{200 * len(FRAMES) / (time.perf_counter() - began_s):.0f} epochs/s to 200 clients")
        for reader in readers:
            async with asyncio.timeout(SOON_S):
                await reader.readuntil(FRAMES[-1])
