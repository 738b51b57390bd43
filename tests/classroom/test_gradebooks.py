"""A platform's own export is filled, and of its bytes only the marks change."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from made_class import grade, hand_in, settings

from grader.classroom import roster
from grader.classroom.marks import Mark, marks
from grader.classroom.record import Record
from grader.classroom.report.gradebooks import Filled, defused, fill, is_formula, own, platform
from grader.classroom.roster import Learner
from grader.classroom.settings import Late
from grader.course.files import UsageError
from grader.course.lab import find

ROSTER = {
    one.key: one
    for one in (
        Learner("mia", "Mia Brück", "mia@example.org", "A", {"canvas_id": "101", "moodle_id": "901"}),
        Learner("wang", "王小明", "wang@example.org", "A", {"canvas_id": "102", "sis_id": "S2"}),
        Learner("cher", "Cher", "cher@example.org", "B", {"canvas_id": "103"}),
        Learner("kim1", "Kim Lee", "kim1@example.org", "B", {"canvas_id": "104"}),
        Learner("kim2", "Kim Lee", "kim2@example.org", "B", {"canvas_id": "105"}),
    )
}  # fmt: skip
CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Lab 1 (71),Lab 2: Lambda triggers (72),Final Score\n"
    "    Points Possible,,,,,100,100,(read only)\n"
    '"Brück, Mia",101,,mia,Autumn,88,,44\n'
    "王小明,102,S2,wang,Autumn,,,0\n"
    "Cher,103,,cher,Autumn,,50.00,25\n"
    "Kim Lee,104,,kim1,Autumn,,,0\n"
    "Kim Lee,105,,kim2,Autumn,,,0\n"
    '"Student, Test",999,,,Autumn,,,0\n'
)
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Feedback comments\r\n"
    '"Participant 901","Mia Brück",mia@example.org,"Submitted for grading - ",-,100.00,""\r\n'
    '"Participant 902",王小明,wang@example.org,"No submission - ",,100.00,""\r\n'
)


@pytest.fixture
def some(tmp_path: Path) -> list[Mark]:
    """mia and wang have 70 and 100 points; cher nothing, kim1 100 and kim2 a fault of ours."""
    with Record(tmp_path / "class.sqlite") as record:
        hand_in(record, "mia", grade({"once-crash": "unmet"}), at="2027-03-06T12:00:00+00:00")
        for key in ("wang", "kim1"):
            hand_in(record, key, grade())
        hand_in(record, "kim2", None)
        return marks(settings(tmp_path, late=Late("percent", 12.5)), ROSTER, record)


def filled(
    folder: Path, content: str | bytes, marks: list[Mark], columns: dict[int, str] | None = None
) -> Filled:
    path = folder / "export.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return fill(path, marks, ROSTER, [find("2")], columns or {})


def test_canvas_gets_marks_and_keeps_every_other_byte(tmp_path: Path, some: list[Mark]) -> None:
    """Also the names that have one word, no Latin letter, or stand there twice."""
    done = filled(tmp_path, CANVAS, some)
    want = CANVAS.replace("mia,Autumn,88,,", "mia,Autumn,88,61.25,")
    want = want.replace("wang,Autumn,,,", "wang,Autumn,,100,")
    want = want.replace("kim1,Autumn,,,", "kim1,Autumn,,100,")
    assert done.content.decode() == want and done.marks == 3
    assert platform(tmp_path / "export.csv") == "canvas"


def test_what_is_not_filled_is_told_with_its_reason(tmp_path: Path, some: list[Mark]) -> None:
    told = "\n".join(filled(tmp_path, CANVAS, some).told)
    assert "cher, lab 2: nothing was handed in" in told
    assert "kim2, lab 2: the grader failed" in told
    assert "Nobody's here: 1 row of export.csv." in told


def test_moodles_worksheet_is_filled_by_identifier_and_address(
    tmp_path: Path, some: list[Mark]
) -> None:
    done = filled(tmp_path, WORKSHEET, some)
    want = WORKSHEET.replace('for grading - ",-,', 'for grading - ",61.25,')
    assert done.content.decode() == want.replace('submission - ",,', 'submission - ",100,')
    assert "Not in export.csv: cher, kim1 and kim2." in done.told
    assert platform(tmp_path / "export.csv") == "moodle"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_encoding_delimiter_and_line_ends_stay(
    tmp_path: Path, some: list[Mark], encoding: str, delimiter: str, ending: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending)
    writer.writerows(csv.reader(io.StringIO(CANVAS)))
    before = text.getvalue().encode(encoding)
    after = filled(tmp_path, before, some).content
    assert after[:3] == before[:3]
    cells = list(csv.reader(io.StringIO(after.decode(encoding), newline=""), delimiter=delimiter))
    assert cells[2][6] == "61.25" and cells[2][0] == "Brück, Mia" and cells[3][0] == "王小明"
    assert after.decode(encoding).count(ending) == before.decode(encoding).count(ending)


def test_an_old_encoding_stays(tmp_path: Path, some: list[Mark]) -> None:
    """What an old Excel saved: 0xfc is a letter there, and no UTF-8."""
    before = CANVAS.replace("王小明", "Wang").encode("cp1252")
    after = filled(tmp_path, before, some).content
    assert b"Br\xfcck, Mia" in after and b"88,61.25," in after


def test_quotes_and_breaks_within_cells_stay(tmp_path: Path, some: list[Mark]) -> None:
    odd = CANVAS.replace('"Brück, Mia"', '"Brück ""M""\nMia"').replace(",88,,", ',88,"",')
    done = filled(tmp_path, odd, some)
    assert '"Brück ""M""\nMia",101' in done.content.decode()
    assert ',88,"61.25",' in done.content.decode()


def test_two_learners_of_one_name_are_told_apart_by_id_and_never_guessed(
    tmp_path: Path, some: list[Mark]
) -> None:
    """Without ids and logins nobody's row is surely theirs, and nothing is filled."""
    bare = "Student,ID,Section,Lab 2\nKim Lee,,B,\nKim Lee,,B,\nMia Brück,,A,\n"
    done = filled(tmp_path, bare, some)
    assert done.content.decode() == bare and done.marks == 0
    assert any("Not in export.csv" in one and "kim1" in one for one in done.told)


