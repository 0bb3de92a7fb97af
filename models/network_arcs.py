"""Arcs of the network filter: how they come, go, and begin anew.

An arc is a station-satellite pair tracked without interruption: three numbers of the state and a row of the columns
``arc_...`` (``models.network_state``).
"""

import math
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.network_state import PER_ARC, NetworkPolicy, NetworkState, ionosphere_prior_m2
from stations.arrays import BoolArray, FloatArray, IntArray

# What an arc begins with; carriers that are no number differ from every carrier.
_FRESH_ARC: Final = {
    field.name: math.nan if field.name == "arc_wavelength_m" else 0
    for field in fields(NetworkState)
    if field.name.startswith("arc_")
}


def drop_arcs(state: NetworkState, gone: BoolArray) -> NetworkState:
    """Return the state without some arcs (mask of shape ``(arc,)``)."""
    if not gone.any():
        return state
    keep = ~gone
    head = np.arange(state.first_arc)
    kept = state.ionosphere_index(np.flatnonzero(keep))
    index = np.concatenate([head, (kept[:, None] + np.arange(PER_ARC)).ravel()])
    columns: dict[str, Any] = {name: getattr(state, name)[..., keep] for name in _FRESH_ARC}
    return replace(
        state,
        mean=state.mean[index],
        covariance=state.covariance[np.ix_(index, index)],
        **columns,
    )


def add_arc(policy: NetworkPolicy, state: NetworkState, station: int, satellite: int) -> NetworkState:
    """Return the state with one more arc; its ionosphere is conditioned on the satellite's other arcs.

    The ambiguities are zero with no information until :func:`reset_arc` sets them from code and phase.
    """
    size = len(state.mean)
    mean = np.concatenate([state.mean, np.zeros(PER_ARC)])
    covariance = np.zeros((size + PER_ARC, size + PER_ARC))
    covariance[:size, :size] = state.covariance
    mean[size], cross, variance = _ionosphere_of_others(policy, state, station, satellite, -1)
    covariance[size, :size] = covariance[:size, size] = cross
    covariance[size, size] = variance
    for row in (size + 1, size + 2):
        covariance[row, row] = policy.ambiguity_sd_cyc**2
    fresh = _FRESH_ARC | {"arc_station": station, "arc_satellite": satellite, "arc_seen_ns": state.time_ns}
    columns: dict[str, Any] = {name: _appended(getattr(state, name), value) for name, value in fresh.items()}
    return replace(
        state,
        mean=mean,
        covariance=covariance,
        **columns,
    )


def renew_arc(policy: NetworkPolicy, state: NetworkState, arc: int, start_cyc: FloatArray) -> NetworkState:
    """Return the state with an arc as if it had just come: nothing that its own phases have said is believed.

    What has bent its ambiguities has bent its ionosphere, which would lead to the same wrong integers again.
    """
    mean, covariance = state.mean.copy(), state.covariance.copy()
    row = int(state.ionosphere_index(np.array([arc]))[0])
    station, satellite = int(state.arc_station[arc]), int(state.arc_satellite[arc])
    mean[row], cross, variance = _ionosphere_of_others(policy, state, station, satellite, arc)
    covariance[row, :] = covariance[:, row] = cross
    covariance[row, row] = variance
    return reset_arc(policy, replace(state, mean=mean, covariance=covariance), arc, start_cyc)


def _ionosphere_of_others(
    policy: NetworkPolicy, state: NetworkState, station: int, satellite: int, but: int
) -> tuple[float, FloatArray, float]:
    """Return mean, covariance with the state, and variance of an arc's ionosphere, given the satellite's other arcs.

    Args:
        policy: Constants.
        state: Of the filter.
        station: Index of the arc's station.
        satellite: Of the arc.
        but: Index of an arc that does not count, -1 for none.

    Source:
        Conditional Gaussian (Rasmussen and Williams 2006, eq. A.6), averaged over what is known of the other arcs.
    """
    others = np.flatnonzero((state.arc_satellite == satellite) & (np.arange(len(state.arc_satellite)) != but))
    prior = state.ionosphere_scale**2 * ionosphere_prior_m2(policy, state.station_m)
    if not len(others):
        return 0.0, np.zeros(len(state.mean)), float(prior[station, station])
    known = state.arc_station[others]
    weights = np.linalg.solve(prior[np.ix_(known, known)], prior[known, station])
    index = state.ionosphere_index(others)
    cross: FloatArray = weights @ state.covariance[index]
    variance = prior[station, station] - weights @ prior[known, station] + cross[index] @ weights
    return float(weights @ state.mean[index]), cross, float(variance)


def _appended(column: NDArray[Any], value: float) -> NDArray[Any]:
    return np.concatenate([column, np.full((*column.shape[:-1], 1), value, dtype=column.dtype)], axis=-1)


def reset_arc(policy: NetworkPolicy, state: NetworkState, arc: int, start_cyc: FloatArray) -> NetworkState:
    """Return the state with the two ambiguities of an arc forgotten and put at ``start_cyc`` (shape ``(2,)``)."""
    rows = state.first_arc + PER_ARC * arc + np.array([1, 2])
    mean, covariance, epochs = state.mean.copy(), state.covariance.copy(), state.arc_epochs.copy()
    mean[rows] = start_cyc
    covariance[rows, :] = 0.0
    covariance[:, rows] = 0.0
    covariance[rows, rows] = policy.ambiguity_sd_cyc**2
    epochs[arc] = 0
    odd, surprises = state.arc_odd.copy(), state.arc_surprises.copy()
    odd[arc], surprises[arc] = 0, 0
    return replace(state, mean=mean, covariance=covariance, arc_epochs=epochs, arc_odd=odd, arc_surprises=surprises)


def forget_ambiguities(policy: NetworkPolicy, state: NetworkState, arcs: IntArray) -> NetworkState:
    """Return the state with the ambiguities of some arcs unknown around their present values."""
    for arc in arcs:
        rows = state.first_arc + PER_ARC * int(arc) + np.array([1, 2])
        state = reset_arc(policy, state, int(arc), state.mean[rows])
    return state
