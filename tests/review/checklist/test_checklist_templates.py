"""Templates of every kind get the right verdicts, and nothing ends in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader.cloud.template import NoTemplate, read
from grader.course.files import UsageError
from grader.desk.check import Checked, check, find
from grader.review.checklist import consumers

TEMPLATES = Path(__file__).parent / "templates"

# template → consumer → the verdicts that are worth naming
NOT_MET, UNKNOWN, MET, ASIDE = "not met", "cannot tell", "met", "not applicable"
EXPECTED: dict[str, dict[str, dict[str, str]]] = {
    "good.yaml": {"Mapping": {"alarm-lag": MET, "least-privilege": MET}},
    "bad.yaml": {
        "Mapping": {
            **dict.fromkeys(
                (
                    *("starting-position", "bounded-retries", "bounded-age", "partial-batch"),
                    *("failure-destination", "bisect", "event-counts", "own-table-loop", "runtime"),
                    *("timeout", "memory", "least-privilege", "alarm-lag", "alarm-silence"),
                    *("table-recovery", "table-kept", "log-retention", "tags"),
                ),
                NOT_MET,
            ),
            "stream-permission": MET,  # the role may do everything
            "view-type": MET,
            "destination-permission": ASIDE,
            "alarm-actions": ASIDE,
        }
    },
    # What is named alike is the same, although the name is unknown; a value from outside is open.
    "parameters.yaml": {
        "Mapping": {
            "starting-position": MET,
            "bounded-retries": UNKNOWN,
            "stream-permission": MET,
            "own-table-loop": MET,
            "timeout": MET,
            "alarm-lag": UNKNOWN,
            "alarm-errors": NOT_MET,
            "alarm-actions": NOT_MET,
            "table-recovery": NOT_MET,
        }
    },
    "imported.yaml": {
        "Mapping": {
            "starting-position": MET,
            "failure-destination": UNKNOWN,
            "destination-permission": UNKNOWN,
            "stream-permission": UNKNOWN,
            "view-type": UNKNOWN,
            "least-privilege": UNKNOWN,
            "table-recovery": UNKNOWN,
            "alarm-discards": NOT_MET,
            "runtime": MET,
        }
    },
    "intrinsics.yaml": {
        "Mapping": {
            "starting-position": MET,
            "bounded-retries": MET,
            "bounded-age": MET,
            "bisect": UNKNOWN,
            "partial-batch": MET,
            "view-type": MET,
            "destination-permission": MET,
            "stream-permission": MET,
            "timeout": MET,
            "table-recovery": UNKNOWN,
        }
    },
    "several.yaml": {
        "First": {"starting-position": MET, "readers-per-stream": NOT_MET},
        "Second": {"starting-position": NOT_MET, "readers-per-stream": NOT_MET},
        "Third": {"stream-permission": UNKNOWN, "view-type": MET},
    },
    "none.yaml": {},
    "nested.yaml": {
        "Mapping": {"starting-position": MET, "view-type": UNKNOWN, "alarm-lag": UNKNOWN}
    },
    "macros.yaml": {
        "Mapping": {
            "bounded-retries": UNKNOWN,
            "bounded-age": NOT_MET,
            "view-type": NOT_MET,  # the filter looks at an image that the stream does not carry
            "alarm-lag": UNKNOWN,
            "table-kept": MET,
            "table-recovery": UNKNOWN,
        }
    },
    "global-table.yaml": {
        "Mapping": {
            "view-type": MET,
            "table-recovery": NOT_MET,  # one replica lacks it
            "table-kept": MET,
            "runtime": UNKNOWN,
        }
    },
    "alias.yaml": {
        "Mapping": {"runtime": ASIDE, "timeout": MET, "partial-batch": ASIDE, "bisect": ASIDE}
    },
    "composite.yaml": {
        "Mapping": {
            "failure-destination": MET,
            "alarm-errors": MET,
            "alarm-discards": MET,
            "alarm-silence": NOT_MET,
            "alarm-actions": MET,
            "alarm-heard": NOT_MET,  # AWS's own key keeps CloudWatch out
            "alarms-sound": MET,
        }
    },
    "cdk.template.json": {
        "FnDynamoDBEventSource": {
            "starting-position": NOT_MET,
            "destination-permission": MET,
            "stream-permission": MET,
            "least-privilege": MET,
            "log-retention": MET,
            "table-kept": MET,
            "runtime": NOT_MET,
        }
    },
    "serverless-framework.json": {
        "OnWriteEventSourceMappingDynamodbOrders": {
            "mapping-enabled": MET,
            "stream-permission": MET,
            "least-privilege": NOT_MET,
            "log-retention": NOT_MET,
            "table-recovery": UNKNOWN,
        }
    },
    "sam.yaml": {
        "ConsumerChanges": {
            "starting-position": NOT_MET,
            "bounded-retries": MET,
            "partial-batch": MET,
            "destination-permission": MET,
            "stream-permission": MET,
            "own-table-loop": NOT_MET,
            "runtime": MET,
            "timeout": MET,
            "alarm-lag": UNKNOWN,
            "tags": NOT_MET,
        }
    },
    "sam-broken.yaml": {"ConsumerChanges": {"starting-position": MET, "alarm-lag": NOT_MET}},
}


@pytest.fixture(scope="module")
def checked() -> dict[str, Checked]:
    return {name: check(TEMPLATES / name) for name in EXPECTED}


def test_every_template_of_the_folder_is_expected_something_of() -> None:
    assert {one.name for one in TEMPLATES.iterdir()} == set(EXPECTED)
    assert len(EXPECTED) >= 15


@pytest.mark.parametrize("name", EXPECTED)
def test_verdicts(name: str, checked: dict[str, Checked]) -> None:
    report = checked[name].report
    assert [one.name for one in report.consumers] == list(EXPECTED[name])
    for consumer, expected in EXPECTED[name].items():
        found = {result.item.id: result.verdict for result in report.about(consumer)}
        assert {item: found[item] for item in expected} == expected


@pytest.mark.parametrize("name", EXPECTED)
def test_every_line_of_evidence_stands_in_the_file(name: str, checked: dict[str, Checked]) -> None:
    lines = (TEMPLATES / name).read_text(encoding="utf-8").splitlines()
    for result in checked[name].report.results:
        if result.verdict in (NOT_MET, UNKNOWN):
            assert result.evidence, result.item.id
        for evidence in result.evidence:
            assert lines[evidence.line - 1].strip() == evidence.quote != ""


def test_sam_evidence_points_at_what_was_written(checked: dict[str, Checked]) -> None:
    report = checked["sam.yaml"].report

    def quote(item: str) -> str:
        (result,) = report.of(item)
        return result.evidence[0].quote

    assert quote("starting-position") == "StartingPosition: LATEST"
    assert quote("timeout") == "Timeout: 30"  # of Globals
    assert quote("memory") == "MemorySize: 256"
    assert quote("bisect") == "Changes:"


def test_what_sam_refuses_and_no_item_needs_is_left_out_and_named(
    checked: dict[str, Checked],
) -> None:
    sentences = " ".join(one.sentence for one in checked["sam-broken.yaml"].remarks)
    assert "Api is left out" in sentences and "Layer is left out" in sentences


def test_without_the_translator_a_sam_template_is_answered_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("grader.cloud.template.sam.installed", lambda: False)
    with pytest.raises(UsageError, match=r"pip install 'streamlabs\[sam\]'"):
        check(TEMPLATES / "sam.yaml")


def test_a_parameter_given_decides_what_was_open() -> None:
    file = TEMPLATES / "parameters.yaml"
    report = check(file, parameters={"Retries": "5", "Threshold": "30"}).report
    assert report.of("bounded-retries")[0].verdict == MET
    assert "milliseconds" in report.of("alarm-lag")[0].detail


WRONG = {
    "main.tf": ('resource "aws_dynamodb_table" "t" {}', "Terraform"),
    "plan.json": ('{"format_version": "1.2", "terraform_version": "1.9"}', "Terraform"),
    "serverless.yml": ("service: shop\nprovider: {name: aws}\nfunctions: {}\n", "serverless package"),
    "deployment.yaml": ("apiVersion: v1\nkind: Service\n", "Kubernetes"),
    "cdk.json": ('{"app": "python app.py"}', "cdk synth"),
    "empty.yaml": ("", "empty"),
    "list.yaml": ("- a\n- b\n", "list"),
    "text.yaml": ("hello\n", "single value"),
    "tabs.yaml": ("Resources:\n\tA: {}\n", "tab"),
    "open.json": ('{"Resources": {', "cannot be checked"),
    "two.yaml": ("Resources: {}\n---\nResources: {}\n", "second YAML document"),
    "no-resources.yaml": ("Parameters: {}\n", "no section Resources"),
    "resources.yaml": ("Resources: [1]\n", "no mapping"),
    "nul.yaml": ("Resources:\0", "NUL"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_template_is_answered_with_a_sentence(name: str, tmp_path: Path) -> None:
    text, words = WRONG[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=words) as caught:
        check(tmp_path / name)
    assert str(caught.value).endswith(".") and name in str(caught.value)


def test_bytes_that_are_no_text_and_files_too_large_are_answered_with_a_sentence(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.yaml").write_bytes(b"Resources: \xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        check(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_bytes(b"#" * 1_100_000)
    with pytest.raises(UsageError, match="at most"):
        check(tmp_path / "b.yaml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_obstacle(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_bytes((TEMPLATES / "several.yaml").read_text(encoding="utf-8").encode(encoding))
    assert len(check(file).report.consumers) == 3


def test_a_key_that_stands_twice_is_a_remark(tmp_path: Path) -> None:
    text = (TEMPLATES / "several.yaml").read_text(encoding="utf-8")
    file = tmp_path / "template.yaml"
    file.write_text(text + "Outputs: {}\nOutputs: {}\n", encoding="utf-8")
    done = check(file)
    assert len(done.report.consumers) == 3
    assert "already stands" in done.remarks[0].sentence


def test_a_folder_stands_for_the_one_template_in_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no"):
        find(tmp_path)
    (tmp_path / "Shop.template.json").write_text("{}")
    assert find(tmp_path).name == "Shop.template.json"
    (tmp_path / "template.yml").write_text("")
    assert find(tmp_path).name == "template.yml"
    (tmp_path / "template.json").write_text("")
    with pytest.raises(UsageError, match=r"several templates \(template.yml, template.json\)"):
        find(tmp_path)
    with pytest.raises(UsageError, match="There is no file"):
        find(tmp_path / "absent.yaml")


SOURCES = {
    "!Ref TableStreamArn": 1,
    "!ImportValue orders-ddb-stream": 1,
    "!GetAtt Data.Outputs.Stream": 1,
    "!Ref KinesisStreamArn": 0,
    "!Ref QueueArn": 0,
    "arn:aws:kinesis:us-east-1:111111111111:stream/s": 0,
    "arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/l": 1,
    "!Sub 'arn:aws:dynamodb:${R}:1:table/${T}/stream/${L}'": 1,
    "!Ref Source": 1,  # it starts somewhere, and nothing says that it is something else
    "[1]": 0,
    "{a: b}": 0,
}


@pytest.mark.parametrize("source, count", SOURCES.items())
def test_a_source_given_from_outside_is_judged_by_its_name(source: str, count: int) -> None:
    text = (
        "Resources:\n  Data: {Type: AWS::CloudFormation::Stack}\n  M:\n"
        "    Type: AWS::Lambda::EventSourceMapping\n    Properties:\n"
        f"      FunctionName: f\n      StartingPosition: LATEST\n      EventSourceArn: {source}\n"
    )
    assert len(consumers(read(text))) == count


def test_text_that_is_no_template_raises_only_no_template() -> None:
    with pytest.raises(NoTemplate):
        read(json.dumps({"Resources": 3}))
