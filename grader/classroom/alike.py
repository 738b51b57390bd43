"""Pairs of hand-ins that share more than starter, solution and platform habits explain.

Of a hand-in's code every run of `RUN` tokens is a trait; names that the learner may choose, strings
and numbers are taken for equal, comments, docstrings and line ends for nothing, so that renaming,
reordering and commenting hide little. Of a template every value at its place is a trait, with
resources named by their types. Traits that stand in a starter or a solution of the course, or in
half of the hand-ins, are everybody's. What is left is a hand-in's own; two hand-ins are as alike as
the share of the smaller one's own traits that the other has, too.

The line above which a pair is listed was drawn on pairs whose truth is known
(tests/classroom/test_alike.py says them and how well they are told apart). Likeness is a reason to
talk, not a verdict.
"""

from __future__ import annotations

import builtins
import functools
import io
import keyword
import re
import shutil
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from pathlib import Path
from typing import Literal

from grader.classroom.grading import collect
from grader.classroom.private import write_private
from grader.classroom.report import ALIKE, pages
from grader.classroom.report.overview import Names
from grader.classroom.roster import Learner
from grader.classroom.settings import Settings
from grader.cloud.template import NoTemplate, root_of
from grader.cloud.template.yaml_lines import Call, Fields, Items, Node, Scalar
from grader.course.lab import Lab, labs

Kind = Literal["code", "template"]
# Where a trait stands: file and line.
Places = set[tuple[str, int]]
Traits = dict[int, Places]

RUN = 12
# A pair is listed when so large a share is common ...
LINES: Mapping[Kind, float] = {"code": 0.5, "template": 0.6}
# ... of at least so many own traits of the one that has fewer. Below, chance decides.
LEAST_OWN: Mapping[Kind, int] = {"code": 80, "template": 25}
# What stands in this share of a class's hand-ins, and in so many, is everybody's.
COMMON_SHARE, COMMON_LEAST = 0.5, 10
# A hand-in whose work stands to this share in the published solution equals it.
AS_SOLVED = 0.95
# Larger files are cut: they are no answers to a lab.
MOST_CHARACTERS = 300_000

_ENDS = ("NEWLINE", "INDENT", "DEDENT")
_BUILTINS = frozenset(dir(builtins))
# Properties that hold a name or a description: whatever a learner calls a thing, it is that thing.
_NAMING = re.compile(r"\w*(Name|Description|Title)|Sid")
_AWS_NAMES = ("MetricName", "AttributeName", "Namespace", "EventName", "Name")
_LONG_TEXT = 60


@dataclass(frozen=True)
class Work:
    """One hand-in: whose, its files, and its traits of each kind."""

    learner: str
    files: Mapping[str, str]
    traits: Mapping[Kind, Traits]


@dataclass(frozen=True)
class Pair:
    """Two hand-ins that share much of what is their own, in ``kinds``: the share of each."""

    one: Work
    two: Work
    kinds: Mapping[Kind, float]
    shared: Mapping[Kind, frozenset[int]]

    @property
    def likeness(self) -> float:
        """The largest share."""
        return max(self.kinds.values())

    def lines(self, work: Work, name: str) -> set[int]:
        """The lines of a file of one of the two that the other shares."""
        return {
            line
            for kind, traits in self.shared.items()
            for trait in traits
            for file, line in work.traits[kind][trait]
            if file == name
        }


@dataclass(frozen=True)
class Found:
    """What comparing a lab's hand-ins said.

    ``solved`` maps who equals the published solution to how far, ``little`` counts the hand-ins
    with too little of their own to be compared.
    """

    lab: Lab
    compared: int
    pairs: Sequence[Pair]
    solved: Mapping[str, float]
    little: int


def own(works: Sequence[Work]) -> dict[str, dict[Kind, frozenset[int]]]:
    """For each learner the traits that are neither the course's nor half of the class's."""
    everybodys = {kind: _everybodys(kind, works) for kind in LINES}
    return {
        one.learner: {
            kind: frozenset(traits.keys() - everybodys[kind]) for kind, traits in one.traits.items()
        }
        for one in works
    }


def compare(lab: Lab, works: Sequence[Work]) -> Found:
    """Compare a lab's hand-ins. The most alike come first."""
    mine, solved = own(works), _solved(lab, works)
    pairs = []
    for one, two in combinations((one for one in works if one.learner not in solved), 2):
        shares = likeness(mine[one.learner], mine[two.learner])
        kinds = {kind: share for kind, share in shares.items() if share >= LINES[kind]}
        if kinds:
            common = {kind: mine[one.learner][kind] & mine[two.learner][kind] for kind in kinds}
            pairs.append(Pair(one, two, kinds, common))
    pairs.sort(key=lambda pair: (-pair.likeness, pair.one.learner, pair.two.learner))
    little = sum(not likeness(traits, traits) for traits in mine.values())
    return Found(lab, len(works), pairs, solved, little)


