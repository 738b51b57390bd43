"""Lab 1's traffic as its README states it: an ordinary month, the noon rush, the peak day.

All of it is arithmetic over the learner's table: which value of the partition key takes how many
write units in a second, what a month costs, what the noon rush leaves unserved.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from grader.cloud.dynamodb import units
from grader.review import pricing

# "A single partition serves at most 1,000 write units a second", whatever the table's capacity:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-key-range-limit-exceeded-mitigation.html
PARTITION_WRITE_UNITS = 1_000

# -- an ordinary month (the README's figures) ----------------------------------------------------

MONTH_DAYS = 30
MONTH_WRITES = 2_400_000  # items of at most 1 KB
MONTH_READS = 600_000  # eventually consistent, of items of at most 4 KB
MONTH_LIMIT = Decimal(3)  # US dollars, for the capacity of Orders

RUSH_SECONDS = 12 * 60  # every day at noon, included in the month
RUSH_WRITES = 28  # a second
RUSH_READS = 20  # a second
_CALM_SECONDS = MONTH_DAYS * (86_400 - RUSH_SECONDS)
CALM_WRITES = (MONTH_WRITES - MONTH_DAYS * RUSH_SECONDS * RUSH_WRITES) / _CALM_SECONDS
CALM_READS = (MONTH_READS - MONTH_DAYS * RUSH_SECONDS * RUSH_READS) / _CALM_SECONDS

ITEM_BYTES = 900
READ_UNITS = float(units.read_units(ITEM_BYTES))
WRITE_UNITS = units.write_units(ITEM_BYTES)

# Unused capacity of the last 300 seconds can be used in a burst. Each unit is one second's unit.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
BURST_SECONDS = 300


@dataclass(frozen=True)
class Capacity:
    """How a table is paid for; None for both units means on demand.

    ``most_writes`` and ``most_reads`` are an on-demand table's maximum of units a second, None
    without one. ``infrequent`` is the table class for rarely read tables, which has its own prices.
    """

    writes: int | None
    reads: int | None
    most_writes: int | None = None
    most_reads: int | None = None
    infrequent: bool = False

    @classmethod
    def of(cls, properties: Mapping[str, Any]) -> Capacity:
        """The capacity of a table's resolved properties."""
        infrequent = properties.get("TableClass") == "STANDARD_INFREQUENT_ACCESS"
        if properties.get("BillingMode", "PROVISIONED") == "PAY_PER_REQUEST":
            most = properties.get("OnDemandThroughput") or {}
            writes, reads = (
                int(most[name]) if name in most else None
                for name in ("MaxWriteRequestUnits", "MaxReadRequestUnits")
            )
            return cls(None, None, writes, reads, infrequent)
        given = properties["ProvisionedThroughput"]
        both = int(given["WriteCapacityUnits"]), int(given["ReadCapacityUnits"])
        return cls(*both, infrequent=infrequent)

    @property
    def on_demand(self) -> bool:
        """Whether AWS charges by the request."""
        return self.writes is None

    def __str__(self) -> str:
        said = f"{self.writes} write and {self.reads} read units provisioned"
        if self.on_demand:
            limits = [
                f"{most} {kind} units"
                for kind, most in (("write", self.most_writes), ("read", self.most_reads))
                if most is not None
            ]
            said = "on-demand capacity" + (f", at most {' and '.join(limits)}" if limits else "")
        return said + (", table class STANDARD_INFREQUENT_ACCESS" if self.infrequent else "")


def monthly_bill(capacity: Capacity) -> pricing.Bill:
    """What the ordinary month costs; the account's free quotas are there for this table.

    They are for tables of the class Standard only: https://aws.amazon.com/dynamodb/pricing/
    """
    if capacity.on_demand:
        usage = {
            "write_requests": Decimal(MONTH_WRITES) * WRITE_UNITS,
            "read_requests": Decimal(MONTH_READS) * units.read_units(ITEM_BYTES),
        }
    else:
        usage = {
            "wcu_hours": pricing.capacity_hours(capacity.writes or 0, MONTH_DAYS),
            "rcu_hours": pricing.capacity_hours(capacity.reads or 0, MONTH_DAYS),
        }
    prices = "dynamodb_ia_" if capacity.infrequent else "dynamodb_"
    named = {prices + name: amount for name, amount in usage.items()}
    return pricing.bill(named, pricing.load(), days=MONTH_DAYS)


