"""The page of a run: one file that opens from disk, asks for nothing, and works without its script.

`page` takes a document (`grader.replay.run`) and gives HTML. Pictures and tables are in it as they
are; the script makes of the same document a picture that is walked through step by step. Somebody's
text is escaped wherever it stands, the document is embedded in an alphabet that cannot end a
script, and the page's policy lets only its own style and script work.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from grader.cloud.words import clean, counted
from grader.replay import viewing
from grader.replay.drawing import STYLE, scrolled, table
from grader.replay.folding import STEPS_MS
from grader.replay.viewing import Play

HERE = Path(__file__).parent
D3 = ("d3-array", "d3-color", "d3-interpolate", "d3-format", "d3-scale", "d3-selection")


def page(run: Run, *, beside: Run | None = None, course: str = "") -> str:
    """The HTML of a run, or of two runs of one scenario side by side.

    ``course`` is where the course's pages lie, "" when they are not near.
    """
    runs = [run] if beside is None else [run, beside]
    names = [""] if beside is None else list(SIDES)
    viewers = "".join(f'<div id="viewer{end}"></div>' for end in ("", "-2")[: len(runs)])
    body = (
        "".join(_stopped(one["stopped"], name) for one, name in zip(runs, names, strict=True))
        + (f'<div class="pair">{viewers}</div>' if beside else viewers)
        + "".join(pictures(one, name) for one, name in zip(runs, names, strict=True))
    )
    data = "".join(
        embedded(one, name, course=course) for one, name in zip(runs, names, strict=True)
    )
    return framed(_title(run), _summary(run), body, data)


def framed(
    title: str,
    summary: str,
    body: str,
    data: str = "",
    *,
    looks: str = "",
    does: str = "",
    asks: bool = False,
) -> str:
    """A page whose body and data are HTML; data are what `embedded` gives.

    ``looks`` and ``does`` are more of style and script; only a page that ``asks`` may ask whoever
    served it.
    """
    rules, code = style() + looks, script() + _file("page.js") + does
    connect = "connect-src 'self'; " if asks else ""
    policy = (
        f"default-src 'none'; style-src '{_hash(rules)}'; script-src '{_hash(code)}'; {connect}"
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title><style>{rules}</style></head><body>"
        f"<header><h1>{text(title)}</h1><p>{text(summary)}</p></header>"
        f"<main>{body}</main>{data}<script>{code}</script></body></html>\n"
    )


Run = dict[str, Any]
# What the two runs are called that stand side by side.
SIDES = ("This run", "The other run")
ALONE = "Step by step"


def pictures(run: Run, name: str = "") -> str:
    """Pictures, tables and lines of a run; ``name`` is "" where there is only one."""
    plays = "".join(_play(play, number, name) for number, play in enumerate(run["plays"], start=1))
    return plays + _told(run["told"], name, whole=not plays)


def embedded(run: Run, name: str = "", *, kind: str = "run", course: str = "") -> str:
    """The data of a viewer as an element of a page.

    A "run" has its viewer at once; a "scene" waits for what leads to it.
    """
    content = packed(run, name=name or ALONE, course=course)
    return f'<script type="text/plain" class="{kind}">{content}</script>'


def script() -> str:
    """What a viewer needs beside a document: D3's modules, and ``mount``."""
    return "".join(_file(f"vendor/d3/{name}.min.js") + "\n" for name in D3) + _file("viewer.js")


def style() -> str:
    """The rules by which a viewer looks."""
    return STYLE + _file("viewer.css")


def packed(
    run: Run,
    *,
    name: str = "",
    course: str = "",
    switches: Sequence[dict[str, Any]] = (),
    first: int = 0,
) -> str:
    """The document and what is worked out of it, compressed, in letters and digits.

    With ``switches`` (name, labels) the plays are their positions, the last switch changes first.
    ``first`` is the play with which it opens.
    """
    data = {
        "run": {**run, "told": [], "plays": [_columns(play) for play in run["plays"]]},
        "views": [_view(play) for play in run["plays"]],
        "attempts": {name: asdict(one) for name, one in viewing.ATTEMPTS.items()},
        "records": {name: asdict(one) for name, one in viewing.RECORDS.items()},
        "alarms": {name: asdict(one) for name, one in viewing.ALARMS.items()},
        "pages": viewing.PAGES,
        "course": course,
        "name": name,
        "steps": STEPS_MS,
        "switches": list(switches),
        "first": first,
    }
    zipped = gzip.compress(json.dumps(data, separators=(",", ":")).encode(), mtime=0)
    return base64.b64encode(zipped).decode()


# What of a play has so many rows that they are embedded as columns.
LONG = ("batches", "records", "invocations", "throttles")


