"""The HTTP door: positions, and for every kind of bad input a problem document that says what to do."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest

from gpsgrid.answer import Answer, refusal
from gpsgrid.config import NetworkConfig
from gpsgrid.edge.http import create_app
from gpsgrid.edge.metrics import Metrics
from gpsgrid.edge.questions import EngineFailedError
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.service import Service
from gpsgrid.edge.service_health import ServiceHealth
from gpsgrid.edge.web_server import WebServer
from gpsgrid.engine import Engine
from gpsgrid.events import NetworkSolved, PayloadArrived
from gpsgrid.health import Health, StationHealth
from gpsgrid.problem import refusal_of
from gpsgrid.rehearsal import START_NS, rehearsal_network, rover_body, station_payloads
from gpsgrid.rover_body import MAX_BODY_BYTES
from models.rover import RoverStatus
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason

CONFIG = NetworkConfig(rehearsal_network())
LAST_NS = START_NS + 2 * NS_PER_S
BODY = rover_body(LAST_NS)
SOON_S = 10.0


def _fed_engine() -> Engine:
    engine = build_engine(CONFIG)
    for epoch in range(3):
        for station, payload in station_payloads(CONFIG.network, START_NS + epoch * NS_PER_S):
            engine.handle(PayloadArrived(station, payload, 0))
    return engine


@asynccontextmanager
async def _client(service: object) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gpsgrid") as client:
        yield client


@asynccontextmanager
async def _real(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    service = Service(engine, CONFIG)
    task = asyncio.create_task(service.run())
    async with asyncio.timeout(SOON_S):
        await service.ready.wait()
    try:
        async with _client(service) as client:
            yield client
    finally:
        service.stop()
        await task


class FakeService:
    """A service whose answers are prescribed."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.config = CONFIG
        self.metrics = Metrics()
        self.answer = answer
        self.asked = []
        self.solved: NetworkSolved | None = NetworkSolved(START_NS, ("A", "B"), ("C", "D"), 9, 0.9, 1.1, 0, 0)
        self.solved_ago_s: float | None = 0.5

    async def ask(self, asked):
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def health(self):
        stations = {
            "A": StationHealth(7, START_NS, missed=3, repeated=2, out_of_order=1),
            "C": StationHealth(3, START_NS - 1),
        }
        engine = Health(7, stations, last_epoch_ns=START_NS)
        engine.answers["fixed"] = 5
        engine.refusals[Reason.BAD_CRC] = 2
        return ServiceHealth(engine, self.solved, self.solved_ago_s, 3, 0, 0, None, 0, 0)


def _fixed() -> Answer:
    position_m = np.array(CONFIG.network.stations[0].position_m)
    return Answer("r", START_NS, RoverStatus.FIXED, position_m, np.diag([1e-4, 1e-4, 4e-4]), "ITRF2014", 2021.0)


# ---- with the real engine


