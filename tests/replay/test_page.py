"""The page of a run: it stands alone, trusts no text, and says the same as the document."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.replay import run, trace, viewing
from grader.replay.folding import Folding
from grader.replay.naming import clock
from grader.replay.page import page
from grader.replay.scene import Figure, Setting
from tests.replay.scenes import QUEUE, Staged, numbers

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x1b[31m\"'&--><!--"


def hostile() -> dict[str, Any]:
    """A run in which somebody wrote that wherever one can: item, answer, story, moment, setting."""
    staged = Staged(lambda event: {"said": HOSTILE})
    staged.put("a" + HOSTILE)
    staged.bench.run_for(minutes=1)
    scene = staged.scene(
        story=HOSTILE,
        moments=[(staged.bench.now, HOSTILE)],
        figures=[Figure(HOSTILE, HOSTILE, HOSTILE, True)],
    )
    settings = [Setting("FunctionResponseTypes", [HOSTILE], 3, HOSTILE)]
    object.__setattr__(scene.readers[0], "settings", settings)
    return run.document(
        [scene], scenario=HOSTILE, told=[HOSTILE], stopped=dict.fromkeys(FINDING, HOSTILE)
    )


FINDING = ("rule", "input", "expected", "observed", "why", "where", "next", "page")


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        self.open = tag
        if tag in self.inside:
            self.inside[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        """What follows belongs to no script."""
        self.open = ""

    def handle_data(self, data: str) -> None:
        """Note the text of a script or a style."""
        if self.open in self.inside:
            self.inside[self.open][-1] += data


# What gives up after two attempts, with a note.
GIVES_UP: dict[str, Any] = {
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MaximumRetryAttempts": 1,
    "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
}


def bad_day() -> dict[str, Any]:
    """A bad record among good ones, given up with a note."""
    staged = Staged(lambda event: numbers(event, "b"), **GIVES_UP)
    staged.bench.destination(QUEUE)
    staged.put("a", "b", "c")
    staged.bench.run_for(minutes=5)
    return run.document([staged.scene()], lab=2, scenario="bad-records")


def test_the_page_asks_for_nothing_and_allows_only_its_own_script_and_style() -> None:
    """The policy's hashes are those of what is in the page; no element leads elsewhere by itself."""
    html = page(bad_day())
    elements = Elements(html)
    policy = next(a["content"] for tag, a in elements.found if tag == "meta" and "content" in a)
    assert policy is not None and policy.startswith("default-src 'none';")
    for kind, which in (("script", -1), ("style", 0)):
        digest = hashlib.sha256(elements.inside[kind][which].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert not [a for tag, a in elements.found if "src" in a or tag in ("link", "iframe", "img")]
    assert not [a for _, a in elements.found if any(one.startswith(("on", "style")) for one in a)]


def test_no_text_of_others_becomes_markup() -> None:
    """Not in pictures, tables, lines or the embedded document; controls are written out."""
    html = page(hostile())
    elements = Elements(html)
    assert [tag for tag, _ in elements.found].count("script") == 2
    assert not [tag for tag, _ in elements.found if tag == "img"]
    assert "\u202e" not in html and "\x1b" not in html
    embedded = elements.inside["script"][0]
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", embedded)
    data = json.loads(gzip.decompress(base64.b64decode(embedded)))
    assert "<script>alert(1)" in data["run"]["plays"][0]["story"]


def test_no_text_of_the_document_holds_controls() -> None:
    """Whatever the viewer shows of it: neither what turns words round nor what colours a terminal."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, list):
            for one in value:
                yield from texts(one)
        elif isinstance(value, str):
            yield value

    every = list(texts(hostile()))
    assert sum("alert(1)" in one for one in every) > 10
    assert not [one for one in every if "\u202e" in one or "\x1b" in one]


def test_the_tables_say_every_attempt_with_rule_source_and_line() -> None:
    """What the script shows is there without it."""
    document = bad_day()
    html = page(document)
    play = document["plays"][0]
    for row in viewing.attempt_rows(play):
        assert row[7] and row[8].startswith("https://docs.aws.amazon.com/")
    assert html.count("template.yaml:7") >= len(play["batches"])
    assert "b (INSERT)" in html and "given up, with a note" in html


def test_a_run_that_was_stopped_says_why() -> None:
    """The finding stands above everything else."""
    told = {name: f"the {name} of it" for name in FINDING}
    html = page(run.document([], stopped=told))
    assert "the observed of it" in html and html.index("the observed") < html.index('class="run"')


def test_what_is_not_drawn_is_counted() -> None:
    """Metrics that no alarm looks at are in the document only, and the page says how many."""
    document = bad_day()
    play = document["plays"][0]
    left = len(play["metrics"]) - len(viewing.charts(play))
    assert left > 0 and f"{left} metrics not drawn" in page(document)


def test_two_runs_stand_side_by_side() -> None:
    """Each with its tables, under its name; one policy covers both."""
    other = run.document([], stopped=dict.fromkeys(FINDING, "why it stopped"))
    html = page(bad_day(), beside=other)
    elements = Elements(html)
    assert [tag for tag, _ in elements.found].count("script") == 3
    assert "This run: on the bench" in html
    assert "The other run could not be played to its end" in html


def test_ten_thousand_records_are_folded() -> None:
    """The table has a row for each run that ended alike, the picture few marks, all are counted."""
    staged = Staged(lambda event: None, BatchSize=10)
    for second in range(100):
        staged.put(*(f"o-{second}-{number}" for number in range(100)))
        staged.bench.run_for(seconds=1)
    staged.bench.run_for(minutes=5)
    document = run.document([staged.scene()])
    play = document["plays"][0]
    assert len(play["records"]) == 10_000 and len(play["batches"]) == 1_000
    rows = list(viewing.record_rows(play))
    assert len(rows) == 1 and "and 9999 records after it" in rows[0][0]
    lanes = viewing.stills(play)[0]
    assert lanes.svg.count('class="mark"') <= viewing.MOST_SPANS
    assert sum(int(found) for found in re.findall(r"(\d+) attempts? done", lanes.svg)) == 1_000
    assert len(page(document).encode()) < 1_500_000


def test_the_same_run_is_the_same_page() -> None:
    """Byte for byte."""
    assert page(bad_day()) == page(bad_day())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(0, 10**8), max_size=40),
    st.integers(1, 10**8),
    st.lists(st.integers(0, 10**8), min_size=2, max_size=5),
)
def test_folded_time_only_grows_and_leads_back(
    moments: list[int], end: int, asked: list[int]
) -> None:
    """Whatever happens when; both ends stay ends."""
    time = Folding(moments, end)
    asked = sorted(min(one, end) for one in asked)
    places = [time.place(one) for one in asked]
    assert places == sorted(places)
    for moment, place in zip(asked, places, strict=True):
        assert time.moment(place) == pytest.approx(moment, abs=0.5 + moment * 1e-6)
    assert time.place(0) == 0 and time.moment(time.place(end)) == pytest.approx(end)


def test_a_long_pause_takes_less_room_than_what_happens() -> None:
    """An hour of nothing between two seconds of events."""
    moments = [*range(0, 2_000, 50), *range(3_600_000, 3_602_000, 50)]
    time = Folding(moments, 3_602_000)
    pause = time.place(3_600_000) - time.place(1_950)
    assert time.pauses == [(1_950, 3_600_000)]
    assert 0 < pause < 0.6 * (time.place(3_602_000) - pause)


def test_an_axis_names_round_moments_none_in_a_pause_and_none_beyond_the_play() -> None:
    short = Folding([0, 400, 900, 1_536], 1_536)
    assert [short.moment(place) for place in short.steps()] == [0, 500, 1_000, 1_500, 1_536]
    late = Folding([*range(0, 2_001, 50), *range(3_600_000, 3_601_251, 50)], 3_601_250)
    told = [round(late.moment(place)) for place in late.steps()]
    assert told == [0, 1_000, 2_000, 3_600_000, 3_601_000, 3_601_250]


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (0, "0:00:00"),
        (-60_000, "-0:01:00"),
        (600_590, "0:10:00.590"),
        (7_384_000, "2:03:04"),
        (59_999.6, "0:01:00"),
    ],
)
def test_moments_are_told_by_the_clock(moment: float, told: str) -> None:
    """Hours, minutes, seconds, and milliseconds where there are any."""
    assert clock(moment) == told


def test_a_trace_has_every_attempt_on_its_lane() -> None:
    """In microseconds, with rule and source."""
    document = bad_day()
    events = json.loads(trace.text(document))["traceEvents"]
    spans = [one for one in events if one["ph"] == "X"]
    batches = document["plays"][0]["batches"]
    assert [(one["ts"], one["dur"]) for one in spans] == [
        (one["start"] * 1000, (one["end"] - one["start"]) * 1000) for one in batches
    ]
    assert all(one["args"]["source"] and one["args"]["records"] for one in spans)
    threads = {one["tid"]: one["args"]["name"] for one in events if one["name"] == "thread_name"}
    assert {threads[one["tid"]] for one in spans} == {"Mapping, shard 1, lane 1"}
