"""From the payload of a frame to one of our values: the table of all messages that are decoded."""

from collections.abc import Callable
from dataclasses import dataclass

from stations.errors import GpsgridError, Reason
from stations.navigation import GpsEphemeris
from stations.wire.bits import NeedMoreBits
from stations.wire.framing import message_number
from stations.wire.gps_ephemeris import decode_ephemeris
from stations.wire.msm import MsmBlock, decode_msm
from stations.wire.msm_fields import GROUPS, LAYOUTS
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition, decode_antenna, decode_position


@dataclass(frozen=True)
class Ignored:
    """A message that is not used.

    Attributes:
        number: Its message number.
    """

    number: int


Message = MsmBlock | GpsEphemeris | ReferencePosition | AntennaDescriptor | Ignored
_Decoder = Callable[[bytes, int], Message]


def _timeless(decode: Callable[[bytes], Message]) -> _Decoder:
    return lambda payload, _: decode(payload)


_DECODERS: dict[int, _Decoder] = {
    1005: _timeless(decode_position),
    1006: _timeless(decode_position),
    1007: _timeless(decode_antenna),
    1008: _timeless(decode_antenna),
    1019: decode_ephemeris,
    1033: _timeless(decode_antenna),
    **{base + level: decode_msm for base in GROUPS.values() for level in LAYOUTS},
}


def decode_message(payload: bytes, near_ns: int) -> Message:
    """Decode the payload of one frame.

    Args:
        payload: Complete payload.
        near_ns: Time of reception, ns of GPS time; resolves the week.

    Returns:
        A value by kind of message, :class:`Ignored` for numbers we do not use (also MSM1 to MSM3).

    Raises:
        GpsgridError: ``MALFORMED`` for a message that is too short or contradicts itself,
            ``UNSUPPORTED_SIGNAL`` for an MSM of a constellation that is not supported yet.

    Source:
        RTCM 10403.3 section 3.5.
    """
    number = message_number(payload)
    decode = _DECODERS.get(number)
    if decode is None:
        return Ignored(number)
    try:
        return decode(payload, near_ns)
    except NeedMoreBits as short:
        text = (
            f"message {number} ends after {short.available} bits, at bit {short.position} it needs {short.wanted} more"
        )
        raise GpsgridError(Reason.MALFORMED, text, number=number, length=len(payload)) from short
