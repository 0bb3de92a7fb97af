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
from stations.wire.msm_columns import HEADER_BITS, MASKS_END, OK, TOO_MANY_CELLS, TOO_SHORT, UNSORTED
from stations.wire.msm_epoch_packing import encode_epoch_kernel
from stations.wire.msm_fields import (
    CARRIERS_HZ,
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
_INTEGER, _BYTE = np.dtype(np.int64), np.dtype(np.uint8)
_CHOOSE: IntArray = np.empty((3, 0), dtype=np.int64)
_OFFSETS = {system: (SATELLITE_OFFSETS[system], 100 * int(system)) for system in Constellation}
_SYSTEMS = {int(system): system for system in GROUPS}
# By message number, because looking up an enumeration costs as much as unpacking a satellite.
_KINDS = {
    base + level: (system, layout, CARRIERS_HZ[system], _OFFSETS[system])
    for system, base in GROUPS.items()
    for level, layout in LAYOUT_ROWS.items()
}


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
    kind = _KINDS.get(number)
    if kind is None:
        text = f"message {number} is no MSM"
        raise GpsgridError(Reason.UNSUPPORTED_SIGNAL, text, number=number)
    constellation, layout, carriers_hz, offsets = kind
    header = np.empty(12, _INTEGER)
    if rows is None or not rows.has_room:
        rows = MsmRows()
    first = rows.taken
    end = decode_kernel(
        np.frombuffer(payload, _BYTE),
        layout,
        carriers_hz,
        NO_CHANNELS if channels is None else channels.by_slot,
        offsets,
        header,
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
    _, station_number, time, more, *flags, skipped, without_frequency = header.tolist()
    return MsmBlock(
        number,
        station_number,
        more == 1,
        constellation,
        _flags(*flags),
        msm_time_ns(number, constellation, time, near_ns),
        rows,
        first,
        end,
        skipped,
        without_frequency,
    )


@lru_cache(maxsize=256)
def _flags(iods: int, reserved: int, steering: int, external: int, free: int, interval: int) -> MsmFlags:
    # A receiver says the same in every message.
    return MsmFlags(iods, steering, external, free == 1, interval, reserved)


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
    if len(epoch) or constellation is None:
        constellation = _constellation_of(epoch)
    if not 0 <= station_number < STATION_NUMBERS:
        message = f"station number {station_number}: expected 0 to {STATION_NUMBERS - 1}"
        raise ValueError(message)
    if level not in LAYOUT_ROWS:
        message = f"MSM{level}: there are levels 1 to 7"
        raise ValueError(message)
    fields = (GROUPS[constellation] + level, station_number, msm_time_field(constellation, epoch.time_ns), int(more))
    if range_rate_m_s is not None:
        phase_range_m = epoch.phase_cyc * (SPEED_OF_LIGHT_M_S / epoch.frequency_hz)
        return _packed(constellation, level, (fields, flags), epoch, (phase_range_m, range_rate_m_s), _CHOOSE)
    payload = np.empty(MAX_PAYLOAD, _BYTE)
    size = encode_epoch_kernel(
        (*fields, *flags.fields),
        LAYOUT_ROWS[level],
        CARRIERS_HZ[constellation],
        _OFFSETS[constellation],
        epoch.satellite,
        epoch.signal,
        epoch.pseudorange_m,
        epoch.phase_cyc,
        epoch.frequency_hz,
        epoch.doppler_hz,
        epoch.cn0_dbhz,
        epoch.lock_ms,
        epoch.half_cycle,
        payload,
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
    level = block.number - GROUPS[block.constellation]
    time_field = msm_time_field(block.constellation, block.epoch_ns)
    fields = (block.number, block.station_number, time_field, int(block.more))
    ranges = (block.phase_range_m, block.range_rate_m_s)
    return _packed(block.constellation, level, (fields, block.flags), block.sent, ranges, block.rough)


def _packed(
    constellation: Constellation,
    level: int,
    head: tuple[tuple[int, int, int, int], MsmFlags],
    epoch: StationEpoch,
    ranges: tuple[FloatArray, FloatArray],
    rough: IntArray,
) -> bytes:
    # Phases are given in metres, beside the rows, because they may be known there only.
    fields, flags = head
    phase_range_m, range_rate_m_s = ranges
    status, data = encode_kernel(
        np.array((*fields, *flags.fields), dtype=np.int64),
        LAYOUT_ROWS[level],
        CARRIERS_HZ[constellation],
        _OFFSETS[constellation],
        epoch.satellite,
        epoch.signal,
        epoch.pseudorange_m,
        phase_range_m,
        epoch.frequency_hz,
        range_rate_m_s,
        epoch.cn0_dbhz,
        epoch.lock_ms,
        epoch.half_cycle,
        rough,
    )
    if status != OK:
        raise ValueError(_refusal(status, epoch))
    return data.tobytes()


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


def _constellation_of(epoch: StationEpoch) -> Constellation:
    if not len(epoch):
        return Constellation.GPS
    # Rows are sorted, so the first and the last satellite tell; the kernel refuses rows that are not.
    first, last = epoch.satellite.item(0) // 100, epoch.satellite.item(-1) // 100
    constellation = _SYSTEMS.get(first)
    if first != last or constellation is None:
        names = ", ".join(sorted(satellite_name(100 * system)[0] for system in {first, last}))
        message = f"rows of systems {names}: a message carries one system of {', '.join(one.name for one in GROUPS)}"
        raise ValueError(message)
    return constellation


def _refusal(status: int, epoch: StationEpoch) -> str:
    if status == TOO_MANY_CELLS:
        return f"{len(epoch)} rows span more than {MAX_CELLS} satellite-signal pairs: use split_rows"
    if status == UNSORTED:
        return "rows must be sorted by satellite and signal, without repetition: use make_epoch"
    unknown = [
        f"{satellite_name(satellite)} signal {signal}"
        for satellite, signal in zip(epoch.satellite.tolist(), epoch.signal.tolist(), strict=True)
        if signal not in SIGNALS
        or SIGNALS[signal].msm_number is None
        or satellite // 100 != signal // 100
        or not 1 <= satellite - SATELLITE_OFFSETS[Constellation(satellite // 100)] <= 64
    ]
    return f"rows outside the tables of RTCM MSM: {', '.join(unknown[:5])}"
