"""MQTT topics and what they mean; names only, the connection is at the edge.

The layout below the prefix is a public contract. A station with a topic of its own is heard there only.
"""

from dataclasses import dataclass, field

from gpsgrid.config import STATION_PLACE, NetworkConfig


@dataclass(frozen=True)
class StationData:
    """Raw RTCM 3 frames of a station; the station need not be known."""

    station: str


@dataclass(frozen=True)
class ClientQuery:
    """A question of a client, who is named by the topic."""

    client: str


@dataclass(frozen=True)
class ClientPosition:
    """A GGA sentence of a client that wants a virtual station of its own."""

    client: str


@dataclass(frozen=True)
class Topics:
    """The topics of one network.

    Attributes:
        prefix: First levels of every topic of ours.
        own: Station ids by the topics that ``network.toml`` gives them.
        station_pattern: Topics of all other stations, with ``{id}`` as one level; empty for the standard ones.
    """

    prefix: str
    own: dict[str, str] = field(default_factory=dict)
    station_pattern: str = ""

    @property
    def filters(self) -> tuple[str, ...]:
        """What a service subscribes to: all stations, also unknown ones, so that those are refused by name."""
        standard = (
            self._pattern.replace(STATION_PLACE, "+"),
            f"{self.prefix}/clients/+/query",
            f"{self.prefix}/clients/+/gga",
        )
        # A topic that the pattern covers already would be delivered twice.
        return standard + tuple(topic for topic in self.own if self._station(topic) is None)

    @property
    def network_status(self) -> str:
        """Retained: what the last network epoch was like, or that the service is offline."""
        return f"{self.prefix}/status"

    def station_status(self, station: str) -> str:
        """Retained: health of one station's stream."""
        return f"{self.prefix}/stations/{station}/status"

    def query(self, client: str) -> str:
        """Where a client asks."""
        return f"{self.prefix}/clients/{client}/query"

    def answer(self, client: str) -> str:
        """Where a client is answered."""
        return f"{self.prefix}/clients/{client}/answer"

    def position(self, client: str) -> str:
        """Where a client says where it is."""
        return f"{self.prefix}/clients/{client}/gga"

    def client_stream(self, client: str) -> str:
        """The virtual station of a client."""
        return f"{self.prefix}/clients/{client}/rtcm3"

    def cell_stream(self, cell: str) -> str:
        """The virtual station of a cell."""
        return f"{self.prefix}/cells/{cell}/rtcm3"

    def cell_field(self, cell: str) -> str:
        """Corrections of a cell, satellite by satellite."""
        return f"{self.prefix}/cells/{cell}/field"

    def cell_status(self, cell: str) -> str:
        """Retained: what stands behind a cell."""
        return f"{self.prefix}/cells/{cell}/status"

    def meaning(self, topic: str) -> StationData | ClientQuery | ClientPosition | None:
        """Return what arrives on a topic; ``None`` for a topic that we did not ask for."""
        if topic in self.own:
            return StationData(self.own[topic])
        station = self._station(topic)
        if station is not None:
            return StationData(station)
        start = f"{self.prefix}/clients/"
        if (client := _level(topic, start, "/query")) is not None:
            return ClientQuery(client)
        client = _level(topic, start, "/gga")
        return None if client is None else ClientPosition(client)

    @property
    def _pattern(self) -> str:
        return self.station_pattern or f"{self.prefix}/stations/{STATION_PLACE}/rtcm3"

    def _station(self, topic: str) -> str | None:
        start, _, end = self._pattern.partition(STATION_PLACE)
        return _level(topic, start, end)


def _level(topic: str, start: str, end: str) -> str | None:
    """Return the one level between start and end of a topic."""
    if not (topic.startswith(start) and topic.endswith(end)) or len(topic) <= len(start) + len(end):
        return None
    name = topic[len(start) : len(topic) - len(end)]
    return None if "/" in name else name


def topics_of(config: NetworkConfig) -> Topics:
    """Return the topics of a configuration."""
    own = {station.topic: station.id for station in config.network.stations if station.topic}
    return Topics(config.mqtt.prefix, own, config.topic_pattern)
