"""``labs oncall``: on-call drills on an account of their own, judged by what survives."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.desk.group import StartsByItself, port_option
from grader.desk.terminal import MET, paint_for, say, warn, wrapped

if TYPE_CHECKING:
    from grader.course.grade import Grade
    from grader.course.workspace import Workspace
    from grader.sandbox import Server
    from grader.sandbox.home import Home
    from grader.sandbox.oncall.duty import Duty

PORT_VARIABLE = "LABS_ONCALL_PORT"
DEBRIEF = "debrief.html"
# In the folder of a shift: where it listens, for as long as it does.
PORT = "port"
# What `--relaxed` takes beside a factor.
ENDLESS = "endless"

_PORT = port_option("Where the drill listens on 127.0.0.1; 0 picks a free one.", PORT_VARIABLE)
_RUNNING = click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    envvar=PORT_VARIABLE,
    metavar="PORT",
    help="Where the drill listens; without it the drill of this workspace is meant.",
)
_SHELL = click.option(
    "--shell/--no-shell",
    default=True,
    help="Open a prepared shell here, or only serve until the drill is done or Ctrl-C.",
)


@click.group(cls=StartsByItself)
def oncall() -> None:
    """Be on call for a shop: find out what is wrong, mend it, and lose nothing.

    `labs list` shows the drills, each with a number and with what is seen. `labs oncall` alone
    begins the first one that is not passed, and `labs oncall 3` is short for `labs oncall start 3`.

    \b
    labs oncall 3
    labs oncall hint
    labs oncall done --cause courier-slow
    """


@oncall.command()
@click.argument("which", metavar="[DRILL]", required=False)
@click.option("--seed", type=int, default=0, show_default=True, help="Other orders and prices.")
@click.option(
    "--speed",
    type=click.FloatRange(0, 3600, min_open=True),
    default=1.0,
    show_default=True,
    metavar="X",
    help="Minutes of the drill for each minute of yours.",
)
@click.option(
    "--relaxed",
    metavar="X",
    help=f"So many times the time, or {ENDLESS!r}. It is noted and costs no points.",
)
@click.option("--drop", is_flag=True, help="Begin, although another drill waits for you.")
@_PORT
@_SHELL
def start(
    which: str | None,
    seed: int,
    speed: float,
    relaxed: str | None,
    drop: bool,
    port: int,
    shell: bool,
) -> int:
    """Begin a drill: the telephone rings, and you have a terminal with the AWS CLI.

    DRILL is a number or a name of `labs list`; without it, it is the first one that is not passed.
    In the shell that opens, `aws` and boto3 reach the drill's account and nothing else, and the
    names of the procedures are set. Time runs while you think. Leave the shell for a break;
    `labs oncall resume` goes on.

    \b
    labs oncall
    labs oncall start silence --speed 2
    labs oncall mixed-night --seed 7 --relaxed 2
    """
    from grader.cloud.words import nearest
    from grader.course.files import UsageError
    from grader.sandbox.oncall import book
    from grader.sandbox.oncall.drills import SLUGS, called

    space = _workspace()
    if which is None:
        known = book.read(space.state)
        which = next((slug for slug in SLUGS if not known[slug].passed), SLUGS[-1])
    slug = called(which)
    if slug is None:
        near = nearest(which, SLUGS)
        hint = f" Did you mean {near!r}?" if near else f" There are {', '.join(SLUGS)}."
        raise UsageError(f"There is no drill {which!r}.{hint}")

    from grader.cloud import Nursery
    from grader.desk.terminal import Status
    from grader.sandbox.oncall.duty import Duty, waiting

    factor = _relaxed(relaxed)
    if not drop and (other := waiting(_kept(space))):
        raise UsageError(
            f"The drill {other} waits for you: labs oncall resume goes on with it, "
            f"labs oncall start {which} --drop begins this one in its place."
        )
    nursery = Nursery.start(packages=None)
    try:
        with Status() as status:
            status("Letting the shop's last hours pass")
            duty = Duty.begin(slug, nursery, _kept(space), seed=seed, speed=speed, relaxed=factor)
        return _serve(duty, space, port, shell)
    finally:
        nursery.close()


@oncall.command()
@_PORT
@_SHELL
def resume(port: int, shell: bool) -> int:
    """Go on with the drill that you have left; the break is counted and costs nothing.

    \b
    labs oncall resume
    """
    from grader.cloud import Nursery
    from grader.desk.terminal import Status
    from grader.sandbox.oncall.duty import Duty

    space = _workspace()
    nursery = Nursery.start(packages=None)
    try:
        with Status() as status:
            status("Playing again what has happened")
            duty = Duty.resume(nursery, _kept(space))
        return _serve(duty, space, port, shell)
    finally:
        nursery.close()


@oncall.command()
@click.option(
    "--cause",
    "causes",
    multiple=True,
    required=True,
    metavar="CAUSE",
    help="What was wrong, see RUNBOOK.md. May be repeated where there are several.",
)
@_RUNNING
@click.option("-v", "--verbose", is_flag=True, help="Every criterion and every finding, uncut.")
def done(causes: tuple[str, ...], port: int | None, verbose: bool) -> int:
    """Say that the shop is back, and what was wrong; the drill is judged.

    The drill's time runs out in a moment, and the shop is watched for a while after it. The first
    cause that is named counts.

    \b
    labs oncall done --cause courier-slow
    labs oncall done --cause courier-slow --cause alarm-wrong
    """
    from urllib.parse import quote

    from grader.course.grade import Grade
    from grader.desk import report
    from grader.sandbox.oncall import judge

    told = _running(port).ask("POST", "/_labs/oncall?done=" + quote(",".join(causes)))
    grade = Grade.read(told["grade"])
    say(
        report.terminal(
            grade,
            tasks=judge.TASKS,
            verbose=verbose,
            paint=paint_for(sys.stdout),
            whole="the debrief shows everything.",
        ).rstrip("\n")
    )
    say(f"The debrief: {told['debrief']}" if told.get("debrief") else "There is no debrief.")
    return grade.exit_code


@oncall.command()
@_RUNNING
def hint(port: int | None) -> None:
    """Show the next hint of the drill that runs; the third one says what to do.

    \b
    labs oncall hint
    """
    told = _running(port).ask("POST", "/_labs/oncall?hint=1")
    for line in wrapped(f"Hint {told['number']} of {told['of']}: {told['hint']}"):
        say(line)


@oncall.command(context_settings={"ignore_unknown_options": True})
@_RUNNING
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(port: int | None, command: tuple[str, ...]) -> int:
    """Open one more terminal for the drill that runs, or run COMMAND in it, in the drill's folder.

    \b
    labs oncall shell
    labs oncall shell sh -c 'aws lambda get-event-source-mapping --uuid "$MAPPING"'
    """
    import subprocess

    from grader.sandbox.home import shell_command

    home = _running(port)
    told = home.ask("POST", "/_labs/oncall")
    words = list(command) or shell_command()
    return subprocess.call(words, env=_environment(home, told["names"]), cwd=told["folder"] or None)


def _running(port: int | None) -> Home:
    """The drill at a port, or the one that runs in this workspace. UsageError when none does."""
    from grader.course.files import UsageError
    from grader.sandbox.home import Home

    if port is None:
        try:
            port = int((_kept(_workspace()) / PORT).read_text(encoding="ascii"))
        except (OSError, ValueError):
            raise UsageError(
                "No drill runs in this workspace: labs oncall begins one, and "
                "labs oncall resume goes on."
            ) from None
    return Home(port)


def _environment(home: Home, names: dict[str, str]) -> dict[str, str]:
    """The variables of a drill's terminal: its account and nothing else, and the names."""
    return {**home.environment(os.environ), **names, PORT_VARIABLE: str(home.port)}


