"""Packing Multiple Signal Messages at full speed; the same as ``msm_slow.encode_slow``.

The rough range of a satellite is its first code, rounded to 2^-10 ms, unless the caller knows what it was before.
Whatever does not fit beside it into the fine fields gets the invalid code of the field: nothing is clipped,
nothing wraps. Rows are sorted, so satellites are taken one after another and no table of them is made.
"""

import numpy as np
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.wire.msm_columns import (
    CN0,
    CODE,
    END,
    EXTENDED,
    FINE_RATE,
    FLAG_BITS,
    HALF,
    HEADER_BITS,
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
    bytes_inplace,
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
from stations.wire.msm_tables import CARRIERS_BY_INDEX_HZ, LAYOUT_BY_LEVEL, OFFSETS_BY_INDEX, index_of

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
def _masks_inplace(
    words: IntArray, system: int, satellite: IntArray, signal: IntArray, ranks: IntArray
) -> tuple[int, int, int]:
    # Writes both masks; the ranks of signals among those of the message, by number, shape (33,) of zeros at first.
    # Returns the status and how many satellites and signals there are.
    before, satellites, signals = 0, 0, 0
    for row in range(satellite.size):
        number, tracked = satellite[row] - OFFSETS_BY_INDEX[system, 0], signal[row] - OFFSETS_BY_INDEX[system, 1]
        if not (1 <= number <= SATELLITE_BITS and 1 <= tracked <= SIGNAL_BITS):
            return OUT_OF_TABLE, 0, 0
        if np.isnan(CARRIERS_BY_INDEX_HZ[system, 0, tracked]):
            return OUT_OF_TABLE, 0, 0
        key = number * (SIGNAL_BITS + 1) + tracked
        if key <= before:
            return UNSORTED, 0, 0
        if row == 0 or satellite[row] != satellite[row - 1]:
            put_bits_inplace(words, HEADER_BITS + number - 1, 1, 1)
            satellites += 1
        ranks[tracked] = 1
        before = key
    for tracked in range(1, SIGNAL_BITS + 1):
        if ranks[tracked]:
            put_bits_inplace(words, HEADER_BITS + SATELLITE_BITS + tracked - 1, 1, 1)
            ranks[tracked] = signals
            signals += 1
    return OK if satellites * signals <= MAX_CELLS else TOO_MANY_CELLS, satellites, signals


@njit(cache=True, nogil=True)
def _rough_range(pseudorange_m: FloatArray, phase_range_m: FloatArray, first: int, end: int, layout: IntArray) -> int:
    for row in range(first, end):
        rough = _rough_of(pseudorange_m[row], layout[3])
        if rough >= 0:
            return rough
    # A satellite without any code still has phases; they are near its range after PhaseAligner.
    for row in range(first, end):
        rough = _rough_of(phase_range_m[row], layout[5])
        if rough >= 0:
            return rough
    return -1


@njit(cache=True, nogil=True)
def _rough_rate(rate_m_s: FloatArray, first: int, end: int, bits: int) -> int:
    if bits == 0:
        return 0
    invalid = -(1 << (bits - 1))
    for row in range(first, end):
        rough = _rough_rate_of(rate_m_s[row], bits)
        if rough != invalid:
            return rough
    return invalid


@njit(cache=True, nogil=True)
def _extended(signal: IntArray, frequency_hz: FloatArray, first: int, end: int, system: int) -> int:
    # Zero, which is reserved, but for FDMA, where it is the channel.
    extended = 0
    for row in range(first, end):
        tracked = signal[row] - OFFSETS_BY_INDEX[system, 1]
        step_hz = CARRIERS_BY_INDEX_HZ[system, 1, tracked]
        if step_hz > 0.0:
            channel = (frequency_hz[row] - CARRIERS_BY_INDEX_HZ[system, 0, tracked]) / step_hz
            # A NaN is not below the limit.
            known = abs(channel) < CHANNEL_OFFSET + 0.5
            extended = _rounded(channel) + CHANNEL_OFFSET if known else UNKNOWN_CHANNEL_FIELD
    return extended


@njit(cache=True, nogil=True)
def _satellites_inplace(  # noqa: PLR0913 - one argument a column
    words: IntArray,
    starts: tuple[int, ...],
    layout: IntArray,
    system: int,
    satellite: IntArray,
    signal: IntArray,
    pseudorange_m: FloatArray,
    phase_range_m: FloatArray,
    frequency_hz: FloatArray,
    rate_m_s: FloatArray,
    given: IntArray,
    rough: IntArray,
) -> None:
    # ``rough`` receives the rough range and rate of every row, shape (2, row).
    first, i = 0, 0
    while first < satellite.size:
        end = first + 1
        while end < satellite.size and satellite[end] == satellite[first]:
            end += 1
        if given.shape[1]:
            range_ms, rate, extended = given[0, end - 1], given[1, end - 1], given[2, end - 1]
        else:
            range_ms = _rough_range(pseudorange_m, phase_range_m, first, end, layout)
            rate = _rough_rate(rate_m_s, first, end, layout[1])
            extended = _extended(signal, frequency_hz, first, end, system)
        rough[0, first:end] = range_ms
        rough[1, first:end] = rate
        whole = INVALID_MILLISECONDS if range_ms < 0 else range_ms >> ROUGH_BITS
        put_bits_inplace(words, starts[WHOLE] + layout[10] * i, layout[10], whole)
        put_bits_inplace(words, starts[EXTENDED] + layout[0] * i, layout[0], extended)
        put_bits_inplace(words, starts[MODULO] + ROUGH_BITS * i, ROUGH_BITS, max(range_ms, 0))
        put_bits_inplace(words, starts[RATE] + layout[1] * i, layout[1], rate)
        first = end
        i += 1


@njit(cache=True, nogil=True)
def _ranges_inplace(
    words: IntArray, start: int, bits: int, exponent: int, range_m: FloatArray, rough: IntArray
) -> None:
    for row in range(range_m.size if bits else 0):
        put_bits_inplace(words, start + bits * row, bits, _fine_of(range_m[row], rough[row], bits, exponent))


@njit(cache=True, nogil=True)
def _rates_inplace(
    words: IntArray, start: int, bits: int, rough_bits: int, rate_m_s: FloatArray, rough: IntArray
) -> None:
    for row in range(rate_m_s.size if bits else 0):
        put_bits_inplace(words, start + bits * row, bits, _fine_rate_of(rate_m_s[row], rough[row], rough_bits, bits))


@njit(cache=True, nogil=True)
def _cells_inplace(
    words: IntArray,
    starts: tuple[int, ...],
    layout: IntArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
) -> None:
    lock_bits, half_bits, cn0_bits, exponent = layout[6], layout[11], layout[7], layout[8]
    for row in range(lock_ms.size):
        put_bits_inplace(words, starts[LOCK] + lock_bits * row, lock_bits, lock_indicator_from(lock_ms[row], lock_bits))
        put_bits_inplace(words, starts[HALF] + half_bits * row, half_bits, half_cycle[row])
        if cn0_bits:
            cn0 = _cn0_of(cn0_dbhz[row], cn0_bits, exponent)
            put_bits_inplace(words, starts[CN0] + cn0_bits * row, cn0_bits, cn0)


@njit(cache=True, nogil=True)
def encode_kernel(  # noqa: PLR0913 - one argument a column
    payload: Bytes,
    number: int,
    station: int,
    time: int,
    more: int,
    flags: int,
    satellite: IntArray,
    signal: IntArray,
    pseudorange_m: FloatArray,
    phase: FloatArray,
    frequency_hz: FloatArray,
    rate: FloatArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
    given: IntArray,
    cycles: bool,  # noqa: FBT001 - numba has no keywords
) -> int:
    """Pack one message.

    Args:
        payload: Receives the message, shape ``(1023,)``; new arrays take longer to hand over than to fill.
        number: Message number.
        station: DF003, within its width, as the three behind it.
        time: Time field.
        more: DF393.
        flags: The 18 bits of DF409 to DF418.
        satellite: Sorted, shape ``(row,)``.
        signal: Sorted within a satellite, shape ``(row,)``.
        pseudorange_m: Metres, NaN for none, shape ``(row,)``.
        phase: As a range in metres, or in cycles; NaN for none, shape ``(row,)``.
        frequency_hz: Carrier frequency, NaN for unknown, shape ``(row,)``. Beside phases in metres only the channel is
            taken from it; without it there are neither phases in cycles nor Doppler shifts.
        rate: Phase range rate in m/s, or Doppler shift in Hz; NaN for none, shape ``(row,)``.
        cn0_dbhz: NaN for none, shape ``(row,)``.
        lock_ms: Milliseconds without a slip, shape ``(row,)``.
        half_cycle: Shape ``(row,)``.
        given: Rough range, rough rate and extended information to use, as ``decode_kernel`` gives them, shape
            ``(3, row)``; shape ``(3, 0)`` to choose them here.
        cycles: Phases are in cycles and rates are Doppler shifts.

    Returns:
        Bytes of the message, or a negative status.
    """
    system, layout = index_of(number), LAYOUT_BY_LEVEL[number % 10]
    words = np.zeros((payload.size >> 2) + 3, dtype=np.int64)
    ranks = np.zeros(SIGNAL_BITS + 1, dtype=np.int64)
    status, satellites, signals = _masks_inplace(words, system, satellite, signal, ranks)
    if status != OK:
        return status
    put_bits_inplace(words, 0, 12, number)
    put_bits_inplace(words, 12, 12, station)
    put_bits_inplace(words, 24, 30, time)
    put_bits_inplace(words, 54, 1, more)
    put_bits_inplace(words, HEADER_BITS - FLAG_BITS, FLAG_BITS, flags)
    i = -1
    for row in range(satellite.size):
        i += row == 0 or satellite[row] != satellite[row - 1]
        place = MASKS_END + i * signals + ranks[signal[row] - OFFSETS_BY_INDEX[system, 1]]
        put_bits_inplace(words, place, 1, 1)
    starts = columns_at(MASKS_END + satellites * signals, satellites, satellite.size, layout)
    ranges = np.empty((2, satellite.size))  # of the phases, and their rates
    for row in range(satellite.size):
        wavelength_m = SPEED_OF_LIGHT_M_S / frequency_hz[row]
        ranges[0, row] = phase[row] * wavelength_m if cycles else phase[row]
        ranges[1, row] = -rate[row] * wavelength_m if cycles else rate[row]
    rough = np.empty((2, satellite.size), dtype=np.int64)
    _satellites_inplace(
        words,
        starts,
        layout,
        system,
        satellite,
        signal,
        pseudorange_m,
        ranges[0],
        frequency_hz,
        ranges[1],
        given,
        rough,
    )
    _ranges_inplace(words, starts[CODE], layout[2], layout[3], pseudorange_m, rough[0])
    _ranges_inplace(words, starts[PHASE], layout[4], layout[5], ranges[0], rough[0])
    _cells_inplace(words, starts, layout, cn0_dbhz, lock_ms, half_cycle)
    _rates_inplace(words, starts[FINE_RATE], layout[9], layout[1], ranges[1], rough[1])
    count = (starts[END] + 7) >> 3
    bytes_inplace(words, payload[:count])
    return count
