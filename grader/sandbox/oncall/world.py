"""What of a drill's world is no AWS call: another team's function, a carrier that is down."""

from __future__ import annotations

from collections.abc import Callable

from grader.cloud import Cloud
from grader.cloud.aws import Request, ServiceError
from grader.cloud.metrics import dimensions

MINUTE_MS = 60_000
# How often the neighbour looks whether there is room, and how long one of its invocations lasts.
LOOKS_MS = 5_000
LASTS_MS = 50_000


class Neighbour:
    """A function of another team that wants ``wanted`` invocations at once, from now on.

    Only its use of the account's concurrency is played: it takes what it gets, as Lambda gives it.
    """

    def __init__(self, cloud: Cloud, function: str, wanted: int) -> None:
        self._cloud = cloud
        self._function = function
        self._wanted = wanted
        self._ends: list[int] = []
        self._look()
        self._tell()

    def _look(self) -> None:
        now, concurrency = self._cloud.clock.now, self._cloud.concurrency
        over = [one for one in self._ends if one <= now]
        self._ends = [one for one in self._ends if one > now]
        for _ in over:
            concurrency.release(self._function)
        while len(self._ends) < self._wanted and concurrency.acquire(self._function):
            self._ends.append(now + LASTS_MS)
        self._cloud.clock.after(LOOKS_MS, self._look)

    def _tell(self) -> None:
        """What Lambda publishes of it and of the whole account each minute.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
        """
        now, running = self._cloud.clock.now, self._cloud.concurrency.running
        every = sum(running(name) for name in self._cloud.functions)
        of = dimensions(FunctionName=self._function)
        for value, dims in ((running(self._function), of), (every, ())):
            self._cloud.metrics.put(
                "AWS/Lambda", "ConcurrentExecutions", value, now, unit="Count", dims=dims
            )
        self._cloud.clock.after(MINUTE_MS, self._tell)


def account_limit(cloud: Cloud, *, limit: int) -> None:
    """So many invocations may run at once in the account, as in one that is new."""
    cloud.concurrency.account_limit = limit


def neighbour(cloud: Cloud, *, function: str, wanted: int) -> None:
    """Another team's function wants so many invocations at once."""
    Neighbour(cloud, function, wanted)


def carrier_down(cloud: Cloud, *, queue: str, minutes: float) -> None:
    """A carrier's queue takes nothing for so long."""
    now = cloud.clock.now
    cloud.account.fail(
        "sqs",
        now,
        now + round(minutes * MINUTE_MS),
        operations=["SendMessage"],
        resource=queue,
        code="ServiceUnavailable",
        message="The carrier does not answer.",
        status=503,
    )


# A table can use what it has not used for so many seconds.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
BURST_S = 300


class Capacity:
    """The write capacity of one table, as far as function code meets it.

    A write begins when anything is left and may overdraw it: what AWS does with an item that is
    larger than what is left is not documented.
    """

    def __init__(self, cloud: Cloud, table: str, others: float) -> None:
        self._cloud = cloud
        self._table = table
        self._others = others
        self._seen = len(cloud.account.tables.writes)
        self._looked_ms = cloud.clock.now
        self._left = 0.0
        cloud.account.faults.gates.append(self._gate)

    def _units(self) -> int:
        """Units a second; 0 on demand."""
        described = self._cloud.account.call("dynamodb", "DescribeTable", TableName=self._table)
        given = described["Table"].get("ProvisionedThroughput", {})
        on_demand = self._cloud.account.tables.on_demand(self._table)
        return 0 if on_demand else int(given.get("WriteCapacityUnits", 0))

    def _gate(self, request: Request) -> None:
        if request.operation != "UpdateItem" or request.params.get("TableName") != self._table:
            return
        units, now = self._units(), self._cloud.clock.now
        writes = self._cloud.account.tables.writes
        spent = sum(one.units for one in writes[self._seen :] if one.table == self._table)
        passed_s = (now - self._looked_ms) / 1000
        self._left = min(self._left - spent + passed_s * (units - self._others), BURST_S * units)
        self._seen, self._looked_ms = len(writes), now
        if units and self._left <= 0:
            of = dimensions(TableName=self._table)
            self._cloud.metrics.put(
                "AWS/DynamoDB", "WriteThrottleEvents", 1, now, unit="Count", dims=of
            )
            raise ServiceError(
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded. "
                "Consider increasing your provisioning level with the UpdateTable API.",
            )


def capacity_counts(cloud: Cloud, *, table: str, others: float) -> None:
    """From now on function code meets the limits of a table's write capacity.

    Other writers use ``others`` units of it a second.
    """
    Capacity(cloud, table, others)


HAPPENINGS: dict[str, Callable[..., None]] = {
    "account_limit": account_limit,
    "neighbour": neighbour,
    "carrier_down": carrier_down,
    "capacity_counts": capacity_counts,
}
