"""NTRIP without a network: requests, answers in any chunking, sourcetables, URLs; and no other error than ours."""

import base64
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynmeagps import NMEAReader

from stations.errors import GpsgridError, Reason
from stations.frames import ecef_from_geodetic
from stations.gpstime import from_calendar
from stations.ntrip import build_request, gga_sentence
from stations.ntrip_answer import LONGEST_HEAD, NtripAnswer
from stations.sourcetable import parse_sourcetable, split_fields
from stations.stream_address import (
    NtripAddress,
    SerialAddress,
    TcpAddress,
    parse_ntrip_url,
    parse_stream_url,
)

FRAMES = bytes.fromhex("d300133ed7d30202980edeef34b4bd62ac0941986f33360b98") * 3  # the example of RTCM 10403
TABLE = (
    b"CAS;caster.example;2101;EXAMPLE;Operator;0;DEU;50.12;8.69;fall.example;2102;none\r\n"
    b"NET;EXNET;Operator;B;N;https://net;https://str;reg@example;note;more\r\n"
    b'STR;DELF00NLD0;"Delft; roof";RTCM 3.3;1006(10),1077(1);2;GPS+GLO;EXNET;NLD;51.99;4.39;1;0;'
    b"TRIMBLE;none;B;N;9600;a;b\r\n"
    b"STR;ZEGV00NLD0;Zegveld;RTCM 3.2;1004(1);2;GPS;EXNET;NLD;52.1;4.8;0;1;gen;none;N;Y;x;\r\n"
    b"ENDSOURCETABLE\r\n"
)


def chunked(*parts: bytes) -> bytes:
    body = b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in parts)
    return body + b"0\r\n\r\n"


HTTP = b"HTTP/1.1 200 OK\r\nNtrip-Version: Ntrip/2.0\r\nContent-Type: gnss/data\r\n"
GOOD = {
    "v1 as RTKLIB": b"ICY 200 OK\r\n" + FRAMES,
    "v1 with blank line": b"ICY 200 OK\r\n\r\n" + FRAMES,
    "v1 with head": b"ICY 200 OK\r\nServer: NTRIP Caster\r\nDate: today\r\n\r\n" + FRAMES,
    "v1 with line feeds": b"ICY 200 OK\n\n" + FRAMES,
    "v2 plain": HTTP + b"\r\n" + FRAMES,
    "v2 chunked": HTTP + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(FRAMES[:20], FRAMES[20:21], FRAMES[21:]),
    "http 1.0": b"HTTP/1.0 200 OK\r\n\r\n" + FRAMES,
}


def read(data: bytes, cuts: list[int], mountpoint: str = "MOUNT") -> tuple[bytes, Reason | None, NtripAnswer]:
    """Return all bytes of a stream, why it ended, and the reader."""
    answer = NtripAnswer(mountpoint)
    stream = b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    try:
        for start, end in itertools.pairwise(edges):
            stream += answer.push(data[start:end])
        answer.close()
    except GpsgridError as error:
        return stream, error.reason, answer
    return stream, None, answer


