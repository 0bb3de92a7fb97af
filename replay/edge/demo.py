"""``gpsgrid demo``: a broker, a simulated network that streams, the service, and a rover that asks once a second.

Nothing is short-circuited: stations publish RTCM 3 over MQTT, the service is ``gpsgrid serve`` in a process of its
own, the rover is an HTTP client. Only the sky is made up (``replay.simulator``). All ports are free ones on loopback.
"""

import asyncio
import datetime as dt
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from gpsgrid.config import DEFAULT_PREFIX
from gpsgrid.edge.broker import LOOPBACK, EmbeddedBroker
from gpsgrid.edge.stopping import run_until, stop_signal
from models.rover import RoverStatus
from replay.demonstration import Encoder, first_fix_s, network_toml, row_of_response
from replay.edge.demo_process import CommandProcess
from replay.edge.demo_screen import Screen
from replay.scenario import Scenario
from replay.score import score
from replay.simulator import SimulatedEpoch, Simulator, rover_position_m
from replay.track import TrackRow
from replay.truth import Truth
from stations.constants import NS_PER_MS, NS_PER_S
from stations.edge.mqtt import MqttLink
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_utc, to_iso

INTERRUPTED = 130

_START_TIMEOUT_S = 60.0
_NETWORK_TIMEOUT_S = 60.0
_REQUEST_TIMEOUT_S = 5.0
_PUBLISH_TIMEOUT_S = 5.0
_POLL_S = 0.1
_WAITING_QUESTIONS = 2
_BEFORE_S = 310  # the network has fixed its integers by then, and nothing has contradicted them
_BEFORE_STEP_S = 2


@dataclass
class _Run:
    """What the tasks of the demonstration share.

    Attributes:
        questions: Epochs of the rover that are to be asked.
        start_ns: First epoch; -1 before it.
        skipped: Seconds in which nothing was observed, because this machine was too busy.
        unasked: Epochs of the rover that were dropped, because answers were too slow.
        rows: Answers, in order.
        true_m: Where the rover was, by epoch in milliseconds.
    """

    questions: asyncio.Queue[tuple[bytes, SimulatedEpoch]] = field(
        default_factory=lambda: asyncio.Queue(_WAITING_QUESTIONS)
    )
    start_ns: int = -1
    skipped: int = 0
    unasked: int = 0
    rows: list[TrackRow] = field(default_factory=list)
    true_m: dict[int, tuple[float, float, float]] = field(default_factory=dict)


async def demonstrate(screen: Screen, *, seconds: float, seed: int, keep_running: bool) -> int:
    """Run the demonstration.

    Args:
        screen: Where to show it.
        seconds: How long the rover asks.
        seed: Of the simulation.
        keep_running: Go on after the summary, until a signal comes.

    Returns:
        Exit status: 0 when it has run to its end, 130 after a signal before that.

    Raises:
        GpsgridError: Something does not start, or ends by itself.
    """
    run = _Run()
    finished = asyncio.Event()
    async with stop_signal() as stop:
        await run_until(stop, _demonstrate(screen, run, finished, seconds, seed, keep_running=keep_running))
        interrupted = stop.is_set()
    if not interrupted:
        return 0
    if not finished.is_set() and run.rows:
        _summarise(screen, run, ["stopped before the end"])
    screen.say("stopped; nothing is left running")
    return 0 if finished.is_set() else INTERRUPTED


async def _demonstrate(
    screen: Screen, run: _Run, finished: asyncio.Event, seconds: float, seed: int, *, keep_running: bool
) -> None:
    screen.say("gpsgrid demo: a simulated network streams live into the real service; all of it on this machine")
    with screen.doing("preparing numerical kernels (compiled once, then kept)"):
        async with CommandProcess("warmup") as warm_up:
            await warm_up.wait_done()
    async with AsyncExitStack() as stack:
        with screen.doing("starting MQTT broker, service and HTTP API"):
            broker = await stack.enter_async_context(EmbeddedBroker())
            begin_ns = _now_ns() - _BEFORE_S * NS_PER_S
            simulator = Simulator(Scenario(), begin_ns, np.random.default_rng(seed))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gpsgrid-demo-")))
            file = folder / "network.toml"
            file.write_text(network_toml(simulator.network, broker.url), encoding="utf-8")
            serve = CommandProcess("serve", str(file), "--host", LOOPBACK, "--port", "0")
            service = await stack.enter_async_context(serve)
            url = str((await service.logged("serve.listening", _START_TIMEOUT_S))["url"])
            link = await stack.enter_async_context(MqttLink(broker.url, f"gpsgrid-demo-{os.getpid()}"))
            client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=url, timeout=_REQUEST_TIMEOUT_S, trust_env=False)
            )
        screen.say(f"MQTT broker ({broker.program}): {broker.url}   topics {DEFAULT_PREFIX}/#")
        screen.say(f"HTTP API: {url}/v1/position   documentation: {url}/docs   metrics: {url}/metrics")
        screen.say(_scene(simulator))
        encoder = Encoder(simulator)
        with screen.doing(f"streaming the last {_BEFORE_S / 60:.0f} minutes of the stations at speed"):
            await run_until(asyncio.Event(), _catch_up(encoder, link, client, begin_ns), service.watch(), broker.wait())
        never = asyncio.Event()
        await run_until(
            never,
            _ask(screen, run, client, seconds, finished=finished, keep_running=keep_running),
            _observe(encoder, link, run),
            service.watch(),
            broker.wait(),
        )
    if not keep_running:
        more = [f"the API was documented at {url}/docs; `gpsgrid demo --keep-running` leaves everything up"]
        _summarise(screen, run, more)


