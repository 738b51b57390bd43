"""What a page says about AWS must not contradict what another page, or a command, says.

Each of these was wrong once; the test is for its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text("utf-8") for page in PAGES}


def commands(name: str) -> Iterator[tuple[str, str]]:
    """Every command of a name in the pages, continued lines joined, with its page."""
    for page, text in TEXTS.items():
        joined = text.replace("\\\n", " ")
        for line in joined.splitlines():
            if name in line and "`" not in line.split(name)[0][-2:]:
                yield page, line


def test_alarms_are_asked_for_with_their_types() -> None:
    """Without `--alarm-types` the answer has no composite alarm.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""
    asked = [*commands("aws cloudwatch describe-alarms")]
    assert asked
    assert [one for one in asked if "--alarm-types MetricAlarm CompositeAlarm" not in one[1]] == []


# A sentence that does not hold, and where what holds is said.
REFUTED = {
    r"polls? each shard four times a second, always": "a shard that waits for its function is not polled",
    r"do not work backwards": "StartCostAllocationTagBackfill",
    r"everything stays inside what is \[?always free": "on-demand writes and backups have no free amount",
    r"N times the period is at most a day\.": "seven days from a period of an hour on",
    r"every change, in order": "in order for each item",
    r"the names are the ids of its fields": "the ids begin with cost-",
}


@pytest.mark.parametrize("pattern", REFUTED)
def test_a_refuted_sentence_does_not_come_back(pattern: str) -> None:
    pictures = {
        path.name: path.read_text("utf-8") for path in (ROOT / "docs/assets/pictures").glob("*.svg")
    }
    for name, text in {**TEXTS, **pictures}.items():
        assert not re.search(pattern, " ".join(text.split())), f"{name}: {REFUTED[pattern]}"


def test_sources_are_not_somebody_elses_question_or_test_data() -> None:
    """A price, a date or a message is quoted from whoever makes it."""
    weak = re.compile(
        r"https://(?:repost\.aws/questions/|github\.com/aws-amplify/amplify-cli/issues"
        r"|github\.com/infracost/|pypi\.org/project/cfn-lint)\S*"
    )
    assert {page: found for page, text in TEXTS.items() if (found := weak.findall(text))} == {}


def test_the_calculators_names_are_told_and_its_links_use_them() -> None:
    """A misspelt one would be ignored without a word, and the page opens with something else."""
    script = (ROOT / "docs/assets/js/costs.js").read_text("utf-8")
    read = set(re.findall(r'field\("[^"]*", "(\w+)"', script))
    told = re.search(
        r"`calculator\.md\?…` works alike\.(.+?)\n\n", TEXTS["docs/contributing.md"], re.S
    )
    assert told is not None and set(re.findall(r"`(\w+)`", told[1])) >= read > {"writes"}
    for page, text in TEXTS.items():
        for query in re.findall(r"\bcalculator\.md(\?[^)\s#`]+)\)", text):
            assert {name for name, _ in parse_qsl(urlsplit(query).query)} <= read, (page, query)
