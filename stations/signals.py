"""Constellations, satellites and signals as small integers with names: one table, used by everybody.

A satellite is ``100 * constellation + number`` with the number of its RINEX name: G07 is 7, E11 is 211, S20
(PRN 120) is 320, J01 (PRN 193) is 401. A signal is ``100 * constellation + n``; for n up to 32 that is the MSM
signal number, from 33 on ours, for signals that RINEX names and MSM cannot carry. Both fit into integer columns.

Rule: the frequency of a GLONASS FDMA signal is NaN wherever the channel of the satellite is not given, so that
nobody computes with the wrong wavelength.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import (
    CHANNEL_STEP_G1_HZ,
    CHANNEL_STEP_G2_HZ,
    FREQUENCY_B1I_HZ,
    FREQUENCY_B3I_HZ,
    FREQUENCY_E5_HZ,
    FREQUENCY_E5B_HZ,
    FREQUENCY_G1_HZ,
    FREQUENCY_G1A_HZ,
    FREQUENCY_G2_HZ,
    FREQUENCY_G2A_HZ,
    FREQUENCY_G3_HZ,
    FREQUENCY_L1_HZ,
    FREQUENCY_L2_HZ,
    FREQUENCY_L5_HZ,
    FREQUENCY_L6_HZ,
    FREQUENCY_NAVIC_S_HZ,
    SPEED_OF_LIGHT_M_S,
)

CHANNELS = range(-7, 7)  # GLONASS ICD L1, L2 (edition 5.1) 3.3.1.1


class Constellation(IntEnum):
    """Satellite systems in the order of their MSM message groups (107x, 108x, ...)."""

    GPS = 0
    GLONASS = 1
    GALILEO = 2
    SBAS = 3
    QZSS = 4
    BEIDOU = 5
    NAVIC = 6


LETTERS = "GRESJCI"  # of the systems, in the order of their numbers


@dataclass(frozen=True)
class Signal:
    """One tracked signal.

    Attributes:
        number: Our integer, ``100 * constellation + n``.
        constellation: Satellite system.
        code: RINEX 3 band and attribute, for instance ``1C``.
        base_hz: Carrier frequency, with FDMA that of channel 0.
        channel_step_hz: Distance of two FDMA channels, 0 for all other signals.
    """

    number: int
    constellation: Constellation
    code: str
    base_hz: float
    channel_step_hz: float = 0.0

    @property
    def msm_number(self) -> int | None:
        """Signal number in MSM, 1 to 32; ``None`` if MSM cannot carry the signal."""
        number = self.number % 100
        return number if number <= 32 else None

    @property
    def frequency_hz(self) -> float:
        """Carrier frequency; NaN for FDMA, where it depends on the satellite: see :func:`frequency_of`."""
        return math.nan if self.channel_step_hz else self.base_hz

    @property
    def wavelength_m(self) -> float:
        """Carrier wavelength in metres; NaN for FDMA."""
        return SPEED_OF_LIGHT_M_S / self.frequency_hz


_FREQUENCIES_HZ: dict[Constellation, dict[str, float]] = {
    Constellation.GPS: {"1": FREQUENCY_L1_HZ, "2": FREQUENCY_L2_HZ, "5": FREQUENCY_L5_HZ},
    Constellation.GLONASS: {
        "1": FREQUENCY_G1_HZ,
        "2": FREQUENCY_G2_HZ,
        "3": FREQUENCY_G3_HZ,
        "4": FREQUENCY_G1A_HZ,
        "6": FREQUENCY_G2A_HZ,
    },
    Constellation.GALILEO: {
        "1": FREQUENCY_L1_HZ,
        "5": FREQUENCY_L5_HZ,
        "6": FREQUENCY_L6_HZ,
        "7": FREQUENCY_E5B_HZ,
        "8": FREQUENCY_E5_HZ,
    },
    Constellation.SBAS: {"1": FREQUENCY_L1_HZ, "5": FREQUENCY_L5_HZ},
    Constellation.QZSS: {"1": FREQUENCY_L1_HZ, "2": FREQUENCY_L2_HZ, "5": FREQUENCY_L5_HZ, "6": FREQUENCY_L6_HZ},
    Constellation.BEIDOU: {
        "1": FREQUENCY_L1_HZ,
        "2": FREQUENCY_B1I_HZ,
        "5": FREQUENCY_L5_HZ,
        "6": FREQUENCY_B3I_HZ,
        "7": FREQUENCY_E5B_HZ,
        "8": FREQUENCY_E5_HZ,
    },
    Constellation.NAVIC: {"1": FREQUENCY_L1_HZ, "5": FREQUENCY_L5_HZ, "9": FREQUENCY_NAVIC_S_HZ},
}
_CHANNEL_STEPS_HZ = {"1": CHANNEL_STEP_G1_HZ, "2": CHANNEL_STEP_G2_HZ}

# RTCM 10403.3 tables 3.5-91 (GPS), 3.5-96 (GLONASS), 3.5-99 (Galileo), 3.5-102 (SBAS), 3.5-105 (QZSS), 3.5-108
# (BeiDou) with what 10403.4 adds for BeiDou (22-32) and NavIC: MSM signal number, then RINEX code.
_MSM_CODES: dict[Constellation, str] = {
    Constellation.GPS: "2:1C 3:1P 4:1W 8:2C 9:2P 10:2W 15:2S 16:2L 17:2X 22:5I 23:5Q 24:5X 30:1S 31:1L 32:1X",
    Constellation.GLONASS: "2:1C 3:1P 8:2C 9:2P",
    Constellation.GALILEO: (
        "2:1C 3:1A 4:1B 5:1X 6:1Z 8:6C 9:6A 10:6B 11:6X 12:6Z 14:7I 15:7Q 16:7X 18:8I 19:8Q 20:8X 22:5I 23:5Q 24:5X"
    ),
    Constellation.SBAS: "2:1C 22:5I 23:5Q 24:5X",
    Constellation.QZSS: "2:1C 9:6S 10:6L 11:6X 15:2S 16:2L 17:2X 22:5I 23:5Q 24:5X 30:1S 31:1L 32:1X",
    Constellation.BEIDOU: (
        "2:2I 3:2Q 4:2X 8:6I 9:6Q 10:6X 14:7I 15:7Q 16:7X 22:5D 23:5P 24:5X 25:7D 30:1D 31:1P 32:1X"
    ),
    Constellation.NAVIC: "8:9A 22:5A",
}
# RINEX 4.01 tables 9 to 15: what MSM has no number for. Only ever append, our integers are stored in journals.
_OTHER_CODES: dict[Constellation, str] = {
    Constellation.GPS: "1Y 1M 1N 1R 2D 2Y 2M 2N 2R",
    Constellation.GLONASS: "3I 3Q 3X 4A 4B 4X 6A 6B 6X",
    Constellation.GALILEO: "",
    Constellation.SBAS: "",
    Constellation.QZSS: "1E 1Z 1B 5D 5P 5Z 6E 6Z",
    Constellation.BEIDOU: "1S 1L 1Z 6D 6P 6Z 7P 7Z 8D 8P 8X 1A 1N 6A",
    Constellation.NAVIC: "5B 5C 5X 9B 9C 9X 1D 1P 1X",
}


def _signal(constellation: Constellation, number: int, code: str) -> Signal:
    base_hz = _FREQUENCIES_HZ[constellation][code[0]]
    step_hz = _CHANNEL_STEPS_HZ.get(code[0], 0.0) if constellation is Constellation.GLONASS else 0.0
    return Signal(100 * constellation + number, constellation, code, base_hz, step_hz)


def _signals(constellation: Constellation) -> list[Signal]:
    numbered = [entry.split(":") for entry in _MSM_CODES[constellation].split()]
    others = enumerate(_OTHER_CODES[constellation].split(), 33)
    return [
        *(_signal(constellation, int(number), code) for number, code in numbered),
        *(_signal(constellation, number, code) for number, code in others),
    ]


SIGNALS: dict[int, Signal] = {
    signal.number: signal for constellation in Constellation for signal in _signals(constellation)
}

_BY_CODE = {(signal.constellation, signal.code): signal for signal in SIGNALS.values()}
# By signal integer, shape (1000,): NaN for integers that are no signal.
_BASE_HZ = np.full(1000, np.nan)
_STEP_HZ = np.zeros(1000)
for _each in SIGNALS.values():
    _BASE_HZ[_each.number], _STEP_HZ[_each.number] = _each.base_hz, _each.channel_step_hz
_FREQUENCY_HZ = np.where(_STEP_HZ > 0.0, np.nan, _BASE_HZ)

GPS_L1CA = _BY_CODE[Constellation.GPS, "1C"].number
GPS_L2W = _BY_CODE[Constellation.GPS, "2W"].number


def signal_of(constellation: Constellation, code: str) -> Signal:
    """Return the signal of a RINEX 3 code; ``KeyError`` if it is not in the table."""
    return _BY_CODE[constellation, code]


def frequency_of(signal: Signal, channel: int | None = None) -> float:
    """Return the carrier frequency of a signal in Hz.

    Args:
        signal: Any signal.
        channel: GLONASS frequency channel, -7 to 6; does not matter for signals that are not FDMA.

    Returns:
        Hz; NaN for an FDMA signal of which the channel is ``None`` or outside the range.
    """
    if not signal.channel_step_hz:
        return signal.base_hz
    if channel is None or channel not in CHANNELS:
        return math.nan
    return signal.base_hz + channel * signal.channel_step_hz


def frequencies_hz(signal: IntArray, channel: FloatArray | None = None) -> FloatArray:
    """Return the carrier frequencies of many rows.

    Args:
        signal: Signal integers, shape ``(row,)``.
        channel: GLONASS frequency channels, NaN where unknown or none, shape ``(row,)``.

    Returns:
        Hz, shape ``(row,)``; NaN for FDMA signals without a channel and for integers that are no signal.
    """
    if channel is None:
        return _FREQUENCY_HZ[signal]
    step_hz = _STEP_HZ[signal]
    allowed = (channel >= CHANNELS[0]) & (channel <= CHANNELS[-1])
    return np.where(step_hz > 0.0, np.where(allowed, _BASE_HZ[signal] + channel * step_hz, np.nan), _BASE_HZ[signal])


def channels_from(signal: IntArray, frequency_hz: FloatArray) -> FloatArray:
    """Return the GLONASS channels that belong to frequencies, the inverse of :func:`frequencies_hz`.

    Args:
        signal: Signal integers, shape ``(row,)``.
        frequency_hz: Carrier frequencies, NaN where unknown, shape ``(row,)``.

    Returns:
        Whole numbers, shape ``(row,)``; NaN where the frequency is unknown or the signal is not FDMA.
    """
    step_hz = np.where(_STEP_HZ[signal] > 0.0, _STEP_HZ[signal], np.nan)
    channel: FloatArray = np.round((frequency_hz - _BASE_HZ[signal]) / step_hz)
    return channel


def satellite_number(name: str) -> int:
    """Return the integer of a RINEX satellite name such as ``G07`` (a blank first letter means GPS).

    Raises:
        ValueError: The name is not a letter of a known system and two digits.
    """
    letter = name[0] if name[0] != " " else "G"
    system = LETTERS.find(letter)
    digits = name[1:].replace(" ", "0")
    if system < 0 or not digits.isdigit():
        message = f"satellite name {name!r}: expected a letter of {LETTERS} and a number, such as G07"
        raise ValueError(message)
    return 100 * system + int(digits)


def satellite_name(satellite: int) -> str:
    """Return the RINEX name of a satellite integer, such as ``G07``."""
    system, number = divmod(int(satellite), 100)
    return f"{LETTERS[system]}{number:02d}"


def constellation_of(satellite: int) -> Constellation:
    """Return the system of a satellite integer."""
    return Constellation(int(satellite) // 100)
