"""Each platform's download becomes handed-in/LEARNER/NN-slug, and nothing of it is lost or doubled."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import exports
import pytest
from class_room import Room
from exports import CLASS, answer, below, packed, unpacked

from grader.classroom import shelf, times
from grader.classroom.times import zone_called
from grader.course.files import UsageError

ADA, GRACE, LI1, LI2 = CLASS[:4]
MINE = answer("2", "solution", "mine")
OTHER = answer("2", "solution", "other")


def refused(outcome: Any) -> list[tuple[str | None, str]]:
    return [(one.learner, one.sentence) for one in outcome.refused]


# --- Moodle -----------------------------------------------------------------------------------


@pytest.mark.parametrize("folders", [True, False], ids=["folders", "flat"])
@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2", "unpacked"])
def test_moodle(room: Room, folders: bool, old: bool, form: str) -> None:
    """Folders (with and without the underscore of older versions) and flat files, however packed."""
    room.enrol(exports.roster())
    files = exports.moodle([(ADA, 17, MINE), (CLASS[6], 18, OTHER)], folders=folders, old=old)
    name, content = (
        (f"STREAMS-Lab 2-345.{form}", packed(files, form)) if form != "unpacked" else ("d", files)
    )
    outcome = room.take(name, content)
    assert outcome.platform == "moodle"
    assert not outcome.refused
    assert room.files("ada") == MINE
    assert room.files("oneil") == OTHER  # whose apostrophe Moodle leaves out


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize(
    "inside", ["", "my work/lab/", "work/labs/02-lambda-triggers/", "a/b/c/d/"]
)
def test_what_a_learner_packed_is_unpacked(room: Room, kind: str, inside: str) -> None:
    """Any archive, and files nested folders deep."""
    room.enrol(exports.roster())
    files = {f"{inside}{name}": content for name, content in MINE.items()}
    handed = {f"hand-in.{kind}": packed(files, kind)}
    outcome = room.take("lab2.zip", packed(exports.moodle([(ADA, 17, handed)])))
    assert not outcome.refused
    assert room.files("ada") == MINE


def test_an_archive_in_an_archive_is_unpacked_once_more(room: Room) -> None:
    once = {"lab2.zip": packed({"inner.tar.gz": packed(MINE, "tar.gz")})}
    room.take("lab2.zip", packed(exports.moodle([(ADA, 17, once)])))
    assert room.files("ada-lovelace") == MINE


def test_a_text_typed_into_moodle_is_told(room: Room) -> None:
    room.enrol(exports.roster())
    files = exports.moodle([(ADA, 17, MINE)])
    files["Ada Lovelace_17_assignsubmission_onlinetext/onlinetext.html"] = "<p>please</p>"
    (taken,) = room.take("lab2.zip", packed(files)).taken
    assert "a text typed into Moodle (onlinetext) is left: only files are read" in taken.odd


def test_a_number_of_a_participant_names_nobody(room: Room) -> None:
    """It is another one in each assignment, so a roster's number of last time must not mislead."""
    room.enrol(exports.roster(moodle_id={"ada": "17", "grace": "18"}))
    room.take("lab2.zip", packed(exports.moodle([(GRACE, 17, MINE)])))
    assert room.files("grace") == MINE
    assert not room.files("ada")


def test_equal_names_are_told_apart_by_the_worksheet_or_refused(room: Room) -> None:
    room.enrol(exports.roster())
    files = packed(exports.moodle([(LI1, 30, MINE), (LI2, 31, OTHER), (ADA, 32, OTHER)]))
    outcome = room.take("lab2.zip", files)
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert {name for name, _ in refused(outcome)} == {None}
    assert "Li Wei (participant 30) means more than one learner" in outcome.refused[0].sentence

    sheet = room.source("w.csv", exports.worksheet([(LI1, 30, "-"), (LI2, 31, "-")]))
    outcome = room.again(room.root / "downloads/lab2.zip", rows=times.read(sheet, "UTC", None))
    assert not outcome.refused
    assert (room.files("liwei1"), room.files("liwei2")) == (MINE, OTHER)
    assert not room.record.refusals()  # what was refused before is settled


