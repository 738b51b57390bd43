"""The page of computed claims is what the code says now, and no verdict is a constant.

Run as a script, this file writes the page.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.maintain.claims import HOLDS, ONLY_IF, REFUTED, Claim, _verdict, claims, render
from grader.review import pricing

# A day is simulated for each of a dozen settings.
pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[3] / "docs/reference/tuning-claims.md"


@pytest.fixture(scope="module")
def found() -> dict[str, Claim]:
    return {claim.id: claim for claim in claims(pricing.load())}


def test_the_page_is_what_the_code_says(found: dict[str, Claim]) -> None:
    """If not: ``python tests/review/tuning/test_claims.py`` writes it anew."""
    assert PAGE.read_text("utf-8") == render(list(found.values()))


def test_every_claim_of_the_source_documents_is_there(found: dict[str, Claim]) -> None:
    asked = {
        "tenfold",
        "fold",
        "five-for-ten",
        "burst",
        "memory",
        "provisioned",
        "guideline-low",
        "guideline-medium",
        "guideline-high",
        "guideline-real-time",
        "five-thousand",
    }
    assert asked <= set(found)


def test_a_claim_that_holds_only_with_a_condition_names_it(found: dict[str, Claim]) -> None:
    for claim in found.values():
        assert bool(claim.condition) or claim.verdict != ONLY_IF, claim.id
        assert all(len(row) == len(claim.header) for row in claim.rows), claim.id
        assert claim.rows, claim.id


def test_a_verdict_follows_from_what_was_found() -> None:
    assert (_verdict(True, True), _verdict(False, True), _verdict(False, False)) == (
        HOLDS,
        ONLY_IF,
        REFUTED,
    )


def test_ten_times_fewer_invocations_need_full_batches(found: dict[str, Claim]) -> None:
    """21 records a poll: without a window the ratio is 1; 7.2 M / 50 and / 500 with a long one."""
    rows = found["tenfold"].rows
    assert rows[0][3] == "1.0"
    assert rows[-1][1:4] == ("144,000", "14,400", "10.0")


def test_the_workshops_own_memory_figures_are_equal_within_two_percent(
    found: dict[str, Claim],
) -> None:
    amounts = [row[3] for row in found["memory"].rows[:3]]
    assert amounts == ["0.10625", "0.10625", "0.10750"]


def test_one_metric_call_a_record_is_72_dollars_a_day(found: dict[str, Claim]) -> None:
    assert found["metric-calls"].rows[0][2] == "$72.00"


if __name__ == "__main__":
    PAGE.write_text(render(claims(pricing.load())), "utf-8")
