"""The epochs of a RINEX observation file: where in the text the lines of which satellite begin.

Walks from epoch line to epoch line (versions 2 and 3 differ here, and only here) and understands the
event flags. The observations themselves are not looked at; that is the business of ``rinex_scan``.
"""

import copy
import math
from dataclasses import dataclass, field
from typing import NamedTuple

from stations import gpstime
from stations.constants import NS_PER_S
from stations.errors import GpsgridError
from stations.rinex_columns import TYPES_A_LINE
from stations.rinex_header import ObservationHeader, begins_header, read_header
from stations.rinex_satellites import RecordIndex, find_records
from stations.rinex_splice import changes, other_station
from stations.rinex_text import FIELD_WIDTH, LineTable, broken, decimal, integer

_SATELLITES_A_LINE = 12  # RINEX 2 epoch line
_FIRST_COLUMN_3 = 3  # RINEX 3: behind the satellite name
_VALUE_WIDTH = 14
_POWER_FAILURE, _NEW_SITE, _HEADER_RECORDS, _SLIP_RECORDS = 1, 3, 4, 6
_LAST_FLAG = 6
_YEARS = range(1980, 2200)  # from the start of GPS time; nanoseconds in 64 bits end in 2272
_PIVOT_YEAR = 80
_MOST_HEADERS = 1000  # a week of quarter-hourly files has 672


@dataclass(frozen=True)
class Event:
    """Something that happened between the epochs.

    Attributes:
        flag: 2 antenna begins to move, 3 new site, 4 header records, 5 external event, 6 repaired slips.
        time_ns: When, ns of GPS time; ``None`` where the file does not say.
        records: The lines that belong to it.
    """

    flag: int
    time_ns: int | None
    records: tuple[str, ...]


@dataclass
class EpochIndex:
    """Where the records of satellites are, and what stands between the epochs.

    Attributes:
        headers: The header, and its changed copy after every event that changed it.
        time_ns: Per epoch: time tag in GPS time, ns; rising once, but for what ``records`` reports.
        interrupted: Per epoch: power failure or new site before it.
        clock_offset_s: Per epoch: receiver clock offset, NaN where not given.
        line: Per epoch: index of its epoch line.
        count: Per epoch: number of satellites.
        header: Per epoch: index into ``headers``.
        events: In the order of the file.
        problems: What was dropped or is strange, and why.
    """

    headers: list[ObservationHeader]
    time_ns: list[int] = field(default_factory=list)
    interrupted: list[bool] = field(default_factory=list)
    clock_offset_s: list[float] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    header: list[int] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class _EpochLine(NamedTuple):
    """Flag, number of satellites or records, time tag in the time of the file (0 if an event has none), clock."""

    flag: int
    announced: int
    time_ns: int
    clock_offset_s: float


def find_epochs(table: LineTable, header: ObservationHeader, first_line: int) -> tuple[EpochIndex, RecordIndex]:
    """Return where the epochs and the records of their satellites are.

    Raises:
        GpsgridError: A line is not what the format puts there.
    """
    walk = _Walk(table, header)
    last = len(table)
    while last > first_line and not table.line(last - 1).strip():
        last -= 1
    at = first_line
    index = walk.index
    try:
        while at < last:
            at = walk.step(at)
    except GpsgridError:
        # A wrong number of satellites takes epoch lines for records: the first cause is a better message.
        find_records(table, index.headers, index.line, index.count, index.header)
        raise
    return index, find_records(table, index.headers, index.line, index.count, index.header)


