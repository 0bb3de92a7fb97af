"""Integer least squares: decorrelation, search, success rate.

Lives here: the numerics that turn a float ambiguity vector and its covariance into integers. Not here: the
decision whether those integers are believed (`models.fix`), and anything that knows a satellite.

Conventions, the same in every function and in the slow twin `models.integer_slow`:

* ``a``: float ambiguities in cycles, ``Q`` their covariance; ``Z`` integer with ``|det Z| = 1``; ``z = Z^T a``.
* ``Z^T Q Z = L^T D L`` with ``L`` unit lower triangular and ``D`` diagonal, so ``D[i]`` is the variance of
  ``z[i]`` given ``z[i+1:]``. The *last* elements are the most precise, and a suffix ``z[k:]`` has by itself the
  factors ``L[k:, k:]`` and ``D[k:]``: partial fixing takes suffixes.

Rule for maintainers: a port of LAMBDA that runs is not evidence. The tests compare with brute force, with the slow
twin and with an independent implementation.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import erf

from models.integer_kernels import reduce_covariance, search_tree
from stations.arrays import FloatArray, IntArray

MAX_NODES = 200_000
"""Default bound on visited search nodes; fixable epochs need hundreds, so reaching it means a hopeless one."""

_NO_FRACTION_CYC = 2.0**52


class SearchStatus(StrEnum):
    """How an integer search ended."""

    COMPLETE = "complete"
    SEARCH_LIMIT = "search_limit"
    SINGULAR = "singular"


@dataclass(frozen=True, slots=True)
class IntegerSolution:
    """The integer vectors nearest to a float vector, best first.

    Attributes:
        candidates: Integer vectors (k, n); k = 0 when SINGULAR: the covariance is not positive definite, or a float
            has no fraction.
        squared_norms: Squared distances (k,) in the metric of the covariance, ascending; infinite in the slots
            that were still empty when the node limit was reached.
        status: Only COMPLETE proves that nothing nearer exists.
    """

    candidates: IntArray
    squared_norms: FloatArray
    status: SearchStatus


def has_fractions(float_cyc: FloatArray) -> bool:
    """Tell whether all floats are finite and small enough for float64 to hold their fraction (below 2^52)."""
    return bool(np.all(np.abs(float_cyc) < _NO_FRACTION_CYC))


def split_integers(float_cyc: FloatArray) -> tuple[IntArray, FloatArray]:
    """Split floats into nearest integers and remainders, so that 1e8 cycles cost no digits of the fraction.

    Args:
        float_cyc: Ambiguities (n,), cycles, for which `has_fractions`.

    Returns:
        Nearest integers (n,) and remainders (n,) in [-1/2, 1/2] cycles; their sum is exactly `float_cyc`.

    Source:
        Ours; the subtraction is exact (Sterbenz).
    """
    whole = np.rint(float_cyc)
    return whole.astype(np.int64), float_cyc - whole


def decorrelate(covariance_cyc2: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Find the integer transformation that makes ambiguities nearly uncorrelated.

    Args:
        covariance_cyc2: Covariance (n, n) of the float ambiguities, cycles squared, symmetric.

    Returns:
        Z (n, n) integers with |det Z| = 1; L (n, n) unit lower triangular with |L[i, j]| <= 1/2; D (n,) conditional
        variances in cycles squared; Z^T Q Z = L^T diag(D) L and z = Z^T a.

    Raises:
        numpy.linalg.LinAlgError: The covariance is not positive definite to working precision. The solvers here and
            in `models.fix` turn this into a status.

    Source:
        Teunissen (1995), J. Geodesy 70:65, sections 3-5; order of operations after Chang, Yang and Zhou (2005),
        J. Geodesy 79:552, Algorithm MREDUCTION, with the step back of one pair of Lenstra, Lenstra and Lovasz (1982).
    """
    z_rows, _, factor, variances_cyc2, usable = reduce_covariance(_square(covariance_cyc2))
    if not usable:
        message = "expected a positive definite ambiguity covariance, got a singular one: drop dependent ambiguities"
        raise np.linalg.LinAlgError(message)
    return np.ascontiguousarray(z_rows.T), factor, variances_cyc2


