"""The antennas of an ANTEX file as they stand there: lines with labels, grids of numbers, validity.

What an antenna is and how one is found is the business of ``antex``.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from stations import gpstime
from stations.antenna_type import WIDTH, antenna_type
from stations.arrays import FloatArray
from stations.errors import GpsgridError
from stations.rinex_text import LineTable, broken, decimal, integer

_M_PER_MM = 1e-3


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


@dataclass
class AntennaRecord:
    """One antenna, receiver or satellite, while its lines are read; attributes as in ``antex``."""

    antenna: str = ""
    serial: str = ""
    satellite: str = ""
    cospar: str = ""
    sinex_code: str = ""
    announced: int = 0
    azimuth_step_deg: float = 0.0
    zenith_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    valid_from_ns: int | None = None
    valid_until_ns: int | None = None
    frequencies: dict[str, FrequencyPattern] = field(default_factory=dict)


class AntexLines:
    """The lines with their labels; knows where it is."""

    def __init__(self, table: LineTable) -> None:
        """Stand before the first line."""
        self._table = table
        self.at = -1

    def __iter__(self) -> "AntexLines":
        """Return itself: whoever goes on reads on."""
        return self

    def __next__(self) -> tuple[str, str]:
        """Return label and text of the next line."""
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
        """Return the error for the line that was taken last."""
        return broken(self._table.source, self.at + 1, message)


def read_antenna(lines: AntexLines) -> AntennaRecord:
    """Read an antenna whose first line was just taken.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.
    """
    record = AntennaRecord()
    try:
        for label, line in lines.until("END OF ANTENNA"):
            if label == "START OF FREQUENCY":
                record.frequencies[line[3:6].replace(" ", "0")] = _read_frequency(lines, record)
            elif label == "START OF FREQ RMS":
                for _ in lines.until("END OF FREQ RMS"):
                    pass
            else:
                _take_inplace(record, label, line)
    except ValueError as error:
        raise lines.error(str(error)) from None
    if record.announced and len(record.frequencies) != record.announced:
        message = f"{record.announced} frequencies announced, {len(record.frequencies)} found"
        raise lines.error(message)
    return record


def _take_inplace(record: AntennaRecord, label: str, line: str) -> None:
    if label == "TYPE / SERIAL NO":
        record.antenna, record.serial = antenna_type(line[:WIDTH]), line[20:40].strip()
        # Columns 41-50 hold the number of a satellite; receiver antennas leave them blank.
        record.satellite, record.cospar = line[40:50].strip(), line[50:60].strip()
    elif label == "DAZI":
        record.azimuth_step_deg = decimal(line[2:8])
    elif label == "ZEN1 / ZEN2 / DZEN":
        record.zenith_deg = (decimal(line[2:8]), decimal(line[8:14]), decimal(line[14:20]))
    elif label == "VALID FROM":
        record.valid_from_ns = _time_ns(line)
    elif label == "VALID UNTIL":
        record.valid_until_ns = _time_ns(line)
    elif label == "SINEX CODE":
        record.sinex_code = line[:10].strip()
    elif label == "# OF FREQUENCIES":
        record.announced = integer(line[:6])


def _read_frequency(lines: AntexLines, draft: AntennaRecord) -> FrequencyPattern:
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
