"""Items about what is kept: tables, failure notes, logs, tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grader.cloud.template import shown, unknown
from grader.cloud.template.model import Resource
from grader.cloud.typed import flag, whole
from grader.cloud.words import counted
from grader.review.checklist.answers import Answer, Evidence, aside, at, met, outside, unmet, unsure
from grader.review.checklist.model import item
from grader.review.checklist.scene import TABLES, Consumer, inside, objects, owner

_PITR = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html"
)
_PROTECTION = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html"
_POLICY = "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"
_QUEUE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"
_LOGS = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"
_TAGS = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html"

# The longest that a queue keeps a message: 14 days (_QUEUE). The default is 4.
LONGEST_S = 1_209_600
DEFAULT_S = 345_600


def _settings(table: Resource, name: str) -> list[tuple[Any, tuple[str | int, ...]]]:
    """A table's setting; of a global table one for each replica, which is where they stand.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html
    """
    if table.type != "AWS::DynamoDB::GlobalTable":
        return [(table.properties.get(name), (name,))]
    return [
        (replica.get(name), ("Replicas", number, name))
        for number, replica in objects(table.properties.get("Replicas"))
    ] or [(None, ("Replicas",))]


def written_tables(consumer: Consumer) -> Iterator[Resource]:
    """The template's tables, beside the source, that the role may write to for certain."""
    grants = consumer.grants
    for table in consumer.stack.resources.values():
        if table.type not in TABLES or table is consumer.table or grants is None:
            continue
        arn = table.attributes.get("Arn", "")
        actions = ("PutItem", "UpdateItem", "BatchWriteItem")
        if any(grants.allows(f"dynamodb:{action}", arn) == "yes" for action in actions):
            yield table


def _no_table(consumer: Consumer) -> Answer:
    return outside(
        "table", consumer.value("EventSourceArn"), at(consumer.mapping, "EventSourceArn")
    )


def _recoverable(table: Resource) -> Answer:
    for value, path in _settings(table, "PointInTimeRecoverySpecification"):
        on = inside(value, "PointInTimeRecoveryEnabled")
        here = at(table, *path, "PointInTimeRecoveryEnabled")
        if unknown(on):
            return unsure(f"{table.logical_id}: recovery is {shown(on)}, not decided here.", here)
        if flag(on) is not True:
            return unmet(f"{table.logical_id} has no point-in-time recovery.", here)
    return met(f"{table.logical_id} can be recovered.", here)


@item(
    "table-recovery",
    pipes=True,
    title="The source table and the tables written can be restored to any second.",
    severity="important",
    why="A consumer's bug can spoil a whole table within minutes, and a stream looks back only 24 "
    "hours.",
    fix="Set PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled to true. Tables whose "
    "items expire by TTL, such as one of seen events, are not asked for it.",
    sources=(_PITR,),
)
def table_recovery(consumer: Consumer) -> Answer:
    """Point-in-time recovery is on, for the source and for what the role may write."""
    source = [consumer.table] if consumer.table is not None else []
    written = [table for table in written_tables(consumer) if not _expires(table)]
    answers = [_recoverable(table) for table in [*source, *written]]
    for verdict in ("not met", "cannot tell"):
        for answer in answers:
            if answer.verdict == verdict:
                return answer
    if consumer.table is None:
        return _no_table(consumer)
    places = [place for answer in answers for place in answer.evidence]
    return met(f"{', '.join(t.logical_id for t in [*source, *written])}: recoverable.", *places)


def _expires(table: Resource) -> bool:
    return flag(inside(table.properties.get("TimeToLiveSpecification"), "Enabled")) is True


@item(
    "table-kept",
    pipes=True,
    title="The source table outlives a mistake with the stack.",
    severity="important",
    why="Deleting the stack, or a change that replaces the table, deletes its items and its "
    "stream.",
    fix="Set DeletionProtectionEnabled to true, or DeletionPolicy and UpdateReplacePolicy to "
    "Retain.",
    sources=(_PROTECTION, _POLICY),
)
def table_kept(consumer: Consumer) -> Answer:
    """Deletion protection, or both policies."""
    table = consumer.table
    if table is None:
        return _no_table(consumer)
    values = _settings(table, "DeletionProtectionEnabled")
    places = [at(table, *path) for _, path in values]
    if all(flag(value) is True for value, _ in values):
        return met(f"{table.logical_id} has deletion protection.", *places)
    keeps = ("Retain", "RetainExceptOnCreate", "Snapshot")
    if table.deletion_policy in keeps:
        policy = at(table, "DeletionPolicy")
        if table.update_replace_policy in keeps:
            return met(f"{table.logical_id} is retained.", policy)
        return unmet(
            f"{table.logical_id} is retained when the stack is deleted, not when it is replaced.",
            policy,
        )
    if any(unknown(value) for value, _ in values):
        return unsure(f"{table.logical_id}: protection is not decided here.", *places)
    return unmet(f"{table.logical_id} has neither protection nor Retain.", *places)


