"""The document of a run: what it says is the journal's, and it has the form that its schema says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import MetricAlarm, Subscription, Transition
from grader.cloud.function import Nursery
from grader.cloud.mapping import (
    Decided,
    Discarded,
    Invoked,
    ShardStarted,
    StateChanged,
    Unreadable,
    WindowChanged,
)
from grader.course import judge
from grader.course.lab import find
from grader.replay import run
from grader.replay.naming import Names, clock, ranges
from grader.replay.page import page
from grader.replay.scene import Reader, Scene, Watched
from grader.replay.viewing import charts, stills
from tests.replay.scenes import QUEUE, Staged, keys, numbers

SCHEMA = json.loads(run.SCHEMA_FILE.read_text(encoding="utf-8"))
FORM = Draft202012Validator(SCHEMA)


def fates(play: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """How each item's record ended and why, by reader."""
    return {
        record["item"]: [(fate["how"], fate["why"]) for fate in record["fates"]]
        for record in play["records"]
    }


def failing_on(*bad: str) -> Staged:
    """A mapping with a queue whose function reports these items."""
    staged = Staged(
        lambda event: numbers(event, *bad),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    staged.bench.destination(QUEUE)
    return staged


def test_records_end_as_the_journal_says() -> None:
    """Done before and after a bad record, which is given up with a note; the note is told, too."""
    staged = failing_on("b")
    staged.put("a", "b", "c")
    staged.bench.run_for(minutes=5)
    play = staged.play()
    assert fates(play) == {
        "a": [("done", "")],
        "b": [("noted", "RetryAttemptsExhausted")],
        "c": [("done", "")],
    }
    assert [(one["condition"], one["arrived"], one["records"]) for one in play["notes"]] == [
        ("RetryAttemptsExhausted", True, [[2, 2]])
    ]
    discarded = [one for one in play["batches"] if one["decision"] == "discard"]
    assert [(one["records"], one["setting"]) for one in discarded] == [
        ([[2, 2]], "MaximumRetryAttempts")
    ]


def test_each_attempt_has_the_rule_and_the_source_of_its_decision() -> None:
    """The sentences are the journal's own; the setting that decides has its line."""
    staged = failing_on("b")
    staged.put("a", "b", "c")
    staged.bench.run_for(minutes=5)
    play = staged.play()
    told = [
        (one.batch, one.attempt, type(one.decision).__name__.lower(), one.decision.rule)
        for one in staged.bench.invocations(staged.uuid)
        if one.decision is not None
    ]
    rules = [one["rule"] for one in play["rules"]]
    assert told == [
        (one["batch"], one["attempt"], one["decision"], rules[one["rule"] - 1])
        for one in play["batches"]
    ]
    assert {"partial", "split", "retry", "discard", "advance"} >= {one[2] for one in told}
    assert all(one["source"] for one in play["rules"])
    lines = {one["name"]: one["line"] for one in play["mappings"][0]["settings"]}
    assert lines["MaximumRetryAttempts"] == 7 and lines["BatchSize"] is None


def test_a_note_that_does_not_arrive_is_a_loss() -> None:
    """The queue of the mapping does not take it."""
    staged = failing_on("a")
    staged.bench.destination(QUEUE).refuses = "the queue is full"
    staged.put("a")
    staged.bench.run_for(minutes=5)
    play = staged.play()
    assert fates(play) == {"a": [("lost", "RetryAttemptsExhausted")]}
    assert [(one["arrived"], one["why"]) for one in play["notes"]] == [(False, "the queue is full")]


def test_what_no_filter_lets_through_is_told_as_that() -> None:
    """Filtered records are never in a batch."""
    pattern = json.dumps({"dynamodb": {"Keys": {"id": {"S": [{"prefix": "o"}]}}}})
    staged = Staged(lambda event: None, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    staged.put("o-1", "c-1")
    staged.bench.run_for(minutes=1)
    assert fates(staged.play()) == {"o-1": [("done", "")], "c-1": [("filtered", "")]}


def test_what_comes_before_the_starting_position_is_lost() -> None:
    """LATEST begins behind it."""
    staged = Staged(lambda event: None, StartingPosition="LATEST", Enabled=False)
    staged.put("early")
    staged.bench.run_for(minutes=1)
    staged.bench.update(staged.uuid, Enabled=True)
    staged.bench.run_for(minutes=5)
    staged.put("late")
    staged.bench.run_for(minutes=1)
    told = fates(staged.play())
    assert told["late"] == [("done", "")]
    assert told["early"] == [("lost", "written before the position at which the mapping began")]


def test_old_records_are_given_up_without_an_invocation() -> None:
    """The attempt says so, and its rule is the mapping's."""
    staged = Staged(
        lambda event: (_ for _ in ()).throw(ValueError("no")),
        MaximumRecordAgeInSeconds=60,
    )
    staged.put("a")
    staged.bench.run_for(minutes=10)
    play = staged.play()
    assert fates(play) == {"a": [("lost", "RecordAgeExceeded")]}
    last = play["batches"][-1]
    assert (last["attempt"], last["outcome"], last["decision"]) == (0, "not invoked", "discard")
    assert last["setting"] == "MaximumRecordAgeInSeconds"
    assert "MaximumRecordAgeInSeconds" in play["rules"][last["rule"] - 1]["rule"]


def test_a_record_that_leaves_the_stream_is_lost() -> None:
    """After 24 hours, without a note."""
    staged = Staged(lambda event: (_ for _ in ()).throw(ValueError("no")), MaximumRetryAttempts=-1)
    staged.put("a")
    staged.bench.run_for(hours=25)
    assert fates(staged.play()) == {"a": [("lost", "it left the stream after 24 hours")]}


def test_what_still_waits_waits() -> None:
    """The function has been asked and has not answered."""
    staged = Staged(lambda event: None, MaximumBatchingWindowInSeconds=60)
    staged.put("a")
    staged.bench.run_for(seconds=5)
    assert fates(staged.play()) == {"a": [("waiting", "")]}


def test_throttled_attempts_are_told_with_the_next_one() -> None:
    """The function never started; when the batch goes out again is the journal's."""
    staged = Staged(lambda event: None)
    staged.bench.concurrency.account_limit = 0
    staged.put("a")
    staged.bench.run_for(seconds=20)
    play = staged.play()
    first = play["batches"][0]
    assert first["outcome"] == "throttled" and first["next"] == play["batches"][1]["start"]
    assert [one["batch"] for one in play["throttles"]] == [
        one["id"] for one in play["batches"] if one["outcome"] == "throttled"
    ]


def test_shards_know_their_parent() -> None:
    """A split closes one shard and opens two."""
    staged = Staged(lambda event: None)
    staged.put("a")
    staged.bench.run_for(minutes=1)
    staged.stream.split(staged.stream.shards[0].id, staged.bench.now)
    staged.put("b", "c")
    staged.bench.run_for(minutes=5)
    shards = staged.play()["shards"]
    assert [(one["name"], one["parent"], one["closed"], one["opened"]) for one in shards] == [
        ("shard 1", None, 60_000, 0),
        ("shard 2", 1, None, 60_000),
        ("shard 3", 1, None, 60_000),
    ]
    assert sum(one["records"] for one in shards) == 3


def test_generated_ids_become_roles() -> None:
    """In answers, too: the reported number is the record's name."""
    staged = failing_on("b")
    staged.put("a", "b")
    staged.bench.run_for(minutes=5)
    text = run.text(run.document([staged.scene(roles={"Orders": {}})]))
    assert not re.search(r"[0-9]{21}|shardId-", text)
    first = staged.play()["batches"][0]
    assert json.loads(first["answer"]) == {
        "batchItemFailures": [{"itemIdentifier": "‹b (INSERT)›"}]
    }


def test_long_answers_are_cut_and_counted() -> None:
    """What is cut says how much."""
    staged = Staged(lambda event: "x" * 2_000)
    staged.put("a")
    staged.bench.run_for(minutes=1)
    answer = staged.play()["batches"][0]["answer"]
    assert answer.endswith("… (1402 more characters)") and len(answer) < 700


def test_equal_minutes_are_one_entry() -> None:
    """Two silent hours are no list of 120 zeros."""
    staged = Staged(lambda event: None, MetricsConfig={"Metrics": ["EventCount"]})
    staged.put("a")
    staged.bench.run_for(hours=2)
    staged.bench.mappings.flush()
    for metric in staged.play()["metrics"]:
        assert len(metric["minutes"]) < 6
        for one, other in zip(metric["minutes"], metric["minutes"][1:], strict=False):
            assert other[0] > one[1]


def test_the_same_run_gives_the_same_bytes() -> None:
    """Twice on the bench."""

    def text() -> str:
        staged = failing_on("b", "d")
        staged.put(*"abcdef")
        staged.bench.run_for(minutes=5)
        return run.text(run.document([staged.scene()]))

    assert text() == text()


def test_ranges() -> None:
    """Runs of numbers are first and last."""
    assert ranges([3, 4, 5, 9]) == [[3, 5], [9, 9]] and ranges([]) == []


def test_what_the_bench_plays_has_the_form_of_the_schema() -> None:
    """And the schema is one."""
    Draft202012Validator.check_schema(SCHEMA)
    staged = failing_on("b")
    staged.put("a", "b", "c")
    staged.bench.run_for(minutes=5)
    document = run.document([staged.scene()])
    assert not list(FORM.iter_errors(json.loads(run.text(document))))
    assert list(FORM.iter_errors({**document, "more": 1}))


def scenarios() -> Iterator[tuple[int, str]]:
    """Every lab's scenarios; the tickets of lab 4's shift are played by the shift."""
    for number in range(1, 7):
        for name in judge.scenarios(find(str(number))):
            if number != 4 or name in ("shift", "mine"):
                yield number, name


@pytest.mark.parametrize("fill", ["starter", "solution"])
@pytest.mark.parametrize(("number", "scenario"), list(scenarios()))
def test_every_labs_every_scenario_says_what_the_journal_says(
    number: int, scenario: str, fill: str, monkeypatch: pytest.MonkeyPatch, nursery: Nursery
) -> None:
    """In the form of the schema, without a path or a generated id; the page's table is the journal.

    Every record's fate refers to an attempt that exists, and no page is larger than a megabyte.
    """
    seen: list[Scene] = []

    def made(scenes: Iterable[Scene], **more: Any) -> dict[str, Any]:
        seen.extend(scenes)
        return document_of(seen, **more)

    document_of = run.document
    monkeypatch.setattr(run, "document", made)
    lab = find(str(number))
    folder = lab.solution if fill == "solution" else lab.starter
    document, _ = judge.run(lab, folder, 0, scenario, nursery=nursery)
    text = run.text(document)
    assert not [one.message for one in FORM.iter_errors(json.loads(text))]
    assert not re.search(r"/tmp/|/home/|shardId-0|[0-9a-f]{8}-[0-9a-f]{4}-4", text)
    assert document["told"]
    for play in document["plays"]:
        _refers(play)
    html = page(document)
    assert len(html.encode()) < 1_000_000
    told = [row for scene in seen for row in journal_rows(scene)]
    assert attempts_of(html) == told
    assert states_of(html) == [row for scene in seen for row in journal_states(scene)]


def journal_rows(scene: Scene) -> list[list[str]]:
    """What the journals of a scene say of each attempt, without the documents in between."""
    found: list[list[str]] = []
    roles = Names(scene)
    for reader in scene.readers:
        shards = {one.shard: roles.shard(one.shard_id) for one in reader.journal.of(ShardStarted)}
        open_: dict[tuple[int, int], list[str]] = {}
        for entry in reader.journal:
            if isinstance(entry, Invoked):
                row = open_[entry.shard, entry.lane] = _begun(scene, reader, shards, entry)
                row[0] = f"{entry.batch.name}, attempt {entry.attempt}"
                found.append(row)
            elif isinstance(entry, Decided):
                row = open_[entry.shard, entry.lane]
                row[2] = clock(entry.time_ms - scene.start_ms)
                row[7:9] = entry.decision.rule, entry.decision.source
            elif isinstance(entry, Discarded) and entry.condition == "RecordAgeExceeded":
                row = _begun(scene, reader, shards, entry)
                row[2], row[7:9] = row[1], (entry.rule, entry.source)
                found.append(row)
    return [row for row in found if row[7]]


def journal_states(scene: Scene) -> list[list[str]]:
    """What the mappings of a scene say of themselves, as their journals have it."""
    return [
        [clock(one.time_ms - scene.start_ms), reader.name, f"{one.state} ({one.reason})"]
        if isinstance(one, StateChanged)
        else [clock(one.time_ms - scene.start_ms), reader.name, str(one)]
        for reader in scene.readers
        for one in reader.journal
        if isinstance(one, StateChanged | Unreadable | WindowChanged)
    ]


def _begun(
    scene: Scene, reader: Reader, shards: dict[int, str], entry: Invoked | Discarded
) -> list[str]:
    lane = f"{reader.name}, {shards[entry.shard]}, lane {entry.lane}"
    return [entry.batch.name, clock(entry.time_ms - scene.start_ms), "", lane, *[""] * 5]


def table_rows(html: str, name: str) -> list[list[str]]:
    """The cells of every table of that name."""
    rows = []
    for part in re.findall(rf"<summary>{name} \(\d+\)</summary>(.*?)</table>", html, re.S):
        for row in re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", part, re.S):
            rows.append(
                [unescape(one) for one in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
            )
    return rows


def attempts_of(html: str) -> list[list[str]]:
    """What the journal says of attempts that were decided; what it says elsewhere is left empty."""
    rows = table_rows(html, "Attempts")
    return [[*row[:4], "", "", "", *row[7:9]] for row in rows if row[7]]


def states_of(html: str) -> list[list[str]]:
    """What mappings say of themselves, but for unread records that are gone."""
    return [row for row in table_rows(html, "Mappings") if "trimmed" not in row[2]]


def _refers(play: dict[str, Any]) -> None:
    batches = {one["id"]: one for one in play["batches"]}
    known = {one["id"] for one in play["records"]}
    for record in play["records"]:
        for fate in record["fates"]:
            if fate["batch"] is not None:
                spans = batches[fate["batch"]]["records"]
                assert any(low <= record["id"] <= high for low, high in spans)
                assert fate["at"] >= record["written"]
    for batch in play["batches"]:
        assert batch["rule"] is None or 1 <= batch["rule"] <= len(play["rules"])
        assert {one for low, high in batch["records"] for one in range(low, high + 1)} <= known
        assert batch["end"] is None or batch["end"] >= batch["start"]


def test_keys_of_an_event_are_the_items_of_its_records() -> None:
    """The bench of these tests writes what the document names."""
    seen: list[list[str]] = []
    staged = Staged(lambda event: seen.append(keys(event)))
    staged.put("a", "b")
    staged.bench.run_for(minutes=1)
    assert [one["item"] for one in staged.play()["records"]] == [one for run in seen for one in run]


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    bad=st.sets(st.integers(0, 11), max_size=4),
    how=st.sampled_from(["reports", "raises", "wrong", "nothing"]),
    properties=st.fixed_dictionaries(
        {
            "BatchSize": st.integers(1, 6),
            "ParallelizationFactor": st.integers(1, 3),
            "MaximumRetryAttempts": st.integers(-1, 2),
            "BisectBatchOnFunctionError": st.booleans(),
            "MaximumBatchingWindowInSeconds": st.sampled_from([0, 5]),
            "MaximumRecordAgeInSeconds": st.sampled_from([-1, 60, 3600]),
        }
    ),
    tumbling=st.booleans(),
    noted=st.booleans(),
    crowded=st.booleans(),
    hours=st.sampled_from([0.2, 30, 60]),
)
def test_whatever_a_mapping_does_can_be_told(
    bad: set[int],
    how: str,
    properties: dict[str, Any],
    tumbling: bool,
    noted: bool,
    crowded: bool,
    hours: float,
) -> None:
    """Splits, windows, throttles, notes, days: every record has one fate, every row its rule."""
    wrong = {f"o-{number}" for number in bad}

    def answer(event: dict[str, Any]) -> Any:
        if how == "raises" and wrong & set(keys(event)):
            raise ValueError("no")
        if how == "wrong" and wrong & set(keys(event)):
            return {"batchItemFailures": [{"itemIdentifier": "1"}]}
        return {"state": {}, **(numbers(event, *wrong) if how == "reports" else {})}

    more = {"TumblingWindowInSeconds": 10} if tumbling else {}
    if tumbling:
        properties = {**properties, "ParallelizationFactor": 1}
    if noted:
        more["DestinationConfig"] = {"OnFailure": {"Destination": QUEUE}}
    if how != "raises":
        more["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
    staged = Staged(answer, shards=2, **properties, **more)
    staged.bench.destination(QUEUE)
    if crowded:
        staged.bench.concurrency.account_limit = 1
    for number in range(12):
        staged.put(f"o-{number}")
        if number == 6:
            staged.stream.split(staged.stream.shards[0].id, staged.bench.now)
        staged.bench.run_for(seconds=3)
    staged.bench.run_for(hours=hours)
    scene = staged.scene(written={"Orders": staged.written})
    document = run.document([scene])
    assert not [one.message for one in FORM.iter_errors(json.loads(run.text(document)))]
    [play] = document["plays"]
    _refers(play)
    assert [len(one["fates"]) for one in play["records"]] == [1] * 12
    html = page(document)
    assert attempts_of(html) == journal_rows(scene)
    assert states_of(html) == journal_states(scene)


def test_lags_are_from_the_write_to_the_end_of_its_record() -> None:
    """The batching window is part of it."""
    staged = Staged(lambda event: None, MaximumBatchingWindowInSeconds=5)
    staged.put("a")
    staged.bench.run_for(minutes=2)
    [lag] = staged.play()["lags"]
    assert lag["by"] == "Mapping" and lag["minutes"] == [[0, 5_000]]


def test_alarms_say_their_states_and_whom_they_told() -> None:
    """By logical id, over the metrics of the play."""
    topic = "arn:aws:sns:us-east-1:123456789012:pager"
    alarm = MetricAlarm.parse(
        {
            "Namespace": "AWS/Lambda",
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "Dimensions": [{"Name": "FunctionName", "Value": "totals"}],
            "AlarmActions": [topic],
        },
        name="stack-Failing-1A2B3C",
    )
    staged = Staged(lambda event: (_ for _ in ()).throw(ValueError("no")), MaximumRetryAttempts=0)
    staged.put("a")
    staged.bench.run_for(minutes=6)
    staged.bench.mappings.flush()
    watched = Watched.over(
        [alarm],
        {alarm.name: "Failing"},
        [Subscription(topic, "email", "on-call@example.com")],
        staged.bench.metrics,
        START_MS,
        staged.bench.now,
    )
    play = staged.play(watched=watched)
    [told] = play["alarms"]
    assert (told["name"], told["watches"]) == ("Failing", ["Errors"])
    assert [state for _, state, _ in told["states"]] == ["ALARM", "OK"]
    assert [one[1:] for one in told["told"]] == [["ALARM", "email", "on-call@example.com"]]
    assert told["told"][0][0] == told["states"][0][0]
    # The threshold stands on the picture of its metric and in its table, and on no other one.
    said = "Failing: Sum of 1 min > 0"
    drawn = charts(play)
    assert {one["title"]: [limit["said"] for limit in one["limits"]] for one in drawn} == {
        one["title"]: [said] if one["title"].startswith("Errors of") else [] for one in drawn
    }
    [errors] = [one for one in stills(play) if one.title.startswith("Errors of")]
    assert said in errors.svg.replace("&gt;", ">") and errors.rows[-1] == [said, "0"]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            "Threshold Crossed: 2 out of the last 3 datapoints [90000.0 (02/11/26 09:04:00), 500.0 "
            "(02/11/26 08:59:00)] were greater than the threshold (60000.0).",
            "Threshold Crossed: 2 out of the last 3 datapoints [1.5 min (0:04:00), 500 ms "
            "(-0:01:00)] were greater than the threshold (1 min).",
        ),
        ("somebody's 1.0 (99/99/99 00:00:00)", "somebody's 1.0 (99/99/99 00:00:00)"),
    ],
)
def test_why_an_alarm_changed_is_told_in_the_time_of_the_play(reason: str, told: str) -> None:
    """No dates, and a unit where the metric is measured in milliseconds; words of others stay."""
    staged = Staged(lambda event: None)
    staged.put("a")
    staged.bench.run_for(minutes=2)
    staged.bench.mappings.flush()
    alarm = MetricAlarm.parse(
        {
            "Namespace": "AWS/Lambda",
            "MetricName": "IteratorAge",
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 60_000,
            "ComparisonOperator": "GreaterThanThreshold",
        },
        name="Late",
    )
    change = Transition(START_MS + 300_000, "Late", "OK", "ALARM", reason)
    play = staged.play(watched=Watched([alarm], {}, [change], []))
    assert play["alarms"][0]["states"] == [[300_000, "ALARM", told]]