def test_the_worksheet_says_when(room: Room) -> None:
    room.enrol(exports.roster())
    sheet = room.source("w.csv", exports.worksheet([(ADA, 17, "Friday, 5 March 2027, 11:41 PM")]))
    rows = times.read(sheet, "UTC", zone_called("Europe/Berlin"))
    room.take("lab2.zip", packed(exports.moodle([(ADA, 17, MINE), (GRACE, 18, MINE)])), rows=rows)
    ada, grace = room.record.hand_ins()
    assert (ada.handed_in_at, ada.time_source) == ("2027-03-05T22:41:00+00:00", "--times")
    assert (grace.handed_in_at, grace.time_source) == (None, "unknown")


def test_anonymous_participants_are_known_by_the_worksheet_alone(room: Room) -> None:
    room.enrol(exports.roster())
    files = below("Participant_17_assignsubmission_file", MINE)
    assert refused(room.take("lab2.zip", packed(files))) == [
        (None, "Participant (participant 17) is not in the roster.")
    ]
    sheet = room.source("w.csv", exports.worksheet([(ADA, 17, "-")]))
    room.again(room.root / "downloads/lab2.zip", rows=times.read(sheet, "UTC", None))
    assert room.files("ada") == MINE


# --- Canvas -----------------------------------------------------------------------------------


@pytest.mark.parametrize("known_by", ["canvas_id", "name"])
def test_canvas(room: Room, known_by: str) -> None:
    """By the user's id, else by the name as Canvas squashes it; for every script."""
    room.enrol(
        exports.roster(canvas_id={one.key: str(one.number) for one in CLASS})
        if known_by == "canvas_id"
        else exports.roster()
    )
    people = [one for one in CLASS if known_by == "canvas_id" or one.name != "Li Wei"]
    files = exports.canvas([(one, one is ADA, answer("2", "solution", one.key)) for one in people])
    outcome = room.take("submissions.zip", packed(files))
    assert outcome.platform == "canvas"
    assert not outcome.refused
    for one in people:
        assert room.files(one.key) == answer("2", "solution", one.key), one.name
    late = {one.learner for one in outcome.taken if "Canvas marks it as late" in one.odd}
    assert late == {"ada"}
    assert {one.handed_in_at for one in room.record.hand_ins()} == {None}  # a mark is no time


def test_a_file_handed_in_again_to_canvas_has_its_name_back(room: Room) -> None:
    room.enrol(exports.roster())
    files = {"lovelaceada_4101_7_handler-2.py": MINE["handler.py"],
             "lovelaceada_4101_8_template-1.yaml": MINE["template.yaml"],
             "lovelaceada_4101_9_rates-1.py": "RATE = 2\n",
             "lovelaceada_4101_10_1984-85.csv": "kept\n"}  # fmt: skip
    room.take("submissions.zip", packed(files))
    assert room.files("ada") == MINE | {"rates.py": b"RATE = 2\n", "1984-85.csv": b"kept\n"}


def test_what_was_typed_into_canvas_is_told_and_refused(room: Room) -> None:
    room.enrol(exports.roster())
    outcome = room.take("submissions.zip", packed({"lovelaceada_4101_text.html": "<p>hello</p>"}))
    assert refused(outcome) == [
        ("ada", "it holds none of the files of lab 2: handler.py and template.yaml.")
    ]


def test_anonymous_assignments_of_canvas_are_known_by_the_roster_alone(room: Room) -> None:
    """Canvas's id of a submission stands in no list of participants, so nobody is guessed."""
    files = {f"LATE_anon_XyZ12_{n}_{name}": MINE[name] for n, name in enumerate(MINE)}
    outcome = room.take("submissions.zip", packed(files))
    assert [one.learner for one in outcome.taken] == ["anonymous-XyZ12"]
    room.enrol(exports.roster())
    outcome = room.again(room.root / "downloads/submissions.zip")
    assert refused(outcome) == [(None, "anonymous (XyZ12) is not in the roster.")]


def test_names_of_canvas_that_hold_numbers_and_marks(room: Room) -> None:
    """Only the first two numbers are Canvas's: what follows is a learner's file name."""
    room.enrol("learner,canvas_id\nada,4101\nbob,4102\n")
    files = {f"lovelaceada_4101_7_{name}": data for name, data in MINE.items()}
    files["lovelaceada_4101_9_LATE_4102_11_handler.py"] = b"x = 1\n"
    files["x_LATE_4102_5_Bob_17_assignsubmission_file_handler.py"] = b"y = 1\n"
    room.take("submissions.zip", packed(files))
    assert room.files("ada") == MINE | {"LATE_4102_11_handler.py": b"x = 1\n"}
    assert not room.files("bob")


