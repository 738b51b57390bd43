"""``labs check --fix``: what it adds is met, deploys, and leaves every other byte as it was."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from grader.cloud import Pipeline
from grader.cloud.template import root_of
from grader.cloud.template.sam import plain
from grader.course.files import UsageError
from grader.course.play.player import Player
from grader.desk.fixing import Fixed, fix
from grader.desk.testing import alarms

FOLDER = Path(__file__).parent / "templates"
LABS = Path(__file__).parents[3] / "grader/course/starters"

DESTINATION = {"failure-destination", "alarm-discards"}
BOUNDS = {"bounded-retries", "bounded-age"}

# template → consumer → the items that are mended in it
MENDED: dict[str, dict[str, set[str]]] = {
    # Two steps, dashes under their key, comments with tabs, blank lines at the end.
    "two-steps.yaml": {
        "Mapping": {*DESTINATION, *BOUNDS, "bisect", "partial-batch", "log-retention"}
    },
    # Four steps, dashes below their key, single quotes, no final newline, a folded text at the end.
    "four-steps.yaml": {"Reader": {*DESTINATION, *BOUNDS, "bisect"}},
    # Functions in their long form, a queue that is there without permission and alarm.
    "long-form.yaml": {
        "Mapping": {"destination-permission", "alarm-discards", "note-retention", "bounded-age"}
    },
    # Everything in braces on few lines.
    "flow.yaml": {"Mapping": {*DESTINATION, *BOUNDS, "bisect", "log-retention"}},
    "windows.yaml": {"Mapping": {*DESTINATION, *BOUNDS, "bisect", "log-retention"}},
    "four-blanks.json": {"Mapping": {*DESTINATION, *BOUNDS, "bisect"}},
    "tabs.json": {"Mapping": {*DESTINATION, *BOUNDS, "bisect", "log-retention"}},
    # The event's shorthand, a role of SAM's, Globals, an alarm that already tells somebody.
    "sam.yaml": {
        "ReaderOrders": {*DESTINATION, *BOUNDS, "bisect", "partial-batch", "log-retention"}
    },
    # A mapping of CloudFormation beside a function of SAM's, with and without Policies.
    "sam-mapping.yaml": {"Mapping": {*DESTINATION, *BOUNDS, "bisect", "log-retention"}},
    # Two consumers with one role, parameters, and what somebody has chosen.
    "several.yaml": {
        "First": {*DESTINATION, *BOUNDS, "bisect", "log-retention"},
        "Second": {"bounded-age", "bisect", "log-retention"},
    },
}


# Where a line of the file itself grows, because it holds braces, or had no end.
GROWING = ("flow.yaml", "four-steps.yaml", "long-form.yaml", "several.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates, and one with the line ends of Windows, which no checkout would keep."""
    made = tmp_path_factory.mktemp("templates")
    for path in FOLDER.iterdir():
        (made / path.name).write_bytes(path.read_bytes())
    lines = (FOLDER / "two-steps.yaml").read_bytes().replace(b"reader.h", b"nowhere.h")
    (made / "windows.yaml").write_bytes(lines.replace(b"\n", b"\r\n"))
    return made


@pytest.fixture(scope="module")
def fixed(folder: Path) -> dict[str, Fixed]:
    return {name: fix(folder / name) for name in MENDED}


@pytest.mark.parametrize("name", MENDED)
def test_what_is_added_is_met_and_added_once(
    name: str, fixed: dict[str, Fixed], tmp_path: Path
) -> None:
    """Exactly the named items turn to met, and a second time there is nothing to add."""
    found = fixed[name]
    before = {(one.consumer, one.item.id): one.verdict for one in found.before.results}
    turned: dict[str, set[str]] = {}
    for one in found.after.results:
        if one.verdict == "met" != before[one.consumer, one.item.id]:
            turned.setdefault(one.consumer, set()).add(one.item.id)
    for consumer, items in MENDED[name].items():
        assert items <= turned[consumer], turned[consumer]
    again = tmp_path / name
    again.write_bytes(found.content)
    (tmp_path / "reader.py").write_bytes((FOLDER / "reader.py").read_bytes())
    assert fix(again).patch == ""


@pytest.mark.parametrize("name", MENDED)
def test_nothing_else_changes(name: str, fixed: dict[str, Fixed], folder: Path) -> None:
    """Without what was added the file is what it was, byte by byte; and so is every value."""
    before, after = (folder / name).read_bytes(), fixed[name].content
    lines = fixed[name].patch.splitlines()[2:]
    if name not in GROWING:
        assert not [line for line in lines if line.startswith("-")], name
        assert without_added(fixed[name].patch, after) == before
    rest = iter(after)
    assert all(byte in rest for byte in before)
    assert not missing(tree(before), tree(after))
    assert after.count(b"\r\n") in (0, after.count(b"\n"))


def without_added(patch: str, after: bytes) -> bytes:
    """The file without the lines that a patch adds."""
    lines, kept, number = after.split(b"\n"), [], 0
    for line in patch.split("\n")[2:-1]:
        if line.startswith("@@"):
            start = int(line.split("+")[1].split(",")[0].split(" ")[0]) - 1
            kept += lines[number:start]
            number = start
        elif line[:1] in (" ", "+"):
            kept += [lines[number]] if line[0] == " " else []
            number += 1
    return b"\n".join(kept + lines[number:])


