"""The definition of the field, in GPyTorch: what the online solver must equal, and what the learner maximises.

Slow and plain on purpose. The tests hold `models.field.kernels` and `models.field.solve` to this module within 1e-8;
when they disagree, this one is right. Everything is float64. Only this module and `models.field.learning` import torch.

A row of input is 11 numbers, `INPUTS`; `measured` is 1 for a measurement and 0 for the field itself, so that one
process holds both and the offsets b^s and c_r exist only where somebody measures.
"""

from contextlib import ExitStack
from math import sqrt
from typing import Final, NamedTuple

import gpytorch
import numpy as np
import torch

from models.field.kernels import FieldPoints, Hyperparameters
from models.field.solve import FieldObservations
from stations.arrays import FloatArray, IntArray

INPUTS: Final = (
    "satellite", "station", "measured", "scale", "slant", "pierce_x_m", "pierce_y_m", "pierce_z_m",
    "position_x_m", "position_y_m", "position_z_m",
)  # fmt: skip
_SQRT3: Final = sqrt(3.0)
_SATELLITE, _STATION, _MEASURED, _SCALE, _SLANT = range(5)
_PIERCE: Final = slice(5, 8)
_POSITION: Final = slice(8, 11)
PARAMETERS: Final = (
    "vtec_sd_m", "vtec_length_m", "residual_sd_m", "residual_length_m", "station_offset_sd_m", "satellite_offset_sd_m",
)  # fmt: skip


def inputs(points: FieldPoints, scales: FloatArray, station: IntArray | None = None) -> torch.Tensor:
    """Pack points into rows of input.

    Args:
        points: Lines of sight, n rows.
        scales: Variance scale of each satellite, (satellites,).
        station: Station of each row, (n,), for measurements; None for the field itself.

    Returns:
        Rows in the order of `INPUTS`, (n, 11), float64.
    """
    rows = np.empty((len(points), len(INPUTS)))
    rows[:, _SATELLITE] = points.satellite
    rows[:, _STATION] = -1 if station is None else station
    rows[:, _MEASURED] = station is not None
    rows[:, _SCALE] = scales[points.satellite]
    rows[:, _SLANT] = points.slant_factor
    rows[:, _PIERCE] = points.pierce_m
    rows[:, _POSITION] = points.position_m
    return torch.from_numpy(rows)


class Pairs(NamedTuple):
    """What the covariance of two rows depends on besides the hyperparameters; all of one shape.

    Attributes:
        shell_m: Distance of the pierce points, metres.
        ground_m: Distance of the receivers, metres.
        slant: Product of the slant factors.
        scale: Variance scale of the satellite where it is the same, else 0.
        offset_satellite: 1 where both are measurements of one satellite, else 0.
        offset_station: 1 where both are measurements of one station, else 0.
    """

    shell_m: torch.Tensor
    ground_m: torch.Tensor
    slant: torch.Tensor
    scale: torch.Tensor
    offset_satellite: torch.Tensor
    offset_station: torch.Tensor


def pairs(first: torch.Tensor, second: torch.Tensor) -> Pairs:
    """Compare rows of input.

    Args:
        first: Rows, (..., 11).
        second: Rows, of a shape that broadcasts against the first.

    Returns:
        What `MeasuredFieldKernel.of_pairs` needs, (...).
    """
    same_satellite = (first[..., _SATELLITE] == second[..., _SATELLITE]).to(torch.float64)
    same_station = (first[..., _STATION] == second[..., _STATION]).to(torch.float64)
    measured = first[..., _MEASURED] * second[..., _MEASURED]
    return Pairs(
        torch.linalg.vector_norm(first[..., _PIERCE] - second[..., _PIERCE], dim=-1),
        torch.linalg.vector_norm(first[..., _POSITION] - second[..., _POSITION], dim=-1),
        first[..., _SLANT] * second[..., _SLANT],
        torch.sqrt(first[..., _SCALE] * second[..., _SCALE]) * same_satellite,
        measured * same_satellite,
        measured * same_station,
    )


