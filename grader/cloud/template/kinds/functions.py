"""Lambda: functions, versions, aliases, permissions and event source mappings."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import (
    ANY_ARN,
    FLAG,
    KEY,
    LOG_GROUP_NAME,
    ROLE_ARN,
    TAGS,
    TEXT,
)
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
    required,
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
_PYTHON_ONLY = "the labs run Python functions from a folder of the lab"


class _Code(Shape):
    """A local path, as ``aws cloudformation package`` takes it, or CloudFormation's object."""

    _object = Struct(
        {
            "ImageUri": refused(_PYTHON_ONLY + "."),
            "S3Bucket": TEXT,
            "S3Key": TEXT,
            "S3ObjectStorageMode": harmless(Text(choices=("COPY", "REFERENCE"))),
            "S3ObjectVersion": TEXT,
            "SourceKMSKeyArn": KEY,
            "ZipFile": TEXT,
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
        if value not in CREATABLE_RUNTIMES:
            return at.wrong(
                f"is {value}, with which no function can be created since {known.create_blocked}; "
                "use python3.14 or python3.13."
            )
        return value


class _Layers(Shape):
    """Layers: AWS's own Powertools layer, whose package the labs bring along, and no other."""

    def _check(self, value: Any, at: At) -> Any:
        arns = ListOf(TEXT, high=5).check(value, at)
        for number, arn in enumerate(arns if isinstance(arns, list) else []):
            if not unknown(arn) and not _POWERTOOLS.fullmatch(arn):
                at.into(number).unsupported(
                    f"is {show(arn)}; the only layer that the labs know is AWS's Powertools "
                    "for Python, version 3. Put other code beside the handler."
                )
        return arns


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
    for name in ("Handler", "Runtime"):
        if name not in properties:
            at.wrong(f"lacks {name}, which a function from a ZIP archive needs.")
    reserved = properties.get("ReservedConcurrentExecutions")
    if isinstance(reserved, int) and reserved > 900:
        # https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
        at.into("ReservedConcurrentExecutions").wrong(
            f"is {reserved:,}; of an account's 1,000 at least 100 must stay unreserved."
        )


def _function_names(me: Me) -> Names:
    name = me.name("FunctionName", limit=64)
    return name, {"Arn": me.arn("lambda", f"function:{name}")}


FUNCTION = Kind(
    fields={
        "Architectures": harmless(
            ListOf(Text(choices=("x86_64", "arm64")), low=1, high=1), "changes only the price"
        ),
        "CapacityProviderConfig": refused("Lambda Managed Instances are not emulated."),
        "Code": required(_Code()),
        "CodeSigningConfigArn": refused("code signing is not emulated."),
        "DeadLetterConfig": harmless(
            Struct({"TargetArn": TEXT}),
            "it serves asynchronous invocations only; a stream's mapping never uses it",
        ),
        "Description": harmless(Text(high=256)),
        "DurableConfig": refused("durable functions are not emulated."),
        "Environment": Struct(
            {
                "Variables": _Variables(
                    TEXT,
                    pattern=r"[a-zA-Z][a-zA-Z0-9_]+",
                    says="is no name for an environment variable: a letter first, then at least "
                    "one letter, digit or underscore.",
                )
            }
        ),
        "EphemeralStorage": harmless(
            Struct({"Size": required(Whole(512, 10_240, "MB"))}), "the size of /tmp is not limited"
        ),
        "FileSystemConfigs": refused("file systems are not emulated."),
        "FunctionName": Text(
            low=1,
            high=64,
            pattern=r"[a-zA-Z0-9_-]+",
            says="AWS takes letters, digits, and the characters _ -",
        ),
        "FunctionScalingConfig": refused("Lambda Managed Instances are not emulated."),
        "Handler": Text(
            low=1,
            high=128,
            pattern=r"[^\s.][^\s]*\.[^\s.]+",
            says="it must be a module, a dot and a function, such as handler.handler.",
        ),
        "ImageConfig": refused(_PYTHON_ONLY + "."),
        "KmsKeyArn": KEY,
        "Layers": _Layers(),
        "LoggingConfig": Struct(
            {
                "ApplicationLogLevel": Text(
                    choices=("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
                ),
                "LogFormat": Text(choices=("Text", "JSON")),
                "LogGroup": LOG_GROUP_NAME,
                "SystemLogLevel": Text(choices=("DEBUG", "INFO", "WARN")),
            },
            _logging_rule,
        ),
        # 32,768 MB in the API's model is for Lambda Managed Instances.
        "MemorySize": Whole(128, 10_240, "MB"),
        "PackageType": Text(choices=("Zip", "Image"), unplayed={"Image": _PYTHON_ONLY + "."}),
        "PublishToLatestPublished": refused("publishing on every change is not emulated."),
        "RecursiveLoop": harmless(Text(choices=("Allow", "Terminate"))),
        "ReservedConcurrentExecutions": Whole(0),
        "Role": required(ROLE_ARN),
        "Runtime": _Runtime(),
        "RuntimeManagementConfig": harmless(
            Struct(
                {
                    "RuntimeVersionArn": TEXT,
                    "UpdateRuntimeOn": required(Text(choices=("Auto", "FunctionUpdate", "Manual"))),
                }
            )
        ),
        "SnapStart": harmless(
            Struct(
                {
                    "ApplyOn": required(
                        Text(
                            choices=("PublishedVersions", "None"),
                            unplayed={"PublishedVersions": "restoring snapshots is not emulated."},
                        )
                    )
                }
            )
        ),
        "Tags": TAGS,
        "TenancyConfig": refused("tenant isolation is not emulated."),
        # 5,400 s in the API's model is for Lambda Managed Instances.
        "Timeout": Whole(1, 900, "seconds"),
        "TracingConfig": harmless(
            Struct({"Mode": Text(choices=("Active", "PassThrough"))}), "no traces are written"
        ),
        "VpcConfig": refused("networks are not emulated."),
    },
    names=_function_names,
    attributes=("Arn",),
    unplayed=(
        "SnapStartResponse",
        "SnapStartResponse.ApplyOn",
        "SnapStartResponse.OptimizationStatus",
    ),
    named_by="FunctionName",
    rule=_function_rules,
)

_FUNCTION_NAME = required(
    Text(
        low=1,
        high=170,
        pattern=r"(arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:|\d{12}:function:|function:)?"
        r"[a-zA-Z0-9_-]+(:(\$LATEST|[a-zA-Z0-9_-]+))?",
        says="it must be a function's name or ARN.",
    )
)


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
    fields={
        "CodeSha256": refused("the labs do not build archives; leave it out."),
        "Description": harmless(Text(high=256)),
        "FunctionName": _FUNCTION_NAME,
        "FunctionScalingConfig": refused("Lambda Managed Instances are not emulated."),
        "ProvisionedConcurrencyConfig": refused(
            "provisioned concurrency is computed in lab 5, not emulated."
        ),
        "RuntimePolicy": harmless(),
    },
    names=_version_names,
    attributes=("Version", "FunctionArn"),
)


def _alias_names(me: Me) -> Names:
    arn = me.arn("lambda", f"function:{_function_of(me)}:{me.given('Name')}")
    return arn, {"AliasArn": arn}


ALIAS = Kind(
    fields={
        "Description": harmless(Text(high=256)),
        "FunctionName": _FUNCTION_NAME,
        "FunctionVersion": required(
            Text(
                pattern=r"\$LATEST|[0-9]+",
                says="it must be a version's number; use GetAtt Version.Version.",
            )
        ),
        "Name": required(
            Text(
                low=1,
                high=128,
                pattern=r"[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*",
                says="AWS takes letters, digits, _ and -, and not digits alone.",
            )
        ),
        "ProvisionedConcurrencyConfig": refused(
            "provisioned concurrency is computed in lab 5, not emulated."
        ),
        "RoutingConfig": refused("sharing traffic between versions is not emulated."),
    },
    names=_alias_names,
    attributes=("AliasArn",),
)

PERMISSION = Kind(
    fields={
        "Action": required(
            Text(
                pattern=r"lambda:\*|lambda:[a-zA-Z]+|\*",
                says="it must be like lambda:InvokeFunction.",
            )
        ),
        "EventSourceToken": harmless(TEXT),
        "FunctionName": _FUNCTION_NAME,
        "FunctionUrlAuthType": refused("function URLs are not emulated."),
        "InvokedViaFunctionUrl": refused("function URLs are not emulated."),
        "Principal": required(Text(low=1, high=256)),
        "PrincipalOrgID": harmless(TEXT),
        "SourceAccount": Text(
            pattern=r"\d{12}", says="it must be an account's twelve digits in quotes."
        ),
        "SourceArn": ANY_ARN,
    },
    names=lambda me: (made := me.name(), {"Id": made}),
    attributes=("Id",),
)

_ASYNC = Struct({"Destination": required(TEXT)})
EVENT_INVOKE_CONFIG = Kind(
    fields={
        "DestinationConfig": harmless(
            Struct({"OnFailure": _ASYNC, "OnSuccess": _ASYNC}),
            "it serves asynchronous invocations only; a stream's mapping has its own",
        ),
        "FunctionName": _FUNCTION_NAME,
        "MaximumEventAgeInSeconds": harmless(
            Whole(60, 21_600, "seconds"), "it serves asynchronous invocations only"
        ),
        "MaximumRetryAttempts": harmless(
            Whole(0, 2), "it serves asynchronous invocations only; a stream's mapping has its own"
        ),
        "Qualifier": required(
            Text(pattern=r"[a-zA-Z0-9$_-]{1,129}", says="it must be a version or an alias.")
        ),
    },
    names=lambda me: (f"{me.given('FunctionName')}|{me.given('Qualifier')}", {}),
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


def _mapping_rules(properties: dict[str, Any], at: At) -> None:
    if "EventSourceArn" not in properties:
        at.wrong("lacks EventSourceArn: the ARN of the stream that it reads.")
    if "StartingPosition" not in properties:
        at.wrong("lacks StartingPosition: TRIM_HORIZON (from the oldest record) or LATEST.")
    age = properties.get("MaximumRecordAgeInSeconds")
    if isinstance(age, int) and 0 <= age < 60:
        at.into("MaximumRecordAgeInSeconds").wrong(
            f"is {age}; AWS takes -1 (no limit) or 60 to 604,800 seconds."
        )


def _only_for(source: str) -> Field:
    return refused(f"AWS takes it for {source} only, and the labs play DynamoDB streams.")


def _mapping_names(me: Me) -> Names:
    key = me.uuid()
    return key, {
        "Id": key,
        "EventSourceMappingArn": me.arn("lambda", f"event-source-mapping:{key}"),
    }


MAPPING = Kind(
    fields={
        "AmazonManagedKafkaEventSourceConfig": _only_for("Amazon MSK"),
        "BatchSize": Whole(1, 10_000, "records"),
        "BisectBatchOnFunctionError": FLAG,
        "DestinationConfig": Struct(
            {
                "OnFailure": Struct({"Destination": _Destination(high=350)}),
                "OnSuccess": refused("AWS takes no OnSuccess for an event source mapping."),
            }
        ),
        "DocumentDBEventSourceConfig": _only_for("DocumentDB"),
        "Enabled": FLAG,
        "EventSourceArn": _StreamArn(),
        "FilterCriteria": Struct(
            {
                # Five filters; AWS raises the quota to ten on request.
                # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
                "Filters": ListOf(Struct({"Pattern": JsonText(4_096)}), high=5)
            }
        ),
        "FunctionName": _FUNCTION_NAME,
        "FunctionResponseTypes": ListOf(Text(choices=("ReportBatchItemFailures",)), high=1),
        "KmsKeyArn": KEY,
        "LoggingConfig": _only_for("Kafka"),
        "MaximumBatchingWindowInSeconds": Whole(0, 300, "seconds"),
        "MaximumRecordAgeInSeconds": Whole(-1, 604_800, "seconds"),
        "MaximumRetryAttempts": Whole(-1, 10_000),
        "MetricsConfig": Struct(
            {
                "Metrics": ListOf(
                    Text(
                        choices=("EventCount", "ErrorCount", "KafkaMetrics"),
                        unplayed={
                            "ErrorCount": "AWS takes it for Kafka only; use EventCount.",
                            "KafkaMetrics": "AWS takes it for Kafka only; use EventCount.",
                        },
                    ),
                    high=3,
                    unique=True,
                )
            }
        ),
        "ParallelizationFactor": Whole(1, 10),
        "ProvisionedPollerConfig": _only_for("SQS and Kafka"),
        "Queues": _only_for("Amazon MQ"),
        "ScalingConfig": _only_for("SQS"),
        "SelfManagedEventSource": _only_for("Kafka"),
        "SelfManagedKafkaEventSourceConfig": _only_for("Kafka"),
        "SourceAccessConfigurations": _only_for("Kafka and Amazon MQ"),
        "StartingPosition": Text(
            choices=("TRIM_HORIZON", "LATEST"),
            unplayed={
                "AT_TIMESTAMP": "AWS does not take it for a DynamoDB stream; "
                "use TRIM_HORIZON or LATEST."
            },
        ),
        "StartingPositionTimestamp": _only_for("Kinesis, Kafka and DocumentDB"),
        "Tags": TAGS,
        "Topics": _only_for("Kafka"),
        "TumblingWindowInSeconds": Whole(0, 900, "seconds"),
    },
    names=_mapping_names,
    attributes=("Id", "EventSourceMappingArn"),
    rule=_mapping_rules,
)
