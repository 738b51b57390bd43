"""What has one safe answer, and is written into a template; and what has none, and why.

Only what is missing is added. A value that somebody wrote, and a property made by a function or
shared by an anchor, stays as it is and is named.

Why an answer is safe, or is not:

- Bounds on retries and age are proposed only where what is given up is noted: a bound without a
  failure destination loses in silence what would have been retried.
  https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
- ReportBatchItemFailures makes Lambda read what the function returns: an answer without failed
  records, None too, is success then. For a function that raises nothing changes, but without a
  function that names records nothing is won; so it is proposed where the handler's source names
  them. https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
- Lambda makes ``/aws/lambda/NAME`` at the first call, and a stack that makes a group of that name
  fails where it exists. A new group gets a name of its own, and the function is told.
  https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html
- SAM lets its own role write to a destination whose ``Type`` is named.
  https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-onfailure.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from grader.cloud.template import Resource
from grader.cloud.template.sam import FUNCTION, plain
from grader.cloud.template.yaml_lines import Fields
from grader.cloud.words import counted
from grader.review.checklist import Consumer, Report
from grader.review.checklist.keeping import LONGEST_S, log_group, note_queues
from grader.review.checklist.watches import alarms_of
from grader.review.checklist.watching import telling
from grader.review.fix.written import Call, Unwritable, Written, attribute, ref

# Choices of this project. A year of logs is longer than most need: shorter deletes more.
RETRIES, AGE_S, LOG_DAYS = 3, 21_600, 365
Path = tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """One sentence about an item of a consumer: what is added, or why nothing is."""

    consumer: str
    item: str
    sentence: str


@dataclass(frozen=True)
class Proposal:
    """A template's text with what has one safe answer, what that is, and what has none."""

    text: str
    made: tuple[Note, ...]
    left: tuple[Note, ...]


# The items that are answered, in the order in which one needs the other.
ANSWERED = (
    *("failure-destination", "destination-permission", "alarm-discards"),
    *("bounded-retries", "bounded-age", "bisect", "partial-batch"),
    *("note-retention", "log-retention"),
)


def propose(
    text: str, root: Fields, report: Report, source_of: Callable[[Resource], str | None]
) -> Proposal:
    """What can be added to a template for the items that are not met.

    ``root`` is the template as it is written, before SAM's transform. ``source_of`` yields the
    source of a function's handler, None where it is not at hand.
    """
    fixing = _Fixing(Written(text), root)
    for consumer in report.consumers:
        open_ = {
            result.item.id for result in report.about(consumer.name) if result.verdict == "not met"
        }
        _Answers(fixing, consumer, open_, source_of).all()
    return Proposal(
        fixing.text.source,
        tuple(dict.fromkeys(fixing.made)),
        tuple(one for one in dict.fromkeys(fixing.left) if one not in fixing.made),
    )


class _Fixing:
    """The text so far, and what has been said."""

    def __init__(self, text: Written, root: Fields) -> None:
        self.text = text
        self.made: list[Note] = []
        self.left: list[Note] = []
        self.logged: set[str] = set()
        resources = root.node("Resources")
        body = plain(resources) if isinstance(resources, Fields) else {}
        self.written: dict[str, Any] = {
            name: one for name, one in body.items() if isinstance(one, dict)
        }

    def type(self, name: str) -> str:
        """The type of a resource as it is written, empty where none of that name is."""
        return str(self.written.get(name, {}).get("Type", ""))

    def free(self, name: str) -> str:
        """A logical id that no resource has."""
        for number in ("", *map(str, range(2, 1000))):
            if not self.text.has("Resources", name + number):
                return name + number
        raise Unwritable("no name is free")


