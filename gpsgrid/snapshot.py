"""An immutable picture of the network at one epoch: all that queries read, and nothing that changes."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.atmosphere import StationDelays
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
        resolved: Whether it holds them at this very epoch; until it does, a rover's integers must be beyond doubt.
        wrong_orbits: Satellites left out because their codes fit no station.
        coordinates: What is known of the declared coordinates; stations judged wrong did not take part.
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


def field_points(reduced: Reduced) -> FieldPoints:
    """Return the lines of sight of one receiver, for asking the field."""
    position_m = reduced.unit * 0.0 + reduced.receiver_m
    return FieldPoints(reduced.satellite, reduced.pierce_m, position_m, reduced.slant_factor)
