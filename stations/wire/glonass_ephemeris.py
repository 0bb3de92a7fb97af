"""GLONASS broadcast ephemerides, message 1020, both directions. Times on the wire are those of Moscow, within a day."""

from dataclasses import fields
from typing import Any

from stations.constants import NS_PER_S, SECONDS_PER_DAY
from stations.errors import GpsgridError, Reason
from stations.gpstime import nearest_glonass_day, to_glonass_day
from stations.navigation_vector import GlonassEphemeris, GlonassService
from stations.signals import Constellation
from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import Field, read_fields, scaled, unscaled, write_fields

_MESSAGE = 1020
_CHANNEL_ZERO = 7  # DF040: 0 is channel -7
_TB_S = 900  # DF110
_M, _M_S, _M_S2 = 1000 * 2.0**-11, 1000 * 2.0**-20, 1000 * 2.0**-30  # kilometres on the wire

FIELDS = (
    Field("satellite", 6),  # DF038
    Field("channel", 5),  # DF040
    Field("almanac_health", 1),  # DF104
    Field("almanac_health_known", 1),  # DF105
    Field("p1", 2),  # DF106
    Field("tk_hour", 5),  # DF107
    Field("tk_minute", 6),
    Field("tk_half_minute", 1),
    Field("health", 1),  # DF108
    Field("p2", 1),  # DF109
    Field("tb", 7),  # DF110
    Field("velocity_x", 24, _M_S, "magnitude"),  # DF111
    Field("position_x", 27, _M, "magnitude"),  # DF112
    Field("acceleration_x", 5, _M_S2, "magnitude"),  # DF113
    Field("velocity_y", 24, _M_S, "magnitude"),  # DF114
    Field("position_y", 27, _M, "magnitude"),  # DF115
    Field("acceleration_y", 5, _M_S2, "magnitude"),  # DF116
    Field("velocity_z", 24, _M_S, "magnitude"),  # DF117
    Field("position_z", 27, _M, "magnitude"),  # DF118
    Field("acceleration_z", 5, _M_S2, "magnitude"),  # DF119
    Field("p3", 1),  # DF120
    Field("gamma", 11, 2.0**-40, "magnitude"),  # DF121
    Field("p", 2),  # DF122
    Field("unhealthy_3", 1),  # DF123
    Field("tau_s", 22, 2.0**-30, "magnitude"),  # DF124
    Field("delta_tau_s", 5, 2.0**-30, "magnitude"),  # DF125
    Field("age_days", 5),  # DF126
    Field("p4", 1),  # DF127
    Field("accuracy_index", 4),  # DF128
    Field("day", 11),  # DF129
    Field("satellite_type", 2),  # DF130
    Field("additional", 1),  # DF131
    Field("almanac_day", 11),  # DF132
    Field("tau_c_s", 32, 2.0**-31, "magnitude"),  # DF133
    Field("interval", 5),  # DF134
    Field("tau_gps_s", 22, 2.0**-30, "magnitude"),  # DF135
    Field("unhealthy_5", 1),  # DF136
    Field("reserved", 7),  # DF001
)
_SERVICE = {field.name: field.type for field in fields(GlonassService)}
_VECTORS = {
    "position_m": ("position_x", "position_y", "position_z"),
    "velocity_m_s": ("velocity_x", "velocity_y", "velocity_z"),
    "acceleration_m_s2": ("acceleration_x", "acceleration_y", "acceleration_z"),
}
_PLAIN = ("health", "age_days", "accuracy_index", "tau_s", "delta_tau_s", "gamma")


def decode_glonass(payload: bytes, near_ns: int) -> GlonassEphemeris:
    """Decode message 1020.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; within half a day it resolves the day.

    Returns:
        The ephemeris; ``transmitted_ns`` is ``near_ns``. Reserved bits are not kept.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, satellite 0 or a time of day beyond the day.

    Source:
        RTCM 10403.3 table 3.5-22; GLONASS ICD 5.1, 4.4 and 4.5.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    raw = read_fields(reader, FIELDS)
    tk_s = raw["tk_hour"] * 3600 + raw["tk_minute"] * 60 + raw["tk_half_minute"] * 30
    tb_s = raw["tb"] * _TB_S
    if max(tk_s, tb_s) >= SECONDS_PER_DAY or raw["tk_minute"] > 59 or not raw["satellite"]:
        text = f"message 1020: satellite {raw['satellite']}, tk {tk_s} s, tb {tb_s} s of the day are impossible"
        raise GpsgridError(Reason.MALFORMED, text, number=_MESSAGE, tk_s=tk_s, tb_s=tb_s)
    values = scaled(FIELDS, raw)
    service: dict[str, Any] = {name: kind(values[name]) for name, kind in _SERVICE.items() if callable(kind)}
    rest: dict[str, Any] = {name: tuple(values[axis] for axis in axes) for name, axes in _VECTORS.items()}
    rest |= {name: values[name] for name in _PLAIN}
    toe_ns = nearest_glonass_day(tb_s * NS_PER_S, near_ns)
    return GlonassEphemeris(
        satellite=100 * Constellation.GLONASS + raw["satellite"],
        toe_ns=toe_ns,
        transmitted_ns=near_ns,
        frame_ns=nearest_glonass_day(tk_s * NS_PER_S, toe_ns),
        channel=raw["channel"] - _CHANNEL_ZERO,
        service=GlonassService(**service),
        **rest,
    )


def encode_glonass(ephemeris: GlonassEphemeris) -> bytes:
    """Encode message 1020; the inverse of :func:`decode_glonass`, to the bit.

    A negative zero, which sign and magnitude have, comes back as zero. Of Bn the message has one bit: files may hold
    all three, and whatever is not zero there is sent as unhealthy.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.
    """
    values = {name: getattr(ephemeris, name) for name in _PLAIN} | vars(ephemeris.service)
    values["health"] = int(ephemeris.health != 0)
    for name, axes in _VECTORS.items():
        values |= dict(zip(axes, getattr(ephemeris, name), strict=True))
    tk_s = to_glonass_day(ephemeris.frame_ns)[1] // NS_PER_S
    raw = unscaled(FIELDS, values, _MESSAGE) | {
        "satellite": ephemeris.satellite - 100 * Constellation.GLONASS,
        "channel": ephemeris.channel + _CHANNEL_ZERO,
        "tk_hour": tk_s // 3600,
        "tk_minute": tk_s // 60 % 60,
        "tk_half_minute": tk_s // 30 % 2,
        "tb": ephemeris.issue,
    }
    writer = BitWriter()
    writer.unsigned(_MESSAGE, 12)
    write_fields(writer, FIELDS, raw)
    return writer.to_bytes()
