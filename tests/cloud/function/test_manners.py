"""The function process has the manners of AWS's Python runtime.

Source: https://github.com/aws/aws-lambda-python-runtime-interface-client (4.2.2) and
https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from workbench import LIMITS

from grader.cloud.function.model import MAX_ERROR_BYTES

NAMESPACE = "from collections import namedtuple; from decimal import Decimal\n"


def returning(expression: str) -> str:
    return f"{NAMESPACE}def handler(event, context):\n    return {expression}\n"


# -- results ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        ("None", None),
        ("event", {"n": 1}),
        ("{'batchItemFailures': [{'itemIdentifier': '1'}]}", {"batchItemFailures": [{"itemIdentifier": "1"}]}),
        ("{1: True, None: (1, 2)}", {"1": True, "null": [1, 2]}),
        ("Decimal('12.50')", 12.5),
        ("namedtuple('Pair', 'a b')(1, 2)", {"a": 1, "b": 2}),
        ("'smörgås'", "smörgås"),
        ("{'raw': b'abc'}", {"raw": "abc"}),
        ("float('inf')", math.inf),
    ],
)  # fmt: skip
def test_a_result_comes_back_as_json_the_way_the_runtime_encodes_it(
    bench: Any, expression: str, payload: object
) -> None:
    result = bench.run(returning(expression))
    assert (result.kind, result.payload) == ("returned", payload)


def test_a_nan_comes_back_as_a_nan(bench: Any) -> None:
    for expression in ("float('nan')", "Decimal('NaN')", "Decimal('-sNaN')"):
        assert math.isnan(bench.run(returning(expression)).payload)


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("{1, 2}", "set"),
        ("__import__('datetime').datetime.now()", "datetime"),
        ("{'deep': [object()]}", "object"),
    ],
)
def test_what_json_does_not_know_is_a_marshal_error(bench: Any, expression: str, kind: str) -> None:
    result = bench.run(returning(expression))
    assert (result.kind, result.error_type) == ("error", "Runtime.MarshalError")
    assert result.error_message == (
        f"Unable to marshal response: Object of type {kind} is not JSON serializable"
    )


def test_a_result_that_contains_itself_is_a_marshal_error(bench: Any) -> None:
    result = bench.run("def handler(event, context):\n    x = []; x.append(x); return x\n")
    assert result.error_message == "Unable to marshal response: Circular reference detected"


def test_a_response_above_six_megabytes_is_refused(bench: Any) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    result = bench.run(returning("'x' * 6_291_555"))
    assert result.error_type == "Function.ResponseSizeTooLarge"
    assert bench.run(returning("'x' * 6_291_554")).kind == "returned"


# -- failures --------------------------------------------------------------------------------------


def test_an_exception_is_reported_with_type_message_and_the_functions_own_stack(bench: Any) -> None:
    result = bench.run(
        """
        def handler(event, context):
            return deeper()

        def deeper():
            raise KeyError("order")
        """
    )
    assert (result.kind, result.error_type, result.error_message) == (
        "error",
        "KeyError",
        "'order'",
    )
    assert result.payload["stackTrace"] == [
        '  File "/var/task/handler.py", line 3, in handler\n    return deeper()\n',
        '  File "/var/task/handler.py", line 6, in deeper\n    raise KeyError("order")\n',
    ]


@pytest.mark.parametrize(
    "raised",
    [
        "ValueError('x' * (8 << 20))",
        "type('E' * 1_000_000, (Exception,), {})()",
        "ExceptionGroup('many', [ValueError('x' * 100_000)] * 50)",
    ],
)
def test_what_an_exception_says_is_cut_to_what_can_be_kept(bench: Any, raised: str) -> None:
    """In the answer, and in the log; it stays the function's own error."""
    result = bench.run(f"def handler(event, context):\n    raise {raised}\n")
    assert result.kind == "error" and result.error_type != "Runtime.ExitError"
    assert len(json.dumps(result.payload)) < MAX_ERROR_BYTES
    assert sum(map(len, bench.texts())) < 2 * LIMITS.log_bytes


def test_a_failed_environment_stays_warm_but_one_that_exited_does_not(bench: Any) -> None:
    host = bench.deploy(
        """
        count = 0
        def handler(event, context):
            global count
            count += 1
            if event["do"] == "raise":
                raise ValueError("bad")
            if event["do"] == "exit":
                raise SystemExit(3)
            return count
        """
    )
    assert bench.invoke(host, {"do": "raise"}).error_type == "ValueError"
    assert bench.invoke(host, {"do": "count"}).payload == 2
    exited = bench.invoke(host, {"do": "exit"})
    assert exited.error_type == "Runtime.ExitError"
    assert exited.error_message.endswith("Error: Runtime exited with error: exit status 3")
    assert bench.invoke(host, {"do": "count"}).payload == 1
    assert [i.cold for i in host.invocations] == [True, False, False, True]


