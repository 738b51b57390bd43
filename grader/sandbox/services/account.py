"""STS and Budgets."""

from __future__ import annotations

from typing import Any

from grader.cloud.aws import ACCOUNT_ID, Request, ServiceError
from grader.sandbox.world import World, answers


@answers("sts", "GetCallerIdentity")
def _identity(world: World, request: Request) -> dict[str, Any]:
    user = f"arn:aws:iam::{ACCOUNT_ID}:user/learner"
    return {"Arn": user, "UserId": "AIDAEXAMPLE", "Account": ACCOUNT_ID}


# -- Budgets: kept, never exceeded -------------------------------------------------------------


def _known(world: World, params: dict[str, Any]) -> dict[str, Any]:
    name = params.get("BudgetName")
    if name not in world.budgets:
        raise ServiceError("NotFoundException", f"Unable to get budget: {name} - it does not exist")
    return world.budgets[name]


@answers("budgets", "CreateBudget", note="Kept and shown; nothing is spent here.")
def _create(world: World, request: Request) -> dict[str, Any]:
    budget = request.params["Budget"]
    name = budget["BudgetName"]
    if name in world.budgets:
        raise ServiceError(
            "DuplicateRecordException",
            f"Error creating budget: {name} - the budget already exists.",
        )
    world.budgets[name] = {
        "budget": {"CalculatedSpend": {"ActualSpend": {"Amount": "0", "Unit": "USD"}}, **budget},
        "notifications": list(request.params.get("NotificationsWithSubscribers") or ()),
    }
    return {}


@answers("budgets", "DescribeBudgets")
def _list(world: World, request: Request) -> dict[str, Any]:
    return {"Budgets": [one["budget"] for one in world.budgets.values()]}


@answers("budgets", "DescribeBudget")
def _describe(world: World, request: Request) -> dict[str, Any]:
    return {"Budget": _known(world, request.params)["budget"]}


@answers("budgets", "DescribeNotificationsForBudget")
def _notifications(world: World, request: Request) -> dict[str, Any]:
    kept = _known(world, request.params)["notifications"]
    return {"Notifications": [one["Notification"] for one in kept]}


@answers("budgets", "DescribeSubscribersForNotification")
def _subscribers(world: World, request: Request) -> dict[str, Any]:
    wanted = request.params.get("Notification")
    kept = _known(world, request.params)["notifications"]
    found = [one["Subscribers"] for one in kept if one["Notification"] == wanted]
    if not found:
        raise ServiceError("NotFoundException", "There is no such notification.")
    return {"Subscribers": found[0]}


@answers("budgets", "DeleteBudget")
def _delete(world: World, request: Request) -> dict[str, Any]:
    _known(world, request.params)
    del world.budgets[request.params["BudgetName"]]
    return {}