def test_a_row_that_means_two_learners_stays(tmp_path: Path, some: list[Mark]) -> None:
    mixed = "Student,ID,SIS Login ID,Lab 2\nMia,101,wang,\n"
    done = filled(tmp_path, mixed, some)
    assert done.content.decode() == mixed
    assert any("could mean mia and wang" in one for one in done.told)


def test_two_rows_of_one_learner_stay(tmp_path: Path, some: list[Mark]) -> None:
    twice = "Student,ID,Lab 2\nMia,101,\nMia again,101,\n"
    done = filled(tmp_path, twice, some)
    assert done.content.decode() == twice
    assert any("mia: 2 rows" in one for one in done.told)


def test_points_are_scaled_to_what_the_platform_gives_at_most_and_that_is_told(
    tmp_path: Path, some: list[Mark]
) -> None:
    done = filled(tmp_path, CANVAS.replace(",100,100,(read", ",100,10,(read"), some)
    assert ",88,6.12," in done.content.decode() or ",88,6.13," in done.content.decode()
    assert any("out of 10 there and out of 100 here" in one for one in done.told)
    done = filled(tmp_path, WORKSHEET.replace("100.00", "50.00"), some)
    assert b",50,50.00" in done.content


def test_a_column_with_decimal_commas_gets_a_comma(tmp_path: Path, some: list[Mark]) -> None:
    """What a spreadsheet in German or French wrote; one with points gets a point."""
    text = "Student;ID;Lab 2\nMia;101;\nCher;103;50,5\n"
    assert b"Mia;101;61,25\n" in filled(tmp_path, text, some).content
    assert b"Mia;101;61.25\n" in filled(tmp_path, text.replace("50,5", "50.5"), some).content


