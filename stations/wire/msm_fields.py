"""The layout of Multiple Signal Messages as tables: message groups, widths, resolutions, lock times.

Rule: a constellation differs from another only in what stands here and in ``system_time``; the kernels know
neither names nor systems.
"""

from dataclasses import dataclass

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import SPEED_OF_LIGHT_M_S
from stations.signals import SIGNALS, Constellation

RANGE_MS_M = SPEED_OF_LIGHT_M_S * 1e-3  # one light-millisecond, metres
MAX_CELLS = 64  # DF396 has at most 64 bits
SATELLITE_BITS = 64  # DF394
SIGNAL_BITS = 32  # DF395
ROUGH_BITS = 10  # DF398: rough range modulo 1 ms, unit 2^-10 ms
INVALID_MILLISECONDS = 255  # DF397
LONGEST_RANGE_M = INVALID_MILLISECONDS * RANGE_MS_M
ROUGH_RATE_RESOLUTION_M_S = 1.0  # DF399
FINE_RATE_RESOLUTION_M_S = 1e-4  # DF404

# Message number of MSM1 less one: the level, 1 to 7, is added to it.
GROUPS: dict[Constellation, int] = {
    Constellation.GPS: 1070,
    Constellation.GLONASS: 1080,
    Constellation.GALILEO: 1090,
    Constellation.SBAS: 1100,
    Constellation.QZSS: 1110,
    Constellation.BEIDOU: 1120,
    Constellation.NAVIC: 1130,
}
FULL_LEVELS = (4, 5, 6, 7)  # levels that carry full ranges; 1 to 3 leave the whole milliseconds out

# Satellite integer less MSM satellite number: 1 is G01, S20 (PRN 120), J01 (PRN 193); RTCM 10403.3 tables 3.5-90,
# 3.5-95, 3.5-98, 3.5-101, 3.5-104 and 3.5-107.
SATELLITE_OFFSETS: dict[Constellation, int] = {
    constellation: 100 * constellation + (19 if constellation is Constellation.SBAS else 0)
    for constellation in Constellation
}


@dataclass(frozen=True)
class MsmLayout:
    """Widths in bits and resolutions of the fields of one MSM level; width 0 where a field is absent.

    Attributes:
        extended: Extended satellite information.
        rough_rate: DF399.
        code: Fine pseudorange, DF400 or DF405; ``code_exponent``: its unit is ``2**-exponent`` ms.
        phase: Fine phase range, DF401 or DF406; ``phase_exponent``: its unit is ``2**-exponent`` ms.
        lock: DF402 or DF407.
        cn0: DF403 or DF408; ``cn0_exponent``: its unit is ``2**-exponent`` dB-Hz.
        fine_rate: DF404.
        whole: DF397; half: DF420.
    """

    extended: int
    rough_rate: int
    code: int
    code_exponent: int
    phase: int
    phase_exponent: int
    lock: int
    cn0: int
    cn0_exponent: int
    fine_rate: int
    whole: int = 8
    half: int = 1

    @property
    def satellite_bits(self) -> int:
        """Bits of one satellite in the satellite data."""
        return self.whole + self.extended + ROUGH_BITS + self.rough_rate

    @property
    def cell_bits(self) -> int:
        """Bits of one cell in the signal data."""
        return self.code + self.phase + self.lock + self.half + self.cn0 + self.fine_rate

    def as_row(self) -> IntArray:
        """Return the attributes in order, shape ``(12,)``, for the kernels."""
        return np.array(
            [
                self.extended,
                self.rough_rate,
                self.code,
                self.code_exponent,
                self.phase,
                self.phase_exponent,
                self.lock,
                self.cn0,
                self.cn0_exponent,
                self.fine_rate,
                self.whole,
                self.half,
            ],
            dtype=np.int64,
        )


# RTCM 10403.3 tables 3.5-78 to 3.5-87.
LAYOUTS: dict[int, MsmLayout] = {
    1: MsmLayout(0, 0, 15, 24, 0, 29, 0, 0, 0, 0, whole=0, half=0),
    2: MsmLayout(0, 0, 0, 24, 22, 29, 4, 0, 0, 0, whole=0),
    3: MsmLayout(0, 0, 15, 24, 22, 29, 4, 0, 0, 0, whole=0),
    4: MsmLayout(0, 0, 15, 24, 22, 29, 4, 6, 0, 0),
    5: MsmLayout(4, 14, 15, 24, 22, 29, 4, 6, 0, 15),
    6: MsmLayout(0, 0, 20, 29, 24, 31, 10, 10, 4, 0),
    7: MsmLayout(4, 14, 20, 29, 24, 31, 10, 10, 4, 15),
}
LAYOUT_ROWS: dict[int, IntArray] = {level: layout.as_row() for level, layout in LAYOUTS.items()}


_GROUP_OF = {base + level: (constellation, level) for constellation, base in GROUPS.items() for level in range(1, 8)}

MSM_NUMBERS = frozenset(_GROUP_OF)


def group_of(number: int) -> tuple[Constellation, int] | None:
    """Return constellation and level (1 to 7) of a message number, ``None`` if it is no MSM."""
    return _GROUP_OF.get(number)


def _carriers(constellation: Constellation) -> FloatArray:
    table = np.full((2, SIGNAL_BITS + 1), np.nan)
    for signal in SIGNALS.values():
        if signal.constellation == constellation and signal.msm_number is not None:
            table[:, signal.msm_number] = signal.base_hz, signal.channel_step_hz
    return table


# By MSM signal number 1 to 32: carrier frequency and channel step in Hz, NaN for signals that are not in
# ``stations.signals``; shape (2, 33).
CARRIERS_HZ: dict[Constellation, FloatArray] = {
    constellation: _carriers(constellation) for constellation in Constellation
}

# DF419, the extended information of GLONASS satellites in MSM5 and MSM7: channel + 7, 15 for unknown.
CHANNEL_OFFSET = 7
HIGHEST_CHANNEL_FIELD = 13
UNKNOWN_CHANNEL_FIELD = 15
# By satellite number 0 to 64: the channels of a system of which nobody has told any; shape (65,).
NO_CHANNELS: FloatArray = np.full(SATELLITE_BITS + 1, np.nan)


def lock_ms_of(indicator: int, width: int) -> int:
    """Return the least lock time in milliseconds that an indicator stands for.

    Args:
        indicator: DF402 (``width`` 4) or DF407 (``width`` 10); MSM1 has none (``width`` and indicator 0).
        width: Width of the field in bits.

    Returns:
        Lower bound of the interval; 0 for the reserved indicators 705 and above, which claim nothing.

    Source:
        RTCM 10403.3 tables 3.5-74 (DF402) and 3.5-75 (DF407).
    """
    if width <= 4:
        return 32 << (indicator - 1) if indicator > 0 else 0
    if indicator < 64:
        return indicator
    if indicator > 704:
        return 0
    doublings = indicator // 32 - 1
    return (indicator - 32 * doublings) << doublings


def lock_indicator_of(lock_ms: int, width: int) -> int:
    """Return the largest indicator that claims no more than ``lock_ms``; the inverse of :func:`lock_ms_of`.

    Args:
        lock_ms: Milliseconds without a slip; negative counts as 0.
        width: 4 for DF402, 10 for DF407, 0 for none.
    """
    last = {0: 0, 4: 15}.get(width, 704)
    return max(indicator for indicator in range(last + 1) if lock_ms_of(indicator, width) <= max(lock_ms, 0))
