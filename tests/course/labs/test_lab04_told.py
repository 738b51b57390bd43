"""Lab 4's on-call session: its pages are played, and they show what the closed lists say.

Each statement of the list of evidence is asked of the play of the pristine stack; the grade relies
on `SHOWN` and `ANSWERS` without playing it.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from grader.course import lab
from grader.course.criterion import criteria
from grader.course.labs.lab04 import diagnosis, told
from grader.course.stage import Stage

LAB = lab.find("4")


@pytest.fixture(scope="module")
def pages(nursery: Any) -> dict[str, str]:
    """Each ticket's page of `labs run 4`, as one text."""
    seen: dict[str, str] = {}
    with Stage(LAB.solution, lab=LAB, seed=0, nursery=nursery, linted=False) as stage:
        stage.begin(criteria(LAB.number, LAB.slug)[0])
        ticket = ""
        for line in told.TIMELINES["shift"](stage):
            if found := re.match(r"== Ticket (\S+)", line):
                ticket = found[1]
            seen[ticket] = seen.get(ticket, "") + line + "\n"
    return seen


def _member(page: str, name: str) -> str | None:
    """What stands behind a name in one of the lists of settings."""
    found = re.search(rf"^  {name} +(.*)$", page, re.MULTILINE)
    return found[1] if found else None


def _column(page: str, heading: str) -> list[str]:
    """The cells of a column of a metrics table; empty without such a table."""
    lines = page.splitlines()
    for number, line in enumerate(lines):
        names = line.split()
        if names[:1] == ["from"] and heading in names:
            cells = []
            for row in lines[number + 1 :]:
                if not row.startswith("  "):
                    break
                cells.append(row.split()[names.index(heading)])
            return cells
    return []


def _numbers(page: str, heading: str) -> list[float]:
    return [float(cell) for cell in _column(page, heading) if cell != "-"]


def _handed(page: str) -> list[list[str]]:
    """The rows of the table of what invocations were handed: at, records, first, ending."""
    found = re.search(r"-- What these .*\n.*\n((?:  .*\n)+)", page)
    return [re.split(r" {2,}", row.strip()) for row in found[1].splitlines()] if found else []


def _unwrapped(page: str) -> str:
    return re.sub(r"\s+", " ", page)


def _durations(page: str) -> list[float]:
    """Durations of the invocations before the trouble, in the log's order."""
    reports = re.findall(r"Duration: ([\d.]+) ms Billed", _unwrapped(page))
    return [float(one) for one in reports]


def _grows(page: str) -> bool:
    counts = [int(one) for one in re.findall(r'"RecordsProcessed": (\d+)', _unwrapped(page))]
    quick = _durations(page)[: len(counts)]
    return len(set(counts)) > 1 and quick == sorted(quick) and counts == sorted(counts)


def _age_follows_clock(page: str) -> bool:
    ages = _numbers(page, "IteratorAge")[-4:-1]
    starts = [int(c[:2]) * 60 + int(c[3:]) for c in _column(page, "from")]
    minutes = starts[1] - starts[0] if len(starts) > 1 else 0
    steps = [b - a for a, b in itertools.pairwise(ages)]
    return bool(steps) and all(abs(step - minutes * 60_000) < 3_000 for step in steps)


def _counts(page: str, heading: str) -> bool:
    return any(value > 0 for value in _numbers(page, heading))


def _init_ms(page: str) -> float:
    found = re.findall(r"Init Duration: ([\d.]+) ms", _unwrapped(page))
    return max((float(one) for one in found), default=0.0)


