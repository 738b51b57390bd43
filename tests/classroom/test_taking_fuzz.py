"""Whatever a source's names are: hand-ins, or sentences, and nothing outside handed-in."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import exports
import made_class
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.classroom import taking
from grader.classroom.members import Member
from grader.classroom.platforms import PLATFORMS
from grader.classroom.record import Record
from grader.classroom.roster import Learner
from grader.classroom.taking import Taker, Wish
from grader.course.files import UsageError
from grader.course.lab import find

PEOPLE = {one.key: Learner(one.key, one.name, one.email) for one in exports.CLASS}
WORDS = (
    "ada", "Ada", "Ada Lovelace", "Li Wei", "..", ".", "", "CON", ".git", "labs", "02-lambda-triggers",
    "lab3", "handler.py", "Handler.py", "template.yaml", "diagnosis.toml", "submission_12", "x\0y",
    "submission_metadata.yml", "Ada Lovelace_17_assignsubmission_file", "work.zip", "a.tar.gz",
    "Ada Lovelace_17_assignsubmission_file_handler.py", "lovelaceada_4101_9_handler.py", "C:", "\n",
    "lovelaceada_LATE_4101_9_template-1.yaml", "anon_Xy1_7_handler.py", "e\u0301", "\u202e", "\udce9",
)  # fmt: skip
PATHS = st.lists(st.sampled_from(WORDS) | st.text(max_size=4), min_size=1, max_size=5).map("/".join)
CONTENT = st.sampled_from(
    [b"", b"x = 1\n", b"\0", b"submission_12: {}\n", exports.packed({"handler.py": b"x = 1\n"})]
)
MEMBERS = st.lists(st.tuples(PATHS, CONTENT), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(MEMBERS, st.sampled_from([None, *PLATFORMS]), st.sampled_from([None, "2"]), st.booleans())
def test_any_names_at_all(
    files: list[tuple[str, bytes]], platform: str | None, lab: str | None, enrolled: bool
) -> None:
    members = [Member(name, len(data), len(data), lambda data=data: data) for name, data in files]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "class"
        root.mkdir()
        source = Path(name) / "source.zip"
        source.write_bytes(b"x")
        made = made_class.settings(root, labs=(2, 3, 4))
        with Record(made.record) as record, mock.patch.object(taking, "source") as opened:
            opened.return_value.__enter__.return_value = members
            wish = Wish(find(lab) if lab else None, None, platform)
            taker = Taker(made, PEOPLE if enrolled else {}, record, (), wish)
            try:
                outcome = taker.take(source)
            except UsageError as error:
                assert str(error)
                return
            rows = len(record.hand_ins())
            assert {one.learner for one in outcome.taken} <= set(PEOPLE) or not enrolled
            for refusal in outcome.refused:
                assert refusal.sentence.endswith((".", "?"))
            again = taker.take(source)
            assert not any(one.new for one in again.taken)
            assert len(record.hand_ins()) == rows
        # Nothing beside the class, and in it learners' folders alone.
        assert {one.name for one in Path(name).iterdir()} == {"class", "source.zip"}
        allowed = {"handed-in", "class.sqlite", "class.sqlite-wal", "class.sqlite-shm"}
        assert {one.name for one in root.iterdir()} <= allowed
        for place in made.handed_in.rglob("*"):
            assert not place.is_symlink()
            parts = place.relative_to(made.handed_in).parts
            assert parts[0] in {".attempts", *(one.learner for one in outcome.taken)}
