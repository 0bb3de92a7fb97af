"""From records of satellites to epochs: runs the kernels of ``rinex_scan`` and joins what they return."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from stations.arrays import BoolArray, FloatArray, IntArray
from stations.epoch import StationEpoch
from stations.rinex_arcs import arc_ages_ms
from stations.rinex_columns import SYSTEMS, TYPES_A_LINE, Layouts, layouts_of, rivals
from stations.rinex_header import ObservationHeader
from stations.rinex_satellites import RecordIndex
from stations.rinex_scan import (
    VALUE_WIDTH,
    OddFields,
    Records,
    Rows,
    Text,
    empty_rows,
    rows_at,
    scan_rows_inplace,
)
from stations.rinex_text import FIELD_WIDTH, LineTable, broken, decimal
from stations.signals import frequencies_hz

_LAST_WHOLE = 9  # column of a field in which every value has a digit
_ODD_AT_ONCE = 10_000  # odd fields that are read in one go; a file has none, or it has many


def read_rows(
    table: LineTable,
    headers: list[ObservationHeader],
    index: RecordIndex,
    epoch_header: Sequence[int],
    systems: str,
) -> tuple[Rows, Counter[str]]:
    """Read the records of a file.

    Args:
        table: The file.
        headers: The headers that are valid in it.
        index: Its records.
        epoch_header: Index into ``headers`` of every epoch.
        systems: Letters of the systems that are wanted.

    Returns:
        Rows, and what was left out (:class:`stations.rinex_obs.RinexObservations`, ``skipped``).

    Raises:
        GpsgridError: A field holds something that is not a number.
    """
    system = index.satellite // 100
    layout = np.repeat(len(SYSTEMS) * np.array(epoch_header, dtype=np.int64), np.diff(index.border)) + system
    layouts = layouts_of(headers, _absent(table, headers, index.line, layout))
    wanted = np.array([letter in systems for letter in SYSTEMS])[system] & (layouts.places[layout] > 0)
    skipped = Counter[str]()
    line, satellite, border = index.line, index.satellite, index.border
    if not wanted.all():
        names, counts = np.unique(satellite[~wanted] // 100, return_counts=True)
        skipped.update({SYSTEMS[number]: int(count) for number, count in zip(names, counts, strict=True)})
        before = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(wanted)))
        line, satellite, layout, border = line[wanted], satellite[wanted], layout[wanted], before[border]
    rows, filled = _scan(table, Records(line, satellite, layout, border), layouts)
    for number, place in zip(*np.nonzero(filled), strict=True):
        letter = SYSTEMS[number % len(SYSTEMS)]
        name = headers[number // len(SYSTEMS)].types_of(letter)[place]
        skipped[f"{letter}:{name}"] += int(filled[number, place])
    return rows, skipped


def _absent(
    table: LineTable, headers: list[ObservationHeader], line: IntArray, layout: IntArray
) -> dict[tuple[int, str], set[str]]:
    """Return the rivals without a value, for :func:`stations.rinex_columns.layouts_of`."""
    found: dict[tuple[int, str], set[str]] = {}
    for number, header in enumerate(headers):
        for place, letter in enumerate(SYSTEMS):
            names = rivals(header, letter)
            here = line[layout == len(SYSTEMS) * number + place] if names else line[:0]
            types = header.types_of(letter)
            for name in names if len(here) else []:
                row, column = divmod(types.index(name), TYPES_A_LINE)
                if not table.filled(here + row, FIELD_WIDTH * column + _LAST_WHOLE):
                    found.setdefault((number, letter), set()).add(name)
    return found


def _scan(table: LineTable, records: Records, layouts: Layouts) -> tuple[Rows, IntArray]:
    text = Text(table.data, table.start, table.end)
    capacity = int(layouts.slots[records.layout].sum())
    odd_values: FloatArray = np.empty(0)
    while True:
        rows = empty_rows(capacity, len(records.border) - 1)
        filled = np.zeros(layouts.slot.shape, dtype=np.int64)
        odd = OddFields(odd_values, np.zeros((_ODD_AT_ONCE, 2), dtype=np.int64), np.zeros(1, dtype=np.int64))
        line, column = scan_rows_inplace(text, records, layouts, odd, rows, filled)
        if line >= 0:
            found = table.line(line)[column]
            message = f"{found!r} in column {column + 1} where a digit or a blank was expected"
            raise broken(table.source, line + 1, message)
        fresh = odd.place[: odd.seen[0] - len(odd_values)]
        if not len(fresh):
            return rows_at(rows, slice(int(rows.border[-1])), rows.border), filled
        odd_values = np.append(odd_values, [_odd_value(table, *place) for place in fresh.tolist()])


def _odd_value(table: LineTable, line: int, column: int) -> float:
    try:
        return decimal(table.line(line)[column : column + VALUE_WIDTH])
    except ValueError as error:
        message = f"{error} (columns {column + 1} to {column + VALUE_WIDTH}); the line is damaged"
        raise broken(table.source, line + 1, message) from None


def join_rows(pieces: Sequence[Rows], order: IntArray) -> Rows:
    """Return the rows of all pieces, their epochs in another order.

    Args:
        pieces: At least one.
        order: Which epochs, counted through all pieces, come one after another.
    """
    if len(pieces) == 1 and np.array_equal(order, np.arange(len(pieces[0].border) - 1)):
        return pieces[0]
    offset = np.cumsum([0, *(len(piece.satellite) for piece in pieces)])
    first = np.concatenate([piece.border[:-1] + start for piece, start in zip(pieces, offset, strict=False)])[order]
    count = np.concatenate([np.diff(piece.border) for piece in pieces])[order]
    border = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(count)))
    place = np.repeat(first - border[:-1], count) + np.arange(border[-1])
    joined = Rows(
        np.concatenate([piece.satellite for piece in pieces]),
        np.concatenate([piece.signal for piece in pieces]),
        np.concatenate([piece.pseudorange_m for piece in pieces]),
        np.concatenate([piece.phase_cyc for piece in pieces]),
        np.concatenate([piece.cn0_dbhz for piece in pieces]),
        np.concatenate([piece.doppler_hz for piece in pieces]),
        np.concatenate([piece.slip for piece in pieces]),
        np.concatenate([piece.half_cycle for piece in pieces]),
        border,
    )
    return rows_at(joined, place, border)


def epochs_of(
    rows: Rows, time_ns: IntArray, interval_ns: FloatArray, interrupted: BoolArray, channels: dict[int, int]
) -> list[StationEpoch]:
    """Return the rows as epochs, with the ages of their arcs and their frequencies.

    Args:
        rows: Sorted by epoch, satellite and signal.
        time_ns: Time of every epoch, rising, shape ``(epoch,)``.
        interval_ns: Spacing of the epochs to be expected there, shape ``(epoch,)``.
        interrupted: Whether no arc comes from before the epoch, shape ``(epoch,)``.
        channels: GLONASS frequency channel by satellite.
    """
    lock_ms = arc_ages_ms(rows, time_ns, interval_ns, interrupted)
    frequency_hz = frequencies_hz(rows.signal)
    if channels:
        by_satellite = np.full(1000, np.nan)
        by_satellite[list(channels)] = list(channels.values())
        fdma = np.flatnonzero(np.isnan(frequency_hz))
        frequency_hz[fdma] = frequencies_hz(rows.signal[fdma], by_satellite[rows.satellite[fdma]])
    satellite, signal, pseudorange_m, phase_cyc, cn0_dbhz, doppler_hz, _, half_cycle, _ = rows
    border = rows.border.tolist()
    return [
        StationEpoch(
            moment,
            satellite[first:last],
            signal[first:last],
            pseudorange_m[first:last],
            phase_cyc[first:last],
            cn0_dbhz[first:last],
            lock_ms[first:last],
            half_cycle[first:last],
            doppler_hz[first:last],
            frequency_hz[first:last],
        )
        for moment, first, last in zip(time_ns.tolist(), border, border[1:], strict=False)
    ]
