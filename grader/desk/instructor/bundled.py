"""What a bundle runs on another platform: ``python -I -m grader.desk.instructor.bundled``.

Isolated mode (``-I``), so that no file beside a hand-in is imported. The exit code is that of
``labs grade``: 0 everything met, 1 not everything, 2 used wrongly, 3 the grader is at fault. With 3
no results are written: a platform then shows that grading failed, and nobody gets a mark from it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from grader.desk.terminal import FAULT, MISUSED, apology, emit, say, warn, writing


@click.command()
@click.option("--lab", "which", required=True, metavar="N", help="The lab.")
@click.option("--seed", type=int, default=0, metavar="S", help="Other ids and amounts.")
@click.option("--from", "folder", required=True, metavar="DIR", help="Where the hand-in lies.")
@click.argument("results", nargs=-1, required=True, metavar="FORMAT=FILE...")
def bundled(which: str, seed: int, folder: str, results: tuple[str, ...]) -> int:
    """Grade one hand-in apart from its results, then write them."""
    from grader.classroom.outward import apart, formats
    from grader.course.files import UsageError, write_whole
    from grader.course.lab import find
    from grader.desk import report

    lab = find(which)
    source = Path(folder).absolute()
    targets = []
    for item in results:
        form, _, name = item.partition("=")
        if form not in formats.NAMES or not name:
            raise UsageError(f"{item!r} is no FORMAT=FILE; formats: {', '.join(formats.NAMES)}.")
        targets.append((form, Path(name).absolute()))
    for _, target in targets:
        apart.removed(target)
    os.umask(0o022)
    os.chdir("/")

    grade = apart.graded(lab, source, seed)
    tasks = {task.number: task.title for task in lab.tasks}
    emit(report.terminal(grade, tasks=tasks, verbose=True))
    if grade.broken:
        say("No results were written: the grader is at fault, and that decides no mark.")
        return FAULT
    for form, target in targets:
        with writing(target):
            apart.removed(target)
            text = formats.rendered(form, [grade], environment=os.environ)
            write_whole(target, text.encode())
    return grade.exit_code


def main() -> int:
    """Run the command; its exit code."""
    from grader.classroom.outward.apart import NotApart
    from grader.cloud.function import NurseryFailed
    from grader.course.files import UsageError

    try:
        return int(bundled.main(standalone_mode=False))
    except (UsageError, click.ClickException) as error:
        warn(error.format_message() if isinstance(error, click.ClickException) else str(error))
        return MISUSED
    except (NotApart, NurseryFailed) as error:
        warn(f"Nothing was graded. {error}")
    except Exception as error:
        warn(apology(error))
    return FAULT


if __name__ == "__main__":
    sys.exit(main())
