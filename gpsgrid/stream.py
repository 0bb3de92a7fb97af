"""One stream of corrections: a virtual station at a place, or a physical station; network epochs in, RTCM 3 out.

``step`` is the expensive part and runs where the engine runs; everything that a stream carries is touched there only.
Who listens is the business of ``streams``.
"""

import re
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from gpsgrid import virtual_stream
from gpsgrid.network_view import NetworkView
from gpsgrid.virtual_master import VirtualState
from gpsgrid.virtual_place import VirtualPolicy
from gpsgrid.virtual_stream import VirtualReport
from gpsgrid.vrs_messages import VrsEncoder, VrsFormat, station_number
from stations.arrays import FloatArray, IntArray
from stations.catalog import Network, Station
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.recorded import sendable
from stations.signals import Constellation
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition

_ITRF = re.compile(r"ITRF(?:19|20)(\d\d)")
LONG_AGO_NS = -(2**62)


@dataclass(frozen=True, eq=False)
class Made:
    """What one network epoch added to a stream.

    Attributes:
        time_ns: Epoch.
        payload: RTCM 3 frames; empty when there is nothing to say.
        report: What stands behind it; ``None`` for a physical station.
        satellite: Satellites of the corrections, ascending, shape ``(n,)``.
        correction_m: Atmosphere on an L1 code, place less master, shape ``(n,)``.
    """

    time_ns: int
    payload: bytes
    report: VirtualReport | None
    satellite: IntArray
    correction_m: FloatArray


class Stream(Protocol):
    """What is stepped once per network epoch.

    Attributes:
        name: Unique among all streams.
        position_m: Antenna reference point, ECEF, shape ``(3,)``.
        last_ns: Newest epoch that was made; written in the engine's thread.
    """

    name: str
    position_m: FloatArray
    last_ns: int

    def step(self, policy: VirtualPolicy, view: NetworkView) -> Made | None:
        """Return what a network epoch adds; ``None`` when it was made before."""

    def describe_again(self) -> None:
        """Describe the station with the next epoch, for somebody who has just joined."""

    def restart(self) -> None:
        """Forget what is carried, after a failure: lock times start anew."""


class PlaceStream:
    """The stream of a virtual station.

    A stream that follows another goes on with its phases, lock times and station number at a new place: what it moves
    by is geometry and atmosphere, and no double difference with it changes its integer.
    """

    def __init__(self, name: str, place: str, position_m: FloatArray, network: Network, layout: VrsFormat) -> None:
        """Start without an epoch.

        Args:
            name: Unique among all streams.
            place: What the station number is made from.
            position_m: Antenna reference point, ECEF, shape ``(3,)``; taken to the millimetre.
            network: For the physical station and the realisation of the frame.
            layout: What to send.
        """
        self.name = name
        self.position_m: FloatArray = np.round(position_m, 3)
        self.last_ns = LONG_AGO_NS
        self._state: VirtualState = virtual_stream.init()
        number = station_number(place)
        self._encoder = VrsEncoder(self.position_m, number, network, layout, itrf_year(network.frame))
        self._parent: PlaceStream | None = None
        self._joined = False

    def follow(self, parent: "PlaceStream") -> None:
        """Go on from another stream at the first step; whoever listened to it loses no phase."""
        self._parent = parent

    def step(self, policy: VirtualPolicy, view: NetworkView) -> Made | None:
        """Make one epoch; see :class:`Stream`."""
        self._take_over()
        time_ns = view.snapshot.time_ns
        if time_ns <= self.last_ns:
            return None
        self.last_ns = time_ns
        self._encoder.network = view.network
        if self._joined:
            self._joined = False
            self._encoder.describe_again()
        self._state, report = virtual_stream.step(policy, self._state, view, self.position_m)
        payload = self._encoder.encode(report)
        return Made(time_ns, payload, report, self._state.satellite, self._state.correction_m)

    def describe_again(self) -> None:
        """Describe the station with the next epoch."""
        self._joined = True

    def restart(self) -> None:
        """Forget the phases, after a failure: lock times start anew."""
        self._state = virtual_stream.init()

    def _take_over(self) -> None:
        parent, self._parent = self._parent, None
        if parent is None:
            return
        state, self._encoder, self.last_ns = parent._handed_over(self.position_m)  # noqa: SLF001 - of our own kind
        # The corrections of the old place are no measure for a jump at the new one.
        nothing = virtual_stream.init()
        self._state = replace(state, satellite=nothing.satellite, correction_m=nothing.correction_m)

    def _handed_over(self, position_m: FloatArray) -> tuple[VirtualState, VrsEncoder, int]:
        self._take_over()  # one that has moved twice before its first epoch
        return self._state, self._encoder.moved(position_m), self.last_ns


class StationStream:
    """A physical station's own observations, encoded by us: as they came, without corrections."""

    def __init__(self, name: str, station: Station, number: int, layout: VrsFormat, year: int) -> None:
        """Start without an epoch.

        Args:
            name: Unique among all streams.
            station: Whose observations.
            number: Reference station number, 1 to 4095.
            layout: Its ``level`` and ``describe_s`` are used.
            year: Realisation of the frame, last two digits; 0 where unknown.
        """
        self.name = name
        self.station = station
        self.position_m: FloatArray = station.reference_point_m
        self.last_ns = LONG_AGO_NS
        self._number = number
        self._layout = layout
        self._year = year
        self._aligner = PhaseAligner()
        self._described_ns = LONG_AGO_NS
        self._joined = False

    def step(self, policy: VirtualPolicy, view: NetworkView) -> Made | None:
        """Make one epoch; see :class:`Stream`. Nothing is sent while the station is missing."""
        del policy
        time_ns = view.snapshot.time_ns
        if time_ns <= self.last_ns:
            return None
        self.last_ns = time_ns
        nothing = virtual_stream.init()
        raw = view.raw.get(self.station.id)
        if raw is None:
            return Made(time_ns, b"", None, nothing.satellite, nothing.correction_m)
        position, antenna = None, None
        if self._joined or time_ns - self._described_ns >= self._layout.describe_s * NS_PER_S:
            self._joined, self._described_ns = False, time_ns
            position, antenna = self._position(raw), self._antenna()
        epoch = self._aligner.align(sendable(raw))
        payload = encode_station_epoch(
            self._number, epoch, position=position, antenna=antenna, level=max(self._layout.level, 4)
        )
        return Made(time_ns, payload, None, np.unique(epoch.satellite), nothing.correction_m)

    def describe_again(self) -> None:
        """Describe the station with the next epoch."""
        self._joined = True

    def restart(self) -> None:
        """Begin new arcs, after a failure."""
        self._aligner = PhaseAligner()

    def _position(self, raw: StationEpoch) -> ReferencePosition:
        x, y, z = self.position_m.tolist()
        systems = set((raw.satellite // 100).tolist())
        return ReferencePosition(
            self._number,
            (x, y, z),
            self.station.antenna_height_m,
            self._year,
            Constellation.GPS in systems,
            Constellation.GLONASS in systems,
            Constellation.GALILEO in systems,
        )

    def _antenna(self) -> AntennaDescriptor | None:
        if not self.station.antenna:
            return None
        return AntennaDescriptor(self._number, self.station.antenna, serial=self.station.antenna_serial)


def itrf_year(frame: str) -> int:
    """Return the realisation for DF021, 14 for ITRF2014; 0 for a frame that is no ITRF."""
    found = _ITRF.fullmatch(frame.upper().replace(" ", ""))
    return int(found[1]) if found else 0
