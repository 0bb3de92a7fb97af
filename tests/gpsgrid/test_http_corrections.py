"""Corrections for a point and cells: numbers that agree with the virtual station, and with each other."""

import asyncio
import itertools
import json

import numpy as np
import pytest
from pyrtcm import RTCMReader

from gpsgrid.edge.http import create_app
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.service_health import ServiceHealth
from gpsgrid.grid import cell_at
from gpsgrid.health import Health
from gpsgrid.point_corrections import corrections_at
from gpsgrid.rehearsal import START_NS
from gpsgrid.virtual_place import VirtualPolicy, placed
from stations.constants import NS_PER_S
from stations.feed import EpochReceived, Feed, PositionReceived
from stations.frames import ecef_from_geodetic
from stations.signals import satellite_number
from tests.gpsgrid.small_network import CONFIG, EPOCHS, SOON_S, fed_engine, http_client, running

HERE = {"lat": 52.1, "lon": 5.2, "height": 50.0}
HERE_M = ecef_from_geodetic(float(np.radians(52.1)), float(np.radians(5.2)), 50.0)


@pytest.fixture
async def service():
    async with running(fed_engine(), streams=True) as found:
        async with asyncio.timeout(SOON_S):
            while len(found.streaming.cells) < len(found.streaming.streams.standing):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield found


@pytest.fixture
async def client(service):
    async with http_client(service) as found:
        yield found


# ---- corrections


async def test_corrections_are_those_of_the_virtual_station(service, client):
    response = await client.get("/v1/corrections", params=HERE)
    document = response.json()
    assert response.status_code == 200
    np.testing.assert_allclose(document["position_m"], HERE_M, atol=1e-6)
    assert (document["frame"], document["epoch"], document["stations"]) == ("ITRF2014", 2021.0, 4)
    view = await service.view(HERE_M)
    moved = placed(VirtualPolicy(), view, document["master"], HERE_M, corrected=True, clock_m=0.0)
    rows = {int(satellite): k for k, satellite in enumerate(moved.satellite)}
    assert len(document["satellites"]) == len(rows) >= 8
    for one in document["satellites"]:
        k = rows[satellite_number(one["satellite"])]
        assert one["correction_m"] == pytest.approx(moved.correction_m[k], abs=1e-5)
        assert one["ionosphere_m"] + one["troposphere_m"] == pytest.approx(one["correction_m"], abs=2e-5)
        assert 0.0 < one["sd_m"] < 1.0
        assert one["elevation_deg"] >= 8.0
    assert 2.2 < document["zhd_m"] < 2.4  # 2.30 m at sea level
    assert 0.0 < document["zwd_difference_sd_m"] <= document["zwd_sd_m"] + 0.01


def test_at_the_master_itself_nothing_is_added():
    engine = fed_engine()
    station = CONFIG.network.stations[0]
    document = corrections_at(VirtualPolicy(), engine.view(station.marker_m), station.reference_point_m)
    assert document.master == station.id
    for one in document.satellites:
        assert abs(one.correction_m) < 1e-4


@pytest.mark.parametrize("accept", ["application/rtcm3", "application/octet-stream"])
async def test_rtcm_is_a_virtual_station_at_the_point(client, accept):
    response = await client.get("/v1/corrections", params=HERE, headers={"Accept": accept})
    assert response.headers["content-type"] == accept
    assert response.headers["x-level"] in {"full", "fewer", "nearest"}
    events = Feed("").push(response.content, START_NS)
    (position,) = [event.position for event in events if isinstance(event, PositionReceived)]
    (epoch,) = [event.epoch for event in events if isinstance(event, EpochReceived)]
    np.testing.assert_allclose(position.position_m, HERE_M, atol=1e-3)
    assert epoch.time_ns == START_NS + EPOCHS * NS_PER_S
    names = [message.identity for _, message in RTCMReader(__import__("io").BytesIO(response.content))]
    assert "1077" in names
    assert {"1005", "1006"} & set(names)


