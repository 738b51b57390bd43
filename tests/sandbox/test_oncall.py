"""Each drill is proved by people on duty who are right, who are wrong, and who do nothing."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import responders

from grader.cloud.cloudwatch import Transition
from grader.cloud.function import Nursery
from grader.course.grade import Grade
from grader.course.progress import Progress
from grader.desk import standing
from grader.desk.oncall import oncall
from grader.sandbox.oncall import book, debrief, handout, judge
from grader.sandbox.oncall.drill import CAUSES, REFUTED, Drill
from grader.sandbox.oncall.drills import DRILLS, SLUGS, called, drill
from grader.sandbox.oncall.shift import ORDERS, SHIPMENTS, Act, Shift

DOCS = Path(__file__).parents[2] / "docs"
LEAST_RIGHT, LEAST_WRONG = 2, 3
CAUSE_ALONE = 15


def played(slug: str, responder: responders.Responder, nursery: Nursery) -> tuple[Grade, Shift]:
    shift = Shift(drill(slug, 0), nursery, live=False)
    try:
        responder(shift)
        return judge.grade(shift), shift
    finally:
        shift.close()


def lost(grade: Grade) -> list[str]:
    return [one.criterion.id for one in grade.verdicts if one.outcome != "met"]


def cases(listed: dict[str, list[object]]) -> list[object]:
    """The first of each drill; `benchmarks/oncall.py` plays the others, too, and other seeds."""
    found = []
    for slug in SLUGS:
        for one in listed[slug][:LEAST_WRONG]:
            responder = one[0] if isinstance(one, tuple) else one
            name = f"{slug}-{responder.__name__}"  # type: ignore[attr-defined]
            found.append(pytest.param(slug, one, id=name))
    return found


@pytest.mark.parametrize(("slug", "responder"), cases(responders.RIGHT))  # type: ignore[arg-type]
def test_a_right_way_wins_every_point(
    slug: str, responder: responders.Responder, nursery: Nursery
) -> None:
    grade, _ = played(slug, responder, nursery)
    assert grade.passed, [(one.criterion.id, one.finding) for one in grade.verdicts if one.finding]
    assert grade.score == 100


@pytest.mark.parametrize(("slug", "wrong"), cases(responders.WRONG))  # type: ignore[arg-type]
def test_a_wrong_way_loses_its_own_criterion(
    slug: str, wrong: tuple[responders.Responder, str], nursery: Nursery
) -> None:
    responder, criterion = wrong
    grade, _ = played(slug, responder, nursery)
    unmet = {one.criterion.id: one.finding for one in grade.verdicts if one.outcome == "unmet"}
    assert criterion in unmet, lost(grade)
    finding = unmet[criterion]
    assert finding is not None
    assert finding.expected != finding.observed


@pytest.mark.parametrize("slug", SLUGS)
def test_the_page_is_true_and_who_only_names_the_cause_wins_no_more(
    slug: str, nursery: Nursery
) -> None:
    """The alarms of the page are red when it comes; the cause alone is worth 15 of 100 points."""
    pages: list[str] = []
    rung: list[str] = []
    told: list[list[tuple[str, Transition]]] = []

    def only_name_it(shift: Shift) -> None:
        pages.extend(name for name, _ in shift.page())
        rung.extend(handout.page(shift))
        told.append(shift.page())
        shift.done(*shift.drill.causes)
        shift.done("growth")  # the first time counts

    grade, shift = played(slug, only_name_it, nursery)
    assert set(shift.drill.rings) <= set(pages)
    assert pages[0] == shift.drill.rings[0]
    # The page, the alarms' history and the debrief agree on what is red, and since when.
    text, (red,) = " ".join(line.strip() for line in rung), told
    history, known = shift.world.alarms.history, debrief._known(shift)
    for name, change in red:
        assert change in history
        assert f"{datetime.fromtimestamp(change.time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC" in text
        assert name in text
        minute = debrief._at((change.time_ms - shift.page_ms) / 60_000)
        assert f'<th scope="row">{minute}</th><td>the alarms</td><td>{name} is ALARM</td>' in known
    assert re.search(r"\b\d+ orders? ha(?:s|ve) no parcel now", text)
    assert not grade.passed
    assert grade.score <= CAUSE_ALONE
    # What was not reached has one reason, and it is told once.
    closed = [one for one in grade.verdicts if one.outcome == "unreached"]
    assert [bool(one.finding) for one in closed] == [True, *[False] * (len(closed) - 1)]
    assert "in-time" in lost(grade) or "nothing-lost" in lost(grade)
    assert not telling(shift.drill) & stems(" ".join(rung))
    if slug == "half-are-missing":
        harms(shift)


def harms(shift: Shift) -> None:
    """What harms whatever comes of it, and what looks like it and does not."""

    def harmful(call: str, **params: object) -> bool:
        service, _, operation = call.partition(":")
        return bool(judge.harm_of(shift, Act(0, service, operation, params)))

    def filters(*channels: str) -> dict[str, object]:
        image = {"kind": {"S": ["order"]}, "channel": {"S": list(channels)}}
        return pattern({"dynamodb": {"NewImage": image}})

    def pattern(document: object) -> dict[str, object]:
        return {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(document)}]}}

    update, queue = "lambda:UpdateEventSourceMapping", "sqs:SetQueueAttributes"
    assert harmful(update, **filters("web"))
    assert not harmful(update, **filters("web", "app"))
    assert not harmful(update, FilterCriteria={"Filters": []})
    assert not harmful(update, **pattern({"eventName": ["INSERT"]}))
    assert harmful(update, MaximumRecordAgeInSeconds=60)
    assert not harmful(update, MaximumRecordAgeInSeconds=-1)
    assert harmful(update, DestinationConfig={"OnFailure": {}})
    assert harmful(queue, Attributes={"MessageRetentionPeriod": "60"})
    assert not harmful(queue, Attributes={"VisibilityTimeout": "60"})
    sent = judge.told(shift, Act(0, "lambda", "UpdateFunctionCode", {"ZipFile": b"PK\3\4"}))
    assert "4 bytes" in sent
    assert "PK" not in sent
    assert harmful("dynamodb:DeleteItem", TableName=shift.physical(ORDERS))
    assert not harmful("dynamodb:DeleteItem", TableName=shift.physical(SHIPMENTS))
    off = {"StreamEnabled": False}
    assert harmful("dynamodb:UpdateTable", StreamSpecification=off)
    assert harmful("lambda:CreateEventSourceMapping", StartingPosition="LATEST")
    assert not harmful("lambda:PutFunctionConcurrency", ReservedConcurrentExecutions=5)


# Words of any sentence, and of any shop that somebody is on call for.
ORDINARY = """a all and another are be been can for has have is it its less more most nobody of on one
some somebody than that the they to too up uses"""
SHOP = "function functions mapping order orders notes queue shipped time"


def stems(text: str) -> set[str]:
    """The beginnings of a text's words, so that a throttle is one that is throttled."""
    return {word[:6] for word in re.findall(r"[a-z]{2,}", text.lower())}


