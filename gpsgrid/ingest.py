"""Station payloads into station epochs and ephemerides; keeps one feed a station and the coarse time.

RTCM observations carry only the time of week. The week comes from the first ephemeris with a week heard (all but
those of GLONASS), later from the network epochs themselves, so recordings of any year replay without a word about
their date. What GLONASS messages say is placed by the time of day, for which the coarse time has to be right within
half a day.

The channel of a GLONASS satellite is the same for everybody: what any station tells, the feeds of all know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from models.ephemeris import EphemerisStore, implausible
from models.repeated import repeats
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.errors import Reason
from stations.feed import EphemerisReceived, EpochReceived, Feed, FeedEvent, Refused
from stations.glonass_channels import GlonassChannels
from stations.gpstime import to_iso
from stations.navigation_kinds import Ephemeris
from stations.navigation_vector import GlonassEphemeris

# An ephemeris in use is at most four hours from its reference time; a host clock farther away is wrong.
_SYNCHRONISE_BEYOND_NS = 6 * 3600 * NS_PER_S
_HELD_BYTES = 1 << 18  # per station, while the calendar is not known: a minute of a busy receiver


@dataclass
class _Unsynchronised:
    """A station's bytes while the week is not known: looked through by a scout, and kept for the real feed."""

    scout: Feed
    held: bytes = b""


