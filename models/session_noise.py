"""How noisy the observations of a rover are: assumed, learned from its residuals, and as they count over time.

The variances of codes and of phases are those of a geodetic receiver times a factor of the rover, the median of its
satellites, times what is learned of each satellite: one that drifts at rover or master then says little, and leaves
the others alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from models.rover import RoverPolicy
from models.session_observe import Equations
from models.session_state import SessionPolicy
from models.session_update import Misfit
from stations.arrays import BoolArray, FloatArray

_UNUSED_M2 = 1e4  # variance of a code that is not used
_TELLING = 4.0  # residuals of a satellite that say something


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
        scale: Factor on the standard deviations of codes and of phases, shape ``(2, n)``.
    """
    double, rover = equations.double, policy.rover
    kind = np.where(double.is_code, 0, 1)
    sd = np.where(double.is_code, rover.code_sd_m, rover.phase_sd_m) * scale[kind, double.row]
    reported = sd**2 * equations.factor + np.where(double.mixed, rover.mixed_code_sd_m**2, 0.0)
    tested = reported * np.where(double.is_code, policy.code_factor, policy.phase_factor) ** 2
    new = np.where(double.is_code, first[double.row], fresh[double.slot, double.row])
    repeated = repetition_factor(elapsed_s, policy.correlation_s)[double.row]
    return Noise(reported, tested * np.where(new, 1.0, repeated), tested)


def noise_scale(policy: SessionPolicy, noise: FloatArray) -> FloatArray:
    """Return the factors on the standard deviations of codes and of phases by satellite, shape ``(2, n)``.

    Args:
        policy: Constants.
        noise: :attr:`SessionState.noise` of the satellites, shape ``(2, 2, n)``.
    """
    found, expected = noise[:, 0], noise[:, 1]
    scale = np.empty(found.shape)
    for kind in range(2):
        telling = expected[kind] > _TELLING
        weight = float(np.sum(expected[kind, telling]))
        usual = float(np.median(found[kind, telling] / expected[kind, telling])) if telling.any() else 0.0
        start = policy.start_weight
        of_rover = np.sqrt((start * policy.start_scale**2 + weight * usual) / (start + weight))
        of_rover = float(np.clip(of_rover, *policy.scales))
        own = (found[kind] + policy.satellite_weight * of_rover**2) / (expected[kind] + policy.satellite_weight)
        scale[kind] = np.clip(np.sqrt(own), of_rover, max(policy.largest_scale, of_rover))
    return scale


def rover_policy(policy: SessionPolicy, noise: FloatArray) -> RoverPolicy:
    """Return constants for single epochs of a rover, with the noise that its session has learned or starts from.

    Args:
        policy: Constants.
        noise: :attr:`SessionState.noise`, of all satellites, shape ``(2, 2, arc)``.
    """
    code = phase = policy.start_scale
    if noise.shape[2]:
        code, phase = np.maximum(1.0, np.median(noise_scale(policy, noise), axis=1)).tolist()
    rover = policy.rover
    return replace(rover, code_sd_m=code * rover.code_sd_m, phase_sd_m=phase * rover.phase_sd_m)


def learned_noise(
    policy: SessionPolicy, noise: FloatArray, fit: Misfit, equations: Equations, used: Noise, elapsed_s: FloatArray
) -> FloatArray:
    """Return what is known of the noise after an epoch, as :attr:`SessionState.noise` of its satellites.

    Args:
        policy: Constants.
        noise: Before, of the satellites of the epoch, shape ``(2, 2, n)``.
        fit: Of the epoch with ``used.reported_m2``.
        equations: Of the epoch.
        used: Variances; observations left out do not count.
        elapsed_s: Since each satellite was last observed, shape ``(n,)``.

    Source:
        Foerstner (1979), eq. 9: squared residuals of a group over its share of the redundancy.
    """
    double = equations.double
    scale = noise_scale(policy, noise)
    out = np.exp(-elapsed_s / policy.noise_memory_s) * noise
    usual = (used.reported_m2 < _UNUSED_M2) & ~double.mixed
    for kind, is_code in enumerate((True, False)):
        rows = np.flatnonzero(usual & (double.is_code == is_code))
        row = double.row[rows]
        np.add.at(out[kind, 0], row, scale[kind, row] ** 2 * fit.square[rows])
        np.add.at(out[kind, 1], row, fit.share[rows])
    return out