def test_who_is_excused_stays_so(tmp_path: Path, some: list[Mark]) -> None:
    done = filled(tmp_path, CANVAS.replace("mia,Autumn,88,,", "mia,Autumn,88,EX,"), some)
    assert b"88,EX," in done.content and any("excused" in one for one in done.told)


def test_a_column_is_found_by_number_slug_or_title_and_else_asked_for(
    tmp_path: Path, some: list[Mark]
) -> None:
    for header in ("Lab 2 (72)", "lab02", "Assignment: lambda-triggers (Real)", "Lambda Triggers"):
        done = filled(tmp_path, f"Student,ID,{header}\nMia,101,\n", some)
        assert done.content.decode().endswith("Mia,101,61.25\n")
    with pytest.raises(UsageError, match=r"No column .* --column"):
        filled(tmp_path, "Student,ID,Lab 21,Homework\nMia,101,,\n", some)
    for header in ("Pre-lab 2 quiz", "Lambda triggers essay", "Homework 2", "Lab 2b"):
        with pytest.raises(UsageError, match=r"No column .* --column"):
            filled(tmp_path, f"Student,ID,{header}\nMia,101,\n", some)
    with pytest.raises(UsageError, match="2 columns"):
        filled(tmp_path, "Student,ID,Lab 2,Lab 2 again\nMia,101,,\n", some)
    done = filled(tmp_path, "Student,ID,Lab 21,Homework\nMia,101,,\n", some, {2: "homework"})
    assert done.content.decode().endswith("Mia,101,,61.25\n")


def test_a_lab_without_marks_needs_no_column(tmp_path: Path, some: list[Mark]) -> None:
    """A class file names six labs from the first day, and a worksheet is about one of them."""
    path = tmp_path / "export.csv"
    path.write_text(WORKSHEET, encoding="utf-8", newline="")
    labs = [find(str(number)) for number in range(1, 7)]
    assert fill(path, some, ROSTER, labs, {}).marks == 2
    both = [*some, *(replace(mark, lab=1) for mark in some)]
    with pytest.raises(UsageError, match=r"No column .* --column"):
        fill(path, both, ROSTER, labs, {})
    done = fill(path, both, ROSTER, labs, {2: "Grade"})
    assert done.marks == 2 and "lab 1: it has no column here." in done.told


@pytest.mark.parametrize("text", ["", "\n\n", "a,b\n1,2\n"])
def test_what_is_no_gradebook_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "export.csv").write_text(text)
    with pytest.raises(UsageError):
        platform(tmp_path / "export.csv")


ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"), max_size=8)


@settings_of_hypothesis(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.lists(st.tuples(ANY, ANY), min_size=1, max_size=4),
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_whatever_stands_in_an_export_stays(
    tmp_path: Path,
    some: list[Mark],
    cells: list[tuple[str, str]],
    delimiter: str,
    ending: str,
    all_quoted: bool,
) -> None:
    """But the marks, and the rows that a spreadsheet would run."""
    rows = [["Student", "ID", "note", "Lab 2"]]
    rows += [[one, f"{101 + n}", two, ""] for n, (one, two) in enumerate(cells)]
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=quoting).writerows(rows)
    done = filled(tmp_path, text.getvalue(), some)
    after = list(csv.reader(io.StringIO(done.content.decode(), newline=""), delimiter=delimiter))
    marks = {"101": "61.25", "102": "100", "104": "100"}
    assert after == [rows[0]] + [
        [*row[:3], marks.get(row[1], "")]
        for row in rows[1:]
        if not is_formula(row[0]) and not is_formula(row[2])
    ]


# --- formulas -----------------------------------------------------------------------------------

