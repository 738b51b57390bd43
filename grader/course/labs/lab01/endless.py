"""Lab 1's reader that comes to no end: what it did last, why that never ends, and where to look."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.course.grade import Finding
    from grader.course.stage import Stage

READER = "reader.py"
# The README's promise: an open shard counts as read after so many empty pages in a row.
EMPTY_PAGES = 5


def endless(stage: Stage, story: str, observed: str, operation: str | None) -> Finding:
    """It asked for ever, with this operation in the end; None for a limit without requests."""
    why, pattern = _STUCK.get(operation or "", _STUCK[""])
    return stage.finding(
        rule="read comes to an end once it has caught up with every shard.",
        input=story,
        expected=f"it returns; {EMPTY_PAGES} empty pages in a row are the end of an open shard, "
        "no NextShardIterator is the end of a closed one",
        observed=observed,
        why=why,
        where=stage.line_like(READER, pattern) if pattern else _silent_loop(stage),
        page=f"{stage.lab.page}#end-of-a-shard",
    )


def _silent_loop(stage: Stage) -> str:
    """The first loop of the reader in which nothing is asked of the stream."""
    code = (stage.folder / READER).read_text(encoding="utf-8", errors="replace")
    asks = re.compile("|".join(pattern for _, pattern in _STUCK.values() if pattern))
    loops = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.While)]
    silent = [one.lineno for one in loops if not asks.search(ast.unparse(one))]
    return stage.line(READER, min(silent)) if silent else stage.line_like(READER, r"\bdef read\b")


# By the request that was made for ever (none, for a loop without requests): why, and where to look.
_STUCK = {
    "": (
        "A loop that asks nothing learns nothing that could end it: look at its condition, and at "
        "what changes from one round to the next.",
        "",
    ),
    "DescribeStream": (
        "The list of shards ends with the page that has no LastEvaluatedShardId; whoever asks "
        "without ExclusiveStartShardId gets the first page again.",
        r"describe_stream\(",
    ),
    "GetShardIterator": (
        "An iterator only says where to read: whoever gets one after the other reads nothing, and "
        "an iterator at a place that is gone is refused each time.",
        r"get_shard_iterator\(",
    ),
    "GetRecords": (
        "An open shard has no end that AWS would tell you: without a rule of your own a reader "
        "asks for empty pages for ever, and pays for each.",
        r"get_records\(",
    ),
}
