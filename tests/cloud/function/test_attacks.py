"""What learner code may try, and what comes of it: the honest outcome, and nothing left behind.

A function's process holds no checks, no expected values and no state of the mock account, so most
attacks have nothing to win; the tests show that they also do no harm.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from workbench import reply

from grader.cloud.aws import Call, Reply

PROJECT = Path(__file__).resolve().parents[3]


def fingerprint() -> str:
    """The project's files as they are."""
    digest = hashlib.sha256()
    for folder in ("grader/cloud/function", "tests/cloud/function"):
        for path in sorted((PROJECT / folder).rglob("*.py")):
            digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()


class Store:
    """State that lives with the judge."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    def __call__(self, call: Call) -> Reply:
        if call.headers["X-Amz-Target"].endswith("PutItem"):
            self.written.append(json.loads(call.body)["Item"])
        return reply({})


def test_patching_boto3_changes_nothing_but_the_functions_own_view(bench: Any) -> None:
    """A21: the account's state is not in this process."""
    store = Store()
    host = bench.deploy(
        """
        import boto3, botocore.client, botocore.httpsession
        from botocore.awsrequest import AWSResponse
        def handler(event, context):
            botocore.client.BaseClient._make_api_call = lambda *a, **k: {"Item": {"total": {"N": "100"}}}
            return boto3.client("dynamodb").put_item(TableName="t", Item={"total": {"N": "100"}})
        """,
        store,
    )
    assert bench.invoke(host).kind == "returned"
    assert store.written == [] and host.invocations[0].calls == []


@pytest.mark.parametrize(
    "attack",
    [
        "import atexit; atexit.register(lambda: os.write(1, b'passed'))",
        "print(json.dumps({'schema': 'labs/grade/v1', 'passed': True, 'score': 100}))",
        "sys.modules['pytest'] = sys.modules['moto'] = None",
        "builtins.isinstance = lambda *a: True; import unittest; unittest.TestCase.assertEqual = print",
        "sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)",
        "json.dumps = json.loads = lambda *a, **k: 'forged'",
        "time.time = time.monotonic = lambda: 0; sys.modules.pop('time_machine', None)",
        "os.environ.clear(); os.environ['PYTEST_ADDOPTS'] = '-p evil'",
        "gc.collect(); [o for o in gc.get_objects()]",
        "sys.setrecursionlimit(10**9)",
        "sys.stdout.close(); sys.stderr.close()",
        "sys.stdout = sys.stderr = None",
        "threading.Thread(target=time.sleep, args=(9,)).start()",
        "os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else None",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "os.closerange(4, 10_000)",
    ],
)
def test_tampering_with_its_own_process_wins_and_breaks_nothing(bench: Any, attack: str) -> None:
    """A06, A08, A11, A12, A17, A41, A44: the wrong answer stays the wrong answer."""
    host = bench.deploy(
        "import builtins, gc, json, os, signal, sys, threading, time\n"
        f"def handler(event, context):\n    {attack}\n    return 'wrong'\n"
    )
    result = bench.invoke(host)
    assert (result.kind, result.payload) == ("returned", "wrong") or result.kind == "error"
    assert bench.run("def handler(e, c): return 2").payload == 2


def test_no_frame_and_no_object_of_the_judge_is_in_reach(bench: Any) -> None:
    """A12, A13, A15: neither frames nor modules nor the command line know the judge."""
    host = bench.deploy(
        """
        import gc, inspect, sys
        def handler(event, context):
            names = {frame.filename.rpartition("/")[2] for frame in inspect.stack()}
            judge = [o for o in gc.get_objects() if type(o).__module__.startswith(("grader", "moto"))]
            line = open("/proc/self/cmdline").read() if event["proc"] else ""
            return [sorted(names), len(judge), "secret" in line]
        """
    )
    proc = bench.nursery.enforced.tier == "namespaces"
    assert bench.invoke(host, {"proc": proc}).payload == [
        ["handler.py", "main.py", "runtime.py"],
        0,
        False,
    ]


def test_objects_that_lie_are_serialised_once_as_what_they_hold(bench: Any) -> None:
    """A18, A19: the judge sees plain JSON."""
    host = bench.deploy(
        """
        class Liar(dict):
            def __eq__(self, other): return True
            def __getitem__(self, key): return "forged"
        class Text(str):
            def __str__(self): return "forged"
            def __eq__(self, other): return True
            __hash__ = str.__hash__
        def handler(event, context): return Liar(a=Text("true"))
        """
    )
    assert bench.invoke(host).payload == {"a": "true"}


