"""Patterns and criteria that are refused when the mapping is made."""

import json

import pytest

from grader.cloud.aws import Refused
from grader.cloud.mapping.filters import BadPattern, parse_filter_criteria

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json

# Refused by EventBridge's rules where Lambda's guide is silent:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html


def parse(*patterns):
    return parse_filter_criteria(
        {"Filters": [{"Pattern": p if isinstance(p, str) else json.dumps(p)} for p in patterns]}
    )


@pytest.mark.parametrize("criteria", [None, {}, {"Filters": []}, {"Filters": None}])
def test_empty_criteria_are_no_filters(criteria):
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    assert parse_filter_criteria(criteria) == ()


@pytest.mark.parametrize(
    "text", ["single-string", '[{"eventName": ["INSERT"=123}]', "", "{", "NaN"]
)
def test_a_pattern_that_is_not_json_is_refused_in_awss_words(text):
    """Filter is not JSON: refused: Invalid filter pattern definition."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    # Recorded on AWS (localstack's snapshots).
    with pytest.raises(Refused) as refused:
        parse(text)
    assert refused.value.code == "InvalidParameterValueException"
    assert refused.value.message == "Invalid filter pattern definition."
    assert refused.value.parameter == "FilterCriteria"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ('"text"', "not a JSON object"),
        ([{"eventName": ["INSERT"]}], "not a JSON object"),
        ({}, "empty object"),
        ({"dynamodb": {}}, "empty object at dynamodb"),
        ({"eventName": []}, "'eventName' is empty"),
        ({"eventName": "INSERT"}, "'eventName' has to be an object or an array"),
        ({"eventName": None}, "'eventName' has to be an object or an array"),
        ({"eventName": [["INSERT"]]}, "holds another array"),
        ({"eventName": [{"startswith": "I"}]}, "'startswith' is no operator"),
        ({"eventName": [{"wildcard": "I*"}]}, "'wildcard' is EventBridge's"),
        ({"eventName": [{"cidr": "10.0.0.0/8"}]}, "'cidr' is EventBridge's"),
        ({"eventName": [{"prefix": "I", "suffix": "T"}]}, "exactly one operator"),
        ({"eventName": [{}]}, "exactly one operator"),
        ({"eventName": [{"exists": "true"}]}, "exists takes true or false"),
        ({"eventName": [{"prefix": 1}]}, "prefix takes a text"),
        ({"eventName": [{"suffix": None}]}, "suffix takes a text"),
        ({"eventName": [{"equals-ignore-case": ["a"]}]}, "equals-ignore-case takes a text"),
        ({"eventName": [{"prefix": {"suffix": "a"}}]}, "prefix takes a text"),
        ({"eventName": [{"suffix": {"equals-ignore-case": 1}}]}, "suffix takes a text"),
        ({"eventName": [{"anything-but": []}]}, "anything-but takes"),
        ({"eventName": [{"anything-but": ["a", 1]}]}, "anything-but takes"),
        ({"eventName": [{"anything-but": None}]}, "anything-but takes"),
        ({"eventName": [{"anything-but": {"prefix": "a"}}]}, "EventBridge's"),
        ({"eventName": [{"numeric": 5}]}, "numeric takes a list"),
        ({"eventName": [{"numeric": []}]}, "numeric takes a list"),
        ({"eventName": [{"numeric": ["=", 1, "="]}]}, "numeric takes a list"),
        ({"eventName": [{"numeric": ["!=", 1]}]}, "no numeric comparison"),
        ({"eventName": [{"numeric": [1, 1]}]}, "no numeric comparison"),
        ({"eventName": [{"numeric": [">", "1"]}]}, "compares with a number"),
        ({"eventName": [{"numeric": [">", True]}]}, "compares with a number"),
        ({"eventName": [{"numeric": ["<", 5, ">", 0]}]}, "lower bound first"),
        ({"eventName": [{"numeric": [">", 5, "<", 5]}]}, "lower bound first"),
        ({"eventName": [{"numeric": [">", 6_000_000_000]}]}, "from -5.0e9 to 5.0e9"),
        ('{"eventName": [{"numeric": [">", 1e99999999999999999999]}]}', "from -5.0e9 to 5.0e9"),
        ('{"eventName": [NaN]}', "NaN is not a JSON number"),
        ({"$or": [{"a": ["b"]}]}, "at least two objects"),
        ({"$or": [{"a": ["b"]}, "c"]}, "at least two objects"),
        ({"$or": [{"a": ["b"]}, {"prefix": ["c"]}]}, "no operator's name"),
        ('{"a":' * 200 + "[1]" + "}" * 200, "deeper than any record"),
    ],
)
def test_a_bad_pattern_is_refused_with_awss_message_and_a_reason(pattern, reason):
    with pytest.raises(BadPattern) as refused:
        parse(pattern)
    assert refused.value.message == "Invalid filter pattern definition."
    assert reason in refused.value.reason
    assert reason in str(refused.value)


def test_five_filters_are_accepted_and_six_refused():
    """A mapping has at most five filters."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    pattern = {"eventName": ["INSERT"]}
    assert len(parse(*[pattern] * 5)) == 5
    with pytest.raises(Refused) as refused:
        parse(*[pattern] * 6)
    assert refused.value.code == "InvalidParameterValueException"
    assert "at most 5 filters" in refused.value.message


def test_a_pattern_has_at_most_4096_characters():
    """A pattern has at most 4,096 characters."""

    # https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html
    def padded(length):
        text = json.dumps({"eventName": ["INSERT"]})
        return text + " " * (length - len(text))

    assert len(parse(padded(4096))) == 1
    with pytest.raises(Refused) as refused:
        parse(padded(4097))
    assert refused.value.code == "ValidationException"
    assert "less than or equal to 4096" in refused.value.message


@pytest.mark.parametrize(
    "criteria",
    [
        "text",
        {"Pattern": "{}"},
        {"Filters": "{}"},
        {"Filters": ["{}"]},
        {"Filters": [{}]},
        {"Filters": [{"Pattern": {"eventName": ["INSERT"]}}]},
        {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}', "Name": "x"}]},
    ],
)
def test_criteria_of_another_shape_are_refused(criteria):
    with pytest.raises(BadPattern):
        parse_filter_criteria(criteria)
