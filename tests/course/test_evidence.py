"""What a grade's findings speak of: which play, which moment, each play once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from grader.cloud.function import Nursery
from grader.course import judge
from grader.course.evidence import Evidence, here
from grader.course.grade import Grade
from grader.course.lab import find
from grader.replay import run

Graded = tuple[Grade, Evidence]
ASKED = ("start-position", "once-redelivered", "bad-record-kept", "shard-moves-on", "role-tight")


@pytest.fixture(scope="module", name="starter")
def _starter(nursery: Nursery) -> Graded:
    """Lab 2's untouched starter, and what some of its findings speak of."""
    lab = find("2")
    return judge.grade_seen(lab, lab.starter, nursery=nursery, only=ASKED)


def test_every_play_that_lost_a_criterion_is_one_document(starter: Graded) -> None:
    """Valid, each once, however many findings lead to it, and nothing else is kept."""
    grade, evidence = starter
    names = [one["scenario"] for one in evidence.documents]
    assert names == ["through the mapping", "same batch again", "bad records"]
    schema = json.loads(Path(run.SCHEMA_FILE).read_text(encoding="utf-8"))
    for document in evidence.documents:
        jsonschema.validate(document, schema)
    assert {one.criterion.id for one in grade.asked} == set(ASKED) == set(evidence.sights)


def test_each_finding_leads_to_its_moment(starter: Graded) -> None:
    """To its invocation, to what became of a record that it names; without a play to nowhere."""
    _, evidence = starter
    told = {}
    for criterion, (sight, *_) in evidence.sights.items():
        if sight is None:
            told[criterion] = "nowhere"
            continue
        play = evidence.documents[sight.document]["plays"][sight.play]
        assert 0 <= sight.at <= play["length"]
        told[criterion] = f"{play['title']}. {' '.join(here(play, sight))}"
    assert told["role-tight"] == "nowhere"
    assert re.fullmatch(
        r"same batch again\. At [\d:.]+: invocation \d+ of TotalsFunction\. "
        r"delivery \d+, attempt 2: done\.",
        told["once-redelivered"],
    )
    assert "through the mapping" in told["start-position"]
    assert "what became of o-1 of early-1" in told["start-position"]
    assert "bad records" in told["bad-record-kept"]
    assert "what became of bad-1 of acme" in told["bad-record-kept"]
    assert "failed, comes again" in told["bad-record-kept"]
    assert "what became of o-1 of late-1" in told["shard-moves-on"]


def test_an_incident_is_shown_with_the_play_that_it_was(nursery: Nursery) -> None:
    """The stack's whole play, its alarms, and by when a person must have been paged."""
    lab = find("3")
    grade, evidence = judge.grade_seen(lab, lab.starter, nursery=nursery, only=["pages-bad-order"])
    (sight,) = evidence.sights["pages-bad-order"]
    assert grade.asked[0].outcome == "unmet" and sight is not None
    play = evidence.documents[sight.document]["plays"][sight.play]
    assert play["records"] and play["batches"] and play["figures"]
    assert [sight.at, "a person must have been paged"] in [
        [one["at"], one["what"]] for one in play["moments"]
    ]


def test_files_that_cannot_be_deployed_leave_nothing_to_look_at(
    nursery: Nursery, tmp_path: Path
) -> None:
    """Their findings stand alone."""
    lab = find("2")
    for name in lab.editable:
        (tmp_path / name).write_bytes((lab.starter / name).read_bytes())
    (tmp_path / "template.yaml").write_text("Resources: [")
    grade, evidence = judge.grade_seen(lab, tmp_path, nursery=nursery, only=["start-position"])
    assert grade.asked[0].finding is not None
    assert evidence.documents == [] and list(evidence.sights.values()) == [[None]]
