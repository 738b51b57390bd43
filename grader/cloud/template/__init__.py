"""CloudFormation templates: text in, a resolved stack out.

``resolve`` reads a template as CloudFormation would and returns every resource with its functions
evaluated, its physical name, its attributes and the line of each of its properties. It is pure:
it reads no file and starts nothing. What is wrong is told as ``TemplateProblems`` with every
problem found; what AWS knows and the labs do not act out is refused by name.

    yaml_lines   text → nodes with line and column
    parameters   the section Parameters
    intrinsics   Ref, GetAtt, Sub, If …
    shapes       what a property may hold
    kinds        the table of resource types
    resolver     the order of the work
    model        the types that come out
"""

from __future__ import annotations

from collections.abc import Mapping

from grader.cloud import clock
from grader.cloud.aws import ACCOUNT_ID, REGION
from grader.cloud.template.kinds import KINDS, Support, support
from grader.cloud.template.kinds.base import Place
from grader.cloud.template.kinds.dynamodb import stream_label
from grader.cloud.template.kinds.functions import PYTHON_RUNTIMES, Runtime
from grader.cloud.template.model import Problem, Resource, Stack, TemplateProblems, Unknown
from grader.cloud.template.resolver import resolve_text

__all__ = [
    "PYTHON_RUNTIMES",
    "RESOURCE_TYPES",
    "Problem",
    "Resource",
    "Runtime",
    "Stack",
    "Support",
    "TemplateProblems",
    "Unknown",
    "resolve",
    "stream_label",
    "support",
]

RESOURCE_TYPES = tuple(KINDS)


def resolve(
    text: str,
    *,
    path: str = "template.yaml",
    parameters: Mapping[str, str] | None = None,
    stack_name: str = "labs",
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
    created_ms: int = clock.START_MS,
    strict: bool = True,
) -> Stack:
    """Resolve a template's text (YAML or JSON).

    ``path`` is the file's name for sentences. ``parameters`` are values for the template's
    parameters. ``created_ms`` (ms since 1970) is when the stack is created; it labels streams.

    Raises TemplateProblems with all the problems found. With ``strict=False`` only what AWS itself
    would refuse raises; what the labs do not know (types, properties, functions, parameters without
    a value) becomes an Unknown with its reason and is listed in ``Stack.unsupported``.
    """
    place = Place(stack_name, account_id, region, created_ms)
    return resolve_text(text, path, parameters or {}, place, strict)
