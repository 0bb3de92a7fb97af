"""How good the integers of a network are: how many are held, and how many of those a backward solution contradicts.

The network filter runs forward through a recording as it does live. Then a second filter runs through the same reduced
epochs from the end to the beginning, with no knowledge of the first. A double difference that both hold as an integer,
and not as the same one, is wrong in one of them. It is an audit, not causal; nothing of it reaches the engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gpsgrid.snapshot import Snapshot
from models import network, network_state
from models.network import NetworkInfo
from models.network_state import NetworkPolicy, NetworkState
from models.reduction import Reduced
from models.validity import lock_lost
from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S

HIGH_RAD = float(np.radians(15.0))
_HELD_SD_CYC = 0.02
_HELD_CYC = 0.05
_FIRST_SHARE = 0.9  # of the cycles above 15 degrees: the network is fixed


@dataclass(frozen=True, eq=False)
class FixedCycles:
    """The cycles of one epoch that are held as integers on both carriers.

    Attributes:
        time_ns: Epoch.
        rows: Integer combinations of arcs, shape ``(cycle, arc)``.
        station, satellite: Of the arcs, shape ``(arc,)``.
        integers: Shape ``(2, cycle)``.
        high: Independent cycles whose closing arc is above 15 degrees, and how many of these are held, of every system.
    """

    time_ns: int
    rows: FloatArray
    station: IntArray
    satellite: IntArray
    integers: IntArray
    high: dict[int, tuple[int, int]]


@dataclass
class IntegerAudit:
    """Counts over a recording.

    Attributes:
        epochs: Network epochs.
        high: Independent double differences above 15 degrees, epochs added up, by system.
        held: How many of these were held as integers.
        compared: Held cycles (all elevations) that the backward solution holds, too.
        wrong: Of these, how many with other integers.
        wrong_epochs: Epochs with at least one of these.
        first_fix_s: Until nine in ten above 15 degrees were held; NaN if never.
        restarts: Stations that the filter started anew.
        shared: Double differences that two clusters held at stations that they share, and around chains of clusters;
            0 for a network of one filter.
        apart: Arcs of which two clusters held other integers.
    """

    epochs: int = 0
    high: dict[int, int] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    compared: int = 0
    wrong: int = 0
    wrong_epochs: int = 0
    first_fix_s: float = float("nan")
    restarts: int = 0
    shared: int = 0
    apart: int = 0


@dataclass
class Auditor:
    """Watches the forward pass; :meth:`finish` runs the backward one.

    Attributes:
        policy: Constants of the filter, the same both ways.
    """

    policy: NetworkPolicy
    _cycles: list[FixedCycles] = field(default_factory=list)
    _epochs: list[tuple[int, Mapping[str, Reduced]]] = field(default_factory=list)
    _audit: IntegerAudit = field(default_factory=IntegerAudit)
    _state: NetworkState | None = None

    def watch(self, snapshot: Snapshot) -> None:
        """Take note of one network epoch."""
        self._state = snapshot.state
        cycles = fixed_cycles(snapshot.time_ns, snapshot.state, snapshot.info)
        self._cycles.append(cycles)
        self._epochs.append((snapshot.time_ns, snapshot.reduced))
        audit = self._audit
        audit.epochs += 1
        audit.restarts += len(snapshot.info.station_restarts)
        for system, (high, held) in cycles.high.items():
            audit.high[system] = audit.high.get(system, 0) + high
            audit.held[system] = audit.held.get(system, 0) + held
        total = sum(high for high, _ in cycles.high.values())
        if np.isnan(audit.first_fix_s) and sum(h for _, h in cycles.high.values()) >= _FIRST_SHARE * max(total, 1):
            audit.first_fix_s = (snapshot.time_ns - self._epochs[0][0]) / NS_PER_S

    def finish(self) -> IntegerAudit:
        """Run backwards and compare; return the counts."""
        audit = self._audit
        if self._state is None:
            return audit
        state = network_state.init(self.policy, self._state.stations, self._state.station_m)
        for cycles, (mirrored_ns, reduced) in zip(reversed(self._cycles), backwards(self._epochs), strict=True):
            state, _ = network.step(self.policy, state, reduced, mirrored_ns)
            compared, wrong = compare(cycles, state)
            audit.compared += compared
            audit.wrong += wrong
            audit.wrong_epochs += wrong > 0
        return audit


@dataclass
class NetworkAuditor:
    """An :class:`Auditor` for every cluster of a network, and what the clusters say of each other.

    Attributes:
        policy: Constants of the filters.
    """

    policy: NetworkPolicy
    _auditors: list[Auditor] = field(default_factory=list)
    _between: IntegerAudit = field(default_factory=IntegerAudit)
    _levelled_ns: int = -1

    def watch(self, snapshot: Snapshot) -> None:
        """Take note of one network epoch."""
        for number, part in enumerate(snapshot.parts):
            if number == len(self._auditors):
                self._auditors.append(Auditor(self.policy))
            self._auditors[number].watch(part)
        levels = snapshot.levels
        if levels is not None and levels.time_ns != self._levelled_ns:
            self._levelled_ns = levels.time_ns
            self._between.shared += levels.compared + levels.closed
            self._between.apart += len(levels.contradictions)

    def finish(self) -> IntegerAudit:
        """Run all clusters backwards; return the counts of all, epochs and time to the first fix of the slowest."""
        total = self._between
        for audit in (one.finish() for one in self._auditors):
            total.epochs = max(total.epochs, audit.epochs)
            for system, high in audit.high.items():
                total.high[system] = total.high.get(system, 0) + high
                total.held[system] = total.held.get(system, 0) + audit.held[system]
            total.compared += audit.compared
            total.wrong += audit.wrong
            total.wrong_epochs += audit.wrong_epochs
            total.first_fix_s = float(np.fmax(total.first_fix_s, audit.first_fix_s))
            total.restarts += audit.restarts
        return total


def fixed_cycles(time_ns: int, state: NetworkState, info: NetworkInfo) -> FixedCycles:
    """Return the cycles of an epoch that the filter holds, with their integers."""
    elevation_rad = np.zeros(len(state.arc_station))
    elevation_rad[info.observed.arc] = info.observed.elevation_rad
    above = elevation_rad[info.closing] > HIGH_RAD
    system = state.arc_satellite[info.closing] // 100
    high = {
        int(one): (int(np.sum(above & (system == one))), int(np.sum(above & info.fixed & (system == one))))
        for one in np.unique(system[above])
    }
    rows = info.basis[info.fixed]
    first = state.ionosphere_index(np.arange(len(state.arc_station)))
    integers = np.rint([rows @ state.mean[first + 1], rows @ state.mean[first + 2]]).astype(np.int64)
    return FixedCycles(time_ns, rows, state.arc_station, state.arc_satellite, integers, high)


def compare(cycles: FixedCycles, other: NetworkState) -> tuple[int, int]:
    """Return how many held cycles another state holds, too, and how many of those with other integers."""
    place = {(int(r), int(s)): k for k, (r, s) in enumerate(zip(other.arc_station, other.arc_satellite, strict=True))}
    arcs = [place.get((int(r), int(s)), -1) for r, s in zip(cycles.station, cycles.satellite, strict=True)]
    index = np.array(arcs, dtype=np.int64)
    known = ~(cycles.rows[:, index < 0] != 0.0).any(axis=1)
    if not known.any():
        return 0, 0
    first = other.ionosphere_index(index[index >= 0])
    rows = np.zeros((2, int(known.sum()), len(other.mean)))
    for band in range(2):
        rows[band][:, first + 1 + band] = cycles.rows[known][:, index >= 0]
    mean = rows @ other.mean
    variance = np.einsum("bki,ij,bkj->bk", rows, other.covariance, rows, optimize=True)
    held = ((variance < _HELD_SD_CYC**2) & (np.abs(mean - np.rint(mean)) < _HELD_CYC)).all(axis=0)
    wrong = held & (np.rint(mean) != cycles.integers[:, known]).any(axis=0)
    return int(np.sum(held)), int(np.sum(wrong))


def backwards(epochs: Sequence[tuple[int, Mapping[str, Reduced]]]) -> list[tuple[int, dict[str, Reduced]]]:
    """Return epochs from last to first on a mirrored clock, with lock times as a tracker in that direction has them.

    A loss of lock between two epochs is one whichever way time runs: the earlier of them then starts an arc.
    """
    if not epochs:
        return []
    last_ns = epochs[-1][0]
    lock_ms: dict[tuple[str, int], int] = {}
    after: dict[tuple[str, int], tuple[int, int]] = {}  # of the later epoch: time and its own lock time
    mirrored = []
    for time_ns, stations in reversed(epochs):
        turned = {}
        for name, reduced in stations.items():
            raw = reduced.raw
            locks = np.zeros(len(raw.satellite), dtype=np.int64)
            for row, satellite in enumerate(raw.satellite.tolist()):
                key = (name, satellite)
                if key in after:
                    later_ns, later_lock_ms = after[key]
                    elapsed_ms = (later_ns - time_ns) // NS_PER_MS
                    lost = lock_lost(np.array([elapsed_ms]), raw.lock_ms[row : row + 1], np.array([later_lock_ms]))[0]
                    locks[row] = 0 if lost else lock_ms[key] + elapsed_ms
                lock_ms[key] = int(locks[row])
                after[key] = (time_ns, int(raw.lock_ms[row]))
            turned[name] = replace(reduced, raw=replace(raw, lock_ms=locks))
        mirrored.append((2 * last_ns - time_ns, turned))
    return mirrored
