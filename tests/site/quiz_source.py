"""The quizzes of the modules' pages as data, read from their Markdown.

A block is `<div class="quiz" id data-kind data-answer …>`: a question in bold, whatever it is about,
a list of options, and a folded answer with an entry for each wrong way (docs/contributing.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "docs" / "modules").glob("*.md"))
KINDS = ("one", "all", "line", "number", "order")
BLOCK = re.compile(r'^<div class="quiz" ([^>]+) markdown>$(.*?)^</div>$', re.M | re.S)


@dataclass(frozen=True)
class Question:
    """One question.

    - ``id``, ``kind``, ``answer``: as in the block; the answer as letters, lines or numbers in text;
    - ``module``: the number of its page, two digits;
    - ``asked``: the sentence; ``about``: code or a timeline, empty when there is none;
    - ``options``: the list's items, or the lines of code for the kind ``line``;
    - ``why``: the paragraph behind the right answer; ``misses``: what was chosen, and why not.
    """

    id: str
    module: str
    kind: str
    answer: tuple[str, ...]
    within: str
    asked: str
    about: str
    options: tuple[str, ...]
    why: str
    misses: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """What each option is called: letters, or numbers of lines."""
        if self.kind == "line":
            return [str(n) for n in range(1, len(self.options) + 1)]
        return [chr(65 + n) for n in range(len(self.options))]


def numbers(text: str) -> list[float]:
    """The numbers in a text; a comma between digits parts thousands."""
    return [
        float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(\d),(?=\d{3}\b)", r"\1", text))
    ]


@cache
def questions() -> tuple[Question, ...]:
    """Every question of the course, in its order."""
    return tuple(_question(page, *block) for page in MODULES for block in _blocks(page))


def _blocks(page: Path) -> list[tuple[str, str]]:
    text = page.read_text(encoding="utf-8")
    found = BLOCK.findall(text)
    assert len(found) == text.count('class="quiz"'), f"{page.name}: a block that cannot be read"
    return found


def _question(page: Path, attributes: str, body: str) -> Question:
    given = dict(re.findall(r'([a-z-]+)="([^"]*)"', attributes))
    shown, answer = body.split('??? success "Answer"')
    asked, _, rest = shown.strip().partition("\n")
    code = re.search(r"```\w*.*?\n(.*?)```", rest, re.S)
    about = code[1] if code else ""
    kind = given["data-kind"]
    items = re.findall(r"^\d+\. (.+)$", rest, re.M)
    entry, *entries = re.split(r"^    - ", answer, flags=re.M)
    misses = [re.match(r"\*\*(.+?)\*\* (.+)", " ".join(one.split())) for one in entries]
    assert None not in misses, f"{given['id']}: an entry without what was chosen"
    return Question(
        id=given["id"],
        module=page.name[:2],
        kind=kind,
        answer=tuple(given["data-answer"].replace(",", "").split()),
        within=given.get("data-within", ""),
        asked=asked.strip("*"),
        about=about,
        options=tuple(about.splitlines() if kind == "line" else items),
        why=" ".join(entry.split()),
        misses=tuple((miss[1], miss[2]) for miss in misses if miss),
    )
