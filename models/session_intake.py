"""The satellites of an epoch are taken into a session: who goes on, who slipped, who is new, who has gone.

Slips that a receiver reports, and jumps of the geometry-free phase, are found here, before any model. What is left is
found by the innovations of all observations together (``models.session``).
"""

from dataclasses import dataclass, replace

import numpy as np

from models.observables import SLOTS
from models.session_observe import SessionEpoch, new_ambiguities_cyc, single_phases_m, wavelengths_m
from models.session_predict import predict_delays, predict_motion
from models.session_state import (
    SessionPolicy,
    SessionState,
    add_arcs,
    drop_arcs,
    reset_ambiguities,
)
from models.validity import lock_lost
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S

_FEWEST_FOR_MEDIAN = 3


@dataclass(frozen=True)
class TakenIn:
    """A state that has the satellites of the epoch.

    Attributes:
        state: Predicted to the epoch.
        arcs: Of the satellites of the epoch, shape ``(n,)``.
        first: Satellites not seen before, shape ``(n,)``.
        elapsed_s: Since each was last observed, shape ``(n,)``.
        start_cyc: What an ambiguity would start from, shape ``(slot, n)``.
        slips: Satellites whose ambiguities were lost.
    """

    state: SessionState
    arcs: IntArray
    first: BoolArray
    elapsed_s: FloatArray
    start_cyc: FloatArray
    slips: IntArray


def take_in(policy: SessionPolicy, state: SessionState, epoch: SessionEpoch) -> TakenIn:
    """Return the state predicted to an epoch, with its satellites, lost ambiguities started anew.

    Args:
        policy: Constants.
        state: At an earlier epoch, of the same master.
        epoch: Observations.
    """
    time_ns = epoch.rover.raw.time_ns
    elapsed_s = (time_ns - state.time_ns) / NS_PER_S if state.time_ns >= 0 else 0.0
    satellites = epoch.rover.satellite
    state = drop_arcs(state, (time_ns - state.seen_ns) / NS_PER_S > policy.maximum_gap_s)
    state = predict_motion(policy, state, elapsed_s, epoch.reference_m)
    first = ~np.isin(satellites, state.satellite)
    state = add_arcs(state, satellites[first])
    arcs = np.searchsorted(state.satellite, satellites)
    state = predict_delays(policy, state, elapsed_s, epoch, arcs)

    elapsed = np.where(first, 0, time_ns - state.seen_ns[arcs])
    rover_lock, master_lock = epoch.rover.raw.lock_ms, epoch.master.raw.lock_ms
    elapsed_ms = elapsed // NS_PER_MS
    lost = lock_lost(elapsed_ms, state.rover_lock_ms[arcs], rover_lock)
    lost |= lock_lost(elapsed_ms, state.master_lock_ms[arcs], master_lock)
    lost |= epoch.findings.slipped | _began_anew(state.followed[arcs], epoch.findings.followed, first)
    phase_m, wavelength_m = single_phases_m(epoch), wavelengths_m(epoch)
    jumped = _jumps(policy, epoch, phase_m - state.phase_m[:, arcs], lost | first)
    there = np.isfinite(phase_m)
    same = np.abs(wavelength_m - state.wavelength_m[:, arcs]) < 1e-6  # noqa: PLR2004 - metres; false for NaN
    goes_on = there & same & ~(lost | first)[None, :] & ~jumped
    start_cyc = new_ambiguities_cyc(state, epoch, arcs, goes_on)
    slot, row = np.nonzero(there & ~goes_on)
    state = reset_ambiguities(state, arcs[row], slot, start_cyc[slot, row], policy.ambiguity_sd_cyc)
    slipped = (lost | np.any(jumped, axis=0)) & ~first
    return TakenIn(
        _remembered(state, epoch, arcs, phase_m, wavelength_m),
        arcs,
        first,
        elapsed / NS_PER_S,
        start_cyc,
        satellites[slipped],
    )


def _began_anew(before: IntArray, now: IntArray, first: BoolArray) -> BoolArray:
    """Return the satellites that the network has begun anew at the master while the rover was not asking, ``(n,)``.

    Its reasons may be others than a slip, but nobody has seen the epochs in between.
    """
    known = (before >= 0) & (now >= 0) & ~first
    if not np.any(now[known] > before[known] + 1):
        return np.zeros(len(now), dtype=np.bool_)  # at most one network epoch, which is this one
    anew: BoolArray = known & (now <= before)
    return anew


def _remembered(
    state: SessionState, epoch: SessionEpoch, arcs: IntArray, phase_m: FloatArray, wavelength_m: FloatArray
) -> SessionState:
    """Return the state with what the next epoch is compared with; a carrier that is missing has lost its ambiguity."""
    time_ns = epoch.rover.raw.time_ns
    seen, rover_lock, master_lock = state.seen_ns.copy(), state.rover_lock_ms.copy(), state.master_lock_ms.copy()
    seen[arcs], rover_lock[arcs], master_lock[arcs] = time_ns, epoch.rover.raw.lock_ms, epoch.master.raw.lock_ms
    followed = state.followed.copy()
    followed[arcs] = epoch.findings.followed
    phases, wavelengths = state.phase_m.copy(), state.wavelength_m.copy()
    phases[:, arcs], wavelengths[:, arcs] = phase_m, wavelength_m
    return replace(
        state,
        time_ns=time_ns,
        started_ns=state.started_ns if state.started_ns >= 0 else time_ns,
        master=epoch.station,
        seen_ns=seen,
        rover_lock_ms=rover_lock,
        master_lock_ms=master_lock,
        followed=followed,
        phase_m=phases,
        wavelength_m=wavelengths,
    )


def _jumps(policy: SessionPolicy, epoch: SessionEpoch, change_m: FloatArray, unusable: BoolArray) -> BoolArray:
    """Return the carriers whose phase jumped against the first of their satellite, shape ``(slot, n)``.

    Both of a pair are called lost, for nobody knows which it was.

    Source:
        Blewitt (1990), GRL 17; the change that all satellites of a system share is hardware.
    """
    jumped = np.zeros((SLOTS, change_m.shape[1]), dtype=np.bool_)
    system = epoch.rover.satellite // 100
    limit_m = policy.slip_floor_m + policy.slip_slope_m / np.sin(epoch.rover.elevation_rad)
    for slot in range(1, SLOTS):
        difference = change_m[slot] - change_m[0]
        for one in np.unique(system):
            rows = np.flatnonzero((system == one) & np.isfinite(difference) & ~unusable)
            if len(rows) < _FEWEST_FOR_MEDIAN:
                continue
            odd = rows[np.abs(difference[rows] - np.median(difference[rows])) > limit_m[rows]]
            jumped[slot, odd] = jumped[0, odd] = True
    return jumped
