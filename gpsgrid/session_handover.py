"""A session goes from one master to another: the whole cycles between the two, as the network holds them.

Ambiguities of a session are rover minus master. The network carries those of the masters, of the same reduced phases,
so the difference of two masters is added; where the network does not hold it as an integer, the ambiguity starts anew.
Delays against the new master are told anew by the network; with the integers they are known again in the same epoch.
"""

from dataclasses import replace

import numpy as np

from gpsgrid.virtual_handover import held_between
from models.network_state import NetworkState
from models.observables import SLOTS
from models.session_state import SessionState, ambiguity_index
from stations.arrays import FloatArray

_SAME_CARRIER_M = 1e-9


def change_master(state: SessionState, network: NetworkState, master: str) -> SessionState:
    """Return the state of a session relative to another master.

    Args:
        state: Of the session.
        network: Of the cluster that serves the rover.
        master: The new one, a station of ``network``.

    Returns:
        Ambiguities that the network does not hold between the two are marked as not in use, so that the next epoch
        starts them; when the old master is not in this cluster, these are all.
    """
    satellites = state.satellite
    shift = np.full((SLOTS, len(satellites)), np.nan)
    if state.master in network.stations:
        shift = _shift_cyc(state, network, network.stations.index(state.master), network.stations.index(master))
    mean = state.mean.copy()
    slot, arc = np.nonzero(np.isfinite(shift))
    mean[ambiguity_index(arc, slot)] += shift[slot, arc]
    return replace(
        state,
        master=master,
        mean=mean,
        wavelength_m=np.where(np.isfinite(shift), state.wavelength_m, np.nan),
        phase_m=np.full_like(state.phase_m, np.nan),
        master_lock_ms=np.zeros_like(state.master_lock_ms),
        followed=np.full_like(state.followed, -1),
        told_m2=np.full_like(state.told_m2, np.nan),
        zwd_told_m2=np.full(2, np.nan),
        found_rows=state.found_rows[:0],
        found=state.found[:0],
        found_epochs=0,
        disagreements=0,
    )


def _shift_cyc(state: SessionState, network: NetworkState, old: int, new: int) -> FloatArray:
    """Return old minus new ambiguities: whole cycles up to a level per carrier, NaN where unknown, ``(slot, arc)``."""
    held = held_between(network, old, new, state.satellite)
    arcs = {
        (int(r), int(s)): k for k, (r, s) in enumerate(zip(network.arc_station, network.arc_satellite, strict=True))
    }
    shift = np.full((SLOTS, len(held)), np.nan)
    for system in np.unique(state.satellite[held] // 100):
        rows = np.flatnonzero(held & (state.satellite // 100 == system))
        one = np.array([arcs[old, int(s)] for s in state.satellite[rows]], dtype=np.int64)
        two = np.array([arcs[new, int(s)] for s in state.satellite[rows]], dtype=np.int64)
        for carrier in (0, 1):
            apart = (
                network.mean[network.ionosphere_index(one) + 1 + carrier]
                - network.mean[network.ionosphere_index(two) + 1 + carrier]
            )
            whole = np.rint(apart - apart[0])
            wavelength_m = network.arc_wavelength_m[carrier, one]
            match = np.abs(state.wavelength_m[:, rows] - wavelength_m) < _SAME_CARRIER_M
            slot, column = np.nonzero(match)
            shift[slot, rows[column]] = whole[column]
    return shift
