"""One station's byte stream as events: any bytes in, epochs and refusals out, never an exception.

Messages of one time are gathered until the multiple message bit says that the last one has come, or until
a message of another time arrives. The bit counts for all constellations, also those that are not decoded.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from stations.arrays import IntArray
from stations.epoch import StationEpoch, make_epoch
from stations.errors import GpsgridError, Reason
from stations.navigation import GpsEphemeris
from stations.wire.framing import FrameBuffer, message_number
from stations.wire.messages import Ignored, Message, decode_message
from stations.wire.msm import MsmBlock, more_follows
from stations.wire.msm_fields import group_of
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition


@dataclass(frozen=True)
class EpochReceived:
    """All observations of one time tag.

    Attributes:
        epoch: The rows of all messages together.
    """

    epoch: StationEpoch


@dataclass(frozen=True)
class EphemerisReceived:
    """A broadcast ephemeris.

    Attributes:
        ephemeris: Its ``transmitted_ns`` is the time of reception.
    """

    ephemeris: GpsEphemeris


@dataclass(frozen=True)
class PositionReceived:
    """The station says where its antenna reference point is.

    Attributes:
        position: Message 1005 or 1006.
    """

    position: ReferencePosition


@dataclass(frozen=True)
class AntennaReceived:
    """The station says what antenna and receiver it has.

    Attributes:
        antenna: Message 1007, 1008 or 1033.
    """

    antenna: AntennaDescriptor


@dataclass(frozen=True)
class Refused:
    """Something that could not be used; counted under its reason.

    Attributes:
        reason: Machine-readable cause.
        text: What came and what was expected.
    """

    reason: Reason
    text: str


FeedEvent = EpochReceived | EphemerisReceived | PositionReceived | AntennaReceived | Refused


class Feed:
    """Decoder of one station's RTCM 3 stream.

    Attributes:
        station_id: Name of the station.
        refused: Refusals so far by reason; wrong checksums and duplicate rows among them.
        ignored: Messages that are not used so far, by message number.
        skipped_cells: Observations of signals that are not in ``stations.signals``.
    """

    def __init__(self, station_id: str) -> None:
        """Start without data."""
        self.station_id = station_id
        self.refused: Counter[Reason] = Counter()
        self.ignored: Counter[int] = Counter()
        self.skipped_cells = 0
        self._frames = FrameBuffer()
        self._gathering: StationEpoch | None = None
        self._unsupported: set[int] = set()

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
            near_ns: Time of reception, ns of GPS time; resolves the week.

        Returns:
            What became complete, in the order of the stream; wrong checksums last, in one event. A kind of
            message that is not supported is refused once and counted always.
        """
        events: list[FeedEvent] = []
        bad_crc = self._frames.bad_crc
        for payload in self._frames.push(data):
            if not payload:
                continue  # a filler frame
            try:
                events += self._message(payload, near_ns)
            except GpsgridError as error:
                events += self._refusal(payload, error)
        count = self._frames.bad_crc - bad_crc
        if count:
            self.refused[Reason.BAD_CRC] += count
            events.append(Refused(Reason.BAD_CRC, f"{self.station_id}: {count} frames with a wrong checksum"))
        return events

    def finish(self) -> list[FeedEvent]:
        """Return the epoch that is still being gathered, as at the end of a stream."""
        return self._complete()

    def _message(self, payload: bytes, near_ns: int) -> list[FeedEvent]:
        message: Message = decode_message(payload, near_ns)
        match message:
            case MsmBlock():
                return self._block(message)
            case GpsEphemeris():
                return [EphemerisReceived(message)]
            case ReferencePosition():
                return [PositionReceived(message)]
            case AntennaDescriptor():
                return [AntennaReceived(message)]
            case Ignored():
                self.ignored[message.number] += 1
                return self._last_of_epoch(payload)

    def _refusal(self, payload: bytes, error: GpsgridError) -> list[FeedEvent]:
        self.refused[error.reason] += 1
        if error.reason is not Reason.UNSUPPORTED_SIGNAL:
            return [Refused(error.reason, f"{self.station_id}: {error}")]
        number = message_number(payload)
        events: list[FeedEvent] = []
        if number not in self._unsupported:
            self._unsupported.add(number)
            events.append(Refused(error.reason, f"{self.station_id}: {error}"))
        return events + self._last_of_epoch(payload)

    def _last_of_epoch(self, payload: bytes) -> list[FeedEvent]:
        # An MSM that is not decoded may still be the one that ends the epoch.
        if group_of(message_number(payload)) is None or len(payload) < 7 or more_follows(payload):
            return []
        return self._complete()

    def _block(self, block: MsmBlock) -> list[FeedEvent]:
        events: list[FeedEvent] = []
        if self._gathering is not None and self._gathering.time_ns != block.epoch_ns:
            events += self._complete()
        self.skipped_cells += block.skipped
        epoch = block.epoch()
        if self._gathering is not None:
            repeated = np.isin(_keys(epoch), _keys(self._gathering))
            if repeated.any():
                self.refused[Reason.DUPLICATE_EPOCH] += 1
                text = f"{self.station_id}: message {block.number} repeats {repeated.sum()} observations of its epoch"
                events.append(Refused(Reason.DUPLICATE_EPOCH, text))
            epoch = _merged(self._gathering, epoch.rows(~repeated))
        self._gathering = epoch
        if not block.more:
            events += self._complete()
        return events

    def _complete(self) -> list[FeedEvent]:
        if self._gathering is None:
            return []
        epoch, self._gathering = self._gathering, None
        return [EpochReceived(epoch)]


def _keys(epoch: StationEpoch) -> IntArray:
    return epoch.satellite * 1000 + epoch.signal


def _merged(one: StationEpoch, other: StationEpoch) -> StationEpoch:
    return make_epoch(
        one.time_ns,
        np.concatenate([one.satellite, other.satellite]),
        np.concatenate([one.signal, other.signal]),
        np.concatenate([one.pseudorange_m, other.pseudorange_m]),
        np.concatenate([one.phase_cyc, other.phase_cyc]),
        np.concatenate([one.cn0_dbhz, other.cn0_dbhz]),
        np.concatenate([one.lock_ms, other.lock_ms]),
        np.concatenate([one.half_cycle, other.half_cycle]),
    )
