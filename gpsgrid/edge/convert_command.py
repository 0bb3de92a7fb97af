"""``gpsgrid convert``: RTCM 3 to RINEX and back, and RINEX of any version to RINEX 3.04; kinds of files from content
and suffix. What is decided stands in ``stations``; here files are opened and people are told what happened.
"""  # noqa: D205 - one sentence

import datetime as dt
import os
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gpsgrid.edge.convert_rtcm import ConvertOptions, created_now, from_rtcm
from gpsgrid.edge.convert_words import words_of
from gpsgrid.edge.file_kinds import kind_of_file
from gpsgrid.edge.foreign_files import FOREIGN
from stations.conversion_report import ConversionReport, Tally
from stations.edge.byte_source import writing
from stations.edge.files import load_observations, read_text
from stations.errors import GpsgridError, Reason
from stations.file_kind import FileKind
from stations.glonass_channels import channels_of
from stations.navigation_kinds import Ephemeris
from stations.rinex_nav import NavigationFile, merge_ephemerides, read_navigation_file
from stations.rinex_nav_writer import write_navigation
from stations.rinex_obs_writer import ObservationWriter
from stations.rinex_to_rinex import description_of, usable_epochs, writable_ephemerides
from stations.rinex_to_rtcm import RinexToRtcm, encode_navigation

_OBSERVATION = re.compile(r"\.(rnx|obs|crx|\d\d[od])", re.IGNORECASE)
_NAVIGATION = re.compile(r"\.(nav|\d\d[nglphq])", re.IGNORECASE)
_LONG_NAVIGATION = re.compile(r"_[GRECJISM]N\.rnx", re.IGNORECASE)  # RINEX 3 names: ..._MN.rnx
_RTCM = (".rtcm3", ".rtcm")
_STREAM_TO_OBSERVATIONS = (FileKind.RTCM3, FileKind.RINEX_OBSERVATION)
_OBSERVATIONS_TO_STREAM = (FileKind.RINEX_OBSERVATION, FileKind.RTCM3)
_LONGEST_MARKER = 60  # RINEX 3.04, table A2
_FORMS = (
    "expected .rnx, .obs or .21o (observations), .crx or .21d (Hatanaka), .nav, .21n or ..._MN.rnx (navigation), "
    "or .rtcm3; .gz may follow"
)