def telling(one: Drill) -> set[str]:
    """What would tell the cause of a drill: the words that name it, and those that explain it."""
    said = " ".join([*one.causes, *(CAUSES[cause] for cause in one.causes)])
    return stems(said) - stems(f"{ORDINARY} {SHOP}")


def test_nothing_that_is_shown_before_the_debrief_tells_the_cause() -> None:
    """Neither the name, the list, the help nor the pages; the page that rings is read above."""
    guide = (DOCS / "operations" / "index.md").read_text(encoding="utf-8")
    table = (DOCS / "operations" / "drills.md").read_text(encoding="utf-8")
    listed = standing.drills(book.read(None))
    document = json.loads(standing.document([], Progress(), book.read(None)))["drills"]
    for number, slug in enumerate(SLUGS, 1):
        assert called(str(number)) == called(slug) == slug
        assert document[number - 1].items() >= {"drill": slug, "number": number}.items()
        for seed in range(10):
            one = drill(slug, seed)
            assert called(one.key) == slug  # what was kept under it is still read
            shown = [one.slug, one.title, one.told, *one.rings]
            shown += [row for row in listed if row.split()[:2] == [str(number), slug]]
            shown += [row for row in table.splitlines() if row.startswith(f"| {number} | `{slug}`")]
            assert len(shown) == 5 + len(one.rings)
            said = stems(re.sub(r"\(.*?\)", "", " ".join(shown)))  # addresses are the guide's
            assert not telling(one) & said, slug
    trained = " ".join(re.findall(r"\*\*Train it:\*\*.*", guide))
    keys = {one.key for one in DRILLS.values()}
    helped = " ".join(str(one.help) for one in (oncall, *oncall.commands.values()))
    for text in (trained, table, helped, (DOCS / "instructor" / "game-day.md").read_text("utf-8")):
        words = set(re.findall(r"[a-z-]+", re.sub(r"\(.*?\)", "", text)))
        assert not {name for name in keys if "-" in name} & words
        assert not {f"labs oncall {name}" for name in keys if name in text} & set(text.split("\n"))
        assert not re.findall(rf"`(?:{'|'.join(keys)})`|--cause (?:{'|'.join(keys)})\b", text)


