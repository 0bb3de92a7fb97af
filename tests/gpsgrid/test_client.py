"""The Python client, the command ``gpsgrid query`` and the network without a server: all say what the engine says."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import numpy as np
import pytest
from rich.console import Console

import gpsgrid
from gpsgrid import AsyncClient, Client, GpsgridError, Reason, RefusedError
from gpsgrid.answer_json import AnswerJson
from gpsgrid.client_requests import position_request, read_document
from gpsgrid.edge import cli
from gpsgrid.edge.http import create_app
from gpsgrid.edge.local_network import Network
from gpsgrid.edge.query_board import JsonBoard, TableBoard
from gpsgrid.edge.query_command import Summary, query, rover_epochs, run_query
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.web_server import WebServer
from gpsgrid.rehearsal import START_NS, rover_body
from gpsgrid.rover_formats import RoverEpoch
from models.rover import RoverStatus
from stations.catalog import Network as CatalogNetwork
from stations.constants import NS_PER_S
from stations.edge.recordings import load_rover
from stations.feed import EpochReceived, Feed, PositionReceived
from stations.gpstime import from_iso
from tests.gpsgrid.small_network import (
    CONFIG,
    EPOCHS,
    LAST_NS,
    SOON_S,
    epoch_json,
    fed_engine,
    http_client,
    rawx,
    rinex,
    rover_epoch,
    running,
    send,
)

EPOCH = rover_epoch()
BODY = rover_body(LAST_NS)


@contextmanager
def served(engine=None, *, streams=True, epochs=0) -> Iterator[str]:
    """Serve from another thread, and yield the URL; with ``epochs``, so many more are sent, two a second."""
    ready, found = threading.Event(), []

    async def run() -> None:
        stop = asyncio.Event()
        async with running(engine or fed_engine(), streams=streams) as service, WebServer(create_app(service)) as web:
            found.extend([web.url, asyncio.get_running_loop(), stop])
            ready.set()
            for number in range(epochs):
                await asyncio.sleep(0.5)
                await send(service, EPOCHS + 1 + number)
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(SOON_S)
    try:
        yield found[0]
    finally:
        found[1].call_soon_threadsafe(found[2].set)
        thread.join(SOON_S)


@pytest.fixture(scope="module")
def url():
    with served() as found:
        yield found


# ---- Client


def test_a_position_is_what_the_server_says(url):
    raw = httpx.post(f"{url}/v1/position", content=BODY).json()
    with Client(url) as client:
        answer = client.position(BODY, request="r1")
        assert isinstance(answer, AnswerJson)
        assert list(answer.position.ecef_m) == raw["position"]["ecef_m"]
        assert (answer.request, answer.status) == ("r1", raw["status"])
        for observations in (EPOCH, rinex(EPOCH), epoch_json(EPOCH)):
            same = client.position(observations)
            np.testing.assert_allclose(same.position.ecef_m, answer.position.ecef_m, atol=0.01)


def test_options_are_parameters_of_the_url(url):
    with Client(url) as client:
        answer = client.position(
            BODY, frame="ETRF2000", explain=True, antenna_height_m=1.5, approximate_deg=(52.1, 5.2, 50.0), wait_s=0.0
        )
        plain = client.position(BODY)
    assert answer.output.frame == "ETRF2000"
    assert answer.explanation.satellites[0].text
    assert answer.position.height_m == pytest.approx(plain.position.height_m - 1.5, abs=1e-6)


def test_every_option_reaches_the_request():
    request = position_request(
        b"x",
        {
            "antenna": "A",
            "antenna_serial": "7",
            "antenna_height_m": 0.0,
            "approximate_deg": (1.0, 2.0, 3.0),
            "frame": "F",
            "frame_epoch": 2010.0,
            "wait_s": 0.0,
            "explain": True,
            "request": "n",
        },
    )
    assert request.parameters == {
        "antenna": "A",
        "antenna_serial": "7",
        "antenna_height": 0.0,
        "lat": 1.0,
        "lon": 2.0,
        "height": 3.0,
        "frame": "F",
        "frame_epoch": 2010.0,
        "wait": 0.0,
        "explain": 1,
    }
    assert request.headers["X-Request-ID"] == "n"


def test_several_epochs_are_a_list(url):
    body = epoch_json(*(rover_epoch(START_NS + k * NS_PER_S) for k in range(EPOCHS)))
    with Client(url) as client:
        assert [answer.time_gpst[-6:] for answer in client.positions(body)] == ["00.000", "01.000", "02.000"]
        assert len(client.positions(BODY)) == 1
        with pytest.raises(ValueError, match=r"positions\(\)"):
            client.position(body)


def test_large_bodies_are_compressed():
    seen = []

    def handler(request):
        seen.append(request)
        return httpx.Response(200, content=b"[]")

    with Client("http://x", transport=httpx.MockTransport(handler)) as client:
        client.positions(b"x" * 100_000)
        client.positions(b"x")
    assert [request.headers.get("content-encoding") for request in seen] == ["gzip", None]
    assert len(seen[0].content) < 1000


def test_a_refusal_has_the_problem(url):
    with Client(url) as client:
        with pytest.raises(RefusedError, match="outside_network") as caught:
            client.position(rover_body(LAST_NS, place_deg=(48.0, 11.0)))
        assert caught.value.problem.status == 422
        assert caught.value.retry_after_s is None
        with pytest.raises(RefusedError) as caught:
            client.position(rover_body(LAST_NS + 3600 * NS_PER_S))
        assert caught.value.problem.reason == "stale_network"
        assert caught.value.retry_after_s == 2.0


def test_with_patience_a_503_is_asked_again():
    responses = [503, 503, 200]

    def handler(request):
        status = responses.pop(0)
        if status == 200:
            return httpx.Response(200, json=[])
        return httpx.Response(503, headers={"Retry-After": "0"}, content=b"{}")

    with Client("http://x", transport=httpx.MockTransport(handler), patience_s=SOON_S) as client:
        assert client.positions(b"x") == []
    assert responses == []


@pytest.mark.parametrize("content", [b"<html>", b"[1]", b"{}", b"\xff"])
def test_a_server_that_is_no_gpsgrid_is_told(content):
    for status in (200, 404, 502):
        with pytest.raises(GpsgridError, match="gpsgrid service") as caught:
            read_document(status, {"Content-Type": "application/problem+json"}, content, AnswerJson)
        assert caught.value.reason is Reason.MALFORMED


def test_a_server_that_is_not_there_is_named():
    for server in ("http://127.0.0.1:9", "http://no such host", "127.0.0.1:9"):
        with Client(server) as client, pytest.raises(GpsgridError, match="gpsgrid serve") as caught:
            client.health()
        assert caught.value.reason is Reason.SERVER_UNREACHABLE


def test_the_other_nouns(url):
    with Client(url) as client:
        assert client.health().status == "ok"
        assert [station.id for station in client.stations().stations] == ["A", "B", "C", "D"]
        cells = client.cells().cells
        assert client.cell(cells[0].cell).status.cell == cells[0].cell
        assert len(client.corrections(52.1, 5.2, 50.0).satellites) >= 8
        events = Feed("").push(client.corrections_rtcm3(52.1, 5.2), START_NS)
        assert {EpochReceived, PositionReceived} <= {type(event) for event in events}


def test_health_is_told_also_when_nothing_can_be_served():
    with served(build_engine(CONFIG), streams=False) as url, Client(url) as client:
        assert client.health().status == "waiting"


async def test_the_async_client_says_the_same():
    async with running(fed_engine()) as service, http_client(service) as raw:  # noqa: SIM117 - one needs the other
        async with AsyncClient("http://gpsgrid", transport=raw._transport) as client:
            answers = await asyncio.gather(*(client.position(BODY) for _ in range(5)))
            plain = (await raw.post("/v1/position", content=BODY)).json()
            assert {answer.position.ecef_m for answer in answers} == {tuple(plain["position"]["ecef_m"])}
            assert (await client.health()).status == "waiting"  # of a service that has not solved an epoch itself
            assert len((await client.stations()).stations) == 4
            assert (await client.cells()).cells == ()
            assert len((await client.corrections(52.1, 5.2)).satellites) >= 8
            assert (await client.corrections_rtcm3(52.1, 5.2)).startswith(b"\xd3")
            with pytest.raises(RefusedError):
                await client.cell("x")


def test_both_clients_have_the_same_methods():
    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public == {name for name in vars(AsyncClient) if not name.startswith("_")}


# ---- gpsgrid query


@pytest.fixture
def rover_file(tmp_path):
    """A rover's file of all epochs that the network has, and one far away from it in time."""
    path = tmp_path / "rover.obs"
    epochs = [rover_epoch(START_NS + k * NS_PER_S) for k in range(EPOCHS)]
    path.write_bytes(rinex(*epochs, antenna_height_m=1.5))
    return path