def note_queues(consumer: Consumer) -> list[Resource]:
    """The queues in which the notes come to lie: the destination, or those behind a topic."""
    target = consumer.destination_resource
    if target is None:
        return []
    if target.type == "AWS::SQS::Queue":
        return [target]
    stack = consumer.stack
    listening = [one for _, one in objects(target.properties.get("Subscription"))]
    listening += [
        one.properties
        for one in stack.of_type("AWS::SNS::Subscription")
        if owner(stack, one.properties.get("TopicArn")) is target
    ]
    found = (owner(stack, one.get("Endpoint")) for one in listening)
    return [one for one in found if one is not None and one.type == "AWS::SQS::Queue"]


def _worst(answers: list[Answer]) -> Answer:
    """The answer that says most against a consumer with several queues."""
    order = ("not met", "cannot tell", "met")
    return min(answers, key=lambda answer: order.index(answer.verdict))


@item(
    "note-retention",
    pipes=True,
    title="Notes of failures are kept for 14 days.",
    severity="advice",
    applies="consumers whose destination is a queue, a topic with a queue, or a bucket",
    why="The note is all that says which records were lost; after the default of 4 days a long "
    "weekend may have taken it.",
    fix="Set MessageRetentionPeriod to 1209600; let a bucket's lifecycle leave them for 14 days.",
    sources=(_QUEUE,),
)
def note_retention(consumer: Consumer) -> Answer:
    """MessageRetentionPeriod is 14 days, of a queue behind a topic, too; a bucket's rules wait."""
    target = consumer.destination_resource
    if target is not None and target.type == "AWS::S3::Bucket":
        return _kept_in(target)
    if queues := note_queues(consumer):
        return _worst([_kept(queue) for queue in queues])
    return aside("The destination is no queue of this template.")


def _kept(queue: Resource) -> Answer:
    value, here = (
        queue.properties.get("MessageRetentionPeriod"),
        at(queue, "MessageRetentionPeriod"),
    )
    seconds = DEFAULT_S if value is None else whole(value)
    if unknown(value):
        return unsure(f"{queue.logical_id} keeps messages for {shown(value)} s.", here)
    if seconds is None or seconds < LONGEST_S:
        days = "?" if seconds is None else f"{seconds / 86_400:.3g}"
        return unmet(f"{queue.logical_id} keeps messages for {days} days.", here)
    return met(f"{queue.logical_id} keeps messages for 14 days.", here)


# What the names of the objects begin with that Lambda writes, and how soon a rule takes them.
# https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
_NOTES = "aws/lambda/"
_DAY_S = 86_400


def _kept_in(bucket: Resource) -> Answer:
    """Whether the rules of a bucket's lifecycle leave the notes there for 14 days."""
    path = ("LifecycleConfiguration", "Rules")
    for number, rule in objects(inside(bucket.properties, *path)):
        prefix = rule.get("Prefix") or ""
        days, here = rule.get("ExpirationInDays"), at(bucket, *path, number, "ExpirationInDays")
        if unknown(prefix) or unknown(days) or unknown(rule.get("Status")):
            return unsure(f"A rule of {bucket.logical_id} is not known.", here)
        # Lambda tags no note, so that a rule for tagged objects leaves them alone.
        touches = _NOTES.startswith(prefix) or str(prefix).startswith(_NOTES)
        if rule.get("Status") != "Enabled" or rule.get("TagFilters") or not touches:
            continue
        if "ExpirationDate" in rule:
            return unmet(f"{bucket.logical_id} deletes its notes on a day of the calendar.", here)
        if (kept := whole(days)) is not None and kept * _DAY_S < LONGEST_S:
            return unmet(f"{bucket.logical_id} deletes notes after {counted(kept, 'day')}.", here)
    return met(f"{bucket.logical_id} keeps its notes for 14 days at least.", at(bucket, *path))


