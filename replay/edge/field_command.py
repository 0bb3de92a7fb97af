"""``gpsgrid bench-field``: the contamination experiment on recorded networks."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.field.baselines import METHODS, MethodName
from replay.edge.field_figure import check_figure, write_figure
from replay.edge.field_report import SetResult, document, table
from replay.edge.field_runs import SetSpec, network_run, parse_set, rover_set, truth_run
from replay.field_experiment import SHARES, Campaign, Key, campaign, scores
from replay.field_scene import NetworkSide, Truth
from replay.field_score import Outcome

_PIECES = 5  # epochs that a worker is given at a time
_PERCENT = 100.0
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def bench_field_command(  # noqa: PLR0913 - one argument an option
    sets: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK.toml@ROVER...",
            help="recorded network and who is the rover: a station of it, or the file of a static rover beside it, "
            "with its truth in truth/NAME.csv",
            show_default=False,
        ),
    ],
    epochs: Annotated[int, typer.Option("--epochs", min=2, help="epochs scored per set, evenly spread")] = 120,
    share: Annotated[
        list[float] | None, typer.Option("--share", metavar="PERCENT", help="bad windows; repeat it", min=0, max=100)
    ] = None,
    method: Annotated[list[MethodName] | None, typer.Option("--method", help="repeat it; by default all")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of the dirt")] = 1,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes")] = 2,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="figure, .png or .svg", show_default=False)
    ] = None,
    as_json: Annotated[  # noqa: FBT002 - typer makes a flag of it
        bool, typer.Option("--json", help="as JSON on standard output")
    ] = False,
) -> None:
    """Spoil a share of a network's observations, and compare methods of the error field."""
    if out is not None:
        check_figure(out)
    specs = [parse_set(text) for text in sets]
    rovers = [rover_set(spec) for spec in specs]
    shares = SHARES if share is None else tuple(sorted(one / _PERCENT for one in share))
    methods = tuple(METHODS) if method is None else tuple(method)
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")  # before the workers start: parallel work is processes
    console = Console(stderr=True)
    results = []
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool, _progress(console) as progress:
        sides = _solve(pool, progress, specs, epochs)
        campaigns = [
            campaign(np.random.default_rng([seed, number]), side, rover.rover, methods, shares)
            for number, (side, rover) in enumerate(zip(sides, rovers, strict=True))
        ]
        for spec, rover, one, outcomes in zip(specs, rovers, campaigns, _score(pool, progress, campaigns), strict=True):
            resolved = float(np.mean(np.concatenate([np.isfinite(scene.truth_m) for scene in one.scenes])))
            results.append(SetResult(spec.name, rover.nearest_km, len(one.scenes), resolved, scores(outcomes)))
    if out is not None:
        write_figure(out, results, methods, shares)
    if as_json:
        typer.echo(json.dumps(document(results, methods, shares, seed), indent=2))
    else:
        Console().print(table(results, methods, shares))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def _solve(
    pool: ProcessPoolExecutor, progress: Progress, specs: list[SetSpec], epochs: int
) -> list[tuple[list[NetworkSide], list[Truth]]]:
    """Solve every network without and with its rover."""
    networks = [pool.submit(network_run, spec, epochs) for spec in specs]
    truths = [pool.submit(truth_run, spec, epochs) for spec in specs]
    task = progress.add_task("solving networks", total=2 * len(specs))
    for network in networks:
        network.add_done_callback(lambda _: progress.advance(task))
    for truth in truths:
        truth.add_done_callback(lambda _: progress.advance(task))
    return [(network.result(), truth.result()) for network, truth in zip(networks, truths, strict=True)]


def _score(
    pool: ProcessPoolExecutor, progress: Progress, campaigns: list[Campaign]
) -> Iterator[list[dict[Key, Outcome]]]:
    """Score all epochs of all sets; yield the outcomes of each set in the order of its epochs."""
    task = progress.add_task("scoring epochs", total=sum(len(one.scenes) for one in campaigns))
    jobs: list[list[Future[list[dict[Key, Outcome]]]]] = [
        [
            pool.submit(_piece, one, range(start, min(start + _PIECES, len(one.scenes))))
            for start in range(0, len(one.scenes), _PIECES)
        ]
        for one in campaigns
    ]
    for done in as_completed([job for of_set in jobs for job in of_set]):
        progress.advance(task, len(done.result()))
    for of_set in jobs:
        yield [outcome for job in of_set for outcome in job.result()]


def _piece(one: Campaign, indexes: range) -> list[dict[Key, Outcome]]:
    return [one.epoch(index) for index in indexes]
