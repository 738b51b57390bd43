"""Filters of which no record of the table can pass any, and odd ones that records do pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.cloud.mapping.filters import parse_filter_criteria
from grader.review.checklist.patterns import Source, impossible

ORDERS = Source({"merchant": "S", "number": "N"}, "NEW_AND_OLD_IMAGES")


def _told(pattern: Any, source: Source = ORDERS) -> str:
    (one,) = parse_filter_criteria({"Filters": [{"Pattern": json.dumps(pattern)}]})
    return impossible(one, source)


def _new(attribute: str, value: Any) -> dict[str, Any]:
    return {"dynamodb": {"NewImage": {attribute: value}}}


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ({"eventName": ["UPDATE"]}, "INSERT, MODIFY or REMOVE"),
        ({"eventName": ["DELETE", "Insert"]}, "capitals"),
        ({"eventname": ["INSERT"]}, "no eventname"),
        ({"body": {"status": ["paid"]}}, "no body"),
        ({"eventSource": ["dynamodb"]}, "eventSource"),
        ({"dynamodb": {"newImage": {"status": {"S": ["paid"]}}}}, "no newImage"),
        ({"dynamodb": {"userIdentity": {"type": ["Service"]}}}, "no userIdentity"),
        ({"userIdentity": {"type": ["User"]}}, "expired"),
        ({"dynamodb": {"StreamViewType": ["NEW_IMAGE"]}}, "StreamViewType"),
        ({"dynamodb": {"SequenceNumber": ["abc"]}}, "SequenceNumber"),
        ({"dynamodb": {"SizeBytes": ["large"]}}, "SizeBytes"),
        (_new("amount", {"N": [301.8]}), "as text"),
        (_new("amount", {"N": ["three"]}), "as text"),
        (_new("amount", {"N": [{"numeric": [">", 5]}]}), "numeric"),
        (_new("paid", {"BOOL": ["true"]}), "without quotes"),
        (_new("paid", {"BOOL": [1]}), "without quotes"),
        (_new("gone", {"NULL": [False]}), "holds true"),
        (_new("status", ["paid"]), "type letter"),
        (_new("status", {"s": ["paid"]}), "type letter stands"),
        (_new("status", {"String": ["paid"]}), "type letter stands"),
        (_new("tags", {"L": [{"exists": True}]}), "is a list"),
        (_new("address", {"M": ["Rome"]}), "is a map"),
        (_new("merchant", {"N": ["7"]}), "key of type S"),
        ({"dynamodb": {"Keys": {"merchant": {"S": [{"exists": False}]}}}}, "is a key"),
        ({"dynamodb": {"Keys": {"status": {"S": ["paid"]}}}}, "merchant, number"),
        ({"dynamodb": {"Keys": {"number": {"S": ["7"]}}}}, "key of type N"),
        ({"eventName": ["REMOVE"], **_new("status", {"S": ["paid"]})}, "never stand"),
        ({"eventName": ["INSERT"], "userIdentity": {"type": ["Service"]}}, "never stand"),
        (
            {"eventName": ["INSERT"], "dynamodb": {"OldImage": {"status": {"S": ["paid"]}}}},
            "never stand",
        ),
        ({"$or": [{"eventName": ["UPDATE"]}, {"eventName": ["DELETE"]}]}, "capitals"),
    ],
    ids=str,
)
def test_a_filter_that_no_record_can_pass_is_told_with_its_reason(pattern: Any, word: str) -> None:
    assert word in _told(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        {"eventName": ["REMOVE"]},
        {"eventName": [{"prefix": "INS"}]},
        {"eventName": [{"anything-but": ["REMOVE"]}], **_new("status", {"S": ["paid"]})},
        {"eventSource": ["aws:dynamodb"], "awsRegion": ["eu-west-1"]},
        {"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}},
        {"eventName": ["REMOVE"], "userIdentity": {"type": ["Service"]}},
        {"dynamodb": {"Keys": {"merchant": {"S": [{"prefix": "a"}]}}}},
        {"dynamodb": {"SizeBytes": [{"numeric": [">", 100, "<=", 200]}]}},
        _new("status", {"S": ["paid", "sent"]}),
        _new("status", {"S": [{"exists": False}]}),
        _new("merchant", {"S": [{"exists": False}]}),  # a REMOVE has no new image at all
        _new("amount", {"N": ["301.8"]}),
        _new("amount", {"N": [{"anything-but": ["0"]}]}),
        _new("paid", {"BOOL": [True]}),
        _new("gone", {"NULL": [True]}),
        _new("tags", {"SS": ["red"]}),
        _new("tags", {"L": {"S": ["red"]}}),
        _new("address", {"M": {"city": {"S": ["Rome"]}, "floor": {"N": ["3"]}}}),
        {
            "dynamodb": {
                "NewImage": {"status": {"S": ["paid"]}},
                "OldImage": {"status": {"S": [{"anything-but": ["paid"]}]}},
            }
        },
        {"$or": [{"eventName": ["UPDATE"]}, {"eventName": ["MODIFY"]}]},
    ],
    ids=str,
)
def test_a_filter_that_a_record_can_pass_is_not_blamed(pattern: Any) -> None:
    assert _told(pattern) == ""


def test_the_view_decides_which_images_there_are() -> None:
    wanted = {"dynamodb": {"OldImage": {"status": {"S": ["paid"]}}}}
    assert "carries no OldImage" in _told(wanted, Source(ORDERS.keys, "NEW_IMAGE"))
    assert _told(wanted, Source()) == ""


def test_a_table_that_is_not_known_may_have_any_key() -> None:
    assert _told({"dynamodb": {"Keys": {"status": {"S": ["paid"]}}}}, Source()) == ""
