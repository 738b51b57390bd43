"""The shop's traffic: orders and carts written at a steady rate, each at a random moment.

The gaps between writes are drawn as those of independent customers are (exponential), from a seed:
the same seed writes the same items at the same moments of virtual time.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from grader.cloud import Cloud
from grader.cloud.aws import Refused

ORDERS = "Orders"
KINDS = ("orders", "carts")
FASTEST_PER_S = 500.0
MERCHANTS = tuple(f"merchant-{number:02}" for number in range(1, 21))
_RATE = re.compile(r"(?P<kind>[a-z]+)=(?P<count>[0-9]+(?:\.[0-9]+)?)/(?P<unit>s|min|h)")
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def read_rates(text: str) -> dict[str, float]:
    """``orders=20/s,carts=5/s`` as writes a second by kind. ValueError with a sentence."""
    rates: dict[str, float] = {}
    for part in text.split(","):
        found = _RATE.fullmatch(part.strip())
        if found is None or found["kind"] not in KINDS:
            raise ValueError(f"{part.strip()!r} is no rate; write orders=20/s,carts=5/s")
        rates[found["kind"]] = float(found["count"]) / _UNITS[found["unit"]]
    if not 0 < sum(rates.values()) <= FASTEST_PER_S:
        raise ValueError(f"rates are above 0 and together at most {FASTEST_PER_S:g}/s")
    return rates


@dataclass
class Traffic:
    """Writes into a stack's table ``Orders`` until it is stopped. Rates are writes a second."""

    cloud: Cloud
    stack: str
    rates: dict[str, float]
    seed: int = 0
    written: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    stopped: bool = False

    def start(self) -> None:
        """Begin now. Refused when the stack has no such table, or one with other keys."""
        table = self.cloud.stacks[self.stack].stack.get(ORDERS)
        keys = [] if table is None else self.cloud.account.tables.keys_of(table.physical_id)
        if table is None or keys != ["merchant", "id"]:
            raise Refused(
                "NotEmulated",
                f"The shop's traffic needs a table {ORDERS} with the keys merchant and id, and the "
                "stack has none.",
            )
        self._dice = random.Random(f"traffic {self.seed}")
        for kind, rate in self.rates.items():
            if rate:
                self._plan(kind, table.physical_id)

    def stop(self) -> None:
        """Write nothing more."""
        self.stopped = True

    def _plan(self, kind: str, table: str) -> None:
        gap_ms = max(1, round(self._dice.expovariate(self.rates[kind]) * 1000))
        self.cloud.clock.after(gap_ms, lambda: self._write(kind, table))

    def _write(self, kind: str, table: str) -> None:
        if self.stopped or table not in self.cloud.account.tables.names():
            return
        self.written[kind] += 1
        number = self.written[kind]
        item: dict[str, Any] = {"merchant": self._dice.choice(MERCHANTS)}
        if kind == "orders":
            amount = self._dice.randrange(500, 20_000)
            item.update(id=f"order#{number}", kind="order", amount=amount, status="placed")
        else:
            item.update(id=f"cart#{number}", kind="cart", items=self._dice.randrange(1, 9))
        self.cloud.account.put(table, item)
        self._plan(kind, table)
