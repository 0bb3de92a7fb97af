"""Multiple Signal Messages 1 to 7 of all systems between payloads and arrays, both directions.

Here are the names, the checks and the errors; the work is done in ``msm_unpacking`` and ``msm_packing``,
the layout stands in ``msm_fields``, and ``msm_slow`` does everything once more, plainly.
"""

from functools import lru_cache

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.glonass_channels import GlonassChannels
from stations.signals import SIGNALS, Constellation, satellite_name
from stations.wire.framing import MAX_PAYLOAD, message_number
from stations.wire.msm_block import UNKNOWN_FLAGS, MsmBlock, MsmFlags
from stations.wire.msm_columns import HEADER_BITS, MASKS_END, TOO_MANY_CELLS, TOO_SHORT, UNSORTED
from stations.wire.msm_fields import (
    GROUPS,
    LAYOUT_ROWS,
    MAX_CELLS,
    NO_CHANNELS,
    SATELLITE_OFFSETS,
)
from stations.wire.msm_packing import encode_kernel
from stations.wire.msm_pieces import carried, split_rows, split_slices
from stations.wire.msm_rows import MsmRows
from stations.wire.msm_unpacking import decode_kernel
from stations.wire.system_time import msm_time_field, msm_time_ns

__all__ = [
    "UNKNOWN_FLAGS",
    "MsmBlock",
    "MsmFlags",
    "carried",
    "decode_msm",
    "encode_block",
    "encode_msm",
    "encode_msm7",
    "more_follows",
    "split_rows",
    "split_slices",
]

STATION_NUMBERS = 4096  # DF003 has twelve bits
_MORE_BIT = 54
_BYTE = np.dtype(np.uint8)
_CHOOSE: IntArray = np.empty((3, 0), dtype=np.int64)  # no rough values are given
_SYSTEMS = {int(system): system for system in GROUPS}
_SYSTEM_OF = {base + level: system for system, base in GROUPS.items() for level in LAYOUT_ROWS}


