"""From an expression's text to its syntax: a tokenizer and the grammars of three kinds of text.

A condition becomes a program in postfix order, so that neither reading nor carrying it out recurses
on what was sent. Updates and projections are flat lists. What does not depend on the request's
placeholders is checked here; the result is kept, because the same few texts come again and again.

Where AWS documents no order among several faults, the order is the one of recorded answers.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple, NoReturn

from grader.cloud.dynamodb.expressions.words import RESERVED

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_BYTES = 4096
MOST_OPERATORS = 300
MOST_IN = 100
MOST_LEVELS = 32
# Not documented; what a signed 32-bit integer holds.
MOST_INDEX = 2**31 - 1

CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}

_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_CONNECTIVES = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})
_SECTIONS = frozenset({"SET", "REMOVE", "ADD", "DELETE"})


class Invalid(Exception):
    """An expression that DynamoDB refuses; the message is what AWS says after the parameter."""


# -- tokens ----------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"[ \t\r\n\f]*(?:(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<ref>\#[A-Za-z0-9_]+)"
    r"|(?P<value>:[A-Za-z0-9_]+)|(?P<number>[0-9]+)|(?P<sign><>|<=|>=|[=<>()\[\],.+-])"
    r"|(?P<end>\Z)|(?P<odd>.))",
    re.DOTALL,
)


class Token(NamedTuple):
    """One token: what it is, its text, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


def _tokens(text: str) -> list[Token]:
    found = []
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        found.append(Token(kind, match[kind], match.start(kind), match.end()))
        if kind == "end":
            break
    return found


# -- syntax ----------------------------------------------------------------------------------

# A path as written: names and #placeholders as text, list places as numbers.
RawPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class PathNode:
    """A document path where a value is wanted."""

    path: RawPath


@dataclass(frozen=True, slots=True)
class ValueNode:
    """A ``:placeholder``."""

    name: str


@dataclass(frozen=True, slots=True)
class CallNode:
    """A function, or ``+`` or ``-``, and its operands."""

    name: str
    operands: tuple[Node, ...]


Node = PathNode | ValueNode | CallNode


@dataclass(frozen=True, slots=True)
class TestNode:
    """One comparison, or one function that is true or false: the operator and its operands."""

    __test__ = False

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ActionNode:
    """One action of an update; ``value`` is None for REMOVE."""

    section: Literal["SET", "REMOVE", "ADD", "DELETE"]
    path: RawPath
    value: Node | None


@dataclass(slots=True)
class _Faults:
    """Faults that are told only when the whole text could be read, the first of each kind."""

    found: dict[str, str] = field(default_factory=dict)

    def note(self, kind: str, sentence: str) -> None:
        self.found.setdefault(kind, sentence)

    def tell(self, *order: str) -> None:
        for kind in order:
            if kind in self.found:
                raise Invalid(self.found[kind])


