"""The shop that every lab's traffic comes from, and the truth about it.

A `Shop` writes orders and carts to the learner's `Orders` table as a web shop would, remembers what
every merchant's total must therefore be, and gives each stream record a name by its role ("o-3 of
acme, deleted"), because a sequence number tells a reader nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.aws import Call
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Kill

ORDERS, TOTALS = "Orders", "MerchantTotals"

# The logical ids that every lab's README names, and their types: the system that grows through the
# course.
SYSTEM = {
    ORDERS: "AWS::DynamoDB::Table",
    TOTALS: "AWS::DynamoDB::Table",
    "TotalsFunction": "AWS::Lambda::Function",
    "OrdersToTotals": "AWS::Lambda::EventSourceMapping",
}

Key = tuple[str, str]
# A merchant's total in cents and number of orders; what is stored may be anything.
Stored = tuple[Any, Any]


@dataclass
class Shop:
    """Writes orders as the shop would and keeps the truth about every merchant."""

    pipeline: Pipeline
    random: random.Random
    orders: dict[Key, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    written: list[Record] = field(default_factory=list)

    @classmethod
    def open(cls, pipeline: Pipeline, play: str) -> Shop:
        """A shop on a deployed stack; ``play`` seeds its amounts together with the stack's seed."""
        pipeline.story.title = play
        roles = pipeline.story.roles.setdefault(ORDERS, {})
        written = pipeline.story.written.setdefault(ORDERS, [])
        dice = random.Random(f"{pipeline.seed}/{play}")
        shop = cls(pipeline, dice, names=roles, written=written)
        pipeline.watch(ORDERS, shop.written.append)
        return shop

    def amount(self) -> int:
        """Some amount in cents that no other amount of the play equals by accident."""
        return self.random.randrange(1_000, 99_999)

    def put(self, merchant: str, order: str, amount: int | None = None, **more: Any) -> Record:
        """Place or change an order; its record gets the role name ``order (kind of change)``."""
        amount = self.amount() if amount is None else amount
        known = (merchant, order) in self.orders
        self.orders[merchant, order] = amount
        return self._write(
            f"{order} of {merchant}, {'changed' if known else 'placed'} at {amount}",
            lambda: self.pipeline.put(
                ORDERS,
                {
                    "merchant": merchant,
                    "id": f"order#{order}",
                    "kind": "order",
                    "amount": amount,
                    "status": "placed",
                    **more,
                },
            ),
        )

    def delete(self, merchant: str, order: str) -> Record:
        """Delete an order."""
        del self.orders[merchant, order]
        return self._write(
            f"{order} of {merchant}, deleted",
            lambda: self.pipeline.delete(ORDERS, {"merchant": merchant, "id": f"order#{order}"}),
        )

    def put_bad(self, merchant: str, order: str, amount: object) -> Record:
        """Place an order that nobody can count; None leaves the amount out."""
        item = {"merchant": merchant, "id": f"order#{order}", "kind": "order", "status": "placed"}
        if amount is not None:
            item["amount"] = amount  # type: ignore[assignment]
        told = "without an amount" if amount is None else f"with the amount {_shown(amount)}"
        return self._write(
            f"{order} of {merchant}, {told}", lambda: self.pipeline.put(ORDERS, item)
        )

    def put_cart(self, merchant: str, cart: str, items: int) -> Record:
        """Change a cart, which counts for nothing."""
        return self._write(
            f"{cart} of {merchant} with {items} items",
            lambda: self.pipeline.put(
                ORDERS,
                {"merchant": merchant, "id": f"cart#{cart}", "kind": "cart", "items": items},
            ),
        )

    def delete_cart(self, merchant: str, cart: str) -> Record:
        """Delete a cart."""
        key = {"merchant": merchant, "id": f"cart#{cart}"}
        return self._write(
            f"{cart} of {merchant}, deleted", lambda: self.pipeline.delete(ORDERS, key)
        )

    def _write(self, name: str, write: Callable[[], None]) -> Record:
        before = len(self.written)
        write()
        assert len(self.written) == before + 1, f"{name}: one write makes one record"
        record = self.written[-1]
        self.names[record.sequence] = name
        return record

    def name(self, record: Record | int) -> str:
        """The role name of a record, by itself or by its sequence number."""
        return self.names[record if isinstance(record, int) else record.sequence]

    def names_of(self, records: Sequence[Record], most: int = 3) -> str:
        """The first few records by role, and how many more there are."""
        return listed([self.name(record) for record in records], most)

    def truth(self, merchant: str) -> Stored:
        """What the merchant's item must say: total in cents, number of orders."""
        amounts = [amount for (owner, _), amount in self.orders.items() if owner == merchant]
        return sum(amounts), len(amounts)

    def stored(self, merchant: str) -> Stored:
        """What the merchant's item does say; no item and no attribute both mean 0."""
        item = self.pipeline.item(TOTALS, {"merchant": merchant}) or {}
        return number(item.get("total", 0)), number(item.get("orders", 0))


class Blip:
    """A fault plan: two environments die at their first call, never two in a row.

    ``when`` says whether they die right before the call or right after it.
    """

    def __init__(self, when: Literal["before", "after"]) -> None:
        self.when: Literal["before", "after"] = when
        self.killed: list[int] = []

    def __call__(self, call: Call) -> Kill | None:
        """What happens to the environment at ``call``; None lets it live."""
        from grader.cloud.function import Kill

        fresh = call.invocation - 1 not in self.killed and call.invocation not in self.killed
        if call.number == 1 and fresh and len(self.killed) < 2:
            self.killed.append(call.invocation)
            return Kill(self.when)
        return None


def _shown(amount: object) -> str:
    """A bad amount as DynamoDB would show it: text in quotes, a number without."""
    return f'"{amount}"' if isinstance(amount, str) else str(amount)


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few of ``names``, and how many more there are."""
    return "; ".join(names[:most]) + (
        f"; and {len(names) - most} more" if len(names) > most else ""
    )


def number(value: Any) -> Any:
    """A stored number as an int where it is one, anything else as it stands."""
    try:
        return int(value) if int(value) == value else value
    except (TypeError, ValueError, OverflowError):
        return value


def says(total_and_orders: Stored) -> str:
    """What a merchant's item says, in words."""
    total, orders = total_and_orders
    return f"total {total}, orders {orders}"
