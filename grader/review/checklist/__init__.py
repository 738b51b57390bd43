"""The production checklist: what a consumer of a DynamoDB stream needs before it goes live.

One *consumer* is one event source mapping that reads a DynamoDB stream. Every item is asked of
every consumer, and answered from the template alone: *met*, *not met*, *cannot tell* (something
it depends on stands outside the template) or *not applicable*.

::

    stack = template.resolve(text)                  # a lab's stack, resolved strictly
    report = review(stack)                          # -> Report

    stack = template.read(text)                     # any template, as far as it can be known
    report = review(stack)

``review(stack: Stack, *, hidden: Sequence[Problem] = (), skip: Collection[str] = ()) -> Report``
never raises for a stack that ``template.resolve`` or ``read`` returned. In the report:

- ``report.results``: a tuple of Result, by consumer in template order, then in the items' order;
- ``report.of(item_id)``: the results of one item, one for each consumer;
- ``report.consumers``: the consumers found, a tuple of Consumer;
- a Result has ``item`` (Item), ``consumer`` (the mapping's logical id), ``verdict``, ``detail``
  (a sentence about this template) and ``evidence`` (a tuple of Evidence: line, logical id,
  property, the template's line as it stands);
- an Item has ``id``, ``title``, ``severity``, ``applies``, ``why``, ``fix``, ``page``.

``ITEMS`` is the whole list. Pure: it reads no file and starts nothing.

    answers    verdicts, and the places they rest on
    model      items, which register by their decorator, and reports
    scene      who reads which table, with which role, watched by which alarms
    delivery   items about the event source mapping
    running    items about the function and its role
    watching   items about alarms and logs
    keeping    items about tables, queues and tags
    output     a report as text, JSON or SARIF
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from grader.cloud.template import Problem, Stack, readable
from grader.review.checklist.answers import VERDICTS, Evidence, Verdict
from grader.review.checklist.model import ITEMS, SEVERITIES, SEVERITY_MEANING, Item, Report, Result
from grader.review.checklist.scene import Consumer, consumers

# isort: split
# Items register when their module is imported: this is the order of the report.
from grader.review.checklist import delivery, running, watching, keeping  # noqa: F401, I001

__all__ = [
    "ITEMS",
    "SEVERITIES",
    "SEVERITY_MEANING",
    "VERDICTS",
    "Consumer",
    "Evidence",
    "Item",
    "Report",
    "Result",
    "Verdict",
    "consumers",
    "review",
]


def review(stack: Stack, *, hidden: Sequence[Problem] = (), skip: Collection[str] = ()) -> Report:
    """Ask every item of every consumer of a stack.

    ``hidden`` tells what may hold resources out of sight beside what the stack itself tells: what
    is not found is then *cannot tell*. ``skip`` are ids of items that are not asked.
    """
    hidden = (*hidden, *stack.hidden)
    found = consumers(stack, hidden)
    results = []
    for consumer in found:
        for item in ITEMS:
            if item.id not in skip:
                answer = item.answer(consumer)
                results.append(
                    Result(
                        item,
                        consumer.name,
                        answer.verdict,
                        readable(answer.detail),
                        answer.evidence,
                    )
                )
    return Report(
        stack.path,
        found,
        tuple(results),
        tuple((problem.line, readable(problem.sentence)) for problem in hidden),
        tuple(name for name, holds in stack.conditions.items() if holds is False),
    )
