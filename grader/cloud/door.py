"""The door: HTTP requests that boto3 sends, read as API calls, and answers in each one's protocol.

Function code in another process sends plain HTTP requests. Each is read here into the service, the
operation and the parameters it means, so that everything behind the door works on names and plain
values. What boto3 1.44.5 really sends: DynamoDB, DynamoDB Streams, SQS, CloudWatch and CloudWatch
Logs speak JSON with an ``X-Amz-Target``, SNS and STS the query protocol with XML answers, S3 its
own REST and XML.
"""

from __future__ import annotations

import base64
import json
import math
import re
import sys
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax import saxutils

from grader.cloud.aws import Call, Protocol, Reply, Request, ServiceError

# How long calls take, in virtual milliseconds: round figures for a small call from a function to
# the same Region. AWS publishes none of them; "single-digit milliseconds" is DynamoDB's promise.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Introduction.html
# Retries, transactions and objects are slower in kind, and that is what these numbers are for.
LATENCY_MS: Mapping[str, int] = {
    "dynamodb": 5,
    "dynamodb:BatchGetItem": 10,
    "dynamodb:BatchWriteItem": 12,
    "dynamodb:Query": 7,
    "dynamodb:Scan": 15,
    "dynamodb:TransactGetItems": 10,
    "dynamodb:TransactWriteItems": 15,
    "dynamodbstreams": 10,
    "sqs": 10,
    "sns": 20,
    "s3": 30,
    "cloudwatch": 15,
    "logs": 10,
    "sts": 10,
}
REFUSAL_LATENCY_MS = 5


def latency_ms(service: str, operation: str) -> int:
    """How long a call of this operation takes in virtual time."""
    specific = LATENCY_MS.get(f"{service}:{operation}")
    return LATENCY_MS.get(service, REFUSAL_LATENCY_MS) if specific is None else specific


class NotAnAwsCall(Exception):
    """A request that leads nowhere in the emulated account; the message says what it was."""


# -- reading ---------------------------------------------------------------------------------

# https://docs.aws.amazon.com/general/latest/gr/rande.html; the forms with an account id are
# boto3's account-based endpoints.
_HOSTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (service, re.compile(pattern))
    for service, pattern in (
        ("dynamodbstreams", r"streams\.dynamodb\.(?P<region>[a-z0-9-]+)\.amazonaws\.com"),
        ("dynamodbstreams", r"streams-dynamodb\.(?P<region>[a-z0-9-]+)\.api\.aws"),
        (
            "dynamodbstreams",
            r"\d+\.streams-ddb\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)",
        ),
        ("dynamodb", r"dynamodb\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)"),
        ("dynamodb", r"\d+\.ddb\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)"),
        ("cloudwatch", r"monitoring\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)"),
        ("s3", r"s3(?:\.dualstack)?\.(?P<region>[a-z]{2}-[a-z0-9-]+)\.amazonaws\.com"),
        ("s3", r"s3\.amazonaws\.com"),
        (
            "s3",
            r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3(?:\.dualstack)?\.(?P<region>[a-z]{2}-[a-z0-9-]+)"
            r"\.amazonaws\.com",
        ),
        ("s3", r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3\.amazonaws\.com"),
        ("sts", r"sts\.amazonaws\.com"),
        (
            "",
            r"(?P<name>[a-z0-9-]+)\.(?P<region>[a-z]{2}-[a-z0-9-]+-\d)\.(?:amazonaws\.com|api\.aws)",
        ),
    )
)
_PROTOCOLS: Mapping[str, Protocol] = {"s3": "s3", "sns": "query", "sts": "query"}
_TARGETS = {
    "dynamodb": "DynamoDB_20120810",
    "dynamodbstreams": "DynamoDBStreams_20120810",
    "sqs": "AmazonSQS",
    "cloudwatch": "GraniteServiceVersion20100801",
    "logs": "Logs_20140328",
}
# "1 MB per request (gzip allowed)" for the only compressed request there is, PutMetricData:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_MOST_DECOMPRESSED = 1_048_576
# Longer than any request of boto3, its session token included; services differ in what they take.
_MOST_HEAD = 64 * 1024
# DynamoDB takes 16 MB in a request, and nobody else here as much. S3 would take 5 GB: what a
# function of 10 GB could never hold beside its code is not needed here.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
_MOST_BODY: Mapping[str, int] = {"s3": 64 * 1024 * 1024, "": 16 * 1024 * 1024}
# An item has 32 levels, each of them two of JSON; a batch or transaction puts some around it.
_MOST_LEVELS = 100
_MOST_FIELDS = 10_000
_NUMBER = re.compile(r"[0-9]{1,9}")
_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}(?=;|\r\n)")


