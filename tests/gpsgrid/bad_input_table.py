"""What bad input gets: some sixty kinds of it, sent to a small running network, as the table in ``docs/api-refusals.md``.

``python -m tests.gpsgrid.bad_input_table`` prints the table; a test compares it with the document.
"""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import httpx
import numpy as np

from gpsgrid.edge.http_body import MAX_REQUEST_BYTES
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.service import Service
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import PayloadArrived
from gpsgrid.rehearsal import START_NS, rover_body, station_payloads
from gpsgrid.rover_body import MAX_BODY_BYTES
from gpsgrid.rover_formats import MAX_EPOCHS
from stations.antex import read_antex
from stations.constants import NS_PER_S
from stations.signals import Constellation, frequencies_hz, signal_of
from stations.wire.framing import encode_frame
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import ReferencePosition, encode_position
from tests.gpsgrid.small_network import (
    CONFIG,
    EPOCHS,
    LAST_NS,
    at,
    epoch_json,
    fed_engine,
    http_client,
    rawx,
    rinex,
    rover_epoch,
    running,
    ubx_frame,
)

EPOCH = rover_epoch()
BODY = rover_body(LAST_NS)
POSITION, CORRECTIONS = "/v1/position", "/v1/corrections"
_LONGEST_DETAIL = 150


@dataclass(frozen=True)
class Case:
    """One kind of bad input.

    Attributes:
        name: In words, as the table has it.
        status: Expected.
        reason: Expected.
        body: Of the request; ``None`` for GET.
        path, parameters, headers, method: Of the request.
        network: ``running``, ``calibrated``, ``waiting`` for its first epoch, or ``stopped``.
        library: The detail has words of a library, which may change with its version.
    """

    name: str
    status: int
    reason: str
    body: bytes | None = BODY
    path: str = POSITION
    parameters: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    method: str = ""
    network: str = "running"
    library: bool = False


def _damaged(body: bytes, place: int = -1) -> bytes:
    changed = bytearray(body)
    changed[place] ^= 1
    return bytes(changed)


def _few(count: int) -> bytes:
    return epoch_json(EPOCH.rows(np.isin(EPOCH.satellite, np.unique(EPOCH.satellite)[:count])))


def _glonass() -> bytes:
    first, second = (signal_of(Constellation.GLONASS, code).number for code in ("1C", "2C"))
    signal = np.where(EPOCH.signal == EPOCH.signal.min(), first, second)
    frequency_hz = frequencies_hz(signal, np.ones(len(signal)))
    return epoch_json(replace(EPOCH, satellite=EPOCH.satellite + 100, signal=signal, frequency_hz=frequency_hz))


def _contradicting() -> bytes:
    shift_m = np.linspace(0.0, 9e5, len(EPOCH)) ** 1.1
    return epoch_json(replace(EPOCH, pseudorange_m=EPOCH.pseudorange_m + shift_m))


def _json(text: str) -> bytes:
    return ('{"time_gpst": "2021-01-01T12:00:02.000", "satellites": {' + text + "}}").encode()


def _label(text: str, name: str) -> str:
    return f"{text:<60}{name}\n"


def _antex() -> str:
    """Return an ANTEX file with one antenna."""
    frequencies = "".join(
        _label(f"   {name}", "START OF FREQUENCY")
        + _label(f"{0:10.2f}{0:10.2f}{66:10.2f}", "NORTH / EAST / UP")
        + "   NOAZI" + f"{0:8.2f}" * 19 + "\n"
        + _label(f"   {name}", "END OF FREQUENCY")
        for name in ("G01", "G02")
    )  # fmt: skip
    return (
        _label("     1.4            M", "ANTEX VERSION / SYST")
        + _label("", "END OF HEADER")
        + _label("", "START OF ANTENNA")
        + _label("TRM59800.00     NONE", "TYPE / SERIAL NO")
        + _label(f"  {0:6.1f}", "DAZI")
        + _label(f"  {0:6.1f}{90:6.1f}{5:6.1f}", "ZEN1 / ZEN2 / DZEN")
        + frequencies
        + _label("", "END OF ANTENNA")
    )


