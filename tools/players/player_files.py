"""The files of a player: its recording, its still picture, and the block that a page includes.

The recording is a script, so that it loads from disk; it holds letters and digits only. The block
is all that is seen without scripts: the still picture, and the same as a table.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from player_model import Play, Player

from grader.cloud.words import counted
from grader.replay import page, viewing
from grader.replay.drawing import (
    Axis,
    Drawing,
    Event,
    Lane,
    Limit,
    Line,
    Span,
    lanes,
    series,
    stacked,
    table,
)
from grader.replay.folding import Folding
from grader.replay.viewing import ALARMS as ALARM_STATES
from grader.replay.viewing import ATTEMPTS, MINUTE_MS, RECORDS, clock, records_of

WRITTEN = "Written by `labs dev sync` from tools/players. Do not edit."
# A table of more positions is not printed.
MOST_PRINTED = 32
# How many records of one line are named.
NAMED = 8
# What has more attempts than this is told in runs of those that ended alike.
MOST_LINES = 12


def viewer() -> str:
    """The viewer as a script of the site: the code and the rules of `grader.replay.page`."""
    style = json.dumps(_inside(page.style()))
    return (
        f"// {WRITTEN}\n(() => {{\n{page.script()}"
        f"globalThis.streamlabs.viewer = {{mount, unpack, style: {style}}};\n"
        "})();\n"
    )


def _inside(rules: str) -> str:
    """A page's rules for a tree inside another page.

    What a page takes from the system, such a tree takes from its host: colours by a class, the size
    of letters by its own instead of the page's root.
    """
    rules = rules.replace("@media screen and (prefers-color-scheme:dark){:root", DARK)
    rules = rules.replace(":root{color-scheme:light dark;", ":host{color-scheme:light;")
    return re.sub(r"(?<=\d)rem\b", "em", rules) + HOST


DARK = "@media screen{:host(.dark){color-scheme:dark}:host(.dark)"
HOST = (
    ':host{font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif;color:var(--ink)}'
    ".viewer{margin:0 0 .8em;background:var(--paper)}"
)


def script(player: Player, document: Play) -> str:
    """The recording as a script that hands it over."""
    switches = [{"name": one.name, "labels": one.labels} for one in player.switches]
    packed = page.packed(
        document, course="../", switches=switches, first=player.position(player.first)
    )
    return f'// {WRITTEN}\nglobalThis.streamlabs.recorded("{player.id}", "{packed}");\n'


# -- what needs no script -------------------------------------------------------------------------


def at_the_start(player: Player, document: Play) -> str:
    """The block for the start page, which lies one folder higher.

    What happened in each position stands in its module.
    """
    lines = block(player, document).replace('src="../', 'src="').splitlines()
    kept = [line for line in lines if not line.startswith('<details class="player-each"')]
    there = f'<p><a href="{player.page}.html#player-{player.id}">What happened in each</a></p>'
    end = kept.index("</details>")
    return "\n".join([*kept[:end], there, *kept[end:], ""])


def block(player: Player, document: Play) -> str:
    """The HTML that a page includes; no line of it is blank, so that Markdown leaves it alone."""
    question, title = player.question, escape(player.title)
    lines = [
        f"<!-- {WRITTEN} -->",
        f'<div class="player" id="player-{player.id}" data-player="{player.id}" role="group" '
        f'aria-label="{title}">',
        f'<p class="player-title"><strong>{title}</strong> {escape(player.about)}</p>',
        f'<div class="player-still"><img class="picture" loading="lazy" {_size(player, document)} '
        f'src="../assets/players/{player.id}.svg" alt="{escape(player.picture)}"></div>',
        "<details data-search-exclude>"
        f"<summary>{escape(player.title)}: every position as a table</summary>",
        _scrolled(
            f"{player.title}, every position",
            _positions(player, document),
            "player-long" if len(document["plays"]) > MOST_PRINTED else "",
        ),
        *(_each(play) for play in document["plays"] if play["records"]),
        "</details>",
        f"<details data-search-exclude><summary>Ask it: {escape(question.ask)}</summary>"
        f"<p>{escape(question.answer)}</p></details>",
        "</div>",
        "",
    ]
    return "\n".join(lines)


def _size(player: Player, document: Play) -> str:
    """The still picture's own width and height: a page keeps the place for it."""
    found = re.search(r'width="\d+" height="\d+"', still(player, document))
    assert found is not None, player.id
    return found[0]


