"""Packing Multiple Signal Messages at full speed; the same as ``msm_slow.encode_slow``.

The rough range of a satellite is its first code, rounded to 2^-10 ms, unless the caller knows what it was before.
Whatever does not fit beside it into the fine fields gets the invalid code of the field: nothing is clipped,
nothing wraps.
"""

import numpy as np
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.wire.msm_columns import (
    CN0,
    CODE,
    END,
    EXTENDED,
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
    bytes_of,
    columns_at,
    lock_indicator_from,
    put_bits_inplace,
)
from stations.wire.msm_fields import (
    CHANNEL_OFFSET,
    FINE_RATE_RESOLUTION_M_S,
    INVALID_MILLISECONDS,
    LONGEST_RANGE_M,
    MAX_CELLS,
    RANGE_MS_M,
    ROUGH_BITS,
    SATELLITE_BITS,
    SIGNAL_BITS,
    UNKNOWN_CHANNEL_FIELD,
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
    if bits == 0:
        return 0
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
def _row_status(satellite: IntArray, signal: IntArray, offsets: tuple[int, int], carriers_hz: FloatArray) -> int:
    before = 0
    for row in range(satellite.size):
        number, tracked = satellite[row] - offsets[0], signal[row] - offsets[1]
        if not (1 <= number <= SATELLITE_BITS and 1 <= tracked <= SIGNAL_BITS):
            return OUT_OF_TABLE
        if np.isnan(carriers_hz[0, tracked]):
            return OUT_OF_TABLE
        key = number * (SIGNAL_BITS + 1) + tracked
        if key <= before:
            return UNSORTED
        before = key
    return OK


@njit(cache=True, nogil=True)
def _rough_ranges_inplace(
    rough: IntArray, index: IntArray, layout: IntArray, pseudorange_m: FloatArray, phase_range_m: FloatArray
) -> None:
    rough[:] = -1
    for row in range(index.size):
        if rough[index[row]] < 0:
            rough[index[row]] = _rough_of(pseudorange_m[row], layout[3])
    # A satellite without any code still has phases; they are near its range after PhaseAligner.
    for row in range(index.size):
        if rough[index[row]] < 0:
            rough[index[row]] = _rough_of(phase_range_m[row], layout[5])


@njit(cache=True, nogil=True)
def _rough_rates_inplace(rough: IntArray, index: IntArray, bits: int, rate_m_s: FloatArray) -> None:
    invalid = -(1 << (bits - 1)) if bits else 0
    rough[:] = invalid
    if bits:
        for row in range(index.size):
            if rough[index[row]] == invalid:
                rough[index[row]] = _rough_rate_of(rate_m_s[row], bits)


@njit(cache=True, nogil=True)
def _extended_inplace(
    extended: IntArray, index: IntArray, tracked: IntArray, carriers_hz: FloatArray, frequency_hz: FloatArray
) -> None:
    # Zero, which is reserved, but for FDMA, where it is the channel.
    extended[:] = 0
    for row in range(index.size):
        step_hz = carriers_hz[1, tracked[row]]
        if step_hz > 0.0:
            channel = (frequency_hz[row] - carriers_hz[0, tracked[row]]) / step_hz
            # A NaN is not below the limit.
            known = abs(channel) < CHANNEL_OFFSET + 0.5
            extended[index[row]] = _rounded(channel) + CHANNEL_OFFSET if known else UNKNOWN_CHANNEL_FIELD


@njit(cache=True, nogil=True)
def _head_inplace(words: IntArray, header: IntArray, satellite_index: IntArray, signal_index: IntArray) -> None:
    at = 0
    for field in range(len(HEADER_WIDTHS)):
        put_bits_inplace(words, at, HEADER_WIDTHS[field], header[field])
        at += HEADER_WIDTHS[field]
    for number in range(1, SATELLITE_BITS + 1):
        if satellite_index[number] >= 0:
            put_bits_inplace(words, HEADER_BITS + number - 1, 1, 1)
    for number in range(1, SIGNAL_BITS + 1):
        if signal_index[number] >= 0:
            put_bits_inplace(words, HEADER_BITS + SATELLITE_BITS + number - 1, 1, 1)


@njit(cache=True, nogil=True)
def _satellites_inplace(words: IntArray, starts: IntArray, layout: IntArray, columns: IntArray) -> None:
    for i in range(columns.shape[1]):
        rough = columns[0, i]
        whole = INVALID_MILLISECONDS if rough < 0 else rough >> ROUGH_BITS
        put_bits_inplace(words, starts[WHOLE] + layout[10] * i, layout[10], whole)
        put_bits_inplace(words, starts[EXTENDED] + layout[0] * i, layout[0], columns[2, i])
        put_bits_inplace(words, starts[MODULO] + ROUGH_BITS * i, ROUGH_BITS, max(rough, 0))
        put_bits_inplace(words, starts[RATE] + layout[1] * i, layout[1], columns[1, i])


@njit(cache=True, nogil=True)
def encode_kernel(  # noqa: PLR0913 - one argument a column
    header: IntArray,
    layout: IntArray,
    carriers_hz: FloatArray,
    offsets: tuple[int, int],
    satellite: IntArray,
    signal: IntArray,
    pseudorange_m: FloatArray,
    phase_range_m: FloatArray,
    frequency_hz: FloatArray,
    rate_m_s: FloatArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
    given: IntArray,
) -> tuple[int, Bytes]:
    """Pack one message.

    Args:
        header: The fields before DF394, each within its width, shape ``(10,)``.
        layout: Row of ``LAYOUT_ROWS``, shape ``(12,)``.
        carriers_hz: Entry of ``CARRIERS_HZ``, shape ``(2, 33)``; NaN for signals that are not allowed.
        offsets: What is subtracted from satellites and signals to have their numbers.
        satellite: Sorted, shape ``(row,)``.
        signal: Sorted within a satellite, shape ``(row,)``.
        pseudorange_m: Metres, NaN for none, shape ``(row,)``.
        phase_range_m: Phase as a range, metres, NaN for none, shape ``(row,)``.
        frequency_hz: Carrier frequency, NaN for unknown, shape ``(row,)``; only the channel is taken from it.
        rate_m_s: Phase range rate, NaN for none, shape ``(row,)``.
        cn0_dbhz: NaN for none, shape ``(row,)``.
        lock_ms: Milliseconds without a slip, shape ``(row,)``.
        half_cycle: Shape ``(row,)``.
        given: Rough range, rough rate and extended information to use, as ``decode_kernel`` gives them, shape
            ``(3, row)``; shape ``(3, 0)`` to choose them here.

    Returns:
        Status and the payload, shape ``(byte,)``; empty if the status is not ``OK``.
    """
    nothing = np.empty(0, dtype=np.uint8)
    status = _row_status(satellite, signal, offsets, carriers_hz)
    if status != OK:
        return status, nothing
    tracked = signal - offsets[1]
    satellites, satellite_index = _indexes(satellite - offsets[0], SATELLITE_BITS)
    signals, signal_index = _indexes(tracked, SIGNAL_BITS)
    if satellites * signals > MAX_CELLS:
        return TOO_MANY_CELLS, nothing
    starts = columns_at(MASKS_END + satellites * signals, satellites, satellite.size, layout)
    words = np.zeros((starts[END] >> 5) + 2, dtype=np.int64)
    _head_inplace(words, header, satellite_index, signal_index)

    index = satellite_index[satellite - offsets[0]]
    columns = np.empty((3, satellites), dtype=np.int64)
    if given.shape[1]:
        for row in range(satellite.size):
            columns[:, index[row]] = given[:, row]
    else:
        _rough_ranges_inplace(columns[0], index, layout, pseudorange_m, phase_range_m)
        _rough_rates_inplace(columns[1], index, layout[1], rate_m_s)
        _extended_inplace(columns[2], index, tracked, carriers_hz, frequency_hz)
    _satellites_inplace(words, starts, layout, columns)
    rough, rough_rate = columns[0], columns[1]
    for row in range(satellite.size):
        i = index[row]
        code = _fine_of(pseudorange_m[row], rough[i], layout[2], layout[3])
        phase = _fine_of(phase_range_m[row], rough[i], layout[4], layout[5])
        put_bits_inplace(words, MASKS_END + i * signals + signal_index[tracked[row]], 1, 1)
        put_bits_inplace(words, starts[CODE] + layout[2] * row, layout[2], code)
        put_bits_inplace(words, starts[PHASE] + layout[4] * row, layout[4], phase)
        put_bits_inplace(words, starts[LOCK] + layout[6] * row, layout[6], lock_indicator_from(lock_ms[row], layout[6]))
        put_bits_inplace(words, starts[HALF] + layout[11] * row, layout[11], half_cycle[row])
        if layout[7]:
            cn0 = _cn0_of(cn0_dbhz[row], layout[7], layout[8])
            put_bits_inplace(words, starts[CN0] + layout[7] * row, layout[7], cn0)
        if layout[9]:
            fine_rate = _fine_rate_of(rate_m_s[row], rough_rate[i], layout[1], layout[9])
            put_bits_inplace(words, starts[FINE_RATE] + layout[9] * row, layout[9], fine_rate)
    return OK, bytes_of(words, (starts[END] + 7) >> 3)
