"""The time fields of observation messages: milliseconds of the GPS week, of the BeiDou week, of the Moscow day.

All of them leave something out; the epoch nearest to a known time is taken, here as everywhere.
"""

from stations.constants import NS_PER_MS, NS_PER_S
from stations.errors import GpsgridError, Reason
from stations.gpstime import (
    BEIDOU_BEHIND_GPS_NS,
    GLONASS_AHEAD_OF_UTC_NS,
    LAST_LEAP_NS,
    NS_PER_DAY,
    NS_PER_WEEK,
    from_utc_nanos,
    gps_minus_utc_ns,
    to_glonass_day,
)
from stations.signals import Constellation

DAY_BITS = 27  # DF416 stands above DF034 in the 30 bits of an MSM
UNKNOWN_DAY = 7  # DF416
# Messages that tell the time of day only; whoever has an idea of the time of the stream gives them that.
TIMED_BY_DAY = frozenset({1009, 1010, 1011, 1012, 1020, 1031, 1035, 1037, 1038, 1039})
_GLONASS, _BEIDOU = Constellation.GLONASS, Constellation.BEIDOU  # looking them up takes as long as the rest
_LONGEST_DAY_MS = 86_401_000  # DF034 has room for a leap second
_HALF_WEEK_NS = NS_PER_WEEK // 2
# From here on no leap second is near, and Moscow is always as much behind GPS time (a negative number).
_AFTER_LEAPS_NS = LAST_LEAP_NS + NS_PER_WEEK
_MOSCOW_BEHIND_NS = gps_minus_utc_ns(LAST_LEAP_NS) - GLONASS_AHEAD_OF_UTC_NS
_WEEK_MS = NS_PER_WEEK // NS_PER_MS


def week_time_ns(number: int, millis: int, near_ns: int, behind_ns: int = 0) -> int:
    """Return the epoch of milliseconds of week: DF004, DF248, DF428 or, ``behind_ns`` behind GPS time, DF427.

    Args:
        number: Message number, for the error.
        millis: The field.
        near_ns: Any time within half a week, ns of GPS time.
        behind_ns: How much the time system is behind GPS time.

    Raises:
        GpsgridError: ``MALFORMED``, the field is a week or more.
    """
    if millis >= _WEEK_MS:
        text = f"message {number}: time of week {millis} ms is not below {_WEEK_MS}"
        raise GpsgridError(Reason.MALFORMED, text, number=number, time_ms=millis)
    # As gpstime.nearest_week, which every message would have to call.
    return near_ns - _HALF_WEEK_NS + (millis * NS_PER_MS + behind_ns - near_ns + _HALF_WEEK_NS) % NS_PER_WEEK


def glonass_time_ns(number: int, day: int, millis: int, near_ns: int) -> int:
    """Return the epoch of a Moscow time of day: DF034, in MSM with the day of week DF416.

    A leap second ends at 03:00:00 in Moscow and has the label of the second behind it; which of the two is
    meant only ``near_ns`` can tell.

    Args:
        number: Message number, for the error.
        day: 0 for Sunday to 6 for Saturday, 7 where unknown.
        millis: Milliseconds of the day.
        near_ns: Any time within half a week, or half a day if the day is unknown, ns of GPS time.

    Raises:
        GpsgridError: ``MALFORMED``, the time is longer than a day with a leap second.
    """
    if millis >= _LONGEST_DAY_MS:
        text = f"message {number}: time of day {millis} ms is not below {_LONGEST_DAY_MS}"
        raise GpsgridError(Reason.MALFORMED, text, number=number, time_ms=millis)
    # Both counts start with 1980-01-06, a Sunday.
    nanos, period_ns = millis * NS_PER_MS, NS_PER_DAY
    if day != UNKNOWN_DAY:
        nanos, period_ns = nanos + day * NS_PER_DAY, NS_PER_WEEK
    if near_ns < _AFTER_LEAPS_NS:
        return moscow_time_ns(nanos, period_ns, near_ns)
    half_ns = period_ns // 2
    return near_ns - half_ns + (nanos + _MOSCOW_BEHIND_NS - near_ns + half_ns) % period_ns


def moscow_time_ns(nanos: int, period_ns: int, near_ns: int) -> int:
    """Return the epoch of a Moscow time, also beside a leap second.

    Args:
        nanos: Nanoseconds of a period that began with 1980-01-06 in Moscow.
        period_ns: A day or a week.
        near_ns: Any time within half a period, ns of GPS time.
    """
    near_moscow_ns = near_ns - gps_minus_utc_ns(near_ns) + GLONASS_AHEAD_OF_UTC_NS
    ahead_ns = (nanos - near_moscow_ns) % period_ns
    moscow_ns = near_moscow_ns + (ahead_ns if 2 * ahead_ns < period_ns else ahead_ns - period_ns)
    labelled_ns: int = from_utc_nanos(moscow_ns - GLONASS_AHEAD_OF_UTC_NS)
    inserted_ns = labelled_ns - NS_PER_S
    same_label = gps_minus_utc_ns(inserted_ns) != gps_minus_utc_ns(labelled_ns)
    return inserted_ns if same_label and abs(inserted_ns - near_ns) < abs(labelled_ns - near_ns) else labelled_ns


def msm_time_ns(number: int, constellation: Constellation, field: int, near_ns: int) -> int:
    """Return the epoch of the 30-bit time field of an MSM; arguments and errors as above."""
    if constellation is _GLONASS:
        return glonass_time_ns(number, field >> DAY_BITS, field & ((1 << DAY_BITS) - 1), near_ns)
    return week_time_ns(number, field, near_ns, BEIDOU_BEHIND_GPS_NS if constellation is _BEIDOU else 0)


def msm_time_field(constellation: Constellation, time_ns: int) -> int:
    """Return the 30-bit time field of an MSM, the inverse of :func:`msm_time_ns`.

    Raises:
        ValueError: The time is not a whole millisecond.
    """
    if constellation is _GLONASS:
        return (to_glonass_day(time_ns)[0] % 7 << DAY_BITS) | glonass_time_field(time_ns)
    behind_ns = BEIDOU_BEHIND_GPS_NS if constellation is _BEIDOU else 0
    return _whole_millis(time_ns, (time_ns - behind_ns) % NS_PER_WEEK)


def glonass_time_field(time_ns: int) -> int:
    """Return the Moscow time of day DF034 in milliseconds; raises as :func:`msm_time_field`."""
    return _whole_millis(time_ns, to_glonass_day(time_ns)[1])


def _whole_millis(time_ns: int, nanos: int) -> int:
    millis, rest = divmod(nanos, NS_PER_MS)
    if rest:
        message = f"time tag {time_ns} ns: RTCM carries whole milliseconds only"
        raise ValueError(message)
    return millis
