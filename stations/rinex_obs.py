"""RINEX observation files (2.0-2.12, 3.0x, 4.0x): text in, :class:`StationEpoch` out, for all systems.

The age of an arc (``lock_ms``) starts again at bit 0 of the loss-of-lock indicator, after a power
failure or a change of site, and after a gap of more than 1.5 intervals. Which columns are taken for
which signal is told in ``rinex_columns``.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_S
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.rinex_columns import SYSTEMS
from stations.rinex_epochs import EpochIndex, Event, find_epochs
from stations.rinex_header import ObservationHeader, PhaseShift, read_header
from stations.rinex_rows import epochs_of, join_rows, read_rows
from stations.rinex_scan import Rows
from stations.rinex_splice import changes, other_station
from stations.rinex_text import LineTable

ALL_SYSTEMS = SYSTEMS


@dataclass(frozen=True)
class RinexObservations:
    """The observations of one station, from one file or several in a row.

    Attributes:
        version: RINEX version (of the first file).
        marker: Marker name.
        approx_position_m: Marker, ECEF metres; None when the file has none. Frame unknown.
        antenna: IGS antenna type, 20 characters; empty when the file has none.
        antenna_serial: Serial number of the antenna.
        antenna_height_m: Marker to antenna reference point, up, metres.
        receiver: Receiver type.
        interval_s: Median spacing of the epochs; the declared one when there are fewer than two.
        epochs: In time order.
        skipped: How many observations were left out, by ``system`` (``R``, records of satellites) or
            ``system:type`` (``G:C1P``, values).
        problems: What was dropped or is strange, with file and line.
        glonass_channels: Frequency channel by satellite integer, as far as the files or the caller tell.
        clock_offset_s: Receiver clock offset of every epoch, NaN where not given, shape ``(epoch,)``.
        clock_applied: Whether that offset is already in time tags and observations.
        phase_shifts: What was added to the phases of which signals; it is in them already.
        events: What happened between the epochs.
        marker_number: Marker (DOMES) number.
        receiver_serial: Serial number of the receiver.
        receiver_version: Its firmware.
        glonass_bias_m: How far GLONASS codes are from the phases, by RINEX signal.
    """

    version: float
    marker: str
    approx_position_m: tuple[float, float, float] | None
    antenna: str
    antenna_serial: str
    antenna_height_m: float
    receiver: str
    interval_s: float
    epochs: list[StationEpoch]
    skipped: dict[str, int]
    problems: list[str]
    glonass_channels: dict[int, int] = field(default_factory=dict)
    clock_offset_s: FloatArray = field(default_factory=lambda: np.empty(0))
    clock_applied: bool = False
    phase_shifts: tuple[PhaseShift, ...] = ()
    events: tuple[Event, ...] = ()
    marker_number: str = ""
    receiver_serial: str = ""
    receiver_version: str = ""
    glonass_bias_m: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Part:
    """One file, taken apart."""

    source: str
    header: ObservationHeader
    index: EpochIndex
    rows: Rows
    skipped: Counter[str]
    interval_ns: float


def read_observations(text: str | bytes, source: str, systems: str = ALL_SYSTEMS) -> RinexObservations:
    """Read a RINEX observation file.

    Args:
        text: The file, decompressed; bytes are taken as Latin-1, and faster.
        source: Its name, for messages.
        systems: Letters of the satellite systems that are wanted; the records of others are counted only.

    Raises:
        GpsgridError: ``BROKEN_FILE``, with file and line, when something is not what the format demands.
            A last epoch that is only half there is dropped and reported in ``problems`` instead.

    Source:
        Gurtner and Estey (2007), RINEX 2.11; IGS/RTCM (2018), RINEX 3.04; IGS/RTCM (2023), RINEX 4.01.
    """
    return splice_observations([(text, source)], systems)


def splice_observations(
    files: Sequence[tuple[str | bytes, str]],
    systems: str = ALL_SYSTEMS,
    known_channels: Mapping[int, int] | None = None,
) -> RinexObservations:
    """Read several files of one station and join them in time order; arcs continue across the joints.

    Args:
        files: Text and name of every file, in any order, at least one.
        systems: As in :func:`read_observations`.
        known_channels: GLONASS channels by satellite integer from elsewhere, for files that name none, as those of
            RINEX 2; what a header says goes before.

    Returns:
        Header values of the earliest file. Epochs that come late are put where they belong, epochs that come
        again are dropped; both are reported.

    Raises:
        GpsgridError: As in :func:`read_observations`.
        ValueError: There is no file.
    """
    if not files:
        message = "at least one file is needed"
        raise ValueError(message)
    parts = sorted((_take_apart(text, source, systems) for text, source in files), key=_start)
    header = parts[0].header
    problems = [problem for part in parts for problem in part.index.problems]
    problems += _contradictions(parts)
    problems += [problem for part in parts for problem in _late_epochs(part)]
    order = _time_order(parts, problems)
    rows = join_rows([part.rows for part in parts], order)
    indexes = [part.index for part in parts]
    time_ns = np.array([value for index in indexes for value in index.time_ns], dtype=np.int64)[order]
    interrupted = np.array([value for index in indexes for value in index.interrupted], dtype=np.bool_)[order]
    clock_offset_s = np.array([value for index in indexes for value in index.clock_offset_s])[order]
    interval_ns = np.concatenate([np.full(len(part.index.time_ns), part.interval_ns) for part in parts])[order]
    headers = [item for part in parts for item in part.index.headers]
    channels = dict(known_channels or {})
    channels |= {satellite: number for item in headers[::-1] for satellite, number in item.glonass_channels.items()}
    spacing = np.diff(time_ns)
    return RinexObservations(
        version=header.version,
        marker=header.marker,
        approx_position_m=header.approx_position_m,
        antenna=header.antenna,
        antenna_serial=header.antenna_serial,
        antenna_height_m=header.antenna_delta_m[0],
        receiver=header.receiver,
        interval_s=float(np.median(spacing)) / NS_PER_S if len(spacing) else header.interval_s,
        epochs=epochs_of(rows, time_ns, interval_ns, interrupted, channels),
        skipped=dict(sum((part.skipped for part in parts), Counter())),
        problems=problems,
        glonass_channels=dict(sorted(channels.items())),
        clock_offset_s=clock_offset_s,
        clock_applied=header.clock_applied,
        phase_shifts=header.phase_shifts,
        events=tuple(event for part in parts for event in part.index.events),
        marker_number=header.marker_number,
        receiver_serial=header.receiver_serial,
        receiver_version=header.receiver_version,
        glonass_bias_m=header.glonass_bias_m,
    )


def _start(part: _Part) -> int:
    return min(part.index.time_ns, default=0)


def _contradictions(parts: Sequence[_Part]) -> list[str]:
    """Return what the files of a station say differently; changes inside a file are announced there.

    Raises:
        GpsgridError: ``BROKEN_FILE``, they are of two stations.
    """
    found = []
    first = parts[0]
    for before, part in itertools.pairwise(parts):
        # A receiver that was moved, and said so, goes on from where it was last.
        other = other_station(before.index.headers[-1], part.header)
        if other:
            message = f"this is the file of another station than {before.source} ({other}); give it to that station"
            raise GpsgridError(Reason.BROKEN_FILE, f"{part.source}: {message}", file=part.source)
        changed = changes(first.header, part.header)
        if changed:
            found.append(f"{part.source}: {changed} after {first.source}; the first header counts")
    if any(first.header.antenna_delta_m[1:]):
        found.append(f"{first.source}: the antenna is beside the marker; only its height is used")
    return found


def _take_apart(text: str | bytes, source: str, systems: str) -> _Part:
    table = LineTable(text, source)
    header, first_line = read_header(table)
    index, records = find_epochs(table, header, first_line)
    rows, skipped = read_rows(table, index.headers, records, index.header, systems)
    spacing = np.diff(np.unique(np.array(index.time_ns, dtype=np.int64)))
    interval_ns = float(np.median(spacing)) if len(spacing) else header.interval_s * NS_PER_S
    return _Part(source, header, index, rows, skipped, interval_ns)


def _late_epochs(part: _Part) -> list[str]:
    """Return a complaint about every epoch that is not later than all before it in its file."""
    time_ns = np.array(part.index.time_ns, dtype=np.int64)
    if not len(time_ns):
        return []
    latest = np.maximum.accumulate(time_ns)
    late = np.flatnonzero(time_ns[1:] <= latest[:-1]) + 1
    seen = set(time_ns.tolist()) if len(late) else set()
    found = []
    for epoch in late.tolist():
        again = bool((time_ns[:epoch] == time_ns[epoch]).any()) if time_ns[epoch] in seen else False
        what = "dropped, it was there before" if again else "put where it belongs, it comes late"
        line = part.index.line[epoch] + 1
        found.append(f"{part.source}, line {line}: epoch {to_iso(int(time_ns[epoch]))} {what}")
    return found


def _time_order(parts: Sequence[_Part], problems: list[str]) -> IntArray:
    """Return the epochs of all parts in time order, of two at the same time only the first."""
    time_ns = np.array([moment for part in parts for moment in part.index.time_ns], dtype=np.int64)
    order = np.argsort(time_ns, kind="stable")
    fresh = np.ones(len(order), dtype=np.bool_)
    fresh[1:] = np.diff(time_ns[order]) > 0
    of_file = np.repeat(np.arange(len(parts)), [len(part.index.time_ns) for part in parts])
    same_file = np.zeros(len(order), dtype=np.bool_)
    same_file[1:] = np.diff(of_file[order]) == 0
    elsewhere = int((~fresh & ~same_file).sum())
    if elsewhere:
        problems.append(f"{elsewhere} epochs dropped that an earlier file has already")
    return order[fresh]
