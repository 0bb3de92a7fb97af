"""The player: order of events, the virtual clock, one answer for every rover epoch, with an engine that only notes."""

import dataclasses

import numpy as np
import pytest

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
from models.field.kernels import Hyperparameters
from models.rover import RoverStatus
from models.session_state import Motion
from replay.player import only_nearest, play
from stations import gpstime
from stations.catalog import Network, Station
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import make_epoch
from stations.recorded import RecordedRover, Recording
from stations.rinex_obs import RinexObservations
from stations.signals import GPS_L1CA, GPS_L2W

START_NS = int(gpstime.from_calendar(2021, 1, 1))
WAIT_NS = 300 * NS_PER_MS
HERE = np.array([3908909.8758, 330933.2631, 5012262.9499])


def answer(request: str) -> Answer:
    covariance = np.eye(3) * 1e-4
    return Answer(request, START_NS, RoverStatus.FIXED, HERE, covariance, "ITRF2014", 2021.0)


class NotingEngine:
    """Waits for a number of payloads a moment, as the real one does for its stations, and notes what it is told."""

    def __init__(self, stations: int, learn_at: int = -1, *, mute: bool = False) -> None:
        self.events: list[Event] = []
        self._stations = stations
        self._learn_at = learn_at
        self._mute = mute
        self._open = 0
        self._closed = 0
        self._deadline: int | None = None
        self._waiting: list[str] = []

    def handle(self, event: Event) -> list[Output]:
        self.events.append(event)
        match event:
            case PayloadArrived():
                self._open += 1
                self._deadline = self._deadline or event.host_ns + WAIT_NS
                return self._close() if self._open == self._stations else []
            case Tick():
                outputs = self._close() if self._open else []
                self._deadline = None
                waiting, self._waiting = self._waiting, []
                return outputs + [PositionAnswered(answer(name)) for name in waiting]
            case PositionAsked():
                if self._mute:
                    return []
                if self._closed == 0:
                    self._waiting.append(event.request)
                    self._deadline = event.host_ns + WAIT_NS
                    return []
                self._closed = 0
                return [PositionAnswered(answer(event.request))]
            case HyperparametersLearned():
                return []

    def deadline(self) -> int | None:
        return self._deadline

    def _close(self) -> list[Output]:
        self._open, self._deadline, self._closed = 0, None, self._closed + 1
        self._learn_at -= 1
        if self._learn_at != -1:
            return []
        return [LearningDue(START_NS, (), (), (), Hyperparameters())]


def observations(seconds: list[float]) -> RinexObservations:
    epochs = [
        make_epoch(
            START_NS + round(second * NS_PER_S),
            np.array([7, 7]),
            np.array([GPS_L1CA, GPS_L2W]),
            np.array([2.2e7, 2.2e7]),
            np.array([1.1e8, 9e7]),
            np.array([45.0, 45.0]),
            np.array([1000, 1000]),
            np.array([False, False]),
        )
        for second in seconds
    ]
    return RinexObservations(2.11, "", None, "", "", 0.0, "", 1.0, epochs, {}, [])


@pytest.fixture
def network() -> Network:
    stations = tuple(
        Station(name, (3908909.0 + 1000.0 * place, 330933.0, 5012262.0)) for place, name in enumerate("AB")
    )
    return Network("test", "ITRF2014", 2021.0, stations)


def rover(seconds: list[float]) -> RecordedRover:
    return RecordedRover("R", observations(seconds), "", "", 0.0)


def never(due: LearningDue) -> None:
    pytest.fail(f"learning was not due: {due}")


def words(engine: NotingEngine) -> list[str]:
    """Return the events as letters: stations by name, T tick, ? question, L learned."""
    letters = {Tick: "T", PositionAsked: "?", HyperparametersLearned: "L"}
    return [event.station if isinstance(event, PayloadArrived) else letters[type(event)] for event in engine.events]


def test_stations_come_before_the_question_of_their_moment(network):
    engine = NotingEngine(2)
    recording = Recording(network, {"A": observations([0, 30]), "B": observations([0, 30])}, [])
    answers = list(play(engine, recording, rover([0, 30]), never))
    assert "".join(words(engine)) == "AB?AB?"
    assert [time_ns for time_ns, _ in answers] == [START_NS, START_NS + 30 * NS_PER_S]
    assert all(event.host_ns == START_NS for event in engine.events[:3])


