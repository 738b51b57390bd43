"""For maintainers: prove that every lab is in order.

``refusals`` refuses what would embarrass us in front of a learner; each refusal is one sentence. It
grades the starter and the solution for real, so it is slow and honest.
"""

from __future__ import annotations

import filecmp
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from grader.cloud.scratch import Scratch
from grader.course.answers import Answer, Unfit, kept, misjudged
from grader.course.files import LITTER, UsageError, files_in, write_files
from grader.course.grade import Criterion, Grade
from grader.course.lab import READING, Lab, labs, markdown_lines
from grader.course.workspace import STATE
from grader.maintain import prose
from grader.maintain.cores import Cores, Waiting
from grader.maintain.pages import Generated, drift

HINTS_PER_TASK = 3
POINTS = 100
# A starter that wins this much leaves too little to learn.
STARTER_BELOW = 60
# A line of the solution that is shorter than this could stand in any text.
TELLING_LINE = 12

NOTES = "NOTES.md"

Grader = Callable[[Lab, Path, int], Grade]
# Begins a grade; calling what comes back waits for it.
Begin = Callable[[Lab, Path, int], Waiting]
Progress = Callable[[str], None]

_TODO = re.compile(r"TODO task (\d+): \S")


# A row of the README's table of criteria: task, criterion, points.
_ROW = re.compile(r"\|\s*(\d+)\s*\|\s*`([a-z0-9-]+)`\s*\|\s*(\d+)\s*\|.*")


@dataclass(frozen=True)
class Refusal:
    """Something that is not in order, and where: a lab's folder name or a file."""

    where: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.where}: {self.sentence}"


def refusals(
    root: Path,
    pages: Generated,
    only: Sequence[Lab] = (),
    seeds: int = 20,
    progress: Progress | None = None,
    *,
    grader: Grader | None = None,
    criteria: Callable[[Lab], list[Criterion]] | None = None,
    timelines: Callable[[Lab], list[str]] | None = None,
    answers: str | None = None,
) -> list[Refusal]:
    """Everything that is not in order in the clone at ``root``; ``only`` limits it to some labs.

    With ``answers`` the labs' kept answers whose names hold it are graded ("" is in every name),
    and neither starter nor solution is.
    ``pages`` is what `pages.generated` gives. ``grader``, ``criteria`` and ``timelines`` are the
    judge's unless given.
    """
    from grader.course import judge

    criteria, timelines = criteria or judge.criteria, timelines or judge.scenarios
    every = labs(root / "grader" / "course" / "starters")
    wanted = [lab for lab in every if not only or lab.number in {one.number for one in only}]
    found: list[Refusal] = []
    if not only:
        found += _strangers(root, every)
        found += [
            Refusal(name, "it is not what the code says: labs dev sync writes it.")
            for name in drift(root, pages)
        ]
        if (read := sum(prose.path(root).values())) > prose.MOST_WORDS:
            found.append(Refusal("docs", f"a learner reads {read:,} words: {prose.BOUND}"))
    with ExitStack() as until:
        begin = _one_by_one(grader) if grader else until.enter_context(closing(Cores())).grade
        for lab in wanted:
            goals: list[Criterion] = []
            try:
                goals = criteria(lab)
                told = timelines(lab)
            except (ImportError, AttributeError) as error:
                found.append(Refusal(lab.name, f"its criteria cannot be imported: {error}."))
            else:
                if not told:
                    found.append(Refusal(lab.name, "labs run has no timeline to show for it."))
            found += [Refusal(lab.name, sentence) for sentence in _written(root, lab, goals)]
            if goals:
                solution = root / "solutions" / lab.name
                played = (
                    _answered(root, lab, answers, begin, progress)
                    if answers is not None
                    else _played(lab, solution, seeds, begin, progress)
                )
                found += [Refusal(lab.name, sentence) for sentence in played]
    return found


def _one_by_one(grader: Grader) -> Begin:
    """Each grade is made when it is waited for."""
    return lambda lab, folder, seed: lambda: grader(lab, folder, seed)


# --- what is written --------------------------------------------------------------------------


def _written(root: Path, lab: Lab, criteria: Sequence[Criterion]) -> Iterator[str]:
    """What can be told without grading."""
    yield from _mirror(root / "labs" / lab.name, lab)
    yield from _readme(lab)
    yield from _points(criteria)
    yield from _table(lab, criteria)
    yield from _numbers(lab, criteria)
    yield from _hints(lab, root / "solutions" / lab.name)
    yield from _stray(root, lab)
    if not (root / "docs" / f"{lab.page}.md").is_file():
        yield f"docs/{lab.page}.md is missing."


