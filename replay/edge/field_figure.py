"""The figure of the field experiment: error and centimetre share over the share of bad windows, a column a set."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from models.field.baselines import METHODS, MethodName
from replay.edge.field_report import SetResult
from stations.errors import GpsgridError, Reason

_SUFFIXES = (".png", ".svg")
_PERCENT = 100.0
# Colours that stay apart for the colour blind: Okabe and Ito (2008).
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def check_figure(path: Path) -> None:
    """Check that a figure can be drawn and written, before minutes are spent on what it shows.

    Raises:
        GpsgridError: ``BAD_CONFIG``, unknown suffix or no matplotlib; ``MISSING_FILE``, no such folder.
    """
    if path.suffix.lower() not in _SUFFIXES:
        message = f"{path}: figures are written as {', '.join(_SUFFIXES)}, not {path.suffix or 'without a suffix'}"
        raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))
    if find_spec("matplotlib") is None:
        message = (
            "a figure needs matplotlib, which is not installed: pip install 'gpsgrid[report]', or leave --out away"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))
    if not path.parent.is_dir():
        message = f"{path}: folder {path.parent} does not exist; create it, or write somewhere else"
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path))


def write_figure(
    path: Path, results: Sequence[SetResult], methods: Sequence[MethodName], shares: Sequence[float]
) -> None:
    """Draw the figure.

    Args:
        path: As `check_figure` accepted it.
        results: A column each.
        methods: A line each; Filter-Reweight-Retrain is the thick black one.
        shares: Of bad windows.

    Raises:
        GpsgridError: ``MISSING_FILE``, it cannot be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra that the other commands do without
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    mpl.rcParams.update({"font.size": 8, "axes.titlesize": 8, "axes.grid": True, "grid.color": "0.92"})
    figure = Figure(figsize=(1.0 + 2.6 * len(results), 6.0), layout="constrained")
    panels = figure.subplots(2, len(results), sharex=True, squeeze=False)
    percent = [_PERCENT * share for share in shares]
    for column, result in enumerate(results):
        for name in methods:
            style = _style(name)
            scores = [result.scores[name, share] for share in shares]
            panels[0][column].plot(percent, [one.rms_mm for one in scores], label=METHODS[name].text, **style)
            panels[1][column].plot(percent, [one.centimetre_percent for one in scores], **style)
        panels[0][column].set_title(f"{result.name}, master {result.nearest_km:.0f} km, {result.epochs} epochs")
        panels[0][column].set_ylim(bottom=0.0)
        panels[1][column].set_ylim(-2.0, 102.0)
        panels[1][column].set_xlabel("bad station-satellite windows (%)")
    panels[0][0].set_ylabel("field error, zenith (mm rms)")
    panels[1][0].set_ylabel("single epochs at the centimetre (%)")
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror}"
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path)) from error


def _style(name: MethodName) -> dict[str, object]:
    """Return colour and line of a method, the same whichever others are drawn: no two are alike."""
    if name is MethodName.FRR:
        return {"color": "black", "lw": 2.4, "marker": "o", "ms": 4, "zorder": 5}
    number = list(METHODS).index(name)
    rule = METHODS[name].linear or METHODS[name].thin_shell
    line = "--" if rule else ("-", "-.")[number // len(_COLOURS)]
    return {"color": _COLOURS[number % len(_COLOURS)], "lw": 1.1, "ls": line}
