"""A station's RTCM 3 bytes message by message: what number came, and what it made complete.

:class:`stations.feed.Feed` tells what a stream says, and not in which messages; whoever counts messages needs both.
"""

from collections.abc import Iterator
from typing import NamedTuple

from stations.feed import Feed
from stations.feed_events import EphemerisReceived, EpochReceived, FeedEvent
from stations.glonass_channels import GlonassChannels
from stations.navigation import KeplerEphemeris
from stations.wire.framing import FrameBuffer, encode_frame, message_number


class MessageRead(NamedTuple):
    """One message.

    Attributes:
        number: Message number; 0 for a payload that is too short to have one.
        payload: What the frame carried.
        events: What became complete with it.
    """

    number: int
    payload: bytes
    events: list[FeedEvent]


class RtcmReader:
    """Reads one stream; the time of its last epoch resolves the week of the next one.

    Attributes:
        feed: The decoder and its counters.
        near_ns: Time of the last epoch, before the first one what was given, ns of GPS time.
    """

    def __init__(self, name: str, near_ns: int, channels: GlonassChannels | None = None) -> None:
        """Start before the first byte.

        Args:
            name: Of the stream, for messages.
            near_ns: Any time within half a week of the first observations, ns of GPS time; for GLONASS messages from
                before MSM within half a day.
            channels: GLONASS channels from elsewhere.
        """
        self.feed = Feed(name, channels)
        self.near_ns = near_ns
        self._frames = FrameBuffer()
        self._observed = False

    @property
    def frames(self) -> int:
        """Frames with a right checksum so far."""
        return self._frames.frames

    @property
    def bad_crc(self) -> int:
        """Supposed frames with a wrong checksum so far."""
        return self._frames.bad_crc

    @property
    def junk_bytes(self) -> int:
        """Bytes so far that belonged to no frame."""
        return self._frames.junk_bytes

    def push(self, data: bytes, now_ns: int | None = None) -> Iterator[MessageRead]:
        """Yield the messages that the next bytes complete.

        Args:
            data: Any bytes, cut anywhere.
            now_ns: Time of reception of a live stream, ns of GPS time.
        """
        for payload in self._frames.push(data):
            number = message_number(payload) if len(payload) > 1 else 0
            events = self.feed.push(encode_frame(payload), self.near_ns if now_ns is None else now_ns)
            self._follow(events)
            yield MessageRead(number, payload, events)

    def finish(self) -> list[FeedEvent]:
        """Return the epoch that is still being gathered, as at the end of a stream."""
        return self.feed.finish()

    def _follow(self, events: list[FeedEvent]) -> None:
        for event in events:
            if isinstance(event, EpochReceived):
                self.near_ns, self._observed = event.epoch.time_ns, True
            elif (
                not self._observed
                and isinstance(event, EphemerisReceived)
                and isinstance(event.ephemeris, KeplerEphemeris)
            ):
                # Files of ephemerides alone have no other time, and the messages of GLONASS need one of their day.
                self.near_ns = event.ephemeris.toe_ns