def _strangers(root: Path, known: Sequence[Lab]) -> Iterator[Refusal]:
    """Folders and modules that belong to no lab."""
    names = {lab.name for lab in known}
    for place in ("labs", "solutions", "grader/course/starters"):
        folder = root / place
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name not in names and path.name not in (*LITTER, STATE):
                yield Refusal(f"{place}/{path.name}", "it belongs to no lab.")
    numbers: dict[int, str] = {}
    for lab in known:
        if lab.number in numbers:
            yield Refusal(lab.name, f"{numbers[lab.number]} has the same number.")
        numbers[lab.number] = lab.name
    for path in sorted((root / "grader" / "course" / "labs").glob("lab[0-9][0-9]")):
        if int(path.name[3:5]) not in numbers:
            yield Refusal(f"grader/course/labs/{path.name}", "it belongs to no lab.")


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


def _table(lab: Lab, criteria: Sequence[Criterion]) -> Iterator[str]:
    """What the README promises for each criterion is what the criterion is worth."""
    if "README.md" not in lab.files:
        return
    text = (lab.starter / "README.md").read_text(encoding="utf-8")
    rows = [_ROW.fullmatch(line) for line, in_code in markdown_lines(text) if not in_code]
    promised = {(row[2], int(row[1]), int(row[3])) for row in rows if row}
    worth = {(one.id, one.task, one.points) for one in criteria}
    for name, task, points in sorted(worth - promised):
        yield f"README.md has no row for {name} of task {task} with {points} points."
    for name, task, points in sorted(promised - worth):
        yield f"README.md promises {points} points for {name} of task {task}; no criterion is so."


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
    lab: Lab, solution: Path, seeds: int, begin: Begin, progress: Progress | None
) -> Iterator[str]:
    """The starter leaves something to learn; the solution is right, whatever the seed."""
    untouched = begin(lab, lab.starter, 0)
    solutions = [begin(lab, solution, seed) for seed in range(seeds)]
    try:
        if progress:
            progress(f"{lab.name}: grading the starter")
        starter = untouched()
        if starter.broken:
            yield f"the grader failed on the starter: {_open(starter)}."
        elif not 0 < starter.score < STARTER_BELOW:
            yield (
                f"the starter scores {starter.score}: it must be above 0 and below {STARTER_BELOW}."
            )
        for seed, waiting in enumerate(solutions):
            if progress:
                progress(f"{lab.name}: grading the solution, seed {seed} of 0 to {seeds - 1}")
            solved = waiting()
            if not solved.passed or solved.score != POINTS:
                yield f"the solution scores {solved.score} with seed {seed}: {_open(solved)}."
    except UsageError as error:
        yield f"it cannot be graded: {error}"


def _answered(
    root: Path, lab: Lab, part: str, begin: Begin, progress: Progress | None
) -> Iterator[str]:
    """Every kept answer loses what it says and nothing else; known faults of ours stay known."""
    known = misjudged(root)
    chosen = [answer for answer in kept(lab, root) if part in answer.name]
    if not chosen:
        yield f"none of its kept answers has a name with {part!r} in it."
    with Scratch() as place:
        yield from _misjudgements(chosen, known, place, begin, progress)


def _misjudgements(
    chosen: Sequence[Answer],
    known: Collection[str],
    place: Path,
    begin: Begin,
    progress: Progress | None,
) -> Iterator[str]:
    begun: list[tuple[Answer, Waiting]] = []
    for number, answer in enumerate(chosen):
        try:
            write_files(place / str(number), answer.files)
        except Unfit as error:
            yield f"an answer cannot be graded: {error}"
        else:
            begun.append((answer, begin(answer.lab, place / str(number), 0)))
    for answer, waiting in begun:
        if progress:
            progress(f"{answer.lab.name}: grading the {answer.kind} answer {answer.name}")
        try:
            grade = waiting()
        except UsageError as error:
            yield f"an answer cannot be graded: {error}"
            continue
        lost = [one.criterion.id for one in grade.verdicts if one.outcome != "met"]
        wrong = "it is broken" if grade.broken else answer.misjudgement(lost)
        if wrong and answer.id not in known:
            yield f"{answer.id} is misjudged: {wrong}."
        if not wrong and answer.id in known:
            yield f"{answer.id} is judged rightly: take it off the list of misjudged answers."


def _open(grade: Grade) -> str:
    names = [f"{v.criterion.id} {v.outcome}" for v in grade.verdicts if v.outcome != "met"]
    return ", ".join(names) or "every criterion is met, so the points are wrong"
