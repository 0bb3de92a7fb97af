"""``gpsgrid publish``: live streams and recorded files to the broker, one MQTT message per station and epoch."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path

import structlog
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.publish_board import board
from gpsgrid.edge.settings import load_network
from gpsgrid.edge.station_publisher import StationLine, Timeline, epochs_of_files, publish_epochs, publish_stream
from gpsgrid.edge.station_sources import StationSources, sources_of
from gpsgrid.edge.stopping import run_until, stop_signal
from stations.edge.host_time import gps_now_ns
from stations.edge.mqtt import MqttLink
from stations.edge.recordings import load_recording
from stations.edge.stream import Stream
from stations.epoch_payloads import EpochPayload
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.recorded import Recording

DEFAULT_BROKER = "mqtt://127.0.0.1:1883"

_REDRAWS_PER_S = 2.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def publish_network(path: Path, broker_url: str, speed: float | None, console: Console) -> int:
    """Publish the stations of a network that have a source, until the recorded ones end or a signal comes.

    With a live station among them only a signal ends it; a station that fails does not.

    Args:
        path: ``network.toml``.
        broker_url: Empty for the one of ``network.toml``, or else the local one.
        speed: Seconds of recorded data per second; ``None`` for as fast as the broker takes them.
        console: For the board.

    Returns:
        Messages published.

    Raises:
        GpsgridError: Something is wrong with the configuration or the files, or the broker cannot be reached.
    """
    config = load_network(path)
    sources = sources_of(config)
    with console.status(f"reading the files of {config.network.name}"):
        recorded = await asyncio.to_thread(_read, config, sources)
    url = broker_url or config.mqtt.url or DEFAULT_BROKER
    async with stop_signal() as stop, MqttLink(url, f"gpsgrid-publish-{os.getpid()}") as link:
        publication = _Publication(config, sources, recorded, link, speed)
        console.print(f"publishing {config.network.name} to {link.shown}, station by station as {config.topic_pattern}")
        if sources.elsewhere:
            console.print(f"without a source, so expected from elsewhere: {', '.join(sources.elsewhere)}")
        with Live(console=console, refresh_per_second=_REDRAWS_PER_S, get_renderable=publication.draw):
            await run_until(stop, publication.run())
    return sum(line.messages for line in publication.lines.values())


class _Recorded:
    """What was read from files."""

    def __init__(self, recording: Recording | None, epochs: dict[str, list[EpochPayload]]) -> None:
        self.recording = recording
        self.epochs = epochs
        times_ns = [next((e.time_ns for e in some if e.time_ns is not None), None) for some in epochs.values()]
        firsts_ns = [time_ns for time_ns in times_ns if time_ns is not None]
        if recording is not None:
            firsts_ns.append(recording.times_ns[0])
        self.first_ns = min(firsts_ns, default=0)


def _read(config: NetworkConfig, sources: StationSources) -> _Recorded:
    others = [station.id for station in config.network.stations if station.id not in sources.rinex]
    recording = load_recording(config.network, exclude=others) if sources.rinex else None
    # RTCM observations carry no week: the RINEX files know it, and without them any week does.
    near_ns = gps_now_ns() if recording is None else recording.times_ns[0]
    epochs: dict[str, list[EpochPayload]] = {}
    for station_id, paths in sources.rtcm_files.items():
        who = f"station {station_id} of {config.network.name}"
        epochs[station_id], gatherer = epochs_of_files(paths, who, near_ns)
        if not gatherer.frames:
            names = ", ".join(map(str, paths))
            message = f"{names} ({who}): {gatherer.junk_bytes} bytes and no RTCM 3 frame; is this another format?"
            raise GpsgridError(Reason.BROKEN_FILE, message, file=names)
    return _Recorded(recording, epochs)


class _Publication:
    """Everything that is published, and its board."""

    def __init__(
        self,
        config: NetworkConfig,
        sources: StationSources,
        recorded: _Recorded,
        link: MqttLink,
        speed: float | None,
    ) -> None:
        self._recorded = recorded
        self._link = link
        self._speed = speed
        self._streams = {station_id: Stream(source) for station_id, source in sources.live.items()}
        shown = {station_id: stream.shown for station_id, stream in self._streams.items()}
        shown |= {
            station_id: ", ".join(path.name for path in paths) for station_id, paths in sources.rtcm_files.items()
        }
        shown |= dict.fromkeys(sources.rinex, "RINEX files")
        self.lines = {
            station.id: StationLine(station.id, shown[station.id], config.topic_of(station))
            for station in config.network.stations
            if station.id in shown
        }
        self._progress: Progress | None = None
        if recorded.recording is not None:
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            )

    def draw(self) -> RenderableType:
        """Return the board of this moment."""
        return board(list(self.lines.values()), self._progress)

    async def run(self) -> None:
        """Publish; returns when nothing more can come."""
        timeline = Timeline(self._recorded.first_ns, self._speed)
        async with asyncio.TaskGroup() as group:
            if self._recorded.recording is not None:
                group.create_task(self._publish_recording(self._recorded.recording, timeline), name="publish.rinex")
            for station_id, epochs in self._recorded.epochs.items():
                line = self.lines[station_id]
                group.create_task(self._guard(line, publish_epochs(line, epochs, timeline, self._link)))
            for station_id, stream in self._streams.items():
                line = self.lines[station_id]
                group.create_task(self._guard(line, publish_stream(line, stream, self._link)))

    async def _guard(self, line: StationLine, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - one station must not take the others with it
            line.problem = str(error) or type(error).__name__
            _log.exception("publish.failed", station=line.id)

    async def _publish_recording(self, recording: Recording, timeline: Timeline) -> None:
        progress = self._progress
        bar = None if progress is None else progress.add_task("epochs", total=len(recording.times_ns))
        for time_ns in recording.times_ns:
            await timeline.wait(time_ns)
            await asyncio.gather(
                *(self._send(station_id, payload, time_ns) for station_id, payload in recording.payloads(time_ns))
            )
            if progress is not None and bar is not None:
                progress.update(bar, advance=1, description=to_iso(time_ns)[:19])
        for station_id in recording.station_ids:
            self.lines[station_id].done = True

    async def _send(self, station_id: str, payload: bytes, time_ns: int) -> None:
        line = self.lines[station_id]
        await self._link.publish(line.topic, payload)
        line.sent(time_ns)
