"""An immutable picture of the network at one epoch: all that queries read, and nothing that changes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.atmosphere import StationDelays
from models.cluster_level import ClusterLevels
from models.coordinates_monitor import MonitorInfo
from models.field.kernels import FieldPoints, Hyperparameters
from models.field.robust import RobustField
from models.field.solve import FieldObservations
from models.network import NetworkInfo
from models.network_state import NetworkPolicy, NetworkState
from models.reduction import Reduced
from stations.arrays import FloatArray
from stations.navigation_kinds import Ephemeris


@dataclass(frozen=True)
class Snapshot:
    """The network solution of one epoch.

    Attributes:
        time_ns: Network epoch.
        reduced: Reduced observations by station, only of stations that took part.
        ephemerides: The ephemeris in use for each satellite; rovers are reduced with the same.
        policy: Constants of the network filter.
        state: State of the network filter after the epoch.
        info: What happened in the filter.
        delays: What the filter hands on.
        observations: The same as observations of the field, all stations.
        hyper: Hyperparameters in force.
        scales: Variance scale of each satellite in force, shape ``(satellite,)``.
        field: The robust field of all stations together.
        inflation: Factor on the field's covariance, at least one: how much worse than its own sigma the
            field has lately predicted stations from their neighbours.
        trusted: Whether the network holds enough of its own integers for a rover to claim any.
        resolved: Whether it has run for some minutes and holds them at this very epoch; until then, a rover's integers
            must be beyond doubt.
        wrong_orbits: Satellites left out because their codes fit no station.
        coordinates: What is known of the declared coordinates; stations judged wrong did not take part.
        core: Stations that are served from here; of a small network all.
        clusters: Of a network that is several filters, the snapshot of each; state, info, delays, observations and
            field of such a network are those of the first, so ask :meth:`near` or :attr:`parts`.
        levels: How the integers of the clusters hang together; ``None`` for one filter.
    """

    time_ns: int
    reduced: Mapping[str, Reduced]
    ephemerides: Mapping[int, Ephemeris]
    policy: NetworkPolicy
    state: NetworkState
    info: NetworkInfo
    delays: StationDelays
    observations: FieldObservations
    hyper: Hyperparameters
    scales: FloatArray
    field: RobustField
    inflation: float = 1.0
    trusted: bool = True
    resolved: bool = True
    wrong_orbits: tuple[int, ...] = ()
    coordinates: MonitorInfo = MonitorInfo({}, ())
    core: tuple[str, ...] = ()
    clusters: tuple["Snapshot", ...] = ()
    levels: ClusterLevels | None = None

    @property
    def parts(self) -> tuple["Snapshot", ...]:
        """The snapshots of all clusters; of a small network this one."""
        return self.clusters or (self,)

    @property
    def fixed_share(self) -> float:
        """Share of the independent double differences of all clusters that are fixed, 0 when there are none."""
        fixed = np.concatenate([part.info.fixed for part in self.parts])
        return float(np.mean(fixed)) if len(fixed) else 0.0

    def near(self, position_m: FloatArray) -> "Snapshot":
        """Return the cluster that serves a place: that of the nearest station that delivered, ECEF of ``(3,)``."""
        if not self.clusters:
            return self
        nearest_m = [_nearest_m(part, position_m) for part in self.clusters]
        return self.clusters[int(np.argmin(nearest_m))]


def _nearest_m(part: Snapshot, position_m: FloatArray) -> float:
    """Return how far the nearest station of a cluster's core with data is; infinity when there is none."""
    rows = [k for k, name in enumerate(part.state.stations) if name in part.core and name in part.reduced]
    return float(np.linalg.norm(part.state.station_m[rows] - position_m, axis=1).min()) if rows else np.inf


def field_points(reduced: Reduced) -> FieldPoints:
    """Return the lines of sight of one receiver, for asking the field."""
    position_m = reduced.unit * 0.0 + reduced.receiver_m
    return FieldPoints(reduced.satellite, reduced.pierce_m, position_m, reduced.slant_factor)
