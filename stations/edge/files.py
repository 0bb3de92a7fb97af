"""Files from disk: text whatever the compression, and the readers of ``stations`` applied to it."""

import contextlib
import errno
import gzip
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import hatanaka

from stations.antex import AntennaTable, read_antex
from stations.coordinates import CoordinateTable, read_coordinates
from stations.edge.new_file import new_file
from stations.errors import GpsgridError, Reason
from stations.navigation_kinds import Ephemeris
from stations.rinex_clock import PreciseClocks, read_clocks
from stations.rinex_nav import merge_ephemerides, read_navigation_file
from stations.rinex_obs import ALL_SYSTEMS, RinexObservations, splice_observations
from stations.sinex import read_sinex
from stations.solution_file import Solutions, read_solutions
from stations.sp3 import PreciseOrbits, read_sp3

_GLOB_CHARACTERS = "*?["
_ZIP = b"PK\x03\x04"
_PACKED = (b"\x1f\x8b", b"\x1f\x9d", b"BZh", _ZIP)  # gzip, compress, bzip2, zip
_HATANAKA = b"COMPACT RINEX"
_TRUNCATED = "truncated in the middle"
_LONGEST_EPOCH = 150  # lines: as many satellites and some
_HATANAKA_SUFFIX = re.compile(r"\.\d\dd")
_ADVICE = {
    errno.EISDIR: "it is a folder where a file is expected: name a file in it",
    errno.ENOTDIR: "a part of the path is a file and no folder: correct the path",
    errno.EACCES: "change its permissions, or name another file",
    errno.EPERM: "change its permissions, or name another file",
    errno.EROFS: "the disk is read-only: name a file on another one",
    errno.ENOSPC: "the disk is full: make room, or name a file on another one",
    errno.ESPIPE: "it is a pipe and has to be read more than once: write it into a file first",
}


def read_text(path: str | Path, referred_by: str = "") -> str:
    """Return the text of a file; gzip, bzip2, zip, Unix compress and Hatanaka are undone, by content.

    Args:
        path: The file.
        referred_by: Who needs it, for the message, for instance ``night.toml, station DELF``.

    Raises:
        GpsgridError: ``MISSING_FILE``, or ``BROKEN_FILE`` when the compression is damaged.
    """
    # RINEX counts columns in bytes; in Latin-1 one byte is one character.
    return read_data(path, referred_by).decode("latin-1")


def read_data(path: str | Path, referred_by: str = "") -> bytes:
    """Return the bytes of a file without its compression, as :func:`read_text` their characters.

    Raises:
        GpsgridError: As :func:`read_text`.
    """
    data = read_bytes(Path(path), referred_by)
    try:
        files = len(zipfile.ZipFile(io.BytesIO(data)).namelist()) if data.startswith(_ZIP) else 1
        if files == 1 and (data.startswith(_PACKED) or _HATANAKA in data[:80]):
            return _without_hatanaka(data)
    except Exception as error:  # zlib, zipfile and the RNXCMP programs have one exception family each
        message = f"{path}: cannot be decompressed ({error}); is it cut off? Fetch it again"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path)) from error
    if files != 1:
        message = f"{path}: an archive of {files} files where one is expected; unpack it and name the files in it"
        raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path))
    return data


def _without_hatanaka(data: bytes) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it warns of epochs that it leaves out
        try:
            return bytes(hatanaka.decompress(data))
        except hatanaka.HatanakaException as error:
            compact = gzip.decompress(data) if data.startswith(_PACKED[0]) else data
            if _TRUNCATED not in str(error) or _HATANAKA not in compact[:80]:
                raise
            return _whole_epochs(compact, error)


def _whole_epochs(compact: bytes, error: Exception) -> bytes:
    """Return the epochs of a Hatanaka file that stops within one, and a line for which its reader says so.

    Where an epoch begins cannot be seen, but a file that ends behind one is understood.
    """
    lines = compact.splitlines(keepends=True)
    for kept in range(len(lines) - 1, max(len(lines) - _LONGEST_EPOCH, 0), -1):
        with contextlib.suppress(hatanaka.HatanakaException):
            return bytes(hatanaka.crx2rnx(b"".join(lines[:kept]))) + b"> half an epoch"
    raise error


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
        message = f"file {path}{needed} cannot be read: {error.strerror or error}; {advice_on(error)}"
    raise GpsgridError(Reason.MISSING_FILE, message, file=str(path), referred_by=referred_by)


