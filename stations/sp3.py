"""Precise orbits and clocks in SP3-c and SP3-d (a and b too): text in, arrays by epoch and satellite out.

Missing and bad values are NaN: positions of zero, clocks of 999999.999999. Interpolating is the business of
``models.orbit_precise``.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.file_time import calendar_ns
from stations.gpstime import to_iso
from stations.rinex_text import LineTable, broken, decimal, integer
from stations.signals import satellite_number

_M_PER_KM, _S_PER_US, _M_PER_MM, _S_PER_PS = 1e3, 1e-6, 1e-3, 1e-12
_M_S_PER_DM_S, _RATE_UNIT = 0.1, 1e-10  # velocities are in dm/s, clock rates in 1e-4 us/s
_BAD_CLOCK_US = 999_999.0
_LARGEST_BASE = 10.0  # of the exponents of standard deviations; files have 1.25 and 1.025
_VERSIONS = "abcd"
_SATELLITES_A_LINE = 17
_RECORD_WIDTH = 60  # to the end of the clock
_FLAGS = {74: "E", 75: "P", 78: "M", 79: "P"}  # column: clock event, clock predicted, maneuver, orbit predicted


@dataclass(frozen=True)
class PreciseOrbits:
    """Orbits and clocks of one file.

    Attributes:
        frame: Name of the reference frame, as in the file, for instance ``IGS14``.
        agency: Who computed it.
        interval_s: Declared spacing.
        time_ns: Epochs, ns of GPS time, rising, shape ``(epoch,)``.
        satellite: Satellite integers, rising, shape ``(sat,)``.
        accuracy_m: Declared accuracy of the orbit of every satellite, NaN where unknown, shape ``(sat,)``.
        position_m: Centre of mass, Earth-fixed, metres, shape ``(epoch, sat, 3)``.
        clock_s: Clock offset from GPS time, without the periodic relativistic effect, shape ``(epoch, sat)``.
        velocity_m_s: Earth-fixed, shape ``(epoch, sat, 3)``; NaN in files without velocities.
        clock_rate: Seconds per second, shape ``(epoch, sat)``.
        position_sd_m: Standard deviations, shape ``(epoch, sat, 3)``.
        clock_sd_s: Standard deviations, shape ``(epoch, sat)``.
        clock_event, clock_predicted, maneuver, orbit_predicted: Flags, shape ``(epoch, sat)``.
        skipped: Records of satellites we have no number for, by name.
        problems: What is strange.
    """

    frame: str
    agency: str
    interval_s: float
    time_ns: IntArray
    satellite: IntArray
    accuracy_m: FloatArray
    position_m: FloatArray
    clock_s: FloatArray
    velocity_m_s: FloatArray
    clock_rate: FloatArray
    position_sd_m: FloatArray
    clock_sd_s: FloatArray
    clock_event: BoolArray
    clock_predicted: BoolArray
    maneuver: BoolArray
    orbit_predicted: BoolArray
    skipped: dict[str, int]
    problems: list[str]


@dataclass
class _Record:
    position_m: tuple[float, ...] = (math.nan,) * 3
    clock_s: float = math.nan
    velocity_m_s: tuple[float, ...] = (math.nan,) * 3
    clock_rate: float = math.nan
    position_sd_m: tuple[float, ...] = (math.nan,) * 3
    clock_sd_s: float = math.nan
    flags: tuple[bool, ...] = (False,) * 4


@dataclass
class _Draft:
    version: str = ""
    frame: str = ""
    agency: str = ""
    interval_s: float = 0.0
    system: str = "GPS"
    bases: tuple[float, float] = (0.0, 0.0)
    names: list[str] = field(default_factory=list)
    accuracies: list[int] = field(default_factory=list)
    system_seen: bool = False
    bases_seen: bool = False
    ended: bool = False
    time_ns: list[int] = field(default_factory=list)
    records: list[dict[int, _Record]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def read_sp3(text: str | bytes, source: str) -> PreciseOrbits:
    """Read an SP3 file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        Hilla (2016), The Extended Standard Product 3 Orbit Format (SP3-d).
    """
    table = LineTable(text, source)
    first = table.line(0)
    if first[:1] != "#" or first[1:2] not in _VERSIONS or not first[1:2]:
        message = f"expected an SP3 file ('#a' to '#d' in columns 1-2), got {first[:60]!r}"
        raise broken(source, 1, message)
    draft = _Draft(version=first[1:2])
    draft.frame, draft.agency = first[46:51].strip(), first[56:60].strip()
    for index in range(1, len(table)):
        line = table.line(index)
        if index == len(table) - 1 and not table.complete and _is_cut_off(line):
            draft.problems.append(f"{source}, line {index + 1}: last line dropped, it is cut off")
            break
        try:
            _read_line(draft, line)
        except ValueError as error:
            raise broken(source, index + 1, f"{error}; the line is {line[:60]!r}") from None
        if draft.ended:
            break
    if not draft.ended:
        draft.problems.append(f"{source}: the file ends without 'EOF'; it may be cut off")
    return _assembled(draft)


def _is_cut_off(line: str) -> bool:
    """Return whether a last line without an end is no whole one: half a number is a number, but a wrong one."""
    return not line.startswith("EOF") and (line[:1] not in {"P", "V"} or len(line) < _RECORD_WIDTH)


def _read_line(draft: _Draft, line: str) -> None:
    kind = line[:1]
    if line.startswith("EOF"):
        draft.ended = True
    elif kind == "*":
        _begin_epoch(draft, line)
    elif kind in {"P", "V"}:
        _read_record(draft, line)
    elif line.startswith("##"):
        draft.interval_s = decimal(line[24:38])
    elif line.startswith("++"):
        draft.accuracies += [integer(line[column : column + 3]) for column in _columns(line)]
    elif kind == "+":
        draft.names += [line[column : column + 3] for column in _columns(line)]
    elif line.startswith("%c") and not draft.system_seen:
        draft.system, draft.system_seen = line[9:12].strip(" c") or "GPS", True
    elif line.startswith("%f") and not draft.bases_seen:
        draft.bases, draft.bases_seen = (decimal(line[3:13]), decimal(line[14:26])), True


def _columns(line: str) -> list[int]:
    last = 9 + 3 * _SATELLITES_A_LINE
    return [column for column in range(9, last, 3) if line[column : column + 3].strip()]


def _begin_epoch(draft: _Draft, line: str) -> None:
    columns = ((3, 7), (8, 10), (11, 13), (14, 16), (17, 19), (20, 31))
    time_ns = calendar_ns([line[first:last] for first, last in columns], draft.system)
    if draft.time_ns and time_ns <= draft.time_ns[-1]:
        message = f"epoch {to_iso(time_ns)} is not later than the one before"
        raise ValueError(message)
    draft.time_ns.append(time_ns)
    draft.records.append({})


def _read_record(draft: _Draft, line: str) -> None:
    if not draft.records:
        message = "a record before the first epoch"
        raise ValueError(message)
    satellite = _satellite(line[1:4])
    if not satellite:
        draft.skipped[line[1:4]] += 1
        return
    record = draft.records[-1].setdefault(satellite, _Record())
    x, y, z, clock = (decimal(line[column : column + 14]) for column in (4, 18, 32, 46))
    good_clock = abs(clock) < _BAD_CLOCK_US
    if line[0] == "V":
        record.velocity_m_s = tuple(value * _M_S_PER_DM_S for value in (x, y, z))
        record.clock_rate = clock * _RATE_UNIT if good_clock else math.nan
        return
    if any((x, y, z)):
        record.position_m = (x * _M_PER_KM, y * _M_PER_KM, z * _M_PER_KM)
    record.clock_s = clock * _S_PER_US if good_clock else math.nan
    base, clock_base = draft.bases
    record.position_sd_m = tuple(_sd(line[column : column + 2], base) * _M_PER_MM for column in (61, 64, 67))
    record.clock_sd_s = _sd(line[70:73], clock_base) * _S_PER_PS
    record.flags = tuple(line[column : column + 1] == letter for column, letter in _FLAGS.items())


def _satellite(name: str) -> int:
    """Return a satellite integer; 0 for what is none, such as the zeros that fill up the list."""
    try:
        satellite = satellite_number(name)
    except (ValueError, IndexError):
        return 0
    return satellite if satellite % 100 else 0


def _sd(text: str, base: float) -> float:
    return base ** integer(text) if text.strip() and 0.0 < base < _LARGEST_BASE else math.nan


def _assembled(draft: _Draft) -> PreciseOrbits:
    listed: dict[int, float] = {}
    for place, name in enumerate(draft.names):
        exponent = draft.accuracies[place] if place < len(draft.accuracies) else 0
        satellite = _satellite(name)
        if satellite:
            listed[satellite] = 2.0 ** min(exponent, 99) * _M_PER_MM if exponent else math.nan
    satellites = sorted(listed.keys() | {satellite for epoch in draft.records for satellite in epoch})
    missing = _Record()
    table = [[epoch.get(satellite, missing) for satellite in satellites] for epoch in draft.records]
    shape = (len(table), len(satellites))

    def column(name: str, width: tuple[int, ...] = ()) -> FloatArray:
        return np.array([[getattr(item, name) for item in row] for row in table]).reshape(shape + width)

    flags = np.array([[item.flags for item in row] for row in table], dtype=np.bool_).reshape((*shape, 4))
    return PreciseOrbits(
        frame=draft.frame,
        agency=draft.agency,
        interval_s=draft.interval_s,
        time_ns=np.array(draft.time_ns, dtype=np.int64),
        satellite=np.array(satellites, dtype=np.int64),
        accuracy_m=np.array([listed.get(satellite, math.nan) for satellite in satellites]),
        position_m=column("position_m", (3,)),
        clock_s=column("clock_s"),
        velocity_m_s=column("velocity_m_s", (3,)),
        clock_rate=column("clock_rate"),
        position_sd_m=column("position_sd_m", (3,)),
        clock_sd_s=column("clock_sd_s"),
        clock_event=flags[..., 0],
        clock_predicted=flags[..., 1],
        maneuver=flags[..., 2],
        orbit_predicted=flags[..., 3],
        skipped=dict(draft.skipped),
        problems=draft.problems,
    )
