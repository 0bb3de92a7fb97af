"""schemathesis against the application in process, with a small running network behind it.

Requests that the reference allows and many that it does not: no bug, no answer that the reference does not describe.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from gpsgrid.edge.http import create_app
from gpsgrid.edge.service import Service
from tests.gpsgrid.small_network import EPOCHS, SOON_S, fed_engine, running, send

pytestmark = pytest.mark.slow

_EXAMPLES = 20
_LONGEST_S = 25
_FEWEST = 100


@schemathesis.serializer("application/rinex")
def _text(context: schemathesis.SerializationContext, value: object) -> bytes:
    """Send text as it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


class _Elsewhere:
    """A service that runs in the event loop of another thread, as the application of a test needs it.

    schemathesis calls the application in event loops of its own, a new one for every request.
    """

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service, self._loop = service, loop
        self.config, self.metrics = service.config, service.metrics

    @property
    def streaming(self):
        return self._service.streaming

    async def ask(self, asked):
        return await self._there(self._service.ask(asked))

    async def health(self):
        return await self._there(self._service.health())

    async def view(self, position_m):
        return await self._there(self._service.view(position_m))

    async def _there(self, work):
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


@contextmanager
def _running_elsewhere() -> Iterator[_Elsewhere]:
    ready, stop = threading.Event(), asyncio.Event()
    found: list[_Elsewhere] = []

    async def run() -> None:
        async with running(fed_engine(), streams=True) as service:
            found.append(_Elsewhere(service, asyncio.get_running_loop()))
            ready.set()
            epoch = EPOCHS
            while not stop.is_set():
                epoch += 1
                await send(service, epoch)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 1.0)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(SOON_S)
        yield found[0]
    finally:
        found[0]._loop.call_soon_threadsafe(stop.set)
        thread.join(SOON_S)


def _configuration() -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "max-time": _LONGEST_S,
            "seed": 1,
            "phases": {"stateful": {"enabled": False}},  # there is nothing that one request leaves for the next
            "generation": {"max-examples": _EXAMPLES, "deterministic": True},
            "checks": {
                # 503 is the answer to an epoch that the network has not seen, and described as that.
                "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "503"]},
                # No schema can say that five satellites were in the sky, or that a place is near a station.
                "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404", "413", "415", "422", "503"]},
            },
        }
    )


def test_the_application_does_what_its_reference_says():
    with _running_elsewhere() as service:
        schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(service), config=_configuration())
        failures, tried, errors = [], {}, []
        for event in schemathesis.engine.from_schema(schema).execute():
            if isinstance(event, ScenarioFinished):
                tried[event.label] = tried.get(event.label, 0) + len(event.recorder.cases)
                failures += [
                    (event.label, check.name, str(check.failure_info.failure), check.failure_info.code_sample)
                    for checks in event.recorder.checks.values()
                    for check in checks
                    if check.failure_info is not None
                ]
            elif isinstance(event, NonFatalError | FatalError):
                errors.append(f"{event.label}: {event.info}" if isinstance(event, NonFatalError) else str(event))
    assert failures == []
    assert errors == []
    assert len(tried) >= len(schema)
    assert sum(tried.values()) > _FEWEST, tried
