"""A new lab: the files of ``new_lab`` under the lab's own names, and its line in the site's menu.

What is made holds from the first minute: it can be run, graded and checked, its page has the
anchors that findings link to, and its answers are judged as they say. The author replaces the story
piece by piece. In paths and texts ``__NN__``, ``__NUMBER__``, ``__NAME__``, ``__SLUG__`` and
``__TITLE__`` stand for the lab's own.
"""

from __future__ import annotations

import re
from pathlib import Path

from grader.course.files import UsageError, files_in, write_whole
from grader.course.lab import Lab, labs

PATTERN = Path(__file__).parent / "new_lab"
MENU = "mkdocs.yml"
GUIDE = "docs/instructor/modules.md"
_MISTAKES = """
## {number}. {title} { #module-{number} }

### Common mistakes { #mistakes-{number} }

| What they believe | What is lost | The question that helps |
|---|---|---|
| A batch is one record. | `record-copied` | How many records may a batch hold? |
| The newest is early enough. | `record-arrives` | What was written before the mapping began? |
"""


def new(root: Path, name: str) -> list[str]:
    """Scaffold the lab ``NN-slug``; returns what was made and what remains. Overwrites nothing."""
    found = re.fullmatch(r"(\d\d)-([a-z][a-z0-9]*(?:-[a-z0-9]+)*)", name)
    if found is None:
        raise UsageError(f"{name!r} is no name for a lab; a good one is 07-fan-out.")
    lab = Lab(int(found[1]), found[2], root / "labs" / name)
    for other in labs(root / "labs"):
        if other.number == lab.number:
            raise UsageError(f"There is already a lab {lab.number}: {other.name}.")
    made = _filled(lab)
    for path in made:
        if (root / path).exists():
            raise UsageError(f"{path} is already there; nothing was made.")
    for path, content in made.items():
        write_whole(root / path, content)
    _into_the_menu(root / MENU, lab)
    _into_the_guide(root / GUIDE, lab)
    return [
        *(f"made {path}" for path in made),
        f"named docs/{lab.page}.md in {MENU} and its mistakes in {GUIDE}",
        "",
        f"labs run {lab.number} and labs grade {lab.number} work already. What remains is to make",
        "it your own, with labs dev sync after every change in labs/:",
        f"1. The wrong and right answers in tests/submissions/lab{lab.number:02}: ten and three.",
        f"2. The scenarios and criteria in {lab.module.replace('.', '/')}.py and beside it.",
        "3. The README with its tasks and points, the hints and the starter.",
        "4. The solution and its NOTES.md: why, and two other right answers.",
        f"5. docs/{lab.page}.md, and what docs/instructor/modules.md says about the lab.",
        f"6. labs dev check {lab.number} --answers proves it.",
    ]


def _filled(lab: Lab) -> dict[str, bytes]:
    """The new lab's files by path; the starter stands in ``labs`` and in its pristine mirror."""
    words = {
        "__NN__": f"{lab.number:02}",
        "__NUMBER__": str(lab.number),
        "__NAME__": lab.name,
        "__SLUG__": lab.slug,
        "__TITLE__": lab.slug.replace("-", " ").capitalize(),
    }

    def fill(text: str) -> str:
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    files = {
        fill(name): fill((PATTERN / name).read_text(encoding="utf-8")).encode()
        for name in files_in(PATTERN)
    }
    mirror = {
        f"grader/course/starters/{name.removeprefix('labs/')}": content
        for name, content in files.items()
        if name.startswith("labs/")
    }
    return files | mirror


def _into_the_guide(guide: Path, lab: Lab) -> None:
    """Give the lab's mistakes a section in the instructor's guide."""
    if guide.is_file():
        title = lab.slug.replace("-", " ").capitalize()
        section = _MISTAKES.replace("{number}", str(lab.number)).replace("{title}", title)
        write_whole(guide, (guide.read_text(encoding="utf-8") + section).encode())


def _into_the_menu(menu: Path, lab: Lab) -> None:
    """Name the lab's page in the site's menu, among the modules by number."""
    if not menu.is_file():
        return
    lines = menu.read_text(encoding="utf-8").splitlines(keepends=True)
    modules = [n for n, line in enumerate(lines) if re.match(r"\s+- modules/\d\d-", line)]
    before = [n for n in modules if lines[n].strip() < f"- {lab.page}.md"]
    if before:
        indent = lines[before[-1]].partition("-")[0]
        lines.insert(before[-1] + 1, f"{indent}- {lab.page}.md\n")
        write_whole(menu, "".join(lines).encode())
