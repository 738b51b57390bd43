"""The function process: Lambda's execution environment, one OS process per cold start.

Start a ``Nursery`` before importing moto, give each deployed function a ``FunctionHost``, and close
both. A ``StandIn`` is a function whose code is a callable of the test. ``HangBudget`` is shared by
the functions of one play; ``Isolation`` says what this machine enforces.
"""

from grader.cloud.function.host import FunctionHost
from grader.cloud.function.isolation import Isolation
from grader.cloud.function.limits import HangBudget, Limits, told
from grader.cloud.function.model import Model
from grader.cloud.function.newer import needs_python, python_of
from grader.cloud.function.nursery import USER_VARIABLE, Nursery
from grader.cloud.function.process import NurseryFailed
from grader.cloud.function.spec import (
    Answer,
    FaultPlan,
    FunctionSpec,
    Invocation,
    Kill,
    LogLine,
    Stall,
    configured,
    layered,
    packaged,
    unzip,
    zipped,
)
from grader.cloud.function.stand_in import Handler, StandIn
from grader.cloud.function.watch import look

__all__ = [
    "USER_VARIABLE",
    "Answer",
    "FaultPlan",
    "FunctionHost",
    "FunctionSpec",
    "Handler",
    "HangBudget",
    "Invocation",
    "Isolation",
    "Kill",
    "Limits",
    "LogLine",
    "Model",
    "Nursery",
    "NurseryFailed",
    "Stall",
    "StandIn",
    "configured",
    "layered",
    "look",
    "needs_python",
    "packaged",
    "python_of",
    "told",
    "unzip",
    "zipped",
]
