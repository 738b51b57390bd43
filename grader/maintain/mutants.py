"""Mutants of a lab's solution: small mistakes that some criterion must notice.

`mutants` makes them of ``handler.py`` and its like and of ``template.yaml``; `survivors` grades a
sample by forks of a warm judge and says at once which keep all points. What a learner chooses
freely (``tuning.toml``), answers or writes down has kept answers of its own and is not mutated.

A survivor is a play that is missing, or equivalent: then ``tests/submissions/labNN/mutants.toml``
names it with the input that cannot exist::

    [[equivalent]]
    mutant = "handler.py: drop the statement `x = 1`"
    why = "One sentence."

What another lab judges and this one's README does not ask for is told there, too, by the name of
the resource or the function, or by a pattern of names (``*`` stands for anything), and is not
mutated::

    [[elsewhere]]
    within = "TotalsLate"
    why = "One sentence."

    [[elsewhere]]
    mutant = "template.yaml: TotalsRole: let Resource be anything*"
    why = "One sentence."

A mutant that fails at import or deployment proves nothing and is not counted.
"""

from __future__ import annotations

import ast
import random
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from grader.course.files import PACKAGE
from grader.course.grade import Grade, Verdict
from grader.course.lab import Lab
from grader.course.stage import BEGINS
from grader.course.warm import Warm

TEMPLATE = "template.yaml"
LISTED = "mutants.toml"
# How much of what is changed a mutant's name shows.
SHOWN = 70
# So long one grade may take, on a machine that has much else to do.
PATIENCE_S = 900
# So many criteria are asked before all others.
SUSPECTS = 2

Progress = Callable[[str], None]
Told = Callable[["Mutant", str], None]


@dataclass(frozen=True)
class Mutant:
    """One change of one file. ``name`` says which, whatever line it stands on.

    ``within`` is the function or the resource that holds it; "" on a module's top.
    """

    name: str
    file: str
    line: int
    within: str
    text: Callable[[], str] = field(compare=False, repr=False)


@dataclass
class Found:
    """What became of a sample: the mutants that no criterion noticed, and how many there were."""

    survivors: list[Mutant] = field(default_factory=list)
    broken: list[Mutant] = field(default_factory=list)
    killed: int = 0
    uncounted: int = 0
    possible: int = 0

    @property
    def counted(self) -> int:
        """How many of the sample came so far that a criterion could notice them."""
        return self.killed + len(self.survivors) + len(self.broken)


def mutants(files: Mapping[str, bytes]) -> list[Mutant]:
    """Every mutant of a solution's files, in the files' order."""
    found: list[Mutant] = []
    for name, content in sorted(files.items()):
        if name.endswith(".py"):
            found += _of_python(name, content.decode())
        elif name == TEMPLATE:
            found += _of_template(name, content.decode())
    seen: Counter[str] = Counter()
    named = []
    for one in found:
        seen[one.name] += 1
        again = f" ({seen[one.name]})" if seen[one.name] > 1 else ""
        named.append(replace(one, name=one.name + again))
    return named


def told(lab: Lab, what: str, root: Path = PACKAGE.parent) -> dict[str, str]:
    """What a lab's ``mutants.toml`` says: of each ``equivalent`` mutant, or ``elsewhere``, why.

    The keys are names of mutants; ``elsewhere`` has patterns and names of what holds them, too.
    """
    path = root / "tests" / "submissions" / f"lab{lab.number:02}" / LISTED
    if not path.is_file():
        return {}
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get(what, [])
    return {one.get("mutant") or one["within"]: one["why"] for one in entries}


def is_elsewhere(mutant: Mutant, names: Iterable[str]) -> bool:
    """Whether one of these names or patterns of ``elsewhere`` means the mutant."""
    return any(mutant.within == name or fnmatchcase(mutant.name, name) for name in names)


def survivors(
    lab: Lab,
    count: int,
    seed: int,
    progress: Progress,
    tell: Told,
    *,
    root: Path = PACKAGE.parent,
) -> Found:
    """Grade mutants of the solution until ``count`` of them count; ``seed`` draws them.

    The criteria that have noticed mutants of the same place are asked first. ``tell`` hears of each
    survivor that is not known as equivalent, and of each mutant whose grade was broken, as soon as
    it is found: a long run that is broken off has told what it knew.
    """
    folder = root / "solutions" / lab.name
    files = {name: (folder / name).read_bytes() for name in lab.editable}
    other = told(lab, "elsewhere", root)
    known = told(lab, "equivalent", root)
    every = [one for one in mutants(files) if not is_elsewhere(one, other)]
    found = Found(possible=len(every))
    noticed: dict[str, Counter[str]] = defaultdict(Counter)
    warm = Warm(lab, first_loss=True)
    try:
        for one in random.Random(seed).sample(every, len(every)):
            if found.counted >= count:
                break
            progress(f"{lab.name}: {found.counted} of {count}, {one.name}")
            changed = {**files, one.file: one.text().encode()}
            place = noticed[one.within] or noticed[one.file]
            suspects = [name for name, _ in place.most_common(SUSPECTS)]
            grade = _grade(warm, changed, suspects) if suspects else None
            if grade is None or not _lost(grade):
                grade = _grade(warm, changed)
            for name in (one.within, one.file):
                noticed[name].update(lost.criterion.id for lost in _lost(grade)[:1])
            became = _sort(found, one, grade)
            if became and one.name not in known:
                tell(one, became)
    finally:
        warm.close()
    return found


