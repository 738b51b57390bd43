"""Items about the event source mapping: what it reads, when it gives up, where failures go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.mapping import parse_filter_criteria
from grader.cloud.template import shown, unknown
from grader.cloud.template.model import Resource
from grader.cloud.typed import flag, whole
from grader.review.checklist.answers import Answer, Evidence, aside, at, met, outside, unmet, unsure
from grader.review.checklist.grants import Says
from grader.review.checklist.model import item
from grader.review.checklist.patterns import IMAGES, Source, impossible
from grader.review.checklist.scene import PIPE, Consumer, inside, objects, owner, words

_DDB = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"
_CREATE = "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html"
_ERRORS = "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"
_BATCH = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html"
_PARAMETERS = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html"
_FILTER = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html"
_DDB_FILTER = "https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html"
_API = "https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"
_METRICS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"
_RETRIES = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-retries.html"
_STREAMS = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"
_QUEUE_KEYS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
_TOPIC_KEYS = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"
_RECURSION = "https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"

DAY_S = 86_400  # a stream keeps its records for 24 hours (_STREAMS)
# A choice of this project: without a bound on retries, an age of at most an hour is a bound too.
SHORT_AGE_S = 3_600
DEFAULT_BATCH = 100  # (_API)


def _here(consumer: Consumer, *path: str) -> Evidence:
    return at(consumer.mapping, *consumer.path(*path))


def _unreadable(consumer: Consumer, name: str, value: Any) -> Answer:
    """The answer for a property whose value is unknown, or is nothing that AWS takes."""
    if unknown(value):
        return unsure(
            f"{name} is {shown(value)}, which the template does not decide.", _here(consumer, name)
        )
    return unmet(f"{name} is {shown(value)}, which AWS does not take.", _here(consumer, name))


@item(
    "starting-position",
    pipes=True,
    title="Reading starts at the oldest record.",
    severity="critical",
    why="A new mapping takes minutes until it polls, and with LATEST whatever is written in that "
    "time is never read.",
    fix="Set StartingPosition to TRIM_HORIZON. It cannot be changed afterwards: a mapping with "
    "another position is a new mapping.",
    sources=(_DDB, _API),
)
def starting_position(consumer: Consumer) -> Answer:
    """TRIM_HORIZON, nothing else."""
    value, here = consumer.value("StartingPosition"), _here(consumer, "StartingPosition")
    if value is None:
        return unmet("StartingPosition is missing; AWS refuses such a mapping.", here)
    if value == "TRIM_HORIZON":
        return met("Reading starts at TRIM_HORIZON.", here)
    if value == "LATEST":
        return unmet("Reading starts at LATEST: records written before it polls are lost.", here)
    return _unreadable(consumer, "StartingPosition", value)


@item(
    "mapping-enabled",
    pipes=True,
    title="The mapping or pipe is switched on.",
    severity="critical",
    why="A disabled mapping reads nothing, and after 24 hours the stream deletes what it missed.",
    fix="Remove Enabled, or set it to true; a pipe's DesiredState to RUNNING. A pause belongs into "
    "a runbook, not into the template.",
    sources=(_CREATE, _STREAMS),
)
def mapping_enabled(consumer: Consumer) -> Answer:
    """Enabled is absent or true."""
    value, here = consumer.value("Enabled"), _here(consumer, "Enabled")
    which = "pipe" if consumer.pipe else "mapping"
    if value in (None, "RUNNING") or flag(value) is True:
        return met(f"The {which} is enabled.", here)
    if value == "STOPPED" or flag(value) is False:
        return unmet(f"The {which} is disabled.", here)
    return _unreadable(consumer, "Enabled", value)


@item(
    "bounded-retries",
    pipes=True,
    title="A failing batch is given up after a bounded number of retries.",
    severity="critical",
    why="By default a batch is retried until its records expire, and one bad record blocks its "
    "shard for up to a day.",
    fix="Set MaximumRetryAttempts, for example to 3. An age limit of at most an hour counts as a "
    "bound too.",
    sources=(_ERRORS, _PARAMETERS),
)
def bounded_retries(consumer: Consumer) -> Answer:
    """MaximumRetryAttempts is 0 or more, or the records' age ends it within an hour."""
    value, here = consumer.value("MaximumRetryAttempts"), _here(consumer, "MaximumRetryAttempts")
    retries = whole(value)
    if value is not None and retries is None:
        return _unreadable(consumer, "MaximumRetryAttempts", value)
    if retries is not None and retries >= 0:
        return met(f"A batch is retried at most {retries:,} times.", here)
    age = whole(consumer.value("MaximumRecordAgeInSeconds"))
    if age is not None and 60 <= age <= SHORT_AGE_S:
        return met(
            f"Retries are not counted, but end when a record is {age:,} s old.",
            _here(consumer, "MaximumRecordAgeInSeconds"),
        )
    return unmet("Retries are unlimited: they end when the stream deletes the records.", here)