def likeness(
    one: Mapping[Kind, frozenset[int]], two: Mapping[Kind, frozenset[int]]
) -> dict[Kind, float]:
    """The share of the smaller one's own that both have, where that is enough to say anything."""
    smaller = {kind: min(len(one[kind]), len(two[kind])) for kind in LINES}
    return {
        kind: len(one[kind] & two[kind]) / size
        for kind, size in smaller.items()
        if size >= LEAST_OWN[kind]
    }


def work(learner: str, files: Mapping[str, bytes]) -> Work:
    """The traits of a hand-in's files; what is no text, no Python or no template has none."""
    texts = {
        name: content.decode("utf-8", "replace")[:MOST_CHARACTERS]
        for name, content in files.items()
    }
    traits: dict[Kind, Traits] = {"code": {}, "template": {}}
    for name, text in texts.items():
        kind = kind_of(name)
        if kind is not None:
            for trait, line in READERS[kind](text):
                traits[kind].setdefault(trait, set()).add((name, line))
    return Work(learner, texts, traits)


def kind_of(name: str) -> Kind | None:
    """How a file is compared; None for one that is not."""
    if name.endswith(".py"):
        return "code"
    return "template" if name.endswith((".yaml", ".yml")) else None


def _everybodys(kind: Kind, works: Sequence[Work]) -> set[int]:
    """The traits that say nothing about who wrote them."""
    counted = Counter(trait for one in works for trait in one.traits[kind])
    most = max(COMMON_LEAST, COMMON_SHARE * len(works))
    common = {trait for trait, times in counted.items() if times >= most}
    return common.union(*(shipped.traits[kind].keys() for shipped in _course()))


@functools.cache
def _course() -> tuple[Work, ...]:
    """Every starter and every solution of the course."""
    return tuple(_shipped(lab, folder) for lab in labs() for folder in (lab.starter, lab.solution))


def _shipped(lab: Lab, folder: Path) -> Work:
    return work("", {name: (folder / name).read_bytes() for name in lab.editable})


def _solved(lab: Lab, works: Sequence[Work]) -> dict[str, float]:
    """Whose work stands in the published solution, and how much of it; most first."""
    starter, solution = _shipped(lab, lab.starter), _shipped(lab, lab.solution)
    given = {trait for kind in LINES for trait in starter.traits[kind]}
    wanted = {trait for kind in LINES for trait in solution.traits[kind]} - given
    found = {}
    for one in works:
        mine = {trait for kind in LINES for trait in one.traits[kind]} - given
        solved = len(mine & wanted)
        # Who has written a line or two of it has not handed it in.
        if mine and solved >= AS_SOLVED * len(mine) and solved >= len(wanted) / 2:
            found[one.learner] = solved / len(mine)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


# --- code ---------------------------------------------------------------------------------------


def code_traits(text: str) -> Iterator[tuple[int, int]]:
    """Every run of tokens of Python text as a number, and each line that it stands on.

    No run crosses from one function into the next: their order says nothing.
    """
    for piece in _pieces_of_code(text):
        for start in range(len(piece) - RUN + 1):
            run = piece[start : start + RUN]
            number = _number("\0".join(word for word, _ in run))
            for line in {line for _, line in run}:
                yield number, line


def _pieces_of_code(text: str) -> Iterator[list[tuple[str, int]]]:
    """The tokens of each statement that is not within another one."""
    piece: list[tuple[str, int]] = []
    depth = 0
    for word, line in _tokens(text):
        depth += {"INDENT": 1, "DEDENT": -1}.get(word, 0)
        # A line that ends on the outermost level may still open a block.
        if piece and depth == 0 and word != "INDENT" and piece[-1][0] in ("NEWLINE", "DEDENT"):
            yield piece
            piece = []
        piece.append((word, line))
    yield piece


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """The words of Python text that say what it does, each with its line."""
    before = "NEWLINE"
    for kind, word, line in _python(text):
        if kind in (tokenize.COMMENT, tokenize.NL):
            continue
        if before in _ENDS and kind in (tokenize.STRING, tokenize.NEWLINE):
            continue  # a docstring, or a note in quotes, and the end of its line
        if kind in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            word = tokenize.tok_name[kind]
        elif kind == tokenize.STRING:
            word = "string"
        elif kind == tokenize.NUMBER:
            word = "number"
        elif kind == tokenize.NAME and not (
            keyword.iskeyword(word) or before == "." or word in _BUILTINS
        ):
            word = "name"
        before = word
        yield word, line


def _python(text: str) -> Iterator[tuple[int, str, int]]:
    """Tokens as kind, text and line, as far as it is Python; an f-string is one string."""
    opening = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "TSTRING_START", -1)
    closing = getattr(tokenize, "FSTRING_END", -1), getattr(tokenize, "TSTRING_END", -1)
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in opening:
                depth += 1
            elif token.type in closing:
                depth -= 1
                if depth == 0:
                    yield tokenize.STRING, "", token.start[0]
            elif depth == 0 and token.type != tokenize.ENDMARKER:
                yield token.type, token.string, token.start[0]
    except (tokenize.TokenError, SyntaxError, ValueError):
        return  # what is no Python from here on is compared up to here


def _number(text: str) -> int:
    # Not hash(): it gives other numbers in every process.
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