STATEMENTS = {
    "all-filtered": lambda p: (
        _counts(p, "polled")
        and sum(_numbers(p, "polled")) == sum(_numbers(p, "filtered"))
        and not _numbers(p, "invoked")
    ),
    "no-polls": lambda p: bool(_column(p, "polled")) and not _numbers(p, "polled"),
    "not-enabled": lambda p: _member(p, "State") not in (None, "Enabled"),
    "stream-refused": lambda p: "stream" in (_member(p, "LastProcessingResult") or ""),
    "nothing-processed": lambda p: _member(p, "LastProcessingResult") == "No records processed",
    "last-call-failed": lambda p: (
        _member(p, "LastProcessingResult") == "PROBLEM: Function call failed"
    ),
    "last-call-ok": lambda p: _member(p, "LastProcessingResult") == "OK",
    "numeric-on-attribute": lambda p: "numeric" in p,
    "never-run": lambda p: "(no log stream: the function has never run)" in p,
    "throttles": lambda p: _counts(p, "throttles"),
    "task-timed-out": lambda p: (
        f"Task timed out after {_member(p, 'Timeout')}.00 seconds" in _unwrapped(p)
        and "Status: timeout" in _unwrapped(p)
    ),
    "grows-with-records": _grows,
    "memory-full": lambda p: f"Max Memory Used: {_member(p, 'MemorySize')} MB" in _unwrapped(p),
    "init-too-long": lambda p: _init_ms(p) > 1000 * int(_member(p, "Timeout") or 60),
    "same-first-record": lambda p: len(_handed(p)) > 2 and len({row[2] for row in _handed(p)}) == 1,
    "same-exception": lambda p: (
        len(_handed(p)) > 2 and {row[3] for row in _handed(p)} == {"ValueError"}
    ),
    "retries-unlimited": lambda p: (
        _member(p, "MaximumRetryAttempts") == "-1"
        and _member(p, "MaximumRecordAgeInSeconds") == "-1"
    ),
    "no-bisect": lambda p: _member(p, "BisectBatchOnFunctionError") == "false",
    "age-follows-clock": _age_follows_clock,
    "full-and-well": lambda p: (
        bool(_handed(p))
        and all(row[1] == _member(p, "BatchSize") for row in _handed(p))
        and all(row[3] == "an answer" for row in _handed(p))
    ),
    "logged-and-answered": lambda p: (
        "[WARNING]" in p and "Not counted" in p and not _counts(p, "errors")
    ),
    "errors-zero": lambda p: (
        "[WARNING]" in p and bool(_numbers(p, "errors")) and not _counts(p, "errors")
    ),
    "own-metric-zero": lambda p: _member(p, "Shop/Totals RecordsFailed") == "0",
    "table-throttled": lambda p: int(_member(p, "MerchantTotals WriteThrottleEvents") or 0) > 0,
    "no-report-setting": lambda p: _member(p, "FunctionResponseTypes") == "[]",
    "reports-are-read": lambda p: (
        "ReportBatchItemFailures" in (_member(p, "FunctionResponseTypes") or "")
    ),
    "dropped": lambda p: _counts(p, "dropped"),
    "undelivered": lambda p: _counts(p, "undelivered"),
    "note-waits": lambda p: bool(re.search(r"-- FailedRecords: [1-9]", p)),
    "queue-empty": lambda p: "-- FailedRecords: 0 messages" in p,
    "entered-alarm": lambda p: bool(re.search(r"^  \d\d:3\d.* to ALARM$", p, re.MULTILINE)),
    "stayed-ok": lambda p: "(no alarm changed its state)" in p,
    "action-failed": lambda p: (
        "Failed to execute action" in _unwrapped(p)
        and "is not authorized to perform: SNS:Publish" in _unwrapped(p)
    ),
    "actions-disabled": lambda p: _member(p, "ActionsEnabled") == "false",
    "threshold-in-seconds": lambda p: _member(p, "Threshold") in ("180", "300"),
    "other-dimension": lambda p: (
        "-- TotalsLate, as deployed" in p and "FunctionName = (the name of TotalsFunction)" not in p
    ),
    "pending": lambda p: "PendingConfirmation" in p,
    "confirmed": lambda p: bool(re.search(r"^  Subscription .*Confirmed$", p, re.MULTILINE)),
    "policy-without-cloudwatch": lambda p: (
        "LetBudgetsIn" in p and "cloudwatch.amazonaws.com" not in p
    ),
    "nothing-published": lambda p: _member(p, "NumberOfMessagesPublished") == "-",
}


@pytest.mark.parametrize("ticket", told.TICKETS)
def test_a_tickets_page_shows_what_the_list_says_and_nothing_more(
    ticket: str, pages: dict[str, str]
) -> None:
    """The pages are those of the pristine stack, although the solution is on the stage."""
    shown = {one for one, is_so in STATEMENTS.items() if is_so(pages[ticket])}

    assert shown == diagnosis.SHOWN[ticket]


def test_every_statement_is_asked_and_every_ticket_has_an_answer() -> None:
    assert set(STATEMENTS) == set(diagnosis.EVIDENCE)
    assert set(diagnosis.ANSWERS) == set(diagnosis.SHOWN) == set(told.TICKETS)
    for ticket, answer in diagnosis.ANSWERS.items():
        assert answer.cause in diagnosis.CAUSES
        assert all(proof and proof <= diagnosis.SHOWN[ticket] for proof in answer.proofs)


