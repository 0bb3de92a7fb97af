"""Multiple Signal Messages 4 to 7 between payloads and arrays, both directions.

Here are the names, the checks and the errors; the work is done in ``msm_unpacking`` and ``msm_packing``,
the layout stands in ``msm_fields``, and ``msm_slow`` does everything once more, plainly. A constellation is
supported once its signals are in ``stations.signals``.
"""

import numpy as np

from stations.arrays import BoolArray, FloatArray
from stations.constants import NS_PER_MS
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import NS_PER_WEEK, nearest_week, to_week
from stations.signals import SIGNALS, Constellation, satellite_name
from stations.wire.framing import message_number
from stations.wire.msm_block import UNKNOWN_FLAGS, MsmBlock, MsmFlags
from stations.wire.msm_columns import HEADER_BITS, MASKS_END, OK, TOO_MANY_CELLS, TOO_SHORT, UNSORTED
from stations.wire.msm_fields import FULL_LEVELS, GROUPS, LAYOUT_ROWS, MAX_CELLS, WAVELENGTHS_M, group_of
from stations.wire.msm_packing import encode_kernel
from stations.wire.msm_unpacking import decode_kernel

__all__ = [
    "UNKNOWN_FLAGS",
    "MsmBlock",
    "MsmFlags",
    "decode_msm",
    "encode_msm",
    "encode_msm7",
    "more_follows",
    "split_rows",
]

STATION_NUMBERS = 4096  # DF003 has twelve bits
_MORE_BIT = 54