@item(
    "bounded-age",
    pipes=True,
    title="A record is given up before the stream deletes it.",
    severity="critical",
    why="Throttles use up no retries, so only an age limit below the stream's 24 hours turns a "
    "long "
    "outage into failure notes instead of records that vanish without a trace.",
    fix="Set MaximumRecordAgeInSeconds to 60 or more and clearly below 86400, for example 21600.",
    sources=(_ERRORS, _METRICS, _STREAMS),
)
def bounded_age(consumer: Consumer) -> Answer:
    """MaximumRecordAgeInSeconds is 60 to 86,399."""
    name = "MaximumRecordAgeInSeconds"
    value, here = consumer.value(name), _here(consumer, name)
    age = whole(value)
    if value is not None and age is None:
        return _unreadable(consumer, name, value)
    if age is None or age == -1:
        return unmet("Records have no age limit here; the stream deletes them after 24 h.", here)
    if age < 60:
        return unmet(f"The age limit is {age} s; AWS takes 60 s or more.", here)
    if age >= DAY_S:
        return unmet(
            f"The age limit is {age:,} s, but the stream deletes records after {DAY_S:,} s.", here
        )
    return met(f"Records are given up when they are {age:,} s old.", here)


_DESTINATIONS = {
    "AWS::SQS::Queue": "queue",
    "AWS::SNS::Topic": "topic",
    "AWS::S3::Bucket": "bucket",
}


@item(
    "failure-destination",
    pipes=True,
    title="What is given up is noted in an on-failure destination.",
    severity="critical",
    why="Without a destination that takes the note, a discarded batch leaves no trace of which "
    "records are missing.",
    fix="Set DestinationConfig.OnFailure.Destination to the ARN of a standard SQS queue, a "
    "standard SNS topic or an S3 bucket; of a pipe DynamoDBStreamParameters.DeadLetterConfig.Arn "
    "to a queue or topic. The function's own DeadLetterConfig does not serve a stream.",
    sources=(_ERRORS, _PARAMETERS, _RETRIES),
)
def failure_destination(consumer: Consumer) -> Answer:
    """There is a destination of a kind that works."""
    path = ("DestinationConfig", "OnFailure", "Destination")
    value, here = consumer.destination, _here(consumer, *path)
    if value is None:
        detail = "There is no on-failure destination."
        function = consumer.function
        if function is not None and function.properties.get("DeadLetterConfig") is not None:
            return unmet(
                f"{detail} The function's DeadLetterConfig serves asynchronous calls only.",
                here,
                at(function, "DeadLetterConfig"),
            )
        return unmet(detail, here)
    found = consumer.destination_resource
    if found is not None:
        kinds = {
            "AWS::SQS::Queue": "queue",
            "AWS::SNS::Topic": "topic",
            "AWS::S3::Bucket": "bucket",
        }
        kind = kinds.get(found.type)
        if kind is None and found.type.startswith(("AWS::CloudFormation::", "Custom::")):
            return outside("destination", value, here)
        if kind is None:
            return unmet(f"The destination {found.logical_id} is an {found.type}.", here, at(found))
        if kind == "queue" and value == found.physical_id and not value.startswith("arn:"):
            return unmet("The destination is the queue's URL (Ref); it must be its ARN.", here)
        if kind == "bucket" and value == found.physical_id:
            return unmet("The destination is the bucket's name (Ref); it must be its ARN.", here)
        fifo = found.properties.get("FifoQueue" if kind == "queue" else "FifoTopic")
        if kind != "bucket" and flag(fifo) is True:
            return unmet(f"{found.logical_id} is a FIFO {kind}, which takes no notes.", here)
        return met(f"Failure notes go to the {kind} {found.logical_id}.", here, at(found))
    if not isinstance(value, str) or (unknown(value) and not value.startswith("arn:")):
        return outside("destination", value, here)
    parts = value.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return unmet(f"The destination {shown(value)} is no ARN.", here)
    if parts[2] not in ("sqs", "sns", "s3"):
        return unmet(f"The destination belongs to {shown(parts[2])}.", here)
    if parts[5].endswith(".fifo"):
        return unmet("The destination is FIFO, which takes no notes.", here)
    return met(f"Failure notes go to {shown(value)}.", here)


