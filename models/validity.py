"""Signal validity tests: which station-satellite arcs slipped, which are only suspicious.

The tests use what only a network has: known coordinates, hence phases whose change between two epochs
is one receiver clock, one satellite clock and a smooth atmosphere. What they find is kept per arc as
flags: a slip restarts ambiguities, a suspicion makes the arc *dirty* for the error field, which is
the side information that lets the field survive more than half bad data (DESIGN.md section 3).
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from models.medians import median_by_group
from models.two_way import two_way_residual
from stations.arrays import BoolArray, FloatArray, IntArray


class Flag(IntFlag):
    """Findings about an arc at an epoch; zero is clean."""

    CLEAN = 0
    LOCK_LOST = 1  # the receiver says so: lock time fell (DF402/DF407, LLI)
    HALF_CYCLE = 2  # the receiver has not resolved the half cycle (DF420)
    GEOMETRY_FREE = 4  # L1 minus L2 jumped
    TIME_DIFFERENCE = 8  # the phase moved against all other receivers and satellites
    INNOVATION = 16  # the network filter did not expect this observation
    YOUNG = 32  # tracked for fewer than three epochs
    LOW = 64  # below the elevation above which the field is trained without doubt
    FLOAT = 128  # ambiguities not fixed to integers
    UNSTEADY = 256  # wanders against known geometry, as multipath does (models.steadiness)
    WIDE_LANE = 512  # phases jumped against the codes (models.wide_lane)
    TRIPLE = 1024  # one of the two carriers jumped against a third (models.triple_frequency)
    HALF_CYCLE_RESOLVED = 2048  # the receiver has just resolved the half cycle, and may have moved the phase by one
    CODE = 4096  # a code is off by metres at a known place (models.code_residual)
    WEAK = 8192  # much weaker than usual at this elevation (models.signal_strength)


HIDDEN_SLIP = Flag.GEOMETRY_FREE | Flag.TIME_DIFFERENCE | Flag.WIDE_LANE | Flag.TRIPLE | Flag.HALF_CYCLE_RESOLVED
"""Slips that the receiver did not report as a loss of lock."""

SLIP = Flag.LOCK_LOST | HIDDEN_SLIP
"""Findings after which the ambiguities of an arc are unknown."""


@dataclass(frozen=True)
class PhaseChange:
    """What the arcs did between their last and the present epoch, one row an arc.

    Attributes:
        station, satellite: Shape ``(n,)``.
        elapsed_ms: Time since the arc was last seen, shape ``(n,)``.
        lock_before_ms, lock_now_ms: Lock times then and now, shape ``(n,)``.
        half_cycle: Shape ``(n,)``.
        change_m: Change of the reduced phases, shape ``(2, n)``.
        elevation_rad: Shape ``(n,)``.
    """

    station: IntArray
    satellite: IntArray
    elapsed_ms: IntArray
    lock_before_ms: IntArray
    lock_now_ms: IntArray
    half_cycle: BoolArray
    change_m: FloatArray
    elevation_rad: FloatArray

    def rows(self, chosen: IntArray | BoolArray) -> "PhaseChange":
        """Return some of the arcs."""
        return PhaseChange(*(getattr(self, name)[..., chosen] for name in _NAMES))


_NAMES = tuple(PhaseChange.__dataclass_fields__)


def lock_lost(elapsed_ms: IntArray, lock_before_ms: IntArray, lock_now_ms: IntArray) -> BoolArray:
    """Return whether the receiver reports a loss of lock since the last epoch.

    The lock time on the wire is a lower bound with a resolution of a 32nd, or a power of two in MSM4 and
    MSM5; a lower bound that did not fall, or that covers half of the elapsed time, is continuous tracking.
    """
    return (lock_now_ms < lock_before_ms) | (2 * lock_now_ms < elapsed_ms)


def test_changes(change: PhaseChange, floor_m: float, slope_m: float) -> IntArray:
    """Return the flags of each arc, shape ``(n,)``.

    Args:
        change: Present against last epoch.
        floor_m: A jump larger than ``floor_m + slope_m / sin(elevation)`` is not atmosphere.
        slope_m: See ``floor_m``.

    Source:
        Geometry-free test: Blewitt (1990), GRL 17. Time difference against known geometry: section 3a of
        the literature note; robust two-way medians instead of one reference satellite.
    """
    flags = np.zeros(len(change.station), dtype=np.int64)
    limit = floor_m + slope_m / np.sin(change.elevation_rad)
    flags[lock_lost(change.elapsed_ms, change.lock_before_ms, change.lock_now_ms)] |= Flag.LOCK_LOST
    flags[change.half_cycle] |= Flag.HALF_CYCLE
    trusted = (flags & Flag.LOCK_LOST) == 0

    # L1 - L2: the receiver clock is common to both phases, so only hardware drift (below a millimetre) remains.
    difference = change.change_m[0] - change.change_m[1]
    common = _station_median(difference, change.station, trusted)
    flags[trusted & (np.abs(difference - common) > limit)] |= Flag.GEOMETRY_FREE

    for band in range(2):
        residual = two_way_residual(change.change_m[band], change.station, change.satellite, trusted)
        flags[trusted & (np.abs(residual) > limit)] |= Flag.TIME_DIFFERENCE
    return flags


def _station_median(value: FloatArray, station: IntArray, use: BoolArray) -> FloatArray:
    """Return the median of each row's station, 0 where nothing of it is to be used, shape ``(n,)``."""
    names, group = np.unique(station, return_inverse=True)
    median = median_by_group(value[use], group[use], len(names))
    return np.nan_to_num(median)[group]
