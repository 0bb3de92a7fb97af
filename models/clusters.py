"""A large network as overlapping clusters of stations, so that it is many small filters instead of one large one.

Every station is in the core of exactly one cluster, which is where its delays come from and where rovers near it are
served; neighbours of the core are members, too, so that nobody is at the edge of what serves them, and so that
clusters can be compared. A network that one filter can carry is one cluster.

The rule to keep: a cluster that nothing happened to stays as it is when stations join or leave elsewhere, since a
filter that loses a station's arcs needs minutes to fix them again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stations.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class ClusterPolicy:
    """How large clusters are. The cost of a filter grows with the third power of its stations.

    Attributes:
        alone: A network of up to so many stations is one cluster.
        core: Stations in a core at most.
        overlap: Neighbours that are members, besides the core.
    """

    alone: int = 12
    core: int = 6
    overlap: int = 2


@dataclass(frozen=True)
class Cluster:
    """Indexes of stations, ascending.

    Attributes:
        core: The stations that this cluster answers for.
        members: These and their neighbours.
    """

    core: tuple[int, ...]
    members: tuple[int, ...]


def clusters_of(
    policy: ClusterPolicy, station_m: FloatArray, before: Iterable[Iterable[int]] = ()
) -> tuple[Cluster, ...]:
    """Return the clusters of a network, deterministically.

    Args:
        policy: Sizes.
        station_m: Positions, ECEF metres, shape ``(station, 3)``.
        before: Cores that there were, as indexes of stations that are still there; they stay if they can.

    Returns:
        By the lowest station of their cores; none for a network without stations.
    """
    count = len(station_m)
    if count <= policy.alone:
        everybody = tuple(range(count))
        return (Cluster(everybody, everybody),) if count else ()
    distance_m = np.linalg.norm(station_m[:, None] - station_m[None], axis=2)
    cores = _with_newcomers([sorted(core) for core in before if tuple(core)], distance_m)
    fitting = [part for core in cores for part in _split(policy, np.array(core), station_m)]
    return tuple(
        Cluster(tuple(core), _with_neighbours(policy, core, distance_m))
        for core in sorted(sorted(one.tolist()) for one in fitting)
    )


def _with_newcomers(cores: list[list[int]], distance_m: FloatArray) -> list[list[int]]:
    """Put stations that are in no core into that of their nearest neighbour that is; without cores, make one."""
    everybody = set(range(len(distance_m)))
    if not cores:
        return [sorted(everybody)]
    result = [list(core) for core in cores]
    owner = {station: number for number, core in enumerate(cores) for station in core}
    settled = np.array(sorted(owner))
    for station in sorted(everybody - set(owner)):
        nearest = int(settled[np.argmin(distance_m[station, settled])])
        result[owner[nearest]].append(station)
    return result


def _split(policy: ClusterPolicy, core: IntArray, station_m: FloatArray) -> list[IntArray]:
    """Cut a core that is too large across its longest extent, into parts of about equal size."""
    parts = -(-len(core) // policy.core)
    if parts < 2:
        return [core]
    centred = station_m[core] - station_m[core].mean(axis=0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    axis = axis * np.sign(axis[np.argmax(np.abs(axis))])  # the sign of a singular vector is anybody's
    order = core[np.argsort(centred @ axis, kind="stable")]
    cut = round(len(core) * (parts // 2) / parts)
    return [*_split(policy, order[:cut], station_m), *_split(policy, order[cut:], station_m)]


def _with_neighbours(policy: ClusterPolicy, core: list[int], distance_m: FloatArray) -> tuple[int, ...]:
    nearest_m = distance_m[core].min(axis=0)
    nearest_m[core] = np.inf
    neighbours = np.argsort(nearest_m, kind="stable")[: min(policy.overlap, len(nearest_m) - len(core))]
    return tuple(sorted([*core, *neighbours.tolist()]))