# --- Gradescope -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    ["2027-03-05 22:41:00.123456789 Z", "2027-03-05 23:41:00 +01:00", "'2027-03-05T22:41:00Z'",
     "!ruby/object:ActiveSupport::TimeWithZone\n    utc: 2027-03-05 22:41:00 Z\n    zone: x"],
)  # fmt: skip
def test_gradescope_says_when_and_who(room: Room, at: str) -> None:
    room.enrol(exports.roster())
    files = exports.gradescope([((ADA,), at, MINE), ((GRACE, LI1), at, OTHER)], {"ada": 2})
    outcome = room.take("export.zip", packed(files))
    assert outcome.platform == "gradescope"
    assert room.files("ada") == MINE
    assert room.files("grace") == room.files("liwei1") == OTHER
    assert {one.handed_in_at for one in room.record.hand_ins()} == {"2027-03-05T22:41:00+00:00"}
    odd = {one.learner: one.odd for one in outcome.taken}
    assert odd["ada"] == ("2 earlier attempts on Gradescope, not in its export",)
    assert odd["grace"] == ("handed in together with liwei1",)


def test_gradescope_by_sid_alone(room: Room) -> None:
    room.enrol("learner,sid\ngrace,4102\n")
    room.take("export.zip", packed(exports.gradescope([((GRACE,), "2027-03-05 22:41:00 Z", MINE)])))
    assert room.files("grace") == MINE


def test_a_time_of_gradescope_without_a_zone_is_none(room: Room) -> None:
    room.enrol(exports.roster())
    room.take("export.zip", packed(exports.gradescope([((ADA,), "2027-03-05 22:41:00", MINE)])))
    (ada,) = room.record.hand_ins()
    assert ada.handed_in_at is None
    assert "submission_metadata.yml says no time that can be read" in ada.odd


def test_what_learners_printed_costs_the_metadata_nothing(room: Room) -> None:
    """Results stand in it: a text that YAML takes for a date, a merge, a number, a type."""
    room.enrol(exports.roster())
    files = exports.gradescope([((ADA,), "2027-03-05 22:41:00 Z", MINE)])
    odd = [
        "2021-99-99",
        "{<<: x}",
        "9" * 5000,
        "!!python/object/apply:os.system [x]",
        "!ruby/x {}",
        "[" * 300 + "]" * 300,
        "{" * 1 + "? [a] : b}",
        "&a x",
        "*a",
    ]
    path = "assignment_55_export/submission_metadata.yml"
    files[path] = str(files[path]) + "  :results:\n" + "".join(f"  - {one}\n" for one in odd)
    room.take("export.zip", packed(files))
    assert room.record.hand_ins("ada")[0].handed_in_at == "2027-03-05T22:41:00+00:00"


def test_metadata_in_a_learners_folder_is_a_file_like_any_other(room: Room) -> None:
    """Nobody is who their own file says they are."""
    room.enrol(exports.roster())
    forged = exports.gradescope([((GRACE,), "2027-03-05 22:41:00 Z", OTHER)])
    forged = {path.partition("/")[2]: content for path, content in forged.items()}
    room.take("class.zip", packed({**below("ada", MINE | forged)}))
    assert room.files("ada")["handler.py"] == MINE["handler.py"]
    assert not room.files("grace")


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "\0"])
def test_metadata_that_cannot_be_read_is_a_sentence(room: Room, text: str) -> None:
    files = {"e/submission_metadata.yml": text, **below("e/submission_1", MINE)}
    with pytest.raises(UsageError, match=r"submission_metadata\.yml .*export it again"):
        room.take("export.zip", packed(files))


