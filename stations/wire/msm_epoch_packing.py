"""Packing the columns of an epoch as they are, in one call: phases in cycles, rates as Doppler shifts.

What ``msm.encode_msm`` would do with several arrays, each of which costs as much as packing a satellite.
"""

import numpy as np
from numba import njit

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.wire.msm_columns import OK, Bytes
from stations.wire.msm_packing import encode_kernel


@njit(cache=True, nogil=True)
def encode_epoch_kernel(  # noqa: PLR0913 - one argument a column
    header: tuple[int, ...],
    layout: IntArray,
    carriers_hz: FloatArray,
    offsets: tuple[int, int],
    satellite: IntArray,
    signal: IntArray,
    pseudorange_m: FloatArray,
    phase_cyc: FloatArray,
    frequency_hz: FloatArray,
    doppler_hz: FloatArray,
    cn0_dbhz: FloatArray,
    lock_ms: IntArray,
    half_cycle: BoolArray,
    payload: Bytes,
) -> int:
    """Pack the columns of an epoch as they are: :func:`encode_kernel` for phases in cycles and Doppler shifts in Hz.

    Args:
        header: As there, ten integers.
        layout: As there.
        carriers_hz: As there.
        offsets: As there.
        satellite: As there.
        signal: As there.
        pseudorange_m: As there.
        phase_cyc: Cycles, NaN for none, shape ``(row,)``.
        frequency_hz: As there, but without it there is neither phase nor rate.
        doppler_hz: NaN for none, shape ``(row,)``.
        cn0_dbhz: As there.
        lock_ms: As there.
        half_cycle: As there.
        payload: Receives the message, shape ``(1023,)``; new arrays take longer to hand over than to fill.

    Returns:
        Bytes of the message, or a negative status.
    """
    phase_range_m = np.empty(satellite.size)
    rate_m_s = np.empty(satellite.size)
    for row in range(satellite.size):
        wavelength_m = SPEED_OF_LIGHT_M_S / frequency_hz[row]
        phase_range_m[row] = phase_cyc[row] * wavelength_m
        rate_m_s[row] = -doppler_hz[row] * wavelength_m
    status, data = encode_kernel(
        np.array(header),
        layout,
        carriers_hz,
        offsets,
        satellite,
        signal,
        pseudorange_m,
        phase_range_m,
        frequency_hz,
        rate_m_s,
        cn0_dbhz,
        lock_ms,
        half_cycle,
        np.empty((3, 0), dtype=np.int64),
    )
    if status != OK:
        return status
    payload[: data.size] = data
    return data.size
