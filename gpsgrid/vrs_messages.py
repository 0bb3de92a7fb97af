"""A virtual station as RTCM 3: what it is, how good it is, and its observations last.

A receiver that has seen the last byte of an epoch has everything of it. The station number tells a receiver that it is
still the same place: constant while the place stays, another one for another place, never 0, which some receivers take
for no station.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np

from gpsgrid.virtual_stream import Level, VirtualReport
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.gpstime import to_utc
from stations.navigation_kinds import Ephemeris
from stations.recorded import sendable
from stations.signals import Constellation
from stations.wire.broadcast_ephemeris import encode_broadcast
from stations.wire.crc24q import crc24q
from stations.wire.framing import encode_frame
from stations.wire.legacy_encoding import encode_legacy
from stations.wire.network_reference import PhysicalReference, encode_physical_reference
from stations.wire.network_residuals import NetworkResiduals, SatelliteResidual, encode_residuals
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch
from stations.wire.service_messages import GlonassBiases, StationText, encode_biases, encode_text
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition, encode_antenna, encode_position

NULL_ANTENNA = "ADVNULLANTENNA"
LEGACY = 3  # beside the levels of MSM: 1004 and 1012
_STATIONS = 4095  # numbers 1 to 4095
_LEGACY_SYSTEMS = {Constellation.GPS: 1004, Constellation.GLONASS: 1012}
_RESIDUAL_SYSTEMS = (Constellation.GPS, Constellation.GLONASS)
_MOST_RESIDUALS = 31
_LARGEST_GEOMETRIC_M = 255 / 2000  # DF218: 8 bits of half a millimetre; the largest says "or more"
_LARGEST_IONOSPHERIC_M = 1023 / 2000  # DF221: 10 bits
_MOST_STATIONS = 127  # DF223
_TEXT_CHARACTERS = 127
_MJD_OF_UNIX = 40587
_SECONDS_PER_DAY = 86_400
_LEVEL_WORDS = {
    Level.FULL: "full network",
    Level.FEWER: "network with fewer stations",
    Level.NEAREST: "nearest base only",
    Level.SILENT: "no corrections",
}


def station_number(place: str) -> int:
    """Return the station number of a place, 1 to 4095: the same for the same name for ever.

    Args:
        place: Name of the place, an H3 cell or a position in words. Two places share a number by chance once in 4095.
    """
    return int(crc24q(place.encode())) % _STATIONS + 1


def text_payload(number: int, time_ns: int, words: str) -> bytes:
    """Return message 1029 without its frame; what is no ASCII or too long is cut.

    Args:
        number: Station number.
        time_ns: Now, ns of GPS time.
        words: For the person behind the receiver.
    """
    utc = to_utc(time_ns)
    days, seconds = divmod(int(utc.timestamp()), _SECONDS_PER_DAY)
    text = words.encode("ascii", "replace").decode()[:_TEXT_CHARACTERS]
    return encode_text(StationText(number, _MJD_OF_UNIX + days, seconds, text))


@dataclass(frozen=True)
class VrsFormat:
    """What a mountpoint, a topic or a file contains.

    Attributes:
        level: Of the MSM, 4, 5 or 7; ``LEGACY`` for 1004 and 1012.
        height: Send 1006, with an antenna height of zero, instead of 1005.
        receiver: Send 1033, which names a receiver, instead of 1008.
        describe_s: Seconds between two descriptions of the station: position, antenna, biases, physical station.
        quality_s: Seconds between two messages on the residuals; 0 for none.
    """

    level: int = 7
    height: bool = False
    receiver: bool = True
    describe_s: int = 10
    quality_s: int = 10


@dataclass
class VrsEncoder:
    """Encodes the stream of one virtual station; the state is what has been sent already.

    Attributes:
        position_m: Antenna reference point, ECEF, shape ``(3,)``.
        number: Station number, from :func:`station_number`.
        network: For the physical station.
        layout: What to send.
        year: Realisation of the frame (DF021), last two digits; 0 where unknown.
        biases_m: GLONASS code-phase biases by master and signal; masters that are absent have none that are known.
    """

    position_m: FloatArray
    number: int
    network: Network
    layout: VrsFormat = VrsFormat()
    year: int = 0
    biases_m: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    _aligner: PhaseAligner = field(init=False, default_factory=PhaseAligner)
    _described: tuple[int, str] = field(init=False, default=(-(2**62), ""))
    _quality_ns: int = field(init=False, default=-(2**62))
    _told: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Check the choices.

        Raises:
            ValueError: Another level than 4, 5, 7 or ``LEGACY``, or a station number that receivers do not accept.
        """
        if self.layout.level not in {LEGACY, 4, 5, 7}:
            message = f"level {self.layout.level}: a virtual station is sent as MSM4, MSM5, MSM7 or legacy ({LEGACY})"
            raise ValueError(message)
        if not 1 <= self.number <= _STATIONS:
            message = f"station number {self.number}: receivers accept 1 to {_STATIONS}"
            raise ValueError(message)

    def encode(self, report: VirtualReport, ephemerides: Iterable[Ephemeris] = ()) -> bytes:
        """Return the frames of one epoch, in the order text, description, quality, ephemerides, observations.

        Args:
            report: What the stream made; epochs must rise. A silent one has a text, once, and nothing else.
            ephemerides: To be sent along; the caller decides which and when.
        """
        payloads = self._text(report)
        if report.epoch is None:
            return b"".join(encode_frame(payload) for payload in payloads)
        described_ns, master = self._described
        if report.time_ns - described_ns >= self.layout.describe_s * NS_PER_S or master != report.master:
            self._described = (report.time_ns, report.master)
            payloads += self._description(report)
        if self.layout.quality_s and report.time_ns - self._quality_ns >= self.layout.quality_s * NS_PER_S:
            self._quality_ns = report.time_ns
            payloads += self._quality(report)
        payloads += [encode_broadcast(ephemeris) for ephemeris in ephemerides]
        epoch = self._aligner.align(sendable(report.epoch))
        head = b"".join(encode_frame(payload) for payload in payloads)
        if self.layout.level == LEGACY:
            return head + b"".join(encode_frame(payload) for payload in self._legacy(epoch))
        return head + encode_station_epoch(self.number, epoch, level=self.layout.level)

    def describe_again(self) -> None:
        """Send the description with the next epoch, for a receiver that has just joined."""
        self._described = (-(2**62), "")

    def moved(self, position_m: FloatArray) -> "VrsEncoder":
        """Return an encoder that goes on for another place: same number, same whole cycles, described at once.

        Args:
            position_m: The new antenna reference point, ECEF, shape ``(3,)``.
        """
        other = replace(self, position_m=position_m)
        other._aligner = deepcopy(self._aligner)  # noqa: SLF001 - of our own kind
        other._quality_ns, other._told = self._quality_ns, self._told  # noqa: SLF001 - as above
        return other

    def _text(self, report: VirtualReport) -> list[bytes]:
        """Return a text when what stands behind the stream has changed; a full network at the start needs none."""
        words = _LEVEL_WORDS[report.level] + (f": {report.reason}" if report.reason else "")
        kind = f"{report.level} {report.reason if report.level is Level.FEWER else ''}"
        before, self._told = self._told, kind
        if kind == before or (not before and report.level is Level.FULL):
            return []
        return [text_payload(self.number, report.time_ns, words)]

    def _description(self, report: VirtualReport) -> list[bytes]:
        systems = {} if report.epoch is None else set((report.epoch.satellite // 100).tolist())
        x, y, z = self.position_m.tolist()
        position = ReferencePosition(
            self.number,
            (x, y, z),
            0.0 if self.layout.height else None,
            self.year,
            Constellation.GPS in systems,
            Constellation.GLONASS in systems,
            Constellation.GALILEO in systems,
            virtual=True,
        )
        receiver = "GPSGRID VRS" if self.layout.receiver else ""
        payloads = [
            encode_position(position),
            encode_antenna(AntennaDescriptor(self.number, NULL_ANTENNA, receiver=receiver)),
        ]
        biases_m = self.biases_m.get(report.master)
        if biases_m is not None and Constellation.GLONASS in systems:
            payloads.append(encode_biases(GlonassBiases(self.number, aligned=False, bias_m=dict(biases_m))))
        names = [station.id for station in self.network.stations]
        px, py, pz = self.network.station(report.master).reference_point_m.tolist()
        physical = PhysicalReference(self.number, names.index(report.master) % 4096, (px, py, pz), self.year)
        return [*payloads, encode_physical_reference(physical)]

    def _quality(self, report: VirtualReport) -> list[bytes]:
        """Return 1030 and 1031: constant parts only, because they are meant for this place."""
        payloads = []
        wet_m = min(report.zwd_sd_m, _LARGEST_GEOMETRIC_M)
        for system in _RESIDUAL_SYSTEMS:
            rows = tuple(
                SatelliteResidual(satellite, wet_m, 0.0, 0.0, min(sd_m, _LARGEST_IONOSPHERIC_M), 0.0)
                for satellite, sd_m in sorted(report.sd_m.items())
                if satellite // 100 == system
            )[:_MOST_RESIDUALS]
            if rows:
                stations = min(report.stations, _MOST_STATIONS)
                payloads.append(encode_residuals(NetworkResiduals(system, report.time_ns, self.number, stations, rows)))
        return payloads

    def _legacy(self, epoch: StationEpoch) -> list[bytes]:
        present = [system for system in _LEGACY_SYSTEMS if np.any(epoch.satellite // 100 == system)]
        return [
            encode_legacy(
                _LEGACY_SYSTEMS[system],
                self.number,
                epoch.rows(epoch.satellite // 100 == system),
                more=place + 1 < len(present),
            )
            for place, system in enumerate(present)
        ]
