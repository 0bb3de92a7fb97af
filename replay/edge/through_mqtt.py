"""A replay in which every byte goes through a broker and the live service: the same positions, and true latencies.

Station payloads and queries are published as stations and a client would, and the next epoch waits for the answer.
The learner is waited for, so that new hyperparameters come into force at the same epoch as offline.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import msgspec

from gpsgrid.answer_json import AnswerJson, QuestionJson
from gpsgrid.config import MqttConfig, NetworkConfig
from gpsgrid.edge.broker import EmbeddedBroker
from gpsgrid.edge.service import Service, ServiceOptions
from gpsgrid.engine import Engine
from gpsgrid.events import Event, LearningDue, NetworkSolved, Output
from gpsgrid.network_view import NetworkView
from gpsgrid.topics import topics_of
from models.rover import RoverStatus
from replay.edge.prepare import Prepared
from replay.edge.run import ReplayReport, RowSink
from replay.track import TrackRow
from stations.arrays import FloatArray
from stations.constants import NS_PER_MS, NS_PER_S
from stations.edge.broker_address import parse_broker_url
from stations.edge.mqtt import MqttLink
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_iso, to_iso

_CLIENT = "replay"
# Longer than live: a pause of this machine must not make a station late that was in time when it was recorded.
_WAIT_NS = NS_PER_S
_ANSWER_TIMEOUT_S = 180.0  # the learner may be starting
_POLL_S = 0.001
_NAN = float("nan")


class _WatchedEngine:
    """The engine, and notes about what it put out; touched by the service's engine thread only."""

    def __init__(self, engine: Engine, report: ReplayReport) -> None:
        self._engine = engine
        self._report = report
        self.health = engine.health
        self.learning_dues = 0
        self.solved_ns = 0

    def handle(self, event: Event) -> list[Output]:
        outputs = self._engine.handle(event)
        for output in outputs:
            self._report.observe(output)
            match output:
                case LearningDue():
                    self.learning_dues += 1
                case NetworkSolved():
                    self.solved_ns = output.time_ns
                case _:
                    pass
        return outputs

    def deadline(self) -> int | None:
        return self._engine.deadline()

    def view(self, position_m: FloatArray) -> NetworkView | None:
        return self._engine.view(position_m)


def run_through_mqtt(prepared: Prepared, sink: RowSink, report: ReplayReport, broker_url: str = "") -> None:
    """Call :func:`replay_through_mqtt` in an event loop of its own; Ctrl-C ends it in good order."""
    asyncio.run(replay_through_mqtt(prepared, sink, report, broker_url))


async def replay_through_mqtt(prepared: Prepared, sink: RowSink, report: ReplayReport, broker_url: str = "") -> None:
    """Replay through a broker.

    Args:
        prepared: Used up.
        sink: Is given one row for every rover epoch, in the order of time; what it raises ends the replay.
        report: Is filled in, with latencies, also when the replay is interrupted.
        broker_url: A broker that runs; empty for an embedded one. Topics start with a prefix of our own, so that a
            live service at the same broker is not disturbed.

    Raises:
        GpsgridError: ``BROKER_UNREACHABLE``, at the start or because answers stay away.
    """
    started_ns = time.perf_counter_ns()
    async with AsyncExitStack() as stack:
        report.broker = parse_broker_url(broker_url).shown if broker_url else ""
        if not broker_url:
            broker = await stack.enter_async_context(EmbeddedBroker())
            broker_url = broker.url
            report.broker = f"{broker.program} at {broker.url}"
        config = _private(prepared.config)
        engine = _WatchedEngine(Engine(prepared.engine_config(wait_ns=_WAIT_NS)), report)
        stack.callback(report.finish, engine.health, started_ns)
        service = await stack.enter_async_context(_running(engine, config, broker_url))
        link = await stack.enter_async_context(MqttLink(broker_url, f"gpsgrid-replay-{os.getpid()}"))
        work = _Conversation(link, config, engine, report, sink).hold(prepared)
        replaying = asyncio.create_task(work, name="replay.epochs")
        try:
            await asyncio.wait({replaying, service}, return_when=asyncio.FIRST_COMPLETED)
            if service.done():
                service.result()  # raises why it ended
            await replaying
        finally:
            replaying.cancel()


def _private(config: NetworkConfig) -> NetworkConfig:
    stations = tuple(replace(station, topic="") for station in config.network.stations)
    return replace(
        config,
        network=replace(config.network, stations=stations),
        mqtt=MqttConfig(prefix=f"gpsgrid/replay/{os.getpid()}"),
    )


