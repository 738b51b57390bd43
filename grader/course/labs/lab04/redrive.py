"""Lab 4's redrive plays: failure notes about records in the stream, and what became of them.

The learner's tool runs in the function process, beside the learner's handler, with the rights of
the function and the right to read the stream. The notes are made by the emulator as Lambda makes
them; no mapping runs, so that the tool alone decides what is counted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud import iam
from grader.cloud.aws import Call, Reply
from grader.cloud.function import FunctionHost, Invocation
from grader.cloud.mapping import Batch, Discard, failure_note
from grader.cloud.scratch import Scratch
from grader.course.labs.lab04.scenarios import open_shop, timed_out
from grader.course.play.paging import FUNCTION
from grader.course.play.traffic import ORDERS, Shop, Stored

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record
    from grader.course.stage import Stage

RUNNER = Path(__file__).parent / "runner.py"
# Virtual time; a tool that waits a second here and there is done long before.
TIME_LIMIT_MS = 10_000

Numbers = dict[str, int]


@dataclass(frozen=True)
class Redriven:
    """One note that the tool was given.

    ``expected`` and ``said`` are the tool's three numbers; ``said`` is whatever came back, None
    when the tool ended with an error. ``raised`` is the first exception that it got of ``replay``.
    ``sums`` has for each merchant the truth and what is stored. ``handed`` are the first records
    that the tool handed to ``replay``; ``strange`` is what about them Lambda would have handed over
    otherwise, "" for nothing, None where nobody has looked.
    """

    story: str
    expected: Numbers
    said: Any
    invocation: Invocation
    sums: dict[str, tuple[Stored, Stored]] = field(default_factory=dict)
    raised: str | None = None
    handed: Sequence[Any] = ()
    strange: str | None = None

    @property
    def wrong_sums(self) -> dict[str, tuple[Stored, Stored]]:
        """The merchants whose item does not say what their orders say."""
        return {name: both for name, both in self.sums.items() if both[0] != both[1]}

    @property
    def right(self) -> bool:
        """Whether the tool said the right numbers and handed over and left what it should."""
        return self.said == self.expected and not self.strange and not self.wrong_sums

    @property
    def endless(self) -> bool:
        """Whether the tool did not come to an end in time."""
        return timed_out(self.invocation)


@dataclass
class Desk:
    """Where notes are redriven: a shop without a mapping, and the learner's tool."""

    shop: Shop
    host: FunctionHost
    done: list[Redriven] = field(default_factory=list)

    @property
    def gave_up(self) -> bool:
        """Whether the tool ran into its time limit: it would find no end next time, either."""
        return any(timed_out(one) for one in self.host.invocations)

    def note(self, records: Sequence[Record], service: str = "sqs") -> dict[str, Any]:
        """The failure note about a batch of these records, as its destination receives it."""
        shop = self.shop
        stream = shop.pipeline.stream(ORDERS)
        delivery = failure_note(
            Discard("given up", "", Batch(list(records)), "RetryAttemptsExhausted", "Unhandled"),
            destination=f"arn:aws:{service}:us-east-1:{shop.pipeline.stack.account_id}:notes",
            function_arn=shop.pipeline.functions[FUNCTION].arn,
            stream_arn=stream.arn,
            shard_id=stream.shard_of(records[0]).id,
            mapping_uuid="5f3c1a80-0000-4000-8000-000000000004",
            now_ms=shop.pipeline.clock.now,
        )
        document: dict[str, Any] = json.loads(delivery.body)
        return document

    def redrive(
        self,
        story: str,
        note: dict[str, Any],
        merchants: Sequence[str],
        *,
        failed: int = 0,
        trimmed: int = 0,
        records: Sequence[Record] = (),
        raises: Record | None = None,
    ) -> Redriven | None:
        """Let the tool work on a note and remember what came of it; None when it gave up before.

        What it hands over is compared with ``records``, if there are any. A batch with the record
        ``raises`` ends the function with an error.
        """
        if self.gave_up:
            return None
        size = note["DDBStreamBatchInfo"]["batchSize"]
        ends = {"raises": raises.event["dynamodb"]["SequenceNumber"]} if raises else {}
        invocation = self._invoke({"note": note, **ends})
        result = invocation.result
        assert result is not None
        payload = result.payload if result.kind == "returned" else None
        said, raised, handed = None, None, []
        if isinstance(payload, dict):
            said, raised = payload.get("said"), payload.get("raised")
            told = payload.get("handed")
            handed = told if isinstance(told, list) else []
        expected = {"replayed": size - failed - trimmed, "failed": failed, "trimmed": trimmed}
        sums = {name: (self.shop.truth(name), self.shop.stored(name)) for name in merchants}
        strange = unlike(handed, records) if records else None
        self.done.append(Redriven(story, expected, said, invocation, sums, raised, handed, strange))
        return self.done[-1]

    def _invoke(self, event: dict[str, Any]) -> Invocation:
        running = True

        def done(_result: object) -> None:
            nonlocal running
            running = False

        self.host.invoke(event, done)
        while running:
            self.shop.pipeline.clock.step()
        return self.host.invocations[-1]


