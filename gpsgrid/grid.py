"""Grid cells: H3 indexes, so that a client in any language computes its own cell from its position."""

import h3
import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.frames import ecef_from_geodetic, geodetic_from_ecef


def cell_at(position_m: FloatArray, resolution: int) -> str:
    """Return the H3 index of the cell that holds an ECEF position of shape ``(3,)``."""
    latitude, longitude, _ = geodetic_from_ecef(position_m)
    return str(h3.latlng_to_cell(float(np.degrees(latitude)), float(np.degrees(longitude)), resolution))


def cell_center_m(cell: str) -> FloatArray:
    """Return the centre of a cell on the ellipsoid, ECEF, shape ``(3,)``."""
    latitude, longitude = h3.cell_to_latlng(cell)
    return ecef_from_geodetic(float(np.radians(latitude)), float(np.radians(longitude)), 0.0)


def cell_boundary_deg(cell: str) -> tuple[tuple[float, float], ...]:
    """Return the closed outline of a cell, longitude and latitude in degrees, counter-clockwise."""
    corners = [
        (round(float(longitude), 7), round(float(latitude), 7)) for latitude, longitude in h3.cell_to_boundary(cell)
    ]
    return (*corners, corners[0])


def stations_of(cell: str, station_m: FloatArray, maximum: int, radius_m: float) -> IntArray:
    """Return the stations that serve a cell, nearest to its centre first.

    Args:
        cell: H3 index.
        station_m: Positions, ECEF, shape ``(station, 3)``.
        maximum: How many at most.
        radius_m: How far away at most.

    Returns:
        Station indexes, shape ``(k,)``, possibly empty.
    """
    distance_m = np.linalg.norm(station_m - cell_center_m(cell), axis=1)
    order = np.argsort(distance_m, kind="stable")[:maximum]
    serving: IntArray = order[distance_m[order] <= radius_m]
    return serving