ANTEX = _antex()
RINEX = rinex(EPOCH)
GZIP = {"Content-Encoding": "gzip"}
HERE = {"lat": 52.1, "lon": 5.2, "height": 50}

CASES = (
    # the body as bytes
    Case("an empty body", 400, "malformed", b""),
    Case("bytes that are nothing", 400, "malformed", b"this is no observation"),
    Case("zeros", 400, "malformed", bytes(1000)),
    Case("one epoch of RTCM 3 larger than any receiver sends", 413, "oversized", b"\xd3" * (MAX_BODY_BYTES + 1)),
    Case("a body above the limit", 413, "oversized", bytes(MAX_REQUEST_BYTES + 1)),
    Case("gzip that becomes a thousand times as large", 413, "oversized", gzip.compress(bytes(9 * MAX_REQUEST_BYTES)), headers=GZIP),
    Case("gzip that was cut", 400, "malformed", gzip.compress(BODY)[:-10], headers=GZIP),
    Case("no gzip, called gzip", 400, "malformed", BODY, headers=GZIP, library=True),
    Case("gzip of nothing", 400, "malformed", gzip.compress(b""), headers=GZIP),
    Case("gzip in thousands of pieces", 413, "oversized", gzip.compress(b"x") * 5000, headers=GZIP),
    Case("another Content-Encoding", 415, "unsupported_format", headers={"Content-Encoding": "br"}),
    Case("another Content-Type", 415, "unsupported_format", headers={"Content-Type": "image/png"}),
    Case("a form with files", 415, "unsupported_format", headers={"Content-Type": "multipart/form-data; boundary=x"}),
    # what is something else
    Case("NMEA sentences", 415, "unsupported_format", b"$GPGGA,120000,5206,N,00512,E,1,08,1,50,M,0,M,,*5F\r\n" * 2),
    Case("a RINEX navigation file", 415, "unsupported_format", f"{'     3.04':20}{'N: GNSS NAV DATA':40}RINEX VERSION / TYPE\n".encode()),
    Case("Hatanaka-compressed RINEX", 415, "unsupported_format", f"{'3.0':20}{'COMPACT RINEX FORMAT':40}CRINEX VERS   / TYPE\n".encode()),
    Case("a zip archive", 415, "unsupported_format", b"PK\x03\x04" + bytes(200)),
    Case("gzip without Content-Encoding", 415, "unsupported_format", gzip.compress(BODY)),
    Case("Septentrio SBF", 415, "unsupported_format", b"$@" + bytes(200)),
    Case("a web page", 415, "unsupported_format", b"<!DOCTYPE html><html><body>Not found</body></html>"),
    # RTCM 3
    Case("a frame with a wrong checksum", 400, "bad_crc", _damaged(BODY)),
    Case("a frame that was cut", 400, "malformed", BODY[:100]),
    Case("RTCM 3 without observations", 400, "malformed", encode_frame(encode_position(ReferencePosition(0, (1.0, 2.0, 3.0), 1.0)))),
    Case("a message that is too short for its number", 400, "malformed", encode_frame(b"\x43\x50\x00\x00")),
    Case("MSM1, which has no phases", 422, "unsupported_signal", encode_station_epoch(0, EPOCH, level=1)),
    # RINEX
    Case("RINEX with letters in a number", 400, "broken_file", RINEX.replace(b".", b"x", 40)),
    Case("RINEX whose header does not end", 400, "broken_file", RINEX.replace(b"END OF HEADER", b"COMMENT      ")),
    Case("RINEX without an epoch", 422, "no_observations", RINEX[: RINEX.index(b"\n>") + 1]),
    Case("RINEX that is no text", 400, "broken_file", bytes(range(256)) * 4, headers={"Content-Type": "application/rinex"}),
    Case("RINEX with one frequency", 422, "unsupported_signal", rinex(EPOCH.rows(EPOCH.signal == EPOCH.signal.min()))),
    Case("RINEX with an antenna that nobody has calibrated", 422, "unknown_antenna", rinex(EPOCH, antenna="TRM59800.80     NONE"), network="calibrated"),
    # JSON
    Case("broken JSON", 400, "malformed", b'{"time_gpst": ', library=True),
    Case("JSON of something else", 400, "malformed", b'{"latitude": 52.1}', library=True),
    Case("JSON with a text for a number", 400, "malformed", _json('"G01": {"1C": {"code_m": "far"}}'), library=True),
    Case("JSON nested without end", 400, "malformed", b"[" * 100_000, library=True),
    Case("JSON with a time in UTC", 400, "malformed", b'{"time_gpst": "2021-01-01T12:00:02Z", "satellites": {}}'),
    Case("JSON on the 31st of February", 400, "malformed", b'{"time_gpst": "2021-02-31T12:00:02", "satellites": {}}', library=True),
    Case("JSON with a satellite of no system", 400, "malformed", _json('"X01": {"1C": {}}')),
    Case("JSON with a signal that does not exist", 422, "unsupported_signal", _json('"G01": {"9Z": {}}')),
    Case("JSON with a pseudorange of a light year", 400, "malformed", _json('"G01": {"1C": {"code_m": 9.5e15}}')),
    Case("JSON without satellites", 422, "too_few_satellites", _json("")),
    Case("a list of no epochs", 422, "no_observations", b"[]"),
    Case("more epochs than the network remembers", 413, "too_many_epochs", epoch_json(*(at(EPOCH, START_NS + k * NS_PER_S) for k in range(MAX_EPOCHS + 1)))),
    # UBX
    Case("UBX without raw observations", 400, "malformed", ubx_frame(1, 7, bytes(92)) * 3),
    Case("UBX with a wrong checksum", 400, "bad_crc", _damaged(rawx(EPOCH))),
    # decoded, but no position
    Case("four satellites", 422, "too_few_satellites", _few(4)),
    Case("GLONASS alone, of which no station has told the orbits", 422, "too_few_satellites", _glonass()),
    Case("pseudoranges that contradict each other", 422, "no_code_position", _contradicting()),
    Case("a receiver 500 km away", 422, "outside_network", rover_body(LAST_NS, place_deg=(48.0, 11.0))),
    Case("an epoch of an hour ago", 503, "stale_network", rover_body(LAST_NS - 3600 * NS_PER_S)),
    Case("an epoch of in an hour", 503, "stale_network", rover_body(LAST_NS + 3600 * NS_PER_S)),
    Case("a query before the first network epoch", 503, "no_network", network="waiting"),
    Case("a query while the service stops", 503, "queue_full", network="stopped"),
    # parameters
    Case("an antenna that nobody has calibrated", 422, "unknown_antenna", parameters={"antenna": "TRM59800.80     NONE"}, network="calibrated"),
    Case("an antenna name that is too long", 422, "bad_parameter", parameters={"antenna": "X" * 21}, library=True),
    Case("an antenna height in words", 422, "bad_parameter", parameters={"antenna_height": "tall"}, library=True),
    Case("a mast as high as a mountain", 422, "bad_parameter", parameters={"antenna_height": 4000}, library=True),
    Case("an antenna height that is no number", 422, "bad_parameter", parameters={"antenna_height": "nan"}, library=True),
    Case("a latitude without a longitude", 422, "bad_parameter", parameters={"lat": 52.1}),
    Case("a latitude beyond the pole", 422, "bad_parameter", parameters={"lat": 91, "lon": 5}, library=True),
    Case("a frame that does not exist", 422, "unknown_frame", parameters={"frame": "EPSG:99999999"}),
    Case("a PROJ string, which may name files", 422, "unknown_frame", parameters={"frame": "+proj=longlat +ellps=GRS80"}),
    Case("a frame that needs a grid", 422, "unknown_frame", parameters={"frame": "EPSG:7415"}),
    Case("a moving frame at another epoch", 422, "unknown_frame", parameters={"frame": "ITRF2008", "frame_epoch": 2010}),
    Case("an epoch without a frame", 422, "bad_parameter", parameters={"frame_epoch": 2010}),
    Case("to wait for a minute", 422, "bad_parameter", parameters={"wait": 60}, library=True),
    Case("explain=maybe", 422, "bad_parameter", parameters={"explain": "maybe"}, library=True),
    # the rest of HTTP
    Case("an Accept that nothing satisfies", 406, "not_acceptable", headers={"Accept": "image/png"}),
    Case("a name of the request that is too long", 422, "bad_parameter", headers={"X-Request-ID": "x" * 129}),
    Case("GET where POST is meant", 405, "method_not_allowed", None),
    Case("another version of the API", 404, "not_found", path="/v2/position"),
    Case("corrections without a place", 422, "bad_parameter", None, CORRECTIONS, library=True),
    Case("corrections for a place 500 km away", 422, "outside_network", None, CORRECTIONS, {"lat": 48, "lon": 11}),
    Case("corrections for a satellite", 422, "bad_parameter", None, CORRECTIONS, {**HERE, "height": 400_000}, library=True),
    Case("corrections before the first network epoch", 503, "no_network", None, CORRECTIONS, HERE, network="waiting"),
    Case("corrections as a picture", 406, "not_acceptable", None, CORRECTIONS, HERE, {"Accept": "image/png"}),
    Case("a cell that is none", 404, "unknown_cell", None, "/v1/cells/amsterdam"),
    Case("a cell far away", 404, "unknown_cell", None, "/v1/cells/851f8d47fffffff"),
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A case with what was answered."""

    case: Case
    response: httpx.Response

    @property
    def line(self) -> str:
        """A row of the table."""
        document = self.response.json()
        detail = document["detail"].replace("|", "\\|").replace("\n", " ")
        if len(detail) > _LONGEST_DETAIL:
            detail = detail[: _LONGEST_DETAIL - 3].rstrip() + "..."
        return f"| {self.case.name} | {self.response.status_code} | `{document['reason']}` | {detail} |"


HEADER = "| what came | status | reason | what is answered |\n|---|---|---|---|"


def _calibrated() -> Engine:
    """Return a fed engine with an antenna file, in which no rover is."""
    engine = Engine(EngineConfig(CONFIG.network, read_antex(ANTEX, "antennas.atx"), START_NS))
    for epoch in range(EPOCHS):
        for station, payload in station_payloads(CONFIG.network, START_NS + epoch * NS_PER_S):
            engine.handle(PayloadArrived(station, payload, 0))
    return engine


_ENGINES: dict[str, Callable[[], Engine]] = {
    "running": fed_engine,
    "calibrated": _calibrated,
    "waiting": lambda: build_engine(CONFIG),
}


@contextlib.asynccontextmanager
async def _client(network: str) -> AsyncIterator[httpx.AsyncClient]:
    if network == "stopped":
        async with http_client(Service(fed_engine(), CONFIG)) as client:
            yield client
        return
    async with running(_ENGINES[network](), streams=network == "running") as service, http_client(service) as client:
        yield client


async def answered() -> list[Row]:
    """Send all cases, in their order; every network still answers a good query afterwards."""
    found: dict[str, Row] = {}
    for network in dict.fromkeys(case.network for case in CASES):
        async with _client(network) as client:
            for case in CASES:
                if case.network == network:
                    method = "GET" if case.body is None else "POST"
                    response = await client.request(
                        method, case.path, content=case.body, params=case.parameters, headers=case.headers
                    )
                    found[case.name] = Row(case, response)
            if network in {"running", "calibrated"}:
                (await client.post(POSITION, content=BODY)).raise_for_status()
    return [found[case.name] for case in CASES]


def table(rows: list[Row]) -> str:
    """Return the table as Markdown."""
    return "\n".join([HEADER, *(row.line for row in rows)]) + "\n"


if __name__ == "__main__":
    print(table(asyncio.run(answered())), end="")
