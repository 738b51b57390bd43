"""The house: the package's wings and which of them imports from which, read from the source."""

from __future__ import annotations

import ast
import re
import textwrap
from pathlib import Path

from picture_draw import Picture

PACKAGE = Path(__file__).resolve().parents[2] / "grader"
NOT_OURS = {"starters", "_solutions", "_docs", "_site", "new_lab"}


def words() -> dict[str, str]:
    """What the map at the top of the package says about each wing, from the top down."""
    text = ast.get_docstring(ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))) or ""
    return dict(re.findall(r"^    (\w+)/ +([^:\n]+):", text, re.M))


def imports() -> dict[str, set[str]]:
    """For each wing the others that a module of it imports from, wherever in the module."""
    found: dict[str, set[str]] = {wing: set() for wing in words()}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).parts
        if parts[0] not in found or NOT_OURS & set(parts):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            reached = {name.split(".")[1] for name in names if name.startswith("grader.")}
            found[parts[0]] |= (reached & set(found)) - {parts[0]}
    return found


def house() -> str:
    """A box for each wing, and an arrow to every wing that it imports from."""
    said, reached = words(), imports()
    pairs = "; ".join(
        f"{wing} from {', '.join(other for other in said if other in reached[wing])}"
        for wing in said
        if reached[wing]
    )
    picture = Picture(
        "The house: the package's wings and their imports",
        f"From the top: {', '.join(f'{wing}, {text}' for wing, text in said.items())}. "
        f"Imports point down only: {pairs}.",
    )
    rooms = sorted(
        path.name for path in (PACKAGE / "cloud").iterdir() if (path / "__init__.py").is_file()
    )
    middles: dict[str, float] = {}
    y, right = 14.0, 230
    for wing, text in said.items():
        lines = textwrap.wrap(", ".join(rooms), 38) if wing == "cloud" else []
        bottom = picture.node(14, y, right - 14, [f"{wing}/", text, *lines])
        middles[wing] = (y + bottom) / 2
        y = bottom + 14
    for at, wing in enumerate(one for one in said if reached[one]):
        lane, start = right + 26 + at * 18, middles[wing] + 5
        ends = [middles[other] - 9 + at * 4 for other in said if other in reached[wing]]
        picture.line((right, start), (lane, start), (lane, max(ends)))
        for end in ends:
            picture.arrow((lane, end), (right, end))
    picture.text(14, y + 6, "An arrow: imports from. None points up.", "small soft")
    return picture.svg(y + 18)
