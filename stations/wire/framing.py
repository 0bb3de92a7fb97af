"""The RTCM 3 transport layer: preamble, length, payload, CRC-24Q; the same for every message and system.

Rule: after a checksum that does not match, the search goes on at the next byte, not after the supposed
frame, because a preamble inside junk must not swallow the frame behind it.
"""

import numpy as np

from stations.errors import GpsgridError, Reason
from stations.wire.crc24q import crc24q, crc24q_of_array

PREAMBLE = 0xD3  # RTCM 10403.3 section 4.2
MAX_PAYLOAD = 1023
_HEADER = 3
_CHECKSUM = 3
_OVERHEAD = _HEADER + _CHECKSUM


def encode_frame(payload: bytes) -> bytes:
    """Return the frame that carries a payload.

    Args:
        payload: Message, at most 1023 bytes.

    Returns:
        Preamble, six reserved zero bits, length, payload, checksum.

    Raises:
        ValueError: The payload is too long for one frame.

    Source:
        RTCM 10403.3 section 4.2.
    """
    if len(payload) > MAX_PAYLOAD:
        message = f"payload of {len(payload)} bytes: a frame carries at most {MAX_PAYLOAD}"
        raise ValueError(message)
    body = bytes((PREAMBLE, len(payload) >> 8, len(payload) & 0xFF)) + payload
    return body + crc24q(body).to_bytes(_CHECKSUM)


def message_number(payload: bytes) -> int:
    """Return the message number DF002, the first twelve bits of a payload.

    Raises:
        GpsgridError: ``MALFORMED``, the payload is shorter than that.
    """
    if len(payload) < 2:
        message = f"payload of {len(payload)} bytes: at least 2 are needed for the message number"
        raise GpsgridError(Reason.MALFORMED, message, length=len(payload))
    return payload[0] << 4 | payload[1] >> 4


class FrameBuffer:
    """Finds frames in a byte stream that arrives in pieces of any size.

    Never holds more than one unfinished frame (1028 bytes) between two calls, and never raises.

    Attributes:
        frames: Complete frames with a right checksum so far.
        bad_crc: Supposed frames whose checksum was wrong.
        junk_bytes: Bytes that belonged to no frame.
    """

    def __init__(self) -> None:
        """Start with an empty buffer and all counters at zero."""
        self.frames = 0
        self.bad_crc = 0
        self.junk_bytes = 0
        self._rest = b""

    @property
    def pending(self) -> int:
        """Number of bytes kept because they may be the start of a frame."""
        return len(self._rest)

    def push(self, data: bytes) -> list[bytes]:
        """Take in the next bytes and return the payloads they complete.

        Args:
            data: Any number of bytes, cut anywhere.

        Returns:
            Payloads in the order of the stream. Empty payloads (filler frames) are among them.
        """
        buffer = self._rest + data if self._rest else bytes(data)
        array = np.frombuffer(buffer, dtype=np.uint8)
        payloads: list[bytes] = []
        size = len(buffer)
        at = 0
        while True:
            start = buffer.find(PREAMBLE, at)
            if start < 0:
                self.junk_bytes += size - at
                at = size
                break
            self.junk_bytes += start - at
            at = start
            if size - at < _HEADER:
                # A preamble followed by non-zero reserved bits is junk already, without its third byte.
                if size - at > 1 and buffer[at + 1] > MAX_PAYLOAD >> 8:
                    self.junk_bytes += 1
                    at += 1
                    continue
                break
            length = buffer[at + 1] << 8 | buffer[at + 2]
            if length > MAX_PAYLOAD:
                self.junk_bytes += 1
                at += 1
                continue
            end = at + length + _OVERHEAD
            if end > size:
                break
            if crc24q_of_array(array, at, end):
                self.bad_crc += 1
                self.junk_bytes += 1
                at += 1
                continue
            self.frames += 1
            payloads.append(buffer[at + _HEADER : end - _CHECKSUM])
            at = end
        self._rest = buffer[at:]
        return payloads
