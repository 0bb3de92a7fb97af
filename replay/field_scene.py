"""One epoch of the field experiment: what the network knew, what the rover saw, and what the truth was.

The network solution is that of the engine without the rover's station, forward in time. The truth is of a second
solution that had the station in it, at its known coordinates: where both its arc and that of the master are held as
integers, their phases give the difference of the slant ionosphere to the noise of the phases, up to a constant for
each pair of signals, which double differences do not see. Nothing of the second solution reaches the methods.
"""

from dataclasses import dataclass

import numpy as np

from gpsgrid.snapshot import Snapshot
from gpsgrid.solver import field_observations
from models.atmosphere import zwd_at
from models.field.kernels import Hyperparameters
from models.field.solve import FieldObservations
from models.reduction import Reduced
from models.rover import RoverPolicy, common_rows
from stations.arrays import FloatArray, IntArray
from stations.catalog import Station


@dataclass(frozen=True, eq=False)
class NetworkSide:
    """What the network without the rover hands on at one epoch.

    Attributes:
        time_ns: Epoch.
        observations: Rows of the field.
        scales: Variance scale of each satellite, (satellites,).
        hyper: Hyperparameters in force.
        shell_hyper: The same, learned without a satellite-specific residual.
        inflation: Factor on the covariance of the field that was in force.
        trusted, resolved: Whether a rover may claim integers, and without the caution of the first minutes.
        master: Nearest station with data.
        base: Its observations.
        zwd_m: Zenith wet delay less nominal at rover and master, (2,).
        zwd_covariance_m2: Of these, (2, 2).
        stations: How many the network has.
    """

    time_ns: int
    observations: FieldObservations
    scales: FloatArray
    hyper: Hyperparameters
    shell_hyper: Hyperparameters
    inflation: float
    trusted: bool
    resolved: bool
    master: str
    base: Reduced
    zwd_m: FloatArray
    zwd_covariance_m2: FloatArray
    stations: int


@dataclass(frozen=True, eq=False)
class Truth:
    """The rover as a station of its own network.

    Attributes:
        time_ns: Epoch.
        rover: Its observations, reduced at the true position.
        level_m: Slant ionosphere, its variance and the pair of signals, by station and satellite, where the arc is held
            as integers.
    """

    time_ns: int
    rover: Reduced
    level_m: dict[str, dict[int, tuple[float, float, int]]]


@dataclass(frozen=True, eq=False)
class Scene:
    """One epoch, rows are the satellites that rover and master have in common.

    Attributes:
        network: What the network knew.
        rover, base: Observations of rover and master, n rows.
        reference_m: True antenna reference point of the rover, at which it was reduced, ECEF, (3,).
        truth_m: Slant ionosphere at the rover less that at the master, (n,), NaN where not resolved; a free constant
            for every value of ``group``.
        truth_var_m2: Of the phases in it, (n,).
        group: Which satellites have a constant in common, (n,).
    """

    network: NetworkSide
    rover: Reduced
    base: Reduced
    reference_m: FloatArray
    truth_m: FloatArray
    truth_var_m2: FloatArray
    group: IntArray


def network_side(snapshot: Snapshot, rover_m: FloatArray, shell_hyper: Hyperparameters) -> NetworkSide:
    """Return what a snapshot without the rover holds for a rover at a position, ECEF of shape ``(3,)``."""
    names = snapshot.state.stations
    distance_m = {name: float(np.linalg.norm(snapshot.state.station_m[names.index(name)] - rover_m))
                  for name in snapshot.reduced}  # fmt: skip
    master = min(distance_m, key=lambda name: distance_m[name])
    zwd_m, zwd_covariance_m2 = zwd_at(snapshot.policy, snapshot.state, rover_m, names.index(master))
    return NetworkSide(
        snapshot.time_ns,
        snapshot.observations,
        snapshot.scales,
        snapshot.hyper,
        shell_hyper,
        snapshot.inflation,
        snapshot.trusted,
        snapshot.resolved,
        master,
        snapshot.reduced[master],
        zwd_m,
        zwd_covariance_m2,
        len(names),
    )


def truth_side(snapshot: Snapshot, rover: str) -> Truth | None:
    """Return what a snapshot with the rover as a station tells about it; ``None`` at an epoch without it."""
    if rover not in snapshot.reduced:
        return None
    delays = snapshot.delays
    signals = field_observations(snapshot.state, delays, dict(snapshot.reduced)).station % 1_000_000
    level_m: dict[str, dict[int, tuple[float, float, int]]] = {name: {} for name in snapshot.state.stations}
    for row in np.flatnonzero(delays.fixed).tolist():
        name = snapshot.state.stations[int(delays.station[row])]
        entry = float(delays.ionosphere_m[row]), float(delays.variance_m2[row]), int(signals[row])
        level_m[name][int(delays.satellite[row])] = entry
    return Truth(snapshot.time_ns, snapshot.reduced[rover], level_m)


def scene(network: NetworkSide, truth: Truth, station: Station, policy: RoverPolicy) -> Scene:
    """Put the two sides of an epoch together.

    Args:
        network: Without the rover.
        truth: With it.
        station: The rover as a station: where it really is.
        policy: Which satellites a rover uses.

    Raises:
        ValueError: The sides are of different epochs.
    """
    if network.time_ns != truth.time_ns:
        message = f"network of {network.time_ns}, truth of {truth.time_ns}; give two sides of one epoch"
        raise ValueError(message)
    rows, base_rows = common_rows(policy, truth.rover, network.base)
    rover, base = truth.rover.rows(rows), network.base.rows(base_rows)
    here, there = truth.level_m[station.id], truth.level_m.get(network.master, {})
    truth_m, variance_m2 = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    group = np.zeros(len(rows), dtype=np.int64)
    for k, satellite in enumerate(rover.satellite.tolist()):
        group[k] = satellite // 100
        if satellite in here and satellite in there:
            (mine_m, my_m2, my_signals), (its_m, its_m2, its_signals) = here[satellite], there[satellite]
            truth_m[k], variance_m2[k] = mine_m - its_m, my_m2 + its_m2
            group[k] = my_signals * 1_000_000 + its_signals
    return Scene(network, rover, base, station.reference_point_m, truth_m, variance_m2, group)
