"""The command ``gpsgrid demo``, which comes in through the entry points ``gpsgrid.commands``."""

import asyncio
from importlib import import_module
from typing import Annotated

import typer

_SEED = 1


def register_demo(app: typer.Typer) -> None:
    """Add the command to the command line."""

    @app.command()
    def demo(
        *,
        seconds: Annotated[float, typer.Option(min=1.0, help="How long the rover asks, once a second.")] = 120.0,
        seed: Annotated[int, typer.Option(min=0, help="Of the simulated sky and receivers.")] = _SEED,
        keep_running: Annotated[
            bool, typer.Option("--keep-running", help="Go on after the summary, until Ctrl-C.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Answers and summary as JSON lines.")] = False,
    ) -> None:
        """Broker, streaming stations, service and a live rover on this machine; needs no data and no configuration."""
        # Imported when the command runs, so that `gpsgrid --help` does not pay for the simulator.
        import_module("gpsgrid.edge.log").configure_log(level="warning")
        screen = import_module("replay.edge.demo_screen").Screen(as_json=as_json, seconds=seconds)
        demonstrate = import_module("replay.edge.demo").demonstrate
        status = asyncio.run(demonstrate(screen, seconds=seconds, seed=seed, keep_running=keep_running))
        raise typer.Exit(status)
