"""What a page shows of a play, worked out once: the words, the folded time, lanes, charts, tables.

The still pictures and tables of `grader.replay.page` and its script use the same: what an attempt
is called, which sign it has, where a moment lies, which metrics are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import Any

from grader.cloud.words import counted
from grader.replay.drawing import (
    WIDTH,
    Axis,
    Drawing,
    Event,
    Lane,
    Limit,
    Line,
    Span,
    State,
    lanes,
    series,
)
from grader.replay.folding import Folding
from grader.replay.naming import clock, duration

Play = dict[str, Any]
MINUTE_MS = 60_000

# What became of an attempt.
ATTEMPTS = {
    "done": State("done", "✓", "good"),
    "partial": State("done in part", "◐", "warn"),
    "failed": State("failed, comes again", "✕", "bad"),
    "split": State("failed, is split", "÷", "bad"),
    "discard": State("given up", "⊘", "bad"),
    # A batch that got too old while it waited: nothing is tried any more.
    "unsent": State("given up before the next attempt", "⊖", "bad"),
    "throttled": State("throttled", "‖", "quiet"),
    "running": State("still running", "›", "quiet"),
}
# What a record is at a moment.
RECORDS = {
    "waiting": State("waiting", "○", "quiet"),
    "work": State("in work", "◔", "warn"),
    "done": State("done", "✓", "good"),
    "noted": State("given up, with a note", "✉", "warn"),
    # What a mapping gave up and somebody handed to the function later, by hand.
    "redriven": State("redriven", "↻", "good"),
    "lost": State("lost", "✕", "bad"),
    "filtered": State("filtered out", "–", "quiet"),
}
ALARMS = {
    "OK": State("OK", "✓", "good"),
    "ALARM": State("ALARM", "!", "bad"),
    "INSUFFICIENT_DATA": State("no data", "?", "quiet"),
}
# Where the course explains what a setting decides.
PAGES = {
    "FunctionResponseTypes": "modules/02-lambda-triggers#batch-item-failures",
    "BisectBatchOnFunctionError": "modules/02-lambda-triggers#bad-records",
    "MaximumRetryAttempts": "modules/02-lambda-triggers#retries-and-age",
    "MaximumRecordAgeInSeconds": "modules/02-lambda-triggers#retries-and-age",
}
LANES = "What each lane did"
# Metrics that are drawn wherever they say anything: name, statistic (a place in a minute's entry).
SUM, MOST = 3, 5
ALWAYS = {"IteratorAge": MOST, "Errors": SUM, "Throttles": SUM, "Lag": MOST}
MOST_CHARTS = 12
# A still picture has so many spans or points, a table so many records; more of them are folded.
MOST_SPANS, MOST_POINTS, MOST_ROWS = 400, 120, 1_000


def key_of(batch: Play) -> str:
    """What became of an attempt: a key of `ATTEMPTS`."""
    decided = {"advance": "done", "partial": "partial", "split": "split", "discard": "discard"}
    if batch["outcome"] in ("throttled", "running"):
        return str(batch["outcome"])
    if batch["decision"] == "discard" and not batch["attempt"]:
        return "unsent"
    if batch["decision"] is None:
        return "done" if batch["outcome"] == "returned" else "failed"
    return decided.get(batch["decision"], "failed")


def called(batch: Play) -> str:
    """An attempt by its batch and number; what was given up before its next attempt has none."""
    attempt = f", attempt {batch['attempt']}" if batch["attempt"] else ""
    return f"{batch['batch']}{attempt}"


def folding(play: Play) -> Folding:
    """The time of a play, without its long pauses."""
    return Folding(_moments(play), play["length"])


def _moments(play: Play) -> Iterator[float]:
    for one in play["batches"]:
        yield one["start"]
        if one["end"] is not None:
            yield one["end"]
    for one in play["records"]:
        yield one["written"]
    for name in ("moments", "notes", "states"):
        yield from (one["at"] for one in play[name])
    for one in play["alarms"]:
        yield from (change[0] for change in one["states"])
    if not play["batches"]:
        for one in play["metrics"]:
            yield from (MINUTE_MS * entry[0] for entry in one["minutes"])


def lane_name(play: Play, batch: Play) -> str:
    """The lane of an attempt; without a mapping the environment of the function."""
    if batch["shard"] is None:
        return f"{batch['by']}, environment {batch['lane']}"
    shard = play["shards"][batch["shard"] - 1]
    return f"{batch['by']}, {shard['name']}, lane {batch['lane']}"


def records_of(play: Play, spans: Sequence[Sequence[int]], most: int = 3) -> str:
    """Records by name: the first ones, and how many more."""
    numbers = [one for first, last in spans for one in range(first, last + 1)]
    told = "; ".join(play["records"][one - 1]["name"] for one in numbers[:most])
    more = len(numbers) - most
    return (told + (f"; and {more} more" if more > 0 else "")) or "no records"


def charts(play: Play) -> list[Play]:
    """The metrics that are drawn: title, unit, place in a minute's entry, place in the document."""
    watched = {name for alarm in play["alarms"] for name in alarm["watches"]}
    found = []
    for number, metric in enumerate(play["metrics"]):
        name = metric["name"]
        statistic = ALWAYS.get(name, SUM if name in watched else None)
        if statistic is None or not any(one[5] for one in metric["minutes"]):
            continue
        if name not in ALWAYS and metric["unit"] in ("Milliseconds", "Seconds", "None"):
            statistic = MOST
        of = ", ".join(value for value in metric["of"].values())
        title = f"{name} of {of}" if of else name
        what = "sum" if statistic == SUM else "highest"
        unit = "" if metric["unit"] in ("None", "Count") else f", {metric['unit']}"
        found.append(
            {
                "title": title,
                "unit": f"{what} of each minute{unit}",
                "at": statistic,
                "metric": number,
                "limits": [*_limits(play, metric)],
            }
        )
    rank = {name: place for place, name in enumerate(ALWAYS)}
    found.sort(key=lambda one: rank.get(play["metrics"][one["metric"]]["name"], len(rank)))
    return found[:MOST_CHARTS]