@dataclass(frozen=True)
class Rush:
    """One noon: requests of a kind that were made, throttled, and served on saved capacity."""

    kind: str
    made: int
    throttled: int
    first_throttled: int | None
    on_credit: bool


def noon(
    kind: str, units: int | None, each: float, calm: float, rush: int, most: int | None = None
) -> Rush:
    """Play one noon, second by second, against ``units`` provisioned (None: on demand).

    ``most`` is an on-demand table's maximum of units a second. "Your workload might temporarily
    exceed the maximum throughput because of burst capacity"; nobody can count on that, so here
    everything above the maximum is refused.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html

    ``each`` is the units of one request, ``calm`` and ``rush`` the requests a second before and in
    the rush. A request without units is throttled and gone: clients' retries would only add to it.
    """
    made = rush * RUSH_SECONDS
    if units is None:
        refused = rush - (rush if most is None else min(rush, int(most / each)))
        return Rush(kind, made, refused * RUSH_SECONDS, 1 if refused else None, False)
    saved = max(0.0, min(float(units * BURST_SECONDS), (units - calm * each) * BURST_SECONDS))
    throttled, first, on_credit = 0, None, False
    for second in range(1, RUSH_SECONDS + 1):
        there = units + saved
        served = min(rush, int(there / each + 1e-9))
        on_credit = on_credit or served * each > units
        if served < rush:
            throttled += rush - served
            first = first or second
        saved = min(float(units * BURST_SECONDS), there - served * each)
    return Rush(kind, made, throttled, first, on_credit)


def rushes(capacity: Capacity) -> list[Rush]:
    """The noon rush on this capacity: its writes and its reads."""
    most = capacity.most_writes, capacity.most_reads
    return [
        noon("writes", capacity.writes, WRITE_UNITS, CALM_WRITES, RUSH_WRITES, most[0]),
        noon("reads", capacity.reads, READ_UNITS, CALM_READS, RUSH_READS, most[1]),
    ]


# -- the peak day --------------------------------------------------------------------------------

PEAK_WRITES = 1_800  # a second, in its busiest seconds
PEAK_ITEM_BYTES = 1_400  # with the gift texts of the day: two write units each
PEAK_SECONDS = 10
PEAK_UNITS = units.write_units(PEAK_ITEM_BYTES)

Shares = tuple[tuple[str, float], ...]
COUNTRIES: Shares = (("DE", 30), ("FR", 22), ("IT", 18), ("ES", 16), ("NL", 14))
CHANNELS: Shares = (("app", 60), ("web", 30), ("shop", 10))
STATUSES: Shares = (("open", 55), ("placed", 40), ("paid", 5))
MERCHANTS = 400
BIGGEST_SHARE = 20
SLOTS = 64
TYPES = {"amount": "N", "items": "N", "slot": "N"}


@dataclass(frozen=True)
class Write:
    """One write of the shop: the item as it is afterwards, and a name for it."""

    name: str
    item: Mapping[str, Any]

    @property
    def true_item(self) -> tuple[str, str]:
        """Which order or cart it really is: ids are given out by each merchant."""
        return self.item["merchant"], self.item["id"]


def peak_seconds(seed: int) -> Iterator[list[dict[str, Any]]]:
    """The busiest seconds of the peak day: what is written in each."""
    chance = random.Random(f"{seed}/peak day")
    merchants = ["mega"] + [f"m-{n:03}" for n in range(1, MERCHANTS)]
    small = (100 - BIGGEST_SHARE) / (MERCHANTS - 1)
    weights = [float(BIGGEST_SHARE)] + [small] * (MERCHANTS - 1)
    number = 0
    for _ in range(PEAK_SECONDS):
        drawn = {
            "merchant": chance.choices(merchants, weights, k=PEAK_WRITES),
            "country": _drawn(chance, COUNTRIES),
            "channel": _drawn(chance, CHANNELS),
            "status": _drawn(chance, STATUSES),
        }
        second = []
        for n in range(PEAK_WRITES):
            number += 1
            kind = "cart" if drawn["status"][n] == "open" else "order"
            second.append(
                {
                    "merchant": drawn["merchant"][n],
                    "id": f"{kind}#{number % 997}",
                    "ref": f"r-{number:08}",
                    "kind": kind,
                    "status": drawn["status"][n],
                    "day": "2026-11-27",
                    "country": drawn["country"][n],
                    "channel": drawn["channel"][n],
                    "customer": f"c-{number % 9_973}",
                    "slot": number % SLOTS,
                    ("items" if kind == "cart" else "amount"): number % 90,
                }
            )
        yield second


