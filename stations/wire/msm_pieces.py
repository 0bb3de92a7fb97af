"""Where an epoch has to be cut so that every piece fits into one Multiple Signal Message.

Rows are sorted by satellite, so a piece is a slice and nothing is copied.
"""

import itertools

import numpy as np
from numba import njit

from stations.arrays import BoolArray, IntArray
from stations.epoch import StationEpoch
from stations.signals import SIGNALS
from stations.wire.msm_fields import MAX_CELLS

_CARRIED: BoolArray = np.isin(
    np.arange(1000), [signal.number for signal in SIGNALS.values() if signal.msm_number is not None]
)


@njit(cache=True, nogil=True)
def piece_starts(satellite: IntArray, signal: IntArray) -> IntArray:
    """Return where an epoch has to be cut so that every piece fits into one MSM.

    Args:
        satellite: Satellite integers, sorted, shape ``(row,)``.
        signal: Signal integers, shape ``(row,)``.

    Returns:
        First row of every piece and the number of rows behind them, shape ``(piece + 1,)``.
    """
    starts = np.empty(satellite.size + 1, dtype=np.int64)
    pieces = 0
    first = 0
    while first < satellite.size:
        system = satellite[first] // 100
        last = first
        seen = np.zeros(100, dtype=np.int64)
        while last < satellite.size and satellite[last] // 100 == system:
            seen[signal[last] % 100] = 1
            last += 1
        # All signals of the system count, so that pieces do not depend on who carries which signal.
        satellites_each = MAX_CELLS // max(seen.sum(), 1)
        count = 0
        for row in range(first, last):
            if row == first or satellite[row] != satellite[row - 1]:
                if count % satellites_each == 0:
                    starts[pieces] = row
                    pieces += 1
                count += 1
        first = last
    starts[pieces] = satellite.size
    return starts[: pieces + 1]


def split_slices(epoch: StationEpoch) -> list[slice]:
    """Return slices of rows that cut an epoch into pieces that fit into one MSM each.

    A piece holds whole satellites of one constellation and at most 64 satellite-signal pairs. An epoch without
    rows has no pieces.
    """
    starts = piece_starts(epoch.satellite, epoch.signal).tolist()
    return [slice(first, last) for first, last in itertools.pairwise(starts)]


def split_rows(epoch: StationEpoch) -> list[BoolArray]:
    """Return the pieces of :func:`split_slices` as masks, shape ``(row,)``."""
    row = np.arange(len(epoch))
    return [(row >= piece.start) & (row < piece.stop) for piece in split_slices(epoch)]


def carried(epoch: StationEpoch) -> BoolArray:
    """Return which rows an MSM can carry at all, shape ``(row,)``: RINEX knows signals that MSM has no number for."""
    return _CARRIED[epoch.signal]
