"""MQTT topics and what they mean; names only, the connection is at the edge.

The layout below the prefix is a public contract. A station with a topic of its own is heard there only.
"""

from dataclasses import dataclass, field

from gpsgrid.config import NetworkConfig


@dataclass(frozen=True)
class StationData:
    """Raw RTCM 3 frames of a station; the station need not be known."""

    station: str


@dataclass(frozen=True)
class ClientQuery:
    """A question of a client, who is named by the topic."""

    client: str


@dataclass(frozen=True)
class Topics:
    """The topics of one network.

    Attributes:
        prefix: First levels of every topic of ours.
        own: Station ids by the topics that ``network.toml`` gives them.
    """

    prefix: str
    own: dict[str, str] = field(default_factory=dict)

    @property
    def filters(self) -> tuple[str, ...]:
        """What a service subscribes to: all stations, also unknown ones, so that those are refused by name."""
        standard = (f"{self.prefix}/stations/+/rtcm3", f"{self.prefix}/clients/+/query")
        # A topic that the pattern covers already would be delivered twice.
        return standard + tuple(topic for topic in self.own if self._level(topic, "stations", "rtcm3") is None)

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

    def meaning(self, topic: str) -> StationData | ClientQuery | None:
        """Return what arrives on a topic; ``None`` for a topic that we did not ask for."""
        if topic in self.own:
            return StationData(self.own[topic])
        station = self._level(topic, "stations", "rtcm3")
        if station is not None:
            return StationData(station)
        client = self._level(topic, "clients", "query")
        return None if client is None else ClientQuery(client)

    def _level(self, topic: str, kind: str, what: str) -> str | None:
        start, end = f"{self.prefix}/{kind}/", f"/{what}"
        if not (topic.startswith(start) and topic.endswith(end)) or len(topic) <= len(start) + len(end):
            return None
        name = topic[len(start) : -len(end)]
        return None if "/" in name else name


def topics_of(config: NetworkConfig) -> Topics:
    """Return the topics of a configuration."""
    return Topics(
        config.mqtt.prefix, {station.topic: station.id for station in config.network.stations if station.topic}
    )