def more_follows(payload: bytes) -> bool:
    """Return the multiple message bit DF393, which has the same place in the MSM of all constellations.

    Raises:
        GpsgridError: ``MALFORMED``, the payload ends before it.
    """
    if len(payload) * 8 <= _MORE_BIT:
        raise _too_short(message_number(payload), payload, HEADER_BITS)
    return bool(payload[_MORE_BIT // 8] >> (7 - _MORE_BIT % 8) & 1)


def decode_msm(
    payload: bytes, near_ns: int, channels: GlonassChannels | None = None, rows: MsmRows | None = None
) -> MsmBlock:
    """Decode MSM1 to MSM7 of any system.

    Args:
        payload: Complete payload of one frame.
        near_ns: Any time within half a week of the observations, ns of GPS time.
        channels: GLONASS channels for messages that name none; without, their phases stay in metres.
        rows: Columns to unpack into, behind the rows that are taken there; without any, or without room, new ones.

    Returns:
        Header and rows. Cells of unlisted signals are counted in ``skipped``. Ranges of MSM1 to MSM3 lack
        their whole milliseconds: see :class:`MsmBlock`.

    Raises:
        GpsgridError: ``UNSUPPORTED_SIGNAL`` for a message that is no MSM, ``MALFORMED`` for a payload that
            is too short or contradicts itself.

    Source:
        RTCM 10403.3 section 3.5.16; DF002-DF004, DF034, DF393-DF420, DF427.
    """
    number = message_number(payload)
    constellation = _SYSTEM_OF.get(number)
    if constellation is None:
        text = f"message {number} is no MSM"
        raise GpsgridError(Reason.UNSUPPORTED_SIGNAL, text, number=number)
    if rows is None or not rows.has_room:
        rows = MsmRows()
    first = rows.taken
    end, station_number, time, more, flags, skipped, without_frequency = decode_kernel(
        payload,
        NO_CHANNELS if channels is None else channels.by_slot,
        first,
        rows.integers,
        rows.floats,
        rows.half_cycle,
    )
    if end == TOO_SHORT:
        raise _too_short(number, payload, MASKS_END)
    if end == TOO_MANY_CELLS:
        text = f"message {number}: the cell mask would have more than {MAX_CELLS} bits"
        raise GpsgridError(Reason.MALFORMED, text, number=number)
    # Three times as fast as MsmBlock(...), which is the same behind a function.
    return tuple.__new__(
        MsmBlock,
        (
            number,
            station_number,
            more == 1,
            constellation,
            _flags(flags),
            msm_time_ns(number, constellation, int(time), near_ns),  # a kernel that is interpreted gives numpy's
            rows,
            first,
            end,
            skipped,
            without_frequency,
        ),
    )


@lru_cache(maxsize=256)
def _flags(bits: int) -> MsmFlags:
    # A receiver says the same in every message.
    return MsmFlags(bits >> 15, bits >> 6 & 3, bits >> 4 & 3, bits >> 3 & 1 == 1, bits & 7, bits >> 8 & 0x7F)


def encode_msm(
    station_number: int,
    epoch: StationEpoch,
    *,
    more: bool,
    level: int = 7,
    range_rate_m_s: FloatArray | None = None,
    flags: MsmFlags = UNKNOWN_FLAGS,
    constellation: Constellation | None = None,
) -> bytes:
    """Encode the rows of one constellation as MSM1 to MSM7.

    A phase is only representable within about 1 km of the code: see :class:`PhaseAligner`. Values that do
    not fit are sent as invalid, never clipped or wrapped; so are GLONASS phases without a frequency. The lock
    time sent claims no more than ``lock_ms``.

    Args:
        station_number: Reference station number, 0-4095.
        epoch: Rows of one constellation, no more than fit (:func:`split_slices`); its time a whole millisecond.
        more: Another MSM of the same station and time follows.
        level: 1 to 7.
        range_rate_m_s: Phase range rates for MSM5 and MSM7, shape ``(row,)``; ``None`` takes ``doppler_hz``.
        flags: The rest of the header.
        constellation: System of an epoch without rows, which has none of its own; GPS by default.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: The arguments break one of the rules above.

    Source:
        RTCM 10403.3 section 3.5.16; DF002-DF004, DF034, DF393-DF420, DF427.
    """
    satellite = epoch.satellite
    if satellite.size or constellation is None:
        constellation = _SYSTEMS.get(satellite.item(0) // 100) if satellite.size else Constellation.GPS
        if constellation is None:
            raise ValueError(_mixed(epoch))
    if not 0 <= station_number < STATION_NUMBERS:
        message = f"station number {station_number}: expected 0 to {STATION_NUMBERS - 1}"
        raise ValueError(message)
    if level not in LAYOUT_ROWS:
        message = f"MSM{level}: there are levels 1 to 7"
        raise ValueError(message)
    phase, rate, cycles = epoch.phase_cyc, epoch.doppler_hz, True
    if range_rate_m_s is not None:
        phase, rate, cycles = epoch.phase_cyc * (SPEED_OF_LIGHT_M_S / epoch.frequency_hz), range_rate_m_s, False
    payload = np.empty(MAX_PAYLOAD, _BYTE)
    size = encode_kernel(
        payload,
        GROUPS[constellation] + level,
        station_number,
        msm_time_field(constellation, epoch.time_ns),
        int(more),
        flags.bits,
        satellite,
        epoch.signal,
        epoch.pseudorange_m,
        phase,
        epoch.frequency_hz,
        rate,
        epoch.cn0_dbhz,
        epoch.lock_ms,
        epoch.half_cycle,
        _CHOOSE,
        cycles,
    )
    if size < 0:
        raise ValueError(_refusal(size, epoch))
    return payload[:size].tobytes()


def encode_block(block: MsmBlock) -> bytes:
    """Encode a decoded message again, with the rough values and reserved bits that it had.

    Returns:
        The same payload, bit for bit, if nothing was left out in decoding, no satellite was without cells and no
        field held a reserved value.
    """
    sent = block.sent
    payload = np.empty(MAX_PAYLOAD, _BYTE)
    size = encode_kernel(
        payload,
        block.number,
        block.station_number,
        msm_time_field(block.constellation, block.epoch_ns),
        int(block.more),
        block.flags.bits,
        sent.satellite,
        sent.signal,
        sent.pseudorange_m,
        block.phase_range_m,
        sent.frequency_hz,
        block.range_rate_m_s,
        sent.cn0_dbhz,
        sent.lock_ms,
        sent.half_cycle,
        block.rough,
        False,  # noqa: FBT003 - numba has no keywords
    )
    if size < 0:
        raise ValueError(_refusal(size, sent))
    return payload[:size].tobytes()


def encode_msm7(
    station_number: int,
    epoch: StationEpoch,
    *,
    more: bool,
    range_rate_m_s: FloatArray | None = None,
    flags: MsmFlags = UNKNOWN_FLAGS,
) -> bytes:
    """Encode the rows of one constellation as MSM7; see :func:`encode_msm`."""
    return encode_msm(station_number, epoch, more=more, range_rate_m_s=range_rate_m_s, flags=flags)


def _too_short(number: int, payload: bytes, least_bits: int) -> GpsgridError:
    text = (
        f"message {number}: {len(payload)} bytes are too short for its masks and cells; "
        f"an MSM has at least {(least_bits + 7) // 8}"
    )
    return GpsgridError(Reason.MALFORMED, text, number=number, length=len(payload))


def _mixed(epoch: StationEpoch) -> str:
    systems = sorted({satellite // 100 for satellite in (epoch.satellite.item(0), epoch.satellite.item(-1))})
    names = ", ".join(satellite_name(100 * system)[0] for system in systems)
    return f"rows of systems {names}: a message carries one system of {', '.join(one.name for one in GROUPS)}"


def _refusal(status: int, epoch: StationEpoch) -> str:
    if status == TOO_MANY_CELLS:
        return f"{len(epoch)} rows span more than {MAX_CELLS} satellite-signal pairs: use split_rows"
    if status == UNSORTED:
        return "rows must be sorted by satellite and signal, without repetition: use make_epoch"
    # Rows are sorted, so the first and the last satellite tell.
    if epoch.satellite.item(0) // 100 != epoch.satellite.item(-1) // 100:
        return _mixed(epoch)
    unknown = [
        f"{satellite_name(satellite)} signal {signal}"
        for satellite, signal in zip(epoch.satellite.tolist(), epoch.signal.tolist(), strict=True)
        if signal not in SIGNALS
        or SIGNALS[signal].msm_number is None
        or satellite // 100 != signal // 100
        or not 1 <= satellite - SATELLITE_OFFSETS[Constellation(satellite // 100)] <= 64
    ]
    return f"rows outside the tables of RTCM MSM: {', '.join(unknown[:5])}"
