"""CloudFormation templates: text in, a resolved stack out.

``resolve`` reads a template as CloudFormation would and returns every resource with its functions
evaluated, its physical name, its attributes and the line of each of its properties. What is wrong
is told as ``TemplateProblems`` with every problem found. What AWS takes and the labs cannot play
stands in ``Stack.unplayed`` and at its resource. ``read`` takes any template and goes on where
``resolve`` stops: what cannot be known is an `Unknown`. Both start nothing and read no file but
the tables beside them.

    reading      any template, as far as it can be known
    sam          the Serverless Application Model → plain CloudFormation
    belonging    what of a team's own stack is played, and what is only kept
    resolver     the sections, in the order of the work
    resources    the section Resources
    kinds        the table of resource types
    parameters   the section Parameters
    intrinsics   Ref, GetAtt, Sub, If …
    patterns     regular expressions, matched within bounds
    shapes       what a property may hold
    references   what names what, and the order that follows
    yaml_lines   text → nodes with line and column
    model        the types that come out
    unknown      values that nobody can know, and how they flow on
"""

from __future__ import annotations

from collections.abc import Mapping

from grader.cloud import clock
from grader.cloud.aws import ACCOUNT_ID, REGION
from grader.cloud.template.belonging import READ, standing
from grader.cloud.template.kinds import KINDS, Support, support
from grader.cloud.template.kinds.base import Place
from grader.cloud.template.kinds.dynamodb import stream_label
from grader.cloud.template.kinds.functions import (
    FOR_OTHER_SOURCES,
    KAFKA_METRICS,
    PYTHON_RUNTIMES,
    Runtime,
)
from grader.cloud.template.model import Own, Problem, Resource, Stack, TemplateProblems
from grader.cloud.template.reading import NoTemplate, read, read_root, root_of
from grader.cloud.template.resolver import resolve_own_text, resolve_text
from grader.cloud.template.sam import NotTranslated
from grader.cloud.template.shapes import ListOf, Shape, Struct, Text, Whole, as_field
from grader.cloud.template.unknown import Unknown, known, readable, shown, unknown, unknowns

__all__ = [
    "FOR_OTHER_SOURCES",
    "KAFKA_METRICS",
    "PYTHON_RUNTIMES",
    "READ",
    "RESOURCE_TYPES",
    "ListOf",
    "NoTemplate",
    "NotTranslated",
    "Own",
    "Problem",
    "Resource",
    "Runtime",
    "Stack",
    "Support",
    "TemplateProblems",
    "Text",
    "Unknown",
    "Whole",
    "known",
    "read",
    "read_root",
    "readable",
    "resolve",
    "resolve_own",
    "root_of",
    "shape_of",
    "shown",
    "standing",
    "stream_label",
    "support",
    "unknown",
    "unknowns",
]

RESOURCE_TYPES = tuple(KINDS)


def shape_of(type: str, *path: str) -> Shape:
    """The shape of a property, such as ``("AWS::SQS::Queue", "DelaySeconds")``: its range, choices.

    KeyError for what the type does not have.
    """
    shape: Shape = KINDS[type].shape
    for step in path:
        assert isinstance(shape, Struct)
        shape = as_field(shape.fields[step]).shape
    return shape


def resolve(
    text: str,
    *,
    path: str = "template.yaml",
    parameters: Mapping[str, str] | None = None,
    stack_name: str = "labs",
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
    created_ms: int = clock.START_MS,
) -> Stack:
    """Resolve a template's text (YAML or JSON).

    ``path`` is the file's name for sentences. ``parameters`` are values for the template's
    parameters. ``created_ms`` (ms since 1970) is when the stack is created; it labels streams.

    Raises TemplateProblems, with all the problems found, for what AWS itself would refuse.
    """
    place = Place(stack_name, account_id, region, created_ms)
    return resolve_text(text, path, parameters or {}, place)


def resolve_own(
    text: str,
    own: Own,
    *,
    path: str = "template.yaml",
    parameters: Mapping[str, str] | None = None,
    stack_name: str = "labs",
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
    created_ms: int = clock.START_MS,
) -> Stack:
    """Resolve a team's own template, SAM's transform included; see ``resolve`` and `Own`.

    Problems of a resource stand at the resource: `Stack.playable` raises them where a consumer
    depends on it. Raises TemplateProblems for what is wrong with the template as a whole, and
    NotTranslated.
    """
    place = Place(stack_name, account_id, region, created_ms)
    return resolve_own_text(text, path, parameters or {}, place, own)
