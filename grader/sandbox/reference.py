"""What a sandbox answers, as a page of the reference: written from the register of operations."""

from __future__ import annotations

from itertools import groupby

from grader.sandbox.services import INSTEAD
from grader.sandbox.world import OPERATIONS

_NAMES = {
    "budgets": "Budgets",
    "cloudformation": "CloudFormation",
    "cloudwatch": "CloudWatch",
    "dynamodb": "DynamoDB",
    "dynamodbstreams": "DynamoDB Streams",
    "lambda": "Lambda",
    "logs": "CloudWatch Logs",
    "s3": "S3",
    "sns": "SNS",
    "sqs": "SQS",
    "sts": "STS",
}


def operations_reference() -> str:
    """Every operation that is answered, by service, and what is told instead of the others."""
    parts = [
        "---\ndescription: Every operation of AWS that the sandbox answers, and what to use for "
        "the others.\ntags: [operations]\nsearch: {exclude: true}\n---\n",
        "# What the sandbox answers\n",
        "<!-- Written by `labs dev sync` from grader/sandbox/services. Do not edit. -->\n",
        "`labs sandbox` answers these operations as AWS does, as far as this account has what they "
        "are about. Everything else is refused by its name, with the error `NotImplemented` and a "
        "sentence that says what to use instead: never with half an answer. "
        "[The sandbox](../sandbox.md) says how to start it.\n",
    ]
    every = sorted(OPERATIONS.values(), key=lambda one: (_NAMES[one.service], one.name))
    for service, operations in groupby(every, key=lambda one: one.service):
        parts.append(f"## {_NAMES[service]}\n")
        rows = [f"| `{one.name}` | {one.note} |" for one in operations]
        parts.append("\n".join(["| operation | here |", "|---|---|", *rows]) + "\n")
        told = {name: text for name, text in INSTEAD.items() if name.partition(":")[0] == service}
        if told:
            general = told.pop(service, None)
            lines = [f"- `{name.partition(':')[2]}`: {text}" for name, text in told.items()]
            if general:
                lines.append(f"- Anything else: {general}")
            parts.append("Instead of what is not answered:\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)
