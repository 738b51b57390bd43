"""What the pollers of one mapping share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grader.cloud.clock import Clock
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.mapping.concurrency import Concurrency
from grader.cloud.mapping.journal import Journal
from grader.cloud.mapping.meter import Meter
from grader.cloud.mapping.ports import Destinations, Function
from grader.cloud.mapping.settings import Settings

# What LastProcessingResult says. https://docs.aws.amazon.com/lambda/latest/api/
# API_EventSourceMappingConfiguration.html; the texts are recorded.
OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"


@dataclass(slots=True)
class Host:
    """What the pollers of one mapping share. The mapping changes it, the pollers read it.

    ``last_result`` is written by them: the mapping's LastProcessingResult.
    """

    uuid: str
    settings: Settings
    stream: Stream
    function: Function
    clock: Clock
    meter: Meter
    destinations: Destinations
    journal: Journal | None
    readable: Callable[[], str | None] | None
    concurrency: Concurrency | None
    # When the mapping began to poll; each shard's grid of polls lies a phase of its own behind it.
    began_ms: int = 0
    seed: int = 0
    last_result: str = "No records processed"
    batches: int = 0
    in_flight: int = 0

    def problem(self) -> str | None:
        """Why the stream cannot be read now, None when it can."""
        found = self.readable() if self.readable is not None else None
        if found is not None:
            self.last_result = f"PROBLEM: {found}"
        return found
