"""Lambda's Python runtime: loads the handler, hands it events, reports how each one ended.

The manners are those of AWS's Python runtime client: how a handler is named and found, which error
type stands for which fault, how the root logger writes, what ``context`` offers.
Source: https://github.com/aws/aws-lambda-python-runtime-interface-client (4.2.2).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import random
import sys
import time
import traceback
import uuid
from functools import lru_cache
from types import TracebackType
from typing import Any, NoReturn

from . import marshal
from .door import Connection, Door, Lines, Rehearsal, connect_botocore
from .elsewhere import connect_http

HERE = __file__.rpartition("runtime.py")[0]

# What an error may say (characters): its text, and its stack trace in all. AWS cuts what its logs
# and its X-Ray take at sizes of this order; an honest error is far below.
ERROR_TEXT = 64 * 1024

# Standing in for a space at the start of a line of a traceback, so that log viewers keep it.
NO_BREAK_SPACE = "\u00a0"
TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"


class Fault(Exception):
    """An error that the runtime itself reports, under a ``Runtime.…`` name."""

    def __init__(self, error_type: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace or []


class Identity:
    """Who called, for callers that come through Cognito: nobody, for a stream."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class LambdaContext:
    """The handler's second argument."""

    def __init__(self, request_id: str, arn: str, deadline_ms: int) -> None:
        self.aws_request_id = request_id
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = arn
        self.tenant_id = None
        self.client_context = None
        self.identity = Identity()
        self._epoch_deadline_time_in_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout, never below 0."""
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def w3c(self) -> dict[str, str]:
        """The trace context that came with the invocation: none."""
        return {}

    def log(self, message: object) -> None:
        """Write to the function's log."""
        print(message)


class Runtime:
    """One environment's life: ``start`` frame, initialisation, events until the door closes."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.request_id = ""
        self.stdout = Lines(door, 1)
        self.stderr = Lines(door, 2)

    def run(self) -> NoReturn:
        """Never returns: the environment is killed, or it exits as its code wants."""
        header, _ = self.door.receive()
        self._prepare(header)
        clock = self.door.clock
        clock.set(header["now_ns"], header["deadline_ns"])
        clock.expire = self.door.timed_out
        try:
            handler = find_handler(os.environ["_HANDLER"])
        except Fault as fault:
            self._report(None, error(fault.message, fault.error_type, fault.trace))
            handler = None
        except Exception:
            self._report(None, error_of(sys.exc_info(), ""))
            handler = None
        if handler is None:
            self._flush()
            self.door.send({"t": "init_error"}, self._last_error)
            self._wait_for_the_end()
        self._flush()
        header, body = self.door.next_event({"t": "ready"}, b"")
        while True:
            self._begin(header)
            outcome, answer = self._invoke(handler, header, body)
            self._flush()
            header, body = self.door.next_event({"t": outcome}, answer)

    def _invoke(self, handler: Any, header: dict[str, Any], body: bytes) -> tuple[str, bytes]:
        try:
            context = LambdaContext(self.request_id, header["arn"], header["deadline_ms"])
            result = handler(json.loads(body), context)
            # The work alone may have taken longer than the timeout.
            self.door.clock.pass_ns(0)
            return "end", result if isinstance(result, bytes) else self._marshal(result)
        except Fault as fault:
            failure = error(fault.message, fault.error_type, fault.trace, self.request_id)
        except Exception:
            failure = error_of(sys.exc_info(), self.request_id)
        self._report(self.request_id, failure)
        return "error", self._last_error

    def _marshal(self, result: Any) -> bytes:
        try:
            text = marshal.to_json(result, ensure_ascii=self.ensure_ascii)
        except Exception as problem:
            raise Fault("Runtime.MarshalError", f"Unable to marshal response: {problem}") from None
        return text.encode()

    def exit_code(self, wish: SystemExit) -> int:
        """What the interpreter's exit code is for this SystemExit; its text goes to the log."""
        if wish.code is None or isinstance(wish.code, int):
            self._flush()
            return wish.code or 0
        print(wish.code, file=self.stderr)
        self._flush()
        return 1

    def print_exception(self) -> None:
        """The exception that ends the process, as the interpreter prints it."""
        traceback.print_exc(file=self.stderr)
        self._flush()

    # -- phases ----------------------------------------------------------------------------------

    def _begin(self, header: dict[str, Any]) -> None:
        self.request_id = header["request_id"]
        clock = self.door.clock
        clock.set(header["now_ns"], header["deadline_ns"])
        self.door.start_phase()
        limit_cpu(header["cpu_seconds"])

    def _flush(self) -> None:
        self.stdout.end_line()
        self.stderr.end_line()

    def _wait_for_the_end(self) -> NoReturn:
        while True:
            self.door.receive()

    # -- set-up ----------------------------------------------------------------------------------

    def _prepare(self, header: dict[str, Any]) -> None:
        clock = self.door.clock
        clock.boot(header["now_ns"])
        self.door.log_line_ns, self.door.call_ns = header["log_line_ns"], header["call_ns"]
        os.environ.clear()
        os.environ.update(header["environment"])
        if hasattr(time, "tzset"):
            time.tzset()
        seed(header["seed"])
        os.chdir(header["task_root"])
        sys.path.insert(0, header["task_root"])
        sys.argv[:] = [""]
        importlib.invalidate_caches()
        self.ensure_ascii = header["runtime"] not in marshal.UNICODE_RUNTIMES
        sys.stdout, sys.stderr = self.stdout, self.stderr
        self._json = header["log_format"] == "JSON"
        self._set_up_logging(header["log_level"])
        limit_cpu(header["cpu_seconds"])
        if header["elsewhere"]:
            connect_http(self.door)

    def _set_up_logging(self, level: str) -> None:
        logging.Formatter.converter = time.gmtime
        handler = LogHandler(self)
        handler.setFormatter(JsonLines(self) if self._json else TextLines(self))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        if level:
            root.setLevel(level)

    def _report(self, request_id: str | None, failure: dict[str, Any]) -> None:
        """Write a failure to the log and keep it for the frame that reports it."""
        self._last_error = marshal.to_json(failure, ensure_ascii=self.ensure_ascii).encode(
            "utf-8", "replace"
        )
        if self._json:
            stamp = time.strftime(TIMESTAMP, time.gmtime())
            line = {"timestamp": stamp, "level": "ERROR", **failure}
            self.door.log(marshal.to_json(line, ensure_ascii=self.ensure_ascii))
            return
        text = "[ERROR]"
        if failure["errorType"]:
            text += f" {failure['errorType']}" + (":" if failure["errorMessage"] else "")
        if failure["errorMessage"]:
            text += f" {failure['errorMessage']}"
        lines = [text, "Traceback (most recent call last):"]
        for entry in failure["stackTrace"]:
            for line in entry.splitlines() or [""]:
                indent = len(line) - len(line.lstrip(" "))
                lines.append(NO_BREAK_SPACE * indent + line[indent:])
        self.door.log("\n".join(lines))


