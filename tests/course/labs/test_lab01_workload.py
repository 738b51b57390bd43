"""Lab 1's arithmetic: the noon rush second by second, the month's bill, keys under the peak day."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import pytest

from grader.course.labs.lab01 import workload
from grader.course.labs.lab01.workload import Capacity


def test_the_calm_and_the_rush_make_up_the_month() -> None:
    rush = workload.MONTH_DAYS * workload.RUSH_SECONDS
    calm = workload.MONTH_DAYS * 86_400 - rush
    writes = rush * workload.RUSH_WRITES + calm * workload.CALM_WRITES
    assert writes == pytest.approx(workload.MONTH_WRITES)


@pytest.mark.parametrize(
    ("capacity", "dollars"),
    [
        (Capacity(None, None), Decimal("1.5375")),
        (Capacity(25, 25), Decimal(0)),
        (Capacity(28, 10), Decimal("1.404")),
        (Capacity(31, 10), Decimal("2.808")),
        (Capacity(32, 10), Decimal("3.276")),
        # Another class has other prices, and no free units: all 28 of them are paid for.
        (Capacity(None, None, infrequent=True), Decimal("1.921875")),
        (Capacity(28, 10, infrequent=True), Decimal("17.55")),
    ],
    ids=str,
)
def test_either_mode_can_stay_below_the_limit(capacity: Capacity, dollars: Decimal) -> None:
    """2.4 M writes at 0.625 a million and 0.3 M read units; or units above the 25 free ones."""
    assert workload.monthly_bill(capacity).total == dollars


@pytest.mark.parametrize(
    ("units", "throttled", "on_credit"),
    [
        (None, False, False),
        (28, False, False),
        (27, False, True),
        # 8 units a second are missing for 720 seconds; 300 seconds of 20 units were saved, less
        # what the calm used of them.
        (20, False, True),
        (19, True, True),
        (5, True, True),
    ],
)
def test_a_burst_lives_on_the_unused_units_of_300_seconds(
    units: int | None, throttled: bool, on_credit: bool
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html"""
    noon = workload.noon("writes", units, 1, workload.CALM_WRITES, workload.RUSH_WRITES)
    assert (noon.throttled > 0, noon.on_credit) == (throttled, on_credit)


@pytest.mark.parametrize(
    ("most", "refused"), [(None, 0), (28, 0), (27, 1), (20, 8), (1, 27)], ids=str
)
def test_an_on_demand_maximum_refuses_what_is_above_it(most: int | None, refused: int) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html"""
    noon = workload.noon("writes", None, 1, workload.CALM_WRITES, workload.RUSH_WRITES, most)
    assert noon.throttled == refused * workload.RUSH_SECONDS


def test_a_maximum_is_read_for_on_demand_tables_only() -> None:
    most = {"MaxWriteRequestUnits": 20}
    units = {"WriteCapacityUnits": 5, "ReadCapacityUnits": 6}
    given = {"OnDemandThroughput": most, "ProvisionedThroughput": units}

    assert Capacity.of({"BillingMode": "PAY_PER_REQUEST", **given}) == Capacity(None, None, 20)
    assert Capacity.of(given) == Capacity(5, 6)


def test_without_savings_every_write_above_the_units_is_throttled() -> None:
    noon = workload.noon("writes", 10, 1, 10.0, 28)
    assert noon.first_throttled == 1
    assert noon.throttled == 18 * workload.RUSH_SECONDS


@lru_cache(1)
def peak_day(seed: int, draw: Any = workload.peak_seconds) -> list[list[dict[str, Any]]]:
    """Drawn once for all keys of a seed."""
    return list(draw(seed))


@pytest.mark.parametrize(
    ("key", "too_hot"),
    [
        ("merchant", False),
        ("ref", False),
        ("id", False),
        ("customer", False),
        ("slot", False),
        ("day", True),
        ("status", True),
        ("kind", True),
        ("channel", True),
        ("country", True),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_the_peak_day_tells_keys_that_spread_from_keys_that_do_not(
    key: str, too_hot: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload, "peak_seconds", peak_day)
    worst = workload.hottest(key, seed)
    assert (worst.units > workload.PARTITION_WRITE_UNITS) is too_hot


def test_a_country_is_below_the_limit_in_writes_and_above_it_in_units() -> None:
    worst = workload.hottest("country", 0)
    assert worst.writes < workload.PARTITION_WRITE_UNITS < worst.units


TYPES = {name: workload.TYPES.get(name, "S") for name in workload.some_writes()[0].item}


@pytest.mark.parametrize(
    "key",
    [
        ("merchant", "id"),
        ("id", "merchant"),
        ("ref",),
        ("slot", "ref"),
        ("customer", "ref"),
        ("ref", "day"),
    ],
    ids=" + ".join,
)
def test_a_key_that_names_one_order_for_ever_is_right(key: tuple[str, ...]) -> None:
    assert workload.mixup(key, TYPES) is None


@pytest.mark.parametrize(
    ("key", "observed"),
    [
        (("id",), "overwrites order#7 of acme"),
        (("customer", "id"), "overwrites order#7 of acme"),
        (("merchant",), "overwrites order#7 of acme"),
        (("ref", "status"), "a second item beside it"),
        (("amount", "ref"), "has no attribute amount"),
        (("merchant", "number"), "has no attribute number"),
    ],
    ids=str,
)
def test_a_key_that_mixes_things_up_is_told_by_the_write_that_shows_it(
    key: tuple[str, ...], observed: str
) -> None:
    wrong = workload.mixup(key, TYPES)
    assert wrong is not None
    assert observed in wrong.observed


def test_an_attribute_of_another_type_is_refused() -> None:
    wrong = workload.mixup(("slot", "ref"), {"slot": "S", "ref": "S"})
    assert wrong is not None
    assert "declared as S and comes as N" in wrong.observed
