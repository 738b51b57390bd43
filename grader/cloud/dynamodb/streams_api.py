"""The DynamoDB Streams API, answered from the emulator's streams and never from moto.

moto has one fixed shard, forgets nothing, and answers 404 on boto3's account-based addresses; the
emulator's `Stream` does what AWS does. Here its answers get their API form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from grader.cloud.aws import Refused, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.reading import PAGE_SHARDS
from grader.cloud.dynamodb.requests import constraint
from grader.cloud.dynamodb.shard import PAGE_RECORDS
from grader.cloud.dynamodb.stream import Stream

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html
PAGE_STREAMS = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
SHORTEST_ARN, SHORTEST_SHARD = 37, 28
LONGEST_ARN, LONGEST_SHARD = 1024, 65
_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[^/]+/stream/.+")


class Streams:
    """Every stream of one account, disabled ones included, by ARN."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.by_arn: dict[str, Stream] = {}

    def add(self, stream: Stream) -> None:
        """Take up a stream that a table has just got."""
        self.by_arn[stream.arn] = stream

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one API call. ServiceError as AWS's."""
        try:
            return _OPERATIONS[operation](self, params)
        except Refused as refused:
            raise ServiceError(refused.code, refused.message) from None

    def _stream(self, arn: Any) -> Stream:
        _check_arn(arn, "streamArn")
        try:
            return self.by_arn[arn]
        except KeyError:
            raise ServiceError(
                "ResourceNotFoundException",
                f"Requested resource not found: Stream: {arn} not found",
            ) from None

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        asked = params.get("ShardFilter")
        if isinstance(asked, dict) and asked.get("ShardId") is not None:
            _check_length(asked["ShardId"], "shardFilter.shardId", SHORTEST_SHARD, LONGEST_SHARD)
        described = self._stream(params.get("StreamArn")).describe(
            limit=_whole(params, "Limit", PAGE_SHARDS),
            exclusive_start_shard_id=_shard_id(params, "ExclusiveStartShardId"),
            shard_filter=asked,
            now_ms=self._clock.now,
        )
        return {"StreamDescription": described}

    def _iterator(self, params: dict[str, Any]) -> dict[str, Any]:
        shard_id = _shard_id(params, "ShardId")
        iterator = self._stream(params.get("StreamArn")).shard_iterator(
            str(shard_id),
            str(params.get("ShardIteratorType")),
            params.get("SequenceNumber"),
            params.get("Timestamp"),
            now_ms=self._clock.now,
        )
        return {"ShardIterator": iterator}

    def _records(self, params: dict[str, Any]) -> dict[str, Any]:
        iterator = str(params.get("ShardIterator"))
        arn = iterator.partition("|")[0]
        if arn not in self.by_arn:
            raise ServiceError("ValidationException", "Invalid ShardIterator.")
        return self.by_arn[arn].get_records(
            iterator, _whole(params, "Limit", PAGE_RECORDS), now_ms=self._clock.now
        )

    def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        limit = _whole(params, "Limit", PAGE_STREAMS)
        if not 1 <= limit <= PAGE_STREAMS:
            raise ServiceError(
                "ValidationException",
                f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
                f"constraint: Member must have value between 1 and {PAGE_STREAMS}",
            )
        name = str(params.get("TableName") or "").rpartition("/")[2]
        found = [
            stream
            for stream in self._living(self.by_arn.values())
            if not name or stream.table == name
        ]
        start = params.get("ExclusiveStartStreamArn")
        if start is not None:
            _check_arn(start, "exclusiveStartStreamArn")
        arns = [stream.arn for stream in found]
        first = arns.index(start) + 1 if start in arns else 0
        page = found[first : first + limit]
        answer: dict[str, Any] = {
            "Streams": [
                {"StreamArn": one.arn, "StreamLabel": one.label, "TableName": one.table}
                for one in page
            ]
        }
        if first + limit < len(found):
            answer["LastEvaluatedStreamArn"] = page[-1].arn
        return answer

    def _living(self, streams: Iterable[Stream]) -> list[Stream]:
        """Streams that can still be described: a disabled one can for 24 hours."""
        living = []
        for stream in streams:
            try:
                stream.describe(limit=1, now_ms=self._clock.now)
            except Refused:
                continue
            living.append(stream)
        return living


_OPERATIONS: dict[str, Callable[[Streams, dict[str, Any]], dict[str, Any]]] = {
    "DescribeStream": Streams._describe,
    "GetShardIterator": Streams._iterator,
    "GetRecords": Streams._records,
    "ListStreams": Streams._list,
}


# -- what is wrong whatever the stream -------------------------------------------------------


def _whole(params: dict[str, Any], name: str, default: int) -> int:
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ServiceError("SerializationException", f"{name} has a type that it cannot have.")
    return value


def _check_length(value: Any, member: str, shortest: int, longest: int) -> None:
    if not isinstance(value, str):
        raise constraint(value, member, "Member must not be null")
    if not shortest <= len(value) <= longest:
        edge = (
            f"greater than or equal to {shortest}"
            if len(value) < shortest
            else f"less than or equal to {longest}"
        )
        raise constraint(value, member, f"Member must have length {edge}")


def _check_arn(arn: Any, member: str) -> None:
    """A malformed ARN is a ValidationException; one of no stream is not found."""
    _check_length(arn, member, SHORTEST_ARN, LONGEST_ARN)
    if not _ARN.fullmatch(arn):
        raise ServiceError("ValidationException", f"Invalid StreamArn: {arn}")


def _shard_id(params: dict[str, Any], name: str) -> str | None:
    shard_id = params.get(name)
    if shard_id is not None or name == "ShardId":
        _check_length(shard_id, name[0].lower() + name[1:], SHORTEST_SHARD, LONGEST_SHARD)
    return shard_id
