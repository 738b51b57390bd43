"""Imports point one way, and the command line starts light.

Read from the source, not from what happens to be imported, so that it holds as modules appear.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "grader"

# From the bottom up. A module imports only from its own row or from rows before it. An entry is a
# file or a folder below ``grader``; the most specific one counts.
ROWS = (
    # The words of AWS and of time, on which everything stands.
    ("cloud.aws", "cloud.clock", "cloud.metrics", "cloud.scratch", "cloud.typed", "cloud.words"),
    ("cloud.door", "cloud.moto_world", "cloud.iam"),
    ("cloud.template", "cloud.dynamodb", "cloud.messaging", "cloud.cloudwatch"),
    ("cloud.mapping",),
    ("cloud.function", "cloud.account"),
    ("cloud.unpacked",),
    ("cloud.running", "cloud.own"),
    ("cloud.pipeline",),
    ("cloud",),
    # Any template. The wing's folder itself holds the price list.
    ("review", "review.pricing", "review.lint"),
    ("review.tuning",),
    ("review.estimate", "review.checklist"),
    ("review.fix",),
    ("replay",),
    # The course: labs stand above what judges one criterion, and are loaded by their number.
    ("course", "course.labs"),
    ("course.files", "course.grade"),
    ("course.lab", "course.workspace"),
    ("course.play",),
    ("course.stage", "course.unheard", "course.places"),
    ("course.criterion",),
    *((f"course.labs.lab{number:02}",) for number in range(1, 100)),
    ("course.evidence",),
    ("course.judge", "course.progress", "course.answers"),
    ("course.warm",),
    # A class: what is kept and read, then what is done with it.
    ("classroom.private", "classroom.worksheet"),
    ("classroom.roster",),
    ("classroom.times", "classroom.members"),
    ("classroom.settings", "classroom.archives"),
    ("classroom.record", "classroom.version"),
    ("classroom.platforms",),
    ("classroom.identity", "classroom.shelf"),
    ("classroom.parcel", "classroom.seeds"),
    ("classroom.inside",),
    ("classroom.room",),
    ("classroom.work",),
    ("classroom.cluster",),
    ("classroom.grading",),
    ("classroom.outward",),
    ("classroom",),
    # An account on loopback: what is answered, then who is let in to ask.
    ("sandbox.alarms", "sandbox.pace", "sandbox.query", "sandbox.home", "sandbox.traffic"),
    ("sandbox.world", "sandbox.protocol"),
    ("sandbox.services", "sandbox.state"),
    ("sandbox.reference", "sandbox.replayed"),
    ("sandbox.sandbox",),
    ("sandbox.console",),
    ("sandbox.server", "sandbox.opening", "sandbox.archive"),
    # Drills on it: what one is, how it is played, what counts.
    ("sandbox.oncall",),
    ("sandbox",),
    # The command line, and what maintains the rest.
    ("desk.terminal", "desk.keys", "desk.group"),
    ("desk",),
    ("desk.watch",),
    ("desk.learner", "desk.stack", "desk.machine", "desk.sandbox"),
    ("maintain",),
    ("desk.maintainer",),
    ("desk.cli", "desk.pytest_plugin"),
    ("__main__",),
)
# By which other wings enter the cloud: its own face, the rooms' faces and the words.
FACES = {
    "grader.cloud",
    *(f"grader.cloud.{room}" for room in (
        "account", "cloudwatch", "dynamodb", "function", "iam", "mapping", "messaging", "template",
        "aws", "clock", "door", "metrics", "scratch", "typed", "words",
    )),
}  # fmt: skip
# Inner modules that a wing still enters, and circles and long files that still stand. Each list
# only ever gets shorter: an entry that is no longer true fails.
ENTERED = {
    "grader.cloud.cloudwatch.dashboards",
    "grader.cloud.cloudwatch.drawing",
    "grader.cloud.dynamodb.units",
    "grader.cloud.mapping.grid",
    "grader.cloud.mapping.timeline",
    "grader.cloud.template.model",
    "grader.cloud.template.sam",
    "grader.cloud.template.unknown",
    "grader.cloud.template.yaml_lines",
}
BETWEEN_LABS: set[tuple[str, str]] = set()
CIRCLES = []
# Why a file is longer than 600 lines.
LONG: dict[str, str] = {
    "grader.maintain.claims": "one claim after the other, each read by itself",
}
STILL_LONG: set[str] = set()
MOST_LINES, MOST_LINES_WITH_A_REASON, MOST_LONG_FILES = 600, 800, 5
# May import nothing that reads files, prints, sleeps or talks to AWS.
PURE = tuple(
    f"grader.cloud.{room}"
    for room in ("aws", "clock", "metrics", "typed", "words", "iam", "mapping", "cloudwatch")
)
IMPURE_MODULES = {
    "boto3", "botocore", "moto", "pytest", "click", "subprocess", "socket", "os", "pathlib",
    "logging", "random", "tempfile", "shutil", "threading", "time", "io",
}  # fmt: skip
IMPURE_CALLS = {"print", "open", "input", "exec", "eval"}

ASKED = (ast.Import, ast.ImportFrom, ast.If, ast.Expr, ast.Constant, ast.Call)
NOT_CODE = {"starters", "new_lab", "templates", "_solutions", "_docs", "_site"}


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if NOT_CODE & set(parts):
            continue
        name = ".".join(("grader", *(part for part in parts if part != "__init__")))
        found[name] = path
    return found


def rank(name: str) -> int:
    """How high the row stands that names this module, or the nearest folder that it lies in."""
    short = name.partition(".")[2]
    while short:
        for number, names in enumerate(ROWS):
            if short in names:
                return number
        short = short.rpartition(".")[0]
    raise AssertionError(f"{name} has no place in the map of tests/maintain/test_layers.py")


@cache
def nodes(name: str) -> tuple[ast.AST, ...]:
    """What is asked of a module's source, outermost first: read by the first test that asks."""
    path = PATHS[name]
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ASKED))


