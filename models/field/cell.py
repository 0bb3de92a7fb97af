"""The field of one grid cell at one epoch, as the rest of the engine sees it: differences between two receivers.

What leaves a cell is always the difference between a rover (real or virtual) and the master station whose
observations it is based on. The common level of the field is unobservable with free offsets and never leaves.
"""

from dataclasses import dataclass

import numpy as np

from models.field.kernels import FieldPoints, Hyperparameters, stack
from models.field.robust import RobustField, RobustPolicy, filter_reweight_retrain
from models.field.solve import FieldObservations, Posterior, predict
from stations.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class CellField:
    """Immutable posterior of one cell for one epoch.

    Attributes:
        cell: Name of the cell.
        epoch_ns: Epoch of the observations, GPS time.
        robust: Posterior, weights, z-scores and report of the robust fit.
    """

    cell: str
    epoch_ns: int
    robust: RobustField

    @property
    def posterior(self) -> Posterior:
        """What the cell knows about the field."""
        return self.robust.posterior

    def difference(self, rover_points: FieldPoints, master_points: FieldPoints) -> tuple[FloatArray, FloatArray]:
        """Predict the slant delay at the rover less that at the master, satellite by satellite.

        Args:
            rover_points: Lines of sight of the rover, n rows.
            master_points: Those of the master, n rows, the same satellites in the same order.

        Returns:
            Mean, (n,), metres on L1, and covariance, (n, n), square metres: joint over all satellites, for the
            ionosphere-weighted rover to use whole.

        Raises:
            ValueError: The satellites differ.
        """
        return difference(self.posterior, rover_points, master_points)


def fit_cell(
    cell: str, epoch_ns: int, hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray,
    policy: RobustPolicy | None = None,
) -> CellField:  # fmt: skip
    """Fit the field of one cell to one epoch.

    Args:
        cell: Name of the cell.
        epoch_ns: Epoch of the observations, GPS time.
        hyper: Kernel parameters of the cell.
        observations: Rows of the stations that serve the cell.
        scales: Variance scale of each satellite, (satellites,), dimensionless.
        policy: Thresholds of the robust fit; by default `RobustPolicy()`.

    Returns:
        The posterior of the cell.
    """
    robust = filter_reweight_retrain(hyper, observations, scales, RobustPolicy() if policy is None else policy)
    return CellField(cell, epoch_ns, robust)


def difference(
    posterior: Posterior, rover_points: FieldPoints, master_points: FieldPoints
) -> tuple[FloatArray, FloatArray]:
    """Predict the field at the rover less the field at the master; see `CellField.difference`."""
    count = len(rover_points)
    if not np.array_equal(rover_points.satellite, master_points.satellite):
        msg = (
            f"rover sees {rover_points.satellite.tolist()}, master {master_points.satellite.tolist()}: "
            "give both the same satellites in the same order"
        )
        raise ValueError(msg)
    mean, joint = predict(posterior, stack(rover_points, master_points))
    cross = joint[:count, count:]
    return mean[:count] - mean[count:], joint[:count, :count] + joint[count:, count:] - (cross + cross.T)
