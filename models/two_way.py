"""What is left of a two-way table after row and column effects are taken out, outliers or not.

Used on phase changes of stations times satellites: rows are receiver clocks, columns satellite clocks and orbits, and
what is left is a slip. Sums of absolute residuals are minimised over all effects together: alternating medians do not
converge when entries are missing and the effects are large, as at a change of ephemerides.

The normal equations of such a table are two diagonals and the weights between them, so the effects of the rows are
eliminated by hand. The slow twin with the whole design matrix is in `models.two_way_slow`.
"""

import numba
import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray

ROUNDS = 30
SMALLEST_M = 1e-4  # residuals below weigh alike; a tenth of the phase noise
CONVERGED_M = 1e-6
RIDGE = 1e-9  # of the largest weight: chooses the free constant of every connected part of the table


def two_way_residual(value: FloatArray, row: IntArray, column: IntArray, use: BoolArray) -> FloatArray:
    """Return the residuals of a table against the row and column effects that most entries agree on.

    Args:
        value: Entries, shape ``(n,)``, metres.
        row: Row of each entry, shape ``(n,)``.
        column: Column of each entry, shape ``(n,)``.
        use: Entries that may determine effects, shape ``(n,)``.

    Returns:
        Residuals, shape ``(n,)``; zero where a column has one usable entry (nothing to compare with).

    Source:
        Least absolute deviations by iteratively reweighted least squares, Schlossmacher (1973), JASA 68, with
        bounded weights. Checked against linear programming.
    """
    return two_way_effects(value, row, column, use)[0]


def two_way_effects(
    value: FloatArray, row: IntArray, column: IntArray, use: BoolArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the residuals, and for each entry the effects of its row and its column; arguments as above.

    Returns:
        Shape ``(n,)`` each. A constant that rows and columns of a connected part may exchange is anything.
    """
    _, rows = np.unique(row, return_inverse=True)
    _, columns = np.unique(column, return_inverse=True)
    count = int(columns.max(initial=-1)) + 1
    # Copies: a strided or read-only array would make numba compile once more in the hot path.
    residual = np.array(value, dtype=np.float64)
    of_row, of_column = np.zeros(int(rows.max(initial=-1)) + 1), np.zeros(count)
    _reweight_inplace(residual, rows.astype(np.int64), columns.astype(np.int64), np.array(use), of_row, of_column)
    usable = np.bincount(columns, weights=use, minlength=count)
    residual[usable[columns] < 2] = 0.0  # a comparison needs two
    return residual, of_row[rows], of_column[columns]


@numba.njit(cache=True)
def _reweight_inplace(
    residual: FloatArray, row: IntArray, column: IntArray, use: BoolArray, of_row: FloatArray, of_column: FloatArray
) -> None:
    """Move the effects out of ``residual`` in rounds, with weights from the round before."""
    weight = np.ones(len(residual))
    for _ in range(ROUNDS):
        row_step, column_step = _effects(residual, weight, row, column, use, len(of_row), len(of_column))
        of_row += row_step
        of_column += column_step
        change = 0.0
        for k in range(len(residual)):
            step = row_step[row[k]] + column_step[column[k]]
            residual[k] -= step
            change = max(change, abs(step))
            weight[k] = 1.0 / max(abs(residual[k]), SMALLEST_M)
        if change < CONVERGED_M:
            break


@numba.njit(cache=True)
def _effects(
    value: FloatArray,
    weight: FloatArray,
    row: IntArray,
    column: IntArray,
    use: BoolArray,
    row_count: int,
    column_count: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the weighted least-squares effects of rows and columns; those of rows are eliminated first."""
    by_row, of_row = np.zeros(row_count), np.zeros(row_count)
    by_column, of_column = np.zeros(column_count), np.zeros(column_count)
    between = np.zeros((row_count, column_count))
    largest = 1.0
    for k in range(len(value)):
        if use[k]:
            largest = max(largest, weight[k])
            by_row[row[k]] += weight[k]
            by_column[column[k]] += weight[k]
            between[row[k], column[k]] += weight[k]
            of_row[row[k]] += weight[k] * value[k]
            of_column[column[k]] += weight[k] * value[k]
    by_row += RIDGE * largest
    normal = np.diag(by_column + RIDGE * largest)
    for i in range(row_count):
        for j in range(column_count):
            factor = between[i, j] / by_row[i]
            if factor != 0.0:
                of_column[j] -= factor * of_row[i]
                for k in range(j + 1):
                    normal[j, k] -= factor * between[i, k]
    _solve_inplace(normal, of_column)
    return (of_row - between @ of_column) / by_row, of_column


@numba.njit(cache=True)
def _solve_inplace(matrix: FloatArray, right: FloatArray) -> None:
    """Solve with the lower triangle of a symmetric positive definite matrix, by LDL (Golub and Van Loan, 4.1.2)."""
    size = len(right)
    for j in range(size):
        for i in range(j + 1, size):
            factor = matrix[i, j] / matrix[j, j]
            if factor != 0.0:
                for k in range(i, size):
                    matrix[k, i] -= factor * matrix[k, j]
                right[i] -= factor * right[j]
    for j in range(size - 1, -1, -1):
        total = right[j]
        for i in range(j + 1, size):
            total -= matrix[i, j] * right[i]
        right[j] = total / matrix[j, j]
