"""NavIC broadcast ephemerides, message 1041, both directions."""

from stations.navigation import NavicEphemeris
from stations.signals import Constellation
from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import (
    Field,
    WeekScale,
    decode_times,
    encode_times,
    read_fields,
    scaled,
    unscaled,
    write_fields,
)

_MESSAGE = 1041
# Week 0 began on 1999-08-22, with GPS week 1024, which ten bits do not tell from GPS week 0; DF517, DF522, DF537
_WEEKS = WeekScale(weeks=1024, week_zero=0, behind_gps_ns=0, unit_s=16)
FIELDS = (
    Field("satellite", 6),  # DF516
    Field("week", 10),  # DF517
    Field("af0_s", 22, 2.0**-31, "signed"),  # DF518
    Field("af1", 16, 2.0**-43, "signed"),  # DF519
    Field("af2", 8, 2.0**-55, "signed"),  # DF520
    Field("ura_index", 4),  # DF521
    Field("toc", 16),  # DF522
    Field("tgd_s", 8, 2.0**-31, "signed"),  # DF523
    Field("delta_n_rad_s", 22, 2.0**-41, "angle"),  # DF524
    Field("iodec", 8),  # DF525
    Field("reserved", 10),  # DF526
    Field("l5_unhealthy", 1),  # DF527
    Field("s_unhealthy", 1),  # DF528
    Field("cuc_rad", 15, 2.0**-28, "signed"),  # DF529
    Field("cus_rad", 15, 2.0**-28, "signed"),  # DF530
    Field("cic_rad", 15, 2.0**-28, "signed"),  # DF531
    Field("cis_rad", 15, 2.0**-28, "signed"),  # DF532
    Field("crc_m", 15, 2.0**-4, "signed"),  # DF533
    Field("crs_m", 15, 2.0**-4, "signed"),  # DF534
    Field("idot_rad_s", 14, 2.0**-43, "angle"),  # DF535
    Field("m0_rad", 32, 2.0**-31, "angle"),  # DF536
    Field("toe", 16),  # DF537
    Field("eccentricity", 32, 2.0**-33),  # DF538
    Field("sqrt_a", 32, 2.0**-19),  # DF539
    Field("omega0_rad", 32, 2.0**-31, "angle"),  # DF540
    Field("omega_rad", 32, 2.0**-31, "angle"),  # DF541
    Field("omega_dot_rad_s", 22, 2.0**-41, "angle"),  # DF542
    Field("i0_rad", 32, 2.0**-31, "angle"),  # DF543
    Field("spare_idot", 2),  # DF544
    Field("spare_i0", 2),  # DF545
)
_NOT_ATTRIBUTES = ("week", "toe", "toc", "reserved", "l5_unhealthy", "s_unhealthy", "spare_idot", "spare_i0")


def decode_navic(payload: bytes, near_ns: int) -> NavicEphemeris:
    """Decode message 1041.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; within ten years it resolves the week.

    Returns:
        The ephemeris; ``transmitted_ns`` is ``near_ns``, kept inside the week of the message. Reserved and spare
        bits are not kept.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, satellite 0 or a time of week beyond the week.

    Source:
        RTCM 10403.3 amendment 1, DF516 to DF545; IRNSS SIS ICD 1.1, 6.2.1.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    raw = read_fields(reader, FIELDS)
    values = scaled(FIELDS, raw) | decode_times(raw, _WEEKS, near_ns, _MESSAGE)
    values = {name: value for name, value in values.items() if name not in _NOT_ATTRIBUTES}
    values["satellite"] += 100 * Constellation.NAVIC
    return NavicEphemeris(health=raw["l5_unhealthy"] << 1 | raw["s_unhealthy"], **values)


def encode_navic(ephemeris: NavicEphemeris) -> bytes:
    """Encode message 1041; the inverse of :func:`decode_navic`, to the bit.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.
    """
    raw = unscaled(FIELDS[1:], vars(ephemeris), _MESSAGE)
    raw |= encode_times(ephemeris.toe_ns, ephemeris.toc_ns, ephemeris.transmitted_ns, _WEEKS)
    raw |= {"l5_unhealthy": ephemeris.health >> 1 & 1, "s_unhealthy": ephemeris.health & 1}
    writer = BitWriter()
    writer.unsigned(_MESSAGE, 12)
    write_fields(writer, FIELDS, raw | {"satellite": ephemeris.satellite - 100 * Constellation.NAVIC})
    return writer.to_bytes()
