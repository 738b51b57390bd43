"""For maintainers: prove that every lab is in order, scaffold a new one, keep the copies in step.

``check`` refuses what would embarrass us in front of a learner; each refusal is one sentence. It
grades the starter and the solution for real, so it is slow and honest.
"""

from __future__ import annotations

import filecmp
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from grader.course.grade import Criterion, Grade
from grader.course.lab import (
    LITTER,
    READING,
    STATE,
    Lab,
    UsageError,
    files_in,
    labs,
    write_whole,
)
from grader.desk import site
from grader.maintain import schemas

HINTS_PER_TASK = 3
POINTS = 100
# A starter that wins this much leaves too little to learn.
STARTER_BELOW = 60
# A line of the solution that is shorter than this could stand in any text.
TELLING_LINE = 12

NOTES = "NOTES.md"
CLI_PAGE = "docs/reference/cli.md"
TEMPLATES_PAGE = "docs/reference/templates.md"
CHECKLIST_PAGE = "docs/reference/production-checklist-items.md"

Grader = Callable[[Lab, Path, int], Grade]
Progress = Callable[[str], None]

_TODO = re.compile(r"TODO task (\d+): \S")


@dataclass(frozen=True)
class Problem:
    """Something that is not in order, and where: a lab's folder name or a file."""

    where: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}"


def check(
    root: Path,
    only: Sequence[Lab] = (),
    seeds: int = 20,
    progress: Progress | None = None,
    *,
    grader: Grader | None = None,
    criteria: Callable[[Lab], list[Criterion]] | None = None,
) -> list[Problem]:
    """Everything that is not in order in the clone at ``root``; ``only`` limits it to some labs.

    ``grader`` and ``criteria`` are the judge's unless given.
    """
    from grader.course import judge

    grader = grader or (lambda lab, folder, seed: judge.grade(lab, folder, seed=seed))
    criteria = criteria or judge.criteria
    every = labs(root / "grader" / "course" / "starters")
    wanted = [lab for lab in every if not only or lab.number in {one.number for one in only}]
    found: list[Problem] = []
    if not only:
        found += _strangers(root, every)
        found += _page_drift(root)
    for lab in wanted:
        goals: list[Criterion] = []
        try:
            goals = criteria(lab)
        except ImportError as error:
            found.append(Problem(lab.name, f"its criteria cannot be imported: {error}."))
        written = [Problem(lab.name, sentence) for sentence in _written(root, lab, goals)]
        found += written
        if goals:
            played = _played(lab, root / "solutions" / lab.name, seeds, grader, progress)
            found += [Problem(lab.name, sentence) for sentence in played]
    return found


# --- what is written --------------------------------------------------------------------------


def _written(root: Path, lab: Lab, criteria: Sequence[Criterion]) -> Iterator[str]:
    """What can be told without grading."""
    yield from _mirror(root / "labs" / lab.name, lab)
    yield from _readme(lab)
    yield from _points(criteria)
    yield from _numbers(lab, criteria)
    yield from _hints(lab, root / "solutions" / lab.name)
    yield from _stray(root, lab)
    if not (root / "docs" / f"{lab.page}.md").is_file():
        yield f"docs/{lab.page}.md is missing."


def _strangers(root: Path, known: Sequence[Lab]) -> Iterator[Problem]:
    """Folders and modules that belong to no lab."""
    names = {lab.name for lab in known}
    for place in ("labs", "solutions", "grader/course/starters"):
        folder = root / place
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in names and path.name not in (*LITTER, STATE):
                yield Problem(f"{place}/{path.name}", "it belongs to no lab.")
    numbers: dict[int, str] = {}
    for lab in known:
        if lab.number in numbers:
            yield Problem(lab.name, f"{numbers[lab.number]} has the same number.")
        numbers[lab.number] = lab.name
    for path in sorted((root / "grader" / "course" / "labs").glob("lab[0-9][0-9]")):
        if int(path.name[3:5]) not in numbers:
            yield Problem(f"grader/course/labs/{path.name}", "it belongs to no lab.")


