"""Wrong: a failure is logged and forgotten; Lambda hears that all went well."""

from botocore.exceptions import ClientError
from common import book


def handler(event, context):
    for record in event["Records"]:
        try:
            book(record)
        except ClientError as error:
            print("could not book", error)
