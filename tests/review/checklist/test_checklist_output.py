"""The report as text, JSON and SARIF, and the exit codes of `labs check`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from grader.desk.check import check, text
from grader.desk.cli import main
from grader.maintain import pages
from grader.review.checklist import ITEMS, VERDICTS, output

TEMPLATES = Path(__file__).parent / "templates"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["check", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def place(name: str) -> str:
    return str(TEMPLATES / name)


def test_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, place("good.yaml"))[0] == 0
    assert run(capsys, place("bad.yaml"))[0] == 1
    assert run(capsys, place("none.yaml"))[0] == 2
    assert run(capsys, place("absent.yaml"))[0] == 2
    assert run(capsys, place("good.yaml"), "--skip", "nonsense")[0] == 2
    assert run(capsys, place("good.yaml"), "--parameter", "nonsense")[0] == 2
    assert run(capsys, place("good.yaml"), "--parameter", "No=1")[0] == 2


def test_what_cannot_be_told_counts_unless_it_is_allowed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = (TEMPLATES / "good.yaml").read_text(encoding="utf-8")
    file = tmp_path / "template.yaml"
    file.write_text(good.replace("MaximumRetryAttempts: 3", "MaximumRetryAttempts: !Ref N"))
    assert run(capsys, str(file))[0] == 1
    assert run(capsys, str(file), "--allow-unknown")[0] == 0
    assert run(capsys, str(file), "--skip", "bounded-retries")[0] == 0


def test_a_fault_of_ours_is_three_and_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("grader.desk.check.review", broken)
    code, out, err = run(capsys, place("good.yaml"))
    assert (code, out) == (3, "")
    assert "our fault" in err and "Traceback" not in err


@pytest.mark.parametrize("name", sorted(one.name for one in TEMPLATES.iterdir()))
def test_the_text_keeps_to_80_columns_and_says_every_verdict_in_words(name: str) -> None:
    checked = check(TEMPLATES / name)
    for verbose in (False, True):
        lines = text(checked, verbose=verbose).splitlines()
        # A path that is longer than a line stays whole, so that it can be opened.
        assert [line for line in lines if len(line) > 80 and str(TEMPLATES) not in line] == []
    for consumer in checked.report.consumers:
        assert consumer.name in "\n".join(lines)
    for verdict in VERDICTS:
        if checked.report.count(verdict):
            assert verdict in "\n".join(lines)


def test_the_text_begins_with_the_worst() -> None:
    heads = re.findall(
        r"^  [x?+-] (.+?)  (\w+)  ", text(check(TEMPLATES / "parameters.yaml"), verbose=True), re.M
    )
    order = [
        (VERDICTS.index(verdict), ("critical", "important", "advice").index(severity))
        for verdict, severity in heads
    ]
    assert order == sorted(order) and len(order) == len(ITEMS)


def test_json_is_one_document_with_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, place("sam.yaml"), "--json")
    data = json.loads(out)
    assert (code, err) == (1, "")
    assert (data["schema"], data["passed"]) == ("labs/check/v1", False)
    (consumer,) = data["consumers"]
    assert (consumer["name"], consumer["function"], consumer["table"]) == (
        "ConsumerChanges",
        "Consumer",
        "Orders",
    )
    assert [item["id"] for item in consumer["items"]] == [item.id for item in ITEMS]
    assert sum(data["summary"].values()) == len(ITEMS)
    assert data["hidden"] == [{"line": 48, "sentence": "Nested is another template"}]
    assert "\ue000" not in out and out.isascii()


def test_json_without_a_consumer_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, place("none.yaml"), "--json")
    data = json.loads(out)
    assert (code, data["consumers"], data["passed"]) == (2, [], False)


def sarif_problems(log: dict[str, Any], lines: int) -> list[str]:
    """What SARIF 2.1.0 requires of the members that are used here, hand-written from its schema."""
    problems = []
    if log["version"] != "2.1.0" or set(log) != {"$schema", "version", "runs"}:
        problems.append("log")
    (run_,) = log["runs"]
    rules = run_["tool"]["driver"]["rules"]
    for rule in rules:
        for member in ("shortDescription", "fullDescription", "help"):
            if not rule[member]["text"]:
                problems.append(f"{rule['id']}: {member}")
        if rule["defaultConfiguration"]["level"] not in ("none", "note", "warning", "error"):
            problems.append(f"{rule['id']}: level")
    for result in run_["results"]:
        if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
            problems.append("ruleIndex")
        # A level other than none goes with the kind fail only (3.27.10).
        if (result["kind"] == "fail") != (result["level"] != "none"):
            problems.append("kind and level")
        if not result["message"]["text"] or len(result["locations"]) != 1:
            problems.append("message or locations")
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            physical = location["physicalLocation"]
            if not 1 <= physical["region"]["startLine"] <= lines:
                problems.append("startLine")
            if physical["artifactLocation"]["uri"] != run_["artifacts"][0]["location"]["uri"]:
                problems.append("uri")
    return problems


@pytest.mark.parametrize("name", ["bad.yaml", "sam.yaml", "several.yaml", "none.yaml"])
def test_sarif_is_valid_and_holds_what_is_open(name: str) -> None:
    report = check(TEMPLATES / name).report
    log = json.loads(output.sarif(report, items=ITEMS, uri="a b/template.yaml"))
    lines = len((TEMPLATES / name).read_text(encoding="utf-8").splitlines())
    assert sarif_problems(log, lines) == []
    results = log["runs"][0]["results"]
    assert len(results) == report.count("not met") + report.count("cannot tell")
    prints = [result["partialFingerprints"]["consumerAndItem/v1"] for result in results]
    assert len(set(prints)) == len(prints)
    assert log["runs"][0]["artifacts"][0]["location"]["uri"] == "a%20b/template.yaml"


def test_sarif_goes_into_a_file_beside_the_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "out.sarif"
    code, out, _ = run(capsys, place("bad.yaml"), "--sarif", str(file))
    assert code == 1 and "not met" in out
    assert json.loads(file.read_text(encoding="utf-8"))["version"] == "2.1.0"
    code, out, _ = run(capsys, place("bad.yaml"), "--sarif", "-")
    assert json.loads(out)["version"] == "2.1.0"
    assert run(capsys, place("bad.yaml"), "--sarif", str(tmp_path / "no" / "x"))[0] == 2
    assert run(capsys, place("bad.yaml"), "--sarif", "-", "--json")[0] == 2


def test_the_reference_page_has_a_part_for_every_item() -> None:
    page = pages.checklist_reference()
    for item in ITEMS:
        assert f"## `{item.id}` {{ #{item.id} }}" in page
        assert item.page == f"reference/production-checklist-items#{item.id}"


def test_no_item_text_holds_a_mark_of_an_unknown_value() -> None:
    for name in ("parameters.yaml", "imported.yaml", "macros.yaml"):
        checked = check(TEMPLATES / name)
        assert "\ue000" not in text(checked, verbose=True)


def test_a_consumer_behind_a_false_condition_is_spoken_of(tmp_path: Path, capsys: Any) -> None:
    """The file has a consumer, and with these parameters it does not exist."""
    path = tmp_path / "template.yaml"
    path.write_text(
        """
Parameters: {Live: {Type: String, Default: "no"}}
Conditions: {IsLive: !Equals [!Ref Live, "yes"]}
Resources:
  Reads:
    Type: AWS::Lambda::EventSourceMapping
    Condition: IsLive
    Properties:
      EventSourceArn: arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026-01-01T00:00:00.000
      FunctionName: totals
      StartingPosition: LATEST
"""
    )
    main(["check", str(path)])
    told = " ".join(capsys.readouterr().out.split())
    assert "false here: IsLive" in told and "--parameter NAME=VALUE" in told
