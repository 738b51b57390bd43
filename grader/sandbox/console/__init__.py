"""The console: how the account stands, in a browser at the sandbox's own address.

It only reads. `page` is served to whoever asks and holds nothing; what the page shows comes from
`overview` and `replay`, for which it sends the token that stands behind the # of its address. The
parts of it are HTML from the replay's drawing module, with a table for every picture; all text of
others is escaped here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from grader.cloud.mapping import Discarded
from grader.cloud.metrics import MINUTE_MS
from grader.cloud.words import counted
from grader.replay.drawing import (
    SCRIPT,
    Axis,
    Drawing,
    Lane,
    Line,
    Span,
    lanes,
    scrolled,
    series,
    table,
)
from grader.replay.naming import duration
from grader.replay.page import framed, packed, text
from grader.replay.viewing import ALARMS
from grader.sandbox import replayed
from grader.sandbox.sandbox import Sandbox
from grader.sandbox.state import state

HERE = Path(__file__).parent
# What pictures show: the last hour, in virtual minutes; notes so many.
SHOWN_MIN, LAST_NOTES = 60, 20
# So far back a mapping's journal is looked through for notes each time.
LAST_ENTRIES = 5_000
State = Mapping[str, Any]


def page(path: str) -> tuple[str, bytes] | None:
    """The console's page at "/", None for every other path."""
    if path.partition("?")[0] != "/":
        return None
    style = (HERE / "console.css").read_text(encoding="utf-8")
    # The walk over a picture's marks, for pictures that come later.
    walk = f"const walk = document => {{\n{SCRIPT}}};\n"
    script = walk + (HERE / "console.js").read_text(encoding="utf-8")
    body = (HERE / "console.html").read_text(encoding="utf-8")
    summary = "An emulated account on this machine. This page only looks; clients act."
    html = framed("Sandbox", summary, body, looks=style, does=script, asks=True)
    return "text/html; charset=utf-8", html.encode()


def replay(sandbox: Sandbox) -> dict[str, Any]:
    """What has happened so far, for a viewer; how long it is (ms), and what is left out of it."""
    with sandbox.lock:
        document = replayed.document(sandbox.world, sandbox.asked)
    (play,) = document["plays"]
    return {
        "viewer": packed(document, name="What has happened so far"),
        "happened": bool(play["records"] or play["invocations"]),
        "length": play["length"],
        "left_out": play["story"],
    }


def overview(sandbox: Sandbox) -> dict[str, Any]:
    """Everything else: the time, a sentence for who listens, and the page's parts as HTML."""
    with sandbox.lock:
        sandbox.pace.advance()
        sandbox.world.alarms.look()
        seen = state(sandbox.world, sandbox.asked)
        time = sandbox.time()
        parts = {
            "pipeline": _pipeline(seen, time["now_ms"]),
            "alarms": _alarms(sandbox, seen, time["now_ms"]),
            "lag": _lag(sandbox, seen, time["now_ms"]),
            "queues": _queues(sandbox, seen),
            "log": _log(seen),
            "requests": _requests(seen),
        }
    return {"time": _time(time), "said": _said(seen), "parts": parts}


# What the page asks for, by its name below /_labs/.
VIEWS: Mapping[str, Callable[[Sandbox], dict[str, Any]]] = {
    "overview": overview,
    "replay": replay,
}


def answer(what: str, sandbox: Sandbox) -> bytes | None:
    """One of `VIEWS` as JSON; None when there is no such one."""
    view = VIEWS.get(what)
    return None if view is None else json.dumps(view(sandbox)).encode()


def _clock(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%H:%M:%S}"


def _moment(time_ms: int, now_ms: int) -> str:
    """A time of day, with its date where that is another one than today's."""
    then, now = (datetime.fromtimestamp(one / 1000, UTC) for one in (time_ms, now_ms))
    return _clock(time_ms) if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def _time(time: State) -> str:
    now = datetime.fromtimestamp(time["now_ms"] / 1000, UTC)
    if time["paused"]:
        how = "It stands still."
    elif time["speed"] == 1:
        how = "It runs with the clock of this machine."
    else:
        how = f"It runs {time['speed']:g} times as fast as the clock of this machine."
    return f"{now:%Y-%m-%d %H:%M:%S} UTC. {how}"


