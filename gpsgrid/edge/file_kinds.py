"""The kind of a file on disk, compression undone, without ever holding the file."""

from pathlib import Path

from stations.edge.byte_source import chunks_of
from stations.file_kind import LOOKED_AT, FileKind, kind_of
from stations.wire.framing import FrameBuffer

_ENOUGH = 2  # frames; random bytes hold one every 2^38 or so, see kind_of


def kind_of_file(path: Path) -> FileKind:
    """Return the kind of a file by its content.

    Where its beginning tells nothing, RTCM 3 frames are looked for to its end: a recording may begin with megabytes of
    zeros or of something else.

    Raises:
        GpsgridError: It cannot be read.
    """
    chunks = chunks_of(path)
    head = b""
    kind = FileKind.UNKNOWN
    for data in chunks:
        first = not head
        head += data
        # Nearly every kind shows in the first piece already.
        if first:
            kind = kind_of(head)
        if kind is not FileKind.UNKNOWN or len(head) >= LOOKED_AT:
            break
    if not head:
        return FileKind.EMPTY
    if kind is FileKind.UNKNOWN:
        kind = kind_of(head)
    if kind is not FileKind.UNKNOWN:
        return kind
    frames = FrameBuffer()
    frames.push(head)
    for data in chunks:
        frames.push(data)
        if frames.frames >= _ENOUGH:
            return FileKind.RTCM3
    return FileKind.UNKNOWN
