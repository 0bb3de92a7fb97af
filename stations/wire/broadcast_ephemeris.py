"""Broadcast ephemerides of all systems: which message belongs to which kind, both directions."""

from collections.abc import Callable

from stations.navigation import BeiDouEphemeris, GalileoEphemeris, GpsEphemeris, NavicEphemeris
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris
from stations.wire.beidou_ephemeris import decode_beidou, encode_beidou
from stations.wire.galileo_ephemeris import decode_galileo, encode_galileo
from stations.wire.glonass_ephemeris import decode_glonass, encode_glonass
from stations.wire.gps_ephemeris import decode_ephemeris, encode_ephemeris
from stations.wire.navic_ephemeris import decode_navic, encode_navic

EPHEMERIS_DECODERS: dict[int, Callable[[bytes, int], Ephemeris]] = {
    1019: decode_ephemeris,
    1020: decode_glonass,
    1041: decode_navic,
    1042: decode_beidou,
    1044: decode_ephemeris,
    1045: decode_galileo,
    1046: decode_galileo,
}


def encode_broadcast(ephemeris: Ephemeris) -> bytes:
    """Encode an ephemeris of any system as the message of that system.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field, or the system has no such message (SBAS).
    """
    match ephemeris:
        case GpsEphemeris():
            return encode_ephemeris(ephemeris)
        case GalileoEphemeris():
            return encode_galileo(ephemeris)
        case BeiDouEphemeris():
            return encode_beidou(ephemeris)
        case NavicEphemeris():
            return encode_navic(ephemeris)
        case GlonassEphemeris():
            return encode_glonass(ephemeris)
        case SbasEphemeris():
            message = f"satellite {ephemeris.satellite}: RTCM 3 has no message for ephemerides of SBAS"
            raise ValueError(message)
