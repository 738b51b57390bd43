"""Copies are found however they are disguised, and no two independent answers are taken for one.

The truth is known: the kept right answers are designs of their own (tests/submissions), and each is
copied twice as somebody copies who does not want to be seen (tests/made_pairs.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import made_pairs
import pytest

from grader.classroom import alike
from grader.classroom.alike import LINES, Found, compare, likeness, own, work
from grader.course.answers import Answer, kept
from grader.course.lab import find, labs
from grader.desk import cli

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "instructor" / "likeness.md"
# Kept answers that are another one's text with a few edits: copies, made by who kept them.
RELATED = [
    {"lab02/liststreams-on-the-stream", "lab02/returns-consumed-capacity"},
    {"lab06/reserved-and-a-bucket", "lab06/stored-state-with-mark"},
]


@dataclass
class Measured:
    """What was found of what there was; shares are compared with the line of their kind."""

    made: int = 0
    independent: int = 0
    missed: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    copies: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)


@pytest.fixture(scope="module")
def measured() -> Measured:
    """A class for each lab: every right answer of a design of its own, and two copies of each."""
    seen = Measured()
    makers = list(made_pairs.MAKERS)
    for lab in labs():
        designs = {one.name: one for one in kept(lab) if one.kind == "right"}
        works = [work(name, answer.files) for name, answer in designs.items()]
        source = {name: name for name in designs if likeness(*[own(works)[name]] * 2)}
        works = [one for one in works if one.learner in source]
        for number, name in enumerate(list(source)):
            for copy in (0, 2):
                maker = makers[(number + copy) % len(makers)]
                made = f"{name}, {maker}"
                works.append(work(made, made_pairs.files(designs[name].files, maker, made)))
                source[made] = name
        found = compare(lab, works)
        listed = {(pair.one.learner, pair.two.learner) for pair in found.pairs}
        mine = own(works)
        for one, two in combinations(mine, 2):
            shares = likeness(mine[one], mine[two]).values()
            if source[one] == source[two]:
                seen.made += 1
                seen.copies.append(max(shares, default=0.0))
                seen.missed += [] if (one, two) in listed else [(one, two)]
            elif not _related(lab.number, designs[source[one]], designs[source[two]]):
                seen.independent += 1
                seen.others.append(max(shares, default=0.0))
                seen.wrong += [(one, two)] if (one, two) in listed else []
    return seen


def _related(lab: int, one: Answer, two: Answer) -> bool:
    said = one.told.get("on") == two.name or two.told.get("on") == one.name
    return said or {f"lab{lab:02}/{one.name}", f"lab{lab:02}/{two.name}"} in RELATED


@pytest.mark.slow
def test_every_made_copy_is_found(measured: Measured) -> None:
    assert measured.made >= 40
    assert measured.missed == []
    assert min(measured.copies) > max(LINES.values()), "above the line, whichever it is"


@pytest.mark.slow
def test_no_independent_pair_lies_above_the_line(measured: Measured) -> None:
    assert measured.independent >= 200
    assert measured.wrong == []
    assert max(measured.others) < min(LINES.values()), "below the line, whichever it is"


@pytest.mark.slow
def test_the_page_states_what_is_measured(measured: Measured) -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    for said in (
        f"{measured.made} pairs of a hand-in and its copy, {measured.made - len(measured.missed)} found",
        f"{measured.independent:,} independent pairs, {len(measured.wrong)} of them listed",
        f"least alike copy shares {min(measured.copies):.0%}",
        f"most alike independent pair {max(measured.others):.0%}",
    ):
        assert said.replace("%", " %") in text, said


# --- what each means ----------------------------------------------------------------------------


def right(name: str) -> dict[str, bytes]:
    return dict(next(one for one in kept(find("2")) if one.name == name).files)


def compared(hand_ins: Mapping[str, Mapping[str, bytes]]) -> Found:
    return compare(find("2"), [work(learner, files) for learner, files in hand_ins.items()])


def solution() -> dict[str, bytes]:
    lab = find("2")
    return {name: (lab.solution / name).read_bytes() for name in lab.editable}


def starter() -> dict[str, bytes]:
    lab = find("2")
    return {name: (lab.starter / name).read_bytes() for name in lab.editable}


def test_who_equals_the_published_solution_is_named_apart_and_paired_with_nobody() -> None:
    disguised = made_pairs.files(solution(), "renamed", "x")
    found = compared({"ada": solution(), "bob": disguised, "cyd": right("powertools-batch")})
    assert list(found.solved) == ["ada", "bob"] and found.solved["bob"] == 1
    assert found.pairs == []


def test_untouched_starters_are_alike_and_say_nothing() -> None:
    found = compared({"ada": starter(), "bob": starter()})
    assert found.pairs == [] and found.solved == {} and found.little == 2


def test_what_half_of_the_class_has_is_everybodys() -> None:
    """A snippet that the instructor gave out makes nobody a suspect."""
    mine = {f"u{n}": right("powertools-batch") for n in range(12)}
    assert compared(mine).pairs == []
    few = {f"u{n}": right("powertools-batch") for n in range(4)}
    assert len(compared(few).pairs) == 6


def test_code_in_a_module_of_ones_own_is_compared_too() -> None:
    moved = right("chunked-transactions")
    moved["mine.py"] = moved["handler.py"]
    moved["handler.py"] = b"from mine import handler\n"
    (pair,) = compared({"ada": right("chunked-transactions"), "bob": moved}).pairs
    assert pair.kinds == {"code": 1} and pair.lines(pair.two, "mine.py")
    assert not pair.lines(pair.two, "handler.py")


HOSTILE = {
    "no text": b"\xff\xfe\x00\x01" * 500,
    "no Python": b"def f(:\n  '''" * 200,
    "deep": b"(" * 5000 + b"\n" + b"[" * 5000,
    "indents": b"".join(b" " * n + b"if x:\n" for n in range(300)),
    "aliases": b"a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\nResources: {R: {Type: *c}}\n",
    "odd sections": b"Resources: [1]\nOutputs: 3\n",
    "odd resources": b"Resources: {A: 1, B: {Type: [x]}, C: {Properties: {}}}\n",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_answer_is_compared_as_far_as_it_goes(content: bytes) -> None:
    files = {"handler.py": content, "template.yaml": content}
    found = compared({"eve": files, "ada": right("powertools-batch")})
    assert found.pairs == [] and found.compared == 2


def test_the_same_files_give_the_same_in_every_process() -> None:
    """Nothing hangs on how this process happens to hash texts."""
    program = (
        "from grader.classroom.alike import work\n"
        "made = work('', {'a.py': b'def f(a):\\n    return [b for b in a if b.c(1)]\\n'})\n"
        "print(sorted(made.traits['code']))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1 and len(said.pop()) > 20


def test_an_f_string_counts_as_one_string_in_every_python() -> None:
    one, two = (
        list(alike.code_traits(f"def f(a):\n    return g(a, b, {text}, c, d, e, a.b, a.c)\n"))
        for text in ("f'{a!r:>{w}} and {b}'", "'x'")
    )
    assert one == two


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def class_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Mia, who copied from tom; ada has the solution, and a name that is an attack."""
    (tmp_path / "class.toml").write_text('labs = [2]\ntimezone = "UTC"\n')
    (tmp_path / "roster.csv").write_text(
        "learner,name\nmia,Mia Brück\ntom,</pre><script>x()\nada,Ada\n"
    )
    for learner, files in {
        "tom": right("chunked-transactions"),
        "mia": made_pairs.files(right("chunked-transactions"), "renamed", "mia"),
        "ada": solution(),
    }.items():
        for name, content in files.items():
            path = tmp_path / "handed-in" / learner / find("2").name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_alike_lists_pairs_and_lays_them_side_by_side(
    class_: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["class", "alike"]) == 0
    said = capsys.readouterr().out
    assert "mia and tom: code 100" in said and "ada equals the published solution (100" in said
    assert "not a verdict" in " ".join(said.split())
    folder = class_ / "reports" / "alike"
    index = (folder / "index.html").read_text()
    assert 'href="lab02-1.html"' in index and "not a verdict" in index and "Mia Brück" in index
    pair = (folder / "lab02-1.html").read_text()
    assert pair.count("<mark>") > 80 and "<script" not in pair + index
    assert "not a verdict" in " ".join(pair.split()) and "default-src" in pair


def test_a_second_look_leaves_no_page_of_the_first(
    class_: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["class", "alike", "2"]) == 0
    for name in find("2").editable:
        (class_ / "handed-in" / "mia" / find("2").name / name).write_bytes(starter()[name])
    assert cli.main(["class", "alike", "2"]) == 0
    assert "0 pairs above the line" in capsys.readouterr().out
    assert [path.name for path in (class_ / "reports" / "alike").iterdir()] == ["index.html"]