def write_text(path: str | Path, text: str) -> None:
    """Write a text, Hatanaka-compressed and gzipped as the suffix says.

    ``.gz`` gzips; ``.crx`` and RINEX 2 names such as ``.21d`` are Hatanaka, alone or before ``.gz``.

    Args:
        path: The file; it is there completely or not at all.
        text: What to write, in Latin-1.

    Raises:
        GpsgridError: ``BROKEN_FILE``, the text cannot be Hatanaka-compressed because it is no RINEX observation file,
            or ``MISSING_FILE``, the folder does not exist or must not be written to, or the file is a pipe or device.
    """
    path = Path(path)
    data = text.encode("latin-1", "replace")
    packed = path.suffix.lower() == ".gz"
    if is_hatanaka(path):
        try:
            data = bytes(hatanaka.rnx2crx(data))
        except Exception as error:  # the RNXCMP programs have one exception family, and their own exit codes
            message = f"{path}: cannot be Hatanaka-compressed ({error}); only RINEX observation files can"
            raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path)) from error
    if packed:
        data = gzip.compress(data, mtime=0)  # without the time, so that equal contents are equal bytes
    try:
        with new_file(path) as file:
            file.write(data)
    except OSError as error:
        raise not_written(path, error) from error


def not_written(path: Path, error: OSError) -> GpsgridError:
    """Return the error for a file that cannot be written, with what to do about it."""
    advice = advice_on(error) if error.errno != errno.ENOENT else f"make the folder {path.parent} or name another"
    message = f"file {path} cannot be written: {error.strerror or error}; {advice}"
    return GpsgridError(Reason.MISSING_FILE, message, file=str(path))


def advice_on(error: OSError) -> str:
    """Return what to do about a file that the system does not give."""
    return _ADVICE.get(error.errno or 0, "check the path and the disk, or name another file")


def is_hatanaka(path: str | Path) -> bool:
    """Return whether the name of a file says that it is Hatanaka-compressed: ``.crx`` or ``.21d``, ``.gz`` aside."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    inner = suffixes[-2:-1] if suffixes[-1:] == [".gz"] else suffixes[-1:]
    return bool(inner) and (inner[0] == ".crx" or _HATANAKA_SUFFIX.fullmatch(inner[0]) is not None)


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


def load_observations(
    paths: Iterable[str | Path],
    referred_by: str = "",
    systems: str = ALL_SYSTEMS,
    known_channels: Mapping[int, int] | None = None,
) -> RinexObservations:
    """Read the RINEX observation files of one station and join them in time order.

    Args:
        paths: The files.
        referred_by: As in :func:`read_text`.
        systems: Letters of the satellite systems that are wanted.
        known_channels: As in :func:`stations.rinex_obs.splice_observations`.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.rinex_obs.read_observations`.
    """
    return splice_observations([(read_data(path, referred_by), str(path)) for path in paths], systems, known_channels)


def load_navigation(paths: Iterable[str | Path], referred_by: str = "", systems: str = ALL_SYSTEMS) -> list[Ephemeris]:
    """Read RINEX navigation files; an ephemeris that several files have comes once.

    Args:
        paths: The files.
        referred_by: As in :func:`read_text`.
        systems: Letters of the satellite systems that are wanted.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.rinex_nav.read_navigation_file`.
    """
    files = (read_navigation_file(read_text(path, referred_by), str(path), systems) for path in paths)
    return merge_ephemerides(file.ephemerides for file in files)


def load_antex(path: str | Path, referred_by: str = "") -> AntennaTable:
    """Read an ANTEX file.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.antex.read_antex`.
    """
    return read_antex(read_text(path, referred_by), str(path))


def load_orbits(path: str | Path, referred_by: str = "") -> PreciseOrbits:
    """Read an SP3 file.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.sp3.read_sp3`.
    """
    return read_sp3(read_data(path, referred_by), str(path))


def load_clocks(path: str | Path, referred_by: str = "") -> PreciseClocks:
    """Read a RINEX clock file.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.rinex_clock.read_clocks`.
    """
    return read_clocks(read_data(path, referred_by), str(path))


def load_coordinates(path: str | Path, referred_by: str = "") -> CoordinateTable:
    """Read station coordinates: TOML if the file is called so, SINEX otherwise.

    Raises:
        GpsgridError: As :func:`read_text`, :func:`stations.sinex.read_sinex` and
            :func:`stations.coordinates.read_coordinates`.
    """
    data = read_data(path, referred_by)
    if Path(path).suffix.lower() == ".toml":
        return read_coordinates(data.decode("utf-8", "replace"), str(path))
    return read_sinex(data, str(path))


def load_solutions(path: str | Path, referred_by: str = "") -> Solutions:
    """Read positions in RTKLIB's format.

    Raises:
        GpsgridError: As :func:`read_text` and :func:`stations.solution_file.read_solutions`.
    """
    return read_solutions(read_data(path, referred_by), str(path))
