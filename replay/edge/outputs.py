"""Tracks to disk, in the formats that their suffixes say, and truth from disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from replay.track import TrackRow, write_geojson, write_pos, write_track
from replay.truth import Truth, read_truth
from stations.edge.files import read_bytes
from stations.errors import GpsgridError, Reason

_WRITERS: dict[str, Callable[[Sequence[TrackRow], str], str]] = {
    ".csv": lambda rows, _: write_track(rows),
    ".pos": lambda rows, _: write_pos(rows),
    ".geojson": write_geojson,
}


def check_outputs(paths: Sequence[Path]) -> None:
    """Check that files can be written, before minutes are spent on what goes into them.

    Raises:
        GpsgridError: ``BAD_CONFIG``, unknown suffix; ``MISSING_FILE``, no such folder, or it is a folder itself.
    """
    for path in paths:
        if path.suffix.lower() not in _WRITERS:
            message = f"{path}: tracks are written as {', '.join(_WRITERS)}, not {path.suffix or 'without a suffix'}"
            raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))
        if not path.parent.is_dir():
            message = f"{path}: folder {path.parent} does not exist; create it, or write somewhere else"
            raise GpsgridError(Reason.MISSING_FILE, message, file=str(path))
        if path.is_dir():
            message = f"{path} is a folder; name a file in it, for instance {path / 'track.csv'}"
            raise GpsgridError(Reason.MISSING_FILE, message, file=str(path))


def write_outputs(rows: Sequence[TrackRow], paths: Sequence[Path], frame: str) -> None:
    """Write a track as every one of the files.

    Args:
        rows: All epochs.
        paths: As :func:`check_outputs` accepted them.
        frame: Frame of the positions.

    Raises:
        GpsgridError: ``MISSING_FILE``, a file cannot be written.
    """
    for path in paths:
        try:
            path.write_text(_WRITERS[path.suffix.lower()](rows, frame), encoding="utf-8", newline="\n")
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror}"
            raise GpsgridError(Reason.MISSING_FILE, message, file=str(path)) from error


def read_truth_file(path: Path) -> Truth:
    """Read a truth file.

    Raises:
        GpsgridError: ``MISSING_FILE`` or ``BROKEN_FILE``.
    """
    return read_truth(read_bytes(path, "--truth").decode("utf-8", errors="replace"), str(path))
