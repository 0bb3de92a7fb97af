"""How a session's state gets from one epoch to the next: motion of the rover, and what the network tells of the delays.

Delays of the atmosphere are random walks, and what the network tells of them is an observation whose error lasts: told
again, it says little; told with a smaller sigma than before, it says as much more as that is worth. So a session may
know its own ionosphere better than the field, and still follows when the field learns.
"""

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.session_noise import repetition_factor
from models.session_observe import SessionEpoch
from models.session_state import POSITION, VELOCITY, ZWD, Motion, SessionPolicy, SessionState, ionosphere_index
from stations.arrays import FloatArray, IntArray

_TINY_M2 = 1e-8  # keeps a covariance of the field that is positive definite only on paper solvable
_TINY = 1e-9  # of the weight of what has been told before
_FORGETTING_M2_PER_S = 1e-6  # of the ionosphere of a satellite that is out of sight


def predict_motion(
    policy: SessionPolicy, state: SessionState, elapsed_s: float, reference_m: FloatArray
) -> SessionState:
    """Return the state after some time, position by the motion model.

    Args:
        policy: Constants.
        state: At the last epoch, or before the first.
        elapsed_s: Since then.
        reference_m: Where the rover is, good to ``position_sd_m``, ECEF, shape ``(3,)``.

    Source:
        White noise acceleration: Bar-Shalom, Li and Kirubarajan (2001), eq. 6.2.2-12.
    """
    first = state.time_ns < 0
    origin_m = reference_m if first else state.origin_m
    mean, covariance = state.mean.copy(), state.covariance.copy()
    if first or policy.motion is Motion.FREE:
        mean[POSITION] = reference_m - origin_m
        covariance[POSITION] = 0.0
        covariance[:, POSITION] = 0.0
        covariance[POSITION, POSITION] = policy.position_sd_m**2 * np.eye(3)
        if first and policy.motion is Motion.VELOCITY:
            covariance[VELOCITY, VELOCITY] = policy.position_sd_m**2 * np.eye(3)
    elif policy.motion is Motion.VELOCITY:
        move = np.eye(len(mean))
        move[POSITION, VELOCITY] = elapsed_s * np.eye(3)
        mean = move @ mean
        covariance = move @ covariance @ move.T
        q = policy.acceleration_m_s15**2
        cross = q * elapsed_s**2 / 2.0 * np.eye(3)
        covariance[POSITION, POSITION] += q * elapsed_s**3 / 3.0 * np.eye(3)
        covariance[VELOCITY, VELOCITY] += q * elapsed_s * np.eye(3)
        covariance[POSITION, VELOCITY] += cross
        covariance[VELOCITY, POSITION] += cross
    return replace(state, origin_m=origin_m, mean=mean, covariance=covariance)


def predict_delays(
    policy: SessionPolicy, state: SessionState, elapsed_s: float, epoch: SessionEpoch, arcs: IntArray
) -> SessionState:
    """Return the state after some time, with what the network tells of ionosphere and zenith delays.

    Args:
        policy: Constants.
        state: With all satellites of the epoch.
        elapsed_s: Since the last epoch.
        epoch: What the network tells.
        arcs: Of its satellites, shape ``(n,)``.
    """
    corrections = epoch.corrections
    prior_m2 = policy.ionosphere_factor * corrections.ionosphere_covariance_m2 + _TINY_M2 * np.eye(len(arcs))
    repeated = float(repetition_factor(np.array(elapsed_s), policy.ionosphere_tau_s))
    zwd_repeated = float(repetition_factor(np.array(elapsed_s), policy.zwd_tau_s))
    away = np.setdiff1d(np.arange(len(state.satellite)), arcs)
    covariance = state.covariance.copy()
    index = ionosphere_index(away)
    covariance[index, index] += _FORGETTING_M2_PER_S * elapsed_s
    mean, covariance = _told(
        (state.mean, covariance),
        ionosphere_index(arcs),
        (corrections.ionosphere_m, prior_m2, state.told_m2[arcs]),
        repeated,
        policy.walk_factor,
    )
    zwd = np.arange(ZWD.start, ZWD.stop)
    zwd_m2 = corrections.zwd_covariance_m2 + _TINY_M2 * np.eye(2)
    mean, covariance = _told(
        (mean, covariance),
        zwd,
        (corrections.zwd_m, zwd_m2, state.zwd_told_m2),
        zwd_repeated,
        policy.walk_factor,
    )
    told_m2 = state.told_m2.copy()
    told_m2[arcs] = _best(told_m2[arcs], np.diagonal(prior_m2), repeated)
    zwd_told_m2 = _best(state.zwd_told_m2, np.diagonal(zwd_m2), zwd_repeated)
    return replace(state, mean=mean, covariance=covariance, told_m2=told_m2, zwd_told_m2=zwd_told_m2)


def _best(before_m2: FloatArray, now_m2: FloatArray, repeated: float) -> FloatArray:
    """Return the variance to which everything told so far determines a state, any shape."""
    best: FloatArray = np.fmin(before_m2 + now_m2 / repeated, now_m2)
    return best


def _told(
    state: tuple[FloatArray, FloatArray],
    index: IntArray,
    told: tuple[FloatArray, FloatArray, FloatArray],
    repeated: float,
    walk: float,
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance after random walks of some states and what is told of them.

    Args:
        state: Mean and covariance.
        index: Of the states, shape ``(n,)``.
        told: Their values, the covariance of these, and the variances told before (NaN if not), shapes ``(n,)``,
            ``(n, n)``, ``(n,)``.
        repeated: Factor on the variance of what is told again.
        walk: How fast the states walk: one keeps the variance of a state of which nothing else is known where it is.

    Returns:
        States that are told for the first time follow from the others by the correlations of what is told.

    Source:
        Rasmussen and Williams (2006), eq. 2.19, with a Gaussian belief about the conditioning values; the update:
        Gelb (1974), table 4.2-1.
    """
    mean, covariance = state[0].copy(), state[1].copy()
    value, spread, before = told
    new, old = np.flatnonzero(np.isnan(before)), np.flatnonzero(~np.isnan(before))
    if len(old):
        here = index[old]
        part = spread[np.ix_(old, old)]
        covariance[np.ix_(here, here)] += walk * part / repeated
        weight = np.maximum(_TINY, 1.0 - np.diagonal(part) / (before[old] + np.diagonal(part) / repeated))
        noise = part / np.sqrt(np.outer(weight, weight))
        factor = cho_factor(covariance[np.ix_(here, here)] + noise, lower=True, check_finite=False)
        cross = covariance[:, here]
        mean = mean + cross @ cho_solve(factor, value[old] - mean[here], check_finite=False)
        covariance = covariance - cross @ cho_solve(factor, cross.T, check_finite=False)
        covariance = 0.5 * (covariance + covariance.T)
    if len(new):
        here, known = index[new], index[old]
        covariance[here] = 0.0
        covariance[:, here] = 0.0
        weights = np.linalg.solve(spread[np.ix_(old, old)], spread[np.ix_(old, new)]).T
        mean[here] = value[new] + weights @ (mean[known] - value[old])
        cross = weights @ covariance[known]
        covariance[here] = cross
        covariance[:, here] = cross.T
        rest = spread[np.ix_(new, new)] - weights @ spread[np.ix_(old, new)]
        covariance[np.ix_(here, here)] = cross[:, known] @ weights.T + rest
    return mean, covariance
