"""What a stack loses and does twice, and stories that find it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import planted_bugs
import pytest
from hypothesis import HealthCheck, given, settings

from grader.cloud import Nursery, Pipeline
from grader.cloud.aws import Call
from grader.desk.stories import (
    Again,
    Crash,
    Delete,
    Redeliver,
    Refuse,
    Stall,
    Step,
    Story,
    Wait,
    Write,
    _Scene,
    stories,
)
from grader.desk.testing import Afresh, Setup, lost, rows, twice

pytest_plugins = ["pytester"]
PLANTED = Path(planted_bugs.__file__).parent / "planted"
# One seed for all; benchmarks/stories.py tries ten, with all 300 examples.
SEED, EXAMPLES = 3, 300


def test_a_story_reads_as_sentences() -> None:
    """One numbered sentence a step, whatever hypothesis drew."""
    steps = (Write("a", 10), Wait(5), Delete("a"), Crash(2, "after"), Redeliver(1), Again(2, 1))
    told = repr(Story(planted_bugs.PLOT, steps)).splitlines()
    assert told[:3] == [
        "a story:",
        "  1. a is written with 10.",
        "  2. 5 seconds pass, and Lambda delivers what waits.",
    ]
    assert told[4] == "  4. The next environment at AWS call 2 of a batch dies right after it."
    assert told[5] == "  5. Lambda delivers the last batch but 1 once more."


@settings(
    max_examples=40,
    database=None,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(story=stories(planted_bugs.PLOT))
def test_every_drawn_step_is_one_sentence(story: Story) -> None:
    lines = repr(story).splitlines()[1:]
    assert len(lines) == len(story.steps) > 0
    assert all(line.endswith(".") for line in lines)


@pytest.mark.parametrize("bug", planted_bugs.BUGS)
def test_each_planted_bug_is_found(bug: str, nursery: Nursery) -> None:
    found = planted_bugs.search(bug, SEED, nursery, most=EXAMPLES)
    assert found.story is not None
    assert found.problem


@pytest.mark.parametrize("module", planted_bugs.RIGHT)
def test_what_is_right_withstands_the_stories(module: str, nursery: Nursery) -> None:
    found = planted_bugs.search(module, SEED, nursery, most=20)
    assert found.story is None and found.examples == 20, (found.problem, found.story)


def test_what_waits_is_not_lost_and_what_was_overwritten_is(nursery: Nursery) -> None:
    """Amounts by name: missing only once the mapping is done with the change."""
    with planted_bugs.stack("unversioned", nursery)() as pipeline:
        effects = planted_bugs.TOTALS
        pipeline.update_mapping("ConsumerStream", Enabled=False)
        pipeline.run_for(minutes=2)
        pipeline.put("Orders", {"id": "a", "amount": 7})
        assert lost(pipeline, effects) == twice(pipeline, effects) == {}
        pipeline.update_mapping("ConsumerStream", Enabled=True)
        pipeline.run_for(minutes=3)
        assert list(rows("Totals", "id", "amount")(pipeline)) == [("a", 7)]
        pipeline.put("Totals", {"id": "a", "amount": 5})
        assert lost(pipeline, effects) == {"a": 2} and twice(pipeline, effects) == {}
        pipeline.put("Totals", {"id": "a", "amount": 8})
        pipeline.put("Totals", {"id": "ghost", "amount": 1})
        assert lost(pipeline, effects) == {} and twice(pipeline, effects) == {"a": 1, "ghost": 1}
        pipeline.run_for(hours=25)
        pipeline.put("Orders", {"id": "a", "amount": 8})
        with pytest.raises(ValueError, match="forgotten"):
            lost(pipeline, effects)


def test_a_record_that_a_note_tells_of_is_not_lost_in_silence(
    nursery: Nursery, tmp_path: Path
) -> None:
    """The same failure without a destination is."""
    bounds = "            MaximumRetryAttempts: 0\n"
    noted = (
        bounds
        + "            DestinationConfig: {OnFailure: {Type: SQS, Destination: !GetAtt Failed.Arn}}\n"
    )
    queue = "  Failed: {Type: AWS::SQS::Queue}\n"
    told = []
    plain, template = (PLANTED / "template.yaml").read_text(encoding="utf-8"), tmp_path / "t.yaml"
    for more in (bounds, noted + queue):
        template.write_text(plain + more, encoding="utf-8")
        with planted_bugs.stack("right_totals", nursery, template)() as pipeline:
            now = pipeline.clock.now
            pipeline.account.fail(
                "dynamodb", now, now + 60_000, code="AccessDeniedException", status=400
            )
            pipeline.put("Orders", {"id": "a", "amount": 7})
            pipeline.run_for(minutes=5)
            told.append(
                (lost(pipeline, planted_bugs.TOTALS), len(pipeline.notes("ConsumerStream")))
            )
    assert told == [({"a": 7}, 0), ({}, 1)]


def played(folder: Path, settings: str, answer: Callable[..., Any], *steps: Step) -> Pipeline:
    """A story on the planted stack with more settings of its mapping, and a stand-in's answers."""
    template, none = folder / "t.yaml", cast(Nursery, object())
    plain = (PLANTED / "template.yaml").read_text(encoding="utf-8")
    template.write_text(f"{plain}            {settings}\n", encoding="utf-8")
    setup = Setup(template, parameters={"Module": "none"}, functions={"Consumer": answer})
    with Afresh(setup, folder, none)() as pipeline:
        Story(planted_bugs.PLOT, steps).play(pipeline)
    return pipeline


