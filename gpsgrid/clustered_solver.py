"""The network solution of a network of any size: one `NetworkSolver` for every cluster of stations.

Reductions are made once for all stations; everything after that is a cluster's own: filter, watch over coordinates,
field, satellite scales, trust. A network that one filter carries is one cluster, and nothing here touches its numbers.
Clusters agree on the integers of the stations that they share, which `models.cluster_level` watches.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.saved_state import SolverState
from gpsgrid.snapshot import Snapshot
from gpsgrid.solver import DEFAULT_HYPERPARAMETERS, NetworkSolver, reduced_network
from models.cluster_level import ClusterLevels, level_clusters
from models.clusters import ClusterPolicy, clusters_of
from models.coordinates_monitor import MonitorInfo
from models.ephemeris import EphemerisStore
from models.field.kernels import Hyperparameters
from models.network_reduction import Site, site
from models.network_state import NetworkPolicy
from stations.align import NetworkEpoch
from stations.antex import AntennaCalibration
from stations.catalog import Network


@dataclass
class ClusteredSolver:
    """Carries all clusters from epoch to epoch.

    Attributes:
        network: Stations and their coordinates.
        calibrations: Antenna calibration by station.
        policy: Constants of the network filters.
        initial: Hyperparameters until others are learned.
        sizes: Of the clusters.
    """

    network: Network
    calibrations: Mapping[str, AntennaCalibration | None]
    policy: NetworkPolicy
    initial: Hyperparameters = DEFAULT_HYPERPARAMETERS
    sizes: ClusterPolicy = ClusterPolicy()

    def __post_init__(self) -> None:
        """Start without knowledge."""
        self._sites: dict[str, Site] = {
            one.id: site(one.reference_point_m, self.calibrations[one.id]) for one in self.network.stations
        }
        self._hyper = self.initial
        self._make(())

    def _make(self, before: Collection[Collection[str]]) -> None:
        """Make the clusters and their solvers, cores staying what they were as far as they can."""
        positions_m = np.array([station.marker_m for station in self.network.stations])
        index = {station.id: k for k, station in enumerate(self.network.stations)}
        cores = [[index[name] for name in core if name in index] for core in before]
        clusters = clusters_of(self.sizes, positions_m, cores)
        names = tuple(index)
        self._cores = [tuple(names[k] for k in cluster.core) for cluster in clusters]
        self._solvers = [
            NetworkSolver(
                replace(self.network, stations=tuple(self.network.stations[k] for k in cluster.members)),
                {names[k]: self.calibrations[names[k]] for k in cluster.members},
                # Otherwise all filters would take in their observations in the same second.
                replace(self.policy, update_phase_s=self.policy.update_interval_s * number / len(clusters)),
                self._hyper,
            )
            for number, cluster in enumerate(clusters)
        ]
        self._levels: ClusterLevels | None = None

    @property
    def hyper(self) -> Hyperparameters:
        """Hyperparameters in force, the same in all clusters; replaced from outside when better ones are learned."""
        return self._hyper

    @hyper.setter
    def hyper(self, value: Hyperparameters) -> None:
        self._hyper = value
        for solver in self._solvers:
            solver.hyper = value

    @property
    def time_ns(self) -> int:
        """Last network epoch, -1 before the first."""
        return max((solver.time_ns for solver in self._solvers), default=-1)

    def restart(self) -> None:
        """Forget everything but the hyperparameters and the clusters, as when time has been set back."""
        for solver in self._solvers:
            solver.restart()

    def carried(self) -> tuple[SolverState, ...]:
        """Return what each cluster carries; it is frozen, so nothing is copied."""
        return tuple(
            replace(solver.carried(), core=core) for solver, core in zip(self._solvers, self._cores, strict=True)
        )

    def resume(self, carried: Collection[SolverState], kept: Collection[str]) -> None:
        """Go on from what was carried; stations that are not kept begin anew, the integers of the others stay.

        A cluster goes on from the one that shares most of its core with it.

        Raises:
            GpsgridError: ``UNUSABLE_STATE``: scales for another number of satellites.
        """
        self._make([one.core for one in carried])
        for solver, core in zip(self._solvers, self._cores, strict=True):
            source = max(carried, key=lambda one: len(set(core) & set(one.core)), default=None)
            if source is None or not set(core) & set(source.core):
                continue
            members = {station.id for station in solver.network.stations}
            solver.resume(source, [name for name in kept if name in members and name in source.network.stations])
        self.hyper = next((one.hyper for one in carried), self._hyper)

    def solve(self, epoch: NetworkEpoch, store: EphemerisStore) -> Snapshot:
        """Take in a network epoch; return the new picture."""
        ephemerides = store.selection(epoch.time_ns)
        reduced, wrong = reduced_network(epoch, ephemerides, self.policy, self._sites)
        parts = []
        for solver, core in zip(self._solvers, self._cores, strict=True):
            members = {station.id for station in solver.network.stations}
            mine = {name: one for name, one in reduced.items() if name in members}
            parts.append(replace(solver.solve_reduced(epoch.time_ns, mine, ephemerides, wrong), core=core))
        if len(parts) == 1:
            return parts[0]
        self._levels = level_clusters([(part.state, part.info) for part in parts], self._levels)
        for one in self._levels.contradictions:
            for number in one.clusters:
                self._solvers[number].doubt(one.station, one.satellite)
        home = {name: part for part in parts for name in part.core}
        return replace(
            parts[0],
            reduced={name: home[name].reduced[name] for name in reduced if name in home[name].reduced},
            trusted=all(part.trusted for part in parts),
            resolved=all(part.resolved for part in parts),
            coordinates=_coordinates(parts, home, [station.id for station in self.network.stations]),
            core=tuple(home),
            clusters=tuple(parts),
            levels=self._levels,
        )


def _coordinates(parts: list[Snapshot], home: Mapping[str, Snapshot], order: list[str]) -> MonitorInfo:
    """Return what the clusters know of their cores' coordinates."""
    changed = {name for part in parts for name in part.coordinates.changed if home[name] is part}
    return MonitorInfo(
        {name: home[name].coordinates.judgements[name] for name in order},
        tuple(name for name in order if name in changed),
    )
