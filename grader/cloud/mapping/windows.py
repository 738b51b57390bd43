"""Tumbling windows: fixed spans of time over which a function carries a state along.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# The state of one window of one shard, in bytes of JSON; above that the window ends early.
STATE_LIMIT = 1_048_576


@dataclass(slots=True)
class TumblingWindow:
    """The window that a shard is in: its borders (ms, end exclusive) and the state so far.

    ``too_large`` is True once the state has outgrown 1 MB: the next call ends the window.
    """

    start_ms: int
    end_ms: int
    state: dict[str, Any] = field(default_factory=dict)
    too_large: bool = False

    def keep(self, state: dict[str, Any]) -> None:
        """Take over the state that a successful invocation returned: a copy of it, as JSON."""
        text = json.dumps(state, separators=(",", ":"), ensure_ascii=False)
        self.state = json.loads(text)
        self.too_large = len(text.encode("utf-8", "surrogatepass")) > STATE_LIMIT

    def event(
        self, records: list[dict[str, Any]], *, final: bool, shard_id: str, stream_arn: str
    ) -> dict[str, Any]:
        """The event of an invocation in this window; ``final`` is its closing call."""
        return {
            "Records": records,
            "window": {"start": _iso(self.start_ms), "end": _iso(self.end_ms)},
            # A function in this process may change what it gets; a failed call must not.
            "state": copy.deepcopy(self.state),
            "shardId": shard_id,
            "eventSourceARN": stream_arn,
            "isFinalInvokeForWindow": final,
            "isWindowTerminatedEarly": final and self.too_large,
        }

    def envelope_bytes(self, *, shard_id: str, stream_arn: str) -> int:
        """How much of the invocation's payload (bytes of JSON) is not records."""
        event = self.event([], final=True, shard_id=shard_id, stream_arn=stream_arn)
        return len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode())


def window_at(time_ms: int, length_ms: int) -> TumblingWindow:
    """A new, empty window around ``time_ms``: windows tile time from the epoch on."""
    start = time_ms // length_ms * length_ms
    return TumblingWindow(start, start + length_ms)


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
