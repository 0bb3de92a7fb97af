"""The MQTT link against real brokers on loopback: order, loss that is counted, reconnects, clear errors."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from gpsgrid.edge.broker import EmbeddedBroker
from stations.edge.backoff import Backoff
from stations.edge.broker_address import parse_broker_url
from stations.edge.mqtt import LastWill, MqttLink
from stations.errors import GpsgridError, Reason

pytestmark = pytest.mark.broker

SOON_S = 15.0
QUICK = Backoff(0.05, 0.2)


@pytest.fixture(params=["mosquitto", "amqtt"])
def program(request) -> str:
    if request.param == "mosquitto" and shutil.which("mosquitto") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("mosquitto is not on PATH")
    return request.param


@pytest.fixture
async def broker(program: str) -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker(program=program) as running:
        yield running


async def _take(link: MqttLink, count: int) -> list[tuple[str, bytes]]:
    found = []
    async with asyncio.timeout(SOON_S):
        async for message in link.messages():
            found.append((message.topic, message.payload))
            if len(found) == count:
                break
    return found


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - the link offers no event for what is waited for
            await asyncio.sleep(0.01)


async def test_messages_arrive_once_in_order_and_with_a_time(broker: EmbeddedBroker):
    async with MqttLink(broker.url, "in") as receiver, MqttLink(broker.url, "out") as sender:
        await receiver.subscribe("a/+/rtcm3")
        for number in range(50):
            await sender.publish("a/X/rtcm3", bytes([0xD3, 0, number]))
        found = await _take(receiver, 50)
    assert found == [("a/X/rtcm3", bytes([0xD3, 0, number])) for number in range(50)]
    assert (receiver.received, receiver.dropped, receiver.reconnects) == (50, 0, 0)


async def test_a_burst_is_received_whole_by_a_slow_consumer(broker: EmbeddedBroker):
    """QoS 0 of the successor of this library dropped 198 of 200 here, without a word."""
    async with MqttLink(broker.url, "in") as receiver, MqttLink(broker.url, "out") as sender:
        await receiver.subscribe("burst")
        await asyncio.gather(*(sender.publish("burst", bytes([number])) for number in range(200)))
        found = []
        async with asyncio.timeout(SOON_S):
            async for message in receiver.messages():
                await asyncio.sleep(0.001)
                found.append(message.payload[0])
                if len(found) == 200:
                    break
    assert sorted(found) == list(range(200))


async def test_what_does_not_fit_the_queue_is_counted_and_the_newest_stays(broker: EmbeddedBroker):
    async with MqttLink(broker.url, "in", max_queue=10) as receiver, MqttLink(broker.url, "out") as sender:
        await receiver.subscribe("flood")
        for number in range(60):
            await sender.publish("flood", bytes([number]))
        await _until(lambda: receiver.received == 60)
        found = [payload[0] for _, payload in await _take(receiver, 10)]
    assert found == list(range(50, 60))
    assert (receiver.received, receiver.dropped) == (60, 50)


async def test_the_link_comes_back_after_a_restart_with_its_subscriptions(program: str):
    async with AsyncExitStack() as stack:
        async with EmbeddedBroker(program=program) as first:
            receiver = await stack.enter_async_context(MqttLink(first.url, "in", backoff=QUICK))
            sender = await stack.enter_async_context(MqttLink(first.url, "out", backoff=QUICK))
            await receiver.subscribe("again")
            await sender.publish("again", b"before")
            assert await _take(receiver, 1) == [("again", b"before")]
        await _until(lambda: not receiver.connected and not sender.connected)
        # Retained, because the sender may be back before the receiver.
        late = asyncio.create_task(sender.publish("again", b"written without a broker", retain=True))
        await asyncio.sleep(0.1)
        assert not late.done()
        async with EmbeddedBroker(program=program, port=first.port):
            async with asyncio.timeout(SOON_S):
                await late
            assert await _take(receiver, 1) == [("again", b"written without a broker")]
            assert (receiver.reconnects, sender.reconnects) == (1, 1)
            await stack.aclose()


async def test_the_will_is_published_when_the_client_vanishes_and_not_when_it_leaves(broker: EmbeddedBroker):
    async with MqttLink(broker.url, "watch") as watcher:
        await watcher.subscribe("status/#")
        async with MqttLink(broker.url, "polite", will=LastWill("status/polite", b"gone")):
            pass
        rude = MqttLink(broker.url, "rude", will=LastWill("status/rude", b"gone"))
        async with rude:
            rude._client._client._sock.shutdown(socket.SHUT_RDWR)  # a cable pulled out
            found = await _take(watcher, 1)
    assert found == [("status/rude", b"gone")]


async def test_no_broker_is_an_error_that_says_what_to_do(unused_tcp_port: int):
    with pytest.raises(GpsgridError) as caught:
        async with MqttLink(f"mqtt://me:secret@127.0.0.1:{unused_tcp_port}", "x"):
            pass
    assert caught.value.reason is Reason.BROKER_UNREACHABLE
    assert f"mqtt://127.0.0.1:{unused_tcp_port}" in str(caught.value)
    assert "`gpsgrid broker`" in str(caught.value)
    assert "secret" not in f"{caught.value} {caught.value.facts}"


async def test_a_link_that_keeps_trying_starts_without_a_broker(unused_tcp_port: int):
    url = f"mqtt://127.0.0.1:{unused_tcp_port}"
    async with MqttLink(url, "patient", keep_trying=True, backoff=QUICK) as link:
        await link.subscribe("later")
        assert not link.connected
        async with EmbeddedBroker(port=unused_tcp_port) as broker, MqttLink(broker.url, "out") as sender:
            async with asyncio.timeout(SOON_S):
                await link.wait_connected()
            await sender.publish("later", b"heard")
            assert await _take(link, 1) == [("later", b"heard")]


async def test_messages_end_with_the_link(broker: EmbeddedBroker):
    link = MqttLink(broker.url, "short")
    async with link:
        consumer = asyncio.create_task(_take(link, 1))
        await asyncio.sleep(0.05)
    assert await consumer == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", ("broker", 1883, "", "", False)),
        ("mqtts://u%40x:p%3A%2Fw@broker.example:9000/", ("broker.example", 9000, "u@x", "p:/w", True)),
        ("mqtts://[::1]", ("::1", 8883, "", "", True)),
    ],
)
def test_urls_are_taken_apart(url: str, expected: tuple):
    address = parse_broker_url(url)
    assert (address.host, address.port, address.username, address.password, address.tls) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker:1883",
        "http://u:secret@broker",
        "mqtt://u:secret@",
        "mqtt://u:secret@broker:99999",
        "mqtt://u:secret@broker/topic",
        "mqtt://u:secret@[::1",
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str):
    with pytest.raises(GpsgridError) as caught:
        parse_broker_url(url)
    assert caught.value.reason is Reason.BAD_CONFIG
    assert "mqtt://" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_representation_of_an_address_hides_the_password():
    address = parse_broker_url("mqtt://u:secret@broker")
    assert "secret" not in repr(address)
    assert address.shown == "mqtt://broker:1883"


def test_waiting_times_grow_to_a_limit_and_differ():
    backoff = Backoff(1.0, 8.0)
    delays = [[backoff.delay_s(failures) for _ in range(50)] for failures in (1, 2, 3, 4, 50)]
    for some, limit in zip(delays, (1.0, 2.0, 4.0, 8.0, 8.0), strict=True):
        assert max(some) <= limit
        assert min(some) > 0.0
        assert len(set(some)) > 40
