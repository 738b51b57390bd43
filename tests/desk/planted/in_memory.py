"""Wrong: what is done is known only in this environment."""

from common import add, dynamodb

done = set()


def handler(event, context):
    for record in event["Records"]:
        if record["eventID"] not in done:
            dynamodb.update_item(**add(record))
            done.add(record["eventID"])
