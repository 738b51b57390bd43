"""The AWS CLI, version 2, whole and unchanged, in the environment that a sandbox prepares.

It is on no package index. ``LABS_AWS_CLI_V2`` names one, or it is the machine's own; without one these
tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.cloud import Nursery
from grader.sandbox import Pace, Sandbox, Server
from grader.sandbox.home import Home
from grader.sandbox.opening import account

pytestmark = [pytest.mark.played, pytest.mark.slow]
SOLUTION = Path(__file__).resolve().parents[2] / "solutions" / "02-lambda-triggers"


@pytest.fixture(name="folder", scope="module")
def _folder() -> Path:
    """The folder of an `aws` of version 2."""
    for found in (os.environ.get("LABS_AWS_CLI_V2"), "/usr/bin/aws", "/usr/local/bin/aws"):
        if found and os.access(found, os.X_OK):
            told = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
            if told.stdout.startswith("aws-cli/2"):
                return Path(found).parent
    pytest.skip("there is no AWS CLI of version 2 here")


@pytest.mark.skipif(sys.platform == "win32", reason="the wrapper is a POSIX script there")
def test_a_solution_is_packaged_deployed_and_operated(
    folder: Path, nursery: Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the code's archive in a bucket to the function's log; nothing goes to Amazon."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    cloud = account(nursery)
    with Server(Sandbox(cloud, pace=Pace(cloud.clock, step_ms=50))) as server:
        home = Home(server.port)
        home.wrap(str(folder))
        home.write(server.token, "an empty account")
        paths = {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(tmp_path)}
        environment = home.environment(paths)
        aws = str(shutil.which("aws", path=environment["PATH"]))

        def run(*words: str) -> str:
            done = subprocess.run(
                [aws, *words, "--output", "json"], env=environment, cwd=tmp_path,
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{words}: {done.stderr}"
            return done.stdout

        operate(run, server)
        assert not server.sandbox.breakdowns and not server.turned_away
    cloud.close()


def operate(run: Callable[..., str], server: Server) -> None:
    """Deploy lab 2's solution and use what it has made."""
    run("s3", "mb", "s3://code")
    template = str(SOLUTION / "template.yaml")
    packed = ("--s3-bucket", "code", "--output-template-file", "packed.yaml")
    run("cloudformation", "package", "--template-file", template, *packed)
    deploy = ("cloudformation", "deploy", "--template-file", "packed.yaml", "--stack-name", "shop")
    run(*deploy, "--capabilities", "CAPABILITY_IAM")
    listed = json.loads(run("cloudformation", "list-stack-resources", "--stack-name", "shop"))
    names = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in listed["StackResourceSummaries"]
    }
    item = '{"merchant": {"S": "acme"}, "id": {"S": "order#1"}, "kind": {"S": "order"}, '
    item += '"amount": {"N": "12"}}'
    run("dynamodb", "put-item", "--table-name", names["Orders"], "--item", item)
    mapping = ("--uuid", names["OrdersToTotals"], "--maximum-retry-attempts", "3")
    changed = json.loads(run("lambda", "update-event-source-mapping", *mapping))
    assert changed["MaximumRetryAttempts"] == 3
    server.sandbox.pace.move(60_000)
    assert "REPORT RequestId" in run("logs", "tail", names["TotalsLogs"], "--since", "9999d")
    made = json.loads(run("sqs", "create-queue", "--queue-name", "mine"))
    assert made["QueueUrl"].startswith(server.url)
    run("sqs", "send-message", "--queue-url", made["QueueUrl"], "--message-body", "hello")
    got = json.loads(run("sqs", "receive-message", "--queue-url", made["QueueUrl"]))
    assert [one["Body"] for one in got["Messages"]] == ["hello"]
    metrics = json.loads(run("cloudwatch", "list-metrics", "--namespace", "AWS/Lambda"))
    assert "Invocations" in {one["MetricName"] for one in metrics["Metrics"]}
