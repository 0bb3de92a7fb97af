"""``gpsgrid replay``, ``gpsgrid score`` and the commands that look into recordings."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from models.session_state import Motion
from replay.edge.field_command import bench_field_command
from replay.edge.integers_command import integers_command
from replay.edge.outputs import check_outputs, read_truth_file, write_outputs
from replay.edge.prepare import Prepared, ReplayRequest, prepare
from replay.edge.report import ReplayProgress, print_replay, print_score, replay_document
from replay.edge.run import ReplayReport, replay_offline
from replay.edge.through_mqtt import run_through_mqtt
from replay.edge.time_option import time_of
from replay.edge.vrs_command import vrs_command
from replay.score import Score, score
from replay.track import TrackRow, read_track
from replay.truth import fixed_truth
from stations.edge.files import read_bytes

_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Mode(StrEnum):
    """How the rover is positioned."""

    SINGLE = "single"
    SESSION = "session"
    STATIC = "static"


_MOTIONS = {Mode.SINGLE: None, Mode.SESSION: Motion.FREE, Mode.STATIC: Motion.STATIC}


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command("replay", help="Replay recorded stations and a rover through the engine; write the rover's track.")(
        replay_command
    )
    app.command("score", help="Compare a track with the truth: fixed, centimetre, wrong fixes, percentiles.")(
        score_command
    )
    app.command("integers", help="Solve a recorded network forward and backward, and compare the integers.")(
        integers_command
    )
    app.command("vrs", help="Write the observations of a virtual reference station anywhere in a recorded network.")(
        vrs_command
    )
    app.command("bench-field", help="Spoil a share of a network's observations; compare methods of the error field.")(
        bench_field_command
    )


def replay_command(  # noqa: PLR0913 - one argument an option
    network: Annotated[Path, typer.Argument(help="network.toml with recorded files", show_default=False)],
    rover: Annotated[
        list[Path] | None,
        typer.Option("--rover", help="RINEX file of a rover; repeat it for several files", show_default=False),
    ] = None,
    hold_out: Annotated[
        str, typer.Option("--hold-out", metavar="ID", help="take this station out and use it as the rover")
    ] = "",
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode",
            help="single: every epoch from scratch; session: carry state; static: session of a rover that stands still",
        ),
    ] = Mode.SINGLE,
    begin: Annotated[str, typer.Option("--from", metavar="T", help="first epoch, GPS time, ISO 8601")] = "",
    end: Annotated[str, typer.Option("--to", metavar="T", help="last epoch, included")] = "",
    through_mqtt: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--through-mqtt", help="send every byte through a broker and the live service")
    ] = False,
    broker: Annotated[
        str, typer.Option("--broker", metavar="URL", help="with --through-mqtt: this broker, not an embedded one")
    ] = "",
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="track: .csv, .pos (RTKLIB) or .geojson; repeat it", show_default=False),
    ] = None,
    antenna: Annotated[
        str | None, typer.Option("--antenna", help="antenna of a rover file, IGS type and radome", show_default=False)
    ] = None,
    antenna_serial: Annotated[
        str | None, typer.Option("--antenna-serial", help="its serial number", show_default=False)
    ] = None,
    antenna_height: Annotated[
        float | None, typer.Option("--antenna-height", help="marker to reference point, m", show_default=False)
    ] = None,
    nearest_base: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--nearest-base", help="use only the nearest station, to compare with")
    ] = False,
    as_json: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--json", help="summary as JSON on standard output")
    ] = False,
) -> None:
    """Replay recorded stations and a rover through the engine."""
    if bool(rover) == bool(hold_out):
        problem = "give either --rover FILE or --hold-out ID"
        raise typer.BadParameter(problem, param_hint="--rover / --hold-out")
    if not out:
        problem = "name at least one file for the track, for instance --out track.csv"
        raise typer.BadParameter(problem, param_hint="--out")
    if through_mqtt and mode is not Mode.SINGLE:
        problem = "--through-mqtt asks for single epochs; leave it out, or use --mode single"
        raise typer.BadParameter(problem, param_hint="--mode")
    if broker and not through_mqtt:
        problem = "--broker is only used with --through-mqtt"
        raise typer.BadParameter(problem, param_hint="--broker")
    check_outputs(out)
    request = ReplayRequest(
        network,
        hold_out,
        tuple(rover or ()),
        time_of(begin, "--from"),
        time_of(end, "--to"),
        nearest_base,
        antenna,
        antenna_serial,
        antenna_height,
    )
    console = Console(stderr=True)
    with console.status(f"reading {network}"):
        prepared = prepare(request)
    rows: list[TrackRow] = []
    report, interrupted = _run(prepared, rows, console, broker if through_mqtt else None, _MOTIONS[mode])
    write_outputs(rows, out, prepared.config.network.frame)
    scored = score(rows, fixed_truth(*prepared.marker_m)) if prepared.marker_m and rows else None
    if as_json:
        typer.echo(json.dumps(replay_document(prepared, rows, report, scored, out), indent=2))
    else:
        print_replay(Console(), prepared, rows, report, scored, out)
    if interrupted:
        console.print("stopped before the end; what was done is written")
        raise typer.Exit(_INTERRUPTED)


def score_command(
    track: Annotated[Path, typer.Argument(help="track.csv", show_default=False)],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="CSV with time_gpst,x_m,y_m,z_m", show_default=False)
    ] = None,
    position: Annotated[
        tuple[float, float, float] | None,
        typer.Option("--position", metavar="X Y Z", help="ECEF metres, for a rover that stood still"),
    ] = None,
    as_json: Annotated[  # noqa: FBT002 - as above
        bool, typer.Option("--json", help="as JSON on standard output")
    ] = False,
) -> None:
    """Compare a track with the truth."""
    if (truth is None) == (position is None):
        problem = "give either --truth FILE or --position X Y Z"
        raise typer.BadParameter(problem, param_hint="--truth / --position")
    rows = read_track(read_bytes(track).decode("utf-8", errors="replace"), str(track))
    known = fixed_truth(*position) if position is not None else read_truth_file(truth or Path())
    scored: Score = score(rows, known)
    if as_json:
        typer.echo(json.dumps(scored.as_dict(), indent=2))
    else:
        print_score(Console(), scored)


def _run(
    prepared: Prepared, rows: list[TrackRow], console: Console, broker_url: str | None, motion: Motion | None
) -> tuple[ReplayReport, bool]:
    """Replay into ``rows``; return the report and whether Ctrl-C came before the end."""
    report = ReplayReport()
    with ReplayProgress(console, len(prepared.rover.times_ns)) as progress:

        def sink(row: TrackRow) -> None:
            rows.append(row)
            progress.advance(row)

        try:
            if broker_url is None:
                replay_offline(prepared, sink, report, motion)
            else:
                run_through_mqtt(prepared, sink, report, broker_url)
        except KeyboardInterrupt:
            return report, True
    return report, False
