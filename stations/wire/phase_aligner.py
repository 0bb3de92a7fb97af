"""Whole cycles between a receiver's phase and its code, chosen once per arc, so that MSM can carry the phase.

MSM sends a phase as a difference of at most 2^-8 ms (1171 m) from the rough range, while a raw receiver
phase may start at any number of cycles. Rule: the offset never changes without the lock time saying so. At
a change the lock time is 0, and from then on it counts no further back than to that change.
"""

from dataclasses import replace

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import NS_PER_MS, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch

# An arc that starts this close to the code is left alone: it is aligned already, by us or by the receiver.
NEAR_M = 100.0
# 1171 m less half a rough range step (147 m), with a margin for code noise; beyond, a new offset is due.
FAR_M = 1000.0

_KEY = 1000  # a signal integer is below
_LONG_AGO_NS = np.iinfo(np.int64).min // 2


class PhaseAligner:
    """Integer-cycle offsets of one station by satellite and signal; the only state is what has been aligned so far."""

    def __init__(self, near_m: float = NEAR_M) -> None:
        """Start without any offset.

        Args:
            near_m: Within which an arc may begin and be left alone. Phases that have been through RTCM are within 1 km
                of their codes, and to come out of it unchanged they need more room than those of a raw receiver.
        """
        self._near_m = near_m
        self._key: IntArray = np.empty(0, dtype=np.int64)
        self._offset_cyc: FloatArray = np.empty(0)
        self._since_ns: IntArray = np.empty(0, dtype=np.int64)
        self._lock_ms: IntArray = np.empty(0, dtype=np.int64)

    def offset_cyc(self, satellite: int, signal: int) -> float:
        """Return the whole cycles that are added to the phase of a satellite and signal at present."""
        found = np.flatnonzero(self._key == satellite * _KEY + signal)
        return float(self._offset_cyc[found[0]]) if len(found) else 0.0

    def align(self, epoch: StationEpoch) -> StationEpoch:
        """Return the epoch with phases near their codes.

        A new arc is one that is seen for the first time, whose lock time is 0, or smaller than before. Its
        offset is chosen anew if the phase is farther than ``near_m`` from the code, within an arc only beyond
        1000 m. A row without code uses another code of its satellite; without any, or without a frequency (GLONASS
        of unknown channel), the offset stays.

        Args:
            epoch: Next epoch of the station, in the order of time.

        Returns:
            The same rows; ``phase_cyc`` with the offsets added, ``lock_ms`` cut to the time since the last
            change of the offset.
        """
        codes_m = _codes_m(epoch)
        place = self._places(epoch.satellite * _KEY + epoch.signal)
        wavelength_m = SPEED_OF_LIGHT_M_S / epoch.frequency_hz
        tracked = np.isfinite(epoch.phase_cyc)
        comparable = tracked & np.isfinite(codes_m) & np.isfinite(wavelength_m)
        offset_cyc = self._offset_cyc[place]
        # Zero where there is nothing to compare: such a row changes nothing.
        away_m = np.where(comparable, codes_m - (epoch.phase_cyc + offset_cyc) * wavelength_m, 0.0)
        fresh = (epoch.lock_ms == 0) | (epoch.lock_ms < self._lock_ms[place])
        change = np.abs(away_m) > np.where(fresh, self._near_m, FAR_M)
        offset_cyc = np.where(change, offset_cyc + np.round(away_m / wavelength_m), offset_cyc)
        since_ns = np.where(change, epoch.time_ns, self._since_ns[place])
        counted_ms = np.maximum((epoch.time_ns - since_ns) // NS_PER_MS, 0)

        self._offset_cyc[place] = offset_cyc
        self._since_ns[place] = since_ns
        self._lock_ms[place] = np.where(tracked, epoch.lock_ms, self._lock_ms[place])
        return replace(epoch, phase_cyc=epoch.phase_cyc + offset_cyc, lock_ms=np.minimum(epoch.lock_ms, counted_ms))

    def _places(self, key: IntArray) -> IntArray:
        # Rows of the state that belong to the keys; unknown keys get one.
        place = np.searchsorted(self._key, key)
        unknown = place == len(self._key)
        if len(self._key):
            unknown |= self._key[place - unknown] != key
        if not unknown.any():
            return place
        missing = key[unknown]
        merged = np.concatenate([self._key, missing])
        order = np.argsort(merged)
        count = len(missing)
        self._key = merged[order]
        self._offset_cyc = np.concatenate([self._offset_cyc, np.zeros(count)])[order]
        self._since_ns = np.concatenate([self._since_ns, np.full(count, _LONG_AGO_NS)])[order]
        # A lock time that nothing can reach: the first epoch of a pair starts an arc.
        self._lock_ms = np.concatenate([self._lock_ms, np.full(count, np.iinfo(np.int64).max)])[order]
        return np.searchsorted(self._key, key)


def _codes_m(epoch: StationEpoch) -> FloatArray:
    # The own code, else the first one of the same satellite, else NaN.
    codes_m = epoch.pseudorange_m.copy()
    missing: BoolArray = ~np.isfinite(codes_m)
    for row in np.flatnonzero(missing):
        others = epoch.pseudorange_m[(epoch.satellite == epoch.satellite[row]) & ~missing]
        if len(others):
            codes_m[row] = others[0]
    return codes_m
