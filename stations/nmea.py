"""NMEA 0183 sentences of a rover: GGA (position) and RMC (position, speed, date), read and written.

Times of NMEA are UTC, here they become epochs of GPS time. GGA has no date: it is placed in the day that brings it
nearest to a known time.

Empty fields are NaN or ``None``; a sentence of a receiver without a position is no error: ``quality`` and ``valid``
say it.
"""

import datetime as dt
import math
import re
from dataclasses import dataclass

from stations import gpstime
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason

MAX_SENTENCE = 256  # the standard says 82; receivers with more digits exceed it
_HALF_DAY_NS = 43_200 * NS_PER_S
_KNOT_M_S = 1852.0 / 3600.0  # international knot
_PIVOT_YEAR = 80  # two digits: 1980 to 2079
_SENTENCE = re.compile(r"\$([A-Z0-9]{0,4})(GGA|RMC),([^*$]*)\*([0-9A-Fa-f]{2})", re.ASCII)
_OTHER = re.compile(r"[$!](?![A-Z0-9]{0,4}(?:GGA|RMC),)[A-Z0-9]{2,8},[^$!]*", re.ASCII)
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d{0,9}))?", re.ASCII)
_NUMBER = re.compile(r"-?(\d{1,12}(\.\d{0,12})?|\.\d{1,12})", re.ASCII)
_ANGLE = re.compile(r"(\d{2,3})([0-5]\d(?:\.\d{0,12})?)", re.ASCII)
_GGA_FIELDS, _RMC_FIELDS = 14, 9


@dataclass(frozen=True)
class Gga:
    """A GGA sentence.

    Attributes:
        time_ns: Epoch, ns of GPS time; ``None`` where the field is empty.
        latitude_rad, longitude_rad: NaN where empty.
        altitude_m: Above the geoid; NaN where empty.
        quality: 0 none, 1 single, 2 differential, 3 PPS, 4 fixed, 5 float, 6 estimated, 7 manual, 8 simulated.
        satellites: Used; 0 where empty.
        hdop: NaN where empty.
        geoid_separation_m: Geoid above the ellipsoid; NaN where empty.
        age_s: Of the corrections; NaN where empty.
        station: Reference station; empty where none.
        talker: Two letters, such as ``GP`` or ``GN``.
    """

    time_ns: int | None
    latitude_rad: float
    longitude_rad: float
    altitude_m: float
    quality: int = 1
    satellites: int = 0
    hdop: float = math.nan
    geoid_separation_m: float = 0.0
    age_s: float = math.nan
    station: str = ""
    talker: str = "GP"

    @property
    def height_m(self) -> float:
        """Ellipsoidal height; NaN where altitude or geoid separation is empty."""
        return self.altitude_m + self.geoid_separation_m


@dataclass(frozen=True)
class Rmc:
    """An RMC sentence.

    Attributes:
        time_ns: Epoch, ns of GPS time; ``None`` where time or date is empty.
        valid: Whether the receiver says that the position may be used.
        latitude_rad, longitude_rad: NaN where empty.
        speed_m_s: Over ground; NaN where empty.
        course_rad: Over ground, clockwise from true north; NaN where empty.
        mode: ``A``, ``D``, ``E``, ``F``, ``R``, ``N`` ...; empty before NMEA 2.3.
        talker: Two letters.
    """

    time_ns: int | None
    valid: bool
    latitude_rad: float
    longitude_rad: float
    speed_m_s: float = math.nan
    course_rad: float = math.nan
    mode: str = ""
    talker: str = "GP"