REFUSED = {
    "no parameters": ({}, "", 422, "bad_parameter"),
    "no longitude": ({"lat": 52}, "", 422, "bad_parameter"),
    "beyond the pole": ({"lat": 91, "lon": 5}, "", 422, "bad_parameter"),
    "in orbit": ({"lat": 52, "lon": 5, "height": 400_000}, "", 422, "bad_parameter"),
    "not a number": ({"lat": "nan", "lon": 5}, "", 422, "bad_parameter"),
    "far away": ({"lat": 48, "lon": 11}, "", 422, "outside_network"),
    "a picture": (HERE, "image/png", 406, "not_acceptable"),
}


@pytest.mark.parametrize(("parameters", "accept", "status", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_refusals(client, parameters, accept, status, reason):
    response = await client.get("/v1/corrections", params=parameters, headers={"Accept": accept} if accept else {})
    document = response.json()
    assert (response.status_code, document["reason"]) == (status, reason)
    assert response.headers["content-type"] == "application/problem+json"


async def test_without_a_network_epoch_and_with_an_old_one_one_is_told_to_come_back(monkeypatch):
    async with running(build_engine(CONFIG)) as service, http_client(service) as client:
        response = await client.get("/v1/corrections", params=HERE)
        assert (response.status_code, response.json()["reason"]) == (503, "no_network")
    async with running(fed_engine()) as service, http_client(service) as client:

        async def long_ago():
            return ServiceHealth(Health(0, {}), None, 99.0, 0, 0, 0, None, 0, 0)

        monkeypatch.setattr(service, "health", long_ago)
        response = await client.get("/v1/corrections", params=HERE)
        assert (response.status_code, response.json()["reason"]) == (503, "stale_network")
        assert "99 s ago" in response.json()["detail"]
        assert response.headers["retry-after"]


# ---- cells


async def test_cells_are_listed_with_their_state(service, client):
    document = (await client.get("/v1/cells")).json()
    assert (document["network"], document["frame"], document["resolution"]) == ("rehearsal", "ITRF2014", 5)
    assert [cell["cell"] for cell in document["cells"]] == list(service.streaming.streams.standing)
    homes = {cell_at(station.marker_m, 5) for station in CONFIG.network.stations}
    assert homes <= {cell["cell"] for cell in document["cells"]}
    assert {cell["state"] for cell in document["cells"]} <= {"full", "fewer", "nearest", "silent"}
    assert {cell["time_gpst"] for cell in document["cells"]} == {"2021-01-01T12:00:03.000"}


async def test_a_cell_has_its_corrections_topics_and_outline(service, client):
    name = service.streaming.streams.standing[0]
    document = (await client.get(f"/v1/cells/{name}")).json()
    assert document["status"]["cell"] == name
    assert document["topics"]["rtcm3"] == f"gpsgrid/v1/cells/{name}/rtcm3"
    outline = document["boundary_deg"]
    assert outline[0] == outline[-1]
    assert len(outline) == 7
    assert len(document["field"]["satellites"]) >= 5
    center = np.mean(outline[:-1], axis=0)
    assert cell_at(ecef_from_geodetic(*np.radians(center[::-1]), 0.0), 5) == name


async def test_cells_are_polygons_on_a_map(client):
    response = await client.get("/v1/cells", headers={"Accept": "application/geo+json"})
    collection = response.json()
    assert response.headers["content-type"] == "application/geo+json"
    for feature in collection["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        area = sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(ring))
        assert area > 0.0  # counter-clockwise, RFC 7946 3.1.6
        assert feature["properties"]["cell"] == feature["id"]


@pytest.mark.parametrize("cell", ["nonsense", "85196943fffffff", "86196943fffffff", "%20"])
async def test_a_cell_that_is_not_made_is_not_found(client, cell):
    response = await client.get(f"/v1/cells/{cell}")
    assert (response.status_code, response.json()["reason"]) == (404, "unknown_cell")


async def test_before_the_first_epoch_cells_wait_and_without_streams_there_are_none():
    async with running(build_engine(CONFIG)) as service, http_client(service) as client:
        assert (await client.get("/v1/cells")).json()["cells"] == []
        assert (await client.get("/v1/cells/85196943fffffff")).status_code == 404


def test_the_reference_has_an_example_for_every_answer():
    """Every JSON that is answered is shown, and the example is of its own schema."""
    document = create_app(_Nothing()).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                for media_type, content in response["content"].items():
                    if content["schema"].get("format") != "binary":
                        assert "example" in content, (path, method, status, media_type)
    json.dumps(document)


class _Nothing:
    config = CONFIG
    metrics = None