def convert(source: Path, target: Path, options: ConvertOptions, console: Console) -> ConversionReport:
    """Convert one file and tell what happened.

    Raises:
        GpsgridError: A file cannot be read or written, is of a kind that cannot be converted, or nobody knows its date.
    """
    _refuse_the_marker(options.marker)
    _refuse_the_same_file({"IN": source, "OUT": target, "--navigation": options.navigation})
    kind, wanted = _convertible_kind(source), _wanted(target)
    _refuse_idle_navigation(options.navigation, (kind, wanted))
    _refuse_idle_options(options, (kind, wanted))
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        report = _converted(source, target, (kind, wanted), options, progress)
    for line in words_of(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return report


def _converted(
    source: Path, target: Path, kinds: tuple[FileKind, FileKind], options: ConvertOptions, progress: Progress
) -> ConversionReport:
    match kinds:
        case (FileKind.RTCM3, FileKind.RINEX_OBSERVATION):
            return from_rtcm(source, target, options.navigation, options, progress)
        case (FileKind.RTCM3, FileKind.RINEX_NAVIGATION):
            return from_rtcm(source, None, target, options, progress)
        case (FileKind.RINEX_OBSERVATION, FileKind.RTCM3):
            return _to_rtcm(source, target, options, progress)
        case (FileKind.RINEX_OBSERVATION, FileKind.RINEX_OBSERVATION):
            return _observations(source, target, progress)
        case (FileKind.RINEX_NAVIGATION, FileKind.RTCM3):
            return _navigation_to_rtcm(source, target)
        case (FileKind.RINEX_NAVIGATION, FileKind.RINEX_NAVIGATION | FileKind.RINEX_OBSERVATION) if _holds_navigation(
            target
        ):
            return _navigation(source, target)
    message = f"{source} is {kinds[0].value}, which cannot become {target.name} ({kinds[1].value}); {_FORMS}"
    raise GpsgridError(Reason.BROKEN_FILE, message, file=str(source))


def _refuse_the_marker(marker: str) -> None:
    """Refuse what the header line of the marker cannot hold; cut or replaced it would be another name."""
    wrong = next((character for character in marker if not (character.isascii() and character.isprintable())), None)
    if wrong is not None:
        found = f"{wrong!r} is in it"
    elif len(marker) > _LONGEST_MARKER:
        found = f"it has {len(marker)} characters"
    elif marker and not marker.strip():
        found = "it is blank"
    else:
        return
    message = f"--marker {marker!r}: {found}; expected 1 to {_LONGEST_MARKER} printable ASCII characters, as RINEX has"
    raise GpsgridError(Reason.BAD_CONFIG, message, marker=marker)


def _refuse_the_same_file(files: dict[str, Path | None]) -> None:
    """Refuse files that are one, by whatever names and links: what is written would take the place of what is read."""
    given = [(role, path) for role, path in files.items() if path is not None]
    for (role, path), (other_role, other) in combinations(given, 2):
        if _same(path, other):
            message = f"{role} {path} and {other_role} {other} are the same file; name another file to write to"
            raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return os.path.realpath(one) == os.path.realpath(other)


def _convertible_kind(path: Path) -> FileKind:
    kind = kind_of_file(path)
    if kind in {FileKind.RTCM3, FileKind.RINEX_OBSERVATION, FileKind.RINEX_NAVIGATION}:
        return kind
    advice = FOREIGN.get(kind, "these cannot be converted; gpsgrid doctor says what is in it")
    looks = "its content is of no known kind" if kind is FileKind.UNKNOWN else f"it looks like: {kind.value}"
    message = f"{path} is neither RTCM 3 nor a RINEX observation or navigation file ({looks}); {advice}"
    raise GpsgridError(Reason.BROKEN_FILE, message, file=str(path))


def _wanted(path: Path) -> FileKind:
    name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    suffix = Path(name).suffix
    if suffix.lower() in _RTCM:
        return FileKind.RTCM3
    if _NAVIGATION.fullmatch(suffix) or _LONG_NAVIGATION.search(name):
        return FileKind.RINEX_NAVIGATION
    if _OBSERVATION.fullmatch(suffix):
        return FileKind.RINEX_OBSERVATION
    message = f"{path}: the suffix does not say what to write; {_FORMS}"
    raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))


def _holds_navigation(path: Path) -> bool:
    """Return whether a name may hold a navigation file: ``.rnx`` says nothing about what is inside."""
    return _wanted(path) is FileKind.RINEX_NAVIGATION or path.name.lower().endswith((".rnx", ".rnx.gz"))


def _refuse_idle_navigation(path: Path | None, kinds: tuple[FileKind, FileKind]) -> None:
    """Refuse ``--navigation`` where nothing would come of it, and names of it that say something else."""
    if path is None or kinds == _OBSERVATIONS_TO_STREAM:
        return
    if kinds != _STREAM_TO_OBSERVATIONS:
        message = (
            f"--navigation {path} is not used from {kinds[0].value} to {kinds[1].value}: it goes with RTCM 3 to "
            f"observations, or observations to RTCM 3; leave it out"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))
    if not _holds_navigation(path):
        message = (
            f"--navigation {path}: a navigation file is written there; "
            f"expected .nav, .21n, ..._MN.rnx or .rnx; .gz may follow"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message, file=str(path))


def _refuse_idle_options(options: ConvertOptions, kinds: tuple[FileKind, FileKind]) -> None:
    """Refuse options that this conversion would leave aside: whoever gives one expects something of it."""
    source, target = kinds
    plain = ConvertOptions()
    idle = {
        f"--date {options.date}": options.date != plain.date and source is not FileKind.RTCM3,
        f"--marker {options.marker}": options.marker != plain.marker and kinds != _STREAM_TO_OBSERVATIONS,
        f"--msm {options.level}": options.level != plain.level and kinds != _OBSERVATIONS_TO_STREAM,
        f"--station {options.station_number}": (
            options.station_number != plain.station_number and kinds != _OBSERVATIONS_TO_STREAM
        ),
    }
    given = ", ".join(name for name, left_aside in idle.items() if left_aside)
    if given:
        message = (
            f"{given}: not used from {source.value} to {target.value}; --date belongs to RTCM 3, --marker to RTCM 3 to "
            f"observations, --msm and --station to observations to RTCM 3; leave it out"
        )
        raise GpsgridError(Reason.BAD_CONFIG, message)


