"""Lab 1, `stream-setup`: a table whose stream can be read, and a reader that loses nothing.

Task 1 looks at the deployed table, tasks 2 and 3 replay the README's traffic against its key and
its capacity, tasks 4 and 5 let ``reader.py`` read streams that are built by hand. Each criterion
reads the narrowest thing that shows it: whether parents came first, not whether all was read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from grader.course.criterion import Expect, criterion
from grader.course.grade import Finding, Unreached
from grader.course.labs.lab01 import expecting, workload
from grader.course.labs.lab01.expecting import PAGE
from grader.course.play.traffic import ORDERS

if TYPE_CHECKING:
    from grader.course.labs.lab01.scenarios import Play
    from grader.course.stage import Stage

TABLE = {ORDERS: "AWS::DynamoDB::Table"}
TEMPLATE = "template.yaml"

# -- task 1: turn the stream on ------------------------------------------------------------------

IMAGES = {
    "KEYS_ONLY": "the keys alone",
    "NEW_IMAGE": "the new image alone",
    "OLD_IMAGE": "the old image alone",
    "NEW_AND_OLD_IMAGES": "the new and the old image",
}


@criterion(
    "stream-images",
    task=1,
    points=8,
    goal="Orders has a stream whose records carry the item before and after the change.",
)
def test_stream_images(stage: Stage, expect: Expect) -> None:
    """What the readers of the README need; the view type cannot be edited later."""
    stage.require_interface(TABLE)
    pipeline = stage.deploy()
    try:
        view: str | None = pipeline.stream(ORDERS).view
    except KeyError:
        view = None
    expect(
        view == "NEW_AND_OLD_IMAGES",
        lambda: stage.finding(
            rule="Records of the stream of Orders carry the item before and after the change.",
            input="an order is changed in the deployed table",
            expected=f"a record with {IMAGES['NEW_AND_OLD_IMAGES']}",
            observed=f"a record with {IMAGES[view]}" if view else "no record: there is no stream",
            why="The totals need the difference of both. A view type cannot be edited: with "
            "another, the table gets a new stream with a new ARN, and readers of the old one get "
            "nothing more.",
            where=stage.property_line(ORDERS, "StreamSpecification", "StreamViewType"),
            page=f"{PAGE}#view-types",
        ),
    )


# -- task 2: choose the key ----------------------------------------------------------------------


def _table(stage: Stage) -> dict[str, Any]:
    """The resolved properties of Orders; stops when indexes make the replay untrue."""
    stage.require_interface(TABLE)
    properties = stage.stack.resources[ORDERS].properties
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if properties.get(kind):
            stage.stop(
                "index",
                stage.finding(
                    rule="Orders has no index in this lab.",
                    input=f"{ORDERS} in {TEMPLATE}",
                    expected="a table with a primary key only",
                    observed=f"{len(properties[kind])} of {kind}",
                    why="Every index takes writes of its own, with partitions and a bill of its "
                    "own. The traffic of the README is played against the table alone.",
                    where=stage.property_line(ORDERS, kind),
                    page=f"{PAGE}#partition-key",
                ),
            )
    return dict(properties)


def _schema(stage: Stage) -> tuple[list[str], dict[str, str]]:
    properties = _table(stage)
    names = [key["AttributeName"] for key in properties["KeySchema"]]
    types = {
        one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]
    }
    return names, types


@criterion(
    "key-unique",
    task=2,
    points=7,
    goal="Every order and cart is one item, whatever happens to it.",
)
def test_key_unique(stage: Stage, expect: Expect) -> None:
    """Two orders must not share a key, and a change must not move an order to another one."""
    names, types = _schema(stage)
    wrong = workload.mixup(names, types)
    if wrong is not None:
        expect(
            False,
            lambda: stage.finding(
                rule="The primary key of Orders tells any two orders or carts apart, and stays the "
                "same when one of them changes.",
                input=f"the key {' + '.join(names)}; then: {wrong.write}",
                expected=wrong.expected,
                observed=wrong.observed,
                why=wrong.why,
                where=stage.property_line(ORDERS, "KeySchema"),
                page=f"{PAGE}#partition-key",
            ),
        )


@criterion(
    "key-spreads",
    task=2,
    points=9,
    goal="On the peak day no value of the partition key takes more than a partition can.",
)
def test_key_spreads(stage: Stage, expect: Expect) -> None:
    """Write units a second by value of the partition key, in the busiest seconds."""
    names, _ = _schema(stage)
    worst = workload.hottest(names[0], stage.seed)
    limit = workload.PARTITION_WRITE_UNITS

    def finding() -> Finding:
        return stage.finding(
            rule=f"No value of the partition key takes more than {limit:,} write units a second.",
            input=f"the busiest {workload.PEAK_SECONDS} seconds of the peak day: "
            f"{workload.PEAK_WRITES:,} writes a second of {workload.PEAK_ITEM_BYTES:,} bytes, "
            f"{workload.PEAK_UNITS} write units each; partition key {names[0]}",
            expected=f"at most {limit:,} write units a second for any value",
            observed=f"{worst.units:,} for {names[0]} = {worst.value}, "
            f"from {worst.writes:,} writes in one second",
            why="All items with one value begin in one partition, which serves no more than that "
            "in either billing mode: the rest is throttled while the table as a whole is idle.",
            where=stage.property_line(ORDERS, "KeySchema", 0, "AttributeName"),
            page=f"{PAGE}#partition-key",
        )

    if worst.value is None:
        raise Unreached(finding())
    expect(worst.units <= limit, finding)


# -- task 3: choose the billing mode -------------------------------------------------------------


@criterion(
    "monthly-bill",
    task=3,
    points=6,
    goal="The capacity of Orders costs at most 3 dollars in an ordinary month.",
)
def test_monthly_bill(stage: Stage, expect: Expect) -> None:
    """Either mode can be right: the always-free units are for provisioned tables only."""
    from grader.review import pricing

    capacity = workload.Capacity.of(_table(stage))
    bill = workload.monthly_bill(capacity)
    lines = "; ".join(f"{line.name}: {pricing.dollars(line.cost)}" for line in bill.lines)
    expect(
        bill.total <= workload.MONTH_LIMIT,
        lambda: stage.finding(
            rule=f"The capacity of Orders costs at most {pricing.dollars(workload.MONTH_LIMIT)} "
            "in an ordinary month.",
            input=f"{workload.MONTH_WRITES:,} writes and {workload.MONTH_READS:,} eventually "
            f"consistent reads in {workload.MONTH_DAYS} days; {capacity}",
            expected=f"at most {pricing.dollars(workload.MONTH_LIMIT)}",
            observed=f"{pricing.dollars(bill.total)} ({lines})",
            why="The always-free units are for the table class Standard only; in the other one "
            "storage is cheaper, and every request and unit dearer."
            if capacity.infrequent
            else "Provisioned units are paid for every hour, used or not; on-demand requests are "
            "paid one by one, and none of them is always free.",
            where=stage.property_line(ORDERS, _dear(capacity)),
            page=f"{PAGE}#billing-mode",
        ),
    )


def _dear(capacity: workload.Capacity) -> str:
    """The property that makes the month too dear: the table class where that alone decides."""
    if capacity.infrequent:
        standard = workload.monthly_bill(replace(capacity, infrequent=False))
        if standard.total <= workload.MONTH_LIMIT:
            return "TableClass"
    return "BillingMode" if capacity.on_demand else "ProvisionedThroughput"


@criterion(
    "rush-served",
    task=3,
    points=6,
    goal="Nothing is throttled in the noon rush.",
)
def test_rush_served(stage: Stage, expect: Expect) -> None:
    """Provisioned units and what was saved up before, or an on-demand table's maximum."""
    capacity = workload.Capacity.of(_table(stage))
    for rush in workload.rushes(capacity):
        if rush.on_credit and not rush.throttled:
            stage.advice.append(
                f"{TEMPLATE} The {rush.kind} of the noon rush are served from burst capacity, "
                "which AWS does not guarantee: it may use it up for maintenance."
            )
        expect(
            not rush.throttled,
            lambda rush=rush: stage.finding(  # type: ignore[misc]
                rule="Orders serves every request of the noon rush.",
                input=f"{rush.made:,} {rush.kind} in {workload.RUSH_SECONDS // 60} minutes, "
                f"evenly; {capacity}",
                expected=f"0 of {rush.made:,} {rush.kind} throttled",
                observed=f"{rush.throttled:,} of {rush.made:,} {rush.kind} throttled, the first in "
                f"second {rush.first_throttled}",
                why="On-demand capacity grows with the traffic, up to the maximum that you give "
                "it: what is above may be refused."
                if capacity.on_demand
                else "A table keeps at most the unused units of five minutes for a burst. When "
                "these are gone, what is above the provisioned units is refused.",
                where=stage.property_line(
                    ORDERS,
                    "OnDemandThroughput" if capacity.on_demand else "ProvisionedThroughput",
                ),
                page=f"{PAGE}#billing-mode",
            ),
        )


