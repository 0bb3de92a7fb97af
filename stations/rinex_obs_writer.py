"""RINEX 3.04 observation files: :class:`StationEpoch` in, text out, so that reading it gives the same back.

What the format cannot hold is refused, never rounded away: satellites with three digits, signals without a RINEX
code, values of more than ten digits. Values are printed with three decimals, clock offsets with twelve.

The loss-of-lock indicator says that an arc began: bit 0 where ``lock_ms`` is less than the time since the satellite
was last seen (its first epoch included), bit 1 where the phase may be off by half a cycle.
"""

import math
from collections.abc import Sequence

import numpy as np

from stations import gpstime
from stations.arrays import FloatArray, IntArray
from stations.epoch import StationEpoch
from stations.rinex_columns import SYSTEMS
from stations.rinex_header import PhaseShift
from stations.rinex_lines import NEVER_NS, fits, line_width, print_lines_inplace
from stations.rinex_obs_contents import ObservationContents
from stations.rinex_obs_header import VERSION, StationDescription, calendar, header_lines
from stations.signals import SIGNALS, Constellation, satellite_name

__all__ = ["ObservationWriter", "StationDescription", "writable", "write_observations"]

_TICK_NS = 100  # seconds have seven decimals
_NUMBERS = 1000  # satellites and signals are numbered below
_SUPPORTED_CODES = {  # RINEX 3.04 tables 4 to 10; what came later cannot be in a file of that version
    Constellation.GPS: "1C 1S 1L 1X 1P 1W 1Y 1M 1N 2C 2D 2S 2L 2X 2P 2W 2Y 2M 2N 5I 5Q 5X",
    Constellation.GLONASS: "1C 1P 4A 4B 4X 2C 2P 6A 6B 6X 3I 3Q 3X",
    Constellation.GALILEO: "1A 1B 1C 1X 1Z 5I 5Q 5X 7I 7Q 7X 8I 8Q 8X 6A 6B 6C 6X 6Z",
    Constellation.SBAS: "1C 5I 5Q 5X",
    Constellation.QZSS: "1C 1S 1L 1X 1Z 2S 2L 2X 5I 5Q 5X 5D 5P 5Z 6S 6L 6X 6E 6Z",
    Constellation.BEIDOU: "2I 2Q 2X 1D 1P 1X 1A 1N 5D 5P 5X 7I 7Q 7X 7D 7P 7Z 8D 8P 8X 6I 6Q 6X 6A",
    Constellation.NAVIC: "5A 5B 5C 5X 9A 9B 9C 9X",
}


