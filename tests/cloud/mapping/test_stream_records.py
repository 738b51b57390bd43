"""What a table's changes look like as stream records."""

import json

import pytest

from grader.cloud.aws import Refused
from grader.cloud.dynamodb.stream import Stream

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
NOW = 1_793_610_000_789


def a_stream(**given):
    given = {"table": "Orders", "keys": ["id"], "created_ms": NOW, **given}
    return Stream(**given)


def item(key="o-1", **attributes):
    return {"id": {"S": key}, **attributes}


def test_the_event_has_the_shape_that_lambda_delivers():
    """Keys and values of a delivered record, in Lambda's spelling."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    stream = a_stream()
    record = stream.write(None, item(total={"N": "5"}), NOW)
    event = record.event
    assert list(event) == [
        "eventID", "eventName", "eventVersion", "eventSource", "awsRegion", "dynamodb",
        "eventSourceARN",
    ]  # fmt: skip
    assert event["eventVersion"] == "1.1"
    assert event["eventSource"] == "aws:dynamodb"
    assert event["eventSourceARN"] == stream.arn
    assert len(event["eventID"]) == 32 and int(event["eventID"], 16)
    assert event["dynamodb"] == {
        "ApproximateCreationDateTime": 1_793_610_000.0,
        "Keys": {"id": {"S": "o-1"}},
        "NewImage": {"id": {"S": "o-1"}, "total": {"N": "5"}},
        "SequenceNumber": str(record.sequence),
        "SizeBytes": record.size,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    json.dumps(event)


def test_creation_time_is_rounded_down_to_the_second_and_the_record_keeps_the_rest():
    """ApproximateCreationDateTime: a JSON number in epoch seconds."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    record = a_stream().write(None, item(), 1_793_610_000_999)
    assert record.event["dynamodb"]["ApproximateCreationDateTime"] == 1_793_610_000.0
    assert record.time_ms == 1_793_610_000_999


def test_insert_modify_and_remove_are_told_apart():
    """INSERT has no OldImage, REMOVE has no NewImage."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    stream = a_stream()
    first, second = item(n={"N": "1"}), item(n={"N": "2"})
    names = [
        stream.write(old, new, NOW).event["eventName"]
        for old, new in ((None, first), (first, second), (second, None))
    ]
    assert names == ["INSERT", "MODIFY", "REMOVE"]


@pytest.mark.parametrize(
    ("view", "inserted", "modified", "removed"),
    [
        ("KEYS_ONLY", (), (), ()),
        ("NEW_IMAGE", ("NewImage",), ("NewImage",), ()),
        ("OLD_IMAGE", (), ("OldImage",), ("OldImage",)),
        ("NEW_AND_OLD_IMAGES", ("NewImage",), ("NewImage", "OldImage"), ("OldImage",)),
    ],
)
def test_the_view_type_decides_which_images_a_record_holds(view, inserted, modified, removed):
    """The view type decides which images a record holds; KEYS_ONLY has neither."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream(view=view)
    first, second = item(n={"N": "1"}), item(n={"N": "2"})
    for old, new, images in (
        (None, first, inserted), (first, second, modified), (second, None, removed),
    ):  # fmt: skip
        change = stream.write(old, new, NOW).event["dynamodb"]
        assert tuple(name for name in change if name.endswith("Image")) == images
        assert change["Keys"] == {"id": {"S": "o-1"}}


