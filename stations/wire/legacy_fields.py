"""The layout of the observation messages before MSM as tables: 1001 to 1004 (GPS, SBAS) and 1009 to 1012 (GLONASS).

What the fields mean is in ``legacy``. Names say what a field holds, numbers as sent; ranges and differences are
those of table 3.4-1 of the standard.
"""

from dataclasses import dataclass

from stations.constants import SPEED_OF_LIGHT_M_S
from stations.signals import Constellation
from stations.wire.ephemeris_fields import Field

RANGE_UNITS_PER_M = 50  # DF011, DF017, DF041, DF047: 0.02 m
PHASE_UNITS_PER_M = 2000  # DF012, DF018, DF042, DF048: 0.0005 m
CN0_UNITS_PER_DBHZ = 4  # DF015, DF020, DF045, DF050
ROLL_OVER_CYC = 1500  # DF012: what a sender adds or subtracts when phase and code have diverged too far
INVALID_PHASE = -(1 << 19)  # DF012, DF018, DF042, DF048
INVALID_DIFFERENCE = -(1 << 13)  # DF017, DF047
CHANNEL_ZERO = 7  # DF040: 0 is channel -7
MOST_SATELLITES = 31  # DF006, DF035
LONGEST_LOCK = 127  # DF013, DF019, DF043, DF049


def _first(prefix: tuple[Field, ...], range_bits: int, ambiguity_bits: int) -> tuple[Field, ...]:
    extended = (Field("ambiguity", ambiguity_bits), Field("l1_cn0", 8)) if ambiguity_bits else ()
    return (
        Field("satellite", 6),
        Field("l1_code", 1),
        *prefix,
        Field("l1_range", range_bits),
        Field("l1_phase", 20, kind="signed"),
        Field("l1_lock", 7),
        *extended,
    )


_SECOND = (
    Field("l2_code", 2),
    Field("l2_range", 14, kind="signed"),
    Field("l2_phase", 20, kind="signed"),
    Field("l2_lock", 7),
)
_SECOND_CN0 = (Field("l2_cn0", 8),)
_CHANNEL = (Field("channel", 5),)
_HEADER = (Field("more", 1), Field("count", 5), Field("divergence_free", 1), Field("smoothing_interval", 3))


@dataclass(frozen=True)
class LegacyLayout:
    """One message.

    Attributes:
        constellation: GPS or GLONASS.
        header: Fields before the satellites, from the message number on.
        satellite: Fields of one satellite.
        modulus_m: Unit of the pseudorange ambiguity DF014 or DF044; what ranges are known up to without it.
        full_ranges: The message has the ambiguity.
        dual: The message has L2.
    """

    constellation: Constellation
    header: tuple[Field, ...]
    satellite: tuple[Field, ...]
    modulus_m: float
    full_ranges: bool
    dual: bool

    @property
    def invalid_range(self) -> int:
        """DF011 or DF041 where L1 has no code. That of GPS still is what the other fields are relative to."""
        return 0x800000 if self.constellation is Constellation.GPS else 0x1FFFFFF

    @property
    def highest_range(self) -> int:
        """The last DF011 or DF041 that is below the modulus, or rounds to it; nothing can be relative to more."""
        return round(self.modulus_m * RANGE_UNITS_PER_M)


def _layout(constellation: Constellation, *, extended: bool, dual: bool) -> LegacyLayout:
    gps = constellation is Constellation.GPS
    head = (Field("number", 12), Field("station_number", 12), Field("time", 30 if gps else 27), *_HEADER)
    first = _first(() if gps else _CHANNEL, 24 if gps else 25, (8 if gps else 7) * extended)
    second = (*_SECOND, *(_SECOND_CN0 if extended else ())) if dual else ()
    modulus_m = SPEED_OF_LIGHT_M_S * (1e-3 if gps else 2e-3)
    return LegacyLayout(constellation, head, (*first, *second), modulus_m, extended, dual)


# RTCM 10403.3 tables 3.5-1 to 3.5-5 and 3.5-10 to 3.5-14.
LEGACY_LAYOUTS: dict[int, LegacyLayout] = {
    first + offset: _layout(constellation, extended=bool(offset & 1), dual=bool(offset & 2))
    for constellation, first in ((Constellation.GPS, 1001), (Constellation.GLONASS, 1009))
    for offset in range(4)
}

# RTCM 10403.3 table 3.4-2: from which indicator on, seconds per indicator, seconds to subtract.
_LOCK_STEPS = ((0, 1, 0), (24, 2, 24), (48, 4, 120), (72, 8, 408), (96, 16, 1176), (120, 32, 3096))
_LONGEST_LOCK_S = 937
LOCK_MS: tuple[int, ...] = (
    *(
        1000 * max(indicator * unit - less for first, unit, less in _LOCK_STEPS if indicator >= first)
        for indicator in range(LONGEST_LOCK)
    ),
    1000 * _LONGEST_LOCK_S,
)
