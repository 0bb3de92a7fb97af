"""Broadcast ephemerides that are Kepler orbits, as values, in the units of the interface specifications (SI, radians).

All times are ours (ns of GPS time), whatever the system counts in; the numbers of the message that tell one upload
from another, and say whether the satellite may be used, stay as they were sent. Ephemerides that are a position and
a velocity are in :mod:`stations.navigation_vector`, all kinds together in :mod:`stations.navigation_kinds`.
"""

from dataclasses import dataclass
from enum import StrEnum

from stations.constants import NS_PER_S
from stations.gpstime import to_beidou_week
from stations.signals import Constellation, constellation_of

_GALILEO_NO_ACCURACY = 126  # first index that predicts no accuracy: spare, and 255; Galileo OS SIS ICD table 76
_QZSS_HEALTH = 0b111110  # the last bit speaks of the augmentation signal only; RTKLIB leaves it out, too
_BEIDOU_IOD_S = 720
_BEIDOU_IODS = 240
_GEO_SLOTS = (*range(1, 6), *range(59, 64))  # BDS-SIS-ICD-B1I-3.0 5.2.1: these send D2, which only GEO satellites do


class GalileoMessage(StrEnum):
    """Which Galileo navigation message an ephemeris comes from; clock and health belong to its signals."""

    INAV = "I/NAV"
    FNAV = "F/NAV"


@dataclass(frozen=True)
class KeplerEphemeris:
    """What all Kepler ephemerides have; angles in radians, times in ns or s.

    Attributes:
        satellite: Satellite integer.
        toe_ns: Reference time of the ephemeris, ns of GPS time (full week).
        toc_ns: Reference time of the clock, ns of GPS time.
        transmitted_ns: Transmission time of the message, ns of GPS time: known from then on, not before.
        af0_s: Clock offset; af1: drift s/s; af2: drift rate s/s^2.
        sqrt_a: Square root of the semi-major axis, sqrt(m).
        eccentricity: Orbit eccentricity.
        m0_rad: Mean anomaly; delta_n_rad_s: mean motion difference; omega_rad: argument of perigee.
        i0_rad: Inclination; idot_rad_s: its rate.
        omega0_rad: Longitude of ascending node at weekly epoch; omega_dot_rad_s: its rate.
        cuc_rad ... cis_rad, crc_m, crs_m: Harmonic corrections.
    """

    satellite: int
    toe_ns: int
    toc_ns: int
    transmitted_ns: int
    af0_s: float
    af1: float
    af2: float
    sqrt_a: float
    eccentricity: float
    m0_rad: float
    delta_n_rad_s: float
    omega_rad: float
    i0_rad: float
    idot_rad_s: float
    omega0_rad: float
    omega_dot_rad_s: float
    cuc_rad: float
    cus_rad: float
    cic_rad: float
    cis_rad: float
    crc_m: float
    crs_m: float


@dataclass(frozen=True)
class GpsEphemeris(KeplerEphemeris):
    """One GPS LNAV ephemeris (IS-GPS-200 20.3.3.3 and 20.3.3.4), or one of QZSS (IS-QZSS-PNT 4.1.2), which is the same.

    Attributes:
        iode: Issue of data, ephemeris.
        iodc: Issue of data, clock.
        health: 6-bit health word; 0 is healthy.
        ura_index: User range accuracy index 0-15.
        fit_interval_flag: True when the fit interval is longer than four hours (QZSS: two hours).
        l2_code: Code on L2 (DF016), l2p_data_off: L2 P data flag.
        tgd_s: Group delay of L1 against the ionosphere-free combination of L1 P and L2 P.
    """

    iode: int
    iodc: int
    health: int
    ura_index: int
    fit_interval_flag: bool
    l2_code: int
    l2p_data_off: bool
    tgd_s: float

    @property
    def issue(self) -> int:
        """Issue that corrections name (RTCM DF071)."""
        return self.iode

    @property
    def complete(self) -> bool:
        """Whether orbit and clock are of the same upload: IODE is the last eight bits of IODC (20.3.4.4)."""
        return self.iode == self.iodc % 256

    @property
    def healthy(self) -> bool:
        """Whether the satellite may be used."""
        mask = _QZSS_HEALTH if constellation_of(self.satellite) is Constellation.QZSS else ~0
        return not self.health & mask


