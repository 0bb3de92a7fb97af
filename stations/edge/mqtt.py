"""MQTT as a link that heals itself: subscriptions survive reconnects, and what is lost is counted.

Built on aiomqtt 2, which neither reconnects nor counts what it drops; nobody else in the project imports it.
Everything is QoS 1, because a QoS 0 message is dropped without a trace at every full buffer on its way. The rule
to keep: a message that arrived is either yielded by :meth:`MqttLink.messages` or counted in ``dropped``.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import aiomqtt
import structlog

from stations.edge.backoff import Backoff
from stations.edge.broker_address import parse_broker_url
from stations.errors import GpsgridError, Reason

DEFAULT_QUEUE = 10_000

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_ANSWER_TIMEOUT_S = 10.0  # of the broker, for connecting, subscribing and one attempt to publish
_KEEPALIVE_S = 15  # a dead connection is noticed after 1.5 times this
_MAX_INFLIGHT = 200  # published and not yet acknowledged
_TOPICS_PER_SUBSCRIBE = 500  # keeps one SUBSCRIBE packet below every broker's limit
_DROP_REPORT_NS = 10_000_000_000
_REFUSED = 0x80  # first failure code of a SUBACK, MQTT 3.1.1 section 3.9.3


# Acknowledged messages are small writes in turn: with Nagle's algorithm each waits 40 ms for the peer's delayed ACK.
_SOCKET_OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)


class MqttMessage(NamedTuple):
    """A message as it arrived; ``arrived_host_ns`` is on the host's monotonic clock."""

    topic: str
    payload: bytes
    arrived_host_ns: int


@dataclass(frozen=True)
class LastWill:
    """What the broker says for us, retained, when the connection breaks."""

    topic: str
    payload: bytes