# --- folders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("around", ["", "class/", "export/class/"])
def test_a_folder_a_learner(room: Room, around: str) -> None:
    """By login, by name, by any id, in any case; folders around all of them are passed over."""
    room.enrol("learner,name,sis_id\nada,Ada Lovelace,\nbob,Bob Adams,\neve,Eve,900123\n")
    files = {}
    for top, note in (("ADA", "a"), ("Adams, Bob", "b"), ("900123", "e")):
        files |= below(f"{around}{top}", answer("2", "solution", note))
    outcome = room.take("class.zip", packed(files))
    assert not outcome.refused
    for key in ("ada", "bob", "eve"):
        assert room.files(key) == answer("2", "solution", key[0])


def test_an_archive_a_learner(room: Room) -> None:
    room.take(
        "class", {"ada.zip": packed(MINE), "bob.tar.gz": packed(OTHER, "tar.gz"), "note.txt": "x"}
    )
    assert (room.files("ada"), room.files("bob")) == (MINE, OTHER)


def test_one_learners_archive_alone(room: Room) -> None:
    assert room.take("ada.zip", packed(MINE)).taken[0].learner == "ada"
    room.enrol(exports.roster())
    assert room.take("grace.zip", packed(below("stuff", MINE))).taken[0].learner == "grace"


def test_one_file_of_moodles_alone(room: Room) -> None:
    room.enrol(exports.roster())
    room.take("Ada Lovelace_17_assignsubmission_file_lab2.zip", packed(MINE))
    assert room.files("ada") == MINE