# --- templates ----------------------------------------------------------------------------------


def template_traits(text: str) -> Iterator[tuple[int, int]]:
    """Every value of a template at its place as a number, and its line."""
    try:
        root, _ = root_of(text, "template.yaml")
    except NoTemplate:
        return
    types = dict(_types(root))
    for section, _, node in root:
        if not isinstance(node, Fields):
            continue
        for name, _, entry in node:
            if section != "Resources":
                yield from _values(entry, (section,), types)
            elif isinstance(entry, Fields):
                for key, _, value in entry:
                    yield from _values(value, (types.get(name, ""), key), types)


def _types(root: Fields) -> Iterator[tuple[str, str]]:
    resources = root.node("Resources")
    for name, _, entry in resources if isinstance(resources, Fields) else ():
        type_ = entry.node("Type") if isinstance(entry, Fields) else None
        yield name, type_.text if isinstance(type_, Scalar) else "?"


def _values(
    node: Node, path: tuple[str, ...], types: Mapping[str, str]
) -> Iterator[tuple[int, int]]:
    if isinstance(node, Fields):
        for key, _, value in node:
            yield from _values(value, (*path, key), types)
    elif isinstance(node, Items):
        for one in node.items:
            yield from _values(one, path, types)
    elif isinstance(node, Call):
        yield from _values(node.argument, (*path, node.function), types)
    elif isinstance(node, Scalar):
        for piece in _pieces(node.text, path[-1], types):
            yield _number("\0".join((*path, piece))), node.mark[0]


def _pieces(text: str, key: str, types: Mapping[str, str]) -> Iterable[str]:
    """A value with the template's own names taken for what they name; a long one in its parts."""
    if _NAMING.fullmatch(key) and key not in _AWS_NAMES:
        return ["a name"]
    if key in ("Ref", "Fn::GetAtt", "DependsOn", "Condition"):
        name, dot, attribute = text.partition(".")
        return [types.get(name, "a name") + dot + attribute]
    text = re.sub(r"\$\{(\w+)", lambda found: "${" + types.get(found[1], found[1]), text)
    if len(text) <= _LONG_TEXT:
        return [text]
    return [whole for part in re.split(r"[,\n]", text) if (whole := "".join(part.split()))]


READERS: Mapping[Kind, Callable[[str], Iterator[tuple[int, int]]]] = {
    "code": code_traits,
    "template": template_traits,
}


# --- told ---------------------------------------------------------------------------------------

VERDICT = (
    "Likeness is a reason to talk, not a verdict: two may have learned together, from the same page"
    " or the same helper. Ask both to explain a line that they share."
)


def hand_ins(settings: Settings, lab: Lab) -> list[Work]:
    """What every learner handed in of a lab that counts and can be read."""
    held, _ = collect(settings.handed_in, [lab])
    return [work(one.learner, lab.read(one.folder)) for one in held]


def write(settings: Settings, roster: Mapping[str, Learner], found: Sequence[Found]) -> list[Path]:
    """Write a page about all pairs, and one for each pair side by side; returns their paths."""
    folder = settings.reports / ALIKE
    shutil.rmtree(folder, ignore_errors=True)
    people = {one.learner for each in found for pair in each.pairs for one in (pair.one, pair.two)}
    people |= {learner for each in found for learner in each.solved}
    # Of everybody: whoever shares a name with somebody who is not on the page has a key beside it.
    names = Names([roster.get(key) or Learner(key) for key in sorted(people | {*roster})])
    told, paths = [], [folder / "index.html"]
    for each in found:
        rows = []
        for number, pair in enumerate(each.pairs, 1):
            name = f"lab{each.lab.number:02}-{number}.html"
            write_private(folder / name, _side_by_side(each.lab, pair, names), durable=False)
            paths.append(folder / name)
            rows.append(
                {"page": name, "one": names.of(pair.one.learner), "two": names.of(pair.two.learner),
                 "share": share(pair)}
            )  # fmt: skip
        solved = [(names.of(who), f"{part:.0%}") for who, part in each.solved.items()]
        told.append({"found": each, "rows": rows, "solved": solved})
    page = pages.page("alike.html", class_name=settings.name, labs=told, verdict=VERDICT)
    write_private(folder / "index.html", page, durable=False)
    return paths


def share(pair: Pair) -> str:
    """``code 96 %, template 71 %``: how much of the smaller one's own the two share."""
    return ", ".join(f"{kind} {part:.0%}" for kind, part in pair.kinds.items())


def _side_by_side(lab: Lab, pair: Pair, names: Names) -> str:
    sides = []
    for one in (pair.one, pair.two):
        files = []
        for name, text in one.files.items():
            kind = kind_of(name)
            if kind in pair.kinds and (marked := pair.lines(one, name)):
                lines = [(n, n in marked, line) for n, line in enumerate(text.split("\n"), 1)]
                files.append({"name": name, "lines": lines})
        sides.append({"who": names.of(one.learner), "files": files})
    return pages.page("pair.html", lab=lab, sides=sides, share=share(pair), verdict=VERDICT)
