"""The fixture `pipeline` that the package offers, in projects of its own, each run by pytest."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

# Loaded once here, not once for each project: pytester forgets what its runs have imported.
import grader.cloud.pipeline  # noqa: F401
from grader.desk.pytest_plugin import SETTINGS
from grader.desk.testing import Setup

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/test-your-own-stack.md").read_text(encoding="utf-8")


def of_the_page(title: str) -> str:
    """A file as it stands on the page."""
    found = re.search(rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```$', PAGE, re.M | re.S)
    assert found
    return found[1]


@pytest.fixture(name="project")
def _project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with the page's template and handler, and no settings."""
    # The plugin is named at each run, whether or not this environment has it as an entry point.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for title in ("template.yaml", "handler.py"):
        (pytester.path / title).write_text(of_the_page(title), encoding="utf-8")
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "grader.desk.pytest_plugin", *options)


def test_the_package_offers_the_plugin_to_pytest() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    offered = settings["project"]["entry-points"]["pytest11"]
    assert offered == {"streamlabs": "grader.desk.pytest_plugin"}


@pytest.mark.played
def test_each_test_gets_the_stack_afresh_and_enabled(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\npipeline_template = template.yaml\n")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("time", [1, 2])
        def test_fresh(pipeline, time):
            assert pipeline.mapping("Mapping").state == "Enabled"
            assert pipeline.item("Orders", {"id": "o-1"}) is None
            pipeline.put("Orders", {"id": "o-1", "amount": 5})
            pipeline.run_for(seconds=5)
            assert len(pipeline.invocations("Checker")) == 1
        """
    )
    run(project).assert_outcomes(passed=2)


SAID = """
parameters = ["Start=TRIM_HORIZON", "Text = a=b"]
ssm = ["/shop/currency=EUR"]
secrets = ["shop=hush"]
functions = ["Checker=lib"]
layers = ["Checker="]
tables = ["orders=merchant:S id:N"]
load = ["Orders=items.json"]
seed = {}
ready = {}
"""


@pytest.mark.played
@pytest.mark.parametrize("where", ["pytest.ini", "tool.pytest.ini_options", "tool.pytest"])
def test_settings_describe_the_stack_and_conftest_adds_what_is_python(
    project: pytest.Pytester, where: str
) -> None:
    """The same in each of pytest's files: what is text comes from there, a stand-in from Python."""
    numbers = ("3", "false") if where == "tool.pytest" else ('"3"', '"false"')
    said = SAID.format(*numbers).replace("\n", "\npipeline_").removesuffix("pipeline_")
    if where == "pytest.ini":
        said = re.sub(r'\[?"(.*?)",? ?\]?', r"\n    \1", said)
        project.makeini(f"[pytest]\npipeline_template = template.yaml\n{said}")
    elif where == "tool.pytest" and pytest.version_tuple < (9,):
        pytest.skip("pytest reads tool.pytest from version 9 on")
    else:
        project.makepyprojecttoml(f'[{where}]\npipeline_template = "template.yaml"\n{said}')
    (project.path / "items.json").write_text('[{"id": "o-0", "amount": 0.5}]')
    project.mkdir("lib").joinpath("handler.py").write_text("def handler(event, context): pass\n")
    template = (project.path / "template.yaml").read_text(encoding="utf-8")
    (project.path / "template.yaml").write_text(
        "Parameters: {Start: {Type: String}, Text: {Type: String}}\n"
        + template.replace("StartingPosition: TRIM_HORIZON", "StartingPosition: !Ref Start")
    )
    project.makeconftest(
        """
        from dataclasses import replace
        import pytest

        @pytest.fixture(scope="session")
        def pipeline_setup(pipeline_setup):
            return replace(pipeline_setup, answers={"ses:SendEmail": print})
        """
    )
    project.makepyfile(
        """
        from decimal import Decimal
        from pathlib import Path

        def test_said(pipeline, pipeline_setup):
            assert pipeline.item("Orders", {"id": "o-0"})["amount"] == Decimal("0.5")
            assert pipeline.seed == 3 and pipeline.mapping("Mapping").state == "Creating"
            said = pipeline_setup
            assert said.parameters == {"Start": "TRIM_HORIZON", "Text": "a=b"}
            assert (said.ssm, said.secrets) == ({"/shop/currency": "EUR"}, {"shop": "hush"})
            assert said.functions == {"Checker": Path("lib")} and said.layers == {"Checker": None}
            assert said.tables == {"orders": {"merchant": "S", "id": "N"}}
            assert list(said.answers) == ["ses:SendEmail"]
        """
    )
    run(project).assert_outcomes(passed=1)


def test_each_field_of_a_setup_that_can_be_text_has_a_setting() -> None:
    """Hooks are Python; whatever else a Setup has stands in the table of settings."""
    assert set(SETTINGS) == {one.name for one in fields(Setup)} - {"answers"}


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("parameters = Stage", "pipeline_parameters: 'Stage': a line is NAME=VALUE"),
        ("load = Orders=none.json", "pipeline_load: 'Orders=none.json': *No such file*none.json*"),
        ("load = Orders=template.yaml", "pipeline_load: 'Orders=template.yaml': Expecting value*"),
        ("tables = orders=merchant", "*a key is an attribute and its type, like merchant:S"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(
    project: pytest.Pytester, setting: str, sentence: str
) -> None:
    project.makeini(f"[pytest]\npipeline_template = template.yaml\npipeline_{setting}\n")
    project.makepyfile("def test_it(pipeline_setup): pass")
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{sentence}"])


@pytest.mark.played
def test_the_marker_names_template_code_and_seed(project: pytest.Pytester) -> None:
    folder = project.mkdir("infra")
    (project.path / "template.yaml").rename(folder / "stack.yaml")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.pipeline("infra/stack.yaml", code=".", seed=7, ready=False)
        def test_marked(pipeline):
            assert pipeline.seed == 7
            assert pipeline.mapping("Mapping").state == "Creating"
        """
    )
    run(project, "--strict-markers").assert_outcomes(passed=1)


@pytest.mark.played
def test_without_a_template_the_error_says_how_to_name_one(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(pipeline): pass")
    result = run(project)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*pipeline_template*"])


@pytest.mark.played
def test_what_cannot_be_deployed_fails_the_test_in_one_sentence(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\npipeline_template = missing.yaml\n")
    project.makepyfile("def test_it(pipeline): pass")
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*missing.yaml cannot be deployed*"])


@pytest.mark.played
@pytest.mark.parametrize("allowed", [False, True])
def test_a_mapping_that_aws_would_refuse_fails_the_test_unless_it_is_expected(
    project: pytest.Pytester, allowed: bool
) -> None:
    text = (project.path / "template.yaml").read_text(encoding="utf-8")
    (project.path / "template.yaml").write_text(text.replace("dynamodb:GetRecords, ", ""))
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.pipeline("template.yaml", refused={allowed})
        def test_refused(pipeline):
            assert pipeline.refusals["Mapping"].parameter == "FunctionName"
        """
    )
    result = run(project)
    if allowed:
        result.assert_outcomes(passed=1)
    else:
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*AWS would refuse Mapping: *Cannot access stream*"])


def test_a_projects_own_fixture_of_that_name_takes_its_place(project: pytest.Pytester) -> None:
    project.makeconftest("import pytest\n@pytest.fixture\ndef pipeline(): return 'ours'\n")
    project.makepyfile("def test_it(pipeline): assert pipeline == 'ours'")
    run(project).assert_outcomes(passed=1)


def test_a_run_that_does_not_use_it_imports_nothing_of_it(tmp_path: Path) -> None:
    """pytest alone, with the plugin: neither boto3 nor moto nor hypothesis nor the emulator."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other():\n"
        "    heavy = {'boto3', 'botocore', 'moto', 'yaml', 'hypothesis', 'grader.cloud.mapping', 'grader.cloud.pipeline'}\n"
        "    assert not heavy & set(sys.modules)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "grader.desk.pytest_plugin",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_judge_does_not_load_plugins() -> None:
    """A grade disables plugin autoload, so that the fixture is not active inside it."""
    source = (ROOT / "grader/course/judge.py").read_text(encoding="utf-8")
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in source


ALARM = """
  People:
    Type: AWS::SNS::Topic
    Properties: {Subscription: [{Protocol: email, Endpoint: on-call@example.com}]}
  Failing:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: !Ref Checker}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      AlarmActions: [!Ref People]