_SEND = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "s3": "s3:PutObject"}


@item(
    "destination-permission",
    pipes=True,
    title="The role of the function or pipe may write to the failure destination.",
    severity="critical",
    applies="consumers with an on-failure destination",
    why="Lambda sends the note with the function's role, a pipe with its own; where it may not, "
    "the note is dropped and the records are gone all the same.",
    fix="Allow sqs:SendMessage, sns:Publish, or s3:PutObject and s3:ListBucket on the destination. "
    "Under a key of your own allow kms:GenerateDataKey on it too, and kms:Decrypt for queues and "
    "topics.",
    sources=(_ERRORS, _METRICS, _QUEUE_KEYS, _TOPIC_KEYS),
)
def destination_permission(consumer: Consumer) -> Answer:
    """The role is allowed the actions that the destination's kind needs."""
    value = consumer.destination
    here = _here(consumer, "DestinationConfig", "OnFailure", "Destination")
    if value is None:
        return aside("There is no destination.")
    grants = consumer.grants
    if grants is None:
        return _no_role(consumer)
    found = consumer.destination_resource
    service = value.split(":")[2] if isinstance(value, str) and value.count(":") >= 5 else ""
    if service not in _SEND:
        return outside("destination", value, here)
    needs = [(_SEND[service], value)]
    if service == "s3":
        needs = [("s3:PutObject", f"{value}/aws/lambda/note"), ("s3:ListBucket", value)]
    role = at(grants.role)
    name = found.logical_id if found is not None else shown(value)
    for action, arn in (*needs, *_key_needs(consumer)):
        says = grants.allows(action, arn)
        if says == "no":
            on = f"the key of {name}" if action.startswith("kms:") else name
            return unmet(f"{grants.role.logical_id} does not allow {action} on {on}.", role, here)
        if says == "unknown":
            return _undecided(consumer, action, role, here)
    return met(f"{grants.role.logical_id} may write to {name}.", role)


def _key_needs(consumer: Consumer) -> Iterator[tuple[str, str]]:
    """What the role needs on the destination's key, where that is a customer's.

    A key whose own policy could let the role in is not looked into: the account's policies decide
    only where that one lets them, which is every key's default.
    """
    found = consumer.destination_resource
    if found is None:
        return
    if found.type == "AWS::S3::Bucket":
        key = _bucket_key(found)
    else:
        key = found.properties.get("KmsMasterKeyId")
    if not isinstance(key, str) or not key or "alias/aws/" in key:
        return
    owned = owner(consumer.stack, key)
    if owned is not None and owned.type == "AWS::KMS::Alias":
        owned = owner(consumer.stack, owned.properties.get("TargetKeyId")) or owned
    arn = owned.attributes.get("Arn", key) if owned is not None else key
    yield "kms:GenerateDataKey", str(arn)
    if found.type != "AWS::S3::Bucket":
        yield "kms:Decrypt", str(arn)


def _bucket_key(bucket: Resource) -> Any:
    rules = inside(bucket.properties, "BucketEncryption", "ServerSideEncryptionConfiguration")
    for _, rule in objects(rules):
        by = inside(rule, "ServerSideEncryptionByDefault")
        if "kms" in str(inside(by, "SSEAlgorithm")):
            return inside(by, "KMSMasterKeyID")
    return None


def _no_role(consumer: Consumer) -> Answer:
    if consumer.pipe:
        role = consumer.mapping.properties.get("RoleArn")
        return outside("pipe's role", role, at(consumer.mapping, "RoleArn"))
    if consumer.function is None:
        return outside("function", consumer.value("FunctionName"), _here(consumer, "FunctionName"))
    return outside(
        "function's role", consumer.function.properties.get("Role"), at(consumer.function, "Role")
    )


