"""Slides of a module: its built page once more, which a script shows one idea at a time.

There is no second text, and none is kept: beside ``modules/NN-name.html`` comes
``NN-name.slides.html`` when somebody asks for it. It is the same page with the script
``slides.js``, and with what the instructor's page says about the module, for the speaker's
questions and what to show live.
"""

from __future__ import annotations

import re
from pathlib import Path

_SUFFIX = ".slides.html"


def write(page: Path) -> Path:
    """Write the slides of a module's built page beside it; their file."""
    said = (page.parents[1] / "instructor" / "modules.html").read_text(encoding="utf-8")
    head = '<link rel="stylesheet" href="../assets/css/slides.css">\n</head>'
    tail = (
        f'<template id="speaker">{_section(said, int(page.name[:2]))}</template>\n'
        '<link rel="preload" as="script" href="../assets/js/slides.js">\n'
    )
    text = page.read_text(encoding="utf-8").replace("</head>", head, 1)
    # The page's last script runs those that are named before it.
    start, script, end = text.rpartition("<script>")
    place = page.with_suffix(_SUFFIX)
    place.write_text(start + tail + script + end, encoding="utf-8")
    return place


def _section(page: str, module: int) -> str:
    """What the instructor's page says about a module, its links as they hold from ``modules/``."""
    # A built page has no needless quotes.
    found = re.search(rf'<h2 id="?module-{module}"?>.*?(?=<h2 id=|</article>)', page, re.S)
    if found is None:
        return ""
    return re.sub(
        r'href="(?!\.\./|https?:)([^"]*)"',
        lambda link: f'href="../instructor/{"modules.html" * link[1].startswith("#")}{link[1]}"',
        found[0],
    )
