"""One station's stream to the broker, one message an epoch; a slow broker costs old epochs, never memory.

What goes wrong with a station ends up in its :class:`StationLine` and in the log, and disturbs no other station.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from stations.constants import NS_PER_S
from stations.edge.files import read_bytes
from stations.edge.host_time import gps_now_ns
from stations.edge.mqtt import MqttLink
from stations.edge.stream import Stream
from stations.epoch_payloads import EpochGatherer, EpochPayload

MAX_WAITING = 100  # epochs of a live station; older ones are worth nothing to anybody

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# An epoch whose last message never comes, or says that more follow, is sent when nothing came for so long.
_IDLE_S = 0.3
_RATE_WINDOW_S = 10.0
_BLOCK = 1 << 12
_HALF_DAY_NS = 43_200 * NS_PER_S


@dataclass
class StationLine:
    """What is told about one station while it is published.

    Attributes:
        id: The station.
        source: Where its data come from, without credentials.
        topic: Where they go.
        messages: Published so far.
        last_epoch_ns: Time of the last epoch, ns of GPS time; 0 before the first.
        dropped: Epochs that the broker was too slow for.
        stream: The live source, if it is one.
        gatherer: Counters of its frames, where they are looked at.
        problem: What ended it, or empty.
        done: Nothing more will come.
    """

    id: str
    source: str
    topic: str
    messages: int = 0
    last_epoch_ns: int = 0
    dropped: int = 0
    stream: Stream | None = None
    gatherer: EpochGatherer | None = None
    problem: str = ""
    done: bool = False
    _sent_s: deque[float] = field(default_factory=lambda: deque(maxlen=1000))

    def sent(self, time_ns: int | None) -> None:
        """Count a message that the broker has."""
        self.messages += 1
        self.last_epoch_ns = time_ns or self.last_epoch_ns
        self._sent_s.append(time.monotonic())

    @property
    def rate_hz(self) -> float:
        """Messages per second, over the last ten seconds."""
        # The board is drawn by another thread, which must not see the row change.
        recent = [at_s for at_s in self._sent_s.copy() if at_s > time.monotonic() - _RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0


class Timeline:
    """When recorded epochs are due: as far apart as they were, divided by the speed."""

    def __init__(self, first_ns: int, speed: float | None) -> None:
        """Start the clock; the first epoch is due now. Without a speed everything is."""
        self._first_ns = first_ns
        self._speed = speed
        self._started_ns = time.monotonic_ns()

    async def wait(self, time_ns: int) -> None:
        """Return when an epoch is due."""
        if self._speed is None:
            return
        due_ns = self._started_ns + (time_ns - self._first_ns) / self._speed
        await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S))


async def publish_stream(line: StationLine, stream: Stream, link: MqttLink) -> None:
    """Publish a live source until cancelled."""
    gatherer = EpochGatherer()
    line.stream, line.gatherer = stream, gatherer
    waiting: deque[EpochPayload] = deque()
    arrived = asyncio.Event()

    def take(epoch: EpochPayload | None) -> None:
        if epoch is None:
            return
        if len(waiting) >= MAX_WAITING:
            waiting.popleft()
            line.dropped += 1
            if line.dropped & (line.dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th ...
                _log.warning("publish.dropped", station=line.id, total=line.dropped, queue=MAX_WAITING)
        waiting.append(epoch)
        arrived.set()

    async def send() -> None:
        while True:
            await arrived.wait()
            arrived.clear()
            while waiting:
                epoch = waiting.popleft()
                await link.publish(line.topic, epoch.data)
                line.sent(epoch.time_ns)

    sender = asyncio.create_task(send(), name=f"publish.send.{line.id}")
    loop = asyncio.get_running_loop()
    idle: asyncio.TimerHandle | None = None
    try:
        async for arrival in stream.arrivals():
            if idle is not None:
                idle.cancel()
            for epoch in gatherer.push(arrival.data, gps_now_ns()):
                take(epoch)
            idle = loop.call_later(_IDLE_S, lambda: take(gatherer.flush()))
    finally:
        line.done = True
        if idle is not None:
            idle.cancel()
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


def epochs_of_files(paths: list[Path], who: str, near_ns: int) -> tuple[list[EpochPayload], EpochGatherer]:
    """Read RTCM files of one station, in their order, as the epochs that were once sent.

    Args:
        paths: The files.
        who: Who needs them, for the message.
        near_ns: Any time within half a week of the first epoch, ns of GPS time; the others follow from it.

    Raises:
        GpsgridError: ``MISSING_FILE``.
    """
    blocks = [read_bytes(path, who) for path in paths]
    epochs, gatherer = _gather(blocks, near_ns)
    dated_ns = gatherer.first_dated_ns
    first_ns = next((epoch.time_ns for epoch in epochs if epoch.time_ns is not None), dated_ns)
    if dated_ns is not None and first_ns is not None and abs(dated_ns - first_ns) > _HALF_DAY_NS:
        # It starts with GLONASS alone, which knows no day: what comes later says which one it was.
        epochs, gatherer = _gather(blocks, dated_ns)
    return epochs, gatherer


def _gather(blocks: list[bytes], near_ns: int) -> tuple[list[EpochPayload], EpochGatherer]:
    gatherer = EpochGatherer()
    epochs: list[EpochPayload] = []
    for data in blocks:
        for start in range(0, len(data), _BLOCK):
            epochs += gatherer.push(data[start : start + _BLOCK], near_ns)
            near_ns = next((epoch.time_ns for epoch in reversed(epochs) if epoch.time_ns is not None), near_ns)
    last = gatherer.flush()
    return (epochs if last is None else [*epochs, last]), gatherer


async def publish_epochs(line: StationLine, epochs: list[EpochPayload], timeline: Timeline, link: MqttLink) -> None:
    """Publish recorded epochs when they are due; those without observations go with the one before."""
    for epoch in epochs:
        if epoch.time_ns is not None:
            await timeline.wait(epoch.time_ns)
        await link.publish(line.topic, epoch.data)
        line.sent(epoch.time_ns)
    line.done = True
