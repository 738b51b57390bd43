"""What point-in-time recovery keeps of a table, while it is there and after its deletion.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

KEPT_DAYS = 35
_DAY_MS = 86_400_000


def switch(described: dict[str, Any], on: bool, now_ms: int) -> None:
    """Switch recovery on or off in a table's ContinuousBackupsDescription."""
    since = datetime.fromtimestamp(now_ms / 1000, UTC)
    described["PointInTimeRecoveryDescription"] = {"PointInTimeRecoveryStatus": "DISABLED"}
    if on:
        described["PointInTimeRecoveryDescription"] = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "EarliestRestorableDateTime": since,
            "LatestRestorableDateTime": since,
            "RecoveryPeriodInDays": KEPT_DAYS,
        }


def is_on(described: dict[str, Any]) -> bool:
    """Whether a table's ContinuousBackupsDescription says that it can be recovered."""
    return bool(
        described["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    )


class Backups:
    """The backups of deleted tables: nobody asked for them, and nobody can delete them."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, dict[str, Any]]] = []

    def keep(self, name: str, arn: str, now_ms: int) -> None:
        """A table that had recovery is deleted: DynamoDB makes a backup of the type SYSTEM.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BackupDetails.html
        """
        until_ms = now_ms + KEPT_DAYS * _DAY_MS
        summary = {
            "TableName": name,
            "TableArn": arn,
            "BackupArn": f"{arn}/backup/{now_ms:014d}-{len(self._kept):08x}",
            "BackupName": f"{name}$DeletedTableBackup",
            "BackupStatus": "AVAILABLE",
            "BackupType": "SYSTEM",
            "BackupCreationDateTime": now_ms / 1000,
            "BackupExpiryDateTime": until_ms / 1000,
        }
        self._kept.append((until_ms, summary))

    def listed(self, params: dict[str, Any], now_ms: int) -> dict[str, Any]:
        """ListBackups: without BackupType those that somebody made, of which there are none here.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListBackups.html
        """
        name = params.get("TableName")
        shown = params.get("BackupType", "USER") in ("SYSTEM", "ALL")
        return {
            "BackupSummaries": [
                one
                for until_ms, one in self._kept
                if shown and now_ms < until_ms and name in (None, one["TableName"], one["TableArn"])
            ]
        }
