"""Compiled kernels of `models.integer`, which documents the conventions and is the only caller.

Arrays are C-contiguous float64 and int64; shapes and finiteness have been checked by the caller. Every loop has a
hard bound. The same algorithms in plain words are in `models.integer_slow`.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np

from stations.arrays import FloatArray, IntArray

_ROUNDING = float(np.finfo(np.float64).eps)
_TIE = 1e-9  # relative gain below which a permutation is not worth making, and could alternate for ever

_LARGEST = 1_000_000_000  # |Z[i, j]|; more means variances 1e18 apart, and the products would leave 64 bits

_Function = TypeVar("_Function", bound=Callable[..., object])
kernel = cast("Callable[[_Function], _Function]", numba.njit(cache=True, nogil=True))


@kernel
def _size_reduce_inplace(z_rows: IntArray, back_rows: IntArray, factor: FloatArray, column: int) -> None:
    """Bring L[column+1:, column] into [-1/2, 1/2] by integer Gauss transformations, in place."""
    n = factor.shape[0]
    for i in range(column + 1, n):
        multiple = int(np.rint(factor[i, column]))
        if multiple != 0:
            for j in range(i, n):
                factor[j, column] -= multiple * factor[j, i]
            for j in range(n):
                z_rows[column, j] -= multiple * z_rows[i, j]
                back_rows[i, j] += multiple * back_rows[column, j]


@kernel
def _exchange_inplace(work: FloatArray, z_rows: IntArray, factor: FloatArray, first: int, last: int) -> None:
    """Exchange two elements of the part that is not factored yet, with all that belongs to them."""
    n = work.shape[0]
    if first == last:
        return
    for j in range(n):
        z_rows[first, j], z_rows[last, j] = z_rows[last, j], z_rows[first, j]
    for j in range(last + 1):
        work[first, j], work[last, j] = work[last, j], work[first, j]
    for j in range(last + 1):
        work[j, first], work[j, last] = work[j, last], work[j, first]
    for j in range(last + 1, n):
        factor[j, first], factor[j, last] = factor[j, last], factor[j, first]


@kernel
def _factorise_inplace(work: FloatArray, z_rows: IntArray, factor: FloatArray, variances: FloatArray) -> bool:
    """Factor Q = L^T D L from the bottom, the smallest remaining variance first; False when Q is not positive.

    The order is stored as a permutation in `z_rows`. It spares most permutations of the reduction that follows
    (Chang, Yang and Zhou 2005, section 3.2).
    """
    n = work.shape[0]
    original = np.empty(n)
    for i in range(n):
        original[i] = work[i, i]
    for k in range(n - 1, -1, -1):
        best = k
        for i in range(k):
            if work[i, i] < work[best, best]:
                best = i
        original[best], original[k] = original[k], original[best]
        _exchange_inplace(work, z_rows, factor, best, k)
        pivot = work[k, k]
        # A pivot below the rounding of its own row carries no digit of information. The comparison is written
        # so that a NaN fails it too.
        if not (pivot > n * _ROUNDING * original[k] and pivot < np.inf):
            return False
        variances[k] = pivot
        for i in range(k):
            factor[k, i] = work[k, i] / pivot
        for i in range(k):
            for j in range(k):
                work[i, j] -= factor[k, i] * work[k, j]
    return True


@kernel
def reduce_covariance(covariance: FloatArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray, bool]:
    """Return (Z^T, Z^-1, L, D, usable); Z^T and Z^-1 so that every update is on contiguous rows."""
    n = covariance.shape[0]
    z_rows = np.zeros((n, n), np.int64)
    for i in range(n):
        z_rows[i, i] = 1
    factor = np.eye(n)
    variances = np.zeros(n)
    usable = _factorise_inplace(covariance.copy(), z_rows, factor, variances)
    back_rows = z_rows.copy()  # the inverse of a permutation is its transpose
    if not usable:
        return z_rows, back_rows, factor, variances, False

    # Every permutation lowers a product of variances, so the loop ends; the bound only guards against ties
    # decided by rounding. Stopping early leaves a valid, less decorrelated Z.
    permutations_left = 200 * n * n + 1000
    k = n - 2
    while k >= 0 and permutations_left > 0:
        slope = factor[k + 1, k] - np.rint(factor[k + 1, k])
        if variances[k] + slope * slope * variances[k + 1] < variances[k + 1] * (1.0 - _TIE):
            # Gauss transformations only where a permutation follows: elsewhere they do not change D.
            _size_reduce_inplace(z_rows, back_rows, factor, k)
            slope = factor[k + 1, k]
            swapped = variances[k] + slope * slope * variances[k + 1]
            eta = variances[k] / swapped
            new_slope = variances[k + 1] * slope / swapped
            variances[k] = eta * variances[k + 1]
            variances[k + 1] = swapped
            for j in range(k):
                upper, lower = factor[k, j], factor[k + 1, j]
                factor[k, j] = lower - slope * upper
                factor[k + 1, j] = eta * upper + new_slope * lower
            factor[k + 1, k] = new_slope
            for j in range(k + 2, n):
                factor[j, k], factor[j, k + 1] = factor[j, k + 1], factor[j, k]
            for j in range(n):
                z_rows[k, j], z_rows[k + 1, j] = z_rows[k + 1, j], z_rows[k, j]
                back_rows[k, j], back_rows[k + 1, j] = back_rows[k + 1, j], back_rows[k, j]
            permutations_left -= 1
            k = min(k + 1, n - 2)  # only the pair above has a new member
        else:
            k -= 1
    for column in range(n - 2, -1, -1):
        _size_reduce_inplace(z_rows, back_rows, factor, column)
    for i in range(n):
        for j in range(n):
            usable = usable and abs(z_rows[i, j]) < _LARGEST and abs(back_rows[i, j]) < _LARGEST
    return z_rows, back_rows, factor, variances, usable


@kernel
def search_tree(
    floats: FloatArray, factor: FloatArray, variances: FloatArray, count: int, max_nodes: int
) -> tuple[IntArray, FloatArray, bool]:
    """Depth-first search of the `count` nearest integer vectors; False when `max_nodes` were not enough."""
    n = floats.shape[0]
    found = np.zeros((count, n), np.int64)
    norms = np.full(count, np.inf)
    distance = np.zeros(n)  # squared norm contributed by the elements below level k
    centre = np.zeros(n)  # conditional float of element k, given the integers chosen after it
    shift = np.zeros((n, n))  # row k: correction of floats[:k + 1] by the integers chosen after k
    current = np.zeros(n)
    step = np.zeros(n)
    k = n - 1
    centre[k] = floats[k]
    current[k] = np.rint(centre[k])
    step[k] = 1.0 if centre[k] >= current[k] else -1.0
    for _ in range(max_nodes):
        offset = centre[k] - current[k]
        reached = distance[k] + offset * offset / variances[k]
        if reached < norms[count - 1]:
            if k > 0:
                for j in range(k):
                    shift[k - 1, j] = shift[k, j] - offset * factor[k, j]
                k -= 1
                distance[k] = reached
                centre[k] = floats[k] + shift[k, k]
                current[k] = np.rint(centre[k])
                step[k] = 1.0 if centre[k] >= current[k] else -1.0
                continue
            slot = count - 1
            while slot > 0 and norms[slot - 1] > reached:
                norms[slot] = norms[slot - 1]
                for j in range(n):
                    found[slot, j] = found[slot - 1, j]
                slot -= 1
            norms[slot] = reached
            for j in range(n):
                found[slot, j] = int(current[j])
        else:
            # Integers are tried in order of distance from the centre: the first too far ends this level.
            if k == n - 1:
                return found, norms, True
            k += 1
        current[k] += step[k]
        step[k] = -step[k] - (1.0 if step[k] > 0.0 else -1.0)
    return found, norms, False
