"""``network.toml``: what it says, and every mistake at once in words that help."""

import copy
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpsgrid.config import MqttConfig, NetworkConfig, parse_config, parse_network
from gpsgrid.edge.settings import load_network
from stations.catalog import Network, Station
from stations.errors import GpsgridError, Reason

TEXT = """
[network]
name = "nl"
frame = "ITRF2014"
epoch = 2021.0
navigation = ["a.rnx", "b.rnx"]
antennas = "nl.atx"

[[station]]
id = "DELF"
position = [3924687.2159, 301133.2568, 5001911.1479]
antenna = "TRM29659.00 UNAV"
antenna_serial = "0220314044"
antenna_height = 0.05
observations = "delf0010.21o"

[[station]]
id = "ZEGV"
position = [3908909.8758, 330933.2631, 5012262.9499]
antenna = "SEPCHOKE_B3E6   SPKE"
topic = "raw/zegv"

[[station]]
id = "ROVN-2"
position = [3859571.3048, 413008.1578, 5044091.9393]
antenna = "SEPCHOKE_B3E6   SPKE"
antenna_height = 1
observations = ["a*.21o", "b.21o"]
ntrip = "ntrip://user:secret@host:2101/ROVN"

[mqtt]
url = "mqtts://broker:8883"
prefix = "test/v1"

[grid]
resolution = 6

[align]
deadline_ms = 250
"""


def document() -> dict:
    return tomllib.loads(TEXT)


def mistakes(data: dict) -> list[str]:
    with pytest.raises(GpsgridError) as raised:
        parse_config(data, ".")
    assert raised.value.reason is Reason.BAD_CONFIG
    errors = raised.value.facts["errors"]
    assert all(error in str(raised.value) for error in errors)
    return errors


def test_everything_is_read():
    config = parse_config(document(), "folder")
    stations = (
        Station(
            "DELF",
            (3924687.2159, 301133.2568, 5001911.1479),
            "TRM29659.00     UNAV",
            "0220314044",
            0.05,
            ("delf0010.21o",),
        ),
        Station("ZEGV", (3908909.8758, 330933.2631, 5012262.9499), "SEPCHOKE_B3E6   SPKE", topic="raw/zegv"),
        Station(
            "ROVN-2",
            (3859571.3048, 413008.1578, 5044091.9393),
            "SEPCHOKE_B3E6   SPKE",
            antenna_height_m=1.0,
            observations=("a*.21o", "b.21o"),
        ),
    )
    network = Network("nl", "ITRF2014", 2021.0, stations, ("a.rnx", "b.rnx"), "nl.atx", "folder")
    assert config == NetworkConfig(
        network,
        MqttConfig("mqtts://broker:8883", "test/v1"),
        6,
        250,
        {"ROVN-2": "ntrip://user:secret@host:2101/ROVN"},
    )
    assert parse_network(document(), "folder") == network


def test_defaults():
    data = {key: document()[key] for key in ("network", "station")}
    config = parse_config(data, ".")
    assert (config.mqtt, config.grid_resolution, config.align_deadline_ms) == (MqttConfig("", "gpsgrid/v1"), 5, 300)
    delf, zegv, _ = config.network.stations
    assert (config.topic_of(delf), config.topic_of(zegv)) == ("gpsgrid/v1/stations/DELF/rtcm3", "raw/zegv")


def test_frame_may_be_an_epsg_number():
    data = document()
    data["network"]["frame"] = 7789
    assert parse_network(data, ".").frame == "EPSG:7789"


