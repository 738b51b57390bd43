"""The page on the record says of each table what it holds, and its query gives what it promises."""

from __future__ import annotations

import re
from pathlib import Path

from grader.classroom.record import STEPS, TABLES, Graded, HandIn, Record

PAGE = (Path(__file__).parents[2] / "docs" / "instructor" / "record.md").read_text()


def test_the_page_has_every_table_with_every_column_and_its_type(tmp_path: Path) -> None:
    """In the order of the table, with what may be NULL and which columns are the key."""
    with Record(tmp_path / "class.sqlite") as record:
        for table in TABLES:
            section = re.split(r"^##", PAGE.split(f"\n### {table}\n")[1], flags=re.MULTILINE)[0]
            told = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| (.*?) ?\|$", section, re.MULTILINE)
            info = record._sql.execute(f"PRAGMA table_info({table})").fetchall()
            known = [(row[1], row[2], row[3] or row[5], bool(row[5])) for row in info]
            assert [
                (name, kind.removesuffix(" or NULL"), not kind.endswith("NULL"))
                for name, kind, _ in told
            ] == [(name, kind, bool(required)) for name, kind, required, _ in known], table
            keys = [name for name, _, meaning in told if meaning.partition(";")[0] == "key"]
            assert keys == [name for name, *_, key in known if key], table
        tables = record._sql.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
    assert {name for (name,) in tables} == set(TABLES)


def test_the_page_says_which_version_the_tables_have() -> None:
    assert f"`PRAGMA user_version` is the version of the tables, now **{len(STEPS)}**" in PAGE


def test_the_query_of_the_page_gives_the_published_points_of_what_counts(tmp_path: Path) -> None:
    (query,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with Record(tmp_path / "class.sqlite") as record:
        for attempt, score in ((1, 40), (2, 80)):
            record.add_hand_in(HandIn("mia", 2, attempt, f"c{attempt}"))
            for course, more in (("v1", 0), ("v2", 9)):
                grade = Graded(
                    "mia", 2, f"c{attempt}", 0, course, "graded", {"score": score + more}
                )
                record.add_grade(grade, publish=True)
        assert record._sql.execute(query).fetchall() == [("mia", 80)]
