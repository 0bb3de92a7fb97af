"""RINEX 3.04 navigation files written from broadcast ephemerides of all systems.

Twelve digits behind the point, as the format demands: what came from a file goes back unchanged, and what came from a
receiver gives the bits of the receiver again when it is scaled. Reserved fields are zero, as other writers have them;
what GLONASS says beyond orbit and clock has no place in this version.
"""

import datetime as dt
import math
from collections.abc import Iterable, Sequence

from stations import gpstime
from stations.constants import NS_PER_S
from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GpsEphemeris, KeplerEphemeris, NavicEphemeris
from stations.navigation_accuracy import sisa_m, ura_m
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris
from stations.rinex_nav_values import ISSUE, KEPLER_PLACES, SENT, TOE
from stations.signals import Constellation, constellation_of, satellite_name

_VERSION = 3.04
_KEPLER_NUMBERS = 31  # three on the first line, four on each of seven lines
_VECTOR_NUMBERS = 15
_FIT_HOURS = {False: 4.0, True: 6.0}  # IS-GPS-200 20.3.3.4.3.1: the flag means more than four hours
_M_PER_KM = 1000.0
_WIDTH = 19
_UTC = "%Y%m%d %H%M%S UTC"


def write_navigation(
    ephemerides: Iterable[Ephemeris],
    created: dt.datetime | None = None,
    program: str = "gpsgrid",
    agency: str = "",
    comments: Sequence[str] = (),
) -> str:
    """Return a RINEX 3.04 navigation file.

    Args:
        ephemerides: In the order they are to be written in.
        created: When the file is made, aware; blank if not given.
        program: Name of the program, at most 20 characters.
        agency: Who runs it, at most 20 characters.
        comments: Lines of at most 60 characters.

    Raises:
        ValueError: A value cannot be written: not finite, or a time before the start of GPS time.

    Source:
        RINEX 3.04 tables A5 to A16.
    """
    found = list(ephemerides)
    systems = {satellite_name(ephemeris.satellite)[0] for ephemeris in found}
    kind = _SYSTEM_NAMES[systems.pop()] if len(systems) == 1 else "M: MIXED"
    date = created.astimezone(dt.UTC).strftime(_UTC) if created else ""
    header = [
        (f"{_VERSION:9.2f}{'':11}{'N: GNSS NAV DATA':<20}{kind:<20}", "RINEX VERSION / TYPE"),
        (f"{program[:20]:<20}{agency[:20]:<20}{date:<20}", "PGM / RUN BY / DATE"),
        *((comment[:60], "COMMENT") for comment in comments),
    ]
    if found:
        leap_s = gpstime.gps_minus_utc_ns(found[0].toe_ns) // NS_PER_S
        header.append((f"{leap_s:6d}", "LEAP SECONDS"))
    header.append(("", "END OF HEADER"))
    lines = [f"{text:<60}{label:<20}" for text, label in header]
    for ephemeris in found:
        lines += _record(ephemeris)
    return "\n".join(lines) + "\n"


_SYSTEM_NAMES = {
    "G": "G: GPS", "R": "R: GLONASS", "E": "E: GALILEO", "S": "S: SBAS PAYLOAD", "J": "J: QZSS", "C": "C: BDS",
    "I": "I: IRNSS",
}  # fmt: skip


def _record(ephemeris: Ephemeris) -> list[str]:
    if isinstance(ephemeris, GlonassEphemeris | SbasEphemeris):
        values, clock_ns = _vector_values(ephemeris)
    else:
        values, clock_ns = _kepler_values(ephemeris)
    name = satellite_name(ephemeris.satellite)
    fields = [f"{value:19.12e}" for value in values]
    if not all(map(math.isfinite, values)) or max(map(len, fields)) > _WIDTH or clock_ns < 0 or clock_ns % NS_PER_S:
        message = f"{name}: an ephemeris has finite numbers of two-digit exponents, and a clock epoch of whole seconds"
        raise ValueError(message)
    start = f"{name} {gpstime.to_iso(clock_ns)[:19].translate(_SEPARATORS)}"
    rows = [start + "".join(fields[:3])]
    rows += ["    " + "".join(fields[at : at + 4]) for at in range(3, len(fields), 4)]
    return rows


