"""What can be wrong with recorded files although each can be read; every complaint names the file or station."""

from collections.abc import Mapping, Sequence

import numpy as np

from stations.antex import AntennaTable
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.navigation_kinds import Ephemeris
from stations.recorded import RecordedRover, Recording
from stations.rinex_obs import RinexObservations
from stations.signals import LETTERS, SIGNALS

_USABLE_NS = 4 * 3600 * NS_PER_S  # no ephemeris serves for longer, but for those of BeiDou, which are hourly
_CALIBRATED = ("G01", "G02")  # ANTEX frequencies that are used
_BASE_HZ = np.array([SIGNALS[number].base_hz if number in SIGNALS else np.nan for number in range(1000)])


def check_navigation(
    network: Network,
    observations: Mapping[str, RinexObservations],
    ephemerides: Sequence[Ephemeris],
    times_ns: Sequence[int],
) -> None:
    """Check that there are ephemerides for the observations: of a system that was tracked, and of their time.

    Systems without ephemerides do no harm: their satellites are not used.

    Args:
        network: Names the files.
        observations: Of its stations.
        ephemerides: Of any system, at least one.
        times_ns: Moments of the recording, rising.

    Raises:
        GpsgridError: ``NO_NAVIGATION``, with the systems, or with both time spans.
    """
    files = ", ".join(network.navigation)
    tracked, sent = _systems(observations), {item.satellite // 100 for item in ephemerides}
    if not tracked & sent:
        message = (
            f"the navigation files of {network.name} ({files}) are of {_letters(sent)}, the observations of "
            f"{_letters(tracked)}; name navigation files of these systems"
        )
        raise GpsgridError(Reason.NO_NAVIGATION, message, network=network.name)
    toes_ns = [item.toe_ns for item in ephemerides if item.satellite // 100 in tracked]
    first_ns, last_ns = min(toes_ns), max(toes_ns)
    if first_ns - _USABLE_NS > times_ns[-1] or last_ns + _USABLE_NS < times_ns[0]:
        message = (
            f"the navigation files of {network.name} ({files}) reach from {to_iso(first_ns)} "
            f"to {to_iso(last_ns)}, the observations from {to_iso(times_ns[0])} to {to_iso(times_ns[-1])}; "
            f"name navigation files of the same day"
        )
        raise GpsgridError(Reason.NO_NAVIGATION, message, network=network.name)


def _systems(observations: Mapping[str, RinexObservations]) -> set[int]:
    """Return the numbers of the systems that were tracked."""
    every = [epoch.satellite // 100 for one in observations.values() for epoch in one.epochs]
    return set(np.unique(np.concatenate(every)).tolist()) if every else set()


def _letters(systems: set[int]) -> str:
    return "".join(LETTERS[system] for system in sorted(systems)) or "no system"


def check_calibrated(antennas: AntennaTable, antenna: str, serial: str, who: str, hint: str = "") -> None:
    """Check that an antenna is calibrated on all frequencies that are used.

    Args:
        antennas: Calibrations.
        antenna: IGS type, not empty.
        serial: Serial number; may be empty.
        who: Whose antenna it is.
        hint: What else could be done, put behind the message.

    Raises:
        GpsgridError: ``UNKNOWN_ANTENNA``.
    """
    try:
        calibration = antennas.find(antenna, serial)
        for frequency in _CALIBRATED:
            calibration.pattern(frequency)
    except GpsgridError as error:
        message = f"{who}: {error}{hint}"
        raise GpsgridError(error.reason, message, **{**error.facts, "who": who}) from error


def check_dual_frequency(observations: RinexObservations, source: str) -> None:
    """Check that there is a satellite with phases on two frequencies of its system, at one time.

    Raises:
        GpsgridError: ``NO_OBSERVATIONS``, with the signals that there are.
    """
    seen: set[int] = set()
    for epoch in observations.epochs:
        rows = np.isfinite(epoch.phase_cyc)
        satellite, signal = epoch.satellite[rows], epoch.signal[rows]
        # Rows are sorted by satellite, so one with two frequencies has two neighbours that differ.
        if np.any((satellite[1:] == satellite[:-1]) & (_BASE_HZ[signal[1:]] != _BASE_HZ[signal[:-1]])):
            return
        seen.update(signal.tolist())
    kinds = ", ".join(f"{LETTERS[number // 100]}:{SIGNALS[number].code}" for number in sorted(seen)) or "none"
    message = (
        f"{source}: no satellite with phases on two frequencies in {len(observations.epochs)} epochs "
        f"(phases found: {kinds}); use a file of a dual-frequency receiver"
    )
    raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=source)


def check_overlap(observations: Mapping[str, RinexObservations]) -> None:
    """Check that every station was recorded at the same time as some other one.

    Raises:
        GpsgridError: ``NO_OBSERVATIONS``, with all time spans.
    """
    spans = {name: (one.epochs[0].time_ns, one.epochs[-1].time_ns) for name, one in observations.items()}
    for name, (first_ns, last_ns) in spans.items():
        others = [span for other, span in spans.items() if other != name]
        if others and not any(start <= last_ns and first_ns <= end for start, end in others):
            message = (
                f"the files of station {name} have no time in common with any other station; "
                f"use files of the same day. Recorded are:{spans_text(observations)}"
            )
            raise GpsgridError(Reason.NO_OBSERVATIONS, message, station=name)


def spans_text(observations: Mapping[str, RinexObservations]) -> str:
    """Return first and last epoch of every station, one a line."""
    return "".join(
        f"\n  {name}: {to_iso(one.epochs[0].time_ns)} to {to_iso(one.epochs[-1].time_ns)}"
        for name, one in observations.items()
    )


def limits_text(from_ns: int | None, to_ns: int | None) -> str:
    """Return limits in words."""
    start = "the beginning" if from_ns is None else to_iso(from_ns)
    end = "the end" if to_ns is None else to_iso(to_ns)
    return f"from {start} to {end}"


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
