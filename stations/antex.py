"""ANTEX 1.3/1.4: calibrations of receiver antennas. Satellite antennas in the same file are passed over.

An antenna that is not in the table is an error, never a zero: a forgotten radome costs centimetres of
height. How a calibration changes a range is the business of ``models.antenna``.
"""

import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stations import gpstime
from stations.antenna_type import WIDTH, antenna_type
from stations.arrays import FloatArray
from stations.errors import GpsgridError, Reason
from stations.rinex_text import LineTable, broken, decimal, integer

_M_PER_MM = 1e-3
_NEAREST = 5


@dataclass(frozen=True)
class FrequencyPattern:
    """Phase centre of one antenna on one frequency.

    Attributes:
        offset_enu_m: Mean phase centre from the antenna reference point: east, north, up, metres.
        zenith_rad: Zenith angles of the grids, rising, shape ``(zenith,)``.
        variation_m: Variation without azimuth (NOAZI), metres, shape ``(zenith,)``.
        azimuth_rad: Azimuths of the second grid, rising, shape ``(azimuth,)``; empty without one.
        azimuth_variation_m: Variation with azimuth, metres, shape ``(azimuth, zenith)``.
    """

    offset_enu_m: FloatArray
    zenith_rad: FloatArray
    variation_m: FloatArray
    azimuth_rad: FloatArray
    azimuth_variation_m: FloatArray


@dataclass(frozen=True)
class AntennaCalibration:
    """Calibration of one antenna type, or of one antenna.

    Attributes:
        antenna: IGS antenna type, 20 characters.
        serial: Serial number; empty for a calibration of the type.
        valid_from_ns: First instant for which it holds, ns of GPS time; None without limit.
        valid_until_ns: Last instant for which it holds; None without limit.
        frequencies: Patterns by ANTEX frequency, for instance ``G01``.
    """

    antenna: str
    serial: str
    valid_from_ns: int | None
    valid_until_ns: int | None
    frequencies: dict[str, FrequencyPattern]

    def pattern(self, frequency: str) -> FrequencyPattern:
        """Return the pattern of an ANTEX frequency such as ``G02``.

        Raises:
            GpsgridError: ``UNKNOWN_ANTENNA``, this antenna is not calibrated on that frequency.
        """
        try:
            return self.frequencies[frequency]
        except KeyError:
            message = (
                f"antenna {self.antenna!r} has no calibration on {frequency}, only on"
                f" {', '.join(self.frequencies) or 'nothing'}; use an ANTEX file that has it"
            )
            raise GpsgridError(Reason.UNKNOWN_ANTENNA, message, antenna=self.antenna, frequency=frequency) from None

    def holds_at(self, time_ns: int | None) -> bool:
        """Return whether the calibration holds at an instant; always when none is given."""
        if time_ns is None:
            return True
        after = self.valid_from_ns is None or self.valid_from_ns <= time_ns
        return after and (self.valid_until_ns is None or time_ns <= self.valid_until_ns)


@dataclass(frozen=True)
class AntennaTable:
    """The calibrations of one ANTEX file, in its order."""

    source: str
    calibrations: tuple[AntennaCalibration, ...]

    def find(self, antenna: str, serial: str = "", time_ns: int | None = None) -> AntennaCalibration:
        """Return the calibration of an antenna: its own if there is one, else that of its type.

        Args:
            antenna: IGS type with radome. The number of blanks between them does not matter, the radome does:
                nothing else is ever taken in its place, not even ``NONE``.
            serial: Serial number; may be empty.
            time_ns: Instant of the observations, ns of GPS time; None when it does not matter.

        Raises:
            GpsgridError: ``UNKNOWN_ANTENNA``; the message names what was asked and what comes nearest.
        """
        wanted = antenna_type(antenna)
        valid = [entry for entry in self.calibrations if entry.antenna == wanted and entry.holds_at(time_ns)]
        for key in (serial.strip(), ""):
            # The file may hold several for one antenna; the last one is the newest.
            found = [entry for entry in valid if entry.serial == key]
            if found:
                return found[-1]
        raise self._unknown(wanted, serial.strip())

    def _unknown(self, wanted: str, serial: str) -> GpsgridError:
        labels = {_label(entry.antenna, entry.serial): entry for entry in self.calibrations}
        same_name = [label for label, entry in labels.items() if entry.antenna[:16] == wanted[:16]]
        nearest = same_name or difflib.get_close_matches(_label(wanted, serial), list(labels), n=_NEAREST)
        known = "; ".join(nearest[:_NEAREST]) or ", ".join(label.strip() for label in sorted(labels)[:_NEAREST])
        message = (
            f"{self.source} has no calibration for antenna {_label(wanted, serial)}; nearest are: {known}."
            " Correct the type (name and radome) or the serial number, or use an ANTEX file that has it"
        )
        return GpsgridError(
            Reason.UNKNOWN_ANTENNA, message, antenna=wanted, serial=serial, file=self.source, nearest=nearest[:_NEAREST]
        )


def _label(antenna: str, serial: str) -> str:
    return f"{antenna!r} serial {serial!r}" if serial else repr(antenna)


@dataclass
class _Draft:
    """An antenna while its lines are read."""

    antenna: str = ""
    serial: str = ""
    satellite: bool = False
    azimuth_step_deg: float = 0.0
    zenith_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    valid_from_ns: int | None = None
    valid_until_ns: int | None = None
    frequencies: dict[str, FrequencyPattern] = field(default_factory=dict)


