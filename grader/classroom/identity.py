"""Which learner a platform means: from the roster, never from a file that a learner wrote.

With a roster, whoever is not in it is refused, because a guess would give one learner's work to
another. Without one, learners are called as the platform calls them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from grader.classroom.platforms import Person
from grader.classroom.roster import Learner, folded, key_fault
from grader.classroom.times import Row
from grader.cloud.words import nearest
from grader.course.files import listed

# So often the nearest name is looked for; then it is the roster that is wrong.
MOST_GUESSES = 50


class Unknown(Exception):
    """Nobody, or more than one, is meant; the message is a clause that goes on after the name."""


class People:
    """The roster, and what a CSV file of times says about the same people."""

    def __init__(self, roster: Mapping[str, Learner], rows: Sequence[Row] = ()) -> None:
        self.roster = roster
        self.rows = rows
        everybody = roster.values()
        self.by_key = _index(everybody, lambda one: [folded(one.key)])
        self.by_email = _index(everybody, lambda one: [folded(one.email)])
        self.by_id = _index(everybody, lambda one: [f"{k} {v}" for k, v in one.ids.items()])
        self.by_any_id = _index(everybody, lambda one: list(one.ids.values()))
        self.by_name = _index(everybody, lambda one: [words(one.name or one.key)])
        self.by_squashed = _index(everybody, lambda one: squashed(one.name))
        self.rows_by_hint = _index(
            (row.who for row in rows), lambda one: [f"{k} {v}" for k, v in one.ids.items()]
        )
        self._guesses = MOST_GUESSES
        self._times: dict[tuple[str, int | None], datetime] | None = None

    @property
    def names(self) -> frozenset[str]:
        """How learners' folders may be called, folded."""
        named = {folded(one.name) for one in self.roster.values() if one.name}
        return frozenset({*self.by_key, *named, *map(folded, self.by_any_id)})

    def who(self, person: Person) -> Learner:
        """The learner whom a platform means. Raises Unknown."""
        told = self._told_in_rows(person)
        if not self.roster:
            return _derived(told or person)
        steps: list[tuple[Mapping[str, list[Learner]], Iterable[str]]] = [
            (self.by_id, [f"{kind} {value}" for kind, value in person.ids.items()]),
            (self.by_key, [folded(person.login)]),
            (self.by_email, [folded(person.email)]),
            (self.by_any_id, [person.login]),
            (self.by_name, [words(person.name)]),
            (self.by_squashed, [squash(person.squashed)]),
            (self.by_key, map(folded, person.repositories)),
        ]
        if told:
            steps.insert(1, (self.by_email, [folded(told.email)]))
            steps.insert(2, (self.by_key, [folded(told.login)]))
        for index, values in steps:
            found = [one for value in values if value for one in index.get(value, [])]
            if len(found) > 1:
                hinted = [one for one in found if person.hints.items() & one.ids.items()]
                found = hinted if len(hinted) == 1 else found
            if len(found) > 1:
                keys = listed([one.key for one in found])
                raise Unknown(
                    f"means more than one learner of the roster ({keys}); an id or --times tells"
                    f" them apart"
                )
            if found:
                return found[0]
        raise Unknown(self._nobody(person))

    def _told_in_rows(self, person: Person) -> Person | None:
        """The same person with what Moodle's worksheet knows of the participant.

        Numbers of participants begin anew in each assignment, so the names have to agree; those
        of anonymous ones do not exist.
        """
        for kind, value in person.hints.items():
            for row in self.rows_by_hint.get(f"{kind} {value}", []):
                anonymous = not row.name or person.name.casefold() == "participant"
                if anonymous or words(row.name) == words(person.name):
                    return Person(person.label, row.name, row.email, row.key)
        return None

    def _nobody(self, person: Person) -> str:
        told = "is not in the roster"
        self._guesses -= 1  # each looks at the whole roster
        if self._guesses >= 0 and (
            near := nearest(folded(person.login or person.name), self.by_key, 0.75)
        ):
            return f"{told}; is it {self.by_key[near][0].key}?"
        if person.packed:
            return f"{told}; a platform's download is given as a SOURCE of its own"
        return told

    def time(self, learner: Learner, lab: int) -> datetime | None:
        """When a learner handed in by the CSV file: its row for the lab, else one for any lab."""
        if self._times is None:
            self._times = {}
            for row in self.rows:
                if row.at is None:
                    continue
                who = row.who
                try:
                    key = self.who(Person("", who.name, who.email, who.key, ids=who.ids)).key
                except Unknown:
                    continue
                same = self._times.get((key, row.lab))
                self._times[key, row.lab] = max(same, row.at) if same else row.at
        return self._times.get((learner.key, lab)) or self._times.get((learner.key, None))


def words(name: str) -> str:
    """A name without its order, so that ``Lovelace, Ada`` is ``Ada Lovelace``.

    Without what Moodle leaves out of file names, too (``clean_param`` with ``PARAM_FILE``), and
    with a space for each underscore. https://github.com/moodle/moodle/blob/main/lib/moodlelib.php
    """
    kept = re.sub("[&<>\"`|':/\\\\’]", "", folded(name))
    return " ".join(sorted(re.split(r"[\s,_]+", kept.strip(", _"))))


def squash(name: str) -> str:
    """A name as Canvas squashes it: letters with their marks, and digits."""
    return "".join(one for one in folded(name) if unicodedata.category(one)[0] in "LMN")


def squashed(name: str) -> list[str]:
    """How Canvas may squash a name: nobody says which of its words are the family's."""
    parts = [squash(part) for part in name.replace(",", " ").split()]
    return list({"".join(parts[number:] + parts[:number]) for number in range(len(parts))})


def _index(
    learners: Iterable[Learner], values: Callable[[Learner], Iterable[str]]
) -> dict[str, list[Learner]]:
    index: dict[str, list[Learner]] = {}
    for learner in learners:
        for value in values(learner):
            if value:
                index.setdefault(value, []).append(learner)
    return index


def _derived(person: Person) -> Learner:
    """A learner whom no roster names: by login, e-mail, or name with Canvas's id behind it."""
    key = person.login or person.email.partition("@")[0]
    if not key:
        said = person.name or person.squashed or "anonymous"
        ids = [value for kind, value in person.ids.items() if kind != "sis_id"]
        key = "-".join([re.sub(r"[\W_]+", "-", said.casefold()).strip("-"), *ids])
    key = unicodedata.normalize("NFC", key)
    if fault := key_fault(key):
        raise Unknown(f"cannot name a folder: {fault}")
    return Learner(key, person.name, person.email, "", person.ids)
