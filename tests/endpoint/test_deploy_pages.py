"""The pages that show commands of `aws` are run from top to bottom, and each block has its effect."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("awscli", reason="the commands of the pages need awscli: install .[site]")
if sys.platform == "win32":
    pytest.skip("the commands of the pages are for a POSIX shell", allow_module_level=True)

from endpoint_cli import Commands
from endpoint_pages import DOCS, ROOT, World, blocks

from grader.cloud import template
from grader.cloud.account import deploy
from grader.cloud.function import Nursery
from grader.review import pricing

STACK = "shop"
# What else is in the account, with names that begin like the stack's.
NEIGHBOURS = {"shop-production", "/aws/lambda/shop-checkout-prod", "shop-returns", "shop-bill"}
Effect = Callable[[World], None]
EFFECTS: dict[str, Effect] = {}


def effect(function: Effect) -> Effect:
    """What must be true after the block that names it: ``lab_2_created`` for lab-2-created."""
    EFFECTS[function.__name__.removeprefix("_").replace("_", "-")] = function
    return function


# -- worlds ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="commands")
def _commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    commands = Commands(tmp_path_factory.mktemp("aws"))
    yield commands
    commands.close()


@pytest.fixture(name="world")
def _world(tmp_path: Path, nursery: Nursery, commands: Commands) -> Iterator[World]:
    """An empty account and a folder in which every lab is solved."""
    world = World(tmp_path, nursery, commands)
    shutil.copytree(ROOT / "solutions", world.desk / "labs")
    yield world
    world.close()


def solved() -> list[str]:
    """The labs that have a solution, by the names of their folders."""
    return sorted(path.parent.name for path in ROOT.glob("solutions/*/template.yaml"))


def play(world: World, page: str, *, only: tuple[str, ...] = ()) -> None:
    """Run a page's blocks, or those with these effects, and look at what each has done."""
    shown = [one for one in blocks(DOCS / page) if one.kind == "sh"]
    for block in shown:
        if only and block.effect not in only:
            continue
        world.run(block.text, str(block))
        assert block.effect is not None, f"{block} has no effect"
        try:
            EFFECTS[block.effect](world)
        except AssertionError as failure:
            raise AssertionError(f"{block}, {block.effect}:\n{world.out}\n{failure}") from failure


def prepare(world: World) -> None:
    """The names and the bucket of the first page, without its budget."""
    play(world, "deploy/index.md", only=("names", "bucket"))


# -- what the blocks do ------------------------------------------------------------------------


def total(world: World) -> tuple[int, int]:
    """The total and the number of orders of the merchant in the pages."""
    return totals(world)["acme"]


def totals(world: World) -> dict[str, tuple[int, int]]:
    items = world.cloud.items(STACK, "MerchantTotals")
    return {item["merchant"]: (item["total"], item["orders"]) for item in items}


def status(world: World) -> str:
    return world.cloud.stacks[STACK].status


def mapping(world: World) -> dict[str, object]:
    return world.cloud.mappings.get(world.cloud.resource(STACK, "OrdersToTotals").physical_id)


def notes(world: World) -> list[dict[str, object]]:
    queue = world.cloud.resource(STACK, "FailedRecords").attributes["Arn"]
    return [json.loads(one.body) for one in world.cloud.account.messages(queue)]


def alarm_names(world: World) -> set[str]:
    """The logical ids of the alarms that the last block printed."""
    return set(re.findall(rf"{STACK}-(\w+)-[A-Z0-9]{{12}}", world.out))


@effect
def _names(world: World) -> None:
    world.run('echo "$STACK $BUCKET $ACCOUNT $EMAIL"; type id_of')
    assert world.out.startswith("shop shop-code-123456789012 123456789012 you@example.com\n")


@effect
def _budget(world: World) -> None:
    (kept,) = world.endpoint.sandbox.world.budgets.values()
    assert kept["budget"]["CostTypes"] == {"IncludeCredit": False}
    (notification,) = kept["notifications"]
    assert notification["Notification"]["Threshold"] == 20
    assert notification["Subscribers"] == [
        {"SubscriptionType": "EMAIL", "Address": "you@example.com"}
    ]
    assert not world.cloud.stacks and not world.cloud.account.buckets.names, "the budget is first"


