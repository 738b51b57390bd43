"""Composite alarms: alarms on the states of other alarms, and their rule language.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices
from grader.cloud.cloudwatch.metric import (
    ACTION_MEMBERS,
    STATES,
    State,
    parse_actions,
    parse_name,
)
from grader.cloud.cloudwatch.queries import flag, invalid, not_emulated, whole

MOST_CHILDREN = 100
MOST_ELEMENTS = 500
LONGEST_RULE = 10_240
LONGEST_SUPPRESSOR = 1_600

_SUPPRESSOR = (
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)
_MEMBERS = frozenset(
    [
        *("AlarmName", "AlarmDescription", "AlarmRule", "ActionsEnabled", "Tags"),
        *ACTION_MEMBERS.values(),
        *_SUPPRESSOR,
    ]
)
_REFERENCE = re.compile(r"arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:\d{12}:alarm:(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rule:
    """One step of a rule: AND, OR, NOT over ``parts``; a constant; a child's state; AT_LEAST.

    For AT_LEAST, ``parts`` are the conditions on its alarms and ``share`` says how many must hold:
    a number of them, or a percentage when ``percent``.
    """

    kind: str
    parts: tuple[Rule, ...] = ()
    child: str = ""
    state: str = ""
    share: int = 0
    percent: bool = False

    def holds(self, states: Mapping[str, State]) -> bool:
        """Whether the rule is true in these states (by alarm name)."""
        match self.kind:
            case "TRUE" | "FALSE":
                return self.kind == "TRUE"
            case "state":
                return states[self.child] == self.state
            case "NOT":
                return not self.parts[0].holds(states)
            case "AND":
                return all(part.holds(states) for part in self.parts)
            case "OR":
                return any(part.holds(states) for part in self.parts)
        met = sum(part.holds(states) for part in self.parts)
        if self.percent:
            return met * 100 >= self.share * len(self.parts)
        return met >= self.share

    def children(self) -> list[str]:
        """The alarms that the rule names, each once, in the order of their first mention."""
        found = [self.child] if self.kind == "state" else []
        for part in self.parts:
            found += part.children()
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Suppressor:
    """The alarm that holds back a composite alarm's actions, and for how long around its own."""

    alarm: str
    wait_ms: int
    extension_ms: int


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """A composite alarm as CloudWatch stores it."""

    name: str
    rule: Rule
    text: str
    actions: Mapping[State, tuple[str, ...]]
    actions_enabled: bool = True
    description: str = ""
    suppressor: Suppressor | None = None

    def parts(self) -> list[str]:
        """The alarms that it is made of and held back by."""
        return [*self.rule.children(), *([self.suppressor.alarm] if self.suppressor else [])]

    @classmethod
    def parse(
        cls, properties: Mapping[str, Any], *, name: str, region: str | None = None
    ) -> CompositeAlarm:
        """Read the properties of AWS::CloudWatch::CompositeAlarm or PutCompositeAlarm's members.

        Refused as for a metric alarm. That the named alarms exist is checked where all alarms are
        known (grader.cloud.cloudwatch.evaluate).
        """
        if "ActionConfiguration" in properties:
            raise not_emulated("ActionConfiguration of alarms", "ActionConfiguration")
        for member in properties:
            if member not in _MEMBERS:
                raise invalid(f"Encountered unsupported property {member}", member)
        name = parse_name(properties, name)
        text = properties.get("AlarmRule")
        if not isinstance(text, str):
            raise invalid("PutCompositeAlarm request should have an AlarmRule", "AlarmRule")
        rule = parse_rule(text)
        if name in rule.children():
            raise invalid(
                "A composite alarm cannot have a child relation with itself via its AlarmRule",
                "AlarmRule",
            )
        return cls(
            name=name,
            rule=rule,
            text=text,
            actions=parse_actions(properties, region=region, composite=True),
            actions_enabled=flag(properties, "ActionsEnabled", default=True),
            description=str(properties.get("AlarmDescription") or ""),
            suppressor=_suppressor(properties),
        )


def _suppressor(properties: Mapping[str, Any]) -> Suppressor | None:
    """Both periods are required with a suppressor, and refused without one."""
    suppressor, *waits = _SUPPRESSOR
    periods = []
    for member in waits:
        if member in properties and suppressor not in properties:
            raise invalid(f"{member} requires an ActionSuppressor", member)
        periods.append(whole(properties, member, lowest=0))
        if suppressor in properties and periods[-1] is None:
            raise invalid(f"{member} must not be null", member)
    given = properties.get(suppressor)
    if given is None:
        return None
    if not isinstance(given, str) or not 1 <= len(given) <= LONGEST_SUPPRESSOR:
        raise invalid(f"{suppressor} must have 1 to {LONGEST_SUPPRESSOR} characters", suppressor)
    wait_s, extension_s = periods
    assert wait_s is not None and extension_s is not None
    return Suppressor(_name_in(given), wait_s * 1000, extension_s * 1000)


