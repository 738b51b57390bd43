"""The evaluator against a small model of it in plain Python, on generated items and expressions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.dynamodb.expressions import (
    Condition,
    Invalid,
    Placeholders,
    Update,
    UpdateFailed,
)
from grader.cloud.dynamodb.expressions.typed import number_text, settled

pytestmark = pytest.mark.slow
# The same examples in every run, and no clock: a busy machine proves nothing.
STEADY = settings(derandomize=True, deadline=None)

NAMES = ("a", "b", "c", "d1")

numbers = st.decimals(-1000, 1000, places=2).map(lambda one: {"N": str(one)})
texts = st.text("abé", max_size=3).map(lambda one: {"S": one})
values: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.one_of(
        numbers,
        texts,
        st.booleans().map(lambda one: {"BOOL": one}),
        st.just({"NULL": True}),
        st.sets(st.sampled_from("xyz"), min_size=1).map(lambda one: {"SS": sorted(one)}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda one: {"L": one}),
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=3).map(lambda one: {"M": one}),
    ),
    max_leaves=6,
)
items = st.dictionaries(st.sampled_from(NAMES), values.map(settled), max_size=4)


def plain(value: dict[str, Any]) -> Any:
    """A value with its type, comparable with == and within N and S with <."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind == "SS":
        return kind, frozenset(content)
    if kind == "L":
        return kind, [plain(one) for one in content]
    if kind == "M":
        return kind, {name: plain(one) for name, one in content.items()}
    return kind, content


def model(operator: str, left: dict[str, Any] | None, right: dict[str, Any] | None) -> bool:
    if left is None or right is None:
        return operator == "<>"
    one, other = plain(left), plain(right)
    if operator in ("=", "<>"):
        return (one == other) is (operator == "=")
    if one[0] != other[0] or one[0] not in ("N", "S"):
        return False
    a, b = one[1], other[1]
    if one[0] == "S":
        a, b = a.encode(), b.encode()
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator]


@settings(STEADY, max_examples=400)
@given(
    items,
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(["=", "<>", "<", "<=", ">", ">="]),
)
def test_two_attributes_compare_as_in_the_model(
    item: Any, left: str, right: str, operator: str
) -> None:
    if left == right:
        return
    condition = Condition.parse(f"{left} {operator} {right}", Placeholders())
    assert condition.holds(item) is model(operator, item.get(left), item.get(right))


@settings(STEADY, max_examples=400)
@given(items, st.sampled_from(NAMES), values, st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
def test_an_attribute_and_a_value_compare_as_in_the_model(
    item: Any, name: str, value: Any, operator: str
) -> None:
    try:
        condition = Condition.parse(f"{name} {operator} :v", Placeholders(None, {":v": value}))
    except Invalid:
        assert operator not in ("=", "<>")
        assert next(iter(value)) not in ("N", "S")
        return
    assert condition.holds(item) is model(operator, item.get(name), settled(value))


trees: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.one_of(
        st.tuples(st.just("NOT"), inner),
        st.tuples(st.sampled_from(["AND", "OR"]), inner, inner),
    ),
    max_leaves=12,
)


def written(tree: Any) -> str:
    """A tree as text, with brackets round everything that is not a test."""
    if isinstance(tree, str):
        return f"attribute_exists({tree})"
    parts = [written(one) if isinstance(one, str) else f"({written(one)})" for one in tree[1:]]
    return f"NOT {parts[0]}" if tree[0] == "NOT" else f" {tree[0]} ".join(parts)


def truth(tree: Any, item: Any) -> bool:
    if isinstance(tree, str):
        return tree in item
    parts = [truth(one, item) for one in tree[1:]]
    return not parts[0] if tree[0] == "NOT" else (all if tree[0] == "AND" else any)(parts)


@settings(STEADY, max_examples=400)
@given(trees, items)
def test_and_or_not_and_brackets_are_logic(tree: Any, item: Any) -> None:
    assert Condition.parse(written(tree), Placeholders()).holds(item) is truth(tree, item)


@settings(STEADY, max_examples=200)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(["AND", "OR", "AND NOT", "OR NOT"]))
    ),
    items,
)
def test_without_brackets_not_binds_before_and_before_or(steps: Any, item: Any) -> None:
    """Python binds them alike."""
    text, python = "attribute_exists(a)", "('a' in item)"
    for name, word in steps:
        text += f" {word} attribute_exists({name})"
        python += f" {word.lower()} ('{name}' in item)"
    assert Condition.parse(text, Placeholders()).holds(item) is eval(python, {"item": item})


@settings(STEADY, max_examples=400)
@given(st.text(st.sampled_from("ab :#.[]()=<>,+-0195_SETREMOVEandnotIN\n"), max_size=40))
def test_no_text_ends_in_anything_but_awss_refusal(text: str) -> None:
    for parse in (Condition.parse, Update.parse):
        try:
            parse(text, Placeholders({"#a": "a"}, {":a": {"N": "1"}}))
        except Invalid as refusal:
            assert str(refusal)


@settings(STEADY, max_examples=300)
@given(items, st.sampled_from(NAMES), values)
def test_set_and_remove_are_those_of_a_dict_and_touch_nothing_else(
    item: Any, name: str, value: Any
) -> None:
    before = repr(item)
    after = Update.parse(f"SET {name} = :v", Placeholders(None, {":v": value})).of(item, {})
    assert after == {**item, name: settled(value)}
    gone = Update.parse(f"REMOVE {name}", Placeholders()).of(item, {})
    assert gone == {key: one for key, one in item.items() if key != name}
    assert repr(item) == before


@settings(STEADY, max_examples=300)
@given(items, st.sampled_from(NAMES), numbers)
def test_add_is_addition_or_refused(item: Any, name: str, value: Any) -> None:
    update = Update.parse(f"ADD {name} :v", Placeholders(None, {":v": value}))
    current = item.get(name)
    try:
        after = update.of(item, {})
    except UpdateFailed:
        assert current is not None
        assert "N" not in current
        return
    assert after is not None
    total = Decimal(value["N"]) + (Decimal(current["N"]) if current else 0)
    assert Decimal(after[name]["N"]) == total


@settings(STEADY, max_examples=400)
@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_whatever_its_writing(number: Decimal) -> None:
    try:
        text = number_text(str(number))
    except Invalid:
        digits = str(number.as_tuple().digits and "".join(map(str, number.as_tuple().digits)))
        assert len(digits.strip("0")) > 38 or not -130 <= number.adjusted() <= 125
        return
    assert Decimal(text) == number
    assert number_text(text) == text
    assert "e" not in text.lower()
