"""Services beyond the emulated account, for a team's own stack: the test answers for them.

A call of a service, or of an operation, that the account does not play comes here. It is answered
by the test's hook of that name; without one by what most consumers need: parameters and secrets
out of the test's dictionaries, and events, mails, Kinesis records, executions and invocations of
the stack's other functions that are taken and kept, so that a test can look at them. Whatever is
left is refused with a sentence that names the hook.

Requests and answers are read and written by AWS's own models, which botocore has and moto knows how
to apply in both directions.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from grader.cloud.aws import Call, Refused, Reply, Request, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.door import denial, failed
from grader.cloud.iam import TELLING, PolicyDocument, denied, needs, touched

Hook = Callable[[dict[str, Any]], Any]
# A round figure for a call to another service in the Region, in virtual milliseconds.
LATENCY_MS = 30
# Tells the function process that nobody answers: the body is the reason.
CLOSED = "x-nobody-answers"
# What boto3's clients are called whose hosts are called otherwise.
_MODELS: Mapping[str, tuple[str, ...]] = {
    "email": ("sesv2", "ses"),
    "states": ("stepfunctions",),
    "sync-states": ("stepfunctions",),
}
# What IAM and the hooks call a service whose host is called otherwise.
_PREFIXES = {"email": "ses", "sync-states": "states"}
# How the door calls the protocols of the models.
_WIRE = {
    "ec2": "query",
    "json": "json",
    "query": "query",
    "rest-json": "rest-json",
    "rest-xml": "s3",
}
# Where IAM's action is not called like the operation.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One call that a function made of a service beyond the account.

    ``action`` is like ``states:StartExecution``, ``params`` are the API's members (bytes for
    blobs), for a request elsewhere ``method``, ``url``, ``headers`` and ``body``. ``answer`` is
    what came back, ``error`` the code of what did not; ``time_ms`` is virtual.
    """

    time_ms: int
    function: str
    action: str
    params: dict[str, Any]
    answer: Any = None
    error: str | None = None


@dataclass
class Beyond:
    """What answers in the place of other services; ``functions`` are names of the stack's own.

    ``refuse`` is asked before each answer, with service, operation and what the call is about: it
    raises ServiceError while a fault is in force; see `grader.cloud.account.faults.Faults.meet`.
    """

    clock: Clock
    account_id: str
    region: str
    refuse: Callable[[str, str, Sequence[str] | None], None]
    ssm: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    functions: Sequence[str] = ()
    hooks: dict[str, Hook] = field(default_factory=dict)
    calls: list[ServiceCall] = field(default_factory=list)

    def reply(
        self, request: Request, function: str, documents: Sequence[PolicyDocument], played: bool
    ) -> Reply | None:
        """The answer to a call, None when nobody here gives one.

        ``played`` says that the account plays the operation itself: then only a hook comes first.
        """
        if not self.hooks and played:
            return None
        found = _operation(request)
        if found is None:
            return None
        service, operation = _PREFIXES.get(request.service, request.service), found[0].name
        action = f"{service}:{operation}"
        hook = self._hook(action)
        taken = None if hook is not None or played else _TAKEN.get(action)
        if hook is None and taken is None:
            return None
        params = _params(request, *found)
        if hook is None:
            asked = _ACTIONS.get(action, action)
            lacking = denied(documents, asked, params, self.account_id, self.region)
            if lacking is not None:
                sentence = f"no policy of {function} allows {lacking}"
                return self._failed(request, function, action, params, denial("", sentence))
        try:
            self.refuse(service, operation, self._about(request, action, params, played))
            answer = hook(params) if hook is not None else taken(self, params)  # type: ignore[misc]
        except ServiceError as error:
            return self._failed(request, function, action, params, error)
        except Refused as error:
            wrong = ServiceError(error.code, error.message)
            return self._failed(request, function, action, params, wrong)
        self.calls.append(ServiceCall(self.clock.now, function, action, params, answer))
        return _written(request, found[0], answer or {})

    def _about(
        self, request: Request, action: str, params: dict[str, Any], played: bool
    ) -> list[str] | None:
        """The ARNs of what a call is about, None when that is not known."""
        account_id, region = self.account_id, self.region
        if not played:
            return touched(_ACTIONS.get(action, action), params, account_id, region)
        service, operation = request.service, request.operation
        asked = needs(service, operation, request.params, account_id=account_id, region=region)
        return [one.resource_arn for one in asked]

    def elsewhere(self, call: Call, function: str) -> Reply | None:
        """The answer to a request that is no call of AWS: by a hook whose name its URL matches."""
        hook = self._hook(call.url)
        if hook is None:
            return None
        params = {
            "method": call.method,
            "url": call.url,
            "headers": dict(call.headers),
            "body": call.body,
        }
        try:
            self.refuse(call.url, call.method, ())
        except ServiceError as error:
            self.calls.append(
                ServiceCall(self.clock.now, function, call.url, params, None, error.code)
            )
            return Reply(error.status, {}, error.code.encode(), LATENCY_MS)
        answer = hook(params)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        self.calls.append(ServiceCall(self.clock.now, function, call.url, params, answer))
        kind = "application/json" if isinstance(body, dict | list) else "text/plain"
        return Reply(status, {"Content-Type": kind}, _bytes(body), LATENCY_MS)

    def _hook(self, action: str) -> Hook | None:
        named = self.hooks.get(action)
        if named is not None:
            return named
        for pattern, hook in self.hooks.items():
            if fnmatch.fnmatchcase(action, pattern) or (
                pattern.startswith("http") and action.startswith(pattern)
            ):
                return hook
        return None

    def _failed(
        self,
        request: Request,
        function: str,
        action: str,
        params: dict[str, Any],
        error: ServiceError,
    ) -> Reply:
        self.calls.append(ServiceCall(self.clock.now, function, action, params, None, error.code))
        return failed(request, error, f"{len(self.calls):08x}-0000-4000-8000-000000000000")


