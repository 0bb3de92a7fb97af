"""``gpsgrid serve``: everything of the service put together, and taken apart again in the opposite order."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.broker import LOOPBACK, EmbeddedBroker
from gpsgrid.edge.caster import Caster, CasterOptions
from gpsgrid.edge.http import create_app
from gpsgrid.edge.service import Service, ServiceOptions
from gpsgrid.edge.settings import load_network
from gpsgrid.edge.state_file import StateKeeper, calendar_ns, restore_engine
from gpsgrid.edge.stopping import stop_signal
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.edge.web_server import WebServer
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import NetworkChanged
from gpsgrid.query import QueryPolicy
from gpsgrid.saved_state import SavedState
from stations.antex import AntennaTable
from stations.constants import NS_PER_MS
from stations.edge.broker_address import PORT_PLAIN
from stations.edge.recordings import load_antennas
from stations.errors import GpsgridError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ServeOptions:
    """What ``gpsgrid serve`` was asked for.

    Attributes:
        broker_url: Empty for the one of ``network.toml``, or else the local one.
        host: Address that HTTP listens on.
        port: TCP port of HTTP; 0 for any free one.
        service: How the service runs.
        state: File that the engine's state is kept in and restored from; ``None`` for none.
        cold: Do not restore it.
        ntrip: The NTRIP caster; ``None`` for none.
    """

    broker_url: str = ""
    host: str = LOOPBACK
    port: int = 8080
    service: ServiceOptions = ServiceOptions()
    state: Path | None = None
    cold: bool = False
    ntrip: CasterOptions | None = None


def build_engine(config: NetworkConfig) -> Engine:
    """Return the engine of a network, with the antennas that it names and today's date.

    Raises:
        GpsgridError: The antenna file is missing or broken, or does not have an antenna.
    """
    return Engine(
        EngineConfig(
            config.network,
            load_antennas(config.network),
            calendar_ns(),
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
    if options.state is not None and not options.cold:
        await asyncio.to_thread(restore_engine, engine, options.state)
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signal())
        url = options.broker_url or config.mqtt.url or await _local_broker(stack)
        door = StreamingDoor(engine.view, config)
        service = Service(engine, config, url, options.service, door)
        web = await stack.enter_async_context(WebServer(create_app(service), options.host, options.port))
        _log.info("serve.listening", url=web.url, docs=f"{web.url}/docs", network=config.network.name)
        if options.ntrip is not None:
            caster = await stack.enter_async_context(Caster(door, options.ntrip))
            _log.info("serve.ntrip", url=caster.url, passwords=options.ntrip.users is not None)
        if options.state is not None:
            await stack.enter_async_context(_kept(engine, service, options.state))
        await stack.enter_async_context(_reloading(path, service))
        await serve_until(stop, service)
        _log.info("serve.stopped")


@asynccontextmanager
async def _reloading(path: Path, service: Service) -> AsyncIterator[None]:
    """Read ``network.toml`` again at each SIGHUP while the context is open; one with mistakes changes nothing."""
    asked = asyncio.Event()

    def load() -> tuple[NetworkConfig, AntennaTable | None]:
        config = load_network(path)
        return config, load_antennas(config.network)

    async def reload() -> None:
        while True:
            await asked.wait()
            asked.clear()
            try:
                config, antennas = await asyncio.to_thread(load)
            except GpsgridError as error:
                _log.error("network.refused", file=str(path), reason=str(error.reason), text=str(error))
                continue
            if replace(config, network=service.config.network) != replace(
                service.config, ntrip_urls=config.ntrip_urls, stream_urls=config.stream_urls
            ):
                _log.warning(
                    "network.partly", text="of [mqtt], [grid] and [align] nothing is taken over; restart for that"
                )
            await service.change_network(NetworkChanged(config.network, antennas))

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    reloading = asyncio.create_task(reload(), name="reload")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)


@asynccontextmanager
async def _kept(engine: Engine, service: Service, path: Path) -> AsyncIterator[None]:
    """Keep the state on disk while the context is open, and once more when the engine has stopped."""

    async def take() -> SavedState | None:
        await service.ready.wait()
        return await service.between_events(lambda: engine.saved_state(calendar_ns()))

    keeper = StateKeeper(path, take)
    keeping = asyncio.create_task(keeper.run(), name="state")
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await keeper.keep(engine.saved_state(calendar_ns()))


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
