"""What is left of a two-way table after row and column effects are taken out, outliers or not.

Used on phase changes of stations times satellites: rows are receiver clocks, columns satellite clocks and orbits, and
what is left is a slip. Sums of absolute residuals are minimised over all effects together: alternating medians do not
converge when entries are missing and the effects are large, as at a change of ephemerides.
"""

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray

_ROUNDS = 30
_SMALLEST_M = 1e-4  # residuals below weigh alike; a tenth of the phase noise
_CONVERGED_M = 1e-6


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
    _, rows = np.unique(row, return_inverse=True)
    _, columns = np.unique(column, return_inverse=True)
    design = np.zeros((len(value), rows.max(initial=-1) + columns.max(initial=-1) + 2))
    design[np.arange(len(value)), rows] = 1.0
    design[np.arange(len(value)), rows.max(initial=-1) + 1 + columns] = 1.0
    used = design[use]
    # One free constant per connected part of the table: a small ridge chooses it without touching residuals.
    ridge = 1e-9 * np.eye(design.shape[1])
    weight = np.ones(int(np.count_nonzero(use)))
    residual = np.asarray(value, dtype=np.float64)
    for _ in range(_ROUNDS):
        scaled = used * weight[:, None]
        normal = scaled.T @ used
        normal += ridge * max(float(weight.max(initial=0.0)), 1.0)
        before = residual
        # The effects of what is left are added up, so that the ridge pulls at corrections only.
        effects = np.linalg.solve(normal, scaled.T @ residual[use])
        residual = residual - design @ effects
        if float(np.abs(residual - before).max(initial=0.0)) < _CONVERGED_M:
            break
        weight = 1.0 / np.maximum(np.abs(residual[use]), _SMALLEST_M)
    usable = np.bincount(columns, weights=use, minlength=columns.max(initial=-1) + 1)
    residual[usable[columns] < 2] = 0.0  # a comparison needs two
    return residual
