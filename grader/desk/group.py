"""Groups of commands that help with typos, and the one whose commands are loaded when asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import click


def _values(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    """What ``NAME=VALUE`` says, as often as it was said. UsageError."""
    from grader.course.files import UsageError

    values = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"--parameter takes NAME=VALUE, not {one!r}.")
        values[name] = value
    return values


# Fills ``parameters`` with values by their names.
parameter_option = click.option(
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_values,
    help="A value for a parameter of the template. May be repeated.",
)


def port_option(told: str, variable: str | None = None) -> Callable[[Any], Any]:
    """``--port`` of what listens on loopback; ``variable`` of the environment may say it, too."""
    return click.option(
        "--port",
        type=click.IntRange(0, 65_535),
        default=4566,
        show_default=True,
        envvar=variable,
        metavar="PORT",
        help=told,
    )


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
            from grader.cloud.words import nearest

            near = nearest(args[0], known)
            hint = f" Did you mean {near!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


class StartsByItself(Commands):
    """A group whose command ``start`` may be left out: `labs sandbox 2`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take what names no command as arguments of ``start``."""
        asks = ctx.help_option_names
        if not args or (args[0] not in self.commands and args[0] not in asks):
            args = ["start", *args]
        return super().parse_args(ctx, args)


class LazyCommands(Commands):
    """The same for commands by import string, each loaded when it is asked for.

    ``lazy`` maps a command's name to ``module:attribute`` and to the first line of its help, which
    is what lists need. https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is none of that name."""
        if cmd_name not in self.lazy:
            return None
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self.lazy.items()])
