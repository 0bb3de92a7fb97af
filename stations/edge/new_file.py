"""A file that takes its place when it is complete: written beside it under a name that nobody else has."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from stations.errors import GpsgridError, Reason

_SHOWN = 40  # characters of the name; with more, the temporary name may be longer than the system allows


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Give a new file to write to, which replaces ``path`` at the end, or vanishes after an error.

    Raises:
        GpsgridError: ``MISSING_FILE``, as :func:`refuse_special`.
        OSError: It cannot be made, written or renamed.
    """
    refuse_special(path)
    part = path.with_name(f"{path.name[:_SHOWN]}.{secrets.token_hex(8)}.part")
    with part.open("xb") as file:  # "x": what is there already is not ours
        try:
            yield file
            file.close()  # what is still to be written may fail, and must before the renaming
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


def refuse_special(path: Path) -> None:
    """Refuse to write to what is no file: renaming would put a file in the place of a pipe or a device.

    Raises:
        GpsgridError: ``MISSING_FILE``, it is a pipe, a device or a socket.
        OSError: It is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        message = (
            f"{path} cannot be written: it is a pipe, a device or a socket, and would be replaced; "
            f"name a file that is new or may be written over"
        )
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path))
