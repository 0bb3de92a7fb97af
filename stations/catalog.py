"""Stations as the operator describes them: marker, antenna, where their data come from."""

from dataclasses import dataclass

import numpy as np

from stations.arrays import FloatArray
from stations.frames import enu_rotation_at


@dataclass(frozen=True)
class Station:
    """One reference station.

    Attributes:
        id: Name, unique in the network.
        position_m: Marker, ECEF metres in the frame of the network.
        antenna: IGS antenna type, 20 characters (name and radome); empty when none is declared.
        antenna_serial: Serial number for individual calibrations; may be empty.
        antenna_height_m: Marker to antenna reference point, up, metres.
        observations: Paths or glob of recorded files; empty for a live station.
        topic: MQTT topic of a live station; empty for the default topic.
    """

    id: str
    position_m: tuple[float, float, float]
    antenna: str = ""
    antenna_serial: str = ""
    antenna_height_m: float = 0.0
    observations: tuple[str, ...] = ()
    topic: str = ""

    @property
    def marker_m(self) -> FloatArray:
        """Marker, ECEF metres, shape ``(3,)``."""
        return np.array(self.position_m, dtype=np.float64)

    @property
    def reference_point_m(self) -> FloatArray:
        """Antenna reference point, ECEF metres, shape ``(3,)``."""
        up: FloatArray = enu_rotation_at(self.marker_m)[2]
        point: FloatArray = self.marker_m + self.antenna_height_m * up
        return point


@dataclass(frozen=True)
class Network:
    """A network as described by ``network.toml``.

    Attributes:
        name: Name of the network.
        frame: Reference frame of the coordinates, a pyproj name or EPSG code.
        epoch: Epoch of the coordinates, decimal year.
        stations: In the order of the file.
        navigation: Paths of navigation files, relative to ``folder``.
        antennas: Path of the ANTEX file, relative to ``folder``; empty when none is declared.
        folder: Folder that relative paths start from.
    """

    name: str
    frame: str
    epoch: float
    stations: tuple[Station, ...]
    navigation: tuple[str, ...] = ()
    antennas: str = ""
    folder: str = "."

    def station(self, station_id: str) -> Station:
        """Return the station of that name; ``KeyError`` if there is none."""
        for station in self.stations:
            if station.id == station_id:
                return station
        raise KeyError(station_id)

    def without(self, station_id: str) -> "Network":
        """Return the network with one station taken out, as for a held-out rover."""
        return Network(
            self.name,
            self.frame,
            self.epoch,
            tuple(station for station in self.stations if station.id != station_id),
            self.navigation,
            self.antennas,
            self.folder,
        )