def told(player: Player, document: Play, labels: Sequence[str]) -> str:
    """All that a page's tables say of one position, as text."""
    number = player.position(labels)
    play = document["plays"][number]
    lines = [f"{clock(at)} {what} {how}" for at, (what, how) in happened(play)]
    return "\n".join([" | ".join(_rows(player, document)[number]), *lines])


def _scrolled(name: str, content: str, kind: str = "") -> str:
    classes = f"player-table {kind}".rstrip()
    attributes = f'role="region" tabindex="0" aria-label="{escape(name)}"'
    # The theme wraps every table without a class, which takes a page of sixty of them its time.
    content = content.replace("<table>", '<table class="player-rows">')
    return f'<div class="{classes}" {attributes}>{content}</div>'


def _positions(player: Player, document: Play) -> str:
    """One row for each position: its switches, the figures of its play, what its alarm did."""
    names = [*(one.name for one in player.switches), *_figure_names(document)]
    alarms = any(play["alarms"] for play in document["plays"])
    return table(names + ["changes of its state"] * alarms, _rows(player, document))


def _figure_names(document: Play) -> list[str]:
    return list(dict.fromkeys(one["name"] for play in document["plays"] for one in play["figures"]))


def _rows(player: Player, document: Play) -> list[list[str]]:
    rows = []
    for (labels, _), play in zip(player.positions(), document["plays"], strict=True):
        known = {one["name"]: _figure(one) for one in play["figures"]}
        figures = [known.get(name, "") for name in _figure_names(document)]
        rows.append([*labels, *figures, *(_states(one) for one in play["alarms"])])
    return rows


def _figure(figure: Play) -> str:
    sign = {True: " ✓", False: " ✕", None: ""}[figure["met"]]
    limit = f" ({figure['limit']})" if figure["limit"] else ""
    return f"{figure['value']}{limit}{sign}"


def _states(alarm: Play) -> str:
    """An alarm's changes of state; from the second one on how many more there are."""
    told = [f"{ALARM_STATES[state].name} at {clock(at)}" for at, state, _ in alarm["states"]]
    more = [f"and {counted(len(told) - 4, 'change')} more"] if len(told) > 4 else []
    return ", ".join(told[:4] + more) or "none: it has no data"


def _each(play: Play) -> str:
    """What happened in one position, line by line."""
    rows = [[clock(at), *line] for at, line in happened(play)]
    return (
        '<details class="player-each" data-search-exclude>'
        f"<summary>{escape(play['title'])}</summary>"
        + _scrolled(play["title"], table(("when", "what", "how it went"), rows))
        + "</details>"
    )


def happened(play: Play) -> list[tuple[int, tuple[str, str]]]:
    """Every event of a play as (when, (what, how it went)); equal attempts in a row are one."""
    found = [
        *_attempts(play),
        *_asides(play),
        *((one["at"], (one["what"], "")) for one in play["moments"]),
        *((one["at"], _note(play, one)) for one in play["notes"]),
    ]
    return sorted(found, key=lambda one: one[0])


