"""The neighbour's reports: they count, and take their time over it."""

import time


def handler(event, context):
    """Count for a minute."""
    time.sleep(50)
    return {"reports": 1}
