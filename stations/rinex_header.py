"""Header records of RINEX observation files, versions 2, 3 and 4, and what an event may change later.

Only what somebody uses is kept; unknown records are ignored, as the format demands. Records that change are
replaced, never modified, so that a shallow copy of a header is a snapshot.
"""

import datetime as dt
import math
from dataclasses import dataclass, field

from stations import gpstime
from stations.antenna_type import antenna_type
from stations.constants import NS_PER_S
from stations.rinex_text import LineTable, broken, decimal, integer
from stations.signals import CHANNELS, satellite_number

_BEIDOU_BEHIND_GPS_S = 14  # BDT started on 2006-01-01 with GPS - UTC = 14 s
_TYPES_A_LINE_2 = 9
_TYPES_A_LINE_3 = 13
_SLOTS_A_LINE = 8
OLDEST_VERSION, NEWEST_VERSION = 2.0, 4.99
OLDEST_MODERN_VERSION = 3.0  # satellites on lines of their own, types by system
_FIRST_LABEL = "RINEX VERSION / TYPE"
_ALL = "*"  # the types of RINEX 2 are those of every system


_READERS = {
    "MARKER NAME": "_read_marker",
    "MARKER NUMBER": "_read_marker_number",
    "REC # / TYPE / VERS": "_read_receiver",
    "ANT # / TYPE": "_read_antenna",
    "APPROX POSITION XYZ": "_read_position",
    "ANTENNA: DELTA H/E/N": "_read_delta",
    "INTERVAL": "_read_interval",
    "RCV CLOCK OFFS APPL": "_read_clock_applied",
    "TIME OF FIRST OBS": "_read_time_system",
    "WAVELENGTH FACT L1/2": "_read_wavelengths",
    "# / TYPES OF OBSERV": "_read_types_2",
    "SYS / # / OBS TYPES": "_read_types_3",
    "SYS / SCALE FACTOR": "_read_scale",
    "SYS / PHASE SHIFT": "_read_shift",
    "GLONASS SLOT / FRQ #": "_read_channels",
    "GLONASS COD/PHS/BIS": "_read_biases",
}


@dataclass(frozen=True)
class PhaseShift:
    """A phase shift that was added to make the phases of a signal comparable (``SYS / PHASE SHIFT``).

    Phases in a file have it already; it is known for whoever wants the phases as they were measured.

    Attributes:
        system: System letter.
        signal: RINEX signal code, for instance ``2X``.
        shift_cyc: Cycles that were added.
        satellites: Satellites it was added for; empty for all.
    """

    system: str
    signal: str
    shift_cyc: float
    satellites: tuple[int, ...] = ()


