"""Station payloads into station epochs and ephemerides; keeps one feed a station and the coarse time.

RTCM observations carry only the time of week. The week comes from the first ephemeris heard, later from
the network epochs themselves, so recordings of any year replay without a word about their date.
"""

from dataclasses import dataclass, field

from models.ephemeris import EphemerisStore
from stations.constants import NS_PER_S, SECONDS_PER_DAY
from stations.epoch import StationEpoch
from stations.errors import Reason
from stations.feed import EphemerisReceived, EpochReceived, Feed, Refused

_SYNCHRONISE_BEYOND_NS = SECONDS_PER_DAY * NS_PER_S


@dataclass
class Ingest:
    """The feeds of all stations.

    Attributes:
        near_ns: GPS time good to half a week; from the host's calendar at first, then from the data.
        synchronised: Whether the data have said what time it is.
        ephemerides: What has been heard, from whichever station.
    """

    near_ns: int
    synchronised: bool = False
    ephemerides: EphemerisStore = field(default_factory=EphemerisStore)
    _feeds: dict[str, Feed] = field(default_factory=dict)

    def push(self, station: str, payload: bytes) -> tuple[list[StationEpoch], list[Refused]]:
        """Take in bytes of a station; return its complete epochs and what was refused."""
        if not self.synchronised:
            self._synchronise(payload)
        epochs: list[StationEpoch] = []
        refused: list[Refused] = []
        feed = self._feeds.setdefault(station, Feed(station))
        for event in feed.push(payload, self.near_ns):
            if isinstance(event, EpochReceived):
                epochs.append(event.epoch)
            elif isinstance(event, EphemerisReceived):
                self.ephemerides.add(event.ephemeris)
            elif isinstance(event, Refused):
                refused.append(event)
        if epochs and not len(self.ephemerides):
            text = f"{station}: observations, but no ephemeris has been heard from any station; send RTCM 1019"
            refused.append(Refused(Reason.NO_NAVIGATION, text))
        return epochs, refused

    def network_time(self, time_ns: int) -> None:
        """Follow the network epochs."""
        self.near_ns = time_ns

    def _synchronise(self, payload: bytes) -> None:
        """Take the coarse time from the first ephemeris in a payload, which a scratch feed looks for."""
        for event in Feed("").push(payload, self.near_ns):
            if isinstance(event, EphemerisReceived):
                toe_ns = event.ephemeris.toe_ns
                if abs(toe_ns - self.near_ns) > _SYNCHRONISE_BEYOND_NS:
                    self.near_ns = toe_ns
                self.synchronised = True
                return
