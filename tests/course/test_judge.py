"""What a grade promises whatever the files contain: a verdict, the same one, without a trace."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import pytest

from grader.cloud.function import HangBudget, Limits, Nursery, told
from grader.cloud.function.environment import RealLimit
from grader.cloud.pipeline import Pipeline
from grader.course import judge, lab
from grader.course.grade import Grade

ROOT = Path(__file__).parents[2]
LAB2 = lab.find("2")
# Values of the right shape that belong to nobody: AWS's own documentation prints them.
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

GRADE = ("-m", "grader", "grade", "2", "--json")

Edit = Callable[[str], str]


def _grade(
    place: Path, nursery: Nursery, *, handler: Edit | None = None, template: Edit | None = None
) -> Grade:
    """Grade lab 2's solution with one file edited."""
    shutil.copytree(LAB2.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    for name, edit in (("handler.py", handler), ("template.yaml", template)):
        if edit is not None:
            text = edit((place / name).read_text(encoding="utf-8"))
            (place / name).write_text(text, encoding="utf-8")
    return judge.grade(LAB2, place, nursery=nursery)


def _command(place: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *GRADE, "--path", str(place), *more],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.played
def test_the_same_files_and_seed_give_the_same_document_byte_for_byte() -> None:
    """Also under another hash seed, another home and another locale."""
    one = _command(LAB2.starter, PYTHONHASHSEED="1", HOME="/nowhere")
    other = _command(LAB2.starter, PYTHONHASHSEED="2", LANG="tr_TR.UTF-8", TZ="Asia/Kolkata")

    assert (one.returncode, other.returncode) == (1, 1), one.stderr + other.stderr
    assert one.stdout == other.stdout
    assert json.loads(one.stdout)["schema"] == "labs/grade/v1"


def test_another_seed_plays_other_amounts_and_finds_the_same(
    tmp_path: Path, nursery: Nursery
) -> None:
    outcomes = [
        [
            (v.criterion.id, v.outcome)
            for v in judge.grade(LAB2, LAB2.starter, seed=seed, nursery=nursery).verdicts
        ]
        for seed in (0, 1)
    ]

    assert outcomes[0] == outcomes[1]


@pytest.mark.played
@pytest.mark.skipif(sys.platform != "linux", reason="network namespaces are Linux's")
def test_a_grade_needs_no_network_and_no_profile() -> None:
    """In a network namespace without any interface, with a profile that does not exist."""
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this machine permits no network namespaces")
    done = subprocess.run(
        ["unshare", "-rn", sys.executable, *GRADE, "--path", str(LAB2.solution)],
        cwd=ROOT,
        env={
            **os.environ,
            "AWS_PROFILE": "there-is-no-such-profile",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": "http://192.0.2.1",
        },
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["score"] == 100
    assert KEY_ID not in done.stdout + done.stderr


@pytest.mark.played
def test_the_callers_credentials_never_reach_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in its environment nor in the files that AWS clients read."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("COMPANY_TOKEN", SECRET)
    shutil.copytree(LAB2.solution, tmp_path / "lab")
    (tmp_path / "lab" / "handler.py").write_text(
        "import os\n"
        "from pathlib import Path\n\n\n"
        "def handler(event, context):\n"
        "    places = [Path.home(), Path('/root'), Path('/home')]\n"
        "    found = [str(p) for place in places for p in place.glob('**/.aws/*')]\n"
        "    return {'environment': dict(os.environ), 'files': found}\n"
    )
    template = tmp_path / "lab" / "template.yaml"
    with (
        closing(Nursery.start()) as nursery,
        Pipeline.deploy(template, nursery=nursery) as deployed,
    ):
        result = deployed.deliver("TotalsFunction", []).result

    assert result is not None and result.kind == "returned", result
    text = json.dumps(result.payload)
    assert KEY_ID not in text
    assert SECRET not in text
    assert "AWS_PROFILE" not in result.payload["environment"]
    assert result.payload["files"] == []


def _replaced(old: str, new: str) -> Edit:
    def edit(text: str) -> str:
        assert old in text, f"{old!r} is not in the solution any more"
        return text.replace(old, new, 1)

    return edit


BAD_TEMPLATES: dict[str, tuple[Edit, str]] = {
    "a tab": (_replaced("  Orders:", "\tOrders:"), r"tab"),
    "a key twice": (
        _replaced("      BatchSize: 100", "      BatchSize: 100\n      BatchSize: 10"),
        r"BatchSize.*twice|duplicate|already",
    ),
    "a circle": (
        _replaced("  FailedRecords:\n", "  FailedRecords:\n    DependsOn: TotalsFunction\n"),
        r"wait for each other: FailedRecords",
    ),
    "something missing": (
        _replaced("!Ref TotalsFunction", "!Ref TotalFunction"),
        r"TotalsFunction",
    ),
    "a destination that takes no notes": (
        _replaced("AWS::SQS::Queue", "AWS::Kinesis::Stream"),
        r"belongs to kinesis",
    ),
    "a value AWS refuses": (_replaced("BatchSize: 100", "BatchSize: 100000"), r"10,?000"),
    "a property misspelt": (
        _replaced("MaximumRetryAttempts:", "MaximumRetryAttemps:"),
        r"MaximumRetryAttempts",
    ),
    "an action misspelt": (_replaced("- dynamodb:GetRecords", "- GetRecords"), r"GetRecords"),
    "code elsewhere": (_replaced("Code: .", "Code: src/lambda"), r"src/lambda|packaged"),
    "no mapping": (lambda text: text.replace("OrdersToTotals", "Trigger"), r"OrdersToTotals"),
}


@pytest.mark.parametrize("name", BAD_TEMPLATES)
def test_a_template_that_cannot_be_deployed_is_told_once_with_its_line(
    name: str, tmp_path: Path, nursery: Nursery
) -> None:
    edit, told = BAD_TEMPLATES[name]

    grade = _grade(tmp_path / "lab", nursery, template=edit)

    assert not grade.broken
    unmet = [v for v in grade.verdicts if v.outcome == "unmet"]
    assert len(unmet) == 1
    finding = unmet[0].finding
    assert finding is not None
    assert re.search(told, finding.expected + finding.observed), finding
    assert finding.where.startswith("template.yaml")
    assert "Traceback" not in finding.observed
    # What is read on the role alone may still be met when only the deployment was refused.
    rest = [v for v in grade.verdicts if v is not unmet[0] and v.criterion.id != "role-tight"]
    assert {v.outcome for v in rest} == {"unreached"}


BAD_HANDLERS: dict[str, tuple[Edit, str]] = {
    "a syntax error": (_replaced("def handler(", "def handler)"), r"SyntaxError"),
    "no handler": (_replaced("def handler(", "def handle("), r"HandlerNotFound.*handler"),
    "an import that fails": (_replaced("import boto3", "import bota3"), r"No module named 'bota3'"),
    "an error while it loads": (_replaced("import boto3", "import boto3\n1 / 0"), r"ZeroDivision"),
    "a wrong signature": (
        _replaced("def handler(event, context):", "def handler(event):"),
        r"takes 1 positional argument",
    ),
}


@pytest.mark.parametrize("name", BAD_HANDLERS)
def test_a_handler_that_cannot_run_is_told_in_the_words_of_lambda(
    name: str, tmp_path: Path, nursery: Nursery
) -> None:
    edit, told = BAD_HANDLERS[name]

    grade = _grade(tmp_path / "lab", nursery, handler=edit)

    assert not grade.broken
    findings = [v.finding for v in grade.verdicts if v.outcome == "unmet" and v.finding]
    assert any(re.search(told, finding.observed) for finding in findings), findings
    assert not any(str(tmp_path) in finding.observed for finding in findings)


def test_only_what_was_asked_for_is_decided_and_counted(nursery: Nursery) -> None:
    grade = judge.grade(LAB2, LAB2.solution, only=["role-tight"], nursery=nursery)

    assert 3 == grade.score == grade.max_score
    assert grade.passed
    assert {"role-tight"} == {v.criterion.id for v in grade.verdicts if v.outcome != "skipped"}
    assert all(v.finding is None for v in grade.verdicts if v.outcome == "skipped")


def test_a_fault_of_the_grader_costs_no_points_and_is_no_pass(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grader.course.stage import Stage

    def fail(self: Stage, scenario: Callable[[Stage], Any]) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Stage, "play", fail)

    grade = judge.grade(LAB2, LAB2.solution, nursery=nursery)

    assert grade.broken
    assert grade.exit_code == 3
    assert grade.document()["status"] == "broken"
    assert grade.score == grade.max_score < 100
    assert not grade.passed


def _anchors(page: Path) -> set[str]:
    """The anchors that MkDocs makes of a page: explicit ids, and headings."""
    found = set(re.findall(r"\{\s*#([\w-]+)", page.read_text(encoding="utf-8")))
    for heading in re.findall(r"^#+ (.+?)(?:\s*\{.*)?$", page.read_text("utf-8"), re.MULTILINE):
        plain = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
        found.add(re.sub(r"[\s-]+", "-", plain))
    return found


def _named(source: Path) -> set[str]:
    """The anchors of the lab's own page that a checks module names."""
    text = re.sub(r'"reference/[\w-]+#[\w-]+"', "", source.read_text(encoding="utf-8"))
    return set(re.findall(r'#([a-z][\w-]+)"', text)) | set(re.findall(r'anchor="([\w-]+)"', text))


@pytest.mark.parametrize("chosen", lab.labs(), ids=lambda chosen: chosen.name)
def test_every_page_and_anchor_that_a_finding_names_exists(chosen: lab.Lab) -> None:
    course = ROOT / "grader" / "course"
    sources = [*course.glob(f"labs/lab{chosen.number:02}/*.py"), course / "stage.py"]
    page = ROOT / "docs" / f"{chosen.page}.md"

    anchors = set().union(*(_named(source) for source in sources))

    assert anchors
    assert anchors <= _anchors(page)


def test_every_reference_page_that_a_finding_names_exists() -> None:
    named = set()
    for source in (ROOT / "grader" / "course").rglob("*.py"):
        named |= set(re.findall(r'"(reference/[\w-]+)(?:#([\w-]+))?"', source.read_text("utf-8")))

    assert named
    for name, anchor in named:
        page = ROOT / "docs" / f"{name}.md"
        assert page.is_file(), name
        assert not anchor or anchor in _anchors(page), (name, anchor)


def test_the_page_of_limits_and_the_words_of_findings_know_every_limit() -> None:
    """The figures on the page are the judge's, and each limit that can be met has its words."""
    page = (ROOT / "docs" / "reference" / "limits.md").read_text(encoding="utf-8")
    limits = Limits()

    for figure in (
        f"{limits.cpu_seconds:g} s of CPU time",
        f"{limits.blocked_seconds:g} s |",
        f"{limits.memory_bytes >> 20} MB resident",
        f"{limits.log_bytes >> 20} MB and {limits.log_lines:,} lines",
        f"| {limits.output_bytes >> 20} MB |",
        f"| {limits.calls:,} |",
        f"| {limits.processes} at once |",
        f"| {limits.file_bytes >> 20} MB each, {limits.tmp_bytes >> 20} MB in `/tmp` |",
    ):
        assert figure in page, figure
    for limit in get_args(RealLimit):
        assert told(limit, limits).endswith("the labs stop there")
    budget = HangBudget()
    assert f"| {budget.cpu_allowed:g} s of CPU time in all |" in page
    assert f"| {budget.calls_allowed:,} in all |" in page
