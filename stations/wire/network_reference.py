"""The physical station behind a virtual one, message 1032, both directions."""

from dataclasses import dataclass

from stations.wire.bits import BitReader, BitWriter
from stations.wire.ephemeris_fields import Field, read_fields, write_fields

_MESSAGE = 1032
_UNITS_PER_M = 10_000  # DF025 to DF027
_FIELDS = (
    Field("station_number", 12),  # DF003
    Field("physical_number", 12),  # DF226
    Field("itrf_year", 6),  # DF021
    Field("x", 38, kind="signed"),  # DF025
    Field("y", 38, kind="signed"),  # DF026
    Field("z", 38, kind="signed"),  # DF027
)


@dataclass(frozen=True)
class PhysicalReference:
    """Message 1032.

    Attributes:
        station_number: Number of the computed station DF003, 0-4095.
        physical_number: Number of the station whose observations it was made from DF226, 0-4095.
        position_m: Antenna reference point of the physical station, ECEF metres, multiples of 0.1 mm on the wire.
        itrf_year: Realisation year DF021, last two digits as sent (6 bits), 0 where not given.
    """

    station_number: int
    physical_number: int
    position_m: tuple[float, float, float]
    itrf_year: int = 0


def decode_physical_reference(payload: bytes) -> PhysicalReference:
    """Decode message 1032.

    Raises:
        NeedMoreBits: The payload is too short.

    Source:
        RTCM 10403.3 section 3.5.9; DF003, DF021, DF025 to DF027, DF226.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    raw = read_fields(reader, _FIELDS)
    x, y, z = (raw[axis] / _UNITS_PER_M for axis in "xyz")
    return PhysicalReference(raw["station_number"], raw["physical_number"], (x, y, z), raw["itrf_year"])


def encode_physical_reference(reference: PhysicalReference) -> bytes:
    """Encode message 1032; the inverse of :func:`decode_physical_reference`, to the bit.

    Raises:
        ValueError: A value does not fit its field.
    """
    raw = {axis: round(metres * _UNITS_PER_M) for axis, metres in zip("xyz", reference.position_m, strict=True)}
    writer = BitWriter()
    writer.unsigned(_MESSAGE, 12)
    write_fields(writer, _FIELDS, vars(reference) | raw)
    return writer.to_bytes()
