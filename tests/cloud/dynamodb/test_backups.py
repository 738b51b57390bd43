"""What is left of a deleted table: a backup of the type SYSTEM, for 35 days, if it had recovery."""

from __future__ import annotations

from typing import Any

import pytest

from grader.cloud.account import Account, deploy
from grader.cloud.clock import START_MS, Clock
from grader.cloud.metrics import Metrics

DAY_MS = 86_400_000


@pytest.fixture(name="account")
def _account() -> Account:
    account = Account(Clock(START_MS), Metrics())
    for name in ("kept", "plain"):
        account.call(
            "dynamodb",
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    account.tables.recover("kept", True)
    for name in ("kept", "plain"):
        deploy.delete_table(account, name)
    return account


def listed(account: Account, **params: Any) -> list[tuple[str, str]]:
    found = account.call("dynamodb", "ListBackups", **params)["BackupSummaries"]
    return [(one["BackupName"], one["BackupType"]) for one in found]


def test_a_table_with_recovery_leaves_a_backup_for_35_days(account: Account) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BackupDetails.html"""
    left = [("kept$DeletedTableBackup", "SYSTEM")]
    assert listed(account, BackupType="ALL") == left
    assert listed(account, BackupType="SYSTEM", TableName="kept") == left
    assert listed(account, BackupType="ALL", TableName="plain") == []
    account.clock.run_for(35 * DAY_MS)
    assert listed(account, BackupType="ALL") == []


def test_without_a_type_only_backups_that_somebody_made_are_listed(account: Account) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListBackups.html"""
    assert listed(account) == []
