"""What the demonstration shows: coloured lines and a bar on a terminal, plain lines elsewhere, or JSON lines."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from models.rover import RoverStatus
from replay.demonstration import HEADER, LEGEND, live_line, live_record, summary_lines
from replay.score import Score
from replay.track import TrackRow
from stations.arrays import FloatArray
from stations.constants import NS_PER_S

_HEADER_EVERY = 30
_COLORS = {RoverStatus.FIXED: "green", RoverStatus.PARTIAL: "cyan", RoverStatus.FLOAT: "yellow"}


class Screen:
    """Where the demonstration talks to the person who runs it."""

    def __init__(self, *, as_json: bool, seconds: float) -> None:
        """Prepare.

        Args:
            as_json: Answers and summary as JSON lines on standard output, everything else on standard error.
            seconds: How long the rover will ask.
        """
        self._as_json = as_json
        self._seconds = seconds
        self._out = Console(highlight=False, soft_wrap=True)
        self._talk = Console(highlight=False, soft_wrap=True, stderr=True) if as_json else self._out
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._lines = 0
        self._fixed = 0

    def say(self, text: str) -> None:
        """Show a line of text for people."""
        self._talk.print(text, markup=False)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show that something takes its time, and how long it took."""
        started_ns = time.monotonic_ns()
        if self._talk.is_terminal:
            with self._talk.status(what):
                yield
        else:
            self.say(f"{what} ...")
            yield
        self.say(f"{what}: done in {(time.monotonic_ns() - started_ns) / NS_PER_S:.1f} s")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Show a bar below the answers; on a terminal only."""
        self.say(LEGEND)
        if self._as_json or not self._out.is_terminal:
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._out, transient=True) as bar:
            self._bar, self._task = bar, bar.add_task("waiting for the first answer", total=self._seconds)
            try:
                yield
            finally:
                self._bar = None

    def answer(self, row: TrackRow, true_m: FloatArray, elapsed_s: float) -> None:
        """Show an answer beside the truth."""
        if self._as_json:
            self._print_json(live_record(row, true_m))
            return
        if self._lines % _HEADER_EVERY == 0:
            self._out.print(Text(HEADER, style="bold"))
        self._lines += 1
        self._fixed += row.claimed
        self._out.print(Text(live_line(row, true_m, elapsed_s), style=_COLORS.get(row.status, "red")))
        if self._bar is not None and self._task is not None:
            text = f"{100 * self._fixed / self._lines:.0f} % fixed"
            self._bar.update(self._task, completed=min(elapsed_s, self._seconds), description=text)

    def summary(self, score: Score | None, first_fix_s: float, more: Sequence[str]) -> None:
        """Show the summary.

        Args:
            score: Of all answers; ``None`` without any.
            first_fix_s: As in ``replay.demonstration.summary_lines``.
            more: Further lines for people.
        """
        if self._as_json:
            first = round(first_fix_s, 3) if math.isfinite(first_fix_s) else None
            self._print_json({"summary": None if score is None else score.as_dict(), "first_fix_s": first})
        self.say("")
        for line in ["no answers"] if score is None else summary_lines(score, first_fix_s):
            self.say(line)
        for line in more:
            self.say(line)

    def _print_json(self, record: object) -> None:
        self._out.print(json.dumps(record), markup=False)
