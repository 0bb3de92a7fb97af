"""One station's byte stream as events: any bytes in, epochs and refusals out, never an exception.

Messages of one time are gathered until the multiple message bit (in messages before MSM the synchronous bit) says
that the last one has come, or until a message of another time arrives.

The time of reception only has to be right within half a week. What tells no more than the time of day (GLONASS before
MSM) is placed beside the last message that told the time of week.
"""

from collections import Counter

import numpy as np

from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.feed_events import (
    AntennaReceived,
    BiasesReceived,
    EphemerisReceived,
    EpochReceived,
    FeedEvent,
    NetworkReceived,
    ParametersReceived,
    PositionReceived,
    Refused,
    TextReceived,
)
from stations.gathering import Gathering
from stations.glonass_channels import GlonassChannels
from stations.gpstime import NS_PER_DAY
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris
from stations.signals import Constellation
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.legacy_block import LegacyBlock
from stations.wire.legacy_rollover import PhaseRollOver
from stations.wire.messages import Description, Ignored, Message, decode_message
from stations.wire.msm import MsmBlock, decode_msm
from stations.wire.msm_fields import MSM_NUMBERS
from stations.wire.service_messages import GlonassBiases, StationText, SystemParameters
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition
from stations.wire.system_time import TIMED_BY_DAY

__all__ = [
    "AntennaReceived",
    "BiasesReceived",
    "EphemerisReceived",
    "EpochReceived",
    "Feed",
    "FeedEvent",
    "NetworkReceived",
    "ParametersReceived",
    "PositionReceived",
    "Refused",
    "TextReceived",
]

_OBSERVATIONS = (MsmBlock, LegacyBlock)  # a union would be made anew for every message
_GLONASS = Constellation.GLONASS  # looking it up takes as long as taking the rows of a message


