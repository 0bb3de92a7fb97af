"""The methods that Filter-Reweight-Retrain is compared with, all behind one question: rover minus master, please.

Every method sees the same hyperparameters, scales, noise and median centring, so that only the treatment of bad rows
differs. None of this runs in the engine. Trimming is in `models.field.trimming`, rules without a kernel in
`models.field.linear_rules`.

The rule to keep: a baseline is tuned on its literature and on the stations of the network, never on a held-out one,
and where a choice is free, the one that helps it is taken.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import numpy as np

from models.field.cell import difference
from models.field.kernels import FieldPoints, Hyperparameters
from models.field.linear_rules import fit_inverse_distance, fit_nearest, fit_plane
from models.field.outliers import igg3_weights
from models.field.robust import RobustPolicy, filter_reweight_retrain
from models.field.solve import FieldObservations, Posterior, Problem, inverse, prepare, residuals, solve
from models.field.trimming import least_trimmed_weights, ransac_weights
from stations.arrays import FloatArray

HUBER_K: Final = 1.345  # 95 % efficiency at the normal; Huber (1981), Robust Statistics
STUDENT_DEGREES: Final = 4.0  # Jylanki, Vanhatalo, Vehtari (2011), JMLR 12:3227, section 5
IGG3_ACCEPT: Final = 2.0  # as in `RobustPolicy`: the difference between the two is the flags, not the constants
IGG3_REJECT: Final = 4.0
_ROUNDS: Final = 20
_SETTLED: Final = 1e-3
_SMALLEST_WEIGHT: Final = 1e-6


class FieldEstimate(Protocol):
    """What a method has made of one epoch."""

    def difference(self, rover: FieldPoints, master: FieldPoints) -> tuple[FloatArray, FloatArray]:
        """Predict the slant delay at the rover less that at the master, satellite by satellite.

        Args:
            rover: Lines of sight of the rover, n rows.
            master: Those of the master, n rows, the same satellites in the same order.

        Returns:
            Mean, (n,), metres on L1, and covariance, (n, n), square metres. As everywhere, only differences between
            satellites of one pair of signals carry meaning.
        """
        ...


Fit = Callable[[Hyperparameters, FieldObservations, FloatArray], FieldEstimate]
"""Fit one epoch, given hyperparameters and the variance scale of each satellite, (satellites,)."""


@dataclass(frozen=True, eq=False)
class GaussianEstimate:
    """The posterior of a Gaussian process with some weights.

    Attributes:
        posterior: Of the rows of positive weight.
    """

    posterior: Posterior

    def difference(self, rover: FieldPoints, master: FieldPoints) -> tuple[FloatArray, FloatArray]:
        """Predict rover less master; see `FieldEstimate.difference`."""
        return difference(self.posterior, rover, master)


class MethodName(StrEnum):
    """Names in tables and on the command line."""

    FRR = "frr"
    FLAGS = "flags"
    PLAIN = "plain"
    HUBER = "huber"
    STUDENT = "student-t"
    IGG3 = "igg3"
    TRIMMED = "lts"
    RANSAC = "ransac"
    SHELL = "thin-shell"
    PLANE = "plane"
    INVERSE_DISTANCE = "idw"
    NEAREST = "nearest"


@dataclass(frozen=True)
class Method:
    """A method and what it asks for.

    Attributes:
        fit: The method.
        text: What it is, for people.
        thin_shell: It wants hyperparameters learned without a satellite-specific residual.
        linear: A rule without a kernel: its mean is a fixed combination of the stations' values.
    """

    fit: Fit
    text: str
    thin_shell: bool = False
    linear: bool = False


def fit_frr(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Filter-Reweight-Retrain with the flags: what the engine does."""
    return GaussianEstimate(filter_reweight_retrain(hyper, observations, scales, RobustPolicy()).posterior)