async def test_a_position_is_answered_in_full():
    async with _real(_fed_engine()) as client:
        response = await client.post("/v1/position", content=BODY, headers={"X-Request-ID": "rover-1"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "rover-1"
    name, _, latency_ms = response.headers["server-timing"].partition(";dur=")
    document = response.json()
    assert name == "answer"
    assert 0.0 < document["timing"]["latency_ms"] <= float(latency_ms) + 0.01
    assert document["request"] == "rover-1"
    assert document["time_gpst"] == "2021-01-01T12:00:02.000"
    assert document["status"] in {"fixed", "partial", "float"}
    assert document["position"]["latitude_deg"] == pytest.approx(52.1, abs=1e-5)  # one metre: it is a float solution
    assert document["position"]["frame"] == "ITRF2014"
    assert np.array(document["covariance_m2"]).shape == (3, 3)
    assert len(document["sd_enu_m"]) == 3
    assert len(document["satellites"]["used"]) >= 5
    assert document["age_s"] == 0.0
    assert document["master"] in {"A", "B", "C", "D"}
    assert document["refusal"] is None


REFUSED = {
    "no body": (b"", {}, 400, "malformed"),
    "junk": (b"this is no RTCM", {}, 400, "malformed"),
    "a damaged frame": (BODY[:-1] + bytes([BODY[-1] ^ 1]), {}, 400, "bad_crc"),
    "oversized": (b"\xd3" * (MAX_BODY_BYTES + 1), {}, 413, "oversized"),
    "four satellites": (rover_body(LAST_NS, satellites=4), {}, 422, "too_few_satellites"),
    "far outside": (rover_body(LAST_NS, place_deg=(48.0, 11.0)), {}, 422, "outside_network"),
    "another time": (rover_body(LAST_NS + 3600 * NS_PER_S), {}, 503, "stale_network"),
    "a height that is none": (BODY, {"antenna_height": "tall"}, 422, "bad_parameter"),
    "a mast as high as a mountain": (BODY, {"antenna_height": "4000"}, 422, "bad_parameter"),
}


@pytest.mark.parametrize(("body", "parameters", "status", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_refusals_are_problem_documents(body: bytes, parameters: dict, status: int, reason: str):
    async with _real(_fed_engine()) as client:
        response = await client.post("/v1/position", content=body, params=parameters, headers={"X-Request-ID": "q"})
        assert (await client.post("/v1/position", content=BODY)).status_code == 200  # the service goes on
    document = response.json()
    assert (response.status_code, document["reason"]) == (status, reason), document
    assert response.headers["content-type"] == "application/problem+json"
    assert document["status"] == status
    assert document["type"] == f"urn:gpsgrid:problem:{reason}"
    assert document["title"]
    assert len(document["detail"]) > 20
    assert ("retry-after" in response.headers) == (status == 503)


async def test_without_a_network_epoch_one_is_told_to_come_back():
    async with _real(build_engine(CONFIG)) as client:
        response = await client.post("/v1/position", content=BODY)
        health = await client.get("/v1/health")
    assert (response.status_code, response.json()["reason"]) == (503, "no_network")
    assert int(response.headers["retry-after"]) >= 1
    assert (health.status_code, health.json()["status"]) == (503, "waiting")


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit():
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b"\xd3" * 4096

    async with _real(build_engine(CONFIG)) as client:
        response = await client.post("/v1/position", content=endless())
    assert response.status_code == 413
    assert sent < 1000


async def test_counters_reach_the_metrics():
    async with _real(_fed_engine()) as client:
        await client.post("/v1/position", content=BODY)
        await client.post("/v1/position", content=b"junk")
        text = (await client.get("/metrics")).text
        await client.post("/v1/position", content=b"")
        await client.get("/v1/nothing")
        later = (await client.get("/metrics")).text
    assert 'gpsgrid_refusals_total{reason="malformed"} 1.0' in text
    assert 'gpsgrid_door_refusals_total{door="http",reason="malformed"} 1.0' in later
    assert 'gpsgrid_door_refusals_total{door="http",reason="not_found"} 1.0' in later
    assert 'gpsgrid_answer_latency_seconds_count{door="http"} 2.0' in text
    assert 'gpsgrid_answers_total{status="none"} 1.0' in text
    assert "gpsgrid_network_epochs_total 3.0" in text
    assert "gpsgrid_queue_depth 0.0" in text


# ---- with prescribed answers


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_has_a_status(reason: Reason):
    async with _client(FakeService(refusal("r", reason, "because", START_NS))) as client:
        response = await client.post("/v1/position", content=b"x")
    document = response.json()
    assert response.status_code == document["status"] == refusal_of(reason).status
    assert (document["reason"], document["detail"], document["age_s"]) == (str(reason), "because", None)
    assert ("retry-after" in response.headers) == (response.status_code == 503)
    assert "server-timing" in response.headers


async def test_the_antenna_is_handed_on():
    service = FakeService(_fixed())
    parameters = {"antenna": "TRM59800.00     NONE", "antenna_serial": "7", "antenna_height": "1.5"}
    async with _client(service) as client:
        await client.post("/v1/position", content=b"x", params=parameters)
    (asked,) = service.asked
    assert (asked.antenna, asked.antenna_serial, asked.antenna_height_m) == ("TRM59800.00     NONE", "7", 1.5)
    assert asked.payload == b"x"


async def test_what_is_not_known_is_null():
    async with _client(FakeService(_fixed())) as client:
        document = (await client.post("/v1/position", content=b"x")).json()
    assert [document[key] for key in ("wrong_fix_probability", "age_s", "cell", "master", "refusal")] == [None] * 5


@pytest.mark.parametrize("error", [EngineFailedError("internal error (KeyError)"), RuntimeError("secret")])
async def test_a_bug_is_a_problem_too(error: Exception):
    async with _client(FakeService(error)) as client:
        response = await client.post("/v1/position", content=b"x")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "internal error" in response.json()["detail"]
    assert "secret" not in response.text


async def test_other_paths_and_methods_are_problems():
    async with _client(FakeService(_fixed())) as client:
        nothing = await client.get("/v1/nothing")
        wrong = await client.get("/v1/position")
    assert (nothing.status_code, wrong.status_code) == (404, 405)
    assert {nothing.headers["content-type"], wrong.headers["content-type"]} == {"application/problem+json"}
    assert wrong.headers["allow"] == "POST"


async def test_stations_say_how_they_are():
    async with _client(FakeService(_fixed())) as client:
        document = (await client.get("/v1/stations")).json()
    assert (document["network"], document["frame"]) == ("rehearsal", "ITRF2014")
    states = {station["id"]: station["state"] for station in document["stations"]}
    assert states == {"A": "streaming", "B": "never", "C": "missing", "D": "never"}
    first = document["stations"][0]
    assert first["last_epoch_gpst"] == "2021-01-01T12:00:00.000"
    assert [first[f"{kind}_epochs"] for kind in ("missed", "repeated", "out_of_order")] == [3, 2, 1]


async def test_health_follows_the_network():
    service = FakeService(_fixed())
    async with _client(service) as client:
        fine = await client.get("/v1/health")
        service.solved_ago_s = 60.0
        stale = await client.get("/v1/health")
    assert (fine.status_code, fine.json()["status"]) == (200, "ok")
    assert fine.json()["refusals"] == {"bad_crc": 2}
    assert fine.json()["missing"] == ["C", "D"]
    assert (stale.status_code, stale.json()["status"]) == (503, "stale")


async def test_metrics_are_complete():
    async with _client(FakeService(_fixed())) as client:
        response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    for line in (
        'gpsgrid_refusals_total{reason="bad_crc"} 2.0',
        'gpsgrid_answers_total{status="fixed"} 5.0',
        "gpsgrid_fixed_share 0.9",
        "gpsgrid_queue_depth 3.0",
        'gpsgrid_station_epochs_total{station="A"} 7.0',
        'gpsgrid_station_missed_epochs_total{station="A"} 3.0',
        'gpsgrid_station_repeated_epochs_total{station="A"} 2.0',
        'gpsgrid_station_out_of_order_epochs_total{station="A"} 1.0',
        'gpsgrid_station_streaming{station="C"} 0.0',
    ):
        assert line in response.text


async def test_the_reference_describes_bodies_examples_and_problems():
    async with _client(FakeService(_fixed())) as client:
        document = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 200
    post = document["paths"]["/v1/position"]["post"]
    assert {"application/octet-stream", "application/json"} < set(post["requestBody"]["content"])
    assert {one["name"] for one in post["parameters"]} == {
        "antenna",
        "antenna_serial",
        "antenna_height",
        "lat",
        "lon",
        "height",
        "frame",
        "frame_epoch",
        "wait",
        "explain",
        "Content-Encoding",
        "X-Request-ID",
    }
    answer = post["responses"]["200"]["content"]["application/json"]
    single, several = answer["schema"]["anyOf"]
    assert {*answer["example"], "refusal"} == set(single["properties"])  # null is left out of the reference
    assert several["items"] == single
    for status in ("400", "413", "422", "503"):
        assert "application/problem+json" in post["responses"][status]["content"]
    assert "$ref" not in json.dumps(answer)


# ---- over a socket


async def test_the_server_runs_in_our_loop_and_stops():
    async with WebServer(create_app(FakeService(_fixed()))) as web, httpx.AsyncClient() as client:
        assert web.url.startswith("http://127.0.0.1:")
        responses = await asyncio.gather(*(client.post(f"{web.url}/v1/position", content=b"x") for _ in range(20)))
        started_s = time.monotonic()
    assert [response.status_code for response in responses] == [200] * 20
    assert time.monotonic() - started_s < SOON_S
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{web.url}/v1/health")


async def test_answers_do_not_wait_for_nagle():
    """Forty milliseconds an answer when forgotten."""
    async with WebServer(create_app(FakeService(_fixed()))) as web, httpx.AsyncClient() as client:
        await client.get(f"{web.url}/v1/health")
        (connection,) = web._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_port_in_use_is_an_error_that_names_it():
    app = create_app(FakeService(_fixed()))
    async with WebServer(app) as web:
        with pytest.raises(GpsgridError, match=f"127.0.0.1:{web.port}.*--port"):
            async with WebServer(app, port=web.port):
                pass
