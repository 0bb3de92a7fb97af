"""``gpsgrid vrs``: the observations of a virtual station from recorded files, as RINEX or RTCM 3."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gpsgrid.edge.convert_rtcm import created_now
from gpsgrid.edge.learner import learn_now
from gpsgrid.edge.settings import load_network
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import InputRefused, Output
from gpsgrid.virtual_place import VirtualPolicy
from gpsgrid.virtual_stream import Level, VirtualReport
from gpsgrid.vrs_messages import LEGACY, NULL_ANTENNA, VrsEncoder, VrsFormat, station_number
from replay.edge.time_option import time_of
from replay.virtual import virtual_reports
from stations.arrays import FloatArray
from stations.catalog import Network
from stations.constants import NS_PER_MS
from stations.edge.byte_source import writing
from stations.edge.recordings import find_station, load_antennas, load_ephemerides, load_recording
from stations.ephemeris_calendar import calendar_of, told_at
from stations.epoch import StationEpoch
from stations.errors import GpsgridError, Reason
from stations.gpstime import to_iso
from stations.navigation_kinds import Ephemeris
from stations.recorded import Recording
from stations.rinex_obs_contents import ObservationContents
from stations.rinex_obs_writer import ObservationWriter, StationDescription, writable
from stations.signals import satellite_name

_RINEX = (".rnx", ".obs")
_RTCM = (".rtcm3", ".rtcm")
_MOST_LINES = 12


class Msm(StrEnum):
    """Which messages carry the observations."""

    MSM4 = "4"
    MSM5 = "5"
    MSM7 = "7"
    LEGACY = "legacy"


@dataclass
class VrsSummary:
    """What came out, for people.

    Attributes:
        epochs: Moments by level.
        masters: Moments by station.
        reasons: Why it was less than the full network.
        left_out: Satellite epochs that were left out, by reason.
        satellites: Satellite epochs that were written.
        restarted: Signals whose lock time started anew.
        refused: First refusal of every kind.
    """

    epochs: Counter[Level] = field(default_factory=Counter)
    masters: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    left_out: Counter[int] = field(default_factory=Counter)
    satellites: int = 0
    restarted: int = 0
    refused: dict[Reason, str] = field(default_factory=dict)

    def add(self, report: VirtualReport) -> None:
        """Count one report."""
        self.epochs[report.level] += 1
        if report.master:
            self.masters[report.master] += 1
        if report.reason:
            self.reasons.setdefault(f"{report.level}", f"{to_iso(report.time_ns)} {report.reason}")
        self.left_out.update(satellite for satellite, why in report.left_out.items() if "ionosphere" in why)
        self.satellites += len(report.sd_m)
        self.restarted += report.restarted

    def observe(self, output: Output) -> None:
        """Keep the first text of every kind of refusal."""
        if isinstance(output, InputRefused):
            self.refused.setdefault(output.reason, output.text)


def vrs_command(  # noqa: PLR0913 - one argument an option
    network: Annotated[Path, typer.Argument(help="network.toml with recorded files", show_default=False)],
    at: Annotated[
        tuple[float, float, float],
        typer.Option("--at", metavar="X Y Z", help="where: ECEF metres in the frame of the network"),
    ],
    out: Annotated[Path, typer.Option("--out", help="vrs.rnx (RINEX 3.04) or vrs.rtcm3", show_default=False)],
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="ID", help="leave a station out; repeat it", show_default=False),
    ] = None,
    begin: Annotated[str, typer.Option("--from", metavar="T", help="first epoch, GPS time, ISO 8601")] = "",
    end: Annotated[str, typer.Option("--to", metavar="T", help="last epoch, included")] = "",
    msm: Annotated[Msm, typer.Option("--msm", help="RTCM 3: observations as MSM4, 5, 7, or 1004 and 1012")] = Msm.MSM7,
    ephemerides: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--ephemerides/--no-ephemerides", help="RTCM 3: send broadcast ephemerides along")
    ] = True,
) -> None:
    """Write the observations of a virtual reference station."""
    if out.suffix.lower() not in _RINEX + _RTCM:
        problem = f"{out}: the suffix does not say what to write; expected .rnx, .obs or .rtcm3"
        raise typer.BadParameter(problem, param_hint="--out")
    from_ns, to_ns = time_of(begin, "--from"), time_of(end, "--to")
    console, summary = Console(stderr=True), VrsSummary()
    config = load_network(network)
    chosen = config.network
    for station_id in exclude or ():
        chosen = chosen.without(find_station(chosen, station_id).id)
    position_m = np.array(at)
    _check_place(chosen, position_m)
    with console.status(f"reading {network}"):
        antennas, orbits = load_antennas(chosen), load_ephemerides(chosen)
        recording = load_recording(chosen, antennas=antennas, ephemerides=orbits, from_ns=from_ns, to_ns=to_ns)
    wait_ns = config.align_deadline_ms * NS_PER_MS
    engine = Engine(EngineConfig(chosen, antennas, near_ns=recording.times_ns[0], wait_ns=wait_ns))
    reports = _watched(virtual_reports(engine, recording, position_m, learn_now, summary.observe), recording, console)
    if out.suffix.lower() in _RTCM:
        layout = VrsFormat(level=LEGACY if msm is Msm.LEGACY else int(msm))
        encoder = VrsEncoder(position_m, station_number(_name(position_m)), chosen, layout)
        _write_rtcm(out, reports, encoder, orbits if ephemerides else [], summary)
    else:
        _write_rinex(out, reports, _description(position_m), summary)
    _print(Console(), summary, out)


def _check_place(network: Network, position_m: FloatArray) -> None:
    """Refuse a place that no station of the network can serve."""
    if not network.stations:
        message = "no station is left to work with; take an --exclude away"
        raise GpsgridError(Reason.BAD_CONFIG, message)
    limit_m = VirtualPolicy().maximum_distance_m
    distance_m, nearest = min((float(np.linalg.norm(s.marker_m - position_m)), s.id) for s in network.stations)
    if not distance_m <= limit_m:
        message = (
            f"--at {' '.join(f'{x:.0f}' for x in position_m)} is {distance_m / 1000:.0f} km from the nearest station, "
            f"{nearest}; at most {limit_m / 1000:.0f} km can be bridged. Expected are ECEF metres, X Y Z"
        )
        raise GpsgridError(Reason.OUTSIDE_NETWORK, message, distance_m=distance_m)


def _watched(
    reports: Iterator[VirtualReport | None], recording: Recording, console: Console
) -> Iterator[VirtualReport]:
    columns = (TextColumn("epochs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("vrs", total=len(recording.times_ns))
        for report in reports:
            progress.advance(task)
            if report is not None:
                yield report


def _name(position_m: FloatArray) -> str:
    return " ".join(f"{coordinate:.3f}" for coordinate in position_m)


def _description(position_m: FloatArray) -> StationDescription:
    x, y, z = position_m.tolist()
    return StationDescription(
        marker="VRS",
        approx_position_m=(x, y, z),
        antenna=f"{NULL_ANTENNA:<16}NONE",
        receiver="GPSGRID VRS",
        comments=(
            "virtual reference station, computed: no antenna, moves",
            "with the solid earth tide as a marker does",
        ),
    )


def _write_rtcm(
    out: Path,
    reports: Iterator[VirtualReport],
    encoder: VrsEncoder,
    orbits: list[Ephemeris],
    summary: VrsSummary,
) -> None:
    with writing(out) as sink:
        calendar, sent = None, 0
        for report in reports:
            summary.add(report)
            if calendar is None:
                calendar = calendar_of(orbits, report.time_ns)
            first = sent
            while sent < len(calendar) and calendar[sent].from_ns <= report.time_ns:
                sent += 1
            news = calendar[first:sent] if first else told_at(calendar[first:sent], report.time_ns)
            sink.write(encoder.encode(report, [item.ephemeris for item in news]))
        _check_written(summary)


def _write_rinex(out: Path, reports: Iterator[VirtualReport], about: StationDescription, summary: VrsSummary) -> None:
    contents = ObservationContents()
    epochs: list[StationEpoch] = []  # the header, which comes first, has the signals of all of them
    for report in reports:
        summary.add(report)
        if report.epoch is not None:
            known = np.array([writable(number) for number in report.epoch.signal.tolist()], dtype=np.bool_)
            epochs.append(report.epoch.rows(known))
            contents.add(epochs[-1])
    _check_written(summary)
    writer = ObservationWriter(about, contents, created=created_now())
    with writing(out) as sink:
        sink.write(writer.header.encode("latin-1", "replace"))
        for epoch in epochs:
            sink.write(writer.epoch(epoch).encode("ascii"))


def _check_written(summary: VrsSummary) -> None:
    """Complain when there was nothing to write; a file that is not finished is not left behind."""
    if any(summary.epochs[level] for level in Level if level is not Level.SILENT):
        return
    why = next(iter(summary.reasons.values()), "the stations delivered no epoch with known orbits")
    message = f"nothing can be written for this place: {why}. Give it more time or more stations"
    raise GpsgridError(Reason.NO_NETWORK, message)


def _print(console: Console, summary: VrsSummary, out: Path) -> None:
    table = Table("virtual station", "", title=str(out), title_justify="left", show_header=False)
    for level, count in summary.epochs.most_common():
        first = summary.reasons.get(str(level), "")
        table.add_row(f"epochs, {level}", f"{count}" + (f"; first {first}" if first else ""))
    table.add_row("made from", ", ".join(f"{name} ({count})" for name, count in summary.masters.most_common()))
    table.add_row("satellites per epoch", f"{summary.satellites / max(sum(summary.masters.values()), 1):.1f}")
    doubtful = summary.left_out.most_common(_MOST_LINES)
    if doubtful:
        names = ", ".join(f"{satellite_name(satellite)} {count}" for satellite, count in doubtful)
        table.add_row("left out, uncertain", names)
    table.add_row("lock times started anew", str(summary.restarted))
    for reason, text in summary.refused.items():
        table.add_row(f"refused: {reason}", text)
    console.print(table)