# -- task 4: read the stream ---------------------------------------------------------------------


def _played(stage: Stage, name: str) -> Play:
    """A scenario's play. Imported late: `labs list` reads this module and must stay light."""
    from grader.course.labs.lab01 import scenarios

    play: Play = stage.play(getattr(scenarios, name))
    return play


@criterion(
    "every-page",
    task=4,
    points=6,
    goal="Every page is read: of the list of shards, and of the records of a shard.",
)
def test_every_page(stage: Stage, expect: Expect) -> None:
    """Both lists come in pages, and boto3 has no paginator for either."""
    play = _played(stage, "whole_stream")
    # The last page of L, which is closed, is another criterion's business.
    wanted = [*play.library.of("D", "F", "C", "E"), *play.library.of("L")[:3]]
    expecting.expect_once(
        stage,
        expect,
        play,
        play.said[0],
        wanted,
        among=wanted,
        rule="read handles every page of records of every shard on every page of the list.",
        why="DescribeStream lists at most 100 shards a page, GetRecords at most 1,000 records or "
        "1 MB. What is behind the first page is lost without an error.",
        about="describe",
        anchor="pages",
    )


@criterion(
    "closed-shards",
    task=4,
    points=5,
    goal="A closed shard is read to its last record.",
)
def test_closed_shards(stage: Stage, expect: Expect) -> None:
    """The page without a NextShardIterator may still hold records."""
    play = _played(stage, "whole_stream")
    wanted = play.library.of("A", "B")
    expecting.expect_once(
        stage,
        expect,
        play,
        play.said[0],
        wanted,
        among=wanted,
        rule="read handles the last page of a closed shard and goes on with the other shards.",
        why="The end of a closed shard is an answer without NextShardIterator, and that same "
        "answer may carry records. Shards close by themselves, on any day.",
        about="next",
        anchor="end-of-a-shard",
    )


