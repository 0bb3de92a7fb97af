"""One station's byte stream as events: any bytes in, epochs and refusals out, never an exception.

Messages of one time are gathered until the multiple message bit (in messages before MSM the synchronous bit) says
that the last one has come, or until a message of another time arrives.

The time of reception only has to be right within half a week. What tells no more than the time of day (GLONASS before
MSM) is placed beside the last message that told the time of week.
"""

from collections import Counter
from itertools import pairwise

import numpy as np

from stations.arrays import BoolArray, IntArray
from stations.epoch import StationEpoch, make_epoch
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
from stations.glonass_channels import GlonassChannels
from stations.gpstime import NS_PER_DAY
from stations.known_ranges import KnownRanges
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris
from stations.signals import Constellation
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.legacy_block import LegacyBlock
from stations.wire.legacy_rollover import PhaseRollOver
from stations.wire.messages import Description, Ignored, Message, decode_message
from stations.wire.msm import MsmBlock
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
        self._ranges = KnownRanges()
        self._roll_over = PhaseRollOver()
        self._gathering: list[StationEpoch] = []
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
        stream_ns = near_ns + (self._ahead_ns or 0)
        by_day = message_number(payload) in TIMED_BY_DAY
        message: Message = decode_message(payload, stream_ns if by_day else near_ns, self.channels)
        if isinstance(message, MsmBlock | LegacyBlock):
            if message.constellation is not Constellation.GLONASS:
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
        events: list[FeedEvent] = []
        if self._gathering and self._gathering[0].time_ns != block.epoch_ns:
            events += self._complete()
        self.skipped_cells += block.skipped
        epoch = self._observations(block)
        repeated = self._repeated(epoch)
        if repeated is not None:
            self.refused[Reason.DUPLICATE_EPOCH] += 1
            text = f"{self.station_id}: message {block.number} repeats {repeated.sum()} observations of its epoch"
            events.append(Refused(Reason.DUPLICATE_EPOCH, text))
            epoch = epoch.rows(~repeated)
        if len(epoch) or not self._gathering:
            self._gathering.append(epoch)
        if not block.more:
            events += self._complete()
        return events

    def _repeated(self, epoch: StationEpoch) -> BoolArray | None:
        # Which rows have come before at this time; almost never any, then None.
        repeated = None
        for part in self._gathering:
            if not len(part) or not len(epoch):
                continue
            # Both are sorted: other satellites have nothing in common.
            if part.satellite[0] <= epoch.satellite[-1] and epoch.satellite[0] <= part.satellite[-1]:
                again = np.isin(_keys(epoch), _keys(part))
                repeated = again if repeated is None else repeated | again
        return repeated if repeated is not None and repeated.any() else None

    def _observations(self, block: MsmBlock | LegacyBlock) -> StationEpoch:
        if block.constellation is Constellation.GLONASS:
            self.channels.learn_rows(block.satellite, block.channel)
            self.unknown_channels += int(np.sum(np.isnan(block.frequency_hz) & ~np.isnan(block.phase_range_m)))
        near_m = None if block.full_ranges else self._ranges.near_m(block.satellite, block.epoch_ns)
        if near_m is not None:
            self.unknown_ranges += int(np.sum(np.isnan(near_m)))
        if isinstance(block, LegacyBlock):
            return self._ranges.learned(block.epoch(near_m, self._roll_over.cycles(block)), full=block.full_ranges)
        return self._ranges.learned(block.epoch(near_m), full=block.full_ranges)

    def _complete(self) -> list[FeedEvent]:
        if not self._gathering:
            return []
        parts, self._gathering = self._gathering, []
        return [EpochReceived(parts[0] if len(parts) == 1 else _merged(parts))]


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


def _keys(epoch: StationEpoch) -> IntArray:
    return epoch.satellite * 1000 + epoch.signal


def _merged(parts: list[StationEpoch]) -> StationEpoch:
    parts = sorted((part for part in parts if len(part)), key=lambda part: int(part.satellite[0]))
    merged = StationEpoch(
        parts[0].time_ns,
        np.concatenate([part.satellite for part in parts]),
        np.concatenate([part.signal for part in parts]),
        np.concatenate([part.pseudorange_m for part in parts]),
        np.concatenate([part.phase_cyc for part in parts]),
        np.concatenate([part.cn0_dbhz for part in parts]),
        np.concatenate([part.lock_ms for part in parts]),
        np.concatenate([part.half_cycle for part in parts]),
        np.concatenate([part.doppler_hz for part in parts]),
        np.concatenate([part.frequency_hz for part in parts]),
    )
    if all(one.satellite[-1] < other.satellite[0] for one, other in pairwise(parts)):
        return merged
    return make_epoch(*vars(merged).values())