def test_station_without_antenna_needs_a_network_without_antenna_file():
    data = document()
    del data["station"][1]["antenna"]
    (error,) = mistakes(data)
    assert error.startswith("[station] 'ZEGV': antenna is missing")
    assert "nl.atx" in error
    del data["network"]["antennas"]
    assert parse_network(data, ".").station("ZEGV").antenna == ""


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("network", "name"), 3, "[network]: name is 3 (a whole number); expected text in quotes"),
        (("network", "name"), "", "[network]: name is empty"),
        (("network", "frame"), True, "[network]: frame is True (true/false)"),
        (("network", "epoch"), "2021", "[network]: epoch is '2021' (text); expected a number from 1980 to 2100"),
        (("network", "epoch"), 21.0, "[network]: epoch is 21.0"),
        (("network", "navigation"), [1], "[network]: navigation is [1] (a list)"),
        (("network", "navigatoin"), "x", "[network]: 'navigatoin' is not known; did you mean 'navigation'?"),
        (("network",), 5, "network is 5 (a whole number); expected a table [network]"),
        (("stations",), [], "'stations' is not known; did you mean 'station'?"),
        (("station",), {}, "station is not written as a table [[station]]"),
        (("station",), [], "station is not written as a table [[station]]"),
        (("station", 0, "id"), "DE LF", "[station] 'DE LF': id is 'DE LF'; expected 1 to 16 letters"),
        (("station", 0, "id"), "D" * 17, "expected 1 to 16 letters, digits, '_' or '-'"),
        (("station", 0, "id"), "DELF\n", "expected 1 to 16 letters"),
        (("station", 0, "id"), "ZEGV", "station id 'ZEGV' is used 2 times"),
        (
            ("station", 0, "position"),
            [1.0, 2.0],
            "[station] 'DELF': position is [1.0, 2.0] (a list); expected a list of 3",
        ),
        (("station", 0, "position"), [1.0, 2.0, True], "expected a list of 3 numbers (ECEF metres)"),
        (("station", 0, "position"), [52.0, 4.4, 74.0], "position is 0.1 km from the centre of the Earth"),
        (("station", 0, "position"), [3924687.0, 301133.0, float("nan")], "expected a list of 3 numbers"),
        (("station", 0, "position"), [3924687.0, 301133.0, 10**400], "expected a list of 3 numbers"),
        (("station", 0, "antenna_height"), "abc", "antenna_height is 'abc' (text); expected a number"),
        (
            ("station", 0, "antenna_height"),
            5000.0,
            "antenna_height is 5000.0 (a number); expected a number from -100 to",
        ),
        (("station", 0, "antenna_serial"), 220314044, "antenna_serial is 220314044 (a whole number); expected text"),
        (("station", 0, "antena"), "x", "'antena' is not known; did you mean 'antenna'?"),
        (("station", 0, "observations"), 7, "observations is 7 (a whole number); expected text in quotes or a list"),
        (("station", 1, "topic"), "raw/#", "topic is 'raw/#'"),
        (("station", 1, "ntrip"), "ntrip://host/M", "ntrip and topic are both given"),
        (("station", 0, "ntrip"), "http://host/M", "ntrip does not start with 'ntrip://'"),
        (("mqtt", "url"), "broker", "[mqtt]: url does not start with 'mqtt://'"),
        (("mqtt", "prefix"), "/a/+", "[mqtt]: prefix is '/a/+'"),
        (("grid", "resolution"), 16, "[grid]: resolution is 16"),
        (("grid", "resolution"), 5.0, "[grid]: resolution is 5.0 (a number); expected a whole number from 0 to 15"),
        (("align", "deadline_ms"), 0, "[align]: deadline_ms is 0"),
        (("align", "dedline"), 1, "did you mean 'deadline_ms'?"),
    ],
)
def test_mistake_is_named_with_what_was_expected(path, value, expected):
    data = document()
    target = data
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    found = mistakes(data)
    assert any(expected in error for error in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    "path", [("network", "name"), ("network", "frame"), ("network", "epoch"), ("network",), ("station",)]
)
def test_missing_is_named(path):
    data = document()
    target = data if len(path) == 1 else data[path[0]]
    del target[path[-1]]
    (error,) = mistakes(data)
    assert f"{path[-1]} is missing" in error


def test_all_mistakes_come_at_once():
    data = document()
    data["network"]["epoch"] = "x"
    data["station"][0]["position"] = []
    data["station"][1]["id"] = "a b"
    data["station"][2]["color"] = "red"
    data["grid"]["resolution"] = "fine"
    data["extra"] = {}
    assert len(mistakes(data)) == 6


def test_passwords_are_not_repeated():
    data = document()
    data["station"][0]["ntrip"] = "ntrap://user:hunter2@host/M"
    data["mqtt"]["url"] = ["mqtt://user:hunter2@host"]
    with pytest.raises(GpsgridError) as raised:
        parse_config(data, ".")
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in str(raised.value.facts)


def parsed(data: dict) -> NetworkConfig | GpsgridError:
    try:
        return parse_config(data, ".")
    except GpsgridError as error:
        return error


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=150)
def test_any_value_anywhere_gives_values_or_our_error(data):
    damaged = copy.deepcopy(document())
    target = data.draw(
        st.sampled_from([damaged, damaged["network"], damaged["station"][0], damaged["mqtt"], damaged["grid"]])
    )
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(VALUES)
    outcome = parsed(damaged)
    assert isinstance(outcome, NetworkConfig) or (outcome.reason is Reason.BAD_CONFIG and outcome.facts["errors"])


