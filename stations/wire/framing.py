"""The RTCM 3 transport layer: preamble, length, payload, CRC-24Q; the same for every message and system.

Rule: after a checksum that does not match, the search goes on at the next byte, not after the supposed
frame, because a preamble inside junk must not swallow the frame behind it.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from stations.arrays import IntArray
from stations.errors import GpsgridError, Reason
from stations.wire.crc24q import crc24q, crc24q_of_array

PREAMBLE = 0xD3  # RTCM 10403.3 section 4.2
MAX_PAYLOAD = 1023
_HEADER = 3
_CHECKSUM = 3
_OVERHEAD = _HEADER + _CHECKSUM
_FRAMES_AT_ONCE = 32  # more than one epoch of one station has


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


@njit(cache=True, nogil=True)
def find_frames(data: npt.NDArray[np.uint8], at: int, spans: IntArray, counts: IntArray) -> int:
    """Find frames in bytes, until their end, the first unfinished frame, or no more room for results.

    Args:
        data: Shape ``(byte,)``.
        at: Where the search starts.
        spans: Receives the first byte of each payload and the byte behind it, shape ``(room, 2)``.
        counts: Receives the number of frames found, of wrong checksums, of bytes of junk, shape ``(3,)``.

    Returns:
        Where the search has to go on.

    Source:
        RTCM 10403.3 section 4.2.
    """
    frames, bad_crc, junk = 0, 0, 0
    size = data.size
    while frames < spans.shape[0]:
        while at < size and data[at] != PREAMBLE:
            at += 1
            junk += 1
        if size - at < _HEADER:
            # A preamble followed by non-zero reserved bits is junk already, without its third byte.
            if size - at > 1 and data[at + 1] > MAX_PAYLOAD >> 8:
                at += 1
                junk += 1
                continue
            break
        length = int(data[at + 1]) << 8 | int(data[at + 2])
        end = at + length + _OVERHEAD
        if length <= MAX_PAYLOAD and end > size:
            break
        if length > MAX_PAYLOAD or crc24q_of_array(data, at, end):
            bad_crc += length <= MAX_PAYLOAD
            at += 1
            junk += 1
            continue
        spans[frames, 0] = at + _HEADER
        spans[frames, 1] = end - _CHECKSUM
        frames += 1
        at = end
    counts[0], counts[1], counts[2] = frames, bad_crc, junk
    return at


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
        self._spans: IntArray = np.empty((_FRAMES_AT_ONCE, 2), dtype=np.int64)
        self._counts: IntArray = np.empty(3, dtype=np.int64)

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
        at, found = 0, _FRAMES_AT_ONCE
        while found == _FRAMES_AT_ONCE:
            at = find_frames(array, at, self._spans, self._counts)
            found, bad_crc, junk = self._counts.tolist()
            self.frames += found
            self.bad_crc += bad_crc
            self.junk_bytes += junk
            payloads += [buffer[first:end] for first, end in self._spans[:found].tolist()]
        self._rest = buffer[at:]
        return payloads
