"""One rover through time: its ambiguities, its own ionosphere and what is known of its position, epoch by epoch.

A Kalman filter over double differences with the errors of the network's field as states. Integers that several epochs
in a row find are held. Nothing is believed for ever: innovations, the ionosphere that integers imply, and the answer of
each single epoch can each contradict, and then what they contradict starts anew.
"""

from dataclasses import dataclass, replace

import numpy as np

from models.fix import FixStatus, condition_on_integers
from models.rover import RoverSolution, RoverStatus
from models.session_intake import TakenIn, take_in
from models.session_integers import ENOUGH, Found, confirm, find, hold
from models.session_noise import Noise, learned_noise, noise_of, noise_scale
from models.session_observe import Equations, SessionEpoch, equations
from models.session_state import (
    POSITION,
    Motion,
    SessionPolicy,
    SessionState,
    init,
    ionosphere_index,
    reset_ambiguities,
)
from models.session_update import misfit, update
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.frames import enu_rotation_at

_MAX_TESTS = 20
_CLAIMED = (RoverStatus.FIXED, RoverStatus.PARTIAL)
_SMALLEST_PROBABILITY = 1e-4
_SIGMAS = 4.0


@dataclass(frozen=True)
class SessionInfo:
    """What happened in an epoch.

    Attributes:
        solution: The position; its probability is that of all integers in use.
        from_single: The single epoch was better than the session, and is what is reported.
        agrees: Whether a sure single epoch and the session agree; ``None`` when one of them has nothing to say.
        slips: Satellites with a slip that the receiver reported or the geometry-free phase shows.
        resets: Satellites whose ambiguities did not fit, and started anew.
        restarted: The session started anew because it was wrong.
        held: Double differences that are held.
        double_differences: All of the epoch.
    """

    solution: RoverSolution
    from_single: bool
    agrees: bool | None
    slips: IntArray
    resets: IntArray
    restarted: bool
    held: int
    double_differences: int


def step(
    policy: SessionPolicy, state: SessionState, epoch: SessionEpoch, single: RoverSolution, *, may_fix: bool = True
) -> tuple[SessionState, SessionInfo]:
    """Take in an epoch.

    Args:
        policy: Constants.
        state: From :func:`models.session_state.init` or the last step; of the same master as the epoch
            (:func:`models.session_handover.change_master` moves it to another), and not later.
        epoch: Observations and corrections.
        single: The answer from this epoch alone.
        may_fix: Whether integers may be claimed.

    Raises:
        ValueError: The state is of another master or of a later epoch.
    """
    time_ns = epoch.rover.raw.time_ns
    if state.time_ns >= time_ns:
        message = f"epoch {time_ns} is not after that of the session, {state.time_ns}; start a session with init()"
        raise ValueError(message)
    if state.master not in ("", epoch.station):
        message = f"the session is of master {state.master}, the epoch of {epoch.station}; change the master first"
        raise ValueError(message)
    before = state
    taken = take_in(policy, state, epoch)
    try:
        fitted = _fitted(policy, taken, epoch)
        if fitted is None:
            return _anew(policy, before, epoch, single, may_fix=may_fix)
        return _solved(policy, before, fitted, epoch, single, may_fix=may_fix)
    except np.linalg.LinAlgError:
        none = np.zeros(0, dtype=np.int64)
        lost = replace(init(), restarts=before.restarts + 1)
        return lost, SessionInfo(single, True, None, taken.slips, none, True, 0, 0)  # noqa: FBT003 - columns


@dataclass(frozen=True)
class _Fitted:
    """A predicted state whose innovations are all plausible."""

    taken: TakenIn
    state: SessionState
    equations: Equations
    noise: Noise
    resets: IntArray


def _anew(
    policy: SessionPolicy, before: SessionState, epoch: SessionEpoch, single: RoverSolution, *, may_fix: bool
) -> tuple[SessionState, SessionInfo]:
    """Start the session again with this epoch."""
    state, info = step(policy, replace(init(), restarts=before.restarts + 1), epoch, single, may_fix=may_fix)
    return state, replace(info, restarted=True)


