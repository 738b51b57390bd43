"""What a module's page shows of tested files: its worked example, and a few lines for its ideas.

An example is a kept answer: a few edits of the lab's solution that lose one criterion. Everything
that a page shows of it is written by program into ``includes/worked/``: the lines of the answer's
files, the finding of its golden text, the difference to the solution, and the report once it is
mended. Lines of the solution itself stand beside the ideas further down. `labs dev sync` renews
these files; a page takes their sections in by name.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import ndiff
from functools import cache
from pathlib import Path

from grader.course.answers import Answer
from grader.course.files import PACKAGE, UsageError
from grader.course.grade import WORDS, Grade, Verdict
from grader.course.lab import Lab, find

SUBMISSIONS = PACKAGE.parent / "tests" / "submissions"
GOLDEN = PACKAGE.parent / "tests" / "golden" / "submissions"
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".md": "toml"}


@dataclass(frozen=True)
class Shot:
    """Lines of a file: from the first one that holds ``first`` to the next that holds ``last``."""

    file: str
    first: str
    last: str

    def lines(self, files: Mapping[str, bytes]) -> list[str]:
        """The lines without their common indent. UsageError when they are not there any more."""
        every = files[self.file].decode().splitlines()
        start = next((n for n, line in enumerate(every) if self.first in line), None)
        ends = (n for n, line in enumerate(every) if start is not None and n >= start)
        end = next((n for n in ends if self.last in every[n]), None)
        if start is None or end is None:
            raise UsageError(f"{self.file} has no lines from {self.first!r} to {self.last!r}.")
        return textwrap.dedent("\n".join(every[start : end + 1])).splitlines()


@dataclass(frozen=True)
class Example:
    """The answer of a lab that its module's page begins with, and which of its lines are shown.

    ``shown`` are sections of what fails, by their names; ``mended`` are shown as a difference;
    ``taught`` are sections of the lab's solution, for the ideas that follow.
    """

    page: str
    answer: str
    criterion: str
    shown: Mapping[str, Shot] = field(hash=False)
    mended: Shot
    taught: Mapping[str, Shot] = field(hash=False)

    @property
    def lab(self) -> Lab:
        """The page's lab, which has its name."""
        return find(self.page)


EXAMPLES = (
    Example(
        page="01-stream-setup",
        answer="new-image-only",
        criterion="stream-images",
        shown={
            "template": Shot("template.yaml", "  Orders:", "StreamViewType"),
            "reader": Shot("reader.py", "def describe", '"after": after,'),
        },
        mended=Shot("template.yaml", "StreamSpecification", "StreamViewType"),
        taught={
            "key": Shot("template.yaml", "KeySchema", "KeyType: RANGE"),
            "loop": Shot("reader.py", "    while empty < CAUGHT_UP", "            break"),
            "place": Shot("reader.py", 'if place["after"] is not None', '"TRIM_HORIZON"}'),
            "expiry": Shot("reader.py", "who = record.get", "return"),
        },
    ),
    Example(
        page="02-lambda-triggers",
        answer="partial-answers-not-enabled",
        criterion="failure-understood",
        shown={
            "template": Shot("template.yaml", "  OrdersToTotals:", "Destination: "),
            "handler": Shot("handler.py", "def handler", 'return {"batchItemFailures"'),
        },
        mended=Shot("template.yaml", "BatchSize", "BisectBatchOnFunctionError"),
        taught={
            "start": Shot("template.yaml", "StartingPosition", "StartingPosition"),
            "difference": Shot("handler.py", "amount_before, orders_before", "amount, orders ="),
            "once": Shot("handler.py", "if not amount and not orders", "raise"),
            "bounds": Shot("template.yaml", "BisectBatchOnFunctionError", "Destination: "),
            "filter": Shot("template.yaml", "FilterCriteria", "Pattern"),
            "role": Shot("template.yaml", "- Sid: ReadTheStream", "CountedRecords"),
        },
    ),
    Example(
        page="03-monitoring",
        answer="threshold-30",
        criterion="pages-lag",
        shown={
            "template": Shot("template.yaml", "  TotalsLate:", "- !Ref Pager"),
            "handler": Shot("handler.py", '"RecordsProcessed": len', '"Lag": '),
        },
        mended=Shot("template.yaml", "EvaluationPeriods: 5", "ComparisonOperator"),
        taught={
            "publish": Shot("handler.py", "def publish", "print("),
            "silence": Shot("template.yaml", "  MappingSilent:", "- !Ref Pager"),
            "person": Shot("template.yaml", "  Pager:", "Endpoint: "),
        },
    ),
    Example(
        page="04-debugging",
        answer="review-compares-text",
        criterion="large-orders-noted",
        shown={
            "template": Shot("template.yaml", "  LargeOrdersToReview:", "Pattern"),
            "handler": Shot("handler.py", "def review", "continue"),
        },
        mended=Shot("handler.py", 'amount = order.get("amount"', "continue"),
        taught={
            "policy": Shot("template.yaml", "- Sid: LetAlarmsIn", "aws:SourceAccount"),
            "redrive": Shot("redrive.py", "def redrive", "    }"),
            "range": Shot("redrive.py", "# Sequence numbers are", "iterator = page.get"),
        },
    ),
    Example(
        page="05-cost",
        answer="one-update-for-each-order",
        criterion="folds",
        shown={
            "template": Shot("template.yaml", "  OrdersToTotals:", "BatchSize"),
            "handler": Shot("handler.py", "for merchant, counted_", "failed.append"),
        },
        mended=Shot("handler.py", "    for merchant, counted_", "failed"),
        taught={
            "fold": Shot("handler.py", "# The markers and the sum", "            )"),
            "budget": Shot("template.yaml", "      Budget:", "Address"),
        },
    ),
    Example(
        page="06-production-checklist",
        answer="markers-for-an-hour",
        criterion="nothing-twice",
        shown={
            "template": Shot("template.yaml", "  CountedRecords:", "Enabled: true"),
            "handler": Shot("handler.py", "MARKER_LIFE_SECONDS =", "MARKER_LIFE_SECONDS ="),
            "marker": Shot("handler.py", "def marker", "ConditionExpression"),
        },
        mended=Shot("handler.py", "MARKER_LIFE_SECONDS =", "MARKER_LIFE_SECONDS ="),
        taught={
            "bounds": Shot("template.yaml", "MaximumRetryAttempts", "Destination: "),
            "data": Shot("template.yaml", "  Orders:", "PointInTimeRecoveryEnabled"),
            "facts": Shot("runbook.md", "[failures]", "dollars_a_month"),
        },
    ),
)