def _workspace() -> Workspace:
    from grader.course.files import UsageError
    from grader.course.workspace import workspace

    space = workspace()
    if space is None:
        raise UsageError("A drill keeps its files in a workspace: labs init makes one.")
    return space


def _kept(space: Workspace) -> Path:
    return space.state / "oncall"


def _relaxed(given: str | None) -> float | None:
    """How many times the time, None for no limit. UsageError."""
    from grader.course.files import UsageError

    if given is None:
        return 1.0
    if given == ENDLESS:
        return None
    try:
        factor = float(given)
    except ValueError:
        factor = 0.0
    if not 1 <= factor <= 100:
        raise UsageError(f"--relaxed takes a number from 1 to 100, or {ENDLESS!r}.")
    return factor


def _serve(duty: Duty, space: Workspace, port: int, shell: bool) -> int:
    """Serve a drill until it is done, or left."""
    from grader.course.files import UsageError
    from grader.desk.terminal import ended_by_signals
    from grader.sandbox import Server
    from grader.sandbox.home import Home
    from grader.sandbox.oncall import debrief, handout

    place = space.root / "oncall" / duty.shift.drill.slug

    def finished(one: Duty) -> None:
        place.mkdir(parents=True, exist_ok=True)
        (place / DEBRIEF).write_text(debrief.page(one), encoding="utf-8")
        _record(one, space)

    duty.finished, duty.debrief, duty.place = finished, str(place / DEBRIEF), str(place)
    listens = _kept(space) / PORT
    try:
        server = Server(duty, port=port)
    except OSError as error:
        duty.leave()
        raise UsageError(
            f"Port {port} cannot be taken ({error.strerror}). The drill waits: labs oncall resume "
            "--port 0 goes on at a free one."
        ) from None
    home = Home(server.port)
    try:
        home.write(server.token, f"the drill {duty.shift.drill.slug}")
        listens.write_text(str(server.port), encoding="ascii")
        handout.write(duty.shift, place, server.url)
        _greet(duty, server, home, place)
        with ended_by_signals(), suppress(KeyboardInterrupt):
            _wait(duty, home, place, shell)
    finally:
        server.close()
        home.remove()
        listens.unlink(missing_ok=True)
        if not duty.stands.over:
            duty.leave()
        duty.shift.close()
    if duty.stands.over:
        say("The drill is over.")
    else:
        say("The drill waits for you; its time stands still. labs oncall resume goes on.")
    return MET