def _attempts(play: Play) -> Iterator[tuple[int, tuple[str, str]]]:
    invoked = {one["batch"]: one for one in play["invocations"] if one["batch"]}
    many = len({viewing.lane_name(play, one) for one in play["batches"]}) > 1

    def alike(one: Play) -> tuple[Any, ...]:
        if len(play["batches"]) > MOST_LINES:
            return (one["lane"], one["shard"], viewing.key_of(one), one["error"])
        calls = invoked[one["id"]]["calls"] if one["id"] in invoked else []
        said = [call[1:] for call in calls]
        return (one["lane"], one["shard"], one["batch"], viewing.key_of(one), one["error"], said)

    ordered = sorted(play["batches"], key=lambda one: (one["shard"] or 0, one["lane"], one["id"]))
    for _, run in groupby(ordered, key=alike):
        same = list(run)
        first, last = same[0], same[-1]
        if len(same) > 1 and first["batch"] != last["batch"]:
            yield _many(play, same)
            continue
        lane = f"{viewing.lane_name(play, first).partition(', ')[2]}: " if many else ""
        times = _times(same)
        records = records_of(play, first["records"], NAMED)
        until = f", until {clock(last['end'] or last['start'])}" if len(same) > 1 else ""
        calls = _calls(invoked[first["id"]]) if first["id"] in invoked else ""
        what = f"{lane}{first['batch']}{times}: {records}"
        yield first["start"], (what, _ended(first) + until + calls)


def _many(play: Play, batches: Sequence[Play]) -> tuple[int, tuple[str, str]]:
    """Batches of one lane that ended alike, in one line."""
    first, last = batches[0], batches[-1]
    sizes = [sum(high - low + 1 for low, high in one["records"]) for one in batches]
    lane = viewing.lane_name(play, first).partition(", ")[2]
    each = "1 record" if max(sizes) == 1 else f"{between(sizes)} records"
    what = f"{lane}: {counted(len(batches), 'attempt')} with {each}{' each' * (len(batches) > 1)}"
    return first["start"], (what, f"{_ended(first)}, until {clock(last['end'] or last['start'])}")


def between(sizes: Sequence[int]) -> str:
    """The least and the most, or the one that all are."""
    least, most = min(sizes), max(sizes)
    return str(most) if least == most else f"{least} to {most}"


def _ended(batch: Play) -> str:
    ended = ATTEMPTS[viewing.key_of(batch)].name
    return f"{ended} ({batch['error']})" if batch["error"] else ended


def _times(same: Sequence[Play]) -> str:
    """Which attempts of one batch these are; a throttled one does not count up."""
    first, last = same[0]["attempt"], same[-1]["attempt"]
    if not first:
        return ""
    if first < last:
        return f", attempts {first:,} to {last:,}"
    return f", attempt {first}" + (f", {len(same)} times" if len(same) > 1 else "")


def _calls(invocation: Play) -> str:
    """The calls of an invocation and how they ended."""
    told = [f"{operation} {ended}" for _, _, operation, ended in invocation["calls"]]
    if invocation["ended_by"]:
        told.append(invocation["ended_by"])
    return f"; {'; '.join(told)}" if told else ""


def _asides(play: Play) -> Iterator[tuple[int, tuple[str, str]]]:
    """Records that were dealt with without an attempt."""
    told: dict[tuple[int, str, str], list[str]] = {}
    for record in play["records"]:
        for fate in record["fates"]:
            if fate["batch"] is None and fate["at"] is not None:
                place = (fate["at"], fate["how"], fate["why"])
                told.setdefault(place, []).append(record["name"])
    for (at, how, why), names in told.items():
        more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
        what = f"{counted(len(names), 'record')}: {'; '.join(names[:NAMED])}{more}"
        yield at, (what, f"{RECORDS[how].name}, {why}" if why else RECORDS[how].name)


def _note(play: Play, note: Play) -> tuple[str, str]:
    records = records_of(play, note["records"], NAMED)
    arrived = "a note arrived" if note["arrived"] else f"no note arrived: {note['why']}"
    return f"given up: {records}", f"{note['condition']}; {arrived}"


# -- the still picture ----------------------------------------------------------------------------

WIDE = 380
MOST_POINTS = 40
MAPPING = "OrdersToTotals"
# A play below this length (ms) is told in seconds.
SHORT_MS = 100_000
# A picture has a row for each record where there are no more of them.
MOST_RECORDS = 14
# A record that was tried more often is in work all the time.
MOST_SPANS = 24


