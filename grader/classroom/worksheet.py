"""Moodle's grading worksheet, known by its structure where its headers are in another language.

Moodle writes headers and words in the language of whoever downloads, and reads them back in it. The
order of columns and what stands in them is the same in all: an identifier, which is a word and a
number, comes first and, where names may be seen, the full name second; the highest grade follows
the grade; whether it can be changed comes later.
https://github.com/moodle/moodle/blob/main/mod/assign/gradingtable.php
https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php
"""

from __future__ import annotations

import re
from collections.abc import Sequence

IDENTIFIER, NAME, EMAIL = "identifier", "full name", "email address"
GRADE, MOST, CHANGEABLE = "grade", "maximum grade", "grade can be changed"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
# Yes and no in languages that Moodle has. A column with any other word says nothing to us.
_YES = frozenset((
    "yes", "ja", "oui", "sí", "si", "sì", "sim", "tak", "ano", "áno", "kyllä", "bai", "da",
    "да", "так", "evet", "ναι", "igen", "はい", "是",
))  # fmt: skip
_NO = frozenset((
    "no", "nein", "non", "não", "nee", "nie", "nej", "nei", "ei", "ne", "ez", "nu", "нет", "ні",
    "не", "hayır", "όχι", "nem", "いいえ", "否",
))  # fmt: skip
LONGEST_WORD = 60


def number_of(identifier: str) -> str:
    """``17`` of ``Participant 17`` in any language; any other text as it is."""
    return _participant(identifier)[1] or identifier


def names(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The headers, with those of a worksheet that can be told by its structure in English.

    Nothing is guessed: a column gets a name only where every row fits, and no other column does.
    """
    named = list(headers)
    if IDENTIFIER in named or not rows or not _is_identifier(_column(rows, 0)):
        return named
    named[0] = IDENTIFIER
    columns = {place: _column(rows, place) for place in range(1, len(named))}
    grades = [
        place
        for place in columns
        if place + 1 in columns and _is_grade(columns[place], columns[place + 1])
    ]
    addresses = [
        place
        for place, cells in columns.items()
        if any(cells) and all(_ADDRESS.fullmatch(cell) for cell in cells if cell)
    ]
    if len(addresses) == 1:
        named[addresses[0]] = EMAIL
        if addresses[0] > 1 and all(any(map(str.isalpha, cell)) for cell in columns[1]):
            named[1] = NAME
    if len(grades) == 1:
        named[grades[0]], named[grades[0] + 1] = GRADE, MOST
        words = [
            place
            for place, cells in columns.items()
            if place > grades[0] + 1 and all(cell.casefold() in _YES | _NO for cell in cells)
        ]
        if len(words) == 1:
            named[words[0]] = CHANGEABLE
    return named


def may_change(cell: str) -> bool:
    """Whether the platform says that a grade can be changed; an empty cell says nothing."""
    return not cell.strip() or cell.strip().casefold() in _YES


def _participant(cell: str) -> tuple[str, str]:
    """The word and the number of ``Participant 17``; not every language leaves a blank between.

    Both are empty where it is no word and a number.
    """
    cell = cell.strip()
    word = cell.rstrip("0123456789")
    number = cell[len(word) :]
    word = word.strip()
    if not number or len(word) > LONGEST_WORD or not any(map(str.isalpha, word)):
        return "", ""
    return ("", "") if any(one.isdigit() or one == "@" for one in word) else (word, number)


def _column(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place].strip() if place < len(row) else "" for row in rows]


def _is_identifier(cells: Sequence[str]) -> bool:
    """Whether it is one word everywhere and a number that differs."""
    found = [_participant(cell) for cell in cells]
    numbers = {number for _, number in found}
    return (
        len({word for word, _ in found}) == 1 and len(numbers) == len(found) and "" not in numbers
    )


def _is_grade(cells: Sequence[str], most: Sequence[str]) -> bool:
    """Whether a column can hold grades: the one behind it says one highest grade for all."""
    if len(set(most)) != 1 or not _NUMBER.fullmatch(most[0]) or not _value(most[0]):
        return False
    given = [cell for cell in cells if cell not in ("", "-")]
    return all(_NUMBER.fullmatch(cell) and _value(cell) <= _value(most[0]) for cell in given)


def _value(text: str) -> float:
    return float(text.replace(",", "."))
