"""Which week a recorded RTCM 3 stream is of, told by the messages that name one.

Observations count milliseconds of an unnamed week. Ephemerides name theirs, and 1013 and 1029 the day; those whose
count does not run over within living memory (Galileo, BeiDou, the day) go before GPS, QZSS and NavIC, which say a week
modulo 1024: of these the latest week that is not in the future is taken. GLONASS tells the day within four years only,
and is not asked.
"""

from dataclasses import dataclass

from stations.constants import NS_PER_S, SECONDS_PER_DAY
from stations.errors import GpsgridError
from stations.gpstime import NS_PER_DAY, NS_PER_WEEK, from_utc_nanos
from stations.navigation import KeplerEphemeris
from stations.wire.framing import message_number
from stations.wire.messages import decode_message
from stations.wire.service_messages import StationText, SystemParameters

_UNAMBIGUOUS = frozenset({1042, 1045, 1046})
_MODULO_1024 = frozenset({1019, 1041, 1044})
_BY_DAY = frozenset({1013, 1029})
_HALF_CYCLE_WEEKS = 511
_MJD_OF_GPS_START = 44_244  # 1980-01-06


@dataclass(frozen=True)
class StreamDate:
    """A time near the observations of a stream.

    Attributes:
        near_ns: Within some hours of them, ns of GPS time.
        source: Number of the message that told it.
    """

    near_ns: int
    source: int

    @property
    def certain(self) -> bool:
        """Whether the message names the week or the day without an ambiguity of 1024 weeks."""
        return self.source not in _MODULO_1024


def date_of(payload: bytes, now_ns: int) -> StreamDate | None:
    """Return the date that one message tells, or ``None``.

    Args:
        payload: Payload of one frame.
        now_ns: Now, ns of GPS time: nothing was recorded later.
    """
    number = message_number(payload) if len(payload) > 1 else 0
    try:
        if number in _UNAMBIGUOUS:
            return _of_ephemeris(payload, number, now_ns)
        if number in _MODULO_1024:
            return _of_ephemeris(payload, number, now_ns - _HALF_CYCLE_WEEKS * NS_PER_WEEK)
        if number in _BY_DAY:
            return _of_day(payload, number, now_ns)
    except GpsgridError:
        return None  # a broken message tells nothing; whoever decodes the stream counts it
    return None


def better_date(known: StreamDate | None, other: StreamDate | None) -> StreamDate | None:
    """Return which of two dates is to be believed: certain before ambiguous, early before late."""
    if known is None or (other is not None and other.certain and not known.certain):
        return other
    return known


def _of_ephemeris(payload: bytes, number: int, near_ns: int) -> StreamDate | None:
    ephemeris = decode_message(payload, near_ns)
    return StreamDate(ephemeris.toe_ns, number) if isinstance(ephemeris, KeplerEphemeris) else None


def _of_day(payload: bytes, number: int, now_ns: int) -> StreamDate | None:
    message = decode_message(payload, now_ns)
    if not isinstance(message, SystemParameters | StationText):
        return None
    days = message.modified_julian_day - _MJD_OF_GPS_START
    # Receivers that do not know the day send zero; sixteen bits reach to 2038.
    if days <= 0 or message.second_of_day > SECONDS_PER_DAY:
        return None
    time_ns = from_utc_nanos(days * NS_PER_DAY + message.second_of_day * NS_PER_S)
    return StreamDate(time_ns, number) if time_ns <= now_ns + NS_PER_DAY else None
