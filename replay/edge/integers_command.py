"""``gpsgrid integers``: the integers of a recorded network, forward against backward."""

import json
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gpsgrid.edge.settings import load_network
from gpsgrid.engine import Engine, EngineConfig
from gpsgrid.events import NetworkSolved, PayloadArrived, Tick
from models.network_state import NetworkPolicy
from replay.edge.time_option import time_of
from replay.network_integers import IntegerAudit, NetworkAuditor
from stations.edge.recordings import load_antennas, load_recording
from stations.signals import Constellation


def integers_command(
    network: Annotated[Path, typer.Argument(help="network.toml with recorded files", show_default=False)],
    begin: Annotated[str, typer.Option("--from", metavar="T", help="first epoch, GPS time, ISO 8601")] = "",
    end: Annotated[str, typer.Option("--to", metavar="T", help="last epoch, included")] = "",
    as_json: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--json", help="as JSON on standard output")
    ] = False,
) -> None:
    """Solve a recorded network forward and backward, and compare the integers."""
    console = Console(stderr=True)
    config = load_network(network).network
    antennas = load_antennas(config)
    from_ns, to_ns = time_of(begin, "--from"), time_of(end, "--to")
    with console.status(f"reading {network}"):
        recording = load_recording(config, antennas=antennas, from_ns=from_ns, to_ns=to_ns)
    policy = NetworkPolicy()
    auditor = NetworkAuditor(policy)
    engine = Engine(EngineConfig(config, antennas, recording.times_ns[0], filter=policy))
    for time_ns in track(recording.times_ns, "forward", console=console):
        events = [PayloadArrived(station, payload, time_ns) for station, payload in recording.payloads(time_ns)]
        outputs = [output for event in events for output in engine.handle(event)]
        due_ns = engine.deadline()
        if due_ns is not None:
            outputs += engine.handle(Tick(max(due_ns, time_ns)))
        if engine.snapshot is not None and any(isinstance(output, NetworkSolved) for output in outputs):
            auditor.watch(engine.snapshot)
    with console.status("backward"):
        audit = auditor.finish()
    if as_json:
        typer.echo(json.dumps(_document(audit), indent=2))
    else:
        Console().print(_table(audit, config.name))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _document(audit: IntegerAudit) -> dict[str, object]:
    return {
        "epochs": audit.epochs,
        "held_above_15_deg": _share(sum(audit.held.values()), sum(audit.high.values())),
        "held_by_system": {Constellation(s).name: _share(audit.held[s], audit.high[s]) for s in sorted(audit.high)},
        "compared": audit.compared,
        "wrong": audit.wrong,
        "wrong_epochs": audit.wrong_epochs,
        "first_fix_s": audit.first_fix_s,
        "station_restarts": audit.restarts,
        "compared_between_clusters": audit.shared,
        "apart_between_clusters": audit.apart,
    }


def _table(audit: IntegerAudit, name: str) -> Table:
    table = Table("integers of the network", "", title=name, title_justify="left")
    table.add_row("network epochs", str(audit.epochs))
    table.add_row("held above 15 degrees", f"{_share(sum(audit.held.values()), sum(audit.high.values())):.2%}")
    for system in sorted(audit.high):
        table.add_row(f"  {Constellation(system).name}", f"{_share(audit.held[system], audit.high[system]):.2%}")
    table.add_row("until 90 % are held", f"{audit.first_fix_s:.0f} s")
    table.add_row("compared with the backward solution", str(audit.compared))
    table.add_row("  other integers", f"{audit.wrong} ({_share(audit.wrong, audit.compared):.3%})")
    table.add_row("  epochs with any", str(audit.wrong_epochs))
    table.add_row("stations started anew", str(audit.restarts))
    if audit.shared:
        table.add_row("compared between clusters", str(audit.shared))
        table.add_row("  other integers", str(audit.apart))
    return table
