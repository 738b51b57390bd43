"""Which Python first reads a module that the one at hand cannot read.

A function's Runtime may be newer than the Python that plays it. What newer grammars have added is
rewritten here in the words of older ones; where all of it is read then, the newer Python reads it
as it stands, and it is nobody's mistake. Nothing is carried out.

- 3.12: type parameters, the statement ``type`` (PEP 695), anything inside of an f-string (PEP 701)
- 3.13: type parameters with a default (PEP 696)
- 3.14: ``except A, B:`` (PEP 758), t-strings (PEP 750)

https://docs.python.org/3/whatsnew/3.12.html https://docs.python.org/3/whatsnew/3.13.html
https://docs.python.org/3/whatsnew/3.14.html
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from functools import lru_cache

Version = tuple[int, int]
_VERSIONS: tuple[Version, ...] = ((3, 12), (3, 13), (3, 14))
# Longer modules are not looked at: what a judge does for a learner's file is bounded.
MOST_CHARACTERS = 200_000

_STRING = re.compile(r"(?i)((?:(?<!\w)[rbuft]{1,2})?)(\"\"\"|'''|\"|')")
_GENERIC = re.compile(r"\b(?:def|class|type)[ \t]+\w+[ \t]*(?=\[)")
_TYPE = re.compile(r"(?m)^([ \t]*)type[ \t]+(\w+[ \t]*=)(?!=)")
_EXCEPT = re.compile(r"(?m)^([ \t]*except\*?[ \t]+)([\w.]+(?:[ \t]*,[ \t]*[\w.]+)+)(?=[ \t]*:)")


class _Unreadable(Exception):
    """No Python reads this."""


@lru_cache(maxsize=8)
def needs_python(source: str) -> Version | None:
    """The first Python that reads this; None when this one does, and when none is known to."""
    if len(source) > MOST_CHARACTERS or "\0" in source or _reads(source):
        return None
    for version in _VERSIONS:
        if version <= sys.version_info[:2]:
            continue
        try:
            reader = _Reader(version)
            older = reader.older(source)
        except (_Unreadable, RecursionError):
            continue
        if _reads(older) and all(map(_expression, reader.inside)):
            return version
    return None


def _reads(source: str, mode: str = "exec") -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if mode == "exec":
                compile(source, "module", mode, dont_inherit=True)
            else:
                ast.parse(source, mode=mode)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True


def _expression(text: str) -> bool:
    """Whether a text is an expression, alone in the braces of a string."""
    return bool(text.strip()) and _reads(f"({text}\n)", "eval")


class _Reader:
    """Rewrites what grammars up to ``version`` have added; ``inside`` is what f-strings hold."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.inside: list[str] = []

    def older(self, source: str) -> str:
        text, at = self._code(source, 0, "")
        assert at == len(source)
        text = self._without_parameters(text)
        text = _TYPE.sub(r"\1\2", text)
        return _EXCEPT.sub(r"\1(\2)", text) if self.version >= (3, 14) else text

    def _code(self, text: str, at: int, stops: str) -> tuple[str, int]:
        """Code from ``at`` to the first of ``stops`` outside of brackets, or to the end."""
        out: list[str] = []
        depth = 0
        while at < len(text):
            here = text[at]
            string = _STRING.match(text, at)
            if string is not None:
                part, at = self._string(text, string)
                out.append(part)
                continue
            if here in stops and depth == 0 and text[at : at + 2] != "!=":
                return "".join(out), at
            if here == "#":
                end = text.find("\n", at)
                at = len(text) if end < 0 else end
                continue
            depth += (here in "([{") - (here in ")]}")
            out.append(text[at : at + 2] if here == "!" and text[at : at + 2] == "!=" else here)
            at += len(out[-1])
        if stops:
            raise _Unreadable
        return "".join(out), at

    def _string(self, text: str, begun: re.Match[str]) -> tuple[str, int]:
        prefix, quote = begun[1].lower(), begun[2]
        if "t" in prefix and self.version < (3, 14):
            raise _Unreadable
        if not set(prefix) & {"f", "t"}:
            end = re.compile(rf"(?s)((?:\\.|(?!{quote})[^\\])*){quote}").match(text, begun.end())
            if end is None or ("\n" in re.sub(r"(?s)\\.", "", end[1]) and len(quote) == 1):
                raise _Unreadable
            # What a text says must not be taken for code; an escape in it may be a mistake.
            kept = end[1] if "\\" in end[1] else ""
            return f"{begun[0]}{kept}{quote}", end.end()
        part, at = self._literal(text, begun.end(), quote, "r" in prefix)
        return f"{prefix.replace('t', 'f')}{quote}{part}{quote}", at + len(quote)

    def _literal(self, text: str, at: int, end: str, raw: bool) -> tuple[str, int]:
        """The inside of an f-string up to ``end``, with nothing but 0 in its braces."""
        out: list[str] = []
        while not text.startswith(end, at):
            here = text[at : at + 1]
            if not here or (here == "\n" and len(end) == 1 and end != "}"):
                raise _Unreadable
            name = None if raw else re.compile(r"\\N\{[^{}]*\}").match(text, at)
            if name is not None:
                out.append(name[0])
            elif here == "\\":
                out.append(text[at : at + (1 if text[at + 1 : at + 2] in "{}" else 2)])
            elif text[at : at + 2] in ("{{", "}}") and end != "}":
                out.append(here * 2)
            elif here == "{":
                at = self._field(text, at + 1)
                out.append("{0}")
                continue
            elif here == "}":
                raise _Unreadable
            else:
                out.append(here)
            at += len(out[-1])
        return "".join(out), at

    def _field(self, text: str, at: int) -> int:
        """Where the text goes on behind a brace's expression, conversion and format."""
        inside, at = self._code(text, at, "}:!")
        self.inside.append(re.sub(r"(?<![=!<>])=\s*\Z", "", inside))
        if text[at] == "!":
            conversion = re.compile(r"![rsa]\s*(?=[:}])").match(text, at)
            if conversion is None:
                raise _Unreadable
            at = conversion.end()
        if text[at] == ":":
            _, at = self._literal(text, at + 1, "}", raw=False)
        return at + 1

    def _without_parameters(self, text: str) -> str:
        """The text without type parameters, each of which has to be one."""
        out: list[str] = []
        at = 0
        while (found := _GENERIC.search(text, at)) is not None:
            inside, end = self._code(text, found.end() + 1, "]")
            parameters = [one.strip() for one in _split(inside)]
            if parameters and not parameters[-1]:
                parameters.pop()
            if not parameters or not all(map(self._parameter, parameters)):
                raise _Unreadable
            out.append(text[at : found.end()])
            at = end + 1
        return "".join(out) + text[at:]

    def _parameter(self, text: str) -> bool:
        shape = re.fullmatch(r"(?s)\*{0,2}\s*\w+\s*(?::(?!=)([^=]*))?(?:=(.*))?", text)
        if shape is None or (shape[2] is not None and self.version < (3, 13)):
            return False
        return all(_expression(one.strip(" *")) for one in shape.groups() if one is not None)


def _split(text: str) -> list[str]:
    """The parts between commas that no bracket holds."""
    parts, depth = [""], 0
    for here in text:
        depth += (here in "([{") - (here in ")]}")
        if here == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += here
    return parts


def python_of(runtime: str) -> Version:
    """The Python of a Runtime, such as (3, 13); (0, 0) when it is none of Python's."""
    found = re.fullmatch(r"python(\d+)\.(\d+)", runtime)
    return (int(found[1]), int(found[2])) if found else (0, 0)
