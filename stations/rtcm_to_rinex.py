"""An RTCM 3 stream as epochs, ephemerides and a station description that a RINEX file can hold.

Lock times become arcs (``stations.lock_arcs``), so that the loss-of-lock indicator stands where the phase slipped and
not where an indicator of the wire is too coarse. Nothing is left out without being counted.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from stations.antenna_type import antenna_type
from stations.conversion_report import ConversionReport, Tally
from stations.epoch import StationEpoch
from stations.epoch_series import EpochSeries
from stations.feed_events import (
    AntennaReceived,
    BiasesReceived,
    EphemerisReceived,
    EpochReceived,
    FeedEvent,
    NetworkReceived,
    ParametersReceived,
    PositionReceived,
    TextReceived,
)
from stations.frames import enu_rotation_at
from stations.glonass_channels import GlonassChannels
from stations.lock_arcs import LockArcs
from stations.navigation_kinds import Ephemeris, UploadKey, upload_key
from stations.rinex_obs_writer import StationDescription, writable
from stations.rtcm_reader import RtcmReader
from stations.signals import SIGNALS, Constellation, satellite_name
from stations.wire.service_messages import GlonassBiases
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition

_COMMENT_WIDTH = 60


class RtcmToRinex:
    """One pass through one stream.

    Attributes:
        tally: What has come so far.
        reader: The decoder.
        first_dated_ns, last_dated_ns: First and last epoch that told the time of week, as GLONASS alone does not;
            ``None`` without any.
    """

    def __init__(self, name: str, near_ns: int, channels: GlonassChannels | None = None) -> None:
        """Start before the first byte; arguments as in :class:`RtcmReader`.

        Channels that a first pass has learned let a second pass use the GLONASS phases from the beginning.
        """
        self.tally = Tally()
        self.reader = RtcmReader(name, near_ns, channels)
        self.first_dated_ns: int | None = None
        self.last_dated_ns: int | None = None
        self._series = EpochSeries()
        self._arcs = LockArcs()
        self._ephemerides: dict[tuple[int, UploadKey], Ephemeris] = {}
        self._position: ReferencePosition | None = None
        self._positions: set[tuple[float, float, float]] = set()
        self._antenna: AntennaDescriptor | None = None
        self._biases: GlonassBiases | None = None
        self._passed_over: Counter[str] = Counter()

    @property
    def ephemerides(self) -> list[Ephemeris]:
        """The different ephemerides so far, by satellite and reference time."""
        return sorted(self._ephemerides.values(), key=lambda one: (one.satellite, one.toe_ns, one.transmitted_ns))

    def push(self, data: bytes) -> Iterator[StationEpoch]:
        """Yield the epochs that the next bytes complete, in time order and as RINEX can hold them."""
        for message in self.reader.push(data):
            self._arcs.learn(message.number)
            yield from self._take(message.number, message.events)

    def finish(self) -> Iterator[StationEpoch]:
        """Yield what is left at the end of the stream."""
        yield from self._take(0, self.reader.finish())
        for epoch in self._series.finish():
            yield from self._usable(epoch)

    def description(self, marker: str = "") -> StationDescription:
        """Return what the stream says of the station, for the header.

        Args:
            marker: Name of the marker; by default the number of the station.
        """
        position, antenna = self._position, self._antenna
        comments = ["converted from RTCM 3"]
        if position is not None and position.antenna_height_m is None:
            comments.append("position is the antenna reference point, its height")
            comments.append("above the marker was not sent (1005)")
        bias_m: dict[str, float] = {}
        if self._biases is not None:
            known = {signal: value for signal, value in self._biases.bias_m.items() if value is not None}
            bias_m = {SIGNALS[signal].code: value for signal, value in known.items()}
            aligned = "aligned" if self._biases.aligned else "not aligned"
            comments.append(f"GLONASS code and phase {aligned} by the station (1230)")
        number = next((one.station_number for one in (position, antenna) if one is not None), None)
        return StationDescription(
            marker=marker or (f"{number:04d}" if number is not None else "UNKNOWN"),
            approx_position_m=None if position is None else marker_m(position),
            antenna=antenna_type(antenna.antenna)[:20] if antenna else "",
            antenna_serial=antenna.serial if antenna else "",
            antenna_height_m=(position.antenna_height_m or 0.0) if position else 0.0,
            receiver=antenna.receiver if antenna else "",
            receiver_serial=antenna.receiver_serial if antenna else "",
            receiver_version=antenna.firmware if antenna else "",
            comments=tuple(comment[:_COMMENT_WIDTH] for comment in comments),
            glonass_bias_m=bias_m,
        )

    def report(self) -> ConversionReport:
        """Return the numbers of the pass."""
        if len(self._positions) > 1:
            self.tally.note(f"the stream has {len(self._positions)} reference positions; the header has the first")
        feed = self.reader.feed
        counts = Counter(
            {
                "bytes that are no RTCM 3 frame": self.reader.junk_bytes,
                "supposed frames with a wrong checksum": self.reader.bad_crc,
                "signals that are in no table": feed.skipped_cells,
                "GLONASS phases whose frequency channel nobody told": feed.unknown_channels,
                "observations without whole milliseconds that nothing resolved": feed.unknown_ranges,
                "epochs that came after a later one": self._series.late,
                "epochs without an observation": self._series.empty,
                "observations that their epoch had already": self._series.repeated,
            }
        )
        counts += Counter({f"messages refused: {reason.value}": count for reason, count in feed.refused.items()})
        counts += Counter(
            {f"messages {number}, which are not decoded": count for number, count in feed.ignored.items()}
        )
        return self.tally.report(+(counts + self._passed_over))

    def _take(self, number: int, events: list[FeedEvent]) -> Iterator[StationEpoch]:
        for event in events:
            match event:
                case EpochReceived(epoch):
                    if np.any(epoch.satellite // 100 != Constellation.GLONASS):
                        self.first_dated_ns = self.first_dated_ns or epoch.time_ns
                        self.last_dated_ns = epoch.time_ns
                    for complete in self._series.push(self._arcs.settle(epoch)):
                        yield from self._usable(complete)
                case EphemerisReceived(ephemeris):
                    self._keep(ephemeris)
                case PositionReceived(position):
                    self._positions.add(position.position_m)
                    self._position = position if self._position is None else self._position
                case AntennaReceived(antenna):
                    self._antenna = antenna if self._antenna is None else _fuller(self._antenna, antenna)
                case BiasesReceived(biases):
                    self._biases = biases
                case TextReceived() | ParametersReceived() | NetworkReceived():
                    self._passed_over[f"messages {number}, for which RINEX has no place"] += 1
                case _:
                    pass  # refusals are counted by the decoder

    def _keep(self, ephemeris: Ephemeris) -> None:
        key = (ephemeris.satellite, upload_key(ephemeris))
        if key not in self._ephemerides:
            self._ephemerides[key] = ephemeris
            self.tally.navigation([ephemeris])

    def _usable(self, epoch: StationEpoch) -> Iterator[StationEpoch]:
        observed = np.isfinite(epoch.pseudorange_m) | np.isfinite(epoch.phase_cyc)
        known = np.array([writable(number) for number in epoch.signal.tolist()], dtype=np.bool_)
        for number in np.unique(epoch.signal[observed & ~known]).tolist():
            name = f"{satellite_name(number)[0]} {SIGNALS[number].code}"
            count = int(np.sum(epoch.signal[observed & ~known] == number))
            self.tally.left_out[f"observations of {name}, which RINEX 3.04 does not have"] += count
        self.tally.left_out["observations with neither code nor phase"] += int(np.sum(~observed))
        kept = epoch.rows(observed & known)
        if len(kept):
            self.tally.epoch(kept)
            yield kept


def marker_m(position: ReferencePosition) -> tuple[float, float, float]:
    """Return the marker below an antenna reference point, ECEF metres; the point itself without an antenna height."""
    point_m = np.array(position.position_m)
    height_m = position.antenna_height_m
    if height_m and math.isfinite(height_m) and np.linalg.norm(point_m) > 0.0:
        point_m = point_m - height_m * enu_rotation_at(point_m)[2]
    x, y, z = point_m.tolist()
    return x, y, z


def _fuller(known: AntennaDescriptor, other: AntennaDescriptor) -> AntennaDescriptor:
    # 1033 says everything, 1008 and 1007 less; what is empty in the last message stays as it was.
    filled = {
        name: getattr(other, name) or getattr(known, name)
        for name in ("antenna", "serial", "receiver", "firmware", "receiver_serial")
    }
    return replace(other, **filled)
