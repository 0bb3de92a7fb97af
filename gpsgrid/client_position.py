"""Where a client of a stream is, from what it sent: GGA sentences, one or a piece of a stream of them."""

import math

from stations.arrays import FloatArray
from stations.errors import GpsgridError, Reason
from stations.frames import ecef_from_geodetic
from stations.nmea import MAX_SENTENCE, Gga, parse_sentence

LOWEST_M, HIGHEST_M = -1000.0, 20_000.0  # the Dead Sea with a margin; above every aeroplane


def position_of(sentence: str | bytes, near_ns: int) -> FloatArray | None:
    """Return the position that a GGA sentence tells, ECEF of shape ``(3,)``; ``None`` when it tells none.

    A receiver without a fix, and a sentence of another kind, tell none. Where the geoid separation is missing the
    altitude stands for the height: a virtual station may be some tens of metres off, because its position is sent.

    Args:
        sentence: From ``$`` to the checksum.
        near_ns: Some time near it, ns of GPS time.

    Raises:
        GpsgridError: ``BAD_CRC`` or ``MALFORMED``: no sentence, or a position that no receiver on Earth has.
    """
    said = parse_sentence(sentence, near_ns)
    if not isinstance(said, Gga) or said.quality == 0:
        return None
    if math.isnan(said.latitude_rad) or math.isnan(said.longitude_rad):
        return None
    height_m = said.altitude_m if math.isnan(said.height_m) else said.height_m
    height_m = 0.0 if math.isnan(height_m) else height_m
    if not LOWEST_M <= height_m <= HIGHEST_M:
        message = (
            f"GGA with a height of {height_m:.0f} m; expected {LOWEST_M:.0f} to {HIGHEST_M:.0f} m: "
            "is this the position of the receiver?"
        )
        raise GpsgridError(Reason.MALFORMED, message, height_m=height_m)
    return ecef_from_geodetic(said.latitude_rad, said.longitude_rad, height_m)


class SentenceBuffer:
    """Cuts what a client sends into lines; what is no line for too long is thrown away and counted.

    Attributes:
        junk: Bytes that belonged to no line of a sensible length.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.junk = 0
        self._begun = b""

    def push(self, data: bytes) -> list[bytes]:
        """Take in bytes; return the lines that are complete, without their ends and without empty ones."""
        *lines, self._begun = (self._begun + data).replace(b"\r", b"\n").split(b"\n")
        if len(self._begun) > MAX_SENTENCE:
            self.junk += len(self._begun)
            self._begun = b""
        self.junk += sum(len(line) for line in lines if len(line) > MAX_SENTENCE)
        return [line for line in lines if line and len(line) <= MAX_SENTENCE]
