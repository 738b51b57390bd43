"""Reports of a class: true, escaped, private, and with findings as `labs grade -v` tells them."""

from __future__ import annotations

import base64
import hashlib
import re
import stat
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_class import DUE, finding, grade, graded, hand_in, settings

from grader.classroom import forgetting
from grader.classroom.record import Record, Refusal
from grader.classroom.report import write, write_anonymous
from grader.classroom.report.feedback import duration
from grader.classroom.report.guide import questions
from grader.classroom.report.overview import Names
from grader.classroom.report.standing import Criterion, hardest
from grader.classroom.roster import Learner
from grader.classroom.settings import Late
from grader.course import judge
from grader.course.files import content_hash
from grader.course.lab import find, labs
from grader.desk import report as desk

HOSTILE = (
    "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m\u2066"
)
ROSTER = {
    "mia": Learner("mia", "Mia Brück", "mia@example.org", "A"),
    "wang": Learner("wang", "王小明", "wang@example.org", "A"),
    "kim1": Learner("kim1", "Kim Lee", "kim1@example.org", "B"),
    "kim2": Learner("kim2", "Kim Lee", "kim2@example.org", "B"),
}


class Page(HTMLParser):
    """A page's text, its elements and their attributes, as a browser would find them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.data: list[str] = []
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.text = " ".join(" ".join(self.data).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in ("style", "script") and self.tags[-1] not in self.raw:
            self.raw[self.tags[-1]] = data
        else:
            self.data.append(data)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path / "class.sqlite") as record:
        yield record


def reports(record: Record, roster: dict[str, Learner] = ROSTER, **more: object) -> Path:
    course = settings(record.path.parent, **more)
    write(course, roster, record)
    return course.reports


def overview(record: Record, **more: object) -> Page:
    return Page((reports(record, **more) / "overview.html").read_text())


def feedback(record: Record, learner: str, **more: object) -> tuple[Page, str]:
    folder = reports(record, **more) / "feedback" / learner
    return Page((folder / "feedback.html").read_text()), (folder / "feedback.md").read_text()


# --- what a learner reads -----------------------------------------------------------------------


def test_findings_stand_there_as_labs_grade_v_tells_them(record: Record) -> None:
    """Every line of the terminal's report on what is open, and in the same order."""
    told = finding(where="handler.py:12  if a < b and c > d:  # `x`", observed="one\n  two")
    seen = grade(
        {"once-crash": "unmet", "role-tight": "unreached", "counts-changes": "unmet"},
        told=told, notes=["A note."], advice=["Use fewer."],
    )  # fmt: skip
    hand_in(record, "mia", seen)
    page, text = feedback(record, "mia")
    terminal = desk.terminal(seen, tasks={}, verbose=True, width=10_000)
    lines = [" ".join(line.split()) for line in terminal.split("\n\n", 1)[1].splitlines()]
    findings = [line for line in lines[lines.index("") :] if line and "Advice" not in line]
    assert len(findings) > 30
    plain = " ".join(re.sub(r"\\(.)", r"\1", text).split())
    for where in (page.text, plain):
        at = 0
        for line in findings[:-1]:
            assert line in where[at:], line
            at = where.index(line, at)
        assert "Note: A note." in where and "Use fewer." in where


def test_a_learner_reads_the_seed_that_repeats_the_grade(record: Record) -> None:
    hand_in(record, "mia", grade(seed=4711), tier="namespaces and Landlock")
    for where in (feedback(record, "mia")[0].text, feedback(record, "mia")[1]):
        assert "labs grade 2 --seed 4711" in where and "namespaces and Landlock" in where


