"""The report of a conversion in plain words."""

from collections.abc import Iterator

from stations.conversion_report import ConversionReport
from stations.gpstime import to_iso

SYSTEM_NAMES = {
    "G": "GPS",
    "R": "GLONASS",
    "E": "Galileo",
    "S": "SBAS",
    "J": "QZSS",
    "C": "BeiDou",
    "I": "NavIC",
}


def words_of(report: ConversionReport) -> Iterator[str]:
    """Yield the lines of a report."""
    if report.epochs:
        spacing = "" if report.interval_s is None else f", every {report.interval_s:g} s"
        yield (
            f"{report.epochs} epochs from {to_iso(report.first_ns)} to {to_iso(report.last_ns)} (GPS time){spacing}, "
            f"{report.observations} observations"
        )
    for letter, names in report.satellites.items():
        signals = " ".join(report.signals.get(letter, ()))
        yield f"  {SYSTEM_NAMES[letter]}: {len(names)} satellites ({names[0]} to {names[-1]}), signals {signals}"
    if report.ephemerides:
        each = ", ".join(f"{count} {SYSTEM_NAMES[letter]}" for letter, count in report.ephemerides.items())
        yield f"{sum(report.ephemerides.values())} ephemerides: {each}"
    if not report.epochs and not report.ephemerides:
        yield "nothing was written: there are neither observations nor ephemerides"
    yield "left out: nothing" if not report.left_out else "left out:"
    for reason, count in report.left_out:
        yield f"  {count} {reason}"
    for note in report.notes:
        yield f"note: {note}"