@pytest.mark.parametrize("name", GOOD)
@given(cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_chunking_gives_the_same_stream(name: str, cuts: list[int]):
    stream, reason, answer = read(GOOD[name], cuts)
    assert (stream, reason, answer.accepted, answer.status) == (FRAMES, None, True, 200)


@pytest.mark.parametrize("name", GOOD)
def test_one_byte_at_a_time_and_every_prefix(name: str):
    data = GOOD[name]
    assert read(data, list(range(len(data))))[0] == FRAMES
    for length in range(len(data)):
        answer = NtripAnswer("MOUNT")
        assert FRAMES.startswith(answer.push(data[:length]))


def test_a_caster_of_version_1_that_waits_for_a_position_is_known_to_wait():
    """Without a blank line and without a byte: who waits for more here never gets any."""
    answer = NtripAnswer("VRS")
    assert answer.push(b"ICY 200 OK\r\n") == b""
    assert answer.accepted


BROKEN = [
    (b"HTTP/1.0 401 Unauthorized\r\n\r\n", Reason.STREAM_REFUSED, "(401 Unauthorized): user name and password"),
    (b"HTTP/1.0 401 Unauthorized\r\n", Reason.STREAM_REFUSED, "ntrip://user:password@host:port/MOUNT"),
    (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=x\r\n\r\n",
        Reason.STREAM_REFUSED,
        "digest authentication",
    ),
    (b"ICY 401 Unauthorized\r\n\r\n", Reason.STREAM_REFUSED, "mountpoint 'DELF'"),
    (b"ERROR - Bad Password\r\n", Reason.STREAM_REFUSED, "ERROR - Bad Password"),
    (b"HTTP/1.1 403 Forbidden\r\n\r\n", Reason.STREAM_REFUSED, "locked out"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", Reason.STREAM_REFUSED, "no mountpoint of that name"),
    (b"HTTP/1.1 409 Conflict\r\n\r\n", Reason.STREAM_REFUSED, "in use by another connection"),
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Reason.STREAM_REFUSED, "not connected or the caster is full"),
    (b"HTTP/1.1 505 Version\r\n\r\n", Reason.STREAM_REFUSED, "?version=1"),
    (b"HTTP/1.1 418 Teapot\r\n\r\n", Reason.STREAM_REFUSED, "(418 Teapot): this was not expected"),
    (b"HTTP/1.1 302 Found\r\nLocation: http://x/y\r\n\r\n", Reason.STREAM_REFUSED, "has moved to http://x/y"),
    (b"SOURCETABLE 200 OK\r\n\r\n" + TABLE, Reason.STREAM_REFUSED, "did you mean 'DELF00NLD0'?"),
    (HTTP.replace(b"data", b"sourcetable") + b"\r\n" + TABLE, Reason.STREAM_REFUSED, "no mountpoint 'DELF'"),
    (
        HTTP.replace(b"data", b"sourcetable") + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(TABLE[:50], TABLE[50:]),
        Reason.STREAM_REFUSED,
        "it sent its sourcetable",
    ),
    (b"SOURCETABLE 200 OK\r\n\r\n", Reason.STREAM_REFUSED, "it offers none at present"),
    (
        b"SOURCETABLE 200 OK\r\nContent-Length: 19\r\n\r\nSTR;DELF;Delft;RTCM\r\n",
        Reason.STREAM_REFUSED,
        "lists the mountpoint but sends no data",
    ),
    (b"SOURCETABLE 200 OK\r\n\r\nwelcome\r\n", Reason.MALFORMED, "this is no sourcetable (line 1 is no record"),
    (b"", Reason.MALFORMED, "closed the connection without an answer"),
    (b"HTTP/1.1 200", Reason.MALFORMED, "closed the connection after 'HTTP/1.1 200'"),
    (b"SSH-2.0-OpenSSH\r\n", Reason.MALFORMED, "expected ICY, HTTP or SOURCETABLE"),
    (b"HTTP/1.1 abc\r\n\r\n", Reason.MALFORMED, "the answer starts with 'HTTP/1.1 abc'"),
    (b"\x15\x03\x01\x00\x02\x02\x28", Reason.MALFORMED, "use ntrips://"),
    (FRAMES, Reason.MALFORMED, 'use stream = "tcp://host:port"'),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", Reason.MALFORMED, "a web page came back"),
    (HTTP + b"Transfer-Encoding: gzip\r\n\r\n", Reason.MALFORMED, "as 'gzip'; expected chunked"),
    (HTTP + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", Reason.MALFORMED, "'xyz' came"),
    (HTTP + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 300, Reason.MALFORMED, "the chunked stream is broken"),
    (HTTP + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef", Reason.MALFORMED, "the chunked stream is broken"),
    (HTTP + b"X: " + b"x" * LONGEST_HEAD + b"\r\n\r\n", Reason.OVERSIZED, "longer than 8192 bytes"),
    (b"HTTP/1.1 " + b"x" * LONGEST_HEAD, Reason.OVERSIZED, "longer than 8192 bytes"),
]


def _read_all(answer: NtripAnswer, data: bytes, times: int = 1) -> None:
    for _ in range(times):
        answer.push(data)
    answer.close()


@pytest.mark.parametrize(("data", "reason", "said"), BROKEN)
def test_broken_answers_say_what_came_and_what_to_do(data: bytes, reason: Reason, said: str):
    answer = NtripAnswer("DELF")
    with pytest.raises(GpsgridError) as caught:
        _read_all(answer, data)
    assert caught.value.reason is reason
    assert said in str(caught.value)
    assert answer.ended
    with pytest.raises(GpsgridError):
        answer.push(b"more")
    for cuts in (list(range(len(data))), [len(data) // 2], [1, 5, 13]):
        assert read(data, cuts, "DELF")[1] is reason


def test_what_came_before_a_fault_is_handed_over_first():
    answer = NtripAnswer("M")
    assert answer.push(HTTP + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcJUNK") == b"abc"
    assert answer.ended
    with pytest.raises(GpsgridError, match="chunked stream is broken"):
        answer.push(b"")


def test_an_answer_never_keeps_more_than_its_head():
    answer = NtripAnswer("M")
    answer.push(HTTP + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n")
    for _ in range(100):
        assert len(answer.push(bytes(10_000))) == 10_000
        assert len(answer._buffer) < LONGEST_HEAD


def test_the_limit_of_the_head_does_not_depend_on_chunking():
    data = b"ICY 200 OK\r\n" + b"a" * LONGEST_HEAD + b"$"  # the start of a head, as far as one can see
    assert read(data, [])[:2] == read(data, list(range(LONGEST_HEAD, len(data))))[:2] == (b"", Reason.OVERSIZED)


PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"ICY 200 OK",
        b"SOURCETABLE 200 OK",
        b"HTTP/1.0 401 No",
        b"ERROR x",
        b"\r\n",
        b"\n",
        b"\r",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 5",
        b"Content-Type: gnss/sourcetable",
        b"STR;A;B",
        b"ENDSOURCETABLE",
        b"5",
        b"0",
        FRAMES[:25],
    ]
)


@settings(max_examples=600)
@given(
    data=st.lists(PIECES | st.binary(max_size=30), max_size=14).map(b"".join),
    cuts=st.lists(st.integers(0, 500), max_size=8),
    mountpoint=st.sampled_from(["", "A", "MOUNT"]),
)
def test_random_answers_raise_nothing_else_and_chunking_changes_nothing(data: bytes, cuts: list[int], mountpoint: str):
    stream, reason, answer = read(data, cuts, mountpoint)
    whole, whole_reason, whole_answer = read(data, [], mountpoint)
    assert (stream, reason) == (whole, whole_reason)
    assert (answer.accepted, answer.ended, answer.table) == (whole_answer.accepted, True, whole_answer.table)


# ---- what we say


def test_a_request_of_version_2():
    address = NtripAddress("caster.example", 2101, "MOUNT", "me", "sécret:@")
    lines = build_request(address, 2, "$GPGGA,1*00\r\n").decode("ascii").split("\r\n")
    assert lines[0] == "GET /MOUNT HTTP/1.1"
    assert lines[-2:] == ["", ""]
    assert set(lines[1:-2]) == {
        "Host: caster.example:2101",
        "User-Agent: NTRIP gpsgrid/0.1",
        "Ntrip-Version: Ntrip/2.0",
        "Ntrip-GGA: $GPGGA,1*00",
        f"Authorization: Basic {base64.b64encode('me:sécret:@'.encode()).decode()}",
        "Accept: */*",
        "Connection: close",
    }


def test_a_request_of_version_1_and_one_for_the_table():
    text = build_request(NtripAddress("::1", 2101, ""), 1).decode("ascii")
    assert text.startswith("GET / HTTP/1.0\r\nHost: [::1]:2101\r\nUser-Agent: NTRIP ")
    assert "Ntrip-Version" not in text
    assert "Authorization" not in text


@pytest.mark.parametrize("mountpoint", ["A B", "A\r\nX: y", "A\0"])
def test_a_request_cannot_be_broken_apart(mountpoint: str):
    with pytest.raises(ValueError, match="white space"):
        build_request(NtripAddress("h", 1, mountpoint), 2)


@settings(max_examples=200)
@given(
    latitude_deg=st.floats(-90, 90),
    longitude_deg=st.floats(-180, 180),
    height_m=st.floats(-400, 9000),
    second=st.integers(0, 86_399),
)
def test_positions_are_read_back_by_pynmeagps(latitude_deg, longitude_deg, height_m, second):
    position_m = ecef_from_geodetic(np.radians(latitude_deg), np.radians(longitude_deg), height_m)
    sentence = gga_sentence(position_m, from_calendar(2021, 1, 1) + (second + 18) * 10**9)
    message = NMEAReader.parse(sentence, validate=1)
    degree_m = 111_320.0
    # A unit of the last digit is 0.2 mm; pynmeagps keeps ten decimals of a degree.
    assert abs(message.lat - latitude_deg) * degree_m < 1e-3
    east = (message.lon - longitude_deg + 180.0) % 360.0 - 180.0
    assert abs(east) * degree_m * np.cos(np.radians(latitude_deg)) < 1e-3
    assert abs(message.alt - height_m) <= 0.0006
    assert (message.quality, message.sep) == (1, 0.0)
    time = message.time
    assert (time.hour * 60 + time.minute) * 60 + time.second == second
    assert len(sentence) <= 83  # NMEA 0183 allows 82; the seventh decimal of a minute is worth one more


def test_minutes_never_reach_sixty():
    sentence = gga_sentence(ecef_from_geodetic(np.radians(51.9999999999), np.radians(-4.9999999999), 0.0), 0)
    assert ",5200.0000000,N,00500.0000000,W," in sentence


# ---- sourcetables


def test_every_field_of_a_table_is_read():
    table = parse_sourcetable(TABLE)
    assert table.complete
    delf, zegv = table.streams
    (caster,), (network,) = table.casters, table.networks
    assert (delf.mountpoint, delf.identifier, delf.format, delf.format_details) == (
        "DELF00NLD0",
        "Delft; roof",
        "RTCM 3.3",
        "1006(10),1077(1)",
    )
    assert (delf.carrier, delf.nav_system, delf.network, delf.country) == ("2", "GPS+GLO", "EXNET", "NLD")
    assert (delf.latitude_deg, delf.longitude_deg, delf.nmea, delf.solution) == (51.99, 4.39, True, "0")
    assert (delf.generator, delf.compression, delf.authentication, delf.fee) == ("TRIMBLE", "none", "B", False)
    assert (delf.bitrate, delf.misc) == (9600, "a;b")
    assert (zegv.solution, zegv.fee, zegv.bitrate, zegv.misc) == ("1", True, 0, "")
    assert table.problems == ("line 4 has a bitrate that is no number up to 1e+09: 'x'",)
    assert (caster.host, caster.port, caster.operator, caster.fallback_host, caster.fallback_port) == (
        "caster.example",
        2101,
        "Operator",
        "fall.example",
        2102,
    )
    assert (network.identifier, network.authentication, network.web_registration, network.misc) == (
        "EXNET",
        "B",
        "reg@example",
        "note;more",
    )


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a;b;c", ["a", "b", "c"]),
        ("a;b;c;d;e", ["a", "b", "c;d;e"]),
        ('a;"b;c";d', ["a", "b;c", "d"]),
        ('a;"b ""c""";d', ["a", 'b "c"', "d"]),
        ('a;"b;c', ["a", '"b', "c"]),
        ('a;5" mast;c', ["a", '5" mast', "c"]),
        ('a;"b"', ["a", "b"]),
        ("", [""]),
    ],
)
def test_quotes_protect_semicolons(line: str, fields: list[str]):
    assert split_fields(line, 3) == fields


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"STR;", b"CAS;", b"NET;", b'"', b";", b"\r\n", b"1e999"]) | st.binary(max_size=20)))
def test_random_tables_raise_nothing_else(parts: list[bytes]):
    try:
        table = parse_sourcetable(b"".join(parts))
    except GpsgridError as error:
        assert error.reason is Reason.MALFORMED
    else:
        assert len(table.problems) <= 100