def test_absent_station_costs_its_deadline_before_the_question(network):
    engine = NotingEngine(2)
    recording = Recording(network, {"A": observations([0, 30]), "B": observations([30])}, [])
    list(play(engine, recording, rover([0, 30]), never))
    assert "".join(words(engine)) == "AT?AB?"
    assert [event.host_ns - START_NS for event in engine.events[:3]] == [0, WAIT_NS, WAIT_NS]


def test_rover_that_is_faster_than_the_network_is_answered_at_its_deadline(network):
    engine = NotingEngine(2)
    recording = Recording(network, {"A": observations([0, 2]), "B": observations([0, 2])}, [])
    answers = list(play(engine, recording, rover([0, 1, 2]), never))
    assert "".join(words(engine)) == "AB??TAB?"
    assert len(answers) == 3


def test_host_clock_never_runs_backwards(network):
    engine = NotingEngine(3)
    seconds = [0.0, 0.1, 0.2, 0.3]
    recording = Recording(network, {"A": observations(seconds), "B": observations(seconds)}, [])
    list(play(engine, recording, rover(seconds), never))
    clocks = [event.host_ns for event in engine.events]
    assert clocks == sorted(clocks)


def test_every_rover_epoch_has_its_answer_also_outside_the_recording(network):
    engine = NotingEngine(2)
    recording = Recording(network, {"A": observations([60]), "B": observations([60])}, [])
    answers = list(play(engine, recording, rover([0, 30, 60, 90]), never))
    assert [time_ns - START_NS for time_ns, _ in answers] == [0, 30 * NS_PER_S, 60 * NS_PER_S, 90 * NS_PER_S]


def test_what_was_learned_is_told_before_anything_else_happens(network):
    engine = NotingEngine(2, learn_at=0)
    recording = Recording(network, {"A": observations([0, 30]), "B": observations([0, 30])}, [])
    dues: list[LearningDue] = []

    def learner(due: LearningDue) -> HyperparametersLearned:
        dues.append(due)
        return HyperparametersLearned(due.time_ns, due.start)

    list(play(engine, recording, rover([0, 30]), learner))
    assert "".join(words(engine)) == "ABL?AB?"
    assert len(dues) == 1


def test_learner_may_have_nothing_to_say(network):
    engine = NotingEngine(2, learn_at=0)
    recording = Recording(network, {"A": observations([0]), "B": observations([0])}, [])
    list(play(engine, recording, rover([0]), lambda _: None))
    assert "".join(words(engine)) == "AB?"


def test_observer_sees_every_output(network):
    seen: list[Output] = []
    recording = Recording(network, {"A": observations([0]), "B": observations([0])}, [])
    list(play(NotingEngine(2, learn_at=0), recording, rover([0]), lambda _: None, seen.append))
    assert [type(output) for output in seen] == [LearningDue, PositionAnswered]


def test_engine_that_does_not_answer_is_a_bug_that_is_named(network):
    recording = Recording(network, {"A": observations([0]), "B": observations([0])}, [])
    with pytest.raises(RuntimeError, match=r"has not answered 2021-01-01T00:00:00\.000 and waits for nothing"):
        list(play(NotingEngine(2, mute=True), recording, rover([0]), never))


def test_nothing_of_the_rover_reaches_the_engine_but_its_questions(network):
    held_out = network.without("B")
    engine = NotingEngine(1)
    recording = Recording(held_out, {"A": observations([0])}, [])
    list(play(engine, recording, dataclasses.replace(rover([0]), name="B"), never))
    assert {event.station for event in engine.events if isinstance(event, PayloadArrived)} == {"A"}


def test_nearest_station_alone_is_single_base_rtk(network):
    assert [one.id for one in only_nearest(network, np.array([3909800.0, 330933.0, 5012262.0])).stations] == ["B"]
    assert [one.id for one in only_nearest(network, np.array([3909000.0, 330933.0, 5012262.0])).stations] == ["A"]


def test_a_session_is_one_name_for_all_epochs(network):
    engine = NotingEngine(2)
    recording = Recording(network, {"A": observations([0, 30]), "B": observations([0, 30])}, [])
    list(play(engine, recording, rover([0, 30]), never, motion=Motion.STATIC))
    asked = [event for event in engine.events if isinstance(event, PositionAsked)]
    assert [(one.session, one.motion) for one in asked] == [("replay", Motion.STATIC)] * 2
