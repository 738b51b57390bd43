"""The Streams API: DescribeStream, GetShardIterator and GetRecords, with AWS's refusals."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.aws import Refused
from grader.cloud.dynamodb.reading import ITERATOR_LIFE_MS
from grader.cloud.dynamodb.shard import RETENTION_MS
from grader.cloud.dynamodb.stream import Stream

NOW = 1_793_610_000_000
SECOND = 1_000


def a_stream(**given):
    return Stream(**{"table": "T", "keys": ["id"], "created_ms": NOW, **given})


def put(stream, key, now=NOW):
    return stream.write(None, {"id": {"S": key}}, now)


def refusal(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value


def read(stream, iterator, now=NOW, **more):
    return stream.get_records(iterator, now_ms=now, **more)


def numbers(answer):
    return [int(record["dynamodb"]["SequenceNumber"]) for record in answer["Records"]]


# -- DescribeStream: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html


def test_describe_tells_the_stream_its_keys_and_its_shards():
    stream = Stream(table="T", keys=["pk", "sk"], view="NEW_IMAGE", created_ms=NOW)
    shard = stream.shards[0]
    assert stream.describe(now_ms=NOW) == {
        "StreamArn": stream.arn,
        "StreamLabel": stream.label,
        "StreamStatus": "ENABLED",
        "StreamViewType": "NEW_IMAGE",
        "CreationRequestDateTime": NOW / 1000,
        "TableName": "T",
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "Shards": [
            {
                "ShardId": shard.id,
                "SequenceNumberRange": {"StartingSequenceNumber": str(shard.starting_sequence)},
            }
        ],
    }


def test_only_a_closed_shard_has_an_ending_sequence_number():
    """An open shard: its range has no EndingSequenceNumber."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    stream = a_stream()
    child = stream.close(stream.shards[0].id, NOW)
    first, second = stream.describe(now_ms=NOW)["Shards"]
    assert "EndingSequenceNumber" in first["SequenceNumberRange"]
    assert "EndingSequenceNumber" not in second["SequenceNumberRange"]
    assert second["ShardId"] == child.id
    assert second["ParentShardId"] == first["ShardId"]
    assert "ParentShardId" not in first


def test_describe_pages_by_limit_and_last_evaluated_shard_id():
    """DescribeStream goes on after LastEvaluatedShardId."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    stream = a_stream(shards=5)
    found, start = [], None
    for _ in range(3):
        page = stream.describe(limit=2, exclusive_start_shard_id=start, now_ms=NOW)
        found += [shard["ShardId"] for shard in page["Shards"]]
        start = page.get("LastEvaluatedShardId")
    assert start is None
    assert found == [shard.id for shard in stream.shards]
    whole = stream.describe(limit=5, now_ms=NOW)
    assert "LastEvaluatedShardId" not in whole


def test_describe_returns_at_most_100_shards():
    """DescribeStream returns at most 100 shards."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    stream = a_stream(shards=101)
    page = stream.describe(now_ms=NOW)
    assert len(page["Shards"]) == 100
    assert page["LastEvaluatedShardId"] == page["Shards"][-1]["ShardId"]
    for limit in (0, 101):
        refused = refusal(stream.describe, limit=limit, now_ms=NOW)
        assert (refused.code, refused.parameter) == ("ValidationException", "Limit")


def test_a_shard_filter_returns_the_children_of_one_shard():
    """The filter CHILD_SHARDS returns the children of one shard."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    stream = a_stream(shards=2)
    parent = stream.shards[0]
    children = stream.split(parent.id, NOW)
    stream.close(stream.shards[1].id, NOW)
    page = stream.describe(shard_filter={"Type": "CHILD_SHARDS", "ShardId": parent.id}, now_ms=NOW)
    assert [shard["ShardId"] for shard in page["Shards"]] == [child.id for child in children]
    for wrong in ({"Type": "ALL", "ShardId": parent.id}, {"Type": "CHILD_SHARDS"}):
        assert refusal(stream.describe, shard_filter=wrong, now_ms=NOW).code == (
            "ValidationException"
        )


# -- GetShardIterator: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html


def test_trim_horizon_starts_at_the_oldest_record_and_latest_after_the_newest():
    """TRIM_HORIZON is the oldest record, LATEST is after the newest one."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    stream = a_stream()
    shard = stream.shards[0].id
    written = [put(stream, f"{n}").sequence for n in range(3)]
    oldest = stream.shard_iterator(shard, "TRIM_HORIZON", now_ms=NOW)
    latest = stream.shard_iterator(shard, "LATEST", now_ms=NOW)
    assert numbers(read(stream, oldest)) == written
    assert numbers(read(stream, latest)) == []
    later = put(stream, "later").sequence
    assert numbers(read(stream, latest)) == [later]


