"""Which records a filter lets through.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.mapping.filters import matches_any, parse_filter_criteria

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.py
RECORD = {
    "eventID": "0" * 32,
    "eventName": "MODIFY",
    "eventSource": "aws:dynamodb",
    "dynamodb": {
        "ApproximateCreationDateTime": 1763640000.0,
        "Keys": {"id": {"S": "o-1"}},
        "NewImage": {
            "id": {"S": "o-1"},
            "status": {"S": "Paid"},
            "empty": {"S": ""},
            "total": {"N": "101"},
            "gone": {"NULL": True},
            "vip": {"BOOL": False},
            "tags": {"SS": ["red", "blue"]},
            "none": {"L": []},
            "lines": {"L": [{"M": {"sku": {"S": "a"}, "n": {"N": "1"}}},
                            {"M": {"sku": {"S": "b"}, "n": {"N": "2"}}}]},
        },
        "OldImage": {"id": {"S": "o-1"}, "status": {"S": "new"}},
        "SequenceNumber": "1" * 21,
        "SizeBytes": 300,
    },
}  # fmt: skip


def matches(pattern, record=RECORD):
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": text}]})
    return one.matches(record)


def new(name, kind, *values):
    return {"dynamodb": {"NewImage": {name: {kind: list(values)}}}}


def test_equals_matches_character_by_character():
    """A text matches character by character."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches({"eventName": ["MODIFY"]})
    assert not matches({"eventName": ["modify"]})
    assert not matches({"eventName": ["MODIFY "]})


def test_the_type_letter_is_required():
    """Type letter: it is required."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    # Recorded: leaving out the "S" does not match.
    assert matches(new("status", "S", "Paid"))
    assert not matches({"dynamodb": {"NewImage": {"status": ["Paid"]}}})


def test_values_of_one_array_are_or_ed():
    """One of the values of an array has to match."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches(new("status", "S", "sent", "Paid"))
    assert not matches(new("status", "S", "sent", "lost"))


def test_keys_of_one_pattern_are_and_ed():
    """All keys of one pattern have to match."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches({"eventName": ["MODIFY"], **new("status", "S", "Paid")})
    assert not matches({"eventName": ["INSERT"], **new("status", "S", "Paid")})
    both = {"NewImage": {"status": {"S": ["Paid"]}}, "OldImage": {"status": {"S": ["new"]}}}
    assert matches({"dynamodb": both})
    both["OldImage"]["status"]["S"] = ["Paid"]
    assert not matches({"dynamodb": both})


def test_filters_are_or_ed_and_no_filters_let_everything_through():
    """One filter of several has to match; without filters everything passes."""

    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    def filters(*patterns):
        return parse_filter_criteria({"Filters": [{"Pattern": json.dumps(p)} for p in patterns]})

    insert, modify = {"eventName": ["INSERT"]}, {"eventName": ["MODIFY"]}
    assert matches_any(filters(insert, modify), RECORD)
    assert not matches_any(filters(insert), RECORD)
    assert matches_any((), RECORD)


def test_null_matches_null_and_a_dynamodb_null_is_a_boolean_leaf():
    """null matches JSON's null; DynamoDB's NULL is the boolean true under a type letter."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches({"a": [None]}, {"a": None})
    assert not matches({"a": [None]}, {"a": "null"})
    assert not matches({"a": [None]}, {})
    assert matches(new("gone", "NULL", True))


def test_empty_matches_the_empty_text():
    """The empty text matches the empty text only."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches(new("empty", "S", ""))
    assert not matches(new("status", "S", ""))
    assert not matches(new("missing", "S", ""))


def test_booleans_match_booleans_and_nothing_else():
    assert matches(new("vip", "BOOL", False))
    assert not matches(new("vip", "BOOL", True))
    assert not matches(new("vip", "BOOL", "false", 0))


def test_equals_ignore_case():
    """equals-ignore-case matches without regard to case."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches(new("status", "S", {"equals-ignore-case": "pAID"}))
    assert not matches(new("status", "S", {"equals-ignore-case": "pai"}))
    assert not matches(new("gone", "NULL", {"equals-ignore-case": "true"}))


def test_prefix_and_suffix():
    """prefix and suffix look at the two ends of a text."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches(new("status", "S", {"prefix": "Pa"}))
    assert not matches(new("status", "S", {"prefix": "pa"}))
    assert matches(new("status", "S", {"suffix": "id"}))
    assert not matches(new("status", "S", {"suffix": "Pa"}))
    assert not matches({"dynamodb": {"SizeBytes": [{"prefix": "3"}]}})


def test_anything_but_matches_each_other_value_and_needs_one():
    """anything-but matches each value that is not listed, and no absent one."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches(new("status", "S", {"anything-but": "sent"}))
    assert not matches(new("status", "S", {"anything-but": "Paid"}))
    assert not matches(new("status", "S", {"anything-but": ["Paid", "sent"]}))
    assert not matches(new("missing", "S", {"anything-but": "Paid"}))
    # Recorded: N 42 passes, N 101 does not; the list's numeric rule never matches a text.
    pattern = new("total", "N", {"numeric": [">", 100]}, {"anything-but": "101"})
    assert not matches(pattern)
    assert matches(pattern, {"dynamodb": {"NewImage": {"total": {"N": "42"}}}})