class _Answers:
    """One consumer's items, asked in order."""

    def __init__(
        self,
        fixing: _Fixing,
        consumer: Consumer,
        open_: set[str],
        source_of: Callable[[Resource], str | None],
    ) -> None:
        self.fixing, self.consumer, self.open = fixing, consumer, open_
        self.source_of = source_of
        self.home, self.beside = _home(fixing, consumer)

    def all(self) -> None:
        """Ask every item that is not met."""
        for name in ANSWERED:
            if name not in self.open:
                continue
            if not self.beside:
                self._left(name, "the consumer is not written out in this template")
                continue
            before, said = self.fixing.text, len(self.fixing.made)
            try:
                getattr(self, "_" + name.replace("-", "_"))()
            except Unwritable as reason:
                self.fixing.text = before
                del self.fixing.made[said:]
                self._left(name, str(reason))

    def _made(self, item: str, sentence: str) -> None:
        self.open.discard(item)
        self.fixing.made.append(Note(self.consumer.name, item, sentence))

    def _left(self, item: str, sentence: str) -> None:
        self.fixing.left.append(Note(self.consumer.name, item, sentence + "."))

    def _set(self, item: str, key: str, value: Any, shown: str) -> None:
        """Add a setting of the consumer, where none is written."""
        *path, last = map(str, self.consumer.path(key))
        if self.fixing.text.has(*self.home, *path, last):
            written = self.consumer.value(key)
            raise Unwritable(f"{key} is written as {_word(written)}, which somebody has chosen")
        self.fixing.text = self.fixing.text.with_entry((*self.home, *path), last, value)
        self._made(item, f"{key} is {shown}.")

    # -- where failures go ---------------------------------------------------------------------

    def _failure_destination(self) -> None:
        if self.consumer.destination is not None:
            raise Unwritable("the destination that is written is none that works")
        fixing, name = self.fixing, self.fixing.free(f"{self.consumer.name}Failures")
        key: Path = ("DestinationConfig", "OnFailure", "Destination")
        *path, last = map(str, self.consumer.path(*key))
        arn = attribute(name, "Arn")
        fixing.text = fixing.text.with_entry((*self.home, *path), last, arn)
        if self._made_by_sam():
            fixing.text = fixing.text.with_entry((*self.home, *path), "Type", "SQS")
        else:
            self._allow("sqs:SendMessage", name, arn)
        # What comes later is written nearer to the consumer: the queue stands before its alarm.
        if not self.consumer.pipe:
            self._alarm(name, attribute(name, "QueueName"))
        body = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": LONGEST_S}}
        fixing.text = fixing.text.with_resource(self.beside, name, body)
        self._made(
            "failure-destination", f"Failure notes go to a new queue, {name}, kept for 14 days."
        )

    def _made_by_sam(self) -> bool:
        """Whether SAM writes the function's role and reads the event's destination."""
        role = self.consumer.role
        return len(self.home) > 3 and role is not None and not self.fixing.type(role.logical_id)

    def _destination_permission(self) -> None:
        found = self.consumer.destination_resource
        if found is None or found.type not in _SENDS:
            raise Unwritable("what the destination needs stands outside this template")
        if any(found.properties.get(key) for key in ("KmsMasterKeyId", "BucketEncryption")):
            raise Unwritable("the destination has a key of its own, whose policy decides too")
        action, arn, type = _SENDS[found.type]
        if self._made_by_sam():
            path = (*self.home, "DestinationConfig", "OnFailure")
            self.fixing.text = self.fixing.text.with_entry(path, "Type", type)
        else:
            name = found.logical_id
            self._allow(action, name, ref(name) if arn == "Ref" else attribute(name, arn))
        self._made("destination-permission", f"The role may do {action} on {found.logical_id}.")

    def _allow(self, action: str, name: str, arn: Call) -> None:
        """Let the role do something on a resource, by a policy of its own."""
        statement = {"Effect": "Allow", "Action": action, "Resource": arn}
        role, function = self.consumer.role, self.consumer.function
        if role is None:
            raise Unwritable("the role, which must write to it, stands outside this template")
        fixing = self.fixing
        if fixing.type(role.logical_id) == "AWS::IAM::Role":
            policy: dict[str, Any] = {
                "PolicyName": f"{name}-{action.partition(':')[2]}",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            }
            path: Path = ("Resources", role.logical_id, "Properties", "Policies")
        elif function is not None and fixing.type(function.logical_id) == FUNCTION:
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            path = ("Resources", function.logical_id, "Properties", "Policies")
        else:
            raise Unwritable("the role is not written out in this template")
        fixing.text = fixing.text.with_item(path, policy)

    def _alarm_discards(self) -> None:
        found = self.consumer.destination_resource
        if found is None or found.type != "AWS::SQS::Queue":
            raise Unwritable("the destination is no queue of this template")
        if not self.fixing.type(found.logical_id):
            raise Unwritable("the queue is not written out in this template")
        self._alarm(found.logical_id, attribute(found.logical_id, "QueueName"))

    def _alarm(self, queue: str, name: Call) -> None:
        alarm = self.fixing.free(f"{queue}Alarm")
        body: dict[str, Any] = {
            "AlarmDescription": "Records were given up; the stream keeps them for 24 hours.",
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": name}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        teller = _teller(self.fixing, self.consumer)
        if teller is not None:
            body["AlarmActions"] = [teller]
        self.fixing.text = self.fixing.text.with_resource(
            self.beside, alarm, {"Type": "AWS::CloudWatch::Alarm", "Properties": body}
        )
        self._made("alarm-discards", f"The alarm {alarm} rings as soon as a note lies in {queue}.")
        if teller is None:
            self._left(
                "alarm-actions",
                f"whom {alarm} tells is yours to say: set its AlarmActions to a topic",
            )

    # -- when a batch is given up --------------------------------------------------------------

    def _noted(self) -> None:
        if "failure-destination" in self.open:
            raise Unwritable(
                "without a failure destination a bound throws records away without a trace"
            )

    def _bounded_retries(self) -> None:
        self._noted()
        self._set("bounded-retries", "MaximumRetryAttempts", RETRIES, str(RETRIES))

    def _bounded_age(self) -> None:
        self._noted()
        self._set("bounded-age", "MaximumRecordAgeInSeconds", AGE_S, f"{AGE_S}, six hours")

    def _bisect(self) -> None:
        self._set("bisect", "BisectBatchOnFunctionError", True, "true")

    def _partial_batch(self) -> None:
        function = self.consumer.function
        source = self.source_of(function) if function is not None else None
        if source is None:
            raise Unwritable("whether the handler returns batchItemFailures cannot be read here")
        if not REPORTS.search(source):
            raise Unwritable(
                "the handler does not return batchItemFailures, and any other answer would count "
                "as success"
            )
        name = "FunctionResponseTypes"
        self._set("partial-batch", name, ["ReportBatchItemFailures"], "[ReportBatchItemFailures]")

    # -- how long things are kept --------------------------------------------------------------

    def _note_retention(self) -> None:
        queues = note_queues(self.consumer)
        if not queues:
            raise Unwritable("a rule of the bucket deletes the notes, which somebody has chosen")
        for queue in queues:
            if "MessageRetentionPeriod" not in queue.properties:
                self._keep(queue, "MessageRetentionPeriod", LONGEST_S)
                self._made("note-retention", f"{queue.logical_id} keeps its messages for 14 days.")
        if "note-retention" in self.open:
            raise Unwritable("MessageRetentionPeriod is written, which somebody has chosen")

    def _keep(self, resource: Resource, key: str, value: int) -> None:
        name = resource.logical_id
        if not self.fixing.type(name):
            raise Unwritable(f"{name} is not written out in this template")
        if not self.fixing.text.has("Resources", name, "Properties", key):
            path: Path = ("Resources", name, "Properties")
            self.fixing.text = self.fixing.text.with_entry(path, key, value)

    def _log_retention(self) -> None:
        function = self.consumer.function
        if function is None or not self.fixing.type(function.logical_id):
            raise Unwritable("the function is not written out in this template")
        group = log_group(self.consumer, function)
        days = counted(LOG_DAYS, "day")
        if group is not None:
            self._keep(group, "RetentionInDays", LOG_DAYS)
            self._made("log-retention", f"{group.logical_id} keeps logs for {days}.")
            return
        fixing, of = self.fixing, function.logical_id
        sentence = (
            f"A new log group keeps the logs of {of} for {days}; older ones stay where they are."
        )
        if of in fixing.logged:
            return self._made("log-retention", sentence)
        name = fixing.free(f"{of}Logs")
        self._may_log(of, name)
        path = ("Resources", of, "Properties", "LoggingConfig")
        fixing.text = fixing.text.with_entry(path, "LogGroup", ref(name))
        body = {
            "LogGroupName": Call("Fn::Sub", _group_name(of, "${AWS::StackName}")),
            "RetentionInDays": LOG_DAYS,
        }
        fixing.text = fixing.text.with_resource(
            of, name, {"Type": "AWS::Logs::LogGroup", "Properties": body}
        )
        fixing.logged.add(of)
        self._made("log-retention", sentence)

    def _may_log(self, function: str, group: str) -> None:
        """Let the role write to the new group where it does not already."""
        grants, stack = self.consumer.grants, self.consumer.stack
        if grants is None:
            raise Unwritable(
                "the role stands outside this template and may not write to a new group"
            )
        where = f"{stack.region}:{stack.account_id}:log-group:{_group_name(function, stack.name)}"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if grants.allows(action, f"arn:aws:logs:{where}:log-stream:any") != "yes":
                self._allow(action, group, attribute(group, "Arn"))


def _group_name(function: str, stack: str) -> str:
    return f"/aws/lambda/{stack}-{function}"


# What a destination takes: the action, the attribute that is its ARN, SAM's word for it.
_SENDS = {
    "AWS::SQS::Queue": ("sqs:SendMessage", "Arn", "SQS"),
    "AWS::SNS::Topic": ("sns:Publish", "Ref", "SNS"),
}

# What a handler's source says when it names the records that failed, in any of Lambda's languages.
REPORTS = re.compile(
    r"batch_?item_?failures?\b|process_?partial_?response|StreamsEventResponse", re.IGNORECASE
)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else "something"


def _home(fixing: _Fixing, consumer: Consumer) -> tuple[Path, str]:
    """Where a consumer's properties are written, and in which resource; empty for nowhere."""
    name = consumer.name
    if fixing.type(name) == consumer.mapping.type:
        return ("Resources", name, "Properties"), name
    for function, event in _events(fixing):
        if function + event == name:
            return ("Resources", function, "Properties", "Events", event, "Properties"), function
    return (), ""


def _events(fixing: _Fixing) -> Iterator[tuple[str, str]]:
    for name, body in fixing.written.items():
        properties = body.get("Properties")
        events = properties.get("Events") if isinstance(properties, dict) else None
        for event in events if body.get("Type") == FUNCTION and isinstance(events, dict) else ():
            yield name, event


def _teller(fixing: _Fixing, consumer: Consumer) -> Any:
    """Whom the consumer's alarms tell, or the one that all alarms of the template tell.

    None where that is nobody, several, or is written as something else than a name.
    """
    own = {watch.alarm.logical_id for watch in alarms_of(consumer)}
    acting = [one.logical_id for one in telling(consumer.stack)]
    told = [_action(fixing, name) for name in acting if name in own][:1]
    told = told or [_action(fixing, name) for name in acting]
    return told[0] if told and all(one == told[0] for one in told) else None


def _action(fixing: _Fixing, alarm: str) -> Any:
    """The first action of an alarm as it is written, where that is a reference or a text."""
    properties = fixing.written.get(alarm, {}).get("Properties")
    actions = properties.get("AlarmActions") if isinstance(properties, dict) else None
    first = next(iter(actions), None) if isinstance(actions, list) else actions
    if isinstance(first, dict) and isinstance(first.get("Ref"), str):
        return ref(first["Ref"])
    return first if isinstance(first, str) else None
