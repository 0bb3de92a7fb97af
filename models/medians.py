"""Groups of rows and their medians, all at once; numpy's own functions, group by group, are the twins in the tests.

Compiled, because every epoch asks for a dozen of them and numpy spends more time on being called than on sorting.
"""

import numba
import numpy as np

from stations.arrays import FloatArray, IntArray


def median_by_group(value: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Return the median of each group, NaN of an empty one, shape ``(groups,)``.

    Args:
        value: Finite numbers, shape ``(n,)``.
        group: Group of each, 0 to ``groups - 1``, shape ``(n,)``.
        groups: How many groups there are.
    """
    # Copies: a strided or read-only array would make numba compile once more in the hot path.
    medians: FloatArray = _medians(np.array(value, dtype=np.float64), np.array(group, dtype=np.int64), groups)
    return medians


def groups_of(key: IntArray) -> tuple[IntArray, int]:
    """Return a number from 0 on for every key, equal for equal keys and in their order, shape ``(n,)``, and how many.

    Args:
        key: Any integers, shape ``(n,)``.
    """
    group, count = _groups(np.array(key, dtype=np.int64))
    return group, int(count)


@numba.njit(cache=True)
def _medians(value: FloatArray, group: IntArray, groups: int) -> FloatArray:
    end = np.zeros(groups + 1, dtype=np.int64)
    for k in range(len(value)):
        end[group[k] + 1] += 1
    for g in range(groups):
        end[g + 1] += end[g]
    place = end[:-1].copy()
    ordered = np.empty(len(value))
    for k in range(len(value)):
        ordered[place[group[k]]] = value[k]
        place[group[k]] += 1
    median = np.full(groups, np.nan)
    for g in range(groups):
        count = end[g + 1] - end[g]
        if count:
            mine = np.sort(ordered[end[g] : end[g + 1]])
            median[g] = 0.5 * (mine[(count - 1) // 2] + mine[count // 2])
    return median


@numba.njit(cache=True)
def _groups(key: IntArray) -> tuple[IntArray, int]:
    order = np.argsort(key)
    group = np.empty(len(key), dtype=np.int64)
    number = -1
    for k in range(len(key)):
        if k == 0 or key[order[k]] != key[order[k - 1]]:
            number += 1
        group[order[k]] = number
    return group, number + 1
