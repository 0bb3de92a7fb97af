"""A console whose reader may leave: ``gpsgrid doctor FILE | head`` ends with the status that the file deserves."""

import os
import sys
from contextlib import suppress

from rich.console import Console

EXIT_NOT_SAID = os.EX_IOERR  # 74


class PatientConsole(Console):
    """Prints into nothing after its pipe was closed, where rich would end the program with status 1.

    Output that cannot be written for another reason, for instance to a full disk, ends the program with status 74.
    File names come out as they are, without pictures for ``:smile:``.
    """

    def __init__(self) -> None:
        """Print to standard output."""
        super().__init__(emoji=False)

    def _check_buffer(self) -> None:  # type: ignore[explicit-override]  # all output comes through here, progress too
        try:
            super()._check_buffer()
        except OSError as error:
            self.quiet = True
            _silence()
            with suppress(OSError):  # standard error may be on the same full disk
                reason = error.strerror or str(error)
                sys.stderr.write(f"gpsgrid: the output cannot be written: {reason}; send it to another disk\n")
            raise SystemExit(EXIT_NOT_SAID) from error

    def on_broken_pipe(self) -> None:  # type: ignore[explicit-override]  # typing has it from Python 3.12 on
        """Go on without output."""
        self.quiet = True
        _silence()


def _silence() -> None:
    """Let what the interpreter still has to flush go to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
