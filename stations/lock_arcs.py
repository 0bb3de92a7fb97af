"""From lock time indicators to arcs: whether a phase has slipped since it was last seen.

An indicator is a range of lock times, up to twice (MSM4, MSM5) or three times (before MSM) as long at its end as at
its beginning, and :class:`StationEpoch` keeps the beginning. Two of them in a row decide what one cannot: a phase that
did not slip has at least the lock time of before and the time since. If even the end of the range is not above that, it
slipped.
"""

from bisect import bisect_right
from dataclasses import replace
from enum import Enum

import numpy as np

from stations.arrays import BoolArray, IntArray
from stations.constants import NS_PER_MS
from stations.epoch import StationEpoch
from stations.signals import Constellation
from stations.wire.legacy_fields import LEGACY_LAYOUTS, LOCK_MS
from stations.wire.msm_fields import group_of, lock_ms_of

_DF402_BITS, _DF407_BITS = 4, 10
_EXTENDED_LEVELS = (6, 7)
_FOR_EVER_MS = 2**50


def _table(width: int, last: int) -> tuple[int, ...]:
    return tuple(sorted({lock_ms_of(indicator, width) for indicator in range(last + 1)}))


class LockTable(Enum):
    """The tables of lock time indicators: beginnings of their ranges, ms, rising; ``EXACT`` has ranges of 1 ms."""

    DF013 = tuple(LOCK_MS)
    DF402 = _table(_DF402_BITS, 15)
    DF407 = _table(_DF407_BITS, 704)
    EXACT = ()

    def end_ms(self, lock_ms: int) -> int:
        """Return the first lock time above the range that begins with ``lock_ms``."""
        if not self.value:
            return lock_ms + 1
        place = bisect_right(self.value, lock_ms)
        return self.value[place] if place < len(self.value) else _FOR_EVER_MS


def table_of(number: int) -> tuple[Constellation, LockTable] | None:
    """Return system and table of an observation message; ``None`` for other messages."""
    group = group_of(number)
    if group is not None:
        return group[0], LockTable.DF407 if group[1] in _EXTENDED_LEVELS else LockTable.DF402
    layout = LEGACY_LAYOUTS.get(number)
    return None if layout is None else (layout.constellation, LockTable.DF013)


class LockArcs:
    """The arcs of one station; an epoch that is not later than the one before changes nothing for its satellites.

    Attributes:
        slips: Slips so far; the first sight of a satellite is none.
    """

    def __init__(self, *, exact: bool = False) -> None:
        """Start without arcs.

        Args:
            exact: Lock times are the ages of arcs, as from RINEX, and not indicators of a wire.
        """
        self.slips = 0
        self._default = LockTable.EXACT if exact else LockTable.DF402
        self._tables: dict[int, LockTable] = {}
        self._last: dict[int, tuple[int, int, int]] = {}  # time ns, lock time ms sent, age of the arc ms

    def learn(self, number: int) -> None:
        """Take notice of the message that observations come in from now on."""
        found = table_of(number)
        if found is not None:
            self._tables[int(found[0])] = found[1]

    def settle(self, epoch: StationEpoch) -> StationEpoch:
        """Return the epoch with the ages of its arcs as lock times: at least the time since the phase was last seen,
        unless it slipped since, and less if it did.
        """  # noqa: D205 - one sentence
        return replace(epoch, lock_ms=self.ages_ms(epoch)[0])

    def ages_ms(self, epoch: StationEpoch) -> tuple[IntArray, BoolArray]:
        """Return ages of arcs, ms, and which rows have slipped since they were last seen, shapes ``(row,)``."""
        age_ms = epoch.lock_ms.copy()
        slipped = np.zeros(len(epoch), dtype=np.bool_)
        rows = zip(epoch.satellite.tolist(), epoch.signal.tolist(), epoch.lock_ms.tolist(), strict=True)
        tracked = np.isfinite(epoch.phase_cyc).tolist()
        for row, (satellite, signal, lock_ms) in enumerate(rows):
            if not tracked[row]:
                continue
            key = satellite * 1000 + signal
            before = self._last.get(key)
            age = lock_ms
            if before is not None and epoch.time_ns <= before[0]:
                continue
            if before is not None:
                since_ms = (epoch.time_ns - before[0]) // NS_PER_MS
                table = self._tables.get(satellite // 100, self._default)
                if table.end_ms(lock_ms) <= before[1] + since_ms:
                    slipped[row] = True
                    age = min(lock_ms, since_ms - 1)
                else:
                    age = max(lock_ms, before[2] + since_ms)
            age_ms[row] = age
            self._last[key] = (epoch.time_ns, lock_ms, age)
        self.slips += int(slipped.sum())
        return age_ms, slipped
