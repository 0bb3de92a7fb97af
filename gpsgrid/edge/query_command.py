"""``gpsgrid query``: a rover's file asked at a running service, epoch by epoch, as the network reaches them.

The network's time is followed through ``/v1/health``: an epoch is asked when the network has solved it, so that the
answer is not an older one. An epoch that the network has left behind is refused by the service, and told as such.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from gpsgrid.answer_json import AnswerJson
from gpsgrid.body_kind import kind_of_body
from gpsgrid.client_requests import Observations, PositionOptions, RefusedError
from gpsgrid.edge.client import Client
from gpsgrid.epoch_json import epoch_document
from gpsgrid.rover_formats import RoverEpoch, read_rover_epochs
from stations.edge.files import read_data
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason
from stations.feed import EpochReceived, Feed
from stations.gpstime import from_iso, to_iso

EXIT_ALL, EXIT_SOME_REFUSED = 0, 1
_MOST_EPOCHS = 1_000_000
_POLL_S = 0.25
_AHEAD_NS = 5_000_000  # as far as a rover's time tag may be ahead of its network epoch


@dataclass(frozen=True)
class Asked:
    """One epoch with what came back.

    Attributes:
        time_ns: Rover epoch.
        answer: ``None`` when it was refused.
        refusal: Reason and words of the refusal; empty for an answer.
        round_trip_ms: From sending to the response.
    """

    time_ns: int
    answer: AnswerJson | None
    refusal: tuple[str, str]
    round_trip_ms: float


class Board(Protocol):
    """Who is told, and shows it."""

    def showing(self, epochs: int, rover: str, server: str) -> AbstractContextManager[None]:
        """Show what comes while the context is open."""

    def summed_up(self, summary: "Summary") -> None:
        """Take in what came of all."""

    def told(self, asked: Asked) -> None:
        """Take in one epoch."""

    def waiting(self, time_ns: int, network: str) -> None:
        """Take in that the network has to reach an epoch first."""


@dataclass
class Summary:
    """What came of a file."""

    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    round_trip_ms: list[float] = field(default_factory=list)

    def add(self, asked: Asked) -> None:
        """Take in one epoch."""
        if asked.answer is None:
            self.refusals[asked.refusal[0]] += 1
        else:
            self.statuses[asked.answer.status] += 1
        self.round_trip_ms.append(asked.round_trip_ms)

    @property
    def exit_status(self) -> int:
        """0 when every epoch got a position, 1 otherwise."""
        return EXIT_SOME_REFUSED if self.refusals or not self.statuses else EXIT_ALL

    @property
    def text(self) -> str:
        """In one line."""
        parts = [f"{count} {status}" for status, count in self.statuses.most_common()]
        parts += [f"{count} refused ({reason})" for reason, count in self.refusals.most_common()]
        middle_ms = float(np.median(self.round_trip_ms)) if self.round_trip_ms else float("nan")
        return f"{len(self.round_trip_ms)} epochs: {', '.join(parts) or 'none'}; median round trip {middle_ms:.0f} ms"


def rover_epochs(path: Path, near_ns: int) -> list[tuple[int, RoverEpoch]]:
    """Return the epochs of a file with their times, rising.

    Args:
        path: RINEX observation file (Hatanaka and compression are undone), RTCM 3, UBX or JSON.
        near_ns: GPS time good to half a week, for RTCM 3, which tells no week.

    Raises:
        GpsgridError: ``MISSING_FILE``, ``BROKEN_FILE``, ``UNSUPPORTED_FORMAT`` and whatever is wrong with its content.
    """
    data = read_data(path, "gpsgrid query")
    found = read_rover_epochs(kind_of_body("", data), data, _MOST_EPOCHS)
    times = [(_time_ns(one, near_ns), one) for one in found]
    dated = [(time_ns, one) for time_ns, one in times if time_ns is not None]
    if not dated:
        message = f"{path}: no epoch of observations inside; gpsgrid doctor {path} says what there is"
        raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=str(path))
    return sorted(dated, key=lambda item: item[0])


def _time_ns(one: RoverEpoch, near_ns: int) -> int | None:
    if one.epoch is not None:
        return one.epoch.time_ns
    feed = Feed("rover")
    events = feed.push(one.payload, near_ns) + feed.finish()
    times = [event.epoch.time_ns for event in events if isinstance(event, EpochReceived)]
    return times[-1] if times else None


def query(
    client: Client,
    epochs: Sequence[tuple[int, RoverEpoch]],
    options: PositionOptions,
    patience_s: float,
    board: Board,
) -> Summary:
    """Ask all epochs, in their order.

    Args:
        client: Of the service.
        epochs: From :func:`rover_epochs`.
        options: For every request.
        patience_s: How long to wait for the network to reach an epoch.
        board: Is told.

    Raises:
        GpsgridError: ``SERVER_UNREACHABLE`` or ``MALFORMED``: it is no gpsgrid.
    """
    summary, follower = Summary(), _Follower(client, patience_s)
    for time_ns, one in epochs:
        for network in follower.reach(time_ns):
            board.waiting(time_ns, network)
        asked = _ask(client, time_ns, one, options)
        summary.add(asked)
        board.told(asked)
    return summary


class _Follower:
    """Knows how far the network is."""

    def __init__(self, client: Client, patience_s: float) -> None:
        self._client, self._patience_s = client, patience_s
        self._network_ns = 0

    def reach(self, time_ns: int) -> Iterator[str]:
        """Yield the time of the network for as long as it has not reached an epoch and there is patience left."""
        until_s = time.monotonic() + self._patience_s
        while self._network_ns + _AHEAD_NS < time_ns:
            told = self._client.health().network_epoch_gpst
            self._network_ns = 0 if told is None else from_iso(told)
            if self._network_ns + _AHEAD_NS >= time_ns or time.monotonic() >= until_s:
                return
            yield told or "no epoch yet"
            time.sleep(_POLL_S)


def _ask(client: Client, time_ns: int, one: RoverEpoch, options: PositionOptions) -> Asked:
    began_s = time.monotonic()
    body: Observations = one.payload
    if one.epoch is not None:
        body = epoch_document(one.epoch, one.antenna, one.antenna_serial, one.antenna_height_m)
    try:
        answer = client.position(body, **options)
    except RefusedError as error:
        refusal = (error.problem.reason, error.problem.detail)
        return Asked(time_ns, None, refusal, (time.monotonic() - began_s) * 1000.0)
    return Asked(time_ns, answer, ("", ""), (time.monotonic() - began_s) * 1000.0)


def encode_line(asked: Asked) -> bytes:
    """Return an epoch as one line of JSON: the answer, or time and refusal."""
    if asked.answer is not None:
        return msgspec.json.encode(asked.answer)
    reason, detail = asked.refusal
    return msgspec.json.encode(
        {"time_gpst": to_iso(asked.time_ns), "status": "none", "refusal": reason, "reason": detail}
    )


def run_query(
    path: Path,
    server: str,
    options: PositionOptions,
    limits_ns: tuple[int | None, int | None],
    patience_s: float,
    board: Board,
) -> int:
    """Ask a file and return the exit status.

    Args:
        path: The rover's file.
        server: URL of the service.
        options: For every request.
        limits_ns: First and last epoch, both included; ``None`` without limit.
        patience_s: How long to wait for the network to reach an epoch.
        board: Shows what comes.

    Raises:
        GpsgridError: As :func:`rover_epochs` and :func:`query`.
    """
    with Client(server) as client:
        told = client.health().network_epoch_gpst
        epochs = rover_epochs(path, gps_now_ns() if told is None else from_iso(told))
        first_ns, last_ns = limits_ns
        wanted = [
            item
            for item in epochs
            if (first_ns is None or item[0] >= first_ns) and (last_ns is None or item[0] <= last_ns)
        ]
        if not wanted:
            message = (
                f"{path} has {len(epochs)} epochs, {to_iso(epochs[0][0])} to {to_iso(epochs[-1][0])}, and none of them "
                "between --from and --to"
            )
            raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=str(path))
        with board.showing(len(wanted), path.name, server):
            summary = query(client, wanted, options, patience_s, board)
        board.summed_up(summary)
    return summary.exit_status
