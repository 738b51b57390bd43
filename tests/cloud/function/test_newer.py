"""Syntax that only a newer Python reads, told from a mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from grader.cloud.function import newer

# What each version has added, beside much that every one reads.
WHOLE = '''
"""A module. def f[T](x): in a text is none; type x[0] neither, nor f"{a["b"]}"."""
import re
type_ = re.compile(r"type X[T] = \\\\d'\\"")  # type Y[T] = int
def f(x, type=1, *, y: dict[str, int] = {"a": 1}):
    type(x); match = f"{x!r:>{y['a']}} {{x}} {x=} \\N{BULLET} {'a' 'b'}"
    match x:
        case {"type": [a, *_]} if a != 1: return rf"\\d{a:%H:%M}" 'tail', b""
    try: pass
    except (ValueError, KeyError) as e: raise
    return f\'\'\'
    {x
    :>3}\'\'\'
'''
ADDED = {
    (3, 12): [
        "type Amount = int | None",
        "type Pair[A, *Rest, **P] = tuple[A, *Rest]",
        "class Box[T: (int, str)](dict[str, T]): pass",
        "async def first[T](many: list[T],\n) -> T:\n    return many[0]",
        "def g[\n    T: dict[str, int],\n](x: T): return x",
        'name = f"{record["dynamodb"]["Keys"]}"',
        "lines = f\"{'\\n'.join(names)} of {f\"{len(names):>{f'{width}'}}\"}\"",
        "told = f'{\n    total  # in cents\n}'",
        "x = f'{f'{f'{f'{1 + 1}'}'}'}'",
    ],
    (3, 13): ["class Box[T = int]: pass", "def g[T: int = bool, *Ts = *tuple[int]](x): ..."],
    (3, 14): [
        "try: g()\nexcept ValueError, KeyError:\n    pass",
        "try: g()\nexcept* a.B, KeyError:\n    pass",
        'page = t"<p>{name}</p>" rt"\\d"',
        'type X = int\ntry: g()\nexcept A, B: print(f"{x["a"]}")',
    ],
}
NEWER = [
    (version, code) for version, codes in ADDED.items() for code in codes
    if version > sys.version_info[:2]
]  # fmt: skip
MISTAKES = [
    "def handler)",
    "print 'x'",
    "name = f'{record[\"a\"'",
    'name = f"{record["a"]"',
    'name = f"{a b["c"]}"',
    'name = f"{}{x["a"]}"',
    'name = f"{x["a"]!q}"',
    "type X =",
    "type 1 = int",
    "class Box[]: pass",
    "class Box[1 + 1]: pass",
    "def g[T: int or](x): pass",
    "try: g()\nexcept ValueError, KeyError as e:\n    pass",
    "x = 'one line\n'",
    "x = f'one line\n'",
    "x = '''never ended",
    "x = f'{never ended",
    'x = ft"{a}"',
    "return 1",
    "type X = int\nreturn 1",
    "x = '\0'",
    "(" * 5_000,
    "f'{" * 5_000,
    "x = '" + "\\a" * 50_000,
]


@pytest.mark.parametrize(("version", "code"), NEWER)
def test_what_a_newer_python_added_is_known_with_its_version(
    version: newer.Version, code: str
) -> None:
    assert newer.needs_python(code + "\n") == version
    assert newer.needs_python(WHOLE + code + "\n" + WHOLE) == version


@pytest.mark.parametrize("code", MISTAKES)
def test_a_mistake_stays_one_also_beside_what_is_newer(code: str) -> None:
    assert newer.needs_python(code) is None
    for _, added in NEWER:
        assert newer.needs_python(f"{added}\n{code}\n") is None


def test_what_this_python_reads_needs_no_other() -> None:
    """Whatever it is rewritten to meanwhile: every module of this package stays readable."""
    assert newer.needs_python(WHOLE) is None
    for path in sorted(Path(newer.__file__).parents[2].rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        assert newer.needs_python(source) is None
        if path.stat().st_size < 10_000 and NEWER:
            version, added = NEWER[0]
            assert newer.needs_python(f"{source}\n{added}\n") == version, path


def test_a_runtime_has_its_version() -> None:
    assert newer.python_of("python3.14") == (3, 14)
    assert newer.python_of("nodejs24.x") == (0, 0)
