"""Recorded networks and rovers from disk, checked before anything is replayed.

Every complaint names the station or file it is about. What is merely strange (a gap, a cut last epoch) is
left to the reader's ``problems``.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stations.antex import AntennaTable
from stations.catalog import Network, Station
from stations.edge.files import expand_paths, load_antex, load_navigation, load_observations
from stations.edge.recording_checks import (
    check_calibrated,
    check_dual_frequency,
    check_navigation,
    check_overlap,
    limits_text,
    spans_text,
)
from stations.errors import GpsgridError, Reason
from stations.glonass_channels import channels_of
from stations.navigation_kinds import Ephemeris
from stations.recorded import HIGHEST_ANTENNA_M, RecordedRover, Recording
from stations.rinex_obs import RinexObservations

_NO_ANTENNA = "NONE"
_SYSTEMS = "GRECJ"  # what the engine uses: SBAS and NavIC say nothing that it needs


def load_recording(
    network: Network,
    *,
    exclude: Iterable[str] = (),
    antennas: AntennaTable | None = None,
    ephemerides: Sequence[Ephemeris] | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> Recording:
    """Read the files of a network.

    Args:
        network: As ``network.toml`` describes it.
        exclude: Stations that are left out; nothing of them is read.
        antennas: Calibrations, if they are loaded already; otherwise those of the network are.
        ephemerides: Those of :func:`load_ephemerides`, if they are loaded already.
        from_ns: First moment, ns of GPS time; ``None`` without limit.
        to_ns: Last moment, included; ``None`` without limit.

    Returns:
        The recording; its network has no excluded station.

    Raises:
        GpsgridError: ``UNKNOWN_STATION``, ``MISSING_FILE``, ``BROKEN_FILE``, ``NO_NAVIGATION``,
            ``UNKNOWN_ANTENNA`` or ``NO_OBSERVATIONS``, with the station or file and what to do.
    """
    for station_id in exclude:
        network = network.without(find_station(network, station_id).id)
    if antennas is None:
        antennas = load_antennas(network)
    if antennas is not None:
        for station in network.stations:
            if station.antenna:
                check_calibrated(antennas, station.antenna, station.antenna_serial, f"station {station.id}")
    if ephemerides is None:
        ephemerides = load_ephemerides(network)
    channels = channels_of(ephemerides)
    observations = {station.id: load_station(network, station, channels) for station in network.stations}
    check_overlap(observations)
    recording = Recording(network, observations, ephemerides, from_ns=from_ns, to_ns=to_ns)
    if not recording.times_ns:
        limits, spans = limits_text(from_ns, to_ns), spans_text(observations)
        message = f"no station of {network.name} has an epoch {limits}; recorded are:{spans}"
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, network=network.name)
    check_navigation(network, observations, ephemerides, recording.times_ns)
    return recording


def load_station(network: Network, station: Station, channels: Mapping[int, int] | None = None) -> RinexObservations:
    """Read the observation files of one station.

    Args:
        network: The network it belongs to.
        station: The station.
        channels: GLONASS channels by satellite integer, as the ephemerides tell them: RINEX 2 files name none, and
            then nobody knows the wavelengths.

    Raises:
        GpsgridError: ``MISSING_FILE``, ``BROKEN_FILE`` or ``NO_OBSERVATIONS``.
    """
    who = f"station {station.id} of {network.name}"
    if not station.observations:
        message = (
            f"{who} names no recorded files; add 'observations = \"FILE\"' to its [[station]] in network.toml, "
            f"or take the station out"
        )
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, station=station.id)
    paths = expand_paths(station.observations, network.folder, who)
    observations = load_observations(paths, who, _SYSTEMS, channels)
    check_dual_frequency(observations, f"{', '.join(map(str, paths))} ({who})")
    return observations


def load_antennas(network: Network) -> AntennaTable | None:
    """Read the ANTEX file of a network, or return ``None`` when it names none.

    Raises:
        GpsgridError: ``MISSING_FILE`` or ``BROKEN_FILE``.
    """
    if not network.antennas:
        return None
    return load_antex(Path(network.folder) / network.antennas, f"'antennas' of network {network.name}")


def load_rover(  # noqa: PLR0913 - what the command line can say about a rover
    paths: Sequence[str | Path],
    *,
    antennas: AntennaTable | None = None,
    antenna: str | None = None,
    antenna_serial: str | None = None,
    antenna_height_m: float | None = None,
    channels: Mapping[int, int] | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> RecordedRover:
    """Read the files of a rover; what is not stated about its antenna is taken from the RINEX header.

    Args:
        paths: Files of one receiver, in any order; globs are allowed.
        antennas: Calibrations; an antenna that is named must be among them.
        antenna: IGS type instead of the one in the header, whose serial number is then not used either.
        antenna_serial: Serial number instead of the one in the header.
        antenna_height_m: Marker to antenna reference point instead of what the header says.
        channels: As in :func:`load_station`.
        from_ns: First moment, ns of GPS time; ``None`` without limit.
        to_ns: Last moment, included; ``None`` without limit.

    Raises:
        GpsgridError: ``MISSING_FILE``, ``BROKEN_FILE``, ``NO_OBSERVATIONS``, ``UNKNOWN_ANTENNA`` or
            ``BAD_CONFIG`` (antenna height), with the file and what to do.
    """
    found = expand_paths(map(str, paths), referred_by="the rover")
    name = ", ".join(map(str, found))
    observations = load_observations(found, "the rover", _SYSTEMS, channels)
    check_dual_frequency(observations, name)
    if antenna is None:
        antenna = "" if observations.antenna.split()[:1] == [_NO_ANTENNA] else observations.antenna
        serial = observations.antenna_serial if antenna_serial is None else antenna_serial
    else:
        serial = antenna_serial or ""
    if antennas is not None and antenna:
        check_calibrated(antennas, antenna, serial, f"rover {name}", "; --antenna names another one")
    height_m = observations.antenna_height_m if antenna_height_m is None else antenna_height_m
    return _rover(Path(found[0]).name, observations, (antenna, serial), height_m, (from_ns, to_ns))


def load_station_as_rover(
    network: Network,
    station: Station,
    *,
    antennas: AntennaTable | None = None,
    channels: Mapping[int, int] | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> RecordedRover:
    """Read the files of a station that is held out; its antenna is the one in the catalogue.

    Args:
        network: The network it belongs to.
        station: The station.
        antennas: Calibrations, among which its antenna must be.
        channels: As in :func:`load_station`.
        from_ns: First moment, ns of GPS time; ``None`` without limit.
        to_ns: Last moment, included; ``None`` without limit.

    Raises:
        GpsgridError: As :func:`load_rover`.
    """
    observations = load_station(network, station, channels)
    antenna = (station.antenna, station.antenna_serial)
    if antennas is not None and station.antenna:
        check_calibrated(antennas, *antenna, f"station {station.id}")
    return _rover(station.id, observations, antenna, station.antenna_height_m, (from_ns, to_ns))


def find_station(network: Network, station_id: str) -> Station:
    """Return the station of that name.

    Raises:
        GpsgridError: ``UNKNOWN_STATION``, with the nearest name and all of them.
    """
    names = [station.id for station in network.stations]
    if station_id in names:
        return network.station(station_id)
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(station_id.casefold(), folded, n=1)
    meant = f" Did you mean {folded[near[0]]}?" if near else ""
    message = f"network {network.name} has no station {station_id!r}; it has {', '.join(names) or 'none'}.{meant}"
    raise GpsgridError(Reason.UNKNOWN_STATION, message, station=station_id, known=names)


def load_ephemerides(network: Network) -> list[Ephemeris]:
    """Read the navigation files of a network.

    Raises:
        GpsgridError: ``NO_NAVIGATION``, ``MISSING_FILE`` or ``BROKEN_FILE``.
    """
    if not network.navigation:
        message = (
            f"network {network.name} names no navigation files, so no station can send ephemerides; "
            f"add 'navigation = [\"FILE\"]' to [network] in network.toml"
        )
        raise GpsgridError(Reason.NO_NAVIGATION, message, network=network.name)
    who = f"'navigation' of network {network.name}"
    paths = expand_paths(network.navigation, network.folder, who)
    ephemerides = load_navigation(paths, who, _SYSTEMS)
    if not ephemerides:
        names = ", ".join(map(str, paths))
        message = f"{names}: no ephemeris of {_SYSTEMS} inside; name RINEX navigation files of that day"
        raise GpsgridError(Reason.NO_NAVIGATION, message, file=names)
    return ephemerides


def _rover(
    name: str,
    observations: RinexObservations,
    antenna: tuple[str, str],
    height_m: float,
    limits_ns: tuple[int | None, int | None],
) -> RecordedRover:
    if not 0.0 <= height_m <= HIGHEST_ANTENNA_M:
        message = (
            f"rover {name}: antenna height {height_m} m; expected 0 to {HIGHEST_ANTENNA_M} m. "
            f"State it with --antenna-height, or 0 and subtract it yourself"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, file=name, antenna_height_m=height_m)
    rover = RecordedRover(name, observations, *antenna, height_m, *limits_ns)
    if not rover.times_ns:
        spans = spans_text({name: observations})
        message = f"rover {name} has no epoch {limits_text(*limits_ns)}; recorded is:{spans}"
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=name)
    return rover
