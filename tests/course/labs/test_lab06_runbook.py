"""Lab 6's runbook: which commands enable or disable a mapping, and which cannot run."""

from __future__ import annotations

import pytest

from grader.course.labs.lab06.runbook import switches

COMMAND = "aws lambda update-event-source-mapping"


@pytest.mark.parametrize(
    "command",
    [
        f"{COMMAND} --uuid $UUID --no-enabled",
        f"{COMMAND} --no-enabled --uuid=${{UUID}}",
        f'{COMMAND} --uuid "$UUID" --no-enabled --region eu-central-1 --output json',
        f"aws --profile shop {COMMAND[4:]} --uuid $UUID --no-enabled",
        f"{COMMAND} --uuid 14e0db71-5d35-4eb5-b481-8945cf9d10c2 --no-enabled  # then wait",
        f"{COMMAND} --uuid $UUID --no-enabled | jq .State",
        f"{COMMAND} \\\n  --uuid $UUID \\\n  --no-enabled",
    ],
)
def test_a_command_that_disables_the_mapping_is_taken(command: str) -> None:
    """However it is written, and whatever else the AWS CLI takes with it."""
    assert switches(command, on=False) is None


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (f"{COMMAND} --uuid $UUID --no-enabled --disabled", "no option --disabled"),
        (f"{COMMAND} --uuid $UUID --enabled=false", "no option --enabled=false"),
        (f"{COMMAND} --uuid $UUID --no-enabled now", "what now means"),
        (f"{COMMAND} --uuid --no-enabled", "--uuid lacks its value"),
        (f"{COMMAND} --uuid OrdersToTotals --no-enabled", "no identifier"),
        (f"{COMMAND} --uuid $uuid --no-enabled", "no identifier"),
        (f"{COMMAND} --no-enabled", "--uuid is missing"),
        (f"{COMMAND} --uuid $UUID", "has no --no-enabled"),
        (f"{COMMAND} --uuid $UUID --enabled", "it says --enabled"),
        (f"{COMMAND} --uuid '$UUID --no-enabled", "no shell takes it"),
        ("lambda update-event-source-mapping --uuid $UUID --no-enabled", "it is not aws lambda"),
        ("aws lambda update-event-source-maping --uuid $UUID --no-enabled", "it is not aws"),
        (f"echo x && {COMMAND} --uuid $UUID --no-enabled", "it is not aws lambda"),
        ("", "it is not aws lambda"),
    ],
)
def test_a_command_that_cannot_run_says_why(command: str, problem: str) -> None:
    """What the AWS CLI or a shell would refuse, and what does something else."""
    assert problem in str(switches(command, on=False))