def tree(content: bytes) -> Any:
    return plain(root_of(content.decode("utf-8-sig"), "t")[0])


def missing(before: Any, after: Any) -> bool:
    """Whether something of a value stands no longer where it stood."""
    if isinstance(before, dict):
        return not isinstance(after, dict) or any(
            key not in after or missing(one, after[key]) for key, one in before.items()
        )
    if isinstance(before, list) and before:
        rest = iter(after)
        return any(all(missing(one, other) for other in rest) for one in before)
    return before not in (after, None) and not (before == [] and isinstance(after, list))


@pytest.mark.played
@pytest.mark.parametrize("name", MENDED)
def test_the_result_deploys(
    name: str, fixed: dict[str, Fixed], tmp_path: Path, nursery: Any
) -> None:
    """The emulated account takes it as a team's own stack, without a refusal of what was added."""
    file = tmp_path / name
    file.write_bytes(fixed[name].content)
    (tmp_path / "reader.py").write_bytes((FOLDER / "reader.py").read_bytes())
    with Pipeline.deploy(str(file), nursery=nursery) as pipeline:
        for consumer in MENDED[name]:
            settings = pipeline.mapping(consumer).settings
            assert settings.max_age_ms == 21_600_000 and settings.destination


STARTERS = sorted(path.parent.name for path in LABS.glob("*/template.yaml"))


@pytest.mark.parametrize("name", STARTERS)
def test_a_mended_starter_deploys_in_its_lab_and_outside(name: str, tmp_path: Path) -> None:
    """With its own code: strictly as the lab deploys it, and leniently as a stack of a team's.

    Every item that was named is met and none is lost, the mapping and the queue in the account are
    as written, no line but those added is another, and an alarm that was added rings once all of a
    bad order's attempts have failed.
    """
    folder = tmp_path / name
    shutil.copytree(LABS / name, folder)
    file = folder / "template.yaml"
    before, found = file.read_bytes(), fix(file)
    assert bool(found.patch) == bool(found.before.consumers)
    assert not [line for line in found.patch.splitlines()[2:] if line.startswith("-")]
    assert without_added(found.patch, found.content) == before
    verdicts = [
        {(one.consumer, one.item.id): one.verdict for one in report.results}
        for report in (found.before, found.after)
    ]
    made = {
        (consumer, item.removesuffix(", added"))
        for consumer, item in (line.split(": ")[1:3] for line in found.sentences if "added" in line)
    }
    turned = {key for key, verdict in verdicts[1].items() if verdict == "met" != verdicts[0][key]}
    assert made <= turned and not {
        key for key, verdict in verdicts[0].items() if verdict == "met" != verdicts[1][key]
    }
    file.write_bytes(found.content)
    # No function process is started: nothing is invoked in one.
    none = Mock(work=tmp_path, **{"keep.return_value": "kept"})
    with Player(folder, seed=0, nursery=none) as player:
        settings_of(player.deploy(), made)
    with Pipeline.deploy(file, nursery=none) as own:
        settings_of(own, made)
        functions = [one.logical_id for one in own.stack.of_type("AWS::Lambda::Function")]
    if any(item == "alarm-discards" for _, item in made):
        stand_ins = dict.fromkeys(functions, failing)
        with Pipeline.deploy(file, nursery=none, functions=stand_ins) as own:
            own.run_for(minutes=2)
            own.put("Orders", {"merchant": "acme", "id": "order#1", "amount": 1})
            own.run_for(hours=1)
            assert len(own.notes("OrdersToTotals")) == 1
            assert [one for one in alarms(own) if one.startswith(("OrdersTo", "FailedRecords"))]


def failing(event: dict[str, Any]) -> None:
    raise ValueError("an order that nobody can count")


def settings_of(pipeline: Pipeline, made: set[tuple[str, str]]) -> None:
    """What was added holds in the account: nothing is refused, and the mapping has it."""
    assert not pipeline.refusals
    for consumer, item in made:
        settings = pipeline.mapping(consumer).settings
        held = {
            "failure-destination": settings.destination,
            "bounded-retries": settings.max_retries == 3,
            "bounded-age": settings.max_age_ms == 21_600_000,
            "bisect": settings.bisect,
            "partial-batch": settings.report_failures,
        }
        assert held.get(item, True), (consumer, item)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("BootstrapVersion", "The Cloud Development Kit has written"),
        ("ServerlessDeploymentBucket", "The Serverless Framework has written"),
    ],
)
def test_what_a_tool_writes_is_not_mended(text: str, sentence: str, tmp_path: Path) -> None:
    """The next build would take it away again."""
    file = tmp_path / "template.yaml"
    file.write_text((FOLDER / "flow.yaml").read_text() + f"# {text}\n")
    with pytest.raises(UsageError, match=sentence):
        fix(file)


def test_what_has_no_safe_answer_is_named_with_why(fixed: dict[str, Fixed]) -> None:
    """One line each: the role outside, a value that somebody chose, a handler that names nothing."""
    told = "\n".join(line for one in fixed.values() for line in one.sentences)
    for part in (
        "bounded-retries, left to you: MaximumRetryAttempts is written as -1, which somebody",
        "partial-batch, left to you: The handler does not return batchItemFailures",
        "alarm-actions, left to you: Whom MappingFailuresAlarm tells is yours to say",
    ):
        assert part in told
