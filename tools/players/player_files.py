"""The files of a player: its recording, its still picture, and the block that a page includes.

The recording is a script, so that it loads from disk; it holds letters and digits only. The block
is all that is seen without scripts: the still picture, and the same as a table.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from player_model import Play, Player, Switch

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
from grader.replay.naming import clock, duration
from grader.replay.scene import BY_HAND
from grader.replay.viewing import ALARMS as ALARM_STATES
from grader.replay.viewing import ATTEMPTS, MINUTE_MS, RECORDS, records_of

WRITTEN = "Written by `labs dev sync` from tools/players. Do not edit."
# Of a table of more positions those are printed that have the settings of the picture.
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
        f"<p>{escape(_beside(player, document))}</p>",
        _scrolled(
            f"{player.title}, every position",
            _positions(player, document),
            "player-long" if len(document["plays"]) > MOST_PRINTED else "",
        ),
        *_each(player, document),
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
    row = " | ".join(_rows(player, document)[number])
    return "\n".join([_beside(player, document), row, *lines])


def _scrolled(name: str, content: str, kind: str = "") -> str:
    classes = f"player-table {kind}".rstrip()
    attributes = f'role="region" tabindex="0" aria-label="{escape(name)}"'
    # The theme wraps every table without a class, which takes a page of sixty of them its time.
    content = content.replace("<table>", '<table class="player-rows">')
    return f'<div class="{classes}" {attributes}>{content}</div>'


def _positions(player: Player, document: Play) -> str:
    """One row for each position: its switches, the figures of its play, what its alarm did."""
    names = [*(one.name for one in player.switches), *_figure_names(document)]
    names += ["highest iterator age"] * _aging(document)
    alarms = any(play["alarms"] for play in document["plays"])
    rows = _merged(player, [row[len(player.switches) :] for row in _rows(player, document)])
    drawn = table(names + ["changes of its state"] * alarms, rows)
    if len(document["plays"]) <= MOST_PRINTED:
        return drawn
    kept = iter(
        all(
            one == "any" or first in one.split(" or ")
            for one, first in zip(row[1 : len(player.first)], player.first[1:], strict=True)
        )
        for row in rows
    )
    return re.sub(
        r'<tr>(?=<th scope="row">)',
        lambda row: '<tr class="printed">' if next(kept) else row[0],
        drawn,
    )


def _figure_names(document: Play) -> list[str]:
    return list(dict.fromkeys(one["name"] for play in document["plays"] for one in play["figures"]))


def _rows(player: Player, document: Play) -> list[list[str]]:
    rows = []
    for (labels, _), play in zip(player.positions(), document["plays"], strict=True):
        known = {one["name"]: _figure(one) for one in play["figures"]}
        figures = [known.get(name, "") for name in _figure_names(document)]
        figures += [_highest(play) or "not drawn"] * _aging(document)
        rows.append([*labels, *figures, *(_states(one) for one in play["alarms"])])
    return rows


def _aging(document: Play) -> bool:
    """Whether the age is a column: most plays show it, and it is not that of the whole incident."""
    shown = [bool(play["records"] and _highest(play)) for play in document["plays"]]
    return 2 * sum(shown) > len(shown)


def _highest(play: Play) -> str:
    metrics = [one for one in play["metrics"] if one["name"] == "IteratorAge"]
    ages = [entry[5] for one in metrics for entry in one["minutes"]]
    return duration(max(ages)) if ages else ""


def _figure(figure: Play) -> str:
    sign = {True: " ✓", False: " ✕", None: ""}[figure["met"]]
    limit = f" ({figure['limit']})" if figure["limit"] else ""
    return f"{figure['value']}{limit}{sign}"


def _states(alarm: Play) -> str:
    """An alarm's changes of state; from the second one on how many more there are."""
    told = [f"{ALARM_STATES[state].name} at {clock(at)}" for at, state, _ in alarm["states"]]
    more = [f"and {counted(len(told) - 4, 'change')} more"] if len(told) > 4 else []
    return ", ".join(told[:4] + more) or "none: it has no data"


def _merged(player: Player, told: Sequence[Sequence[str]]) -> list[list[str]]:
    """What is told of each position behind its labels; positions of which the same is told are one.

    They differ in one switch: its labels are joined, and all of them together are "any". Those of
    the first switch are what a reader looks for, and stay apart.
    """
    rows = [
        (tuple(labels), (*one,)) for (labels, _), one in zip(player.positions(), told, strict=True)
    ]
    for place, switch in reversed([*enumerate(player.switches)]):
        found: dict[Any, list[str]] = {}
        for labels, one in rows:
            found.setdefault((labels[:place], labels[place + 1 :], one), []).append(labels[place])
        rows = [
            ((*before, label, *after), one)
            for (before, after, one), alike in found.items()
            for label in _joined(alike, switch, apart=place == 0)
        ]
    first = ["any", *player.switches[0].labels]
    rows.sort(key=lambda one: first.index(one[0][0]))
    return [[*labels, *one] for labels, one in rows]


