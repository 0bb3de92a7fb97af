"""The JSON of health: of the service, the network and its stations, for MQTT and HTTP; a public contract.

Keys may be added, never renamed. What is not known is null.
"""

import msgspec

from gpsgrid.coordinate_words import coordinate_text
from gpsgrid.events import NetworkSolved
from gpsgrid.health import Health, StationHealth
from models.coordinates_monitor import Judgement
from stations.catalog import Station
from stations.gpstime import to_iso


class NetworkStatusJson(msgspec.Struct, frozen=True):
    """The last network epoch; ``state`` is ``online``, or ``offline`` when the service has gone."""

    state: str
    network: str
    time_gpst: str | None = None
    network_epochs: int = 0
    stations: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    satellites: int = 0
    fixed_share: float | None = None
    loo_z_rms: float | None = None
    rejected: int = 0
    resets: int = 0


class CoordinateJson(msgspec.Struct, frozen=True):
    """What is known of a declared coordinate: ``unknown`` yet, ``good``, ``suspicious`` or ``wrong``, and in words.

    ``offset_enu_m`` is declared minus estimated position with its standard deviations; a ``wrong`` station is excluded.
    """

    verdict: str
    since_gpst: str | None
    offset_enu_m: tuple[float, float, float]
    sd_enu_m: tuple[float, float, float]
    text: str


class StationStatusJson(msgspec.Struct, frozen=True):
    """One station; ``state`` is ``streaming``, ``missing`` from the last network epoch, or ``never`` heard."""

    id: str
    state: str
    last_epoch_gpst: str | None
    epochs: int
    refused: dict[str, int]
    missed_epochs: int = 0
    coordinate: CoordinateJson | None = None
    repeated_epochs: int = 0
    out_of_order_epochs: int = 0


class StationJson(msgspec.Struct, frozen=True):
    """One station with its description; ``position_m`` is the marker, ECEF, in the network's frame."""

    id: str
    position_m: tuple[float, float, float]
    antenna: str | None
    antenna_serial: str | None
    antenna_height_m: float
    state: str
    last_epoch_gpst: str | None
    epochs: int
    refused: dict[str, int]
    missed_epochs: int = 0
    coordinate: CoordinateJson | None = None
    repeated_epochs: int = 0
    out_of_order_epochs: int = 0


class StationsJson(msgspec.Struct, frozen=True):
    """The stations of a network."""

    network: str
    frame: str
    epoch: float
    stations: tuple[StationJson, ...]


class HealthJson(msgspec.Struct, frozen=True):
    """The service; ``status`` is ``ok``, ``waiting`` for the first network epoch, or ``stale``."""

    status: str
    network: str
    network_epoch_gpst: str | None
    network_solved_ago_s: float | None
    network_epochs: int
    stations: tuple[str, ...]
    missing: tuple[str, ...]
    fixed_share: float | None
    answers: dict[str, int]
    refusals: dict[str, int]
    learned: int
    queue_depth: int
    mqtt_connected: bool | None
    mqtt_dropped: int
    engine_failures: int


def network_status(network: str, solved: NetworkSolved, network_epochs: int) -> NetworkStatusJson:
    """Return the status after a network epoch."""
    return NetworkStatusJson(
        "online",
        network,
        to_iso(solved.time_ns),
        network_epochs,
        solved.stations,
        solved.missing,
        solved.satellites,
        solved.fixed_share,
        solved.loo_z_rms,
        solved.rejected,
        solved.resets,
    )


def station_status(station_id: str, health: StationHealth, solved: NetworkSolved | None) -> StationStatusJson:
    """Return the status of a station, seen from the last network epoch."""
    if health.epochs == 0:
        state = "never"
    else:
        state = "missing" if solved is not None and station_id in solved.missing else "streaming"
    return StationStatusJson(
        station_id,
        state,
        to_iso(health.last_epoch_ns) if health.last_epoch_ns else None,
        health.epochs,
        {str(reason): count for reason, count in sorted(health.refused.items())},
        health.missed,
        _coordinate(station_id, health.coordinate),
        health.repeated,
        health.out_of_order,
    )


def station_document(station: Station, health: Health, solved: NetworkSolved | None) -> StationJson:
    """Return the description and status of a station."""
    status = station_status(station.id, health.stations.get(station.id, StationHealth()), solved)
    return StationJson(
        station.id,
        station.position_m,
        station.antenna or None,
        station.antenna_serial or None,
        station.antenna_height_m,
        status.state,
        status.last_epoch_gpst,
        status.epochs,
        status.refused,
        status.missed_epochs,
        status.coordinate,
        status.repeated_epochs,
        status.out_of_order_epochs,
    )


def _coordinate(station_id: str, judgement: Judgement | None) -> CoordinateJson | None:
    if judgement is None:
        return None
    since = to_iso(judgement.since_ns) if judgement.since_ns >= 0 else None
    text = coordinate_text(station_id, judgement)
    return CoordinateJson(str(judgement.verdict), since, judgement.offset_m, judgement.sd_m, text)
