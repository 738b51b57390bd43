"""The running account: stacks that come, change and go on one virtual clock.

`Cloud` is the engine that everything which plays stands on: a `grader.cloud.pipeline.Pipeline` is
one stack for the length of one scenario; whoever answers over HTTP has a bucket before there is a
stack, stacks that are updated, and stacks that are deleted. What an update of a stack cannot do
here is refused by name, never left out.

Nothing here is called in a line from top to bottom; what comes back by a callback is said here::

    a write to a table     → the table's stream → its mappings, which listen to it
    a mapping's invocation → `FunctionHost.invoke` → the calls of the code → ``answer`` of
                             `Cloud.add_function` → `Account.answer`
    a record given up      → `Cloud.send` → the queue, topic or bucket of the destination
    a line of a log        → ``log`` of `Cloud.add_function` → metrics (embedded metric format)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from grader.cloud import iam, template
from grader.cloud.account import Account, data, deploy
from grader.cloud.aws import ACCOUNT_ID, REGION, Call, Refused, Reply
from grader.cloud.clock import START_MS, Clock
from grader.cloud.cloudwatch import emf
from grader.cloud.function import (
    FunctionHost,
    FunctionSpec,
    Handler,
    HangBudget,
    LogLine,
    Nursery,
    StandIn,
    configured,
    layered,
    packaged,
)
from grader.cloud.mapping import Concurrency, EventSourceMappings, Journal
from grader.cloud.mapping.choices import STATE_CHANGE_MS
from grader.cloud.mapping.names import Qualified, unqualified
from grader.cloud.mapping.ports import Delivery, Function
from grader.cloud.mapping.settings import cleared
from grader.cloud.metrics import Metrics
from grader.cloud.template import Resource, Stack
from grader.cloud.unpacked import Unpacked

MINUTE_MS = 60_000
# How long a stack's creation, update or deletion takes here unless somebody says otherwise;
# afterwards its mappings are Enabled.
CHANGE_MS = 2 * MINUTE_MS

_FUNCTION = "AWS::Lambda::Function"
_MAPPING = "AWS::Lambda::EventSourceMapping"


@dataclass
class Deployed:
    """A stack as it stands. ``created_ms`` stays through all updates.

    ``failure`` is the resource and the reason of a last update that was rolled back.
    """

    stack: Stack
    body: str
    created_ms: int
    changed_ms: int
    status: str
    failure: tuple[str, str] | None = None


class Cloud:
    """One account in one Region; times are virtual milliseconds.

    A ``live`` account has somebody who looks at it while it runs: functions write into CloudWatch
    Logs, and SQS reports each minute what lies in its queues.
    """

    def __init__(
        self,
        nursery: Nursery,
        *,
        account_id: str = ACCOUNT_ID,
        region: str = REGION,
        seed: int = 0,
        hangs: HangBudget | None = None,
        start_ms: int = START_MS,
        live: bool = False,
        mapping_takes_ms: int = STATE_CHANGE_MS,
        change_takes_ms: int = CHANGE_MS,
    ) -> None:
        self.clock = Clock(start_ms)
        self.metrics = Metrics()
        self.hangs = hangs or HangBudget()
        self.account = Account(
            self.clock, self.metrics, account_id=account_id, region=region, seed=seed
        )
        self.stacks: dict[str, Deployed] = {}
        self.gone: dict[str, Deployed] = {}
        self.functions: dict[str, FunctionHost | StandIn] = {}
        # When each function's code or configuration last changed; size and digest of the archive
        # that was last uploaded for it.
        self.modified_ms: dict[str, int] = {}
        self.packages: dict[str, tuple[int, str]] = {}
        self.concurrency = Concurrency()
        # Alarms that were made by hand, beside those of stacks: name to PutMetricAlarm's members.
        self.alarms: dict[str, dict[str, Any]] = {}
        # What the mappings of a live account did, by their UUIDs; those that are gone stay here.
        self.journals: dict[str, Journal] = {}
        self.deliveries: list[Delivery] = []
        self.undelivered: list[str] = []
        # Log lines that look like metrics and are none, each with the reason.
        self.unextracted: list[str] = []
        self.mappings = EventSourceMappings(
            clock=self.clock,
            metrics=self.metrics,
            destinations=self,
            find_function=self._function_named,
            find_stream=self.account.streams.get,
            can_read=self._why_unreadable,
            concurrency=self.concurrency,
            seed=seed,
            journals=self.journals if live else None,
            start_delay_ms=mapping_takes_ms,
        )
        # What is published, as name:qualifier, with the version that it stands for.
        self._published: dict[str, str] = {}
        self._nursery = nursery
        self._seed = seed
        self._live = live
        self._change_takes_ms = change_takes_ms
        self._roles: dict[str, tuple[str, list[iam.PolicyDocument]]] = {}
        # When each stack's first template was resolved: streams are labelled by it.
        self._created: dict[str, int] = {}
        self._unpacked = Unpacked(self.account)
        self._log_streams: set[tuple[str, str]] = set()
        self._stalled_until_ms = start_ms
        self._stall_ms = 0
        self.clock.after(MINUTE_MS, self._observe)

    def close(self) -> None:
        """End every function process and forget the account."""
        for host in self.functions.values():
            host.close()
        self.account.close()
        self._unpacked.close()

    def run_for(self, milliseconds: int) -> None:
        """Let virtual time pass, and publish what the mappings have to say about it."""
        self.clock.run_for(milliseconds)
        self.mappings.flush()

    def stall(self, *, for_ms: int, by_ms: int) -> None:
        """For a while every AWS call of function code takes effect, but is answered late."""
        self._stalled_until_ms = self.clock.now + for_ms
        self._stall_ms = by_ms

    def _observe(self) -> None:
        """SQS tells CloudWatch of its queues each minute, whoever looks."""
        self.account.observe()
        self.clock.after(MINUTE_MS, self._observe)

    # -- stacks ------------------------------------------------------------------------------

    def resolve(self, name: str, body: str, parameters: Mapping[str, str]) -> Stack:
        """The stack that a template would make.

        Refused with the first problem, also for what AWS takes and is not played here.
        """
        created_ms = self._created.setdefault(name, self.clock.now)
        try:
            stack = template.resolve(
                body, parameters=parameters, stack_name=name, created_ms=created_ms
            )
        except template.TemplateProblems as problems:
            raise Refused("ValidationError", str(problems.problems[0])) from None
        if stack.beyond:
            raise Refused("ValidationError", str(stack.beyond[0]))
        return stack

    def create(self, stack: Stack, body: str, *, code: Path | None = None) -> None:
        """Create a stack, or bring the one of that name to this state.

        ``code`` is the folder beside which local code lies; archives come out of the account's
        buckets. Raises Refused; then nothing of a creation is left, and an update is undone. What
        AWS itself refuses of an update shows in the stack's status, too.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
        """
        old, before = self.stacks.get(stack.name), self._existing()
        undo: list[Callable[[], object]] = []
        try:
            self._to(stack, dict(old.stack.resources) if old else {}, code, undo)
        except Refused as refused:
            while undo:
                undo.pop()()
            self._roll_back(stack, before, old)
            if old is not None and refused.code != "NotEmulated":
                old.status, old.changed_ms = "UPDATE_ROLLBACK_COMPLETE", self.clock.now
                old.failure = (refused.resource or "", str(refused))
            raise
        self.run_for(self._change_takes_ms)
        status = "UPDATE_COMPLETE" if old else "CREATE_COMPLETE"
        created_ms = self._created.setdefault(stack.name, self.clock.now)
        self.stacks[stack.name] = Deployed(stack, body, created_ms, self.clock.now, status)

    def _existing(self) -> set[tuple[str, str]]:
        """Everything that a stack may make: its type, and its name or id."""
        mappings = {(_MAPPING, uuid) for uuid in self.mappings.uuids()}
        return mappings | {(_FUNCTION, name) for name in self.functions} | data(self.account)

    def _roll_back(self, stack: Stack, before: set[tuple[str, str]], old: Deployed | None) -> None:
        """Remove what a change that was refused has made so far; nothing else."""
        self.run_for(self._change_takes_ms)
        made = self._existing() - before
        for resource in sorted(stack.resources.values(), key=lambda one: one.type != _MAPPING):
            name = resource.physical_id
            names = (name, name.rpartition("/")[2])  # a queue's id is its address
            if any((resource.type, one) in made for one in names):
                self._remove(resource)
        if old is None:
            self._created.pop(stack.name, None)

    def bring_back(
        self,
        body: str,
        known: Mapping[str, Any],
        code: Mapping[str, Path],
    ) -> None:
        """Take up a stack that existed elsewhere: its data is made, its functions run ``code``.

        ``known`` has ``name``, ``parameters``, ``created_ms``, ``changed_ms`` and ``status``;
        ``code`` folders by the functions' names. Mappings are brought back by themselves. Refused.
        """
        name = str(known["name"])
        self._created[name] = int(known["created_ms"])
        stack = self.resolve(name, body, known["parameters"])
        self.add_data(stack)
        for resource in stack.of_type(_FUNCTION):
            if resource.physical_id in code:
                spec = self._spec(resource, stack, code[resource.physical_id])
                self._rights(spec, stack)
                self._installed(spec)
        self.publish(stack)
        self.stacks[name] = Deployed(
            stack, body, self._created[name], int(known["changed_ms"]), str(known["status"])
        )

    def delete(self, name: str) -> None:
        """Delete a stack; what has another DeletionPolicy stays. Refused when S3 refuses."""
        known = self.stacks[name]
        going = [one for one in known.stack.resources.values() if one.deletion_policy == "Delete"]
        for resource in going:
            if problem := deploy.removal_problem(self.account, resource):
                known.status = "DELETE_FAILED"
                raise Refused("ValidationError", problem, resource=resource.logical_id)
        for kind in (_MAPPING, _FUNCTION):
            for resource in going:
                if resource.type == kind:
                    self._remove(resource)
        self.run_for(self._change_takes_ms)
        for resource in going:
            if resource.type not in (_MAPPING, _FUNCTION):
                self._remove(resource)
        known.status, known.changed_ms = "DELETE_COMPLETE", self.clock.now
        self.gone[name] = self.stacks.pop(name)
        del self._created[name]

    def _to(
        self,
        stack: Stack,
        before: Mapping[str, Resource],
        code: Path | None,
        undo: list[Callable[[], object]],
    ) -> None:
        """``undo`` is filled with what takes each change of something that exists back again."""
        for name, resource in stack.resources.items():
            if name in before and before[name].physical_id != resource.physical_id:
                raise _not_acted_out(resource, "a replacement is")
        self.add_data(stack, {name for name in stack.resources if name not in before})
        for resource in stack.of_type(_FUNCTION):
            undo.append(self._as_it_is(resource.physical_id))
            with _named(resource):
                self._change_function(resource, before.get(resource.logical_id), stack, code)
        undo.append(partial(setattr, self, "_published", dict(self._published)))
        self.publish(stack)
        for resource in stack.resources.values():
            old = before.get(resource.logical_id)
            if old is not None and old.properties == resource.properties:
                continue
            with _named(resource):
                if old is None:
                    if resource.type == _MAPPING:
                        self.add_mapping(resource)
                    continue
                self._change(resource, old)
                undo.append(partial(self._change, old, resource))
        for name, old in before.items():
            if name not in stack.resources and old.deletion_policy == "Delete":
                self._remove(old)

    def _as_it_is(self, name: str) -> Callable[[], object]:
        """What brings a function back to how it is now; nothing where there is none."""
        host = self.functions.get(name)
        if host is None:
            return lambda: None
        spec, rights, package = host.spec, self._roles[host.spec.arn], self.packages.get(name)
        reserved, modified_ms = self.concurrency.reserved(name), self.modified_ms[name]

        def back() -> None:
            self._roles[spec.arn] = rights
            self._installed(spec)
            self.modified_ms[name] = modified_ms
            if package is not None:
                self.packages[name] = package
            if reserved is None:
                self.concurrency.release_reservation(name)
            else:
                self.concurrency.reserve(name, reserved)

        return back

    # -- resources ---------------------------------------------------------------------------

    def add_data(self, stack: Stack, new: set[str] | None = None) -> None:
        """Create tables, queues, topics, buckets and log groups; ``new`` names those to create.

        Raises Refused for what AWS would not create, or what would behave differently here.
        """
        deploy.deploy(self.account, stack, new)

    def add_stand_in(
        self, resource: Resource, stack: Stack, handler: Handler | None, missing: str
    ) -> StandIn:
        """Put a callable into the account as a function; without one, see `StandIn`."""
        spec = self._spec(resource, stack, Path())
        self._rights(spec, stack)
        host = self.functions[spec.name] = StandIn(spec, self.clock, handler, missing)
        self._reserve(resource, spec)
        return host

    def add_function(
        self,
        resource: Resource,
        stack: Stack,
        code: Path | None,
        *,
        layers: Sequence[Path] = (),
    ) -> FunctionHost:
        """Put a function into the account, in the place of one of the same name.

        ``layers`` are folders as they lie below /opt. Its AWS calls come out in `Account.answer`,
        its log lines here in ``log``.
        """
        folder = self._unpacked.code(resource, code)
        if layers:
            folder = layered(self._unpacked.archive(b""), folder, layers)
        spec = self._spec(resource, stack, folder)
        self._rights(spec, stack)
        try:
            host = self._installed(spec)
        except (FileNotFoundError, ValueError) as error:
            raise Refused(
                "InvalidParameterValueException",
                f"The code of {resource.logical_id} cannot be packaged: {error}.",
                "Code",
                resource.logical_id,
            ) from None
        self.packages.pop(spec.name, None)
        self._reserve(resource, spec)
        return host

    def _reserve(self, resource: Resource, spec: FunctionSpec) -> None:
        reserved = resource.properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            self.concurrency.reserve(spec.name, int(reserved))

    def _rights(self, spec: FunctionSpec, stack: Stack) -> None:
        """What a function may do from now on: what its role has been given."""
        role = stack.by_arn(spec.role)
        self._roles[spec.arn] = (spec.role, iam.documents(stack, role) if role else [])

    def configure_function(self, name: str, members: Mapping[str, Any]) -> None:
        """UpdateFunctionConfiguration, by Lambda's names for what is to change. Refused.

        https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
        """
        spec = self.functions[name].spec
        changed = configured(spec, members)
        if changed.role != spec.role:
            stack = next((one.stack for one in self.stacks.values()
                          if one.stack.by_arn(changed.role)), None)  # fmt: skip
            if stack is None:
                raise Refused(
                    "InvalidParameterValueException",
                    "The role defined for the function cannot be assumed by Lambda.",
                    "Role",
                )
            self._rights(changed, stack)
        self._installed(changed)

    def replace_code(self, name: str, archive: bytes) -> None:
        """UpdateFunctionCode: later invocations run what is in this zip file. Refused."""
        host = self.functions[name]
        try:
            self._installed(replace(host.spec, code=self._unpacked.archive(archive)))
        except ValueError as error:
            raise Refused("InvalidParameterValueException", f"{error}.", "ZipFile") from None
        self.packages[name] = packaged(archive)

    def _installed(self, spec: FunctionSpec) -> FunctionHost:
        """The function as ``spec`` says; one of the same name takes it on and goes on running."""

        def answer(call: Call) -> Reply:
            documents = self._roles[spec.arn][1]
            reply = self.account.answer(call, documents, role_arn=spec.role, function=spec.name)
            if self.clock.now >= self._stalled_until_ms:
                return reply
            return replace(reply, latency_ms=reply.latency_ms + self._stall_ms)

        def log(line: LogLine) -> None:
            extraction = emf.extract(line.text, log_format=spec.log_format, time_ms=line.time_ms)
            emf.record(extraction.points, self.metrics, self.clock.now)
            self.unextracted.extend(extraction.problems)
            if self._live:
                self._log(spec.log_group, line)

        known = self.functions.get(spec.name)
        self.modified_ms[spec.name] = self.clock.now
        if isinstance(known, FunctionHost):
            known.update(spec, answer, log)
            return known
        host = FunctionHost(
            spec, self.clock, self._nursery, answer, seed=self._seed, log=log, hangs=self.hangs
        )
        self.functions[spec.name] = host
        return host

    def publish(self, stack: Stack) -> None:
        """Make the versions and aliases of a stack's functions known to mappings.

        A stack's one version of a function runs the code that the function has now.
        """
        for kind in ("AWS::Lambda::Version", "AWS::Lambda::Alias"):
            for resource in stack.of_type(kind):
                name, qualifier = resource.physical_id.split(":")[-2:]
                version = resource.properties.get("FunctionVersion", qualifier)
                self._published[f"{name}:{qualifier}"] = str(version)

    def _function_named(self, name: str) -> Function | None:
        """The function with this name, or its version or alias ``name:qualifier``."""
        plain, _, qualifier = name.partition(":")
        host = self.functions.get(plain)
        if host is None or not qualifier:
            return host
        version = self._published.get(name)
        return None if version is None else Qualified(host, qualifier, version)

    def add_mapping(self, resource: Resource, journal: Journal | None = None) -> None:
        """Create the mapping as CloudFormation would. Refused as AWS refuses."""
        self.mappings.create(resource.properties, uuid=resource.physical_id, journal=journal)

    def _change(self, resource: Resource, old: Resource) -> None:
        """Bring what is no function from one state to another."""
        if resource.type != _MAPPING:
            deploy.change(self.account, resource, old)
            return
        fixed = ("EventSourceArn", "StartingPosition")
        if any(old.properties.get(name) != resource.properties.get(name) for name in fixed):
            raise _not_acted_out(resource, "a replacement is")
        gone = [name for name in old.properties if name not in resource.properties]
        wanted = {**resource.properties, **cleared(gone)}
        self.mappings.update(
            resource.physical_id,
            {name: value for name, value in wanted.items() if name not in fixed},
        )

    def _change_function(
        self, resource: Resource, old: Resource | None, stack: Stack, code: Path | None
    ) -> None:
        """As CloudFormation does: what the template says as before is left as it has become."""
        known = self.functions.get(resource.physical_id)
        if old is not None and known is not None and old.properties == resource.properties:
            self._rights(known.spec, stack)
            return
        reserved = "ReservedConcurrentExecutions"
        if old is not None and reserved in old.properties and reserved not in resource.properties:
            self.concurrency.release_reservation(resource.physical_id)
        self.add_function(resource, stack, code)

    def _remove(self, resource: Resource) -> None:
        name = resource.physical_id
        if resource.type == _MAPPING:
            self.mappings.delete(name)
        elif resource.type == _FUNCTION:
            self.functions.pop(name).close()
            self.concurrency.release_reservation(name)
        else:
            deploy.remove(self.account, resource)

    # -- functions ---------------------------------------------------------------------------

    def _spec(self, resource: Resource, stack: Stack, code: Path) -> FunctionSpec:
        """What the function process needs to know of an ``AWS::Lambda::Function``."""
        given = resource.properties
        logging = given.get("LoggingConfig", {})
        return FunctionSpec(
            name=resource.physical_id,
            arn=resource.attributes["Arn"],
            role=str(given["Role"]),
            handler=str(given.get("Handler", "")),
            code=code,
            environment={
                name: str(value)
                for name, value in given.get("Environment", {}).get("Variables", {}).items()
            },
            memory_mb=int(given.get("MemorySize", 128)),
            timeout_ms=int(given.get("Timeout", 3)) * 1000,
            runtime=str(given.get("Runtime", "python3.13")),
            log_group=str(logging.get("LogGroup", f"/aws/lambda/{resource.physical_id}")),
            log_format=logging.get("LogFormat", "Text"),
            application_log_level=logging.get("ApplicationLogLevel"),
            system_log_level=logging.get("SystemLogLevel"),
            region=stack.region,
            account_id=stack.account_id,
            elsewhere=stack.own,
            description=str(given.get("Description", "")),
        )

    def _log(self, group: str, line: LogLine) -> None:
        """Lambda makes the group when it is missing, without a retention."""
        logs = self.account.logs
        if group not in logs.groups:
            logs.create(group, None)
            self._log_streams = {one for one in self._log_streams if one[0] != group}
        day = datetime.fromtimestamp(line.time_ms / 1000, UTC).strftime("%Y/%m/%d")
        stream = f"{day}/[$LATEST]{line.environment:032x}"
        place = {"logGroupName": group, "logStreamName": stream}
        if (group, stream) not in self._log_streams:
            self._log_streams.add((group, stream))
            if stream not in logs.streams(group):
                logs.answer("CreateLogStream", place)
        event = {"timestamp": line.time_ms, "message": line.text}
        logs.answer("PutLogEvents", {**place, "logEvents": [event]})

    # -- looking -----------------------------------------------------------------------------

    def resource(self, stack: str, logical_id: str) -> Resource:
        """A resource of a stack that exists."""
        return self.stacks[stack].stack.resources[logical_id]

    def items(self, stack: str, table: str) -> list[dict[str, Any]]:
        """What lies in a table of a stack, as plain Python values."""
        return self.account.items(self.resource(stack, table).physical_id)

    # -- what mappings ask for ---------------------------------------------------------------

    def _why_unreadable(self, function: Function, stream_arn: str) -> str | None:
        return iam.stream_denial(self._roles[unqualified(function.arn)][1], stream_arn)

    def send(self, delivery: Delivery) -> str | None:
        """Deliver a failure note with the rights of the function that it is about.

        A mapping calls this when it gives records up. None, or why the note did not arrive.
        """
        arn = json.loads(delivery.body)["requestContext"]["functionArn"]
        role_arn, documents = self._roles[unqualified(arn)]
        problem = self.account.send(delivery, documents, role_arn=role_arn)
        if problem is None:
            self.deliveries.append(delivery)
        else:
            self.undelivered.append(problem)
        return problem


@contextmanager
def _named(resource: Resource) -> Iterator[None]:
    """Say of a refusal which resource it is about."""
    try:
        yield
    except Refused as refused:
        refused.resource = refused.resource or resource.logical_id
        raise


def _not_acted_out(resource: Resource, what: str) -> Refused:
    return Refused(
        "NotEmulated",
        f"{resource.logical_id}: {what} not acted out here.",
        resource=resource.logical_id,
    )
