"""GPS broadcast ephemerides, message 1019, both directions: one table of fields in the order of the standard.

The week of the message is that of its transmission (IS-GPS-200 20.3.3.3.1.1), modulo 1024. In the last two
hours of a week the ephemeris belongs to the next week already; taking the week for that of the reference time
puts it a week into the past.
"""

import math
from typing import Any

from stations.constants import NS_PER_S, SECONDS_PER_WEEK
from stations.errors import GpsgridError, Reason
from stations.gpstime import NS_PER_WEEK, from_week, nearest_week, to_week
from stations.navigation import GpsEphemeris
from stations.wire.bits import BitReader, BitWriter

GPS_PI = 3.1415926535898  # IS-GPS-200 table 20-IV; semicircles of the message are multiples of it
_MESSAGE = 1019
_WEEKS = 1024  # DF076 has ten bits
_HOURS_S = 6 * 3600  # an ephemeris is in use at most this long before or after its reference time
_TIME_S = 16  # DF081, DF093

# Name, width, signed, scale, semicircles. "week", "toc" and "toe" are handled by hand, the rest are attributes.
_FIELDS: tuple[tuple[str, int, bool, float, bool], ...] = (
    ("satellite", 6, False, 1, False),  # DF009
    ("week", 10, False, 1, False),  # DF076
    ("ura_index", 4, False, 1, False),  # DF077
    ("l2_code", 2, False, 1, False),  # DF078
    ("idot_rad_s", 14, True, 2.0**-43, True),  # DF079
    ("iode", 8, False, 1, False),  # DF071
    ("toc", 16, False, 1, False),  # DF081
    ("af2", 8, True, 2.0**-55, False),  # DF082
    ("af1", 16, True, 2.0**-43, False),  # DF083
    ("af0_s", 22, True, 2.0**-31, False),  # DF084
    ("iodc", 10, False, 1, False),  # DF085
    ("crs_m", 16, True, 2.0**-5, False),  # DF086
    ("delta_n_rad_s", 16, True, 2.0**-43, True),  # DF087
    ("m0_rad", 32, True, 2.0**-31, True),  # DF088
    ("cuc_rad", 16, True, 2.0**-29, False),  # DF089
    ("eccentricity", 32, False, 2.0**-33, False),  # DF090
    ("cus_rad", 16, True, 2.0**-29, False),  # DF091
    ("sqrt_a", 32, False, 2.0**-19, False),  # DF092
    ("toe", 16, False, 1, False),  # DF093
    ("cic_rad", 16, True, 2.0**-29, False),  # DF094
    ("omega0_rad", 32, True, 2.0**-31, True),  # DF095
    ("cis_rad", 16, True, 2.0**-29, False),  # DF096
    ("i0_rad", 32, True, 2.0**-31, True),  # DF097
    ("crc_m", 16, True, 2.0**-5, False),  # DF098
    ("omega_rad", 32, True, 2.0**-31, True),  # DF099
    ("omega_dot_rad_s", 24, True, 2.0**-43, True),  # DF100
    ("tgd_s", 8, True, 2.0**-31, False),  # DF101
    ("health", 6, False, 1, False),  # DF102
    ("l2p_data_off", 1, False, 1, False),  # DF103
    ("fit_interval_flag", 1, False, 1, False),  # DF137
)
_FLAGS = ("l2p_data_off", "fit_interval_flag")
_WHOLE_TURNS = ("m0_rad", "omega0_rad", "omega_rad")  # angles that may come in any turn


def decode_ephemeris(payload: bytes, near_ns: int) -> GpsEphemeris:
    """Decode message 1019.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; within ten years it resolves the week.

    Returns:
        The ephemeris. The wire does not say when it was transmitted: ``transmitted_ns`` is ``near_ns``, or the
        end of the week of the message if that is earlier.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, satellite 0 or a time of week beyond the week.

    Source:
        RTCM 10403.3 table 3.5-21; IS-GPS-200 20.3.3.3 and 20.3.3.4.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    values: dict[str, Any] = {}
    for name, width, is_signed, scale, semicircles in _FIELDS:
        raw = reader.signed(width) if is_signed else reader.unsigned(width)
        values[name] = raw if scale == 1 else raw * scale * (GPS_PI if semicircles else 1.0)
    for name in _FLAGS:
        values[name] = bool(values[name])
    toe_s, toc_s, wire_week = values.pop("toe") * _TIME_S, values.pop("toc") * _TIME_S, values.pop("week")
    if max(toe_s, toc_s) >= SECONDS_PER_WEEK or not values["satellite"]:
        text = f"message 1019: satellite {values['satellite']}, toe {toe_s} s, toc {toc_s} s of the week are impossible"
        raise GpsgridError(Reason.MALFORMED, text, number=_MESSAGE, toe_s=toe_s, toc_s=toc_s)
    near_week = to_week(near_ns)[0]
    week = near_week + (wire_week - near_week + _WEEKS // 2) % _WEEKS - _WEEKS // 2
    toe_ns = _placed(week, toe_s * NS_PER_S, near_ns)
    return GpsEphemeris(
        toe_ns=toe_ns,
        toc_ns=nearest_week(toc_s * NS_PER_S, toe_ns),
        transmitted_ns=min(near_ns, from_week(week + 1, 0) - 1),
        **values,
    )


def encode_ephemeris(ephemeris: GpsEphemeris) -> bytes:
    """Encode message 1019; the inverse of :func:`decode_ephemeris`, to the bit.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.

    Source:
        RTCM 10403.3 table 3.5-21.
    """
    # A transmission time far from the reference time is made up; the week of the reference time is better.
    known = abs(ephemeris.transmitted_ns - ephemeris.toe_ns) <= NS_PER_WEEK // 2
    week = to_week(ephemeris.transmitted_ns if known else ephemeris.toe_ns)[0]
    by_hand = {
        "week": week % _WEEKS,
        "toc": to_week(ephemeris.toc_ns)[1] // (_TIME_S * NS_PER_S),
        "toe": to_week(ephemeris.toe_ns)[1] // (_TIME_S * NS_PER_S),
    }
    writer = BitWriter()
    writer.unsigned(_MESSAGE, 12)
    for name, width, is_signed, scale, semicircles in _FIELDS:
        value = by_hand[name] if name in by_hand else getattr(ephemeris, name)
        if scale != 1 and not math.isfinite(value):
            message = f"{name} = {value}: an ephemeris has finite values only"
            raise ValueError(message)
        raw = int(value) if scale == 1 else round(value / scale / (GPS_PI if semicircles else 1.0))
        if name in _WHOLE_TURNS:
            raw = (raw + (1 << (width - 1))) % (1 << width) - (1 << (width - 1))
        try:
            (writer.signed if is_signed else writer.unsigned)(raw, width)
        except ValueError as error:
            message = f"{name} = {value} does not fit into message 1019"
            raise ValueError(message) from error
    return writer.to_bytes()


def _placed(week: int, nanos_of_week: int, near_ns: int) -> int:
    # The week of transmission, or a neighbour if only that makes the ephemeris one that is in use now.
    toe_ns: int = from_week(week, nanos_of_week)
    for neighbour in (toe_ns + NS_PER_WEEK, toe_ns - NS_PER_WEEK):
        if abs(neighbour - near_ns) < _HOURS_S * NS_PER_S:
            return neighbour
    return toe_ns