@criterion(
    "parents-first",
    task=4,
    points=8,
    goal="A shard is read after its parent.",
)
def test_parents_first(stage: Stage, expect: Expect) -> None:
    """Only of what was handled: what is missing is another criterion's business."""
    play = _played(stage, "whole_stream")
    library, said = play.library, play.said[0]
    first_child: dict[str, int] = {}
    wrong: tuple[int, int] | None = None
    parents = {"C": "A", "B": "A", "E": "B", "F": "L"}
    for sequence in said.handled:
        letter = library.names.get(sequence, "?")[0]
        for child, parent in parents.items():
            if letter == child:
                first_child.setdefault(child, sequence)
            elif letter == parent and child in first_child and wrong is None:
                wrong = (first_child[child], sequence)
    seen = {library.names.get(sequence, "?")[0] for sequence in said.handled}
    if wrong is None and not any({child, parent} <= seen for child, parent in parents.items()):
        raise Unreached(
            stage.finding(
                rule="read handles every record of a parent before any record of its child.",
                input=said.story,
                expected="records of a shard and of its parent, in their order",
                observed=f"records of {', '.join(sorted(seen)) or 'no shard'}" + said.ended,
                why="Without records of both there is no order to look at.",
                where=expecting.where(stage, said, "order"),
                page=f"{PAGE}#lineage",
            )
        )
    expect(
        wrong is None,
        lambda: stage.finding(
            rule="read handles every record of a parent before any record of its child.",
            input=said.story,
            expected="A before B and C, B before E, L before F",
            observed=" of a child before ".join(library.names_of([one]) for one in wrong or ())
            + f" of its parent; the order was {library.names_of(said.handled, 20)}",
            why="When a shard splits, later changes of an item are in a child. Reading that first "
            "shows the item's present before its past, and the past wins.",
            where=expecting.where(stage, said, "order"),
            page=f"{PAGE}#lineage",
        ),
    )


