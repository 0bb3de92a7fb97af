"""Recorded networks and rovers from disk, checked before anything is replayed.

Every complaint names the station or file it is about. What is merely strange (a gap, a cut last epoch) is
left to the reader's ``problems``.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from stations.antex import AntennaTable
from stations.catalog import Network, Station
from stations.constants import FREQUENCY_L1_HZ, FREQUENCY_L2_HZ, NS_PER_S
from stations.edge.files import expand_paths, load_antex, load_navigation, load_observations
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.navigation import GpsEphemeris
from stations.recorded import HIGHEST_ANTENNA_M, RecordedRover, Recording
from stations.rinex_obs import RinexObservations
from stations.signals import SIGNALS

_USABLE_NS = 4 * 3600 * NS_PER_S  # an ephemeris serves for four hours
_CALIBRATED = ("G01", "G02")  # ANTEX frequencies that are used
_BANDS_HZ = (FREQUENCY_L1_HZ, FREQUENCY_L2_HZ)
_NO_ANTENNA = "NONE"
_SYSTEMS = "G"  # what the engine solves so far; the readers know all systems


def load_recording(
    network: Network,
    *,
    exclude: Iterable[str] = (),
    antennas: AntennaTable | None = None,
    from_ns: int | None = None,
    to_ns: int | None = None,
) -> Recording:
    """Read the files of a network.

    Args:
        network: As ``network.toml`` describes it.
        exclude: Stations that are left out; nothing of them is read.
        antennas: Calibrations, if they are loaded already; otherwise those of the network are.
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
                _check_calibrated(antennas, station.antenna, station.antenna_serial, f"station {station.id}")
    ephemerides = _navigation(network)
    observations = {station.id: load_station(network, station) for station in network.stations}
    _check_overlap(observations)
    recording = Recording(network, observations, ephemerides, from_ns=from_ns, to_ns=to_ns)
    if not recording.times_ns:
        message = (
            f"no station of {network.name} has an epoch {_limits(from_ns, to_ns)}; recorded are:{_spans(observations)}"
        )
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, network=network.name)
    _check_navigation(network, ephemerides, recording.times_ns)
    return recording


def load_station(network: Network, station: Station) -> RinexObservations:
    """Read the observation files of one station.

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
    observations = load_observations(paths, who, _SYSTEMS)
    _check_dual_frequency(observations, f"{', '.join(map(str, paths))} ({who})")
    return observations


def load_antennas(network: Network) -> AntennaTable | None:
    """Read the ANTEX file of a network, or return ``None`` when it names none.

    Raises:
        GpsgridError: ``MISSING_FILE`` or ``BROKEN_FILE``.
    """
    if not network.antennas:
        return None
    return load_antex(Path(network.folder) / network.antennas, f"'antennas' of network {network.name}")


def load_rover(
    paths: Sequence[str | Path],
    *,
    antennas: AntennaTable | None = None,
    antenna: str | None = None,
    antenna_serial: str | None = None,
    antenna_height_m: float | None = None,
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
        from_ns: First moment, ns of GPS time; ``None`` without limit.
        to_ns: Last moment, included; ``None`` without limit.

    Raises:
        GpsgridError: ``MISSING_FILE``, ``BROKEN_FILE``, ``NO_OBSERVATIONS``, ``UNKNOWN_ANTENNA`` or
            ``BAD_CONFIG`` (antenna height), with the file and what to do.
    """
    found = expand_paths(map(str, paths), referred_by="the rover")
    name = ", ".join(map(str, found))
    observations = load_observations(found, "the rover", _SYSTEMS)
    _check_dual_frequency(observations, name)
    if antenna is None:
        antenna = "" if observations.antenna.split()[:1] == [_NO_ANTENNA] else observations.antenna
        serial = observations.antenna_serial if antenna_serial is None else antenna_serial
    else:
        serial = antenna_serial or ""
    if antennas is not None and antenna:
        _check_calibrated(antennas, antenna, serial, f"rover {name}", "; --antenna names another one")
    height_m = observations.antenna_height_m if antenna_height_m is None else antenna_height_m
    if not 0.0 <= height_m <= HIGHEST_ANTENNA_M:
        message = (
            f"rover {name}: antenna height {height_m} m; expected 0 to {HIGHEST_ANTENNA_M} m. "
            f"State it with --antenna-height, or 0 and subtract it yourself"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, file=name, antenna_height_m=height_m)
    rover = RecordedRover(Path(found[0]).name, observations, antenna, serial, height_m, from_ns, to_ns)
    if not rover.times_ns:
        message = (
            f"rover {name} has no epoch {_limits(from_ns, to_ns)}; recorded is:{_spans({rover.name: observations})}"
        )
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=name)
    return rover


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


