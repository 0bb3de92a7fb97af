"""The slow twin of `models.two_way`: the same estimate with the whole design matrix; for the tests."""

import numpy as np

from models.two_way import CONVERGED_M, RIDGE, ROUNDS, SMALLEST_M
from stations.arrays import BoolArray, FloatArray, IntArray


def two_way_residual_slow(value: FloatArray, row: IntArray, column: IntArray, use: BoolArray) -> FloatArray:
    """Return what :func:`models.two_way.two_way_residual` returns; arguments as there."""
    _, rows = np.unique(row, return_inverse=True)
    _, columns = np.unique(column, return_inverse=True)
    design = np.zeros((len(value), rows.max(initial=-1) + columns.max(initial=-1) + 2))
    design[np.arange(len(value)), rows] = 1.0
    design[np.arange(len(value)), rows.max(initial=-1) + 1 + columns] = 1.0
    used = design[use]
    # One free constant per connected part of the table: a small ridge chooses it without touching residuals.
    ridge = RIDGE * np.eye(design.shape[1])
    weight = np.ones(int(np.count_nonzero(use)))
    residual = np.asarray(value, dtype=np.float64)
    for _ in range(ROUNDS):
        scaled = used * weight[:, None]
        normal = scaled.T @ used
        normal += ridge * max(float(weight.max(initial=0.0)), 1.0)
        before = residual
        # The effects of what is left are added up, so that the ridge pulls at corrections only.
        effects = np.linalg.solve(normal, scaled.T @ residual[use])
        residual = residual - design @ effects
        if float(np.abs(residual - before).max(initial=0.0)) < CONVERGED_M:
            break
        weight = 1.0 / np.maximum(np.abs(residual[use]), SMALLEST_M)
    usable = np.bincount(columns, weights=use, minlength=columns.max(initial=-1) + 1)
    residual[usable[columns] < 2] = 0.0  # a comparison needs two
    return residual
