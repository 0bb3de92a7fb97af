"""Satellite position and clock from GPS broadcast ephemerides, on arrays.

The user algorithm of IS-GPS-200, one row per satellite-receiver pair, so all stations and satellites
of an epoch are one call. Which ephemeris to use is decided in :class:`EphemerisStore`, once per
satellite: every station must use the same issue of data, or double differences jump by decimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import (
    EARTH_GM_GPS_M3_S2,
    EARTH_ROTATION_RAD_S,
    GPS_RELATIVITY_F_S_SQRT_M,
    NS_PER_S,
)
from stations.gpstime import NS_PER_WEEK
from stations.navigation import GpsEphemeris
from stations.signals import satellite_name

MAX_AGE_S = 4.0 * 3600.0  # |t - toe|: curve fit interval of LNAV is 4 h centred on toe, plus upload delays
_KEPLER_ROUNDS = 12


@dataclass(frozen=True)
class SatelliteState:
    """Where satellites were, and what their clocks showed.

    Attributes:
        position_m: ECEF at the time of transmission, frame of that same instant, shape ``(n, 3)``.
        clock_s: Satellite clock minus GPS time, relativity included, group delay not, shape ``(n,)``.
    """

    position_m: FloatArray
    clock_s: FloatArray


def _column(ephemerides: Sequence[GpsEphemeris], name: str) -> FloatArray:
    return np.array([getattr(ephemeris, name) for ephemeris in ephemerides], dtype=np.float64)


def satellite_states(
    ephemerides: Sequence[GpsEphemeris], index: IntArray, receive_ns: int, travel_time_s: FloatArray
) -> SatelliteState:
    """Return satellite positions and clocks at transmission.

    Args:
        ephemerides: One per satellite.
        index: Row of ``ephemerides`` for each pair, shape ``(n,)``.
        receive_ns: Receiver time tag, ns of GPS time.
        travel_time_s: Pseudorange over the speed of light, shape ``(n,)``. It contains the receiver
            clock, so tag minus travel time is the transmission time on the satellite's clock however
            wrong the receiver clock is.

    Returns:
        The states, shape ``(n, 3)`` and ``(n,)``.

    Source:
        IS-GPS-200 tables 20-IV and section 20.3.3.3.3.1. Checked against RTKLIB.
    """

    def get(name: str) -> FloatArray:
        return _column(ephemerides, name)[index]

    def since(name: str) -> FloatArray:
        references = np.array([receive_ns - getattr(e, name) for e in ephemerides], dtype=np.int64)
        return references[index] / NS_PER_S - travel_time_s

    tk_clock = since("toc_ns")
    polynomial_s = get("af0_s") + tk_clock * (get("af1") + tk_clock * get("af2"))
    tk_clock = tk_clock - polynomial_s
    clock_s = get("af0_s") + tk_clock * (get("af1") + tk_clock * get("af2"))

    tk = since("toe_ns") - clock_s
    sqrt_a, e = get("sqrt_a"), get("eccentricity")
    a_m = sqrt_a * sqrt_a
    mean_motion = np.sqrt(EARTH_GM_GPS_M3_S2) / (a_m * sqrt_a) + get("delta_n_rad_s")
    mean_anomaly = get("m0_rad") + mean_motion * tk
    anomaly = mean_anomaly
    for _ in range(_KEPLER_ROUNDS):  # contraction by e < 0.03 per round: below 1e-15 rad after ten
        anomaly = mean_anomaly + e * np.sin(anomaly)
    sin_e, cos_e = np.sin(anomaly), np.cos(anomaly)
    clock_s = clock_s + GPS_RELATIVITY_F_S_SQRT_M * e * sqrt_a * sin_e

    true_anomaly = np.arctan2(np.sqrt(1.0 - e * e) * sin_e, cos_e - e)
    phi = true_anomaly + get("omega_rad")
    s2, c2 = np.sin(2.0 * phi), np.cos(2.0 * phi)
    u = phi + get("cus_rad") * s2 + get("cuc_rad") * c2
    radius_m = a_m * (1.0 - e * cos_e) + get("crs_m") * s2 + get("crc_m") * c2
    inclination = get("i0_rad") + get("cis_rad") * s2 + get("cic_rad") * c2 + get("idot_rad_s") * tk
    toe_s = np.array([(e_.toe_ns % NS_PER_WEEK) / NS_PER_S for e_ in ephemerides])[index]
    node = get("omega0_rad") + (get("omega_dot_rad_s") - EARTH_ROTATION_RAD_S) * tk - EARTH_ROTATION_RAD_S * toe_s
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
    return SatelliteState(position_m, clock_s)


def implausible(ephemeris: GpsEphemeris) -> str:
    """Return what is wrong with an orbit that no GPS satellite can have; empty when nothing is.

    A checksum does not protect against a sender's nonsense, and one impossible orbit spoils every position
    it takes part in. Source: IS-GPS-200 table 20-III (ranges) and the constellation as it is flown.
    """
    checks = (
        ("square root of the semi-major axis", ephemeris.sqrt_a, 5000.0, 5350.0, "sqrt(m)"),
        ("eccentricity", ephemeris.eccentricity, 0.0, 0.05, ""),
        ("inclination", ephemeris.i0_rad, 0.7, 1.2, "rad"),
        ("satellite clock", abs(ephemeris.af0_s), 0.0, 2e-3, "s"),
    )
    for name, value, low, high, unit in checks:
        if not low <= value <= high:
            satellite = satellite_name(ephemeris.satellite)
            return f"{satellite}: {name} {value:g} {unit}, expected {low:g} to {high:g}".replace("  ", " ")
    return ""


@dataclass
class EphemerisStore:
    """The ephemerides heard so far, and the one in use for each satellite.

    An issue of data is changed for the whole network at once, at the epoch in which the engine asks;
    the raw observations of all receivers are then reduced with the new one, so differences between
    receivers stay continuous.
    """

    _known: dict[int, dict[tuple[int, int], GpsEphemeris]] = field(default_factory=dict)

    def add(self, ephemeris: GpsEphemeris) -> bool:
        """Keep an ephemeris; return whether it was new."""
        issues = self._known.setdefault(ephemeris.satellite, {})
        key = (ephemeris.toe_ns, ephemeris.iode)
        if key in issues:
            return False
        issues[key] = ephemeris
        # Three hours of two-hourly uploads are at most a handful; old issues are of no use to a live system.
        for old in sorted(issues)[:-8]:
            del issues[old]
        return True

    def select(self, satellite: int, time_ns: int) -> GpsEphemeris | None:
        """Return the healthy ephemeris whose reference time is nearest to ``time_ns``, or ``None``."""
        usable = [
            ephemeris
            for ephemeris in self._known.get(satellite, {}).values()
            if abs(time_ns - ephemeris.toe_ns) <= MAX_AGE_S * NS_PER_S
        ]
        if not usable:
            return None
        best = min(usable, key=lambda ephemeris: (abs(time_ns - ephemeris.toe_ns), -ephemeris.toe_ns))
        return best if best.health == 0 else None

    def selection(self, time_ns: int) -> dict[int, GpsEphemeris]:
        """Return the ephemeris in use at ``time_ns`` of every satellite that has a usable one."""
        chosen = {satellite: self.select(satellite, time_ns) for satellite in sorted(self._known)}
        return {satellite: ephemeris for satellite, ephemeris in chosen.items() if ephemeris is not None}

    def __len__(self) -> int:
        """Return the number of satellites with at least one ephemeris."""
        return len(self._known)