def test_what_tar_and_git_archive_write_around_files(room: Room) -> None:
    """The folder itself as ``./``, a header for all files, and names that begin with ``./``."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "f" * 40}
    ) as tar:
        for name in ("./", "./ada"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            tar.addfile(folder)
        for name, content in MINE.items():
            info = tarfile.TarInfo(f"./ada/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    outcome = room.take("class.tgz", out.getvalue())
    assert not outcome.refused
    assert room.files("ada") == MINE


def test_what_macos_and_windows_write_around_files(room: Room) -> None:
    files = {**below("ada", MINE), "__MACOSX/ada/._handler.py": b"x", "ada/Thumbs.db": b"x",
             "ada/.DS_Store": b"x", "ada/desktop.ini": b"x"}  # fmt: skip
    (taken,) = room.take("class.zip", packed(files)).taken
    assert (room.files("ada"), taken.odd) == (MINE, ())
    backslashes = {name.replace("/", "\\"): data for name, data in below("bob", MINE).items()}
    room.take("class2.zip", packed(backslashes))
    assert room.files("bob") == MINE


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told(room: Room) -> None:
    source = room.source("class", {**below("ada", MINE), **below("eve/sub", MINE)})
    (source / "eve/sub").chmod(0)
    try:
        outcome = room.again(source)
    finally:
        (source / "eve/sub").chmod(0o700)
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert "cannot be read: permission denied" in outcome.refused[0].sentence


def test_accents_of_macos_make_no_second_learner(room: Room) -> None:
    room.take("a.zip", packed(below("jose\u0301", MINE)))
    room.take("b.zip", packed(below("jos\u00e9", OTHER)))
    assert [one.learner for one in room.record.hand_ins()] == ["jos\u00e9", "jos\u00e9"]


def test_an_archive_that_cannot_be_read_beside_one_that_can_is_left(room: Room) -> None:
    taken, _ = room.take(
        "class", {**below("bob", OTHER), "ada/2.zip": packed(MINE), "ada/pictures.rar": b"x"}
    ).taken
    assert (room.files("ada"), taken.odd) == (MINE, ("left: 'pictures.rar'",))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_four_thousand_entries_are_many_but_no_attack(room: Room, kind: str) -> None:
    """A virtual environment that was packed by mistake is left."""
    files = MINE | {f"venv/lib/{n}.py": b"" for n in range(4_000)}
    room.take("class", {f"ada/work.{kind}": packed(files, kind)})
    assert room.files("ada") == MINE


def test_clones(room: Room) -> None:
    """What git keeps is not looked at; the lab is found in its folder, and no stamp is a time."""
    room.enrol(exports.roster())
    files = {}
    for one in (ADA, GRACE):
        files |= below(f"{one.key}/labs/02-lambda-triggers", answer("2", "solution", one.key))
        files |= below(f"{one.key}/labs/03-monitoring", answer("3", "solution", one.key))
        files |= below(f"{one.key}/.git/objects", {f"{n:02}": "x" for n in range(60)})
        files[f"{one.key}/README.md"] = "hello\n"
    outcome = room.take("clones", files, lab=None)
    assert not outcome.refused
    for one in (ADA, GRACE):
        for lab in "23":
            assert room.files(one.key, lab) == answer(lab, "solution", one.key)
    assert {one.handed_in_at for one in room.record.hand_ins()} == {None}


def test_repositories_of_github_classroom(room: Room) -> None:
    """They are called assignment-login; a login that ends in another one is not that one."""
    room.enrol(exports.roster())
    files = {}
    for login in ("ada", "grace", "madonna", "evil-eve"):
        files |= below(f"lab-2-{login}", MINE)
    outcome = room.take("clones", files)
    assert sorted(one.learner for one in outcome.taken) == ["ada", "grace", "madonna"]
    assert refused(outcome) == [(None, "lab-2-evil-eve is not in the roster.")]


def test_a_clone_of_the_whole_course_holds_each_lab_several_times(room: Room) -> None:
    files = {
        **below("ada/labs/02-lambda-triggers", MINE),
        **below("ada/solutions/02-lambda-triggers", answer("2", "solution")),
        **below("ada/grader/course/starters/02-lambda-triggers", answer("2")),
    }
    room.take("class", files, lab=None)
    assert room.files("ada") == MINE


def test_a_folder_for_each_lab_with_one_for_each_learner(room: Room) -> None:
    files = {
        **below("02-lambda-triggers/ada", MINE),
        **below("02-lambda-triggers/bob", OTHER),
        **below("lab3/ada", answer("3", "solution")),
    }
    room.take("all.zip", packed(files), lab=None)
    assert (room.files("ada"), room.files("bob")) == (MINE, OTHER)
    assert room.files("ada", "3") == answer("3", "solution")


def test_of_folders_for_labs_the_one_that_is_said_is_taken(room: Room) -> None:
    files = {**below("lab2/ada", MINE), **below("lab3/ada", OTHER), **below("lab3/bob", OTHER)}
    outcome = room.take("all", files, lab="2")
    assert [(one.learner, one.lab) for one in outcome.taken] == [("ada", 2)]
    assert room.files("ada") == MINE


def test_a_folder_for_each_lab_with_a_platforms_download_in_it(room: Room) -> None:
    room.enrol(exports.roster())
    third = answer("3", "solution", "third")
    files = {
        **below("02-lambda-triggers/export", exports.moodle([(ADA, 17, MINE)])),
        **below("03-monitoring", exports.canvas([(ADA, False, third)])),
    }
    outcome = room.take("all.zip", packed(files), lab=None)
    assert not outcome.refused
    assert (room.files("ada"), room.files("ada", "3")) == (MINE, third)


def test_a_download_in_a_download_is_a_source_of_its_own(room: Room) -> None:
    """It is nobody's hand-in, with a roster and without."""
    files = {"lab2.zip": packed(exports.moodle([(ADA, 17, MINE)]))}
    assert refused(room.take("all", files)) == [
        ("lab2", "it holds what a platform hands out; give it as a SOURCE of its own.")
    ]
    room.enrol(exports.roster())
    assert refused(room.again(room.root / "downloads/all")) == [
        (None, "lab2 is not in the roster; a platform's download is given as a SOURCE of its own.")
    ]


def test_the_class_itself_is_no_source(room: Room) -> None:
    room.take("class", below("ada", MINE))
    with pytest.raises(UsageError, match="holds the class itself"):
        room.again(room.root)


def test_a_stray_file_beside_learners_folders_is_left(room: Room) -> None:
    outcome = room.take(
        "class", {**below("ada", MINE), **below("bob", OTHER), "handler.py": "x = 1\n"}
    )
    assert sorted(one.learner for one in outcome.taken) == ["ada", "bob"]
    assert outcome.left == ["handler.py"]


def test_the_instructor_may_say_who_wrote_a_source(room: Room) -> None:
    files = below("Ada Lovelace_17_assignsubmission_file", MINE)
    room.take("x.zip", packed(files), platform="folders")
    assert room.files("Ada Lovelace_17_assignsubmission_file") == MINE
    with pytest.raises(UsageError, match="no export of Gradescope"):
        room.take("x.zip", packed(files), platform="gradescope")


# --- which lab --------------------------------------------------------------------------------


