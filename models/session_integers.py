"""The integers of a session: which are held, which are found in an epoch, when they are held from then on.

Held integers are read from the covariance, so no bookkeeping can contradict it. Not here: the search and its tests
(`models.fix`).
"""

from dataclasses import dataclass, replace

import numpy as np

from models.fix import FixStatus, PartialFix, condition_on_integers, partial_fix
from models.rover import wrong_fix_probability
from models.session_state import SessionPolicy, SessionState
from stations.arrays import BoolArray, FloatArray, IntArray

_HELD_SD_CYC = 0.02
_HELD_CYC = 0.05
ENOUGH = 4
"""Held double differences that determine a position."""

_SAME_CYC = 0.01


@dataclass(frozen=True)
class Found:
    """Integers of an epoch.

    Attributes:
        rows: Combinations of the state, shape ``(k, state)``; the new ones, not those that are held.
        integers: Shape ``(k,)``.
        held: Held double differences.
        count: All double differences.
        probability: That the new ones are wrong; NaN when there are none.
        fix: The last attempt, ``None`` when all are held.
    """

    rows: FloatArray
    integers: IntArray
    held: int
    count: int
    probability: float
    fix: PartialFix | None


def held(mean: FloatArray, covariance: FloatArray, rows: FloatArray) -> BoolArray:
    """Return which integer combinations are held; a float one may be as well known, but not at an integer."""
    value = rows @ mean
    variance = np.einsum("ij,jk,ik->i", rows, covariance, rows, optimize=True)
    sure: BoolArray = (variance < _HELD_SD_CYC**2) & (np.abs(value - np.rint(value)) < _HELD_CYC)
    return sure


def find(
    policy: SessionPolicy,
    mean: FloatArray,
    covariance: FloatArray,
    rows: FloatArray,
    owner: IntArray,
    doubt: FloatArray,
) -> Found:
    """Return the integers that an epoch adds to those that are held.

    All open ones are tried together, then without up to three satellites, the most doubtful first.

    Args:
        policy: Constants.
        mean: Of the state, shape ``(state,)``.
        covariance: Shape ``(state, state)``.
        rows: Integer combinations, shape ``(a, state)``.
        owner: Satellite (row of the epoch) of each, shape ``(a,)``.
        doubt: Of each satellite, larger is worse, shape ``(n,)``.
    """
    sure = held(mean, covariance, rows)
    rover = policy.rover
    # One more integer among many that hold needs no company.
    limits = replace(rover.fix, min_integers=1 if sure.sum() >= ENOUGH else rover.fix.min_integers)
    open_ = np.flatnonzero(~sure)
    none = np.zeros((0, len(mean)))
    fix: PartialFix | None = None
    attempts = 0
    left = sorted(np.unique(owner[open_]).tolist(), key=lambda one: -float(doubt[one]))
    for gone in range(1 + min(rover.maximum_searched, len(left))):
        chosen = open_[~np.isin(owner[open_], left[:gone])]
        if not len(chosen):
            break
        part = rows[chosen]
        fix = partial_fix(part @ mean, part @ covariance @ part.T, limits)
        attempts += 1
        for rate in rover.further_success_rates:
            if fix.status is not FixStatus.RATIO:
                break
            stricter = replace(limits, min_success_rate=rate, max_fit_per_integer=rover.further_fit_per_integer)
            smaller = partial_fix(part @ mean, part @ covariance @ part.T, stricter)
            if smaller.attempted < rover.further_share * len(chosen):
                break
            if smaller.attempted < fix.attempted:
                fix, attempts = smaller, attempts + 1
        if fix.accepted:
            probability = wrong_fix_probability(fix, attempts)
            return Found(fix.transform @ part, fix.integers, int(sure.sum()), len(rows), probability, fix)
    return Found(none, np.zeros(0, dtype=np.int64), int(sure.sum()), len(rows), float("nan"), fix)


def confirm(state: SessionState, found: Found) -> SessionState:
    """Return the state that remembers what was found, and for how many epochs in a row the same.

    The rows of the last epoch are evaluated with the integers of this one: pivots and decorrelation may have changed.
    """
    if not len(found.integers):
        return replace(state, found_rows=np.zeros((0, len(state.mean))), found=found.integers, found_epochs=0)
    again = 0
    if len(state.found) and state.found_epochs:
        mean, covariance = condition_on_integers(state.mean, state.covariance, found.rows, found.integers)
        value = state.found_rows @ mean
        variance = np.einsum("ij,jk,ik->i", state.found_rows, covariance, state.found_rows, optimize=True)
        told = variance < _HELD_SD_CYC**2
        if told.any() and np.all(np.abs(value - state.found)[told] < _SAME_CYC):
            again = state.found_epochs
    return replace(state, found_rows=found.rows, found=found.integers, found_epochs=again + 1)


def hold(policy: SessionPolicy, state: SessionState, found: Found) -> SessionState:
    """Return the state with the integers held, when they have been found often and surely enough."""
    if state.found_epochs < policy.hold_epochs or not found.probability <= policy.hold_probability:
        return state
    mean, covariance = condition_on_integers(
        state.mean, state.covariance, found.rows, found.integers, policy.hold_sd_cyc**2
    )
    before = state.wrong_probability
    wrong = found.probability if np.isnan(before) else max(before, found.probability)
    return replace(
        state,
        mean=mean,
        covariance=covariance,
        found_rows=np.zeros((0, len(mean))),
        found=np.zeros(0, dtype=np.int64),
        found_epochs=0,
        wrong_probability=wrong,
    )
