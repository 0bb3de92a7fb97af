"""ECEF, geodetic and local east-north-up coordinates on the WGS 84 ellipsoid, on arrays.

The vector axis is last: ``(3,)`` or ``(n, 3)``. Frame and epoch transformations are pyproj's
business and live where a user asks for them; here is only the geometry of one frame.
"""

import numpy as np

from stations.arrays import FloatArray
from stations.constants import WGS84_FLATTENING, WGS84_SEMI_MAJOR_M

_E2 = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)


def geodetic_from_ecef(position_m: FloatArray) -> FloatArray:
    """Return latitude (rad), longitude (rad) and ellipsoidal height (m) of ECEF positions.

    Args:
        position_m: ECEF metres, shape ``(..., 3)``.

    Returns:
        Shape ``(..., 3)``: latitude, longitude, height. Fixed-point iteration on the latitude, below
        1e-12 rad after five rounds everywhere near the Earth's surface.

    Source:
        Hofmann-Wellenhof et al., GNSS (2008), eq. 8.8 and following; checked against pyproj.
    """
    x, y, z = np.moveaxis(np.asarray(position_m, dtype=np.float64), -1, 0)
    p = np.hypot(x, y)
    latitude = np.arctan2(z, p * (1.0 - _E2))
    for _ in range(6):
        sine = np.sin(latitude)
        prime_vertical_m = WGS84_SEMI_MAJOR_M / np.sqrt(1.0 - _E2 * sine * sine)
        latitude = np.arctan2(z + _E2 * prime_vertical_m * sine, p)
    sine, cosine = np.sin(latitude), np.cos(latitude)
    prime_vertical_m = WGS84_SEMI_MAJOR_M / np.sqrt(1.0 - _E2 * sine * sine)
    # This form of the height is stable at the poles, where p / cos(latitude) is not.
    height = p * cosine + z * sine - prime_vertical_m * (1.0 - _E2 * sine * sine)
    return np.stack([latitude, np.arctan2(y, x), height], axis=-1)


def ecef_from_geodetic(latitude_rad: float, longitude_rad: float, height_m: float) -> FloatArray:
    """Return the ECEF position, shape ``(3,)`` in metres, of geodetic coordinates."""
    sine, cosine = np.sin(latitude_rad), np.cos(latitude_rad)
    prime_vertical_m = WGS84_SEMI_MAJOR_M / np.sqrt(1.0 - _E2 * sine * sine)
    return np.array(
        [
            (prime_vertical_m + height_m) * cosine * np.cos(longitude_rad),
            (prime_vertical_m + height_m) * cosine * np.sin(longitude_rad),
            (prime_vertical_m * (1.0 - _E2) + height_m) * sine,
        ]
    )


def enu_rotation(latitude_rad: float, longitude_rad: float) -> FloatArray:
    """Return the ``(3, 3)`` matrix whose rows are east, north and up: ``enu = R @ ecef_difference``."""
    slat, clat = np.sin(latitude_rad), np.cos(latitude_rad)
    slon, clon = np.sin(longitude_rad), np.cos(longitude_rad)
    return np.array([[-slon, clon, 0.0], [-slat * clon, -slat * slon, clat], [clat * clon, clat * slon, slat]])


def enu_rotation_at(position_m: FloatArray) -> FloatArray:
    """Return :func:`enu_rotation` at an ECEF position of shape ``(3,)``."""
    latitude, longitude, _ = geodetic_from_ecef(position_m)
    return enu_rotation(float(latitude), float(longitude))
