"""Ranges with Earth rotation, directions, elevation and azimuth, and thin-shell pierce points."""

from dataclasses import dataclass

import numpy as np

from stations.arrays import FloatArray
from stations.constants import EARTH_RADIUS_MEAN_M, EARTH_ROTATION_RAD_S, SPEED_OF_LIGHT_M_S
from stations.frames import enu_rotation_at

SHELL_HEIGHT_M = 400_000.0  # literature for mid latitudes 350-450 km; the field's residual part absorbs the choice


@dataclass(frozen=True)
class LineOfSight:
    """Directions from one receiver to satellites.

    Attributes:
        range_m: Geometric range with Earth rotation during the flight, shape ``(n,)``.
        unit: Unit vectors receiver to satellite, ECEF, shape ``(n, 3)``.
        elevation_rad: Shape ``(n,)``.
        azimuth_rad: Clockwise from north, ``[0, 2 pi)``, shape ``(n,)``.
    """

    range_m: FloatArray
    unit: FloatArray
    elevation_rad: FloatArray
    azimuth_rad: FloatArray


def line_of_sight(receiver_m: FloatArray, satellite_m: FloatArray, enu: FloatArray | None = None) -> LineOfSight:
    """Return range and direction of satellites seen from one receiver, or from one receiver each.

    Args:
        receiver_m: ECEF, shape ``(3,)`` or ``(n, 3)``.
        satellite_m: ECEF at transmission, frame of that instant, shape ``(n, 3)``.
        enu: Rotations to east, north, up at the receivers, shape ``(n, 3, 3)``; needed for more than one receiver.

    Returns:
        Shapes as in :class:`LineOfSight`. The satellite is rotated into the frame of the reception
        (exact rotation, one iteration of the flight time: below 1e-6 m).

    Source:
        IS-GPS-200 20.3.3.4.3.3.2.
    """
    flight_s = np.linalg.norm(satellite_m - receiver_m, axis=-1) / SPEED_OF_LIGHT_M_S
    for _ in range(2):
        angle = EARTH_ROTATION_RAD_S * flight_s
        cosine, sine = np.cos(angle), np.sin(angle)
        x = cosine * satellite_m[:, 0] + sine * satellite_m[:, 1]
        y = -sine * satellite_m[:, 0] + cosine * satellite_m[:, 1]
        delta = np.stack([x, y, satellite_m[:, 2]], axis=-1) - receiver_m
        range_m = np.linalg.norm(delta, axis=-1)
        flight_s = range_m / SPEED_OF_LIGHT_M_S
    unit = delta / range_m[:, None]
    local = unit @ enu_rotation_at(receiver_m).T if enu is None else np.einsum("nij,nj->ni", enu, unit)
    return LineOfSight(
        range_m,
        unit,
        np.arcsin(np.clip(local[:, 2], -1.0, 1.0)),
        np.mod(np.arctan2(local[:, 0], local[:, 1]), 2.0 * np.pi),
    )


def pierce_points(receiver_m: FloatArray, unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where rays cross the ionospheric shell, and how much longer than vertical they are.

    Args:
        receiver_m: ECEF, shape ``(3,)`` or ``(n, 3)``.
        unit: Unit vectors to the satellites, shape ``(n, 3)``.

    Returns:
        Pierce points, ECEF metres on the sphere of shell radius, shape ``(n, 3)``; slant factors
        ``1 / cos(zenith angle at the shell)``, shape ``(n,)``.

    Source:
        Single-layer model, Schaer (1999), eq. 2.17, with the zenith angle taken at the pierce point.
    """
    radius_m = EARTH_RADIUS_MEAN_M + SHELL_HEIGHT_M
    # Distance along the ray to the sphere: |r + d u| = radius, positive root.
    along = np.sum(unit * receiver_m, axis=-1)
    distance_m = -along + np.sqrt(along * along + radius_m**2 - np.sum(receiver_m * receiver_m, axis=-1))
    pierce_m = receiver_m + distance_m[:, None] * unit
    cosine = np.einsum("ij,ij->i", pierce_m, unit) / radius_m
    return pierce_m, 1.0 / cosine
