"""A console whose reader may leave: ``gpsgrid doctor FILE | head`` ends with the status that the file deserves."""

import os
import sys

from rich.console import Console


class PatientConsole(Console):
    """Prints into nothing after its pipe was closed, where rich would end the program with status 1."""

    def on_broken_pipe(self) -> None:  # type: ignore[explicit-override]  # typing has it from Python 3.12 on
        """Go on without output; what the interpreter still has to flush goes to the null device."""
        self.quiet = True
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