def _fitted(policy: SessionPolicy, taken: TakenIn, epoch: SessionEpoch) -> _Fitted | None:
    """Reset ambiguities and leave out codes until all innovations are plausible; ``None`` when that is most of them."""
    state, arcs = taken.state, taken.arcs
    model = equations(policy, state, epoch, arcs)
    scale = noise_scale(policy, state.noise[:, :, arcs])
    noise = noise_of(policy, model, taken.elapsed_s, taken.first, state.fresh[:, arcs], scale)
    resets: list[int] = []
    seen: set[int] = set()
    for _ in range(_MAX_TESTS):
        size = misfit(state.mean, state.covariance, model, noise.tested_m2).size
        size[list(seen)] = 0.0
        worst = int(np.argmax(size))
        if size[worst] < policy.outlier_limit:
            break
        seen.add(worst)
        row, slot = int(model.double.row[worst]), int(model.double.slot[worst])
        if model.double.is_code[worst]:
            noise = noise.without(worst)
            continue
        resets.append(row)
        state = reset_ambiguities(
            state, arcs[[row]], np.array([slot]), taken.start_cyc[slot, [row]], policy.ambiguity_sd_cyc
        )
    share = len(set(resets)) / max(int(np.count_nonzero(~taken.first)), 1)
    if share > policy.reset_share and not taken.first.all():
        return None
    if resets:
        fresh = noise_of(policy, model, taken.elapsed_s, taken.first, state.fresh[:, arcs], scale)
        unused = noise.reported_m2 - fresh.reported_m2
        noise = Noise(noise.reported_m2, fresh.carried_m2 + unused, noise.tested_m2)
    satellites = epoch.rover.satellite[np.array(sorted(set(resets)), dtype=np.int64)]
    return _Fitted(taken, state, model, noise, satellites)


def _solved(
    policy: SessionPolicy,
    before: SessionState,
    fitted: _Fitted,
    epoch: SessionEpoch,
    single: RoverSolution,
    *,
    may_fix: bool,
) -> tuple[SessionState, SessionInfo]:
    state, model, arcs = fitted.state, fitted.equations, fitted.taken.arcs
    mean, covariance = update(state.mean, state.covariance, model, fitted.noise.carried_m2)
    carried = replace(state, mean=mean, covariance=covariance, fresh=_learned(state, model))
    rows = model.integer_rows
    owner = _owner(model, rows)
    prior_sd = np.sqrt(policy.ionosphere_factor * np.diagonal(epoch.corrections.ionosphere_covariance_m2))
    against_m = mean[ionosphere_index(arcs)] - epoch.corrections.ionosphere_m
    odd = np.abs(against_m) > policy.ionosphere_limit * np.maximum(prior_sd, 1e-3)
    found = find(policy, mean, covariance, rows, owner, prior_sd)
    if not may_fix:
        found = replace(found, rows=found.rows[:0], integers=found.integers[:0])
    carried = hold(policy, confirm(carried, found), found)
    carried = _without_odd(policy, carried, fitted.taken, odd)
    likely = condition_on_integers(state.mean, state.covariance, found.rows, found.integers)
    fit = misfit(*likely, model, fitted.noise.reported_m2)
    noise = state.noise.copy()
    noise[:, :, arcs] = learned_noise(policy, noise[:, :, arcs], fit, model, fitted.noise, fitted.taken.elapsed_s)
    carried = replace(carried, noise=noise)
    solution = _position(policy, state, carried, fitted, epoch, found)
    unfit = solution.status not in _CLAIMED and solution.reason == FixStatus.FIT
    carried = replace(carried, unfit=carried.unfit + 1 if unfit else 0)
    carried, solution, agrees, from_single = _compared(policy, carried, solution, single, found.held)
    if carried.disagreements >= policy.disagreements or carried.unfit >= policy.unfit_epochs:
        return _anew(policy, before, epoch, single, may_fix=may_fix)
    info = SessionInfo(
        solution,
        from_single,
        agrees,
        fitted.taken.slips,
        np.union1d(fitted.resets, epoch.rover.satellite[odd]),
        False,  # noqa: FBT003 - a column
        found.held,
        found.count,
    )
    return carried, info


def _learned(state: SessionState, model: Equations) -> BoolArray:
    """Return which ambiguities are still fresh after an epoch."""
    phase = ~model.double.is_code
    fresh = state.fresh.copy()
    fresh[model.double.slot[phase], model.arcs[model.double.row[phase]]] = False
    return fresh


def _owner(model: Equations, rows: FloatArray) -> IntArray:
    """Return the satellite (row of the epoch) of each double difference: the one with the positive sign."""
    arc_of = {int(index): int(row) for index, row in zip(model.ambiguity, model.double.row, strict=True) if index >= 0}
    return np.array([arc_of[int(np.argmax(row))] for row in rows], dtype=np.int64)


def _without_odd(policy: SessionPolicy, state: SessionState, taken: TakenIn, odd: BoolArray) -> SessionState:
    """Let go of integers that imply an ionosphere which the field excludes: 83 mm for one cycle on both carriers."""
    slot, row = np.nonzero(np.isfinite(taken.start_cyc) & odd[None, :])
    return reset_ambiguities(state, taken.arcs[row], slot, taken.start_cyc[slot, row], policy.ambiguity_sd_cyc)


