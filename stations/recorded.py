"""Recorded files as the streams they once were: per epoch and station one payload of RTCM 3 frames.

What a station knew only later is not in a payload: an ephemeris comes when it was transmitted. Reading the
files is the business of ``stations.edge.recordings``, and sending the payloads that of whoever asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stations.catalog import Network, Station
from stations.constants import NS_PER_MS, NS_PER_S, SPEED_OF_LIGHT_M_S
from stations.ephemeris_calendar import KnownEphemeris, calendar_of
from stations.epoch import StationEpoch
from stations.gpstime import to_iso
from stations.navigation import GpsEphemeris
from stations.navigation_kinds import Ephemeris
from stations.rinex_obs import RinexObservations
from stations.wire.msm import STATION_NUMBERS
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition

HIGHEST_ANTENNA_M = 6.5535  # DF028: 16 bits of 0.1 mm

_TICK_NS = 10 * NS_PER_MS  # epochs of one network moment, as stations.align rounds them
_DESCRIBE_NS = 60 * NS_PER_S
_BEFORE_TIME_NS = -(2**62)


class Recording:
    """The recorded observations of a network, payload by payload.

    It remembers what every station has already sent and which whole cycles its phases carry, so
    :meth:`payloads` has to be called with rising times; :meth:`rewound` starts again.
    """

    def __init__(
        self,
        network: Network,
        observations: Mapping[str, RinexObservations],
        ephemerides: Sequence[GpsEphemeris],
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> None:
        """Keep references to the data; nothing is encoded yet.

        Args:
            network: Its stations are served in their order.
            observations: By station id; stations without any are silent.
            ephemerides: Of the whole network; every station sends each of them once.
            from_ns: First moment, ns of GPS time; ``None`` without limit.
            to_ns: Last moment, included; ``None`` without limit.

        Raises:
            ValueError: Observations of a station that is not in the network, as a held-out one must not be.
        """
        strangers = observations.keys() - {station.id for station in network.stations}
        if strangers:
            message = f"observations of {', '.join(sorted(strangers))}, which the network {network.name} does not have"
            raise ValueError(message)
        self.network = network
        self._observations = dict(observations)
        self._ephemerides = tuple(ephemerides)
        self._limits = (from_ns, to_ns)
        self._sources = [
            _Source(station, index % STATION_NUMBERS, observations[station.id], from_ns, to_ns)
            for index, station in enumerate(network.stations)
            if station.id in observations
        ]
        self._times_ns = sorted({time_ns for source in self._sources for time_ns in source.epochs})
        start_ns = self._times_ns[0] if self._times_ns else 0
        self._calendar = calendar_of(self._ephemerides, start_ns)
        self._last_ns = _BEFORE_TIME_NS

    @property
    def times_ns(self) -> tuple[int, ...]:
        """Moments at which any station has an epoch, rising, ns of GPS time, rounded to 10 ms."""
        return tuple(self._times_ns)

    @property
    def station_ids(self) -> tuple[str, ...]:
        """Stations with epochs in the limits, in the order of the network."""
        return tuple(source.station.id for source in self._sources if source.epochs)

    def rewound(self) -> "Recording":
        """Return the same recording before its first payload."""
        from_ns, to_ns = self._limits
        return Recording(self.network, self._observations, self._ephemerides, from_ns=from_ns, to_ns=to_ns)

    def payloads(self, time_ns: int) -> list[tuple[str, bytes]]:
        """Return what the stations send at one moment, in the order of the network.

        A payload holds the reference position (1006) and the antenna (1033; 1008 if the receiver is
        unknown) at the first epoch of the station and then every minute of data, the ephemerides (1019)
        that became known since its last payload, and the observations (MSM7) last.

        An ephemeris is known from its transmission on (``stations.ephemeris_calendar`` tells the exception
        at the start); the first payload has those that are in use at that moment.

        Args:
            time_ns: One of :attr:`times_ns`, later than in the call before.

        Returns:
            Station and payload of every station that has an epoch at that moment.

        Raises:
            ValueError: The time does not rise.
        """
        if time_ns <= self._last_ns:
            message = (
                f"payloads of {to_iso(time_ns)} asked after those of {to_iso(self._last_ns)}: times must rise, "
                f"because every payload continues the one before; rewound() starts again"
            )
            raise ValueError(message)
        self._last_ns = time_ns
        return [
            (source.station.id, source.payload(time_ns, self._calendar))
            for source in self._sources
            if time_ns in source.epochs
        ]


class _Source:
    """One station: its epochs by moment, and what it has sent."""

    def __init__(
        self, station: Station, number: int, observations: RinexObservations, from_ns: int | None, to_ns: int | None
    ) -> None:
        self.station = station
        self.epochs = epochs_by_moment(observations, from_ns, to_ns)
        self._number = number
        self._position = _reference_position(station, number)
        self._antenna = _descriptor(number, station.antenna, station.antenna_serial, observations.receiver)
        self._aligner = PhaseAligner()
        self._described_ns = _BEFORE_TIME_NS
        self._sent = 0  # entries of the calendar that are done
        self._silent = True

    def payload(self, time_ns: int, calendar: Sequence[KnownEphemeris]) -> bytes:
        epoch = self._aligner.align(whole_millisecond(self.epochs[time_ns]))
        describe = time_ns - self._described_ns >= _DESCRIBE_NS
        if describe:
            self._described_ns = time_ns
        return encode_station_epoch(
            self._number,
            epoch,
            position=self._position if describe else None,
            antenna=self._antenna if describe else None,
            ephemerides=self._news(time_ns, calendar),
        )

    def _news(self, time_ns: int, calendar: Sequence[KnownEphemeris]) -> list[Ephemeris]:
        first = self._sent
        while self._sent < len(calendar) and calendar[self._sent].from_ns <= time_ns:
            self._sent += 1
        news = calendar[first : self._sent]
        if self._silent:
            self._silent = False
            news = [item for item in news if item.in_use(time_ns)]
        return [item.ephemeris for item in news]


@dataclass
class RecordedRover:
    """The recorded epochs of a rover, as the bodies of its queries.

    It remembers the whole cycles of the phases, so :meth:`payload` has to be called with rising times.

    Attributes:
        name: What to call it.
        observations: Its file.
        antenna, antenna_serial: What it says about its antenna; empty when nothing is known.
        antenna_height_m: Marker to antenna reference point, 0 to 6.5535 m; answers are at the marker.
        from_ns, to_ns: First and last moment, both included; ``None`` without limit.
        epochs: By moment, rounded to 10 ms, rising.
    """

    name: str
    observations: RinexObservations
    antenna: str
    antenna_serial: str
    antenna_height_m: float
    from_ns: int | None = None
    to_ns: int | None = None
    epochs: dict[int, StationEpoch] = field(init=False)
    _aligner: PhaseAligner = field(init=False, default_factory=PhaseAligner)
    _last_ns: int = field(init=False, default=_BEFORE_TIME_NS)

    def __post_init__(self) -> None:
        """Sort the epochs by moment.

        Raises:
            ValueError: The antenna height does not fit into message 1006.
        """
        if not 0.0 <= self.antenna_height_m <= HIGHEST_ANTENNA_M:
            message = f"antenna height {self.antenna_height_m} m: message 1006 carries 0 to {HIGHEST_ANTENNA_M} m"
            raise ValueError(message)
        self.epochs = epochs_by_moment(self.observations, self.from_ns, self.to_ns)

    @property
    def times_ns(self) -> tuple[int, ...]:
        """Moments of the epochs, rising, ns of GPS time, rounded to 10 ms."""
        return tuple(self.epochs)

    def rewound(self) -> "RecordedRover":
        """Return the same rover before its first payload."""
        return replace(self)

    def payload(self, time_ns: int) -> bytes:
        """Return the query of one moment: antenna height (1006), antenna (1033 or 1008), observations (MSM7).

        The position in 1006 is zero: where the rover is, is what it asks.

        Args:
            time_ns: One of :attr:`times_ns`, later than in the call before.

        Raises:
            ValueError: The time does not rise.
        """
        if time_ns <= self._last_ns:
            message = f"{self.name}: {to_iso(time_ns)} asked after {to_iso(self._last_ns)}; times must rise"
            raise ValueError(message)
        self._last_ns = time_ns
        epoch = self._aligner.align(whole_millisecond(self.epochs[time_ns]))
        return encode_station_epoch(
            0,
            epoch,
            position=ReferencePosition(0, (0.0, 0.0, 0.0), self.antenna_height_m),
            antenna=_descriptor(0, self.antenna, self.antenna_serial, self.observations.receiver),
        )


def epochs_by_moment(
    observations: RinexObservations, from_ns: int | None = None, to_ns: int | None = None
) -> dict[int, StationEpoch]:
    """Return the epochs within limits by their time rounded to 10 ms; of two at one moment the first."""
    found: dict[int, StationEpoch] = {}
    for epoch in observations.epochs:
        moment_ns = (epoch.time_ns + _TICK_NS // 2) // _TICK_NS * _TICK_NS
        if (from_ns is None or moment_ns >= from_ns) and (to_ns is None or moment_ns <= to_ns):
            found.setdefault(moment_ns, epoch)
    return found


def whole_millisecond(epoch: StationEpoch) -> StationEpoch:
    """Return the epoch with its time tag at a whole millisecond, the only ones RTCM can carry.

    A tag is a reading of the receiver's clock, so code and phase change with it by the speed of light times
    the change, and nothing is lost.
    """
    time_ns = (epoch.time_ns + NS_PER_MS // 2) // NS_PER_MS * NS_PER_MS
    if time_ns == epoch.time_ns:
        return epoch
    change_m = (time_ns - epoch.time_ns) / NS_PER_S * SPEED_OF_LIGHT_M_S
    wavelength_m = SPEED_OF_LIGHT_M_S / epoch.frequency_hz
    return replace(
        epoch,
        time_ns=time_ns,
        pseudorange_m=epoch.pseudorange_m + change_m,
        phase_cyc=epoch.phase_cyc + change_m / wavelength_m,
    )


def _reference_position(station: Station, number: int) -> ReferencePosition:
    x, y, z = station.reference_point_m.tolist()
    height_m = station.antenna_height_m
    # 1006 has no room for a height below zero or above 6.5 m; 1005 says the same point without it.
    known = 0.0 <= height_m <= HIGHEST_ANTENNA_M
    return ReferencePosition(number, (x, y, z), height_m if known else None)


def _descriptor(number: int, antenna: str, serial: str, receiver: str) -> AntennaDescriptor | None:
    if not antenna and not serial:
        return None
    return AntennaDescriptor(number, antenna, serial=serial, receiver=receiver)
