"""Updates: what DynamoDB refuses of their text, and the item that each makes of another.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from grader.cloud.dynamodb.expressions import (
    Invalid,
    Placeholders,
    Projection,
    Update,
    UpdateFailed,
)

ITEM: dict[str, Any] = {
    "id": {"S": "a"},
    "n": {"N": "5"},
    "s": {"S": "pear"},
    "ss": {"SS": ["fig", "pear"]},
    "ns": {"NS": ["1", "5"]},
    "l": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}]},
    "m": {"M": {"k": {"N": "7"}, "l": {"L": [{"S": "a"}]}}},
}
VALUES: dict[str, Any] = {
    ":n": {"N": "2"},
    ":zero": {"N": "0"},
    ":s": {"S": "fig"},
    ":ss": {"SS": ["fig", "kiwi"]},
    ":fruit": {"SS": ["fig", "pear"]},
    ":ns": {"NS": ["5", "9"]},
    ":l": {"L": [{"S": "x"}]},
    ":m": {"M": {}},
    ":yes": {"BOOL": True},
}


def bound(text: str, values: dict[str, Any] | None = None) -> Update:
    return Update.parse(text, Placeholders({"#n": "n", "#dot": "a.b"}, values or VALUES))


def numbers(*texts: str) -> dict[str, Any]:
    return {"L": [{"N": text} for text in texts]}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("SET x = :n", {"x": {"N": "2"}}),
        ("set x=:n,y = :s", {"x": {"N": "2"}, "y": {"S": "fig"}}),
        ("SET #n = #n + :n", {"n": {"N": "7"}}),
        ("SET n = :n - n", {"n": {"N": "-3"}}),
        ("SET n = (n + :n)", {"n": {"N": "7"}}),
        ("SET n = (n) + (:n)", {"n": {"N": "7"}}),
        ("SET x = n, n = :n", {"x": {"N": "5"}, "n": {"N": "2"}}),
        ("SET copied = id", {"copied": {"S": "a"}}),
        ("SET #dot = :n", {"a.b": {"N": "2"}}),
        ("SET x = if_not_exists(x, :zero) + :n", {"x": {"N": "2"}}),
        ("SET n = if_not_exists(n, :zero) + :n", {"n": {"N": "7"}}),
        ("SET x = if_not_exists(q, if_not_exists(n, :n))", {"x": {"N": "5"}}),
        ("SET x = if_not_exists(s.q, :n)", {"x": {"N": "2"}}),
        ("SET m.fresh = m.k", {"m": {"M": {**ITEM["m"]["M"], "fresh": {"N": "7"}}}}),
        (
            "SET m.l = list_append(m.l, :l)",
            {"m": {"M": {**ITEM["m"]["M"], "l": {"L": [{"S": "a"}, {"S": "x"}]}}}},
        ),
        ("SET x = list_append(if_not_exists(x, :l), :l)", {"x": {"L": [{"S": "x"}, {"S": "x"}]}}),
        ("SET l[1] = :n", {"l": numbers("0", "2", "2", "3")}),
        ("SET l[20] = :n, l[10] = :zero", {"l": numbers("0", "1", "2", "3", "0", "2")}),
        ("REMOVE l[0] SET l[2] = :n", {"l": numbers("1", "2", "3")}),
        ("SET l[2] = :zero REMOVE l[0], l[1], l[9]", {"l": numbers("0", "3")}),
        ("SET l[7] = :n REMOVE l[3]", {"l": numbers("0", "1", "2", "2")}),
        ("REMOVE s", {"s": None}),
        ("REMOVE s, q, m.q", {"s": None}),
        ("REMOVE m.k", {"m": {"M": {"l": ITEM["m"]["M"]["l"]}}}),
        ("ADD n :n", {"n": {"N": "7"}}),
        ("ADD x :n, y :ss", {"x": {"N": "2"}, "y": {"SS": ["fig", "kiwi"]}}),
        ("ADD ss :ss", {"ss": {"SS": ["fig", "kiwi", "pear"]}}),
        ("ADD ns :ns", {"ns": {"NS": ["1", "5", "9"]}}),
        ("ADD m.k :n", {"m": {"M": {**ITEM["m"]["M"], "k": {"N": "9"}}}}),
        ("ADD l[1] :n", {"l": numbers("0", "3", "2", "3")}),
        ("DELETE ss :ss", {"ss": {"SS": ["pear"]}}),
        ("DELETE ss :fruit", {"ss": None}),
        ("DELETE q :ss", {}),
        (
            "SET x = :n REMOVE s ADD n :n DELETE ss :ss",
            {"x": {"N": "2"}, "s": None, "n": {"N": "7"}, "ss": {"SS": ["pear"]}},
        ),
    ],
)
def test_an_update_changes_what_it_names_and_reads_the_item_before(
    text: str, changed: dict[str, Any]
) -> None:
    before = copy.deepcopy(ITEM)
    expected = {name: value for name, value in {**ITEM, **changed}.items() if value is not None}
    assert bound(text).of(ITEM, {"id": ITEM["id"]}) == expected
    assert before == ITEM, "the item before is not touched"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("SET x = :n", {"x": {"N": "2"}}),
        ("ADD x :n", {"x": {"N": "2"}}),
        ("SET x = :n REMOVE y", {"x": {"N": "2"}}),
        ("REMOVE x", None),
        ("REMOVE x.y, l[0]", None),
        ("DELETE x :ss", None),
        ("REMOVE x DELETE y :ss", None),
    ],
)
def test_taking_away_from_no_item_makes_none(text: str, made: dict[str, Any] | None) -> None:
    """A10: neither an item nor a record in the stream."""
    expected = None if made is None else {"id": {"S": "new"}, **made}
    assert bound(text).of(None, {"id": {"S": "new"}}) == expected


WRONG_TYPE = "An operand in the update expression has an incorrect data type"
WRONG_PATH = "The document path provided in the update expression is invalid for update"
NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("SET s.a = :n", WRONG_PATH),
        ("SET n.a.b = :n", WRONG_PATH),
        ("SET ss.a = :n", WRONG_PATH),
        ("SET ss[0] = :n", WRONG_PATH),
        ("SET l.a = :n", WRONG_PATH),
        ("SET m[0] = :n", WRONG_PATH),
        ("SET q.a = :n", WRONG_PATH),
        ("SET q[0] = :n", WRONG_PATH),
        ("SET l[9].x = :n", WRONG_PATH),
        ("REMOVE s.a", WRONG_PATH),
        ("REMOVE q[0]", WRONG_PATH),
        ("ADD s.a :n", WRONG_PATH),
        ("SET x = q", NO_ATTRIBUTE),
        ("SET x = q + :n", NO_ATTRIBUTE),
        ("SET x = :n, y = x", NO_ATTRIBUTE),
        ("SET x = s.q", NO_ATTRIBUTE),
        ("SET x = s + :n", WRONG_TYPE),
        ("SET x = list_append(n, :l)", WRONG_TYPE),
        ("ADD s :n", WRONG_TYPE),
        ("ADD n :ss", WRONG_TYPE),
        ("ADD ss :ns", WRONG_TYPE),
        ("DELETE ss :ns", WRONG_TYPE),
        ("DELETE n :ss", WRONG_TYPE),
    ],
)
def test_an_update_that_does_not_fit_the_item_fails(text: str, sentence: str) -> None:
    """Below a text, a number, a set there is no path (A6); it is never a silent success."""
    with pytest.raises(UpdateFailed) as failure:
        bound(text).of(ITEM, {"id": ITEM["id"]})
    assert str(failure.value) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The expression can not be empty;"),
        ("x = :n", 'Syntax error; token: "x", near: "x ="'),
        ("SET n = n + :n + :n", 'Syntax error; token: "+", near: ":n + :n"'),
        ("SET n = n * :n", 'Syntax error; token: "*", near: "n * :n"'),
        ("SET n = :n,", 'Syntax error; token: "<EOF>", near: ","'),
        ("SET n == :n", 'Syntax error; token: "=", near: "== :n"'),
        ("SET event-id = :n", 'Syntax error; token: "-", near: "event-id"'),
        ("SET :n = :n", 'Syntax error; token: ":n", near: "SET :n ="'),
        ("SET x = 5", 'Syntax error; token: "5", near: "= 5"'),
        ("ADD n n", 'Syntax error; token: "n", near: "n n"'),
        ("SET x = if_not_exists(x, :n + :n)", 'Syntax error; token: "+"'),
        ("SET x = (n + :n", 'Syntax error; token: "<EOF>"'),
        ("SET x = ((n + :n))", "The expression has redundant parentheses;"),
        ("SET a = :n SET b = :n", 'The "SET" section can only be used once'),
        ("SET name = :n", "reserved keyword; reserved keyword: name"),
        ("SET a = :n, a = :s", "Two document paths overlap with each other"),
        ("SET a = :n REMOVE a.b", "path one: [a], path two: [a, b]"),
        ("SET a.b = :n REMOVE a", "path one: [a, b], path two: [a]"),
        ("SET a.b = :n, a[1] = :n", "conflict with each other; must remove or rewrite one"),
        ("SET a[1] = :n, a[1][2] = :n", "path one: [a, [1]], path two: [a, [1], [2]]"),
        ("SET #n = :n, n = :n", "Two document paths overlap"),
        ("SET a = nope(:n)", "Invalid function name; function: nope"),
        ("SET a = size(n)", "not allowed in an update expression; function: size"),
        ("SET a = if_not_exists(a)", "function: if_not_exists, number of operands: 1"),
        ("SET a = if_not_exists(:n, :n)", "requires a document path"),
        ("SET a = list_append(list_append(:l, :l), :l)", "used this way in an expression"),
        ("SET a = list_append(:n, :l)", "operator or function: list_append, operand type: N"),
        ("SET a = n + :s", "operator or function: +, operand type: S"),
        ("SET a = list_append(l, :l) - :n", "operator or function: -, operand type: L"),
        ("ADD a :s", "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("ADD a :l", "operator: ADD, operand type: LIST"),
        ("ADD a :yes", "operator: ADD, operand type: BOOLEAN"),
        ("DELETE a :n", "operator: DELETE, operand type: NUMBER"),
        ("SET a = :q", "attribute value used in expression is not defined; attribute value: :q"),
        ("SET a = #q", "the document path is not defined; attribute name: #q"),
    ],
)
def test_an_update_is_refused_whatever_the_item(text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        bound(text)
    assert sentence in str(refusal.value)


@pytest.mark.parametrize(
    ("one", "sign", "other", "result"),
    [
        ("10000000000000000000000", "-", "1", "9999999999999999999999"),
        ("9e125", "+", "9e124", "99" + "0" * 124),
        ("0.1", "+", "0.2", "0.3"),
        ("1e-130", "-", "1e-130", "0"),
        ("9e125", "+", "9e125", None),
        ("1e50", "+", "1", None),
        ("1e125", "-", "1e-130", None),
    ],
)
def test_arithmetic_is_exact_to_38_digits_or_fails(
    one: str, sign: str, other: str, result: str | None
) -> None:
    update = bound(f"SET x = :a {sign} :b", {":a": {"N": one}, ":b": {"N": other}})
    if result is None:
        with pytest.raises(UpdateFailed, match="Number overflow"):
            update.of(ITEM, {})
    else:
        assert update.of({}, {}) == {"x": {"N": result}}


@pytest.mark.parametrize(
    ("text", "after", "before"),
    [
        ("SET m.k = :n", {"m": {"M": {"k": {"N": "2"}}}}, {"m": {"M": {"k": {"N": "7"}}}}),
        ("SET l[1] = :n", {"l": numbers("2")}, {"l": numbers("1")}),
        ("SET n = :n, q = :n", {"n": {"N": "2"}, "q": {"N": "2"}}, {"n": {"N": "5"}}),
        ("REMOVE s", {}, {"s": {"S": "pear"}}),
    ],
)
def test_what_an_update_touched_is_only_what_its_paths_name(
    text: str, after: dict[str, Any], before: dict[str, Any]
) -> None:
    """B1: UPDATED_NEW and UPDATED_OLD of a path show the path, not the whole attribute."""
    update = bound(text)
    assert update.touched(update.of(ITEM, {})) == after
    assert update.touched(ITEM) == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("n", {"n": {"N": "5"}}),
        ("#n, s", {"n": {"N": "5"}, "s": {"S": "pear"}}),
        ("m.k", {"m": {"M": {"k": {"N": "7"}}}}),
        ("m.l[0], m.k", {"m": ITEM["m"]}),
        ("l[3], l[0]", {"l": numbers("0", "3")}),
        ("l[9]", {}),
        ("n.x, s[0], q.r", {}),
        ("m.q, n", {"n": {"N": "5"}}),
    ],
)
def test_a_projection_shows_what_stands_at_its_paths(text: str, shown: dict[str, Any]) -> None:
    """A path through a scalar shows nothing (C7)."""
    assert Projection.parse(text, Placeholders({"#n": "n"})).of(ITEM) == shown


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a, a", "overlap"),
        ("a, a.b", "overlap"),
        ("a.b[0].c, a.b", "overlap"),
        ("a.b, a[0]", "conflict"),
        ("#undefined", "attribute name: #undefined"),
        ("a,", 'token: "<EOF>"'),
        ("a b", 'token: "b", near: "a b"'),
        ("event-id", 'token: "-", near: "event-id"'),
        ("year", "reserved keyword: year"),
        (":v", 'token: ":v"'),
        ("", "can not be empty"),
    ],
)
def test_a_projection_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Projection.parse(text, Placeholders())
    assert sentence in str(refusal.value)
