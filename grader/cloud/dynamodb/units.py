"""Capacity units of one request, by the size of its items."""

from __future__ import annotations

from decimal import Decimal


def write_units(item_bytes: int, *, transactional: bool = False) -> int:
    """Write units of one write: one for each started KB, twice that in a transaction.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    return max(1, -(-item_bytes // 1024)) * (2 if transactional else 1)


def read_units(
    item_bytes: int, *, consistent: bool = False, transactional: bool = False
) -> Decimal:
    """Read units of one read: one for each started 4 KB, half of it if eventually consistent.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
    """
    blocks = Decimal(max(1, -(-item_bytes // 4096)))
    if transactional:
        return blocks * 2
    return blocks if consistent else blocks / 2
