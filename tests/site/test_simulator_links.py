"""Each link into the simulator shows what the sentence beside it says.

A link has an entry in `SAYS` or stands in a table's list of links. An entry gives words and whether
they are true of what the link's settings come to; the words must stand in the link's paragraph,
list item or table row. So neither the sentence nor the settings nor the arithmetic can change alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from simulated import DEFAULTS, played

from grader.review.tuning import Outcome

DOCS = Path(__file__).resolve().parents[2] / "docs"
LINK = re.compile(r"simulator\.md\?([^)\s]+)\)")
Said = list[tuple[bool, str]]


def sought(query: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a link, and those that it keeps to compare with."""
    given = dict(pair.split("=", 1) for pair in query.split("&"))
    against = given.pop("against", "")
    assert set(given) <= set(DEFAULTS), f"the simulator would tell the reader so: {query}"
    values = {name: number(text) for name, text in given.items()}
    other = dict(pair.split(":") for pair in filter(None, against.split(",")))
    return values, values | {name: number(text) for name, text in other.items()}


def number(text: str) -> float | int | str:
    return text if text in ("none", "arm64") else float(text) if "." in text else int(text)


def minutes(ms: float) -> int:
    return round(ms / 60_000)


def level(one: Outcome, after: int) -> int:
    """The first minute from ``after`` on at whose end no more waits than two seconds of writes."""
    last = one.load.stretches[-1]
    most = 2 * last.writes / last.seconds
    return next(
        m for m in range(after, len(one.backlog_by_minute)) if one.backlog_by_minute[m] <= most
    )


def batch_of_one(now: Outcome, _: Outcome) -> Said:
    return [
        (now.backlog_grows, "does not keep up"),
        (True, f"{now.backlog:,} records wait, the oldest for {minutes(now.oldest_ms)} minutes"),
    ]


def batch_of_hundred(now: Outcome, kept: Outcome) -> Said:
    return [
        (True, f"at most {now.max_delay_ms / 1000:.1f} seconds from write to done"),
        (now.invocations * 3 < kept.invocations, "fewer than a third of the calls"),
    ]


def one_lane(now: Outcome, _: Outcome) -> Said:
    return [
        (True, f"{max(now.backlog_by_minute):,} records wait when it is over"),
        (True, f"until minute {level(now, 15)} to be level again"),
    ]


def four_lanes(now: Outcome, kept: Outcome) -> Said:
    return [
        (True, f"level at minute {level(now, 15)}"),
        (True, f"With one lane {kept.backlog:,} records still wait after the two hours"),
    ]


def two_executions(now: Outcome, _: Outcome) -> Said:
    return [
        (True, f"{now.throttles:,} throttles"),
        (minutes(now.max_iterator_age_ms) == 9, "nine minutes of lag"),
        (now.backlog > 100_000, f"{now.mean_concurrency:.2f} of the two executions"),
    ]


def quiet(now: Outcome, kept: Outcome) -> Said:
    return [
        (True, f"{now.invocations} calls in place of {kept.invocations:,}"),
        (29_000 < now.max_delay_ms < 31_000, "each record may wait for 30 seconds"),
    ]


def flaky(now: Outcome, _: Outcome) -> Said:
    return [(not now.throttles, f"bring the age to {now.max_iterator_age_ms / 1000:.1f} seconds")]


def three_shards(now: Outcome, _: Outcome) -> Said:
    return [(now.throttles == 0 and now.max_delay_ms < 500, "no throttle at all")]


def late_by_minutes(now: Outcome, _: Outcome) -> Said:
    return [
        (True, f"reaches {now.max_delay_ms / 60_000:.1f} minutes"),
        (now.throttles == now.errors == 0, "nothing is throttled, nothing fails"),
    ]


def below_a_second(now: Outcome, _: Outcome) -> Said:
    return [(now.max_delay_ms < 1_000, "below a second")]


def low(now: Outcome, _: Outcome) -> Said:
    return [
        (now.max_delay_ms <= 450, "0.4 s at most"),
        (now.peak_concurrency == 1, "one shard with factor 1 uses one"),
    ]


def light(now: Outcome, _: Outcome) -> Said:
    return [(now.max_delay_ms < 1_000 and not now.throttles, "light: 100 / factor")]


def heavy(now: Outcome, _: Outcome) -> Said:
    return [(now.max_delay_ms < 1_000 and now.choice.parallelization == 5, "heavy: factor 5")]


def falls_behind(now: Outcome, _: Outcome) -> Said:
    return [(now.backlog_grows and now.choice.parallelization == 1, "[factor 1]")]


def throttled(now: Outcome, _: Outcome) -> Said:
    return [(now.throttles > 100 and now.backlog_grows, "4 reserved for 8 lanes is a throttle")]


def not_throttled(now: Outcome, _: Outcome) -> Said:
    return [(now.throttles == 0 and now.max_delay_ms < 1_000, "8 reserved")]


