"""A finding of a survey: what was seen, why it matters, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is."""

    PROBLEM = "problem"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: How bad it is.
        found: What was seen.
        meaning: Why it matters.
        action: What to do at the receiver or caster.
    """

    severity: Severity
    found: str
    meaning: str
    action: str