def _name_in(reference: str) -> str:
    """The name of an alarm that is given by its name or its ARN."""
    found = _REFERENCE.fullmatch(reference)
    return found[1] if found else reference


def parse_rule(text: str) -> Rule:
    """Parse an AlarmRule. Refused (ValidationError) says what is wrong with it."""
    if not text.strip():
        raise _error("the rule is empty")
    if len(text) > LONGEST_RULE:
        raise _error(f"the rule is longer than {LONGEST_RULE:,} characters")
    parser = _Parser(text)
    rule = parser.whole()
    if parser.elements > MOST_ELEMENTS:
        raise _error(f"the rule has more than {MOST_ELEMENTS} elements")
    if len(rule.children()) > MOST_CHILDREN:
        raise _error(f"the rule names more than {MOST_CHILDREN} alarms")
    return rule


def _error(message: str) -> Refused:
    return invalid(f"Error in AlarmRule [{message}]", "AlarmRule")


_TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<sign>[(),])|(?P<word>[^\s(),"]+))', re.DOTALL
)
_STARTS = "'(', 'NOT', AT_LEAST, TRUE or FALSE, ALARM, OK, or INSUFFICIENT_DATA"


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text, position = text.rstrip(), 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _error("a quotation mark is not closed")
        kind = found.lastgroup or ""
        yield kind, found[kind]
        position = found.end()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0
        self.elements = 0

    def whole(self) -> Rule:
        rule = self._or()
        if self._next < len(self._tokens):
            raise _error(f"Unsupported token {self._tokens[self._next][1]!r}")
        return rule

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "the end")

    def _take(self, kind: str, text: str) -> bool:
        if self._peek() == (kind, text):
            self._next += 1
            return True
        return False

    def _need(self, sign: str) -> None:
        if not self._take("sign", sign):
            raise _error(f"{sign!r} expected before {self._peek()[1]!r}")

    def _joined(self, word: str, part: Callable[[], Rule]) -> Rule:
        parts = [part()]
        while self._take("word", word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Rule(word, tuple(parts))

    def _or(self) -> Rule:
        return self._joined("OR", lambda: self._joined("AND", self._not))

    def _not(self) -> Rule:
        negative = False
        while self._take("word", "NOT"):
            negative = not negative
        rule = self._element()
        return Rule("NOT", (rule,)) if negative else rule

    def _element(self) -> Rule:
        kind, text = self._peek()
        self._next += 1
        self.elements += 1
        if (kind, text) == ("sign", "("):
            self._depth += 1
            if self._depth > choices.DEEPEST_NESTING:
                raise _error("the rule is nested too deeply")
            rule = self._or()
            self._need(")")
            self._depth -= 1
            return rule
        if kind == "word" and text.upper() in ("TRUE", "FALSE"):
            return Rule(text.upper())
        if kind == "word" and text in STATES:
            self._need("(")
            child = self._reference()
            self._need(")")
            return Rule("state", child=child, state=text)
        if (kind, text) == ("word", "AT_LEAST"):
            return self._at_least()
        raise _error(f"Unsupported token {text!r} must be: {_STARTS}")

    def _at_least(self) -> Rule:
        self._need("(")
        kind, text = self._peek()
        self._next += 1
        found = re.fullmatch(r"(\d{1,3})(%?)", text, re.ASCII) if kind == "word" else None
        if found is None:
            raise _error(f"AT_LEAST takes a number or a percentage, not {text!r}")
        self._need(",")
        negative = self._take("word", "NOT")
        kind, state = self._peek()
        self._next += 1
        if kind != "word" or state not in STATES:
            raise _error(f"AT_LEAST takes ALARM, OK or INSUFFICIENT_DATA, not {state!r}")
        self._need(",")
        self._need("(")
        conditions = [Rule("state", child=self._reference(), state=state)]
        while self._take("sign", ","):
            conditions.append(Rule("state", child=self._reference(), state=state))
        self._need(")")
        self._need(")")
        self.elements += len(conditions) - 1
        if negative:
            conditions = [Rule("NOT", (condition,)) for condition in conditions]
        number, percent = int(found[1]), bool(found[2])
        if number < 1 or number > (100 if percent else len(conditions)):
            raise _error(f"AT_LEAST cannot ask for {text} of {len(conditions)} alarms")
        return Rule("AT_LEAST", tuple(conditions), share=number, percent=percent)

    def _reference(self) -> str:
        kind, text = self._peek()
        self._next += 1
        if kind == "quoted":
            name = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
        elif kind == "word":
            name = text
        else:
            raise _error(f"the name of an alarm expected before {text!r}")
        name = _name_in(name)
        if not name:
            raise _error("the name of an alarm is empty")
        return name
