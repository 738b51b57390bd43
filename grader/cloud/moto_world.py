"""moto's in-memory services, one set for each emulated account, without moto's mocking.

``mock_aws`` patches boto3 for the whole process and keeps one state for everybody. Nothing of that
is needed here: the account's door answers every request itself and asks moto's response classes
directly, which is also twenty times faster than moto's own way from an HTTP request to an answer.

What is done about moto 5.2.5 in general (single services have their own modules):

- a backend is made for this account and Region only; moto's own look-up lists every Region that
  boto3 knows, which costs 0.1 s a service;
- each account has its own random state and its own backends, swapped in on entry, so that accounts
  can live side by side and generated ids depend on the seed alone;
- moto's clock is set to virtual time while moto runs, and only then.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import Any, cast

import time_machine
from moto.core.base_backend import AccountSpecificBackend
from moto.core.model_instances import model_data
from moto.moto_api._internal import mock_random

from grader.cloud.clock import Clock

# moto's service name, module and the name of its table of backends.
_BACKENDS = {
    "sqs": ("moto.sqs.models", "sqs_backends"),
    "s3": ("moto.s3.models", "s3_backends"),
    "logs": ("moto.logs.models", "logs_backends"),
}


_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])")


def moto_method(operation: str) -> str:
    """The name of moto's method for an operation: ``put_item`` for ``PutItem``."""
    return _BOUNDARY.sub("_", operation).lower()


class World:
    """moto's state for one account in one Region."""

    _entered: World | None = None

    def __init__(self, clock: Clock, account_id: str, region: str, seed: int) -> None:
        self.clock = clock
        self.account_id = account_id
        self.region = region
        self._tables: dict[str, tuple[Any, AccountSpecificBackend]] = {}
        self._bucket_accounts: dict[str, tuple[str, str]] = {}
        outside = mock_random.getstate()
        mock_random.seed(seed)
        self._random = mock_random.getstate()
        mock_random.setstate(outside)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """moto sees this account's state, ids and virtual time inside the block."""
        self._install()
        now = datetime.fromtimestamp(self.clock.now / 1000, UTC)
        with time_machine.travel(now, tick=False):
            yield

    def backend(self, service: str) -> Any:
        """moto's backend of ``sqs``, ``s3`` or ``logs`` for this account; imported on first use."""
        self._install()
        if service not in self._tables:
            module, name = _BACKENDS[service]
            table = getattr(import_module(module), name)
            place = "aws" if service == "s3" else self.region
            regional = AccountSpecificBackend(
                service_name=service,
                account_id=self.account_id,
                backend=table.backend,
                use_boto3_regions=False,
                additional_regions=[place],
            )
            self._tables[service] = (table, regional)
            _forget_models()
            self._put(service)
        table, regional = self._tables[service]
        return regional["aws" if service == "s3" else self.region]

    def own_bucket(self, name: str) -> None:
        """Register a bucket name as this account's."""
        self._bucket_accounts[name] = ("aws", self.account_id)

    def uuid(self) -> str:
        """A generated id that depends on the seed and on the calls before it only."""
        self._install()
        return str(mock_random.uuid4())

    def close(self) -> None:
        """Forget everything: close what moto keeps open, and leave moto's tables empty."""
        if "s3" in self._tables:
            self._install()
            self.backend("s3").reset()
        if World._entered is self:
            for table, _ in self._tables.values():
                table.pop(self.account_id, None)
            World._entered = None
        self._tables.clear()

    def _install(self) -> None:
        other = World._entered
        if other is self:
            return
        if other is not None:
            other._random = mock_random.getstate()
            for table, _ in other._tables.values():
                table.pop(other.account_id, None)
        World._entered = self
        mock_random.setstate(self._random)
        for service in self._tables:
            self._put(service)

    def _put(self, service: str) -> None:
        table, regional = self._tables[service]
        dict.__setitem__(table, self.account_id, regional)
        if service == "s3":
            table.bucket_accounts = self._bucket_accounts


def _forget_models() -> None:
    """Let moto keep no list of everything it has ever made, such as each line of a log.

    It has these lists to reset itself; here a world ends with its backends.
    """
    for models in model_data.values():
        for model in models.values():
            cast("Any", model).instances_tracked = deque(maxlen=0)


def published_policy(name: str) -> Any:
    """The document of one of AWS's managed policies by its name, as moto keeps it, or None."""
    return _policies().get(name, {}).get("Document")


@cache
def _policies() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    found: dict[str, Any] = json.loads(aws_managed_policies_data)
    return found