FORMULAS = (
    "=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\u00a0=1", "＝1+1",
    "＋1+1", "－1+x", "＠SUM(A1)", "\u3000＝1", "\u200b=1", "Mia;=1+1", "Mia,=1+1", "Mia\t@x", "Mia\n=1",
)  # fmt: skip
TEXTS = ("", "-", "-5", "+49 30 1234", "-5,5", "12.50", "Mia", "O'Neill", "a=b", "mia@example.org",
         "Anna-Lena", "1=1", "Brück, Mia", "王小明")  # fmt: skip


@pytest.mark.parametrize("value", FORMULAS)
def test_a_cell_that_a_spreadsheet_would_run_is_known_and_defused(value: str) -> None:
    assert is_formula(value)
    assert not is_formula(defused(value))


@pytest.mark.parametrize("value", TEXTS)
def test_an_ordinary_cell_is_left_alone(value: str) -> None:
    assert not is_formula(value) and defused(value) == value


@pytest.mark.parametrize("value", FORMULAS)
def test_the_row_of_a_formula_is_left_out_of_an_export_and_told(
    tmp_path: Path, some: list[Mark], value: str
) -> None:
    """The cell may not be changed, so the row goes; the others are filled as ever."""
    quoted = '"' + value.replace('"', '""') + '"'
    done = filled(tmp_path, CANVAS.replace('"Brück, Mia"', quoted), some)
    cells = list(csv.reader(io.StringIO(done.content.decode(), newline="")))
    assert len(cells) == 7 and all(len(row) == 8 for row in cells)
    assert not any(row[1] == "101" for row in cells) and cells[2][6] == "100"
    assert any("left out" in one for one in done.told)
    assert not any(is_formula(cell) for row in cells for cell in row)


def test_our_own_gradebook_runs_nothing_and_loses_nothing(tmp_path: Path) -> None:
    """Names with formulas are defused, other names are whole; a row for each learner and lab."""
    roster = {"eve": Learner("eve", "=HYPERLINK(1)", "@eve", "\u202eB"), "wang": ROSTER["wang"]}
    with Record(tmp_path / "class.sqlite") as record:
        hand_in(record, "wang", grade({"role-tight": "unmet"}), at="2027-03-06T11:00:00+00:00")
        record.adjust("wang", 2, 99, "=1+1, said the learner")
        content = own(marks(settings(tmp_path, labs=(1, 2)), roster, record), roster)
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [(row["learner"], row["lab"], row["state"]) for row in rows] == [
        ("eve", "1", "missing"), ("eve", "2", "missing"),
        ("wang", "1", "missing"), ("wang", "2", "graded"),
    ]  # fmt: skip
    assert rows[0]["name"] == "'=HYPERLINK(1)" and rows[0]["section"] == "\\u202eB"
    last = rows[3]
    assert (last["name"], last["points"], last["score"], last["out_of"]) == (
        "王小明",
        "99",
        "60",
        "100",
    )
    assert (
        last["late_hours"] == "12.0" and last["seed"] == "7" and last["isolation"] == "namespaces"
    )
    assert not any(is_formula(cell) for row in rows for cell in row.values())