_SIGNS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": "≥",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "≤",
}


def _limits(play: Play, metric: Play) -> Iterator[Play]:
    """The thresholds of alarms on a metric: how one is said, and its height."""
    for alarm in play["alarms"]:
        limit = alarm["threshold"]
        if limit and all(limit[key] == metric[key] for key in ("namespace", "name", "of")):
            timed = metric["unit"] == "Milliseconds" and limit["value"] >= 0
            value = duration(limit["value"]) if timed else f"{limit['value']:,.10g}"
            taken = f"{limit['statistic']} of {duration(1000 * limit['seconds'])}"
            said = f"{alarm['name']}: {taken} {_SIGNS[limit['comparison']]} {value}"
            yield {"said": said, "value": limit["value"]}


def stills(play: Play, *, width: float = WIDTH) -> list[Drawing]:
    """The play as pictures that need no script."""
    time = folding(play)
    axis = Axis(
        "time since the start", lambda place: clock(time.moment(place)), places=time.steps()
    )
    events = [
        Event(time.place(one["at"]), str(number))
        for number, one in enumerate(play["moments"], start=1)
    ]
    found = []
    if play["batches"]:
        rows = _folded([*attempt_lanes(play, time)])
        found.append(lanes(LANES, axis, rows, events, width=width))
    if play["alarms"]:
        rows = alarm_lanes(play, time)
        found.append(lanes("What the alarms did", axis, rows, events, width=width))
    for one in charts(play):
        points = thinned(
            [
                (time.place(minute * MINUTE_MS), entry[one["at"]])
                for entry in play["metrics"][one["metric"]]["minutes"]
                for minute in sorted({entry[0], entry[1]})
            ]
        )
        up = Axis(one["unit"])
        limits = [Limit(limit["said"], limit["value"]) for limit in one["limits"]]
        line = Line("", points)
        found.append(series(one["title"], axis, up, [line], events, limits, width=width))
    return found


