"""The DynamoDB Streams API, answered from the emulator's streams and never from moto.

moto has one fixed shard, forgets nothing, and answers 404 on boto3's account-based addresses; the
emulator's `Stream` does what AWS does. Here its answers get their API form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from grader.cloud.aws import Refused, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.stream import PAGE_RECORDS, PAGE_SHARDS, Stream

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html
PAGE_STREAMS = 100


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
        try:
            return self.by_arn[arn]
        except KeyError:
            raise ServiceError(
                "ResourceNotFoundException",
                f"Requested resource not found: Stream: {arn} not found",
            ) from None

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        described = self._stream(params.get("StreamArn")).describe(
            limit=params.get("Limit", PAGE_SHARDS),
            exclusive_start_shard_id=params.get("ExclusiveStartShardId"),
            shard_filter=params.get("ShardFilter"),
            now_ms=self._clock.now,
        )
        return {"StreamDescription": described}

    def _iterator(self, params: dict[str, Any]) -> dict[str, Any]:
        iterator = self._stream(params.get("StreamArn")).shard_iterator(
            str(params.get("ShardId")),
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
            iterator, params.get("Limit", PAGE_RECORDS), now_ms=self._clock.now
        )

    def _list(self, params: dict[str, Any]) -> dict[str, Any]:
        limit = params.get("Limit", PAGE_STREAMS)
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
