"""Broadcast ephemerides that are position, velocity and acceleration at one instant: GLONASS and SBAS, as values."""

from dataclasses import dataclass

from stations.constants import NS_PER_S
from stations.gpstime import to_glonass_day

_TB_S = 900  # GLONASS ICD 4.4: tb counts quarters of an hour of the day of Moscow

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class GlonassService:
    """What else the GLONASS message 1020 says; needed to send it on unchanged, and for nothing else here.

    Attributes:
        almanac_health: Cn word, valid if almanac_health_known.
        p1: Interval between two tb; p2: whether tb is odd; p3: number of satellites in the almanac of the frame.
        p4: Whether the ephemeris was updated; p: where tau comes from; satellite_type: M, 1 for GLONASS-M.
        unhealthy_3, unhealthy_5: ln words of the third and the fifth string.
        day: NT, day of the interval of four years; interval: N4, number of that interval since 1996.
        additional: Whether what follows was there; almanac_day: NA.
        tau_c_s: System time against UTC(SU); tau_gps_s: against GPS time, without whole seconds.
    """

    almanac_health: bool = False
    almanac_health_known: bool = False
    p1: int = 0
    p2: bool = False
    p3: bool = False
    p4: bool = False
    p: int = 0
    satellite_type: int = 0
    unhealthy_3: bool = False
    unhealthy_5: bool = False
    day: int = 0
    interval: int = 0
    additional: bool = False
    almanac_day: int = 0
    tau_c_s: float = 0.0
    tau_gps_s: float = 0.0


@dataclass(frozen=True)
class GlonassEphemeris:
    """One GLONASS ephemeris (GLONASS ICD 5.1, 4.4), frame PZ-90 as it was sent.

    Attributes:
        satellite: Satellite integer; the number is the orbital slot.
        toe_ns: Reference time tb, ns of GPS time.
        transmitted_ns: When it was heard, ns of GPS time: known from then on, not before.
        frame_ns: Start of the frame it was sent in (tk), ns of GPS time.
        channel: Frequency channel -7 to 13.
        health: Most significant bit of Bn, from files perhaps all three; 0 is healthy.
        age_days: En, age of the upload.
        accuracy_index: FT, 0-15.
        tau_s: tau_n, **minus** the clock offset; delta_tau_s: delay of L2 against L1.
        gamma: gamma_n, relative frequency offset.
        position_m, velocity_m_s: At the reference time.
        acceleration_m_s2: Of sun and moon, constant over the interval.
        service: The rest of the message, where it is known.
    """

    satellite: int
    toe_ns: int
    transmitted_ns: int
    frame_ns: int
    channel: int
    health: int
    age_days: int
    accuracy_index: int
    tau_s: float
    delta_tau_s: float
    gamma: float
    position_m: Vector
    velocity_m_s: Vector
    acceleration_m_s2: Vector
    service: GlonassService = GlonassService()

    @property
    def toc_ns(self) -> int:
        """Reference time of the clock: the same."""
        return self.toe_ns

    @property
    def issue(self) -> int:
        """Issue that corrections name: tb (RTCM DF392)."""
        return to_glonass_day(self.toe_ns)[1] // NS_PER_S // _TB_S

    @property
    def healthy(self) -> bool:
        """Whether the satellite may be used: Bn alone (GLONASS ICD 5.1), as RINEX files have it and RTKLIB reads it.

        The ln flags are passed on in ``service`` and decide nothing: receivers send them set beside a Bn of zero, for
        satellites whose observations are as good as others.
        """
        return self.health == 0


@dataclass(frozen=True)
class SbasEphemeris:
    """One SBAS ephemeris of a geostationary satellite (RTCA DO-229 A.4.4.11), as RINEX has it.

    Attributes:
        satellite: Satellite integer; the number is PRN - 100.
        toe_ns: Reference time, ns of GPS time.
        transmitted_ns: Transmission time, ns of GPS time.
        issue: Issue of data (IODN), which is not part of the message since DO-229C.
        health: Bit field of RINEX; 0 is healthy.
        accuracy_m: User range accuracy.
        af0_s: Clock offset; af1: drift s/s.
        position_m, velocity_m_s, acceleration_m_s2: At the reference time, rotating with the Earth.
    """

    satellite: int
    toe_ns: int
    transmitted_ns: int
    issue: int
    health: int
    accuracy_m: float
    af0_s: float
    af1: float
    position_m: Vector
    velocity_m_s: Vector
    acceleration_m_s2: Vector

    @property
    def toc_ns(self) -> int:
        """Reference time of the clock: the same."""
        return self.toe_ns

    @property
    def healthy(self) -> bool:
        """Whether its ranging may be used."""
        return self.health == 0