def test_at_and_after_sequence_number_include_and_exclude_that_record():
    """AT_SEQUENCE_NUMBER includes that record, AFTER_SEQUENCE_NUMBER does not."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    stream = a_stream(first_sequence=10**22 - 700)
    shard = stream.shards[0].id
    written = [put(stream, f"{n}").sequence for n in range(5)]
    for kind, expected in (
        ("AT_SEQUENCE_NUMBER", written[2:]),
        ("AFTER_SEQUENCE_NUMBER", written[3:]),
    ):
        iterator = stream.shard_iterator(shard, kind, str(written[2]), now_ms=NOW)
        assert numbers(read(stream, iterator)) == expected


@pytest.mark.parametrize("text", ["12", "x" * 21, "1" * 41, "-" + "1" * 21, "١" * 21])
def test_a_sequence_number_is_21_to_40_digits(text):
    stream = a_stream()
    refused = refusal(
        stream.shard_iterator, stream.shards[0].id, "AT_SEQUENCE_NUMBER", text, now_ms=NOW
    )
    assert (refused.code, refused.parameter) == ("ValidationException", "SequenceNumber")


def test_a_sequence_number_of_another_shard_is_refused():
    stream = a_stream()
    parent = stream.shards[0]
    number = put(stream, "a").sequence
    child = stream.close(parent.id, NOW)
    refused = refusal(
        stream.shard_iterator, child.id, "AT_SEQUENCE_NUMBER", str(number), now_ms=NOW
    )
    assert refused.code == "ValidationException"


def test_at_timestamp_starts_at_the_first_record_created_at_or_after_it():
    """Measured on ApproximateCreationDateTime, which has whole seconds; new in the 2026 model."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    stream = a_stream()
    shard = stream.shards[0].id
    a, b, c = (put(stream, f"{n}", NOW + n * SECOND + 300).sequence for n in range(3))
    now = NOW + 10 * SECOND

    def at(timestamp):
        iterator = stream.shard_iterator(shard, "AT_TIMESTAMP", timestamp=timestamp, now_ms=now)
        return numbers(read(stream, iterator, now))

    assert at(NOW / 1000 - 100_000) == [a, b, c], "before the horizon: the oldest record"
    assert at(NOW / 1000) == [a, b, c]
    assert at(NOW / 1000 + 0.001) == [b, c]
    assert at(NOW / 1000 + 1) == [b, c]
    assert at(NOW / 1000 + 5) == []
    refused = refusal(
        stream.shard_iterator, shard, "AT_TIMESTAMP", timestamp=now / 1000 + 1, now_ms=now
    )
    assert (refused.code, refused.parameter) == ("ValidationException", "Timestamp")


@pytest.mark.parametrize(
    ("kind", "arguments", "parameter"),
    [
        ("FIRST", {}, "ShardIteratorType"),
        ("AT_SEQUENCE_NUMBER", {}, "SequenceNumber"),
        ("LATEST", {"sequence_number": "1" * 21}, "SequenceNumber"),
        ("AT_TIMESTAMP", {}, "Timestamp"),
        ("TRIM_HORIZON", {"timestamp": 1.0}, "Timestamp"),
    ],
)
def test_an_iterator_type_and_its_arguments_have_to_fit(kind, arguments, parameter):
    stream = a_stream()
    refused = refusal(stream.shard_iterator, stream.shards[0].id, kind, **arguments, now_ms=NOW)
    assert (refused.code, refused.parameter) == ("ValidationException", parameter)


def test_an_unknown_shard_is_not_found():
    stream = a_stream()
    other = a_stream(seed=1).shards[0].id
    refused = refusal(stream.shard_iterator, other, "LATEST", now_ms=NOW)
    assert refused.code == "ResourceNotFoundException"
    assert other in refused.message


