"""RINEX navigation files, versions 2, 3 and 4: the GPS LNAV ephemerides in them, everything else passed over.

The week comes from the epoch of the clock, not from the week field, which some programs write modulo
1024 and others for the time of transmission.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stations import gpstime
from stations.constants import NS_PER_S, SECONDS_PER_WEEK
from stations.navigation import GpsEphemeris
from stations.rinex_text import LineTable, broken, decimal, integer

_FIELD = 19
_LINES = 8
_DEFAULT_LEAD_NS = 2 * 3600 * NS_PER_S  # an ephemeris is uploaded two hours before its reference time
_DEFAULT_FIT_HOURS = 4.0
_PIVOT_YEAR = 80
_YEARS = range(1980, 2200)  # from the start of GPS time; nanoseconds in 64 bits end in 2272
# IS-GPS-200 20.3.3.3.1.3: upper bounds of URA index 0 to 14, metres.
_URA_BOUNDS_M = (2.4, 3.4, 4.85, 6.85, 9.65, 13.65, 24.0, 48.0, 96.0, 192.0, 384.0, 768.0, 1536.0, 3072.0, 6144.0)
# Field, name, least and greatest value that LNAV can carry (IS-GPS-200 tables 20-I and 20-III).
_LIMITS = (
    (3, "IODE", 0.0, 255.0),
    (8, "eccentricity", 0.0, 0.5),
    (10, "square root of the semi-major axis", 2530.0, 8192.0),
    (11, "reference time", 0.0, float(SECONDS_PER_WEEK)),
    (24, "health", 0.0, 255.0),
    (26, "IODC", 0.0, 1023.0),
)
_REQUIRED = (*range(19), 24, 25, 26)


@dataclass(frozen=True)
class _Layout:
    """Where things stand in the lines of one version."""

    modern: bool
    first_column: int
    satellite_width: int


def read_navigation(text: str, source: str) -> list[GpsEphemeris]:
    """Read the GPS ephemerides of a RINEX navigation file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Returns:
        In the order of the file, as they come (see :func:`merge_ephemerides`). A transmission time that
        is missing or impossible becomes two hours before the reference time.

    Raises:
        GpsgridError: ``BROKEN_FILE`` with file and line.

    Source:
        RINEX 3.04 table A6, RINEX 2.11 table A4, RINEX 4.00 section 5.
    """
    table = LineTable(text, source)
    version, kind, first = _read_header(table)
    modern = version >= 3.0  # noqa: PLR2004 - the version number itself
    layout = _Layout(modern, 4, 3) if modern else _Layout(modern, 3, 2)
    if not modern and kind != "N":
        return []
    return [_ephemeris(table, at, layout) for at in _records(table, first, layout)]


def merge_ephemerides(lists: Iterable[Sequence[GpsEphemeris]]) -> list[GpsEphemeris]:
    """Join ephemerides of several files; the same satellite, issue and reference time count once.

    Returns:
        Sorted by satellite, reference time and transmission. Of equal ones the earliest transmission is
        kept: the message was known from then on.
    """
    best: dict[tuple[int, int, int], GpsEphemeris] = {}
    for ephemerides in lists:
        for ephemeris in ephemerides:
            key = (ephemeris.satellite, ephemeris.toe_ns, ephemeris.iode)
            if key not in best or ephemeris.transmitted_ns < best[key].transmitted_ns:
                best[key] = ephemeris
    return sorted(best.values(), key=lambda item: (item.satellite, item.toe_ns, item.transmitted_ns, item.iode))


def _read_header(table: LineTable) -> tuple[float, str, int]:
    """Return version, file type and the index of the first line behind the header."""
    first = table.lines[0]
    if first[60:80].strip() != "RINEX VERSION / TYPE":
        message = f"expected a RINEX header ('RINEX VERSION / TYPE' in columns 61-80), got {first[:80]!r}"
        raise broken(table.source, 1, message)
    try:
        version = decimal(first[:9])
    except ValueError as error:
        raise broken(table.source, 1, f"RINEX version: {error}") from None
    kind = first[20:21]
    if not 2.0 <= version < 5.0 or kind not in "NGHEL" or not kind:  # noqa: PLR2004 - version numbers
        came = f"version {first[:9].strip()!r}, type {first[20:40].strip()!r}"
        message = f"{came}; expected navigation data of RINEX 2, 3 or 4"
        raise broken(table.source, 1, message)
    for index, line in enumerate(table.lines):
        if line[60:80].strip() == "END OF HEADER":
            return version, kind, index + 1
    raise broken(table.source, len(table), "the file ends before 'END OF HEADER'; is it cut off?")


def _records(table: LineTable, first: int, layout: _Layout) -> Iterator[int]:
    """Yield the index of the first line of every GPS LNAV record."""
    wanted = True
    for at in range(first, len(table)):
        line = table.lines[at]
        if line[:1] == ">":
            # RINEX 4: "> EPH G01 LNAV"; the lines of other messages must not be taken for ephemerides.
            wanted = line.split()[1:2] == ["EPH"] and line[10:14] == "LNAV"
        elif wanted and line[: layout.satellite_width].strip() and (not layout.modern or line[0] == "G"):
            yield at


def _ephemeris(table: LineTable, at: int, layout: _Layout) -> GpsEphemeris:
    lines = table.lines[at : at + _LINES]
    values = _fields(table, at, layout)
    try:
        satellite = integer(lines[0][1:3] if layout.modern else lines[0][:2])
        toc_ns = _clock_epoch_ns(lines[0], layout)
    except ValueError as error:
        raise broken(table.source, at + 1, f"satellite or epoch in {lines[0][:23]!r}: {error}") from None
    try:
        _check(values)
        toe_ns = gpstime.nearest_week(_nanos(values[11]), toc_ns)
        return GpsEphemeris(
            satellite=satellite,
            toe_ns=toe_ns,
            toc_ns=toc_ns,
            transmitted_ns=_transmitted_ns(values[27], toe_ns),
            iode=int(values[3]),
            iodc=int(values[26]),
            health=int(values[24]),
            ura_index=_ura_index(values[23]),
            # Hours since RINEX 3.02; earlier writers put the flag bit itself there.
            fit_interval_flag=values[28] > _DEFAULT_FIT_HOURS or values[28] == 1.0,
            l2_code=int(_or_zero(values[20])),
            l2p_data_off=_or_zero(values[22]) != 0.0,
            af0_s=values[0],
            af1=values[1],
            af2=values[2],
            crs_m=values[4],
            delta_n_rad_s=values[5],
            m0_rad=values[6],
            cuc_rad=values[7],
            eccentricity=values[8],
            cus_rad=values[9],
            sqrt_a=values[10],
            cic_rad=values[12],
            omega0_rad=values[13],
            cis_rad=values[14],
            i0_rad=values[15],
            crc_m=values[16],
            omega_rad=values[17],
            omega_dot_rad_s=values[18],
            idot_rad_s=values[19],
            tgd_s=values[25],
        )
    except ValueError as error:
        raise broken(table.source, at + 1, f"ephemeris of satellite {satellite}: {error}") from None


def _fields(table: LineTable, at: int, layout: _Layout) -> list[float]:
    """Return the 29 numbers of a record in the order of the tables; blank is NaN."""
    values: list[float] = []
    cut_off = not table.complete and len(table.lines[-1]) < layout.first_column + _FIELD
    if at + _LINES > len(table) or (at + _LINES == len(table) and cut_off):
        message = f"an ephemeris has {_LINES} lines, the file ends in the middle of it; is it cut off?"
        raise broken(table.source, at + 1, message)
    for number in range(at, at + _LINES):
        line = table.lines[number]
        if number > at and line[: layout.first_column].strip():
            message = f"{line[:23]!r} starts inside the ephemeris of line {at + 1}, which has {_LINES} lines"
            raise broken(table.source, number + 1, message)
        for column in range(1 if number == at else 0, 4):
            start = layout.first_column + _FIELD * column
            try:
                values.append(decimal(line[start : start + _FIELD]))
            except ValueError as error:
                raise broken(table.source, number + 1, f"{error} (column {start + 1})") from None
    missing = [index for index in _REQUIRED if math.isnan(values[index])]
    if missing:
        line_number = at + 1 + (missing[0] + 1) // 4
        raise broken(table.source, line_number, "a number of the ephemeris is missing")
    return values


def _check(values: list[float]) -> None:
    """Raise ``ValueError`` for what no GPS satellite sends and what would break the arithmetic later."""
    for index, name, low, high in _LIMITS:
        if not low <= values[index] <= high:
            message = f"{name} is {values[index]:g}, expected {low:g} to {high:g}"
            raise ValueError(message)


def _clock_epoch_ns(line: str, layout: _Layout) -> int:
    if layout.modern:
        parts = (line[4:8], line[9:11], line[12:14], line[15:17], line[18:20])
        year, month, day, hour, minute = map(integer, parts)
        second = decimal(line[21:23])
    else:
        year, month, day, hour, minute = (integer(line[column : column + 2]) for column in (3, 6, 9, 12, 15))
        year += 1900 if year >= _PIVOT_YEAR else 2000
        second = decimal(line[17:22])
    if year not in _YEARS or not 0.0 <= second < 60.0:  # noqa: PLR2004 - seconds of a minute
        message = f"year {year}, second {second}"
        raise ValueError(message)
    return gpstime.from_calendar(year, month, day, hour, minute, _nanos(second))


def _transmitted_ns(seconds_of_week: float, toe_ns: int) -> int:
    """Place a transmission time, which may be negative or of the week before, near the reference time."""
    if not abs(seconds_of_week) < 2 * SECONDS_PER_WEEK:
        return toe_ns - _DEFAULT_LEAD_NS
    return gpstime.nearest_week(_nanos(seconds_of_week) % gpstime.NS_PER_WEEK, toe_ns)


def _nanos(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _ura_index(accuracy_m: float) -> int:
    # A blank accuracy is "no prediction": the worst index.
    return next((index for index, bound in enumerate(_URA_BOUNDS_M) if accuracy_m <= bound), len(_URA_BOUNDS_M))


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
