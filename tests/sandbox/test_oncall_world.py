"""Who shares a drill's account is seen in its metrics: the neighbour, the others, the throttled."""

from __future__ import annotations

import pytest

from grader.cloud import Cloud
from grader.cloud.aws import Request, ServiceError
from grader.cloud.function import Nursery
from grader.cloud.metrics import dimensions
from grader.sandbox.oncall.world import HAPPENINGS, MINUTE_MS

REPORTS = dimensions(FunctionName="Reports")
TABLE = dimensions(TableName="Shipments")


def test_a_neighbour_is_counted_by_its_name_and_in_the_account(nursery: Nursery) -> None:
    """It runs, is throttled at the account's limit, and both can be read back."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
    cloud = Cloud(nursery)
    HAPPENINGS["account_limit"](cloud, limit=200)
    HAPPENINGS["neighbour"](cloud, function="Reports", wanted=300)
    cloud.clock.run_for(2 * MINUTE_MS)
    metrics = cloud.metrics
    for of in (REPORTS, ()):
        found = metrics.find("AWS/Lambda", "ConcurrentExecutions", of, "Count")
        assert max(one.value for one in found) == 200
    assert metrics.total("AWS/Lambda", "Invocations", REPORTS) == 400
    assert metrics.total("AWS/Lambda", "Errors", REPORTS) == 0
    assert metrics.total("AWS/Lambda", "Throttles", REPORTS) == 25 * 100
    assert {one.value for one in metrics.find("AWS/Lambda", "Duration", REPORTS)} == {50_000}
    # Of each minute one data point for what is alike, however many invocations it had.
    assert len(metrics.find("AWS/Lambda", "Invocations", REPORTS)) == 2
    cloud.close()


def test_a_table_out_of_capacity_tells_who_used_it_and_who_was_throttled(nursery: Nursery) -> None:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    cloud = Cloud(nursery)
    cloud.account.call(
        "dynamodb",
        "CreateTable",
        TableName="Shipments",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    HAPPENINGS["capacity_counts"](cloud, table="Shipments", others=1.5)
    cloud.clock.run_for(MINUTE_MS)
    params = {"TableName": "Shipments", "Key": {"id": {"S": "one"}}}
    update = Request("dynamodb", "UpdateItem", params, None, "json", "POST", "", {}, b"")
    with pytest.raises(ServiceError, match="provisioned throughput"):
        cloud.account.faults.check(update)
    cloud.account.put("Shipments", {"id": "two", "label": "x" * 2_000})
    metrics = cloud.metrics
    assert metrics.total("AWS/DynamoDB", "WriteThrottleEvents", TABLE) == 1
    of_call = dimensions(TableName="Shipments", Operation="UpdateItem")
    assert metrics.total("AWS/DynamoDB", "ThrottledRequests", of_call) == 1
    assert metrics.total("AWS/DynamoDB", "ConsumedWriteCapacityUnits", TABLE) == 1.5 * 60 + 2
    cloud.close()
