"""Packing Multiple Signal Messages 4 to 7 at full speed; the same as ``msm_slow.encode_slow``.

The rough range of a satellite is its first code, rounded to 2^-10 ms. Whatever does not fit beside it
into the fine fields gets the invalid code of the field: nothing is clipped, nothing wraps.
"""

import numpy as np
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.wire.msm_columns import (
    CN0,
    CODE,
    END,
    FINE_RATE,
    HALF,
    HEADER_BITS,
    HEADER_WIDTHS,
    LOCK,
    MASKS_END,
    MODULO,
    OK,
    OUT_OF_TABLE,
    PHASE,
    RATE,
    TOO_MANY_CELLS,
    UNSORTED,
    WHOLE,
    Bytes,
    columns_at,
    lock_indicator_from,
    put_bits_inplace,
)
from stations.wire.msm_fields import (
    FINE_RATE_RESOLUTION_M_S,
    INVALID_MILLISECONDS,
    LONGEST_RANGE_M,
    MAX_CELLS,
    RANGE_MS_M,
    ROUGH_BITS,
    SATELLITE_BITS,
    SIGNAL_BITS,
)

_FINE_PER_ROUGH_RATE = 10_000  # units of DF404 in one of DF399


@njit(cache=True, nogil=True)
def _rounded(value: float) -> int:
    return int(np.floor(value + 0.5))


@njit(cache=True, nogil=True)
def _rough_of(range_m: float, exponent: int) -> int:
    # -1 for a range that is missing, negative or longer than the field.
    if not 0.0 <= range_m < LONGEST_RANGE_M:
        return -1
    shift = exponent - ROUGH_BITS
    rough = (_rounded(range_m / RANGE_MS_M * (1 << exponent)) + (1 << (shift - 1))) >> shift
    return rough if rough >> ROUGH_BITS < INVALID_MILLISECONDS else -1


@njit(cache=True, nogil=True)
def _fine_of(range_m: float, rough: int, bits: int, exponent: int) -> int:
    limit = 1 << (bits - 1)
    if rough < 0 or not abs(range_m) < 2.0 * LONGEST_RANGE_M:
        return -limit
    fine = _rounded(range_m / RANGE_MS_M * (1 << exponent)) - (rough << (exponent - ROUGH_BITS))
    return fine if -limit < fine < limit else -limit


@njit(cache=True, nogil=True)
def _rough_rate_of(rate_m_s: float, bits: int) -> int:
    limit = 1 << (bits - 1)
    if not abs(rate_m_s) < limit:
        return -limit
    rough = _rounded(rate_m_s)
    return rough if -limit < rough < limit else -limit


@njit(cache=True, nogil=True)
def _fine_rate_of(rate_m_s: float, rough: int, rough_bits: int, bits: int) -> int:
    limit = 1 << (bits - 1)
    if rough == -(1 << (rough_bits - 1)) or not abs(rate_m_s) < 2.0 * (1 << rough_bits):
        return -limit
    fine = _rounded(rate_m_s / FINE_RATE_RESOLUTION_M_S) - rough * _FINE_PER_ROUGH_RATE
    return fine if -limit < fine < limit else -limit


@njit(cache=True, nogil=True)
def _cn0_of(cn0_dbhz: float, bits: int, exponent: int) -> int:
    if not 0.0 < cn0_dbhz < 1 << bits:
        return 0
    cn0 = _rounded(cn0_dbhz * (1 << exponent))
    return cn0 if cn0 < 1 << bits else 0


@njit(cache=True, nogil=True)
def _indexes(numbers: IntArray, width: int) -> tuple[int, IntArray]:
    # How many different numbers there are, and the place of each among them (-1: absent).
    index = np.full(width + 1, -1, dtype=np.int64)
    for number in numbers:
        index[number] = 0
    count = 0
    for number in range(1, width + 1):
        if index[number] == 0:
            index[number] = count
            count += 1
    return count, index


@njit(cache=True, nogil=True)
def _row_status(satellite: IntArray, signal: IntArray, wavelengths_m: FloatArray) -> int:
    before = 0
    for row in range(satellite.size):
        if not (1 <= satellite[row] <= SATELLITE_BITS and 1 <= signal[row] <= SIGNAL_BITS):
            return OUT_OF_TABLE
        if np.isnan(wavelengths_m[signal[row]]):
            return OUT_OF_TABLE
        key = satellite[row] * (SIGNAL_BITS + 1) + signal[row]
        if key <= before:
            return UNSORTED
        before = key
    return OK


@njit(cache=True, nogil=True)
def _rough_ranges(
    index: IntArray, count: int, layout: IntArray, pseudorange_m: FloatArray, phase_range_m: FloatArray
) -> IntArray:
    rough = np.full(count, -1, dtype=np.int64)
    for row in range(index.size):
        if rough[index[row]] < 0:
            rough[index[row]] = _rough_of(pseudorange_m[row], layout[3])
    # A satellite without any code still has phases; they are near its range after PhaseAligner.
    for row in range(index.size):
        if rough[index[row]] < 0:
            rough[index[row]] = _rough_of(phase_range_m[row], layout[5])
    return rough


