"""Encoding 1001 to 1004 and 1009 to 1012 from the rows of an epoch; the inverse of ``legacy``.

Nothing is clipped and nothing wraps, but phases by whole multiples of 1500 cycles, as the standard demands. What
does not fit gets the invalid code of its field.
"""

import math
from collections.abc import Iterable

import numpy as np

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.epoch import StationEpoch
from stations.signals import CHANNELS, SIGNALS, Constellation, channels_from, constellation_of
from stations.wire.bits import BitWriter
from stations.wire.ephemeris_fields import write_fields
from stations.wire.legacy import FIRST_SBAS, SBAS_SHIFT, legacy_lock_indicator
from stations.wire.legacy_fields import (
    CHANNEL_ZERO,
    CN0_UNITS_PER_DBHZ,
    INVALID_DIFFERENCE,
    INVALID_PHASE,
    LEGACY_LAYOUTS,
    MOST_SATELLITES,
    PHASE_UNITS_PER_M,
    RANGE_UNITS_PER_M,
    ROLL_OVER_CYC,
    LegacyLayout,
)
from stations.wire.system_time import glonass_time_field, msm_time_field

_ROUNDING = 1e-9  # of a range modulus: 0.3 mm, far below the unit of 20 mm
_HIGHEST_CN0_DBHZ = 63.8  # rounds to 255 of a quarter dB-Hz
# Which signal stands for L1 and L2 if there are several, best first, and its code indicator.
_FIRST_CODES = {"1C": 0, "1W": 1, "1P": 1, "1Y": 1}
_SECOND_CODES = {
    Constellation.GPS: {"2W": 3, "2D": 2, "2P": 1, "2Y": 1, "2X": 0, "2L": 0, "2S": 0, "2C": 0},
    Constellation.GLONASS: {"2C": 0, "2P": 1},
    Constellation.SBAS: {},
}


def encode_legacy(
    number: int,
    station_number: int,
    epoch: StationEpoch,
    *,
    more: bool,
    divergence_free: bool = False,
    smoothing_interval: int = 0,
) -> bytes:
    """Encode rows as one message of 1001 to 1004 or 1009 to 1012.

    One signal a frequency is sent: C/A before P on L1; on L2 of GPS P(Y) before L2C. Satellites without an L1 code
    that fits are left out, everything is relative to it; so are GLONASS satellites without a channel, and other
    systems.

    Args:
        number: Message number.
        station_number: Reference station number, 0-4095.
        epoch: Observations; its time a whole millisecond.
        more: Another message of the same station and time follows.
        divergence_free: DF007 or DF036.
        smoothing_interval: DF008 or DF037.

    Returns:
        Payload, without the frame.

    Raises:
        ValueError: Not one of these messages, more than 31 satellites, or a value that does not fit its field.

    Source:
        RTCM 10403.3 tables 3.5-1 to 3.5-5 and 3.5-10 to 3.5-14; DF002-DF020, DF034-DF050.
    """
    layout = LEGACY_LAYOUTS.get(number)
    if layout is None:
        message = f"message {number}: expected one of {', '.join(map(str, LEGACY_LAYOUTS))}"
        raise ValueError(message)
    satellites = [one for one in _satellites(epoch, layout) if one]
    if len(satellites) > MOST_SATELLITES:
        message = f"{len(satellites)} satellites: message {number} carries at most {MOST_SATELLITES}"
        raise ValueError(message)
    glonass = layout.constellation is Constellation.GLONASS
    writer = BitWriter()
    header = {
        "number": number,
        "station_number": station_number,
        "time": glonass_time_field(epoch.time_ns) if glonass else msm_time_field(Constellation.GPS, epoch.time_ns),
        "more": int(more),
        "count": len(satellites),
        "divergence_free": int(divergence_free),
        "smoothing_interval": smoothing_interval,
    }
    write_fields(writer, layout.header, header)
    for satellite in satellites:
        write_fields(writer, layout.satellite, satellite)
    return writer.to_bytes()