class MeasuredFieldKernel(gpytorch.kernels.Kernel):
    """Covariance of rows of input: the field, and the offsets where both rows are measurements.

    Its parameters are the logarithms of the values in `Hyperparameters`, noise floor apart, under the same names.
    """

    def __init__(self, hyper: Hyperparameters) -> None:
        """Start from known hyperparameters; a standard deviation of 0 becomes 1e-12 m."""
        super().__init__()
        for name in PARAMETERS:
            value = torch.tensor(max(getattr(hyper, name), 1e-12), dtype=torch.float64)
            self.register_parameter(f"log_{name}", torch.nn.Parameter(torch.log(value)))

    def value(self, name: str) -> torch.Tensor:
        """Return a hyperparameter by its name in `Hyperparameters`, metres."""
        return torch.exp(getattr(self, f"log_{name}"))

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, *, diag: bool = False, **_params: object) -> torch.Tensor:
        """Compute the covariance.

        Args:
            x1: Rows of input, (..., n, 11).
            x2: Rows of input, (..., m, 11).
            diag: Ask for the diagonal only; n equals m then.
            **_params: GPyTorch's own, ignored.

        Returns:
            Covariance, (..., n, m), square metres, or its diagonal, (..., n).
        """
        return self.of_pairs(pairs(x1, x2) if diag else pairs(x1.unsqueeze(-2), x2.unsqueeze(-3)))

    def of_pairs(self, pair: Pairs) -> torch.Tensor:
        """Compute the covariance of pairs of rows, of any shape, square metres."""
        vtec = self.value("vtec_sd_m") ** 2 * _matern32(pair.shell_m / self.value("vtec_length_m"))
        residual = self.value("residual_sd_m") ** 2 * _matern32(pair.ground_m / self.value("residual_length_m"))
        satellite = self.value("satellite_offset_sd_m") ** 2 * pair.offset_satellite
        station = self.value("station_offset_sd_m") ** 2 * pair.offset_station
        return pair.slant * (vtec + pair.scale * residual) + satellite + station


class FieldModel(gpytorch.models.ExactGP):
    """Exact Gaussian process of one epoch: measurements as training rows, the field or measurements as test rows."""

    def __init__(
        self, x: torch.Tensor, y: torch.Tensor, likelihood: gpytorch.likelihoods.Likelihood, hyper: Hyperparameters
    ) -> None:
        """Keep the epoch.

        Args:
            x: Rows of input, (n, 11).
            y: Centred values, (n,), metres.
            likelihood: With the noise of each row.
            hyper: Kernel parameters.
        """
        super().__init__(x, y, likelihood)
        self.mean_module = gpytorch.means.ZeroMean()
        self.covar_module = MeasuredFieldKernel(hyper)

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        """Return the prior of rows of input, (n, 11)."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def reference_posterior(
    hyper: Hyperparameters,
    observations: FieldObservations,
    scales: FloatArray,
    points: FieldPoints,
    centre_m: FloatArray,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, float]:
    """Condition with GPyTorch.

    Args:
        hyper: Kernel parameters.
        observations: The epoch, n rows.
        scales: Variance scale of each satellite, (satellites,).
        points: Where to predict the field, m rows.
        centre_m: Prior mean of the offsets of each row, (n,), metres.
        weights: Of each row, (n,), positive; by default all 1.

    Returns:
        Mean, (m,), metres; covariance, (m, m), square metres; log marginal likelihood of the centred values.
    """
    noise_m2 = observations.noise_var_m2 + hyper.noise_floor_m**2
    noise = torch.from_numpy(noise_m2 if weights is None else noise_m2 / weights)
    y = torch.from_numpy(observations.value_m - centre_m)
    x = inputs(observations.points, scales, observations.station)
    with _exact(len(y)), torch.no_grad():
        likelihood = gpytorch.likelihoods.FixedNoiseGaussianLikelihood(noise=noise)
        model = FieldModel(x, y, likelihood, hyper)
        model.train()
        evidence = float(likelihood(model(x)).log_prob(y))
        model.eval()
        posterior = model(inputs(points, scales))
        return posterior.mean.numpy(), posterior.covariance_matrix.numpy(), evidence


def log_likelihood(covariance_m2: torch.Tensor, y_m: torch.Tensor) -> torch.Tensor:
    """Return the log marginal likelihood of epochs, differentiable.

    Args:
        covariance_m2: Of the measurements with noise, (..., n, n), square metres.
        y_m: Centred values, (..., n), metres.

    Returns:
        Log likelihood of each epoch, (...).
    """
    with _exact(y_m.shape[-1]):
        prior = gpytorch.distributions.MultivariateNormal(torch.zeros_like(y_m), covariance_m2)
        density: torch.Tensor = prior.log_prob(y_m)
    return density


def _matern32(distance: torch.Tensor) -> torch.Tensor:
    scaled = _SQRT3 * distance
    return (1.0 + scaled) * torch.exp(-scaled)


def _exact(rows: int) -> ExitStack:
    """Make GPyTorch use Cholesky factors for so many rows, and take small noise variances as they are."""
    stack = ExitStack()
    stack.enter_context(gpytorch.settings.max_cholesky_size(rows + 1))
    stack.enter_context(gpytorch.settings.min_fixed_noise(double_value=0.0))
    return stack
