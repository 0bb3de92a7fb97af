"""Hyperparameters learned in a process of their own, so that neither torch nor its seconds reach the hot path."""

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TYPE_CHECKING, Self

import structlog

from gpsgrid.events import HyperparametersLearned, LearningDue

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NICENESS = 10  # positions come first


def learn_now(due: LearningDue) -> HyperparametersLearned:
    """Learn from a window in this process; imports torch."""
    from models.field.learning import learn  # noqa: PLC0415 - torch costs seconds and 300 MB; only the worker pays

    return HyperparametersLearned(due.time_ns, learn(due.window, due.start, due.scales, due.weights).hyper)


def _begin_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then ends us
    os.nice(_NICENESS)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Learner:
    """One worker process that learns one window at a time; starts with the first window.

    Attributes:
        failures: Windows that could not be learned from.
    """

    def __init__(self) -> None:
        """Start nothing yet."""
        self.failures = 0
        self._pool: ProcessPoolExecutor | None = None
        self._workers: set[BaseProcess] = set()

    async def __aenter__(self) -> Self:
        """Return the learner; the worker starts when it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the worker, whatever it is doing."""
        self._end()

    async def learn(self, due: LearningDue) -> HyperparametersLearned | None:
        """Return what the worker learned from a window, or ``None`` when that failed, which is logged."""
        try:
            return await asyncio.wrap_future(self._ready().submit(learn_now, due))
        except BrokenProcessPool:
            _log.exception("learning.worker_died", time_ns=due.time_ns)
            self._end()
        except Exception:  # noqa: BLE001 - whatever is wrong with one window, the service goes on with what it has
            _log.exception("learning.failed", time_ns=due.time_ns)
        self.failures += 1
        return None

    def _ready(self) -> ProcessPoolExecutor:
        if self._pool is None:
            for variable in _THREAD_VARIABLES:  # inherited by the worker; read when it imports numpy and torch
                os.environ.setdefault(variable, "1")
            others = set(multiprocessing.active_children())
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _begin_worker)
            self._pool.submit(os.getpid)  # processes start with the first task
            self._workers = set(multiprocessing.active_children()) - others
        return self._pool

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        # Terminated, because the executor would wait for the end of the work when the interpreter exits.
        for worker in self._workers:
            worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        self._workers = set()
