"""The faster update expressions answer as moto's own do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from account_stand_in import deployed, table

from grader.cloud import moto_speed
from grader.cloud.aws import ServiceError

START = {
    "id": {"S": "a"},
    "n": {"N": "5"},
    "text": {"S": "x"},
    "tags": {"SS": ["a", "b"]},
    "list_": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]},
    "deep": {"M": {"x": {"N": "1"}, "y": {"M": {"z": {"S": "q"}}}}},
}
VALUES = {
    ":one": {"N": "1"},
    ":text": {"S": "new"},
    ":set": {"SS": ["b", "c"]},
    ":list": {"L": [{"S": "end"}]},
    ":map": {"M": {"k": {"N": "2"}}},
    ":empty": {"S": ""},
}
EXPRESSIONS = (
    "SET n = :one",
    "SET n = n + :one, m = if_not_exists(m, :one) + n",
    "SET deep.x = deep.x - :one, deep.y.w = :text",
    "SET #r = :text REMOVE text",
    "SET list_ = list_append(list_, :list)",
    "SET list_[1] = :one, list_[9] = :text",
    "REMOVE list_[0], list_[2]",
    "REMOVE deep.y.z, absent",
    "ADD n :one, fresh :one, tags :set",
    "DELETE tags :set",
    "SET a = n, n = :one",
    "SET deep = :map REMOVE n ADD m :one DELETE tags :set",
    "SET id = :text",
    "SET missing.x = :one",
    "SET n = absent + :one",
    "SET n = text + :one",
    "ADD text :one",
    "SET n = :one, n = :text",
    "SET deep.x = :one, deep = :map",
    "SET n = :one SET m = :one",
    "SET n = :undefined",
    "SET #undefined = :one",
    "SET total = :one",
    "SET n = ",
    "nonsense",
    "SET text = :empty",
)


def outcome(expression: str) -> Any:
    with deployed(table("Totals", "id")) as account:
        account.call("dynamodb", "PutItem", TableName="Totals", Item=copy.deepcopy(START))
        values = {name: value for name, value in VALUES.items() if name in expression}
        params: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        if "#r" in expression:
            params["ExpressionAttributeNames"] = {"#r": "region"}
        answers = []
        for wanted in ("ALL_NEW", "UPDATED_NEW", "UPDATED_OLD"):
            try:
                answers.append(
                    account.call(
                        "dynamodb",
                        "UpdateItem",
                        TableName="Totals",
                        Key={"id": {"S": "a"}},
                        UpdateExpression=expression,
                        ReturnValues=wanted,
                        **copy.deepcopy(params),
                    )
                )
            except ServiceError as error:
                answers.append((error.code, error.message))
        return answers, account.raw_items("Totals")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_update_ends_as_with_motos_own_code(expression: str) -> None:
    faster = outcome(expression)
    moto_speed.uninstall()
    try:
        original = outcome(expression)
    finally:
        moto_speed.install()
    assert faster == original