@pytest.mark.parametrize(
    ("files", "handler", "error_type", "message"),
    [
        ({}, "handler.handler", "Runtime.ImportModuleError",
         "Unable to import module 'handler': No module named 'handler'"),
        ({"handler.py": "import nothing_like_it"}, "handler.handler", "Runtime.ImportModuleError",
         "Unable to import module 'handler': No module named 'nothing_like_it'"),
        ({"handler.py": "x = 1"}, "handler.handler", "Runtime.HandlerNotFound",
         "Handler 'handler' missing on module 'handler'"),
        ({"handler.py": "x = 1"}, "handler", "Runtime.MalformedHandlerName",
         "Bad handler 'handler': not enough values to unpack (expected 2, got 1)"),
        ({"handler.py": "x = 1"}, "sys.handler", "Runtime.BuiltInModuleConflict",
         "Cannot use built-in module sys as a handler module"),
        ({"handler.py": "1 / 0"}, "handler.handler", "ZeroDivisionError", "division by zero"),
    ],
)  # fmt: skip
def test_an_initialisation_error_has_the_runtimes_name(
    bench: Any, files: dict[str, str], handler: str, error_type: str, message: str
) -> None:
    result = bench.run(files, handler=handler)
    assert (result.kind, result.error_type, result.error_message) == ("error", error_type, message)


def test_a_syntax_error_names_file_and_line(bench: Any) -> None:
    result = bench.run("def handler(event, context)\n    return 1\n")
    assert result.error_type == "Runtime.UserCodeSyntaxError"
    assert result.error_message.startswith("Syntax error in module 'handler': ")
    assert result.payload["stackTrace"][0].startswith('  File "/var/task/handler.py" Line 1\n')


def test_a_handler_may_live_in_a_package(bench: Any) -> None:
    files = {"app/__init__.py": "", "app/stream.py": "def go(event, context): return __name__"}
    assert bench.run(files, handler="app.stream.go").payload == "app.stream"
    assert bench.run(files, handler="app/stream.go").payload == "app.stream"


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("import os\ndef handler(e, c): os._exit(0)", "Runtime exited without providing a reason"),
        ("import os\ndef handler(e, c): os._exit(7)", "Runtime exited with error: exit status 7"),
        ("import sys\ndef handler(e, c): sys.exit(0)", "Runtime exited without providing a reason"),
        ("import sys\nsys.exit(1)", "Runtime exited with error: exit status 1"),
        ("import os\ndef handler(e, c): os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("import ctypes\ndef handler(e, c): ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault"),
    ],
)  # fmt: skip
def test_a_process_that_ends_is_a_runtime_exit(bench: Any, code: str, how: str) -> None:
    result = bench.run(code)
    assert result.error_type == "Runtime.ExitError"
    request_id = bench.hosts[-1].invocations[0].request_id
    assert result.error_message == f"RequestId: {request_id} Error: {how}"


# -- what the handler is given ---------------------------------------------------------------------


def test_the_context_says_who_and_how_long(bench: Any) -> None:
    host = bench.deploy(
        """
        def handler(event, context):
            c = context
            return [c.function_name, c.function_version, c.invoked_function_arn,
                    c.memory_limit_in_mb, c.log_group_name, c.aws_request_id,
                    c.identity.cognito_identity_id, c.client_context,
                    c.get_remaining_time_in_millis()]
        """,
        memory_mb=256,
        timeout_ms=10_000,
    )
    *known, left = bench.invoke(host).payload
    assert known == [
        "totals", "$LATEST", host.arn, "256", "/aws/lambda/totals",
        host.invocations[0].request_id, None, None,
    ]  # fmt: skip
    assert 9_900 < left <= 10_000