def test_a_learner_reads_what_being_late_cost_and_what_was_adjusted(record: Record) -> None:
    late = (DUE + timedelta(days=1, hours=3)).isoformat()
    hand_in(record, "mia", grade(), at=late)
    page, text = feedback(record, "mia", late=Late("percent", 10))
    for where in (page.text, text):
        assert "80 of 100 points: 100, less 20 for being late" in where
        assert "1 day and 3 hours" in where and "2027-03-07 02:59 Europe/Berlin" in where
    assert "costs no points" in feedback(record, "mia")[0].text
    record.adjust("mia", 2, 95, "Ill that day.")
    page, text = feedback(record, "mia", late=Late("percent", 10))
    for where in page.text, text:
        assert "95 of 100 points, set by your instructor" in where and "Ill that day." in where
        assert "in place of the 80 of the grade: 100, less 20 for being late" in where
    assert "in place of the 100 of the grade." in feedback(record, "mia")[0].text
    told = overview(record, late=Late("percent", 10)).text
    assert "late by 1 day and 3 hours; set to 95 points" in told and "costs" not in told


def test_a_learner_reads_why_there_is_no_mark(record: Record) -> None:
    assert_told = {"mia": "Nothing was handed in.", "kim1": "costs you no points", "kim2": "a link"}
    hand_in(record, "kim1", None)
    record.add_refusal(Refusal("kim2", 2, "a.zip", "It holds a link."))
    for learner, sentence in assert_told.items():
        page, text = feedback(record, learner)
        assert sentence in page.text and sentence in text
    assert "killed" not in feedback(record, "kim1")[0].text


def test_nothing_of_another_learner_stands_in_a_feedback_page(record: Record) -> None:
    hand_in(record, "mia", grade({"once-crash": "unmet"}))
    hand_in(record, "wang", grade())
    record.adjust("wang", 2, 1, "secret reason")
    page, text = feedback(record, "mia")
    for other in ("王小明", "wang", "Kim", "secret reason"):
        assert other not in page.text and other not in text


# --- nothing of it is trusted -------------------------------------------------------------------


@pytest.fixture
def hostile(record: Record) -> Path:
    """A class in which everybody's text is an attack: a name, a section, findings, reasons."""
    roster = {"eve": Learner("eve", HOSTILE, HOSTILE, HOSTILE), **ROSTER}
    told = finding(**dict.fromkeys(("rule", "input", "observed", "where", "why"), HOSTILE))
    seen = grade({"once-crash": "unmet"}, told=told, notes=[HOSTILE], advice=[HOSTILE])
    for learner in ("eve", "mia"):
        hand_in(record, learner, seen, tier=HOSTILE)
    record.adjust("eve", 2, 1, HOSTILE)
    record.add_refusal(Refusal("eve", 2, HOSTILE, HOSTILE))
    course = settings(record.path.parent, name=HOSTILE)
    write(course, roster, record)
    write_anonymous(course, roster, record)
    return course.reports


@pytest.mark.parametrize(
    "name", ["overview.html", "overview-anonymous.html", "feedback/eve/feedback.html"]
)
def test_hostile_text_is_text_and_the_policy_allows_our_style_and_script_alone(
    hostile: Path, name: str
) -> None:
    text = (hostile / name).read_text()
    page = Page(text)
    script = name.startswith("overview")
    assert page.tags.count("script") == script and "img" not in page.tags
    assert not [key for key, _ in page.attributes if key.startswith("on") or key == "style"]
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert "\\u202e" in page.text and "alert(1)" in page.text
    policy = dict(page.attributes).get("content", "")
    (policy,) = [value or "" for key, value in page.attributes if "default-src" in (value or "")]
    assert policy.startswith("default-src 'none'; ")
    hashes = {
        kind: f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'"
        for kind, body in page.raw.items()
    }
    assert f"style-src {hashes['style']};" in policy
    assert f"script-src {hashes['script'] if script else chr(39) + 'none' + chr(39)};" in policy
    assert not re.search(r"(https?:)?//[a-z]", text), "a page asks for nothing"


def test_hostile_text_is_text_in_markdown_too(hostile: Path) -> None:
    """Outside of indented code no letter of it has a meaning in Markdown or HTML."""
    text = (hostile / "feedback" / "eve" / "feedback.md").read_text()
    for line in text.splitlines():
        if not line.startswith("    "):
            assert "<" not in line and "\x1b" not in line and "\u202e" not in line
    assert "`" not in re.sub(r"\\`|`labs grade 2 --seed 7`", "", text)


