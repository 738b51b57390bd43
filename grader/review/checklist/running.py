"""Items about the function and its role."""

from __future__ import annotations

import re
from typing import Any

from grader.cloud.template import PYTHON_RUNTIMES, known, shown, unknown
from grader.cloud.typed import whole
from grader.cloud.words import counted
from grader.review.checklist.answers import Answer, aside, at, met, outside, unmet, unsure
from grader.review.checklist.grants import Granted
from grader.review.checklist.model import item
from grader.review.checklist.scene import Consumer

_FUNCTION = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"
_RUNTIMES = "https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html"
_DDB = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"
_CONCURRENCY = "https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html"
_LEAST = "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html"
_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"

# The day that this version's facts are of, ISO.
TODAY = "2026-11-20"

# When support ends, as of TODAY: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
# Python's dates stand in grader.cloud.template.
_OTHER_RUNTIMES = {
    "dotnet10": "2028-11-14",
    "dotnet9": "2026-11-10",
    "dotnet8": "2026-11-10",
    "dotnet6": "2024-12-20",
    "go1.x": "2024-01-08",
    "java25": "2029-06-30",
    "java21": "2029-06-30",
    "java17": "2027-06-30",
    "java11": "2027-06-30",
    "java8.al2": "2027-06-30",
    "java8": "2024-01-08",
    "nodejs24.x": "2028-04-30",
    "nodejs22.x": "2027-04-30",
    "nodejs20.x": "2026-04-30",
    "nodejs18.x": "2025-09-01",
    "nodejs16.x": "2024-06-12",
    "nodejs14.x": "2023-12-04",
    "nodejs12.x": "2023-03-31",
    "nodejs10.x": "2021-07-30",
    "nodejs8.10": "2020-03-06",
    "nodejs6.10": "2019-08-12",
    "provided.al2023": "2029-06-30",
    "provided.al2": "2026-07-31",
    "provided": "2024-01-08",
}


def support_ends(runtime: str) -> str | None:
    """The ISO date on which a runtime's support ends; None for a runtime that is not known."""
    own = PYTHON_RUNTIMES.get(runtime)
    return own.deprecated if own is not None else _OTHER_RUNTIMES.get(runtime)


def _no_function(consumer: Consumer) -> Answer:
    return outside("function", consumer.value("FunctionName"), at(consumer.mapping, "FunctionName"))


@item(
    "runtime",
    title="The runtime is supported.",
    severity="important",
    applies="functions from a ZIP archive",
    why="A deprecated runtime gets no security fixes, and some day the function can no longer be "
    "updated.",
    fix="Move to a current runtime, such as python3.13 or python3.14.",
    sources=(_RUNTIMES,),
)
def runtime(consumer: Consumer) -> Answer:
    """Support for the runtime has not ended by TODAY."""
    function = consumer.function
    if function is None:
        return _no_function(consumer)
    value, here = function.properties.get("Runtime"), at(function, "Runtime")
    if function.properties.get("PackageType") == "Image":
        return aside("The function is a container image.", at(function, "PackageType"))
    if unknown(value):
        return unsure(f"Runtime is {shown(value)}, which the template does not decide.", here)
    if value is None:
        return unmet("The function has no Runtime.", here)
    ends = support_ends(str(value))
    if ends is None:
        return unsure(f"The runtime {shown(value)} is not in this version's table.", here)
    if ends <= TODAY:
        return unmet(f"Support for {value} ended on {ends}.", here)
    return met(f"{value} is supported until {ends}.", here)


@item(
    "timeout",
    title="The function's timeout is chosen.",
    severity="important",
    why="The default is 3 seconds for a whole batch, and a batch that times out is sent again as "
    "a whole.",
    fix="Set Timeout to what the largest batch needs on a slow day. A timeout is a limit, not a "
    "price.",
    sources=(_FUNCTION,),
)
def timeout(consumer: Consumer) -> Answer:
    """Timeout is set."""
    function = consumer.function
    if function is None:
        return _no_function(consumer)
    value, here = function.properties.get("Timeout"), at(function, "Timeout")
    if value is None:
        return unmet("Timeout is not set: 3 seconds for a batch.", here)
    seconds = whole(value)
    if unknown(value):
        return met(f"Timeout is set, to {shown(value)}.", here)
    if seconds is None or not 1 <= seconds <= 900:
        return unmet(f"Timeout is {shown(value)}; AWS takes 1 to 900 seconds.", here)
    return met(f"Timeout is {seconds} s.", here)


@item(
    "memory",
    title="The function's memory is chosen.",
    severity="advice",
    why="Memory decides the share of CPU, and with the default of 128 MB most handlers are slow.",
    fix="Set MemorySize by measurement; often more memory costs no more, because the call is "
    "shorter.",
    sources=(_FUNCTION,),
)
def memory(consumer: Consumer) -> Answer:
    """MemorySize is set."""
    function = consumer.function
    if function is None:
        return _no_function(consumer)
    value, here = function.properties.get("MemorySize"), at(function, "MemorySize")
    if value is None:
        return unmet("MemorySize is not set: 128 MB.", here)
    return met(f"MemorySize is {shown(value)}{'' if unknown(value) else ' MB'}.", here)