def _undecided(consumer: Consumer, action: str, *evidence: Evidence) -> Answer:
    unclear = consumer.grants.unclear if consumer.grants is not None else []
    reason = unclear[0] if unclear else "its policies name resources that are not known"
    if not unclear and consumer.grants and any(one.doubtful for one in consumer.grants.statements):
        reason = "a statement has a condition that cannot be judged here"
    return unsure(f"Whether the role allows {action} cannot be told: {reason}.", *evidence)


# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
_READ = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")


@item(
    "stream-permission",
    pipes=True,
    title="The role of the function or pipe may read the stream.",
    severity="critical",
    why="Lambda reads the stream with the function's role, and refuses to create a mapping whose "
    "role may not. A pipe reads with its own role.",
    fix="Allow dynamodb:DescribeStream, GetRecords and GetShardIterator on the stream and "
    "dynamodb:ListStreams, or attach AWSLambdaDynamoDBExecutionRole.",
    sources=(_CREATE,),
)
def stream_permission(consumer: Consumer) -> Answer:
    """The four actions, on this stream."""
    grants = consumer.grants
    if grants is None:
        return _no_role(consumer)
    arn, role = consumer.value("EventSourceArn"), at(grants.role)
    if not isinstance(arn, str):
        return outside("stream", arn, _here(consumer, "EventSourceArn"))
    worst: dict[Says, list[str]] = {"yes": [], "no": [], "unknown": []}
    for action in (*_READ, "dynamodb:ListStreams"):
        says = grants.allows(action, arn)
        if says != "yes" and action == "dynamodb:ListStreams":
            # Granted on the stream, on its table or on everything: AWS's examples differ.
            says = "yes" if grants.allows(action, "*") == "yes" else says
        worst[says].append(action)
    if worst["no"]:
        names = ", ".join(worst["no"])
        return unmet(f"{grants.role.logical_id} does not allow {names} on the stream.", role)
    if worst["unknown"]:
        return _undecided(consumer, worst["unknown"][0], role)
    return met(f"{grants.role.logical_id} may read the stream.", role)


@item(
    "partial-batch",
    title="The function can report which records failed.",
    severity="important",
    applies="consumers that take more than one record a call",
    why="Without it one bad record sends the whole batch again, good records included, and what "
    "the "
    "function returns is ignored.",
    fix="Set FunctionResponseTypes to [ReportBatchItemFailures] and return batchItemFailures.",
    sources=(_BATCH,),
)
def partial_batch(consumer: Consumer) -> Answer:
    """ReportBatchItemFailures is on."""
    name = "FunctionResponseTypes"
    value, here = consumer.value(name), _here(consumer, name)
    if "ReportBatchItemFailures" in words(value):
        return met("ReportBatchItemFailures is on.", here)
    if whole(consumer.value("BatchSize")) == 1:
        return aside("A batch holds one record.", _here(consumer, "BatchSize"))
    if unknown(value) or (isinstance(value, list) and any(unknown(one) for one in value)):
        return _unreadable(consumer, name, next(iter(words(value)), value))
    return unmet("ReportBatchItemFailures is off.", here)


@item(
    "bisect",
    title="A batch that fails as a whole is cut in two.",
    severity="important",
    applies="consumers that take more than one record a call",
    why="A crash or a timeout names no record; without bisecting, all records of the batch are "
    "retried and given up together.",
    fix="Set BisectBatchOnFunctionError to true. Splitting uses up no retries, and goes together "
    "with ReportBatchItemFailures.",
    sources=(_ERRORS, _BATCH),
)
def bisect(consumer: Consumer) -> Answer:
    """BisectBatchOnFunctionError is true."""
    name = "BisectBatchOnFunctionError"
    value, here = consumer.value(name), _here(consumer, name)
    if flag(value) is True:
        return met("Failing batches are cut in two.", here)
    if whole(consumer.value("BatchSize")) == 1:
        return aside("A batch holds one record.", _here(consumer, "BatchSize"))
    if value is None or flag(value) is False:
        return unmet("BisectBatchOnFunctionError is off.", here)
    return _unreadable(consumer, name, value)