def test_reports_are_their_owners_alone_also_in_a_folder_that_was_not(record: Record) -> None:
    hand_in(record, "mia", grade())
    (record.path.parent / "reports").mkdir(mode=0o755)
    folder = reports(record)
    write_anonymous(settings(record.path.parent), ROSTER, record)
    every = [folder, *folder.rglob("*")]
    assert len(every) > 8
    for path in every:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


# --- the overview -------------------------------------------------------------------------------


def test_the_matrix_is_sorted_so_that_patterns_show(record: Record) -> None:
    """Who met most is on top, what most have met is left; equal outcomes stand side by side."""
    hand_in(record, "mia", grade({"once-crash": "unmet", "role-tight": "unmet"}))
    hand_in(record, "wang", grade({"role-tight": "unmet"}))
    hand_in(record, "kim1", grade())
    hand_in(record, "kim2", grade({"role-tight": "unmet"}))
    html = (reports(record) / "overview.html").read_text()
    told = re.findall(r'<g class="mark"[^>]*><title>([^<]+): (?:met|not met)</title>', html)
    assert [one.rpartition(", ")[0] for one in told[::4]] == [
        "Kim Lee (kim1)", "Kim Lee (kim2)", "王小明", "Mia Brück",
    ]  # fmt: skip
    assert [one.rpartition(", ")[2] for one in told[:4]] == [
        "counts-changes (1)", "filter-quiet (3)", "once-crash (2)", "role-tight (4)",
    ]  # fmt: skip


def test_the_hardest_criteria_come_with_findings_and_the_question_to_ask(record: Record) -> None:
    """Reasons that differ in numbers alone are of one kind, and the commonest comes first."""
    reasons = {"mia": "It died 3 times.", "wang": "It died 17 times.", "kim1": "It slept."}
    for learner, why in reasons.items():
        hand_in(record, learner, grade({"once-crash": "unmet"}, told=finding(why=why)))
    text = overview(record).text
    assert "once-crash (task 2): not met by 3 of 3" in text
    first = text.index("2 learners: A record counts once. It died 3 times.")
    assert first < text.index("1 learner: A record counts once. It slept.")
    assert "The lights go out between the two lines. What is true now?" in text
    page = write_anonymous(settings(record.path.parent), ROSTER, record).read_text()
    assert "2 learners: A record counts once." in page and "It slept." not in page


def test_a_question_keeps_what_stands_in_code() -> None:
    believed = {question.belief for question in questions(2, "role-tight")}
    assert "dynamodb:* on its own table is tight." in believed


def test_every_criterion_of_every_lab_has_a_question_in_the_guide() -> None:
    for lab in labs():
        for one in judge.criteria(lab):
            asked = questions(lab.number, one.id)
            assert asked and all(question.ask.endswith(("?", ".")) for question in asked), one.id


def test_what_changed_since_the_last_report_is_told_and_stays_told(record: Record) -> None:
    """A report on an unchanged record compares with the same one as before."""
    hand_in(record, "mia", grade({"once-crash": "unmet", "role-tight": "unmet"}), content="c1")
    hand_in(record, "wang", grade({"filter-quiet": "unmet"}), content="c1")
    assert "since the last report" not in overview(record).text
    better = grade({"role-tight": "unmet", "filter-quiet": "unmet"})
    hand_in(record, "mia", better, content="c2", attempt=2)
    first = overview(record).text
    assert "Mia Brück 30 50 once-crash filter-quiet" in first
    assert "王小明 90 90" not in first and "compared with the report of" in first
    assert "Mia Brück 30 50 once-crash filter-quiet" in overview(record).text


@pytest.mark.parametrize("left", ["", "{", "[]", '{"schema": "labs/class-standing/v1"}'])
def test_a_standing_that_cannot_be_read_is_no_standing(record: Record, left: str) -> None:
    hand_in(record, "mia", grade())
    folder = reports(record)
    (folder / "standing.json").write_text(left)
    assert "compared with the report of" not in overview(record).text