def search(
    float_z_cyc: FloatArray,
    factor: FloatArray,
    variances_cyc2: FloatArray,
    candidates: int = 2,
    max_nodes: int = MAX_NODES,
) -> IntegerSolution:
    """Find the integer vectors nearest to decorrelated floats.

    Args:
        float_z_cyc: Decorrelated floats (n,), cycles, of moderate size (see `split_integers`).
        factor: Unit lower triangular L (n, n) of their covariance L^T D L.
        variances_cyc2: Diagonal D (n,), cycles squared, positive.
        candidates: Number of vectors wanted, at least 1.
        max_nodes: Hard bound on visited nodes of the search tree.

    Returns:
        The nearest vectors in the decorrelated domain; status SEARCH_LIMIT when the bound was reached, with what had
        been found by then.

    Raises:
        ValueError: No ambiguity, or no candidate asked for.

    Source:
        Chang, Yang and Zhou (2005), J. Geodesy 79:552, Algorithm MSEARCH (Schnorr-Euchner order, shrinking bound).
    """
    if candidates < 1 or float_z_cyc.shape[0] < 1:
        message = f"expected at least one ambiguity and candidate, got {float_z_cyc.shape[0]} and {candidates}"
        raise ValueError(message)
    found, norms, complete = search_tree(
        np.ascontiguousarray(float_z_cyc, dtype=np.float64),
        np.ascontiguousarray(factor, dtype=np.float64),
        np.ascontiguousarray(variances_cyc2, dtype=np.float64),
        candidates,
        max_nodes,
    )
    return IntegerSolution(found, norms, SearchStatus.COMPLETE if complete else SearchStatus.SEARCH_LIMIT)


def integer_least_squares(
    float_cyc: FloatArray, covariance_cyc2: FloatArray, candidates: int = 2, max_nodes: int = MAX_NODES
) -> IntegerSolution:
    """Find the integer vectors nearest to a float vector in the metric of its covariance.

    Args:
        float_cyc: Float ambiguities (n,), cycles, of any size.
        covariance_cyc2: Their covariance (n, n), cycles squared.
        candidates: Number of vectors wanted.
        max_nodes: Hard bound on visited nodes of the search tree.

    Returns:
        Candidates in the original domain, with squared norms and status.

    Raises:
        ValueError: Shapes that do not belong together.

    Source:
        Teunissen (1995), J. Geodesy 70:65, eq. 4.
    """
    covariance = _square(covariance_cyc2)
    if float_cyc.shape != covariance.shape[:1]:
        message = f"expected floats of shape {covariance.shape[:1]}, got {float_cyc.shape}"
        raise ValueError(message)
    z_rows, back_rows, factor, variances_cyc2, usable = reduce_covariance(covariance)
    if not (usable and has_fractions(float_cyc)):
        return IntegerSolution(np.zeros((0, len(float_cyc)), np.int64), np.zeros(0), SearchStatus.SINGULAR)
    whole, remainder_cyc = split_integers(float_cyc)
    solution = search(z_rows @ remainder_cyc, factor, variances_cyc2, candidates, max_nodes)
    return IntegerSolution(solution.candidates @ back_rows + whole, solution.squared_norms, solution.status)


def bootstrapped_success_rate(variances_cyc2: FloatArray) -> float:
    """Compute the probability that sequential rounding finds the right integers, a lower bound for the search.

    Args:
        variances_cyc2: Conditional variances D (n,) of decorrelated ambiguities, cycles squared.

    Returns:
        Probability; 1 for no ambiguity.

    Source:
        Teunissen (1998), J. Geodesy 72:606: product of 2 Phi(1 / (2 sigma)) - 1.
    """
    return float(np.prod(erf(np.sqrt(0.125 / variances_cyc2))))


def suffix_success_rates(variances_cyc2: FloatArray) -> FloatArray:
    """Compute the bootstrapped success rate of every suffix, for partial fixing.

    Args:
        variances_cyc2: Conditional variances D (n,) of decorrelated ambiguities, cycles squared.

    Returns:
        Probabilities (n,), ascending: element k is the rate when z[k:] are fixed and z[:k] stay float.

    Source:
        Teunissen, Joosten and Tiberius (1999), ION GPS-99, "Geometry-free ambiguity success rates in case of partial
        fixing".
    """
    per_element = erf(np.sqrt(0.125 / variances_cyc2))
    return np.asarray(np.cumprod(per_element[::-1])[::-1], dtype=np.float64)


def _square(covariance_cyc2: FloatArray) -> FloatArray:
    """Check the shape once, so that the kernels meet one array type and need no checks."""
    covariance = np.ascontiguousarray(covariance_cyc2, dtype=np.float64)
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1] or covariance.shape[0] < 1:
        message = f"expected a square covariance of at least one ambiguity, got shape {covariance.shape}"
        raise ValueError(message)
    return covariance
