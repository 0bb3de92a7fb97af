"""Prometheus metrics: latency as it happens, everything else from a picture of the counters when it is asked for."""

import math
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gpsgrid.edge.service_health import ServiceHealth
from gpsgrid.status_json import station_status
from stations.constants import NS_PER_S

# The promise is 0.25 s at the 99th percentile and one second at most; the buckets are finest there.
_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0)


class Metrics:
    """The metrics of one service, in a registry of their own."""

    def __init__(self) -> None:
        """Register everything."""
        self._registry = CollectorRegistry()
        self._latency = Histogram(
            "gpsgrid_answer_latency_seconds",
            "From the arrival of a question to its answer",
            ["door"],
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._refused = Counter(
            "gpsgrid_door_refusals",
            "Refused before the engine saw it",
            ["door", "reason"],
            registry=self._registry,
        )
        self._health: ServiceHealth | None = None
        self._registry.register(self)

    def answered(self, door: str, latency_s: float) -> None:
        """Count an answer; the door is ``http`` or ``mqtt``."""
        self._latency.labels(door).observe(latency_s)

    def refused(self, door: str, reason: str) -> None:
        """Count what a door refused by itself."""
        self._refused.labels(door, reason).inc()

    def text(self, health: ServiceHealth) -> bytes:
        """Return the exposition text for a picture of the counters."""
        self._health = health
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield what the picture says; nothing before there is one (called so when registered)."""
        health = self._health
        if health is None:
            return
        engine = health.engine
        yield _counter("refusals", "Refused inputs", "reason", {str(k): v for k, v in engine.refusals.items()})
        yield _counter("answers", "Answers to queries", "status", dict(engine.answers))
        yield _counter("network_epochs", "Network epochs solved", value=engine.network_epochs)
        yield _counter("learned", "Times that new hyperparameters came into force", value=engine.learned)
        yield _counter("engine_failures", "Events that made the engine raise", value=health.engine_failures)
        yield _counter("mqtt_dropped", "Messages that fell out of full queues", value=health.mqtt_dropped)
        yield _counter("mqtt_reconnects", "Connections to the broker after the first", value=health.mqtt_reconnects)
        yield _gauge("mqtt_connected", "Whether the broker is connected", float(bool(health.mqtt_connected)))
        yield _gauge("queue_depth", "Events that wait for the engine", health.queue_depth)
        yield _gauge("network_epoch_seconds", "Last network epoch, GPS time", engine.last_epoch_ns / NS_PER_S)
        yield from _streaming(health)
        if health.solved_ago_s is not None:
            yield _gauge("network_solved_ago_seconds", "Since the last network epoch was solved", health.solved_ago_s)
        if health.solved is not None:
            yield _gauge("fixed_share", "Share of the double differences with integers", health.solved.fixed_share)
            yield _gauge("satellites", "Satellites in the last network epoch", health.solved.satellites)
            if math.isfinite(health.solved.loo_z_rms):
                yield _gauge("loo_z_rms", "RMS of leave-one-out residuals over sigmas", health.solved.loo_z_rms)
        epochs = {name: station.epochs for name, station in engine.stations.items()}
        yield _counter("station_epochs", "Epochs of a station", "station", epochs)
        missed = {name: station.missed for name, station in engine.stations.items()}
        yield _counter("station_missed_epochs", "Epochs lost between those that came", "station", missed)
        repeated = {name: station.repeated for name, station in engine.stations.items()}
        yield _counter("station_repeated_epochs", "Epochs that came again", "station", repeated)
        disordered = {name: station.out_of_order for name, station in engine.stations.items()}
        yield _counter("station_out_of_order_epochs", "Epochs older than one that had come", "station", disordered)
        streaming = GaugeMetricFamily("gpsgrid_station_streaming", "Took part in the last epoch", labels=["station"])
        for name, station in engine.stations.items():
            streaming.add_metric([name], float(station_status(name, station, health.solved).state == "streaming"))
        yield streaming


def _streaming(health: ServiceHealth) -> Iterable[Metric]:
    streams = health.streaming
    if streams is None:
        return
    yield _gauge("stream_cells", "Cells whose virtual station is made all the time", streams.cells)
    yield _gauge("stream_places", "Virtual stations made for clients", streams.places)
    yield _gauge("stream_clients", "Clients that have a stream of their own", streams.clients)
    yield _gauge("stream_latency_seconds", "From the last network epoch to the last stream", streams.latency_s)
    yield _counter("stream_epochs", "Epochs of streams made", value=streams.made)
    yield _counter("stream_skipped", "Epochs of streams that the next network epoch overtook", value=streams.skipped)
    yield _counter("stream_failures", "Streams that raised", value=streams.failures)
    yield _counter("stream_moved", "Virtual stations that followed a client", value=streams.moved)
    yield _counter("stream_refused", "Positions that no stream can serve", value=streams.refused)
    yield _counter("stream_expired", "Clients that fell silent", value=streams.expired)
    yield _counter("stream_overtaken", "Epochs that the broker did not take in time", value=health.overtaken)


def _counter(
    name: str, text: str, label: str = "", counts: dict[str, int] | None = None, value: int = 0
) -> CounterMetricFamily:
    family = CounterMetricFamily(f"gpsgrid_{name}", text, labels=[label] if label else [])
    if not label:
        family.add_metric([], value)
    for key, count in sorted((counts or {}).items()):
        family.add_metric([key], count)
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"gpsgrid_{name}", text, value=value)
