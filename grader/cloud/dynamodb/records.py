"""One stream record, as every room of the cloud passes it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One stream record.

    ``event`` is the record exactly as Lambda puts it into ``Records``. ``time_ms`` keeps the
    milliseconds that the event's whole-second creation time has lost. ``key`` is the item's full
    primary key as canonical text: the unit of ordering.
    """

    sequence: int
    time_ms: int
    key: str
    size: int
    event: dict[str, Any]

    @property
    def sequence_number(self) -> str:
        """The sequence number as the function sees it: a text of digits."""
        change = self.event.get("dynamodb", {})
        return str(change.get("SequenceNumber", self.sequence))
