"""An account is kept and goes on elsewhere; what comes from strangers is judged."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.cloud import Nursery
from grader.course.files import UsageError
from grader.sandbox.archive import Kept, save
from grader.sandbox.opening import account, deploy
from grader.sandbox.world import World

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
START_MS = 1_793_610_000_000


def order(number: int) -> dict[str, Any]:
    return {"merchant": "acme", "id": f"order#{number}", "kind": "order", "amount": 100}


@pytest.fixture(name="kept", scope="module")
def _kept(
    nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A broken shop: two orders counted, then the mapping was disabled and three more came.

    Beside it a reservation, another time-out, an alarm by hand, a note in the queue, an object.
    """
    cloud = account(nursery, start_ms=START_MS)
    deploy(cloud, SOLUTIONS / "02-lambda-triggers" / "template.yaml", {})
    world = World(cloud)
    resources = cloud.stacks["shop"].stack.resources
    orders, function = resources["Orders"].physical_id, resources["TotalsFunction"].physical_id
    uuid = resources["OrdersToTotals"].physical_id
    for number in (1, 2):
        cloud.account.put(orders, order(number))
    cloud.run_for(30_000)
    cloud.mappings.update(uuid, {"Enabled": False})
    cloud.run_for(30_000)
    for number in (3, 4, 5):
        cloud.account.put(orders, order(number))
    cloud.concurrency.reserve(function, 2)
    cloud.configure_function(function, {"Timeout": 7})
    cloud.alarms["Mine"] = {
        "AlarmName": "Mine",
        "Namespace": "Shop",
        "MetricName": "Waiting",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloud.account.queues.send(resources["FailedRecords"].physical_id, "a note")
    cloud.account.buckets.create("handed-out")
    cloud.account.buckets.put("handed-out", "../read me", b"\x00hello")
    cloud.run_for(5 * 3_600_000)
    world.alarms.set_state("Mine", "ALARM", "by hand")
    file = tmp_path_factory.mktemp("kept") / "broken.zip"
    save(world, file)
    told = {"now": cloud.clock.now, "uuid": uuid, "function": function}
    told["stream"] = cloud.mappings.get(uuid)["EventSourceArn"]
    cloud.close()
    return file, told


def test_a_kept_account_goes_on_where_it_stood(
    nursery: Nursery, kept: tuple[Path, dict[str, Any]]
) -> None:
    """The backlog of five hours is still there, and counted once when the mapping is enabled."""
    file, told = kept
    with Kept(file) as found:
        cloud = account(nursery, start_ms=found.now_ms)
        world = found.take_up(cloud)
    assert cloud.clock.now == told["now"]
    mapping = cloud.mappings.get(told["uuid"])
    assert mapping["EventSourceArn"] == told["stream"]
    assert cloud.concurrency.reserved(told["function"]) == 2
    assert cloud.functions[told["function"]].spec.timeout_ms == 7_000
    assert world.alarms.states["Mine"] == "ALARM"
    (note,) = cloud.account.messages(cloud.resource("shop", "FailedRecords").physical_id)
    assert note.body == "a note"
    assert cloud.account.objects("handed-out") == {"../read me": b"\x00hello"}
    cloud.run_for(60_000)
    assert cloud.mappings.get(told["uuid"])["State"] == "Disabled"
    assert cloud.items("shop", "MerchantTotals") == [
        {"merchant": "acme", "orders": 2, "total": 200}
    ]
    assert len(cloud.mappings.mapping(told["uuid"]).pending()) == 3
    cloud.mappings.update(told["uuid"], {"Enabled": True})
    cloud.run_for(60_000)
    assert cloud.items("shop", "MerchantTotals") == [
        {"merchant": "acme", "orders": 5, "total": 500}
    ]
    (host,) = cloud.functions.values()
    delivered = [one for run in host.invocations for one in run.sequences]
    assert len(delivered) == len(set(delivered)) == 3, "and nothing that was counted before"
    cloud.close()


def changed(file: Path, target: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The kept account with another document."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            body = old.read(name)
            if name == "account.json":
                document = json.loads(body)
                change(document)
                body = json.dumps(document).encode()
            new.writestr(name, body)
    return target


def _schema(document: dict[str, Any]) -> None:
    document["schema"] = "labs/account/v9"


def _no_time(document: dict[str, Any]) -> None:
    document["now_ms"] = "1e999"


def _wrong_template(document: dict[str, Any]) -> None:
    document["stacks"][0]["body"] = "Resources: {A: {Type: AWS::Nothing}}"


def _wrong_records(document: dict[str, Any]) -> None:
    document["streams"][0]["shards"][0]["records"] = [[1, 2]]


def _wrong_items(document: dict[str, Any]) -> None:
    document["tables"][0]["items"] = [{"nothing": 1}]


def _wrong_settings(document: dict[str, Any]) -> None:
    document["mappings"][0]["request"]["BatchSize"] = 10**9


def _wrong_metrics(document: dict[str, Any]) -> None:
    document["metrics"] = [{"metric": "x", "data": None}]


@pytest.mark.parametrize(
    "change",
    [_schema, _no_time, _wrong_template, _wrong_records, _wrong_items, _wrong_settings,
     _wrong_metrics],
)  # fmt: skip
def test_a_document_that_says_something_else_is_refused_in_a_sentence(
    change: Callable[[dict[str, Any]], Any],
    kept: tuple[Path, dict[str, Any]],
    nursery: Nursery,
    tmp_path: Path,
) -> None:
    file = changed(kept[0], tmp_path / "other.zip", change)
    cloud = account(nursery, start_ms=START_MS)
    with pytest.raises(UsageError, match="so it was not loaded"), Kept(file) as found:
        found.take_up(cloud)
    cloud.close()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("code/f/../../../out.py", "leads out of its folder"),
        ("/etc/cron.d/x", "absolute name"),
        ("surprise.py", "no part of a kept account"),
    ],
)
def test_members_that_lead_elsewhere_are_refused(
    name: str, told: str, kept: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "hostile.zip"
    file.write_bytes(kept[0].read_bytes())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, "print('ran')")
    with pytest.raises(UsageError, match=told):
        Kept(file)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "not.zip"
    file.write_bytes(b"\x80\x04\x95pickled")
    with pytest.raises(UsageError):
        Kept(file)
