"""What ``gpsgrid query`` shows: a live table of the last epochs with progress, or one line of JSON an epoch."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gpsgrid.answer_json import AnswerJson
from gpsgrid.edge.query_command import Asked, Summary, encode_line
from stations.gpstime import to_iso

_SHOWN = 12
_COLOURS = {"fixed": "green", "partial": "green", "float": "yellow", "code": "red", "none": "red"}
_A_SECOND = 8


class JsonBoard:
    """One line of JSON an epoch on standard output, the summary on standard error."""

    def __init__(self, out: Console, err: Console) -> None:
        """Write to these."""
        self._out, self._err = out, err

    @contextmanager
    def showing(self, epochs: int, rover: str, server: str) -> Iterator[None]:
        """Show nothing but lines."""
        del epochs, rover, server
        yield

    def told(self, asked: Asked) -> None:
        """Write the line of an epoch."""
        self._out.out(encode_line(asked).decode(), highlight=False)

    def waiting(self, time_ns: int, network: str) -> None:
        """Say nothing."""

    def summed_up(self, summary: Summary) -> None:
        """Write the summary."""
        self._err.print(summary.text, highlight=False)


class TableBoard:
    """A table of the last epochs that is drawn anew as answers come, and a bar; without a terminal a line an epoch."""

    def __init__(self, console: Console) -> None:
        """Draw on a console."""
        self._console = console
        self._rows: deque[Asked] = deque(maxlen=_SHOWN)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._progress.add_task("")
        self._live: Live | None = None

    @contextmanager
    def showing(self, epochs: int, rover: str, server: str) -> Iterator[None]:
        """Draw while the context is open."""
        self._progress.update(self._task, description=f"{rover} at {server}", total=epochs)
        if not self._console.is_terminal:
            yield
            return
        with Live(self._picture(), console=self._console, refresh_per_second=_A_SECOND) as live:
            self._live = live
            yield
            live.update(self._picture())
            self._live = None

    def told(self, asked: Asked) -> None:
        """Add an epoch."""
        self._rows.append(asked)
        self._progress.update(self._task, advance=1)
        if self._live is not None:
            self._live.update(self._picture())
        else:
            self._console.print(" ".join(_cells(asked)).rstrip(), highlight=False, soft_wrap=True)

    def waiting(self, time_ns: int, network: str) -> None:
        """Say what is waited for."""
        if self._live is not None:
            words = f"waiting for the network to reach {to_iso(time_ns)}; it is at {network}"
            self._live.update(self._picture(words))

    def summed_up(self, summary: Summary) -> None:
        """Write the summary."""
        self._console.print(summary.text, highlight=False, soft_wrap=True)

    def _picture(self, words: str = "") -> Group:
        outputs = [one.answer.output for one in self._rows if one.answer is not None and one.answer.output is not None]
        axes = outputs[-1].axes if outputs else ("latitude", "longitude", "height")
        table = Table("time (GPS)", "status", *axes, "sd e n u", "sats", "age", "ms", "remark")
        for asked in self._rows:
            cells = _cells(asked)
            style = _COLOURS.get(cells[1].strip(), "")
            table.add_row(*(Text(cell.strip(), style if k == 1 else "") for k, cell in enumerate(cells)))
        return Group(table, self._progress, Text(words))


def _cells(asked: Asked) -> list[str]:
    answer = asked.answer
    if answer is None or answer.position is None or answer.sd_enu_m is None:
        reason, words = asked.refusal
        dashes = ["-"] * 6
        return [to_iso(asked.time_ns), "none   ", *dashes, f"{asked.round_trip_ms:4.0f}", f"{reason}: {words}"]
    place, output = answer.position, answer.output
    where = [f"{place.latitude_deg:13.9f}", f"{place.longitude_deg:14.9f}", f"{place.height_m:9.4f}"]
    if output is not None:
        pairs = zip(output.coordinates, output.axes, strict=True)
        where = [f"{value:.9f}" if "degree" in axis else f"{value:.4f}" for value, axis in pairs]
    sd_mm = " ".join(f"{sd_m * 1000:.0f}" for sd_m in answer.sd_enu_m)
    return [
        to_iso(asked.time_ns),
        f"{answer.status:7}",
        *where,
        f"{sd_mm} mm",
        f"{len(answer.satellites.used):2d}",
        "-" if answer.age_s is None else f"{answer.age_s:.1f}",
        f"{asked.round_trip_ms:4.0f}",
        _remark(answer),
    ]


def _remark(answer: AnswerJson) -> str:
    parts = [answer.reason, *answer.warnings]
    if answer.explanation is not None:
        parts += [one.text for one in answer.explanation.satellites if one.text.split(" ", 1)[1].startswith("refused")]
    return "; ".join(part for part in parts if part)
