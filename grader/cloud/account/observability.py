"""PutMetricData and CloudWatch Logs.

Metric data goes into the grader's own `Metrics`, with everything CloudWatch keeps apart (namespace,
name, dimensions, unit) kept apart; moto mixes units and dimensions, and takes data that CloudWatch
refuses. Logs are moto's.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from moto.core.exceptions import _RESTError

from grader.cloud.aws import Refused, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.cloudwatch import emf
from grader.cloud.metrics import Metrics
from grader.cloud.moto_world import World, moto_method


class MetricDoor:
    """PutMetricData, recorded where alarms and criteria read."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        # Requests of which nothing was recorded, as sentences.
        self.refused: list[str] = []

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Check the whole request, then record all of it. ServiceError as CloudWatch's."""
        try:
            points = emf.validate_put_metric_data(params, now_ms=self._clock.now)
        except Refused as refused:
            self.refused.append(f"{refused.code}: {refused.message}")
            raise ServiceError(refused.code, refused.message) from None
        emf.record(points, self._metrics, self._clock.now)
        return {}


class Logs:
    """CloudWatch Logs: moto's log groups on virtual time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.groups: list[str] = []

    @cached_property
    def _handler(self) -> Any:
        """What makes moto's answers from this account; made once, for each line is a call."""
        from moto.logs.responses import LogsResponse

        backend = self._world.backend("logs")

        class Handler(LogsResponse):  # type: ignore[misc]
            logs_backend = backend

        return Handler

    def create(self, group: str, retention_days: int | None) -> None:
        """Create a log group."""
        self.answer("CreateLogGroup", {"logGroupName": group})
        if retention_days is not None:
            with self._world.entered():
                self._world.backend("logs").put_retention_policy(group, retention_days)

    def events(self, group: str) -> list[tuple[int, str]]:
        """What PutLogEvents put into a group: (time in ms, message), ordered by time."""
        return [(time_ms, message) for time_ms, _, message in self.lines(group)]

    def streams(self, group: str) -> list[str]:
        """The names of a group's streams."""
        return list(self._world.backend("logs").groups[group].streams)

    def lines(self, group: str) -> list[tuple[int, str, str]]:
        """Every line of a group: (time in ms, its stream, message), ordered by time."""
        return [line[:3] for line in self.numbered(group)]

    def numbered(self, group: str) -> list[tuple[int, str, str, int]]:
        """As `lines`, each with a number that it keeps, whatever else comes or is forgotten."""
        streams = self._world.backend("logs").groups[group].streams
        found = [
            (event.timestamp, name, event.message, event.event_id)
            for name, one in streams.items()
            for event in one.events
        ]
        return sorted(found, key=lambda line: (line[0], line[3]))

    def forget(self, most: int) -> None:
        """Keep about the last ``most`` lines of each group."""
        for group in self._world.backend("logs").groups.values():
            streams = list(group.streams.values())
            times = [event.timestamp for one in streams for event in one.events]
            if len(times) > most:
                since = sorted(times)[-most]
                for one in streams:
                    one.events = [event for event in one.events if event.timestamp >= since]

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one API call. ServiceError as CloudWatch Logs'."""
        handler = self._handler()
        handler.body = json.dumps(params)
        handler.querystring = {}
        handler.uri_match = {}
        handler.current_account = self._world.account_id
        handler.region = self._world.region
        with self._world.entered():
            try:
                text = getattr(handler, moto_method(operation))()
            except _RESTError as error:
                raise ServiceError(
                    str(error.error_type), str(error.message), int(error.code or 400)
                ) from None
        if operation == "CreateLogGroup":
            self.groups.append(str(params["logGroupName"]))
        return json.loads(text) if text else {}