def _patterns(consumer: Consumer) -> Iterator[tuple[int, Any]]:
    for number, one in objects(consumer.value("FilterCriteria", "Filters")):
        yield number, one.get("Pattern")


@item(
    "filter-valid",
    pipes=True,
    title="The filters are patterns that can match a stream record.",
    severity="critical",
    applies="consumers with filters",
    why="A record that no filter matches is skipped for good, so that a filter which can never "
    "match throws everything away in silence.",
    fix="Begin with dynamodb, eventName or userIdentity, write the attribute's type letter, and "
    "give "
    'lists of values: {"dynamodb": {"NewImage": {"status": {"S": ["paid"]}}}}.',
    sources=(_FILTER, _DDB_FILTER),
)
def filter_valid(consumer: Consumer) -> Answer:
    """Every pattern parses, and some record of the table can pass it."""
    criteria = consumer.value("FilterCriteria")
    here = _here(consumer, "FilterCriteria")
    if unknown(criteria) or unknown(inside(criteria, "Filters")):
        return _unreadable(consumer, "FilterCriteria", criteria)
    found = list(_patterns(consumer))
    if not found:
        return aside("There are no filters.")
    for number, pattern in found:
        place = at(consumer.mapping, *consumer.path("FilterCriteria", "Filters", number, "Pattern"))
        if unknown(pattern):
            return unsure(f"Filter {number + 1} holds a value that is not known.", place)
        if isinstance(pattern, dict):
            pattern = json.dumps(pattern)
        try:
            (parsed,) = parse_filter_criteria({"Filters": [{"Pattern": pattern}]})
        except Refused as refused:
            reason = getattr(refused, "reason", str(refused))
            return unmet(f"Filter {number + 1} is not valid: {reason}", place)
        except (ValueError, RecursionError, TypeError):
            return unmet(f"Filter {number + 1} is not valid.", place)
        problem = impossible(parsed, _source(consumer))
        if problem:
            return unmet(f"Filter {number + 1} matches nothing: {problem}", place)
    count = len(found)
    return met(f"{count} filter{'s' if count > 1 else ''} can match stream records.", here)


def _source(consumer: Consumer) -> Source:
    """What the template says of the table whose stream is read."""
    table = consumer.table
    if table is None:
        return Source()
    types = {
        one.get("AttributeName"): one.get("AttributeType")
        for _, one in objects(table.properties.get("AttributeDefinitions"))
    }
    names = [one.get("AttributeName") for _, one in objects(table.properties.get("KeySchema"))]
    sure = names and all(types.get(name) in ("S", "N", "B") for name in names)
    view = inside(table.properties, "StreamSpecification", "StreamViewType")
    return Source(
        {str(name): str(types[name]) for name in names} if sure else None,
        view if view in IMAGES else None,
    )


@item(
    "view-type",
    pipes=True,
    title="The stream carries the images that the filters look at.",
    severity="critical",
    why="A filter on an image that the stream does not carry matches nothing, and a table without "
    "a stream gives the mapping nothing to read.",
    fix="Set StreamSpecification.StreamViewType to a view that holds the images: NEW_IMAGE, "
    "OLD_IMAGE or NEW_AND_OLD_IMAGES. Changing it makes a new stream.",
    sources=(_STREAMS, _DDB_FILTER),
)
def view_type(consumer: Consumer) -> Answer:
    """The source table has a stream, with the images that are filtered on."""
    table = consumer.table
    if table is None:
        return outside("table", consumer.value("EventSourceArn"), _here(consumer, "EventSourceArn"))
    here = at(table, "StreamSpecification", "StreamViewType")
    specification = table.properties.get("StreamSpecification")
    view = inside(specification, "StreamViewType")
    if table.type == "AWS::DynamoDB::GlobalTable" and specification is None:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html
        view = "NEW_AND_OLD_IMAGES"  # a global table of several Regions has this stream always
        if len(list(objects(table.properties.get("Replicas")))) < 2:
            view = None
    if view is None:
        return unmet(f"{table.logical_id} has no stream (StreamSpecification).", here)
    arn = consumer.value("EventSourceArn")
    if arn == table.attributes.get("Arn") or arn == table.physical_id:
        return unmet(
            "The table is named as the source; what is read is its stream (GetAtt StreamArn).",
            _here(consumer, "EventSourceArn"),
        )
    if unknown(view):
        return unsure(f"The view type is {shown(view)}, which the template does not decide.", here)
    wanted = set()
    for _, pattern in _patterns(consumer):
        text = pattern if isinstance(pattern, str) else json.dumps(pattern, default=str)
        wanted |= {image for image in ("NewImage", "OldImage") if f'"{image}"' in text}
    carried = IMAGES.get(str(view))
    if carried is None:
        return unmet(f"StreamViewType is {shown(view)}, which AWS does not take.", here)
    if wanted.difference(carried):
        missing = " and ".join(sorted(wanted.difference(carried)))
        return unmet(f"A filter looks at {missing}, which {view} does not carry.", here)
    return met(f"The stream of {table.logical_id} carries {view}.", here)


