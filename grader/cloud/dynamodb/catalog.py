"""The definitions of an account's tables: moto 5.2.5 keeps them, checked before it sees them.

Items are not here (`store`), and nothing that a function sends of items reaches moto's parsers.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import moto.dynamodb.responses as responses
from moto.core.exceptions import _RESTError
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_to_dict

from grader.cloud.aws import ServiceError
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.backups import Backups, is_on, switch
from grader.cloud.dynamodb.definitions import (
    check_change,
    check_creation,
    check_tags,
    check_ttl,
    definitions_of,
    tagged_table,
)
from grader.cloud.dynamodb.description import complete, deleted
from grader.cloud.dynamodb.requests import Params, invalid, table_name
from grader.cloud.dynamodb.store import Schema, Store
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.moto_world import moto_method

# "Any additional UpdateTimeToLive calls for the same table during this one hour duration result in
# a ValidationException": https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
TTL_CHANGE_MS = 3_600_000


class _Backend(DynamoDBBackend):  # type: ignore[misc]
    """moto's backend; the streams of its tables stay off."""

    def create_table(self, name: str, **options: Any) -> Table:
        """As moto's, without a stream."""
        return super().create_table(name, **{**options, "streams": None})


class _Handler(responses.DynamoHandler):  # type: ignore[misc]
    """moto's response class on our backend, fed with parameters instead of a request."""

    def __init__(self, backend: _Backend, params: dict[str, Any]) -> None:
        super().__init__()
        self.body = self.params = params
        self._backend = backend

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return self._backend