def test_there_are_thirteen_drills_with_ways_to_be_right_and_wrong() -> None:
    assert len(SLUGS) == 13
    for slug in SLUGS:
        assert len(responders.RIGHT[slug]) >= LEAST_RIGHT, slug
        wrong = responders.WRONG[slug]
        assert len(wrong) >= LEAST_WRONG, slug
        assert len({criterion for _, criterion in wrong}) >= 2, slug
    every = {
        criterion for wrong in responders.WRONG.values() for _, criterion in wrong[:LEAST_WRONG]
    }
    assert every == {name for name, *_ in judge._CRITERIA}


def test_every_drill_says_what_is_so_and_gives_three_hints() -> None:
    assert list(REFUTED) == list(CAUSES)
    for slug in SLUGS:
        one = drill(slug, 0)
        assert set(one.causes) <= set(CAUSES)
        assert len(set(one.hints)) == 3
        assert one.calm
        assert sum(one.points for one in judge.criteria_of(one)) == 100


@pytest.mark.parametrize(
    ("minute", "told"),
    [(0.0, "0"), (7.4, "7"), (-0.3, "0"), (-1, "1 minute before"), (-75, "75 minutes before")],
)
def test_the_debrief_says_what_was_before_the_page_in_words(minute: float, told: str) -> None:
    """No minute has a sign, and what is long ago is told in hours."""
    assert debrief._at(minute) == told
    assert debrief._at(-1_293) == "21 h 33 min before"
    assert debrief._at(-1_320) == "22 h before"
    assert (debrief._took(0.2), debrief._took(3)) == ("at once", "3 minutes")


def test_who_is_late_loses_the_time_and_keeps_the_rest(nursery: Nursery) -> None:
    """The shop is back at minute 60 of 40: it is too late, and nothing else is lost."""

    def at_last(shift: Shift) -> None:
        shift.run_to(50)
        responders.update(shift, Enabled=True)
        shift.run_to(75)
        shift.done("mapping-disabled")

    grade, shift = played("silence", at_last, nursery)
    assert lost(grade) == ["in-time"]
    # Customers go on ordering for as long as somebody is at work, and a while after it.
    assert max(one.time_ms for one in shift.placed.values()) > shift.page_ms + 85 * 60_000


def test_without_a_limit_the_learner_says_when_it_is_over(nursery: Nursery) -> None:
    shift = Shift(drill("silence", 0), nursery, live=False, relaxed=None)
    shift.run_to(100)
    responders.update(shift, Enabled=True)
    shift.run_to(110)
    shift.done("mapping-disabled")
    grade = judge.grade(shift)
    shift.close()
    assert grade.passed, lost(grade)
    assert grade.notes == ("Played without a time limit.",)


def test_the_pages_say_which_drill_trains_which_symptom() -> None:
    """Each drill has a row, and the section of the guide that treats its symptom names it."""
    table = (DOCS / "operations" / "drills.md").read_text(encoding="utf-8")
    guide = (DOCS / "operations" / "index.md").read_text(encoding="utf-8")
    for slug in SLUGS:
        page, _, anchor = drill(slug, 0).page.partition("#")
        assert page == "operations/index"
        (row,) = [line for line in table.splitlines() if f" | `{slug}` | " in line]
        assert f"(index.md#{anchor})" in row, slug
        section = guide.partition(f"{{ #{anchor} }}")[2].partition("\n## ")[0]
        trained = section.partition("**Train it:**")[2].partition("\n\n")[0]
        assert f"`{slug}`" in trained or anchor in ("decision-tree", "first-minutes"), slug


def test_the_pages_say_what_each_criterion_is_worth() -> None:
    table = (DOCS / "operations" / "drills.md").read_text(encoding="utf-8")
    for one in judge.criteria_of(drill("undelivered-note", 0)):
        assert f"| `{one.id}` | {one.points} |" in table


@pytest.mark.parametrize("slug", SLUGS)
def test_orders_of_every_kind_are_placed_whatever_the_seed(slug: str) -> None:
    """The first comes up to half an interval late, so that a shorter window may see none."""
    for seed in range(10):
        for orders in drill(slug, seed).orders:
            if orders.until_min is not None:
                assert (orders.until_min - orders.from_min) * 60 > orders.every_s / 2 + 1