@dataclass
class Ingest:
    """The feeds of all stations.

    Attributes:
        near_ns: GPS time good to half a week; from the host's calendar at first, then from the data.
        synchronised: Whether the data have said what time it is.
        ephemerides: What has been heard, of any system and from whichever station.
        channels: GLONASS channels, from whichever station.
    """

    near_ns: int
    synchronised: bool = False
    ephemerides: EphemerisStore = field(default_factory=EphemerisStore)
    channels: GlonassChannels = field(default_factory=GlonassChannels)
    _feeds: dict[str, Feed] = field(default_factory=dict)
    _newest: dict[str, StationEpoch] = field(default_factory=dict)
    _waiting: dict[str, _Unsynchronised] = field(default_factory=dict)
    _host_ns: int | None = None
    _calendar_checked: bool = True

    def push(self, station: str, payload: bytes, host_ns: int) -> tuple[list[StationEpoch], list[Refused]]:
        """Take in bytes of a station; return its complete epochs and what was refused.

        Until the first ephemeris with a week has been heard, from any station and however its bytes are cut, the
        bytes wait; then they are decoded with the right week.
        """
        self._follow_host(host_ns)
        reported: list[Refused] = []
        waiting = self._waiting.get(station)
        if not self.synchronised:
            waiting = self._waiting.setdefault(station, _Unsynchronised(self._feed(station)))
            self.synchronised, reported = self._synchronise(waiting, payload)
            waiting.held = (waiting.held + payload)[-_HELD_BYTES:]
            payload = b""
        if not self.synchronised:
            return [], reported
        epochs: list[StationEpoch] = []
        if waiting is not None:
            # The scout has reported what is wrong with these frames; orbits are judged only here.
            epochs, known = self._decode(station, waiting.held)
            reported += [one for one in known if one.reason is Reason.IMPOSSIBLE_EPHEMERIS]
            del self._waiting[station]
        more, refused = self._decode(station, payload)
        return epochs + more, reported + refused

    def resume(self, time_ns: int, ephemerides: Iterable[Ephemeris], channels: Mapping[int, int]) -> None:
        """Begin with what was known before: GPS time good to half a week, ephemerides and GLONASS channels."""
        for ephemeris in ephemerides:
            if not implausible(ephemeris):
                self.ephemerides.add(ephemeris)
        self.channels = GlonassChannels(dict(channels))
        self.near_ns, self.synchronised, self._calendar_checked = time_ns, True, False

    def forget(self, stations: Iterable[str]) -> None:
        """Drop what is left of stations that are no longer there."""
        for station in stations:
            self._feeds.pop(station, None)
            self._newest.pop(station, None)
            self._waiting.pop(station, None)

    def known_channels(self) -> dict[int, int]:
        """Return the GLONASS channels that any station has told, by satellite."""
        return self.channels.known()

    def network_time(self, time_ns: int, host_ns: int) -> None:
        """Follow the network epochs."""
        self.near_ns, self._host_ns = time_ns, host_ns

    def near_at(self, host_ns: int) -> int:
        """Return GPS time good to half a week at a time of the host clock, also after days of silence."""
        return self.near_ns if self._host_ns is None else self.near_ns + max(host_ns - self._host_ns, 0)

    def _follow_host(self, host_ns: int) -> None:
        self.near_ns, self._host_ns = self.near_at(host_ns), host_ns

    def _feed(self, station: str) -> Feed:
        return Feed(station, self.channels)

    def _decode(self, station: str, payload: bytes) -> tuple[list[StationEpoch], list[Refused]]:
        epochs: list[StationEpoch] = []
        refused: list[Refused] = []
        feed = self._feeds.get(station)
        if feed is None:
            feed = self._feeds[station] = self._feed(station)
        for event in feed.push(payload, self.near_ns):
            if isinstance(event, EpochReceived):
                before = self._newest.get(station)
                self._newest[station] = event.epoch
                if before is not None and repeats(before, event.epoch):
                    text = (
                        f"{station}: the observations of {to_iso(event.epoch.time_ns)} are those of "
                        f"{to_iso(before.time_ns)} again; nothing of this epoch is used, restart the receiver"
                    )
                    refused.append(Refused(Reason.STUCK_RECEIVER, text))
                else:
                    epochs.append(event.epoch)
            elif isinstance(event, EphemerisReceived):
                wrong = implausible(event.ephemeris)
                if wrong:
                    refused.append(Refused(Reason.IMPOSSIBLE_EPHEMERIS, f"{station}: {wrong}; it is not used"))
                else:
                    if not isinstance(event.ephemeris, GlonassEphemeris):  # which know the time of day only
                        self._check_calendar(event.ephemeris.toe_ns)
                    self.ephemerides.add(event.ephemeris)
            elif isinstance(event, Refused):
                refused.append(event)
        return epochs, refused

    def _check_calendar(self, toe_ns: int) -> None:
        """After :meth:`resume`, let the first ephemeris say whether these are data of the same days."""
        if not self._calendar_checked and abs(toe_ns - self.near_ns) > _SYNCHRONISE_BEYOND_NS:
            self.near_ns = toe_ns
        self._calendar_checked = True

    def _synchronise(self, waiting: _Unsynchronised, payload: bytes) -> tuple[bool, list[Refused]]:
        """Let the scout look for the first ephemeris; return whether it found one, and what it could not use."""
        found = False
        refused: list[Refused] = []
        for event in waiting.scout.push(payload, self.near_ns):
            toe_ns = None if found else _dated_ns(event)
            if toe_ns is not None:
                if abs(toe_ns - self.near_ns) > _SYNCHRONISE_BEYOND_NS:
                    self.near_ns = toe_ns
                found = True
            elif isinstance(event, EpochReceived) and not found:
                text = (
                    f"{waiting.scout.station_id}: observations, but no ephemeris that tells the week has been "
                    f"heard from any station; send RTCM 1019, 1042, 1044, 1045 or 1046"
                )
                refused.append(Refused(Reason.NO_NAVIGATION, text))
            elif isinstance(event, Refused):
                refused.append(event)
        return found, refused


def _dated_ns(event: FeedEvent) -> int | None:
    """Return the reference time in an event that tells the week: no GLONASS message does."""
    if not isinstance(event, EphemerisReceived) or isinstance(event.ephemeris, GlonassEphemeris):
        return None
    return None if implausible(event.ephemeris) else event.ephemeris.toe_ns
