"""The metrics of one mapping, collected by the minute and published as CloudWatch receives them.

Lambda publishes one-minute data, so a minute's observations are gathered here and written to
``Metrics`` together, at the end of the minute or when ``flush`` asks for them. That also keeps a
busy mapping cheap and a silent one free.

Names, units and dimensions:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial

from grader.cloud.clock import Clock
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.mapping.choices import GET_RECORDS_LATENCY_MS
from grader.cloud.mapping.concurrency import Concurrency
from grader.cloud.metrics import Dimensions, Metrics, dimensions

MINUTE_MS = 60_000
# After everything else that happens in the same millisecond.
PUBLISH_ORDER = 90


class Minute:
    """What was observed in one minute. Durations and ages in milliseconds."""

    __slots__ = (
        "account",
        "ages",
        "delivered",
        "destination_failures",
        "dropped",
        "durations",
        "empty_polls",
        "end_ms",
        "errors",
        "failed",
        "filtered",
        "handed",
        "page_bytes",
        "pages",
        "running",
        "start_ms",
        "throttles",
    )

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.end_ms = start_ms + MINUTE_MS
        # One element an invocation.
        self.ages: list[int] = []
        self.running: list[int] = []
        # The account's figures, where it has limits, each with how often it was seen.
        self.account: dict[str, Counter[float]] = {}
        self.durations: list[int] = []
        # One element a GetRecords call that returned records.
        self.pages: list[int] = []
        self.page_bytes: list[int] = []
        self.empty_polls = 0
        self.errors = 0
        self.throttles = 0
        # Records.
        self.handed = 0
        self.failed = 0
        self.filtered = 0
        self.dropped = 0
        self.delivered = 0
        self.destination_failures = 0

    def stands(self, concurrency: Concurrency) -> None:
        """An invocation begins: see how many run in the account."""
        for name, figure in concurrency.figures().items():
            self.account.setdefault(name, Counter())[figure] += 1


class Meter:
    """Collects for one mapping and publishes into ``metrics``.

    ``event_counts`` is whether the mapping has opted in to the EventCount metrics.
    """

    def __init__(
        self,
        metrics: Metrics,
        clock: Clock,
        *,
        function_name: str,
        uuid: str,
        stream: Stream,
        event_counts: bool,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._function = dimensions(FunctionName=function_name)
        self._mapping = dimensions(EventSourceMappingUUID=uuid)
        self._shards = dimensions(
            Operation="GetRecords", StreamLabel=stream.label, TableName=stream.table
        )
        self._calls = dimensions(Operation="GetRecords", TableName=stream.table)
        self.event_counts = event_counts
        self._minutes: dict[int, Minute] = {}
        self._latest: Minute | None = None
        self._publishing = False

    def minute(self, time_ms: int) -> Minute:
        """Where to count what is stamped with ``time_ms``."""
        found = self._latest
        if found is not None and found.start_ms <= time_ms < found.end_ms:
            return found
        start = time_ms - time_ms % MINUTE_MS
        found = self._minutes.get(start)
        if found is None:
            found = self._minutes[start] = Minute(start)
            if not self._publishing:
                self._publishing = True
                now = self._clock.now
                self._clock.at(
                    now - now % MINUTE_MS + MINUTE_MS, self._publish_due, order=PUBLISH_ORDER
                )
        self._latest = found
        return found

    def change(self, function_name: str, event_counts: bool) -> None:
        """From now on the mapping invokes this function, with or without EventCount metrics."""
        self.flush()
        self._function = dimensions(FunctionName=function_name)
        self.event_counts = event_counts

    def empty_polls(self, after_ms: int, until_ms: int, anchor_ms: int, poll_ms: int) -> None:
        """Count the polls on the grid in (after_ms, until_ms] that found nothing.

        The grid has a point every ``poll_ms`` from ``anchor_ms`` on.
        """
        first = (after_ms - anchor_ms) // poll_ms + 1
        last = (until_ms - anchor_ms) // poll_ms
        while first <= last:
            minute = self.minute(anchor_ms + first * poll_ms)
            # The last grid point before the minute ends.
            within = min(last, (minute.end_ms - 1 - anchor_ms) // poll_ms)
            minute.empty_polls += within - first + 1
            first = within + 1

    def flush(self) -> None:
        """Publish everything collected so far, the unfinished minute included."""
        minutes, self._minutes = self._minutes, {}
        self._latest = None
        for start in sorted(minutes):
            self._publish(minutes[start])

    def _publish_due(self) -> None:
        self._publishing = False
        self.flush()

    def _publish(self, minute: Minute) -> None:
        start = minute.start_ms
        put = self._metrics.put
        put_all = partial(self._metrics.put_all, arrived_ms=self._clock.now)

        def observe(
            name: str,
            values: Mapping[float, int],
            unit: str = "Count",
            dims: Dimensions = self._function,
        ) -> None:
            put_all("AWS/Lambda", name, values, start, unit=unit, dims=dims)

        def flag(name: str, ones: int, zeros: int) -> None:
            """A metric that is 1 or 0 for each invocation."""
            observe(name, {value: n for value, n in ((0.0, zeros), (1.0, ones)) if n})

        invoked = len(minute.durations)
        # Throttled attempts are neither invocations nor errors.
        flag("Invocations", invoked, 0)
        flag("Errors", minute.errors, invoked - minute.errors)
        flag("Throttles", minute.throttles, invoked)
        observe("Duration", Counter(minute.durations), "Milliseconds")
        observe("IteratorAge", Counter(minute.ages), "Milliseconds")
        observe("ConcurrentExecutions", Counter(minute.running))
        flag("DestinationDeliveryFailures", minute.destination_failures, 0)
        # Of the whole account, so without a dimension.
        for name, figures in minute.account.items():
            put_all("AWS/Lambda", name, figures, start, unit="Count")

        polls = len(minute.pages) + minute.empty_polls
        if self.event_counts:
            counts = {
                "FilteredOutEventCount": minute.filtered,
                "InvokedEventCount": minute.handed,
                "FailedInvokeEventCount": minute.failed,
                "DroppedEventCount": minute.dropped,
                "OnFailureDestinationDeliveredEventCount": minute.delivered,
            }
            # 0 on an empty poll: the proof that the mapping is alive. It is known when the poll is
            # over, also where this emulator counts a silent mapping's polls only when it is asked.
            if polls:
                found = sum(minute.pages)
                put(
                    "AWS/Lambda", "PolledEventCount", found, start, unit="Count", dims=self._mapping
                )
            for name, records in counts.items():
                observe(name, {records: 1} if records else {}, dims=self._mapping)

        if polls:
            latency = GET_RECORDS_LATENCY_MS
            put(
                "AWS/DynamoDB",
                "SuccessfulRequestLatency",
                latency,
                start,
                unit="Milliseconds",
                dims=self._calls,
                count=polls,
            )
        for name, pages, unit in (
            ("ReturnedRecordsCount", minute.pages, "Count"),
            ("ReturnedBytes", minute.page_bytes, "Bytes"),
        ):
            put_all("AWS/DynamoDB", name, Counter(pages), start, unit=unit, dims=self._shards)
