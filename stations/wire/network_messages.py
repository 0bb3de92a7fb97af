"""Messages of network services: which decoder and encoder belong to which number."""

from collections.abc import Callable

from stations.wire.network_gradients import NetworkGradients, decode_gradients, encode_gradients
from stations.wire.network_mac import (
    AuxiliaryStation,
    CorrectionDifferences,
    decode_auxiliary,
    decode_differences,
    encode_auxiliary,
    encode_differences,
)
from stations.wire.network_reference import PhysicalReference, decode_physical_reference, encode_physical_reference
from stations.wire.network_residuals import NetworkResiduals, decode_residuals, encode_residuals

NetworkMessage = AuxiliaryStation | CorrectionDifferences | NetworkResiduals | PhysicalReference | NetworkGradients

NETWORK_DECODERS: dict[int, Callable[[bytes, int], NetworkMessage]] = {
    1014: lambda payload, _: decode_auxiliary(payload),
    1015: decode_differences,
    1016: decode_differences,
    1017: decode_differences,
    1030: decode_residuals,
    1031: decode_residuals,
    1032: lambda payload, _: decode_physical_reference(payload),
    1034: decode_gradients,
    1035: decode_gradients,
}


def encode_network_message(message: NetworkMessage) -> bytes:
    """Encode a message of a network service as the message of its kind.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.
    """
    match message:
        case AuxiliaryStation():
            return encode_auxiliary(message)
        case CorrectionDifferences():
            return encode_differences(message)
        case NetworkResiduals():
            return encode_residuals(message)
        case PhysicalReference():
            return encode_physical_reference(message)
        case NetworkGradients():
            return encode_gradients(message)