def _mirror(folder: Path, lab: Lab) -> Iterator[str]:
    """labs/ is what we edit, grader/course/starters what is shipped: they must be the same."""
    ours = set(files_in(folder)) if folder.is_dir() else set()
    for name in sorted(ours ^ set(lab.files)):
        side = "labs/ only" if name in ours else "the mirror grader/course/starters only"
        yield f"{name} is in {side}: labs dev sync copies labs/ to the mirror."
    for name in sorted(ours & set(lab.files)):
        if not filecmp.cmp(folder / name, lab.starter / name, shallow=False):
            yield (
                f"{name} differs from its mirror in grader/course/starters:"
                " labs dev sync copies it."
            )


def _readme(lab: Lab) -> Iterator[str]:
    """The README's title and tasks."""
    if "README.md" not in lab.files:
        yield "README.md is missing."
        return
    first = (lab.starter / "README.md").read_text(encoding="utf-8").partition("\n")[0]
    if not re.fullmatch(rf"# Lab {lab.number}: \S.*", first):
        yield f'README.md must begin with a heading "# Lab {lab.number}: …".'
    numbers = [task.number for task in lab.tasks]
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        yield f'README.md: the headings "## Task N: …" must count 1, 2, 3, …; they are {numbers}.'


def _points(criteria: Sequence[Criterion]) -> Iterator[str]:
    total = sum(criterion.points for criterion in criteria)
    if total != POINTS:
        yield f"the points of its criteria sum to {total}, not to {POINTS}."
    for criterion in criteria:
        if criterion.points < 1:
            yield f"the criterion {criterion.id} is worth {criterion.points} points."
    ids = [criterion.id for criterion in criteria]
    for name in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"there are {ids.count(name)} criteria {name}."


def _numbers(lab: Lab, criteria: Sequence[Criterion]) -> Iterator[str]:
    """Task N is N everywhere."""
    tasks = {task.number for task in lab.tasks}
    todos: set[int] = set()
    for name in lab.editable:
        text = (lab.starter / name).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if "TODO" not in line:
                continue
            if marked := _TODO.search(line):
                todos.add(int(marked[1]))
            else:
                yield f'{name}:{number}: a TODO reads "TODO task N: …".'
    for what, numbers in (
        ("the headings of hints.md", set(lab.hints)),
        ("the TODOs of the starter", todos),
        ("the criteria", {criterion.task for criterion in criteria}),
    ):
        for number in sorted(tasks - numbers):
            yield f"task {number} of the README is not among {what}."
        for number in sorted(numbers - tasks):
            yield f"task {number} is among {what} but not in the README."


def _hints(lab: Lab, solution: Path) -> Iterator[str]:
    """Three hints a task, each of its own, none with a line that solves the task."""
    answer = _telling_lines(lab, solution)
    seen: dict[str, str] = {}
    for task, hints in sorted(lab.hints.items()):
        if len(hints) != HINTS_PER_TASK:
            yield f"task {task} has {len(hints)} hints, not {HINTS_PER_TASK}."
        for step, text in enumerate(hints, 1):
            here = f"hint {step} of task {task}"
            bare = " ".join(text.lower().split())
            if not bare:
                yield f"{here} is empty."
                continue
            if bare in seen:
                yield f"{here} repeats {seen[bare]}."
            seen.setdefault(bare, here)
            lines = {_bare(line) for line in text.splitlines()}
            for line, place in answer.items():
                if line in lines or f"`{line}`" in text:
                    yield f"{here} contains a line of the solution ({place}): {line}"


def _telling_lines(lab: Lab, solution: Path) -> dict[str, str]:
    """Lines of the solution that the starter lacks, with where they stand."""
    lines: dict[str, str] = {}
    for name in lab.editable:
        if not (solution / name).is_file():
            continue
        given = {_bare(line) for line in _lines(lab.starter / name)}
        for number, line in enumerate(_lines(solution / name), 1):
            bare = _bare(line)
            telling = len(bare) >= TELLING_LINE and not bare.startswith("#")
            if telling and bare not in given:
                lines.setdefault(bare, f"{name}:{number}")
    return lines


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _bare(line: str) -> str:
    return line.strip().removeprefix("- ").strip()


