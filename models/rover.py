"""A rover position from one epoch: double differences to a master, weighted by the error field.

No state, no prior on the position. Ionosphere and troposphere between rover and master come from the
field with their full covariance, which decides how strongly the ambiguities are constrained. What is
reported is fixed only when the integers pass the tests of ``models.fix`` and the position is then
known to two centimetres; otherwise the float position is reported and called that.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from models.double_difference import DoubleDifferences, double_differences, with_company
from models.fix import FixPolicy, FixStatus, PartialFix, condition_on_integers, partial_fix
from models.reduction import Reduced
from models.weights import elevation_variance_m2
from stations.arrays import FloatArray, IntArray
from stations.frames import enu_rotation_at
from stations.signals import Constellation

MIN_SATELLITES = 5
IONOSPHERE_WALK_M_PER_SQRT_S = 0.7e-3  # zenith; measured against correction age, research note section 7
CLOCK_DRIFT_M_PER_S = 1.5e-3  # extrapolation of a satellite clock, 5e-12 s/s; RTKLIB's sclkstab
_VARIANCE_FACTOR = 2.0  # measured over stated variances of the horizontal position are 1.2 to 3.6 on recorded data
_SMALLEST_PROBABILITY = 1e-4
_NETWORK_OPEN = (
    "the network does not hold its own integers (a wrong coordinate or antenna, or a disturbed ionosphere): "
    "no fix is claimed against it"
)


class RoverStatus(StrEnum):
    """How a position came about; ``fixed`` and ``partial`` claim centimetres."""

    FIXED = "fixed"
    PARTIAL = "partial"
    FLOAT = "float"
    CODE = "code"
    NONE = "none"


@dataclass(frozen=True)
class RoverPolicy:
    """Constants of the rover solution.

    Attributes:
        phase_sd_m, code_sd_m: Zenith noise of rover and master each.
        mixed_code_sd_m: Bias of a satellite between two codes on one carrier, where rover and master track different
            ones (differential code biases of the IGS: some decimetres).
        systems: Constellations that are used. GLONASS is not: double differences of its frequencies are no integers
            without inter-frequency biases.
        minimum_elevation_rad: Satellites below are not used.
        fix: When integers are believed.
        further_success_rates: Success rates of smaller subsets of the integers, tried when a larger one is refused for
            its ratio.
        further_share: Smallest share of all integers that such a subset is: one satellite may be odd, not a third.
        further_fit_per_integer: Largest squared norm per integer of these: what the model does not know of shows here.
        maximum_dropped: Satellites that may be left out, as outliers or in search of a fix.
        maximum_searched: Satellites that may be left out in search of a fix.
        maximum_wrong_fix_probability: A fix that is less certain than this is not called one.
        maximum_horizontal_sd_m: A fix that is less certain than this is not called one.
        maximum_vertical_sd_m: The same for the height; a third of what counts as a wrong fix.
        outlier_limit: Data-snooping limit of a normalised residual.
    """

    phase_sd_m: float = 0.0010
    code_sd_m: float = 0.10
    mixed_code_sd_m: float = 0.5
    systems: tuple[int, ...] = (Constellation.GPS, Constellation.GALILEO, Constellation.QZSS, Constellation.BEIDOU)
    minimum_elevation_rad: float = float(np.radians(10.0))
    fix: FixPolicy = FixPolicy(min_success_rate=0.99)
    further_success_rates: tuple[float, ...] = (0.999, 0.9999, 0.99999)
    further_share: float = 0.9
    further_fit_per_integer: float = 2.0
    maximum_dropped: int = 3
    maximum_searched: int = 3
    maximum_wrong_fix_probability: float = 1.0
    maximum_horizontal_sd_m: float = 0.02
    maximum_vertical_sd_m: float = 0.05
    outlier_limit: float = 4.5


def cautious(policy: RoverPolicy) -> RoverPolicy:
    """Return a policy for the first minutes of a network, before it holds its own integers.

    Its delays are then as uncertain as codes make them, with errors alike over the satellites, which the field does
    not know. In simulations one fix in 300 was wrong: all found in a search, or at odds of worse than 1 to 500.
    """
    return replace(policy, further_success_rates=(), maximum_searched=0, maximum_wrong_fix_probability=1e-3)


@dataclass(frozen=True)
class Corrections:
    """What the network knows about the difference rover minus master.

    Attributes:
        ionosphere_m: Slant delay difference on L1 per satellite, shape ``(n,)``.
        ionosphere_covariance_m2: Shape ``(n, n)``.
        zwd_m: Zenith wet delay less nominal at rover and master, shape ``(2,)``.
        zwd_covariance_m2: Shape ``(2, 2)``.
    """

    ionosphere_m: FloatArray
    ionosphere_covariance_m2: FloatArray
    zwd_m: FloatArray
    zwd_covariance_m2: FloatArray


@dataclass(frozen=True)
class RoverSolution:
    """A position with what is known about it.

    Attributes:
        status: How it came about.
        position_m: Antenna reference point, ECEF, tide-free, shape ``(3,)``.
        covariance_m2: ECEF, shape ``(3, 3)``.
        satellites: Satellites used, ascending.
        dropped: Satellites left out on the way.
        wrong_fix_probability: Posterior probability that another integer vector is the right one; NaN unless fixed.
        fix: The last attempt to fix.
        reason: Why the status is not ``fixed``; empty otherwise.
    """

    status: RoverStatus
    position_m: FloatArray
    covariance_m2: FloatArray
    satellites: IntArray
    dropped: IntArray
    wrong_fix_probability: float
    fix: PartialFix | None
    reason: str


@dataclass(frozen=True)
class _Float:
    """Float solution: position shift and ambiguities, with the whitened model it came from."""

    mean: FloatArray
    covariance: FloatArray
    surprise: FloatArray  # of the codes of each satellite, shape (n,)
    model: DoubleDifferences


def common_rows(policy: RoverPolicy, rover: Reduced, master: Reduced) -> tuple[IntArray, IntArray]:
    """Return the rows of rover and master of the satellites that both see high enough, of the systems in use."""
    satellite, i, k = np.intersect1d(rover.satellite, master.satellite, assume_unique=True, return_indices=True)
    del satellite
    high = (rover.elevation_rad[i] > policy.minimum_elevation_rad) & (
        master.elevation_rad[k] > policy.minimum_elevation_rad
    )
    # A phase that may be off by half a cycle has no integer ambiguity.
    whole = ~(rover.raw.half_cycle[i] | master.raw.half_cycle[k])
    ours = np.isin(rover.satellite[i] // 100, policy.systems)
    return i[high & whole & ours], k[high & whole & ours]


def solve(
    policy: RoverPolicy,
    rover: Reduced,
    master: Reduced,
    corrections: Corrections,
    reference_m: FloatArray,
    *,
    may_fix: bool = True,
) -> RoverSolution:
    """Return the position of a rover from one epoch.

    Args:
        policy: Constants.
        rover: Reduced at ``reference_m``; rows as in ``master``.
        master: The same satellites in the same order.
        corrections: For the same satellites.
        reference_m: Antenna reference point that ``rover`` was reduced at, ECEF, shape ``(3,)``.
        may_fix: Whether integers may be claimed; not against a network that does not hold its own.

    Returns:
        The solution; with fewer than five satellites (and one more per further system) its status is ``none``.

    Source:
        Ionosphere-weighted model: Odijk (2000), eq. 4; partial fixing and tests: ``models.fix``.
    """
    keep = with_company(rover.satellite, np.arange(len(rover.satellite)))
    dropped: list[int] = []
    searched = 0
    best: RoverSolution | None = None
    reason = ""
    while len(keep) - len(np.unique(rover.satellite[keep] // 100)) >= MIN_SATELLITES - 1:
        try:
            part = _solve_float(policy, rover.rows(keep), master.rows(keep), _select(corrections, keep))
        except np.linalg.LinAlgError:
            reason = f"geometry or corrections of {len(keep)} satellites determine no position"
            break
        if part.surprise.max() > policy.outlier_limit and len(dropped) < policy.maximum_dropped:
            worst = int(np.argmax(part.surprise))
            dropped.append(int(rover.satellite[keep[worst]]))
            keep = with_company(rover.satellite, np.delete(keep, worst))
            continue
        if not may_fix:
            return replace(
                _float(part, rover.satellite[keep], reference_m, _NETWORK_OPEN),
                dropped=np.array(sorted(dropped), dtype=np.int64),
            )
        solution = _fix(policy, part, rover.satellite[keep], reference_m, 1 + len(dropped))
        if solution.status in (RoverStatus.FIXED, RoverStatus.PARTIAL):
            return replace(solution, dropped=np.array(sorted(dropped), dtype=np.int64))
        if best is None:
            best, reason = replace(solution, dropped=np.array(sorted(dropped), dtype=np.int64)), solution.reason
        if len(dropped) >= policy.maximum_dropped or searched >= policy.maximum_searched:
            break
        searched += 1
        doubt = np.where(part.model.pivots, -1.0, np.diagonal(corrections.ionosphere_covariance_m2)[keep])
        worst = int(np.argmax(doubt))
        dropped.append(int(rover.satellite[keep[worst]]))
        keep = with_company(rover.satellite, np.delete(keep, worst))
    if best is not None:
        return replace(best, reason=reason)
    few = (
        f"{len(rover.satellite) - len(dropped)} satellites common with the master, at least {MIN_SATELLITES} are needed"
    )
    return RoverSolution(
        RoverStatus.NONE,
        reference_m,
        np.full((3, 3), np.nan),
        rover.satellite[keep],
        np.array(sorted(dropped), dtype=np.int64),
        float("nan"),
        None,
        reason or few,
    )


def _select(corrections: Corrections, keep: IntArray) -> Corrections:
    return Corrections(
        corrections.ionosphere_m[keep],
        corrections.ionosphere_covariance_m2[np.ix_(keep, keep)],
        corrections.zwd_m,
        corrections.zwd_covariance_m2,
    )


def _solve_float(policy: RoverPolicy, rover: Reduced, master: Reduced, corrections: Corrections) -> _Float:
    """Generalised least squares of position and double-difference ambiguities."""
    model = double_differences(rover, master)
    count = len(rover.satellite)
    row = model.row
    wet = np.stack([rover.wet_mapping, -master.wet_mapping])[:, row]
    values = model.value_m - corrections.zwd_m @ wet - model.delay * corrections.ionosphere_m[row]
    single = wet.T @ corrections.zwd_covariance_m2 @ wet
    single += np.outer(model.delay, model.delay) * corrections.ionosphere_covariance_m2[np.ix_(row, row)]
    sd = np.where(model.is_code, policy.code_sd_m, policy.phase_sd_m)
    noise = elevation_variance_m2(1.0, rover.elevation_rad) + elevation_variance_m2(1.0, master.elevation_rad)
    single.flat[:: len(row) + 1] += sd**2 * noise[row] + np.where(model.mixed, policy.mixed_code_sd_m**2, 0.0)
    d = model.operator
    covariance = d @ single @ d.T
    y = d @ values
    a = np.hstack([d @ -rover.unit[row], model.ambiguity_m])

    if not (np.all(np.isfinite(covariance)) and np.all(np.isfinite(y))):
        message = "corrections or observations are not finite"
        raise np.linalg.LinAlgError(message)
    factor = np.linalg.cholesky(covariance)
    white_a = solve_triangular(factor, a, lower=True, check_finite=False)
    white_y = solve_triangular(factor, y, lower=True, check_finite=False)
    normal = cho_factor(white_a.T @ white_a, lower=True, check_finite=False)
    mean = cho_solve(normal, white_a.T @ white_y, check_finite=False)
    parameters = cho_solve(normal, np.eye(len(mean)), check_finite=False)
    # Data snooping per satellite: how surprising is each single difference of codes, given all the rest?
    residual = white_y - white_a @ mean
    back = solve_triangular(factor, d, lower=True, check_finite=False)
    projected = white_a.T @ back
    top = back.T @ residual
    variance = np.einsum("ij,ij->j", back, back) - np.einsum("ij,ij->j", projected, parameters @ projected)
    safe = model.is_code & (variance > 1e-9 * variance.max())
    surprise = np.zeros(count)
    np.maximum.at(surprise, row[safe], np.abs(top[safe]) / np.sqrt(variance[safe]))
    return _Float(mean, parameters, surprise, model)


def _float(part: _Float, satellites: IntArray, reference_m: FloatArray, reason: str) -> RoverSolution:
    return RoverSolution(
        RoverStatus.FLOAT,
        reference_m + part.mean[:3],
        part.covariance[:3, :3],
        satellites,
        np.zeros(0, dtype=np.int64),
        float("nan"),
        None,
        reason,
    )


def wrong_fix_probability(fix: PartialFix, attempts: int) -> float:
    """Return how likely the second-best integers are against the best, under the model.

    Squared norms are divided by the factor by which measured variances exceed the model's, every attempt counts, and
    nothing below one in ten thousand is claimed: that is what the recorded days can support.
    """
    if not np.isfinite(fix.ratio):
        return _SMALLEST_PROBABILITY
    gap = 0.5 * fix.fit * len(fix.integers) * (fix.ratio - 1.0) / _VARIANCE_FACTOR
    return float(min(max(attempts / (1.0 + np.exp(min(gap, 700.0))), _SMALLEST_PROBABILITY), 1.0))


def _surest_subset(policy: RoverPolicy, part: _Float) -> tuple[PartialFix, int]:
    """Return the largest subset of the integers that passes the tests, and how many were tried.

    A tight field lets nearly all integers into the first subset. When one satellite is not as good as its sigma, the
    second-best vector differs from the best in that one alone, and the test refuses them all.
    """
    fix = partial_fix(part.mean[3:], part.covariance[3:, 3:], policy.fix)
    tries = 1
    for rate in policy.further_success_rates:
        if fix.status is not FixStatus.RATIO:
            break
        stricter = replace(policy.fix, min_success_rate=rate, max_fit_per_integer=policy.further_fit_per_integer)
        smaller = partial_fix(part.mean[3:], part.covariance[3:, 3:], stricter)
        if smaller.attempted < policy.further_share * len(part.mean[3:]):
            break
        if smaller.attempted < fix.attempted:
            fix, tries = smaller, tries + 1
    return fix, tries


def _fix(
    policy: RoverPolicy, part: _Float, satellites: IntArray, reference_m: FloatArray, attempts: int
) -> RoverSolution:
    """Try to fix the integers of a float solution."""
    fix, tries = _surest_subset(policy, part)
    attempts += tries - 1
    mean, covariance = part.mean, part.covariance
    status, reason, wrong = RoverStatus.FLOAT, str(fix.status), float("nan")
    if fix.accepted:
        rows = np.zeros((len(fix.integers), len(mean)))
        rows[:, 3:] = fix.transform
        fixed_mean, fixed_covariance = condition_on_integers(mean, covariance, rows, fix.integers)
        enu = enu_rotation_at(reference_m)
        local = enu @ fixed_covariance[:3, :3] @ enu.T
        horizontal_sd = float(np.sqrt(local[0, 0] + local[1, 1]))
        vertical_sd = float(np.sqrt(local[2, 2]))
        wrong = wrong_fix_probability(fix, attempts)
        if horizontal_sd > policy.maximum_horizontal_sd_m or vertical_sd > policy.maximum_vertical_sd_m:
            reason = (
                f"fixed subset leaves {horizontal_sd * 1000:.0f} mm horizontal and {vertical_sd * 1000:.0f} mm vertical"
            )
        elif wrong > policy.maximum_wrong_fix_probability:
            reason = (
                f"the integers found are wrong with a probability of {wrong:.1e}, and a network that is still fixing "
                f"its own allows {policy.maximum_wrong_fix_probability:.0e}"
            )
        else:
            mean, covariance = fixed_mean, fixed_covariance
            whole = fix.status is FixStatus.FIXED_ALL
            status = RoverStatus.FIXED if whole else RoverStatus.PARTIAL
            reason = "" if whole else f"{len(fix.integers)} of {len(part.mean) - 3} integers are fixed"
    return RoverSolution(
        status,
        reference_m + mean[:3],
        covariance[:3, :3],
        satellites,
        np.zeros(0, dtype=np.int64),
        wrong if status in (RoverStatus.FIXED, RoverStatus.PARTIAL) else float("nan"),
        fix,
        reason,
    )
