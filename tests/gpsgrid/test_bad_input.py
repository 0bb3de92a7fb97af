"""Every kind of bad input gets its problem document, and the document that shows them is up to date."""

import asyncio
import re
from pathlib import Path

import pytest

from gpsgrid.problem import DoorReason, refusal_of
from stations.errors import Reason
from tests.gpsgrid.bad_input_table import CASES, HEADER, answered, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "api-refusals.md"


@pytest.fixture(scope="module")
def rows():
    """All cases with their answers."""
    return asyncio.run(answered())


def test_every_kind_of_bad_input_is_a_problem_document(rows):
    wrong = []
    for row in rows:
        document, response = row.response.json(), row.response
        if (response.status_code, document["reason"]) != (row.case.status, row.case.reason):
            wrong.append((row.case.name, response.status_code, document))
        assert response.headers["content-type"] == "application/problem+json"
        assert document["status"] == response.status_code
        assert document["type"] == f"urn:gpsgrid:problem:{row.case.reason}"
        reason = Reason(row.case.reason) if row.case.reason in set(Reason) else DoorReason(row.case.reason)
        assert document["title"] == refusal_of(reason).title
        assert len(document["detail"]) > 20
        assert ("retry-after" in response.headers) == (response.status_code == 503)
    assert wrong == []


def test_there_are_enough_kinds_and_no_two_alike():
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


def test_the_document_shows_what_is_answered(rows):
    """Words of libraries may differ from version to version; everything else is as printed."""
    shown = DOCUMENT.read_text()
    printed = shown[shown.index(HEADER) :].splitlines()[2:]
    for row, line in zip(rows, printed, strict=True):
        if row.case.library:
            known = re.match(r"(\|[^|]+\|[^|]+\|[^|]+\|)", row.line)[1]
            assert line.startswith(known), "run python -m tests.gpsgrid.bad_input_table"
        else:
            assert line == row.line, "run python -m tests.gpsgrid.bad_input_table"
    assert len(table(rows).splitlines()) == len(printed) + 2
