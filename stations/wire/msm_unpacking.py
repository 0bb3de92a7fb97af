"""Unpacking Multiple Signal Messages at full speed; the same as ``msm_slow.decode_slow``.

Every field comes as a column, first those of the satellites, then those of the cells; the kernel walks all of them
together, cell by cell. Cells of signals without a frequency keep their place and are left out. What takes time is
making arrays, dividing, and handing over arguments: there is as little of that as possible.
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
    PHASE,
    RATE,
    TOO_MANY_CELLS,
    TOO_SHORT,
    WHOLE,
    columns_at,
    get_bits,
    get_signed,
    lock_ms_from,
    words_of,
)
from stations.wire.msm_fields import (
    CHANNEL_OFFSET,
    FINE_RATE_RESOLUTION_M_S,
    HIGHEST_CHANNEL_FIELD,
    INVALID_MILLISECONDS,
    MAX_CELLS,
    RANGE_MS_M,
    ROUGH_BITS,
    SATELLITE_BITS,
    SIGNAL_BITS,
)
from stations.wire.msm_rows import (
    CHANNEL,
    CN0_DBHZ,
    DOPPLER_HZ,
    EXTENDED_INFORMATION,
    FREQUENCY_HZ,
    LOCK_MS,
    PHASE_CYC,
    PHASE_RANGE_M,
    PSEUDORANGE_M,
    RANGE_RATE_M_S,
    ROUGH_RANGE,
    ROUGH_RATE,
    SATELLITE,
    SIGNAL,
)
from stations.wire.msm_tables import CARRIERS_BY_INDEX_HZ, LAYOUT_BY_LEVEL, OFFSETS_BY_INDEX, index_of

_FINE_PER_ROUGH_RATE = 10_000  # units of DF404 in one of DF399


@njit(cache=True, nogil=True)
def _members_inplace(words: IntArray, at: int, width: int, numbers: IntArray) -> int:
    # The numbers of the bits that are set, from 1; returns how many.
    count = 0
    for number in range(width):
        place = at + number
        numbers[count] = number + 1
        count += words[place >> 5] >> (31 - (place & 31)) & 1
    return count


@njit(cache=True, nogil=True)
def _ones(words: IntArray, at: int, width: int) -> int:
    count = 0
    for place in range(at, at + width):
        count += words[place >> 5] >> (31 - (place & 31)) & 1
    return count


@njit(cache=True, nogil=True)
def _rows_inplace(  # noqa: PLR0913 - one argument a column
    words: IntArray,
    starts: tuple[int, ...],
    number: int,
    satellites: IntArray,
    signals: IntArray,
    channels: FloatArray,
    first: int,
    integers: IntArray,
    floats: FloatArray,
    half_cycle: BoolArray,
) -> tuple[int, int]:
    # Returns the row behind the last one, and how many phases are without a frequency.
    system, layout = index_of(number), LAYOUT_BY_LEVEL[number % 10]
    extended_bits, rate_bits, code_bits, phase_bits = layout[0], layout[1], layout[2], layout[4]
    lock_bits, cn0_bits, fine_rate_bits = layout[6], layout[7], layout[9]
    code_unit_m, phase_unit_m = RANGE_MS_M / (1 << layout[3]), RANGE_MS_M / (1 << layout[5])
    code_shift, phase_shift = layout[3] - ROUGH_BITS, layout[5] - ROUGH_BITS
    cn0_unit = 1.0 / (1 << layout[8])
    row, cell, unknown = first, 0, 0
    for i in range(satellites.size):
        whole = get_bits(words, starts[WHOLE] + layout[10] * i, layout[10])
        rough = whole << ROUGH_BITS | get_bits(words, starts[MODULO] + ROUGH_BITS * i, ROUGH_BITS)
        rough = -1 if whole == INVALID_MILLISECONDS else rough
        rough_rate = get_signed(words, starts[RATE] + rate_bits * i, rate_bits)
        extended = get_bits(words, starts[EXTENDED] + extended_bits * i, extended_bits)
        for j in range(signals.size):
            place = MASKS_END + i * signals.size + j
            if not words[place >> 5] >> (31 - (place & 31)) & 1:
                continue
            signal, at = signals[j], cell
            cell += 1
            frequency_hz, step_hz = CARRIERS_BY_INDEX_HZ[system, 0, signal], CARRIERS_BY_INDEX_HZ[system, 1, signal]
            if np.isnan(frequency_hz):
                continue
            told = np.nan
            if step_hz > 0.0:
                if extended_bits > 0 and extended <= HIGHEST_CHANNEL_FIELD:
                    told = extended - CHANNEL_OFFSET
                frequency_hz += (channels[satellites[i]] if np.isnan(told) else told) * step_hz
            wavelength_m = SPEED_OF_LIGHT_M_S / frequency_hz
            code = get_signed(words, starts[CODE] + code_bits * at, code_bits)
            phase = get_signed(words, starts[PHASE] + phase_bits * at, phase_bits)
            fine_rate = get_signed(words, starts[FINE_RATE] + fine_rate_bits * at, fine_rate_bits)
            cn0 = get_bits(words, starts[CN0] + cn0_bits * at, cn0_bits)
            range_m = _range_m(code, code_bits, code_shift, rough, code_unit_m)
            phase_range_m = _range_m(phase, phase_bits, phase_shift, rough, phase_unit_m)
            rate_m_s = _rate_m_s(fine_rate, fine_rate_bits, rough_rate, rate_bits)
            integers[SATELLITE, row] = satellites[i] + OFFSETS_BY_INDEX[system, 0]
            integers[SIGNAL, row] = signal + OFFSETS_BY_INDEX[system, 1]
            integers[LOCK_MS, row] = lock_ms_from(get_bits(words, starts[LOCK] + lock_bits * at, lock_bits), lock_bits)
            integers[ROUGH_RANGE, row] = rough
            integers[ROUGH_RATE, row] = rough_rate
            integers[EXTENDED_INFORMATION, row] = extended
            half_cycle[row] = get_bits(words, starts[HALF] + layout[11] * at, layout[11]) == 1
            floats[PSEUDORANGE_M, row] = range_m
            floats[PHASE_CYC, row] = phase_range_m / wavelength_m
            floats[CN0_DBHZ, row] = cn0 * cn0_unit if cn0 else np.nan
            floats[DOPPLER_HZ, row] = -rate_m_s / wavelength_m
            floats[FREQUENCY_HZ, row] = frequency_hz
            floats[PHASE_RANGE_M, row] = phase_range_m
            floats[RANGE_RATE_M_S, row] = rate_m_s
            floats[CHANNEL, row] = told
            unknown += np.isnan(frequency_hz) and not np.isnan(phase_range_m)
            row += 1
    return row, unknown


@njit(cache=True, nogil=True)
def _range_m(fine: int, bits: int, shift: int, rough: int, unit_m: float) -> float:
    if bits == 0 or rough < 0 or fine == -(1 << (bits - 1)):
        return np.nan
    return ((rough << shift) + fine) * unit_m


@njit(cache=True, nogil=True)
def _rate_m_s(fine: int, bits: int, rough: int, rough_bits: int) -> float:
    if bits == 0 or rough == -(1 << (rough_bits - 1)) or fine == -(1 << (bits - 1)):
        return np.nan
    return (rough * _FINE_PER_ROUGH_RATE + fine) * FINE_RATE_RESOLUTION_M_S


@njit(cache=True, nogil=True)
def decode_kernel(
    data: bytes, channels: FloatArray, first: int, integers: IntArray, floats: FloatArray, half_cycle: BoolArray
) -> tuple[int, int, int, int, int, int, int]:
    """Unpack one message into columns of the caller: see :class:`stations.wire.msm_rows.MsmRows`.

    Args:
        data: Payload; its first two bytes are there and name an MSM.
        channels: FDMA channels by satellite number for messages that name none, NaN where unknown, shape ``(65,)``.
        first: Row that the first cell goes to; there is room for 64 from there on.
        integers: Receives one row each, shape ``(6, room)``.
        floats: Receives one row each, shape ``(8, room)``.
        half_cycle: Receives the flags, shape ``(room,)``.

    Returns:
        The row behind the last one, or a negative status and nothing else of meaning; station number DF003; time field;
        multiple message bit DF393; the 18 bits behind it, DF409 to DF418; cells left out; phases without a frequency.
    """
    bits = 8 * len(data)
    if bits < MASKS_END:
        return TOO_SHORT, 0, 0, 0, 0, 0, 0
    words = words_of(data)
    numbers = np.empty(SATELLITE_BITS + SIGNAL_BITS, dtype=np.int64)
    satellites = numbers[: _members_inplace(words, HEADER_BITS, SATELLITE_BITS, numbers)]
    signals = numbers[SATELLITE_BITS:]
    signals = signals[: _members_inplace(words, HEADER_BITS + SATELLITE_BITS, SIGNAL_BITS, signals)]
    mask_bits = satellites.size * signals.size
    if mask_bits > MAX_CELLS:
        return TOO_MANY_CELLS, 0, 0, 0, 0, 0, 0
    if bits < MASKS_END + mask_bits:
        return TOO_SHORT, 0, 0, 0, 0, 0, 0
    number, cells = get_bits(words, 0, 12), _ones(words, MASKS_END, mask_bits)
    starts = columns_at(MASKS_END + mask_bits, satellites.size, cells, LAYOUT_BY_LEVEL[number % 10])
    if bits < starts[END]:
        return TOO_SHORT, 0, 0, 0, 0, 0, 0
    end, unknown = _rows_inplace(
        words, starts, number, satellites, signals, channels, first, integers, floats, half_cycle
    )
    station, time, more, flags = (
        get_bits(words, 12, 12),
        get_bits(words, 24, 30),
        get_bits(words, 54, 1),
        get_bits(words, HEADER_BITS - FLAG_BITS, FLAG_BITS),
    )
    return end, station, time, more, flags, cells - (end - first), unknown
