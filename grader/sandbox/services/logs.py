"""CloudWatch Logs: groups and streams, and their lines searched.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from grader.cloud.account import delete_log_group
from grader.cloud.aws import Request, ServiceError
from grader.sandbox.world import World, answers

MOST_EVENTS = 10_000


def _group_in(params: dict[str, Any]) -> str:
    """The group of a request, by name or by ARN."""
    given = params.get("logGroupName") or params.get("logGroupIdentifier") or ""
    return str(given).partition(":log-group:")[2].removesuffix(":*") or str(given)


def _passed(world: World, request: Request) -> dict[str, Any]:
    params = dict(request.params)
    if "logGroupIdentifier" in params:
        params["logGroupName"] = _group_in(params)
        del params["logGroupIdentifier"]
    return world.cloud.account.call("logs", request.operation, **params)


answers(
    "logs",
    *("CreateLogGroup", "CreateLogStream", "PutLogEvents", "DescribeLogGroups"),
    *("DescribeLogStreams", "GetLogEvents", "PutRetentionPolicy", "DeleteRetentionPolicy"),
    *("DeleteLogStream", "TagResource", "UntagResource", "ListTagsForResource"),
)(_passed)


@answers("logs", "DeleteLogGroup")
def _delete(world: World, request: Request) -> dict[str, Any]:
    name = _group_in(request.params)
    _known(world, name)
    delete_log_group(world.cloud.account, name)
    return {}


def _known(world: World, group: str) -> None:
    if group not in world.cloud.account.logs.groups:
        raise ServiceError("ResourceNotFoundException", "The specified log group does not exist.")


@answers(
    "logs",
    "FilterLogEvents",
    note="Patterns of words, phrases, -words and ?words; those in { } and [ ] are refused.",
)
def _filter(world: World, request: Request) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""
    params = request.params
    group = _group_in(params)
    _known(world, group)
    matches = _pattern(params.get("filterPattern") or "")
    streams = params.get("logStreamNames")
    prefix = params.get("logStreamNamePrefix", "")
    start, end = params.get("startTime", 0), params.get("endTime", 1 << 62)
    found = [
        {
            "logStreamName": stream,
            "timestamp": time_ms,
            "message": message,
            "ingestionTime": time_ms,
            # By this `aws logs tail --follow` knows what it has printed.
            "eventId": f"{time_ms:014d}{number:022d}",
        }
        for time_ms, stream, message, number in world.cloud.account.logs.numbered(group)
        if start <= time_ms <= end
        and (streams is None or stream in streams)
        and stream.startswith(prefix)
        and matches(message)
    ]
    if not found:
        world.explain_empty(f"the log group {group}", start, end)
    limit = min(params.get("limit", MOST_EVENTS), MOST_EVENTS)
    first = int(params.get("nextToken") or 0)
    answer: dict[str, Any] = {"events": found[first : first + limit], "searchedLogStreams": []}
    if first + limit < len(found):
        answer["nextToken"] = str(first + limit)
    return answer


def _pattern(text: str) -> Callable[[str], bool]:
    """What a filter pattern of terms lets through: every plain term, some ?term, no -term.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    text = text.strip()
    if text[:1] in ("{", "[", "%"):
        raise ServiceError(
            "NotImplemented",
            "Patterns for JSON, columns and regular expressions are not answered here: filter by "
            "words, such as '\"[ERROR]\"' or 'ERROR -timeout', or pipe the output into grep.",
            501,
        )
    terms = re.findall(r'[?-]?"(?:[^"\\]|\\.)*"|\S+', text)
    plain: list[str] = []
    some: list[str] = []
    none: list[str] = []
    for term in terms:
        sign = term[0] if term[0] in "?-" else ""
        word = term[len(sign) :]
        if len(word) > 1 and word[0] == word[-1] == '"':
            word = word[1:-1].replace('\\"', '"')
        elif not re.fullmatch(r"[\w:./@#-]+", word):
            raise ServiceError(
                "InvalidParameterException",
                f"Invalid character(s) in term '{word}': put it into double quotes.",
            )
        {"": plain, "?": some, "-": none}[sign].append(word)

    def matches(message: str) -> bool:
        return (
            all(word in message for word in plain)
            and (not some or any(word in message for word in some))
            and not any(word in message for word in none)
        )

    return matches
