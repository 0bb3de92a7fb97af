"""The network filter: ambiguities, ionosphere and troposphere of all stations at known coordinates.

``step`` takes one network epoch of reduced observations and returns the next state and a solution.
Arcs and slips are in ``models.network_intake``, the measurement update in ``models.network_update``, the
integers in ``models.network_cycles`` and doubts about them in ``models.devalidation``.

The filter's noise model is pessimistic on purpose (``NetworkPolicy``): it decides integers. The
product that the error field is trained on has its own noise model, in ``models.atmosphere``.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from models.devalidation import (
    contradiction_epochs,
    drop_odd_satellites,
    forget_contradicting,
    lasting_epochs,
    misfitting_stations,
    odd_epochs,
    start_anew_if_contradicted,
)
from models.network_arcs import drop_arcs
from models.network_cycles import all_cycles, fix, judge
from models.network_intake import take_in
from models.network_state import NetworkPolicy, NetworkState, predict
from models.network_update import Observed, update
from models.reduction import Reduced
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S

_TICK_S = 0.02  # time tags are rounded


@dataclass(frozen=True)
class NetworkInfo:
    """What happened in one step; nothing of it is carried.

    Attributes:
        observed: The observations with their flags, arcs as in the returned state.
        basis: Integer cycles, shape ``(cycle, arc)``, of the arcs observed at this epoch.
        closing: The arc that closes each cycle, shape ``(cycle,)``.
        fixed: Whether both ambiguities of a closing arc are held as integers, shape ``(cycle,)``.
        float_sd_m: Standard deviation of ``lambda1 N1 - lambda2 N2`` of each cycle, metres, shape ``(cycle,)``.
        resets: Arcs restarted in this epoch.
        station_restarts: Stations that started anew because they misfitted, or all because of a contradiction.
    """

    observed: Observed
    basis: FloatArray
    closing: IntArray
    fixed: BoolArray
    float_sd_m: FloatArray
    resets: int
    station_restarts: tuple[str, ...]

    @property
    def fixed_share(self) -> float:
        """Share of the independent double differences that are fixed, 0 when there are none."""
        return float(np.mean(self.fixed)) if len(self.fixed) else 0.0


def step(
    policy: NetworkPolicy,
    state: NetworkState,
    epochs: Mapping[str, Reduced],
    time_ns: int,
    doubted: Collection[tuple[int, int]] = (),
) -> tuple[NetworkState, NetworkInfo]:
    """Take in one network epoch.

    Args:
        policy: Constants.
        state: From :func:`models.network_state.init` or the step before.
        epochs: Reduced observations by station; absent stations are simply not there.
        time_ns: Epoch of the network.
        doubted: Stations (index) and satellites whose delay the error field did not believe at the last epoch.

    Returns:
        The new state and what happened.
    """
    dt_s = (time_ns - state.time_ns) / NS_PER_S if state.time_ns >= 0 else policy.correlation_s
    lasting = lasting_epochs(policy, dt_s)
    anew = state.conflict_epochs >= lasting
    state, odd = drop_odd_satellites(policy, start_anew_if_contradicted(policy, state, lasting), lasting)
    state = predict(policy, state, time_ns)
    state = drop_arcs(state, (time_ns - state.arc_seen_ns) > policy.maximum_gap_s * NS_PER_S)
    state, observed, resets = take_in(policy, state, epochs, time_ns)
    more = 0
    restarted: list[int] = []
    since_s = (time_ns - state.updated_ns) / NS_PER_S if state.updated_ns >= 0 else policy.correlation_s
    if _due(policy, state, time_ns, since_s):
        inflation = max(1.0, policy.correlation_s / max(since_s, 1e-3))
        state, observed, more, nis = update(policy, replace(state, updated_ns=time_ns), observed, inflation)
        state = fix(policy, state, observed, dt_s)
        state, restarted = misfitting_stations(policy, state, nis, since_s)
    basis, closing = all_cycles(policy, state, observed, dt_s)
    fixed, float_sd_m, cycles = judge(state, basis, closing, dt_s)
    arc_conflict, conflict_epochs = contradiction_epochs(policy, state, closing, cycles)
    state = replace(
        state,
        arc_held=_held_arcs(state, observed, basis, fixed),
        arc_odd=odd_epochs(policy, state, observed, doubted),
        arc_conflict=arc_conflict,
        conflict_epochs=conflict_epochs,
    )
    state, forgotten = forget_contradicting(policy, state, dt_s)
    names = state.stations if anew else tuple(state.stations[k] for k in restarted)
    return state, NetworkInfo(observed, basis, closing, fixed, float_sd_m, resets + more + odd + forgotten, names)


def _due(policy: NetworkPolicy, state: NetworkState, time_ns: int, since_s: float) -> bool:
    """Return whether the filter takes in the observations of this epoch."""
    if not policy.update_phase_s or state.updated_ns < 0:
        return since_s >= policy.update_interval_s - _TICK_S
    interval_ns = round(policy.update_interval_s * NS_PER_S)
    shift_ns = round((policy.update_phase_s - _TICK_S) * NS_PER_S)
    return (time_ns - shift_ns) // interval_ns != (state.updated_ns - shift_ns) // interval_ns


def _held_arcs(state: NetworkState, observed: Observed, basis: FloatArray, fixed: BoolArray) -> BoolArray:
    """Return which arcs are part of a cycle that is held, shape ``(arc,)``; those not observed stay as before."""
    held = state.arc_held.copy()
    held[observed.arc] = (basis[fixed][:, observed.arc] != 0.0).any(axis=0)
    return held
