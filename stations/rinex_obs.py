"""RINEX observation files (2.0-2.12, 3.0x, 4.0x): text in, :class:`StationEpoch` out. GPS only so far.

The age of an arc (``lock_ms``) starts again at bit 0 of the loss-of-lock indicator, after a power
failure or a change of site, and after a gap of more than 1.5 intervals. Which columns are taken for
which signal is told in ``rinex_columns``.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stations.arrays import FloatArray, IntArray
from stations.constants import NS_PER_MS, NS_PER_S
from stations.epoch import StationEpoch
from stations.rinex_columns import ColumnReader, ObservationRows, join_rows
from stations.rinex_epochs import EpochIndex, find_epochs
from stations.rinex_header import ObservationHeader, read_header
from stations.rinex_text import LineTable
from stations.signals import satellite_name

_GAP_INTERVALS = 1.5


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
            ``system:type`` (``G:D1C``, values).
        problems: What was dropped or is strange, with file and line.
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


@dataclass(frozen=True)
class _Part:
    """One file, taken apart."""

    header: ObservationHeader
    index: EpochIndex
    rows: ObservationRows
    skipped: Counter[str]
    interval_ns: float


def read_observations(text: str, source: str) -> RinexObservations:
    """Read a RINEX observation file.

    Args:
        text: The file, decompressed.
        source: Its name, for messages.

    Raises:
        GpsgridError: ``BROKEN_FILE``, with file and line, when something is not what the format demands.
            A last epoch that is only half there is dropped and reported in ``problems`` instead.

    Source:
        Gurtner and Estey (2007), RINEX 2.11; IGS/RTCM (2018), RINEX 3.04.
    """
    return splice_observations([(text, source)])


def splice_observations(files: Sequence[tuple[str, str]]) -> RinexObservations:
    """Read several files of one station and join them in time order; arcs continue across the joints.

    Args:
        files: Text and name of every file, in any order, at least one.

    Returns:
        Header values of the earliest file; epochs that come again are dropped and reported.

    Raises:
        GpsgridError: As in :func:`read_observations`.
        ValueError: There is no file.
    """
    if not files:
        message = "at least one file is needed"
        raise ValueError(message)
    parts = sorted((_take_apart(text, source) for text, source in files), key=_start)
    header = parts[0].header
    problems = [problem for part in parts for problem in part.index.problems]
    problems += _contradictions(parts, [source for _, source in files])
    epochs = _join(parts, problems)
    spacing = np.diff(np.array([epoch.time_ns for epoch in epochs], dtype=np.int64))
    return RinexObservations(
        version=header.version,
        marker=header.marker,
        approx_position_m=header.approx_position_m,
        antenna=header.antenna,
        antenna_serial=header.antenna_serial,
        antenna_height_m=header.antenna_delta_m[0],
        receiver=header.receiver,
        interval_s=float(np.median(spacing)) / NS_PER_S if len(spacing) else header.interval_s,
        epochs=epochs,
        skipped=dict(sum((part.skipped for part in parts), Counter())),
        problems=problems,
    )


def _start(part: _Part) -> int:
    return part.index.time_ns[0] if part.index.time_ns else 0


def _contradictions(parts: Sequence[_Part], sources: Sequence[str]) -> list[str]:
    found = []
    kinds = {(part.header.marker, part.header.antenna, part.header.antenna_delta_m) for part in parts}
    if len(kinds) > 1:
        found.append(f"{', '.join(sources)}: marker or antenna differ between the files; the first one counts")
    if any(parts[0].header.antenna_delta_m[1:]):
        found.append(f"{sources[0]}: the antenna is beside the marker; only its height is used")
    return found


def _take_apart(text: str, source: str) -> _Part:
    table = LineTable(text, source)
    header, first_line = read_header(table)
    index = find_epochs(table, header, first_line)
    skipped: Counter[str] = Counter()
    for other, count in index.others.items():
        skipped[satellite_name(other)[0]] += count
    row_header = np.array(index.row_header, dtype=np.int64)
    epoch = np.array(index.row_epoch, dtype=np.int64)
    satellite = np.array(index.row_satellite, dtype=np.int64)
    line = np.array(index.row_line, dtype=np.int64)
    pieces = []
    for number, layout in enumerate(index.headers):
        here = row_header == number
        reader = ColumnReader(table, layout, line[here])
        pieces += [reader.rows(columns, epoch[here], satellite[here]) for columns in reader.signals()]
        skipped.update(reader.left_out())
    rows = join_rows(pieces)
    interrupted = np.array(index.interrupted, dtype=np.bool_)
    rows.slip[interrupted[rows.epoch]] = True
    spacing = np.diff(np.array(index.time_ns, dtype=np.int64))
    interval_ns = float(np.median(spacing)) if len(spacing) else header.interval_s * NS_PER_S
    return _Part(header, index, rows, skipped, interval_ns)


def _join(parts: Sequence[_Part], problems: list[str]) -> list[StationEpoch]:
    """Return the epochs of all parts; what comes again is dropped."""
    times, intervals, pieces = [np.empty(0, dtype=np.int64)], [np.empty(0)], []
    latest = -1
    for part in parts:
        time_ns = np.array(part.index.time_ns, dtype=np.int64)
        fresh = time_ns > latest
        if not fresh.all():
            problems.append(f"{int((~fresh).sum())} epochs dropped that an earlier file has already")
        renumbered = np.cumsum(fresh) - 1 + sum(map(len, times))
        rows = part.rows.where(fresh[part.rows.epoch])
        pieces.append(replace(rows, epoch=renumbered[rows.epoch]))
        times.append(time_ns[fresh])
        intervals.append(np.full(int(fresh.sum()), part.interval_ns))
        latest = max(latest, int(time_ns[-1]) if len(time_ns) else -1)
    rows, time_ns = join_rows(pieces), np.concatenate(times)
    lock_ms = _lock_ms(rows, time_ns, np.concatenate(intervals))
    order = np.lexsort((rows.signal, rows.satellite, rows.epoch))
    border = np.searchsorted(rows.epoch[order], np.arange(len(time_ns) + 1))
    rows, lock_ms = rows.where(order), lock_ms[order]
    epochs = []
    for number, moment in enumerate(time_ns.tolist()):
        here = slice(border[number], border[number + 1])
        epochs.append(
            StationEpoch(
                moment,
                rows.satellite[here],
                rows.signal[here],
                rows.pseudorange_m[here],
                rows.phase_cyc[here],
                rows.cn0_dbhz[here],
                lock_ms[here],
                rows.half_cycle[here],
            )
        )
    return epochs


def _lock_ms(rows: ObservationRows, time_ns: IntArray, interval_ns: FloatArray) -> IntArray:
    """Return the age of the arc of every row, ms; 0 where there is no phase."""
    lock_ms = np.zeros(len(rows.epoch), dtype=np.int64)
    with_phase = np.flatnonzero(~np.isnan(rows.phase_cyc))
    if not len(with_phase):
        return lock_ms
    order = with_phase[np.lexsort((rows.epoch[with_phase], rows.signal[with_phase], rows.satellite[with_phase]))]
    epoch, satellite, signal = rows.epoch[order], rows.satellite[order], rows.signal[order]
    moment, interval = time_ns[epoch], interval_ns[epoch]
    begins = rows.slip[order].copy()
    begins[0] = True
    begins[1:] |= (satellite[1:] != satellite[:-1]) | (signal[1:] != signal[:-1])
    begins[1:] |= np.diff(moment) > _GAP_INTERVALS * np.maximum(interval[1:], interval[:-1])
    arc = np.cumsum(begins) - 1
    lock_ms[order] = (moment - moment[begins][arc]) // NS_PER_MS
    return lock_ms
