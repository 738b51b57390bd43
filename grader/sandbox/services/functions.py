"""Lambda: functions, their code and configuration, concurrency, mappings, invocations.

https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from grader.cloud.aws import Refused, Reply, Request, ServiceError
from grader.cloud.function import FunctionHost, StandIn, packaged, zipped
from grader.cloud.mapping import Address, Direct, Result
from grader.sandbox.world import World, answers, arn

MOST_PAYLOAD = 6 * 1024 * 1024
_STANDS = {"State": "Active", "LastUpdateStatus": "Successful", "PackageType": "Zip"}


def _host(world: World, given: Any) -> FunctionHost | StandIn:
    """The function at an address: by name, partial ARN or ARN."""
    try:
        name = Address.parse(given).name
    except Refused as problem:
        raise ServiceError(problem.code, problem.message) from None
    host = world.cloud.functions.get(name)
    if host is None:
        raise ServiceError(
            "ResourceNotFoundException",
            f"Function not found: {arn('lambda', f'function:{name}')}",
            404,
        )
    return host


def _configuration(world: World, host: FunctionHost | StandIn) -> dict[str, Any]:
    """As Lambda shows a function. A change is made at once here, so that none is ever Pending.

    Of code that a template deployed the digest is that of an archive of the same files.
    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
    """
    spec, cloud = host.spec, world.cloud
    modified_ms = cloud.modified_ms.get(spec.name, 0)
    size, digest = cloud.packages.get(spec.name) or packaged(zipped(spec.code))
    changed = datetime.fromtimestamp(modified_ms / 1000, UTC)
    revision = uuid.uuid5(uuid.NAMESPACE_URL, f"{spec.arn}/{modified_ms}/{digest}/{spec!r}")
    logging = {
        "LogFormat": spec.log_format,
        "LogGroup": spec.log_group,
        "ApplicationLogLevel": spec.application_log_level,
        "SystemLogLevel": spec.system_log_level,
    }
    return {
        "FunctionName": spec.name,
        "FunctionArn": spec.arn,
        "Runtime": spec.runtime,
        "Role": spec.role,
        "Handler": spec.handler,
        "Description": spec.description,
        "MemorySize": spec.memory_mb,
        "Timeout": spec.timeout_ms // 1000,
        "Environment": {"Variables": dict(spec.environment)},
        "LoggingConfig": {name: value for name, value in logging.items() if value is not None},
        "CodeSize": size,
        "CodeSha256": digest,
        "LastModified": f"{changed:%Y-%m-%dT%H:%M:%S}.{modified_ms % 1000:03}+0000",
        "RevisionId": str(revision),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        **_STANDS,
    }


@answers("lambda", "ListFunctions")
def _list(world: World, request: Request) -> dict[str, Any]:
    hosts = world.cloud.functions.values()
    return {"Functions": [_configuration(world, host) for host in hosts]}


@answers("lambda", "GetFunctionConfiguration")
def _get_configuration(world: World, request: Request) -> dict[str, Any]:
    return _configuration(world, _host(world, request.params["FunctionName"]))


@answers("lambda", "GetFunction", note="Code.Location leads nowhere: the code is your own folder.")
def _get(world: World, request: Request) -> dict[str, Any]:
    host = _host(world, request.params["FunctionName"])
    reserved = world.cloud.concurrency.reserved(host.name)
    answer: dict[str, Any] = {
        "Configuration": _configuration(world, host),
        "Code": {"RepositoryType": "S3", "Location": "https://127.0.0.1/not-served"},
        "Tags": {},
    }
    if reserved is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return answer


def _expect_revision(world: World, host: FunctionHost | StandIn, wanted: str | None) -> None:
    """A change that names a revision is made to that one only."""
    if wanted is not None and wanted != _configuration(world, host)["RevisionId"]:
        raise ServiceError(
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id",
            412,
        )


_CHANGED = (
    *("MemorySize", "Timeout", "Handler", "Runtime", "Environment", "LoggingConfig", "Role"),
    "Description",
)


@answers(
    "lambda",
    "UpdateFunctionConfiguration",
    note=f"Takes {', '.join(_CHANGED)}. Running invocations end as they began.",
)
def _update_configuration(world: World, request: Request) -> dict[str, Any]:
    params = dict(request.params)
    host = _host(world, params.pop("FunctionName"))
    _expect_revision(world, host, params.pop("RevisionId", None))
    if unknown := sorted(set(params) - set(_CHANGED)):
        raise ServiceError(
            "NotImplemented",
            f"UpdateFunctionConfiguration does not take {', '.join(unknown)} here; change the "
            "template and deploy it.",
            501,
        )
    world.cloud.configure_function(host.name, params)
    return _configuration(world, world.cloud.functions[host.name])


@answers(
    "lambda",
    "UpdateFunctionCode",
    note="From ZipFile, or from an archive in a bucket. Publish is refused.",
)
def _update_code(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    host = _host(world, params["FunctionName"])
    _expect_revision(world, host, params.get("RevisionId"))
    if params.get("Publish"):
        raise ServiceError("NotImplemented", "Publish: versions come from a template here.", 501)
    if params.get("ZipFile") is not None:
        archive = params["ZipFile"]
    elif "S3Bucket" in params:
        try:
            archive = world.cloud.account.objects(params["S3Bucket"])[params.get("S3Key", "")]
        except KeyError:
            raise ServiceError(
                "InvalidParameterValueException",
                "Error occurred while GetObject. S3 Error Code: NoSuchKey.",
            ) from None
    else:
        raise ServiceError("InvalidParameterValueException", "Please provide a source for code.")
    if not params.get("DryRun"):
        world.cloud.replace_code(host.name, archive)
        return _configuration(world, world.cloud.functions[host.name])
    size, digest = packaged(archive)
    return {**_configuration(world, host), "CodeSize": size, "CodeSha256": digest}


# -- concurrency -------------------------------------------------------------------------------


@answers("lambda", "GetFunctionConcurrency")
def _get_concurrency(world: World, request: Request) -> dict[str, Any]:
    name = _host(world, request.params["FunctionName"]).name
    reserved = world.cloud.concurrency.reserved(name)
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


@answers("lambda", "PutFunctionConcurrency")
def _put_concurrency(world: World, request: Request) -> dict[str, Any]:
    name = _host(world, request.params["FunctionName"]).name
    count = request.params["ReservedConcurrentExecutions"]
    world.cloud.concurrency.reserve(name, count)
    return {"ReservedConcurrentExecutions": count}


@answers("lambda", "DeleteFunctionConcurrency")
def _delete_concurrency(world: World, request: Request) -> dict[str, Any]:
    world.cloud.concurrency.release_reservation(_host(world, request.params["FunctionName"]).name)
    return {}


@answers("lambda", "GetAccountSettings")
def _account_settings(world: World, request: Request) -> dict[str, Any]:
    """The limits; what runs now is no part of them.

    https://docs.aws.amazon.com/lambda/latest/api/API_AccountLimit.html
    """
    concurrency = world.cloud.concurrency
    return {
        "AccountLimit": {
            "ConcurrentExecutions": concurrency.account_limit,
            "UnreservedConcurrentExecutions": concurrency.shared(),
        },
        "AccountUsage": {"FunctionCount": len(world.cloud.functions)},
    }


# -- mappings ----------------------------------------------------------------------------------


@answers("lambda", "CreateEventSourceMapping", note="Streams of tables only.")
def _create_mapping(world: World, request: Request) -> dict[str, Any]:
    return world.cloud.mappings.create(request.params)


@answers("lambda", "GetEventSourceMapping")
def _get_mapping(world: World, request: Request) -> dict[str, Any]:
    return world.cloud.mappings.get(request.params["UUID"])


@answers("lambda", "ListEventSourceMappings")
def _list_mappings(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    limit = {"max_items": params["MaxItems"]} if "MaxItems" in params else {}
    return world.cloud.mappings.list(
        params.get("EventSourceArn"),
        params.get("FunctionName"),
        marker=params.get("Marker"),
        **limit,
    )


@answers("lambda", "UpdateEventSourceMapping", note="Takes every parameter of a stream's mapping.")
def _update_mapping(world: World, request: Request) -> dict[str, Any]:
    changes = {name: value for name, value in request.params.items() if name != "UUID"}
    return world.cloud.mappings.update(request.params["UUID"], changes)


@answers("lambda", "DeleteEventSourceMapping")
def _delete_mapping(world: World, request: Request) -> dict[str, Any]:
    return world.cloud.mappings.delete(request.params["UUID"])


# -- invocations -------------------------------------------------------------------------------


@answers(
    "lambda",
    "Invoke",
    note="RequestResponse and Event. An invocation takes its virtual time at once.",
)
def _invoke(world: World, request: Request) -> Reply:
    """https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""
    params = request.params
    host = _host(world, params["FunctionName"])
    kind = params.get("InvocationType") or "RequestResponse"
    payload = params.get("Payload") or b"{}"
    if len(payload) > MOST_PAYLOAD:
        raise ServiceError("RequestTooLargeException", "The payload is larger than 6 MB.", 413)
    try:
        event = json.loads(payload)
    except ValueError:
        raise ServiceError(
            "InvalidRequestContentException", "Could not parse request body into json."
        ) from None
    if kind == "DryRun":
        return Reply(204, {}, b"")
    cloud = world.cloud
    calls, start_ms = Direct(cloud.clock, cloud.metrics, cloud.concurrency, host.name), world.now

    def over(result: Result) -> None:
        calls.ended(start_ms, result.duration_ms, failed=result.kind == "error")

    if kind == "Event":
        if calls.begins():
            host.invoke(event, over)
        return Reply(202, {}, b"")
    if not calls.begins():
        raise ServiceError(
            "TooManyRequestsException", "Rate Exceeded.", 429, Reason="ReservedFunctionConcurrent"
        )
    number = len(host.invocations)
    ended: list[Result] = []
    host.invoke(event, ended.append)
    while not ended:
        cloud.clock.step()
    result = ended[0]
    over(result)
    headers = {"X-Amz-Executed-Version": "$LATEST"}
    if params.get("LogType") == "Tail":
        lines = "\n".join(line.text for line in host.invocations[number].logs)
        headers["X-Amz-Log-Result"] = base64.b64encode(lines.encode()[-4096:]).decode()
    if result.kind == "returned":
        return Reply(200, headers, json.dumps(result.payload).encode())
    headers["X-Amz-Function-Error"] = "Unhandled"
    body = result.payload if isinstance(result.payload, dict) else {}
    error = {"errorType": result.error_type, "errorMessage": result.error_message, **body}
    return Reply(200, headers, json.dumps(error).encode())
