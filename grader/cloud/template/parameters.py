"""The section Parameters: declarations, and the value that each parameter gets.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from typing import Any

from grader.cloud.template import patterns
from grader.cloud.template.model import Mark, Own, Reporter, did_you_mean, one_of, show
from grader.cloud.template.shapes import plain_text
from grader.cloud.template.unknown import Unknown, slug
from grader.cloud.template.yaml_lines import Fields, Items, Node, Scalar

TYPES = ("String", "Number", "CommaDelimitedList", "List<Number>")
KEYS = (
    "Type",
    "Default",
    "Description",
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
)
MAX_BYTES = 4_096

_NUMBER = re.compile(r"[-+]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)


def parameter_value(
    name: str, mark: Mark, body: Fields, given: str | None, reporter: Reporter
) -> Any:
    """Return what Ref of a parameter yields: text, a list of texts, or Unknown.

    ``given`` is the value passed in from outside, None when none is.
    """
    for key, key_mark, _ in body:
        if key not in KEYS:
            reporter.problem(
                key_mark, f"Parameters.{name}: there is no {show(key)}." + did_you_mean(key, KEYS)
            )
    default = body.node("Default")
    if reporter.own is not None:
        given, taken = _of_own(name, mark, body, given, reporter, reporter.own)
        if taken is not None:
            return taken
    type, elsewhere = _type(name, mark, body, reporter)
    if given is None and elsewhere is not None:
        return elsewhere.called(name)
    if given is None and default is None:
        return reporter.unsupported(
            mark,
            f"The parameter {name} has no Default and gets no value; the labs deploy the template "
            "without values for parameters.",
        ).called(name)
    text = given
    if text is None:
        assert default is not None
        if not isinstance(default, Scalar) or default.value is None:
            problem = reporter.problem(
                default.mark, f"Parameters.{name}: Default must be text or a number."
            )
            return problem.called(name)
        text = plain_text(default.value)
        mark = default.mark
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        problem = reporter.problem(
            mark, f"The value of the parameter {name} has more than {MAX_BYTES:,} bytes."
        )
        return problem.called(name)
    many = type.startswith(("List<", "CommaDelimitedList"))
    values = [one.strip() for one in text.split(",")] if many else [text]
    for value in values:
        wrong = _constraints(name, type, body, value, mark, reporter)
        if wrong is not None and reporter.strict:
            return wrong
    return values if many else values[0]


def _of_own(
    name: str, mark: Mark, body: Fields, given: str | None, reporter: Reporter, own: Own
) -> tuple[str | None, Any]:
    """For a team's own stack: the value to go on with (None: Default), or what Ref yields.

    What Systems Manager would look up comes out of the test's dictionary by the parameter's value
    or default; a value that is no name there is taken as what would be found. A parameter of text
    that nobody gives a value is called by its own name, which is told; a number is not made up.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
    """
    node = body.node("Type")
    type = node.text if isinstance(node, Scalar) else ""
    default = body.node("Default")
    text = given
    if text is None and isinstance(default, Scalar) and default.value is not None:
        text = plain_text(default.value)
    found: str | None = None
    if type.startswith("AWS::SSM::Parameter::Value"):
        found = own.ssm.get(str(text), given)
    elif text is not None or type in ("Number", "List<Number>"):
        return given, None
    if found is None:
        allowed = _texts(body.node("AllowedValues") or Items(mark, 1, 1, ()))
        found = allowed[0] if allowed else slug(name)
        reporter.unsupported(
            mark, f"The parameter {name} has no value: {show(found)} stands in for it."
        )
    many = "List<" in type or "CommaDelimitedList" in type
    return None, [one.strip() for one in found.split(",")] if many else found


def _type(name: str, mark: Mark, body: Fields, reporter: Reporter) -> tuple[str, Unknown | None]:
    """A parameter's type, and why its default is no value when it is not."""
    node = body.node("Type")
    if node is None:
        problem = f"The parameter {name} has no Type, such as String or Number."
        return "String", reporter.problem(mark, problem) if reporter.strict else None
    type = node.text if isinstance(node, Scalar) else ""
    if type in TYPES or (reporter.own is not None and type.startswith(("AWS::", "List<AWS::"))):
        return type, None
    if type.startswith("AWS::SSM::Parameter::") or type.startswith("List<AWS::SSM"):
        elsewhere = reporter.unsupported(
            node.mark,
            f"The parameter {name} takes its value from Systems Manager, which the labs do not "
            "play; use String with a Default.",
        )
    elif type.startswith(("AWS::", "List<AWS::")):
        elsewhere = reporter.unsupported(
            node.mark,
            f"The parameter {name} has the type {type}, whose values exist only in a real "
            "account; use String.",
        )
        if not reporter.strict and body.node("Default") is not None:
            return type, None
    else:
        elsewhere = reporter.problem(
            node.mark,
            f"The parameter {name} has the type {show(type)}; AWS takes {one_of(TYPES)}."
            + did_you_mean(type, TYPES),
        )
        if not reporter.strict:
            return type, None
    return type, elsewhere


