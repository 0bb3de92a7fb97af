"""SIGINT and SIGTERM as an event, so that a program ends in its own order and not in the middle of something."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def stop_signal() -> AsyncIterator[asyncio.Event]:
    """Give an event that is set by the first signal; the second one acts as usual and ends the program at once."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def received() -> None:
        stop.set()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)

    for number in _SIGNALS:
        loop.add_signal_handler(number, received)
    try:
        yield stop
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def run_until(stop: asyncio.Event, *works: Coroutine[object, object, object]) -> None:
    """Do works side by side until one of them ends or raises, or the event is set; the others are cancelled.

    Raises:
        BaseException: What the first work raised, as it is and not in a group.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    stopped = asyncio.create_task(stop.wait(), name="stopped")
    try:
        await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                await task
    finally:
        for task in (*tasks, stopped):
            task.cancel()
        await asyncio.gather(*tasks, stopped, return_exceptions=True)
