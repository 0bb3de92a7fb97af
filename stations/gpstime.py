"""Epochs as ``int64`` nanoseconds of GPS time since 1980-01-06; calendar, week and UTC conversions.

Float seconds of week resolve only 3.5 cm of light, so a float never carries an epoch here
(docs/adr/001). GPS time has no leap seconds; only the UTC conversion knows about them.
"""

import datetime as dt
from typing import NewType

from stations.constants import NS_PER_MS, NS_PER_S, SECONDS_PER_DAY, SECONDS_PER_WEEK

GpsNanos = NewType("GpsNanos", int)

_EPOCH = dt.datetime(1980, 1, 6, tzinfo=dt.UTC)
NS_PER_WEEK = SECONDS_PER_WEEK * NS_PER_S
NS_PER_DAY = SECONDS_PER_DAY * NS_PER_S

BEIDOU_BEHIND_GPS_NS = 14 * NS_PER_S  # BDT started on 2006-01-01 with GPS - UTC = 14 s; BDS-SIS-ICD 3.3
BEIDOU_WEEK_ZERO = 1356  # GPS week in which BDT week 0 began; BDS-SIS-ICD 3.3
GALILEO_WEEK_ZERO = 1024  # GPS week that is GST week 0; Galileo OS SIS ICD 5.1.2
GLONASS_AHEAD_OF_UTC_NS = 3 * 3600 * NS_PER_S  # GLONASS system time is that of Moscow; GLONASS ICD 3.3.3

# GPS minus UTC in seconds from that UTC instant on (IERS Bulletin C); no leap second since 2017.
_LEAP_SECONDS = (
    (dt.datetime(2017, 1, 1, tzinfo=dt.UTC), 18),
    (dt.datetime(2015, 7, 1, tzinfo=dt.UTC), 17),
    (dt.datetime(2012, 7, 1, tzinfo=dt.UTC), 16),
    (dt.datetime(2009, 1, 1, tzinfo=dt.UTC), 15),
    (dt.datetime(2006, 1, 1, tzinfo=dt.UTC), 14),
    (dt.datetime(1999, 1, 1, tzinfo=dt.UTC), 13),
    (dt.datetime(1997, 7, 1, tzinfo=dt.UTC), 12),
    (dt.datetime(1996, 1, 1, tzinfo=dt.UTC), 11),
    (dt.datetime(1994, 7, 1, tzinfo=dt.UTC), 10),
    (dt.datetime(1993, 7, 1, tzinfo=dt.UTC), 9),
    (dt.datetime(1992, 7, 1, tzinfo=dt.UTC), 8),
    (dt.datetime(1991, 1, 1, tzinfo=dt.UTC), 7),
    (dt.datetime(1990, 1, 1, tzinfo=dt.UTC), 6),
    (dt.datetime(1988, 1, 1, tzinfo=dt.UTC), 5),
    (dt.datetime(1985, 7, 1, tzinfo=dt.UTC), 4),
    (dt.datetime(1983, 7, 1, tzinfo=dt.UTC), 3),
    (dt.datetime(1982, 7, 1, tzinfo=dt.UTC), 2),
    (dt.datetime(1981, 7, 1, tzinfo=dt.UTC), 1),
)