def _joined(alike: Sequence[str], switch: Switch, *, apart: bool) -> Sequence[str]:
    if alike == switch.labels:
        return ["any"]
    return alike if apart else [" or ".join(alike)]


def _beside(player: Player, document: Play) -> str:
    """What holds for all positions: which one is drawn, and what is written, or done, when."""
    told = [f"The picture shows: {_position(player, player.first)}."]
    plays = document["plays"]
    if _alike(document):
        written = " · ".join(f"{clock(at)} {what}" for at, what in _writes(plays[0]))
        told.append(f"Written in each: {written}.")
    known = {}
    for (labels, _), play in zip(player.positions(), plays, strict=True):
        if not play["records"]:
            marks = [clock(one["at"]) for one in play["moments"]]
            marks.append(f"age up to {_highest(play)}")
            known[labels[0]] = f"{labels[0]} {', '.join(marks)}"
    if known:
        told.append(f"Marks, and the highest iterator age: {'; '.join(known.values())}.")
    return " ".join(told)


def _position(player: Player, labels: Sequence[str]) -> str:
    return "; ".join(
        f"{switch.name}: {label}" for switch, label in zip(player.switches, labels, strict=True)
    )


def _alike(document: Play) -> bool:
    """Whether the same is written in every position."""
    first, *others = [_writes(play) for play in document["plays"]]
    return bool(first) and all(one == first for one in others)


def _writes(play: Play) -> list[tuple[int, str]]:
    """When which records were written; those that came at an even pace are one."""
    rest = [
        (at, [one["name"] for one in run])
        for at, run in groupby(play["records"], key=lambda one: one["written"])
    ]
    found = []
    while rest:
        steps = [later[0] - one[0] for one, later in pairwise(rest)]
        many = 1 + next((n for n, step in enumerate(steps) if step != steps[0]), len(steps))
        if many < 3 or any(len(names) > 1 for _, names in rest[:many]):
            found.append((rest[0][0], _listed(rest[0][1])))
            many = 1
        else:
            pace = f"one every {duration(steps[0])}, until {clock(rest[many - 1][0])}"
            found.append((rest[0][0], f"{rest[0][1][0]} to {rest[many - 1][1][0]}, {pace}"))
        rest = rest[many:]
    return found


def _listed(names: Sequence[str]) -> str:
    """The first names; one that comes again is told with how often it comes."""
    times = Counter(names)
    names = [f"{name} {many} times" if many > 1 else name for name, many in times.items()]
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return "; ".join(names[:NAMED]) + more


def _each(player: Player, document: Play) -> Iterator[str]:
    """What happened in each position, line by line."""
    apart = not _alike(document)
    drawn = []
    for play in document["plays"]:
        written = [(at, (f"written: {what}", "")) for at, what in _writes(play)] if apart else []
        lines = sorted([*written, *happened(play)], key=lambda one: one[0])
        rows = [[clock(at), *line] for at, line in lines]
        drawn.append([table(("when", "what", "how it went"), rows) if play["records"] else ""])
    for *labels, one in _merged(player, drawn):
        if one:
            summary, name = escape(_position(player, labels)), ", ".join(labels)
            yield (
                '<details class="player-each" data-search-exclude>'
                f"<summary>{summary}</summary>{_scrolled(name, one)}</details>"
            )


def happened(play: Play) -> list[tuple[int, tuple[str, str]]]:
    """Every event of a play as (when, (what, how it went)); equal attempts in a row are one.

    In one millisecond what somebody did comes before what follows from it.
    """
    ages = defaultdict[int, list[int]](list)
    for record in play["records"]:
        for fate in record["fates"]:
            if fate["batch"] is not None:
                ages[fate["batch"]].append(fate["at"] - record["written"])
    found = [
        *((one["at"], (one["what"], "")) for one in play["moments"]),
        *_attempts(play, ages),
        *_asides(play),
        *((one["at"], _note(play, one, ages)) for one in play["notes"]),
    ]
    return sorted(found, key=lambda one: one[0])


def _aged(ages: Sequence[int]) -> str:
    """How old records (ms) were when they were dealt with: the youngest, and the oldest."""
    if not ages:
        return ""
    least, most = (
        duration(one) if one >= 1000 else f"{one / 1000:g} s" for one in (min(ages), max(ages))
    )
    number, _, unit = least.partition(" ")
    if least == most:
        return f", {most} after the write"
    return f", {number if most.endswith(f' {unit}') else least} to {most} after the write"


Ages = Mapping[int, Sequence[int]]


