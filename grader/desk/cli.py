"""The ``labs`` command: parse, call, exit code.

Only click is imported at start-up. The commands stand in a module for each audience, are named here
by import strings and loaded when one is asked for; each of them imports what it needs when it runs.
So ``labs --help`` is about as fast as Python itself.

Exit codes: 0 done and everything met; 1 not everything met; 2 the command was used wrongly, or
this machine cannot do it; 3 the grader is at fault. Ctrl-C ends with 130, as shells expect.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from grader import __version__
from grader.desk.group import LazyCommands
from grader.desk.terminal import (
    FAULT,
    INTERRUPTED,
    MET,
    MISUSED,
    apology,
    is_refusal,
    to_nowhere,
    warn,
)

# Where each command stands, and what `labs --help` says about it without loading it: the first
# line of its help.
COMMANDS = {
    "init": (
        "grader.desk.learner:init",
        "Copy the labs into DIR (the current folder unless given).",
    ),
    "list": ("grader.desk.learner:list_", "Show the labs, your best scores and how far you are."),
    "grade": ("grader.desk.learner:grade", "Judge lab N by what it does."),
    "watch": ("grader.desk.learner:watch", "Judge lab N again on every save."),
    "hint": ("grader.desk.learner:hint", "Show the next hint for a task of lab N."),
    "reset": ("grader.desk.learner:reset", "Put lab N back to its starter and keep a backup."),
    "solution": (
        "grader.desk.learner:solution",
        "Show the solution of lab N. It opens with full marks.",
    ),
    "run": ("grader.desk.learner:run", "Play a scenario of lab N and show its timeline."),
    "oncall": (
        "grader.desk.oncall:oncall",
        "Be on call for a shop: find out what is wrong, mend it, and lose nothing.",
    ),
    "cost": ("grader.desk.stack:cost", "Estimate a month's bill of lab N's stack, line by line."),
    "check": (
        "grader.desk.stack:check",
        "Check any template with a stream consumer for production.",
    ),
    "sandbox": (
        "grader.desk.sandbox:sandbox",
        "Serve a deployed lab as an AWS account on this machine.",
    ),
    "doctor": ("grader.desk.machine:doctor", "Check this machine: Python, packages, isolation."),
    "docs": ("grader.desk.machine:docs", "Open PAGE of the course, or its start page."),
    "class": (
        "grader.desk.instructor:class_",
        "For instructors: collect, grade, report and hand back a class.",
    ),
    "dev": ("grader.desk.maintainer:dev", "For maintainers: check the labs, scaffold one."),
}


# The width is fixed so that help reads the same everywhere, and is not asked of the terminal.
@click.group(
    cls=LazyCommands,
    lazy=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": 80},
)
@click.version_option(__version__, prog_name="labs")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Graded labs on DynamoDB Streams and AWS Lambda. No AWS account, no network.

    \b
    labs init my-course     copy the labs into a folder
    labs grade 2            judge lab 2 by what it does
    labs watch 2            the same again on every save
    labs hint 2 3           the next hint for task 3 of lab 2
    labs docs               where to read

    Exit codes: 0 everything is met, 1 not everything is met, 2 the command was used wrongly, 3 the
    grader is at fault.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        _require_streams()
        result = cli.main(
            args=list(arguments) if arguments is not None else None,
            prog_name="labs",
            standalone_mode=False,
        )
        sys.stdout.flush()
        return result if isinstance(result, int) else MET
    except click.UsageError as error:
        warn(_one_sentence(error))
        return MISUSED
    except click.ClickException as error:
        warn(error.format_message())
        return MISUSED
    except (KeyboardInterrupt, click.Abort) as error:
        # click turns a KeyboardInterrupt into its own Abort; a command may have said more.
        warn(f"Interrupted. {str(error.__cause__ or error) or 'Nothing was recorded.'}")
        return INTERRUPTED
    except Exception as error:
        if (sentence := _expected(error)) is not None:
            warn(sentence)
            return MISUSED
        warn(apology(error))
        return FAULT


def _require_streams() -> None:
    """Refuse to begin where stdout is closed or its disk full: what is done could not be told.

    A closed stream's number would go to the next file that is opened, so it is taken here.
    """
    closed = sys.stdout is None
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115, PTH123
    if closed:
        from grader.course.files import UsageError

        raise UsageError("Standard output is closed, so nothing could be told.")
    with suppress(OSError, ValueError):  # no file at all, as under a test
        descriptor = sys.stdout.fileno()
        try:
            os.write(descriptor, b"")
        except OSError as error:
            if is_refusal(error):
                to_nowhere(descriptor)
                raise click.ClickException(
                    f"Standard output cannot be written: {error.strerror}."
                ) from None


def _expected(error: Exception) -> str | None:
    """The sentence for wrong use, or for what this machine refuses; None for a fault of ours."""
    from grader.course.files import UsageError, reason

    if isinstance(error, UsageError):
        return str(error)
    if is_refusal(error):
        assert isinstance(error, OSError)
        place = f" ({str(error.filename)[:200]})" if error.filename else ""
        return f"This machine refuses to go on: {reason(error)}{place}. Nothing was recorded."
    return None


def _one_sentence(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "labs"
    message = error.format_message().strip().rstrip(".")
    if message.endswith("?"):
        return message
    return f"{message}. See {command} --help."
