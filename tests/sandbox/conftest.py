"""A sandbox of lab 2's solution, served once for the tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.cloud import Nursery
from grader.sandbox import Pace, Sandbox, Server
from grader.sandbox.opening import account, deploy

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
START_MS = 1_793_610_000_000


@pytest.fixture(name="server", scope="module")
def _server(nursery: Nursery) -> Iterator[Server]:
    """Lab 2's solution; each request takes 50 ms of virtual time, and the wall none."""
    cloud = account(nursery, start_ms=START_MS)
    deploy(cloud, SOLUTIONS / "02-lambda-triggers" / "template.yaml", {})
    with Server(Sandbox(cloud, pace=Pace(cloud.clock, step_ms=50))) as server:
        yield server
    cloud.close()


@pytest.fixture(name="client", scope="module")
def _client(server: Server) -> Callable[[str], Any]:
    """A boto3 client of a service, as anybody would make one."""
    import boto3

    session = boto3.session.Session(
        aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1"
    )
    return lambda service: session.client(service, endpoint_url=server.url)


@pytest.fixture(name="names", scope="module")
def _names(client: Callable[[str], Any]) -> dict[str, str]:
    """The physical names of the stack's resources by their logical ids."""
    pages = client("cloudformation").get_paginator("list_stack_resources")
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for page in pages.paginate(StackName="shop")
        for one in page["StackResourceSummaries"]
    }
