"""Logging: events with named values, for people on a console or as JSON lines for a collector. On standard error."""

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog

_LIBRARIES = ("mqtt", "uvicorn", "uvicorn.error", "asyncio")


class _StandardError:
    """Standard error as it is at the moment of writing; a reader that has gone must not end the service."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError, ValueError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        """Flush what can be flushed."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def configure_log(*, json: bool = False, level: str = "info") -> None:
    """Set up structured logging for the whole process.

    Args:
        json: One JSON object a line instead of coloured text.
        level: ``debug``, ``info``, ``warning`` or ``error``.

    Raises:
        ValueError: There is no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        message = f"log level {level!r}; expected debug, info, warning or error"
        raise ValueError(message)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    stream = cast("TextIO", _StandardError())
    renderer: structlog.typing.Processor
    if json:
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)  # libraries are heard when something is wrong
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
