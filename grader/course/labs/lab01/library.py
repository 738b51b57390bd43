"""A stream built by hand in an account of its own, and the learner's ``reader.py`` beside it.

The reader runs in the function process and asks the account for every page. Nothing is judged
here; what cannot be played stops the play.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud import iam
from grader.cloud.account import Account
from grader.cloud.aws import Call, Reply
from grader.cloud.clock import START_MS, Clock
from grader.cloud.function import FunctionHost, FunctionSpec, Invocation, Kill, told
from grader.cloud.mapping import Stream
from grader.cloud.metrics import Metrics
from grader.cloud.scratch import Scratch
from grader.course.labs.lab01.changes import Image
from grader.course.labs.lab01.endless import READER, endless
from grader.course.play.traffic import listed
from grader.replay.scene import Handed, Scene

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record, Shard
    from grader.course.stage import Stage

DRIVER = Path(__file__).with_name("driver.py")

# The README's promise: one call of `read` makes at most so many requests.
MOST_CALLS = 400
# What Lambda itself writes into a function's log; the rest is the learner's.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
PLATFORM_LINE = re.compile(r"INIT_START |(START|END|REPORT) RequestId: ")
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
TIME_LIMIT_MS = 12 * HOUR_MS


@dataclass(frozen=True)
class Asked:
    """One request of the reader and what it got. Times in virtual milliseconds."""

    time_ms: int
    operation: str
    shard: str
    said: str


@dataclass(frozen=True)
class Said:
    """What one call of the learner's code came to.

    ``handled`` are sequence numbers in the order in which the reader handed records over.
    ``printed`` are the lines that the learner's code wrote. ``error`` is how the call failed, None
    when it returned.
    """

    story: str
    asked: Sequence[Asked]
    handled: list[int]
    lost: list[str]
    described: list[dict[str, Any]]
    printed: Sequence[str] = ()
    checkpoint: Any = None
    error: str | None = None
    line: int | None = None
    endless: bool = False

    @property
    def ended(self) -> str:
        """How it ended, for a finding: nothing when all went well."""
        return f"; it ended with {self.error}" if self.error else ""


class Library:
    """One stream, the account it is in, and the learner's reader in a process of its own.

    Shards and records have names by their role: shard ``A``, record ``A2``.
    """

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.clock = Clock()
        self.account = stage.closing(Account(self.clock, Metrics(), seed=stage.seed))
        self.stream = Stream(
            table="Orders",
            keys=("merchant", "id"),
            created_ms=START_MS,
            seed=stage.seed,
            shards=0,
        )
        self.account.add_stream(self.stream)
        self.shards: dict[str, Shard] = {}
        self.records: dict[str, Record] = {}
        self.names: dict[int, str] = {}
        self.said: list[Said] = []
        self._asked: list[Asked] = []
        self._iterators: dict[str, str] = {}
        self._letters: dict[str, str] = {}
        self.name = name
        # What each call in turn is about: the story of a reading, and calls of it in words.
        self.stories: list[str] = []
        self.words: dict[tuple[int, int], str] = {}
        self.host = self._start(name)
        stage.show(self.scene)

    def scene(self) -> Scene:
        """The stream and every reading of it so far, as pictures show them."""
        known = {record.sequence: record for record in self.records.values()}
        invocations = self.host.invocations
        handed = []
        for number, (made, story) in enumerate(zip(invocations, self.stories, strict=True), 1):
            said = self.said[number - 1].handled if number <= len(self.said) else []
            records = [known[one] for one in said if one in known]
            name = f"reading {number}: {story}"
            handed.append(Handed("reader", name, 1, made, "reader", records, records))
        table = self.stream.table
        return Scene(
            title=self.name,
            kind="reader",
            start_ms=START_MS,
            end_ms=self.clock.now,
            streams={table: self.stream},
            handed=handed,
            functions={"reader": invocations},
            shards={one.id: f"shard {letter}" for letter, one in self.shards.items()},
            roles={table: self.names},
            written={table: list(self.records.values())},
            words=self.words,
        )

    # -- the stream ----------------------------------------------------------------------------

    def open(self, letters: str, parent: str | None = None) -> None:
        """Open a shard for each letter; its id says when, as AWS's do."""
        for letter in letters:
            suffix = f"{ord(letter):02x}{self.stage.seed & 0xFFFFFF:06x}"
            name = f"shardId-{self.clock.now:020d}-{suffix}"
            self._letters[name] = letter
            self.shards[letter] = self.stream.add_shard(
                name,
                parent=self.shards[parent].id if parent else None,
                starting_sequence=self.stream.next_sequence,
                now_ms=self.clock.now,
            )

    def letter(self, shard_id: str) -> str:
        """A shard's name by its role; an id that is none is shown as it stands."""
        return self._letters.get(shard_id, shard_id)

    def write(self, letter: str, count: int = 1) -> None:
        """Place ``count`` new orders whose records go to this shard."""
        for _ in range(count):
            number = sum(name[0] == letter for name in self.records) + 1
            item = {"merchant": {"S": "acme"}, "id": {"S": f"order#{letter}{number}"}}
            record = self.stream.write(
                None,
                {**item, "kind": {"S": "order"}, "amount": {"N": str(1_000 + number)}},
                self.clock.now,
                shard=self.shards[letter].id,
            )
            assert record is not None
            self.records[f"{letter}{number}"] = record
            self.names[record.sequence] = f"{letter}{number}"

    def change(self, letter: str, old: Image | None, new: Image | None, *, ttl: bool) -> Record:
        """One change as DynamoDB JSON."""
        record = self.stream.write(
            old, new, self.clock.now, shard=self.shards[letter].id, ttl_delete=ttl
        )
        assert record is not None
        return record

    def close(self, letter: str) -> None:
        """No more records for this shard."""
        self.stream.end_shard(self.shards[letter].id, self.clock.now)

    def cross(self) -> None:
        """The next sequence number has one digit more."""
        self.stream.number_from(10 ** len(str(self.stream.next_sequence)))

    def of(self, *letters: str) -> list[int]:
        """The sequence numbers of everything written to these shards."""
        return [r.sequence for name, r in self.records.items() if name[0] in letters]

    def names_of(self, sequences: Sequence[int], most: int = 12) -> str:
        """Records by name, in their order."""
        return listed([self.names.get(one, str(one)) for one in sequences], most) or "none"

    # -- the reader ----------------------------------------------------------------------------

    def _start(self, name: str) -> FunctionHost:
        with Scratch() as place:
            folder = place / "reader"
            shutil.copytree(self.stage.folder, folder)
            shutil.copyfile(DRIVER, folder / "labs_driver.py")
            role = f"arn:aws:iam::{self.account.account_id}:role/reader"
            documents = [iam.policy("reader", _may_read(self.stream.arn))]

            def answer(call: Call) -> Reply:
                reply = self.account.answer(call, documents, role_arn=role, function="reader")
                self._note(call, reply)
                return reply

            host = FunctionHost(
                FunctionSpec(
                    name="reader",
                    arn=f"arn:aws:lambda:us-east-1:{self.account.account_id}:function:reader",
                    role=role,
                    handler="labs_driver.run",
                    code=folder,
                    timeout_ms=TIME_LIMIT_MS,
                    memory_mb=512,
                ),
                self.clock,
                self.stage.nursery,
                answer,
                seed=self.stage.seed,
                faults=lambda made: Kill("before") if made.number > MOST_CALLS else None,
                hangs=self.stage.hangs,
            )
        return self.stage.closing(host)

    def _note(self, call: Call, reply: Reply) -> None:
        """Remember a request in words."""
        try:
            asked, got = json.loads(call.body or b"{}"), json.loads(reply.body or b"{}")
        except ValueError:
            return
        shard = asked.get("ShardId", "")
        if reply.status != 200:
            shard = shard or self._iterators.get(asked.get("ShardIterator", ""), "")
            said = str(got.get("__type", "error")).rpartition("#")[2]
        elif call.operation == "GetShardIterator":
            said = asked.get("ShardIteratorType", "")
            if "SequenceNumber" in asked:
                said += f" {self._place(self.letter(shard), asked['SequenceNumber'])}"
            self._iterators[got["ShardIterator"]] = shard
        elif call.operation == "GetRecords":
            shard = self._iterators.get(asked["ShardIterator"], "")
            found = [int(one["dynamodb"]["SequenceNumber"]) for one in got["Records"]]
            said = self.names_of(found) if found else "an empty page"
            if "NextShardIterator" in got:
                self._iterators[got["NextShardIterator"]] = shard
            else:
                said += "; the shard is closed and read to its end"
        elif call.operation == "DescribeStream":
            described = got["StreamDescription"]
            said = "shards " + ", ".join(self.letter(one["ShardId"]) for one in described["Shards"])
            if "LastEvaluatedShardId" in described:
                said += "; there are more"
        else:
            said = "answered"
        self._asked.append(Asked(call.time_ms, call.operation, self.letter(shard), said))
        where = f"shard {self.letter(shard)}: " if shard else ""
        self.words[call.invocation, call.number] = f"{where}{said}"

    def _place(self, letter: str, text: str) -> str:
        """A sequence number in words. A shard may begin with one that another's record got."""
        name = self.names.get(int(text), text)
        shard = self.shards.get(letter)
        if shard and name[:1] != letter and int(text) == shard.starting_sequence:
            return "where it begins"
        return name

    def read(
        self, story: str, checkpoint: Any = None, *, naps: Mapping[int, int] | None = None
    ) -> Said:
        """Let the learner's ``read`` read until it returns; ``naps`` as the driver takes them.

        Stops the whole grade of the reader when it does not start or does not come to an end.
        """
        event = {
            "do": "read",
            "stream": self.stream.arn,
            "checkpoint": checkpoint,
            "naps": {str(count): seconds for count, seconds in (naps or {}).items()},
        }
        return self._invoke(story, event)

    def describe(self, story: str, letter: str) -> Said:
        """Let the learner's ``describe`` describe every record of a shard."""
        shard = self.shards[letter].id
        return self._invoke(story, {"do": "describe", "stream": self.stream.arn, "shard": shard})

    def anew(self, minutes: float) -> None:
        """Time passes, and the reader's process is replaced by a new one."""
        self.clock.run_for(round(minutes * MINUTE_MS))
        self.host.recycle()

    def _invoke(self, story: str, event: dict[str, Any]) -> Said:
        ended = False

        def done(_result: object) -> None:
            nonlocal ended
            ended = True

        first = len(self._asked)
        self.stories.append(story)
        self.host.invoke(event, done)
        while not ended:
            self.clock.step()
        said = self._said(story, self.host.invocations[-1], self._asked[first:])
        self.said.append(said)
        return said

    def _said(self, story: str, invocation: Invocation, asked: list[Asked]) -> Said:
        from grader.course.play.stops import error_text

        result = invocation.result
        answer = result.payload if result is not None and result.kind == "returned" else None
        printed = [line.text for line in invocation.logs if not PLATFORM_LINE.match(line.text)]
        if not isinstance(answer, dict) or "handled" not in answer:
            if invocation.killed is not None:
                text = f"it had made {MOST_CALLS} requests and had not come to an end"
            elif invocation.real_limit is not None:
                text = told(invocation.real_limit, self.stage.nursery.limits)
            else:
                # Lambda's messages begin with an id that says nothing to anybody.
                text = re.sub(r"RequestId: \S+ Error: ", "", error_text(invocation))
            said = Said(story, asked, [], [], [], printed, error=text, endless=True)
            last = asked[-1] if asked else None
            if last is not None:
                place = f" on shard {last.shard}" if last.shard else ""
                text += f"; its last request was {last.operation}{place}: {last.said}"
            asking = last.operation if last is not None and invocation.killed is not None else None
            self.stage.stop("endless", endless(self.stage, story, text, asking))
        failure, line = told_error(answer.get("error"))
        said = Said(
            story,
            asked,
            [_number(one) for one in _list(answer, "handled")],
            sorted({str(one) for one in _list(answer, "lost")}),
            [one for one in _list(answer, "described") if isinstance(one, dict)],
            printed,
            answer.get("checkpoint"),
            failure,
            line,
        )
        if answer.get("start"):
            self.stage.require_readable(str(said.error))
            self.stage.stop("start", _not_started(self.stage, said))
        return said


# What comes from the function process is the learner's word: it is looked at before it is used.


def _list(answer: dict[str, Any], name: str) -> list[Any]:
    value = answer.get(name)
    return value if isinstance(value, list) else []


def _number(text: Any) -> int:
    """A sequence number; -1 for what is none."""
    text = str(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 40 else -1


def told_error(told: Any) -> tuple[str | None, int | None]:
    """An error's text and the line of ``reader.py`` that it comes from, as the driver told them."""
    if not isinstance(told, dict):
        return None, None
    line = told.get("line")
    return str(told.get("text"))[:500], line if isinstance(line, int) else None


def _may_read(stream_arn: str) -> dict[str, Any]:
    actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": actions, "Resource": stream_arn},
            {"Effect": "Allow", "Action": "dynamodb:ListStreams", "Resource": "*"},
        ],
    }


def _not_started(stage: Stage, said: Said) -> Any:
    return stage.finding(
        rule="reader.py can be imported.",
        input="import reader, in a new process",
        expected="a module with the functions read and describe",
        observed=str(said.error),
        why="Nothing of it can be called.",
        where=stage.line(READER, said.line),
        page=f"{stage.lab.page}#troubleshooting",
    )


# -- the stories -----------------------------------------------------------------------------------
