"""class.toml: what it says is done, and what it may not say is refused where it stands."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grader.classroom import settings
from grader.classroom.private import make_private_folder, write_private
from grader.classroom.settings import Settings, load, write_new
from grader.course.files import UsageError
from grader.course.lab import labs

HEAD = 'labs = [1, 2]\ntimezone = "Europe/Berlin"\n'


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "class.toml").write_text(text, encoding="utf-8")
    return load(tmp_path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(UsageError) as error:
        read(tmp_path, text)
    return str(error.value).replace(f"{tmp_path}/", "")


def test_the_file_that_is_written_can_be_read_at_once(tmp_path: Path) -> None:
    """Nothing in it has to be edited before it works, and nothing of it is a deadline by chance."""
    place = write_new(tmp_path / "streams")
    made = load(tmp_path / "streams")
    assert made.name == "streams"
    assert made.labs == tuple(lab.number for lab in labs())
    assert not made.deadlines
    assert made.due("ada", None, 2) is None
    assert made.handed_in == tmp_path / "streams/handed-in"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="there already; it stays as it is"):
        write_new(tmp_path / "streams")


def test_every_line_of_it_that_is_a_comment_can_be_switched_on(tmp_path: Path) -> None:
    """The examples are no prose: without their comment signs they are settings."""
    lines = []
    for line in write_new(tmp_path / "a").read_text(encoding="utf-8").splitlines():
        bare = line.removeprefix("# ")
        example = bare.startswith("[[") or (" = " in bare and not bare.startswith(("secret", '"')))
        lines.append(bare if example else line)
    text = "\n".join(lines).replace('policy = "none"', 'policy = "percent"', 1)
    made = read(tmp_path, text)
    assert made.seed == 7
    assert len(made.deadlines) == len(labs())
    assert len(made.extensions) == 2
    assert (made.late.policy, made.late.percent_a_day) == ("percent", 10)


def test_the_nearest_file_above_is_the_one(tmp_path: Path) -> None:
    read(tmp_path, HEAD)
    (tmp_path / "a/b").mkdir(parents=True)
    assert load(tmp_path / "a/b").root == tmp_path


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('"2027-03-05 23:59 Europe/Berlin"', "2027-03-05T22:59"),
        ('"2027-07-05T23:59:30 Europe/Berlin"', "2027-07-05T21:59:30"),
        ('"2027-03-05 23:59 America/New_York"', "2027-03-06T04:59"),
        ("2027-03-05T23:59:00+01:00", "2027-03-05T22:59"),
        ("2027-03-05 23:59:00Z", "2027-03-05T23:59"),
        ('"2027-03-05 23:59Z"', "2027-03-05T23:59"),
        ('"2027-03-05 23:59 UTC"', "2027-03-05T23:59"),
        ('"2027-03-05 23:59 +05:30"', "2027-03-05T18:29"),
    ],
)
def test_a_deadline_with_its_zone(tmp_path: Path, text: str, meant: str) -> None:
    due = read(tmp_path, f"{HEAD}[deadlines]\n2 = {text}\n").due("ada", None, 2)
    assert due is not None
    assert due.astimezone(UTC) == datetime.fromisoformat(f"{meant}+00:00")


@pytest.mark.parametrize(
    ("time", "sentence"),
    [
        ("2027-03-05T23:59:00", 'names no zone; write "2027-03-05 23:59 Europe/Berlin"'),
        ('"2027-03-05 23:59"', 'names no zone; write "2027-03-05 23:59 Europe/Berlin"'),
        ("2027-03-05", 'names no zone; write "2027-03-05 23:59 Europe/Berlin"'),
        ('"2027-03-28 02:30 Europe/Berlin"', "the clocks of Europe/Berlin skip 02:30 then"),
        (
            '"2027-10-31 02:30 Europe/Berlin"',
            "twice then; write 2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00",
        ),
        ('"2027-03-05 23:59 Berlin"', "no time zone 'Berlin'; did you mean 'Europe/Berlin'?"),
        ('"2027-03-05 23:59 Mars/Phobos"', "there is no time zone 'Mars/Phobos'"),
        ('"2027-03-05 23:59 ../../etc/passwd"', "there is no time zone"),
        ('"2027-02-30 23:59 UTC"', "there is no such time"),
        ('"next Friday"', 'a time is written as "2027-03-05 23:59 Europe/Berlin"'),
        ("17", "a time is written as"),
        ("23:59:00", "a time is written as"),
    ],
)
def test_a_deadline_that_two_could_read_differently_is_refused(
    tmp_path: Path, time: str, sentence: str
) -> None:
    told = refusal(tmp_path, f"{HEAD}\n[deadlines]\n1 = {time}\n")
    assert told.startswith("class.toml, line 5: ")
    assert sentence in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "class.toml says no timezone; labs class init shows how."),
        ('timezone = "UTC"', "class.toml says no labs; labs class init shows how."),
        (HEAD + "dedlines = 1", "line 3: there is no setting 'dedlines'; did you mean deadlines?"),
        (HEAD + "[late]\npolcy = 1", "line 4: there is no setting 'polcy'; did you mean policy?"),
        (HEAD + "[places]\nx = 1", "line 4: there is no setting 'x'; known are handed_in, roster,"),
        (HEAD + '[[extensions]]\nlerner = "a"', "line 4: there is no setting 'lerner'; did you"),
        ('labs = [1, 1]\ntimezone = "UTC"', "line 1: a lab is named twice."),
        ('labs = [9]\ntimezone = "UTC"', "line 1: there is no lab '9'."),
        ('labs = []\ntimezone = "UTC"', "line 1: labs is a list of numbers"),
        ('labs = [true]\ntimezone = "UTC"', "line 1: a lab is a number"),
        ("labs = [1]\ntimezone = 1", 'line 2: a time zone is a name such as "Europe/Berlin".'),
        (HEAD + "[deadlines]\n3 = 2027-01-01T00:00:00Z", "line 4: lab 3 has a deadline and is none"),
        (HEAD + '[deadlines]\n2 = 2027-01-01T00:00:00Z\nlab2 = 2027-01-01T00:00:00Z', "two deadlines"),
        (HEAD + 'seed = "x"', "line 3: a seed is a whole number."),
        (HEAD + 'seed = 1\nsecret = "x"', "line 4: seed is one for all and secret one for each"),
        (HEAD + '[late]\npolicy = "harsh"', 'line 4: a late policy is "none", "zero" or "percent".'),
        (HEAD + '[late]\npolicy = "percent"', "line 4: the policy percent needs percent_a_day."),
        (HEAD + '[late]\npercent_a_day = 101', "line 4: percent_a_day lies above 0 and is at most 100"),
        (HEAD + '[late]\npercent_a_day = nan', "line 4: percent_a_day is a number."),
        (HEAD + "late = 1", "line 3: late is a table, [late]."),
        (HEAD + '[extensions]\nlearner = "a"', "line 3: an extension begins with [[extensions]]."),
        (HEAD + "[[extensions]]\ndays = 1", "line 3: an extension needs learner or section"),
        (
            HEAD + '[[extensions]]\nlearner = "a"\ndays = 1\n[[extensions]]\nlearner = "b"\ndays = -1',
            "line 8: days lies above 0",
        ),
        (HEAD + '[[extensions]]\nlearner = "a"\ndays = 1\nlabs = [5]', "line 6: lab 5 is none"),
        (HEAD + '[places]\nreports = "handed-in/x"', "line 4: reports may not lie in the place of"),
        (HEAD + '[places]\nreports = "."', "line 4: reports may not hold the class's own"),
        (HEAD + "[places]\nreports = 1", "line 4: reports is a text in quotation marks."),
        ("labs = [", "class.toml is no TOML that can be read:"),
    ],
)  # fmt: skip
def test_what_it_may_not_say_is_refused_where_it_stands(
    tmp_path: Path, text: str, told: str
) -> None:
    assert told in refusal(tmp_path, text)


def test_a_byte_order_mark_is_read_and_utf16_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "class.toml").write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load(tmp_path).labs == (1, 2)
    (tmp_path / "class.toml").write_bytes(HEAD.encode("utf-16"))
    with pytest.raises(UsageError, match="not UTF-8 text; save it as UTF-8"):
        load(tmp_path)


def test_without_one_the_way_to_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no class.toml in .* labs class init writes one"):
        load(tmp_path)


def test_extensions_only_ever_give_time(tmp_path: Path) -> None:
    """By learner and by section, for some labs and for all; the latest counts."""
    made = read(
        tmp_path,
        HEAD + '[deadlines]\n1 = "2027-03-05 23:59 Europe/Berlin"\n2 = "2027-03-26 23:59 UTC"\n'
        '[[extensions]]\nlearner = "ada"\ndays = 2\n'
        '[[extensions]]\nsection = "evening"\nlabs = [2]\nuntil = "2027-04-02 23:59 UTC"\n'
        '[[extensions]]\nlearner = "bob"\nuntil = "2027-01-01 00:00 UTC"\n',
    )  # fmt: skip

    def days(learner: str, section: str | None, lab: int) -> timedelta:
        due = made.due(learner, section, lab)
        assert due is not None
        return due - made.deadlines[lab]

    assert days("ada", None, 1) == timedelta(days=2)
    assert days("ada", "evening", 2) == timedelta(days=7)
    assert days("bob", "evening", 1) == timedelta(0)
    assert days("eve", "day", 2) == timedelta(0)


def test_a_day_more_ends_at_the_same_hour_over_a_change_of_clocks(tmp_path: Path) -> None:
    """In Berlin the night to 28 March 2027 is an hour shorter."""
    made = read(
        tmp_path,
        HEAD + '[deadlines]\n1 = "2027-03-27 23:59 Europe/Berlin"\n'
        '[[extensions]]\nlearner = "ada"\ndays = 1\n',
    )  # fmt: skip
    due = made.due("ada", None, 1)
    assert due is not None
    assert due.isoformat() == "2027-03-28T23:59:00+02:00"
    assert due.timestamp() - made.deadlines[1].timestamp() == 23 * 3600


def test_a_machine_without_zones_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoneinfo import ZoneInfoNotFoundError

    from grader.classroom import times

    def nothing(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(times, "ZoneInfo", nothing)
    monkeypatch.setattr(times, "available_timezones", set)
    assert "pip install tzdata" in refusal(tmp_path, HEAD)


def test_private_means_private_whatever_the_umask(tmp_path: Path) -> None:
    import os

    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "a/b")
        write_private(tmp_path / "a/b/c", "x")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / one).stat().st_mode) for one in ("a", "a/b", "a/b/c")]
    assert modes == [0o700, 0o700, 0o600]
    assert settings.TEMPLATE.is_file()
