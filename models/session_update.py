"""Measurement updates of a session: what does not fit, what is carried, what is reported.

The same equations are used with two noises. What is carried says what it can stand for over minutes: larger sigmas, and
observations close together counted as the one that they nearly are. What is reported of an epoch has the noise of
this epoch.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from models.session_observe import Equations
from models.session_state import SessionPolicy
from stations.arrays import BoolArray, FloatArray

_UNUSED_M2 = 1e4  # variance of a code that is not used


@dataclass(frozen=True)
class Noise:
    """Variances of single differences.

    Attributes:
        reported_m2: Of this epoch, shape ``(m,)``.
        carried_m2: As counted in what is carried, shape ``(m,)``.
        tested_m2: For the test of innovations: carried, without the correlation in time, shape ``(m,)``.
    """

    reported_m2: FloatArray
    carried_m2: FloatArray
    tested_m2: FloatArray

    def without(self, row: int) -> "Noise":
        """Return the noise with one observation as good as missing."""
        gone = np.zeros(len(self.reported_m2))
        gone[row] = _UNUSED_M2
        return Noise(self.reported_m2 + gone, self.carried_m2 + gone, self.tested_m2 + gone)


def repetition_factor(elapsed_s: FloatArray, correlation_s: float) -> FloatArray:
    """Return by how much variances grow when errors last, any shape.

    A first-order autoregressive error with correlation ``r`` between samples leaves, after ``n`` of them, the
    information of ``1 + (n - 1) (1 - r) / (1 + r)`` independent ones about a constant: the first counts in full, every
    further one with its variance times ``(1 + r) / (1 - r)``.

    Source:
        Kay (1993), Fundamentals of Statistical Signal Processing, example 6.2 (coloured noise by its inverse
        covariance), summed for the AR(1) process.
    """
    r = np.exp(-np.maximum(elapsed_s, 1e-3) / correlation_s)
    factor: FloatArray = (1.0 + r) / (1.0 - r)
    return factor


def noise_of(
    policy: SessionPolicy,
    equations: Equations,
    elapsed_s: FloatArray,
    first: BoolArray,
    fresh: BoolArray,
    scale: FloatArray,
) -> Noise:
    """Return the variances of an epoch.

    Args:
        policy: Constants.
        equations: Of the epoch.
        elapsed_s: Since each satellite was last observed, shape ``(n,)``.
        first: Satellites that were not observed before, shape ``(n,)``.
        fresh: Ambiguities of which nothing has been learned, shape ``(slot, n)``.
        scale: Factor on the standard deviations of codes and of phases of this rover, shape ``(2,)``.
    """
    double, rover = equations.double, policy.rover
    sd = np.where(double.is_code, rover.code_sd_m * scale[0], rover.phase_sd_m * scale[1])
    reported = sd**2 * equations.factor + np.where(double.mixed, rover.mixed_code_sd_m**2, 0.0)
    tested = reported * np.where(double.is_code, policy.code_factor, policy.phase_factor) ** 2
    new = np.where(double.is_code, first[double.row], fresh[double.slot, double.row])
    repeated = repetition_factor(elapsed_s, policy.correlation_s)[double.row]
    return Noise(reported, tested * np.where(new, 1.0, repeated), tested)


def update(
    mean: FloatArray, covariance: FloatArray, equations: Equations, variance_m2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance after the double differences of an epoch.

    Args:
        mean: Predicted, shape ``(state,)``.
        covariance: Shape ``(state, state)``.
        equations: Of the epoch.
        variance_m2: Of the single differences, shape ``(m,)``.

    Raises:
        numpy.linalg.LinAlgError: The covariance of the innovations is not positive definite.

    Source:
        Kalman (1960) in the form of Gelb (1974), table 4.2-1; symmetrised.
    """
    design, innovation, spread = _innovation(mean, covariance, equations, variance_m2)
    cross = covariance @ design.T
    gain = cho_solve(cho_factor(spread, lower=True, check_finite=False), cross.T, check_finite=False).T
    after = covariance - gain @ cross.T
    return mean + gain @ innovation, 0.5 * (after + after.T)


