"""The board that ``gpsgrid publish`` shows: one line a station, below the progress of what is recorded."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from gpsgrid.edge.station_publisher import StationLine
from stations.gpstime import to_iso

_COLUMNS = ("station", "source", "state", "rate", "last epoch", "messages", "reconnects", "remark")


def board(lines: Sequence[StationLine], progress: Progress | None) -> RenderableType:
    """Return what is to be drawn now."""
    table = Table(box=None, pad_edge=False)
    for name in _COLUMNS:
        right = name in {"rate", "messages", "reconnects"}
        table.add_column(
            name, justify="right" if right else "left", overflow="fold" if name == "remark" else "ellipsis"
        )
    for line in lines:
        # As text, not as markup: what a caster says may hold brackets.
        table.add_row(*(Text(cell) for cell in cells(line)))
    return table if progress is None else Group(progress, table)


def cells(line: StationLine) -> tuple[str, ...]:
    """Return the texts of one line, in the order of the columns."""
    stream = line.stream
    return (
        line.id,
        line.source,
        state(line),
        f"{line.rate_hz:.2f} Hz",
        to_iso(line.last_epoch_ns)[:19] if line.last_epoch_ns else "-",
        str(line.messages),
        "-" if stream is None else str(stream.reconnects),
        "; ".join(_remarks(line)),
    )


def state(line: StationLine) -> str:
    """Return ``failed``, ``done``, ``file``, ``stopped``, ``live`` or ``trying``."""
    if line.problem:
        return "failed"
    if line.stream is None:
        return "done" if line.done else "file"
    if line.done:
        return "stopped"
    return "live" if line.stream.connected else "trying"


def _remarks(line: StationLine) -> list[str]:
    remarks = [line.problem] if line.problem else []
    stream, gatherer = line.stream, line.gatherer
    if stream is not None and stream.problem:
        remarks.append(stream.problem)
    if stream is not None and stream.connected and gatherer is not None and not gatherer.frames:
        if stream.received_bytes:
            remarks.append(f"{stream.received_bytes} bytes and no RTCM 3 frame among them; is this another format?")
        else:
            remarks.append("connected, nothing received yet")
    if gatherer is not None and gatherer.bad_crc:
        remarks.append(f"{gatherer.bad_crc} wrong checksums")
    if gatherer is not None and gatherer.frames and gatherer.junk_bytes:
        remarks.append(f"{gatherer.junk_bytes} bytes that are no RTCM 3")
    if line.dropped:
        remarks.append(f"{line.dropped} epochs dropped, the broker is too slow")
    return remarks