@effect
def _bucket(world: World) -> None:
    assert world.cloud.account.buckets.names == ["shop-code-123456789012"]


@effect
def _lab_1_created(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"
    assert [one.view for one in world.cloud.account.streams.values()] == ["NEW_AND_OLD_IMAGES"]


@effect
def _lab_1_written(world: World) -> None:
    (stream,) = world.cloud.account.streams.values()
    records = [one for shard in stream.shards for one in shard.read(shard.starting_sequence)]
    assert [one.event["eventName"] for one in records] == ["INSERT", "MODIFY", "REMOVE"]


@effect
def _lab_1_read(world: World) -> None:
    shard, *changes = world.out.splitlines()
    assert shard.startswith("shardId-") and changes == ["created", "changed", "deleted"]


@effect
def _lab_2_created(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"
    assert mapping(world)["State"] == "Enabled"
    (archive,) = [
        name
        for name, body in world.cloud.account.objects("shop-code-123456789012").items()
        if body.startswith(b"PK")
    ]
    assert archive


@effect
def _lab_2_counted(world: World) -> None:
    assert total(world) == (1550, 2)


@effect
def _lab_2_changed(world: World) -> None:
    assert total(world) == (1000, 1)


@effect
def _lab_2_given_up(world: World) -> None:
    assert total(world) == (1500, 2)
    (note,) = notes(world)
    assert note["DDBStreamBatchInfo"]["batchSize"] == 1  # type: ignore[index]
    assert "DDBStreamBatchInfo" in world.out


@effect
def _lab_2_watched(world: World) -> None:
    assert world.out.startswith("Enabled\tOK\n")
    assert "REPORT RequestId" in world.out and "is not counted" in world.out


@effect
def _lab_3_created(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"
    (topic,) = world.cloud.account.topics.by_arn.values()
    assert [one.endpoint for one in topic.subscriptions] == ["you@example.com"]


@effect
def _lab_3_pending(world: World) -> None:
    assert world.out == "you@example.com\tPendingConfirmation\n"


@effect
def _lab_3_rang(world: World) -> None:
    assert "RecordsGivenUp" in alarm_names(world)


@effect
def _lab_3_quiet(world: World) -> None:
    assert not notes(world)
    assert not alarm_names(world)


@effect
def _lab_3_dashboard(world: World) -> None:
    assert world.out.startswith("shop-TotalsDashboard-")


@effect
def _lab_4_created(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"
    assert (
        len(world.cloud.functions) == len(world.cloud.mappings.list()["EventSourceMappings"]) == 2
    )


@effect
def _lab_4_tried(world: World) -> None:
    assert total(world) == (75000, 1)
    assert [one["id"] for one in world.cloud.items(STACK, "LargeOrders")] == ["order#1"]
    assert notes(world)


@effect
def _lab_4_redriven(world: World) -> None:
    assert world.out == "{'replayed': 0, 'failed': 1, 'trimmed': 0}\n"
    assert total(world) == (75000, 1)


@effect
def _lab_5_created(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"


@effect
def _lab_5_burst(world: World) -> None:
    assert total(world) == (2500, 25)


@effect
def _lab_5_invocations(world: World) -> None:
    (host,) = world.cloud.functions.values()
    assert 1 <= len(host.invocations) <= 3
    assert world.out.count("REPORT RequestId") == len(host.invocations)


@effect
def _lab_6_created(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"


@effect
def _lab_6_checked(world: World) -> None:
    recovery, protected, days, bounds = world.out.splitlines()
    assert (recovery, protected) == ("ENABLED", "true")
    assert all(int(one) > 0 for one in days.split())
    retries, age, bisect = bounds.split()
    assert int(retries) > 0 and int(age) > 0 and bisect == "True"


@effect
def _lab_6_silence(world: World) -> None:
    assert "MappingSilent" in alarm_names(world)
    assert mapping(world)["State"] == "Enabled"


@effect
def _helper(world: World) -> None:
    world.run("type deploy")


@effect
def _all_1(world: World) -> None:
    assert status(world) == "CREATE_COMPLETE"
    assert not world.cloud.functions


@effect
def _all_2(world: World) -> None:
    assert status(world) == "UPDATE_COMPLETE"
    assert total(world) == (1000, 1)


@effect
def _all_3(world: World) -> None:
    assert status(world) == "UPDATE_COMPLETE"
    assert world.cloud.stacks[STACK].stack.parameters["PagerEmail"] == "you@example.com"
    assert world.cloud.resource(STACK, "TotalsLate")


@effect
def _all_4(world: World) -> None:
    assert world.cloud.stacks[STACK].stack.parameters["PagerEmail"] == "you@example.com"
    assert total(world) == (77000, 3)
    assert "order#4" in world.out
    assert len(world.cloud.functions) == 2


@effect
def _all_5(world: World) -> None:
    assert len(world.cloud.functions) == 1
    assert not any("LargeOrders" in name for name in world.cloud.account.tables.names())


@effect
def _all_6(world: World) -> None:
    assert total(world) == (79000, 5)
    assert "79000" in world.out and "UPDATE_COMPLETE" in world.out
    # Never paused by mistake, and read once: nothing was given up on the way.
    assert mapping(world)["State"] == "Enabled"
    assert not notes(world)


def is_there(world: World) -> set[str]:
    """What the stack has now, by its physical names; of a queue's address the end."""
    return {_end(one.physical_id) for one in world.cloud.stacks[STACK].stack.resources.values()}


def _end(name: str) -> str:
    return name.rpartition("/")[2] if name.startswith("http") else name


@effect
def _owned(world: World) -> None:
    first, *lines = world.out.splitlines()
    assert first == "account 123456789012, Region us-east-1, stack shop"
    assert is_there(world) <= {_end(line.split("\t")[1]) for line in lines}
    assert not any("production" in line or "checkout" in line for line in lines)


@effect
def _reading(world: World) -> None:
    tables = {one for one in world.cloud.account.tables.names() if one in is_there(world)}
    assert tables <= set(world.out.split())
    assert "shop-production" not in world.out


@effect
def _unprotected(world: World) -> None:
    tables = [one.physical_id for one in world.cloud.stacks[STACK].stack.resources.values()
              if one.type == "AWS::DynamoDB::Table"]  # fmt: skip
    assert tables and not any(deploy.is_protected(world.cloud.account, one) for one in tables)


@effect
def _stack_deleted(world: World) -> None:
    assert STACK not in world.cloud.stacks
    gone = world.cloud.gone[STACK]
    kept = [one for one in gone.stack.resources.values() if one.deletion_policy == "Retain"]
    names = world.cloud.account.tables.names()
    kept_names = {one.physical_id for one in kept if one.type == "AWS::DynamoDB::Table"}
    assert kept_names == set(names) - NEIGHBOURS
    assert kept_names <= set(world.out.split())


@effect
def _survivors_removed(world: World) -> None:
    assert set(world.cloud.account.tables.names()) <= NEIGHBOURS
    assert not world.cloud.account.buckets.names


@effect
def _nothing_left(world: World) -> None:
    cloud, account = world.cloud, world.cloud.account
    assert not (cloud.stacks or cloud.functions or cloud.mappings.list()["EventSourceMappings"])
    assert not (account.topics.by_arn or set(account.queues.arns) - NEIGHBOURS)
    assert set(account.logs.groups) <= NEIGHBOURS
    first, skipped, still, *backups = world.out.splitlines()
    assert first.startswith("account 123456789012, Region us-east-1: ")
    assert still == "still there: "
    gone = cloud.gone[STACK].stack
    recovered = {
        one.physical_id
        for one in gone.of_type("AWS::DynamoDB::Table")
        if "PointInTimeRecoverySpecification" in one.properties
    }
    assert {tuple(line.split("\t")[:2]) for line in backups} == {
        (name, "SYSTEM") for name in recovered
    }
    kept = [one.physical_id for one in cloud.gone[STACK].stack.resources.values()
            if one.deletion_policy == "Retain"]  # fmt: skip
    assert sorted(skipped.partition(": ")[2].split()) in (sorted(kept), ["None"])


@effect
def _looked_up(world: World) -> None:
    world.run('echo "$FUNCTION $MAPPING $ORDERS $QUEUE"')
    expected = [
        world.cloud.resource(STACK, name).physical_id
        for name in ("TotalsFunction", "OrdersToTotals", "Orders", "FailedRecords")
    ]
    # A queue's address is this sandbox's, so that no client follows it elsewhere.
    *rest, queue = world.out.split()
    assert [*rest, queue.rpartition("/")[2]] == [
        *expected[:3],
        expected[3].rpartition("/")[2],
    ]
    assert queue.startswith(world.endpoint.url)


@effect
def _mapping_listed(world: World) -> None:
    now = mapping(world)
    assert world.out.split() == [now["UUID"], "Enabled", now["EventSourceArn"]]


@effect
def _mapping_state(world: World) -> None:
    shown = json.loads(world.out)
    assert shown["State"] == "Enabled"
    assert shown["Last"] == mapping(world)["LastProcessingResult"]
    assert shown["Reports"] == ["ReportBatchItemFailures"]
    assert shown["OnFailure"].startswith("arn:aws:sqs:")


@effect
def _same_stream(world: World) -> None:
    read, latest = world.out.split()
    assert read == latest == mapping(world)["EventSourceArn"]


@effect
def _iterator_age(world: World) -> None:
    ages = [float(line.split("\t")[1]) for line in world.out.splitlines()]
    assert ages and max(ages) > 1000


@effect
def _event_counts(world: World) -> None:
    counts = dict(line.split(": ") for line in world.out.splitlines())
    assert set(counts) == {
        "PolledEventCount",
        "FilteredOutEventCount",
        "InvokedEventCount",
        "FailedInvokeEventCount",
    }
    assert all(counts[name].strip() for name in ("PolledEventCount", "FailedInvokeEventCount"))


@effect
def _sample_event(world: World) -> None:
    assert '{"batchItemFailures": []}' in world.out
    assert totals(world)["trial"] == (1250, 1)


@effect
def _log(world: World) -> None:
    assert "[ERROR]" in world.out and "is not counted" in world.out


@effect
def _paused(world: World) -> None:
    assert world.out.split() == ["Disabling", "Disabled"]
    world.cloud.account.put(world.cloud.resource(STACK, "Orders").physical_id, order(90, 100))
    world.cloud.run_for(600_000)
    assert total(world) == (1250, 1), "nothing is delivered while it is paused"


@effect
def _resumed(world: World) -> None:
    assert world.out.split() == ["Enabling", "Enabled"]
    assert total(world) == (1350, 2), "it goes on where it was"


@effect
def _tuned(world: World) -> None:
    assert world.out.split() == ["100", "1", "0", "Updating", "4"]
    assert (mapping(world)["State"], mapping(world)["ParallelizationFactor"]) == ("Enabled", 4)


@effect
def _concurrency(world: World) -> None:
    shards, reserved, account = re.fullmatch(
        r"(\d+)\n(\{.*?\}\n)(\{.*\}\n)", world.out, re.S
    ).groups()  # type: ignore[union-attr]
    assert int(shards) == 1
    assert json.loads(reserved) == {"ReservedConcurrentExecutions": 5}
    assert json.loads(account)["UnreservedConcurrentExecutions"] == 995


@effect
def _reserved(world: World) -> None:
    name = world.cloud.resource(STACK, "TotalsFunction").physical_id
    assert world.out.split() == ["10"] and world.cloud.concurrency.reserved(name) == 10


@effect
def _unreserved(world: World) -> None:
    name = world.cloud.resource(STACK, "TotalsFunction").physical_id
    assert world.cloud.concurrency.reserved(name) is None


@effect
def _watched(world: World) -> None:
    ages = re.findall(r"^age ([\d.]+), throttled", world.out, re.M)
    assert len(ages) == 5 == len(world.out.splitlines())


@effect
def _note_read(world: World) -> None:
    (note,) = notes(world)
    assert json.loads((world.desk / "note.json").read_text(encoding="utf-8")) == note
    assert '"ApproximateNumberOfMessages": "1"' in world.out


@effect
def _records_fetched(world: World) -> None:
    fetched = json.loads((world.desk / "records.json").read_text(encoding="utf-8"))["Records"]
    last = world.out.splitlines()[0].removeprefix("the note ends with ")
    numbers = [one["dynamodb"]["SequenceNumber"] for one in fetched]
    assert numbers.index(last) == 0 and len(numbers) == 2, "and what came behind it"
    assert fetched[0]["dynamodb"]["NewImage"]["amount"] == {"S": "12,50"}


@effect
def _note_deleted(world: World) -> None:
    assert not notes(world)


@effect
def _who_is_told(world: World) -> None:
    assert "email\tyou@example.com\tPendingConfirmation" in world.out


@effect
def _daily(world: World) -> None:
    seen = dict(line.split(": ", 1) for line in world.out.splitlines())
    assert set(seen) == {"red", "mapping", "notes", "oldest", "throttled"}
    assert seen["mapping"].startswith("Enabled") and seen["notes"] == "0", "it was redriven"
    assert float(seen["oldest"].removesuffix(" ms").split("\t")[1]) > 1000


@effect
def _baseline(world: World) -> None:
    for name in ("Invocations", "Duration", "IteratorAge"):
        assert re.search(rf"^{name}\n\S+\t[\d.]+$", world.out, re.M), name


# -- the pages ---------------------------------------------------------------------------------


def test_all_labs_in_one_account_and_nothing_is_left(world: World) -> None:
    """Budget, bucket, every lab into one stack, tear down: the pages in the order they name."""
    play(world, "deploy/index.md")
    play(world, "deploy/all-labs.md")
    neighbours(world)
    # A versioned bucket keeps what was replaced and what was deleted.
    world.run(
        'aws s3api put-bucket-versioning --bucket "$BUCKET" '
        "--versioning-configuration Status=Enabled\n"
        'for n in 1 2; do echo $n > note; aws s3 cp note "s3://$BUCKET/note"; done\n'
        'aws s3 rm "s3://$BUCKET/note"'
    )
    play(world, "deploy/tear-down.md")
    assert set(world.cloud.account.tables.names()) == {"shop-production"}
    assert world.cloud.account.logs.groups == ["/aws/lambda/shop-checkout-prod"]
    assert set(world.cloud.alarms) == {"shop-bill"}
    world.run("aws sqs get-queue-url --queue-name shop-returns")


def neighbours(world: World) -> None:
    """Things of other people, made by hand, whose names begin like the stack's."""
    world.run(
        "aws dynamodb create-table --table-name shop-production --billing-mode PAY_PER_REQUEST "
        "--attribute-definitions AttributeName=id,AttributeType=S "
        "--key-schema AttributeName=id,KeyType=HASH\n"
        "aws logs create-log-group --log-group-name /aws/lambda/shop-checkout-prod\n"
        "aws sqs create-queue --queue-name shop-returns\n"
        "aws cloudwatch put-metric-alarm --alarm-name shop-bill --namespace AWS/Lambda "
        "--metric-name Errors --statistic Sum --period 60 --evaluation-periods 1 --threshold 1 "
        "--comparison-operator GreaterThanThreshold"
    )


def test_lab_1_alone_needs_no_bucket_to_be_torn_down(world: World) -> None:
    """Without bucket and budget, for it has made neither; a neighbour's table stays."""
    play(world, "deploy/index.md", only=("names",))
    play(world, "deploy/01-stream-setup.md")
    neighbours(world)
    play(world, "deploy/tear-down.md")
    assert set(world.cloud.account.tables.names()) == {"shop-production"}


def test_a_protected_stack_cannot_be_deleted_before_its_tables_are_let_go(world: World) -> None:
    """Why the page on tearing down begins as it does."""
    prepare(world)
    play(world, "deploy/all-labs.md", only=("helper",))
    world.run("deploy 06-production-checklist\naws cloudformation delete-stack --stack-name shop")
    assert status(world) == "DELETE_FAILED"


@pytest.mark.parametrize(
    "page",
    ["01-stream-setup", "02-lambda-triggers", "04-debugging", "05-cost", "06-production-checklist"],
)
def test_one_lab_alone(page: str, world: World) -> None:
    """Lab 3 has a test of its own, with everything before it and behind it."""
    prepare(world)
    play(world, f"deploy/{page}.md")


def test_lab_3_alone_and_nothing_is_left(world: World) -> None:
    play(world, "deploy/index.md")
    play(world, "deploy/03-monitoring.md")
    play(world, "deploy/tear-down.md")


def order(number: int, amount: object) -> dict[str, object]:
    return {"merchant": "acme", "id": f"order#{number}", "kind": "order", "amount": amount}


def test_procedures_do_what_they_say(world: World) -> None:
    """A stack in the middle of a small incident: one good order, one that cannot be read."""
    prepare(world)
    play(world, "deploy/all-labs.md", only=("helper",))
    world.run('deploy 03-monitoring --parameter-overrides PagerEmail="$EMAIL"')
    orders = world.cloud.resource(STACK, "Orders").physical_id
    function = world.cloud.resource(STACK, "TotalsFunction").physical_id
    world.cloud.concurrency.reserve(function, 5)
    world.cloud.account.put(orders, order(1, 1250))
    world.cloud.account.put(orders, order(62, "12,50"))
    world.cloud.run_for(10 * 60_000)
    play(world, "operations/procedures.md")
    play(world, "operations/routine.md")


def test_starters_can_be_deployed_as_they_stand(world: World) -> None:
    """`package` and `deploy` take the folder of every lab without a change."""
    prepare(world)
    play(world, "deploy/all-labs.md", only=("helper",))
    starters = sorted(path.parent for path in ROOT.glob("labs/*/template.yaml"))
    for starter in starters:
        shutil.copytree(starter, world.desk / "labs" / starter.name, dirs_exist_ok=True)
    world.run("".join(f"STACK=lab{one.name[:2]} deploy {one.name}\n" for one in starters))
    made = {name: one.status for name, one in world.cloud.stacks.items()}
    assert made == {f"lab{one.name[:2]}": "CREATE_COMPLETE" for one in starters}


@pytest.mark.parametrize("lab", solved())
def test_the_standing_charges_of_a_lab_are_those_of_the_page(lab: str) -> None:
    """What an idle month costs: alarms and dashboards at their prices, inside and outside of the
    free amounts."""
    path = ROOT / "solutions" / lab / "template.yaml"
    stack = template.resolve(path.read_text(encoding="utf-8"), path=path.name)
    usage = {
        "alarms": len(stack.of_type("AWS::CloudWatch::Alarm")),
        "alarms_composite": len(stack.of_type("AWS::CloudWatch::CompositeAlarm")),
        "dashboards": len(stack.of_type("AWS::CloudWatch::Dashboard")),
    }
    provisioned = [one for one in stack.of_type("AWS::DynamoDB::Table")
                   if one.properties.get("BillingMode") != "PAY_PER_REQUEST"]  # fmt: skip
    assert not provisioned, "a table with provisioned capacity has a standing price, too"
    prices = pricing.load()
    free, full = (pricing.bill(usage, prices, free=one).total for one in (True, False))
    rows = {}
    for line in (DOCS / "deploy/index.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\| ([\d, and]+) \| (\$[\d.]+) \| (\$[\d.]+) \|", line):
            for number in re.findall(r"\d", found[1]):
                rows[int(number)] = (found[2], found[3])
    assert rows[int(lab[:2])] == (pricing.dollars(free), pricing.dollars(full))


def test_every_effect_is_named_by_a_page() -> None:
    """An effect that no page names is dead, and a name without an effect is a typo."""
    named = {one.effect for page in DOCS.rglob("*.md") for one in blocks(page) if one.effect}
    assert named == set(EFFECTS)