def test_anything_but_numbers_compares_json_numbers():
    assert matches({"dynamodb": {"SizeBytes": [{"anything-but": [1, 2]}]}})
    assert not matches({"dynamodb": {"SizeBytes": [{"anything-but": [1, 300]}]}})
    assert matches(new("total", "N", {"anything-but": 101}))


@pytest.mark.parametrize(
    ("rule", "matched"),
    [
        (["=", 300], True),
        (["=", 300.0], True),
        (["=", 301], False),
        (["<", 300], False),
        (["<=", 300], True),
        ([">", 300], False),
        ([">=", 300], True),
        ([">", 0, "<=", 300], True),
        ([">", 0, "<", 300], False),
        ([">=", 300, "<", 301], True),
    ],
)
def test_numeric_compares_json_numbers_by_value(rule, matched):
    """numeric compares JSON numbers by value, with = or a range."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches({"dynamodb": {"SizeBytes": [{"numeric": rule}]}}) is matched


def test_numeric_never_matches_a_dynamodb_number_which_arrives_as_text():
    """numeric on attributes: it never matches a DynamoDB number, which arrives as text."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    # Recorded: N "101" did not match numeric > 100, a number such as the creation time does.
    assert not matches(new("total", "N", {"numeric": [">", 100]}))
    assert not matches(new("total", "N", 101))
    assert matches(new("total", "N", "101"))
    assert matches({"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}})
    assert not matches({"a": [{"numeric": ["=", 1]}]}, {"a": True})


def test_numbers_are_equal_by_their_text():
    """300, 300.0 and 3.0e2 are three different numbers to a filter."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert matches('{"dynamodb": {"SizeBytes": [300]}}')
    assert not matches('{"dynamodb": {"SizeBytes": [300.0]}}')
    assert not matches('{"dynamodb": {"SizeBytes": [3.0e2]}}')
    assert not matches('{"dynamodb": {"SizeBytes": ["300"]}}')


def test_exists_looks_at_leaves():
    """exists says whether a leaf is there."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    assert matches(new("status", "S", {"exists": True}))
    assert not matches(new("missing", "S", {"exists": True}))
    assert matches(new("missing", "S", {"exists": False}))
    assert not matches(new("status", "S", {"exists": False}))
    assert matches({"dynamodb": {"Nowhere": {"a": {"S": [{"exists": False}]}}}})


def test_exists_on_an_attribute_that_is_no_leaf_takes_it_for_absent():
    """exists: it sees leaves only; an attribute that is no leaf counts as absent."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    # Recorded: exists false on an attribute matches with and without the attribute.
    assert matches({"dynamodb": {"NewImage": {"status": [{"exists": False}]}}})
    assert matches({"dynamodb": {"NewImage": {"missing": [{"exists": False}]}}})
    assert not matches({"dynamodb": {"NewImage": {"status": [{"exists": True}]}}})


def test_or_matches_when_one_of_its_objects_does():
    """$or matches when one of its objects does, across fields."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    pattern = {
        "eventName": ["MODIFY"],
        "$or": [{"dynamodb": {"SizeBytes": [1]}}, new("status", "S", "Paid")],
    }
    assert matches(pattern)
    assert not matches({**pattern, "eventName": ["INSERT"]})
    pattern["$or"][1] = new("status", "S", "sent")
    assert not matches(pattern)


def test_or_stands_at_any_depth_and_may_be_nested():
    assert matches({"dynamodb": {"NewImage": {"$or": [
        {"status": {"S": ["sent"]}},
        {"status": {"S": ["Paid"]}, "$or": [{"total": {"N": ["1"]}}, {"total": {"N": ["101"]}}]},
    ]}}})  # fmt: skip


def test_of_a_key_given_twice_the_last_one_wins():
    """A key given twice: the last one wins."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    # AWS's printed "Boolean AND" example repeats the dynamodb key, and so tests OldImage only.
    text = (
        '{"dynamodb": {"NewImage": {"status": {"S": ["never"]}}},'
        ' "dynamodb": {"OldImage": {"status": {"S": ["new"]}}}}'
    )
    assert matches(text)


def test_a_key_that_exists_nowhere_never_matches():
    assert not matches({"detail": {"status": ["Paid"]}})
    assert not matches({"eventName": {"deeper": ["MODIFY"]}})


def test_a_ttl_delete_is_told_by_its_user_identity():
    """A pattern on userIdentity lets TTL deletes through and nothing else."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    pattern = {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}}
    expired = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}
    assert matches(pattern, {**RECORD, **expired})
    assert not matches(pattern)


def test_an_array_matches_when_one_of_its_values_does():
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html
    assert matches(new("tags", "SS", "blue"))
    assert not matches(new("tags", "SS", "green"))
    assert matches(new("tags", "SS", {"prefix": "re"}))
    assert matches(new("none", "L", {"exists": False}))


