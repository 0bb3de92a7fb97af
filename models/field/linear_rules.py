"""Interpolation rules of network RTK without a kernel: nearest station, inverse distance, plane.

Each is a fixed linear combination of the stations' values. Its mean is the textbook's; its variance comes from the
kernel with the rule's own weights, which is better than what a textbook rule knows about itself. Missing rows are
missing: a rule uses the stations that see the satellite.

Baselines; the engine does not use them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.field.kernels import FieldPoints, Hyperparameters, covariance, stack
from models.field.solve import FieldObservations, Problem, prepare
from stations.arrays import FloatArray
from stations.frames import enu_rotation_at

INVERSE_DISTANCE_POWER: Final = 1.0  # the distance-based interpolation of Gao, Li and McLellan (1997)
GRADIENT_SD: Final = 2e-5  # 20 mm per km, a storm: free, but two stations in a line do not make a plane
_OFFSET_SD_M: Final = 10.0
_SMALLEST_DISTANCE_M: Final = 1.0

Weigher = Callable[[Problem, FieldPoints], FloatArray]
"""Returns the weight of every row of the epoch for every point asked for, shape (points, rows)."""


@dataclass(frozen=True, eq=False)
class LinearEstimate:
    """A linear rule applied to one epoch.

    Attributes:
        problem: The epoch, n rows.
        weigher: The rule.
    """

    problem: Problem
    weigher: Weigher

    def difference(self, rover: FieldPoints, master: FieldPoints) -> tuple[FloatArray, FloatArray]:
        """Predict rover less master; see `models.field.baselines.FieldEstimate.difference`.

        Source:
            Mean squared error of any linear predictor: Cressie (1993), Statistics for Spatial Data, equation 3.2.4.
        """
        problem, count = self.problem, len(rover)
        weights = self.weigher(problem, rover) - self.weigher(problem, master)
        rows, ends = problem.observations.points, stack(rover, master)
        cross = covariance(problem.hyper, ends, rows, problem.scales)
        prior = covariance(problem.hyper, ends, ends, problem.scales)
        cross_m2 = weights @ (cross[:count] - cross[count:]).T
        between = prior[:count, count:]
        prior_m2 = prior[:count, :count] + prior[count:, count:] - between - between.T
        own_m2 = covariance(problem.hyper, rows, rows, problem.scales)
        own_m2.flat[:: len(rows) + 1] += problem.noise_m2
        return weights @ problem.centred_m, prior_m2 - cross_m2 - cross_m2.T + weights @ own_m2 @ weights.T


def fit_nearest(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> LinearEstimate:
    """Take the value of the nearest station that sees the satellite: no correction, where that is the master."""
    return LinearEstimate(_prepared(hyper, observations, scales), _nearest)


def fit_inverse_distance(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> LinearEstimate:
    """Average the stations that see the satellite, weighted by one over their distance.

    Source:
        Gao, Li, McLellan (1997), ION GPS-97, pp. 1045-1052.
    """
    return LinearEstimate(_prepared(hyper, observations, scales), _inverse_distance)


def fit_plane(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> LinearEstimate:
    """Lay a plane through the values of each satellite: least squares over all stations that see it.

    Source:
        The linear combination model of Han and Rizos (1996), ION GPS-96, and its plane form in Dai et al. (2003),
        J. GPS 2:1-9; undifferenced, with free offsets of satellites and stations in the place of double differences.
    """
    return LinearEstimate(_prepared(hyper, observations, scales), _plane)


def _prepared(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> Problem:
    """Centre without flags, which these rules do not know; the medians help them where a station misses a satellite."""
    unflagged = FieldObservations(
        observations.points,
        observations.station,
        observations.value_m,
        observations.noise_var_m2,
        np.ones(len(observations), dtype=np.bool_),
    )
    return prepare(hyper, unflagged, scales)


def _distances_m(problem: Problem, points: FieldPoints) -> FloatArray:
    """Return the distance of every row's station from every point, infinite for rows of another satellite."""
    rows = problem.observations.points
    distance_m = np.linalg.norm(points.position_m[:, None, :] - rows.position_m[None, :, :], axis=2)
    return np.where(points.satellite[:, None] == rows.satellite[None, :], distance_m, np.inf)


def _nearest(problem: Problem, points: FieldPoints) -> FloatArray:
    weights = np.zeros((len(points), len(problem.centred_m)))
    if not weights.size:
        return weights
    distance_m = _distances_m(problem, points)
    row = np.argmin(distance_m, axis=1)
    point = np.arange(len(points))
    weights[point, row] = np.isfinite(distance_m[point, row])
    return weights


def _inverse_distance(problem: Problem, points: FieldPoints) -> FloatArray:
    distance_m = np.maximum(_distances_m(problem, points), _SMALLEST_DISTANCE_M)
    weights = distance_m**-INVERSE_DISTANCE_POWER
    # A point within a few metres of a station is that station; its antenna is above the marker.
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, weights / np.where(total > 0.0, total, 1.0), 0.0)


def _plane(problem: Problem, points: FieldPoints) -> FloatArray:
    rows = problem.observations.points
    if not len(rows) or not len(points):
        return np.zeros((len(points), len(rows)))
    names = np.unique(rows.satellite)
    receivers, receiver = np.unique(problem.observations.station, return_inverse=True)
    origin_m = rows.position_m.mean(axis=0)
    to_local = enu_rotation_at(origin_m)[:2].T

    def design(of: FieldPoints) -> FloatArray:
        local_m = (of.position_m - origin_m) @ to_local
        found = np.minimum(np.searchsorted(names, of.satellite), len(names) - 1)
        known = names[found] == of.satellite
        out = np.zeros((len(of), 3 * len(names)))
        for k, column in enumerate((np.ones(len(of)), local_m[:, 0], local_m[:, 1])):
            out[np.arange(len(of)), 3 * found + k] = column * known
        return out

    a = np.hstack([design(rows), np.zeros((len(rows), len(receivers)))])
    a[np.arange(len(rows)), 3 * len(names) + receiver] = 1.0
    sd = np.concatenate(
        [np.tile([_OFFSET_SD_M, GRADIENT_SD, GRADIENT_SD], len(names)), [_OFFSET_SD_M] * len(receivers)]
    )
    # In units of the priors, so that metres and metres per metre meet at one size.
    scaled = a * sd
    normal = (scaled.T / problem.noise_m2) @ scaled + np.eye(a.shape[1])
    solved = cho_solve(cho_factor(normal, lower=True), scaled.T / problem.noise_m2)
    return np.asarray(design(points) @ (sd[: 3 * len(names), None] * solved[: 3 * len(names)]))
