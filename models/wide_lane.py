"""The Melbourne-Wuebbena combination of an arc against its own running mean: slips that geometry and ionosphere hide.

Wide lane of the phases less narrow lane of the codes: neither range nor clocks nor ionosphere are in it, only
the wide-lane ambiguity, biases and code noise. It needs no other station, and is as good as the codes are.
"""

from dataclasses import dataclass

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray

_LONGEST = 600  # observations in the mean; biases of codes drift within hours
_PRIOR_CYC = 0.5  # standard deviation before anything has been seen
_PRIOR_COUNT = 10


@dataclass(frozen=True)
class WideLane:
    """What is remembered of arcs, shape ``(n,)`` each.

    Attributes:
        mean_cyc: Running mean of the combination.
        variance_cyc2: Running variance about it.
        count: Observations in the mean; 0 after a slip.
        doubts: Observations in a row that were too far from it.
    """

    mean_cyc: FloatArray
    variance_cyc2: FloatArray
    count: IntArray
    doubts: IntArray


def wide_lane_cyc(code_m: FloatArray, phase_m: FloatArray, wavelength_m: FloatArray) -> FloatArray:
    """Return the Melbourne-Wuebbena combination in cycles of the wide lane, shape ``(n,)``.

    Args:
        code_m: Of two carriers, raw or less the same computed range as the phases, shape ``(2, n)``.
        phase_m: Shape ``(2, n)``.
        wavelength_m: Shape ``(2, n)``.

    Source:
        Wuebbena (1985), Proc. 1st Int. Symp. on Precise Positioning with GPS, 403-412; Blewitt (1990), eq. 3 and 4.
    """
    first, second = wavelength_m
    narrow = (second - first) / (second + first)
    combined: FloatArray = (phase_m / wavelength_m * [[1.0], [-1.0]]).sum(axis=0) - narrow * (
        code_m / wavelength_m
    ).sum(axis=0)
    return combined


def follow(
    before: WideLane, value_cyc: FloatArray, use: BoolArray, sigmas: float, least_cyc: FloatArray
) -> tuple[WideLane, BoolArray]:
    """Take in one observation of every arc; return the memory, and which arcs have slipped.

    Args:
        before: Of the same arcs.
        value_cyc: From :func:`wide_lane_cyc`, shape ``(n,)``.
        use: Arcs whose codes can be believed, shape ``(n,)``; the others keep what is known of them.
        sigmas: A jump of more standard deviations, and of more than ``least_cyc``, twice in a row, is a slip.
        least_cyc: Shape ``(n,)``.

    Source:
        Running mean and variance, and two surprises in a row: Blewitt (1990), section 3.
    """
    away = value_cyc - before.mean_cyc
    known = before.count >= _PRIOR_COUNT
    limit = np.maximum(sigmas * np.sqrt(before.variance_cyc2), least_cyc)
    far = use & known & (np.abs(away) > limit)
    slipped = far & (before.doubts > 0)
    learn = use & ~far
    count = before.count + learn
    weight = np.minimum(np.maximum(count, 1), _LONGEST)
    mean = before.mean_cyc + np.where(learn, away / weight, 0.0)
    # The prior counts as some observations, so that the first few cannot pretend to know the noise.
    spread = np.where(learn, 1.0 / (weight + _PRIOR_COUNT), 0.0)
    square = np.where(before.count > 0, away**2, _PRIOR_CYC**2)
    variance = before.variance_cyc2 + spread * (square - before.variance_cyc2)
    doubts = np.where(use, np.where(far, before.doubts + 1, 0), before.doubts)
    return restarted(WideLane(mean, variance, count, doubts), slipped), slipped


def restarted(memory: WideLane, where: BoolArray) -> WideLane:
    """Return the memory with some arcs (mask of shape ``(n,)``) forgotten; the noise of their codes stays known."""
    return WideLane(
        np.where(where, 0.0, memory.mean_cyc),
        memory.variance_cyc2,
        np.where(where, 0, memory.count),
        np.where(where, 0, memory.doubts),
    )


def fresh(count: int) -> WideLane:
    """Return the memory of arcs that have never been seen."""
    none = np.zeros(count, dtype=np.int64)
    return WideLane(np.zeros(count), np.full(count, _PRIOR_CYC**2), none, none)
