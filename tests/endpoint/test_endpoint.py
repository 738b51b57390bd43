"""An update of a stack that is not acted out is refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.cloud import Cloud, Nursery, Refused


@pytest.fixture(name="cloud")
def _cloud(nursery: Nursery) -> Iterator[Cloud]:
    cloud = Cloud(nursery, live=True)
    yield cloud
    cloud.close()


TABLE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: KEY, AttributeType: S}]
      KeySchema: [{AttributeName: KEY, KeyType: HASH}]
"""


def test_an_update_that_is_not_acted_out_is_refused_by_name(cloud: Cloud) -> None:
    """Another key would be another table."""
    for key in ("id", "day"):
        body = TABLE.replace("KEY", key)
        stack = cloud.resolve("shop", body, {})
        if key == "id":
            cloud.create(stack, body)
        else:
            with pytest.raises(Refused, match="Orders: a change of AttributeDefinitions, KeyS"):
                cloud.create(stack, body)