def _scene(simulator: Simulator) -> str:
    scenario = simulator.scenario
    stations_m = np.array([station.marker_m for station in simulator.network.stations])
    rover_m = rover_position_m(scenario.rover_path, 0.0)
    distance_km = np.sort(np.linalg.norm(stations_m - rover_m, axis=1)) / 1000.0
    return (
        f"{len(stations_m)} stations at 1 Hz, {distance_km[0]:.0f} to {distance_km[-1]:.0f} km from a rover that drives"
        f" a figure of eight {2 * scenario.rover_path.half_width_m:.0f} m wide and asks once a second"
    )


async def _catch_up(encoder: Encoder, link: MqttLink, client: httpx.AsyncClient, begin_ns: int) -> None:
    """Publish what the stations have observed until now, so that the rover meets a network that is running."""
    time_ns = begin_ns // NS_PER_S * NS_PER_S
    while time_ns + _BEFORE_STEP_S * NS_PER_S <= _now_ns():
        while time_ns + _BEFORE_STEP_S * NS_PER_S <= _now_ns():
            time_ns += _BEFORE_STEP_S * NS_PER_S
            await _publish(link, encoder.stations(time_ns))
        # A station that was silent at this very second leaves the epoch open until the next.
        await _network_ready(client, time_ns - _BEFORE_STEP_S * NS_PER_S)


async def _publish(link: MqttLink, payloads: dict[str, bytes]) -> None:
    topics = {f"{DEFAULT_PREFIX}/stations/{name}/rtcm3": payload for name, payload in payloads.items()}
    await asyncio.gather(*(link.publish(topic, payload) for topic, payload in topics.items()))


async def _observe(encoder: Encoder, link: MqttLink, run: _Run) -> None:
    """Let stations and rover observe at every full second of GPS time; publish the one, queue the other."""
    async for time_ns in _full_seconds(run):
        payloads = encoder.stations(time_ns)
        question = encoder.rover(time_ns)
        if run.start_ns < 0:
            run.start_ns = time_ns
        if run.questions.full():
            run.questions.get_nowait()
            run.unasked += 1
        run.questions.put_nowait(question)
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S):
                await _publish(link, payloads)
        except TimeoutError:
            run.skipped += 1


async def _full_seconds(run: _Run) -> AsyncIterator[int]:
    time_ns = _now_ns() // NS_PER_S * NS_PER_S
    while True:
        due_ns = time_ns + NS_PER_S
        late = max(0, (_now_ns() - due_ns) // NS_PER_S)
        run.skipped += late
        time_ns = due_ns + late * NS_PER_S
        await asyncio.sleep(max(0, time_ns - _now_ns()) / NS_PER_S)
        yield time_ns


async def _ask(
    screen: Screen, run: _Run, client: httpx.AsyncClient, seconds: float, *, finished: asyncio.Event, keep_running: bool
) -> None:
    """Ask once a second."""
    first_ns = -1
    with screen.answering():
        while True:
            body, one = await run.questions.get()
            time_ns = one.epoch.time_ns
            first_ns = time_ns if first_ns < 0 else first_ns
            row = await _answer(client, body, time_ns)
            x, y, z = one.position_m.tolist()
            run.rows.append(row)
            run.true_m[time_ns // NS_PER_MS] = (x, y, z)
            screen.answer(row, one.position_m, (time_ns - run.start_ns) / NS_PER_S)
            if not finished.is_set() and time_ns - first_ns >= (seconds - 1) * NS_PER_S:
                finished.set()
                if not keep_running:
                    return
                docs = client.base_url.join("/docs")
                _summarise(screen, run, [f"still running, the API is documented at {docs}; Ctrl-C ends it"])


async def _network_ready(client: httpx.AsyncClient, time_ns: int) -> None:
    """Wait until the service has solved an epoch."""
    answered = ""
    try:
        async with asyncio.timeout(_NETWORK_TIMEOUT_S):
            while True:
                response = await client.get("/v1/health")
                answered = response.text
                # Times of ISO 8601 are in the order of their letters.
                if (response.json().get("network_epoch_gpst") or "") >= to_iso(time_ns):
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        message = f"the service has not solved {to_iso(time_ns)} within {_NETWORK_TIMEOUT_S:.0f} s; it says: {answered}"
        raise GpsgridError(Reason.NO_NETWORK, message) from None


async def _answer(client: httpx.AsyncClient, body: bytes, time_ns: int) -> TrackRow:
    started_ns = time.monotonic_ns()
    try:
        response = await client.post("/v1/position", content=body)
    except httpx.HTTPError as error:
        latency_ms = (time.monotonic_ns() - started_ns) / NS_PER_MS
        reason = f"no answer over HTTP: {error!r}"
        return TrackRow(time_ns, RoverStatus.NONE, latency_ms=latency_ms, reason=reason)
    latency_ms = (time.monotonic_ns() - started_ns) / NS_PER_MS
    return row_of_response(response.status_code, response.content, time_ns, latency_ms)


def _summarise(screen: Screen, run: _Run, more: list[str]) -> None:
    if run.skipped or run.unasked:
        busy = f"this machine was too busy: {run.skipped} seconds without observations, {run.unasked} without question"
        more = [busy, *more]
    screen.summary(score(run.rows, Truth(by_ms=run.true_m)), first_fix_s(run.rows, run.start_ns), more)


def _now_ns() -> int:
    return from_utc(dt.datetime.now(dt.UTC))
