"""Which streams there are and who listens to which: cells, virtual stations of clients, nearest stations.

Bookkeeping only; a stream makes its own bytes (``stream``). The rules to keep: a client that moves keeps its stream
until it has left the neighbourhood, then gets one that follows the old one; what nobody listens to costs nothing; and
when there is more to do than time, the stream whose last epoch is oldest comes first.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from gpsgrid.grid import cell_at, cell_center_m
from gpsgrid.standing_cells import cell_place_m, nearest_stations, standing_cells
from gpsgrid.stream import LONG_AGO_NS, PlaceStream, StationStream, itrf_year
from gpsgrid.virtual_place import VirtualPolicy
from gpsgrid.vrs_messages import VrsFormat, station_number
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.errors import GpsgridError, Reason

_STILL_M = 10.0  # a client that has moved less than that since it was looked at is not looked at again


class Kind(StrEnum):
    """What a client wants."""

    OWN = "vrs"
    CELL = "cell"
    NEAREST = "near"


@dataclass(frozen=True)
class StreamPolicy:
    """Limits of the streaming doors.

    Attributes:
        virtual: Of every virtual station.
        layout: What is sent.
        cell_reach_m: Cells whose centre is so near to a station are made all the time.
        maximum_cells: Of those, nearest to a station first; the others only while somebody listens over NTRIP.
        maximum_places: Virtual stations of clients, and cells made for clients, at the same time.
        maximum_clients: Listeners at the same time.
        share_m: A new client so near to a virtual station that exists gets that one.
        move_m: A client that is so far from its virtual station gets another one.
        switch_ratio: Another cell or station has to be nearer by this factor before a client is moved to it.
        silent_s: A client that has to repeat its position and does not is forgotten.
        absent_s: A station that has been missing for so long is not the nearest any more.
    """

    virtual: VirtualPolicy = VirtualPolicy()
    layout: VrsFormat = VrsFormat()
    cell_reach_m: float = 15_000.0
    maximum_cells: int = 60
    maximum_places: int = 100
    maximum_clients: int = 5000
    share_m: float = 1000.0
    move_m: float = 5000.0
    switch_ratio: float = 0.8
    silent_s: float = 120.0
    absent_s: float = 10.0


@dataclass
class _Client:
    """A listener: what it wants, where it is, and what it gets."""

    kind: Kind
    position_m: FloatArray
    stream: PlaceStream | StationStream
    heard_ns: int
    expires: bool


@dataclass
class StreamCounts:
    """Counters of the streaming doors.

    Attributes:
        moved: Virtual stations that followed a client.
        refused: Positions that were refused.
        expired: Clients that were forgotten because they fell silent.
    """

    moved: int = 0
    refused: int = 0
    expired: int = 0


@dataclass
class Streams:
    """All streams of one network.

    Attributes:
        network: Stations.
        resolution: H3 resolution of the cells.
        policy: Limits.
        cells: Cells that are made all the time; empty for all within reach of a station.
        counts: Counters.
    """

    network: Network
    resolution: int
    policy: StreamPolicy = StreamPolicy()
    cells: tuple[str, ...] = ()
    counts: StreamCounts = field(default_factory=StreamCounts)
    _standing: dict[str, PlaceStream] = field(init=False, default_factory=dict)
    _streams: dict[str, PlaceStream | StationStream] = field(init=False, default_factory=dict)
    _clients: dict[str, _Client] = field(init=False, default_factory=dict)
    _users: dict[str, set[str]] = field(init=False, default_factory=dict)
    _absent_since_ns: dict[str, int] = field(init=False, default_factory=dict)
    _gone: frozenset[str] = field(init=False, default=frozenset())
    _numbers: "itertools.count[int]" = field(init=False, default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        """Make the cells that are made all the time."""
        self._stand()

    @property
    def standing(self) -> tuple[str, ...]:
        """Cells that are made all the time."""
        return tuple(self._standing)

    @property
    def clients(self) -> int:
        """Listeners at present."""
        return len(self._clients)

    @property
    def places(self) -> int:
        """Virtual stations that exist because of clients."""
        standing = {stream.name for stream in self._standing.values()}
        return sum(isinstance(stream, PlaceStream) and name not in standing for name, stream in self._streams.items())

    def listeners(self, stream: str) -> frozenset[str]:
        """Return who listens to a stream, by its name."""
        return frozenset(self._users.get(stream, ()))

    def settle(
        self, client: str, kind: Kind, position_m: FloatArray, host_ns: int, *, expires: bool
    ) -> PlaceStream | StationStream:
        """Take in where a client is; return the stream that it gets from now on.

        Args:
            client: Name, unique among all clients.
            kind: What it wants.
            position_m: ECEF, shape ``(3,)``.
            host_ns: Now, on the host's monotonic clock.
            expires: It is forgotten unless it repeats its position.

        Raises:
            GpsgridError: ``OUTSIDE_NETWORK`` or ``QUEUE_FULL``; the client keeps what it had.
        """
        known = self._clients.get(client)
        before = known if known is not None and known.kind is kind else None
        if before is not None and np.linalg.norm(before.position_m - position_m) < _STILL_M:
            before.heard_ns = host_ns
            return before.stream
        try:
            self._check(client, position_m)
            stream = self._stream_for(kind, position_m, before)
        except GpsgridError:
            self.counts.refused += 1
            raise
        if before is not None and before.stream is stream:
            before.position_m, before.heard_ns = position_m, host_ns
            return stream
        self.leave(client)
        self._clients[client] = _Client(kind, position_m, stream, host_ns, expires)
        self._streams.setdefault(stream.name, stream)
        self._users.setdefault(stream.name, set()).add(client)
        stream.describe_again()
        return stream

    def leave(self, client: str) -> None:
        """Forget a client, and its stream when nobody else listens."""
        gone = self._clients.pop(client, None)
        if gone is None:
            return
        name = gone.stream.name
        users = self._users[name]
        users.discard(client)
        if not users:
            del self._users[name]
            if not any(gone.stream is stream for stream in self._standing.values()):
                del self._streams[name]

    def epoch(self, present: Iterable[str], host_ns: int) -> None:
        """Take in that a network epoch was solved: which stations took part, and which clients are silent.

        Args:
            present: Stations that took part.
            host_ns: Now, on the host's monotonic clock.
        """
        here = set(present)
        for station in self.network.stations:
            if station.id in here:
                self._absent_since_ns.pop(station.id, None)
            else:
                self._absent_since_ns.setdefault(station.id, host_ns)
        limit_ns = host_ns - round(self.policy.silent_s * NS_PER_S)
        silent = [name for name, one in self._clients.items() if one.expires and one.heard_ns < limit_ns]
        for name in silent:
            self.leave(name)
        self.counts.expired += len(silent)
        gone_ns = host_ns - round(self.policy.absent_s * NS_PER_S)
        self._gone = frozenset(name for name, since_ns in self._absent_since_ns.items() if since_ns <= gone_ns)
        if not self._gone:
            return
        for name, one in list(self._clients.items()):
            if isinstance(one.stream, StationStream) and one.stream.station.id in self._gone:
                self._settle_again(name, one)

    def due(self, time_ns: int) -> list[PlaceStream | StationStream]:
        """Return the streams that lack an epoch: the longest waiting first, and of those the ones with listeners."""
        waiting = [stream for stream in self._streams.values() if stream.last_ns < time_ns]
        return sorted(waiting, key=lambda stream: (stream.last_ns, stream.name not in self._users))

    def go_back(self) -> None:
        """Make every stream anew from the next epoch on: the network has found that its time was ahead."""
        for stream in self._streams.values():
            stream.last_ns = LONG_AGO_NS
            stream.describe_again()

    def change_network(self, network: Network) -> None:
        """Take a changed network over; streams go on, clients of stations that are gone get the next nearest."""
        self.network = network
        self._absent_since_ns.clear()
        self._gone = frozenset()
        for cell, stream in list(self._standing.items()):
            del self._standing[cell]
            if stream.name not in self._users:
                del self._streams[stream.name]
        self._stand()
        described = {station.id: station for station in network.stations}
        for name, one in list(self._clients.items()):
            if isinstance(one.stream, StationStream) and described.get(one.stream.station.id) != one.stream.station:
                self.leave(name)
                self._settle_again(name, one)

    def _settle_again(self, name: str, one: _Client) -> None:
        """Look at a client anew where it was."""
        position_m, one.position_m = one.position_m, np.full(3, np.inf)
        try:
            self.settle(name, one.kind, position_m, one.heard_ns, expires=one.expires)
        except GpsgridError:  # counted; nothing is near any more, and its next position is answered so
            one.position_m = position_m

    def _stand(self) -> None:
        cells = self.cells or standing_cells(
            self.network, self.resolution, self.policy.cell_reach_m, self.policy.maximum_cells
        )
        for cell in cells:
            stream = self._streams.get(f"cell/{cell}")
            kept = stream if isinstance(stream, PlaceStream) else self._cell_stream(cell)
            self._standing[cell] = self._streams[kept.name] = kept

    def _cell_stream(self, cell: str) -> PlaceStream:
        place_m = cell_place_m(cell, self.network)
        return PlaceStream(f"cell/{cell}", cell, place_m, self.network, self.policy.layout)

    def _check(self, client: str, position_m: FloatArray) -> None:
        if client not in self._clients and len(self._clients) >= self.policy.maximum_clients:
            message = f"{len(self._clients)} clients are served already, which is the limit; try again later"
            raise GpsgridError(Reason.QUEUE_FULL, message)
        found = nearest_stations(self.network, position_m, frozenset())
        limit_m = self.policy.virtual.maximum_distance_m
        if not found or not found[0][0] <= limit_m:
            near = f"{found[0][0] / 1000:.0f} km from the nearest station" if found else "in a network without stations"
            message = f"position {near}; corrections reach {limit_m / 1000:.0f} km: check the position that is sent"
            raise GpsgridError(Reason.OUTSIDE_NETWORK, message)

    def _stream_for(self, kind: Kind, position_m: FloatArray, before: _Client | None) -> PlaceStream | StationStream:
        match kind:
            case Kind.OWN:
                return self._own(position_m, before)
            case Kind.CELL:
                return self._cell(position_m, before)
            case Kind.NEAREST:
                return self._nearest(position_m, before)

    def _own(self, position_m: FloatArray, before: _Client | None) -> PlaceStream | StationStream:
        if before is not None:
            if np.linalg.norm(before.stream.position_m - position_m) <= self.policy.move_m:
                return before.stream
            alone = self._users.get(before.stream.name, set())
            self._check_places(freed=len(alone) == 1)
            following = self._new_own(position_m)
            if isinstance(before.stream, PlaceStream):
                following.follow(before.stream)
            self.counts.moved += 1
            return following
        for stream in self._streams.values():
            near = isinstance(stream, PlaceStream) and stream.name.startswith("place/")
            if near and np.linalg.norm(stream.position_m - position_m) <= self.policy.share_m:
                return stream
        self._check_places(freed=False)
        return self._new_own(position_m)

    def _new_own(self, position_m: FloatArray) -> PlaceStream:
        name = f"place/{next(self._numbers)}"
        words = " ".join(f"{coordinate:.3f}" for coordinate in position_m.tolist())
        return PlaceStream(name, words, position_m, self.network, self.policy.layout)

    def _cell(self, position_m: FloatArray, before: _Client | None) -> PlaceStream | StationStream:
        cell = cell_at(position_m, self.resolution)
        if self.cells:  # the operator has said which; the nearest of them
            cell = min(self._standing, key=lambda one: float(np.linalg.norm(cell_center_m(one) - position_m)))
        stream = self._streams.get(f"cell/{cell}")
        if before is not None and before.stream is not stream:
            # At a border the cell stays until the other is clearly nearer.
            mine_m = float(np.linalg.norm(before.stream.position_m - position_m))
            if np.linalg.norm(cell_place_m(cell, self.network) - position_m) >= self.policy.switch_ratio * mine_m:
                return before.stream
        if stream is None:
            self._check_places(freed=False)
            return self._cell_stream(cell)
        return stream

    def _nearest(self, position_m: FloatArray, before: _Client | None) -> StationStream:
        # Who comes anew gets a station that delivers now; who is there waits for his own for a while.
        away = frozenset(self._absent_since_ns) if before is None else self._gone
        limit_m = self.policy.virtual.maximum_distance_m
        found = [item for item in nearest_stations(self.network, position_m, away) if item[0] <= limit_m]
        distance_m, station = (found or nearest_stations(self.network, position_m, frozenset()))[0]
        if before is not None and isinstance(before.stream, StationStream) and before.stream.station.id not in away:
            mine_m = float(np.linalg.norm(before.stream.station.marker_m - position_m))
            if distance_m >= self.policy.switch_ratio * mine_m:
                return before.stream
        stream = self._streams.get(f"station/{station.id}")
        if isinstance(stream, StationStream) and stream.station == station:
            return stream
        number, year = station_number(station.id), itrf_year(self.network.frame)
        return StationStream(f"station/{station.id}", station, number, self.policy.layout, year)

    def _check_places(self, *, freed: bool) -> None:
        if self.places - freed >= self.policy.maximum_places:
            message = f"{self.places} virtual stations are computed already, which is the limit; try again later"
            raise GpsgridError(Reason.QUEUE_FULL, message)
