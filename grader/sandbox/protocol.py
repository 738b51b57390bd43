"""What an HTTP request of a client means, and how an answer looks to it. Protocols only.

The service is the one that the request was signed for. JSON and S3 are read by the cloud's own
door, where functions' requests come in as well; the query protocol and Lambda's REST by the
services' models.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from grader.cloud.account import misfit
from grader.cloud.aws import REGION, Call, Reply, Request, ServiceError
from grader.cloud.door import answered, failed, read
from grader.sandbox.query import model, read_form, write_xml

_SCOPE = re.compile(
    r"Credential=(?P<key>[^/,\s]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
)
# The service's name in a signature, where botocore's is another one.
_SIGNED = {"monitoring": "cloudwatch"}
# The name that the door looks for in a host.
_HOSTS = {"cloudwatch": "monitoring", "dynamodbstreams": "streams.dynamodb"}
# What the door calls by the parameter that selects it.
_SUBRESOURCES = {
    "GET ?versioning": "GetBucketVersioning",
    "PUT ?versioning": "PutBucketVersioning",
    "GET ?versions": "ListObjectVersions",
    "GET ?publicAccessBlock": "GetPublicAccessBlock",
    "PUT ?publicAccessBlock": "PutPublicAccessBlock",
    "GET ?tagging": "GetBucketTagging",
    "PUT ?tagging": "PutBucketTagging",
    "GET ?encryption": "GetBucketEncryption",
    "PUT ?encryption": "PutBucketEncryption",
}
# Access keys of people and of roles begin so; AWS's own examples end in EXAMPLE.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
_REAL_KEY = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,}")


def understood(
    method: str, path: str, headers: Mapping[str, str], body: bytes, now_ms: int
) -> Request:
    """The API call that a client's HTTP request means; its ``problem`` where that is an error.

    ServiceError for what no client of this account sends: unsigned, with keys that look real, or
    for another Region.
    """
    service, region = _who(path, headers)
    target = headers.get("x-amz-target", "")
    if target.startswith("DynamoDBStreams"):
        service = "dynamodbstreams"
    host = f"{_HOSTS.get(service, service)}.{region}.amazonaws.com"
    call = Call(0, 0, 0, now_ms, method, f"https://{host}{path}", headers, body)
    request = read(call)
    request.service = service
    if region != REGION and service != "s3":
        request.problem = ServiceError(
            "InvalidRegion", f"This account is in {REGION}; the request was signed for {region}."
        )
    if service == "s3":
        request.operation = _SUBRESOURCES.get(request.operation, request.operation)
    if request.problem is None:
        try:
            if request.protocol == "query" and service != "sns":
                read_form(service, request)
            elif request.protocol == "rest-json":
                _read_rest(service, request)
        except ServiceError as problem:
            request.problem = problem
    # AWS takes a member that is null for one that is absent.
    request.params = {name: value for name, value in request.params.items() if value is not None}
    return request


def _who(path: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """Service and Region of a signature, in a header or in the address. ServiceError."""
    query = parse_qs(urlsplit(path).query) if "X-Amz-" in path else {}
    signature = headers.get("authorization", "")
    if not signature and "X-Amz-Credential" in query:
        signature = "Credential=" + query["X-Amz-Credential"][0]
    scope = _SCOPE.search(signature)
    if scope is None:
        raise ServiceError("MissingAuthenticationToken", "The request is not signed.", 403)
    if "x-amz-security-token" in headers or "X-Amz-Security-Token" in query:
        raise ServiceError(
            "RealCredentialsRefused",
            "The request carries a session token, as temporary credentials of a real account do. "
            "Unset AWS_SESSION_TOKEN and AWS_PROFILE: `labs sandbox --env` prints how.",
            403,
        )
    if _REAL_KEY.fullmatch(scope["key"]) and not scope["key"].endswith("EXAMPLE"):
        raise ServiceError(
            "RealCredentialsRefused",
            "The request is signed with a key that looks like one of a real account. It was not "
            "kept. Use the keys that `labs sandbox --env` prints.",
            403,
        )
    return _SIGNED.get(scope["service"], scope["service"]), scope["region"]


def misfit_of(request: Request) -> ServiceError | None:
    """What of a request does not fit its operation's input; None when all of it does."""
    typed = request.protocol != "query" or request.service == "sns"
    return misfit(request if typed else replace(request, protocol="json"))


# -- Lambda's REST -----------------------------------------------------------------------------


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, pattern of the path, and operation; the longest addresses first."""
    if service != "lambda":
        return []
    found = []
    for name in model(service).operation_names:
        http = model(service).operation_model(name).http
        place = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(place))
        found.append((http["method"], re.compile(pattern + "/?"), name))
    return sorted(found, key=lambda route: -len(route[1].pattern))


def _read_rest(service: str, request: Request) -> None:
    url = urlsplit(request.url)
    for method, pattern, name in _routes(service):
        found = pattern.fullmatch(url.path)
        if method == request.method and found:
            request.operation = name
            break
    else:
        return
    shape = model(service).operation_model(request.operation).input_shape
    given = {**dict(parse_qsl(url.query)), **{k: unquote(v) for k, v in found.groupdict().items()}}
    params: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    if payload is not None:
        params[payload] = request.body
    elif request.body:
        try:
            body = json.loads(request.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise ServiceError("InvalidRequestContentException", "The body is no JSON object.")
        params.update(body)
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        place = member.serialization.get("location")
        if place == "header" and wire.lower() in request.headers:
            params[name] = request.headers[wire.lower()]
        elif place in ("uri", "querystring") and wire in given:
            params[name] = int(given[wire]) if member.type_name == "integer" else given[wire]
        elif member.type_name == "blob" and isinstance(params.get(name), str):
            try:
                params[name] = base64.b64decode(params[name], validate=True)
            except ValueError:
                raise ServiceError("SerializationException", f"{name} is not base64.") from None
    request.params = params


# -- answers -----------------------------------------------------------------------------------


def reply(request: Request, result: Mapping[str, Any], request_id: str) -> Reply:
    """A successful answer in the request's protocol."""
    if request.protocol == "query" and request.service != "sns":
        body = write_xml(request.service, request.operation, result, request_id)
        return Reply(200, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, body)
    found = answered(request, result, request_id)
    if result or _tells(request):
        return found
    checked = {"x-amz-crc32": "0"} if "x-amz-crc32" in found.headers else {}
    return replace(found, body=b"", headers={**found.headers, **checked})


def _tells(request: Request) -> bool:
    """Whether an operation of a JSON service answers anything: others have an empty body.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html
    """
    if request.protocol != "json" or not has(request):
        return True
    return model(request.service).operation_model(request.operation).output_shape is not None


def has(request: Request) -> bool:
    """Whether AWS has this operation; True of services that speak no JSON or are none."""
    from botocore.exceptions import UnknownServiceError

    if request.protocol != "json":
        return True
    try:
        return request.operation in model(request.service).operation_names
    except UnknownServiceError:
        return True


def error(request: Request, problem: ServiceError, request_id: str) -> Reply:
    """An error in the request's protocol."""
    return failed(request, problem, request_id)


def refusal(problem: ServiceError, headers: Mapping[str, str]) -> Reply:
    """A refusal of a request that was not read any further, in whatever its client may read."""
    target = headers.get("x-amz-target")
    json_like = target is not None or "json" in headers.get("content-type", "")
    protocol = "json" if json_like else "query"
    request = Request("", "", {}, None, protocol, "POST", "", {}, b"")  # type: ignore[arg-type]
    return failed(request, problem, "00000000-0000-4000-8000-000000000000")
