"""Solid earth tides of degree two: where the crust stands at an instant.

Coordinates of stations are tide-free; between stations 100 km apart the tide differs by a few
millimetres. Only the in-phase degree-two part is modelled: the rest is below 2 mm over 200 km.
"""

import numpy as np

from stations.arrays import FloatArray
from stations.constants import SECONDS_PER_DAY, WGS84_SEMI_MAJOR_M
from stations.gpstime import to_utc

_GM_RATIO_SUN = 332_946.0  # mass of the Sun over mass of the Earth; IERS Conventions (2010), table 1.1
_GM_RATIO_MOON = 0.01230003713  # mass of the Moon over mass of the Earth; IERS Conventions (2010)
_LOVE_H2 = 0.6078  # IERS Conventions (2010), table 7.2, nominal
_SHIDA_L2 = 0.0847
_LOVE_H2_LATITUDE = -0.0006  # eq. 7.2: dependence on (3 sin^2 lat - 1) / 2
_SHIDA_L2_LATITUDE = 0.0002


def sun_and_moon_ecef(time_ns: int) -> tuple[FloatArray, FloatArray]:
    """Return the positions of Sun and Moon in ECEF metres, each shape ``(3,)``.

    Low-precision series: 0.01 degrees for the Sun and 0.3 degrees for the Moon, which is 1e-4 and 5e-3
    of a tide of 0.3 m.

    Source:
        Montenbruck and Gill, Satellite Orbits (2000), section 3.3.2; GMST of IAU 1982.
    """
    utc = to_utc(time_ns)
    j2000 = utc.replace(year=2000, month=1, day=1, hour=12, minute=0, second=0, microsecond=0)
    days = (utc - j2000).total_seconds() / SECONDS_PER_DAY
    t = days / 36_525.0
    rad = np.radians

    m_sun = rad(357.5256 + 35_999.049 * t)
    lon_sun = rad(282.9400) + m_sun + rad((6892.0 * np.sin(m_sun) + 72.0 * np.sin(2 * m_sun)) / 3600.0)
    r_sun_m = (149.619 - 2.499 * np.cos(m_sun) - 0.021 * np.cos(2 * m_sun)) * 1e9

    l0 = rad(218.31617 + 481_267.88088 * t)
    m = rad(134.96292 + 477_198.86753 * t)
    f = rad(93.27283 + 483_202.01873 * t)
    d = rad(297.85027 + 445_267.11135 * t)
    lon_moon = l0 + rad(
        (
            22640 * np.sin(m)
            + 769 * np.sin(2 * m)
            - 4586 * np.sin(m - 2 * d)
            + 2370 * np.sin(2 * d)
            - 668 * np.sin(m_sun)
            - 412 * np.sin(2 * f)
            - 212 * np.sin(2 * m - 2 * d)
            - 206 * np.sin(m + m_sun - 2 * d)
            + 192 * np.sin(m + 2 * d)
            - 165 * np.sin(m_sun - 2 * d)
            + 148 * np.sin(m - m_sun)
            - 125 * np.sin(d)
            - 110 * np.sin(m + m_sun)
            - 55 * np.sin(2 * f - 2 * d)
        )
        / 3600.0
    )
    lat_moon = rad(
        (
            18520 * np.sin(f + lon_moon - l0 + rad((412 * np.sin(2 * f) + 541 * np.sin(m_sun)) / 3600.0))
            - 526 * np.sin(f - 2 * d)
            + 44 * np.sin(m + f - 2 * d)
            - 31 * np.sin(-m + f - 2 * d)
            - 23 * np.sin(m_sun + f - 2 * d)
            + 11 * np.sin(-m_sun + f - 2 * d)
            - 25 * np.sin(-2 * m + f)
            + 21 * np.sin(-m + f)
        )
        / 3600.0
    )
    r_moon_m = (
        385_000
        - 20_905 * np.cos(m)
        - 3_699 * np.cos(2 * d - m)
        - 2_956 * np.cos(2 * d)
        - 570 * np.cos(2 * m)
        + 246 * np.cos(2 * m - 2 * d)
        - 205 * np.cos(m_sun - 2 * d)
        - 171 * np.cos(m + 2 * d)
        - 152 * np.cos(m + m_sun - 2 * d)
    ) * 1e3

    gmst = rad((280.46061837 + 360.98564736629 * days + 0.000387933 * t * t) % 360.0)
    obliquity = rad(23.43929111 - 0.0130042 * t)

    def ecef(longitude: float, latitude: float, radius_m: float) -> FloatArray:
        x = np.cos(latitude) * np.cos(longitude)
        y0, z0 = np.cos(latitude) * np.sin(longitude), np.sin(latitude)
        y = np.cos(obliquity) * y0 - np.sin(obliquity) * z0
        z = np.sin(obliquity) * y0 + np.cos(obliquity) * z0
        c, s = np.cos(gmst), np.sin(gmst)
        return radius_m * np.array([c * x + s * y, -s * x + c * y, z])

    return ecef(lon_sun, 0.0, r_sun_m), ecef(lon_moon, lat_moon, r_moon_m)


def solid_earth_tide_m(position_m: FloatArray, time_ns: int) -> FloatArray:
    """Return the displacement of the crust, ECEF metres, shape of the positions.

    Args:
        position_m: Tide-free positions, ECEF, shape ``(..., 3)``.
        time_ns: Epoch.

    Source:
        IERS Conventions (2010), eq. 7.5 (degree two, in phase). Checked against RTKLIB's tidedisp.
    """
    up = position_m / np.linalg.norm(position_m, axis=-1, keepdims=True)
    sine2 = up[..., 2:] ** 2
    h2 = _LOVE_H2 + _LOVE_H2_LATITUDE * (3.0 * sine2 - 1.0) / 2.0
    l2 = _SHIDA_L2 + _SHIDA_L2_LATITUDE * (3.0 * sine2 - 1.0) / 2.0
    total = np.zeros(position_m.shape)
    for body_m, ratio in zip(sun_and_moon_ecef(time_ns), (_GM_RATIO_SUN, _GM_RATIO_MOON), strict=True):
        distance_m = np.linalg.norm(body_m)
        toward = body_m / distance_m
        size_m = ratio * WGS84_SEMI_MAJOR_M**4 / distance_m**3
        along = (up @ toward)[..., None]
        total += size_m * (h2 * up * (1.5 * along**2 - 0.5) + 3.0 * l2 * along * (toward - along * up))
    return total