@item(
    "queue-encryption",
    pipes=True,
    title="The failure queue is encrypted at rest.",
    severity="important",
    applies="consumers whose destination is a queue, or a topic with a queue",
    why="New queues are encrypted with a key of SQS free of charge, so that encryption is off only "
    "where it was switched off.",
    fix="Remove SqsManagedSseEnabled: false. A key of your own is not needed.",
    sources=(_QUEUE,),
)
def queue_encryption(consumer: Consumer) -> Answer:
    """SqsManagedSseEnabled is not false, or there is a key."""
    if queues := note_queues(consumer):
        return _worst([_encrypted(queue) for queue in queues])
    return aside("The destination is no queue of this template.")


def _encrypted(queue: Resource) -> Answer:
    value, here = queue.properties.get("SqsManagedSseEnabled"), at(queue, "SqsManagedSseEnabled")
    if queue.properties.get("KmsMasterKeyId"):
        return met(f"{queue.logical_id} is encrypted with a KMS key.", at(queue, "KmsMasterKeyId"))
    if flag(value) is False:
        return unmet(f"Encryption of {queue.logical_id} is switched off.", here)
    if unknown(value):
        return unsure(f"Encryption of {queue.logical_id} is {shown(value)}.", here)
    return met(f"{queue.logical_id} is encrypted with SQS's own key.", here)


@item(
    "log-retention",
    title="The function's logs are deleted some day.",
    severity="important",
    why="Lambda makes the log group itself, with logs that never expire and cost more every month.",
    fix="Add an AWS::Logs::LogGroup named /aws/lambda/ and the function's name, or name one in "
    "LoggingConfig.LogGroup, and set its RetentionInDays.",
    sources=(_LOGS,),
)
def log_retention(consumer: Consumer) -> Answer:
    """The function's log group stands in the template and has a retention."""
    function = consumer.function
    if function is None:
        return outside(
            "function", consumer.value("FunctionName"), at(consumer.mapping, "FunctionName")
        )
    given = inside(function.properties.get("LoggingConfig"), "LogGroup")
    group = log_group(consumer, function)
    if group is None:
        if given is not None and owner(consumer.stack, given) is None:
            return outside("log group", given, at(function, "LoggingConfig"))
        return consumer.absent("The template has no log group for the function.", at(function))
    value, here = group.properties.get("RetentionInDays"), at(group, "RetentionInDays")
    if value is None:
        return unmet(f"{group.logical_id} has no RetentionInDays.", here)
    if unknown(value):
        return met(f"{group.logical_id} has a retention, {shown(value)}.", here)
    days = whole(value)
    kept = shown(value) if days is None else counted(days, "day")
    return met(f"{group.logical_id} keeps logs for {kept}.", here)


def log_group(consumer: Consumer, function: Resource) -> Resource | None:
    """The log group of a function in the template: the one it names, or that of its name."""
    given = inside(function.properties.get("LoggingConfig"), "LogGroup")
    if given is not None:
        found = owner(consumer.stack, given)
        return found if found is not None and found.type == "AWS::Logs::LogGroup" else None
    name = f"/aws/lambda/{function.physical_id}"
    for group in consumer.stack.resources.values():
        # The Cloud Development Kit sets the retention by a custom resource.
        kinds = ("AWS::Logs::LogGroup", "Custom::LogRetention")
        if group.type in kinds and group.properties.get("LogGroupName") == name:
            return group
    return None


def _own_tags(value: Any) -> bool:
    """Whether somebody chose a tag; SAM puts ``lambda:createdBy`` on every function."""
    names = value if isinstance(value, Mapping) else [one.get("Key") for _, one in objects(value)]
    return any(name != "lambda:createdBy" for name in names)


@item(
    "tags",
    pipes=True,
    title="The reader of the stream and the source table carry tags.",
    severity="advice",
    why="Without tags nobody can tell whose they are, or what they cost.",
    fix="Add Tags, at least for owner and cost. Tags given to the stack when it is deployed do as "
    "well, and cannot be seen here.",
    sources=(_TAGS,),
)
def tags(consumer: Consumer) -> Answer:
    """Both have at least one tag."""
    reader = consumer.mapping if consumer.pipe else consumer.function
    asked = [one for one in (reader, consumer.table) if one is not None]
    if not asked:
        return outside("function", consumer.value("FunctionName"), at(consumer.mapping))
    places: list[Evidence] = []
    for one in asked:
        for value, path in _settings(one, "Tags"):
            if unknown(value):
                return unsure(f"The tags of {one.logical_id} are not known.", at(one, *path))
            if not _own_tags(value):
                return unmet(f"{one.logical_id} has no tags.", at(one, *path))
            places.append(at(one, *path))
    return met(f"{' and '.join(one.logical_id for one in asked)}: tagged.", *places)
