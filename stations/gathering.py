"""The observations of one epoch of a stream, while its messages come in.

Messages that come in the order of the systems, each complete, are left where they were unpacked, one behind another,
and copied out once. Everything else (ranges without whole milliseconds, other kinds of messages, satellites that come
twice or out of order) goes the slow way, part by part; with ``room`` 0 everything does, and the result is the same.
"""

from itertools import pairwise

import numpy as np

from stations.arrays import BoolArray, IntArray
from stations.epoch import StationEpoch, make_epoch
from stations.known_ranges import KnownRanges
from stations.wire.msm_block import MsmBlock
from stations.wire.msm_rows import SATELLITE, MsmRows

ROOM = 320  # two to three hundred rows are a large epoch; what is beyond goes the slow way, and every feed has this


class Gathering:
    """Rows of one epoch.

    Attributes:
        rows: Columns to unpack the next message into.
        ranges: Learns the ranges that came complete.
        time_ns: Time tag of the epoch, ns of GPS time; ``None`` before its first message.
    """

    def __init__(self, room: int = ROOM) -> None:
        """Start without an epoch."""
        self.rows = MsmRows(room)
        self.ranges = KnownRanges()
        self.time_ns: int | None = None
        self._parts: list[StationEpoch] = []

    def take(self, block: MsmBlock) -> bool:
        """Take the rows of a message as they are, if that is possible.

        Args:
            block: Message of the time ``time_ns``, or the first one. Its rows are not to be read afterwards.

        Returns:
            Whether they were taken; if not, nothing has changed.
        """
        rows = self.rows
        if block.rows is not rows or self._parts or not block.full_ranges:
            return False
        taken = rows.taken
        if taken != block.first:
            # The message of another time that ended the epoch before; its rows stand behind those of that epoch.
            rows.move_inplace(block.first, block.end)
        else:
            satellite = rows.integers[SATELLITE]
            if taken and block.end > taken and satellite[taken] <= satellite[taken - 1]:
                return False
            rows.taken = block.end
        self.time_ns = block.epoch_ns
        return True

    def add(self, epoch: StationEpoch, *, full: bool) -> int:
        """Take rows the slow way.

        Args:
            epoch: Of the time ``time_ns``, or the first one; shares no memory with ``rows``.
            full: Its ranges came complete, and may be learned from.

        Returns:
            How many rows were left out because they have come before.
        """
        self.spill()
        self.time_ns = epoch.time_ns
        if full:
            self.ranges.learn(epoch)
        repeated = self._repeated(epoch)
        if repeated is not None:
            epoch = epoch.rows(~repeated)
        if len(epoch) or not self._parts:
            self._parts.append(epoch)
        return 0 if repeated is None else int(repeated.sum())

    def spill(self) -> None:
        """Make a part of the rows that were taken, so that their ranges are known and others can be compared."""
        if self.rows.taken and self.time_ns is not None:
            part = self.rows.copied(self.time_ns, self.rows.taken)
            self.ranges.learn(part)
            self._parts.append(part)
        self.rows.taken = 0

    def complete(self) -> StationEpoch | None:
        """Return the epoch, ``None`` if there has been no message, and start anew."""
        if self.time_ns is None:
            return None
        self.spill()
        parts, self._parts = self._parts, []
        time_ns, self.time_ns = self.time_ns, None
        if not parts:
            return self.rows.copied(time_ns, 0)
        return parts[0] if len(parts) == 1 else _merged(parts)

    def _repeated(self, epoch: StationEpoch) -> BoolArray | None:
        # Which rows have come before at this time; almost never any, then None.
        repeated = None
        for part in self._parts:
            if not len(part) or not len(epoch):
                continue
            # Both are sorted: other satellites have nothing in common.
            if part.satellite[0] <= epoch.satellite[-1] and epoch.satellite[0] <= part.satellite[-1]:
                again = np.isin(_keys(epoch), _keys(part))
                repeated = again if repeated is None else repeated | again
        return repeated if repeated is not None and repeated.any() else None


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