def _to_rtcm(source: Path, target: Path, options: ConvertOptions, progress: Progress) -> ConversionReport:
    ephemerides: list[Ephemeris] = []
    left_out: Counter[str] = Counter()
    if options.navigation is not None:
        ephemerides, left_out = _load_navigation(options.navigation)
    # Headers of RINEX 2 name no GLONASS channels, and without them no phase can be sent.
    observations = load_observations([source], known_channels=channels_of(ephemerides))
    if not observations.epochs:
        raise _no_observations(source)
    conversion = RinexToRtcm(observations, ephemerides, station_number=options.station_number, level=options.level)
    conversion.tally.left_out.update(left_out)
    task = progress.add_task("writing", total=max(len(observations.epochs), 1))
    with writing(target) as sink:
        for frames in conversion.frames():
            sink.write(frames)
            progress.advance(task)
        if not conversion.tally.contents.signals:
            message = f"{source}: MSM can carry none of its observations; gpsgrid doctor says what is in it"
            raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=str(source))
    return conversion.report()


def _observations(source: Path, target: Path, progress: Progress) -> ConversionReport:
    observations, tally = load_observations([source]), Tally()
    epochs = usable_epochs(observations, tally)
    if not epochs:
        raise _no_observations(source)
    writer = ObservationWriter(
        description_of(observations),
        tally.contents,
        phase_shifts=observations.phase_shifts,
        created=created_now(),
    )
    task = progress.add_task("writing", total=len(epochs))
    with writing(target) as sink:
        sink.write(writer.header.encode("latin-1", "replace"))
        for epoch, offset_s in zip(epochs, observations.clock_offset_s.tolist(), strict=True):
            sink.write(writer.epoch(epoch, offset_s).encode("ascii"))
            progress.advance(task)
    return tally.report()


def _navigation(source: Path, target: Path) -> ConversionReport:
    found, tally = read_navigation_file(read_text(source), str(source)), Tally()
    tally.left_out.update(_skipped_records(found))
    usable = writable_ephemerides(found.ephemerides, tally)
    if not usable:
        raise _no_ephemerides(source, tally)
    tally.navigation(usable)
    with writing(target) as sink:
        sink.write(write_navigation(usable, dt.datetime.now(dt.UTC)).encode("ascii"))
    return tally.report()


def _navigation_to_rtcm(source: Path, target: Path) -> ConversionReport:
    tally = Tally()
    ephemerides, left_out = _load_navigation(source)
    tally.left_out.update(left_out)
    with writing(target) as sink:
        for frame in encode_navigation(ephemerides, tally):
            sink.write(frame)
        if not tally.ephemerides:
            raise _no_ephemerides(source, tally)
    return tally.report()


def _no_observations(source: Path) -> GpsgridError:
    message = f"{source} has a header and no observations; is it cut off? Fetch or record it again"
    return GpsgridError(Reason.NO_OBSERVATIONS, message, file=str(source))


def _no_ephemerides(source: Path, tally: Tally) -> GpsgridError:
    message = f"{source} has no ephemerides that can be written; is it cut off? Fetch it again"
    return GpsgridError(Reason.NO_EPHEMERIS, message, file=str(source), skipped=dict(tally.left_out))


def _load_navigation(path: Path) -> tuple[list[Ephemeris], Counter[str]]:
    """Return the ephemerides to send, each upload once, and what of the file is not among them."""
    found = read_navigation_file(read_text(path), str(path))
    merged = merge_ephemerides([found.ephemerides])
    left_out = _skipped_records(found)
    left_out["ephemerides that come again with the same issue and reference time"] = len(found.ephemerides) - len(
        merged
    )
    return merged, left_out


def _skipped_records(found: NavigationFile) -> Counter[str]:
    return Counter({f"records {kind}": count for kind, count in found.skipped.items()})
