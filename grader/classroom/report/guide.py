"""The questions to ask in class, out of the instructor's guide (docs/instructor/modules.md).

Its tables "Common mistakes" say of each belief which criteria it loses and which question helps. A
criterion stands there in backticks, with an ellipsis for all that begin alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.course.lab import prose

PAGE = "instructor/modules"
_MODULE = re.compile(r"## Module (\d+)\b")
_CODE = re.compile(r"`([a-z0-9]+(?:-[a-z0-9]+)*-?…?)`")


@dataclass(frozen=True)
class Question:
    """What a learner may believe who lost a criterion, and what to ask then."""

    belief: str
    ask: str


def questions(lab: int, criterion: str) -> list[Question]:
    """The guide's questions about a criterion of a lab; none where the guide has none."""
    return [question for names, question in _rows(lab) if any(_is(criterion, n) for n in names)]


def _is(criterion: str, name: str) -> bool:
    return criterion.startswith(name[:-1]) if name.endswith("…") else criterion == name


def _rows(lab: int) -> Iterator[tuple[Sequence[str], Question]]:
    path = prose() / f"{PAGE}.md"
    module = 0
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if found := _MODULE.match(line):
            module = int(found[1])
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if module == lab and line.startswith("|") and len(cells) == 3:
            names = _CODE.findall(cells[1])
            if names:
                yield names, Question(_plain(cells[0]), _plain(cells[2]))


def _plain(text: str) -> str:
    """Markdown of one line as plain text; within backticks every letter is meant."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    parts = text.split("`")
    return "".join(part if n % 2 else part.replace("*", "") for n, part in enumerate(parts))