def unlike(handed: Sequence[Any], records: Sequence[Record]) -> str:
    """What of the records is not as Lambda would have handed ``records`` over, "" for nothing.

    Looked at are the members of a record by which a function tells what it has to do, and when.
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html#events-sample-dynamodb
    """
    by_id = {record.event["eventID"]: record.event for record in records}
    for one in handed:
        given = one if isinstance(one, dict) else {}
        true = by_id.get(str(given.get("eventID")))
        if true is None:
            return f"eventID is {given.get('eventID')!r}"
        for name in ("eventName", "eventSourceARN"):
            if given.get(name) != true[name]:
                return f"{name} is {given.get(name)!r}, not {true[name]!r}"
        change, truth = given.get("dynamodb"), true["dynamodb"]
        change = change if isinstance(change, dict) else {}
        for name in ("SequenceNumber", "Keys", "OldImage", "NewImage"):
            if change.get(name) != truth.get(name):
                return f"{name} is {json.dumps(change.get(name))[:80]}"
        when, since = (
            change.get("ApproximateCreationDateTime"),
            truth["ApproximateCreationDateTime"],
        )
        if isinstance(when, bool) or not isinstance(when, int | float) or abs(when - since) > 1:
            return f"ApproximateCreationDateTime is {when!r}, not {since!r} seconds"
    return ""


def _desk(stage: Stage, play: str) -> Desk:
    """A fresh account with the learner's stack, its mappings not yet there, and the tool."""
    shop = open_shop(stage, play, mappings=False)
    pipeline = shop.pipeline
    spec = pipeline.functions[FUNCTION].spec
    role = stage.stack.by_arn(spec.role)
    documents = iam.documents(stage.stack, role) if role else []
    documents = [*documents, iam.policy("operator", _operator(pipeline.stream(ORDERS).arn))]

    def answer(call: Call) -> Reply:
        return pipeline.account.answer(call, documents, role_arn=spec.role, function="redrive")

    with Scratch() as place:
        folder = place / "tool"
        shutil.copytree(spec.code, folder)
        shutil.copyfile(RUNNER, folder / "labs_runner.py")
        tool = replace(
            spec,
            name="redrive",
            handler="labs_runner.run",
            code=folder,
            environment={**spec.environment, "TOTALS_HANDLER": spec.handler},
            timeout_ms=TIME_LIMIT_MS,
            memory_mb=128,
            log_format="Text",
        )
        host = FunctionHost(
            tool, pipeline.clock, stage.nursery, answer, seed=stage.seed, hangs=stage.hangs
        )
    pipeline.functions["redrive"] = host
    return Desk(shop, host)


