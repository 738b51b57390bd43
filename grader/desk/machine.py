"""What ``labs`` does on this machine beside grading: look at it, and open the course's pages."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from grader.cloud.words import nearest
from grader.desk.terminal import MET, UNMET, emit, say, warn, writing


@click.command()
@click.option("--repair", "mend", is_flag=True, help="First mend your progress; keeps a backup.")
def doctor(mend: bool) -> int:
    """Check this machine: Python, packages, isolation.

    Each line is "ok", "note" (a limit to know about) or "attention" (and what to do).

    \b
    labs doctor
    labs doctor --repair
    """
    from grader.course.workspace import workspace
    from grader.desk.doctor import examine, repair

    if mend:
        space = workspace()
        with writing(space.state if space else Path()):
            done = repair(space)
        for sentence in done or ["Nothing had to be mended."]:
            say(sentence)
        say("")
    attention = 0
    for line in examine(workspace()):
        attention += line.state == "attention"
        say(line.text())
    return UNMET if attention else MET


@click.command()
@click.argument("page", required=False)
@click.option("--print", "as_text", is_flag=True, help="Print the page as text.")
@click.option("--serve", is_flag=True, help="Serve the site to this machine until Ctrl-C.")
@click.option("--port", type=int, default=0, metavar="PORT", help="For --serve. Default: any.")
@click.option("--slides", type=int, metavar="MODULE", help="A module's page as slides to project.")
def docs(page: str | None, as_text: bool, serve: bool, port: int, slides: int | None) -> None:
    """Open PAGE of the course, or its start page.

    It works without a network. A clone builds the site first if MkDocs is installed; without a
    built site the place of the page's Markdown text is printed. Served, the pages show your points,
    your hints and the next step.

    \b
    labs docs
    labs docs modules/02-lambda-triggers
    labs docs reference/cli#exit-codes --print
    labs docs --serve
    labs docs --slides 2
    """
    from grader.course.files import UsageError
    from grader.course.lab import pages
    from grader.desk import reading, site

    _build_site()
    if slides is not None:
        known = pages()
        with writing(known["index"].parent if known else Path()):
            page = site.slides_of(known, slides)
    name, _, anchor = (page or "index").partition("#")
    name = name.removesuffix(".md").removesuffix(".html").strip("/")
    known = pages()
    place = known.get(name) or known.get(f"{name}/index")
    if place is None:
        near = nearest(name, known)
        hint = f" Did you mean {near!r}?" if near else " labs docs shows the start page."
        raise UsageError(f"There is no page {page!r}.{hint}")
    if as_text:
        emit(reading.as_text(place, anchor))
        return
    if place.suffix != ".html":
        if serve:
            raise UsageError("There is no built site to serve: install the extra docs.")
        say(str(place))
        return
    fragment = f"#{anchor}" if anchor else ""
    if not serve:
        address = place.as_uri() + fragment
        say(address)
        if sys.stdout.isatty():
            click.launch(address)
        return
    root = known["index"].parent
    with site.server(root, _standing, port) as server:
        path = place.relative_to(root).as_posix()
        say(f"http://127.0.0.1:{server.server_address[1]}/{path}{fragment}")
        say("Ctrl-C ends it.")
        server.serve_forever()


def _standing() -> str:
    """Where the learner stands now, as `labs list --json` says it."""
    from grader.course.lab import labs
    from grader.course.progress import Progress, Store
    from grader.course.workspace import workspace
    from grader.desk import standing

    space = workspace()
    return standing.document(labs(), Store(space.state).load() if space else Progress())


def _build_site() -> None:
    """Build the clone's site anew if something in it has changed and MkDocs is installed."""
    from grader.course.files import PACKAGE, is_clone
    from grader.desk import site

    root = PACKAGE.parent
    if is_clone(root) and site.can_build() and site.is_stale(root, root / "site"):
        warn("Building the site. It takes a few seconds.")
        site.build(root, root / "site")