def how(action: str) -> str:
    """The sentence that says how a test answers a call."""
    return f'A test answers it itself: pipeline.answer("{action}", callable).'


def tells(action: str) -> bool:
    """Whether a call says here what it is about; of a whole service, ``kinesis:``, if any does."""
    asked = _ACTIONS.get(action, action)
    return any(one.startswith(asked) if asked.endswith(":") else one == asked for one in TELLING)


def action_of(request: Request) -> str:
    """What a hook for a request is called."""
    found = _operation(request)
    name = found[0].name if found is not None else request.operation
    return f"{_PREFIXES.get(request.service, request.service)}:{name}"


# -- what is taken without a hook ------------------------------------------------------------


def _parameter(beyond: Beyond, name: str) -> dict[str, Any]:
    plain = name.split(":parameter")[-1] if name.startswith("arn:") else name
    key = next((one for one in (plain, plain.lstrip("/"), f"/{plain}") if one in beyond.ssm), None)
    if key is None:
        raise ServiceError(
            "ParameterNotFound",
            f"There is no parameter {name}; give it one: Pipeline.deploy(…, ssm={{…}}).",
        )
    text = beyond.ssm[key]
    where = f"{beyond.region}:{beyond.account_id}:parameter/{key.lstrip('/')}"
    return {
        "Name": key,
        "Type": "String",
        "Value": text,
        "Version": 1,
        "ARN": f"arn:aws:ssm:{where}",
        "DataType": "text",
    }