def read_antex(text: str, source: str) -> AntennaTable:
    """Read the receiver antennas of an ANTEX file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        Rothacher and Schmid (2010), ANTEX 1.4.
    """
    table = LineTable(text, source)
    if table.lines[0][60:80].strip() != "ANTEX VERSION / SYST":
        message = f"expected 'ANTEX VERSION / SYST' in columns 61-80, got {table.lines[0][:80]!r}"
        raise broken(source, 1, message)
    calibrations = []
    lines = _Lines(table)
    for label, _ in lines:
        if label == "START OF ANTENNA":
            draft = _read_antenna(lines)
            if not draft.satellite:
                calibrations.append(
                    AntennaCalibration(
                        draft.antenna, draft.serial, draft.valid_from_ns, draft.valid_until_ns, draft.frequencies
                    )
                )
    return AntennaTable(source, tuple(calibrations))


class _Lines:
    """The lines with their labels; knows where it is."""

    def __init__(self, table: LineTable) -> None:
        self._table = table
        self.at = -1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> tuple[str, str]:
        if self.at + 1 >= len(self._table):
            raise StopIteration
        self.at += 1
        line = self._table.lines[self.at]
        return line[60:80].strip(), line

    def until(self, end: str) -> Iterator[tuple[str, str]]:
        """Yield the lines before the one labelled ``end``, comments left out."""
        for label, line in self:
            if label == end:
                return
            if label != "COMMENT":
                yield label, line
        message = f"the file ends before {end!r}; is it cut off?"
        raise self.error(message)

    def error(self, message: str) -> GpsgridError:
        return broken(self._table.source, self.at + 1, message)


def _read_antenna(lines: _Lines) -> _Draft:
    draft = _Draft()
    try:
        for label, line in lines.until("END OF ANTENNA"):
            if label == "TYPE / SERIAL NO":
                draft.antenna, draft.serial = antenna_type(line[:WIDTH]), line[20:40].strip()
                # Columns 41-50 hold the number of a satellite; receiver antennas leave them blank.
                draft.satellite = bool(line[40:50].strip())
            elif label == "DAZI":
                draft.azimuth_step_deg = decimal(line[2:8])
            elif label == "ZEN1 / ZEN2 / DZEN":
                draft.zenith_deg = (decimal(line[2:8]), decimal(line[8:14]), decimal(line[14:20]))
            elif label == "VALID FROM":
                draft.valid_from_ns = _time_ns(line)
            elif label == "VALID UNTIL":
                draft.valid_until_ns = _time_ns(line)
            elif label == "START OF FREQUENCY":
                draft.frequencies[line[3:6].replace(" ", "0")] = _read_frequency(lines, draft)
            elif label == "START OF FREQ RMS":
                for _ in lines.until("END OF FREQ RMS"):
                    pass
    except ValueError as error:
        raise lines.error(str(error)) from None
    return draft


def _read_frequency(lines: _Lines, draft: _Draft) -> FrequencyPattern:
    zenith_deg = _grid(*draft.zenith_deg)
    count = len(zenith_deg)
    offset_neu_mm: list[float] = []
    no_azimuth: list[float] = []
    by_azimuth: dict[float, list[float]] = {}
    for label, line in lines.until("END OF FREQUENCY"):
        if label == "NORTH / EAST / UP":
            offset_neu_mm = _numbers(line, 0, 10, 3)
        elif line[3:8] == "NOAZI":
            no_azimuth = _numbers(line, 8, 8, count)
        else:
            by_azimuth[decimal(line[:8])] = _numbers(line, 8, 8, count)
    if not offset_neu_mm or not no_azimuth:
        message = "a frequency needs a line 'NORTH / EAST / UP' and a line 'NOAZI'"
        raise ValueError(message)
    azimuth_deg = sorted(by_azimuth)
    expected = _grid(0.0, 360.0, draft.azimuth_step_deg) if draft.azimuth_step_deg else np.empty(0)
    if by_azimuth and not np.array_equal(azimuth_deg, expected):
        message = f"azimuths {azimuth_deg[:3]}... do not go from 0 to 360 in steps of {draft.azimuth_step_deg}"
        raise ValueError(message)
    north, east, up = offset_neu_mm
    return FrequencyPattern(
        offset_enu_m=np.array([east, north, up]) * _M_PER_MM,
        zenith_rad=np.radians(zenith_deg),
        variation_m=np.array(no_azimuth) * _M_PER_MM,
        azimuth_rad=np.radians(azimuth_deg),
        azimuth_variation_m=np.array([by_azimuth[angle] for angle in azimuth_deg]).reshape(-1, count) * _M_PER_MM,
    )


def _grid(first: float, last: float, step: float) -> FloatArray:
    if not (step > 0.0 and last > first and (last - first) / step < 10_000):
        message = f"grid from {first} to {last} in steps of {step}; expected rising angles in degrees"
        raise ValueError(message)
    return np.asarray(first + step * np.arange(round((last - first) / step) + 1), dtype=np.float64)


def _numbers(line: str, start: int, width: int, count: int) -> list[float]:
    values = [decimal(line[column : column + width]) for column in range(start, start + count * width, width)]
    if any(map(math.isnan, values)):
        message = f"fewer than {count} numbers of {width} columns in {line[:80]!r}"
        raise ValueError(message)
    return values


def _time_ns(line: str) -> int:
    year, month, day, hour, minute = (integer(line[column : column + 6]) for column in range(0, 30, 6))
    second = decimal(line[30:43])
    return gpstime.from_calendar(year, month, day, hour, minute, round(second * 1e7) * 100)
