"""The header of RINEX 3.04 observation files, written; what follows it is written by ``rinex_obs_writer``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stations import gpstime
from stations.constants import NS_PER_S
from stations.rinex_columns import SYSTEMS
from stations.rinex_header import PhaseShift
from stations.rinex_obs_contents import ObservationContents
from stations.signals import SIGNALS, Constellation, satellite_name

VERSION = 3.04
_TYPES_A_LINE, _SLOTS_A_LINE, _SHIFTED_A_LINE = 13, 8, 10


@dataclass(frozen=True)
class StationDescription:
    """What the header says about the station; empty strings where nothing is known.

    Attributes:
        marker: Marker name.
        marker_number: Marker (DOMES) number.
        approx_position_m: Marker, ECEF metres; ``None`` writes zeros, as the format demands for "unknown".
        antenna: IGS antenna type, 20 characters.
        antenna_serial: Serial number of the antenna.
        antenna_height_m: Marker to antenna reference point, up, metres.
        receiver: Receiver type.
        receiver_serial: Serial number of the receiver.
        receiver_version: Its firmware.
        observer: Who observes.
        agency: For whom.
        comments: Lines of up to 60 characters.
        glonass_bias_m: How far the GLONASS codes are from the phases, by RINEX signal (``1C``, ``1P``, ``2C``, ``2P``).
        clock_applied: Whether the receiver clock offset is in time tags and observations already.
    """

    marker: str = ""
    marker_number: str = ""
    approx_position_m: tuple[float, float, float] | None = None
    antenna: str = ""
    antenna_serial: str = ""
    antenna_height_m: float = 0.0
    receiver: str = ""
    receiver_serial: str = ""
    receiver_version: str = ""
    observer: str = ""
    agency: str = ""
    comments: tuple[str, ...] = ()
    glonass_bias_m: Mapping[str, float] = field(default_factory=dict)
    clock_applied: bool = False


def calendar(time_ns: int) -> tuple[int, int, int, int, int, float]:
    """Return year, month, day, hour, minute and seconds of an epoch."""
    whole_s, rest_ns = divmod(time_ns, NS_PER_S)
    text = gpstime.to_iso(whole_s * NS_PER_S)
    year, month, day, hour, minute, second = (
        int(text[first:last]) for first, last in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
    )
    return year, month, day, hour, minute, second + rest_ns / NS_PER_S


def header_lines(
    station: StationDescription,
    contents: ObservationContents,
    present: dict[int, list[int]],
    phase_shifts: Sequence[PhaseShift],
    created: str,
) -> list[str]:
    """Return the header.

    Args:
        station: What is known of the station.
        contents: Of all epochs of the file, at least one.
        present: Signal integers by system, in the order of the columns.
        phase_shifts: What has been added to the phases.
        created: Date of the file as ``YYYYMMDD HHMMSS UTC``.

    Source:
        RINEX 3.04 table A2.
    """
    letter = SYSTEMS[next(iter(present))] if len(present) == 1 else "M"
    x, y, z = station.approx_position_m or (0.0, 0.0, 0.0)
    lines = [
        _label(f"{VERSION:9.2f}{'':11}{'OBSERVATION DATA':<20}{letter}", "RINEX VERSION / TYPE"),
        _label(f"{'gpsgrid':<20}{station.agency:<20.20}{created:<20.20}", "PGM / RUN BY / DATE"),
        *(_label(comment[:60], "COMMENT") for comment in station.comments),
        _label(station.marker[:60], "MARKER NAME"),
        _label(station.marker_number[:20], "MARKER NUMBER"),
        _label("GEODETIC", "MARKER TYPE"),
        _label(f"{station.observer:<20.20}{station.agency:<40.40}", "OBSERVER / AGENCY"),
        _label(
            f"{station.receiver_serial:<20.20}{station.receiver:<20.20}{station.receiver_version:<20.20}",
            "REC # / TYPE / VERS",
        ),
        _label(f"{station.antenna_serial:<20.20}{station.antenna:<20.20}", "ANT # / TYPE"),
        _label(f"{x:14.4f}{y:14.4f}{z:14.4f}", "APPROX POSITION XYZ"),
        _label(f"{station.antenna_height_m:14.4f}{0:14.4f}{0:14.4f}", "ANTENNA: DELTA H/E/N"),
    ]
    for system, numbers in present.items():
        types = [f" {kind}{SIGNALS[number].code}" for number in numbers for kind in "CLDS"]
        for start in range(0, len(types), _TYPES_A_LINE):
            head = f"{SYSTEMS[system]}  {len(types):3d}" if start == 0 else " " * 6
            lines.append(_label(head + "".join(types[start : start + _TYPES_A_LINE]), "SYS / # / OBS TYPES"))
    lines.append(_label("DBHZ", "SIGNAL STRENGTH UNIT"))
    if contents.interval_s is not None:
        lines.append(_label(f"{contents.interval_s:10.3f}", "INTERVAL"))
    for time_ns, name in ((contents.first_ns, "TIME OF FIRST OBS"), (contents.last_ns, "TIME OF LAST OBS")):
        *whole, second = calendar(time_ns)
        lines.append(_label("".join(f"{part:6d}" for part in whole) + f"{second:13.7f}     GPS", name))
    if station.clock_applied:
        lines.append(_label(f"{1:6d}", "RCV CLOCK OFFS APPL"))
    lines += _shifts(present, phase_shifts)
    lines += _channels(contents, present, station.glonass_bias_m)
    leap_s = gpstime.leap_seconds(gpstime.to_utc(contents.first_ns))
    return [*lines, _label(f"{leap_s:6d}", "LEAP SECONDS"), _label("", "END OF HEADER")]


def _shifts(present: dict[int, list[int]], phase_shifts: Sequence[PhaseShift]) -> list[str]:
    lines = []
    for system in present:
        shifts = [shift for shift in phase_shifts if shift.system == SYSTEMS[system]]
        if not shifts:
            lines.append(_label(SYSTEMS[system], "SYS / PHASE SHIFT"))
        for shift in shifts:
            names = [f" {satellite_name(satellite)}" for satellite in shift.satellites]
            head = f"{shift.system} L{shift.signal} {shift.shift_cyc:8.5f}" + (f"  {len(names):02d}" if names else "")
            for start in range(0, max(1, len(names)), _SHIFTED_A_LINE):
                text = (head if start == 0 else " " * 18) + "".join(names[start : start + _SHIFTED_A_LINE])
                lines.append(_label(text, "SYS / PHASE SHIFT"))
    return lines


def _channels(contents: ObservationContents, present: dict[int, list[int]], bias_m: Mapping[str, float]) -> list[str]:
    """Return the records of the GLONASS channels and of the offsets between its codes and phases."""
    if Constellation.GLONASS not in present:
        return []
    found = sorted(contents.glonass_channels.items())
    entries = [f" {satellite_name(satellite)}{channel:3d}" for satellite, channel in found]
    starts = range(0, max(1, len(entries)), _SLOTS_A_LINE)
    texts = ["".join(entries[start : start + _SLOTS_A_LINE]) for start in starts]
    heads = [f"{len(entries):3d}", *[" " * 3] * (len(texts) - 1)]
    biases = "".join(f" C{signal}{bias_m[signal]:9.3f}" for signal in ("1C", "1P", "2C", "2P") if signal in bias_m)
    return [
        *(_label(head + text, "GLONASS SLOT / FRQ #") for head, text in zip(heads, texts, strict=True)),
        _label(biases, "GLONASS COD/PHS/BIS"),
    ]


def _label(text: str, name: str) -> str:
    return f"{text:<60.60}{name}"
