"""Queries that wait for the engine: each gets exactly one answer, or a refusal when none comes in time."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace

from gpsgrid.answer import Answer, refusal
from gpsgrid.events import PositionAsked
from stations.catalog import Network
from stations.errors import Reason


class EngineFailedError(RuntimeError):
    """The engine raised while it worked on a query: a bug, logged with its traceback."""


class Questions:
    """Futures of the answers, by the name that the engine knows the query under."""

    def __init__(self, network: Network, offer: Callable[[PositionAsked], bool], timeout_s: float) -> None:
        """Prepare.

        Args:
            network: For frame and epoch of refusals.
            offer: Hands a query to the engine; false when its queue is full.
            timeout_s: A query is refused when it has not been answered by then.
        """
        self.network = network
        self._offer = offer
        self._timeout_s = timeout_s
        self._futures: dict[str, asyncio.Future[Answer]] = {}
        self._numbers = itertools.count(1)

    async def ask(self, asked: PositionAsked) -> Answer:
        """Return the answer; the engine gets a name of our own where the asker's is empty or in use.

        Raises:
            EngineFailedError: The engine raised.
        """
        number = next(self._numbers)
        name = asked.request or f"request-{number}"
        key = name if name not in self._futures else f"{name}#{number}"
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._futures[key] = future
        try:
            if not self._offer(replace(asked, request=key)):
                return self.refuse(name, "the engine's queue is full; try again in a second")
            async with asyncio.timeout(self._timeout_s):
                answer = await future
        except TimeoutError:
            return self.refuse(name, f"no answer within {self._timeout_s:g} s: the service is overloaded; try again")
        finally:
            del self._futures[key]
        return answer if answer.request == name else replace(answer, request=name)

    def answered(self, answer: Answer) -> None:
        """Hand an answer to who asked; nobody may be waiting any more."""
        future = self._futures.get(answer.request)
        if future is not None and not future.done():
            future.set_result(answer)

    def failed(self, key: str, error: Exception) -> None:
        """Tell who asked that the engine raised."""
        future = self._futures.get(key)
        if future is not None and not future.done():
            text = f"internal error ({type(error).__name__}); it is in the log of the service, please report it"
            future.set_exception(EngineFailedError(text))

    def give_up(self) -> None:
        """Refuse everything that waits, as at the end of the service."""
        for key, future in self._futures.items():
            if not future.done():
                future.set_result(self.refuse(key, "the service is shutting down; ask again later"))

    def refuse(self, name: str, text: str, reason: Reason = Reason.QUEUE_FULL) -> Answer:
        """Return a refusal that the engine has not seen."""
        return refusal(name, reason, text, frame=self.network.frame, epoch=self.network.epoch)