class _Reader:
    """One expression being read."""

    def __init__(self, text: str) -> None:
        if not text:
            raise Invalid("The expression can not be empty;")
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MOST_BYTES:
            raise Invalid(
                f"Expression size has exceeded the maximum allowed size; expression size: {size}"
            )
        self.text = text
        self.tokens = _tokens(text)
        # Each token as a word of the grammar: keywords count in any case.
        self.words = [
            token.text.upper() if token.kind == "name" else token.text for token in self.tokens
        ]
        self.at = 0
        self.faults = _Faults()
        self.operators = 0
        # Where the bracket that opens at a place is closed.
        self.closed: dict[int, int] = {}

    # -- steps -------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    @property
    def word(self) -> str:
        """The token as a word of the grammar."""
        return self.words[self.at]

    def accept(self, *texts: str) -> str | None:
        """Step over the token if it is one of these; what it was."""
        word = self.words[self.at]
        if word in texts:
            self.at += 1
            return word
        return None

    def expect(self, text: str) -> None:
        if self.accept(text) is None:
            self.wrong()

    def wrong(self) -> NoReturn:
        """The token cannot stand here. AWS names it with the tokens before and after it."""
        token = self.token
        first = self.tokens[max(0, self.at - 1)].start
        last = self.tokens[min(len(self.tokens) - 1, self.at + 1)].end
        near = self.text[first:last].strip()
        shown = "<EOF>" if token.kind == "end" else token.text
        raise Invalid(f'Syntax error; token: "{shown}", near: "{near}"')

    def operator(self) -> None:
        """Count one operator or function; too many end the reading."""
        self.operators += 1
        if self.operators > MOST_OPERATORS:
            self.faults.tell("function")
            raise Invalid(
                f"The expression contains too many operators; operator count: {self.operators}"
            )

    def close(self, opened: int) -> None:
        """The token closes the bracket at ``opened``."""
        self.closed[opened] = self.at
        if self.closed.get(opened + 1) == self.at - 1:
            self.faults.note("parentheses", "The expression has redundant parentheses;")
        self.at += 1

    # -- parts that all grammars share -------------------------------------------------------

    def path(self) -> RawPath:
        parts: list[str | int] = [self._name()]
        while True:
            if self.accept("."):
                parts.append(self._name())
            elif self.accept("["):
                if self.token.kind != "number":
                    self.wrong()
                parts.append(self._index(self.token.text))
                self.at += 1
                self.expect("]")
            else:
                break
        if len(parts) > MOST_LEVELS:
            self.faults.note(
                "levels",
                f"The document path has too many nesting levels; nesting levels: {len(parts)}",
            )
        return tuple(parts)

    def _name(self) -> str:
        token = self.token
        if token.kind not in ("name", "ref"):
            self.wrong()
        if token.kind == "name" and token.text.upper() in RESERVED:
            self.faults.note(
                "reserved",
                f"Attribute name is a reserved keyword; reserved keyword: {token.text}",
            )
        self.at += 1
        return token.text

    def _index(self, digits: str) -> int:
        if len(digits) > 10 or int(digits) > MOST_INDEX:
            self.faults.note(
                "index",
                f"List index is not within the allowable range; index: [{digits}]",
            )
            return 0
        return int(digits)

    def operand(self, functions: dict[str, int]) -> Node:
        """A path, a ``:value`` or a function, in brackets or not."""
        opened = []
        while self.token.text == "(" and self.token.kind == "sign":
            opened.append(self.at)
            self.at += 1
        node = self.bare(functions)
        while opened:
            if self.word != ")":
                self.wrong()
            self.close(opened.pop())
        return node

    def bare(self, functions: dict[str, int]) -> Node:
        """An operand without brackets around it; functions in functions wait on a list."""
        calls: list[tuple[str, list[Node], list[int]]] = []
        opened: list[int] = []
        while True:
            while calls and self.word == "(":
                opened.append(self.at)
                self.at += 1
            token = self.token
            if token.kind == "name" and self.tokens[self.at + 1].text == "(":
                self._check_function(token.text, functions)
                self.at += 2
                calls.append((token.text, [], opened))
                opened = []
                continue
            node = self._leaf(token)
            while True:
                while opened and self.word == ")":
                    self.close(opened.pop())
                if not calls:
                    return node
                if opened:
                    self.wrong()
                name, operands, outside = calls[-1]
                operands.append(node)
                if self.accept(","):
                    break
                self.expect(")")
                calls.pop()
                node, opened = self._called(name, operands, functions), outside

    def _leaf(self, token: Token) -> Node:
        if token.kind == "value":
            self.at += 1
            return ValueNode(token.text)
        if token.kind == "name" and token.text.upper() in _CONNECTIVES:
            self.wrong()
        return PathNode(self.path())

    def _check_function(self, name: str, functions: dict[str, int]) -> None:
        if name not in functions:
            other = name in CONDITION_FUNCTIONS or name in UPDATE_FUNCTIONS
            kind = "an update" if functions is UPDATE_FUNCTIONS else "a condition"
            self.faults.note(
                "function",
                f"The function is not allowed in {kind} expression; function: {name}"
                if other
                else f"Invalid function name; function: {name}",
            )
        self.operator()

    def _called(self, name: str, operands: list[Node], functions: dict[str, int]) -> CallNode:
        wanted = functions.get(name)
        if wanted is not None and wanted != len(operands):
            self.faults.note(
                "count",
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(operands)}",
            )
        self.no_value(operands)
        return CallNode(name, tuple(operands))

    def no_value(self, operands: list[Node]) -> None:
        """Note the functions that cannot stand among operands.

        That ``list_append`` cannot stand inside another function is recorded, not documented.
        """
        for node in operands:
            if isinstance(node, CallNode) and node.name not in ("size", "if_not_exists"):
                self.misused(node.name)

    def misused(self, name: str) -> None:
        """The function stands where it means nothing."""
        self.faults.note(
            "misused",
            f"The function is not allowed to be used this way in an expression; function: {name}",
        )


# -- conditions ------------------------------------------------------------------------------

# Tests, and the words AND, OR and NOT, in postfix order.
Program = tuple[TestNode | str, ...]

_BINDS = {"NOT": 3, "AND": 2, "OR": 1}


