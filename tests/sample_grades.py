"""Grades as the judge gives them, for tests of everything that tells a grade."""

from __future__ import annotations

from dataclasses import replace

from grader.course.grade import Criterion, Finding, Grade, Outcome, Verdict

CRASH = Finding(
    rule="An order is counted once, wherever in the handler the environment dies.",
    input="batch 1 (order o-17 of merchant m-3, placed at 4,200); the environment dies after call 2"
    " of the handler; the same batch comes again",
    expected="MerchantTotals[m-3]: total 4200, orders 1",
    observed="MerchantTotals[m-3]: total 8400, orders 2",
    why="Lambda sends a batch again whenever its environment dies, so a merchant is paid twice.",
    where='handler.py:27   table.update_item(Key={"merchant": merchant}, UpdateExpression=ADD)',
    next="labs grade 2 --only once-crash, or labs hint 2 2",
    page="modules/02-lambda-triggers#twice",
)


def verdict(
    name: str, outcome: Outcome, *findings: Finding, task: int = 1, points: int = 10
) -> Verdict:
    criterion = Criterion(name, task, f"The goal of {name}.", points)
    return Verdict(criterion, outcome, findings[0] if findings else None, findings[1:])


def a_grade(*verdicts: Verdict, **more: object) -> Grade:
    return replace(Grade(2, "lambda-triggers", 0, verdicts), **more)  # type: ignore[arg-type]


LONG = replace(
    CRASH,
    rule="Every record is either counted or noted.",
    input="\n".join(f"record {number}: order o-{number}" for number in range(1, 31)),
    expected="\n".join(f"o-{number}: counted" for number in range(1, 31)),
    observed="\n".join(
        f"o-{number}: {'lost' if number == 21 else 'counted'}" for number in range(1, 31)
    ),
    where="handler.py: the line cannot be told",
)

STARTER = a_grade(
    verdict("start-position", "met"),
    verdict("once-crash", "unmet", CRASH, LONG, task=2, points=30),
    verdict("once-overlap", "unreached", replace(CRASH, rule="No update is lost."), task=2),
    verdict("bad-record-kept", "unmet", LONG, task=3, points=40),
    verdict("shard-moves-on", "met", task=3),
    notes=["A real-time limit was met: the handler printed more than 1 MB."],
    advice=["Tag the table.", "Keep logs for a month."],
)
PASSED = a_grade(verdict("start-position", "met"), verdict("once-crash", "met", task=2))
BROKEN = a_grade(
    verdict("start-position", "met"), verdict("once-crash", "broken", CRASH, task=2, points=30)
)
PARTIAL = a_grade(
    verdict("start-position", "skipped"), verdict("once-crash", "unmet", LONG, task=2, points=30)
)