def test_fields_below_an_array_have_to_match_in_one_element():
    def lines(**fields):
        return {"dynamodb": {"NewImage": {"lines": {"L": {"M": fields}}}}}

    assert matches(lines(sku={"S": ["b"]}, n={"N": ["2"]}))
    assert not matches(lines(sku={"S": ["a"]}, n={"N": ["2"]}))
    assert matches(lines(other={"S": [{"exists": False}]}))
    assert not matches(lines(sku={"S": [{"exists": False}]}))


def test_the_top_level_keys_of_a_filter_are_known():
    """dynamodb, eventName and userIdentity can be filtered on."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    (one,) = parse_filter_criteria(
        {"Filters": [{"Pattern": '{"a": [1], "$or": [{"b": [1]}, {"a": [2]}]}'}]}
    )
    assert one.keys == ("a", "b")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dynamodb", "NewImage", "a", "S", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.dictionaries(st.sampled_from(["dynamodb", "eventName", "x"]), json_values, max_size=3))
def test_a_filter_never_raises_whatever_the_record(record):
    filters = parse_filter_criteria(
        {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in (
            {"dynamodb": {"NewImage": {"a": {"S": ["v", None, True, 1, {"exists": True}]}}}},
            {"eventName": [{"numeric": [">", 0, "<=", 5]}, {"anything-but": ["a"]}]},
            {"eventName": [{"anything-but": [1]}], "x": [{"exists": False}]},
            {"$or": [{"x": [{"prefix": "a"}]}, {"x": {"a": [{"suffix": "a"}]}}]},
            {"x": [{"equals-ignore-case": "A"}, {"numeric": ["=", 0]}]},
        )]}
    )  # fmt: skip
    results = [one.matches(record) for one in filters]
    assert matches_any(filters, record) is any(results)


@pytest.mark.parametrize(
    "written",
    [
        {"dynamodb.NewImage.status.S": ["paid"]},
        {"dynamodb": {"NewImage.status": {"S": ["paid"]}}},
        {"dynamodb.NewImage": {"status.S": ["paid"]}},
    ],
)
def test_names_with_dots_are_joined_in_pattern_and_record(written):
    """A path is its names joined by dots: https://github.com/aws/event-ruler"""
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": json.dumps(written)}]})
    for image in ({"status": {"S": "paid"}}, {"status.S": "paid"}):
        assert one.matches({"dynamodb": {"NewImage": image}})
    assert not one.matches({"dynamodb": {"NewImage": {"status": {"S": "open"}}}})
    assert one.keys == ("dynamodb",)


def test_an_attribute_with_a_dot_in_its_name_is_found_as_it_stands():
    text = json.dumps({"dynamodb": {"NewImage": {"ship.to": {"S": ["DE"]}, "n": {"N": ["1"]}}}})
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": text}]})
    image = {"ship.to": {"S": "DE"}, "ship": {"S": "x"}, "n": {"N": "1"}}
    assert one.matches({"dynamodb": {"NewImage": image}})
    assert not one.matches({"dynamodb": {"NewImage": {**image, "n": {"N": "2"}}}})


def test_of_one_path_written_twice_the_last_one_wins():
    text = json.dumps({"a": {"b": ["x"]}, "a.b": ["y"]})
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": text}]})
    assert one.matches({"a": {"b": "y"}})
    assert not one.matches({"a": {"b": "x"}})


@pytest.mark.parametrize(
    ("sign", "matches"), [("=", True), (">", False), (">=", True), ("<", False), ("<=", True)]
)
@pytest.mark.parametrize("number", [301.8, 0.1, 2.675, -1.005, 1e-7])
def test_numeric_compares_decimals_exactly(sign, matches, number):
    text = json.dumps({"n": [{"numeric": [sign, number]}]})
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": text}]})
    assert one.matches({"n": number}) is matches


@pytest.mark.parametrize(
    ("pattern", "record"),
    [
        ({"$or": {"S": ["x"]}}, {"$or": {"S": "x"}}),
        ({"$or": ["x", "y"]}, {"$or": "y"}),
        ({"$or": [{"prefix": "x"}, {"suffix": "y"}]}, {"$or": "xa"}),
    ],
)
def test_or_that_is_no_choice_is_a_field(pattern, record):
    """Only two objects or more without reserved names are: https://github.com/aws/event-ruler"""
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": json.dumps(pattern)}]})
    assert one.matches(record)
    assert not one.matches({"S": "x"})


@pytest.mark.parametrize(
    ("operator", "hit", "miss"), [("prefix", "PAId-1", "1-paid"), ("suffix", "1-PAId", "paid-1")]
)
def test_prefix_and_suffix_may_ignore_case(operator, hit, miss):
    text = json.dumps({"a": [{operator: {"equals-ignore-case": "paiD"}}]})
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": text}]})
    assert one.matches({"a": hit})
    assert not one.matches({"a": miss})
