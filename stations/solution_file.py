"""Positions in RTKLIB's solution format (``.pos``), read and written.

Latitude, longitude and height or ECEF; times as calendar or as week and seconds. Covariances are stored there as
signed square roots, north-east-up or x-y-z; here they are east-north-up in square metres.
"""

import math
import re
from dataclasses import dataclass

import numpy as np

from stations import gpstime
from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.file_time import calendar_ns
from stations.frames import ecef_from_geodetic, enu_rotation, geodetic_from_ecef
from stations.rinex_text import LineTable, broken, decimal, integer

FIXED, FLOAT, SBAS, DGPS, SINGLE, PPP = 1, 2, 3, 4, 5, 6
_QUALITY = "Q=1:fix,2:float,3:sbas,4:dgps,5:single,6:ppp,ns=# of satellites"
_LLH_COLUMNS = "latitude(deg) longitude(deg)  height(m)   Q  ns   sdn(m)   sde(m)   sdu(m)  sdne(m)  sdeu(m)  sdun(m)"
_XYZ_COLUMNS = "x-ecef(m)      y-ecef(m)      z-ecef(m)   Q  ns   sdx(m)   sdy(m)   sdz(m)  sdxy(m)  sdyz(m)  sdzx(m)"
_LAST_COLUMNS = " age(s)  ratio"
_TIME_SYSTEMS = {"GPST": "GPS", "UTC": "UTC"}
_FEWEST_VALUES = 5  # position, quality, satellites
_COVARIANCES = ((0, 1), (1, 2), (2, 0))


@dataclass(frozen=True)
class Solutions:
    """Positions of one receiver.

    Attributes:
        time_ns: Epochs, ns of GPS time, shape ``(row,)``.
        position_m: ECEF, metres, shape ``(row, 3)``.
        quality: ``FIXED`` to ``PPP``, as RTKLIB counts, shape ``(row,)``.
        satellites: Used, shape ``(row,)``.
        cov_enu_m2: East, north, up, shape ``(row, 3, 3)``; NaN where the file has none.
        age_s: Of the corrections, NaN where the file has none, shape ``(row,)``.
        ratio: Of the ambiguity test, NaN where the file has none, shape ``(row,)``.
    """

    time_ns: IntArray
    position_m: FloatArray
    quality: IntArray
    satellites: IntArray
    cov_enu_m2: FloatArray
    age_s: FloatArray
    ratio: FloatArray

    def __len__(self) -> int:
        """Return the number of positions."""
        return len(self.time_ns)


def read_solutions(text: str | bytes, source: str) -> Solutions:
    """Read a solution file; columns behind the ratio (velocities) are passed over.

    Args:
        text: The file.
        source: Its name, for messages.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line; baselines (e, n, u) and degrees with minutes are refused.

    Source:
        RTKLIB 2.4.2 manual, appendix B.1.
    """
    table = LineTable(text, source)
    layout = _Layout()
    rows = []
    for index in range(len(table)):
        line = table.line(index)
        try:
            if line.startswith(("%", "+")):
                layout.read(line)
            elif line.strip():
                rows.append(layout.row(line))
        except ValueError as error:
            raise broken(source, index + 1, f"{error}; the line is {line[:80]!r}") from None
    values = np.array([row[1:8] for row in rows]).reshape(-1, 7)
    cov_enu_m2 = np.array([row[8] for row in rows]).reshape(-1, 3, 3)
    return Solutions(
        np.array([row[0] for row in rows], dtype=np.int64),
        values[:, :3],
        values[:, 3].astype(np.int64),
        values[:, 4].astype(np.int64),
        cov_enu_m2,
        values[:, 5],
        values[:, 6],
    )


