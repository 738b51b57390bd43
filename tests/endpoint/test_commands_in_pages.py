"""Every command in docs/ is run by a test, or says why it is not."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from endpoint_pages import DOCS, ROOT, Block, blocks

from grader.course import lab as labs
from grader.desk.cli import cli

# Pages that `test_deploy_pages` runs from top to bottom.
PLAYED = {
    "docs/operations/procedures.md",
    "docs/operations/routine.md",
    *(page.relative_to(ROOT).as_posix() for page in DOCS.glob("deploy/*.md")),
}

BLOCKS = [block for page in sorted(DOCS.rglob("*.md")) for block in blocks(page)]


def test_a_block_is_run_or_says_why_not() -> None:
    """`console` has its reason; `sh` is run: commands of `aws` by the play of their page, with an
    effect, and the rest are `labs` commands, which the next tests read."""
    wrong = []
    for block in BLOCKS:
        if block.kind == "console":
            if block.excuse is None:
                wrong.append(f"{block}: a console block needs <!-- not run: reason --> before it")
        elif block.page in PLAYED:
            if block.effect is None:
                wrong.append(f"{block}: needs <!-- effect: name --> before it")
        elif other := [line for line in _lines(block) if not line.startswith("labs ")]:
            wrong.append(f"{block}: no test runs {other[0]!r}")
    assert not wrong, "\n".join(wrong)


def _lines(block: Block) -> list[str]:
    text = block.text.replace("\\\n", " ")
    return [line for line in map(str.strip, text.splitlines()) if line and line[0] != "#"]


LABS_LINES = sorted(
    {line for block in BLOCKS if block.kind == "sh" and block.page not in PLAYED
     for line in _lines(block) if line.startswith("labs ")}
)  # fmt: skip


@pytest.mark.parametrize("line", LABS_LINES)
def test_a_labs_command_is_one_that_labs_takes(line: str) -> None:
    """Command, options and arguments are read by click itself; labs, criteria and tasks exist.

    What the commands do is proved by the tests of the commands; running each line of each page here
    would grade every lab several times over.
    """
    words = shlex.split(line, comments=True)[1:]
    with cli.make_context("labs", words) as context:
        _read(cli, words, context)


def _read(group: click.Group, words: list[str], context: click.Context) -> None:
    """Let click read a command of a group; of a group within it, that one's command."""
    name, command, rest = group.resolve_command(context, words)
    assert command is not None, name
    with command.make_context(name, list(rest), parent=context) as inner:
        _check_names(inner.params)
        if isinstance(command, click.Group) and rest:
            _read(command, rest, inner)


def _check_names(params: dict[str, Any]) -> None:
    which = params.get("which")
    if not isinstance(which, str) or which == "all":
        return
    lab = labs.find(which)
    readme = (lab.starter / "README.md").read_text(encoding="utf-8")
    for name in params.get("only") or ():
        assert f"| `{name}` |" in readme, f"lab {which} has no criterion {name}"
    if params.get("task") is not None:
        assert int(params["task"]) in lab.hints, f"lab {which} has no task {params['task']}"