class LogHandler(logging.Handler):
    """The root logger's one handler: each record is one log event."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__()
        self._runtime = runtime

    def emit(self, record: logging.LogRecord) -> None:
        """Format and send."""
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._runtime.door.log(text)


class TextLines(logging.Formatter):
    """Level, time, request id and message, separated by tabs."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )
        self._runtime = runtime

    def format(self, record: logging.LogRecord) -> str:
        """One log event."""
        record.aws_request_id = self._runtime.request_id
        return super().format(record)


# What a LogRecord holds without anybody's ``extra``.
OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "aws_request_id", "taskName"
}  # fmt: skip


class JsonLines(logging.Formatter):
    """One JSON object a record, with ``extra`` fields at its top level."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(datefmt=TIMESTAMP)
        self._runtime = runtime

    def format(self, record: logging.LogRecord) -> str:
        """One log event. A dictionary logged without arguments stays an object in ``message``."""
        level = min(50, max(0, record.levelno)) // 10 * 10
        whole = isinstance(record.msg, dict) and not record.args
        kind, value, trace = record.exc_info or (None, None, None)
        line = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(level),
            "message": record.msg if whole else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(trace) if kind else None,
            "errorType": kind.__name__ if kind else None,
            "errorMessage": str(value) if kind else None,
            "requestId": self._runtime.request_id,
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if kind else None,
        }
        for name, extra in vars(record).items():
            if name not in OWN_FIELDS and name not in line:
                line[name] = extra
        return json.dumps(
            {name: value for name, value in line.items() if value is not None},
            ensure_ascii=False,
            default=str,
        )


def find_handler(name: str) -> Any:
    """The function that ``package.module.function`` names; Fault when there is none."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as problem:
        raise Fault(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {problem}"
        ) from None
    except SyntaxError as problem:
        raise Fault(
            "Runtime.UserCodeSyntaxError",
            f"Syntax error in module '{module_name}': {problem}",
            [f'  File "{problem.filename}" Line {problem.lineno}\n    {problem.text}'],
        ) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise Fault(
            "Runtime.HandlerNotFound",
            f"Handler '{function_name}' missing on module '{module_name}'",
        ) from None


def error(message: str, error_type: str, trace: list[str], request_id: str = "") -> dict[str, Any]:
    """The error document that an invocation returns, cut to a size that can be kept."""
    left, kept = ERROR_TEXT, []
    for entry in trace:
        left -= len(entry)
        if left < 0:
            break
        kept.append(entry)
    if len(message) > ERROR_TEXT:
        message = f"{message[:ERROR_TEXT]} (cut: {len(message) - ERROR_TEXT} characters more)"
    return {
        "errorMessage": message,
        "errorType": error_type[:200],
        "requestId": request_id,
        "stackTrace": kept,
    }