def test_a_file_is_asked_epoch_by_epoch(url, rover_file, capfd):
    status = cli.run(["query", str(rover_file), "--server", url, "--json", "--explain", "--frame", "ETRF2000"])
    out, err = capfd.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [line["time_gpst"][-6:] for line in lines] == ["00.000", "01.000", "02.000"]
    with Client(url) as client:
        alone = client.position(rover_epoch(START_NS), antenna_height_m=1.5)
    np.testing.assert_allclose(lines[0]["position"]["ecef_m"], alone.position.ecef_m, atol=0.01)
    assert lines[0]["output"]["frame"] == "ETRF2000"
    assert lines[0]["explanation"]
    assert "3 epochs: 3 float" in err


def test_without_a_terminal_there_is_a_line_an_epoch(url, rover_file, capfd):
    assert cli.run(["query", str(rover_file), "--server", url, "--from", "2021-01-01T12:00:01"]) == 0
    out = capfd.readouterr().out.splitlines()
    assert len(out) == 3
    assert out[0].startswith("2021-01-01T12:00:01.000 float")
    assert " 52.09999" in out[0] or " 52.10000" in out[0]
    assert out[-1].startswith("2 epochs: 2 float; median round trip")


def test_on_a_terminal_a_table_is_drawn(url, rover_file):
    text = io.StringIO()
    board = TableBoard(Console(file=text, force_terminal=True, width=200, emoji=False))
    assert run_query(rover_file, url, {"frame": "EPSG:25831"}, (None, None), 0.0, board) == 0
    assert "rover.obs at http" in text.getvalue()
    assert "Easting (metre)" in text.getvalue()
    assert "3/3" in text.getvalue()