def read(call: Call) -> Request:
    """The API call that an HTTP request means.

    Raises NotAnAwsCall for a request to any other host, or to an address that is none.
    """
    try:
        url = urlsplit(call.url)
        host = (url.hostname or "").lower()
    except ValueError:
        raise NotAnAwsCall(f"{_shown(call.method)} to {_shown(call.url)}") from None
    service, groups = _place(host)
    if groups is None:
        raise NotAnAwsCall(f"{_shown(call.method)} to {_shown(host or call.url)}")
    headers = {str(name).lower(): _text(value) for name, value in call.headers.items()}
    request = Request(
        service=service,
        operation="",
        params={},
        region=groups.get("region"),
        protocol="json",
        method=_shown(call.method).upper(),
        url=call.url,
        headers=headers,
        body=call.body or b"",
    )
    if service in _PROTOCOLS:
        request.protocol = _PROTOCOLS[service]
    try:
        _check_size(request)
        if request.service == "s3":
            _read_s3(request, groups.get("bucket"), url.path, url.query)
        elif "x-amz-target" in headers:
            _read_json(request)
        elif headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            _read_query(request)
        else:
            request.protocol = "rest-json"
            request.operation = f"{request.method} {url.path}"
    except ServiceError as problem:
        request.problem = problem
    return request


def _check_size(request: Request) -> None:
    """Before anything else: what comes before the body, and the body, are of a sensible size."""
    head = len(request.url) + sum(len(name) + len(text) for name, text in request.headers.items())
    bad = not request.url.isascii() or not request.method.isalpha()
    if bad or head > _MOST_HEAD or _is_odd(request.headers):
        raise ServiceError("BadRequest", "The head of the request cannot be read.")
    if len(request.body) > _MOST_BODY.get(request.service, _MOST_BODY[""]):
        raise ServiceError("RequestEntityTooLarge", "The request is too large.", 413)


def _is_odd(headers: Mapping[str, str]) -> bool:
    """Whether a header holds what no HTTP header can: one character is one byte there."""
    return any(max(text, default="") > "\xff" for pair in headers.items() for text in pair)


def _shown(text: str) -> str:
    """A part of a request as a sentence can hold it: short, and of characters that can be sent."""
    return text[:200].encode("ascii", "backslashreplace").decode("ascii")


def _place(host: str) -> tuple[str, dict[str, str | None] | None]:
    """The service that a host belongs to and what its name says; (_, None) for a stranger."""
    for service, pattern in _HOSTS:
        if found := pattern.fullmatch(host):
            groups = found.groupdict()
            return service or groups["name"], groups
    return "", None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _read_json(request: Request) -> None:
    target, _, operation = request.headers["x-amz-target"].partition(".")
    expected = _TARGETS.get(request.service)
    if expected is not None and target != expected:
        raise ServiceError("UnknownOperationException", f"{target} is not served at this address.")
    request.operation = operation
    if request.headers.get("content-type", "").endswith("1.1"):
        request.version = "1.1"
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = _decompressed(body)
    try:
        params = json.loads(
            body.decode("utf-8") or "{}", parse_float=_finite, parse_constant=_finite
        )
        if b"\\u" in body:
            # Half of a surrogate pair is no character and cannot be written down again.
            json.dumps(params, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        params = None
    if isinstance(params, dict) and _is_deep(params):
        if request.service == "dynamodb":
            raise ServiceError(
                "ValidationException", "Nesting Levels have exceeded supported limits"
            )
        params = None
    if not isinstance(params, dict):
        raise ServiceError("SerializationException", "The request body is not a JSON object.")
    request.params = params


def _finite(text: str) -> float:
    """A number of JSON; NaN, Infinity and what is too large for a double are none."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _is_deep(params: dict[str, Any]) -> bool:
    level: list[Any] = [params]
    for _ in range(_MOST_LEVELS):
        level = [
            part
            for one in level
            for part in (one.values() if isinstance(one, dict) else one)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return False
    return True


def _decompressed(body: bytes) -> bytes:
    try:
        reader = zlib.decompressobj(wbits=31)
        plain = reader.decompress(body, _MOST_DECOMPRESSED)
    except zlib.error:
        raise ServiceError("SerializationException", "The body is not valid gzip.") from None
    if reader.unconsumed_tail:
        raise ServiceError(
            "RequestEntityTooLarge", "The decompressed request is larger than 1 MB.", 413
        )
    return plain


def form(body: bytes) -> dict[str, Any]:
    """The fields of a form, ``A.b.1=x`` as ``{"A": {"b": {"1": "x"}}}``. ServiceError."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ServiceError("MalformedQueryString", "The request body cannot be read.") from None
    tree: dict[str, Any] = {}
    for name, value in pairs:
        node = tree
        *path, last = name.split(".", _MOST_LEVELS)
        if "." in last:
            raise ServiceError("MalformedQueryString", "A field's name has too many parts.")
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise ServiceError("MalformedQueryString", f"{name} contradicts another field.")
        node[last] = value
    return tree


def _read_query(request: Request) -> None:
    request.protocol = "query"
    tree = form(request.body)
    params = {
        name: _lists(value) if isinstance(value, dict) else value for name, value in tree.items()
    }
    request.operation = str(params.pop("Action", ""))
    params.pop("Version", None)
    request.params = params


def _lists(node: dict[str, Any]) -> Any:
    """The query protocol's ``X.member.1`` and ``X.entry.1`` as lists."""
    if len(node) == 1:
        (name,) = node
        inner = node[name]
        if name in ("member", "entry") and isinstance(inner, dict):
            numbered = sorted((k for k in inner if _NUMBER.fullmatch(k)), key=int)
            values = [inner[k] for k in numbered]
            return [_lists(value) if isinstance(value, dict) else value for value in values]
    return {
        name: _lists(value) if isinstance(value, dict) else value for name, value in node.items()
    }


def _read_s3(request: Request, bucket: str | None, path: str, query: str) -> None:
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise ServiceError("InvalidArgument", "The query string cannot be read.") from None
    path = path.lstrip("/") if bucket is None else path[1:]
    if bucket is None:
        bucket, _, path = path.partition("/")
        bucket = unquote(bucket)
    key = unquote(path)
    params: dict[str, Any] = {}
    if bucket:
        params["Bucket"] = bucket
    if key:
        params["Key"] = key
    request.params = params
    request.operation = _s3_operation(request, bool(bucket), bool(key), options)
    if request.operation == "CopyObject":
        source = unquote(request.headers["x-amz-copy-source"])
        if not all(source.lstrip("/").partition("/")[::2]):
            raise ServiceError("InvalidArgument", "The copy source must be a bucket and a key.")
        params["CopySource"] = source
    elif request.operation == "DeleteObjects":
        parts = [part.partition(b"</Key>") for part in s3_payload(request).split(b"<Key>")[1:]]
        # "The request can contain a list of up to 1,000 keys":
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        if len(parts) > 1_000 or not all(closed for _, closed, _ in parts):
            raise _malformed_xml()
        params["Delete"] = {"Objects": [{"Key": _xml_text(key)} for key, _, _ in parts]}


# Query parameters that select another resource than the object or the bucket itself.
_SUBRESOURCES = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "attributes",
        "cors",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "renameObject",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "tagging",
        "torrent",
        "versioning",
        "versions",
        "website",
        "session",
        "metadataTable",
    }
)


