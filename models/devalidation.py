"""Doubt about integers that are held: what a wrong fix gives away afterwards, and what then starts anew.

Wrong integers agree with everything at the epoch they are fixed, or they would not have been. Later they show in three
ways: phases of a station that misfit for long; a slant delay that its neighbours cannot explain (83 mm for one cycle on
each frequency); and open cycles that become well known without coming near an integer, because the rest was bent.
Persistence is asked for in each case: a travelling disturbance is no wrong fix.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from models.network_arcs import drop_arcs, forget_ambiguities, renew_arc
from models.network_state import NetworkPolicy, NetworkState, init, ionosphere_prior_m2
from models.network_update import Observed
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_S

_MIN_STATIONS = 3  # with two, nobody can say which one is odd
_NOISE_M = 0.01  # of a zenith ionosphere in the state, generous
_FEWEST_CONFLICTS = 4  # epochs
_MOST_RELAPSES = 3
_FREE_M = 10.0  # the common level of a satellite is not observed


def misfitting_stations(
    policy: NetworkPolicy, state: NetworkState, nis: FloatArray, dt_s: float
) -> tuple[NetworkState, list[int]]:
    """Return the state after stations that misfitted for long lost their ambiguities, and which they were.

    Args:
        policy: Constants.
        state: Of the filter.
        nis: Normalised squared surprise of the phases per station, shape ``(station,)``, NaN where it has none.
        dt_s: Time since the last epoch.
    """
    misfit = np.where(nis > policy.reset_nis, state.misfit_epochs + 1, 0)
    bad = np.flatnonzero(misfit > max(policy.reset_epochs, policy.reset_s / max(dt_s, 1e-3)))
    misfit[bad] = 0
    state = replace(state, misfit_epochs=misfit)
    state = forget_ambiguities(policy, state, np.flatnonzero(np.isin(state.arc_station, bad)))
    return state, [int(k) for k in bad]


def odd_epochs(
    policy: NetworkPolicy, state: NetworkState, observed: Observed, doubted: Collection[tuple[int, int]]
) -> IntArray:
    """Return for how many epochs in a row each arc of the state has been odd, shape ``(arc,)``.

    Args:
        policy: Constants.
        state: Of the filter.
        observed: Arcs of this epoch.
        doubted: Stations (index) and satellites that the error field does not believe.
    """
    odd = np.zeros(len(state.arc_station), dtype=np.bool_)
    odd[observed.arc] = _unlike_neighbours(policy, state, observed)
    if doubted:
        for arc in observed.arc:
            odd[arc] |= (int(state.arc_station[arc]), int(state.arc_satellite[arc])) in doubted
    # Where nothing is held nothing held is wrong, and an arc that wanders is known to be odd.
    unsteady = np.zeros(len(odd), dtype=np.bool_)
    unsteady[observed.arc] = ~observed.steady
    return np.where(odd & state.arc_held & ~unsteady, state.arc_odd + 1, 0)


def lasting_epochs(policy: NetworkPolicy, dt_s: float) -> int:
    """Return for how many epochs a doubt must last: some minutes at any rate of the data."""
    return max(policy.odd_epochs, math.ceil(policy.odd_s / max(dt_s, 1e-3)))


def drop_odd_satellites(policy: NetworkPolicy, state: NetworkState, lasting: int) -> tuple[NetworkState, int]:
    """Return the state without the satellites of which an arc was odd for long, and how many arcs those were.

    Whole arcs, not only their ambiguities: a bent ionosphere would lead to the same integers again. All stations,
    because the one that looks odd need not be the wrong one: two of five that agree are outvoted. When it is more than
    a fifth of the satellites within an hour, everything starts anew. Observed arcs join at once.
    """
    satellites = state.arc_satellite[state.arc_odd >= lasting]
    if not len(satellites):
        return state, 0
    recent = state.odd_ns >= 0 and state.time_ns - state.odd_ns < policy.odd_again_s * NS_PER_S
    count = len(np.unique(satellites)) + (state.odd_count if recent else 0)
    many = count > max(1.0, policy.odd_share * len(np.unique(state.arc_satellite)))
    bad = np.ones(len(state.arc_satellite), dtype=np.bool_) if many else np.isin(state.arc_satellite, satellites)
    state = anew(policy, state) if many else drop_arcs(state, bad)
    return replace(state, odd_ns=state.time_ns, odd_count=0 if many else count), int(np.count_nonzero(bad))


def _unlike_neighbours(policy: NetworkPolicy, state: NetworkState, observed: Observed) -> BoolArray:
    """Return, per observed arc, whether its zenith ionosphere is far from what the satellite's other arcs say.

    Source:
        Leave-one-out residuals, Rasmussen and Williams (2006), eqs. 5.10 to 5.12, under the filter's own prior.
    """
    prior = state.ionosphere_scale**2 * ionosphere_prior_m2(policy, state.station_m)
    values = state.mean[state.ionosphere_index(observed.arc)]
    satellites = state.arc_satellite[observed.arc]
    odd = np.zeros(len(observed.arc), dtype=np.bool_)
    _, column, count = np.unique(satellites, return_inverse=True, return_counts=True)
    by_satellite = np.argsort(column, kind="stable")
    first = np.cumsum(count) - count
    # All satellites that are seen by as many stations at once.
    for seen in np.unique(count[count >= _MIN_STATIONS]).tolist():
        rows = by_satellite[first[count == seen][:, None] + np.arange(seen)]
        where = state.arc_station[observed.arc[rows]]
        covariance = prior[where[:, :, None], where[:, None, :]] + _FREE_M**2 + _NOISE_M**2 * np.eye(seen)
        precision = np.linalg.solve(covariance, np.broadcast_to(np.eye(seen), covariance.shape))
        weighted = (precision @ values[rows][:, :, None])[:, :, 0]
        z = np.abs(weighted / np.sqrt(np.diagonal(precision, axis1=1, axis2=2)))
        worst, each = np.argmax(z, axis=1), np.arange(len(rows))
        odd[rows[each, worst]] = z[each, worst] > policy.odd_sigma
    return odd


@dataclass(frozen=True)
class Cycles:
    """The integer cycles of an epoch, one row a cycle and band.

    Attributes:
        mean_cyc: Shape ``(n,)``.
        sd_cyc: Shape ``(n,)``.
        held: Whether it is held as an integer, shape ``(n,)``.
        age_epochs: Of the closing arc's ambiguities, shape ``(n,)``.
        age_s: The same in seconds, shape ``(n,)``.
    """

    mean_cyc: FloatArray
    sd_cyc: FloatArray
    held: BoolArray
    age_epochs: IntArray
    age_s: FloatArray


def contradiction_epochs(
    policy: NetworkPolicy, state: NetworkState, closing: IntArray, cycles: Cycles
) -> tuple[IntArray, int]:
    """Return for how many epochs in a row cycles have contradicted what is held.

    Args:
        policy: Constants.
        state: Of the filter.
        closing: The arc that closes each cycle, shape ``(cycle,)``.
        cycles: All cycles of the epoch, open or held.

    Returns:
        By arc, shape ``(arc,)``, and for so many cycles at once that something held must be wrong.
    """
    known = (cycles.age_epochs >= 2 * policy.ar_minimum_epochs) & (cycles.sd_cyc < policy.conflict_sd_cyc)
    away = np.abs(cycles.mean_cyc - np.rint(cycles.mean_cyc)) > policy.conflict_cyc
    old = cycles.age_s > policy.stagnant_s
    stagnant = bool(old.any()) and float(np.mean(~cycles.held[old])) > policy.stagnant_share
    bad, sure = (known & away).reshape(2, -1).any(axis=0), known.reshape(2, -1).any(axis=0)
    widespread = int(np.count_nonzero(bad)) > policy.conflict_share * int(np.count_nonzero(sure))
    arcs = np.zeros(len(state.arc_station), dtype=np.int64)
    arcs[closing[bad]] = state.arc_conflict[closing[bad]] + 1
    return arcs, state.conflict_epochs + 1 if stagnant or widespread else 0


def forget_contradicting(policy: NetworkPolicy, state: NetworkState, dt_s: float) -> tuple[NetworkState, int]:
    """Return the state after arcs lost their ambiguities that have contradicted alone, and how many those were.

    One arc among many that is no integer has been bent itself, by multipath that nothing else has shown. An arc to
    which that happens again and again is right, and what its satellite's integers are held at is not: they all go.
    """
    least = max(_FEWEST_CONFLICTS, math.ceil(policy.conflict_arc_s / max(dt_s, 1e-3)))
    bad = np.flatnonzero(state.arc_conflict >= least)
    if not len(bad):
        return state, 0
    relapses, odd, conflict = state.arc_relapses.copy(), state.arc_odd.copy(), state.arc_conflict.copy()
    relapses[bad] += 1
    conflict[bad] = 0
    state = replace(state, arc_relapses=relapses, arc_conflict=conflict)
    for arc in bad.tolist():
        state = renew_arc(policy, state, arc, state.mean[state.ionosphere_index(np.array([arc]))[0] + np.array([1, 2])])
    again = bad[relapses[bad] >= _MOST_RELAPSES]
    odd[again] = lasting_epochs(policy, dt_s)
    return (replace(state, arc_odd=odd) if len(again) else state), len(bad)


def start_anew_if_contradicted(policy: NetworkPolicy, state: NetworkState, lasting: int) -> NetworkState:
    """Return a state without knowledge when contradictions have lasted; the same state otherwise.

    Not only ambiguities are forgotten: ionosphere and troposphere have been bent to agree with what was held.
    """
    return state if state.conflict_epochs < lasting else anew(policy, state)


def anew(policy: NetworkPolicy, state: NetworkState) -> NetworkState:
    """Return a state that knows nothing but the time, and how restless the ionosphere is."""
    fresh = init(policy, state.stations, state.station_m)
    return replace(fresh, time_ns=state.time_ns, ionosphere_scale=state.ionosphere_scale)