class MqttLink:
    """A connection to a broker that is re-established for as long as the context is open.

    Attributes:
        shown: URL of the broker without credentials.
        received: Messages taken from the broker.
        dropped: Of these, those that fell out of the full queue, oldest first.
        reconnects: Connections after the first one.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        *,
        will: LastWill | None = None,
        max_queue: int = DEFAULT_QUEUE,
        keep_trying: bool = False,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare; nothing is connected before the context is entered.

        Args:
            url: ``mqtt://`` or ``mqtts://``, with user, password and port where needed.
            client_id: Unique at the broker, which disconnects an older client of the same name.
            will: Published by the broker when we vanish, not when the context is left.
            max_queue: Messages that wait for :meth:`messages`; when one more comes, the oldest is dropped and counted.
            keep_trying: Enter the context although the broker cannot be reached yet.
            backoff: Waiting times.

        Raises:
            GpsgridError: ``BAD_CONFIG``, the URL cannot be used.
            ValueError: ``max_queue`` is not positive.
        """
        if max_queue < 1:
            message = f"max_queue is {max_queue}; expected at least 1"
            raise ValueError(message)
        self._address = parse_broker_url(url)
        self._client_id = client_id
        self._will = will
        self._max_queue = max_queue
        self._keep_trying = keep_trying
        self._backoff = backoff or Backoff()
        self.shown = self._address.shown
        self.received = 0
        self.dropped = 0
        self.reconnects = 0
        self._filters: dict[str, None] = {}  # ordered set
        self._queue: deque[MqttMessage] = deque()
        self._arrived = asyncio.Event()
        self._connected = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self._lost: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._drop_reported_ns = -_DROP_REPORT_NS
        self._drops_reported = 0

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            GpsgridError: ``BROKER_UNREACHABLE``, unless the link shall keep trying.
        """
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._keep_trying:
            first.set_result(None)
        self._task = asyncio.create_task(self._run(first), name=f"mqtt.{self._client_id}")
        try:
            await first
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect in good order, so that the will is not published."""
        await self._end()

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connected.is_set()

    @property
    def waiting(self) -> int:
        """Messages in the queue."""
        return len(self._queue)

    async def wait_connected(self) -> None:
        """Return as soon as there is a connection and the subscriptions are in force."""
        await self._connected.wait()

    async def subscribe(self, *filters: str) -> None:
        """Subscribe to topic filters at QoS 1, now and after every reconnect.

        Without a connection at present they come into force with the next one.

        Raises:
            GpsgridError: ``BROKER_UNREACHABLE``, the broker refuses a filter.
        """
        self._filters.update(dict.fromkeys(filters))
        client = self._client
        if client is None:
            return
        try:
            await self._subscribe(client, filters)
        except aiomqtt.MqttError as error:
            _log.warning("mqtt.subscribe_later", broker=self.shown, error=str(error))

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1 and return when the broker has it.

        Waits for a connection where there is none, and publishes again when it breaks before the broker has
        confirmed: a message may come twice, never not at all. Use a time-out where that may take too long.

        Raises:
            ValueError: The topic is no topic.
        """
        while True:
            await self._connected.wait()
            client, lost = self._client, self._lost
            if client is None or lost is None:
                continue
            sending = asyncio.ensure_future(client.publish(topic, payload, qos=1, retain=retain))
            try:
                # The library would wait for its time-out when the connection is gone, so both are watched.
                await asyncio.wait({sending, lost}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
                    return
            except aiomqtt.MqttError as error:
                _log.warning("mqtt.publish_again", broker=self.shown, topic=topic, error=str(error))
                await asyncio.sleep(self._backoff.first_s)
            finally:
                if not sending.done():
                    sending.cancel()
                    # Not awaited further: it only waits for an acknowledgement that cannot come.
                    with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
                        await sending

    async def messages(self) -> AsyncIterator[MqttMessage]:
        """Yield what arrives, in order, until the context is left; for one consumer."""
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._task is None or self._task.done():
                if self._task is not None and not self._task.cancelled():
                    self._task.result()
                return
            self._arrived.clear()
            await self._arrived.wait()

    async def _end(self) -> None:
        task = self._task
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, GpsgridError):
            await task

    async def _run(self, first: asyncio.Future[None]) -> None:
        try:
            await self._connect_for_ever(first)
        except Exception as error:  # a bug; whoever waits for the first connection or for messages gets to see it
            if first.done():
                raise
            first.set_exception(error)
        finally:
            self._arrived.set()  # wakes messages(), which sees that this task is done

    async def _connect_for_ever(self, first: asyncio.Future[None]) -> None:
        failures = 0
        connections = 0
        while True:
            try:
                async with self._new_client() as client:
                    await self._begin(client)
                    self.reconnects += connections > 0
                    connections, failures = connections + 1, 0
                    _log.info("mqtt.connected", broker=self.shown, client=self._client_id, connection=connections)
                    if not first.done():
                        first.set_result(None)
                    async for message in client.messages:
                        self._take(message)
            except (aiomqtt.MqttError, GpsgridError) as error:
                failures += 1
                if not first.done():
                    first.set_exception(self._unreachable(error))
                    return
                problem = str(error)
            finally:
                self._lose()
            delay_s = self._backoff.delay_s(failures)
            _log.warning("mqtt.disconnected", broker=self.shown, error=problem, again_in_s=round(delay_s, 2))
            await asyncio.sleep(delay_s)

    def _new_client(self) -> aiomqtt.Client:
        will = None if self._will is None else aiomqtt.Will(self._will.topic, self._will.payload, qos=1, retain=True)
        client = aiomqtt.Client(
            self._address.host,
            self._address.port,
            username=self._address.username or None,
            password=self._address.password or None,
            identifier=self._client_id,
            will=will,
            timeout=_ANSWER_TIMEOUT_S,
            keepalive=_KEEPALIVE_S,
            max_inflight_messages=_MAX_INFLIGHT,
            tls_context=ssl.create_default_context() if self._address.tls else None,
            socket_options=_SOCKET_OPTIONS,
        )
        client.pending_calls_threshold = 10 * _MAX_INFLIGHT  # below, the library logs a warning at every call
        return client

    async def _begin(self, client: aiomqtt.Client) -> None:
        # The client is set before its subscriptions are made: a filter that is added meanwhile is then not missed.
        self._client, self._lost = client, asyncio.get_running_loop().create_future()
        await self._subscribe(client, tuple(self._filters))
        self._connected.set()

    def _lose(self) -> None:
        self._connected.clear()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)
        self._client = self._lost = None

    async def _subscribe(self, client: aiomqtt.Client, filters: tuple[str, ...]) -> None:
        for start in range(0, len(filters), _TOPICS_PER_SUBSCRIBE):
            some = filters[start : start + _TOPICS_PER_SUBSCRIBE]
            codes = await client.subscribe([(name, 1) for name in some])
            refused = [name for name, code in zip(some, codes, strict=True) if _code_of(code) >= _REFUSED]
            if refused:
                message = (
                    f"the broker at {self.shown} refuses the subscription to {', '.join(refused)};"
                    " give this user read access to these topics"
                )
                raise GpsgridError(Reason.BROKER_UNREACHABLE, message, url=self.shown, topics=refused)

    def _take(self, message: aiomqtt.Message) -> None:
        now_ns = time.monotonic_ns()
        self.received += 1
        if len(self._queue) >= self._max_queue:
            self._queue.popleft()  # the oldest is worth least
            self.dropped += 1
            if now_ns - self._drop_reported_ns >= _DROP_REPORT_NS:
                new = self.dropped - self._drops_reported
                _log.warning("mqtt.dropped", broker=self.shown, new=new, total=self.dropped, queue=self._max_queue)
                self._drop_reported_ns, self._drops_reported = now_ns, self.dropped
        self._queue.append(MqttMessage(str(message.topic), message.payload, now_ns))
        self._arrived.set()

    def _unreachable(self, error: Exception) -> GpsgridError:
        if isinstance(error, GpsgridError):
            return error
        if isinstance(error, aiomqtt.exceptions.MqttConnectError):
            message = (
                f"the MQTT broker at {self.shown} refuses us ({error});"
                " check user and password in the URL (mqtt://user:password@host)"
            )
        else:
            message = (
                f"no MQTT broker answers at {self.shown} ({error}); start one with `gpsgrid broker`,"
                " or give the URL of yours with --broker or as url in [mqtt] of network.toml"
            )
        return GpsgridError(Reason.BROKER_UNREACHABLE, message, url=self.shown)


def _code_of(code: object) -> int:
    return int(getattr(code, "value", code))  # type: ignore[call-overload, no-any-return]
