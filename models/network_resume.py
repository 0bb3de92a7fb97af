"""The network filter when the set of stations changes: stations leave, join and move while the others go on.

Used between two epochs: after a restart of the process, whose network file may have been edited meanwhile, and when an
operator changes the network of a running one. Integers between stations that stay are what they were.
"""

from collections.abc import Collection
from dataclasses import fields, replace

import numpy as np

from models import signal_memory
from models.network_arcs import drop_arcs
from models.network_state import NetworkPolicy, NetworkState, zwd_prior_m2
from stations.arrays import FloatArray, IntArray

_ASYMMETRY = 1e-6  # of the largest variance; rounding leaves 1e-15


def with_stations(
    policy: NetworkPolicy,
    state: NetworkState,
    stations: tuple[str, ...],
    station_m: FloatArray,
    kept: Collection[str],
) -> NetworkState:
    """Return the state for another list of stations.

    A station that is not kept begins without arcs; its zenith delay is predicted from the stations that are.

    Args:
        policy: Constants.
        state: Between two epochs.
        stations: Names in their new order.
        station_m: Positions, ECEF metres, shape ``(station, 3)``.
        kept: Names in both lists whose coordinates and antenna are the same as before.

    Raises:
        ValueError: A kept station is not in both lists.
    """
    missing = [name for name in kept if name not in stations or name not in state.stations]
    if missing:
        msg = f"kept stations {missing} are not in both the old ({state.stations}) and the new ({stations}) list"
        raise ValueError(msg)
    state = drop_arcs(state, ~np.isin(state.arc_station, [state.stations.index(name) for name in kept]))
    staying = np.array([k for k, name in enumerate(stations) if name in kept], dtype=np.int64)
    joining = np.array([k for k, name in enumerate(stations) if name not in kept], dtype=np.int64)
    source = np.array([state.stations.index(stations[k]) for k in staying], dtype=np.int64)
    index = np.concatenate([[0], 1 + source, np.arange(state.first_arc, len(state.mean))])
    mean, covariance = _joined(
        state.mean[index], state.covariance[np.ix_(index, index)], zwd_prior_m2(policy, station_m), staying, joining
    )
    # The new stations stand behind the old ones now; put all into the order of the list.
    arcs = np.arange(1 + len(stations), len(mean))
    order = np.concatenate([[0], 1 + np.argsort(np.concatenate([staying, joining])), arcs])
    place = np.full(len(state.stations), -1)
    place[source] = staying
    misfit = np.zeros(len(stations), dtype=np.int64)
    misfit[staying] = state.misfit_epochs[source]
    return replace(
        state,
        stations=stations,
        station_m=station_m,
        mean=mean[order],
        covariance=covariance[np.ix_(order, order)],
        arc_station=place[state.arc_station],
        signals=signal_memory.for_stations(state.signals, place),
        misfit_epochs=misfit,
    )


def _joined(
    mean: FloatArray, covariance: FloatArray, prior_m2: FloatArray, staying: IntArray, joining: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Insert the relative zenith delays of joining stations behind those of the staying ones.

    Source:
        Conditional Gaussian (Rasmussen and Williams 2006, eq. A.6), averaged over what is known of the staying ones.
    """
    if not len(joining):
        return mean, covariance
    known = np.arange(1, 1 + len(staying))
    weights = np.linalg.solve(prior_m2[np.ix_(staying, staying)], prior_m2[np.ix_(staying, joining)]).T
    cross = weights @ covariance[known]
    own = (
        prior_m2[np.ix_(joining, joining)] - weights @ prior_m2[np.ix_(staying, joining)] + cross[:, known] @ weights.T
    )
    split = 1 + len(staying)
    top, below = covariance[:split], covariance[split:]
    rows = [
        np.hstack([top[:, :split], cross[:, :split].T, top[:, split:]]),
        np.hstack([cross[:, :split], own, cross[:, split:]]),
        np.hstack([below[:, :split], cross[:, split:].T, below[:, split:]]),
    ]
    return np.concatenate([mean[:split], weights @ mean[known], mean[split:]]), np.vstack(rows)


def contradiction(state: NetworkState) -> str:
    """Return in which respect a state from outside cannot be one of the filter; empty when nothing is wrong."""
    wrong = _wrong_array(state)
    if wrong:
        return wrong
    stations, variance = len(state.stations), np.diagonal(state.covariance)
    if ((state.arc_station < 0) | (state.arc_station >= stations)).any():
        return f"an arc belongs to none of the {stations} stations"
    if (variance < 0.0).any():
        return "a variance is negative"
    if np.abs(state.covariance - state.covariance.T).max() > _ASYMMETRY * variance.max():
        return "the covariance is not symmetric"
    if (signal_memory.stations_of(state.signals) >= stations).any():
        return f"signals are remembered of none of the {stations} stations"
    return signal_memory.contradiction(state.signals)


def _wrong_array(state: NetworkState) -> str:
    size, stations, arcs = len(state.mean), len(state.stations), len(state.arc_station)
    shapes = {
        "station_m": (stations, 3),
        "mean": (int(state.ionosphere_index(np.array([arcs]))[0]),),
        "covariance": (size, size),
        "misfit_epochs": (stations,),
    }
    for field in fields(state):
        value = getattr(state, field.name)
        if field.name in shapes and value.shape != shapes[field.name]:
            return f"{field.name} has the shape {value.shape}, expected {shapes[field.name]}"
        if field.name.startswith("arc_") and value.shape[-1:] != (arcs,):
            return f"{field.name} has the shape {value.shape}, expected {arcs} arcs"
        if isinstance(value, np.ndarray) and not np.isfinite(value).all():
            return f"{field.name} holds what is no number"
    return ""
