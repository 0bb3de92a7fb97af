"""What a station says about itself: reference position (1005, 1006), antenna and receiver (1007, 1008, 1033).

Both directions, field by field in the order of the standard. Texts are ISO 8859-1.
"""

from dataclasses import dataclass

from stations.errors import GpsgridError, Reason
from stations.wire.bits import BitReader, BitWriter

_UNITS_PER_M = 10_000  # DF025-DF028; dividing by it gives back the decimals that were sent, to the last digit
_COORDINATE_BITS = 38
_TEXT_LIMIT = 31  # DF029, DF032, DF227, DF229, DF231


@dataclass(frozen=True)
class ReferencePosition:
    """Antenna reference point of a station: message 1005, or 1006 if the antenna height is known.

    Attributes:
        station_number: Reference station number DF003, 0-4095.
        position_m: Antenna reference point, ECEF metres, multiples of 0.1 mm on the wire.
        antenna_height_m: Marker to antenna reference point, metres; ``None`` for message 1005.
        itrf_year: Realisation year DF021, last two digits as sent (6 bits), 0 where not given.
        gps: The station serves GPS (DF022); glonass: DF023; galileo: DF024.
        virtual: The station is a computed one (DF141).
        single_oscillator: All phases come from one oscillator (DF142).
        quarter_cycle: Quarter cycle indicator DF364, 0 for not given.
        reserved: The reserved bit of the message.
    """

    station_number: int
    position_m: tuple[float, float, float]
    antenna_height_m: float | None = None
    itrf_year: int = 0
    gps: bool = True
    glonass: bool = False
    galileo: bool = False
    virtual: bool = False
    single_oscillator: bool = False
    quarter_cycle: int = 0
    reserved: bool = False


@dataclass(frozen=True)
class AntennaDescriptor:
    """Antenna and receiver of a station: messages 1007, 1008 and 1033.

    Attributes:
        station_number: Reference station number DF003, 0-4095.
        antenna: Antenna descriptor, IGS type and radome; at most 31 characters, as all texts here.
        setup: Antenna setup identification DF031; 0 for the standard calibration.
        serial: Antenna serial number; empty in 1007.
        receiver: Receiver type; firmware: its version; receiver_serial: its serial number (1033 only).
    """

    station_number: int
    antenna: str
    setup: int = 0
    serial: str = ""
    receiver: str = ""
    firmware: str = ""
    receiver_serial: str = ""


def decode_position(payload: bytes) -> ReferencePosition:
    """Decode message 1005 or 1006.

    Raises:
        NeedMoreBits: The payload is too short.

    Source:
        RTCM 10403.3 tables 3.5-6 and 3.5-7; DF003, DF021-DF028, DF141, DF142, DF364.
    """
    reader = BitReader(payload)
    number, station_number, itrf_year = reader.unsigned(12), reader.unsigned(12), reader.unsigned(6)
    gps, glonass, galileo, virtual = (reader.flag() for _ in range(4))
    x = reader.signed(_COORDINATE_BITS)
    single_oscillator, reserved = reader.flag(), reader.flag()
    y = reader.signed(_COORDINATE_BITS)
    quarter_cycle = reader.unsigned(2)
    z = reader.signed(_COORDINATE_BITS)
    height = reader.unsigned(16) / _UNITS_PER_M if number == 1006 else None
    return ReferencePosition(
        station_number,
        (x / _UNITS_PER_M, y / _UNITS_PER_M, z / _UNITS_PER_M),
        height,
        itrf_year,
        gps,
        glonass,
        galileo,
        virtual,
        single_oscillator,
        quarter_cycle,
        reserved,
    )


def encode_position(position: ReferencePosition) -> bytes:
    """Encode message 1006, or 1005 if there is no antenna height.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field.

    Source:
        RTCM 10403.3 tables 3.5-6 and 3.5-7.
    """
    x, y, z = (round(coordinate * _UNITS_PER_M) for coordinate in position.position_m)
    writer = BitWriter()
    writer.unsigned(1005 if position.antenna_height_m is None else 1006, 12)
    writer.unsigned(position.station_number, 12)
    writer.unsigned(position.itrf_year, 6)
    writer.flag(position.gps)
    writer.flag(position.glonass)
    writer.flag(position.galileo)
    writer.flag(position.virtual)
    writer.signed(x, _COORDINATE_BITS)
    writer.flag(position.single_oscillator)
    writer.flag(position.reserved)
    writer.signed(y, _COORDINATE_BITS)
    writer.unsigned(position.quarter_cycle, 2)
    writer.signed(z, _COORDINATE_BITS)
    if position.antenna_height_m is not None:
        writer.unsigned(round(position.antenna_height_m * _UNITS_PER_M), 16)
    return writer.to_bytes()


def decode_antenna(payload: bytes) -> AntennaDescriptor:
    """Decode message 1007, 1008 or 1033.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, a text is longer than its field allows.

    Source:
        RTCM 10403.3 tables 3.5-8, 3.5-9 and 3.5-34; DF029-DF033, DF227-DF232.
    """
    reader = BitReader(payload)
    number, station_number = reader.unsigned(12), reader.unsigned(12)
    antenna, setup = _text(reader, number), reader.unsigned(8)
    serial = _text(reader, number) if number != 1007 else ""
    receiver, firmware, receiver_serial = (_text(reader, number) if number == 1033 else "" for _ in range(3))
    return AntennaDescriptor(station_number, antenna, setup, serial, receiver, firmware, receiver_serial)


def encode_antenna(antenna: AntennaDescriptor, number: int | None = None) -> bytes:
    """Encode message 1007, 1008 or 1033.

    Args:
        antenna: What to say.
        number: Message number; by default 1033 if anything is known of the receiver, else 1008.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: A value does not fit its field, or the number is none of the three.
    """
    if number is None:
        number = 1033 if antenna.receiver or antenna.firmware or antenna.receiver_serial else 1008
    if number not in {1007, 1008, 1033}:
        message = f"message {number}: antennas are described by 1007, 1008 and 1033"
        raise ValueError(message)
    writer = BitWriter()
    writer.unsigned(number, 12)
    writer.unsigned(antenna.station_number, 12)
    writer.text(antenna.antenna, _TEXT_LIMIT)
    writer.unsigned(antenna.setup, 8)
    if number != 1007:
        writer.text(antenna.serial, _TEXT_LIMIT)
    if number == 1033:
        for text in (antenna.receiver, antenna.firmware, antenna.receiver_serial):
            writer.text(text, _TEXT_LIMIT)
    return writer.to_bytes()


def _text(reader: BitReader, number: int) -> str:
    text = reader.text()
    if len(text) > _TEXT_LIMIT:
        message = f"message {number}: a text of {len(text)} characters, at most {_TEXT_LIMIT} are allowed"
        raise GpsgridError(Reason.MALFORMED, message, number=number, length=len(text))
    return text