@pytest.mark.parametrize("kind", ["rinex", "rtcm3", "ubx", "json"])
def test_every_format_of_file_is_asked(url, tmp_path, kind):
    epochs = [rover_epoch(START_NS + k * NS_PER_S) for k in range(EPOCHS)]
    data = {
        "rinex": lambda: rinex(*epochs),
        "rtcm3": lambda: b"".join(rover_body(epoch.time_ns) for epoch in epochs),
        "ubx": lambda: b"".join(rawx(epoch) for epoch in epochs),
        "json": lambda: epoch_json(*epochs),
    }[kind]()
    path = tmp_path / "rover"
    path.write_bytes(data)
    assert [time_ns for time_ns, _ in rover_epochs(path, START_NS)] == [epoch.time_ns for epoch in epochs]
    text = io.StringIO()
    board = JsonBoard(Console(file=text, width=10_000), Console(file=io.StringIO()))
    assert run_query(path, url, {}, (None, None), 0.0, board) == 0
    assert len(text.getvalue().splitlines()) == EPOCHS


def test_refused_epochs_are_told_and_are_status_one(url, tmp_path, capfd):
    few = EPOCH.rows(np.isin(EPOCH.satellite, np.unique(EPOCH.satellite)[:3]))
    path = tmp_path / "rover.json"
    path.write_bytes(epoch_json(replace(few, time_ns=START_NS), EPOCH))
    assert cli.run(["query", str(path), "--server", url]) == 1
    out = capfd.readouterr().out
    assert "too_few_satellites" in out
    assert "2 epochs: 1 float, 1 refused (too_few_satellites)" in out
    assert cli.run(["query", str(path), "--server", url, "--json"]) == 1
    assert json.loads(capfd.readouterr().out.splitlines()[0])["refusal"] == "too_few_satellites"


