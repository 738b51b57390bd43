"""A mock endpoint of AWS on loopback, for the commands that the pages of the course show.

`aws` is sent here by AWS_ENDPOINT_URL. CloudFormation, Lambda's mappings, metrics and alarms are
answered from the course's own template, emulator and alarms; tables, streams, queues, topics and
logs from its account; S3 and Budgets from moto. A call that nothing here answers is an error that
names it.

Every request takes `TYPING_MS` of virtual time, as if somebody had typed the command.
``POST /virtual-time?seconds=60`` lets more of it pass: what `sleep` does in a page.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from grader.cloud.account import deploy
from grader.cloud.aws import Call, Refused, Reply, Request, ServiceError
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import CompositeAlarm, MetricAlarm, evaluate, parse_statistic
from grader.cloud.door import Entries, answered, failed, read
from grader.cloud.mapping.ports import Result
from grader.cloud.metrics import dimensions
from grader.cloud.running import Cloud, Deployed

TYPING_MS = 2_000
ACCOUNT, REGION = "123456789012", "us-east-1"
# The service's name in a signature, where it is not the one that the door uses.
_SIGNED = {"monitoring": "cloudwatch"}
# The name that the door looks for in a host.
_HOSTS = {
    "cloudwatch": "monitoring",
    "dynamodbstreams": "streams.dynamodb",
}
_SCOPE = re.compile(r"Credential=[^/]+/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


class Endpoint:
    """The endpoint at ``url``, in front of ``cloud``. Close it, or use it in a `with`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        # Every call so far, as service:Operation; and those that nothing answered.
        self.calls: list[str] = []
        self.unanswered: list[str] = []
        self._change_sets: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving. The cloud stays as it is."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # -- one request -------------------------------------------------------------------------

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer to one HTTP request; one at a time."""
        with self._lock:
            if path.startswith("/virtual-time"):
                seconds = dict(parse_qsl(urlsplit(path).query))["seconds"]
                self.cloud.run_for(round(float(seconds) * 1000))
                return Reply(200, {}, b"")
            self.cloud.run_for(TYPING_MS)
            return self._answer(method, path, headers, body)

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        scope = _SCOPE.search(headers.get("authorization", ""))
        if scope is None:
            return Reply(403, {}, b"An unsigned request.")
        signed, region = scope["service"], scope["region"]
        target = headers.get("x-amz-target", "")
        service = "dynamodbstreams" if target.startswith("DynamoDBStreams") else signed
        service = _SIGNED.get(service, service)
        host = f"{_HOSTS.get(service, service)}.{region}.amazonaws.com"
        call = Call(0, 0, 0, self.cloud.clock.now, method, f"https://{host}{path}", headers, body)
        request = read(call)
        request.service = service
        self.calls.append(f"{service}:{request.operation}")
        number = f"{len(self.calls):08x}-0000-4000-8000-000000000000"
        try:
            if request.problem is not None:
                raise request.problem
            if service == "s3":
                return self._s3(request)
            if service == "budgets":
                return _moto_budgets(request)
            if request.operation.endswith("/invocations"):
                return self._invoke(request)
            return answered(request, _plain_xml(request, self._result(request)), number)
        except ServiceError as error:
            return failed(request, error, number)
        except Refused as refused:
            status = 404 if refused.code == "ResourceNotFoundException" else 400
            return failed(request, ServiceError(refused.code, refused.message, status), number)

    def _result(self, request: Request) -> dict[str, Any]:
        service, operation, params = request.service, request.operation, request.params
        if request.protocol == "rest-json":
            return self._lambda(request)
        own = _OWN.get(f"{service}:{operation}")
        if own is not None:
            return own(self, params)
        account = self.cloud.account
        if service == "dynamodb" and operation == "ListTables":
            return {"TableNames": account.tables.names()}
        if service in ("dynamodb", "dynamodbstreams", "sqs", "sns", "logs"):
            try:
                return account.call(service, operation, **params)
            except (AttributeError, KeyError):
                pass
        if service == "cloudwatch" and operation == "PutMetricData":
            return account.call(service, operation, **params)
        self.unanswered.append(f"{service}:{operation}")
        raise ServiceError("NotImplemented", f"{service}:{operation} is not answered here.", 501)

    # -- CloudFormation ----------------------------------------------------------------------

    def _stack(self, name: str) -> Deployed:
        """A stack by name; a deleted one by its id only."""
        for known in self.cloud.stacks.values():
            if name in (known.stack.name, _stack_id(known)):
                return known
        for gone in self.cloud.gone.values():
            if name == _stack_id(gone):
                return gone
        # The sentence that `aws cloudformation deploy` looks for.
        raise ServiceError("ValidationError", f"Stack with id {name} does not exist")

    def _describe_stacks(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params.get("StackName")
        found = [self._stack(name)] if name else list(self.cloud.stacks.values())
        return {"Stacks": [_described(one) for one in found]}

    def _list_stacks(self, params: dict[str, Any]) -> dict[str, Any]:
        every = [*self.cloud.stacks.values(), *self.cloud.gone.values()]
        wanted = params.get("StackStatusFilter")
        return {
            "StackSummaries": [
                {
                    "StackId": _stack_id(one),
                    "StackName": one.stack.name,
                    "CreationTime": _iso(one.created_ms),
                    "StackStatus": one.status,
                }
                for one in every
                if not wanted or one.status in wanted
            ]
        }

    def _template_summary(self, params: dict[str, Any]) -> dict[str, Any]:
        known = self._stack(params["StackName"])
        return {"Parameters": [{"ParameterKey": name} for name in known.stack.parameters]}

    def _create_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["StackName"]
        exists = name in self.cloud.stacks
        if exists != (params.get("ChangeSetType") == "UPDATE"):
            raise ServiceError("ValidationError", f"Stack {name}: a change set of the wrong type.")
        body = params.get("TemplateBody") or self._template_at(params["TemplateURL"])
        old = self.cloud.stacks.get(name)
        given: dict[str, str] = {}
        for one in params.get("Parameters") or ():
            key = one["ParameterKey"]
            if one.get("UsePreviousValue") == "true":
                given[key] = str(old.stack.parameters[key]) if old else ""
            else:
                given[key] = one["ParameterValue"]
        try:
            stack = self.cloud.resolve(name, body, given)
        except Refused as problem:
            raise ServiceError("ValidationError", f"Template error: {problem}") from None
        needed = _capability(stack)
        if needed is not None and not needed & set(params.get("Capabilities") or ()):
            raise ServiceError(
                "InsufficientCapabilitiesException",
                f"Requires capabilities : [{sorted(needed)[0]}]",
            )
        place = f"changeSet/{params['ChangeSetName']}"
        arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:{place}"
        same = old is not None and old.stack.resources == stack.resources
        self._change_sets[arn] = {"stack": stack, "body": body, "same": same}
        return {"Id": arn, "StackId": _arn_of(name, self.cloud.clock.now)}

    def _template_at(self, url: str) -> str:
        bucket, _, key = urlsplit(url).path.lstrip("/").partition("/")
        return self.cloud.account.objects(bucket)[unquote(key)].decode()

    def _describe_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        change = self._change_sets[params["ChangeSetName"]]
        answer = {
            "ChangeSetId": params["ChangeSetName"],
            "StackName": change["stack"].name,
            "Status": "FAILED" if change["same"] else "CREATE_COMPLETE",
            "ExecutionStatus": "UNAVAILABLE" if change["same"] else "AVAILABLE",
        }
        if change["same"]:
            answer["StatusReason"] = (
                "The submitted information didn't contain changes. Submit different information "
                "to create a change set."
            )
        return answer

    def _execute_change_set(self, params: dict[str, Any]) -> dict[str, Any]:
        change = self._change_sets.pop(params["ChangeSetName"])
        try:
            self.cloud.create(change["stack"], change["body"])
        except Refused as problem:
            raise ServiceError("ValidationError", str(problem)) from None
        return {}

    def _delete_stack(self, params: dict[str, Any]) -> dict[str, Any]:
        """Succeeds for a stack that is not there, and shows a failure in the stack's status."""
        if params["StackName"] in self.cloud.stacks:
            with contextlib.suppress(Refused):
                self.cloud.delete(params["StackName"])
        return {}

    def _stack_resources(self, params: dict[str, Any]) -> dict[str, Any]:
        known = self._stack(params["StackName"])
        wanted = params.get("LogicalResourceId")
        found = [
            _resource(known, one)
            for one in known.stack.resources.values()
            if wanted in (None, one.logical_id)
        ]
        if wanted and not found:
            raise ServiceError("ValidationError", f"Resource {wanted} does not exist")
        return {"StackResources": found}

    def _stack_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._stack_resources(params)["StackResources"]
        return {"StackResourceDetail": found[0]}

    def _list_stack_resources(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self._stack_resources({"StackName": params["StackName"]})["StackResources"]
        return {"StackResourceSummaries": found}

    # -- Lambda ------------------------------------------------------------------------------

    def _lambda(self, request: Request) -> dict[str, Any]:
        url = urlsplit(request.url)
        query = dict(parse_qsl(url.query))
        path = [unquote(part) for part in url.path.strip("/").split("/")][1:]
        body = json.loads(request.body or b"{}")
        mappings = self.cloud.mappings
        match request.method, path:
            case "GET", ["event-source-mappings"]:
                return mappings.list(query.get("EventSourceArn"), query.get("FunctionName"))
            case "GET", ["event-source-mappings", uuid]:
                return mappings.get(uuid)
            case "PUT", ["event-source-mappings", uuid]:
                return mappings.update(uuid, body)
            case "DELETE", ["event-source-mappings", uuid]:
                return mappings.delete(uuid)
            case "GET", ["functions"]:
                return {"Functions": [self._configuration(name) for name in self.cloud.functions]}
            case "GET", ["functions", name, "configuration"]:
                return self._configuration(name)
            case "GET", ["functions", name, "concurrency"]:
                self._configuration(name)
                reserved = self.cloud.concurrency.reserved(name)
                return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
            case "PUT", ["functions", name, "concurrency"]:
                self._configuration(name)
                self.cloud.concurrency.reserve(name, body["ReservedConcurrentExecutions"])
                return dict(body)
            case "DELETE", ["functions", name, "concurrency"]:
                self._configuration(name)
                self.cloud.concurrency.release_reservation(name)
                return {}
            case "GET", ["account-settings"]:
                limit = self.cloud.concurrency.account_limit
                free = limit - self.cloud.concurrency.claimed()
                return {
                    "AccountLimit": {
                        "ConcurrentExecutions": limit,
                        "UnreservedConcurrentExecutions": free,
                    }
                }
        self.unanswered.append(request.operation)
        raise ServiceError("NotImplemented", f"{request.operation} is not answered here.", 501)

    def _invoke(self, request: Request) -> Reply:
        """A synchronous invocation; time runs until it has ended.

        https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
        """
        name = unquote(urlsplit(request.url).path.split("/")[3])
        self._configuration(name)
        ended: list[Result] = []
        self.cloud.functions[name].invoke(json.loads(request.body), ended.append)
        while not ended:
            self.cloud.clock.step()
        (result,) = ended
        if result.kind == "returned":
            return Reply(200, {}, json.dumps(result.payload).encode())
        error = {"errorType": result.error_type, "errorMessage": result.error_message}
        return Reply(200, {"X-Amz-Function-Error": "Unhandled"}, json.dumps(error).encode())

    def _configuration(self, name: str) -> dict[str, Any]:
        host = self.cloud.functions.get(name.rpartition(":")[2])
        if host is None:
            raise ServiceError(
                "ResourceNotFoundException",
                f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
                404,
            )
        spec = host.spec
        return {
            "FunctionName": spec.name,
            "FunctionArn": spec.arn,
            "Runtime": spec.runtime,
            "Role": spec.role,
            "Handler": spec.handler,
            "MemorySize": spec.memory_mb,
            "Timeout": spec.timeout_ms // 1000,
            "Environment": {"Variables": dict(spec.environment)},
            "LoggingConfig": {"LogFormat": spec.log_format, "LogGroup": spec.log_group},
            "State": "Active",
            "LastUpdateStatus": "Successful",
        }

    # -- metrics and alarms ------------------------------------------------------------------

    def _alarms(self) -> dict[str, dict[str, Any]]:
        """Every metric alarm: name to the members that it was made with."""
        found = {
            one.physical_id: one.properties
            for known in self.cloud.stacks.values()
            for one in known.stack.of_type("AWS::CloudWatch::Alarm")
        }
        return {**found, **self.cloud.alarms}

    def _describe_alarms(self, params: dict[str, Any]) -> dict[str, Any]:
        members = self._alarms()
        alarms = [MetricAlarm.parse(one, name=name) for name, one in members.items()]
        composite = [
            CompositeAlarm.parse(one.properties, name=one.physical_id)
            for known in self.cloud.stacks.values()
            for one in known.stack.of_type("AWS::CloudWatch::CompositeAlarm")
        ]
        now = self.cloud.clock.now
        changes = evaluate([*alarms, *composite], self.cloud.metrics, START_MS, now)
        states = {change.alarm: change for change in changes}
        prefix = params.get("AlarmNamePrefix", "")
        names = params.get("AlarmNames")

        def described(name: str) -> dict[str, Any]:
            change = states.get(name)
            return {
                "AlarmName": name,
                "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
                "StateValue": change.new if change else "INSUFFICIENT_DATA",
                "StateReason": change.reason if change else "Unchecked: Initial alarm creation",
                "StateUpdatedTimestamp": (change.time_ms if change else START_MS) / 1000,
            }

        def wanted(name: str) -> bool:
            state = params.get("StateValue")
            return (
                name.startswith(prefix)
                and (names is None or name in names)
                and (state is None or described(name)["StateValue"] == state)
            )

        # Asked for neither, AWS answers with metric alarms alone.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        kinds = params.get("AlarmTypes") or ["MetricAlarm"]
        answers = {
            "MetricAlarm": [
                {**one, **described(name)} for name, one in members.items() if wanted(name)
            ],
            "CompositeAlarm": [described(one.name) for one in composite if wanted(one.name)],
        }
        return {f"{kind}s": found if kind in kinds else [] for kind, found in answers.items()}

    def _put_metric_alarm(self, params: dict[str, Any]) -> dict[str, Any]:
        MetricAlarm.parse(params, name=params["AlarmName"], region=REGION)
        self.cloud.alarms[params["AlarmName"]] = params
        return {}

    def _delete_alarms(self, params: dict[str, Any]) -> dict[str, Any]:
        for name in params["AlarmNames"]:
            self.cloud.alarms.pop(name, None)
        return {}

    def _statistics(self, params: dict[str, Any]) -> dict[str, Any]:
        where = dimensions({one["Name"]: one["Value"] for one in params.get("Dimensions") or ()})
        # A command reads the machine's clock, the data has virtual times: the window is moved.
        moved_ms = self.cloud.clock.now - round(time.time() * 1000)
        start_ms, end_ms = (_moment(params[name]) + moved_ms for name in ("StartTime", "EndTime"))
        period_ms = int(params["Period"]) * 1000
        start_ms -= start_ms % period_ms
        names = [*(params.get("Statistics") or ()), *(params.get("ExtendedStatistics") or ())]
        slots: dict[int, dict[float, float]] = {}
        for datum in self.cloud.metrics.find(params["Namespace"], params["MetricName"], where):
            if start_ms <= datum.time_ms < end_ms:
                at = datum.time_ms - datum.time_ms % period_ms
                slot = slots.setdefault(at, {})
                slot[datum.value] = slot.get(datum.value, 0) + datum.count
        points = []
        for at, slot in slots.items():
            point: dict[str, Any] = {"Timestamp": at / 1000, "Unit": "None"}
            for name in names:
                statistic = parse_statistic(name)
                assert statistic is not None, name
                point[name] = statistic.of(sorted(slot.items()))
            points.append(point)
        return {"Label": params["MetricName"], "Datapoints": points}

    def _dashboards(self, _params: dict[str, Any]) -> dict[str, Any]:
        return {
            "DashboardEntries": [
                {"DashboardName": one.physical_id}
                for known in self.cloud.stacks.values()
                for one in known.stack.of_type("AWS::CloudWatch::Dashboard")
            ]
        }

    # -- S3, and single calls ----------------------------------------------------------------

    def _s3(self, request: Request) -> Reply:
        buckets = self.cloud.account.buckets
        bucket = str(request.params.get("Bucket", ""))
        if request.operation == "CreateBucket":
            buckets.create(bucket)
            return Reply(200, {"Location": f"/{bucket}"}, b"")
        if request.operation == "DeleteBucket" and bucket in buckets.names:
            if self.cloud.account.objects(bucket):
                raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty")
            self.cloud.account.buckets.delete(bucket)
            return Reply(204, {}, b"")
        return buckets.answer(request)

    def _delete_table(self, params: dict[str, Any]) -> dict[str, Any]:
        return deploy.delete_table(self.cloud.account, params["TableName"])

    def _delete_queue(self, params: dict[str, Any]) -> dict[str, Any]:
        deploy.delete_queue(self.cloud.account, params["QueueUrl"])
        return {}

    def _delete_log_group(self, params: dict[str, Any]) -> dict[str, Any]:
        deploy.delete_log_group(self.cloud.account, params["logGroupName"])
        return {}

    def _subscriptions(self, params: dict[str, Any]) -> dict[str, Any]:
        """An e-mail address that nobody has confirmed shows no ARN.

        https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
        """
        listed = self.cloud.account.call("sns", "ListSubscriptionsByTopic", **params)
        for one in listed["Subscriptions"]:
            if one["Protocol"].startswith("email"):
                one["SubscriptionArn"] = "PendingConfirmation"
        return listed

    def _identity(self, _params: dict[str, Any]) -> dict[str, Any]:
        user = f"arn:aws:iam::{ACCOUNT}:user/learner"
        return {"Arn": user, "UserId": "AIDAEXAMPLE", "Account": ACCOUNT}


_OWN: dict[str, Callable[[Endpoint, dict[str, Any]], dict[str, Any]]] = {
    "cloudformation:DescribeStacks": Endpoint._describe_stacks,
    "cloudformation:ListStacks": Endpoint._list_stacks,
    "cloudformation:GetTemplateSummary": Endpoint._template_summary,
    "cloudformation:CreateChangeSet": Endpoint._create_change_set,
    "cloudformation:DescribeChangeSet": Endpoint._describe_change_set,
    "cloudformation:ExecuteChangeSet": Endpoint._execute_change_set,
    "cloudformation:DeleteStack": Endpoint._delete_stack,
    "cloudformation:DescribeStackResources": Endpoint._stack_resources,
    "cloudformation:DescribeStackResource": Endpoint._stack_resource,
    "cloudformation:ListStackResources": Endpoint._list_stack_resources,
    "cloudwatch:DescribeAlarms": Endpoint._describe_alarms,
    "cloudwatch:PutMetricAlarm": Endpoint._put_metric_alarm,
    "cloudwatch:DeleteAlarms": Endpoint._delete_alarms,
    "cloudwatch:GetMetricStatistics": Endpoint._statistics,
    "cloudwatch:ListDashboards": Endpoint._dashboards,
    "dynamodb:DeleteTable": Endpoint._delete_table,
    "sqs:DeleteQueue": Endpoint._delete_queue,
    "logs:DeleteLogGroup": Endpoint._delete_log_group,
    "sns:ListSubscriptionsByTopic": Endpoint._subscriptions,
    "sts:GetCallerIdentity": Endpoint._identity,
}


class _Handler(BaseHTTPRequestHandler):
    """HTTP in, `Endpoint.handle`, HTTP out."""

    endpoint: Endpoint
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        try:
            reply = self.endpoint.handle(self.command, self.path, headers, body)
        except Exception as error:
            self.endpoint.unanswered.append(f"{self.command} {self.path}: {error!r}")
            reply = Reply(501, {}, repr(error).encode())
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def handle_expect_100(self) -> bool:
        """`_serve` says so itself."""
        return True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


# -- details -----------------------------------------------------------------------------------


def _moto_budgets(request: Request) -> Reply:
    """Budgets are moto's."""
    from moto.budgets.responses import BudgetsResponse
    from moto.core.request import Request as MotoRequest

    headers = {**request.headers, "Host": f"budgets.{REGION}.amazonaws.com"}
    sent = MotoRequest.from_primitives("POST", request.url, headers, request.body)
    status, found, body = BudgetsResponse.dispatch(sent, sent.raw_url, sent.headers)
    data = body.encode() if isinstance(body, str) else bytes(body or b"")
    return Reply(int(status), {str(k): str(v) for k, v in found.items()}, data)


def _plain_xml(request: Request, value: Any) -> Any:
    """The query protocol knows `true`, not Python's True."""
    if request.protocol != "query" or isinstance(value, Entries):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return {name: _plain_xml(request, one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_xml(request, one) for one in value]
    return value


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _moment(value: Any) -> int:
    if isinstance(value, (int, float)):
        return round(value * 1000)
    return round(datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp() * 1000)


def _arn_of(name: str, created_ms: int) -> str:
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{created_ms:x}"


def _stack_id(known: Deployed) -> str:
    return _arn_of(known.stack.name, known.created_ms)


def _described(known: Deployed) -> dict[str, Any]:
    texts = yaml.load(known.body, _Loose).get("Outputs") or {}
    return {
        "StackId": _stack_id(known),
        "StackName": known.stack.name,
        "Description": known.stack.description,
        "CreationTime": _iso(known.created_ms),
        "LastUpdatedTime": _iso(known.changed_ms),
        "StackStatus": known.status,
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in known.stack.parameters.items()
        ],
        "Outputs": [
            {
                "OutputKey": name,
                "OutputValue": value,
                "Description": (texts.get(name) or {}).get("Description", ""),
            }
            for name, value in known.stack.outputs.items()
        ],
    }


class _Loose(yaml.SafeLoader):
    """Reads a template for its texts only: a short function is nothing."""


_Loose.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _resource(known: Deployed, one: Any) -> dict[str, Any]:
    kept = known.status == "DELETE_COMPLETE" and one.deletion_policy != "Delete"
    status = "DELETE_SKIPPED" if kept else known.status.replace("UPDATE", "CREATE")
    return {
        "StackName": known.stack.name,
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id,
        "ResourceType": one.type,
        "ResourceStatus": status,
        "Timestamp": _iso(known.changed_ms),
        "LastUpdatedTimestamp": _iso(known.changed_ms),
    }


def _capability(stack: Any) -> set[str] | None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"""
    roles = [one for one in stack.resources.values() if one.type.startswith("AWS::IAM::")]
    if not roles:
        return None
    named = any(
        "RoleName" in one.properties or "ManagedPolicyName" in one.properties for one in roles
    )
    return {"CAPABILITY_NAMED_IAM"} if named else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}
