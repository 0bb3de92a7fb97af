"""Constellations, satellites and signals as small integers with names: one table, used by everybody.

A satellite is ``100 * constellation + number`` (G07 is 7, E11 is 211), a signal is
``100 * constellation + MSM signal number`` (RTCM 10403.3 tables 3.5-91 and following), so both fit
into integer columns and both directions are arithmetic. Only GPS signals are listed so far.
"""

from dataclasses import dataclass
from enum import IntEnum

from stations.constants import FREQUENCY_L1_HZ, FREQUENCY_L2_HZ, FREQUENCY_L5_HZ, SPEED_OF_LIGHT_M_S


class Constellation(IntEnum):
    """Satellite systems in the order of their MSM message groups (107x, 108x, ...)."""

    GPS = 0
    GLONASS = 1
    GALILEO = 2
    SBAS = 3
    QZSS = 4
    BEIDOU = 5
    NAVIC = 6


_LETTERS = "GRESJCI"


@dataclass(frozen=True)
class Signal:
    """One tracked signal.

    Attributes:
        number: Our integer, ``100 * constellation + MSM signal number``.
        constellation: Satellite system.
        code: RINEX 3 band and attribute, for instance ``1C``.
        frequency_hz: Carrier frequency.
    """

    number: int
    constellation: Constellation
    code: str
    frequency_hz: float

    @property
    def wavelength_m(self) -> float:
        """Carrier wavelength in metres."""
        return SPEED_OF_LIGHT_M_S / self.frequency_hz


def _gps(msm: int, code: str, frequency_hz: float) -> Signal:
    return Signal(100 * Constellation.GPS + msm, Constellation.GPS, code, frequency_hz)


# RTCM 10403.3 table 3.5-91: GPS MSM signal numbers.
SIGNALS: dict[int, Signal] = {
    signal.number: signal
    for signal in (
        _gps(2, "1C", FREQUENCY_L1_HZ),
        _gps(3, "1P", FREQUENCY_L1_HZ),
        _gps(4, "1W", FREQUENCY_L1_HZ),
        _gps(8, "2C", FREQUENCY_L2_HZ),
        _gps(9, "2P", FREQUENCY_L2_HZ),
        _gps(10, "2W", FREQUENCY_L2_HZ),
        _gps(15, "2S", FREQUENCY_L2_HZ),
        _gps(16, "2L", FREQUENCY_L2_HZ),
        _gps(17, "2X", FREQUENCY_L2_HZ),
        _gps(22, "5I", FREQUENCY_L5_HZ),
        _gps(23, "5Q", FREQUENCY_L5_HZ),
        _gps(24, "5X", FREQUENCY_L5_HZ),
        _gps(30, "1S", FREQUENCY_L1_HZ),
        _gps(31, "1L", FREQUENCY_L1_HZ),
        _gps(32, "1X", FREQUENCY_L1_HZ),
    )
}

_BY_CODE = {(signal.constellation, signal.code): signal for signal in SIGNALS.values()}

GPS_L1CA = _BY_CODE[Constellation.GPS, "1C"].number
GPS_L2W = _BY_CODE[Constellation.GPS, "2W"].number


def signal_of(constellation: Constellation, code: str) -> Signal:
    """Return the signal of a RINEX 3 code; ``KeyError`` if it is not in the table."""
    return _BY_CODE[constellation, code]


def satellite_number(name: str) -> int:
    """Return the integer of a RINEX satellite name such as ``G07`` (a blank first letter means GPS).

    Raises:
        ValueError: The name is not a letter of a known system and two digits.
    """
    letter = name[0] if name[0] != " " else "G"
    system = _LETTERS.find(letter)
    digits = name[1:].replace(" ", "0")
    if system < 0 or not digits.isdigit():
        message = f"satellite name {name!r}: expected a letter of {_LETTERS} and a number, such as G07"
        raise ValueError(message)
    return 100 * system + int(digits)


def satellite_name(satellite: int) -> str:
    """Return the RINEX name of a satellite integer, such as ``G07``."""
    system, number = divmod(int(satellite), 100)
    return f"{_LETTERS[system]}{number:02d}"


def constellation_of(satellite: int) -> Constellation:
    """Return the system of a satellite integer."""
    return Constellation(int(satellite) // 100)
