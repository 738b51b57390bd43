"""How a stream is read: shards and records page by page, as the Streams API gives them.

Time is given, never taken: ``now_ms`` is integer milliseconds since the epoch. An iterator carries
a *position* (``shard``), when it was issued, and a seal, so that nobody can make one up.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import PAGE_RECORDS, RETENTION_MS, Shard

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
ITERATOR_LIFE_MS = 15 * 60 * 1000
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
PAGE_SHARDS = 100

VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")
ITERATOR_TYPES = (
    "TRIM_HORIZON",
    "LATEST",
    "AT_SEQUENCE_NUMBER",
    "AFTER_SEQUENCE_NUMBER",
    "AT_TIMESTAMP",
)


class Readable:
    """A stream as its readers see it; what is written comes in by `Stream`, which adds to it.

    ``empty_every``, ``empty_before``, ``most_records`` and ``most_shards`` are told of there.
    """

    def __init__(
        self,
        *,
        table: str,
        keys: Sequence[str],
        view: str,
        region: str,
        account_id: str,
        created_ms: int,
        seed: int,
        empty_every: int,
    ) -> None:
        if view not in VIEWS:
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{view}' at 'streamSpecification."
                "streamViewType' failed to satisfy constraint: Member must satisfy enum value "
                "set: [NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES, KEYS_ONLY]",
                "StreamViewType",
            )
        if not 1 <= len(keys) <= 2:
            raise ValueError("a table has a partition key and at most one sort key")
        self.table = table
        self.keys = tuple(keys)
        self.view = view
        self.region = region
        self.account_id = account_id
        self.created_ms = created_ms
        self.status = "ENABLED"
        self.disabled_ms: int | None = None
        self.label = _label(created_ms)
        self.arn = f"arn:aws:dynamodb:{region}:{account_id}:table/{table}/stream/{self.label}"
        self.empty_every = empty_every
        self.empty_before = 0
        self.most_records = PAGE_RECORDS
        self.most_shards = PAGE_SHARDS
        self._salt = int.from_bytes(digest(f"{self.arn} {seed}", 16))
        self._shards: list[Shard] = []
        self._by_id: dict[str, Shard] = {}

    def shard(self, shard_id: str) -> Shard:
        """The listed shard of that id; ResourceNotFoundException when there is none."""
        try:
            return self._by_id[shard_id]
        except KeyError:
            raise Refused(
                "ResourceNotFoundException",
                f"Requested resource not found: Shard: {shard_id} in Stream: {self.arn} not found",
                "ShardId",
            ) from None

    def is_gone(self, now_ms: int) -> bool:
        """Whether the stream was disabled more than 24 hours ago: it cannot be read any more."""
        return self.disabled_ms is not None and now_ms - self.disabled_ms > RETENTION_MS

    def _tidy(self, now_ms: int) -> None:
        """Forget what is older than 24 hours; refuse when the stream itself is.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
        """
        if self.is_gone(now_ms):
            raise Refused(
                "ResourceNotFoundException",
                f"Requested resource not found: Stream: {self.arn} not found",
                "StreamArn",
            )
        for shard in self._shards:
            shard.horizon(now_ms)
        if any(_is_past(shard, now_ms) for shard in self._shards):
            self._shards = [shard for shard in self._shards if not _is_past(shard, now_ms)]
            self._by_id = {shard.id: shard for shard in self._shards}

    def describe(
        self,
        *,
        limit: int = PAGE_SHARDS,
        exclusive_start_shard_id: str | None = None,
        shard_filter: Mapping[str, str] | None = None,
        now_ms: int,
    ) -> dict[str, Any]:
        """The ``StreamDescription`` of a DescribeStream answer: at most 100 shards a page.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
        """
        self._tidy(now_ms)
        _check_range("limit", limit, 1, PAGE_SHARDS, "Limit")
        limit = min(limit, self.most_shards)
        shards = self._shards
        if shard_filter is not None:
            kind, parent = shard_filter.get("Type"), shard_filter.get("ShardId")
            if kind != "CHILD_SHARDS":
                raise _invalid(
                    f"1 validation error detected: Value '{kind}' at 'shardFilter.type' failed to "
                    "satisfy constraint: Member must satisfy enum value set: [CHILD_SHARDS]",
                    "ShardFilter",
                )
            if parent is None:
                raise _invalid("ShardFilter of type CHILD_SHARDS needs a ShardId", "ShardFilter")
            self.shard(parent)
            shards = [shard for shard in shards if shard.parent_id == parent]
        start = 0
        if exclusive_start_shard_id is not None:
            before = self.shard(exclusive_start_shard_id)
            start = next((n for n, shard in enumerate(shards, 1) if shard is before), len(shards))
        page = shards[start : start + limit]
        description: dict[str, Any] = {
            "StreamArn": self.arn,
            "StreamLabel": self.label,
            "StreamStatus": self.status,
            "StreamViewType": self.view,
            "CreationRequestDateTime": self.created_ms / 1000,
            "TableName": self.table,
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(self.keys, ("HASH", "RANGE"), strict=False)
            ],
            "Shards": [_described(shard) for shard in page],
        }
        if start + limit < len(shards):
            description["LastEvaluatedShardId"] = page[-1].id
        return description

    def shard_iterator(
        self,
        shard_id: str,
        type: str,
        sequence_number: str | None = None,
        timestamp: float | None = None,
        *,
        now_ms: int,
    ) -> str:
        """A shard iterator, good for 15 minutes. ``timestamp`` is in seconds since the epoch.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
        """
        self._tidy(now_ms)
        shard = self.shard(shard_id)
        if type not in ITERATOR_TYPES:
            raise _invalid(
                f"1 validation error detected: Value '{type}' at 'shardIteratorType' failed to "
                f"satisfy constraint: Member must satisfy enum value set: "
                f"[{', '.join(ITERATOR_TYPES)}]",
                "ShardIteratorType",
            )
        by_number = type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
        if by_number != (sequence_number is not None):
            verb = "needs" if by_number else "takes no"
            raise _invalid(f"ShardIteratorType {type} {verb} SequenceNumber", "SequenceNumber")
        if (type == "AT_TIMESTAMP") != (timestamp is not None):
            verb = "needs" if timestamp is None else "takes no"
            raise _invalid(f"ShardIteratorType {type} {verb} Timestamp", "Timestamp")

        if type == "LATEST":
            position = shard.latest_position()
        elif sequence_number is not None:
            position = self._numbered_position(shard, sequence_number, now_ms)
            position += type == "AFTER_SEQUENCE_NUMBER"
        elif timestamp is not None:
            position = self._timed_position(shard, timestamp, now_ms)
        else:
            position = shard.horizon(now_ms)
        return self._iterator(shard, position, now_ms, 0)

    def _numbered_position(self, shard: Shard, sequence_number: str, now_ms: int) -> int:
        if not (
            sequence_number.isascii()
            and sequence_number.isdigit()
            and 21 <= len(sequence_number) <= 40
        ):
            raise _invalid(
                "SequenceNumber is not a text of 21 to 40 decimal digits", "SequenceNumber"
            )
        position = int(sequence_number)
        last = shard.ending_sequence
        if last is None:
            last = max(shard.latest_position() - 1, shard.starting_sequence)
        if not shard.starting_sequence <= position <= last:
            raise _invalid(
                f"SequenceNumber {sequence_number} is not in shard {shard.id}", "SequenceNumber"
            )
        if position < shard.horizon(now_ms):
            raise _trimmed("SequenceNumber")
        return position

    def _timed_position(self, shard: Shard, timestamp: float, now_ms: int) -> int:
        time_ms = round(timestamp * 1000)
        if time_ms > now_ms:
            raise _invalid("Timestamp must not be in the future", "Timestamp")
        # "At or after" is measured on ApproximateCreationDateTime, which has whole seconds.
        whole_ms = -(-time_ms // 1000) * 1000
        first = shard.first_since(whole_ms)
        if first == len(shard.records):
            return shard.latest_position()
        return max(shard.records[first].sequence, shard.horizon(now_ms))

    def get_records(
        self, iterator: str, limit: int = PAGE_RECORDS, *, now_ms: int
    ) -> dict[str, Any]:
        """A GetRecords answer: up to 1,000 records or 1 MB, and where to read on.

        ``NextShardIterator`` is absent once the shard is closed and the page reaches its end; that
        page may still hold records. The records are for reading only.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
        """
        self._tidy(now_ms)
        if limit > PAGE_RECORDS:
            # "GetRecords was called with a value of more than 1000 for the limit request
            # parameter": the Streams API's description of LimitExceededException.
            raise Refused(
                "LimitExceededException",
                "GetRecords was called with a value of more than 1000 for the limit request "
                "parameter.",
                "Limit",
            )
        _check_range("limit", limit, 1, PAGE_RECORDS, "Limit")
        shard_id, position, issued_ms, page = self._opened(iterator)
        if now_ms - issued_ms > ITERATOR_LIFE_MS:
            raise Refused(
                "ExpiredIteratorException",
                "The provided iterator exceeds the maximum age allowed.",
                "ShardIterator",
            )
        shard = self._by_id.get(shard_id)
        if shard is None or position < shard.horizon(now_ms):
            raise _trimmed("ShardIterator")
        most = min(limit, self.most_records)
        found = [] if self._is_empty(page) else shard.read(position, most)
        if found:
            position = found[-1].sequence + 1
        answer: dict[str, Any] = {"Records": [_wire_record(record) for record in found]}
        if not shard.is_drained(position):
            answer["NextShardIterator"] = self._iterator(shard, position, now_ms, page + 1)
        return answer

    def _is_empty(self, page: int) -> bool:
        """Whether the page with this number of a run is empty although records may follow."""
        if page % (self.empty_before + 1) != self.empty_before:
            return True
        return bool(self.empty_every) and page % self.empty_every == self.empty_every - 1

    def _iterator(self, shard: Shard, position: int, now_ms: int, page: int) -> str:
        body = json.dumps([shard.id, position, now_ms, page], separators=(",", ":")).encode()
        text = base64.urlsafe_b64encode(self._seal(body) + body).decode("ascii")
        return f"{self.arn}|1|{text}"

    def _opened(self, iterator: str) -> tuple[str, int, int, int]:
        arn, _, text = iterator.rpartition("|1|")
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii"))
        except (ValueError, binascii.Error):
            sealed = b""
        seal, body = sealed[:8], sealed[8:]
        if arn != self.arn or seal != self._seal(body):
            raise _invalid("Invalid ShardIterator.", "ShardIterator")
        shard_id, position, issued_ms, page = json.loads(body)
        return shard_id, position, issued_ms, page

    def _seal(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=8, key=self._salt.to_bytes(16)).digest()


def _label(time_ms: int) -> str:
    """A stream label: an ISO time with milliseconds, without a zone."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def digest(text: str, size: int) -> bytes:
    """So many bytes that are the same for the same text, and look random."""
    return blake2b(text.encode(), digest_size=size).digest()


