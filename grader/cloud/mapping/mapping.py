"""One event source mapping at work: its states, its shards, what it reports about itself.

A mapping polls a stream and invokes a function with batches of its records. How a shard is polled
stands in ``poller.py``, what follows from an invocation in ``decide.py``; this is the life of the
mapping around them.

    mapping = EventSourceMapping(uuid=…, settings=…, stream=…, function=…, clock=…, metrics=…,
                                 destinations=…, journal=Journal())
    mapping.create()
    clock.run_for(3_600_000)
    mapping.flush()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.clock import Clock, Event
from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import Shard
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.mapping.choices import SHARD_DISCOVERY_MS, STATE_CHANGE_MS
from grader.cloud.mapping.concurrency import Concurrency
from grader.cloud.mapping.host import Host
from grader.cloud.mapping.journal import Journal, StateChanged
from grader.cloud.mapping.meter import Meter
from grader.cloud.mapping.poller import ShardPoller
from grader.cloud.mapping.ports import Destinations, Function
from grader.cloud.mapping.settings import Settings
from grader.cloud.metrics import Metrics

USER_ACTION = "User action"


class EventSourceMapping:
    """An event source mapping from a DynamoDB stream to a function.

    - ``clock``, ``metrics``: virtual time, and where the data points go;
    - ``destinations``: where failure notes go, if the settings name a destination;
    - ``journal``: gets an entry for every step; without one nothing is remembered;
    - ``start_delay_ms``: how long each change of state takes (milliseconds);
    - ``readable``: asked at each poll; a text is why the stream cannot be read (no permission…);
    - ``concurrency``: the account's limits; without them nothing is ever throttled here;
    - ``seed``: another seed, another order of the shards' polls.

    The records in an event are the stream's own: a function in this process must not change them.
    Raises Refused for a combination of settings that the emulator does not do.
    """

    def __init__(
        self,
        *,
        uuid: str,
        settings: Settings,
        stream: Stream,
        function: Function,
        clock: Clock,
        metrics: Metrics,
        destinations: Destinations,
        journal: Journal | None = None,
        start_delay_ms: int = STATE_CHANGE_MS,
        readable: Callable[[], str | None] | None = None,
        concurrency: Concurrency | None = None,
        seed: int = 0,
    ) -> None:
        _check(settings)
        self.uuid = uuid
        # As asked for; the pollers follow when the change of state is over.
        self.settings = settings
        self.function = function
        self.stream = stream
        self.journal = journal
        self.state = "Creating"
        self.state_transition_reason = USER_ACTION
        self.last_modified_ms = self._created_ms = clock.now
        # True once the deletion is over; the mapping does nothing any more.
        self.is_deleted = False
        self._clock = clock
        self._start_delay_ms = start_delay_ms
        self._change: Event | None = None
        self._meter = Meter(
            metrics,
            clock,
            function_name=function.name,
            uuid=uuid,
            stream=stream,
            event_counts=settings.event_count_metrics,
        )
        self._host = Host(
            uuid=uuid,
            settings=settings,
            stream=stream,
            function=function,
            clock=clock,
            meter=self._meter,
            destinations=destinations,
            journal=journal,
            readable=readable,
            concurrency=concurrency,
            seed=seed,
        )
        # Parents before children, as the stream lists them.
        self._pollers: dict[str, ShardPoller] = {}
        # Shards that opened and have not been found yet: their ids.
        self._unfound: set[str] = set()
        self._polling = False
        self._stop_listening: list[Callable[[], None]] = []
        # Where to go on in shards that a mapping has read before this one stood for it.
        self.resume_at: dict[str, int] = {}

    @property
    def arn(self) -> str:
        """The mapping's ARN, in the function's account and Region."""
        _, partition, _, region, account = self.function.arn.split(":")[:5]
        return f"arn:{partition}:lambda:{region}:{account}:event-source-mapping:{self.uuid}"

    @property
    def last_processing_result(self) -> str:
        """How the last invocation went: "No records processed", "OK" or "PROBLEM: …"."""
        if self.stream.is_gone(self._clock.now):
            return f"PROBLEM: Stream not found: {self.stream.arn}"
        return self._host.last_result

    @property
    def is_changing(self) -> bool:
        """Whether a change of state is under way; AWS refuses another one meanwhile."""
        return self._change is not None

    # -- changes of state ------------------------------------------------------------------
    # "May take several minutes": https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html

    def create(self) -> None:
        """Begin to exist: Creating, then Enabled and polling, or Disabled."""
        self._change_state("Creating", self._settle_down)

    def enable(self) -> None:
        """Resume after the last processed record."""
        self.update(replace(self.settings, enabled=True))

    def disable(self) -> None:
        """Pause. Polling goes on until the mapping is Disabled; the position is kept.

        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
        """
        self.update(replace(self.settings, enabled=False))

    def update(self, settings: Settings, function: Function | None = None) -> None:
        """Change settings and, if given, the function. The position is kept."""
        _check(settings)
        if settings.enabled != self.settings.enabled:
            state = "Enabling" if settings.enabled else "Disabling"
        else:
            state = "Updating"
        self._change_state(state, self._settle_down)
        self.settings = settings
        if function is not None:
            self.function = function

    def delete(self) -> None:
        """Stop polling for good; a running invocation finishes."""
        self._change_state("Deleting", self._vanish)

    def _change_state(self, state: str, then: Callable[[], None]) -> None:
        """Enter a state that passes by itself. Refused while another one has not passed."""
        if self._change is not None or self.is_deleted:
            # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
            # The sentence is known from many error logs of real deployments.
            verb = "delete" if state == "Deleting" else "update"
            raise Refused(
                "ResourceInUseException",
                f"Cannot {verb} the event source mapping because it is in use.",
            )
        self._enter(state)
        self.last_modified_ms = self._clock.now
        self._change = self._clock.after(self._start_delay_ms, then)

    def _enter(self, state: str) -> None:
        self.state = state
        self.state_transition_reason = USER_ACTION
        if self.journal is not None:
            self.journal.add(StateChanged(self._clock.now, state, USER_ACTION))

    def _settle_down(self) -> None:
        """A change of state is over: poll with the settings as they are now, or not at all."""
        self._change = None
        host = self._host
        if host.settings != self.settings or host.function is not self.function:
            self._stop_polling()
            self._meter.change(self.function.name, self.settings.event_count_metrics)
            host.settings = self.settings
            host.function = self.function
        if self.settings.enabled:
            self._enter("Enabled")
            self._start_polling()
        else:
            self._enter("Disabled")
            self._stop_polling()

    def _vanish(self) -> None:
        self._change = None
        self._stop_polling()
        for stop in self._stop_listening:
            stop()
        self.is_deleted = True

    # -- shards ----------------------------------------------------------------------------

    def _start_polling(self) -> None:
        self._polling = True
        if not self._stop_listening:
            self._host.began_ms = self._clock.now
            # LATEST is the latest at this moment: what was written while the mapping was being
            # created is missed. https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
            latest = self.settings.starting_position == "LATEST"
            for shard in self.stream.shards:
                # What was trimmed before the mapping existed is nothing that it lost.
                horizon = shard.horizon(self._created_ms)
                begin = shard.latest_position() if latest else horizon
                self._adopt(shard, max(horizon, self.resume_at.get(shard.id, begin)))
            self._stop_listening = [
                self.stream.listen(self._written),
                self.stream.listen_shards(self._shards_changed),
            ]
        self._start_ready()

    def _stop_polling(self) -> None:
        self._polling = False
        for poller in self._pollers.values():
            poller.stop()

    def _adopt(self, shard: Shard, position: int) -> None:
        number = len(self._pollers) + 1
        self._pollers[shard.id] = ShardPoller(
            self._host, shard, number, position, self._start_ready
        )

    def _start_ready(self) -> None:
        """Poll every shard that has been found and whose parent has been processed to its end.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
        """
        if not self._polling:
            return
        for poller in self._pollers.values():
            parent = self._pollers.get(poller.shard.parent_id or "")
            if poller.shard.id not in self._unfound and (parent is None or parent.is_finished):
                poller.start()

    def _written(self, record: Record, shard: Shard) -> None:
        poller = self._pollers.get(shard.id)
        if poller is not None:
            poller.wake()

    def _shards_changed(self) -> None:
        opened = [shard for shard in self.stream.shards if shard.id not in self._pollers]
        for shard in opened:
            self._adopt(shard, shard.starting_sequence)
        if opened:
            found = {shard.id for shard in opened}
            self._unfound |= found
            self._clock.after(SHARD_DISCOVERY_MS, partial(self._found, found))
        for poller in list(self._pollers.values()):
            poller.wake()

    def _found(self, shard_ids: set[str]) -> None:
        self._unfound -= shard_ids
        self._start_ready()

    # -- what can be seen ------------------------------------------------------------------

    def checkpoint(self, shard_id: str) -> int | None:
        """The sequence number up to which everything is dealt with, None before anything is."""
        poller = self._pollers.get(shard_id)
        return None if poller is None else poller.checkpoint

    def positions(self) -> dict[str, int]:
        """By shard: where the first record lies that is not dealt with, or will lie."""
        found = dict(self.resume_at)
        for shard_id, poller in self._pollers.items():
            waiting = poller.pending()
            found[shard_id] = waiting[0].sequence if waiting else poller.shard.latest_position()
        return found

    def pending(self) -> list[Record]:
        """Records that the mapping has still to deal with: read or unread, and not trimmed."""
        if self._pollers:
            return [record for one in self._pollers.values() for record in one.pending()]
        found: list[Record] = []
        if self.settings.starting_position == "TRIM_HORIZON" or self.resume_at:
            for shard in self.stream.shards:
                horizon = shard.horizon(self._clock.now)
                position = max(horizon, self.resume_at.get(shard.id, horizon))
                while page := shard.read(position):
                    found += page
                    position = page[-1].sequence + 1
        return found

    def flush(self) -> None:
        """Publish all metrics up to now, the polls of silent hours included.

        Busy minutes are published as they end; silent ones only here or at the next write.
        """
        for poller in self._pollers.values():
            poller.flush()
        self._meter.flush()

    def describe(self) -> dict[str, Any]:
        """The mapping as GetEventSourceMapping returns it; ``LastModified`` in epoch seconds.

        Keys in alphabetical order, as recorded:
        https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
        """
        answer = {
            **self.settings.describe(),
            "EventSourceArn": self.stream.arn,
            "EventSourceMappingArn": self.arn,
            "FunctionArn": self.function.arn,
            "LastModified": self.last_modified_ms / 1000,
            "LastProcessingResult": self.last_processing_result,
            "State": self.state,
            "StateTransitionReason": self.state_transition_reason,
            "UUID": self.uuid,
        }
        return dict(sorted(answer.items()))


def _check(settings: Settings) -> None:
    if settings.tumbling_window_ms and settings.parallelization > 1:
        raise Refused(
            "InvalidParameterValueException",
            "TumblingWindowInSeconds together with a ParallelizationFactor above 1 is not "
            "emulated: AWS keeps one state a shard and does not say how lanes would share it.",
            "ParallelizationFactor",
        )
