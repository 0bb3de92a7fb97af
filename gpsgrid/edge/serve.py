"""``gpsgrid serve``: everything of the service put together, and taken apart again in the opposite order."""

import asyncio
import datetime as dt
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.broker import LOOPBACK, EmbeddedBroker
from gpsgrid.edge.http import create_app
from gpsgrid.edge.service import Service, ServiceOptions
from gpsgrid.edge.settings import load_network
from gpsgrid.edge.stopping import stop_signal
from gpsgrid.edge.web_server import WebServer
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.query import QueryPolicy
from stations.constants import NS_PER_MS
from stations.edge.broker_address import PORT_PLAIN
from stations.edge.recordings import load_antennas
from stations.gpstime import from_utc

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """What ``gpsgrid serve`` was asked for.

    Attributes:
        broker_url: Empty for the one of ``network.toml``, or else the local one.
        host: Address that HTTP listens on.
        port: TCP port of HTTP; 0 for any free one.
        service: How the service runs.
    """

    broker_url: str = ""
    host: str = LOOPBACK
    port: int = 8080
    service: ServiceOptions = ServiceOptions()


def build_engine(config: NetworkConfig) -> Engine:
    """Return the engine of a network, with the antennas that it names and today's date.

    Raises:
        GpsgridError: The antenna file is missing or broken, or does not have an antenna.
    """
    return Engine(
        EngineConfig(
            config.network,
            load_antennas(config.network),
            from_utc(dt.datetime.now(dt.UTC)),
            wait_ns=config.align_deadline_ms * NS_PER_MS,
            query=QueryPolicy(resolution=config.grid_resolution),
        )
    )


async def serve(path: Path, options: ServeOptions) -> None:
    """Serve a network until a signal comes.

    Args:
        path: ``network.toml``.
        options: As on the command line.

    Raises:
        GpsgridError: Something is wrong with the files, the broker cannot be reached, or a port is in use.
    """
    config = load_network(path)
    engine = await asyncio.to_thread(build_engine, config)
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signal())
        url = options.broker_url or config.mqtt.url or await _local_broker(stack)
        service = Service(engine, config, url, options.service)
        web = await stack.enter_async_context(WebServer(create_app(service), options.host, options.port))
        _log.info("serve.listening", url=web.url, docs=f"{web.url}/docs", network=config.network.name)
        await serve_until(stop, service)
        _log.info("serve.stopped")


async def serve_until(stop: asyncio.Event, service: Service) -> None:
    """Run a service and end it in good order, with a farewell to the broker, when the event is set."""
    running = asyncio.create_task(service.run(), name="service")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        service.stop()
        await running
    finally:
        stopped.cancel()
        running.cancel()


async def _local_broker(stack: AsyncExitStack) -> str:
    """Return the URL of the broker at the standard port of this machine; start one there if there is none."""
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, PORT_PLAIN)
    except OSError:
        broker = await stack.enter_async_context(EmbeddedBroker(port=PORT_PLAIN))
        return broker.url
    writer.close()
    return f"mqtt://{LOOPBACK}:{PORT_PLAIN}"