_SEPARATORS = str.maketrans("-:T", "   ")


def _kepler_values(
    ephemeris: GpsEphemeris | GalileoEphemeris | BeiDouEphemeris | NavicEphemeris,
) -> tuple[list[float], int]:
    """Return the numbers of a record, and the epoch of its clock in the time of its system."""
    values = [0.0] * _KEPLER_NUMBERS
    for name, place in KEPLER_PLACES.items():
        values[place] = getattr(ephemeris, name)
    match ephemeris:
        case GpsEphemeris():
            qzss = constellation_of(ephemeris.satellite) is Constellation.QZSS
            flag = ephemeris.fit_interval_flag
            values[ISSUE], values[26] = ephemeris.iode, ephemeris.iodc
            values[20], values[22] = ephemeris.l2_code, float(ephemeris.l2p_data_off)
            values[23:26] = ura_m(ephemeris.ura_index), ephemeris.health, ephemeris.tgd_s
            values[28] = float(flag) if qzss else _FIT_HOURS[flag]
        case GalileoEphemeris():
            values[ISSUE], values[20] = ephemeris.iod_nav, ephemeris.data_sources
            values[23:25] = sisa_m(ephemeris.sisa_index), ephemeris.health
            values[25:27] = ephemeris.bgd_e5a_s, ephemeris.bgd_e5b_s
        case BeiDouEphemeris():
            values[ISSUE], values[28] = ephemeris.aode, ephemeris.aodc
            values[23:25] = ura_m(ephemeris.ura_index), ephemeris.health
            values[25:27] = ephemeris.tgd1_s, ephemeris.tgd2_s
            return _timed(values, ephemeris, gpstime.BEIDOU_BEHIND_GPS_NS, gpstime.BEIDOU_WEEK_ZERO)
        case NavicEphemeris():
            values[ISSUE] = ephemeris.iodec
            values[23:26] = ura_m(ephemeris.ura_index), ephemeris.health, ephemeris.tgd_s
    return _timed(values, ephemeris, 0, 0)


def _timed(values: list[float], ephemeris: KeplerEphemeris, behind_ns: int, week_zero: int) -> tuple[list[float], int]:
    # All seconds count from the start of the week of the reference time; what was sent before that is negative.
    week, toe_ns = gpstime.to_week(ephemeris.toe_ns - behind_ns)
    values[TOE], values[21] = toe_ns / NS_PER_S, week - week_zero
    values[SENT] = (ephemeris.transmitted_ns - behind_ns - gpstime.from_week(week, 0)) / NS_PER_S
    return values, ephemeris.toc_ns - behind_ns


def _vector_values(ephemeris: GlonassEphemeris | SbasEphemeris) -> tuple[list[float], int]:
    values = [0.0] * _VECTOR_NUMBERS
    vectors = (ephemeris.position_m, ephemeris.velocity_m_s, ephemeris.acceleration_m_s2)
    for column, vector in enumerate(vectors, 3):
        values[column::4] = [metres / _M_PER_KM for metres in vector]
    if isinstance(ephemeris, SbasEphemeris):
        values[:2] = ephemeris.af0_s, ephemeris.af1
        values[2] = (ephemeris.transmitted_ns - gpstime.from_week(gpstime.to_week(ephemeris.toe_ns)[0], 0)) / NS_PER_S
        values[6], values[10], values[14] = ephemeris.health, ephemeris.accuracy_m, ephemeris.issue
        return values, ephemeris.toe_ns
    # Minus tau, and the frame in seconds of the week of UTC.
    values[:2] = 0.0 - ephemeris.tau_s, ephemeris.gamma
    values[2] = gpstime.to_week(gpstime.to_utc_nanos(ephemeris.frame_ns))[1] / NS_PER_S
    values[6], values[10], values[14] = ephemeris.health, ephemeris.channel, ephemeris.age_days
    return values, gpstime.to_utc_nanos(ephemeris.toe_ns)
