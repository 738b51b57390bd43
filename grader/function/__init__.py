"""The function process: Lambda's execution environment, one OS process per cold start.

Start a ``Nursery`` before importing moto, give each deployed function a ``FunctionHost``, and close
both. ``HangBudget`` is shared by the functions of one play; ``Isolation`` says what this machine
enforces.
"""

from grader.function.host import FunctionHost
from grader.function.isolation import Isolation
from grader.function.limits import HangBudget, Limits
from grader.function.model import Model
from grader.function.nursery import Nursery
from grader.function.process import NurseryFailed
from grader.function.spec import (
    Answer,
    Call,
    FaultPlan,
    FunctionSpec,
    Invocation,
    Kill,
    LogLine,
    Reply,
)

__all__ = [
    "Answer",
    "Call",
    "FaultPlan",
    "FunctionHost",
    "FunctionSpec",
    "HangBudget",
    "Invocation",
    "Isolation",
    "Kill",
    "Limits",
    "LogLine",
    "Model",
    "Nursery",
    "NurseryFailed",
    "Reply",
]