def _constraints(
    name: str, type: str, body: Fields, value: str, mark: Mark, reporter: Reporter
) -> Unknown | None:
    """Hold one value against the parameter's own constraints."""
    subject = f"The value {show(value)} of the parameter {name}"
    number = float(value) if _NUMBER.fullmatch(value) else None
    if type in ("Number", "List<Number>") and number is None:
        return reporter.problem(mark, f"{subject} is no number.")
    allowed = body.node("AllowedValues")
    if allowed is not None:
        texts = _texts(allowed)
        if texts is None:
            return reporter.problem(
                allowed.mark, f"Parameters.{name}: AllowedValues must be a list of values."
            )
        if value not in texts:
            return reporter.problem(
                mark, f"{subject} is not among its AllowedValues: {', '.join(map(show, texts))}."
            )
    for key, measured in (("Length", float(len(value))), ("Value", number)):
        low = _limit(name, f"Min{key}", body, reporter)
        high = _limit(name, f"Max{key}", body, reporter)
        if measured is None:
            continue
        what = "has too few or too many characters" if key == "Length" else "is out of its range"
        if (low is not None and measured < low) or (high is not None and measured > high):
            return reporter.problem(mark, f"{subject} {what} (Min{key}, Max{key}).")
    return _pattern(name, body, value, subject, mark, reporter)


def _limit(name: str, key: str, body: Fields, reporter: Reporter) -> float | None:
    node = body.node(key)
    if node is None:
        return None
    text = node.text if isinstance(node, Scalar) else ""
    if not _NUMBER.fullmatch(text):
        reporter.problem(node.mark, f"Parameters.{name}: {key} must be a number.")
        return None
    return float(text)


def _pattern(
    name: str, body: Fields, value: str, subject: str, mark: Mark, reporter: Reporter
) -> Unknown | None:
    node = body.node("AllowedPattern")
    if node is None:
        return None
    pattern = node.text if isinstance(node, Scalar) else None
    if pattern is None:
        return reporter.problem(node.mark, f"Parameters.{name}: AllowedPattern must be text.")
    try:
        found = patterns.matches(pattern, value)
    except re.error as error:
        return reporter.problem(
            node.mark, f"Parameters.{name}: AllowedPattern is no regular expression: {error}."
        )
    if found is None:
        reporter.unsupported(
            node.mark,
            f"Parameters.{name}: the labs do not try this AllowedPattern: it is too long, or holds "
            "what they do not know of regular expressions.",
        )
    if found is False:
        return reporter.problem(mark, f"{subject} does not match its AllowedPattern {pattern}.")
    return None


def _texts(node: Node) -> list[str] | None:
    if not isinstance(node, Items):
        return None
    values = [plain_text(one.value) for one in node.items if isinstance(one, Scalar)]
    return values if len(values) == len(node.items) else None