def _drawn(chance: random.Random, shares: Shares) -> list[str]:
    names, weights = zip(*shares, strict=True)
    return chance.choices(names, weights, k=PEAK_WRITES)


@dataclass(frozen=True)
class Hottest:
    """The value of the partition key that took most write units in one second."""

    value: Any
    units: int
    writes: int


def hottest(key: str, seed: int) -> Hottest:
    """The hottest value of attribute ``key`` in any second of the peak day."""
    worst = Hottest(None, 0, 0)
    for second in peak_seconds(seed):
        value, writes = Counter(item.get(key) for item in second).most_common(1)[0]
        if writes > worst.writes:
            worst = Hottest(value, writes * PEAK_UNITS, writes)
    return worst


def some_writes() -> Sequence[Write]:
    """Writes of one day that show whether a key tells the shop's items apart, and only them."""

    def item(merchant: str, id: str, **more: Any) -> dict[str, Any]:
        kind = id.partition("#")[0]
        return {
            "merchant": merchant,
            "id": id,
            "ref": f"r-{merchant}-{id}",
            "kind": kind,
            "status": "open" if kind == "cart" else "placed",
            "day": "2026-11-20",
            "country": "DE",
            "channel": "app",
            "customer": "c-1",
            "slot": 7,
            ("items" if kind == "cart" else "amount"): 3 if kind == "cart" else 1_250,
            **more,
        }

    return (
        Write("order#7 of acme, placed", item("acme", "order#7")),
        Write("order#7 of globex, placed by the same customer", item("globex", "order#7")),
        Write("order#8 of acme, placed", item("acme", "order#8")),
        Write("cart#7 of acme, opened", item("acme", "cart#7")),
        Write("cart#9 of acme, opened", item("acme", "cart#9")),
        Write("order#7 of acme, paid", item("acme", "order#7", status="paid")),
        Write("order#8 of acme, corrected", item("acme", "order#8", amount=990)),
        Write("cart#7 of acme, filled", item("acme", "cart#7", items=4)),
    )


_INCOMPLETE = "An item without a key attribute, or with another type in it, is not stored at all."


@dataclass(frozen=True)
class Mixup:
    """What goes wrong with a key, told with the write that shows it."""

    write: str
    expected: str
    observed: str
    why: str


def mixup(schema: Sequence[str], types: Mapping[str, str]) -> Mixup | None:
    """The first write of the day that the primary key ``schema`` gets wrong, None for none.

    ``types`` are the declared attribute types.
    """
    owner: dict[tuple[Any, ...], Write] = {}
    place: dict[tuple[str, str], tuple[Any, ...]] = {}
    for write in some_writes():
        for name in schema:
            if name not in write.item:
                return Mixup(
                    write.name,
                    "the item is stored",
                    f"refused: the item has no attribute {name}, which is part of the key",
                    _INCOMPLETE,
                )
            if types.get(name) != TYPES.get(name, "S"):
                return Mixup(
                    write.name,
                    "the item is stored",
                    f"refused: {name} is declared as {types.get(name)} and comes as "
                    f"{TYPES.get(name, 'S')}",
                    _INCOMPLETE,
                )
        key = tuple(write.item[name] for name in schema)
        said = ", ".join(f"{name} = {write.item[name]}" for name in schema)
        known = owner.setdefault(key, write)
        if known.true_item != write.true_item:
            return Mixup(
                write.name,
                "an item of its own",
                f"it overwrites {known.name.partition(',')[0]}: both have the key {said}",
                "DynamoDB replaces an item with the same key without a word, and the stream shows "
                "a change where there were two orders.",
            )
        before = place.setdefault(write.true_item, key)
        if before != key:
            return Mixup(
                write.name,
                "the item that was there is changed",
                f"a second item beside it, with the key {said}",
                "An item is its key. With another value in the key the order is written a second "
                "time, and what it was before stays in the table and in every total.",
            )
    return None