def _get_parameters(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    found, missing = [], []
    for name in params.get("Names", ()):
        try:
            found.append(_parameter(beyond, str(name)))
        except ServiceError:
            missing.append(name)
    return {"Parameters": found, "InvalidParameters": missing}


def _by_path(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    path = str(params.get("Path", "/")).rstrip("/") + "/"
    names = [
        name
        for name in beyond.ssm
        if name.startswith(path) and (params.get("Recursive") or "/" not in name[len(path) :])
    ]
    return {"Parameters": [_parameter(beyond, name) for name in names]}


def _secret(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    asked = str(params.get("SecretId", ""))
    plain = re.sub(r"-[A-Za-z0-9]{6}$", "", asked.split(":secret:")[-1])
    key = next(
        (one for one in (asked, asked.split(":secret:")[-1], plain) if one in beyond.secrets), None
    )
    if key is None:
        raise ServiceError(
            "ResourceNotFoundException",
            f"There is no secret {asked}; give it one: Pipeline.deploy(…, secrets={{…}}).",
        )
    arn = f"arn:aws:secretsmanager:{beyond.region}:{beyond.account_id}:secret:{plain}-AbCdEf"
    return {"ARN": arn, "Name": key, "SecretString": beyond.secrets[key], "VersionId": "1" * 32}


def _number(beyond: Beyond, extra: int = 0) -> str:
    return f"{len(beyond.calls) + 1:08x}-0000-4000-8000-{extra:012x}"


def _put_events(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    entries = params.get("Entries") or ()
    return {
        "FailedEntryCount": 0,
        "Entries": [{"EventId": _number(beyond, one)} for one in range(len(entries))],
    }


def _mail(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    return {"MessageId": _number(beyond)}


def _kinesis(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    return {
        "ShardId": "shardId-000000000000",
        "SequenceNumber": f"{10**55 + len(beyond.calls) * 1000}",
    }


def _kinesis_all(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    one = int(_kinesis(beyond, params)["SequenceNumber"])
    return {
        "FailedRecordCount": 0,
        "Records": [
            {"ShardId": "shardId-000000000000", "SequenceNumber": str(one + number)}
            for number in range(len(params.get("Records") or ()))
        ],
    }


def _firehose(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    return {"RecordId": _number(beyond), "Encrypted": False}


def _firehose_all(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    records = range(len(params.get("Records") or ()))
    return {
        "FailedPutCount": 0,
        "RequestResponses": [{"RecordId": _number(beyond, one)} for one in records],
    }


def _execution(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    machine = str(params.get("stateMachineArn", ""))
    name = str(params.get("name") or _number(beyond))
    return {
        "executionArn": f"{machine.replace(':stateMachine:', ':execution:')}:{name}",
        "startDate": datetime.fromtimestamp(beyond.clock.now / 1000, UTC),
    }


def _invoke(beyond: Beyond, params: dict[str, Any]) -> dict[str, Any]:
    name = re.split(r"function:", str(params.get("FunctionName", "")))[-1].partition(":")[0]
    if name not in beyond.functions:
        raise ServiceError(
            "ResourceNotFoundException",
            f"Function not found: {params.get('FunctionName')}. {how('lambda:Invoke')}",
            404,
        )
    if params.get("InvocationType") == "Event":
        return {"StatusCode": 202}
    return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": b"null"}


_TAKEN: Mapping[str, Callable[[Beyond, dict[str, Any]], dict[str, Any]]] = {
    "events:PutEvents": _put_events,
    "firehose:PutRecord": _firehose,
    "firehose:PutRecordBatch": _firehose_all,
    "kinesis:PutRecord": _kinesis,
    "kinesis:PutRecords": _kinesis_all,
    "lambda:Invoke": _invoke,
    "secretsmanager:GetSecretValue": _secret,
    "ses:SendEmail": _mail,
    "ses:SendRawEmail": _mail,
    "ses:SendTemplatedEmail": _mail,
    "ssm:GetParameter": lambda beyond, params: {
        "Parameter": _parameter(beyond, str(params.get("Name", "")))
    },
    "ssm:GetParameters": _get_parameters,
    "ssm:GetParametersByPath": _by_path,
    "states:StartExecution": _execution,
    "xray:PutTelemetryRecords": lambda beyond, params: {},
    "xray:PutTraceSegments": lambda beyond, params: {"UnprocessedTraceSegments": []},
}
TAKEN = tuple(sorted(_TAKEN))


# -- AWS's models ----------------------------------------------------------------------------


@cache
def _model(name: str) -> Any:
    """The model of a service of boto3's, None for a service that it does not have."""
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import create_loader
    from moto.core.model import ServiceModel

    try:
        described = create_loader().load_service_model(name, "service-2")
    except UnknownServiceError:
        return None
    return ServiceModel(described, name)


@cache
def _routes(name: str) -> list[tuple[str, re.Pattern[str], str]]:
    """The operations of a service by method and path, those with fewer labels first."""
    model = _model(name)
    routes = []
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        path = http["requestUri"].partition("?")[0].rstrip("/") or "/"
        pattern = re.sub(r"\\\{([^}]*?)(\\\+)?\\\}", _label, re.escape(path))
        routes.append((path.count("{"), http["method"], re.compile(f"{pattern}/?"), operation))
    return [route[1:] for route in sorted(routes, key=lambda one: one[0])]


def _label(found: re.Match[str]) -> str:
    name = re.sub(r"\W", "", found[1])
    return f"(?P<{name}>.+)" if found[2] else f"(?P<{name}>[^/]+)"


def _operation(request: Request) -> tuple[Any, dict[str, str]] | None:
    """The operation that a request means, and what its path says; None when nobody knows."""
    for name in _MODELS.get(request.service, (request.service,)):
        model = _model(name)
        if model is None or _WIRE.get(model.resolved_protocol) != request.protocol:
            continue
        if request.protocol in ("json", "query"):
            if request.operation in model.operation_names:
                return model.operation_model(request.operation), {}
            continue
        path = urlsplit(request.url).path.rstrip("/") or "/"
        for method, pattern, operation in _routes(name):
            found = pattern.fullmatch(path) if method == request.method else None
            if found:
                labels = {key: unquote(one) for key, one in found.groupdict().items()}
                return model.operation_model(operation), labels
    return None


def _params(request: Request, operation: Any, labels: Mapping[str, str]) -> dict[str, Any]:
    """The members that a request carries, blobs as bytes."""
    from moto.core.parse import PROTOCOL_PARSERS
    from werkzeug.datastructures import Headers, MultiDict

    protocol = operation.service_model.resolved_protocol
    query = urlsplit(request.url).query
    pairs = request.body.decode() if protocol in ("query", "ec2") else query
    try:
        parsed: dict[str, Any] = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "body": request.body,
                "headers": Headers(list(request.headers.items())),
                "method": request.method,
                "url_params": labels,
                "url_path": urlsplit(request.url).path,
                "values": MultiDict(parse_qsl(pairs, keep_blank_values=True)),
            }
        )
    except (ValueError, KeyError, AttributeError):
        raise ServiceError("SerializationException", "The request cannot be read.") from None
    return {key: one for key, one in parsed.items() if one is not None}


def _written(request: Request, operation: Any, answer: Mapping[str, Any]) -> Reply:
    """An answer in the protocol of its service."""
    from moto.core.serialize import SerializationContext, get_serializer_class

    model = operation.service_model
    serializer = get_serializer_class(model.service_name, model.resolved_protocol)
    written = serializer(operation, SerializationContext("0" * 32)).serialize(answer)
    headers = {str(key): str(one) for key, one in written["headers"].items()}
    shape, status = operation.output_shape, written["status_code"]
    for name, member in shape.members.items() if shape is not None else ():
        if member.serialization.get("location") == "statusCode":
            status = answer.get(name, status)
    return Reply(status, headers, _bytes(written["body"]), LATENCY_MS)


def _bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