def _stray(root: Path, lab: Lab) -> Iterator[str]:
    """Every editable file has its solution and the other way round; nothing else lies about."""
    solution = root / "solutions" / lab.name
    if not solution.is_dir():
        yield f"solutions/{lab.name} is missing."
        return
    solved = set(files_in(solution))
    for name in sorted(set(lab.editable) - solved):
        yield f"{name} is a stray file, or the solution lacks it: they need the same files."
    for name in sorted(solved - set(lab.editable) - {NOTES}):
        yield f"the solution's {name} is a stray file: the starter has none of that name."
    if NOTES not in solved:
        yield f"the solution has no {NOTES}."
    for name in READING:
        if name not in lab.files:
            yield f"{name} is missing."
    for place in (root / "labs" / lab.name, lab.starter, solution):
        for path in sorted(place.rglob("*")) if place.is_dir() else ():
            if path.name in LITTER or path.suffix in (".pyc", ".swp") or path.name.endswith("~"):
                yield f"{path.relative_to(root).as_posix()} is litter."


# --- what is played ---------------------------------------------------------------------------


def _played(
    lab: Lab, solution: Path, seeds: int, grader: Grader, progress: Progress | None
) -> Iterator[str]:
    """The starter leaves something to learn; the solution is right, whatever the seed."""
    try:
        if progress:
            progress(f"{lab.name}: grading the starter")
        starter = grader(lab, lab.starter, 0)
        if starter.broken:
            yield f"the grader failed on the starter: {_open(starter)}."
        elif not 0 < starter.score < STARTER_BELOW:
            yield (
                f"the starter scores {starter.score}: it must be above 0 and below {STARTER_BELOW}."
            )
        for seed in range(seeds):
            if progress:
                progress(f"{lab.name}: grading the solution, seed {seed} of 0 to {seeds - 1}")
            solved = grader(lab, solution, seed)
            if not solved.passed or solved.score != POINTS:
                yield f"the solution scores {solved.score} with seed {seed}: {_open(solved)}."
    except UsageError as error:
        yield f"it cannot be graded: {error}"


def _open(grade: Grade) -> str:
    names = [f"{v.criterion.id} {v.outcome}" for v in grade.verdicts if v.outcome != "met"]
    return ", ".join(names) or "every criterion is met, so the points are wrong"


# --- keeping copies in step -------------------------------------------------------------------


def sync(root: Path) -> list[str]:
    """Bring the pristine mirror and the command reference into step; returns what it did."""
    done = []
    mirror = root / "grader" / "course" / "starters"
    for lab in labs(root / "labs"):
        wanted = {name: (lab.starter / name).read_bytes() for name in lab.files}
        target = mirror / lab.name
        present = files_in(target) if target.is_dir() else []
        for name in sorted(set(present) - set(wanted)):
            (target / name).unlink()
            done.append(f"{lab.name}/{name} removed from grader/course/starters")
        for name, content in wanted.items():
            if not (target / name).is_file() or (target / name).read_bytes() != content:
                write_whole(target / name, content)
                done.append(f"{lab.name}/{name} copied to grader/course/starters")
    for drift in _page_drift(root):
        write_whole(root / drift.where, GENERATED[drift.where]().encode())
        done.append(f"{drift.where} written")
    return done


def _page_drift(root: Path) -> Iterator[Problem]:
    for name, text in GENERATED.items():
        page = root / name
        if not page.is_file() or page.read_text(encoding="utf-8") != text():
            yield Problem(name, "it is not what the code says: labs dev sync writes it.")


def cli_reference() -> str:
    """The command reference as Markdown, from the commands themselves."""
    from grader.desk.cli import cli

    parts = [
        "# The `labs` command\n",
        "<!-- Written by `labs dev sync` from grader/desk/cli.py. Do not edit. -->\n",
        "## Exit codes\n",
        "| code | meaning |\n|---|---|\n"
        "| 0 | done, and everything is met |\n"
        "| 1 | not everything is met |\n"
        "| 2 | the command was used wrongly; nothing was changed |\n"
        "| 3 | the grader is at fault; it costs no points, please report it |\n",
        "Ctrl-C ends a command with 130, as shells expect.\n",
    ]
    for path, command in _commands(cli, "labs"):
        parts += _command(path, command)
    return "\n".join(parts)


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")