def test_a_number_that_was_trimmed_cannot_be_asked_for():
    """A trimmed sequence number: TrimmedDataAccessException."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream()
    old = put(stream, "a").sequence
    put(stream, "b", NOW + SECOND)
    refused = refusal(
        stream.shard_iterator, stream.shards[0].id, "AT_SEQUENCE_NUMBER", str(old),
        now_ms=NOW + RETENTION_MS + 1,
    )  # fmt: skip
    assert refused.code == "TrimmedDataAccessException"


# -- GetRecords: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html


def test_records_come_in_the_apis_form_which_is_not_quite_lambdas():
    """No eventSourceARN, and userIdentity's members are capitalised, as in the API's model."""
    stream = a_stream()
    record = stream.write({"id": {"S": "a"}}, None, NOW, ttl_delete=True)
    iterator = stream.shard_iterator(stream.shards[0].id, "TRIM_HORIZON", now_ms=NOW)
    (wire,) = read(stream, iterator)["Records"]
    assert wire.pop("userIdentity") == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    expected = {
        name: value
        for name, value in record.event.items()
        if name not in ("userIdentity", "eventSourceARN")
    }
    assert wire == expected
    assert record.event["userIdentity"]["type"] == "Service"
    json.dumps(wire)


def test_a_page_holds_at_most_1000_records():
    """GetRecords returns at most 1,000 records."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream(view="KEYS_ONLY")
    for n in range(1001):
        put(stream, f"{n}")
    iterator = stream.shard_iterator(stream.shards[0].id, "TRIM_HORIZON", now_ms=NOW)
    page = read(stream, iterator)
    assert len(page["Records"]) == 1000
    assert len(read(stream, page["NextShardIterator"])["Records"]) == 1


def test_a_page_holds_at_most_one_megabyte():
    """GetRecords returns at most 1 MB."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream(view="NEW_IMAGE")
    for n in range(4):
        stream.write(None, {"id": {"S": f"{n}"}, "text": {"S": "x" * 390_000}}, NOW)
    iterator = stream.shard_iterator(stream.shards[0].id, "TRIM_HORIZON", now_ms=NOW)
    assert len(read(stream, iterator)["Records"]) == 2


def test_more_than_1000_records_is_a_limit_exceeded_and_less_than_one_is_invalid():
    # The model: "GetRecords was called with a value of more than 1000 for the limit".
    stream = a_stream()
    iterator = stream.shard_iterator(stream.shards[0].id, "LATEST", now_ms=NOW)
    assert refusal(read, stream, iterator, limit=1001).code == "LimitExceededException"
    assert refusal(read, stream, iterator, limit=0).code == "ValidationException"


def test_an_open_shard_always_has_a_next_iterator_even_after_an_empty_page():
    stream = a_stream()
    iterator = stream.shard_iterator(stream.shards[0].id, "LATEST", now_ms=NOW)
    for _ in range(3):
        page = read(stream, iterator)
        assert page["Records"] == []
        iterator = page["NextShardIterator"]
    number = put(stream, "a").sequence
    assert numbers(read(stream, iterator)) == [number]


def test_a_closed_shard_ends_without_a_next_iterator():
    """Without NextShardIterator the shard is closed and read to its end."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream()
    shard = stream.shards[0].id
    written = [put(stream, f"{n}").sequence for n in range(3)]
    iterator = stream.shard_iterator(shard, "TRIM_HORIZON", now_ms=NOW)
    stream.close(shard, NOW)
    first = read(stream, iterator, limit=2)
    last = read(stream, first["NextShardIterator"], limit=2)
    assert numbers(first) + numbers(last) == written
    assert "NextShardIterator" not in last
    after = stream.shard_iterator(shard, "LATEST", now_ms=NOW)
    assert read(stream, after) == {"Records": []}


def test_pages_may_be_empty_although_records_follow():
    """An empty page is normal, also before more records."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream(empty_every=3)
    written = [put(stream, f"{n}").sequence for n in range(6)]
    iterator = stream.shard_iterator(stream.shards[0].id, "TRIM_HORIZON", now_ms=NOW)
    pages = []
    for _ in range(9):
        page = read(stream, iterator, limit=1)
        pages.append(numbers(page))
        iterator = page["NextShardIterator"]
    assert [len(page) for page in pages] == [1, 1, 0] * 3
    assert [number for page in pages for number in page] == written


def test_an_iterator_lives_15_minutes():
    """Iterator life: 15 minutes, then ExpiredIteratorException."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    stream = a_stream()
    iterator = stream.shard_iterator(stream.shards[0].id, "LATEST", now_ms=NOW)
    read(stream, iterator, NOW + ITERATOR_LIFE_MS)
    assert refusal(read, stream, iterator, NOW + ITERATOR_LIFE_MS + 1).code == (
        "ExpiredIteratorException"
    )


