"""How many clients at 1 Hz a core carries: the share of a core that epochs for a crowd cost, against plain sockets.

``python -m pytest tests/bench/bench_caster.py -o python_files='bench_*.py' -s -q`` (half a minute). The clients are in
a process of their own. Plain sockets are the slow twin: the same bytes written to the same number of connections with
nothing around them.
"""

import asyncio
import subprocess
import sys
import time

import numpy as np

from gpsgrid.config import NetworkConfig
from gpsgrid.edge.caster import Caster, CasterOptions
from gpsgrid.edge.streaming import StreamingDoor
from gpsgrid.rehearsal import START_NS, rehearsal_network
from stations.frames import ecef_from_geodetic
from stations.ntrip import gga_sentence
from stations.wire.framing import encode_frame

CLIENTS, EPOCHS, BYTES = 3000, 10, 900
HERE = ecef_from_geodetic(float(np.radians(52.1)), float(np.radians(5.2)), 50.0)
CROWD = """
import selectors, socket, sys
port, count, request = int(sys.argv[1]), int(sys.argv[2]), bytes.fromhex(sys.argv[3])
chosen, plugs = selectors.DefaultSelector(), []
for _ in range(count):
    plug = socket.create_connection(("127.0.0.1", port))
    plug.sendall(request)
    plug.setblocking(False)
    chosen.register(plug, selectors.EVENT_READ)
while chosen.get_map():
    for key, _ in chosen.select():
        try:
            if not key.fileobj.recv(65536):
                chosen.unregister(key.fileobj)
        except ConnectionError:
            chosen.unregister(key.fileobj)
"""


async def _crowd(port: int, request: bytes) -> asyncio.subprocess.Process:
    arguments = [str(port), str(CLIENTS), request.hex()]
    return await asyncio.create_subprocess_exec(sys.executable, "-c", CROWD, *arguments, stderr=subprocess.DEVNULL)


async def _epochs(send) -> float:
    """Return the seconds of this process per epoch."""
    began_s = time.process_time()
    for number in range(EPOCHS):
        send(encode_frame(bytes([0x43, 0x50, number]) * (BYTES // 3)))
        await asyncio.sleep(1.0)
    return (time.process_time() - began_s) / EPOCHS


async def _plain() -> float:
    writers = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0, backlog=1024)
    crowd = await _crowd(server.sockets[0].getsockname()[1], b"x")
    while len(writers) < CLIENTS:  # noqa: ASYNC110 - connections come one by one
        await asyncio.sleep(0.05)

    def send(frame: bytes) -> None:
        for writer in writers:
            writer.write(frame)

    per_epoch_s = await _epochs(send)
    for writer in writers:
        writer.close()
    server.close()
    await crowd.wait()
    return per_epoch_s


async def _caster(version: int) -> float:
    door = StreamingDoor(lambda _: None, NetworkConfig(rehearsal_network()))
    gga = gga_sentence(HERE, START_NS)
    head = "Ntrip-Version: Ntrip/2.0\r\n" if version == 2 else ""
    request = f"GET /VRS HTTP/1.1\r\n{head}\r\n{gga}".encode()
    async with Caster(door, CasterOptions(port=0)) as caster:
        crowd = await _crowd(caster.port, request)
        while door.streams.clients < CLIENTS:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)

        def send(frame: bytes) -> None:
            for hear in list(door._listeners.values()):
                hear(frame)

        per_epoch_s = await _epochs(send)
        assert caster.slow == 0
        assert len(caster.clients) == CLIENTS
        assert sum(one.sent_epochs for one in caster.clients) == CLIENTS * EPOCHS
    await crowd.wait()
    return per_epoch_s


async def test_a_crowd():
    plain_s = await _plain()
    for version in (1, 2):
        took_s = await _caster(version)
        print(
            f"\n{CLIENTS} clients, NTRIP {version}, {BYTES} bytes at 1 Hz: {took_s * 1000:.0f} ms of a core per epoch,"
            f" {took_s / plain_s:.2f} of plain sockets ({plain_s * 1000:.0f} ms); one core carries"
            f" {CLIENTS / took_s:.0f} clients"
        )
