"""What a survey means for network RTK: a table of rules, each with what was found, why it matters and what to do.

A rule looks at one thing and says at most one sentence about it. *problem* is what makes the stream unusable, *warning*
what costs satellites, integers or heights, *note* what is worth knowing. The thresholds are those of practice and stand
beside the rule that uses them.
"""

from collections.abc import Callable, Iterator

from stations.survey_finding import Finding, Severity
from stations.survey_report import SurveyReport
from stations.survey_rules_observations import observed_findings, rhythm_findings, tracking_findings
from stations.survey_rules_station import equipment_findings, navigation_findings, place_findings
from stations.survey_rules_stream import date_findings, messages_findings, transport_findings

__all__ = ["Finding", "Severity", "findings_of"]

_Rule = Callable[[SurveyReport], Iterator[Finding]]
_RULES: tuple[_Rule, ...] = (
    observed_findings,
    transport_findings,
    rhythm_findings,
    tracking_findings,
    place_findings,
    equipment_findings,
    navigation_findings,
    messages_findings,
    date_findings,
)


def findings_of(report: SurveyReport) -> tuple[Finding, ...]:
    """Return the findings, the worst first."""
    found = [finding for rule in _RULES for finding in rule(report)]
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))