@asynccontextmanager
async def _running(engine: _WatchedEngine, config: NetworkConfig, broker_url: str) -> AsyncIterator[asyncio.Task[None]]:
    options = ServiceOptions(learning="inline", answer_timeout_s=_ANSWER_TIMEOUT_S)
    service = Service(engine, config, broker_url, options)
    task = asyncio.create_task(service.run(), name="replay.service")
    ready = asyncio.create_task(service.ready.wait(), name="replay.ready")
    try:
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()  # raises why it could not start
        yield task
    finally:
        ready.cancel()
        service.stop()
        await task


class _Conversation:
    """The stations and the client, in the order of time."""

    def __init__(
        self, link: MqttLink, config: NetworkConfig, engine: _WatchedEngine, report: ReplayReport, sink: RowSink
    ) -> None:
        self._link = link
        self._topics = topics_of(config)
        self._station_topics = {station.id: config.topic_of(station) for station in config.network.stations}
        self._engine = engine
        self._report = report
        self._sink = sink
        self._answers = link.messages()

    async def hold(self, prepared: Prepared) -> None:
        recording, rover = prepared.recording, prepared.rover
        await self._link.subscribe(self._topics.answer(_CLIENT))
        stations_ns, rover_ns = set(recording.times_ns), set(rover.times_ns)
        for time_ns in sorted(stations_ns | rover_ns):
            # Encoded before the clock starts: that is the work of the stations and of the rover.
            payloads = recording.payloads(time_ns) if time_ns in stations_ns else []
            query = rover.payload(time_ns) if time_ns in rover_ns else b""
            try:
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    await self._epoch(time_ns, payloads, query)
            except TimeoutError:
                message = (
                    f"epoch {to_iso(time_ns)}: no answer through {self._link.shown} within {_ANSWER_TIMEOUT_S:.0f} s; "
                    f"is the broker still running?"
                )
                raise GpsgridError(Reason.BROKER_UNREACHABLE, message, broker=self._link.shown) from None

    async def _epoch(self, time_ns: int, payloads: list[tuple[str, bytes]], query: bytes) -> None:
        request = to_iso(time_ns)
        learning_dues = self._engine.learning_dues
        began_ns = time.perf_counter_ns()
        await asyncio.gather(*(self._link.publish(self._station_topics[name], payload) for name, payload in payloads))
        if not query:
            await self._solved(time_ns)
            return
        question = msgspec.json.encode(QuestionJson(query, request))
        await self._link.publish(self._topics.query(_CLIENT), question)
        answer = await self._answer(request)
        latency_ms = (time.perf_counter_ns() - began_ns) / NS_PER_MS
        report = self._report
        learning = self._engine.learning_dues > learning_dues
        (report.learning_latency_ms if learning else report.latency_ms).append(latency_ms)
        report.epochs += 1
        self._sink(_row(answer, time_ns, latency_ms))

    async def _answer(self, request: str) -> AnswerJson:
        async for message in self._answers:
            answer = msgspec.json.decode(message.payload, type=AnswerJson)
            if answer.request == request:  # QoS 1: an answer may come twice
                return answer
        text = f"the connection to {self._link.shown} was closed before the answer to {request} came"
        raise GpsgridError(Reason.BROKER_UNREACHABLE, text, broker=self._link.shown)

    async def _solved(self, time_ns: int) -> None:
        # Nobody asks at this epoch; without waiting, hours of it would pile up in front of the engine.
        for _ in range(round(2 * _WAIT_NS / NS_PER_S / _POLL_S)):
            if self._engine.solved_ns >= time_ns:
                return
            await asyncio.sleep(_POLL_S)


def _row(answer: AnswerJson, time_ns: int, latency_ms: float) -> TrackRow:
    # JSON carries floats in full, so a row has the same bytes as one that never left the process.
    unknown = (_NAN, _NAN, _NAN)
    return TrackRow(
        from_iso(answer.time_gpst) if answer.time_gpst else time_ns,
        RoverStatus(answer.status),
        answer.position.ecef_m if answer.position else unknown,
        answer.sd_enu_m or unknown,
        len(answer.satellites.used),
        _NAN if answer.wrong_fix_probability is None else answer.wrong_fix_probability,
        _NAN if answer.age_s is None else answer.age_s,
        latency_ms,
        answer.cell or "",
        f"{answer.refusal}: {answer.reason}" if answer.refusal else answer.reason,
    )