def test_an_unknown_view_type_is_refused():
    with pytest.raises(Refused) as refused:
        a_stream(view="NEW")
    assert refused.value.code == "ValidationException"
    assert refused.value.parameter == "StreamViewType"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (item(n={"N": "1"}), item(n={"N": "1"})),
        (item(n={"N": "1"}), item(n={"N": "1.0"})),
        (item(n={"N": "100"}), item(n={"N": "1E2"})),
        (item(n={"N": "0"}), item(n={"N": "-0.0"})),
        (item(s={"SS": ["a", "b"]}), item(s={"SS": ["b", "a"]})),
        (item(s={"NS": ["1", "2"]}), item(s={"NS": ["2.0", "1"]})),
        (item(s={"BS": [b"a", b"b"]}), item(s={"BS": ["Yg==", "YQ=="]})),
        (item(b={"B": b"foobar"}), item(b={"B": "Zm9vYmFy"})),
        (item(m={"M": {"l": {"L": [{"N": "1"}]}}}), item(m={"M": {"l": {"L": [{"N": "01"}]}}})),
        (None, None),
    ],
)
def test_a_write_that_changes_nothing_writes_no_record(old, new):
    """Nothing changed: a write that changes nothing writes no record."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream()
    assert stream.write(old, new, NOW) is None
    assert stream.shards[0].records == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (item(n={"N": "1"}), item(n={"N": "2"})),
        (item(n={"N": "1"}), item(n={"S": "1"})),
        (item(n={"NULL": True}), item()),
        (item(s={"SS": ["a"]}), item(s={"SS": ["a", "b"]})),
        (item(s={"L": [{"S": "a"}, {"S": "b"}]}), item(s={"L": [{"S": "b"}, {"S": "a"}]})),
        (item(s={"NS": ["1"]}), item(s={"SS": ["1"]})),
        (item(m={"M": {"a": {"S": "1"}}}), item(m={"M": {"b": {"S": "1"}}})),
    ],
)
def test_a_write_that_changes_something_writes_a_modify(old, new):
    assert a_stream().write(old, new, NOW).event["eventName"] == "MODIFY"


def test_a_ttl_delete_carries_the_service_as_user_identity_and_a_users_delete_does_not():
    """userIdentity: it appears for TTL deletes."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
    stream = a_stream()
    expired = stream.write(item(), None, NOW, ttl_delete=True).event
    deleted = stream.write(item(), None, NOW).event
    assert expired["eventName"] == deleted["eventName"] == "REMOVE"
    assert expired["userIdentity"] == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }
    assert "userIdentity" not in deleted
    with pytest.raises(ValueError, match="only deletes"):
        stream.write(None, item(), NOW, ttl_delete=True)


def test_binary_values_are_base64_text_in_the_event():
    """Binary values: base64 texts."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    # Recorded: localstack's snapshot of real AWS, "B": "Zm9vYmFy" for b"foobar"
    image = (
        a_stream().write(None, item(b={"B": b"foobar"}, s={"BS": [b"a"]}), NOW).event["dynamodb"]
    )
    assert image["NewImage"]["b"] == {"B": "Zm9vYmFy"}
    assert image["NewImage"]["s"] == {"BS": ["YQ=="]}


def test_numbers_appear_as_dynamodb_returns_them_zeros_trimmed():
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    image = a_stream().write(
        None, item(a={"N": "007.50"}, b={"L": [{"N": "1E3"}]}, c={"N": "-0"}), NOW
    ).event["dynamodb"]["NewImage"]  # fmt: skip
    assert image == item(a={"N": "7.5"}, b={"L": [{"N": "1000"}]}, c={"N": "0"})


@pytest.mark.parametrize(
    ("key", "item_written", "view", "size"),
    [
        # Recorded on AWS (localstack's snapshots), then AWS's own printed samples.
        (
            "my_partition_key",
            {"my_partition_key": {"S": "hello world"}, "binary_key": {"B": b"foobar"}},
            "NEW_IMAGE",
            70,
        ),
        ("my_partition_key", {"my_partition_key": {"S": "hello world"}}, "NEW_IMAGE", 54),
        (
            "my_partition_key",
            {"my_partition_key": {"S": "testId0"}, "should_fail": {"BOOL": False}},
            "NEW_IMAGE",
            58,
        ),
        ("id", {"id": {"S": "id_value_1"}}, "NEW_AND_OLD_IMAGES", 24),
        ("Id", {"Id": {"N": "101"}, "Message": {"S": "New item!"}}, "NEW_AND_OLD_IMAGES", 26),
    ],
)
def test_size_counts_the_bytes_of_names_and_values_over_keys_and_images(
    key, item_written, view, size
):
    """SizeBytes: UTF-8 bytes of names and values over keys and images."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    record = a_stream(keys=[key], view=view).write(None, item_written, NOW)
    assert record.size == size
    assert record.event["dynamodb"]["SizeBytes"] == size


