"""What a month on AWS costs: prices and free quotas as data, and the arithmetic of a bill.

The figures stand in ``pricing.toml`` with their sources and dates; ``load()`` reads it. A bill is
made from the amounts of a month by item, for instance

    bill({"lambda_requests": 3_000_000, "lambda_gb_seconds_x86": 540_000}, load())

and has one line for each item: how much of it is free, how much is charged, what it costs. Money is
``Decimal`` in US dollars and is never rounded; ``dollars()`` rounds for display.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from importlib.resources import files
from typing import Any

Amount = int | float | Decimal

ZERO = Decimal(0)
# A month of an estimate, in days. AWS bills calendar months.
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Tier:
    """``price`` dollars for ``per`` units, up to ``up_to`` units of the month; None: no end."""

    price: Decimal
    up_to: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What AWS charges for one item. ``dated``: the month in which the sources showed it.

    ``known_up_to`` is the amount beyond which no source gives the price; the last tier's is used.
    """

    id: str
    name: str
    unit: str
    per: Decimal
    tiers: tuple[Tier, ...]
    quota: str | None
    known_up_to: Decimal | None
    sources: tuple[str, ...]
    dated: str

    def cost(self, amount: Decimal, free: Decimal = ZERO) -> Decimal:
        """Dollars for ``amount`` units of which the first ``free`` cost nothing."""
        total, below = ZERO, ZERO
        for tier in self.tiers:
            end = amount if tier.up_to is None else min(amount, tier.up_to)
            charged = end - max(below, free)
            if charged > 0:
                total += charged * tier.price / self.per
            below = end
        return total


@dataclass(frozen=True, slots=True)
class Quota:
    """An amount that is free every month, for every account. ``hourly``: a capacity, each hour."""

    id: str
    name: str
    unit: str
    amount: Decimal
    hourly: bool
    sources: tuple[str, ...]
    dated: str

    def in_days(self, days: Amount) -> Decimal:
        """The free amount of a month of ``days`` days."""
        return self.amount * 24 * _decimal(days) if self.hourly else self.amount


@dataclass(frozen=True, slots=True)
class Plan:
    """One of the ways in which a new account can pay."""

    name: str
    rule: str


@dataclass(frozen=True, slots=True)
class AccountScheme:
    """What accounts opened since ``credits_since`` get instead of twelve free months.

    Credits in US dollars: some at sign-up, some more for set tasks.
    """

    credits_since: str
    credits_at_sign_up: Decimal
    credits_for_tasks: Decimal
    free_plan_months: int
    plans: tuple[Plan, ...]
    sources: tuple[str, ...]
    dated: str


@dataclass(frozen=True, slots=True)
class Pricing:
    """Every price and quota of one Region."""

    region: str
    currency: str
    prices: Mapping[str, Price]
    quotas: Mapping[str, Quota]
    account: AccountScheme

    def price(self, item: str) -> Price:
        """The price of an item; ValueError when there is none."""
        try:
            return self.prices[item]
        except KeyError:
            known = ", ".join(self.prices)
            raise ValueError(f"there is no price for {item!r}; there are {known}") from None

    def rate(self, item: str) -> Decimal:
        """Dollars for one unit of an item, in its first tier."""
        price = self.price(item)
        return price.tiers[0].price / price.per


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill. Amounts in ``unit``, money in US dollars.

    - ``amount`` = ``free_amount`` + ``charged_amount``;
    - ``cost`` is what is charged, ``full_cost`` what it would be without free quotas;
    - ``quota`` is the whole free amount of the month, shared with other lines, None without one;
    - ``note`` says when the price is only known to be an upper bound.
    """

    item: str
    name: str
    unit: str
    amount: Decimal
    free_amount: Decimal
    charged_amount: Decimal
    cost: Decimal
    full_cost: Decimal
    quota: Decimal | None
    note: str
    sources: tuple[str, ...]
    dated: str

    @property
    def free_share(self) -> Decimal:
        """How much of the amount is free, 0 to 1; 1 for nothing and for what has no price."""
        if not self.amount or not self.full_cost:
            return Decimal(1)
        return self.free_amount / self.amount

    @property
    def quota_share(self) -> Decimal | None:
        """How much of the free quota this line uses, 0 to 1; None when it has no quota."""
        return None if self.quota is None else self.free_amount / self.quota


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill, line by line, in the order of the price list."""

    lines: tuple[Line, ...]
    days: Decimal

    @property
    def total(self) -> Decimal:
        """What is charged (US dollars)."""
        return sum((line.cost for line in self.lines), ZERO)

    @property
    def full_total(self) -> Decimal:
        """What it would cost without any free quota (US dollars)."""
        return sum((line.full_cost for line in self.lines), ZERO)

    @property
    def free_share(self) -> Decimal:
        """The share of the full cost that the free quotas take off, 0 to 1; 1 for an empty bill."""
        full = self.full_total
        return (full - self.total) / full if full else Decimal(1)

    @property
    def charged(self) -> tuple[Line, ...]:
        """The lines that cost something, dearest first."""
        found = [line for line in self.lines if line.cost > 0]
        return tuple(sorted(found, key=lambda line: -line.cost))

    def line(self, item: str) -> Line:
        """The line of an item; KeyError when the bill has none."""
        for line in self.lines:
            if line.item == item:
                return line
        raise KeyError(item)