def test_who_handed_in_the_starter_or_equal_files_is_told_and_the_first_is_not_stuck(
    record: Record,
) -> None:
    """Learners of one name have their keys beside it, also where names differ in case only."""
    lab = find("2")
    starter = content_hash(lab.read(lab.starter))
    hand_in(record, "mia", grade({"once-crash": "unmet", "role-tight": "unmet"}), content=starter)
    hand_in(record, "kim1", grade(), content="same")
    hand_in(record, "kim2", grade(), content="same")
    text = overview(record).text
    assert "Handed in the starter, untouched: Mia Brück" in text
    assert "stuck, and where Nobody who handed in." in text
    assert "equal files: Kim Lee (kim1) = Kim Lee (kim2)" in text
    assert "labs class alike 2" in text
    two = [Learner("a", "Li Wei"), Learner("b", "li  wei"), Learner("c", "Li Wen")]
    assert [Names(two).of(one.key) for one in two] == ["Li Wei (a)", "li  wei (b)", "Li Wen"]


def test_equally_hard_criteria_are_all_told_or_counted() -> None:
    """Five are told; more where the fifth is as hard as the next, and above ten how many more."""

    def some(*open_: int) -> list[Criterion]:
        return [Criterion(str(n), 1, "", 1, 20, many, None, ()) for n, many in enumerate(open_)]

    for open_, shown, more in (
        ([0, 1, 2, 3, 4, 5, 6], 5, 0),
        ([1, 2, 2, 2, 4, 5, 6], 6, 0),
        ([3] * 14, 10, 4),
        ([0, 0, 3], 1, 0),
        ([], 0, 0),
    ):
        told, left = hardest(some(*open_), 5)
        assert (len(told), left) == (shown, more)


def test_one_upload_to_moodle_holds_everybodys_page_under_their_number(record: Record) -> None:
    """Equal names differ by number; a name keeps its letters and has no underscore or slash."""
    roster = {**ROSTER, "mia": Learner("mia", "Mia_Brück/../x", "mia@example.org")}
    course = settings(record.path.parent)
    for key in roster:
        hand_in(record, key, grade())
    sheet = record.path.parent / "worksheet.csv"
    rows = [f"Teilnehmer/in{n},{one.email},,100" for n, one in enumerate(roster.values(), 901)]
    sheet.write_text("\n".join(["ID,E-Mail-Adresse,Bewertung,Bestwertung", *rows]))
    write(course, roster, record, [sheet])
    place = course.reports / "feedback-moodle.zip"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with zipfile.ZipFile(place) as archive:
        names = archive.namelist()
        page = archive.read(names[0]).decode()
    assert sorted(names) == [
        f"{who}_assignsubmission_file/feedback.html"
        for who in ("Kim Lee_903", "Kim Lee_904", "Mia Brück x_901", "王小明_902")
    ]
    assert page == (course.reports / "feedback" / "kim1" / "feedback.html").read_text()
    write(course, roster, record)
    assert not place.exists()


def test_who_is_stuck_is_told_with_the_first_open_task(record: Record) -> None:
    hand_in(record, "mia", grade({"once-crash": "unmet", "role-tight": "unmet"}))
    hand_in(record, "wang", grade({"filter-quiet": "unmet"}), content="c1")
    text = overview(record).text
    assert "Mia Brück 30 2 once-crash less than half of the points" in text
    assert "changed something and won nothing" not in text
    hand_in(record, "wang", grade({"filter-quiet": "unreached"}), content="c2", attempt=2)
    assert "王小明 90 3 filter-quiet changed something and won nothing" in overview(record).text


