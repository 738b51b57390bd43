"""Imports point one way, and the command line starts light.

Read from the source, not from what happens to be imported, so that it holds as modules appear.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "grader"

# From the bottom up. A module imports only from its own row or from rows before it: a row is a
# wing, or a room of the wing `cloud`.
ROWS = (
    (
        *("grader", "cloud", "cloud.aws", "cloud.clock", "cloud.metrics", "cloud.typed"),
        "cloud.words",
    ),
    ("cloud.template", "cloud.iam"),
    (
        *("cloud.mapping", "cloud.cloudwatch", "cloud.dynamodb", "cloud.account"),
        *("cloud.messaging", "cloud.function", "cloud.moto_speed", "cloud.moto_world"),
    ),
    ("cloud.running", "cloud.pipeline"),
    ("review",),
    ("replay",),
    ("course",),
    ("maintain", "desk"),
    ("__main__",),
)
# May import nothing that reads files, prints, sleeps or talks to AWS.
PURE = (
    "cloud.aws",
    "cloud.clock",
    "cloud.metrics",
    "cloud.iam",
    "cloud.mapping",
    "cloud.cloudwatch",
)
IMPURE_MODULES = {
    "boto3", "botocore", "moto", "pytest", "click", "subprocess", "socket", "os", "pathlib",
    "logging", "random", "tempfile", "shutil", "threading", "time", "io",
}  # fmt: skip
IMPURE_CALLS = {"print", "open", "input", "exec", "eval"}

NOT_CODE = {"starters", "_solutions", "_docs", "_site"}


def modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name, parsed."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] in NOT_CODE:
            continue
        name = ".".join(("grader", *(part for part in parts if part != "__init__")))
        found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


def row_of(name: str) -> str:
    """``grader.cloud.mapping.decide`` belongs to ``cloud.mapping``, ``grader.desk.cli`` to ``desk``."""
    parts = name.split(".")
    if len(parts) > 2 and parts[1] == "cloud":
        return ".".join(parts[1:3])
    return parts[1] if len(parts) > 1 else parts[0]


def rank(row: str) -> int:
    """How high a row stands."""
    for number, names in enumerate(ROWS):
        if row in names:
            return number
    raise AssertionError(f"grader.{row} has no place in the map of tests/maintain/test_layers.py")


def imports(name: str) -> Iterator[tuple[str, bool]]:
    """Each module that ``name`` imports, anywhere in it, and whether only for type checking."""
    tree = TREES[name]
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in typing_only
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = name if name in PACKAGES else name.rpartition(".")[0]
                for _ in range(node.level - 1):
                    above = above.rpartition(".")[0]
                source = f"{above}.{source}".rstrip(".")
            for alias in node.names:
                full = f"{source}.{alias.name}"
                yield (full if full in TREES else source), id(node) in typing_only


TREES = modules()
PACKAGES = {name for name in TREES if any(other.startswith(f"{name}.") for other in TREES)}


def test_every_module_has_a_place_in_the_map() -> None:
    for name in TREES:
        rank(row_of(name))


@pytest.mark.parametrize("name", TREES)
def test_imports_point_downwards(name: str) -> None:
    mine = row_of(name)
    for target, only_types in imports(name):
        if not target.startswith("grader") or only_types or target == "grader":
            continue
        theirs = row_of(target)
        allowed = rank(theirs) <= rank(mine)
        assert allowed, f"{name} imports {target}, which stands above it"


@pytest.mark.parametrize("name", [name for name in TREES if row_of(name) in PURE])
def test_the_engine_is_pure(name: str) -> None:
    tree = TREES[name]
    found = {target.split(".")[0] for target, only_types in imports(name) if not only_types}
    assert not found & IMPURE_MODULES, f"{name} imports {sorted(found & IMPURE_MODULES)}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_CALLS, f"{name}:{node.lineno} calls {node.func.id}"


def test_the_child_of_the_function_process_knows_nothing_of_the_judge() -> None:
    """It runs beside learner code, so it imports the standard library, the SDK, the clock and itself."""
    beside = {"boto3", "botocore", "time_machine", "_time_machine"}
    children = [name for name in TREES if name.startswith("grader.cloud.function.child")]
    for name in children:
        for target, _ in imports(name):
            top = target.split(".")[0]
            mine = target.startswith("grader.cloud.function.child")
            allowed = mine or top in sys.stdlib_module_names or top in beside
            assert allowed, f"{name} imports {target}"


def test_only_the_account_the_checks_and_the_judge_know_moto_or_pytest() -> None:
    allowed = {
        "moto": {
            "cloud.account",
            "cloud.messaging",
            "cloud.dynamodb",
            "cloud.moto_speed",
            "cloud.moto_world",
        },
        "pytest": {"course", "desk"},
    }
    for name in TREES:
        for target, _ in imports(name):
            rows = allowed.get(target.split(".")[0])
            assert rows is None or row_of(name) in rows, f"{name} imports {target}"


def test_the_map_names_every_row_of_the_package() -> None:
    """The docstring of the package is the map: each module that exists stands in it."""
    text = ast.get_docstring(TREES["grader"]) or ""
    for row in sorted({row_of(name).split(".")[0] for name in TREES} - {"grader", "__main__"}):
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
