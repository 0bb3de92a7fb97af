"""The engine's state on disk: read once at the start, written every few seconds beside the event loop.

A file is there completely or not at all: what was killed while it wrote leaves the file before. A file that cannot be
used costs a warning and a cold start, a disk that cannot be written to costs a warning and nothing else.
"""

import asyncio
import datetime as dt
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from gpsgrid.engine import Engine
from gpsgrid.saved_state import SavedState, decode_state, encode_state
from stations.errors import GpsgridError, Reason
from stations.gpstime import from_utc

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

INTERVAL_S = 5.0
_LARGEST_BYTES = 256 << 20  # a network of 150 stations in one filter; more is a mistake, or nothing to write so often


def default_state_file(network_toml: Path, environment: dict[str, str]) -> Path:
    """Return where the state of a network is kept: in systemd's folder for it, else beside ``network.toml``."""
    folder = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(folder or network_toml.parent) / f"{network_toml.stem}.state"


def calendar_ns() -> int:
    """Return the calendar of this host, ns of GPS time."""
    return from_utc(dt.datetime.now(dt.UTC))


def read_state(path: Path) -> SavedState | None:
    """Return the state in a file, ``None`` where there is no file.

    Raises:
        GpsgridError: ``BROKEN_FILE``: it cannot be read, is too large, or as :func:`decode_state`.
    """
    try:
        size = path.stat().st_size
        if size > _LARGEST_BYTES or not path.is_file():
            message = f"{path} is no file or has {size} bytes, of use are {_LARGEST_BYTES}; remove it"
            raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path))
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}; the engine starts without it"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path)) from error
    return decode_state(data, str(path))


def write_state(path: Path, data: bytes) -> None:
    """Put bytes into a file at once: written beside it, brought to the disk, then renamed.

    Raises:
        GpsgridError: ``MISSING_FILE``: it cannot be written; ``OVERSIZED``: it would be too large.
    """
    if len(data) > _LARGEST_BYTES:
        message = f"the state has {len(data)} bytes, at most {_LARGEST_BYTES} are written; a restart will be cold"
        raise GpsgridError(Reason.OVERSIZED, message, file=str(path))
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists() and not path.is_file():
            message = f"{path} is no file; name another one with --state, or --state off"
            raise GpsgridError(Reason.MISSING_FILE, message, file=str(path))
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or a power cut may undo the renaming
        finally:
            os.close(folder)
    except OSError as error:
        message = (
            f"{path} cannot be written: {error.strerror}; a restart will be cold. Name another file with --state,"
            f" or --state off"
        )
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path)) from error


def restore_engine(engine: Engine, path: Path) -> None:
    """Let an engine go on from a file, if there is one of use, and say in the log what came of it."""
    try:
        saved = read_state(path)
        if saved is None:
            _log.info("state.none", file=str(path))
            return
        restored = engine.restore(saved)
    except GpsgridError as error:
        _log.warning("state.refused", file=str(path), reason=str(error.reason), text=str(error))
        return
    changes = restored.changes
    _log.info(
        "state.restored",
        file=str(path),
        age_s=round(restored.age_s, 1),
        stations=len(changes.kept),
        arcs=restored.arcs,
        fixed_share=round(restored.fixed_share, 3),
        ephemerides=restored.ephemerides,
        learned=restored.learned,
        moved=list(changes.moved),
        joined=list(changes.joined),
        left=list(changes.left),
    )


class StateKeeper:
    """Writes the state of an engine again and again.

    Attributes:
        written: How often it was written.
        failures: How often that failed.
    """

    def __init__(
        self, path: Path, take: Callable[[], Awaitable[SavedState | None]], interval_s: float = INTERVAL_S
    ) -> None:
        """Prepare.

        Args:
            path: The file.
            take: Gets the state of the engine between two events.
            interval_s: Between two writings.
        """
        self.written = 0
        self.failures = 0
        self._path = path
        self._take = take
        self._interval_s = interval_s
        self._time_ns = -1

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            await self.keep(await self._take())

    async def keep(self, state: SavedState | None) -> None:
        """Write a state if it is a new one; encoding and disk are not waited for by the event loop."""
        if state is None or state.solver.network.time_ns == self._time_ns:
            return
        try:
            await asyncio.to_thread(lambda: write_state(self._path, encode_state(state)))
        except GpsgridError as error:
            self.failures += 1
            if self.failures & (self.failures - 1) == 0:  # the 1st, 2nd, 4th ... time
                _log.warning("state.not_written", reason=str(error.reason), text=str(error), times=self.failures)
        else:
            self.written += 1
            self._time_ns = state.solver.network.time_ns
