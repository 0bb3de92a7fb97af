"""A recorded network and a recorded rover through an engine, as if they were live, on a clock of the data's own.

The host clock of the engine is virtual here: it shows the time of the data, and jumps to a deadline when there is
something to wait for. The same data give the same answers, to the bit.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from gpsgrid.answer import Answer
from gpsgrid.events import (
    Event,
    HyperparametersLearned,
    LearningDue,
    Output,
    PayloadArrived,
    PositionAnswered,
    PositionAsked,
    Tick,
)
from models.session_state import Motion
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.gpstime import to_iso
from stations.recorded import RecordedRover, Recording

_SESSION = "replay"

Learner = Callable[[LearningDue], HyperparametersLearned | None]
"""Answers :class:`LearningDue` at once, or with ``None`` when nothing could be learned."""

Observer = Callable[[Output], None]
"""Is shown every output of the engine."""


class EventHandler(Protocol):
    """What the player needs of :class:`gpsgrid.engine.Engine`."""

    def handle(self, event: Event) -> list[Output]:
        """Take in one event; return what follows from it."""
        ...

    def deadline(self) -> int | None:
        """Return when a :class:`Tick` is due, or ``None``."""
        ...


def play(
    engine: EventHandler,
    recording: Recording,
    rover: RecordedRover,
    learner: Learner,
    observer: Observer = lambda _: None,
    motion: Motion | None = None,
) -> Iterator[tuple[int, Answer]]:
    """Replay everything in the order of time.

    Args:
        engine: Fresh; made for the network of the recording.
        recording: Before its first payload. Nothing of the rover may be in it.
        rover: Before its first payload.
        learner: Answers :class:`LearningDue` before the next event is handled.
        observer: Is shown every output, in order.
        motion: Carry a session from epoch to epoch that assumes this of the rover; ``None`` for single epochs.

    Yields:
        Moment of the rover epoch, ns of GPS time, and its answer; one for every rover epoch.

    Raises:
        RuntimeError: The engine does not answer, or answers something that was not asked.
    """
    run = _Run(engine, learner, observer, motion)
    stations_ns, rover_ns = set(recording.times_ns), set(rover.times_ns)
    for time_ns in sorted(stations_ns | rover_ns):
        if time_ns in stations_ns:
            run.network(time_ns, recording.payloads(time_ns))
        if time_ns in rover_ns:
            yield time_ns, run.ask(time_ns, rover.payload(time_ns))


def play_network(
    engine: EventHandler, recording: Recording, learner: Learner, observer: Observer = lambda _: None
) -> Iterator[int]:
    """Replay the stations alone; yield every moment after the engine has solved it.

    Args:
        engine: Fresh; made for the network of the recording.
        recording: Before its first payload.
        learner: Answers :class:`LearningDue` before the next event is handled.
        observer: Is shown every output, in order.
    """
    run = _Run(engine, learner, observer)
    for time_ns in recording.times_ns:
        run.network(time_ns, recording.payloads(time_ns))
        yield time_ns


def only_nearest(network: Network, position_m: FloatArray) -> Network:
    """Return the network with only the station nearest to a position, ECEF of shape ``(3,)``: plain single-base RTK."""
    nearest = min(network.stations, key=lambda station: float(((station.marker_m - position_m) ** 2).sum()))
    for station in network.stations:
        if station.id != nearest.id:
            network = network.without(station.id)
    return network


class _Run:
    """One replay: the engine, its virtual host clock and the answers that have come."""

    def __init__(
        self, engine: EventHandler, learner: Learner, observer: Observer, motion: Motion | None = None
    ) -> None:
        self._engine = engine
        self._learner = learner
        self._observer = observer
        self._motion = motion
        self._host_ns = 0
        self._answers: dict[str, Answer] = {}

    def network(self, time_ns: int, payloads: list[tuple[str, bytes]]) -> None:
        self._host_ns = max(self._host_ns, time_ns)
        for station, payload in payloads:
            self._handle(PayloadArrived(station, payload, self._host_ns))
        # An absent station keeps the epoch open; its deadline passes before the rover asks.
        self._wait()

    def ask(self, time_ns: int, payload: bytes) -> Answer:
        self._host_ns = max(self._host_ns, time_ns)
        request = to_iso(time_ns)
        asked = PositionAsked(request, payload, self._host_ns)
        if self._motion is not None:
            asked = replace(asked, session=_SESSION, motion=self._motion)
        self._handle(asked)
        while request not in self._answers:
            # A rover that is faster than the network waits for an epoch that does not come.
            if not self._wait():
                message = f"the engine has not answered {request} and waits for nothing"
                raise RuntimeError(message)
        answer = self._answers.pop(request)
        if self._answers:
            message = f"the engine has answered what was not asked: {', '.join(self._answers)}"
            raise RuntimeError(message)
        return answer

    def _wait(self) -> bool:
        """Let the next deadline pass; return whether there was one."""
        due_ns = self._engine.deadline()
        if due_ns is None:
            return False
        self._host_ns = max(self._host_ns, due_ns)
        self._handle(Tick(self._host_ns))
        return True

    def _handle(self, event: Event) -> None:
        for output in self._engine.handle(event):
            self._observer(output)
            match output:
                case PositionAnswered():
                    self._answers[output.answer.request] = output.answer
                case LearningDue():
                    learned = self._learner(output)
                    if learned is not None:
                        self._handle(learned)
                case _:
                    pass
