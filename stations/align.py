"""One network epoch out of many station epochs: closed when complete or after a deadline; nothing blocks it.

Sans-IO: time is an argument. Late, duplicate and future epochs are refused with a reason and counted by
the caller; epochs are closed in the order of their time. A receiver whose clock is ahead is outvoted, so
that it cannot make everybody else late.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso

_TICK_NS = 10 * NS_PER_MS  # receivers keep their time tags within a millisecond or so of the round epoch
_FUTURE_NS = 3600 * NS_PER_S
_LATELY_NS = 60 * NS_PER_S
_FAR_NS = 10 * NS_PER_S  # a link that is slower than this delivers nothing of use
_QUORUM = 3  # with fewer stations heard, nobody can be outvoted


@dataclass(frozen=True)
class NetworkEpoch:
    """The observations of all stations at one epoch.

    Attributes:
        time_ns: Epoch, rounded to 10 ms.
        stations: Observations by station.
    """

    time_ns: int
    stations: dict[str, StationEpoch]


@dataclass
class _Open:
    since_ns: int
    deadline_ns: int
    stations: dict[str, StationEpoch]


@dataclass
class EpochAssembler:
    """Collects station epochs into network epochs.

    Attributes:
        expected: Stations that are waited for.
        wait_ns: How long after the first station of an epoch the others are waited for.
    """

    expected: frozenset[str]
    wait_ns: int
    _open: dict[int, _Open] = field(default_factory=dict)
    _closed_ns: int = -1
    _last_ns: dict[str, int] = field(default_factory=dict)
    _heard_ns: dict[str, int] = field(default_factory=dict)
    _refusals: list[GpsgridError] = field(default_factory=list)

    def expect(self, stations: frozenset[str]) -> None:
        """Wait for these stations from now on, and forget what others have sent."""
        self.expected = stations
        for station in self._last_ns.keys() - stations:
            del self._last_ns[station], self._heard_ns[station]
            for open_ in self._open.values():
                open_.stations.pop(station, None)
        self._open = {time_ns: open_ for time_ns, open_ in self._open.items() if open_.stations}

    def resume(self, closed_ns: int) -> None:
        """Take all epochs up to a time as closed, by an assembler before this one."""
        self._closed_ns = closed_ns

    def push(self, station: str, epoch: StationEpoch, host_ns: int) -> list[NetworkEpoch]:
        """Take in one station epoch; return the network epochs that are complete now, oldest first.

        Raises:
            GpsgridError: ``LATE_EPOCH`` (its network epoch is closed), ``DUPLICATE_EPOCH`` or
                ``FUTURE_EPOCH`` (more than an hour ahead of the median of all stations). The state is
                as if the epoch had not come, except that the station's clock is remembered.
        """
        time_ns = (epoch.time_ns + _TICK_NS // 2) // _TICK_NS * _TICK_NS
        self._last_ns[station] = time_ns
        self._heard_ns[station] = host_ns
        if time_ns <= self._closed_ns and self._majority_is_late(host_ns):
            # What was closed came from clocks that are ahead; everybody else must not be late for ever.
            self._closed_ns = time_ns - _TICK_NS
        if time_ns <= self._closed_ns:
            message = (
                f"{station}: epoch {to_iso(time_ns)} came after its network epoch was closed "
                f"(last closed {to_iso(self._closed_ns)}); is the link slow, or the deadline too short?"
            )
            raise GpsgridError(Reason.LATE_EPOCH, message, station=station, time_ns=time_ns)
        if self._is_future(time_ns):
            message = (
                f"{station}: epoch {to_iso(time_ns)} is more than an hour ahead of the other stations; "
                f"check the clock or week number of the receiver"
            )
            raise GpsgridError(Reason.FUTURE_EPOCH, message, station=station, time_ns=time_ns)
        open_ = self._open.setdefault(time_ns, _Open(host_ns, host_ns + self.wait_ns, {}))
        if station in open_.stations:
            message = f"{station}: epoch {to_iso(time_ns)} came twice; the first is kept"
            raise GpsgridError(Reason.DUPLICATE_EPOCH, message, station=station, time_ns=time_ns)
        open_.stations[station] = epoch
        if self.expected <= open_.stations.keys():
            return self._close(key for key in self._open if key <= time_ns)
        return []

    def tick(self, host_ns: int) -> list[NetworkEpoch]:
        """Return the network epochs whose deadline has passed, and all older ones, oldest first."""
        for key in [key for key, open_ in self._open.items() if open_.deadline_ns <= host_ns]:
            self._outvote(key)
        due = [key for key, open_ in self._open.items() if open_.deadline_ns <= host_ns]
        return self._close(key for key in self._open if due and key <= max(due))

    def take_refusals(self) -> list[GpsgridError]:
        """Return, once, the station epochs that :meth:`tick` refused: ``FUTURE_EPOCH``."""
        refusals, self._refusals = self._refusals, []
        return refusals

    def _outvote(self, key: int) -> None:
        """Refuse an overdue epoch when more stations than it holds were heard meanwhile with older epochs."""
        open_ = self._open[key]
        since_ns = open_.since_ns - self.wait_ns
        behind = [
            station
            for station, time_ns in self._last_ns.items()
            if time_ns < key and station not in open_.stations and self._heard_ns[station] >= since_ns
        ]
        if len(behind) <= len(open_.stations):
            return
        del self._open[key]
        for station in open_.stations:
            message = (
                f"{station}: epoch {to_iso(key)} is ahead of {len(behind)} stations that were heard at the same "
                f"time; check the clock of the receiver"
            )
            self._refusals.append(GpsgridError(Reason.FUTURE_EPOCH, message, station=station, time_ns=key))

    def deadline_ns(self) -> int | None:
        """Return when :meth:`tick` has something to do, on the host clock; ``None`` when nothing waits."""
        return min((open_.deadline_ns for open_ in self._open.values()), default=None)

    def _majority_is_late(self, host_ns: int) -> bool:
        """Return whether of the stations heard lately more are behind the last closed epoch than ahead of it."""
        lately = [s for s, heard_ns in self._heard_ns.items() if host_ns - heard_ns <= _LATELY_NS]
        late = sum(self._last_ns[station] <= self._closed_ns - _FAR_NS for station in lately)
        return late > len(lately) - late

    def _is_future(self, time_ns: int) -> bool:
        if len(self._last_ns) < _QUORUM:
            return False
        known = sorted(self._last_ns.values())
        return time_ns > known[(len(known) - 1) // 2] + _FUTURE_NS

    def _close(self, keys: Iterable[int]) -> list[NetworkEpoch]:
        closed = []
        for key in sorted(keys):
            stations = self._open.pop(key).stations
            closed.append(NetworkEpoch(key, dict(sorted(stations.items()))))
            self._closed_ns = key
        return closed