class _Conditions(_Reader):
    """A condition: operators wait on a stack until what they bind is known."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.program: list[TestNode | str] = []
        # Waiting words, and the places of open brackets.
        self.waiting: list[str | int] = []

    def read(self) -> Program:
        self._terms()
        while True:
            if word := self.accept("AND", "OR"):
                self._bind(word)
                self._terms()
            elif self.word == ")" and self._settle():
                continue
            else:
                break
        if self.token.kind != "end" or any(isinstance(one, int) for one in self.waiting):
            self.wrong()
        self.program += [str(word) for word in reversed(self.waiting)]
        self.faults.tell(
            "parentheses", "function", "misused", "reserved", "levels", "index", "count", "in"
        )
        return tuple(self.program)

    def _bind(self, word: str) -> None:
        """A word between two tests: what binds more tightly goes first."""
        self.operator()
        while self.waiting:
            top = self.waiting[-1]
            if isinstance(top, int) or _BINDS[top] < _BINDS[word]:
                break
            self.waiting.pop()
            self.program.append(top)
        self.waiting.append(word)

    def _settle(self) -> bool:
        """A bracket closes a group of tests; False where none is open."""
        while self.waiting:
            top = self.waiting.pop()
            if isinstance(top, int):
                self.close(top)
                return True
            self.program.append(top)
        return False

    def _terms(self) -> None:
        """NOTs and opening brackets, then one test."""
        while True:
            if self.accept("("):
                self.waiting.append(self.at - 1)
            elif self.word == "NOT" and self.token.kind == "name":
                self.operator()
                self.at += 1
                self.waiting.append("NOT")
            else:
                break
        first = self.bare(CONDITION_FUNCTIONS)
        # A bracket that is closed already stood around the operand, not around a test.
        while self.word == ")" and self.waiting:
            opened = self.waiting[-1]
            if not isinstance(opened, int):
                break
            if isinstance(first, CallNode) and not self._compares_after():
                break
            self.close(opened)
            self.waiting.pop()
        self.program.append(self._test(first))

    def _compares_after(self) -> bool:
        """Whether an operator follows behind the brackets that close here."""
        at = self.at
        while self.tokens[at].text == ")":
            at += 1
        token = self.tokens[at]
        return token.text in _COMPARATORS or token.text.upper() in ("BETWEEN", "IN")

    def _test(self, first: Node) -> TestNode:
        operator = self.accept(*_COMPARATORS, "BETWEEN", "IN")
        if operator is None:
            if not isinstance(first, CallNode):
                self.wrong()
            if first.name == "size":
                self.misused("size")
            return TestNode(first.name, first.operands)
        self.operator()
        operands = [first]
        if operator == "BETWEEN":
            operands.append(self.operand(CONDITION_FUNCTIONS))
            self.expect("AND")
            operands.append(self.operand(CONDITION_FUNCTIONS))
        elif operator == "IN":
            self.expect("(")
            operands.append(self.operand(CONDITION_FUNCTIONS))
            while self.accept(","):
                operands.append(self.operand(CONDITION_FUNCTIONS))
            self.expect(")")
            if len(operands) - 1 > MOST_IN:
                self.faults.note(
                    "in",
                    "The IN operator is provided with too many operands; "
                    f"number of operands: {len(operands) - 1}",
                )
        else:
            operands.append(self.operand(CONDITION_FUNCTIONS))
        self.no_value(operands)
        return TestNode(operator, tuple(operands))


@lru_cache(maxsize=512)
def condition(text: str) -> Program:
    """A condition, filter or key condition as a program. Raises `Invalid`."""
    return _Conditions(text).read()


# -- projections and updates -----------------------------------------------------------------


@lru_cache(maxsize=256)
def projection(text: str) -> tuple[RawPath, ...]:
    """The paths of a projection. Raises `Invalid`."""
    reader = _Reader(text)
    found = [reader.path()]
    while reader.accept(","):
        found.append(reader.path())
    if reader.token.kind != "end":
        reader.wrong()
    reader.faults.tell("reserved", "levels", "index")
    return tuple(found)


@lru_cache(maxsize=512)
def update(text: str) -> tuple[ActionNode, ...]:
    """The actions of an update, as written. Raises `Invalid`."""
    return _Updates(text).read()


class _Updates(_Reader):
    """An update: sections, each with actions."""

    def read(self) -> tuple[ActionNode, ...]:
        found: list[ActionNode] = []
        seen: set[str] = set()
        while self.token.kind != "end" or not found:
            section = self.accept(*_SECTIONS) if self.token.kind == "name" else None
            if section is None:
                self.wrong()
            if section in seen:
                self.faults.note(
                    "section",
                    f'The "{section}" section can only be used once in an update expression;',
                )
            seen.add(section)
            found.append(self._action(section))
            while self.accept(","):
                found.append(self._action(section))
        self.faults.tell(
            "parentheses", "reserved", "function", "section", "levels", "index", "count", "misused"
        )
        return tuple(found)

    def _action(self, section: str) -> ActionNode:
        path = self.path()
        if section == "REMOVE":
            return ActionNode("REMOVE", path, None)
        if section == "SET":
            self.expect("=")
            return ActionNode("SET", path, self._sum())
        if self.token.kind != "value":
            self.wrong()
        self.at += 1
        value = ValueNode(self.tokens[self.at - 1].text)
        return ActionNode("ADD" if section == "ADD" else "DELETE", path, value)

    def _sum(self) -> Node:
        """One operand or the sum or difference of two, in brackets or not; no third operand."""
        opened = []
        while self.token.text == "(":
            opened.append(self.at)
            self.at += 1
        node = self.bare(UPDATE_FUNCTIONS)
        while opened and self.word == ")":
            self.close(opened.pop())
        if sign := self.accept("+", "-"):
            self.operator()
            right = self.operand(UPDATE_FUNCTIONS)
            node = CallNode(sign, (node, right))
        while opened:
            if self.word != ")":
                self.wrong()
            self.close(opened.pop())
        return node
