"""``POST /v1/position`` against the real engine: every format, every representation, every parameter."""

import asyncio
import gzip
import json
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from pynmeagps import NMEAReader
from pyproj import Transformer

from gpsgrid.accept import negotiated
from gpsgrid.edge import http_examples
from gpsgrid.edge.http_body import MAX_REQUEST_BYTES, decompressed
from gpsgrid.edge.output_frame import output_frame
from gpsgrid.rehearsal import START_NS, rover_body
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.frames import ecef_from_geodetic
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
    send,
)

BODY = rover_body(LAST_NS)
EPOCH = rover_epoch()


@pytest.fixture
async def client():
    async with running(fed_engine()) as service, http_client(service) as found:
        yield found


async def ask(client, body=BODY, headers=None, **parameters):
    response = await client.post("/v1/position", content=body, params=parameters, headers=headers or {})
    assert response.status_code == 200, response.text
    return response


# ---- formats


async def test_every_format_gets_the_same_answer(client):
    bodies = {
        "rtcm3": BODY,
        "application/rinex": rinex(EPOCH),
        "application/json": epoch_json(EPOCH),
        "application/ubx": rawx(EPOCH),
    }
    answers = {}
    for name, body in bodies.items():
        for headers in ({}, {"Content-Type": name} if "/" in name else {}):
            answers[name] = (await ask(client, body, headers)).json()
    first = answers["rtcm3"]
    for name, answer in answers.items():
        assert answer["time_gpst"] == first["time_gpst"]
        assert answer["satellites"] == first["satellites"]
        # MSM7 rounds codes to 0.6 mm, RINEX to 1 mm; the float position is a hundred times as sensitive. In UBX the
        # codes of L2 are of another signal than at the stations, and so are worth less.
        limit_m = 1.0 if name == "application/ubx" else 0.01
        np.testing.assert_allclose(answer["position"]["ecef_m"], first["position"]["ecef_m"], atol=limit_m)


async def test_the_example_of_the_reference_is_answered(client):
    answer = (await ask(client, json.dumps(http_examples.EPOCH).encode())).json()
    assert answer["position"]["latitude_deg"] == pytest.approx(52.1, abs=1e-5)


async def test_gzip_is_undone(client):
    plain = (await ask(client)).json()
    half = len(BODY) // 2
    for packed in (gzip.compress(BODY), gzip.compress(BODY[:half]) + gzip.compress(BODY[half:])):
        answer = (await ask(client, packed, {"Content-Encoding": "GZIP"})).json()
        assert answer["position"] == plain["position"]


def test_a_gzip_bomb_costs_no_more_than_the_limit():
    bomb = gzip.compress(bytes(200 * MAX_REQUEST_BYTES))
    assert len(bomb) < MAX_REQUEST_BYTES
    tracemalloc.start()
    with pytest.raises(GpsgridError) as caught:
        decompressed(bomb, "gzip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason is Reason.OVERSIZED
    assert peak < 4 * MAX_REQUEST_BYTES


def test_many_small_gzip_members_are_refused():
    with pytest.raises(GpsgridError, match="members"):
        decompressed(gzip.compress(b"x") * 10_000, "gzip")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(BODY)[:-9], zlib.compress(BODY)])
def test_what_is_no_gzip_is_malformed(body):
    with pytest.raises(GpsgridError) as caught:
        decompressed(body, "gzip")
    assert caught.value.reason is Reason.MALFORMED


# ---- several epochs


