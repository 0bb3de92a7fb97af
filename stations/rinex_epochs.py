"""The epochs of a RINEX observation file: where in the text the lines of which satellite begin.

Walks from epoch line to epoch line (versions 2 and 3 differ here, and only here) and understands the
event flags. The observations themselves are not looked at; that is the business of ``rinex_obs``.
"""

import copy
from collections import Counter
from dataclasses import dataclass, field

from stations import gpstime, signals
from stations.rinex_header import ObservationHeader
from stations.rinex_text import FIELD_WIDTH, LineTable, broken, decimal, integer

_SATELLITES_A_LINE = 12  # RINEX 2 epoch line
TYPES_A_LINE = 5  # RINEX 2 observation line
_FIRST_COLUMN_3 = 3  # RINEX 3: behind the satellite name
_VALUE_WIDTH = 14
_POWER_FAILURE, _NEW_SITE, _SLIP_RECORDS = 1, 3, 6
_LAST_FLAG = 6
_FIRST_OF_OTHERS = 100 * (signals.Constellation.GPS + 1)
_YEARS = range(1980, 2200)  # from the start of GPS time; nanoseconds in 64 bits end in 2272
_PIVOT_YEAR = 80


@dataclass
class EpochIndex:
    """Where the records of GPS satellites are.

    Attributes:
        time_ns: Per epoch: time tag in GPS time, ns.
        interrupted: Per epoch: power failure or new site before it.
        headers: The header, and its changed copy after every event that changed the observation types.
        row_epoch: Per record: index of the epoch.
        row_satellite: Per record: satellite integer.
        row_line: Per record: index of its first line.
        row_header: Per record: index into ``headers``.
        others: Records of satellites of other systems, counted by satellite integer.
        problems: What was dropped, and why.
    """

    headers: list[ObservationHeader]
    time_ns: list[int] = field(default_factory=list)
    interrupted: list[bool] = field(default_factory=list)
    row_epoch: list[int] = field(default_factory=list)
    row_satellite: list[int] = field(default_factory=list)
    row_line: list[int] = field(default_factory=list)
    row_header: list[int] = field(default_factory=list)
    others: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _EpochLine:
    """Flag, number of satellites or records, and time tag; events need none, theirs is 0."""

    flag: int
    count: int
    time_ns: int


def find_epochs(table: LineTable, header: ObservationHeader, first_line: int) -> EpochIndex:
    """Return where the records of GPS satellites are.

    Raises:
        GpsgridError: A line is not what the format puts there.
    """
    walk = _Walk(table, header)
    at = first_line
    last = len(table)
    while last > first_line and not table.lines[last - 1].strip():
        last -= 1
    while at < last:
        at = walk.step(at)
    return walk.index


