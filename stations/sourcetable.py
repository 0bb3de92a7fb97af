"""The sourcetable of an NTRIP caster: its streams (STR), other casters (CAS) and networks (NET), field by field.

Tables in the field are written by hand and full of slips, so a number that is none becomes NaN and a line that is
none is left out, and both stand in ``problems``; only something that is no table at all is refused. The rule to
keep: no line can cost the table.
"""

import math
from dataclasses import dataclass

from stations.errors import GpsgridError, Reason

END = "ENDSOURCETABLE"
LONGEST_TABLE = 1 << 20  # bytes; six thousand streams

_LONGEST_LINE = 8192
_MOST_PROBLEMS = 100
_NAN = math.nan


@dataclass(frozen=True)
class StreamRecord:
    """A stream, record type STR.

    Attributes:
        mountpoint: Its name at the caster.
        identifier: Place of the station.
        format, format_details: For instance ``RTCM 3.2`` and ``1004(1),1005(30)``.
        carrier: 0 no phase, 1 L1, 2 L1 and L2, and more.
        nav_system: For instance ``GPS+GLO``.
        network: Network that it belongs to.
        country: Three letters.
        latitude_deg, longitude_deg: Approximate, NaN where the field is no number.
        nmea: Whether the caster needs a GGA sentence.
        solution: 0 one station, 1 a network solution.
        generator: What makes the stream.
        compression: Or encryption.
        authentication: ``N`` none, ``B`` basic, ``D`` digest.
        fee: Whether it costs something.
        bitrate: Bits per second, 0 where the field is no number.
        misc: All that follows, with its semicolons.
    """

    mountpoint: str
    identifier: str
    format: str
    format_details: str
    carrier: str
    nav_system: str
    network: str
    country: str
    latitude_deg: float
    longitude_deg: float
    nmea: bool
    solution: str
    generator: str
    compression: str
    authentication: str
    fee: bool
    bitrate: int
    misc: str


@dataclass(frozen=True)
class CasterRecord:
    """Another caster, record type CAS; attributes as in :class:`StreamRecord`."""

    host: str
    port: int
    identifier: str
    operator: str
    nmea: bool
    country: str
    latitude_deg: float
    longitude_deg: float
    fallback_host: str
    fallback_port: int
    misc: str


@dataclass(frozen=True)
class NetworkRecord:
    """A network of stations, record type NET; attributes as in :class:`StreamRecord`."""

    identifier: str
    operator: str
    authentication: str
    fee: bool
    web_network: str
    web_stream: str
    web_registration: str
    misc: str


@dataclass(frozen=True)
class Sourcetable:
    """What a caster offers.

    Attributes:
        streams, casters, networks: In the order of the table.
        complete: Whether the line ENDSOURCETABLE came.
        problems: What could not be read, at most 100 sentences.
    """

    streams: tuple[StreamRecord, ...]
    casters: tuple[CasterRecord, ...]
    networks: tuple[NetworkRecord, ...]
    complete: bool
    problems: tuple[str, ...]


