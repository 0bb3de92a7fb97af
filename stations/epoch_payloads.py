"""A station's byte stream cut into what one MQTT message holds: the frames of one epoch, nothing else.

Frames are only looked at, never decoded, so messages of every kind and system pass unchanged; bytes that are no
frame are left out and counted. The rule to keep: every frame with a right checksum comes out once and in order.
"""

from typing import NamedTuple

from stations.constants import NS_PER_MS, NS_PER_S, SECONDS_PER_DAY
from stations.gpstime import NS_PER_WEEK, leap_seconds, nearest_week, to_utc
from stations.signals import Constellation
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.msm_fields import group_of

_LARGEST_PAYLOAD = 1 << 16  # a second of everything a receiver tracks is a tenth of this
_BEIDOU_BEHIND_NS = 14 * NS_PER_S  # BeiDou time minus GPS time; RTCM 10403.3 DF427
_MOSCOW_NS = 3 * 3600 * NS_PER_S  # GLONASS time minus UTC; DF034
_DAY_NS = SECONDS_PER_DAY * NS_PER_S
_TIME_OF_DAY = (1 << 27) - 1  # of DF416 and DF034 together, without the day of the week
_LEGACY_GPS = range(1001, 1005)
_LEGACY_GLONASS = range(1009, 1013)
_SHORTEST = 7  # bytes up to the flag that more messages follow


class EpochPayload(NamedTuple):
    """Whole frames of one epoch, and what came between it and the epoch before.

    Attributes:
        data: The frames.
        frames: How many.
        time_ns: Of the observations, ns of GPS time; ``None`` without observations.
    """

    data: bytes
    frames: int
    time_ns: int | None


class _Mark(NamedTuple):
    """Time tag of an observation message, in its system's own milliseconds, and whether more of it follow."""

    system: Constellation
    millis: int
    more: bool


class EpochGatherer:
    """Gathers frames until the message that says it is the last of its epoch, or one of another epoch comes.

    Attributes:
        first_dated_ns: First epoch with a time of week, ns of GPS time; GLONASS alone has only a time of day.
    """

    def __init__(self) -> None:
        """Start with nothing gathered."""
        self.first_dated_ns: int | None = None
        self._buffer = FrameBuffer()
        self._frames: list[bytes] = []
        self._size = 0
        self._marks: dict[Constellation, int] = {}
        self._time_ns: int | None = None

    @property
    def frames(self) -> int:
        """Frames with a right checksum so far."""
        return self._buffer.frames

    @property
    def bad_crc(self) -> int:
        """Supposed frames with a wrong checksum so far."""
        return self._buffer.bad_crc

    @property
    def junk_bytes(self) -> int:
        """Bytes so far that belonged to no frame."""
        return self._buffer.junk_bytes

    @property
    def waiting(self) -> int:
        """Bytes of frames that wait for the end of their epoch."""
        return self._size

    def push(self, data: bytes, near_ns: int) -> list[EpochPayload]:
        """Take in the next bytes of the stream, cut anywhere, and return the epochs that they complete.

        Args:
            data: The bytes.
            near_ns: Any time within half a week of the observations, ns of GPS time.
        """
        complete: list[EpochPayload | None] = []
        for payload in self._buffer.push(data):
            mark = _mark_of(payload)
            if mark is not None:
                if self._marks.get(mark.system, mark.millis) != mark.millis:
                    complete.append(self.flush())
                self._take_time(mark, near_ns)
            frame = encode_frame(payload)
            if self._size + len(frame) > _LARGEST_PAYLOAD:
                complete.append(self.flush())
            self._frames.append(frame)
            self._size += len(frame)
            if mark is not None and not mark.more:
                complete.append(self.flush())
        return [one for one in complete if one is not None]

    def flush(self) -> EpochPayload | None:
        """Return what is gathered although its end has not come; ``None`` when there is nothing."""
        if not self._frames:
            return None
        done = EpochPayload(b"".join(self._frames), len(self._frames), self._time_ns)
        self._frames, self._size, self._time_ns = [], 0, None
        self._marks = {}
        return done

    def _take_time(self, mark: _Mark, near_ns: int) -> None:
        # A GLONASS tag needs the leap seconds of its day, so any other one is preferred.
        if self._time_ns is None or set(self._marks) == {Constellation.GLONASS}:
            self._time_ns = _time_ns(mark, near_ns)
            if self.first_dated_ns is None and mark.system is not Constellation.GLONASS:
                self.first_dated_ns = self._time_ns
        self._marks[mark.system] = mark.millis


def _mark_of(payload: bytes) -> _Mark | None:
    """Return the mark of an observation message; the legacy GPS messages have it where MSM have it."""
    if len(payload) < _SHORTEST:
        return None
    number = message_number(payload)
    word = int.from_bytes(payload[3:7])
    if number in _LEGACY_GLONASS:
        return _Mark(Constellation.GLONASS, word >> 5, bool(word >> 4 & 1))
    if number in _LEGACY_GPS:
        return _Mark(Constellation.GPS, word >> 2, bool(word >> 1 & 1))
    group = group_of(number)
    if group is None:
        return None
    millis = word >> 2
    system = group[0]
    return _Mark(system, millis & _TIME_OF_DAY if system is Constellation.GLONASS else millis, bool(word >> 1 & 1))


def _time_ns(mark: _Mark, near_ns: int) -> int:
    """Return the GPS time of a mark that is nearest to a time; what is no time of week or day is taken modulo."""
    nanos = mark.millis * NS_PER_MS
    if mark.system is not Constellation.GLONASS:
        behind_ns = _BEIDOU_BEHIND_NS if mark.system is Constellation.BEIDOU else 0
        return nearest_week((nanos + behind_ns) % NS_PER_WEEK, near_ns)
    leap_ns = leap_seconds(to_utc(near_ns)) * NS_PER_S
    return near_ns + (nanos - _MOSCOW_NS + leap_ns - near_ns + _DAY_NS // 2) % _DAY_NS - _DAY_NS // 2
