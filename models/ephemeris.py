"""Satellite position and clock from broadcast ephemerides of all systems, and which ephemeris to use, on arrays.

One row per satellite-receiver pair, so all stations and satellites of an epoch are one call. Which ephemeris to use is
decided in :class:`BroadcastStore`, once per satellite: every station must use the same issue of data, or double
differences jump by decimetres.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

import numpy as np

from models.orbit_glonass import glonass_states
from models.orbit_kepler import kepler_states
from models.orbit_sbas import sbas_states
from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.navigation import BeiDouEphemeris, GalileoEphemeris, KeplerEphemeris, NavicEphemeris
from stations.navigation_kinds import AnyEphemeris, Ephemeris, UploadKey, is_fnav, upload_key
from stations.navigation_vector import GlonassEphemeris, SbasEphemeris
from stations.signals import Constellation, constellation_of, satellite_name

MAX_AGE_S = 4.0 * 3600.0  # |t - toe|: curve fit interval of LNAV is 4 h centred on toe, plus upload delays
# The same for the other systems: validity by their specification, plus upload delays.
_MAX_AGES_S = {
    Constellation.GPS: MAX_AGE_S,
    Constellation.GLONASS: 1800.0,  # GLONASS ICD 5.1, 4.4: half an hour or an hour, centred
    Constellation.GALILEO: MAX_AGE_S,  # Galileo OS SDD 2.3.1.3: four hours after transmission
    Constellation.SBAS: 360.0,  # RTCA DO-229 table A-25
    Constellation.QZSS: 2.0 * 3600.0,  # IS-QZSS-PNT: fit interval of two hours
    Constellation.BEIDOU: 6.0 * 3600.0,  # hourly; some satellites are uploaded late
    Constellation.NAVIC: 2.0 * 3600.0,
}
_KEPT = 8  # per satellite: an hour or more of any system; old issues are of no use to a live one


@dataclass(frozen=True)
class SatelliteState:
    """Where satellites were, and what their clocks showed.

    Attributes:
        position_m: ECEF at the time of transmission, frame of that same instant, shape ``(n, 3)``.
        clock_s: Satellite clock minus GPS time, relativity included, group delay not, shape ``(n,)``.
    """

    position_m: FloatArray
    clock_s: FloatArray


_Model = Callable[[Sequence[Any], IntArray, int, FloatArray], tuple[FloatArray, FloatArray]]
_MODELS: tuple[_Model, ...] = (kepler_states, glonass_states, sbas_states)


def satellite_states(
    ephemerides: Sequence[Ephemeris], index: IntArray, receive_ns: int, travel_time_s: FloatArray
) -> SatelliteState:
    """Return satellite positions and clocks at transmission.

    Args:
        ephemerides: One per satellite, of any system.
        index: Row of ``ephemerides`` for each pair, shape ``(n,)``.
        receive_ns: Receiver time tag, ns of GPS time.
        travel_time_s: Pseudorange over the speed of light, shape ``(n,)``. It contains the receiver
            clock, so tag minus travel time is the transmission time on the satellite's clock however
            wrong the receiver clock is.

    Returns:
        The states, shape ``(n, 3)`` and ``(n,)``.

    Source:
        The interface specification of each system, see the modules ``models.orbit_...``. Checked against RTKLIB.
    """
    model_of = np.array([_model(ephemeris) for ephemeris in ephemerides], dtype=np.int64)
    models = np.unique(model_of[index])
    if len(models) <= 1:
        model = _MODELS[int(models[0]) if len(models) else 0]
        return SatelliteState(*model(ephemerides, index, receive_ns, travel_time_s))
    position_m, clock_s = np.empty((len(index), 3)), np.empty(len(index))
    for number in models.tolist():
        places = np.flatnonzero(model_of == number)
        rows = model_of[index] == number
        of_model = np.searchsorted(places, index[rows])
        some = [ephemerides[int(place)] for place in places]
        position_m[rows], clock_s[rows] = _MODELS[number](some, of_model, receive_ns, travel_time_s[rows])
    return SatelliteState(position_m, clock_s)


def _model(ephemeris: Ephemeris) -> int:
    if isinstance(ephemeris, GlonassEphemeris):
        return 1
    return 2 if isinstance(ephemeris, SbasEphemeris) else 0


# Least and greatest square root of the semi-major axis (sqrt(m)), eccentricity and inclination (rad), and the greatest
# clock offset (s) of a class of orbits.
_Orbit = tuple[tuple[float, float], tuple[float, float], tuple[float, float], float]
_SYNCHRONOUS = (6450.0, 6540.0)  # a sidereal day, and drifting to another longitude
_GPS_ORBIT: _Orbit = ((5000.0, 5350.0), (0.0, 0.05), (0.7, 1.2), 2e-3)  # IS-GPS-200 table 20-III, and as it is flown
_QZSS_ORBIT: _Orbit = (_SYNCHRONOUS, (0.0, 0.1), (0.0, 0.9), 2e-3)  # IS-QZSS-PNT 3.1: 43 degrees and 0.075, or GEO
_GALILEO_ORBIT: _Orbit = ((5350.0, 5500.0), (0.0, 0.02), (0.7, 1.2), 2e-2)  # Galileo OS SDD 2.2; clocks of 6 ms fly
_ECCENTRIC_ORBIT: _Orbit = ((5200.0, 5350.0), (0.1, 0.2), (0.7, 1.2), 2e-2)  # E14 and E18, launched too low: 0.16
# BDS-SIS-ICD-B1I-3.0 3.1; the inclination of geostationary satellites is against a plane tilted by 5 degrees.
_BEIDOU_MEO: _Orbit = ((5200.0, 5360.0), (0.0, 0.05), (0.7, 1.2), 2e-3)
_BEIDOU_IGSO: _Orbit = (_SYNCHRONOUS, (0.0, 0.05), (0.7, 1.2), 2e-3)
_BEIDOU_GEO: _Orbit = (_SYNCHRONOUS, (0.0, 0.02), (0.0, 0.3), 2e-3)
_NAVIC_ORBIT: _Orbit = (_SYNCHRONOUS, (0.0, 0.05), (0.0, 0.7), 2e-3)  # IRNSS SIS ICD 1.1, 2.1: GEO, and 29 degrees
_HIGH = 6000.0  # sqrt(m), between a half and a whole sidereal day

_Check = tuple[str, float, float, float, str]


def implausible(ephemeris: Ephemeris) -> str:
    """Return what is wrong with an orbit that no satellite of the system can have; empty when nothing is.

    A checksum does not protect against a sender's nonsense, and one impossible orbit spoils every position
    it takes part in. Source: the interface specifications (ranges) and the constellations as they are flown.
    """
    for name, value, low, high, unit in _checks(ephemeris):
        if not low <= value <= high:
            satellite = satellite_name(ephemeris.satellite)
            return f"{satellite}: {name} {value:g} {unit}, expected {low:g} to {high:g}".replace(" ,", ",")
    return ""


def _checks(ephemeris: Ephemeris) -> tuple[_Check, ...]:
    match ephemeris:
        case GlonassEphemeris():
            # GLONASS ICD 5.1, 3.2: radius 25510 km; speeds turn with the Earth, 3.1 to 3.6 km/s as it is flown.
            return (
                ("distance from the centre of the Earth", math.hypot(*ephemeris.position_m), 25.2e6, 25.8e6, "m"),
                ("speed", math.hypot(*ephemeris.velocity_m_s), 3000.0, 3750.0, "m/s"),
                ("satellite clock", abs(ephemeris.tau_s), 0.0, 2e-3, "s"),
            )
        case SbasEphemeris():
            return (
                ("distance from the centre of the Earth", math.hypot(*ephemeris.position_m), 41.8e6, 42.6e6, "m"),
                ("speed", math.hypot(*ephemeris.velocity_m_s), 0.0, 1000.0, "m/s"),
                ("satellite clock", abs(ephemeris.af0_s), 0.0, 2e-3, "s"),
            )
        case _:
            sqrt_a, eccentricity, inclination_rad, clock_s = _orbit_of(ephemeris)
            return (
                ("square root of the semi-major axis", ephemeris.sqrt_a, *sqrt_a, "sqrt(m)"),
                ("eccentricity", ephemeris.eccentricity, *eccentricity, ""),
                ("inclination", ephemeris.i0_rad, *inclination_rad, "rad"),
                ("satellite clock", abs(ephemeris.af0_s), 0.0, clock_s, "s"),
            )


def _orbit_of(ephemeris: KeplerEphemeris) -> _Orbit:
    """Return the limits of the class of orbit: by slot where the system says so, else the one that is nearest."""
    match ephemeris:
        case BeiDouEphemeris() if ephemeris.geostationary:
            return _BEIDOU_GEO
        case BeiDouEphemeris():
            return _BEIDOU_IGSO if ephemeris.sqrt_a > _HIGH else _BEIDOU_MEO
        case GalileoEphemeris():
            return _GALILEO_ORBIT if ephemeris.sqrt_a > _GALILEO_ORBIT[0][0] else _ECCENTRIC_ORBIT
        case NavicEphemeris():
            return _NAVIC_ORBIT
        case _ if constellation_of(ephemeris.satellite) is Constellation.QZSS:
            return _QZSS_ORBIT
        case _:
            return _GPS_ORBIT


@dataclass
class BroadcastStore(Generic[AnyEphemeris]):
    """The ephemerides heard so far, and the one in use for each satellite.

    An issue of data is changed for the whole network at once, at the epoch in which the engine asks;
    the raw observations of all receivers are then reduced with the new one, so differences between
    receivers stay continuous.
    """

    _known: dict[int, dict[UploadKey, AnyEphemeris]] = field(default_factory=dict)

    def add(self, ephemeris: AnyEphemeris) -> bool:
        """Keep an ephemeris; return whether it was new."""
        issues = self._known.setdefault(ephemeris.satellite, {})
        key = upload_key(ephemeris)
        if key in issues:
            return False
        issues[key] = ephemeris
        # Three hours of two-hourly uploads are at most a handful; old issues are of no use to a live system.
        for old in sorted(key for key in issues if key[2] is is_fnav(ephemeris))[:-_KEPT]:
            del issues[old]
        return True

    def select(self, satellite: int, time_ns: int) -> AnyEphemeris | None:
        """Return the healthy ephemeris whose reference time is nearest to ``time_ns``, or ``None``.

        Of Galileo, I/NAV goes before F/NAV: their clocks differ, so a satellite must not change between them while
        both are there.
        """
        issues = self._known.get(satellite)
        if not issues:
            return None
        max_age_ns = _MAX_AGES_S[constellation_of(satellite)] * NS_PER_S
        usable = [ephemeris for ephemeris in issues.values() if abs(time_ns - ephemeris.toe_ns) <= max_age_ns]
        if not usable:
            return None
        best = min(usable, key=lambda one: (is_fnav(one), abs(time_ns - one.toe_ns), -one.toe_ns))
        return best if best.healthy else None

    def selection(self, time_ns: int) -> dict[int, AnyEphemeris]:
        """Return the ephemeris in use at ``time_ns`` of every satellite that has a usable one."""
        chosen = {satellite: self.select(satellite, time_ns) for satellite in sorted(self._known)}
        return {satellite: ephemeris for satellite, ephemeris in chosen.items() if ephemeris is not None}

    def known(self) -> tuple[AnyEphemeris, ...]:
        """Return all that is kept, by satellite; another store that is given them in this order selects the same."""
        return tuple(ephemeris for issues in self._known.values() for ephemeris in issues.values())

    def __len__(self) -> int:
        """Return the number of satellites with at least one ephemeris."""
        return len(self._known)


class EphemerisStore(BroadcastStore[Ephemeris]):
    """The store of what an engine hears: ephemerides of all systems."""