def _satellites(epoch: StationEpoch, layout: LegacyLayout) -> Iterable[dict[str, int]]:
    channel = channels_from(epoch.signal, epoch.frequency_hz)
    for satellite in np.unique(epoch.satellite).tolist():
        constellation = constellation_of(satellite)
        if constellation is Constellation.SBAS and layout.constellation is Constellation.GPS:
            number = satellite - SBAS_SHIFT
        elif constellation is layout.constellation:
            number = satellite % 100
        else:
            continue
        if not 0 < number < 64 or (constellation is Constellation.GPS and number >= FIRST_SBAS):
            continue
        rows = {SIGNALS[int(epoch.signal[row])].code: int(row) for row in np.flatnonzero(epoch.satellite == satellite)}
        first = _best(epoch, rows, _FIRST_CODES)
        if first is None or not 0.0 <= epoch.pseudorange_m[rows[first]] < _longest_m(layout):
            continue
        raw = {"satellite": number, "l1_code": _FIRST_CODES[first]}
        if constellation is Constellation.GLONASS:
            if channel[rows[first]] not in CHANNELS:
                continue
            raw["channel"] = int(channel[rows[first]]) + CHANNEL_ZERO
        second = _best(epoch, rows, _SECOND_CODES[constellation], phase_counts=True)
        yield (
            raw
            | _values(epoch, layout, rows[first], None if second is None else rows[second])
            | ({} if second is None else {"l2_code": _SECOND_CODES[constellation][second]})
        )


def _longest_m(layout: LegacyLayout) -> float:
    # Where the ambiguity is not sent, any number of it is allowed.
    bits = next((field.width for field in layout.satellite if field.name == "ambiguity"), 16)
    return float((1 << bits) - 1) * layout.modulus_m


def _best(
    epoch: StationEpoch, rows: dict[str, int], codes: dict[str, int], *, phase_counts: bool = False
) -> str | None:
    for code in codes:
        if code in rows:
            row = rows[code]
            if math.isfinite(epoch.pseudorange_m[row]) or (phase_counts and math.isfinite(epoch.phase_cyc[row])):
                return code
    return None


def _values(epoch: StationEpoch, layout: LegacyLayout, first: int, second: int | None) -> dict[str, int]:
    range_m = float(epoch.pseudorange_m[first])
    ambiguity = math.floor(range_m / layout.modulus_m + _ROUNDING)
    raw_range = round((range_m - ambiguity * layout.modulus_m) * RANGE_UNITS_PER_M)
    base_m = raw_range / RANGE_UNITS_PER_M + ambiguity * layout.modulus_m
    raw = {
        "l1_range": raw_range,
        "l1_phase": _phase(epoch, first, base_m),
        "l1_lock": legacy_lock_indicator(int(epoch.lock_ms[first])),
        "l2_range": INVALID_DIFFERENCE,
        "l2_phase": INVALID_PHASE,
        "l1_cn0": _cn0(epoch.cn0_dbhz[first]),
    }
    if layout.full_ranges:
        raw["ambiguity"] = ambiguity
    if second is not None:
        difference = (float(epoch.pseudorange_m[second]) - base_m) * RANGE_UNITS_PER_M
        raw["l2_range"] = _fitting(difference, INVALID_DIFFERENCE)
        raw["l2_phase"] = _phase(epoch, second, base_m)
        raw["l2_lock"] = legacy_lock_indicator(int(epoch.lock_ms[second]))
        raw["l2_cn0"] = _cn0(epoch.cn0_dbhz[second])
    return raw


def _phase(epoch: StationEpoch, row: int, base_m: float) -> int:
    wavelength_m = SPEED_OF_LIGHT_M_S / float(epoch.frequency_hz[row])
    difference_m = float(epoch.phase_cyc[row]) * wavelength_m - base_m
    if not math.isfinite(difference_m):
        return INVALID_PHASE
    if abs(round(difference_m * PHASE_UNITS_PER_M)) >= -INVALID_PHASE:
        roll_m = ROLL_OVER_CYC * wavelength_m
        difference_m -= roll_m * round(difference_m / roll_m)
    return round(difference_m * PHASE_UNITS_PER_M)


def _fitting(value: float, invalid: int) -> int:
    return round(value) if math.isfinite(value) and abs(round(value)) < -invalid else invalid


def _cn0(cn0_dbhz: float) -> int:
    return round(cn0_dbhz * CN0_UNITS_PER_DBHZ) if 0.0 < cn0_dbhz < _HIGHEST_CN0_DBHZ else 0