def thinned(
    points: list[tuple[float, float]], most: int = MOST_POINTS
) -> list[tuple[float, float]]:
    """At most so many points: the highest one of each run of neighbours."""
    size = -(-len(points) // most)
    runs = [points[at : at + size] for at in range(0, len(points), size or 1)]
    return [max(run, key=lambda point: point[1]) for run in runs]


def attempt_lanes(play: Play, time: Folding) -> Iterator[Lane]:
    """What each lane did with its batches."""
    rows: dict[str, list[Span]] = {}
    for one in play["batches"]:
        end = play["length"] if one["end"] is None else one["end"]
        said = f"{called(one)}, {records_of(play, one['records'])}"
        span = Span(time.place(one["start"]), time.place(end), ATTEMPTS[key_of(one)], said)
        rows.setdefault(lane_name(play, one), []).append(span)
    for name, spans in sorted(rows.items()):
        yield Lane(name, spans)


def _folded(rows: list[Lane]) -> list[Lane]:
    """Lanes in which runs of equal states are one span where there are too many of them."""
    if sum(len(row.spans) for row in rows) <= MOST_SPANS:
        return rows
    folded = []
    for row in rows:
        runs = [list(run) for _, run in groupby(row.spans, key=lambda one: one.state)]
        # What is still too much is told in groups of the same number.
        size = -(-len(runs) * len(rows) // MOST_SPANS)
        groups = [[*chain(*runs[at : at + size])] for at in range(0, len(runs), size)]
        folded.append(Lane(row.name, [_one_span(group) for group in groups]))
    return folded


def _one_span(spans: list[Span]) -> Span:
    if len(spans) == 1:
        return spans[0]
    told = []
    for state in dict.fromkeys(one.state for one in spans):
        number = sum(one.state == state for one in spans)
        thing = ("batch", "batches") if state is ATTEMPTS["unsent"] else ("attempt",)
        told.append(f"{counted(number, *thing)} {state.name}")
    worst = max(spans, key=lambda one: ("quiet", "good", "warn", "bad").index(one.state.tone))
    return Span(spans[0].start, spans[-1].end, worst.state, ", ".join(told))


def alarm_lanes(play: Play, time: Folding) -> list[Lane]:
    """The states of each alarm."""
    return [_alarm_lane(play, one, time) for one in play["alarms"]]


def _alarm_lane(play: Play, alarm: Play, time: Folding) -> Lane:
    changes = [[0, "INSUFFICIENT_DATA", ""], *alarm["states"]]
    ends = [*(one[0] for one in changes[1:]), play["length"]]
    told = {(one[0], one[1]): f"told by {one[2]}" for one in alarm["told"]}
    spans = [
        Span(time.place(one[0]), time.place(end), ALARMS[one[1]], told.get((one[0], one[1]), ""))
        for one, end in zip(changes, ends, strict=True)
        if end > one[0]
    ]
    return Lane(alarm["name"], spans)


# -- tables ---------------------------------------------------------------------------------------

ATTEMPT_HEADINGS = (
    *("attempt", "from", "to", "lane", "records", "what became of it", "answer or error"),
    *("rule", "where the rule stands", "setting that decides"),
)


def attempt_rows(play: Play) -> Iterator[list[str]]:
    """Every attempt in words, in the order of the document."""
    for one in play["batches"]:
        rule = play["rules"][one["rule"] - 1] if one["rule"] else {"rule": "", "source": ""}
        yield [
            called(one),
            clock(one["start"]),
            "" if one["end"] is None else clock(one["end"]),
            lane_name(play, one),
            records_of(play, one["records"]),
            ATTEMPTS[key_of(one)].name,
            one["answer"] if one["answer"] is not None else (one["error"] or ""),
            rule["rule"],
            rule["source"],
            setting_of(play, one),
        ]


def setting_of(play: Play, batch: Play) -> str:
    """The line of the template that decides in such a case, or that AWS's default does."""
    if batch["setting"] is None:
        return ""
    settings = next(one["settings"] for one in play["mappings"] if one["name"] == batch["by"])
    found = next(one for one in settings if one["name"] == batch["setting"])
    if found["line"] is None:
        return found["text"] or f"{found['name']} is left out: AWS's default holds"
    return f"template.yaml:{found['line']}  {found['text']}"


RECORD_HEADINGS = ("record", "change", "shard", "written", "what became of it")


def record_rows(play: Play) -> Iterator[list[str]]:
    """Every record in words; in a play with very many of them, runs that ended alike are one."""

    def ended(record: Play) -> object:
        return [(fate["by"], fate["how"], fate["why"]) for fate in record["fates"]], record["shard"]

    records = play["records"]
    runs: Iterable[list[Play]] = ([one] for one in records)
    if len(records) > MOST_ROWS:
        runs = (list(run) for _, run in groupby(records, key=ended))
    for run in runs:
        first, last = run[0], run[-1]
        shard = play["shards"][first["shard"] - 1]["name"] if first["shard"] else "gone"
        more = f", and {counted(len(run) - 1, 'record')} after it" if len(run) > 1 else ""
        until = f" to {clock(last['written'])}" if len(run) > 1 else ""
        fates = "; ".join(_fate(play, fate) for fate in last["fates"])
        yield [
            first["name"] + more,
            first["change"],
            shard,
            clock(first["written"]) + until,
            fates or "nobody reads it",
        ]


def _fate(play: Play, fate: Play) -> str:
    told = f"{fate['by']}: {RECORDS[fate['how']].name}"
    if fate["at"] is not None:
        told += f" at {clock(fate['at'])}"
    if fate["batch"] is not None:
        told += f" by {play['batches'][fate['batch'] - 1]['batch']}"
    return f"{told} ({fate['why']})" if fate["why"] else told


MOMENT_HEADINGS = ("moment", "when", "what was done")


def moment_rows(play: Play) -> Iterator[list[str]]:
    """What whoever played did, by the numbers that pictures give it."""
    for number, one in enumerate(play["moments"], start=1):
        yield [str(number), clock(one["at"]), one["what"]]


STATE_HEADINGS = ("when", "mapping", "what it said of itself")


def state_rows(play: Play) -> Iterator[list[str]]:
    """The states of mappings, and what else they say of themselves."""
    for one in play["states"]:
        yield [clock(one["at"]), one["by"], one["what"]]


NOTE_HEADINGS = ("note", "mapping", "why", "records", "arrived")


def note_rows(play: Play) -> Iterator[list[str]]:
    """Every failure note in words."""
    for one in play["notes"]:
        arrived = "yes" if one["arrived"] else f"no: {one['why']}"
        records = records_of(play, one["records"])
        yield [clock(one["at"]), one["by"], one["condition"], records, arrived]
