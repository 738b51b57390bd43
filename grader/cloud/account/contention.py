"""Transactions that meet: an item is held for as long as a transaction on it is under way.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
A PutItem, UpdateItem or DeleteItem on a held item fails with TransactionConflictException; a
transaction that touches one is cancelled with the reason TransactionConflict. Only calls of other
environments, or of other threads, can meet it. BatchWriteItem is not held up: what AWS answers to
it is not documented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from grader.cloud.aws import Request, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.items import key_text

# Recorded in many error logs; the reason's own message in CancellationReasons.
HELD = "Transaction is ongoing for the item"

# How long a transaction holds its items, in virtual milliseconds. AWS does not say; it is less than
# the whole call, so that a write which was computed from an older read can still slip in behind it.
HOLD_MS = 5

Place = tuple[str, str]


class Contention:
    """The transactions of function code that are under way.

    ``keys_of`` gives a table's key attributes by the table's name or ARN.
    """

    def __init__(self, clock: Clock, keys_of: Callable[[str], Sequence[str]]) -> None:
        self._clock = clock
        self._keys_of = keys_of
        self._held: list[tuple[int, frozenset[Place]]] = []

    def check(self, request: Request) -> None:
        """Raise ServiceError when the request touches an item that is held."""
        now = self._clock.now
        self._held = [one for one in self._held if one[0] > now]
        if not self._held or request.service != "dynamodb":
            return
        held = frozenset().union(*(places for _, places in self._held))
        met = [place is not None and place in held for place in self._places(request)]
        if not any(met):
            return
        if request.operation in ("PutItem", "UpdateItem", "DeleteItem"):
            raise ServiceError("TransactionConflictException", HELD)
        reasons = [
            {"Code": "TransactionConflict", "Message": HELD} if one else {"Code": "None"}
            for one in met
        ]
        codes = ", ".join(reason["Code"] for reason in reasons)
        message = (
            "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{codes}]"
        )
        # boto3 reads the message of this error under the name Message.
        raise ServiceError(
            "TransactionCanceledException", message, CancellationReasons=reasons, Message=message
        )

    def hold(self, request: Request) -> None:
        """The request was carried out: hold its items while it is under way."""
        if request.service == "dynamodb" and request.operation == "TransactWriteItems":
            until = self._clock.now + HOLD_MS
            places = frozenset(place for place in self._places(request) if place is not None)
            self._held.append((until, places))

    def _places(self, request: Request) -> Iterator[Place | None]:
        """Each item that the request names, in its order; None for a key that does not fit."""
        params = request.params
        if request.operation in ("PutItem", "UpdateItem", "DeleteItem"):
            yield self._place(params)
        elif request.operation in ("TransactWriteItems", "TransactGetItems"):
            for item in params.get("TransactItems") or ():
                yield self._place(next(iter(item.values()), {}))

    def _place(self, part: dict[str, Any]) -> Place | None:
        try:
            table = str(part.get("TableName", "")).rpartition("/")[2]
            item = part.get("Item") or part.get("Key") or {}
            return table, key_text(item, self._keys_of(table))
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