@dataclass
class ObservationHeader:
    """What the header of an observation file says.

    Attributes:
        version: RINEX version.
        system: Satellite system letter of the file, ``M`` for mixed.
        marker: Marker name.
        marker_number: Marker (DOMES) number.
        approx_position_m: ECEF metres, or None when the file has none.
        antenna: IGS antenna type, 20 characters; empty when the file has none.
        antenna_serial: Serial number of the antenna.
        antenna_delta_m: Marker to antenna reference point: up, east, north, metres.
        receiver: Receiver type.
        receiver_serial: Serial number of the receiver.
        receiver_version: Its firmware.
        interval_s: Declared interval, 0 when not declared.
        time_offset_ns: To be added to time tags to get GPS time.
        clock_applied: Whether the receiver clock offset is already in the observations.
        half_wavelength: Per band (1, 2): whether the default wavelength factor is 2 (RINEX 2).
        types: Observation types in the order of the columns, by system letter, ``*`` for all systems (RINEX 2).
        scale: Divisors by system letter and observation type (RINEX 3).
        glonass_channels: Frequency channel by satellite integer.
        phase_shifts: Phase shifts that were applied.
        glonass_bias_m: How far GLONASS codes are from the phases, by RINEX signal; empty where the file does not say.
    """

    version: float = 0.0
    system: str = "M"
    marker: str = ""
    marker_number: str = ""
    approx_position_m: tuple[float, float, float] | None = None
    antenna: str = ""
    antenna_serial: str = ""
    antenna_delta_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    receiver: str = ""
    receiver_serial: str = ""
    receiver_version: str = ""
    interval_s: float = 0.0
    time_offset_ns: int = 0
    clock_applied: bool = False
    half_wavelength: tuple[bool, bool] = (False, False)
    types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scale: dict[tuple[str, str], float] = field(default_factory=dict)
    glonass_channels: dict[int, int] = field(default_factory=dict)
    phase_shifts: tuple[PhaseShift, ...] = ()
    glonass_bias_m: dict[str, float] = field(default_factory=dict)
    _declared: dict[str, int] = field(default_factory=dict)
    _system_of_types: str = ""
    _shift: tuple[str, str, float] | None = None
    _scale: tuple[str, float] = ("", 1.0)

    @property
    def modern(self) -> bool:
        """Whether the file is of version 3 or 4."""
        return self.version >= OLDEST_MODERN_VERSION

    def types_of(self, system: str) -> tuple[str, ...]:
        """Return the observation types of a system, in the order of the columns; none if it has none."""
        return self.types.get(system if self.modern else _ALL, ())

    def read(self, line: str) -> None:
        """Take in one header record.

        Raises:
            ValueError: The record is malformed; the message does not know file and line.
        """
        reader = _READERS.get(line[60:80].strip())
        if reader is not None:
            getattr(self, reader)(line)

    def _read_marker(self, line: str) -> None:
        self.marker = line[:60].strip()

    def _read_marker_number(self, line: str) -> None:
        self.marker_number = line[:20].strip()

    def _read_receiver(self, line: str) -> None:
        self.receiver_serial, self.receiver, self.receiver_version = (
            line[column : column + 20].strip() for column in (0, 20, 40)
        )

    def _read_antenna(self, line: str) -> None:
        self.antenna_serial = line[:20].strip()
        self.antenna = antenna_type(line[20:40])

    def _read_position(self, line: str) -> None:
        position = _three(line)
        self.approx_position_m = position if any(position) else None

    def _read_delta(self, line: str) -> None:
        self.antenna_delta_m = _three(line)

    def _read_interval(self, line: str) -> None:
        self.interval_s = _or_zero(decimal(line[:10]))

    def _read_clock_applied(self, line: str) -> None:
        self.clock_applied = bool(line[:6].strip()) and integer(line[:6]) == 1

    def _read_wavelengths(self, line: str) -> None:
        # Records with satellites in them are exceptions for those; no receiver of this century writes them.
        if not line[12:18].strip(" 0"):
            self.half_wavelength = (line[:6].strip() == "2", line[6:12].strip() == "2")

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
            self._declared = {_ALL: integer(line[:6])}
            self.types = {}
        self.types = {_ALL: self.types.get(_ALL, ()) + tuple(line[6 : 6 + 6 * _TYPES_A_LINE_2].split())}

    def _read_types_3(self, line: str) -> None:
        system = line[0] if line[0] != " " else self._system_of_types
        if line[0] != " ":
            self._system_of_types = system
            self._declared = {**self._declared, system: integer(line[3:6])}
            self.types = {**self.types, system: ()}
        self.types = {**self.types, system: self.types.get(system, ()) + tuple(line[6:58].split())}

    def _read_scale(self, line: str) -> None:
        if line[0] != " ":
            factor = integer(line[2:6])
            if factor == 0:
                message = "scale factor 0; expected 1, 10, 100 or 1000"
                raise ValueError(message)
            self._scale = (line[0], float(factor))
        system, divisor = self._scale
        codes = tuple(line[10:58].split()) or self.types.get(system, ())
        self.scale = {**self.scale, **{(system, code): divisor for code in codes}}

    def _read_shift(self, line: str) -> None:
        if line[:1] != " ":
            self._shift = None
            shift = decimal(line[6:14])
            if not line[2:5].strip() or math.isnan(shift):
                return  # no correction, or nobody knows it
            self._shift = (line[0], line[3:5].strip(), shift)
        elif self._shift is None:
            return
        system, signal, shift = self._shift
        named = tuple(satellite_number(name) for name in line[18:58].split())
        if line[:1] == " " and self.phase_shifts:
            named = self.phase_shifts[-1].satellites + named
            self.phase_shifts = self.phase_shifts[:-1]
        self.phase_shifts = (*self.phase_shifts, PhaseShift(system, signal, shift, named))

    def _read_channels(self, line: str) -> None:
        channels = dict(self.glonass_channels)
        for column in range(4, 4 + 7 * _SLOTS_A_LINE, 7):
            name, number = line[column : column + 3], line[column + 3 : column + 6]
            if not name.strip():
                continue
            channel = int(decimal(number)) if number.strip() else 0
            if channel not in CHANNELS:
                message = f"frequency channel {channel} of {name}; expected {CHANNELS[0]} to {CHANNELS[-1]}"
                raise ValueError(message)
            channels[satellite_number(name.replace(" ", "0"))] = channel
        self.glonass_channels = channels

    def _read_biases(self, line: str) -> None:
        found = {}
        for column in range(1, 1 + 13 * 4, 13):
            name, value = line[column : column + 3].strip(), decimal(line[column + 4 : column + 12])
            if name and not math.isnan(value):
                found[name[1:]] = value
        self.glonass_bias_m = found

    def check_types(self) -> None:
        """Raise ``ValueError`` unless as many types are listed as were announced."""
        for system in self._declared or {_ALL: 0}:
            listed, announced = self.types.get(system, ()), self._declared.get(system, 0)
            if len(listed) != announced:
                message = f"{len(listed)} observation types listed, {announced} announced: {' '.join(listed)}"
                raise ValueError(message)


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _three(line: str) -> tuple[float, float, float]:
    first, second, third = (_or_zero(decimal(line[column : column + 14])) for column in (0, 14, 28))
    return first, second, third


def begins_header(line: str) -> bool:
    """Return whether a line is the first one of a RINEX file."""
    return line[60:80].strip() == _FIRST_LABEL


def read_header(table: LineTable, first_line: int = 0) -> tuple[ObservationHeader, int]:
    """Return the header of an observation file and the index of the first line behind it.

    Args:
        table: The file.
        first_line: Where the header begins: not 0 when several files were put one behind another.

    Raises:
        GpsgridError: The text is no RINEX observation file, or a record is malformed.
    """
    header = ObservationHeader()
    first = table.line(first_line)
    if not begins_header(first):
        message = f"expected a RINEX header ({_FIRST_LABEL!r} in columns 61-80), got {first[:80]!r}"
        raise broken(table.source, first_line + 1, message)
    try:
        header.version = decimal(first[:9])
    except ValueError as error:
        raise broken(table.source, first_line + 1, f"RINEX version: {error}") from None
    if not OLDEST_VERSION <= header.version <= NEWEST_VERSION:
        message = f"RINEX version {first[:9].strip()!r}; versions 2, 3 and 4 can be read"
        raise broken(table.source, first_line + 1, message)
    if first[20:21] != "O":
        message = f"file type {first[20:40].strip()!r}; expected an observation file ('O' in column 21)"
        raise broken(table.source, first_line + 1, message)
    header.system = first[40:41].strip() or "G"
    for index in range(first_line, len(table)):
        line = table.line(index)
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
