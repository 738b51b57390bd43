"""Lambda: functions, versions, aliases, permissions and event source mappings."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from grader.cloud.aws import ACCOUNT_ID
from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import (
    ANY_ARN,
    ENCRYPTION,
    LOG_GROUP_NAME,
    ROLE_ARN,
    TAGS,
)
from grader.cloud.template.kinds.schema import ByHand
from grader.cloud.template.model import show
from grader.cloud.template.shapes import (
    At,
    Field,
    JsonText,
    ListOf,
    MapOf,
    Shape,
    Struct,
    Text,
    Whole,
    harmless,
    refused,
)
from grader.cloud.template.unknown import has_unknown, unknown

# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html


class Runtime(NamedTuple):
    """When a runtime goes out of support: ISO dates, None as long as AWS has named none."""

    deprecated: str | None
    create_blocked: str | None


# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html as of November 2026.
PYTHON_RUNTIMES = {
    "python3.14": Runtime("2029-06-30", "2029-07-31"),
    "python3.13": Runtime("2029-06-30", "2029-07-31"),
    "python3.12": Runtime("2028-10-31", "2028-11-30"),
    "python3.11": Runtime("2027-06-30", "2027-07-31"),
    "python3.10": Runtime("2026-10-31", "2027-02-01"),
    "python3.9": Runtime("2025-12-15", "2027-02-01"),
    "python3.8": Runtime("2024-10-14", "2027-02-01"),
    "python3.7": Runtime("2023-12-04", "2024-01-09"),
    "python3.6": Runtime("2022-07-18", "2022-07-18"),
    "python2.7": Runtime("2021-07-15", "2021-07-15"),
}
# The state of play that the labs are written for; virtual time starts there too.
TODAY = "2026-11-02"

CREATABLE_RUNTIMES = tuple(
    name
    for name, life in PYTHON_RUNTIMES.items()
    if life.create_blocked is None or life.create_blocked > TODAY
)
_OTHER_LANGUAGES = ("dotnet", "go1", "java", "nodejs", "provided", "ruby")

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
RESERVED_VARIABLES = frozenset(
    [
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDALOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    ]
)
_POWERTOOLS = re.compile(
    r"arn:[a-z-]+:lambda:[a-z0-9-]+:017000801446:layer:AWSLambdaPowertoolsPythonV3-[^:\s]+:[0-9]+"
)
_HANDLER = re.compile(r"[^\s.][^\s]*\.[^\s.]+", re.ASCII)
_PYTHON_ONLY = "the labs run Python functions from a folder of the lab"


class _Code(Shape):
    """A local path, as ``aws cloudformation package`` takes it, or CloudFormation's object."""

    _object = Struct(
        {
            "ImageUri": refused(_PYTHON_ONLY + "."),
            "S3Bucket": Text(),
            "S3Key": Text(),
            "S3ObjectStorageMode": harmless(Text(choices=("COPY", "REFERENCE"))),
            "S3ObjectVersion": Text(),
            "SourceKMSKeyArn": harmless(Text()),
            "ZipFile": Text(),
        }
    )

    def _check(self, value: Any, at: At) -> Any:
        if not isinstance(value, str):
            code = self._object.check(value, at)
            if isinstance(code, dict) and not has_unknown(code):
                bucket = "S3Bucket" in code and "S3Key" in code
                if bucket == ("ZipFile" in code):
                    at.wrong("needs either a path, or ZipFile, or both S3Bucket and S3Key.")
            return code
        return value if value else at.wrong("is empty; write the folder of the code, such as `.`")


class _Runtime(Text):
    """A Python runtime that a function can still be created with."""

    def _check(self, value: Any, at: At) -> Any:
        if isinstance(value, str) and value.startswith(_OTHER_LANGUAGES):
            return at.unsupported(f"is {value}; {_PYTHON_ONLY}.")
        if value == "python3.15":
            return at.unsupported(
                "is python3.15, which AWS lists without saying since when; use python3.14."
            )
        known = PYTHON_RUNTIMES.get(value) if isinstance(value, str) else None
        if known is None:
            return Text(choices=CREATABLE_RUNTIMES).check(value, at)
        if value not in CREATABLE_RUNTIMES and at.reporter.own:
            # What was created once goes on running, and is played as what runs here.
            at.unsupported(f"is {value}, which Lambda creates no function with any more.")
            return value
        if value not in CREATABLE_RUNTIMES:
            return at.wrong(
                f"is {value}, with which no function can be created since {known.create_blocked}; "
                "use python3.14 or python3.13."
            )
        return value


