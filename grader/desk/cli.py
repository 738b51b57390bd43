"""The ``labs`` command: parse, call, exit code.

Only click is imported at start-up. The commands themselves stand in ``grader.desk.learner``, which
is loaded when one of them is asked for, and each of them imports what it needs when it runs: so
``labs --help`` is about as fast as Python itself.

Exit codes: 0 done and everything met; 1 not everything met; 2 the command was used wrongly;
3 the grader is at fault. Ctrl-C ends with 130, as shells expect.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from grader import __version__

if TYPE_CHECKING:
    from pathlib import Path

MET, UNMET, MISUSED, FAULT, INTERRUPTED = 0, 1, 2, 3, 130

# What `labs --help` says about each command without loading it: the first line of its help.
SUMMARIES = {
    "init": "Copy the labs into DIR (the current folder unless given).",
    "list": "Show the labs, your best scores and how far you are.",
    "grade": "Judge lab N by what it does.",
    "watch": "Judge lab N again on every save.",
    "hint": "Show the next hint for a task of lab N.",
    "reset": "Put lab N back to its starter and keep a backup.",
    "solution": "Show the solution of lab N. It opens with full marks.",
    "run": "Play a scenario of lab N and show its timeline.",
    "cost": "Estimate a month's bill of lab N's stack, line by line.",
    "check": "Check any template with a stream consumer for production.",
    "doctor": "Check this machine: Python, packages, isolation.",
    "docs": "Open PAGE of the course, or its start page.",
    "dev": "For maintainers: check the labs, scaffold one.",
}


class Commands(click.Group):
    """A group that lists its commands in the order of their definition and helps with typos."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with; UsageError with the nearest name if none is."""
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-"):
            near = nearest(args[0], known)
            hint = f" Did you mean {near!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


class LazyCommands(Commands):
    """The same for the commands of SUMMARIES, loaded when one is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the commands and find one; None when there is none of that name."""
        from grader.desk.learner import COMMANDS

        return COMMANDS.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


# The width is fixed so that help reads the same everywhere, and is not asked of the terminal.
@click.group(
    cls=LazyCommands,
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


# --- what is printed --------------------------------------------------------------------------


def say(text: str) -> None:
    """Print a line on stdout."""
    emit(text + "\n")


def emit(text: str) -> None:
    """Print text on stdout as far as its encoding can carry it."""
    try:
        click.echo(_encodable(text, sys.stdout), nl=False)
    except BrokenPipeError:
        # Whoever read our output has gone (`labs list | head -1`). The rest goes nowhere, and the
        # exit code still says how it went.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(*sentences: str) -> None:
    """Print sentences on stderr, each under our name."""
    for sentence in sentences:
        click.echo(f"labs: {_encodable(sentence, sys.stderr)}", err=True)


def _encodable(text: str, stream: object) -> str:
    from grader.desk.report import encodable

    return encodable(text, getattr(stream, "encoding", None))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """What somebody who typed ``name`` probably meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


# --- the entry point --------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
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
    except (KeyboardInterrupt, click.Abort):
        warn("Interrupted. Nothing was recorded.")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, _misuse()):
            warn(str(error))
            return MISUSED
        warn(apology(error))
        return FAULT


def _misuse() -> type[Exception]:
    from grader.course.lab import UsageError

    return UsageError


def _one_sentence(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "labs"
    message = error.format_message().strip().rstrip(".")
    if message.endswith("?"):
        return message
    return f"{message}. See {command} --help."


def apology(error: Exception) -> str:
    """What to say about a fault of ours, whose traceback goes into a file."""
    place = _keep_traceback(error)
    where = f" What happened is in {place}." if place else ""
    return f"The grader failed. That is our fault, not yours: please report it.{where}"


def _keep_traceback(error: Exception) -> Path | None:
    """Write down what happened, in the workspace or in the temporary folder; None if in neither."""
    import platform
    import tempfile
    import traceback
    from pathlib import Path

    from grader.course.lab import workspace

    text = "\n".join(
        [
            f"labs {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"command: labs {' '.join(sys.argv[1:])}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    folders = [Path(tempfile.gettempdir())]
    space = workspace()
    if space:
        folders.insert(0, space.state)
    for folder in folders:
        try:
            folder.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(prefix="fault-", suffix=".txt", dir=folder, text=True)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return Path(name)
    return None
