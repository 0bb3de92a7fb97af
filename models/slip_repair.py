"""Slips of whole cycles that are known as soon as they are seen: the ambiguity moves by them and stays known.

A network knows how a phase should have moved: its stations do not move, the receiver clock is common to a station, the
satellite clock to a satellite. What is left between two epochs is some millimetres of atmosphere and noise, and a slip
is many times that. When both carriers have jumped by whole cycles, nothing is lost; forgetting such an arc would cost
two minutes until multipath has changed enough for its integers to be fixed again.
"""

import numpy as np

from models.two_way import two_way_residual
from models.validity import SLIP, PhaseChange
from stations.arrays import BoolArray, FloatArray, IntArray

_LONGEST_MS = 65_000  # two epochs of 30 s; after longer gaps the ionosphere is anywhere
_NEAR_CYC = 0.2  # so far from a whole cycle at most: a wrong number of cycles would need an error of 0.8
_QUIET_CYC = 0.1  # nine of ten arcs that did not slip have moved by less, or the ionosphere moves too fast for this
_QUIET_PERCENT = 90.0
_FEWEST = 3  # arcs of the receiver, and of the satellite with this one, that did not slip


def whole_cycles(change: PhaseChange, wavelength_m: FloatArray, flags: IntArray) -> tuple[BoolArray, FloatArray]:
    """Return which slips are whole cycles on both carriers, and how many.

    Args:
        change: Of the arcs since they were last seen.
        wavelength_m: Of both carriers, shape ``(2, n)``.
        flags: What the validity tests have found, shape ``(n,)``.

    Returns:
        Shape ``(n,)``, and cycles to be added to the ambiguities, shape ``(2, n)``, zero for all others. No cycles at
        all is an answer too: a receiver that lost lock may have found the same cycle again, and what wanders against
        the codes or a third carrier may be these. Whoever has not resolved its half cycle cannot be repaired.

    Source:
        Time differences against known geometry as in Blewitt (1990), GRL 17(3), with the between-receiver and
        between-satellite common parts removed by `models.two_way`.
    """
    slipped = (flags & SLIP) != 0
    none = np.zeros(len(flags), dtype=np.bool_), np.zeros((2, len(flags)))
    sound = ~slipped & ~change.half_cycle
    if not slipped.any() or not sound.any():
        return none
    moved_cyc = np.array(
        [
            two_way_residual(change.change_m[band], change.station, change.satellite, sound) / wavelength_m[band]
            for band in (0, 1)
        ]
    )
    if float(np.percentile(np.abs(moved_cyc[:, sound]), _QUIET_PERCENT)) > _QUIET_CYC:
        return none
    cycles = np.rint(moved_cyc)
    whole = (
        slipped
        & ~change.half_cycle
        & (change.elapsed_ms <= _LONGEST_MS)
        & (np.abs(moved_cyc - cycles) < _NEAR_CYC).all(axis=0)
        & (_sound_of(change.station, sound) >= _FEWEST)
        & (_sound_of(change.satellite, sound) >= _FEWEST - 1)
    )
    return whole, np.where(whole, cycles, 0.0)


def _sound_of(group: IntArray, sound: BoolArray) -> IntArray:
    """Return how many arcs of each one's group did not slip, shape ``(n,)``."""
    _, which = np.unique(group, return_inverse=True)
    count: IntArray = np.bincount(which, weights=sound)[which].astype(np.int64)
    return count