def test_the_lab_by_its_files_alone(room: Room) -> None:
    """diagnosis.toml is lab 4's; handler.py and template.yaml are asked about."""
    outcome = room.take("class", {**below("ada", answer("4")), **below("bob", MINE)}, lab=None)
    assert [(one.learner, one.lab) for one in outcome.taken] == [("ada", 4)]
    assert refused(outcome) == [
        ("bob", "it holds handler.py and template.yaml, as labs 2 and 3 do; say which with --lab.")
    ]


def test_the_lab_that_is_said_is_the_only_one_taken(room: Room) -> None:
    files = {
        **below("ada/labs/02-lambda-triggers", MINE),
        **below("ada/labs/03-monitoring", answer("3")),
    }
    room.take("class", files, lab="2")
    assert room.files("ada") == MINE
    assert not room.files("ada", "3")
    outcome = room.take("other", below("bob/labs/03-monitoring", answer("3")), lab="2")
    assert refused(outcome) == [
        ("bob", "it holds none of the files of lab 2: handler.py and template.yaml.")
    ]


def test_the_same_lab_in_two_folders_is_asked_about(room: Room) -> None:
    files = {**below("ada/new", MINE), **below("ada/old", OTHER)}
    outcome = room.take("class", {**files, **below("bob", MINE)})
    assert [one.learner for one in outcome.taken] == ["bob"]
    assert refused(outcome) == [("ada", "it holds lab 2 in several folders: 'new' and 'old'.")]


# --- what is taken ----------------------------------------------------------------------------


def test_modules_beside_the_handler_travel_and_litter_is_left(room: Room) -> None:
    files = MINE | {
        "money.py": b"CENTS = 100\n",
        "data/rates.csv": b"EUR,1\n",
        "notes.md": b"# mine\n",
        "conftest.py": b"raise SystemExit\n",
        "README.md": b"the lab's\n",
        "__pycache__/money.cpython-311.pyc": b"\0",
        ".idea/workspace.xml": b"<x/>",
        "venv/pyvenv.cfg": b"home = x\n",
        "venv/lib/site.py": b"x = 1\n",
    }
    (taken,) = room.take("class", below("ada", files)).taken
    assert room.files("ada") == MINE | {"money.py": b"CENTS = 100\n", "data/rates.csv": b"EUR,1\n"}
    assert taken.odd == ("left: 'conftest.py' and 'notes.md'",)


def test_a_lab_that_is_not_whole_is_taken_and_told(room: Room) -> None:
    """Grading says what that costs; what was handed in is kept as it is."""
    files = {"handler.py": b"\xff\xfeh", "Template.yaml": MINE["template.yaml"]}
    (taken,) = room.take("class", below("ada", files)).taken
    assert taken.odd == (
        "handler.py is saved as UTF-16; save it as UTF-8",
        "Template.yaml is not template.yaml: upper and lower case count",
    )


def test_folders_and_files_are_their_owners_alone(room: Room) -> None:
    before = os.umask(0)
    try:
        room.take("class", below("ada", MINE))
    finally:
        os.umask(before)
    for place in [room.settings.handed_in, *room.settings.handed_in.rglob("*")]:
        mode = stat.S_IMODE(place.stat().st_mode)
        assert mode == (0o700 if place.is_dir() else 0o600), place


# --- attempts ---------------------------------------------------------------------------------


def attempts(room: Room, learner: str = "ada") -> list[tuple[int, bool]]:
    return [(one.attempt, one.counts) for one in room.record.hand_ins(learner)]


def test_the_same_source_again_changes_nothing(room: Room) -> None:
    source = room.source("lab2.zip", packed(below("ada", MINE)))
    room.again(source)
    before = {p: p.stat().st_mtime_ns for p in room.settings.handed_in.rglob("*") if p.is_file()}
    rows = room.record.hand_ins()
    (taken,) = room.again(source).taken
    assert not taken.new
    assert room.record.hand_ins() == rows
    assert before == {
        p: p.stat().st_mtime_ns for p in room.settings.handed_in.rglob("*") if p.is_file()
    }