def check_rover_overlaps(recording: Recording, rover: RecordedRover) -> None:
    """Check that network and rover were recorded at the same time.

    Raises:
        GpsgridError: ``NO_OBSERVATIONS``, with both time spans.
    """
    network_ns, rover_ns = recording.times_ns, rover.times_ns
    if rover_ns[-1] < network_ns[0] or rover_ns[0] > network_ns[-1]:
        message = (
            f"rover {rover.name} was recorded from {to_iso(rover_ns[0])} to {to_iso(rover_ns[-1])}, "
            f"network {recording.network.name} from {to_iso(network_ns[0])} to {to_iso(network_ns[-1])}: "
            f"they have no time in common; use files of the same day"
        )
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=rover.name)


def _navigation(network: Network) -> list[GpsEphemeris]:
    if not network.navigation:
        message = (
            f"network {network.name} names no navigation files, so no station can send ephemerides; "
            f"add 'navigation = [\"FILE\"]' to [network] in network.toml"
        )
        raise GpsgridError(Reason.NO_NAVIGATION, message, network=network.name)
    who = f"'navigation' of network {network.name}"
    paths = expand_paths(network.navigation, network.folder, who)
    ephemerides = load_navigation(paths, who)
    if not ephemerides:
        names = ", ".join(map(str, paths))
        message = f"{names}: no GPS ephemeris inside; name a GPS or mixed RINEX navigation file of that day"
        raise GpsgridError(Reason.NO_NAVIGATION, message, file=names)
    return ephemerides


def _check_navigation(network: Network, ephemerides: Sequence[GpsEphemeris], times_ns: Sequence[int]) -> None:
    first_ns, last_ns = (choose(item.toe_ns for item in ephemerides) for choose in (min, max))
    if first_ns - _USABLE_NS > times_ns[-1] or last_ns + _USABLE_NS < times_ns[0]:
        message = (
            f"the navigation files of {network.name} ({', '.join(network.navigation)}) reach from {to_iso(first_ns)} "
            f"to {to_iso(last_ns)}, the observations from {to_iso(times_ns[0])} to {to_iso(times_ns[-1])}; "
            f"name navigation files of the same day"
        )
        raise GpsgridError(Reason.NO_NAVIGATION, message, network=network.name)


def _check_calibrated(antennas: AntennaTable, antenna: str, serial: str, who: str, hint: str = "") -> None:
    try:
        calibration = antennas.find(antenna, serial)
        for frequency in _CALIBRATED:
            calibration.pattern(frequency)
    except GpsgridError as error:
        message = f"{who}: {error}{hint}"
        raise GpsgridError(error.reason, message, **{**error.facts, "who": who}) from error


def _check_dual_frequency(observations: RinexObservations, source: str) -> None:
    frequency_hz = {number: signal.frequency_hz for number, signal in SIGNALS.items()}
    seen: set[int] = set()
    for epoch in observations.epochs:
        rows = np.isfinite(epoch.phase_cyc)
        seen.update(epoch.signal[rows].tolist())
        if {frequency_hz[signal] for signal in seen} >= set(_BANDS_HZ):
            return
    kinds = ", ".join(SIGNALS[signal].code for signal in sorted(seen)) or "none"
    message = (
        f"{source}: no GPS phases on both L1 and L2 in {len(observations.epochs)} epochs (GPS phases found: {kinds}); "
        f"use a file of a dual-frequency receiver"
    )
    raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=source)


def _check_overlap(observations: Mapping[str, RinexObservations]) -> None:
    spans = {name: (one.epochs[0].time_ns, one.epochs[-1].time_ns) for name, one in observations.items()}
    for name, (first_ns, last_ns) in spans.items():
        others = [span for other, span in spans.items() if other != name]
        if others and not any(start <= last_ns and first_ns <= end for start, end in others):
            message = (
                f"the files of station {name} have no time in common with any other station; "
                f"use files of the same day. Recorded are:{_spans(observations)}"
            )
            raise GpsgridError(Reason.NO_OBSERVATIONS, message, station=name)


def _spans(observations: Mapping[str, RinexObservations]) -> str:
    return "".join(
        f"\n  {name}: {to_iso(one.epochs[0].time_ns)} to {to_iso(one.epochs[-1].time_ns)}"
        for name, one in observations.items()
    )


def _limits(from_ns: int | None, to_ns: int | None) -> str:
    start = "the beginning" if from_ns is None else to_iso(from_ns)
    end = "the end" if to_ns is None else to_iso(to_ns)
    return f"from {start} to {end}"
