"""The event source mappings of one account: create, get, list, update and delete them.

Requests and answers are those of the Lambda API; refusals carry AWS's codes and, where they are
known, its sentences.
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.mapping.choices import STATE_CHANGE_MS
from grader.cloud.mapping.concurrency import Concurrency
from grader.cloud.mapping.journal import Journal
from grader.cloud.mapping.mapping import EventSourceMapping
from grader.cloud.mapping.names import LATEST, Address, Qualified
from grader.cloud.mapping.ports import Destinations, Function
from grader.cloud.mapping.settings import Settings
from grader.cloud.metrics import Metrics

# https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
PAGE_MAPPINGS = 100
UUID_LENGTH = 36

FindFunction = Callable[[str], Function | None]
FindStream = Callable[[str], Stream | None]
CanRead = Callable[[Function, str], str | None]


class EventSourceMappings:
    """All event source mappings of one account in one Region.

    - ``find_function``: the function with that name, or the version or alias ``name:qualifier``;
      None when there is none;
    - ``find_stream``: the stream with that ARN, None when there is none;
    - ``can_read``: why the function's role may not read the stream with that ARN, None when it
      may; asked at creation and at every poll;
    - ``journal``: shared by all mappings that are not created with one of their own;
    - ``journals``: where each of those gets one of its own instead, by its UUID;
    - ``seed``: another seed, other UUIDs, and the shards poll in another order.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        metrics: Metrics,
        destinations: Destinations,
        find_function: FindFunction,
        find_stream: FindStream,
        can_read: CanRead | None = None,
        concurrency: Concurrency | None = None,
        journal: Journal | None = None,
        journals: dict[str, Journal] | None = None,
        start_delay_ms: int = STATE_CHANGE_MS,
        seed: int = 0,
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._destinations = destinations
        self._find_function = find_function
        self._find_stream = find_stream
        self._can_read = can_read
        self._concurrency = concurrency
        self._journal, self._journals = journal, journals
        self._start_delay_ms = start_delay_ms
        self._seed = seed
        self._created = 0
        self._mappings: dict[str, EventSourceMapping] = {}

    def create(
        self,
        request: Mapping[str, Any],
        *,
        uuid: str | None = None,
        journal: Journal | None = None,
    ) -> dict[str, Any]:
        """CreateEventSourceMapping. ``uuid`` and ``journal`` override the account's own."""
        settings = Settings.parse(request)
        function = self._function(request.get("FunctionName"))
        arn = request["EventSourceArn"]
        for other in self._all():
            if other.stream.arn == arn and other.function.arn == function.arn:
                # Recorded.
                raise Refused(
                    "ResourceConflictException",
                    f'The event source arn (" {arn} ") and function (" {function.name} ") provided '
                    "mapping already exists. Please update or delete the existing mapping with "
                    f"UUID {other.uuid}",
                    "EventSourceArn",
                )
        stream = self._find_stream(arn)
        if stream is None or stream.is_gone(self._clock.now):
            raise Refused(
                "InvalidParameterValueException", f"Stream not found: {arn}", "EventSourceArn"
            )
        if stream.region != function.arn.split(":")[3]:
            # Another account's stream is possible, another Region's is not:
            # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
            raise Refused(
                "InvalidParameterValueException",
                f"The stream {arn} and the function {function.arn} are not in one Region.",
                "EventSourceArn",
            )
        if self._cannot_read(function, arn) is not None:
            # Known from several error logs.
            raise Refused(
                "InvalidParameterValueException",
                f"Cannot access stream {arn}. Please ensure the role can perform the GetRecords, "
                "GetShardIterator, DescribeStream, and ListStreams Actions on your stream in IAM.",
                "FunctionName",
            )
        mapping = self._made(settings, function, stream, uuid, journal)
        mapping.create()
        return mapping.describe()

    def bring_back(
        self,
        request: Mapping[str, Any],
        *,
        uuid: str,
        resume_at: Mapping[str, int],
        journal: Journal | None = None,
    ) -> None:
        """Take up a mapping that existed elsewhere, where it stood in each shard. Refused.

        Nothing of what a creation asks for is asked again: a role may have lost its rights since.
        """
        function = self._function(request.get("FunctionName"))
        stream = self._find_stream(str(request["EventSourceArn"]))
        if stream is None:
            raise Refused("InvalidParameterValueException", "Stream not found", "EventSourceArn")
        mapping = self._made(Settings.parse(request), function, stream, uuid, journal)
        mapping.resume_at = dict(resume_at)
        mapping.create()

    def _made(
        self,
        settings: Settings,
        function: Function,
        stream: Stream,
        uuid: str | None,
        journal: Journal | None,
    ) -> EventSourceMapping:
        arn = stream.arn
        self._created += 1
        mapping_uuid = uuid or self._next_uuid()
        if journal is None and self._journals is not None:
            journal = self._journals[mapping_uuid] = Journal()
        mapping = EventSourceMapping(
            uuid=mapping_uuid,
            settings=settings,
            stream=stream,
            function=function,
            clock=self._clock,
            metrics=self._metrics,
            destinations=self._destinations,
            # An empty journal is false: only None means "the account's own".
            journal=self._journal if journal is None else journal,
            start_delay_ms=self._start_delay_ms,
            readable=lambda: self._cannot_read(mapping.function, arn),
            concurrency=self._concurrency,
            seed=self._seed,
        )
        self._mappings[mapping_uuid] = mapping
        return mapping

    def get(self, uuid: str) -> dict[str, Any]:
        """GetEventSourceMapping."""
        return self._addressed(uuid).describe()

    def list(
        self,
        event_source_arn: str | None = None,
        function_name: str | None = None,
        *,
        marker: str | None = None,
        max_items: int = PAGE_MAPPINGS,
    ) -> dict[str, Any]:
        """ListEventSourceMappings, oldest mapping first, at most 100 a page.

        ``marker`` is the ``NextMarker`` of the page before.
        https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
        """
        if not 1 <= max_items <= 10_000:
            bound = "greater than or equal to 1" if max_items < 1 else "less than or equal to 10000"
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{max_items}' at 'maxItems' failed to satisfy "
                f"constraint: Member must have value {bound}",
                "MaxItems",
            )
        found = []
        wanted = None if function_name is None else Address.parse(function_name)
        for mapping in self._all():
            if event_source_arn is not None and mapping.stream.arn != event_source_arn:
                continue
            if wanted is not None and not wanted.is_of(mapping.function):
                continue
            answer = mapping.describe()
            # An encrypted filter is not shown by this call.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
            if "KMSKeyArn" in answer:
                answer["FilterCriteria"] = None
            found.append(answer)
        start = 0
        if marker is not None:
            start = next((n for n, one in enumerate(found) if one["UUID"] == marker), len(found))
        end = start + min(max_items, PAGE_MAPPINGS)
        page: dict[str, Any] = {"EventSourceMappings": found[start:end]}
        if end < len(found):
            page["NextMarker"] = found[end]["UUID"]
        return page

    def update(self, uuid: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateEventSourceMapping; what the request leaves out stays as it is."""
        mapping = self._addressed(uuid)
        settings = mapping.settings.update(request)
        name = request.get("FunctionName")
        mapping.update(settings, None if name is None else self._function(name))
        return mapping.describe()

    def delete(self, uuid: str) -> dict[str, Any]:
        """DeleteEventSourceMapping; the mapping is listed as Deleting until it is gone."""
        mapping = self._addressed(uuid)
        mapping.delete()
        return mapping.describe()

    def mapping(self, uuid: str) -> EventSourceMapping:
        """The mapping itself. Refused when there is none with that UUID."""
        mapping = self._mappings.get(uuid)
        if mapping is None or mapping.is_deleted:
            # Recorded.
            raise Refused(
                "ResourceNotFoundException", "The resource you requested does not exist.", "UUID"
            )
        return mapping

    def _addressed(self, uuid: str) -> EventSourceMapping:
        """The mapping that a request names by its UUID; the API model knows its length."""
        if len(uuid) != UUID_LENGTH:
            bound = "greater" if len(uuid) < UUID_LENGTH else "less"
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{uuid}' at 'uUID' failed to satisfy "
                f"constraint: Member must have length {bound} than or equal to {UUID_LENGTH}",
                "UUID",
            )
        return self.mapping(uuid)

    def uuids(self) -> builtins.list[str]:
        """The mappings that are not gone, oldest first."""
        return [mapping.uuid for mapping in self._all()]

    def flush(self) -> None:
        """Publish every mapping's metrics up to now, deleted mappings' included."""
        for mapping in self._mappings.values():
            mapping.flush()

    def _all(self) -> Iterator[EventSourceMapping]:
        return (mapping for mapping in self._mappings.values() if not mapping.is_deleted)

    def _function(self, name: Any) -> Function:
        address = Address.parse(name) if isinstance(name, str) else None
        function = None if address is None else self._at(address)
        if function is None:
            # Recorded.
            raise Refused(
                "InvalidParameterValueException", "Function does not exist", "FunctionName"
            )
        return function

    def _at(self, address: Address) -> Function | None:
        """The function, version or alias there; None also for another account or Region."""
        if address.qualifier is None:
            function = self._find_function(address.name)
        elif address.qualifier == LATEST:
            latest = self._find_function(address.name)
            function = None if latest is None else Qualified(latest, LATEST)
        else:
            function = self._find_function(f"{address.name}:{address.qualifier}")
        return function if function is not None and address.is_of(function) else None

    def _cannot_read(self, function: Function, stream_arn: str) -> str | None:
        return self._can_read(function, stream_arn) if self._can_read is not None else None

    def _next_uuid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"mapping {self._seed} {self._created}"))