def computes(now: Outcome, kept: Outcome) -> Said:
    same = abs(now.gb_seconds - kept.gb_seconds) < kept.gb_seconds / 100
    return [(same and now.max_delay_ms < kept.max_delay_ms, "costs the same and is done sooner")]


def waits(now: Outcome, kept: Outcome) -> Said:
    return [(True, f"costs {now.gb_seconds / kept.gb_seconds:.0f} times as much")]


def real_time(now: Outcome, _: Outcome) -> Said:
    return [(round(now.max_delay_ms / 1000) == 413, "the same 413 seconds")]


_TUNING = "callwait=10&call=2"
_LANES = "memory=512&call=6&callwait=10&record=2&recordwait=2"
_BURST = "rate=83&burst=800&burstat=10&burstfor=5"
_LONG = "rate=200&burst=3000&burstat=10&burstfor=5&batch=100&call=20&record=1"
SAYS: dict[str, Callable[[Outcome, Outcome], Said]] = {
    "rate=100&batch=1&call=20": batch_of_one,
    "rate=100&batch=100&call=20&against=batch:1": batch_of_hundred,
    f"{_LONG}&hours=8": one_lane,
    f"{_LONG}&hours=2&pf=4&against=pf:1": four_lanes,
    "rate=2000&shards=10&concurrency=2&batch=500": two_executions,
    "rate=2&window=30&batch=1000&against=window:0": quiet,
    "rate=200&errors=5": flaky,
    "rate=30&shards=3&concurrency=2": three_shards,
    f"{_BURST}&memory=128&batch=100&{_TUNING}&record=0.1": late_by_minutes,
    f"{_BURST}&memory=256&batch=100&{_TUNING}&record=0.1": below_a_second,
    f"rate=99&batch=100&pf=1&{_TUNING}&record=0.1": low,
    f"rate=99&batch=100&pf=1&{_TUNING}&record=2": low,
    f"rate=500&batch=100&pf=1&{_TUNING}&record=0.1": light,
    f"rate=1000&shards=2&batch=100&pf=1&{_TUNING}&record=2": falls_behind,
    f"rate=1000&shards=2&batch=100&pf=5&{_TUNING}&record=2": heavy,
    f"rate=4000&shards=8&batch=100&pf=2&concurrency=10&{_TUNING}&record=0.1": light,
    f"rate=600&shards=4&batch=100&pf=2&concurrency=4&{_LANES}": throttled,
    f"rate=600&shards=4&batch=100&pf=2&concurrency=8&{_LANES}": not_throttled,
    "rate=20&batch=100&memory=1769&call=6&record=2&against=memory:128": computes,
    "rate=20&batch=100&memory=1769&call=4&callwait=10&recordwait=40&against=memory:128": waits,
    "rate=60&burst=180&burstat=10&burstfor=5&shards=4&batch=100&window=0&pf=1&memory=128&call=3"
    "&callwait=8&record=1&recordwait=25": real_time,
}


def links() -> Iterator[tuple[str, str]]:
    """Every link into the simulator with settings: its query, and the text that it stands in."""
    for page in sorted(DOCS.rglob("*.md")):
        text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
        for block in re.split(r"\n\n|\n(?=- |\d+\. |\| )", text):
            for query in LINK.findall(block):
                yield query, " ".join(block.split())


def beside_a_table() -> list[tuple[list[str], str]]:
    """Module 5's batch sizes: each row's cells, and the link that belongs to it."""
    text = (DOCS / "modules/05-cost.md").read_text("utf-8")
    below = text[text.index("| Batch size | Window | Factor | Calls a day |") :]
    rows = [line.strip("| ").split(" | ") for line in below.split("\n\n")[0].splitlines()[2:]]
    return list(zip(rows, LINK.findall(below), strict=False))


def test_every_link_is_held_to_its_sentence() -> None:
    """A new link needs an entry here, and an entry without a link goes."""
    found = {query for query, _ in links()}
    assert found - {query for _, query in beside_a_table()} == set(SAYS)


def test_each_sentence_is_true_of_what_its_link_shows() -> None:
    told: dict[str, list[str]] = {}
    for query, text in links():
        told.setdefault(query, []).append(text)
    wrong = []
    for query, says in SAYS.items():
        now, kept = sought(query)
        for true, words in says(played(now), played(kept)):
            if not true:
                wrong.append(f"{query} does not show {words!r}")
            if not all(words in text for text in told[query]):
                wrong.append(f"{query} shows {words!r}; beside it stands {told[query]}")
    assert wrong == [], "\n".join(wrong)


def test_links_beside_a_table_show_what_its_rows_print() -> None:
    """Each link, simulated, has its row's records a call and longest lag."""
    pairs = beside_a_table()
    assert len(pairs) == 6
    for row, query in pairs:
        outcome = played(sought(query)[0])
        assert row[0] == str(outcome.choice.batch_size)
        assert row[4] == f"{outcome.mean_batch:,.0f}", query
        lag = "it grows" if outcome.backlog_grows else f"{outcome.max_delay_ms / 1000:.1f} s"
        assert row[5] == lag, query
