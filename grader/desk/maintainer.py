"""``labs dev``: what maintainers of the course ask for.

The wing ``maintain`` knows nothing of the command line: what it writes about the commands it reads
from the group that is handed to it here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cloud.words import counted
from grader.desk.group import Commands
from grader.desk.terminal import MET, UNMET, Status, interruptible, say

if TYPE_CHECKING:
    from grader.course.lab import Lab
    from grader.maintain.pages import Generated


@click.group(cls=Commands)
def dev() -> None:
    """For maintainers: check the labs, scaffold one.

    \b
    labs dev check
    labs dev new 07-fan-out
    labs dev sync
    """


@dev.command("check")
@click.argument("which", metavar="[N]...", nargs=-1)
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, metavar="S")
@click.option("--answers", is_flag=True, help="Grade the kept answers instead of the solution.")
@click.option("--only", metavar="PART", help="Only kept answers whose names hold PART.")
@click.option("--mutants", type=click.IntRange(1), metavar="COUNT", help="Grade mutants instead.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the mutants.")
def dev_check(
    which: tuple[str, ...],
    seeds: int,
    answers: bool,
    only: str | None,
    mutants: int | None,
    seed: int,
) -> int:
    """Refuse labs that are not in order: texts, points, hints, starter, solution on S seeds.

    \b
    labs dev check
    labs dev check 2 --seeds 3
    labs dev check 2 --answers
    labs dev check 2 --answers --only swallows-errors
    labs dev check 2 --mutants 200
    """
    from grader.course.lab import find
    from grader.maintain import contract, prose

    if mutants is not None:
        return max([_mutants(find(name), mutants, seed) for name in which or "123456"])

    root, pages = _clone(), _generated()
    with Status(lines=True) as status, interruptible():
        labs = [find(name) for name in which]
        part = (only or "") if answers or only else None
        found = contract.refusals(root, pages, labs, seeds, status, answers=part)
    for problem in found:
        say(str(problem))
    if not labs:
        read = prose.path(root)
        say(f"A learner reads {sum(read.values()):,} words of prose on {len(read)} pages.")
    say(f"{counted(len(found), 'refusal')}." if found else "Every lab is in order.")
    return UNMET if found else MET


def _mutants(lab: Lab, count: int, seed: int) -> int:
    """Grade mutants of one lab's solution and say which no criterion notices, as they are found."""
    from grader.maintain.mutants import Mutant, survivors, told

    known = told(lab, "equivalent", _clone())
    with Status(lines=True) as status, interruptible():

        def tell(one: Mutant, became: str) -> None:
            status.clear()
            say(f"{lab.name}: {became}: {one.file}:{one.line} {one.name}")

        found = survivors(lab, count, seed, status, tell, root=_clone())
    fresh = [one for one in found.survivors if one.name not in known]
    say(
        f"{lab.name}: {found.counted} of {found.possible} mutants, drawn with seed {seed}: "
        f"{found.killed} noticed, {len(found.survivors) - len(fresh)} known as equivalent, "
        f"{len(fresh)} survive; {found.uncounted} more did not deploy or import."
    )
    return UNMET if fresh or found.broken else MET


@dev.command("new")
@click.argument("name", metavar="NN-slug")
def dev_new(name: str) -> None:
    """Scaffold a lab that works: files, criteria, page, answers. Prints what remains to be done.

    \b
    labs dev new 07-fan-out
    """
    from grader.maintain import scaffold

    for line in scaffold.new(_clone(), name):
        say(line)


@dev.command("sync")
def dev_sync() -> None:
    """Renew all that is generated: the mirror of labs/, generated pages, pictures.

    \b
    labs dev sync
    """
    from grader.maintain.pages import sync

    for line in sync(_clone(), _generated()) or ["Everything was in step."]:
        say(line)


def _generated() -> Generated:
    from grader.maintain.pages import generated

    labs = click.get_current_context().find_root().command
    assert isinstance(labs, click.Group)
    return generated(labs)


def _clone() -> Path:
    from grader.course.files import PACKAGE, UsageError, is_clone

    if not is_clone(PACKAGE.parent):
        raise UsageError("labs dev works in a clone of the repository, installed with pip -e.")
    return PACKAGE.parent