def _s3_operation(request: Request, bucket: bool, key: bool, options: Mapping[str, str]) -> str:
    method = request.method
    for name in options:
        if name in _SUBRESOURCES:
            return f"{method} ?{name}"
    copied = "x-amz-copy-source" in request.headers
    if not bucket:
        return "ListBuckets" if method == "GET" else f"{method} /"
    if not key:
        if method == "GET":
            if "location" in options:
                return "GetBucketLocation"
            if "uploads" in options:
                return "ListMultipartUploads"
            return "ListObjectsV2" if options.get("list-type") == "2" else "ListObjects"
        if method == "POST" and "delete" in options:
            return "DeleteObjects"
        names = {"HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
        return names.get(method, f"{method} bucket")
    if "uploadId" in options:
        if method == "PUT" and copied:
            return "UploadPartCopy"
        names = {
            "PUT": "UploadPart",
            "POST": "CompleteMultipartUpload",
            "DELETE": "AbortMultipartUpload",
            "GET": "ListParts",
        }
        return names.get(method, f"{method} object")
    if method == "POST" and "uploads" in options:
        return "CreateMultipartUpload"
    if method == "PUT" and copied:
        return "CopyObject"
    names = {
        "PUT": "PutObject",
        "GET": "GetObject",
        "HEAD": "HeadObject",
        "DELETE": "DeleteObject",
    }
    return names.get(method, f"{method} object")


def s3_payload(request: Request) -> bytes:
    """The body of an S3 request without the framing of a chunked upload."""
    body = request.body
    if not request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return body
    parts: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position)
        length = _CHUNK.match(body, position)
        size = int(length[0], 16) if length else -1
        if size < 0 or end + 2 + size > len(body):
            raise ServiceError("IncompleteBody", "The chunked body cannot be read.")
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        position = end + 2 + size + 2


def _xml_text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if len(text) > 8 * 1024:
        raise ServiceError("KeyTooLongError", "Your key is too long.")
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'")):
        text = text.replace(entity, character)
    text = re.sub(r"&#(x[0-9A-Fa-f]{1,8}|[0-9]{1,8});", _character, text)
    return text.replace("&amp;", "&")


def _character(found: re.Match[str]) -> str:
    code = found[1]
    number = int(code[1:], 16) if code.startswith("x") else int(code)
    if number > sys.maxunicode or 0xD800 <= number < 0xE000 or number == 0:
        raise _malformed_xml()
    return chr(number)


