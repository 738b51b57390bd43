"""``labs sandbox``: the emulated account on loopback, for the AWS CLI, boto3 and any SDK."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.desk.group import StartsByItself, parameter_option, port_option
from grader.desk.terminal import MET, emit, say, warn, writing

if TYPE_CHECKING:
    from grader.cloud import Cloud
    from grader.sandbox import Server

_MOVE = re.compile(r"\+(?P<count>[0-9]+(?:\.[0-9]+)?)(?P<unit>s|m|h|d)")
_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# How far one move may go (milliseconds): more than a stream remembers.
FARTHEST_MS = 7 * 86_400_000

_PORT = port_option("Where it listens on 127.0.0.1; 0 picks a free one.")


@click.group(cls=StartsByItself)
def sandbox() -> None:
    """Serve a deployed lab as an AWS account on this machine.

    `labs sandbox 2` is short for `labs sandbox start 2`.

    \b
    labs sandbox 2 --fill solution
    labs sandbox shell
    labs sandbox time +15m
    """


@sandbox.command()
@click.argument("which", metavar="[N|PATH]", required=False)
@_PORT
@click.option("--path", metavar="DIR", help="Take lab N's files in DIR, not your workspace's.")
@click.option("--fill", type=click.Choice(["starter", "solution"]), help="See labs grade.")
@parameter_option
@click.option(
    "--env",
    "shell_kind",
    type=click.Choice(["sh", "fish", "powershell"]),
    help="Print what points this terminal at the running sandbox, for eval; start nothing.",
)
@click.option(
    "--speed",
    type=click.FloatRange(0, 3600, min_open=True),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Seconds of virtual time for each second; 60 makes a minute a second.",
)
@click.option(
    "--load",
    "loads",
    multiple=True,
    metavar="RATES|FILE",
    help="Write orders=20/s,carts=5/s; or take up the account that --save kept.",
)
@click.option("--save", metavar="FILE", help="Keep the account in FILE when it ends.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the traffic.")
def start(
    which: str | None,
    port: int,
    path: str | None,
    fill: str | None,
    parameters: dict[str, str],
    shell_kind: str | None,
    speed: float,
    loads: tuple[str, ...],
    save: str | None,
    seed: int,
) -> int:
    """Deploy lab N, or the template at PATH, and serve the account until Ctrl-C.

    Without N or PATH the account is empty. Clients of AWS find it at http://127.0.0.1:4566; nothing
    is forwarded to a real account, and keys that look real are refused. Time is virtual: it begins
    now and runs with the clock of this machine unless --speed or `labs sandbox time` say otherwise.

    \b
    labs sandbox 2
    labs sandbox 2 --fill solution --load orders=20/s,carts=5/s
    labs sandbox start template.yaml --parameter PagerEmail=you@example.com
    labs sandbox --env sh
    """
    from grader.desk.terminal import ended_by_signals
    from grader.sandbox.home import Home

    if shell_kind is not None:
        home = Home(port)
        home.read()
        emit("\n".join(home.lines(shell_kind)) + "\n")
        return MET
    with ended_by_signals() as came:
        try:
            _serve(which, path, fill, parameters, port, speed, loads, save, seed)
        except KeyboardInterrupt:
            if not came:
                raise
    say("The sandbox has ended.")
    return MET


def _serve(
    which: str | None,
    path: str | None,
    fill: str | None,
    parameters: dict[str, str],
    port: int,
    speed: float,
    loads: tuple[str, ...],
    save: str | None,
    seed: int,
) -> None:
    import threading
    from contextlib import ExitStack

    from grader.cloud import Nursery
    from grader.course.files import UsageError
    from grader.desk.terminal import Status
    from grader.sandbox import Server
    from grader.sandbox.archive import Kept
    from grader.sandbox.archive import save as keep
    from grader.sandbox.home import Home
    from grader.sandbox.opening import account, opened

    rates, files = _rates(loads), [one for one in loads if Path(one).is_file()]
    if len(files) > 1 or (files and which is not None):
        raise UsageError("A kept account comes alone: --load takes one FILE, without N or PATH.")
    with ExitStack() as stack:
        nursery = Nursery.start(packages=None)
        stack.callback(nursery.close)
        kept = stack.enter_context(Kept(Path(files[0]))) if files else None
        cloud = account(nursery, seed=seed, start_ms=kept.now_ms if kept else None)
        stack.callback(cloud.close)
        with Status() as status:
            status("Deploying")
            world = kept.take_up(cloud) if kept else None
            title = files[0] if kept else _deploy(cloud, which, path, fill, parameters)
        box = opened(cloud, speed=speed, world=world)
        if rates:
            _begin(cloud, rates, seed)
        try:
            server = stack.enter_context(Server(box, port=port))
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be taken ({error.strerror}): --port 0 picks a free one."
            ) from None
        home = Home(server.port)
        stack.callback(home.remove)
        _greet(server, home, title)
        home.write(server.token, title)
        try:
            while not threading.Event().wait(1.0):
                pass  # Windows delivers Ctrl-C between two waits only
        finally:
            if save is not None:
                with box.lock, writing(Path(save)):
                    keep(box.world, Path(save))
                say(f"The account is kept in {save}.")


def _deploy(
    cloud: Cloud, which: str | None, path: str | None, fill: str | None, values: dict[str, str]
) -> str:
    """Deploy what was asked for; what it is called. UsageError for what cannot be deployed."""
    from grader.cloud import Refused
    from grader.course.files import UsageError, written
    from grader.course.lab import find
    from grader.desk.submission import Submission
    from grader.sandbox.opening import deploy, template_in

    try:
        if which is None:
            cloud.run_for(1)
            return "an empty account"
        if Path(which).exists() and not which.isdecimal():
            deploy(cloud, template_in(Path(which)), values)
            return str(which)
        lab = find(which)
        submission = Submission.find(lab, path, fill)
        warn(*submission.notes)
        with written(submission.files) as folder:
            deploy(cloud, template_in(folder), values)
        return f"lab {lab.number} {lab.slug}"
    except Refused as refused:
        place = f"{refused.resource}: " if refused.resource else ""
        text = str(refused)
        told = text if text.startswith(place) else place + text
        raise UsageError(f"This cannot be deployed: {told}") from None


def _rates(loads: tuple[str, ...]) -> dict[str, float]:
    from grader.course.files import UsageError
    from grader.sandbox.traffic import read_rates

    rates: dict[str, float] = {}
    for one in loads:
        if not Path(one).is_file():
            try:
                rates.update(read_rates(one))
            except ValueError as problem:
                raise UsageError(f"--load: {problem}.") from None
    return rates


def _begin(cloud: Cloud, rates: dict[str, float], seed: int) -> None:
    from grader.cloud import Refused
    from grader.course.files import UsageError
    from grader.sandbox.traffic import Traffic

    for stack in cloud.stacks or ("",):
        try:
            if not stack:
                raise UsageError("--load needs a stack to write to: name a lab.")
            Traffic(cloud, stack, rates, seed).start()
        except Refused as refused:
            raise UsageError(f"--load: {refused}") from None


def _greet(server: Server, home: Any, title: str) -> None:
    """Say where it is and how to get there."""
    port = "" if server.port == 4566 else f" --port {server.port}"
    note = home.wrap()
    say(f"The sandbox of {title} is at {server.url}. Ctrl-C ends it.")
    say("")
    say("In another terminal:")
    say(f"  labs sandbox shell{port}           a shell whose `aws` and boto3 come here")
    say(f'  eval "$(labs sandbox --env sh{port})"   the same for the shell you are in')
    say(f"  labs sandbox time{port} +15m       let virtual time pass")
    say("")
    say(f"Console: {server.console}")
    if note:
        warn(note)
    sys.stdout.flush()


@sandbox.command(context_settings={"ignore_unknown_options": True})
@_PORT
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(port: int, command: tuple[str, ...]) -> int:
    """Open a shell whose AWS clients reach the running sandbox, and nothing else.

    With COMMAND, run that in it instead.

    \b
    labs sandbox shell
    labs sandbox shell aws dynamodb list-tables
    """
    import os
    import subprocess

    from grader.sandbox.home import Home, shell_command

    home = Home(port)
    told = home.read()
    if note := home.wrap():
        warn(note)
    if not command:
        say(f"A shell for the sandbox of {told['title']} at {told['url']}; `exit` leaves it.")
        sys.stdout.flush()
    words = list(command) or shell_command()
    return subprocess.call(words, env=home.environment(os.environ))


@sandbox.command("time")
@click.argument("change", metavar="[+15m|pause|resume]", required=False)
@_PORT
@click.option("--speed", type=float, metavar="X", help="Seconds of virtual time for each second.")
def time_(change: str | None, port: int, speed: float | None) -> None:
    """Tell the running sandbox's time, or change it: +15m (s, m, h, d), pause, resume.

    Everything that is due on the way happens, in order.

    \b
    labs sandbox time
    labs sandbox time +15m
    labs sandbox time pause
    labs sandbox time --speed 60
    """
    from grader.course.files import UsageError
    from grader.sandbox.home import Home

    words = []
    if speed is not None:
        words.append(f"speed={speed:g}")
    if change in ("pause", "resume"):
        words.append(f"{change}=1")
    elif change is not None:
        moved = _MOVE.fullmatch(change)
        if moved is None:
            raise UsageError(f"{change!r} is no change of time: +15m, pause or resume.")
        milliseconds = round(float(moved["count"]) * _UNITS[moved["unit"]])
        if milliseconds > FARTHEST_MS:
            raise UsageError("Time moves by at most 7 days at once.")
        words.append(f"move={milliseconds}")
    route = "/_labs/time" + ("?" + "&".join(words) if words else "")
    say(_told(Home(port).ask("POST" if words else "GET", route)))


def _told(stands: dict[str, Any]) -> str:
    from datetime import UTC, datetime

    now = datetime.fromtimestamp(stands["now_ms"] / 1000, UTC)
    ahead_s = round(stands["ahead_ms"] / 1000)
    place = "as this machine's clock"
    if abs(ahead_s) > 1:
        where = "ahead of" if ahead_s > 0 else "behind"
        place = f"{_span(abs(ahead_s))} {where} this machine's clock"
    pace = "it is paused" if stands["paused"] else f"it runs {stands['speed']:g} times as fast"
    if not stands["paused"] and stands["speed"] == 1:
        pace = "it runs with the clock"
    slipped = ""
    if stands["slipped_ms"] >= 1000:
        slipped = f" This machine could not keep up: {_span(stands['slipped_ms'] // 1000)} slipped."
    return f"{now:%Y-%m-%dT%H:%M:%SZ}, {place}; {pace}.{slipped}"


def _span(seconds: int) -> str:
    parts = [(seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m")]
    words = [f"{count}{unit}" for count, unit in [*parts, (seconds % 60, "s")] if count]
    return " ".join(words[:2]) or "0s"
