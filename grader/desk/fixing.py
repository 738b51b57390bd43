"""`labs check --fix`: a template's patch, what it adds, and what it leaves to people.

What is proposed is proved before it is shown: the text with it is reviewed again, and every item
that was promised must be met there, with none of the others lost.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.cloud.template import Resource
from grader.course.files import UsageError, content_within
from grader.course.files import shown as path_shown
from grader.desk.check import reviewed, text_of
from grader.review.checklist import Report
from grader.review.fix import Note, Proposal, propose

MOST_SOURCE = 1_000_000
_SUFFIXES = (".py", ".js", ".mjs", ".cjs", ".ts", ".rb")
# Who writes a template that is not to be edited, and by what it is known.
_GENERATED = (
    ('"aws:cdk:path"', "The Cloud Development Kit", "app"),
    ("BootstrapVersion", "The Cloud Development Kit", "app"),
    ("ServerlessDeploymentBucket", "The Serverless Framework", "serverless.yml"),
)


@dataclass(frozen=True)
class Fixed:
    """A template's patch (empty when there is none), the file with it, and both reports."""

    patch: str
    content: bytes
    sentences: tuple[str, ...]
    before: Report
    after: Report


def fix(
    file: Path, *, parameters: Mapping[str, str] | None = None, skip: tuple[str, ...] = ()
) -> Fixed:
    """What can be added to a template file; nothing is written.

    Raises UsageError for a file that cannot be checked, and for one that a tool has written.
    """
    name = path_shown(file)
    read = text_of(file)
    checked = reviewed(read.text, name, parameters=parameters, skip=skip)
    for mark, tool, source in _GENERATED:
        if mark in read.text:
            raise UsageError(f"{tool} has written {name}, and writes it anew: mend its {source}.")
    before = checked.report
    found = propose(
        read.text, checked.written, before, lambda function: _source(file.parent, function)
    )
    after = reviewed(found.text, name, parameters=parameters, skip=skip).report
    _prove(found, before, after, name)
    return Fixed(
        unified(read.text, found.text, name),
        read.kept(found.text),
        tuple(_sentences(found, name)),
        before,
        after,
    )


def _prove(found: Proposal, before: Report, after: Report, name: str) -> None:
    """Raises UsageError where the patch would not do what it promises."""
    verdicts = {(one.consumer, one.item.id): one.verdict for one in after.results}
    named = {(note.consumer, note.item) for note in found.left}
    wanted = {(note.consumer, note.item) for note in found.made} | {
        (one.consumer, one.item.id) for one in before.results if one.verdict == "met"
    }
    for consumer, item in sorted(wanted - named):
        if verdicts.get((consumer, item)) != "met":
            raise UsageError(
                f"{name}: no patch is proposed, because {item} of {consumer} would not be met."
            )


def _sentences(found: Proposal, name: str) -> list[str]:
    if not found.made and not found.left:
        return [f"{name}: there is nothing to add."]
    lines = [_line(name, "added", note) for note in found.made]
    return lines + [_line(name, "left to you", note) for note in found.left]


def _line(name: str, what: str, note: Note) -> str:
    sentence = note.sentence[:1].upper() + note.sentence[1:]
    return f"{name}: {note.consumer}: {note.item}, {what}: {sentence}"


def unified(before: str, after: str, name: str) -> str:
    """Both texts as a unified diff that ``patch -p1`` and ``git apply`` take."""
    place = name.removeprefix("./").lstrip("/")
    lines = difflib.unified_diff(_lines(before), _lines(after), f"a/{place}", f"b/{place}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(text: str) -> list[str]:
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _source(folder: Path, function: Resource) -> str | None:
    """The source of a function's handler, where it lies beside the template; None otherwise."""
    code = function.properties.get("Code")
    if isinstance(code, Mapping):
        inline = code.get("ZipFile")
        return inline if isinstance(inline, str) else None
    handler = function.properties.get("Handler")
    if not isinstance(code, str) or not isinstance(handler, str):
        return None
    module = handler.rpartition(".")[0].replace(".", "/")
    for place in (folder / code / (module + suffix) for suffix in _SUFFIXES):
        try:
            if module and place.is_file():
                return content_within(place, MOST_SOURCE).decode("utf-8", "replace")
        except (OSError, ValueError):
            return None
    return None
