"""Where the data of each station come from: a live source, RTCM files, RINEX files, or elsewhere."""

from dataclasses import dataclass
from pathlib import Path

from gpsgrid.config import NetworkConfig
from stations.catalog import Station
from stations.edge.files import expand_paths
from stations.edge.ntrip import NtripSource
from stations.edge.serial_port import SerialSource
from stations.edge.stream import Source
from stations.edge.tcp import TcpSource
from stations.errors import GpsgridError, Reason
from stations.stream_address import SerialAddress, parse_ntrip_url, parse_stream_url

RTCM_SUFFIXES = (".rtcm3", ".rtcm")


@dataclass(frozen=True)
class StationSources:
    """The stations by kind of source, each in the order of the network.

    Attributes:
        live: Sources of stations with ``ntrip`` or ``stream``, by station id.
        rtcm_files: Files of stations whose observations are RTCM 3.
        rinex: Ids of stations whose observations are RINEX files.
        elsewhere: Ids of stations that have none of these and publish for themselves.
    """

    live: dict[str, Source]
    rtcm_files: dict[str, list[Path]]
    rinex: list[str]
    elsewhere: list[str]


def sources_of(config: NetworkConfig) -> StationSources:
    """Return the source of every station; a live one goes before recorded files, which are for replay.

    Raises:
        GpsgridError: ``BAD_CONFIG`` for a URL that cannot be used, for pyserial that is missing and for a station
            with RTCM and RINEX files; ``MISSING_FILE`` for files; ``NO_OBSERVATIONS`` when no station has a source.
    """
    found = StationSources({}, {}, [], [])
    for station in config.network.stations:
        live = _live(config, station)
        if live is not None:
            found.live[station.id] = live
        elif not station.observations:
            found.elsewhere.append(station.id)
        elif _is_rtcm(station):
            who = f"station {station.id} of {config.network.name}"
            found.rtcm_files[station.id] = expand_paths(station.observations, config.network.folder, who)
        else:
            found.rinex.append(station.id)
    if len(found.elsewhere) == len(config.network.stations):
        message = (
            f"no station of {config.network.name} has anything to publish; add 'observations = \"FILE\"', "
            f"'ntrip = \"ntrip://user:password@host:2101/MOUNT\"' or 'stream = \"tcp://host:port\"' to its [[station]]"
        )
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, network=config.network.name)
    return found


def _live(config: NetworkConfig, station: Station) -> Source | None:
    try:
        if station.id in config.ntrip_urls:
            return NtripSource(parse_ntrip_url(config.ntrip_urls[station.id]), position_m=station.marker_m)
        if station.id in config.stream_urls:
            address = parse_stream_url(config.stream_urls[station.id])
            return SerialSource(address) if isinstance(address, SerialAddress) else TcpSource(address)
    except GpsgridError as error:
        raise GpsgridError(error.reason, f"station {station.id}: {error}", **error.facts) from error
    return None


def _is_rtcm(station: Station) -> bool:
    kinds = {pattern.lower().endswith(RTCM_SUFFIXES) for pattern in station.observations}
    if len(kinds) > 1:
        message = f"station {station.id}: its observations are RTCM and RINEX files; expected one kind"
        raise GpsgridError(Reason.BAD_CONFIG, message, station=station.id)
    return kinds == {True}