def place(example: Example) -> str:
    """Where an example is written, in the clone."""
    return f"includes/worked/{example.page}.md"


@cache
def text(example: Example) -> str:
    """The whole file, section by section. UsageError when the example does not hold any more."""
    lab = example.lab
    answer = Answer(lab, "wrong", SUBMISSIONS / f"lab{lab.number:02}" / "wrong" / example.answer)
    if example.criterion not in answer.loses:
        raise UsageError(f"{answer.id} does not lose {example.criterion}.")
    parts = [f"<!-- Written by `labs dev sync` from {answer.id}. Do not edit. -->\n"]
    parts += _marked("goals", _goals(lab))
    for name, shot in example.shown.items():
        parts += _section(name, _title(shot), shot.lines(answer.files))
    parts += _section("finding", "text .report", _finding(example, lab))
    parts += _section("mend", f'diff title="{example.mended.file}"', _mend(example, answer))
    parts += _section("gone", "text .report", _gone(example, lab))
    for name, shot in example.taught.items():
        solved = {shot.file: (lab.solution / shot.file).read_bytes()}
        parts += _section(name, _title(shot), shot.lines(solved))
    return "\n".join(parts)


def _title(shot: Shot) -> str:
    return f'{_LANGUAGES[Path(shot.file).suffix]} title="{shot.file}"'


def _section(name: str, title: str, lines: list[str]) -> Iterator[str]:
    # The search has the sentences around it.
    fence = f'``` {{ .{title} data-search-exclude="" }}'
    yield from _marked(name, "\n".join([fence, *lines, "```"]))


def _marked(name: str, content: str) -> Iterator[str]:
    yield f"<!-- --8<-- [start:{name}] -->"
    yield content
    yield f"<!-- --8<-- [end:{name}] -->\n"


def _goals(lab: Lab) -> str:
    """The list under the README's heading of what a learner will be able to do."""
    readme = (lab.starter / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## What you will be able to do\n\n(.+?)\n\n## ", readme, re.M | re.S)
    if found is None:
        raise UsageError(f"The README of {lab.name} does not say what one will be able to do.")
    return found[1]


def _finding(example: Example, lab: Lab) -> list[str]:
    """What `labs grade` says of the answer: the golden text that the tests of answers compare."""
    told = GOLDEN / f"lab{lab.number:02}" / f"{example.answer}.txt"
    lines = told.read_text(encoding="utf-8").splitlines()
    if f"labs grade {lab.number} --only {example.criterion} " not in f"{lines[-1]} ":
        raise UsageError(f"{told.name} is not about {example.criterion}.")
    criterion = _verdicts(example, lab)[0].criterion
    worth = f"(task {criterion.task}, {criterion.points} points)"
    return [f"{criterion.id} {worth}: {WORDS['unmet']}", *lines]


def _mend(example: Example, answer: Answer) -> list[str]:
    """The difference to what the answer stands on, line by line; unchanged lines stay."""
    shot = example.mended
    lines = ndiff(shot.lines(answer.files), shot.lines(answer.base))
    return [line.rstrip() for line in lines if not line.startswith("?")]


def _gone(example: Example, lab: Lab) -> list[str]:
    """The report of `labs grade N --only CRITERION` on the solution, which meets everything."""
    from grader.desk import report

    told = report.terminal(
        Grade(lab.number, lab.slug, 0, _verdicts(example, lab)),
        tasks={task.number: task.title for task in lab.tasks},
        after=f"The whole lab: labs grade {lab.number}.",
    )
    return told.rstrip("\n").splitlines()


def _verdicts(example: Example, lab: Lab) -> list[Verdict]:
    """The example's criterion as met, first, and every other as not asked."""
    from grader.course import judge

    every = judge.criteria(lab)
    chosen = [one for one in every if one.id == example.criterion]
    others = [Verdict(one, "skipped") for one in every if one.id != example.criterion]
    return [*(Verdict(one, "met") for one in chosen), *others]
