"""Any template's text → a Stack, as far as the text alone can tell: the lenient reader.

The labs refuse what they do not know. Here everything is taken: an unknown type, function, macro or
parameter only leaves marks (see ``unknown``), and a wrong value stays as it stands. Parameters
stand for their defaults.
"""

from __future__ import annotations

from collections.abc import Mapping

from grader.cloud import clock
from grader.cloud.aws import ACCOUNT_ID, REGION
from grader.cloud.template.kinds.base import Place
from grader.cloud.template.model import Problem, Reporter, Stack
from grader.cloud.template.resolver import resolve_root
from grader.cloud.template.yaml_lines import Call, Fields, Unreadable, parse


class NoTemplate(Exception):
    """The text is no CloudFormation template; the message is a sentence, ``line`` may be None."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


def root_of(text: str, path: str) -> tuple[Fields, tuple[Problem, ...]]:
    """The template's top level and what is odd about its text.

    Raises NoTemplate with a sentence for what is neither YAML nor JSON, and for what is, but no
    CloudFormation template.
    """
    reporter = Reporter(path, strict=False)
    try:
        root = parse(text, reporter)
    except Unreadable:
        first = reporter.problems[0]
        raise NoTemplate(first.sentence, first.line) from None
    if "Resources" not in root.fields:
        raise NoTemplate(_instead(root))
    if not isinstance(root.node("Resources"), Fields | Call):
        raise NoTemplate("Its section Resources is no mapping from names to resources.")
    return root, (*reporter.problems, *reporter.unplayed)


# What people give by mistake: keys of the top level, and what it then is.
_OTHERS: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"terraform_version"}),
        "It is a Terraform document. Only CloudFormation templates can be read",
    ),
    (
        frozenset({"service", "provider"}),
        "It is a configuration of the Serverless Framework. Run serverless package and give the "
        "compiled template in the folder .serverless",
    ),
    (
        frozenset({"apiVersion", "kind"}),
        "It is a Kubernetes manifest. Only CloudFormation templates can be read",
    ),
    (
        frozenset({"app"}),
        "It looks like a cdk.json. Run cdk synth and give the template in the folder cdk.out",
    ),
    (frozenset({"artifacts", "version"}), "It is a manifest of cdk.out; give a *.template.json"),
)


def _instead(root: Fields) -> str:
    for keys, sentence in _OTHERS:
        if keys <= set(root.fields):
            return sentence + "."
    return "It has no section Resources, so it is no CloudFormation template."


def read(
    text: str, *, path: str = "template.yaml", parameters: Mapping[str, str] | None = None
) -> Stack:
    """Read a template's text (YAML or JSON). ``parameters`` are values that replace defaults.

    Raises NoTemplate when there is nothing to read.
    """
    root, _ = root_of(text, path)
    return read_root(root, tuple(text.splitlines()), path=path, parameters=parameters)


def read_root(
    root: Fields,
    source: tuple[str, ...],
    *,
    path: str,
    parameters: Mapping[str, str] | None = None,
) -> Stack:
    """Read a template that is parsed already; see ``read``. ``source`` are the text's lines."""
    place = Place("stack", ACCOUNT_ID, REGION, clock.START_MS)
    return resolve_root(root, source, parameters or {}, place, Reporter(path, strict=False))
