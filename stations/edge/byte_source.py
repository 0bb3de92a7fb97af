"""Large files in pieces: bytes read without ever holding the file, and texts written the same way."""

import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from stations.edge.files import advice_on, is_hatanaka, not_written, read_data, write_text
from stations.edge.new_file import new_file, refuse_special
from stations.errors import GpsgridError, Reason

CHUNK = 1 << 16
_GZIP = b"\x1f\x8b"
_PACKED = (b"\x1f\x9d", b"BZh", b"PK\x03\x04")


class Sink(Protocol):
    """Where a file is written to."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""
        ...


def chunks_of(path: str | Path) -> Iterator[bytes]:
    """Yield the bytes of a file in pieces of 64 KiB; gzip is undone on the way, other compressions in memory.

    Raises:
        GpsgridError: ``MISSING_FILE``, or ``BROKEN_FILE`` when the compression is damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            if head.startswith(_PACKED):
                yield from _pieces(read_data(path))
                return
            if head.startswith(_GZIP):
                with gzip.GzipFile(fileobj=file) as unzipped:
                    while data := unzipped.read(CHUNK):
                        yield data
                return
            while data := file.read(CHUNK):
                yield data
    except FileNotFoundError:
        message = f"file {path} does not exist; correct the path or put the file there"
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path)) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: cannot be decompressed ({error}); is it cut off? Fetch it again"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path)) from error
    except io.UnsupportedOperation as error:  # an OSError without a number
        message = (
            f"file {path} cannot be read: it is a pipe and has to be read more than once; write it into a file first"
        )
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path)) from error
    except OSError as error:
        message = f"file {path} cannot be read: {error.strerror or error}; {advice_on(error)}"
        raise GpsgridError(Reason.MISSING_FILE, message, file=str(path)) from error


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


@contextmanager
def writing(path: str | Path) -> Iterator[Sink]:
    """Give something to write a file to, compressed as its suffix says; the file is there completely or not at all.

    Hatanaka compression needs the whole text and is done at the end; everything else is written as it comes.

    Raises:
        GpsgridError: ``MISSING_FILE``, the folder does not exist or must not be written to, or the file is a pipe or
            device; and as :func:`stations.edge.files.write_text`.
    """
    path = Path(path)
    try:
        if is_hatanaka(path):
            refuse_special(path)
            with tempfile.TemporaryFile(dir=path.parent) as whole:
                yield whole
                whole.seek(0)
                write_text(path, whole.read().decode("latin-1"))
            return
        with new_file(path) as file:
            if path.suffix.lower() == ".gz":
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
                    yield zipped
            else:
                yield file
    except OSError as error:
        raise not_written(path, error) from error
