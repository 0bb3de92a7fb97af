"""Hyperparameters of the field from a window of epochs: marginal likelihood with GPyTorch, off the hot path.

The window's epochs are taken as independent and share their hyperparameters. The result is a handful of plain numbers
that the online solver takes as they are. Warm-started and deterministic: the same window and start give the same
numbers.

The rule to keep: priors say what is physical and do not follow the start, or a run of quiet windows would walk the
parameters away from where they can come back from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import log, pi
from typing import Final

import gpytorch
import numpy as np
import torch
from scipy.optimize import minimize

from models.field.centre import centre
from models.field.definition import INPUTS, MeasuredFieldKernel, inputs, log_likelihood, pairs
from models.field.kernels import Hyperparameters
from models.field.solve import FieldObservations, condition
from stations.arrays import FloatArray

_FLOOR: Final = "noise_floor_m"


@dataclass(frozen=True)
class Belief:
    """Prior of one hyperparameter: log-normal around the typical value, and hard physical bounds.

    Attributes:
        lowest: Lower bound, metres.
        highest: Upper bound, metres.
        log_sd: Standard deviation of the natural logarithm; 0.1 is nearly fixed, 1 nearly free.
    """

    lowest: float
    highest: float
    log_sd: float


def _default_beliefs() -> dict[str, Belief]:
    return {
        "vtec_sd_m": Belief(0.01, 3.0, 1.0),
        # With a network much smaller than this length only sd / length is seen: it must not drift.
        "vtec_length_m": Belief(300_000.0, 3_000_000.0, 0.1),
        "residual_sd_m": Belief(0.001, 1.0, 1.0),
        "residual_length_m": Belief(30_000.0, 1_000_000.0, 0.5),
        _FLOOR: Belief(0.001, 0.010, 0.5),
    }


@dataclass(frozen=True)
class LearningPolicy:
    """What is learned, from which rows, for how long.

    Attributes:
        typical: Centre of the priors.
        beliefs: By name in `Hyperparameters`; what is not named keeps the value of the start.
        minimum_weight: Clean rows of at least this robust weight are used. 0.15 is |z| of 3 in the default policy of
            `models.field.robust`; at 1 every row beyond two sigma would be missing, the learned variances would be a
            quarter too small, and the next robust fit would cut still closer.
        fewest_rows: Epochs with fewer usable rows are skipped.
        max_iterations: Of L-BFGS-B.
    """

    typical: Hyperparameters = Hyperparameters()
    beliefs: dict[str, Belief] = field(default_factory=_default_beliefs)
    minimum_weight: float = 0.15
    fewest_rows: int = 8
    max_iterations: int = 30


class LearningStatus(StrEnum):
    """How learning ended."""

    CONVERGED = "converged"
    MAX_ITERATIONS = "max_iterations"
    STUCK = "stuck"
    TOO_FEW_ROWS = "too_few_rows"


@dataclass(frozen=True)
class Learned:
    """Result of learning.

    Attributes:
        hyper: The hyperparameters; those of the start when nothing could be learned.
        log_likelihood_per_row: Of the window with them, prior not included.
        start_log_likelihood_per_row: Of the window with the start.
        rows: Observations used.
        iterations: Of the optimiser.
        status: How it ended.
    """

    hyper: Hyperparameters
    log_likelihood_per_row: float
    start_log_likelihood_per_row: float
    rows: int
    iterations: int
    status: LearningStatus


def learn(
    window: Sequence[FieldObservations],
    start: Hyperparameters,
    scales: Sequence[FloatArray],
    weights: Sequence[FloatArray] | None = None,
    policy: LearningPolicy | None = None,
) -> Learned:
    """Maximise the marginal likelihood of a window of epochs times the prior.

    Args:
        window: Epochs, far enough apart to be nearly independent (minutes).
        start: Where to begin, e.g. what was learned before.
        scales: Variance scale of each satellite, one array (satellites,) per epoch.
        weights: Robust weights of the rows, one array (n,) per epoch; by default all 1.
        policy: Priors and limits; by default `LearningPolicy()`.

    Returns:
        The hyperparameters and how well they explain the window.

    Raises:
        ValueError: Window, scales and weights differ in length.

    Source:
        Rasmussen and Williams (2006), section 5.4.1; maximum a posteriori in the logarithms of the parameters.
    """
    policy = LearningPolicy() if policy is None else policy
    epochs = usable(window, scales, weights, policy)
    rows = sum(len(observations) for observations, _ in epochs)
    if not epochs:
        return Learned(start, 0.0, 0.0, 0, 0, LearningStatus.TOO_FEW_ROWS)
    objective = _Objective(epochs, start, policy)
    first = objective.at(start)
    bounds = [(log(belief.lowest), log(belief.highest)) for belief in policy.beliefs.values()]
    result = minimize(
        objective, np.clip(first, *np.transpose(bounds)), jac=True, method="L-BFGS-B", bounds=bounds,
        options={"maxiter": policy.max_iterations, "ftol": 1e-7, "gtol": 1e-3},
    )  # fmt: skip
    status = {0: LearningStatus.CONVERGED, 1: LearningStatus.MAX_ITERATIONS}.get(result.status, LearningStatus.STUCK)
    best = objective.hyper(result.x)
    return Learned(
        best,
        objective.evidence(objective.at(best)) / rows,
        objective.evidence(first) / rows,
        rows,
        int(result.nit),
        status,
    )


def usable(
    window: Sequence[FieldObservations],
    scales: Sequence[FloatArray],
    weights: Sequence[FloatArray] | None,
    policy: LearningPolicy,
) -> list[tuple[FieldObservations, FloatArray]]:
    """Choose the rows to learn from.

    Args:
        window: Epochs.
        scales: One array (satellites,) per epoch.
        weights: One array (n,) per epoch, or None.
        policy: Which rows.

    Returns:
        Epochs with enough rows, reduced to these rows, each with its scales.

    Raises:
        ValueError: Window, scales and weights differ in length.
    """
    if weights is None:
        weights = [np.ones(len(observations)) for observations in window]
    if not len(window) == len(scales) == len(weights):
        msg = f"{len(window)} epochs, {len(scales)} arrays of scales, {len(weights)} of weights; give one per epoch"
        raise ValueError(msg)
    chosen = []
    for observations, scale, weight in zip(window, scales, weights, strict=True):
        row = np.flatnonzero(observations.clean & (weight >= policy.minimum_weight))
        if len(row) >= policy.fewest_rows:
            chosen.append((observations.take(row), scale))
    return chosen


def objective_slow(
    epochs: Sequence[tuple[FieldObservations, FloatArray]], hyper: Hyperparameters, policy: LearningPolicy
) -> float:
    """Compute what `learn` maximises with the online solver, one epoch after the other; for the tests.

    Args:
        epochs: From `usable`.
        hyper: Kernel parameters.
        policy: With the priors.

    Returns:
        Sum of log likelihoods plus log prior of the logarithms of the parameters.
    """
    total = sum(condition(hyper, observations, scale).log_likelihood for observations, scale in epochs)
    for name, belief in policy.beliefs.items():
        off = log(getattr(hyper, name) / getattr(policy.typical, name)) / belief.log_sd
        total += -0.5 * off * off - log(belief.log_sd) - 0.5 * log(2.0 * pi)
    return total


class _Objective:
    """Negative log posterior and its gradient, all epochs at once, padded to the longest."""

    def __init__(
        self, epochs: Sequence[tuple[FieldObservations, FloatArray]], start: Hyperparameters, policy: LearningPolicy
    ) -> None:
        self._start, self._policy = start, policy
        longest = max(len(observations) for observations, _ in epochs)
        x = torch.zeros(len(epochs), longest, len(INPUTS), dtype=torch.float64)
        self._y = torch.zeros(len(epochs), longest, dtype=torch.float64)
        # A padding row is no measurement of no field with unit noise: it adds a known constant and nothing else.
        self._noise = torch.ones(len(epochs), longest, dtype=torch.float64)
        self._real = torch.zeros(len(epochs), longest, dtype=torch.float64)
        for e, (observations, scale) in enumerate(epochs):
            rows = len(observations)
            points = observations.points
            offset = centre(observations.value_m, points.satellite, observations.station, observations.clean)
            x[e, :rows] = inputs(points, scale, observations.station)
            self._y[e, :rows] = torch.from_numpy(observations.value_m - offset)
            self._noise[e, :rows] = torch.from_numpy(observations.noise_var_m2)
            self._real[e, :rows] = 1.0
        self._pairs = pairs(x.unsqueeze(-2), x.unsqueeze(-3))
        self._padding = 0.5 * log(2.0 * pi) * float((1.0 - self._real).sum())
        self._kernel = MeasuredFieldKernel(start)
        self._log_floor = torch.nn.Parameter(torch.tensor(log(start.noise_floor_m), dtype=torch.float64))
        self._parameters = {
            name: self._log_floor if name == _FLOOR else self._kernel.get_parameter(f"log_{name}")
            for name in policy.beliefs
        }
        self._priors = {
            name: gpytorch.priors.NormalPrior(
                torch.tensor(log(getattr(policy.typical, name)), dtype=torch.float64),
                torch.tensor(belief.log_sd, dtype=torch.float64),
            )
            for name, belief in policy.beliefs.items()
        }

    def at(self, hyper: Hyperparameters) -> FloatArray:
        return np.array([log(getattr(hyper, name)) for name in self._parameters])

    def hyper(self, logs: FloatArray) -> Hyperparameters:
        values = {
            name: min(max(float(np.exp(value)), belief.lowest), belief.highest)
            for (name, belief), value in zip(self._policy.beliefs.items(), logs, strict=True)
        }
        return replace(self._start, **values)

    def evidence(self, logs: FloatArray) -> float:
        self._move(logs)
        with torch.no_grad():
            return float(self._log_likelihood())

    def __call__(self, logs: FloatArray) -> tuple[float, FloatArray]:
        self._move(logs)
        loss = -self._log_likelihood()
        for name, prior in self._priors.items():
            loss = loss - prior.log_prob(self._parameters[name])
        gradient = torch.autograd.grad(loss, list(self._parameters.values()))
        return float(loss.detach()), np.array([float(part) for part in gradient])

    def _move(self, logs: FloatArray) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._parameters.values(), logs, strict=True):
                parameter.fill_(float(value))

    def _log_likelihood(self) -> torch.Tensor:
        noise = self._noise + self._real * torch.exp(2.0 * self._log_floor)
        system = self._kernel.of_pairs(self._pairs) + torch.diag_embed(noise)
        return log_likelihood(system, self._y).sum() + self._padding
