"""What a template's parts name, and the order that follows from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from grader.cloud.template.model import Mark
from grader.cloud.template.unknown import Unknown
from grader.cloud.template.yaml_lines import Call, Fields, Items, Node, Scalar

PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


@dataclass(frozen=True)
class Reference:
    """One place that names something; ``attribute`` is None for Ref, empty when not written out."""

    name: str
    attribute: str | None
    mark: Mark


def references(node: Node, conditions: Mapping[str, bool | Unknown] | None) -> Iterator[Reference]:
    """Yield what a node names, in order; with ``conditions`` only through branches taken."""
    if isinstance(node, Items):
        for item in node.items:
            yield from references(item, conditions)
    elif isinstance(node, Fields):
        for _, _, value in node:
            yield from references(value, conditions)
    elif isinstance(node, Call):
        yield from _references_of_call(node, conditions)


def _references_of_call(
    call: Call, conditions: Mapping[str, bool | Unknown] | None
) -> Iterator[Reference]:
    argument = call.argument
    if call.function == "Ref" and isinstance(argument, Scalar):
        yield Reference(argument.text, None, argument.mark)
        return
    if call.function == "Fn::GetAtt":
        name, attribute, mark = _attribute_names(argument)
        if name is not None:
            yield Reference(name, attribute, mark)
        if isinstance(argument, Items):
            yield from references(argument, conditions)
        return
    if call.function == "Fn::If" and conditions is not None:
        branch = _branch(argument, conditions)
        if branch is not None:
            yield from references(branch, conditions)
            return
    if call.function == "Fn::Sub":
        text, variables = sub_parts(argument)
        own = [key for key, _, _ in variables] if variables else []
        for name in placeholders(text.text if text else ""):
            if name not in own and text is not None:
                logical_id, _, attribute = name.partition(".")
                yield Reference(logical_id, attribute or None, text.mark)
        if variables is not None:
            yield from references(variables, conditions)
        return
    yield from references(argument, conditions)


def condition_names(node: Node, *, of_conditions: bool = False) -> Iterator[tuple[str, Mark]]:
    """Yield the conditions that a node names; ``of_conditions`` reads ``Condition: Name`` too."""
    if isinstance(node, Items):
        for item in node.items:
            yield from condition_names(item, of_conditions=of_conditions)
    elif isinstance(node, Fields):
        inner = node.node("Condition")
        if of_conditions and len(node.fields) == 1 and isinstance(inner, Scalar):
            yield inner.text, inner.mark
            return
        for _, _, value in node:
            yield from condition_names(value, of_conditions=of_conditions)
    elif isinstance(node, Call):
        named: Node | None = node.argument if node.function == "Condition" else None
        if node.function == "Fn::If" and isinstance(node.argument, Items) and node.argument.items:
            named = node.argument.items[0]
        if isinstance(named, Scalar):
            yield named.text, named.mark
        yield from condition_names(node.argument, of_conditions=of_conditions)


def placeholders(text: str) -> list[str]:
    """Return the names between ``${`` and ``}`` in text for Fn::Sub, literals left out."""
    return [name for name in PLACEHOLDER.findall(text) if not name.startswith("!")]


def _attribute_names(argument: Node) -> tuple[str | None, str | None, Mark]:
    """Return logical id and attribute of a GetAtt, as far as they are written out."""
    if isinstance(argument, Scalar):
        logical_id, _, attribute = argument.text.partition(".")
        return logical_id, attribute, argument.mark
    if isinstance(argument, Items) and argument.items:
        first, rest = argument.items[0], argument.items[1:]
        if isinstance(first, Scalar):
            texts = [item.text for item in rest if isinstance(item, Scalar)]
            return first.text, ".".join(texts) if len(texts) == len(rest) else "", first.mark
    return None, None, argument.mark


def _branch(argument: Node, conditions: Mapping[str, bool | Unknown]) -> Node | None:
    """Return the branch that an If takes, or None when that cannot be told."""
    if not isinstance(argument, Items) or len(argument.items) != 3:
        return None
    name = argument.items[0]
    decision = conditions.get(name.text) if isinstance(name, Scalar) else None
    return argument.items[1 if decision else 2] if isinstance(decision, bool) else None


def sub_parts(argument: Node) -> tuple[Scalar | None, Fields | None]:
    """Return the text and the variables of a Sub."""
    if isinstance(argument, Scalar):
        return argument, None
    if isinstance(argument, Items) and argument.items and isinstance(argument.items[0], Scalar):
        variables = argument.items[1] if len(argument.items) == 2 else None
        return argument.items[0], variables if isinstance(variables, Fields) else None
    return None, None


def written(node: Node) -> str:
    """A node as short text that is the same for the same functions and arguments."""
    if isinstance(node, Call):
        if node.function == "Ref" and isinstance(node.argument, Scalar):
            return node.argument.text
        return f"{node.function.removeprefix('Fn::')} {written(node.argument)}"
    if isinstance(node, Scalar):
        return node.text
    if node.size > 500:
        return f"what stands in line {node.mark[0]}, column {node.mark[1]}"
    if isinstance(node, Items):
        return ", ".join(written(item) for item in node.items)
    assert isinstance(node, Fields)
    return json.dumps({key: written(inner) for key, _, inner in node})


def in_order(needs: Mapping[str, Iterable[str]]) -> tuple[list[str], list[list[str]]]:
    """Order names so that each comes after what it needs, else in the order given.

    Returns the order of what can be ordered, and the cycles: each a chain of names, every one of
    which needs the next and the last of which needs the first. What waits for a cycle is ordered
    after the rest. Works without recursion, however long the chains are.
    """
    order: list[str] = []
    cycles: list[list[str]] = []
    state: dict[str, str] = {}
    in_cycle: set[str] = set()
    for start in needs:
        if start in state:
            continue
        state[start] = "open"
        chain = [start]
        waiting = [iter(needs[start])]
        while chain:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                done = chain.pop()
                state[done] = "done"
                if done not in in_cycle:
                    order.append(done)
            elif state.get(step) == "open":
                cycle = chain[chain.index(step) :]
                if not in_cycle.intersection(cycle):
                    cycles.append(cycle)
                in_cycle.update(cycle)
            elif step not in state:
                state[step] = "open"
                chain.append(step)
                waiting.append(iter(needs[step]))
    return order, cycles


def chain(cycle: list[str]) -> str:
    """Return a cycle as ``A → B → A``; the middle of a long one is counted."""
    names = [*cycle, cycle[0]]
    if len(names) > 13:
        names = [*names[:6], f"({len(names) - 12} more)", *names[-6:]]
    return " → ".join(names)
