"""A RINEX file as the RTCM 3 stream that the station could have sent: frames in the order of time.

The station describes itself at the first epoch and then every minute of data, an ephemeris comes when it was
transmitted, and the observations of an epoch come last. What MSM cannot carry is left out and counted: signals and
satellites without a number, values beyond their fields, and whatever is decoded as missing although it was there.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from stations.antenna_type import antenna_type
from stations.arrays import BoolArray
from stations.constants import NS_PER_S
from stations.conversion_report import ConversionReport, Tally
from stations.ephemeris_calendar import calendar_of
from stations.epoch import StationEpoch
from stations.frames import enu_rotation_at
from stations.glonass_channels import GlonassChannels
from stations.navigation_kinds import Ephemeris
from stations.recorded import HIGHEST_ANTENNA_M, whole_millisecond
from stations.rinex_obs import RinexObservations
from stations.signals import SIGNALS, Constellation, satellite_name, signal_of
from stations.wire.broadcast_ephemeris import encode_broadcast
from stations.wire.framing import FrameBuffer, encode_frame, message_number
from stations.wire.msm import carried, decode_msm
from stations.wire.msm_fields import SATELLITE_OFFSETS, group_of
from stations.wire.phase_aligner import PhaseAligner
from stations.wire.publication import encode_station_epoch
from stations.wire.service_messages import GlonassBiases
from stations.wire.station_messages import AntennaDescriptor, ReferencePosition

_DESCRIBE_NS = 60 * NS_PER_S
_NEAR_M = 800.0  # what begins this close to its code has 200 m left before it must be realigned
_MOST_SATELLITES = 64  # DF394
_TEXT = 31  # DF029 and the other texts of 1033
_VALUES = {
    "pseudorange_m": "codes",
    "phase_cyc": "phases",
    "doppler_hz": "Doppler shifts",
    "cn0_dbhz": "carrier-to-noise ratios",
}


def encode_navigation(ephemerides: Sequence[Ephemeris], tally: Tally) -> Iterator[bytes]:
    """Yield ephemerides as frames in the order of their transmission; what has no message is counted.

    Args:
        ephemerides: Of any systems.
        tally: Counts what is written and what is left out.
    """
    for ephemeris in sorted(ephemerides, key=lambda one: (one.transmitted_ns, one.satellite)):
        frame = _broadcast(ephemeris, tally)
        if frame:
            yield frame


class RinexToRtcm:
    """The stream of one station."""

    def __init__(
        self,
        observations: RinexObservations,
        ephemerides: Sequence[Ephemeris] = (),
        *,
        station_number: int = 0,
        level: int = 7,
    ) -> None:
        """Prepare.

        Args:
            observations: The station's file.
            ephemerides: Of all systems; sent while they are in use.
            station_number: Reference station number DF003, 0-4095.
            level: Of the MSM, 4 to 7.
        """
        self.tally = Tally()
        self._observations = observations
        self._ephemerides = ephemerides
        self._number = station_number
        self._level = level

    def frames(self) -> Iterator[bytes]:
        """Yield the frames of one epoch after the other; once."""
        observations, tally = self._observations, self.tally
        position, antenna, biases = self._position(), self._antenna(), self._biases()
        epochs = observations.epochs
        calendar = calendar_of(self._ephemerides, epochs[0].time_ns if epochs else 0)
        aligner = PhaseAligner(_NEAR_M)
        described_ns = None
        sent = 0
        for place, given in enumerate(epochs):
            epoch = whole_millisecond(self._carried(given))
            if epoch.time_ns != given.time_ns:
                tally.note("time tags were moved to whole milliseconds, codes and phases with them")
            epoch = aligner.align(epoch)
            first = sent
            while sent < len(calendar) and calendar[sent].from_ns <= epoch.time_ns:
                sent += 1
            news = [item for item in calendar[first:sent] if place > 0 or item.in_use(epoch.time_ns)]
            tally.left_out["ephemerides that were out of use when the observations began"] += sent - first - len(news)
            head = b"".join(_broadcast(item.ephemeris, tally) for item in news)
            describe = described_ns is None or epoch.time_ns - described_ns >= _DESCRIBE_NS
            described_ns = epoch.time_ns if describe else described_ns
            body = encode_station_epoch(
                self._number,
                epoch,
                position=position if describe else None,
                antenna=antenna if describe else None,
                biases=biases if describe else None,
                level=self._level,
            )
            self._count_lost(epoch, body)
            tally.epoch(epoch)
            yield head + body
        tally.left_out["ephemerides transmitted after the last observation"] += len(calendar) - sent

    def report(self) -> ConversionReport:
        """Return the numbers, after the last frame."""
        observations = self._observations
        events = sum(bool(event) for event in observations.events)
        found = Counter({"events between the epochs": events})
        found += Counter({_skipped(name): count for name, count in observations.skipped.items()})
        for problem in observations.problems:
            self.tally.note(problem)
        return self.tally.report(found)

    def _carried(self, epoch: StationEpoch) -> StationEpoch:
        numbered = _numbered(epoch)
        kept = carried(epoch) & numbered
        for signal in np.unique(epoch.signal[~carried(epoch)]).tolist():
            name = f"{satellite_name(signal)[0]} {SIGNALS[signal].code}"
            self.tally.left_out[f"observations of {name}, which MSM does not have"] += int(
                np.sum(epoch.signal == signal)
            )
        self.tally.left_out["observations of satellites that MSM has no number for"] += int(np.sum(~numbered))
        unknown = np.isnan(epoch.frequency_hz) & np.isfinite(epoch.phase_cyc) & kept
        if unknown.any():
            self.tally.left_out["GLONASS phases whose frequency channel the header does not tell"] += int(unknown.sum())
            epoch = replace(epoch, phase_cyc=np.where(unknown, np.nan, epoch.phase_cyc))
        return epoch if kept.all() else epoch.rows(kept)

    def _count_lost(self, epoch: StationEpoch, frames: bytes) -> None:
        # What the frames say is decoded again: a field that is too small sends a value as invalid.
        channels = GlonassChannels(self._observations.glonass_channels)
        payloads = FrameBuffer().push(frames)
        blocks = [
            decode_msm(payload, epoch.time_ns, channels) for payload in payloads if group_of(message_number(payload))
        ]
        for name, called in _VALUES.items():
            given = int(np.isfinite(getattr(epoch, name)).sum())
            came = sum(int(np.isfinite(getattr(block.sent, name)).sum()) for block in blocks)
            self.tally.left_out[f"{called} that do not fit into MSM{self._level}"] += given - came

    def _position(self) -> ReferencePosition | None:
        observations = self._observations
        if observations.approx_position_m is None:
            self.tally.note("no reference position (1006): the header has no approximate position")
            return None
        height_m = observations.antenna_height_m
        point_m = np.array(observations.approx_position_m)
        x, y, z = (point_m + height_m * enu_rotation_at(point_m)[2]).tolist()
        fits = 0.0 <= height_m <= HIGHEST_ANTENNA_M
        if not fits:
            self.tally.note(f"an antenna height of {height_m} m does not fit into 1006; 1005 says the same point")
        systems = {int(epoch.satellite[row]) // 100 for epoch in observations.epochs[:1] for row in range(len(epoch))}
        return ReferencePosition(
            self._number,
            (x, y, z),
            height_m if fits else None,
            gps=Constellation.GPS in systems,
            glonass=Constellation.GLONASS in systems,
            galileo=Constellation.GALILEO in systems,
        )

    def _antenna(self) -> AntennaDescriptor | None:
        observations = self._observations
        texts = (
            antenna_type(observations.antenna).rstrip(),
            observations.antenna_serial,
            observations.receiver,
            observations.receiver_version,
            observations.receiver_serial,
        )
        if not any(texts):
            self.tally.note("no antenna (1033): the header names none")
            return None
        antenna, serial, receiver, firmware, receiver_serial = (text[:_TEXT] for text in texts)
        return AntennaDescriptor(
            self._number,
            antenna,
            serial=serial,
            receiver=receiver,
            firmware=firmware,
            receiver_serial=receiver_serial,
        )

    def _biases(self) -> GlonassBiases | None:
        bias_m = self._observations.glonass_bias_m
        if not bias_m:
            return None
        known: dict[int, float | None] = {
            signal_of(Constellation.GLONASS, code).number: value
            for code, value in bias_m.items()
            if code in {"1C", "1P", "2C", "2P"}
        }
        return GlonassBiases(self._number, aligned=False, bias_m=known)


def _broadcast(ephemeris: Ephemeris, tally: Tally) -> bytes:
    try:
        payload = encode_broadcast(ephemeris)
    except ValueError:
        tally.left_out[f"ephemerides of {satellite_name(ephemeris.satellite)[0]} that no message can carry"] += 1
        return b""
    tally.navigation([ephemeris])
    return encode_frame(payload)


def _numbered(epoch: StationEpoch) -> BoolArray:
    offset = np.array([SATELLITE_OFFSETS[system] for system in Constellation])[epoch.satellite // 100]
    number = epoch.satellite - offset
    numbered: BoolArray = (number >= 1) & (number <= _MOST_SATELLITES)
    return numbered


def _skipped(name: str) -> str:
    system, _, kind = name.partition(":")
    return f"values of {system} {kind} that belong to no signal" if kind else f"records of satellites of {system}"
