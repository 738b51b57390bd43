"""What a module shows of tested files is what stands there, and a learner's path has a length."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from grader.course.files import UsageError
from grader.course.lab import labs
from grader.maintain import prose, worked

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "docs" / "modules").glob("*.md"))
# A paragraph of the opening, or a block that is taken in.
TAKEN = re.compile(r'^--8<-- "includes/worked/([^"]+)\.md:([a-z-]+)"$', re.M)


@pytest.mark.parametrize("example", worked.EXAMPLES, ids=lambda one: one.answer)
def test_a_worked_example_is_what_its_answer_its_golden_text_and_its_lab_say(
    example: worked.Example,
) -> None:
    """`labs dev sync` writes it; the tests of answers prove that the finding is what is printed."""
    assert (ROOT / worked.place(example)).read_text("utf-8") == worked.text(example)


def test_every_module_opens_with_an_example_from_failure_to_mend() -> None:
    """Story, picture, template, code, finding, mend, the finding gone, the first command."""
    assert [one.lab.name for one in worked.EXAMPLES] == [path.stem for path in MODULES]
    for path, example in zip(MODULES, worked.EXAMPLES, strict=True):
        text = path.read_text(encoding="utf-8")
        opening = re.search(
            r"^## A worked example \{ #worked-example \}$(.+?)^## ", text, re.M | re.S
        )
        assert opening is not None, path.name
        assert "](../assets/pictures/" in opening[1], path.name
        parts = [part for _, part in TAKEN.findall(opening[1])]
        assert sorted(parts[:-3]) == sorted(example.shown) and "template" in parts, path.name
        assert parts[-3:] == ["finding", "mend", "gone"], path.name
        command = f"```sh\nlabs (grade|run) {example.lab.number} .+\n```|```sh\nlabs run {example.lab.number}\n```"
        assert re.search(command, opening[1]), path.name
        # Read at two hundred words a minute, the first command comes within five minutes.
        first = text.index("```sh", opening.start())
        assert prose.words(text[:first]) < 600, path.name


def test_every_part_of_an_example_is_shown_and_no_page_counts_lines() -> None:
    """A range of lines drifts without a word; a section is missed loudly."""
    for path, example in zip(MODULES, worked.EXAMPLES, strict=True):
        text = path.read_text(encoding="utf-8")
        taken = TAKEN.findall(text)
        assert {name for name, _ in taken} == {path.stem}
        parts = {*example.shown, *example.taught, "goals", "finding", "mend", "gone"}
        assert sorted(part for _, part in taken) == sorted(parts), path.name
        assert not re.search(r'^--8<-- "[^"]+:\d+:\d+"', text, re.M), path.name


def test_an_example_that_does_not_hold_any_more_is_told() -> None:
    example = worked.EXAMPLES[0]
    with pytest.raises(UsageError, match="does not lose"):
        worked.text(replace(example, criterion="key-spreads"))
    with pytest.raises(UsageError, match="has no lines"):
        worked.text(replace(example, mended=worked.Shot("template.yaml", "Orders:", "gone")))


def test_a_module_says_its_number_its_time_and_what_it_needs() -> None:
    """On top of the page, as the start page's table has it."""
    start = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for lab, path in zip(labs(), MODULES, strict=True):
        text = path.read_text(encoding="utf-8")
        head = rf"^# .+\n\nModule {lab.number} of {len(MODULES)} · about (\d+) minutes with its lab · needs"
        found = re.search(head, text, re.M)
        assert found is not None, path.name
        goals = text.index(f'--8<-- "includes/worked/{path.stem}.md:goals"')
        assert found.end() < goals < text.index("\n## "), path.name
        row = re.search(rf"modules/{path.name}.*?(\d+) min", start, re.S)
        assert row is not None and row[1] == found[1], path.name


def test_a_learners_path_is_not_too_long() -> None:
    read = prose.path(ROOT)
    assert len(read) == 13
    assert 20_000 < sum(read.values()) <= prose.MOST_WORDS


def test_only_what_is_read_as_prose_is_counted() -> None:
    text = (
        "---\ndescription: not this\n---\n\n# Two words { #two }\n\n| not | this |\n|---|---|\n\n"
        "```sh\nnor this\n```\n\n<!-- nor this -->\n\n[One][X] and `code`. ![Alt text](a.svg){ .p }\n\n"
        '--8<-- "a/file.py:part"\n\n??? question "Here *too*"\n\n[X]: https://docs.aws.amazon.com/\n'
    )
    # Two words One and code Alt text question Here too
    assert prose.words(text) == 10
