"""The query protocol by the services' own models: forms in, XML out.

CloudFormation, SNS and STS speak it, and so do older clients of SQS and CloudWatch, among them the
AWS CLI that Debian brings. The models are botocore's. SQS's no longer says how its names look in
a form, so they stand here.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from grader.cloud.aws import Request, ServiceError
from grader.cloud.door import escape, form

# In SQS's forms and answers, where that is not the member's own name.
_SQS = {
    "AttributeNames": "AttributeName",
    "MessageAttributeNames": "MessageAttributeName",
    "MessageSystemAttributeNames": "MessageSystemAttributeName",
    "Attributes": "Attribute",
    "MessageAttributes": "MessageAttribute",
    "MessageSystemAttributes": "MessageSystemAttribute",
    "Tags": "Tag",
    "tags": "Tag",
    "TagKeys": "TagKey",
    "Messages": "Message",
    "QueueUrls": "QueueUrl",
    "queueUrls": "QueueUrl",
}
_SQS_NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"


@cache
def model(service: str) -> Any:
    """botocore's model of a service."""
    import botocore.session

    return botocore.session.Session().get_service_model(service)


def read_form(service: str, request: Request) -> None:
    """Fill in operation and parameters from a form, each with the type that the model gives it."""
    tree = form(request.body)
    request.protocol = "query"
    request.operation = str(tree.get("Action", ""))
    if request.operation in model(service).operation_names:
        shape = model(service).operation_model(request.operation).input_shape
        request.params = _read(service, shape, tree) if shape is not None else {}


def _wire(service: str, name: str, shape: Any, operation: str = "") -> str:
    if service == "sqs":
        if name == "Entries" or name in ("Successful", "Failed"):
            return _SQS_ENTRIES.get((name, shape.name), name)
        return _SQS.get(name, name)
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return str(shape.member.serialization.get("name", shape.serialization.get("name", name)))
    return str(shape.serialization.get("name", name))


_SQS_ENTRIES = {
    ("Entries", "SendMessageBatchRequestEntryList"): "SendMessageBatchRequestEntry",
    ("Entries", "DeleteMessageBatchRequestEntryList"): "DeleteMessageBatchRequestEntry",
    (
        "Entries",
        "ChangeMessageVisibilityBatchRequestEntryList",
    ): "ChangeMessageVisibilityBatchRequestEntry",
    ("Successful", "SendMessageBatchResultEntryList"): "SendMessageBatchResultEntry",
    ("Successful", "DeleteMessageBatchResultEntryList"): "DeleteMessageBatchResultEntry",
    (
        "Successful",
        "ChangeMessageVisibilityBatchResultEntryList",
    ): "ChangeMessageVisibilityBatchResultEntry",
    ("Failed", "BatchResultErrorEntryList"): "BatchResultErrorEntry",
}


def _read(service: str, shape: Any, node: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        found = {}
        for name, member in shape.members.items():
            wire = _wire(service, name, member)
            if isinstance(node, dict) and wire in node:
                found[name] = _read(service, member, node[wire])
        return found
    if kind in ("list", "map"):
        if not isinstance(node, dict):
            return [] if kind == "list" else {}
        if not shape.serialization.get("flattened"):
            node = node.get(_inner(shape), {})
        entries = [node[one] for one in sorted(filter(str.isdigit, node), key=int)]
        if kind == "list":
            return [_read(service, shape.member, one) for one in entries]
        key, value = _pair(service, shape)
        return {one[key]: _read(service, shape.value, one.get(value, "")) for one in entries}
    return _plain(kind, str(node))


def _inner(shape: Any) -> str:
    if shape.type_name == "map":
        return "entry"
    return str(shape.member.serialization.get("name", "member"))


def _pair(service: str, shape: Any) -> tuple[str, str]:
    if service == "sqs":
        return ("Key", "Value") if shape.name == "TagMap" else ("Name", "Value")
    return (
        str(shape.key.serialization.get("name", "key")),
        str(shape.value.serialization.get("name", "value")),
    )


def _plain(kind: str, text: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
        if kind == "timestamp":
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        raise ServiceError("ValidationError", f"{text[:80]!r} is no {kind}.") from None
    if kind == "boolean":
        return text.lower() == "true"
    return text


# -- answering ---------------------------------------------------------------------------------


def write_xml(service: str, operation: str, result: Mapping[str, Any], request_id: str) -> bytes:
    """An answer in the query protocol, as the model shapes it."""
    shape = model(service).operation_model(operation).output_shape
    inner = "" if shape is None else _members(service, shape, result)
    namespace = model(service).metadata.get("xmlNamespace") or _SQS_NAMESPACE
    if isinstance(namespace, Mapping):
        namespace = namespace["uri"]
    return (
        f'<{operation}Response xmlns="{namespace}"><{operation}Result>{inner}</{operation}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    ).encode()


def _members(service: str, shape: Any, value: Mapping[str, Any]) -> str:
    parts = []
    for name, member in shape.members.items():
        if value.get(name) is not None:
            parts.append(_element(service, _wire(service, name, member), member, value[name]))
    return "".join(parts)


def _element(service: str, name: str, shape: Any, value: Any) -> str:
    kind = shape.type_name
    flat = shape.serialization.get("flattened")
    if kind == "structure":
        return f"<{name}>{_members(service, shape, value)}</{name}>"
    if kind == "list":
        inner = name if flat else _inner(shape)
        text = "".join(_element(service, inner, shape.member, one) for one in value)
        return text if flat else f"<{name}>{text}</{name}>"
    if kind == "map":
        key, content = _pair(service, shape)
        inner = name if flat else "entry"
        text = "".join(
            f"<{inner}>{_element(service, key, shape.key, one)}"
            f"{_element(service, content, shape.value, two)}</{inner}>"
            for one, two in value.items()
        )
        return text if flat else f"<{name}>{text}</{name}>"
    return f"<{name}>{escape(_text(kind, value))}</{name}>"


def _text(kind: str, value: Any) -> str:
    if kind == "boolean":
        return str(value).lower()
    if kind == "timestamp" and isinstance(value, (int, float)):
        moment = datetime.fromtimestamp(value, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if kind == "blob" and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
