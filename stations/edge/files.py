"""Files from disk: text whatever the compression, and the readers of ``stations`` applied to it."""

from collections.abc import Iterable
from pathlib import Path

import hatanaka

from stations.antex import AntennaTable, read_antex
from stations.errors import GpsgridError, Reason
from stations.navigation import GpsEphemeris
from stations.rinex_nav import merge_ephemerides, read_navigation
from stations.rinex_obs import RinexObservations, splice_observations

_GLOB_CHARACTERS = "*?["
_PACKED = (b"\x1f\x8b", b"\x1f\x9d", b"BZh", b"PK\x03\x04")  # gzip, compress, bzip2, zip
_HATANAKA = b"COMPACT RINEX"


def read_text(path: str | Path, referred_by: str = "") -> str:
    """Return the text of a file; gzip, bzip2, zip, Unix compress and Hatanaka are undone, by content.

    Args:
        path: The file.
        referred_by: Who needs it, for the message, for instance ``night.toml, station DELF``.

    Raises:
        GpsgridError: ``MISSING_FILE``, or ``BROKEN_FILE`` when the compression is damaged.
    """
    data = read_bytes(Path(path), referred_by)
    try:
        if data.startswith(_PACKED) or _HATANAKA in data[:80]:
            data = hatanaka.decompress(data)
    except Exception as error:  # zlib, zipfile and the RNXCMP programs have one exception family each
        message = f"{path}: cannot be decompressed ({error}); is it cut off? Fetch it again"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path)) from error
    # RINEX counts columns in bytes; in Latin-1 one byte is one character.
    return data.decode("latin-1")


def read_bytes(path: Path, referred_by: str = "") -> bytes:
    """Return a file as it is.

    Raises:
        GpsgridError: ``MISSING_FILE``, with the file and who needs it.
    """
    needed = f", needed by {referred_by}," if referred_by else ""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        message = f"file {path}{needed} does not exist; correct the path or put the file there"
    except OSError as error:
        message = f"file {path}{needed} cannot be read: {error.strerror}"
    raise GpsgridError(Reason.MISSING_FILE, message, file=str(path), referred_by=referred_by)


def expand_paths(patterns: Iterable[str], folder: str | Path = ".", referred_by: str = "") -> list[Path]:
    """Return the files that paths and globs mean, relative ones starting from a folder; a glob is sorted.

    Raises:
        GpsgridError: ``MISSING_FILE``, no file fits a glob. Plain paths are not checked here.
    """
    found = []
    for pattern in patterns:
        if not any(character in pattern for character in _GLOB_CHARACTERS):
            found.append(Path(folder) / pattern)
            continue
        start = Path(pattern)
        base = Path(start.anchor) if start.is_absolute() else Path(folder)
        fitting = sorted(base.glob(str(start.relative_to(start.anchor) if start.is_absolute() else start)))
        if not fitting:
            needed = f", needed by {referred_by}," if referred_by else ""
            message = f"no file fits {pattern!r} in {folder}{needed}; correct the pattern or put the files there"
            raise GpsgridError(Reason.MISSING_FILE, message, file=pattern, referred_by=referred_by)
        found.extend(fitting)
    return found


def load_observations(paths: Iterable[str | Path], referred_by: str = "") -> RinexObservations:
    """Read the RINEX observation files of one station and join them in time order.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.rinex_obs.read_observations`.
    """
    return splice_observations([(read_text(path, referred_by), str(path)) for path in paths])


def load_navigation(paths: Iterable[str | Path], referred_by: str = "") -> list[GpsEphemeris]:
    """Read RINEX navigation files; an ephemeris that several files have comes once.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.rinex_nav.read_navigation`.
    """
    return merge_ephemerides(read_navigation(read_text(path, referred_by), str(path)) for path in paths)


def load_antex(path: str | Path, referred_by: str = "") -> AntennaTable:
    """Read an ANTEX file.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.antex.read_antex`.
    """
    return read_antex(read_text(path, referred_by), str(path))