# The same instants in nanoseconds: on the UTC scale, and on ours, from the second after the inserted one.
_LEAPS_UTC_NS = tuple(((since - _EPOCH) // dt.timedelta(seconds=1) * NS_PER_S, count) for since, count in _LEAP_SECONDS)
_LEAPS_GPS_NS = tuple((utc_ns + count * NS_PER_S, count) for utc_ns, count in _LEAPS_UTC_NS)

LAST_LEAP_NS = _LEAPS_GPS_NS[0][0]  # epoch of the first second after the last leap second of the table


def from_calendar(year: int, month: int, day: int, hour: int = 0, minute: int = 0, nanos: int = 0) -> GpsNanos:
    """Return the epoch of a calendar date in GPS time; ``nanos`` counts from the full minute."""
    whole = dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC) - _EPOCH
    return GpsNanos((whole.days * 86_400 + whole.seconds) * NS_PER_S + nanos)


def from_week(week: int, nanos_of_week: int) -> GpsNanos:
    """Return the epoch of a full (not rolled over) GPS week and nanoseconds in it."""
    return GpsNanos(week * NS_PER_WEEK + nanos_of_week)


def to_week(time_ns: int) -> tuple[int, int]:
    """Return the full GPS week and the nanoseconds of that week."""
    return divmod(time_ns, NS_PER_WEEK)


def nearest_week(nanos_of_week: int, near_ns: int) -> GpsNanos:
    """Place a time of week in the week that brings it closest to ``near_ns`` (half a week at most)."""
    half = NS_PER_WEEK // 2
    return GpsNanos(near_ns + (nanos_of_week - near_ns + half) % NS_PER_WEEK - half)


def to_iso(time_ns: int) -> str:
    """Return ISO 8601 in GPS time with milliseconds and no zone letter, for instance in track.csv."""
    millis = (time_ns + NS_PER_MS // 2) // NS_PER_MS
    moment = _EPOCH + dt.timedelta(milliseconds=millis)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03d}"


def from_iso(text: str) -> GpsNanos:
    """Return the epoch of an ISO 8601 text in GPS time (as :func:`to_iso` writes it).

    Raises:
        ValueError: The text is no ISO 8601 date and time.
    """
    moment = dt.datetime.fromisoformat(text.strip().removesuffix("Z")).replace(tzinfo=dt.UTC)
    delta = moment - _EPOCH
    return GpsNanos((delta.days * 86_400 + delta.seconds) * NS_PER_S + delta.microseconds * 1000)


def leap_seconds(utc: dt.datetime) -> int:
    """Return GPS minus UTC in seconds at a UTC instant (table ends with the leap second of 2017)."""
    return next((count for since, count in _LEAP_SECONDS if utc >= since), 0)


def from_utc(utc: dt.datetime) -> GpsNanos:
    """Return the epoch of an aware UTC datetime."""
    delta = utc - _EPOCH
    whole = delta.days * 86_400 + delta.seconds + leap_seconds(utc)
    return GpsNanos(whole * NS_PER_S + delta.microseconds * 1000)


def to_utc(time_ns: int) -> dt.datetime:
    """Return the aware UTC datetime of an epoch, to the microsecond."""
    naive = _EPOCH + dt.timedelta(microseconds=time_ns // 1000)
    utc = naive - dt.timedelta(seconds=leap_seconds(naive))
    return naive - dt.timedelta(seconds=leap_seconds(utc))  # the table is by UTC, which is behind


def gps_minus_utc_ns(time_ns: int) -> int:
    """Return GPS minus UTC in nanoseconds at an epoch; an inserted second has the label of the one after it."""
    if time_ns >= _LEAPS_GPS_NS[0][0]:
        return _LEAPS_GPS_NS[0][1] * NS_PER_S  # of every message of today
    return next((count for since_ns, count in _LEAPS_GPS_NS if time_ns >= since_ns), 0) * NS_PER_S


def to_utc_nanos(time_ns: int) -> int:
    """Return an epoch on the UTC scale: nanoseconds since 1980-01-06 that do not count leap seconds."""
    return time_ns - gps_minus_utc_ns(time_ns)


def from_utc_nanos(utc_ns: int) -> GpsNanos:
    """Return the epoch of nanoseconds since 1980-01-06 on the UTC scale, as :func:`to_utc_nanos` gives them."""
    if utc_ns >= _LEAPS_UTC_NS[0][0]:
        return GpsNanos(utc_ns + _LEAPS_UTC_NS[0][1] * NS_PER_S)  # of every message of today
    return GpsNanos(utc_ns + next((count for since_ns, count in _LEAPS_UTC_NS if utc_ns >= since_ns), 0) * NS_PER_S)


def from_beidou_week(week: int, nanos_of_week: int) -> GpsNanos:
    """Return the epoch of a full BeiDou week and the nanoseconds of that week."""
    return GpsNanos(from_week(week + BEIDOU_WEEK_ZERO, nanos_of_week) + BEIDOU_BEHIND_GPS_NS)


def to_beidou_week(time_ns: int) -> tuple[int, int]:
    """Return the full BeiDou week and the nanoseconds of that week."""
    week, nanos_of_week = to_week(time_ns - BEIDOU_BEHIND_GPS_NS)
    return week - BEIDOU_WEEK_ZERO, nanos_of_week


def to_glonass_day(time_ns: int) -> tuple[int, int]:
    """Return the days since 1980-01-06 and the nanoseconds of the day in GLONASS system time (UTC + 3 h)."""
    return divmod(to_utc_nanos(time_ns) + GLONASS_AHEAD_OF_UTC_NS, NS_PER_DAY)


def from_glonass_day(day: int, nanos_of_day: int) -> GpsNanos:
    """Return the epoch of a day since 1980-01-06 and nanoseconds in it, in GLONASS system time."""
    return from_utc_nanos(day * NS_PER_DAY + nanos_of_day - GLONASS_AHEAD_OF_UTC_NS)


def nearest_glonass_day(nanos_of_day: int, near_ns: int) -> GpsNanos:
    """Place a GLONASS time of day on the day that brings it closest to ``near_ns`` (half a day at most)."""
    day = to_glonass_day(near_ns)[0]
    return min(
        (from_glonass_day(day + shift, nanos_of_day) for shift in (-1, 0, 1)),
        key=lambda candidate: abs(candidate - near_ns),
    )
