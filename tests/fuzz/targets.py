"""What is fuzzed: every parser of bytes from outside, the exceptions it may raise, and what it may keep.

A target takes any bytes and returns; whatever it raises is a finding. Each has seeds, from the recorded streams and
files where they are there, so that a fuzzer starts behind the checksums and headers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from gpsgrid.accept import negotiated
from gpsgrid.body_kind import kind_of_body
from gpsgrid.epoch_json import epoch_document, station_epoch
from gpsgrid.problem import refusal_of
from gpsgrid.rehearsal import rover_body
from gpsgrid.rover_formats import MAX_EPOCHS, read_rover_epochs
from stations.antex import read_antex
from stations.edge.files import read_text
from stations.errors import GpsgridError, Reason
from stations.feed import Feed, FeedEvent
from stations.gpstime import from_calendar
from stations.nmea import parse_sentence
from stations.ntrip_answer import NtripAnswer
from stations.rinex_clock import read_clocks
from stations.rinex_nav import read_navigation_file
from stations.rinex_obs import read_observations
from stations.sinex import read_sinex
from stations.solution_file import read_solutions
from stations.sourcetable import parse_sourcetable
from stations.sp3 import read_sp3
from stations.wire.framing import MAX_PAYLOAD, FrameBuffer, encode_frame, message_number
from stations.wire.legacy_block import LegacyBlock
from stations.wire.legacy_fields import LEGACY_LAYOUTS
from stations.wire.messages import decode_message
from stations.wire.msm import decode_msm, encode_block
from stations.wire.msm_fields import MSM_NUMBERS
from tests.gpsgrid.small_network import LAST_NS, epoch_json, rawx, rinex, rover_epoch

NEAR_NS = from_calendar(2021, 1, 1)
STREAMS = ("sept.rtcm", "javad.rtcm", "mixed-msm-legacy.rtcm", "eph.rtcm", "topcon.rtcm", "jenoba-jrr32m.rtcm3")
LONGEST_HEAD = 16384  # of an NTRIP answer, far above what ours keeps
_MSM, _LEGACY = sorted(MSM_NUMBERS), sorted(LEGACY_LAYOUTS)


@dataclass(frozen=True)
class Target:
    """A parser and its seeds.

    Attributes:
        run: Takes any bytes; raises only what is a finding.
        seeds: Inputs that mean something, given the folder of recorded data.
        interpreted: Its kernels mean the same in plain Python, where the fuzzer sees their branches.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[Path], list[bytes]]
    interpreted: bool = False


def framing(data: bytes) -> None:
    """Every byte is a frame, junk or pending, whatever the chunks, and no more than a frame is pending."""
    step = data[0] + 1 if data else 1
    buffer, received = FrameBuffer(), 0
    for at, end in pairwise(range(0, len(data) + step, step)):
        received += sum(len(payload) + 6 for payload in buffer.push(data[at:end]))
        assert buffer.pending < MAX_PAYLOAD + 6
    assert received + buffer.junk_bytes + buffer.pending == len(data)


def msm(data: bytes) -> None:
    """Whatever decodes is encoded and decodes again, to as many rows."""
    payload = _numbered(data, _MSM)
    try:
        block = decode_msm(payload, NEAR_NS)
        again = decode_msm(encode_block(block), NEAR_NS)
    except GpsgridError as error:
        assert error.reason is Reason.MALFORMED
        return
    assert (again.station_number, again.epoch_ns, len(again.sent)) == (
        block.station_number,
        block.epoch_ns,
        len(block.sent),
    )
    assert len(block.sent) + block.skipped <= 64
    np.testing.assert_array_equal(again.sent.pseudorange_m, block.sent.pseudorange_m)