def parse_sourcetable(data: bytes) -> Sourcetable:
    """Read the lines of a sourcetable, without the head of the answer that carries it.

    Args:
        data: UTF-8 or Latin-1; the end may be missing.

    Raises:
        GpsgridError: ``OVERSIZED`` beyond 1 MiB, ``MALFORMED`` when there are lines and none is a record.

    Source:
        RTCM 10410.1 (NTRIP 2.0) section 4, and the NTRIP 1.0 documentation of BKG (2004) section 4.
    """
    if len(data) > LONGEST_TABLE:
        message = f"sourcetable of {len(data)} bytes; expected at most {LONGEST_TABLE}"
        raise GpsgridError(Reason.OVERSIZED, message, length=len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    streams: list[StreamRecord] = []
    casters: list[CasterRecord] = []
    networks: list[NetworkRecord] = []
    problems: list[str] = []
    complete = False
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip() == END:
            complete = True
            break
        if not line.strip():
            continue
        row = _Row(line, problems, number)
        if row.kind == "STR" and row.fields > 1:
            streams.append(_stream(row))
        elif row.kind == "CAS" and row.fields > 1:
            casters.append(_caster(row))
        elif row.kind == "NET" and row.fields > 1:
            networks.append(_network(row))
        else:
            row.problem("is no record STR, CAS or NET")
    if problems and not (streams or casters or networks or complete):
        message = f"this is no sourcetable ({problems[0]}); expected lines that start with STR;, CAS; or NET;"
        raise GpsgridError(Reason.MALFORMED, message, problems=problems)
    return Sourcetable(tuple(streams), tuple(casters), tuple(networks), complete, tuple(problems))


def split_fields(line: str, most: int) -> list[str]:
    """Return the fields of a line; semicolons inside quotes separate nothing, the last field takes what is left.

    A field is quoted when it starts with a quote and another one stands before the next separator or the end;
    otherwise its quotes are ordinary characters.
    """
    fields: list[str] = []
    at = 0
    while len(fields) < most - 1:
        if line.startswith('"', at):
            close = _closing_quote(line, at + 1)
            if close > 0:
                fields.append(line[at + 1 : close].replace('""', '"'))
                if close + 1 == len(line):
                    return fields
                at = close + 2
                continue
        end = line.find(";", at)
        if end < 0:
            break
        fields.append(line[at:end])
        at = end + 1
    fields.append(line[at:])
    return fields


def _closing_quote(line: str, at: int) -> int:
    while (found := line.find('"', at)) >= 0:
        if line.startswith('"', found + 1):
            at = found + 2
            continue
        return found if found + 1 == len(line) or line[found + 1] == ";" else -1
    return -1


class _Row:
    """The fields of a line, taken one after the other; what is missing is empty."""

    _WIDTHS = {"STR": 19, "CAS": 12, "NET": 9}  # noqa: RUF012 - read only

    def __init__(self, line: str, problems: list[str], number: int) -> None:
        self._problems = problems
        self._number = number
        self.kind = line[:4].rstrip(";").upper() if line[3:4] in {";", ""} else ""
        if len(line) > _LONGEST_LINE:
            self.problem(f"has {len(line)} characters")
            line = line[:_LONGEST_LINE]
        self._fields = [field.strip() for field in split_fields(line, self._WIDTHS.get(self.kind, 2))]
        self.fields = len(self._fields)
        self._at = 0

    def problem(self, what: str) -> None:
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.append(f"line {self._number} {what}")

    def text(self) -> str:
        self._at += 1
        return self._fields[self._at] if self._at < len(self._fields) else ""

    def number(self, name: str, limit: float) -> float:
        text = self.text()
        try:
            value = float(text)
        except ValueError:
            value = _NAN
        if not abs(value) <= limit:
            if text:
                self.problem(f"has a {name} that is no number up to {limit:g}: {text[:40]!r}")
            return _NAN
        return value

    def whole(self, name: str, limit: float) -> int:
        value = self.number(name, limit)
        return 0 if math.isnan(value) else int(value)

    def flag(self) -> bool:
        return self.text().upper() in {"1", "Y", "YES"}


def _stream(row: _Row) -> StreamRecord:
    return StreamRecord(
        row.text(),
        row.text(),
        row.text(),
        row.text(),
        row.text(),
        row.text(),
        row.text(),
        row.text(),
        row.number("latitude", 90.0),
        row.number("longitude", 360.0),
        row.flag(),
        row.text(),
        row.text(),
        row.text(),
        row.text(),
        row.flag(),
        row.whole("bitrate", 1e9),
        row.text(),
    )


def _caster(row: _Row) -> CasterRecord:
    return CasterRecord(
        row.text(),
        row.whole("port", 65535.0),
        row.text(),
        row.text(),
        row.flag(),
        row.text(),
        row.number("latitude", 90.0),
        row.number("longitude", 360.0),
        row.text(),
        row.whole("fallback port", 65535.0),
        row.text(),
    )


def _network(row: _Row) -> NetworkRecord:
    return NetworkRecord(row.text(), row.text(), row.text(), row.flag(), row.text(), row.text(), row.text(), row.text())
