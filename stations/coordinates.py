"""Coordinates of stations with velocities and epochs: what SINEX and our TOML files give alike, and the TOML itself.

The TOML is ``network.toml`` with as much of it as is about coordinates, and with velocities::

    [network]
    frame = "ITRF2014"
    epoch = 2021.0

    [[station]]
    id = "DELF"
    position = [3924687.2159, 301133.2568, 5001911.1479]
    velocity = [-0.0142, 0.0171, 0.0099]            # metres a year; may be left out
"""

import datetime as dt
import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stations.arrays import FloatArray
from stations.constants import NS_PER_S, SECONDS_PER_DAY
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_calendar, to_iso

_DAYS_A_YEAR = 365.25  # velocities are per Julian year, as in SINEX and in ITRF
_FARTHEST_M = 1e8
_YEARS = (1980.0, 2200.0)


@dataclass(frozen=True)
class StationCoordinates:
    """Coordinates of one station, for as long as they hold.

    Attributes:
        station: Name.
        position_m: Marker at the reference epoch, ECEF metres.
        reference_ns: Reference epoch, ns of GPS time.
        velocity_m_a: Metres a year; NaN where unknown.
        position_sd_m: Standard deviations; NaN where unknown.
        velocity_sd_m_a: Standard deviations; NaN where unknown.
        valid_from_ns: First instant; ``None`` without limit.
        valid_until_ns: Last instant; ``None`` without limit.
        point, solution: SINEX point code and solution number; empty elsewhere.
        domes: DOMES number; may be empty.
        description: Of the site; may be empty.
    """

    station: str
    position_m: tuple[float, float, float]
    reference_ns: int
    velocity_m_a: tuple[float, float, float] = (math.nan,) * 3
    position_sd_m: tuple[float, float, float] = (math.nan,) * 3
    velocity_sd_m_a: tuple[float, float, float] = (math.nan,) * 3
    valid_from_ns: int | None = None
    valid_until_ns: int | None = None
    point: str = ""
    solution: str = ""
    domes: str = ""
    description: str = ""

    def holds_at(self, time_ns: int) -> bool:
        """Return whether the coordinates hold at an instant."""
        after = self.valid_from_ns is None or self.valid_from_ns <= time_ns
        return after and (self.valid_until_ns is None or time_ns <= self.valid_until_ns)

    def at(self, time_ns: int) -> FloatArray:
        """Return the position at an instant, shape ``(3,)``, in the same frame.

        Without a velocity that is the position at the reference epoch. An instant at which the coordinates do not
        hold is the caller's business (:meth:`holds_at`).
        """
        position = np.array(self.position_m)
        velocity = np.array(self.velocity_m_a)
        if np.isnan(velocity).any():
            return position
        years = (time_ns - self.reference_ns) / (_DAYS_A_YEAR * SECONDS_PER_DAY * NS_PER_S)
        moved: FloatArray = position + years * velocity
        return moved


@dataclass(frozen=True)
class CoordinateTable:
    """The coordinates of one file.

    Attributes:
        source: Name of the file.
        frame: Name of the frame; empty where the file does not say (SINEX does not).
        entries: In the order of the file.
    """

    source: str
    frame: str
    entries: tuple[StationCoordinates, ...]

    def find(self, station: str, time_ns: int | None = None) -> StationCoordinates:
        """Return the coordinates of a station, upper and lower case alike; the last that hold, when there are several.

        Raises:
            GpsgridError: ``UNKNOWN_STATION``, with what the file has.
        """
        named = [entry for entry in self.entries if entry.station.casefold() == station.casefold()]
        valid = [entry for entry in named if time_ns is None or entry.holds_at(time_ns)]
        if valid:
            return valid[-1]
        known = ", ".join(dict.fromkeys(entry.station for entry in self.entries)) or "none"
        when = f" at {to_iso(time_ns)}" if time_ns is not None and named else ""
        message = f"{self.source} has no coordinates of station {station!r}{when}; it has {known}"
        raise GpsgridError(Reason.UNKNOWN_STATION, message, station=station, file=self.source)