class _Walk:
    """One pass over the epochs of a file."""

    def __init__(self, table: LineTable, header: ObservationHeader) -> None:
        self._table = table
        self._minutes: dict[str, int] = {}
        self._interrupted = False
        self.index = EpochIndex([])
        self._use(header)

    def _use(self, header: ObservationHeader) -> None:
        self._header = header
        self._modern = header.modern
        types = len(header.types_of("G"))
        self._lines_a_satellite = 1 if self._modern else max(1, -(-types // TYPES_A_LINE))
        self.index.headers.append(header)

    def step(self, at: int) -> int:
        """Handle the epoch or event whose line is at an index; return the index of the next one."""
        table, line = self._table, self._table.line(at)
        try:
            epoch = self._epoch_line(line)
        except ValueError as error:
            if begins_header(line):
                return self._splice(at)
            if at == len(table) - 1 and not table.complete:
                return self._drop(at, "is cut off in its first line")
            message = f"expected an epoch line, got {line[:80]!r}: {error}"
            raise broken(table.source, at + 1, message) from None
        if 1 < epoch.flag < _SLIP_RECORDS:
            return self._event(at, epoch)
        names_lines = 0 if self._modern else max(0, epoch.announced - 1) // _SATELLITES_A_LINE
        end = at + 1 + names_lines + self._lines_a_satellite * epoch.announced
        if end > len(table):
            return self._drop_unfinished(at, end)
        if end == len(table) and not table.complete and self._cut_inside_field(table.line(end - 1)):
            return self._drop(at, "is cut off in its last line")
        if epoch.flag == _SLIP_RECORDS:
            self._note(at, end, epoch)
        else:
            self._append(at, epoch)
        return end

    def _splice(self, at: int) -> int:
        """Go on with the header of a further file that was put behind the first one."""
        header, first_line = read_header(self._table, at)
        other = other_station(self._header, header)
        if other:
            message = f"the file of another station begins here ({other}); cut the file before this line"
            raise broken(self._table.source, at + 1, message)
        changed = changes(self._header, header)
        seen = f"; {changed}; the first header counts" if changed else ""
        self.index.problems.append(
            f"{self._table.source}, line {at + 1}: another file begins here; read on with it{seen}"
        )
        self._change(at, header)
        return first_line

    def _drop_unfinished(self, at: int, end: int) -> int:
        """Drop an epoch that the file does not finish, unless it is the announced number that is wrong."""
        for number in range(at + 1, len(self._table)):
            try:
                begins = self._epoch_line(self._table.line(number)).time_ns > 0
            except ValueError:
                continue
            if begins:
                message = f"{end - at} lines are announced here, but line {number + 1} begins another epoch"
                raise broken(self._table.source, at + 1, message)
        return self._drop(at, f"needs {end - at} lines, the file ends after {len(self._table) - at}")

    def _drop(self, at: int, why: str) -> int:
        self.index.problems.append(f"{self._table.source}, line {at + 1}: last epoch dropped, it {why}")
        return len(self._table)

    def _cut_inside_field(self, line: str) -> bool:
        offset = _FIRST_COLUMN_3 if self._modern else 0
        # Values have exactly 14 characters: whoever stops before the 14th was interrupted.
        return 0 < (len(line) - offset) % FIELD_WIDTH < _VALUE_WIDTH

    def _event(self, at: int, epoch: _EpochLine) -> int:
        end = at + 1 + epoch.announced
        if end > len(self._table):
            return self._drop_unfinished(at, end)
        if epoch.flag == _NEW_SITE:
            self._interrupted = True
            self.index.problems.append(f"{self._table.source}, line {at + 1}: the antenna was moved to a new site")
        self._note(at, end, epoch)
        changed = copy.copy(self._header)
        for number in range(at + 1, end):
            try:
                changed.read(self._table.line(number))
                if number == end - 1:
                    changed.check_types()
            except ValueError as error:
                raise broken(self._table.source, number + 1, f"header record in the data: {error}") from None
        if changed != self._header:
            self._tell_changes(at, changed, moves=epoch.flag != _HEADER_RECORDS)
            self._change(at, changed)
        return end

    def _tell_changes(self, at: int, changed: ObservationHeader, *, moves: bool) -> None:
        """Report what header records in the data change; refuse another station where no move is announced."""
        where = self._table.source
        other = "" if moves else other_station(self._header, changed)
        if other:
            message = f"header records of another station begin here ({other}); cut the file before this line"
            raise broken(where, at + 1, message)
        told = changes(self._header, changed)
        if told:
            self.index.problems.append(f"{where}, line {at + 1}: {told}; the first header counts")

    def _change(self, at: int, header: ObservationHeader) -> None:
        # Every header costs memory for its columns: a file that is nothing but headers must not take it all.
        if len(self.index.headers) >= _MOST_HEADERS:
            message = f"the header changes for the {_MOST_HEADERS}th time; split the file"
            raise broken(self._table.source, at + 1, message)
        self._use(header)

    def _note(self, at: int, end: int, epoch: _EpochLine) -> None:
        time_ns = epoch.time_ns + self._header.time_offset_ns if epoch.time_ns else None
        records = tuple(self._table.line(number) for number in range(at + 1, end))
        self.index.events.append(Event(epoch.flag, time_ns, records))

    def _append(self, at: int, epoch: _EpochLine) -> None:
        index = self.index
        index.time_ns.append(epoch.time_ns + self._header.time_offset_ns)
        index.interrupted.append(self._interrupted or epoch.flag == _POWER_FAILURE)
        index.clock_offset_s.append(epoch.clock_offset_s)
        index.line.append(at)
        index.count.append(epoch.announced)
        index.header.append(len(index.headers) - 1)
        self._interrupted = False

    def _epoch_line(self, line: str) -> _EpochLine:
        if self._modern:
            if line[:1] != ">":
                message = "column 1 must be '>'"
                raise ValueError(message)
            minute, second, clock = line[2:18], line[18:29], line[41:56]
            flag_text, count = line[31:32], integer(line[32:35])
        else:
            if line[:1] not in {" ", ""}:
                message = "column 1 must be blank"
                raise ValueError(message)
            minute, second, clock = line[1:15], line[15:26], line[68:80]
            flag_text, count = line[28:29], integer(line[29:32])
        flag = integer(flag_text) if flag_text.strip() else 0
        if flag > _LAST_FLAG:
            message = f"event flag {flag}, expected 0 to {_LAST_FLAG}"
            raise ValueError(message)
        if flag > 1 and not minute.strip():
            return _EpochLine(flag, count, 0, math.nan)
        try:
            time_ns = self._minute_ns(minute) + _second_ns(second)
        except ValueError:
            if flag <= _POWER_FAILURE:
                raise
            time_ns = 0  # the time of an event serves nobody who positions; its records do
        return _EpochLine(flag, count, time_ns, _clock_offset_s(clock) if flag <= _POWER_FAILURE else math.nan)

    def _minute_ns(self, text: str) -> int:
        found = self._minutes.get(text)
        if found is None:
            found = self._minutes[text] = _minute_3_ns(text) if self._modern else _minute_2_ns(text)
        return found


def _minute_3_ns(text: str) -> int:
    return _checked_ns(integer(text[:4]), text[5:7], text[8:10], text[11:13], text[14:16])


def _minute_2_ns(text: str) -> int:
    short = integer(text[:2])
    year = short + (1900 if short >= _PIVOT_YEAR else 2000)
    return _checked_ns(year, text[3:5], text[6:8], text[9:11], text[12:14])


def _checked_ns(year: int, *texts: str) -> int:
    if year not in _YEARS:
        message = f"year {year}"
        raise ValueError(message)
    month, day, hour, minute = map(integer, texts)
    return gpstime.from_calendar(year, month, day, hour, minute)


def _second_ns(text: str) -> int:
    second = decimal(text)
    if not 0.0 <= second < 61.0:  # noqa: PLR2004 - room for a leap second in UTC
        message = f"second {text.strip()!r}"
        raise ValueError(message)
    # The format gives seven decimals; rounding there removes the binary error of the float.
    return round(second * 1e7) * (NS_PER_S // 10_000_000)


def _clock_offset_s(text: str) -> float:
    try:
        return decimal(text)
    except ValueError:
        return math.nan  # comments stand there in files of RINEX 2; a clock offset is a courtesy