class _Layer(Text):
    """A layer: AWS's own Powertools layer, whose package the labs bring along, and no other."""

    def _check(self, value: Any, at: At) -> Any:
        arn = super()._check(value, at)
        if at.reporter.own and f":{ACCOUNT_ID}:layer" in arn:
            return arn  # a layer of the stack, whose folder lies beside the template
        if not unknown(arn) and not _POWERTOOLS.fullmatch(arn):
            return at.unsupported(
                f"is {show(arn)}; the only layer that the labs know is AWS's Powertools "
                "for Python, version 3. Put other code beside the handler."
            )
        return arn


class _Variables(MapOf):
    """The environment variables, which AWS limits by name and by size."""

    def _check(self, value: Any, at: At) -> Any:
        variables = super()._check(value, at)
        if not isinstance(variables, dict):
            return variables
        for name in variables:
            if name in RESERVED_VARIABLES:
                at.into(name).wrong("is a name that Lambda keeps for itself; choose another.")
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        size = sum(len(f"{k}{v}".encode("utf-8", "replace")) for k, v in variables.items())
        if size > 4096 and not has_unknown(variables):
            at.wrong(f"hold {size:,} bytes in all; Lambda takes at most 4,096.")
        return variables


def _logging_rule(properties: dict[str, Any], at: At) -> None:
    if properties.get("LogFormat", "Text") != "Text":
        return
    for level in ("ApplicationLogLevel", "SystemLogLevel"):
        if level in properties:
            at.into(level).wrong("goes only with LogFormat JSON; add it, or leave the level out.")


def _function_rules(properties: dict[str, Any], at: At) -> None:
    image = unknown(properties.get("PackageType", ""))
    for name in () if image else ("Handler", "Runtime"):
        if name not in properties:
            at.wrong(f"lacks {name}, which a function from a ZIP archive needs.")
    handler, runtime = properties.get("Handler", "x.y"), properties.get("Runtime", "")
    if not unknown(runtime) and not unknown(handler) and not _HANDLER.fullmatch(str(handler)):
        at.into("Handler").wrong(
            f"is {show(handler)}; it must be a module, a dot and a function, such as "
            "handler.handler."
        )
    reserved = properties.get("ReservedConcurrentExecutions")
    if isinstance(reserved, int) and reserved > 900:
        # https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
        at.into("ReservedConcurrentExecutions").wrong(
            f"is {reserved:,}; of an account's 1,000 at least 100 must stay unreserved."
        )


def _function_names(me: Me) -> Names:
    name = me.name("FunctionName", limit=64)
    return name, {"Arn": me.arn("lambda", f"function:{name}")}


_MANAGED_INSTANCES = "Lambda Managed Instances are not emulated."
_PYTHON_HERE = "plays on the machine's Python: what only a newer one reads is not played"
_ASYNCHRONOUS = "it serves asynchronous invocations only; a stream's mapping never uses it"

