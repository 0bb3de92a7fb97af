"""A small running network for tests of the doors: four made-up stations, three epochs, and bodies in every format."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import msgspec
import numpy as np

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.http import create_app
from gpsgrid.edge.serve import build_engine
from gpsgrid.edge.service import Service, ServiceOptions
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.engine import Engine
from gpsgrid.epoch_json import epoch_document
from gpsgrid.events import PayloadArrived
from gpsgrid.rehearsal import ROVER_DEG, START_NS, rehearsal_network, rover_body, station_payloads
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.feed import EpochReceived, Feed
from stations.gpstime import to_week
from stations.rinex_obs_contents import ObservationContents
from stations.rinex_obs_writer import ObservationWriter, StationDescription
from stations.signals import SIGNALS, Constellation

CONFIG = NetworkConfig(rehearsal_network(), cell_reach_m=4000.0)
EPOCHS = 3
LAST_NS = START_NS + (EPOCHS - 1) * NS_PER_S
SOON_S = 20.0
_UBX_SYSTEMS = {Constellation.GPS: 0, Constellation.GALILEO: 2, Constellation.BEIDOU: 3, Constellation.GLONASS: 6}
_UBX_SIGNALS = {"G1C": 0, "G2L": 3, "G2W": 3, "E1C": 0, "E7Q": 6, "C2I": 0, "C7I": 2, "R1C": 0, "R2C": 2}


def fed_engine(epochs: int = EPOCHS) -> Engine:
    """Return an engine that has seen some epochs."""
    engine = build_engine(CONFIG)
    for epoch in range(epochs):
        for station, payload in station_payloads(CONFIG.network, START_NS + epoch * NS_PER_S):
            engine.handle(PayloadArrived(station, payload, 0))
    return engine


@asynccontextmanager
async def running(engine: Engine, *, streams: bool = False) -> AsyncIterator[Service]:
    """Run a service without a broker; with streams it gets one more epoch, so that cells are made."""
    door = StreamingDoor(engine.view, CONFIG) if streams else None
    service = Service(engine, CONFIG, options=ServiceOptions("off"), streaming=door)
    task = asyncio.create_task(service.run())
    async with asyncio.timeout(SOON_S):
        await service.ready.wait()
    try:
        if streams:
            await send(service, EPOCHS)
        yield service
    finally:
        service.stop()
        await task


async def send(service: Service, epoch: int) -> None:
    """Hand one more epoch of all stations to a running service, as its MQTT link would, and wait for the solution."""
    for station, payload in station_payloads(CONFIG.network, START_NS + epoch * NS_PER_S):
        await service._driver.put(PayloadArrived(station, payload, 0))
    async with asyncio.timeout(SOON_S):
        while service._solved is None or service._solved.time_ns < START_NS + epoch * NS_PER_S:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def http_client(service: object) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that talks to the application without a socket."""
    transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gpsgrid") as client:
        yield client


def rover_epoch(time_ns: int = LAST_NS, place_deg: tuple[float, float] = ROVER_DEG) -> StationEpoch:
    """Return what the rover observes, as MSM7 carries it."""
    events = Feed("").push(rover_body(time_ns, place_deg), time_ns)
    (epoch,) = [event.epoch for event in events if isinstance(event, EpochReceived)]
    return epoch


def rinex(*epochs: StationEpoch, **described) -> bytes:
    """Return a RINEX 3.04 file."""
    contents = ObservationContents()
    for epoch in epochs:
        contents.add(epoch)
    writer = ObservationWriter(StationDescription("ROVER", **described), contents)
    return (writer.header + "".join(writer.epoch(epoch) for epoch in epochs)).encode()


def epoch_json(*epochs: StationEpoch, **more) -> bytes:
    """Return one JSON epoch, or a list of several."""
    documents = [msgspec.to_builtins(epoch_document(epoch)) | more for epoch in epochs]
    return msgspec.json.encode(documents if len(documents) > 1 else documents[0])


def ubx_frame(kind: int, number: int, payload: bytes) -> bytes:
    """Return a UBX message (u-blox F9 interface description, 3.2)."""
    body = bytes([kind, number]) + struct.pack("<H", len(payload)) + payload
    first = second = 0
    for byte in body:
        first = (first + byte) & 255
        second = (second + first) & 255
    return b"\xb5\x62" + body + bytes([first, second])


def rawx(epoch: StationEpoch) -> bytes:
    """Return an RXM-RAWX message; the P(Y) code of GPS L2, which u-blox does not track, is sent as L2 CL."""
    week, nanos = to_week(epoch.time_ns)
    rows = []
    for k in range(len(epoch)):
        signal = SIGNALS[int(epoch.signal[k])]
        code = "GRESJCI"[signal.constellation] + signal.code
        state = (
            np.isfinite(epoch.pseudorange_m[k]) * 1
            + np.isfinite(epoch.phase_cyc[k]) * 2
            + (not epoch.half_cycle[k]) * 4
        )
        rows.append(
            struct.pack(
                "<ddfBBBBHBBBBBB",
                np.nan_to_num(epoch.pseudorange_m[k]),
                np.nan_to_num(epoch.phase_cyc[k]),
                np.nan_to_num(epoch.doppler_hz[k]),
                _UBX_SYSTEMS[signal.constellation],
                int(epoch.satellite[k]) % 100,
                _UBX_SIGNALS[code],
                7,
                min(int(epoch.lock_ms[k]), 64_500),
                int(epoch.cn0_dbhz[k]),
                0,
                0,
                0,
                state,
                0,
            )
        )
    head = struct.pack("<dHbBBB2x", nanos / NS_PER_S, week, 18, len(rows), 1, 1)
    return ubx_frame(0x02, 0x15, head + b"".join(rows))


def at(epoch: StationEpoch, time_ns: int) -> StationEpoch:
    """Return the same observations under another time tag."""
    return replace(epoch, time_ns=time_ns)