def test_every_attempt_is_kept_and_the_newest_counts(room: Room) -> None:
    """Also where a learner goes back to an earlier answer, and where an old download comes again."""
    first = room.source("first.zip", packed(below("ada", MINE)))
    room.again(first)
    room.take("second.zip", packed(below("ada", OTHER)))
    assert attempts(room) == [(1, False), (2, True)]
    assert room.files("ada") == OTHER
    room.again(first)
    assert attempts(room) == [(1, False), (2, True)]
    room.take("third.zip", packed({**below("ada", MINE), **below("bob", MINE)}))
    assert attempts(room) == [(1, False), (2, False), (3, True)]
    assert room.files("ada") == MINE
    kept = room.settings.attempts / "ada/02-lambda-triggers"
    assert (kept / "2/template.yaml").read_bytes() == OTHER["template.yaml"]


def test_the_newest_is_so_by_its_time_and_not_by_when_it_was_taken(room: Room) -> None:
    room.enrol(exports.roster())
    for day, files in ((5, OTHER), (3, MINE)):
        export = exports.gradescope([((ADA,), f"2027-03-0{day} 10:00:00 Z", files)])
        outcome = room.take(f"export{day}.zip", packed(export))
    assert attempts(room) == [(1, True), (2, False)]
    assert outcome.taken[0].odd == ("attempt 1 counts and not this one",)
    assert room.files("ada") == OTHER


def test_an_attempt_can_be_chosen_and_the_choice_stays(room: Room) -> None:
    room.take("first.zip", packed(below("ada", MINE)))
    second = room.source("second.zip", packed(below("ada", OTHER)))
    room.again(second, attempt=1)
    assert (attempts(room), room.files("ada")) == ([(1, True), (2, False)], MINE)
    room.again(second)
    assert (attempts(room), room.files("ada")) == ([(1, True), (2, False)], MINE)
    (taken,) = room.again(second, attempt=7).taken
    assert taken.odd == ("there is no attempt 7",)
    room.take("third.zip", packed(below("ada", MINE | {"x.py": b"x = 1\n"})))
    assert attempts(room) == [(1, False), (2, False), (3, True)]


def test_an_untouched_starter_never_takes_the_place_of_work(room: Room) -> None:
    """Learners hand in whole workspaces, in which the other labs lie as they came."""
    room.take("first.zip", packed(below("ada/labs/02-lambda-triggers", answer("2"))), lab=None)
    assert attempts(room) == [(1, True)]
    room.take("second.zip", packed(below("ada/labs/02-lambda-triggers", MINE)), lab=None)
    files = {
        **below("ada/labs/02-lambda-triggers", answer("2")),
        **below("ada/labs/03-monitoring", answer("3", note="x")),
    }
    room.take("third.zip", packed(files), lab=None)
    assert room.files("ada") == MINE
    assert room.files("ada", "3") == answer("3", note="x")


def test_files_put_there_by_hand_are_kept_as_an_attempt(room: Room) -> None:
    folder = room.settings.handed_in / "ada/02-lambda-triggers"
    unpacked(folder, {name: content + b"# by hand\n" for name, content in MINE.items()})
    (taken,) = room.take("first.zip", packed(below("ada", MINE))).taken
    assert taken.odd == ("what lay there by hand is kept as an attempt",)
    assert [(one.attempt, one.source.split()[0]) for one in room.record.hand_ins("ada")] == [
        (1, "by"),
        (2, "first.zip"),
    ]
    assert room.files("ada") == MINE
    # Changed by hand again, and the same source again: nobody asked for another one.
    (folder / "handler.py").write_bytes(b"changed = 1\n")
    room.again(room.root / "downloads/first.zip")
    assert room.files("ada")["handler.py"] == b"changed = 1\n"


def test_a_kill_between_two_steps_is_mended_by_taking_again(room: Room) -> None:
    import shutil

    source = room.source("lab2.zip", packed(below("ada", MINE)))
    room.again(source)
    shutil.rmtree(room.settings.handed_in / "ada")
    shutil.rmtree(room.settings.attempts / "ada")
    room.again(source)
    assert room.files("ada") == MINE
    assert attempts(room) == [(1, True)]


def test_a_time_that_becomes_known_is_added(room: Room) -> None:
    room.enrol(exports.roster())
    source = room.source("lab2.zip", packed(below("ada", MINE)))
    room.again(source)
    for written, kept in (("2027-03-05T22:00Z", "22:00"), ("2027-03-05T23:00Z", "23:00")):
        sheet = room.source("t.csv", f"learner,time\nada,{written}\n")
        room.again(source, rows=times.read(sheet, "UTC", None))
        (ada,) = room.record.hand_ins("ada")
        assert ada.handed_in_at == f"2027-03-05T{kept}:00+00:00"


