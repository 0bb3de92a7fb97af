"""From one master to another without a jump: the whole cycles between their phases, as the network knows them.

Moved to one place, the phases of two masters differ by whole cycles per satellite and by one phase bias per carrier
that all satellites share. Where the network holds the double differences of the two as integers, the cycles are known,
and the stream goes on as if nothing had happened; elsewhere the lock time starts anew.
"""

from dataclasses import dataclass

import numpy as np

from models.network_state import NetworkState
from stations.arrays import BoolArray, FloatArray, IntArray
from stations.epoch import StationEpoch
from stations.signals import SIGNALS, Constellation

_HELD_SD_CYC = 0.02  # as the network filter judges its own integers
_HELD_CYC = 0.05
_SAME_CARRIER_M = 1e-9
SATELLITE_STEP = 1000  # of a key; signals are below


def keys_of(epoch: StationEpoch) -> IntArray:
    """Return one integer per row for its satellite and signal, ascending, shape ``(row,)``."""
    return epoch.satellite * SATELLITE_STEP + epoch.signal


def carriers_of(signal: IntArray) -> IntArray:
    """Return one integer per row for its system and frequency band, shape ``(row,)``."""
    unique, inverse = np.unique(signal, return_inverse=True)
    band = np.array([int(SIGNALS[number].code[0]) for number in unique.tolist()], dtype=np.int64)
    carriers: IntArray = (unique // 100 * 10 + band)[inverse]
    return carriers


def held_between(state: NetworkState, one: int, two: int, satellites: IntArray) -> BoolArray:
    """Return of which satellites the network holds the integers between two stations, on both carriers.

    Args:
        state: Of the network filter.
        one: Station index.
        two: Another one.
        satellites: Ascending, shape ``(n,)``.

    Returns:
        Shape ``(n,)``; per system the largest set of satellites that hold together.
    """
    held = np.zeros(len(satellites), dtype=np.bool_)
    arcs = {(int(r), int(s)): k for k, (r, s) in enumerate(zip(state.arc_station, state.arc_satellite, strict=True))}
    both = np.array([(one, s) in arcs and (two, s) in arcs for s in satellites.tolist()], dtype=np.bool_)
    for system in np.unique(satellites[both] // 100):
        rows = np.flatnonzero(both & (satellites // 100 == system))
        first = np.array([arcs[one, int(s)] for s in satellites[rows]], dtype=np.int64)
        second = np.array([arcs[two, int(s)] for s in satellites[rows]], dtype=np.int64)
        apart_m = np.abs(state.arc_wavelength_m[:, first] - state.arc_wavelength_m[:, second])
        same = (apart_m[0] < _SAME_CARRIER_M) & (apart_m[1] < _SAME_CARRIER_M)
        sure: BoolArray = same[:, None] & same[None, :]
        for carrier in (1, 2):
            a, b = state.ionosphere_index(first) + carrier, state.ionosphere_index(second) + carrier
            mean = state.mean[b] - state.mean[a]
            cross = state.covariance[np.ix_(b, a)]
            single = state.covariance[np.ix_(b, b)] + state.covariance[np.ix_(a, a)] - cross - cross.T
            variance = np.diagonal(single)
            double = variance[:, None] + variance[None, :] - 2.0 * single
            apart = mean[:, None] - mean[None, :]
            sure &= (double < _HELD_SD_CYC**2) & (np.abs(apart - np.rint(apart)) < _HELD_CYC)
        best = int(np.argmax(sure.sum(axis=0)))
        held[rows] = sure[:, best] & (np.count_nonzero(sure[:, best]) > 1)
    return held


@dataclass(frozen=True)
class Handover:
    """What is added to the phases of the new master.

    Attributes:
        offset_cyc: By row of the new epoch, shape ``(row,)``.
        continuous: Rows that go on without a slip, shape ``(row,)``.
        carrier_offset_cyc: What every row of a carrier gets that has no integer of its own.
    """

    offset_cyc: FloatArray
    continuous: BoolArray
    carrier_offset_cyc: dict[int, float]


def hand_over(old: StationEpoch, new: StationEpoch, held: frozenset[int], residue_cyc: float) -> Handover:
    """Return what makes the phases of a new master continue those of the old one.

    Args:
        old: What the old master sends for the place, offsets included.
        new: What the new master gives for the same place and time, without offsets.
        held: Satellites of which the network holds the integers between the two.
        residue_cyc: Largest distance to an integer that is believed.

    Returns:
        Offsets. Those of one carrier are whole cycles apart, so double differences stay integers.
    """
    offset, continuous = np.zeros(len(new)), np.zeros(len(new), dtype=np.bool_)
    carrier_offset: dict[int, float] = {}
    _, of_old, of_new = np.intersect1d(keys_of(old), keys_of(new), assume_unique=True, return_indices=True)
    apart = old.phase_cyc[of_old] - new.phase_cyc[of_new]
    # FDMA is not in the network: its phases have no common bias in cycles, and nobody knows its integers.
    usable = np.isfinite(apart) & np.isin(new.satellite[of_new], list(held))
    usable &= (new.satellite[of_new] // 100) != Constellation.GLONASS
    of_new, apart = of_new[usable], apart[usable]
    carriers = carriers_of(new.signal)
    for carrier in np.unique(carriers[of_new]).tolist():
        rows = of_new[carriers[of_new] == carrier]
        cycles = apart[carriers[of_new] == carrier]
        fraction = cycles - cycles[0]
        common = float(cycles[0] + np.median(fraction - np.rint(fraction)))
        whole = np.rint(cycles - common)
        near = np.abs(cycles - common - whole) < residue_cyc
        carrier_offset[carrier] = common
        offset[carriers == carrier] = common
        offset[rows[near]] += whole[near]
        continuous[rows[near]] = True
    return Handover(offset, continuous, carrier_offset)
