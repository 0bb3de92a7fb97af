"""The result of the field experiment for people and for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from models.field.baselines import METHODS, MethodName
from replay.field_experiment import Key
from replay.field_score import FieldScore

_PERCENT = 100.0


@dataclass(frozen=True)
class SetResult:
    """Scores of one set.

    Attributes:
        name: Network and rover.
        nearest_km: From the rover to its master.
        epochs: Scored.
        resolved: Share of the rover's satellites whose true ionosphere is known.
        scores: By method and share of bad windows.
    """

    name: str
    nearest_km: float
    epochs: int
    resolved: float
    scores: Mapping[Key, FieldScore]


def table(results: Sequence[SetResult], methods: Sequence[MethodName], shares: Sequence[float]) -> Table:
    """Return one table: a block a set, a row a method, a column a share."""
    title = "field error at the zenith, mm rms (95 %) · z rms · centimetre % · wrong fixes of all fixes"
    out = Table("", *(f"{share:.0%} bad" for share in shares), title=title, title_justify="left")
    for result in results:
        heading = f"{result.name}, {result.nearest_km:.0f} km, {result.epochs} epochs, truth of {result.resolved:.0%}"
        out.add_section()
        out.add_row(f"[bold]{heading}")
        for name in methods:
            out.add_row(METHODS[name].text, *(_cell(result.scores[name, share]) for share in shares))
    return out


def _cell(score: FieldScore) -> str:
    wrong = f"{score.wrong}/{round(score.fixed_percent * score.epochs / _PERCENT)}"
    return f"{score.rms_mm:.1f} ({score.p95_mm:.0f}) · {score.z_rms:.2f} · {score.centimetre_percent:.0f} · {wrong}"


def document(
    results: Sequence[SetResult], methods: Sequence[MethodName], shares: Sequence[float], seed: int
) -> dict[str, object]:
    """Return the results for JSON."""
    return {
        "seed": seed,
        "shares": list(shares),
        "sets": [
            {
                "name": result.name,
                "nearest_km": round(result.nearest_km, 1),
                "epochs": result.epochs,
                "resolved": round(result.resolved, 4),
                "methods": {str(name): [result.scores[name, share].as_dict() for share in shares] for name in methods},
            }
            for result in results
        ],
    }