def bill(
    usage: Mapping[str, Amount],
    pricing: Pricing,
    *,
    days: Amount = MONTH_DAYS,
    free: bool = True,
) -> Bill:
    """The bill of a month of ``days`` days.

    ``usage`` gives the month's amount of each item, in the item's unit. Without ``free`` no quota
    is used: they are an account's, and other stacks may have used them up. ValueError for an item
    without a price and for a negative amount.
    """
    for item, amount in usage.items():
        pricing.price(item)
        if amount < 0:
            raise ValueError(f"{item}: an amount is 0 or more, not {amount}")
    left = {quota.id: quota.in_days(days) for quota in pricing.quotas.values()} if free else {}
    lines = []
    # In the order of the price list, so that a shared quota is used up in one and the same way.
    for price in pricing.prices.values():
        if price.id not in usage:
            continue
        amount = _decimal(usage[price.id])
        free_amount = min(amount, left.get(price.quota or "", ZERO))
        if price.quota in left:
            left[price.quota] -= free_amount
        note = ""
        if price.known_up_to is not None and amount > price.known_up_to:
            note = (
                f"No source for the price above {price.known_up_to:,f}: this is the highest it "
                "can be."
            )
        quota = None if price.quota is None else pricing.quotas[price.quota].in_days(days)
        lines.append(
            Line(
                item=price.id,
                name=price.name,
                unit=price.unit,
                amount=amount,
                free_amount=free_amount,
                charged_amount=amount - free_amount,
                cost=price.cost(amount, free_amount),
                full_cost=price.cost(amount),
                quota=quota,
                note=note,
                sources=price.sources,
                dated=price.dated,
            )
        )
    return Bill(tuple(lines), _decimal(days))


# -- from settings to amounts --------------------------------------------------------------------


def lambda_compute(architecture: str) -> str:
    """The item of a function's GB-seconds: ``architecture`` is "x86_64" or "arm64"."""
    return f"lambda_gb_seconds_{_short(architecture)}"


def provisioned_compute(architecture: str) -> tuple[str, str]:
    """The items of provisioned concurrency: GB-seconds kept ready, and GB-seconds at work."""
    short = _short(architecture)
    return f"lambda_provisioned_gb_seconds_{short}", f"lambda_provisioned_run_gb_seconds_{short}"


def gb_seconds(milliseconds: Amount, memory_mb: int) -> Decimal:
    """GB-seconds of so many billed milliseconds; the memory configured counts, not the one used.

    https://aws.amazon.com/lambda/pricing/
    """
    return _decimal(milliseconds) * memory_mb / 1024 / 1000


def capacity_hours(units: Amount, days: Amount = MONTH_DAYS) -> Decimal:
    """Unit-hours of a provisioned capacity that stands for a month."""
    return _decimal(units) * 24 * _decimal(days)


def dollars(money: Decimal) -> str:
    """Money for people: "$12.35"; what is not nothing but rounds to it is "under $0.01"."""
    rounded = money.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if not rounded and money > 0:
        return "under $0.01"
    return f"${rounded:,}"


# -- the data file -------------------------------------------------------------------------------


def load() -> Pricing:
    """The prices that come with this package."""
    return parse(files("grader.review").joinpath("pricing.toml").read_text("utf-8"))


def parse(text: str) -> Pricing:
    """Prices from the text of a file like ``pricing.toml``.

    ValueError when a price names a quota that is not there, or has no source or date.
    """
    data = tomllib.loads(text)
    quotas = {
        entry["id"]: Quota(
            id=entry["id"],
            name=entry["name"],
            unit=entry["unit"],
            amount=_decimal(entry["amount"]),
            hourly=entry.get("hourly", False),
            **_evidence(entry),
        )
        for entry in data["quota"]
    }
    prices = {}
    for entry in data["price"]:
        quota, known = entry.get("quota"), entry.get("known_up_to")
        if quota is not None and quota not in quotas:
            raise ValueError(f"{entry['id']}: there is no quota {quota!r}")
        prices[entry["id"]] = Price(
            id=entry["id"],
            name=entry["name"],
            unit=entry["unit"],
            per=_decimal(entry["per"]),
            tiers=tuple(
                Tier(Decimal(tier["price"]), _decimal(tier["up_to"]) if "up_to" in tier else None)
                for tier in entry["tiers"]
            ),
            quota=quota,
            known_up_to=None if known is None else _decimal(known),
            **_evidence(entry),
        )
    account = data["account"]
    return Pricing(
        region=data["region"],
        currency=data["currency"],
        prices=prices,
        quotas=quotas,
        account=AccountScheme(
            credits_since=account["credits_since"],
            credits_at_sign_up=Decimal(account["credits_at_sign_up"]),
            credits_for_tasks=Decimal(account["credits_for_tasks"]),
            free_plan_months=account["free_plan_months"],
            plans=tuple(Plan(plan["name"], plan["rule"]) for plan in account["plan"]),
            **_evidence(account),
        ),
    )


def _evidence(entry: Mapping[str, Any]) -> dict[str, Any]:
    sources = tuple(entry.get("sources", ()))
    if not sources or not entry.get("dated"):
        raise ValueError(f"{entry.get('id', 'account')}: a figure has its sources and its date")
    return {"sources": sources, "dated": entry["dated"]}


def _short(architecture: str) -> str:
    short = {"x86_64": "x86", "arm64": "arm"}.get(architecture)
    if short is None:
        raise ValueError(f"an architecture is x86_64 or arm64, not {architecture!r}")
    return short


def _decimal(number: Amount) -> Decimal:
    # Through the text, so that 0.1 is a tenth and not its nearest binary fraction.
    return Decimal(str(number)) if isinstance(number, float) else Decimal(number)
