"""``gpsgrid broker``: the embedded broker for as long as the command runs."""

import ipaddress

from rich.console import Console

from gpsgrid.edge.broker import EmbeddedBroker, Program
from gpsgrid.edge.stopping import run_until, stop_signal


async def run_broker(port: int, bind: str, program: Program, console: Console) -> None:
    """Run a broker until a signal comes.

    Raises:
        GpsgridError: It does not start, or ends by itself.
    """
    async with stop_signal() as stop, EmbeddedBroker(port=port, bind=bind, program=program) as broker:
        console.print(f"{broker.program} is listening at {broker.url}; Ctrl-C ends it")
        if not _is_loopback(bind):
            console.print(f"warning: everybody who reaches {bind} can read and publish; there are no passwords")
        await run_until(stop, broker.wait())


def _is_loopback(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"