def test_an_iterator_whose_record_was_trimmed_meanwhile_is_refused():
    """An iterator whose record was trimmed: TrimmedDataAccessException."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream()
    put(stream, "a")
    put(stream, "b", NOW + SECOND)
    before = NOW + RETENTION_MS
    iterator = stream.shard_iterator(stream.shards[0].id, "TRIM_HORIZON", now_ms=before)
    assert len(read(stream, iterator, before)["Records"]) == 2
    assert refusal(read, stream, iterator, before + 1).code == "TrimmedDataAccessException"
    fresh = stream.shard_iterator(stream.shards[0].id, "TRIM_HORIZON", now_ms=before + 1)
    assert len(read(stream, fresh, before + 1)["Records"]) == 1


@pytest.mark.parametrize("wrong", ["", "x", "é", "{arn}|1|AAAA", "{whole}x", "{arn}|1|{bent}"])
def test_an_iterator_that_was_not_handed_out_is_invalid(wrong):
    stream = a_stream()
    good = stream.shard_iterator(stream.shards[0].id, "LATEST", now_ms=NOW)
    bent = good.rpartition("|")[2].swapcase()
    text = wrong.format(arn=stream.arn, whole=good, bent=bent)
    if text == good:
        pytest.skip("nothing was bent")
    assert refusal(read, stream, text).code == "ValidationException"


def test_an_iterator_of_another_stream_is_invalid():
    one, other = a_stream(), a_stream(created_ms=NOW + 1)
    iterator = one.shard_iterator(one.shards[0].id, "LATEST", now_ms=NOW)
    assert refusal(read, other, iterator).code == "ValidationException"


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    steps=st.lists(st.sampled_from(["write"] * 5 + ["split", "close"]), max_size=60),
    limit=st.integers(1, 7),
    empty_every=st.sampled_from([0, 2, 3]),
)
def test_reading_parents_before_children_visits_each_record_once(steps, limit, empty_every):
    stream = a_stream(empty_every=empty_every, shards=2)
    written = []
    for n, step in enumerate(steps):
        if step == "write":
            written.append(put(stream, f"k{n % 9}").event["eventID"])
        else:
            shard = stream.open_shards[n % len(stream.open_shards)]
            getattr(stream, step)(shard.id, NOW)
    read_ids, last_of_key = [], {}
    for shard in stream.describe(now_ms=NOW)["Shards"]:
        iterator = stream.shard_iterator(shard["ShardId"], "TRIM_HORIZON", now_ms=NOW)
        empty = 0
        while iterator and empty < 4:
            page = read(stream, iterator, limit=limit)
            empty = 0 if page["Records"] else empty + 1
            for record in page["Records"]:
                read_ids.append(record["eventID"])
                key = record["dynamodb"]["Keys"]["id"]["S"]
                number = int(record["dynamodb"]["SequenceNumber"])
                assert number > last_of_key.get(key, 0), "per item, in the order of the changes"
                last_of_key[key] = number
            iterator = page.get("NextShardIterator")
    assert sorted(read_ids) == sorted(written)
    assert len(set(read_ids)) == len(written)


def test_a_page_may_hold_less_than_it_could_and_come_after_empty_ones():
    """Limit is the most that is returned, of records and of shards; empty pages may come first."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    stream = a_stream(shards=3)
    stream.most_shards, stream.most_records, stream.empty_before = 2, 2, 2
    first = stream.describe(now_ms=NOW)
    assert len(first["Shards"]) == 2
    rest = stream.describe(exclusive_start_shard_id=first["LastEvaluatedShardId"], now_ms=NOW)
    assert len(rest["Shards"]) == 1
    assert "LastEvaluatedShardId" not in rest

    shard = stream.shards[0].id
    for n in range(3):
        item = {"id": {"S": f"{n}"}}
        assert stream.write(None, item, NOW, shard=shard) is not None
    iterator = stream.shard_iterator(shard, "TRIM_HORIZON", now_ms=NOW)
    pages = []
    for _ in range(6):
        page = read(stream, iterator)
        pages.append(len(page["Records"]))
        iterator = page["NextShardIterator"]
    assert pages == [0, 0, 2, 0, 0, 1]