class Feed:
    """Decoder of one station's RTCM 3 stream.

    Attributes:
        station_id: Name of the station.
        channels: GLONASS channels that the stream has told, or that were known before; feeds may share them.
        refused: Refusals so far by reason; wrong checksums and duplicate rows among them.
        ignored: Messages that are not used so far, by message number.
        skipped_cells: Observations of signals that are not in ``stations.signals``.
        unknown_channels: GLONASS phases left out because nobody had told the channel of the satellite.
        wrong_days: GLONASS messages whose day of week contradicted the other systems; their time of day was used.
        unknown_ranges: Observations of messages without whole milliseconds that nothing before them resolved.
    """

    def __init__(self, station_id: str, channels: GlonassChannels | None = None) -> None:
        """Start without data, but perhaps with GLONASS channels from elsewhere."""
        self.station_id = station_id
        self.channels = GlonassChannels() if channels is None else channels
        self.refused: Counter[Reason] = Counter()
        self.ignored: Counter[int] = Counter()
        self.skipped_cells = 0
        self.unknown_channels = 0
        self.wrong_days = 0
        self.unknown_ranges = 0
        self._frames = FrameBuffer()
        self._roll_over = PhaseRollOver()
        self._gathering = Gathering()
        self._ahead_ns: int | None = None  # of the last time of week, before the time of reception

    @property
    def junk_bytes(self) -> int:
        """Bytes so far that belonged to no frame."""
        return self._frames.junk_bytes

    @property
    def frames(self) -> int:
        """Frames with a right checksum so far."""
        return self._frames.frames

    def push(self, data: bytes, near_ns: int) -> list[FeedEvent]:
        """Take in the next bytes of the stream.

        Args:
            data: Any bytes, cut anywhere.
            near_ns: Time of reception, ns of GPS time; resolves the week. A stream that starts with GLONASS messages
                from before MSM wants it right within half a day.

        Returns:
            What became complete, in the order of the stream; wrong checksums last, in one event.
        """
        events: list[FeedEvent] = []
        bad_crc = self._frames.bad_crc
        for payload in self._frames.push(data):
            if not payload:
                continue  # a filler frame
            try:
                events += self._message(payload, near_ns)
            except GpsgridError as error:
                self.refused[error.reason] += 1
                events.append(Refused(error.reason, f"{self.station_id}: {error}"))
        count = self._frames.bad_crc - bad_crc
        if count:
            self.refused[Reason.BAD_CRC] += count
            events.append(Refused(Reason.BAD_CRC, f"{self.station_id}: {count} frames with a wrong checksum"))
        return events

    def finish(self) -> list[FeedEvent]:
        """Return the epoch that is still being gathered, as at the end of a stream."""
        return self._complete()

    def _message(self, payload: bytes, near_ns: int) -> list[FeedEvent]:
        number, stream_ns = message_number(payload), near_ns + (self._ahead_ns or 0)
        message: Message
        if number in MSM_NUMBERS:
            message = decode_msm(payload, near_ns, self.channels, self._gathering.rows)
        else:
            message = decode_message(payload, stream_ns if number in TIMED_BY_DAY else near_ns)
        if isinstance(message, _OBSERVATIONS):
            if message.constellation is not _GLONASS:
                self._ahead_ns = message.epoch_ns - near_ns
            elif self._ahead_ns is not None:
                message = self._on_day_of(message, stream_ns)
            return self._block(message)
        if isinstance(message, Ignored):
            self.ignored[message.number] += 1
            return []
        if isinstance(message, GlonassEphemeris):
            self.channels.learn(message.satellite, message.channel)
        return [_passed_on(message)]

    def _on_day_of(self, block: MsmBlock | LegacyBlock, stream_ns: int) -> MsmBlock | LegacyBlock:
        # Some receivers leave the day of week DF416 at zero; the time of day is right.
        days = round((stream_ns - block.epoch_ns) / NS_PER_DAY)
        if not days:
            return block
        self.wrong_days += 1
        return block.at(block.epoch_ns + days * NS_PER_DAY)

    def _block(self, block: MsmBlock | LegacyBlock) -> list[FeedEvent]:
        gathering = self._gathering
        events = self._complete() if gathering.time_ns not in {None, block.epoch_ns} else []
        self.skipped_cells += block.skipped
        if block.constellation is _GLONASS:
            self.channels.learn_rows(block.satellite, block.channel)
            self.unknown_channels += block.without_frequency
        if not (isinstance(block, MsmBlock) and gathering.take(block)):
            repeated = gathering.add(self._observations(block), full=block.full_ranges)
            if repeated:
                self.refused[Reason.DUPLICATE_EPOCH] += 1
                text = f"{self.station_id}: message {block.number} repeats {repeated} observations of its epoch"
                events.append(Refused(Reason.DUPLICATE_EPOCH, text))
        if not block.more:
            events += self._complete()
        return events

    def _observations(self, block: MsmBlock | LegacyBlock) -> StationEpoch:
        near_m = None
        if not block.full_ranges:
            self._gathering.spill()
            near_m = self._gathering.ranges.near_m(block.satellite, block.epoch_ns)
            self.unknown_ranges += int(np.sum(np.isnan(near_m)))
        if isinstance(block, LegacyBlock):
            return block.epoch(near_m, self._roll_over.cycles(block))
        epoch = block.epoch(near_m)
        # The next message is unpacked into the same rows.
        return epoch.rows(np.arange(len(epoch)))

    def _complete(self) -> list[FeedEvent]:
        epoch = self._gathering.complete()
        return [] if epoch is None else [EpochReceived(epoch)]


def _passed_on(message: Description) -> FeedEvent:
    event: FeedEvent
    match message:
        case ReferencePosition():
            event = PositionReceived(message)
        case AntennaDescriptor():
            event = AntennaReceived(message)
        case SystemParameters():
            event = ParametersReceived(message)
        case StationText():
            event = TextReceived(message)
        case GlonassBiases():
            event = BiasesReceived(message)
        case _ if isinstance(message, Ephemeris):
            event = EphemerisReceived(message)
        case _:
            event = NetworkReceived(message)
    return event
