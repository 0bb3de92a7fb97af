"""The report of a conversion in plain words."""

from collections.abc import Iterator

from stations.conversion_report import ConversionReport
from stations.gpstime import to_iso
from stations.plural import counted

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
            f"{counted(report.epochs, 'epoch')} from {to_iso(report.first_ns)} to {to_iso(report.last_ns)} "
            f"(GPS time){spacing}, {counted(report.observations, 'observation')}"
        )
    for letter, names in report.satellites.items():
        signals = " ".join(report.signals.get(letter, ()))
        each = counted(len(names), "satellite")
        yield f"  {SYSTEM_NAMES[letter]}: {each} ({names[0]} to {names[-1]}), signals {signals}"
    if report.ephemerides:
        each = ", ".join(f"{count} {SYSTEM_NAMES[letter]}" for letter, count in report.ephemerides.items())
        yield f"{counted(sum(report.ephemerides.values()), 'ephemeris', 'ephemerides')}: {each}"
    if not report.epochs and not report.ephemerides:
        yield "nothing was written: there are neither observations nor ephemerides"
    yield "left out: nothing" if not report.left_out else "left out:"
    for reason, count in report.left_out:
        yield f"  {reason}: {count}"
    for note in report.notes:
        yield f"note: {note}"
