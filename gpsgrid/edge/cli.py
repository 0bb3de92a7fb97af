"""The ``gpsgrid`` command. Commands of other packages come in through the entry points ``gpsgrid.commands``.

What a command does is in a module of its own, imported when the command runs, so that ``gpsgrid --help`` does not pay
for the engine. An error in the input is one paragraph on standard error and exit code 2, never a traceback.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from stations.errors import GpsgridError

ENTRY_POINTS = "gpsgrid.commands"
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

app = typer.Typer(
    help="Open network-RTK engine: raw station streams in, centimetre positions out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

NetworkFile = Annotated[Path, typer.Argument(help="network.toml", show_default=False)]
BrokerUrl = Annotated[
    str, typer.Option(help="mqtt:// or mqtts:// URL. Default: the url in network.toml, else this machine's.")
]
LogJson = Annotated[bool, typer.Option("--log-json", help="Log JSON lines instead of text.")]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]


@app.callback()
def common(log_json: LogJson = False, log_level: LogLevel = "info") -> None:
    """Set up logging for every command."""
    try:
        _of("log", "configure_log")(json=log_json, level=log_level)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--log-level") from error


@app.command()
def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 for any free one.")] = 1883,
    bind: Annotated[str, typer.Option(help="Address to listen on; there are no passwords.")] = "127.0.0.1",
    program: Annotated[
        Literal["auto", "mosquitto", "amqtt"], typer.Option(help="auto: mosquitto when it is on PATH, else amqtt.")
    ] = "auto",
) -> None:
    """Run an MQTT broker that needs no installation, until Ctrl-C."""
    _run(_of("broker_command", "run_broker")(port, bind, program, Console(stderr=True, emoji=False)))


@app.command()
def publish(
    network: NetworkFile,
    broker: BrokerUrl = "",
    speed: Annotated[str, typer.Option(help="Seconds of data per second, for instance 1 or 10, or max.")] = "1",
) -> None:
    """Publish live streams (NTRIP, TCP, serial) and recorded files over MQTT, one message per station and epoch."""
    count = _run(_of("publish", "publish_network")(network, broker, _speed(speed), Console(stderr=True, emoji=False)))
    typer.echo(f"{count} messages published", err=True)


@app.command()
def serve(  # noqa: PLR0913 - one argument an option
    network: NetworkFile,
    broker: BrokerUrl = "",
    host: Annotated[str, typer.Option(help="Address that HTTP listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of HTTP; 0 for any free one.")] = 8080,
    learning: Annotated[
        Literal["background", "inline", "off"], typer.Option(help="When the field's hyperparameters are learned.")
    ] = "background",
    state: Annotated[
        str,
        typer.Option(
            help="File that the engine's state is kept in, or off. Default: beside network.toml or in $STATE_DIRECTORY."
        ),
    ] = "",
    cold: Annotated[bool, typer.Option("--cold", help="Start without the state of the run before.")] = False,
    ntrip_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the NTRIP caster, usually 2101; without it there is none."),
    ] = None,
    ntrip_host: Annotated[str, typer.Option(help="Address that the caster listens on.")] = "127.0.0.1",
    ntrip_users: Annotated[
        Path | None, typer.Option(help="Its users, from `gpsgrid caster-user`. Default: everybody may in.")
    ] = None,
    ntrip_cert: Annotated[Path | None, typer.Option(help="Certificate for TLS, PEM.")] = None,
    ntrip_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
) -> None:
    """Serve positions and corrections: station data in over MQTT; HTTP, MQTT and NTRIP out."""
    service_options = _of("service", "ServiceOptions")(learning=learning)
    file = Path(state) if state else _of("state_file", "default_state_file")(network, dict(os.environ))
    kept = None if state == "off" else file
    ntrip = None
    if ntrip_port is not None:
        ntrip = _of("caster", "CasterOptions")(ntrip_host, ntrip_port, ntrip_users, ntrip_cert, ntrip_key)
    options = _of("serve", "ServeOptions")(broker, host, port, service_options, kept, cold, ntrip)
    _run(_of("serve", "serve")(network, options))


@app.command()
def caster_user(
    file: Annotated[Path, typer.Argument(help="File of users; made if it is not there.", show_default=False)],
    name: Annotated[str, typer.Argument(help="User.", show_default=False)],
    remove: Annotated[bool, typer.Option("--remove", help="Take the user away.")] = False,
) -> None:
    """Add a user of the NTRIP caster, change a password, or take a user away.

    The password is asked for, or read as one line from standard input where that is no terminal.
    """
    if remove:
        _of("caster_users_command", "remove_user")(file, name)
        typer.echo(f"user {name} removed", err=True)
        return
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    before = _of("caster_users_command", "add_user")(file, name, password)
    typer.echo(f"user {name} {'changed' if before else 'added'}; restart gpsgrid serve to use it", err=True)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="RTCM 3 or RINEX file, compressed or not.")],
    target: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="What to write, by suffix: .rnx .obs .crx .nav .rtcm3, .gz may follow."),
    ],
    navigation: Annotated[
        Path | None,
        typer.Option(help="From RTCM 3: write its ephemerides there. To RTCM 3: interleave those of this file."),
    ] = None,
    date: Annotated[str, typer.Option(help="Day of an RTCM 3 recording that does not tell it: YYYY-MM-DD.")] = "",
    msm: Annotated[Literal["4", "5", "7"], typer.Option(help="To RTCM 3: which multiple signal messages.")] = "7",
    station: Annotated[int, typer.Option(min=0, max=4095, help="To RTCM 3: reference station number.")] = 0,
    marker: Annotated[str, typer.Option(help="From RTCM 3: marker name. Default: the station number.")] = "",
) -> None:
    """Convert RTCM 3 to RINEX 3.04 and back, and RINEX 2, 3 and 4 to RINEX 3.04."""
    options = _of("convert_rtcm", "ConvertOptions")(navigation, date, int(msm), station, marker)
    _of("convert_command", "convert")(source, target, options, _of("patient_console", "PatientConsole")())


@app.command()
def doctor(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|URL...", help="Files of any kind; ntrip://, tcp://, serial:, mqtt://host/topic."),
    ],
    seconds: Annotated[float, typer.Option(min=1.0, max=86_400.0, help="How long to listen to a URL.")] = 20.0,
    date: Annotated[str, typer.Option(help="Day of an RTCM 3 recording that does not tell it: YYYY-MM-DD.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Say in plain words what is in a file or stream, and what is missing for network RTK.

    Exit status: 0 in order, 1 unusable for network RTK, 2 cannot be read.
    """
    console = _of("patient_console", "PatientConsole")()
    status = _of("doctor_command", "doctor")(sources, seconds, date, as_text=not as_json, console=console)
    raise typer.Exit(status)


