"""The two network solutions of the field experiment, from recordings: without the rover, and with it for the truth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gpsgrid.edge.learner import learn_now
from gpsgrid.edge.settings import load_network
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import HyperparametersLearned, LearningDue, NetworkSolved, Output, PayloadArrived, Tick
from gpsgrid.snapshot import Snapshot
from gpsgrid.solver import DEFAULT_HYPERPARAMETERS
from models.field.kernels import Hyperparameters
from replay.edge.outputs import read_truth_file
from replay.field_scene import NetworkSide, Truth, network_side, truth_side
from stations.arrays import IntArray
from stations.catalog import Network, Station
from stations.constants import NS_PER_S
from stations.edge.recordings import find_station, load_antennas, load_recording
from stations.errors import GpsgridError, Reason

_LONGEST_WARM_UP_S = 1800.0
_WARM_UP_SHARE = 0.25  # of the recording; a network needs minutes for its integers and its first hyperparameters
_SHELL_NOISE_M = 0.1  # what a thin shell cannot say becomes noise, and needs the room


@dataclass(frozen=True)
class SetSpec:
    """A recorded network and who is the rover in it.

    Attributes:
        name: For tables.
        network_file: ``network.toml``.
        rover: A station of it, or the file of a rover that stood still, with its truth in ``truth/NAME.csv`` beside.
    """

    name: str
    network_file: Path
    rover: str


@dataclass(frozen=True)
class RoverSet:
    """A network with the rover as one of its stations.

    Attributes:
        network: With the rover.
        rover: The rover.
    """

    network: Network
    rover: Station

    @property
    def nearest_km(self) -> float:
        """Distance of the nearest other station."""
        others = self.network.without(self.rover.id).stations
        return min(float(np.linalg.norm(one.marker_m - self.rover.marker_m)) for one in others) / 1000.0


def parse_set(text: str) -> SetSpec:
    """Read ``network.toml@STATION`` or ``network.toml@ROVER.crx.gz``.

    Raises:
        GpsgridError: ``BAD_CONFIG``, there is no ``@`` in it.
    """
    file, at, rover = text.rpartition("@")
    if not at or not rover:
        message = f"{text!r} names no rover; expected NETWORK.toml@STATION or NETWORK.toml@FILE of a rover beside it"
        raise GpsgridError(Reason.BAD_CONFIG, message)
    path = Path(file)
    stem = path.parent.name if path.stem == "network" else path.stem
    return SetSpec(f"{stem} {rover.split('.')[0]}", path, rover)


def rover_set(spec: SetSpec) -> RoverSet:
    """Read a network and make the rover one of its stations.

    Raises:
        GpsgridError: As `load_network` and `read_truth_file`; ``UNKNOWN_STATION``; ``BAD_CONFIG``, the rover moved.
    """
    network = load_network(spec.network_file).network
    file = spec.network_file.parent / spec.rover
    if not file.is_file():
        return RoverSet(network, find_station(network, spec.rover))
    name = spec.rover.split(".")[0]
    known = read_truth_file(file.parent / "truth" / f"{name}.csv")
    positions_m = np.array(list(known.by_ms.values()))
    if np.ptp(positions_m, axis=0).max() > 0.0:
        message = f"rover {name} moved by {np.ptp(positions_m, axis=0).max():.1f} m; a truth needs one that stood still"
        raise GpsgridError(Reason.BAD_CONFIG, message, rover=name)
    x_m, y_m, z_m = positions_m[0].tolist()
    rover = Station(name, (x_m, y_m, z_m), observations=(spec.rover,))
    return RoverSet(replace(network, stations=(*network.stations, rover)), rover)


def network_run(spec: SetSpec, epochs: int) -> list[NetworkSide]:
    """Solve the network without the rover, forward; return so many epochs, evenly spread."""
    with_rover = rover_set(spec)
    run = _Run(with_rover.network.without(with_rover.rover.id), learning=True)
    position_m = with_rover.rover.reference_point_m
    return [network_side(snapshot, position_m, run.shell_hyper) for snapshot in run.snapshots(epochs)]


def truth_run(spec: SetSpec, epochs: int) -> list[Truth]:
    """Solve the network with the rover, forward; return the same epochs."""
    with_rover = rover_set(spec)
    run = _Run(with_rover.network, learning=False)
    sides = [truth_side(snapshot, with_rover.rover.id) for snapshot in run.snapshots(epochs)]
    return [side for side in sides if side is not None]


def chosen_epochs(times_ns: IntArray, epochs: int) -> IntArray:
    """Return epochs after the start-up, evenly spread, ascending, at most as many as asked for."""
    elapsed_s = (times_ns - times_ns[0]) / NS_PER_S
    warm = np.flatnonzero(elapsed_s >= min(_WARM_UP_SHARE * elapsed_s[-1], _LONGEST_WARM_UP_S))
    return times_ns[np.unique(np.linspace(warm[0], len(times_ns) - 1, epochs).round().astype(np.int64))]


class _Run:
    """An engine and a recording."""

    def __init__(self, network: Network, *, learning: bool) -> None:
        antennas = load_antennas(network)
        self._recording = load_recording(network, antennas=antennas)
        self._engine = Engine(EngineConfig(network, antennas, self._recording.times_ns[0]))
        self._learning = learning
        self.shell_hyper = replace(DEFAULT_HYPERPARAMETERS, residual_sd_m=0.0, noise_floor_m=0.01)

    def snapshots(self, epochs: int) -> Iterator[Snapshot]:
        """Yield the chosen epochs."""
        wanted = set(chosen_epochs(np.array(self._recording.times_ns, dtype=np.int64), epochs).tolist())
        for time_ns in self._recording.times_ns:
            events = [
                PayloadArrived(station, payload, time_ns) for station, payload in self._recording.payloads(time_ns)
            ]
            outputs = [output for event in events for output in self._handle(event)]
            due_ns = self._engine.deadline()
            if due_ns is not None:
                outputs += self._handle(Tick(max(due_ns, time_ns)))
            snapshot = self._engine.snapshot
            solved = any(isinstance(output, NetworkSolved) for output in outputs)
            if snapshot is not None and solved and snapshot.time_ns in wanted:
                yield snapshot

    def _handle(self, event: PayloadArrived | Tick | HyperparametersLearned) -> list[Output]:
        outputs = self._engine.handle(event)
        for output in list(outputs):
            if isinstance(output, LearningDue) and self._learning:
                self.shell_hyper = learn_shell(output, self.shell_hyper)
                outputs += self._handle(learn_now(output))
        return outputs


def learn_shell(due: LearningDue, start: Hyperparameters) -> Hyperparameters:
    """Learn from a window what a thin shell alone would use: no residual of satellites, and more noise."""
    from models.field.learning import Belief, LearningPolicy, learn  # noqa: PLC0415 - torch costs seconds

    beliefs = {name: belief for name, belief in LearningPolicy().beliefs.items() if not name.startswith("residual")} | {
        "noise_floor_m": Belief(0.001, _SHELL_NOISE_M, 1.0),
        "vtec_length_m": Belief(50_000.0, 3_000_000.0, 1.0),
    }
    return learn(due.window, start, due.scales, due.weights, LearningPolicy(beliefs=beliefs)).hyper
