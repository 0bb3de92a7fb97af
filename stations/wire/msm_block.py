"""A decoded Multiple Signal Message as a value: its header and its rows as columns."""

from dataclasses import dataclass

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.epoch import StationEpoch
from stations.signals import Constellation
from stations.wire.msm_fields import WAVELENGTHS_M


@dataclass(frozen=True)
class MsmFlags:
    """What an MSM header says about receiver and clock; the defaults say that nothing is known.

    Attributes:
        iods: Issue of data station, DF409.
        clock_steering: DF411: 0 none, 1 steered, 2 unknown.
        external_clock: DF412: 0 internal, 1 external and locked, 2 external and not locked, 3 unknown.
        divergence_free: Divergence-free smoothing is used, DF417.
        smoothing_interval: DF418, 0 for none.
        reserved: Seven bits that the standard reserves and some receivers set.
    """

    iods: int = 0
    clock_steering: int = 2
    external_clock: int = 3
    divergence_free: bool = False
    smoothing_interval: int = 0
    reserved: int = 0


UNKNOWN_FLAGS = MsmFlags()


@dataclass(frozen=True)
class MsmBlock:
    """One decoded MSM: header and rows; the columns are those of :class:`StationEpoch` and the range rate.

    Attributes:
        number: Message number.
        station_number: Reference station number DF003, 0-4095.
        epoch_ns: Time tag, ns of GPS time.
        more: Another MSM of the same station and time follows (DF393).
        constellation: Satellite system of all rows.
        flags: The rest of the header.
        satellite: Satellite integers, shape ``(row,)``, sorted.
        signal: Signal integers, shape ``(row,)``, sorted within a satellite.
        pseudorange_m: Metres, NaN where invalid, shape ``(row,)``.
        phase_cyc: Cycles, RINEX sign, NaN where invalid, shape ``(row,)``.
        range_rate_m_s: Phase range rate, positive for growing ranges, NaN where absent, shape ``(row,)``.
        cn0_dbhz: NaN where unknown, shape ``(row,)``.
        lock_ms: Least time without a slip that the lock time indicator stands for, shape ``(row,)``.
        half_cycle: DF420, shape ``(row,)``.
        skipped: Cells left out because their signal is not in ``stations.signals``.
    """

    number: int
    station_number: int
    epoch_ns: int
    more: bool
    constellation: Constellation
    flags: MsmFlags
    satellite: IntArray
    signal: IntArray
    pseudorange_m: FloatArray
    phase_cyc: FloatArray
    range_rate_m_s: FloatArray
    cn0_dbhz: FloatArray
    lock_ms: IntArray
    half_cycle: BoolArray
    skipped: int

    def epoch(self) -> StationEpoch:
        """Return the rows as an epoch of their own."""
        return StationEpoch(
            self.epoch_ns,
            self.satellite,
            self.signal,
            self.pseudorange_m,
            self.phase_cyc,
            self.cn0_dbhz,
            self.lock_ms,
            self.half_cycle,
        )

    @property
    def doppler_hz(self) -> FloatArray:
        """Doppler shift, Hz, RINEX sign (positive for approaching satellites), shape ``(row,)``."""
        return -self.range_rate_m_s / WAVELENGTHS_M[self.constellation][self.signal % 100]