class ObservationWriter:
    """Writes one file in pieces: first the header, then epoch by epoch, in time order."""

    def __init__(
        self,
        station: StationDescription,
        contents: ObservationContents,
        *,
        phase_shifts: Sequence[PhaseShift] = (),
        created: str = "",
    ) -> None:
        """Lay out the columns.

        Args:
            station: For the header.
            contents: Of all epochs that will be written, at least one.
            phase_shifts: What has been added to the phases; they are written as they are.
            created: Date of the file as ``YYYYMMDD HHMMSS UTC``; this class reads no clock.

        Raises:
            ValueError: There is no epoch, or a signal that has no code in this version of RINEX.
        """
        if not contents.epochs:
            message = "at least one epoch is needed: the header of a RINEX file has its time"
            raise ValueError(message)
        unknown = sorted(number for number in contents.signals if not writable(number))
        if unknown:
            message = f"signals {unknown} have no code in RINEX {VERSION}; leave them out"
            raise ValueError(message)
        signals = sorted(contents.signals)
        by_system = {
            system: [number for number in signals if number // 100 == system] for system in range(len(SYSTEMS))
        }
        present = {system: numbers for system, numbers in by_system.items() if numbers}
        self.header = "\n".join(header_lines(station, contents, present, phase_shifts, created)) + "\n"
        self._body = _Body(present)
        self._before_ns: int | None = None

    def epoch(self, epoch: StationEpoch, clock_offset_s: float = math.nan) -> str:
        """Return the lines of the next epoch.

        Args:
            epoch: Its signals are among those of the contents.
            clock_offset_s: Receiver clock offset, NaN where unknown.

        Raises:
            ValueError: The epoch is not later than the one before, or has a value that the format cannot hold.
        """
        if self._before_ns is not None and epoch.time_ns <= self._before_ns:
            message = f"epoch {gpstime.to_iso(epoch.time_ns)} is not later than the one before; sort them first"
            raise ValueError(message)
        self._before_ns = epoch.time_ns
        return self._body.epoch(epoch, clock_offset_s)


def write_observations(
    station: StationDescription,
    epochs: Sequence[StationEpoch],
    *,
    clock_offset_s: FloatArray | None = None,
    phase_shifts: Sequence[PhaseShift] = (),
    created: str = "",
) -> str:
    """Return a RINEX 3.04 observation file.

    Args:
        station: For the header.
        epochs: In time order, at least one.
        clock_offset_s: Receiver clock offset of every epoch, NaN where unknown, shape ``(epoch,)``.
        phase_shifts: What has been added to the phases; they are written as they are.
        created: Date of the file as ``YYYYMMDD HHMMSS UTC``; this function reads no clock.

    Raises:
        ValueError: The epochs are not in order or cannot be written: the message says which, and why.

    Source:
        IGS/RTCM (2018), RINEX 3.04, tables A2 and A3.
    """
    if clock_offset_s is not None and len(clock_offset_s) != len(epochs):
        message = f"{len(clock_offset_s)} clock offsets for {len(epochs)} epochs"
        raise ValueError(message)
    contents = ObservationContents()
    for epoch in epochs:
        contents.add(epoch)
    writer = ObservationWriter(station, contents, phase_shifts=phase_shifts, created=created)
    clocks_s = [math.nan] * len(epochs) if clock_offset_s is None else clock_offset_s.tolist()
    pieces = [writer.epoch(epoch, clock_s) for epoch, clock_s in zip(epochs, clocks_s, strict=True)]
    return "".join([writer.header, *pieces])


def writable(number: int) -> bool:
    """Return whether a signal has a code in this version of RINEX."""
    signal = SIGNALS.get(number)
    return signal is not None and signal.code in _SUPPORTED_CODES[signal.constellation].split()


class _Body:
    """Writes epochs and remembers when every phase was last seen."""

    def __init__(self, present: dict[int, list[int]]) -> None:
        self._slot: IntArray = np.full(_NUMBERS, -1, dtype=np.int64)
        self._slots: IntArray = np.zeros(len(SYSTEMS), dtype=np.int64)
        for system, numbers in present.items():
            self._slot[numbers] = np.arange(len(numbers))
            self._slots[system] = len(numbers)
        self._seen_ns: IntArray = np.full((_NUMBERS, 100), NEVER_NS, dtype=np.int64)

    def epoch(self, epoch: StationEpoch, clock_offset_s: float) -> str:
        """Return the lines of one epoch."""
        if epoch.time_ns % _TICK_NS:
            message = f"time tag {epoch.time_ns} ns: RINEX has seven decimals of a second"
            raise ValueError(message)
        if np.any(np.diff(epoch.satellite) < 0):
            epoch = epoch.rows(np.argsort(epoch.satellite, kind="stable"))
        satellites = len(np.unique(epoch.satellite))
        text = np.empty(satellites * line_width(int(self._slots.max())), dtype=np.uint8)
        end = print_lines_inplace(
            text,
            self._slot,
            self._slots,
            self._seen_ns,
            epoch.time_ns,
            epoch.satellite,
            epoch.signal,
            (epoch.pseudorange_m, epoch.phase_cyc, epoch.doppler_hz, epoch.cn0_dbhz),
            epoch.lock_ms,
            epoch.half_cycle,
        )
        if end < 0:
            raise ValueError(_refusal(epoch, -end - 1, self._slot))
        moment = calendar(epoch.time_ns)
        clock = "" if math.isnan(clock_offset_s) else f"{'':6}{clock_offset_s:15.12f}"
        first = (
            f"> {moment[0]:4d} {moment[1]:02d} {moment[2]:02d} {moment[3]:02d} {moment[4]:02d}{moment[5]:11.7f}"
            f"  0{satellites:3d}{clock}\n"
        )
        return first + text[:end].tobytes().decode("ascii")


def _refusal(epoch: StationEpoch, row: int, slot: IntArray) -> str:
    satellite, signal = int(epoch.satellite[row]), int(epoch.signal[row])
    if slot[signal] < 0 or satellite // 100 != signal // 100:
        return f"{satellite_name(satellite)} signal {signal} is not among those that the header was made for"
    values = (epoch.pseudorange_m[row], epoch.phase_cyc[row], epoch.doppler_hz[row], epoch.cn0_dbhz[row])
    wrong = next(float(value) for value in values if not (math.isnan(value) or fits(value)))
    return f"{wrong} does not fit into the ten digits of a RINEX observation"