def still(player: Player, document: Play) -> str:
    """The first position as a picture of its own: records, or lanes and alarms, and the age."""
    play = document["plays"][player.position(player.first)]
    time = viewing.folding(play)
    axis = Axis(
        "time since the start", lambda place: _when(play, time.moment(place)), places=time.steps()
    )
    if 0 < len(play["records"]) <= MOST_RECORDS:
        drawings = [
            lanes("", axis, [_life(play, one, time) for one in play["records"]], width=WIDE)
        ]
    else:
        rows = [*viewing.attempt_lanes(play, time), *viewing.alarm_lanes(play, time)]
        short = [Lane(one.name.removeprefix(f"{MAPPING}, "), one.spans) for one in rows]
        drawings = [lanes("", axis, short, _events(play, time), width=WIDE)]
    drawings += _age(play, time, axis)
    # In a picture nobody can point at a mark: neither its words nor its order are told.
    drawn = stacked(player.title, drawings).picture(player.picture)
    head, end, marks = drawn.partition("</desc>")
    return head + end + re.sub(r'<title>.*?</title>| role="img" tabindex="-1"', "", marks)


def _when(play: Play, moment: float) -> str:
    """A moment with as much of it as there is room for."""
    if play["length"] >= SHORT_MS:
        return clock(round(moment, -3))
    seconds = f"{round(moment) / 1000:g} s"
    return seconds if play["length"] >= 1000 else f"{moment:.0f} ms"


def _events(play: Play, time: Folding) -> list[Event]:
    return [
        Event(time.place(one["at"]), str(number))
        for number, one in enumerate(play["moments"], start=1)
    ]


def _age(play: Play, time: Folding, axis: Axis) -> list[Drawing]:
    """Iterator age, the oldest of each minute, where the play has any to show."""
    points = [
        (time.place(minute * MINUTE_MS), most / MINUTE_MS)
        for metric in play["metrics"]
        if metric["name"] == "IteratorAge"
        for low, high, _, _, _, most in metric["minutes"]
        for minute in sorted({low, high})
    ]
    up = Axis("iterator age, minutes")
    if not any(height for _, height in points):
        return []
    line = Line("", viewing.thinned(points, MOST_POINTS))
    limits = [
        Limit(one["said"], one["value"] / MINUTE_MS)
        for chart in viewing.charts(play)
        if play["metrics"][chart["metric"]]["name"] == "IteratorAge"
        for one in chart["limits"]
    ]
    return [series("", axis, up, [line], (), limits, width=WIDE)]


def _life(play: Play, record: Play, time: Folding) -> Lane:
    """A record from its write to the end of the play: waiting, in work, and what became of it."""
    ends = [one["at"] for one in record["fates"] if one["at"] is not None]
    done = min([*ends, play["length"]])
    spans, at = [], record["written"]
    tried = [
        one
        for one in sorted(play["batches"], key=lambda batch: batch["start"])
        if any(low <= record["id"] <= high for low, high in one["records"])
    ]
    if len(tried) > MOST_SPANS:
        tried = [{**tried[0], "end": tried[-1]["end"]}]
    for one in tried:
        end = min(play["length"] if one["end"] is None else one["end"], done)
        if one["start"] > at:
            spans.append((at, one["start"], "waiting"))
        if end > one["start"]:
            spans.append((one["start"], end, "work"))
        at = max(at, end)
    if done > at:
        spans.append((at, done, "waiting"))
    how = record["fates"][0]["how"] if record["fates"] else "waiting"
    spans.append((done, play["length"], how))
    drawn = [Span(time.place(a), time.place(b), RECORDS[name]) for a, b, name in spans if b > a]
    return Lane(record["name"], drawn)


# -- the files themselves -------------------------------------------------------------------------

_PACKED = re.compile(r'"([A-Za-z0-9+/=]{99,})"')


def same(path: Path, text: str) -> bool:
    """Whether a file says this. Recordings are compared unpacked: compressors differ in bytes."""
    return path.is_file() and unpacked(path.read_text(encoding="utf-8")) == unpacked(text)


def unpacked(text: str) -> Any:
    """The recording in a script; the text itself where there is none."""
    found = _PACKED.search(text)
    return text if found is None else json.loads(gzip.decompress(base64.b64decode(found[1])))
