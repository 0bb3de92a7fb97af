"""Undoes the 1500 cycles that senders of 1001 to 1012 add when phase and code drift apart; one station's memory.

Rule: within an arc the phase less the code never jumps by half of that; after a loss of lock nothing is known.
"""

from collections.abc import Iterator

import numpy as np

from stations.arrays import FloatArray
from stations.wire.legacy_block import LegacyBlock
from stations.wire.legacy_fields import ROLL_OVER_CYC


class PhaseRollOver:
    """The last difference of phase and code of each satellite and signal, with what has been added to it."""

    def __init__(self) -> None:
        """Start without any arc."""
        self._last: dict[tuple[int, int], tuple[float, int]] = {}

    def cycles(self, block: LegacyBlock) -> FloatArray:
        """Return what has to be added to the phases of the next message, cycles, shape ``(row,)``."""
        return np.array(list(self._each(block)), dtype=np.float64)

    def _each(self, block: LegacyBlock) -> Iterator[float]:
        columns = (block.satellite, block.signal, block.phase_minus_code_cyc, block.lock_ms)
        for satellite, signal, difference_cyc, lock_ms in zip(*(one.tolist() for one in columns), strict=True):
            key = (satellite, signal)
            last = self._last.pop(key, None)
            if np.isnan(difference_cyc):
                yield 0.0
                continue
            added_cyc = 0.0
            if last is not None and lock_ms > 0 and lock_ms >= last[1]:
                added_cyc = float(ROLL_OVER_CYC * round((last[0] - difference_cyc) / ROLL_OVER_CYC))
            self._last[key] = (difference_cyc + added_cyc, lock_ms)
            yield added_cyc