@item(
    "reserved-concurrency",
    title="Reserved concurrency leaves room for every lane of a shard.",
    severity="important",
    applies="functions with reserved concurrency",
    why="Reserved concurrency is a ceiling too: below ParallelizationFactor a single shard "
    "throttles "
    "itself, and 0 switches the function off.",
    fix="Reserve at least the number of shards times ParallelizationFactor, or remove the "
    "reservation.",
    sources=(_CONCURRENCY, _DDB),
)
def reserved_concurrency(consumer: Consumer) -> Answer:
    """The reservation is at least the lanes of one shard."""
    function = consumer.function
    if function is None:
        return _no_function(consumer)
    name = "ReservedConcurrentExecutions"
    value, here = function.properties.get(name), at(function, name)
    if value is None:
        return aside("No concurrency is reserved.")
    factor = consumer.value("ParallelizationFactor")
    reserved, lanes = whole(value), whole(factor) if factor is not None else 1
    if reserved == 0:
        return unmet("0 are reserved: the function is switched off.", here)
    if reserved is None or lanes is None:
        return unsure(f"{name} or ParallelizationFactor is not known.", here)
    if reserved < lanes:
        return unmet(f"{reserved} are reserved, and one shard has {lanes} lanes.", here)
    return met(f"{reserved} are reserved for {counted(lanes, 'lane')} a shard.", here)


# Actions that take no resource, or whose resource cannot be named before it exists; and the network
# and tracing rights of AWS's own execution roles. (_REFERENCE)
_ANYWHERE = (
    "cloudwatch:putmetricdata",
    "dynamodb:liststreams",
    "dynamodb:listtables",
    "ec2:*networkinterface*",
    "ec2:describe*",
    "ec2:assignprivateipaddresses",
    "ec2:unassignprivateipaddresses",
    "kms:listaliases",
    "logs:createlog*",
    "logs:describelog*",
    "logs:putlogevents",
    "sts:getcalleridentity",
    "xray:put*",
    "xray:getsampling*",
)
_EXECUTION_ROLES = (
    "service-role/AWSLambda",
    "AWSXRay",
    "AWSXray",
    "CloudWatchLambda",
    "AWSLambdaInvocation-",
)


@item(
    "least-privilege",
    title="The role allows what the consumer does and no more.",
    severity="important",
    why="With a wide role, a bug or a hijacked dependency reaches every table and queue of the "
    "account.",
    fix="Name the actions, and the ARNs of this consumer's own table, stream and destination. "
    "AWSLambdaDynamoDBExecutionRole is accepted; narrower is its list of actions on one stream.",
    sources=(_LEAST, _REFERENCE),
)
def least_privilege(consumer: Consumer) -> Answer:
    """No wildcard action, no wildcard resource where one can be named, no broad managed policy."""
    grants = consumer.grants
    if grants is None:
        if consumer.function is None:
            return _no_function(consumer)
        return outside(
            "function's role",
            consumer.function.properties.get("Role"),
            at(consumer.function, "Role"),
        )
    role = at(grants.role)
    for arn, path in grants.managed:
        name = arn.rpartition(":policy/")[2]
        broad = re.search(r"FullAccess|Administrator|PowerUser", name)
        if broad:
            return unmet(f"The managed policy {shown(name)} is far wider.", at(grants.role, *path))
    for one in grants.statements:
        if one.managed is None and (problem := _too_wide(one)):
            return unmet(problem, at(one.resource, *one.path))
    if grants.unclear:
        return unsure(f"Not all of the role can be read: {grants.unclear[0]}.", role)
    accepted = [arn for arn, _ in grants.managed if "AWSLambdaDynamoDBExecutionRole" in arn]
    others = [
        arn.rpartition(":policy/")[2]
        for arn, _ in grants.managed
        if not arn.rpartition(":policy/")[2].startswith(_EXECUTION_ROLES)
    ]
    if others:
        return unsure(f"Whether {shown(others[0])} is needed cannot be told from here.", role)
    if not grants.statements:
        return met("The role allows nothing.", role)
    if accepted:
        return met(
            "The role is narrow, but AWSLambdaDynamoDBExecutionRole reads every stream of the "
            "account; naming this one would be narrower.",
            role,
        )
    return met("Every statement names its actions and its resources.", role)


def _too_wide(one: Granted) -> str:
    """Why a statement is too wide, as a sentence; empty when it is not."""
    statement = one.statement
    if statement.effect != "Allow":
        return ""
    if statement.not_actions:
        return "A statement allows everything but a few actions (NotAction)."
    if statement.not_resources:
        return "A statement allows its actions on everything but a few resources (NotResource)."
    for action in statement.actions:
        if action == "*" or action.endswith(":*"):
            return f"A statement allows {action}."
    wide = [resource for resource in statement.resources if _anything(resource)]
    bounded = statement.conditions or one.doubtful
    for action in statement.actions if wide and not bounded else ():
        if not any(_like(action.lower(), pattern) for pattern in _ANYWHERE):
            return f"A statement allows {action} on {shown(wide[0])}."
    return ""


def _anything(resource: str) -> bool:
    """Whether an ARN names no resource of its own: ``*``, ``arn:aws:sqs:*:*:*``, ``table/*``."""
    if resource == "*":
        return True
    last = resource.split(":", 5)[-1]
    return (
        known(resource)
        and re.fullmatch(r"\**|(table|function|log-group|stream)[/:]\*+", last) is not None
    )


def _like(text: str, pattern: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


@item(
    "tracing",
    title="Calls are traced.",
    severity="advice",
    why="A trace shows which downstream call makes a batch slow, which no metric of Lambda does.",
    fix="Set TracingConfig to {Mode: Active} and allow the role to write traces.",
    sources=(_FUNCTION,),
)
def tracing(consumer: Consumer) -> Answer:
    """TracingConfig.Mode is Active."""
    function = consumer.function
    if function is None:
        return _no_function(consumer)
    config: Any = function.properties.get("TracingConfig")
    mode = config.get("Mode") if isinstance(config, dict) else config
    here = at(function, "TracingConfig")
    if mode == "Active":
        return met("Tracing is active.", here)
    if unknown(mode):
        return unsure(f"Tracing is {shown(mode)}, which the template does not decide.", here)
    return unmet("Tracing is not active.", here)
