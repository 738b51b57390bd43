"""Concurrency: how many invocations may run at once, in the account and of one function.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
https://docs.aws.amazon.com/lambda/latest/dg/limits.html
"""

from __future__ import annotations

from grader.cloud.aws import Refused

# An account's default in one Region; new accounts start lower, at an unpublished figure.
DEFAULT_ACCOUNT_LIMIT = 1_000
# What PutFunctionConcurrency leaves for functions without a reservation.
ALWAYS_UNRESERVED = 100


class Concurrency:
    """The running invocations of one account in one Region, and how many there may be.

    ``account_limit`` is a number of invocations at once. A reservation is a floor and a ceiling:
    the function always gets that many and never more; the others share what is left.
    """

    def __init__(self, account_limit: int = DEFAULT_ACCOUNT_LIMIT) -> None:
        self.account_limit = account_limit
        self._reserved: dict[str, int] = {}
        self._running: dict[str, int] = {}

    def reserve(self, function_name: str, count: int) -> None:
        """Reserve ``count`` for a function; 0 switches it off.

        Refused when fewer than 100 would stay unreserved, so an account with a low limit cannot
        reserve at all.
        """
        if count < 0:
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{count}' at 'reservedConcurrentExecutions' "
                "failed to satisfy constraint: Member must have value greater than or equal to 0",
                "ReservedConcurrentExecutions",
            )
        others = sum(n for name, n in self._reserved.items() if name != function_name)
        if count and self.account_limit - others - count < ALWAYS_UNRESERVED:
            raise Refused(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of "
                f"[{ALWAYS_UNRESERVED}].",
                "ReservedConcurrentExecutions",
            )
        self._reserved[function_name] = count

    def release_reservation(self, function_name: str) -> None:
        """Remove a function's reservation; it shares the rest of the account again."""
        self._reserved.pop(function_name, None)

    def reserved(self, function_name: str) -> int | None:
        """A function's reservation, None when it has none."""
        return self._reserved.get(function_name)

    def running(self, function_name: str) -> int:
        """How many invocations of the function run now."""
        return self._running.get(function_name, 0)

    def unreserved(self) -> int:
        """How many invocations run now of functions without a reservation."""
        return sum(n for name, n in self._running.items() if name not in self._reserved)

    def shared(self) -> int:
        """How many invocations functions without a reservation may have at once, all together."""
        return self.account_limit - sum(self._reserved.values())

    def claimed(self) -> int:
        """What other invocations cannot have now: all reservations, and what runs without one.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
        """
        return sum(self._reserved.values()) + self.unreserved()

    def figures(self) -> dict[str, int]:
        """What Lambda tells of the account as a whole, now: metrics without a dimension.

        https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
        """
        return {
            "ConcurrentExecutions": sum(self._running.values()),
            "UnreservedConcurrentExecutions": self.unreserved(),
            "ClaimedAccountConcurrency": self.claimed(),
        }

    def acquire(self, function_name: str) -> bool:
        """Start an invocation. False when it is throttled; then nothing has started."""
        running = self._running.get(function_name, 0)
        limit = self._reserved.get(function_name)
        if limit is not None:
            if running >= limit:
                return False
        elif self.unreserved() >= self.shared():
            return False
        self._running[function_name] = running + 1
        return True

    def release(self, function_name: str) -> None:
        """End an invocation that ``acquire`` let start."""
        running = self._running.get(function_name, 0)
        if running < 1:
            raise ValueError(f"no invocation of {function_name} is running")
        self._running[function_name] = running - 1
