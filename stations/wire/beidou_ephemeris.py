"""BeiDou broadcast ephemerides, message 1042, both directions. Times on the wire are BeiDou time."""

from stations.gpstime import BEIDOU_BEHIND_GPS_NS, BEIDOU_WEEK_ZERO
from stations.navigation import BeiDouEphemeris
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

_MESSAGE = 1042
# DF489, DF493, DF505
_WEEKS = WeekScale(weeks=8192, week_zero=BEIDOU_WEEK_ZERO, behind_gps_ns=BEIDOU_BEHIND_GPS_NS, unit_s=8)
FIELDS = (
    Field("satellite", 6),  # DF488
    Field("week", 13),  # DF489
    Field("ura_index", 4),  # DF490
    Field("idot_rad_s", 14, 2.0**-43, "angle"),  # DF491
    Field("aode", 5),  # DF492
    Field("toc", 17),  # DF493
    Field("af2", 11, 2.0**-66, "signed"),  # DF494
    Field("af1", 22, 2.0**-50, "signed"),  # DF495
    Field("af0_s", 24, 2.0**-33, "signed"),  # DF496
    Field("aodc", 5),  # DF497
    Field("crs_m", 18, 2.0**-6, "signed"),  # DF498
    Field("delta_n_rad_s", 16, 2.0**-43, "angle"),  # DF499
    Field("m0_rad", 32, 2.0**-31, "angle"),  # DF500
    Field("cuc_rad", 18, 2.0**-31, "signed"),  # DF501
    Field("eccentricity", 32, 2.0**-33),  # DF502
    Field("cus_rad", 18, 2.0**-31, "signed"),  # DF503
    Field("sqrt_a", 32, 2.0**-19),  # DF504
    Field("toe", 17),  # DF505
    Field("cic_rad", 18, 2.0**-31, "signed"),  # DF506
    Field("omega0_rad", 32, 2.0**-31, "angle"),  # DF507
    Field("cis_rad", 18, 2.0**-31, "signed"),  # DF508
    Field("i0_rad", 32, 2.0**-31, "angle"),  # DF509
    Field("crc_m", 18, 2.0**-6, "signed"),  # DF510
    Field("omega_rad", 32, 2.0**-31, "angle"),  # DF511
    Field("omega_dot_rad_s", 24, 2.0**-43, "angle"),  # DF512
    Field("tgd1_s", 10, 1e-10, "signed"),  # DF513
    Field("tgd2_s", 10, 1e-10, "signed"),  # DF514
    Field("health", 1),  # DF515
)


def decode_beidou(payload: bytes, near_ns: int) -> BeiDouEphemeris:
    """Decode message 1042.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; within eighty years it resolves the week.

    Returns:
        The ephemeris; ``transmitted_ns`` is ``near_ns``, kept inside the BeiDou week of the message.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, satellite 0 or a time of week beyond the week.

    Source:
        RTCM 10403.3 table 3.5-103; BDS-SIS-ICD-B1I-3.0 5.2.4 and 5.3.2.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    raw = read_fields(reader, FIELDS)
    values = scaled(FIELDS, raw) | decode_times(raw, _WEEKS, near_ns, _MESSAGE)
    for name in ("week", "toe", "toc"):
        del values[name]
    values["satellite"] += 100 * Constellation.BEIDOU
    return BeiDouEphemeris(**values)


def encode_beidou(ephemeris: BeiDouEphemeris) -> bytes:
    """Encode message 1042; the inverse of :func:`decode_beidou`, to the bit.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.
    """
    raw = unscaled(FIELDS[1:], vars(ephemeris), _MESSAGE)
    raw |= encode_times(ephemeris.toe_ns, ephemeris.toc_ns, ephemeris.transmitted_ns, _WEEKS)
    writer = BitWriter()
    writer.unsigned(_MESSAGE, 12)
    write_fields(writer, FIELDS, raw | {"satellite": ephemeris.satellite - 100 * Constellation.BEIDOU})
    return writer.to_bytes()
