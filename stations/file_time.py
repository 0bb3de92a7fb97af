"""Calendar dates in files of other time systems, as GPS time.

Only what a file states explicitly is converted; a file that says nothing is in GPS time.
"""

import datetime as dt

from stations import gpstime
from stations.constants import NS_PER_S
from stations.rinex_text import decimal, integer

_BEHIND_GPS_S = {"GPS": 0, "GAL": 0, "QZS": 0, "IRN": 0, "BDT": 14, "TAI": -19}  # IS-GPS-200 3.3.4, BDS-SIS-ICD 3.3
_UTC = frozenset({"UTC", "GLO"})
_YEARS = range(1980, 2200)
_TICKS_A_SECOND = 10_000_000  # 100 ns: finer than any of the formats


def calendar_ns(fields: list[str], system: str = "GPS") -> int:
    """Return the epoch of year, month, day, hour, minute and second, ns of GPS time.

    Args:
        fields: Six texts.
        system: ``GPS``, ``GAL``, ``QZS``, ``IRN``, ``BDT``, ``TAI``, ``UTC`` or ``GLO``.

    Raises:
        ValueError: A text is no number, or there is no such date or time system.
    """
    if len(fields) != 6:
        message = f"{' '.join(fields)!r} where year, month, day, hour, minute and second were expected"
        raise ValueError(message)
    year, month, day, hour, minute = (integer(text) for text in fields[:5])
    second = decimal(fields[5])
    if year not in _YEARS or not 0.0 <= second < 61.0:  # noqa: PLR2004 - room for a leap second in UTC
        message = f"year {year}, second {fields[5].strip()!r}"
        raise ValueError(message)
    nanos = round(second * _TICKS_A_SECOND) * (NS_PER_S // _TICKS_A_SECOND)
    time_ns = gpstime.from_calendar(year, month, day, hour, minute, nanos)
    if system in _UTC:
        utc = dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC)
        return time_ns + gpstime.leap_seconds(utc) * NS_PER_S
    if system not in _BEHIND_GPS_S:
        message = f"time system {system!r}; expected one of {', '.join((*_BEHIND_GPS_S, *sorted(_UTC)))}"
        raise ValueError(message)
    return time_ns + _BEHIND_GPS_S[system] * NS_PER_S
