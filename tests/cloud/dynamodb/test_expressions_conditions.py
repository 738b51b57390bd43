"""Conditions: what DynamoDB refuses of their text, in its words, and what they make of an item.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from grader.cloud.dynamodb.expressions import Condition, Invalid, KeyCondition, Placeholders
from grader.cloud.dynamodb.expressions.words import RESERVED

ITEM: dict[str, Any] = {
    "n": {"N": "5"},
    "s": {"S": "pear"},
    "b": {"B": "AQID"},
    "yes": {"BOOL": True},
    "nil": {"NULL": True},
    "ss": {"SS": ["fig", "pear"]},
    "ns": {"NS": ["1", "5"]},
    "bs": {"BS": ["AQID"]},
    "l": {"L": [{"N": "5"}, {"M": {"x": {"S": "deep"}}}]},
    "m": {"M": {"k": {"N": "7"}, "l": {"L": [{"S": "a"}]}}},
}
VALUES: dict[str, Any] = {
    ":n": {"N": "5"},
    ":n6": {"N": "6"},
    ":n10": {"N": "10"},
    ":one": {"N": "1"},
    ":s": {"S": "pear"},
    ":z": {"S": "zebra"},
    ":b": {"B": "AQID"},
    ":b1": {"B": "AQ=="},
    ":yes": {"BOOL": True},
    ":nil": {"NULL": True},
    ":ss": {"SS": ["pear", "fig"]},
    ":m": {"M": {"k": {"N": "7"}, "l": {"L": [{"S": "a"}]}}},
    ":l": {"L": []},
    ":type": {"S": "N"},
    ":odd": {"S": "number"},
    ":p": {"S": "pe"},
}


def bound(text: str, names: dict[str, str] | None = None) -> Condition:
    """A condition with exactly the values of VALUES that it names."""
    used = {key: VALUES[key] for key in re.findall(r":\w+", text) if key in VALUES}
    placeholders = Placeholders(names, used or None)
    condition = Condition.parse(text, placeholders)
    placeholders.all_used()
    return condition


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("n = :n", True),
        (":n = n", True),
        ("n = :n6", False),
        ("n <> :n6", True),
        ("n < :n10", True),
        ("n > :n10", False),
        ("n <= :n AND n >= :n", True),
        ("n BETWEEN :one AND :n", True),
        ("n BETWEEN :n6 AND :n10", False),
        ("n IN (:one, :n)", True),
        ("n IN (:one)", False),
        ("s < :z", True),
        ("b > :b1", True),
        ("ss = :ss", True),
        ("m = :m", True),
        ("m.k > n", True),
        ("l[0] = n", True),
        ("l[1].x > :p", False),
        ("yes = :yes", True),
        ("nil = :nil", True),
        ("attribute_exists(m.l[0])", True),
        ("attribute_exists(m.l[1])", False),
        ("attribute_not_exists(s.x)", True),
        ("attribute_type(n, :type)", True),
        ("attribute_type(s, :type)", False),
        ("attribute_type(absent, :type)", False),
        ("begins_with(s, :p)", True),
        ("begins_with(b, :b1)", True),
        ("begins_with(n, :p)", False),
        ("contains(s, :p)", True),
        ("contains(b, :b1)", True),
        ("contains(ss, :s)", True),
        ("contains(ss, :n)", False),
        ("contains(ns, :n)", True),
        ("contains(bs, :b)", True),
        ("contains(l, :n)", True),
        ("contains(n, :n)", False),
        ("size(s) < :n", True),
        ("size(b) > :n", False),
        ("size(l) < size(s)", True),
        ("size(m) < n", True),
        ("size(n) < :n10", False),
        ("size(:s) < :n", True),
    ],
)
def test_values_are_compared_within_their_type(text: str, met: bool) -> None:
    assert bound(text).holds(ITEM) is met


@pytest.mark.parametrize("operator", ["=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("left", ["absent", "m.absent", "s.x", "l[9]"])
@pytest.mark.parametrize("right", [":n", "nil", "gone", "l[7]"])
def test_what_is_missing_equals_and_orders_nothing(operator: str, left: str, right: str) -> None:
    """Not NULL, not what else is missing (A3, A15), and no size either (C2)."""
    assert bound(f"{left} {operator} {right}").holds(ITEM) is False
    assert bound(f"{left} <> {right}").holds(ITEM) is True
    assert bound(f"size({left}) {operator} n").holds(ITEM) is False


def test_what_is_missing_is_not_null() -> None:
    assert bound("absent = :nil").holds(ITEM) is False
    assert bound("nil = :nil").holds(ITEM) is True


ATTRIBUTES = ("n", "s", "b", "yes", "nil", "ss", "ns", "bs", "l", "m")


@pytest.mark.parametrize(("left", "right"), list(itertools.permutations(ATTRIBUTES, 2)))
def test_two_types_are_unequal_and_neither_is_smaller(left: str, right: str) -> None:
    """Also true and 1 (A7), and a text and a number (C1): false, never an error."""
    assert bound(f"{left} = {right}").holds(ITEM) is False
    assert bound(f"{left} <> {right}").holds(ITEM) is True
    for operator in ("<", "<=", ">", ">="):
        assert bound(f"{left} {operator} {right}").holds(ITEM) is False
    assert bound(f"{left} IN ({right})").holds(ITEM) is False
    assert bound(f"{left} BETWEEN {right} AND {right}").holds(ITEM) is False


@pytest.mark.parametrize("missing", [None, {}])
def test_a_condition_on_no_item_sees_nothing(missing: Any) -> None:
    assert bound("attribute_not_exists(n)").holds(missing) is True
    assert bound("n = :n").holds(missing) is False
    assert bound("n < :n").holds(missing) is False
    assert bound("n <> :n").holds(missing) is True


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("attribute_exists(n) AND attribute_exists(q) OR attribute_exists(s)", True),
        ("attribute_exists(s) OR attribute_exists(n) AND attribute_exists(q)", True),
        ("(attribute_exists(s) OR attribute_exists(n)) AND attribute_exists(q)", False),
        ("NOT attribute_exists(q) AND attribute_exists(n)", True),
        ("NOT (attribute_exists(q) OR attribute_exists(n))", False),
        ("NOT NOT attribute_exists(n)", True),
        ("not attribute_exists(q) and Not attribute_exists(w)", True),
        ("(n) = (:n)", True),
        ("((n = :n) AND (s = :s))", True),
        ("(attribute_exists(n))", True),
        ("n BETWEEN :one AND :n10 AND s = :s", True),
        ("(n BETWEEN :one AND :n10)", True),
        ("(size(s)) < (:n)", True),
        ("((n = :n) OR (q = :n)) AND ((s = :s) OR (q = :s))", True),
    ],
)
def test_and_or_not_and_brackets_bind_as_documented(text: str, met: bool) -> None:
    assert bound(text).holds(ITEM) is met


@pytest.mark.parametrize(
    ("text", "token", "near"),
    [
        ("attribute_not_exists(event-id)", "-", "event-id"),
        ("_n = :n", "_", "_n"),
        ("2n = :n", "2", "2n"),
        ("n == :n", "=", "== :n"),
        ("n != :n", "!", "n !="),
        ("n = 5", "5", "= 5"),
        ("n =", "<EOF>", "="),
        ("n = :n AND", "<EOF>", "AND"),
        ("n", "<EOF>", "n"),
        ("(n = :n", "<EOF>", ":n"),
        ("n = :n)", ")", ":n)"),
        ("n = : n", ":", "= : n"),
        ("n = # n", "#", "= # n"),
        ("n IN :n", ":n", "IN :n"),
        ("n IN ()", ")", "()"),
        ("n BETWEEN :one, :n", ",", ":one, :n"),
        ("n AND s", "AND", "n AND s"),
        ("m..k = :n", ".", "..k"),
        ("l[:n] = :n", ":n", "[:n]"),
        ("l[-1] = :n", "-", "[-1"),
        ("l[] = :n", "]", "[] ="),
        ("AND = :n", "AND", "AND ="),
        ("attribute_exists()", ")", "()"),
        ("n = :n :n", ":n", ":n :n"),
    ],
)
def test_a_syntax_error_names_the_token_between_its_neighbours(
    text: str, token: str, near: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        bound(text)
    assert str(refusal.value) == f'Syntax error; token: "{token}", near: "{near}"'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The expression can not be empty;"),
        ("status = :n", "reserved keyword; reserved keyword: status"),
        ("m.Name = :n", "reserved keyword; reserved keyword: Name"),
        ("((n = :n))", "The expression has redundant parentheses;"),
        ("((n)) = :n", "The expression has redundant parentheses;"),
        ("attribute_exists(((n)))", "The expression has redundant parentheses;"),
        ("dog(n)", "Invalid function name; function: dog"),
        ("Attribute_Exists(n)", "Invalid function name; function: Attribute_Exists"),
        ("if_not_exists(n, :n) = :n", "not allowed in a condition expression; function: if_not"),
        ("size(n)", "not allowed to be used this way in an expression; function: size"),
        ("contains(n, :s) = :yes", "used this way in an expression; function: contains"),
        ("begins_with(n)", "function: begins_with, number of operands: 1"),
        ("size(n, n) = :n", "function: size, number of operands: 2"),
        ("n = n", "must be distinct from the remaining operands"),
        ("contains(m.k, m.k)", "operator: contains, first operand: [m, k]"),
        ("n IN (:n, n)", "operator: IN, first operand: [n]"),
        ("attribute_exists(:n)", "requires a document path; operator or function: attribute_e"),
        ("n < :m", "operator or function: <, operand type: M"),
        ("n >= :yes", "operator or function: >=, operand type: BOOL"),
        ("n > :ss", "operator or function: >, operand type: SS"),
        ("n BETWEEN :nil AND :nil", "operator or function: BETWEEN, operand type: NULL"),
        ("n BETWEEN :n AND :s", "requires same data type for lower and upper bounds"),
        ("n BETWEEN :n10 AND :n", "{N:10}, upper bound operand: AttributeValue: {N:5}"),
        ("begins_with(s, :n)", "operator or function: begins_with, operand type: N"),
        ("size(:n) = :n", "operator or function: size, operand type: N"),
        ("size(size(s)) = :n", "operator or function: size, operand type: N"),
        ("attribute_type(n, s)", "attribute_type, operand type: {NS,SS,L,BS,N,M,B,BOOL,NULL,S}"),
        ("attribute_type(n, :n)", "operator or function: attribute_type, operand type: N"),
        ("attribute_type(n, :odd)", "Invalid attribute type name found; type: number"),
        ("#q = :n", "used in the document path is not defined; attribute name: #q"),
        ("n = :q", "used in expression is not defined; attribute value: :q"),
        ("l[99999999999] = :n", "not within the allowable range; index: [99999999999]"),
        ("a" + ".b" * 32 + " = :n", "too many nesting levels; nesting levels: 33"),
        ("n IN (" + ", ".join(["q"] * 101) + ")", "number of operands: 101"),
    ],
)
def test_a_condition_is_refused_whatever_the_item(text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        bound(text)
    assert sentence in str(refusal.value)


def test_the_first_operand_must_be_distinct_if_it_is_a_path() -> None:
    """ "contains (a, a) returns an error"; of values AWS says nothing, and they are taken."""
    assert bound("begins_with(:s, :s) AND :n = :n AND contains(:s, :s)").holds(ITEM)
    with pytest.raises(Invalid, match="operator: contains"):
        bound("contains(s, s)")


def test_the_limits_themselves_are_allowed() -> None:
    """4 KB, 300 operators, 100 operands of IN, 32 levels (A14)."""
    assert bound("n" + " " * (4096 - 5) + "= :n").holds(ITEM)
    assert bound("NOT " * 298 + "n = :n").holds(ITEM)
    assert bound("n IN (" + ", ".join(["q"] * 99) + ", :n)").holds(ITEM)
    assert not bound("a" + ".b" * 31 + " = :n").holds(ITEM)
    with pytest.raises(Invalid, match="too many operators; operator count: 301"):
        bound("NOT " * 300 + "n = :n")
    with pytest.raises(Invalid, match="allowed size; expression size: 4097"):
        bound("n" + " " * (4097 - 5) + "= :n")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 15_000,
        "(" * 4096,
        "NOT " * 1000 + "n = n",
        "n < " + "f(" * 1300 + "n",
        "n < " + "size(" * 600 + "n" + ")" * 600,
        " AND ".join(["attribute_not_exists(q)"] * 1100),
        "n IN (" + ",".join(["q"] * 2000) + ")",
        "n" + "[0]" * 1300 + " = n",
        "a<b " + "and (a<b " * 400 + ")" * 400,
    ],
)
def test_no_text_holds_the_judge_for_long(text: str) -> None:
    """15,000 brackets held it for five minutes; nothing here recurses on what was sent."""
    before = time.process_time()
    with pytest.raises(Invalid):
        Condition.parse(text, Placeholders())
    # Measured: 10 ms. What grows faster than the text would take minutes.
    assert time.process_time() - before < 1


def test_the_reserved_words_are_aws_573() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html"""
    assert len(RESERVED) == 573
    assert {word.upper() for word in ReservedKeywords.get_reserved_keywords()} == RESERVED


