"""Epochs as ``int64`` nanoseconds of GPS time since 1980-01-06; calendar, week and UTC conversions.

Float seconds of week resolve only 3.5 cm of light, so a float never carries an epoch here
(docs/adr/001). GPS time has no leap seconds; only the UTC conversion knows about them.
"""

import datetime as dt
from typing import NewType

from stations.constants import NS_PER_MS, NS_PER_S, SECONDS_PER_WEEK

GpsNanos = NewType("GpsNanos", int)

_EPOCH = dt.datetime(1980, 1, 6, tzinfo=dt.UTC)
NS_PER_WEEK = SECONDS_PER_WEEK * NS_PER_S

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
    week = to_week(near_ns)[0]
    return min(
        (from_week(week + shift, nanos_of_week) for shift in (-1, 0, 1)),
        key=lambda candidate: abs(candidate - near_ns),
    )


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
