"""What platforms hand out, made up for tests and for trying the guide: small, and byte-stable.

The shapes and their sources are told in ``grader/classroom/platforms.py``. ``python
tests/classroom/exports.py FOLDER`` writes a class of twelve: Moodle's download of lab 2, its grading
worksheet and a roster.
"""

from __future__ import annotations

import csv
import io
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.course.lab import find

STAMP = (2020, 1, 1, 0, 0, 0)  # what no evidence is: every stamp in an archive
Files = Mapping[str, str | bytes]


@dataclass(frozen=True)
class Somebody:
    """A learner as platforms know them."""

    key: str
    name: str
    number: int
    section: str = "day"

    @property
    def email(self) -> str:
        return f"{self.key}@example.edu"

    @property
    def sortable(self) -> str:
        """The name as Canvas sorts it: ``Lovelace, Ada``."""
        first, _, last = self.name.rpartition(" ")
        return f"{last}, {first}" if first else last


# Equal names, one word, other scripts, an apostrophe, two family names.
CLASS = (
    Somebody("ada", "Ada Lovelace", 4101),
    Somebody("grace", "Grace Hopper", 4102),
    Somebody("liwei1", "Li Wei", 4103),
    Somebody("liwei2", "Li Wei", 4104, "evening"),
    Somebody("madonna", "Madonna", 4105),
    Somebody("jose", "José Ñuñez-Peña", 4106, "evening"),
    Somebody("oneil", "Sean O'Neil", 4107),
    Somebody("tanaka", "田中 太郎", 4108),
    Somebody("olga", "Ольга Иванова", 4109, "evening"),
    Somebody("mina", "मीना देवी", 4110),
    Somebody("karl", "Karl von der Heide", 4111),
    Somebody("eve", "Eve Adams", 4112, "evening"),
)


def answer(lab: str, kind: str = "starter", note: str = "") -> dict[str, bytes]:
    """The editable files of a lab: its starter's or its solution's, with a note in the template."""
    one = find(lab)
    folder = one.starter if kind == "starter" else one.solution
    files = {name: (folder / name).read_bytes() for name in one.editable}
    if note:
        files["template.yaml"] += f"# {note}\n".encode()
    return files


def roster(people: Sequence[Somebody] = CLASS, **columns: Mapping[str, str]) -> str:
    """A roster; each of ``columns`` gives ids by key."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["learner", "name", "email", "section", *columns])
    for one in people:
        ids = [values.get(one.key, "") for values in columns.values()]
        rows.writerow([one.key, one.name, one.email, one.section, *ids])
    return out.getvalue()


def packed(files: Files, kind: str = "zip") -> bytes:
    """An archive of files: zip, tar, tar.gz, tar.bz2 or tar.xz."""
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name, STAMP), content, zipfile.ZIP_DEFLATED)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode=f"w:{kind.partition('.')[2]}") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 0
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def unpacked(folder: Path, files: Files) -> Path:
    """The same as a folder."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def below(folder: str, files: Files) -> dict[str, str | bytes]:
    """Files with a folder before their names."""
    return {f"{folder}/{name}": content for name, content in files.items()}


def moodle(
    hand_ins: Iterable[tuple[Somebody, int, Files]], *, folders: bool = True, old: bool = False
) -> dict[str, str | bytes]:
    """ "Download all submissions": for each learner the participant's number and the files."""
    files: dict[str, str | bytes] = {}
    for one, number, content in hand_ins:
        # clean_filename leaves out what file names may not hold.
        name = one.name.replace("_", " ").replace("'", "")
        top = f"{name}_{number}_assignsubmission_file"
        for file, data in content.items():
            path = f"{top}{'_' if old else ''}/{file}" if folders else f"{top}_{file}"
            files[path] = data
    return files


def worksheet(rows: Iterable[tuple[Somebody, int, str]]) -> str:
    """Moodle's grading worksheet: who is which participant, and when they last handed in."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade",
         "Grade can be changed", "Last modified (submission)", "Last modified (grade)",
         "Feedback comments"]
    )  # fmt: skip
    for one, number, at in rows:
        status = "Submitted for grading" if at != "-" else "No submission"
        cells = [f"Participant {number}", one.name, one.email, status, "", "100.00", "Yes", at]
        table.writerow([*cells, "-", ""])
    return "\ufeff" + out.getvalue()


def canvas(hand_ins: Iterable[tuple[Somebody, bool, Files]]) -> dict[str, str | bytes]:
    """ "Download submissions": for each learner whether it is late, and the files."""
    files: dict[str, str | bytes] = {}
    for one, late, content in hand_ins:
        squashed = "".join(c for c in one.sortable.lower() if c not in " ,'-.")
        for number, (file, data) in enumerate(content.items()):
            mark = "LATE_" if late else ""
            files[f"{squashed}_{mark}{one.number}_{90000 + 10 * one.number + number}_{file}"] = data
    return files


def gradescope(
    hand_ins: Iterable[tuple[Sequence[Somebody], str, Files]], history: Mapping[str, int] = {}
) -> dict[str, str | bytes]:
    """An export: for each hand-in its submitters, the time as YAML writes it, and the files."""
    files: dict[str, str | bytes] = {}
    lines = []
    for number, (people, at, content) in enumerate(hand_ins, 700):
        lines.append(f"submission_{number}:\n  :submitters:")
        for one in people:
            lines.append(
                f"  - :name: {one.name}\n    :sid: '{one.number}'\n    :email: {one.email}"
            )
        lines.append(f"  :created_at: {at}\n  :score: 0.0\n  :status: processed")
        earlier = history.get(people[0].key, 0)
        lines.append("  :history:" + ("" if earlier else " []"))
        lines += [f"  - :id: {n}\n    :created_at: 2027-01-01 00:00:00 Z" for n in range(earlier)]
        files |= below(f"assignment_55_export/submission_{number}", content)
    files["assignment_55_export/submission_metadata.yml"] = "---\n" + "\n".join(lines) + "\n"
    return files


# --- a class of twelve -------------------------------------------------------------------------


def class_of_twelve() -> dict[str, bytes]:
    """Moodle's download of lab 2, its worksheet and a roster. Eve handed nothing in.

    Some packed their files, some packed a folder, one a whole workspace; one is late.
    """
    hand_ins: list[tuple[Somebody, int, Files]] = []
    rows = []
    for number, one in enumerate(CLASS):
        kind = "solution" if number % 3 else "starter"
        files = answer("2", kind, f"by {one.key}")
        handed: Files = {
            0: files,
            1: {"lab2.zip": packed(files)},
            2: {"hand-in.tar.gz": packed(below("02-lambda-triggers", files), "tar.gz")},
            3: {"work.zip": packed({**below("work/labs/02-lambda-triggers", files)})},
        }[number % 4]
        at = (
            "Friday, 5 March 2027, 11:41 PM"
            if one.key != "karl"
            else "Sunday, 7 March 2027, 8:02 AM"
        )
        if one.key == "eve":
            at = "-"
        else:
            hand_ins.append((one, 17 + number, handed))
        rows.append((one, 17 + number, at))
    return {
        "STREAMS-Lab 2-3456.zip": packed(moodle(hand_ins)),
        "Grades-STREAMS-Lab 2-3456.csv": worksheet(rows).encode(),
        "roster.csv": roster().encode(),
    }


if __name__ == "__main__":
    unpacked(Path(sys.argv[1]), class_of_twelve())
