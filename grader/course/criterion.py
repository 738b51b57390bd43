"""How a lab's criteria are written.

A lab's ``criteria.py`` is a pytest file. Each test is one criterion: the
decorator states it as a sentence with its task and points, the body plays a scenario on the
``stage`` and says what it saw. A body may look at several things: ``expect(...)`` notes each that
is not so and goes on; ``raise Unreached`` says that something earlier decided the matter.

This module is imported by ``labs list`` and must stay light: no boto3, no moto.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from grader.course.grade import Criterion, Finding

Check = TypeVar("Check", bound=Callable[..., Any])

_ATTRIBUTE = "__criterion__"


def criterion(id: str, *, task: int, points: int, goal: str) -> Callable[[Check], Check]:
    """Make the decorated pytest function the check of one criterion."""

    def mark(check: Check) -> Check:
        setattr(check, _ATTRIBUTE, Criterion(id=id, task=task, goal=goal, points=points))
        return check

    return mark


def criterion_of(check: object) -> Criterion | None:
    """The criterion that a check function decides, None when it is not a check."""
    return getattr(check, _ATTRIBUTE, None)


def module_name(number: int, slug: str) -> str:
    """The module with the checks of lab ``number``: the number is the whole address."""
    return f"grader.course.labs.lab{number:02d}.criteria"


def criteria(number: int, slug: str) -> list[Criterion]:
    """The criteria of a lab in the order in which its checks module states them."""
    module = importlib.import_module(module_name(number, slug))
    found = [criterion_of(value) for value in vars(module).values()]
    return [item for item in found if item is not None]


def timelines(number: int, slug: str) -> dict[str, Callable[[Any], Iterator[str]]]:
    """The scenarios that ``labs run`` can show: name to what tells it, the default first."""
    package = f"grader.course.labs.lab{number:02d}"
    # A lab with much to tell has a module for it.
    name = "told" if importlib.util.find_spec(f"{package}.told") else "scenarios"
    return dict(importlib.import_module(f"{package}.{name}").TIMELINES)


class Expect:
    """Collects what one check found not to be so.

    ``firm`` is what stands whatever the function did with its records, also behind a call that the
    labs cannot play; ``found_firm`` says whether something of it is not so.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing is found of the next criterion yet."""
        self.findings: list[Finding] = []
        self.found_firm = False
        self._firm: list[bool] = []

    @property
    def all_firm(self) -> bool:
        """Whether something was looked at, and nothing of it hangs on what the function did."""
        return bool(self._firm) and all(self._firm)

    def __call__(self, so: bool, finding: Callable[[], Finding], *, firm: bool = False) -> bool:
        """Note ``finding()`` unless ``so``; returns ``so``. The check goes on either way."""
        self._firm.append(firm)
        if not so:
            # pytest-check keeps the test running and fails it at its end.
            from pytest_check import check

            self.findings.append(finding())
            self.found_firm |= firm
            check.fail(self.findings[-1].rule)
        return bool(so)
