"""A ``gpsgrid`` command as a child of the demonstration: it ends when standard input does.

Standard input is a pipe from the demonstration. It ends when the demonstration closes it, and also when the
demonstration dies, however that happens; so no service is left behind.
"""

import os
import signal
import threading
import time

_GRACE_S = 10.0
_STDIN = 0


def _end_with_input() -> None:
    # Not through sys.stdin: its lock would be held by this thread when the interpreter ends.
    while os.read(_STDIN, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_S)
    os._exit(1)


def main() -> None:
    """Run the command in the arguments."""
    threading.Thread(target=_end_with_input, name="end-with-input", daemon=True).start()
    from gpsgrid.edge.cli import main as run_command  # noqa: PLC0415 - after the thread: the import takes a second

    run_command()


if __name__ == "__main__":
    main()
