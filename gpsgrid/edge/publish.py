"""``gpsgrid publish``: recorded files as live streams, one MQTT message per station and epoch."""

import asyncio
import os
import time
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.settings import load_network
from gpsgrid.edge.stopping import run_until, stop_signal
from stations.constants import NS_PER_S
from stations.edge.mqtt import MqttLink
from stations.edge.recordings import load_recording
from stations.gpstime import to_iso
from stations.recorded import Recording

DEFAULT_BROKER = "mqtt://127.0.0.1:1883"

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def publish_network(path: Path, broker_url: str, speed: float | None, console: Console) -> int:
    """Publish the recorded observations of a network until they end or a signal comes.

    Args:
        path: ``network.toml``.
        broker_url: Empty for the one of ``network.toml``, or else the local one.
        speed: Seconds of data per second; ``None`` for as fast as the broker takes them.
        console: For the progress bar.

    Returns:
        Messages published.

    Raises:
        GpsgridError: Something is wrong with the files, or the broker cannot be reached.
    """
    config = load_network(path)
    with console.status(f"reading the files of {config.network.name}"):
        recording = await asyncio.to_thread(load_recording, config.network)
    url = broker_url or config.mqtt.url or DEFAULT_BROKER
    counts: list[int] = [0]
    async with stop_signal() as stop, MqttLink(url, f"gpsgrid-publish-{os.getpid()}") as link:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as progress:
            console.print(f"publishing {config.network.name} to {link.shown} under {config.mqtt.prefix}/stations/")
            await run_until(stop, _publish(config, recording, link, speed, progress, counts))
    return counts[0]


async def _publish(
    config: NetworkConfig,
    recording: Recording,
    link: MqttLink,
    speed: float | None,
    progress: Progress,
    counts: list[int],
) -> None:
    topic_of = {station.id: config.topic_of(station) for station in config.network.stations}
    bar = progress.add_task("epochs", total=len(recording.times_ns))
    started_ns, first_ns = time.monotonic_ns(), recording.times_ns[0]
    for time_ns in recording.times_ns:
        if speed is not None:
            due_ns = started_ns + (time_ns - first_ns) / speed
            await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S))
        payloads = recording.payloads(time_ns)
        await asyncio.gather(*(link.publish(topic_of[station], payload) for station, payload in payloads))
        counts[0] += len(payloads)
        progress.update(bar, advance=1, description=to_iso(time_ns)[:19])