class _Layout:
    """What the last header said about the columns."""

    def __init__(self) -> None:
        self._system = "GPS"
        self._cartesian: bool | None = None

    def read(self, line: str) -> None:
        """Take in a header line."""
        if "latitude(d" in line or "x-ecef(m)" in line or "baseline(m)" in line:
            if "latitude(deg)" not in line and "x-ecef(m)" not in line:
                message = "expected latitude(deg) or x-ecef(m); write the solution again with one of them"
                raise ValueError(message)
            self._cartesian = "x-ecef(m)" in line
            name = line.lstrip("% ").split()[0]
            if name not in _TIME_SYSTEMS:
                message = f"time system {name!r}; expected {' or '.join(_TIME_SYSTEMS)}"
                raise ValueError(message)
            self._system = _TIME_SYSTEMS[name]

    def row(self, line: str) -> tuple[int, float, float, float, int, int, float, float, FloatArray]:
        """Return time, position, quality, satellites, age, ratio and covariance."""
        if self._cartesian is None:
            message = "a position before the header line with 'latitude(deg)' or 'x-ecef(m)'"
            raise ValueError(message)
        words = re.split(r"[\s,;]+", line.strip())
        if len(words) < 2 + _FEWEST_VALUES:
            message = "expected time, position, quality and number of satellites"
            raise ValueError(message)
        time_ns = _time_ns(words[0], words[1], self._system)
        values = [decimal(word) for word in words[2:15]]
        position = np.array(values[:3])
        if not self._cartesian:
            if abs(values[0]) > 90.0 or abs(values[1]) > 360.0:  # noqa: PLR2004 - degrees
                message = f"latitude {values[0]}, longitude {values[1]}"
                raise ValueError(message)
            position = ecef_from_geodetic(math.radians(values[0]), math.radians(values[1]), values[2])
        quality, satellites = integer(words[5]), integer(words[6])
        if not 0 <= quality <= PPP + 1 or satellites > 1000:
            message = f"quality {quality}, {satellites} satellites"
            raise ValueError(message)
        covariance = np.full((3, 3), math.nan)
        if len(values) >= _FEWEST_VALUES + 6:
            covariance = _covariance(np.array(values[5:11]))
            if self._cartesian:
                latitude, longitude, _ = geodetic_from_ecef(position).tolist()
                rotation = enu_rotation(latitude, longitude)
                covariance = rotation @ covariance @ rotation.T
            else:
                order = [1, 0, 2]  # north, east, up in the file
                covariance = covariance[np.ix_(order, order)]
        x, y, z = position.tolist()
        age_s, ratio = (values[place] if len(values) > place else math.nan for place in (11, 12))
        return time_ns, x, y, z, quality, satellites, age_s, ratio, covariance


def _covariance(roots: FloatArray) -> FloatArray:
    matrix = np.diag(roots[:3] ** 2)
    for (first, second), root in zip(_COVARIANCES, roots[3:].tolist(), strict=True):
        matrix[first, second] = matrix[second, first] = math.copysign(root * root, root)
    return matrix


def _time_ns(first: str, second: str, system: str) -> int:
    if "/" in first:
        return calendar_ns([*first.split("/"), *second.split(":")], system)
    week, seconds = integer(first), decimal(second)
    if week > 9999 or not 0.0 <= seconds <= gpstime.NS_PER_WEEK / NS_PER_S:
        message = f"week {week}, second {seconds}"
        raise ValueError(message)
    return gpstime.from_week(week, round(seconds * 1e6) * 1000)


def write_solutions(
    solutions: Solutions, *, cartesian: bool = False, weeks: bool = False, comments: tuple[str, ...] = ()
) -> str:
    """Return a solution file in GPS time; unknown covariances, ages and ratios are zero there.

    Args:
        solutions: Rows without a position (NaN) are left out.
        cartesian: ECEF instead of latitude, longitude and height.
        weeks: Week and seconds instead of a calendar date.
        comments: Lines for the header, such as ``inp file  : rover.obs``.
    """
    frame = "(x/y/z-ecef=WGS84," if cartesian else "(lat/lon/height=WGS84/ellipsoidal,"
    lines = ["% program   : gpsgrid", *(f"% {comment}" for comment in comments), f"% {frame}{_QUALITY})"]
    columns = _XYZ_COLUMNS if cartesian else _LLH_COLUMNS
    lines.append(f"%  {'GPST':<{14 if weeks else 22}}{columns}{_LAST_COLUMNS}")
    for row in np.flatnonzero(np.isfinite(solutions.position_m).all(axis=-1)).tolist():
        position = solutions.position_m[row]
        latitude, longitude, height_m = geodetic_from_ecef(position).tolist()
        covariance = np.nan_to_num(solutions.cov_enu_m2[row])
        if cartesian:
            rotation = enu_rotation(latitude, longitude)
            covariance = rotation.T @ covariance @ rotation
            place = "".join(f" {value:14.4f}" for value in position.tolist())
        else:
            order = [1, 0, 2]
            covariance = covariance[np.ix_(order, order)]
            place = f" {math.degrees(latitude):14.9f} {math.degrees(longitude):14.9f} {height_m:10.4f}"
        roots = [*np.sqrt(np.maximum(np.diag(covariance), 0.0)).tolist()]
        roots += [
            math.copysign(math.sqrt(abs(value)), value) for value in (float(covariance[pair]) for pair in _COVARIANCES)
        ]
        age_s, ratio = (float(np.nan_to_num(column[row])) for column in (solutions.age_s, solutions.ratio))
        lines.append(
            f"{_time_text(int(solutions.time_ns[row]), weeks=weeks)}{place}"
            f" {solutions.quality[row]:3d} {solutions.satellites[row]:3d}"
            + "".join(f" {root:8.4f}" for root in roots)
            + f" {age_s:6.2f} {ratio:6.1f}"
        )
    return "\n".join(lines) + "\n"


def _time_text(time_ns: int, *, weeks: bool) -> str:
    if weeks:
        week, nanos = gpstime.to_week(time_ns)
        return f"{week:4d} {nanos / NS_PER_S:10.3f}"
    return gpstime.to_iso(time_ns).replace("-", "/").replace("T", " ")