@pytest.mark.parametrize("kind", ["rtcm3", "rinex", "json", "ubx"])
async def test_several_epochs_are_answered_as_a_list_in_their_order(client, kind):
    epochs = [rover_epoch(START_NS + k * NS_PER_S) for k in range(EPOCHS)]
    body = {
        "rtcm3": lambda: b"".join(rover_body(epoch.time_ns) for epoch in epochs),
        "rinex": lambda: rinex(*epochs),
        "json": lambda: epoch_json(*epochs),
        "ubx": lambda: b"".join(rawx(epoch) for epoch in epochs),
    }[kind]()
    answers = (await ask(client, body)).json()
    assert [answer["time_gpst"][-6:] for answer in answers] == ["00.000", "01.000", "02.000"]
    assert [answer["age_s"] for answer in answers] == [0.0] * EPOCHS
    for epoch, answer in zip(epochs, answers, strict=True):
        alone = (await ask(client, epoch_json(epoch))).json()
        limit_m = 1.0 if kind == "ubx" else 0.01
        np.testing.assert_allclose(answer["position"]["ecef_m"], alone["position"]["ecef_m"], atol=limit_m)


async def test_an_epoch_that_is_refused_stands_in_the_list_with_its_reason(client):
    few = EPOCH.rows(np.isin(EPOCH.satellite, np.unique(EPOCH.satellite)[:3]))
    body = epoch_json(at(few, START_NS), EPOCH)
    refused, answered = (await ask(client, body)).json()
    assert (refused["status"], refused["refusal"], refused["position"]) == ("none", "too_few_satellites", None)
    assert answered["refusal"] is None
    features = (await ask(client, body, {"Accept": "application/geo+json"})).json()["features"]
    assert [feature["geometry"] is None for feature in features] == [True, False]
    lines = (await ask(client, body, {"Accept": "application/nmea"})).text.split("\r\n")
    assert [line.split(",")[6] for line in lines if line] == ["0", "5"]


# ---- parameters


async def test_the_antenna_of_rinex_lowers_the_answer_to_the_marker(client):
    high = (await ask(client, rinex(EPOCH, antenna_height_m=2.0))).json()["position"]["height_m"]
    plain = (await ask(client, rinex(EPOCH))).json()["position"]["height_m"]
    stated = (await ask(client, rinex(EPOCH, antenna_height_m=2.0), antenna_height=0.5)).json()["position"]["height_m"]
    assert high == pytest.approx(plain - 2.0, abs=1e-6)
    assert stated == pytest.approx(plain - 0.5, abs=1e-6)


async def test_a_frame_is_pyproj_s(client):
    for frame, code in (("ETRF2000", "EPSG:7931"), ("EPSG:7930", "EPSG:7930"), ("itrf2008", "EPSG:7911")):
        answer = (await ask(client, frame=frame)).json()
        expected = Transformer.from_crs("EPSG:7789", code).transform(*answer["position"]["ecef_m"], 2021.0)[:3]
        output = answer["output"]
        np.testing.assert_allclose(output["coordinates"], expected, rtol=0, atol=1e-9 if "EPSG" not in frame else 1e-6)
        assert (output["frame"], output["epoch"], len(output["axes"])) == (frame, 2021.0, 3)
        assert answer["position"]["frame"] == "ITRF2014"


async def test_a_frame_that_is_good_to_a_decimetre_says_so(client):
    answer = (await ask(client, frame="EPSG:25831")).json()
    assert answer["output"]["accuracy_m"] == 0.1
    assert answer["output"]["axes"][0] == "Easting (metre)"
    assert any("only good to 0.1 m" in warning for warning in answer["warnings"])


def test_an_epoch_is_a_matter_of_frames_that_stay_on_their_plate():
    network = CONFIG.network
    with pytest.raises(GpsgridError, match="velocities") as caught:
        output_frame(network, "ITRF2008", 2010.0)
    assert caught.value.reason is Reason.UNKNOWN_FRAME
    plate = replace(network, frame="ETRF2000")
    early, late = (output_frame(plate, "EPSG:7789", epoch) for epoch in (2010.0, 2020.0))
    position_m = ecef_from_geodetic(np.radians(52.0), np.radians(5.0), 0.0)
    moved_m = np.subtract(late.document(position_m).coordinates, early.document(position_m).coordinates)
    assert np.linalg.norm(moved_m) == pytest.approx(0.25, abs=0.02)  # Europe moves 2.5 cm a year