def parse_sentence(sentence: str | bytes, near_ns: int) -> Gga | Rmc | None:
    """Return a GGA or RMC sentence; ``None`` for sentences of other kinds.

    Args:
        sentence: One line, from ``$`` to the checksum; what surrounds it is ignored if it is blank.
        near_ns: Some time near it, for the day of GGA.

    Raises:
        GpsgridError: ``BAD_CRC`` or ``MALFORMED``, with what came.

    Source:
        NMEA 0183 4.11, GGA and RMC.
    """
    text = (sentence.decode("latin-1") if isinstance(sentence, bytes) else sentence).strip()
    if len(text) > MAX_SENTENCE:
        message = f"a sentence of {len(text)} characters; expected at most {MAX_SENTENCE}"
        raise GpsgridError(Reason.MALFORMED, message)
    found = _SENTENCE.fullmatch(text)
    if found is None:
        if _OTHER.fullmatch(text):
            return None
        message = f"{text[:90]!r} is no NMEA sentence: expected $..GGA or $..RMC, fields, * and a checksum"
        raise GpsgridError(Reason.MALFORMED, message)
    expected = checksum(text[1 : text.index("*")])
    if int(found[4], 16) != expected:
        message = f"{text!r}: checksum {found[4]} came, {expected:02X} was expected"
        raise GpsgridError(Reason.BAD_CRC, message)
    fields = found[3].split(",")
    try:
        return (_gga if found[2] == "GGA" else _rmc)(found[1], fields, near_ns)
    except ValueError as error:
        message = f"{text!r}: {error}"
        raise GpsgridError(Reason.MALFORMED, message) from None


def checksum(body: str) -> int:
    """Return the exclusive or of all characters between ``$`` and ``*``."""
    value = 0
    for character in body.encode("latin-1", "replace"):
        value ^= character
    return value


def write_gga(gga: Gga, digits: int = 7) -> str:
    """Return a GGA sentence ended by carriage return and line feed.

    Args:
        gga: What it says.
        digits: Decimals of the minutes; 7 are 0.2 mm.
    """
    fields = [
        "" if gga.time_ns is None else _time_text(gga.time_ns)[1],
        *_position_texts(gga.latitude_rad, gga.longitude_rad, digits),
        str(gga.quality),
        f"{gga.satellites:02d}",
        _text(gga.hdop, 1),
        _text(gga.altitude_m, 4),
        "M",
        _text(gga.geoid_separation_m, 4),
        "M",
        _text(gga.age_s, 1),
        gga.station,
    ]
    return _sentence(f"{gga.talker}GGA", fields)


def write_rmc(rmc: Rmc, digits: int = 7) -> str:
    """Return an RMC sentence ended by carriage return and line feed; ``digits`` are the decimals of the minutes."""
    date, time = ("", "") if rmc.time_ns is None else _time_text(rmc.time_ns)
    fields = [
        time,
        "A" if rmc.valid else "V",
        *_position_texts(rmc.latitude_rad, rmc.longitude_rad, digits),
        _text(rmc.speed_m_s / _KNOT_M_S, 3),
        _text(math.degrees(rmc.course_rad) % 360.0, 2),
        date,
        "",
        "",
        *([rmc.mode] if rmc.mode else []),
    ]
    return _sentence(f"{rmc.talker}RMC", fields)


def _gga(talker: str, fields: list[str], near_ns: int) -> Gga:
    if len(fields) < _GGA_FIELDS:
        message = f"{len(fields)} fields; GGA has {_GGA_FIELDS}"
        raise ValueError(message)
    time_ns = None
    if fields[0]:
        # UTC of the known time decides the day, then the nearest of three.
        utc = gpstime.to_utc(near_ns)
        days = (utc.date() + dt.timedelta(days=shift) for shift in (-1, 0, 1))
        time_ns = min((_epoch_ns(day, fields[0]) for day in days), key=lambda candidate: abs(candidate - near_ns))
    return Gga(
        time_ns,
        _angle(fields[1], fields[2], "NS", 90.0),
        _angle(fields[3], fields[4], "EW", 180.0),
        _number(fields[8]),
        int(_whole(fields[5])),
        int(_whole(fields[6])),
        _number(fields[7]),
        _number(fields[10]),
        _number(fields[12]),
        fields[13],
        talker,
    )