def _columns(play: Play) -> Play:
    """A play whose long lists are columns; ``unpack`` of the script makes rows of them again.

    Numbers are told as steps: what grows evenly then packs into next to nothing.
    """
    long = {name: _by_name(play[name]) for name in LONG}
    metrics = [{**one, "minutes": _steps(one["minutes"])} for one in play["metrics"]]
    return {**play, **long, "metrics": metrics}


def _by_name(rows: Sequence[Play]) -> dict[str, Any]:
    return {name: _column([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def _steps(rows: Sequence[Sequence[float]]) -> list[Any]:
    return [_column(list(column)) for column in zip(*rows, strict=True)]


def _column(values: list[Any]) -> Any:
    if not all(type(one) is int for one in values):
        return values
    return {"steps": [later - one for one, later in pairwise([0, *values])]}


def _view(play: Play) -> Play:
    time = viewing.folding(play)
    return {
        "places": [(moment, round(place, 1)) for moment, place in time.places],
        "pauses": time.pauses,
        "keys": [viewing.key_of(one) for one in play["batches"]],
        "charts": viewing.charts(play),
    }


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _file(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _title(run: Run) -> str:
    if run["lab"] is None:
        return run["scenario"] or "A run"
    return f"Lab {run['lab']}, {run['scenario']}"


def _summary(run: Run) -> str:
    plays = run["plays"]
    records = sum(len(one["records"]) for one in plays)
    attempts = sum(bool(one["attempt"]) for play in plays for one in play["batches"])
    told = [counted(len(plays), "play"), counted(records, "record"), counted(attempts, "attempt")]
    return f"{', '.join(told)}; seed {run['seed']}. Times are virtual, from each play's start."


def _stopped(finding: dict[str, Any] | None, side: str) -> str:
    if finding is None:
        return ""
    rows = [
        f"<dt>{name}</dt><dd>{text(str(finding[name]))}</dd>"
        for name in ("rule", "expected", "observed", "why", "where", "next")
    ]
    heading = f"<h2>{side or 'It'} could not be played to its end</h2>"
    return f'<section class="stopped">{heading}<dl>{"".join(rows)}</dl></section>'


def _play(play: Play, number: int, side: str) -> str:
    title = play["title"] or f"play {number}"
    parts = [f"<h2>{text(_headed(title, side))}</h2>"]
    if play["story"]:
        parts.append(f"<p>{text(play['story'])}</p>")
    if play["figures"]:
        parts.append(_table("Figures", ("what", "value", "limit"), _figures(play)))
    parts.append(_table("What was done", viewing.MOMENT_HEADINGS, viewing.moment_rows(play)))
    for one in viewing.stills(play):
        # The attempts have a table with more of them below.
        twin = one.title != viewing.LANES
        parts.append(f'<div class="still">{one.figure(twin=twin)}</div>')
    if left := len(play["metrics"]) - len(viewing.charts(play)):
        more = f"{counted(left, 'metric')} not drawn"
        parts.append(f"<p>{more}: all zero, looked at by no alarm, or too many. See --json.</p>")
    parts.append(_table("Mappings", viewing.STATE_HEADINGS, viewing.state_rows(play)))
    parts.append(_table("Attempts", viewing.ATTEMPT_HEADINGS, viewing.attempt_rows(play)))
    parts.append(_table("Records", viewing.RECORD_HEADINGS, viewing.record_rows(play)))
    parts.append(_table("Failure notes", viewing.NOTE_HEADINGS, viewing.note_rows(play)))
    return f"<section>{''.join(parts)}</section>"


def _headed(title: str, side: str) -> str:
    return f"{side}: {title}" if side else title[0].upper() + title[1:]


def _figures(play: Play) -> Iterable[list[str]]:
    for one in play["figures"]:
        yield [one["name"], one["value"], one["limit"]]


def _table(name: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table under its heading; nothing where it has no rows."""
    every = list(rows)
    if not every:
        return ""
    drawn = scrolled(name, table(headings, every))
    return f"<details><summary>{name} ({len(every)})</summary>{drawn}</details>"


def _told(lines: Sequence[str], side: str, *, whole: bool) -> str:
    """The lines, folded unless they are all there is."""
    if not lines:
        return ""
    told = escape("\n".join(clean(line) for line in lines))
    drawn = scrolled("What labs run prints", f"<pre>{told}</pre>")
    shown = " open" if whole else ""
    folded = f"<details{shown}><summary>What labs run prints</summary>{drawn}</details>"
    return f"<section><h2>{_headed('in lines', side)}</h2>{folded}</section>"


def text(told: str) -> str:
    """Text of others as it may stand in HTML."""
    return escape(clean(told))
