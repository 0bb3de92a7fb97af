"""From RTCM 3 to RINEX on disk, in passes: what is in the stream, then writing it; never the whole of it in memory."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress, TaskID

from stations import gpstime
from stations.conversion_report import ConversionReport, Tally
from stations.edge.byte_source import chunks_of, writing
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason
from stations.navigation_kinds import Ephemeris
from stations.rinex_nav_writer import write_navigation
from stations.rinex_obs_writer import ObservationWriter
from stations.rinex_to_rinex import writable_ephemerides
from stations.rtcm_to_rinex import RtcmToRinex
from stations.stream_date import StreamDate, better_date, date_of
from stations.wire.framing import FrameBuffer

_NOON = 12
_FIRST_DAY = dt.date(1980, 1, 6)
_LAST_DAY = dt.date(2099, 12, 31)


@dataclass(frozen=True)
class ConvertOptions:
    """What the command line says beside the files.

    Attributes:
        navigation: Navigation file: written from RTCM 3, read for RTCM 3.
        date: Day of the recording, ``YYYY-MM-DD``; empty to take it from the stream.
        level: Of the MSM written.
        station_number: Written into RTCM 3.
        marker: Marker name written into RINEX; empty for the number of the station.
    """

    navigation: Path | None = None
    date: str = ""
    level: int = 7
    station_number: int = 0
    marker: str = ""


def from_rtcm(
    source: Path, target: Path | None, navigation: Path | None, options: ConvertOptions, progress: Progress
) -> ConversionReport:
    """Convert a stream to an observation file, a navigation file, or both.

    Raises:
        GpsgridError: Nobody knows the date, there are no observations, or a file cannot be read or written.
    """
    near_ns, date = start_of(source, options.date)
    task = progress.add_task("reading", total=(1 if target is None else 2) * max(source.stat().st_size, 1))
    seen = _seen(source, near_ns, progress, task)
    if options.date:
        check_day(source, options.date, seen.first_dated_ns, seen.last_dated_ns)
    if date is not None and not date.certain:
        seen.tally.note(f"the week comes from message {date.source}, modulo 1024 weeks; --date settles it")
    if target is not None:
        if not seen.tally.contents.epochs:
            message = f"{source} has no observations; for its ephemerides name a navigation file (.nav)"
            raise GpsgridError(Reason.NO_OBSERVATIONS, message, file=str(source))
        progress.update(task, description="writing")
        again = RtcmToRinex(source.name, near_ns, seen.reader.feed.channels)
        _write_observations(_watched(source, progress, task), target, again, seen, options.marker)
    if navigation is not None and not seen.ephemerides:
        message = f"{navigation} was not written: {source} has no ephemerides; take them from another station"
        if target is None:
            raise GpsgridError(Reason.NO_EPHEMERIS, message, file=str(source))
        seen.tally.note(message)
    elif navigation is not None:
        _write_navigation(navigation, seen.ephemerides, seen.tally)
    elif seen.ephemerides:
        seen.tally.note("its ephemerides were not asked for; --navigation OUT.nav writes them, too")
    return seen.report()


def start_of(source: Path, date: str) -> tuple[int, StreamDate | None]:
    """Return a time near the observations of a stream, and the message that told it unless the user did.

    Args:
        source: The file.
        date: ``YYYY-MM-DD``, or empty.

    Raises:
        GpsgridError: ``BAD_CONFIG`` for a date that is none or out of range, ``BROKEN_FILE`` when no message tells one.
    """
    if date:
        try:
            day = dt.date.fromisoformat(date)
        except ValueError:
            message = f"--date {date!r}: expected YYYY-MM-DD, for instance 2026-03-01"
            raise GpsgridError(Reason.BAD_CONFIG, message) from None
        if not _FIRST_DAY <= day <= _LAST_DAY:
            message = f"--date {date}: expected {_FIRST_DAY} (GPS time begins) to {_LAST_DAY}; give the recording's day"
            raise GpsgridError(Reason.BAD_CONFIG, message, date=date)
        return gpstime.from_calendar(day.year, day.month, day.day, _NOON), None
    found = date_in(source)
    if found is None:
        message = (
            f"{source}: no message tells the week of its observations (ephemerides, 1013 and 1029 would); "
            f"add --date YYYY-MM-DD, the day of the recording"
        )
        raise GpsgridError(Reason.BROKEN_FILE, message, file=str(source))
    return found.near_ns, found


def date_in(source: Path) -> StreamDate | None:
    """Return what the messages of a file say about its date; reads no further than needed."""
    frames, now_ns, found = FrameBuffer(), gps_now_ns(), None
    for data in chunks_of(source):
        for payload in frames.push(data):
            found = better_date(found, date_of(payload, now_ns))
        if found is not None and found.certain:
            break
    return found


def created_now() -> str:
    """Return the date of a file that is made now, as RINEX wants it."""
    return dt.datetime.now(dt.UTC).strftime("%Y%m%d %H%M%S UTC")


def _seen(source: Path, near_ns: int, progress: Progress, task: TaskID) -> RtcmToRinex:
    seen = RtcmToRinex(source.name, near_ns)
    _run_through(seen, _watched(source, progress, task))
    if seen.reader.feed.unknown_channels:
        # The channels came behind the first phases that need them; now they are known from the beginning.
        seen = RtcmToRinex(source.name, near_ns, seen.reader.feed.channels)
        _run_through(seen, chunks_of(source))
    return seen


def check_day(source: Path, date: str, first_ns: int | None, last_ns: int | None) -> None:
    """Refuse a date that the day of the week in the stream contradicts.

    Args:
        source: The file.
        date: What the user says, ``YYYY-MM-DD``.
        first_ns: First epoch that told the time of week, ns of GPS time; ``None`` if none did.
        last_ns: Last such epoch.

    Raises:
        GpsgridError: ``BAD_CONFIG``, no epoch is of that day.
    """
    day_ns = gpstime.from_iso(date)
    if first_ns is None or last_ns is None or (last_ns >= day_ns and first_ns < day_ns + gpstime.NS_PER_DAY):
        return
    near = gpstime.to_iso(first_ns)[:10]
    message = (
        f"{source}: --date {date} has another day of the week than its observations, "
        f"which would be of {near}, or whole weeks before or after that; give their day"
    )
    raise GpsgridError(Reason.BAD_CONFIG, message, date=date, nearest=near)


def _run_through(conversion: RtcmToRinex, chunks: Iterator[bytes]) -> None:
    for data in chunks:
        for _ in conversion.push(data):
            pass
    for _ in conversion.finish():
        pass


def _write_observations(
    chunks: Iterator[bytes], target: Path, again: RtcmToRinex, seen: RtcmToRinex, marker: str
) -> None:
    writer = ObservationWriter(seen.description(marker), seen.tally.contents, created=created_now())
    with writing(target) as sink:
        sink.write(writer.header.encode("latin-1", "replace"))
        for data in chunks:
            for epoch in again.push(data):
                sink.write(writer.epoch(epoch).encode("ascii"))
        for epoch in again.finish():
            sink.write(writer.epoch(epoch).encode("ascii"))


def _watched(source: Path, progress: Progress, task: TaskID) -> Iterator[bytes]:
    for data in chunks_of(source):
        yield data
        progress.advance(task, len(data))


def _write_navigation(target: Path, ephemerides: list[Ephemeris], tally: Tally) -> None:
    usable = writable_ephemerides(ephemerides, tally)
    with writing(target) as sink:
        sink.write(write_navigation(usable, dt.datetime.now(dt.UTC)).encode("ascii"))
