"""What can stop a play, in facts, and how an invocation ended, in words.

The criteria import this to be listed, so it imports nothing that is slow.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.cloud.aws import Refused
    from grader.cloud.function import Invocation
    from grader.cloud.template import Problem, Resource


class Stopped(Exception):
    """There is nothing to play. ``cause`` is equal for all stops that are one mistake."""

    cause = ""


class Undeployable(Stopped):
    """CloudFormation or AWS would not create the stack."""

    def __init__(self, cause: str, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].sentence)
        self.cause = cause
        self.problems = list(problems)


class NotPlayed(Stopped):
    """AWS takes what ``problem`` names, and the labs cannot play it. It is nobody's mistake."""

    cause = "not played"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.sentence)
        self.problem = problem


class OtherInterface(Stopped):
    """A resource is missing, or is of another type than the play needs."""

    cause = "interface"

    def __init__(self, logical_id: str, kind: str, found: Resource | None) -> None:
        super().__init__(f"{logical_id} of type {kind}")
        self.logical_id = logical_id
        self.kind = kind
        self.found = found


class ResourceRefused(Stopped):
    """AWS would not create one resource; ``cause`` says of which kind it is."""

    def __init__(self, cause: str, logical_id: str, refusal: Refused) -> None:
        super().__init__(refusal.message)
        self.cause = cause
        self.logical_id = logical_id
        self.refusal = refusal


class NotStarted(Stopped):
    """The function could not even be started."""

    cause = "start"

    def __init__(self, invocation: Invocation) -> None:
        super().__init__(error_text(invocation))
        self.invocation = invocation


class Hung(Stopped):
    """The function met the limits so often, or cost so much, that plays were cut short.

    ``limits`` says for each invocation that met one what it did, in their order; ``overspent`` what
    all of them together did, None when that was not it.
    """

    cause = "hang"

    def __init__(self, story: str, limits: Sequence[str], overspent: str | None) -> None:
        super().__init__(story)
        self.story = story
        self.limits = list(limits)
        self.overspent = overspent


def error_text(invocation: Invocation) -> str:
    """How an invocation ended, in words: its error, or that it returned."""
    result = invocation.result
    if result is None:
        return "it never ended"
    if result.kind == "returned":
        return "it returned"
    text = f"{result.error_type}: {result.error_message}" if result.error_message else ""
    text = text or str(result.error_type) or result.kind
    if invocation.real_limit is not None:
        from grader.cloud.function import told

        # What happened comes before the words in which AWS would tell of it.
        text = f"a limit: {told(invocation.real_limit, invocation.limits)} ({text})"
    return text + _older_python(invocation.runtime, text)


# How Python says that it lacks what a newer one has.
_LACKS = re.compile(
    r"SyntaxError: |module '(\w+)' has no attribute|cannot import name .* from '(\w+)"
)


def _older_python(runtime: str, text: str) -> str:
    """What to know of an error that the template's own runtime may not raise; empty otherwise.

    The labs run a function with the Python that runs them, whatever its runtime is.
    """
    here, asked = sys.version_info[:2], re.fullmatch(r"python3\.(\d+)", runtime)
    lacks = _LACKS.search(text)
    if asked is None or (3, int(asked[1])) <= here or lacks is None:
        return ""
    module = lacks[1] or lacks[2]
    if module is not None and module not in sys.stdlib_module_names:
        return ""
    return f" (the labs run on Python {here[0]}.{here[1]} here, the template asks for {runtime})"
