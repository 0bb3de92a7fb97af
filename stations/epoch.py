"""Observations of one receiver at one instant: a frozen struct of equally long arrays.

One row is one signal of one satellite. Missing values are NaN. Rows are sorted by satellite, then
signal. Nothing here is corrected or interpreted; that is the business of ``models``.

The last two columns may be left out: Doppler shifts are then missing, and the frequencies are those of the signals.
"""

from dataclasses import dataclass

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.signals import frequencies_hz


@dataclass(frozen=True)
class StationEpoch:
    """Raw observations of one station (or rover) at one instant.

    Attributes:
        time_ns: Receiver time tag, ns of GPS time.
        satellite: Satellite integers (``stations.signals``), shape ``(row,)``.
        signal: Signal integers, shape ``(row,)``.
        pseudorange_m: Code range, metres, NaN where not observed.
        phase_cyc: Carrier phase, cycles, RINEX sign (grows with range), NaN where not observed.
        cn0_dbhz: Carrier to noise density, NaN where unknown.
        lock_ms: Milliseconds for which the phase has certainly been tracked without a slip; 0 after a
            loss of lock. From RTCM the lower bound of DF407/DF402, from RINEX the age of the arc.
        half_cycle: True where the phase may be off by half a cycle (DF420, LLI bit 1).
        doppler_hz: Doppler shift, RINEX sign (positive for approaching satellites), NaN where not observed.
        frequency_hz: Carrier frequency of the row; NaN where it is unknown, as for GLONASS satellites whose
            channel nobody has told.
    """

    time_ns: int
    satellite: IntArray
    signal: IntArray
    pseudorange_m: FloatArray
    phase_cyc: FloatArray
    cn0_dbhz: FloatArray
    lock_ms: IntArray
    half_cycle: BoolArray
    doppler_hz: FloatArray
    frequency_hz: FloatArray

    def __init__(  # noqa: PLR0913 - one argument a column
        self,
        time_ns: int,
        satellite: IntArray,
        signal: IntArray,
        pseudorange_m: FloatArray,
        phase_cyc: FloatArray,
        cn0_dbhz: FloatArray,
        lock_ms: IntArray,
        half_cycle: BoolArray,
        doppler_hz: FloatArray | None = None,
        frequency_hz: FloatArray | None = None,
    ) -> None:
        """Keep the columns as they are, and fill in the last two if they were left out."""
        # Thousands are made every second; what dataclass writes for a frozen class takes three times as long.
        columns = vars(self)
        columns["time_ns"] = time_ns
        columns["satellite"] = satellite
        columns["signal"] = signal
        columns["pseudorange_m"] = pseudorange_m
        columns["phase_cyc"] = phase_cyc
        columns["cn0_dbhz"] = cn0_dbhz
        columns["lock_ms"] = lock_ms
        columns["half_cycle"] = half_cycle
        columns["doppler_hz"] = np.full(len(satellite), np.nan) if doppler_hz is None else doppler_hz
        columns["frequency_hz"] = frequencies_hz(signal) if frequency_hz is None else frequency_hz

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.satellite)

    def rows(self, keep: BoolArray | IntArray | slice) -> "StationEpoch":
        """Return a new epoch with the rows that ``keep`` chooses: a mask, shape ``(row,)``, indexes, or a slice."""
        return StationEpoch(
            self.time_ns,
            self.satellite[keep],
            self.signal[keep],
            self.pseudorange_m[keep],
            self.phase_cyc[keep],
            self.cn0_dbhz[keep],
            self.lock_ms[keep],
            self.half_cycle[keep],
            self.doppler_hz[keep],
            self.frequency_hz[keep],
        )


def make_epoch(  # noqa: PLR0913 - one argument a column
    time_ns: int,
    satellite: IntArray,
    signal: IntArray,
    pseudorange_m: FloatArray,
    phase_cyc: FloatArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
    doppler_hz: FloatArray | None = None,
    frequency_hz: FloatArray | None = None,
) -> StationEpoch:
    """Return a :class:`StationEpoch` with rows sorted and dtypes made uniform.

    The last two columns may be left out; so may single frequencies, as NaN, except those of GLONASS FDMA.

    Raises:
        ValueError: The columns differ in length, or a (satellite, signal) pair comes twice.
    """
    doppler_hz = np.full(len(satellite), np.nan) if doppler_hz is None else doppler_hz
    known_hz = frequencies_hz(np.asarray(signal, dtype=np.int64))
    frequency_hz = known_hz if frequency_hz is None else np.where(np.isnan(frequency_hz), known_hz, frequency_hz)
    columns = (satellite, signal, pseudorange_m, phase_cyc, cn0_dbhz, lock_ms, half_cycle, doppler_hz, frequency_hz)
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        message = f"columns of an epoch must be equally long, got lengths {sorted(lengths)}"
        raise ValueError(message)
    satellite = np.asarray(satellite, dtype=np.int64)
    signal = np.asarray(signal, dtype=np.int64)
    order = np.lexsort((signal, satellite))
    key = (satellite * 10_000 + signal)[order]
    if np.any(key[1:] == key[:-1]):
        message = "the same satellite and signal comes twice in one epoch"
        raise ValueError(message)
    return StationEpoch(
        int(time_ns),
        satellite[order],
        signal[order],
        np.asarray(pseudorange_m, dtype=np.float64)[order],
        np.asarray(phase_cyc, dtype=np.float64)[order],
        np.asarray(cn0_dbhz, dtype=np.float64)[order],
        np.asarray(lock_ms, dtype=np.int64)[order],
        np.asarray(half_cycle, dtype=np.bool_)[order],
        np.asarray(doppler_hz, dtype=np.float64)[order],
        np.asarray(frequency_hz, dtype=np.float64)[order],
    )
