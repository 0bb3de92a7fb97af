"""RINEX clock files, versions 2 and 3: offsets of satellite and receiver clocks.

Names are read by words, not by columns: version 3.04 moved the columns, and programs differ in when they follow.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.file_time import calendar_ns
from stations.rinex_text import LineTable, broken, decimal, integer
from stations.signals import satellite_number

_NEWEST_VERSION = 3.99
_VALUES_FIRST_LINE, _MOST_VALUES = 2, 6
_DATE = slice(2, 8)
_WHOLE_VALUE = re.compile(r"[EeDd][+-]?\d\d\s*$", re.ASCII)  # E19.12 at the end of a line
_KINDS = frozenset({"AS", "AR", "CR", "DR", "MS"})


@dataclass(frozen=True)
class ClockSeries:
    """The clock of one satellite or receiver.

    Attributes:
        time_ns: Rising, ns of GPS time, shape ``(epoch,)``.
        offset_s: Clock minus GPS time (or the reference clock), shape ``(epoch,)``.
        offset_sd_s: Standard deviations, NaN where not given, shape ``(epoch,)``.
    """

    time_ns: IntArray
    offset_s: FloatArray
    offset_sd_s: FloatArray


@dataclass(frozen=True)
class PreciseClocks:
    """The clocks of one file.

    Attributes:
        version: Of the format.
        agency: Analysis centre.
        satellites: By satellite integer.
        receivers: By name.
        skipped: Records of other kinds (calibrations, discontinuities) and unknown satellites, by kind or name.
        problems: What is strange.
    """

    version: float
    agency: str
    satellites: dict[int, ClockSeries]
    receivers: dict[str, ClockSeries]
    skipped: dict[str, int]
    problems: list[str]


@dataclass
class _Draft:
    version: float = 0.0
    agency: str = ""
    system: str = "GPS"
    values: dict[tuple[str, str], dict[int, tuple[float, float]]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    repeated: int = 0


def read_clocks(text: str | bytes, source: str) -> PreciseClocks:
    """Read a RINEX clock file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        Ray and Gurtner (2010, 2017), RINEX Extensions to Handle Clock Information, 3.02 and 3.04.
    """
    table = LineTable(text, source)
    draft = _Draft()
    at = _read_header(table, draft)
    last = len(table)
    if not table.complete and _WHOLE_VALUE.search(table.line(last - 1)) is None:
        last -= 1  # half a number is a number, but a wrong one
    while at < last:
        try:
            at = _read_record(table, draft, at)
        except ValueError as error:
            if at == len(table) - 1 and not table.complete:
                break
            raise broken(source, at + 1, f"{error}; the line is {table.line(at)[:60]!r}") from None
    problems = [f"{source}: {draft.repeated} values come twice, the first one counts"] if draft.repeated else []
    if not table.complete:
        problems.append(f"{source}: the file does not end with a whole line; it may be cut off")
    satellites, receivers = {}, {}
    for (kind, name), values in draft.values.items():
        if kind == "AR":
            receivers[name] = _series(values)
        else:
            satellites[satellite_number(name)] = _series(values)
    return PreciseClocks(
        draft.version, draft.agency, dict(sorted(satellites.items())), receivers, dict(draft.skipped), problems
    )


def _read_header(table: LineTable, draft: _Draft) -> int:
    for index in range(len(table)):
        line = table.line(index)
        # Version 3.04 moved the labels from column 61 to column 66.
        label = line[60:].strip()
        try:
            if index == 0:
                draft.version = _version(line)
            elif label.endswith("END OF HEADER"):
                return index + 1
            elif label.endswith("TIME SYSTEM ID"):
                draft.system = line[3:6].strip() or "GPS"
            elif label.endswith("ANALYSIS CENTER"):
                draft.agency = line[:3].strip()
        except ValueError as error:
            raise broken(table.source, index + 1, str(error)) from None
    raise broken(table.source, len(table), "the file ends before 'END OF HEADER'; is it cut off?")


def _version(line: str) -> float:
    if not line[60:].strip().endswith("RINEX VERSION / TYPE") or "C" not in line[20:50]:
        message = f"expected a RINEX clock file ('RINEX VERSION / TYPE' and 'C'), got {line[:80]!r}"
        raise ValueError(message)
    version = decimal(line[:9])
    if not 1.0 <= version <= _NEWEST_VERSION:
        message = f"RINEX clock version {line[:9].strip()!r}; versions up to 3 can be read"
        raise ValueError(message)
    return version


def _read_record(table: LineTable, draft: _Draft, at: int) -> int:
    words = table.line(at).split()
    if not words:
        return at + 1
    kind = words[0]
    if kind not in _KINDS:
        message = f"record {kind!r}; expected AS, AR, CR, DR or MS"
        raise ValueError(message)
    if len(words) < _DATE.stop + 2:
        message = "expected kind, name, date, number of values and values"
        raise ValueError(message)
    count = integer(words[_DATE.stop])
    if not 1 <= count <= _MOST_VALUES:
        message = f"{count} values announced; expected 1 to {_MOST_VALUES}"
        raise ValueError(message)
    following = at + 1 + (count > _VALUES_FIRST_LINE)
    if following > len(table) or (following > at + 1 and table.line(at + 1)[:2] in _KINDS):
        message = f"{count} values announced, but no second line of values follows"
        raise ValueError(message)
    time_ns = calendar_ns(words[_DATE], draft.system)
    values = [decimal(word) for word in words[_DATE.stop + 1 :]]
    if len(values) < min(count, _VALUES_FIRST_LINE):
        message = f"{count} values announced, {len(values)} found"
        raise ValueError(message)
    name = words[1]
    if kind not in {"AS", "AR"} or (kind == "AS" and not _is_satellite(name)):
        draft.skipped[name if kind == "AS" else kind] += 1
        return following
    series = draft.values.setdefault((kind, name), {})
    draft.repeated += time_ns in series
    series.setdefault(time_ns, (values[0], values[1] if count > 1 else math.nan))
    return following


def _is_satellite(name: str) -> bool:
    try:
        satellite_number(name)
    except ValueError:
        return False
    return len(name) == 3


def _series(values: dict[int, tuple[float, float]]) -> ClockSeries:
    times = sorted(values)
    return ClockSeries(
        np.array(times, dtype=np.int64),
        np.array([values[time_ns][0] for time_ns in times]),
        np.array([values[time_ns][1] for time_ns in times]),
    )
