"""``network.toml`` as values: a parsed TOML document in, :class:`NetworkConfig` out, all mistakes at once.

The shape of the file is a public contract: keys may be added, never renamed. Whether the named files
exist is not looked at here. URLs may hold passwords, so no message repeats one.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import h3

from gpsgrid.config_table import ConfigTable
from stations.antenna_type import antenna_type
from stations.catalog import Network, Station
from stations.errors import GpsgridError, Reason
from stations.stream_address import parse_ntrip_url, parse_stream_url

DEFAULT_PREFIX = "gpsgrid/v1"
STATION_PLACE = "{id}"  # stands for the station in a topic pattern
DEFAULT_RESOLUTION = 5
DEFAULT_DEADLINE_MS = 300
DEFAULT_REACH_KM = 15

_STATION_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_SURFACE_M = (6.3e6, 6.4e6)  # the ellipsoid lies between 6357 and 6378 km; mountains and typing errors differ clearly
_YEARS = (1980.0, 2100.0)
_TALLEST_MAST_M = 100.0
_FINEST_RESOLUTION = 15  # H3 has resolutions 0 to 15
_LONGEST_DEADLINE_MS = 60_000
_FARTHEST_KM = 120
_OURS = (
    "status",
    "stations/+/status",
    *(f"clients/+/{name}" for name in ("query", "answer", "gga", "rtcm3")),
    *(f"cells/+/{name}" for name in ("rtcm3", "field", "status")),
)


@dataclass(frozen=True)
class MqttConfig:
    """Where the broker is and where our topics start.

    Attributes:
        url: ``mqtt://`` or ``mqtts://`` URL; empty for the embedded broker.
        prefix: First levels of every topic.
        station_topic: Pattern of the topics that stations send on, with ``{id}`` as one level; empty for our own.
    """

    url: str = ""
    prefix: str = DEFAULT_PREFIX
    station_topic: str = ""


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that ``network.toml`` says.

    Attributes:
        network: The stations and the files that belong to them.
        mqtt: Broker and topics.
        grid_resolution: H3 resolution of the cells, 0 to 15.
        align_deadline_ms: How long a network epoch waits for late stations, ms.
        ntrip_urls: NTRIP sources of live stations, by station id.
        stream_urls: TCP and serial sources of live stations, by station id.
        cells: Cells whose virtual station is published; empty for all within reach of a station.
        cell_reach_m: From a station to the centre of such a cell.
    """

    network: Network
    mqtt: MqttConfig = MqttConfig()
    grid_resolution: int = DEFAULT_RESOLUTION
    align_deadline_ms: int = DEFAULT_DEADLINE_MS
    ntrip_urls: Mapping[str, str] = field(default_factory=dict)
    stream_urls: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[str, ...] = ()
    cell_reach_m: float = DEFAULT_REACH_KM * 1000.0

    @property
    def topic_pattern(self) -> str:
        """The topics of stations that have none of their own, with ``{id}`` as one level."""
        return self.mqtt.station_topic or f"{self.mqtt.prefix}/stations/{STATION_PLACE}/rtcm3"

    def topic_of(self, station: Station) -> str:
        """Return the MQTT topic on which a station's RTCM 3 frames arrive."""
        return station.topic or self.topic_pattern.replace(STATION_PLACE, station.id)


def parse_network(data: Mapping[str, object], folder: str) -> Network:
    """Return only the network of :func:`parse_config`."""
    return parse_config(data, folder).network


def parse_config(data: Mapping[str, object], folder: str, source: str = "network.toml") -> NetworkConfig:
    """Check a parsed ``network.toml`` and turn it into values.

    Args:
        data: The document as ``tomllib`` returns it.
        folder: Folder that relative paths in it start from.
        source: Name of the file, for the message.

    Raises:
        GpsgridError: ``BAD_CONFIG``; the message and ``facts["errors"]`` hold every mistake in the file.
    """
    errors: list[str] = []
    top = ConfigTable(data, "", errors)
    network = top.table("network", required=True)
    name = network.text("name", required=True)
    frame = _frame(network)
    epoch = network.number("epoch", required=True, low=_YEARS[0], high=_YEARS[1], unit="decimal year")
    navigation = network.texts("navigation")
    antennas = network.text("antennas")
    network.finish()
    entries = top.tables("station", required=True)
    live = _LiveUrls()
    stations = tuple(_station(entry, antennas=antennas, live=live) for entry in entries)
    counts = Counter(station.id for station in stations if station.id)
    errors.extend(f"station id {key!r} is used {count} times" for key, count in counts.items() if count > 1)
    mqtt = _mqtt(top.table("mqtt"))
    grid = top.table("grid")
    resolution = grid.whole("resolution", DEFAULT_RESOLUTION, 0, _FINEST_RESOLUTION)
    cells = _cells(grid, resolution)
    reach_km = grid.whole("reach_km", DEFAULT_REACH_KM, 0, _FARTHEST_KM)
    grid.finish()
    align = top.table("align")
    deadline_ms = align.whole("deadline_ms", DEFAULT_DEADLINE_MS, 1, _LONGEST_DEADLINE_MS)
    align.finish()
    top.finish()
    if errors:
        listing = "".join(f"\n  - {error}" for error in errors)
        plural = "s" if len(errors) > 1 else ""
        message = f"{source} has {len(errors)} mistake{plural}:{listing}"
        raise GpsgridError(Reason.BAD_CONFIG, message, file=source, errors=errors)
    network_of_file = Network(name, frame, epoch, stations, navigation, antennas, folder)
    reach_m = reach_km * 1000.0
    return NetworkConfig(network_of_file, mqtt, resolution, deadline_ms, live.ntrip, live.stream, cells, reach_m)