def test_the_environment_holds_the_templates_variables_and_lambdas(bench: Any) -> None:
    code = "import os\ndef handler(event, context): return dict(os.environ)"
    host = bench.deploy(
        code, environment={"TABLE": "Totals", "AWS_REGION": "eu-west-9"}, region="eu-west-1"
    )
    seen = bench.invoke(host).payload
    assert seen["TABLE"] == "Totals"
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    assert seen["AWS_REGION"] == seen["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "totals"
    assert seen["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert seen["_HANDLER"] == "handler.handler"
    assert seen["TZ"] == ":UTC"
    assert "PYTHONHASHSEED" not in seen


def test_nothing_of_the_judges_environment_gets_through(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("MY_SECRET", "x")
    code = "import os\ndef handler(event, context): return sorted(os.environ)"
    seen = bench.run(code).payload
    assert "AWS_PROFILE" not in seen and "MY_SECRET" not in seen


# -- log -------------------------------------------------------------------------------------------

SPEAKS = """
    import logging, sys
    logging.getLogger().setLevel(logging.INFO)
    log = logging.getLogger("shop")

    def handler(event, context):
        print("one"); print("two\\nthree")
        sys.stderr.write("four ")
        log.info("order %s", 7)
        log.debug("not this")
"""


def test_printed_lines_and_records_are_log_events_in_lambdas_text_format(bench: Any) -> None:
    host = bench.deploy(SPEAKS)
    bench.invoke(host)
    request_id = host.invocations[0].request_id
    assert bench.texts() == [
        "one", "two", "three",
        f"[INFO]\t2026-11-02T09:00:00.354Z\t{request_id}\torder 7",
        "four ",
    ]  # fmt: skip


def test_text_format_leaves_the_root_logger_at_warning(bench: Any) -> None:
    host = bench.deploy(
        "import logging\ndef handler(e, c):\n    logging.info('quiet'); logging.warning('loud')"
    )
    bench.invoke(host)
    assert [text.split("\t")[-1] for text in bench.texts()] == ["loud"]


def test_platform_lines_frame_an_invocation(bench: Any) -> None:
    host = bench.deploy(returning("1"))
    bench.invoke(host)
    bench.invoke(host)
    cold, warm = ([line.text for line in i.logs] for i in host.invocations)
    first, second = (i.request_id for i in host.invocations)
    assert cold[:2] == [
        "INIT_START Runtime Version: python:3.13", f"START RequestId: {first} Version: $LATEST",
    ]  # fmt: skip
    assert cold[-2] == f"END RequestId: {first}"
    assert cold[-1].startswith(f"REPORT RequestId: {first}\tDuration: ")
    assert "\tInit Duration: 350.00 ms" in cold[-1]
    assert warm[0] == f"START RequestId: {second} Version: $LATEST" and "Init" not in warm[-1]


def test_json_format_writes_records_as_objects_and_filters_by_level(bench: Any) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html"""
    host = bench.deploy(
        """
        import logging
        log = logging.getLogger("shop")
        def handler(event, context):
            log.info("dropped")
            log.warning({"order": 7}, extra={"merchant": "m-1"})
            print('{"plain": true}')
        """,
        log_format="JSON",
        application_log_level="WARN",
    )
    bench.invoke(host)
    record, printed = [
        json.loads(line.text) for line in host.invocations[0].logs if "platform." not in line.text
    ]
    assert record == {
        "timestamp": "2026-11-02T09:00:00Z",
        "level": "WARNING",
        "message": {"order": 7},
        "logger": "shop",
        "requestId": host.invocations[0].request_id,
        "merchant": "m-1",
    }
    assert printed == {"plain": True}
    platform = [
        json.loads(line.text)["type"]
        for line in host.invocations[0].logs
        if "platform." in line.text
    ]
    assert platform == ["platform.initStart", "platform.start", "platform.report"]


def test_json_format_nests_a_metrics_document_that_is_logged_as_text(bench: Any) -> None:
    """A document inside another one's ``message`` is not extracted as metrics."""
    host = bench.deploy(
        """
        import json, logging
        logging.getLogger().setLevel("INFO")
        def handler(event, context):
            logging.info(json.dumps({"_aws": {}}))
        """,
        log_format="JSON",
    )
    bench.invoke(host)
    [line] = [json.loads(t) for t in bench.texts() if "platform." not in t]
    assert line["message"] == '{"_aws": {}}'


def test_system_log_level_warn_keeps_only_what_went_wrong(bench: Any) -> None:
    good = bench.deploy(returning("1"), log_format="JSON", system_log_level="WARN")
    bench.invoke(good)
    assert good.invocations[0].logs == []
    bad = bench.deploy("1/0", log_format="JSON", system_log_level="WARN")
    bench.invoke(bad)
    kinds = [json.loads(line.text).get("type") for line in bad.invocations[0].logs]
    assert kinds == [None, "platform.runtimeDone", "platform.report"]


def test_an_exception_is_one_log_event_with_its_stack(bench: Any) -> None:
    host = bench.deploy("def handler(event, context):\n    raise ValueError('bad amount')")
    bench.invoke(host)
    [text] = bench.texts()
    lines = text.splitlines()
    assert lines[:2] == ["[ERROR] ValueError: bad amount", "Traceback (most recent call last):"]
    assert lines[2] == '\u00a0\u00a0File "/var/task/handler.py", line 2, in handler'


def test_log_lines_carry_virtual_time_and_reach_the_callback(bench: Any) -> None:
    host = bench.deploy(
        "import time\ndef handler(e, c):\n    print('a'); time.sleep(2); print('b')"
    )
    bench.invoke(host)
    a, b = (line for line in host.invocations[0].logs if line.text in "ab")
    assert 2_000 <= b.time_ms - a.time_ms <= 2_001
    assert a in bench.lines and b in bench.lines


def test_output_past_the_runtime_is_logged_too(bench: Any) -> None:
    host = bench.deploy(
        "import os, subprocess\n"
        "def handler(e, c):\n    os.write(1, b'raw\\n'); os.write(2, b'unfinished')"
    )
    bench.invoke(host)
    assert bench.texts() == ["raw", "unfinished"]
