"""What a virtual station is made from: one network epoch with the raw observations behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

from gpsgrid.snapshot import Snapshot
from models.field.solve import Posterior
from stations.antex import AntennaCalibration
from stations.catalog import Network
from stations.epoch import StationEpoch


@dataclass(frozen=True, eq=False)
class NetworkView:
    """A network epoch as seen from one place.

    Attributes:
        network: Stations and their coordinates.
        calibrations: Antenna calibration by station.
        snapshot: The network solution.
        raw: Observations of the same epoch by station.
        posterior: The field that serves the place.
    """

    network: Network
    calibrations: Mapping[str, AntennaCalibration | None]
    snapshot: Snapshot
    raw: Mapping[str, StationEpoch]
    posterior: Posterior
