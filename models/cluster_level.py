"""One level of integers through a network of clusters, and whether clusters contradict each other.

Two clusters observe the stations that they share with the same phases, so there their ambiguities differ by a receiver
term and a satellite term, which are datum, and by nothing else: any rest is an integer that one of them has wrong. The
satellite terms, added up along a tree of clusters, bring all ambiguities to the datum of the first cluster, so that
double differences may be formed between any two stations of the network. Pairs of clusters outside the tree close
chains: triangles mostly, whose sum must vanish.

Nothing is estimated from noise here: shared arcs that are held differ by rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.network import NetworkInfo
from models.network_state import NetworkState
from models.two_way import two_way_effects
from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S

EVERY_S = 5.0  # as often as the filters take in observations; in between, ambiguities stay
_FEWEST_SHARED = 2  # stations: with one, the receiver term takes everything
_OFF_CYC = 0.5
_MICROMETRES = 1_000_000


@dataclass(frozen=True)
class Contradiction:
    """An arc whose integers two clusters hold differently.

    Attributes:
        clusters: Their numbers.
        station: Name.
        satellite: Satellite integer.
        chain: Whether it shows around a closed chain of clusters only.
    """

    clusters: tuple[int, int]
    station: str
    satellite: int
    chain: bool


@dataclass(frozen=True, eq=False)
class ClusterLevels:
    """What brings the ambiguities of all clusters to one datum.

    Attributes:
        time_ns: Epoch.
        transmitter: Satellites on their carriers (:func:`transmitters`), ascending, shape ``(k,)``.
        level_cyc: What to add to ambiguities, NaN where nothing ties a cluster's satellite to the first cluster, shape
            ``(cluster, 2, k)``. An integer level and a datum, which differs by a constant from system to system.
        compared: Independent double differences of shared stations that two clusters hold.
        closed: Of these, how many closed a chain of clusters.
        contradictions: What did not agree.
    """

    time_ns: int
    transmitter: IntArray
    level_cyc: FloatArray
    compared: int
    closed: int
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, eq=False)
class _Held:
    """The arcs of a cluster all of whose cycles are held, by station and transmitter.

    Attributes:
        station: Number among the names of the network, shape ``(n,)``.
        transmitter: Shape ``(n,)``.
        receiver: Station and signals, which belong to one system, shape ``(n,)``.
        ambiguity_cyc: Shape ``(2, n)``.
    """

    station: IntArray
    transmitter: IntArray
    receiver: IntArray
    ambiguity_cyc: FloatArray


def transmitters(satellite: IntArray, wavelength_m: FloatArray) -> IntArray:
    """Return satellites together with the carriers they are tracked on, as integers, shape ``(n,)``."""
    first, second = np.rint(wavelength_m * _MICROMETRES).astype(np.int64)
    return np.asarray((satellite * _MICROMETRES + first) * _MICROMETRES + second)


def level_clusters(
    parts: Sequence[tuple[NetworkState, NetworkInfo]], before: ClusterLevels | None = None
) -> ClusterLevels:
    """Compare all pairs of clusters that share stations, and level them.

    Args:
        parts: State and findings of every cluster after an epoch.
        before: The levels of an earlier epoch, of the same clusters; they stand if it is less than ``EVERY_S`` ago.
    """
    time_ns = max(state.time_ns for state, _ in parts)
    if (
        before is not None
        and len(before.level_cyc) == len(parts)
        and 0 <= time_ns - before.time_ns < EVERY_S * NS_PER_S
    ):
        return before
    names = sorted({name for state, _ in parts for name in state.stations})
    held = [_held(state, info, names) for state, info in parts]
    transmitter = np.unique(np.concatenate([one.transmitter for one in held]))
    level = np.full((len(parts), 2, len(transmitter)), np.nan)
    level[0] = 0.0
    compared = closed = 0
    contradictions: list[Contradiction] = []
    reached, waiting = {0}, _pairs(parts)
    while waiting:
        # The pair that shares most with what is levelled already; pairs between two levelled clusters close chains.
        pair = next((one for one in waiting if len(reached & set(one)) > 0), waiting[0])
        waiting.remove(pair)
        one, two = sorted(pair, key=lambda number: number not in reached)
        if one not in reached:  # a part of the network that hangs together with nothing is its own datum
            reached.add(one)
            level[one] = 0.0
        shared, mine, yours = _shared(held[one], held[two])
        column = np.searchsorted(transmitter, shared.transmitter)
        apart = held[one].ambiguity_cyc[:, mine] - held[two].ambiguity_cyc[:, yours]
        independent, wrong, of_satellite = _agree(shared, apart)
        compared += independent
        chain = two in reached
        if chain:
            rest = apart + level[one][:, column] - level[two][:, column]
            more, closing_wrong = _close(shared, rest)
            closed += more
            wrong_rows = [(row, False) for row in wrong] + [(row, True) for row in closing_wrong if row not in wrong]
        else:
            reached.add(two)
            level[two][:, column] = level[one][:, column] + of_satellite
            wrong_rows = [(row, False) for row in wrong]
        contradictions += [
            Contradiction(
                (one, two), names[int(shared.station[row])], int(shared.transmitter[row]) // _MICROMETRES**2, only_chain
            )
            for row, only_chain in wrong_rows
        ]
    return ClusterLevels(time_ns, transmitter, level, compared, closed, tuple(contradictions))


def _pairs(parts: Sequence[tuple[NetworkState, NetworkInfo]]) -> list[tuple[int, int]]:
    """Return clusters that share enough stations, those that share most first."""
    members = [set(state.stations) for state, _ in parts]
    shared = {
        (one, two): len(members[one] & members[two]) for one in range(len(parts)) for two in range(one + 1, len(parts))
    }
    return sorted((pair for pair in shared if shared[pair] >= _FEWEST_SHARED), key=lambda pair: (-shared[pair], pair))


def _held(state: NetworkState, info: NetworkInfo, names: list[str]) -> _Held:
    """Return the observed arcs that are in a fixed cycle; those that close an open one are in no other."""
    observed = info.observed
    keep = (info.basis[info.fixed] != 0.0).any(axis=0)
    rows = np.flatnonzero(keep[observed.arc])
    arc = observed.arc[rows]
    number = np.searchsorted(names, state.stations)[state.arc_station[arc]]
    satellite = state.arc_satellite[arc]
    transmitter = transmitters(satellite, state.arc_wavelength_m[:, arc])
    receiver = (number * 1000 + observed.signal[0, rows]) * 1000 + observed.signal[1, rows]
    index = state.ionosphere_index(arc)
    order = np.lexsort((transmitter, number))
    ambiguity = np.stack([state.mean[index + 1], state.mean[index + 2]])
    return _Held(number[order], transmitter[order], receiver[order], ambiguity[:, order])


def _shared(one: _Held, two: _Held) -> tuple[_Held, IntArray, IntArray]:
    """Return the arcs that two clusters hold, and their rows in either."""
    known = {key: row for row, key in enumerate(zip(two.station.tolist(), two.transmitter.tolist(), strict=True))}
    keys = list(zip(one.station.tolist(), one.transmitter.tolist(), strict=True))
    mine = np.array([row for row, key in enumerate(keys) if key in known], dtype=np.int64)
    yours = np.array([known[key] for key in keys if key in known], dtype=np.int64)
    shared = _Held(one.station[mine], one.transmitter[mine], one.receiver[mine], one.ambiguity_cyc[:, mine])
    return shared, mine, yours


def _agree(shared: _Held, apart_cyc: FloatArray) -> tuple[int, list[int], FloatArray]:
    """Return how many double differences were compared, rows that disagree, and the satellite terms of the rows.

    Source:
        Least absolute deviations (`models.two_way`): the majority of a satellite's and a receiver's arcs is believed.
    """
    rows = len(shared.station)
    independent, columns = 0, np.zeros((2, rows))
    wrong: set[int] = set()
    if rows:
        for band in range(2):
            residual, _, of_satellite = two_way_effects(
                apart_cyc[band], shared.receiver, shared.transmitter, np.ones(rows, dtype=np.bool_)
            )
            wrong |= set(np.flatnonzero(np.abs(residual) > _OFF_CYC).tolist())
            columns[band] = of_satellite
        parts = len(np.unique(shared.transmitter // _MICROMETRES**2 // 100))
        independent = max(0, rows - len(np.unique(shared.receiver)) - len(np.unique(shared.transmitter)) + parts)
    return independent, sorted(wrong), columns


def _close(shared: _Held, rest_cyc: FloatArray) -> tuple[int, list[int]]:
    """Return how many levelled differences were compared, and rows that are not what their receiver's others are."""
    known = np.isfinite(rest_cyc).all(axis=0)
    receivers, receiver = np.unique(shared.receiver, return_inverse=True)
    wrong: set[int] = set()
    compared = 0
    for number in range(len(receivers)):
        rows = np.flatnonzero(known & (receiver == number))
        if len(rows):
            off = np.abs(rest_cyc[:, rows] - np.median(rest_cyc[:, rows], axis=1)[:, None]).max(axis=0) > _OFF_CYC
            wrong |= set(rows[off].tolist())
            compared += len(rows) - 1
    return compared, sorted(wrong)
