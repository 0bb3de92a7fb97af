"""Times on the command line: ``--from`` and ``--to`` of every command that replays a window."""

import typer

from stations.gpstime import from_iso


def time_of(text: str, option: str) -> int | None:
    """Return a GPS time in nanoseconds, ``None`` for an option that was not given.

    Args:
        text: ISO 8601, or empty.
        option: Its name, for the message.

    Raises:
        typer.BadParameter: It is no time.
    """
    if not text:
        return None
    try:
        return int(from_iso(text))
    except ValueError as error:
        problem = f"{text!r} is no ISO 8601 time ({error}); expected GPS time such as 2021-01-01T03:00:00"
        raise typer.BadParameter(problem, param_hint=option) from error
