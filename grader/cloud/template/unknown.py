"""Values that nobody can know from a template, and how they flow on.

An `Unknown` is text with *marks* in it. A mark is a piece between two private characters that
stands for the value and names it: the parameter ``Env`` without a value becomes the mark of
``Env``, and ``!Sub "${Env}-orders"`` becomes that mark followed by ``-orders``. Equal marks are
equal values, so that two places that say ``${Env}-orders`` are known to be the same thing, although
neither is known. Every Unknown carries the reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_PRIVATE = re.compile(f"[{_OPEN}{_CLOSE}]")
_UNNAMED = "a value"


def mark(name: str) -> str:
    """The mark of an unknown value called ``name``."""
    name = _PRIVATE.sub("", name)
    if len(name) > 120:
        name = f"{name[:60]}… {hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return f"{_OPEN}{name}{_CLOSE}"


class Unknown(str):
    """Text that stands for a value which cannot be known as a whole; ``reason`` says why.

    ``line`` is where the reason stands, None when nowhere.
    """

    reason: str
    line: int | None

    def __new__(cls, reason: str, line: int | None = None, *, text: str | None = None) -> Unknown:
        """A value of its own; ``text`` is what is known of it, marks in the place of the rest."""
        self = super().__new__(cls, mark(_UNNAMED) if text is None else text)
        self.reason, self.line = reason, line
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.reason, self.line, str(self))

    def called(self, name: str) -> Unknown:
        """The same with a name, unless it has one."""
        if self != mark(_UNNAMED):
            return self
        return Unknown(self.reason, self.line, text=mark(name))


def _again(reason: str, line: int | None, text: str) -> Unknown:
    return Unknown(reason, line, text=text)


class Partly(dict[str, Any]):
    """An object into which a macro may put more: what is not there is unknown, not absent."""

    def __init__(self, values: Mapping[str, Any], maker: Unknown) -> None:
        super().__init__(values)
        self.maker = maker

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or what may make it."""
        return super().get(key, self.maker)


def whole_text(text: str, parts: Iterable[Any]) -> str:
    """``text`` made of ``parts``: when it holds a mark, an Unknown with the first one's reason."""
    for part in parts if unknown(text) else ():
        if isinstance(part, Unknown):
            return Unknown(part.reason, part.line, text=text)
    return text


def clean(text: str) -> str:
    """Text without the characters that marks are made of."""
    return _PRIVATE.sub("\ufffd", text)


def unknown(value: Any) -> bool:
    """Whether a value as a whole is unknown: text with a mark in it."""
    return isinstance(value, str) and _OPEN in value


def known(value: Any) -> bool:
    """Whether a value, and everything in it, is known."""
    if isinstance(value, str):
        return _OPEN not in value
    if isinstance(value, Mapping):
        return not isinstance(value, Partly) and all(
            known(key) and known(one) for key, one in value.items()
        )
    return not isinstance(value, list | tuple) or all(known(one) for one in value)


def unknowns(value: Any) -> Iterator[Unknown]:
    """Everything in a value that is Unknown."""
    if isinstance(value, Unknown):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from unknowns(one)


def has_unknown(value: Any) -> bool:
    """Whether something in a value is Unknown."""
    return next(unknowns(value), None) is not None


def shown(value: Any) -> str:
    """A value as short text for people; marks as ``${name}``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = readable(str(value))
    return text if len(text) <= 90 else text[:87] + "…"


# The service that an ARN belongs to whose name says what it is.
_SERVICES = {
    "queue": "sqs",
    "dlq": "sqs",
    "topic": "sns",
    "bucket": "s3",
    "role": "iam",
    "table": "dynamodb",
    "bus": "events",
    "key": "kms",
    "machine": "states",
    "secret": "secretsmanager",
    "api": "execute-api",
    "pool": "cognito-idp",
}


def slug(name: str) -> str:
    """A name made of what stands for it: lower-case letters, digits and hyphens.

    What is called an ARN becomes one, of the service that its name speaks of.
    """
    text = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "unknown"
    if not text.endswith("arn"):
        return text
    if "stream" in text and "kinesis" not in text:
        # Of a table outside of the template: most templates that take one call it so.
        table = f"arn:aws:dynamodb:us-east-1:123456789012:table/{text}"
        return f"{table}/stream/2026-11-02T09:00:00.000"
    service = next((one for word, one in _SERVICES.items() if word in text), "lambda")
    where = {"s3": "::", "iam": ":123456789012"}.get(service, "us-east-1:123456789012")
    return f"arn:aws:{service}:{where}:{'role/' if service == 'iam' else ''}{text}"


def made_up(text: str) -> str:
    """Text with a made-up name in the place of each mark: equal marks get equal names."""
    return _MARK.sub(lambda found: slug(found[1]), str(text))


def readable(text: str) -> str:
    """Text for people: its marks as ``${name}``."""
    return _MARK.sub(lambda found: "${" + found[1] + "}", text)