def _grade(warm: Warm, files: Mapping[str, bytes], only: Sequence[str] = ()) -> Grade | None:
    """The grade up to the first loss; None when the judge failed."""
    warm.start(files, only)
    while (said := warm.listen(PATIENCE_S)) is not None:
        if said[0] == "graded":
            return said[1]
        if said[0] == "failed":
            break
    warm.stop()
    return None


def _lost(grade: Grade | None) -> list[Verdict]:
    verdicts = grade.verdicts if grade else ()
    return [one for one in verdicts if one.outcome in ("unmet", "unreached")]


def _sort(found: Found, mutant: Mutant, grade: Grade | None) -> str:
    """Book a grade; what there is to tell of it, or "" when the mutant was noticed."""
    if grade is None or grade.broken:
        found.broken.append(mutant)
        return "the grader failed"
    lost = _lost(grade)
    if not lost:
        found.survivors.append(mutant)
        return "no criterion notices"
    if any(one.finding is not None and one.finding.rule in BEGINS for one in lost):
        found.uncounted += 1
    else:
        found.killed += 1
    return ""


# -- Python ----------------------------------------------------------------------------------------

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
}
# What is said, not done: nothing promises its words.
_WORDS = re.compile(r"\b(log|logger|logging)\.\w+\(")

Change = Callable[[ast.AST], None]


