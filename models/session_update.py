"""Measurement updates of a session: what does not fit, what is carried, what is reported.

The same equations are used with two noises. What is carried says what it can stand for over minutes: larger sigmas, and
observations close together counted as the one that they nearly are. What is reported of an epoch has the noise of
this epoch.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

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
    policy: SessionPolicy, equations: Equations, elapsed_s: FloatArray, first: BoolArray, fresh: BoolArray
) -> Noise:
    """Return the variances of an epoch.

    Args:
        policy: Constants.
        equations: Of the epoch.
        elapsed_s: Since each satellite was last observed, shape ``(n,)``.
        first: Satellites that were not observed before, shape ``(n,)``.
        fresh: Ambiguities of which nothing has been learned, shape ``(slot, n)``.
    """
    double, rover = equations.double, policy.rover
    sd = np.where(double.is_code, rover.code_sd_m, rover.phase_sd_m)
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


def surprise(mean: FloatArray, covariance: FloatArray, equations: Equations, variance_m2: FloatArray) -> FloatArray:
    """Return how surprising each single difference is, given all the others, in sigmas, shape ``(m,)``.

    Source:
        Data snooping in innovations, Teunissen (1990), IEEE PLANS '90, eq. 14 with one-dimensional alternatives.
    """
    _, innovation, spread = _innovation(mean, covariance, equations, variance_m2)
    factor = cho_factor(spread, lower=True, check_finite=False)
    operator = equations.double.operator
    top = operator.T @ cho_solve(factor, innovation, check_finite=False)
    weight = np.einsum("ij,ij->j", operator, cho_solve(factor, operator, check_finite=False))
    usable = weight > 1e-9 * weight.max()  # rows that no other observation controls
    size = np.zeros(len(top))
    size[usable] = np.abs(top[usable]) / np.sqrt(weight[usable])
    return size


def _innovation(
    mean: FloatArray, covariance: FloatArray, equations: Equations, variance_m2: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    operator = equations.double.operator
    design = operator @ equations.design
    innovation = operator @ (equations.value_m - equations.design @ mean)
    noise = operator @ (np.diag(variance_m2) + equations.shared_m2) @ operator.T
    spread = design @ covariance @ design.T + noise
    if not (np.all(np.isfinite(innovation)) and np.all(np.isfinite(spread))):
        message = "observations or corrections are not finite"
        raise np.linalg.LinAlgError(message)
    return design, innovation, spread
