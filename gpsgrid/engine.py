"""The engine: events in, outputs out, and nothing else. Live service, replay and tests drive this object.

It owns all mutable state and reads no clock. Order of work for a payload: decode (``ingest``), align
(``stations.align``), solve the network epoch (``solver``), then answer the queries that waited for it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gpsgrid.answer import Answer, refusal
from gpsgrid.clustered_solver import ClusteredSolver
from gpsgrid.coordinate_words import coordinate_text, worth_telling
from gpsgrid.events import (
    CoordinateJudged,
    Event,
    HyperparametersLearned,
    InputRefused,
    LearningDue,
    NetworkChanged,
    NetworkTaken,
    Output,
    PayloadArrived,
    PositionAnswered,
    PositionAsked,
    Tick,
)
from gpsgrid.grid import cell_at, stations_of
from gpsgrid.health import Health, StationHealth
from gpsgrid.ingest import Ingest
from gpsgrid.learning_window import LearningWindow
from gpsgrid.network_summary import network_solved
from gpsgrid.network_view import NetworkView
from gpsgrid.query import QueryPolicy, RoverRequest, Service, answer_rover
from gpsgrid.rover_body import read_rover_body
from gpsgrid.saved_state import SavedState, saved_ephemerides
from gpsgrid.session_query import answer_named
from gpsgrid.sessions import SessionLimits, Sessions
from gpsgrid.snapshot import Snapshot
from gpsgrid.solver import DEFAULT_HYPERPARAMETERS, RECEIVERS
from gpsgrid.station_changes import Restored, compare_networks, compare_stations, usable_age_s
from models.clusters import ClusterPolicy
from models.coordinates_monitor import Verdict
from models.field.cell import fit_cell
from models.field.kernels import Hyperparameters
from models.field.solve import Posterior
from models.network_state import NetworkPolicy
from stations.align import EpochAssembler, NetworkEpoch
from stations.antex import AntennaTable
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason

_SAME_EPOCH_NS = 5 * NS_PER_MS  # a rover's time tag differs from the round epoch by its clock
_KEPT_SNAPSHOTS = 10
_KEPT_FIELDS = 256
_CELL_STATIONS = 12
_CELL_RADIUS_M = 300_000.0
_FROM_THE_FUTURE = "the saved state is ahead of what the stations send; the engine starts without it"


@dataclass(frozen=True)
class EngineConfig:
    """What an engine is made of.

    Attributes:
        network: Stations.
        antennas: Antenna calibrations, or ``None`` when the network declares none.
        near_ns: GPS time now, good to ten years; the data say the rest.
        wait_ns: How long a network epoch waits for late stations.
        query_wait_ns: How long a query waits for the network epoch of its own time.
        query: Limits of what is answered.
        filter: Constants of the network filter.
        hyper: Hyperparameters of the field until others are learned.
        clusters: How large the filters of a large network are.
        sessions: How many sessions of rovers are kept, and for how long.
    """

    network: Network
    antennas: AntennaTable | None
    near_ns: int
    wait_ns: int = 300 * NS_PER_MS
    query_wait_ns: int = 500 * NS_PER_MS
    query: QueryPolicy = QueryPolicy()
    filter: NetworkPolicy = NetworkPolicy()
    hyper: Hyperparameters = DEFAULT_HYPERPARAMETERS
    clusters: ClusterPolicy = ClusterPolicy()
    sessions: SessionLimits = SessionLimits()


@dataclass(frozen=True, eq=False)
class _Waiting:
    request: RoverRequest
    deadline_ns: int


class Engine:
    """The network-RTK engine.

    Attributes:
        config: What it was made of.
        health: Counters.
    """

    def __init__(self, config: EngineConfig) -> None:
        """Start without data.

        Raises:
            GpsgridError: ``UNKNOWN_ANTENNA``: a station names an antenna that has no calibration.
        """
        self.config = config
        self.health = Health(stations={station.id: StationHealth() for station in config.network.stations})
        self._ingest = Ingest(config.near_ns)
        self._assembler = EpochAssembler(frozenset(self.health.stations), config.wait_ns)
        self._solver = _solver_of(config)
        self._learned = False
        self._window = LearningWindow()
        self._snapshots: deque[Snapshot] = deque(maxlen=_KEPT_SNAPSHOTS)
        self._raw: Mapping[str, StationEpoch] = {}
        self._fields: dict[tuple[int, tuple[str, ...], tuple[int, ...]], Posterior] = {}
        self._waiting: list[_Waiting] = []
        self._sessions = Sessions(config.sessions)

    def handle(self, event: Event) -> list[Output]:
        """Take in one event; return what follows from it, in order."""
        outputs: list[Output]
        match event:
            case PayloadArrived():
                outputs = self._payload(event)
            case Tick():
                closed = self._assembler.tick(event.host_ns)
                outputs = [
                    self._refused(str(error.facts["station"]), error.reason, str(error))
                    for error in self._assembler.take_refusals()
                ]
                outputs += self._solve(closed, event.host_ns)
                outputs += self._answer_waiting(event.host_ns)
            case PositionAsked():
                outputs = self._asked(event)
            case HyperparametersLearned():
                self._solver.hyper = event.hyper
                self._learned = True
                self.health.learned += 1
                outputs = []
            case NetworkChanged():
                outputs = [self._changed(event)]
        return outputs

    def saved_state(self, calendar_ns: int) -> SavedState | None:
        """Return what a later engine needs to go on from here, or ``None`` before the first network epoch.

        Nothing in it changes afterwards, so it may be encoded in another thread.

        Args:
            calendar_ns: Calendar of the host, ns of GPS time.
        """
        snapshot, network = self.snapshot, self.config.network
        if snapshot is None:
            return None
        first, *others = self._solver.carried()
        return SavedState(
            calendar_ns,
            network.frame,
            network.epoch,
            network.stations,
            first,
            snapshot.fixed_share,
            self._learned,
            saved_ephemerides(self._ingest.ephemerides.known()),
            self._ingest.known_channels(),
            tuple(others),
        )

    def restore(self, saved: SavedState) -> Restored:
        """Go on where another engine was; only before the first event.

        Arcs go on if their stations are heard before the filter forgets them (``NetworkPolicy.maximum_gap_s``);
        zenith delays and learned hyperparameters are of use for hours.

        Raises:
            GpsgridError: ``UNUSABLE_STATE``; the engine is as if it had not been asked.
        """
        config, time_ns = self.config, saved.solver.network.time_ns
        age_s = usable_age_s(saved, config.network, config.near_ns)
        changes = compare_stations(saved.stations, config.network.stations)
        solvers = saved.solvers if saved.learned else [replace(one, hyper=config.hyper) for one in saved.solvers]
        self._solver.resume(solvers, changes.kept)
        self._assembler.resume(time_ns)
        ephemerides = saved.ephemerides.all
        self._ingest.resume(time_ns + round(age_s * NS_PER_S), ephemerides, saved.glonass_channels)
        self._learned = saved.learned
        self._window = LearningWindow.after(time_ns) if saved.learned else LearningWindow()
        arcs = sum(len(one.network.arc_station) for one in self._solver.carried())
        return Restored(time_ns, age_s, changes, arcs, saved.fixed_share, len(ephemerides), saved.learned)

    def deadline(self) -> int | None:
        """Return when a :class:`Tick` is due, on the host clock, or ``None``."""
        times = [waiting.deadline_ns for waiting in self._waiting]
        closing = self._assembler.deadline_ns()
        if closing is not None:
            times.append(closing)
        return min(times, default=None)

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest picture of the network, or ``None`` before the first network epoch."""
        return self._snapshots[-1] if self._snapshots else None

    def view(self, position_m: FloatArray) -> NetworkView | None:
        """Return the newest network epoch as a virtual station at a place needs it, ``None`` before the first.

        Args:
            position_m: ECEF, shape ``(3,)``.
        """
        snapshot = self.snapshot
        if snapshot is None:
            return None
        snapshot = snapshot.near(position_m)
        posterior = self._posterior(snapshot, cell_at(position_m, self.config.query.resolution))
        return NetworkView(self.config.network, self._solver.calibrations, snapshot, self._raw, posterior)

    def _payload(self, event: PayloadArrived) -> list[Output]:
        if event.station not in self.health.stations:
            known = ", ".join(sorted(self.health.stations))
            text = (
                f"payload of station {event.station!r}, which is not in the network ({known}); add it to network.toml"
            )
            return [self._refused(event.station, Reason.UNKNOWN_STATION, text)]
        outputs: list[Output] = []
        epochs, refused = self._ingest.push(event.station, event.payload, event.host_ns)
        outputs.extend(self._refused(event.station, one.reason, one.text) for one in refused)
        for epoch in epochs:
            self.health.stations[event.station].heard(epoch.time_ns)
            try:
                closed = self._assembler.push(event.station, epoch, event.host_ns)
            except GpsgridError as error:
                outputs.append(self._refused(event.station, error.reason, str(error)))
            else:
                outputs.extend(self._solve(closed, event.host_ns))
                if closed:
                    outputs.extend(self._answer_waiting(event.host_ns))
        return outputs

    def _refused(self, source: str, reason: Reason, text: str) -> InputRefused:
        self.health.refusals[reason] += 1
        if source in self.health.stations:
            self.health.stations[source].refused[reason] += 1
        return InputRefused(source, reason, text)

    def _solve(self, epochs: list[NetworkEpoch], host_ns: int) -> list[Output]:
        outputs: list[Output] = []
        for epoch in epochs:
            if epoch.time_ns <= self._solver.time_ns:
                # The alignment found that what it closed before came from clocks that were ahead.
                if not self._snapshots:
                    outputs.append(self._refused("saved state", Reason.UNUSABLE_STATE, _FROM_THE_FUTURE))
                self._solver.restart()
                self._sessions.clear()
                self._snapshots.clear()
                self._fields.clear()
                self._window = LearningWindow()
            snapshot = self._solver.solve(epoch, self._ingest.ephemerides)
            self._ingest.network_time(epoch.time_ns, host_ns)
            self._snapshots.append(snapshot)
            self._raw = epoch.stations
            self.health.network_epochs += 1
            self.health.last_epoch_ns = epoch.time_ns
            outputs.append(network_solved(snapshot, tuple(self.health.stations)))
            outputs.extend(self._judge(snapshot))
            due: LearningDue | None = self._window.push(snapshot)
            if due is not None:
                outputs.append(due)
        return outputs

    def _changed(self, event: NetworkChanged) -> Output:
        """Take a network over, or say why not; the pictures of the old one are not for the new one."""
        before, config = self.config.network, replace(self.config, network=event.network, antennas=event.antennas)
        try:
            solver = _solver_of(config)
        except GpsgridError as error:  # an antenna without a calibration
            return self._refused("network", error.reason, f"{error}; the network stays as it was")
        changes = compare_networks(before, event.network)
        solver.resume(self._solver.carried(), changes.kept)
        self.config, self._solver = config, solver
        known = {
            station.id: self.health.stations.get(station.id, StationHealth()) for station in event.network.stations
        }
        self.health.stations.clear()  # in place: others look at it
        self.health.stations.update(known)
        self._assembler.expect(frozenset(known))
        self._ingest.forget(changes.left)
        self._sessions.clear()
        self._snapshots.clear()
        self._fields.clear()
        self._window = LearningWindow.after(solver.time_ns) if self._learned else LearningWindow()
        return NetworkTaken(event.network, changes)

    def _judge(self, snapshot: Snapshot) -> list[CoordinateJudged]:
        """Take over the verdicts on coordinates; what was learned with a station that is now left out is forgotten."""
        outputs = []
        for name, judgement in snapshot.coordinates.judgements.items():
            station = self.health.stations[name]
            before, station.coordinate = station.coordinate, judgement
            old = before.verdict if before is not None else Verdict.UNKNOWN
            if not worth_telling(old, judgement.verdict):
                continue
            if judgement.verdict is Verdict.WRONG:
                self.health.refusals[Reason.WRONG_COORDINATE] += 1
                station.refused[Reason.WRONG_COORDINATE] += 1
            if Verdict.WRONG in (old, judgement.verdict):
                self._window = LearningWindow()
                self._solver.hyper = self.config.hyper
            text = coordinate_text(name, judgement)
            outputs.append(CoordinateJudged(snapshot.time_ns, name, judgement, Reason.WRONG_COORDINATE, text))
        return outputs

    def _asked(self, event: PositionAsked) -> list[Output]:
        config = self.config
        try:
            near_ns = self._ingest.near_at(event.host_ns)
            request = read_rover_body(event, near_ns, config.antennas, self._ingest.channels)
        except GpsgridError as error:
            frame, epoch = config.network.frame, config.network.epoch
            return [self._answered(refusal(event.request, error.reason, str(error), 0, frame, epoch))]
        snapshot = self.snapshot
        if snapshot is not None and request.epoch.time_ns <= snapshot.time_ns + _SAME_EPOCH_NS:
            return [self._answer(request)]
        wait_ns = config.query_wait_ns if event.wait_ns is None else event.wait_ns
        self._waiting.append(_Waiting(request, event.host_ns + wait_ns))
        return []

    def _answer_waiting(self, host_ns: int) -> list[Output]:
        newest_ns = self._snapshots[-1].time_ns if self._snapshots else -1
        ready: list[_Waiting] = []
        still: list[_Waiting] = []
        for waiting in self._waiting:
            served = waiting.request.epoch.time_ns <= newest_ns + _SAME_EPOCH_NS
            (ready if served or waiting.deadline_ns <= host_ns else still).append(waiting)
        self._waiting = still
        return [self._answer(waiting.request) for waiting in ready]

    def _answer(self, request: RoverRequest) -> PositionAnswered:
        usable = [s for s in self._snapshots if s.time_ns <= request.epoch.time_ns + _SAME_EPOCH_NS]
        snapshot = usable[-1] if usable else (self._snapshots[0] if self._snapshots else None)
        network = self.config.network
        if snapshot is None:
            text = "no network epoch yet: no station has delivered observations; try again in some seconds"
            return self._answered(
                refusal(request.name, Reason.NO_NETWORK, text, request.epoch.time_ns, network.frame, network.epoch)
            )
        try:
            service = Service(self.config.query, network, snapshot, self._posterior)
            if request.session:
                answer = answer_named(service, self._sessions, request, self._snapshots[-1].time_ns)
            else:
                answer = answer_rover(service, request)
        except GpsgridError as error:  # an antenna without a calibration for one of the frequencies
            time_ns = request.epoch.time_ns
            answer = refusal(request.name, error.reason, str(error), time_ns, network.frame, network.epoch)
        return self._answered(answer)

    def _answered(self, answer: Answer) -> PositionAnswered:
        self.health.answers[str(answer.status)] += 1
        if answer.refusal is not None:
            self.health.refusals[answer.refusal] += 1
        return PositionAnswered(answer)

    def _posterior(self, snapshot: Snapshot, cell: str) -> Posterior:
        """Return the field of a cell: of the stations that serve it, fitted once per epoch and set of stations."""
        state = snapshot.state
        serving = stations_of(cell, state.station_m, _CELL_STATIONS, _CELL_RADIUS_M)
        if len(serving) == len(state.stations):
            return snapshot.field.posterior
        key = (snapshot.time_ns, snapshot.core, tuple(sorted(int(index) for index in serving)))
        if key not in self._fields:
            rows = np.flatnonzero(np.isin(snapshot.observations.station // RECEIVERS, serving))
            fitted = fit_cell(cell, snapshot.time_ns, snapshot.hyper, snapshot.observations.take(rows), snapshot.scales)
            for old in list(self._fields)[: max(0, len(self._fields) - _KEPT_FIELDS + 1)]:
                del self._fields[old]
            self._fields[key] = fitted.posterior
        return self._fields[key]


def _solver_of(config: EngineConfig) -> ClusteredSolver:
    calibrations = {
        station.id: config.antennas.find(station.antenna, station.antenna_serial)
        if config.antennas is not None and station.antenna
        else None
        for station in config.network.stations
    }
    return ClusteredSolver(config.network, calibrations, config.filter, config.hyper, config.clusters)