@njit(cache=True, nogil=True)
def _rough_rates(index: IntArray, count: int, bits: int, rate_m_s: FloatArray) -> IntArray:
    invalid = -(1 << (bits - 1)) if bits else 0
    rough = np.full(count, invalid, dtype=np.int64)
    if bits:
        for row in range(index.size):
            if rough[index[row]] == invalid:
                rough[index[row]] = _rough_rate_of(rate_m_s[row], bits)
    return rough


@njit(cache=True, nogil=True)
def encode_kernel(  # noqa: PLR0913 - one argument a column
    header: IntArray,
    layout: IntArray,
    wavelengths_m: FloatArray,
    satellite: IntArray,
    signal: IntArray,
    pseudorange_m: FloatArray,
    phase_cyc: FloatArray,
    rate_m_s: FloatArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
) -> tuple[int, Bytes]:
    """Pack one message.

    Args:
        header: The fields before DF394, each within its width, shape ``(10,)``.
        layout: Row of ``LAYOUT_ROWS``, shape ``(10,)``.
        wavelengths_m: Carrier wavelength by signal number, NaN for signals that are not allowed, ``(33,)``.
        satellite: Numbers 1 to 64, sorted, shape ``(row,)``.
        signal: MSM signal numbers 1 to 32, sorted within a satellite, shape ``(row,)``.
        pseudorange_m: Metres, NaN for none, shape ``(row,)``.
        phase_cyc: Cycles, NaN for none, shape ``(row,)``.
        rate_m_s: Phase range rate, NaN for none, shape ``(row,)``.
        cn0_dbhz: NaN for none, shape ``(row,)``.
        lock_ms: Milliseconds without a slip, shape ``(row,)``.
        half_cycle: Shape ``(row,)``.

    Returns:
        Status and the payload, shape ``(byte,)``; empty if the status is not ``OK``.
    """
    nothing = np.empty(0, dtype=np.uint8)
    status = _row_status(satellite, signal, wavelengths_m)
    if status != OK:
        return status, nothing
    satellites, satellite_index = _indexes(satellite, SATELLITE_BITS)
    signals, signal_index = _indexes(signal, SIGNAL_BITS)
    if satellites * signals > MAX_CELLS:
        return TOO_MANY_CELLS, nothing
    starts = columns_at(MASKS_END + satellites * signals, satellites, satellite.size, layout)
    data = np.zeros((starts[END] + 7) >> 3, dtype=np.uint8)
    at = 0
    for field in range(len(HEADER_WIDTHS)):
        put_bits_inplace(data, at, HEADER_WIDTHS[field], header[field])
        at += HEADER_WIDTHS[field]
    for number in range(1, SATELLITE_BITS + 1):
        put_bits_inplace(data, HEADER_BITS + number - 1, 1, satellite_index[number] >= 0)
    for number in range(1, SIGNAL_BITS + 1):
        put_bits_inplace(data, HEADER_BITS + SATELLITE_BITS + number - 1, 1, signal_index[number] >= 0)

    index = satellite_index[satellite]
    phase_range_m = phase_cyc * wavelengths_m[signal]
    rough = _rough_ranges(index, satellites, layout, pseudorange_m, phase_range_m)
    rough_rate = _rough_rates(index, satellites, layout[1], rate_m_s)
    for i in range(satellites):
        whole = INVALID_MILLISECONDS if rough[i] < 0 else rough[i] >> ROUGH_BITS
        put_bits_inplace(data, starts[WHOLE] + 8 * i, 8, whole)
        put_bits_inplace(data, starts[MODULO] + ROUGH_BITS * i, ROUGH_BITS, max(rough[i], 0))
        put_bits_inplace(data, starts[RATE] + layout[1] * i, layout[1], rough_rate[i])
    for row in range(satellite.size):
        i = index[row]
        code = _fine_of(pseudorange_m[row], rough[i], layout[2], layout[3])
        phase = _fine_of(phase_range_m[row], rough[i], layout[4], layout[5])
        cn0 = _cn0_of(cn0_dbhz[row], layout[7], layout[8])
        put_bits_inplace(data, MASKS_END + i * signals + signal_index[signal[row]], 1, 1)
        put_bits_inplace(data, starts[CODE] + layout[2] * row, layout[2], code)
        put_bits_inplace(data, starts[PHASE] + layout[4] * row, layout[4], phase)
        put_bits_inplace(data, starts[LOCK] + layout[6] * row, layout[6], lock_indicator_from(lock_ms[row], layout[6]))
        put_bits_inplace(data, starts[HALF] + row, 1, half_cycle[row])
        put_bits_inplace(data, starts[CN0] + layout[7] * row, layout[7], cn0)
        if layout[9]:
            fine_rate = _fine_rate_of(rate_m_s[row], rough_rate[i], layout[1], layout[9])
            put_bits_inplace(data, starts[FINE_RATE] + layout[9] * row, layout[9], fine_rate)
    return OK, data
