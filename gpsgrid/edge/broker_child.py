"""The process around the embedded broker: runs mosquitto or amqtt until standard input ends.

Started by path with nothing of ours imported, so that it is up in a fraction of a second. Standard input is a pipe
from the program that wants the broker. It ends when that program closes it and also when that program dies, however
that happens; so no broker is left behind.
"""

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

_STOP_TIMEOUT_S = 3.0

# Queues are bounded far above what a network needs in a minute; a subscriber that sleeps longer loses messages.
_MOSQUITTO = """\
listener {port} {bind}
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 200
max_queued_messages 100000
log_dest stderr
log_type error
log_type warning
connection_messages false
"""


def run_mosquitto(program: str, bind: str, port: int) -> int:
    """Run mosquitto until standard input ends; return its exit status."""
    with tempfile.TemporaryDirectory(prefix="gpsgrid-broker-") as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(_MOSQUITTO.format(port=port, bind=bind))
        broker = subprocess.Popen([program, "-c", str(config)], stdin=subprocess.DEVNULL)  # noqa: S603 - from PATH

        def stop_with_input() -> None:
            # Unbuffered: a thread in the buffered reader would abort the interpreter when the broker ends first.
            while os.read(0, 4096):
                pass
            broker.terminate()
            try:
                broker.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                broker.kill()

        threading.Thread(target=stop_with_input, daemon=True).start()
        return broker.wait()


async def run_amqtt(bind: str, port: int) -> int:
    """Run amqtt until standard input ends."""
    from amqtt.broker import Broker  # noqa: PLC0415 - only this branch may cost its 0.5 s

    # A client that goes without a word makes amqtt log a traceback; that is the client's affair.
    logging.basicConfig(level=logging.CRITICAL, force=True)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{bind}:{port}", "max_connections": 0}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await ended.wait()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT_S):
            await broker.shutdown()
    except TimeoutError:
        return 1
    return 0


def main() -> int:
    """Run ``mosquitto PATH BIND PORT`` or ``amqtt - BIND PORT`` as the arguments say."""
    kind, program, bind, port = sys.argv[1:5]
    if kind == "mosquitto":
        return run_mosquitto(program, bind, int(port))
    return asyncio.run(run_amqtt(bind, int(port)))


if __name__ == "__main__":
    sys.exit(main())
