"""The lines of a file that a finding speaks of, as HTML: what a page shows where nothing is played.

A finding's ``where`` names a file and a line, or a file and what it lacks. The first is shown with
what stands around it, the line marked by a sign and a colour; of the second those parts are shown
that the file has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from grader.replay.drawing import scrolled
from grader.replay.page import text

BEFORE, AFTER, MOST_INSIDE = 3, 3, 9
# Longer lines are cut, and of so many parts the rest is counted.
MOST_LETTERS, MOST_PARTS = 200, 60
LOOKS = (
    ".lines{white-space:pre;width:max-content;min-width:100%}"
    ".lines mark{background:var(--warn);color:var(--ink);font-weight:700}"
)

_PLACE = re.compile(r"([\w./-]+):(\d+)(?:  |$)")
_LACK = re.compile(r"([\w./-]+) \((.+)\)$", re.DOTALL)
# Where a part of a file begins: a resource, a function, a table.
_PARTS = {
    "py": re.compile(r"(async )?def |class |@"),
    "toml": re.compile(r"\["),
    "yaml": re.compile(r"  [\w:]+:\s*(#.*)?$|[A-Z]\w+:"),
}


def around(where: str, files: Mapping[str, bytes], of: str) -> str:
    """The lines behind a finding's ``where``; nothing where it names no file that there is.

    ``of`` is what the finding is called on its page.
    """
    if (place := _PLACE.match(where)) and place[1] in files:
        lines = _lines(files[place[1]])
        number = int(place[2])
        if 1 <= number <= len(lines):
            return _shown(place[1], _near(lines, number), "What decides stands here", of)
    if (lack := _LACK.match(where)) and lack[1] in files:
        parts = [*_parts(lack[1], _lines(files[lack[1]]))]
        said = f"No line can be marked ({lack[2]}). These are the parts of the file"
        return _shown(lack[1], parts, said, of) if parts else ""
    return ""


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines()


Numbered = tuple[int, str, bool]


def _near(lines: Sequence[str], number: int) -> list[Numbered]:
    """A line and its neighbours; of a block that it opens, more."""
    inside = number
    while inside < min(len(lines), number + MOST_INSIDE) and _deep(lines[inside]) > _deep(
        lines[number - 1]
    ):
        inside += 1
    last = min(len(lines), max(inside, number + AFTER))
    first = max(1, number - BEFORE)
    return [(at, lines[at - 1], at == number) for at in range(first, last + 1)]


def _deep(line: str) -> int:
    return len(line) - len(line.lstrip())


def _parts(name: str, lines: Sequence[str]) -> Iterator[Numbered]:
    begins = _PARTS.get(name.rpartition(".")[2])
    found = [at for at, line in enumerate(lines, start=1) if begins and begins.match(line)]
    for at in found[:MOST_PARTS]:
        yield at, lines[at - 1], False


def _shown(name: str, lines: Sequence[Numbered], said: str, of: str) -> str:
    wide = len(str(lines[-1][0]))
    rows = []
    for number, line, marked in lines:
        more = "…" if len(line) > MOST_LETTERS else ""
        row = f"{'▸' if marked else ' '} {number:{wide}}  {text(line[:MOST_LETTERS])}{more}"
        rows.append(f"<mark>{row}</mark>" if marked else row)
    code = f'<pre class="lines">{chr(10).join(rows)}</pre>'
    return (
        f'<div class="sight"><h3>The lines: {text(name)}</h3><p>{text(said)}.</p>'
        f"{scrolled(f'Lines of {text(name)} for {text(of)}', code)}</div>"
    )