def _position(
    policy: SessionPolicy,
    state: SessionState,
    carried: SessionState,
    fitted: _Fitted,
    epoch: SessionEpoch,
    found: Found,
) -> RoverSolution:
    """Return the position of the epoch, with the noise of the epoch; of a rover at rest, what has been carried."""
    if policy.motion is Motion.STATIC:
        mean, covariance = condition_on_integers(carried.mean, carried.covariance, found.rows, found.integers, 1e-8)
        spread = covariance[POSITION, POSITION] + policy.lasting_share * _of_epoch_m2(policy, state, fitted, found)
    else:
        mean, covariance = condition_on_integers(state.mean, state.covariance, found.rows, found.integers)
        mean, covariance = update(mean, covariance, fitted.equations, fitted.noise.reported_m2)
        spread = covariance[POSITION, POSITION]
    position_m = state.origin_m + mean[POSITION]
    local = enu_rotation_at(position_m) @ spread @ enu_rotation_at(position_m).T
    horizontal_sd, vertical_sd = float(np.sqrt(local[0, 0] + local[1, 1])), float(np.sqrt(local[2, 2]))
    fixed = found.held + len(found.integers)
    status, reason = RoverStatus.FLOAT, str(found.fix.status) if found.fix is not None else "no integers"
    probabilities = [carried.wrong_probability if found.held else np.nan, found.probability]
    if fixed < policy.rover.fix.min_integers:
        pass
    elif horizontal_sd > policy.rover.maximum_horizontal_sd_m or vertical_sd > policy.rover.maximum_vertical_sd_m:
        reason = (
            f"fixed integers leave {horizontal_sd * 1000:.0f} mm horizontal and {vertical_sd * 1000:.0f} mm vertical"
        )
    else:
        status = RoverStatus.FIXED if fixed >= found.count else RoverStatus.PARTIAL
        reason = "" if status is RoverStatus.FIXED else f"{fixed} of {found.count} integers are fixed"
    claimed = status in _CLAIMED
    wrong = float(np.nanmax([*probabilities, _SMALLEST_PROBABILITY])) if claimed else float("nan")
    left_out = np.zeros(0, dtype=np.int64)
    return RoverSolution(status, position_m, spread, epoch.rover.satellite, left_out, wrong, found.fix, reason)


def _of_epoch_m2(policy: SessionPolicy, state: SessionState, fitted: _Fitted, found: Found) -> FloatArray:
    """Return the covariance that the position of this epoch would have by itself, ECEF, shape ``(3, 3)``."""
    mean, covariance = condition_on_integers(state.mean, state.covariance, found.rows, found.integers)
    covariance[POSITION] = 0.0
    covariance[:, POSITION] = 0.0
    covariance[POSITION, POSITION] = policy.position_sd_m**2 * np.eye(3)
    _, covariance = update(mean, covariance, fitted.equations, fitted.noise.reported_m2)
    own_m2: FloatArray = covariance[POSITION, POSITION]
    return own_m2


def _compared(
    policy: SessionPolicy, state: SessionState, solution: RoverSolution, single: RoverSolution, held: int
) -> tuple[SessionState, RoverSolution, bool | None, bool]:
    """Compare with the single epoch: who agrees is surer, who contradicts is counted, who has nothing is helped."""
    claimed, sure = solution.status in _CLAIMED, single.status in _CLAIMED
    if not sure:
        return replace(state, disagreements=0), solution, None, False
    apart_m = enu_rotation_at(solution.position_m) @ (single.position_m - solution.position_m)
    spread = solution.covariance_m2 + single.covariance_m2
    local = np.diagonal(enu_rotation_at(solution.position_m) @ spread @ enu_rotation_at(solution.position_m).T)
    limit_m = np.array([1.0, 1.0, 3.0]) * policy.agreement_m
    agrees = bool(np.all(np.abs(apart_m) < np.maximum(limit_m, _SIGMAS * np.sqrt(local))))
    certain = single.wrong_fix_probability <= policy.certain
    if not claimed:
        # Integers that are held and give no centimetres, while single epochs do, are no good.
        against = state.disagreements + 1 if certain and held >= ENOUGH else 0
        # The integers of the single epoch are believed when what is carried does not exclude them.
        help_ = agrees and certain
        return replace(state, disagreements=against), single if help_ else solution, None, help_
    if agrees:
        both = max(_SMALLEST_PROBABILITY, solution.wrong_fix_probability * single.wrong_fix_probability)
        wrong = state.wrong_probability
        wrong = max(_SMALLEST_PROBABILITY, wrong * single.wrong_fix_probability) if np.isfinite(wrong) else wrong
        state = replace(state, disagreements=0, wrong_probability=wrong)
        return state, replace(solution, wrong_fix_probability=both), True, False
    if not certain:
        return state, solution, False, False
    doubtful = replace(
        solution,
        status=RoverStatus.FLOAT,
        wrong_fix_probability=float("nan"),
        reason=f"this epoch alone says {1000 * float(np.hypot(*apart_m[:2])):.0f} mm elsewhere",
    )
    return replace(state, disagreements=state.disagreements + 1), doubtful, False, False
