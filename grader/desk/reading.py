"""A built page of the course as text for a terminal: `labs docs PAGE --print`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path

from grader.course.files import UsageError
from grader.desk.terminal import WIDTH

# No column of a table gets narrower than this.
_NARROWEST = 10


def as_text(page: Path, anchor: str = "") -> str:
    """A page as text of at most 80 columns; from ``anchor``'s heading on, to the next like it.

    A link has a number; where the numbers lead stands at the end. ``page`` is a built page or its
    Markdown text, which is given as it stands. UsageError for an anchor that it does not have.
    """
    source = page.read_text(encoding="utf-8")
    if page.suffix != ".html":
        return source
    reader = _Reader()
    reader.feed(source)
    blocks = reader.blocks
    if anchor:
        start = next((n for n, block in enumerate(blocks) if anchor in block.ids), None)
        if start is None:
            raise UsageError(f"The page has no place {anchor!r}.")
        level = blocks[start].level or 7
        end = next(
            (n for n in range(start + 1, len(blocks)) if 0 < blocks[n].level <= level), len(blocks)
        )
        blocks = blocks[start:end]
    lines = [line for block in blocks for line in block.lines()]
    used = {int(number) for block in blocks for number in re.findall(r"\[(\d+)\]", block.words())}
    targets = [f"[{n}] {target}" for n, target in enumerate(reader.targets, 1) if n in used]
    return "\n".join([*lines, *([""] if targets else []), *targets]) + "\n"


class _Block:
    """A paragraph, heading, list item, table or piece of code."""

    def __init__(self, tag: str, depth: int, ids: set[str]) -> None:
        self.tag = tag
        self.depth = depth
        self.ids = ids
        self.text = ""
        # Of a table: its rows; the first is its head.
        self.rows: list[list[str]] = []

    @property
    def level(self) -> int:
        """1 to 6 for a heading, 0 for anything else."""
        return int(self.tag[1]) if re.fullmatch("h[1-6]", self.tag) else 0

    def words(self) -> str:
        """All text of the block."""
        return " ".join([self.text, *(cell for row in self.rows for cell in row)])

    def lines(self) -> Iterator[str]:
        """The block's lines, an empty one before all but list items."""
        if self.tag == "pre":
            yield ""
            yield from ("    " + line for line in self.text.strip("\n").splitlines())
            return
        if self.rows:
            yield ""
            yield from _columns(self.rows)
            return
        text = " ".join(self.text.split())
        if not text:
            return
        if self.tag != "li":
            yield ""
        first = "  " * self.depth + ("- " if self.tag == "li" else "")
        rest = " " * len(first)
        yield from textwrap.wrap(
            text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False
        )
        if self.level in (1, 2):
            yield ("=" if self.level == 1 else "-") * min(len(text), WIDTH)


def _columns(rows: list[list[str]]) -> Iterator[str]:
    """A table's rows in columns that fit the width; long cells go on below."""
    table = [[" ".join(cell.split()) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip_longest(*table, fillvalue="")]
    room = WIDTH - 2 * (len(widths) - 1)
    while sum(widths) > room and max(widths) > _NARROWEST:
        widest = widths.index(max(widths))
        others = max([_NARROWEST, *(one for n, one in enumerate(widths) if n != widest)])
        widths[widest] -= max(1, min(sum(widths) - room, widths[widest] - others))
    for number, row in enumerate(table):
        cells = [
            textwrap.wrap(cell, max(1, width)) for cell, width in zip(row, widths, strict=False)
        ]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=False))
            yield "  ".join(padded).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


class _Reader(HTMLParser):
    """The blocks of a built page's article, in order; ``targets`` are where its links lead."""

    _HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
    _BLOCKS = frozenset(
        (*_HEADINGS, "p", "li", "table", "pre", "dt", "dd", "summary", "caption", "legend", "label")
    )
    _SKIPPED = frozenset(("script", "style", "svg", "button"))

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[_Block] = []
        self.targets: list[str] = []
        self._open: list[_Block] = []
        self._links: list[str] = []
        self._inside = False
        self._skipped = 0
        self._depth = 0
        self._ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        classes = (given.get("class") or "").split()
        if tag == "article" and "md-content__inner" in classes:
            self._inside = True
        if not self._inside:
            return
        if tag in self._SKIPPED or self._skipped or "headerlink" in classes:
            # What has no end tag of its own cannot be waited for.
            if tag not in ("path", "img", "input", "br"):
                self._skipped += 1
            return
        if given.get("id"):
            self._ids.add(str(given["id"]))
        if tag in ("ul", "ol"):
            self._depth += 1
        within = self._open[-1].tag if self._open else ""
        if within == "table":
            self._part_of_a_table(tag)
        elif tag in self._BLOCKS and not (tag in ("p", "label") and within in ("li", "dd")):
            block = _Block(tag, max(0, self._depth - 1), self._ids)
            self._ids = set()
            self.blocks.append(block)
            self._open.append(block)
        if tag == "a":
            self._links.append(given.get("href") or "")
        elif tag == "img" and given.get("alt"):
            self.handle_data(f"[Picture: {given['alt']}]")
        elif tag == "br":
            self.handle_data("\n")

    def _part_of_a_table(self, tag: str) -> None:
        rows = self._open[-1].rows
        if tag == "tr":
            rows.append([])
        elif tag in ("td", "th") and rows:
            rows[-1].append("")
        elif tag in ("p", "li"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= tag != "path"
            return
        if tag == "article":
            self._inside = False
        if tag in ("ul", "ol"):
            self._depth -= 1
        if tag == "a" and self._links:
            self._number(self._links.pop())
        if self._open and self._open[-1].tag == tag:
            self._open.pop()

    def _number(self, target: str) -> None:
        """Say where a link leads; a place on the same page is found by its heading."""
        if not self._inside or not target or target.startswith("#"):
            return
        shown = target if "://" in target else re.sub(r"\.html(?=[?#]|$)", "", target)
        if shown not in self.targets:
            self.targets.append(shown)
        self.handle_data(f" [{self.targets.index(shown) + 1}]")

    def handle_data(self, data: str) -> None:
        if not self._inside or not self._open or self._skipped:
            return
        block = self._open[-1]
        if block.tag != "table":
            block.text += data
        elif block.rows and block.rows[-1]:
            block.rows[-1][-1] += data
