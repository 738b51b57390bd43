"""Places in a function's code: each question finds the line whose change would mend its failure."""

from __future__ import annotations

import pytest

from grader.replay.source import Source

# Lines are marked by a comment, so that a change of the code moves the expectation along.
FOLDS = """
import os

LIFE = 3600  # life
MOST = 100  # most

def handler(event, context):
    changes, failed = {}, []
    for record in event["Records"]:
        try:
            change = int(record["amount"])
        except ValueError:
            log.exception("not counted")
            continue  # swallowed
        if change > 0:  # skipped
            changes.setdefault(record["merchant"], {})[record["id"]] = change  # overwritten
    for merchant, ones in changes.items():
        together = list(ones.items())
        for start in range(0, len(together), MOST):
            count(merchant, together[start : start + MOST])
    return {"batchItemFailures": failed}

def count(merchant, part):
    try:
        client.transact_write_items(
            TransactItems=[
                marker(part[0][0]),  # remembered
                *(addition(merchant, cents) for _, cents in part),
            ]
        )
    except client.exceptions.TransactionCanceledException as error:
        if error.response["CancellationReasons"][0]["Code"] == "None":
            raise
        return  # cancelled

def marker(name):
    return {
        "Put": {
            "TableName": os.environ["MARKERS"],
            "Item": {
                "id": {"S": name},
                "expires": {"N": str(now() + LIFE)},
                "event": {"S": "all of it"},  # named
            },
            "ConditionExpression": "attribute_not_exists(id)",
        }
    }

def addition(merchant, cents):
    return {"Update": {"UpdateExpression": "ADD #t :c", "ExpressionAttributeNames": {"#t": "total"}}}
"""
READS = """
def lambda_handler(event, context):
    for record in event["Records"]:
        if table.get_item(Key=record["key"]).get("Item"):  # raced
            return
        table.put_item(Item=record)
    return {"statusCode": 200}  # answered
"""
BARE = """
def write(name, version):
    old = client.get_item(Key=name, ConsistentRead=True)
    update = {
        "Key": name,
        "UpdateExpression": "SET v = :one",  # raced
    }
    client.transact_write_items(TransactItems=[{"Update": update}])
"""
TOOL = """
def fetched(info):
    first, last = info["first"], info["last"]  # text
    iterator = start(info)
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        if not page["Records"]:
            break  # left
        for record in page["Records"]:
            if first <= int(record["number"]) <= last:
                found.append(record)
        iterator = page.get("Next")
    return found
"""


def _line(code: str, mark: str) -> int:
    (number,) = (n for n, text in enumerate(code.splitlines(), start=1) if f"# {mark}" in text)
    return number


@pytest.mark.parametrize(
    ("code", "question", "mark"),
    [
        (FOLDS, Source.skipping, "skipped"),
        (FOLDS, Source.bounding, "most"),
        (FOLDS, Source.overwriting, "overwritten"),
        (FOLDS, Source.remembering, "remembered"),
        (FOLDS, Source.swallowing, "swallowed"),
        (FOLDS, Source.cancelled, "cancelled"),
        (FOLDS, lambda source: source.lasting("expires"), "life"),
        (FOLDS, lambda source: source.naming("event"), "named"),
        (READS, Source.racing, "raced"),
        (READS, Source.swallowing, "answered"),
        (BARE, Source.racing, "raced"),
        (TOOL, Source.comparing, "text"),
        (TOOL, lambda source: source.looping("get_records", endless=False), "left"),
    ],
)
def test_each_question_finds_its_line(code: str, question: object, mark: str) -> None:
    assert question(Source(code)) == _line(code, mark)  # type: ignore[operator]


def test_a_loop_that_nothing_leaves_ends_its_look_at_a_record() -> None:
    code = TOOL.replace('        if not page["Records"]:\n            break  # left\n', "")
    assert Source(code).looping("get_records", endless=True) == _line(
        code.replace("found.append(record)", "found.append(record)  # last"), "last"
    )


def test_a_refused_condition_of_one_write_hides_nothing() -> None:
    """It can only mean that somebody was here before; a cancelled transaction can mean more."""
    code = """
def handler(event, context):
    try:
        client.put_item(Item=event)
    except client.exceptions.{}:
        pass  # hidden
    return {{"batchItemFailures": []}}
"""
    assert Source(code.format("ConditionalCheckFailedException")).swallowing() is None
    cancelled = code.format("TransactionCanceledException")
    assert Source(cancelled).swallowing() == _line(cancelled, "hidden")


def test_a_marker_that_nobody_writes_is_no_place() -> None:
    unused = FOLDS.replace("marker(part[0][0]),  # remembered", "")
    assert Source(unused).remembering() is None


@pytest.mark.parametrize("code", ["", "def handler(:", "x = 1\n", "\0", "(" * 3000])
def test_code_without_places_has_none(code: str) -> None:
    source = Source(code)
    for question in (Source.skipping, Source.bounding, Source.racing, Source.comparing):
        assert question(source) is None
    assert source.looping("get_records", endless=True) is None


@pytest.mark.parametrize(
    "told", ["failed.append(part[-1])", "failed += [max(part)]", "failed.add(max(part))"]
)
def test_what_failed_is_noted_in_the_clause_around_the_write(told: str) -> None:
    """The clause of a refused condition, which takes records out and tries again, notes nothing."""
    code = f"""
def handler(event, context):
    try:
        count(event)
    except Exception:
        print("not counted")
        {told}  # noted
    return {{"batchItemFailures": [{{"itemIdentifier": one}} for one in failed]}}  # answered

def count(event):
    try:
        table.update_item(Key=event)
    except Cancelled:
        event = event[1:]
"""
    assert Source(code).reporting() == _line(code, "noted")
    assert Source(code.replace(told, "raise")).reporting() == _line(code, "answered")
