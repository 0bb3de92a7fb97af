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


def _tables() -> npt.NDArray[np.uint32]:
    # Row k: the checksum of each byte with k zero bytes behind it.
    tables = [[crc24q_slow(bytes([byte]) + bytes(zeros)) for byte in range(256)] for zeros in range(4)]
    return np.array(tables, dtype=np.uint32)


_TABLES: npt.NDArray[np.uint32] = _tables()


@njit(cache=True, nogil=True)
def crc24q_of_array(data: npt.NDArray[np.uint8], start: int, stop: int) -> int:
    """Return the CRC-24Q of ``data[start:stop]``; ``data`` has shape ``(byte,)``.

    Four bytes at a time, because one table would have to wait for the result of the one before.

    Source:
        Kounavis and Berry, A systematic approach to building high performance, software-based, CRC generators,
        ISCC 2005 ("slicing").
    """
    register = np.uint32(0)
    low = np.uint32(0xFF)
    index = np.uintp(start)
    for _ in range((stop - start) >> 2):
        one = (register >> np.uint32(16)) ^ np.uint32(data[index])
        two = ((register >> np.uint32(8)) & low) ^ np.uint32(data[index + np.uintp(1)])
        three = (register & low) ^ np.uint32(data[index + np.uintp(2)])
        four = data[index + np.uintp(3)]
        register = _TABLES[3, one] ^ _TABLES[2, two] ^ _TABLES[1, three] ^ _TABLES[0, four]
        index += np.uintp(4)
    while index < np.uintp(stop):
        place = (register >> np.uint32(16)) ^ np.uint32(data[index])
        register = ((register << np.uint32(8)) & np.uint32(_MASK)) ^ _TABLES[0, place]
        index += np.uintp(1)
    return int(register)


def crc24q(data: bytes) -> int:
    """Return the CRC-24Q of ``data``; the same as :func:`crc24q_slow`, four bytes at a time.

    Args:
        data: Any bytes.

    Returns:
        Checksum, 24 bits.

    Source:
        RTCM 10403.3 section 4.2.
    """
    return int(crc24q_of_array(np.frombuffer(data, dtype=np.uint8), 0, len(data)))