@pytest.mark.parametrize(
    "frame",
    ["nonsense", "EPSG:99999999", "EPSG:28992", "+proj=longlat +nadgrids=/etc/passwd", "+init=epsg:4326", '{"a":1}'],
)
def test_frames_that_are_none_are_refused(frame):
    with pytest.raises(GpsgridError) as caught:
        output_frame(CONFIG.network, frame, None)
    assert caught.value.reason is Reason.UNKNOWN_FRAME


async def test_an_approximate_position_helps_where_the_codes_contradict_each_other(client):
    """Four of eleven codes are off by kilometres: no position from codes; phases and the other codes are still good."""
    code_m = EPOCH.pseudorange_m.copy()
    bad = np.isin(EPOCH.satellite, np.unique(EPOCH.satellite)[[0, 3, 6, 9]])
    code_m[bad] += np.linspace(2e3, 9e3, bad.sum())
    body = epoch_json(replace(EPOCH, pseudorange_m=code_m))
    refused = await client.post("/v1/position", content=body)
    assert (refused.status_code, refused.json()["reason"]) == (422, "no_code_position")
    answer = (await ask(client, body, lat=52.104, lon=5.195, height=50, explain=1)).json()
    assert answer["position"]["latitude_deg"] == pytest.approx(52.1, abs=1e-5)
    assert "kilometres off" in answer["warnings"][0]
    causes = [one["cause"] for one in answer["explanation"]["satellites"]]
    assert causes.count("code_residual") == 4
    nonsense = await client.post("/v1/position", content=body, params={"lat": -52.1, "lon": 5.2, "height": 50})
    assert (nonsense.status_code, nonsense.json()["reason"]) == (422, "no_code_position")


async def test_an_approximate_position_that_the_codes_contradict_is_told_and_not_used(client):
    plain = (await ask(client)).json()
    answer = (await ask(client, lat=53.0, lon=5.2)).json()
    assert answer["position"] == plain["position"]
    assert "100.1 km" in answer["warnings"][0]


async def test_how_long_to_wait_for_the_network_is_the_askers_choice():
    """An epoch that the network has not seen is answered from an older one when the wait is over."""
    async with running(fed_engine()) as service, http_client(service) as client:
        early = (await ask(client, rover_body(LAST_NS + NS_PER_S), wait=0.0)).json()
        assert early["age_s"] == 1.0
        waiting = asyncio.create_task(ask(client, rover_body(LAST_NS + NS_PER_S), wait=4.0))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await send(service, EPOCHS)
        assert (await waiting).json()["age_s"] == 0.0


# ---- explained


async def test_an_explanation_names_every_satellite_with_its_residuals(client):
    answer = (await ask(client, explain=1)).json()
    explanation = answer["explanation"]
    names = [one["satellite"] for one in explanation["satellites"]]
    assert names == sorted({f"G{number:02d}" for number in EPOCH.satellite.tolist()})
    used = [one["satellite"] for one in explanation["satellites"] if one["used"]]
    assert used == answer["satellites"]["used"]
    for one in explanation["satellites"]:
        assert one["text"].startswith(one["satellite"])
        if one["used"]:
            assert one["cause"] == "used"
            assert [residual["signal"] for residual in one["residuals"]] == ["1C", "2W"]
            assert max(abs(residual["code_m"]) for residual in one["residuals"]) < 0.5
            assert one["elevation_deg"] > 10.0
    assert len(explanation["text"]) > 20
    assert (await ask(client)).json()["explanation"] is None