def _attempts(play: Play, ages: Ages) -> Iterator[tuple[int, tuple[str, str]]]:
    invoked = {one["batch"]: one for one in play["invocations"] if one["batch"]}
    # What was given up untried stands in its note.
    tried = [one for one in play["batches"] if one["attempt"]]
    many = len({viewing.lane_name(play, one) for one in tried}) > 1

    def alike(one: Play) -> tuple[Any, ...]:
        if len(tried) > MOST_LINES:
            return (one["lane"], one["shard"], viewing.key_of(one), one["error"])
        calls = invoked[one["id"]]["calls"] if one["id"] in invoked else []
        said = [call[1:] for call in calls]
        return (one["lane"], one["shard"], one["batch"], viewing.key_of(one), one["error"], said)

    ordered = sorted(tried, key=lambda one: (one["shard"] or 0, one["lane"], one["id"]))
    for _, run in groupby(ordered, key=alike):
        same = list(run)
        first, last = same[0], same[-1]
        if len(same) > 1 and first["batch"] != last["batch"]:
            yield _many(play, same, ages)
            continue
        lane = f"{viewing.lane_name(play, first).partition(', ')[2]}: " if many else ""
        times = _times(same)
        records = records_of(play, first["records"], NAMED)
        calls = _calls(invoked[first["id"]]) if first["id"] in invoked else ""
        what = f"{lane}{first['batch']}{times}: {records}"
        yield first["start"], (what, _ended(same, ages) + calls)


def _many(play: Play, batches: Sequence[Play], ages: Ages) -> tuple[int, tuple[str, str]]:
    """Batches of one lane that ended alike, in one line."""
    first = batches[0]
    sizes = [sum(high - low + 1 for low, high in one["records"]) for one in batches]
    lane = viewing.lane_name(play, first).partition(", ")[2]
    each = "1 record" if max(sizes) == 1 else f"{between(sizes)} records"
    what = f"{lane}: {counted(len(batches), 'attempt')} with {each}{' each' * (len(batches) > 1)}"
    return first["start"], (what, _ended(batches, ages))


def between(sizes: Sequence[int]) -> str:
    """The least and the most, or the one that all are."""
    least, most = min(sizes), max(sizes)
    return str(most) if least == most else f"{least} to {most}"


def _ended(same: Sequence[Play], ages: Ages) -> str:
    """How attempts that ended alike did, how old their records then were, and until when."""
    first, last = same[0], same[-1]
    key = viewing.key_of(first)
    told = ATTEMPTS[key].name + (f" ({first['error']})" if first["error"] else "")
    if key in ("done", "partial"):
        told += _aged([age for one in same for age in ages.get(one["id"], ())])
    return told + (f", until {clock(last['end'] or last['start'])}" if len(same) > 1 else "")


def _times(same: Sequence[Play]) -> str:
    """Which attempts of one batch these are; a throttled one does not count up."""
    first, last = same[0]["attempt"], same[-1]["attempt"]
    if first < last:
        return f", attempts {first:,} to {last:,}"
    return f", attempt {first}" + (f", {len(same)} times" if len(same) > 1 else "")


def _calls(invocation: Play) -> str:
    """The calls of an invocation and how they ended."""
    told = [f"{operation} {ended}" for _, _, operation, ended in invocation["calls"]]
    if invocation["ended_by"]:
        told = [one.removesuffix(": the environment died") for one in told]
        told.append(invocation["ended_by"])
    return f"; {'; '.join(told)}" if told else ""


def _asides(play: Play) -> Iterator[tuple[int, tuple[str, str]]]:
    """Records whose end is none of an attempt; those that ended alike are one line."""
    told = defaultdict[tuple[str, str], list[tuple[int, int, str]]](list)
    for record in play["records"]:
        for fate in record["fates"]:
            if fate["batch"] is None:
                at = play["length"] if fate["at"] is None else fate["at"]
                told[fate["how"], fate["why"]].append((at, record["written"], record["name"]))
    for (how, why), ones in told.items():
        what = f"{counted(len(ones), 'record')}: {_listed([name for *_, name in ones])}"
        ended = RECORDS[how].name + (f", {why}" if why else "")
        if how == "waiting":
            ended += _aged([at - written for at, written, _ in ones])
        first, last = min(ones)[0], max(ones)[0]
        yield first, (what, ended + (f", until {clock(last)}" if last > first else ""))


def _note(play: Play, note: Play, ages: Ages) -> tuple[str, str]:
    batch = play["batches"][note["batch"] - 1]
    what = f"{ATTEMPTS[viewing.key_of(batch)].name}: {records_of(play, note['records'], NAMED)}"
    arrived = "a note arrived" if note["arrived"] else f"no note arrived: {note['why']}"
    return what, f"{note['condition']}{_aged(ages[batch['id']])}; {arrived}"


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
    # In a picture nobody can point at a mark: neither its words nor that it is one are told.
    drawn = stacked(player.title, drawings).picture(player.picture)
    head, end, marks = drawn.partition("</desc>")
    return head + end + re.sub(r'<g class="mark".*?</title>(.*?)</g>', r"\1", marks)


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
    again = [one["at"] for one in record["fates"] if one["by"] == BY_HAND and how != "done"]
    spans += [(done, min([*again, play["length"]]), how)]
    spans += [(at, play["length"], "redriven") for at in again[:1]]
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
