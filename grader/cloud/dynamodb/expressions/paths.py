"""Document paths: what stands at one, what an item shows of several, which may not stand together.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.Attributes.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grader.cloud.dynamodb.expressions import grammar
from grader.cloud.dynamodb.expressions.grammar import Invalid
from grader.cloud.dynamodb.expressions.placeholders import Path, Placeholders
from grader.cloud.dynamodb.expressions.typed import Item, Value

# Paths that share their beginnings: a name or place, to what follows it. A path's end holds what
# the caller put there.
Tree = dict[str | int, Any]


def text(path: Sequence[str | int]) -> str:
    """A path as AWS prints it: ``[a, [0], b]``."""
    return "[" + ", ".join(f"[{one}]" if isinstance(one, int) else one for one in path) + "]"


def value_at(item: Item | None, path: Path) -> Value | None:
    """What stands at a path, None where nothing does: also below what is no map or list."""
    if item is None:
        return None
    value = item.get(path[0])  # type: ignore[arg-type]
    for part in path[1:]:
        if value is None:
            return None
        if isinstance(part, str):
            content = value.get("M")
            value = None if content is None else content.get(part)
        else:
            content = value.get("L")
            value = content[part] if content is not None and part < len(content) else None
    return value


def tree(entries: Sequence[tuple[Path, Any]]) -> Tree:
    """Paths with what belongs to each, joined where they run together.

    `Invalid` when one lies on another, or when one place would have to be a map and a list.
    """
    root: Tree = {}
    for path, entry in entries:
        node = root
        for depth, part in enumerate(path):
            if node and type(next(iter(node))) is not type(part):
                raise _clash("conflict", _first(node, path[:depth]), path)
            if depth == len(path) - 1:
                if part in node:
                    raise _clash("overlap", _first(node[part], path), path)
                node[part] = End(entry)
            else:
                below = node.setdefault(part, {})
                if isinstance(below, End):
                    raise _clash("overlap", path[: depth + 1], path)
                node = below
    return root


class End:
    """Where a path ends, with what belongs to it."""

    __slots__ = ("entry",)

    def __init__(self, entry: Any) -> None:
        self.entry = entry


def _first(node: Tree | End, start: Path) -> Path:
    """The first path that runs through a node at ``start``."""
    while isinstance(node, dict):
        part = next(iter(node))
        start, node = (*start, part), node[part]
    return start


def _clash(how: str, one: Path, two: Path) -> Invalid:
    return Invalid(
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {text(one)}, path two: {text(two)}"
    )


class Projection:
    """The paths of an item that a read asks for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self._tree = tree([(path, True) for path in paths])

    @classmethod
    def parse(cls, expression: str, placeholders: Placeholders) -> Projection:
        """A ProjectionExpression. `Invalid` as AWS would say it."""
        return cls([placeholders.path(raw) for raw in grammar.projection(expression)])

    def of(self, item: Item) -> Item:
        """What the item has at these paths; elements of lists move together."""
        return _shown_map(item, self._tree)


def _shown_map(content: Item, wanted: Tree) -> Item:
    found = {}
    for name, below in wanted.items():
        value = content.get(name)  # type: ignore[arg-type]
        if value is not None:
            shown = _shown(value, below)
            if shown is not None:
                found[str(name)] = shown
    return found


def _shown(value: Value, wanted: Any) -> Value | None:
    if isinstance(wanted, End):
        return value
    if isinstance(next(iter(wanted)), str):
        content = value.get("M")
        shown = None if content is None else _shown_map(content, wanted)
        return {"M": shown} if shown else None
    elements = value.get("L") or []
    parts = [_shown(elements[at], wanted[at]) for at in sorted(wanted) if at < len(elements)]
    kept = [part for part in parts if part is not None]
    return {"L": kept} if kept else None
