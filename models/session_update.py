"""Measurement updates of a session: what does not fit, what is carried, what is reported.

The same equations are used with two noises. What is carried says what it can stand for over minutes: larger sigmas, and
observations close together counted as the one that they nearly are. What is reported of an epoch has the noise of
this epoch.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from models.session_observe import Equations
from stations.arrays import FloatArray


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
