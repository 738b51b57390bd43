"""Copied beside a learner's ``reader.py``: calls it in the function process and says what came.

Nothing of `grader` is imported here, and nothing here knows what is expected: the judge compares
what this says with the stream. Values that JSON cannot express go back under their type.
"""

import importlib
import json
import time
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any


def run(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what ``event`` asks for, ``{"do": "read" | "describe", …}``; an error is an answer."""
    answer: dict[str, Any] = {"handled": [], "described": []}
    try:
        reader = importlib.import_module("reader")
    except Exception as error:
        return {**answer, "error": _told(error), "start": True}
    try:
        if event["do"] == "read":
            _read(reader, event, answer)
        else:
            _describe(reader, event, answer)
    except Exception as error:
        answer["error"] = _told(error)
    return answer


def _read(reader: Any, event: dict[str, Any], answer: dict[str, Any]) -> None:
    naps = {int(count): seconds for count, seconds in event.get("naps", {}).items()}
    handled = answer["handled"]

    def handle(record: Any) -> None:
        handled.append(str(record["dynamodb"]["SequenceNumber"]))
        if len(handled) in naps:
            time.sleep(naps[len(handled)])

    result = reader.read(event["stream"], handle, event.get("checkpoint"))
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TypeError(f"read returned {result!r:.80}; it returns (checkpoint, lost)")
    checkpoint, lost = result
    if isinstance(lost, str) or not all(isinstance(one, str) for one in lost):
        raise TypeError(f"lost is {lost!r:.80}; it is a list of shard ids")
    answer["checkpoint"] = json.loads(json.dumps(checkpoint))
    answer["lost"] = sorted(lost)


def _describe(reader: Any, event: dict[str, Any], answer: dict[str, Any]) -> None:
    import boto3

    client = boto3.client("dynamodbstreams")
    iterator = client.get_shard_iterator(
        StreamArn=event["stream"], ShardId=event["shard"], ShardIteratorType="TRIM_HORIZON"
    )
    page = client.get_records(ShardIterator=iterator["ShardIterator"])
    for record in page["Records"]:
        try:
            answer["described"].append(_plain(reader.describe(record)))
        except Exception as error:
            answer["described"].append({"error": _told(error)})


def _plain(description: Any) -> dict[str, Any]:
    if not isinstance(description, dict):
        raise TypeError(f"describe returned {description!r:.80}; it returns a dict")
    plain: dict[str, Any] = {}
    for name in ("what", "key", "before", "after", "changed"):
        if name not in description:
            plain[name] = {"absent": True}
        elif name in ("what", "changed"):
            value = description[name]
            plain[name] = value if isinstance(value, str) else sorted(map(str, value))
        else:
            plain[name] = _tagged(description[name])
    return plain


def _tagged(value: Any) -> Any:
    """A value under its DynamoDB type; whatever has none under the name of its Python type."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"B": bytes(value).hex()}
    # boto3's own wrapper of bytes.
    if type(value).__name__ == "Binary" and hasattr(value, "value"):
        return {"B": bytes(value.value).hex()}
    if isinstance(value, dict):
        return {"M": {str(name): _tagged(part) for name, part in value.items()}}
    if isinstance(value, set | frozenset):
        return {"SET": sorted((_tagged(part) for part in value), key=json.dumps)}
    if isinstance(value, list | tuple):
        return {"L": [_tagged(part) for part in value]}
    return {type(value).__name__: repr(value)}


def _told(error: BaseException) -> dict[str, Any]:
    """An error in words, and the line of ``reader.py`` that it comes from."""
    line = None
    if isinstance(error, SyntaxError) and Path(error.filename or "").name == "reader.py":
        line = error.lineno
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).name == "reader.py":
            line = frame.lineno
    return {"text": f"{type(error).__name__}: {error}", "line": line}