def _said(seen: State) -> str:
    """How everything stands, in words that change when somebody should look up."""
    ringing = [_name(one) for one in seen["alarms"] if one["state"] == "ALARM"]
    stopped = [
        f"{_name(one)} is {one['state']}" for one in seen["mappings"] if one["state"] != "Enabled"
    ]
    alarms = f"In ALARM: {', '.join(ringing)}." if ringing else "No alarm rings."
    mappings = f"{'; '.join(stopped)}." if stopped else "Every mapping is enabled."
    remarks = [one["sentence"] for one in seen["remarks"][-1:]]
    return " ".join([alarms, mappings, *remarks])


def _name(one: State) -> str:
    return str(one["logical_id"] or one.get("name") or one.get("uuid"))


# -- the parts -------------------------------------------------------------------------------------


def _pipeline(seen: State, now_ms: int) -> str:
    """For each mapping the way from its table to its function; then what nothing reads."""
    tables = {one["stream"]: one for one in seen["tables"] if one["stream"]}
    functions = {one["name"]: one for one in seen["functions"]}
    read = set()
    rows = []
    for one in seen["mappings"]:
        source, target = tables.get(one["stream"]), functions.get(one["function"])
        read.add(one["stream"])
        cards = [
            *([_table(source)] if source else []),
            _card(_name(one), [f"mapping, {one['state']}", *_lag_of(one, now_ms)]),
            *([_function(target)] if target else []),
        ]
        rows.append(_row(cards))
    called = {one["function"] for one in seen["mappings"]}
    left = [_table(one) for one in seen["tables"] if one["stream"] not in read]
    left += [_function(one) for one in seen["functions"] if one["name"] not in called]
    if left:
        rows.append('<ul class="flow">' + "".join(left) + "</ul>")
    return "".join(rows) or "<p>Nothing is deployed.</p>"


def _row(cards: Sequence[str]) -> str:
    return '<ol class="flow way">' + "".join(cards) + "</ol>"


def _card(name: str, lines: Iterable[str]) -> str:
    told = "".join(f"<br>{text(line)}" for line in lines)
    return f"<li><strong>{text(name)}</strong>{told}</li>"


def _table(one: State) -> str:
    stream = f"stream of {counted(one['shards'], 'open shard')}" if one["stream"] else "no stream"
    return _card(_name(one), [f"table, {counted(one['items'], 'item')}", stream])


def _function(one: State) -> str:
    reserved = "" if one["reserved"] is None else f", {one['reserved']} reserved"
    return _card(
        _name(one),
        [
            f"function, {one['running']} running{reserved}",
            f"{counted(one['recent'], 'invocation')} in 15 minutes, {one['recent_errors']} failed",
        ],
    )


def _lag_of(one: State, now_ms: int) -> Iterator[str]:
    if one["iterator_age_ms"] is not None:
        ago = duration(max(0, now_ms - one["iterator_age_at_ms"]))
        yield f"lag {duration(one['iterator_age_ms'])}, {ago} ago"
    if one["last_result"]:
        yield str(one["last_result"])


def _alarms(sandbox: Sandbox, seen: State, now_ms: int) -> str:
    if not seen["alarms"]:
        return "<p>There is no alarm.</p>"
    rows = [
        [
            _name(one),
            f"{ALARMS[one['state']].sign} {one['state']}",
            _moment(one["since_ms"], now_ms),
            one["reason"],
        ]
        for one in sorted(seen["alarms"], key=lambda one: (one["state"] != "ALARM", _name(one)))
    ]
    drawn = scrolled("Alarms", table(("alarm", "state", "since", "why"), rows))
    return drawn + _states(sandbox, seen, now_ms).figure()


def _states(sandbox: Sandbox, seen: State, now_ms: int) -> Drawing:
    """What each alarm did in the last hour."""
    begin = now_ms - SHOWN_MIN * MINUTE_MS
    rows = []
    for one in seen["alarms"]:
        history = [each for each in sandbox.world.alarms.history if each.alarm == one["name"]]
        known = [each.new for each in history if each.time_ms <= begin]
        state_, at = (known[-1] if known else "INSUFFICIENT_DATA"), begin
        spans = []
        for change in [each for each in history if each.time_ms > begin]:
            spans.append(Span(_ago(at, now_ms), _ago(change.time_ms, now_ms), ALARMS[state_]))
            state_, at = change.new, change.time_ms
        rows.append(Lane(_name(one), [*spans, Span(_ago(at, now_ms), 0, ALARMS[state_])]))
    return lanes("What the alarms did in the last hour", _axis(), rows)


