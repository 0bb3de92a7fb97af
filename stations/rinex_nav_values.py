"""From the numbers of a RINEX navigation record to an ephemeris: what stands where, in which unit, within which limits.

Weeks come from the epoch of the clock, not from the week field, which some programs write modulo 1024 and others for
the time of transmission. Where a number stands is the same in versions 2, 3 and 4.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from stations import gpstime
from stations.constants import NS_PER_S, SECONDS_PER_DAY, SECONDS_PER_WEEK
from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GpsEphemeris, NavicEphemeris
from stations.navigation_accuracy import sisa_index, ura_index
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris, GlonassService, SbasEphemeris, Vector

_DEFAULT_LEAD_NS = 2 * 3600 * NS_PER_S  # an ephemeris is uploaded two hours before its reference time
_DEFAULT_FIT_HOURS = 4.0
_QUARTER_NS = 900 * NS_PER_S
_LEAP_TOLERANCE_NS = 60 * NS_PER_S
_LEAST_RADIUS_M, _GREATEST_RADIUS_M = 1.5e7, 6.0e7
_M_PER_KM = 1000.0
_CHANNEL_BYTE = 256  # some receivers write -1 as 255

# RINEX 3.04 table A6 and those after it: what all Kepler ephemerides have at the same place.
KEPLER_PLACES = {
    "af0_s": 0, "af1": 1, "af2": 2, "crs_m": 4, "delta_n_rad_s": 5, "m0_rad": 6, "cuc_rad": 7, "eccentricity": 8,
    "cus_rad": 9, "sqrt_a": 10, "cic_rad": 12, "omega0_rad": 13, "cis_rad": 14, "i0_rad": 15, "crc_m": 16,
    "omega_rad": 17, "omega_dot_rad_s": 18, "idot_rad_s": 19,
}  # fmt: skip
ISSUE, TOE, SENT = 3, 11, 27
_KEPLER_NAMES = tuple(KEPLER_PLACES)
_pick_kepler = itemgetter(*KEPLER_PLACES.values())

_Made = TypeVar("_Made", bound=Ephemeris)

Limit = tuple[int, str, float, float]


class Record(NamedTuple):
    """The numbers of one record.

    Attributes:
        satellite: Satellite integer.
        epoch_ns: Epoch of the first line, as if it were GPS time.
        values: Clock and orbit, in the order of the file; blank is NaN, and so are any behind the last one.
        old: Whether it is of RINEX 2.
    """

    satellite: int
    epoch_ns: int
    values: Sequence[float]
    old: bool


class Kind(NamedTuple):
    """How records of one system are read.

    Attributes:
        lines: Lines of a record.
        needed_at_end: Numbers of the last line without which the record is cut off.
        required: Places that must not be blank.
        limits: Place, name, least and greatest value that the message can carry.
        build: Makes the ephemeris; raises ``ValueError``.
    """

    lines: int
    needed_at_end: int
    required: tuple[int, ...]
    limits: tuple[Limit, ...]
    build: Callable[[Record], Ephemeris]


def _made(kind: type[_Made], common: dict[str, Any], **own: Any) -> _Made:
    # Thousands are made at once, and what dataclass writes for a frozen class takes ten times as long. All fields have
    # to be given.
    made = object.__new__(kind)
    common.update(own)
    object.__setattr__(made, "__dict__", common)
    return made


def _gps(record: Record) -> GpsEphemeris:
    values = record.values
    return _made(
        GpsEphemeris,
        _kepler(record),
        iode=int(values[ISSUE]),
        iodc=int(values[26]),
        health=int(values[24]),
        ura_index=ura_index(values[23]),
        # Hours since RINEX 3.02; earlier writers, and QZSS always, have the flag bit itself there.
        fit_interval_flag=values[28] > _DEFAULT_FIT_HOURS or values[28] == 1.0,
        l2_code=int(_or_zero(values[20])),
        l2p_data_off=_or_zero(values[22]) != 0.0,
        tgd_s=values[25],
    )


def _galileo(record: Record) -> GalileoEphemeris:
    values = record.values
    return _made(
        GalileoEphemeris,
        _kepler(record),
        iod_nav=int(values[ISSUE]),
        health=int(values[24]),
        sisa_index=sisa_index(values[23]),
        data_sources=int(values[20]),
        bgd_e5a_s=values[25],
        bgd_e5b_s=_or_zero(values[26]),
    )


def _beidou(record: Record) -> BeiDouEphemeris:
    values = record.values
    return _made(
        BeiDouEphemeris,
        _kepler(record, gpstime.BEIDOU_BEHIND_GPS_NS),
        aode=int(values[ISSUE]),
        aodc=int(_or_zero(values[28])),
        health=int(values[24]),
        ura_index=ura_index(values[23]),
        tgd1_s=values[25],
        tgd2_s=values[26],
    )


def _navic(record: Record) -> NavicEphemeris:
    values = record.values
    return _made(
        NavicEphemeris,
        _kepler(record),
        iodec=int(values[ISSUE]),
        health=int(values[24]),
        ura_index=ura_index(values[23]),
        tgd_s=values[25],
    )


def _glonass(record: Record) -> GlonassEphemeris:
    values = record.values
    # The epoch is a quarter of an hour of UTC; some writers are off by the leap seconds.
    utc_ns = (record.epoch_ns + _QUARTER_NS // 2) // _QUARTER_NS * _QUARTER_NS
    if abs(utc_ns - record.epoch_ns) > _LEAP_TOLERANCE_NS:
        message = f"epoch {gpstime.to_iso(record.epoch_ns)}, expected a quarter of an hour of UTC"
        raise ValueError(message)
    toe_ns = gpstime.from_utc_nanos(utc_ns)
    # Seconds of the day in version 2, of the week later; either may be of the day before.
    frame_s = values[2] % SECONDS_PER_DAY if abs(values[2]) < 2 * SECONDS_PER_WEEK else 0.0
    moscow_ns = (nanos(frame_s) + gpstime.GLONASS_AHEAD_OF_UTC_NS) % gpstime.NS_PER_DAY
    frame_ns = gpstime.nearest_glonass_day(moscow_ns, toe_ns)
    channel = int(values[10])
    position_m, velocity_m_s, acceleration_m_s2 = _vectors(values)
    return _made(
        GlonassEphemeris,
        _glonass_flags(values),
        satellite=record.satellite,
        toe_ns=toe_ns,
        transmitted_ns=frame_ns,
        frame_ns=frame_ns,
        channel=channel - _CHANNEL_BYTE if channel > _CHANNEL_BYTE // 2 else channel,
        health=int(values[6]),
        age_days=int(_or_zero(values[14])),
        tau_s=0.0 - values[0],
        gamma=values[1],
        position_m=position_m,
        velocity_m_s=velocity_m_s,
        acceleration_m_s2=acceleration_m_s2,
    )


def _glonass_flags(values: Sequence[float]) -> dict[str, Any]:
    """Return what the fifth line has since RINEX 3.05 (table A10); an unknown delay is 0.999999999999E+09."""
    status, delay_s, accuracy, health = values[15:19] if len(values) > 15 else (math.nan,) * 4
    flags, bad = (int(_or_zero(number)) for number in (status, health))
    return {
        "delta_tau_s": delay_s if abs(delay_s) < 1.0 else 0.0,
        "accuracy_index": int(_or_zero(accuracy)),
        "service": _service(flags, bad),
    }


@lru_cache(maxsize=256)
def _service(flags: int, bad: int) -> GlonassService:
    # Satellites say the same all day.
    return GlonassService(
        satellite_type=flags >> 7 & 3,
        p4=bool(flags >> 6 & 1),
        p3=bool(flags >> 5 & 1),
        p2=bool(flags >> 4 & 1),
        p1=flags >> 2 & 3,
        p=flags & 3,
        almanac_health=bool(bad & 1),
        almanac_health_known=bool(bad >> 1 & 1),
        unhealthy_3=bool(bad >> 2 & 1),
    )


def _sbas(record: Record) -> SbasEphemeris:
    values = record.values
    position_m, velocity_m_s, acceleration_m_s2 = _vectors(values)
    return _made(
        SbasEphemeris,
        {},
        satellite=record.satellite,
        toe_ns=record.epoch_ns,
        transmitted_ns=_transmitted_ns(values[2], record.epoch_ns),
        issue=int(_or_zero(values[14])),
        health=int(_or_zero(values[6])),
        accuracy_m=values[10],
        af0_s=values[0],
        af1=values[1],
        position_m=position_m,
        velocity_m_s=velocity_m_s,
        acceleration_m_s2=acceleration_m_s2,
    )


def _kepler(record: Record, behind_ns: int = 0) -> dict[str, Any]:
    values = record.values
    toe_ns = gpstime.nearest_week(nanos(values[TOE]), record.epoch_ns)
    common: dict[str, Any] = dict(zip(_KEPLER_NAMES, _pick_kepler(values), strict=True))
    common["satellite"] = record.satellite
    common["toe_ns"] = toe_ns + behind_ns
    common["toc_ns"] = record.epoch_ns + behind_ns
    common["transmitted_ns"] = _transmitted_ns(values[SENT], toe_ns) + behind_ns
    return common


def _vectors(values: Sequence[float]) -> tuple[Vector, Vector, Vector]:
    position_m, velocity_m_s, acceleration_m_s2 = (
        (_M_PER_KM * values[at], _M_PER_KM * values[at + 4], _M_PER_KM * values[at + 8]) for at in (3, 4, 5)
    )
    radius_m = math.hypot(*position_m)
    if not _LEAST_RADIUS_M <= radius_m <= _GREATEST_RADIUS_M:
        message = f"{radius_m / _M_PER_KM:.0f} km from the centre of the Earth, where no navigation satellite is"
        raise ValueError(message)
    return position_m, velocity_m_s, acceleration_m_s2


def _transmitted_ns(seconds_of_week: float, toe_ns: int) -> int:
    """Place a transmission time, which may be negative or of the week before, near the reference time."""
    if not abs(seconds_of_week) < 2 * SECONDS_PER_WEEK:
        return toe_ns - _DEFAULT_LEAD_NS
    return gpstime.nearest_week(nanos(seconds_of_week) % gpstime.NS_PER_WEEK, toe_ns)


def nanos(seconds: float) -> int:
    """Return seconds as whole nanoseconds."""
    return round(seconds * NS_PER_S)


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def check(kind: Kind, values: Sequence[float]) -> None:
    """Raise ``ValueError`` for what no satellite sends and what would break the arithmetic later."""
    for index, name, low, high in kind.limits:
        if not low <= values[index] <= high:
            message = f"{name} is {values[index]:g}, expected {low:g} to {high:g}"
            raise ValueError(message)


_ORBIT_LIMITS: tuple[Limit, ...] = (
    (8, "eccentricity", 0.0, 0.5),
    (10, "square root of the semi-major axis", 2530.0, 8192.0),
    (TOE, "reference time", 0.0, float(SECONDS_PER_WEEK)),
)
_ORBIT = tuple(range(20))
# IS-GPS-200 tables 20-I and 20-III.
_GPS_KIND = Kind(
    8,
    1,
    (*range(19), 24, 25, 26),
    ((ISSUE, "IODE", 0.0, 255.0), *_ORBIT_LIMITS, (24, "health", 0.0, 255.0), (26, "IODC", 0.0, 1023.0)),
    _gps,
)
_VECTOR_LIMITS: tuple[Limit, ...] = tuple((place, "speed", -10.0, 10.0) for place in (4, 8, 12))
KINDS: dict[str, Kind] = {
    "G": _GPS_KIND,
    "J": _GPS_KIND,
    "E": Kind(
        8,
        1,
        (*_ORBIT, 20, 24, 25),
        (
            (ISSUE, "IODnav", 0.0, 1023.0),
            *_ORBIT_LIMITS,
            (20, "data sources", 0.0, 1023.0),
            (24, "health", 0.0, 511.0),
        ),
        _galileo,
    ),
    "C": Kind(
        8,
        2,
        (*_ORBIT, 24, 25, 26),
        ((ISSUE, "AODE", 0.0, 255.0), *_ORBIT_LIMITS, (24, "health", 0.0, 255.0)),
        _beidou,
    ),
    "I": Kind(
        8,
        1,
        (*_ORBIT, 24, 25),
        ((ISSUE, "IODEC", 0.0, 255.0), *_ORBIT_LIMITS, (24, "health", 0.0, 3.0)),
        _navic,
    ),
    "R": Kind(
        4,
        3,
        (0, 1, *range(3, 14)),
        ((6, "health", 0.0, 255.0), (10, "frequency channel", -7.0, 255.0), *_VECTOR_LIMITS),
        _glonass,
    ),
    "S": Kind(4, 3, (0, 1, *range(3, 6), *range(7, 14)), _VECTOR_LIMITS, _sbas),
}
GLONASS_5_LINES = KINDS["R"]._replace(lines=5, needed_at_end=0)  # since RINEX 3.05