@dataclass(frozen=True)
class GalileoEphemeris(KeplerEphemeris):
    """One Galileo ephemeris (Galileo OS SIS ICD 5.1), from I/NAV or F/NAV.

    Both messages carry the same orbit; the clock of I/NAV is that of the combination E1/E5b, of F/NAV that of E1/E5a.

    Attributes:
        iod_nav: Issue of data, the same for orbit, clock and accuracy.
        health: Nine bits as RINEX has them: validity of E1-B data (bit 0), health of E1-B (1-2), validity and health of
            E5a (3, 4-5) and of E5b (6, 7-8). A message sets the bits of its own signals only.
        sisa_index: Signal-in-space accuracy index 0-255; 255 is no prediction.
        data_sources: Ten bits as RINEX has them: message (bit 0 I/NAV of E1-B, 1 F/NAV of E5a, 2 I/NAV of E5b), and
            what the clock is for (bit 8 E1/E5a, 9 E1/E5b).
        bgd_e5a_s: Group delay E1/E5a; bgd_e5b_s: E1/E5b, which F/NAV does not have: zero there.
    """

    iod_nav: int
    health: int
    sisa_index: int
    data_sources: int
    bgd_e5a_s: float
    bgd_e5b_s: float

    @property
    def message(self) -> GalileoMessage:
        """Navigation message; where the bits of the message contradict each other, those of the clock decide."""
        fnav = self.data_sources & 0b0100000010 and not self.data_sources & 0b1000000000
        return GalileoMessage.FNAV if fnav else GalileoMessage.INAV

    @property
    def issue(self) -> int:
        """Issue that corrections name."""
        return self.iod_nav

    def signal_healthy(self, signal: str) -> bool:
        """Return whether one signal may be used, as far as this message knows.

        Args:
            signal: ``E1``, ``E5a`` or ``E5b``.

        Source:
            Galileo OS SIS ICD 5.1.9.3 and OS Service Definition 2.3.1.4: healthy is health 0, data valid, and an
            accuracy is predicted; indices from 126 on predict none (table 76).
        """
        shift = {"E1": 0, "E5a": 3, "E5b": 6}[signal]
        return not (self.health >> shift) & 0b111 and self.sisa_index < _GALILEO_NO_ACCURACY

    @property
    def healthy(self) -> bool:
        """Whether all signals that the message speaks for may be used."""
        signals = ("E5a",) if self.message is GalileoMessage.FNAV else ("E1", "E5b")
        return all(self.signal_healthy(signal) for signal in signals)


@dataclass(frozen=True)
class BeiDouEphemeris(KeplerEphemeris):
    """One BeiDou D1 or D2 ephemeris (BDS-SIS-ICD-B1I-3.0 5.2.4); its reference times are in BDT on the wire.

    Attributes:
        aode: Age of data, ephemeris: an age, not an issue; consecutive uploads have the same.
        aodc: Age of data, clock.
        health: SatH1; 0 is healthy.
        ura_index: User range accuracy index 0-15.
        tgd1_s: Group delay of B1I against B3I; tgd2_s: of B2I.
    """

    aode: int
    aodc: int
    health: int
    ura_index: int
    tgd1_s: float
    tgd2_s: float

    @property
    def issue(self) -> int:
        """Issue that corrections name: reference time in units of 12 minutes of BDT, modulo 240 (IGS SSR 1.00 IDF)."""
        return to_beidou_week(self.toe_ns)[1] // NS_PER_S // _BEIDOU_IOD_S % _BEIDOU_IODS

    @property
    def complete(self) -> bool:
        """Whether orbit and clock have the same reference time, as those of one upload have."""
        return self.toe_ns == self.toc_ns

    @property
    def geostationary(self) -> bool:
        """Whether the orbit is given in the frame of geostationary satellites (5.2.4.12)."""
        return self.satellite % 100 in _GEO_SLOTS

    @property
    def healthy(self) -> bool:
        """Whether the satellite may be used."""
        return self.health == 0


@dataclass(frozen=True)
class NavicEphemeris(KeplerEphemeris):
    """One NavIC ephemeris (IRNSS SIS ICD 1.1, 6.2.1).

    Attributes:
        iodec: Issue of data of ephemeris and clock.
        health: Bit 1 for L5, bit 0 for S; 0 is healthy.
        ura_index: User range accuracy index 0-15.
        tgd_s: Group delay.
    """

    iodec: int
    health: int
    ura_index: int
    tgd_s: float

    @property
    def issue(self) -> int:
        """Issue that corrections name."""
        return self.iodec

    @property
    def healthy(self) -> bool:
        """Whether L5 may be used; S is not used for surveying."""
        return not self.health & 0b10
