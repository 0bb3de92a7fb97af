"""What can be wrong with recorded files although each can be read; every complaint names the file or station."""

from collections.abc import Mapping, Sequence

import numpy as np

from stations.antex import AntennaTable
from stations.catalog import Network
from stations.constants import FREQUENCY_L1_HZ, FREQUENCY_L2_HZ, NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.navigation import GpsEphemeris
from stations.recorded import RecordedRover, Recording
from stations.rinex_obs import RinexObservations
from stations.signals import SIGNALS

_USABLE_NS = 4 * 3600 * NS_PER_S  # an ephemeris serves for four hours
_CALIBRATED = ("G01", "G02")  # ANTEX frequencies that are used
_BANDS_HZ = (FREQUENCY_L1_HZ, FREQUENCY_L2_HZ)


def check_navigation(network: Network, ephemerides: Sequence[GpsEphemeris], times_ns: Sequence[int]) -> None:
    """Check that the ephemerides are of the time of the observations.

    Raises:
        GpsgridError: ``NO_NAVIGATION``, with both time spans.
    """
    first_ns, last_ns = (choose(item.toe_ns for item in ephemerides) for choose in (min, max))
    if first_ns - _USABLE_NS > times_ns[-1] or last_ns + _USABLE_NS < times_ns[0]:
        message = (
            f"the navigation files of {network.name} ({', '.join(network.navigation)}) reach from {to_iso(first_ns)} "
            f"to {to_iso(last_ns)}, the observations from {to_iso(times_ns[0])} to {to_iso(times_ns[-1])}; "
            f"name navigation files of the same day"
        )
        raise GpsgridError(Reason.NO_NAVIGATION, message, network=network.name)


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
    """Check that there are GPS phases on L1 and on L2.

    Raises:
        GpsgridError: ``NO_OBSERVATIONS``, with the signals that there are.
    """
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