@criterion(
    "empty-pages",
    task=4,
    points=6,
    goal="An empty page is not taken for the end.",
)
def test_empty_pages(stage: Stage, expect: Expect) -> None:
    """Empty pages stand before pages with records, in open and in closed shards."""
    play = _played(stage, "quiet_hours")
    # The last page of a closed shard is another criterion's business.
    wanted = [one for one in play.library.of("A", "B", "C") if play.library.names[one] != "C3"]
    expecting.expect_once(
        stage,
        expect,
        play,
        play.said[0],
        wanted,
        among=wanted,
        rule="read goes on behind empty pages: a shard ends without NextShardIterator, or after "
        "five empty pages in a row.",
        why="An empty page only says that this stretch of the shard holds nothing. A reader that "
        "stops there works on a busy day and loses records on a quiet one.",
        about="empty",
        anchor="end-of-a-shard",
    )


@criterion(
    "expired-iterator",
    task=4,
    points=8,
    goal="An expired iterator costs no record and repeats none.",
)
def test_expired_iterator(stage: Stage, expect: Expect) -> None:
    """After fifteen minutes a new iterator is needed, behind the last record handled."""
    play = _played(stage, "slow_handling")
    expecting.expect_once(
        stage,
        expect,
        play,
        play.said[0],
        play.library.of("A", "B"),
        rule="After an iterator has expired, read goes on right behind the last record it handled.",
        why="An iterator lives for 15 minutes. A slow batch, a retry or a night of debugging is "
        "longer, and then the shard is begun anew, or not read any further.",
        about="expired",
        anchor="iterators",
    )


@criterion(
    "resumes",
    task=4,
    points=8,
    goal="A second read goes on where the checkpoint of the first one ends.",
)
def test_resumes(stage: Stage, expect: Expect) -> None:
    """In a new process, 90 minutes later, with shards closed and opened in between."""
    play = _played(stage, "read_on")
    every = list(play.library.names)
    before = play.extra.get("before", set(every))
    wanted: list[list[int]] = [
        [one for one in every if one in before],
        [one for one in every if one not in before],
        [],
    ]
    for said, due in zip(play.said, wanted, strict=False):
        if said.error is None and sorted(said.handled) == sorted(due):
            continue
        if not due:
            expect(False, partial(expecting.read_again, stage, play, said))
            return
        expecting.expect_once(
            stage,
            expect,
            play,
            said,
            due,
            rule="read handles what was written since its checkpoint, once, and nothing older.",
            why="A checkpoint holds a place for every shard: behind the last record, at the start "
            "when there was none, or done. New shards begin at their first record.",
            about="missing",
            anchor="checkpoints",
        )
        if said.error is not None and sorted(said.handled) == sorted(due):
            expect(False, partial(expecting.ended_badly, stage, said))
        return


@criterion(
    "goes-on-after-trim",
    task=4,
    points=4,
    goal="What is left in the stream is read, also when the checkpoint is older.",
)
def test_goes_on_after_trim(stage: Stage, expect: Expect) -> None:
    """TrimmedDataAccessException, a shard that is gone, and a child without its parent."""
    play = _played(stage, "after_a_day")
    before = play.extra.get("before", set())
    said = play.said[-1]
    if len(play.said) < 2:
        raise Unreached(expecting.ended_badly(stage, said))
    wanted = [one for one in play.library.names if one not in before]
    expecting.expect_once(
        stage,
        expect,
        play,
        said,
        wanted,
        rule="When records behind the checkpoint are gone, read goes on with the oldest that is "
        "left, in every shard that is listed.",
        why="A stream keeps 24 hours. After a long night everything newer is still there, unless "
        "the reader stops at the first gap or waits for a parent that is gone.",
        about="trimmed",
        anchor="trimmed",
    )


