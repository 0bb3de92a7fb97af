"""What a station says beside its observations: 1013 (system parameters), 1029 (text), 1230 (GLONASS biases).

Both directions, field by field in the order of the standard.
"""

from dataclasses import dataclass

from stations.errors import GpsgridError, Reason
from stations.signals import Constellation, signal_of
from stations.wire.bits import BitReader, BitWriter

_INTERVAL_UNITS_PER_S = 10  # DF057
_UNKNOWN_LEAP_SECONDS = 255  # DF054
_BIAS_UNITS_PER_M = 50  # DF423-DF426
_INVALID_BIAS = -(1 << 15)
_MOST_CHARACTERS = 127  # DF138
_MOST_BYTES = 255  # DF139
_BIASED = tuple(signal_of(Constellation.GLONASS, code).number for code in ("1C", "1P", "2C", "2P"))  # DF422, in order


@dataclass(frozen=True)
class Announcement:
    """A message that a station promises to send.

    Attributes:
        number: Message number DF055.
        synchronous: DF056: sent with the observations of one epoch.
        interval_s: Transmission interval DF057, seconds; 0 where not stated.
    """

    number: int
    synchronous: bool
    interval_s: float


@dataclass(frozen=True)
class SystemParameters:
    """Message 1013: what a station sends, and how often.

    Attributes:
        station_number: DF003, 0-4095.
        modified_julian_day: DF051; second_of_day: DF052, UTC.
        leap_seconds: GPS minus UTC, DF054; ``None`` where not stated.
        announcements: At most 31.
    """

    station_number: int
    modified_julian_day: int
    second_of_day: int
    leap_seconds: int | None
    announcements: tuple[Announcement, ...]


@dataclass(frozen=True)
class StationText:
    """Message 1029: a text for people, in any script.

    Attributes:
        station_number: DF003, 0-4095.
        modified_julian_day: DF051; second_of_day: DF052, UTC.
        text: At most 127 characters and 255 bytes of UTF-8.
    """

    station_number: int
    modified_julian_day: int
    second_of_day: int
    text: str


@dataclass(frozen=True)
class GlonassBiases:
    """Message 1230: how far the GLONASS codes of a receiver are from its phases.

    Attributes:
        station_number: DF003, 0-4095.
        aligned: DF421: codes and phases in the observations are aligned already.
        bias_m: Offset between code and phase, metres, by signal integer; ``None`` where sent as invalid. Signals
            that were not sent are absent.
        reserved: The three reserved bits of the message.
    """

    station_number: int
    aligned: bool
    bias_m: dict[int, float | None]
    reserved: int = 0


def decode_parameters(payload: bytes) -> SystemParameters:
    """Decode message 1013.

    Raises:
        NeedMoreBits: The payload is too short.

    Source:
        RTCM 10403.3 table 3.5-15; DF003, DF051-DF057.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    station_number, day, second = reader.unsigned(12), reader.unsigned(16), reader.unsigned(17)
    count, leap_seconds = reader.unsigned(5), reader.unsigned(8)
    announcements = tuple(
        Announcement(reader.unsigned(12), reader.flag(), reader.unsigned(16) / _INTERVAL_UNITS_PER_S)
        for _ in range(count)
    )
    known = None if leap_seconds == _UNKNOWN_LEAP_SECONDS else leap_seconds
    return SystemParameters(station_number, day, second, known, announcements)


def encode_parameters(parameters: SystemParameters) -> bytes:
    """Encode message 1013.

    Raises:
        ValueError: A value does not fit its field, or there are more than 31 announcements.
    """
    leap_seconds = parameters.leap_seconds
    writer = _headed(1013, parameters.station_number)
    writer.unsigned(parameters.modified_julian_day, 16)
    writer.unsigned(parameters.second_of_day, 17)
    writer.unsigned(len(parameters.announcements), 5)
    writer.unsigned(_UNKNOWN_LEAP_SECONDS if leap_seconds is None else leap_seconds, 8)
    for announcement in parameters.announcements:
        writer.unsigned(announcement.number, 12)
        writer.flag(announcement.synchronous)
        writer.unsigned(round(announcement.interval_s * _INTERVAL_UNITS_PER_S), 16)
    return writer.to_bytes()


def decode_text(payload: bytes) -> StationText:
    """Decode message 1029.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, the text is not UTF-8.

    Source:
        RTCM 10403.3 table 3.5-28; DF003, DF051, DF052, DF138-DF140.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    station_number, day, second = reader.unsigned(12), reader.unsigned(16), reader.unsigned(17)
    reader.unsigned(7)  # DF138 counts characters, which the bytes tell, too
    count = reader.unsigned(8)
    encoded = reader.unsigned(8 * count).to_bytes(count)
    try:
        text = encoded.decode()
    except UnicodeDecodeError as error:
        message = f"message 1029: {count} bytes of text are not UTF-8 at byte {error.start}"
        raise GpsgridError(Reason.MALFORMED, message, number=1029, start=error.start) from error
    return StationText(station_number, day, second, text)


