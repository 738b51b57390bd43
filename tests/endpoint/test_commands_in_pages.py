"""Every command in docs/ is run by a test, or says why it is not."""

from __future__ import annotations

import re
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


# How a command chooses by how a name begins, or by a part of it.
_VAGUE = re.compile(
    r"--\S*prefix|starts_with\(|begins_with|contains\(|\bgrep (?!-\w*x)|\*[\"' ]|aws s3 rb|--recursive"
)
_DELETES = re.compile(r"\b(delete|remove|purge|terminate|untag)-|\baws s3 (rb|rm)\b")


def deletes_by_prefix(page: list[Block]) -> list[str]:
    """Deletions of a page that may hit what a neighbour owns.

    A deletion that chooses by a part of a name itself, or by a variable or file that a command filled
    in that way, in this block or in one before.
    """
    vague: set[str] = set()
    wrong = []
    for block in page:
        text = block.text.replace("\\\n", " ")
        for name, value in re.findall(
            r"^\s*(?:export )?(\w+)=(\$\(.*?\)|`.*?`)", text, re.M | re.S
        ):
            if _VAGUE.search(value):
                vague.add(f"${name}")
        for head, file in re.findall(r"^(.*?)>>? ?(\S+)$", text, re.M):
            if _VAGUE.search(head):
                vague.add(file)
        if not _DELETES.search(text):
            continue
        statements = re.split(r"\n(?=\S)", text)
        for statement in statements:
            used = any(re.search(rf"{re.escape(name)}\b", statement) for name in vague)
            if _DELETES.search(statement) and (_VAGUE.search(statement) or used):
                wrong.append(f"{block}: {statement.strip()}")
    return wrong


def _pages() -> list[list[Block]]:
    found: dict[str, list[Block]] = {}
    for block in BLOCKS:
        found.setdefault(block.page, []).append(block)
    return list(found.values())


def test_no_page_deletes_by_how_a_name_begins() -> None:
    """An account has neighbours: `shop-production` begins like `shop`."""
    assert [one for page in _pages() for one in deletes_by_prefix(page)] == []


@pytest.mark.parametrize(
    "text",
    [
        "for t in $(aws dynamodb list-tables --query \"TableNames[?starts_with(@, '$STACK-')]\"); do\n"
        "  aws dynamodb delete-table --table-name $t\ndone\n",
        "GROUPS=$(aws logs describe-log-groups --log-group-name-prefix /aws/lambda/shop-)\n"
        "for g in $GROUPS; do aws logs delete-log-group --log-group-name $g; done\n",
        "aws sqs list-queues --queue-name-prefix shop > queues.txt\n"
        "while read q; do aws sqs delete-queue --queue-url $q; done < queues.txt\n",
        "aws s3 rm s3://shop-code --recursive\n",
        "aws cloudwatch delete-alarms --alarm-names $(aws cloudwatch describe-alarms \\\n"
        "  --query \"MetricAlarms[?contains(AlarmName, 'shop')].AlarmName\" --output text)\n",
        "there | grep '^shop-' | xargs -n 1 aws dynamodb delete-table --table-name\n",
    ],
)
def test_a_deletion_by_prefix_is_found(text: str) -> None:
    """In the command, through a variable, through a file, through a pipe."""
    assert deletes_by_prefix([Block("p.md", 1, "sh", text, None)])


def test_alarms_are_always_asked_for_with_both_types() -> None:
    """DescribeAlarms leaves composite alarms out otherwise, and a query must not drop them again.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    asked = [line for block in BLOCKS for line in _lines(block) if "describe-alarms" in line]
    assert len(asked) >= 5
    for line in asked:
        assert "--alarm-types MetricAlarm CompositeAlarm" in line, line
        assert "[MetricAlarms, CompositeAlarms][]" in line, line


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
