"""cfn-lint beside the grading: its findings, and its own failures as notes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from grader.review import lint

TEMPLATE = """\
Metadata:
  cfn-lint:
    config: {ignore_checks: [E], append_rules: [rules]}
Parameters:
  Unused: {Type: String, Default: x}
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Metadata:
      cfn-lint: {config: {ignore_checks: [E3030]}}
    Properties:
      BillingMode: PAY_PER_REQUESTS
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      ProvisionedThroughput: {ReadCapacityUnits: 1, WriteCapacityUnits: 1}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
  Totals:
    Type: AWS::Lambda::Function
    Properties: {Code: ., Handler: a.b, Runtime: python3.9, Role: !GetAtt Role.Arn}
"""


def test_errors_warnings_and_nothing_that_a_template_can_switch_off(tmp_path: Path) -> None:
    """One run: the template's settings and a settings file beside it are not read, a local Code
    is no finding, and runtimes are not judged by today's date."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    (tmp_path / ".cfnlintrc").write_text("ignore_checks: [E, W]\n")
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    running = lint.start(path)
    report = running.report(60)
    running.close()
    assert report.note is None
    assert [(one.rule, one.line) for one in report.errors] == [("E3030", 12)]
    assert report.errors[0].sentence.startswith("Orders.BillingMode: ")
    assert report.errors[0].path == "template.yaml"
    assert [one.rule for one in report.warnings] == ["W2001"]
    assert [one.line for one in running.findings(0)] == [5, 12]
    assert not (tmp_path / "ran").exists()


def test_a_run_that_takes_too_long_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE + "\n# Read by nobody yet.\n")
    running = lint.start(path)
    report = running.report(0)
    running.close()
    assert report.errors == report.warnings == ()
    assert report.note is not None
    assert "had not answered after 0 seconds" in report.note


class _Answered:
    """A reading that has come to its end."""

    def __init__(self, out: bytes) -> None:
        self._out = out

    def answer(self, timeout_s: float) -> bytes:
        return self._out


@pytest.mark.parametrize(
    ("out", "words"),
    [
        (b"no JSON", "could not be read"),
        (b'[{"rule": 1}]', "could not be read"),
        (
            b'[{"rule": "E0002", "level": "error", "line": 1, "column": 1, "path": [],'
            b' "message": "Unknown exception while processing rule E1"}]',
            "Unknown exception",
        ),
    ],
)
def test_cfn_lints_own_failure_is_a_note_and_no_error(out: bytes, words: str) -> None:
    running = lint.Lint(_Answered(out), "template.yaml")  # type: ignore[arg-type]
    report = running.report(1)
    assert report.errors == ()
    assert report.note is not None and words in report.note
    assert report.note.startswith("cfn-lint")


@pytest.mark.parametrize("serve", [True, False], ids=["served", "alone"])
def test_a_reading_that_breaks_off_is_a_note(
    serve: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both by a server's fork and in a process of its own: there is no memory for the text."""
    monkeypatch.setattr(lint, "MAX_MEMORY_BYTES", 1)
    monkeypatch.setattr(lint, "SERVES", serve)
    monkeypatch.setattr(lint, "_serving", None)
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE + f"# Read {serve}.\n" + "#\n" * 30_000_000)

    running = lint.start(path)
    report = running.report(60)
    running.close()
    lint._stop_serving()

    assert report.errors == ()
    assert report.note is not None and "it ended with" in report.note


def test_a_process_of_its_own_reads_the_same_where_the_server_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process sees that was forked from the server's owner: the line is dead."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE + "# Read by a server.\n")
    running = lint.start(path)
    served = running.report(60)
    running.close()
    monkeypatch.setattr(lint, "_serving", None)
    lint.warm_up()
    if (gone := lint._serving) is not None:
        lint._end(gone.process)
        gone.process.wait()
        monkeypatch.setattr(lint, "_serving", gone._replace(owner=-1))
    path.write_text(TEMPLATE + "# Read alone.\n")

    running = lint.start(path)

    assert isinstance(running._reading, lint._Alone)
    assert running.report(60) == served
    assert served.note is None
    running.close()
    if gone is not None:
        gone.line.close()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="asks /proc who is alive")
def test_the_server_ends_with_the_process_that_started_it() -> None:
    """Killed, too: it sees the end of its line."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    server = int(owner.stdout.readline())
    assert _alive(server)
    owner.kill()
    owner.communicate()

    waiter = threading.Event()
    for _ in range(1200):  # a generous bound, not a measurement
        if not _alive(server):
            break
        waiter.wait(0.05)
    assert not _alive(server)


OWNER = """
from grader.review import lint
lint.warm_up()
print(lint._serving.process.pid, flush=True)
input()
"""


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_file_that_is_not_there_is_not_lints_to_tell(tmp_path: Path) -> None:
    running = lint.start(tmp_path / "template.yaml")
    assert running.report(1) == lint.Report()
    running.close()


def test_a_template_that_was_read_before_is_not_read_again(tmp_path: Path) -> None:
    """The handler is edited more often than the template: its reading is remembered."""
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    first = lint.start(path)
    report = first.report(60)
    first.close()

    again = lint.start(path)

    assert again._reading is None
    assert again.report(0) == report