FUNCTION = Kind(
    "AWS::Lambda::Function",
    _function_names,
    ByHand(
        played="Code Environment FunctionName Handler Layers LoggingConfig MemorySize PackageType "
        "ReservedConcurrentExecutions Role Runtime Timeout",
        kept={
            "Architectures": "changes only the price",
            "DeadLetterConfig": _ASYNCHRONOUS,
            "Description": "",
            "EphemeralStorage": "the size of /tmp is not limited",
            "KmsKeyArn": ENCRYPTION,
            "RecursiveLoop": "",
            "RuntimeManagementConfig": "",
            "SnapStart": "",
            "Tags": TAGS,
            "TracingConfig": "no traces are written",
        },
        refused={
            "CapacityProviderConfig": _MANAGED_INSTANCES,
            "CodeSigningConfigArn": "code signing is not emulated.",
            "DurableConfig": "durable functions are not emulated.",
            "FileSystemConfigs": "file systems are not emulated.",
            "FunctionScalingConfig": _MANAGED_INSTANCES,
            "ImageConfig": _PYTHON_ONLY + ".",
            "PublishToLatestPublished": "publishing on every change is not emulated.",
            "TenancyConfig": "tenant isolation is not emulated.",
            "VpcConfig": "networks are not emulated.",
        },
        shapes={
            "Code": _Code(),
            "Environment.Variables": _Variables(
                Text(),
                pattern=r"[a-zA-Z][a-zA-Z0-9_]+",
                says="is no name for an environment variable: a letter first, then at least "
                "one letter, digit or underscore.",
            ),
            "EphemeralStorage.Size": Whole(512, 10_240, "MB"),
            "FunctionName": Text(
                low=1,
                high=64,
                pattern=r"[a-zA-Z0-9_-]+",
                says="AWS takes letters, digits, and the characters _ -",
            ),
            "Handler": Text(low=1, high=128),
            "Layers": _Layer(),
            "LoggingConfig.LogGroup": LOG_GROUP_NAME,
            # 32,768 MB and 5,400 s in the API's model are for Lambda Managed Instances.
            "MemorySize": Whole(high=10_240, unit="MB"),
            "PackageType": Text(unplayed={"Image": _PYTHON_ONLY + "."}),
            "ReservedConcurrentExecutions": Whole(0),
            "Role": ROLE_ARN,
            "Runtime": Field(_Runtime(), note=_PYTHON_HERE),
            "SnapStart.ApplyOn": Text(
                unplayed={"PublishedVersions": "restoring snapshots is not emulated."}
            ),
            "Timeout": Whole(high=900, unit="seconds"),
        },
        rules={"": _function_rules, "LoggingConfig": _logging_rule},
    ),
    attributes=("Arn",),
    named_by="FunctionName",
)

_FUNCTION_NAME = Text(
    low=1,
    high=170,
    pattern=r"(arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:|function:)?"
    r"[a-zA-Z0-9_-]+(:(\$LATEST|[a-zA-Z0-9_-]+))?",
    says="it must be a function's name or ARN.",
)
_PROVISIONED = "provisioned concurrency is computed in lab 5, not emulated."


def _function_of(me: Me) -> str:
    """Return the plain name in a resource's FunctionName."""
    value = str(me.given("FunctionName") or "")
    rest: str = value.split(":function:")[-1].removeprefix("function:")
    return rest.split(":")[0]


def _version_names(me: Me) -> Names:
    # A template creates all its functions anew, so that the first version is number 1; a second
    # version of unchanged code is refused by CloudFormation (see ``resolver``).
    arn = me.arn("lambda", f"function:{_function_of(me)}:1")
    return arn, {"Version": "1", "FunctionArn": arn}


VERSION = Kind(
    "AWS::Lambda::Version",
    _version_names,
    ByHand(
        played="FunctionName",
        kept={"Description": "", "RuntimePolicy": ""},
        refused={
            "CodeSha256": "the labs do not build archives; leave it out.",
            "FunctionScalingConfig": _MANAGED_INSTANCES,
            "ProvisionedConcurrencyConfig": _PROVISIONED,
        },
        shapes={"FunctionName": _FUNCTION_NAME},
    ),
    attributes=("Version", "FunctionArn"),
)


def _alias_names(me: Me) -> Names:
    arn = me.arn("lambda", f"function:{_function_of(me)}:{me.given('Name')}")
    return arn, {"AliasArn": arn}


ALIAS = Kind(
    "AWS::Lambda::Alias",
    _alias_names,
    ByHand(
        played="FunctionName FunctionVersion Name",
        kept={"Description": ""},
        refused={
            "ProvisionedConcurrencyConfig": _PROVISIONED,
            "RoutingConfig": "sharing traffic between versions is not emulated.",
        },
        shapes={
            "FunctionName": _FUNCTION_NAME,
            "FunctionVersion": Text(
                pattern=r"\$LATEST|[0-9]+",
                says="it must be a version's number; use GetAtt Version.Version.",
            ),
            "Name": Text(
                pattern=r"[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*",
                says="AWS takes letters, digits, _ and -, and not digits alone.",
            ),
        },
    ),
    attributes=("AliasArn",),
)