@pytest.mark.parametrize(
    ("names", "values", "sentence"),
    [
        ({}, None, "ExpressionAttributeNames must not be empty"),
        (None, {}, "ExpressionAttributeValues must not be empty"),
        ({"n": "x"}, None, 'contains invalid key: Syntax error; key: "n"'),
        ({"#a-b": "x"}, None, 'contains invalid key: Syntax error; key: "#a-b"'),
        ({"#a": ""}, None, "Empty attribute name"),
        (None, {"v": {"S": ""}}, 'contains invalid key: Syntax error; key: "v"'),
        (None, {":v": {}}, "must contain exactly one of the supported datatypes for key :v"),
        (None, {":v": {"N": "x"}}, "cannot be converted to a numeric value: x for key :v"),
        (None, {":v": {"SS": []}}, "may not be empty for key :v"),
        (None, {":v": {"NULL": False}}, "must have the value of true"),
    ],
)
def test_what_placeholders_stand_for_is_checked(names: Any, values: Any, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Placeholders(names, values)
    assert sentence in str(refusal.value)


def test_a_placeholder_must_be_used_by_an_expression_of_its_request() -> None:
    """Whichever it is: a name that only the key condition uses is used (A1)."""
    placeholders = Placeholders({"#k": "id", "#x": "x"}, {":k": {"S": "a"}, ":now": {"N": "1"}})
    KeyCondition.parse("#k = :k", placeholders)
    with pytest.raises(Invalid, match=r"Names unused in expressions: keys: \{#x\}"):
        placeholders.all_used()
    Condition.parse("attribute_exists(#x)", placeholders)
    with pytest.raises(Invalid, match=r"Values unused in expressions: keys: \{:now\}"):
        placeholders.all_used()


@pytest.mark.parametrize(
    ("text", "tests"),
    [
        ("id = :s", {"id": ("=", [":s"])}),
        (":s = id", {"id": ("=", [":s"])}),
        ("id = :s AND :n < sk", {"id": ("=", [":s"]), "sk": (">", [":n"])}),
        (
            "id = :s and sk between :one and :n",
            {"id": ("=", [":s"]), "sk": ("BETWEEN", [":one", ":n"])},
        ),
        (
            "(begins_with(sk, :p)) AND (id = :s)",
            {"sk": ("begins_with", [":p"]), "id": ("=", [":s"])},
        ),
    ],
)
def test_a_key_condition_says_what_it_asks_of_which_key(text: str, tests: Any) -> None:
    found = KeyCondition.parse(text, Placeholders(None, VALUES)).tests
    expected = {
        name: (operator, [VALUES[key] for key in keys]) for name, (operator, keys) in tests.items()
    }
    assert {name: (one[0], list(one[1])) for name, one in found.items()} == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id = :s OR sk = :n", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT id = :s", "Invalid operator used in KeyConditionExpression: NOT"),
        ("id <> :s", "Invalid operator used in KeyConditionExpression: <>"),
        ("id IN (:s)", "Invalid operator used in KeyConditionExpression: IN"),
        ("contains(id, :s)", "Invalid operator used in KeyConditionExpression: contains"),
        ("id = :s AND id = :z", "must only contain one condition per key"),
        ("id = :s AND sk > :n AND sk < :n10", "must only contain one condition per key"),
        ("id = sk", "Multiple attribute names used in one condition"),
        (":s = :z", "No key attribute specified"),
        ("id.x = :s", "cannot have conditions on nested attributes"),
        ("size(id) = :n", "cannot contain nested operations"),
        (":n BETWEEN sk AND :n10", "must have the key attribute as its first operand"),
    ],
)
def test_a_key_condition_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refusal:
        KeyCondition.parse(text, Placeholders(None, VALUES))
    assert sentence in str(refusal.value)
