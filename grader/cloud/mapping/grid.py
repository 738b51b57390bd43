"""When a shard is looked at: a grid of polls, and the order of what falls into one millisecond."""

from __future__ import annotations

# "At a base rate of 4 times a second": https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
POLL_MS = 250

# Of everything in one millisecond: writes first, then polls, then the ends of batching windows.
POLL_ORDER = 10
TIMER_ORDER = 20


def next_poll_ms(anchor_ms: int, now_ms: int) -> int:
    """The first point from ``now_ms`` on of the grid that has a point at ``anchor_ms``."""
    return now_ms + (anchor_ms - now_ms) % POLL_MS
