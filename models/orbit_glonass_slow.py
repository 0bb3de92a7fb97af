"""The slow twin of :mod:`models.orbit_glonass`: one satellite, plain vectors, for the tests."""

import numpy as np

from models.orbit_glonass import GM_M3_S2, J2, RADIUS_M, ROTATION_RAD_S, STEP_S
from stations.arrays import FloatArray
from stations.navigation_vector import GlonassEphemeris

_SPIN = np.array([0.0, 0.0, ROTATION_RAD_S])


def position_after(ephemeris: GlonassEphemeris, seconds: float) -> FloatArray:
    """Return the position ``seconds`` after the reference time, shape ``(3,)``.

    Source:
        GLONASS ICD 5.1, A.3.1.2.
    """
    r, v = np.array(ephemeris.position_m), np.array(ephemeris.velocity_m_s)
    sun_and_moon = np.array(ephemeris.acceleration_m_s2)
    while seconds != 0.0:
        h = min(max(seconds, -STEP_S), STEP_S)
        k1, l1 = v, _acceleration(r, v, sun_and_moon)
        k2, l2 = v + h / 2 * l1, _acceleration(r + h / 2 * k1, v + h / 2 * l1, sun_and_moon)
        k3, l3 = v + h / 2 * l2, _acceleration(r + h / 2 * k2, v + h / 2 * l2, sun_and_moon)
        k4, l4 = v + h * l3, _acceleration(r + h * k3, v + h * l3, sun_and_moon)
        r = r + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        v = v + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
        seconds -= h
    return r


def _acceleration(r: FloatArray, v: FloatArray, sun_and_moon: FloatArray) -> FloatArray:
    distance = float(np.linalg.norm(r))
    height = float(r[2]) / distance
    # Central gravity, the flattening of the Earth, and the rotating frame.
    central = -GM_M3_S2 / distance**3 * r
    factor = -1.5 * J2 * GM_M3_S2 * RADIUS_M**2 / distance**5
    flattening = factor * r * (np.array([1.0, 1.0, 3.0]) - 5.0 * height**2)
    rotating = -np.cross(_SPIN, np.cross(_SPIN, r)) - 2.0 * np.cross(_SPIN, v)
    total: FloatArray = central + flattening + rotating + sun_and_moon
    return total
