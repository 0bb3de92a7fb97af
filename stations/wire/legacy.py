"""Observation messages before MSM between payloads and arrays: 1001 to 1004 (GPS, SBAS), 1009 to 1012 (GLONASS).

Everything of a satellite is relative to its L1 code, in units of 0.02 m, and phases are only known up to 1500
cycles, which the sender adds or subtracts when they drift away from the code (:class:`PhaseRollOver` undoes it).
There are no half-cycle flags: the standard demands phases without half cycles.
"""

import math
from bisect import bisect_right

import numpy as np

from stations.errors import GpsgridError, Reason
from stations.signals import Constellation, frequencies_hz, signal_of
from stations.wire.bits import BitReader
from stations.wire.ephemeris_fields import read_fields
from stations.wire.framing import message_number
from stations.wire.legacy_block import LegacyBlock
from stations.wire.legacy_fields import (
    CHANNEL_ZERO,
    CN0_UNITS_PER_DBHZ,
    INVALID_DIFFERENCE,
    INVALID_PHASE,
    LEGACY_LAYOUTS,
    LOCK_MS,
    PHASE_UNITS_PER_M,
    RANGE_UNITS_PER_M,
    LegacyLayout,
)
from stations.wire.system_time import UNKNOWN_DAY, glonass_time_ns, week_time_ns

FIRST_SBAS = 40  # DF009: 40 is PRN 120
SBAS_SHIFT = 100 * Constellation.SBAS - 20  # and S20

# Indicators to signals. An L1 P(Y) that is not decrypted is Z-tracked, 1W; L2 has an indicator of its own for that.
L1_SIGNALS: dict[Constellation, tuple[int | None, ...]] = {
    Constellation.GPS: (signal_of(Constellation.GPS, "1C").number, signal_of(Constellation.GPS, "1W").number),
    Constellation.GLONASS: (
        signal_of(Constellation.GLONASS, "1C").number,
        signal_of(Constellation.GLONASS, "1P").number,
    ),
    Constellation.SBAS: (signal_of(Constellation.SBAS, "1C").number, None),
}
L2_SIGNALS: dict[Constellation, tuple[int | None, ...]] = {
    # DF016: C/A or L2C, P(Y) direct, P(Y) cross-correlated, P(Y) correlated (Z-tracking).
    Constellation.GPS: tuple(signal_of(Constellation.GPS, code).number for code in ("2X", "2P", "2D", "2W")),
    Constellation.GLONASS: (*(signal_of(Constellation.GLONASS, code).number for code in ("2C", "2P")), None, None),
    Constellation.SBAS: (None, None, None, None),
}


# Satellite, signal, channel, base m, pseudorange m, phase range m, C/N0 dB-Hz, lock ms.
_Row = tuple[int, int, float, float, float, float, float, int]


def decode_legacy(payload: bytes, near_ns: int) -> LegacyBlock:
    """Decode 1001 to 1004 or 1009 to 1012.

    Args:
        payload: Complete payload of one frame.
        near_ns: Time of reception, ns of GPS time; resolves the week, for GLONASS the day.

    Raises:
        NeedMoreBits: The payload is too short.
        GpsgridError: ``MALFORMED``, an impossible time.

    Source:
        RTCM 10403.3 tables 3.5-1 to 3.5-5 and 3.5-10 to 3.5-14; DF002-DF020, DF034-DF050.
    """
    reader = BitReader(payload)
    number = message_number(payload)
    layout = LEGACY_LAYOUTS.get(number)
    if layout is None:
        text = f"message {number} is none of {', '.join(map(str, LEGACY_LAYOUTS))}"
        raise GpsgridError(Reason.UNSUPPORTED_SIGNAL, text, number=number)
    header = read_fields(reader, layout.header)
    rows: dict[tuple[int, int], _Row] = {}
    skipped = 0
    for _ in range(header["count"]):
        for row in _rows(read_fields(reader, layout.satellite), layout):
            # The first counts, as with repeated messages.
            if row is None or row[:2] in rows:
                skipped += 1
            else:
                rows[row[:2]] = row
    if layout.constellation is Constellation.GLONASS:
        epoch_ns = glonass_time_ns(number, UNKNOWN_DAY, header["time"], near_ns)
    else:
        epoch_ns = week_time_ns(number, header["time"], near_ns)
    columns = list(zip(*(rows[key] for key in sorted(rows)), strict=True)) or [()] * 8
    signal = np.array(columns[1], dtype=np.int64)
    channel = np.array(columns[2], dtype=np.float64)
    return LegacyBlock(
        number,
        header["station_number"],
        epoch_ns,
        bool(header["more"]),
        layout.constellation,
        bool(header["divergence_free"]),
        header["smoothing_interval"],
        layout.full_ranges,
        layout.modulus_m,
        np.array(columns[0], dtype=np.int64),
        signal,
        channel,
        frequencies_hz(signal, channel),
        np.array(columns[3], dtype=np.float64),
        np.array(columns[4], dtype=np.float64),
        np.array(columns[5], dtype=np.float64),
        np.array(columns[6], dtype=np.float64),
        np.array(columns[7], dtype=np.int64),
        skipped,
    )


def _rows(raw: dict[str, int], layout: LegacyLayout) -> list[_Row | None]:
    number = raw["satellite"]
    constellation, satellite = layout.constellation, 100 * layout.constellation + number
    if constellation is Constellation.GPS and number >= FIRST_SBAS:
        constellation, satellite = Constellation.SBAS, SBAS_SHIFT + number
    channel = raw["channel"] - CHANNEL_ZERO if "channel" in raw else math.nan
    possible = raw["l1_range"] <= layout.highest_range
    base_m = raw["l1_range"] / RANGE_UNITS_PER_M + raw.get("ambiguity", 0) * layout.modulus_m if possible else math.nan
    l1_valid = raw["l1_range"] != layout.invalid_range
    l1 = L1_SIGNALS[constellation][raw["l1_code"]] if number else None
    cells = [(l1, base_m if l1_valid else math.nan, raw["l1_phase"], raw.get("l1_cn0", 0), raw["l1_lock"])]
    if layout.dual and _observed(raw):
        l2 = L2_SIGNALS[constellation][raw["l2_code"]] if number else None
        l2_valid = raw["l2_range"] != INVALID_DIFFERENCE
        code_m = base_m + raw["l2_range"] / RANGE_UNITS_PER_M if l2_valid else math.nan
        cells.append((l2, code_m, raw["l2_phase"], raw.get("l2_cn0", 0), raw["l2_lock"]))
    return [
        None
        if signal is None
        else (
            satellite,
            signal,
            channel,
            base_m,
            code_m,
            base_m + phase / PHASE_UNITS_PER_M if phase != INVALID_PHASE else math.nan,
            cn0 / CN0_UNITS_PER_DBHZ if cn0 else math.nan,
            LOCK_MS[lock],
        )
        for signal, code_m, phase, cn0, lock in cells
    ]


def _observed(raw: dict[str, int]) -> bool:
    # Satellites without L2 have the invalid codes of the standard, or, from some receivers, zeros everywhere.
    fields = (raw["l2_range"], raw["l2_phase"])
    return fields != (INVALID_DIFFERENCE, INVALID_PHASE) and (
        any(fields) or raw["l2_lock"] > 0 or raw.get("l2_cn0", 1) > 0
    )


def legacy_lock_indicator(lock_ms: int) -> int:
    """Return the largest lock time indicator (DF013) that claims no more than ``lock_ms``; negative counts as 0."""
    return max(bisect_right(LOCK_MS, lock_ms) - 1, 0)
