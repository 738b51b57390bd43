"""The emulated AWS: accounts, tables, functions, mappings, metrics and alarms on virtual time.

It knows nothing of labs, criteria, findings or the terminal, and could be a package of its own. In
goes a CloudFormation template with the code of its functions, and what somebody writes into its
tables; out comes what AWS would have made of it: invocations, items, failure notes, metrics, logs,
refusals. Nothing happens until time is run::

    from grader.cloud import Pipeline

    with Pipeline.deploy(Path("template.yaml")) as pipeline:
        pipeline.put("Orders", {"id": "o-1"})
        pipeline.run_for(minutes=1)
        print(pipeline.item("Totals", {"id": "acme"}))

A map, each row importing only from the rows below it. A room's own docstring has its map::

    pipeline      one stack for the length of one scenario
    running       stacks that come, change and go: the engine under it
    account/      every way into an account's data; what a function sends is read and judged here
    function/     a Lambda execution environment: one process per cold start
    mapping/      event source mappings: polls, batches, retries; ``Bench`` tries a handler alone
    dynamodb/     tables and their streams     messaging/  queues, topics, buckets
    cloudwatch/   alarms, dashboards, metrics out of logs
    template/     CloudFormation's text in, a resolved stack out
    iam/          may this role do this to that resource
    moto_world    moto's state of one account
    door          HTTP requests read as API calls, and answered
    aws           the words: Call, Request, Reply, Refused, ServiceError
    clock, metrics, typed, words, scratch

The names below are the public face. They are imported when they are first used, so that whoever
only wants one of them, or none, starts light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grader.cloud.aws import Call, Refused, Reply
    from grader.cloud.clock import START_MS, Clock
    from grader.cloud.function import HangBudget, Invocation, Kill, Nursery, NurseryFailed
    from grader.cloud.mapping import Bench
    from grader.cloud.metrics import Metrics
    from grader.cloud.pipeline import Note, Pipeline, may
    from grader.cloud.running import Cloud, Deployed

__all__ = [
    "START_MS",
    "Bench",
    "Call",
    "Clock",
    "Cloud",
    "Deployed",
    "HangBudget",
    "Invocation",
    "Kill",
    "Metrics",
    "Note",
    "Nursery",
    "NurseryFailed",
    "Pipeline",
    "Refused",
    "Reply",
    "may",
]

_ROOMS = {
    "grader.cloud.aws": ("Call", "Refused", "Reply"),
    "grader.cloud.clock": ("START_MS", "Clock"),
    "grader.cloud.function": ("HangBudget", "Invocation", "Kill", "Nursery", "NurseryFailed"),
    "grader.cloud.mapping": ("Bench",),
    "grader.cloud.metrics": ("Metrics",),
    "grader.cloud.pipeline": ("Note", "Pipeline", "may"),
    "grader.cloud.running": ("Cloud", "Deployed"),
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
