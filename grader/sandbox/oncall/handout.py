"""What somebody on call is given: the page, the runbook, the shop's files, a terminal's names."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from grader.cloud.words import counted
from grader.sandbox.oncall.drill import CAUSES, OBJECTIVE_MIN
from grader.sandbox.oncall.shift import (
    FOLDER,
    FUNCTION,
    MAPPING,
    MINUTE_MS,
    ORDERS,
    QUEUE,
    SHIPMENTS,
    SHOP,
    STACK,
    Shift,
    archive,
    released,
)

WIDTH = 80


def page(shift: Shift) -> list[str]:
    """The page: the words of the alarms that are red, of people, and the promise."""
    lines = []
    stack = shift.cloud.stacks[STACK].stack
    beside = []
    for name, change in shift.page():
        since = f"{datetime.fromtimestamp(change.time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        if name not in shift.drill.rings:
            beside.append(f"{name} (since {since})")
            continue
        told = stack.resources[name].properties.get("AlarmDescription", "")
        lines += _wrapped(f'ALARM: "{name}". {told}')
        lines += _wrapped(f"Since {since}, {spell(shift.page_ms - change.time_ms)} ago.", "  ")
        lines += _wrapped(change.reason, "  ")
    if beside:
        lines += _wrapped(f"In ALARM as well: {', '.join(beside)}.")
    if shift.drill.told:
        lines += _wrapped(shift.drill.told)
    within = ""
    if shift.relaxed is not None:
        within = f", {(shift.until_ms - shift.page_ms) / 60_000:g} minutes from now,"
    lines += _wrapped(
        f"The shop promises that an order is shipped within {OBJECTIVE_MIN} minutes. Bring it back "
        f"to that{within} without losing an order or shipping one twice."
    )
    if without := len(shift.left_at_page):
        have, them = ("has", "it") if without == 1 else ("have", "them")
        lines += _wrapped(
            f"{counted(without, 'order')} {have} no parcel now: leave time to ship {them}, too."
        )
    return lines


def spell(milliseconds: float) -> str:
    """A stretch of time in whole minutes, as one says it."""
    minutes = round(milliseconds / MINUTE_MS)
    if minutes < 120:
        return counted(minutes, "minute")
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"


def write(shift: Shift, folder: Path, url: str) -> None:
    """Write the files of a drill into ``folder``; those of a drill before it go."""
    shutil.rmtree(folder / "code", ignore_errors=True)
    (folder / "code").mkdir(parents=True)
    version = "release" if _was_released(shift) else ""
    for path in sorted(SHOP.glob("*.py")):
        (folder / "code" / path.name).write_text(released(path, version), encoding="utf-8")
    shutil.copy(SHOP / "template.yaml", folder / "code" / "template.yaml")
    (folder / "previous.zip").write_bytes(archive())
    shutil.copy(FOLDER / "replay.py", folder / "replay.py")
    (folder / "PAGE.txt").write_text("\n".join(page(shift)) + "\n", encoding="utf-8")
    (folder / "RUNBOOK.md").write_text("\n".join(_runbook(shift, url)) + "\n", encoding="utf-8")


def _was_released(shift: Shift) -> bool:
    calls = {one.call for one in shift.drill.happens if not one.after}
    return "lambda:UpdateFunctionCode" in calls


def names(shift: Shift, url: str) -> dict[str, str]:
    """The names that the procedures use, as variables of a terminal; ``url`` is the sandbox's."""
    queue = shift.physical(QUEUE).split("/", 3)[3]
    return {
        "FUNCTION": shift.physical(FUNCTION),
        "MAPPING": shift.physical(MAPPING),
        "ORDERS": shift.physical(ORDERS),
        "SHIPMENTS": shift.physical(SHIPMENTS),
        "STREAM": shift.cloud.account.stream_of(shift.physical(ORDERS)).arn,
        "QUEUE": f"{url}/{queue}",
        "QUEUE_ARN": shift.arn(QUEUE),
        "LOGS": shift.physical("ShippingLogs"),
        "ROLE": shift.arn("ShippingRole"),
        "PYTHON": sys.executable,
    }


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _runbook(shift: Shift, url: str) -> Iterator[str]:
    """The runbook of the folder: where to look, what to keep, how to end."""
    yield "# Runbook: shipping"
    yield ""
    yield "1. Look at the clock: a record is in the stream for 24 hours, and not a minute longer."
    yield "   All times here are UTC: those of the page, of the log and of every answer."
    yield "2. Find the symptom: `labs docs operations/index`. What to type: `labs docs"
    yield "   operations/procedures`. The names that it uses are set in this terminal."
    yield "3. Mend the cause. Do not delete the mapping: a new one repeats or skips."
    yield '4. Bring back what was given up (`"$PYTHON" replay.py --notes`) or dropped'
    yield '   (`"$PYTHON" replay.py --since MINUTES`). Both skip what has a parcel.'
    yield "   A note of what can never be shipped stays: somebody has to decide about it."
    yield "5. `labs oncall done --cause CAUSE` when the shop keeps its promise. The first cause"
    yield "   that is named counts. `labs oncall hint` helps, in three steps."
    yield ""
    yield "Here lie the code and the template that are deployed (`code/`) and the code of before"
    yield "the last release (`previous.zip`)."
    yield ""
    yield "The handler recognises an order that comes again within an hour. After that it ships it"
    yield "once more."
    yield ""
    yield "| Name | What it is |"
    yield "|---|---|"
    for name, value in names(shift, url).items():
        yield f"| `${name}` | `{value}` |"
    yield ""
    yield "## Causes that can be named"
    yield ""
    yield "| Cause | What it says |"
    yield "|---|---|"
    for cause, told in CAUSES.items():
        yield f"| `{cause}` | {told} |"
