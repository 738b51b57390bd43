"""Rosters as people and platforms write them, and the times beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.classroom import roster, times
from grader.classroom.identity import People, squash, words
from grader.classroom.platforms import Person
from grader.classroom.roster import Learner, key_fault
from grader.classroom.times import zone_called
from grader.course.files import UsageError


def read(tmp_path: Path, content: str | bytes) -> dict[str, Learner]:
    place = tmp_path / "roster.csv"
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return roster.read(place)


PLAIN = "learner,name,email,section\nada,Ada Lovelace,ada@x.edu,day\njosé,José,jose@x.edu,\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_what_spreadsheets_write(tmp_path: Path, delimiter: str, encoding: str, ends: str) -> None:
    text = PLAIN.replace(",", delimiter).replace("\n", ends)
    people = read(tmp_path, text.encode(encoding))
    assert people == {
        "ada": Learner("ada", "Ada Lovelace", "ada@x.edu", "day", {}),
        "josé": Learner("josé", "José", "jose@x.edu", "", {}),
    }


def test_moodles_participants(tmp_path: Path) -> None:
    """Moodle's list of participants: first and last names, e-mail, groups."""
    people = read(
        tmp_path,
        '"First name","Last name","ID number","Email address",Groups\n'
        "Ada,Lovelace,900,ada@x.edu,Evening\n",
    )
    assert people == {
        "ada": Learner("ada", "Ada Lovelace", "ada@x.edu", "Evening", {"sis_id": "900"})
    }


def test_canvas_gradebook(tmp_path: Path) -> None:
    """Canvas's gradebook: the row of maximum points is nobody, the columns of points are kept."""
    people = read(
        tmp_path,
        "Student,ID,SIS User ID,SIS Login ID,Section,Lab 2 (77)\n"
        "    Points Possible,,,,,100\n"
        '"Lovelace, Ada",4101,900,ada,Evening,\n',
    )
    ada = people["ada"]
    assert (ada.name, ada.section) == ("Lovelace, Ada", "Evening")
    assert (ada.ids["canvas_id"], ada.ids["sis_id"]) == ("4101", "900")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty; its first line names the columns"),
        ("\n\n", "is empty; its first line names the columns"),
        ("name\nAda\n", "line 2: nobody is named; a roster needs a column learner or email"),
        ("Vorname;Nachname\nAda;Lovelace\n", "There are: vorname, nachname."),
        ("learner\nada\n\nADA\n", "line 4: 'ADA' is in line 2 already"),
        ("learner\nfuß\nFUSS\n", "is in line 2 already"),
        ("learner,learner\na,b\n", "has the column 'learner' twice"),
        ("learner\na/b\n", "line 2: 'a/b' cannot name a folder: it holds '/'"),
        ("learner\n../x\n", "cannot name a folder: it begins with a dot"),
        ("learner\nNUL\n", "Windows keeps that name for a device"),
        ("learner\na\u202eb\n", "cannot name a folder: it holds"),
        ("learner\n\0\n", "holds a zero byte"),
        ('learner\n"' + "x" * 200_000 + "\n", "line 2: field larger than field limit"),
    ],
)
def test_a_roster_that_cannot_be_used_says_where(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    assert sentence in str(error.value)


def test_no_roster_is_nobody(tmp_path: Path) -> None:
    assert roster.read(tmp_path / "roster.csv") == {}


@pytest.mark.parametrize(
    "key", ["ada", "ada.lovelace", "ada+x@x.edu", "Ада", "田中", "o'neil", "=1+1"]
)
def test_keys_that_name_a_folder_everywhere(key: str) -> None:
    assert key_fault(key) is None


@pytest.mark.parametrize(
    "key", ["", " a", "a ", "a.", ".a", "a\\b", "a:b", "a\nb", "COM1", "lpt9.x", "a\u00a0b"]
)
def test_keys_that_do_not(key: str) -> None:
    assert key_fault(key) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Lovelace", "Lovelace, Ada"),
        ("Sean O'Neil", "Sean ONeil"),
        ("José Peña", "JOSE\u0301 PEN\u0303A"),
        ("Anna_Maria Weiß", "anna maria WEISS"),
    ],
)
def test_the_same_name_written_otherwise(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("मीना", "मोना"), ("José", "Jose"), ("Li Wei", "Li Wu")]
)
def test_other_names_stay_others(one: str, other: str) -> None:
    """Marks are letters' own: who drops them makes one name of two."""
    assert words(one) != words(other)
    assert squash(one) != squash(other)


def test_a_roster_without_names_is_known_by_its_keys(tmp_path: Path) -> None:
    """A platform's team, or a login that somebody has as their name."""
    people = People(read(tmp_path, "learner\nGroup 1\nmadonna\n"))
    assert people.who(Person("x", name="Group 1")).key == "Group 1"
    assert people.who(Person("x", name="Madonna")).key == "madonna"


def test_an_id_says_more_than_a_name(tmp_path: Path) -> None:
    people = People(read(tmp_path, "learner,name,canvas_id\nada,Ada,7\neve,Eve,8\n"))
    assert people.who(Person("x", name="Eve", ids={"canvas_id": "7"})).key == "ada"


# --- times ------------------------------------------------------------------------------------


def times_of(tmp_path: Path, text: str, zone: str | None = None) -> list[times.Row]:
    place = tmp_path / "times.csv"
    place.write_text(text, encoding="utf-8")
    return times.read(place, "Europe/Berlin", zone_called(zone) if zone else None)


def test_times_by_lab_and_learner(tmp_path: Path) -> None:
    people = People(
        read(tmp_path, PLAIN),
        times_of(
            tmp_path,
            "learner,lab,time\nada,2,2027-03-05T10:00Z\nada,3,2027-03-06T10:00Z\n"
            "josé,,2027-03-07 10:00 Europe/Berlin\nnobody,,2027-03-07T10:00Z\nada,4,-\n",
        ),
    )
    ada, jose = people.roster["ada"], people.roster["josé"]
    assert [str(people.time(ada, lab))[:10] for lab in (2, 3, 4)] == [
        "2027-03-05",
        "2027-03-06",
        "None",
    ]
    assert str(people.time(jose, 5)) == "2027-03-07 10:00:00+01:00"


@pytest.mark.parametrize(
    ("text", "zone", "sentence"),
    [
        ("learner\nada\n", None, "has no column of times, such as handed_in_at"),
        (
            "learner,time\nada,2027-03-05 10:00\n",
            None,
            'line 2: the time names no zone; write "2027-03-05 10:00 Europe/Berlin"; or say the zone'
            " of all of them, --zone Europe/Berlin.",
        ),
        (
            'learner,time\nada,"Friday, 5 March 2027, 11:41 PM"\n',
            None,
            'write "2027-03-05 23:41 Europe/Berlin"',
        ),
        ("learner,time\nada,2027-03-28 02:30\n", "Europe/Berlin", "skip 02:30 then"),
        ("learner,time\nada,yesterday\n", "UTC", "a time is written as"),
        ("learner,lab,time\nada,labb,2027-03-05T10:00Z\n", None, "There is no lab 'labb'"),
    ],
)
def test_times_that_cannot_be_read_say_where(
    tmp_path: Path, text: str, zone: str | None, sentence: str
) -> None:
    with pytest.raises(UsageError) as error:
        times_of(tmp_path, text, zone)
    assert sentence in str(error.value)
