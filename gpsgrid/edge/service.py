"""The running service: MQTT in, the engine, MQTT and HTTP out, in one asyncio task group.

Nothing is decided here: the engine decides, this module carries. Every task has a name, every queue a bound and a
counter, and no loop ends because of one bad message.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import msgspec
import structlog

from gpsgrid.answer import Answer
from gpsgrid.answer_json import encode_answer
from gpsgrid.config import NetworkConfig
from gpsgrid.edge.driver import EngineDriver, EngineLike, Result
from gpsgrid.edge.learner import Learner
from gpsgrid.edge.metrics import Metrics
from gpsgrid.edge.outbox import Outbox
from gpsgrid.edge.questions import EngineFailedError, Questions
from gpsgrid.edge.service_health import ServiceHealth
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.events import (
    CoordinateJudged,
    Event,
    InputRefused,
    LearningDue,
    NetworkChanged,
    NetworkSolved,
    NetworkTaken,
    Output,
    PayloadArrived,
    PositionAnswered,
    PositionAsked,
)
from gpsgrid.health import Health, StationHealth
from gpsgrid.mqtt_question import read_asked, read_options
from gpsgrid.network_view import NetworkView
from gpsgrid.status_json import NetworkStatusJson, network_status, station_status
from gpsgrid.topics import ClientPosition, ClientQuery, StationData, topics_of
from models.coordinates_monitor import Verdict
from stations.arrays import FloatArray
from stations.constants import NS_PER_MS, NS_PER_S
from stations.edge.mqtt import LastWill, MqttLink
from stations.errors import GpsgridError, Reason

Learning = Literal["background", "inline", "off"]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_STATION_STATUS_NS = 10 * NS_PER_S  # a station whose state has not changed is reported this often
_FAREWELL_S = 2.0
_LIGHT_BYTES = 4096  # of a question: an epoch of RTCM 3, which is cut in 0.03 ms


@dataclass(frozen=True)
class ServiceOptions:
    """How the service runs; none of it changes a position.

    Attributes:
        learning: ``background``: positions go on while the learner works, so when new hyperparameters come into force
            depends on the machine. ``inline``: the engine waits for the learner, so results are reproducible.
        max_queue: Events that may wait for the engine, and messages that may wait before them.
        max_questions: Questions of MQTT clients that are worked on at the same time.
        answer_timeout_s: A query is refused when the engine has not answered by then.
        keep_trying: Start although the broker cannot be reached yet.
        client_id: Name at the broker; by default one that is unique on this machine.
    """

    learning: Learning = "background"
    max_queue: int = 10_000
    max_questions: int = 1000
    answer_timeout_s: float = 5.0
    keep_trying: bool = False
    client_id: str = ""


class Service:
    """An engine with its doors.

    Attributes:
        config: The network.
        metrics: What ``/metrics`` shows.
        ready: Set when queries and station data are taken in.
    """

    def __init__(
        self,
        engine: EngineLike,
        config: NetworkConfig,
        broker_url: str = "",
        options: ServiceOptions | None = None,
        streaming: StreamingDoor | None = None,
    ) -> None:
        """Prepare.

        Args:
            engine: Not touched by anybody else from now on.
            config: The network that the engine was made for.
            broker_url: Where station data come from; empty for a service without MQTT.
            options: How to run.
            streaming: Makes the virtual stations; without it there are none.
        """
        self.config = config
        self.metrics = Metrics()
        self.ready = asyncio.Event()
        self._options = options or ServiceOptions()
        self._engine_health: Health = engine.health
        self._broker_url = broker_url
        self._topics = topics_of(config)
        self._driver = EngineDriver(engine, self._output, self._failed, self._options.max_queue)
        self._outbox = Outbox()
        self._streaming = streaming
        self._learner = Learner()
        self._link: MqttLink | None = None
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()
        self._questions = Questions(config.network, self._driver.offer, self._options.answer_timeout_s)
        self._asides: set[asyncio.Task[None]] = set()
        self._clients_waiting = 0
        self._solved: NetworkSolved | None = None
        self._solved_host_ns = 0
        self._learning = False
        self._reported: dict[str, tuple[str, dict[str, int], int]] = {}
        self._refusals: Counter[tuple[str, Reason]] = Counter()

    async def run(self) -> None:
        """Serve until :meth:`stop` or cancellation.

        Raises:
            GpsgridError: ``BROKER_UNREACHABLE`` at the start.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._learner)
            if self._broker_url:
                self._link = await stack.enter_async_context(self._make_link())
                await self._link.subscribe(*self._topics.filters)
            async with asyncio.TaskGroup() as self._group:
                tasks = [self._group.create_task(self._driver.run(), name="service.engine")]
                if self._link is not None:
                    tasks.append(self._group.create_task(self._receive(self._link), name="service.receive"))
                    tasks.append(self._group.create_task(self._outbox.run(self._link), name="service.publish"))
                if self._streaming is not None:
                    if self._link is not None:
                        self._streaming.publish_to(self._outbox)
                    work = self._streaming.run(self._driver.between_events)
                    tasks.append(self._group.create_task(work, name="service.streams"))
                self.ready.set()
                await self._stopping.wait()
                self.ready.clear()
                self._questions.give_up()
                for task in (*tasks, *self._asides):
                    task.cancel()
            if self._link is not None and self._link.connected:
                await self._say_goodbye(self._link)

    def stop(self) -> None:
        """Make :meth:`run` return."""
        self._stopping.set()

    async def ask(self, asked: PositionAsked) -> Answer:
        """Return the answer to a query; there is always one, be it a refusal.

        Raises:
            EngineFailedError: The engine raised.
        """
        if not self.ready.is_set():
            return self._questions.refuse(asked.request, "the service is not running; try again in some seconds")
        return await self._questions.ask(asked)

    async def between_events(self, function: Callable[[], Result]) -> Result:
        """Return what a function says that is called when the engine handles nothing; only while ``ready``."""
        return await self._driver.between_events(function)

    async def view(self, position_m: FloatArray) -> NetworkView | None:
        """Return the newest network epoch as seen from a place, ECEF of shape ``(3,)``; ``None`` before the first."""
        return await self._driver.view(position_m) if self.ready.is_set() else None

    @property
    def streaming(self) -> StreamingDoor | None:
        """What makes the virtual stations; ``None`` without them."""
        return self._streaming

    async def change_network(self, changed: NetworkChanged) -> None:
        """Let the engine take over another network; the log says what came of it."""
        await self._driver.put(changed)

    async def health(self) -> ServiceHealth:
        """Return a picture of all counters."""
        engine = await self._driver.health() if self.ready.is_set() else Health()
        solved_ago_s = None if self._solved is None else (time.monotonic_ns() - self._solved_host_ns) / NS_PER_S
        link = self._link
        return ServiceHealth(
            engine,
            self._solved,
            solved_ago_s,
            self._driver.waiting,
            self._driver.failures,
            self._learner.failures,
            None if link is None else link.connected,
            self._outbox.dropped + (0 if link is None else link.dropped),
            0 if link is None else link.reconnects,
            None if self._streaming is None else self._streaming.health,
            self._outbox.overtaken,
        )

    def _make_link(self) -> MqttLink:
        offline = msgspec.json.encode(NetworkStatusJson("offline", self.config.network.name))
        client_id = self._options.client_id or f"gpsgrid-{self.config.network.name[:20]}-{os.getpid()}"
        return MqttLink(
            self._broker_url,
            client_id,
            will=LastWill(self._topics.network_status, offline),
            max_queue=self._options.max_queue,
            keep_trying=self._options.keep_trying,
        )

    async def _say_goodbye(self, link: MqttLink) -> None:
        offline = msgspec.json.encode(NetworkStatusJson("offline", self.config.network.name))
        try:
            async with asyncio.timeout(_FAREWELL_S):
                await link.publish(self._topics.network_status, offline, retain=True)
                for topic, payload in () if self._streaming is None else self._streaming.farewell():
                    await link.publish(topic, payload, retain=True)
        except TimeoutError:
            _log.warning("service.no_farewell", broker=link.shown)

    async def _receive(self, link: MqttLink) -> None:
        async for topic, payload, arrived_host_ns in link.messages():
            try:
                match self._topics.meaning(topic):
                    case StationData(station):
                        # Waits when the engine is behind; then the link's queue fills, drops and counts.
                        await self._driver.put(PayloadArrived(station, payload, arrived_host_ns))
                    case ClientQuery(client):
                        self._take_question(client, payload, arrived_host_ns)
                    case ClientPosition(client):
                        if self._streaming is not None:
                            self._streaming.take_position(client, payload, arrived_host_ns)
                    case None:
                        _log.debug("service.unknown_topic", topic=topic)
            except Exception:  # noqa: BLE001 - one message must not end the loop
                _log.exception("service.message_failed", topic=topic)

    def _take_question(self, client: str, payload: bytes, arrived_host_ns: int) -> None:
        if self._clients_waiting >= self._options.max_questions:
            text = f"{self._clients_waiting} questions are being worked on; try again in a second"
            self._outbox.send(self._topics.answer(client), encode_answer(self._questions.refuse("", text), 0.0))
            return
        self._clients_waiting += 1
        self._aside(self._answer_client(client, payload, arrived_host_ns), f"service.question.{client}")

    async def _answer_client(self, client: str, payload: bytes, arrived_host_ns: int) -> None:
        name = ""
        try:
            said = read_options(payload)
            name = said.request
            read = partial(read_asked, said, arrived_host_ns)
            answer = await self.ask(read() if len(payload) <= _LIGHT_BYTES else await asyncio.to_thread(read))
        except ValueError as error:
            answer = self._questions.refuse(name, str(error), Reason.MALFORMED)
        except GpsgridError as error:
            answer = self._questions.refuse(name, str(error), error.reason)
        except EngineFailedError as error:
            answer = replace(self._questions.refuse(name, str(error)), refusal=None)
        finally:
            self._clients_waiting -= 1
        latency_ms = (time.monotonic_ns() - arrived_host_ns) / NS_PER_MS
        self.metrics.answered("mqtt", latency_ms / 1000.0)
        self._outbox.send(self._topics.answer(client), encode_answer(answer, latency_ms))

    def _aside(self, work: Coroutine[None, None, None], name: str) -> None:
        """Do something beside the loops; it ends with the service."""
        if self._group is None:
            work.close()
            return
        task = self._group.create_task(work, name=name)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    async def _output(self, output: Output) -> Event | None:
        match output:
            case PositionAnswered(answer):
                self._questions.answered(answer)
            case NetworkSolved():
                self._solved, self._solved_host_ns = output, time.monotonic_ns()
                self._report(output)
                if self._streaming is not None:
                    self._streaming.solved(output)
            case InputRefused():
                self._log_refusal(output)
            case CoordinateJudged():
                told = _log.error if output.judgement.verdict is Verdict.WRONG else _log.warning
                told(
                    "station.coordinate",
                    station=output.station,
                    verdict=str(output.judgement.verdict),
                    text=output.text,
                )
            case LearningDue():
                return await self._learn(output)
            case NetworkTaken():
                await self._take_network(output)
        return None

    async def _take_network(self, taken: NetworkTaken) -> None:
        changes, before = taken.changes, self._topics
        self.config = replace(self.config, network=taken.network)
        self._questions.network = taken.network
        self._topics = topics_of(self.config)
        if self._streaming is not None:
            self._streaming.change_network(taken.network)
        fresh = [topic for topic in self._topics.filters if topic not in before.filters]
        if self._link is not None and fresh:
            await self._link.subscribe(*fresh)
        for station in changes.left:
            self._reported.pop(station, None)
            self._outbox.retain(self._topics.station_status(station), b"")  # an empty one clears what is retained
        _log.info(
            "network.changed",
            kept=len(changes.kept),
            moved=list(changes.moved),
            joined=list(changes.joined),
            left=list(changes.left),
        )

    async def _learn(self, due: LearningDue) -> Event | None:
        if self._options.learning == "inline":
            return await self._learner.learn(due)
        if self._options.learning == "background":
            if self._learning:
                _log.info("learning.skipped", time_ns=due.time_ns, because="the last one still runs")
            else:
                self._learning = True
                self._aside(self._learn_aside(due), "service.learn")
        return None

    async def _learn_aside(self, due: LearningDue) -> None:
        try:
            learned = await self._learner.learn(due)
            if learned is not None:
                await self._driver.put(learned)
        finally:
            self._learning = False

    def _failed(self, event: Event, error: Exception) -> None:
        if isinstance(event, PositionAsked):
            self._questions.failed(event.request, error)

    def _report(self, solved: NetworkSolved) -> None:
        # Called between two events, when nobody else touches the engine's counters.
        health = self._engine_health
        status = network_status(self.config.network.name, solved, health.network_epochs)
        self._outbox.retain(self._topics.network_status, msgspec.json.encode(status))
        now_ns = time.monotonic_ns()
        for station in self.config.network.stations:
            one = station_status(station.id, health.stations.get(station.id, StationHealth()), solved)
            state, refused, reported_ns = self._reported.get(station.id, ("", {}, 0))
            if (one.state, one.refused) != (state, refused) or now_ns - reported_ns >= _STATION_STATUS_NS:
                self._reported[station.id] = (one.state, one.refused, now_ns)
                self._outbox.retain(self._topics.station_status(station.id), msgspec.json.encode(one))

    def _log_refusal(self, refused: InputRefused) -> None:
        key = (refused.source, refused.reason)
        self._refusals[key] += 1
        count = self._refusals[key]
        if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th ... of a kind: told, but not for ever at 1 Hz
            _log.warning(
                "input.refused", source=refused.source, reason=str(refused.reason), text=refused.text, times=count
            )
