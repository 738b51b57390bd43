"""How much a learner has to read: the words of the course's path, from the start page to lab 6.

Counted are the start page, each module's page and each lab's README. Tables and code are looked
things up in and are not counted, nor are addresses of links.
"""

from __future__ import annotations

import re
from pathlib import Path

# Nobody reads more than that before they stop; a page that grows takes from another.
MOST_WORDS = 30_000
BOUND = f"the start page, six modules and six READMEs have at most {MOST_WORDS:,}."

# What is on a page and is not read as a sentence.
_NOT_PROSE = re.compile(
    r"""\A---\n.*?^---\n                    # front matter
      | ^[ ]*```.*?^[ ]*```[ ]*$            # code
      | <!--.*?-->
      | ^[ ]*\|.*?$                         # a row of a table
      | ^[ ]*\[[^\]\n]+\]:[ ]\S+$           # where a link leads
      | ^[ ]*--8<--.*?$                     # what is taken in from a file of code
      | \{[ ]*[.#:][^}\n]*\}                # attributes
      | </?[a-z][^>]*>
      | (?<=\])\([^)\s]*\) | (?<=\])\[[^\]\s]*\]
    """,
    re.X | re.M | re.S,
)


def words(text: str) -> int:
    """The words of a Markdown text that are read as prose."""
    return sum(any(map(str.isalnum, word)) for word in re.sub(_NOT_PROSE, " ", text).split())


def path(root: Path) -> dict[str, int]:
    """The words of each page on the learner's way in the clone at ``root``, in order."""
    pages = [
        root / "docs" / "index.md",
        *sorted((root / "docs" / "modules").glob("*.md")),
        *sorted((root / "labs").glob("*/README.md")),
    ]
    return {
        page.relative_to(root).as_posix(): words(page.read_text(encoding="utf-8"))
        for page in pages
        if page.is_file()
    }
