"""An event source mapping's parameters: read, checked, defaulted, shown.

The member names are those of CreateEventSourceMapping, which CloudFormation's
``AWS::Lambda::EventSourceMapping`` shares. Ranges and defaults:
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from grader.cloud import template, typed
from grader.cloud.aws import Refused
from grader.cloud.mapping.filters import Filter, parse_filter_criteria

# Ranges and choices are those of the table of resource types.
_TYPE = "AWS::Lambda::EventSourceMapping"
# Members that say which mapping is meant; the caller reads them.
_CREATE_ADDRESS = ("EventSourceArn", "FunctionName", "StartingPosition", "Tags")
_UPDATE_ADDRESS = ("FunctionName", "UUID")

_STREAM_ARN = re.compile(
    r"arn:aws[a-zA-Z0-9-]*:dynamodb:[a-z0-9-]+:\d{12}:table/[^/]+/stream/.+", re.ASCII
)
# The other sources, by the service in the ARN: https://docs.aws.amazon.com/lambda/latest/api/
# API_CreateEventSourceMapping.html
_OTHER_SOURCES = {
    "sqs": "Amazon SQS queues",
    "kinesis": "Amazon Kinesis streams",
    "kafka": "Amazon MSK clusters",
    "mq": "Amazon MQ brokers",
    "rds": "Amazon DocumentDB clusters",
}
_SOURCE_ARN = re.compile(r"arn:aws[a-zA-Z0-9-]*:([a-z]+):[a-z0-9-]+:\d{12}:.+", re.ASCII)
# Standard queues and topics, and buckets:
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
_DESTINATION_ARN = re.compile(r"arn:aws[a-zA-Z0-9-]*:(sqs|sns|s3):([^:]*):([^:]*):.+", re.ASCII)
_KEY_ARN = re.compile(r"arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*", re.ASCII)
_MAX_DESTINATION = 350


@dataclass(frozen=True, slots=True)
class Settings:
    """A mapping's parameters, in the emulator's names and units (milliseconds).

    ``max_retries`` and ``max_age_ms`` are -1 for "no limit". ``destination`` is the ARN of the
    on-failure queue, topic or bucket.
    """

    batch_size: int = 100
    window_ms: int = 0
    parallelization: int = 1
    max_retries: int = -1
    max_age_ms: int = -1
    bisect: bool = False
    report_failures: bool = False
    filters: tuple[Filter, ...] = ()
    tumbling_window_ms: int = 0
    destination: str | None = None
    starting_position: str = "TRIM_HORIZON"
    enabled: bool = True
    event_count_metrics: bool = False
    kms_key_arn: str | None = None

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> Settings:
        """The settings of a CreateEventSourceMapping request or CloudFormation properties.

        Numbers and booleans may be texts, as in a CloudFormation template. Members that are None
        count as absent. Refused as AWS refuses; members of other event sources, and unknown ones,
        are refused by name. Whether function and stream exist is the caller's to say.
        """
        given = {name: value for name, value in request.items() if value is not None}
        arn = given.get("EventSourceArn")
        if not isinstance(arn, str) or not _STREAM_ARN.fullmatch(arn):
            raise _not_a_stream(arn, given)
        position = _starting_position(given.get("StartingPosition"), arn)
        changes = _read(given, _CREATE_ADDRESS)
        return replace(cls(starting_position=position), **changes)

    def update(self, request: Mapping[str, Any]) -> Settings:
        """The settings after an UpdateEventSourceMapping request; what it leaves out stays.

        A destination of "" removes it, as an OnFailure of {} does; a FilterCriteria of {} removes
        the filters. The starting position
        and the stream are no members of an update:
        https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
        """
        given = {name: value for name, value in request.items() if value is not None}
        for name in ("EventSourceArn", "StartingPosition"):
            if name in given:
                raise Refused(
                    "InvalidParameterValueException",
                    f"{name} cannot be changed by an update; make a new mapping.",
                    name,
                )
        return replace(self, **_read(given, _UPDATE_ADDRESS))

    def describe(self) -> dict[str, Any]:
        """These parameters as GetEventSourceMapping returns them."""
        answer: dict[str, Any] = {"StartingPosition": self.starting_position}
        for name, parameter in PARAMETERS.items():
            value = getattr(self, parameter.field)
            if parameter.show is not None and not (parameter.sparse and not value):
                answer[name] = parameter.show(value)
        return answer


@dataclass(frozen=True, slots=True)
class _Parameter:
    """How a request's member becomes a field of Settings, and a field the member of an answer.

    ``cleared`` is what an update says to bring back the default. ``show`` is None for what no
    answer holds under this name; a ``sparse`` member is absent when nothing is set, as recorded on
    AWS, not empty.
    """

    field: str
    read: Callable[[str, Any], Any]
    cleared: Any
    show: Callable[[Any], Any] | None = lambda value: value
    sparse: bool = False


def cleared(names: Iterable[str]) -> dict[str, Any]:
    """An update that brings back the defaults of these members; names of no parameter are left out.

    CloudFormation sends it for the properties that a template no longer has.
    """
    return {name: PARAMETERS[name].cleared for name in names if name in PARAMETERS}


def _not_a_stream(arn: Any, given: Mapping[str, Any]) -> Refused:
    """Why this is no event source here: not known to AWS, or not emulated."""
    source = None
    if isinstance(arn, str) and (found := _SOURCE_ARN.fullmatch(arn)):
        source = _OTHER_SOURCES.get(found[1])
    elif arn is None and "SelfManagedEventSource" in given:
        source = "self-managed Apache Kafka"
    if source is None:
        return Refused(
            "InvalidParameterValueException", "Unrecognized event source.", "EventSourceArn"
        )
    return Refused(
        "NotEmulated",
        f"AWS maps {source} to functions, too; only DynamoDB streams are emulated here.",
        "EventSourceArn",
    )


def _starting_position(given: Any, stream_arn: str) -> str:
    if given is None:
        raise Refused(
            "InvalidParameterValueException",
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null.",
            "StartingPosition",
        )
    if given not in ("LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"):
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value '{given}' at 'startingPosition' failed to satisfy "
            "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
            "StartingPosition",
        )
    if given == "AT_TIMESTAMP":
        raise Refused(
            "InvalidParameterValueException",
            f"Unsupported starting position for arn type: {stream_arn}",
            "StartingPosition",
        )
    return str(given)


def _read(given: Mapping[str, Any], address: tuple[str, ...]) -> dict[str, Any]:
    """The settings that ``given`` sets, by field name; refuses what it does not know."""
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name in address:
            continue
        others = template.FOR_OTHER_SOURCES.get(name)
        if others is not None:
            raise Refused(
                "InvalidParameterValueException",
                f"{name} is for {others}; a DynamoDB stream mapping does not take it.",
                name,
            )
        if name not in PARAMETERS:
            raise Refused(
                "InvalidParameterValueException",
                f"An event source mapping has no parameter {name}.",
                name,
            )
        read_value = PARAMETERS[name].read(name, value)
        if read_value is not _UNCHANGED:
            changes[PARAMETERS[name].field] = read_value
    return changes


_UNCHANGED: Any = object()


def _whole(name: str, value: Any) -> int:
    """A whole number, also as the text that a CloudFormation template may hold."""
    number = typed.whole(value)
    if number is None:
        raise Refused(
            "InvalidParameterValueException", f"{name} is a whole number, not {value!r}.", name
        )
    return number


def _scaled(scale: int) -> Callable[[str, Any], int]:
    """A reader for numbers in their range; it returns them times ``scale``, but keeps -1."""

    def read(name: str, value: Any) -> int:
        number = _whole(name, value)
        shape = template.shape_of(_TYPE, name)
        assert isinstance(shape, template.Whole)
        if shape.low is not None and number < shape.low:
            bound = f"greater than or equal to {shape.low}"
        elif shape.high is not None and number > shape.high:
            bound = f"less than or equal to {shape.high}"
        else:
            return number if number == -1 else number * scale
        # AWS's usual sentence for a number out of range; not recorded for these members.
        member = name[0].lower() + name[1:]
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value '{number}' at '{member}' failed to satisfy "
            f"constraint: Member must have value {bound}",
            name,
        )

    return read


_any_record_age = _scaled(1000)


def _record_age(name: str, value: Any) -> int:
    age_ms = _any_record_age(name, value)
    # 0 to 59 lie in the type's range and are refused all the same:
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    if 0 <= age_ms < 60_000:
        raise Refused(
            "InvalidParameterValueException",
            f"{name} is -1 or from 60 to 604800, not {age_ms // 1000}.",
            name,
        )
    return age_ms


def _boolean(name: str, value: Any) -> bool:
    """A boolean, also as the text that CloudFormation turns into one."""
    truth = typed.flag(value)
    if truth is None:
        raise Refused(
            "InvalidParameterValueException", f"{name} is true or false, not {value!r}.", name
        )
    return truth


def _choices(name: str, value: Any, *path: str) -> list[str]:
    """A list of what the table allows at ``path``."""
    shape = template.shape_of(_TYPE, *path)
    assert isinstance(shape, template.ListOf) and isinstance(shape.item, template.Text)
    allowed, at_most = shape.item.choices, shape.high or 0
    if not isinstance(value, list | tuple):
        raise Refused("InvalidParameterValueException", f"{name} is a list, not {value!r}.", name)
    member = name[0].lower() + name[1:]
    if len(value) > at_most:
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value '{list(value)}' at '{member}' failed to satisfy "
            f"constraint: Member must have length less than or equal to {at_most}",
            name,
        )
    for one in value:
        if one not in allowed:
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{list(value)}' at '{member}' failed to "
                "satisfy constraint: Member must satisfy constraint: [Member must satisfy enum "
                f"value set: [{', '.join(allowed)}]]",
                name,
            )
    return list(value)


def _response_types(name: str, value: Any) -> bool:
    return bool(_choices(name, value, name))


def _metrics(name: str, value: Any) -> bool:
    members = _members(name, value, ("Metrics",))
    wanted = _choices(name, members.get("Metrics") or [], name, "Metrics")
    for metric in wanted:
        if metric in template.KAFKA_METRICS:
            raise Refused(
                "InvalidParameterValueException",
                f"{name}: {metric} is for Kafka; a DynamoDB stream mapping has EventCount only.",
                name,
            )
    return bool(wanted)


def _members(name: str, value: Any, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused(
            "InvalidParameterValueException", f"{name} is an object, not {value!r}.", name
        )
    for member in value:
        if member not in allowed:
            raise Refused("InvalidParameterValueException", f"{name} has no member {member}.", name)
    return value


def _destination(name: str, value: Any) -> Any:
    """The on-failure ARN; None for "" and {}, no change when OnFailure is not mentioned."""
    members = _members(name, value, ("OnFailure", "OnSuccess"))
    if members.get("OnSuccess"):
        raise Refused(
            "InvalidParameterValueException",
            "Unsupported DestinationConfig parameter for given event source mapping type.",
            name,
        )
    if members.get("OnFailure") is None:
        return _UNCHANGED
    arn = _members(name, members["OnFailure"], ("Destination",)).get("Destination")
    if arn is None or arn == "":
        return None
    if not isinstance(arn, str):
        raise Refused(
            "InvalidParameterValueException", f"{name}: an ARN is a text, not {arn!r}.", name
        )
    if len(arn) > _MAX_DESTINATION:
        # https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value '{arn}' at 'destinationConfig.onFailure."
            "destination' failed to satisfy constraint: Member must have length less than or "
            f"equal to {_MAX_DESTINATION}",
            name,
        )
    if not _DESTINATION_ARN.fullmatch(arn):
        raise Refused(
            "InvalidParameterValueException",
            f"{name}: {arn} is not the ARN of an SQS queue, an SNS topic or an S3 bucket. "
            "(Kafka topics are left out here: AWS's pages contradict each other on them.)",
            name,
        )
    return arn


def _key_arn(name: str, value: Any) -> str | None:
    if value == "":
        return None
    if not isinstance(value, str) or not _KEY_ARN.fullmatch(value):
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value '{value}' at 'kMSKeyArn' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: "
            r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()",
            name,
        )
    return value


def _seconds(milliseconds: int) -> int:
    """Whole seconds; -1, no limit, stays."""
    return milliseconds if milliseconds == -1 else milliseconds // 1000


def _filters(_name: str, value: Any) -> tuple[Filter, ...]:
    return parse_filter_criteria(value)


# The registry: what is read, shown and cleared. Ranges come from the type's published schema; what
# a template may say of it stands in `cloud/template/kinds/functions.py`.
PARAMETERS: Mapping[str, _Parameter] = {
    "BatchSize": _Parameter("batch_size", _scaled(1), 100),
    "MaximumBatchingWindowInSeconds": _Parameter("window_ms", _scaled(1000), 0, _seconds),
    "ParallelizationFactor": _Parameter("parallelization", _scaled(1), 1),
    "DestinationConfig": _Parameter(
        "destination",
        _destination,
        {"OnFailure": {"Destination": ""}},
        lambda arn: {"OnFailure": {} if arn is None else {"Destination": arn}},
    ),
    "MaximumRecordAgeInSeconds": _Parameter("max_age_ms", _record_age, -1, _seconds),
    "BisectBatchOnFunctionError": _Parameter("bisect", _boolean, False),
    "MaximumRetryAttempts": _Parameter("max_retries", _scaled(1), -1),
    "TumblingWindowInSeconds": _Parameter("tumbling_window_ms", _scaled(1000), 0, _seconds),
    "FunctionResponseTypes": _Parameter(
        "report_failures",
        _response_types,
        [],
        lambda report: ["ReportBatchItemFailures"] if report else [],
    ),
    "FilterCriteria": _Parameter(
        "filters",
        _filters,
        {},
        lambda filters: {"Filters": [{"Pattern": one.pattern} for one in filters]},
        sparse=True,
    ),
    "KMSKeyArn": _Parameter("kms_key_arn", _key_arn, "", sparse=True),
    "KmsKeyArn": _Parameter("kms_key_arn", _key_arn, "", show=None),
    "MetricsConfig": _Parameter(
        "event_count_metrics",
        _metrics,
        {"Metrics": []},
        lambda _: {"Metrics": ["EventCount"]},
        sparse=True,
    ),
    # An answer tells it as the mapping's state.
    "Enabled": _Parameter("enabled", _boolean, True, show=None),
}