def test_size_counts_utf8_bytes_and_nested_values():
    stream = a_stream(view="NEW_IMAGE")
    plain = stream.write(None, item(a={"S": "ae"}), NOW).size
    assert stream.write(None, item(a={"S": "äe"}), NOW).size == plain + 1
    assert stream.write(None, item("ü"), NOW).size == 2 * (2 + 2)
    nested = item(m={"M": {"k": {"L": [{"S": "abc"}, {"NULL": True}, {"N": "12"}]}}})
    # id+o-1 twice, m, map 3+1, k, list 3+3, abc, null, two digits and one
    assert stream.write(None, nested, NOW).size == 2 * 5 + 1 + 4 + 1 + 6 + 3 + 1 + 2
    assert stream.write(None, item(s={"SS": ["ab", "c"]}, n={"NS": ["1"]}), NOW).size == 10 + 4 + 3


def test_the_record_key_is_the_full_primary_key_with_numbers_normalised():
    stream = a_stream(keys=["id", "at"])
    one = stream.write(None, item(at={"N": "1.50"}), NOW)
    other = stream.write(None, item(at={"N": "1.5"}, more={"S": "x"}), NOW)
    assert one.key == other.key == '{"id":{"S":"o-1"},"at":{"N":"1.5"}}'
    assert stream.write(None, item(at={"N": "2"}), NOW).key != one.key
    text_key = stream.write(None, item(at={"S": '1.5"'}), NOW).key
    assert json.loads(text_key) == {"id": {"S": "o-1"}, "at": {"S": '1.5"'}}
    assert stream.write(None, item(at={"B": b"a"}), NOW).key.endswith('{"B":"YQ=="}}')


def test_an_item_without_its_key_or_with_another_key_is_the_callers_mistake():
    stream = a_stream(keys=["id", "at"])
    with pytest.raises(ValueError, match="key attribute 'at'"):
        stream.write(None, item(), NOW)
    with pytest.raises(ValueError, match="cannot change"):
        stream.write(item(at={"N": "1"}), item(at={"N": "2"}), NOW)
    with pytest.raises(ValueError, match="not a number"):
        stream.write(None, item(at={"N": "NaN"}), NOW)
    assert stream.shards[0].records == []


def test_the_arn_ends_in_the_label_and_the_label_is_the_creation_time():
    """Stream ARN: it ends in the stream's label, an ISO time."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Stream.html
    stream = a_stream(region="eu-west-1", account_id="111111111111")
    assert stream.label == "2026-11-02T09:00:00.789"
    assert stream.arn == (
        "arn:aws:dynamodb:eu-west-1:111111111111:table/Orders/stream/2026-11-02T09:00:00.789"
    )
    assert stream.write(None, item(), NOW).event["awsRegion"] == "eu-west-1"


def test_the_same_seed_gives_the_same_records_and_another_seed_other_ids():
    """eventID: 32 hexadecimal digits, the same at each delivery."""

    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    def ids(seed):
        stream = a_stream(seed=seed)
        return [stream.write(None, item(f"o-{n}"), NOW).event["eventID"] for n in range(50)]

    assert ids(1) == ids(1)
    assert not set(ids(1)) & set(ids(2))
    assert len(set(ids(1))) == 50


def test_listeners_hear_each_record_with_its_shard_until_they_stop():
    stream = a_stream()
    heard = []
    stop = stream.listen(lambda record, shard: heard.append((record, shard)))
    record = stream.write(None, item(), NOW)
    stream.write(item(), item(), NOW)
    assert heard == [(record, stream.shards[0])]
    stop()
    stream.write(item(), None, NOW)
    assert len(heard) == 1