def _is_past(shard: Shard, now_ms: int) -> bool:
    return shard.closed_ms is not None and now_ms - shard.closed_ms > RETENTION_MS


def _described(shard: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": str(shard.starting_sequence)}
    if shard.ending_sequence is not None:
        numbers["EndingSequenceNumber"] = str(shard.ending_sequence)
    described: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parent_id is not None:
        described["ParentShardId"] = shard.parent_id
    return described


def _wire_record(record: Record) -> dict[str, Any]:
    """A record as GetRecords sends it: Lambda's form without the ARN, and Identity capitalised.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
    """
    wire = record.event.copy()
    del wire["eventSourceARN"]
    identity = wire.get("userIdentity")
    if identity is not None:
        wire["userIdentity"] = {
            "PrincipalId": identity["principalId"],
            "Type": identity["type"],
        }
    return wire


def _invalid(message: str, parameter: str) -> Refused:
    return Refused("ValidationException", message, parameter)


def _trimmed(parameter: str) -> Refused:
    return Refused(
        "TrimmedDataAccessException",
        "The data you are trying to access has been trimmed.",
        parameter,
    )


def _check_range(name: str, value: int, lowest: int, highest: int, parameter: str) -> None:
    if value < lowest:
        bound = f"greater than or equal to {lowest}"
    elif value > highest:
        bound = f"less than or equal to {highest}"
    else:
        return
    raise _invalid(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must have value {bound}",
        parameter,
    )