def encode_text(text: StationText) -> bytes:
    """Encode message 1029.

    Raises:
        ValueError: A value does not fit its field, or the text is too long.
    """
    encoded = text.text.encode()
    if len(text.text) > _MOST_CHARACTERS or len(encoded) > _MOST_BYTES:
        message = (
            f"a text of {len(text.text)} characters and {len(encoded)} bytes: "
            f"at most {_MOST_CHARACTERS} and {_MOST_BYTES} fit"
        )
        raise ValueError(message)
    writer = _headed(1029, text.station_number)
    writer.unsigned(text.modified_julian_day, 16)
    writer.unsigned(text.second_of_day, 17)
    writer.unsigned(len(text.text), 7)
    writer.unsigned(len(encoded), 8)
    writer.unsigned(int.from_bytes(encoded), 8 * len(encoded))
    return writer.to_bytes()


def decode_biases(payload: bytes) -> GlonassBiases:
    """Decode message 1230.

    Raises:
        NeedMoreBits: The payload is too short.

    Source:
        RTCM 10403.3 table 3.5-112; DF003, DF421-DF426.
    """
    reader = BitReader(payload)
    reader.unsigned(12)
    station_number, aligned, reserved = reader.unsigned(12), reader.flag(), reader.unsigned(3)
    sent = [signal for signal in _BIASED if reader.flag()]
    raw = {signal: reader.signed(16) for signal in sent}
    bias_m = {signal: None if bias == _INVALID_BIAS else bias / _BIAS_UNITS_PER_M for signal, bias in raw.items()}
    return GlonassBiases(station_number, aligned, bias_m, reserved)


def encode_biases(biases: GlonassBiases) -> bytes:
    """Encode message 1230.

    Raises:
        ValueError: A value does not fit its field, or a signal is none of GLONASS 1C, 1P, 2C, 2P.
    """
    unknown = sorted(biases.bias_m.keys() - set(_BIASED))
    if unknown:
        message = f"signals {unknown}: message 1230 has biases of {_BIASED} only (GLONASS 1C, 1P, 2C, 2P)"
        raise ValueError(message)
    writer = _headed(1230, biases.station_number)
    writer.flag(biases.aligned)
    writer.unsigned(biases.reserved, 3)
    for signal in _BIASED:
        writer.flag(signal in biases.bias_m)
    for signal in _BIASED:
        if signal in biases.bias_m:
            bias_m = biases.bias_m[signal]
            writer.signed(_INVALID_BIAS if bias_m is None else round(bias_m * _BIAS_UNITS_PER_M), 16)
    return writer.to_bytes()


def _headed(number: int, station_number: int) -> BitWriter:
    writer = BitWriter()
    writer.unsigned(number, 12)
    writer.unsigned(station_number, 12)
    return writer
