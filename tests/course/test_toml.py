"""A learner's TOML is read, or refused with a sentence: nothing in it is our fault."""

from __future__ import annotations

import random

import pytest

from grader.course.toml import MOST_LEVELS, NoToml, read


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = ", "Invalid value"),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("a = " + "{b = " * 50_000, "nested too deeply"),
        (".".join(["a"] * 3_000) + " = 1", "nested too deeply"),
        ("a = " + "[" * (MOST_LEVELS + 1) + "]" * (MOST_LEVELS + 1), "nested too deeply"),
        ("a = " + "9" * 5_000, "too many digits"),
        ("a = " + "9" * 400, "does not fit in 64 bits"),
        ("a = 1979-02-31", "Invalid date"),
    ],
    ids=range(8),
)
def test_what_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(NoToml, match=sentence):
        read(text)


def test_what_can_be_read_is_read() -> None:
    assert read('a = [1, -2.5, {b = "c"}]\nd = 9223372036854775807\n') == {
        "a": [1, -2.5, {"b": "c"}],
        "d": 2**63 - 1,
    }


def test_what_is_no_number_is_a_word_where_it_stands() -> None:
    """One such value costs what asks for it, not the document."""
    text = "a = [1, {b = nan}]\nc = -inf\nd = 1e999\n"
    assert read(text) == {"a": [1, {"b": "nan"}], "c": "-inf", "d": "inf"}


def test_no_text_raises_anything_else() -> None:
    """Pieces of TOML in any order, 3,000 times."""
    pieces = [
        "a",
        "b",
        " = ",
        "[",
        "]",
        "{",
        "}",
        '"',
        "'''",
        "\n",
        "1",
        "e9",
        "nan",
        ".",
        "\\u",
        "#",
    ]
    source = random.Random(11)
    for _ in range(3_000):
        text = "".join(source.choices(pieces, k=source.randrange(1, 30)))
        try:
            read(text)
        except NoToml as refused:
            assert str(refused)