# What Moodle's language packs call the worksheet's columns, the participant, yes and no.
LOCALISED = {
    "de": ("Teilnehmer/in", "ID Vollständiger_Name E-Mail-Adresse Status Bewertung Bestwertung"
           " Bewertung_kann_geändert_werden Feedback_als_Kommentar", "Ja", "Nein"),
    "fr": ("Participant", "Identifiant Nom_complet Adresse_de_courriel Statut Note"
           " Note_maximale La_note_peut_être_modifiée Feedback_par_commentaires", "Oui", "Non"),
    "es": ("Participante ", "Identificador Nombre_completo Dirección_de_correo Estado"
           " Calificación Calificación_máxima La_calificación_puede_ser_cambiada"
           " Comentarios", "Sí", "No"),
    "it": ("Partecipante", "Identificativo Nome_completo Indirizzo_email Stato Valutazione"
           " Valutazione_massima La_valutazione_può_essere_modificata Commenti", "Sì", "No"),
    "nl": ("Deelnemer", "ID Volledige_naam E-mailadres Status Cijfer Hoogste_cijfer"
           " Cijfer_kan_gewijzigd_worden Feedback", "Ja", "Nee"),
    "pt": ("Participante", "Identificador Nome_completo Endereço_de_e-mail Estado Nota"
           " Nota_máxima A_nota_pode_ser_alterada. Comentários", "Sim", "Não"),
    "pl": ("Uczestnik ", "Identyfikator Pełna_nazwa E-mail Status Ocena Najwyższa_ocena"
           " Ocenę_można_zmienić Komentarze", "Tak", "Nie"),
}  # fmt: skip


@pytest.mark.parametrize("language", LOCALISED)
def test_a_worksheet_in_another_language_is_known_by_its_structure(
    tmp_path: Path, some: list[Mark], language: str
) -> None:
    """The column that is filled is named; a grade that may not be changed stays and is named."""
    word, columns, yes, no = LOCALISED[language]
    header = columns.replace(" ", ",").replace("_", " ")
    text = (
        f"{header}\r\n"
        f"{word}901,Mia Brück,mia@example.org,x,-,100.00,{yes},\r\n"
        f"{word}902,王小明,wang@example.org,x,40,100.00,{no},\r\n"
        f"{word}903,Kim Lee,kim1@example.org,x,,100.00,{yes},\r\n"
    )
    done = filled(tmp_path, text, some)
    want = text.replace(",-,", ",61.25,").replace(f",,100.00,{yes}", f",100,100.00,{yes}")
    assert done.content.decode() == want and done.marks == 2
    told = "\n".join(done.told)
    grade_column = header.split(",")[4]
    assert f"lab 2: filled is the column '{grade_column}'" in told
    assert f"'{grade_column}' as grade" in told
    assert "wang, lab 2: the platform says that this grade cannot be changed" in told
    assert platform(tmp_path / "export.csv") == "moodle"


@pytest.mark.parametrize("language", LOCALISED)
def test_a_worksheet_in_another_language_is_a_roster(tmp_path: Path, language: str) -> None:
    """Name, address and Moodle's number of each participant, as from the English one."""
    word, columns, yes, _ = LOCALISED[language]
    place = tmp_path / "roster.csv"
    place.write_text(
        f"{columns.replace(' ', ',').replace('_', ' ')}\n"
        f"{word}901,Mia Brück,mia@example.org,x,-,100.00,{yes},\n"
        f"{word}902,王小明,wang@example.org,x,40,100.00,{yes},\n",
        encoding="utf-8",
    )
    people = roster.read(place)
    assert [(one.key, one.name, one.ids["moodle_id"]) for one in people.values()] == [
        ("mia", "Mia Brück", "901"),
        ("wang", "王小明", "902"),
    ]


def test_a_grade_column_that_is_not_surely_one_is_asked_for(
    tmp_path: Path, some: list[Mark]
) -> None:
    """Two columns that could hold grades, or none, end in a sentence with the headers."""
    two = "ID,Name,Punkte,Max,Note,Max 2\nNutzer1,Mia,,100,,100\n"
    for text in (two, "ID,Name,Punkte\nNutzer1,Mia,5\n"):
        with pytest.raises(UsageError, match="--column"):
            filled(tmp_path, text, some)


def test_a_locked_row_of_an_english_worksheet_stays(tmp_path: Path, some: list[Mark]) -> None:
    text = WORKSHEET.replace("Feedback comments", "Grade can be changed").replace('""', "No")
    done = filled(tmp_path, text, some)
    assert done.content.decode() == text
    assert sum("cannot be changed" in one for one in done.told) == 2