@pytest.mark.parametrize(
    ("settings", "times"),
    [("MaximumRetryAttempts: 0", 2), ("FunctionResponseTypes: [ReportBatchItemFailures]", 5)],
)
def test_a_report_of_failed_records_counts_only_where_the_mapping_reads_it(
    settings: str, times: int, tmp_path: Path
) -> None:
    """Delivered, and delivered once more; with the setting each time until it is accepted."""
    left = [True, True, False, True, False]

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        if not left.pop(0):
            return {}
        number = event["Records"][0]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}

    pipeline = played(tmp_path, settings, answer, Write("a", 1), Wait(60), Redeliver(0))
    assert len(pipeline.invocations("Consumer")) == times


def test_in_a_tumbling_window_what_comes_again_has_its_state(tmp_path: Path) -> None:
    """A batch as it was, its last event too; other cuts begin with their first record's state."""
    events: list[dict[str, Any]] = []

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        events.append(copy.deepcopy(event))
        if event["isFinalInvokeForWindow"]:
            return {}
        return {"state": {"seen": event["state"].get("seen", 0) + len(event["Records"])}}

    writes = [step for number in (1, 2, 9) for step in (Write("a", number), Wait(5))]
    steps = (*writes, Redeliver(1), Again(3, 2), Again(1, 1), Wait(600), Redeliver(0))
    played(tmp_path, "TumblingWindowInSeconds: 60", answer, *steps)
    once, again, two, last, end, ended = events[:3], events[3], events[4], events[5], *events[6:8]
    assert [one["state"] for one in once] == [{}, {"seen": 1}, {"seen": 2}]
    assert again == once[1] and last == once[2] and ended == end
    assert (two["state"], two["window"], len(two["Records"])) == ({}, once[0]["window"], 2)
    assert end["isFinalInvokeForWindow"] and end["state"] == {"seen": 3}


def test_calls_that_hooks_answer_are_refused_and_late_like_others(nursery: Nursery) -> None:
    """SES is refused for a while, then answers too late: its mail goes out, and once more."""
    plot = dataclasses.replace(planted_bugs.PLOT, services=("ses",))
    steps = (Refuse("ses", "AccessDenied", 400), Write("a", 1), Wait(60), Stall(), Write("b", 1))
    with planted_bugs.stack("mails", nursery)() as pipeline:
        Story(plot, steps).play(pipeline)
        errors = [one.error for one in pipeline.calls("ses:SendEmail")]
        refused = errors.index(None)
        assert refused > 1 and set(errors[:refused]) == {"AccessDenied"}
        assert lost(pipeline, planted_bugs.MAILS) == {}
        assert twice(pipeline, planted_bugs.MAILS) == {"b": 1}