class _Walk:
    """One pass over the epochs of a file."""

    def __init__(self, table: LineTable, header: ObservationHeader) -> None:
        self._table = table
        self._header = header
        self._modern = header.version >= 3.0  # noqa: PLR2004 - the version number itself
        self._interrupted = False
        self._names: dict[str, int] = {}
        self.index = EpochIndex([header])

    def step(self, at: int) -> int:
        """Handle the epoch or event whose line is at an index; return the index of the next one."""
        lines = self._table.lines
        try:
            epoch = self._epoch_line(lines[at])
        except ValueError as error:
            if at == len(lines) - 1 and not self._table.complete:
                return self._drop(at, "is cut off in its first line")
            message = f"expected an epoch line, got {lines[at][:80]!r}: {error}"
            raise broken(self._table.source, at + 1, message) from None
        if 1 < epoch.flag < _SLIP_RECORDS:
            return self._event(at, epoch)
        names_lines = 0 if self._modern else max(0, epoch.count - 1) // _SATELLITES_A_LINE
        each = 1 if self._modern else max(1, -(-len(self._header.types) // TYPES_A_LINE))
        first = at + 1 + names_lines
        end = first + each * epoch.count
        if end > len(lines):
            return self._drop_unfinished(at, end)
        if end == len(lines) and not self._table.complete and self._cut_inside_field(lines[-1]):
            return self._drop(at, "is cut off in its last line")
        if epoch.flag == _SLIP_RECORDS:
            return end
        names = self._satellites(at, first, epoch.count)
        if self._append_epoch(at, epoch):
            self._append_rows(names, range(first, end, each))
        return end

    def _epoch_line(self, line: str) -> _EpochLine:
        return _epoch_line_3(line) if self._modern else _epoch_line_2(line)

    def _drop_unfinished(self, at: int, end: int) -> int:
        """Drop an epoch that the file does not finish, unless it is the announced number that is wrong."""
        for number in range(at + 1, len(self._table)):
            try:
                begins = self._epoch_line(self._table.lines[number]).time_ns > 0
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
        end = at + 1 + epoch.count
        if end > len(self._table):
            return self._drop_unfinished(at, end)
        if epoch.flag == _NEW_SITE:
            self._interrupted = True
            self.index.problems.append(f"{self._table.source}, line {at + 1}: the antenna was moved to a new site")
        changed = copy.copy(self._header)
        for number in range(at + 1, end):
            try:
                changed.read(self._table.lines[number])
                if number == end - 1:
                    changed.check_types()
            except ValueError as error:
                raise broken(self._table.source, number + 1, f"header record in the data: {error}") from None
        if changed != self._header:
            self.index.headers.append(changed)
            self._header = changed
        return end

    def _append_epoch(self, at: int, epoch: _EpochLine) -> bool:
        self._interrupted |= epoch.flag == _POWER_FAILURE
        time_ns = epoch.time_ns + self._header.time_offset_ns
        times = self.index.time_ns
        if times and time_ns <= times[-1]:
            self.index.problems.append(
                f"{self._table.source}, line {at + 1}: epoch {gpstime.to_iso(time_ns)} dropped,"
                f" it is not later than the one before"
            )
            return False
        times.append(time_ns)
        self.index.interrupted.append(self._interrupted)
        self._interrupted = False
        return True

    def _satellites(self, at: int, first: int, count: int) -> list[int]:
        lines = self._table.lines
        if self._modern:
            names = [line[:3] for line in lines[first : first + count]]
        else:
            text = "".join(f"{line[32:68]:<36}" for line in lines[at:first])
            names = [text[start : start + 3] for start in range(0, 3 * count, 3)]
        known = self._names
        found = []
        for place, name in enumerate(names):
            satellite = known.get(name)
            if satellite is None:
                line = first + place if self._modern else at + place // _SATELLITES_A_LINE
                satellite = known[name] = self._satellite(name, line)
            found.append(satellite)
        if len(set(found)) < len(found):
            raise broken(self._table.source, at + 1, f"a satellite comes twice in one epoch: {' '.join(names)}")
        return found

    def _satellite(self, name: str, line: int) -> int:
        letter = "G" if self._header.system == "M" else self._header.system
        full = name if name[:1] != " " else letter + name[1:]
        try:
            satellite = signals.satellite_number(full)
            integer(full[1:].replace(" ", "0"))
        except (ValueError, IndexError) as error:
            message = f"satellite {name!r}: {error}"
            raise broken(self._table.source, line + 1, message) from None
        if satellite % 100 == 0:
            raise broken(self._table.source, line + 1, f"satellite {name!r}: numbers start at 1")
        return satellite

    def _append_rows(self, satellites: list[int], first_lines: range) -> None:
        index = self.index
        epoch, header = len(index.time_ns) - 1, len(index.headers) - 1
        others: list[int] = []
        for satellite, line in zip(satellites, first_lines, strict=True):
            if satellite >= _FIRST_OF_OTHERS:
                others.append(satellite)
                continue
            index.row_epoch.append(epoch)
            index.row_satellite.append(satellite)
            index.row_line.append(line)
            index.row_header.append(header)
        index.others.update(others)


def _epoch_line_2(line: str) -> _EpochLine:
    if line[:1] not in {" ", ""}:
        message = "column 1 must be blank"
        raise ValueError(message)
    year = line[1:3]
    if year.strip():
        short = integer(year)
        year = str(short + (1900 if short >= _PIVOT_YEAR else 2000))
    return _checked(line[28:29], line[29:32], (year, line[4:6], line[7:9], line[10:12], line[13:15], line[15:26]))


def _epoch_line_3(line: str) -> _EpochLine:
    if line[:1] != ">":
        message = "column 1 must be '>'"
        raise ValueError(message)
    time_text = (line[2:6], line[7:9], line[10:12], line[13:15], line[16:18], line[18:29])
    return _checked(line[31:32], line[32:35], time_text)


def _checked(flag_text: str, count_text: str, time_text: tuple[str, ...]) -> _EpochLine:
    flag = integer(flag_text) if flag_text.strip() else 0
    if flag > _LAST_FLAG:
        message = f"event flag {flag}, expected 0 to {_LAST_FLAG}"
        raise ValueError(message)
    return _EpochLine(flag, integer(count_text), _time_ns(time_text) if flag <= _POWER_FAILURE else 0)


def _time_ns(text: tuple[str, ...]) -> int:
    year, month, day, hour, minute = (integer(part) for part in text[:5])
    second = decimal(text[5])
    if year not in _YEARS or not 0.0 <= second < 61.0:  # noqa: PLR2004 - room for a leap second in UTC
        message = f"year {year}, second {text[5].strip()!r}"
        raise ValueError(message)
    # The format gives seven decimals; rounding there removes the binary error of the float.
    return gpstime.from_calendar(year, month, day, hour, minute, round(second * 1e7) * 100)
