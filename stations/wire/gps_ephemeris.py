"""GPS and QZSS broadcast ephemerides, messages 1019 and 1044, both directions."""

from stations.navigation import GpsEphemeris
from stations.signals import Constellation, constellation_of
from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import (
    GPS_PI,
    Field,
    WeekScale,
    decode_times,
    encode_times,
    read_fields,
    scaled,
    unscaled,
    write_fields,
)

_GPS, _QZSS = 1019, 1044
_WEEKS = WeekScale(weeks=1024, week_zero=0, behind_gps_ns=0, unit_s=16)  # DF076, DF081, DF093; QZSS the same

# RTCM 10403.3 table 3.5-21. "week", "toc" and "toe" are handled by hand, the rest are attributes.
_FIELDS = (
    Field("satellite", 6),  # DF009
    Field("week", 10),  # DF076
    Field("ura_index", 4),  # DF077
    Field("l2_code", 2),  # DF078
    Field("idot_rad_s", 14, 2.0**-43, "angle"),  # DF079
    Field("iode", 8),  # DF071
    Field("toc", 16),  # DF081
    Field("af2", 8, 2.0**-55, "signed"),  # DF082
    Field("af1", 16, 2.0**-43, "signed"),  # DF083
    Field("af0_s", 22, 2.0**-31, "signed"),  # DF084
    Field("iodc", 10),  # DF085
    Field("crs_m", 16, 2.0**-5, "signed"),  # DF086
    Field("delta_n_rad_s", 16, 2.0**-43, "angle"),  # DF087
    Field("m0_rad", 32, 2.0**-31, "angle"),  # DF088
    Field("cuc_rad", 16, 2.0**-29, "signed"),  # DF089
    Field("eccentricity", 32, 2.0**-33),  # DF090
    Field("cus_rad", 16, 2.0**-29, "signed"),  # DF091
    Field("sqrt_a", 32, 2.0**-19),  # DF092
    Field("toe", 16),  # DF093
    Field("cic_rad", 16, 2.0**-29, "signed"),  # DF094
    Field("omega0_rad", 32, 2.0**-31, "angle"),  # DF095
    Field("cis_rad", 16, 2.0**-29, "signed"),  # DF096
    Field("i0_rad", 32, 2.0**-31, "angle"),  # DF097
    Field("crc_m", 16, 2.0**-5, "signed"),  # DF098
    Field("omega_rad", 32, 2.0**-31, "angle"),  # DF099
    Field("omega_dot_rad_s", 24, 2.0**-43, "angle"),  # DF100
    Field("tgd_s", 8, 2.0**-31, "signed"),  # DF101
    Field("health", 6),  # DF102
    Field("l2p_data_off", 1),  # DF103
    Field("fit_interval_flag", 1),  # DF137
)
_BY_NAME = {field.name: field for field in _FIELDS}
# RTCM 10403.3 table 3.5-105: the same fields (DF429 to DF457) in another order, no L2 P flag, four bits of satellite.
_QZSS_ORDER = (
    "toc", "af2", "af1", "af0_s", "iode", "crs_m", "delta_n_rad_s", "m0_rad", "cuc_rad", "eccentricity",
    "cus_rad", "sqrt_a", "toe", "cic_rad", "omega0_rad", "cis_rad", "i0_rad", "crc_m", "omega_rad",
    "omega_dot_rad_s", "idot_rad_s", "l2_code", "week", "ura_index", "health", "tgd_s", "iodc",
    "fit_interval_flag",
)  # fmt: skip
_QZSS_FIELDS = (Field("satellite", 4), *(_BY_NAME[name] for name in _QZSS_ORDER))
TABLES = {_GPS: _FIELDS, _QZSS: _QZSS_FIELDS}
__all__ = ["GPS_PI", "TABLES", "decode_ephemeris", "encode_ephemeris"]


def decode_ephemeris(payload: bytes, near_ns: int) -> GpsEphemeris:
    """Decode message 1019 or 1044.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; within ten years it resolves the week.

    Returns:
        The ephemeris. The wire does not say when it was transmitted: ``transmitted_ns`` is ``near_ns``, kept inside
        the week of the message.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, satellite 0 or a time of week beyond the week.

    Source:
        RTCM 10403.3 tables 3.5-21 and 3.5-105; IS-GPS-200 20.3.3.3 and 20.3.3.4; IS-QZSS-PNT 4.1.2.
    """
    reader = BitReader(payload)
    number = reader.unsigned(12)
    table = TABLES[number]
    raw = read_fields(reader, table)
    values = scaled(table, raw) | decode_times(raw, _WEEKS, near_ns, number)
    for name in ("week", "toe", "toc"):
        del values[name]
    values["l2p_data_off"] = bool(values.get("l2p_data_off", 1))  # fixed to 1 for QZSS (IS-QZSS-PNT 4.1.2.3)
    values["fit_interval_flag"] = bool(values["fit_interval_flag"])
    if number == _QZSS:
        values["satellite"] += 100 * Constellation.QZSS
    return GpsEphemeris(**values)


def encode_ephemeris(ephemeris: GpsEphemeris) -> bytes:
    """Encode message 1019, or 1044 for QZSS; the inverse of :func:`decode_ephemeris`, to the bit.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.

    Source:
        RTCM 10403.3 tables 3.5-21 and 3.5-105.
    """
    number = _QZSS if constellation_of(ephemeris.satellite) is Constellation.QZSS else _GPS
    table = TABLES[number]
    raw = unscaled(table[1:], vars(ephemeris), number)
    raw |= encode_times(ephemeris.toe_ns, ephemeris.toc_ns, ephemeris.transmitted_ns, _WEEKS)
    offset = 100 * Constellation.QZSS if number == _QZSS else 0
    writer = BitWriter()
    writer.unsigned(number, 12)
    write_fields(writer, table, raw | {"satellite": ephemeris.satellite - offset})
    return writer.to_bytes()
