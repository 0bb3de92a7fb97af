"""What the doctor says about one file or stream: facts, survey and findings together; as values and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

from gpsgrid.position_check import PositionCheck
from stations.gpstime import to_iso
from stations.sourcetable import Sourcetable
from stations.survey_findings import Finding, Severity
from stations.survey_report import SurveyReport

OK, UNUSABLE, BAD_INPUT = 0, 1, 2


@dataclass(frozen=True)
class Diagnosis:
    """One file or stream.

    Attributes:
        source: Path or URL without credentials.
        kind: What it is, in words.
        facts: Names and values, in words, for what is only summarised.
        report: Survey of observations and messages; ``None`` for other kinds.
        check: Comparison of the coordinates with the code observations; ``None`` where that was not possible.
        findings: The worst first.
        sourcetable: Of a caster without a mountpoint.
        error: Why it cannot be read; empty when it can.
    """

    source: str
    kind: str
    facts: tuple[tuple[str, str], ...] = ()
    report: SurveyReport | None = None
    check: PositionCheck | None = None
    findings: tuple[Finding, ...] = ()
    sourcetable: Sourcetable | None = None
    error: str = ""

    @property
    def status(self) -> int:
        """Exit status: 0 in order, 1 unusable for network RTK, 2 it cannot be read."""
        if self.error:
            return BAD_INPUT
        return UNUSABLE if any(one.severity is Severity.PROBLEM for one in self.findings) else OK


def as_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as what JSON can hold; times are ISO 8601 in GPS time, missing values null."""
    report, check, table = diagnosis.report, diagnosis.check, diagnosis.sourcetable
    return {
        "source": diagnosis.source,
        "kind": diagnosis.kind,
        "status": diagnosis.status,
        "error": diagnosis.error or None,
        "facts": dict(diagnosis.facts),
        "survey": None if report is None else _survey_json(report),
        "code_position": None
        if check is None
        else {
            "epochs": check.epochs,
            "position_m": check.position_m.tolist(),
            "east_m": check.east_m,
            "north_m": check.north_m,
            "up_m": check.up_m,
        },
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "mountpoints": None if table is None else [_without_nan(asdict(stream)) for stream in table.streams],
    }


def _survey_json(report: SurveyReport) -> dict[str, Any]:
    epochs = None if report.epochs is None else asdict(report.epochs)
    if epochs is not None and report.epochs is not None:
        del epochs["first_ns"], epochs["last_ns"]
        epochs = {"first": to_iso(report.epochs.first_ns), "last": to_iso(report.epochs.last_ns), **epochs}
    return {
        "stream": None if report.stream is None else asdict(report.stream),
        "messages": [asdict(one) for one in report.messages],
        "epochs": epochs,
        "systems": [asdict(one) for one in report.systems],
        "signals": [asdict(one) for one in report.signals],
        "station": asdict(report.station),
        "ephemerides": [asdict(one) for one in report.ephemerides],
        "texts": list(report.texts),
        "problems": list(report.problems),
    }


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in values.items()}  # noqa: PLR0124 - NaN differs from itself