def _command(path: str, command: click.Command) -> list[str]:
    """One command: usage, text, examples, options. Its help marks its examples with ``\\b``."""
    text = (command.help or "").strip()
    prose, _, examples = text.partition("\b\n")
    words = [_metavar(p) for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    usage = " ".join([path, *(["[OPTIONS]"] if options else []), *words])
    if isinstance(command, click.Group):
        usage += " COMMAND"
    parts = [f"## `{path}`\n", f"```text\n{usage}\n```\n"]
    parts += [" ".join(block.split()) + "\n" for block in prose.split("\n\n") if block.strip()]
    if options:
        rows = [f"| `{_option(option)}` | {option.help or ''} |" for option in options]
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n")
    if examples.strip():
        lines = [line.strip() for line in examples.strip().splitlines()]
        parts.append("```text\n" + "\n".join(lines) + "\n```\n")
    return parts


def _metavar(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _option(option: click.Option) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {'/'.join(map(str, option.type.choices))}"
    return f"{names} {option.metavar or option.type.name.upper()}"


# --- a new lab --------------------------------------------------------------------------------


def new(root: Path, name: str) -> list[str]:
    """Scaffold the lab ``NN-slug``; returns what was made and what remains. Overwrites nothing."""
    found = re.fullmatch(r"(\d\d)-([a-z][a-z0-9]*(?:-[a-z0-9]+)*)", name)
    if found is None:
        raise UsageError(f"{name!r} is no name for a lab; a good one is 07-fan-out.")
    lab = Lab(int(found[1]), found[2], root / "labs" / name)
    for other in labs(root / "labs"):
        if other.number == lab.number:
            raise UsageError(f"There is already a lab {lab.number}: {other.name}.")
    made = _scaffold(lab)
    for path in made:
        if (root / path).exists():
            raise UsageError(f"{path} is already there; nothing was made.")
    for path, text in made.items():
        write_whole(root / path, text.encode())
    return [
        *(f"made {path}" for path in made),
        "",
        "What remains:",
        f"1. Write the criteria in {_checks_path(lab)}: points that sum to {POINTS}.",
        "2. Write the README's tasks, the hints and the starter; then labs dev sync.",
        "3. Write the solution and its NOTES.md: why, and two other right answers.",
        f"4. Put ten wrong and three right answers into tests/submissions/lab{lab.number:02}.",
        f"5. Write docs/{lab.page}.md and name it in mkdocs.yml.",
        f"6. labs dev check {lab.number} tells what is still missing.",
    ]


def _checks_path(lab: Lab) -> str:
    return lab.module.replace(".", "/") + ".py"


def _scaffold(lab: Lab) -> Mapping[str, str]:
    """The new lab's files by path. They have the right form, and ``check`` still refuses them."""
    title = lab.slug.replace("-", " ").capitalize()
    starter = {
        "README.md": _README.format(number=lab.number, title=title),
        "hints.md": _HINTS.format(number=lab.number),
        "handler.py": _HANDLER,
        "template.yaml": _TEMPLATE,
    }
    files = {f"{place}/{lab.name}/{name}": text for place, name, text in _twice(starter)}
    files |= {
        f"solutions/{lab.name}/handler.py": _SOLVED,
        f"solutions/{lab.name}/template.yaml": _TEMPLATE,
        f"solutions/{lab.name}/{NOTES}": f"# Lab {lab.number}: why this is right\n",
        _checks_path(lab): _CHECKS.format(number=lab.number, slug=lab.slug),
        f"docs/{lab.page}.md": f"# {title}\n\n## Why it matters\n\n## The lab\n",
        f"tests/submissions/lab{lab.number:02}/wrong/README.md": _WRONG,
        f"tests/submissions/lab{lab.number:02}/right/README.md": _RIGHT,
    }
    return files


def _twice(files: Mapping[str, str]) -> Iterable[tuple[str, str, str]]:
    for place in ("labs", "grader/course/starters"):
        for name, text in files.items():
            yield place, name, text


_README = """\
# Lab {number}: {title}

## What happened

## What you will be able to do

## The interface

## Task 1: Say what came in

## How do you know it works

## Why it works
"""

_HINTS = """\
# Hints for lab {number}

## Task 1: Say what came in

### Hint 1

### Hint 2

### Hint 3
"""

_HANDLER = '''\
"""What Lambda calls for every batch of stream records."""


def handler(event, context):
    # TODO task 1: say how many records came in.
    return {}
'''

_SOLVED = '''\
"""What Lambda calls for every batch of stream records."""


def handler(event, context):
    return {"records": len(event["Records"])}
'''

_TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Description: The system of this lab.
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: merchant, AttributeType: S}
      KeySchema:
        - {AttributeName: merchant, KeyType: HASH}
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
"""

_CHECKS = '''\
"""Lab {number}, `{slug}`: what the learner's system must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.course.criterion import criterion
from grader.course.grade import Finding, Unmet

if TYPE_CHECKING:
    from grader.course.play.stage import Stage


@criterion("template-deploys", task=1, points=1, goal="The template can be deployed.")
def test_template_deploys(stage: Stage) -> None:
    """Reads the resolved stack: it holds the table that the interface names."""
    if "Orders" not in stage.stack.resources:
        raise Unmet(
            Finding(
                rule="The template creates the table `Orders`.",
                input="template.yaml as it stands",
                expected="a resource Orders",
                observed=", ".join(stage.stack.resources),
                why="Everything else in this lab reads that table's stream.",
                where="template.yaml: there is no line to point at",
                next="labs grade {number}",
                page="reference/cli",
            )
        )
'''

_WRONG = """\
# Wrong answers

One folder an answer: the files that differ from the solution, and the criteria it must lose.
"""

_RIGHT = """\
# Right answers

One folder an answer, built another way than the solution. Each must win every point.
"""


def templates_reference() -> str:
    """What the resolver knows of CloudFormation as Markdown, from its own table."""
    from grader.cloud import template

    parts = [
        "# Templates: what is acted out\n",
        "<!-- Written by `labs dev sync` from grader/cloud/template. Do not edit. -->\n",
        "A lab's `template.yaml` is real CloudFormation: `aws cloudformation package` and `deploy` "
        "take it as it stands. Before a lab is played, the template is resolved as CloudFormation "
        "would resolve it: parameters, mappings, conditions, and the functions Ref, GetAtt, Sub, "
        "Join, Select, Split, If, FindInMap, GetAZs, Base64 and the condition functions. What is "
        "wrong is told with its line. A type, property or function that is not in the tables below "
        "is refused by name, so that nothing is silently ignored.\n",
        "*Acted out* means that the labs behave accordingly. *Kept* means that AWS knows it, that "
        "it changes nothing in the labs, and that a criterion may still look at it. *Refused* "
        "means that AWS knows it and the labs do not act it out.\n",
    ]
    words = {"emulated": "acted out", "harmless": "kept", "refused": "refused"}
    for kind, rows in groupby(template.support(), key=lambda one: one.type):
        parts.append(f"## `{kind}`\n")
        lines = [f"| `{row.property}` | {words[row.use]} | {row.note} |" for row in rows]
        parts.append("\n".join(["| property | here | note |", "|---|---|---|", *lines]) + "\n")
    return "\n".join(parts)


def checklist_reference() -> str:
    """Every item of the production checklist as Markdown."""
    from grader.review.checklist import ITEMS, output

    return output.reference(ITEMS)


GENERATED: dict[str, Callable[[], str]] = {
    CLI_PAGE: cli_reference,
    TEMPLATES_PAGE: templates_reference,
    CHECKLIST_PAGE: checklist_reference,
    schemas.SCHEMAS: schemas.schemas_table,
    schemas.TYPES: schemas.types_table,
    site.PRICES_SCRIPT: site.prices_script,
    site.CARDS_PAGE: site.cards_page,
}
