"""Wrong: the marker is written before the effect, which a crash between them loses."""

from common import add, dynamodb, mark


def handler(event, context):
    for record in event["Records"]:
        try:
            dynamodb.put_item(**mark(record))
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue
        dynamodb.update_item(**add(record))
