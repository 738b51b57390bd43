"""What the function process needs to know about a function, and what it reports back."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from grader.cloud.aws import ACCOUNT_ID, REGION, Call, Refused, Reply
from grader.cloud.function.limits import Limits
from grader.cloud.mapping.ports import Result


@dataclass(frozen=True)
class FunctionSpec:
    """One Lambda function as deployed.

    ``elsewhere``: requests to other places than AWS reach `Call` instead of a closed network.
    """

    name: str
    arn: str
    role: str
    handler: str
    code: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 128
    timeout_ms: int = 3000
    runtime: str = "python3.13"
    log_group: str = ""
    log_format: Literal["Text", "JSON"] = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None
    region: str = REGION
    account_id: str = ACCOUNT_ID
    elsewhere: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """A fault: the environment dies right before, or right after, this call takes effect."""

    when: Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Stall:
    """A fault: this call takes effect, and its answer comes so many milliseconds late."""

    late_ms: int


Answer = Callable[[Call], Reply]
FaultPlan = Callable[[Call], Kill | Stall | None]


# Of a function's code, once it is unpacked.
MAX_CODE_BYTES = 250 << 20
_CODE = re.compile(rb'(?:"__type"\s*:\s*"(?:[^"#]*#)?|<Code>)([A-Za-z0-9.]+)')


def ended(reply: Reply) -> str:
    """How a call ended: "answered", or the code of the error that its service gave."""
    if reply.status < 400:
        return "answered"
    code = _CODE.search(reply.body)
    return code[1].decode() if code else f"HTTP status {reply.status}"


@dataclass(slots=True)
class LogLine:
    """One line of a function's log, as CloudWatch Logs would have received it."""

    time_ms: int
    environment: int
    request_id: str
    text: str


@dataclass(slots=True)
class Invocation:
    """The record of one invocation; ``end_ms`` and ``result`` are None while it runs.

    ``real_limit`` names which of ``limits``, the judge's own, ended it (`limits.told` says it),
    "hang budget" when it was never started because the play had hung too often, None in the
    ordinary case. ``killed`` is the fault's ``when`` ("before", "after").
    ``ends`` says by a call's number how it ended: "answered", or the code of the service's error; a
    call without one was never answered, because the environment had ended.
    ``init_failed`` is True when the function's module never became ready, so that its handler was
    not called. ``runtime`` is what the template asks for, such as "python3.13".
    """

    number: int
    environment: int
    request_id: str
    cold: bool
    start_ms: int
    event: dict[str, object]
    end_ms: int | None = None
    result: Result | None = None
    calls: list[Call] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    ends: dict[int, str] = field(default_factory=dict)
    killed: str | None = None
    real_limit: str | None = None
    limits: Limits = field(default_factory=Limits)
    init_failed: bool = False
    runtime: str = ""

    @property
    def sequences(self) -> list[int]:
        """The sequence numbers of the stream records in the event, in their order."""
        records: Any = self.event.get("Records", [])
        return [int(record["dynamodb"]["SequenceNumber"]) for record in records]


class Invocations(list[Invocation]):
    """Every invocation of a function, oldest first, but for those that were forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self._forgotten = 0

    @property
    def made(self) -> int:
        """How many there were."""
        return self._forgotten + len(self)

    def forget(self, most: int) -> None:
        """Keep the last ones, which have so many records and calls in all, and what still runs."""
        weight, first = 0, len(self)
        while first and weight < most:
            first -= 1
            records: Any = self[first].event.get("Records", ())
            weight += 1 + len(records) + len(self[first].calls)
        running = [one for one in self[:first] if one.end_ms is None]
        self._forgotten += first - len(running)
        self[:first] = running


def configured(spec: FunctionSpec, members: Mapping[str, Any]) -> FunctionSpec:
    """The function after UpdateFunctionConfiguration with these members. Refused as by Lambda.

    https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
    """
    logging = members.get("LoggingConfig") or {}
    changes: dict[str, Any] = {
        place: members[member]
        for member, place in (
            ("Description", "description"),
            ("Handler", "handler"),
            ("Runtime", "runtime"),
            ("Role", "role"),
        )
        if member in members
    }
    for member, place, least, most, unit in (
        ("MemorySize", "memory_mb", 128, 10_240, 1),
        ("Timeout", "timeout_ms", 1, 900, 1000),
    ):
        if member in members:
            if not least <= int(members[member]) <= most:
                raise Refused(
                    "ValidationException",
                    f"1 validation error detected: Value '{members[member]}' at "
                    f"'{member[0].lower()}{member[1:]}' failed to satisfy constraint: Member "
                    f"must have value between {least} and {most}",
                    member,
                )
            changes[place] = int(members[member]) * unit
    if "Environment" in members:
        variables = (members["Environment"] or {}).get("Variables") or {}
        changes["environment"] = {one: str(value) for one, value in variables.items()}
    for member, place in (
        ("LogFormat", "log_format"),
        ("LogGroup", "log_group"),
        ("ApplicationLogLevel", "application_log_level"),
        ("SystemLogLevel", "system_log_level"),
    ):
        if member in logging:
            changes[place] = logging[member]
    return replace(spec, **changes)


def unzip(archive: bytes, folder: Path) -> None:
    """Unpack the code of a function. Refused for what is no zip file, or too large for Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    refused = "InvalidParameterValueException"
    try:
        packed = zipfile.ZipFile(io.BytesIO(archive))
        if sum(one.file_size for one in packed.infolist()) > MAX_CODE_BYTES:
            raise Refused(refused, f"Unzipped size must be smaller than {MAX_CODE_BYTES} bytes")
        packed.extractall(folder)
    except zipfile.BadZipFile:
        raise Refused(refused, "Could not unzip uploaded file.") from None


def packaged(archive: bytes) -> tuple[int, str]:
    """CodeSize and CodeSha256 of an archive.

    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
    """
    return len(archive), base64.b64encode(hashlib.sha256(archive).digest()).decode()


def zipped(folder: Path) -> bytes:
    """A folder of code as an archive; the same files make the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(one for one in folder.rglob("*") if one.is_file()):
            if "__pycache__" not in path.parts:
                name = path.relative_to(folder).as_posix()
                file.writestr(zipfile.ZipInfo(name), path.read_bytes())
    return packed.getvalue()


def layered(folder: Path, code: Path, layers: Sequence[Path]) -> Path:
    """``folder``, filled with the code and what its layers bring for Python beneath it.

    Lambda looks into /var/task first and then into /opt/python, where a later layer's files
    replace an earlier one's.
    https://docs.aws.amazon.com/lambda/latest/dg/python-layers.html
    """
    for number, layer in enumerate(layers):
        root = layer
        if layer.is_file():
            root = folder / f".layer{number}"
            unzip(layer.read_bytes(), root)
        inner = root / "python"
        shutil.copytree(inner if inner.is_dir() else root, folder, dirs_exist_ok=True)
        if root != layer:
            shutil.rmtree(root)
    shutil.copytree(code, folder, dirs_exist_ok=True)
    return folder
