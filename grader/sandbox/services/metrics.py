"""CloudWatch: metrics in and out, alarms with their history, dashboards.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from grader.cloud.aws import Request, ServiceError
from grader.cloud.cloudwatch import (
    MOST_POINTS,
    MetricAlarm,
    Window,
    listed,
    metric_data,
    read_statistics,
)
from grader.cloud.cloudwatch import periods as read_periods
from grader.cloud.metrics import dimensions
from grader.sandbox.world import World, answers, arn

PAGE_METRICS = 500


def _moment(value: Any, name: str) -> int:
    """A time of a request in milliseconds: a number of seconds, or ISO 8601."""
    try:
        if isinstance(value, (int, float)):
            return round(value * 1000)
        return round(datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        raise ServiceError("InvalidParameterValue", f"The parameter {name} is no time.") from None


def _dims(params: dict[str, Any]) -> dict[str, str]:
    return {one["Name"]: one.get("Value") for one in params.get("Dimensions") or ()}


@answers("cloudwatch", "PutMetricData")
def _put(world: World, request: Request) -> dict[str, Any]:
    return world.cloud.account.call("cloudwatch", "PutMetricData", **request.params)


@answers("cloudwatch", "GetMetricStatistics")
def _statistics(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    metric = (params["Namespace"], params["MetricName"], dimensions(_dims(params)))
    start_ms, end_ms = (_moment(params[name], name) for name in ("StartTime", "EndTime"))
    window = Window.of(start_ms, end_ms, int(params["Period"]))
    if len(window.starts_ms) > MOST_POINTS:
        raise ServiceError(
            "InvalidParameterCombination",
            f"You have requested up to {len(window.starts_ms)} datapoints, which exceeds the limit "
            f"of {MOST_POINTS}.",
        )
    names = [*(params.get("Statistics") or ()), *(params.get("ExtendedStatistics") or ())]
    statistics = read_statistics(names)
    world.cloud.mappings.flush()
    found, unit = read_periods(world.cloud.metrics, metric, window, world.now, params.get("Unit"))
    if not found:
        world.explain_empty(f"the metric {metric[1]}", start_ms, end_ms)
    points = []
    for at, samples in found.items():
        point: dict[str, Any] = {"Timestamp": at / 1000, "Unit": unit}
        extended: dict[str, float] = {}
        for one in statistics:
            value = one.of(samples)
            if value is None:
                continue
            if one.text in (params.get("ExtendedStatistics") or ()):
                extended[one.text] = value
            else:
                point[one.text] = value
        if extended:
            point["ExtendedStatistics"] = extended
        points.append(point)
    return {"Label": metric[1], "Datapoints": points}


@answers(
    "cloudwatch",
    "GetMetricData",
    note="Metrics and metric math in one period, at most 500; SEARCH and SELECT are refused.",
)
def _data(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    start_ms, end_ms = (_moment(params[name], name) for name in ("StartTime", "EndTime"))
    world.cloud.mappings.flush()
    results = metric_data(
        params["MetricDataQueries"], world.cloud.metrics, start_ms, end_ms, world.now
    )
    if not any(one["Values"] for one in results):
        world.explain_empty("the metrics", start_ms, end_ms)
    if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        for one in results:
            one["Timestamps"].reverse()
            one["Values"].reverse()
    return {"MetricDataResults": results, "Messages": []}


@answers("cloudwatch", "ListMetrics")
def _list(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    world.cloud.mappings.flush()
    found = listed(
        world.cloud.metrics,
        params.get("Namespace"),
        params.get("MetricName"),
        list(_dims(params).items()),
    )
    first = int(params.get("NextToken") or 0)
    answer: dict[str, Any] = {
        "Metrics": [
            {
                "Namespace": key.namespace,
                "MetricName": key.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in key.dimensions],
            }
            for key in found[first : first + PAGE_METRICS]
        ]
    }
    if first + PAGE_METRICS < len(found):
        answer["NextToken"] = str(first + PAGE_METRICS)
    return answer


# -- alarms ------------------------------------------------------------------------------------


@answers("cloudwatch", "DescribeAlarms")
def _describe_alarms(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    world.alarms.look()
    prefix, names = params.get("AlarmNamePrefix", ""), params.get("AlarmNames")
    # Asked for neither kind, AWS answers with metric alarms alone, whatever their names.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    state, types = params.get("StateValue"), params.get("AlarmTypes") or ["MetricAlarm"]
    shown: dict[str, list[dict[str, Any]]] = {"MetricAlarms": [], "CompositeAlarms": []}
    for name, (kind, members) in world.alarms.members().items():
        described = {**members, **world.alarms.described(name)}
        group = "MetricAlarms" if kind == "metric" else "CompositeAlarms"
        if (
            name.startswith(prefix)
            and (names is None or name in names)
            and state in (None, described["StateValue"])
            and group.removesuffix("s") in types
        ):
            shown[group].append(described)
    return dict(shown)


@answers("cloudwatch", "DescribeAlarmsForMetric")
def _alarms_for_metric(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    world.alarms.look()
    wanted = (params["Namespace"], params["MetricName"], _dims(params))
    return {
        "MetricAlarms": [
            {**members, **world.alarms.described(name)}
            for name, (kind, members) in world.alarms.members().items()
            if kind == "metric"
            and (members.get("Namespace"), members.get("MetricName"), _dims(members)) == wanted
        ]
    }


@answers("cloudwatch", "DescribeAlarmHistory", note="Changes of state only.")
def _history(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    world.alarms.look()
    names = [params["AlarmName"]] if "AlarmName" in params else None
    if params.get("HistoryItemType") not in (None, "StateUpdate"):
        return {"AlarmHistoryItems": []}
    start = _moment(params["StartDate"], "StartDate") if "StartDate" in params else 0
    end = _moment(params["EndDate"], "EndDate") if "EndDate" in params else 1 << 62
    items = [
        one for one in world.alarms.history_items(names) if start <= one["Timestamp"] * 1000 <= end
    ]
    if params.get("ScanBy") == "TimestampAscending":
        items.reverse()
    limit = int(params.get("MaxRecords") or 100)
    first = int(params.get("NextToken") or 0)
    answer: dict[str, Any] = {"AlarmHistoryItems": items[first : first + limit]}
    if first + limit < len(items):
        answer["NextToken"] = str(first + limit)
    return answer


@answers("cloudwatch", "PutMetricAlarm")
def _put_alarm(world: World, request: Request) -> dict[str, Any]:
    params = dict(request.params)
    MetricAlarm.parse(params, name=params["AlarmName"], region=world.cloud.account.region)
    world.alarms.look()
    world.cloud.alarms[params["AlarmName"]] = params
    world.alarms.look()
    return {}


@answers("cloudwatch", "DeleteAlarms", note="Alarms made by hand; a stack's go with the stack.")
def _delete_alarms(world: World, request: Request) -> dict[str, Any]:
    names = request.params["AlarmNames"]
    known = world.alarms.members()
    for name in names:
        if name not in known:
            raise ServiceError("ResourceNotFound", f"There is no alarm {name}.", 404)
        if name not in world.cloud.alarms:
            raise ServiceError(
                "NotImplemented",
                f"{name} belongs to a stack: take it out of the template and deploy that.",
                501,
            )
    world.alarms.look()
    for name in names:
        del world.cloud.alarms[name]
    return {}


@answers("cloudwatch", "SetAlarmState")
def _set_state(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    world.alarms.set_state(params["AlarmName"], params["StateValue"], params["StateReason"])
    return {}


# -- dashboards --------------------------------------------------------------------------------


def _dashboards(world: World) -> dict[str, str]:
    return {
        one.physical_id: str(one.properties.get("DashboardBody", ""))
        for known in world.cloud.stacks.values()
        for one in known.stack.of_type("AWS::CloudWatch::Dashboard")
    }


@answers("cloudwatch", "ListDashboards")
def _list_dashboards(world: World, request: Request) -> dict[str, Any]:
    prefix = request.params.get("DashboardNamePrefix", "")
    return {
        "DashboardEntries": [
            {"DashboardName": name, "DashboardArn": _dashboard_arn(name), "Size": len(body)}
            for name, body in _dashboards(world).items()
            if name.startswith(prefix)
        ]
    }


@answers("cloudwatch", "GetDashboard")
def _get_dashboard(world: World, request: Request) -> dict[str, Any]:
    name = request.params["DashboardName"]
    body = _dashboards(world).get(name)
    if body is None:
        raise ServiceError("ResourceNotFound", f"Dashboard {name} does not exist", 404)
    if not isinstance(body, str):
        body = json.dumps(body)
    return {
        "DashboardName": name,
        "DashboardArn": _dashboard_arn(name),
        "DashboardBody": body,
    }


def _dashboard_arn(name: str) -> str:
    return arn("cloudwatch", f"dashboard/{name}").replace(":us-east-1:", "::")
