"""Which line of a function's code to look at, read from the code alone.

A play shows what went wrong, not where. From the calls that write, `Source` goes backwards: to what
was handed over (assignments, parameters to their call sites, results of local functions) and to the
conditions that let a write be left out. Each question answers one kind of failure with a line's
number, or None where the code has no such place. Pure: text in, numbers out; code that cannot be
parsed has no places.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator
from typing import TypeVar

# Methods of boto3's clients and tables that write, and those that read what was written.
WRITES = (
    "transact_write_items",
    "update_item",
    "put_item",
    "batch_write_item",
    "execute_statement",
)
READS = ("get_item", "batch_get_item", "query", "scan")
ENTRIES = ("handler", "lambda_handler")

# Methods by which something is added to what is already noted.
COLLECTS = ("append", "add", "extend", "update")

_Function = ast.FunctionDef
_Node = TypeVar("_Node", bound=ast.AST)
_LEAVES = (ast.Return, ast.Continue, ast.Break)
_LOGS = re.compile(r"(log|logger|logging|self\.log)\b.*|print$")


class Source:
    """One file of a function's code and its places."""

    def __init__(self, text: str) -> None:
        try:
            self.tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.tree = ast.Module([], [])
        self._above = {
            id(part): node for node in ast.walk(self.tree) for part in ast.iter_child_nodes(node)
        }
        self._functions = {one.name: one for one in self._all(_Function)}

    # -- what went wrong, and where ----------------------------------------------------------------

    def skipping(self) -> int | None:
        """The condition nearest before a write by which it is left out."""
        for write in self.calls(*WRITES):
            for node in (self._statement(write), *self._behind(write)):
                if (condition := self._condition(node)) is not None:
                    return condition.lineno
        return None

    def bounding(self) -> int | None:
        """What bounds how many things one write takes: a constant, a slice, or what has none."""
        for write in self.calls(*WRITES):
            for node in self._behind(write):
                for part in ast.walk(node):
                    if isinstance(part, ast.Slice):
                        return self._constant(part) or node.lineno
            for part in ast.walk(write):
                if isinstance(part, ast.ListComp | ast.GeneratorExp):
                    return part.lineno
        return None

    def overwriting(self) -> int | None:
        """Where a later value takes the place of an earlier one, of what a write adds up."""
        for write in self.calls(*WRITES):
            for node in self._behind(write):
                for target in node.targets if isinstance(node, ast.Assign) else ():
                    if isinstance(target, ast.Subscript) and not isinstance(
                        target.slice, ast.Constant
                    ):
                        return node.lineno
        return None

    def remembering(self) -> int | None:
        """Where the name is given under which a write succeeds only once."""
        for guarded in self._writes_in_words(guarded=True):
            function = self._function(guarded)
            for call in self.calls(function.name if function else ""):
                return call.lineno
            # Nobody calls it, unless it writes itself or is the handler.
            if function and (function.name in ENTRIES or self._reaches(function, *WRITES)):
                return _entry(guarded, "Item", "Key") or guarded.lineno
        return None

    def racing(self) -> int | None:
        """A read that may be old, or what is written although somebody else has written it."""
        for call in self.calls(*READS):
            said = {word.arg for word in call.keywords}
            if None not in said and "ConsistentRead" not in ast.unparse(call):
                return call.lineno
        for bare in self._writes_in_words(guarded=False):
            if '"total"' not in ast.unparse(bare).replace("'", '"'):
                return _entry(bare, "UpdateExpression", "Item")
        return None

    def swallowing(self) -> int | None:
        """Where a failure ends as a success: a clause that only logs, or the answer."""
        for one in self._all(ast.ExceptHandler):
            # A condition of one write can only mean that somebody was here before.
            expected = one.type is not None and "ConditionalCheckFailed" in ast.unparse(one.type)
            idle = all(_is_idle(statement) for statement in one.body)
            if idle and not expected and self._reaches(self._above[id(one)], *WRITES, "int"):
                return one.body[-1].lineno
        return self.answering("batchItemFailures")

    def lasting(self, attribute: str) -> int | None:
        """What says for how long an item with this attribute is kept."""
        for one in self._all(ast.Dict):
            for key, value in zip(one.keys, one.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == attribute:
                    return self._constant(value) or key.lineno
        return None

    def answering(self, unless: str) -> int | None:
        """The last answer of the handler, if it does not raise and no answer says ``unless``."""
        entry = next((self._functions[name] for name in ENTRIES if name in self._functions), None)
        if entry is None or unless in ast.unparse(self.tree):
            return None
        if any(isinstance(one, ast.Raise) for one in ast.walk(entry)):
            return None
        answers = [one.lineno for one in ast.walk(entry) if isinstance(one, ast.Return)]
        return max(answers, default=entry.lineno)

    def cancelled(self) -> int | None:
        """How a refused condition or a cancelled transaction ends: what leaves its clause last."""
        for one in self._all(ast.ExceptHandler):
            if one.type is not None and any(
                word in ast.unparse(one.type) for word in ("Cancel", "Conditional")
            ):
                leaves = [part for part in ast.walk(one) if isinstance(part, _LEAVES)]
                return (leaves or one.body)[-1].lineno
        return None

    def reporting(self) -> int | None:
        """Where a clause about a failed write notes what failed, else where the answer names it."""
        for one in self._all(ast.ExceptHandler):
            last = one.body[-1]
            call = last.value if isinstance(last, ast.Expr) else None
            notes = isinstance(last, ast.AugAssign) or (
                isinstance(call, ast.Call) and _called(call) in COLLECTS
            )
            if notes and self._reaches(self._above[id(one)], *WRITES):
                return last.lineno
        return self.naming("itemIdentifier")

    def naming(self, word: str) -> int | None:
        """Where an entry with this name is built into what is handed over."""
        for node in self._all(ast.Dict):
            if (line := _entry(node, word)) is not None:
                return line
        return None

    def comparing(self) -> int | None:
        """Where a text comes from that is compared although it is a number; or the comparison."""
        for compared in self._all(ast.Compare):
            if isinstance(compared.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                for node in self._makers(compared):
                    if isinstance(node, ast.Assign) and "int(" not in ast.unparse(node.value):
                        return node.lineno
                return compared.lineno
        return None

    def looping(self, call: str, *, endless: bool) -> int | None:
        """Of the loop around a call what leaves it first; of an ``endless`` one the end of its look
        at each record, where nothing leaves it.
        """
        for one in self.calls(call):
            loop = next((up for up in self._upwards(one) if isinstance(up, ast.While)), None)
            if loop is None:
                continue
            leaves = [part for part in ast.walk(loop) if isinstance(part, ast.Return | ast.Break)]
            if not endless:
                return min((leave.lineno for leave in leaves), default=one.lineno)
            looks = [part for part in ast.walk(loop) if isinstance(part, ast.For)]
            return loop.lineno if leaves or not looks else looks[-1].end_lineno
        return None

    # -- the way backwards -------------------------------------------------------------------------

    def calls(self, *names: str) -> list[ast.Call]:
        """The calls of functions or methods with these names, in the order of the file."""
        found = [one for one in self._all(ast.Call) if _called(one) in names]
        return sorted(found, key=lambda one: (one.lineno, one.col_offset))

    def _behind(self, node: ast.expr) -> Iterator[ast.stmt]:
        """The statements that make what a node uses, the nearest first."""
        waiting: deque[ast.expr | ast.stmt] = deque([node])
        seen = {id(node)}
        while waiting:
            for one in self._makers(waiting.popleft()):
                if id(one) not in seen:
                    seen.add(id(one))
                    waiting.append(one)
                    yield one

    def _makers(self, node: ast.expr | ast.stmt) -> Iterator[ast.stmt]:
        """The statements that make what a node uses itself."""
        function = self._function(node)
        for name in dict.fromkeys(one.id for one in _own(node) if isinstance(one, ast.Name)):
            if function is not None and name in _parameters(function):
                yield from (self._statement(call) for call in self.calls(function.name))
            if (made := self._functions.get(name)) is not None:
                yield from (one for one in ast.walk(made) if isinstance(one, ast.Return))
            inside = self._binding(function, name)
            bound = inside or self._binding(None, name)
            yield from sorted(bound, key=lambda one: (one.lineno > node.lineno, -one.lineno))

    def _binding(self, function: _Function | None, name: str) -> list[ast.stmt]:
        """Where a function, or the module, gives a name its value or adds to it."""
        return [
            one
            for one in ast.walk(function or self.tree)
            if isinstance(one, ast.stmt) and self._function(one) is function and name in _bound(one)
        ]

    def _condition(self, node: ast.expr | ast.stmt) -> ast.If | None:
        """The nearest condition before or around a node by which it is not come to."""
        inner: ast.AST = node
        for outer in self._upwards(node):
            for _, block in ast.iter_fields(outer):
                if isinstance(block, list) and any(one is inner for one in block):
                    before = block[: next(n for n, one in enumerate(block) if one is inner)]
                    for one in reversed(before):
                        if isinstance(one, ast.If) and isinstance(one.body[-1], _LEAVES):
                            return one
                    if isinstance(outer, ast.If):
                        return outer
            inner = outer
        return None

    def _writes_in_words(self, *, guarded: bool) -> Iterator[ast.Dict]:
        """The dicts that describe a write of an item, with a condition or without."""
        for one in self._all(ast.Dict):
            names = {key.value for key in one.keys if isinstance(key, ast.Constant)}
            writes = bool(names & {"Item", "UpdateExpression"})
            if writes and guarded == ("ConditionExpression" in names):
                yield one

    def _upwards(self, node: ast.AST) -> Iterator[ast.AST]:
        """What stands around a node, up to its function."""
        while (above := self._above.get(id(node))) is not None:
            yield above
            if isinstance(above, ast.FunctionDef):
                return
            node = above

    def _function(self, node: ast.AST) -> _Function | None:
        return next((one for one in self._upwards(node) if isinstance(one, ast.FunctionDef)), None)

    def _statement(self, node: ast.expr) -> ast.stmt:
        return next(one for one in self._upwards(node) if isinstance(one, ast.stmt))

    def _constant(self, node: ast.AST) -> int | None:
        """Where a number of the module that a node uses is given."""
        for one in ast.walk(node):
            if isinstance(one, ast.Name):
                for given in self._binding(None, one.id):
                    return given.lineno
        return None

    def _reaches(self, node: ast.AST, *names: str) -> bool:
        """Whether something below a node, or a function that it calls, calls one of these."""
        waiting, seen = [node], set[str]()
        while waiting:
            for one in ast.walk(waiting.pop()):
                name = _called(one) if isinstance(one, ast.Call) else ""
                if name in names:
                    return True
                if name in self._functions and name not in seen:
                    seen.add(name)
                    waiting.append(self._functions[name])
        return False

    def _all(self, kind: type[_Node]) -> list[_Node]:
        return [one for one in ast.walk(self.tree) if isinstance(one, kind)]


def _called(call: ast.Call) -> str:
    """The name of what is called: of a function, or of a method."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _own(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
    """What a node uses itself: of a loop or a condition not what stands inside."""
    if isinstance(node, ast.For):
        yield from (*ast.walk(node.iter),)
    elif isinstance(node, ast.While | ast.If):
        yield from ast.walk(node.test)
    else:
        yield from ast.walk(node)


def _parameters(function: _Function) -> set[str]:
    return {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement gives a value, or to whose value it adds."""
    match statement:
        case ast.Assign(targets=targets):
            pass
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target) | ast.For(target=target):
            targets = [target]
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=target))):
            targets = [target]
        case _:
            targets = []
    # The first name of `a.b(c).d`, `a[b]` or `a, b` is what is changed.
    return {name for target in targets for name in _changed(target)}


def _changed(target: ast.expr) -> Iterator[str]:
    match target:
        case ast.Name(id=name):
            yield name
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from _changed(part)
        case ast.Subscript(value=inner) | ast.Attribute(value=inner) | ast.Starred(value=inner):
            yield from _changed(inner)
        case ast.Call(func=inner):
            yield from _changed(inner)


def _is_idle(statement: ast.stmt) -> bool:
    """Whether a statement neither raises nor keeps anything: it logs, goes on, or gives up."""
    match statement:
        case ast.Pass() | ast.Continue() | ast.Break() | ast.Return(value=None):
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call() as call):
            return bool(_LOGS.match(ast.unparse(call.func)))
    return False


def _entry(node: ast.Dict, *names: str) -> int | None:
    """The line of the first of these entries that a dict has."""
    lines = {one.value: one.lineno for one in node.keys if isinstance(one, ast.Constant)}
    return next((lines[name] for name in names if name in lines), None)