@dataclass(frozen=True)
class Misfit:
    """How single differences fit all the others.

    Attributes:
        size: In sigmas, shape ``(m,)``.
        square, share: Their squared residuals over their variances, and what was to be expected of it, shape ``(m,)``:
            the sum of the one over the sum of the other is by how much the variances of a group exceed what was used.
    """

    size: FloatArray
    square: FloatArray
    share: FloatArray


def misfit(mean: FloatArray, covariance: FloatArray, equations: Equations, variance_m2: FloatArray) -> Misfit:
    """Return how surprising each single difference is, given all the others.

    Args:
        mean: Predicted, shape ``(state,)``.
        covariance: Shape ``(state, state)``.
        equations: Of the epoch.
        variance_m2: Of the single differences, shape ``(m,)``.

    Raises:
        numpy.linalg.LinAlgError: As :func:`update`.

    Source:
        Data snooping, Teunissen (1990), IEEE PLANS '90, eq. 14 with one-dimensional alternatives; variances: Foerstner
        (1979), eq. 9, in terms of innovations.
    """
    _, innovation, spread = _innovation(mean, covariance, equations, variance_m2)
    operator = equations.double.operator
    factor = cholesky(spread, lower=True, check_finite=False)
    white = solve_triangular(factor, np.column_stack([operator, innovation]), lower=True, check_finite=False)
    top = white[:, :-1].T @ white[:, -1]
    weight = np.einsum("ij,ij->j", white[:, :-1], white[:, :-1])
    usable = weight > 1e-9 * weight.max()  # rows that no other observation controls
    size = np.zeros(len(top))
    size[usable] = np.abs(top[usable]) / np.sqrt(weight[usable])
    return Misfit(size, variance_m2 * top**2, variance_m2 * weight)


def _innovation(
    mean: FloatArray, covariance: FloatArray, equations: Equations, variance_m2: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    operator = equations.double.operator
    design = operator @ equations.design
    innovation = operator @ (equations.value_m - equations.design @ mean)
    noise = (operator * variance_m2) @ operator.T
    if equations.shared_m2 is not None:
        noise += operator @ equations.shared_m2 @ operator.T
    spread = design @ covariance @ design.T + noise
    if not (np.all(np.isfinite(innovation)) and np.all(np.isfinite(spread))):
        message = "observations or corrections are not finite"
        raise np.linalg.LinAlgError(message)
    return design, innovation, spread


def noise_scale(policy: SessionPolicy, noise: FloatArray) -> FloatArray:
    """Return the factors on the standard deviations of codes and of phases, shape ``(2,)``."""
    variance = (noise[0] + policy.start_weight * policy.start_scale**2) / (noise[1] + policy.start_weight)
    scale: FloatArray = np.clip(np.sqrt(variance), *policy.scales)
    return scale


def learned_noise(
    policy: SessionPolicy, noise: FloatArray, fit: Misfit, equations: Equations, used: Noise, elapsed_s: float
) -> FloatArray:
    """Return what is known of a rover's noise after an epoch, as :attr:`SessionState.noise`.

    Args:
        policy: Constants.
        noise: Before.
        fit: Of the epoch with ``used.reported_m2``.
        equations: Of the epoch.
        used: Variances; observations left out do not count.
        elapsed_s: Since the last epoch.

    Source:
        Foerstner (1979), eq. 9: squared residuals of a group over its share of the redundancy.
    """
    fading = float(np.exp(-elapsed_s / policy.noise_memory_s))
    usual = (used.reported_m2 < _UNUSED_M2) & ~equations.double.mixed & (fit.size < policy.outlier_limit)
    scale = noise_scale(policy, noise)
    out = fading * noise
    for group, is_code in enumerate((True, False)):
        rows = usual & (equations.double.is_code == is_code)
        out[0, group] += scale[group] ** 2 * float(np.sum(fit.square[rows]))
        out[1, group] += float(np.sum(fit.share[rows]))
    return out