@app.command()
def query(  # noqa: PLR0913 - one argument an option
    rover: Annotated[Path, typer.Argument(help="RINEX, RTCM 3, UBX or JSON, compressed or not.", show_default=False)],
    server: Annotated[str, typer.Option(help="URL of the service.")] = "http://127.0.0.1:8080",
    antenna: Annotated[str, typer.Option(help="IGS type of the rover's antenna, instead of the file's.")] = "",
    antenna_serial: Annotated[str, typer.Option(help="Its serial number.")] = "",
    antenna_height: Annotated[float | None, typer.Option(help="Marker to antenna reference point, metres.")] = None,
    frame: Annotated[str, typer.Option(help="EPSG code or name of a frame that positions are wanted in, too.")] = "",
    from_: Annotated[str, typer.Option("--from", help="First epoch, ISO 8601 in GPS time.")] = "",
    to: Annotated[str, typer.Option("--to", help="Last epoch.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say which satellites were refused, and why.")] = False,
    patience: Annotated[float, typer.Option(min=0.0, help="Seconds to wait for the network to reach an epoch.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON an epoch.")] = False,
) -> None:
    """Ask a running service for the positions of a rover, from its file.

    Exit status: 0 a position for every epoch, 1 some were refused, 2 the file cannot be read or no server is there.
    """
    named = {"antenna": antenna, "antenna_serial": antenna_serial, "frame": frame}
    options: dict[str, Any] = {name: value for name, value in named.items() if value} | {"explain": explain}
    if antenna_height is not None:
        options["antenna_height_m"] = antenna_height
    limits_ns = (_moment(from_, "--from"), _moment(to, "--to"))
    console = _of("patient_console", "PatientConsole")()
    if as_json:
        board = _of("query_board", "JsonBoard")(console, Console(stderr=True, emoji=False))
    else:
        board = _of("query_board", "TableBoard")(console)
    raise typer.Exit(_of("query_command", "run_query")(rover, server, options, limits_ns, patience, board))


