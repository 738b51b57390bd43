"""Copies of a hand-in, made as somebody makes them who does not want them to be seen.

Each maker gives Python or a template that does the same and looks different.
"""

from __future__ import annotations

import ast
import builtins
import io
import random
import re
import tokenize
from collections.abc import Callable, Mapping
from pathlib import Path

WORDS = ("alpha", "item", "thing", "value", "stuff", "part", "piece", "tmp", "obj", "data", "cur")


def files(given: Mapping[str, bytes], maker: str, whose: str) -> dict[str, bytes]:
    """The files with code and templates made over by ``whose`` chance; ``maker`` is of `MAKERS`."""
    made = dict(given)
    for name, content in given.items():
        make = {".py": 0, ".yaml": 1}.get(Path(name).suffix)
        if make is not None:
            made[name] = MAKERS[maker][make](content.decode(), random.Random(whose)).encode()
    return made


# --- Python -------------------------------------------------------------------------------------


def renamed(text: str, chance: random.Random) -> str:
    """Every name that the code gives itself is another one."""
    tree = ast.parse(text)
    fixed = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    fixed |= {
        key.arg or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for key in node.keywords
    }
    fixed |= {*dir(builtins), "handler"}
    given = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            given.add(node.name)
        elif isinstance(node, ast.arg):
            given.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            given.add(node.id)
    names = {one: f"{chance.choice(WORDS)}_{n}" for n, one in enumerate(sorted(given - fixed))}
    tokens = [
        (
            token.type,
            names.get(token.string, token.string) if token.type == tokenize.NAME else token.string,
        )
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
    ]
    return tokenize.untokenize(tokens)


def reordered(text: str, chance: random.Random) -> str:
    """The functions and classes stand in another order, behind everything else."""
    lines = text.splitlines(keepends=True)
    body = ast.parse(text).body

    def source(node: ast.stmt) -> str:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        return "".join(lines[first - 1 : node.end_lineno]) + "\n"

    defined = [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    others = [node for node in body if node not in defined]
    chance.shuffle(defined)
    return "".join(map(source, others)) + "\n" + "\n".join(map(source, defined))


def commented(text: str, chance: random.Random) -> str:
    """Its comments and docstrings are gone, and others stand in their place."""
    tree = ast.parse(text)
    docs = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and len(node.body) > 1
            and ast.get_docstring(node)
        ):
            docs |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    begins = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt)}
    made = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if number in docs or line.strip().startswith("#"):
            continue
        if (
            number in begins
            and chance.random() < 0.4
            and not re.match(r"\s*(else|elif|except|finally)", line)
        ):
            made.append(f"{line[: len(line) - len(line.lstrip())]}# here we do step {number}\n")
        made.append(line)
    return "".join(made)


def padded(text: str, chance: random.Random) -> str:
    """A function that nobody calls stands between the others."""
    idle = [
        f"    x_{n} = {' + '.join(chance.choices(('a', '7', 'len(b)', '(a - 1)', 'b[a]'), k=9))}"
        for n in range(12)
    ]
    return "\n".join([text, "", "def never_called(a, b):", *idle, "    return x_0", ""])


# --- templates ----------------------------------------------------------------------------------


def template_renamed(text: str, chance: random.Random) -> str:
    """Every resource has another logical id."""
    for number, name in enumerate(re.findall(r"(?m)^  (\w+):\s*\n    Type: ", text)):
        named = rf"(?m)(^  |!Ref |!GetAtt |\$\{{|DependsOn: |Ref: |- )\b{name}\b(?=:$|[.}}]|\s*$)"
        text = re.sub(named, rf"\g<1>Piece{number}", text)
    return text


def template_reordered(text: str, chance: random.Random) -> str:
    """The resources stand in another order."""
    head, mark, rest = text.partition("Resources:\n")
    end = re.search(r"(?m)^\w", rest)
    middle, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    first, *others = re.split(r"(?m)^(?=  \w+:\s*$)", middle)
    chance.shuffle(others)
    ended = [one if one.endswith("\n") else f"{one}\n" for one in others]
    return head + mark + first + "".join(ended) + tail


def template_commented(text: str, chance: random.Random) -> str:
    """Its comments are gone, and others stand over the resources."""
    plain = re.sub(r"(?m)^\s*#.*\n", "", text)
    return re.sub(r"(?m)^(  \w+:\s*\n    Type:)", r"  # the next one\n\1", plain)


Maker = Callable[[str, random.Random], str]


def _all(*steps: Maker) -> Maker:
    def made(text: str, chance: random.Random) -> str:
        for step in steps:
            text = step(text, chance)
        return text

    return made


MAKERS: Mapping[str, tuple[Maker, Maker]] = {
    "renamed": (renamed, template_renamed),
    "reordered": (reordered, template_reordered),
    "commented": (commented, template_commented),
    "padded": (padded, template_commented),
    "all of it": (
        _all(commented, reordered, padded, renamed),
        _all(template_commented, template_reordered, template_renamed),
    ),
}
