"""Scores of the field experiment: error of the field, honesty of its sigma, and the positions that come of it.

Field errors are double differences: predicted less true slant ionosphere, rover less master, less the mean over the
satellites of one pair of signals, divided by the slant factor: millimetres at the zenith.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from gpsgrid.snapshot import field_points
from models.field.baselines import Method
from models.field.solve import FieldObservations
from models.rover import Corrections, RoverPolicy, RoverStatus, cautious, solve
from replay.field_scene import Scene
from replay.score import CENTIMETRE_H_M, CENTIMETRE_V_M, WRONG_H_M, WRONG_V_M
from stations.arrays import FloatArray
from stations.frames import enu_rotation_at

_MM_PER_M = 1000.0
_FEWEST = 2  # satellites of one pair of signals: one has no difference


@dataclass(frozen=True, eq=False)
class Outcome:
    """One method at one epoch.

    Attributes:
        error_m: Double-differenced errors at the zenith, (k,), metres.
        z: The same errors over their standard deviations, (k,).
        fix: A fix is claimed.
        horizontal_m, vertical_m: Error of the position; NaN without one.
    """

    error_m: FloatArray
    z: FloatArray
    fix: bool
    horizontal_m: float
    vertical_m: float


@dataclass(frozen=True)
class FieldScore:
    """One method on one set at one share of bad windows.

    Attributes:
        epochs: Scored.
        differences: Double differences with a truth.
        rms_mm, p95_mm: Field error at the zenith; NaN without truth.
        z_rms: Of the errors over their sigmas; 1 is honest.
        fixed_percent: Epochs with a fix.
        centimetre_percent: Epochs within 2 cm horizontally and 5 cm vertically.
        wrong_percent: Fixes that are off by more than 5 cm horizontally or 15 cm vertically, of all fixes.
        wrong: How many these are.
    """

    epochs: int
    differences: int
    rms_mm: float
    p95_mm: float
    z_rms: float
    fixed_percent: float
    centimetre_percent: float
    wrong_percent: float
    wrong: int

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the score for JSON: what is not known is ``None``."""
        return {key: None if value != value else value for key, value in asdict(self).items()}  # noqa: PLR0124 - NaN


def outcome(scene: Scene, method: Method, observations: FieldObservations, policy: RoverPolicy) -> Outcome:
    """Run a method on one epoch and position the rover with it.

    Args:
        scene: The epoch.
        method: What to run.
        observations: Those of the scene, perhaps with dirt.
        policy: Constants of the rover.
    """
    network = scene.network
    hyper = network.shell_hyper if method.thin_shell else network.hyper
    estimate = method.fit(hyper, observations, network.scales)
    mean_m, covariance_m2 = estimate.difference(field_points(scene.rover), field_points(scene.base))
    covariance_m2 = covariance_m2 * network.inflation
    error_m, z = field_errors(scene, mean_m, covariance_m2)
    corrections = Corrections(mean_m, covariance_m2, network.zwd_m, network.zwd_covariance_m2)
    rover_policy = policy if network.resolved else cautious(policy)
    solution = solve(rover_policy, scene.rover, scene.base, corrections, scene.reference_m, may_fix=network.trusted)
    if solution.status is RoverStatus.NONE:
        return Outcome(error_m, z, fix=False, horizontal_m=float("nan"), vertical_m=float("nan"))
    east, north, up = enu_rotation_at(scene.reference_m) @ (solution.position_m - scene.reference_m)
    fix = solution.status in (RoverStatus.FIXED, RoverStatus.PARTIAL)
    return Outcome(error_m, z, fix, float(np.hypot(east, north)), float(abs(up)))


def field_errors(scene: Scene, mean_m: FloatArray, covariance_m2: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return double-differenced errors at the zenith and in their sigmas, for satellites with a truth.

    Args:
        scene: The epoch, n satellites.
        mean_m: Predicted rover less master, (n,), metres.
        covariance_m2: Of it, (n, n), square metres; the noise of the truth is added here.
    """
    errors, zs = [np.zeros(0)], [np.zeros(0)]
    known = np.isfinite(scene.truth_m)
    for group in np.unique(scene.group[known]):
        row = np.flatnonzero(known & (scene.group == group))
        if len(row) < _FEWEST:
            continue
        difference = np.eye(len(row)) - 1.0 / len(row)
        error_m = difference @ (mean_m[row] - scene.truth_m[row])
        own_m2 = covariance_m2[np.ix_(row, row)] + np.diag(scene.truth_var_m2[row])
        variance_m2 = np.einsum("ij,jk,ik->i", difference, own_m2, difference)
        errors.append(error_m / scene.rover.slant_factor[row])
        zs.append(error_m / np.sqrt(variance_m2))
    return np.concatenate(errors), np.concatenate(zs)


def summary(outcomes: Iterable[Outcome]) -> FieldScore:
    """Add up the epochs of one method."""
    seen: Sequence[Outcome] = list(outcomes)
    error_mm = np.concatenate([np.zeros(0), *(one.error_m for one in seen)]) * _MM_PER_M
    z = np.concatenate([np.zeros(0), *(one.z for one in seen)])
    fix = np.array([one.fix for one in seen], dtype=np.bool_)
    horizontal_m = np.array([one.horizontal_m for one in seen])
    vertical_m = np.array([one.vertical_m for one in seen])
    # A comparison with NaN is false: an epoch without a position is not within anything.
    good = (horizontal_m <= CENTIMETRE_H_M) & (vertical_m <= CENTIMETRE_V_M)
    wrong = int(np.sum(fix & ~((horizontal_m <= WRONG_H_M) & (vertical_m <= WRONG_V_M))))
    fixes, nothing = int(fix.sum()), float("nan")
    return FieldScore(
        len(seen),
        len(error_mm),
        float(np.sqrt(np.mean(error_mm**2))) if len(error_mm) else nothing,
        float(np.percentile(np.abs(error_mm), 95)) if len(error_mm) else nothing,
        float(np.sqrt(np.mean(z**2))) if len(z) else nothing,
        100.0 * fixes / len(seen) if seen else nothing,
        100.0 * float(np.mean(good)) if seen else nothing,
        100.0 * wrong / fixes if fixes else nothing,
        wrong,
    )
