"""Galileo broadcast ephemerides: F/NAV in message 1045, I/NAV in message 1046, both directions."""

from stations.gpstime import GALILEO_WEEK_ZERO
from stations.navigation import GalileoEphemeris, GalileoMessage
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

_FNAV, _INAV = 1045, 1046
_WEEKS = WeekScale(weeks=4096, week_zero=GALILEO_WEEK_ZERO, behind_gps_ns=0, unit_s=60)  # DF289, DF293, DF304
_FNAV_SOURCES = 0b01_0000_0010  # message of E5a, clock of E1/E5a
_INAV_SOURCES = 0b10_0000_0101  # message of E1-B and E5b, clock of E1/E5b

_COMMON = (
    Field("satellite", 6),  # DF252
    Field("week", 12),  # DF289
    Field("iod_nav", 10),  # DF290
    Field("sisa_index", 8),  # DF291, DF286
    Field("idot_rad_s", 14, 2.0**-43, "angle"),  # DF292
    Field("toc", 14),  # DF293
    Field("af2", 6, 2.0**-59, "signed"),  # DF294
    Field("af1", 21, 2.0**-46, "signed"),  # DF295
    Field("af0_s", 31, 2.0**-34, "signed"),  # DF296
    Field("crs_m", 16, 2.0**-5, "signed"),  # DF297
    Field("delta_n_rad_s", 16, 2.0**-43, "angle"),  # DF298
    Field("m0_rad", 32, 2.0**-31, "angle"),  # DF299
    Field("cuc_rad", 16, 2.0**-29, "signed"),  # DF300
    Field("eccentricity", 32, 2.0**-33),  # DF301
    Field("cus_rad", 16, 2.0**-29, "signed"),  # DF302
    Field("sqrt_a", 32, 2.0**-19),  # DF303
    Field("toe", 14),  # DF304
    Field("cic_rad", 16, 2.0**-29, "signed"),  # DF305
    Field("omega0_rad", 32, 2.0**-31, "angle"),  # DF306
    Field("cis_rad", 16, 2.0**-29, "signed"),  # DF307
    Field("i0_rad", 32, 2.0**-31, "angle"),  # DF308
    Field("crc_m", 16, 2.0**-5, "signed"),  # DF309
    Field("omega_rad", 32, 2.0**-31, "angle"),  # DF310
    Field("omega_dot_rad_s", 24, 2.0**-43, "angle"),  # DF311
    Field("bgd_e5a_s", 10, 2.0**-32, "signed"),  # DF312
)
TABLES = {
    _FNAV: (
        *_COMMON,
        Field("e5a_health", 2),  # DF314
        Field("e5a_invalid", 1),  # DF315
        Field("reserved", 7),  # DF001
    ),
    _INAV: (
        *_COMMON,
        Field("bgd_e5b_s", 10, 2.0**-32, "signed"),  # DF313
        Field("e5b_health", 2),  # DF316
        Field("e5b_invalid", 1),  # DF317
        Field("e1_health", 2),  # DF287
        Field("e1_invalid", 1),  # DF288
        Field("reserved", 2),  # DF001
    ),
}
# Place of each field in the nine bits of GalileoEphemeris.health.
_HEALTH = {
    "e1_invalid": (0, 0b1),
    "e1_health": (1, 0b11),
    "e5a_invalid": (3, 0b1),
    "e5a_health": (4, 0b11),
    "e5b_invalid": (6, 0b1),
    "e5b_health": (7, 0b11),
}
_NOT_ATTRIBUTES = ("week", "toe", "toc", "reserved", *_HEALTH)


def decode_galileo(payload: bytes, near_ns: int) -> GalileoEphemeris:
    """Decode message 1045 or 1046.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; within forty years it resolves the week.

    Returns:
        The ephemeris; ``transmitted_ns`` is ``near_ns``, kept inside the week of the message. Reserved bits are
        not kept.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, satellite 0 or a time of week beyond the week.

    Source:
        RTCM 10403.3 tables 3.5-106 and 3.5-107; Galileo OS SIS ICD 5.1.
    """
    reader = BitReader(payload)
    number = reader.unsigned(12)
    raw = read_fields(reader, TABLES[number])
    values = scaled(TABLES[number], raw) | decode_times(raw, _WEEKS, near_ns, number)
    health = sum(raw.get(name, 0) << shift for name, (shift, _) in _HEALTH.items())
    values = {name: value for name, value in values.items() if name not in _NOT_ATTRIBUTES}
    values["satellite"] += 100 * Constellation.GALILEO
    sources = _FNAV_SOURCES if number == _FNAV else _INAV_SOURCES
    return GalileoEphemeris(health=health, data_sources=sources, **{"bgd_e5b_s": 0.0} | values)


def encode_galileo(ephemeris: GalileoEphemeris) -> bytes:
    """Encode message 1045 or 1046, by the kind of the ephemeris; the inverse of :func:`decode_galileo`, to the bit.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.
    """
    number = _FNAV if ephemeris.message is GalileoMessage.FNAV else _INAV
    table = TABLES[number]
    raw = unscaled(table[1:], vars(ephemeris), number)
    raw |= encode_times(ephemeris.toe_ns, ephemeris.toc_ns, ephemeris.transmitted_ns, _WEEKS)
    raw |= {name: (ephemeris.health >> shift) & mask for name, (shift, mask) in _HEALTH.items()}
    writer = BitWriter()
    writer.unsigned(number, 12)
    write_fields(writer, table, raw | {"satellite": ephemeris.satellite - 100 * Constellation.GALILEO})
    return writer.to_bytes()