# --- who --------------------------------------------------------------------------------------


def test_who_is_not_in_the_roster_is_refused_and_nobody_else(room: Room) -> None:
    room.enrol(exports.roster())
    outcome = room.take("class", {**below("grcae", MINE), **below("ada", MINE)})
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert refused(outcome) == [(None, "grcae is not in the roster; is it grace?")]
    room.enrol(exports.roster() + "grcae,,,\n")
    room.again(room.root / "downloads/class")
    assert not room.record.refusals()


def test_two_deliveries_of_one_learner_are_both_refused(room: Room) -> None:
    """Whoever can name a folder could pass for somebody else."""
    room.enrol(exports.roster())
    outcome = room.take(
        "class", {**below("ada", MINE), **below("Ada Lovelace", OTHER), **below("grace", MINE)}
    )
    assert [one.learner for one in outcome.taken] == ["grace"]
    assert {name for name, _ in refused(outcome)} == {"ada"}


def test_without_a_roster_equal_names_are_refused(room: Room) -> None:
    outcome = room.take(
        "lab2.zip", packed(exports.moodle([(LI1, 1, MINE), (LI2, 2, OTHER), (ADA, 3, MINE)]))
    )
    assert [one.learner for one in outcome.taken] == ["ada-lovelace"]
    assert {name for name, _ in refused(outcome)} == {"li-wei"}


@pytest.mark.parametrize("name", ["CON", "a:b", ".hidden", "x" * 120, "tab\there", "ends."])
def test_a_name_that_is_no_folder_on_every_disk_is_refused(room: Room, name: str) -> None:
    outcome = room.take("class.tar", packed({**below(name, MINE), **below("ada", MINE)}, "tar"))
    assert [one.learner for one in outcome.taken] == ["ada"]
    assert len(outcome.refused) == (0 if name == ".hidden" else 1)


def test_the_class_of_twelve(room: Room) -> None:
    """The export that the guide is tried with."""
    made = exports.class_of_twelve()
    room.settings.roster.write_bytes(made.pop("roster.csv"))
    sheet = room.source("sheet.csv", made["Grades-STREAMS-Lab 2-3456.csv"])
    rows = times.read(sheet, "UTC", zone_called("Europe/Berlin"))
    outcome = room.take("STREAMS-Lab 2-3456.zip", made["STREAMS-Lab 2-3456.zip"], None, rows)
    assert not outcome.refused or {name for name, _ in refused(outcome)} != {None}


def test_what_a_killed_command_left_is_in_nobodys_way(room: Room) -> None:
    for name in (".new/handler.py", ".old/handler.py"):
        unpacked(room.settings.attempts, {name: b"half"})
    room.take("class", below("ada", MINE))
    assert room.files("ada") == MINE
    assert not (room.settings.attempts / ".new").exists()
    assert not (room.settings.attempts / ".old").exists()


def test_a_kill_at_any_file_is_mended_by_taking_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each step that writes: nothing is lost, and nothing is there twice."""
    source = room.source("lab2.zip", packed({**below("ada", MINE), **below("bob", OTHER)}))
    steps = 0
    for dies_at in range(1, 40):
        count = iter(range(1, 1000))

        def dying(of: Any, at: int = dies_at, count: Any = count) -> Any:
            def step(*arguments: Any, **more: Any) -> Any:
                if next(count) == at:
                    raise KeyboardInterrupt
                return of(*arguments, **more)

            return step

        with monkeypatch.context() as patched:
            patched.setattr(shelf, "write_private", dying(shelf.write_private))
            patched.setattr(Path, "rename", dying(Path.rename))
            patched.setattr(room.record, "add_hand_in", dying(room.record.add_hand_in))
            try:
                room.again(source)
            except KeyboardInterrupt:
                steps += 1
    room.again(source)
    assert steps > 5
    assert (room.files("ada"), room.files("bob")) == (MINE, OTHER)
    assert attempts(room) == attempts(room, "bob") == [(1, True)]
