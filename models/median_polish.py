"""Median polish: what is left of a two-way table after typical rows and columns are taken out.

Used on phase changes of stations times satellites: rows are receiver clocks, columns satellite clocks and orbits,
and what is left is a slip. Medians, so that nobody has to be the reference.
"""

import numba
import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray


def polish(value: FloatArray, row: IntArray, column: IntArray, use: BoolArray, rounds: int = 6) -> FloatArray:
    """Return what is left of a two-way table after row and column medians are taken out.

    Args:
        value: Entries, shape ``(n,)``.
        row: Row of each entry, shape ``(n,)``.
        column: Column of each entry, shape ``(n,)``.
        use: Entries that may determine medians, shape ``(n,)``.
        rounds: Sweeps.

    Returns:
        Residuals, shape ``(n,)``; zero where a column has one usable entry (nothing to compare with).

    Source:
        Tukey (1977), median polish.
    """
    _, row_index = np.unique(row, return_inverse=True)
    _, column_index = np.unique(column, return_inverse=True)
    residual: FloatArray = _polish(value.astype(np.float64), row_index, column_index, use, rounds)
    return residual


@numba.njit(cache=True)
def _polish(value: FloatArray, row: IntArray, column: IntArray, use: BoolArray, rounds: int) -> FloatArray:
    residual = value.copy()
    for _ in range(rounds):
        _take_out_medians(residual, row, use)
        _take_out_medians(residual, column, use)
    usable = np.zeros(column.max() + 1, dtype=np.int64)
    for k in range(len(column)):
        usable[column[k]] += use[k]
    for k in range(len(column)):
        if usable[column[k]] < 2:  # a comparison needs two
            residual[k] = 0.0
    return residual


@numba.njit(cache=True)
def _take_out_medians(residual: FloatArray, group: IntArray, use: BoolArray) -> None:
    buffer = np.empty(len(residual))
    for one in range(group.max() + 1):
        chosen = 0
        for k in range(len(residual)):
            if group[k] == one and use[k]:
                buffer[chosen] = residual[k]
                chosen += 1
        if chosen:
            residual[group == one] -= np.median(buffer[:chosen])


def polish_slow(value: FloatArray, row: IntArray, column: IntArray, use: BoolArray, rounds: int = 6) -> FloatArray:
    """Do what :func:`polish` does, obviously; the tests hold one against the other."""
    residual = value.astype(np.float64).copy()
    for _ in range(rounds):
        for key in (row, column):
            for one in np.unique(key):
                members = key == one
                chosen = members & use
                if chosen.any():
                    residual[members] -= np.median(residual[chosen])
    for one in np.unique(column):
        if np.count_nonzero((column == one) & use) < 2:  # a comparison needs two
            residual[column == one] = 0.0
    return residual