def _wait(duty: Duty, home: Home, place: Path, shell: bool) -> None:
    """Until the shell is left; without one until the drill is done."""
    import subprocess
    import time

    from grader.sandbox.home import shell_command
    from grader.sandbox.oncall import handout

    if not shell or not sys.stdin.isatty():
        while not duty.stands.over:
            time.sleep(0.2)
        return
    environment = _environment(home, handout.names(duty.shift, home.url))
    running = subprocess.Popen(shell_command(), env=environment, cwd=place)
    while running.returncode is None:
        try:
            running.wait()
        except KeyboardInterrupt:
            continue  # meant for what runs in the shell


def _greet(duty: Duty, server: Server, home: Home, place: Path) -> None:
    """The page, and where everything is."""
    from grader.course.files import shown
    from grader.sandbox.oncall import handout

    note = home.wrap()
    for line in handout.page(duty.shift):
        say(line)
    say("")
    say(f"Runbook: {shown(place / 'RUNBOOK.md')}; the guide: labs docs operations/index")
    say(f"Console: {server.url}/#token={server.token}")
    if not sys.stdin.isatty():
        where = shown(place.parents[1])
        say("Terminal: labs oncall shell" + (f", in {where}" if where != "." else ""))
    say("When it is over: labs oncall done --cause CAUSE. For help: labs oncall hint.")
    if note:
        warn(note)
    sys.stdout.flush()


def _record(duty: Duty, space: Workspace) -> None:
    from grader.sandbox.oncall import book

    grade: Grade | Any = duty.grade
    relaxed = duty.stands.relaxed != 1
    book.record(space.state, grade, relaxed=relaxed, hints=duty.stands.hints)