def _operator(stream_arn: str) -> dict[str, Any]:
    """What the person who redrives may do beside what the function may."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "dynamodb:DescribeStream",
                    "dynamodb:GetRecords",
                    "dynamodb:GetShardIterator",
                ],
                "Resource": stream_arn,
            },
            {"Effect": "Allow", "Action": "dynamodb:ListStreams", "Resource": "*"},
        ],
    }


def accepts(invocation: Invocation) -> bool:
    """Whether an invocation with one record succeeded and reported nothing."""
    result = invocation.result
    if result is None or result.kind != "returned":
        return False
    return not (isinstance(result.payload, dict) and result.payload.get("batchItemFailures"))


def _count(desk: Desk, records: list[Record]) -> None:
    """What the mapping has counted in the meantime."""
    desk.shop.pipeline.settle(FUNCTION, records)


# -- the stories ----------------------------------------------------------------------------------


def notes_of_the_day(stage: Stage) -> dict[str, list[Redriven]]:
    """Every story whose records are all in the stream, by what it is about."""
    desk = _desk(stage, "notes of the day")
    shop = desk.shop
    told: dict[str, list[Redriven]] = {}

    def tell(about: str, *redriven: Redriven | None) -> None:
        told.setdefault(about, []).extend(one for one in redriven if one is not None)

    # One order, which has been changed and counted since; the note is redriven twice.
    placed = shop.put("acme", "o-1")
    _count(desk, [shop.put("acme", "o-2"), shop.put("acme", "o-1")])
    note = desk.note([placed])
    story = "a note about one order, which has been changed since; its change is counted"
    again = "the same note, redriven once more"
    tell("replays", desk.redrive(story, note, ["acme"], records=[placed]))
    tell("replays", desk.redrive(again, note, ["acme"], records=[placed]))

    # Five records of orders with carts between them, and one digit more in the middle.
    batch = [shop.put("globex", "o-1"), shop.put("globex", "o-2")]
    shop.put_cart("globex", "c-1", items=3)
    shop.pipeline.cross(ORDERS)
    shop.put_cart("globex", "c-2", items=1)
    batch += [shop.put("globex", "o-1"), shop.delete("globex", "o-2"), shop.put("globex", "o-3")]
    after = [shop.put("globex", "o-4")]
    _count(desk, after)
    story = (
        "a note about five changes of orders; two changes of carts lie between them, an order "
        "after them, and the sequence numbers get one digit more"
    )
    tell("range", desk.redrive(story, desk.note(batch), ["globex"]))

    # More than a megabyte, so more than a page; and pages that hold nothing.
    memo = "x" * 250_000
    batch = [shop.put("initech", f"o-{n}", memo=memo) for n in range(1, 7)]
    stream = shop.pipeline.stream(ORDERS)
    stream.empty_every = 2
    story = "a note about six orders of 250 KB each; every other page of the stream is empty"
    tell("pages", desk.redrive(story, desk.note(batch), ["initech"]))
    stream.empty_every = 0

    # One of four that is as bad as it was. A function that takes care of such a record itself
    # accepts it; then nothing has failed.
    probe = shop.pipeline.deliver(FUNCTION, [shop.put_bad("probe", "bad-1", "12,50")])
    failed = 0 if accepts(probe) else 1
    batch = [shop.put("hooli", "o-1"), shop.put_bad("hooli", "bad-1", "12,50")]
    batch += [shop.put("hooli", "o-2"), shop.put("hooli", "o-3")]
    story = "a note about four orders, the second of which still cannot be counted"
    tell("failures", desk.redrive(story, desk.note(batch), ["hooli"], failed=failed))

    # Whatever a function says of bad records, its environment may end.
    batch = [shop.put("umbrella", "o-1"), shop.put("ended", "o-1"), shop.put("umbrella", "o-2")]
    story = "a note about three orders; at the second of them the function ends with an error"
    note = desk.note(batch)
    tell("failures", desk.redrive(story, note, ["umbrella"], failed=1, raises=batch[1]))
    return told


def notes_of_yesterday(stage: Stage) -> dict[str, list[Redriven]]:
    """Every story some of whose records have left the stream, by what it is about."""
    desk = _desk(stage, "notes of yesterday")
    shop = desk.shop
    pipeline = shop.pipeline
    told: dict[str, list[Redriven]] = {}

    def tell(about: str, redriven: Redriven | None) -> None:
        told.setdefault(about, []).extend([redriven] if redriven else [])

    _count(desk, [shop.put("old", "o-0")])
    old = desk.note([shop.put("old", f"o-{n}") for n in (1, 2, 3)])
    kept = desk.note([shop.put("kept", f"o-{n}") for n in (1, 2)], service="s3")
    early = [shop.put("partly", f"o-{n}") for n in (1, 2)]
    pipeline.run_for(hours=20)
    partly = desk.note([*early, *(shop.put("partly", f"o-{n}") for n in (3, 4, 5))])
    for n in (1, 2):
        del shop.orders["partly", f"o-{n}"]
    pipeline.run_for(hours=6)

    story = "the object in S3 about two orders that were written 26 hours ago"
    tell("payload", desk.redrive(story, kept, ["kept"]))
    story = "a note about five orders, the first two of which were written 26 hours ago"
    tell("trimmed", desk.redrive(story, partly, ["partly"], trimmed=2))
    for n in (1, 2, 3):
        del shop.orders["old", f"o-{n}"]
    story = "a note about three orders that were written 26 hours ago"
    tell("trimmed", desk.redrive(story, old, ["old"], trimmed=3))

    # What was read beside the orders says nothing about how many of them are gone.
    batch = [shop.put("mixed", f"o-{n}") for n in (1, 2)]
    pipeline.run_for(hours=20)
    batch.append(shop.put("mixed", "o-3"))
    shop.put_cart("mixed", "c-1", items=3)
    shop.put_cart("mixed", "c-2", items=1)
    mixed = desk.note([*batch, *(shop.put("mixed", f"o-{n}") for n in (4, 5))])
    for n in (1, 2):
        del shop.orders["mixed", f"o-{n}"]
    pipeline.run_for(hours=6)
    story = (
        "a note about five orders, the first two of which were written 26 hours ago; two changes "
        "of carts lie between the others"
    )
    tell("carts", desk.redrive(story, mixed, ["mixed"], trimmed=2))

    # An open shard with nothing in it: who waits for a newer record waits for ever.
    pipeline.run_for(hours=25)
    story = "the same three orders two days later, when nothing newer is in the stream, either"
    tell("trimmed", desk.redrive(story, old, ["old"], trimmed=3))
    stream = pipeline.stream(ORDERS)
    stream.close(stream.open_shards[0].id, pipeline.clock.now)
    pipeline.run_for(hours=25)
    story = "the same three orders another day later, when their whole shard is gone"
    tell("trimmed", desk.redrive(story, old, ["old"], trimmed=3))
    return told
