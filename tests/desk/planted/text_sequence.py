"""Wrong: sequence numbers are compared as texts, and "9" is above "10"."""

from common import put_if_newer


def handler(event, context):
    for record in event["Records"]:
        put_if_newer(record, {"S": record["dynamodb"]["SequenceNumber"]})
