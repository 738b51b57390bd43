"""What an instructor asks of ``labs class``: each command in a module of its own, loaded late."""

from __future__ import annotations

import click

from grader.desk.group import LazyCommands

COMMANDS = {
    "init": (
        "grader.desk.instructor.taking:init",
        "Write a documented class.toml into DIR (the current folder unless given).",
    ),
    "take": (
        "grader.desk.instructor.taking:take",
        "Take what a learning platform hands out into handed-in/.",
    ),
    "grade": (
        "grader.desk.instructor.grading:grade",
        "Grade every hand-in that has changed, on every core or a cluster.",
    ),
    "report": (
        "grader.desk.instructor.reporting:report",
        "Write gradebooks, feedback pages and the overview.",
    ),
    "adjust": (
        "grader.desk.instructor.reporting:adjust",
        "Change a learner's points for lab N, with a reason.",
    ),
    "alike": (
        "grader.desk.instructor.reporting:alike",
        "List pairs of hand-ins that share more than they should.",
    ),
    "export": (
        "grader.desk.instructor.outward:export",
        "Write a bundle that grades lab N on another platform.",
    ),
    "forget": (
        "grader.desk.instructor.taking:forget",
        "Remove everything that is kept about a learner.",
    ),
}


@click.group("class", cls=LazyCommands, lazy=COMMANDS, context_settings={"terminal_width": 80})
def class_() -> None:
    """For instructors: collect, grade, report and hand back a class.

    \b
    labs class init           write class.toml, and edit it
    labs class take FILE…     what Moodle, Canvas or Gradescope hand out
    labs class grade          grade what has changed, on every core
    labs class report         gradebooks, feedback pages, the overview
    """
