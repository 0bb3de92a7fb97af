"""Station positions and velocities from SINEX 2 solutions: blocks SITE/ID, SOLUTION/EPOCHS and SOLUTION/ESTIMATE.

SINEX does not name the frame of its coordinates; whoever uses them has to know it. Covariances between stations are
not read.
"""

import datetime as dt
import math
from dataclasses import dataclass, field

from stations import gpstime
from stations.coordinates import CoordinateTable, StationCoordinates
from stations.rinex_text import LineTable, broken, decimal, integer

_PIVOT_YEAR = 50  # SINEX 2.02: two digits up to 50 are after 2000
_AXES = "XYZ"
_BLOCKS = ("SITE/ID", "SOLUTION/EPOCHS", "SOLUTION/ESTIMATE")
_SECONDS_A_DAY = 86_400
_NAN = math.nan

_Key = tuple[str, str, str]


@dataclass
class _Draft:
    sites: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    limits: dict[_Key, tuple[int | None, int | None]] = field(default_factory=dict)
    values: dict[_Key, dict[str, tuple[float, float]]] = field(default_factory=dict)
    references: dict[_Key, int] = field(default_factory=dict)


def read_sinex(text: str | bytes, source: str) -> CoordinateTable:
    """Read the station coordinates of a SINEX file; estimates of other parameters are passed over.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Returns:
        One entry a site, point and solution, in the order of the file.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        IERS Message 103 (2006), SINEX 2.02.
    """
    table = LineTable(text, source)
    if not table.line(0).startswith("%=SNX"):
        raise broken(source, 1, f"expected a SINEX file ('%=SNX'), got {table.line(0)[:60]!r}")
    draft = _Draft()
    _read_blocks(table, draft)
    entries = []
    for key, values in draft.values.items():
        missing = [f"STA{axis}" for axis in _AXES if f"STA{axis}" not in values]
        if len(missing) == len(_AXES):
            continue
        if missing:
            raise broken(source, len(table), f"site {' '.join(key)}: no estimate of {', '.join(missing)}")
        entries.append(_entry(draft, key, values))
    return CoordinateTable(source, "", tuple(entries))


def _read_blocks(table: LineTable, draft: _Draft) -> None:
    block, opened = "", 0
    for index in range(len(table)):
        line = table.line(index)
        if line.startswith("%ENDSNX"):
            return
        name = line[1:].strip()
        if line.startswith("+"):
            if block:
                raise broken(table.source, index + 1, f"block {name} begins inside {block} of line {opened}")
            block, opened = name, index + 1
        elif line.startswith("-"):
            if name != block:
                raise broken(table.source, index + 1, f"block {name} ends, but {block or 'no block'} was open")
            block = ""
        elif block in _BLOCKS and line.startswith(" ") and name:
            try:
                _READERS[block](draft, line)
            except ValueError as error:
                raise broken(table.source, index + 1, f"{error}; the line is {line[:80]!r}") from None
    raise broken(table.source, len(table), "the file ends before '%ENDSNX'; is it cut off?")


def _entry(draft: _Draft, key: _Key, values: dict[str, tuple[float, float]]) -> StationCoordinates:
    site, point, solution = key
    domes, description = draft.sites.get((site, point), ("", ""))
    first_ns, last_ns = draft.limits.get(key, (None, None))
    position, velocity = ([values.get(f"{name}{axis}", (_NAN, _NAN)) for axis in _AXES] for name in ("STA", "VEL"))
    return StationCoordinates(
        site,
        (position[0][0], position[1][0], position[2][0]),
        draft.references[key],
        (velocity[0][0], velocity[1][0], velocity[2][0]),
        (position[0][1], position[1][1], position[2][1]),
        (velocity[0][1], velocity[1][1], velocity[2][1]),
        first_ns,
        last_ns,
        point,
        solution,
        domes,
        description,
    )


def _read_site(draft: _Draft, line: str) -> None:
    draft.sites[line[1:5].strip(), line[6:8].strip()] = (line[9:18].strip(), line[21:43].strip())


def _read_epochs(draft: _Draft, line: str) -> None:
    key = (line[1:5].strip(), line[6:8].strip(), line[9:13].strip())
    draft.limits[key] = (_time_ns(line[16:28]), _time_ns(line[29:41]))


def _read_estimate(draft: _Draft, line: str) -> None:
    name = line[7:13].strip()
    if name[:3] not in {"STA", "VEL"} or name[3:] not in _AXES or len(name) != 4:
        return
    key = (line[14:18].strip(), line[19:21].strip(), line[22:26].strip())
    unit, expected = line[40:44].strip(), "m/y" if name[0] == "V" else "m"
    if unit not in {expected, ""}:
        message = f"unit {unit!r} of {name}; expected {expected}"
        raise ValueError(message)
    reference_ns = _time_ns(line[27:39])
    value, sd = decimal(line[47:68]), decimal(line[69:80])
    if reference_ns is None or math.isnan(value):
        message = f"{name} without reference epoch or value"
        raise ValueError(message)
    if draft.references.setdefault(key, reference_ns) != reference_ns:
        message = f"{name} has another reference epoch than the other estimates of site {' '.join(key)}"
        raise ValueError(message)
    draft.values.setdefault(key, {})[name] = (value, sd)


def _time_ns(text: str) -> int | None:
    """Return an epoch ``YY:DDD:SSSSS``, ``None`` for all zeros, which mean "not limited"."""
    parts = text.strip().split(":")
    if len(parts) != 3:
        message = f"epoch {text.strip()!r}; expected YY:DDD:SSSSS"
        raise ValueError(message)
    year, day, second = map(integer, parts)
    if not day and not second:
        return None
    if len(parts[0]) <= 2:
        year += 2000 if year <= _PIVOT_YEAR else 1900
    if not 1950 < year < 2200 or not 1 <= day <= 366 or second > _SECONDS_A_DAY:
        message = f"epoch {text.strip()!r}"
        raise ValueError(message)
    # Before 1980 the count of nanoseconds is negative, and still right.
    start = dt.datetime(year, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day - 1, seconds=second)
    return gpstime.from_calendar(start.year, start.month, start.day, start.hour, start.minute) + start.second * 10**9


_READERS = {"SITE/ID": _read_site, "SOLUTION/EPOCHS": _read_epochs, "SOLUTION/ESTIMATE": _read_estimate}