@cache
def arrows(name: str, *, types: bool = False) -> frozenset[str]:
    """The modules of the package that ``name`` leads to, with ``types`` also for type checking.

    Imports inside functions count, and so does the name of a module in a text: that is how
    ``import_module`` and a table of lazy commands reach it.
    """
    uncounted = {
        id(node)
        for block in nodes(name)
        if not types and isinstance(block, ast.If) and _for_types(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    uncounted |= {id(node.value) for node in nodes(name) if isinstance(node, ast.Expr)}
    found = set()
    for node in nodes(name):
        if id(node) in uncounted:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = _source(name, node)
            for alias in node.names:
                full = f"{source}.{alias.name}"
                found.add(full if full in PATHS else source)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(_named(node.value))
    return frozenset((found & set(PATHS)) - {name, "grader"})


def _for_types(test: ast.expr) -> bool:
    """Whether a condition is ``TYPE_CHECKING`` or ``typing.TYPE_CHECKING``."""
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _source(name: str, node: ast.ImportFrom) -> str:
    """The module that an import names, also when it names it from where it stands."""
    if not node.level:
        return str(node.module)
    above = name.split(".")
    above = above[: len(above) - node.level + (PATHS[name].name == "__init__.py")]
    return ".".join((*above, *filter(None, [node.module])))


def _named(text: str) -> str:
    """``grader.desk.learner:grade`` names ``grader.desk.learner``; most texts name nothing."""
    if not text.startswith("grader."):
        return ""
    name = text.partition(":")[0]
    while name not in PATHS and "." in name:
        name = name.rpartition(".")[0]
    return name


def imported(name: str) -> set[str]:
    """Everything that the module imports, ours or not, whatever for."""
    found = set()
    for node in nodes(name):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(_source(name, node))
    return found


def circles() -> list[set[str]]:
    """The files that lead back to themselves, each circle once.

    A word that only a type needs ties files, too: they are read together.
    """
    reached: dict[str, set[str]] = {}
    for name in PATHS:
        seen: set[str] = set()
        waiting = list(arrows(name, types=True))
        while waiting:
            if (one := waiting.pop()) not in seen:
                seen.add(one)
                waiting += arrows(one, types=True)
        reached[name] = seen
    tied = [name for name in PATHS if name in reached[name]]
    groups = {frozenset(two for two in tied if two in reached[one] and one in reached[two])
              for one in tied}  # fmt: skip
    return [set(group) for group in groups]


PATHS = modules()


def test_every_module_has_a_place_in_the_map() -> None:
    for name in set(PATHS) - {"grader"}:
        rank(name)


@pytest.mark.parametrize("name", sorted(set(PATHS) - {"grader"}))
def test_imports_point_downwards(name: str) -> None:
    for target in arrows(name):
        if {name, target} not in [circle & {name, target} for circle in CIRCLES]:
            assert rank(target) <= rank(name), f"{name} leads to {target}, which stands above it"


def test_no_circle_ties_files_together() -> None:
    """Import strings and imports inside functions count; the list of what still stands is exact."""
    assert sorted(map(sorted, circles())) == sorted(map(sorted, CIRCLES))


def test_labs_do_not_import_each_other() -> None:
    def lab(name: str) -> str:
        return ".".join(name.split(".")[:4]) if name.startswith("grader.course.labs.lab") else ""

    between = {
        (name, target)
        for name in PATHS
        for target in arrows(name)
        if lab(name) and lab(target) not in ("", lab(name))
    }
    assert between == BETWEEN_LABS


def test_the_cloud_imports_no_other_wing() -> None:
    for name in PATHS:
        if name.startswith("grader.cloud"):
            assert all(target.startswith("grader.cloud") for target in arrows(name)), name


def test_other_wings_enter_the_cloud_by_its_faces() -> None:
    entered = {
        target
        for name in PATHS
        if not name.startswith("grader.cloud")
        for target in arrows(name)
        if target.startswith("grader.cloud")
    }
    assert entered - FACES == ENTERED


def test_a_handful_of_things_lie_directly_in_the_package() -> None:
    inside = {
        name.split(".")[1] for name in PATHS if name != "grader" and not name.endswith("__main__")
    }
    assert len(inside) <= 8


def test_no_file_is_too_long() -> None:
    """A few may pass 600 lines, each with its reason; none passes 800."""
    lengths = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in PATHS.items()
    }
    long = {name for name, lines in lengths.items() if lines > MOST_LINES}
    assert long == {*LONG, *STILL_LONG}
    assert len(LONG) <= MOST_LONG_FILES
    assert all(lengths[name] <= MOST_LINES_WITH_A_REASON for name in LONG)


@pytest.mark.parametrize("name", [name for name in PATHS if name.startswith(PURE)])
def test_the_engine_is_pure(name: str) -> None:
    found = {target.split(".")[0] for target in imported(name)}
    assert not found & IMPURE_MODULES, f"{name} imports {sorted(found & IMPURE_MODULES)}"
    for node in nodes(name):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_CALLS, f"{name}:{node.lineno} calls {node.func.id}"


def test_the_child_of_the_function_process_knows_nothing_of_the_judge() -> None:
    """It runs beside learner code, so it imports the standard library, the SDK, the clock and itself."""
    beside = {"boto3", "botocore", "time_machine", "_time_machine"}
    children = [name for name in PATHS if name.startswith("grader.cloud.function.child")]
    for name in children:
        for target in imported(name):
            top = target.split(".")[0]
            mine = target.startswith("grader.cloud.function.child")
            allowed = mine or top in sys.stdlib_module_names or top in beside
            assert allowed, f"{name} imports {target}"


def test_only_what_stands_on_moto_and_the_judge_know_moto_or_pytest() -> None:
    allowed = {
        "moto": ("cloud.account", "cloud.messaging", "cloud.dynamodb", "cloud.moto_world"),
        "pytest": ("course", "desk"),
    }
    for name in PATHS:
        for target in imported(name):
            rows = allowed.get(target.split(".")[0])
            assert rows is None or name.startswith(tuple(f"grader.{row}" for row in rows)), name


def test_the_map_names_every_row_of_the_package() -> None:
    """The docstring of the package is the map: each module that exists stands in it."""
    text = ast.get_docstring(ast.parse(PATHS["grader"].read_text(encoding="utf-8"))) or ""
    for row in sorted({name.split(".")[1] for name in PATHS if "." in name} - {"__main__"}):
        assert row in text, f"{row} is missing from the map in grader/__init__.py"


@pytest.mark.parametrize(
    "module",
    ["grader.desk.cli", "grader.course.judge", "grader.desk.report", "grader.maintain.contract"],
)
def test_what_the_command_line_touches_first_is_light(module: str) -> None:
    """Importing it in a fresh process loads neither boto3 nor moto nor pytest nor yaml."""
    program = (
        f"import sys, {module}\n"
        "print(sorted({'boto3', 'botocore', 'moto', 'pytest', 'yaml', 'cfnlint'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_listing_criteria_loads_no_moto() -> None:
    """`labs hint 2 once-crash` and `--only` read the criteria without the slow imports."""
    program = (
        "import sys\nfrom grader.course import judge, lab\n"
        "for one in lab.labs():\n    assert judge.criteria(one)\n"
        "print(sorted({'boto3', 'botocore', 'moto', 'cfnlint'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