def test_an_address_is_refused_by_its_beginning(tmp_path: Path) -> None:
    """What a hook answers elsewhere: the status instead, for as long as the refusal lasts."""
    service = "https://api.example.com/"
    plot = dataclasses.replace(planted_bugs.PLOT, services=(service,))
    pipeline = played(tmp_path, "MaximumRetryAttempts: 0", lambda event: None)
    pipeline.answer(service, lambda asked: "done")
    call = Call(1, 1, 1, pipeline.clock.now, "GET", f"{service}rates", {}, b"")
    Refuse(service, "InternalServerError", 500).play(_Scene(plot, pipeline))
    told = [pipeline.account.answer(call, [])]
    pipeline.run_for(seconds=30)
    told.append(pipeline.account.answer(call, []))
    assert [(one.status, one.body) for one in told] == [
        (500, b"InternalServerError"),
        (200, b"done"),
    ]
    assert [one.error for one in pipeline.calls()] == ["InternalServerError", None]


TEST = """
from hypothesis import Phase, given, seed, settings
from planted_bugs import PLOT
from grader.desk.stories import stories
from grader.desk.testing import Effects, lost, twice

def given_to(pipeline):
    for one in pipeline.invocations("Consumer"):
        yield from ((record["dynamodb"]["Keys"]["id"]["S"], 1) for record in one.event["Records"])

ONCE = Effects("Orders", "ConsumerStream", lambda change: [(change.keys["id"], 1)], given_to)

@seed(3)
@settings(max_examples=100, deadline=None, database=None, phases=[Phase.generate, Phase.shrink])
@given(story=stories(PLOT))
def test_once(pipeline_afresh, story):
    with pipeline_afresh() as pipeline:
        story.play(pipeline)
        assert not lost(pipeline, ONCE)
        assert not twice(pipeline, ONCE)
"""


@pytest.mark.played
def test_a_failing_test_tells_the_shortest_story_and_where_its_page_lies(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that is delivered, and delivered again: nothing else is left of what was drawn.

    The consumer is a stand-in, whose every record counts.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.syspath_prepend(str(PLANTED.parent))
    pytester.makeconftest(
        f"""
        from pathlib import Path
        import pytest
        from grader.desk.testing import Setup

        @pytest.fixture(scope="session")
        def pipeline_setup():
            return Setup(
                Path({str(PLANTED / "template.yaml")!r}),
                parameters={{"Module": "none"}},
                functions={{"Consumer": lambda event: None}},
            )
        """
    )
    pytester.makepyfile(TEST)
    result = pytester.runpytest_inprocess(
        "-p", "grader.desk.pytest_plugin", "--streamlabs-replay", "pages"
    )
    result.assert_outcomes(failed=1)
    [page] = (pytester.path / "pages").iterdir()
    result.stdout.fnmatch_lines(
        [
            "*story=a story:*",
            "*1. a is written with 1.",
            "*2. 5 seconds pass, and Lambda delivers what waits.",
            "*3. Lambda delivers the last batch once more.*",
            f"*The run as a page: {page}",
        ]
    )
    assert "a is written with 1." in page.read_text(encoding="utf-8")


def test_only_so_many_environments_die_and_afresh_none_does(nursery: Nursery) -> None:
    """A crash of a story is one; the same stack deployed again knows nothing of it."""
    afresh = planted_bugs.stack("right_totals", nursery)
    kinds = []
    for times in (2, 0):
        with afresh() as pipeline:
            if times:
                pipeline.kill_at("Consumer", 1, times=times)
            pipeline.put("Orders", {"id": "a", "amount": 7})
            pipeline.run_for(minutes=5)
            results = [one.result for one in pipeline.invocations("Consumer")]
            kinds.append([one.kind for one in results if one is not None])
            assert list(rows("Totals", "id", "amount")(pipeline)) == [("a", 7)]
    assert kinds == [["error", "error", "returned"], ["returned"]]