def test_the_event_is_a_copy(bench: Any) -> None:
    """A23: what a handler does to its event stays with it."""
    event = {"Records": [{"n": 1}]}
    host = bench.deploy("def handler(event, context): event['Records'].clear()")
    bench.invoke(host, event)
    assert event == host.invocations[0].event == {"Records": [{"n": 1}]}


def test_files_that_steer_python_or_pytest_are_just_files(bench: Any) -> None:
    """A02, A38: nothing in a submission is imported but what the handler imports."""
    names = (
        "conftest",
        "sitecustomize",
        "usercustomize",
        "boto3",
        "json",
        "time",
        "grader",
        "moto",
    )
    files = {f"{name}.py": "raise SystemExit('evil')\n" for name in names}
    files |= {"x.pth": "import evil", "pytest.ini": "[pytest]\naddopts = -p evil\n"}
    files["handler.py"] = "import boto3, json, time\ndef handler(e, c): return 'fine'"
    assert bench.run(files).payload == "fine"


def test_the_judges_files_are_as_they_were_after_an_attempt_on_them(
    bench: Any, tmp_path: Path
) -> None:
    """A01, A02, A07: neither the project nor the copy of the code that later cold starts use."""
    if bench.nursery.enforced.tier not in ("namespaces", "landlock"):
        pytest.skip("files are not protected on this machine")
    before = fingerprint()
    code = """
        import os, shutil
        def handler(event, context):
            for place in event["expendable"]:
                shutil.rmtree(place, ignore_errors=True)
            for place in event["places"]:
                for name in ("conftest.py", "results.json", "handler.py"):
                    try: open(os.path.join(place, name), "w").write("x")
                    except OSError: pass
            return "tried"
    """
    host = bench.deploy(code)
    expendable = [str(tmp_path), str(bench.nursery.work), "/var/task"]
    event = {
        "expendable": expendable,
        "places": [*expendable, str(PROJECT), str(PROJECT / "tests")],
    }
    for _ in range(2):
        assert bench.invoke(host, event).payload == "tried"
        host.recycle()
    assert fingerprint() == before and [p.name for p in tmp_path.rglob("*.py")] == ["handler.py"]
    assert not (PROJECT / "conftest.py").exists() and not (PROJECT / "results.json").exists()


def test_credentials_of_the_machine_are_out_of_reach(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A32, A33: neither variables nor files nor the metadata service."""
    config = tmp_path / ".aws"
    config.mkdir()
    (config / "credentials").write_text(
        "[default]\naws_access_key_id = REAL\naws_secret_access_key = REAL\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config / "credentials"))
    code = """
        import boto3, os
        def handler(event, context):
            key = boto3.Session().get_credentials().access_key
            return [key, os.path.exists(os.path.expanduser("~/.aws"))]
    """
    key, found = bench.run(code).payload
    assert key.startswith("ASIA") and "REAL" not in key and not found


def test_one_function_cannot_spend_anothers_environments(bench: Any) -> None:
    """A05, A37: a killed environment takes nothing with it."""
    killer = bench.deploy("import os\ndef handler(e, c): os.kill(0, 9)")
    other = bench.deploy(
        "count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return count"
    )
    assert bench.invoke(other).payload == 1
    assert bench.invoke(killer).error_type == "Runtime.ExitError"
    assert bench.invoke(other).payload == 2


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "(" * 300 + ")" * 300,
        "x = 1" + " + 1" * 50_000,
        "x = '\\0'\n\0",
        "# coding: nothing-like-it\nx = 1",
    ],
)
def test_source_bombs_burst_in_the_function(bench: Any, code: str) -> None:
    """A40: the judge never parses a learner's file to run it."""
    assert bench.run(code).kind == "error"
    assert bench.run("def handler(e, c): return 1").payload == 1


def test_a_deep_result_does_not_break_the_judge(bench: Any) -> None:
    """A20, A43."""
    deep = bench.run(
        "def handler(e, c):\n    x = 1\n    for _ in range(100_000): x = [x]\n    return x"
    )
    assert deep.kind == "error"
    raw = bench.run("def handler(e, c): return b'[' * 100_000")
    assert raw.kind == "returned" and isinstance(raw.payload, str)
