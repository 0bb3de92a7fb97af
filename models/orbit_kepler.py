"""Position and clock of satellites that send a Kepler orbit: GPS, QZSS, Galileo, BeiDou and NavIC, on arrays.

One algorithm for all (IS-GPS-200 table 20-IV), with the constants of each system, which differ by metres; only the
geostationary satellites of BeiDou have their orbit in a frame of their own.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import (
    EARTH_GM_GPS_M3_S2,
    EARTH_ROTATION_RAD_S,
    GPS_RELATIVITY_F_S_SQRT_M,
    NS_PER_S,
    SPEED_OF_LIGHT_M_S,
)
from stations.gpstime import BEIDOU_BEHIND_GPS_NS, NS_PER_WEEK
from stations.navigation import BeiDouEphemeris, KeplerEphemeris
from stations.signals import Constellation, constellation_of

_KEPLER_ROUNDS = 12
_ROUND_ORBIT = 0.06  # eccentricity up to which those rounds are enough; Galileo E14, E18 and QZSS are beyond
_NEWTON_ROUNDS = 3
_GEO_TILT_RAD = math.radians(-5.0)  # BDS-SIS-ICD-B1I-3.0 table 5-11: rotation of the frame of geostationary orbits
_EARTH_GM_M3_S2 = 3.986004418e14  # Galileo OS SIS ICD table 67; BDS-SIS-ICD-B1I-3.0 5.2.4.12
_EARTH_ROTATION_BEIDOU_RAD_S = 7.2921150e-5  # BDS-SIS-ICD-B1I-3.0 5.2.4.12


class _Constants(NamedTuple):
    """Constants of a system: gravity, rotation of the Earth, and F of the relativistic clock term."""

    gm_m3_s2: float
    rotation_rad_s: float
    relativity_s_sqrt_m: float


_LIKE_GPS = _Constants(EARTH_GM_GPS_M3_S2, EARTH_ROTATION_RAD_S, GPS_RELATIVITY_F_S_SQRT_M)
_RELATIVITY = -2.0 * math.sqrt(_EARTH_GM_M3_S2) / SPEED_OF_LIGHT_M_S**2
_CONSTANTS = {
    Constellation.GPS: _LIKE_GPS,
    Constellation.QZSS: _LIKE_GPS,  # IS-QZSS-PNT 5.6
    Constellation.NAVIC: _LIKE_GPS,  # IRNSS SIS ICD 1.1 table 30
    Constellation.GALILEO: _Constants(_EARTH_GM_M3_S2, EARTH_ROTATION_RAD_S, _RELATIVITY),
    Constellation.BEIDOU: _Constants(_EARTH_GM_M3_S2, _EARTH_ROTATION_BEIDOU_RAD_S, _RELATIVITY),
}


def kepler_states(
    ephemerides: Sequence[KeplerEphemeris], index: IntArray, receive_ns: int, travel_time_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return satellite positions and clocks at transmission.

    Args:
        ephemerides: One per satellite.
        index: Row of ``ephemerides`` for each pair, shape ``(n,)``.
        receive_ns: Receiver time tag, ns of GPS time.
        travel_time_s: Pseudorange over the speed of light, shape ``(n,)``.

    Returns:
        ECEF positions at and in the frame of the time of transmission, shape ``(n, 3)``; clocks minus GPS time,
        relativity included, group delay not, seconds, shape ``(n,)``.

    Source:
        IS-GPS-200 tables 20-IV and section 20.3.3.3.3.1; Galileo OS SIS ICD 5.1.1; BDS-SIS-ICD-B1I-3.0 5.2.4.12.
        Checked against RTKLIB.
    """

    def get(name: str) -> FloatArray:
        return np.array([getattr(ephemeris, name) for ephemeris in ephemerides], dtype=np.float64)[index]

    def since(name: str) -> FloatArray:
        references = np.array([receive_ns - getattr(e, name) for e in ephemerides], dtype=np.int64)
        return references[index] / NS_PER_S - travel_time_s

    constants = np.array([_CONSTANTS[constellation_of(e.satellite)] for e in ephemerides], dtype=np.float64)[index]
    gm_m3_s2, rotation_rad_s, relativity = constants.reshape(-1, 3).T
    geo = np.array([isinstance(e, BeiDouEphemeris) and e.geostationary for e in ephemerides], dtype=np.bool_)[index]

    tk_clock = since("toc_ns")
    polynomial_s = get("af0_s") + tk_clock * (get("af1") + tk_clock * get("af2"))
    tk_clock = tk_clock - polynomial_s
    clock_s = get("af0_s") + tk_clock * (get("af1") + tk_clock * get("af2"))

    tk = since("toe_ns") - clock_s
    sqrt_a, e = get("sqrt_a"), get("eccentricity")
    a_m = sqrt_a * sqrt_a
    mean_motion = np.sqrt(gm_m3_s2) / (a_m * sqrt_a) + get("delta_n_rad_s")
    anomaly = _eccentric_anomaly(get("m0_rad") + mean_motion * tk, e)
    sin_e, cos_e = np.sin(anomaly), np.cos(anomaly)
    clock_s = clock_s + relativity * e * sqrt_a * sin_e

    true_anomaly = np.arctan2(np.sqrt(1.0 - e * e) * sin_e, cos_e - e)
    phi = true_anomaly + get("omega_rad")
    s2, c2 = np.sin(2.0 * phi), np.cos(2.0 * phi)
    u = phi + get("cus_rad") * s2 + get("cuc_rad") * c2
    radius_m = a_m * (1.0 - e * cos_e) + get("crs_m") * s2 + get("crc_m") * c2
    inclination = get("i0_rad") + get("cis_rad") * s2 + get("cic_rad") * c2 + get("idot_rad_s") * tk
    toe_s = np.array([_seconds_of_week(ephemeris) for ephemeris in ephemerides])[index]
    turning_rad_s = np.where(geo, 0.0, rotation_rad_s)
    node = get("omega0_rad") + (get("omega_dot_rad_s") - turning_rad_s) * tk - rotation_rad_s * toe_s
    x, y = radius_m * np.cos(u), radius_m * np.sin(u)
    cos_i = np.cos(inclination)
    position_m = np.stack(
        [
            x * np.cos(node) - y * cos_i * np.sin(node),
            x * np.sin(node) + y * cos_i * np.cos(node),
            y * np.sin(inclination),
        ],
        axis=-1,
    )
    if geo.any():
        position_m[geo] = _from_geostationary_frame(position_m[geo], rotation_rad_s[geo] * tk[geo])
    return position_m, clock_s


