"""What the service publishes: a slow or absent broker costs messages, never memory and never the engine's time.

Retained statuses are pictures: a newer one replaces an older one that has not gone out. So does an epoch of a stream,
which is not retained: where the broker is slow only the newest is worth sending, and what it replaced is counted.
Answers are letters: they wait in a bounded queue, and when it is full the oldest is dropped and counted.
"""

import asyncio
from collections import deque

import structlog

from stations.edge.mqtt import MqttLink

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_SENDERS = 8  # answers on their way at the same time; the broker confirms each


class Outbox:
    """Messages on their way to the broker.

    Attributes:
        dropped: Answers that fell out of the full queue.
        overtaken: Epochs of streams that a newer one replaced before they went out.
    """

    def __init__(self, max_answers: int = 1000) -> None:
        """Start empty."""
        self.dropped = 0
        self.overtaken = 0
        self._max_answers = max_answers
        self._pictures: dict[str, bytes] = {}
        self._letters: deque[tuple[str, bytes]] = deque()
        self._epochs: dict[str, bytes] = {}
        self._pictures_changed = asyncio.Event()
        self._epochs_changed = asyncio.Event()
        self._letters_changed = asyncio.Event()

    def retain(self, topic: str, payload: bytes) -> None:
        """Publish a retained message; only the newest of a topic matters."""
        self._pictures[topic] = payload
        self._pictures_changed.set()

    def stream(self, topic: str, payload: bytes) -> None:
        """Publish an epoch of a stream, which is not retained; only the newest of a topic matters."""
        self.overtaken += topic in self._epochs
        self._epochs[topic] = payload
        self._epochs_changed.set()

    def send(self, topic: str, payload: bytes) -> None:
        """Publish a message once."""
        if len(self._letters) >= self._max_answers:
            self._letters.popleft()
            self.dropped += 1
            if self.dropped & (self.dropped - 1) == 0:  # the 1st, 2nd, 4th, 8th ...
                _log.warning("outbox.dropped", total=self.dropped, queue=self._max_answers)
        self._letters.append((topic, payload))
        self._letters_changed.set()

    async def run(self, link: MqttLink) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_pictures(link), name="outbox.retained")
            for number in range(_SENDERS):
                group.create_task(self._send_letters(link), name=f"outbox.answers.{number}")
                group.create_task(self._send_epochs(link), name=f"outbox.streams.{number}")

    async def _send_pictures(self, link: MqttLink) -> None:
        while True:
            await self._pictures_changed.wait()
            self._pictures_changed.clear()
            while self._pictures:
                topic = next(iter(self._pictures))
                await self._publish(link, topic, self._pictures.pop(topic), retain=True)

    async def _send_epochs(self, link: MqttLink) -> None:
        while True:
            await self._epochs_changed.wait()
            if not self._epochs:
                self._epochs_changed.clear()
                continue
            topic = next(iter(self._epochs))
            await self._publish(link, topic, self._epochs.pop(topic), retain=False)

    async def _send_letters(self, link: MqttLink) -> None:
        while True:
            await self._letters_changed.wait()
            if not self._letters:
                self._letters_changed.clear()
                continue
            topic, payload = self._letters.popleft()
            await self._publish(link, topic, payload, retain=False)

    async def _publish(self, link: MqttLink, topic: str, payload: bytes, *, retain: bool) -> None:
        try:
            await link.publish(topic, payload, retain=retain)
        except Exception:  # noqa: BLE001 - one message that cannot be sent must not end the others
            _log.exception("outbox.failed", topic=topic)
