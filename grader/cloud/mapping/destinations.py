"""The note that a mapping sends to its on-failure destination about records it gave up.

SQS and SNS receive metadata only, never the records; S3 objects hold the records too.
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
The documents, key for key and in this order, are those recorded from AWS:
https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from grader.cloud.mapping.decide import AGE_EXCEEDED, Discard
from grader.cloud.mapping.names import LATEST
from grader.cloud.mapping.ports import Delivery


def failure_note(
    discard: Discard,
    *,
    destination: str,
    function_arn: str,
    stream_arn: str,
    shard_id: str,
    mapping_uuid: str,
    now_ms: int,
    version: str = LATEST,
) -> Delivery:
    """The note about ``discard``, ready to be sent to the ARN ``destination``.

    Request id and object key are derived from the mapping and the records, so that two runs of
    the same day write the same note.
    """
    records = discard.batch.records
    first, last = records[0], records[-1]
    seed = f"{mapping_uuid} {shard_id} {first.sequence} {last.sequence} {now_ms}"
    note: dict[str, Any] = {
        "requestContext": {
            "requestId": _uuid(f"request {seed}"),
            "functionArn": function_arn,
            "condition": discard.condition,
            # Recorded as 1 even when the records expired before any invocation.
            "approximateInvokeCount": max(1, discard.batch.invocations),
        }
    }
    # Recorded: a note about record age has no responseContext, not even an empty one.
    if discard.condition != AGE_EXCEEDED:
        note["responseContext"] = {
            "statusCode": 200,
            "executedVersion": version,
            # Recorded: present, and null when the function reported the failure itself.
            "functionError": discard.function_error,
        }
    note |= {
        "version": "1.0",
        "timestamp": _iso(now_ms, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            # DynamoDB's arrival times have whole seconds; only Kinesis has milliseconds.
            "approximateArrivalOfFirstRecord": _iso(first.time_ms, "seconds"),
            "approximateArrivalOfLastRecord": _iso(last.time_ms, "seconds"),
            "batchSize": len(records),
            "streamArn": stream_arn,
        },
    }
    key = None
    if destination.split(":")[2:3] == ["s3"]:
        note["payload"] = json.dumps(
            {"Records": [record.event for record in records]}, separators=(",", ":")
        )
        moment = datetime.fromtimestamp(now_ms / 1000, UTC)
        key = (
            f"aws/lambda/{mapping_uuid}/{shard_id}/{moment:%Y/%m/%d}/"
            f"{moment:%Y-%m-%dT%H.%M.%S}-{_uuid(f'object {seed}')}"
        )
    return Delivery(destination, json.dumps(note), key)


def why_impossible(destination: str) -> str | None:
    """Why AWS could never deliver to this destination, None when it could.

    Only standard queues and topics work: https://docs.aws.amazon.com/lambda/latest/dg/
    services-ddb-params.html
    """
    if destination.endswith(".fifo"):
        return "FIFO queues and topics are not supported as on-failure destinations"
    return None


def _iso(time_ms: int, precision: str) -> str:
    moment = datetime.fromtimestamp(time_ms // 1000, UTC).replace(tzinfo=None)
    if precision == "milliseconds":
        moment = moment.replace(microsecond=time_ms % 1000 * 1000)
    return moment.isoformat(timespec=precision) + "Z"


def _uuid(text: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, text))
