"""How a mapping's function is named: by name, partial ARN or ARN, with or without a qualifier.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.mapping.ports import Function, Result

LATEST = "$LATEST"
_FORMS = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?(?:function:)?"
    r"([a-zA-Z0-9_.-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?",
    re.ASCII,
)
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Address:
    """A FunctionName taken apart; what it leaves out is None."""

    name: str
    qualifier: str | None = None
    region: str | None = None
    account: str | None = None

    @classmethod
    def parse(cls, text: Any) -> Address:
        """Refused for what the API's pattern does not take."""
        found = _FORMS.fullmatch(text) if isinstance(text, str) else None
        if found is None or len(text) > _LONGEST:
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy "
                "constraint: Member must be a function's name, its partial ARN or its ARN, with at "
                f"most {_LONGEST} characters",
                "FunctionName",
            )
        region, account, name, qualifier = found.groups()
        return cls(name, qualifier, region, account)

    def is_of(self, function: Function) -> bool:
        """Whether this is the function's address: its name, Region, account and, if given,
        qualifier.
        """
        region, account, _, name, *qualifier = function.arn.split(":")[3:]
        return (
            self.name == name
            and self.region in (None, region)
            and self.account in (None, account)
            and (self.qualifier is None or [self.qualifier] == qualifier)
        )


@dataclass(frozen=True, slots=True)
class Qualified:
    """A function as one of its versions or aliases; ``version`` is what an invocation runs."""

    function: Function
    qualifier: str
    version: str = LATEST

    @property
    def name(self) -> str:
        """The function's name, without the qualifier."""
        return self.function.name

    @property
    def arn(self) -> str:
        """The qualified ARN."""
        return f"{self.function.arn}:{self.qualifier}"

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Invoke the version."""
        self.function.invoke(event, done)


def executed_version(function: Function) -> str:
    """The version that an invocation of this function runs."""
    return function.version if isinstance(function, Qualified) else LATEST


def unqualified(arn: str) -> str:
    """A function's ARN without version or alias."""
    return ":".join(arn.split(":")[:7])
