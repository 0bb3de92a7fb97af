"""CRC-24Q, the checksum of every RTCM 3 frame: a table-driven kernel and the shift register it must equal.

The register starts at zero and nothing is reflected or inverted, so the checksum of a frame with its
checksum appended is zero.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

POLYNOMIAL = 0x1864CFB  # x^24 + x^23 + x^18 + ... + 1, RTCM 10403.3 section 4.2
_TOP_BIT = 0x1000000
_MASK = 0xFFFFFF


def crc24q_slow(data: bytes) -> int:
    """Return the CRC-24Q of ``data``, one bit of the shift register at a time.

    Args:
        data: Any bytes.

    Returns:
        Checksum, 24 bits.

    Source:
        RTCM 10403.3 section 4.2; the long division itself, as the reference for :func:`crc24q`.

    >>> hex(crc24q_slow(bytes.fromhex("d300133ed7d30202980edeef34b4bd62ac0941986f33")))
    '0x360b98'
    """
    register = 0
    for byte in data:
        register ^= byte << 16
        for _ in range(8):
            register <<= 1
            if register & _TOP_BIT:
                register ^= POLYNOMIAL
    return register


_TABLE: npt.NDArray[np.uint32] = np.array([crc24q_slow(bytes([byte])) for byte in range(256)], dtype=np.uint32)


@njit(cache=True, nogil=True)
def crc24q_of_array(data: npt.NDArray[np.uint8], start: int, stop: int) -> int:
    """Return the CRC-24Q of ``data[start:stop]``; ``data`` has shape ``(byte,)``."""
    register = 0
    for index in range(start, stop):
        register = ((register << 8) & _MASK) ^ int(_TABLE[(register >> 16) ^ data[index]])
    return register


def crc24q(data: bytes) -> int:
    """Return the CRC-24Q of ``data``; the same as :func:`crc24q_slow`, a byte at a time.

    Args:
        data: Any bytes.

    Returns:
        Checksum, 24 bits.

    Source:
        RTCM 10403.3 section 4.2.
    """
    return int(crc24q_of_array(np.frombuffer(data, dtype=np.uint8), 0, len(data)))