def _of_python(name: str, text: str) -> Iterator[Mutant]:
    tree = ast.parse(text)
    within = {
        id(part): top.name
        for top in tree.body
        if isinstance(top, ast.FunctionDef | ast.ClassDef)
        for part in ast.walk(top)
    }
    silent = {id(part) for node in ast.walk(tree) if _is_words(node) for part in ast.walk(node)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in silent:
            continue
        for what, place, change in _changes(node, silent):
            shown = " ".join(ast.unparse(place).split())
            yield Mutant(
                f"{name}: {what} `{shown[:SHOWN]}`",
                name,
                getattr(place, "lineno", 1),
                within.get(id(node), ""),
                lambda number=number, change=change: _changed(text, number, change),  # type: ignore[misc]
            )


def _changed(text: str, number: int, change: Change) -> str:
    tree = ast.parse(text)
    change(list(ast.walk(tree))[number])
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _is_words(node: ast.AST) -> bool:
    """Docstrings, lines of a log, the sentences of errors, imports."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr):
        return True
    if isinstance(node, ast.Expr | ast.Call) and _WORDS.match(ast.unparse(node)):
        return True
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("Error", "Exception"))


def _changes(node: ast.AST, silent: set[int]) -> Iterator[tuple[str, ast.AST, Change]]:
    """What can be changed at a node: in words, what is shown, and the change of an equal node."""
    for block in ("body", "orelse", "finalbody"):
        statements = getattr(node, block, None)
        for index, one in enumerate(statements if isinstance(statements, list) else ()):
            if id(one) in silent or isinstance(one, ast.FunctionDef | ast.ClassDef | ast.Pass):
                continue
            yield "drop the statement", one, _dropping(block, index)
    for part in ("test", "ifs"):
        tests = getattr(node, part, None)
        for index, one in enumerate(tests if isinstance(tests, list) else [tests] if tests else []):
            yield "turn the condition", one, _turning(part, index, isinstance(tests, list))
    yield from _entries(node)
    yield from _values(node)


def _dropping(block: str, index: int) -> Change:
    def change(node: ast.AST) -> None:
        getattr(node, block)[index] = ast.Pass()

    return change


def _turning(part: str, index: int, many: bool) -> Change:
    def change(node: ast.AST) -> None:
        if many:
            tests = getattr(node, part)
            tests[index] = ast.UnaryOp(ast.Not(), tests[index])
        else:
            setattr(node, part, ast.UnaryOp(ast.Not(), getattr(node, part)))

    return change


def _entries(node: ast.AST) -> Iterator[tuple[str, ast.AST, Change]]:
    """Entries, elements and named arguments that can be left out."""
    if isinstance(node, ast.Dict):
        for index, key in enumerate(node.keys):
            if key is not None:
                yield "leave out the entry", key, _without(("keys", "values"), index)
    if isinstance(node, ast.List | ast.Tuple) and isinstance(node.ctx, ast.Load):
        for index, one in enumerate(node.elts):
            yield "leave out the element", one, _without(("elts",), index)
    if isinstance(node, ast.Call):
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield "leave out the argument", keyword, _without(("keywords",), index)


def _without(lists: tuple[str, ...], index: int) -> Change:
    def change(node: ast.AST) -> None:
        for one in lists:
            del getattr(node, one)[index]

    return change


def _values(node: ast.AST) -> Iterator[tuple[str, ast.AST, Change]]:
    """Constants and operators that can be others."""
    if isinstance(node, ast.Constant):
        value = node.value
        others: list[object] = []
        if isinstance(value, bool):
            others = [not value]
        elif isinstance(value, int):
            others = [value + 1, value - 1]
        elif isinstance(value, str):
            others = [value + "x"]
        for other in others:
            yield f"make it {other!r:.{SHOWN}}, not", node, _setting("value", other)
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in _OTHER:
        yield "the other operator in", node, _setting("op", _OTHER[type(node.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OTHER:
        yield "the other comparison in", node, _setting("ops", [_OTHER[type(node.ops[0])]()])


def _setting(name: str, value: object) -> Change:
    def change(node: ast.AST) -> None:
        setattr(node, name, value)

    return change


# -- the template ----------------------------------------------------------------------------------

# Choices of AWS, each with another one that it takes in the same place.
_CHOICES = {
    "TRIM_HORIZON": "LATEST",
    "NEW_AND_OLD_IMAGES": "NEW_IMAGE",
    "ACTUAL": "FORECASTED",
    "GreaterThanThreshold": "LessThanThreshold",
    "LessThanThreshold": "GreaterThanThreshold",
    "notBreaching": "breaching",
    "breaching": "notBreaching",
    "Maximum": "Average",
    "Sum": "Maximum",
    "SampleCount": "Maximum",
    "Allow": "Deny",
    "PERCENTAGE": "ABSOLUTE_VALUE",
}
# What is told to people, and widgets, which are JSON in a text.
_TOLD = ("Description", "AlarmDescription", "DashboardBody")
# An action that lets nobody do anything to the stack.
_IDLE = "sts:GetCallerIdentity"


def _of_template(name: str, text: str) -> Iterator[Mutant]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    for key, resources in root.value:
        if key.value != "Resources":
            continue
        for logical_id, resource in resources.value:
            for part, properties in resource.value:
                if part.value == "Properties":
                    for what, start, end, other in _in_mapping(text, properties):
                        yield Mutant(
                            f"{name}: {logical_id.value}: {what}",
                            name,
                            text.count("\n", 0, start) + 1,
                            logical_id.value,
                            lambda start=start, end=end, other=other: (  # type: ignore[misc]
                                text[:start] + other + text[end:]
                            ),
                        )


Edit = tuple[str, int, int, str]


def _in_mapping(text: str, mapping: yaml.Node) -> Iterator[Edit]:
    """Edits at and below a mapping: in words, from where to where, and what stands there then."""
    if not isinstance(mapping, yaml.MappingNode):
        return
    for key, value in mapping.value:
        if key.value in _TOLD:
            continue
        start = text.rfind("\n", 0, key.start_mark.index) + 1
        if not text[start : key.start_mark.index].strip():
            # A block ends where the next thing begins, somewhere in that thing's line.
            block = isinstance(value, yaml.CollectionNode) and not value.flow_style
            after = value.end_mark.index
            end = text.rfind("\n", 0, after) + 1 if block else text.find("\n", after) + 1
            shown = " ".join(text[key.start_mark.index : end].split())[:SHOWN]
            yield f"remove `{shown}`", start, end or len(text), ""
        yield from _in_value(text, key.value, value)


def _in_value(text: str, key: str, value: yaml.Node) -> Iterator[Edit]:
    if isinstance(value, yaml.MappingNode):
        yield from _in_mapping(text, value)
    elif isinstance(value, yaml.SequenceNode):
        for one in value.value:
            yield from _in_value(text, key, one)
    elif isinstance(value, yaml.ScalarNode) and not value.tag.startswith("!"):
        start, end = value.start_mark.index, value.end_mark.index
        for other in _others(key, value):
            yield f"make {key} {other}, not `{value.value}`", start, end, other
    if key == "Resource" and value.value != "*":
        yield "let Resource be anything", value.start_mark.index, _end(text, value), '"*"\n'


def _end(text: str, value: yaml.Node) -> int:
    """Where a value ends, with the rest of its last line."""
    after = value.end_mark.index
    if isinstance(value, yaml.CollectionNode) and not value.flow_style:
        return text.rfind("\n", 0, after) + 1
    return text.find("\n", after) + 1


def _others(key: str, value: yaml.ScalarNode) -> list[str]:
    """What a scalar could be instead."""
    said = str(value.value)
    if value.tag.endswith(":bool"):
        return ["false" if said == "true" else "true"]
    if value.tag.endswith(":int"):
        number = int(said)
        others = dict.fromkeys((number - 1, number + 1, number * 10, number // 10))
        return [str(one) for one in others if one != number]
    if key in ("Action", "NotAction"):
        return [_IDLE, f'"{said.partition(":")[0]}:*"']
    return [_CHOICES[said]] if said in _CHOICES else []
