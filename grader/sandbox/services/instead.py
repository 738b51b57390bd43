"""What a client is told about an operation that is not answered: what to use instead."""

from __future__ import annotations

from collections.abc import Mapping

# By service and, where one sentence does not fit all, by operation.
INSTEAD: Mapping[str, str] = {
    "cloudformation": "Deploy with change sets, as `aws cloudformation deploy` does.",
    "lambda": "What a function is comes from its template: change that and deploy it.",
    "lambda:CreateFunction": "Put the function into a template and deploy it.",
    "lambda:DeleteFunction": "Take the function out of its template and deploy that.",
    "lambda:PublishVersion": "Put an AWS::Lambda::Version into the template and deploy it. "
    "Code that is uploaded with update-function-code runs at once, without a version.",
    "lambda:CreateAlias": "Put the alias into the template and deploy it.",
    "lambda:UpdateAlias": "Change the alias in the template and deploy it.",
    "lambda:InvokeAsync": "Use Invoke with --invocation-type Event.",
    "lambda:InvokeWithResponseStream": "Use Invoke.",
    "dynamodb": "Items, tables, streams, Time to Live and recovery flags are answered.",
    "dynamodb:ExecuteStatement": "Use Query, Scan or the operations on items.",
    "dynamodb:ExecuteTransaction": "Use TransactWriteItems or TransactGetItems.",
    "dynamodb:BatchExecuteStatement": "Use BatchGetItem or BatchWriteItem.",
    "dynamodb:DescribeEndpoints": "There is one endpoint here, and you are talking to it.",
    "sqs:StartMessageMoveTask": "Receive the messages, handle them and delete them.",
    "sqs": "Sending, receiving, attributes and tags of queues are answered.",
    "sns": "Topics and subscriptions come from a template; publishing is answered.",
    "s3": "Buckets and whole objects are answered.",
    "cloudwatch": "Metrics, metric alarms, their history and dashboards of stacks are answered.",
    "cloudwatch:PutDashboard": "Put the dashboard into a template and deploy it.",
    "cloudwatch:PutCompositeAlarm": "Put the composite alarm into a template and deploy it.",
    "logs": "Groups, streams and filter-log-events are answered.",
    "logs:StartQuery": "Insights is not played: use filter-log-events; version 2 has tail, too.",
    "logs:StartLiveTail": "Use `aws logs tail --follow`.",
    "sts": "Only GetCallerIdentity is answered; nobody takes on a role here.",
    "budgets": "Budgets with notifications are kept and shown.",
    "cloudtrail": "Nobody records who changed what; functions and mappings say when it was.",
    "iam": "Roles and policies come from a template, and functions run with their rights.",
}


def instead(service: str, operation: str) -> str:
    """A sentence that refuses an operation by name and says what to use instead."""
    told = INSTEAD.get(f"{service}:{operation}") or INSTEAD.get(service)
    if told is None:
        told = f"There is no {service} here: {', '.join(services())}."
    return f"{service}:{operation} is not answered in this sandbox. {told}"


def services() -> list[str]:
    """The services of which something is answered."""
    return [name for name in INSTEAD if ":" not in name and name not in ("cloudtrail", "iam")]