def _eccentric_anomaly(mean_anomaly: FloatArray, e: FloatArray) -> FloatArray:
    anomaly = mean_anomaly
    for _ in range(_KEPLER_ROUNDS):  # contraction by e < 0.03 per round: below 1e-15 rad after ten
        anomaly = mean_anomaly + e * np.sin(anomaly)
    if (e > _ROUND_ORBIT).any():
        better = anomaly
        for _ in range(_NEWTON_ROUNDS):
            better = better - (better - e * np.sin(better) - mean_anomaly) / (1.0 - e * np.cos(better))
        anomaly = np.where(e > _ROUND_ORBIT, better, anomaly)
    return anomaly


def _seconds_of_week(ephemeris: KeplerEphemeris) -> float:
    behind_ns = BEIDOU_BEHIND_GPS_NS if isinstance(ephemeris, BeiDouEphemeris) else 0
    return ((ephemeris.toe_ns - behind_ns) % NS_PER_WEEK) / NS_PER_S


def _from_geostationary_frame(position_m: FloatArray, turned_rad: FloatArray) -> FloatArray:
    # R_z(turned) R_x(-5 degrees)
    sin_t, cos_t = math.sin(_GEO_TILT_RAD), math.cos(_GEO_TILT_RAD)
    x = position_m[:, 0]
    y = position_m[:, 1] * cos_t + position_m[:, 2] * sin_t
    z = -position_m[:, 1] * sin_t + position_m[:, 2] * cos_t
    sin_r, cos_r = np.sin(turned_rad), np.cos(turned_rad)
    return np.stack([x * cos_r + y * sin_r, -x * sin_r + y * cos_r, z], axis=-1)