def legacy(data: bytes) -> None:
    """Messages 1001 to 1004 and 1009 to 1012."""
    try:
        block = decode_message(_numbered(data, _LEGACY), NEAR_NS)
    except GpsgridError as error:
        assert error.reason is Reason.MALFORMED
        return
    assert isinstance(block, LegacyBlock)
    assert len({len(block.satellite), len(block.signal), len(block.pseudorange_m), len(block.lock_ms)}) == 1


def messages(data: bytes) -> None:
    """A payload of any number."""
    try:
        decode_message(data, NEAR_NS)
    except GpsgridError as error:
        assert error.reason is Reason.MALFORMED


def feed(data: bytes) -> None:
    """A stream: pieces of the input as they are, and as payloads of good frames; a feed raises nothing at all."""
    one = Feed("FUZZ")
    events: list[FeedEvent] = []
    for index, piece in enumerate(data.split(b"\xd3\x00")):
        payload = piece[:MAX_PAYLOAD]
        events += one.push(encode_frame(payload) if index % 4 else piece, NEAR_NS)
    events += one.finish()
    assert all(isinstance(event, FeedEvent) for event in events)


def ntrip(data: bytes) -> None:
    """An answer of a caster, in chunks, to a request for a stream and for the table."""
    for mountpoint in ("M", ""):
        step = data[-1] + 1 if data else 1
        answer, given = NtripAnswer(mountpoint), 0
        try:
            for at, end in pairwise(range(0, len(data) + step, step)):
                given += len(answer.push(data[at:end]))
                assert len(answer._buffer) <= LONGEST_HEAD
            answer.close()
        except GpsgridError as error:
            assert error.reason in {Reason.MALFORMED, Reason.OVERSIZED, Reason.STREAM_REFUSED}
        assert given <= len(data)


def sourcetable(data: bytes) -> None:
    """A sourcetable without its head."""
    try:
        parse_sourcetable(data)
    except GpsgridError as error:
        assert error.reason in {Reason.MALFORMED, Reason.OVERSIZED}


def nmea(data: bytes) -> None:
    """A sentence as it is, and the same fields with a right checksum."""
    body = data.strip(b"$\r\n").split(b"*")[0]
    total = 0
    for byte in body:
        total ^= byte
    for sentence in (data, b"$" + body + b"*%02X" % total):
        try:
            parse_sentence(sentence, NEAR_NS)
        except GpsgridError as error:
            assert error.reason in {Reason.BAD_CRC, Reason.MALFORMED}


def bodies(data: bytes) -> None:
    """Whatever a query brings is epochs or a refusal with a reason for the asker, and the epochs are what they say."""
    try:
        found = read_rover_epochs(kind_of_body("", data), data)
    except GpsgridError as error:
        assert refusal_of(error.reason).status < 500
        return
    assert 0 < len(found) <= MAX_EPOCHS
    for one in found:
        assert not (one.payload and one.epoch is not None)
        if one.epoch is not None:
            document = epoch_document(one.epoch)
            assert len(station_epoch(document)) == len(one.epoch)


def accept(data: bytes) -> None:
    """Any header gives one of the types, or none."""
    offered = ("application/json", "text/plain")
    assert negotiated(data.decode("latin-1"), offered) in {*offered, None}


def reading(*readers: Callable[[str, str], object]) -> Callable[[bytes], None]:
    """Return a target that reads a text file."""

    def run(data: bytes) -> None:
        for reader in readers:
            try:
                reader(data.decode("latin-1"), "fuzzed")
            except GpsgridError as error:
                assert error.reason is Reason.BROKEN_FILE
                assert isinstance(error.facts["line"], int)

    return run


def _numbered(data: bytes, numbers: list[int]) -> bytes:
    # The message number from the first byte, unless it is one of these already.
    if len(data) >= 2 and message_number(data) in numbers:
        return data
    number = numbers[data[0] % len(numbers)] if data else numbers[0]
    rest = data[1:] or b"\0"
    return bytes((number >> 4, (number & 15) << 4 | rest[0] & 15)) + rest[1:]


