"""Takes in a stream, or what a reader made of a file, and says what was in it: :class:`SurveyReport`.

Nothing is judged here (``survey_findings`` does that) and nothing can fail: any bytes are a stream.
"""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from stations.constants import NS_PER_S
from stations.errors import Reason
from stations.feed_events import (
    AntennaReceived,
    BiasesReceived,
    EphemerisReceived,
    EpochReceived,
    FeedEvent,
    PositionReceived,
    Refused,
    TextReceived,
)
from stations.navigation_kinds import Ephemeris, UploadKey, upload_key
from stations.rinex_obs import RinexObservations
from stations.rtcm_reader import RtcmReader
from stations.signals import SIGNALS, Constellation, satellite_name
from stations.stream_date import StreamDate
from stations.survey_observations import ObservationSurvey
from stations.survey_report import EphemeridesSeen, MessagesSeen, StationSeen, StreamSeen, SurveyReport
from stations.wire.message_names import message_name
from stations.wire.service_messages import GlonassBiases
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition

_MOST_TEXTS = 20
_MOST_EPHEMERIDES = 20_000  # a day of all systems has six thousand
_MOST_POSITIONS = 1000
_MOST_DELAYS = 100_000


class StreamSurvey:
    """Survey of RTCM 3 bytes.

    Attributes:
        reader: Decodes them.
        observations: Of the epochs so far.
        first_dated_ns, last_dated_ns: First and last epoch that told the time of week, as GLONASS alone does not; ns
            of GPS time, ``None`` without any.
    """

    def __init__(self, name: str, near_ns: int, date: StreamDate | None = None) -> None:
        """Start before the first byte.

        Args:
            name: Of the stream.
            near_ns: As in :class:`RtcmReader`.
            date: Where that time comes from, if from the stream.
        """
        self.reader = RtcmReader(name, near_ns)
        self.observations = ObservationSurvey()
        self.first_dated_ns: int | None = None
        self.last_dated_ns: int | None = None
        self._date = date
        self._size_bytes = 0
        self._counts: Counter[int] = Counter()
        self._spans: dict[int, tuple[int, int, int]] = {}  # first and last time ns, and how many came since the first
        self._refusals: list[str] = []
        self._texts: dict[str, None] = {}
        self._ephemerides: dict[tuple[int, UploadKey], Ephemeris] = {}
        self._position: ReferencePosition | None = None
        self._position_number = 0
        self._positions: dict[tuple[float, float, float], None] = {}
        self._descriptors: list[AntennaDescriptor] = []
        self._biases: GlonassBiases | None = None
        self._clock_ns: int | None = None
        self._delays_ns: list[int] = []

    def push(self, data: bytes, now_ns: int | None = None) -> None:
        """Take in the next bytes; ``now_ns`` is their time of reception where they come live."""
        self._size_bytes += len(data)
        for number, _, events in self.reader.push(data, now_ns):
            self.observations.arcs.learn(number)
            for event in events:
                self._event(number, event, now_ns)
            self._count(number)

    def finish(self, seconds: float | None = None) -> SurveyReport:
        """Return what was seen, at the end of the stream; ``seconds`` is how long a live one was listened to."""
        for event in self.reader.finish():
            self._event(0, event, None)
        self.observations.finish()
        epochs = self.observations.epochs()
        feed = self.reader.feed
        refused = {reason.value: count for reason, count in sorted(feed.refused.items())}
        delay_s = sorted(self._delays_ns)[len(self._delays_ns) // 2] / NS_PER_S if self._delays_ns else None
        stream = StreamSeen(
            self._size_bytes,
            self.reader.frames,
            self.reader.bad_crc,
            self.reader.junk_bytes,
            refused,
            tuple(self._refusals),
            feed.unknown_channels,
            feed.unknown_ranges,
            self._date.source if self._date else 0,
            seconds is not None or (self._date is not None and self._date.certain),
            seconds,
            delay_s,
        )
        broadcast = tuple(self._ephemerides.values())
        return SurveyReport(
            stream,
            self._messages(),
            epochs,
            self.observations.systems(),
            self.observations.signals(),
            self._station(),
            ephemerides_seen(broadcast, None if epochs is None else epochs.last_ns),
            tuple(self._texts),
            (),
            tuple(self.observations.samples),
            broadcast,
        )

    def _count(self, number: int) -> None:
        self._counts[number] += 1
        if self._clock_ns is not None:
            first_ns, _, since = self._spans.get(number, (self._clock_ns, 0, -1))
            self._spans[number] = (first_ns, self._clock_ns, since + 1)

    def _event(self, number: int, event: FeedEvent, now_ns: int | None) -> None:
        match event:
            case EpochReceived(epoch):
                self._clock_ns = max(epoch.time_ns, self._clock_ns or epoch.time_ns)
                if np.any(epoch.satellite // 100 != Constellation.GLONASS):
                    self.first_dated_ns = epoch.time_ns if self.first_dated_ns is None else self.first_dated_ns
                    self.last_dated_ns = epoch.time_ns
                self.observations.add(epoch)
                if now_ns is not None and len(self._delays_ns) < _MOST_DELAYS:
                    self._delays_ns.append(now_ns - epoch.time_ns)
            case EphemerisReceived(ephemeris):
                if len(self._ephemerides) < _MOST_EPHEMERIDES:
                    self._ephemerides.setdefault((ephemeris.satellite, upload_key(ephemeris)), ephemeris)
            case PositionReceived(position):
                self._position, self._position_number = position, number
                if len(self._positions) < _MOST_POSITIONS:
                    self._positions[position.position_m] = None
            case AntennaReceived(antenna):
                # Of 1007, 1008 and 1033 the last one each; whatever one does not say another may.
                self._descriptors = [one for one in self._descriptors if _says(one) != _says(antenna)] + [antenna]
            case BiasesReceived(biases):
                self._biases = biases
            case TextReceived(text) if len(self._texts) < _MOST_TEXTS:
                self._texts[text.text] = None
            case Refused(reason, text) if reason is not Reason.BAD_CRC and len(self._refusals) < _MOST_TEXTS:
                self._refusals.append(text)
            case _:
                pass

    def _messages(self) -> tuple[MessagesSeen, ...]:
        found = []
        for number, count in sorted(self._counts.items()):
            first_ns, last_ns, since = self._spans.get(number, (0, 0, 0))
            interval_s = (last_ns - first_ns) / NS_PER_S / since if since and last_ns > first_ns else None
            found.append(MessagesSeen(number, message_name(number), count, interval_s))
        return tuple(found)

    def _station(self) -> StationSeen:
        position, biases = self._position, self._biases

        def said(name: str) -> str:
            return next((text for one in self._descriptors[::-1] if (text := str(getattr(one, name)).strip())), "")

        number = next((one.station_number for one in (position, *self._descriptors) if one is not None), None)
        return StationSeen(
            "" if number is None else f"station {number}",
            None if position is None else position.position_m,
            f"message {self._position_number}" if position is not None else "",
            len(self._positions),
            max((math.dist(next(iter(self._positions)), one) for one in self._positions), default=0.0),
            None if position is None else position.antenna_height_m,
            position is not None and position.virtual,
            said("antenna"),
            said("serial"),
            said("receiver"),
            said("firmware"),
            None
            if biases is None
            else {SIGNALS[signal].code: value for signal, value in biases.bias_m.items() if value is not None},
        )


def survey_observations(observations: RinexObservations, ephemerides: Iterable[Ephemeris] = ()) -> SurveyReport:
    """Return what is in a RINEX observation file.

    Args:
        observations: The file.
        ephemerides: From navigation files beside it.
    """
    survey = ObservationSurvey(exact_locks=True)
    for epoch in observations.epochs:
        survey.add(epoch)
    survey.finish()
    epochs = survey.epochs()
    broadcast = tuple(ephemerides)
    station = StationSeen(
        observations.marker,
        observations.approx_position_m,
        "header" if observations.approx_position_m else "",
        positions=1 if observations.approx_position_m else 0,
        antenna_height_m=observations.antenna_height_m,
        antenna=observations.antenna.strip(),
        antenna_serial=observations.antenna_serial,
        receiver=observations.receiver,
        firmware=observations.receiver_version,
        glonass_bias_m=observations.glonass_bias_m or None,
    )
    return SurveyReport(
        None,
        (),
        epochs,
        survey.systems(),
        survey.signals(),
        station,
        ephemerides_seen(broadcast, None if epochs is None else epochs.last_ns),
        (),
        tuple(observations.problems),
        tuple(survey.samples),
        broadcast,
    )


def survey_navigation(ephemerides: Iterable[Ephemeris]) -> SurveyReport:
    """Return what is in a navigation file."""
    broadcast = tuple(ephemerides)
    return SurveyReport(None, (), None, (), (), StationSeen(), ephemerides_seen(broadcast, None), (), (), (), broadcast)


def ephemerides_seen(ephemerides: Iterable[Ephemeris], last_ns: int | None) -> tuple[EphemeridesSeen, ...]:
    """Return what there is of every system.

    Args:
        ephemerides: Different ones.
        last_ns: Last epoch, ns of GPS time; ``None`` without observations.
    """
    by_system: dict[int, list[Ephemeris]] = {}
    for ephemeris in ephemerides:
        by_system.setdefault(ephemeris.satellite // 100, []).append(ephemeris)
    found = []
    for system, some in sorted(by_system.items()):
        newest: dict[int, Ephemeris] = {}
        for ephemeris in sorted(some, key=lambda one: one.toe_ns):
            newest[ephemeris.satellite] = ephemeris
        age_s = None
        if last_ns is not None:
            age_s = max(last_ns - one.toe_ns for one in newest.values()) / NS_PER_S
        found.append(
            EphemeridesSeen(
                satellite_name(100 * system)[0],
                tuple(satellite_name(satellite) for satellite in sorted(newest)),
                len(some),
                tuple(satellite_name(one.satellite) for one in newest.values() if not one.healthy),
                age_s,
            )
        )
    return tuple(found)


def _says(antenna: AntennaDescriptor) -> tuple[bool, bool]:
    return bool(antenna.serial), bool(antenna.receiver)
