"""Right: marker and addition in one transaction."""

from common import book


def handler(event, context):
    for record in event["Records"]:
        book(record)
