"""From the payload of a frame to one of our values: the table of all messages that are decoded."""

from collections.abc import Callable
from dataclasses import dataclass

from stations.errors import GpsgridError, Reason
from stations.glonass_channels import GlonassChannels
from stations.navigation_kinds import Ephemeris
from stations.wire.bits import NeedMoreBits
from stations.wire.broadcast_ephemeris import EPHEMERIS_DECODERS
from stations.wire.framing import message_number
from stations.wire.legacy import decode_legacy
from stations.wire.legacy_block import LegacyBlock
from stations.wire.legacy_fields import LEGACY_LAYOUTS
from stations.wire.msm import MsmBlock, decode_msm
from stations.wire.msm_fields import MSM_NUMBERS
from stations.wire.network_messages import NETWORK_DECODERS, NetworkMessage
from stations.wire.service_messages import (
    GlonassBiases,
    StationText,
    SystemParameters,
    decode_biases,
    decode_parameters,
    decode_text,
)
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition, decode_antenna, decode_position


@dataclass(frozen=True)
class Ignored:
    """A message that is not used.

    Attributes:
        number: Its message number.
    """

    number: int


# What is passed on as it is, and everything.
Description = (
    Ephemeris | ReferencePosition | AntennaDescriptor | SystemParameters | StationText | GlonassBiases | NetworkMessage
)
Message = MsmBlock | LegacyBlock | Description | Ignored
_Decoder = Callable[[bytes, int], Message]


def _timeless(decode: Callable[[bytes], Message]) -> _Decoder:
    return lambda payload, _: decode(payload)


_DECODERS: dict[int, _Decoder] = {
    1005: _timeless(decode_position),
    1006: _timeless(decode_position),
    1007: _timeless(decode_antenna),
    1008: _timeless(decode_antenna),
    1033: _timeless(decode_antenna),
    1013: _timeless(decode_parameters),
    1029: _timeless(decode_text),
    1230: _timeless(decode_biases),
    **EPHEMERIS_DECODERS,
    **NETWORK_DECODERS,
    **dict.fromkeys(LEGACY_LAYOUTS, decode_legacy),
}


def decode_message(payload: bytes, near_ns: int, channels: GlonassChannels | None = None) -> Message:
    """Decode the payload of one frame.

    Args:
        payload: Complete payload.
        near_ns: Time of reception, ns of GPS time; resolves the week.
        channels: GLONASS channels for MSM that name none.

    Returns:
        A value by kind of message, :class:`Ignored` for numbers we do not use.

    Raises:
        GpsgridError: ``MALFORMED`` for a message that is too short or contradicts itself.

    Source:
        RTCM 10403.3 section 3.5.
    """
    number = message_number(payload)
    if number in MSM_NUMBERS:
        return decode_msm(payload, near_ns, channels)
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