def test_a_later_grade_with_another_outcome_is_listed_and_changes_nothing(record: Record) -> None:
    hand_in(record, "mia", grade({"role-tight": "unmet"}))
    record.add_grade(graded("mia", grade(), course="v2", began_at="2027-04-01T10:00:00+00:00"))
    text = overview(record).text
    assert "Mia Brück 60 (seed 7, v1) 100 (seed 7, v2) role-tight: not met -> met" in text
    assert "60 of 100 points" in text


def test_a_class_that_handed_nothing_in_yet_has_its_reports(record: Record) -> None:
    page = overview(record, labs=(1, 2))
    assert "4 missing" in page.text and "There is nothing to show." in page.text
    assert "Wang" not in page.text and "王小明 nothing was handed in" in page.text


def test_many_learners_with_equal_outcomes_share_a_row(record: Record) -> None:
    roster = {f"u{n}": Learner(f"u{n}") for n in range(160)}
    for key in roster:
        hand_in(record, key, grade({"once-crash": "unmet"} if key > "u5" else {}))
    html = (reports(record, roster) / "overview.html").read_text()
    assert html.count('<g class="mark"') < 40
    assert re.search(r"\d+: u0, u1, u10 and \d+ more", html)


def test_the_projector_names_nobody_and_calls_everybody_the_same_again(record: Record) -> None:
    hand_in(record, "mia", grade({"once-crash": "unmet", "role-tight": "unmet"}))
    hand_in(record, "kim1", None)
    record.adjust("mia", 2, 3, "Mia was ill.")
    record.add_refusal(Refusal("wang", 2, "wang.zip", "wang.zip holds a link."))
    course = settings(record.path.parent)
    first = Page(write_anonymous(course, ROSTER, record).read_text()).text
    for one in ROSTER.values():
        for text in (one.key, one.name, one.email):
            assert not re.search(rf"\b{re.escape(text)}\b", first, re.IGNORECASE), text
    (mine,) = re.findall(r"(Learner \w{3}) 3 2 once-crash", first)
    hand_in(record, "aaron", grade())
    second = Page(write_anonymous(course, ROSTER, record).read_text()).text
    assert f"{mine} 3 2 once-crash" in second
    (course.reports / ".pseudonyms").unlink()
    assert (
        f"{mine} 3 2 once-crash"
        not in Page(write_anonymous(course, ROSTER, record).read_text()).text
    )


def test_who_is_forgotten_is_in_no_report_and_the_others_are_compared_as_before(
    record: Record,
) -> None:
    for learner in ("mia", "wang"):
        hand_in(record, learner, grade({"once-crash": "unmet"}), content="c1")
    course = settings(record.path.parent)
    folder = reports(record)
    write_anonymous(course, ROSTER, record)
    forgetting.forget(course, record, ROSTER["mia"])
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in left} == {
        ".pseudonyms", "feedback.html", "feedback.md", "standing.json",
    }  # fmt: skip
    assert not [path for path in left if "mia" in f"{path} {path.read_text()}".lower()]
    hand_in(record, "wang", grade(), content="c2", attempt=2)
    assert "王小明 70 100 once-crash" in overview(record).text


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (timedelta(seconds=1), "1 minute"),
        (timedelta(minutes=61), "1 hour and 1 minute"),
        (timedelta(days=2, minutes=5), "2 days"),
        (timedelta(days=1, hours=23, minutes=59, seconds=50), "2 days"),
    ],
)
def test_a_duration_reads_well(time: timedelta, said: str) -> None:
    assert duration(time) == said


def test_a_lab_that_nobody_was_asked_for_yet_is_told_to_nobody(record: Record) -> None:
    """A class file names six labs from the first day: what is neither handed in nor due lacks nothing."""
    hand_in(record, "mia", grade())
    past = DUE.replace(year=2020)
    course = settings(record.path.parent, labs=(1, 2, 3, 4), deadlines={1: DUE, 3: past})
    told = write(course, ROSTER, record).counts
    page = (course.reports / "feedback" / "wang" / "feedback.md").read_text(encoding="utf-8")
    assert re.findall(r"^## Lab (\d)", page, re.M) == ["2", "3"]
    assert "7 missing" in told
