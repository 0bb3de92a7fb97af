"""The carriers that positions are computed from: up to three per satellite, whatever the receiver tracks.

One row is one satellite; the first axis is the *slot* of the carrier, in the order of the table below. A slot that a
receiver does not track, or tracks without code or phase, is NaN. Frequencies are per row: FDMA channels and the two
frequencies of BeiDou's first slot need no special case further on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import FREQUENCY_L1_HZ, FREQUENCY_L2_HZ, SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.signals import GPS_L1CA, GPS_L2W, SIGNALS, Constellation

GPS_L1_L2_M = np.array([SPEED_OF_LIGHT_M_S / FREQUENCY_L1_HZ, SPEED_OF_LIGHT_M_S / FREQUENCY_L2_HZ])
"""Wavelengths of GPS L1 and L2, shape ``(2,)``."""

SLOTS = 3
MISSING = -1
"""Signal of an empty slot."""

# Best first. Within a slot all phases are of one frequency and aligned by the receiver (RINEX 3.04 table A23), so
# receivers that track different codes can be differenced; what their pseudoranges then lack is ``mixed_code``.
_PREFERENCE: dict[Constellation, tuple[str, str, str]] = {
    Constellation.GPS: ("1C 1W 1P 1L 1X", "2W 2P 2L 2X 2S 2C", "5Q 5X 5I"),
    Constellation.GLONASS: ("1C 1P", "2P 2C", ""),
    Constellation.GALILEO: ("1C 1X 1B", "5Q 5X 5I", "7Q 7X 7I"),
    Constellation.QZSS: ("1C 1L 1X", "2L 2X 2S", "5Q 5X 5I"),
    Constellation.BEIDOU: ("2I 2X 2Q 1P 1X 1D", "6I 6X 6Q", "5P 5X 5D 7I 7X 7Q"),
}


def _ranks() -> tuple[IntArray, IntArray]:
    slot = np.full(1000, MISSING, dtype=np.int64)
    rank = np.zeros(1000, dtype=np.int64)
    for signal in SIGNALS.values():
        for number, codes in enumerate(_PREFERENCE.get(signal.constellation, ())):
            if signal.code in codes.split():
                slot[signal.number], rank[signal.number] = number, codes.split().index(signal.code)
    return slot, rank


_SLOT_OF, _RANK_OF = _ranks()
_SATELLITES = 1000  # satellite integers are below
_COLUMNS = tuple(name for name in StationEpoch.__dataclass_fields__ if name != "time_ns")


@dataclass(frozen=True)
class Observables:
    """The satellites of one epoch that have code and phase on at least two carriers, the first among them.

    Attributes:
        time_ns: Receiver time tag.
        satellite: Shape ``(n,)``, ascending.
        signal: Signal integers, ``MISSING`` in empty slots, shape ``(slot, n)``.
        wavelength_m: NaN in empty slots, as everything that follows, shape ``(slot, n)``.
        code_m: Pseudoranges, shape ``(slot, n)``.
        phase_m: Carrier phases in metres, shape ``(slot, n)``.
        cn0_dbhz: NaN also where unknown, shape ``(slot, n)``.
        lock_ms: The shortest lock of the carriers, shape ``(n,)``.
        half_cycle: A phase may be off by half a cycle, shape ``(n,)``.
    """

    time_ns: int
    satellite: IntArray
    signal: IntArray
    wavelength_m: FloatArray
    code_m: FloatArray
    phase_m: FloatArray
    cn0_dbhz: FloatArray
    lock_ms: IntArray
    half_cycle: BoolArray

    @property
    def mu(self) -> FloatArray:
        """Ionospheric delay relative to GPS L1, shape ``(slot, n)``."""
        return ionosphere_factor(self.wavelength_m)

    @property
    def pair(self) -> IntArray:
        """The two slots that tell the ionosphere: the first, and the next that is there; shape ``(2, n)``."""
        second = np.where(self.signal[1] >= 0, 1, len(self.signal) - 1)
        return np.stack([np.zeros_like(second), second])

    def rows(self, keep: BoolArray | IntArray | slice) -> "Observables":
        """Return the rows selected by a mask, an index array or a slice."""
        return Observables(
            self.time_ns,
            self.satellite[keep],
            self.signal[:, keep],
            self.wavelength_m[:, keep],
            self.code_m[:, keep],
            self.phase_m[:, keep],
            self.cn0_dbhz[:, keep],
            self.lock_ms[keep],
            self.half_cycle[keep],
        )


def slots_of(signal: IntArray) -> IntArray:
    """Return the slot that each signal may fill, ``MISSING`` for signals that are not used, any shape."""
    slots: IntArray = _SLOT_OF[signal]
    return slots


def ionosphere_factor(wavelength_m: FloatArray) -> FloatArray:
    """Return the ionospheric delay of carriers relative to GPS L1: ``(f1 / f)^2``, any shape."""
    factor: FloatArray = (wavelength_m * (FREQUENCY_L1_HZ / SPEED_OF_LIGHT_M_S)) ** 2
    return factor


def observables(epoch: StationEpoch) -> Observables:
    """Return the satellites of an epoch that can be used, with the best signal of every carrier.

    Args:
        epoch: All rows of a receiver.

    Returns:
        Satellites with code, phase and a known frequency on the first carrier and on one more.
    """
    return _chosen(epoch, epoch.satellite)


def network_observables(epochs: Mapping[str, StationEpoch]) -> dict[str, Observables]:
    """Return :func:`observables` of all stations of a network epoch, in one pass over all of their rows.

    Args:
        epochs: By station, any time tags.
    """
    if not epochs:
        return {}
    parts = list(epochs.values())
    station = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
    whole = StationEpoch(parts[0].time_ns, *(_stacked(parts, name) for name in _COLUMNS))
    joint = _chosen(whole, station * _SATELLITES + whole.satellite)
    owner, satellite = np.divmod(joint.satellite, _SATELLITES)
    joint = replace(joint, satellite=satellite)
    ends = np.searchsorted(owner, np.arange(1, len(parts) + 1)).tolist()
    starts = [0, *ends[:-1]]
    return {
        name: replace(joint.rows(slice(start, end)), time_ns=one.time_ns)
        for (name, one), start, end in zip(epochs.items(), starts, ends, strict=True)
    }


def _stacked(parts: list[StationEpoch], name: str) -> Any:  # noqa: ANN401 - columns are of three types
    return np.concatenate([getattr(one, name) for one in parts])


def _chosen(epoch: StationEpoch, owner: IntArray) -> Observables:
    """Return the observables of rows that belong to satellites, or to stations' satellites, shape ``(n,)``."""
    usable = ~(np.isnan(epoch.pseudorange_m) | np.isnan(epoch.phase_cyc) | np.isnan(epoch.frequency_hz))
    row = np.flatnonzero(usable & (_SLOT_OF[epoch.signal] >= 0))
    # Ascending satellites, and of each slot the best signal last, so that it overwrites the others.
    row = row[np.lexsort((-_RANK_OF[epoch.signal[row]], owner[row]))]
    satellite, column = np.unique(owner[row], return_inverse=True)
    chosen = np.full((SLOTS, len(satellite)), MISSING, dtype=np.int64)
    chosen[_SLOT_OF[epoch.signal[row]], column] = row
    there = chosen >= 0
    keep = there[0] & (there[1] | there[2])
    chosen, there, satellite = chosen[:, keep], there[:, keep], satellite[keep]

    def gather(values: FloatArray) -> FloatArray:
        return np.where(there, values[chosen], np.nan) if len(values) else np.full(chosen.shape, np.nan)

    wavelength_m = gather(SPEED_OF_LIGHT_M_S / epoch.frequency_hz)
    empty = np.iinfo(np.int64).max
    lock_ms = np.where(there, epoch.lock_ms[chosen], empty).min(axis=0) if len(satellite) else satellite
    half: BoolArray = np.zeros(len(satellite), dtype=np.bool_)
    if len(satellite):
        half = np.asarray((there & epoch.half_cycle[chosen]).any(axis=0))
    return Observables(
        epoch.time_ns,
        satellite,
        np.where(there, epoch.signal[chosen], MISSING) if len(satellite) else chosen,
        wavelength_m,
        gather(epoch.pseudorange_m),
        gather(epoch.phase_cyc) * wavelength_m,
        gather(epoch.cn0_dbhz),
        lock_ms,
        half,
    )


def gps_l1_l2(
    time_ns: int,
    satellite: IntArray,
    code_m: FloatArray,
    phase_m: FloatArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
) -> Observables:
    """Return observables of GPS on L1 C/A and L2 P(Y) from columns; shapes as in :class:`Observables`, two slots."""
    one = np.ones(len(satellite), dtype=np.int64)
    return Observables(
        time_ns,
        satellite,
        np.stack([GPS_L1CA * one, GPS_L2W * one]),
        GPS_L1_L2_M[:, None] * one,
        code_m,
        phase_m,
        cn0_dbhz,
        lock_ms,
        half_cycle,
    )