def _axis() -> Axis:
    return Axis("minutes before now", lambda value: f"{abs(value):.4g}", least=1)


def _ago(time_ms: float, now_ms: int) -> float:
    """A moment on that axis: minutes, none of them after 0."""
    return (time_ms - now_ms) / MINUTE_MS


def _lag(sandbox: Sandbox, seen: State, now_ms: int) -> str:
    """The oldest record of each minute's batches, by function, over the last hour."""
    begin = now_ms - SHOWN_MIN * MINUTE_MS
    metrics, names = sandbox.cloud.metrics, _functions(seen)
    lines = []
    for key in metrics:
        if (key.namespace, key.name) != ("AWS/Lambda", "IteratorAge"):
            continue
        most: dict[int, float] = {}
        # From the newest on: what is older than the picture may be very much.
        for datum in takewhile(lambda one: one.time_ms >= begin, reversed(metrics.data(key))):
            minute = datum.time_ms // MINUTE_MS * MINUTE_MS
            most[minute] = max(most.get(minute, 0.0), datum.value / 1000)
        of = dict(key.dimensions)
        if most and set(of) == {"FunctionName"}:
            points = [(_ago(minute, now_ms), value) for minute, value in sorted(most.items())]
            # The axis shows the whole hour, whenever something was read in it.
            name = names.get(of["FunctionName"], of["FunctionName"])
            lines.append(Line(name, [(-float(SHOWN_MIN), None), *points, (0.0, None)]))
    return series("Iterator age in the last hour", _axis(), Axis("seconds"), lines).figure()


def _functions(seen: State) -> dict[str, str]:
    """Functions by the names that metrics and logs have for them."""
    return {one["name"]: _name(one) for one in seen["functions"]}


def _queues(sandbox: Sandbox, seen: State) -> str:
    rows = [[_name(one), "queue", counted(one["messages"], "message")] for one in seen["queues"]]
    topics = {
        one.physical_id.rpartition(":")[2]: one.logical_id
        for known in sandbox.cloud.stacks.values()
        for one in known.stack.of_type("AWS::SNS::Topic")
    }
    rows += [
        [
            topics.get(one["name"], one["name"]),
            "topic",
            f"{counted(one['published'], 'message')} published",
        ]
        for one in seen["topics"]
    ]
    notes = sorted(
        (
            entry
            for journal in sandbox.cloud.journals.values()
            for entry in islice(reversed(journal.entries), LAST_ENTRIES)
            if isinstance(entry, Discarded)
        ),
        key=lambda entry: entry.time_ms,
    )[-LAST_NOTES:]
    told = [
        [
            _moment(entry.time_ms, sandbox.cloud.clock.now),
            entry.condition,
            counted(len(entry.batch.records), "record"),
            "a note arrived"
            if entry.noted
            else (entry.failure or "no destination, so nothing is left of them"),
        ]
        for entry in reversed(notes)
    ]
    parts = [
        scrolled("Queues and topics", table(("name", "kind", "what is there"), rows))
        if rows
        else "<p>There is no queue and no topic.</p>"
    ]
    if told:
        headings = ("given up at", "why", "records", "note")
        parts.append("<h3>What was given up</h3>")
        parts.append(scrolled("What was given up", table(headings, told)))
    return "".join(parts)


def _log(seen: State) -> str:
    if not seen["log"]:
        return "<p>No function has written anything yet.</p>"
    names = _functions(seen)
    lines = "\n".join(
        f"{_clock(one['time_ms'])}  {names[one['function']]}  {one['text'].rstrip()}"
        for one in seen["log"]
    )
    return scrolled("The last lines of the log", f"<pre>{text(lines)}</pre>")


def _requests(seen: State) -> str:
    parts = "".join(
        f"<p>{_clock(one['time_ms'])}: {text(one['sentence'])}</p>" for one in seen["remarks"][-3:]
    )
    rows = [
        [str(one["number"]), _clock(one["time_ms"]), one["action"], one["outcome"]]
        for one in reversed(seen["requests"])
    ]
    if not rows:
        return parts + "<p>Nobody has asked anything yet.</p>"
    headings = ("request", "at", "what", "outcome")
    return parts + scrolled("Requests, the newest first", table(headings, rows))
