"""The cells that are worth a virtual station of their own, and where in the cell it stands."""

import h3
import numpy as np

from gpsgrid.grid import cell_at, cell_center_m
from stations.arrays import FloatArray
from stations.catalog import Network, Station
from stations.frames import ecef_from_geodetic, geodetic_from_ecef

_MOST_RINGS = 40  # around a station; a finer grid would be hundreds of thousands of cells


def standing_cells(network: Network, resolution: int, reach_m: float, maximum: int) -> tuple[str, ...]:
    """Return the cells whose centre is within reach of a station, and the cells of the stations themselves.

    Args:
        network: Stations.
        resolution: H3 resolution.
        reach_m: From a station to the centre of a cell.
        maximum: How many at most, nearest to a station first.
    """
    rings = min(_MOST_RINGS, int(reach_m / (h3.average_hexagon_edge_length(resolution, unit="m") * 1.5)) + 1)
    nearest_m: dict[str, float] = {}
    for station in network.stations:
        home = cell_at(station.marker_m, resolution)
        for cell in h3.grid_disk(home, rings):
            distance_m = float(np.linalg.norm(cell_place_m(cell, network) - station.marker_m))
            if cell == home or distance_m <= reach_m:
                nearest_m[cell] = min(distance_m, nearest_m.get(cell, np.inf))
    return tuple(sorted(nearest_m, key=lambda cell: (nearest_m[cell], cell))[:maximum])


def cell_place_m(cell: str, network: Network) -> FloatArray:
    """Return where the virtual station of a cell stands, ECEF of shape ``(3,)``.

    At the centre, at the height of the nearest station: the ellipsoid may be a kilometre below the ground.
    """
    center_m = cell_center_m(cell)
    found = nearest_stations(network, center_m, frozenset())
    if not found:
        return center_m
    latitude, longitude, _ = geodetic_from_ecef(center_m).tolist()
    height_m = float(geodetic_from_ecef(found[0][1].marker_m)[2])
    return ecef_from_geodetic(latitude, longitude, height_m)


def nearest_stations(network: Network, position_m: FloatArray, but: frozenset[str]) -> list[tuple[float, Station]]:
    """Return stations with their distances in metres, nearest first, without those named."""
    found = [
        (float(np.linalg.norm(station.marker_m - position_m)), station)
        for station in network.stations
        if station.id not in but
    ]
    return sorted(found, key=lambda item: (item[0], item[1].id))