def test_file(tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(TEXT)
    assert load_network(path) == parse_config(document(), str(tmp_path), str(path))


def test_file_is_missing(tmp_path):
    with pytest.raises(GpsgridError, match=r"network.toml does not exist") as raised:
        load_network(tmp_path / "network.toml")
    assert raised.value.reason is Reason.MISSING_FILE


@pytest.mark.parametrize(("content", "line"), [(b"[network]\nname = \n", 2), (b"\xff\xfe", None), (b"[network", None)])
def test_file_is_no_toml(tmp_path, content, line):
    path = tmp_path / "network.toml"
    path.write_bytes(content)
    with pytest.raises(GpsgridError, match=r"network\.toml is not") as raised:
        load_network(path)
    assert raised.value.reason is Reason.BAD_CONFIG
    assert raised.value.facts.get("line") == line


def test_mistakes_name_the_file(tmp_path):
    path = tmp_path / "network.toml"
    path.write_text("[network]\n")
    with pytest.raises(GpsgridError, match=r"network\.toml has 4 mistakes"):
        load_network(path)


@pytest.mark.data
def test_shared_networks_are_valid(shared_data):
    paths = sorted(shared_data.glob("*/*.toml"))
    assert len(paths) >= 6
    for path in paths:
        assert len(load_network(path).network.stations) >= 5


# ---- live sources and topic patterns


def test_streams_and_topic_patterns_are_read():
    data = document()
    del data["station"][2]["ntrip"]
    data["station"][2]["stream"] = "tcp://receiver:9000"
    data["mqtt"]["station_topic"] = "rtcm/{id}/raw"
    config = parse_config(data, ".")
    assert config.stream_urls == {"ROVN-2": "tcp://receiver:9000"}
    assert config.ntrip_urls == {}
    topics = [config.topic_of(station) for station in config.network.stations]
    assert topics == ["rtcm/DELF/raw", "raw/zegv", "rtcm/ROVN-2/raw"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("ntrip", "ntrip://u:hunter2@host", "ntrip names no mountpoint"),
        ("ntrip", "ntrip://u:hunter2@host:x/M", "ntrip has a port that is not a number"),
        ("stream", "udp://host:1", "stream does not start with 'tcp://' or 'serial://'"),
        ("stream", "tcp://host", "stream names no port"),
        ("stream", 5, "stream is (a whole number); expected text"),
        ("stream", "tcp://host:1", "stream and ntrip are both given"),
    ],
)
def test_wrong_sources_are_named_without_passwords(key: str, value: object, expected: str):
    data = document()
    data["station"][2][key] = value
    errors = mistakes(data)
    assert any(error.startswith(f"[station] 'ROVN-2': {expected}") for error in errors), errors
    assert "hunter2" not in str(errors)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("rtcm/raw", "expected {id} as exactly one of its levels"),
        ("rtcm/{id}/{id}", "expected {id} as exactly one of its levels"),
        ("rtcm/st-{id}/raw", "expected {id} as exactly one of its levels"),
        ("rtcm/{id}/{net}", "expected {id} as exactly one of its levels"),
        ("/rtcm/{id}", "without '+', '#' and outer '/'"),
        ("rtcm/+/{id}", "without '+', '#' and outer '/'"),
        ("test/v1/stations/{id}/status", "covers test/v1/stations/+/status"),
        ("test/v1/clients/{id}/query", "covers test/v1/clients/+/query"),
        ("test/v1/{id}/me/answer", "covers test/v1/clients/+/answer"),
        ("test/v1/{id}", "covers test/v1/status"),
        (3, "expected text"),
    ],
)
def test_wrong_topic_patterns_are_refused(pattern: object, expected: str):
    data = document()
    data["mqtt"]["station_topic"] = pattern
    (error,) = mistakes(data)
    assert error.startswith("[mqtt]: station_topic")
    assert expected in error


def test_cells_to_publish_are_read_and_must_fit_the_resolution():
    data = document()
    data["grid"] = {"resolution": 5, "reach_km": 30, "cells": ["85196923fffffff", "85196913fffffff"]}
    config = parse_config(data, ".")
    assert (config.cells, config.cell_reach_m) == (("85196923fffffff", "85196913fffffff"), 30_000.0)
    assert (parse_config(document(), ".").cells, parse_config(document(), ".").cell_reach_m) == ((), 15_000.0)
    data["grid"] = {"resolution": 6, "cells": ["85196923fffffff", "hello"]}
    assert [error.split("expected")[1] for error in mistakes(data)] == [" H3 indexes of resolution 6"] * 2


@pytest.mark.parametrize("pattern", ["gpsgrid/v1/clients/{id}/rtcm3", "gpsgrid/v1/cells/{id}/field"])
def test_a_pattern_of_stations_must_not_cover_what_the_service_publishes(pattern):
    data = document()
    data["mqtt"] = {"station_topic": pattern}
    (error,) = mistakes(data)
    assert "where something else is said" in error
