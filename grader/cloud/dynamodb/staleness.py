"""Eventually consistent reads: how old a state function code may see.

"When you issue eventually consistent reads to a DynamoDB table or an index, the responses may not
reflect the results of a recently completed write operation. If you repeat your read request after a
short time, the response should eventually return the more recent item."
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html

AWS gives no figures. Here one such read in `ONE_IN` answers from a copy that lags, by a time of at
most `LAG_MS`, and the seed decides which and by how much. While a play makes it certain, every one
of them lags by the whole of it.
"""

from __future__ import annotations

import hashlib

from grader.cloud.clock import Clock

LAG_MS = 1_000
ONE_IN = 4


class Staleness:
    """Decides, for each eventually consistent read, the time whose state it sees."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self._clock = clock
        self._seed = seed
        self._reads = 0
        # From when until when every read of a table (None: of any) lags.
        self._certain: list[tuple[int, int, str | None]] = []

    def certain(self, from_ms: int, until_ms: int, table: str | None) -> None:
        """Let every such read of a table, or of all tables, lag for a while of virtual time."""
        self._certain.append((from_ms, until_ms, table))

    def time_seen(self, table: str) -> int | None:
        """The time whose state the next such read sees; None for the newest."""
        now = self._clock.now
        self._reads += 1
        if any(start <= now < end and name in (None, table) for start, end, name in self._certain):
            return now - LAG_MS
        drawn = hashlib.blake2b(f"{self._seed}:{self._reads}".encode(), digest_size=8).digest()
        number = int.from_bytes(drawn)
        if number % ONE_IN:
            return None
        return now - 1 - (number // ONE_IN) % LAG_MS
