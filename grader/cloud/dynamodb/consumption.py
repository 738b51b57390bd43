"""What the writes of a play consumed: write units, counted at the door by DynamoDB's own rules.

moto has a constant for consumed capacity, so it is worked out here from the images that every
write takes before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.units import write_units

Image = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """One item that one call wrote or tried to write; times are virtual milliseconds.

    ``key`` holds the key attributes in DynamoDB's JSON; ``before`` and ``after`` are the item's
    images, None where there is no item. ``stored`` is False when the condition was not met: the
    units are consumed all the same, those of the item as it is.
    """

    time_ms: int
    table: str
    key: Image
    before: Image | None
    after: Image | None
    transactional: bool
    stored: bool

    @property
    def units(self) -> int:
        """Write units: one for each started KB of the larger image, twice that in a transaction.

        A write whose condition fails consumes units too. That each part of a cancelled transaction
        consumes those of its item, a mere condition check among them, is this emulator's choice.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
        """
        largest = max(item_bytes(image) if image else 0 for image in (self.before, self.after))
        return write_units(largest, transactional=self.transactional)
