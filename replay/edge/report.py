"""Replays and scores for people: a progress line, tables, and the same as a JSON document."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from replay.edge.prepare import Prepared
from replay.edge.run import ReplayReport
from replay.score import Score, Spread
from replay.track import TrackRow

_PERCENTILES = (50, 95, 99)
_MM_PER_M = 1000.0


class ReplayProgress:
    """A progress bar with the rate and the share of fixes so far; nothing where there is no terminal."""

    def __init__(self, console: Console, epochs: int) -> None:
        """Prepare for that many rover epochs."""
        self._progress = Progress(
            TextColumn("rover epochs"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TextColumn("{task.fields[fixed]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._epochs = epochs
        self._task = TaskID(0)
        self._done = 0
        self._fixes = 0

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        self._task = self._progress.add_task("replay", total=self._epochs, rate="", fixed="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()

    def advance(self, row: TrackRow) -> None:
        """Count one more epoch."""
        self._done += 1
        self._fixes += row.claimed
        speed = self._progress.tasks[self._task].speed
        self._progress.update(
            self._task,
            advance=1,
            rate=f"{speed:.0f}/s" if speed else "",
            fixed=f"{100.0 * self._fixes / self._done:.1f} % fixed",
        )


def replay_document(
    prepared: Prepared, rows: Sequence[TrackRow], report: ReplayReport, scored: Score | None, out: Sequence[Path]
) -> dict[str, object]:
    """Return a replay as a JSON document."""
    return {
        "network": prepared.config.network.name,
        "stations": list(prepared.recording.station_ids),
        "rover": prepared.rover.name,
        "files": [str(path) for path in out],
        "epochs": len(rows),
        "status": dict(Counter(str(row.status) for row in rows)),
        "network_epochs": report.network_epochs,
        "hyperparameters_learned": report.learned,
        "coordinates": report.coordinates,
        "refused_inputs": {str(reason): count for reason, count in report.refused.items()},
        "wall_s": round(report.wall_s, 3),
        "epochs_per_s": round(len(rows) / report.wall_s, 1) if report.wall_s else None,
        "broker": report.broker or None,
        "latency_ms": _latencies(report.latency_ms),
        "learning_latency_ms": _latencies(report.learning_latency_ms),
        "score": scored.as_dict() if scored else None,
    }


def print_replay(
    console: Console,
    prepared: Prepared,
    rows: Sequence[TrackRow],
    report: ReplayReport,
    scored: Score | None,
    out: Sequence[Path],
) -> None:
    """Print how a replay went and what came out."""
    table = Table(
        title=f"{prepared.rover.name} in {prepared.config.network.name}", show_header=False, title_justify="left"
    )
    table.add_row("stations", ", ".join(prepared.recording.station_ids))
    statuses = Counter(str(row.status) for row in rows)
    table.add_row("epochs", f"{len(rows)}: " + ", ".join(f"{count} {name}" for name, count in statuses.most_common()))
    table.add_row(
        "network epochs", f"{report.network_epochs}; hyperparameters were learned at {report.learned} of them"
    )
    for text in report.coordinates:
        table.add_row("coordinate", text)
    for reason, count in report.refused.most_common():
        text = report.first_refusals.get(reason, "")
        table.add_row(f"refused: {reason}", f"{count} inputs" + (f", first: {text}" if text else ""))
    speed = f", {len(rows) / report.wall_s:.0f} epochs/s" if report.wall_s else ""
    table.add_row("time", f"{report.wall_s:.1f} s{speed}")
    if report.broker:
        table.add_row("through", report.broker)
        table.add_row("epoch in to answer out", _latency_text(report.latency_ms))
        if report.learning_latency_ms:
            table.add_row("  while it learned", _latency_text(report.learning_latency_ms))
    table.add_row("written", ", ".join(map(str, out)))
    console.print(table)
    if scored is not None:
        print_score(console, scored)


def print_score(console: Console, scored: Score) -> None:
    """Print a score: shares, errors, honesty, hours."""
    shares = Table(title="score", show_header=False, title_justify="left")
    without = f" ({scored.without_truth} more without truth)" if scored.without_truth else ""
    shares.add_row("epochs", f"{scored.epochs}{without}")
    shares.add_row("with a position", f"{scored.positions_percent:.2f} %")
    shares.add_row("fixed", f"{scored.fixed_percent:.2f} %")
    shares.add_row("centimetre (H <= 2 cm, V <= 5 cm)", f"{scored.centimetre_percent:.2f} %")
    shares.add_row("  of which fixed", f"{scored.fixed_centimetre_percent:.2f} %")
    shares.add_row("1 cm (H <= 1 cm)", f"{scored.one_centimetre_percent:.2f} %")
    shares.add_row("wrong fixes", f"{scored.wrong_fixes} ({scored.wrong_fixes_percent:.3f} % of fixes)")
    shares.add_row("mean height error of fixes", _mm(scored.vertical_mean_m))
    shares.add_row("first fix after", f"{scored.first_fix_s:.0f} s" if np.isfinite(scored.first_fix_s) else "-")
    ratios = (scored.sigma_ratio_e, scored.sigma_ratio_n, scored.sigma_ratio_u)
    shares.add_row(
        "error / stated sigma, E N U", "  ".join(f"{ratio:.2f}" if np.isfinite(ratio) else "-" for ratio in ratios)
    )
    console.print(shares)
    spreads = Table("of fixes", *("50 %", "68 %", "95 %", "99 %", "RMS"), title_justify="left")
    spreads.add_row("horizontal", *_spread_mm(scored.horizontal_m))
    spreads.add_row("vertical", *_spread_mm(scored.vertical_m))
    spreads.add_row("age of network, s", *_spread(scored.age_s))
    if np.isfinite(scored.latency_ms.p50):
        spreads.add_row("latency, ms", *_spread(scored.latency_ms))
    console.print(spreads)
    hours = Table("hour (GPS time)", "epochs", "fixed %", "centimetre %", "wrong", "H 95 %")
    for hour in scored.hours:
        hours.add_row(
            hour.start_gpst,
            str(hour.epochs),
            f"{hour.fixed_percent:.1f}",
            f"{hour.centimetre_percent:.1f}",
            str(hour.wrong_fixes),
            _mm(hour.horizontal_p95_m),
        )
    console.print(hours)


def _latencies(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = np.percentile(values, _PERCENTILES).tolist()
    return {"count": len(values)} | {
        f"p{which}": round(value, 2) for which, value in zip(_PERCENTILES, found, strict=True)
    }


def _latency_text(values: Sequence[float]) -> str:
    if not values:
        return "-"
    p50, p95, p99 = np.percentile(values, _PERCENTILES).tolist()
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms ({len(values)} epochs)"


def _spread_mm(spread: Spread) -> list[str]:
    return [_mm(value) for value in (spread.p50, spread.p68, spread.p95, spread.p99, spread.rms)]


def _spread(spread: Spread) -> list[str]:
    return [
        f"{value:.1f}" if np.isfinite(value) else "-"
        for value in (spread.p50, spread.p68, spread.p95, spread.p99, spread.rms)
    ]


def _mm(value_m: float) -> str:
    return f"{value_m * _MM_PER_M:.1f} mm" if np.isfinite(value_m) else "-"