def test_an_endless_table_is_refused_or_cut():
    with pytest.raises(GpsgridError) as caught:
        parse_sourcetable(bytes(2 << 20))
    assert caught.value.reason is Reason.OVERSIZED
    answer = NtripAnswer("M")
    answer.push(b"SOURCETABLE 200 OK\r\n\r\n")
    with pytest.raises(GpsgridError, match="no mountpoint 'M'"):
        _read_all(answer, (b"STR;A;B" + b" " * 1000 + b"\r\n") * 100, times=100)
    assert not answer._table


# ---- URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ntrip://host/M", NtripAddress("host", 2101, "M")),
        ("NTRIPS://u%40x:p%3A%2Fw%25@[::1]:2102/M", NtripAddress("::1", 2102, "M", "u@x", "p:/w%", True)),
        ("ntrips://u:p@w@host/M", NtripAddress("host", 443, "M", "u", "p@w", True)),
        (
            "ntrip://host/M?gga=10&version=1&timeout=60",
            NtripAddress("host", 2101, "M", version=1, gga_s=10, silent_after_s=60.0),
        ),
    ],
)
def test_caster_urls_are_taken_apart(url: str, expected: NtripAddress):
    assert parse_ntrip_url(url) == expected
    assert parse_ntrip_url(url).password == expected.password
    assert "p" not in expected.shown.split("://")[1] or not expected.password


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("tcp://host:9000", TcpAddress("host", 9000)),
        ("tcp://[::1]:9000/?timeout=5", TcpAddress("::1", 9000, 5.0)),
        ("serial:///dev/ttyUSB0", SerialAddress("/dev/ttyUSB0", 115_200)),
        ("serial://COM3?baud=9600", SerialAddress("COM3", 9600)),
    ],
)
def test_stream_urls_are_taken_apart(url: str, expected: TcpAddress | SerialAddress):
    assert parse_stream_url(url) == expected
    assert parse_stream_url(expected.shown) == TcpAddress("::1", 9000) or parse_stream_url(expected.shown) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "has no '://'"),
        ("http://u:hunter2@host/M", "does not start with 'ntrip://'"),
        ("ntrip://u:hunter2@/M", "names no host"),
        ("ntrip://u:hunter2@host", "names no mountpoint"),
        ("ntrip://u:hunter2@host:99999/M", "has a port that is not a number"),
        ("ntrip://u:hunter2/x@host/M", "has a port that is not a number"),
        ("ntrip://u:50%hunter2@host/M", "has a '%'"),
        ("ntrip://u:x?hunter2@host/M", "has a port"),
        ("ntrip://u:hunter2@host/M N", "has a mountpoint that is none"),
        ("ntrip://u%3Av:hunter2@host/M", "a user name with a colon"),
        ("ntrip://u:hunter2@host/M?hunter2=1", "has an option that is not known; known are gga, version, timeout"),
        ("ntrip://u:hunter2@host/M?gga=0", "option gga that is not a whole number from 1 to 3600"),
        ("ntrip://u:hunter2@ho st/M", "names a host that is none"),
    ],
)
def test_a_wrong_caster_url_is_refused_without_its_password(url: str, said: str):
    with pytest.raises(GpsgridError) as caught:
        parse_ntrip_url(url)
    assert caught.value.reason is Reason.BAD_CONFIG
    assert said in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.facts}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ntrip://host/M", "does not start with 'tcp://'"),
        ("tcp://host", "names no port"),
        ("tcp://u:p@host:1", "knows no users"),
        ("tcp://host:1/M", "knows no users and mountpoints"),
        ("serial://", "names no device"),
        ("serial:///dev/x?baud=fast", "option baud"),
        ("serial:///dev/x\n", "control characters"),
    ],
)
def test_a_wrong_stream_url_is_refused(url: str, said: str):
    with pytest.raises(GpsgridError, match=said):
        parse_stream_url(url)


@given(st.text(max_size=60), st.sampled_from(["", "ntrip://", "ntrips://u:p@", "tcp://", "serial://"]))
def test_random_urls_raise_nothing_else(text: str, start: str):
    for parse in (parse_ntrip_url, parse_stream_url):
        try:
            address = parse(start + text)
        except GpsgridError as error:
            assert error.reason is Reason.BAD_CONFIG
        else:
            if isinstance(address, NtripAddress):
                assert build_request(address, 2).endswith(b"\r\n\r\n")


def test_the_representation_of_an_address_hides_the_password():
    address = parse_ntrip_url("ntrip://me:hunter2@host/M")
    assert "hunter2" not in f"{address} {address!r} {address.shown}"
