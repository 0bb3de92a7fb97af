"""Header records of RINEX observation files, versions 2, 3 and 4, and what an event may change later.

Only what somebody uses is kept; unknown records are ignored, as the format demands.
"""

import datetime as dt
import math
from dataclasses import dataclass, field

from stations import gpstime
from stations.antenna_type import antenna_type
from stations.constants import NS_PER_S
from stations.rinex_text import LineTable, broken, decimal, integer

_BEIDOU_BEHIND_GPS_S = 14  # BDT started on 2006-01-01 with GPS - UTC = 14 s
_TYPES_A_LINE_2 = 9
_TYPES_A_LINE_3 = 13
OLDEST_VERSION, NEWEST_VERSION = 2.0, 4.99


@dataclass
class ObservationHeader:
    """What the header of an observation file says.

    Attributes:
        version: RINEX version.
        system: Satellite system letter of the file, ``M`` for mixed.
        marker: Marker name.
        approx_position_m: ECEF metres, or None when the file has none.
        antenna: IGS antenna type, 20 characters; empty when the file has none.
        antenna_serial: Serial number of the antenna.
        antenna_delta_m: Marker to antenna reference point: up, east, north, metres.
        receiver: Receiver type.
        interval_s: Declared interval, 0 when not declared.
        time_offset_ns: To be added to time tags to get GPS time.
        half_wavelength: Per band (1, 2): whether the default wavelength factor is 2 (RINEX 2).
        types: Observation types of a GPS satellite, in the order of the columns.
        scale: Divisors of GPS observation types (RINEX 3).
    """

    version: float = 0.0
    system: str = "M"
    marker: str = ""
    approx_position_m: tuple[float, float, float] | None = None
    antenna: str = ""
    antenna_serial: str = ""
    antenna_delta_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    receiver: str = ""
    interval_s: float = 0.0
    time_offset_ns: int = 0
    half_wavelength: tuple[bool, bool] = (False, False)
    types: list[str] = field(default_factory=list)
    scale: dict[str, float] = field(default_factory=dict)
    _declared: int = 0
    _system_of_types: str = ""

    def read(self, line: str) -> None:
        """Take in one header record.

        Raises:
            ValueError: The record is malformed; the message does not know file and line.
        """
        label = line[60:80].strip()
        if label == "MARKER NAME":
            self.marker = line[:60].strip()
        elif label == "REC # / TYPE / VERS":
            self.receiver = line[20:40].strip()
        elif label == "ANT # / TYPE":
            self.antenna_serial = line[:20].strip()
            self.antenna = antenna_type(line[20:40])
        elif label == "APPROX POSITION XYZ":
            position = _three(line)
            self.approx_position_m = position if any(position) else None
        elif label == "ANTENNA: DELTA H/E/N":
            self.antenna_delta_m = _three(line)
        elif label == "INTERVAL":
            self.interval_s = _or_zero(decimal(line[:10]))
        elif label == "TIME OF FIRST OBS":
            self._read_time_system(line)
        elif label == "WAVELENGTH FACT L1/2" and not line[12:18].strip(" 0"):
            self.half_wavelength = (line[:6].strip() == "2", line[6:12].strip() == "2")
        elif label == "# / TYPES OF OBSERV":
            self._read_types_2(line)
        elif label == "SYS / # / OBS TYPES":
            self._read_types_3(line)
        elif label == "SYS / SCALE FACTOR":
            self._read_scale(line)

    def _read_time_system(self, line: str) -> None:
        system = line[48:51].strip() or ("GLO" if self.system == "R" else "GPS")
        if system == "BDT":
            self.time_offset_ns = _BEIDOU_BEHIND_GPS_S * NS_PER_S
        elif system in {"GLO", "UTC"}:
            year, month, day = (integer(line[column : column + 6]) for column in (0, 6, 12))
            self.time_offset_ns = gpstime.leap_seconds(dt.datetime(year, month, day, tzinfo=dt.UTC)) * NS_PER_S
        elif system in {"GPS", "GAL", "QZS", "IRN"}:
            self.time_offset_ns = 0
        else:
            message = f"time system {system!r}; expected GPS, GLO, GAL, QZS, BDT, IRN or UTC"
            raise ValueError(message)

    def _read_types_2(self, line: str) -> None:
        if line[:6].strip():
            self._declared = integer(line[:6])
            self.types = []
        self.types = self.types + line[6 : 6 + 6 * _TYPES_A_LINE_2].split()

    def _read_types_3(self, line: str) -> None:
        if line[0] != " ":
            self._system_of_types = line[0]
            if line[0] == "G":
                self._declared = integer(line[3:6])
                self.types = []
        if self._system_of_types == "G":
            self.types = self.types + line[6 : 6 + 4 * _TYPES_A_LINE_3].split()

    def _read_scale(self, line: str) -> None:
        if line[0] == "G":
            codes = line[10:58].split() or self.types
            self.scale = {**self.scale, **dict.fromkeys(codes, float(integer(line[2:6])))}

    def check_types(self) -> None:
        """Raise ``ValueError`` unless as many types are listed as were announced."""
        if len(self.types) != self._declared:
            message = f"{len(self.types)} observation types listed, {self._declared} announced: {self.types}"
            raise ValueError(message)


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _three(line: str) -> tuple[float, float, float]:
    first, second, third = (_or_zero(decimal(line[column : column + 14])) for column in (0, 14, 28))
    return first, second, third


def read_header(table: LineTable) -> tuple[ObservationHeader, int]:
    """Return the header of an observation file and the index of the first line behind it.

    Raises:
        GpsgridError: The text is no RINEX observation file, or a record is malformed.
    """
    header = ObservationHeader()
    first = table.lines[0]
    if first[60:80].strip() != "RINEX VERSION / TYPE":
        message = f"expected a RINEX header ('RINEX VERSION / TYPE' in columns 61-80), got {first[:80]!r}"
        raise broken(table.source, 1, message)
    try:
        header.version = decimal(first[:9])
    except ValueError as error:
        raise broken(table.source, 1, f"RINEX version: {error}") from None
    if not OLDEST_VERSION <= header.version <= NEWEST_VERSION:
        raise broken(table.source, 1, f"RINEX version {first[:9].strip()!r}; versions 2, 3 and 4 can be read")
    if first[20:21] != "O":
        message = f"file type {first[20:40].strip()!r}; expected an observation file ('O' in column 21)"
        raise broken(table.source, 1, message)
    header.system = first[40:41].strip() or "G"
    for index, line in enumerate(table.lines):
        if line[60:80].strip() == "END OF HEADER":
            try:
                header.check_types()
            except ValueError as error:
                raise broken(table.source, index + 1, str(error)) from None
            return header, index + 1
        try:
            header.read(line)
        except ValueError as error:
            raise broken(table.source, index + 1, f"header record {line[60:80].strip()!r}: {error}") from None
    raise broken(table.source, len(table), "the file ends before 'END OF HEADER'; is it cut off?")