def _malformed_xml() -> ServiceError:
    return ServiceError("MalformedXML", "The XML you provided was not well-formed.")


# What neither XML 1.0 nor a message of SQS can hold: https://www.w3.org/TR/xml/#charsets
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """A text inside of XML; what no XML can hold becomes a question mark."""
    return saxutils.escape(NOT_XML.sub("?", text))


# -- answering -------------------------------------------------------------------------------


def answered(request: Request, result: Mapping[str, Any], request_id: str) -> Reply:
    """A successful answer in the request's protocol (not for S3, whose answers come whole)."""
    milliseconds = latency_ms(request.service, request.operation)
    if request.protocol == "query":
        body = (
            f'<{request.operation}Response xmlns="{_NAMESPACES.get(request.service, "")}">'
            f"<{request.operation}Result>{_xml(result)}</{request.operation}Result>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            f"</{request.operation}Response>"
        )
        headers = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
        return Reply(200, headers, body.encode(), milliseconds)
    return _json_reply(request, 200, result, request_id, {}, milliseconds)


def failed(request: Request, error: ServiceError, request_id: str) -> Reply:
    """An error answer in the request's protocol."""
    milliseconds = latency_ms(request.service, request.operation)
    code, message, status = error.code, error.message, error.status
    if request.protocol in ("query", "s3"):
        fault = "Sender" if status < 500 else "Receiver"
        details = (
            f"<Type>{fault}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        )
        if request.protocol == "s3":
            body = (
                '<?xml version="1.0" encoding="UTF-8"?>'
                f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
                f"<RequestId>{request_id}</RequestId></Error>"
            )
        else:
            body = (
                f'<ErrorResponse xmlns="{_NAMESPACES.get(request.service, "")}">'
                f"<Error>{details}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        headers = {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}
        data = b"" if request.method == "HEAD" else body.encode()
        return Reply(status, headers, data, milliseconds)
    extra = {}
    if request.service in ("sqs", "cloudwatch"):
        # These once spoke the query protocol: boto3 takes the code from this header.
        extra["x-amzn-query-error"] = f"{code};{'Sender' if status < 500 else 'Receiver'}"
    elif request.protocol == "rest-json":
        extra["x-amzn-ErrorType"] = code
    document = {"__type": _shape(request, code), "message": message, **error.members}
    return _json_reply(request, status, document, request_id, extra, milliseconds)


# What each service calls a denial, and with which status.
_DENIALS: Mapping[str, tuple[str, int]] = {
    "sqs": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "s3": ("AccessDenied", 403),
    "cloudwatch": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
}


def denial(service: str, message: str) -> ServiceError:
    """A refusal for want of permission, as the service words it."""
    code, status = _DENIALS.get(service, ("AccessDeniedException", 400))
    return ServiceError(code, message, status)


_NAMESPACES = {
    "sns": "http://sns.amazonaws.com/doc/2010-03-31/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_SHAPES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#",
    "dynamodbstreams": "com.amazonaws.dynamodb.v20120810#",
}
_SQS_SHAPES = {
    "AWS.SimpleQueueService.NonExistentQueue": "QueueDoesNotExist",
    "AWS.SimpleQueueService.EmptyBatchRequest": "EmptyBatchRequest",
    "AWS.SimpleQueueService.PurgeQueueInProgress": "PurgeQueueInProgress",
}


def _shape(request: Request, code: str) -> str:
    if request.service == "sqs":
        return f"com.amazonaws.sqs#{_SQS_SHAPES.get(code, code)}"
    return _SHAPES.get(request.service, "") + code


def _json_reply(
    request: Request,
    status: int,
    document: Mapping[str, Any],
    request_id: str,
    extra: Mapping[str, str],
    milliseconds: int,
) -> Reply:
    body = json.dumps(document, default=_plain).encode()
    headers = {
        "Content-Type": f"application/x-amz-json-{request.version}",
        "x-amzn-RequestId": request_id,
        **extra,
    }
    if request.service in ("dynamodb", "dynamodbstreams"):
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
        headers["x-amz-crc32"] = str(zlib.crc32(body))
    return Reply(status, headers, body, milliseconds)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.timestamp()
    raise TypeError(f"{type(value).__name__} cannot be answered")


class Entries(dict[str, str]):
    """A map that the query protocol writes as a list of ``entry`` elements."""


def _xml(value: Any) -> str:
    if isinstance(value, Entries):
        return "".join(
            f"<entry><key>{escape(name)}</key><value>{escape(text)}</value></entry>"
            for name, text in value.items()
        )
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(part)}</{name}>" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return "".join(f"<member>{_xml(part)}</member>" for part in value)
    return escape(str(value))