def _payloads(folder: Path, wanted: Callable[[int], bool]) -> list[bytes]:
    found: dict[int, list[bytes]] = {}
    for name in STREAMS:
        for payload in FrameBuffer().push((folder / "rtcm3" / name).read_bytes()):
            if payload and wanted(number := message_number(payload)):
                found.setdefault(number, []).append(payload)
    return [payload for some in found.values() for payload in some[:4]]


def _streams(folder: Path) -> list[bytes]:
    return [(folder / "rtcm3" / name).read_bytes()[:3000] for name in STREAMS]


def _texts(*names: str, lines: int = 60) -> Callable[[Path], list[bytes]]:
    def seeds(folder: Path) -> list[bytes]:
        return ["\n".join(read_text(folder / name).split("\n")[:lines]).encode("latin-1") for name in names]

    return seeds


ANSWERS = [
    b"ICY 200 OK\r\n\r\n\xd3\x00\x00",
    (
        b"HTTP/1.1 200 OK\r\nNtrip-Version: Ntrip/2.0\r\nContent-Type: gnss/data\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nabcde\r\n3;x=1\r\nfgh\r\n0\r\n\r\n"
    ),
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 3\r\n\r\nabc",
    (
        b"SOURCETABLE 200 OK\r\nContent-Length: 60\r\n\r\n"
        b"STR;M;B;RTCM 3.2;1077(1);2;GPS;X;NLD;52.0;4.4;1;0;r;none;B;N;9\r\nENDSOURCETABLE\r\n"
    ),
    b"ERROR - Bad Password\r\n",
]
TABLES = [
    (
        b'STR;M;B;RTCM 3.2;1077(1),1005(10);2;GPS+GLO;X;NLD;52.00;4.40;1;0;recv;none;B;N;9600;"a;b"\r\n'
        b"CAS;h.example;2101;c;op;0;NLD;52.0;4.4;0.0.0.0;0;x\r\nNET;n;op;B;N;u;s;r;none\r\nENDSOURCETABLE\r\n"
    )
]
SENTENCES = [
    b"$GPGGA,120000.00,5200.0000,N,00424.0000,E,4,12,0.8,30.0,M,44.0,M,1.0,0001*00\r\n",
    b"$GNRMC,120000.00,A,5200.0000,N,00424.0000,E,0.1,20.0,010121,,,R*00\r\n",
]

EPOCH = rover_epoch()
BODIES = [rover_body(LAST_NS) * 2, rinex(EPOCH), epoch_json(EPOCH), rawx(EPOCH) * 2]
TARGETS: dict[str, Target] = {
    "framing": Target(framing, _streams, interpreted=True),
    "msm": Target(msm, lambda folder: _payloads(folder, MSM_NUMBERS.__contains__), interpreted=True),
    "legacy": Target(legacy, lambda folder: _payloads(folder, LEGACY_LAYOUTS.__contains__)),
    "messages": Target(messages, lambda folder: _payloads(folder, lambda _: True)),
    "feed": Target(feed, _streams),
    "rinex_observations": Target(
        reading(read_observations), _texts("geonet-2005-092/07590920.05o", "short-baseline-2024/base.obs.gz")
    ),
    "rinex_navigation": Target(
        reading(read_navigation_file),
        _texts("geonet-2005-092/07590920.05n", "short-baseline-2024/base.nav", "sim-city/brdc.rnx.gz"),
    ),
    "products": Target(
        reading(read_antex, read_sp3, read_clocks, read_sinex, read_solutions), _texts("nl-2021-001/nl.atx", lines=90)
    ),
    "ntrip": Target(ntrip, lambda _: ANSWERS),
    "sourcetable": Target(sourcetable, lambda _: TABLES),
    "nmea": Target(nmea, lambda _: SENTENCES),
    "bodies": Target(bodies, lambda _: BODIES),
    "accept": Target(accept, lambda _: [b"application/json;q=0.5, */*;q=0.1", b"text/html", b""]),
}
