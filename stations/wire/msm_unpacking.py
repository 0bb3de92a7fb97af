"""Unpacking Multiple Signal Messages 4 to 7 at full speed; the same as ``msm_slow.decode_slow``.

The kernel walks the message in its own order: every field comes as a column, first those of the
satellites, then those of the cells. Cells of signals without a wavelength keep their place and are left out.
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
)
from stations.wire.msm_fields import (
    FINE_RATE_RESOLUTION_M_S,
    INVALID_MILLISECONDS,
    MAX_CELLS,
    RANGE_MS_M,
    ROUGH_BITS,
    SATELLITE_BITS,
    SIGNAL_BITS,
)

_FINE_PER_ROUGH_RATE = 10_000  # units of DF404 in one of DF399


@njit(cache=True, nogil=True)
def _members(data: Bytes, at: int, width: int) -> IntArray:
    numbers = np.empty(width, dtype=np.int64)
    count = 0
    for number in range(1, width + 1):
        if get_bits(data, at + number - 1, 1):
            numbers[count] = number
            count += 1
    return numbers[:count]


@njit(cache=True, nogil=True)
def _range_m(fine: int, bits: int, exponent: int, rough: int) -> float:
    if rough < 0 or fine == -(1 << (bits - 1)):
        return np.nan
    return ((rough << (exponent - ROUGH_BITS)) + fine) * (RANGE_MS_M / (1 << exponent))


@njit(cache=True, nogil=True)
def _rate_m_s(fine: int, bits: int, rough: int, rough_bits: int) -> float:
    if rough == -(1 << (rough_bits - 1)) or fine == -(1 << (bits - 1)):
        return np.nan
    return (rough * _FINE_PER_ROUGH_RATE + fine) * FINE_RATE_RESOLUTION_M_S


@njit(cache=True, nogil=True)
def _cells_inplace(  # noqa: PLR0913 - one argument a column
    data: Bytes,
    starts: IntArray,
    layout: IntArray,
    wavelengths_m: FloatArray,
    cells: IntArray,
    integers: IntArray,
    floats: FloatArray,
    half_cycle: BoolArray,
) -> None:
    row = 0
    for cell in range(cells.shape[1]):
        i, satellite, signal = cells[:, cell]
        wavelength_m = wavelengths_m[signal]
        if np.isnan(wavelength_m):
            continue
        whole = get_bits(data, starts[WHOLE] + 8 * i, 8)
        rough = (whole << ROUGH_BITS) | get_bits(data, starts[MODULO] + ROUGH_BITS * i, ROUGH_BITS)
        if whole == INVALID_MILLISECONDS:
            rough = -1
        code = get_signed(data, starts[CODE] + layout[2] * cell, layout[2])
        phase = get_signed(data, starts[PHASE] + layout[4] * cell, layout[4])
        integers[0, row] = satellite
        integers[1, row] = signal
        integers[2, row] = lock_ms_from(get_bits(data, starts[LOCK] + layout[6] * cell, layout[6]), layout[6])
        half_cycle[row] = get_bits(data, starts[HALF] + cell, 1) == 1
        floats[0, row] = _range_m(code, layout[2], layout[3], rough)
        floats[1, row] = _range_m(phase, layout[4], layout[5], rough) / wavelength_m
        if layout[9]:
            rough_rate = get_signed(data, starts[RATE] + layout[1] * i, layout[1])
            fine_rate = get_signed(data, starts[FINE_RATE] + layout[9] * cell, layout[9])
            floats[2, row] = _rate_m_s(fine_rate, layout[9], rough_rate, layout[1])
        cn0 = get_bits(data, starts[CN0] + layout[7] * cell, layout[7])
        if cn0:
            floats[3, row] = cn0 / (1 << layout[8])
        row += 1


@njit(cache=True, nogil=True)
def decode_kernel(
    data: Bytes, layout: IntArray, wavelengths_m: FloatArray
) -> tuple[int, IntArray, IntArray, FloatArray, BoolArray]:
    """Unpack one message.

    Args:
        data: Payload, shape ``(byte,)``.
        layout: Row of ``LAYOUT_ROWS``, shape ``(10,)``.
        wavelengths_m: Carrier wavelength by signal number, NaN for signals to leave out, shape ``(33,)``.

    Returns:
        Status; the ten header fields and the number of cells left out (``(11,)``); integers (satellite
        number, signal number, lock time ms; ``(3, row)``); floats (pseudorange m, phase cycles, range rate
        m/s, C/N0 dB-Hz; ``(4, row)``); half-cycle flags (``(row,)``). No rows if the status is not ``OK``.
    """
    header = np.zeros(len(HEADER_WIDTHS) + 1, dtype=np.int64)
    integers = np.empty((3, 0), dtype=np.int64)
    floats = np.empty((4, 0), dtype=np.float64)
    half_cycle = np.empty(0, dtype=np.bool_)
    bits = 8 * data.size
    if bits < MASKS_END:
        return TOO_SHORT, header, integers, floats, half_cycle
    at = 0
    for field in range(len(HEADER_WIDTHS)):
        header[field] = get_bits(data, at, HEADER_WIDTHS[field])
        at += HEADER_WIDTHS[field]
    satellites = _members(data, HEADER_BITS, SATELLITE_BITS)
    signals = _members(data, HEADER_BITS + SATELLITE_BITS, SIGNAL_BITS)
    mask_bits = satellites.size * signals.size
    if mask_bits > MAX_CELLS:
        return TOO_MANY_CELLS, header, integers, floats, half_cycle
    if bits < MASKS_END + mask_bits:
        return TOO_SHORT, header, integers, floats, half_cycle
    members = _members(data, MASKS_END, mask_bits)
    cells = np.empty((3, members.size), dtype=np.int64)  # index of the satellite, its number, signal number
    kept = 0
    for cell in range(members.size):
        i, j = divmod(members[cell] - 1, signals.size)
        cells[0, cell] = i
        cells[1, cell] = satellites[i]
        cells[2, cell] = signals[j]
        kept += not np.isnan(wavelengths_m[signals[j]])
    starts = columns_at(MASKS_END + mask_bits, satellites.size, members.size, layout)
    if bits < starts[END]:
        return TOO_SHORT, header, integers, floats, half_cycle
    header[-1] = members.size - kept
    integers = np.empty((3, kept), dtype=np.int64)
    floats = np.full((4, kept), np.nan)
    half_cycle = np.empty(kept, dtype=np.bool_)
    _cells_inplace(data, starts, layout, wavelengths_m, cells, integers, floats, half_cycle)
    return OK, header, integers, floats, half_cycle
