"""Unpacking Multiple Signal Messages at full speed; the same as ``msm_slow.decode_slow``.

The kernel walks the message in its own order: every field comes as a column, first those of the
satellites, then those of the cells. Cells of signals without a frequency keep their place and are left out.
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
    HALF,
    HEADER_BITS,
    HEADER_WIDTHS,
    LOCK,
    MASKS_END,
    MODULO,
    PHASE,
    RATE,
    TOO_MANY_CELLS,
    TOO_SHORT,
    WHOLE,
    Bytes,
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

_FINE_PER_ROUGH_RATE = 10_000  # units of DF404 in one of DF399


@njit(cache=True, nogil=True)
def _members(words: IntArray, at: int, width: int) -> IntArray:
    numbers = np.empty(width, dtype=np.int64)
    count = 0
    for number in range(width):
        place = at + number
        if words[place >> 5] >> (31 - (place & 31)) & 1:
            numbers[count] = number + 1
            count += 1
    return numbers[:count]


@njit(cache=True, nogil=True)
def _range_m(fine: int, bits: int, exponent: int, rough: int) -> float:
    if bits == 0 or rough < 0 or fine == -(1 << (bits - 1)):
        return np.nan
    return ((rough << (exponent - ROUGH_BITS)) + fine) * (RANGE_MS_M / (1 << exponent))


@njit(cache=True, nogil=True)
def _rate_m_s(fine: int, bits: int, rough: int, rough_bits: int) -> float:
    if bits == 0 or rough == -(1 << (rough_bits - 1)) or fine == -(1 << (bits - 1)):
        return np.nan
    return (rough * _FINE_PER_ROUGH_RATE + fine) * FINE_RATE_RESOLUTION_M_S


@njit(cache=True, nogil=True)
def _satellites(words: IntArray, starts: IntArray, layout: IntArray, count: int) -> IntArray:
    # Rough range, rough rate and extended information of each satellite, shape (3, satellite).
    columns = np.empty((3, count), dtype=np.int64)
    for i in range(count):
        whole = get_bits(words, starts[WHOLE] + layout[10] * i, layout[10])
        modulo = get_bits(words, starts[MODULO] + ROUGH_BITS * i, ROUGH_BITS)
        columns[0, i] = -1 if whole == INVALID_MILLISECONDS else (whole << ROUGH_BITS) | modulo
        columns[1, i] = get_signed(words, starts[RATE] + layout[1] * i, layout[1])
        columns[2, i] = get_bits(words, starts[EXTENDED] + layout[0] * i, layout[0])
    return columns


@njit(cache=True, nogil=True)
def _cells_inplace(  # noqa: PLR0913 - one argument a column
    words: IntArray,
    starts: IntArray,
    layout: IntArray,
    carriers_hz: FloatArray,
    channels: FloatArray,
    offsets: tuple[int, int],
    cells: IntArray,
    satellites: IntArray,
    first: int,
    integers: IntArray,
    floats: FloatArray,
    half_cycle: BoolArray,
) -> int:
    row = first
    for cell in range(cells.shape[1]):
        i, satellite, signal = cells[0, cell], cells[1, cell], cells[2, cell]
        frequency_hz = carriers_hz[0, signal]
        if np.isnan(frequency_hz):
            continue
        rough, rough_rate, extended = satellites[0, i], satellites[1, i], satellites[2, i]
        told = np.nan
        if carriers_hz[1, signal] > 0.0:
            if layout[0] > 0 and extended <= HIGHEST_CHANNEL_FIELD:
                told = extended - CHANNEL_OFFSET
            channel = channels[satellite] if np.isnan(told) else told
            frequency_hz += channel * carriers_hz[1, signal]
        wavelength_m = SPEED_OF_LIGHT_M_S / frequency_hz
        code = get_signed(words, starts[CODE] + layout[2] * cell, layout[2])
        phase = get_signed(words, starts[PHASE] + layout[4] * cell, layout[4])
        integers[SATELLITE, row] = satellite + offsets[0]
        integers[SIGNAL, row] = signal + offsets[1]
        integers[LOCK_MS, row] = lock_ms_from(get_bits(words, starts[LOCK] + layout[6] * cell, layout[6]), layout[6])
        integers[ROUGH_RANGE, row] = rough
        integers[ROUGH_RATE, row] = rough_rate
        integers[EXTENDED_INFORMATION, row] = extended
        half_cycle[row] = get_bits(words, starts[HALF] + layout[11] * cell, layout[11]) == 1
        floats[PSEUDORANGE_M, row] = _range_m(code, layout[2], layout[3], rough)
        floats[PHASE_RANGE_M, row] = _range_m(phase, layout[4], layout[5], rough)
        floats[PHASE_CYC, row] = floats[PHASE_RANGE_M, row] / wavelength_m
        floats[FREQUENCY_HZ, row] = frequency_hz
        floats[CHANNEL, row] = told
        fine_rate = get_signed(words, starts[FINE_RATE] + layout[9] * cell, layout[9])
        floats[RANGE_RATE_M_S, row] = _rate_m_s(fine_rate, layout[9], rough_rate, layout[1])
        floats[DOPPLER_HZ, row] = -floats[RANGE_RATE_M_S, row] / wavelength_m
        cn0 = get_bits(words, starts[CN0] + layout[7] * cell, layout[7])
        floats[CN0_DBHZ, row] = cn0 / (1 << layout[8]) if cn0 else np.nan
        row += 1
    return row


@njit(cache=True, nogil=True)
def decode_kernel(  # noqa: PLR0913 - one argument a column
    data: Bytes,
    layout: IntArray,
    carriers_hz: FloatArray,
    channels: FloatArray,
    offsets: tuple[int, int],
    header: IntArray,
    first: int,
    integers: IntArray,
    floats: FloatArray,
    half_cycle: BoolArray,
) -> int:
    """Unpack one message into columns of the caller: see :class:`stations.wire.msm_rows.MsmRows`.

    Args:
        data: Payload, shape ``(byte,)``.
        layout: Row of ``LAYOUT_ROWS``, shape ``(12,)``.
        carriers_hz: Entry of ``CARRIERS_HZ``, shape ``(2, 33)``.
        channels: FDMA channels by satellite number for messages that name none, NaN where unknown, shape ``(65,)``.
        offsets: What is added to satellite and signal numbers.
        header: Receives the ten header fields, the number of cells left out and that of phases without a frequency,
            shape ``(12,)``.
        first: Row that the first cell goes to; there is room for 64 from there on.
        integers: Receives one row each, shape ``(6, room)``.
        floats: Receives one row each, shape ``(8, room)``.
        half_cycle: Receives the flags, shape ``(room,)``.

    Returns:
        Row behind the last one, or a negative status.
    """
    bits = 8 * data.size
    if bits < MASKS_END:
        return TOO_SHORT
    words = words_of(data)
    at = 0
    for field in range(len(HEADER_WIDTHS)):
        header[field] = get_bits(words, at, HEADER_WIDTHS[field])
        at += HEADER_WIDTHS[field]
    satellites = _members(words, HEADER_BITS, SATELLITE_BITS)
    signals = _members(words, HEADER_BITS + SATELLITE_BITS, SIGNAL_BITS)
    mask_bits = satellites.size * signals.size
    if mask_bits > MAX_CELLS:
        return TOO_MANY_CELLS
    if bits < MASKS_END + mask_bits:
        return TOO_SHORT
    members = _members(words, MASKS_END, mask_bits)
    starts = columns_at(MASKS_END + mask_bits, satellites.size, members.size, layout)
    if bits < starts[END]:
        return TOO_SHORT
    cells = np.empty((3, members.size), dtype=np.int64)  # index of the satellite, its number, signal number
    for cell in range(members.size):
        i, j = divmod(members[cell] - 1, signals.size)
        cells[0, cell] = i
        cells[1, cell] = satellites[i]
        cells[2, cell] = signals[j]
    columns = _satellites(words, starts, layout, satellites.size)
    end = _cells_inplace(
        words, starts, layout, carriers_hz, channels, offsets, cells, columns, first, integers, floats, half_cycle
    )
    header[-2] = members.size - (end - first)
    header[-1] = 0
    for row in range(first, end):
        header[-1] += np.isnan(floats[FREQUENCY_HZ, row]) and not np.isnan(floats[PHASE_RANGE_M, row])
    return end