def _forgets_finished(stage: Stage) -> bool:
    """Whether a shard that was read to its end is read again: that is `resumes`' business."""
    play = _played(stage, "read_on")
    again = {sequence for said in play.said[1:] for sequence in said.handled}
    return any(play.library.names[one][0] == "A" for one in again if one in play.library.names)


@criterion(
    "says-what-is-lost",
    task=4,
    points=4,
    goal="Shards with records that left the stream unread are named.",
)
def test_says_what_is_lost(stage: Stage, expect: Expect) -> None:
    """Trimmed behind the place or at a start, new or empty before; shards that are gone."""
    play = _played(stage, "after_a_day")
    first, said = play.said[0], play.said[-1]
    if len(play.said) < 2 or said.error is not None:
        raise Unreached(expecting.ended_badly(stage, said))
    library = play.library

    for one, wanted in ((first, []), (said, ["A", "G", "M", "N", "O", "P"])):
        found = sorted(library.letter(shard) for shard in one.lost)
        # Who has never read A, O or P at all cannot know that some is gone, nor that Y long was.
        handled = {*first.handled, *said.handled}
        unread = {
            one for had in ("AY", "O", "P") for one in had if not {*library.of(had[0])} & handled
        }
        if _forgets_finished(stage):
            unread.add("F")
        if sorted({*found} - unread) == sorted({*wanted} - unread):
            continue
        expect(
            False,
            partial(expecting.wrong_losses, stage, one, wanted, found, one is first),
        )
        return


# -- task 5: describe a change -------------------------------------------------------------------


@criterion(
    "describes-changes",
    task=5,
    points=6,
    goal="A description says what happened, to which key, from what, to what.",
)
def test_describes_changes(stage: Stage, expect: Expect) -> None:
    """An insertion, two changes and a deletion of plain attributes; an attribute that is null."""
    for about, parts in (
        ("plain", ("what", "key", "before", "after", "changed")),
        ("names", ("changed",)),
    ):
        expecting.expect_described(
            stage,
            expect,
            about,
            parts,
            rule="describe says what happened to an item, its key, its attributes before and "
            "after, and the names of those that differ.",
            why="A new item has no image before, a deleted one none after; an attribute that was "
            "taken away is only in the image before. What is absent is an answer, too, and null is "
            "not absent.",
            anchor="records",
        )


def _why_inexact(observed: str) -> str:
    if "the float " in observed:
        return (
            "A float keeps 15 to 17 digits: two different numbers become one, and a tenth becomes "
            "a little more."
        )
    if "the number " in observed:
        return (
            "A number of DynamoDB has up to 38 digits. Rounding, and a context of fewer digits, "
            "make one number of two different ones."
        )
    return (
        "Null, false and an empty text are values: only what is not in an image is absent. The "
        "Python type says the rest: a set is no list, and bytes are no text."
    )


@criterion(
    "exact-values",
    task=5,
    points=6,
    goal="Values stay exact: numbers of 38 digits, bytes, sets, maps, lists, null, false.",
)
def test_exact_values(stage: Stage, expect: Expect) -> None:
    """Numbers come as text because a float cannot hold them."""
    expecting.expect_described(
        stage,
        expect,
        "exact",
        ("before", "after", "changed"),
        rule="describe keeps every value as DynamoDB has it, in the Python type that holds it "
        "exactly.",
        why=_why_inexact,
        anchor="attribute-values",
    )


@criterion(
    "tells-expiry",
    task=5,
    points=3,
    goal="An expiry by Time to Live is told from a deletion.",
)
def test_tells_expiry(stage: Stage, expect: Expect) -> None:
    """By who did it, not by the time in the item."""
    expecting.expect_described(
        stage,
        expect,
        "expiry",
        ("what",),
        rule="describe calls a deletion by DynamoDB's Time to Live an expiry, and no other.",
        why="Both are REMOVE, and an item past its time may still be deleted by a user. Only "
        "userIdentity says that the service did it: with Type and PrincipalId when GetRecords "
        "returned it, with type and principalId in an event of Lambda.",
        anchor="time-to-live",
    )