_NO_URLS = "function URLs are not emulated."
PERMISSION = Kind(
    "AWS::Lambda::Permission",
    lambda me: (made := me.name(), {"Id": made}),
    ByHand(
        played="Action FunctionName Principal SourceAccount SourceArn",
        kept={"EventSourceToken": "", "PrincipalOrgID": ""},
        refused={"FunctionUrlAuthType": _NO_URLS, "InvokedViaFunctionUrl": _NO_URLS},
        shapes={
            "Action": Text(
                pattern=r"lambda:\*|lambda:[a-zA-Z]+|\*",
                says="it must be like lambda:InvokeFunction.",
            ),
            "FunctionName": _FUNCTION_NAME,
            "SourceAccount": Text(
                pattern=r"\d{12}", says="it must be an account's twelve digits in quotes."
            ),
            "SourceArn": ANY_ARN,
        },
    ),
    attributes=("Id",),
)

EVENT_INVOKE_CONFIG = Kind(
    "AWS::Lambda::EventInvokeConfig",
    lambda me: (f"{me.given('FunctionName')}|{me.given('Qualifier')}", {}),
    ByHand(
        played="FunctionName Qualifier",
        kept={
            "DestinationConfig": _ASYNCHRONOUS,
            "MaximumEventAgeInSeconds": _ASYNCHRONOUS,
            "MaximumRetryAttempts": _ASYNCHRONOUS,
        },
        shapes={
            "FunctionName": _FUNCTION_NAME,
            "MaximumEventAgeInSeconds": Whole(unit="seconds"),
            "Qualifier": Text(
                pattern=r"[a-zA-Z0-9$_-]{1,129}", says="it must be a version or an alias."
            ),
        },
    ),
)

# -- Lambda: event source mappings -----------------------------------------------------------
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html


class _StreamArn(Text):
    """The source of a mapping: a DynamoDB stream."""

    def _check(self, value: Any, at: At) -> Any:
        arn = super()._check(value, at)
        if unknown(arn):
            return arn
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn":
            return at.wrong(
                f"is {show(arn)}; it must be the stream's ARN: GetAtt Table.StreamArn "
                "(Ref of a table is only its name)."
            )
        if parts[2] != "dynamodb":
            return at.unsupported(
                f"belongs to {parts[2]}; the labs play mappings of DynamoDB streams only."
            )
        if not re.fullmatch(r"table/[^/]+/stream/[^/]+", parts[5]):
            return at.wrong(
                "is the table's ARN; a mapping reads its stream: GetAtt Table.StreamArn."
            )
        return arn


class _Position(Text):
    """Where a mapping begins; AT_TIMESTAMP is for other sources (see the rules below)."""

    def _check(self, value: Any, at: At) -> Any:
        return value if value == "AT_TIMESTAMP" else super()._check(value, at)


class _Destination(Text):
    """Where a mapping sends its failure notes: a queue, a topic or a bucket."""

    def _check(self, value: Any, at: At) -> Any:
        arn = super()._check(value, at)
        if unknown(arn) or arn == "":
            return arn
        if arn.startswith("kafka://"):
            return at.unsupported("is a Kafka topic; the labs know queues, topics and buckets.")
        service = re.match(r"arn:[a-z-]+:([a-z0-9-]+):[^:]*:[^:]*:.", arn)
        if service is None:
            return at.wrong(
                f"is {show(arn)}; it must be an ARN. For a queue or a bucket use GetAtt with the "
                "attribute Arn (Ref of a queue is its URL)."
            )
        if service[1] not in ("sqs", "sns", "s3"):
            return at.wrong(
                f"belongs to {service[1]}; AWS takes an SQS queue, an SNS topic or an S3 bucket."
            )
        return arn


