"""The columns that the rows of Multiple Signal Messages are unpacked into, of one message or of a whole epoch.

Making arrays costs as much as filling them. A stream therefore unpacks all messages of an epoch one behind another
into the same columns, and copies them out when the epoch is complete: see ``stations.gathering``.
"""

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.epoch import StationEpoch
from stations.wire.msm_fields import MAX_CELLS

# Rows of the tables; the first ones are columns of an epoch.
SATELLITE, SIGNAL, LOCK_MS, ROUGH_RANGE, ROUGH_RATE, EXTENDED_INFORMATION = range(6)
PSEUDORANGE_M, PHASE_CYC, CN0_DBHZ, DOPPLER_HZ, FREQUENCY_HZ, PHASE_RANGE_M, RANGE_RATE_M_S, CHANNEL = range(8)
_INTEGER, _FLAG = np.dtype(np.int64), np.dtype(np.bool_)  # a type has to be turned into these each time
_EPOCH_INTEGERS = LOCK_MS + 1
_EPOCH_FLOATS = FREQUENCY_HZ + 1


class MsmRows:
    """Columns with room for some rows, of which the first ones are taken.

    Attributes:
        integers: Satellite, signal, lock time ms, rough range in 2^-10 ms or -1, rough rate in m/s, extended
            satellite information, shape ``(6, room)``.
        floats: Pseudorange m, phase cycles, C/N0 dB-Hz, Doppler Hz, frequency Hz, phase range m, range rate m/s,
            GLONASS channel, NaN where there is none, shape ``(8, room)``.
        half_cycle: Shape ``(room,)``.
        taken: Rows that are not to be overwritten.
    """

    __slots__ = ("floats", "half_cycle", "integers", "taken")

    def __init__(self, room: int = MAX_CELLS) -> None:
        """Make columns without content."""
        self.integers: IntArray = np.empty((6, room), _INTEGER)
        self.floats: FloatArray = np.empty((8, room))
        self.half_cycle: BoolArray = np.empty(room, _FLAG)
        self.taken = 0

    @property
    def has_room(self) -> bool:
        """Whether any message fits behind the rows that are taken."""
        return self.half_cycle.size - self.taken >= MAX_CELLS

    def view(self, time_ns: int, first: int, end: int) -> StationEpoch:
        """Return some of the rows as an epoch that shares their memory."""
        # Taking a row of a table is twice as fast as taking a part of a row.
        return _epoch(
            time_ns,
            self.integers[:_EPOCH_INTEGERS, first:end],
            self.floats[:_EPOCH_FLOATS, first:end],
            self.half_cycle[first:end],
        )

    def copied(self, time_ns: int, end: int) -> StationEpoch:
        """Return the first rows as an epoch with memory of its own, no more than it needs."""
        integers = self.integers[:_EPOCH_INTEGERS, :end].copy()
        floats = self.floats[:_EPOCH_FLOATS, :end].copy()
        return _epoch(time_ns, integers, floats, self.half_cycle[:end].copy())

    def move_inplace(self, first: int, end: int) -> None:
        """Move some rows to the front and take no others."""
        count = end - first
        self.integers[:, :count] = self.integers[:, first:end]
        self.floats[:, :count] = self.floats[:, first:end]
        self.half_cycle[:count] = self.half_cycle[first:end]
        self.taken = count


def _epoch(time_ns: int, integers: IntArray, floats: FloatArray, half_cycle: BoolArray) -> StationEpoch:
    return StationEpoch(
        time_ns,
        integers[SATELLITE],
        integers[SIGNAL],
        floats[PSEUDORANGE_M],
        floats[PHASE_CYC],
        floats[CN0_DBHZ],
        integers[LOCK_MS],
        half_cycle,
        floats[DOPPLER_HZ],
        floats[FREQUENCY_HZ],
    )
