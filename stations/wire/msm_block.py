"""A decoded Multiple Signal Message as a value: its header and its rows as columns."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.signals import Constellation
from stations.wire.msm_fields import FULL_LEVELS, RANGE_MS_M
from stations.wire.msm_rows import (
    CHANNEL,
    DOPPLER_HZ,
    FREQUENCY_HZ,
    PHASE_CYC,
    PHASE_RANGE_M,
    PSEUDORANGE_M,
    RANGE_RATE_M_S,
    ROUGH_RANGE,
    SATELLITE,
    SIGNAL,
    MsmRows,
)


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

    @cached_property
    def bits(self) -> int:
        """The 18 bits of the header, DF409 to DF418."""
        widths = (3, 7, 2, 2, 1, 3)
        fields = (self.iods, self.reserved, self.clock_steering, self.external_clock, int(self.divergence_free))
        bits = 0
        for value, width in zip((*fields, self.smoothing_interval), widths, strict=True):
            bits = bits << width | value & ((1 << width) - 1)
        return bits


UNKNOWN_FLAGS = MsmFlags()


class MsmBlock(NamedTuple):
    """One decoded MSM: header, rows, and what stands behind the rows.

    MSM1 to MSM3 leave out the whole milliseconds of a satellite's range: its codes and phases are then known up
    to the same multiple of 299.8 km, and become observations in :meth:`epoch` with an approximate range.

    Attributes:
        number: Message number.
        station_number: Reference station number DF003, 0-4095.
        more: Another MSM of the same station and time follows (DF393).
        constellation: Satellite system of all rows.
        flags: The rest of the header.
        epoch_ns: Time tag, ns of GPS time.
        rows: The columns that the message was unpacked into, perhaps together with others.
        first: Its first row there.
        end: The row behind its last one.
        skipped: Cells left out because their signal is not in ``stations.signals``.
        without_frequency: Phases that are not known in cycles, because nobody has told the channel.
    """

    number: int
    station_number: int
    more: bool
    constellation: Constellation
    flags: MsmFlags
    epoch_ns: int
    rows: MsmRows
    first: int
    end: int
    skipped: int
    without_frequency: int

    @property
    def sent(self) -> StationEpoch:
        """The rows as they were sent, also where whole milliseconds are missing; sorted."""
        return self.rows.view(self.epoch_ns, self.first, self.end)

    @property
    def satellite(self) -> IntArray:
        """Satellite integers, shape ``(row,)``, sorted."""
        return self.rows.integers[SATELLITE, self.first : self.end]

    @property
    def signal(self) -> IntArray:
        """Signal integers, shape ``(row,)``, sorted within a satellite."""
        return self.rows.integers[SIGNAL, self.first : self.end]

    @property
    def rough(self) -> IntArray:
        """Rough range in 2^-10 ms or -1, rough rate in m/s, extended satellite information, shape ``(3, row)``.

        As sent with the satellite of the row.
        """
        return self.rows.integers[ROUGH_RANGE:, self.first : self.end]

    @property
    def pseudorange_m(self) -> FloatArray:
        """Metres, NaN where invalid, shape ``(row,)``."""
        return self._column(PSEUDORANGE_M)

    @property
    def phase_cyc(self) -> FloatArray:
        """Cycles, RINEX sign, NaN where invalid or the frequency is unknown, shape ``(row,)``."""
        return self._column(PHASE_CYC)

    @property
    def phase_range_m(self) -> FloatArray:
        """Phase as a range in metres, NaN where invalid, shape ``(row,)``.

        Known also where the frequency, and with it the phase in cycles, is not.
        """
        return self._column(PHASE_RANGE_M)

    @property
    def range_rate_m_s(self) -> FloatArray:
        """Phase range rate, positive for growing ranges, NaN where absent, shape ``(row,)``."""
        return self._column(RANGE_RATE_M_S)

    @property
    def doppler_hz(self) -> FloatArray:
        """Doppler shift, RINEX sign, NaN where absent or the frequency is unknown, shape ``(row,)``."""
        return self._column(DOPPLER_HZ)

    @property
    def frequency_hz(self) -> FloatArray:
        """Carrier frequency, NaN for GLONASS satellites of unknown channel, shape ``(row,)``."""
        return self._column(FREQUENCY_HZ)

    @property
    def channel(self) -> FloatArray:
        """GLONASS channels named in the message (DF419), NaN for none, shape ``(row,)``."""
        return self._column(CHANNEL)

    @property
    def full_ranges(self) -> bool:
        """Whether the message has whole milliseconds: MSM4 to MSM7."""
        return self.number % 10 in FULL_LEVELS

    def at(self, epoch_ns: int) -> "MsmBlock":
        """Return the same message with another time tag."""
        return self._replace(epoch_ns=epoch_ns)

    def epoch(self, near_m: FloatArray | None = None) -> StationEpoch:
        """Return the rows as an epoch of their own.

        Args:
            near_m: For messages without whole milliseconds: ranges that are right within 100 km, NaN where nothing
                is known, shape ``(row,)``.

        Returns:
            All rows; those of MSM1 to MSM3 without an approximate range have neither code nor phase.
        """
        sent = self.rows.view(self.epoch_ns, self.first, self.end)
        if self.number % 10 in FULL_LEVELS:
            return sent
        modulo_m = self.rough[0] * (RANGE_MS_M / 1024)
        near_m = np.full(len(sent), np.nan) if near_m is None else near_m
        whole_m = np.round((near_m - modulo_m) / RANGE_MS_M) * RANGE_MS_M
        phase_range_m = self.phase_range_m + whole_m
        return replace(
            sent,
            pseudorange_m=sent.pseudorange_m + whole_m,
            phase_cyc=phase_range_m * (sent.frequency_hz / SPEED_OF_LIGHT_M_S),
        )

    def _column(self, which: int) -> FloatArray:
        return self.rows.floats[which, self.first : self.end]