class Catalog:
    """Every table's definition, and what is kept of deleted tables."""

    def __init__(self, clock: Clock, account_id: str, region: str, breakdowns: list[str]) -> None:
        self._clock = clock
        self._backend = _Backend(region, account_id)
        self._breakdowns = breakdowns
        self._on_demand_ms: dict[str, int] = {}
        # When a table's TTL was switched last.
        self._ttl_ms: dict[str, int] = {}
        self.backups = Backups()

    @property
    def tables(self) -> dict[str, Table]:
        """moto's tables by name, in the order of their creation."""
        return self._backend.tables

    def name_of(self, table: str) -> str:
        """A table's name, from its name or ARN. KeyError when there is no such table."""
        name = table.rpartition("/")[2] if table.startswith("arn:") else table
        if name not in self.tables:
            raise KeyError(table)
        return name

    def found(self, table: str, *, named: bool = False) -> str:
        """As `name_of`, with AWS's error: calls about definitions have the table ``named``."""
        try:
            return self.name_of(table)
        except KeyError:
            which = f": Table: {table} not found" if named else ""
            raise ServiceError(
                "ResourceNotFoundException", f"Requested resource not found{which}"
            ) from None

    def on_demand(self, name: str) -> bool:
        """Whether a table is billed (and throttled) on demand."""
        return bool(self.tables[name].billing_mode == "PAY_PER_REQUEST")

    def schema(self, name: str) -> Schema:
        """What reads and writes depend on."""
        return Schema.described(self._plain(name))

    def _plain(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = self.tables[name].describe(base_key="Table")["Table"]
        return told

    def described(self, store: Store, stream: Stream | None) -> dict[str, Any]:
        """DescribeTable's answer."""
        name = store.schema.name
        answer = self._ask("DescribeTable", {"TableName": name})
        complete(answer["Table"], store, stream, self._on_demand_ms.get(name))
        return answer

    # -- changes -----------------------------------------------------------------------------

    def create(self, params: dict[str, Any], ttl_attribute: str | None, pitr: bool) -> None:
        """Create a table from CreateTable's parameters. ServiceError when they are refused."""
        check_creation(params)
        table_name(params)
        self._ask("CreateTable", copy.deepcopy(params))
        table = self.tables[params["TableName"]]
        table.created_at = datetime.fromtimestamp(self._clock.now / 1000, UTC)
        if ttl_attribute is not None:
            table.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": ttl_attribute}
            self._ttl_ms[table.name] = self._clock.now
        self.recover(table.name, pitr)
        self._note_billing(table.name, False)

    def recover(self, name: str, on: bool) -> None:
        """Switch a table's point-in-time recovery on or off."""
        switch(self.tables[name].continuous_backups, on, self._clock.now)

    def delete(self, params: Params, store: Store) -> dict[str, Any]:
        """DeleteTable, with its answer. ServiceError when the table is protected."""
        name = store.schema.name
        answer = deleted(self.described(store, None)["Table"])
        table = self.tables[name]
        self._ask("DeleteTable", {**params, "TableName": name})
        if is_on(table.continuous_backups):
            self.backups.keep(name, table.table_arn, self._clock.now)
        self._on_demand_ms.pop(name, None)
        self._ttl_ms.pop(name, None)
        return answer

    def change(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Any other call about a definition, checked."""
        checked = _CHECKED.get(operation)
        return self._ask(operation, params) if checked is None else checked(self, params)

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        name = self.found(table_name(params), named=True)
        table, on_demand = self.tables[name], self.on_demand(name)
        check_change(params, self._plain(name))
        given = params.get("AttributeDefinitions")
        rest = {key: value for key, value in params.items() if key != "AttributeDefinitions"}
        self._ask("UpdateTable", {**rest, "TableName": name})
        table.attr = definitions_of(self._plain(name), given)
        if self.on_demand(name):
            table.throughput = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        table.throughput.setdefault("NumberOfDecreasesToday", 0)
        self._note_billing(name, on_demand)
        return {"TableDescription": self._plain(name)}

    def _note_billing(self, name: str, before: bool) -> None:
        if self.on_demand(name) and not before:
            self._on_demand_ms[name] = self._clock.now

    def _switch_ttl(self, params: dict[str, Any]) -> dict[str, Any]:
        name, specification = (
            self.found(table_name(params), named=True),
            params["TimeToLiveSpecification"],
        )
        last = self._ttl_ms.get(name)
        too_soon = last is not None and self._clock.now - last < TTL_CHANGE_MS
        check_ttl(specification, self.tables[name].ttl, too_soon=too_soon)
        self._ttl_ms[name] = self._clock.now
        answer = self._ask("UpdateTimeToLive", {**params, "TableName": name})
        if not specification["Enabled"]:
            self.tables[name].ttl = {"TimeToLiveStatus": "DISABLED"}
        return answer

    def _tag(self, params: dict[str, Any]) -> dict[str, Any]:
        table = self._tagged(params)
        check_tags(params["Tags"], table.tags)
        tags = {tag["Key"]: tag["Value"] for tag in (*table.tags, *params["Tags"])}
        table.tags = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {}

    def _untag(self, params: dict[str, Any]) -> dict[str, Any]:
        if not params["TagKeys"]:
            raise invalid("One or more parameter values were invalid: No TagKeys are given")
        self._tagged(params)
        return self._ask("UntagResource", params)

    def _list_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        """All tags on one page: a table has at most 50."""
        return {"Tags": list(self._tagged(params).tags)}

    def _tagged(self, params: Params) -> Table:
        arn = params["ResourceArn"]
        table = self.tables.get(tagged_table(arn))
        if arn.split(":")[3:5] != [self._backend.region_name, self._backend.account_id]:
            raise ServiceError(
                "AccessDeniedException",
                f"User is not authorized to access tags on the resource: {arn}",
            )
        if table is None or table.table_arn != arn:
            raise ServiceError(
                "ResourceNotFoundException",
                f"Requested resource not found: ResourcArn: {arn} not found",
            )
        return table

    def _ask(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """moto's answer to one call about definitions."""
        handler = _Handler(self._backend, params)
        method = getattr(handler, moto_method(operation))
        try:
            return dynamo_to_dict(method().result) or {}
        except _RESTError as error:
            code = str(error.error_type).rpartition("#")[2].removesuffix("Exception") + "Exception"
            raise ServiceError(code, str(error.message), int(error.code or 400)) from None
        except Exception as error:
            # moto answers some malformed calls with a Python exception of its own.
            self._breakdowns.append(f"{operation}: {type(error).__name__}: {error}")
            raise invalid(f"The request could not be carried out: {error}") from error


_CHECKED = {
    "UpdateTable": Catalog._update,
    "UpdateTimeToLive": Catalog._switch_ttl,
    "TagResource": Catalog._tag,
    "UntagResource": Catalog._untag,
    "ListTagsOfResource": Catalog._list_tags,
}