def more_follows(payload: bytes) -> bool:
    """Return the multiple message bit DF393, which has the same place in the MSM of all constellations.

    Raises:
        GpsgridError: ``MALFORMED``, the payload ends before it.
    """
    if len(payload) * 8 <= _MORE_BIT:
        raise _too_short(message_number(payload), payload, HEADER_BITS)
    return bool(payload[_MORE_BIT // 8] >> (7 - _MORE_BIT % 8) & 1)


def decode_msm(payload: bytes, near_ns: int) -> MsmBlock:
    """Decode MSM4, 5, 6 or 7.

    Args:
        payload: Complete payload of one frame.
        near_ns: Any time within half a week of the observations, ns of GPS time.

    Returns:
        Header and rows. Cells of unlisted signals are counted in ``skipped``.

    Raises:
        GpsgridError: ``UNSUPPORTED_SIGNAL`` for a constellation or level we do not decode, ``MALFORMED``
            for a payload that is too short or contradicts itself.

    Source:
        RTCM 10403.3 section 3.5.16; DF002-DF004, DF393-DF420.
    """
    number = message_number(payload)
    constellation, level = _supported(number)
    status, header, integers, floats, half_cycle = decode_kernel(
        np.frombuffer(payload, dtype=np.uint8), LAYOUT_ROWS[level], WAVELENGTHS_M[constellation]
    )
    if status == TOO_SHORT:
        raise _too_short(number, payload, MASKS_END)
    if status == TOO_MANY_CELLS:
        text = f"message {number}: the cell mask would have more than {MAX_CELLS} bits"
        raise GpsgridError(Reason.MALFORMED, text, number=number)
    _, station_number, time, more, iods, reserved, steering, external, free, interval, skipped = header.tolist()
    offset = 100 * constellation
    return MsmBlock(
        number,
        station_number,
        _epoch_ns(number, time, near_ns),
        bool(more),
        constellation,
        MsmFlags(iods, steering, external, bool(free), interval, reserved),
        integers[0] + offset,
        integers[1] + offset,
        floats[0],
        floats[1],
        floats[2],
        floats[3],
        integers[2],
        half_cycle,
        skipped,
    )


def encode_msm(
    station_number: int,
    epoch: StationEpoch,
    *,
    more: bool,
    level: int = 7,
    range_rate_m_s: FloatArray | None = None,
    flags: MsmFlags = UNKNOWN_FLAGS,
) -> bytes:
    """Encode the rows of one constellation as MSM4, 5, 6 or 7.

    A phase is only representable within about 1 km of the code: see :class:`PhaseAligner`. Values that do
    not fit are sent as invalid, never clipped or wrapped. The lock time sent claims no more than ``lock_ms``.

    Args:
        station_number: Reference station number, 0-4095.
        epoch: Rows of one constellation, no more than fit (:func:`split_rows`); its time a whole millisecond.
        more: Another MSM of the same station and time follows.
        level: 4 to 7.
        range_rate_m_s: Phase range rates for MSM5 and MSM7, shape ``(row,)``; ``None`` sends them as invalid.
        flags: The rest of the header.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: The arguments break one of the rules above.

    Source:
        RTCM 10403.3 section 3.5.16; DF002-DF004, DF393-DF420.
    """
    constellation = _constellation_of(epoch)
    if not 0 <= station_number < STATION_NUMBERS:
        message = f"station number {station_number}: expected 0 to {STATION_NUMBERS - 1}"
        raise ValueError(message)
    if level not in FULL_LEVELS:
        message = f"MSM{level}: only levels {FULL_LEVELS} carry full ranges"
        raise ValueError(message)
    if range_rate_m_s is None:
        range_rate_m_s = np.full(len(epoch), np.nan)
    header = (
        GROUPS[constellation] + level,
        station_number,
        _time_field(epoch.time_ns),
        int(more),
        flags.iods,
        flags.reserved,
        flags.clock_steering,
        flags.external_clock,
        int(flags.divergence_free),
        flags.smoothing_interval,
    )
    offset = 100 * constellation
    status, data = encode_kernel(
        np.array(header, dtype=np.int64),
        LAYOUT_ROWS[level],
        WAVELENGTHS_M[constellation],
        epoch.satellite - offset,
        epoch.signal - offset,
        epoch.pseudorange_m,
        epoch.phase_cyc,
        range_rate_m_s,
        epoch.cn0_dbhz,
        epoch.lock_ms,
        epoch.half_cycle,
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


def split_rows(epoch: StationEpoch) -> list[BoolArray]:
    """Return masks, shape ``(row,)``, that cut an epoch into pieces that fit into one MSM each.

    A piece holds whole satellites of one constellation and at most 64 satellite-signal pairs. An epoch without
    rows has no pieces.
    """
    pieces: list[BoolArray] = []
    for system in np.unique(epoch.satellite // 100):
        rows = np.flatnonzero(epoch.satellite // 100 == system)
        # All signals of the system count, so that pieces do not depend on who carries which signal.
        satellites_each = MAX_CELLS // len(np.unique(epoch.signal[rows]))
        satellites = np.unique(epoch.satellite[rows])
        pieces.extend(
            np.isin(epoch.satellite, satellites[first : first + satellites_each])
            for first in range(0, len(satellites), satellites_each)
        )
    return pieces


def _supported(number: int) -> tuple[Constellation, int]:
    group = group_of(number)
    if group is None:
        text = f"message {number} is no MSM"
        raise GpsgridError(Reason.UNSUPPORTED_SIGNAL, text, number=number)
    constellation, level = group
    if constellation not in WAVELENGTHS_M or level not in LAYOUT_ROWS:
        supported = ", ".join(system.name for system in WAVELENGTHS_M)
        text = f"message {number}: {constellation.name} MSM{level}; supported are MSM4 to MSM7 of {supported}"
        raise GpsgridError(Reason.UNSUPPORTED_SIGNAL, text, number=number)
    return constellation, level


def _too_short(number: int, payload: bytes, least_bits: int) -> GpsgridError:
    text = (
        f"message {number}: {len(payload)} bytes are too short for its masks and cells; "
        f"an MSM has at least {(least_bits + 7) // 8}"
    )
    return GpsgridError(Reason.MALFORMED, text, number=number, length=len(payload))


def _epoch_ns(number: int, time: int, near_ns: int) -> int:
    # DF004 is milliseconds of the GPS week; other systems need their own line here.
    nanos = time * NS_PER_MS
    if nanos >= NS_PER_WEEK:
        text = f"message {number}: time of week {time} ms is not below {NS_PER_WEEK // NS_PER_MS}"
        raise GpsgridError(Reason.MALFORMED, text, number=number, time_ms=time)
    return nearest_week(nanos, near_ns)


def _time_field(time_ns: int) -> int:
    millis, rest = divmod(to_week(time_ns)[1], NS_PER_MS)
    if rest:
        message = f"time tag {time_ns} ns: RTCM carries whole milliseconds only"
        raise ValueError(message)
    return millis


def _constellation_of(epoch: StationEpoch) -> Constellation:
    if not len(epoch):
        return Constellation.GPS
    # Rows are sorted, so the first and the last satellite tell; the kernel refuses rows that are not.
    systems = {int(epoch.satellite[0]) // 100, int(epoch.satellite[-1]) // 100}
    if len(systems) > 1 or not systems <= WAVELENGTHS_M.keys():
        names = ", ".join(sorted(satellite_name(100 * system)[0] for system in systems))
        message = (
            f"rows of systems {names}: a message carries one of {', '.join(known.name for known in WAVELENGTHS_M)}"
        )
        raise ValueError(message)
    return Constellation(systems.pop())


def _refusal(status: int, epoch: StationEpoch) -> str:
    if status == TOO_MANY_CELLS:
        return f"{len(epoch)} rows span more than {MAX_CELLS} satellite-signal pairs: use split_rows"
    if status == UNSORTED:
        return "rows must be sorted by satellite and signal, without repetition: use make_epoch"
    unknown = [
        f"{satellite_name(satellite)} signal {signal}"
        for satellite, signal in zip(epoch.satellite.tolist(), epoch.signal.tolist(), strict=True)
        if signal not in SIGNALS or satellite // 100 != signal // 100 or not 1 <= satellite % 100 <= 64
    ]
    return f"rows outside the tables of RTCM MSM: {', '.join(unknown[:5])}"
