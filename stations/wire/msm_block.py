"""A decoded Multiple Signal Message as a value: its header and its rows as columns."""

from dataclasses import dataclass, replace

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.signals import Constellation
from stations.wire.msm_fields import CHANNEL_OFFSET, FULL_LEVELS, HIGHEST_CHANNEL_FIELD, RANGE_MS_M, group_of


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
    """One decoded MSM: header, rows, and what stands behind the rows.

    MSM1 to MSM3 leave out the whole milliseconds of a satellite's range: its codes and phases are then known up
    to the same multiple of 299.8 km, and become observations in :meth:`epoch` with an approximate range.

    Attributes:
        number: Message number.
        station_number: Reference station number DF003, 0-4095.
        more: Another MSM of the same station and time follows (DF393).
        constellation: Satellite system of all rows.
        flags: The rest of the header.
        sent: The rows as they were sent, also where whole milliseconds are missing; sorted.
        phase_range_m: Phase as a range in metres, NaN where invalid, shape ``(row,)``; known also where the
            frequency, and with it the phase in cycles, is not.
        range_rate_m_s: Phase range rate, positive for growing ranges, NaN where absent, shape ``(row,)``.
        rough: Rough range in 2^-10 ms or -1, rough rate in m/s, extended satellite information, as sent with the
            satellite of the row, shape ``(3, row)``.
        skipped: Cells left out because their signal is not in ``stations.signals``.
    """

    number: int
    station_number: int
    more: bool
    constellation: Constellation
    flags: MsmFlags
    sent: StationEpoch
    phase_range_m: FloatArray
    range_rate_m_s: FloatArray
    rough: IntArray
    skipped: int

    @property
    def epoch_ns(self) -> int:
        """Time tag, ns of GPS time."""
        return self.sent.time_ns

    @property
    def satellite(self) -> IntArray:
        """Satellite integers, shape ``(row,)``, sorted."""
        return self.sent.satellite

    @property
    def signal(self) -> IntArray:
        """Signal integers, shape ``(row,)``, sorted within a satellite."""
        return self.sent.signal

    @property
    def pseudorange_m(self) -> FloatArray:
        """Metres, NaN where invalid, shape ``(row,)``."""
        return self.sent.pseudorange_m

    @property
    def phase_cyc(self) -> FloatArray:
        """Cycles, RINEX sign, NaN where invalid or the frequency is unknown, shape ``(row,)``."""
        return self.sent.phase_cyc

    @property
    def doppler_hz(self) -> FloatArray:
        """Doppler shift, RINEX sign, NaN where absent or the frequency is unknown, shape ``(row,)``."""
        return self.sent.doppler_hz

    @property
    def frequency_hz(self) -> FloatArray:
        """Carrier frequency, NaN for GLONASS satellites of unknown channel, shape ``(row,)``."""
        return self.sent.frequency_hz

    @property
    def full_ranges(self) -> bool:
        """Whether the message has whole milliseconds: MSM4 to MSM7."""
        group = group_of(self.number)
        return group is not None and group[1] in FULL_LEVELS

    @property
    def channel(self) -> FloatArray:
        """GLONASS channels named in the message (DF419), NaN for none, shape ``(row,)``."""
        group = group_of(self.number)
        if self.constellation is not Constellation.GLONASS or group is None or group[1] not in {5, 7}:
            return np.full(len(self.sent), np.nan)
        field = self.rough[2]
        return np.where(field <= HIGHEST_CHANNEL_FIELD, field - float(CHANNEL_OFFSET), np.nan)

    def at(self, epoch_ns: int) -> "MsmBlock":
        """Return the same message with another time tag."""
        return replace(self, sent=replace(self.sent, time_ns=epoch_ns))

    def epoch(self, near_m: FloatArray | None = None) -> StationEpoch:
        """Return the rows as an epoch of their own.

        Args:
            near_m: For messages without whole milliseconds: ranges that are right within 100 km, NaN where nothing
                is known, shape ``(row,)``.

        Returns:
            All rows; those of MSM1 to MSM3 without an approximate range have neither code nor phase.
        """
        if self.full_ranges:
            return self.sent
        modulo_m = self.rough[0] * (RANGE_MS_M / 1024)
        near_m = np.full(len(self.sent), np.nan) if near_m is None else near_m
        whole_m = np.round((near_m - modulo_m) / RANGE_MS_M) * RANGE_MS_M
        phase_range_m = self.phase_range_m + whole_m
        return replace(
            self.sent,
            pseudorange_m=self.sent.pseudorange_m + whole_m,
            phase_cyc=phase_range_m * (self.sent.frequency_hz / SPEED_OF_LIGHT_M_S),
        )
