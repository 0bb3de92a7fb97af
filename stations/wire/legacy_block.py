"""A decoded observation message of before MSM as a value: its header and its rows as columns."""

from dataclasses import dataclass, replace

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.signals import Constellation


@dataclass(frozen=True)
class LegacyBlock:
    """One decoded message: header and rows.

    1001, 1003, 1009 and 1011 leave out the whole milliseconds of the range (GLONASS: pairs of them): their codes and
    phases are then known up to the same multiple of ``modulus_m``, and become observations in :meth:`epoch` with
    an approximate range.

    Attributes:
        number: Message number.
        station_number: Reference station number DF003, 0-4095.
        epoch_ns: Time tag, ns of GPS time.
        more: Another message of the same station and time follows (DF005).
        constellation: GPS (SBAS may be among the rows) or GLONASS.
        divergence_free: DF007 or DF036.
        smoothing_interval: DF008 or DF037.
        full_ranges: Ranges are complete.
        modulus_m: What ranges are known up to otherwise.
        satellite: Satellite integers, shape ``(row,)``, sorted.
        signal: Signal integers, shape ``(row,)``, sorted within a satellite.
        channel: GLONASS channels named in the message, NaN for none, shape ``(row,)``.
        frequency_hz: Carrier frequency, shape ``(row,)``; NaN for channels that do not exist.
        base_m: L1 code of the satellite as sent, also where GPS marks it invalid, shape ``(row,)``.
        pseudorange_m: Metres, NaN where invalid, shape ``(row,)``.
        phase_range_m: Phase as a range, metres, as sent, NaN where invalid, shape ``(row,)``.
        cn0_dbhz: NaN where unknown, shape ``(row,)``.
        lock_ms: Least time without a slip that the indicator stands for, shape ``(row,)``.
        skipped: Observations left out: unknown slots, reserved code indicators, repeated satellites.
    """

    number: int
    station_number: int
    epoch_ns: int
    more: bool
    constellation: Constellation
    divergence_free: bool
    smoothing_interval: int
    full_ranges: bool
    modulus_m: float
    satellite: IntArray
    signal: IntArray
    channel: FloatArray
    frequency_hz: FloatArray
    base_m: FloatArray
    pseudorange_m: FloatArray
    phase_range_m: FloatArray
    cn0_dbhz: FloatArray
    lock_ms: IntArray
    skipped: int

    @property
    def phase_minus_code_cyc(self) -> FloatArray:
        """Phase range less L1 code as sent, cycles, shape ``(row,)``."""
        return (self.phase_range_m - self.base_m) * (self.frequency_hz / SPEED_OF_LIGHT_M_S)

    @property
    def without_frequency(self) -> int:
        """Phases that are not known in cycles, because the channel does not exist."""
        return int(np.sum(np.isnan(self.frequency_hz) & ~np.isnan(self.phase_range_m)))

    def at(self, epoch_ns: int) -> "LegacyBlock":
        """Return the same message with another time tag."""
        return replace(self, epoch_ns=epoch_ns)

    def epoch(self, near_m: FloatArray | None = None, rolled_cyc: FloatArray | float = 0.0) -> StationEpoch:
        """Return the rows as an epoch of their own.

        Args:
            near_m: For messages without whole milliseconds: ranges that are right within 100 km, NaN where nothing
                is known, shape ``(row,)``.
            rolled_cyc: Cycles to add, multiples of 1500, shape ``(row,)``: see :class:`PhaseRollOver`.

        Returns:
            All rows; without an approximate range where one is needed they have neither code nor phase.
        """
        whole_m: FloatArray = np.zeros(len(self.satellite))
        if not self.full_ranges:
            near_m = np.full(len(self.satellite), np.nan) if near_m is None else near_m
            whole_m = np.round((near_m - self.base_m) / self.modulus_m) * self.modulus_m
        return StationEpoch(
            self.epoch_ns,
            self.satellite,
            self.signal,
            self.pseudorange_m + whole_m,
            (self.phase_range_m + whole_m) * (self.frequency_hz / SPEED_OF_LIGHT_M_S) + rolled_cyc,
            self.cn0_dbhz,
            self.lock_ms,
            np.zeros(len(self.satellite), dtype=np.bool_),
            np.full(len(self.satellite), np.nan),
            self.frequency_hz,
        )