# Properties of other sources' mappings. https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
FOR_OTHER_SOURCES = {
    "AmazonManagedKafkaEventSourceConfig": "Amazon MSK",
    "DocumentDBEventSourceConfig": "Amazon DocumentDB",
    "LoggingConfig": "Amazon MSK and self-managed Apache Kafka",
    "ProvisionedPollerConfig": "Amazon SQS, Amazon MSK and self-managed Apache Kafka",
    "Queues": "Amazon MQ",
    "ScalingConfig": "Amazon SQS",
    "SelfManagedEventSource": "self-managed Apache Kafka",
    "SelfManagedKafkaEventSourceConfig": "self-managed Apache Kafka",
    "SourceAccessConfigurations": "Kafka, Amazon MQ and Amazon DocumentDB",
    "StartingPositionTimestamp": "Kinesis, Amazon DocumentDB and Kafka",
    "Topics": "Kafka",
}
# AWS documents them as harmless for a stream; only Kafka's mappings have them.
# https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingMetricsConfig.html
KAFKA_METRICS = ("ErrorCount", "KafkaMetrics")


def _mapping_rules(properties: dict[str, Any], at: At) -> None:
    source = properties.get("EventSourceArn")
    age = properties.get("MaximumRecordAgeInSeconds")
    if isinstance(age, int) and 0 <= age < 60:
        at.into("MaximumRecordAgeInSeconds").wrong(
            f"is {age}; AWS takes -1 (no limit) or 60 to 604,800 seconds."
        )
    if unknown(source) or "SelfManagedEventSource" in properties:
        for name in (*FOR_OTHER_SOURCES, "SelfManagedEventSource"):
            if name in properties and not unknown(source):
                properties[name] = at.into(name).unsupported(
                    "belongs to another source; the labs play mappings of DynamoDB streams only."
                )
        return
    if source is None:
        at.wrong("lacks EventSourceArn: the ARN of the stream that it reads.")
    if "StartingPosition" not in properties:
        at.wrong("lacks StartingPosition: TRIM_HORIZON (from the oldest record) or LATEST.")
    if properties.get("StartingPosition") == "AT_TIMESTAMP":
        at.into("StartingPosition").wrong(
            "is AT_TIMESTAMP, which AWS does not take for a DynamoDB stream; use TRIM_HORIZON or "
            "LATEST."
        )
    for name, others in FOR_OTHER_SOURCES.items():
        if name in properties:
            at.into(name).wrong(f"is for {others} only; a DynamoDB stream's mapping has none.")
    metrics = properties.get("MetricsConfig")
    for number, one in enumerate(metrics.get("Metrics", ()) if isinstance(metrics, dict) else ()):
        if one in KAFKA_METRICS:
            at.into("MetricsConfig", "Metrics", number).wrong(
                f"is {one}, which AWS takes for Kafka only; use EventCount."
            )


def _mapping_names(me: Me) -> Names:
    key = me.uuid()
    return key, {
        "Id": key,
        "EventSourceMappingArn": me.arn("lambda", f"event-source-mapping:{key}"),
    }


MAPPING = Kind(
    "AWS::Lambda::EventSourceMapping",
    _mapping_names,
    ByHand(
        played="BatchSize BisectBatchOnFunctionError DestinationConfig Enabled EventSourceArn "
        "FilterCriteria FunctionName FunctionResponseTypes MaximumBatchingWindowInSeconds "
        "MaximumRecordAgeInSeconds MaximumRetryAttempts MetricsConfig ParallelizationFactor "
        f"StartingPosition TumblingWindowInSeconds {' '.join(FOR_OTHER_SOURCES)}",
        kept={"KmsKeyArn": ENCRYPTION, "Tags": TAGS},
        shapes={
            "BatchSize": Whole(unit="records"),
            "DestinationConfig.OnFailure.Destination": _Destination(high=350),
            "EventSourceArn": _StreamArn(),
            # Five filters; AWS raises the quota to ten on request.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
            "FilterCriteria.Filters": ListOf(Struct({"Pattern": JsonText(4_096)}), high=5),
            "FunctionName": _FUNCTION_NAME,
            "MaximumBatchingWindowInSeconds": Whole(unit="seconds"),
            "MaximumRecordAgeInSeconds": Whole(unit="seconds"),
            "StartingPosition": _Position(choices=("TRIM_HORIZON", "LATEST")),
            "TumblingWindowInSeconds": Whole(unit="seconds"),
        },
        rules={"": _mapping_rules},
    ),
    attributes=("Id", "EventSourceMappingArn"),
)
