"""Pages that open by themselves: templates filled with text that nobody trusts.

Everything that is put into a template is cleaned of characters that steer (control and
bidirectional ones are written out) and escaped. A page carries its one style, and its one script
where it has one, and a policy that allows exactly these two by their hashes and no request at all.
https://www.w3.org/TR/CSP3/#match-element-to-source-list
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from grader.cloud.words import clean
from grader.replay import drawing

FOLDER = Path(__file__).with_name("pages")
# What Markdown gives a meaning within a line; HTML in it would be taken for HTML.
_MARKED = {ord(letter): f"\\{letter}" for letter in "\\`*_{}[]#|!~"} | {
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord("&"): "&amp;",
}


def page(name: str, *, script: str = "", **told: Any) -> str:
    """The page of a template ``NAME.html``, or the Markdown text of ``NAME.md``."""
    style = drawing.STYLE + (FOLDER / "page.css").read_text(encoding="utf-8")
    allowed = _hash(script) if script else "'none'"
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {allowed};"
        " base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(name)
        .render(policy=policy, style=Markup(style), script=Markup(script), **told)
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"line": _line, "block": _block, "lines": _lines, "as_text": as_text}
    return environment


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _line(text: object) -> str:
    """Text within a line of Markdown, with nothing in it that Markdown or HTML would read."""
    return clean(str(text)).replace("\n", " ").translate(_MARKED)


def _block(text: object) -> str:
    """Text as an indented block of Markdown code, which every dialect shows as it is."""
    return "\n".join(f"    {line}".rstrip() for line in clean(str(text)).split("\n"))


def as_text(finding: Sequence[tuple[str, str]]) -> str:
    """A finding as lines: labels in one column, values in another."""
    lines = []
    for label, text in finding:
        for count, line in enumerate(text.split("\n")):
            lines.append(f"{label if count == 0 else '':<10}{line}".rstrip())
    return "\n".join(lines)


def _lines(text: object) -> Markup:
    """Text in HTML whose line breaks stay where a line may wrap as well."""
    return Markup('<span class="lines">{}</span>').format(escape(clean(str(text))))