@item(
    "readers-per-stream",
    pipes=True,
    title="At most two consumers read the stream.",
    severity="important",
    why="More than two readers of a shard are throttled, and each falls behind because of the "
    "others; of a global table AWS advises one.",
    fix="Let one function read the stream and pass the changes on, for example to a topic or to "
    "EventBridge.",
    sources=(
        _DDB,
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html",
    ),
)
def readers_per_stream(consumer: Consumer) -> Answer:
    """No more than two mappings of the template read this stream."""
    arn = consumer.value("EventSourceArn")
    readers = consumer.siblings
    table = consumer.table
    limit = 1 if table is not None and table.type == "AWS::DynamoDB::GlobalTable" else 2
    places = [at(one, "Source" if one.type == PIPE else "EventSourceArn") for one in readers]
    if len(readers) > limit:
        return unmet(
            f"{len(readers)} mappings and pipes of this template read the stream.", *places
        )
    count = "One consumer reads" if len(readers) == 1 else f"{len(readers)} consumers read"
    where = "" if arn is not None and table is not None else " of another stack"
    return met(f"{count} the stream{where}, as far as this template tells.", *places)


@item(
    "event-counts",
    title="The mapping reports how many records it reads, drops and hands over.",
    severity="important",
    why="Only these metrics tell a quiet table from a silent mapping, and show records that are "
    "reported as failed while the function's Errors stay at zero.",
    fix="Set MetricsConfig to {Metrics: [EventCount]}.",
    sources=(_METRICS,),
)
def event_counts(consumer: Consumer) -> Answer:
    """MetricsConfig holds EventCount."""
    value = consumer.value("MetricsConfig", "Metrics")
    here = _here(consumer, "MetricsConfig", "Metrics")
    if "EventCount" in words(value):
        return met("The mapping's event counts are on.", here)
    if unknown(value) or any(unknown(one) for one in words(value)):
        return _unreadable(consumer, "MetricsConfig", value)
    return unmet("The mapping's event counts are off.", here)


@item(
    "own-table-loop",
    title="The consumer does not feed itself.",
    severity="important",
    why="A function that writes into the table it reads from invokes itself again, and AWS's guard "
    "against loops does not cover DynamoDB.",
    fix="Write to another table and take the right to write to the source away, or filter the "
    "consumer's own writes out.",
    sources=(_RECURSION,),
)
def own_table_loop(consumer: Consumer) -> Answer:
    """The role may not write to the source table, or filters keep its own writes out."""
    grants, table = consumer.grants, consumer.table
    if grants is None:
        return _no_role(consumer)
    if table is None:
        return outside("table", consumer.value("EventSourceArn"), _here(consumer, "EventSourceArn"))
    arn = table.attributes.get("Arn", "")
    says: list[Says] = [
        grants.allows(f"dynamodb:{action}", arn) for action in ("PutItem", "UpdateItem")
    ]
    role = at(grants.role)
    if says == ["no", "no"]:
        return met(f"{grants.role.logical_id} may not write to {table.logical_id}.", role)
    if list(_patterns(consumer)):
        return met(
            "The role may write to the source table; filters decide what comes back.",
            _here(consumer, "FilterCriteria"),
        )
    if "yes" in says:
        return unmet(
            f"{grants.role.logical_id} may write to {table.logical_id}, and nothing is filtered.",
            role,
        )
    return _undecided(consumer, "dynamodb:PutItem", role)
