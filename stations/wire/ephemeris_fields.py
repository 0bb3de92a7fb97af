"""Tables of fields: messages read into raw integers and back, raw integers scaled into values and back.

A message is a table in the order of the standard. Everything that is a plain number is scaled by its row; what
depends on other fields (times, satellites, flags put together) is done by the module of the message.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from stations.constants import NS_PER_S, SECONDS_PER_WEEK
from stations.errors import GpsgridError, Reason
from stations.gpstime import NS_PER_WEEK, from_week, nearest_week, to_week
from stations.wire.bits import BitReader, BitWriter

GPS_PI = 3.1415926535898  # IS-GPS-200 table 20-IV, and the other systems; semicircles are multiples of it
_WHOLE_TURNS = ("m0_rad", "omega0_rad", "omega_rad")  # angles that may come in any turn
_HOURS_NS = 6 * 3600 * NS_PER_S  # an ephemeris is in use at most this long before or after its reference time


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        name: Attribute of the value, or a name that the module of the message knows.
        width: Bits.
        scale: Of one raw unit; exactly 1 for whole numbers.
        kind: How the bits are a number; an angle is signed, in semicircles on the wire and radians in the value, a
            magnitude has a sign bit (RTCM ``intS``).
    """

    name: str
    width: int
    scale: float = 1
    kind: Literal["unsigned", "signed", "angle", "magnitude"] = "unsigned"


class WeekScale(NamedTuple):
    """How a system counts weeks in a message.

    Attributes:
        weeks: Weeks until the number starts again.
        week_zero: GPS week that is week zero.
        behind_gps_ns: How far its time is behind GPS time.
        unit_s: Seconds per raw unit of toe and toc.
    """

    weeks: int
    week_zero: int
    behind_gps_ns: int
    unit_s: int


def read_fields(reader: BitReader, table: Iterable[Field]) -> dict[str, int]:
    """Return the raw integers of a table of fields.

    Raises:
        NeedMoreBits: The payload is too short.
    """
    read = {
        "unsigned": reader.unsigned,
        "signed": reader.signed,
        "angle": reader.signed,
        "magnitude": reader.sign_magnitude,
    }
    return {field.name: read[field.kind](field.width) for field in table}


def write_fields(writer: BitWriter, table: Iterable[Field], raw: Mapping[str, int]) -> None:
    """Write the raw integers of a table of fields; what is not in ``raw`` is zero.

    Raises:
        ValueError: A number does not fit its field.
    """
    write = {
        "unsigned": writer.unsigned,
        "signed": writer.signed,
        "angle": writer.signed,
        "magnitude": writer.sign_magnitude,
    }
    for field in table:
        try:
            write[field.kind](raw.get(field.name, 0), field.width)
        except ValueError as error:
            message = f"{field.name}: {error}"
            raise ValueError(message) from error


def scaled(table: Iterable[Field], raw: Mapping[str, int]) -> dict[str, Any]:
    """Return the values of all fields of a table."""
    return {field.name: _scaled(field, raw[field.name]) for field in table}


def unscaled(table: Iterable[Field], values: Mapping[str, Any], number: int) -> dict[str, int]:
    """Return the raw integers of those values that a table names, by name; the inverse of :func:`scaled`.

    Raises:
        ValueError: A value is not finite or does not fit its field.
    """
    raw: dict[str, int] = {}
    for field in table:
        if field.name not in values:
            continue
        value = values[field.name]
        if field.scale != 1 and not math.isfinite(value):
            message = f"{field.name} = {value}: an ephemeris has finite values only"
            raise ValueError(message)
        turn = GPS_PI if field.kind == "angle" else 1.0
        whole = int(value) if field.scale == 1 else round(value / field.scale / turn)
        half = 1 << (field.width - 1)
        if field.name in _WHOLE_TURNS:
            whole = (whole + half) % (2 * half) - half
        low, high = (0, 2 * half) if field.kind == "unsigned" else (-half, half)
        if not low <= whole < high:
            message = f"{field.name} = {value} does not fit into message {number}"
            raise ValueError(message)
        raw[field.name] = whole
    return raw


def _scaled(field: Field, raw: int) -> float:
    if field.scale == 1:
        return raw
    return raw * field.scale * (GPS_PI if field.kind == "angle" else 1.0)


def decode_times(raw: Mapping[str, int], scale: WeekScale, near_ns: int, number: int) -> dict[str, int]:
    """Return ``toe_ns``, ``toc_ns`` and ``transmitted_ns`` of a message with ``week``, ``toe`` and ``toc``.

    The week is that of the transmission (IS-GPS-200 20.3.3.3.1.1). In the last hours of a week the ephemeris belongs
    to the next week already; taking the week for that of the reference time puts it a week into the past.
    The wire does not say when it was transmitted: that is the time of reception, kept inside the week of the message.

    Raises:
        GpsgridError: ``MALFORMED``, satellite 0 or a time of week beyond the week.
    """
    toe_s, toc_s = raw["toe"] * scale.unit_s, raw["toc"] * scale.unit_s
    satellite = raw["satellite"]
    if max(toe_s, toc_s) >= SECONDS_PER_WEEK or not satellite:
        text = f"message {number}: satellite {satellite}, toe {toe_s} s, toc {toc_s} s of the week are impossible"
        raise GpsgridError(Reason.MALFORMED, text, number=number, toe_s=toe_s, toc_s=toc_s)
    local_ns = near_ns - scale.behind_gps_ns
    near_week = to_week(local_ns)[0]
    half = scale.weeks // 2
    week = near_week + (raw["week"] + scale.week_zero - near_week + half) % scale.weeks - half
    toe_ns = _placed(week, toe_s * NS_PER_S, local_ns)
    times_ns = {
        "toe_ns": toe_ns,
        "toc_ns": nearest_week(toc_s * NS_PER_S, toe_ns),
        "transmitted_ns": min(max(local_ns, from_week(week, 0)), from_week(week + 1, 0) - 1),
    }
    return {name: value + scale.behind_gps_ns for name, value in times_ns.items()}


def encode_times(toe_ns: int, toc_ns: int, transmitted_ns: int, scale: WeekScale) -> dict[str, int]:
    """Return the raw ``week``, ``toe`` and ``toc``; the inverse of :func:`decode_times`."""
    # A transmission time far from the reference time is made up; the week of the reference time is better.
    known = abs(transmitted_ns - toe_ns) <= NS_PER_WEEK // 2
    week = to_week((transmitted_ns if known else toe_ns) - scale.behind_gps_ns)[0]
    unit_ns = scale.unit_s * NS_PER_S
    return {
        "week": (week - scale.week_zero) % scale.weeks,
        "toe": to_week(toe_ns - scale.behind_gps_ns)[1] // unit_ns,
        "toc": to_week(toc_ns - scale.behind_gps_ns)[1] // unit_ns,
    }


def _placed(week: int, nanos_of_week: int, near_ns: int) -> int:
    # The week of transmission, or a neighbour if only that makes the ephemeris one that is in use now.
    toe_ns: int = from_week(week, nanos_of_week)
    for neighbour in (toe_ns + NS_PER_WEEK, toe_ns - NS_PER_WEEK):
        if abs(neighbour - near_ns) < _HOURS_NS:
            return neighbour
    return toe_ns