async def test_reasons_are_those_of_the_observations(client):
    """One satellite has one carrier, one may be half a cycle off, one a code that is wrong by 30 m."""
    satellites = np.unique(EPOCH.satellite)
    plain = (await ask(client, explain=1)).json()["explanation"]["satellites"]
    high = [one["satellite"] for one in sorted(plain, key=lambda one: -(one["elevation_deg"] or 0.0))]
    one_carrier, half, wrong = (satellites[[f"G{s:02d}" for s in satellites].index(name)] for name in high[1:4])
    rows = ~((EPOCH.satellite == one_carrier) & (EPOCH.signal == EPOCH.signal.max()))
    half_cycle = EPOCH.half_cycle | (EPOCH.satellite == half)
    code_m = EPOCH.pseudorange_m + 30.0 * (EPOCH.satellite == wrong)
    body = epoch_json(replace(EPOCH, half_cycle=half_cycle, pseudorange_m=code_m).rows(rows))
    answer = (await ask(client, body, explain=1)).json()
    findings = {one["satellite"]: one for one in answer["explanation"]["satellites"]}
    causes = [findings[name]["cause"] for name in high[1:4]]
    assert causes == ["one_carrier", "half_cycle", "code_residual"]
    assert "there is 1C" in findings[high[1]]["text"]
    assert "half a cycle" in findings[high[2]]["text"]
    assert "is off by +30" in findings[high[3]]["text"] or "is off by +29" in findings[high[3]]["text"]
    assert f"against station {answer['master']}" in findings[high[3]]["text"]
    assert findings[high[3]]["residuals"][0]["code_m"] == pytest.approx(30.0, abs=1.0)


async def test_refusals_are_explained_too(client):
    one_carrier = EPOCH.rows(EPOCH.signal == EPOCH.signal.min())
    response = await client.post("/v1/position", content=epoch_json(one_carrier), params={"explain": True})
    document = response.json()
    assert document["reason"] == "unsupported_signal"
    assert {one["cause"] for one in document["explanation"]["satellites"]} == {"one_carrier"}


# ---- representations


async def test_nmea_is_read_by_others(client):
    answer = (await ask(client)).json()
    for media_type in ("application/nmea", "text/plain"):
        response = await ask(client, headers={"Accept": media_type})
        assert response.headers["content-type"].startswith(media_type)
        said = NMEAReader.parse(response.content)
        assert said.lat == pytest.approx(answer["position"]["latitude_deg"], abs=1e-9)
        assert said.lon == pytest.approx(answer["position"]["longitude_deg"], abs=1e-9)
        assert said.alt + float(said.sep) == pytest.approx(answer["position"]["height_m"], abs=1e-4)
        assert (said.quality, said.numSV) == (5, len(answer["satellites"]["used"]))
        assert str(said.time) == "11:59:44"  # UTC


async def test_geojson_is_a_feature(client):
    answer = (await ask(client)).json()
    response = await ask(client, headers={"Accept": "application/geo+json"})
    feature = response.json()
    assert response.headers["content-type"] == "application/geo+json"
    assert feature["type"] == "Feature"
    longitude, latitude, height = feature["geometry"]["coordinates"]
    assert (longitude, latitude) == pytest.approx(
        (answer["position"]["longitude_deg"], answer["position"]["latitude_deg"]), abs=1e-9
    )
    assert height == pytest.approx(answer["position"]["height_m"], abs=1e-4)
    assert feature["properties"]["frame"] == "ITRF2014"
    assert feature["properties"]["status"] == answer["status"]


OFFERED = ("application/json", "application/geo+json", "text/plain")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/plain"),
        ("application/*", "application/json"),
        ("application/geo+json", "application/geo+json"),
        ("APPLICATION/GEO+JSON;Q=0.5", "application/geo+json"),
        ("application/json;q=0.1, text/plain", "text/plain"),
        ("application/json;q=0, */*;q=0.1", "application/geo+json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=7", None),
        ("nonsense", None),
        (",,;", None),
    ],
)
def test_representations_are_negotiated(accept, expected):
    assert negotiated(accept, OFFERED) == expected
