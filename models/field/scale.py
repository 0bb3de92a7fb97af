"""The live variance scale of each satellite: how much rougher than usual its residual field is right now.

The kernel's residual variance is an average over satellites and over the learning window. A satellite seen through a
disturbance needs more, at once; leave-one-out residuals tell how much. Memory is exponential, a prior holds the scale
at 1 while little has been seen, and limits bound what a run of bad epochs can do.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from stations.arrays import FloatArray, IntArray

_CORRELATION_S: Final = 120.0  # the residual field renews itself in 2 to 5 minutes: faster samples are no new evidence
_LARGEST_SQUARE: Final = 9.0  # of a studentised residual; three sigma, so that one outlier moves the scale little


@dataclass(frozen=True)
class ScalePolicy:
    """Memory and limits of the scale.

    Attributes:
        half_life_s: After which an observation counts half, seconds.
        prior_weight: Number of observations that the prior scale of 1 is worth.
        lowest: Smallest scale of the variance.
        highest: Largest scale of the variance.
    """

    half_life_s: float = 300.0
    prior_weight: float = 3.0
    lowest: float = 0.2
    highest: float = 25.0


@dataclass(frozen=True, eq=False)
class ScaleState:
    """What is remembered, per satellite.

    Attributes:
        weight: Observations remembered, (satellites,), effective number.
        square: Sum of their squared residuals in units of the unscaled model, (satellites,).
        scale: Present variance scale q_s, (satellites,), dimensionless; what the kernel takes.
    """

    weight: FloatArray
    square: FloatArray
    scale: FloatArray


def init(satellites: int) -> ScaleState:
    """Start with nothing seen: every scale is 1.

    Args:
        satellites: How many satellites there are indices for.
    """
    return ScaleState(np.zeros(satellites), np.zeros(satellites), np.ones(satellites))


def step(
    state: ScaleState, satellite: IntArray, z: FloatArray, dt_s: float, policy: ScalePolicy | None = None
) -> ScaleState:
    """Update the scales with the residuals of one epoch.

    Args:
        state: Before the epoch; the residuals must come from a field with its scales.
        satellite: Of each residual, (n,), index.
        z: Leave-one-out residuals of good rows in their standard deviations, (n,), dimensionless.
        dt_s: Time since the last step, seconds, at least 0.
        policy: Memory and limits; by default `ScalePolicy()`.

    Returns:
        The new state; a satellite not seen drifts back to 1.

    Raises:
        ValueError: Time runs backwards.

    Source:
        Ours: posterior mean of a variance ratio under an inverse-gamma prior, forgetting exponentially. Multiplying by
        the scale in force makes the estimate consistent when the residual field dominates, and leaves it at 1 when
        noise does.
    """
    policy = ScalePolicy() if policy is None else policy
    if not dt_s >= 0.0:
        msg = f"dt_s is {dt_s!r}; expected the seconds since the last step, at least 0"
        raise ValueError(msg)
    decay = 0.5 ** (dt_s / policy.half_life_s)
    evidence = min(dt_s / _CORRELATION_S, 1.0)
    satellites = len(state.scale)
    good = np.isfinite(z)
    satellite, z = satellite[good], z[good]
    square = np.minimum(z * z, _LARGEST_SQUARE) * state.scale[satellite]
    new_weight = decay * state.weight + evidence * np.bincount(satellite, minlength=satellites)
    new_square = decay * state.square + evidence * np.bincount(satellite, weights=square, minlength=satellites)
    scale = (policy.prior_weight + new_square) / (policy.prior_weight + new_weight)
    return ScaleState(new_weight, new_square, np.clip(scale, policy.lowest, policy.highest))