"""


@pytest.mark.played
def test_a_failed_test_leaves_the_page_of_its_run(project: pytest.Pytester) -> None:
    """Only with the option, only for tests that fail, with what had happened by then and rung."""
    project.makeini("[pytest]\npipeline_template = template.yaml\n")
    with (project.path / "template.yaml").open("a", encoding="utf-8") as template:
        template.write(ALARM)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("amount", [5, -1])
        def test_no_note(pipeline, amount):
            pipeline.put("Orders", {"id": "o-1", "amount": amount})
            pipeline.run_for(minutes=5)
            assert pipeline.notes("Mapping") == []
        """
    )
    run(project, "--streamlabs-replay", "pages").assert_outcomes(passed=1, failed=1)
    [page] = (project.path / "pages").iterdir()
    assert page.name.endswith("test_no_note--1.html")
    text = page.read_text(encoding="utf-8")
    assert "test_no_note[-1]" in text and "a negative amount" in text
    assert "given up, with a note" in text and "RetryAttemptsExhausted" in text
    assert "What the alarms did" in text and '<th scope="row">Failing</th><td>ALARM</td>' in text
    assert "told by email" in text


@pytest.mark.played
def test_one_definition_in_a_conftest_gives_every_test_its_stack(
    project: pytest.Pytester,
) -> None:
    """Items and template come from it; the questions are answered; a failure says what was seen."""
    with (project.path / "template.yaml").open("a", encoding="utf-8") as template:
        template.write(ALARM)
    project.makeconftest(
        """
        import pytest
        from grader.desk.testing import Setup

        @pytest.fixture(scope="session")
        def pipeline_setup():
            return Setup("template.yaml", seed=3, load={"Orders": [{"id": "o-0", "amount": -1}]})
        """
    )
    project.makepyfile(
        """
        import pytest
        from grader.desk.testing import alarms, eventually, lag

        def test_answers(pipeline):
            assert pipeline.seed == 3
            [note] = eventually(pipeline, lambda: pipeline.notes("Mapping"))
            assert lag(pipeline, "Mapping") == 0
            pipeline.run_for(minutes=5)
            assert list(alarms(pipeline)) == ["Failing"]
            pipeline.update_mapping("Mapping", Enabled=False)
            pipeline.run_for(minutes=2)
            pipeline.put("Orders", {"id": "o-1", "amount": 1})
            pipeline.run_for(minutes=3)
            assert lag(pipeline, "Mapping") == 180
            with pytest.raises(AssertionError, match="within 2 minutes of virtual.*last seen: None"):
                eventually(pipeline, lambda: pipeline.item("Orders", {"id": "o-2"}), minutes=2)

        @pytest.mark.pipeline(seed=4, load={})
        def test_marked(pipeline):
            assert pipeline.seed == 4 and pipeline.item("Orders", {"id": "o-0"}) is None
        """
    )
    run(project).assert_outcomes(passed=2)