def read_coordinates(text: str, source: str) -> CoordinateTable:
    """Read a TOML file with coordinates; other keys of ``network.toml`` may be in it and do not matter here.

    Raises:
        GpsgridError: ``BROKEN_FILE``, with file, station and what was expected.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(source, str(error)) from None
    network, stations = content.get("network"), content.get("station")
    if not isinstance(network, dict) or not isinstance(stations, list):
        raise _wrong(source, "expected a table [network] and one [[station]] a station")
    frame, epoch = network.get("frame"), _finite(network.get("epoch"))
    if not isinstance(frame, str) or not _YEARS[0] <= epoch < _YEARS[1]:
        came = f"frame {frame!r}, epoch {network.get('epoch')!r}"
        message = f"{came}; expected a name, such as ITRF2014, and a year, such as 2021.0"
        raise _wrong(source, message)
    entries: dict[str, StationCoordinates] = {}
    for place, station in enumerate(stations, 1):
        name = station.get("id") if isinstance(station, dict) else None
        if not isinstance(name, str) or not name or name in entries:
            raise _wrong(source, f"station {place}: id {name!r}; expected a name that no other station has")
        entries[name] = StationCoordinates(
            name,
            _vector(source, name, "position", station.get("position")),
            year_to_ns(epoch),
            _vector(source, name, "velocity", station["velocity"]) if "velocity" in station else (math.nan,) * 3,
        )
    return CoordinateTable(source, frame, tuple(entries.values()))


def write_coordinates(frame: str, entries: Iterable[StationCoordinates], epoch: float) -> str:
    """Return coordinates as TOML, moved to a common epoch.

    Args:
        frame: Name of the frame.
        entries: One a station.
        epoch: Decimal year.
    """
    lines = ["[network]", f"frame = {_quoted(frame)}", f"epoch = {float(epoch)!r}"]
    for entry in entries:
        position = entry.at(year_to_ns(epoch)).tolist()
        lines += ["", "[[station]]", f"id = {_quoted(entry.station)}", f"position = [{_numbers(position, 4)}]"]
        if not any(map(math.isnan, entry.velocity_m_a)):
            lines.append(f"velocity = [{_numbers(entry.velocity_m_a, 6)}]")
    return "\n".join(lines) + "\n"


def year_to_ns(year: float) -> int:
    """Return a decimal year as ns of GPS time; every year is as long as it is."""
    whole = math.floor(year)
    start, end = from_calendar(whole, 1, 1), from_calendar(whole + 1, 1, 1)
    return start + round((year - whole) * (end - start))


def ns_to_year(time_ns: int) -> float:
    """Return ns of GPS time as a decimal year, the inverse of :func:`year_to_ns`."""
    year = (dt.datetime(1980, 1, 6, tzinfo=dt.UTC) + dt.timedelta(microseconds=time_ns // 1000)).year
    start, end = from_calendar(year, 1, 1), from_calendar(year + 1, 1, 1)
    return year + (time_ns - start) / (end - start)


def _finite(value: object) -> float:
    """Return a number of TOML as a float; NaN for anything that is no number of reasonable size."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _FARTHEST_M:
        return float(value)
    return math.nan


def _vector(source: str, station: str, name: str, value: object) -> tuple[float, float, float]:
    if isinstance(value, list) and len(value) == 3:
        x, y, z = map(_finite, value)
        if not math.isnan(x + y + z):
            return x, y, z
    raise _wrong(source, f"station {station}: {name} {value!r}; expected three numbers in metres, [x, y, z]")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _numbers(values: Iterable[float], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _wrong(source: str, message: str) -> GpsgridError:
    return GpsgridError(Reason.BROKEN_FILE, f"{source}: {message}", file=source)