def test_the_pages_have_at_most_80_columns(pages: dict[str, str]) -> None:
    assert [line for page in pages.values() for line in page.splitlines() if len(line) > 80] == []


def test_what_proves_one_ticket_does_not_prove_another() -> None:
    """An answer carried over from another ticket is wrong, cause and evidence alike."""
    for ticket, answer in diagnosis.ANSWERS.items():
        proof = tuple(sorted(one)[0] for one in answer.proofs)
        for other in diagnosis.ANSWERS:
            right = diagnosis.judge(other, diagnosis.Diagnosis(answer.cause, proof)) is None
            assert right == (other == ticket)


def test_no_proof_is_so_on_another_tickets_page() -> None:
    """Evidence that two tickets share cannot tell them apart, whatever cause stands beside it."""
    for ticket, answer in diagnosis.ANSWERS.items():
        for proof in itertools.product(*answer.proofs):
            others = diagnosis.SHOWN.keys() - {ticket}
            assert not [one for one in others if set(proof) <= diagnosis.SHOWN[one]]


def test_weak_evidence_is_told_with_the_cause_that_it_leaves() -> None:
    """Whatever is named of what is so on the page: another cause is told, or it is a proof."""
    for ticket, answer in diagnosis.ANSWERS.items():
        shown = sorted(diagnosis.SHOWN[ticket])
        for many in range(1, diagnosis.MOST_EVIDENCE + 1):
            for some in itertools.combinations(shown, many):
                wrong = diagnosis.judge(ticket, diagnosis.Diagnosis(answer.cause, some))
                proves = all(set(some) & one for one in answer.proofs)
                assert proves == (wrong is None)
                if wrong is not None:
                    other = re.search(r"would be so with ([a-z-]+), too", wrong.observed)
                    assert other and other[1] in set(diagnosis.CAUSES) - {answer.cause}


def test_a_list_of_everything_that_is_shown_proves_nothing() -> None:
    for ticket, answer in diagnosis.ANSWERS.items():
        if len(diagnosis.SHOWN[ticket]) <= diagnosis.MOST_EVIDENCE:
            continue
        everything = diagnosis.Diagnosis(answer.cause, tuple(sorted(diagnosis.SHOWN[ticket])))
        wrong = diagnosis.judge(ticket, everything)
        assert wrong is not None and wrong.member == "evidence"


def test_a_misspelt_id_is_told_with_the_nearest_one() -> None:
    wrong = diagnosis.judge("stuck", diagnosis.Diagnosis("endless-retry", ()))

    assert wrong is not None
    assert wrong.observed == (
        "'endless-retry' is none of the README's ids; did you mean 'endless-retries'?"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[import]\ncause = "timeout-too-short\n', "it is not TOML: "),
        ("[import]\n", "there is no table [large-orders]"),
        ("[large-orders]\ncause = 1\nevidence = []", "[large-orders] needs a cause"),
        ('[large-orders]\ncause = "x"\nevidence = "y"', "[large-orders] needs a cause"),
        ('[large-orders]\ncause = "x"\nevidence = [1]', "[large-orders] needs a cause"),
    ],
)
def test_a_diagnosis_that_cannot_be_read_says_why(text: str, reason: str) -> None:
    with pytest.raises(diagnosis.Unreadable) as unreadable:
        diagnosis.read(text, "large-orders")

    assert str(unreadable.value).startswith(reason)


def test_a_ticket_that_cannot_be_read_leaves_the_others_alone() -> None:
    text = '[import]\ncause = "x"\nevidence = []\n[stuck]\ncause = 1\n'

    assert diagnosis.read(text, "import") == diagnosis.Diagnosis("x", ())
    for ticket in ("stuck", "lost"):
        with pytest.raises(diagnosis.Unreadable) as unreadable:
            diagnosis.read(text, ticket)
        assert unreadable.value.member == "cause"


def test_the_readme_lists_every_id_with_its_words() -> None:
    readme = (Path(LAB.starter) / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", readme, re.MULTILINE))
    words = {one: cause for one, (cause, _) in diagnosis.CAUSES.items()}

    listed = {**words, **diagnosis.EVIDENCE}
    assert {one: rows.get(one) for one in listed} == listed
