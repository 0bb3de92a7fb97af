"""What the two MSM kernels share: bit access, lock time indicators, where each column of a message starts.

All of it is compiled; ``msm_slow`` says the same plainly. A message is worked on as 32-bit words, two of which hold
any field: that is three times faster than bytes. The kernels neither raise nor allocate per
cell: they answer with a status of this module, which ``msm`` turns into an error.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from stations.arrays import IntArray
from stations.wire.msm_fields import ROUGH_BITS, SATELLITE_BITS, SIGNAL_BITS

OK = 0
TOO_SHORT = -1
TOO_MANY_CELLS = -2
UNSORTED = -3
OUT_OF_TABLE = -4

# Before DF394: number (12), station (12), time (30), more (1) and the flags: IODS (3), reserved (7), steering (2),
# external clock (2), smoothing (1), its interval (3).
HEADER_BITS = 73
FLAG_BITS = 18
MASKS_END = HEADER_BITS + SATELLITE_BITS + SIGNAL_BITS

# Columns in the order of the message.
WHOLE, EXTENDED, MODULO, RATE, CODE, PHASE, LOCK, HALF, CN0, FINE_RATE, END = range(11)

Bytes = npt.NDArray[np.uint8]

_DF402_BITS = 4
_DF402_LAST = 15
_DF407_SINGLE = 64  # below, an indicator is a number of milliseconds; above, its unit doubles every 32
_DF407_LAST = 704


@njit(cache=True, nogil=True)
def words_of(data: bytes) -> IntArray:
    """Return bytes as 32-bit words, most significant byte first, and a word of zeros behind them."""
    size = len(data)
    words = np.zeros((size >> 2) + 2, dtype=np.int64)
    whole = size >> 2
    for word in range(whole):
        at = np.uintp(word << 2)
        high = int(data[at]) << 24 | int(data[at + np.uintp(1)]) << 16
        words[word] = high | int(data[at + np.uintp(2)]) << 8 | int(data[at + np.uintp(3)])
    for index in range(whole << 2, size):
        words[whole] |= int(data[index]) << (24 - 8 * (index & 3))
    return words


@njit(cache=True, nogil=True)
def bytes_inplace(words: IntArray, data: Bytes) -> None:
    """Write 32-bit words as bytes, until those end: the inverse of :func:`words_of`."""
    for index in range(data.size):
        data[index] = (words[index >> 2] >> (24 - 8 * (index & 3))) & 0xFF


@njit(cache=True, nogil=True)
def get_bits(words: IntArray, at: int, width: int) -> int:
    """Return ``width`` (at most 32) bits at bit ``at`` as an unsigned integer."""
    place = np.uintp(at >> 5)
    pair = (words[place] << 32) | words[place + np.uintp(1)]
    return (pair >> (64 - (at & 31) - width)) & ((1 << width) - 1) if width else 0


@njit(cache=True, nogil=True)
def get_signed(words: IntArray, at: int, width: int) -> int:
    """Return ``width`` (at most 32) bits at bit ``at`` as a two's complement integer."""
    value = get_bits(words, at, width)
    return value - ((value >> (width - 1)) << width) if width else 0


@njit(cache=True, nogil=True)
def put_bits_inplace(words: IntArray, at: int, width: int, value: int) -> None:
    """Write the low ``width`` (at most 32) bits of ``value`` at bit ``at``, where there are only zeros so far."""
    if width:
        place = np.uintp(at >> 5)
        pair = (value & ((1 << width) - 1)) << (64 - (at & 31) - width)
        words[place] |= (pair >> 32) & 0xFFFFFFFF
        words[place + np.uintp(1)] |= pair & 0xFFFFFFFF


@njit(cache=True, nogil=True)
def columns_at(start: int, satellites: int, cells: int, layout: IntArray) -> tuple[int, ...]:
    """Return the bit at which each column starts, eleven of them, indexed by ``WHOLE`` to ``END``.

    Args:
        start: First bit after the cell mask.
        satellites: Number of satellites.
        cells: Number of cells.
        layout: Row of ``LAYOUT_ROWS``, shape ``(12,)``.
    """
    extended = start + satellites * layout[10]
    modulo = extended + satellites * layout[0]
    rate = modulo + satellites * ROUGH_BITS
    code = rate + satellites * layout[1]
    phase = code + cells * layout[2]
    lock = phase + cells * layout[4]
    half = lock + cells * layout[6]
    cn0 = half + cells * layout[11]
    fine_rate = cn0 + cells * layout[7]
    return start, extended, modulo, rate, code, phase, lock, half, cn0, fine_rate, fine_rate + cells * layout[9]


@njit(cache=True, nogil=True)
def lock_ms_from(indicator: int, width: int) -> int:
    """Return ``msm_fields.lock_ms_of``, compiled."""
    if width <= _DF402_BITS:
        return 32 << (indicator - 1) if indicator > 0 else 0
    if indicator < _DF407_SINGLE:
        return indicator
    if indicator > _DF407_LAST:
        return 0
    doublings = indicator // 32 - 1
    return (indicator - 32 * doublings) << doublings


@njit(cache=True, nogil=True)
def lock_indicator_from(lock_ms: int, width: int) -> int:
    """Return ``msm_fields.lock_indicator_of``, compiled and without a search through all indicators."""
    if width == 0:
        return 0
    if width == _DF402_BITS:
        indicator = 0
        while indicator < _DF402_LAST and lock_ms >= 32 << indicator:
            indicator += 1
        return indicator
    if lock_ms < _DF407_SINGLE:
        return max(lock_ms, 0)
    doublings = 1
    while doublings < 21 and lock_ms >= _DF407_SINGLE << doublings:
        doublings += 1
    return min((lock_ms >> doublings) + 32 * doublings, _DF407_LAST)