def test_the_network_is_followed():
    """Two epochs that the network has not reached are waited for, and answered from their own network epoch."""
    with served(epochs=3) as url, Client(url) as client:
        times = [START_NS + (EPOCHS + 1 + k) * NS_PER_S for k in range(2)]
        board = _Listening()
        summary = query(client, _epochs(times), {}, SOON_S, board)
    assert summary.exit_status == 0
    assert [asked.answer.age_s for asked in board.asked] == [0.0, 0.0]
    assert board.waits > 0


class _Listening:
    def __init__(self):
        self.asked, self.waits = [], 0

    def told(self, asked):
        self.asked.append(asked)

    def waiting(self, time_ns, network):
        self.waits += 1


def _epochs(times):
    return [(time_ns, RoverEpoch(b"", rover_epoch(time_ns))) for time_ns in times]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.obs"], "absent.obs"),
        (["ROVER", "--from", "2022-01-01T00:00:00"], "between --from and --to"),
        (["ROVER", "--from", "yesterday"], "yesterday"),
        (["NMEA"], "NMEA"),
    ],
)
def test_what_cannot_be_asked_is_status_two(url, rover_file, tmp_path, arguments, said, capfd):
    nmea = tmp_path / "x.nmea"
    nmea.write_bytes(b"$GPGGA,120000,5206,N,00512,E,1,08,1,50,M,0,M,,*5F\r\n" * 3)
    places = {"ROVER": str(rover_file), "NMEA": str(nmea)}
    assert cli.run(["query", *(places.get(word, word) for word in arguments), "--server", url]) == 2
    assert said in capfd.readouterr().err


def test_without_a_server_the_status_is_two(rover_file, capfd):
    assert cli.run(["query", str(rover_file), "--server", "http://127.0.0.1:9"]) == 2
    assert "gpsgrid serve" in capfd.readouterr().err


def test_a_summary_of_nothing_is_no_success():
    assert Summary().exit_status == 1


# ---- without a server


@pytest.mark.data
def test_a_network_answers_without_a_server(shared_data):
    """ZEGV as a rover in a network that has it, too: what the engine of the service says, at its own coordinate."""
    folder = shared_data / "nl-2021-001"
    network = gpsgrid.Network.from_toml(folder / "night.toml")
    zegv = network.station("ZEGV")
    assert isinstance(network, CatalogNetwork)
    assert network == Network.from_toml(folder / "night.toml")
    first, last = from_iso("2021-01-01T02:00:00"), from_iso("2021-01-01T02:00:30")
    rover = load_rover([folder / zegv.observations[0]], from_ns=first, to_ns=last)
    options = {"antenna": zegv.antenna, "antenna_serial": zegv.antenna_serial}
    answers = [network.position(epoch, **options) for epoch in rover.epochs.values()]
    for answer in answers:
        assert answer.status is RoverStatus.FIXED
        assert np.linalg.norm(answer.position_m - zegv.marker_m) < 0.05
        assert answer.age_s == 0.0
    bytes_too = network.position(rinex(rover.epochs[last]), explain=True, **options)
    np.testing.assert_allclose(bytes_too.position_m, answers[-1].position_m, atol=0.002)
    assert bytes_too.explanation is not None
    earlier = load_rover([folder / zegv.observations[0]], from_ns=from_iso("2021-01-01T01:00:00"), to_ns=first)
    assert network.position(earlier.epochs[earlier.times_ns[0]], **options).age_s == 0.0
    assert network.position(rinex(rover.epochs[last]), antenna="NOSUCH          NONE").refusal is Reason.UNKNOWN_ANTENNA


def test_a_network_that_is_no_file_says_so():
    with pytest.raises(ValueError, match="from_toml"):
        Network("n", "ITRF2014", 2021.0, ()).position(EPOCH)
    with pytest.raises(ValueError, match="2 epochs"):
        Network("n", "ITRF2014", 2021.0, ()).position(epoch_json(EPOCH, rover_epoch(START_NS)))