def error_of(
    raised: tuple[type[BaseException], BaseException, TracebackType | None]
    | tuple[None, None, None],
    request_id: str,
) -> dict[str, Any]:
    """The error document of the exception that is being handled; our own frames left out."""
    kind, value, trace = raised
    assert kind is not None
    # As plain tuples, which is how the client formats them: without markers below the lines.
    entries = [(e.filename, e.lineno or 0, e.name, e.line) for e in traceback.extract_tb(trace)]
    while entries and entries[0][0].startswith(HERE):
        entries.pop(0)
    try:
        message = str(value)
    except Exception:
        message = ""
    return error(message, kind.__name__, traceback.format_list(entries), request_id)


def seed(text: str) -> None:
    """Make every source of randomness of this process a function of ``text``."""
    source = random.Random(text)
    urandom = source.randbytes

    original = random.Random.seed

    def seed_random(self: random.Random, a: Any = None, version: int = 2) -> None:
        original(self, urandom(32) if a is None else a, version)

    os.urandom = urandom
    if hasattr(os, "getrandom"):
        os.getrandom = lambda size, flags=0: urandom(size)
    random._urandom = urandom  # type: ignore[attr-defined]
    random.seed(urandom(32))
    random.Random.seed = seed_random  # type: ignore[method-assign]
    uuid._generate_time_safe = None  # type: ignore[attr-defined]
    uuid._UuidCreate = None  # type: ignore[attr-defined]
    uuid._node = int.from_bytes(urandom(6), "big") | 1 << 40  # type: ignore[attr-defined]


def limit_cpu(seconds: float) -> None:
    """Let the kernel end this process once it has used so much more CPU time (where it can)."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def warm_up(connection: Connection, services: tuple[str, ...]) -> None:
    """Import boto3 and load what every client needs, once for all environments forked from here.

    The default session is warmed, so ``boto3.client`` and ``boto3.resource`` in a handler find
    models, endpoint rules and handlers in memory.
    """
    import boto3
    import botocore.loaders
    import botocore.session

    connect_botocore(connection)
    loader = botocore.loaders.Loader()
    botocore.session.create_loader = lambda *args, **kwargs: loader
    _keep_what_never_changes()
    boto3.setup_default_session()
    for service in services:
        _rehearse(connection, boto3.client(service))
    boto3.resource("dynamodb").Table("warm")
    session: Any = boto3.DEFAULT_SESSION
    session._session._credentials = None


def _keep_what_never_changes() -> None:
    """Let botocore work out once what it works out for each client and for each call.

    A service's model is what its file says, and each word of the User-Agent header (44 in a call)
    is cleaned letter by letter: a quarter of what a call costs.
    """
    import botocore.client
    import botocore.useragent

    creator: Any = botocore.client.ClientCreator
    load = creator._load_service_model
    models: dict[tuple[str, str | None], Any] = {}

    def kept(self: Any, service_name: str, api_version: str | None = None) -> Any:
        key = service_name, api_version
        if key not in models:
            models[key] = load(self, service_name, api_version)
        return models[key]

    creator._load_service_model = kept
    agent: Any = botocore.useragent
    cleaned = agent.sanitize_user_agent_string_component
    agent.sanitize_user_agent_string_component = lru_cache(maxsize=1024)(cleaned)


_KEY: dict[str, Any] = {"TableName": "warm", "Key": {"k": {"S": "v"}}}
# One call of each kind that handlers make; what a call prepares stays with its service's model.
_REHEARSED: dict[str, dict[str, dict[str, Any]]] = {
    "dynamodb": {
        "get_item": _KEY,
        "update_item": {**_KEY, "UpdateExpression": "SET a = :a"},
        "put_item": {"TableName": "warm", "Item": {"k": {"S": "v"}}},
        "query": {"TableName": "warm"},
        "transact_write_items": {"TransactItems": [{"Delete": _KEY}]},
    },
    "dynamodbstreams": {"get_records": {"ShardIterator": "warm"}},
    "sqs": {"send_message": {"QueueUrl": "https://sqs.warm/1/warm", "MessageBody": "warm"}},
}
_REPLIES = ((200, b"{}"), (400, b'{"__type": "com.amazonaws#ConditionalCheckFailedException"}'))


def _rehearse(connection: Connection, client: Any) -> None:
    """Make calls with ``client`` that are answered here, once well and once with an error.

    Half of what an environment's first call costs is then paid before the environment begins.
    """
    from botocore.exceptions import ClientError

    for operation, params in _REHEARSED.get(client.meta.service_model.service_name, {}).items():
        for status, body in _REPLIES:
            connection.door = Rehearsal(status, body)
            with contextlib.suppress(ClientError):
                getattr(client, operation)(**params)
    connection.door = None
