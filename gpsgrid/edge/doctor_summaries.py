"""Files that ``gpsgrid doctor`` only summarises: orbits, clocks, antennas, coordinates, positions, sourcetables."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stations import gpstime
from stations.edge.files import load_antex, load_clocks, load_coordinates, load_orbits, load_solutions, read_data
from stations.edge.host_time import gps_now_ns
from stations.errors import GpsgridError, Reason
from stations.file_kind import FileKind
from stations.frames import geodetic_from_ecef
from stations.nmea import Gga, parse_sentence
from stations.plural import counted
from stations.signals import satellite_name
from stations.sourcetable import parse_sourcetable

Facts = tuple[tuple[str, str], ...]

_SHOWN = 20


def span(first_ns: int, last_ns: int) -> str:
    """Return two times as words."""
    return f"{gpstime.to_iso(first_ns)[:19]} to {gpstime.to_iso(last_ns)[:19]} (GPS time)"


def nothing_in(path: Path, found: str) -> GpsgridError:
    """Return the error for a file of a known kind without content: ``found`` is what is there and what is not."""
    message = f"{path}: {found}; expected at least one; is it cut off, or was nothing recorded? Fetch or make it again"
    return GpsgridError(Reason.BROKEN_FILE, message, file=str(path))


def _sp3(path: Path) -> Facts:
    orbits = load_orbits(path)
    if not len(orbits.time_ns) or not len(orbits.satellite):
        raise nothing_in(path, "an SP3 header and no satellites at any epoch")
    names = [satellite_name(satellite) for satellite in orbits.satellite.tolist()]
    systems = Counter(name[0] for name in names)
    return (
        ("satellites", ", ".join(f"{count} {letter}" for letter, count in sorted(systems.items()))),
        ("epochs", f"{len(orbits.time_ns)}, {span(int(orbits.time_ns[0]), int(orbits.time_ns[-1]))}"),
    )


def _antex(path: Path) -> Facts:
    table = load_antex(path)
    if not table.calibrations and not table.satellites:
        raise nothing_in(path, "an ANTEX header and no antennas")
    relative = f"relative to {table.reference_antenna}" if table.reference_antenna else "relative"
    own = sum(bool(one.serial) for one in table.calibrations)
    return (
        ("calibrations", "absolute" if table.absolute else relative),
        ("receiver antennas", f"{len(table.calibrations)}, of these {own} for one serial number"),
        ("satellite antennas", str(len(table.satellites))),
    )


def _clock(path: Path) -> Facts:
    clocks = load_clocks(path)
    if not len(clocks.satellites) and not len(clocks.receivers):
        raise nothing_in(path, "a RINEX clock header and no clocks")
    return (("satellites", str(len(clocks.satellites))), ("receivers", str(len(clocks.receivers))))


def _sinex(path: Path) -> Facts:
    table = load_coordinates(path)
    names = list(dict.fromkeys(entry.station for entry in table.entries))
    if not names:
        raise nothing_in(path, "a SINEX header and no station coordinates")
    more = " ..." if len(names) > _SHOWN else ""
    return (("stations", f"{len(names)}: {' '.join(names[:_SHOWN])}{more}"),)


def _nmea(path: Path) -> Facts:
    counts: Counter[str] = Counter()
    qualities: Counter[int] = Counter()
    places = []
    for line in read_data(path).splitlines():
        try:
            sentence = parse_sentence(line.strip(), gps_now_ns())
        except GpsgridError:
            counts["broken"] += bool(line.strip())
            continue
        counts["other" if sentence is None else type(sentence).__name__.upper()] += 1
        if isinstance(sentence, Gga):
            qualities[sentence.quality] += 1
            if np.isfinite(sentence.latitude_rad):
                places.append((np.degrees(sentence.latitude_rad), np.degrees(sentence.longitude_rad)))
    if not counts.keys() - {"broken"}:
        raise nothing_in(path, f"{counted(counts['broken'], 'broken NMEA line')} and no whole sentence")
    facts = [("sentences", ", ".join(f"{count} {name}" for name, count in counts.items()))]
    if qualities:
        words = {0: "none", 1: "single", 2: "differential", 4: "fixed", 5: "float"}
        shown = (f"{count} {words.get(quality, str(quality))}" for quality, count in sorted(qualities.items()))
        facts.append(("positions", ", ".join(shown)))
    if places:
        latitude, longitude = np.median(np.array(places), axis=0).tolist()
        facts.append(("middle", f"{latitude:.6f} N {longitude:.6f} E (degrees)"))
    return tuple(facts)


def _positions(path: Path) -> Facts:
    found = load_solutions(path)
    if not len(found):
        raise nothing_in(path, "a header and no positions")
    words = {1: "fixed", 2: "float", 3: "SBAS", 4: "differential", 5: "single", 6: "PPP"}
    qualities = sorted(Counter(found.quality.tolist()).items())
    latitude, longitude, height_m = geodetic_from_ecef(np.median(found.position_m, axis=0)).tolist()
    return (
        ("positions", ", ".join(f"{count} {words.get(quality, str(quality))}" for quality, count in qualities)),
        ("time", span(int(found.time_ns[0]), int(found.time_ns[-1]))),
        ("middle", f"{np.degrees(latitude):.7f} N {np.degrees(longitude):.7f} E, {height_m:.2f} m"),
    )


def _sourcetable(path: Path) -> Facts:
    table = parse_sourcetable(read_data(path))
    if not table.streams and not table.casters:
        raise nothing_in(path, "a sourcetable and no mountpoints")
    return (("mountpoints", str(len(table.streams))), ("casters", str(len(table.casters))))


SUMMARIES: dict[FileKind, Callable[[Path], Facts]] = {
    FileKind.SP3: _sp3,
    FileKind.ANTEX: _antex,
    FileKind.RINEX_CLOCK: _clock,
    FileKind.SINEX: _sinex,
    FileKind.NMEA: _nmea,
    FileKind.SOLUTIONS: _positions,
    FileKind.SOURCETABLE: _sourcetable,
}