def fit_plain(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process on all rows, as if all were good."""
    problem = prepare(hyper, _unflagged(observations), scales)
    return GaussianEstimate(solve(problem, np.ones(len(observations))))


def fit_flags(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process on the rows that passed the validity tests, trusting these tests."""
    problem = prepare(hyper, observations, scales)
    return GaussianEstimate(solve(problem, observations.clean.astype(np.float64)))


def fit_huber(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process with Huber weights of studentised leave-one-out residuals, iterated.

    Source:
        Huber (1981), Robust Statistics, section 7.8. Leave-one-out instead of fitted residuals, because a row of a
        sparse network pulls the fit to itself and so hides; that helps this method.
    """

    def weigh(z: FloatArray) -> FloatArray:
        return np.asarray(HUBER_K / np.maximum(np.abs(z), HUBER_K))

    return GaussianEstimate(_reweighted(prepare(hyper, _unflagged(observations), scales), weigh))


def fit_igg3(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process with IGG-III weights of studentised leave-one-out residuals, without flags, iterated.

    Source:
        Yang, Song, Xu (2002), J. Geodesy 76:353-358.
    """

    def weigh(z: FloatArray) -> FloatArray:
        return igg3_weights(z, IGG3_ACCEPT, IGG3_REJECT)

    return GaussianEstimate(_reweighted(prepare(hyper, _unflagged(observations), scales), weigh))


def fit_student(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process with Student-t noise, by variational Bayes.

    A t variable is a normal one whose precision is gamma distributed; the mean precision of each row follows from the
    posterior second moment of its residual, and the other way round.

    Source:
        Tipping and Lawrence (2005), Neurocomputing 69:123-141, equations 10 to 13.
    """
    problem = prepare(hyper, _unflagged(observations), scales)
    weight = np.ones(len(observations))
    posterior = solve(problem, weight)
    for _ in range(_ROUNDS):
        noise_m2 = problem.noise_m2 / weight
        # With precision P: residual N P y, and posterior variance of the noiseless value N - N P N.
        residual_m = noise_m2 * posterior.solution
        variance_m2 = np.maximum(noise_m2 - noise_m2**2 * np.diagonal(inverse(posterior)), 0.0)
        square = (residual_m**2 + variance_m2) / problem.noise_m2
        target = np.maximum((STUDENT_DEGREES + 1.0) / (STUDENT_DEGREES + square), _SMALLEST_WEIGHT)
        settled = float(np.max(np.abs(target - weight), initial=0.0)) < _SETTLED
        weight, posterior = target, solve(problem, target)
        if settled:
            break
    return GaussianEstimate(posterior)


def fit_trimmed(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process on the rows that least trimmed squares keeps."""
    problem = prepare(hyper, _unflagged(observations), scales)
    return GaussianEstimate(solve(problem, least_trimmed_weights(problem)))


def fit_ransac(hyper: Hyperparameters, observations: FieldObservations, scales: FloatArray) -> FieldEstimate:
    """Gaussian process on the largest sets of rows that agree, satellite by satellite."""
    problem = prepare(hyper, _unflagged(observations), scales)
    return GaussianEstimate(solve(problem, ransac_weights(problem)))


METHODS: Final[dict[MethodName, Method]] = {
    MethodName.FRR: Method(fit_frr, "filter-reweight-retrain"),
    MethodName.FLAGS: Method(fit_flags, "GP on unflagged rows"),
    MethodName.PLAIN: Method(fit_plain, "GP on all rows"),
    MethodName.HUBER: Method(fit_huber, "GP, Huber weights"),
    MethodName.STUDENT: Method(fit_student, "GP, Student-t noise"),
    MethodName.IGG3: Method(fit_igg3, "GP, IGG-III, no flags"),
    MethodName.TRIMMED: Method(fit_trimmed, "GP, least trimmed squares"),
    MethodName.RANSAC: Method(fit_ransac, "GP, RANSAC"),
    MethodName.SHELL: Method(fit_plain, "thin shell, vTEC only", thin_shell=True),
    MethodName.PLANE: Method(fit_plane, "plane per satellite", linear=True),
    MethodName.INVERSE_DISTANCE: Method(fit_inverse_distance, "inverse distance", linear=True),
    MethodName.NEAREST: Method(fit_nearest, "nearest station", linear=True),
}


def _unflagged(observations: FieldObservations) -> FieldObservations:
    """Return the rows as somebody sees them who has no flags: not even the centring may know."""
    return FieldObservations(
        observations.points,
        observations.station,
        observations.value_m,
        observations.noise_var_m2,
        np.ones(len(observations), dtype=np.bool_),
    )


def _reweighted(problem: Problem, weigh: Callable[[FloatArray], FloatArray]) -> Posterior:
    """Iterate weights from studentised residuals until they stand, at most twenty times."""
    weight = np.ones(len(problem.noise_m2))
    posterior = solve(problem, weight)
    for _ in range(_ROUNDS):
        residual_m, variance_m2 = residuals(problem, posterior)
        target = weigh(residual_m / np.sqrt(variance_m2))
        settled = float(np.max(np.abs(target - weight), initial=0.0)) < _SETTLED
        weight, posterior = target, solve(problem, target)
        if settled:
            break
    return posterior
