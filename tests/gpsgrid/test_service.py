"""The running service with a stand-in for the engine: order, ticks, bounded queues, and loops that do not end."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest

from gpsgrid.answer import Answer, refusal
from gpsgrid.config import MqttConfig, NetworkConfig
from gpsgrid.edge import learner
from gpsgrid.edge.broker import EmbeddedBroker
from gpsgrid.edge.outbox import Outbox
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.service import Service, ServiceOptions
from gpsgrid.events import (
    HyperparametersLearned,
    InputRefused,
    LearningDue,
    NetworkSolved,
    PayloadArrived,
    PositionAnswered,
    PositionAsked,
    Tick,
)
from gpsgrid.health import Health, StationHealth
from gpsgrid.rehearsal import START_NS, STEP_NS, rehearsal_network, rehearse, rover_body, station_payloads
from gpsgrid.topics import ClientQuery, StationData, topics_of
from models.field.kernels import Hyperparameters
from models.rover import RoverStatus
from stations.catalog import Network, Station
from stations.constants import NS_PER_MS, NS_PER_S
from stations.edge.mqtt import MqttLink
from stations.errors import Reason
from stations.gpstime import from_calendar

SOON_S = 10.0
TIME_NS = from_calendar(2021, 1, 1)
MARKER_M = (3924687.2, 301133.3, 5001911.1)
PREFIX = "test/v1"


def _config(**stations: str) -> NetworkConfig:
    described = tuple(Station(name, MARKER_M, topic=topic) for name, topic in (stations or {"A": "", "B": ""}).items())
    return NetworkConfig(Network("net", "ITRF2014", 2021.0, described), MqttConfig("", PREFIX))


def _fixed(request: str) -> Answer:
    return Answer(
        request, TIME_NS, RoverStatus.FIXED, np.array(MARKER_M), np.diag([1e-4, 1e-4, 4e-4]), "ITRF2014", 2021.0
    )


def _solved() -> NetworkSolved:
    return NetworkSolved(TIME_NS, ("A",), ("B",), 9, 0.97, float("nan"), 1, 0)


def _fail(event):
    raise KeyError(event)


class FakeEngine:
    """Answers at once; what it does otherwise is said by payloads of one word."""

    def __init__(self) -> None:
        self.health = Health(stations={"A": StationHealth(), "B": StationHealth()})
        self.events = []
        self.threads = set()
        self.due_ns = None
        self.behaviour: dict[bytes, Callable] = {}

    def handle(self, event):
        self.events.append(event)
        self.threads.add(threading.current_thread().name)
        match event:
            case PositionAsked(request, payload):
                return self.behaviour.get(payload, lambda _: [PositionAnswered(_fixed(request))])(event)
            case PayloadArrived(station, payload):
                if station in self.health.stations:
                    self.health.stations[station].epochs += 1
                return self.behaviour.get(payload, lambda _: [])(event)
            case Tick():
                self.due_ns = None
        return []

    def deadline(self):
        return self.due_ns


@asynccontextmanager
async def _running(service: Service) -> AsyncIterator[Service]:
    task = asyncio.create_task(service.run())
    try:
        async with asyncio.timeout(SOON_S):
            waiting = asyncio.create_task(service.ready.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        yield service
    finally:
        service.stop()
        async with asyncio.timeout(SOON_S):
            await task


def _asked(payload: bytes = b"x", request: str = "") -> PositionAsked:
    return PositionAsked(request, payload, time.monotonic_ns())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another thread or process
            await asyncio.sleep(0.005)


# ---- the engine's side


async def test_a_query_is_answered_under_its_name_also_when_names_repeat():
    engine = FakeEngine()
    async with _running(Service(engine, _config())) as service:
        answers = await asyncio.gather(*(service.ask(_asked(request="same")) for _ in range(20)))
        nameless = await service.ask(_asked())
    assert {answer.request for answer in answers} == {"same"}
    assert len({event.request for event in engine.events}) == 21
    assert nameless.request.startswith("request-")


async def test_the_engine_is_touched_by_one_thread_that_is_not_the_event_loops():
    engine = FakeEngine()
    async with _running(Service(engine, _config())) as service:
        await asyncio.gather(*(service.ask(_asked()) for _ in range(50)))
        await service.health()
    assert len(engine.threads) == 1
    assert threading.current_thread().name not in engine.threads


async def test_an_exception_costs_one_query_and_is_counted():
    engine = FakeEngine()
    engine.behaviour[b"bug"] = _fail
    async with _running(Service(engine, _config())) as service:
        with pytest.raises(RuntimeError, match=r"internal error \(KeyError\)"):
            await service.ask(_asked(b"bug"))
        assert (await service.ask(_asked())).status is RoverStatus.FIXED
        assert (await service.health()).engine_failures == 1


async def test_a_query_without_an_answer_is_refused_in_time():
    engine = FakeEngine()
    engine.behaviour[b"silence"] = lambda event: []
    options = ServiceOptions(answer_timeout_s=0.1)
    async with _running(Service(engine, _config(), options=options)) as service:
        answer = await service.ask(_asked(b"silence", "q"))
    assert (answer.request, answer.refusal) == ("q", Reason.QUEUE_FULL)
    assert "within 0.1 s" in answer.reason


async def test_a_full_queue_refuses_at_once():
    engine = FakeEngine()
    release = threading.Event()

    def wait(event):
        release.wait(SOON_S)
        return []

    engine.behaviour[b"slow"] = wait
    options = ServiceOptions(max_queue=2, answer_timeout_s=SOON_S)
    async with _running(Service(engine, _config(), options=options)) as service:
        slow = asyncio.create_task(service.ask(_asked(b"slow")))
        await _until(lambda: bool(engine.events))
        queued = [asyncio.create_task(service.ask(_asked())) for _ in range(2)]
        await asyncio.sleep(0.02)
        refused = await service.ask(_asked())
        release.set()
        assert [answer.status for answer in await asyncio.gather(*queued)] == [RoverStatus.FIXED] * 2
        slow.cancel()
    assert refused.refusal is Reason.QUEUE_FULL
    assert "full" in refused.reason


async def test_a_deadline_becomes_a_tick():
    engine = FakeEngine()
    async with _running(Service(engine, _config())) as service:
        engine.due_ns = time.monotonic_ns() + 50 * NS_PER_MS
        due_ns = engine.due_ns
        await service.ask(_asked())  # lets the driver look at the deadline
        await _until(lambda: any(isinstance(event, Tick) for event in engine.events))
    (tick,) = (event for event in engine.events if isinstance(event, Tick))
    assert 0 <= tick.host_ns - due_ns < 200 * NS_PER_MS


async def test_in_a_backlog_a_tick_comes_where_it_would_have_come():
    engine = FakeEngine()

    def hold_up(event):
        engine.due_ns = event.host_ns + 10
        time.sleep(0.05)
        return []

    engine.behaviour[b"hold"] = hold_up
    engine.behaviour[b"silence"] = lambda event: []
    async with _running(Service(engine, _config(), options=ServiceOptions(answer_timeout_s=0.5))) as service:
        start_ns = time.monotonic_ns()
        asked = [
            PositionAsked("hold", b"hold", start_ns),
            PositionAsked("before", b"x", start_ns + 5),
            PositionAsked("after", b"x", start_ns + 50),
        ]
        await asyncio.gather(*(service.ask(one) for one in asked))
    names = [event.request if isinstance(event, PositionAsked) else "tick" for event in engine.events]
    assert names == ["hold", "before", "tick", "after"]


async def test_a_stopped_service_refuses_what_waits_and_what_comes():
    engine = FakeEngine()
    engine.behaviour[b"silence"] = lambda event: []
    service = Service(engine, _config())
    assert (await service.ask(_asked())).refusal is Reason.QUEUE_FULL
    async with _running(service):
        waiting = asyncio.create_task(service.ask(_asked(b"silence")))
        await _until(lambda: bool(engine.events))
    assert "shutting down" in (await waiting).reason
    assert (await service.ask(_asked())).refusal is Reason.QUEUE_FULL


# ---- learning


def _due() -> LearningDue:
    return LearningDue(TIME_NS, (), (), (), Hyperparameters(vtec_sd_m=0.2))


async def test_learning_inline_comes_before_the_next_event_and_in_another_process():
    engine = FakeEngine()
    engine.behaviour[b"learn"] = lambda event: [LearningDue(*vars(_due()).values()), PositionAnswered(_fixed("l"))]
    async with _running(Service(engine, _config(), options=ServiceOptions("inline", answer_timeout_s=60.0))) as service:
        await asyncio.gather(service.ask(_asked(b"learn", "l")), service.ask(_asked(b"x", "next")))
    kinds = [type(event) for event in engine.events]
    assert kinds == [PositionAsked, HyperparametersLearned, PositionAsked]
    # An empty window teaches nothing: the worker hands back what was in force.
    assert engine.events[1] == HyperparametersLearned(TIME_NS, _due().start)


async def test_learning_in_the_background_holds_nobody_up_and_does_not_pile_up(monkeypatch):
    engine = FakeEngine()
    engine.behaviour[b"learn"] = lambda event: [_due(), PositionAnswered(_fixed(event.request))]
    started = []
    release = asyncio.Event()

    async def slow(self, due):
        started.append(due)
        await release.wait()
        return HyperparametersLearned(due.time_ns, due.start)

    monkeypatch.setattr(learner.Learner, "learn", slow)
    async with _running(Service(engine, _config())) as service:
        for _ in range(3):
            await service.ask(_asked(b"learn"))
        assert len(started) == 1
        release.set()
        await _until(lambda: any(isinstance(event, HyperparametersLearned) for event in engine.events))


async def test_learning_off_does_not_learn(monkeypatch):
    async def never(self, due):
        pytest.fail("asked to learn")

    monkeypatch.setattr(learner.Learner, "learn", never)
    engine = FakeEngine()
    engine.behaviour[b"learn"] = lambda event: [_due(), PositionAnswered(_fixed(event.request))]
    async with _running(Service(engine, _config(), options=ServiceOptions("off"))) as service:
        await service.ask(_asked(b"learn"))
        assert (await service.health()).engine_failures == 0


async def test_a_window_that_cannot_be_learned_from_is_counted():
    wrong = replace(_due(), scales=(np.ones(1),))  # lengths differ: the worker raises
    async with learner.Learner() as one:
        assert await one.learn(wrong) is None
        assert one.failures == 1
        assert await one.learn(_due()) is not None


# ---- MQTT


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker() as running:
        yield running


async def _next(link: MqttLink, topic: str) -> bytes:
    async with asyncio.timeout(SOON_S):
        async for message in link.messages():
            if message.topic == topic:
                return message.payload
    pytest.fail("the link ended")


@pytest.mark.broker
async def test_station_data_of_any_topic_reach_the_engine_in_order(broker: EmbeddedBroker):
    engine = FakeEngine()
    config = _config(A="", B="elsewhere/b")
    async with _running(Service(engine, config, broker.url)), MqttLink(broker.url, "stations") as link:
        for number in range(20):
            await link.publish(f"{PREFIX}/stations/A/rtcm3", bytes([number]))
        await link.publish("elsewhere/b", b"b")
        await link.publish(f"{PREFIX}/stations/STRANGER/rtcm3", b"s")
        await _until(lambda: len(engine.events) == 22)
    assert [event.payload for event in engine.events if event.station == "A"] == [bytes([n]) for n in range(20)]
    assert {event.station for event in engine.events} == {"A", "B", "STRANGER"}


@pytest.mark.broker
async def test_clients_are_answered_whether_they_ask_in_bytes_or_in_json(broker: EmbeddedBroker):
    engine = FakeEngine()
    engine.behaviour[b"refuse"] = lambda event: [
        PositionAnswered(refusal(event.request, Reason.NO_NETWORK, "no network epoch yet"))
    ]
    engine.behaviour[b"bug"] = _fail
    async with _running(Service(engine, _config(), broker.url)), MqttLink(broker.url, "client") as link:
        await link.subscribe(f"{PREFIX}/clients/me/answer")

        async def ask(payload: bytes) -> dict:
            await link.publish(f"{PREFIX}/clients/me/query", payload)
            return json.loads(await _next(link, f"{PREFIX}/clients/me/answer"))

        plain = await ask(b"\xd3 raw bytes")
        question = {"request": "q7", "rtcm3": base64.b64encode(b"\xd3 raw").decode(), "antenna": "ANT"}
        named = await ask(json.dumps(question).encode())
        refused = await ask(b"refuse")
        broken = await ask(b'{"rtcm3": 7}')
        failed = await ask(b"bug")
    assert plain["status"] == "fixed"
    assert plain["position"]["frame"] == "ITRF2014"
    assert plain["position"]["ecef_m"] == list(MARKER_M)
    assert plain["wrong_fix_probability"] is None  # NaN
    assert plain["timing"]["latency_ms"] > 0.0
    assert named["request"] == "q7"
    assert engine.events[1].payload == b"\xd3 raw"
    assert engine.events[1].antenna == "ANT"
    assert (refused["status"], refused["refusal"], refused["position"]) == ("none", "no_network", None)
    assert broken["refusal"] == "malformed"
    assert "rtcm3" in broken["reason"]
    assert "internal error" in failed["reason"]


@pytest.mark.broker
async def test_statuses_are_retained_and_end_with_offline(broker: EmbeddedBroker):
    engine = FakeEngine()
    engine.behaviour[b"solve"] = lambda event: [_solved(), InputRefused("B", Reason.BAD_CRC, "wrong checksum")]
    async with _running(Service(engine, _config(), broker.url)):
        async with MqttLink(broker.url, "stations") as link:
            await link.publish(f"{PREFIX}/stations/A/rtcm3", b"solve")
            await _until(lambda: bool(engine.events))
        await asyncio.sleep(0.1)
        async with MqttLink(broker.url, "late") as link:
            await link.subscribe(f"{PREFIX}/#")
            network = json.loads(await _next(link, f"{PREFIX}/status"))
        async with MqttLink(broker.url, "late") as link:
            await link.subscribe(f"{PREFIX}/stations/+/status")
            station = json.loads(await _next(link, f"{PREFIX}/stations/B/status"))
    async with MqttLink(broker.url, "last") as link:
        await link.subscribe(f"{PREFIX}/status")
        assert json.loads(await _next(link, f"{PREFIX}/status"))["state"] == "offline"
    assert (network["state"], network["time_gpst"]) == ("online", "2021-01-01T00:00:00.000")
    assert (network["stations"], network["missing"], network["loo_z_rms"]) == (["A"], ["B"], None)
    assert (station["id"], station["state"]) == ("B", "never")


@pytest.mark.broker
async def test_the_service_survives_a_restart_of_the_broker():
    engine = FakeEngine()
    async with EmbeddedBroker() as first:
        service = Service(engine, _config(), first.url)
        task = asyncio.create_task(service.run())
        await _until(service.ready.is_set)
    async with EmbeddedBroker(port=first.port) as second:
        await _until(lambda: service._link is not None and service._link.reconnects == 1)
        async with MqttLink(second.url, "stations") as link:
            await link.publish(f"{PREFIX}/stations/A/rtcm3", b"back")
            await _until(lambda: bool(engine.events))
        assert (await service.health()).mqtt_connected
        service.stop()
        async with asyncio.timeout(SOON_S):
            await task


def test_the_outbox_keeps_the_newest_status_and_counts_lost_answers():
    outbox = Outbox(max_answers=3)
    for number in range(5):
        outbox.retain("status", bytes([number]))
        outbox.send("answer", bytes([number]))
    assert outbox._pictures == {"status": b"\x04"}
    assert [payload for _, payload in outbox._letters] == [b"\x02", b"\x03", b"\x04"]
    assert outbox.dropped == 2


def test_topics_mean_what_they_say():
    topics = topics_of(_config(A="", B="elsewhere/b", C=f"{PREFIX}/stations/seventh/rtcm3"))
    assert topics.filters == (
        f"{PREFIX}/stations/+/rtcm3",
        f"{PREFIX}/clients/+/query",
        f"{PREFIX}/clients/+/gga",
        "elsewhere/b",
    )
    assert topics.meaning(f"{PREFIX}/stations/A/rtcm3") == StationData("A")
    assert topics.meaning("elsewhere/b") == StationData("B")
    assert topics.meaning(f"{PREFIX}/stations/seventh/rtcm3") == StationData("C")
    assert topics.meaning(topics.query("me")) == ClientQuery("me")
    strange = ["", PREFIX, f"{PREFIX}/stations//rtcm3", f"{PREFIX}/stations/rtcm3", f"{PREFIX}/stations/A/B/rtcm3"]
    assert [topics.meaning(topic) for topic in strange] == [None] * 5


def test_topic_patterns_of_others_mean_what_they_say():
    config = _config(A="", B="elsewhere/b", C="rtcm/seventh/raw")
    topics = topics_of(replace(config, mqtt=replace(config.mqtt, station_topic="rtcm/{id}/raw")))
    assert topics.filters == ("rtcm/+/raw", f"{PREFIX}/clients/+/query", f"{PREFIX}/clients/+/gga", "elsewhere/b")
    assert topics.meaning("rtcm/A/raw") == StationData("A")
    assert topics.meaning("rtcm/seventh/raw") == StationData("C")
    assert topics.meaning("elsewhere/b") == StationData("B")
    assert topics.meaning(topics.query("me")) == ClientQuery("me")
    strange = [f"{PREFIX}/stations/A/rtcm3", "rtcm//raw", "rtcm/raw", "rtcm/A/B/raw", "rtcm/A"]
    assert [topics.meaning(topic) for topic in strange] == [None] * 5


def _missed(*seconds: float) -> tuple[int, float]:
    health = StationHealth()
    for second in seconds:
        health.heard(START_NS + round(second * NS_PER_S))
    return health.missed, health.interval_ns / NS_PER_S


@pytest.mark.parametrize(
    ("seconds", "missed", "interval_s"),
    [
        ((0, 1, 2, 3), 0, 1.0),
        ((0, 1, 2, 5, 6), 2, 1.0),
        ((0, 1, 2, 2, 1, 3), 0, 1.0),  # twice, and late
        ((0, 0.2, 0.4, 1.0), 2, 0.2),
        ((0, 1.001, 2, 2.999, 5), 1, 0.999),  # a clock that is steered
        ((0, 1, 2, 2 + 7200, 2 + 7201), 0, 1.0),  # off for two hours
        ((0, 2, 4, 6, 7, 8, 9), 0, 1.0),  # began with losses
        ((0, 1, 2, *range(4, 30, 2)), 9, 2.0),  # half of it lost, until that looks like the rate
        ((7,), 0, 0.0),
    ],
)
def test_lost_epochs_are_counted_by_the_stations_own_interval(seconds, missed: int, interval_s: float):
    assert _missed(*seconds) == (missed, pytest.approx(interval_s))


def test_epochs_that_come_again_or_too_late_are_counted_apart():
    health = StationHealth()
    for second in (5, 6, 7, 7, 6, 6, 8):
        health.heard(START_NS + second * NS_PER_S)
    assert (health.epochs, health.missed, health.repeated, health.out_of_order) == (7, 0, 1, 2)


# ---- the real engine


@pytest.mark.broker
async def test_the_real_engine_answers_through_mqtt_as_it_does_directly(broker: EmbeddedBroker):
    network = rehearsal_network()
    config = NetworkConfig(network, MqttConfig("", PREFIX), align_deadline_ms=5000)
    service = Service(build_engine(config), config, broker.url)
    direct = rehearse(10)
    async with _running(service), MqttLink(broker.url, "stations") as link:
        for epoch in range(10):
            for station, payload in station_payloads(network, START_NS + epoch * STEP_NS):
                await link.publish(config.topic_of(network.station(station)), payload)
        await _until(lambda: service._solved is not None and service._solved.time_ns == direct.time_ns)
        answer = await service.ask(PositionAsked("rehearsal", rover_body(direct.time_ns), time.monotonic_ns()))
    assert answer.status == direct.status
    assert np.array_equal(answer.position_m, direct.position_m)
