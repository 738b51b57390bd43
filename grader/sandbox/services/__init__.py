"""What each service answers. Importing this registers everything in `grader.sandbox.world`.

What is not answered is refused by name, with what to use instead (`instead`).
"""

from grader.sandbox.services import (
    account,
    cloudformation,
    functions,
    logs,
    messaging,
    metrics,
    tables,
)
from grader.sandbox.services.instead import INSTEAD, instead, services

__all__ = [
    "INSTEAD",
    "account",
    "cloudformation",
    "functions",
    "instead",
    "logs",
    "messaging",
    "metrics",
    "services",
    "tables",
]
