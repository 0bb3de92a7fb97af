"""RINEX 3.04 observation files: :class:`StationEpoch` in, text out, so that reading it gives the same back.

What the format cannot hold is refused, never rounded away: satellites with three digits, signals without a RINEX
code, values of more than ten digits. Values are printed with three decimals, clock offsets with twelve.

The loss-of-lock indicator says that an arc began: bit 0 where ``lock_ms`` is less than the time since the satellite
was last seen (its first epoch included), bit 1 where the phase may be off by half a cycle.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stations import gpstime
from stations.arrays import FloatArray
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import StationEpoch
from stations.rinex_columns import SYSTEMS
from stations.rinex_header import PhaseShift
from stations.signals import SIGNALS, Constellation, channels_from, satellite_name

VERSION = 3.04
_TYPES_A_LINE, _SLOTS_A_LINE, _SHIFTED_A_LINE = 13, 8, 10
_LARGEST = 9_999_999_999.999  # F14.3 with a sign or one digit more
_TICK_NS = 100  # seconds have seven decimals
_UNKNOWN_DBHZ_STEP = 6.0  # RINEX 3.04 table 9: strength digit n covers 6n to 6n + 5 dBHz
_SUPPORTED_CODES = {  # RINEX 3.04 tables 4 to 10; what came later cannot be in a file of that version
    Constellation.GPS: "1C 1S 1L 1X 1P 1W 1Y 1M 1N 2C 2D 2S 2L 2X 2P 2W 2Y 2M 2N 5I 5Q 5X",
    Constellation.GLONASS: "1C 1P 4A 4B 4X 2C 2P 6A 6B 6X 3I 3Q 3X",
    Constellation.GALILEO: "1A 1B 1C 1X 1Z 5I 5Q 5X 7I 7Q 7X 8I 8Q 8X 6A 6B 6C 6X 6Z",
    Constellation.SBAS: "1C 5I 5Q 5X",
    Constellation.QZSS: "1C 1S 1L 1X 1Z 2S 2L 2X 5I 5Q 5X 5D 5P 5Z 6S 6L 6X 6E 6Z",
    Constellation.BEIDOU: "2I 2Q 2X 1D 1P 1X 1A 1N 5D 5P 5X 7I 7Q 7X 7D 7P 7Z 8D 8P 8X 6I 6Q 6X 6A",
    Constellation.NAVIC: "5A 5B 5C 5X 9A 9B 9C 9X",
}


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


def write_observations(
    station: StationDescription,
    epochs: Sequence[StationEpoch],
    *,
    clock_offset_s: FloatArray | None = None,
    phase_shifts: Sequence[PhaseShift] = (),
    created: str = "",
) -> str:
    """Return a RINEX 3.04 observation file.

    Args:
        station: For the header.
        epochs: In time order, at least one.
        clock_offset_s: Receiver clock offset of every epoch, NaN where unknown, shape ``(epoch,)``.
        phase_shifts: What has been added to the phases; they are written as they are.
        created: Date of the file as ``YYYYMMDD HHMMSS UTC``; this function reads no clock.

    Raises:
        ValueError: The epochs are not in order or cannot be written: the message says which, and why.

    Source:
        IGS/RTCM (2018), RINEX 3.04, tables A2 and A3.
    """
    if not epochs:
        message = "at least one epoch is needed: the header of a RINEX file has its time"
        raise ValueError(message)
    if clock_offset_s is not None and len(clock_offset_s) != len(epochs):
        message = f"{len(clock_offset_s)} clock offsets for {len(epochs)} epochs"
        raise ValueError(message)
    signals = np.unique(np.concatenate([epoch.signal for epoch in epochs])).tolist()
    unknown = [number for number in signals if not _writable(number)]
    if unknown:
        message = f"signals {unknown} have no code in RINEX {VERSION}; leave them out"
        raise ValueError(message)
    by_system = {system: [number for number in signals if number // 100 == system] for system in range(len(SYSTEMS))}
    present = {system: numbers for system, numbers in by_system.items() if numbers}
    lines = _header(station, epochs, present, phase_shifts, created)
    body = _Body(present)
    before_ns = None
    for place, epoch in enumerate(epochs):
        if before_ns is not None and epoch.time_ns <= before_ns:
            message = f"epoch {gpstime.to_iso(epoch.time_ns)} is not later than the one before; sort them first"
            raise ValueError(message)
        before_ns = epoch.time_ns
        lines += body.epoch(epoch, math.nan if clock_offset_s is None else float(clock_offset_s[place]))
    return "\n".join(lines) + "\n"


def _writable(number: int) -> bool:
    signal = SIGNALS.get(number)
    return signal is not None and signal.code in _SUPPORTED_CODES[signal.constellation].split()


class _Body:
    """Writes epochs and remembers when every phase was last seen."""

    def __init__(self, present: dict[int, list[int]]) -> None:
        self._slot = {number: place for numbers in present.values() for place, number in enumerate(numbers)}
        self._slots = {system: len(numbers) for system, numbers in present.items()}
        self._seen_ns: dict[tuple[int, int], int] = {}

    def epoch(self, epoch: StationEpoch, clock_offset_s: float) -> list[str]:
        """Return the lines of one epoch."""
        if epoch.time_ns % _TICK_NS:
            message = f"time tag {epoch.time_ns} ns: RINEX has seven decimals of a second"
            raise ValueError(message)
        records: dict[int, list[str]] = {}
        columns = (
            epoch.pseudorange_m,
            epoch.phase_cyc,
            epoch.doppler_hz,
            epoch.cn0_dbhz,
            epoch.lock_ms,
            epoch.half_cycle,
        )
        values = zip(
            epoch.satellite.tolist(), epoch.signal.tolist(), *(column.tolist() for column in columns), strict=True
        )
        for satellite, signal, code, phase, doppler, strength, lock_ms, half in values:
            if satellite not in records:
                records[satellite] = [" " * 64] * self._slots[satellite // 100]
            digit = _strength_digit(strength)
            slip = not math.isnan(phase) and self._slipped(epoch.time_ns, satellite, signal, lock_ms)
            records[satellite][self._slot[signal]] = (
                _field(code, 0, digit) + _field(phase, slip + 2 * half, digit) + _field(doppler) + _field(strength)
            )
        moment = _calendar(epoch.time_ns)
        clock = "" if math.isnan(clock_offset_s) else f"{'':6}{clock_offset_s:15.12f}"
        first = (
            f"> {moment[0]:4d} {moment[1]:02d} {moment[2]:02d} {moment[3]:02d} {moment[4]:02d}{moment[5]:11.7f}"
            f"  0{len(records):3d}{clock}"
        )
        return [first, *((satellite_name(sat) + "".join(fields)).rstrip() for sat, fields in sorted(records.items()))]

    def _slipped(self, time_ns: int, satellite: int, signal: int, lock_ms: int) -> bool:
        before_ns = self._seen_ns.get((satellite, signal))
        self._seen_ns[satellite, signal] = time_ns
        # Rounded to milliseconds like lock_ms itself: an arc that goes on is as old as the time since, or older.
        return before_ns is None or lock_ms < (time_ns - before_ns) // NS_PER_MS


def _field(value: float, indicator: int = 0, digit: int = 0) -> str:
    if math.isnan(value):
        return " " * 16
    if not -0.1 * _LARGEST < value < _LARGEST:
        message = f"{value} does not fit into the ten digits of a RINEX observation"
        raise ValueError(message)
    return f"{value:14.3f}{indicator or ' '}{digit or ' '}"


def _strength_digit(cn0_dbhz: float) -> int:
    return 0 if math.isnan(cn0_dbhz) else min(max(int(cn0_dbhz / _UNKNOWN_DBHZ_STEP), 1), 9)


def _calendar(time_ns: int) -> tuple[int, int, int, int, int, float]:
    whole_s, rest_ns = divmod(time_ns, NS_PER_S)
    text = gpstime.to_iso(whole_s * NS_PER_S)
    year, month, day, hour, minute, second = (
        int(text[first:last]) for first, last in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
    )
    return year, month, day, hour, minute, second + rest_ns / NS_PER_S


def _header(
    station: StationDescription,
    epochs: Sequence[StationEpoch],
    present: dict[int, list[int]],
    phase_shifts: Sequence[PhaseShift],
    created: str,
) -> list[str]:
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
    spacing_s = np.diff([epoch.time_ns for epoch in epochs]) / NS_PER_S
    if len(spacing_s):
        lines.append(_label(f"{np.median(spacing_s):10.3f}", "INTERVAL"))
    for epoch, name in ((epochs[0], "TIME OF FIRST OBS"), (epochs[-1], "TIME OF LAST OBS")):
        *whole, second = _calendar(epoch.time_ns)
        lines.append(_label("".join(f"{part:6d}" for part in whole) + f"{second:13.7f}     GPS", name))
    lines += _shifts(present, phase_shifts)
    lines += _channels(epochs, present)
    leap_s = gpstime.leap_seconds(gpstime.to_utc(epochs[0].time_ns))
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


def _channels(epochs: Sequence[StationEpoch], present: dict[int, list[int]]) -> list[str]:
    """Return the records of the GLONASS channels, as far as the frequencies of the rows tell them."""
    if Constellation.GLONASS not in present:
        return []
    found: dict[int, int] = {}
    for epoch in epochs:
        channel = channels_from(epoch.signal, epoch.frequency_hz)
        known = np.flatnonzero(~np.isnan(channel))
        found.update(zip(epoch.satellite[known].tolist(), channel[known].astype(np.int64).tolist(), strict=True))
    entries = [f" {satellite_name(satellite)}{channel:3d}" for satellite, channel in sorted(found.items())]
    starts = range(0, max(1, len(entries)), _SLOTS_A_LINE)
    texts = ["".join(entries[start : start + _SLOTS_A_LINE]) for start in starts]
    heads = [f"{len(entries):3d}", *[" " * 3] * (len(texts) - 1)]
    return [
        *(_label(head + text, "GLONASS SLOT / FRQ #") for head, text in zip(heads, texts, strict=True)),
        _label("", "GLONASS COD/PHS/BIS"),
    ]


def _label(text: str, name: str) -> str:
    return f"{text:<60.60}{name}"
