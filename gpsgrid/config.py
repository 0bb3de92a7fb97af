"""``network.toml`` as values: a parsed TOML document in, :class:`NetworkConfig` out, all mistakes at once.

The shape of the file is a public contract: keys may be added, never renamed. Whether the named files
exist is not looked at here. URLs may hold passwords, so no message repeats one.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from gpsgrid.config_table import ConfigTable
from stations.antenna_type import antenna_type
from stations.catalog import Network, Station
from stations.errors import GpsgridError, Reason

DEFAULT_PREFIX = "gpsgrid/v1"
DEFAULT_RESOLUTION = 5
DEFAULT_DEADLINE_MS = 300

_STATION_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")
_SURFACE_M = (6.3e6, 6.4e6)  # the ellipsoid lies between 6357 and 6378 km; mountains and typing errors differ clearly
_YEARS = (1980.0, 2100.0)
_TALLEST_MAST_M = 100.0
_FINEST_RESOLUTION = 15  # H3 has resolutions 0 to 15
_LONGEST_DEADLINE_MS = 60_000


@dataclass(frozen=True)
class MqttConfig:
    """Where the broker is and where our topics start.

    Attributes:
        url: ``mqtt://`` or ``mqtts://`` URL; empty for the embedded broker.
        prefix: First levels of every topic.
    """

    url: str = ""
    prefix: str = DEFAULT_PREFIX


@dataclass(frozen=True)
class NetworkConfig:
    """Everything that ``network.toml`` says.

    Attributes:
        network: The stations and the files that belong to them.
        mqtt: Broker and topics.
        grid_resolution: H3 resolution of the cells, 0 to 15.
        align_deadline_ms: How long a network epoch waits for late stations, ms.
        ntrip_urls: NTRIP sources of live stations, by station id.
    """

    network: Network
    mqtt: MqttConfig = MqttConfig()
    grid_resolution: int = DEFAULT_RESOLUTION
    align_deadline_ms: int = DEFAULT_DEADLINE_MS
    ntrip_urls: Mapping[str, str] = field(default_factory=dict)

    def topic_of(self, station: Station) -> str:
        """Return the MQTT topic on which a station's RTCM 3 frames arrive."""
        return station.topic or f"{self.mqtt.prefix}/stations/{station.id}/rtcm3"


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
    ntrip_urls: dict[str, str] = {}
    stations = tuple(_station(entry, antennas=antennas, ntrip_urls=ntrip_urls) for entry in entries)
    counts = Counter(station.id for station in stations if station.id)
    errors.extend(f"station id {key!r} is used {count} times" for key, count in counts.items() if count > 1)
    mqtt = _mqtt(top.table("mqtt"))
    grid = top.table("grid")
    resolution = grid.whole("resolution", DEFAULT_RESOLUTION, 0, _FINEST_RESOLUTION)
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
    return NetworkConfig(
        Network(name, frame, epoch, stations, navigation, antennas, folder), mqtt, resolution, deadline_ms, ntrip_urls
    )


def _frame(network: ConfigTable) -> str:
    """Return the frame; a bare EPSG number is taken as one."""
    code = network.peek("frame")
    if isinstance(code, int) and not isinstance(code, bool):
        network.skip("frame")
        return f"EPSG:{code}"
    return network.text("frame", required=True)


def _station(entry: ConfigTable, *, antennas: str, ntrip_urls: dict[str, str]) -> Station:
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
    url = entry.text("ntrip", secret=True)
    if url and not url.startswith(("ntrip://", "ntrips://")):
        entry.error("ntrip", "does not start with 'ntrip://'; expected ntrip://user:password@host:2101/MOUNT")
    if url and topic:
        entry.error("ntrip", "and topic are both given; a station has one live source")
    if url:
        ntrip_urls[name] = url
    entry.finish()
    return Station(name, position_m, antenna, serial, height_m, observations, topic)


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
    table.finish()
    return MqttConfig(url, prefix)