@app.command()
def warmup() -> None:
    """Compile the fast kernels and keep them on disk, so that the first start is as quick as any."""
    started_s = time.monotonic()
    answer = import_module("gpsgrid.rehearsal").rehearse()
    typer.echo(f"kernels ready after {time.monotonic() - started_s:.1f} s; rehearsed position: {answer.status}")


def load_commands(target: typer.Typer) -> None:
    """Add the commands that other packages offer; one that cannot be loaded costs a warning, not the others.

    Each entry point is a ``typer.Typer``, added under its name, or a function that is called with the application.
    """
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda found: found.name):
        try:
            offered = entry.load()
            if isinstance(offered, typer.Typer):
                target.add_typer(offered, name=entry.name)
            else:
                offered(target)
        except Exception as error:  # noqa: BLE001 - a broken plug-in must not take `gpsgrid serve` with it
            typer.echo(f"gpsgrid: commands of {entry.name} ({entry.value}) are not available: {error}", err=True)


def run(arguments: list[str] | None = None) -> int:
    """Run a command line and return the exit status.

    Args:
        arguments: Without the program's name; by default those of the process.
    """
    try:
        app(args=arguments, prog_name="gpsgrid", standalone_mode=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except GpsgridError as error:
        typer.echo(f"gpsgrid: {error}", err=True)
        return EXIT_BAD_INPUT
    except (KeyboardInterrupt, asyncio.CancelledError):
        return EXIT_INTERRUPTED
    return 0


def main() -> None:
    """Start of the program: one BLAS and OpenMP thread, then the command."""
    _one_thread()
    sys.exit(run())


def _one_thread() -> None:
    """Keep numpy to one thread; a second one makes small solves up to sixty times slower.

    The variables are read when numpy is loaded. Where that has happened already, because importing this module
    imports the package, the program starts once more with them.
    """
    missing = [variable for variable in _THREAD_VARIABLES if variable not in os.environ]
    for variable in missing:
        os.environ[variable] = "1"
    if missing and "numpy" in sys.modules:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very program


def _run(work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work gives
    return asyncio.run(work)


def _of(module: str, name: str) -> Callable[..., Any]:
    """Return something of a module beside this one, imported only now."""
    found: Callable[..., Any] = getattr(import_module(f"gpsgrid.edge.{module}"), name)
    return found


def _moment(text: str, option: str) -> int | None:
    if not text:
        return None
    try:
        return int(import_module("stations.gpstime").from_iso(text))
    except ValueError as error:
        message = f"{text!r} is no time; expected ISO 8601 in GPS time, for instance 2021-01-01T02:00:00"
        raise typer.BadParameter(message, param_hint=option) from error


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        message = f"{text!r} is no speed; expected a number above 0, for instance 10, or max"
        raise typer.BadParameter(message, param_hint="--speed")
    return speed


load_commands(app)

if __name__ == "__main__":
    main()
