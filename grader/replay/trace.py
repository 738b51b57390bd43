"""A run in the trace-event format, which Perfetto and Chrome's tracing page read.

Each play is a process, each lane and each alarm a thread of it. The format:
https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grader.replay import viewing
from grader.replay.viewing import MINUTE_MS, Play

Event = dict[str, Any]


def text(run: dict[str, Any]) -> str:
    """The document of a run as JSON of that format; its times are microseconds."""
    events = [
        event
        for number, play in enumerate(run["plays"], start=1)
        for event in (*_named(number, play), *_moments(number, play), *_metrics(number, play))
    ]
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": events}) + "\n"


def _named(pid: int, play: Play) -> Iterator[Event]:
    """The lanes with their attempts and calls, and the alarms with their states."""
    yield _meta(pid, 0, "process_name", play["title"] or f"play {pid}")
    lanes = dict.fromkeys(viewing.lane_name(play, one) for one in play["batches"])
    threads = {name: tid for tid, name in enumerate(sorted(lanes), start=1)}
    made = {one["batch"]: one for one in play["invocations"] if one["batch"]}
    for name, tid in threads.items():
        yield _meta(pid, tid, "thread_name", name)
    for one in play["batches"]:
        tid = threads[viewing.lane_name(play, one)]
        end = play["length"] if one["end"] is None else one["end"]
        rule = play["rules"][one["rule"] - 1] if one["rule"] else {}
        facts = {
            "records": viewing.records_of(play, one["records"]),
            "outcome": viewing.ATTEMPTS[viewing.key_of(one)].name,
            "answer": one["answer"] if one["answer"] is not None else one["error"],
            "setting": viewing.setting_of(play, one),
            **rule,
        }
        yield _span(pid, tid, viewing.called(one), one["start"], end, facts)
        for at, service, operation, ended in made.get(one["id"], {}).get("calls", ()):
            yield _instant(pid, tid, f"{service} {operation}", at, {"ended": ended})
    for tid, alarm in enumerate(play["alarms"], start=len(threads) + 1):
        yield _meta(pid, tid, "thread_name", f"alarm {alarm['name']}")
        ends = [*(one[0] for one in alarm["states"][1:]), play["length"]]
        for (at, state, why), end in zip(alarm["states"], ends, strict=True):
            yield _span(pid, tid, state, at, end, {"why": why})


def _moments(pid: int, play: Play) -> Iterator[Event]:
    for one in play["records"]:
        fates = [f"{fate['by']}: {fate['how']}" for fate in one["fates"]]
        yield _instant(pid, 0, f"written: {one['name']}", one["written"], {"became": fates})
    for one in play["notes"]:
        told = {"records": viewing.records_of(play, one["records"]), "arrived": one["arrived"]}
        yield _instant(pid, 0, f"note: {one['condition']}", one["at"], told)
    for one in play["moments"]:
        yield _instant(pid, 0, one["what"], one["at"], {})


def _metrics(pid: int, play: Play) -> Iterator[Event]:
    for one in viewing.charts(play):
        for entry in play["metrics"][one["metric"]]["minutes"]:
            for minute in range(entry[0], entry[1] + 1):
                value = {one["unit"]: entry[one["at"]]}
                ts = minute * MINUTE_MS * 1000
                yield {"ph": "C", "pid": pid, "name": one["title"], "ts": ts, "args": value}


def _meta(pid: int, tid: int, what: str, name: str) -> Event:
    return {"ph": "M", "pid": pid, "tid": tid, "name": what, "args": {"name": name}}


def _span(pid: int, tid: int, name: str, start: int, end: int, facts: Event) -> Event:
    times = {"ts": start * 1000, "dur": (end - start) * 1000}
    return {"ph": "X", "pid": pid, "tid": tid, "name": name, **times, "args": facts}


def _instant(pid: int, tid: int, name: str, at: int, facts: Event) -> Event:
    return {
        "ph": "i",
        "s": "t",
        "pid": pid,
        "tid": tid,
        "name": name,
        "ts": at * 1000,
        "args": facts,
    }
