"""What of a drill's world is no AWS call: another team's function, a carrier that is down."""

from __future__ import annotations

from collections.abc import Callable

from grader.cloud import Cloud
from grader.cloud.aws import Request, ServiceError
from grader.cloud.mapping import Direct
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
        self._calls = Direct(cloud.clock, cloud.metrics, cloud.concurrency, function)
        # When the running ones began, and how many at each moment.
        self._begun: dict[int, int] = {}
        self._look()

    def _look(self) -> None:
        """What is not let begin is tried again at the next look, and counts as throttled."""
        now, acquire = self._cloud.clock.now, self._cloud.concurrency.acquire
        for start_ms in [one for one in self._begun if one + LASTS_MS <= now]:
            count = self._begun.pop(start_ms)
            self._calls.ended(start_ms, LASTS_MS, failed=False, times=count)
        lacking = self._wanted - sum(self._begun.values())
        begun = 0
        while begun < lacking and acquire(self._function):
            begun += 1
        if begun:
            self._begun[now] = begun
        self._calls.stands()
        self._calls.throttled(lacking - begun)
        self._cloud.clock.after(LOOKS_MS, self._look)


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
        cloud.clock.after(MINUTE_MS, self._tell)

    def _tell(self) -> None:
        """What the others have consumed in the minute that is over.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
        """
        self._cloud.metrics.put(
            "AWS/DynamoDB",
            "ConsumedWriteCapacityUnits",
            self._others,
            self._cloud.clock.now - MINUTE_MS,
            unit="Count",
            dims=dimensions(TableName=self._table),
            count=MINUTE_MS / 1000,
        )
        self._cloud.clock.after(MINUTE_MS, self._tell)

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
            self._cloud.account.faults.throttled(request.operation, [self._table])
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
