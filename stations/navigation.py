"""Broadcast ephemerides as values, in the units of the interface specification (SI and radians)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GpsEphemeris:
    """One GPS LNAV ephemeris (IS-GPS-200 20.3.3.3 and 20.3.3.4); angles in radians, times in ns or s.

    Attributes:
        satellite: Satellite integer.
        toe_ns: Reference time of the ephemeris, ns of GPS time (full week).
        toc_ns: Reference time of the clock, ns of GPS time.
        transmitted_ns: Transmission time of the message, ns of GPS time: known from then on, not before.
        iode: Issue of data, ephemeris.
        iodc: Issue of data, clock.
        health: 6-bit health word; 0 is healthy.
        ura_index: User range accuracy index 0-15.
        fit_interval_flag: True when the fit interval is longer than four hours.
        l2_code: Code on L2 (DF016), l2p_data_off: L2 P data flag.
        af0_s: Clock offset; af1: drift s/s; af2: drift rate s/s^2; tgd_s: group delay.
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
    iode: int
    iodc: int
    health: int
    ura_index: int
    fit_interval_flag: bool
    l2_code: int
    l2p_data_off: bool
    af0_s: float
    af1: float
    af2: float
    tgd_s: float
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