def _rmc(talker: str, fields: list[str], near_ns: int) -> Rmc:
    del near_ns  # RMC has its date
    if len(fields) < _RMC_FIELDS:
        message = f"{len(fields)} fields; RMC has at least {_RMC_FIELDS}"
        raise ValueError(message)
    if fields[1] not in {"A", "V", ""}:
        message = f"status {fields[1]!r}; expected A or V"
        raise ValueError(message)
    time_ns = _epoch_ns(_date(fields[8]), fields[0]) if fields[0] and fields[8] else None
    return Rmc(
        time_ns,
        fields[1] == "A",
        _angle(fields[2], fields[3], "NS", 90.0),
        _angle(fields[4], fields[5], "EW", 180.0),
        _number(fields[6]) * _KNOT_M_S,
        math.radians(_number(fields[7])),
        fields[11] if len(fields) > 11 else "",
        talker,
    )


def _date(text: str) -> dt.date:
    if not re.fullmatch(r"\d{6}", text, re.ASCII):
        message = f"date {text!r}; expected ddmmyy"
        raise ValueError(message)
    short = int(text[4:])
    return dt.date(short + (1900 if short >= _PIVOT_YEAR else 2000), int(text[2:4]), int(text[:2]))


def _epoch_ns(day: dt.date, text: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None:
        message = f"time {text!r}; expected hhmmss.ss"
        raise ValueError(message)
    minute = dt.datetime(day.year, day.month, day.day, int(found[1]), int(found[2]), tzinfo=dt.UTC)
    # A leap second is second 60 of its minute: the minute decides how many there were.
    return gpstime.from_utc(minute) + int(found[3]) * NS_PER_S + int(f"{found[4] or '':0<9}")


def _angle(text: str, side: str, letters: str, most_deg: float) -> float:
    if not text and not side:
        return math.nan
    found = _ANGLE.fullmatch(text)
    if found is None or side not in letters or len(side) != 1:
        message = f"{text!r}, {side!r} where degrees, minutes and {letters[0]} or {letters[1]} were expected"
        raise ValueError(message)
    degrees = int(found[1]) + float(found[2]) / 60.0
    if degrees > most_deg:
        message = f"{degrees:.4f} degrees; expected at most {most_deg:.0f}"
        raise ValueError(message)
    return math.radians(-degrees if side == letters[1] else degrees)


def _number(text: str) -> float:
    if not text:
        return math.nan
    if not _NUMBER.fullmatch(text):
        message = f"{text!r} where a number was expected"
        raise ValueError(message)
    return float(text)


def _whole(text: str) -> float:
    value = _number(text or "0")
    if not 0.0 <= value < 1000.0 or value % 1.0:  # noqa: PLR2004 - a count or a code
        message = f"{text!r} where a whole number was expected"
        raise ValueError(message)
    return value


def _text(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"


def _time_text(time_ns: int) -> tuple[str, str]:
    """Return date and time of day in UTC, to the millisecond."""
    utc = gpstime.to_utc(time_ns + NS_PER_S // 2000)
    return utc.strftime("%d%m%y"), f"{utc:%H%M%S}.{utc.microsecond // 1000:03d}"


def _position_texts(latitude_rad: float, longitude_rad: float, digits: int) -> list[str]:
    if math.isnan(latitude_rad) or math.isnan(longitude_rad):
        return ["", "", "", ""]
    found = []
    for angle_rad, width, letters in ((latitude_rad, 2, "NS"), (longitude_rad, 3, "EW")):
        degrees = math.degrees(abs(angle_rad))
        # Rounded in units of the last digit, so that minutes never read 60.
        unit = 10**digits
        count = round(degrees * 60.0 * unit)
        whole, rest = divmod(count, 60 * unit)
        minutes, fraction = divmod(rest, unit)
        found += [
            f"{whole:0{width}d}{minutes:02d}.{fraction:0{digits}d}",
            letters[1 if angle_rad < 0.0 and count else 0],
        ]
    return found


def _sentence(name: str, fields: list[str]) -> str:
    body = ",".join([name, *fields])
    return f"${body}*{checksum(body):02X}\r\n"