def _cells(grid: ConfigTable, resolution: int) -> tuple[str, ...]:
    cells = grid.texts("cells")
    for cell in cells:
        if not h3.is_valid_cell(cell) or h3.get_resolution(cell) != resolution:
            grid.error("cells", f"has {cell!r}; expected H3 indexes of resolution {resolution}")
    return tuple(dict.fromkeys(cells))


@dataclass(frozen=True)
class _LiveUrls:
    """Sources of live stations, by station id; filled while the stations are read."""

    ntrip: dict[str, str] = field(default_factory=dict)
    stream: dict[str, str] = field(default_factory=dict)


def _frame(network: ConfigTable) -> str:
    """Return the frame; a bare EPSG number is taken as one."""
    code = network.peek("frame")
    if isinstance(code, int) and not isinstance(code, bool):
        network.skip("frame")
        return f"EPSG:{code}"
    return network.text("frame", required=True)


def _station(entry: ConfigTable, *, antennas: str, live: _LiveUrls) -> Station:
    name = entry.text("id", required=True)
    if name:
        entry.name = repr(name)
        if not _STATION_ID.fullmatch(name):
            entry.error("id", f"is {name!r}; expected 1 to 16 letters, digits, '_' or '-'")
    position_m = _position(entry)
    antenna = antenna_type(entry.text("antenna"))
    if antennas and not antenna and isinstance(entry.peek("antenna"), str | None):
        entry.error("antenna", f"is missing; it is needed because the network names the antenna file {antennas!r}")
    serial = entry.text("antenna_serial")
    height_m = entry.number("antenna_height", low=-_TALLEST_MAST_M, high=_TALLEST_MAST_M, unit="metres")
    observations = entry.texts("observations")
    topic = entry.text("topic")
    if any(character in topic for character in "+#\0") or topic.startswith("/"):
        entry.error("topic", f"is {topic!r}; expected a topic without '+', '#' and leading '/'")
    _live_urls(entry, name, topic, live)
    entry.finish()
    return Station(name, position_m, antenna, serial, height_m, observations, topic)


def _live_urls(entry: ConfigTable, name: str, topic: str, live: _LiveUrls) -> None:
    given = ["topic"] if topic else []
    for key, urls, parse in (("ntrip", live.ntrip, parse_ntrip_url), ("stream", live.stream, parse_stream_url)):
        url = entry.text(key, secret=True)
        if not url:
            continue
        urls[name] = url
        try:
            parse(url)
        except GpsgridError as error:
            entry.error(key, str(error).removeprefix("the URL "))
        if given:
            entry.error(key, f"and {given[-1]} are both given; a station has one live source")
        given.append(key)


def _position(entry: ConfigTable) -> tuple[float, float, float]:
    nowhere = (0.0, 0.0, 0.0)
    values = entry.numbers("position", 3, unit="ECEF metres")
    if values is None:
        return nowhere
    radius_m = math.hypot(*values)
    if not _SURFACE_M[0] <= radius_m <= _SURFACE_M[1]:
        entry.error(
            "position",
            f"is {radius_m / 1000.0:.1f} km from the centre of the Earth; expected ECEF metres X, Y, Z"
            f" near the surface ({_SURFACE_M[0] / 1000.0:.0f} to {_SURFACE_M[1] / 1000.0:.0f} km)",
        )
    return values[0], values[1], values[2]


def _mqtt(table: ConfigTable) -> MqttConfig:
    url = table.text("url", secret=True)
    if url and not url.startswith(("mqtt://", "mqtts://")):
        table.error("url", "does not start with 'mqtt://' or 'mqtts://'; expected for instance mqtt://localhost:1883")
    prefix = table.text("prefix", DEFAULT_PREFIX)
    if not prefix or any(character in prefix for character in "+#\0") or prefix != prefix.strip("/"):
        table.error("prefix", f"is {prefix!r}; expected topic levels without '+', '#' and outer '/'")
    pattern = table.text("station_topic")
    wrong = _wrong_pattern(pattern, prefix) if pattern else ""
    if wrong:
        table.error("station_topic", f"is {pattern!r}; {wrong}")
    table.finish()
    return MqttConfig(url, prefix, pattern)


def _wrong_pattern(pattern: str, prefix: str) -> str:
    """Return what is wrong with a pattern of station topics, or nothing."""
    levels = pattern.split("/")
    if any(character in pattern for character in "+#\0") or pattern != pattern.strip("/"):
        return "expected a topic without '+', '#' and outer '/', for instance 'rtcm/{id}/raw'"
    if levels.count(STATION_PLACE) != 1 or "{" in pattern.replace(STATION_PLACE, ""):
        return "expected {id} as exactly one of its levels, for instance 'rtcm/{id}/raw'"
    for ours in _OURS:
        taken = f"{prefix}/{ours}".split("/")
        if len(taken) == len(levels) and all(map(_meet, levels, taken)):
            return f"it covers {prefix}/{ours}, where something else is said; choose another"
    return ""


def _meet(level: str, other: str) -> bool:
    """Return whether one topic can have both levels, that of a pattern and that of a filter."""
    return level in {STATION_PLACE, other} or other == "+"
